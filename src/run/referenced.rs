//! The second stage: the code reference is resolved, with the settings and the target that hold
//! for it. `flowreg reference` ends at [`Climbed`], which also knows every rung of the ladder.

use std::cell::OnceCell;

use flowreg_git::{
    GitError, Pin, PushedReference, RepositoryUrl, Resolution, Tree, Untagged, reference_of_push,
};
use flowreg_model::{Channel, CodeReference, CommitId, ReferenceSource};

use super::request::{Notice, RunRequest};
use super::{Configured, Desired, Opened, RunError, opened};
use crate::registration::{CodeSource, Pinned};
use crate::settings::{Access, FILE_NAME};

/// The file that says where git gets submodules from (gitmodules(5)).
const SUBMODULES: &str = ".gitmodules";

/// What came of climbing the ladder: a reference, or the reason why there is none.
pub struct Climbed<'o> {
    /// The settings and the target.
    pub configured: Configured<'o>,
    /// Every rung, and where it ended.
    pub resolution: Resolution,
    /// Whether the user does not want the remote to be asked (`--offline`).
    pub(super) is_offline: bool,
}

/// The second stage: a code reference.
pub struct Referenced<'o> {
    pub(super) configured: Configured<'o>,
    /// The code reference.
    pub reference: CodeReference,
    /// The tags of further packages at its commit.
    pub further: Vec<CodeReference>,
    /// What is worth knowing.
    pub notices: Vec<Notice>,
    /// Whether the remote was not asked because the user did not want it (`--offline`).
    pub(super) is_offline: bool,
    /// Whether the reference is a tag that is still to be made. What `[mainline]` asks of a tag was
    /// then asked by `flowreg tag`, which knows how the tag is going to be made.
    pub(super) is_new_tag: bool,
    tree: OnceCell<Tree>,
}

impl<'o> Climbed<'o> {
    /// Goes on with the reference.
    ///
    /// # Errors
    /// [`RunError::Reference`] if no rung of the ladder leads to one.
    pub fn referenced(self) -> Result<Referenced<'o>, RunError> {
        let Resolution { reference, further, notices, .. } = self.resolution;
        Ok(Referenced {
            configured: self.configured,
            reference: reference?,
            further,
            notices: notices.into_iter().map(Notice::from).collect(),
            is_offline: self.is_offline,
            is_new_tag: false,
            tree: OnceCell::new(),
        })
    }
}

impl<'o> Referenced<'o> {
    /// A reference that nothing has to be found out about: a tag that is to be made at a commit.
    /// `further` are the tags of packages at that commit.
    pub(super) fn of_new_tag(
        configured: Configured<'o>,
        reference: CodeReference,
        further: Vec<CodeReference>,
    ) -> Self {
        Self {
            configured,
            reference,
            notices: Vec::new(),
            is_offline: false,
            further,
            is_new_tag: true,
            tree: OnceCell::new(),
        }
    }

    /// The reference of a push, whose name and commit are known. The commit of the reference is
    /// another one if the branch has moved on at the remote since.
    ///
    /// # Errors
    /// [`RunError::Reference`] if it can't be registered.
    pub(super) fn of_push(
        configured: Configured<'o>,
        pushed: &PushedReference,
        is_offline: bool,
    ) -> Result<Self, RunError> {
        let rules = opened::rules(&configured.settings, configured.target.kind(), is_offline);
        let resolution = reference_of_push(&configured.opened.repository, pushed, &rules);
        Climbed { configured, resolution, is_offline }.referenced()
    }

    pub(super) fn opened(&self) -> &'o Opened<'o> {
        self.configured.opened
    }

    /// All code references of the run, all at one commit.
    pub(super) fn references(&self) -> impl Iterator<Item = &CodeReference> {
        std::iter::once(&self.reference).chain(&self.further)
    }

    /// The tree of the commit. It is opened once and then shared by all stages, as it keeps the
    /// directories that were read.
    pub(super) fn tree(&self) -> Result<&Tree, GitError> {
        if let Some(tree) = self.tree.get() {
            return Ok(tree);
        }
        let tree = self.opened().repository.tree(&self.reference.commit)?;
        Ok(self.tree.get_or_init(|| tree))
    }

