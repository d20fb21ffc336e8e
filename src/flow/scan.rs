//! Finds the flows in the tree of a commit.
//!
//! Files are read on one thread and analysed on others; the result does not depend on how many
//! there are.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::num::NonZero;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError};
use std::sync::{Arc, Mutex, PoisonError};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::cache::{Cache, Current, Fresh};
use super::explain_in;
use super::graph::ImportGraph;
use super::library::{Layout, Library, Read};
use super::python::Python;
use super::{FileAnalysis, STACK, analyse_script, is_candidate, nesting};
use crate::git::{BlobId, GitError, Tree, TreeBlob};
use crate::model::{Entrypoint, Explanation, Flow, FlowProblem, ProblemCode};
use crate::store::AnalysisCache;

/// Files that may wait for their analysis: enough to keep all threads busy, few enough for memory.
const QUEUE: usize = 64;

/// How much source text a thread keeps parsed, in bytes; the trees take some ten times as much.
const LARGEST_LIBRARY: usize = 2 << 20;

/// More threads than this wait for the one that reads.
const MOST_THREADS: usize = 8;

/// What was found in a tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scan {
    /// The flows, by path and line, also those that share a name.
    pub flows: Vec<Flow>,
    /// Flows of the list above under the names by which other files import them.
    pub imported: Vec<Flow>,
    /// Which of the files import which.
    pub imports: ImportGraph,
    /// What keeps others from being registered, by path and line.
    pub problems: Vec<FlowProblem>,
    /// The files of the tree that were looked at: all Python files, also those that were not
    /// selected, and those that say for which Python they are.
    pub files: Vec<TreeBlob>,
}

/// Why a tree can't be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The tree can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// There is no memory for a thread.
    #[error("no thread could be started to analyse the flows")]
    NoThread,
    /// A glob does not parse.
    #[error("`{glob}` is not a glob")]
    Glob {
        /// The glob.
        glob: String,
        /// What is wrong with it.
        source: globset::Error,
    },
}

/// Which files are read: Python files under `include` that are not under `exclude`.
#[derive(Debug, Clone)]
pub struct Selection {
    include: Option<GlobSet>,
    exclude: GlobSet,
    only: Option<BTreeSet<String>>,
}

impl Selection {
    /// Compiles globs over paths from the repository root. `*` stays inside one directory, `**`
    /// does not. Without `include` every file is.
    ///
    /// # Errors
    /// [`ScanError::Glob`] for the first that is not a glob.
    pub fn new(include: &[String], exclude: &[String]) -> Result<Self, ScanError> {
        Ok(Selection {
            include: if include.is_empty() { None } else { Some(globs(include)?) },
            exclude: globs(exclude)?,
            only: None,
        })
    }

    /// Just these files, by their paths from the root.
    pub fn files(paths: BTreeSet<String>) -> Self {
        Selection { include: None, exclude: GlobSet::empty(), only: Some(paths) }
    }

    fn wants(&self, path: &[u8]) -> bool {
        // Prefect has no name for a file whose path is not text.
        let Ok(path) = std::str::from_utf8(path) else { return false };
        is_python(path.as_bytes())
            && self.only.as_ref().is_none_or(|only| only.contains(path))
            && self.include.as_ref().is_none_or(|include| include.is_match(path))
            && !self.exclude.is_match(path)
    }
}

pub(super) fn is_python(path: &[u8]) -> bool {
    path.ends_with(b".py")
}

fn globs(patterns: &[String]) -> Result<GlobSet, ScanError> {
    let error = |glob: &str, source| ScanError::Glob { glob: glob.to_owned(), source };
    let mut set = GlobSetBuilder::new();
    for pattern in patterns {
        let glob = GlobBuilder::new(pattern)
            .literal_separator(true)
            .build()
            .map_err(|source| error(pattern, source))?;
        set.add(glob);
    }
    set.build().map_err(|source| error(source.glob().unwrap_or_default(), source.clone()))
}

