//! Variables of flowreg's that it does not read: a name with a slip in it, or that of an option.

use clap::{Command, CommandFactory};

use super::Cli;
use flowreg_model::{Environment, misspelt};

const PREFIX: &str = "FLOWREG_";
/// Those that are read, here or by the ready-made pipelines (docs/ci).
const KNOWN: [&str; 6] = [
    "FLOWREG_HOOKS",
    "FLOWREG_LOG",
    "FLOWREG_RECHECKS",
    "FLOWREG_COMMENT_TOKEN",
    "FLOWREG_COMMAND",
    "FLOWREG_ARGUMENTS",
];

/// A word about each variable that somebody means to be read. Other names may well be of somebody's own scripts
/// (`FLOWREG_IMAGE`), and are left alone.
pub(super) fn unread(environment: &Environment) -> Vec<String> {
    let root = Cli::command();
    let names = environment.iter().map(|(name, _)| name);
    let unread = names.filter(|name| name.starts_with(PREFIX) && !KNOWN.contains(name));
    unread.filter_map(|name| notice(&root, name)).collect()
}

fn notice(root: &Command, name: &str) -> Option<String> {
    let own = name.strip_prefix(PREFIX)?;
    let option = own.to_ascii_lowercase().replace('_', "-");
    // Those of all commands, and of the one that most people mean.
    let mut commands = std::iter::once(root).chain(root.find_subcommand("register"));
    let is_option = |one: &clap::Arg| one.get_long() == Some(&option);
    if commands.any(|command| command.get_arguments().any(is_option)) {
        return Some(format!("{name} is not read: it is the option --{option}"));
    }
    let known: Vec<&str> = KNOWN.iter().filter_map(|known| known.strip_prefix(PREFIX)).collect();
    misspelt(own, &known).map(|meant| format!("{name} is not read; did you mean {PREFIX}{meant}?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_to_be_read_is_told() {
        let told = |name: &str| unread(&Environment::from_iter([(name, "x")]));
        for name in KNOWN {
            assert_eq!(told(name), Vec::<String>::new());
        }
        for name in [
            "FLOWREG_IMAGE",
            "FLOWREG_IMG",
            "FLOWREG_VERSION",
            "FLOWREG_VERSION_TO_INSTALL",
            "FLOWREG_",
            "TARGET",
            "flowreg_target",
        ] {
            assert_eq!(told(name), Vec::<String>::new(), "{name}");
        }
        assert_eq!(
            told("FLOWREG_TARGET"),
            ["FLOWREG_TARGET is not read: it is the option --target"]
        );
        assert_eq!(
            told("FLOWREG_DRY_RUN"),
            ["FLOWREG_DRY_RUN is not read: it is the option --dry-run"]
        );
        assert_eq!(told("FLOWREG_HOOK"), ["FLOWREG_HOOK is not read; did you mean FLOWREG_HOOKS?"]);
    }
}
