//! `flowreg register` and `flowreg plan`: one screen, result first.

use std::fmt::Write;

use anstyle::Style;
use serde::Serialize;
use serde_json::Value;

use super::flows::problem_line;
use super::reference::reference_line;
use super::{BAD, CHANGED, DIM, ErrorReport, GOOD, NAME_WIDTH, Printer, Verbosity};
use crate::model::{CodeReference, FlowProblem, TargetDescription, TargetKind, escaped};

/// How long a value may be before it is cut.
const VALUE_WIDTH: usize = 60;

/// A run: what was planned, and what became of it if it was carried out.
#[derive(Debug, Serialize)]
pub struct RunReport {
    /// The target.
    pub target: TargetDescription,
    /// The repository's URL.
    pub repository: String,
    /// The code reference.
    pub reference: CodeReference,
    /// One entry a deployment.
    pub registrations: Vec<ItemReport>,
    /// What is wrong with the sources.
    pub errors: Vec<FlowProblem>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
    /// How many of each.
    pub summary: RunSummary,
    /// How long it took; `None` for a plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u128>,
}

/// One registration: `G` of `design.md` §11.
#[derive(Debug, Serialize)]
pub struct ItemReport {
    /// The flow.
    pub flow: String,
    /// The deployment.
    pub deployment: String,
    /// `path.py:function`.
    pub entrypoint: String,
    /// What has to be done.
    pub action: &'static str,
    /// What became of it; `None` in a plan.
    pub outcome: Option<&'static str>,
    /// The target's id.
    pub id: Option<String>,
    /// What changes.
    pub changes: Vec<ChangeReport>,
    /// Why it was refused or failed.
    pub error: Option<ErrorReport>,
}

/// Counts by action for a plan, by outcome for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunSummary(pub Vec<(&'static str, usize)>);

impl Serialize for RunSummary {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().copied())
    }
}

/// `prefect https://prefect.example.com/api`, `local registry`
pub(super) fn target_text(target: &TargetDescription) -> String {
    match (&target.kind, &target.url) {
        (TargetKind::Local, _) => "local registry".to_owned(),
        (kind, Some(url)) => format!("{} {url}", kind.as_str()),
        (kind, None) => kind.as_str().to_owned(),
    }
}

/// One field that changes, as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ChangeReport {
    /// The field's name, or the path to what changes in it.
    pub field: String,
    /// What the target holds.
    pub from: Value,
    /// What it will hold.
    pub to: Value,
    /// Why the field is ours: `prefect.yaml:12`, `flows/etl.py:4`, `the code reference`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl ChangeReport {
    /// Whether it is one of flowreg's marks, and nothing that a person declared.
    fn is_mark(&self) -> bool {
        self.field.starts_with("labels.")
    }
}

impl Printer {
    /// Prints a plan, or a run and what became of it.
    pub fn run(&self, report: &RunReport) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(&report.notices);
        let needs_proof = report.target.kind != TargetKind::Local;
        let reference = reference_line(&report.reference, needs_proof);
        let mut text = format!("{reference} · {}\n", target_text(&report.target));
        let names: Vec<String> = report
            .registrations
            .iter()
            .map(|item| escaped(format!("{}/{}", item.flow, item.deployment)))
            .collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let width = width.min(NAME_WIDTH);
        for (item, name) in report.registrations.iter().zip(&names) {
            self.write_item(&mut text, item, name, width);
        }
        for problem in report.errors.iter().filter(|problem| problem.is_error()) {
            let _ = writeln!(text, "  {BAD}{:<10}{BAD:#} {}", "failed", problem_line(problem));
        }
        let _ = writeln!(text, "{}", summary_line(report));
        self.human(&text);
        if self.verbosity == Verbosity::Quiet {
            for (item, name) in report.registrations.iter().zip(&names) {
                if let Some(error) = &item.error {
                    let message = format!("{name}: {}", error.message);
                    super::to_stderr(&ErrorReport { message, ..error.clone() }.lines());
                }
            }
        }
    }

    fn write_item(&self, text: &mut String, item: &ItemReport, name: &str, width: usize) {
        let word = item.outcome.unwrap_or(item.action);
        if matches!(word, "unchanged") && !self.is_verbose() {
            return;
        }
        let style = style_of(word);
        let is_plan = item.outcome.is_none();
        let detail = match (&item.error, word) {
            (Some(error), _) => error.message.clone(),
            (None, "updated") => changes_line(&item.changes),
            _ => item.entrypoint.clone(),
        };
        let _ = writeln!(text, "  {style}{word:<10}{style:#} {name:<width$}  {}", escaped(detail));
        for hint in item.error.iter().flat_map(|error| &error.hints) {
            let _ = writeln!(text, "  {:<10} {DIM}hint: {}{DIM:#}", "", escaped(hint));
        }
        if is_plan || self.is_verbose() {
            let has_fields = item.changes.iter().any(|change| !change.is_mark());
            item.changes
                .iter()
                .filter(|change| self.is_verbose() || !has_fields || !change.is_mark())
                .for_each(|change| write_change(text, change));
        }
    }
}

