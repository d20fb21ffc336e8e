//! The user's own command line, for hints: where one says `flowreg …`, people see what they typed, with the
//! option added, ready to be typed again.

use std::ffi::OsString;

use clap::{Command, CommandFactory};

use super::Cli;
use super::hinted_command::{
    HintedCommand, HintedOption, find, has_value, has_values, takes_value,
};

/// What stands for the rest of the user's command line in a hint.
const REST: &str = " …";
/// The command of hints that the user's own command has no option for.
const USUAL_COMMAND: &str = "register";
/// Options that mean the same for another command: which repository, settings and target.
const CARRIED: [&str; 4] = ["directory", "config", "target", "remote"];

/// A command line as it was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct UserCommand {
    /// Without the program's name; what is not UTF-8 is replaced, as nobody could read it anyway.
    arguments: Vec<String>,
}

/// A part of a command line.
struct Typed {
    kind: TypedKind,
    words: Vec<String>,
}

#[derive(PartialEq, Eq)]
enum TypedKind {
    Command,
    /// An option with its value.
    Option(String),
    /// A flow, a version.
    Value,
    /// The same behind `--`: it may look like an option.
    LastValue,
}

impl UserCommand {
    /// Of the arguments of the process, the program's name first.
    pub(super) fn new(arguments: &[OsString]) -> Self {
        let arguments = arguments.iter().skip(1);
        Self { arguments: arguments.map(|one| one.to_string_lossy().into_owned()).collect() }
    }

    /// A hint with the user's command line in it.
    pub(super) fn complete(&self, hint: &str) -> String {
        let root = Cli::command();
        let (mut completed, mut rest) = (String::new(), hint);
        while let Some((before, after)) = rest.split_once(REST) {
            let named = before.rsplit_once(' ').filter(|(_, name)| *name != "flowreg");
            let (program, name) = named.map_or((before, None), |(text, name)| (text, Some(name)));
            let is_command = |name: &str| root.find_subcommand(name).is_some();
            rest = after;
            let program = program.strip_suffix("flowreg").filter(|_| name.is_none_or(is_command));
            if let Some(text) = program {
                let (hinted, after) = HintedCommand::read(&root, name, after);
                completed.push_str(text);
                completed.push_str(&self.with(&root, &hinted));
                rest = after;
            } else {
                completed.push_str(before);
                completed.push_str(REST);
            }
        }
        completed + rest
    }

    /// The command line as a hint changes it, quoted for the shell.
    fn with(&self, root: &Command, hinted: &HintedCommand<'_>) -> String {
        let (typed, own) = self.typed(root);
        let is_own = own.is_some_and(|own| {
            let has = |option: &HintedOption| find(root, own, &option.name).is_some();
            hinted.name.is_none_or(|name| name == own.get_name()) && hinted.options.iter().all(has)
        });
        let name = hinted.name.unwrap_or(USUAL_COMMAND);
        let other = root.find_subcommand(name).unwrap_or(root);
        let is_kept = |one: &&Typed| match &one.kind {
            TypedKind::Option(name) if is_own => !hinted.replaces(name),
            TypedKind::Option(name) => {
                CARRIED.contains(&name.as_str()) && find(root, other, name).is_some()
            }
            TypedKind::Command => is_own,
            TypedKind::Value => is_own && hinted.keeps_values(),
            TypedKind::LastValue => false,
        };
        let kept = typed.iter().filter(is_kept);
        let kept = kept.flat_map(|one| one.words.iter().map(|word| hinted.quoted(word)));
        let mut words: Vec<String> = std::iter::once("flowreg".to_owned()).chain(kept).collect();
        if !is_own {
            words.push(name.to_owned());
        }
        for HintedOption { name, value } in &hinted.options {
            words.push(format!("--{name}"));
            words.extend(value.clone());
        }
        words.extend(hinted.version.clone());
        let is_last = |one: &&Typed| one.kind == TypedKind::LastValue;
        let is_value_kept = is_own && hinted.keeps_values();
        let mut last = typed.iter().filter(|one| is_value_kept && is_last(one)).peekable();
        if last.peek().is_some() {
            words.push("--".to_owned());
            words.extend(last.flat_map(|one| one.words.iter().map(|word| hinted.quoted(word))));
        }
        words.join(" ")
    }

