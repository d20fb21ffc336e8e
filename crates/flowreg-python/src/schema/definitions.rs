//! Shared parts of a schema, and the names pydantic gives them: the class name if no other class of
//! the schema has it, the module and qualified name otherwise (docs/facts/python.md, "Classes and
//! definitions").

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::unions::is_same_type;
use super::{Schema, entry};
use crate::value::Value;

/// How often names are made anew. Each round can only tell more parts apart, so a few are enough;
/// the end is for parts that refer to each other in circles.
const MOST_ROUNDS: usize = 20;

const PREFIX: &str = "#/definitions/";

/// One shared part.
struct Definition<'a> {
    owner: Value<'a>,
    arguments: Vec<Value<'a>>,
    short: String,
    full: String,
    schema: Option<Schema>,
}

/// The shared parts of one flow.
#[derive(Default)]
pub(crate) struct Definitions<'a> {
    parts: Vec<Definition<'a>>,
}

fn is_same_owner<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        (left, right) => is_same_type(left, right),
    }
}

impl<'a> Definitions<'a> {
    /// The number of a shared part, and whether it is new.
    pub(crate) fn reference(
        &mut self,
        owner: &Value<'a>,
        arguments: &[Value<'a>],
        short: &str,
        full: &str,
    ) -> (usize, bool) {
        // A flow has a handful of them, so a search from the front is enough.
        let known = self.parts.iter().position(|part| {
            is_same_owner(&part.owner, owner)
                && part.arguments.len() == arguments.len()
                && part.arguments.iter().zip(arguments).all(|(l, r)| is_same_type(l, r))
        });
        if let Some(known) = known {
            return (known, false);
        }
        self.parts.push(Definition {
            owner: owner.clone(),
            arguments: arguments.to_vec(),
            short: normalised(short),
            full: normalised(full),
            schema: None,
        });
        (self.parts.len() - 1, true)
    }

    pub(crate) fn define(&mut self, reference: usize, schema: Schema) {
        if let Some(part) = self.parts.get_mut(reference) {
            part.schema = Some(schema);
        }
    }

    /// A reference to a part by its number; the name comes with [`Definitions::finish`].
    pub(crate) fn link(reference: usize) -> Schema {
        entry("$ref", format!("{PREFIX}{reference}"))
    }

    /// How many parts there are, to go back to.
    pub(crate) fn mark(&self) -> usize {
        self.parts.len()
    }

    /// Forgets the parts after `mark`.
    pub(crate) fn truncate(&mut self, mark: usize) {
        self.parts.truncate(mark);
    }

    /// Names what `properties` use, directly or not, and gives the definitions by name.
    pub(crate) fn finish(&self, properties: &mut Json) -> Map<String, Json> {
        let mut used = BTreeSet::new();
        self.collect(properties, &mut used);
        let names = self.names(&used);
        rename(properties, &names);
        let mut definitions = BTreeMap::new();
        for (number, name) in &names {
            let schema = self.parts.get(*number).and_then(|part| part.schema.clone());
            let mut schema = Json::Object(schema.unwrap_or_default());
            rename(&mut schema, &names);
            definitions.insert(name.clone(), schema);
        }
        definitions.into_iter().collect()
    }

    fn collect(&self, value: &Json, used: &mut BTreeSet<usize>) {
        let mut links = Vec::new();
        find_links(value, &mut links);
        for number in links {
            // Definitions refer to each other, also in circles.
            if used.insert(number)
                && let Some(schema) = self.parts.get(number).and_then(|part| part.schema.as_ref())
            {
                self.collect(&Json::Object(schema.clone()), used);
            }
        }
    }

    /// The names of the parts that are used: the short name, if all parts that would have it have the
    /// same schema; else the full name under the same condition; else the full name with a number.
    /// Schemas contain names, so this is repeated until nothing changes.
    fn names(&self, used: &BTreeSet<usize>) -> BTreeMap<usize, String> {
        let parts: Vec<(usize, &Definition<'a>)> =
            used.iter().filter_map(|number| Some((*number, self.parts.get(*number)?))).collect();
        let mut shorts = BTreeSet::new();
        // Nearly always: no two classes have the same name.
        if parts.iter().all(|(_, part)| shorts.insert(&part.short)) {
            return parts.iter().map(|(number, part)| (*number, part.short.clone())).collect();
        }
        let mut names: BTreeMap<usize, String> =
            used.iter().map(|number| (*number, number.to_string())).collect();
        for _ in 0..MOST_ROUNDS {
            let next = Self::names_after(&parts, &names);
            if next == names {
                break;
            }
            names = next;
        }
        names
    }

    fn names_after(
        parts: &[(usize, &Definition<'a>)],
        names: &BTreeMap<usize, String>,
    ) -> BTreeMap<usize, String> {
        let schemas: Vec<Json> = parts
            .iter()
            .map(|(_, part)| {
                let mut schema = Json::Object(part.schema.clone().unwrap_or_default());
                rename(&mut schema, names);
                schema
            })
            .collect();
        // Parts with one name don't collide if their schemas are the same.
        let is_one = |name: &dyn Fn(&Definition<'a>) -> String, at: usize| {
            let wanted = parts.get(at).map(|(_, part)| name(part));
            let all = parts.iter().zip(&schemas);
            let mut same = all.filter(|((_, part), _)| Some(name(part)) == wanted);
            let first = same.next().map(|(_, schema)| schema);
            same.all(|(_, schema)| Some(schema) == first)
        };
        // Two classes of one module and name: the second of two `class Config` in one file, for
        // example.
        let mut numbered: BTreeMap<&str, usize> = BTreeMap::new();
        let name = |(at, (number, part)): (usize, &(usize, &'_ Definition<'a>))| {
            let name = if is_one(&|part| part.short.clone(), at) {
                part.short.clone()
            } else if is_one(&|part| part.full.clone(), at) {
                part.full.clone()
            } else {
                String::new()
            };
            (*number, name)
        };
        let mut next: BTreeMap<usize, String> = parts.iter().enumerate().map(name).collect();
        for (number, part) in parts {
            if let Some(name) = next.get_mut(number).filter(|name| name.is_empty()) {
                let count = numbered.entry(&part.full).or_default();
                *count += 1;
                *name = format!("{}__{count}", part.full);
            }
        }
        next
    }
}

/// A name as pydantic writes it into a reference: letters, digits and `-_` stay, dots become two
/// underscores, everything else becomes one.
fn normalised(name: &str) -> String {
    let is_kept = |char: char| char.is_ascii_alphanumeric() || "-_.".contains(char);
    name.chars()
        .map(|char| if is_kept(char) { char } else { '_' })
        .collect::<String>()
        .replace('.', "__")
}

fn number(text: &str) -> Option<usize> {
    text.strip_prefix(PREFIX)?.parse().ok()
}

fn find_links(value: &Json, links: &mut Vec<usize>) {
    match value {
        Json::Object(object) => object.iter().for_each(|(key, value)| match value {
            Json::String(text) if key == "$ref" => links.extend(number(text)),
            other => find_links(other, links),
        }),
        Json::Array(items) => items.iter().for_each(|item| find_links(item, links)),
        _ => {}
    }
}

fn rename(value: &mut Json, names: &BTreeMap<usize, String>) {
    let renamed = |text: &str| Some(format!("{PREFIX}{}", names.get(&number(text)?)?));
    match value {
        Json::Object(object) => {
            for (key, value) in object.iter_mut() {
                match value {
                    Json::String(text) if key == "$ref" => {
                        if let Some(name) = renamed(text) {
                            *text = name;
                        }
                    }
                    // The mapping of a discriminator holds references as plain text.
                    Json::Object(mapping) if key == "mapping" => {
                        for target in mapping.values_mut() {
                            if let Some(name) = target.as_str().and_then(renamed) {
                                *target = name.into();
                            }
                        }
                    }
                    other => rename(other, names),
                }
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| rename(item, names)),
        _ => {}
    }
}
