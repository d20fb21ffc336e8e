//! Why there is no code reference, and what to type about it.

use super::lightweight::LightweightTwin;
use super::names_at_head::NamesAtHead;
use super::pull_request::ForeignBranch;
use super::tag_advice::TagAdvice;
use super::tagging::SeveralSeries;
use super::{GitError, Operation};
use flowreg_model::{
    BranchName, CommitId, NameError, ReferenceName, RemoteName, TagName, escaped, quoted,
};

/// Why there is no code reference.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ReferenceError {
    /// `--tag` and `--branch` at once.
    #[error("--tag and --branch can't be used together")]
    TagAndBranch,
    /// A value that git would not accept as a name.
    #[error("{from}: {}", escaped(.error))]
    InvalidName {
        /// The flag or the variable.
        from: String,
        /// What is wrong with the name.
        error: NameError,
    },
    /// A value of `repository.mainline` is not a valid glob.
    #[error("`{}` (repository.mainline) is not a glob: {}", escaped(.glob), escaped(.reason))]
    InvalidGlob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A variable holds what another program should have replaced, or its word for "nothing".
    #[error("{from} is `{}`, {}", escaped(.value), .what)]
    NotFilledIn {
        /// The variable.
        from: String,
        /// Its value.
        value: String,
        /// What that is.
        what: &'static str,
    },
    /// The value names something that is no branch.
    #[error("{from} is `{}`, {what}", escaped(.value))]
    NotABranch {
        /// The flag or the variable.
        from: String,
        /// Its value.
        value: String,
        /// What that is.
        what: &'static str,
    },
    /// The value has the name of a pull request, and the remote is not known to have a branch of that name.
    #[error("{from} is `{}`, which is the name of a pull request, and of no branch {}", escaped(.branch), known_of(.asked.as_ref()))]
    NameOfPullRequest {
        /// The variable, or where else the name was found.
        from: String,
        /// The name.
        branch: BranchName,
        /// The remote, if it was asked.
        asked: Option<RemoteName>,
    },
    /// The tag is neither here nor, if it was asked, at the remote.
    #[error("{from} names the tag {}, which is not in the repository{}", escaped(.tag), or_at(.remote.as_ref(), *.is_asked))]
    NoSuchTag {
        /// The flag or the variable.
        from: String,
        /// The tag.
        tag: TagName,
        /// What else it may be.
        alike: Box<AlikeTags>,
        /// The remote that may have it, if there is one.
        remote: Option<RemoteName>,
        /// Whether the remote was asked.
        is_asked: bool,
        /// What the value seems to mean instead.
        meant: Option<ReferenceName>,
        /// Whether the tag to propose has to be lightweight.
        lightweight: bool,
    },
    /// The branch is neither here nor, if it was asked, at the remote.
    #[error("{from} names the branch {}, which is not in the repository{}", escaped(.branch), or_at(.remote.as_ref(), *.is_asked))]
    NoSuchBranch {
        /// The flag or the variable.
        from: String,
        /// The branch.
        branch: BranchName,
        /// A branch that is there, of which this one is a slip.
        near: Option<Box<BranchName>>,
        /// The remote that may have it, if there is one.
        remote: Option<RemoteName>,
        /// Whether the remote was asked.
        is_asked: bool,
        /// What the value seems to mean instead.
        meant: Option<ReferenceName>,
    },
    /// `origin/x` is a branch of its own, and `x` is a branch of `origin`.
    #[error(
        "{from} is `{}`, which can mean the branch of that name or the branch `{}` of a remote",
        escaped(.literal),
        escaped(.stripped)
    )]
    AmbiguousBranch {
        /// The variable.
        from: String,
        /// The value as a branch.
        literal: BranchName,
        /// The value without the remote's name.
        stripped: BranchName,
    },
    /// The value names a branch of a remote that workers do not clone from.
    #[error(
        "{from} names the branch {} of the remote {named}, but workers clone from {remote}",
        escaped(.branch)
    )]
    OtherRemote {
        /// The variable.
        from: String,
        /// The branch.
        branch: BranchName,
        /// Its remote.
        named: RemoteName,
        /// The remote that workers clone from.
        remote: RemoteName,
    },
    /// The ref leads to a tree or a blob.
    #[error("{} is a {kind}, not a commit", escaped(.name))]
    NotACommit {
        /// The full name of the ref.
        name: String,
        /// `tree` or `blob`.
        kind: String,
    },
    /// HEAD's branch has no commit yet.
    #[error("the branch {} has no commit yet", escaped(.branch))]
    UnbornHead {
        /// HEAD's branch.
        branch: String,
    },
    /// HEAD is at no branch, and `--strict` tries nothing else.
    #[error("HEAD is detached at {}, and --strict looks no further", .commit.short())]
    DetachedHead {
        /// Where HEAD is.
        commit: CommitId,
        /// What points at it.
        names: Box<NamesAtHead>,
    },
    /// HEAD is at no branch because git is in the middle of something.
    #[error("HEAD is detached at {}: {}", .commit.short(), escaped(.operation))]
    InProgress {
        /// Where HEAD is.
        commit: CommitId,
        /// What git is in the middle of.
        operation: Box<Operation>,
    },
    /// HEAD is at no branch, and several or no names point at it.
    #[error("HEAD is detached at {}, and {}", .commit.short(), .names.why_undecided())]
    Undecided {
        /// Where HEAD is.
        commit: CommitId,
        /// What points at it.
        names: Box<NamesAtHead>,
    },
    /// What the CI provider tells can't be registered.
    #[error("{provider}: {reason}")]
    Ci {
        /// The provider.
        provider: &'static str,
        /// Why not.
        reason: String,
    },
    /// The branch that has the name of a pull request's source branch can't be taken for it.
    #[error("{provider}: {}", .why.reason(.branch))]
    ForeignBranch {
        /// The provider.
        provider: &'static str,
        /// The branch.
        branch: BranchName,
        /// Why not.
        why: Box<ForeignBranch>,
        /// The remote that workers clone from.
        remote: Option<RemoteName>,
    },
    /// The branch is one that a merge queue made for a build.
    #[error("{from}: a merge queue made the branch {}, which is gone after the build", escaped(.branch))]
    MergeQueue {
        /// The variable, or where else the branch was found.
        from: String,
        /// The branch.
        branch: BranchName,
    },
    /// The build of a tag has checked out another commit.
    #[error(
        "{from} names the tag {}, which is at {}, but HEAD is {}",
        escaped(.tag), .commit.short(), .head.short()
    )]
    TagNotAtHead {
        /// The variable.
        from: String,
        /// The tag.
        tag: TagName,
        /// Its commit.
        commit: CommitId,
        /// Where HEAD is.
        head: CommitId,
    },
    /// A branch and a tag share the name.
    #[error("{} is both a branch and a tag {}", escaped(.name), here_or_on(.remote.as_ref()))]
    AmbiguousName {
        /// The name.
        name: String,
        /// The remote that has both; `None`: the local repository has.
        remote: Option<RemoteName>,
    },
    /// Workers would have nothing to clone from.
    #[error("the repository has no remote that workers could clone from")]
    NoRemote,
    /// The remote didn't answer.
    #[error("the remote {remote} can't be reached: {}", escaped(.reason))]
    RemoteUnreachable {
        /// The remote.
        remote: RemoteName,
        /// What git said, without credentials.
        reason: String,
    },
    /// The branch is here, but not at the remote.
    #[error("the branch {} is not on {remote}, where workers look for it", escaped(.branch))]
    RemoteMissingBranch {
        /// The remote.
        remote: RemoteName,
        /// The branch.
        branch: BranchName,
        /// Its commit, if it was not made here but fetched, and is gone there.
        commit: Option<CommitId>,
        /// Whether a tag has the same name, here or there.
        is_tag: bool,
    },
    /// The tag is here, but not at the remote.
    #[error("the tag {} is not on {remote}, where workers look for it", escaped(.tag))]
    RemoteMissingTag {
        /// The remote.
        remote: RemoteName,
        /// The tag.
        tag: TagName,
        /// Whether a branch has the same name there.
        is_branch: bool,
    },
    /// The branch is at a commit there that is not here.
    #[error("{remote} has the branch {} at {there}, which is not in this repository", escaped(.branch))]
    RemoteDiffers {
        /// The remote.
        remote: RemoteName,
        /// The branch.
        branch: BranchName,
        /// Where it is there.
        there: CommitId,
    },
    /// The tag is at a commit there that is not here.
    #[error("{remote} has the tag {} at {there}, which is not in this repository", escaped(.tag))]
    TagNotFetched {
        /// The remote.
        remote: RemoteName,
        /// The tag.
        tag: TagName,
        /// Where it is there.
        there: CommitId,
    },
    /// The tag is at different commits here and there.
    #[error("the tag {} is at {here} here and at {there} on {remote}", escaped(.tag))]
    MovedTag {
        /// The tag.
        tag: TagName,
        /// The remote.
        remote: RemoteName,
        /// Where it is here.
        here: CommitId,
        /// Where it is there.
        there: CommitId,
    },
    /// Workers of Prefect 1 fail at a tag that is an object of its own.
    #[error("the tag {}{} is annotated, and workers of Prefect 1 fail to check such a tag out", escaped(.tag), on(.remote.as_ref()))]
    AnnotatedTag {
        /// The tag.
        tag: TagName,
        /// The remote, if it was asked.
        remote: Option<RemoteName>,
        /// What there is of a lightweight one beside it.
        twin: LightweightTwin,
    },
    /// A mainline branch whose commit carries no version.
    #[error("{} is mainline and no {}{} points at {}", escaped(.branch), .advice.what(), on(.remote.as_ref()), .commit.short())]
    Untagged {
        /// The branch.
        branch: BranchName,
        /// Its commit.
        commit: CommitId,
        /// The remote, if it was asked for its tags.
        remote: Option<RemoteName>,
        /// What to do about it.
        advice: Box<TagAdvice>,
    },
    /// Nothing says which tags are the versions of this repository.
    #[error(transparent)]
    SeveralSeries(#[from] SeveralSeries),
    /// A tag that was pushed, and that is a version of no series.
    #[error("{} is a version of no series ({})", escaped(.tag), written(.prefixes))]
    NoSeries {
        /// The tag.
        tag: TagName,
        /// What stands before the versions of each series.
        prefixes: Vec<String>,
    },
    /// The repository can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

/// Names beside that of a tag which is nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlikeTags {
    /// The same, written like the other tags of the repository; `None` where it would begin a second series.
    pub proposed: Option<TagName>,
    /// A tag that is there, of which this one is a slip.
    pub near: Option<String>,
}

