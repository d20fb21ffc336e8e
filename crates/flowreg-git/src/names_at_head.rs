//! The last rung of the ladder: the tag or the branch of the remote that points at a detached HEAD.
//!
//! Only a version can be the tag, by the rule that pins a mainline branch: a tag of no series (`latest`, `build-12`)
//! says nothing of what is checked out, and whoever means it can name it.

use super::ReferenceError;
use super::ci;
use super::ladder::{Candidate, CandidateBranch, CandidateName, Ladder, RungAnswer};
use super::pull_request::is_name_of_pull_request;
use super::refs::Head;
use super::tag_advice::version_tag;
use flowreg_model::{
    BranchName, CommitId, ReferenceName, ReferenceSource, TagName, escaped, quoted,
};

/// The names that point at a detached HEAD.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NamesAtHead {
    /// The tags that are versions.
    pub versions: Vec<TagName>,
    /// The tags of no series.
    pub others: Vec<TagName>,
    /// The branches of the remote.
    pub branches: Vec<BranchName>,
    /// What else was fetched from the remote, as pull requests: full names there.
    pub fetched: Vec<String>,
}

impl NamesAtHead {
    /// The one version, else the one branch where there is no version: of two versions, one branch does not tell
    /// which is meant.
    fn the_one(&self) -> Option<ReferenceName> {
        match (self.versions.as_slice(), self.branches.as_slice()) {
            ([tag], _) => Some(ReferenceName::Tag(tag.clone())),
            ([], [branch]) => Some(ReferenceName::Branch(branch.clone())),
            _ => None,
        }
    }

    /// Why none of them is the one.
    pub(super) fn why_undecided(&self) -> String {
        let tags: Vec<_> = self.versions.iter().map(TagName::as_str).collect();
        let branches: Vec<_> = self.branches.iter().map(BranchName::as_str).collect();
        match (tags.is_empty(), branches.is_empty()) {
            (false, _) => format!("several tags point at it: {}", escaped(tags.join(", "))),
            (true, false) => {
                format!("several remote branches point at it: {}", escaped(branches.join(", ")))
            }
            (true, true) => {
                let none = format!("no {} and no remote branch", version_tag(&self.others));
                match self.fetched.as_slice() {
                    [] => format!("{none} points at it"),
                    fetched => {
                        let fetched = escaped(fetched.join(", "));
                        format!("{none} points at it: {fetched} is none that workers could clone")
                    }
                }
            }
        }
    }

    /// Each of them to type; what to fill in if there is none.
    pub(super) fn hints(&self) -> Vec<String> {
        let hint = |flag: &str, name: &str| format!("flowreg … --{flag} {}", quoted(name));
        let tag = |tag: &TagName| hint("tag", tag.as_str());
        if self.versions.len() > 1 {
            return self.versions.iter().map(tag).collect();
        }
        let branches = self.branches.iter().map(|branch| hint("branch", branch.as_str()));
        let tags = self.versions.iter().chain(&self.others).map(tag);
        let named: Vec<String> = branches.chain(tags).collect();
        if named.is_empty() { vec![hint("branch", "BRANCH"), hint("tag", "TAG")] } else { named }
    }
}

impl Ladder<'_> {
    pub(super) fn git(&self) -> RungAnswer {
        match self.pointing_at_head() {
            Ok((value, candidate)) => RungAnswer::Taken { value, candidate, notice: None },
            Err(error) => RungAnswer::Refused { value: None, error },
        }
    }

    /// The error for a detached HEAD where no other rung is tried.
    pub(super) fn detached(&self, commit: CommitId) -> Result<ReferenceError, ReferenceError> {
        let names = Box::new(self.names_at(&commit)?);
        Ok(ReferenceError::DetachedHead { commit, names })
    }

    fn pointing_at_head(&self) -> Result<(String, Candidate), ReferenceError> {
        let commit = match self.refs.head()? {
            Head::Detached(commit) => match self.in_progress(&commit) {
                Some(error) => return Err(error),
                None => commit,
            },
            Head::Branch(branch) => return Ok(candidate(ReferenceName::Branch(branch), None)),
            Head::Unborn(branch) => return Err(ReferenceError::UnbornHead { branch }),
        };
        let names = self.names_at(&commit)?;
        match names.the_one() {
            Some(name) => Ok(candidate(name, Some(commit))),
            None => Err(ReferenceError::Undecided { commit, names: Box::new(names) }),
        }
    }

    fn names_at(&self, commit: &CommitId) -> Result<NamesAtHead, ReferenceError> {
        let tags = self.refs.tags_at(commit)?;
        let set = &self.request.rules.series;
        let may_be_versions = tags.iter().any(|tag| set.may_have(tag));
        let series =
            if may_be_versions { set.for_versions(&tags, &self.refs.tags()?)? } else { Vec::new() };
        let is_version =
            |tag: &TagName| series.iter().any(|one| set.version_of(one, tag).is_some());
        let (versions, others) = tags.into_iter().partition(is_version);
        let (mut branches, fetched) = match self.remote {
            Some(remote) => self.refs.tracking_at(remote, commit)?,
            None => Default::default(),
        };
        // A merge queue moves its target to the commit that it has built, and removes its own branch then. What has
        // the name of a pull request is most likely one, beside the branch that it is of.
        let is_lasting = |branch: &BranchName| {
            !ci::is_of_merge_queue(branch.as_str()) && !is_name_of_pull_request(branch.as_str())
        };
        if branches.iter().any(is_lasting) {
            branches.retain(is_lasting);
        }
        Ok(NamesAtHead { versions, others, branches, fetched })
    }
}

fn candidate(name: ReferenceName, head: Option<CommitId>) -> (String, Candidate) {
    let value = name.as_str().to_owned();
    let (name, detail) = match name {
        ReferenceName::Tag(tag) => (CandidateName::Tag(tag), "the tag at HEAD"),
        ReferenceName::Branch(branch) => {
            (CandidateName::Branch(CandidateBranch::named(branch)), "the remote branch at HEAD")
        }
    };
    (value, Candidate { name, source: ReferenceSource::Git, detail: detail.to_owned(), head })
}
