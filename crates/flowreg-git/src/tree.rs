//! Reads the tree at a commit through the object database: no checkout, also in bare repositories.
//!
//! What is missing or corrupt is an error with object and path, never "no such file": a scan
//! that skipped it would report success without the flows.

use std::fmt;

use gix::bstr::{BStr, ByteSlice};
use gix::config::File;
use gix::config::file::{Metadata, init};
use gix::objs::tree::EntryMode;
use gix::objs::{Exists, Find, Kind, TreeRefIter};
use gix::odb::pack::cache::lru::MemoryCappedHashmap;

use super::links::{
    BrokenLink, ListedLink, PathResolver, Wanted, add_linked, below, leads_to_directory,
};
use super::packs::{PackPlan, Packs};
use super::refs::object_id;
use super::{GitError, Repository, process};
use flowreg_model::CommitId;

/// How many bytes of delta bases are kept in memory: enough for a pack with long delta chains. With
/// gix's default, a scan of such a repository took seven times as long (docs/facts/git.md, "Packs").
const PACK_CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The object id of a file's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobId(gix::ObjectId);

impl BlobId {
    /// The raw bytes of the id: 20 (SHA-1) or 32 (SHA-256).
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

impl fmt::Display for BlobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// A regular file in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeBlob {
    /// The path from the root of the tree, `/` between its parts; git knows no encoding.
    pub path: Vec<u8>,
    /// What it holds.
    pub id: BlobId,
    /// Where the file itself is, from the root of the repository, if `path` leads there over symbolic
    /// links.
    pub target: Option<Vec<u8>>,
}

impl TreeBlob {
    pub(super) fn new(path: Vec<u8>, id: gix::ObjectId) -> Self {
        Self { path, id: BlobId(id), target: None }
    }

    pub(super) fn linked(path: Vec<u8>, id: gix::ObjectId, target: Vec<u8>) -> Self {
        Self { path, id: BlobId(id), target: Some(target) }
    }
}

/// The files of a tree, also under the names that symbolic links give them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TreeFiles {
    /// Sorted by path.
    pub blobs: Vec<TreeBlob>,
    /// The links that lead to directories: the path of each from the root of the tree, and that of the
    /// directory from the root of the repository.
    pub directories: Vec<(Vec<u8>, Vec<u8>)>,
    /// The links that can't be followed, each with its path and its own object.
    pub broken: Vec<(TreeBlob, BrokenLink)>,
}

/// The tree of one commit. A handle for one thread: clone it for another.
pub struct Tree {
    repository: gix::Repository,
    id: gix::ObjectId,
    /// The directory from the root of the repository; empty for the root.
    path: Vec<u8>,
    /// The root of the repository, from which symbolic links are followed.
    repository_root: gix::ObjectId,
    git: process::Git,
}

impl Tree {
    pub(super) fn at(repository: &Repository, commit: &CommitId) -> Result<Self, GitError> {
        let local = with_pack_cache(repository.inner.to_thread_local());
        let missing = || GitError::NoCommit { commit: commit.clone() };
        let id = object_id(&local, commit).ok_or_else(missing)?;
        let mut buffer = Vec::new();
        let found = local.objects.try_find(&id, &mut buffer);
        let object = found.map_err(|error| corrupt(id, b"commit", &error))?.ok_or_else(missing)?;
        let tree = match object.kind {
            Kind::Commit => gix::objs::CommitRefIter::from_bytes(object.data, id.kind()).tree_id(),
            _ => return Err(missing()),
        };
        let tree = tree.map_err(|error| corrupt(id, b"commit", &error))?;
        tracing::debug!(%commit, "tree opened");
        let git = process::Git::new(repository);
        Ok(Self { repository: local, id: tree, path: Vec::new(), repository_root: tree, git })
    }

    /// The tree of a directory below this one; paths are then from there. `None` if there is none,
    /// also where it is behind a symbolic link that can't be followed.
    ///
    /// # Errors
    /// If a directory on the way is missing from the object database or can't be decoded.
    pub fn subtree(&self, directory: &str) -> Result<Option<Self>, GitError> {
        let path = below(&self.path, directory.as_bytes());
        let entry = PathResolver::new(self).resolve(&path)?.ok().flatten();
        Ok(entry.filter(|entry| entry.mode.is_tree()).map(|entry| Self {
            id: entry.id,
            path: entry.path,
            ..self.clone()
        }))
    }

