//! How a name is looked up: in the scope itself, then in those around it except bodies of classes,
//! then among the builtins. Also the text of the module that a scope stands in.

use ruff_text_size::Ranged;

use std::borrow::Cow;
use std::rc::Rc;

use crate::symbols;
use crate::value::{Scope, ScopeKind, Value};

impl<'a> Scope<'a> {
    /// A name as Python binds and reads it here: private ones of a class carry its name.
    pub(crate) fn mangled<'n>(&self, name: &'n str) -> Cow<'n, str> {
        if !name.starts_with("__") || name.ends_with("__") {
            return name.into();
        }
        let mut scope = Some(self);
        while let Some(current) = scope {
            // `__x` inside `class _Job` is `_Job__x`: leading underscores of the class are dropped,
            // and a class named only by underscores changes nothing.
            let class = current.qualname.rsplit('.').next().unwrap_or_default();
            let class = class.trim_start_matches('_');
            if current.is_class() && !class.is_empty() {
                return format!("_{class}{name}").into();
            }
            scope = current.parent.as_deref();
        }
        name.into()
    }

    /// A name as Python resolves it from here.
    pub(crate) fn get(&self, name: &str) -> Option<Value<'a>> {
        let mut scope = Some(self);
        while let Some(current) = scope {
            // Python skips the bodies of classes unless the name is read in that body itself.
            if !current.is_class() || std::ptr::eq(current, self) {
                if let Some(value) = current.own(name) {
                    return Some(value);
                }
                // A name that a function binds anywhere is local everywhere in it. Unbound as yet,
                // it does not fall back to the module.
                if let ScopeKind::Function(names) = &current.kind {
                    if names.locals.contains(name) {
                        return None;
                    }
                    if names.outer.global.contains(name) {
                        return self.top_names(name).or_else(|| symbols::builtin(name));
                    }
                }
            }
            scope = current.parent.as_deref();
        }
        symbols::builtin(name)
    }

    fn top_names(&self, name: &str) -> Option<Value<'a>> {
        let mut scope = self;
        while let Some(parent) = &scope.parent {
            scope = parent;
        }
        scope.own(name)
    }

    /// The scope in which a name is bound from here, if it is another one.
    pub(crate) fn home(&self, name: &str) -> Option<Rc<Self>> {
        let ScopeKind::Function(names) = &self.kind else { return None };
        let mut outer = self.parent.as_ref()?;
        if names.outer.global.contains(name) {
            return Some(outer.top());
        }
        if names.outer.nonlocal.contains(name) {
            return outer.binder(name);
        }
        if !names.is_comprehension || names.locals.contains(name) {
            return None;
        }
        while let (ScopeKind::Function(names), Some(parent)) = (&outer.kind, &outer.parent)
            && names.is_comprehension
        {
            outer = parent;
        }
        Some(outer.home(name).unwrap_or_else(|| Rc::clone(outer)))
    }

    /// The nearest function, from here on, that binds a name itself.
    pub(crate) fn binder(self: &Rc<Self>, name: &str) -> Option<Rc<Self>> {
        let mut scope = Some(self);
        while let Some(current) = scope {
            if let ScopeKind::Function(names) = &current.kind
                && (names.locals.contains(name) || current.own(name).is_some())
            {
                return Some(Rc::clone(current));
            }
            scope = current.parent.as_ref();
        }
        None
    }

    /// The source text of a piece of syntax of the scope's module, on one line and not too long.
    pub(crate) fn excerpt(&self, range: impl Ranged) -> String {
        let text = self.module.text.get(range.range().to_std_range()).unwrap_or("…");
        let line = text.lines().next().unwrap_or_default();
        let mut short: String = line.chars().take(60).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    }
}
