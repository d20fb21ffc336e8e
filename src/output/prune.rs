//! `flowreg prune`: registrations of branches that the remote no longer has.

use std::fmt::Write;

use serde::Serialize;

use super::cause::{Listed, by_cause, headline};
use super::run_report::target_text;
use super::{BAD, CHANGED, ErrorReport, Printer};
use flowreg_model::{BranchName, TargetDescription, escaped};

/// What was removed, or would be.
#[derive(Debug, Serialize)]
pub(crate) struct PruneReport {
    /// The target.
    pub target: TargetDescription,
    /// One entry a deployment.
    pub registrations: Vec<PrunedRegistration>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
}

/// One registration of a branch that is gone.
#[derive(Debug, Serialize)]
pub(crate) struct PrunedRegistration {
    /// The flow.
    pub flow: String,
    /// The deployment.
    pub deployment: String,
    /// The branch.
    pub branch: BranchName,
    /// `remove` (with `--dry-run`), `removed` or `failed`.
    pub outcome: &'static str,
    /// Why it could not be removed.
    pub error: Option<ErrorReport>,
}

impl Listed for PrunedRegistration {
    fn name(&self) -> String {
        format!("{}/{}", self.flow, self.deployment)
    }

    fn word(&self) -> &str {
        self.outcome
    }

    fn error(&self) -> Option<&ErrorReport> {
        self.error.as_ref()
    }
}

impl Printer {
    /// Prints what was removed.
    pub(crate) fn prune(&self, report: &PruneReport) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(&report.notices);
        let mut text = format!("{}\n", target_text(&report.target));
        for group in by_cause(&report.registrations, self.is_verbose()) {
            let Some(one) = group.first() else { continue };
            let style = if one.error.is_some() { BAD } else { CHANGED };
            let _ = write!(text, "  {style}{:<10}{style:#} ", one.outcome);
            let _ = match (&group[..], &one.error) {
                ([_, _, ..], Some(error)) => {
                    writeln!(text, "{}", escaped(headline(&group, error)))
                }
                (_, Some(error)) => {
                    writeln!(text, "{}  {}", escaped(one.name()), escaped(error.text()))
                }
                (_, None) => {
                    writeln!(text, "{}  {} is gone", escaped(one.name()), escaped(&one.branch))
                }
            };
        }
        let count = |word| report.registrations.iter().filter(|one| one.outcome == word).count();
        let _ = match (count("remove"), count("removed"), count("failed")) {
            (0, 0, 0) => writeln!(text, "nothing to remove"),
            (0, removed, 0) => writeln!(text, "{removed} removed"),
            (0, removed, failed) => writeln!(text, "{removed} removed · {failed} failed"),
            (planned, ..) => writeln!(text, "{planned} to remove"),
        };
        self.human(&text);
    }
}
