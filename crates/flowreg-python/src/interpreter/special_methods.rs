//! Special methods of objects: calls, operators, comparisons and conditions that run code of a class.

use std::rc::Rc;

use super::ancestors::ancestors;
use super::objects::{Held, class_of, is_followed, look_along, obstacle};
use super::{Evaluated, Interpreter};
use crate::value::{Keywords, Value};

impl<'a> Interpreter<'a> {
    /// Calls a special method of an object, if it has one; `None` if it has none.
    pub(super) fn special_method(
        &self,
        owner: &Value<'a>,
        name: &str,
        arguments: &[Value<'a>],
    ) -> Option<Evaluated<Value<'a>>> {
        let Value::Opaque(opaque) = owner else { return None };
        let (class, attributes) = (opaque.class.as_ref()?, opaque.attributes.as_ref()?);
        let method = match look_along(&ancestors(class), name) {
            Held::Found(method) => method,
            Held::Missing => return None,
            Held::NotKnown(value) => {
                return Some(Ok(self.unknown_because(&value, "a base class")));
            }
        };
        if let Some(lost) = attributes.lost() {
            self.lose_arguments(arguments, &Keywords::new(), "a method may change it");
            return Some(Ok(Value::Unknown(Rc::clone(lost))));
        }
        let called = self
            .bound_to(owner, class, method)
            .and_then(|method| self.call(&method, arguments, &Keywords::new()));
        Some(called.map(|value| match value {
            Value::Opaque(opaque) if opaque.what == "NotImplemented" => {
                self.unknown("an operator is not implemented")
            }
            other => other,
        }))
    }

    /// A call of an object; `None` if its class has no `__call__`.
    pub(super) fn called_object(
        &self,
        owner: &Value<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Evaluated<Value<'a>>> {
        let class = class_of(owner)?;
        let lost = match owner {
            Value::Opaque(opaque) => opaque.attributes.as_ref()?.lost().cloned(),
            other => other.lost().cloned(),
        };
        let method = match (look_along(&ancestors(class), "__call__"), lost) {
            (Held::Missing, _) if obstacle(class).is_none() => return None,
            (Held::Found(method), None) => method,
            _ => {
                let why = "it is given to an object that is not known";
                self.lose(owner, why);
                self.lose_given(arguments, keywords, why);
                return Some(Ok(self.unknown("a call of an object that is not known")));
            }
        };
        let method = self.bound_to(owner, class, method);
        Some(method.and_then(|method| self.call(&method, arguments, keywords)))
    }

    /// Whether a value counts as true, where an object may have a method that says so.
    pub(super) fn condition(&self, value: &Value<'a>) -> Evaluated<Option<bool>> {
        if let Value::Opaque(opaque) = value
            && let Some(class) = &opaque.class
            && opaque.attributes.is_some()
        {
            for name in ["__bool__", "__len__"] {
                if let Some(answer) = self.special_method(value, name, &[]) {
                    return Ok(Self::truth(&answer?));
                }
            }
            return Ok(is_followed(class).then_some(true));
        }
        Ok(Self::truth(value))
    }

    /// `left <operator> right` where an object has a method for it.
    pub(super) fn operated(
        &self,
        method: &str,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Option<Evaluated<Value<'a>>> {
        // A class that inherits from that of the left side is asked first.
        let (left, right, method) = match (class_of(left)?, class_of(right)) {
            (class, Some(other)) if !Rc::ptr_eq(class, other) => {
                let inherits = ancestors(other)
                    .iter()
                    .any(|known| matches!(known, Value::Class(known) if Rc::ptr_eq(known, class)));
                match reflected(method).filter(|_| inherits) {
                    Some(method) => (right, left, method),
                    None if inherits => return None,
                    None => (left, right, method),
                }
            }
            _ => (left, right, method),
        };
        let compared = |is_equal: bool| Some(Ok(Value::Bool(is_equal)));
        match self.special_method(left, method, std::slice::from_ref(right)) {
            Some(answer) => Some(answer),
            None if method == "__ne__" => {
                match self.special_method(left, "__eq__", std::slice::from_ref(right)) {
                    Some(answer) => Some(answer.map(|answer| match Self::truth(&answer) {
                        Some(is_equal) => Value::Bool(!is_equal),
                        None => self.unknown_because(&answer, "a comparison"),
                    })),
                    None => Self::by_identity(left, right).and_then(|same| compared(!same)),
                }
            }
            None if method == "__eq__" => Self::by_identity(left, right).and_then(compared),
            None => None,
        }
    }

    /// Whether two values are one object, where an object has no `__eq__` and the other is of its class or a
    /// constant.
    fn by_identity(left: &Value<'a>, right: &Value<'a>) -> Option<bool> {
        let is_plain = matches!(left, Value::Opaque(_)) && class_of(left).is_some_and(is_followed);
        let has_order = matches!(right, Value::Opaque(_)) && class_of(right).is_some()
            || (right.is_constant() && !matches!(right, Value::Std(_)));
        (is_plain && has_order).then(|| left.is_same_object(right))
    }
}

/// The comparison that means the same from the other side.
fn reflected(method: &str) -> Option<&'static str> {
    Some(match method {
        "__eq__" => "__eq__",
        "__ne__" => "__ne__",
        "__lt__" => "__gt__",
        "__le__" => "__ge__",
        "__gt__" => "__lt__",
        "__ge__" => "__le__",
        _ => return None,
    })
}
