//! Why there is no tag, and what to type about it.

use super::next::NextError;
use super::series_tags::WrittenOtherwise;
use super::toml_string::toml_string;
use crate::{GitError, ReferenceError, Rejection};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName, escaped, quoted};

/// Why no tag was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TagError {
    /// The clone lacks the commits that the next version follows from.
    #[error("the next version is computed from the commits since {}, which this shallow clone does not have", escaped(.since))]
    HistoryNeeded {
        /// The tag that they are counted from, or words for the beginning.
        since: String,
        /// The CI provider of the build.
        provider: Option<&'static str>,
        /// The remote that has them.
        remote: RemoteName,
        /// Whether the tags' names are enough, once `--bump` says what goes up.
        is_bump_enough: bool,
    },
    /// The next version follows from tags that this clone may lack, and the remote is not to be asked for them.
    #[error("the next version goes on from the tags of {remote}, and this clone has none of them")]
    TagsNeeded {
        /// The remote that has them.
        remote: RemoteName,
    },
    /// The version is used for another commit.
    #[error("the tag {} exists {}, at {there}, so it can't be made at {commit}", escaped(.tag), place(.remote.as_ref()))]
    Taken {
        /// The tag.
        tag: TagName,
        /// The remote that has it; `None`: this repository.
        remote: Option<RemoteName>,
        /// Where it is.
        there: CommitId,
        /// Where it should have been.
        commit: CommitId,
        /// Whether the version was asked for, and not computed.
        is_asked_for: bool,
    },
    /// A tag of that name is here only, at another commit.
    #[error("the tag {} exists in this repository only, at {here}, so it can't be made at {commit}", escaped(.tag))]
    TakenHere {
        /// The tag.
        tag: TagName,
        /// Where it is.
        here: CommitId,
        /// Where it should have been.
        commit: CommitId,
    },
    /// A branch has the name that the tag would have.
    #[error("{} has a branch {}, so workers could not clone a tag of that name", owner(.remote.as_ref()), escaped(.tag))]
    BranchOfThatName {
        /// The tag.
        tag: TagName,
        /// The remote that has the branch; `None`: this repository.
        remote: Option<RemoteName>,
    },
    /// The version that was asked for is not the highest.
    #[error("{} is not higher than {}, which is in the commit's history", escaped(.tag), escaped(.latest))]
    NotHigher {
        /// The tag.
        tag: TagName,
        /// The highest one in its history.
        latest: TagName,
    },
    /// The tag would begin a series beside the one that is there.
    #[error("no tag is a version of {}…, and {} looks like one: a second series would begin", escaped(.0.series.as_str()), escaped(.0.tag.as_str()))]
    SecondSeries(Box<WrittenOtherwise>),
    /// A path of the series is nowhere in the commit.
    #[error("paths{}: {}", of_package(.package.as_ref()), path_problem(.path, .leads_to.as_ref(), .commit))]
    NoFiles {
        /// The path, or the glob.
        path: String,
        /// Where it leads, if it is there and is a symbolic link or behind one.
        leads_to: Option<String>,
        /// The package of the series.
        package: Option<String>,
        /// The commit.
        commit: CommitId,
    },
    /// The commit is not in the history of a mainline branch.
    #[error("{}{} on a mainline branch of {}", not_known_whether(*.is_known), is_not(.commit.short(), *.is_known), owner(.remote.as_ref()))]
    NotMainline {
        /// The commit.
        commit: CommitId,
        /// The remote; `None`: this repository.
        remote: Option<RemoteName>,
        /// Whether that is certain.
        is_known: bool,
        /// The mainline branch that is checked out, if it has the commit and was not pushed.
        unpushed: Option<BranchName>,
        /// Whether a setting says that there is no way around it.
        is_required: bool,
    },
    /// `--with-branch` without a branch.
    #[error(
        "--with-branch needs a commit that is the last one of the active branch; here HEAD is detached, or the branch is at another commit"
    )]
    NoBranch,
    /// The remote did not take it.
    #[error("{remote} did not take {}: {}", escaped(if .rejection.is_of_branch { .branch.as_deref().unwrap_or("the branch") } else { .tag.as_str() }), escaped(.rejection.reason.as_str()))]
    Rejected {
        /// The tag.
        tag: TagName,
        /// The branch that went with it.
        branch: Option<String>,
        /// The remote.
        remote: RemoteName,
        /// What it said.
        rejection: Box<Rejection>,
    },
    /// In each round another job made the next version's tag first.
    #[error("other jobs made a tag first, {0} times in a row")]
    Outrun(u32),
    /// Git would not accept the tag's name.
    #[error("`{}` is not a valid tag name for git", escaped(.0))]
    Name(String),
    /// There is no next version.
    #[error(transparent)]
    Next(#[from] NextError),
    /// The reference or the remote is not as it has to be.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The repository can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
}

