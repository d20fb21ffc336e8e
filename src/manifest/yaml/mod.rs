//! YAML as PyYAML's `safe_load` reads it, because that is what Prefect calls: YAML 1.1 scalars,
//! merge keys, the last of equal keys. Every node knows its position.
//!
//! Tokens and structure come from a port of libyaml, which has PyYAML's grammar; where the two
//! differ, `parse` and `strict` follow PyYAML. Says nothing about what a document should contain.

mod compose;
mod construct;
mod json;
mod marked;
mod parse;
mod reader;
mod scalar;
mod strict;
#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Number;

/// A position in a document: line and column, in characters, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The character of the line, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

/// A value and where it is written; what an alias or a merge key brought has the position of its
/// anchor.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The value.
    pub value: Yaml,
    /// Where it starts.
    pub at: Position,
}

/// A value of a document.
#[derive(Debug, Clone, PartialEq)]
pub enum Yaml {
    /// `null`, `~` or nothing.
    Null,
    /// `true`, `no`, `On` and so on.
    Bool(bool),
    /// A whole number of any size.
    Integer(Number),
    /// Any other number, infinity and NaN among them.
    Float(f64),
    /// A text.
    Text(String),
    /// A date or timestamp, as pydantic writes it in JSON (`2024-01-01`, `2024-01-01T03:00:00Z`).
    Moment(String),
    /// A list.
    Sequence(Vec<Node>),
    /// A mapping in the order of a Python dictionary, without equal keys.
    Mapping(Vec<(Node, Node)>),
}

/// A whole file.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    /// The value of the document; [`Yaml::Null`] if there is none.
    pub root: Node,
    /// What PyYAML accepts silently although its author may not have meant it, with the position.
    pub notices: Vec<(Position, String)>,
}

/// Why a file can't be read. Never quotes a value, which may be a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{at}: {message}")]
pub struct YamlError {
    /// The place.
    pub at: Position,
    /// The reason.
    pub message: String,
}

impl YamlError {
    fn new(at: Position, message: impl Into<String>) -> Self {
        YamlError { at, message: message.into() }
    }
}

/// Reads the one document of a file in UTF-8, or in UTF-16 with a byte order mark.
///
/// # Errors
/// Whatever PyYAML's `safe_load` refuses, and what can't be sent as JSON (`!!binary`, `!!set`, a
/// value that contains itself); documents nested deeper than 400 levels, as Python's stack ends
/// not far from there; aliases that multiply to more than 64 MiB, because PyYAML shares what an alias
/// names and JSON has to repeat it.
pub fn read(bytes: &[u8]) -> Result<Document, YamlError> {
    let events = parse::events(reader::decode(bytes)?)?;
    match compose::compose(events)? {
        Some(root) => construct::construct(&root),
        None => Ok(Document {
            root: Node { value: Yaml::Null, at: Position { line: 1, column: 1 } },
            notices: Vec::new(),
        }),
    }
}

impl Node {
    /// The value of a text key, if this is a mapping that has it.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let Yaml::Mapping(pairs) = &self.value else { return None };
        let is_it = |node: &Node| matches!(&node.value, Yaml::Text(text) if text == key);
        pairs.iter().find(|(node, _)| is_it(node)).map(|(_, value)| value)
    }

    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match &self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "true or false",
            Yaml::Integer(_) | Yaml::Float(_) => "a number",
            Yaml::Text(_) => "text",
            Yaml::Moment(_) => "a date",
            Yaml::Sequence(_) => "a list",
            Yaml::Mapping(_) => "a mapping",
        }
    }
}
