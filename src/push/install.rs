//! Installs the shim where git looks for hooks, and removes it again.
//!
//! No foreign hook is overwritten, and `core.hooksPath` is never changed. A hook that was there is
//! kept, and our script runs it first under its name, with the same arguments and input; uninstalling
//! puts it back. How hook managers behave, and why nothing is appended to a foreign hook, stands in
//! `docs/facts/hooks.md`.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::install_error::InstallError;
use super::manager::Manager;
use super::previous::{self, PutBack};
use super::recognition::{
    HookPlace, LINE, Recognition, calls_flowreg, candidates, content, is_executable,
};
use super::shim::{self, HookName, ScriptOrigin};
use flowreg_git::{HookPath, Repository};

/// The command for git's configuration, which git 2.54 and newer run besides the hook's file. git
/// appends the arguments to the text, where they are given already: the `#` makes them a comment.
const COMMAND: &str = "! command -v flowreg >/dev/null 2>&1 || flowreg hook pre-push \"$@\" 1>&2 #";
/// The first git that reads hooks from the configuration.
pub(super) const CONFIG_HOOKS: (u32, u32) = (2, 54);

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
    let hook = request.hook;
    let is_received = hook == HookName::PostReceive;
    if let Some(directory) = repository.workdir().filter(|_| is_received) {
        return Err(InstallError::NotBare { directory: directory.to_owned() });
    }
    if !is_received {
        refuse_bare(repository, request.force, false)?;
    }
    let recognition = Recognition::of(&hooks, hook)?;
    let file = match &recognition.place {
        HookPlace::Line(script) => {
            return install_line(repository, request, &recognition, script);
        }
        HookPlace::Script(file) => file,
    };
    if !is_received && repository.configured("hook.flowreg.event").is_some() {
        return Err(InstallError::Twice { path: "hook.flowreg".into() });
    }
    refuse_tracked(repository, &hooks, request.force)?;
    let managers = repository.workdir().map(Manager::of_work_tree).unwrap_or_default();
    let mut notes: Vec<String> =
        managers.into_iter().chain(recognition.manager).map(manager_note).collect();
    notes.sort();
    notes.dedup();
    write_shim(repository, request, file, notes)
}

/// Refuses a hooks directory that the repository tracks.
fn refuse_tracked(
    repository: &Repository,
    hooks: &HookPath,
    force: bool,
) -> Result<(), InstallError> {
    if !force && repository.tracks(&hooks.directory)? {
        return Err(InstallError::TrackedHooks { directory: hooks.directory.clone() });
    }
    Ok(())
}

/// Refuses the hook of the one who pushes in a bare repository: people push to it. With linked work trees they
/// push from there, and git runs the same hook.
fn refuse_bare(
    repository: &Repository,
    force: bool,
    in_configuration: bool,
) -> Result<(), InstallError> {
    let is_bare = repository.workdir().is_none() && !repository.has_linked_work_trees();
    if is_bare && !force {
        let directory = repository.common_dir().to_owned();
        return Err(InstallError::Bare { directory, in_configuration });
    }
    Ok(())
}

/// Why an installation in this directory would be refused without `--force`; `None` if it would not.
pub(super) fn reason_for_force(
    repository: &Repository,
    hooks: &HookPath,
    hook: HookName,
) -> Option<InstallError> {
    let refused = refuse_elsewhere(hooks, false)
        .and_then(|()| match hook {
            HookName::PrePush => refuse_bare(repository, false, false),
            HookName::PostReceive => Ok(()),
        })
        .and_then(|()| refuse_tracked(repository, hooks, false));
    refused.err()
}

fn manager_note(manager: Manager) -> String {
    format!("{}: {}", manager.as_str(), manager.advice())
}

/// Refuses a hooks directory that other repositories share, and a setting that switches hooks off.
fn refuse_elsewhere(hooks: &HookPath, force: bool) -> Result<(), InstallError> {
    let Some(configured) = hooks.configured.clone() else { return Ok(()) };
    if hooks.is_off() {
        return Err(InstallError::HooksOff { configured });
    }
    if configured.scope.is_shared() && !force {
        return Err(InstallError::SharedHooks { configured });
    }
    Ok(())
}

/// Writes our line into the script of the team's that husky runs.
fn install_line(
    repository: &Repository,
    request: &InstallRequest,
    recognition: &Recognition,
    script: &Path,
) -> Result<HookChange, InstallError> {
    // An older flowreg, which did not know this husky, may have replaced its hook.
    take_away(request.hook, &recognition.path, request.force)?;
    let notes = vec![manager_note(Manager::Husky)];
    if recognition.lacks_husky {
        // What an earlier flowreg had put there; git would list it as new.
        let _ = recognition.path.parent().map(std::fs::remove_dir);
    }
    let shown = script.strip_prefix(repository.workdir().unwrap_or(script)).unwrap_or(script);
    let place = shown.display().to_string();
    let action = match content(script)? {
        Some(text) if calls_flowreg(&text) => "unchanged",
        // The script of the team may read standard input, and then a line behind it gets none. Where
        // ours belongs is for a person to decide.
        Some(_) if !request.force => {
            return Err(InstallError::TeamScript { path: script.to_owned() });
        }
        Some(text) => {
            write(script, &[LINE.as_bytes(), &text].concat(), 0o755)?;
            "updated"
        }
        None => {
            write(script, LINE.as_bytes(), 0o755)?;
            "installed"
        }
    };
    Ok(HookChange { place, action, previous: None, notes })
}

