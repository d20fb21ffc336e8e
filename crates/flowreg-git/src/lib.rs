//! Everything git: open a repository, resolve the code reference, prove it on the remote, read
//! the tree at a commit, make and push tags.
//!
//! The only user of gix, of the git process and of `ssh -G`. Local reads go through gix; what crosses
//! the network goes through git, because credential helpers, ssh configuration and proxies live
//! there. Knows nothing of flows, targets and flowreg's configuration. What git and the CI providers
//! do, as far as this crate rests on it, stands in docs/facts/git.md and docs/facts/ci-variables.md.

mod ancestry;
mod build;
mod changes;
mod checkout;
mod ci;
mod config;
mod delta;
mod directory;
mod error;
mod fetch_refspecs;
mod git_branch;
mod github_event;
mod head;
mod history;
mod hook_path;
mod identity;
mod jenkins;
mod ladder;
mod lightweight;
mod links;
mod mainline;
mod mainline_history;
mod mainline_pin;
mod name_resolver;
mod names_at_head;
mod open;
mod operation;
mod packs;
mod process;
mod proof;
mod publish;
mod pull_request;
mod pushed;
mod reference;
mod reference_error;
mod refs;
mod reftable;
mod remote;
mod request;
mod revision;
mod tag_advice;
pub mod tagging;
mod tags;
mod touched;
mod tree;
mod unattended;
mod url;

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use changes::{ChangeKind, ChangedPath};
pub use ci::{ci_build, ci_provider, is_of_merge_queue};
pub use directory::{GitDirectories, git_directories};
pub use error::GitError;
pub use history::LoggedCommit;
pub use hook_path::{ConfigScope, ConfiguredValue, HookPath};
pub use identity::{LocalRule, LocalSpelling, RepositoryIdentity};
pub use lightweight::LightweightTwin;
pub use links::{BrokenLink, LinkProblem};
pub use mainline::is_mainline;
pub use names_at_head::NamesAtHead;
pub use operation::Operation;
pub use packs::{PackPlan, PackReader};
pub use process::binds_to_repository;
pub use publish::{PushOutcome, Rejection, TagKind, TagPush};
pub use pull_request::ForeignBranch;
pub use pushed::{PushAddress, Tracking};
pub use reference::{reference_of_push, resolve};
pub use reference_error::ReferenceError;
pub use refs::PeeledTag;
pub use remote::Remote;
pub use request::{
    Pin, PushedReference, ReferenceRequest, ReferenceRules, Resolution, Rung, RungOutcome, Untagged,
};
pub use tags::RemoteTags;
pub use tree::{BlobId, Tree, TreeBlob, TreeFiles};
pub use unattended::unattended;
pub use url::RepositoryUrl;

use flowreg_model::{CommitId, Environment};
use identity::SshHosts;

/// An opened repository; may be shared between threads.
pub struct Repository {
    inner: gix::ThreadSafeRepository,
    configuration: gix::config::File,
    environment: Environment,
    common_dir: PathBuf,
    workdir: Option<PathBuf>,
    time_limit: Duration,
    /// The refs, if gix can't read them.
    reftable: Option<Arc<reftable::Reftable>>,
    /// What ssh said about hosts, from the first question on.
    ssh_hosts: OnceLock<Arc<SshHosts>>,
}

impl Repository {
    /// Opens the repository that `directory` belongs to, or the one that `GIT_DIR` names.
    ///
    /// # Errors
    /// If there is none, or it belongs to somebody else, or is broken.
    pub fn discover(directory: &Path, environment: &Environment) -> Result<Self, GitError> {
        open::discover(directory, environment)
    }

