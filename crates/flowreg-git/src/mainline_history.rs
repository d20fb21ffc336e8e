//! Whether a commit is in the history of a mainline branch, which is what production runs.
//!
//! Local reads only: who has asked the remote for its branches passes them in.

use super::mainline::Mainline;
use super::refs::Refs;
use super::{ReferenceError, Repository};
use flowreg_model::{BranchName, CommitId, RemoteName};

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
            // The remote's tip may not be fetched yet. The tracking branch is older, but what is in its
            // history is in the tip's, unless the branch was forced.
            for known in [Some(tip.clone()), tracked].into_iter().flatten() {
                if refs.has_commit(&known) && self.is_ancestor(commit, &known)? {
                    return Ok(Some(true));
                }
            }
            is_unknown |= !refs.has_commit(tip);
        }
        // A shallow clone ends before the history does, so "not found" means nothing there.
        Ok(if is_unknown || self.is_shallow() { None } else { Some(false) })
    }

    /// The same for callers that have not asked the remote: goes by the branches that were fetched
    /// from it, and by those of this repository. `None` also if none of them is mainline.
    ///
    /// # Errors
    /// If a glob is none, or refs or history can't be read.
    pub fn is_on_fetched_mainline(
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
}