/// Finds the flows of the selected files. What they import is read from the whole tree.
///
/// Answers of an earlier run come from `cache` as long as they hold, and new ones go there.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read; nothing is skipped.
pub fn scan(tree: &Tree, selection: &Selection, cache: &AnalysisCache) -> Result<Scan, ScanError> {
    let blobs = tree.blobs(|_| true, is_read)?;
    let files = by_path(&blobs);
    let layout = Layout::new(files.keys().copied()).for_python(project_python(tree, &files)?);
    let current = Current { layout: &layout, files: &files, profile: layout.python.profile() };
    let known = Cache::new(cache.content());
    let mut analyses: BTreeMap<&str, FileAnalysis> = BTreeMap::new();
    let (mut used, mut unknown) = (BTreeSet::new(), Vec::new());
    for blob in blobs.iter().filter(|blob| selection.wants(&blob.path)) {
        let path = std::str::from_utf8(&blob.path).unwrap_or_default();
        if known.is_barren(&blob.id) {
            continue;
        }
        match known.find(path, &blob.id, &current) {
            Some((place, analysis)) => {
                used.insert(place);
                analyses.insert(path, analysis);
            }
            None => unknown.push((path, blob)),
        }
    }
    if !unknown.is_empty() {
        tree.fetch_missing(&blobs)?;
        let (fresh, barren) = analyse_all(tree, &unknown, &current)?;
        if let Some(content) = known.updated(&used, &barren, &fresh, &current) {
            // A cache that can't be written costs time only.
            let _ = cache.save(&content);
        }
        analyses.extend(fresh.into_iter().map(|fresh| (fresh.path, fresh.analysis)));
    }
    let scan = collected(analyses.into_values());
    Ok(Scan { files: blobs, ..scan })
}

/// Explains a flow that a scan of the same tree has found; `None` if it is not there.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read.
pub fn explain(tree: &Tree, entrypoint: &Entrypoint) -> Result<Option<Explanation>, ScanError> {
    let blobs = tree.blobs(|_| true, is_read)?;
    tree.fetch_missing(&blobs)?;
    let files = by_path(&blobs);
    let layout = Layout::new(files.keys().copied()).for_python(project_python(tree, &files)?);
    let tree = Mutex::new(tree.clone());
    let read = |path: &str| read_file(&tree, &files, path);
    let source = read(entrypoint.path())?;
    Ok(explain_in(&layout, &read, entrypoint, &source)?)
}

/// What can be had by importing modules, as a script in the root that imports them finds it.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read.
pub fn import(
    tree: &Tree,
    imports: &BTreeSet<(String, String)>,
) -> Result<Vec<FileAnalysis>, ScanError> {
    let blobs = tree.blobs(|_| true, is_read)?;
    tree.fetch_missing(&blobs)?;
    let files = by_path(&blobs);
    let layout = Layout::new(files.keys().copied()).for_python(project_python(tree, &files)?);
    let tree = Mutex::new(tree.clone());
    let read = |path: &str| read_file(&tree, &files, path);
    imports
        .iter()
        .map(|(module, name)| {
            // The first line is what makes it a candidate.
            let script = format!("import prefect.flows\nfrom {module} import {name}\n");
            Ok(super::analyse_in(&layout, &read, IMPORTER, script.as_bytes())?)
        })
        .collect()
}

/// A script that no repository has.
const IMPORTER: &str = "<import>.py";

/// What an analysis may read: Python files, and what says which Python they are for.
fn is_read(path: &[u8]) -> bool {
    is_python(path) || path == VERSION_FILE.as_bytes() || path == PROJECT_FILE.as_bytes()
}

pub(super) const VERSION_FILE: &str = ".python-version";
pub(super) const PROJECT_FILE: &str = "pyproject.toml";

/// The Python that the project is for.
fn project_python(tree: &Tree, files: &HashMap<&str, &TreeBlob>) -> Result<Python, ScanError> {
    let text = |path: &str| -> Result<Option<String>, ScanError> {
        let Some(blob) = files.get(path) else { return Ok(None) };
        tree.fetch_missing(std::slice::from_ref(*blob))?;
        let mut buffer = Vec::new();
        Ok(Some(String::from_utf8_lossy(tree.read(blob, &mut buffer)?).into_owned()))
    };
    let (version, project) = (text(VERSION_FILE)?, text(PROJECT_FILE)?);
    Ok(Python::of_project(version.as_deref(), project.as_deref()))
}

fn by_path(blobs: &[TreeBlob]) -> HashMap<&str, &TreeBlob> {
    // Prefect has no name for a file whose path is not text.
    blobs.iter().filter_map(|blob| Some((std::str::from_utf8(&blob.path).ok()?, blob))).collect()
}

