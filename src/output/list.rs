//! `flowreg list`.

use std::fmt::Write;

use serde::Serialize;

use super::run_report::target_text;
use super::{NAME_WIDTH, Printer};
use flowreg_model::{TargetDescription, escaped};

/// What the target holds.
#[derive(Debug, Serialize)]
pub(crate) struct ListReport {
    /// The target.
    pub target: TargetDescription,
    /// What flowreg registered there, by name.
    pub registrations: Vec<ListedRegistration>,
}

/// One registration.
#[derive(Debug, Serialize)]
pub(crate) struct ListedRegistration {
    /// The flow.
    pub flow: String,
    /// The deployment.
    pub deployment: String,
    /// `path.py:function`.
    pub entrypoint: Option<String>,
    /// `branch` or `tag`.
    pub kind: Option<&'static str>,
    /// The branch or the tag.
    pub reference: Option<String>,
    /// The pinned commit.
    pub commit: Option<String>,
    /// The repository's URL.
    pub repository: String,
    /// RFC 3339.
    pub registered_at: Option<String>,
}

impl Printer {
    /// Prints what the target holds.
    pub(crate) fn list(&self, report: &ListReport) {
        if self.is_json {
            return self.json(report);
        }
        let mut text = format!("{}\n", target_text(&report.target));
        let names: Vec<String> = report
            .registrations
            .iter()
            .map(|one| escaped(format!("{}/{}", one.flow, one.deployment)))
            .collect();
        let name_width = names.iter().map(|name| name.chars().count()).max().unwrap_or(0);
        let name_width = name_width.min(NAME_WIDTH);
        let references: Vec<String> = report.registrations.iter().map(reference_text).collect();
        let width = references.iter().map(|text| text.chars().count()).max().unwrap_or(0);
        for ((one, name), reference) in report.registrations.iter().zip(&names).zip(&references) {
            let entrypoint = escaped(one.entrypoint.as_deref().unwrap_or(""));
            let line = format!("  {name:<name_width$}  {reference:<width$}  {entrypoint}");
            // The padding of the last column would be blanks at the end of the line.
            let _ = writeln!(text, "{}", line.trim_end());
        }
        let _ = writeln!(text, "{}", super::counted(report.registrations.len(), "registration"));
        self.human(&text);
    }
}

/// `tag v1.4.0 at 3f2a91c`; a branch has no commit, as workers take its newest one.
fn reference_text(one: &ListedRegistration) -> String {
    let name = escaped(one.reference.as_deref().unwrap_or("?"));
    match one.commit.as_deref().and_then(|commit| commit.get(..7)) {
        Some(commit) => format!("{} {name} at {commit}", one.kind.unwrap_or("")),
        None => format!("{} {name}", one.kind.unwrap_or("")),
    }
}
