//! Which scripts are affected by what differs between two commits of a repository.
//!
//! Reads the files that flows import, and remembers what each imports by its object id. Which
//! import leads where is decided in [`super::affected`].

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::ScanError;
use super::affected::{ImportTracer, Script, may_be_imported};
use super::tree::{PROJECT_FILE, VERSION_FILE, is_python};
use crate::store::{AnalysisCache, LARGEST_CACHE};
use flowreg_git::{ChangedPath, GitError, Repository, Tree, TreeBlob};
use flowreg_model::CommitId;
use flowreg_python::Imports;
use flowreg_python::Python;
use flowreg_python::{Layout, join};
use flowreg_python::{STACK, on_stack};

/// Two commits and what differs between them.
#[derive(Clone, Copy)]
pub(crate) struct Difference<'d> {
    /// Where both are.
    pub repository: &'d Repository,
    /// The earlier commit.
    pub base: &'d CommitId,
    /// The later commit, whose scripts are asked about.
    pub head: &'d CommitId,
    /// The files that differ.
    pub changes: &'d [ChangedPath],
    /// The Python files of the later commit, if they were listed already.
    pub files: Option<&'d [TreeBlob]>,
}

/// The affected ones among these scripts, each with the shortest chain of imports from it to a
/// file that changed, both included.
///
/// # Errors
/// [`ScanError::Git`] if a file can't be read.
pub(crate) fn affected(
    difference: &Difference<'_>,
    scripts: &BTreeSet<Script>,
    cache: &AnalysisCache,
) -> Result<BTreeMap<Script, Vec<String>>, ScanError> {
    if scripts.is_empty() || !difference.changes.iter().any(is_relevant) {
        return Ok(BTreeMap::new());
    }
    // Listing a tree reads all of its directories, so a list that the caller has is used.
    let listed = match difference.files {
        Some(_) => Vec::new(),
        None => difference.repository.tree(difference.head)?.blobs(|_| true, is_python)?,
    };
    let files = difference.files.unwrap_or(&listed);
    let found = on_stack(STACK, || import_chains(difference, files, scripts, cache));
    let mut chains = found.ok_or(ScanError::NoThread)??;
    // Another Python can change what any script of a project does, however small its imports.
    let roots: BTreeSet<&str> = scripts.iter().map(|script| script.root.as_str()).collect();
    for root in roots {
        let Some(file) = other_python(difference, root)? else { continue };
        for script in scripts.iter().filter(|script| script.root == root) {
            let chain = || vec![script.path.clone(), file.clone()];
            chains.entry(script.clone()).or_insert_with(chain);
        }
    }
    Ok(chains)
}

/// Whether a changed file can change what a script does.
fn is_relevant(change: &ChangedPath) -> bool {
    let name = change.path.rsplit('/').next().unwrap_or_default();
    may_be_imported(change) || [VERSION_FILE, PROJECT_FILE].contains(&name)
}

fn import_chains(
    difference: &Difference<'_>,
    listed: &[TreeBlob],
    scripts: &BTreeSet<Script>,
    cache: &AnalysisCache,
) -> Result<BTreeMap<Script, Vec<String>>, GitError> {
    let files: HashMap<&str, &TreeBlob> = listed
        .iter()
        .filter_map(|blob| Some((std::str::from_utf8(&blob.path).ok()?, blob)))
        .filter(|(path, _)| is_python(path.as_bytes()))
        .collect();
    let paths: Vec<&str> = files.keys().copied().collect();
    let layout = Layout::new(paths.iter().copied());
    // Most changes have nothing to do with submodules, and then it does not matter which there are.
    let submodules = if difference.changes.iter().any(|change| change.is_submodule) {
        difference.repository.tree(difference.head)?.submodules()?
    } else {
        Vec::new()
    };
    let submodules: Vec<&str> = submodules.iter().map(String::as_str).collect();
    let mut tracer = ImportTracer::new(&layout, &paths, &submodules, difference.changes);
    let mut cached = ImportsCache::new(cache);
    let mut commit_files =
        CommitFiles { difference, files: listed, tree: None, buffer: Vec::new() };
    let mut read = |path: &str| match files.get(path) {
        Some(blob) => cached.imports(blob, &mut commit_files),
        None => Ok(Imports::default()),
    };
    let mut chains = BTreeMap::new();
    for script in scripts {
        if let Some(chain) = tracer.chain(script, &mut read)? {
            chains.insert(script.clone(), chain);
        }
    }
    cached.save(cache);
    Ok(chains)
}

