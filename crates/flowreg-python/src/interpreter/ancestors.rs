//! The ancestors of a class, in the order in which Python looks a name up.

use std::rc::Rc;

use crate::value::{Class, Value};

/// A class and its ancestors in the order of method resolution.
pub(crate) fn ancestors<'a>(class: &Rc<Class<'a>>) -> Vec<Value<'a>> {
    let mut order = vec![Value::Class(Rc::clone(class))];
    order.extend(class.ancestors.iter().cloned());
    order
}

/// The classes of the file among them, nearest first.
pub(crate) fn own_ancestors<'a>(class: &Rc<Class<'a>>) -> Vec<Rc<Class<'a>>> {
    ancestors(class)
        .into_iter()
        .filter_map(|ancestor| match ancestor {
            Value::Class(class) => Some(class),
            _ => None,
        })
        .collect()
}
