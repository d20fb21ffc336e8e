//! What changes in a registration, in a form that a reviewer can read: nested paths, old → new, long
//! values cut, and where the new value was declared.
//!
//! What differs is found out in `registration::diff`; here it is only written down.

use std::fmt::Write;

use serde::Serialize;
use serde_json::{Map, Value};

use super::DIM;
use crate::registration::Kept;
use flowreg_model::{Field, escaped, json_equal};

/// How long a value may be before it is cut.
const VALUE_WIDTH: usize = 60;

/// One field that changes, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct ChangeReport {
    /// The field's name, or the path to what changes in it.
    pub field: String,
    /// What the target holds.
    pub from: Value,
    /// What it will hold.
    pub to: Value,
    /// Where the new value was declared: `prefect.yaml:12`, `flows/etl.py:4`, `the code reference`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ChangeReport {
    /// Whether the field is one of flowreg's own labels.
    pub(super) fn is_mark(&self) -> bool {
        self.field.starts_with("labels.")
    }
}

/// `version v1.3.2 → v1.4.0, pull_steps, parameters +since`
///
/// flowreg's own labels change with every tag, so they are left out unless nothing else changes.
pub(super) fn changes_line(changes: &[ChangeReport]) -> String {
    let has_fields = changes.iter().any(|change| !change.is_mark());
    changes
        .iter()
        .filter(|change| !has_fields || !change.is_mark())
        .map(|change| match (Field::named(&change.field), &change.from, &change.to) {
            (Field::ParameterOpenapiSchema, from, to) => schema_change(from, to),
            (Field::Version, Value::String(from), Value::String(to)) => {
                format!("version {from} → {to}")
            }
            // Prefect 1 numbers the versions of a flow itself.
            (Field::Version, Value::Number(from), Value::Number(to)) => {
                format!("version {from} → {to}")
            }
            (field, ..) => field.name().to_owned(),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// `parameters +since -until ~days`: new, gone, and changed parameters.
fn schema_change(from: &Value, to: &Value) -> String {
    let properties = |schema: &Value| {
        schema.get("properties").and_then(Value::as_object).cloned().unwrap_or_default()
    };
    let (before, after) = (properties(from), properties(to));
    let added =
        after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!(" +{name}"));
    let removed =
        before.keys().filter(|name| !after.contains_key(*name)).map(|name| format!(" -{name}"));
    let changed = after
        .iter()
        .filter(|(name, value)| {
            before.get(*name).is_some_and(|other| !is_same_but_moved(other, value))
        })
        .map(|(name, _)| format!(" ~{name}"));
    let list: String = added.chain(removed).chain(changed).collect();
    format!("parameters{list}")
}

/// Whether two properties are equal but for their position in the signature. A new first parameter
/// moves all others; to list them as changed would hide the one that is.
fn is_same_but_moved(left: &Value, right: &Value) -> bool {
    let without_position = |value: &Value| {
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            object.shift_remove("position");
        }
        value
    };
    json_equal(&without_position(left), &without_position(right))
}

/// The lines of one change: what differs, and where it was declared.
pub(super) fn write_change(text: &mut String, change: &ChangeReport) {
    let why = match &change.why {
        Some(why) => format!("  ({})", escaped(why)),
        None => String::new(),
    };
    for (field, what) in changes_text(change) {
        let _ = writeln!(text, "      {DIM}{field:<32}{DIM:#} {what}{DIM}{why}{DIM:#}");
    }
}

/// The line of something that stays.
pub(super) fn write_kept(text: &mut String, kept: &Kept) {
    let (field, what) = kept_text(kept);
    let why = kept.why;
    let _ = writeln!(text, "      {DIM}{field:<32}{DIM:#} {what}{DIM}  ({why}){DIM:#}");
}

/// What stays: the field, and the value or item of it.
pub(super) fn kept_text(kept: &Kept) -> (&'static str, String) {
    let what = match Field::named(kept.field) {
        Field::Schedules => schedule_text(&kept.value),
        Field::Triggers => trigger_text(&kept.value),
        _ => short(&kept.value),
    };
    (kept.field, format!("= {}", escaped(what)))
}

/// What differs in a field: path and difference, one entry a value.
pub(super) fn changes_text(change: &ChangeReport) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    match Field::named(&change.field) {
        Field::ParameterOpenapiSchema => {
            lines.push((change.field.clone(), schema_change(&change.from, &change.to)));
        }
        Field::Tags => add_items(&mut lines, change, short),
        Field::Schedules => add_items(&mut lines, change, schedule_text),
        Field::Triggers => add_items(&mut lines, change, trigger_text),
        field => add_leaves(&mut lines, field.name(), &change.from, &change.to),
    }
    lines
}

