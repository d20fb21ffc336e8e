//! Which scripts a set of changed files affects, and along which imports.
//!
//! Errs on the side of "affected": registering or testing a flow once too often is harmless, missing
//! one is not. So an import counts wherever the statement stands, also in a function or a branch, and
//! a name that could lead to several files leads to all of them. A script that is *not* affected
//! imports the same files from the same places as before, and all of them are unchanged.

#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap, HashSet};

use super::graph::ImportGraph;
use super::tree::is_python;
use flowreg_git::{ChangeKind, ChangedPath, GitError};
use flowreg_python::is_known_module;
use flowreg_python::{Import, Imports};
use flowreg_python::{ImportTarget, Layout, SourceRoots, join};

/// A file with flows, and how Prefect gets at them. Paths are from the repository root.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Script {
    /// The file.
    pub path: String,
    /// The directory in which a run starts, where Python looks for modules, too.
    pub root: String,
    /// The module that is imported from there to get the flow; `None` if the file is run.
    pub module: Option<String>,
}

/// Reads the imports of a file of the later commit.
pub(super) type ReadImports<'r> = dyn FnMut(&str) -> Result<Imports, GitError> + 'r;

/// Finds out what changed files affect. Paths are from the repository root.
pub(super) struct ImportTracer<'t> {
    head: &'t Layout,
    /// The layout of the earlier commit; `None` if both have the same Python files.
    base: Option<Layout>,
    changed: HashSet<&'t str>,
    /// The Python files and submodules among them, in order.
    changed_modules: Vec<&'t str>,
    /// The submodules among them, in order.
    changed_submodules: Vec<&'t str>,
    /// All submodules. Which modules they have can't be seen.
    submodules: Vec<&'t str>,
    /// Python files that are in one of the commits only.
    moved: Vec<&'t str>,
    /// In which directories a module, a package or a plain directory of a name is.
    directories_of: HashMap<&'t str, BTreeSet<&'t str>>,
    /// All Python files of either commit.
    files: Vec<&'t str>,
    /// The source roots of the earlier commit, and the file that made the later ones others, if one did.
    before: Option<(SourceRoots, &'t str)>,
    /// What was found out so far, by the directories where Python looks.
    closures: HashMap<SearchPath, ReachedImports>,
}

/// Where Python looks for a module.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct SearchPath {
    directories: Vec<String>,
    /// Whether a file changes `sys.path`, so that any directory of the repository may come first.
    is_changed: bool,
}

/// What was found out about imports for one search path. Scripts in one directory share it.
#[derive(Debug, Default)]
struct ReachedImports {
    graph: ImportGraph,
    expanded: HashSet<String>,
    /// Files that put other directories first.
    changing_search: HashSet<String>,
}

