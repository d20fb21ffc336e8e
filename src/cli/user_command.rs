//! The user's own command line, for hints: where one says `flowreg …`, people see what they typed, with the
//! option added, ready to be typed again. The git commands of a hint are for the same repository (`-C`).

use std::ffi::OsString;
use std::path::Path;

use clap::{Command, CommandFactory};
use flowreg_model::quoted_path;

use super::Cli;
use super::git_command::in_directory;
use super::hinted_command::{
    HintedCommand, HintedOption, find, has_value, has_values, takes_value,
};

/// What stands for the rest of the user's command line in a hint.
const REST: &str = " …";
/// The command of hints that the user's own command has no option for.
const USUAL_COMMAND: &str = "register";
/// Options that mean the same for another command: which repository, settings and target.
const CARRIED: [&str; 4] = ["directory", "config", "target", "remote"];
/// The command for which a target means something else: what waits goes where it was queued for.
const DELIVERY: &str = "sync";

/// A command line as it was typed.
#[derive(Debug, Clone, Default)]
pub(super) struct UserCommand {
    /// Without the program's name; what is not UTF-8 is replaced, as nobody could read it anyway.
    arguments: Vec<String>,
    /// `-C`, quoted for the shell.
    directory: Option<String>,
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
    /// Of the arguments of the process, the program's name first, and the directory that they name.
    pub(super) fn new(arguments: &[OsString], directory: Option<&Path>) -> Self {
        let arguments = arguments.iter().skip(1);
        Self {
            arguments: arguments.map(|one| one.to_string_lossy().into_owned()).collect(),
            directory: directory.map(|directory| quoted_path(directory).into_owned()),
        }
    }

    /// Whether an option was typed, by its long name.
    pub(super) fn has_option(&self, long: &str) -> bool {
        let mut options = self.arguments.iter().filter_map(|one| one.strip_prefix("--"));
        options.any(|one| one.split('=').next() == Some(long))
    }

    /// A hint with the user's command line in it.
    pub(super) fn complete(&self, hint: &str) -> String {
        let directed = self.directory.as_ref().map(|directory| in_directory(hint, directory));
        let hint = directed.as_deref().unwrap_or(hint);
        if !hint.contains(REST) {
            return hint.to_owned();
        }
        let root = Cli::command();
        let (mut completed, mut rest) = (String::new(), hint);
        while let Some((before, after)) = rest.split_once(REST) {
            rest = after;
            let named = before.rsplit_once("flowreg").map(|(text, name)| (text, name.trim_start()));
            let named = named.filter(|(_, name)| find_command(&root, name).is_some());
            if let Some((text, name)) = named {
                let name = Some(name).filter(|name| !name.is_empty());
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
            let is_named = |name: &str| {
                find_command(root, name).is_some_and(|named| named.get_name() == own.get_name())
            };
            hinted.name.is_none_or(is_named) && hinted.options.iter().all(has)
        });
        let name = hinted.name.unwrap_or(USUAL_COMMAND);
        let other = find_command(root, name).unwrap_or(root);
        let is_kept = |one: &&Typed| match &one.kind {
            TypedKind::Option(name) if is_own => !hinted.replaces(name),
            TypedKind::Option(name) => {
                let is_delivered = name == "target" && other.get_name() == DELIVERY;
                CARRIED.contains(&name.as_str())
                    && find(root, other, name).is_some()
                    && !is_delivered
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

/// The command that words name, `hooks install` one below another; the program itself for none.
fn find_command<'c>(root: &'c Command, words: &str) -> Option<&'c Command> {
    words.split_whitespace().try_fold(root, |command, word| command.find_subcommand(word))
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
mod tests;