    /// The directory that this is the tree of, from the root of the repository; empty for the root.
    pub fn path(&self) -> &[u8] {
        &self.path
    }

    /// The object id of the root directory.
    pub(super) fn root(&self) -> gix::ObjectId {
        self.id
    }

    /// The object id of the repository's root directory.
    pub(super) fn repository_root(&self) -> gix::ObjectId {
        self.repository_root
    }

    /// The files for which `wants_file` says yes, in the directories for which `wants_directory`
    /// does. Submodules are no files; symbolic links are followed as in a checkout, so a file behind
    /// links has several paths.
    ///
    /// Both get the full path from the root of this tree, the first also whether it is a link that may
    /// lead to a directory; nothing is allocated for what is not wanted. A link is read if it is wanted
    /// as either. A tree without links costs as many reads as it has directories.
    ///
    /// # Errors
    /// If a directory or a link is missing from the object database or can't be decoded, or if links
    /// multiply the tree beyond bounds.
    pub fn files(
        &self,
        mut wants_directory: impl FnMut(&[u8], bool) -> bool,
        mut wants_file: impl FnMut(&[u8]) -> bool,
    ) -> Result<TreeFiles, GitError> {
        let mut found = TreeFiles::default();
        let mut links = Vec::new();
        let mut open = vec![(self.id, Vec::new())];
        let (mut buffer, mut path) = (Vec::new(), Vec::new());
        while let Some((directory, prefix)) = open.pop() {
            let data = self.directory(directory, &prefix, &mut buffer)?;
            for entry in TreeRefIter::from_bytes(data, directory.kind()) {
                let entry = entry.map_err(|error| corrupt(directory, &prefix, &error))?;
                path.clear();
                path.extend_from_slice(&prefix);
                path.extend_from_slice(entry.filename);
                let id = entry.oid.to_owned();
                if entry.mode.is_tree() && wants_directory(&path, false) {
                    open.push((id, [path.as_slice(), b"/"].concat()));
                } else if entry.mode.is_blob() && wants_file(&path) {
                    found.blobs.push(TreeBlob::new(path.clone(), id));
                } else if entry.mode.is_link()
                    && (wants_file(&path) || wants_directory(&path, true))
                {
                    links.push(ListedLink::new(path.clone(), below(&self.path, &path), id));
                }
            }
        }
        if !links.is_empty() {
            let mut wanted = Wanted { directory: &mut wants_directory, file: &mut wants_file };
            add_linked(self, links, &mut wanted, &mut found)?;
        }
        // The stable sort is faster here: it makes use of runs that are in order, and the entries of
        // each directory are.
        found.blobs.sort_by(|one, other| one.path.cmp(&other.path));
        found.broken.sort_by(|(one, _), (other, _)| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Gives the full path, the mode and the id of everything in this tree but directories, as it stands
    /// there: links are not followed.
    ///
    /// # Errors
    /// If a directory is missing from the object database or can't be decoded.
    pub fn entries(&self, mut take: impl FnMut(&[u8], u16, &[u8])) -> Result<(), GitError> {
        let mut open = vec![(self.id, Vec::new())];
        let (mut buffer, mut path) = (Vec::new(), Vec::new());
        while let Some((directory, prefix)) = open.pop() {
            let data = self.directory(directory, &prefix, &mut buffer)?;
            for entry in TreeRefIter::from_bytes(data, directory.kind()) {
                let entry = entry.map_err(|error| corrupt(directory, &prefix, &error))?;
                path.clear();
                path.extend_from_slice(&prefix);
                path.extend_from_slice(entry.filename);
                if entry.mode.is_tree() {
                    open.push((entry.oid.to_owned(), [path.as_slice(), b"/"].concat()));
                } else {
                    take(&path, entry.mode.value(), entry.oid.as_bytes());
                }
            }
        }
        Ok(())
    }

    /// The file at a path, over symbolic links as in a checkout; `None` if there is none.
    ///
    /// # Errors
    /// [`GitError::BrokenLink`] if the path leads over a link that can't be followed, or over one to a
    /// directory; else what reading an object met.
    pub fn find(&self, path: &str) -> Result<Option<TreeBlob>, GitError> {
        self.find_with(&mut PathResolver::new(self), path)
    }

    /// The files at several paths, as [`Tree::find`] finds each; a path that leads over a link that
    /// can't be followed has none.
    ///
    /// # Errors
    /// What reading an object met.
    pub fn find_each<'p>(
        &self,
        paths: impl IntoIterator<Item = &'p str>,
    ) -> Result<Vec<Option<TreeBlob>>, GitError> {
        let mut resolver = PathResolver::new(self);
        let find = |path| match self.find_with(&mut resolver, path) {
            Err(GitError::BrokenLink(_)) => Ok(None),
            found => found,
        };
        paths.into_iter().map(find).collect()
    }

    fn find_with(
        &self,
        resolver: &mut PathResolver<'_>,
        path: &str,
    ) -> Result<Option<TreeBlob>, GitError> {
        let names = path.split('/').filter(|name| !name.is_empty() && *name != ".");
        let at = below(&self.path, names.collect::<Vec<_>>().join("/").as_bytes());
        let Some(entry) = resolver.resolve(&at)?? else { return Ok(None) };
        let is_linked = entry.path != at;
        let path = path.as_bytes().to_vec();
        match is_linked {
            true if entry.mode.is_blob() => Ok(Some(TreeBlob::linked(path, entry.id, entry.path))),
            true if entry.mode.is_tree() => Err(leads_to_directory(&at, &entry).into()),
            _ => Ok(entry.mode.is_blob().then(|| TreeBlob::new(path, entry.id))),
        }
    }

    /// The text of a symbolic link.
    pub(super) fn link_target(&self, id: gix::ObjectId, path: &[u8]) -> Result<Vec<u8>, GitError> {
        self.fetch_blobs([id])?;
        let mut buffer = Vec::new();
        Ok(self.object(id, path, Kind::Blob, &mut buffer)?.to_vec())
    }

    /// Plans how to read these files from the packs, so that each delta base is inflated once.
    pub fn pack_plan<'b>(&self, blobs: impl IntoIterator<Item = &'b TreeBlob>) -> PackPlan {
        let store = self.repository.objects.store_ref();
        let mut directories = vec![store.path().to_owned()];
        directories.extend(store.alternate_db_paths().unwrap_or_default());
        let packs = Packs::of(&directories, self.repository.object_hash());
        packs.plan(blobs.into_iter().map(|blob| blob.id.0))
    }