/// Reads files of the later commit, once something has to be read.
struct CommitFiles<'s> {
    difference: &'s Difference<'s>,
    files: &'s [TreeBlob],
    tree: Option<Tree>,
    buffer: Vec<u8>,
}

impl CommitFiles<'_> {
    fn read(&mut self, blob: &TreeBlob) -> Result<&[u8], GitError> {
        // Opened with the first file that the cache does not know: in most runs there is none.
        let opened = self.tree.take().map_or_else(|| self.open(), Ok)?;
        self.tree.insert(opened).read(blob, &mut self.buffer)
    }

    fn open(&self) -> Result<Tree, GitError> {
        let tree = self.difference.repository.tree(self.difference.head)?;
        // In a partial clone, fetch everything in one request instead of one per file.
        tree.fetch_missing(self.files)?;
        Ok(tree)
    }
}

/// What files import, from earlier runs and from this one, by object id.
struct ImportsCache<'c> {
    saved: HashMap<&'c [u8], Imports>,
    fresh: HashMap<Vec<u8>, Imports>,
}

/// An entry of the cache's file.
#[derive(Serialize, Deserialize)]
struct CachedImports<'c> {
    #[serde(borrow, with = "serde_bytes")]
    id: &'c [u8],
    imports: Imports,
}

impl<'c> ImportsCache<'c> {
    /// Reads the cache's file; a broken one counts as empty.
    fn new(cache: &'c AnalysisCache) -> Self {
        let saved: Vec<CachedImports<'c>> =
            rmp_serde::from_slice(cache.content()).unwrap_or_default();
        let saved = saved.into_iter().map(|saved| (saved.id, saved.imports)).collect();
        ImportsCache { saved, fresh: HashMap::new() }
    }

    /// Each file is asked for once per directory of scripts at most.
    fn imports(
        &mut self,
        blob: &TreeBlob,
        files: &mut CommitFiles<'_>,
    ) -> Result<Imports, GitError> {
        let id = blob.id.as_bytes();
        if let Some(imports) = self.saved.get(id).or_else(|| self.fresh.get(id)) {
            return Ok(imports.clone());
        }
        let imports = Imports::of(files.read(blob)?);
        self.fresh.insert(id.to_owned(), imports.clone());
        Ok(imports)
    }

    /// Keeps what was read now, and of what was known before as much as there is room for.
    fn save(&self, cache: &AnalysisCache) {
        // Nothing new: writing the same file again would cost time and gain nothing.
        if self.fresh.is_empty() {
            return;
        }
        let fresh = self.fresh.iter().map(|(id, imports)| (id.as_slice(), imports));
        // What this run read comes first, so that it is kept if there is not room for all.
        let mut room = LARGEST_CACHE;
        let kept: Vec<CachedImports<'_>> = fresh
            .chain(self.saved.iter().map(|(id, imports)| (*id, imports)))
            .map(|(id, imports)| CachedImports { id, imports: imports.clone() })
            .take_while(|saved| {
                let size = rmp_serde::to_vec(saved).map_or(LARGEST_CACHE, |bytes| bytes.len());
                room = room.saturating_sub(size);
                room > 0
            })
            .collect();
        if let Ok(content) = rmp_serde::to_vec(&kept) {
            // A cache that can't be written costs time only.
            let _ = cache.save(&content);
        }
    }
}

/// The file that makes the project in a directory one for another Python than before, if one does.
fn other_python(difference: &Difference<'_>, root: &str) -> Result<Option<String>, ScanError> {
    let (version, project) = (join(root, VERSION_FILE), join(root, PROJECT_FILE));
    let is_changed = |file: &&String| difference.changes.iter().any(|change| change.path == **file);
    let Some(changed) = [&version, &project].into_iter().find(is_changed) else { return Ok(None) };
    let python = |commit: &CommitId| -> Result<Python, ScanError> {
        let tree = difference.repository.tree(commit)?;
        let text = |path: &str| -> Result<Option<String>, GitError> {
            let bytes = tree.read_path(path)?;
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        let (version, project) = (text(&version)?, text(&project)?);
        Ok(Python::of_project(version.as_deref(), project.as_deref()))
    };
    let is_other = python(difference.base)? != python(difference.head)?;
    Ok(is_other.then(|| changed.clone()))
}
