//! What a run reports: the JSON object of `plan` and `register`, and the texts that the forms for people
//! and for Markdown share.

use std::fmt::Write;

use serde::Serialize;

use super::ErrorReport;
use super::cause::Listed;
use super::changes::ChangeReport;
use crate::registration::Kept;
use flowreg_model::{CodeReference, FlowProblem, TargetDescription, TargetKind};

/// A run: what was planned, and what became of it if it was carried out.
#[derive(Debug, Serialize)]
pub(crate) struct RunReport {
    /// The target.
    pub target: TargetDescription,
    /// The repository's URL.
    pub repository: String,
    /// The code reference.
    pub reference: CodeReference,
    /// The tags of further packages at the same commit.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub further: Vec<CodeReference>,
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

/// One registration of a run, as `docs/json.md` documents it.
#[derive(Debug, Serialize)]
pub(crate) struct ItemReport {
    /// The flow.
    pub flow: String,
    /// The deployment.
    pub deployment: String,
    /// `path.py:function`.
    pub entrypoint: String,
    /// The tag, where packages are registered at tags of their own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// What has to be done.
    pub action: &'static str,
    /// What became of it; `None` in a plan.
    pub outcome: Option<&'static str>,
    /// The target's id.
    pub id: Option<String>,
    /// What changes.
    pub changes: Vec<ChangeReport>,
    /// What stays although the repository does not declare it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kept: Vec<Kept>,
    /// Why it was refused or failed.
    pub error: Option<ErrorReport>,
}

impl Listed for ItemReport {
    fn name(&self) -> String {
        format!("{}/{}", self.flow, self.deployment)
    }

    fn word(&self) -> &str {
        self.outcome.unwrap_or(self.action)
    }

    fn error(&self) -> Option<&ErrorReport> {
        self.error.as_ref()
    }
}

/// Counts by action for a plan, by outcome for a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RunSummary(pub Vec<(&'static str, usize)>);

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

/// `1 created · 2 updated   0.1 s`; counts of zero are left out.
pub(super) fn summary_line(report: &RunReport) -> String {
    let mut parts: Vec<String> = report
        .summary
        .0
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(word, count)| format!("{count} {}", summary_word(word)))
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
fn summary_word(word: &str) -> &str {
    match word {
        "create" => "to create",
        "update" => "to update",
        "remove" => "to remove",
        "refuse" => "refused",
        "left_out" => "left out",
        _ => word,
    }
}
