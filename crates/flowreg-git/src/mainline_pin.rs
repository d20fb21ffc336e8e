//! The versions to which a mainline branch is pinned: those at its commit that workers can clone.

use std::cmp::Ordering;

use super::ReferenceError;
use super::ladder::Candidate;
use super::name_resolver::{NameResolver, Resolved};
use super::proof::Proof;
use super::request::{Pin, Untagged};
use super::tagging::{Series, TagOrder, unpushed};
use flowreg_model::{BranchName, Channel, CodeReference, CommitId, ReferenceName, TagName};

impl NameResolver<'_> {
    /// A mainline branch is registered at the highest version of each series that points at its commit.
    pub(super) fn pinned(
        &self,
        candidate: &Candidate,
        branch: BranchName,
        commit: CommitId,
        notices: &mut Vec<String>,
    ) -> Result<Resolved, ReferenceError> {
        if let Some(pinned) = self.pins_at(candidate, &branch, &commit, notices)? {
            return Ok(pinned);
        }
        // With `commit` workers get the commit's id, and then a twin name does no harm.
        let is_commit = match self.rules.untagged {
            Untagged::Refuse => return Err(self.untagged(branch, commit)),
            Untagged::Branch => false,
            Untagged::Commit => true,
        };
        self.refuse_twin_name(branch.as_str(), is_commit)?;
        let name = ReferenceName::Branch(branch);
        Ok(self.reference(candidate, name, commit, Channel::Mainline).into())
    }

    /// The highest version of each series at a commit of a mainline branch; `None` if there is none.
    pub(super) fn pins_at(
        &self,
        candidate: &Candidate,
        branch: &BranchName,
        commit: &CommitId,
        notices: &mut Vec<String>,
    ) -> Result<Option<Resolved>, ReferenceError> {
        let tags = self.tags_for_workers(commit)?;
        let series = self.series_at(&tags)?;
        let pins = self.rules.series.highest_of_each(&series, &tags);
        notices.extend(self.unpushed_above(&pins, commit)?);
        let pins: Result<Vec<CodeReference>, ReferenceError> =
            pins.into_iter().map(|(_, tag)| self.pin(candidate, commit, tag)).collect();
        let mut pins = pins?.into_iter().map(|mut pin| {
            pin.source_detail = format!("{} {branch}", pin.source_detail);
            pin
        });
        Ok(pins.next().map(|reference| Resolved { reference, further: pins.collect() }))
    }

    /// What to say where this repository alone has a higher version of a series at the commit than the one that is
    /// pinned: workers could not clone it, and `flowreg tag` does not count it either.
    fn unpushed_above(
        &self,
        pins: &[(&Series, &TagName)],
        commit: &CommitId,
    ) -> Result<Vec<String>, ReferenceError> {
        let Some(Proof { remote, .. }) = self.proof else { return Ok(Vec::new()) };
        let here = self.refs.tags_at(commit)?;
        let above = pins.iter().filter_map(|(series, pin)| {
            let highest = self.rules.series.highest_of_each(std::slice::from_ref(*series), &here);
            let (_, tag) = highest.first()?;
            let is_higher =
                self.rules.series.order(tag, pin) == TagOrder::Versions(Ordering::Greater);
            // To push it would give workers two refs of one name.
            (is_higher && !self.has_branch(tag.as_str())).then(|| unpushed(tag, remote))
        });
        Ok(above.collect())
    }

    /// The tags at a commit. One that only this repository has pins nothing: workers could not clone it.
    pub(super) fn tags_for_workers(
        &self,
        commit: &CommitId,
    ) -> Result<Vec<TagName>, ReferenceError> {
        match self.proof {
            Some(proof) => Ok(proof.refs.tags_at(commit)),
            None => Ok(self.refs.tags_at(commit)?),
        }
    }

    /// The series that tags at a commit may be of. Without any such tag nothing depends on which they are,
    /// so that several are no error then.
    fn series_at(&self, tags: &[TagName]) -> Result<Vec<Series>, ReferenceError> {
        let set = &self.rules.series;
        if !tags.iter().any(|tag| set.may_have(tag)) {
            return Ok(Vec::new());
        }
        Ok(set.for_versions(tags, &self.tags_of_series()?)?)
    }

    /// A tag that was found at a commit.
    pub(super) fn pin(
        &self,
        candidate: &Candidate,
        commit: &CommitId,
        tag: &TagName,
    ) -> Result<CodeReference, ReferenceError> {
        // The remote's tag is at the commit; if a tag of that name is elsewhere here, it moved.
        if self.proof.is_some() {
            self.commit_of_tag(&candidate.detail, tag)?;
        }
        self.refuse_twin_name(tag.as_str(), self.rules.pin == Pin::Commit)?;
        self.refuse_annotated(tag)?;
        let name = ReferenceName::Tag(tag.clone());
        Ok(self.reference(candidate, name, commit.clone(), Channel::Mainline))
    }
}
