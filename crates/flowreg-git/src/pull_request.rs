//! The build of a pull request: whether the branch that has the name of its source branch is that branch.
//!
//! Most providers do not say whether a pull request comes from a fork, and a fork's branch may have the
//! name of one of ours. Only the commits tell: what the build has checked out is in our branch, or is a
//! merge of it with the target.

use super::ReferenceError;
use super::ci::Provider;
use super::ladder::Candidate;
use super::name_resolver::NameResolver;
use super::refs::CommitDistance;
use flowreg_model::{BranchName, CommitId, ReferenceSource, RemoteName, escaped, quoted};

/// The build of a pull request.
#[derive(Clone, Copy)]
pub(super) struct PullRequestBuild {
    pub(super) provider: &'static Provider,
    /// Whether HEAD is the pull request's own commit, as the provider says, and no merge that was made for the build.
    pub(super) is_own_commit: bool,
}

/// Whether a name is one by which pull requests are fetched or built, whatever the host: `PR-7`, `pr/7/head`,
/// `pull/7`, `merge-requests/7/head`, `7/merge`. A branch may be called so as well; only the remote can tell.
pub(super) fn is_name_of_pull_request(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    // Jenkins: `PR-7-merge` where it builds the merge beside the head.
    let of_jenkins = ["PR-", "MR-"].iter().find_map(|kind| name.strip_prefix(kind));
    let of_jenkins = of_jenkins.map(|rest| {
        let ends = ["-head", "-merge"];
        ends.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or(rest)
    });
    let mut parts = name.split('/').peekable();
    let kinds = ["pr", "mr", "pull", "pulls", "pull-requests", "merge-requests"];
    let is_kind = parts.next_if(|part| kinds.contains(part)).is_some();
    let is_numbered = parts.next().is_some_and(is_number);
    let is_end = matches!(parts.next(), Some("head" | "merge" | "from" | "to"));
    of_jenkins.is_some_and(is_number) || (is_numbered && (is_kind || is_end))
}

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
                vec![format!("if it is the pull request's: {named}")]
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

    /// Refuses a name that is a pull request's, as far as the remote does not say that it has a branch of that name.
    /// By an option, or by the branch that is active on their machine, people say that it is a branch.
    pub(super) fn refuse_name_of_pull_request(
        &self,
        candidate: &Candidate,
        branch: &BranchName,
    ) -> Result<(), ReferenceError> {
        let is_said_by_people = match candidate.source {
            ReferenceSource::Flag => true,
            ReferenceSource::ActiveBranch => candidate.head.is_none(),
            _ => false,
        };
        let is_branch = is_said_by_people || self.is_there(self.remote, branch);
        if is_branch || !is_name_of_pull_request(branch.as_str()) {
            return Ok(());
        }
        let (from, branch) = (candidate.detail.clone(), branch.clone());
        let asked = self.proof.map(|proof| proof.remote.clone());
        Err(ReferenceError::NameOfPullRequest { from, branch, asked })
    }

    /// Refuses the branch if HEAD is neither in it nor a merge of it: then it only has the same name.
    ///
    /// The branch may have moved on since the checkout. As in the build of a branch, what the remote has by
    /// now is registered then, and a notice says so: the commit that was built is one of ours all the same.
    pub(super) fn check_pull_request(
        &self,
        build: PullRequestBuild,
        branch: &BranchName,
        tip: &CommitId,
        notices: &mut Vec<String>,
    ) -> Result<(), ReferenceError> {
        let head = self.repository.head_commit()?;
        let PullRequestBuild { provider, is_own_commit } = build;
        let parents = self.refs.parents(&head);
        // The other parent of a merge is the target, which a fork's branch may have the name of as well. And a fork
        // may have merged our branch itself.
        let source = provider.source_of_merge(&parents).filter(|_| !is_own_commit);
        let mut is_known = true;
        for built in std::iter::once(&head).chain(source) {
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

#[cfg(test)]
mod tests {
    use super::is_name_of_pull_request;

    #[test]
    fn the_names_of_pull_requests_are_known() {
        for name in [
            "PR-7",
            "PR-7-merge",
            "PR-7-head",
            "MR-12",
            "pr/7",
            "pr/7/head",
            "pr/7/merge",
            "pull/7",
            "pull/7/head",
            "pulls/7/head",
            "pull-requests/7/from",
            "merge-requests/7/head",
            "7/head",
            "7/merge",
        ] {
            assert!(is_name_of_pull_request(name), "{name}");
        }
        for name in [
            "main",
            "feat",
            "7",
            "2026/12",
            "PR-",
            "PR-fix",
            "PR-7-fix",
            "pr/fix",
            "pull/seven",
            "pr-7",
            "feature/PR-7",
            "release/7/head",
            "head",
        ] {
            assert!(!is_name_of_pull_request(name), "{name}");
        }
    }
}
