//! The build of a CI provider, held against HEAD: what the variables say is about the commit that the
//! provider checked out, and a job may have checked out another one since, or another repository.

use super::ReferenceError;
use super::ci::{self, BuildReference, Provider};
use super::identity::is_other_path;
use super::ladder::Ladder;
use super::pull_request::PullRequestBuild;
use super::refs::{CommitDistance, Head};
use flowreg_model::{BranchName, CommitId, Environment};

/// The build in which this runs.
pub(super) struct Build {
    pub(super) provider: &'static Provider,
    pub(super) reference: BuildReference,
    /// The commit of HEAD, if it is the one that is built.
    pub(super) head: Option<CommitId>,
    /// Why it says nothing about HEAD, if so.
    pub(super) elsewhere: Option<Elsewhere>,
}

/// Why what a provider says is not about HEAD, in words.
pub(super) enum Elsewhere {
    /// It builds another repository.
    Repository(String),
    /// It builds another commit.
    Commit(String),
}

impl Elsewhere {
    pub(super) fn reason(&self) -> &str {
        match self {
            Self::Repository(reason) | Self::Commit(reason) => reason,
        }
    }
}

impl Build {
    /// What the provider says: a branch, a tag, or its own name if all that it says is why not to register.
    pub(super) fn value(&self) -> Option<&str> {
        match &self.reference {
            BuildReference::Tag { name, .. }
            | BuildReference::Branch { name, .. }
            | BuildReference::PullRequestSource { name, .. } => Some(name),
            BuildReference::Refused(_) | BuildReference::Forbidden(_) => Some(self.provider.name),
            BuildReference::Unknown(_) => None,
        }
    }

    /// Why that is passed over. What is forbidden is forbidden at every commit of the repository.
    pub(super) fn reason_to_skip(&self) -> Option<&str> {
        match (&self.elsewhere, &self.reference) {
            (Some(Elsewhere::Commit(_)), BuildReference::Forbidden(_)) | (None, _) => None,
            (Some(elsewhere), _) => Some(elsewhere.reason()),
        }
    }

    /// Why nothing of the repository can be registered in this build, whatever is checked out.
    pub(super) fn forbidden(&self) -> Option<&'static str> {
        match (&self.reference, &self.elsewhere) {
            (BuildReference::Forbidden(_), Some(Elsewhere::Repository(_))) => None,
            (BuildReference::Forbidden(reason), _) => Some(reason),
            _ => None,
        }
    }

    /// Whether it is of a pull request of this repository whose source is one of these branches.
    pub(super) fn is_of_pull_request(&self, branches: &[&str]) -> bool {
        let is_here = !matches!(self.elsewhere, Some(Elsewhere::Repository(_)));
        matches!(&self.reference, BuildReference::PullRequestSource { name, .. }
            if is_here && branches.contains(&name.as_str()))
    }

    /// The pull request that it builds, for the branch that is taken for its source.
    pub(super) fn pull_request(&self, environment: &Environment) -> PullRequestBuild {
        let is_own = |head: &CommitId| self.provider.is_own_commit(environment, head);
        let is_own_commit = self.head.as_ref().is_some_and(is_own);
        PullRequestBuild { provider: self.provider, is_own_commit }
    }

    /// Whether `GIT_BRANCH` is all that this provider says of the branch, and HEAD the commit of it.
    pub(super) fn is_told_by_git_branch(&self, environment: &Environment) -> bool {
        let is_named = |head: &CommitId| {
            self.provider.commits(environment).iter().any(|(_, named)| named.is(head))
        };
        matches!(self.reference, BuildReference::Unknown(_))
            && self.head.as_ref().is_some_and(is_named)
    }

    /// The commit of HEAD, if it is what the build has of this branch.
    pub(super) fn head_of(&self, branch: &str) -> Option<CommitId> {
        let is_built =
            matches!(&self.reference, BuildReference::Branch { name, .. } if name == branch);
        self.head.clone().filter(|_| is_built)
    }
}

