//! Where names are bound: the module, class bodies, and (for later) function bodies.

use std::cell::RefCell;
use std::rc::Rc;

use crate::flow::symbols;
use crate::flow::value::{Annotation, Namespace, Text, Value};

/// What kind of body a scope belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScopeKind {
    Module,
    Class,
}

/// A namespace with the way to the next one.
pub struct Scope<'a> {
    pub kind: ScopeKind,
    /// Of the class; empty for a module.
    pub qualname: Text,
    pub names: RefCell<Namespace<'a>>,
    /// Annotated names of a class body.
    pub annotations: RefCell<Vec<(Text, Annotation<'a>)>>,
    pub parent: Option<Rc<Scope<'a>>>,
}

impl<'a> Scope<'a> {
    pub fn module() -> Rc<Self> {
        Rc::new(Scope {
            kind: ScopeKind::Module,
            qualname: "".into(),
            names: RefCell::default(),
            annotations: RefCell::default(),
            parent: None,
        })
    }

    pub fn class(name: &str, parent: &Rc<Self>) -> Rc<Self> {
        Rc::new(Scope {
            kind: ScopeKind::Class,
            qualname: parent.qualify(name).into(),
            names: RefCell::default(),
            annotations: RefCell::default(),
            parent: Some(Rc::clone(parent)),
        })
    }

    /// The qualified name of something defined here.
    pub fn qualify(&self, name: &str) -> String {
        if self.qualname.is_empty() { name.to_owned() } else { format!("{}.{name}", self.qualname) }
    }

    /// A name of this very scope.
    pub fn own(&self, name: &str) -> Option<Value<'a>> {
        self.names.borrow().get(name).cloned()
    }

    /// A name as Python resolves it from here: own names, enclosing ones without class bodies,
    /// builtins.
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

    pub fn set(&self, name: &str, value: Value<'a>) {
        self.names.borrow_mut().set(name.into(), value);
    }

    pub fn is_class(&self) -> bool {
        self.kind == ScopeKind::Class
    }
}
