//! Removes the registrations of feature branches that the remote no longer has.
//!
//! What is registered at a tag or on mainline, by another repository or by somebody else, is never
//! touched.

use std::collections::HashSet;

use flowreg_git::{ReferenceError, Remote};
use flowreg_model::{BranchName, Channel, Held, RemoteName, TargetDescription};
use flowreg_servers::{ReadScope, TargetError, Write};

use super::request::Notice;
use super::{Configured, Opened, RunError};

/// What is to be removed.
#[derive(Debug, Clone, Default)]
pub(crate) struct PruneRequest {
    /// Only the registrations of this branch.
    pub branch: Option<BranchName>,
    /// Only say what would be removed.
    pub dry_run: bool,
    /// The remote that has the branches, whatever the settings say.
    pub remote: Option<RemoteName>,
}

/// What was removed, or would be.
pub(crate) struct Pruned {
    /// The target.
    pub target: TargetDescription,
    /// By flow and deployment.
    pub registrations: Vec<PrunedBranch>,
    /// What is worth knowing.
    pub notices: Vec<Notice>,
}

/// A registration of a branch that is gone.
pub(crate) struct PrunedBranch {
    /// The flow.
    pub flow: String,
    /// The deployment.
    pub deployment: String,
    /// The branch.
    pub branch: BranchName,
    /// What became of it; `None` with `dry_run`.
    pub outcome: Option<Result<(), TargetError>>,
}

impl Opened<'_> {
    /// Removes what is registered for branches that are gone.
    ///
    /// # Errors
    /// [`RunError`] if the branch is there, or the remote or the target can't be read.
    pub(crate) fn prune(&self, request: &PruneRequest) -> Result<Pruned, RunError> {
        let configured = self.configure()?;
        // Before the target: a remote that can't be reached must end the run, as without its list
        // every branch would look deleted.
        let remote = configured.remote_of_branches(request)?;
        let existing = configured.branches(remote.as_ref())?;
        if let Some(branch) = request.branch.as_ref().filter(|branch| existing.contains(*branch)) {
            let (branch, remote) = (branch.clone(), remote.map(|remote| remote.name));
            return Err(RunError::BranchExists { branch, remote });
        }
        // One after the other: deletions are few, and the order of the report is that of the writes.
        let target = configured.connect(Some(1))?;
        let description = target.describe();
        let is_ours = configured.owner()?;
        let gone = |held: &Held| {
            let marks = held.marks.as_ref()?;
            let branch: BranchName = marks.branch.as_ref()?.parse().ok()?;
            let is_meant = request.branch.as_ref().is_none_or(|meant| *meant == branch);
            let is_feature = marks.channel == Channel::Feature.as_str();
            let is_gone = is_meant && is_feature && !existing.contains(&branch);
            let is_free =
                is_gone && is_ours(&marks.repository) && configured.may_remove(held, &branch);
            is_free.then_some(branch)
        };
        let held = target.read(ReadScope::All)?;
        let mut removable: Vec<(Held, BranchName)> =
            held.into_iter().filter_map(|held| gone(&held).map(|branch| (held, branch))).collect();
        removable.sort_by(|(one, _), (other, _)| {
            (&one.flow, &one.deployment).cmp(&(&other.flow, &other.deployment))
        });
        let mut outcomes = Vec::new();
        for (held, _) in &removable {
            let remove = || target.apply(&Write::Remove(held)).map(drop);
            outcomes.push((!request.dry_run).then(remove));
        }
        let removed = removable.iter().zip(&outcomes).filter_map(|((held, branch), outcome)| {
            matches!(outcome, Some(Ok(()))).then_some((held, branch.as_str()))
        });
        let recorded = self.record_removed(&description, removed, None);
        let lost = recorded
            .err()
            .map(|error| Notice::from(format!("the ledger could not be written: {error}")));
        let registrations = removable
            .into_iter()
            .zip(outcomes)
            .map(|((Held { flow, deployment, .. }, branch), outcome)| PrunedBranch {
                flow,
                deployment,
                branch,
                outcome,
            })
            .collect();
        Ok(Pruned { target: description, registrations, notices: lost.into_iter().collect() })
    }
}

impl Configured<'_> {
    /// The branches that are there: the remote's; of a repository without one its own.
    fn branches(&self, remote: Option<&Remote>) -> Result<HashSet<BranchName>, RunError> {
        let repository = &self.opened.repository;
        let branches = match remote {
            Some(remote) => repository.ask_for_branches(remote)?,
            None if self.target.needs_remote() => return Err(ReferenceError::NoRemote.into()),
            None => repository.own_branches()?,
        };
        // All registrations of branches would be removed. It is more likely that the remote is the
        // wrong one, or a new and empty one.
        if branches.is_empty() {
            return Err(RunError::NoBranches);
        }
        Ok(branches.into_iter().map(|(branch, _)| branch).collect())
    }

    /// The remote whose branches count; `None` if there is none.
    fn remote_of_branches(&self, request: &PruneRequest) -> Result<Option<Remote>, RunError> {
        let configured = self.settings.repository.remote.as_ref().map(|remote| &remote.value);
        Ok(self.opened.repository.remote(request.remote.as_ref().or(configured))?)
    }
}
