//! Which values are equal, and sets of them.

use std::rc::Rc;

use ruff_python_ast::Operator;

use super::ancestors::ancestors;
use super::objects::{Held, is_followed, look_along};
use super::operators::{Numeric, number};
use crate::default::std_value::StdValue;
use crate::value::{Class, MOST_PARTS, Object, Value};

/// Whether two constants are of one kind and equal.
pub(crate) fn is_identical<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::None, Value::None) | (Value::Ellipsis, Value::Ellipsis) => true,
        (Value::Bool(left), Value::Bool(right)) => left == right,
        (Value::Int(left), Value::Int(right)) => left == right,
        (Value::Float(left), Value::Float(right)) => left.to_bits() == right.to_bits(),
        (Value::Str(left), Value::Str(right)) | (Value::Symbol(left), Value::Symbol(right)) => {
            left == right
        }
        (Value::Bytes(left), Value::Bytes(right)) => left == right,
        (Value::Std(left), Value::Std(right)) => left == right,
        (Value::Member(left), Value::Member(right)) => Rc::ptr_eq(left, right),
        _ => false,
    }
}

/// `left == right` for constants; `None` if it is not known.
pub(crate) fn is_equal<'a>(left: &Value<'a>, right: &Value<'a>) -> Option<bool> {
    is_equal_within(left, right, &mut MOST_PARTS.clone())
}

fn is_equal_within<'a>(left: &Value<'a>, right: &Value<'a>, budget: &mut u32) -> Option<bool> {
    *budget = budget.checked_sub(1)?;
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        // `True == 1 == 1.0`, as keys of dictionaries and as values of enums, too.
        return Some(match (left, right) {
            (Numeric::Int(left), Numeric::Int(right)) => left == right,
            #[expect(clippy::float_cmp, reason = "Python compares floats exactly too")]
            (left, right) => left.float() == right.float(),
        });
    }
    let mut all = |left: &[Value<'a>], right: &[Value<'a>]| {
        if left.len() != right.len() {
            return Some(false);
        }
        for (left, right) in left.iter().zip(right) {
            if !is_equal_within(left, right, budget)? {
                return Some(false);
            }
        }
        Some(true)
    };
    match (left, right) {
        (Value::List(left), Value::List(right)) | (Value::Tuple(left), Value::Tuple(right)) => {
            all(left, right)
        }
        (Value::Member(left), Value::Member(right)) => Some(Rc::ptr_eq(left, right)),
        (Value::Opaque(known), Value::Opaque(other)) => match (&known.class, &other.class) {
            (Some(left), Some(right)) if has_identity(left) && has_identity(right) => {
                Some(Rc::ptr_eq(known, other))
            }
            _ => None,
        },
        (Value::Dict(left), Value::Dict(right)) if left.is_empty() || right.is_empty() => {
            Some(left.len() == right.len())
        }
        // Sets and dictionaries are equal whatever their order.
        (Value::Set(left), Value::Set(right)) => {
            if left.len() != right.len() {
                return Some(false);
            }
            for item in left.iter() {
                let mut is_in = false;
                for known in right.iter() {
                    is_in |= is_equal_within(known, item, budget)?;
                }
                if !is_in {
                    return Some(false);
                }
            }
            Some(true)
        }
        (Value::Dict(left), Value::Dict(right)) => {
            if left.len() != right.len() {
                return Some(false);
            }
            for (key, value) in left.iter() {
                let mut found = None;
                for (known, other) in right.iter() {
                    if is_equal_within(known, key, budget)? {
                        found = Some(other);
                    }
                }
                match found {
                    Some(other) if is_equal_within(value, other, budget)? => {}
                    _ => return Some(false),
                }
            }
            Some(true)
        }
        (Value::Set(_) | Value::Dict(_) | Value::Complex(..), _)
        | (_, Value::Set(_) | Value::Dict(_) | Value::Complex(..)) => None,
        (Value::Std(left), Value::Std(right)) => match (left, right) {
            // `Decimal("1.0") == Decimal("1.00")`, and times with other offsets can be the same
            // moment: their texts prove nothing.
            (StdValue::Decimal(_), StdValue::Decimal(_)) | (StdValue::DateTime(..), _) => None,
            _ => Some(left == right),
        },
        _ if left.is_constant() && right.is_constant() => Some(is_identical(left, right)),
        _ => None,
    }
}

/// Whether the objects of a class are told by their identity.
fn has_identity(class: &Rc<Class<'_>>) -> bool {
    is_followed(class) && matches!(look_along(&ancestors(class), "__eq__"), Held::Missing)
}

/// Whether two values are one key of a dictionary or one item of a set; `None` if a class says so itself.
pub(super) fn is_same_key<'a>(left: &Value<'a>, right: &Value<'a>) -> Option<bool> {
    if let Some(is_equal) = is_equal(left, right) {
        return Some(is_equal);
    }
    let has_own = |value: &Value<'a>| match value {
        Value::Opaque(opaque) => opaque.class.is_some(),
        Value::Instance(_) | Value::Unknown(_) | Value::External(_) => true,
        Value::Tuple(items) => items
            .iter()
            .any(|item| matches!(item, Value::Opaque(_) | Value::Instance(_) | Value::Unknown(_))),
        _ => false,
    };
    // Functions, classes and the like are told by their identity.
    (!has_own(left) && !has_own(right)).then(|| match (left, right) {
        (Value::Symbol(left), Value::Symbol(right)) => left == right,
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        (Value::Function(left), Value::Function(right)) => Rc::ptr_eq(left, right),
        (Value::Flow(left), Value::Flow(right)) => Rc::ptr_eq(left, right),
        _ => false,
    })
}

/// Items without their repetitions, in the order they were first seen; `None` if it is not known which are
/// equal.
pub(super) fn distinct<'a>(items: &[Value<'a>]) -> Option<Vec<Value<'a>>> {
    let mut distinct: Vec<Value<'a>> = Vec::new();
    'items: for item in items {
        for known in &distinct {
            if is_same_key(known, item)? {
                continue 'items;
            }
        }
        distinct.push(item.clone());
    }
    Some(distinct)
}

/// `left | right` and the like of sets; `None` if it is not known which items are equal.
pub(super) fn combined<'a>(
    operator: Operator,
    left: &[Value<'a>],
    right: &[Value<'a>],
) -> Option<Value<'a>> {
    let has = |items: &[Value<'a>], item: &Value<'a>| {
        for known in items {
            if is_equal(known, item)? {
                return Some(true);
            }
        }
        Some(false)
    };
    let mut items = Vec::new();
    for item in left {
        let is_in_both = has(right, item)?;
        let is_taken = match operator {
            Operator::BitAnd => is_in_both,
            Operator::BitOr => true,
            _ => !is_in_both,
        };
        if is_taken {
            items.push(item.clone());
        }
    }
    if matches!(operator, Operator::BitOr | Operator::BitXor) {
        for item in right {
            if !has(left, item)? {
                items.push(item.clone());
            }
        }
    }
    let set = Object::new(items.clone());
    // What is left of a larger set may lie in a larger table, in another order.
    if left.len() > 4 || right.len() > 4 {
        let length = items.len();
        set.change(items, length);
    }
    Some(Value::Set(set))
}