    /// What was typed, and the command that it is; none for what hooks call.
    fn typed<'c>(&self, root: &'c Command) -> (Vec<Typed>, Option<&'c Command>) {
        let (mut typed, mut own) = (Vec::new(), None);
        let mut rest = self.arguments.iter().peekable();
        let mut are_values = false;
        while let Some(argument) = rest.next() {
            let mut words = vec![argument.clone()];
            let command = own.unwrap_or(root);
            let option = option_of(root, command, argument).filter(|_| !are_values);
            let kind = if let Some((name, needs_value)) = option {
                words.extend(needs_value.then(|| rest.next()).flatten().cloned());
                if needs_value && find(root, command, &name).is_some_and(has_values) {
                    let is_value = |next: &&String| !next.starts_with('-');
                    words.extend(std::iter::from_fn(|| rest.next_if(is_value)).cloned());
                }
                TypedKind::Option(name)
            } else if argument == "--" && !are_values {
                are_values = true;
                continue;
            } else if let Some(named) = command.find_subcommand(argument).filter(|_| !are_values) {
                // `hooks install` is a command below another one.
                own = Some(named);
                TypedKind::Command
            } else if are_values {
                TypedKind::LastValue
            } else {
                TypedKind::Value
            };
            typed.push(Typed { kind, words });
        }
        (typed, own.filter(|own| !own.is_hide_set()))
    }
}

/// The option that an argument is, by its long name, and whether the next argument is its value.
fn option_of(root: &Command, own: &Command, argument: &str) -> Option<(String, bool)> {
    if let Some(long) = argument.strip_prefix("--").filter(|long| !long.is_empty()) {
        let (name, has_value) =
            long.split_once('=').map_or((long, false), |(name, _)| (name, true));
        return Some((name.to_owned(), !has_value && takes_value(root, name)));
    }
    let letters = argument.strip_prefix('-').filter(|letters| !letters.is_empty())?;
    let arguments = || own.get_arguments().chain(root.get_arguments());
    let mut name = String::new();
    for (at, letter) in letters.char_indices() {
        let known = arguments().find(|one| one.get_short() == Some(letter))?;
        known.get_id().as_str().clone_into(&mut name);
        if has_value(known) {
            return Some((name, at + letter.len_utf8() == letters.len()));
        }
    }
    Some((name, false))
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
            (
                &["-C", "flows", "tag", "--target=local", "--remote", "up", "--bump", "minor"],
                "flowreg … --tag v1",
                "flowreg -C flows --target=local --remote up register --tag v1",
            ),
            (
                &["-qC", "flows", "register", "etl"],
                "flowreg tag … --package etl, and flowreg sync … --status",
                "flowreg -qC flows tag --package etl, and flowreg -qC flows sync --status",
            ),
            // A version in the place of another one, and of what would say which.
            (
                &["tag", "1.11.0", "-m", "a text", "--package", "etl", "--register", "-y"],
                "to begin one: flowreg tag … etl/v1.11.0",
                "to begin one: flowreg tag -m 'a text' --package etl --register -y etl/v1.11.0",
            ),
            (
                &["tag", "--bump=pre", "--pre", "rc", "--print"],
                "flowreg tag … v1.11.0, with the version",
                "flowreg tag --print v1.11.0, with the version",
            ),
            (&["plan"], "flowreg tag … VERSION", "flowreg tag VERSION"),
            (
                &["tag", "--register", "--adopt", "--jobs", "4", "--bump", "minor"],
                "flowreg … without --register, or flowreg register … --tag v1",
                "flowreg tag --bump minor, or flowreg register --tag v1",
            ),
            (
                &["tag", "1.x", "--package", "etl"],
                "flowreg tag … without VERSION --print",
                "flowreg tag --package etl --print",
            ),
            (
                &["plan", "--changed-since", "v1.0.O", "--adopt"],
                "flowreg … with v1.0.0 for v1.0.O",
                "flowreg plan --changed-since v1.0.0 --adopt",
            ),
            (
                &["tag", "--commit=orign/it's"],
                r"flowreg … with 'origin/it'\''s' for 'orign/it'\''s'",
                r"flowreg tag --commit='origin/it'\''s'",
            ),
            (
                &["sync", "--discard", "v1.0.O", "fix/*", "--format", "json"],
                "flowreg … with v1.0.0 for v1.0.O, or flowreg sync … --status",
                "flowreg sync --discard v1.0.0 'fix/*' --format json, or flowreg sync --format json \
                 --status",
            ),
            (&["plan"], "and so on … flowreg plans", "and so on … flowreg plans"),
            (&["hook", "pre-push", "origin"], "flowreg … --tag v1", "flowreg register --tag v1"),
        ] {
            assert_eq!(completed(typed, hint), expected, "{typed:?} {hint}");
        }
    }
}
