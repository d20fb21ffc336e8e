//! Installs the shim where git looks for hooks, and removes it again.
//!
//! No foreign hook is overwritten, and `core.hooksPath` is never changed. A hook that was there is
//! renamed, and our script runs it first with the same arguments and input; uninstalling puts it
//! back. How hook managers behave, and why nothing is appended to a foreign hook, stands in
//! `docs/facts/hooks.md`.

use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::manager::Manager;
use super::shim::{self, HookName, ScriptOrigin};
use flowreg_git::{ConfigScope, GitError, HookPath, Repository};

/// The line for a hook that a person or a manager owns. Where there is no flowreg it succeeds, so that
/// a colleague without flowreg can still push.
const LINE: &str = include_str!("../../hooks/husky.sh");
/// The command for git's configuration, which git 2.54 and newer run besides the hook's file. git
/// appends the arguments to the text, where they are given already: the `#` makes them a comment.
const COMMAND: &str = "! command -v flowreg >/dev/null 2>&1 || flowreg hook pre-push \"$@\" 1>&2 #";
/// The problem with a `post-receive.d` that no hook looks into.
pub(super) const NOT_RUN: &str =
    "git does not run post-receive.d by itself, and there is no post-receive hook that runs it";
/// The first git that reads hooks from the configuration.
const CONFIG_HOOKS: (u32, u32) = (2, 54);

/// How the hook is to be installed.
#[derive(Debug, Clone)]
pub(crate) struct InstallRequest {
    /// Which hook.
    pub hook: HookName,
    /// The flowreg that it calls, as an absolute path.
    pub binary: PathBuf,
    /// Write even into a directory that other repositories share, and over a changed script of ours.
    pub force: bool,
    /// Keep a foreign hook and run it first; if false, refuse to install beside it.
    pub chain: bool,
}

/// What was done to one hook, for the report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HookChange {
    /// The file, or the section of the configuration.
    pub place: String,
    /// `installed`, `updated`, `unchanged`, `removed`, `restored`.
    pub action: &'static str,
    /// The hook that runs before ours.
    pub previous: Option<PathBuf>,
    /// What is worth knowing.
    pub notes: Vec<String>,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file can't be read or written.
    #[error("{path} can't be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// All repositories look for hooks in the same directory.
    #[error(
        "core.hooksPath is `{directory}` in the {scope} configuration: other repositories run these hooks, too"
    )]
    SharedHooks {
        /// As it is configured.
        directory: String,
        /// `global`, `system` or `command`.
        scope: &'static str,
    },
    /// Hooks are switched off.
    #[error("core.hooksPath is `{directory}` ({scope}): git runs no hooks")]
    HooksOff {
        /// As it is configured.
        directory: String,
        /// Which configuration.
        scope: &'static str,
    },
    /// There is a hook, and it is not to be chained.
    #[error("there is already a hook at {path}")]
    Exists {
        /// The hook.
        path: PathBuf,
    },
    /// A directory is where the hook should be.
    #[error("{path} is a directory")]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A newer flowreg installed it.
    #[error("{path} was written by a newer flowreg")]
    Newer {
        /// The hook.
        path: PathBuf,
    },
    /// Somebody changed our script.
    #[error("{path} was changed by hand")]
    Edited {
        /// The hook.
        path: PathBuf,
    },
    /// The name under which the previous hook would be kept is taken.
    #[error("{path} exists, and the previous hook would be kept under that name")]
    PreviousTaken {
        /// The file.
        path: PathBuf,
    },
    /// A hook of the server makes sense only there.
    #[error("{directory} is not a bare repository: nobody pushes to it")]
    NotBare {
        /// The work tree.
        directory: PathBuf,
    },
    /// This git does not read hooks from its configuration.
    #[error("git {major}.{minor} does not read hooks from its configuration (2.54 does)")]
    NoConfigHooks {
        /// Its version.
        major: u32,
        /// Its version.
        minor: u32,
    },
    /// Both would run.
    #[error("the hook is installed as {path} already, and both would run")]
    Twice {
        /// The other place.
        path: PathBuf,
    },
}

