//! `flowreg reference`, and the line about the reference that begins most other outputs.

use std::fmt::Write;

use serde::Serialize;

use super::{BAD, DIM, ErrorReport, GOOD, Printer};
use flowreg_git::{Rung, RungOutcome};
use flowreg_model::{CodeReference, escaped};

/// The code reference and how it was found.
#[derive(Debug, Serialize)]
pub(crate) struct ReferenceReport<'a> {
    /// The answer; `None` if there is none.
    pub reference: Option<&'a CodeReference>,
    /// The tags of further packages at the same commit.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub further: &'a [CodeReference],
    /// Every rung, top to bottom.
    pub ladder: &'a [Rung],
    /// What is worth knowing and stops nothing.
    pub notices: &'a [String],
    /// Whether the target's workers clone from the remote.
    #[serde(skip)]
    pub needs_proof: bool,
    /// Why there is no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

/// `tag v1.4.0 (BUILD_TAG) at 3f2a91c on origin`; with tags of further packages at the same commit
/// `tags etl/v1.2.0 and ml/v2.0.1 (active branch main) at 3f2a91c on origin`.
///
/// `needs_proof`: workers will clone from the remote, so that a missing proof is worth a word.
pub(super) fn reference_line(
    reference: &CodeReference,
    further: &[CodeReference],
    needs_proof: bool,
) -> String {
    let proof = match &reference.remote {
        Some(remote) if reference.proved => format!(" on {remote}"),
        Some(remote) if needs_proof => format!(", not proved on {remote}"),
        _ => String::new(),
    };
    let names = std::iter::once(reference).chain(further).map(|one| one.name.as_str());
    let (kind, several) = (reference.name.kind(), if further.is_empty() { "" } else { "s" });
    format!(
        "{kind}{several} {} ({}) at {}{proof}",
        names.collect::<Vec<_>>().join(" and "),
        reference.source_detail,
        reference.commit.short()
    )
}

impl Printer {
    /// Prints the reference, and the ladder if it is asked for.
    pub(crate) fn reference(&self, report: &ReferenceReport<'_>, explain: bool) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(report.notices);
        let mut text = String::new();
        if let Some(reference) = report.reference {
            let channel = reference.channel.as_str();
            let line = reference_line(reference, report.further, report.needs_proof);
            let _ = writeln!(text, "{line} · {channel}");
        }
        if explain {
            if report.reference.is_some() {
                text.push('\n');
            }
            report.ladder.iter().for_each(|rung| write_rung(&mut text, rung));
        }
        self.human(&text);
        if let Some(error) = &report.error {
            super::to_stderr(&error.lines());
        }
    }
}

/// One rung: its name, what became of it, its value and the reason.
fn write_rung(text: &mut String, rung: &Rung) {
    let (word, style) = match rung.outcome {
        RungOutcome::Taken => ("taken", GOOD),
        RungOutcome::Skipped => ("skipped", DIM),
        RungOutcome::Refused => ("refused", BAD),
        RungOutcome::Unset => ("unset", DIM),
        RungOutcome::NotReached => ("not reached", DIM),
    };
    let said: Vec<&str> =
        [&rung.value, &rung.reason].into_iter().flatten().map(String::as_str).collect();
    // No blanks at the end of a line where neither a value nor a reason follows.
    let padding = if said.is_empty() { 0 } else { 13 - word.len() };
    let said = escaped(said.join("  "));
    let _ = writeln!(text, "  {:<14} {style}{word}{style:#}{:padding$}{said}", rung.rung, "");
}
