//! What differs between a registration that should be and one that is.
//!
//! The repository decides what it declares; what people changed on the server and the repository
//! does not declare stays. So some fields have a meaning of their own of "differs" ([`is_same`]),
//! and a way of their own of merging both sides ([`merged`]).

use serde::Serialize;
use serde_json::{Value, json};

use super::declared::{Declared, LastDeclaration, without_paths};
use super::schedules;
use flowreg_model::{Field, Fields, Held, Marks, Registration, json_equal};

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

/// The fields whose declared keys are put beside those that the target holds.
const MERGED_MAPS: [Field<'static>; 2] = [Field::Parameters, Field::JobVariables];

/// The marks that are compared.
const MARK_NAMES: [&str; 5] = ["repository", "channel", "branch", "tag", "commit"];

/// What differs, and the record of what is declared that goes into the marks.
#[derive(Debug)]
pub(super) struct Differences {
    /// The fields that differ, with the values that result from putting both together.
    pub fields: Fields,
    /// The names of what is declared.
    pub declared: Declared,
}

/// Compares the declared fields with those that a target holds.
pub(super) fn differences(
    registration: &Registration,
    held: &Held,
    last: &LastDeclaration,
) -> Differences {
    let undeclared = last.undeclared(&registration.fields);
    let undeclared = undeclared.iter().map(|(field, usual)| (*field, usual));
    let mut schedules = None;
    let mut fields = Fields::new();
    for (field, declared) in registration.fields.iter().chain(undeclared) {
        let before = held.fields.value(field);
        // Most fields are as they were. They are left out before anything is copied, as a run may
        // compare thousands of deployments with large schemas.
        if !is_merged(field) && is_same(field, before, declared) {
            continue;
        }
        let after = merged(field, before, declared, last);
        let is_changed = !is_same(field, before, &after);
        // Kept even if they do not change: the record of what is declared names them by the slugs
        // that merging has given them.
        if field == Field::Schedules {
            schedules = Some(after.clone());
        }
        if is_changed {
            fields.set(field, after);
        }
    }
    let placed = schedules.as_ref().map_or(&[][..], items);
    Differences { fields, declared: Declared::of(&registration.fields, placed) }
}

/// Puts declared fields together with those of a target that holds nothing yet, and returns the
/// names of what is declared.
pub(super) fn complete_new(fields: &mut Fields) -> Declared {
    let before = fields.clone();
    for (field, declared) in fields.iter_mut().filter(|(field, _)| is_merged(*field)) {
        *declared = merged(field, &Value::Null, declared, &LastDeclaration::Foreign);
    }
    Declared::of(&before, fields.items(Field::Schedules))
}

/// The changes of the fields, as a person or a program reads them.
///
/// Inside parameters and job variables only the values that differ are listed. Others may have been
/// set by people on the server, and may be secrets.
pub(super) fn field_changes(fields: &Fields, held: &Held) -> Vec<Change> {
    let mut changes = Vec::new();
    for (field, after) in fields.iter() {
        let (name, before) = (field.name(), held.fields.value(field));
        if MERGED_MAPS.contains(&field) {
            add_leaves(name, before, after, &mut changes);
        } else {
            let (from, to) = (before.clone(), after.clone());
            changes.push(Change { field: name.to_owned(), from, to });
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
        let gone = before.as_object().into_iter().flatten();
        for (key, before) in gone.filter(|(key, _)| !after.contains_key(*key)) {
            let field = format!("{path}.{key}");
            changes.push(Change { field, from: before.clone(), to: Value::Null });
        }
    } else if !json_equal(before, after) {
        changes.push(Change { field: path.to_owned(), from: before.clone(), to: after.clone() });
    }
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

fn is_same(field: Field<'_>, before: &Value, after: &Value) -> bool {
    match field {
        // The official client stores a missing description as the text "None"
        // (docs/facts/prefect.md, "Labels, tags, description").
        Field::Description => {
            let text = |value: &Value| {
                value.as_str().filter(|text| *text != "None").unwrap_or("").to_owned()
            };
            text(before) == text(after)
        }
        // The server answers both in no particular order (docs/facts/prefect.md, "Schedules").
        Field::Schedules => schedules::is_same_set(items(before), items(after)),
        Field::Triggers => is_same_multiset(items(before), items(after)),
        // The server answers them with nulls for options that were not sent.
        Field::ConcurrencyOptions => json_equal(&without_nulls(before), &without_nulls(after)),
        _ => json_equal(before, after),
    }
}

/// Whether [`merged`] keeps a part of what the target holds. Any other field is replaced.
fn is_merged(field: Field<'_>) -> bool {
    use Field::{JobVariables, Parameters, Schedules, Tags, Triggers};
    matches!(field, Tags | Parameters | JobVariables | Schedules | Triggers)
}

fn merged(field: Field<'_>, before: &Value, declared: &Value, last: &LastDeclaration) -> Value {
    match field {
        Field::Tags => tags(items(before), items(declared), last),
        // Parameters are merged by name only: half of one dictionary and half of another would be a
        // value that nobody wrote. Job variables are trees of settings (`env.X`), and people set
        // single leaves of them.
        Field::Parameters => {
            let mut kept = before.clone();
            if let (Some(kept), Some(last)) = (kept.as_object_mut(), last.recorded()) {
                kept.retain(|name, _| !last.parameters.contains(name));
            }
            overlay(&kept, declared, 1)
        }
        Field::JobVariables => {
            let mut kept = before.clone();
            if let Some(last) = last.recorded() {
                without_paths(&mut kept, &last.job_variables, declared);
            }
            overlay(&kept, declared, usize::MAX)
        }
        Field::Schedules => schedules::merged(items(before), items(declared), last).into(),
        Field::Triggers => triggers(items(before), items(declared), last),
        // What people paused stays so until the repository paused it itself.
        Field::Paused if *declared == json!(false) && *before == json!(true) => {
            json!(!last.recorded().is_some_and(|last| last.fields.contains(field.name())))
        }
        _ => declared.clone(),
    }
}

fn tags(before: &[Value], declared: &[Value], last: &LastDeclaration) -> Value {
    let is_gone = |tag: &Value| {
        let was_declared = |tag: &str| last.recorded().is_some_and(|last| last.tags.contains(tag));
        tag.as_str().is_some_and(was_declared) && !declared.contains(tag)
    };
    let added = declared.iter().filter(|tag| !before.contains(tag));
    before.iter().filter(|tag| !is_gone(tag)).chain(added).cloned().collect()
}

/// Declared triggers with the state that people gave them; others stay unless they were declared.
fn triggers(before: &[Value], declared: &[Value], last: &LastDeclaration) -> Value {
    let mut left: Vec<&Value> = before.iter().collect();
    let mut take = |is_it: &dyn Fn(&Value) -> bool| {
        left.iter().position(|held| is_it(held)).map(|at| left.remove(at))
    };
    // Several triggers may have one name (null, where Prefect names them), so first those are
    // matched that are equal in everything, and only the others by name.
    let mut found: Vec<Option<&Value>> = declared
        .iter()
        .map(|trigger| take(&|held| json_equal(held, &with_state(trigger, Some(held), last))))
        .collect();
    for (trigger, found) in declared.iter().zip(&mut found).filter(|(_, found)| found.is_none()) {
        *found = take(&|held| trigger_name(held) == trigger_name(trigger));
    }
    let placed: Vec<Value> =
        declared.iter().zip(found).map(|(trigger, held)| with_state(trigger, held, last)).collect();
    let was_declared =
        |name: &str| last.recorded().is_some_and(|last| last.triggers.contains(name));
    let theirs = left.into_iter().filter(|trigger| !was_declared(trigger_name(trigger))).cloned();
    placed.into_iter().chain(theirs).collect()
}

/// A trigger without a declared state keeps the one that people gave it. If it was the repository
/// that had switched it off, and it no longer says so, it is on again.
fn with_state(trigger: &Value, held: Option<&Value>, last: &LastDeclaration) -> Value {
    let mut trigger = trigger.clone();
    let name = trigger_name(&trigger);
    let was_disabled = last.recorded().is_some_and(|last| last.disabled.contains(name));
    let held = held.filter(|_| !was_disabled).and_then(|held| held.get("enabled"));
    let enabled = held.cloned().unwrap_or(json!(true));
    if let Some(object) = trigger.as_object_mut() {
        object.entry("enabled").or_insert(enabled);
    }
    trigger
}

fn trigger_name(trigger: &Value) -> &str {
    trigger.get("name").and_then(Value::as_str).unwrap_or_default()
}

fn is_same_multiset(before: &[Value], after: &[Value]) -> bool {
    let mut left: Vec<&Value> = before.iter().collect();
    before.len() == after.len()
        && after.iter().all(|one| {
            let at = left.iter().position(|other| json_equal(other, one));
            at.map(|at| left.swap_remove(at)).is_some()
        })
}

fn without_nulls(value: &Value) -> Value {
    let Some(object) = value.as_object() else { return value.clone() };
    let present = object.iter().filter(|(_, value)| !value.is_null());
    Value::Object(present.map(|(name, value)| (name.clone(), value.clone())).collect())
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

    fn fields(object: Value) -> Fields {
        serde_json::from_value(object).unwrap()
    }

    fn after(field: Field<'_>, before: &Value, declared: &Value) -> Option<Value> {
        let after = merged(field, before, declared, &LastDeclaration::Unrecorded);
        (!is_same(field, before, &after)).then_some(after)
    }

    #[test]
    fn a_description_that_prefect_stored_as_none_is_no_description() {
        assert_eq!(after(Field::Description, &json!("None"), &Value::Null), None);
        assert_eq!(after(Field::Description, &Value::Null, &json!("")), None);
        assert_eq!(after(Field::Description, &json!("old"), &Value::Null), Some(Value::Null));
    }

    #[test]
    fn tags_that_people_added_stay() {
        assert_eq!(after(Field::Tags, &json!(["ui", "prod"]), &json!(["prod"])), None);
        assert_eq!(
            after(Field::Tags, &json!(["ui"]), &json!(["prod"])),
            Some(json!(["ui", "prod"]))
        );
    }

    #[test]
    fn parameters_that_people_added_stay() {
        assert_eq!(after(Field::Parameters, &json!({"a": 1, "b": 2}), &json!({"a": 1})), None);
        assert_eq!(
            after(Field::Parameters, &json!({"a": 1, "b": 2}), &json!({"a": 3})),
            Some(json!({"a": 3, "b": 2}))
        );
    }

    #[test]
    fn job_variables_are_merged_all_the_way_down_and_parameters_are_not() {
        let before = json!({"env": {"A": 1, "B": 2}});
        let declared = json!({"env": {"A": 3}});
        assert_eq!(
            after(Field::JobVariables, &before, &declared),
            Some(json!({"env": {"A": 3, "B": 2}}))
        );
        assert_eq!(after(Field::Parameters, &before, &declared), Some(declared));
    }

    #[test]
    fn values_that_others_set_are_not_named() {
        let held = json!({"job_variables": {"env": {"TOKEN": "s3cret", "A": 1}, "cpu": 1}});
        let held = Held {
            id: None,
            flow: "f".to_owned(),
            deployment: "d".to_owned(),
            marks: None,
            fields: fields(held),
            registered_at: None,
        };
        let after = json!({"job_variables": {"env": {"TOKEN": "s3cret", "A": 2}, "cpu": 1}});
        assert_eq!(
            field_changes(&fields(after), &held),
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
            declared: None,
        };
        let other = Marks { author: Some("Grace".to_owned()), ..marks.clone() };
        assert_eq!(mark_changes(&marks, Some(&other), &|url| url == "r"), []);
        assert_eq!(mark_changes(&marks, None, &|url| url == "r").len(), 3);
    }

    fn known(declared: Declared) -> LastDeclaration {
        LastDeclaration::Recorded(declared)
    }

    fn names(names: &[&str]) -> std::collections::BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn what_was_declared_and_is_no_longer_goes() {
        let last = known(Declared {
            tags: names(&["a", "b"]),
            parameters: names(&["n", "m"]),
            ..Declared::default()
        });
        let merged = |field, before, declared| merged(field, &before, &declared, &last);
        assert_eq!(merged(Field::Tags, json!(["b", "ui", "a"]), json!(["a"])), json!(["ui", "a"]));
        assert_eq!(
            merged(Field::Parameters, json!({"n": 1, "m": 2, "ui": 3}), json!({"m": 2})),
            json!({"ui": 3, "m": 2})
        );
    }

    #[test]
    fn a_pause_of_people_stays_and_one_of_the_repository_ends() {
        let before = (json!(true), json!(false));
        let nobody = known(Declared::default());
        let repository = known(Declared { fields: names(&["paused"]), ..Declared::default() });
        assert_eq!(merged(Field::Paused, &before.0, &before.1, &nobody), json!(true));
        assert_eq!(merged(Field::Paused, &before.0, &before.1, &repository), json!(false));
        assert_eq!(merged(Field::Paused, &json!(false), &json!(true), &nobody), json!(true));
    }

    #[test]
    fn a_trigger_is_as_people_switched_it_unless_the_repository_did() {
        let trigger = |name: &str, enabled: bool| json!({"name": name, "enabled": enabled});
        let before = json!([
            trigger("a", false),
            trigger("b", false),
            trigger("c", true),
            trigger("theirs", true),
            trigger("gone", true)
        ]);
        let declared = json!([{"name": "a"}, {"name": "b"}, trigger("c", false), {"name": "new"}]);
        let last = known(Declared {
            triggers: names(&["a", "b", "c", "gone"]),
            disabled: names(&["b"]),
            ..Declared::default()
        });
        assert_eq!(
            merged(Field::Triggers, &before, &declared, &last),
            json!([
                trigger("a", false),
                trigger("b", true),
                trigger("c", false),
                trigger("new", true),
                trigger("theirs", true)
            ])
        );
    }

    #[test]
    fn a_value_that_goes_is_named() {
        let held = |held: Value| Held {
            id: None,
            flow: "f".to_owned(),
            deployment: "d".to_owned(),
            marks: None,
            fields: fields(held),
            registered_at: None,
        };
        let before = held(json!({"job_variables": {"env": {"A": 1, "B": 2}}}));
        let after = json!({"job_variables": {"env": {"B": 2}}});
        assert_eq!(
            field_changes(&fields(after), &before),
            [Change { field: "job_variables.env.A".to_owned(), from: json!(1), to: Value::Null }]
        );
    }
}