impl InstallError {
    /// The word that JSON uses.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Git(error) => error.code(),
            Self::File { .. } => "file",
            Self::SharedHooks { .. } => "shared_hooks",
            Self::HooksOff { .. } => "hooks_off",
            Self::Exists { .. } => "hook_exists",
            Self::Directory { .. } => "hook_is_directory",
            Self::Newer { .. } => "newer_hook",
            Self::Edited { .. } => "edited_hook",
            Self::PreviousTaken { .. } => "previous_taken",
            Self::NotBare { .. } => "not_bare",
            Self::NoConfigHooks { .. } => "no_config_hooks",
            Self::Twice { .. } => "installed_twice",
        }
    }

    /// What to type.
    pub(crate) fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Git(error) => return error.hints(),
            Self::SharedHooks { .. } => {
                return vec![
                    format!("add this line to the pre-push hook there: {}", LINE.trim_end()),
                    "or write into that directory anyway: --force".to_owned(),
                ];
            }
            Self::HooksOff { scope: scope @ ("global" | "system" | "worktree"), .. } => {
                return vec![format!("git config --{scope} --unset core.hooksPath")];
            }
            Self::HooksOff { .. } => "git config --unset core.hooksPath",
            Self::Exists { .. } => {
                return vec![format!("add this line to it: {}", LINE.trim_end())];
            }
            Self::Newer { .. } => "use that flowreg, or overwrite the hook: --force",
            Self::Edited { .. } => "to remove or overwrite it anyway: --force",
            Self::PreviousTaken { .. } => "look into it, then remove or rename it",
            Self::NotBare { .. } => "leave out --server to install the hook of the one who pushes",
            Self::NoConfigHooks { .. } => "leave out --config to install a hook file",
            Self::Twice { .. } => "flowreg hooks uninstall",
            Self::File { .. } | Self::Directory { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}

