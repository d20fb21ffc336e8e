//! Parameter schemas of which not everything is known.
//!
//! A schema that is not known for certain is put together: what the source proves, and for
//! parameters that it leaves open what the target holds, where that does not contradict it. So a new
//! deployment has a form to fill in, and one that Python has answered about keeps the answer.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use flowreg_model::{Field, Fields, Held, Registration, json_equal};

const SCHEMA: Field<'static> = Field::ParameterOpenapiSchema;

/// Where references to the shared parts of a schema lead.
const DEFINITIONS: &str = "#/definitions/";

/// What is recorded of a schema, so that the next registration can tell what became of it.
#[derive(Debug, Clone, Default)]
pub(super) struct SchemaRecord {
    /// The parameters that the source leaves open, each with a check sum of how it is written.
    pub open: BTreeMap<String, String>,
    /// Whether a parameter is required of which it is not known: its type may bring a default.
    pub is_required_open: bool,
}

/// Declares what is known of a schema that is not known for certain.
///
/// What the target holds of an open parameter is kept if the parameter is written as it was at the last
/// registration.
pub(super) fn declare(
    registration: &mut Registration,
    held: Option<&Held>,
    last: Option<&BTreeMap<String, String>>,
) -> SchemaRecord {
    let Some(known) = registration.open_schema.as_ref() else { return SchemaRecord::default() };
    let sum = |written: &str| format!("{:08x}", crc32fast::hash(written.as_bytes()));
    let open: BTreeMap<String, String> =
        known.open.iter().map(|one| (one.name.clone(), sum(&one.written))).collect();
    // All of it is known from elsewhere, such as from Python.
    if known.schema.is_null() {
        return SchemaRecord { open, is_required_open: false };
    }
    let held = held.and_then(|held| held.fields.get(SCHEMA)).and_then(Value::as_object);
    let is_as_it_was = |name: &str| last.is_some_and(|last| last.get(name) == open.get(name));
    let mut schema = known.schema.clone();
    let mut told: Vec<String> = Vec::new();
    if let Some(held) = held {
        told = complete(&mut schema, held, open.keys().filter(|name| is_as_it_was(name)));
    }
    let is_required_open = required(&schema)
        .any(|name| open.contains_key(name) && !told.iter().any(|one| one == name));
    registration.fields.set(SCHEMA, schema);
    SchemaRecord { open, is_required_open }
}

/// Whether the fields have a schema that tells something.
pub(super) fn has_schema(fields: &Fields) -> bool {
    let schema = fields.get(SCHEMA).and_then(Value::as_object);
    schema.is_some_and(|schema| !schema.is_empty())
}

/// Takes over what the target holds of open parameters, and returns those of which it told something.
fn complete<'o>(
    schema: &mut Value,
    held: &Map<String, Value>,
    open: impl Iterator<Item = &'o String>,
) -> Vec<String> {
    let mut told = Vec::new();
    let mut required: Vec<String> = required(schema).map(str::to_owned).collect();
    let mut definitions = object(schema, "definitions").cloned().unwrap_or_default();
    let held_definitions = held.get("definitions").and_then(Value::as_object);
    let held_required: Vec<&str> = names(held.get("required")).collect();
    let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) else {
        return told;
    };
    for name in open {
        let Some(ours) = properties.get_mut(name) else { continue };
        let theirs = held.get("properties").and_then(|properties| properties.get(name));
        let Some(theirs) = theirs.filter(|theirs| says_all_of(theirs, ours)) else { continue };
        let Some(parts) = parts(theirs, held_definitions, &definitions) else { continue };
        definitions.extend(parts.into_iter().map(|(name, part)| (name.to_owned(), part.clone())));
        if !json_equal(ours, theirs) {
            told.push(name.clone());
        }
        *ours = theirs.clone();
        if !held_required.contains(&name.as_str()) {
            required.retain(|required| required != name);
        }
    }
    let Some(schema_parts) = schema.as_object_mut() else { return told };
    let parts = [
        ("required", json!(required), required.is_empty()),
        ("definitions", json!(definitions), definitions.is_empty()),
    ];
    for (key, part, is_empty) in parts {
        if is_empty {
            schema_parts.shift_remove(key);
        } else {
            schema_parts.insert(key.to_owned(), part);
        }
    }
    told
}

