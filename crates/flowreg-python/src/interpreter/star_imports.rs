//! `from module import *`: the names that `__all__` lists, or all public ones.

use std::rc::Rc;

use super::imports::{is_generated, is_missing};
use super::{Evaluated, Interpreter};
use crate::symbols;
use crate::value::{Imported, Scope, Text, Value};

impl<'a> Interpreter<'a> {
    pub(super) fn import_star(&self, from: &Value<'a>, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        match from {
            Value::Module(imported) => self.import_all(imported, scope),
            Value::Symbol(path) if symbols::star(path).is_some() => {
                for name in symbols::star(path).unwrap_or_default() {
                    if let Some(value) =
                        symbols::value(&format!("{path}.{name}"), self.here(), self.python())
                    {
                        self.set(scope, &name, value);
                    }
                }
                Ok(())
            }
            other => {
                let module = match other {
                    Value::Symbol(path) | Value::External(path) => path,
                    _ => "…",
                };
                let why = format!("`from {module} import *` may bind any name");
                self.mark_module_inexact(&scope.module, why);
                Ok(())
            }
        }
    }

    fn import_all(&self, imported: &Rc<Imported<'a>>, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        let module = &imported.module;
        if module.inexact.borrow().is_some() {
            self.mark_module_inexact(&scope.module, format!("`{}` may bind any name", module.path));
        }
        let listed = imported.scope.own("__all__");
        if let Some(list) = &listed
            && !imported.search.is_empty()
        {
            self.import_listed(imported, list)?;
        }
        // What was imported may have changed or replaced the list.
        let is_listed = listed.is_some();
        let names: Option<Vec<Text>> = match imported.scope.own("__all__") {
            None if is_listed => None,
            None => {
                let names = imported.scope.names.borrow();
                let all = names.iter().map(|(name, _)| Rc::clone(name));
                Some(all.filter(|name| is_public(name)).collect())
            }
            Some(list) => listed_names(&list),
        };
        let Some(names) = names else {
            let why = format!("what `__all__` of `{}` lists is not known", module.path);
            self.mark_module_inexact(&scope.module, why);
            return Ok(());
        };
        for name in names {
            let Some(value) = self.module_attribute(imported, &name) else {
                let Some(value) = self.lacking(imported, &name) else {
                    // A file that a build writes, or one that the installed package has.
                    let path = format!("{module}.{name}", module = module.name);
                    if is_generated(&name) || self.is_rooted(&path) {
                        let unknown = self.unknown(format!("`{path}` is not in the repository"));
                        self.set(scope, &name, unknown);
                        continue;
                    }
                    let message = format!("module '{}' has no attribute '{name}'", module.name);
                    return self.raise("AttributeError", message);
                };
                self.set(scope, &name, value);
                continue;
            };
            self.set(scope, &name, value);
        }
        Ok(())
    }

    /// Imports the submodules of a package that its `__all__` lists. The list may change on the way.
    fn import_listed(&self, package: &Rc<Imported<'a>>, list: &Value<'a>) -> Evaluated<()> {
        let (Value::List(names) | Value::Tuple(names)) = list else { return Ok(()) };
        let mut at = 0;
        while let (None, Some(name)) = (names.lost(), names.get(at).and_then(Value::as_str)) {
            let name = Text::from(name);
            at += 1;
            if self.module_attribute(package, &name).is_some() {
                continue;
            }
            let path = format!("{}.{name}", package.module.name);
            let outcome = self.load(&path, &package.scope);
            // A name that is no submodule is an attribute that may still come.
            if !matches!(&outcome, Err(raised) if is_missing(raised)) {
                self.loaded(outcome, &path)?;
            }
        }
        Ok(())
    }
}

/// The names that an `__all__` lists, if they are known.
fn listed_names(list: &Value<'_>) -> Option<Vec<Text>> {
    match list {
        // `__all__ += other.__all__` and `__all__.append(…)` are common; what is not followed of them is
        // lost.
        list if list.lost().is_some() => None,
        Value::List(names) | Value::Tuple(names) => {
            names.iter().map(|name| name.as_str().map(Text::from)).collect()
        }
        _ => None,
    }
}

fn is_public(name: &str) -> bool {
    !name.starts_with('_')
}
