//! From the graph to values: tags, merge keys and equal keys, as PyYAML's safe constructor.

use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::rc::Rc;

use super::compose::{Composed, Mapping, Pair, Tag, Value};
use super::{Document, Node, Position, Yaml, YamlError, scalar};

/// How large the values of a document may be with all copies that aliases make, in bytes. A few
/// lines of nested aliases ("billion laughs") would fill the memory.
const MAX_BYTES: usize = 64 << 20;

/// The document with this root.
pub(super) fn construct(root: &Composed) -> Result<Document, YamlError> {
    let mut constructor = Constructor { bytes: 0, notices: BTreeSet::new() };
    let root = constructor.node(root)?;
    Ok(Document { root, notices: constructor.notices.into_iter().collect() })
}

/// What makes two keys equal for a Python dictionary: `1`, `1.0` and `true` are.
#[derive(PartialEq, Eq, Hash)]
enum Key {
    Null,
    /// Decimal digits.
    Whole(String),
    Fraction(u64),
    Text(String),
    Moment(String),
}

impl Key {
    /// The key of a dictionary; `None` for a list or mapping, which Python can't hash.
    fn of(value: &Yaml) -> Option<Self> {
        Some(match value {
            Yaml::Null => Key::Null,
            Yaml::Bool(is_true) => Key::Whole(u8::from(*is_true).to_string()),
            Yaml::Integer(number) => Key::Whole(number.to_string()),
            Yaml::Float(number) if number.fract() == 0.0 => {
                Key::Whole(format!("{:.0}", number + 0.0))
            }
            Yaml::Float(number) => Key::Fraction(number.to_bits()),
            Yaml::Text(text) => Key::Text(text.clone()),
            Yaml::Moment(text) => Key::Moment(text.clone()),
            Yaml::Sequence(_) | Yaml::Mapping(_) => return None,
        })
    }
}

struct Constructor {
    bytes: usize,
    /// A set, so that a mapping with several aliases has its notice once.
    notices: BTreeSet<(Position, String)>,
}

impl Constructor {
    fn charge(&mut self, node: &Composed, bytes: usize) -> Result<(), YamlError> {
        self.bytes = self.bytes.saturating_add(bytes);
        if self.bytes > MAX_BYTES {
            let message = "the document is too large, or its aliases make it so";
            return Err(YamlError::new(node.at, message));
        }
        Ok(())
    }

    fn node(&mut self, node: &Composed) -> Result<Node, YamlError> {
        self.charge(node, size_of::<Node>())?;
        let refused = |message: &str| YamlError::new(node.at, message);
        let value = match &node.tag {
            Tag::Null => scalar_text(node).map(|_| Yaml::Null)?,
            Tag::Bool => scalar::boolean(scalar_text(node)?)
                .map(Yaml::Bool)
                .ok_or_else(|| refused("this is neither true nor false"))?,
            Tag::Integer => scalar::integer(scalar_text(node)?)
                .map(Yaml::Integer)
                .ok_or_else(|| refused("this is not a whole number, or one that is too long"))?,
            Tag::Float => scalar::float(scalar_text(node)?)
                .map(Yaml::Float)
                .ok_or_else(|| refused("this is not a number"))?,
            Tag::Timestamp => scalar::moment(scalar_text(node)?)
                .map(Yaml::Moment)
                .ok_or_else(|| refused("there is no such date or time"))?,
            Tag::Text => {
                let text = scalar_text(node)?;
                self.charge(node, text.len())?;
                Yaml::Text(text.to_owned())
            }
            Tag::Sequence => match &node.value {
                Value::Sequence(items) => Yaml::Sequence(
                    items.iter().map(|item| self.node(item)).collect::<Result<_, _>>()?,
                ),
                _ => return Err(expected("a list", node)),
            },
            Tag::Mapping => match &node.value {
                Value::Mapping(mapping) => Yaml::Mapping(self.dictionary(node, mapping)?),
                _ => return Err(expected("a mapping", node)),
            },
            Tag::Omap | Tag::Pairs => Yaml::Sequence(self.tuples(node)?),
            Tag::Merge => return Err(refused("`<<` is a key only")),
            Tag::Value => return Err(refused("`=` is a key only")),
            Tag::Other(tag) => {
                let tag = tag.replace("tag:yaml.org,2002:", "!!");
                return Err(refused(&format!("the tag `{tag}` has no meaning here")));
            }
        };
        Ok(Node { value, at: node.at })
    }

