//! `flowreg flows`, `flows --explain`, and what is wrong with the sources of flows.

use std::fmt::Write;

use serde::Serialize;

use super::reference::reference_line;
use super::{BAD, DIM, NAME_WIDTH, Printer, to_stderr};
use flowreg_model::{CodeReference, CommitId, Explanation, Flow, FlowProblem, FlowSource, escaped};

/// The flows at a reference.
#[derive(Debug, Serialize)]
pub(crate) struct FlowsReport<'a> {
    /// The reference.
    pub reference: &'a CodeReference,
    /// The tags of further packages at the same commit.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub further: &'a [CodeReference],
    /// The commit since which they changed, if only those are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changed_since: Option<&'a CommitId>,
    /// The flows, by path and line.
    pub flows: Vec<ListedFlow<'a>>,
    /// What is wrong with the sources.
    pub errors: &'a [FlowProblem],
    /// What is worth knowing and stops nothing.
    pub notices: &'a [String],
}

/// A flow, and why it is listed.
#[derive(Debug, Serialize)]
pub(crate) struct ListedFlow<'a> {
    /// The flow.
    #[serde(flatten)]
    pub flow: &'a Flow,
    /// From the flow's file along imports to what changed, if only such flows are listed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affected_by: Option<Vec<String>>,
}

/// How flows at a reference came about.
#[derive(Debug, Serialize)]
pub(crate) struct ExplanationsReport<'a> {
    /// The reference.
    pub reference: &'a CodeReference,
    /// The tags of further packages at the same commit.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub further: &'a [CodeReference],
    /// One for each flow that was asked for.
    pub explanations: &'a [Explanation],
    /// What is wrong with the sources.
    pub errors: &'a [FlowProblem],
    /// What is worth knowing and stops nothing.
    pub notices: &'a [String],
}

/// The longest value that is shown to people, in characters.
const LONGEST_VALUE: usize = 200;

/// A value, cut to [`LONGEST_VALUE`].
fn shortened(text: &str) -> String {
    let mut shortened: String = text.chars().take(LONGEST_VALUE).collect();
    if shortened.len() < text.len() {
        shortened.push('…');
    }
    shortened
}

impl Printer {
    /// Prints the flows; with `-v` why some are not exact.
    pub(crate) fn flows(&self, report: &FlowsReport<'_>) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(report.notices);
        let mut text = format!("{}\n", reference_line(report.reference, report.further, false));
        let width =
            report.flows.iter().map(|listed| listed.flow.name.as_str().chars().count()).max();
        let width = width.unwrap_or(0).min(NAME_WIDTH);
        for ListedFlow { flow, affected_by } in &report.flows {
            // Says where an answer differs from the rule, which is that the source alone tells it.
            let mark = match (flow.is_exact(), flow.source) {
                (false, _) => "  not exact",
                (true, FlowSource::Introspected) => "  by Python",
                (true, FlowSource::Static) => "",
            };
            let (name, entrypoint) = (escaped(&flow.name), escaped(&flow.entrypoint));
            let origin = flow.imported_from.as_ref();
            let origin = origin.map_or(String::new(), |from| format!("  is {}", escaped(from)));
            let chain = affected_by.as_ref().map_or(String::new(), |chain| chain_text(flow, chain));
            let _ =
                writeln!(text, "  {name:<width$}  {entrypoint}{chain}{DIM}{origin}{mark}{DIM:#}");
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
        let inexact = report.flows.iter().filter(|listed| !listed.flow.is_exact()).count();
        text.push_str(&super::counted(report.flows.len(), "flow"));
        if inexact > 0 {
            let _ = write!(text, " · {inexact} not exact");
        }
        text.push('\n');
        self.human(&text);
        self.problems(report.errors);
    }

    /// Prints how flows came about.
    pub(crate) fn explanations(&self, report: &ExplanationsReport<'_>) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(report.notices);
        let mut text = format!("{}\n", reference_line(report.reference, report.further, false));
        for explanation in report.explanations {
            let (name, entrypoint) = (escaped(&explanation.flow), escaped(&explanation.entrypoint));
            let _ = writeln!(text, "\n  {name}  {entrypoint}");
            let parts = explanation.evidence.iter().map(|evidence| evidence.part.chars().count());
            let width = parts.max().unwrap_or(0).min(NAME_WIDTH);
            for evidence in &explanation.evidence {
                let part = escaped(&evidence.part);
                let mark = if evidence.exact { "" } else { "not exact: " };
                let rule = escaped(&evidence.rule);
                let _ = writeln!(text, "    {part:<width$}  {DIM}{mark}{rule}{DIM:#}");
                let value = evidence.value.as_ref().map(|value| shortened(&value.to_string()));
                let value = value.unwrap_or_else(|| "—".to_owned());
                let place = escaped(&evidence.place);
                let _ =
                    writeln!(text, "    {:<width$}  {} {DIM}({place}){DIM:#}", "", escaped(value));
            }
            for reason in &explanation.inexact {
                let _ = writeln!(text, "    not exact: {}", escaped(reason));
            }
            if !explanation.imports.is_empty() {
                let imports: Vec<String> = explanation.imports.iter().map(escaped).collect();
                let _ = writeln!(text, "    {DIM}imports {}{DIM:#}", imports.join(", "));
            }
            let searched: Vec<String> = explanation
                .search_path
                .iter()
                .map(|one| format!("{} ({})", escaped(&one.directory), escaped(&one.why)))
                .collect();
            let _ = writeln!(text, "    {DIM}modules from {}{DIM:#}", searched.join(", "));
        }
        self.human(&text);
        self.problems(report.errors);
    }

    /// Prints what is wrong with sources to standard error, with the lines of source around it.
    /// Warnings are for those who ask for details (`-v`); JSON has both in its object.
    pub(crate) fn problems(&self, problems: &[FlowProblem]) {
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

/// `  flows/a.py → lib/x.py`, or `  flows/a.py changed` if it is the flow's own file.
fn chain_text(flow: &Flow, chain: &[String]) -> String {
    let names: Vec<String> = chain.iter().map(escaped).collect();
    match &names[..] {
        [only] if chain.iter().any(|path| path == flow.entrypoint.path()) => {
            format!("  {only} changed")
        }
        names => format!("  {}", names.join(" → ")),
    }
}

/// `flows/legacy.py:12:5: expected an indented block`
pub(super) fn problem_line(problem: &FlowProblem) -> String {
    let FlowProblem { path, line, column, message, .. } = problem;
    escaped(format!("{path}:{line}:{column}: {message}"))
}
