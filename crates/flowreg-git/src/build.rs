//! The build of a CI provider, held against HEAD: what the variables say is about the commit that the
//! provider checked out, and a job may have checked out another one since, or another repository.

use super::ReferenceError;
use super::ci::{self, BuildReference, Provider};
use super::identity::is_other_path;
use super::ladder::Ladder;
use super::refs::{CommitDistance, Head};
use flowreg_model::{BranchName, CommitId};

/// The build in which this runs.
pub(super) struct Build {
    pub(super) provider: &'static Provider,
    pub(super) reference: BuildReference,
    /// Why it says nothing about HEAD, if so.
    pub(super) elsewhere: Option<String>,
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
        let elsewhere = self.elsewhere(provider, &reference)?;
        Ok(Some(Build { provider, reference, elsewhere }))
    }

    /// Why the build is not of HEAD, if it is not.
    fn elsewhere(
        &self,
        provider: &Provider,
        reference: &BuildReference,
    ) -> Result<Option<String>, ReferenceError> {
        if let (Some((variable, named)), Some(url)) =
            (provider.repository(self.environment), self.remote_url)
            && is_other_path(url, named)
        {
            return Ok(Some(format!("{variable} is `{named}`, which is another repository")));
        }
        let Some(head) = self.head_commit()? else { return Ok(None) };
        let built = provider.commits(self.environment);
        let is_pull_request = matches!(reference, BuildReference::PullRequestSource { .. });
        if built.iter().any(|(_, commit)| *commit == head) {
            return Ok(None);
        }
        // A pull request may be checked out as a merge that the provider, or its checkout, made.
        let is_merge = || {
            let parents = self.refs.parents(&head);
            parents.iter().any(|parent| built.iter().any(|(_, commit)| commit == parent))
        };
        if is_pull_request && is_merge() {
            return Ok(None);
        }
        match reference {
            BuildReference::Tag { name, .. } => {
                let tag = name.parse().ok();
                let there = tag.map(|tag| self.refs.tag(&tag)).transpose()?.flatten();
                if there.as_ref() == Some(&head) {
                    return Ok(None);
                }
                if let (true, Some(there)) = (built.is_empty(), there) {
                    return Ok(Some(format!(
                        "the tag {name} is at {}, and HEAD is {}",
                        there.short(),
                        head.short()
                    )));
                }
            }
            BuildReference::Branch { name, .. } if built.is_empty() => {
                return self.not_in_branch(name, &head);
            }
            _ => {}
        }
        Ok(built.first().map(|(variable, commit)| {
            format!("{variable} is {}, and HEAD is {}", commit.short(), head.short())
        }))
    }

    /// That HEAD is no commit of the branch, where the branch is known here.
    fn not_in_branch(&self, name: &str, head: &CommitId) -> Result<Option<String>, ReferenceError> {
        let Ok(branch) = name.parse::<BranchName>() else { return Ok(None) };
        let tracking = match self.remote {
            Some(remote) => self.refs.tracking(remote, &branch)?,
            None => None,
        };
        let tips: Vec<CommitId> =
            [tracking, self.refs.branch(&branch)?].into_iter().flatten().collect();
        // Where nothing is known of the branch, the remote is asked for it later.
        let is_in = |tip: &CommitId| {
            tip == head || matches!(self.refs.distance(head, tip), CommitDistance::Behind(_))
        };
        let is_known = !tips.is_empty() && !tips.iter().any(is_in);
        Ok(is_known.then(|| format!("HEAD ({}) is not in the branch {name}", head.short())))
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
