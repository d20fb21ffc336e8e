//! What certainly raises on values that are known: Python has no such operation for them.
//!
//! Whatever is not listed here may work; it is unknown, not an error.

use ruff_python_ast::{Operator, UnaryOp};

use super::{Evaluated, Interpreter};
use crate::value::Value;

/// The kinds of constants between which the operators are known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Integer,
    Float,
    Complex,
    Str,
    Bytes,
    List,
    Tuple,
    Dict,
    Set,
    Nothing,
}

fn kind(value: &Value<'_>) -> Option<Kind> {
    Some(match value {
        // A `bool` is an `int` for every operator.
        Value::Bool(_) | Value::Int(_) => Kind::Integer,
        Value::Float(_) => Kind::Float,
        Value::Complex(..) => Kind::Complex,
        Value::Str(_) => Kind::Str,
        Value::Bytes(_) => Kind::Bytes,
        Value::List(_) => Kind::List,
        Value::Tuple(_) => Kind::Tuple,
        Value::Dict(_) => Kind::Dict,
        Value::Set(_) => Kind::Set,
        Value::None => Kind::Nothing,
        _ => return None,
    })
}

/// The name of a constant's class, as error messages have it.
pub(super) fn class_name(value: &Value<'_>) -> &'static str {
    match value {
        Value::Bool(_) => "bool",
        Value::Int(_) => "int",
        Value::Float(_) => "float",
        Value::Complex(..) => "complex",
        Value::Str(_) => "str",
        Value::Bytes(_) => "bytes",
        Value::List(_) => "list",
        Value::Tuple(_) => "tuple",
        Value::Dict(_) => "dict",
        Value::Set(_) => "set",
        Value::None => "NoneType",
        Value::Module(_) => "module",
        Value::Function(_) => "function",
        Value::Ellipsis => "ellipsis",
        _ => "object",
    }
}

fn is_number(kind: Kind) -> bool {
    matches!(kind, Kind::Integer | Kind::Float | Kind::Complex)
}

fn is_sequence(kind: Kind) -> bool {
    matches!(kind, Kind::Str | Kind::Bytes | Kind::List | Kind::Tuple)
}

/// Whether `left <operator> right` certainly raises a `TypeError`.
pub(super) fn refuses_operator(operator: Operator, left: &Value<'_>, right: &Value<'_>) -> bool {
    let (Some(left), Some(right)) = (kind(left), kind(right)) else { return false };
    let are_numbers = is_number(left) && is_number(right);
    // Some values that behave like sets, such as the keys of a dictionary, may have become lists in
    // this interpreter. So no operator of sets is refused for a list.
    let are_like_sets = [left, right].iter().all(|kind| matches!(kind, Kind::Set | Kind::List))
        || left == Kind::List
        || right == Kind::List;
    match operator {
        Operator::Add => !(are_numbers || (left == right && is_sequence(left))),
        Operator::Sub => !are_numbers && !are_like_sets,
        Operator::Mult => {
            let repeats = (left == Kind::Integer && is_sequence(right))
                || (right == Kind::Integer && is_sequence(left));
            !are_numbers && !repeats
        }
        // `"%s" % …` is formatting, with rules of its own.
        Operator::Mod => !are_numbers && !matches!(left, Kind::Str | Kind::Bytes),
        Operator::Div | Operator::FloorDiv | Operator::Pow => !are_numbers,
        Operator::LShift | Operator::RShift => left != Kind::Integer || right != Kind::Integer,
        Operator::BitOr => {
            let are_equal = left == right && matches!(left, Kind::Integer | Kind::Dict);
            !are_equal && !are_like_sets
        }
        Operator::BitAnd | Operator::BitXor => {
            !(are_like_sets || (left == Kind::Integer && right == Kind::Integer))
        }
        // No builtin type has `@`.
        Operator::MatMult => true,
    }
}

/// Whether `left < right` certainly raises a `TypeError`.
pub(super) fn refuses_order(left: &Value<'_>, right: &Value<'_>) -> bool {
    let (Some(left), Some(right)) = (kind(left), kind(right)) else { return false };
    // Again because a list may stand for something like a set, which has an order of its own.
    if left == Kind::List || right == Kind::List {
        return !(left == right || left == Kind::Set || right == Kind::Set);
    }
    let are_real = [left, right].iter().all(|kind| matches!(kind, Kind::Integer | Kind::Float));
    let have_order = left == right && (is_sequence(left) || left == Kind::Set);
    !are_real && !have_order
}

/// Whether `item in container` certainly raises a `TypeError`.
pub(super) fn refuses_containing(container: &Value<'_>, item: &Value<'_>) -> bool {
    is_not_iterable(container)
        || (matches!(container, Value::Str(_)) && kind(item).is_some_and(|kind| kind != Kind::Str))
}

/// Whether iterating over a value certainly raises a `TypeError`.
pub(super) fn is_not_iterable(value: &Value<'_>) -> bool {
    matches!(
        value,
        Value::None
            | Value::Ellipsis
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Function(_)
            | Value::Module(_)
            | Value::Flow(_)
            | Value::FlowDecorator(_)
    )
}

/// Whether calling a value certainly raises a `TypeError`.
pub(super) fn is_not_callable(value: &Value<'_>) -> bool {
    kind(value).is_some() || matches!(value, Value::Ellipsis | Value::Module(_) | Value::Std(_))
}

/// Whether a value certainly can't be the key of a dictionary.
pub(super) fn is_unhashable(value: &Value<'_>) -> bool {
    match value {
        Value::List(_) | Value::Dict(_) => true,
        Value::Tuple(items) => items.iter().any(is_unhashable),
        _ => false,
    }
}

/// How many items a value gives when it is iterated over.
fn count(value: &Value<'_>) -> Option<usize> {
    Some(match value {
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::View(items) => {
            items.len()
        }
        Value::Dict(entries) => entries.len(),
        Value::Str(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        _ => return None,
    })
}

/// Types that nothing can be put into brackets behind.
pub(super) fn has_no_parameters(path: &str) -> bool {
    matches!(
        path,
        "builtins.int"
            | "builtins.str"
            | "builtins.float"
            | "builtins.bool"
            | "builtins.bytes"
            | "builtins.bytearray"
            | "builtins.complex"
            | "builtins.object"
            | "builtins.range"
            | "builtins.slice"
            | "builtins.print"
            | "builtins.len"
            | "pathlib.Path"
            | "pathlib.PurePath"
            | "decimal.Decimal"
            | "fractions.Fraction"
            | "uuid.UUID"
            | "datetime.date"
            | "datetime.datetime"
            | "datetime.time"
            | "datetime.timedelta"
    )
}

pub(super) fn is_no_index(index: &Value<'_>) -> bool {
    matches!(
        index,
        Value::None
            | Value::Str(_)
            | Value::Float(_)
            | Value::Bytes(_)
            | Value::List(_)
            | Value::Tuple(_)
            | Value::Dict(_)
    )
}

/// Whether a list of so many items has one at `index`, unless that is no number.
fn is_within(length: usize, index: &Value<'_>) -> bool {
    let Value::Int(number) = index else { return true };
    let length = i128::try_from(length).unwrap_or(i128::MAX);
    number.small().is_some_and(|number| (-length..length).contains(&number))
}

pub(super) fn refuses_unary(operator: UnaryOp, operand: &Value<'_>) -> bool {
    match operand {
        Value::None
        | Value::Str(_)
        | Value::Bytes(_)
        | Value::List(_)
        | Value::Tuple(_)
        | Value::Dict(_) => operator != UnaryOp::Not,
        Value::Float(_) => operator == UnaryOp::Invert,
        _ => false,
    }
}

/// Whether a generic of `typing` certainly refuses so many arguments.
pub(super) fn takes_other_arguments(path: &str, arguments: &[Value<'_>]) -> bool {
    let count = arguments.len();
    let is_empty = matches!(arguments, [Value::Tuple(items)] if items.is_empty());
    let Some(name) = path.strip_prefix("typing.") else {
        return path == "collections.abc.Callable" && count != 2;
    };
    match name {
        "Optional" | "Final" | "ClassVar" | "List" | "Set" | "FrozenSet" | "Type" | "Deque"
        | "Iterable" | "Iterator" | "Sequence" | "Collection" | "Container" | "MutableSequence"
        | "AbstractSet" | "MutableSet" | "Awaitable" | "AsyncIterator" | "AsyncIterable"
        | "Counter" | "Reversible" => count != 1 || is_empty,
        "Dict" | "Mapping" | "MutableMapping" | "DefaultDict" | "OrderedDict" | "ChainMap"
        | "Callable" => count != 2,
        "Annotated" => count < 2,
        "Union" => is_empty,
        _ => false,
    }
}

impl<'a> Interpreter<'a> {
    pub(super) fn not_iterable<T>(&self, value: &Value<'a>) -> Evaluated<T> {
        self.raise("TypeError", format!("'{}' object is not iterable", class_name(value)))
    }

    pub(super) fn unhashable<T>(&self, value: &Value<'a>) -> Evaluated<T> {
        self.raise("TypeError", format!("unhashable type: '{}'", class_name(value)))
    }

    /// Checks that a value can be unpacked into so many targets.
    ///
    /// # Errors
    /// [`super::Raised`] if it certainly can't.
    pub(super) fn check_count(
        &self,
        value: &Value<'a>,
        targets: usize,
        is_starred: bool,
    ) -> Evaluated<()> {
        if is_not_iterable(value) {
            let class = class_name(value);
            return self.raise("TypeError", format!("cannot unpack non-iterable {class} object"));
        }
        let wanted = if is_starred { targets.saturating_sub(1) } else { targets };
        match count(value) {
            Some(count) if count < wanted => {
                let message =
                    format!("not enough values to unpack (expected {wanted}, got {count})");
                self.raise("ValueError", message)
            }
            Some(count) if count > wanted && !is_starred => {
                self.raise("ValueError", format!("too many values to unpack (expected {wanted})"))
            }
            _ => Ok(()),
        }
    }

    /// `owner[index] = ...`, where the owner can't be changed.
    ///
    /// # Errors
    /// [`super::Raised`] if that certainly raises.
    pub(super) fn check_item_change(
        &self,
        owner: &Value<'a>,
        index: &Value<'a>,
        what: &str,
    ) -> Evaluated<()> {
        let has_no_items = match owner {
            Value::List(_) | Value::Dict(_) => false,
            Value::Function(_) | Value::Module(_) | Value::Flow(_) => true,
            // `bytes` and `bytearray` are one value here, and a `bytearray` can be changed.
            other => kind(other).is_some() && !matches!(other, Value::Bytes(_)),
        };
        if has_no_items {
            let class = class_name(owner);
            let message = format!("'{class}' object does not support item {what}");
            return self.raise("TypeError", message);
        }
        match owner {
            Value::Dict(_) if is_unhashable(index) => self.unhashable(index),
            Value::List(_) if is_no_index(index) => {
                let class = class_name(index);
                let message = format!("list indices must be integers or slices, not {class}");
                self.raise("TypeError", message)
            }
            _ => Ok(()),
        }
    }

    /// Notes a possible error where an item of a list is changed and may not be there.
    pub(super) fn check_item_is_there(&self, owner: &Value<'a>, index: &Value<'a>) {
        if let Value::List(items) = owner
            && !is_within(items.len(), index)
        {
            self.note_possible_error("an item is changed that may not be there");
        }
    }

    /// `owner.name = ...`
    ///
    /// # Errors
    /// [`super::Raised`] if that certainly raises.
    pub(super) fn check_attribute_change(&self, owner: &Value<'a>, name: &str) -> Evaluated<()> {
        match owner {
            Value::Class(class) if class.members.borrow().iter().any(|(own, _)| &**own == name) => {
                self.raise("AttributeError", format!("cannot reassign member '{name}'"))
            }
            Value::Instance(instance) => {
                let decorations = instance.class.decorations.borrow();
                let frozen = decorations.dataclass.as_ref().and_then(|options| {
                    crate::value::keyword(&options.keywords, "frozen").cloned()
                });
                if frozen.is_some_and(|frozen| Self::truth(&frozen) == Some(true)) {
                    let message = format!("cannot assign to field '{name}'");
                    return self.raise("FrozenInstanceError", message);
                }
                Ok(())
            }
            other if kind(other).is_some() => {
                let class = class_name(other);
                self.raise("AttributeError", format!("'{class}' object has no attribute '{name}'"))
            }
            _ => Ok(()),
        }
    }
}
