//! Finds the flows in the tree of a commit.
//!
//! Files are read and analysed on several threads; the result does not depend on how many there
//! are.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use foldhash::HashMap;
use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use flowreg_git::{BlobId, GitError, PackPlan, Tree, TreeBlob, TreeFiles};
use flowreg_model::{DeployCall, Entrypoint, Flow, FlowProblem, ProblemCode};
use flowreg_python::{
    FileAnalysis, Layout, Library, ReadError, STACK, Session, SourceFiles, SourceRoots,
    is_candidate,
};

use super::cache::{Cache, CurrentTree, FreshAnalysis};
use super::graph::ImportGraph;
use super::linked::{self, SelectedFile};
use super::project::ProjectFiles;
use crate::settings::MANIFEST_NAME;
use crate::store::AnalysisCache;

/// How much source text a thread keeps parsed, in bytes. The trees take some ten times as much memory.
const LARGEST_LIBRARY: usize = 2 << 20;

/// How many threads analyse files. Each parses and runs anew what its scripts import, so more of them gain
/// less and less.
const MOST_THREADS: usize = 8;

/// How many scripts are worth another thread.
const SCRIPTS_PER_THREAD: usize = 100;

/// What was found in a tree.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Scan {
    /// The flows, by path and line, also those that share a name.
    pub flows: Vec<Flow>,
    /// Flows of the list above under the names by which other files import them.
    pub imported: Vec<Flow>,
    /// Entrypoints that somebody asks for, and of which only Python knows whether they lead to flows.
    pub unknown: Vec<Entrypoint>,
    /// Which of the files import which.
    pub imports: ImportGraph,
    /// What keeps others from being registered, by path and line.
    pub problems: Vec<FlowProblem>,
    /// What files deploy by themselves when they are run, by path and line.
    pub deploy_calls: Vec<DeployCall>,
    /// The files of the tree that were looked at: all Python files, also those that were not
    /// selected, those that say which Python and source roots they are for, and every `prefect.yaml`.
    pub files: TreeFiles,
    /// From which directories of the tree Python imports.
    pub source_roots: SourceRoots,
}

impl Scan {
    /// The directory that has a module which Python does not find; `None` if the tree has none of the
    /// name, or a package of that name is what the project asks for.
    pub(crate) fn directory_of(&self, module: &str) -> Option<String> {
        let top = module.split('.').next().unwrap_or(module);
        if self.source_roots.is_dependency(top) {
            return None;
        }
        layout(&self.files).directory_with(top).map(str::to_owned)
    }
}

/// Why a tree can't be scanned.
#[derive(Debug, thiserror::Error)]
pub enum ScanError {
    /// The tree can't be read.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file can't be read, for a reason that is not git's.
    #[error(transparent)]
    Read(ReadError),
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

impl From<ReadError> for ScanError {
    fn from(ReadError(error): ReadError) -> Self {
        match error.downcast() {
            // `read_file` wrapped git's own error; whoever handles it wants to see that again.
            Ok(error) => Self::Git(*error),
            Err(error) => Self::Read(ReadError(error)),
        }
    }
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
    pub(crate) fn files(paths: BTreeSet<String>) -> Self {
        Selection { include: None, exclude: GlobSet::empty(), only: Some(paths) }
    }

    /// The files that are named one by one.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        self.only.iter().flatten().map(String::as_str)
    }

    /// Whether the globs ask for files in a directory.
    pub(super) fn wants_below(&self, directory: &[u8]) -> bool {
        self.include.is_some() && self.wants(&[directory, b"/flow.py"].concat())
    }

    /// Whether a file is left out on purpose.
    pub(crate) fn excludes(&self, path: &str) -> bool {
        self.exclude.is_match(path)
    }

