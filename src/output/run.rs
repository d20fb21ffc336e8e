//! `flowreg register` and `flowreg plan` for people: a line a registration, the counts last.

use std::fmt::Write;

use anstyle::Style;

use super::cause::{Listed, by_cause, headline, members};
use super::changes::{changes_line, write_change, write_kept};
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
            return self.markdown(super::markdown::run(report));
        }
        self.warnings(&report.notices);
        let needs_proof = report.target.kind != TargetKind::Local;
        let reference = reference_line(&report.reference, &report.further, needs_proof);
        let mut text = format!("{reference} · {}\n", target_text(&report.target));
        // Of all names, also of those that are not shown: the columns don't move from run to run.
        let widths = report.registrations.iter().map(|item| escaped(item.name()).chars().count());
        let width = widths.max().unwrap_or(0).min(NAME_WIDTH);
        let groups = by_cause(&report.registrations, self.is_verbose());
        for group in &groups {
            match group[..] {
                [item] => self.write_item(&mut text, item, width),
                _ => write_group(&mut text, group),
            }
        }
        for problem in report.errors.iter().filter(|problem| problem.is_error()) {
            let _ = writeln!(text, "  {BAD}{:<10}{BAD:#} {}", "failed", problem_line(problem));
        }
        let _ = writeln!(text, "{}", summary_line(report));
        self.human(&text);
        // With `-q` the screen above is not printed, and errors must not get lost with it.
        if self.verbosity == Verbosity::Quiet {
            for group in &groups {
                let Some((item, others)) = group.split_first() else { continue };
                let Some(error) = &item.error else { continue };
                let mut message = format!("{}: {}", item.name(), error.text());
                if !others.is_empty() {
                    let _ = write!(message, " (the same for {})", members(others));
                }
                super::to_stderr(&ErrorReport { place: None, message, ..error.clone() }.lines());
            }
        }
    }

    /// A registration: what has to be or was done with it, and details where they are wanted.
    fn write_item(&self, text: &mut String, item: &ItemReport, width: usize) {
        let (word, name) = (item.word(), escaped(item.name()));
        if matches!(word, "unchanged") && !self.is_verbose() {
            return;
        }
        let style = style_of(word);
        let is_plan = item.outcome.is_none();
        // One line has room for one thing: why it failed, else what changed, else which flow it is.
        let detail = match (&item.error, word) {
            (Some(error), _) => error.text(),
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
        // Also where the changes are on one line: what nobody declares may start runs.
        item.kept.iter().for_each(|kept| write_kept(text, kept));
    }
}

/// Registrations that were refused or failed for one reason: how many, the reason, and some of them.
fn write_group(text: &mut String, group: &[&ItemReport]) {
    let Some((item, error)) = group.first().and_then(|item| Some((item, item.error.as_ref()?)))
    else {
        return;
    };
    let word = item.word();
    let style = style_of(word);
    let _ = writeln!(text, "  {style}{word:<10}{style:#} {}", escaped(headline(group, error)));
    let _ = writeln!(text, "  {:<10} {DIM}{}{DIM:#}", "", escaped(members(group)));
    for hint in &error.hints {
        let _ = writeln!(text, "  {:<10} {DIM}hint: {}{DIM:#}", "", escaped(hint));
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