impl<'t> ImportTracer<'t> {
    /// A tracer for the Python files and submodules of the later commit and all files that differ.
    pub(super) fn new(
        head: &'t Layout,
        files: &[&'t str],
        submodules: &[&'t str],
        changes: &'t [ChangedPath],
    ) -> Self {
        let changed_submodules: Vec<&str> =
            changes.iter().filter(|one| one.is_submodule).map(|one| &*one.path).collect();
        let of_kind = |kind: ChangeKind| {
            let of_kind = move |change: &&ChangedPath| change.kind == kind;
            changes
                .iter()
                .filter(|one| is_module(one))
                .filter(of_kind)
                .map(|change| change.path.as_str())
        };
        let added: HashSet<&str> = of_kind(ChangeKind::Added).collect();
        let removed: Vec<&str> = of_kind(ChangeKind::Removed).collect();
        let is_same_layout = added.is_empty() && removed.is_empty();
        // A file that appeared or went away can change what an unchanged import means: then both
        // layouts are asked.
        let base = (!is_same_layout).then(|| {
            let kept = files.iter().filter(|path| !added.contains(*path));
            Layout::new(kept.chain(&removed).copied())
        });
        let mut moved: Vec<&str> = added.into_iter().chain(removed.iter().copied()).collect();
        moved.sort_unstable();
        let files: Vec<&str> = files.iter().copied().chain(removed).collect();
        ImportTracer {
            head,
            base,
            changed: changes
                .iter()
                .filter(|one| may_be_imported(one))
                .map(|one| &*one.path)
                .collect(),
            changed_modules: changes
                .iter()
                .filter(|one| is_module(one) || one.is_submodule)
                .map(|one| &*one.path)
                .collect(),
            submodules: submodules.iter().chain(&changed_submodules).copied().collect(),
            changed_submodules,
            moved,
            directories_of: directories_of(&files),
            files,
            before: None,
            closures: HashMap::new(),
        }
    }

    /// The same tracer, where the earlier commit had other source roots. `file` is the one that changed
    /// them.
    #[must_use]
    pub(super) fn with_roots_before(mut self, before: SourceRoots, file: &'t str) -> Self {
        self.changed.insert(file);
        self.before = Some((before, file));
        self
    }

    /// The source roots that have a module in either commit.
    fn rooted<'r>(&'r self, roots: &'r SourceRoots, module: &str) -> BTreeSet<&'r str> {
        let places = self.directories_of.get(module);
        let has = |root: &&str| places.is_some_and(|places| places.contains(*root));
        roots.directories_for(module).filter(has).collect()
    }

    /// The file whose change gave a module's name another meaning, if one did.
    fn other_meaning(&self, module: &str) -> Option<&'t str> {
        let (before, file) = self.before.as_ref()?;
        let now = &self.head.source_roots;
        let is_other = self.rooted(before, module) != self.rooted(now, module)
            || (self.directories_of.contains_key(module)
                && before.is_dependency(module) != now.is_dependency(module));
        is_other.then_some(*file)
    }

    /// Whether a file itself changed.
    pub(super) fn is_changed(&self, path: &str) -> bool {
        self.changed.contains(path)
    }

    /// The shortest chain of imports from a script to a file that changed, both included; `None`
    /// if the script is not affected.
    ///
    /// # Errors
    /// What `read` met.
    pub(super) fn chain(
        &mut self,
        script: &Script,
        read: &mut ReadImports<'_>,
    ) -> Result<Option<Vec<String>>, GitError> {
        if self.changed.contains(&*script.path) {
            return Ok(Some(vec![script.path.clone()]));
        }
        if self.changed.is_empty() {
            return Ok(None);
        }
        // A file that is run has its own directory first; a module that is imported does not.
        let mut directories = vec![parent(&script.path).to_owned(), script.root.clone()];
        if script.module.is_some() {
            directories.remove(0);
        }
        directories.dedup();
        let mut search = SearchPath { directories, is_changed: false };
        if self.reach(script, &search, read)? {
            // A changed search path is known only after everything was followed, so follow it again
            // with that in mind.
            search.is_changed = true;
            self.reach(script, &search, read)?;
        }
        let closure = self.closures.get(&search);
        Ok(closure.and_then(|closure| {
            closure.graph.chain(&script.path, |path| self.changed.contains(path))
        }))
    }

    fn is_submodule(&self, path: &str) -> bool {
        self.submodules.contains(&path)
    }

    /// Whether a path is a submodule or a directory with one somewhere below it.
    fn leads_to_submodule(&self, path: &str) -> bool {
        self.submodules.iter().any(|submodule| inside(submodule, path).is_some())
    }

    /// Follows all imports of a script, and says whether any file changes where Python looks.
    fn reach(
        &mut self,
        script: &Script,
        search: &SearchPath,
        read: &mut ReadImports<'_>,
    ) -> Result<bool, GitError> {
        // Taken out and put back, because `expand` borrows the rest of `self`.
        let mut closure = self.closures.remove(search).unwrap_or_default();
        if let Some(module) = &script.module {
            let module = module.clone();
            let import = Import { level: 0, module, names: Vec::new(), is_star: false };
            let imports = Imports { statements: vec![import], ..Imports::default() };
            self.expand(&script.path, &imports, search, &mut closure);
        }
        let mut seen = HashSet::from([script.path.clone()]);
        let mut open = vec![script.path.clone()];
        let mut is_changing = false;
        while let Some(path) = open.pop() {
            // What changed is the end of a chain: its own imports add nothing.
            let is_end = self.changed.contains(path.as_str());
            if !is_end && !closure.expanded.contains(&path) {
                let imports = read(&path)?;
                self.expand(&path, &imports, search, &mut closure);
                closure.expanded.insert(path.clone());
            }
            is_changing |= closure.changing_search.contains(&path);
            for next in closure.graph.direct_imports_of(&path) {
                if seen.insert(next.to_owned()) {
                    open.push(next.to_owned());
                }
            }
        }
        self.closures.insert(search.clone(), closure);
        Ok(is_changing)
    }

    fn expand(
        &self,
        path: &str,
        imports: &Imports,
        search: &SearchPath,
        closure: &mut ReachedImports,
    ) {
        if imports.changes_search_path {
            closure.changing_search.insert(path.to_owned());
        }
        let mut edges = FileImports { tracer: self, search, path, graph: &mut closure.graph };
        for import in &imports.statements {
            edges.follow(import);
        }
        if imports.may_import_anything {
            // The file may load any module by name (`import_module`), so each changed one is taken
            // as imported.
            for changed in &self.changed_modules {
                closure.graph.add(path, changed);
            }
        }
    }
}

/// The imports of one file.
struct FileImports<'e, 't> {
    tracer: &'e ImportTracer<'t>,
    search: &'e SearchPath,
    path: &'e str,
    graph: &'e mut ImportGraph,
}

impl FileImports<'_, '_> {
    fn follow(&mut self, import: &Import) {
        let parts: Vec<&str> = import.module.split('.').filter(|part| !part.is_empty()).collect();
        if import.level > 0 {
            let directories = self.relative(import.level);
            for directory in &directories {
                // `from . import x` also runs the `__init__.py` of the package itself.
                let (above, leaf) = split(directory);
                if !leaf.is_empty() {
                    self.look(above, leaf);
                }
            }
            self.import(&directories, &parts, import, true);
            return;
        }
        let Some(top) = parts.first() else { return };
        let is_complete = self.import(&self.search.directories, &parts, import, false);
        // What is not found where Python looks first may stand in a directory of `PYTHONPATH`, or
        // be installed from the repository in editable mode.
        let may_be_elsewhere = !is_complete || self.search.is_changed;
        if may_be_elsewhere && !is_known_module(top) {
            self.elsewhere(&parts, import);
        }
        // A package in a source root goes before a directory without `__init__.py` in the first
        // directories, and a module of `PYTHONPATH` before one of the standard library.
        let tracer = self.tracer;
        for root in tracer.rooted(&tracer.head.source_roots, top) {
            self.import(&[root.to_owned()], &parts, import, true);
        }
        if let Some(file) = tracer.other_meaning(top) {
            self.graph.add(self.path, file);
        }
    }

