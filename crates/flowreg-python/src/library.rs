//! The Python files that an analysis may read, and their syntax trees.
//!
//! A file is read and parsed once, however many scripts import it. The trees stay where they are
//! for as long as the library lives, so that values can point into them.

use std::cell::{Cell, RefCell};
use std::hash::{DefaultHasher, Hash, Hasher};

use elsa::{FrozenMap, FrozenVec};
use foldhash::{HashMap, HashSet};
use ruff_python_ast::{Expr, ModExpression, ModModule, Stmt};
use ruff_python_parser::Parsed;
use serde::{Deserialize, Serialize};

use super::compiler;
use super::deploy_calls::may_deploy;
use super::nesting;
use super::python::Python;
use super::source::{self, SyntaxError};
use super::source_roots::SourceRoots;

/// What a name leads to in a directory, in the order in which Python looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ImportTarget {
    /// A directory with an `__init__.py`.
    Package,
    /// A file `name.py`.
    Module,
    /// A directory without an `__init__.py`, with Python files somewhere below: a part of a namespace
    /// package.
    Directory,
    /// A symbolic link that can't be followed: what Python finds there is not known.
    Broken,
    /// No such name.
    Missing,
}

/// Which Python files a tree has.
#[derive(Debug, Default)]
pub struct Layout {
    /// The paths of all files, without `.py`.
    modules: HashSet<String>,
    /// The directories with Python files in them or below, and whether they are packages.
    directories: HashMap<String, bool>,
    /// The names of all modules and packages, and the directory that has each, the one nearest to the
    /// root.
    names: HashMap<String, String>,
    /// What is wrong with the symbolic links that can't be followed, by their paths.
    broken_links: HashMap<String, String>,
    /// The Python that the project is for.
    pub python: Python,
    /// From which other directories Python imports.
    pub source_roots: SourceRoots,
}

impl Layout {
    /// The layout of a tree with these files, given from its root.
    pub fn new<'p>(paths: impl IntoIterator<Item = &'p str>) -> Self {
        let mut layout = Layout::default();
        for path in paths {
            let Some(stem) = path.strip_suffix(".py") else { continue };
            let (directory, name) = stem.rsplit_once('/').unwrap_or(("", stem));
            layout.modules.insert(stem.to_owned());
            // Only what can be imported by a name counts: `a/b/__init__.py` is the module `b` in `a`.
            let (place, module) = match name {
                "__init__" => directory.rsplit_once('/').unwrap_or(("", directory)),
                name => (directory, name),
            };
            layout.add_name(module, place);
            layout.add_directory(directory, name == "__init__");
        }
        layout
    }

    fn add_name(&mut self, module: &str, place: &str) {
        let depth = |place: &str| place.matches('/').count();
        match self.names.get_mut(module) {
            Some(known) if depth(known) <= depth(place) => {}
            Some(known) => place.clone_into(known),
            None => {
                self.names.insert(module.to_owned(), place.to_owned());
            }
        }
    }

    /// Notes a directory and all above it. Once a known one is met, those above it are known, too.
    fn add_directory(&mut self, mut directory: &str, mut is_package: bool) {
        while !directory.is_empty() {
            if let Some(known) = self.directories.get_mut(directory) {
                *known |= is_package;
                return;
            }
            self.directories.insert(directory.to_owned(), is_package);
            is_package = false;
            directory = directory.rsplit_once('/').map_or("", |(parent, _)| parent);
        }
    }

    /// The same layout with symbolic links that can't be followed: the path of each, and what is wrong
    /// with it.
    #[must_use]
    pub fn with_broken_links(self, links: impl IntoIterator<Item = (String, String)>) -> Self {
        Layout { broken_links: links.into_iter().collect(), ..self }
    }

    /// The link that stands under a name and can't be followed: its path, and what is wrong with it.
    pub(crate) fn broken_link(&self, directory: &str, name: &str) -> Option<(&str, &str)> {
        if self.broken_links.is_empty() {
            return None;
        }
        let path = join(directory, name);
        let module = format!("{path}.py");
        let found = self.broken_links.get_key_value(&path);
        let (path, problem) = found.or_else(|| self.broken_links.get_key_value(&module))?;
        Some((path, problem))
    }

    /// The same layout, for a project that runs on `python`.
    #[must_use]
    pub fn for_python(self, python: Python) -> Self {
        Layout { python, ..self }
    }

    /// The same layout, with directories from which Python imports as well.
    #[must_use]
    pub fn with_source_roots(self, source_roots: SourceRoots) -> Self {
        Layout { source_roots, ..self }
    }

    /// Whether there are Python files in a directory or below it.
    pub(crate) fn has_directory(&self, directory: &str) -> bool {
        self.directories.contains_key(directory)
    }

    /// What `name` is in `directory`; the root is the empty path.
    pub fn look_up(&self, directory: &str, name: &str) -> ImportTarget {
        // The order in which the finders of CPython look inside one directory: package, module, and
        // a directory without `__init__.py` only as a last resort (docs/facts/python.md, "Loading a
        // script").
        let path = join(directory, name);
        match self.directories.get(&path) {
            Some(true) => ImportTarget::Package,
            _ if self.modules.contains(&path) => ImportTarget::Module,
            Some(false) => ImportTarget::Directory,
            None if self.broken_link(directory, name).is_some() => ImportTarget::Broken,
            None => ImportTarget::Missing,
        }
    }

    /// A text that stands for the Python and the source roots in the cache: answers for one are not used
    /// for another.
    pub fn profile(&self) -> String {
        let mut hasher = DefaultHasher::new();
        self.source_roots.hash(&mut hasher);
        format!("{} {:x}", self.python.profile(), hasher.finish())
    }

    /// The directory that has a module, a package or, if there is no such, any directory with Python
    /// files of this name below the root; of several, the one nearest to the root.
    pub fn directory_with(&self, name: &str) -> Option<&str> {
        let plain = || {
            let above = |directory: &'_ String| {
                let (above, leaf) = directory.rsplit_once('/')?;
                (leaf == name).then_some(above.len())
            };
            let found = self
                .directories
                .keys()
                .filter_map(|directory| Some((above(directory)?, directory.as_str())));
            let (length, directory) = found.min()?;
            directory.get(..length)
        };
        self.directory_of(name).filter(|directory| !directory.is_empty()).or_else(plain)
    }

    /// The directory that has a module or package called `name`; of several, the one nearest to the
    /// root.
    pub fn directory_of(&self, name: &str) -> Option<&str> {
        self.names.get(name).map(String::as_str)
    }
}