/// A line for each item that comes or goes. An item that changes is shown as one that goes and one
/// that comes: lists of tags and schedules have no keys by which to pair them.
fn add_items<'c>(
    lines: &mut Vec<(String, String)>,
    change: &'c ChangeReport,
    written: impl Fn(&Value) -> String,
) {
    let items = |value: &'c Value| value.as_array().map_or(&[][..], Vec::as_slice);
    let (before, after) = (items(&change.from), items(&change.to));
    let is_in = |one: &Value, all: &[Value]| all.iter().any(|other| json_equal(one, other));
    let gone = before.iter().filter(|one| !is_in(one, after)).map(|one| ('-', one));
    let new = after.iter().filter(|one| !is_in(one, before)).map(|one| ('+', one));
    let all = gone
        .chain(new)
        .map(|(sign, one)| (change.field.clone(), format!("{sign} {}", escaped(written(one)))));
    lines.extend(all);
}

/// `nightly__automation_1, event my.event, off`
fn trigger_text(trigger: &Value) -> String {
    let mut parts = vec![short(trigger.get("name").unwrap_or(&Value::Null))];
    let rule = trigger.get("trigger").unwrap_or(&Value::Null);
    let expected = rule.get("expect").and_then(Value::as_array);
    let expected: Vec<&str> = expected.into_iter().flatten().filter_map(Value::as_str).collect();
    let kind = rule.get("type").and_then(Value::as_str).unwrap_or_default();
    parts.push(format!("{kind} {}", expected.join(" ")).trim().to_owned());
    if trigger.get("enabled") == Some(&Value::Bool(false)) {
        parts.push("off".to_owned());
    }
    parts.join(", ")
}

/// `cron 0 3 * * *, timezone Europe/Berlin, slug early, with n, off`
fn schedule_text(schedule: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rule = schedule.get("schedule").and_then(Value::as_object);
    let mut parts: Vec<String> = rule
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{name} {}", plain(value)))
        .collect();
    if let Some(slug) = schedule.get("slug").and_then(Value::as_str) {
        parts.push(format!("slug {slug}"));
    }
    let parameters = schedule.get("parameters").and_then(Value::as_object);
    let names: Vec<&str> = parameters.into_iter().flat_map(Map::keys).map(String::as_str).collect();
    if !names.is_empty() {
        parts.push(format!("with {}", names.join(" and ")));
    }
    if schedule.get("active") == Some(&Value::Bool(false)) {
        parts.push("off".to_owned());
    }
    parts.join(", ")
}

/// A line for each value that differs: `pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0`.
fn add_leaves(lines: &mut Vec<(String, String)>, path: &str, from: &Value, to: &Value) {
    match (from, to) {
        _ if json_equal(from, to) => {}
        (Value::Object(before), Value::Object(after)) => {
            let removed = before.keys().filter(|key| !after.contains_key(*key));
            for key in after.keys().chain(removed) {
                let (from, to) = (before.get(key), after.get(key));
                // Pull steps are keyed by `prefect.deployments.steps.git_clone`: its last part says
                // enough.
                let name = key.rsplit('.').next().unwrap_or(key);
                let (from, to) = (from.unwrap_or(&Value::Null), to.unwrap_or(&Value::Null));
                add_leaves(lines, &format!("{path}.{name}"), from, to);
            }
        }
        // In lists of different lengths it can't be told which items belong together, so they are
        // shown whole.
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (from, to)) in before.iter().zip(after).enumerate() {
                add_leaves(lines, &format!("{path}[{index}]"), from, to);
            }
        }
        _ => lines.push((path.to_owned(), format!("{} → {}", short(from), short(to)))),
    }
}

/// A value on one line, cut to [`VALUE_WIDTH`].
fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "(none)".to_owned(),
        Value::String(text) => escaped(text),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_WIDTH {
        return text;
    }
    text.chars().take(VALUE_WIDTH - 1).chain(['…']).collect()
}