/// Installs the shim.
///
/// # Errors
/// [`InstallError`]; then nothing is changed.
pub(crate) fn install(
    repository: &Repository,
    request: &InstallRequest,
) -> Result<HookChange, InstallError> {
    let hooks = repository.hook_path()?;
    refuse_elsewhere(&hooks, request.force)?;
    if request.hook == HookName::PostReceive {
        if let Some(directory) = repository.workdir() {
            return Err(InstallError::NotBare { directory: directory.to_owned() });
        }
        let directory = hooks.directory.join("post-receive.d");
        if directory.is_dir() {
            let runs = runs_directory(&hooks.directory.join(request.hook.as_str()));
            let notes = if runs { Vec::new() } else { vec![NOT_RUN.to_owned()] };
            return write_shim(repository, request, &directory.join("flowreg"), notes);
        }
    }
    if is_husky(&hooks) {
        return install_for_husky(repository, request, &hooks);
    }
    if repository.configured("hook.flowreg.event").is_some() {
        return Err(InstallError::Twice { path: "hook.flowreg".into() });
    }
    let file = hooks.directory.join(request.hook.as_str());
    let top = repository.workdir();
    let managers = top.map(Manager::of_work_tree).unwrap_or_default();
    let mut notes: Vec<String> = managers.into_iter().map(manager_note).collect();
    let manager = content(&file)?.as_deref().and_then(Manager::of_hook);
    if let Some(manager) = manager {
        notes.push(manager_note(manager));
    }
    notes.sort();
    notes.dedup();
    let legacy = hooks.directory.join(format!("{}.legacy", request.hook.as_str()));
    match manager {
        // If their hook were renamed and chained, it would look for `.legacy`, find our script, and
        // the two would call each other for ever. So ours becomes the `.legacy` that theirs runs.
        Some(manager) if manager.runs_legacy() => write_shim(repository, request, &legacy, notes),
        _ => write_shim(repository, request, &file, notes),
    }
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

fn manager_note(manager: Manager) -> String {
    format!("{}: {}", manager.as_str(), manager.advice())
}

/// Refuses a hooks directory that other repositories share, and a setting that switches hooks off.
fn refuse_elsewhere(hooks: &HookPath, force: bool) -> Result<(), InstallError> {
    let Some((directory, scope)) = &hooks.configured else { return Ok(()) };
    let (named, scope_name) = (directory.clone(), scope.as_str());
    if matches!(directory.as_str(), "" | "." | "/dev/null") {
        return Err(InstallError::HooksOff { directory: named, scope: scope_name });
    }
    if scope.is_shared() && !force {
        return Err(InstallError::SharedHooks { directory: named, scope: scope_name });
    }
    Ok(())
}

/// Whether husky owns the hooks: it sets `core.hooksPath` to `.husky/_`, writes that directory anew at
/// every install, and calls the scripts of `.husky` from it.
pub(super) fn is_husky(hooks: &HookPath) -> bool {
    matches!(&hooks.configured, Some((directory, ConfigScope::Local | ConfigScope::Worktree))
        if directory.trim_end_matches('/').ends_with(".husky/_"))
}

/// The script of husky's that belongs to the team, and is committed.
pub(super) fn husky_script(hooks: &HookPath) -> PathBuf {
    let directory = hooks.directory.parent().unwrap_or(&hooks.directory);
    directory.join(HookName::PrePush.as_str())
}

fn install_for_husky(
    repository: &Repository,
    request: &InstallRequest,
    hooks: &HookPath,
) -> Result<HookChange, InstallError> {
    let file = husky_script(hooks);
    let notes = vec![manager_note(Manager::Husky)];
    let shown = file.strip_prefix(repository.workdir().unwrap_or(&file)).unwrap_or(&file);
    let place = shown.display().to_string();
    match content(&file)? {
        Some(text) if String::from_utf8_lossy(&text).contains("flowreg hook pre-push") => {
            Ok(HookChange { place, action: "unchanged", previous: None, notes })
        }
        // The script of the team may read standard input, and then a line behind it gets none. Where
        // ours belongs is for a person to decide.
        Some(_) if !request.force => Err(InstallError::Exists { path: file }),
        Some(text) => {
            let text = [LINE.as_bytes(), &text].concat();
            write(&file, &text, 0o755)?;
            Ok(HookChange { place, action: "updated", previous: None, notes })
        }
        None => {
            write(&file, LINE.as_bytes(), 0o755)?;
            Ok(HookChange { place, action: "installed", previous: None, notes })
        }
    }
}

/// Writes our script to `file`, after keeping a foreign hook beside it.
fn write_shim(
    repository: &Repository,
    request: &InstallRequest,
    file: &Path,
    notes: Vec<String>,
) -> Result<HookChange, InstallError> {
    let hook = request.hook;
    let script = shim::render(hook, &request.binary);
    let previous = file.with_file_name(hook.previous());
    let found = content(file)?;
    let path = || file.to_owned();
    let action = match found.as_deref().map(|found| shim::origin(hook, found)) {
        None => "installed",
        Some(ScriptOrigin::Newer) if !request.force => {
            return Err(InstallError::Newer { path: path() });
        }
        Some(ScriptOrigin::Foreign) => {
            if !request.chain {
                return Err(InstallError::Exists { path: path() });
            }
            keep_previous(file, &previous)?;
            "installed"
        }
        Some(_) if found.as_deref() == Some(script.as_bytes()) && is_executable(file) => {
            "unchanged"
        }
        Some(_) => "updated",
    };
    if action != "unchanged" {
        write(file, script.as_bytes(), file_mode(repository))?;
    }
    let previous = Some(previous).filter(|previous| previous.exists());
    Ok(HookChange { place: file.display().to_string(), action, previous, notes })
}

/// Gives the hook at `file` the second name `previous`; the write that follows replaces the first.
///
/// A hard link and not a rename, so that there is a hook at every moment: a push may run meanwhile.
/// File systems without hard links get the rename.
fn keep_previous(file: &Path, previous: &Path) -> Result<(), InstallError> {
    if previous.symlink_metadata().is_ok() {
        return Err(InstallError::PreviousTaken { path: previous.to_owned() });
    }
    let linked = std::fs::hard_link(file, previous);
    linked
        .or_else(|_| std::fs::rename(file, previous))
        .map_err(|source| InstallError::File { path: previous.to_owned(), source })
}

/// The permissions of a script: with `core.sharedRepository` the group has to be able to replace it.
fn file_mode(repository: &Repository) -> u32 {
    match repository.configured("core.sharedRepository").as_deref() {
        None | Some("umask" | "false" | "0") => 0o755,
        Some(_) => 0o775,
    }
}

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

pub(super) fn is_executable(file: &Path) -> bool {
    file.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
}

/// Writes a file by renaming a finished one, so that a push that runs meanwhile never executes half of
/// a script.
fn write(file: &Path, content: &[u8], mode: u32) -> Result<(), InstallError> {
    let failed = |source| InstallError::File { path: file.to_owned(), source };
    let directory = file.parent().unwrap_or(file);
    std::fs::create_dir_all(directory).map_err(failed)?;
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned());
    let unfinished =
        file.with_file_name(format!(".{}.{}", name.unwrap_or_default(), std::process::id()));
    std::fs::write(&unfinished, content).map_err(failed)?;
    std::fs::set_permissions(&unfinished, std::fs::Permissions::from_mode(mode)).map_err(failed)?;
    std::fs::rename(&unfinished, file).map_err(failed)
}