impl Ladder<'_> {
    /// The build in which this runs, if a CI provider is recognised.
    pub(super) fn build(&self) -> Result<Option<Build>, ReferenceError> {
        let Some(provider) = ci::provider(self.environment) else { return Ok(None) };
        let reference = match self.refs.head()? {
            Head::Branch(active) if ci::is_of_merge_queue(active.as_str()) => {
                BuildReference::Forbidden(ci::QUEUE)
            }
            _ => provider.build_reference(self.environment),
        };
        let head = self.head_commit()?;
        let elsewhere = match self.other_repository(provider) {
            None => match &head {
                Some(head) => self.other_commit(provider, &reference, head)?,
                None => None,
            },
            reason => reason.map(Elsewhere::Repository),
        };
        let head = head.filter(|_| elsewhere.is_none());
        Ok(Some(Build { provider, reference, head, elsewhere }))
    }

    /// That the provider builds another repository, if it does.
    fn other_repository(&self, provider: &Provider) -> Option<String> {
        let (variable, named) = provider.repository(self.environment)?;
        let is_other = is_other_path(self.remote_url?, named);
        is_other.then(|| format!("{variable} is `{named}`, which is another repository"))
    }

    /// That the provider builds another commit than HEAD, if it does.
    fn other_commit(
        &self,
        provider: &Provider,
        reference: &BuildReference,
        head: &CommitId,
    ) -> Result<Option<Elsewhere>, ReferenceError> {
        let built = provider.commits(self.environment);
        let is_built = |commit: &CommitId| built.iter().any(|(_, named)| named.is(commit));
        // A pull request may be checked out as a merge that the provider, or its checkout, made.
        let is_pull_request = matches!(reference, BuildReference::PullRequestSource { .. });
        if is_built(head) || (is_pull_request && self.refs.parents(head).iter().any(is_built)) {
            return Ok(None);
        }
        let named = built.iter().find_map(|(variable, named)| Some((*variable, named.short()?)));
        let reason = match (reference, named) {
            (BuildReference::Tag { name, .. }, named) => {
                let tag = name.parse().ok();
                let there = tag.map(|tag| self.refs.tag(&tag)).transpose()?.flatten();
                match (there, named) {
                    // The variable may have the id of the annotated tag.
                    (Some(there), _) if there == *head => None,
                    (Some(there), None) => {
                        let (there, head) = (there.short(), head.short());
                        Some(format!("the tag {name} is at {there}, and HEAD is {head}"))
                    }
                    (_, named) => named.map(|named| not_head(named, head)),
                }
            }
            (_, Some(named)) => Some(not_head(named, head)),
            // `HEAD` is what is checked out. That it is in the branch which is built can be seen where
            // the branch is known; it may be ahead of what was fetched of it before.
            (BuildReference::Branch { name, .. }, None) => {
                let is_ahead = !built.is_empty();
                let is_in = self.is_in_branch(name, head, is_ahead)?;
                (is_in == Some(false))
                    .then(|| format!("HEAD ({}) is not in the branch {name}", head.short()))
            }
            (_, None) => None,
        };
        Ok(reason.map(Elsewhere::Commit))
    }

    /// Whether HEAD is in the branch, or, where `or_ahead`, goes on from it; `None` if the branch is not known
    /// here. Then the remote is asked for it later.
    pub(super) fn is_in_branch(
        &self,
        name: &str,
        head: &CommitId,
        or_ahead: bool,
    ) -> Result<Option<bool>, ReferenceError> {
        let Ok(branch) = name.parse::<BranchName>() else { return Ok(None) };
        let tracking = match self.remote {
            Some(remote) => self.refs.tracking(remote, &branch)?,
            None => None,
        };
        let tips: Vec<CommitId> =
            [tracking, self.refs.branch(&branch)?].into_iter().flatten().collect();
        let distances = tips.iter().map(|tip| self.refs.distance(head, tip));
        let answers = distances.map(|distance| match distance {
            CommitDistance::Same | CommitDistance::Behind(_) => Some(true),
            CommitDistance::Ahead(_) => Some(or_ahead),
            CommitDistance::Diverged => Some(false),
            CommitDistance::Unknown => None,
        });
        // In one of them is enough; in none is certain only if all are known.
        let answers: Vec<Option<bool>> = answers.collect();
        let is_open = answers.is_empty() || answers.contains(&None);
        Ok(if answers.contains(&Some(true)) { Some(true) } else { (!is_open).then_some(false) })
    }

    /// The commit of HEAD, if this certainly runs in a job: a job is for the commit that it has checked out.
    pub(super) fn head_of_job(&self) -> Result<Option<CommitId>, ReferenceError> {
        match ci::ci_build(self.environment) {
            Some(_) => self.head_commit(),
            None => Ok(None),
        }
    }

    /// The commit at HEAD; `None` if there is none yet.
    fn head_commit(&self) -> Result<Option<CommitId>, ReferenceError> {
        match self.refs.head()? {
            Head::Branch(branch) => self.refs.branch(&branch),
            Head::Detached(commit) => Ok(Some(commit)),
            Head::Unborn(_) => Ok(None),
        }
    }
}

fn not_head((variable, named): (&str, &str), head: &CommitId) -> String {
    format!("{variable} is {named}, and HEAD is {}", head.short())
}
