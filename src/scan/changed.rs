//! Which scripts are affected by what differs between two commits of a repository.
//!
//! Reads the files that flows import, and remembers what each imports by its object id. Which
//! import leads where is decided in [`super::affected`].

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::{Deserialize, Serialize};

use super::ScanError;
use super::affected::{ImportTracer, Script, may_be_imported};
use super::project::ProjectFiles;
use super::tree::{PROJECT_FILE, VERSION_FILE, is_python, is_read, may_be_package};
use crate::store::{AnalysisCache, LARGEST_CACHE};
use flowreg_git::{ChangeKind, ChangedPath, GitError, Repository, Tree, TreeBlob, TreeFiles};
use flowreg_model::CommitId;
use flowreg_python::Imports;
use flowreg_python::{Layout, Python, SourceRoots, join};
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
    pub files: Option<&'d TreeFiles>,
    /// The source roots that the settings name.
    pub search_path: Option<&'d [String]>,
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
    if scripts.is_empty() || difference.changes.is_empty() {
        return Ok(BTreeMap::new());
    }
    // Listing a tree reads all of its directories, so a list that the caller has is used.
    let listed = match difference.files {
        Some(_) => TreeFiles::default(),
        None => difference.repository.tree(difference.head)?.files(may_be_package, is_read)?,
    };
    let files = difference.files.unwrap_or(&listed);
    let changes = changes_of_all_paths(difference, files)?;
    let mut chains = BTreeMap::new();
    if changes.iter().any(|change| may_be_imported(change) || is_of_project(change)) {
        let found = on_stack(STACK, || import_chains(difference, files, &changes, scripts, cache));
        chains = found.ok_or(ScanError::NoThread)??;
    }
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

/// What differs, also under the paths that lead to files over symbolic links. A comparison of two trees
/// tells of a link only that it leads elsewhere, not that what it leads to has changed.
fn changes_of_all_paths<'d>(
    difference: &Difference<'d>,
    listed: &TreeFiles,
) -> Result<Cow<'d, [ChangedPath]>, GitError> {
    let linked = || listed.blobs.iter().filter(|blob| blob.target.is_some());
    let paths: Vec<&str> = linked().filter_map(path_of).collect();
    if paths.is_empty() && listed.directories.is_empty() {
        return Ok(Cow::Borrowed(difference.changes));
    }
    let before = difference.repository.tree(difference.base)?.find_each(paths.iter().copied())?;
    let mut changes = difference.changes.to_vec();
    let now = linked().filter(|blob| path_of(blob).is_some());
    for (now, before) in now.zip(before) {
        let kind = match before {
            None => ChangeKind::Added,
            Some(before) if before.id != now.id => ChangeKind::Modified,
            Some(_) => continue,
        };
        changes.push(linked_change(String::from_utf8_lossy(&now.path).into_owned(), kind));
    }
    for (link, directory) in &listed.directories {
        let (link, directory) = (String::from_utf8_lossy(link), String::from_utf8_lossy(directory));
        let removed = difference.changes.iter().filter(|one| one.kind == ChangeKind::Removed);
        let below = removed.filter_map(|change| {
            let inside = change.path.strip_prefix(&*directory)?;
            if directory.is_empty() { Some(inside) } else { inside.strip_prefix('/') }
        });
        let removed = |inside| linked_change(join(&link, inside), ChangeKind::Removed);
        changes.extend(below.map(removed));
    }
    changes.sort_unstable();
    changes.dedup_by(|one, other| one.path == other.path);
    Ok(Cow::Owned(changes))
}

/// A change of a file that links lead to.
fn linked_change(path: String, kind: ChangeKind) -> ChangedPath {
    ChangedPath { path, kind, is_submodule: false }
}

/// The path of a file, if it is text.
fn path_of(blob: &TreeBlob) -> Option<&str> {
    std::str::from_utf8(&blob.path).ok()
}

/// Where the file itself is, if its path leads there over links.
fn target_of(blob: &TreeBlob) -> Option<&str> {
    std::str::from_utf8(blob.target.as_deref()?).ok()
}

