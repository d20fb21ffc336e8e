//! What git is in the middle of. A rebase and a bisect detach HEAD, and put it at commits of other
//! branches and tags on their way: what points there is not what the user works on.

use std::fmt;
use std::path::Path;

use gix::state::InProgress;

use super::refs::Refs;
use super::{ReferenceError, Repository};
use flowreg_model::{BranchName, CommitId};

/// An operation of git that stopped for the user, and has not come to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// git's own word: `rebase`, `merge`.
    pub name: &'static str,
    /// The branch to which HEAD returns, if the operation has detached it.
    pub branch: Option<BranchName>,
    /// What ends it.
    pub(super) end: &'static [&'static str],
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let article = if self.name.starts_with('a') { "an" } else { "a" };
        match &self.branch {
            Some(branch) => write!(f, "{article} {} of {branch} is in progress", self.name),
            None => write!(f, "{article} {} is in progress", self.name),
        }
    }
}

impl Operation {
    /// The operation that a git directory is in the middle of.
    pub(super) fn new(state: &InProgress, git_dir: &Path) -> Self {
        let (name, end): (_, &[_]) = match state {
            InProgress::Rebase | InProgress::RebaseInteractive | InProgress::ApplyMailboxRebase => {
                ("rebase", &["git rebase --continue", "git rebase --abort"])
            }
            InProgress::ApplyMailbox => ("am", &["git am --continue", "git am --abort"]),
            InProgress::Bisect => ("bisect", &["git bisect reset"]),
            InProgress::CherryPick | InProgress::CherryPickSequence => {
                ("cherry-pick", &["git cherry-pick --continue", "git cherry-pick --abort"])
            }
            InProgress::Merge => ("merge", &["git merge --continue", "git merge --abort"]),
            InProgress::Revert | InProgress::RevertSequence => {
                ("revert", &["git revert --continue", "git revert --abort"])
            }
        };
        // Each holds the branch, or what HEAD was at if that was no branch.
        let files: &[&str] = match name {
            "rebase" => &["rebase-merge/head-name", "rebase-apply/head-name"],
            "bisect" => &["BISECT_START"],
            _ => &[],
        };
        let read = |file: &&str| std::fs::read_to_string(git_dir.join(file)).ok();
        let began_at = files.iter().find_map(read).unwrap_or_default();
        let is_commit = began_at.trim().parse::<CommitId>().is_ok();
        let branch = began_at.trim().parse().ok().filter(|_| !is_commit);
        Self { name, branch, end }
    }

    /// Whether this kind of operation leaves HEAD detached until it ends.
    pub(super) fn detaches(&self) -> bool {
        matches!(self.name, "rebase" | "bisect")
    }
}

impl Repository {
    /// What git is in the middle of in this work tree.
    pub fn operation(&self) -> Option<Operation> {
        Refs::of(self).operation()
    }

    /// Refuses to go by HEAD while git has it somewhere for an operation of its own.
    ///
    /// # Errors
    /// [`ReferenceError::InProgress`] during a rebase or a bisect; or if HEAD can't be read.
    pub fn check_head(&self) -> Result<(), ReferenceError> {
        match self.operation().filter(Operation::detaches) {
            Some(operation) => {
                let operation = Box::new(operation);
                Err(ReferenceError::InProgress { commit: self.head_commit()?, operation })
            }
            None => Ok(()),
        }
    }
}