fn owner(remote: Option<&RemoteName>) -> &str {
    remote.map_or("this repository", RemoteName::as_str)
}

fn place(remote: Option<&RemoteName>) -> String {
    remote.map_or_else(|| "in this repository".to_owned(), |remote| format!("on {remote}"))
}

fn of_package(package: Option<&String>) -> String {
    package.map(|name| format!(" of the package {}", escaped(name))).unwrap_or_default()
}

fn path_problem(path: &str, leads_to: Option<&String>, commit: &CommitId) -> String {
    let (path, commit) = (escaped(path), commit.short());
    match leads_to {
        None => format!("nothing at {commit} is `{path}`"),
        Some(to) => format!(
            "`{path}` leads over a symbolic link at {commit} to `{}`, and what changes there would not count",
            escaped(to)
        ),
    }
}

/// What a sentence begins with whose answer the history of a clone does not have.
fn not_known_whether(is_known: bool) -> &'static str {
    if is_known { "" } else { "the history of this clone does not tell whether " }
}

fn is_not(what: &str, is_known: bool) -> String {
    if is_known { format!("{what} is not") } else { format!("{what} is") }
}

impl TagError {
    /// The stable name of the error in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HistoryNeeded { .. } => "history_needed",
            Self::TagsNeeded { .. } => "tags_needed",
            Self::Taken { .. } | Self::TakenHere { .. } => "tag_taken",
            Self::BranchOfThatName { .. } => "ambiguous_name",
            Self::NotHigher { .. } => "not_higher",
            Self::SecondSeries(_) => "second_series",
            Self::NoFiles { .. } => "no_files",
            Self::NotMainline { .. } => "not_mainline",
            Self::NoBranch => "no_branch",
            Self::Rejected { .. } => "push_rejected",
            Self::Outrun(_) => "outrun",
            Self::Name(_) => "invalid_name",
            Self::Next(_) => "no_next_version",
            Self::Reference(error) => error.code(),
            Self::Git(error) => error.code(),
        }
    }

    /// Whether a guard refused (exit 1), and not the state of the repository or of the remote.
    pub fn is_guard(&self) -> bool {
        match self {
            Self::Taken { .. }
            | Self::NotHigher { .. }
            | Self::SecondSeries(_)
            | Self::NotMainline { .. } => true,
            Self::Reference(error) => error.is_guard(),
            _ => false,
        }
    }

    /// What the server said, line by line.
    pub fn causes(&self) -> &[String] {
        match self {
            Self::Rejected { rejection, .. } => &rejection.words,
            _ => &[],
        }
    }

    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::HistoryNeeded { provider, remote, is_bump_enough, .. } => {
                let mut hints = history_hints(*provider, remote);
                let bump = "or without history: flowreg … without --pre --bump minor, or flowreg tag … VERSION";
                let version = "or without history: flowreg tag … VERSION";
                hints.push(if *is_bump_enough { bump } else { version }.to_owned());
                hints
            }
            Self::TagsNeeded { remote } => vec![
                "flowreg … without --offline".to_owned(),
                format!("git fetch --tags {remote}"),
                "or without tags: flowreg tag … VERSION".to_owned(),
            ],
            Self::Taken { is_asked_for: true, .. } => {
                vec!["a tag never moves: choose the next version".to_owned()]
            }
            Self::Taken { tag, there, remote, .. } => {
                let tag = quoted(tag.as_str());
                let find = format!("find out why it is at {}", there.short());
                let find = match remote {
                    Some(remote) => format!("git fetch {remote} tag {tag}, and {find}"),
                    None => format!("git show {tag}, and {find}"),
                };
                vec![find, "flowreg tag … VERSION, with a version that is free".to_owned()]
            }
            Self::TakenHere { tag, .. } => vec![format!("git tag -d {}", quoted(tag.as_str()))],
            // The same that a name of both kinds gets once the tag is there.
            Self::BranchOfThatName { tag, remote } => {
                let (name, remote) = (tag.to_string(), remote.clone());
                ReferenceError::AmbiguousName { name, remote }.hints()
            }
            Self::NotHigher { .. } => vec!["flowreg … --allow-downgrade".to_owned()],
            Self::SecondSeries(other) => other.hints(),
            Self::NoFiles { package, path, leads_to, .. } => {
                let table = package.as_ref().map(|name| format!(".package.{}", escaped(name)));
                let table = table.unwrap_or_default();
                if let Some(to) = leads_to {
                    let (path, to) = (toml_string(path), toml_string(to));
                    return vec![format!(
                        "flowreg.toml: paths under [tag{table}]: {to} in place of {path}"
                    )];
                }
                vec![format!("flowreg.toml: paths under [tag{table}]: files, directories or globs")]
            }
            Self::NotMainline { unpushed, is_required, commit, remote, .. } => {
                not_mainline_hints(unpushed.as_ref(), remote.as_ref(), *is_required, commit)
            }
            Self::NoBranch => vec!["git switch BRANCH".to_owned()],
            Self::Rejected { remote, rejection, branch, .. } => {
                rejection_hints(remote, rejection, branch.as_deref())
            }
            Self::Outrun(_) => vec!["run the same command again".to_owned()],
            Self::Next(NextError::OneADay(_)) => {
                vec!["add .MICRO to `format` under [tag] in flowreg.toml".to_owned()]
            }
            Self::Next(NextError::Lower { .. }) => {
                vec!["flowreg tag … VERSION, with the version that you mean".to_owned()]
            }
            Self::Next(NextError::NotCounted(_)) => vec![
                "if versions follow the date: scheme = \"calver\" and format under [tag] in flowreg.toml"
                    .to_owned(),
                "else: flowreg tag … VERSION, with the version that you mean".to_owned(),
            ],
            Self::Name(_) | Self::Next(_) => Vec::new(),
            Self::Reference(error) => error.hints(),
            Self::Git(error) => error.hints(),
        }
    }
}

