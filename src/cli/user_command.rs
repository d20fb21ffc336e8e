//! The user's own command line, for hints: where one says `flowreg …`, people see what they typed, with the
//! option added, ready to be typed again.

use std::ffi::OsString;

use clap::{ArgAction, CommandFactory};
use flowreg_model::quoted;

use super::Cli;

/// What stands for the user's command line in a hint.
const PLACEHOLDER: &str = "flowreg …";
/// The command of hints that the user's own command has no option for.
const USUAL_COMMAND: &str = "register";
/// Options of which a command line has one at most.
const EXCLUSIVE: [&str; 2] = ["tag", "branch"];

/// A command line as it was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct UserCommand {
    /// Without the program's name; what is not UTF-8 is replaced, as nobody could read it anyway.
    arguments: Vec<String>,
}

impl UserCommand {
    /// Of the arguments of the process, the program's name first.
    pub(super) fn new(arguments: &[OsString]) -> Self {
        let arguments = arguments.iter().skip(1);
        Self { arguments: arguments.map(|one| one.to_string_lossy().into_owned()).collect() }
    }

    /// A hint with the user's command line in it.
    pub(super) fn complete(&self, hint: &str) -> String {
        let Some((before, after)) = hint.split_once(PLACEHOLDER) else { return hint.to_owned() };
        let (options, rest) = leading_options(after);
        format!("{before}{}{rest}", self.with(&options))
    }

    /// The command line with options added, quoted for the shell.
    fn with(&self, options: &[HintedOption]) -> String {
        let command = Cli::command();
        let (mut arguments, has_all) = match self.subcommand(&command) {
            Some(own) => {
                let has = |option: &HintedOption| find(&command, own, &option.name).is_some();
                (self.arguments.clone(), options.iter().all(has))
            }
            None => (Vec::new(), false),
        };
        if !has_all {
            arguments = vec![USUAL_COMMAND.to_owned()];
        }
        let replaced = |name: &str| {
            options.iter().any(|option| {
                option.name == name
                    || (EXCLUSIVE.contains(&name) && EXCLUSIVE.contains(&option.name.as_str()))
            })
        };
        let mut words = vec!["flowreg".to_owned()];
        let mut rest = arguments.into_iter();
        let mut positional = Vec::new();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                positional.extend(rest);
                break;
            }
            let name = argument.strip_prefix("--").map(|text| text.split('=').next().unwrap_or(""));
            match name.filter(|name| replaced(name)) {
                // Its value goes as well, unless both are one word.
                Some(name) if !argument.contains('=') && takes_value(&command, name) => {
                    rest.next();
                }
                Some(_) => {}
                None => words.push(quoted(&argument).into_owned()),
            }
        }
        for HintedOption { name, value } in options {
            words.push(format!("--{name}"));
            words.extend(value.clone());
        }
        if !positional.is_empty() {
            words.push("--".to_owned());
            words.extend(positional.iter().map(|one| quoted(one).into_owned()));
        }
        words.join(" ")
    }

    /// The command that was given; none for what hooks call.
    fn subcommand<'c>(&self, command: &'c clap::Command) -> Option<&'c clap::Command> {
        let mut named = None;
        for argument in &self.arguments {
            // `hooks install` is a command below another one.
            named = named.unwrap_or(command).find_subcommand(argument).or(named);
        }
        named.filter(|named| !named.is_hide_set())
    }
}

/// An option that a hint adds, its value as it is written there.
struct HintedOption {
    name: String,
    value: Option<String>,
}

/// The options with which a text begins, and what comes after them.
fn leading_options(text: &str) -> (Vec<HintedOption>, &str) {
    let command = Cli::command();
    let (mut options, mut rest) = (Vec::new(), text);
    while let Some((name, after)) = rest.strip_prefix(" --").map(word) {
        rest = after;
        let mut value = None;
        if takes_value(&command, name)
            && let Some((text, after)) = after.strip_prefix(' ').map(word)
        {
            value = Some(text.to_owned());
            rest = after;
        }
        options.push(HintedOption { name: name.to_owned(), value });
    }
    (options, rest)
}

