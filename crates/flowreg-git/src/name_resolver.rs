//! From a name to a code reference: at which commit, in which channel, proved or not.
//!
//! The name comes from the ladder or from a push; the remote's refs were read before. Nothing here
//! goes over the network.
//!
//! A name that is both a branch and a tag is refused in *both* directions, because workers resolve
//! it in both: `git clone --branch X` takes the branch, and the `git pull origin X` that refreshes
//! a reused directory takes the tag (docs/facts/git.md, "One name, two refs"). Only a registration
//! that is pinned to the commit's id runs the right code then.

use gix::objs::Kind;

use super::ladder::{Candidate, CandidateBranch, CandidateName, not_filled_in};
use super::mainline::Mainline;
use super::proof::Proof;
use super::pull_request::ForeignBranch;
use super::reference_error::AlikeTags;
use super::refs::{CommitDistance, Head, Refs};
use super::request::{Pin, ReferenceRules, Untagged};
use super::tagging::SeriesSet;
use super::{ReferenceError, Repository};
use flowreg_model::{
    BranchName, Channel, CodeReference, CommitId, ReferenceName, ReferenceSource, RemoteName,
    TagName, misspelt,
};

/// What a name means.
pub(super) struct Resolved {
    /// The code reference.
    pub(super) reference: CodeReference,
    /// The tags of further series at its commit.
    pub(super) further: Vec<CodeReference>,
}

impl From<CodeReference> for Resolved {
    fn from(reference: CodeReference) -> Self {
        Self { reference, further: Vec::new() }
    }
}

/// Looks a candidate's name up, here and in the remote's answer.
pub(super) struct NameResolver<'a> {
    pub(super) repository: &'a Repository,
    pub(super) refs: &'a Refs,
    pub(super) rules: &'a ReferenceRules,
    /// The commit that a push put there; it counts instead of where the name is in this repository.
    pub(super) pushed: Option<&'a CommitId>,
    pub(super) mainline: &'a Mainline,
    /// All configured remotes.
    pub(super) remotes: &'a [RemoteName],
    /// The remote that workers clone from.
    pub(super) remote: Option<&'a RemoteName>,
    /// Its refs, if it was asked.
    pub(super) proof: Option<&'a Proof>,
}