/// A rule of `[mainline]` that a tag breaks.
#[derive(Debug, Clone, thiserror::Error)]
pub enum TagRule {
    /// `require_tag_on_mainline`
    #[error("require_tag_on_mainline is true, and {}{} on a mainline branch", not_known_whether(*.is_known), is_not(&format!("the tag {}", escaped(.tag)), *.is_known))]
    Mainline {
        /// The tag.
        tag: TagName,
        /// Whether that is certain.
        is_known: bool,
        /// What to type.
        hints: Vec<String>,
    },
    /// `require_signed_tags`, for a tag that is going to be made without a signature.
    #[error("require_signed_tags is true, and the tag {} would be made without a signature", escaped(.tag))]
    Unsigned {
        /// The tag.
        tag: TagName,
    },
    /// `require_signed_tags`
    #[error("require_signed_tags is true, and the tag {} has no valid signature: {}", escaped(.tag), escaped(.reason))]
    Signed {
        /// The tag.
        tag: TagName,
        /// What is wrong with it.
        reason: String,
    },
}

impl TagRule {
    /// The stable name of the error in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Mainline { .. } => "tag_not_on_mainline",
            Self::Unsigned { .. } | Self::Signed { .. } => "tag_not_signed",
        }
    }

    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::Mainline { hints, .. } => hints.clone(),
            Self::Unsigned { .. } => {
                vec![
                    "flowreg … --sign".to_owned(),
                    "or for all tags: git config tag.gpgSign true".to_owned(),
                ]
            }
            Self::Signed { tag, .. } => vec![format!("git verify-tag {}", quoted(tag.as_str()))],
        }
    }
}

