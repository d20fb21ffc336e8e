//! `flowreg register` and `flowreg plan`: one screen, result first.

use std::fmt::Write;

use anstyle::Style;
use serde::Serialize;
use serde_json::Value;

use super::flows::problem_line;
use super::reference::reference_line;
use super::{BAD, CHANGED, DIM, ErrorReport, GOOD, Printer};
use crate::model::{CodeReference, FlowProblem, TargetDescription, TargetKind};
use crate::registration::Change;

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
    pub changes: Vec<Change>,
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

impl Printer {
    /// Prints a plan, or a run and what became of it.
    pub fn run(&self, report: &RunReport) {
        if self.is_json {
            return super::print_json(report);
        }
        let mut text =
            format!("{} · {}\n", reference_line(&report.reference), target_text(&report.target));
        let names: Vec<String> = report
            .registrations
            .iter()
            .map(|item| format!("{}/{}", item.flow, item.deployment))
            .collect();
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        for (item, name) in report.registrations.iter().zip(&names) {
            self.write_item(&mut text, item, name, width);
        }
        for problem in report.errors.iter().filter(|problem| problem.is_error()) {
            let _ = writeln!(text, "  {BAD}{:<10}{BAD:#} {}", "failed", problem_line(problem));
        }
        let _ = writeln!(text, "{}", summary_line(report));
        self.human(&text);
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
        let _ = writeln!(text, "  {style}{word:<10}{style:#} {name:<width$}  {detail}");
        for hint in item.error.iter().flat_map(|error| &error.hints) {
            let _ = writeln!(text, "  {:<10} {DIM}hint: {hint}{DIM:#}", "");
        }
        if is_plan || self.is_verbose() {
            item.changes.iter().for_each(|change| write_change(text, change));
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
        .map(|(word, count)| format!("{count} {word}"))
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

/// `version v1.3.2 → v1.4.0, pull_steps, parameters +since`
fn changes_line(changes: &[Change]) -> String {
    let has_fields = changes.iter().any(|change| !is_mark(change));
    changes
        .iter()
        .filter(|change| !has_fields || !is_mark(change))
        .map(|change| match (change.field.as_str(), &change.from, &change.to) {
            ("parameter_openapi_schema", from, to) => schema_change(from, to),
            ("version", Value::String(from), Value::String(to)) => format!("version {from} → {to}"),
            (field, ..) => field.to_owned(),
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn is_mark(change: &Change) -> bool {
    change.field.starts_with("labels.")
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

fn write_change(text: &mut String, change: &Change) {
    let (from, to) = (short(&change.from), short(&change.to));
    let what = match change.field.as_str() {
        "parameter_openapi_schema" => schema_change(&change.from, &change.to),
        _ => format!("{from} → {to}"),
    };
    let _ = writeln!(text, "      {DIM}{:<24}{DIM:#} {what}", change.field);
}

fn short(value: &Value) -> String {
    let text = match value {
        Value::Null => return "(none)".to_owned(),
        Value::String(text) => text.replace('\n', "\\n"),
        other => other.to_string(),
    };
    if text.chars().count() <= VALUE_WIDTH {
        return text;
    }
    text.chars().take(VALUE_WIDTH - 1).chain(['…']).collect()
}
