//! Finds and opens the repository: upwards from a directory, or where `GIT_DIR` says.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Instant;

use gix::discover::repository::Path as RepositoryPath;
use gix::sec::Trust;

use super::config::{self, IncludeConditions};
use super::{GitError, Repository, process};
use flowreg_model::{Environment, escaped};

/// A git directory before it is opened.
struct Location {
    /// What has to be opened: the git directory, or the `.git` file that names it.
    entry: PathBuf,
    git_dir: PathBuf,
    /// The directory that has the `.git`.
    top: Option<PathBuf>,
    /// `GIT_WORK_TREE`; it goes before what the repository's configuration says.
    work_tree: Option<PathBuf>,
    trust: Trust,
}

/// Opens the repository that `directory` belongs to.
pub(super) fn discover(
    directory: &Path,
    environment: &Environment,
) -> Result<Repository, GitError> {
    let started = Instant::now();
    let start = existing_directory(directory)?;
    let location = locate(&start, environment)?;
    let of_user = config::of_user(environment)?;
    if location.trust != Trust::Full {
        // `safe.directory` counts only where the repository's owner can't have written it: in the
        // files of the system and the user, and in the environment.
        let conditions = IncludeConditions { git_dir: &location.git_dir, branch: None };
        check_safe(&config::complete(of_user.clone(), None, conditions, environment)?, &location)?;
    }
    let repository = open(&location)?;
    let local = repository.to_thread_local();
    let head = local.head_name().ok().flatten();
    let branch = head.as_ref().map(AsRef::as_ref);
    let conditions = IncludeConditions { git_dir: &location.git_dir, branch };
    let of_repository = local.config_snapshot().plumbing().clone();
    let configuration = config::complete(of_user, Some(of_repository), conditions, environment)?;
    refuse_reftable(&configuration, &location)?;
    let common_dir = local.common_dir();
    tracing::debug!(
        git_dir = escaped(location.git_dir.display()),
        ms = started.elapsed().as_millis(),
        "repository opened"
    );
    Ok(Repository {
        common_dir: common_dir.canonicalize().unwrap_or_else(|_| common_dir.to_owned()),
        workdir: location.work_tree.or_else(|| local.workdir().map(Path::to_owned)),
        configuration,
        environment: environment.clone(),
        inner: repository,
        time_limit: process::TIME_LIMIT,
        ssh_hosts: OnceLock::new(),
    })
}

fn existing_directory(directory: &Path) -> Result<PathBuf, GitError> {
    let cannot = |reason: String| GitError::NoDirectory { directory: directory.to_owned(), reason };
    let path = directory.canonicalize().map_err(|error| match error.kind() {
        ErrorKind::NotFound => cannot("it does not exist".to_owned()),
        kind => cannot(kind.to_string()),
    })?;
    if path.is_dir() { Ok(path) } else { Err(cannot("it is a file".to_owned())) }
}

/// `GIT_DIR` goes first, as for every git command: in a hook of a linked worktree or of a bare
/// repository the directory alone would not lead there.
fn locate(start: &Path, environment: &Environment) -> Result<Location, GitError> {
    let work_tree = environment.get("GIT_WORK_TREE").map(|path| start.join(path));
    let (found, trust) = match environment.get("GIT_DIR") {
        Some(git_dir) => open_git_dir(&start.join(git_dir), start)?,
        None => search_upwards(start, environment)?,
    };
    // In a linked work tree and in a submodule `.git` is a file. It is opened instead of the
    // directory that it names, because that tells gix which work tree this is.
    let git_file = found.as_ref().join(".git");
    let (git_dir, top) = found.into_repository_and_work_tree_directories();
    let entry = if git_file.is_file() { git_file } else { git_dir.clone() };
    Ok(Location { entry, git_dir, top, work_tree, trust })
}

fn open_git_dir(git_dir: &Path, start: &Path) -> Result<(RepositoryPath, Trust), GitError> {
    let not_a_repository = || GitError::NotARepository { directory: git_dir.to_owned() };
    let kind = gix::discover::is_git(git_dir).map_err(|_| not_a_repository())?;
    let found = RepositoryPath::from_dot_git_dir(git_dir.to_owned(), kind, start);
    let trust = Trust::from_path_ownership(git_dir).map_err(|_| not_a_repository())?;
    Ok((found.ok_or_else(not_a_repository)?, trust))
}

fn search_upwards(
    start: &Path,
    environment: &Environment,
) -> Result<(RepositoryPath, Trust), GitError> {
    let not_a_repository = || GitError::NotARepository { directory: start.to_owned() };
    let found = gix::discover::upwards_opts(start, gix::discover::upwards::Options::default());
    let (found, trust) = found.map_err(|_| not_a_repository())?;
    let ceilings = environment.get("GIT_CEILING_DIRECTORIES").unwrap_or_default();
    let ceilings = ceilings.split(':').filter_map(|path| Path::new(path).canonicalize().ok());
    // git(1): the search does not go up into a ceiling; where it begins is looked at in any case.
    let mut ceilings = ceilings.filter(|ceiling| {
        start != ceiling && start.starts_with(ceiling) && ceiling.starts_with(found.as_ref())
    });
    if ceilings.next().is_some() {
        return Err(not_a_repository());
    }
    Ok((found, trust))
}

fn open(location: &Location) -> Result<gix::ThreadSafeRepository, GitError> {
    // Trust and configuration were decided above, from the environment that was handed in.
    let options = gix::open::Options::isolated()
        .with(Trust::Full)
        .filter_config_section(|_| true)
        // A clone brings no refs/replace: what workers run is never the replacement.
        .config_overrides(["core.useReplaceRefs=false"])
        .open_path_as_is(true);
    options.open(&location.entry).map_err(|error| {
        let directory = location.git_dir.clone();
        // gix's own error says nothing about the storage of refs.
        if directory.join("reftable").is_dir() {
            return GitError::Reftable { directory };
        }
        GitError::Broken { directory, reason: error.to_string() }
    })
}

/// Refuses a repository that keeps its refs as reftable, which gix can't read. It would look like one
/// with HEAD at `refs/heads/.invalid` and without any branch (docs/facts/git.md, "Reftable").
fn refuse_reftable(configuration: &gix::config::File, location: &Location) -> Result<(), GitError> {
    match configuration.string("extensions.refStorage") {
        Some(format) if format.eq_ignore_ascii_case(b"reftable") => {
            Err(GitError::Reftable { directory: location.git_dir.clone() })
        }
        _ => Ok(()),
    }
}

/// Refuses a repository of another user that is not in the list `safe.directory`, as git does; an
/// empty value forgets those before it
/// (<https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory>).
///
/// To read such a repository may run programs that its configuration names, and so would the git
/// processes that are started in it.
fn check_safe(configuration: &gix::config::File, location: &Location) -> Result<(), GitError> {
    let work_tree = location.work_tree.as_ref().or(location.top.as_ref());
    let directory = work_tree.unwrap_or(&location.git_dir);
    let listed = configuration.strings("safe.directory").unwrap_or_default();
    let is_safe = listed.iter().fold(false, |is_safe, entry| match entry.as_slice() {
        b"" => false,
        b"*" => true,
        entry => is_safe || names_directory(&String::from_utf8_lossy(entry), directory),
    });
    if is_safe { Ok(()) } else { Err(GitError::NotOwned { directory: directory.clone() }) }
}

/// An entry is a directory, or with `/*` at its end everything below one.
fn names_directory(entry: &str, directory: &Path) -> bool {
    match entry.strip_suffix("/*") {
        Some(parent) => directory.starts_with(parent),
        None => directory == Path::new(entry),
    }
}
