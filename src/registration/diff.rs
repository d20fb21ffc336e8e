//! What differs between a registration that should be and one that is.
//!
//! Declared fields are ours; what people changed and the repository does not declare stays. So
//! each field has its own meaning of "differs", and its own way of putting both together.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::schedules;
use crate::model::{Held, Marks, Registration, json_equal};

/// One field that changes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    /// The field's name; marks are `labels.flowreg.tag` and so on.
    pub field: String,
    /// What the target holds.
    pub from: Value,
    /// What it will hold.
    pub to: Value,
}

/// The fields whose declared keys are put beside those that the target holds.
const MERGED_MAPS: [&str; 2] = ["parameters", "job_variables"];

/// The marks that are compared.
const MARK_NAMES: [&str; 5] = ["repository", "channel", "branch", "tag", "commit"];

/// The declared fields that differ, with the values that result from putting both together.
pub fn changed_fields(registration: &Registration, held: &Held) -> Map<String, Value> {
    registration
        .fields
        .iter()
        .filter_map(|(field, declared)| {
            let before = held.fields.get(field).unwrap_or(&Value::Null);
            // Most fields are as they were: nothing is copied for them.
            if !is_merged(field) && is_same(field, before, declared) {
                return None;
            }
            let after = merged(field, before, declared);
            (!is_same(field, before, &after)).then(|| (field.clone(), after))
        })
        .collect()
}

/// Puts declared fields together with those of a target that holds nothing yet.
pub fn settle_new(fields: &mut Map<String, Value>) {
    for (field, declared) in fields.iter_mut().filter(|(field, _)| is_merged(field)) {
        *declared = merged(field, &Value::Null, declared);
    }
}

/// The changes of the fields, as a person or a program reads them.
///
/// Inside parameters and job variables only the values that differ are named: what somebody else
/// put beside ours is none of our business, and may be a secret.
pub fn field_changes(fields: &Map<String, Value>, held: &Held) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, after) in fields {
        let before = held.fields.get(field).unwrap_or(&Value::Null);
        if MERGED_MAPS.contains(&field.as_str()) {
            add_leaves(field, before, after, &mut changes);
        } else {
            changes.push(Change { field: field.clone(), from: before.clone(), to: after.clone() });
        }
    }
    changes
}

fn add_leaves(path: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    if let (Value::Object(_) | Value::Null, Value::Object(after)) = (before, after) {
        for (key, after) in after {
            let before = before.get(key).unwrap_or(&Value::Null);
            add_leaves(&format!("{path}.{key}"), before, after, changes);
        }
    } else if !json_equal(before, after) {
        changes.push(Change { field: path.to_owned(), from: before.clone(), to: after.clone() });
    }
}

/// The marks that differ. The author is who came first, and no reason to write.
pub fn mark_changes(wanted: &Marks, held: Option<&Marks>) -> Vec<Change> {
    let wanted_marks = listed(wanted);
    let mut held_marks = held.map_or([const { None }; 5], listed);
    if held.is_some_and(|held| held.is_of_same_repository(wanted)) {
        held_marks[0].clone_from(&wanted_marks[0]);
    }
    MARK_NAMES
        .iter()
        .zip(held_marks.iter().zip(&wanted_marks))
        .filter(|(_, (from, to))| from != to)
        .map(|(name, (from, to))| Change {
            field: format!("labels.flowreg.{name}"),
            from: json!(from),
            to: json!(to),
        })
        .collect()
}

fn listed(marks: &Marks) -> [Option<String>; 5] {
    [
        Some(marks.repository.clone()),
        Some(marks.channel.clone()),
        marks.branch.clone(),
        marks.tag.clone(),
        marks.commit.clone(),
    ]
}

fn is_same(field: &str, before: &Value, after: &Value) -> bool {
    match field {
        // Prefect 3.8.8 stores a missing description as the text "None" (facts/prefect3.md §2).
        "description" => {
            let text = |value: &Value| {
                value.as_str().filter(|text| *text != "None").unwrap_or("").to_owned()
            };
            text(before) == text(after)
        }
        "schedules" => schedules::is_same_set(items(before), items(after)),
        _ => json_equal(before, after),
    }
}

