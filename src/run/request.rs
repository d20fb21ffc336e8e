//! What a caller asks of a run, as plain data: the command line fills it from its options, a program
//! that uses the library by hand.

use flowreg_git::Untagged;
use flowreg_model::RemoteName;

use super::selection::FlowFilter;
use crate::manifest::ManifestNotice;

/// Which code reference is meant; without anything the ladder decides.
#[derive(Debug, Clone, Default)]
pub struct ReferenceChoice {
    /// This tag.
    pub tag: Option<String>,
    /// This branch.
    pub branch: Option<String>,
    /// The remote that workers clone from.
    pub remote: Option<RemoteName>,
    /// The remote is not asked whether it has the reference.
    pub offline: bool,
    /// No rung below the active branch is tried.
    pub strict: bool,
    /// What to do on a mainline branch without a tag, whatever the settings say.
    pub untagged: Option<Untagged>,
}

/// What is to be planned or registered.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone, Default)]
pub struct RunRequest {
    /// At which code reference.
    pub reference: ReferenceChoice,
    /// Which flows; all if none is named.
    pub flows: FlowFilter,
    /// Only flows that are affected by what changed since this revision.
    pub changed_since: Option<String>,
    /// On a feature branch: also the flows that are as on mainline.
    pub all: bool,
    /// Replace a newer version with an older one.
    pub allow_downgrade: bool,
    /// Take over deployments that flowreg did not create.
    pub adopt: bool,
    /// Register deployments whose runs would not use the code at the reference.
    pub allow_unpinned: bool,
    /// Run the build and push steps of `prefect.yaml`.
    pub run_steps: bool,
    /// How many writes may be under way at once; the target may allow fewer.
    pub jobs: Option<usize>,
}

/// Something that is worth knowing and stops nothing.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice {
    /// One sentence.
    pub text: String,
    /// Where in a file, `prefect.yaml:12:5`, if it is about a place there.
    pub place: Option<String>,
    /// The deployment that it is about, if the text does not say which.
    pub deployment: Option<String>,
    /// Whether it is for those only who want to see everything.
    pub is_detail: bool,
}

impl Notice {
    pub(super) fn detail(text: String) -> Self {
        Self { is_detail: true, ..Self::from(text) }
    }
}

impl From<String> for Notice {
    fn from(text: String) -> Self {
        Self { text, place: None, deployment: None, is_detail: false }
    }
}

impl From<ManifestNotice> for Notice {
    fn from(ManifestNotice { place, deployment, message }: ManifestNotice) -> Self {
        Self { place: Some(place.to_string()), deployment, ..Self::from(message) }
    }
}