/// Writes the hook into git's own configuration (git 2.54 and newer).
///
/// # Errors
/// [`InstallError`]; then nothing is changed.
pub(crate) fn install_in_configuration(
    repository: &Repository,
) -> Result<HookChange, InstallError> {
    let (major, minor) = repository.git_version()?;
    if (major, minor) < CONFIG_HOOKS {
        return Err(InstallError::NoConfigHooks { major, minor });
    }
    let file = repository.hook_path()?.directory.join(HookName::PrePush.as_str());
    let is_ours =
        |content: Vec<u8>| shim::origin(HookName::PrePush, &content) != ScriptOrigin::Foreign;
    if content(&file)?.is_some_and(is_ours) {
        return Err(InstallError::Twice { path: file });
    }
    let is_there = repository.configured("hook.flowreg.command").as_deref() == Some(COMMAND)
        && repository.configured("hook.flowreg.event").as_deref() == Some("pre-push");
    // In this order: an event without a command ends every git command with an error, `git status`
    // too (`docs/facts/hooks.md`), and this process may be killed between the two.
    if !is_there {
        repository.configure("hook.flowreg.command", COMMAND)?;
        repository.configure("hook.flowreg.event", "pre-push")?;
    }
    let action = if is_there { "unchanged" } else { "installed" };
    let notes = vec![
        "git before 2.54, which a graphical client may bring, does not run it; flowreg has to be \
         on PATH"
            .to_owned(),
    ];
    Ok(HookChange { place: "hook.flowreg".to_owned(), action, previous: None, notes })
}

/// Removes every script, line and configuration of ours, and puts back the hooks that were renamed.
///
/// # Errors
/// [`InstallError`]; what was done until then stays done.
pub(crate) fn uninstall(
    repository: &Repository,
    force: bool,
) -> Result<Vec<HookChange>, InstallError> {
    let hooks = repository.hook_path()?;
    let mut done = Vec::new();
    for (hook, file) in candidates(repository, &hooks) {
        done.extend(take_away(hook, &file, force)?);
    }
    let husky = husky_script(&hooks);
    if is_husky(&hooks) && content(&husky)?.as_deref() == Some(LINE.as_bytes()) {
        std::fs::remove_file(&husky)
            .map_err(|source| InstallError::File { path: husky.clone(), source })?;
        let place = husky.display().to_string();
        done.push(HookChange { place, action: "removed", previous: None, notes: Vec::new() });
    }
    let keys = ["hook.flowreg.command", "hook.flowreg.event"];
    if keys.iter().any(|key| repository.configured(key).is_some())
        && repository.remove_section("hook.flowreg")?
    {
        let place = "hook.flowreg".to_owned();
        done.push(HookChange { place, action: "removed", previous: None, notes: Vec::new() });
    }
    Ok(done)
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

fn take_away(hook: HookName, file: &Path, force: bool) -> Result<Option<HookChange>, InstallError> {
    let Ok(Some(found)) = content(file) else { return Ok(None) };
    match shim::origin(hook, &found) {
        ScriptOrigin::Foreign => return Ok(None),
        ScriptOrigin::Different | ScriptOrigin::Newer if !force => {
            return Err(InstallError::Edited { path: file.to_owned() });
        }
        _ => {}
    }
    let failed = |source| InstallError::File { path: file.to_owned(), source };
    let previous = file.with_file_name(hook.previous());
    let place = file.display().to_string();
    let moved = file.extension().is_some_and(|extension| extension == "old");
    if previous.symlink_metadata().is_ok() {
        std::fs::rename(&previous, file).map_err(failed)?;
        let (action, notes) = ("restored", Vec::new());
        return Ok(Some(HookChange { place, action, previous: None, notes }));
    }
    std::fs::remove_file(file).map_err(failed)?;
    let notes = if moved { vec!["another tool had moved it there".to_owned()] } else { Vec::new() };
    Ok(Some(HookChange { place, action: "removed", previous: None, notes }))
}
