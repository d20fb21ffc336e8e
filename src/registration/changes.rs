//! What a plan tells of the differences: what changes, and what stays although the repository does
//! not declare it. Values that may be secrets are left out here.
//!
//! What differs, and what the target will hold, is found out in `diff`.

use serde::Serialize;
use serde_json::{Map, Value, json};

use super::declared::value_if_undeclared;
use super::diff::{Differences, does_more, items};
use super::slugs::{is_given, slug};
use flowreg_model::{Field, Held, Marks, Registration, json_equal, secrets};

/// What stands for a value that must not be shown.
pub(crate) const HIDDEN: &str = "(hidden)";

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

impl Change {
    /// Whether it is a mark of flowreg's that changes, not a field.
    pub(crate) fn is_mark(&self) -> bool {
        self.field.starts_with("labels.")
    }
}

/// Something that the target holds, that the repository does not declare, and that stays.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Kept {
    /// The field's name.
    pub field: &'static str,
    /// What stays: the field's value, or one of its items.
    pub value: Value,
    /// Why it stays.
    pub why: &'static str,
}

/// The fields whose declared keys are put beside those that the target holds.
const MERGED_MAPS: [Field<'static>; 2] = [Field::Parameters, Field::JobVariables];

/// The marks that are compared.
const MARK_NAMES: [&str; 5] = ["repository", "channel", "branch", "tag", "commit"];

/// The changes of the fields, as a person or a program reads them.
///
/// Inside parameters and job variables only the values that differ are listed, and of the schedules
/// not those that people made. With `is_adoption` the target holds what somebody else has set, and
/// of parameters and job variables only the names are told.
pub(super) fn field_changes(
    differences: &Differences<'_>,
    held: &Held,
    is_adoption: bool,
) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, after) in differences.fields.iter() {
        let (name, before) = (field.name(), held.fields.value(field));
        if MERGED_MAPS.contains(&field) {
            let first = changes.len();
            add_leaves(name, before, after, &mut changes);
            for change in changes.iter_mut().skip(first).filter(|change| !change.from.is_null()) {
                if is_adoption {
                    change.from = json!(HIDDEN);
                }
            }
            continue;
        }
        let (mut from, to) = match field {
            Field::Schedules => {
                (json!(differences.schedules.replaced), json!(differences.schedules.declared))
            }
            Field::Triggers => {
                // One that does more than a trigger stays as it is.
                let stays = |trigger: &&Value| does_more(trigger) && items(after).contains(trigger);
                let listed = |all| items(all).iter().filter(|one| !stays(one)).cloned().collect();
                (listed(before), listed(after))
            }
            _ => (before.clone(), after.clone()),
        };
        if is_adoption && matches!(field, Field::Schedules | Field::Triggers) {
            from.as_array_mut().into_iter().flatten().for_each(hide_values);
        }
        changes.push(Change { field: name.to_owned(), from: without_secrets(name, &from), to });
    }
    changes
}

fn add_leaves(path: &str, before: &Value, after: &Value, changes: &mut Vec<Change>) {
    let nothing = Map::new();
    let (before_map, after_map) = (before.as_object(), after.as_object());
    // What goes as a whole is named value by value as well. An empty mapping is a value.
    let is_tree = match (before_map, after_map) {
        (Some(_), Some(_)) => true,
        (Some(map), None) => after.is_null() && !map.is_empty(),
        (None, Some(_)) => before.is_null(),
        (None, None) => false,
    };
    if is_tree {
        let (before, after) = (before_map.unwrap_or(&nothing), after_map.unwrap_or(&nothing));
        let gone = before.keys().filter(|key| !after.contains_key(*key));
        for key in after.keys().chain(gone) {
            let [before, after] = [before, after].map(|map| map.get(key).unwrap_or(&Value::Null));
            add_leaves(&format!("{path}.{key}"), before, after, changes);
        }
    } else if !json_equal(before, after) {
        let name = path.rsplit('.').next().unwrap_or(path);
        let from = without_secrets(name, before);
        changes.push(Change { field: path.to_owned(), from, to: after.clone() });
    }
}

