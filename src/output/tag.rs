//! `flowreg tag`: for people, as JSON, as lines for a CI provider, as Markdown for its summary.

use std::fmt::Write;

use serde::Serialize;

use super::{BAD, CHANGED, DIM, ErrorReport, GOOD, Printer, RunReport, counted, markdown};
use crate::registration::PlanSummary;
use crate::run::{AffectedSource, TagOutcome, TaggedCommit};
use flowreg_model::{CommitId, RemoteName, TagName, escaped};

/// What `flowreg tag` found out and did.
#[derive(Debug, Serialize)]
pub(crate) struct TagReport {
    /// The tag; `None` if there is none to make.
    pub tag: Option<TagName>,
    /// Its version, without the prefix.
    pub version: Option<String>,
    /// The commit that it is of.
    pub commit: CommitId,
    /// The tag before it, as far as it is known.
    pub previous: Option<TagName>,
    /// Whether this run made it.
    pub created: bool,
    /// Whether everything is registered at it.
    pub registered: bool,
    /// What became of it.
    pub outcome: TagOutcome,
    /// The remote that was asked.
    pub remote: Option<RemoteName>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
    /// Where there is nothing to release: the flows that are affected since the last tag all the same.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub affected: Vec<AffectedSource>,
    /// What became of the registrations, or would.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registration: Option<RunReport>,
    /// Why no tag is made, or nothing could be registered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ErrorReport>,
}

impl TagReport {
    /// A report without registrations.
    pub(crate) fn new(tagged: TaggedCommit) -> Self {
        let TaggedCommit { tag, commit, previous, outcome, remote, notices, affected } = tagged;
        let (tag, version) = tag.unzip();
        Self {
            tag,
            version,
            commit,
            previous,
            created: outcome == TagOutcome::Created,
            registered: false,
            outcome,
            remote,
            notices,
            affected,
            registration: None,
            error: None,
        }
    }

    /// `name=value` lines, a form that GitHub's output files and dotenv files have in common.
    ///
    /// Nothing has to be quoted: git takes neither line breaks nor blanks in the name of a tag.
    pub(crate) fn pairs(&self) -> String {
        let text = |tag: Option<&TagName>| tag.map(ToString::to_string).unwrap_or_default();
        // A tag that was refused must not look like one that exists: the lines have no outcome.
        let is_none = matches!(self.outcome, TagOutcome::Refused | TagOutcome::Declined);
        let tag = self.tag.as_ref().filter(|_| !is_none);
        let version = self.version.clone().filter(|_| !is_none);
        let values = [
            ("tag", text(tag)),
            ("version", version.unwrap_or_default()),
            ("commit", self.commit.to_string()),
            ("previous", text(self.previous.as_ref())),
            ("created", self.created.to_string()),
            ("registered", self.registered.to_string()),
        ];
        values.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    /// For the summary of a build.
    pub(crate) fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", self.headline());
        for notice in &self.notices {
            let _ = writeln!(text, "> {}\n", markdown::plain(notice));
        }
        if let Some(headline) = self.affected_headline() {
            let _ = writeln!(text, "{}\n", markdown::plain(&headline));
            for line in self.affected_lines() {
                let _ = writeln!(text, "- {}", markdown::plain(&line));
            }
        }
        if let Some(registration) = &self.registration {
            text.push_str(&markdown::run(registration));
        }
        if let Some(error) = &self.error {
            text.push_str(&markdown::error(error));
        }
        text
    }

    /// A line for each flow that is affected though nothing is released:
    /// `nightly-sync (flows/sync.py → lib/tables.py)`.
    fn affected_lines(&self) -> Vec<String> {
        let line = |one: &AffectedSource| {
            let mut chain = one.affected_by.join(" → ");
            if one.removed {
                chain.push_str(", removed");
            }
            match &one.flow {
                Some(flow) => format!("{flow} ({chain})"),
                None => chain,
            }
        };
        self.affected.iter().map(line).collect()
    }

