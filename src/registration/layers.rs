//! Fields that several places declare, put over one another in layers, each with its origin.
//!
//! Which layers there are, and in which order, is decided in `build`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use flowreg_model::{Field, Fields};

/// Fields that are declared in several places, the later ones over the earlier.
#[derive(Default)]
pub(super) struct Layers {
    /// The fields, of all layers together.
    pub fields: Fields,
    /// Where each is declared, by path.
    pub origins: BTreeMap<String, String>,
}

impl Layers {
    /// Sets one field, over whatever a lower layer has.
    pub(super) fn set(&mut self, field: Field<'_>, value: Value, origin: &str) {
        self.fields.set(field, value);
        self.origins.insert(field.name().to_owned(), origin.to_owned());
    }

    /// Puts a layer over those before: tags are collected, maps are merged by key (parameters only
    /// at the top, as a parameter's value is one thing), anything else is replaced.
    pub(super) fn add(&mut self, fields: &Fields, origin: impl Fn(&str) -> String) {
        if fields.has(Field::WorkPoolName) {
            // A queue belongs to one pool. The queue that a lower layer named would be looked for, and
            // made, in the new pool.
            self.fields.remove(Field::WorkQueueName);
        }
        for (field, value) in fields.iter() {
            // A layer mostly adds to what lies below it (a tag for a channel, an image tag for a
            // flow). What a value can't be added to, such as schedules, it replaces as a whole.
            match (field, value) {
                (Field::Tags, Value::Array(tags)) => self.add_tags(tags, &origin(field.name())),
                (Field::Parameters, value) => self.put_over(field, value, 1, &origin),
                (Field::JobVariables, value) => self.put_over(field, value, usize::MAX, &origin),
                (_, value) => self.set(field, value.clone(), &origin(field.name())),
            }
        }
    }

    fn add_tags(&mut self, tags: &[Value], origin: &str) {
        let held = self.fields.get_or_set(Field::Tags, json!([]));
        let Some(held) = held.as_array_mut() else { return };
        for tag in tags {
            if !held.contains(tag) {
                held.push(tag.clone());
            }
        }
        let origins = self.origins.entry(Field::Tags.name().to_owned()).or_default();
        if !origins.is_empty() {
            origins.push_str(" and ");
        }
        origins.push_str(origin);
    }

    fn put_over(
        &mut self,
        field: Field<'_>,
        value: &Value,
        depth: usize,
        origin: &impl Fn(&str) -> String,
    ) {
        let held = self.fields.get_or_set(field, json!({}));
        put_over(held, value, depth, field.name(), &mut |path| {
            self.origins.insert(path.to_owned(), origin(path));
        });
    }
}

fn put_over(
    held: &mut Value,
    value: &Value,
    depth: usize,
    path: &str,
    declared: &mut impl FnMut(&str),
) {
    match (held, value) {
        (Value::Object(held), Value::Object(map)) if depth > 0 => {
            for (key, value) in map {
                let below = held.entry(key.clone()).or_insert(Value::Null);
                put_over(below, value, depth - 1, &format!("{path}.{key}"), declared);
            }
        }
        (held, value) => {
            held.clone_from(value);
            declared(path);
        }
    }
}
