//! Operators on constants and types: arithmetic, comparison, truth, equality.

use std::rc::Rc;

use ruff_python_ast::{CmpOp, Operator};

use super::certain::{class_name, refuses_operator};
use super::equality::{combined, distinct, is_equal};
use super::{Evaluated, Interpreter, as_type};
use crate::default::std_value::{StdValue, join_path};
use crate::number::Int;
use crate::value::{DEEPEST_TYPE, Member, Type, Value};

/// The longest text or list that is computed. `"x" * 10**9` in a source must not take the memory.
pub(super) const LONGEST: usize = 100_000;

/// How many items are sorted at most: [`sorted`] inserts one by one, which takes time by the square of
/// their number.
pub(crate) const MOST_SORTED: usize = 1000;

/// Keys of which it is not known whether they are equal.
pub(crate) struct NotComparable;

/// Whether a part of a type, or metadata, has a hash; `None` if it is not known.
pub(crate) fn has_hash(value: &Value<'_>, depth: u32) -> Option<bool> {
    if depth > DEEPEST_TYPE {
        return None;
    }
    let all = |parts: &[Value<'_>]| {
        for part in parts {
            if !has_hash(part, depth + 1)? {
                return Some(false);
            }
        }
        Some(true)
    };
    match value {
        Value::List(_) | Value::Dict(_) | Value::Set(_) => Some(false),
        Value::Tuple(items) => all(items),
        Value::Instance(_) => None,
        Value::Type(expression) => match &**expression {
            // The arguments of a callable are written as a list and kept as a tuple.
            Type::Generic(origin, _)
                if origin.as_symbol().is_some_and(|path| path.ends_with("Callable")) =>
            {
                Some(true)
            }
            Type::Generic(_, parts) | Type::Union(parts) => all(parts),
            Type::Annotated(base, metadata) => Some(has_hash(base, depth + 1)? && all(metadata)?),
            _ => Some(true),
        },
        _ => Some(true),
    }
}

#[derive(Clone)]
pub(super) enum Numeric {
    Int(Int),
    Float(f64),
}

impl Numeric {
    pub(super) fn float(&self) -> f64 {
        match self {
            Numeric::Int(int) => int.to_float(),
            Numeric::Float(float) => *float,
        }
    }
}

pub(super) fn number(value: &Value<'_>) -> Option<Numeric> {
    Some(match value {
        Value::Bool(truth) => Numeric::Int(Int::from(i128::from(*truth))),
        Value::Int(int) => Numeric::Int(int.clone()),
        Value::Float(float) => Numeric::Float(*float),
        _ => return None,
    })
}

impl<'a> Interpreter<'a> {
    /// Whether a value counts as true; `None` if that is not known.
    pub(crate) fn truth(value: &Value<'a>) -> Option<bool> {
        Some(match value {
            Value::None => false,
            Value::Bool(truth) => *truth,
            Value::Int(int) => !int.is_zero(),
            Value::Float(float) => *float != 0.0,
            Value::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
            Value::Str(text) => !text.is_empty(),
            Value::Bytes(bytes) => !bytes.is_empty(),
            Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::View(items) => {
                !items.is_empty()
            }
            Value::Dict(entries) => !entries.is_empty(),
            Value::Std(std_value) => std_value.is_true(),
            // `datetime.date.max` and the like: the tables do not say what an attribute of a class is.
            Value::Symbol(path) if is_in_class(path) => return None,
            Value::Ellipsis
            | Value::Symbol(_)
            | Value::Class(_)
            | Value::Function(_)
            | Value::Module(_)
            | Value::Flow(_)
            | Value::FlowDecorator(_) => true,
            _ => return None,
        })
    }

    /// Whether a value can stand in a type expression.
    pub(super) fn is_type(value: &Value<'a>) -> bool {
        matches!(value, Value::Class(_) | Value::Type(_) | Value::Symbol(_) | Value::None)
    }

