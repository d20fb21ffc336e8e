//! Import statements. Modules of the repository are not followed here: what they hold is
//! [`Value::External`].

use std::rc::Rc;

use ruff_python_ast::{StmtImport, StmtImportFrom};

use super::{Evaluated, Interpreter};
use crate::flow::symbols::{self, Origin};
use crate::flow::value::Scope;
use crate::flow::value::Value;

impl<'a> Interpreter<'a> {
    pub(super) fn import(import: &'a StmtImport, scope: &Rc<Scope<'a>>) {
        for alias in &import.names {
            let path = alias.name.as_str();
            if let Some(name) = &alias.asname {
                scope.set(name.as_str(), module(path));
            } else {
                let top = path.split('.').next().unwrap_or(path);
                scope.set(top, module(top));
            }
        }
    }

    pub(super) fn import_from(
        &self,
        import: &'a StmtImportFrom,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let name = import.module.as_ref().map_or("", |module| module.as_str());
        if name == "__future__" {
            return Ok(());
        }
        if import.level > 1 {
            // A file entrypoint has no package above it (facts a.1).
            return self.raise("ImportError", "attempted relative import beyond top-level package");
        }
        let path = if import.level == 1 { format!(".{name}") } else { name.to_owned() };
        for alias in &import.names {
            let name = alias.name.as_str();
            if name == "*" {
                self.import_star(&path, scope);
                continue;
            }
            let full = if path == "." { format!(".{name}") } else { format!("{path}.{name}") };
            let value = match module(&path) {
                Value::External(_) => Value::External(full.into()),
                _ => {
                    if let Some(value) = symbols::value(&full, self.here()) {
                        value
                    } else {
                        let message = format!("cannot import name '{name}' from '{path}'");
                        return self.raise("ImportError", message);
                    }
                }
            };
            scope.set(alias.asname.as_ref().map_or(name, |asname| asname.as_str()), value);
        }
        Ok(())
    }

    fn import_star(&self, path: &str, scope: &Rc<Scope<'a>>) {
        let names = match symbols::origin(path) {
            Origin::Known => symbols::star(path),
            Origin::External => None,
        };
        let Some(names) = names else {
            self.doubt(format!("`from {path} import *` may bind any name"), self.here());
            return;
        };
        for name in names {
            if let Some(value) = symbols::value(&format!("{path}.{name}"), self.here()) {
                scope.set(&name, value);
            }
        }
    }
}

fn module<'a>(path: &str) -> Value<'a> {
    match symbols::origin(path) {
        Origin::Known if !path.starts_with('.') => Value::symbol(path),
        _ => Value::External(path.into()),
    }
}