    pub(super) fn wants(&self, path: &[u8]) -> bool {
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

/// Finds the flows of the selected files. What they import is read from the whole tree, also from the
/// directories of `search_path` (from the root of the repository), or without one from those that the
/// project's files name.
///
/// Answers of an earlier run come from `cache` as long as they hold, and new ones go there.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read; nothing is skipped.
pub fn scan(
    tree: &Tree,
    selection: &Selection,
    search_path: Option<&[String]>,
    cache: &AnalysisCache,
) -> Result<Scan, ScanError> {
    let enters =
        |path: &[u8], is_link: bool| selection.include.is_some() || may_be_package(path, is_link);
    let mut listed = tree.files(enters, is_listed)?;
    linked::add_unlisted(tree, selection, &mut listed)?;
    let blobs = &listed.blobs;
    let known = Cache::new(cache.content());
    let lay_out = || layout(&listed);
    let is_selected =
        |blob: &&TreeBlob| selection.wants(&blob.path) && !known.is_flowless(&blob.id);
    // Three things that need only the list of files, so they run side by side: the layout, what is
    // selected, and in which order the packs are read best.
    let (layout, files, selected, plan) = std::thread::scope(|scope| {
        let layout = std::thread::Builder::new().spawn_scoped(scope, lay_out);
        let files = by_path(&listed);
        let selected: Vec<SelectedFile<'_>> = blobs
            .iter()
            .filter(is_selected)
            .filter_map(|blob| SelectedFile::new(tree.path(), blob))
            .collect();
        // Without a cache every selected file will be read. With one, it is planned later for the
        // few that are not known.
        let scripts = || linked::scripts(&selected).into_iter().map(|file| file.blob);
        let plan = known.is_empty().then(|| tree.pack_plan(scripts()));
        (layout.map_or_else(|_| lay_out(), joined), files, selected, plan)
    });
    let layout = ProjectFiles::read(tree, &listed)?.applied_to(layout, search_path);
    let profile = layout.profile();
    let current = CurrentTree { layout: &layout, files: &files, profile: &profile };
    let mut analyses: BTreeMap<(&str, BlobId), FileAnalysis> = BTreeMap::new();
    let (mut used, mut unknown) = (BTreeSet::new(), Vec::new());
    let scripts = linked::scripts(&selected);
    for file in &scripts {
        match known.find(&file.script, &file.blob.id, &current) {
            Some((place, analysis)) => {
                used.insert(place);
                analyses.insert(file.key(), analysis);
            }
            None => unknown.push((file.script.as_str(), file.blob)),
        }
    }
    let mut fresh = Vec::new();
    let mut flowless = Vec::new();
    if !unknown.is_empty() {
        // In a partial clone all files are fetched, in one request: what the unknown ones import is
        // not known before they are read.
        tree.fetch_missing(blobs)?;
        let plan = plan.unwrap_or_else(|| tree.pack_plan(unknown.iter().map(|(_, blob)| *blob)));
        Analysed { fresh, flowless, .. } = analyse_all(tree, &unknown, &plan, &current)?;
        for fresh in &mut fresh {
            analyses.insert((fresh.path, fresh.blob.id), fresh.take_answers());
        }
    }
    let save = || {
        if let Some(content) = known.updated(&used, &flowless, &fresh, &current) {
            // A cache that can't be written costs time only.
            let _ = cache.save(&content);
        }
    };
    let mut scan = std::thread::scope(|scope| {
        // Writing the cache and putting the result together need nothing of each other, so they
        // run side by side. Without a thread the cache is written here.
        if !unknown.is_empty() && std::thread::Builder::new().spawn_scoped(scope, save).is_err() {
            save();
        }
        let keeps_problems = selection.only.is_some();
        collected(linked::by_path(&selected, analyses, keeps_problems).into_iter())
    });
    known.add_imports(&used, &mut scan.imports);
    let mut seen = HashSet::new();
    let parts = fresh.iter().flat_map(|fresh| &fresh.analysis.dependencies);
    for part in parts.filter(|part| seen.insert(Arc::as_ptr(part))) {
        for (importer, imported) in &part.imports {
            scan.imports.add(importer, imported);
        }
    }
    tracing::debug!(
        files = blobs.len(),
        candidates = scripts.len(),
        from_cache = used.len(),
        analysed = fresh.len(),
        without_flows = flowless.len(),
        "scan"
    );
    scan.problems.extend(linked::problems(selection, &listed));
    scan.problems.sort_by_cached_key(place);
    scan.source_roots = layout.source_roots;
    scan.files = listed;
    Ok(scan)
}

/// Where a problem is.
fn place(problem: &FlowProblem) -> (String, u32, u32) {
    (problem.path.clone(), problem.line, problem.column)
}

/// Whether a directory is entered: every one, and a link only if it could lead to a package. Data sets
/// have thousands of links with dots in their names, and the files behind one are listed where they are.
pub(super) fn may_be_package(path: &[u8], is_link: bool) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    !is_link || !name.contains(&b'.')
}

/// What a scan lists: what an analysis may read, and the `prefect.yaml` files.
fn is_listed(path: &[u8]) -> bool {
    let name = path.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    is_read(path) || name == MANIFEST_NAME.as_bytes()
}

/// What an analysis may read: Python files, and what says which Python they are for and from where
/// they import.
pub(super) fn is_read(path: &[u8]) -> bool {
    is_python(path) || ProjectFiles::has(path)
}

pub(super) const VERSION_FILE: &str = ".python-version";
pub(super) const PROJECT_FILE: &str = "pyproject.toml";

/// The files of a tree by their paths; links that can't be followed are there with their own objects,
/// so that an analysis can depend on them.
pub(super) type FilesByPath<'f> = HashMap<&'f str, &'f TreeBlob>;

pub(super) fn by_path(listed: &TreeFiles) -> FilesByPath<'_> {
    let broken = listed.broken.iter().map(|(link, _)| link);
    // Prefect has no name for a file whose path is not text.
    let all = listed.blobs.iter().chain(broken);
    all.filter_map(|blob| Some((std::str::from_utf8(&blob.path).ok()?, blob))).collect()
}