    pub(super) fn compare(operator: CmpOp, left: &Value<'a>, right: &Value<'a>) -> Option<bool> {
        let is = |left: &Value<'a>, right: &Value<'a>| match (left, right) {
            (Value::Unknown(_) | Value::External(_), _)
            | (_, Value::Unknown(_) | Value::External(_)) => None,
            (Value::None, Value::None) => Some(true),
            // `is` between other values depends on what CPython caches, such as small integers and
            // short texts.
            (Value::None, _) | (_, Value::None) => Some(false),
            (Value::Bool(left), Value::Bool(right)) => Some(left == right),
            (Value::Member(left), Value::Member(right)) => Some(Rc::ptr_eq(left, right)),
            (Value::Class(left), Value::Class(right)) => Some(Rc::ptr_eq(left, right)),
            (Value::Function(left), Value::Function(right)) => Some(Rc::ptr_eq(left, right)),
            (Value::Flow(left), Value::Flow(right)) => Some(Rc::ptr_eq(left, right)),
            // pydantic may have copied a list or not.
            (Value::List(left), Value::List(right)) | (Value::Set(left), Value::Set(right)) => {
                (!left.is_linked() && !right.is_linked()).then(|| Rc::ptr_eq(left, right))
            }
            (Value::Dict(left), Value::Dict(right)) => {
                (!left.is_linked() && !right.is_linked()).then(|| Rc::ptr_eq(left, right))
            }
            (Value::Opaque(known), Value::Opaque(other))
                if known.class.is_some() && other.class.is_some() =>
            {
                Some(Rc::ptr_eq(known, other))
            }
            (Value::Symbol(left), Value::Symbol(right)) if left == right => Some(true),
            _ => None,
        };
        match operator {
            CmpOp::Is => is(left, right),
            CmpOp::IsNot => is(left, right).map(|is| !is),
            CmpOp::Eq => is_equal(left, right),
            CmpOp::NotEq => is_equal(left, right).map(|equal| !equal),
            CmpOp::In => Self::contains(right, left),
            CmpOp::NotIn => Self::contains(right, left).map(|contains| !contains),
            CmpOp::Lt => order(left, right).map(std::cmp::Ordering::is_lt),
            CmpOp::LtE => order(left, right).map(std::cmp::Ordering::is_le),
            CmpOp::Gt => order(left, right).map(std::cmp::Ordering::is_gt),
            CmpOp::GtE => order(left, right).map(std::cmp::Ordering::is_ge),
        }
    }

    fn contains(container: &Value<'a>, item: &Value<'a>) -> Option<bool> {
        match (container, item) {
            (Value::Str(text), Value::Str(part)) => Some(text.contains(&**part)),
            (
                Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::View(items),
                item,
            ) => {
                for known in items.iter() {
                    if is_equal(known, item)? {
                        return Some(true);
                    }
                }
                Some(false)
            }
            (Value::Bound(bound), Value::Str(name)) => match (&bound.0, &*bound.1) {
                (Value::Module(imported), "__dict__") if !name.starts_with("__") => {
                    Some(imported.scope.own(name).is_some())
                }
                _ => None,
            },
            (Value::Dict(entries), item) => {
                Self::look_up(entries, item).ok().map(|found| found.is_some())
            }
            _ => None,
        }
    }

