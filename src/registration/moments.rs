//! Defaults that are computed when the module is loaded: `date.today()` is another value each day.
//!
//! Every write to a Prefect deployment deletes its scheduled runs until the scheduler has made
//! them again (docs/facts/prefect.md). So such a default is registered once, and then stays as the
//! target has it as long as the rest of the parameter does not change.

use serde_json::{Map, Value};

use flowreg_model::{Field, Held, Registration, json_equal};

/// Replaces the defaults of these parameters with those that the target holds. A parameter whose
/// type or title has changed keeps its new default: it has to be written anyway.
pub(crate) fn keep_moments(registration: &mut Registration, held: &[Held], parameters: &[String]) {
    let Some(held) = held.iter().find(|held| {
        held.flow == registration.flow.as_str()
            && held.deployment == registration.deployment.as_str()
    }) else {
        return;
    };
    for name in parameters {
        if let Some(held) = held.fields.get(SCHEMA).and_then(|schema| property(schema, name))
            && let Some(ours) = registration.fields.get_mut(SCHEMA)
            && property(ours, name).is_some_and(|ours| is_same_otherwise(ours, held))
            && let Some(ours) = ours.pointer_mut("/properties").and_then(|all| all.get_mut(name))
        {
            *ours = Value::Object(held.clone());
        }
    }
}

const SCHEMA: Field<'static> = Field::ParameterOpenapiSchema;

fn property<'v>(schema: &'v Value, name: &str) -> Option<&'v Map<String, Value>> {
    schema.get("properties")?.get(name)?.as_object()
}

fn is_same_otherwise(one: &Map<String, Value>, other: &Map<String, Value>) -> bool {
    let without = |property: &Map<String, Value>| {
        let others = property.iter().filter(|(key, _)| *key != "default");
        Value::Object(others.map(|(key, value)| (key.clone(), value.clone())).collect())
    };
    let have_defaults = one.contains_key("default") && other.contains_key("default");
    have_defaults && json_equal(&without(one), &without(other))
}
