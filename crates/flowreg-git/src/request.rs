//! What is asked of the resolver, and the form of its answer.

use serde::{Deserialize, Serialize};

use super::ReferenceError;
use flowreg_model::{CodeReference, CommitId, RemoteName};

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

/// What the caller wants to know.
#[derive(Debug, Clone)]
pub struct ReferenceRequest {
    /// `--tag`.
    pub tag: Option<String>,
    /// `--branch`.
    pub branch: Option<String>,
    /// `--remote` or `repository.remote`.
    pub remote: Option<RemoteName>,
    /// `--strict`: nothing below the active branch is tried.
    pub strict: bool,
    /// Globs of the branches that are mainline.
    pub mainline: Vec<String>,
    /// What to do with a mainline branch whose commit carries no tag.
    pub untagged: Untagged,
    /// What a mainline registration is pinned by.
    pub pin: Pin,
    /// Whether workers can check out lightweight tags only: those of Prefect 1.
    pub lightweight: bool,
    /// The commit that a push put there, which the remote was seen to have: it counts instead of
    /// where the local branch or tag is by now.
    pub pushed: Option<CommitId>,
    /// Whether the remote is asked for proof; not with `--offline` and for the local target.
    pub ask_remote: bool,
}

impl Default for ReferenceRequest {
    fn default() -> Self {
        Self {
            tag: None,
            branch: None,
            remote: None,
            strict: false,
            mainline: vec!["main".to_owned(), "master".to_owned()],
            untagged: Untagged::default(),
            pin: Pin::default(),
            lightweight: false,
            pushed: None,
            ask_remote: true,
        }
    }
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
    /// Every rung, from the top.
    pub ladder: Vec<Rung>,
    /// The code reference, or why there is none.
    pub reference: Result<CodeReference, ReferenceError>,
    /// What the user should know although it stops nothing.
    pub notices: Vec<String>,
}