    /// The value of a key.
    pub(crate) fn look_up(
        entries: &[(Value<'a>, Value<'a>)],
        key: &Value<'a>,
    ) -> Result<Option<Value<'a>>, NotComparable> {
        for (known, value) in entries {
            if is_equal(known, key).ok_or(NotComparable)? {
                return Ok(Some(value.clone()));
            }
        }
        Ok(None)
    }

    /// Adds an entry, or changes the value of an equal key in its place.
    pub(crate) fn put(entries: &mut Vec<(Value<'a>, Value<'a>)>, key: Value<'a>, value: Value<'a>) {
        match entries.iter_mut().find(|(known, _)| is_equal(known, &key) == Some(true)) {
            Some(entry) => entry.1 = value,
            None => entries.push((key, value)),
        }
    }

    /// A set of these items.
    pub(super) fn set_of(&self, items: &[Value<'a>]) -> Value<'a> {
        self.note_implicit_use(items);
        match distinct(items) {
            Some(items) => Value::set(items),
            None => self.unknown("items of which it is not known whether they are equal"),
        }
    }

    /// `left <operator> right`.
    pub(super) fn binary(
        &self,
        operator: Operator,
        left: &Value<'a>,
        right: &Value<'a>,
    ) -> Evaluated<Value<'a>> {
        if operator == Operator::BitOr
            && let Some(union) = self.union(left, right)?
        {
            // `int | "X"`: before Python 3.14 a class has no `|` with a text. With a metaclass it
            // may have.
            let is_plain_class = match left {
                Value::Class(class) => class.keywords.is_empty(),
                Value::Symbol(path) => path.starts_with("builtins."),
                _ => false,
            };
            if is_plain_class && matches!(right, Value::Str(_)) {
                if self.python().at_least(14) == Some(false) {
                    let message = "unsupported operand types for |: 'type' and 'str'";
                    return self.raise("TypeError", message);
                }
                return Ok(self.unknown("a class or a text"));
            }
            return Ok(union);
        }
        if operator == Operator::Div
            && let Some(path) = Self::below_checkout(left, right)
        {
            return Ok(path);
        }
        // A constant combined with something unknown is unknown, with the same reason.
        for operand in [left, right] {
            if let Some(unknown) = operand.find_unknown(self.here()) {
                return Ok(Value::Unknown(unknown));
            }
        }
        let is_bitwise = matches!(operator, Operator::BitOr | Operator::BitAnd | Operator::BitXor);
        if is_bitwise && [left, right].iter().any(|one| matches!(one, Value::Member(_))) {
            // Those of flags give members again, those of other enums numbers.
            return Ok(self.unknown("an operator of members of an enum"));
        }
        // `IntEnum` members add like their numbers.
        let (left, right) = (&plain(left), &plain(right));
        if let (Some(left), Some(right)) = (number(left), number(right)) {
            return self.arithmetic(operator, &left, &right);
        }
        if refuses_operator(operator, left, right) {
            let (left, right) = (class_name(left), class_name(right));
            let message = format!("unsupported operand types: '{left}' and '{right}'");
            return self.raise("TypeError", message);
        }
        Ok(match (operator, left, right) {
            (Operator::Add, Value::Str(left), Value::Str(right))
                if left.len() + right.len() <= LONGEST =>
            {
                Value::text(format!("{left}{right}"))
            }
            (Operator::Add, Value::List(left), Value::List(right))
                if left.len() + right.len() <= LONGEST =>
            {
                Value::list(left.iter().chain(right.iter()).cloned().collect())
            }
            (Operator::Add, Value::Tuple(left), Value::Tuple(right))
                if left.len() + right.len() <= LONGEST =>
            {
                Value::tuple(left.iter().chain(right.iter()).cloned().collect())
            }
            (Operator::BitOr, Value::Dict(left), Value::Dict(right))
                if self.defaults.borrow().is_empty() =>
            {
                let mut entries = left.to_vec();
                for (key, value) in right.iter() {
                    Self::put(&mut entries, key.clone(), value.clone());
                }
                Value::dict(entries)
            }
            (
                Operator::BitOr | Operator::BitAnd | Operator::Sub | Operator::BitXor,
                Value::Set(left),
                Value::Set(right),
            ) => match combined(operator, left, right) {
                Some(set) => set,
                None => self.unknown("an operator of sets that is not evaluated here"),
            },
            (Operator::Mult, sequence, Value::Int(times))
            | (Operator::Mult, Value::Int(times), sequence) => self.repeated(sequence, times),
            (Operator::Mod, Value::Str(template), arguments) => {
                self.percent(template, arguments)?
            }
            (Operator::Add, Value::Std(left), Value::Std(right)) => {
                self.std_value(left.plus(right))
            }
            (Operator::Sub, Value::Std(left), Value::Std(right)) => {
                self.std_value(left.minus(right))
            }
            (Operator::Div, Value::Std(StdValue::Path(left, kind)), right) => {
                let (Value::Str(part) | Value::Std(StdValue::Path(part, _))) = right else {
                    return Ok(self.unknown_because(right, "a path"));
                };
                Value::Std(StdValue::Path(join_path(&[left, part]).into(), *kind))
            }
            (Operator::Add | Operator::Sub, ..) => self.complex_sum(operator, left, right),
            _ => self.unknown("an operator that is not evaluated here"),
        })
    }

    fn complex_sum(&self, operator: Operator, left: &Value<'a>, right: &Value<'a>) -> Value<'a> {
        let parts = |value: &Value<'a>| match value {
            Value::Complex(real, imaginary) => Some((*real, *imaginary)),
            other => number(other).map(|number| (number.float(), 0.0)),
        };
        match (parts(left), parts(right)) {
            (Some(left), Some(right)) if operator == Operator::Add => {
                Value::Complex(left.0 + right.0, left.1 + right.1)
            }
            (Some(left), Some(right)) => Value::Complex(left.0 - right.0, left.1 - right.1),
            _ => self.unknown("an operator that is not evaluated here"),
        }
    }

    fn std_value(&self, std_value: Option<StdValue>) -> Value<'a> {
        std_value.map_or_else(
            || self.unknown("arithmetic with dates that is not evaluated here"),
            Value::Std,
        )
    }

    fn repeated(&self, sequence: &Value<'a>, times: &Int) -> Value<'a> {
        let times = times.small().unwrap_or(i128::MAX);
        let count = usize::try_from(times.max(0)).unwrap_or(usize::MAX);
        let too_long = |length: usize| length.checked_mul(count).is_none_or(|all| all > LONGEST);
        match sequence {
            Value::Str(text) if !too_long(text.len()) => Value::text(text.repeat(count)),
            Value::List(items) if !too_long(items.len()) => Value::list(repeat(items, count)),
            Value::Tuple(items) if !too_long(items.len()) => Value::tuple(repeat(items, count)),
            Value::Std(StdValue::Delta(delta)) => {
                self.std_value(delta.checked_mul(times).map(StdValue::Delta))
            }
            other => self.unknown_because(other, "a repetition"),
        }
    }

    fn union(&self, left: &Value<'a>, right: &Value<'a>) -> Evaluated<Option<Value<'a>>> {
        // Objects that `typing` made have their own `|`, which takes a text or a second `None`.
        // Classes and builtin generics (`list[int]`) do not.
        let is_lenient = |value: &Value<'a>| {
            value.find_unknown(self.here()).is_some()
                || matches!(value, Value::Type(expression)
                    if !matches!(&**expression, Type::Generic(..) | Type::Named(_)))
                || value.as_symbol().is_some_and(|path| !path.starts_with("builtins."))
        };
        let refuses = |value: &Value<'a>| matches!(value, Value::None | Value::Str(_));
        let is_typed = |value: &Value<'a>| Self::is_type(value) && !refuses(value);
        let is_refused = matches!((left, right), (Value::None, Value::None))
            || (matches!(left, Value::Str(_)) && is_typed(right) && !is_lenient(right))
            || (is_typed(left) && !is_lenient(left) && matches!(right, Value::Str(_)))
            || matches!((left, right), (Value::None, Value::Str(_)) | (Value::Str(_), Value::None));
        if is_refused {
            return self.raise("TypeError", "unsupported operand type(s) for |");
        }
        let foreign = |value: &Value<'a>| matches!(value, Value::Unknown(_) | Value::External(_));
        let is_left = Self::is_type(left) || foreign(left);
        let is_right = Self::is_type(right) || foreign(right) || matches!(right, Value::Str(_));
        // Two constants are numbers or sets: `|` is an operator of theirs.
        let is_known = !(left.is_constant() && right.is_constant());
        if !is_left || !is_right || !is_known {
            return Ok(None);
        }
        let choices = vec![left.clone(), as_type(right.clone())];
        self.checked_union(choices).map(Some)
    }

    /// `Union[choices]`, which Python makes only of what has a hash.
    pub(super) fn checked_union(&self, choices: Vec<Value<'a>>) -> Evaluated<Value<'a>> {
        for choice in &choices {
            match has_hash(choice, 0) {
                Some(true) => {}
                Some(false) if is_annotated(choice) => {
                    return self.raise("TypeError", "unhashable type");
                }
                // `list[...] | None` of builtins needs no hash.
                Some(false) => {
                    self.note_possible_error("a union of what may have no hash");
                    return Ok(self.unknown("a union of what may have no hash"));
                }
                None => return Ok(self.unknown("a union of what may have no hash")),
            }
        }
        Ok(Value::of_type(Type::Union(choices)))
    }

    fn arithmetic(
        &self,
        operator: Operator,
        left: &Numeric,
        right: &Numeric,
    ) -> Evaluated<Value<'a>> {
        if let (Numeric::Int(left), Numeric::Int(right)) = (left, right)
            && operator != Operator::Div
        {
            return self.integers(operator, left, right);
        }
        let (left, right) = (left.float(), right.float());
        let divides = matches!(operator, Operator::Div | Operator::FloorDiv | Operator::Mod);
        if right == 0.0 && divides {
            return self.raise("ZeroDivisionError", "division by zero");
        }
        Ok(match operator {
            Operator::Add => Value::Float(left + right),
            Operator::Sub => Value::Float(left - right),
            Operator::Mult => Value::Float(left * right),
            Operator::Div => Value::Float(left / right),
            Operator::FloorDiv => Value::Float((left / right).floor()),
            _ => self.unknown("an operator on floats that is not evaluated here"),
        })
    }

    fn integers(&self, operator: Operator, left: &Int, right: &Int) -> Evaluated<Value<'a>> {
        // Python's integers have no limit. Beyond 127 bits they are only carried.
        let (Some(left), Some(right)) = (left.small(), right.small()) else {
            return Ok(self.unknown("arithmetic with very large numbers"));
        };
        if right == 0 && matches!(operator, Operator::FloorDiv | Operator::Mod) {
            return self.raise("ZeroDivisionError", "integer division or modulo by zero");
        }
        let shift = u32::try_from(right).ok();
        let result = match operator {
            Operator::Add => left.checked_add(right),
            Operator::Sub => left.checked_sub(right),
            Operator::Mult => left.checked_mul(right),
            Operator::FloorDiv => Some(floor_division(left, right)),
            Operator::Mod => Some(left - floor_division(left, right) * right),
            Operator::Pow => shift.and_then(|exponent| left.checked_pow(exponent)),
            // Rust's shift drops bits without a word. Multiplying by a power of two notices the
            // overflow.
            Operator::LShift => shift
                .and_then(|bits| 1_i128.checked_shl(bits))
                .and_then(|by| if by > 0 { left.checked_mul(by) } else { None }),
            Operator::RShift => shift.and_then(|bits| left.checked_shr(bits)),
            Operator::BitOr => Some(left | right),
            Operator::BitAnd => Some(left & right),
            Operator::BitXor => Some(left ^ right),
            _ => None,
        };
        if operator == Operator::Pow && right < 0 {
            return Ok(self.unknown("a negative power"));
        }
        Ok(result.map_or_else(|| self.unknown("the number is too large"), Value::int))
    }
}