    /// What workers check out (docs/reference.md, "Channels").
    ///
    /// On mainline a run must not change its code by itself, so it is pinned to the tag, or to the
    /// commit where `pin` or `untagged` says so. A feature branch is followed: its author pushes a
    /// fix and starts the run again, without registering anew.
    pub(super) fn pinned(&self) -> Pinned {
        let settings = &self.configured.settings.repository;
        match (self.reference.channel, self.reference.tag()) {
            (Channel::Mainline, Some(_)) if settings.pin == Pin::Commit => Pinned::Commit,
            (Channel::Mainline, Some(_)) => Pinned::Tag,
            (Channel::Mainline, None) if settings.untagged.value == Untagged::Commit => {
                Pinned::Commit
            }
            _ => Pinned::Branch,
        }
    }

    /// Finds out what should be registered, and opens the target that will hold it.
    ///
    /// # Errors
    /// [`RunError`] for what concerns the run as a whole: a tag that may not be registered, a
    /// revision or a flow that does not exist, a target that can't be used.
    pub fn desire<'r>(self, request: &'r RunRequest) -> Result<Desired<'r>, RunError>
    where
        'o: 'r,
    {
        Desired::of(self, request)
    }

    /// The commit that a revision names, and the revision.
    pub(super) fn base<'t>(
        &self,
        revision: Option<&'t String>,
    ) -> Result<Option<(&'t str, CommitId)>, RunError> {
        let Some(revision) = revision else { return Ok(None) };
        Ok(Some((revision, self.opened().repository.commit_of(revision)?)))
    }

    /// What all registrations have in common.
    ///
    /// # Errors
    /// [`GitError`] if the root directory of the tree can't be read.
    pub(super) fn source<'a>(
        &'a self,
        url: &'a RepositoryUrl,
        author: Option<&'a str>,
    ) -> Result<CodeSource<'a>, GitError> {
        let is_wanted = self.configured.settings.repository.submodules;
        Ok(CodeSource {
            reference: &self.reference,
            pinned: self.pinned(),
            repository: url.as_str(),
            author,
            submodules: is_wanted && self.tree()?.has_file(SUBMODULES)?,
        })
    }

    /// What about the repository and the configuration is worth knowing.
    pub(super) fn circumstances(&self, url: &RepositoryUrl) -> Result<Vec<Notice>, RunError> {
        let mut notices: Vec<Notice> = self.configured.check_remote_url()?.into_iter().collect();
        let mut add = |text: String| notices.push(Notice::from(text));
        let repository = &self.opened().repository;
        let commit = self.reference.commit.short();
        // Only for the branch that is checked out: with a tag or another branch nobody expects the
        // files of the work tree to be registered. And looking for changes starts a git process.
        let is_active = self.reference.source == ReferenceSource::ActiveBranch;
        let operation = repository.operation().filter(|_| is_active);
        if let Some(operation) = &operation {
            add(format!("{operation}: what is registered is commit {commit}, which is before it"));
        }
        if is_active && operation.is_none() && repository.uncommitted()? {
            add(format!(
                "some flows or configuration are not committed: what is registered is commit {commit}"
            ));
        }
        if is_active && self.has_other_configuration_here()? {
            add(format!(
                "flowreg.toml in the work tree differs from the one at {commit}, which is used; to \
                 try it out: --config flowreg.toml"
            ));
        }
        // Credentials in the remote's URL are cut off, as registrations can be read by many. The
        // user has to know, because a private repository then can't be cloned.
        let remote = self.configured.remote()?;
        let lost_credentials = remote.is_some_and(|remote| remote.had_credentials);
        if lost_credentials && !self.configured.names_secret() {
            let setting = if self.configured.is_prefect1() {
                "[prefect1] names one as git_token_secret_name"
            } else {
                "[repository] names a secret as access_token or credentials"
            };
            add(format!(
                "the credentials in the remote's URL are not registered: workers clone without \
                 them, unless {setting}"
            ));
        }
        let is_https = url.as_str().starts_with("https://");
        let access = &self.configured.settings.repository.access;
        if !is_https && matches!(access, Some(Access::Token(_))) {
            add(
                "Prefect uses an access token with https URLs only: a worker will clone without it"
                    .to_owned(),
            );
        }
        Ok(notices)
    }

    /// Whether the work tree's `flowreg.toml` differs from the one at the commit. People edit it,
    /// run flowreg and wonder why nothing has changed: the file counts once it is committed.
    fn has_other_configuration_here(&self) -> Result<bool, RunError> {
        let Opened { surroundings, repository, .. } = self.opened();
        let Some(directory) = repository.workdir().filter(|_| surroundings.config.is_none()) else {
            return Ok(false);
        };
        let here = std::fs::read(directory.join(FILE_NAME)).ok();
        Ok(here.is_some() && here != self.tree()?.read_path(FILE_NAME)?)
    }
}
