//! Why a run ends before it has a result. Which exit code it leads to is decided in `cli`.

use std::path::PathBuf;

use flowreg_git::tagging::{TagError, TagRule};
use flowreg_git::{BrokenLink, GitError, LocalSpelling, ReferenceError};
use flowreg_model::{BranchName, CommitId, NameError, RemoteName, quoted};
use flowreg_servers::TargetError;
use flowreg_servers::connection::prefect::ConnectionError;

use super::selection::SelectionError;
use super::tag::TagUsageError;
use crate::introspection::Unavailable;
use crate::manifest::pull::PullError;
use crate::registration::Prefect1SettingsError;
use crate::scan::ScanError;
use crate::settings::{FILE_NAME, FileError};
use crate::store::{OutboxError, StoreError};

/// Why a run ends before it has a result.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The repository can't be read, or git can't be run.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no code reference.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
    /// The tag of the next version can't be made.
    #[error(transparent)]
    Tag(#[from] TagError),
    /// The tag that was asked for makes no sense.
    #[error(transparent)]
    TagUsage(#[from] TagUsageError),
    /// `[mainline]` asks something of tags that this one does not have.
    #[error(transparent)]
    TagRule(#[from] TagRule),
    /// `flowreg.toml` has an error.
    #[error(transparent)]
    Settings(#[from] FileError),
    /// What is configured does not make sense as a whole.
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// The configuration of the Prefect client has an error.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The tree can't be scanned.
    #[error(transparent)]
    Scan(#[from] ScanError),
    /// Flows have to be built, and there is no Python that can.
    #[error(transparent)]
    Python(#[from] Unavailable),
    /// What was asked for is not there.
    #[error(transparent)]
    Selection(#[from] SelectionError),
    /// The target did not do it.
    #[error(transparent)]
    Target(#[from] TargetError),
    /// The embedded registry or the ledger can't be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The outbox can't be used.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
    /// The registrations of a branch are to be removed, and the branch exists.
    #[error("{branch} is {}, so its registrations are in use", place(.remote.as_ref()))]
    BranchExists {
        /// The branch.
        branch: BranchName,
        /// The remote that has it; `None`: this repository.
        remote: Option<RemoteName>,
    },
    /// The remote has no branches, so every registration of a branch would be removed.
    #[error("the remote has no branches at all")]
    NoBranches,
    /// Ctrl-C, before anything was written.
    #[error("interrupted")]
    Interrupted,
}

impl RunError {
    /// Whether something is configured wrongly, so that the run fails again until somebody edits it.
    pub(crate) fn is_configuration(&self) -> bool {
        match self {
            Self::Settings(_) | Self::Configuration(_) | Self::Connection(_) => true,
            Self::Scan(error) => matches!(error, ScanError::Glob { .. }),
            Self::Reference(error) => error.is_configuration(),
            Self::Target(error) => {
                matches!(error, TargetError::Configuration(_) | TargetError::Untrusted { .. })
            }
            _ => false,
        }
    }
}

/// What is configured, and does not make sense as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The file that `--config` names can't be read.
    #[error("{}: {error}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why; it is in the message already, so it is no `source`.
        error: std::io::Error,
    },
    /// `flowreg.toml` at the reference is not text.
    #[error("{FILE_NAME} is not UTF-8")]
    NotText,
    /// `flowreg.toml` at the reference is a symbolic link that can't be followed.
    #[error("{0}")]
    Link(BrokenLink),
    /// A Prefect server is asked for, and nothing says where it is.
    #[error("target `prefect` ({origin}) needs the address of a Prefect API")]
    NoConnection {
        /// Where the target is asked for.
        origin: String,
    },
    /// A CI build has no server, and nobody asked for the embedded registry.
    #[error("no server is configured in this build{}: PREFECT_API_URL is {}", of(.build), if *.is_blank { "blank" } else { "not set" })]
    NoServerInCi {
        /// The provider; empty if it is not known.
        build: &'static str,
        /// Whether the variable is set, to nothing.
        is_blank: bool,
    },
    /// Declarations are wrong, and the target can't be read either. The mistakes come first, as the run fails
    /// again until they are mended.
    #[error("{}; nor could the target be read: {target}", listed(.mistakes))]
    Declarations {
        /// What is wrong, each with its place.
        mistakes: Vec<String>,
        /// Why the target can't be read.
        target: TargetError,
    },
    /// No `prefect.yaml` is where `[manifest] files` says.
    #[error("[manifest] files {}", no_match(.commit, .globs))]
    NoManifest {
        /// The commit that was looked at.
        commit: CommitId,
        /// The globs.
        globs: Vec<String>,
    },
    /// A glob does not parse.
    #[error("`{glob}`: {reason}")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Only this machine can make sense of the remote's URL.
    #[error("workers can't clone the remote's URL: {}", .0.rule)]
    LocalUrl(LocalSpelling),
    /// Flows of Prefect 1 are objects that only running a file makes, and nothing may be run.
    #[error("flows of Prefect 1 are found only by running their files, which is switched off here")]
    Prefect1NeverRun,
    /// `[prefect1]` lacks something.
    #[error(transparent)]
    Prefect1(#[from] Prefect1SettingsError),
    /// The server's Prefect can't keep a clone at a commit.
    #[error("Prefect {version} has no `clone_directory_name`, without which a commit is not kept")]
    CommitPin {
        /// The server's.
        version: String,
    },
    /// A commit is pinned, and it has submodules.
    #[error("{}", PullError::Submodules)]
    SubmodulesAtCommit,
    /// Several packages are tagged at the commit, and the flows of Prefect 1 are built for one tag.
    #[error("flows of Prefect 1 are registered at one tag at a time, and {} has {}", .commit.short(), .tags.join(", "))]
    OneTagForPrefect1 {
        /// The commit.
        commit: CommitId,
        /// Its tags.
        tags: Vec<String>,
    },
    /// A flow of Prefect 1 has an empty name.
    #[error(transparent)]
    Prefect1Name(#[from] NameError),
}

impl ConfigurationError {
    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::NoConnection { .. } => {
                "export PREFECT_API_URL=https://…/api, or choose a profile with `prefect profile use`"
            }
            Self::NoServerInCi { build, .. } => {
                let defined = match *build {
                    "GitHub Actions" => {
                        "is the variable or the secret defined for this repository, and passed to the \
                         job by `env`? A pull request of a fork gets none"
                    }
                    "GitLab CI" => "is the variable protected, and this branch is not?",
                    "Azure DevOps" => "a secret variable has to be mapped in the `env` of the step",
                    _ => "is it defined for this job?",
                };
                return vec![
                    format!("set PREFECT_API_URL: {defined}"),
                    "for the embedded registry of the clone: flowreg … --target local".to_owned(),
                ];
            }
            Self::Link(_) => BrokenLink::HINT,
            Self::NoManifest { .. } => "for example files = [\"teams/*/prefect.yaml\"]",
            Self::Prefect1NeverRun => {
                "register where `introspect` under [flows] is not \"never\", and not in a bare \
                 repository's hook"
            }
            Self::LocalUrl(LocalSpelling { url, .. }) => {
                return vec![format!("in flowreg.toml: [repository] url = \"{url}\"")];
            }
            Self::Prefect1(error) => error.hint(),
            Self::CommitPin { .. } => {
                "pin to the tag: [repository] pin = \"tag\", or use Prefect 3.6.9 or later on server \
                 and workers"
            }
            Self::SubmodulesAtCommit => return PullError::Submodules.hints(),
            Self::OneTagForPrefect1 { tags, .. } => {
                return tags.iter().map(|tag| format!("flowreg … --tag {}", quoted(tag))).collect();
            }
            Self::Declarations { .. }
            | Self::Unreadable { .. }
            | Self::NotText
            | Self::Glob { .. }
            | Self::Prefect1Name(_) => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

/// The first mistake, and how many others there are.
fn place(remote: Option<&RemoteName>) -> String {
    remote.map_or_else(|| "in this repository".to_owned(), |remote| format!("on {remote}"))
}

fn listed(mistakes: &[String]) -> String {
    let first = mistakes.first().map(String::as_str).unwrap_or_default();
    match mistakes.len().saturating_sub(1) {
        0 => first.to_owned(),
        1 => format!("{first} (and 1 other mistake)"),
        more => format!("{first} (and {more} other mistakes)"),
    }
}

fn of(build: &str) -> String {
    if build.is_empty() { String::new() } else { format!(" of {build}") }
}

fn no_match(commit: &CommitId, globs: &[String]) -> String {
    if globs.is_empty() {
        return "is an empty list, so no file declares deployments".to_owned();
    }
    format!("names no file at {}: nothing matches {}", commit.short(), quoted_globs(globs))
}

fn quoted_globs(globs: &[String]) -> String {
    globs.iter().map(|glob| format!("`{glob}`")).collect::<Vec<_>>().join(", ")
}
