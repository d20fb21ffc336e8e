//! `flowreg register` and `flowreg plan`: one screen, result first.

use std::fmt::Write;

use anstyle::Style;
use serde::Serialize;

use super::changes::{ChangeReport, changes_line, write_change};
use super::flows::problem_line;
use super::reference::reference_line;
use super::{BAD, CHANGED, DIM, ErrorReport, GOOD, NAME_WIDTH, Printer, Verbosity};
use crate::model::{CodeReference, FlowProblem, TargetDescription, TargetKind, escaped};

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

impl Printer {
    /// Prints a plan, or a run and what became of it.
    pub fn run(&self, report: &RunReport) {
        if self.is_json {
            return self.json(report);
        }
        if self.is_markdown {
            return self.print(&super::markdown::run(report));
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

pub(super) fn summary_line(report: &RunReport) -> String {
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
        "left_out" => "left out",
        _ => word,
    }
}
