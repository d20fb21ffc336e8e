//! How a commit stands to mainline: whether production's history has it.

use super::mainline::Mainline;
use super::refs::Refs;
use super::{ReferenceError, Repository, ci};
use flowreg_model::{BranchName, CommitId, Environment, RemoteName};

impl Repository {
    /// Whether a commit is in the history of a mainline branch of the remote, which has these
    /// branches; `None` if what is here does not tell.
    ///
    /// # Errors
    /// If a glob is none, or history can't be read.
    pub fn is_on_mainline(
        &self,
        commit: &CommitId,
        globs: &[String],
        remote: Option<&RemoteName>,
        branches: &[(BranchName, CommitId)],
    ) -> Result<Option<bool>, ReferenceError> {
        let mainline = Mainline::new(globs)?;
        let refs = Refs::of(self);
        let mut is_unknown = false;
        for (branch, tip) in branches.iter().filter(|(branch, _)| mainline.contains(branch)) {
            if tip == commit {
                return Ok(Some(true));
            }
            let tracked = match remote {
                Some(remote) => refs.tracking(remote, branch)?,
                None => None,
            };
            for known in [Some(tip.clone()), tracked].into_iter().flatten() {
                if refs.has_commit(&known) && self.is_ancestor(commit, &known)? {
                    return Ok(Some(true));
                }
            }
            is_unknown |= !refs.has_commit(tip);
        }
        Ok(if is_unknown || self.is_shallow() { None } else { Some(false) })
    }

    /// The same, going by the branches that were fetched from the remote and those made here; for
    /// who has not asked the remote.
    ///
    /// # Errors
    /// If a glob is none, or refs or history can't be read.
    pub fn seems_on_mainline(
        &self,
        commit: &CommitId,
        globs: &[String],
        remote: Option<&RemoteName>,
    ) -> Result<Option<bool>, ReferenceError> {
        let branches = Refs::of(self).branches_here(remote)?;
        let mainline = Mainline::new(globs)?;
        let knows_any = branches.iter().any(|(branch, _)| mainline.contains(branch));
        let found = self.is_on_mainline(commit, globs, None, &branches)?;
        Ok(found.filter(|is_on| *is_on || knows_any))
    }

    /// Whether the clone has a commit of a branch's name that is mainline.
    ///
    /// # Errors
    /// If a glob is none.
    pub fn is_mainline_name(
        &self,
        branch: &BranchName,
        globs: &[String],
    ) -> Result<bool, ReferenceError> {
        Ok(Mainline::new(globs)?.contains(branch))
    }

    /// The CI provider in whose build this runs, as people know it.
    pub fn ci_provider(environment: &Environment) -> Option<&'static str> {
        ci::provider(environment).map(|provider| provider.name)
    }
}
