//! Prefect 2.20: the same API with fewer fields. Deployments have no labels, schedules no slugs, and
//! every write resets what it does not say.
//!
//! Deployments that were read from a 2.20 server are converted to the form of Prefect 3, and writes
//! back to that of Prefect 2, so that the other modules here know one form only. Marks are tags
//! `flowreg.tag=v1.4.0` (docs/facts/prefect.md, "Prefect 2.20").

use serde_json::{Map, Value, json};

use super::held::{LABEL_PREFIX, raw_schedules};
use crate::TargetError;
use flowreg_model::{Field, Registration};

/// What an upsert of Prefect 2 takes, and resets where it is not said.
const FIELDS: &[&str] = &[
    "name",
    "flow_id",
    "version",
    "description",
    "entrypoint",
    "path",
    "manifest_path",
    "parameter_openapi_schema",
    "enforce_parameter_schema",
    "parameters",
    "tags",
    "work_pool_name",
    "work_queue_name",
    "job_variables",
    "pull_steps",
    "paused",
    "storage_document_id",
    "infrastructure_document_id",
];

/// What Prefect 2 has no place for.
const MISSING: [Field<'static>; 2] = [Field::ConcurrencyLimit, Field::ConcurrencyOptions];

/// A deployment as Prefect 2 gave it, in the form of Prefect 3.
pub(super) fn as_three(deployment: &Value) -> Value {
    let mut deployment = deployment.clone();
    let Some(object) = deployment.as_object_mut() else { return deployment };
    let mut labels = Map::new();
    let mut own_tags = Vec::new();
    for tag in object.get("tags").and_then(Value::as_array).into_iter().flatten() {
        match tag.as_str().and_then(|tag| tag.strip_prefix(LABEL_PREFIX)?.split_once('=')) {
            Some((name, value)) => {
                labels.insert(format!("{LABEL_PREFIX}{name}"), json!(value));
            }
            None => own_tags.push(tag.clone()),
        }
    }
    object.insert("tags".to_owned(), Value::Array(own_tags));
    object.insert("labels".to_owned(), Value::Object(labels));
    if let Some(variables) = object.get("infra_overrides").cloned() {
        object.insert("job_variables".to_owned(), variables);
    }
    let schedules = object.get_mut("schedules").and_then(Value::as_array_mut);
    let rules = schedules.into_iter().flatten().filter_map(|schedule| schedule.get_mut("schedule"));
    rules.for_each(write_rule_as_three);
    deployment
}

/// A body in the form of Prefect 3 as the upsert that Prefect 2 takes; what it does not say is as
/// `deployment` has it.
pub(super) fn as_two(body: &Value, deployment: Option<&Value>) -> Value {
    let said = |name: &str| {
        body.get(name).or_else(|| deployment.and_then(|deployment| deployment.get(name)))
    };
    let mut two = Map::new();
    for name in FIELDS {
        if let Some(value) = said(name) {
            two.insert((*name).to_owned(), value.clone());
        }
    }
    let tags = said("tags").and_then(Value::as_array).into_iter().flatten().cloned();
    let labels = said("labels").and_then(Value::as_object).into_iter().flatten();
    let marks = labels.filter_map(|(name, value)| {
        let value = value.as_str().filter(|_| name.starts_with(LABEL_PREFIX))?;
        // Tags are seen by people, so an empty record is left out.
        let says_nothing = name == "flowreg.declared" && value == "{}";
        (!says_nothing).then(|| json!(format!("{name}={value}")))
    });
    two.insert("tags".to_owned(), tags.chain(marks).collect());
    let source = if body.get("schedules").is_some() { Some(body) } else { deployment };
    let schedules: Vec<Value> = source
        .into_iter()
        .flat_map(raw_schedules)
        .map(|schedule| {
            let active = schedule.get("active").and_then(Value::as_bool).unwrap_or(true);
            json!({"schedule": schedule.get("schedule"), "active": active})
        })
        .collect();
    two.insert("schedules".to_owned(), json!(schedules));
    Value::Object(two)
}

/// Brings a registration into the form that Prefect 2 can hold, and says what it can't.
///
/// # Errors
/// [`TargetError::Configuration`] if a commit is pinned: its workers would clone the default branch.
pub(super) fn adapt(registration: &mut Registration) -> Result<Vec<String>, TargetError> {
    let mut notices = Vec::new();
    let flow = registration.flow.to_string();
    let steps = registration.fields.get(Field::PullSteps).map(Value::to_string).unwrap_or_default();
    if steps.contains("\"commit_sha\"") {
        return Err(TargetError::Configuration(
            "Prefect 2 can't pin a commit: use `pin = \"tag\"`, and `untagged` \"refuse\" or \
             \"branch\""
                .to_owned(),
        ));
    }
    for field in MISSING {
        if registration.fields.remove(field).is_some_and(|value| !value.is_null()) {
            let name = field.name();
            notices.push(format!("{flow}: Prefect 2 has no {name} of deployments"));
        }
    }
    let schedules = registration.fields.get_mut(Field::Schedules).and_then(Value::as_array_mut);
    for schedule in schedules.into_iter().flatten().filter_map(Value::as_object_mut) {
        // A slug that was declared can't be kept there; the rule tells which schedule it is.
        for name in ["slug", "replaces"] {
            schedule.shift_remove(name);
        }
        let parameters = schedule.shift_remove("parameters");
        if parameters
            .is_some_and(|parameters| parameters.as_object().is_some_and(|map| !map.is_empty()))
        {
            notices.push(format!("{flow}: Prefect 2 has no parameters of schedules"));
        }
    }
    Ok(notices)
}

/// Writes a rule as Prefect 3 does: `Z` where Prefect 2 answers with `+00:00`.
fn write_rule_as_three(rule: &mut Value) {
    let anchor = rule.get("anchor_date").and_then(Value::as_str);
    if let Some(moment) = anchor.and_then(|anchor| anchor.strip_suffix("+00:00")) {
        let moment = json!(format!("{moment}Z"));
        if let Some(anchor) = rule.get_mut("anchor_date") {
            *anchor = moment;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_tags_there_and_labels_here() {
        let two = json!({"tags": ["prod", "flowreg.tag=v1=x", "flowreg.x"], "schedules": []});
        let three = as_three(&two);
        assert_eq!(three["tags"], json!(["prod", "flowreg.x"]));
        assert_eq!(three["labels"], json!({"flowreg.tag": "v1=x"}));
        let body = json!({"tags": ["new"], "labels": three["labels"], "concurrency_limit": 3});
        let back = as_two(&body, Some(&json!({"version": "v0", "tags": ["old"], "id": "1"})));
        let expected =
            json!({"version": "v0", "tags": ["new", "flowreg.tag=v1=x"], "schedules": []});
        assert_eq!(back, expected);
    }
}
