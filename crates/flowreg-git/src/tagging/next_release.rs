//! What `flowreg tag` would make of a commit, for hints that propose a tag: by the same decision, so that a tag
//! which was typed as proposed is the one that flowreg would have made.

use super::decision::{Decision, RequestedVersion, TagRequest, decide};
use super::next::Bump;
use super::series::Series;
use super::series_tags::SeriesTags;
use super::set::SeriesSet;
use crate::{RemoteTags, Repository};
use flowreg_model::{CommitId, TagName};

/// What would become of a commit without a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NextRelease {
    /// It would get this tag.
    Make(TagName),
    /// It would get none, as this later tag has it.
    Contained(TagName),
    /// What is here does not tell, or `flowreg tag` would refuse.
    Unknown,
}

/// Decides from what is here: nothing is fetched, and no clock is read. Where the commits ask for no release, the
/// tag is that of `--bump patch`.
pub(crate) fn next_release(
    repository: &Repository,
    set: &SeriesSet,
    series: &Series,
    commit: &CommitId,
    listed: RemoteTags,
) -> NextRelease {
    let existing = SeriesTags::new(listed, set, series);
    // A later tag that is not here may have the commit.
    if existing.iter().any(|(_, tag)| !repository.has_commit(&tag.commit)) {
        return NextRelease::Unknown;
    }
    let decided = |bump| {
        let version = RequestedVersion::Next { bump, pre: None, build: None };
        let request = TagRequest {
            repository,
            series,
            commit,
            version: &version,
            remote: None,
            today: None,
            provider: None,
        };
        decide(&request, &existing)
    };
    let decision = match decided(None) {
        Ok(Decision::Nothing { .. }) => decided(Some(Bump::Patch)),
        decision => decision,
    };
    match decision {
        Ok(Decision::Create { tag, .. }) => NextRelease::Make(tag),
        Ok(Decision::Contained { by, .. }) => NextRelease::Contained(by),
        Ok(Decision::Exists { .. } | Decision::Nothing { .. }) | Err(_) => NextRelease::Unknown,
    }
}

impl SeriesSet {
    /// Whether a tag that nobody has made yet would be a version: of the series of the others, or of one that it
    /// begins.
    pub(crate) fn could_have(&self, tag: &TagName, others: &[TagName]) -> bool {
        let series = self.all(&[others, std::slice::from_ref(tag)].concat()).unwrap_or_default();
        series.iter().any(|one| self.version_of(one, tag).is_some())
    }
}
