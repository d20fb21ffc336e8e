//! What can be refused about a tag before it is made, apart from what is registered at it.

use flowreg_git::tagging::{SeriesSet, SeriesTags, TagError, TagRule};
use flowreg_git::{Pin, ReferenceRequest, ReferenceRules, TagKind, Untagged, is_mainline, resolve};
use flowreg_model::{BranchName, Channel, CommitId, ReferenceSource, TagName, TargetKind};

use super::TagUsageError;
use super::rounds::TagRun;
use crate::run::RunError;

/// How a tag is going to be made.
pub(super) struct TagDraft {
    /// What kind of tag.
    pub kind: TagKind,
    /// The object of the tag of that name and kind that somebody made here by hand.
    pub by_hand: Option<CommitId>,
    /// The branch that is pushed with it.
    pub branch: Option<BranchName>,
}

impl TagRun<'_> {
    /// Asks everything about a tag that needs neither its object nor a plan.
    pub(super) fn draft(&self, tag: &TagName, tags: &SeriesTags) -> Result<TagDraft, RunError> {
        let kind = self.kind()?;
        self.refuse_branch_of_that_name(tag, tags)?;
        let held = self.opened.repository.tags_here(tag.as_str())?;
        let held = held.into_iter().find(|held| held.name == *tag);
        // A tag that only this clone has is never moved. If it stayed where it is and the remote
        // got one of that name, the two would stand for different code.
        if let Some(held) = held.as_ref().filter(|held| held.commit != self.commit) {
            let (tag, here) = (tag.clone(), held.commit.clone());
            return Err(TagError::TakenHere { tag, here, commit: self.commit.clone() }.into());
        }
        // A tag that somebody made here by hand, with a message of their own, is pushed as it is,
        // if it is of the kind that is needed. Where a signed one is needed, it does not count:
        // nothing here tells whether it is signed.
        let by_hand = held.filter(|held| {
            kind != TagKind::Signed && held.is_annotated() == (kind == TagKind::Annotated)
        });
        let requires_signature = self.mainline_rules().require_signed_tags == Some(true);
        if requires_signature && kind != TagKind::Signed && by_hand.is_none() {
            return Err(TagRule::Unsigned { tag: tag.clone() }.into());
        }
        let branch = if self.request.with_branch {
            Some(self.active_branch().ok_or(TagError::NoBranch)?)
        } else {
            None
        };
        Ok(TagDraft { kind, by_hand: by_hand.map(|held| held.object), branch })
    }

    /// Refuses the signature of a tag that is made and not yet pushed, if this run would then refuse
    /// to register at it. Elsewhere other keys may be trusted than here.
    pub(super) fn check_signature(&self, tag: &TagName, object: &CommitId) -> Result<(), RunError> {
        let is_asked = self.mainline_rules().require_signed_tags == Some(true);
        if !is_asked || !self.request.register {
            return Ok(());
        }
        let unsigned = |reason| TagRule::Signed { tag: tag.clone(), reason };
        self.opened.repository.verify_tag(object)?.map_err(|reason| unsigned(reason).into())
    }

    /// A clone by name takes the branch, and a pull the tag (docs/facts/git.md, "One name, two
    /// refs"). Only a registration that is pinned to the commit's id could use such a tag.
    fn refuse_branch_of_that_name(&self, tag: &TagName, tags: &SeriesTags) -> Result<(), RunError> {
        if self.settings.repository.pin == Pin::Commit {
            return Ok(());
        }
        let has = |branches: &[(BranchName, CommitId)]| {
            branches.iter().any(|(branch, _)| branch.as_str() == tag.as_str())
        };
        let remote = self.remote.as_ref().filter(|_| has(&tags.branches));
        if remote.is_none() && !has(&self.opened.repository.own_branches()?) {
            return Ok(());
        }
        let remote = remote.map(|remote| remote.name.clone());
        Err(TagError::BranchOfThatName { tag: tag.clone(), remote }.into())
    }

    /// What kind of tag the target's workers can use: those of Prefect 1 crash on annotated tags
    /// (docs/facts/prefect1.md, "Git storage").
    fn kind(&self) -> Result<TagKind, TagUsageError> {
        let is_signed = self.request.sign || self.opened.repository.signs_tags();
        match (self.is_prefect1(), is_signed) {
            // Only the flag is refused. `tag.gpgSign` is a person's setting for all repositories,
            // and says nothing about this tag.
            (true, _) if self.request.sign => Err(TagUsageError::SignedForPrefect1),
            (true, _) => Ok(TagKind::Lightweight),
            (false, true) => Ok(TagKind::Signed),
            (false, false) => Ok(TagKind::Annotated),
        }
    }

    pub(super) fn is_prefect1(&self) -> bool {
        let target = self.settings.target.as_ref();
        target.is_some_and(|target| target.value == TargetKind::Prefect1)
    }

    /// HEAD's branch, if the commit is its last one. `--commit` may name any other, which must not
    /// be pushed to the branch that happens to be checked out.
    pub(super) fn active_branch(&self) -> Option<BranchName> {
        let branch = self.opened.repository.active_branch()?;
        let tip = self.opened.repository.head_commit().ok()?;
        (tip == self.commit).then_some(branch)
    }

    /// Refuses a commit that is in the history of no mainline branch. Where the tag is only
    /// printed, or is meant to be off mainline, that is a notice instead.
    pub(super) fn check_mainline(&self, tags: &SeriesTags) -> Result<Option<String>, RunError> {
        let globs = &self.settings.repository.mainline;
        let repository = &self.opened.repository;
        let name = self.remote.as_ref().map(|remote| &remote.name);
        // With the remote's branches of this round: mainline may have got the commit a moment ago.
        let is_on_mainline = match self.remote {
            Some(_) => repository.is_on_mainline(&self.commit, globs, name, &tags.branches),
            None => repository.is_on_fetched_mainline(&self.commit, globs, None),
        };
        let is_on_mainline = is_on_mainline.map_err(TagError::from)?;
        let active = self.active_branch();
        let unpushed = match active {
            Some(branch) if is_mainline(globs, &branch)? => Some(branch),
            _ => None,
        };
        // With `--with-branch` the same push puts the commit on the mainline branch.
        let goes_along = self.request.with_branch && unpushed.is_some();
        let is_required = self.mainline_rules().require_tag_on_mainline == Some(true);
        // If mainline went on, a shallow clone lacks the commits between and can't tell. Then the
        // CI provider's word counts that it builds a mainline branch, but not for registering where
        // the tag has to be proved to be there.
        let by_build = || !(is_required && self.request.register) && self.is_mainline_build();
        if is_on_mainline.unwrap_or_else(by_build) || goes_along {
            return Ok(None);
        }
        let error = TagError::NotMainline {
            commit: self.commit.clone(),
            remote: name.cloned(),
            is_known: is_on_mainline.is_some(),
            unpushed: unpushed.filter(|_| is_on_mainline == Some(false)),
            is_required,
        };
        if self.request.print || (self.request.off_mainline && !is_required) {
            return Ok(Some(error.to_string()));
        }
        Err(error.into())
    }

    /// Whether the environment, or the branch that is checked out, says that this is a mainline
    /// branch at the commit. Builds of pull requests are none: the ladder refuses a source branch
    /// that has the name of a mainline branch.
    fn is_mainline_build(&self) -> bool {
        let request = ReferenceRequest::from(ReferenceRules {
            ask_remote: false,
            // The commit has no tag yet, which is no reason against the branch here.
            untagged: Untagged::Branch,
            series: SeriesSet::Declared(Vec::new()),
            mainline: self.settings.repository.mainline.clone(),
            ..ReferenceRules::default()
        });
        let environment = &self.opened.surroundings.environment;
        let resolution = resolve(&self.opened.repository, environment, &request);
        resolution.reference.is_ok_and(|reference| {
            let is_named = matches!(
                reference.source,
                ReferenceSource::GitBranch | ReferenceSource::ActiveBranch | ReferenceSource::Ci
            );
            is_named && reference.channel == Channel::Mainline && reference.commit == self.commit
        })
    }
}