fn import_chains(
    difference: &Difference<'_>,
    listed: &TreeFiles,
    changes: &[ChangedPath],
    scripts: &BTreeSet<Script>,
    cache: &AnalysisCache,
) -> Result<BTreeMap<Script, Vec<String>>, ScanError> {
    let files: HashMap<&str, &TreeBlob> = listed
        .blobs
        .iter()
        .filter_map(|blob| Some((path_of(blob)?, blob)))
        .filter(|(path, _)| is_python(path.as_bytes()))
        .collect();
    let paths: Vec<&str> = files.keys().copied().collect();
    let layout = Layout::new(paths.iter().copied());
    let head = difference.repository.tree(difference.head)?;
    let layout = ProjectFiles::read(&head, listed)?.applied_to(layout, difference.search_path);
    // Most changes have nothing to do with submodules, and then it does not matter which there are.
    let submodules = if difference.changes.iter().any(|change| change.is_submodule) {
        head.submodules()?
    } else {
        Vec::new()
    };
    let submodules: Vec<&str> = submodules.iter().map(String::as_str).collect();
    let mut tracer = ImportTracer::new(&layout, &paths, &submodules, changes);
    if let Some(file) = changes.iter().find(|change| is_of_project(change)) {
        let before = source_roots_before(difference, listed, changes, &layout)?;
        if before != layout.source_roots {
            tracer = tracer.with_roots_before(before, &file.path);
        }
    }
    let mut cached = ImportsCache::new(cache);
    let mut commit_files =
        CommitFiles { difference, files: &listed.blobs, tree: None, buffer: Vec::new() };
    // A link may lead to a file whose name does not end in `.py`.
    let linked: HashMap<&str, &TreeBlob> =
        files.values().filter_map(|blob| Some((target_of(blob)?, *blob))).collect();
    let mut read = |path: &str| match files.get(path).or_else(|| linked.get(path)) {
        Some(blob) => cached.imports(blob, &mut commit_files),
        None => Ok(Imports::default()),
    };
    let mut chains = BTreeMap::new();
    for script in scripts {
        // A script that is run has its own directory on Python's path, and that is where the file
        // itself is. A module that is imported stays where it was found.
        let blob = files.get(&*script.path).filter(|_| script.module.is_none());
        let target = blob.and_then(|blob| target_of(blob));
        let chain = match target {
            Some(target) if !tracer.is_changed(&script.path) => {
                let itself = Script { path: target.to_owned(), ..script.clone() };
                let chain = tracer.chain(&itself, &mut read)?;
                chain.map(|chain| [vec![script.path.clone()], chain].concat())
            }
            _ => tracer.chain(script, &mut read)?,
        };
        chains.extend(chain.map(|chain| (script.clone(), chain)));
    }
    cached.save(cache);
    Ok(chains)
}

/// Whether a changed file can say from where Python imports.
fn is_of_project(change: &ChangedPath) -> bool {
    ProjectFiles::has(change.path.as_bytes())
}

/// The source roots of the earlier commit. Its project files are those of the later one, but for what
/// changed.
fn source_roots_before(
    difference: &Difference<'_>,
    listed: &TreeFiles,
    changes: &[ChangedPath],
    layout: &Layout,
) -> Result<SourceRoots, ScanError> {
    let kept = listed.blobs.iter().filter_map(path_of);
    let kept = kept.filter(|path| ProjectFiles::has(path.as_bytes()));
    let removed = changes.iter().filter(|change| is_of_project(change));
    let paths: BTreeSet<&str> = kept.chain(removed.map(|change| change.path.as_str())).collect();
    let base = difference.repository.tree(difference.base)?;
    let blobs = base.find_each(paths)?.into_iter().flatten().collect();
    let files = TreeFiles { blobs, ..TreeFiles::default() };
    let project = ProjectFiles::read(&base, &files)?;
    Ok(project.source_roots(layout, difference.search_path))
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
fn other_python(difference: &Difference<'_>, root: &str) -> Result<Option<String>, GitError> {
    let (version, project) = (join(root, VERSION_FILE), join(root, PROJECT_FILE));
    let texts = |commit: &CommitId| {
        let tree = difference.repository.tree(commit)?;
        let text = |path: &str| -> Result<Option<String>, GitError> {
            let bytes = match tree.read_path(path) {
                Err(GitError::BrokenLink(_)) => None,
                bytes => bytes?,
            };
            Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
        };
        Ok::<_, GitError>((text(&version)?, text(&project)?))
    };
    let (before, now) = (texts(difference.base)?, texts(difference.head)?);
    let python = |(version, project): &(Option<String>, Option<String>)| {
        Python::of_project(version.as_deref(), project.as_deref())
    };
    let is_other = before != now && python(&before) != python(&now);
    Ok(is_other.then_some(if before.0 == now.0 { project } else { version }))
}
