//! From a name to a code reference: at which commit, in which channel, proved or not.
//!
//! A name that is both a branch and a tag is refused in *both* directions, as workers resolve it
//! in both: `git clone --branch X` takes the branch, and the `git pull origin X` that refreshes a
//! reused directory takes the tag (git's ref rules look into `refs/tags` first). Only a pinned
//! commit id is out of reach of that.

use gix::objs::Kind;

use super::ReferenceError;
use super::ladder::{Candidate, Wanted, WantedBranch};
use super::mainline::{self, Mainline};
use super::proof::Proof;
use super::refs::{Refs, Relation};
use super::request::{Pin, ReferenceRequest, Untagged};
use flowreg_model::{
    BranchName, Channel, CodeReference, CommitId, ReferenceName, RemoteName, TagName,
};

/// Where a candidate is looked up.
pub(super) struct Settling<'a> {
    pub(super) refs: &'a Refs,
    pub(super) request: &'a ReferenceRequest,
    pub(super) mainline: &'a Mainline,
    /// All configured remotes.
    pub(super) remotes: &'a [RemoteName],
    /// The remote that workers clone from.
    pub(super) remote: Option<&'a RemoteName>,
    /// Its answer, if it was asked.
    pub(super) proof: Option<&'a Proof>,
}

impl Settling<'_> {
    /// Finds the commit that the candidate means, and everything that follows from it.
    pub(super) fn settle(
        &self,
        candidate: &Candidate,
        notices: &mut Vec<String>,
    ) -> Result<CodeReference, ReferenceError> {
        match &candidate.wanted {
            Wanted::Tag(tag) => self.tag(candidate, tag),
            Wanted::Branch(branch) => self.branch(candidate, branch, notices),
        }
    }

    fn tag(&self, candidate: &Candidate, tag: &TagName) -> Result<CodeReference, ReferenceError> {
        let commit = self.commit_of_tag(&candidate.detail, tag)?;
        self.refuse_both(tag.as_str(), self.request.pin == Pin::Commit)?;
        self.refuse_annotated(tag)?;
        let name = ReferenceName::Tag(tag.clone());
        Ok(self.reference(candidate, name, commit, Channel::Mainline))
    }

    fn commit_of_tag(&self, from: &str, tag: &TagName) -> Result<CommitId, ReferenceError> {
        let here = match &self.request.pushed {
            Some(pushed) => Some(pushed.clone()),
            None => self.refs.tag(tag)?,
        };
        let (from, tag) = (from.to_owned(), tag.clone());
        let Some(proof) = self.proof else {
            return here.ok_or_else(|| self.no_such_tag(from, tag));
        };
        let remote = proof.remote.clone();
        match (here, proof.refs.tag(&tag).cloned()) {
            (Some(here), Some(there)) if here == there => Ok(here),
            (Some(here), Some(there)) => Err(ReferenceError::MovedTag { tag, remote, here, there }),
            (Some(_), None) => Err(ReferenceError::RemoteMissingTag { remote, tag }),
            (None, None) => Err(self.no_such_tag(from, tag)),
            (None, Some(there)) => match self.refs.kind(&there) {
                Some(Kind::Commit) => Ok(there),
                Some(kind) => Err(ReferenceError::NotACommit {
                    name: format!("refs/tags/{tag}"),
                    kind: kind.to_string(),
                }),
                None => Err(ReferenceError::TagNotFetched { remote, tag, there }),
            },
        }
    }

    fn no_such_tag(&self, from: String, tag: TagName) -> ReferenceError {
        let branch = tag
            .as_str()
            .strip_prefix("refs/heads/")
            .or_else(|| self.refs.exists(&format!("refs/heads/{tag}")).then_some(tag.as_str()));
        let meant = branch.and_then(|name| name.parse().ok()).map(ReferenceName::Branch);
        let (remote, is_asked) = (self.remote.cloned(), self.proof.is_some());
        let lightweight = self.request.lightweight;
        ReferenceError::NoSuchTag { from, tag, remote, is_asked, meant, lightweight }
    }

    fn branch(
        &self,
        candidate: &Candidate,
        wanted: &WantedBranch,
        notices: &mut Vec<String>,
    ) -> Result<CodeReference, ReferenceError> {
        let reading = self.reading(&candidate.detail, wanted)?;
        let name = reading.name.clone();
        let is_mainline = self.mainline.contains(&name);
        if let Some(provider) = wanted.pull_request.filter(|_| is_mainline) {
            let reason = format!(
                "the pull request's source branch `{name}` is called like a mainline branch; it may be that of a fork"
            );
            return Err(ReferenceError::Ci { provider, reason });
        }
        let commit = self.commit_of_branch(candidate, wanted, &reading, notices)?;
        if is_mainline {
            return self.pinned(candidate, name, commit);
        }
        self.refuse_both(name.as_str(), false)?;
        Ok(self.reference(candidate, ReferenceName::Branch(name), commit, Channel::Feature))
    }

    /// Whether `origin/x` is a branch of that name or the branch `x` of `origin`.
    fn reading(&self, from: &str, wanted: &WantedBranch) -> Result<Reading, ReferenceError> {
        let literal = Reading { name: wanted.name.clone(), of_remote: None };
        let Some((remote, name)) = &wanted.of_remote else { return Ok(literal) };
        let is_remotes =
            self.refs.tracking(remote, name)?.is_some() || self.is_there(Some(remote), name);
        let is_literal =
            self.refs.branch(&wanted.name)?.is_some() || self.is_there(self.remote, &wanted.name);
        if is_remotes && is_literal {
            return Err(ReferenceError::AmbiguousBranch {
                from: from.to_owned(),
                literal: wanted.name.clone(),
                stripped: name.clone(),
            });
        }
        let stripped = Reading { name: name.clone(), of_remote: Some(remote.clone()) };
        Ok(if is_literal { literal } else { stripped })
    }

    fn is_there(&self, remote: Option<&RemoteName>, branch: &BranchName) -> bool {
        self.proof
            .filter(|proof| Some(&proof.remote) == remote)
            .is_some_and(|proof| proof.refs.branch(branch).is_some())
    }

    fn commit_of_branch(
        &self,
        candidate: &Candidate,
        wanted: &WantedBranch,
        reading: &Reading,
        notices: &mut Vec<String>,
    ) -> Result<CommitId, ReferenceError> {
        let here = self.branch_here(wanted, reading)?;
        let branch = reading.name.clone();
        let from = candidate.detail.clone();
        let Some(proof) = self.proof else {
            return here.ok_or_else(|| self.no_such_branch(from, reading));
        };
        let remote = proof.remote.clone();
        match (here, proof.refs.branch(&branch).cloned()) {
            (None, None) => Err(self.no_such_branch(from, reading)),
            (Some(_), None) => Err(ReferenceError::RemoteMissingBranch { remote, branch }),
            (Some(here), Some(there)) if here == there => Ok(here),
            (_, Some(there)) if !self.refs.has_commit(&there) => {
                Err(ReferenceError::RemoteDiffers { remote, branch, there })
            }
            (here, Some(there)) => {
                notices.extend(here.map(|here| self.difference(&branch, &here, &there)));
                Ok(there)
            }
        }
    }

    fn no_such_branch(&self, from: String, reading: &Reading) -> ReferenceError {
        let asked = self.proof.map(|proof| &proof.remote);
        let remote = asked.or(reading.of_remote.as_ref()).or(self.remote).cloned();
        let branch = reading.name.clone();
        let meant = self.meant_by(&branch);
        ReferenceError::NoSuchBranch { from, branch, remote, is_asked: asked.is_some(), meant }
    }

    /// What the name of a branch that is nowhere seems to mean: a tag, or a branch of a remote.
    fn meant_by(&self, branch: &BranchName) -> Option<ReferenceName> {
        let name = branch.as_str();
        let is_tag = || self.refs.exists(&format!("refs/tags/{name}"));
        if let Some(tag) = name.strip_prefix("refs/tags/").or_else(|| is_tag().then_some(name)) {
            return tag.parse().ok().map(ReferenceName::Tag);
        }
        let short = name.strip_prefix("refs/remotes/").unwrap_or(name);
        let mut stripped = self.remotes.iter().filter_map(|remote| {
            short.strip_prefix(remote.as_str())?.strip_prefix('/')?.parse().ok()
        });
        stripped.next().map(ReferenceName::Branch)
    }

    /// Where the branch is in this repository. In a build the remote's branch is newer than a
    /// local one that an earlier build may have left, and HEAD may be older than both.
    fn branch_here(
        &self,
        wanted: &WantedBranch,
        reading: &Reading,
    ) -> Result<Option<CommitId>, ReferenceError> {
        if let Some(pushed) = &self.request.pushed {
            return Ok(Some(pushed.clone()));
        }
        let local = self.refs.branch(&reading.name)?;
        let remote = reading.of_remote.as_ref().or(self.remote);
        let tracking = match remote {
            Some(remote) => self.refs.tracking(remote, &reading.name)?,
            None => None,
        };
        let is_build = wanted.built.is_some() || wanted.pull_request.is_some();
        let prefers_remote = reading.of_remote.is_some() || is_build;
        let found = if prefers_remote { tracking.or(local) } else { local.or(tracking) };
        Ok(found.or_else(|| wanted.built.clone()))
    }

    fn difference(&self, branch: &BranchName, here: &CommitId, there: &CommitId) -> String {
        let remote = self.remote.map(ToString::to_string).unwrap_or_default();
        let what = match self.refs.relation(here, there) {
            Relation::Ahead => format!("has commits that are not on {remote}"),
            Relation::Behind => format!("is behind {remote}"),
            Relation::Diverged => format!("has diverged from {remote}"),
        };
        let (here, there) = (here.short(), there.short());
        format!("{branch} {what}: {here} here, {there} there, which is what counts")
    }

    /// A mainline branch is registered at the highest version that points at its commit.
    fn pinned(
        &self,
        candidate: &Candidate,
        branch: BranchName,
        commit: CommitId,
    ) -> Result<CodeReference, ReferenceError> {
        let local = self.refs.tags_at(&commit)?;
        let tags = match self.proof {
            Some(proof) => proof.refs.tags_at(&commit),
            None => local.clone(),
        };
        if let Some(tag) = mainline::highest(&tags) {
            if self.proof.is_some() {
                self.commit_of_tag(&candidate.detail, tag)?;
            }
            self.refuse_both(tag.as_str(), self.request.pin == Pin::Commit)?;
            self.refuse_annotated(tag)?;
            let mut pinned = self.reference(
                candidate,
                ReferenceName::Tag(tag.clone()),
                commit,
                Channel::Mainline,
            );
            pinned.source_detail = format!("{} {branch}", pinned.source_detail);
            return Ok(pinned);
        }
        let is_commit = match self.request.untagged {
            Untagged::Refuse => {
                return self.untagged(branch, commit, local);
            }
            Untagged::Branch => false,
            Untagged::Commit => true,
        };
        self.refuse_both(branch.as_str(), is_commit)?;
        Ok(self.reference(candidate, ReferenceName::Branch(branch), commit, Channel::Mainline))
    }

    fn untagged(
        &self,
        branch: BranchName,
        commit: CommitId,
        unpushed: Vec<TagName>,
    ) -> Result<CodeReference, ReferenceError> {
        let mut tags = self.refs.tags()?;
        tags.extend(self.proof.iter().flat_map(|proof| proof.refs.tags()));
        let (remote, next) = (self.proof.map(|proof| proof.remote.clone()), mainline::next(&tags));
        let lightweight = self.request.lightweight;
        let unpushed = unpushed.into_boxed_slice();
        Err(ReferenceError::Untagged { branch, commit, remote, unpushed, next, lightweight })
    }

    /// The remote's tag is what workers get; without its answer, the one here.
    fn refuse_annotated(&self, tag: &TagName) -> Result<(), ReferenceError> {
        if !self.request.lightweight {
            return Ok(());
        }
        let is_annotated = match self.proof {
            Some(proof) => proof.refs.is_annotated(tag),
            None => self.refs.is_annotated(tag),
        };
        let remote = self.proof.map(|proof| proof.remote.clone());
        let error = || ReferenceError::AnnotatedTag { tag: tag.clone(), remote };
        if is_annotated { Err(error()) } else { Ok(()) }
    }

    fn refuse_both(&self, name: &str, is_pinned_by_commit: bool) -> Result<(), ReferenceError> {
        if is_pinned_by_commit {
            return Ok(());
        }
        let refused = |remote| Err(ReferenceError::AmbiguousName { name: name.to_owned(), remote });
        if let Some(proof) = self.proof.filter(|proof| proof.refs.has_both(name)) {
            return refused(Some(proof.remote.clone()));
        }
        let has = |kind: &str| self.refs.exists(&format!("refs/{kind}/{name}"));
        if has("heads") && has("tags") { refused(None) } else { Ok(()) }
    }

    fn reference(
        &self,
        candidate: &Candidate,
        name: ReferenceName,
        commit: CommitId,
        channel: Channel,
    ) -> CodeReference {
        CodeReference {
            name,
            commit,
            source: candidate.source,
            source_detail: candidate.detail.clone(),
            channel,
            remote: self.remote.cloned(),
            proved: self.proof.is_some(),
        }
    }
}

/// How the value of a rung is to be read.
struct Reading {
    name: BranchName,
    /// The remote whose name the value began with.
    of_remote: Option<RemoteName>,
}
