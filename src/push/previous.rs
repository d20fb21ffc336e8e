//! The hook that was there before ours: kept under its own name in a directory beside the one of the
//! hooks, where our script runs it, and put back when ours is taken away.
//!
//! Many hooks go by where they are: `basename "$0"` says which hook one script is that is linked as all
//! of them (overcommit, husky), `"$(dirname "$0")/lib.sh"` is beside it, `"$(dirname "$0")/../.."` the
//! top of the work tree. So the directory is as deep as the one of the hooks, and links to everything
//! that is in it.

use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use nix::unistd::{AccessFlags, access};

use super::install_error::InstallError;
use super::manager::Manager;
use super::recognition::{content, is_executable};
use super::shim::HookName;

/// What the name of the directory ends with; `hooks/shim.sh` says so as well.
const BESIDE: &str = ".flowreg";
/// The ending that the first version of our script gave it.
const FIRST_ENDING: &str = "flowreg-prev";

/// Where the hook is kept that was at `file`. Its name is that of the hook, also where another tool has
/// given our script an ending. A link to the directory is followed: relative links in it lead from
/// where it really is.
fn kept(hook: HookName, file: &Path) -> Option<PathBuf> {
    let directory = file.parent()?.canonicalize().ok()?;
    let mut name = directory.file_name()?.to_owned();
    name.push(BESIDE);
    Some(directory.with_file_name(name).join(hook.as_str()))
}

/// Where the first version of our script kept it.
fn kept_first(hook: HookName, file: &Path) -> PathBuf {
    file.with_file_name(format!("{}.{FIRST_ENDING}", hook.as_str()))
}

/// The hook that was there before our script at `file`, if there was one.
pub(super) fn of(hook: HookName, file: &Path) -> Option<PathBuf> {
    let is_kept = |path: &PathBuf| path.symlink_metadata().is_ok() && !is_neighbour(path);
    kept(hook, file).filter(is_kept).or_else(|| Some(kept_first(hook, file)).filter(is_kept))
}

/// Keeps the hook at `file`, which our script is about to replace.
///
/// By a second name and not by a rename, so that there is a hook at every moment: a push may run
/// meanwhile. File systems without hard links get the rename.
pub(super) fn keep(hook: HookName, file: &Path, found: &[u8]) -> Result<(), InstallError> {
    if let Some(path) = of(hook, file) {
        if !is_outdated(&path, found) {
            return Err(InstallError::PreviousTaken { path });
        }
        std::fs::remove_file(&path).map_err(failed(&path))?;
    }
    let no_directory = || failed(file)(io::ErrorKind::NotFound.into());
    let previous = kept(hook, file).ok_or_else(no_directory)?;
    link_neighbours(file, &previous)?;
    second_name(file, &previous)
}

/// Whether the hook that is kept says nothing that the one which is there now does not: it is the same, or what the
/// same tool had made before.
pub(super) fn is_outdated(kept: &Path, found: &[u8]) -> bool {
    let Ok(Some(before)) = content(kept) else { return false };
    let makers = [&*before, found].map(Manager::of_hook);
    before == found
        || matches!(makers, [Some(one), Some(other)] if one == other && one.writes_its_hook_anew())
}

/// What has to be removed to go on without a hook that is kept: the directory that it is in says that there is one.
pub(super) fn place(kept: &Path) -> &Path {
    // The first version of our script kept it beside itself.
    let is_beside = kept.extension().is_some_and(|ending| ending == FIRST_ENDING);
    if is_beside { kept } else { kept.parent().unwrap_or(kept) }
}

/// Brings what the first version of our script had kept to where the script of today looks for it.
/// Returns the old name, which has to be removed once the script is replaced.
pub(super) fn move_on(hook: HookName, file: &Path) -> Result<Option<PathBuf>, InstallError> {
    let first = kept_first(hook, file);
    let is_kept = first.symlink_metadata().is_ok();
    let Some(previous) = kept(hook, file).filter(|_| is_kept) else { return Ok(None) };
    link_neighbours(file, &previous)?;
    second_name(&first, &previous)?;
    Ok(Some(first))
}

/// Links what has come to lie beside the hook since it was kept.
pub(super) fn refresh(hook: HookName, file: &Path) -> Result<(), InstallError> {
    match kept(hook, file) {
        Some(previous) if of(hook, file).as_ref() == Some(&previous) => {
            link_neighbours(file, &previous)
        }
        _ => Ok(()),
    }
}

/// What our script will do with the hook that was there before.
pub(super) enum PreviousHook {
    /// There was none.
    None,
    /// It runs it.
    Runs,
    /// The directory that it was kept in is there, and it is not.
    Gone(PathBuf),
    /// A directory is in its place.
    Directory(PathBuf),
    /// It is not executable.
    NotExecutable(PathBuf),
    /// It runs, and something beside it can't be linked for it.
    Incomplete(PathBuf),
}