/// The path of `name` inside `directory`; the root is the empty path.
pub fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.to_owned() } else { format!("{directory}/{name}") }
}

/// A file that was read and parsed.
pub(crate) struct ParsedFile {
    pub text: String,
    pub parsed: Parsed<ModModule>,
    /// What not every Python that the project may run on can read.
    pub other_version: Option<SyntaxError>,
    /// Whether it may have calls that deploy flows.
    pub may_deploy: bool,
}

impl ParsedFile {
    pub(crate) fn body(&self) -> &[Stmt] {
        &self.parsed.syntax().body
    }
}

/// Why a file could not be read, in the words of whoever keeps the files (git, a disk, a test).
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct ReadError(#[from] pub Box<dyn std::error::Error + Send + Sync>);

/// Gives the analyser the contents of the files that a [`Layout`] lists.
///
/// The analyser does no input or output itself: the files may come from a commit, a directory or
/// a test. Closures implement it, so that a short one can stand where a whole type is too much.
/// Several threads may share one, hence `Sync`.
pub trait SourceFiles: Sync {
    /// The bytes of the file at `path`, given from the root of the layout. Only paths of the
    /// layout are asked for; a file that is gone all the same may be given as empty.
    ///
    /// # Errors
    /// [`ReadError`] if the file can't be read. It ends the analysis: an answer from half of the
    /// files would be wrong without saying so.
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError>;
}

impl<F: Fn(&str) -> Result<Vec<u8>, ReadError> + Sync> SourceFiles for F {
    fn read(&self, path: &str) -> Result<Vec<u8>, ReadError> {
        self(path)
    }
}

/// The files of a tree, as far as they were asked for.
pub struct Library<'s> {
    /// Which files there are.
    pub(crate) layout: &'s Layout,
    sources: &'s dyn SourceFiles,
    /// How deeply a file may nest that is read here.
    deepest: usize,
    files: FrozenMap<String, Box<Result<ParsedFile, SyntaxError>>>,
    annotations: FrozenVec<Box<Parsed<ModExpression>>>,
    size: Cell<usize>,
    failure: RefCell<Option<ReadError>>,
}

impl<'s> Library<'s> {
    /// A library without any file read yet.
    pub fn new(layout: &'s Layout, sources: &'s dyn SourceFiles) -> Self {
        Self::with_depth(layout, sources, nesting::SHALLOW)
    }

    /// A library that refuses files which nest more deeply than `deepest`.
    pub(crate) fn with_depth(
        layout: &'s Layout,
        sources: &'s dyn SourceFiles,
        deepest: usize,
    ) -> Self {
        Library {
            layout,
            sources,
            deepest,
            files: FrozenMap::new(),
            annotations: FrozenVec::new(),
            size: Cell::new(0),
            failure: RefCell::new(None),
        }
    }

