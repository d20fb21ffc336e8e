//! How a name is looked up: own names, enclosing ones without class bodies, builtins.

use crate::flow::symbols;
use crate::flow::value::{Scope, ScopeKind, Value};

impl<'a> Scope<'a> {
    /// A name as Python resolves it from here.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let mut scope = Some(self);
        while let Some(current) = scope {
            if !(current.is_class() && !std::ptr::eq(current, self)) {
                if let Some(value) = current.own(name) {
                    return Some(value);
                }
                if let ScopeKind::Function(locals) = &current.kind
                    && locals.contains(name)
                {
                    return None;
                }
            }
            scope = current.parent.as_deref();
        }
        symbols::builtin(name)
    }
}