/// Looks at the hook that was there before, as our script at `file` does.
pub(super) fn state(hook: HookName, file: &Path) -> PreviousHook {
    let Some(path) = kept(hook, file) else { return PreviousHook::None };
    let directory = path.parent().unwrap_or(&path);
    match of(hook, file) {
        // The first version of our script looks for it elsewhere.
        Some(previous) if previous != path => PreviousHook::Runs,
        None if !directory.is_dir() || is_kept_for_another(directory, hook) => PreviousHook::None,
        None => PreviousHook::Gone(path),
        // A dangling link is there, and leads to nothing.
        Some(_) if path.metadata().is_err() => PreviousHook::Gone(path),
        Some(_) if path.is_dir() => PreviousHook::Directory(path),
        Some(_) if !is_executable(&path) => PreviousHook::NotExecutable(path),
        Some(_) => {
            let is_whole = || neighbours(file, &path).is_ok_and(|missing| missing.is_empty());
            let is_writable = access(directory, AccessFlags::W_OK).is_ok();
            // Our script links what is missing before it runs it.
            if is_writable || is_whole() {
                PreviousHook::Runs
            } else {
                PreviousHook::Incomplete(path)
            }
        }
    }
}

/// Whether the directory is there for a hook of another name.
fn is_kept_for_another(directory: &Path, hook: HookName) -> bool {
    let others = [HookName::PrePush, HookName::PostReceive].into_iter().filter(|one| *one != hook);
    let mut others = others.map(|one| directory.join(one.as_str()));
    others.any(|path| path.symlink_metadata().is_ok() && !is_neighbour(&path))
}

/// What came of putting a hook back.
#[derive(Default)]
pub(super) struct PutBack {
    /// Whether there was one.
    pub is_restored: bool,
    /// What could not be put back.
    pub notes: Vec<String>,
}

/// Puts the hook back to `file`, in place of ours, with what it has written beside itself meanwhile.
pub(super) fn put_back(hook: HookName, file: &Path) -> Result<PutBack, InstallError> {
    let previous = of(hook, file);
    if let Some(previous) = &previous {
        std::fs::rename(previous, file).map_err(failed(previous))?;
    }
    let is_restored = previous.is_some();
    let directory = kept(hook, file).and_then(|kept| Some(kept.parent()?.to_owned()));
    // The hook of another name needs what is beside it still.
    let Some(directory) = directory.filter(|one| !is_kept_for_another(one, hook)) else {
        return Ok(PutBack { is_restored, notes: Vec::new() });
    };
    let hooks = file.parent().unwrap_or(file);
    let mut notes = Vec::new();
    for path in std::fs::read_dir(&directory).into_iter().flatten().flatten() {
        let path = path.path();
        if is_neighbour(&path) {
            std::fs::remove_file(&path).map_err(failed(&path))?;
            continue;
        }
        let home = hooks.join(path.file_name().unwrap_or_default());
        // Never over another file. What is on another file system can't be renamed.
        let is_free = home.symlink_metadata().is_err();
        if !(is_free && std::fs::rename(&path, &home).is_ok()) {
            let why = if is_free { "it can't be moved to" } else { "there is another one at" };
            notes.push(format!("{} stays: {why} {}", path.display(), home.display()));
        }
    }
    // It may not be there, and something may have stayed in it.
    let _ = std::fs::remove_dir(&directory);
    Ok(PutBack { is_restored, notes })
}

/// Links everything that lies beside the hook from where it is kept.
fn link_neighbours(file: &Path, previous: &Path) -> Result<(), InstallError> {
    let directory = previous.parent().unwrap_or(previous);
    std::fs::create_dir_all(directory).map_err(failed(directory))?;
    for (link, leads_to) in neighbours(file, previous)? {
        symlink(leads_to, &link).map_err(failed(&link))?;
    }
    Ok(())
}

/// The links that are not there yet, and where they lead: to everything beside the hook but samples.
fn neighbours(file: &Path, previous: &Path) -> Result<Vec<(PathBuf, PathBuf)>, InstallError> {
    let hooks = file.parent().unwrap_or(file);
    let hooks = hooks.canonicalize().map_err(failed(hooks))?;
    let back = Path::new("..").join(hooks.file_name().unwrap_or_default());
    let names = std::fs::read_dir(&hooks).map_err(failed(&hooks))?.flatten();
    let missing = names.map(|entry| entry.file_name()).filter_map(|name| {
        let link = previous.with_file_name(&name);
        let is_sample = Path::new(&name).extension().is_some_and(|ending| ending == "sample");
        let is_hook = [file.file_name(), previous.file_name()].contains(&Some(name.as_os_str()));
        let is_there = link.symlink_metadata().is_ok();
        (!is_sample && !is_hook && !is_there).then(|| (link, back.join(&name)))
    });
    Ok(missing.collect())
}

/// Whether a path is one of the links that [`link_neighbours`] makes.
fn is_neighbour(path: &Path) -> bool {
    let Ok(leads_to) = path.read_link() else { return false };
    let directory = path.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
    let Some(hooks) = directory.strip_suffix(BESIDE) else { return false };
    leads_to == Path::new("..").join(hooks).join(path.file_name().unwrap_or_default())
}

fn second_name(file: &Path, name: &Path) -> Result<(), InstallError> {
    if is_neighbour(name) {
        std::fs::remove_file(name).map_err(failed(name))?;
    }
    std::fs::hard_link(file, name).or_else(|_| std::fs::rename(file, name)).map_err(failed(name))
}

fn failed(path: &Path) -> impl Fn(io::Error) -> InstallError {
    move |source| InstallError::File { path: path.to_owned(), source }
}