impl NameResolver<'_> {
    /// Finds the commit that the candidate means, and its channel.
    pub(super) fn code_reference(
        &self,
        candidate: &Candidate,
        notices: &mut Vec<String>,
    ) -> Result<Resolved, ReferenceError> {
        match &candidate.name {
            CandidateName::Tag(tag) => self.tag(candidate, tag),
            CandidateName::Branch(branch) => self.branch(candidate, branch, notices),
        }
    }

    fn tag(&self, candidate: &Candidate, tag: &TagName) -> Result<Resolved, ReferenceError> {
        let commit = self.commit_of_tag(&candidate.detail, tag)?;
        if is_unnamed(candidate, self.pushed) {
            self.refuse_outside_series(tag)?;
        }
        // The build of a tag is of its commit. At another one, nobody can tell what the job is for.
        if let Some(head) = candidate.head.as_ref().filter(|head| **head != commit) {
            let (from, tag, head) = (candidate.detail.clone(), tag.clone(), head.clone());
            return Err(ReferenceError::TagNotAtHead { from, tag, commit, head });
        }
        let by_commit = self.rules.pin == Pin::Commit;
        // A build of a tag may have checked it out as a branch of that name, which is here only.
        if candidate.source == ReferenceSource::Ci && self.is_active(tag) {
            self.refuse_twin_name_on_remote(tag.as_str(), by_commit)?;
        } else {
            self.refuse_twin_name(tag.as_str(), by_commit)?;
        }
        self.refuse_annotated(tag)?;
        let further = self.packages_at(candidate, tag, &commit)?;
        let name = ReferenceName::Tag(tag.clone());
        Ok(Resolved {
            reference: self.reference(candidate, name, commit, Channel::Mainline),
            further,
        })
    }

    /// Refuses a tag that nobody named and that is a version of no series. Whoever pushes tags did not say that
    /// they are all to be registered; with `--tag` somebody does.
    fn refuse_outside_series(&self, tag: &TagName) -> Result<(), ReferenceError> {
        let set = &self.rules.series;
        let prefixes = set.prefixes(&self.tags_of_series()?)?;
        set.refuse_outside(tag, &prefixes)
    }

    /// All tags, of the remote where it was asked; none where the series do not depend on them.
    pub(super) fn tags_of_series(&self) -> Result<Vec<TagName>, ReferenceError> {
        Ok(match (&self.rules.series, self.proof) {
            (SeriesSet::Declared(_), _) => Vec::new(),
            (SeriesSet::Found { .. }, Some(proof)) => proof.refs.tags().collect(),
            (SeriesSet::Found { .. }, None) => self.refs.tags()?,
        })
    }

    /// The tags of packages at the commit of a tag of the repository as a whole, as for a mainline branch:
    /// what such a tag is registered at must not depend on how the commit was named.
    fn packages_at(
        &self,
        candidate: &Candidate,
        tag: &TagName,
        commit: &CommitId,
    ) -> Result<Vec<CodeReference>, ReferenceError> {
        let packages = self.rules.series.packages_beside(tag);
        if packages.is_empty() {
            return Ok(Vec::new());
        }
        let tags = self.tags_for_workers(commit)?;
        let pins = self.rules.series.highest_of_each(&packages, &tags).into_iter();
        pins.map(|(_, tag)| self.pin(candidate, commit, tag)).collect()
    }

    pub(super) fn commit_of_tag(
        &self,
        from: &str,
        tag: &TagName,
    ) -> Result<CommitId, ReferenceError> {
        let here = match self.pushed {
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
            // Unlike a branch, a tag is not meant to move: which of the two is right, only a person
            // can tell.
            (Some(here), Some(there)) => Err(ReferenceError::MovedTag { tag, remote, here, there }),
            (Some(_), None) => {
                let is_pinned_by_commit = self.rules.pin == Pin::Commit;
                self.refuse_twin_name(tag.as_str(), is_pinned_by_commit)?;
                let branch = tag.as_str().parse::<BranchName>();
                let is_branch = !is_pinned_by_commit
                    && branch.is_ok_and(|branch| proof.refs.branch(&branch).is_some());
                Err(ReferenceError::RemoteMissingTag { remote, tag, is_branch })
            }
            (None, None) => Err(self.no_such_tag(from, tag)),
            // The remote peels tags of tags, but not down to a commit if they lead to something else.
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
        if let Some(error) = not_filled_in(&from, tag.as_str()) {
            return error;
        }
        let short = |kind: &str| tag.as_str().strip_prefix(kind);
        let has_branch = |name: &&str| self.has_branch(name);
        let branch = short("refs/heads/")
            .or_else(|| short("heads/").filter(has_branch))
            .or_else(|| Some(tag.as_str()).filter(has_branch));
        let meant = branch.and_then(|name| name.parse().ok()).map(ReferenceName::Branch);
        let tags = self.all_tags().unwrap_or_default();
        let set = &self.rules.series;
        // No tag has a remote's name before its own, as branches have.
        let name = self.without_remote(tag.as_str()).map_or(tag.as_str(), |(_, name)| name);
        let name = name.strip_prefix("tags/").unwrap_or(name).parse();
        let name = name.unwrap_or_else(|_| tag.clone());
        let alike = set.written_alike(&name, &tags);
        let same = set.of_same_version(&alike, &tags);
        let meant = meant.or_else(|| same.cloned().map(ReferenceName::Tag));
        let is_free = !set.begins_another(&alike, &tags) && !self.has_branch(alike.as_str());
        let proposed = Some(alike).filter(|alike| is_free && set.could_have(alike, &tags));
        let known: Vec<&str> = tags.iter().map(TagName::as_str).collect();
        let near = misspelt(tag.as_str(), &known).map(ToOwned::to_owned);
        let alike = Box::new(AlikeTags { proposed, near });
        let (remote, is_asked) = (self.remote.cloned(), self.proof.is_some());
        let lightweight = self.rules.lightweight;
        ReferenceError::NoSuchTag { from, tag, alike, remote, is_asked, meant, lightweight }
    }

    fn branch(
        &self,
        candidate: &Candidate,
        asked_for: &CandidateBranch,
        notices: &mut Vec<String>,
    ) -> Result<Resolved, ReferenceError> {
        let reading = self.reading(&candidate.detail, asked_for)?;
        reading.refuse_other_remote(&candidate.detail, self.remote)?;
        let name = reading.name.clone();
        self.refuse_name_of_pull_request(candidate, &name)?;
        let is_mainline = self.mainline.contains(&name);
        if let Some(build) = asked_for.pull_request.filter(|_| is_mainline) {
            return Err(self.foreign_branch(build.provider, &name, ForeignBranch::Mainline));
        }
        if is_mainline
            && let Some(head) = &candidate.head
            && let Some(resolved) = self.pinned_at_head(candidate, &name, head, notices)?
        {
            return Ok(resolved);
        }
        let mut moved_on = Vec::new();
        let commit = self.commit_of_branch(candidate, asked_for, &reading, &mut moved_on)?;
        if let Some(build) = asked_for.pull_request {
            self.check_pull_request(build, &name, &commit, &mut moved_on)?;
        }
        notices.extend(moved_on);
        if is_mainline {
            return self.pinned(candidate, name, commit, notices);
        }
        self.refuse_twin_name(name.as_str(), false)?;
        let name = ReferenceName::Branch(name);
        Ok(self.reference(candidate, name, commit, Channel::Feature).into())
    }

    /// Whether `origin/x` is a branch of that name or the branch `x` of `origin`.
    fn reading(
        &self,
        from: &str,
        asked_for: &CandidateBranch,
    ) -> Result<BranchReading, ReferenceError> {
        let literal = BranchReading { name: asked_for.name.clone(), of_remote: None };
        let Some((remote, name)) = &asked_for.of_remote else { return Ok(literal) };
        let is_remotes =
            self.refs.tracking(remote, name)?.is_some() || self.is_there(Some(remote), name);
        let is_literal = self.has_branch(asked_for.name.as_str());
        if is_remotes && is_literal {
            return Err(ReferenceError::AmbiguousBranch {
                from: from.to_owned(),
                literal: asked_for.name.clone(),
                stripped: name.clone(),
            });
        }
        let stripped = BranchReading { name: name.clone(), of_remote: Some(remote.clone()) };
        // Where neither exists, the error speaks of the branch without the remote's name, which is
        // what the variable's author most likely meant.
        Ok(if is_literal { literal } else { stripped })
    }

    /// Whether this remote was asked, and has the branch.
    pub(super) fn is_there(&self, remote: Option<&RemoteName>, branch: &BranchName) -> bool {
        self.proof
            .filter(|proof| Some(&proof.remote) == remote)
            .is_some_and(|proof| proof.refs.branch(branch).is_some())
    }

    fn commit_of_branch(
        &self,
        candidate: &Candidate,
        asked_for: &CandidateBranch,
        reading: &BranchReading,
        notices: &mut Vec<String>,
    ) -> Result<CommitId, ReferenceError> {
        let here = self.branch_here(candidate, asked_for, reading)?;
        let branch = reading.name.clone();
        let from = candidate.detail.clone();
        let Some(proof) = self.proof else {
            return here.ok_or_else(|| self.no_such_branch(from, reading));
        };
        let remote = proof.remote.clone();
        match (here, proof.refs.branch(&branch).cloned()) {
            (None, None) => Err(self.no_such_branch(from, reading)),
            // Only HEAD is here, and there is nothing that could be pushed.
            (Some(_), None) if !self.is_branch_here(reading)? => {
                Err(self.no_such_branch(from, reading))
            }
            (Some(here), None) => {
                self.refuse_twin_name(branch.as_str(), false)?;
                let is_tag = self.has_tag(branch.as_str());
                // Only a branch that was made here can be pushed by its name.
                let is_local = self.refs.branch(&branch)?.is_some();
                let commit = (!is_local).then_some(here);
                Err(ReferenceError::RemoteMissingBranch { remote, branch, commit, is_tag })
            }
            (Some(here), Some(there)) if here == there => Ok(here),
            // Flows are read from the commit that workers will run, so it has to be here.
            (_, Some(there)) if !self.refs.has_commit(&there) => {
                Err(ReferenceError::RemoteDiffers { remote, branch, there })
            }
            (here, Some(there)) => {
                let what = || format!("what {remote} has ({})", there.short());
                notices.extend(here.map(|here| self.difference(&branch, &here, &there, &what())));
                Ok(there)
            }
        }
    }

    /// What a mainline branch is pinned to in the build of a commit of it: the versions of that commit, also
    /// if the branch has moved on since. What is registered must not depend on how long a job had to wait.
    ///
    /// `None` if it has none, and the branch is to be registered then.
    fn pinned_at_head(
        &self,
        candidate: &Candidate,
        branch: &BranchName,
        head: &CommitId,
        notices: &mut Vec<String>,
    ) -> Result<Option<Resolved>, ReferenceError> {
        let resolved = match (self.pins_at(candidate, branch, head, notices)?, self.rules.untagged)
        {
            (Some(resolved), _) => resolved,
            (None, Untagged::Refuse) => return Err(self.untagged(branch.clone(), head.clone())),
            (None, Untagged::Branch | Untagged::Commit) => return Ok(None),
        };
        if let Some(there) = self.proof.and_then(|proof| proof.refs.branch(branch))
            && there != head
        {
            let what = format!("HEAD ({}), which this is a build of,", head.short());
            notices.push(self.difference(branch, head, there, &what));
        }
        Ok(Some(resolved))
    }

    fn no_such_branch(&self, from: String, reading: &BranchReading) -> ReferenceError {
        if let Some(error) = not_filled_in(&from, reading.name.as_str()) {
            return error;
        }
        // The remote to name in the hint: the one that was asked, else the one that the value names.
        let asked = self.proof.map(|proof| &proof.remote);
        let remote = asked.or(reading.of_remote.as_ref()).or(self.remote).cloned();
        let branch = reading.name.clone();
        let meant = self.meant_by(&branch);
        let known = self.refs.branches_here(self.remote).unwrap_or_default();
        let known: Vec<&str> = known.iter().map(|(name, _)| name.as_str()).collect();
        // A remote's name may stand before it, and be right.
        let near = misspelt(branch.as_str(), &known)
            .or_else(|| misspelt(self.without_remote(branch.as_str())?.1, &known));
        let near = near.and_then(|near| near.parse().ok()).map(Box::new);
        let is_asked = asked.is_some();
        ReferenceError::NoSuchBranch { from, branch, near, remote, is_asked, meant }
    }

    /// What the name of a branch that is nowhere seems to mean: a tag, or a branch of a remote.
    fn meant_by<'b>(&self, branch: &'b BranchName) -> Option<ReferenceName> {
        let name = branch.as_str();
        let is_tag = || self.has_tag(name).then_some(name);
        let after = |name: &'b str| name.strip_prefix("tags/").filter(|name| self.has_tag(name));
        let tag = name.strip_prefix("refs/tags/").or_else(is_tag).or_else(|| after(name));
        if let Some(tag) = tag {
            return tag.parse().ok().map(ReferenceName::Tag);
        }
        let (remote, stripped) = self.without_remote(name)?;
        let tag = Some(stripped).filter(|name| self.has_tag(name)).or_else(|| after(stripped));
        let stripped: BranchName = stripped.parse().ok()?;
        let is_known = self.is_there(Some(remote), &stripped)
            || self.refs.branch(&stripped).is_ok_and(|found| found.is_some())
            || self.refs.tracking(remote, &stripped).is_ok_and(|found| found.is_some());
        match tag.and_then(|tag| tag.parse().ok()) {
            _ if is_known => Some(ReferenceName::Branch(stripped)),
            tag => tag.map(ReferenceName::Tag),
        }
    }

    /// The remote whose name a name begins with, and the rest of it.
    fn without_remote<'b>(&self, name: &'b str) -> Option<(&RemoteName, &'b str)> {
        without_remote(self.remotes, name)
    }

    /// Whether this repository has the branch, or had it from the remote.
    fn is_branch_here(&self, reading: &BranchReading) -> Result<bool, ReferenceError> {
        if self.pushed.is_some() || self.refs.branch(&reading.name)?.is_some() {
            return Ok(true);
        }
        match reading.of_remote.as_ref().or(self.remote) {
            Some(remote) => Ok(self.refs.tracking(remote, &reading.name)?.is_some()),
            None => Ok(false),
        }
    }

    /// Where the branch is in this repository.
    ///
    /// Where it was found by HEAD, it is there, whatever a reused work tree has of the branch. In the build of
    /// a pull request the tracking branch goes before the local one, which an earlier build may have left.
    fn branch_here(
        &self,
        candidate: &Candidate,
        asked_for: &CandidateBranch,
        reading: &BranchReading,
    ) -> Result<Option<CommitId>, ReferenceError> {
        if let Some(here) = self.pushed.or(candidate.head.as_ref()) {
            return Ok(Some(here.clone()));
        }
        let local = self.refs.branch(&reading.name)?;
        let remote = reading.of_remote.as_ref().or(self.remote);
        let tracking = match remote {
            Some(remote) => self.refs.tracking(remote, &reading.name)?,
            None => None,
        };
        let is_pull_request = asked_for.pull_request.is_some();
        let prefers_remote = reading.of_remote.is_some() || is_pull_request;
        Ok(if prefers_remote { tracking.or(local) } else { local.or(tracking) })
    }

    /// The notice for a branch that is at another commit here than on the remote, and what of it is registered.
    pub(super) fn difference(
        &self,
        branch: &BranchName,
        here: &CommitId,
        there: &CommitId,
        registered: &str,
    ) -> String {
        let remote = self.remote.map(ToString::to_string).unwrap_or_default();
        let distance = match self.refs.distance(here, there) {
            CommitDistance::Ahead(commits) => format!("is {}ahead of", counted(commits)),
            CommitDistance::Behind(commits) => format!("is {}behind", counted(commits)),
            CommitDistance::Diverged => "has diverged from".to_owned(),
            CommitDistance::Same | CommitDistance::Unknown => {
                "is at another commit than on".to_owned()
            }
        };
        format!("{branch} {distance} {remote}; {registered} is registered")
    }

    /// Whether there is a branch of this name, here or on the remote.
    pub(super) fn has_branch(&self, name: &str) -> bool {
        let Ok(branch) = name.parse::<BranchName>() else { return false };
        let is_tracked =
            |remote| self.refs.tracking(remote, &branch).is_ok_and(|found| found.is_some());
        self.refs.exists(&format!("refs/heads/{branch}"))
            || self.is_there(self.remote, &branch)
            || self.remote.is_some_and(is_tracked)
    }

    /// Whether there is a tag of this name, here or on the remote.
    fn has_tag(&self, name: &str) -> bool {
        let is_there =
            |tag: TagName| self.proof.is_some_and(|proof| proof.refs.tag(&tag).is_some());
        self.refs.exists(&format!("refs/tags/{name}")) || name.parse().is_ok_and(is_there)
    }

    /// All tags, of this repository and of the remote.
    pub(super) fn all_tags(&self) -> Result<Vec<TagName>, ReferenceError> {
        let mut tags = self.refs.tags()?;
        tags.extend(self.proof.iter().flat_map(|proof| proof.refs.tags()));
        Ok(tags)
    }

    /// Refuses a name that is both a branch and a tag, here or on the remote.
    pub(super) fn refuse_twin_name(
        &self,
        name: &str,
        is_pinned_by_commit: bool,
    ) -> Result<(), ReferenceError> {
        self.refuse_twin_name_on_remote(name, is_pinned_by_commit)?;
        let has = |kind: &str| self.refs.exists(&format!("refs/{kind}/{name}"));
        if !is_pinned_by_commit && has("heads") && has("tags") {
            return Err(ReferenceError::AmbiguousName { name: name.to_owned(), remote: None });
        }
        Ok(())
    }

    fn refuse_twin_name_on_remote(
        &self,
        name: &str,
        is_pinned_by_commit: bool,
    ) -> Result<(), ReferenceError> {
        match self.proof.filter(|proof| !is_pinned_by_commit && proof.refs.has_both(name)) {
            Some(Proof { remote, .. }) => Err(ReferenceError::AmbiguousName {
                name: name.to_owned(),
                remote: Some(remote.clone()),
            }),
            None => Ok(()),
        }
    }

    /// Whether the active branch has the name of the tag.
    fn is_active(&self, tag: &TagName) -> bool {
        matches!(self.refs.head(), Ok(Head::Branch(branch)) if branch.as_str() == tag.as_str())
    }

    pub(super) fn reference(
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

/// The remote whose name a name begins with, and the rest of it.
pub(super) fn without_remote<'r, 'b>(
    remotes: &'r [RemoteName],
    name: &'b str,
) -> Option<(&'r RemoteName, &'b str)> {
    let short = name.strip_prefix("refs/remotes/").unwrap_or(name);
    let short = short.strip_prefix("remotes/").unwrap_or(short);
    let mut stripped = remotes.iter().filter_map(|remote| {
        Some((remote, short.strip_prefix(remote.as_str())?.strip_prefix('/')?))
    });
    stripped.next()
}

/// Whether a tag was found at HEAD or in a push, and not named: only a version is meant then. Which series there
/// are is what the remote says; what is here of its tags may be less.
pub(super) fn is_unnamed(candidate: &Candidate, pushed: Option<&CommitId>) -> bool {
    pushed.is_some() || candidate.source == ReferenceSource::Git
}

/// How the value of a rung is to be read.
struct BranchReading {
    name: BranchName,
    /// The remote whose name the value began with.
    of_remote: Option<RemoteName>,
}

impl BranchReading {
    /// Refuses the branch of a remote that workers do not clone from: theirs may have another one of that name.
    fn refuse_other_remote(
        &self,
        from: &str,
        remote: Option<&RemoteName>,
    ) -> Result<(), ReferenceError> {
        match (self.of_remote.clone(), remote.cloned()) {
            (Some(named), Some(remote)) if named != remote => {
                let (from, branch) = (from.to_owned(), self.name.clone());
                Err(ReferenceError::OtherRemote { from, branch, named, remote })
            }
            _ => Ok(()),
        }
    }
}

/// `1 commit `, `2 commits `, or nothing if the number is not known.
fn counted(commits: Option<usize>) -> String {
    match commits {
        None => String::new(),
        Some(1) => "1 commit ".to_owned(),
        Some(commits) => format!("{commits} commits "),
    }
}