    /// `2 flows are affected by what changed since v1.4.0:`
    fn affected_headline(&self) -> Option<String> {
        let verb = match self.affected.len() {
            0 => return None,
            1 => "is",
            _ => "are",
        };
        let count = counted(self.affected.len(), "flow");
        let since = self.previous.as_ref().map(|tag| format!(" since {tag}")).unwrap_or_default();
        Some(format!("{count} {verb} affected by what changed{since}:"))
    }

    /// What is not released: the notices, and the flows that are affected all the same.
    fn nothing_lines(&self) -> Vec<String> {
        let affected = self.affected_lines().into_iter().map(|line| format!("  {line}"));
        self.notices.iter().cloned().chain(self.affected_headline()).chain(affected).collect()
    }

    /// `Tag v1.4.0 created, after v1.3.2, at 3f2a91c`
    fn headline(&self) -> String {
        let Some(tag) = &self.tag else {
            return format!("No tag for {}", self.commit.short());
        };
        let word = match self.outcome {
            TagOutcome::Created => "created",
            TagOutcome::Exists => "exists already",
            TagOutcome::Refused | TagOutcome::Declined => "was not made",
            _ => "comes next",
        };
        let after =
            self.previous.as_ref().map(|tag| format!(", after {}", markdown::plain(tag.as_str())));
        let (tag, after) = (markdown::plain(tag.as_str()), after.unwrap_or_default());
        format!("Tag {tag} {word}{after}, at {}", self.commit.short())
    }
}

/// `publish tag v1.5.0 at 3f2a91c on origin, and register 2 new and 1 changed? It can't be taken back`
pub(crate) fn publish_question(tagged: &TaggedCommit, plan: Option<PlanSummary>) -> String {
    let tag = tagged.tag.as_ref().map(|(tag, _)| escaped(tag)).unwrap_or_default();
    let remote = tagged.remote.as_ref().map(|remote| format!(" on {remote}")).unwrap_or_default();
    let plan = plan.map(|PlanSummary { create, update, .. }| {
        format!(", and register {create} new and {update} changed")
    });
    let at = tagged.commit.short();
    format!("publish tag {tag} at {at}{remote}{}? It can't be taken back", plan.unwrap_or_default())
}

impl Printer {
    /// Prints what became of the tag; only its name if nothing else was asked for.
    pub(crate) fn tag(&self, report: &TagReport, is_print: bool) {
        if self.is_json {
            return self.json(report);
        }
        if self.is_markdown {
            return self.markdown(report.markdown());
        }
        // Without a tag the notices are the result ("nothing changed since v1.2.0"), and are printed
        // below as such.
        let has_tag = report.tag.is_some();
        if has_tag {
            self.warnings(&report.notices);
        }
        if is_print {
            // Standard output is for `$(flowreg tag --print)`: the name of the tag, or nothing at
            // all. Why there is no tag goes to standard error.
            if !has_tag {
                report.nothing_lines().iter().for_each(|line| self.remark(line));
            }
            if let Some(tag) = &report.tag {
                self.print(&format!("{tag}\n"));
            }
            return;
        }
        let mut text = String::new();
        match &report.tag {
            None => report.nothing_lines().iter().for_each(|line| {
                let _ = writeln!(text, "{}", escaped(line));
            }),
            Some(tag) => {
                let (word, style) = match report.outcome {
                    TagOutcome::Created => ("created", GOOD),
                    TagOutcome::Next => ("would create", CHANGED),
                    TagOutcome::Refused | TagOutcome::Declined => ("not created:", BAD),
                    _ => ("exists", DIM),
                };
                let place = report.remote.as_ref().map(|remote| format!(" on {remote}"));
                let after = report.previous.as_ref().map(|tag| format!(", after {tag}"));
                let _ = writeln!(
                    text,
                    "{style}{word}{style:#} tag {} at {}{}{}",
                    escaped(tag),
                    report.commit.short(),
                    place.unwrap_or_default(),
                    escaped(after.unwrap_or_default()),
                );
            }
        }
        self.human(&text);
        if let Some(registration) = &report.registration {
            self.run(registration);
        }
    }
}
