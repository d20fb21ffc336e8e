//! What a flow under construction has to hand: the spelling of its file, the declarations made
//! for it so far, and names that nobody has yet.

use super::random::Random;
use super::typed::Typed;

/// How a file spells what it imports.
#[derive(Clone, Copy)]
pub(super) struct Spelling {
    /// `from __future__ import annotations`.
    pub is_postponed: bool,
    /// Before `date` and its kind: nothing, `datetime.` or `dt.`.
    pub datetime: &'static str,
    /// Before `Optional` and its kind: nothing, `typing.` or `t.`.
    pub typing: &'static str,
    /// What `flow` is called.
    pub flow: &'static str,
}

/// What is known about a class so that others can inherit from it.
#[derive(Clone)]
pub(super) struct Model {
    pub name: String,
    /// Keyword arguments that make an instance.
    pub arguments: Vec<(String, String)>,
    /// Whether they are sure to be valid.
    pub is_safe: bool,
}

pub(super) struct Scope<'r> {
    pub random: &'r mut Random,
    pub spelling: Spelling,
    /// Makes instances and aliases that may be refused.
    pub is_bold: bool,
    /// Uses types of which pydantic knows nothing; no class may have such a field.
    pub has_opaque_types: bool,
    /// Goes on for the whole file, so that names are used once.
    pub count: &'r mut usize,
    /// Declarations above the flow.
    pub before: Vec<String>,
    /// Declarations below the flow.
    pub after: Vec<String>,
    /// Types that were declared above, to be used again.
    pub declared: Vec<Typed>,
    pub models: Vec<Model>,
    pub dataclasses: Vec<Model>,
}

impl Scope<'_> {
    pub(super) fn fresh(&mut self, stem: &str) -> String {
        *self.count += 1;
        format!("{stem}{}", self.count)
    }

    pub(super) fn typing(&self, name: &str) -> String {
        format!("{}{name}", self.spelling.typing)
    }

    pub(super) fn datetime(&self, name: &str) -> String {
        format!("{}{name}", self.spelling.datetime)
    }

    /// A name for a constant, a field or a parameter that is not among `taken`.
    pub(super) fn word(&mut self, taken: &[String]) -> String {
        const WORDS: &[&str] = &[
            "x",
            "limit",
            "since",
            "dry_run",
            "table_id",
            "URLPath",
            "camelCase",
            "a1b",
            "x2_y3",
            "copy",
            "json",
            "schema",
            "dict",
            "validate",
            "name_",
            "é_name",
            "is__odd",
            "HTTP",
            "model_name",
            "args2",
            "config",
            "fields",
            "position",
            "title",
            "type",
            "ids",
            "K8s",
            "to_do",
            "größe",
            "values",
            "from_",
            "rows_1st",
            "o_neil",
            "n",
            "construct",
            "data",
        ];
        loop {
            let word = (self.random.pick(WORDS)).to_owned();
            if !taken.contains(&word) {
                return word;
            }
        }
    }
}

/// The text as a Python string literal.
pub(super) fn quoted(text: &str) -> String {
    if !text.contains('"') && !text.contains('\\') && !text.contains('\n') {
        format!("\"{text}\"")
    } else if !text.contains('\'') && !text.contains('\\') && !text.contains('\n') {
        format!("'{text}'")
    } else {
        let escaped = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        format!("\"{escaped}\"")
    }
}
