//! Paths in the checkout, which begin with `__file__`: where they are from the repository's root.

use super::Interpreter;
use crate::default::std_value::join_path;
use crate::value::{Made, Text, Value};

impl<'a> Interpreter<'a> {
    /// The attribute of a path in the checkout, or that path with something added to it.
    pub(super) fn checkout_attribute(made: &Made<'a>, name: &str) -> Option<Value<'a>> {
        let Made::InCheckout(place) = made else { return None };
        let last = place.rsplit('/').next().filter(|last| !last.is_empty())?;
        Some(match name {
            "parent" => Value::made(Made::InCheckout(parent(place)?.into())),
            "name" => Value::text(last),
            "stem" => Value::text(last.strip_suffix(".py")?),
            _ => return None,
        })
    }

    /// `path / "below"` for a path in the checkout.
    pub(in crate::interpreter) fn below_checkout(
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Option<Value<'a>> {
        let (Value::Made(made), Value::Str(below)) = (left, right) else { return None };
        let Made::InCheckout(place) = &**made else { return None };
        Some(Value::made(Made::InCheckout(joined(place, below)?.into())))
    }
}

/// The directory of a path in the checkout; `None` if that is outside.
pub(super) fn parent(path: &Text) -> Option<String> {
    match path.rsplit_once('/') {
        Some((parent, _)) => Some(parent.to_owned()),
        None => (!path.is_empty()).then(String::new),
    }
}

/// A path below one in the checkout.
pub(super) fn joined(path: &Text, below: &str) -> Option<String> {
    let mut parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    if below.starts_with('/') {
        return None;
    }
    let below = join_path(&[below]);
    for part in below.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
