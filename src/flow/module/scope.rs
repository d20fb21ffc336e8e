//! How a name is looked up: own names, enclosing ones without class bodies, builtins.

use crate::flow::symbols;
use crate::flow::value::{Scope, ScopeKind, Value};

impl<'a> Scope<'a> {
    /// A name as Python resolves it from here.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        if let Some(value) = self.own(name) {
            return Some(value);
        }
        let mut scope = self.parent.as_deref();
        while let Some(enclosing) = scope {
            if enclosing.kind != ScopeKind::Class
                && let Some(value) = enclosing.own(name)
            {
                return Some(value);
            }
            scope = enclosing.parent.as_deref();
        }
        symbols::builtin(name)
    }
}
