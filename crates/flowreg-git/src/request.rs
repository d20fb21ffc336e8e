//! Requests to resolve a code reference, and the form of the answer: plain data, no decisions.

use serde::{Deserialize, Serialize};

use super::ReferenceError;
use super::tagging::SeriesSet;
use flowreg_model::{CodeReference, CommitId, ReferenceName, RemoteName};

/// What to do with a mainline branch whose commit carries no tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Untagged {
    /// Register nothing.
    #[default]
    Refuse,
    /// Register the branch: workers follow it.
    Branch,
    /// Register the branch's commit.
    Commit,
}

/// What a mainline registration is pinned by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Pin {
    /// The name of the tag.
    #[default]
    Tag,
    /// The full id of the commit.
    Commit,
}

/// The rules by which a name becomes a code reference: the repository's settings, and what the
/// target asks for.
#[derive(Debug, Clone)]
pub struct ReferenceRules {
    /// The remote that workers clone from, as `--remote` or `repository.remote` names it; `None`:
    /// `origin`, else the only one.
    pub remote: Option<RemoteName>,
    /// Globs of the branches that are mainline.
    pub mainline: Vec<String>,
    /// What to do with a mainline branch whose commit carries no tag.
    pub untagged: Untagged,
    /// What a mainline registration is pinned by.
    pub pin: Pin,
    /// The series of versions, which pin mainline branches.
    pub series: SeriesSet,
    /// Whether workers can check out lightweight tags only: those of Prefect 1.
    pub lightweight: bool,
    /// Whether the remote is asked for proof; not with `--offline` and for the local target.
    pub ask_remote: bool,
}

impl Default for ReferenceRules {
    fn default() -> Self {
        Self {
            remote: None,
            mainline: vec!["main".to_owned(), "master".to_owned()],
            untagged: Untagged::default(),
            pin: Pin::default(),
            series: SeriesSet::default(),
            lightweight: false,
            ask_remote: true,
        }
    }
}

/// A request to find the code reference on the ladder.
#[derive(Debug, Clone, Default)]
pub struct ReferenceRequest {
    /// `--tag`.
    pub tag: Option<String>,
    /// `--branch`.
    pub branch: Option<String>,
    /// `--strict`: nothing below the active branch is tried.
    pub strict: bool,
    /// The rules that apply to whatever name the ladder finds.
    pub rules: ReferenceRules,
}

impl From<ReferenceRules> for ReferenceRequest {
    /// The request of a run without flags.
    fn from(rules: ReferenceRules) -> Self {
        Self { rules, ..Self::default() }
    }
}

/// A branch or tag that was pushed, at the commit that the push put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushedReference {
    /// The branch or the tag.
    pub name: ReferenceName,
    /// The commit, annotated tags peeled.
    pub commit: CommitId,
}

/// What became of one rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RungOutcome {
    /// It decided.
    Taken,
    /// It has a value that says nothing about the reference.
    Skipped,
    /// It has a value that can't be right.
    Refused,
    /// It has no value.
    Unset,
    /// A rung above decided.
    NotReached,
}

/// One rung of the ladder, from the top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rung {
    /// `--tag`, `--branch`, `BUILD_TAG`, `GIT_BRANCH`, `active branch`, `CI` or `git`.
    pub rung: &'static str,
    /// The value as it was found, control characters escaped.
    pub value: Option<String>,
    /// What became of it.
    pub outcome: RungOutcome,
    /// Why, in words.
    pub reason: Option<String>,
}

/// The answer, and how it came about.
#[derive(Debug, Clone)]
pub struct Resolution {
    /// Every rung, from the top; empty for a push, which needs no ladder.
    pub ladder: Vec<Rung>,
    /// The code reference, or why there is none.
    pub reference: Result<CodeReference, ReferenceError>,
    /// The tags of further series at the commit of a mainline branch: each package of the repository is
    /// pinned to its own.
    pub further: Vec<CodeReference>,
    /// What the user should know although it stops nothing.
    pub notices: Vec<String>,
}
