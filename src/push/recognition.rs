//! What is where git looks for a hook: whose it is, and where ours belongs beside it. Installing,
//! taking away and the status all go by this, so that the status never praises what an installation
//! would not do.

use std::io;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::install_error::InstallError;
use super::manager::Manager;
use super::previous;
use super::shim::{self, HookName};
use flowreg_git::{HookPath, Repository};

/// The line for a hook that a person or a manager owns. Where there is no flowreg it succeeds, so that
/// a colleague without flowreg can still push.
pub(super) const LINE: &str = include_str!("../../hooks/husky.sh");

/// A hook of a repository, as git finds it.
pub(super) struct Recognition {
    /// The file that git runs, or would run.
    pub path: PathBuf,
    /// What is in it; `None` if there is nothing.
    pub found: Option<Vec<u8>>,
    /// Who wrote it; where ours stands before another one, who wrote that.
    pub manager: Option<Manager>,
    /// Where ours belongs.
    pub place: HookPlace,
    /// Whether `core.hooksPath` names a directory of husky's that is not there: git runs no hooks.
    pub lacks_husky: bool,
}

/// Where our hook belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HookPlace {
    /// A script of its own: as the hook, or where the hook of a manager or of a server runs it.
    Script(PathBuf),
    /// A line in a script of the team's, which husky runs.
    Line(PathBuf),
}

impl Recognition {
    /// Looks at one hook.
    ///
    /// # Errors
    /// [`InstallError`] if a file can't be read, or there is a directory in its place.
    pub(super) fn of(hooks: &HookPath, hook: HookName) -> Result<Self, InstallError> {
        Self::with(hooks, hook, content(&hooks.directory.join(hook.as_str()))?)
    }

    /// The same for a hook whose content was read.
    pub(super) fn with(
        hooks: &HookPath,
        hook: HookName,
        found: Option<Vec<u8>>,
    ) -> Result<Self, InstallError> {
        let path = hooks.directory.join(hook.as_str());
        let theirs = match &found {
            Some(ours) if shim::is_ours(ours) => {
                let previous = previous::of(hook, &path);
                // A directory in its place is for the status to tell.
                let previous = previous.filter(|previous| !previous.is_dir());
                previous.map(|previous| content(&previous)).transpose()?.flatten()
            }
            found => found.clone(),
        };
        let manager = theirs.as_deref().and_then(Manager::of_hook);
        let directory = hooks.directory.join("post-receive.d");
        let of_absent_husky = Manager::script_of_absent_husky(hooks, hook.as_str())
            .filter(|_| found.as_deref().is_none_or(shim::is_ours));
        let lacks_husky = of_absent_husky.is_some();
        let place = if hook == HookName::PostReceive && directory.is_dir() {
            HookPlace::Script(directory.join("flowreg"))
        } else if let Some(script) =
            Manager::script_of_husky(&path, theirs.as_deref()).or(of_absent_husky)
        {
            HookPlace::Line(script)
        } else if found.as_deref().and_then(Manager::of_hook).is_some_and(Manager::runs_legacy) {
            // If their hook were kept and run by ours, it would look for `.legacy`, find our script, and
            // the two would call each other for ever. So ours becomes the `.legacy` that theirs runs.
            HookPlace::Script(path.with_file_name(format!("{}.legacy", hook.as_str())))
        } else {
            HookPlace::Script(path.clone())
        };
        Ok(Self { path, found, manager, place, lacks_husky })
    }

    /// Whose hook git runs: `flowreg`, a manager, or `other`; `None` if there is none.
    pub(super) fn owner(&self) -> Option<&'static str> {
        let found = self.found.as_deref()?;
        if shim::is_ours(found) {
            return Some("flowreg");
        }
        Some(Manager::of_hook(found).map_or("other", Manager::as_str))
    }

    /// Whether the script in which ours is a line calls flowreg.
    pub(super) fn has_line(&self) -> Result<bool, InstallError> {
        match &self.place {
            HookPlace::Line(script) => {
                Ok(content(script)?.is_some_and(|text| calls_flowreg(&text)))
            }
            HookPlace::Script(_) => Ok(false),
        }
    }
}

/// Whether a script of somebody else's calls flowreg.
pub(super) fn calls_flowreg(script: &[u8]) -> bool {
    String::from_utf8_lossy(script).contains("flowreg hook ")
}

/// Every file where our script may be. pre-commit renames what it finds to `.legacy` and lefthook to
/// `.old`, and `core.hooksPath` may have been set after the install.
pub(super) fn candidates(repository: &Repository, hooks: &HookPath) -> Vec<(HookName, PathBuf)> {
    let mut directories = vec![hooks.directory.clone()];
    let default = repository.default_hooks();
    if default != hooks.directory {
        directories.push(default);
    }
    let mut places = Vec::new();
    for directory in directories {
        for hook in [HookName::PrePush, HookName::PostReceive] {
            let name = hook.as_str();
            for file in [name.to_owned(), format!("{name}.legacy"), format!("{name}.old")] {
                places.push((hook, directory.join(file)));
            }
        }
        places.push((HookName::PostReceive, directory.join("post-receive.d").join("flowreg")));
    }
    places
}

/// Whether a hook runs those in the directory beside it, as the scripts of Gitea and Forgejo do with
/// `post-receive.d/*`. A compiled hook can't be read, and gets the benefit of the doubt.
pub(super) fn runs_directory(hook: &Path) -> bool {
    let script = content(hook).ok().flatten();
    is_executable(hook)
        && script.is_some_and(|script| {
            !script.starts_with(b"#!") || String::from_utf8_lossy(&script).contains(".d/")
        })
}

/// What is in a file; `None` if there is none.
pub(super) fn content(file: &Path) -> Result<Option<Vec<u8>>, InstallError> {
    let failed = |source| InstallError::File { path: file.to_owned(), source };
    match std::fs::read(file) {
        Ok(content) => Ok(Some(content)),
        Err(_) if file.is_dir() => Err(InstallError::Directory { path: file.to_owned() }),
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A dangling link: somebody put it there, so it counts as a foreign hook.
            match file.symlink_metadata() {
                Ok(_) => Ok(Some(Vec::new())),
                Err(_) => Ok(None),
            }
        }
        Err(error) => Err(failed(error)),
    }
}

/// Where a link leads to, if that is not there.
pub(super) fn dangling(file: &Path) -> Option<PathBuf> {
    file.read_link().ok().filter(|_| file.metadata().is_err())
}

/// Whether git, or the shell, would run a file: it is there, and this user may execute it.
pub(super) fn is_executable(file: &Path) -> bool {
    file.is_file() && access(file, AccessFlags::X_OK).is_ok()
}