fn style_of(word: &str) -> Style {
    match word {
        "create" | "created" => GOOD,
        "update" | "updated" | "remove" | "removed" => CHANGED,
        "refuse" | "refused" | "failed" => BAD,
        _ => DIM,
    }
}

fn summary_line(report: &RunReport) -> String {
    let mut parts: Vec<String> = report
        .summary
        .0
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {}", counted(word)))
        .collect();
    if parts.is_empty() {
        parts.push("no flows".to_owned());
    }
    let mut line = parts.join(" · ");
    if let Some(milliseconds) = report.duration_ms {
        let _ = write!(line, "   {}.{} s", milliseconds / 1000, milliseconds % 1000 / 100);
    }
    line
}

/// What follows the number in the last line.
fn counted(word: &str) -> &str {
    match word {
        "create" => "to create",
        "update" => "to update",
        "remove" => "to remove",
        "refuse" => "refused",
        _ => word,
    }
}

/// `version v1.3.2 → v1.4.0, pull_steps, parameters +since`
fn changes_line(changes: &[ChangeReport]) -> String {
    let has_fields = changes.iter().any(|change| !change.is_mark());
    changes
        .iter()
        .filter(|change| !has_fields || !change.is_mark())
        .map(|change| match (change.field.as_str(), &change.from, &change.to) {
            ("parameter_openapi_schema", from, to) => schema_change(from, to),
            ("version", Value::String(from), Value::String(to)) => format!("version {from} → {to}"),
            (field, ..) => field.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

/// `parameters +since -until ~days`
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

/// Whether two properties differ only in their position in the signature.
fn is_same_but_moved(left: &Value, right: &Value) -> bool {
    let fixed = |value: &Value| {
        let mut value = value.clone();
        if let Some(object) = value.as_object_mut() {
            object.shift_remove("position");
        }
        value
    };
    crate::model::json_equal(&fixed(left), &fixed(right))
}

fn write_change(text: &mut String, change: &ChangeReport) {
    if change.field == "parameter_openapi_schema" {
        let what = schema_change(&change.from, &change.to);
        let _ = writeln!(text, "      {DIM}{:<32}{DIM:#} {what}", change.field);
        return;
    }
    if change.field == "schedules" {
        return write_schedules(text, &change.from, &change.to);
    }
    write_leaves(text, &change.field, &change.from, &change.to);
}

/// A line for each schedule that comes, goes, or is switched.
fn write_schedules(text: &mut String, from: &Value, to: &Value) {
    let listed = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().map(schedule_text).collect()
    };
    let (before, after) = (listed(from), listed(to));
    let gone = before.iter().filter(|one| !after.contains(one)).map(|one| ('-', one));
    let new = after.iter().filter(|one| !before.contains(one)).map(|one| ('+', one));
    for (sign, schedule) in gone.chain(new) {
        let _ =
            writeln!(text, "      {DIM}{:<32}{DIM:#} {sign} {}", "schedules", escaped(schedule));
    }
}

/// `cron 0 3 * * *, timezone Europe/Berlin, off`
fn schedule_text(schedule: &Value) -> String {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let rule = schedule.get("schedule").and_then(Value::as_object);
    let mut parts: Vec<String> = rule
        .into_iter()
        .flatten()
        .filter(|(_, value)| !value.is_null())
        .map(|(name, value)| format!("{name} {}", plain(value)))
        .collect();
    let parameters = schedule.get("parameters").and_then(Value::as_object);
    if parameters.is_some_and(|parameters| !parameters.is_empty()) {
        parts.push("with parameters".to_owned());
    }
    if schedule.get("active") == Some(&Value::Bool(false)) {
        parts.push("off".to_owned());
    }
    parts.join(", ")
}

/// A line for each value that differs: `pull_steps[0].git_clone.branch   v1.0.0 → v1.1.0`.
fn write_leaves(text: &mut String, path: &str, from: &Value, to: &Value) {
    match (from, to) {
        _ if crate::model::json_equal(from, to) => {}
        (Value::Object(before), Value::Object(after)) => {
            let removed = before.keys().filter(|key| !after.contains_key(*key));
            for key in after.keys().chain(removed) {
                let (from, to) = (before.get(key), after.get(key));
                // The last part of `prefect.deployments.steps.git_clone` says enough.
                let name = key.rsplit('.').next().unwrap_or(key);
                let (from, to) = (from.unwrap_or(&Value::Null), to.unwrap_or(&Value::Null));
                write_leaves(text, &format!("{path}.{name}"), from, to);
            }
        }
        (Value::Array(before), Value::Array(after)) if before.len() == after.len() => {
            for (index, (from, to)) in before.iter().zip(after).enumerate() {
                write_leaves(text, &format!("{path}[{index}]"), from, to);
            }
        }
        _ => {
            let _ = writeln!(text, "      {DIM}{path:<32}{DIM:#} {} → {}", short(from), short(to));
        }
    }
}

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
