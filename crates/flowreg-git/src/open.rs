//! Finds and opens the repository: upwards from a directory, or where `GIT_DIR` says.
//!
//! Paths stay as they were typed where git uses them so: its conditional includes may name a directory
//! by the symbolic link through which somebody works in it.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use gix::discover::repository::Path as RepositoryPath;
use gix::discover::upwards::Options;
use gix::sec::Trust;

use super::config::{self, IncludeConditions};
use super::directory::{common_dir_of, named_git_dir};
use super::process::{self, Git};
use super::reftable::{self, Reftable};
use super::{GitError, Repository};
use flowreg_model::{Environment, escaped};

/// What work trees share of a repository, as far as it is there.
const SHARED_PARTS: [&str; 10] = [
    "config",
    "objects",
    "objects/pack",
    "objects/info",
    "packed-refs",
    "refs",
    "refs/heads",
    "refs/tags",
    "refs/remotes",
    "shallow",
];

/// A git directory before it is opened.
struct Location {
    /// What has to be opened: the git directory, or the `.git` file that names it.
    entry: PathBuf,
    git_dir: PathBuf,
    /// `GIT_WORK_TREE`; it goes before what the repository's configuration says.
    work_tree: Option<PathBuf>,
}

/// Opens the repository that `directory` belongs to.
pub(super) fn discover(
    directory: &Path,
    environment: &Environment,
) -> Result<Repository, GitError> {
    let started = Instant::now();
    let start = existing_directory(directory)?;
    let location = locate(&start, environment)?;
    refuse_unreadable(&location.git_dir)?;
    let repository = open(&location)?;
    let local = repository.to_thread_local();
    let of_repository = local.config_snapshot().plumbing().clone();
    let git = is_reftable(&of_repository)
        .then(|| Git::of(&location.git_dir, &location.git_dir, environment));
    let head = match &git {
        Some(git) => reftable::symbolic_head(git)?,
        None => local.head_name().ok().flatten(),
    };
    let branch = head.as_ref().map(AsRef::as_ref);
    let conditions = IncludeConditions { git_dir: &location.git_dir, branch };
    let of_user = config::of_user(environment)?;
    let configuration = config::complete(of_user, of_repository, conditions, environment)?;
    let common_dir = local.common_dir();
    let common_dir = common_dir.canonicalize().unwrap_or_else(|_| common_dir.to_owned());
    let reftable = git.map(|git| Arc::new(Reftable::new(git, &common_dir, &location.git_dir)));
    tracing::debug!(
        git_dir = escaped(location.git_dir.display()),
        ms = started.elapsed().as_millis(),
        "repository opened"
    );
    Ok(Repository {
        common_dir,
        workdir: location.work_tree.or_else(|| local.workdir().map(Path::to_owned)),
        configuration,
        environment: environment.clone(),
        inner: repository,
        reftable,
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
    let typed = as_typed(start, environment);
    let work_tree = environment.path("GIT_WORK_TREE").map(|path| start.join(path));
    if let Some(missing) = work_tree.as_ref().filter(|path| !path.is_dir()) {
        let problem = problem_of(missing).unwrap_or_else(|| "is no directory".to_owned());
        return Err(GitError::Variable {
            name: "GIT_WORK_TREE",
            path: missing.clone(),
            problem,
            meant: None,
        });
    }
    let found = match environment.path("GIT_DIR") {
        // Whoever names the directory is not asked whether it is safe; nor does git.
        Some(git_dir) => open_git_dir(&typed.join(git_dir), start)?,
        None => search_upwards(start, typed, environment)?,
    };
    // In a linked work tree and in a submodule `.git` is a file. It is opened instead of the
    // directory that it names, because that tells gix which work tree this is.
    let git_file = top_of(&found).join(".git");
    let (git_dir, _) = found.into_repository_and_work_tree_directories();
    let entry = if git_file.is_file() { git_file } else { git_dir.clone() };
    Ok(Location { entry, git_dir, work_tree })
}

/// The directory by the name under which the shell entered it (`PWD`), as git takes it, too.
fn as_typed<'a>(start: &'a Path, environment: &'a Environment) -> &'a Path {
    let typed = environment.path("PWD").filter(|typed| {
        typed.is_absolute() && typed.canonicalize().is_ok_and(|physical| physical == start)
    });
    typed.unwrap_or(start)
}

fn open_git_dir(git_dir: &Path, start: &Path) -> Result<RepositoryPath, GitError> {
    let kind = gix::discover::is_git(git_dir).ok();
    let found =
        kind.and_then(|kind| RepositoryPath::from_dot_git_dir(git_dir.to_owned(), kind, start));
    found.ok_or_else(|| {
        // People name the work tree instead of what is in it.
        let inside = git_dir.join(".git");
        let meant = gix::discover::is_git(&inside).is_ok().then_some(inside);
        let problem = problem_of(git_dir).unwrap_or_else(|| "is no git directory".to_owned());
        GitError::Variable { name: "GIT_DIR", path: git_dir.to_owned(), problem, meant }
    })
}

/// What is wrong with a path that should lead to a directory, if it is not there or does not lead to one.
fn problem_of(path: &Path) -> Option<String> {
    let leads_to = path.read_link().ok();
    let problem = match (path.metadata(), leads_to) {
        (Ok(found), _) if found.is_dir() => return None,
        (Ok(_), _) => {
            let named = named_git_dir(path.parent()?, &std::fs::read(path).unwrap_or_default());
            return named.map(|named| format!("names {}, which is no repository", named.display()));
        }
        (Err(error), _) if error.kind() == ErrorKind::PermissionDenied => {
            "can't be read: permission denied".to_owned()
        }
        (Err(_), Some(leads_to)) => {
            format!("is a symbolic link to {}, which leads nowhere", leads_to.display())
        }
        (Err(_), None) => "does not exist".to_owned(),
    };
    Some(problem)
}

fn search_upwards(
    start: &Path,
    typed: &Path,
    environment: &Environment,
) -> Result<RepositoryPath, GitError> {
    let ceilings = environment.path("GIT_CEILING_DIRECTORIES").unwrap_or(Path::new(""));
    let ceilings = ceilings.as_os_str().as_bytes().split(|byte| *byte == b':');
    let ceilings =
        ceilings.filter_map(|path| Path::new(OsStr::from_bytes(path)).canonicalize().ok());
    // git(1): the search does not go up into a ceiling; where it begins is looked at in any case.
    let ceilings: Vec<_> =
        ceilings.filter(|ceiling| start != ceiling && start.starts_with(ceiling)).collect();
    let is_searched = |directory: &Path| !ceilings.iter().any(|it| it.starts_with(directory));
    let upwards = |from| gix::discover::upwards_opts(from, Options::default());
    let found = upwards(start).ok().filter(|(found, _)| is_searched(top_of(found)));
    // Like git, what is found further up is not taken for a `.git` that can't be used.
    let is_before = |directory: &&Path| {
        is_searched(directory)
            && found.as_ref().is_none_or(|(found, _)| !top_of(found).starts_with(directory))
    };
    start.ancestors().take_while(is_before).try_for_each(refuse_unusable)?;
    let (found, trust) = found.ok_or_else(|| {
        let mut searched = start.ancestors().take_while(|directory| is_searched(directory));
        let unusable = searched.find_map(unusable_dot_git);
        unusable.unwrap_or_else(|| GitError::NotARepository { directory: start.to_owned() })
    })?;
    let is_bare = matches!(found, RepositoryPath::Repository(_));
    if trust != Trust::Full || is_bare {
        ask_git(start, top_of(&found), environment)?;
    }
    // git goes on from the top of the work tree. Only who is there already has named that.
    let named = (typed != start && top_of(&found) == start).then(|| upwards(typed).ok()).flatten();
    Ok(named.map_or(found, |(named, _)| named))
}

/// The work tree, or the git directory of a bare repository.
fn top_of(found: &RepositoryPath) -> &Path {
    match found {
        RepositoryPath::LinkedWorkTree { work_dir, .. } => work_dir,
        RepositoryPath::WorkTree(top) | RepositoryPath::Repository(top) => top,
    }
}

/// Refuses a directory whose `.git` names a repository that is not there, or can't be read.
fn refuse_unusable(directory: &Path) -> Result<(), GitError> {
    let dot_git = directory.join(".git");
    let is_forbidden = |error: &std::io::Error| error.kind() == ErrorKind::PermissionDenied;
    let unreadable = |path: &Path| GitError::Forbidden { path: path.to_owned() };
    match std::fs::metadata(&dot_git) {
        Ok(found) if found.is_file() => {
            let content = std::fs::read(&dot_git).map_err(|_| unreadable(&dot_git))?;
            let named = named_git_dir(directory, &content);
            Err(GitError::BrokenGitFile { file: dot_git, named })
        }
        Ok(_) if std::fs::read(dot_git.join("HEAD")).is_err_and(|error| is_forbidden(&error)) => {
            Err(unreadable(&dot_git))
        }
        Err(error) if is_forbidden(&error) => Err(unreadable(directory)),
        _ => Ok(()),
    }
}

/// Refuses a repository of which this user may not read all parts. One that was passed over would look as if
/// there were nothing in it: no remote, no tag, no hook.
fn refuse_unreadable(git_dir: &Path) -> Result<(), GitError> {
    let common_dir = common_dir_of(git_dir).unwrap_or_else(|| git_dir.to_owned());
    let own = ["HEAD", "config.worktree"].map(|part| git_dir.join(part));
    let shared = SHARED_PARTS.iter().map(|part| common_dir.join(part));
    for path in own.into_iter().chain(shared) {
        // Of a directory not only the names have to be read.
        let read = std::fs::File::open(&path).and_then(|_| path.join(".").metadata());
        if read.is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            return Err(GitError::Forbidden { path });
        }
    }
    Ok(())
}

/// A `.git` that is no repository, which git passes by without a word.
fn unusable_dot_git(directory: &Path) -> Option<GitError> {
    let path = directory.join(".git");
    let leads_to = path.read_link().ok();
    path.symlink_metadata().ok()?;
    let problem = problem_of(&path).unwrap_or_else(|| match &leads_to {
        Some(leads_to) => {
            format!("is a symbolic link to {}, which is no git directory", leads_to.display())
        }
        None => "is no git directory".to_owned(),
    });
    Some(GitError::UnusableDotGit { path, problem, is_link: leads_to.is_some() })
}

fn open(location: &Location) -> Result<gix::ThreadSafeRepository, GitError> {
    // Trust and configuration were decided above, from the environment that was handed in.
    let options = gix::open::Options::isolated()
        .with(Trust::Full)
        .filter_config_section(|_| true)
        // A clone brings no refs/replace: what workers run is never the replacement.
        .config_overrides(["core.useReplaceRefs=false"])
        .open_path_as_is(true);
    options.open(&location.entry).map_err(|error| GitError::Broken {
        directory: location.git_dir.clone(),
        reason: error.to_string(),
    })
}

/// Whether the repository keeps its refs as reftable. For gix it would look like one with HEAD at
/// `refs/heads/.invalid` and without any branch (docs/facts/git.md, "Reftable").
fn is_reftable(of_repository: &gix::config::File) -> bool {
    let storage = of_repository.string("extensions.refStorage");
    storage.is_some_and(|storage| storage.eq_ignore_ascii_case(b"reftable"))
}

/// Refuses a repository that git itself would not use: that of another user, and a bare one that nobody named.
/// There is more than one form of `safe.directory`, each version of git knows others, only some configuration
/// files count, and a later git may have other defaults: so git is asked
/// (<https://git-scm.com/docs/git-config#Documentation/git-config.txt-safedirectory>).
///
/// To read such a repository may run programs that its configuration names, and so would the git
/// processes that are started in it.
fn ask_git(start: &Path, top: &Path, environment: &Environment) -> Result<(), GitError> {
    let answer = Git::searching(start, environment).run(&["rev-parse", "--git-dir"], &[])?;
    if answer.is_success {
        return Ok(());
    }
    let (directory, reason) = (top.to_owned(), answer.complaint());
    // The name of the setting is in every translation of the refusal.
    if reason.contains("safe.directory") {
        return Err(GitError::NotOwned { directory });
    }
    if reason.contains("safe.bareRepository") {
        return Err(GitError::BareNotNamed { directory });
    }
    Err(GitError::Broken { directory, reason })
}
