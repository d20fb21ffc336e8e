//! The code reference: a branch or a tag, with the commit it resolved to and where it came from.

use serde::Serialize;
use serde::ser::SerializeStruct;

use super::{BranchName, CommitId, RemoteName, TagName};

/// A branch or a tag.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ReferenceName {
    /// A branch.
    Branch(BranchName),
    /// A tag.
    Tag(TagName),
}

impl ReferenceName {
    /// `branch` or `tag`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Branch(_) => "branch",
            Self::Tag(_) => "tag",
        }
    }

    /// The name without `refs/heads/` or `refs/tags/`.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Branch(name) => name.as_str(),
            Self::Tag(name) => name.as_str(),
        }
    }

    /// The full ref: `refs/heads/main`, `refs/tags/v1`.
    pub fn full(&self) -> String {
        match self {
            Self::Branch(name) => format!("refs/heads/{name}"),
            Self::Tag(name) => format!("refs/tags/{name}"),
        }
    }
}

/// Which rung of the ladder gave the reference; the rungs are in the order in which they are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReferenceSource {
    /// `--tag` or `--branch`.
    Flag,
    /// The environment variable `BUILD_TAG`.
    BuildTag,
    /// The environment variable `GIT_BRANCH`.
    GitBranch,
    /// HEAD's branch.
    ActiveBranch,
    /// A variable of the CI provider, on a detached HEAD.
    Ci,
    /// The one tag or remote branch that points at a detached HEAD.
    Git,
}

/// The two channels: what production runs, and what is being worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// Tags, and branches that match `repository.mainline`: pinned.
    Mainline,
    /// Every other branch: follows its HEAD.
    Feature,
}

impl Channel {
    /// `mainline` or `feature`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mainline => "mainline",
            Self::Feature => "feature",
        }
    }
}

/// A branch or a tag with the commit it resolved to, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CodeReference {
    /// The branch or the tag.
    pub name: ReferenceName,
    /// The commit, annotated tags peeled.
    pub commit: CommitId,
    /// The rung of the ladder that decided.
    pub source: ReferenceSource,
    /// What decided, in words for people: `BUILD_TAG`, `--tag`, `active branch`, `GITHUB_REF_NAME`.
    pub source_detail: String,
    /// Mainline or feature.
    pub channel: Channel,
    /// The remote that workers clone from, if there is one.
    pub remote: Option<RemoteName>,
    /// Whether that remote was seen to hold the reference at this commit.
    pub proved: bool,
}

impl CodeReference {
    /// The tag, if the reference is one.
    pub fn tag(&self) -> Option<&TagName> {
        match &self.name {
            ReferenceName::Tag(tag) => Some(tag),
            ReferenceName::Branch(_) => None,
        }
    }

    /// The branch, if the reference is one.
    pub fn branch(&self) -> Option<&BranchName> {
        match &self.name {
            ReferenceName::Branch(branch) => Some(branch),
            ReferenceName::Tag(_) => None,
        }
    }
}

/// A code reference as JSON output shows it.
impl Serialize for CodeReference {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_struct("CodeReference", 7)?;
        object.serialize_field("kind", self.name.kind())?;
        object.serialize_field("name", self.name.as_str())?;
        object.serialize_field("commit", &self.commit)?;
        object.serialize_field("source", &self.source)?;
        object.serialize_field("channel", &self.channel)?;
        object.serialize_field("remote", &self.remote)?;
        object.serialize_field("proved", &self.proved)?;
        object.end()
    }
}