fn known_of(asked: Option<&RemoteName>) -> String {
    asked.map_or_else(|| "that is known".to_owned(), |remote| format!("of {remote}"))
}

fn or_at(remote: Option<&RemoteName>, is_asked: bool) -> String {
    let asked = remote.filter(|_| is_asked);
    asked.map(|remote| format!(" and not on {remote}")).unwrap_or_default()
}

/// How the versions of series are written: `v…, etl/v…`.
fn written(prefixes: &[String]) -> String {
    let written = prefixes.iter().map(|prefix| match prefix.as_str() {
        "" => "numbers alone".to_owned(),
        prefix => format!("{}…", escaped(prefix)),
    });
    written.collect::<Vec<_>>().join(", ")
}

fn on(remote: Option<&RemoteName>) -> String {
    remote.map(|remote| format!(" on {remote}")).unwrap_or_default()
}

fn here_or_on(remote: Option<&RemoteName>) -> String {
    remote.map_or_else(|| "in this repository".to_owned(), |remote| format!("on {remote}"))
}

impl ReferenceError {
    /// The stable name of the error in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TagAndBranch => "tag_and_branch",
            Self::InvalidName { .. } => "invalid_name",
            Self::InvalidGlob { .. } => "invalid_glob",
            Self::NotFilledIn { .. } => "not_filled_in",
            Self::NotABranch { .. } | Self::NameOfPullRequest { .. } => "not_a_branch",
            Self::NoSuchTag { .. } => "no_such_tag",
            Self::NoSuchBranch { .. } => "no_such_branch",
            Self::AmbiguousBranch { .. } => "ambiguous_branch",
            Self::OtherRemote { .. } => "other_remote",
            Self::NotACommit { .. } => "not_a_commit",
            Self::UnbornHead { .. } => "unborn_head",
            Self::DetachedHead { .. } => "detached_head",
            Self::InProgress { .. } => "in_progress",
            Self::Undecided { .. } => "undecided",
            Self::Ci { .. } | Self::ForeignBranch { .. } | Self::MergeQueue { .. } => "ci_refused",
            Self::TagNotAtHead { .. } => "tag_not_at_head",
            Self::AmbiguousName { .. } => "ambiguous_name",
            Self::NoRemote => "no_remote",
            Self::RemoteUnreachable { .. } => "remote_unreachable",
            Self::RemoteMissingBranch { .. } => "remote_missing_branch",
            Self::RemoteMissingTag { .. } => "remote_missing_tag",
            Self::RemoteDiffers { .. } => "remote_differs",
            Self::TagNotFetched { .. } => "tag_not_fetched",
            Self::MovedTag { .. } => "moved_tag",
            Self::AnnotatedTag { .. } => "annotated_tag",
            Self::Untagged { .. } => "untagged",
            Self::SeveralSeries(_) => "several_series",
            Self::NoSeries { .. } => "no_series",
            Self::Git(error) => error.code(),
        }
    }

    /// Whether a guard refused (exit 1), and not the state of the repository or of the remote.
    pub fn is_guard(&self) -> bool {
        matches!(self, Self::Untagged { .. } | Self::AnnotatedTag { .. })
    }

    /// Whether a setting is wrong (exit 3), and not the state of the repository or of the remote.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Self::InvalidGlob { .. } | Self::SeveralSeries(_))
    }

    /// Whether the error is about the value of the rung, and not about the way to check it.
    pub(super) fn is_about_the_name(&self) -> bool {
        !matches!(
            self,
            Self::NoRemote
                | Self::RemoteUnreachable { .. }
                | Self::InvalidGlob { .. }
                | Self::SeveralSeries(_)
                | Self::Git(_)
        )
    }

    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        self.advice().iter().map(escaped).collect()
    }

    fn advice(&self) -> Vec<String> {
        match self {
            Self::NoSuchTag { from, meant: Some(meant), .. }
            | Self::NoSuchBranch { from, meant: Some(meant), .. } => meant_hints(from, meant),
            // If the remote was asked, it has no such tag either, and a fetch would not bring it.
            Self::NoSuchTag { alike, remote, is_asked, lightweight, .. } => {
                let AlikeTags { proposed, near } = &**alike;
                let other = match (remote, proposed) {
                    (Some(remote), None) if *is_asked => format!("git ls-remote --tags {remote}"),
                    (Some(remote), Some(proposed)) if *is_asked => {
                        let proposed = quoted(proposed.as_str());
                        let message =
                            if *lightweight { String::new() } else { format!(" -a -m {proposed}") };
                        format!("git tag{message} {proposed} && git push {remote} {proposed}")
                    }
                    // Whether there is such a tag, and how it is written, only the remote knows.
                    (Some(remote), _) => format!("git fetch --tags {remote}"),
                    (None, _) => "git tag --list".to_owned(),
                };
                with_near("tag", near.as_deref(), other)
            }
            Self::NoSuchBranch { branch, near, remote, is_asked, .. } => with_near(
                "branch",
                near.as_deref().map(BranchName::as_str),
                match remote {
                    Some(remote) if *is_asked => format!("git ls-remote --heads {remote}"),
                    Some(remote) => fetch_branch(remote, &without_remote(remote, branch)),
                    None => "git branch --list --all".to_owned(),
                },
            ),
            Self::AmbiguousName { name, remote: None } => {
                vec![format!("git branch -m {} NEW_NAME", quoted(name))]
            }
            // One push renames the branch on the remote. It is fetched first, as it may not be here; full names
            // are needed, because of the short one git could not tell which of the two is meant.
            Self::AmbiguousName { name, remote: Some(remote) } => vec![format!(
                "git fetch {remote} {} && git push {remote} FETCH_HEAD:refs/heads/NEW_NAME {}",
                quoted(&format!("refs/heads/{name}")),
                quoted(&format!(":refs/heads/{name}"))
            )],
            Self::AmbiguousBranch { from, literal, stripped } => {
                let value = |name: &BranchName| format!("refs/heads/{name}");
                let set = |value: String| format!("{from}={} flowreg …", quoted(&value));
                vec![set(value(stripped)), set(value(literal))]
            }
            Self::OtherRemote { branch, named, .. } => vec![
                format!("flowreg … --remote {}", quoted(named.as_str())),
                format!("flowreg … --branch {}", quoted(branch.as_str())),
            ],
            Self::UnbornHead { .. } => vec!["git commit".to_owned()],
            Self::DetachedHead { names, .. } | Self::Undecided { names, .. } => names.hints(),
            Self::Ci { .. } | Self::NotABranch { .. } => {
                vec!["flowreg … --branch BRANCH".to_owned(), "flowreg … --tag TAG".to_owned()]
            }
            Self::NameOfPullRequest { branch, asked, .. } => {
                let named = quoted(branch.as_str());
                let unasked = asked
                    .is_none()
                    .then(|| format!("if it is a branch all the same: flowreg … --branch {named}"));
                unasked.into_iter().chain(["flowreg … --branch BRANCH".to_owned()]).collect()
            }
            Self::ForeignBranch { branch, why, remote, .. } => why.hints(branch, remote.as_ref()),
            Self::MergeQueue { branch, .. } => vec![
                format!(
                    "if no merge queue made it: flowreg … --branch {}",
                    quoted(branch.as_str())
                ),
                "flowreg … --tag TAG".to_owned(),
            ],
            Self::TagNotAtHead { tag, .. } => {
                let tag = quoted(tag.as_str());
                vec![format!("flowreg … --tag {tag}"), format!("git checkout --detach {tag}")]
            }
            Self::InProgress { operation, .. } => {
                let branch = operation.branch.as_ref();
                let branch =
                    branch.map(|branch| format!("flowreg … --branch {}", quoted(branch.as_str())));
                operation.end.iter().map(|end| (*end).to_owned()).chain(branch).collect()
            }
            Self::NoRemote => vec!["git remote add origin URL".to_owned()],
            Self::RemoteUnreachable { remote, .. } => vec![format!("git ls-remote {remote}")],
            // To push the branch would give workers two refs of one name.
            Self::RemoteMissingBranch { branch, is_tag: true, .. } => {
                vec![format!("flowreg … --tag {}", quoted(branch.as_str()))]
            }
            Self::RemoteMissingBranch { remote, branch, commit: Some(commit), .. } => {
                let refspec = format!("{commit}:refs/heads/{branch}");
                vec![format!("git push {remote} {}", quoted(&refspec))]
            }
            Self::RemoteMissingBranch { remote, branch, .. } => {
                vec![format!("git push -u {remote} {}", quoted(branch.as_str()))]
            }
            // Nor the tag, if a branch has its name there.
            Self::RemoteMissingTag { tag, is_branch: true, .. } => {
                vec![format!("flowreg … --branch {}", quoted(tag.as_str()))]
            }
            // With its full name: where the pin is the commit, a branch here may have the short one.
            Self::RemoteMissingTag { remote, tag, .. } => {
                vec![format!("git push {remote} {}", quoted(&format!("refs/tags/{tag}")))]
            }
            Self::RemoteDiffers { remote, branch, .. } => vec![fetch_branch(remote, branch)],
            Self::TagNotFetched { remote, tag, .. } => {
                vec![format!("git fetch {remote} tag {}", quoted(tag.as_str()))]
            }
            Self::MovedTag { remote, tag, .. } => {
                // With `+`, because git refuses to move an existing tag without it.
                let refspec = format!("+refs/tags/{tag}:refs/tags/{tag}");
                vec![format!("git fetch {remote} {}", quoted(&refspec))]
            }
            Self::AnnotatedTag { tag, twin, .. } => twin.hints(tag),
            Self::Untagged { commit, advice, .. } => advice.hints(commit),
            Self::SeveralSeries(several) => several.hints(),
            Self::NoSeries { tag, .. } => {
                vec![format!("flowreg … --tag {}", quoted(tag.as_str()))]
            }
            Self::Git(error) => error.hints(),
            Self::NotFilledIn { from, .. } if from.starts_with("--") => {
                vec![format!("give {from} a value, or leave it out")]
            }
            Self::NotFilledIn { from, .. } => {
                vec![format!("give {from} a value, or leave it unset in builds that have none")]
            }
            Self::TagAndBranch
            | Self::InvalidName { .. }
            | Self::InvalidGlob { .. }
            | Self::NotACommit { .. } => Vec::new(),
        }
    }
}

