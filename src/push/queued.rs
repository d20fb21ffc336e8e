//! One queued push of one ref: the record in the outbox, and the words for its state.

use std::fmt;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::process::GitProcess;
use crate::store::{Outbox, OutboxError};
use flowreg_git::{RepositoryUrl, Tracking};
use flowreg_model::{CommitId, NameError, ReferenceName, TargetKind};

/// How far a queued push has come. The words are stored in the outbox, and are part of the JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PushState {
    /// It is not known yet whether the push landed.
    Unconfirmed,
    /// The remote did not answer.
    Unanswered,
    /// The remote has it; it is not delivered yet.
    Confirmed,
    /// The remote has it, and the target could not be reached.
    Undelivered,
    /// The target, a guard or an error in the source refused it: a person has to change something.
    Refused,
    /// The branch is gone from the remote; its registrations go with the next `flowreg sync`.
    Removal,
}

impl PushState {
    /// The word that JSON uses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Unconfirmed => "unconfirmed",
            Self::Unanswered => "unanswered",
            Self::Confirmed => "confirmed",
            Self::Undelivered => "undelivered",
            Self::Refused => "refused",
            Self::Removal => "removal",
        }
    }
}

/// The target that was configured where and when the push was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueuedTarget {
    /// Which kind.
    pub kind: TargetKind,
    /// Its address without credentials.
    pub url: Option<String>,
    /// The active profile of the Prefect client, by which its credentials are found again.
    #[serde(default)]
    pub profile: Option<String>,
}

impl QueuedTarget {
    /// Whether both are one target, by whatever profile it is reached.
    pub(crate) fn is(&self, other: &Self) -> bool {
        (self.kind, &self.url) == (other.kind, &other.url)
    }
}

/// ``prefect https://prefect.example.com/api (profile `dev`)``
impl fmt::Display for QueuedTarget {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.kind.as_str())?;
        if let Some(url) = &self.url {
            write!(formatter, " {url}")?;
        }
        match &self.profile {
            Some(profile) => write!(formatter, " (profile `{profile}`)"),
            None => Ok(()),
        }
    }
}

/// A push of one ref that waits in the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct QueuedPush {
    /// Milliseconds since 1970.
    pub queued_at: u64,
    /// The remote's name, or the address again.
    pub remote: String,
    /// The address without credentials.
    pub url: String,
    /// Where git ran the hook; what is not UTF-8 in it is lost.
    pub directory: String,
    /// The full name of the ref on the remote.
    pub reference: String,
    /// What it is to be; `None` for a deletion.
    pub object: Option<CommitId>,
    /// The commit that the object leads to.
    pub commit: Option<CommitId>,
    /// What the remote had, as far as the push knew.
    pub before: Option<CommitId>,
    /// The remote-tracking branch and where its reflog ended when the hook ran; `None` where git keeps
    /// none.
    pub tracking: Option<Tracking>,
    /// The `git push`.
    pub git: Option<GitProcess>,
    /// Where it is to be registered; `None` if the hook could not tell, or did not run: then the first
    /// delivery decides.
    pub target: Option<QueuedTarget>,
    /// Whether the repository is the server: then nothing has to be confirmed.
    pub is_received: bool,
    /// How far it has come.
    pub state: PushState,
    /// Why it still waits.
    pub reason: Option<String>,
    /// When the push was first seen to have ended, milliseconds since 1970.
    pub ended_at: Option<u64>,
    /// How often a delivery was tried.
    pub deliveries: u32,
    /// Whether the same process has gone on to another address of the remote since: then this one has given
    /// its answer, and does not change its mind.
    #[serde(default)]
    pub is_answered: bool,
}

impl QueuedPush {
    /// Whether the push removes the ref.
    pub(crate) fn is_deletion(&self) -> bool {
        self.object.is_none()
    }

    /// The branch or tag without `refs/heads/` and `refs/tags/`.
    pub(crate) fn short_name(&self) -> &str {
        let name = &self.reference;
        name.strip_prefix("refs/heads/").or_else(|| name.strip_prefix("refs/tags/")).unwrap_or(name)
    }

    /// The branch or the tag.
    ///
    /// # Errors
    /// [`NameError`] if git allows the name and flowreg does not.
    pub(crate) fn name(&self) -> Result<ReferenceName, NameError> {
        match self.reference.strip_prefix("refs/tags/") {
            Some(tag) => tag.parse().map(ReferenceName::Tag),
            None => self.short_name().parse().map(ReferenceName::Branch),
        }
    }

    /// `branch`, `tag` or `deletion`.
    pub(crate) fn kind(&self) -> &'static str {
        match self.object {
            None => "deletion",
            Some(_) if self.reference.starts_with("refs/tags/") => "tag",
            Some(_) => "branch",
        }
    }

    /// The address, as something that can be compared.
    pub(crate) fn repository_url(&self) -> RepositoryUrl {
        RepositoryUrl::new(&self.url, Path::new(&self.directory))
    }

    /// When it was queued, RFC 3339 in UTC to the second.
    pub(crate) fn queued_at_text(&self) -> String {
        let milliseconds = i64::try_from(self.queued_at).unwrap_or(i64::MAX);
        let at = jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default();
        at.round(jiff::Unit::Second).unwrap_or(at).to_string()
    }

    /// Whether both are pushes of one ref to one remote, for one target: then only the newer one counts.
    pub(super) fn is_of_same_ref(&self, other: &Self) -> bool {
        let is_same_target = match (&self.target, &other.target) {
            (Some(target), Some(other)) => target.is(other),
            (None, None) => true,
            _ => false,
        };
        let is_same_remote = self.remote == other.remote && self.url == other.url;
        self.reference == other.reference && is_same_remote && is_same_target
    }

    /// Whether another push shows that this one has its answer: git pushes to the addresses of a remote one after
    /// the other, and runs the hook for each.
    pub(super) fn is_answered_before(&self, other: &Self) -> bool {
        self.git.is_some()
            && self.git == other.git
            && self.remote == other.remote
            && self.url != other.url
            && self.queued_at <= other.queued_at
    }

    /// `refs/heads/x 3f2a91c origin`
    pub(super) fn label(&self) -> String {
        let what = self.object.as_ref().map_or("(deleted)", CommitId::short);
        format!("{} {what} {}", self.reference, self.remote)
    }
}

/// A record of the outbox, or why it can't be read.
#[derive(Debug)]
pub(crate) struct OutboxRecord {
    /// The record's id.
    pub id: String,
    /// Its content.
    pub push: Result<QueuedPush, OutboxError>,
}

/// Everything that waits, oldest first.
pub(crate) fn outbox_records(outbox: &Outbox) -> Vec<OutboxRecord> {
    let records = outbox.records().into_iter();
    records.map(|(id, push)| OutboxRecord { id, push }).collect()
}

/// Milliseconds since 1970.
pub(super) fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