    /// The pairs of a Python dictionary: of equal keys, the value is the last one's and the position in
    /// the order is the first one's.
    fn dictionary(
        &mut self,
        node: &Composed,
        mapping: &Mapping,
    ) -> Result<Vec<(Node, Node)>, YamlError> {
        let pairs = self.merged(node, mapping)?;
        let mut entries: Vec<(Node, Node)> = Vec::with_capacity(pairs.len());
        // The index of a key, and whether it is written in this mapping: a key that replaces one from a
        // merge key is what merge keys are for, and gets no notice.
        let mut places: HashMap<Key, (usize, bool)> = HashMap::with_capacity(pairs.len());
        for pair in &*pairs {
            let key = match pair.key.tag {
                Tag::Value => {
                    let text = scalar_text(&pair.key)?.to_owned();
                    Node { value: Yaml::Text(text), at: pair.key.at }
                }
                _ => self.node(&pair.key)?,
            };
            let Some(hashed) = Key::of(&key.value) else {
                return Err(YamlError::new(key.at, format!("a key can't be {}", key.kind())));
            };
            let value = self.node(&pair.value)?;
            match places.entry(hashed) {
                Entry::Vacant(entry) => {
                    entry.insert((entries.len(), !pair.is_merged));
                    entries.push((key, value));
                }
                Entry::Occupied(mut entry) => {
                    let (place, is_own) = *entry.get();
                    let Some((first, held)) = entries.get_mut(place) else { continue };
                    if is_own && !pair.is_merged {
                        let message = format!(
                            "the mapping has this key already (line {}): only the last value counts",
                            first.at.line
                        );
                        self.notices.insert((key.at, message));
                    }
                    *held = value;
                    entry.insert((place, is_own || !pair.is_merged));
                }
            }
        }
        Ok(entries)
    }

    /// The pairs of a mapping: first what merge keys bring, then its own.
    fn merged(&mut self, node: &Composed, mapping: &Mapping) -> Result<Rc<[Pair]>, YamlError> {
        // Aliases lead to the same mapping many times, and merges of merges would be done anew for
        // each, which takes exponential time.
        if let Some(pairs) = mapping.merged.get() {
            return Ok(Rc::clone(pairs));
        }
        let mut merged = Vec::new();
        let mut own = Vec::new();
        for (key, value) in &mapping.pairs {
            if key.tag != Tag::Merge {
                let pair = Pair { key: Rc::clone(key), value: Rc::clone(value), is_merged: false };
                own.push(pair);
                continue;
            }
            match &value.value {
                Value::Mapping(inner) => merged.extend_from_slice(&self.merged(value, inner)?),
                Value::Sequence(items) => {
                    // Of several merged mappings the first is to win. `dictionary` lets later pairs
                    // win, so they are added from the last to the first.
                    for item in items.iter().rev() {
                        let Value::Mapping(inner) = &item.value else {
                            return Err(not_merged(item));
                        };
                        merged.extend_from_slice(&self.merged(item, inner)?);
                        self.charge(item, size_of::<Pair>() * merged.len())?;
                    }
                }
                Value::Scalar(_) => return Err(not_merged(value)),
            }
        }
        merged.iter_mut().for_each(|pair| pair.is_merged = true);
        merged.append(&mut own);
        self.charge(node, size_of::<Pair>() * merged.len())?;
        let pairs: Rc<[Pair]> = merged.into();
        Ok(Rc::clone(mapping.merged.get_or_init(|| pairs)))
    }

    /// The value of an `!!omap` or `!!pairs`: a list of tuples, which JSON writes as lists.
    fn tuples(&mut self, node: &Composed) -> Result<Vec<Node>, YamlError> {
        let Value::Sequence(items) = &node.value else { return Err(expected("a list", node)) };
        let mut tuples = Vec::with_capacity(items.len());
        for item in items {
            let pairs = match &item.value {
                Value::Mapping(mapping) => mapping.pairs.as_slice(),
                _ => &[],
            };
            let [(key, value)] = pairs else {
                return Err(expected("a mapping with one key", item));
            };
            let tuple = vec![self.node(key)?, self.node(value)?];
            self.charge(item, size_of::<Node>())?;
            tuples.push(Node { value: Yaml::Sequence(tuple), at: item.at });
        }
        Ok(tuples)
    }
}

fn expected(what: &str, node: &Composed) -> YamlError {
    YamlError::new(node.at, format!("expected {what}, but found {}", node.kind()))
}

fn not_merged(node: &Composed) -> YamlError {
    let message =
        format!("expected a mapping or a list of mappings to merge, but found {}", node.kind());
    YamlError::new(node.at, message)
}

/// The text of a scalar, or of the `=` key of a mapping.
fn scalar_text(node: &Composed) -> Result<&str, YamlError> {
    match &node.value {
        Value::Scalar(text) => Ok(text),
        Value::Mapping(mapping) => {
            match mapping.pairs.iter().find(|(key, _)| key.tag == Tag::Value) {
                Some((_, value)) => scalar_text(value),
                None => Err(expected("a scalar", node)),
            }
        }
        Value::Sequence(_) => Err(expected("a scalar", node)),
    }
}