/// A branch without the remote's name before it.
fn without_remote(remote: &RemoteName, branch: &BranchName) -> BranchName {
    let name = branch.as_str();
    let short = name.strip_prefix("refs/remotes/").unwrap_or(name);
    let short = short.strip_prefix(remote.as_str()).and_then(|rest| rest.strip_prefix('/'));
    short.and_then(|short| short.parse().ok()).unwrap_or_else(|| branch.clone())
}

/// The command that fetches a branch, with a full refspec: in a clone of a single branch,
/// `git fetch origin x` would update `FETCH_HEAD` only, and no tracking branch.
fn fetch_branch(remote: &RemoteName, branch: &BranchName) -> String {
    let refspec = format!("+refs/heads/{branch}:refs/remotes/{remote}/{branch}");
    format!("git fetch {remote} {}", quoted(&refspec))
}

/// The name that was most likely meant, before the other hint.
fn with_near(flag: &str, near: Option<&str>, other: String) -> Vec<String> {
    let near = near.map(|near| format!("flowreg … --{flag} {}", quoted(near)));
    near.into_iter().chain([other]).collect()
}

fn meant_hints(from: &str, meant: &ReferenceName) -> Vec<String> {
    let name = quoted(meant.as_str());
    let mut hints = vec![format!("flowreg … --{} {name}", meant.kind())];
    if let (ReferenceName::Tag(_), "GIT_BRANCH") = (meant, from) {
        hints.push(format!("BUILD_TAG={name} flowreg …"));
    }
    hints
}
