//! The build of a pull request: whether the branch that has the name of its source branch is that branch.
//!
//! Most providers do not say whether a pull request comes from a fork, and a fork's branch may have the
//! name of one of ours. Only the commits tell: what the build has checked out is in our branch, or is a
//! merge of it with the target.

use super::ReferenceError;
use super::ci::Provider;
use super::name_resolver::NameResolver;
use super::refs::CommitDistance;
use flowreg_model::{BranchName, CommitId};

/// The error for a pull request whose source branch has the name of a mainline branch. A fork's branch is often
/// called `main`, and what nobody merged is no release.
pub(super) fn mainline_of_pull_request(
    provider: &'static Provider,
    branch: &BranchName,
) -> ReferenceError {
    let provider = provider.name;
    let reason = format!(
        "the pull request's source branch has the name of a mainline branch (`{branch}`), so it may belong to a fork"
    );
    ReferenceError::Ci { provider, reason }
}

impl NameResolver<'_> {
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
        let (provider, branch, remote) = (provider.name, branch.clone(), self.remote.cloned());
        Err(ReferenceError::ForeignBranch { provider, branch, head, is_known, remote })
    }
}
