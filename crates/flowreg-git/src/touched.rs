//! Which commits change something at the paths of a series, and whether the paths are there at all.

use std::collections::HashMap;

use gix::objs::TreeRefIter;

use super::links::PathResolver;
use super::tagging::SeriesPaths;
use super::tree::{TreeFiles, corrupt};
use super::{GitError, Repository, Tree};
use flowreg_model::CommitId;

/// Tells which commits change something at one of some paths.
pub(super) struct PathFilter<'a> {
    repository: &'a Repository,
    paths: &'a SeriesPaths,
    /// The paths, if no wildcards are among them: then no trees have to be compared.
    plain: Option<Vec<&'a str>>,
    /// The object that a commit has at each plain path. A commit is asked about twice: for itself, and as
    /// the parent of the one after it.
    known: HashMap<CommitId, Vec<Option<gix::ObjectId>>>,
}

impl<'a> PathFilter<'a> {
    pub(super) fn new(repository: &'a Repository, paths: &'a SeriesPaths) -> Self {
        Self { repository, paths, plain: paths.plain(), known: HashMap::new() }
    }

    /// Whether a commit differs from each of its parents at a path: a merge that takes one side as
    /// it is touches nothing (git-log(1), History Simplification).
    pub(super) fn is_touched_by(
        &mut self,
        commit: &CommitId,
        parents: &[CommitId],
    ) -> Result<bool, GitError> {
        if self.paths.are_all() {
            return Ok(true);
        }
        // The first commit of all touches what it has.
        if parents.is_empty() {
            let problem =
                self.repository.unusable_path(commit, std::slice::from_ref(self.paths))?;
            return Ok(problem.is_none_or(|problem| problem.leads_to.is_some()));
        }
        for parent in parents {
            if !self.differs(parent, commit)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn differs(&mut self, parent: &CommitId, commit: &CommitId) -> Result<bool, GitError> {
        if self.plain.is_some() {
            return Ok(self.objects_at(parent)? != self.objects_at(commit)?);
        }
        let changed = self.repository.changed_paths(parent, commit)?;
        Ok(changed.iter().any(|one| self.paths.has(&one.path)))
    }

    fn objects_at(&mut self, commit: &CommitId) -> Result<Vec<Option<gix::ObjectId>>, GitError> {
        if let Some(known) = self.known.get(commit) {
            return Ok(known.clone());
        }
        let tree = self.repository.tree(commit)?;
        let found: Result<Vec<_>, _> =
            self.plain.iter().flatten().map(|path| entry_at(&tree, path)).collect();
        let found = found?;
        self.known.insert(commit.clone(), found.clone());
        Ok(found)
    }
}

/// A path of a series that no commit could be counted by.
pub(super) struct UnusablePath {
    /// Whose path it is, as an index.
    pub(super) owner: usize,
    /// The path, or what a glob matches.
    pub(super) path: String,
    /// Where it leads, if it is a symbolic link or goes over one; `None`: nothing is there.
    pub(super) leads_to: Option<String>,
}

impl Repository {
    /// The first path that has no file at a commit, or that changes are not seen by: what a symbolic link leads to
    /// changes under its own name. Globs cost one walk of the tree, however many there are.
    ///
    /// # Errors
    /// If a directory of the commit can't be read.
    pub(super) fn unusable_path(
        &self,
        commit: &CommitId,
        all: &[SeriesPaths],
    ) -> Result<Option<UnusablePath>, GitError> {
        if all.iter().all(SeriesPaths::are_all) {
            return Ok(None);
        }
        let tree = self.tree(commit)?;
        let mut listed: Option<TreeFiles> = None;
        for (owner, paths) in all.iter().enumerate() {
            let problem = if let Some(plain) = paths.plain() {
                let problems = plain.into_iter().map(|path| unusable_plain(&tree, path));
                problems.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().next()
            } else {
                let listed = match &mut listed {
                    Some(listed) => listed,
                    none => none.insert(tree.files(|_, _| true, |_| true)?),
                };
                unusable_glob(listed, paths)
            };
            if let Some((path, leads_to)) = problem {
                return Ok(Some(UnusablePath { owner, path, leads_to }));
            }
        }
        Ok(None)
    }
}

/// A path that has nothing, or where it leads over symbolic links.
type PathProblem = (String, Option<String>);

fn unusable_plain(tree: &Tree, path: &str) -> Result<Option<PathProblem>, GitError> {
    let leads_to = match PathResolver::new(tree).resolve(path.as_bytes())? {
        Ok(None) => None,
        Ok(Some(entry)) if entry.path == path.as_bytes() => return Ok(None),
        Ok(Some(entry)) => Some(text(&entry.path)),
        Err(broken) => Some(broken.target),
    };
    Ok(Some((path.to_owned(), leads_to)))
}

fn unusable_glob(listed: &TreeFiles, paths: &SeriesPaths) -> Option<PathProblem> {
    let files: Vec<String> = listed.blobs.iter().map(|blob| text(&blob.path)).collect();
    if let Some(path) = paths.without_any(&files) {
        return Some((path.to_owned(), None));
    }
    // What lies in a directory with a link in it is another matter: the directory itself is there.
    let links = listed.directories.iter().map(|(link, to)| (text(link), text(to)));
    let mut unseen = links.filter(|(link, to)| paths.names(link) && !paths.has(to));
    unseen.next().map(|(link, to)| (link, Some(to)))
}

/// A path as it is written under `paths`.
fn text(path: &[u8]) -> String {
    if path.is_empty() { ".".to_owned() } else { String::from_utf8_lossy(path).into_owned() }
}

/// The object that a tree has at a path, a file or a directory.
fn entry_at(tree: &Tree, path: &str) -> Result<Option<gix::ObjectId>, GitError> {
    let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
    let Some(tree) = tree.subtree(directory)? else { return Ok(None) };
    let mut buffer = Vec::new();
    let data = tree.directory(tree.root(), directory.as_bytes(), &mut buffer)?;
    for entry in TreeRefIter::from_bytes(data, tree.root().kind()) {
        let entry = entry.map_err(|error| corrupt(tree.root(), directory.as_bytes(), &error))?;
        if entry.filename == name.as_bytes() {
            return Ok(Some(entry.oid.to_owned()));
        }
    }
    Ok(None)
}
