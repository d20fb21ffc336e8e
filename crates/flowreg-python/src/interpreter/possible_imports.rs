//! Imports that may happen: in code that is not run, under a condition, or by a name. A module that changes
//! nothing but its own objects makes no difference then. Another one leaves nothing certain.

use std::rc::Rc;

use ruff_python_ast::Stmt;

use super::imports::LONGEST_NAME;
use super::search::ModuleLocation;
use super::{Evaluated, Interpreter};
use crate::symbols;
use crate::value::{Keywords, Scope, Unknown, Value};

/// Functions that run a file as a module, or make what does, and are given its path.
const RUN_FILES: &[&str] = &[
    "importlib.machinery.SourceFileLoader",
    "importlib.util.spec_from_file_location",
    "runpy.run_path",
];

impl<'a> Interpreter<'a> {
    /// Notes that code which is not run may import modules: if one of them changes more than itself, nothing
    /// is certain.
    pub(super) fn may_import(&self, statement: &'a Stmt, scope: &Rc<Scope<'a>>) {
        match statement {
            Stmt::Import(import) => {
                import.names.iter().for_each(|alias| self.may_load(alias.name.as_str()));
            }
            Stmt::ImportFrom(import) => {
                let name = import.module.as_ref().map_or("", |module| module.as_str());
                let base = match import.level {
                    0 => Ok(name.to_owned()),
                    level => self.absolute(level, name, scope),
                };
                // What certainly fails imports nothing.
                let Ok(base) = base else { return };
                self.may_load(&base);
                for alias in &import.names {
                    self.may_load(&format!("{base}.{}", alias.name));
                }
            }
            _ => {}
        }
    }

    /// The same for one module and the packages that it is in.
    pub(super) fn may_load(&self, name: &str) {
        let top = name.split('.').next().unwrap_or(name);
        let is_elsewhere = symbols::is_known_module(name) || name == "__future__";
        if self.program.is_some() || is_elsewhere || name.matches('.').count() >= LONGEST_NAME {
            return;
        }
        let mut search = self.search_for(top).directories;
        for end in name.match_indices('.').map(|(at, _)| at).chain([name.len()]) {
            let Some(path) = name.get(..end) else { return };
            let known = self.imported.borrow().get(path).map(|known| known.search.clone());
            if let Some(known) = known {
                search = known;
                continue;
            }
            let leaf = path.rsplit('.').next().unwrap_or(path);
            let Some(location) = self.find(&search, leaf) else { return };
            if !self.changes_only_itself(path, &location) {
                return self.doubt_import(path);
            }
            search = match location {
                ModuleLocation::File { search, .. } => search,
                ModuleLocation::Directories(directories) => directories,
            };
        }
    }

    /// What a call gives that imports a module by a name which is known; `None` if it is no such call.
    pub(super) fn imported_by_name(
        &self,
        function: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Evaluated<Value<'a>>> {
        let [Value::Str(name)] = arguments else { return None };
        let is_name = !name.is_empty() && name.split('.').all(|part| !part.is_empty());
        if self.program.is_some() || !keywords.is_empty() || !is_name {
            return None;
        }
        let scope = self.scope_here();
        let imported = match function {
            "importlib.import_module" => self.import_module(name, &scope),
            // As an import statement, it gives the package at the top.
            "builtins.__import__" => self
                .import_module(name, &scope)
                .and_then(|_| self.import_module(name.split('.').next().unwrap_or(name), &scope)),
            _ => return None,
        };
        Some(imported)
    }

    /// A call that imports a module which it is given by its name.
    pub(super) fn import_by_name(&self, function: &str, name: Option<&Value<'a>>) {
        let name = name.filter(|_| !RUN_FILES.contains(&function));
        match name.and_then(Value::as_str) {
            // `pkgutil.resolve_name("module:object")`
            Some(name) if !name.starts_with('.') && !name.contains(['/', ' ']) => {
                self.may_load(name.split(':').next().unwrap_or(name));
            }
            _ => self.may_import_any(function),
        }
    }

    pub(super) fn may_import_any(&self, function: &str) {
        self.doubt_values(format!("`{function}()` may import a module that changes others"));
    }

    /// Notes that a module may be imported, or not, that may change what others have made.
    pub(super) fn doubt_import(&self, path: &str) {
        self.doubt_values(format!(
            "whether `{path}` is imported is not known, and it may change other modules"
        ));
    }

    pub(super) fn doubt_values(&self, why: impl Into<String>) {
        if self.program.is_none() {
            let unsure = Rc::new(Unknown { why: why.into(), at: self.here(), is_flow_like: false });
            self.doubt_script(&unsure);
            self.unsure.borrow_mut().get_or_insert(unsure);
        }
    }

    /// Why nothing is certain of any flow of the script, if so: not its name, and not what its parameters are.
    pub(crate) fn why_unsure(&self) -> Option<Rc<Unknown>> {
        self.unsure.borrow().clone()
    }
}

/// Whether a function of the standard library imports the module whose name it is given.
pub(super) fn imports_by_name(path: &str) -> bool {
    const FUNCTIONS: &[&str] = &[
        "builtins.__import__",
        "importlib.import_module",
        "importlib.reload",
        "pkgutil.resolve_name",
        "runpy.run_module",
    ];
    FUNCTIONS.contains(&path) || RUN_FILES.contains(&path)
}
