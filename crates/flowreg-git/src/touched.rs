//! Which commits change something at the paths of a series, and whether the paths are there at all.

use std::collections::HashMap;

use gix::objs::TreeRefIter;

use super::tagging::SeriesPaths;
use super::tree::corrupt;
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
            return Ok(self
                .repository
                .path_without_files(commit, std::slice::from_ref(self.paths))?
                .is_none());
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

impl Repository {
    /// The first path that has no file at a commit, and whose it is. Globs cost one walk of the tree,
    /// however many there are.
    ///
    /// # Errors
    /// If a directory of the commit can't be read.
    pub(super) fn path_without_files(
        &self,
        commit: &CommitId,
        all: &[SeriesPaths],
    ) -> Result<Option<(usize, String)>, GitError> {
        if all.iter().all(SeriesPaths::are_all) {
            return Ok(None);
        }
        let tree = self.tree(commit)?;
        let mut files: Option<Vec<String>> = None;
        for (index, paths) in all.iter().enumerate() {
            let missing = if let Some(plain) = paths.plain() {
                let mut missing = None;
                for path in plain {
                    if missing.is_none() && entry_at(&tree, path)?.is_none() {
                        missing = Some(path);
                    }
                }
                missing
            } else {
                let files = match &mut files {
                    Some(files) => files,
                    none => none.insert(files_of(&tree)?),
                };
                paths.without_any(files)
            };
            if let Some(path) = missing {
                return Ok(Some((index, path.to_owned())));
            }
        }
        Ok(None)
    }
}

fn files_of(tree: &Tree) -> Result<Vec<String>, GitError> {
    let listed = tree.files(|_, _| true, |_| true)?.blobs.into_iter();
    Ok(listed.map(|blob| String::from_utf8_lossy(&blob.path).into_owned()).collect())
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