    /// What a name may mean if Python looks in other directories, too.
    fn elsewhere(&mut self, parts: &[&str], import: &Import) {
        let Some(top) = parts.first() else { return };
        // A directory of a submodule may be in `PYTHONPATH` as well as one of the repository, and what
        // modules it has is not known.
        for submodule in &self.tracer.changed_submodules {
            self.graph.add(self.path, submodule);
        }
        let directories_of = self.tracer.directories_of.get(top).into_iter().flatten();
        let directories_of: Vec<String> = directories_of
            .filter(|place| !self.search.directories.iter().any(|known| known == *place))
            .map(|place| (*place).to_owned())
            .collect();
        for place in directories_of {
            self.import(&[place], parts, import, true);
        }
    }

    /// The directories that a relative import of this file starts from. A script is a package of
    /// all directories where Python looks first (docs/facts/python.md, "Loading a script"), and so is a
    /// namespace package.
    fn relative(&self, level: u32) -> Vec<String> {
        let own = parent(self.path);
        let mut directories = vec![own.to_owned()];
        for from in &self.search.directories {
            let Some(inside) = inside(own, from) else { continue };
            for to in &self.search.directories {
                let twin = match (to.is_empty(), inside.is_empty()) {
                    (_, true) => to.clone(),
                    (true, false) => inside.to_owned(),
                    (false, false) => format!("{to}/{inside}"),
                };
                if !directories.contains(&twin) {
                    directories.push(twin);
                }
            }
        }
        for _ in 1..level {
            for directory in &mut directories {
                *directory = parent(directory).to_owned();
            }
        }
        directories
    }

    /// Follows the parts of a module's name and what is imported from it, in all directories or in
    /// the first that has it. Says whether it is there: a directory without an `__init__.py` gives
    /// way to a package elsewhere, so it has to have everything that is asked of it.
    fn import(&mut self, from: &[String], parts: &[&str], import: &Import, all: bool) -> bool {
        let mut directories = from.to_vec();
        let (mut is_plain, mut is_in_submodule) = (false, false);
        for (depth, part) in parts.iter().enumerate() {
            let (best, inner) = self.step(&directories, part, all);
            // What a submodule has can't be seen. One that has the name is taken to have the rest.
            is_in_submodule |= inner.iter().any(|inner| self.tracer.is_submodule(inner));
            if best == ImportTarget::Missing && is_in_submodule {
                return true;
            }
            if best == ImportTarget::Missing {
                let is_complete = depth > 0 && !is_plain;
                if is_complete && !all {
                    // The package is there, its module is not. A symbolic link may stand in its
                    // place, which mostly leads to a directory of the same name elsewhere.
                    self.elsewhere(parts.get(depth..).unwrap_or_default(), import);
                }
                return is_complete;
            }
            is_plain = best == ImportTarget::Directory && (is_plain || depth == 0);
            directories = inner;
        }
        let mut is_complete = true;
        for name in &import.names {
            let found = directories.iter().map(|directory| self.look_into(directory, name)).min();
            is_complete &= !is_plain || found.is_some_and(|found| found != ImportTarget::Missing);
        }
        if import.is_star {
            directories.iter().for_each(|directory| self.look_at_all(directory));
        }
        is_complete || is_in_submodule
    }

