//! From events to a graph: anchors, aliases and tags, as PyYAML's composer. What a tag makes of a
//! node is decided in `construct`.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::rc::Rc;

use libyaml_safer::{EventData, ScalarStyle};

use super::parse::{Event, MAX_DEPTH};
use super::scalar::{self, Implicit};
use super::{Position, YamlError};

/// A node that aliases may share.
pub(super) struct Composed {
    pub tag: Tag,
    pub value: Value,
    pub at: Position,
    /// Levels below it, those of aliases with them.
    height: usize,
}

pub(super) enum Value {
    Scalar(String),
    Sequence(Vec<Rc<Composed>>),
    Mapping(Mapping),
}

pub(super) struct Mapping {
    pub pairs: Vec<(Rc<Composed>, Rc<Composed>)>,
    /// The pairs with what merge keys bring, once it is known.
    pub merged: OnceCell<Rc<[Pair]>>,
}

/// A pair of a mapping.
#[derive(Clone)]
pub(super) struct Pair {
    pub key: Rc<Composed>,
    pub value: Rc<Composed>,
    /// A merge key brought it.
    pub is_merged: bool,
}

/// The tags that the safe constructor tells apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Tag {
    Null,
    Bool,
    Integer,
    Float,
    Timestamp,
    Text,
    Sequence,
    Mapping,
    Omap,
    Pairs,
    Merge,
    Value,
    /// Any other, in full.
    Other(String),
}

impl From<Implicit> for Tag {
    fn from(implicit: Implicit) -> Self {
        match implicit {
            Implicit::Bool => Tag::Bool,
            Implicit::Float => Tag::Float,
            Implicit::Integer => Tag::Integer,
            Implicit::Merge => Tag::Merge,
            Implicit::Null => Tag::Null,
            Implicit::Timestamp => Tag::Timestamp,
            Implicit::Value => Tag::Value,
            Implicit::Text => Tag::Text,
        }
    }
}

impl Tag {
    fn explicit(tag: String) -> Self {
        match tag.strip_prefix("tag:yaml.org,2002:") {
            Some("null") => Tag::Null,
            Some("bool") => Tag::Bool,
            Some("int") => Tag::Integer,
            Some("float") => Tag::Float,
            Some("timestamp") => Tag::Timestamp,
            Some("str") => Tag::Text,
            Some("seq") => Tag::Sequence,
            Some("map") => Tag::Mapping,
            Some("omap") => Tag::Omap,
            Some("pairs") => Tag::Pairs,
            Some("merge") => Tag::Merge,
            Some("value") => Tag::Value,
            _ => Tag::Other(tag),
        }
    }
}

/// The root of the only document; nothing if there is none.
pub(super) fn compose(events: Vec<Event>) -> Result<Option<Rc<Composed>>, YamlError> {
    let mut composer = Composer { events: events.into_iter(), anchors: HashMap::new() };
    let mut root = None;
    while let Some(event) = composer.events.next() {
        match event.data {
            EventData::DocumentStart { .. } if root.is_some() => {
                return Err(YamlError::new(event.at, "expected one document, but found another"));
            }
            EventData::StreamStart { .. }
            | EventData::DocumentStart { .. }
            | EventData::DocumentEnd { .. } => {}
            EventData::StreamEnd => break,
            _ => root = Some(composer.node(event)?),
        }
    }
    Ok(root)
}

/// The state of an anchor: its node, or that the node is still being read, in which case an alias to
/// it would make a value that contains itself.
enum Anchored {
    Node(Rc<Composed>),
    Open,
}

struct Composer {
    events: std::vec::IntoIter<Event>,
    anchors: HashMap<String, Anchored>,
}

impl Composer {
    fn node(&mut self, event: Event) -> Result<Rc<Composed>, YamlError> {
        let Event { data, at } = event;
        match data {
            EventData::Alias { anchor } => match self.anchors.get(&anchor) {
                Some(Anchored::Node(node)) => Ok(Rc::clone(node)),
                Some(Anchored::Open) => Err(YamlError::new(
                    at,
                    format!("the alias `*{anchor}` is inside its own anchor"),
                )),
                None => Err(YamlError::new(
                    at,
                    format!("there is no anchor `&{anchor}` before this alias"),
                )),
            },
            EventData::Scalar { anchor, tag, value, style, .. } => {
                self.open(anchor.as_ref(), at)?;
                let tag = match tag {
                    Some(tag) if tag != "!" => Tag::explicit(tag),
                    None if style != ScalarStyle::Plain => Tag::Text,
                    // A lone `!` means "not by its style" to PyYAML: it resolves even quoted scalars
                    // behind it, so `! "1"` is a number.
                    _ => scalar::resolve(&value).into(),
                };
                Ok(self.close(anchor, Composed { tag, value: Value::Scalar(value), at, height: 0 }))
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                self.open(anchor.as_ref(), at)?;
                let mut items = Vec::new();
                let mut height = 0;
                while let Some(event) = self.next_unless(&EventData::SequenceEnd) {
                    let item = self.node(event)?;
                    height = item.higher(height)?;
                    items.push(item);
                }
                let tag = collection_tag(tag, Tag::Sequence);
                Ok(self.close(anchor, Composed { tag, value: Value::Sequence(items), at, height }))
            }
            EventData::MappingStart { anchor, tag, .. } => {
                self.open(anchor.as_ref(), at)?;
                let mut pairs = Vec::new();
                let mut height = 0;
                while let Some(event) = self.next_unless(&EventData::MappingEnd) {
                    let key = self.node(event)?;
                    let Some(event) = self.events.next() else { break };
                    let value = self.node(event)?;
                    height = value.higher(key.higher(height)?)?;
                    pairs.push((key, value));
                }
                let tag = collection_tag(tag, Tag::Mapping);
                let value = Value::Mapping(Mapping { pairs, merged: OnceCell::new() });
                Ok(self.close(anchor, Composed { tag, value, at, height }))
            }
            _ => Err(YamlError::new(at, "expected a value")),
        }
    }

    fn next_unless(&mut self, end: &EventData) -> Option<Event> {
        self.events.next().filter(|event| event.data != *end)
    }

    fn open(&mut self, anchor: Option<&String>, at: Position) -> Result<(), YamlError> {
        let Some(anchor) = anchor else { return Ok(()) };
        match self.anchors.insert(anchor.clone(), Anchored::Open) {
            None => Ok(()),
            // YAML allows it; PyYAML refuses it, and so does Prefect.
            Some(_) => Err(YamlError::new(at, format!("the anchor `&{anchor}` is given twice"))),
        }
    }

    fn close(&mut self, anchor: Option<String>, node: Composed) -> Rc<Composed> {
        let node = Rc::new(node);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Anchored::Node(Rc::clone(&node)));
        }
        node
    }
}

fn collection_tag(tag: Option<String>, default: Tag) -> Tag {
    match tag {
        Some(tag) if tag != "!" => Tag::explicit(tag),
        _ => default,
    }
}

impl Composed {
    /// The height of a collection that holds this node besides others of `height`. The parser bounds
    /// the depth of the text, but aliases of aliases can nest deeper than any part of it.
    fn higher(&self, height: usize) -> Result<usize, YamlError> {
        let height = height.max(self.height + 1);
        if height > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels by aliases");
            return Err(YamlError::new(self.at, message));
        }
        Ok(height)
    }

    /// What it is in PyYAML's words.
    pub(super) fn kind(&self) -> &'static str {
        match self.value {
            Value::Scalar(_) => "a scalar",
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a mapping",
        }
    }
}
