//! `flowreg register` and `flowreg plan` for people: a line a registration, the counts last.

use std::fmt::Write;

use anstyle::Style;

use super::changes::{changes_line, write_change};
use super::flows::problem_line;
use super::reference::reference_line;
use super::run_report::{ItemReport, RunReport, summary_line, target_text};
use super::{BAD, CHANGED, DIM, ErrorReport, GOOD, NAME_WIDTH, Printer, Verbosity};
use flowreg_model::{TargetKind, escaped};

impl Printer {
    /// Prints a plan, or a run and what became of it.
    pub(crate) fn run(&self, report: &RunReport) {
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
        // Of all names, also of those that are not shown: the columns don't move from run to run.
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
        // With `-q` the screen above is not printed, and errors must not get lost with it.
        if self.verbosity == Verbosity::Quiet {
            for (item, name) in report.registrations.iter().zip(&names) {
                if let Some(error) = &item.error {
                    let message = format!("{name}: {}", error.message);
                    super::to_stderr(&ErrorReport { message, ..error.clone() }.lines());
                }
            }
        }
    }

    /// A registration: what has to be or was done with it, and details where they are wanted.
    fn write_item(&self, text: &mut String, item: &ItemReport, name: &str, width: usize) {
        let word = item.outcome.unwrap_or(item.action);
        if matches!(word, "unchanged") && !self.is_verbose() {
            return;
        }
        let style = style_of(word);
        let is_plan = item.outcome.is_none();
        // One line has room for one thing: why it failed, else what changed, else which flow it is.
        let detail = match (&item.error, word) {
            (Some(error), _) => error.message.clone(),
            (None, "updated") => changes_line(&item.changes),
            _ => item.entrypoint.clone(),
        };
        let _ = writeln!(text, "  {style}{word:<10}{style:#} {name:<width$}  {}", escaped(detail));
        for hint in item.error.iter().flat_map(|error| &error.hints) {
            let _ = writeln!(text, "  {:<10} {DIM}hint: {}{DIM:#}", "", escaped(hint));
        }
        // A plan is read to decide, so it shows each field; what `register` did fits on a line.
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