    /// What one part of a name is, and the directories in which to look for the next part.
    fn step(
        &mut self,
        directories: &[String],
        part: &str,
        all: bool,
    ) -> (ImportTarget, Vec<String>) {
        let mut inner = Vec::new();
        let mut best = ImportTarget::Missing;
        for directory in directories {
            let found = self.look_into(directory, part);
            best = best.min(found);
            let is_regular = matches!(found, ImportTarget::Package | ImportTarget::Module);
            let is_last = is_regular && !all && !self.search.is_changed;
            if is_last {
                // A package or module ends the search; the plain directories before it are no part
                // of it.
                inner.clear();
            }
            if matches!(found, ImportTarget::Package | ImportTarget::Directory) {
                inner.push(join(directory, part));
            }
            if is_last {
                break;
            }
        }
        (best, inner)
    }

    /// `from package import *` imports the modules that `__all__` lists.
    fn look_at_all(&mut self, directory: &str) {
        let inside = format!("{directory}/");
        let files = self.tracer.files.iter().filter_map(|file| file.strip_prefix(&*inside));
        let submodules =
            self.tracer.submodules.iter().filter_map(|path| path.strip_prefix(&*inside));
        let submodules = submodules.map(|rest| rest.split('/').next().unwrap_or(rest));
        let names: BTreeSet<String> = files
            .filter_map(|rest| match rest.split_once('/') {
                Some((package, _)) => Some(package),
                None => rest.strip_suffix(".py").filter(|name| *name != "__init__"),
            })
            .chain(submodules)
            .map(str::to_owned)
            .collect();
        for name in names {
            self.look(directory, &name);
        }
    }

    /// The same as [`Self::look`]; a submodule, and a directory with one below it, is a directory.
    fn look_into(&mut self, directory: &str, name: &str) -> ImportTarget {
        match self.look(directory, name) {
            ImportTarget::Missing if self.tracer.leads_to_submodule(&join(directory, name)) => {
                ImportTarget::Directory
            }
            found => found,
        }
    }

    /// What a name is in a directory, now; whatever stands or stood there is imported.
    fn look(&mut self, directory: &str, name: &str) -> ImportTarget {
        let tracer = self.tracer;
        let inside = join(directory, name);
        let (module, package) = (format!("{inside}.py"), format!("{inside}/__init__.py"));
        let found = tracer.head.look_up(directory, name);
        match found {
            ImportTarget::Package => self.graph.add(self.path, &package),
            ImportTarget::Module => self.graph.add(self.path, &module),
            ImportTarget::Directory | ImportTarget::Broken | ImportTarget::Missing => {}
        }
        // Also what is not there any more, and links, which have no `.py`.
        for candidate in [&module, &package, &inside] {
            if tracer.changed.contains(candidate.as_str()) {
                self.graph.add(self.path, candidate);
            }
        }
        // A submodule that changed may have the name, or have it no longer, whatever else is there.
        for submodule in &tracer.changed_submodules {
            if self::inside(&inside, submodule).is_some() {
                self.graph.add(self.path, submodule);
            }
        }
        let before = tracer.base.as_ref().map_or(found, |base| base.look_up(directory, name));
        // The name means something else than before, perhaps through files deeper inside a
        // directory. One of them stands for the change in the chain.
        if before != found {
            let below = format!("{inside}/");
            if let Some(moved) = tracer.moved.iter().find(|path| path.starts_with(&*below)) {
                self.graph.add(self.path, moved);
            }
        }
        found
    }
}

fn is_module(change: &ChangedPath) -> bool {
    is_python(change.path.as_bytes())
}

/// Whether a changed path can be a module, a link that leads to one, or a submodule that has some.
pub(super) fn may_be_imported(change: &ChangedPath) -> bool {
    is_module(change) || change.is_submodule || !split(&change.path).1.contains('.')
}

/// In which directories each name is one of a module, a package or a plain directory.
fn directories_of<'t>(files: &[&'t str]) -> HashMap<&'t str, BTreeSet<&'t str>> {
    let mut directories_of: HashMap<&str, BTreeSet<&str>> = HashMap::new();
    let mut known = HashSet::new();
    for file in files {
        let (mut directory, name) = split(file);
        if let Some(name) = name.strip_suffix(".py").filter(|name| *name != "__init__") {
            directories_of.entry(name).or_default().insert(directory);
        }
        while !directory.is_empty() && known.insert(directory) {
            let (above, name) = split(directory);
            directories_of.entry(name).or_default().insert(above);
            directory = above;
        }
    }
    directories_of
}

/// The directory of a path, and its last part.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn parent(path: &str) -> &str {
    split(path).0
}

/// The rest of a path below a directory; empty for the directory itself.
fn inside<'p>(path: &'p str, directory: &str) -> Option<&'p str> {
    if directory.is_empty() || path == directory {
        return Some(path.strip_prefix(directory).unwrap_or(path));
    }
    path.strip_prefix(directory)?.strip_prefix('/')
}