/// Whether everything that the source says of a parameter is in what is held. A type that is not
/// known may bring another title.
fn says_all_of(held: &Value, known: &Value) -> bool {
    let Some(known) = known.as_object() else { return false };
    let is_said = |(key, value): (&String, &Value)| {
        key == "title" || held.get(key).is_some_and(|held| json_equal(held, value))
    };
    known.iter().all(is_said)
}

/// The shared parts that a held parameter leads to; `None` if one is missing, or has the name of
/// another part of the schema.
fn parts<'h>(
    property: &'h Value,
    held: Option<&'h Map<String, Value>>,
    ours: &Map<String, Value>,
) -> Option<BTreeMap<&'h str, &'h Value>> {
    let mut found = BTreeMap::new();
    let mut open = vec![property];
    while let Some(value) = open.pop() {
        match value {
            Value::Array(items) => open.extend(items),
            Value::Object(entries) => open.extend(entries.values()),
            Value::String(text) => {
                let Some(name) = text.strip_prefix(DEFINITIONS) else { continue };
                let part = held?.get(name)?;
                if ours.get(name).is_some_and(|ours| !json_equal(ours, part)) {
                    return None;
                }
                if found.insert(name, part).is_none() {
                    open.push(part);
                }
            }
            _ => {}
        }
    }
    Some(found)
}

fn object<'v>(value: &'v Value, key: &str) -> Option<&'v Map<String, Value>> {
    value.get(key).and_then(Value::as_object)
}

fn required(schema: &Value) -> impl Iterator<Item = &str> {
    names(schema.get("required"))
}

fn names(value: Option<&Value>) -> impl Iterator<Item = &str> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Value {
        json!({
            "title": "Parameters", "type": "object",
            "properties": {
                "n": {"type": "integer", "title": "n", "position": 0},
                "frame": {"title": "frame", "position": 1},
                "model": {"$ref": "#/definitions/Own", "title": "model", "position": 2},
            },
            "required": ["n", "frame", "model"],
            "definitions": {"Own": {"type": "object"}},
        })
    }

    fn completed(held: &Map<String, Value>) -> Value {
        let mut schema = known();
        complete(&mut schema, held, ["frame".to_owned()].iter());
        schema
    }

    fn held(frame: &Value, definitions: &Value, required: &Value) -> Map<String, Value> {
        let schema = json!({
            "title": "Parameters", "type": "object",
            "properties": {
                "n": {"type": "string", "title": "n", "position": 0}, "frame": frame, "gone": {},
            },
            "required": required, "definitions": definitions,
        });
        schema.as_object().unwrap().clone()
    }

    #[test]
    fn what_python_has_told_of_an_open_parameter_stays() {
        let frame = json!({"$ref": "#/definitions/Frame", "title": "frame", "position": 1});
        let frames = json!({
            "Frame": {"properties": {"rows": {"$ref": "#/definitions/Row"}}},
            "Row": {"properties": {"next": {"$ref": "#/definitions/Row"}}}, "Unused": {},
        });
        let schema = completed(&held(&frame, &frames, &json!(["n"])));
        assert_eq!(schema["properties"]["frame"], frame);
        // What is known comes from the source, whatever the target has.
        assert_eq!(schema["properties"]["n"]["type"], "integer");
        assert_eq!(schema["properties"].get("gone"), None);
        assert_eq!(schema["required"], json!(["n", "model"]));
        let names: Vec<&String> = schema["definitions"].as_object().unwrap().keys().collect();
        assert_eq!(names, ["Own", "Frame", "Row"]);
        // Put together once more it is the same, so that a second run is unchanged.
        let again = completed(schema.as_object().unwrap());
        assert!(json_equal(&again, &schema));
    }

    #[test]
    fn what_contradicts_the_source_goes() {
        for (frame, definitions) in [
            (json!({"type": "string", "title": "frame", "position": 7}), json!({})),
            (json!({"$ref": "#/definitions/X", "title": "frame", "position": 1}), json!({})),
            (
                json!({"$ref": "#/definitions/Own", "title": "frame", "position": 1}),
                json!({"Own": {"type": "string"}}),
            ),
        ] {
            let schema = completed(&held(&frame, &definitions, &json!([])));
            assert_eq!(schema, known(), "{frame}");
        }
    }
}
