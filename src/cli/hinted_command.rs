//! What a hint changes about the user's own command line.
//!
//! `flowreg … --adopt` adds an option and `flowreg … without --register` takes one away; `flowreg … with v1.0.0
//! for v1.0.O` changes the value of one; `flowreg register … --tag v1` is another command, with what means the
//! same for it; `flowreg tag … v1.5.0` gives a version, and `flowreg tag … without VERSION` none.

use clap::{ArgAction, Command};
use flowreg_model::quoted;

/// Options of which a command line has one at most.
const EXCLUSIVE: [&[&str]; 2] = [&["tag", "branch"], &["status", "discard", "retarget"]];
/// What a version that is given to `flowreg tag` leaves nothing for.
const OTHER_THAN_VERSION: [&str; 3] = ["bump", "pre", "build"];
/// Options that are refused without another one.
const DEPENDENT: [(&str, &[&str]); 1] =
    [("register", &["adopt", "allow-unpinned", "run-steps", "jobs"])];

/// An option that a hint adds, its value as it is written there.
pub(super) struct HintedOption {
    pub name: String,
    pub value: Option<String>,
}

/// What a hint says after `flowreg`.
pub(super) struct HintedCommand<'t> {
    /// `None`: the user's own command.
    pub name: Option<&'t str>,
    pub options: Vec<HintedOption>,
    /// Options that it takes away, and `VERSION`.
    without: Vec<String>,
    /// A value that was typed, and the one to take its place, both quoted.
    pub changed: Option<(&'t str, &'t str)>,
    /// The version that it gives.
    pub version: Option<String>,
}

impl<'t> HintedCommand<'t> {
    /// Reads what follows the placeholder; returns the rest of the hint as well.
    pub(super) fn read(root: &Command, name: Option<&'t str>, text: &'t str) -> (Self, &'t str) {
        let mut hinted =
            Self { name, options: Vec::new(), without: Vec::new(), version: None, changed: None };
        let mut rest = text;
        loop {
            if let Some((dropped, after)) = rest.strip_prefix(" without ").map(word) {
                hinted.without.push(dropped.trim_start_matches("--").to_owned());
                rest = after;
            } else if let Some((new, old, after)) = changed_value(rest) {
                hinted.changed = Some((old, new));
                rest = after;
            } else if let Some((option, after)) = rest.strip_prefix(" --").map(word) {
                rest = after;
                let value = after.strip_prefix(' ').filter(|_| takes_value(root, option)).map(word);
                if let Some((_, after)) = value {
                    rest = after;
                }
                let value = value.map(|(value, _)| value.to_owned());
                hinted.options.push(HintedOption { name: option.to_owned(), value });
            } else if let Some((version, after)) =
                rest.strip_prefix(' ').filter(|_| name == Some("tag")).map(word)
            {
                hinted.version = Some(version.to_owned());
                rest = after;
            } else {
                return (hinted, rest);
            }
        }
    }

    /// Whether the values that were typed stay.
    pub(super) fn keeps_values(&self) -> bool {
        self.version.is_none() && !self.without.iter().any(|one| one == "VERSION")
    }

    /// A word that was typed, quoted, with the value that the hint has for it.
    pub(super) fn quoted(&self, typed: &str) -> String {
        let (option, value) = match typed.split_once('=') {
            Some((option, value)) if option.starts_with("--") => (format!("{option}="), value),
            _ => (String::new(), typed),
        };
        let value = quoted(value);
        let changed = self.changed.filter(|(old, _)| *old == value);
        option + changed.map_or(&*value, |(_, new)| new)
    }

    /// Whether an option of the user's can't stay.
    pub(super) fn replaces(&self, name: &str) -> bool {
        let is_added = self.options.iter().any(|option| {
            let has_both =
                |one: &&[&str]| one.contains(&name) && one.contains(&option.name.as_str());
            option.name == name || EXCLUSIVE.iter().any(has_both)
        });
        let is_dependent = DEPENDENT.iter().any(|(on, dependent)| {
            self.without.iter().any(|one| one == on) && dependent.contains(&name)
        });
        let is_of_version = self.version.is_some() && OTHER_THAN_VERSION.contains(&name);
        is_added || is_dependent || is_of_version || self.without.iter().any(|one| one == name)
    }
}

/// ` with NEW for OLD`, and what follows it.
fn changed_value(text: &str) -> Option<(&str, &str, &str)> {
    let (new, rest) = word(text.strip_prefix(" with ")?);
    let (old, rest) = word(rest.strip_prefix(" for ")?);
    Some((new, old, rest))
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
        !is_quoted && matches!(char, ' ' | ',' | '`')
    });
    text.split_at(end.map_or(text.len(), |(at, _)| at))
}

/// An option of a command, or of all.
pub(super) fn find<'c>(root: &'c Command, own: &'c Command, name: &str) -> Option<&'c clap::Arg> {
    let mut known = own.get_arguments().chain(root.get_arguments());
    known.find(|one| one.get_long() == Some(name) || one.get_id() == name)
}

/// Whether an option has a value, in the first command that has it.
pub(super) fn takes_value(root: &Command, name: &str) -> bool {
    let own = root.get_subcommands();
    let mut found = own.flat_map(|own| std::iter::once(own).chain(own.get_subcommands()));
    found.find_map(|own| find(root, own, name)).is_some_and(has_value)
}

/// Whether an option may have several values.
pub(super) fn has_values(option: &clap::Arg) -> bool {
    option.get_num_args().is_some_and(|count| count.max_values() > 1)
}

pub(super) fn has_value(option: &clap::Arg) -> bool {
    matches!(option.get_action(), ArgAction::Set | ArgAction::Append)
}