/// The setting of a provider, and the command, that bring all history here.
pub fn history_hints(provider: Option<&str>, remote: &RemoteName) -> Vec<String> {
    let setting = match provider {
        Some("GitHub Actions") => "actions/checkout with `fetch-depth: 0`",
        Some("GitLab CI") => "`GIT_DEPTH: \"0\"` among the job's variables",
        Some("Bitbucket Pipelines") => "`clone: { depth: full }` in bitbucket-pipelines.yml",
        Some("Azure DevOps") => "`fetchDepth: 0` in the job's `checkout: self` step",
        Some("Jenkins" | "Jenkins multibranch") => {
            "the git plugin without `Shallow clone`: CloneOption(shallow: false)"
        }
        Some("Travis CI") => "`git: { depth: false }` in .travis.yml",
        Some("AWS CodeBuild") => "`Git clone depth: Full` in the project's source",
        Some("Semaphore") => {
            "`checkout` with SEMAPHORE_GIT_DEPTH unset, or `git fetch --unshallow`"
        }
        _ => "",
    };
    let setting = Some(setting).filter(|setting| !setting.is_empty()).map(str::to_owned);
    setting.into_iter().chain([format!("git fetch --unshallow {remote}")]).collect()
}

fn not_mainline_hints(
    unpushed: Option<&BranchName>,
    remote: Option<&RemoteName>,
    is_required: bool,
    commit: &CommitId,
) -> Vec<String> {
    let mut hints = match unpushed {
        Some(branch) => {
            let along =
                format!("flowreg … --with-branch, which pushes {} as well", escaped(branch));
            // With its full name, as a tag may have the short one.
            let name = format!("refs/heads/{branch}");
            let push =
                remote.map(|remote| format!("or first: git push {remote} {}", quoted(&name)));
            [along].into_iter().chain(push).collect()
        }
        None => vec![format!("git branch --remotes --contains {}", commit.short())],
    };
    hints.push(if is_required {
        "[mainline] require_tag_on_mainline is true in flowreg.toml".to_owned()
    } else {
        "if the tag is meant to be off mainline: flowreg … --off-mainline".to_owned()
    });
    hints
}

/// What to ask the server's administrators for, as far as its message tells. The texts are those of
/// GitHub, GitLab and Azure DevOps; a text that is not recognised only leads to a more general hint.
fn rejection_hints(
    remote: &RemoteName,
    rejection: &Rejection,
    branch: Option<&str>,
) -> Vec<String> {
    let said = format!("{} {}", rejection.words.join(" "), rejection.reason).to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
    // Somebody pushed to the branch in the meantime: no rule, and the person can mend it.
    if rejection.is_of_branch && has(&["fetch first", "non-fast-forward", "stale info"]) {
        let branch = branch.unwrap_or("BRANCH");
        return vec![format!(
            "git pull --rebase {remote} {branch}, and run the same command again"
        )];
    }
    // GitHub's rulesets and branch protection, GitLab, Azure DevOps, then missing rights in general.
    let hint = if has(&["gh013", "rule violations", "gh006"]) {
        "ask for: Settings, Rules, Rulesets, the tag ruleset, `Bypass list`: add the app or team this job runs as"
    } else if has(&["create this tag as it is protected", "protected tag"]) {
        "ask for: Settings, Repository, Protected tags: allow the role of this job's token to create it"
    } else if has(&["tf401027", "createtag"]) {
        "ask for: Project settings, Repositories, Security: `Create tag` allowed for the build service"
    } else if has(&[
        "permission to",
        "write access",
        "not allowed to push",
        "not allowed to upload",
        "denied to",
    ]) {
        "the job's token must be allowed to write: `permissions: contents: write` on GitHub, `Allow Git push requests` for GitLab's job token"
    } else {
        "a rule or hook of the server refused it: its message is above"
    };
    vec![hint.to_owned(), "nothing is left behind: the same command can be run again".to_owned()]
}