fn is_in_class(path: &str) -> bool {
    let owner = path.rsplit_once('.').and_then(|(owner, _)| owner.rsplit('.').next());
    owner.is_some_and(|owner| owner.starts_with(char::is_uppercase))
}

fn repeat<'a>(items: &[Value<'a>], count: usize) -> Vec<Value<'a>> {
    items.iter().cycle().take(items.len().saturating_mul(count)).cloned().collect()
}

fn is_annotated(value: &Value<'_>) -> bool {
    matches!(value, Value::Type(expression) if matches!(**expression, Type::Annotated(..)))
}

fn floor_division(left: i128, right: i128) -> i128 {
    // Python rounds towards minus infinity, Rust towards zero.
    let quotient = left.wrapping_div(right);
    if left.wrapping_rem(right) != 0 && (left < 0) != (right < 0) { quotient - 1 } else { quotient }
}

/// Members of `str` and `int` enums behave as their values.
fn plain<'a>(value: &Value<'a>) -> Value<'a> {
    match value {
        Value::Member(member) if is_plain(member) => member.value.clone(),
        other => other.clone(),
    }
}

fn is_plain(member: &Member<'_>) -> bool {
    member.mixin.is_some()
}

pub(super) fn order<'a>(left: &Value<'a>, right: &Value<'a>) -> Option<std::cmp::Ordering> {
    if let (Some(left), Some(right)) = (number(left), number(right)) {
        return match (left, right) {
            (Numeric::Int(Int::Small(left)), Numeric::Int(Int::Small(right))) => {
                Some(left.cmp(&right))
            }
            (left, right) => left.float().partial_cmp(&right.float()),
        };
    }
    match (left, right) {
        (Value::Str(left), Value::Str(right)) => Some(left.chars().cmp(right.chars())),
        (Value::Tuple(left), Value::Tuple(right)) | (Value::List(left), Value::List(right)) => {
            for (left, right) in left.iter().zip(right.iter()) {
                if !is_equal(left, right)? {
                    return order(left, right);
                }
            }
            Some(left.len().cmp(&right.len()))
        }
        (Value::Std(StdValue::Date(left)), Value::Std(StdValue::Date(right))) => {
            Some(left.cmp(right))
        }
        (Value::Std(StdValue::Delta(left)), Value::Std(StdValue::Delta(right))) => {
            Some(left.cmp(right))
        }
        _ => None,
    }
}

/// Sorts what Python can sort; `None` otherwise.
pub(crate) fn sorted<'a>(items: &[Value<'a>]) -> Option<Vec<Value<'a>>> {
    let mut sorted: Vec<Value<'a>> = Vec::with_capacity(items.len());
    for item in items {
        // Insertion from the back keeps equal items in their order, as Python's sort does.
        let mut place = sorted.len();
        for (at, known) in sorted.iter().enumerate().rev() {
            if order(item, known)?.is_lt() {
                place = at;
            }
        }
        sorted.insert(place, item.clone());
    }
    Some(sorted)
}
