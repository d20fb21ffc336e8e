//! Which commits change something at the paths of a series, and whether the paths are there at all.
//!
//! What a symbolic link below a path leads to belongs to it: a worker reads it there.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use gix::objs::TreeRefIter;

use super::links::{PathResolver, below};
use super::tagging::SeriesPaths;
use super::tree::{TreeBlob, TreeFiles, corrupt};
use super::{GitError, Repository, Tree};
use flowreg_model::CommitId;

/// Tells which commits change something at one of some paths.
pub(super) struct PathFilter<'a> {
    repository: &'a Repository,
    paths: &'a SeriesPaths,
    /// The paths, if no wildcards are among them: then no trees have to be compared.
    plain: Option<Vec<&'a str>>,
    /// A commit is asked about twice: for itself, and as the parent of the one after it.
    known: HashMap<CommitId, Rc<Objects>>,
    /// The links below each directory that was looked at. Most directories are the same in many commits.
    links: HashMap<gix::ObjectId, Rc<[Vec<u8>]>>,
}

/// What a commit has at some paths, and where that is once links are followed; `None`: nothing.
type Objects = BTreeMap<Vec<u8>, Option<(Vec<u8>, gix::ObjectId)>>;

impl<'a> PathFilter<'a> {
    pub(super) fn new(repository: &'a Repository, paths: &'a SeriesPaths) -> Self {
        Self {
            repository,
            paths,
            plain: paths.plain(),
            known: HashMap::new(),
            links: HashMap::new(),
        }
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
        if self.plain.is_none() {
            let changed = self.repository.changed_paths(parent, commit)?;
            if changed.iter().any(|one| self.paths.has(&one.path)) {
                return Ok(true);
            }
        }
        Ok(self.objects_at(parent)? != self.objects_at(commit)?)
    }

    /// What a commit has at the plain paths, or, where globs are among them, at the links that they match; and
    /// at every link below those.
    fn objects_at(&mut self, commit: &CommitId) -> Result<Rc<Objects>, GitError> {
        if let Some(known) = self.known.get(commit) {
            return Ok(Rc::clone(known));
        }
        let tree = self.repository.tree(commit)?;
        let mut open: Vec<Vec<u8>> = if let Some(plain) = &self.plain {
            plain.iter().map(|path| path.as_bytes().to_vec()).collect()
        } else {
            let links = self.links_below(&tree, b"", tree.root())?;
            links.iter().filter(|path| self.paths.has(&text(path))).cloned().collect()
        };
        let mut resolver = PathResolver::new(&tree);
        let mut found = Objects::new();
        while let Some(path) = open.pop() {
            if found.contains_key(&path) {
                continue;
            }
            // A link that leads nowhere has nothing that could change.
            let entry = resolver.resolve(&path)?.unwrap_or_default();
            if let Some(directory) = entry.as_ref().filter(|entry| entry.mode.is_tree()) {
                let links = self.links_below(&tree, &directory.path, directory.id)?;
                open.extend(links.iter().map(|link| below(&directory.path, link)));
            }
            found.insert(path, entry.map(|entry| (entry.path, entry.id)));
        }
        let found = Rc::new(found);
        self.known.insert(commit.clone(), Rc::clone(&found));
        Ok(found)
    }

    /// The symbolic links in a directory and in all below it, with their paths from there.
    fn links_below(
        &mut self,
        tree: &Tree,
        path: &[u8],
        id: gix::ObjectId,
    ) -> Result<Rc<[Vec<u8>]>, GitError> {
        if let Some(known) = self.links.get(&id) {
            return Ok(Rc::clone(known));
        }
        let (mut links, mut directories) = (Vec::new(), Vec::new());
        let mut buffer = Vec::new();
        let data = tree.directory(id, path, &mut buffer)?;
        for entry in TreeRefIter::from_bytes(data, id.kind()) {
            let entry = entry.map_err(|error| corrupt(id, path, &error))?;
            let name = entry.filename.to_vec();
            if entry.mode.is_link() {
                links.push(name);
            } else if entry.mode.is_tree() {
                directories.push((name, entry.oid.to_owned()));
            }
        }
        for (name, id) in directories {
            let inside = self.links_below(tree, &below(path, &name), id)?;
            links.extend(inside.iter().map(|link| below(&name, link)));
        }
        let links: Rc<[Vec<u8>]> = links.into();
        self.links.insert(id, Rc::clone(&links));
        Ok(links)
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
    let (linked, real): (Vec<_>, Vec<_>) =
        listed.blobs.iter().partition(|blob| blob.target.is_some());
    let names = |blobs: Vec<&TreeBlob>| -> Vec<String> {
        blobs.iter().map(|blob| text(&blob.path)).collect()
    };
    let without_files = paths.without_any(&names(real));
    if let Some(path) = without_files.without_any(&names(linked)).first() {
        return Some((path.to_owned(), None));
    }
    // A link among other files is another matter: what it leads to counts with them.
    let links = listed.directories.iter().map(|(link, to)| (text(link), text(to)));
    let mut unseen = links.filter(|(link, to)| without_files.names(link) && !paths.has(to));
    unseen.next().map(|(link, to)| (link, Some(to)))
}

/// A path as it is written under `paths`.
fn text(path: &[u8]) -> String {
    if path.is_empty() { ".".to_owned() } else { String::from_utf8_lossy(path).into_owned() }
}