/// Writes our script to `file`, after keeping a foreign hook.
fn write_shim(
    repository: &Repository,
    request: &InstallRequest,
    file: &Path,
    notes: Vec<String>,
) -> Result<HookChange, InstallError> {
    let hook = request.hook;
    let script = shim::render(hook, &request.binary);
    let found = content(file)?;
    let path = || file.to_owned();
    let action = match found.as_deref().map(shim::origin) {
        None => "installed",
        Some(ScriptOrigin::Newer) if !request.force => {
            return Err(InstallError::Newer { path: path() });
        }
        Some(ScriptOrigin::Edited) if !request.force => {
            return Err(InstallError::Edited { path: path() });
        }
        Some(ScriptOrigin::Foreign) if !request.chain => {
            return Err(InstallError::Exists { path: path() });
        }
        Some(ScriptOrigin::Foreign) => {
            previous::keep(hook, file, found.as_deref().unwrap_or_default())?;
            "installed"
        }
        Some(_) if found.as_deref() == Some(script.as_bytes()) && is_executable(file) => {
            "unchanged"
        }
        Some(_) => "updated",
    };
    if action != "unchanged" {
        let moved = previous::move_on(hook, file)?;
        write(file, script.as_bytes(), file_mode(repository))?;
        // The script that has just been replaced was the only one that ran it under this name.
        moved.map(|first| remove(&first)).transpose()?;
    }
    previous::refresh(hook, file)?;
    let previous = previous::of(hook, file).filter(|previous| is_executable(previous));
    Ok(HookChange { place: file.display().to_string(), action, previous, notes })
}

/// The permissions of a script: with `core.sharedRepository` the group has to be able to replace it.
fn file_mode(repository: &Repository) -> u32 {
    match repository.configured("core.sharedRepository").as_deref() {
        None | Some("umask" | "false" | "0") => 0o755,
        Some(_) => 0o775,
    }
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
    force: bool,
) -> Result<HookChange, InstallError> {
    refuse_bare(repository, force, true)?;
    let (major, minor) = repository.git_version()?;
    if (major, minor) < CONFIG_HOOKS {
        return Err(InstallError::NoConfigHooks { major, minor });
    }
    let file = repository.hook_path()?.directory.join(HookName::PrePush.as_str());
    if content(&file)?.is_some_and(|content| shim::is_ours(&content)) {
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
    // Only now: where ours had replaced husky's hook, husky's has just been put back.
    if let HookPlace::Line(script) = Recognition::of(&hooks, HookName::PrePush)?.place {
        done.extend(take_line_away(&script)?);
    }
    let keys = ["hook.flowreg.command", "hook.flowreg.event"];
    if keys.iter().any(|key| repository.configured(key).is_some())
        && repository.remove_section("hook.flowreg")?
    {
        done.push(change("hook.flowreg".to_owned(), "removed", Vec::new()));
    }
    Ok(done)
}

/// Takes our line out of the script of the team's, if it begins with it.
fn take_line_away(script: &Path) -> Result<Option<HookChange>, InstallError> {
    let text = content(script)?.unwrap_or_default();
    let (action, note) = match text.strip_prefix(LINE.as_bytes()) {
        Some([]) => {
            remove(script)?;
            ("removed", None)
        }
        Some(rest) => {
            write(script, rest, 0o755)?;
            ("updated", Some("flowreg's line is out of it; what else is in it stays"))
        }
        None if calls_flowreg(&text) => {
            ("unchanged", Some("a line that somebody wrote calls flowreg: take it out of the file"))
        }
        None => return Ok(None),
    };
    let notes = note.into_iter().map(str::to_owned).collect();
    Ok(Some(change(script.display().to_string(), action, notes)))
}

fn change(place: String, action: &'static str, notes: Vec<String>) -> HookChange {
    HookChange { place, action, previous: None, notes }
}

fn take_away(hook: HookName, file: &Path, force: bool) -> Result<Option<HookChange>, InstallError> {
    let Ok(Some(found)) = content(file) else { return Ok(None) };
    match shim::origin(&found) {
        ScriptOrigin::Foreign => return Ok(None),
        ScriptOrigin::Edited | ScriptOrigin::Newer if !force => {
            return Err(InstallError::Edited { path: file.to_owned() });
        }
        _ => {}
    }
    let change = |action, notes| Ok(Some(change(file.display().to_string(), action, notes)));
    let PutBack { is_restored, mut notes } = previous::put_back(hook, file)?;
    if is_restored {
        return change("restored", notes);
    }
    remove(file)?;
    if file.extension().is_some_and(|extension| extension == "old") {
        notes.push("another tool had moved it there".to_owned());
    }
    change("removed", notes)
}

fn remove(file: &Path) -> Result<(), InstallError> {
    std::fs::remove_file(file)
        .map_err(|source| InstallError::File { path: file.to_owned(), source })
}