/// Hides the values of an item's parameters and job variables; their names stay.
fn hide_values(item: &mut Value) {
    for field in MERGED_MAPS {
        let values = item.get_mut(field.name()).and_then(Value::as_object_mut);
        values.into_iter().flat_map(Map::values_mut).for_each(|value| *value = json!(HIDDEN));
    }
}

/// A held value without what looks like a secret. Others may have put it there: an address with a
/// password into a pull step, a token into a job variable.
fn without_secrets(name: &str, value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            map.iter().map(|(key, value)| (key.clone(), without_secrets(key, value))).collect()
        }
        Value::Array(items) => items.iter().map(|item| without_secrets(name, item)).collect(),
        Value::String(text) if is_secret(name, text) => json!(HIDDEN),
        _ => value.clone(),
    }
}

fn is_secret(name: &str, text: &str) -> bool {
    secrets::is_literal(text) || (secrets::is_secret_name(name) && !secrets::is_template(text))
}

/// The marks that differ. The author is who came first, and no reason to write. `is_ours` says
/// whether a repository's URL is one of this repository.
pub(super) fn mark_changes(
    wanted: &Marks,
    held: Option<&Marks>,
    is_ours: &dyn Fn(&str) -> bool,
) -> Vec<Change> {
    let wanted_marks = listed(wanted);
    let mut held_marks = held.map_or([const { None }; 5], listed);
    // One clone may use https and another ssh: the same repository is no difference.
    let is_other_text = |held: &&Marks| held.repository != wanted.repository;
    if held.filter(is_other_text).is_some_and(|held| is_ours(&held.repository)) {
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

/// The change of the label that records what is declared.
pub(super) fn declared_change(wanted: &Marks, held: Option<&Marks>) -> Change {
    let from = held.and_then(|held| held.declared.as_ref());
    let field = "labels.flowreg.declared".to_owned();
    Change { field, from: json!(from), to: json!(wanted.declared) }
}

/// The marks in the order of [`MARK_NAMES`].
fn listed(marks: &Marks) -> [Option<String>; 5] {
    [
        Some(marks.repository.clone()),
        Some(marks.channel.clone()),
        marks.branch.clone(),
        marks.tag.clone(),
        marks.commit.clone(),
    ]
}

/// What stays although the repository does not declare it: schedules that people made and that start
/// runs, and slugs that an older flowreg gave; with `is_adoption` everything that is not replaced.
pub(super) fn kept(
    differences: &Differences<'_>,
    registration: &Registration,
    held: &Held,
    is_adoption: bool,
) -> Vec<Kept> {
    let mut kept = Vec::new();
    let mut keep = |field: Field<'static>, value: &Value, why| {
        let mut value = value.clone();
        hide_values(&mut value);
        kept.push(Kept { field: field.name(), value, why });
    };
    let has_state = |schedule: &Value, active| schedule.get("active") == Some(&json!(active));
    for schedule in &differences.schedules.others {
        if has_state(schedule, true) {
            keep(Field::Schedules, schedule, "made at the target, stays");
        }
    }
    let declared = registration.fields.items(Field::Schedules);
    for (declared, placed) in declared.iter().zip(&differences.schedules.declared) {
        if is_adoption && has_state(placed, false) && !has_state(declared, false) {
            keep(Field::Schedules, placed, "switched off at the target, stays off");
        }
        if slug(declared).is_none() && is_given(placed) {
            let why = "its slug is an older flowreg's, and goes with the next write";
            keep(Field::Schedules, placed, why);
        }
    }
    if !is_adoption {
        return kept;
    }
    let declared = registration.fields.items(Field::Triggers);
    for automation in held.fields.items(Field::Triggers) {
        let is_replaced = |trigger: &Value| trigger.get("name") == automation.get("name");
        if does_more(automation) && !declared.iter().any(is_replaced) {
            keep(Field::Triggers, automation, "does more than run the deployment, stays");
        }
    }
    for field in KEPT_IN_ADOPTION {
        let value = held.fields.value(field);
        let is_usual = value.is_null() || *value == value_if_undeclared(field);
        let is_declared = registration.fields.get(field).is_some_and(|one| json_equal(one, value));
        if !differences.fields.has(field) && !is_usual && !is_declared {
            keep(field, value, "set at the target, stays");
        }
    }
    kept
}

/// Fields that an adoption leaves as they are where they are not declared.
const KEPT_IN_ADOPTION: [Field<'static>; 7] = [
    Field::Paused,
    Field::Description,
    Field::WorkPoolName,
    Field::WorkQueueName,
    Field::ConcurrencyLimit,
    Field::ConcurrencyOptions,
    Field::EnforceParameterSchema,
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registration::declared::LastDeclaration;
    use crate::registration::schedules;
    use flowreg_model::Fields;

    fn fields(object: Value) -> Fields {
        serde_json::from_value(object).unwrap()
    }

    fn changes(before: Value, after: Value, is_adoption: bool) -> Vec<(String, Value, Value)> {
        let held = Held {
            id: None,
            flow: "f".to_owned(),
            deployment: "d".to_owned(),
            marks: None,
            fields: fields(before),
            registered_at: None,
        };
        let schedules = schedules::merged(&[], &[], &LastDeclaration::Foreign);
        let differences = Differences { fields: fields(after), schedules };
        let changes = field_changes(&differences, &held, is_adoption);
        changes.into_iter().map(|change| (change.field, change.from, change.to)).collect()
    }

    #[test]
    fn values_that_others_set_and_that_stay_are_not_named() {
        let before = json!({"job_variables": {"env": {"PATHS": "/x", "A": 1}, "cpu": 1}});
        let after = json!({"job_variables": {"env": {"PATHS": "/x", "A": 2}, "cpu": 1}});
        let expected = [("job_variables.env.A".to_owned(), json!(1), json!(2))];
        assert_eq!(changes(before, after, false), expected);
    }

    #[test]
    fn what_goes_is_named_value_by_value() {
        let before = json!({"job_variables": {"env": {"A": 1, "B": 2}, "x": {"y": {"z": 3}}}});
        let after = json!({"job_variables": {"env": {"B": 2}}});
        assert_eq!(
            changes(before, after, false),
            [
                ("job_variables.env.A".to_owned(), json!(1), Value::Null),
                ("job_variables.x.y.z".to_owned(), json!(3), Value::Null)
            ]
        );
    }

    #[test]
    fn of_values_of_a_former_owner_only_names_are_told() {
        let before =
            json!({"job_variables": {"env": {"A": 1, "B": 2}}, "parameters": {"n": 1, "m": 2}});
        let after = json!({"job_variables": {"env": {"A": 3}}, "parameters": {}});
        let hidden = json!(HIDDEN);
        assert_eq!(
            changes(before, after, true),
            [
                ("job_variables.env.A".to_owned(), hidden.clone(), json!(3)),
                ("job_variables.env.B".to_owned(), hidden.clone(), Value::Null),
                ("parameters.n".to_owned(), hidden.clone(), Value::Null),
                ("parameters.m".to_owned(), hidden, Value::Null)
            ]
        );
    }

    #[test]
    fn what_looks_like_a_secret_is_not_told_whoever_set_it() {
        let step = |repository: &str, token: &str| {
            json!({"pull_steps": [{"git_clone":
            {"repository": repository, "access_token": token, "branch": "x"}}]})
        };
        let before = step("https://bot:hunter2@example.com/x.git", "hunter2");
        let template = "{{ prefect.blocks.secret.x }}";
        let shown = &changes(before, step("https://example.com/x.git", template), false)[0].1;
        assert_eq!(*shown, step(HIDDEN, HIDDEN)["pull_steps"]);
        let before = step("https://example.com/x.git", template);
        assert_eq!(changes(before.clone(), step("y", "z"), false)[0].1, before["pull_steps"]);
        let before = json!({"job_variables": {"env": {"API_TOKEN": "hunter2"}}});
        let shown = changes(before, json!({"job_variables": {}}), false);
        assert_eq!(shown, [("job_variables.env.API_TOKEN".to_owned(), json!(HIDDEN), Value::Null)]);
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
            declared: None,
        };
        let other = Marks { author: Some("Grace".to_owned()), ..marks.clone() };
        assert_eq!(mark_changes(&marks, Some(&other), &|url| url == "r"), []);
        assert_eq!(mark_changes(&marks, None, &|url| url == "r").len(), 3);
    }
}