/// Where Python finds modules in a tree.
pub(super) fn layout(listed: &TreeFiles) -> Layout {
    let text = |path| std::str::from_utf8(path).ok();
    let broken = listed
        .broken
        .iter()
        .filter_map(|(link, error)| Some((text(&link.path)?.to_owned(), error.to_string())));
    Layout::new(listed.blobs.iter().filter_map(|blob| text(&blob.path))).with_broken_links(broken)
}

/// The content of a file that is imported; empty if there is none.
pub(super) fn read_file(
    tree: &Mutex<Tree>,
    files: &FilesByPath<'_>,
    path: &str,
) -> Result<Vec<u8>, ReadError> {
    let mut buffer = Vec::new();
    if let Some(blob) = files.get(path) {
        let tree = tree.lock().unwrap_or_else(PoisonError::into_inner);
        let content = tree.read(blob, &mut buffer).map_err(|error| ReadError(Box::new(error)))?;
        let length = content.len();
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
        scan.deploy_calls.extend(analysis.deploy_calls);
    }
    let own: HashSet<Entrypoint> = found
        .iter()
        .filter(|flow| flow.imported_from.is_none())
        .map(|flow| flow.entrypoint.clone())
        .collect();
    // An imported flow that is also found in its own file is listed there. One whose file was not
    // selected is kept under the importing name.
    let is_again = |flow: &Flow| flow.imported_from.as_ref().is_some_and(|from| own.contains(from));
    (scan.imported, scan.flows) = found.into_iter().partition(is_again);
    let duplicates = duplicates(&scan.flows);
    scan.problems.extend(duplicates);
    scan
}

/// A file with its path as text.
type PathAndBlob<'b> = (&'b str, &'b TreeBlob);

/// Reads the files as planned and analyses those that may hold flows, on several threads.
///
/// What a flow imports is read again by whoever analyses it: few files are imported, and keeping
/// all of them would take the memory of the whole tree.
fn analyse_all<'b>(
    tree: &Tree,
    pending: &'b [PathAndBlob<'b>],
    plan: &PackPlan,
    current: &CurrentTree<'_>,
) -> Result<Analysed<'b>, ScanError> {
    let work = Work { pending, plan, family: AtomicUsize::new(0), file: AtomicUsize::new(0) };
    let imports = Mutex::new(tree.clone());
    let read = |path: &str| read_file(&imports, current.files, path);
    let (layout, sources, work) = (current.layout, &read, &work);
    let available = std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = available.min(MOST_THREADS).min(pending.len().div_ceil(SCRIPTS_PER_THREAD));
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .filter_map(|_| {
                let analyst = Analyst::new(layout, sources);
                let tree = tree.clone();
                let work = move || analyst.work(&tree, work);
                std::thread::Builder::new().stack_size(STACK).spawn_scoped(scope, work).ok()
            })
            .collect();
        if workers.is_empty() {
            return Err(ScanError::NoThread);
        }
        let mut all = Analysed::default();
        for worker in workers {
            let done = joined(worker);
            all.fresh.extend(done.fresh);
            all.flowless.extend(done.flowless);
            all.failures.extend(done.failures);
        }
        // Whichever thread met it first, the error is the same.
        let failures = std::mem::take(&mut all.failures);
        match failures.into_iter().min_by_key(|(path, _)| *path) {
            Some((_, error)) => Err(error),
            None => Ok(all),
        }
    })
}

