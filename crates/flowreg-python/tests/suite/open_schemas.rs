//! What is said of a schema that is not exact must be true of the schema that Prefect makes.

use flowreg_model::{Flow, json_equal};
use serde_json::Value;

/// What is claimed of the parameters of a flow that is not exact and differs from Prefect's schema.
///
/// All parameters are there in their order. Of those that are known everything is the same; their
/// shared definitions may have other names, as these follow from all parameters together. Of an open one
/// what is said is said by Prefect, too, but for what only a type can do that is not known: it may
/// give the parameter another title, or be `ClassVar`, with which it is none.
pub(crate) fn contradictions(flow: &Flow, truth: &Value) -> Vec<String> {
    let Some(open) = &flow.open_schema else { return Vec::new() };
    let names = |schema: &Value| -> Vec<String> {
        schema["properties"].as_object().into_iter().flat_map(|all| all.keys().cloned()).collect()
    };
    let theirs = names(truth);
    let mut ours = names(&open.schema);
    ours.retain(|name| theirs.contains(name) || !open.open.iter().any(|open| open.name == *name));
    if ours != theirs {
        return vec![format!("open parameters {} for {truth}", open.schema)];
    }
    let is_required = |schema: &Value, name: &str| {
        schema["required"].as_array().is_some_and(|names| names.iter().any(|one| one == name))
    };
    let mut found = Vec::new();
    for name in names(truth) {
        let (ours, theirs) = (&open.schema["properties"][&name], &truth["properties"][&name]);
        let is_open = open.open.iter().any(|open| open.name == name);
        let is_said = |(key, value): (&String, &Value)| {
            key == "title" || theirs.get(key).is_some_and(|theirs| json_equal(theirs, value))
        };
        let is_true = match ours.to_string().contains("#/definitions/") {
            true => theirs.to_string().contains("#/definitions/"),
            false if is_open => ours.as_object().unwrap().iter().all(is_said),
            false => json_equal(ours, theirs),
        };
        let may_differ = is_open && is_required(&open.schema, &name);
        if !is_true || !may_differ && is_required(&open.schema, &name) != is_required(truth, &name)
        {
            found.push(format!("open schema: {ours} for {theirs} of {truth}"));
        }
    }
    found
}