/// The content of a file that is imported; empty if there is none.
fn read_file(
    tree: &Mutex<Tree>,
    files: &HashMap<&str, &TreeBlob>,
    path: &str,
) -> Result<Vec<u8>, GitError> {
    let mut buffer = Vec::new();
    if let Some(blob) = files.get(path) {
        let tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
        let length = tree.read(blob, &mut buffer)?.len();
        buffer.truncate(length);
    }
    Ok(buffer)
}

/// The flows of all files together, those that are imported apart.
fn collected(analyses: impl Iterator<Item = FileAnalysis>) -> Scan {
    let mut scan = Scan::default();
    let mut found = Vec::new();
    for analysis in analyses {
        found.extend(analysis.flows);
        scan.problems.extend(analysis.problems);
        for (importer, imported) in &analysis.reads.imports {
            scan.imports.add(importer, imported);
        }
    }
    let own: HashSet<Entrypoint> = found
        .iter()
        .filter(|flow| flow.imported_from.is_none())
        .map(|flow| flow.entrypoint.clone())
        .collect();
    let is_again = |flow: &Flow| flow.imported_from.as_ref().is_some_and(|from| own.contains(from));
    (scan.imported, scan.flows) = found.into_iter().partition(is_again);
    let duplicates = duplicates(&scan.flows);
    scan.problems.extend(duplicates);
    let place = |problem: &FlowProblem| (problem.path.clone(), problem.line, problem.column);
    scan.problems.sort_by_cached_key(place);
    scan
}

/// A file with its path as text.
type Named<'b> = (&'b str, &'b TreeBlob);

/// What was analysed, and which files can't have flows.
type Analysed<'b> = (Vec<Fresh<'b>>, Vec<BlobId>);

/// Reads the files on one thread and analyses those that may hold flows on others, too.
///
/// One reader, because files share delta bases: two readers would inflate most of them twice.
/// What a flow imports is read again by whoever analyses it: few files are imported, and keeping
/// all of them would take the memory of the whole tree.
fn analyse_all<'b>(
    tree: &Tree,
    wanted: &[Named<'b>],
    current: &Current<'_>,
) -> Result<Analysed<'b>, ScanError> {
    let imports = Mutex::new(tree.clone());
    let read = |path: &str| read_file(&imports, current.files, path);
    let (sender, receiver) = std::sync::mpsc::sync_channel(QUEUE);
    // Only the workers hold it: when they are gone, sending fails instead of waiting.
    let receiver = Arc::new(Mutex::new(receiver));
    let (layout, read) = (current.layout, &read);
    let available = std::thread::available_parallelism().map_or(1, NonZero::get);
    std::thread::scope(|scope| {
        let thread = || std::thread::Builder::new().stack_size(STACK);
        let workers: Vec<_> = (1..available.min(MOST_THREADS))
            .filter_map(|_| {
                let receiver = Arc::clone(&receiver);
                let work = move || analyse_received(&receiver, layout, read);
                thread().spawn_scoped(scope, work).ok()
            })
            .collect();
        drop(receiver);
        let reader = tree.clone();
        let reader = move || read_and_analyse(&reader, wanted, sender, layout, read);
        let reader = thread().spawn_scoped(scope, reader).map_err(|_| ScanError::NoThread)?;
        let (mut found, barren) = joined(reader)?;
        for worker in workers {
            found.extend(joined(worker)?);
        }
        Ok((found, barren))
    })
}

fn joined<T>(thread: std::thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Reads all files, and analyses those for which no other thread has the time.
fn read_and_analyse<'b>(
    tree: &Tree,
    wanted: &[Named<'b>],
    sender: SyncSender<Candidate<'b>>,
    layout: &Layout,
    read: &Read<'_>,
) -> Result<Analysed<'b>, ScanError> {
    let mut analyst = Analyst::new(layout, read);
    let barren = read_candidates(tree, wanted, |candidate| {
        match sender.try_send(candidate) {
            Ok(()) => Ok(()),
            // Nobody receives any more after an error, which `join` passes on.
            Err(TrySendError::Full(candidate) | TrySendError::Disconnected(candidate)) => {
                analyst.analyse(candidate)
            }
        }
    })?;
    drop(sender);
    Ok((analyst.found, barren))
}

