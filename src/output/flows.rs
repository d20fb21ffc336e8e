//! `flowreg flows`.

use std::fmt::Write;

use serde::Serialize;

use super::reference::reference_line;
use super::{BAD, DIM, NAME_WIDTH, Printer, to_stderr};
use crate::model::{CodeReference, Flow, FlowProblem, escaped};

/// The flows at a reference.
#[derive(Debug, Serialize)]
pub struct FlowsReport<'a> {
    /// The reference.
    pub reference: &'a CodeReference,
    /// The flows, by path and line.
    pub flows: &'a [Flow],
    /// What is wrong with the sources.
    pub errors: &'a [FlowProblem],
    /// What is worth knowing and stops nothing.
    pub notices: &'a [String],
}

impl Printer {
    /// Prints the flows; with `-v` why some are not exact.
    pub fn flows(&self, report: &FlowsReport<'_>) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(report.notices);
        let mut text = format!("{}\n", reference_line(report.reference, false));
        let width = report.flows.iter().map(|flow| flow.name.as_str().chars().count()).max();
        let width = width.unwrap_or(0).min(NAME_WIDTH);
        for flow in report.flows {
            let mark = if flow.is_exact() { "" } else { "  not exact" };
            let (name, entrypoint) = (escaped(&flow.name), escaped(&flow.entrypoint));
            let origin = flow.imported_from.as_ref();
            let origin = origin.map_or(String::new(), |from| format!("  is {}", escaped(from)));
            let _ = writeln!(text, "  {name:<width$}  {entrypoint}{DIM}{origin}{mark}{DIM:#}");
            if self.is_verbose() {
                for inexact in &flow.inexact {
                    let _ = writeln!(
                        text,
                        "      {DIM}{}: {}{DIM:#}",
                        inexact.what,
                        escaped(&inexact.reason)
                    );
                }
            }
        }
        let inexact = report.flows.iter().filter(|flow| !flow.is_exact()).count();
        text.push_str(&super::counted(report.flows.len(), "flow"));
        if inexact > 0 {
            let _ = write!(text, " · {inexact} not exact");
        }
        text.push('\n');
        self.human(&text);
        self.problems(report.errors);
    }

    /// Prints what is wrong with sources to standard error, with the place.
    pub fn problems(&self, problems: &[FlowProblem]) {
        if self.is_json {
            return;
        }
        for problem in problems {
            if !problem.is_error() {
                if self.is_verbose() {
                    self.warning(&problem_line(problem));
                }
                continue;
            }
            let mut text = format!("{BAD}error:{BAD:#} {}\n", problem_line(problem));
            for line in problem.excerpt.iter().flat_map(|excerpt| excerpt.lines()) {
                let _ = writeln!(text, "  {}", escaped(line));
            }
            to_stderr(&text);
        }
    }
}

/// `flows/legacy.py:12:5: expected an indented block`
pub(super) fn problem_line(problem: &FlowProblem) -> String {
    let FlowProblem { path, line, column, message, .. } = problem;
    escaped(format!("{path}:{line}:{column}: {message}"))
}