fn joined<T>(thread: ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// What the threads share: each takes what is next.
struct Work<'w, 'b> {
    pending: &'b [PathAndBlob<'b>],
    plan: &'w PackPlan,
    /// The next family of files in the packs.
    family: AtomicUsize,
    /// The next of the files that are not in a pack.
    file: AtomicUsize,
}

/// What was analysed, and which files can't have flows.
#[derive(Default)]
struct Analysed<'b> {
    fresh: Vec<FreshAnalysis<'b>>,
    flowless: Vec<BlobId>,
    failures: Vec<(&'b str, ScanError)>,
}

/// Reads and analyses files one after the other.
struct Analyst<'s, 'b> {
    layout: &'s Layout,
    sources: &'s dyn SourceFiles,
    done: Analysed<'b>,
}

impl<'s, 'b> Analyst<'s, 'b> {
    fn new(layout: &'s Layout, sources: &'s dyn SourceFiles) -> Self {
        Analyst { layout, sources, done: Analysed::default() }
    }

    /// Does what there is to do until nothing is left.
    fn work(mut self, tree: &Tree, work: &Work<'_, 'b>) -> Analysed<'b> {
        let mut reader = work.plan.reader();
        let mut left = Vec::new();
        // A family is a file with the deltas that are made from it. Reading it as a whole unpacks the
        // common base once.
        let next = || Some(work.family.fetch_add(1, Ordering::Relaxed));
        let families = || next().filter(|family| *family < work.plan.families());
        self.each(families, |analyst, session, family| {
            reader.read(family, |number, content| match (work.pending.get(number), content) {
                (Some(named), Some(source)) => analyst.look_at(session, *named, source),
                // The pack could not give it, or not whole. It is read one by one below.
                _ => left.push(number),
            });
        });
        let elsewhere = work.plan.elsewhere();
        let mut left = left.into_iter();
        let next = || {
            let next = || elsewhere.get(work.file.fetch_add(1, Ordering::Relaxed)).copied();
            left.next().or_else(next)
        };
        let mut buffer = Vec::new();
        self.each(next, |analyst, session, number| {
            let Some(named) = work.pending.get(number) else { return };
            match tree.read(named.1, &mut buffer) {
                Ok(source) => analyst.look_at(session, *named, source),
                Err(error) => analyst.done.failures.push((named.0, error.into())),
            }
        });
        self.done
    }

    /// Does something for each of what is next, with what was parsed and run so far. If that has grown
    /// large, it is dropped, and what is needed is read again.
    fn each<T>(
        &mut self,
        mut next: impl FnMut() -> Option<T>,
        mut look: impl FnMut(&mut Self, &Session<'_>, T),
    ) {
        let mut following = next();
        while following.is_some() {
            let library = Library::new(self.layout, self.sources);
            let session = Session::new(&library);
            while library.size() <= LARGEST_LIBRARY
                && let Some(this) = following.take()
            {
                look(self, &session, this);
                following = next();
            }
        }
    }

    /// Analyses a file that may hold flows.
    fn look_at(&mut self, session: &Session<'_>, (path, blob): PathAndBlob<'b>, source: &[u8]) {
        if !is_candidate(source) {
            self.done.flowless.push(blob.id);
            return;
        }
        match session.analyse(path, source) {
            Ok(analysis) => self.done.fresh.push(FreshAnalysis::new(path, blob, analysis)),
            Err(error) => self.done.failures.push((path, error.into())),
        }
    }
}

/// Finds flows that share a name: they would be registered over each other. They stay in the
/// list, so that they can be shown; the problem says that they can't be registered.
pub(crate) fn duplicates(flows: &[Flow]) -> Vec<FlowProblem> {
    let mut by_name: BTreeMap<&str, Vec<&Flow>> = BTreeMap::new();
    for flow in flows {
        by_name.entry(flow.name.as_str()).or_default().push(flow);
    }
    let mut problems = Vec::new();
    for (name, flows) in by_name {
        // The later one gets the problem, since the first was there before.
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
