//! Objects that are changed after they were made: what was read from them before, or is read
//! later, is not certain.
//!
//! [`crate::effects`] finds by name what a module changes. Whatever such a name is bound to
//! is marked, so that other modules that share the object know it too.

use std::rc::Rc;

use super::Interpreter;
use crate::value::{MOST_PARTS, Scope, Unknown, Value};

fn is_same_object<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::List(left), Value::List(right)) | (Value::Set(left), Value::Set(right)) => {
            Rc::ptr_eq(left, right)
        }
        (Value::Dict(left), Value::Dict(right)) => Rc::ptr_eq(left, right),
        (Value::Instance(left), Value::Instance(right)) => Rc::ptr_eq(left, right),
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        _ => false,
    }
}

/// Whether a value can be changed in place.
pub(super) fn is_mutable(value: &Value<'_>) -> bool {
    matches!(value, Value::List(_) | Value::Dict(_) | Value::Set(_) | Value::Instance(_))
}

impl<'a> Interpreter<'a> {
    /// Binds a name, and marks the value if the module changes what the name stands for.
    pub(super) fn set(&self, scope: &Scope<'a>, name: &str, value: Value<'a>) {
        if scope.module.effects.changes(name) {
            self.mark_changed(&value);
        }
        // When the function runs, and whether it does, is not known.
        if scope.is_module() && scope.module.effects.global.contains(name) {
            let why = format!("a function changes `{name}` with `global`");
            scope.set(name, self.unknown(why));
        } else {
            scope.set(name, value);
        }
    }

    /// Marks an object as one that is changed somewhere; in a program also what is in it, as that may
    /// be what is changed (`options["env"]["A"] = …`).
    pub(super) fn mark_changed(&self, value: &Value<'a>) {
        if self.program.is_some() {
            self.mark_deployment_changed(value);
            self.mark_within(value, &mut MOST_PARTS.clone());
        }
        match value {
            // `helpers.NAMES.append(…)`: which of the module's objects is changed is not followed,
            // so all of its lists and dictionaries count.
            Value::Module(imported) => imported.is_changed.set(true),
            Value::Class(_) => self.changed.borrow_mut().push(value.clone()),
            value if is_mutable(value) => self.changed.borrow_mut().push(value.clone()),
            _ => {}
        }
    }

    fn mark_within(&self, value: &Value<'a>, budget: &mut u32) {
        let Some(rest) = budget.checked_sub(1) else { return };
        *budget = rest;
        let inner: Vec<Value<'a>> = match value {
            Value::List(items) | Value::Tuple(items) => items.to_vec(),
            Value::Dict(entries) => entries.iter().map(|(_, item)| item.clone()).collect(),
            Value::Instance(instance) => {
                instance.fields.iter().map(|(_, field)| field.clone()).collect()
            }
            Value::Class(class) => {
                class.scope.names.borrow().iter().map(|(_, item)| item.clone()).collect()
            }
            _ => return,
        };
        for item in inner.iter().filter(|item| is_mutable(item) || matches!(item, Value::Tuple(_)))
        {
            if is_mutable(item) {
                self.changed.borrow_mut().push(item.clone());
            }
            self.mark_within(item, budget);
        }
    }

    /// Whether an object was marked.
    pub(super) fn is_marked_changed(&self, value: &Value<'a>) -> bool {
        self.changed.borrow().iter().any(|changed| is_same_object(changed, value))
    }

    /// The value that a name or attribute gives: unknown if the object is changed somewhere.
    pub(super) fn unless_changed(
        &self,
        name: &str,
        value: Value<'a>,
        is_changed: bool,
    ) -> Value<'a> {
        if is_mutable(&value) && (is_changed || self.is_marked_changed(&value)) {
            return self.unknown(format!("`{name}` may be changed after it is made"));
        }
        value
    }

    /// An object inside `value` that is changed somewhere.
    pub(crate) fn find_changed(&self, value: &Value<'a>) -> Option<Rc<Unknown>> {
        if self.changed.borrow().is_empty() || !self.has_marked(value, &mut MOST_PARTS.clone()) {
            return None;
        }
        let why = "a list or dictionary in it may be changed after it is made".to_owned();
        Some(Rc::new(Unknown { why, at: self.here(), is_flow_like: false }))
    }

    fn has_marked(&self, value: &Value<'a>, budget: &mut u32) -> bool {
        // A value that is too large to look through counts as changed: not exact, instead of slow.
        let Some(rest) = budget.checked_sub(1) else { return true };
        *budget = rest;
        self.is_marked_changed(value)
            || match value {
                Value::List(items)
                | Value::Tuple(items)
                | Value::Set(items)
                | Value::View(items) => items.iter().any(|item| self.has_marked(item, budget)),
                Value::Dict(entries) => entries.iter().any(|(key, item)| {
                    self.has_marked(key, budget) || self.has_marked(item, budget)
                }),
                Value::Instance(instance) => {
                    instance.fields.iter().any(|(_, item)| self.has_marked(item, budget))
                }
                _ => false,
            }
    }
}
