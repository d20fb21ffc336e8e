//! What differs between a registration that should be and one that is.
//!
//! Declared fields are ours; what people changed and the repository does not declare stays. So
//! each field has its own meaning of "differs", and its own way of putting both together.

use serde::Serialize;
use serde_json::{Map, Value, json};

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

/// The slugs that flowreg gives to schedules that have none.
const OWN_SLUG: &str = "flowreg-";

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
        "schedules" => is_same_set(before, after),
        _ => json_equal(before, after),
    }
}

/// Schedules have no order: the server gives them back in any.
fn is_same_set(before: &Value, after: &Value) -> bool {
    let (before, after) = (items(before), items(after));
    before.len() == after.len()
        && after.iter().all(|schedule| {
            before.iter().any(|other| {
                slug(other) == slug(schedule)
                    && json_equal(&without_blanks(other), &without_blanks(schedule))
            })
        })
}

/// A schedule with the parts left out that mean nothing when they are empty.
fn without_blanks(schedule: &Value) -> Value {
    let mut schedule = schedule.clone();
    if let Some(object) = schedule.as_object_mut() {
        object.retain(|_, value| !value.is_null() && !value.as_object().is_some_and(Map::is_empty));
    }
    schedule
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
        "schedules" => merged_schedules(items(before), items(declared)),
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

fn merged_schedules(before: &[Value], declared: &[Value]) -> Value {
    let ours = declared.iter().map(|schedule| {
        let mut schedule = schedule.clone();
        let held = before.iter().find(|other| slug(other) == slug(&schedule));
        if let Some(object) =
            schedule.as_object_mut().filter(|object| !object.contains_key("active"))
        {
            let active = held.and_then(|held| held.get("active")).cloned();
            object.insert("active".to_owned(), active.unwrap_or(json!(true)));
        }
        schedule
    });
    let theirs = before.iter().filter(|schedule| {
        let is_declared = declared.iter().any(|other| slug(other) == slug(schedule));
        let was_ours = slug(schedule).is_some_and(|slug| slug.starts_with(OWN_SLUG));
        !is_declared && !was_ours
    });
    ours.chain(theirs.cloned()).collect()
}

fn slug(schedule: &Value) -> Option<&str> {
    schedule.get("slug").and_then(Value::as_str)
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

    fn nightly(active: Option<bool>) -> Value {
        let mut schedule = json!({"schedule": {"cron": "0 3 * * *"}, "slug": "flowreg-1"});
        if let Some(active) = active {
            schedule["active"] = json!(active);
        }
        schedule
    }

    #[test]
    fn a_schedule_that_was_switched_off_stays_off() {
        assert_eq!(
            after("schedules", &json!([nightly(Some(false))]), &json!([nightly(None)])),
            None
        );
    }

    #[test]
    fn a_schedule_that_is_declared_off_is_switched_off() {
        let off = json!([nightly(Some(false))]);
        assert_eq!(after("schedules", &json!([nightly(Some(true))]), &off), Some(off));
    }

    #[test]
    fn schedules_of_others_stay_and_our_old_ones_go() {
        let theirs = json!({"schedule": {"cron": "5 5 * * *"}, "slug": "by-hand", "active": true});
        let mut old = nightly(Some(true));
        old["slug"] = json!("flowreg-2");
        let before = json!([theirs, old, nightly(Some(true))]);
        assert_eq!(
            after("schedules", &before, &json!([nightly(None)])),
            Some(json!([nightly(Some(true)), theirs]))
        );
    }

    #[test]
    fn the_order_of_schedules_means_nothing() {
        let mut second = nightly(Some(true));
        second["slug"] = json!("flowreg-2");
        let before = json!([second, nightly(Some(true))]);
        assert_eq!(after("schedules", &before, &json!([nightly(None), second])), None);
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