/// A file that may hold flows, with its content.
type Candidate<'b> = (Named<'b>, Vec<u8>);

/// Reads the files as they lie in the packs, hands on those that may hold flows, and gives the
/// others.
fn read_candidates<'b>(
    tree: &Tree,
    wanted: &[Named<'b>],
    mut candidate: impl FnMut(Candidate<'b>) -> Result<(), GitError>,
) -> Result<Vec<BlobId>, ScanError> {
    let (mut buffer, mut barren) = (Vec::new(), Vec::new());
    let blobs: Vec<&TreeBlob> = wanted.iter().map(|(_, blob)| *blob).collect();
    let positions = tree.pack_positions(&blobs);
    let mut order: Vec<_> = positions.into_iter().zip(wanted).collect();
    order.sort_unstable_by_key(|(position, (path, _))| (*position, *path));
    for (_, (path, blob)) in order {
        let source = tree.read(blob, &mut buffer)?;
        if is_candidate(source) {
            candidate(((path, blob), source.to_owned()))?;
        } else {
            barren.push(blob.id);
        }
    }
    Ok(barren)
}

fn analyse_received<'b>(
    receiver: &Mutex<Receiver<Candidate<'b>>>,
    layout: &Layout,
    read: &Read<'_>,
) -> Result<Vec<Fresh<'b>>, GitError> {
    let mut analyst = Analyst::new(layout, read);
    loop {
        let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(candidate) = next else { return Ok(analyst.found) };
        analyst.analyse(candidate)?;
    }
}

/// Analyses files one after the other, and keeps the modules that they import.
struct Analyst<'s, 'b> {
    library: Library<'s>,
    found: Vec<Fresh<'b>>,
}

impl<'s, 'b> Analyst<'s, 'b> {
    fn new(layout: &'s Layout, read: &'s Read<'s>) -> Self {
        Analyst { library: Library::new(layout, read, nesting::SHALLOW), found: Vec::new() }
    }

    fn analyse(&mut self, ((path, blob), source): Candidate<'b>) -> Result<(), GitError> {
        if self.library.size() > LARGEST_LIBRARY {
            let (layout, read) = self.library.parts();
            self.library = Library::new(layout, read, nesting::SHALLOW);
        }
        let analysis = analyse_script(&self.library, path, &source)?;
        self.found.push(Fresh::new(path, blob, analysis));
        Ok(())
    }
}

/// Finds flows that share a name: they would be registered over each other. They stay in the
/// list, so that they can be shown; the problem says that they can't be registered.
pub fn duplicates(flows: &[Flow]) -> Vec<FlowProblem> {
    let mut by_name: BTreeMap<&str, Vec<&Flow>> = BTreeMap::new();
    for flow in flows {
        by_name.entry(flow.name.as_str()).or_default().push(flow);
    }
    let mut problems = Vec::new();
    for (name, flows) in by_name {
        let [first, second, ..] = &flows[..] else { continue };
        let others: Vec<String> =
            flows.iter().skip(1).map(|flow| format!("`{}`", flow.entrypoint)).collect();
        problems.push(FlowProblem {
            path: second.entrypoint.path().to_owned(),
            line: second.line,
            column: 1,
            code: ProblemCode::Duplicate,
            message: format!(
                "the flow name '{name}' is shared by `{}` and {}",
                first.entrypoint,
                others.join(", ")
            ),
            excerpt: None,
        });
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selection(include: &[&str], exclude: &[&str]) -> Selection {
        let owned =
            |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
        Selection::new(&owned(include), &owned(exclude)).unwrap()
    }

    #[test]
    fn a_star_stays_inside_its_directory() {
        let one = selection(&["flows/*.py"], &[]);
        assert!(one.wants(b"flows/a.py") && !one.wants(b"flows/x/a.py"));
        let all = selection(&["flows/**"], &["**/old/**"]);
        assert!(all.wants(b"flows/x/a.py"));
        assert!(!all.wants(b"flows/old/a.py") && !all.wants(b"flows/a.txt"));
        assert!(selection(&[], &[]).wants(b"anywhere/a.py"));
    }

    #[test]
    fn what_is_not_a_glob_is_an_error_that_names_it() {
        let error = Selection::new(&["a[".to_owned()], &[]).unwrap_err();
        assert!(error.to_string().starts_with("`a[` is not a glob"));
    }
}
