//! Finds the git directory without opening the repository.
//!
//! For callers that have no time (a hook, the look at the outbox at the end of every command) and
//! for repositories that can't be opened. All others open the repository, which also checks its
//! owner and reads its configuration.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use flowreg_model::Environment;

/// The two directories of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GitDirectories {
    /// That of this work tree.
    pub git_dir: PathBuf,
    /// The one that all work trees share.
    pub common_dir: PathBuf,
}

/// Finds the git directory upwards from a directory, or where `GIT_DIR` says.
pub fn git_directories(directory: &Path, environment: &Environment) -> Option<GitDirectories> {
    let git_dir = match environment.path("GIT_DIR") {
        Some(git_dir) => directory.join(git_dir),
        None => directory.ancestors().find_map(git_dir_of)?,
    };
    let git_dir = git_dir.canonicalize().ok()?;
    let common_dir = common_dir_of(&git_dir)?;
    Some(GitDirectories { git_dir, common_dir })
}

/// The directory that a git directory shares with those of other work trees: that of a linked work tree has
/// a file that names it (gitrepository-layout(5)). `None` if that leads nowhere.
pub(super) fn common_dir_of(git_dir: &Path) -> Option<PathBuf> {
    match std::fs::read(git_dir.join("commondir")) {
        Ok(path) => git_dir.join(path_of_line(&path)).canonicalize().ok(),
        Err(_) => Some(git_dir.to_owned()),
    }
}

/// `.git` as a directory, as the file that names one, or the directory itself if it is bare.
fn git_dir_of(directory: &Path) -> Option<PathBuf> {
    let dot_git = directory.join(".git");
    if is_git_dir(&dot_git) {
        return Some(dot_git);
    }
    if let Ok(text) = std::fs::read(&dot_git) {
        return named_git_dir(directory, &text);
    }
    (directory.join("refs").is_dir() && is_git_dir(directory)).then(|| directory.to_owned())
}

/// The git directory that the text of a `.git` file names; the file is in `directory`.
pub(super) fn named_git_dir(directory: &Path, text: &[u8]) -> Option<PathBuf> {
    text.strip_prefix(b"gitdir: ").map(|path| directory.join(path_of_line(path)))
}

fn path_of_line(line: &[u8]) -> &Path {
    Path::new(OsStr::from_bytes(line.trim_ascii_end()))
}

fn is_git_dir(directory: &Path) -> bool {
    // Not `exists`: HEAD may be a symbolic link to a branch's file, which is not there before the
    // first commit or after `git pack-refs`.
    directory.join("HEAD").symlink_metadata().is_ok() && directory.join("objects").is_dir()
}
