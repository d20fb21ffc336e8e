//! Where HEAD is: its commit and its branch, for callers that ask for nothing else.
//!
//! Which branch or tag is *registered* is decided by the ladder ([`super::ladder`]), where HEAD is
//! one rung among others.

use super::refs::{Head, Refs};
use super::{ReferenceError, Repository};
use flowreg_model::{BranchName, CommitId};

impl Repository {
    /// The commit that HEAD is at.
    ///
    /// # Errors
    /// [`ReferenceError::UnbornHead`] if there is none yet.
    pub fn head_commit(&self) -> Result<CommitId, ReferenceError> {
        let refs = Refs::of(self);
        match refs.head()? {
            Head::Detached(commit) => Ok(commit),
            Head::Unborn(branch) => Err(ReferenceError::UnbornHead { branch }),
            Head::Branch(branch) => {
                let unborn = || ReferenceError::UnbornHead { branch: branch.to_string() };
                refs.branch(&branch)?.ok_or_else(unborn)
            }
        }
    }

    /// The branch that HEAD is on; in a linked work tree that is the work tree's own.
    ///
    /// `None` if HEAD is detached, as CI providers leave it, if its branch has no commit yet, or if
    /// HEAD can't be read. Flags and environment variables are not looked at, and neither is the
    /// remote.
    pub fn active_branch(&self) -> Option<BranchName> {
        match Refs::of(self).head() {
            Ok(Head::Branch(branch)) => Some(branch),
            Ok(Head::Unborn(_) | Head::Detached(_)) | Err(_) => None,
        }
    }
}