    /// Where the contents of the files come from.
    pub(crate) fn sources(&self) -> &'s dyn SourceFiles {
        self.sources
    }

    /// How much source text is held, in bytes. The syntax trees take some ten times as much.
    pub fn size(&self) -> usize {
        self.size.get()
    }

    /// The first error that reading a file met.
    pub(crate) fn take_failure(&self) -> Option<ReadError> {
        self.failure.take()
    }

    /// The file at `path`, read when it is asked for the first time.
    pub(crate) fn file(&self, path: &str) -> &Result<ParsedFile, SyntaxError> {
        if let Some(file) = self.files.get(path) {
            return file;
        }
        // The interpreter has no way to stop in the middle of an evaluation. It goes on with an
        // empty file, and whoever started it asks for the failure and drops the answer.
        let source = self.sources.read(path).unwrap_or_else(|error| {
            self.failure.borrow_mut().get_or_insert(error);
            Vec::new()
        });
        self.insert(path, &source)
    }

    /// The script at `path` with its content, kept as long as the library: what scripts share may hold
    /// parts of it.
    pub(crate) fn script(&self, path: &str, source: &[u8]) -> &Result<ParsedFile, SyntaxError> {
        match self.files.get(path) {
            Some(file) => file,
            None => self.insert(path, source),
        }
    }

    fn insert(&self, path: &str, source: &[u8]) -> &Result<ParsedFile, SyntaxError> {
        self.size.set(self.size.get() + source.len());
        self.files.insert(path.to_owned(), Box::new(self.parse(source)))
    }

    /// Parses a file without keeping it.
    ///
    /// # Errors
    /// [`SyntaxError`] for what Python could not read, or what nests too deeply.
    fn parse(&self, source: &[u8]) -> Result<ParsedFile, SyntaxError> {
        let text = source::decode(source)?.into_owned();
        if nesting::depth(&text) > self.deepest {
            return Err(SyntaxError { message: nesting::TOO_DEEP.to_owned(), at: 0 });
        }
        let python = self.layout.python;
        // Parsed as the oldest Python of the project: what a newer one reads is then reported apart
        // from errors that every Python has.
        let parsed = source::parse_module(&text, python.oldest())?;
        compiler::check(&text, &parsed.syntax().body)?;
        let other_version = source::other_version(&parsed);
        match (python, other_version) {
            // If the project names its Python, syntax of another version is an error like any
            // other. If it allows several, some of them can read the file: the flows are listed,
            // but are not exact.
            (Python::Exactly(_), Some(error)) => Err(error),
            (_, other_version) => {
                let other_version = other_version.map(|SyntaxError { message, at }| {
                    let message = format!("{message}, and {}", whose(python));
                    SyntaxError { message, at }
                });
                let may_deploy = may_deploy(text.as_bytes());
                Ok(ParsedFile { text, parsed, other_version, may_deploy })
            }
        }
    }

    /// Parses the text of a quoted annotation; `None` if it is not an expression.
    pub(crate) fn annotation(&self, text: &str) -> Option<&Expr> {
        let parsed = source::parse_annotation(text)?;
        Some(self.annotations.push_get(Box::new(parsed)).expr())
    }
}

/// Why a project may run on a Python that can't read a file.
fn whose(python: Python) -> String {
    match python {
        Python::Exactly(minor) => format!("the project runs on Python 3.{minor}"),
        Python::AtLeast(minor) => format!("the project allows any Python from 3.{minor} on"),
        Python::Assumed => {
            "no `.python-version` or `requires-python` says which Python the project runs on"
                .to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_goes_before_a_module_and_a_bare_directory_comes_last() {
        let layout = Layout::new(["a/__init__.py", "a.py", "b/c/d.py", "b.py", "deep/er/x.py"]);
        assert_eq!(layout.look_up("", "a"), ImportTarget::Package);
        assert_eq!(layout.look_up("", "b"), ImportTarget::Module);
        assert_eq!(layout.look_up("b", "c"), ImportTarget::Directory);
        assert_eq!(layout.look_up("b/c", "d"), ImportTarget::Module);
        assert_eq!(layout.look_up("", "d"), ImportTarget::Missing);
        assert_eq!(layout.directory_of("x"), Some("deep/er"));
        assert_eq!(layout.directory_of("a"), Some(""));
        assert_eq!(layout.directory_of("deep"), None);
        assert_eq!(layout.directory_of("__init__"), None);
    }
}
