//! Classes that a call makes of names: `namedtuple("P", "x y")`, and enums whose names or values
//! Python may refuse.

use std::collections::HashSet;

use super::Interpreter;
use crate::value::{Annotation, ClassKind, Keywords, Value, keyword};

impl<'a> Interpreter<'a> {
    pub(super) fn named_tuple(
        &self,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let unknown = || self.unknown("a named tuple with fields that are not known");
        let [Value::Str(name), fields] = arguments else { return unknown() };
        let fields: Option<Vec<String>> = match fields {
            Value::Str(text) => {
                Some(text.replace(',', " ").split_whitespace().map(str::to_owned).collect())
            }
            Value::List(items) | Value::Tuple(items) => {
                items.iter().map(|item| item.as_str().map(str::to_owned)).collect()
            }
            _ => None,
        };
        let Some(fields) = fields else { return unknown() };
        let mut seen = HashSet::new();
        let is_plain = |field: &String| is_field_name(field);
        if !fields.iter().all(|field| is_plain(field) && seen.insert(field.clone())) {
            return unknown();
        }
        let defaults = match keyword(keywords, "defaults") {
            None => Vec::new(),
            Some(Value::List(items) | Value::Tuple(items)) => items.to_vec(),
            Some(_) => return unknown(),
        };
        if defaults.len() > fields.len() || keyword(keywords, "rename").is_some() {
            return unknown();
        }
        let class = self.made_class(name, ClassKind::NamedTuple, Keywords::new());
        let any = || Annotation::Value(Value::symbol("typing.Any"));
        for field in &fields {
            class.scope.annotations.borrow_mut().push((field.as_str().into(), any()));
        }
        // Defaults belong to the last fields.
        let first = fields.len().saturating_sub(defaults.len());
        for (field, default) in fields.iter().skip(first).zip(defaults) {
            class.scope.set(field, default);
        }
        Value::Class(class)
    }
}

/// Whether the functional form may be refused, or makes something else than it seems to.
pub(super) fn is_odd_enum(path: &str, members: &Value<'_>) -> bool {
    let mut names: Vec<&str> = Vec::new();
    let mut values: Vec<&Value<'_>> = Vec::new();
    match members {
        Value::Str(text) => {
            names.extend(text.split([',', ' ', '\n']).filter(|name| !name.is_empty()));
        }
        Value::List(items) | Value::Tuple(items) => {
            for item in items.iter() {
                match item {
                    Value::Str(name) => names.push(name),
                    Value::Tuple(pair) | Value::List(pair) => {
                        names.extend(pair.first().and_then(Value::as_str));
                        values.extend(pair.get(1));
                    }
                    _ => {}
                }
            }
        }
        Value::Dict(entries) => {
            names.extend(entries.iter().filter_map(|(name, _)| name.as_str()));
            values.extend(entries.iter().map(|(_, value)| value));
        }
        _ => {}
    }
    let mut seen = HashSet::new();
    let is_odd = |name: &&str| *name == "mro" || name.starts_with('_');
    let is_other = |value: &&Value<'_>| match path {
        "enum.IntEnum" => !matches!(value, Value::Int(_) | Value::Auto(_)),
        "enum.StrEnum" => !matches!(value, Value::Str(_) | Value::Auto(_)),
        _ => false,
    };
    !names.iter().all(|name| seen.insert(*name))
        || names.iter().any(is_odd)
        || values.iter().any(is_other)
}

/// Whether a name can be that of a field: no keyword of Python.
fn is_field_name(name: &str) -> bool {
    const KEYWORDS: &[&str] = &[
        "False", "None", "True", "and", "as", "assert", "async", "await", "break", "class",
        "continue", "def", "del", "elif", "else", "except", "finally", "for", "from", "global",
        "if", "import", "in", "is", "lambda", "nonlocal", "not", "or", "pass", "raise", "return",
        "try", "while", "with", "yield",
    ];
    let starts = name.starts_with(|char: char| char.is_alphabetic());
    starts
        && !KEYWORDS.contains(&name)
        && name.chars().all(|char| char.is_alphanumeric() || char == '_')
}
