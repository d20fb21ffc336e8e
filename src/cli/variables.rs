//! Variables that are named like flowreg's and that it does not read: an option, a key of `flowreg.toml`, or a slip.
//!
//! Every command but a hook tells of them before it does anything. One that can't be taken back refuses where such a
//! variable says what an option of it would.

use clap::CommandFactory;

use super::error::CommandError;
use super::user_command::UserCommand;
use super::{Cli, Command};
use crate::settings::file_keys;
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

/// The options of all commands that say what a command works on. The others say how it is shown.
const SELECTING: [&str; 2] = ["target", "config"];

/// A variable that somebody means to be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct UnreadVariable {
    name: String,
    meant: Meant,
}

/// What a name that is not read was meant for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Meant {
    Variable(&'static str),
    Option(String),
    Key(&'static str),
}

impl UnreadVariable {
    /// What is told of it.
    pub(super) fn notice(&self) -> String {
        let name = &self.name;
        match &self.meant {
            Meant::Variable(known) => format!("{name} is not read; did you mean {known}?"),
            Meant::Option(option) => format!("{name} is not read: it is the option --{option}"),
            Meant::Key(key) => format!("{name} is not read: `{key}` is set in flowreg.toml"),
        }
    }
}

/// The variables that are not read and most likely meant to be. Names that are far from everything known may well be
/// those of somebody's own scripts (`FLOWREG_IMAGE`), and are left alone.
pub(super) fn unread(environment: &Environment) -> Vec<UnreadVariable> {
    let mut names =
        environment.iter().map(|(name, _)| name).filter(|name| is_ours(name)).peekable();
    if names.peek().is_none() {
        return Vec::new();
    }
    let meanings = meanings();
    let unread = names.filter_map(|name| {
        Some(UnreadVariable { name: name.to_owned(), meant: meaning(name, &meanings)? })
    });
    unread.collect()
}

/// Refuses a command that can't be taken back, where a variable says what an option of it would.
///
/// # Errors
/// [`CommandError`] with the option to type.
pub(super) fn refuse_meant_options(
    command: &Command,
    typed: &UserCommand,
    unread: &[UnreadVariable],
) -> Result<(), CommandError> {
    let root = Cli::command();
    for UnreadVariable { name, meant } in unread {
        let Meant::Option(option) = meant else { continue };
        if typed.has_option(option) {
            continue;
        }
        let of_all = || SELECTING.contains(&&**option).then(|| argument(&root, option)).flatten();
        let own = |command| argument(root.find_subcommand(command)?, option).or_else(of_all);
        let found = match command {
            Command::Tag(arguments) if arguments.publishes() => own("tag"),
            Command::Prune(arguments) if arguments.removes() => own("prune"),
            // What it writes can be written again, but for a run that was to write nothing.
            Command::Register(arguments) if arguments.writes() && option == "dry-run" => {
                own("register")
            }
            _ => None,
        };
        if let Some(found) = found {
            let value = if found.get_action().takes_values() {
                format!(" \"${name}\"")
            } else {
                String::new()
            };
            return Err(CommandError::usage(
                format!("nothing is done: {name} does not do what --{option} does"),
                vec![
                    format!("flowreg … --{option}{value}"),
                    format!("or without it: unset {name}"),
                ],
            ));
        }
    }
    Ok(())
}

fn argument<'c>(command: &'c clap::Command, option: &str) -> Option<&'c clap::Arg> {
    command.get_arguments().find(|argument| argument.get_long() == Some(option))
}

fn is_ours(name: &str) -> bool {
    let start = name.get(..PREFIX.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(PREFIX)) && !KNOWN.contains(&name)
}

/// Every name that somebody may mean, without the prefix, as a variable would be called. The stronger ones first.
fn meanings() -> Vec<(String, Meant)> {
    let of_variables = KNOWN
        .iter()
        .filter_map(|known| Some((known.strip_prefix(PREFIX)?.to_owned(), Meant::Variable(known))));
    let root = Cli::command();
    let shown = root.get_subcommands().filter(|command| !command.is_hide_set());
    let commands = shown.flat_map(|command| command.get_subcommands().chain([command]));
    let arguments = commands.chain([&root]).flat_map(clap::Command::get_arguments);
    let of_options = arguments.filter_map(clap::Arg::get_long).map(|option| {
        (option.to_ascii_uppercase().replace('-', "_"), Meant::Option(option.to_owned()))
    });
    let of_keys = file_keys().into_iter().map(|key| (key.to_ascii_uppercase(), Meant::Key(key)));
    of_variables.chain(of_options).chain(of_keys).collect()
}

/// What is called so, or most nearly so.
fn meaning(name: &str, meanings: &[(String, Meant)]) -> Option<Meant> {
    let own = name.get(PREFIX.len()..)?.to_ascii_uppercase();
    let of = |word: &str| {
        let found = meanings.iter().find(|(known, _)| known == word);
        found.map(|(_, meant)| meant.clone())
    };
    let near = || {
        // A slip in three letters is any other three letters: `FLOWREG_BIN` is not `pin`.
        let is_long = |(known, meant): &&(String, Meant)| {
            known.len() > 3 || matches!(meant, Meant::Variable(_))
        };
        let known = meanings.iter().filter(is_long);
        let known: Vec<&str> = known.map(|(known, _)| &**known).collect();
        misspelt(&own, &known)
    };
    of(&own).or_else(|| of(near()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_meant_to_be_read_is_told() {
        let told = |name: &str| {
            let unread = unread(&Environment::from_iter([(name, "x")]));
            unread.iter().map(UnreadVariable::notice).collect::<Vec<_>>()
        };
        for name in KNOWN {
            assert_eq!(told(name), Vec::<String>::new());
        }
        for name in [
            "FLOWREG_IMAGE",
            "FLOWREG_IMG",
            "FLOWREG_VERSION",
            "FLOWREG_VERSION_TO_INSTALL",
            "FLOWREG_SHA256",
            "FLOWREG_BIN",
            "FLOWREG_HOME",
            "FLOWREG_",
            "TARGET",
        ] {
            assert_eq!(told(name), Vec::<String>::new(), "{name}");
        }
        for (name, what) in [
            ("FLOWREG_TARGET", ": it is the option --target"),
            ("FLOWREG_TARGT", ": it is the option --target"),
            ("flowreg_target", ": it is the option --target"),
            ("FLOWREG_DRY_RUN", ": it is the option --dry-run"),
            ("FLOWREG_DRYRUN", ": it is the option --dry-run"),
            ("FLOWREG_OFFLINE", ": it is the option --offline"),
            ("FLOWREG_RETARGET", ": it is the option --retarget"),
            ("FLOWREG_NO_CHAIN", ": it is the option --no-chain"),
            ("FLOWREG_WORK_POOL", ": `work_pool` is set in flowreg.toml"),
            ("FLOWREG_WORKPOOL", ": `work_pool` is set in flowreg.toml"),
            ("FLOWREG_LOGS", "; did you mean FLOWREG_LOG?"),
            ("FLOWREG_HOOK", "; did you mean FLOWREG_HOOKS?"),
            ("flowreg_hooks", "; did you mean FLOWREG_HOOKS?"),
        ] {
            assert_eq!(told(name), [format!("{name} is not read{what}")]);
        }
    }
}
