//! What differs between a registration that should be and one that is.
//!
//! The repository decides what it declares; what people changed on the server and the repository
//! does not declare stays. Of a deployment that somebody else has declared until now (an adoption),
//! what is declared takes the place of all tags, parameters, job variables, schedules and triggers.
//! So some fields have a meaning of their own of "differs" ([`is_same`]), and a way of their own of
//! merging both sides ([`merged`]).

use serde_json::{Value, json};

use super::declared::{Declared, LastDeclaration, without_paths};
use super::schedules::{self, Merged};
use flowreg_model::{Field, Fields, Held, Registration, json_equal};

/// What differs between a registration and what the target holds.
#[derive(Debug)]
pub(super) struct Differences<'h> {
    /// The fields that differ, with the values that result from putting both together.
    pub fields: Fields,
    /// The schedules of both sides.
    pub schedules: Merged<'h>,
}

impl Differences<'_> {
    /// The names of what is declared: the record that goes into the marks.
    pub(super) fn declared(&self, registration: &Registration) -> Declared {
        Declared::of(&registration.fields, &self.schedules.declared)
    }

    /// Takes away the slugs that an older flowreg gave schedules, as the deployment is written
    /// anyway.
    pub(super) fn drop_given_slugs(&mut self, registration: &Registration) {
        if self.schedules.drop_given_slugs(registration.fields.items(Field::Schedules)) {
            self.fields.set(Field::Schedules, self.schedules.all());
        }
    }
}

/// Compares the declared fields with those that a target holds.
pub(super) fn differences<'h>(
    registration: &Registration,
    held: &'h Held,
    last: &LastDeclaration,
) -> Differences<'h> {
    let undeclared = last.undeclared(&registration.fields);
    let undeclared = undeclared.iter().map(|(field, usual)| (*field, usual));
    let wanted = registration.fields.items(Field::Schedules);
    let schedules = schedules::merged(held.fields.items(Field::Schedules), wanted, last);
    let mut fields = Fields::new();
    for (field, declared) in registration.fields.iter().chain(undeclared) {
        if field == Field::Schedules {
            if schedules.differs() {
                fields.set(field, schedules.all());
            }
            continue;
        }
        let before = held.fields.value(field);
        // Most fields are as they were. They are left out before anything is copied, as a run may
        // compare thousands of deployments with large schemas.
        if !is_merged(field) && is_same(field, before, declared) {
            continue;
        }
        let after = merged(field, before, declared, last);
        if !is_same(field, before, &after) {
            fields.set(field, after);
        }
    }
    Differences { fields, schedules }
}

/// Puts declared fields together with those of a target that holds nothing yet, and returns the
/// names of what is declared.
pub(super) fn complete_new(fields: &mut Fields) -> Declared {
    let before = fields.clone();
    for (field, declared) in fields.iter_mut() {
        *declared = match field {
            Field::Schedules => {
                schedules::merged(&[], items(declared), &LastDeclaration::Foreign).all()
            }
            field if is_merged(field) => {
                merged(field, &Value::Null, declared, &LastDeclaration::Foreign)
            }
            _ => continue,
        };
    }
    Declared::of(&before, fields.items(Field::Schedules))
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
        Field::Triggers => is_same_multiset(items(before), items(after)),
        Field::Tags | Field::Parameters | Field::JobVariables if is_empty(before) => {
            is_empty(after)
        }
        // The server answers them with nulls for options that were not sent.
        Field::ConcurrencyOptions => json_equal(&without_nulls(before), &without_nulls(after)),
        _ => json_equal(before, after),
    }
}

/// Whether [`merged`] keeps a part of what the target holds. Any other field is replaced.
fn is_merged(field: Field<'_>) -> bool {
    use Field::{JobVariables, Parameters, Tags, Triggers};
    matches!(field, Tags | Parameters | JobVariables | Triggers)
}

fn merged(field: Field<'_>, before: &Value, declared: &Value, last: &LastDeclaration) -> Value {
    match field {
        Field::Tags => tags(items(before), items(declared), last),
        // Parameters are merged by name only: half of one dictionary and half of another would be a
        // value that nobody wrote. Job variables are trees of settings (`env.X`), and people set
        // single leaves of them.
        Field::Parameters => {
            let mut kept = if last.is_foreign() { json!({}) } else { before.clone() };
            if let (Some(kept), Some(last)) = (kept.as_object_mut(), last.recorded()) {
                kept.retain(|name, _| !last.parameters.contains(name));
            }
            overlay(&kept, declared, 1)
        }
        Field::JobVariables => {
            let mut kept = if last.is_foreign() { json!({}) } else { before.clone() };
            if let Some(last) = last.recorded() {
                without_paths(&mut kept, &last.job_variables, declared);
            }
            overlay(&kept, declared, usize::MAX)
        }
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
        let was_declared = |tag: &str| {
            last.is_foreign() || last.recorded().is_some_and(|last| last.tags.contains(tag))
        };
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
    let was_declared = |trigger: &Value| match last.recorded() {
        Some(last) => last.triggers.contains(trigger_name(trigger)),
        None => last.is_foreign() && !does_more(trigger),
    };
    let theirs = left.into_iter().filter(|trigger| !was_declared(trigger)).cloned();
    placed.into_iter().chain(theirs).collect()
}

/// Whether an automation has other actions beside the one that runs the deployment, so that no
/// trigger of a deployment can have made it.
pub(super) fn does_more(trigger: &Value) -> bool {
    trigger.get("other_actions").is_some()
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

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

pub(super) fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn known(declared: Declared) -> LastDeclaration {
        LastDeclaration::Recorded(Box::new(declared))
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
    fn an_adoption_puts_what_is_declared_in_the_place_of_everything_that_is_there() {
        let merged =
            |field, before, declared| merged(field, &before, &declared, &LastDeclaration::Foreign);
        let tags = merged(Field::Tags, json!(["a", "b"]), json!(["b", "c"]));
        assert_eq!(tags, json!(["b", "c"]));
        let parameters = merged(Field::Parameters, json!({"a": 1, "b": 2}), json!({"b": 3}));
        assert_eq!(parameters, json!({"b": 3}));
        let before = json!({"env": {"A": 1, "B": 2}, "image": "x"});
        let variables = merged(Field::JobVariables, before, json!({"env": {"A": 1}}));
        assert_eq!(variables, json!({"env": {"A": 1}}));
        let trigger = |name: &str, enabled: bool| json!({"name": name, "enabled": enabled});
        let mut more = trigger("more", true);
        more["other_actions"] = json!(1);
        let before = json!([trigger("a", false), trigger("b", true), more]);
        let triggers = merged(Field::Triggers, before, json!([{"name": "a"}]));
        assert_eq!(triggers, json!([trigger("a", false), more]));
        // Also where nothing of it is declared; and what is empty already is no change.
        let undeclared = LastDeclaration::Foreign.undeclared(&Fields::new());
        assert_eq!(undeclared.len(), 5);
        for (field, nothing) in
            undeclared.into_iter().filter(|(field, _)| *field != Field::Schedules)
        {
            assert!(is_same(field, &Value::Null, &nothing), "{field:?}");
        }
    }
}
