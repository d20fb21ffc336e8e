//! The build of a pull request: whether the branch that has the name of its source branch is that branch.
//!
//! Most providers do not say whether a pull request comes from a fork, and a fork's branch may have the
//! name of one of ours. Only the commits tell: what the build has checked out is in our branch, or is a
//! merge of it with the target.

use super::ReferenceError;
use super::ci::Provider;
use super::name_resolver::NameResolver;
use super::refs::CommitDistance;
use flowreg_model::{BranchName, CommitId, RemoteName, escaped, quoted};

/// Why the branch that has the name of a pull request's source branch is not registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForeignBranch {
    /// It is mainline. A fork's branch is often called `main`, and what nobody merged is no release.
    Mainline,
    /// HEAD, which is at this commit, is neither in it nor a merge of it.
    NotBuilt(CommitId),
    /// The history that is here does not tell.
    Unknown(CommitId),
}

impl ForeignBranch {
    pub(super) fn reason(&self, branch: &BranchName) -> String {
        let branch = escaped(branch);
        match self {
            Self::Mainline => format!(
                "the pull request's source branch has the name of a mainline branch ({branch}), and what a pull request builds is no release"
            ),
            Self::NotBuilt(head) => format!(
                "HEAD ({}) is neither in the branch {branch} nor a merge of it: the pull request may belong to a fork, or its branch was rewritten since",
                head.short()
            ),
            Self::Unknown(head) => format!(
                "this clone is shallow, and does not tell whether HEAD ({}) is in the branch {branch} or a merge of it: the pull request may belong to a fork",
                head.short()
            ),
        }
    }

    pub(super) fn hints(&self, branch: &BranchName, remote: Option<&RemoteName>) -> Vec<String> {
        let named = format!("flowreg … --branch {}", quoted(branch.as_str()));
        match (self, remote) {
            (Self::Mainline, _) => vec![named],
            (Self::Unknown(_), Some(remote)) => {
                vec![format!("git fetch --unshallow {remote}"), named]
            }
            (Self::NotBuilt(_) | Self::Unknown(_), _) => {
                vec![format!("{named}, if it is the pull request's")]
            }
        }
    }
}

impl NameResolver<'_> {
    pub(super) fn foreign_branch(
        &self,
        provider: &'static Provider,
        branch: &BranchName,
        why: ForeignBranch,
    ) -> ReferenceError {
        let (provider, branch, remote) = (provider.name, branch.clone(), self.remote.cloned());
        ReferenceError::ForeignBranch { provider, branch, why: Box::new(why), remote }
    }

    /// Refuses the branch if HEAD is neither in it nor a merge of it: then it only has the same name.
    ///
    /// The branch may have moved on since the checkout. As in the build of a branch, what the remote has by
    /// now is registered then, and a notice says so: the commit that was built is one of ours all the same.
    pub(super) fn check_pull_request(
        &self,
        provider: &'static Provider,
        branch: &BranchName,
        tip: &CommitId,
        notices: &mut Vec<String>,
    ) -> Result<(), ReferenceError> {
        let head = self.repository.head_commit()?;
        let parents = self.refs.parents(&head);
        let mut is_known = true;
        // The other parent of a merge is the target, which a fork's branch may have the name of as well.
        for built in std::iter::once(&head).chain(provider.source_of_merge(&parents)) {
            match self.refs.distance(built, tip) {
                CommitDistance::Same => return Ok(()),
                CommitDistance::Behind(_) => {
                    if notices.is_empty() {
                        let what = format!("its newest commit ({})", tip.short());
                        notices.push(self.difference(branch, built, tip, &what));
                    }
                    return Ok(());
                }
                CommitDistance::Ahead(_) | CommitDistance::Diverged => {}
                CommitDistance::Unknown => is_known = false,
            }
        }
        let why =
            if is_known { ForeignBranch::NotBuilt(head) } else { ForeignBranch::Unknown(head) };
        Err(self.foreign_branch(provider, branch, why))
    }
}