    /// How long a git process may take; a minute if nothing else is said.
    #[must_use]
    pub fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit;
        self
    }

    /// The git directory that all worktrees of the repository share.
    pub fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The git directory of this work tree.
    pub fn git_dir(&self) -> &Path {
        self.inner.git_dir()
    }

    /// A switch of git's configuration; `None` if it is not set, or not to a truth value.
    pub fn switch(&self, key: &str) -> Option<bool> {
        self.configuration.boolean(key).ok().flatten()
    }

    /// Whether there are work trees beside the one of the repository itself.
    pub fn has_linked_work_trees(&self) -> bool {
        let linked = std::fs::read_dir(self.common_dir.join("worktrees"));
        linked.is_ok_and(|mut linked| linked.next().is_some())
    }

    /// The work tree; a bare repository has none.
    pub fn workdir(&self) -> Option<&Path> {
        self.workdir.as_deref()
    }

    /// The directories of all work trees of the repository that are there, this one first.
    pub fn work_trees(&self) -> Vec<PathBuf> {
        let linked = std::fs::read_dir(self.common_dir.join("worktrees")).into_iter().flatten();
        let linked = linked.flatten().filter_map(|entry| {
            // `gitdir` names the `.git` of the linked work tree.
            let text = std::fs::read(entry.path().join("gitdir")).ok()?;
            let text = text.strip_suffix(b"\n").unwrap_or(&text);
            Path::new(OsStr::from_bytes(text)).parent().map(|tree| entry.path().join(tree))
        });
        // The main one has the common directory in it, unless that lies elsewhere or is bare.
        let is_inside = self.common_dir.file_name() == Some(OsStr::new(".git"));
        let main = self.common_dir.parent().filter(|_| is_inside).map(Path::to_owned);
        let all = self.workdir.iter().cloned().chain(main).chain(linked);
        all.filter(|tree| tree.is_dir()).collect()
    }

    fn ssh_hosts(&self) -> &Arc<SshHosts> {
        self.ssh_hosts
            .get_or_init(|| Arc::new(SshHosts::new(&self.configuration, &self.environment)))
    }

    /// The name that git would write into a commit as its author.
    pub fn author(&self) -> Option<String> {
        let configured = || {
            ["author.name", "user.name"]
                .into_iter()
                .find_map(|key| self.configuration.string(key))
                .and_then(|name| String::from_utf8(name.into()).ok())
        };
        let named = self.environment.get("GIT_AUTHOR_NAME").map(str::to_owned);
        named.or_else(configured).filter(|name| !name.trim().is_empty())
    }

    /// The tree of a commit.
    ///
    /// # Errors
    /// [`GitError::NoCommit`] if the commit is not here.
    pub fn tree(&self, commit: &CommitId) -> Result<Tree, GitError> {
        Tree::at(self, commit)
    }

    /// Whether Python files or configuration in the work tree are not in HEAD as they are: changed,
    /// staged, or never added; never in a bare repository. What is ignored does not count.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn uncommitted(&self) -> Result<bool, GitError> {
        if self.workdir.is_none() {
            return Ok(false);
        }
        let git = process::Git::new(self);
        let arguments = [
            // To preload the index, git starts threads. They pay off on slow disks; where files are in
            // the cache of the operating system, to start them takes longer than to look.
            "-c",
            "core.preloadIndex=false",
            "status",
            "--porcelain",
            "-z",
            "--no-renames",
            "--ignore-submodules=all",
            "--untracked-files=normal",
            "--",
            "*.py",
            "flowreg.toml",
            ":(glob)**/prefect.yaml",
        ];
        // If git fails, as at an index that it can't read, nothing is reported: this is only a notice,
        // and registering does not need the index.
        let output = git.run(&arguments, &[])?;
        Ok(output.is_success && !output.stdout.is_empty())
    }

    /// The content of one file at a commit, over symbolic links as in a checkout; `None` if the commit
    /// has no such file.
    ///
    /// # Errors
    /// [`GitError::BrokenLink`] if the path leads over a link that can't be followed.
    pub fn read_at(&self, commit: &CommitId, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        self.tree(commit)?.read_path(path)
    }
}