    /// The content of a file, read into `buffer`.
    ///
    /// # Errors
    /// [`GitError::MissingObject`] and [`GitError::CorruptObject`], with id and path.
    pub fn read<'b>(&self, blob: &TreeBlob, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], GitError> {
        self.object(blob.id.0, &blob.path, Kind::Blob, buffer)
    }

    /// The content of the file at a path, as [`Tree::find`] finds it.
    ///
    /// # Errors
    /// Those of [`Tree::find`] and [`Tree::read`].
    pub fn read_path(&self, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        let Some(blob) = self.find(path)? else { return Ok(None) };
        self.fetch_missing(std::slice::from_ref(&blob))?;
        let mut buffer = Vec::new();
        self.read(&blob, &mut buffer)?;
        Ok(Some(buffer))
    }

    /// Whether there is a file at a path, over symbolic links as in a checkout.
    ///
    /// # Errors
    /// [`GitError::BrokenLink`] if the path leads over a link that can't be followed; else what reading a
    /// directory met.
    pub fn has_file(&self, path: &str) -> Result<bool, GitError> {
        Ok(self.mode_at(path)?.is_some_and(|mode| mode.is_blob()))
    }

    /// Whether there is a directory at a path, or a submodule, which is a directory in a clone; over
    /// symbolic links as in a checkout.
    ///
    /// # Errors
    /// Those of [`Tree::has_file`].
    pub fn has_directory(&self, path: &str) -> Result<bool, GitError> {
        Ok(self.mode_at(path)?.is_some_and(|mode| mode.is_tree() || mode.is_commit()))
    }

    /// What kind of entry is at a path; `None` if there is none.
    fn mode_at(&self, path: &str) -> Result<Option<EntryMode>, GitError> {
        let at = below(&self.path, path.as_bytes());
        Ok(PathResolver::new(self).resolve(&at)??.map(|entry| entry.mode))
    }

    /// The paths of the submodules that `.gitmodules` lists. Reads the root directory and, if there is
    /// one, that file.
    ///
    /// # Errors
    /// What reading them met. A file that is not in git's format counts as empty.
    pub fn submodules(&self) -> Result<Vec<String>, GitError> {
        let Some(content) = self.read_path(".gitmodules")? else { return Ok(Vec::new()) };
        let (metadata, options) = (Metadata::default(), init::Options::default());
        let Ok(file) = File::from_bytes_no_includes(&content, metadata, options) else {
            return Ok(Vec::new());
        };
        let sections = file.sections_by_name("submodule").into_iter().flatten();
        let paths = sections.filter_map(|section| section.value("path"));
        Ok(paths.map(|path| path.to_str_lossy().trim_end_matches('/').to_owned()).collect())
    }

    /// In a partial clone, fetches the files that are not here yet, all in one request.
    ///
    /// Does nothing in a full clone, where a missing object is damage and not a promise.
    pub fn fetch_missing(&self, blobs: &[TreeBlob]) -> Result<(), GitError> {
        self.fetch_blobs(blobs.iter().map(|blob| blob.id.0))
    }

    pub(super) fn fetch_blobs(
        &self,
        ids: impl IntoIterator<Item = gix::ObjectId>,
    ) -> Result<(), GitError> {
        if self.git.promisor().is_none() {
            return Ok(());
        }
        let is_missing = |id: &gix::ObjectId| !self.repository.objects.exists(id);
        let missing: Vec<_> = ids.into_iter().filter(is_missing).collect();
        self.git.fetch_objects(&missing)
    }

    pub(super) fn directory<'b>(
        &self,
        id: gix::ObjectId,
        prefix: &[u8],
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], GitError> {
        // A clone with `--filter=tree:0` has commits only. The fetch of one tree brings the trees
        // below it as well, so this happens once for a commit.
        if self.git.promisor().is_some() && !self.repository.objects.exists(&id) {
            self.git.fetch_objects(&[id])?;
        }
        self.object(id, prefix, Kind::Tree, buffer)
    }

    fn object<'b>(
        &self,
        id: gix::ObjectId,
        path: &[u8],
        kind: Kind,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], GitError> {
        let found = self.repository.objects.try_find(&id, buffer);
        match found.map_err(|error| corrupt(id, path, &error))? {
            Some(object) if object.kind == kind => Ok(object.data),
            Some(object) => Err(GitError::CorruptObject {
                id: id.to_string(),
                path: shown(path),
                reason: format!("it is a {}, not a {kind}", object.kind),
            }),
            None => Err(GitError::MissingObject { id: id.to_string(), path: shown(path) }),
        }
    }
}

impl Clone for Tree {
    fn clone(&self) -> Self {
        Self {
            // gix gives a clone its small default cache again.
            repository: with_pack_cache(self.repository.clone()),
            path: self.path.clone(),
            git: self.git.clone(),
            ..*self
        }
    }
}

/// The same repository with a cache of [`PACK_CACHE_BYTES`] for delta bases. gix's own object cache
/// is no replacement for it: that one holds whole objects, and delta bases are read again.
fn with_pack_cache(mut repository: gix::Repository) -> gix::Repository {
    repository.objects.set_pack_cache(|| Box::new(MemoryCappedHashmap::new(PACK_CACHE_BYTES)));
    repository
}

pub(super) fn corrupt(id: gix::ObjectId, path: &[u8], error: &impl fmt::Display) -> GitError {
    GitError::CorruptObject { id: id.to_string(), path: shown(path), reason: error.to_string() }
}

/// A path as it is named in errors.
pub(super) fn shown(path: &[u8]) -> String {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path.is_empty() {
        "the root directory".to_owned()
    } else {
        BStr::new(path).to_str_lossy().into_owned()
    }
}
