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
    /// The path from the repository root, `/` between its parts; git knows no encoding.
    pub path: Vec<u8>,
    /// What it holds.
    pub id: BlobId,
}

/// The tree of one commit. A handle for one thread: clone it for another.
pub struct Tree {
    repository: gix::Repository,
    id: gix::ObjectId,
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
        Ok(Self { repository: local, id: tree, git: process::Git::new(repository) })
    }

    /// The tree of a directory below this one; paths are then from there. `None` if there is none.
    ///
    /// # Errors
    /// If a directory on the way is missing from the object database or can't be decoded.
    pub fn subtree(&self, directory: &str) -> Result<Option<Self>, GitError> {
        let mut tree = self.clone();
        let (mut buffer, mut path) = (Vec::new(), Vec::new());
        for name in directory.split('/').filter(|name| !name.is_empty()) {
            let data = self.directory(tree.id, &path, &mut buffer)?;
            let mut below = None;
            for entry in TreeRefIter::from_bytes(data, tree.id.kind()) {
                let entry = entry.map_err(|error| corrupt(tree.id, &path, &error))?;
                if entry.filename == name.as_bytes() && entry.mode.is_tree() {
                    below = Some(entry.oid.to_owned());
                }
            }
            let Some(below) = below else { return Ok(None) };
            tree.id = below;
            path.extend_from_slice(name.as_bytes());
            path.push(b'/');
        }
        Ok(Some(tree))
    }

    /// The object id of the root directory.
    pub(super) fn root(&self) -> gix::ObjectId {
        self.id
    }

    /// The files for which `wants_file` says yes, in the directories for which `wants_directory`
    /// does, sorted by path. Symbolic links and submodules are no files.
    ///
    /// Both get the full path from the root; nothing is allocated for what is not wanted.
    ///
    /// # Errors
    /// If a directory is missing from the object database or can't be decoded.
    pub fn blobs(
        &self,
        mut wants_directory: impl FnMut(&[u8]) -> bool,
        mut wants_file: impl FnMut(&[u8]) -> bool,
    ) -> Result<Vec<TreeBlob>, GitError> {
        let mut found = Vec::new();
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
                if entry.mode.is_tree() && wants_directory(&path) {
                    open.push((id, [path.as_slice(), b"/"].concat()));
                } else if entry.mode.is_blob() && wants_file(&path) {
                    found.push(TreeBlob { path: path.clone(), id: BlobId(id) });
                }
            }
        }
        // The stable sort is faster here: it makes use of runs that are in order, and the entries of
        // each directory are.
        found.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(found)
    }

    /// Plans how to read these files from the packs, so that each delta base is inflated once.
    pub fn pack_plan<'b>(&self, blobs: impl IntoIterator<Item = &'b TreeBlob>) -> PackPlan {
        let store = self.repository.objects.store_ref();
        let mut directories = vec![store.path().to_owned()];
        directories.extend(store.alternate_db_paths().unwrap_or_default());
        let packs = if store.replacements().next().is_none() {
            Packs::of(&directories, self.repository.object_hash())
        } else {
            // With `git replace` another object is read in an object's place. Only gix knows about
            // that, so all files are left to it.
            Packs::default()
        };
        packs.plan(blobs.into_iter().map(|blob| blob.id.0))
    }

    /// The content of a file, read into `buffer`.
    ///
    /// # Errors
    /// [`GitError::MissingObject`] and [`GitError::CorruptObject`], with id and path.
    pub fn read<'b>(&self, blob: &TreeBlob, buffer: &'b mut Vec<u8>) -> Result<&'b [u8], GitError> {
        self.object(blob.id.0, &blob.path, Kind::Blob, buffer)
    }

    /// The content of the file with this path, if the tree has one.
    pub fn read_path(&self, path: &str) -> Result<Option<Vec<u8>>, GitError> {
        let parents = |directory: &[u8]| {
            path.as_bytes().strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
        };
        // Only the directories on the way to the file are read.
        let found = self.blobs(parents, |file| file == path.as_bytes())?;
        let Some(blob) = found.first() else { return Ok(None) };
        self.fetch_missing(&found)?;
        let mut buffer = Vec::new();
        self.read(blob, &mut buffer)?;
        Ok(Some(buffer))
    }

    /// Whether there is a file with this path.
    ///
    /// # Errors
    /// If a directory on the way is missing from the object database or can't be decoded.
    pub fn has_file(&self, path: &str) -> Result<bool, GitError> {
        Ok(self.mode_at(path)?.is_some_and(|mode| mode.is_blob()))
    }

    /// Whether there is a directory with this path, or a submodule, which is a directory in a clone.
    ///
    /// # Errors
    /// If a directory on the way is missing from the object database or can't be decoded.
    pub fn has_directory(&self, path: &str) -> Result<bool, GitError> {
        Ok(self.mode_at(path)?.is_some_and(|mode| mode.is_tree() || mode.is_commit()))
    }

    /// What kind of entry has this path; `None` if there is none.
    fn mode_at(&self, path: &str) -> Result<Option<EntryMode>, GitError> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let Some(directory) = self.subtree(parent)? else { return Ok(None) };
        let mut buffer = Vec::new();
        let data = self.directory(directory.id, parent.as_bytes(), &mut buffer)?;
        for entry in TreeRefIter::from_bytes(data, directory.id.kind()) {
            let entry = entry.map_err(|error| corrupt(directory.id, parent.as_bytes(), &error))?;
            if entry.filename == name.as_bytes() {
                return Ok(Some(entry.mode));
            }
        }
        Ok(None)
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
        if self.git.promisor().is_none() {
            return Ok(());
        }
        let is_missing = |blob: &&TreeBlob| !self.repository.objects.exists(&blob.id.0);
        let missing: Vec<_> = blobs.iter().filter(is_missing).map(|blob| blob.id.0).collect();
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
        // gix gives a clone its small default cache again.
        let repository = with_pack_cache(self.repository.clone());
        Self { repository, id: self.id, git: self.git.clone() }
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
fn shown(path: &[u8]) -> String {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    if path.is_empty() {
        "the root directory".to_owned()
    } else {
        BStr::new(path).to_str_lossy().into_owned()
    }
}