/// The first word of a text, as a shell sees it: quotation marks hold it together.
fn word(text: &str) -> (&str, &str) {
    let (mut is_quoted, mut is_escaped) = (false, false);
    let end = text.char_indices().find(|(_, char)| {
        let is_taken_as_it_is = std::mem::take(&mut is_escaped);
        match char {
            _ if is_taken_as_it_is => {}
            '\'' => is_quoted = !is_quoted,
            '\\' if !is_quoted => is_escaped = true,
            _ => {}
        }
        !is_quoted && matches!(char, ' ' | ',')
    });
    text.split_at(end.map_or(text.len(), |(at, _)| at))
}

/// An option of a command, or of all.
fn find<'c>(
    command: &'c clap::Command,
    own: &'c clap::Command,
    name: &str,
) -> Option<&'c clap::Arg> {
    own.get_arguments().chain(command.get_arguments()).find(|one| one.get_long() == Some(name))
}

/// Whether an option has a value, in the first command that has it.
fn takes_value(command: &clap::Command, name: &str) -> bool {
    let own = command.get_subcommands();
    let mut found = own.flat_map(|own| std::iter::once(own).chain(own.get_subcommands()));
    let found = found.find_map(|own| find(command, own, name));
    found.is_some_and(|one| matches!(one.get_action(), ArgAction::Set | ArgAction::Append))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn completed(typed: &[&str], hint: &str) -> String {
        let arguments: Vec<OsString> = std::iter::once("/usr/bin/flowreg")
            .chain(typed.iter().copied())
            .map(OsString::from)
            .collect();
        UserCommand::new(&arguments).complete(hint)
    }

    #[test]
    fn the_option_is_added_to_what_was_typed() {
        for (typed, hint, expected) in [
            (
                &["register"][..],
                "flowreg … --untagged branch",
                "flowreg register --untagged branch",
            ),
            (
                &["-C", "my flows", "plan", "etl*", "--adopt"],
                "flowreg … --tag v1.0.0",
                "flowreg -C 'my flows' plan 'etl*' --adopt --tag v1.0.0",
            ),
            // What it contradicts goes.
            (
                &["register", "--tag", "v1.0.O", "etl"],
                "flowreg … --tag v1.0.0",
                "flowreg register etl --tag v1.0.0",
            ),
            (&["plan", "--tag=v1"], "flowreg … --branch 'a;b'", "flowreg plan --branch 'a;b'"),
            (&["register", "--branch", "x"], "flowreg … --tag v1", "flowreg register --tag v1"),
            (&["plan", "--", "etl"], "flowreg … --adopt", "flowreg plan --adopt -- etl"),
            (
                &["plan"],
                r"flowreg … --tag 'it'\''s a tag', and more",
                r"flowreg plan --tag 'it'\''s a tag', and more",
            ),
            // A hint is more than the command.
            (
                &["register"],
                "git push origin v1 && flowreg … --tag v1",
                "git push origin v1 && flowreg register --tag v1",
            ),
            (&["register"], "BUILD_TAG=v1 flowreg …", "BUILD_TAG=v1 flowreg register"),
            (
                &["register"],
                "flowreg … --allow-downgrade, to go back on purpose",
                "flowreg register --allow-downgrade, to go back on purpose",
            ),
            (&["register"], "git fetch origin", "git fetch origin"),
            (
                &["hooks", "install", "--shared"],
                "flowreg … --force",
                "flowreg hooks install --shared --force",
            ),
            // A command without the option, and none of a person.
            (&["sync"], "flowreg … --remote origin", "flowreg register --remote origin"),
            (&["hook", "pre-push", "origin"], "flowreg … --tag v1", "flowreg register --tag v1"),
        ] {
            assert_eq!(completed(typed, hint), expected, "{typed:?} {hint}");
        }
    }
}
