//! Import statements, as Prefect's loader runs them: modules of the repository are read and
//! evaluated, those of the standard library, pydantic and Prefect are known by tables, all others
//! are taken as installed (docs/facts/python.md, "Loading a script").

use std::rc::Rc;

use ruff_python_ast::{Alias, StmtImport, StmtImportFrom};

use super::search::ModuleLocation;
use super::{Evaluated, Interpreter, Raised};
use crate::effects::SearchChange;
use crate::library::ImportTarget;
use crate::nesting;
use crate::source;
use crate::symbols;
use crate::value::{Imported, Location, Scope, Text, Value};

/// How many parts a module's name may have. Each may run a module, and they run inside each other.
pub(super) const LONGEST_NAME: usize = 50;

impl<'a> Interpreter<'a> {
    pub(super) fn import(&self, import: &'a StmtImport, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        for alias in &import.names {
            let path = alias.name.as_str();
            let value = self.import_module(path, scope)?;
            match (&alias.asname, path.split_once('.')) {
                (Some(name), Some((top, rest))) if matches!(value, Value::Module(_)) => {
                    // `import a.b as c` binds what `a` has under the name `b`, as `from a import b`.
                    let top = self.import_module(top, scope)?;
                    let mut parts = rest.split('.');
                    let value = parts.try_fold(top, |owner, part| self.part_of(&owner, part))?;
                    self.set(scope, name.as_str(), value);
                }
                (Some(name), _) => self.set(scope, name.as_str(), value),
                (None, None) => self.set(scope, path, value),
                (None, Some((top, _))) => {
                    // `import a.b` runs both, and binds `a`.
                    let value = self.import_module(top, scope)?;
                    self.set(scope, top, value);
                }
            }
        }
        Ok(())
    }

    pub(super) fn import_from(
        &self,
        import: &'a StmtImportFrom,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let name = import.module.as_ref().map_or("", |module| module.as_str());
        // Changes the compiler only; `postpones_annotations` looks at it.
        if name == "__future__" {
            return Ok(());
        }
        let from = if import.level == 0 {
            self.import_module(name, scope)?
        } else {
            self.import_relative(import.level, name, scope)?
        };
        for alias in &import.names {
            let name = alias.name.as_str();
            if name == "*" {
                self.import_star(&from, scope)?;
                continue;
            }
            let value = self.member(&from, name)?;
            let bound = alias.asname.as_ref().map_or(name, |asname| asname.as_str());
            self.set(scope, bound, value);
        }
        Ok(())
    }

    /// What an owner has under a name that `import` has just loaded as its submodule.
    fn part_of(&self, owner: &Value<'a>, name: &str) -> Evaluated<Value<'a>> {
        if let Value::Module(imported) = owner {
            return self.member_of(imported, name);
        }
        match self.attribute(owner, name) {
            // It may have the `__name__` of a module that has one.
            Err(raised) if raised.kind == "AttributeError" => match owner {
                Value::Class(_) | Value::Function(_) | Value::Opaque(_) => {
                    let why = format!("`{name}` may be a module or an attribute");
                    self.note_possible_error(why.clone());
                    Ok(self.unknown(why))
                }
                _ => self.raise("ImportError", format!("cannot import name '{name}'")),
            },
            other => other,
        }
    }

    /// Whether an import statement depends on what is installed.
    pub(super) fn is_foreign(&self, module: &str, names: &[Alias]) -> bool {
        let Some(top) = module.split('.').next() else { return false };
        !symbols::is_known_module(module)
            && (!self.is_ours(top) || self.is_elsewhere(module, names))
    }

    /// Whether an import needs a part of a namespace package that the repository does not have: another
    /// package may have it.
    fn is_elsewhere(&self, module: &str, names: &[Alias]) -> bool {
        let top = module.split('.').next().unwrap_or(module);
        let mut search = self.search_for(top).directories;
        for part in module.split('.') {
            match self.find(&search, part) {
                None => return true,
                Some(ModuleLocation::File { .. }) => return false,
                Some(ModuleLocation::Directories(directories)) => search = directories,
            }
        }
        names.iter().any(|alias| self.find(&search, alias.name.as_str()).is_none())
    }

    /// The module that `import path` would give under its last name.
    pub(super) fn import_module(&self, path: &str, scope: &Rc<Scope<'a>>) -> Evaluated<Value<'a>> {
        let top = path.split('.').next().unwrap_or(path);
        if symbols::is_known_module(path) {
            // `symbols` knows all names of some modules, and with them what is no submodule.
            if path.contains('.') && symbols::value(path, self.here(), self.python()).is_none() {
                return self.not_found(path);
            }
            self.check_module_age(top);
            if let Some(why) = symbols::may_lack_module(path) {
                self.note_possible_error(why);
            }
            // What Prefect has loaded stands in `sys.modules` and is found there. For other modules
            // of the standard library it depends on the search path, in which the script's
            // directory comes first.
            let is_loaded = !symbols::is_standard(top) || symbols::is_loaded_by_prefect(top);
            if is_loaded || !(self.is_ours(top) || self.is_before_standard(top)) {
                return Ok(Value::symbol(path));
            }
            let why =
                format!("`{top}` is a module of the repository and one of the standard library");
            return Ok(self.unknown(why));
        }
        let search = self.search_for(top);
        let found = || search.directories.iter().map(|directory| self.found_in(directory, top));
        let is_end = |found: &ImportTarget| {
            matches!(found, ImportTarget::Package | ImportTarget::Module | ImportTarget::Broken)
        };
        if found().find(is_end) == Some(ImportTarget::Broken) {
            return Ok(self.behind_broken_link(&search.directories, top));
        }
        if let Some(why) = search.doubt {
            return Ok(self.unknown(why));
        }
        let roots = &self.library.layout.source_roots;
        match found().min().unwrap_or(ImportTarget::Missing) {
            ImportTarget::Missing => Ok(self.not_found_here(path, top)),
            // An installed package goes before a directory without `__init__.py`, wherever that is.
            ImportTarget::Directory if roots.may_be_installed(top) => {
                Ok(Value::External(path.into()))
            }
            found => {
                if let Some(unknown) = self.why_search_unknown.borrow().as_ref() {
                    return Ok(Value::Unknown(Rc::clone(unknown)));
                }
                if search.is_rooted {
                    self.rooted.borrow_mut().insert(top.into());
                }
                let outcome = self.load(path, scope);
                if let Some(unknown) = self.why_replaced(&outcome) {
                    return Ok(unknown);
                }
                match outcome {
                    // A directory without `__init__.py` that lacks the module proves nothing: an
                    // installed package of the name would have been used instead of it.
                    Err(raised) if found == ImportTarget::Directory && is_missing(&raised) => {
                        Ok(Value::External(path.into()))
                    }
                    other => self.loaded(other, path),
                }
            }
        }
    }

    fn import_relative(
        &self,
        level: u32,
        name: &str,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let path = self.absolute(level, name, scope)?;
        let outcome = self.load(&path, scope);
        match self.why_replaced(&outcome) {
            Some(unknown) => Ok(unknown),
            None => self.loaded(outcome, &path),
        }
    }

    /// What an import gives of a module that may have put something else into `sys.modules` while it ran.
    fn why_replaced(&self, outcome: &Evaluated<Rc<Imported<'a>>>) -> Option<Value<'a>> {
        let imported = outcome.as_ref().ok()?;
        if imported.module.effects.search < SearchChange::Loaded {
            return None;
        }
        let unknown = self.why_search_unknown.borrow().clone()?;
        let value = Value::Unknown(unknown);
        self.note_may_be(&value, [Value::Module(Rc::clone(imported))]);
        Some(value)
    }

    /// The full name of a module that is named from where it is imported.
    pub(super) fn absolute(
        &self,
        level: u32,
        name: &str,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<String> {
        let module = &scope.module;
        let beyond =
            || self.raise("ImportError", "attempted relative import beyond top-level package");
        let own = self.imported.borrow().get(&module.name).cloned();
        let is_package = own.as_ref().is_some_and(|own| !own.search.is_empty());
        // Prefect makes the script a package at the top, so in it one dot works and two don't.
        let package = if is_package {
            &*module.name
        } else {
            let Some((package, _)) = module.name.rsplit_once('.') else {
                let message = "attempted relative import with no known parent package";
                return self.raise("ImportError", message);
            };
            package
        };
        let mut package = package;
        for _ in 1..level {
            match package.rsplit_once('.') {
                Some((parent, _)) => package = parent,
                None => return beyond(),
            }
        }
        Ok(if name.is_empty() { package.to_owned() } else { format!("{package}.{name}") })
    }

    /// The value of an import. Modules that a build writes (`_version.py`) are missing in the
    /// repository and there on every machine, so that they are unknown instead of an error.
    pub(super) fn loaded(
        &self,
        outcome: Evaluated<Rc<Imported<'a>>>,
        path: &str,
    ) -> Evaluated<Value<'a>> {
        match outcome {
            Ok(imported) => Ok(Value::Module(imported)),
            Err(raised) if is_missing(&raised) && is_generated(path) => {
                Ok(self.unknown(format!("the module `{path}` is made by a build")))
            }
            Err(raised) if raised.kind == NOT_READ => {
                Ok(self.unknown(format!("the module `{path}` is not read: {}", raised.message)))
            }
            Err(raised) if is_missing(&raised) && self.is_rooted(path) => {
                Ok(Value::External(path.into()))
            }
            Err(raised) if self.is_rooted(path) => Ok(self.doubtful(&raised)),
            Err(raised) => Err(raised),
        }
    }

    /// The value of a module that a symbolic link stands for which can't be followed. That the script
    /// imports it is a problem: on a worker the link most likely leads nowhere.
    fn behind_broken_link(&self, search: &[Text], name: &str) -> Value<'a> {
        let layout = self.library.layout;
        let link = search.iter().find_map(|directory| layout.broken_link(directory, name));
        let Some((path, problem)) = link else { return Value::External(name.into()) };
        // The link is one of the files that the answer depends on.
        self.dependencies.borrow_mut().files.insert(path.to_owned());
        self.broken_links.borrow_mut().push((self.here(), problem.to_owned()));
        self.mark_script_inexact(problem);
        self.unknown(problem)
    }

    /// The value of a module that is in no directory where Python looks, as far as the repository
    /// says. It is taken as installed, also if the repository has it elsewhere.
    fn not_found_here(&self, path: &str, top: &str) -> Value<'a> {
        let layout = self.library.layout;
        let directory = layout.directory_of(top);
        let elsewhere = (top.to_owned(), directory.map(str::to_owned));
        self.dependencies.borrow_mut().elsewhere.extend([elsewhere]);
        match directory {
            Some(directory) if !layout.source_roots.is_dependency(top) => self.unknown(format!(
                "`{top}` is in `{}`, and no file says that Python looks there (`search_path` under \
                 [flows] would)",
                if directory.is_empty() { "." } else { directory },
            )),
            _ => Value::External(path.into()),
        }
    }

    /// Whether a module is one of a source root that was found in the project's files. What is missing
    /// there may have been made by its build.
    pub(super) fn is_rooted(&self, path: &str) -> bool {
        self.rooted.borrow().contains(path.split('.').next().unwrap_or(path))
    }

    /// What an import of a source root's module means that raises here: the installed one may differ.
    fn doubtful(&self, raised: &Raised) -> Value<'a> {
        let why = format!("an import of a source root may raise {}", raised.kind);
        self.note_possible_error(why.clone());
        self.unknown(why)
    }

    /// A module of the repository, after it and its parents ran.
    pub(super) fn load(&self, name: &str, scope: &Rc<Scope<'a>>) -> Evaluated<Rc<Imported<'a>>> {
        if name.matches('.').count() >= LONGEST_NAME {
            return self.not_found(name);
        }
        let mut parent: Option<Rc<Imported<'a>>> = None;
        let ends = name.match_indices('.').map(|(at, _)| at).chain([name.len()]);
        for end in ends {
            let Some(path) = name.get(..end) else { continue };
            // Python runs the parents of a module first, and each module once. One that is still
            // running, in a circle of imports, is taken as it is.
            let known = self.imported.borrow().get(path).cloned();
            let imported = if let Some(known) = known {
                known
            } else {
                let leaf = path.rsplit('.').next().unwrap_or(path);
                let search = match &parent {
                    Some(parent) => parent.search.clone(),
                    None => self.search_for(leaf).directories,
                };
                let Some(location) = self.find(&search, leaf) else {
                    if let Value::Unknown(unknown) = self.behind_broken_link(&search, leaf) {
                        return self.raise(NOT_READ, unknown.why.clone());
                    }
                    return self.not_found(path);
                };
                let imported = if let Some(imported) = self.shared(path, &location)? {
                    imported
                } else {
                    if self.open_guesses.get() > 0 && self.program.is_none() {
                        self.doubt_import(path);
                    }
                    self.run_module(path, location, scope)?
                };
                if let Some(parent) = &parent {
                    become_attribute(parent, leaf, &imported);
                }
                imported
            };
            self.note_import(scope, &imported);
            parent = Some(imported);
        }
        match parent {
            Some(imported) => Ok(imported),
            None => self.not_found(name),
        }
    }

    /// Notes that whether a submodule is loaded that is not an attribute of its package depends on what the
    /// script has imported before.
    fn note_unloaded(&self, package: &Imported<'a>, name: &str) {
        if self.unit.is_some()
            && !package.search.is_empty()
            && self.find(&package.search, name).is_some()
        {
            self.keep_to_itself();
        }
    }

    /// Notes a possible error if the project's Python no longer has a module.
    fn check_module_age(&self, top: &str) {
        let Some(minor) = symbols::was_removed_with(top) else { return };
        if self.python().at_least(minor) == Some(true) {
            // A package of that name may be installed.
            self.note_possible_error(format!("Python 3.{minor} has no module `{top}`"));
        }
    }

    fn not_found<T>(&self, name: &str) -> Evaluated<T> {
        self.raise("ModuleNotFoundError", format!("No module named '{name}'"))
    }

    fn note_import(&self, scope: &Scope<'a>, imported: &Imported<'a>) {
        let (from, to) = (&scope.module.path, &imported.module.path);
        if !to.is_empty() && !from.is_empty() && from != to {
            self.dependencies.borrow_mut().imports.insert((from.to_string(), to.to_string()));
        }
    }

    fn run_module(
        &self,
        name: &str,
        location: ModuleLocation,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Rc<Imported<'a>>> {
        let (path, search) = match location {
            ModuleLocation::File { path, search } => (path, search),
            ModuleLocation::Directories(directories) => {
                let imported = self.new_imported(&self.new_module(name, "", "", &[]), directories);
                imported.is_running.set(false);
                return Ok(imported);
            }
        };
        let site = self.here();
        self.dependencies.borrow_mut().files.insert(path.clone());
        let file = match self.library.file(&path) {
            Ok(file) => file,
            // Not an error of Python's: it may be read on a larger stack.
            Err(error) if error.message == nesting::TOO_DEEP => {
                self.needs_depth.set(true);
                return self.raise(NOT_READ, error.message.clone());
            }
            Err(error) => {
                let message = format!("{} ({path})", error.message);
                return self.raise("SyntaxError", message);
            }
        };
        if let Some(error) = &file.other_version {
            self.note_possible_error(format!("{path}: {}", error.message));
        }
        let body = file.body();
        let module = self.new_module(name, &path, &file.text, body);
        if !scope.module.path.is_empty() {
            self.dependencies.borrow_mut().imports.insert((scope.module.path.to_string(), path));
        }
        let imported = self.new_imported(&module, search);
        let doc = source::docstring(body).map_or(Value::None, Value::text);
        imported.scope.set("__doc__", doc);
        // If the module runs at all, its own statements run for certain, also where the import
        // stands under a condition that is not known.
        let open_guesses = self.open_guesses.replace(0);
        let outcome = self.deeper(
            || self.block(body, &imported.scope),
            || self.raise(NOT_READ, "imports are nested too deeply"),
        );
        self.open_guesses.set(open_guesses);
        self.at.set(site);
        imported.is_running.set(false);
        if let Err(raised) = outcome {
            // Python takes a module that raised out of `sys.modules`; the next import runs it
            // again.
            self.imported.borrow_mut().remove(name);
            return passed(raised, site);
        }
        Ok(imported)
    }

    /// `from module import name`.
    fn member(&self, from: &Value<'a>, name: &str) -> Evaluated<Value<'a>> {
        Ok(match from {
            Value::Unknown(_) => from.clone(),
            Value::External(path) => Value::External(format!("{path}.{name}").into()),
            Value::Symbol(path) => {
                let full = format!("{path}.{name}");
                let Some(value) = symbols::value(&full, self.here(), self.python()) else {
                    let message = format!("cannot import name '{name}' from '{path}'");
                    return self.raise("ImportError", message);
                };
                if let Some(minor) = symbols::came_with(&full)
                    // The name exists on some of the Pythons that the project allows.
                    && self.python().lacks(minor).is_none()
                {
                    self.note_possible_error(format!("`{full}` came with Python 3.{minor}"));
                }
                if let Some(why) = symbols::may_lack(&full) {
                    self.note_possible_error(why);
                }
                value
            }
            Value::Module(imported) => return self.member_of(imported, name),
            other => self.unknown_because(other, "an import"),
        })
    }

    fn member_of(&self, imported: &Rc<Imported<'a>>, name: &str) -> Evaluated<Value<'a>> {
        if let Some(value) = self.module_attribute(imported, name) {
            return Ok(value);
        }
        let path = format!("{}.{name}", imported.module.name);
        if !imported.search.is_empty() {
            // `from package import name` may mean a submodule that nobody has imported yet.
            let outcome = self.load(&path, &imported.scope);
            let is_made = is_generated(name) || self.is_rooted(&path);
            if is_made || !matches!(&outcome, Err(raised) if is_missing(raised)) {
                return self.loaded(outcome, &path);
            }
        }
        if self.is_rooted(&path) {
            return Ok(self.unknown(format!("`{path}` is not in the source root")));
        }
        if self.is_open(imported) {
            return Ok(Value::External(path.into()));
        }
        let why = if imported.is_running.get() { "partially initialized module " } else { "" };
        let module = &imported.module.name;
        self.raise("ImportError", format!("cannot import name '{name}' from {why}'{module}'"))
    }

    /// Whether a module is a namespace package of which other packages may have portions: its submodules
    /// are looked for on all of Python's path.
    fn is_open(&self, imported: &Imported<'a>) -> bool {
        let name = &imported.module.name;
        let is_namespace = |imported: &Imported<'a>| {
            imported.module.path.is_empty() && !imported.search.is_empty()
        };
        let parents = name.match_indices('.').filter_map(|(at, _)| name.get(..at));
        let known = self.imported.borrow();
        is_namespace(imported)
            && parents
                .into_iter()
                .all(|parent| known.get(parent).is_none_or(|parent| is_namespace(parent)))
    }

    /// A name of a module; `None` if it certainly has none.
    pub(super) fn module_attribute(
        &self,
        imported: &Imported<'a>,
        name: &str,
    ) -> Option<Value<'a>> {
        let module = &imported.module;
        let own = imported.scope.own(name);
        let unknown = module.inexact.borrow();
        match (own, &*unknown) {
            // `globals()[…] = …` at the top of the module may have bound the name anew.
            (Some(_), Some(unknown)) if module.effects.is_dynamic_at_import => {
                Some(Value::Unknown(Rc::clone(unknown)))
            }
            (Some(value), _) => Some(value.unless_lost()),
            (None, Some(unknown)) => Some(Value::Unknown(Rc::clone(unknown))),
            (None, None) if imported.scope.own("__getattr__").is_some() => {
                let why = format!("`{}` makes `{name}` with `__getattr__`", module.path);
                Some(self.unknown(why))
            }
            (None, None) if symbols::is_of_every_module(name) => {
                Some(self.unknown(format!("`{name}` of a module")))
            }
            (None, None) => {
                self.note_unloaded(imported, name);
                None
            }
        }
    }

    /// What a module lacks as an attribute; `None` if that raises.
    pub(super) fn lacking(&self, imported: &Imported<'a>, name: &str) -> Option<Value<'a>> {
        // Another package's code may have imported its own portion.
        self.is_open(imported)
            .then(|| Value::External(format!("{}.{name}", imported.module.name).into()))
    }
}

/// A loaded submodule becomes an attribute of its package.
pub(super) fn become_attribute<'a>(
    package: &Imported<'a>,
    leaf: &str,
    submodule: &Rc<Imported<'a>>,
) {
    let value = Value::Module(Rc::clone(submodule));
    match package.scope.own(leaf) {
        Some(Value::Module(known)) if Rc::ptr_eq(&known, submodule) => {}
        Some(_) => package.scope.set(leaf, value),
        // A package that others have made stays what it is for modules that ask for nothing else.
        None => package.scope.names.borrow_mut_silently().set(leaf.into(), value),
    }
}

/// The kind of an error that is flowreg's, not Python's: a file that is not read.
const NOT_READ: &str = "(not read)";

/// Whether the module itself was not found, not one that it imports.
pub(super) fn is_missing(raised: &Raised) -> bool {
    raised.kind == "ModuleNotFoundError" && raised.through.is_none()
}

/// A module that a build usually writes, and that no repository holds.
pub(super) fn is_generated(path: &str) -> bool {
    let leaf = path.rsplit('.').next().unwrap_or(path);
    matches!(leaf, "_version" | "version" | "__version__" | "_version__")
}

/// An exception that left an import or a call at `site`.
pub(super) fn passed<T>(mut raised: Box<Raised>, site: Location) -> Evaluated<T> {
    raised.through = Some(site);
    Err(raised)
}