/// Whether [`merged`] puts what is held and what is declared together.
fn is_merged(field: &str) -> bool {
    matches!(field, "tags" | "parameters" | "job_variables" | "schedules")
}

fn merged(field: &str, before: &Value, declared: &Value) -> Value {
    match field {
        "tags" => {
            let mut tags = items(before).to_vec();
            tags.extend(items(declared).iter().filter(|tag| !items(before).contains(tag)).cloned());
            Value::Array(tags)
        }
        // A parameter's value is one thing; job variables are trees of settings.
        "parameters" => overlay(before, declared, 1),
        "job_variables" => overlay(before, declared, usize::MAX),
        "schedules" => schedules::merged(items(before), items(declared)),
        _ => declared.clone(),
    }
}

/// Puts declared keys over held ones, in objects inside objects to a depth.
fn overlay(before: &Value, declared: &Value, depth: usize) -> Value {
    let (Value::Object(before), Value::Object(declared)) = (before, declared) else {
        return declared.clone();
    };
    if depth == 0 {
        return Value::Object(declared.clone());
    }
    let mut map = before.clone();
    for (key, value) in declared {
        let below = map.get(key).unwrap_or(&Value::Null);
        let value = overlay(below, value, depth - 1);
        map.insert(key.clone(), value);
    }
    Value::Object(map)
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(field: &str, before: &Value, declared: &Value) -> Option<Value> {
        let after = merged(field, before, declared);
        (!is_same(field, before, &after)).then_some(after)
    }

    #[test]
    fn a_description_that_prefect_stored_as_none_is_no_description() {
        assert_eq!(after("description", &json!("None"), &Value::Null), None);
        assert_eq!(after("description", &Value::Null, &json!("")), None);
        assert_eq!(after("description", &json!("old"), &Value::Null), Some(Value::Null));
    }

    #[test]
    fn tags_that_people_added_stay() {
        assert_eq!(after("tags", &json!(["ui", "prod"]), &json!(["prod"])), None);
        assert_eq!(after("tags", &json!(["ui"]), &json!(["prod"])), Some(json!(["ui", "prod"])));
    }

    #[test]
    fn parameters_that_people_added_stay() {
        assert_eq!(after("parameters", &json!({"a": 1, "b": 2}), &json!({"a": 1})), None);
        assert_eq!(
            after("parameters", &json!({"a": 1, "b": 2}), &json!({"a": 3})),
            Some(json!({"a": 3, "b": 2}))
        );
    }

    #[test]
    fn job_variables_are_merged_all_the_way_down_and_parameters_are_not() {
        let before = json!({"env": {"A": 1, "B": 2}});
        let declared = json!({"env": {"A": 3}});
        assert_eq!(
            after("job_variables", &before, &declared),
            Some(json!({"env": {"A": 3, "B": 2}}))
        );
        assert_eq!(after("parameters", &before, &declared), Some(declared));
    }

    #[test]
    fn values_that_others_set_are_not_named() {
        let held = json!({"job_variables": {"env": {"TOKEN": "s3cret", "A": 1}, "cpu": 1}});
        let held = Held {
            id: None,
            flow: "f".to_owned(),
            deployment: "d".to_owned(),
            marks: None,
            fields: held.as_object().cloned().unwrap(),
            registered_at: None,
        };
        let after = json!({"job_variables": {"env": {"TOKEN": "s3cret", "A": 2}, "cpu": 1}});
        assert_eq!(
            field_changes(after.as_object().unwrap(), &held),
            [Change { field: "job_variables.env.A".to_owned(), from: json!(1), to: json!(2) }]
        );
    }

    #[test]
    fn the_author_is_no_reason_to_write() {
        let marks = Marks {
            repository: "r".to_owned(),
            channel: "feature".to_owned(),
            branch: Some("x".to_owned()),
            tag: None,
            commit: None,
            author: Some("Ada".to_owned()),
        };
        let other = Marks { author: Some("Grace".to_owned()), ..marks.clone() };
        assert_eq!(mark_changes(&marks, Some(&other)), []);
        assert_eq!(mark_changes(&marks, None).len(), 3);
    }
}
