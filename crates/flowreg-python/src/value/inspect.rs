//! Making values and looking into them.

use std::rc::Rc;

use super::{Class, Keywords, Location, Made, Object, Opaque, Type, Unknown, Value};
use crate::number::Int;

/// How many parts a type may have. Aliases of aliases can double with each line of the source.
const LARGEST_TYPE: u32 = 2000;

/// How deeply a type may be nested that is looked into. Types that people write have three or four
/// levels; the walks over them are recursive, and a deeper one becomes unknown.
pub(crate) const DEEPEST_TYPE: u32 = 40;

/// How many parts of a value are looked at before it counts as not known. A list of lists of itself
/// (`x = [x, x]`, a few lines in a row) has exponentially many.
pub(crate) const MOST_PARTS: u32 = 10_000;

/// The value of `key` among `keywords`.
pub(crate) fn keyword<'v, 'a>(keywords: &'v Keywords<'a>, key: &str) -> Option<&'v Value<'a>> {
    // From the end: where a name is given twice, as by merging, the later one counts.
    keywords.iter().rev().find(|(name, _)| &**name == key).map(|(_, value)| value)
}

/// Sets `key` among `keywords`, in its old place if it has one.
pub(crate) fn set_keyword<'a>(keywords: &mut Keywords<'a>, key: &str, value: Value<'a>) {
    match keywords.iter_mut().find(|(name, _)| &**name == key) {
        Some(entry) => entry.1 = value,
        None => keywords.push((key.into(), value)),
    }
}

impl<'a> Value<'a> {
    pub(crate) fn text(text: impl AsRef<str>) -> Self {
        Value::Str(text.as_ref().into())
    }

    pub(crate) fn int(number: i128) -> Self {
        Value::Int(Int::from(number))
    }

    pub(crate) fn symbol(path: &str) -> Self {
        Value::Symbol(path.into())
    }

    /// A type expression. One that is larger than any that people write becomes unknown, so that
    /// every walk over a type has an end.
    pub(crate) fn of_type(expression: Type<'a>) -> Self {
        let value = Value::Type(Rc::new(expression));
        if value.spend_type(&mut LARGEST_TYPE.clone()) {
            value
        } else {
            Value::unknown("the type is too large to be computed", Location::default())
        }
    }

    /// Takes the parts of a type off what is left; `false` if that is not enough.
    pub(crate) fn spend_type(&self, budget: &mut u32) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return false };
        *budget = rest;
        let Value::Type(expression) = self else { return true };
        match &**expression {
            Type::Generic(_, parts) | Type::Union(parts) => {
                parts.iter().all(|part| part.spend_type(budget))
            }
            Type::Annotated(base, _) | Type::Named(base) => base.spend_type(budget),
            Type::Variable { bound, constraints } => {
                bound.iter().chain(constraints).all(|part| part.spend_type(budget))
            }
            Type::Alias { value, .. } => value.spend_type(budget),
            Type::Literal(_) | Type::Forward(_) => true,
        }
    }

    pub(crate) fn generic(origin: &str, arguments: Vec<Value<'a>>) -> Self {
        Value::of_type(Type::Generic(Value::symbol(origin), arguments))
    }

    pub(crate) fn opaque(what: &'static str) -> Self {
        Value::Opaque(Rc::new(Opaque { class: None, what, attributes: None }))
    }

    /// A task of Prefect, which holds its function.
    pub(crate) fn task(function: Self) -> Self {
        let held = vec![("fn".into(), function.clone()), ("__wrapped__".into(), function)];
        Self::object(None, "task", held)
    }

    /// An object with attributes of its own.
    pub(crate) fn object(
        class: Option<Rc<Class<'a>>>,
        what: &'static str,
        attributes: Keywords<'a>,
    ) -> Self {
        let attributes = Some(Object::new(attributes));
        Value::Opaque(Rc::new(Opaque { class, what, attributes }))
    }

    pub(crate) fn unknown(why: impl Into<String>, at: Location) -> Self {
        Value::Unknown(Rc::new(Unknown { why: why.into(), at, is_flow_like: false }))
    }

    pub(crate) fn unknown_flow(why: impl Into<String>, at: Location) -> Self {
        Value::Unknown(Rc::new(Unknown { why: why.into(), at, is_flow_like: true }))
    }

    /// Whether this is a flow, or something unknown that is probably one.
    pub(crate) fn is_flow_like(&self) -> bool {
        match self {
            Value::Flow(_) => true,
            Value::Unknown(unknown) => unknown.is_flow_like,
            Value::Wrapped(inner, _) => inner.is_flow_like(),
            _ => false,
        }
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn as_symbol(&self) -> Option<&str> {
        match self {
            Value::Symbol(path) => Some(path),
            _ => None,
        }
    }

    pub(crate) fn is_symbol(&self, path: &str) -> bool {
        self.as_symbol() == Some(path)
    }

    /// Whether this is data through and through: no objects of the module inside.
    pub(crate) fn is_constant(&self) -> bool {
        self.is_constant_within(&mut MOST_PARTS.clone())
    }

    fn is_constant_within(&self, budget: &mut u32) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return false };
        *budget = rest;
        if self.lost().is_some() {
            return false;
        }
        match self {
            Value::None
            | Value::Ellipsis
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Complex(..)
            | Value::Str(_)
            | Value::Bytes(_)
            | Value::Std(_) => true,
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                items.iter().all(|item| item.is_constant_within(budget))
            }
            Value::Dict(items) => items.iter().all(|(key, value)| {
                key.is_constant_within(budget) && value.is_constant_within(budget)
            }),
            _ => false,
        }
    }

    /// The first unknown part, if any.
    pub(crate) fn find_unknown(&self, at: Location) -> Option<Rc<Unknown>> {
        self.find_unknown_within(at, &mut MOST_PARTS.clone())
    }

    fn find_unknown_within(&self, at: Location, budget: &mut u32) -> Option<Rc<Unknown>> {
        let Some(rest) = budget.checked_sub(1) else {
            let why = "the value is too large to be computed".to_owned();
            return Some(Rc::new(Unknown { why, at, is_flow_like: false }));
        };
        *budget = rest;
        if let Some(lost) = self.lost() {
            return Some(Rc::clone(lost));
        }
        match self {
            Value::Unknown(unknown) => Some(Rc::clone(unknown)),
            // Everything that comes from a package that is not read is unknown, though its path is
            // known.
            Value::External(path) => {
                Some(Rc::new(Unknown { why: not_read(path), at, is_flow_like: false }))
            }
            Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::View(items) => {
                items.iter().find_map(|item| item.find_unknown_within(at, budget))
            }
            Value::Dict(items) => items.iter().find_map(|(key, value)| {
                key.find_unknown_within(at, budget)
                    .or_else(|| value.find_unknown_within(at, budget))
            }),
            Value::Instance(instance) => {
                instance.fields.iter().find_map(|(_, value)| value.find_unknown_within(at, budget))
            }
            Value::Member(member) => member.value.find_unknown_within(at, budget),
            Value::Made(made) => Some(Rc::new(made.as_unknown(at))),
            _ => None,
        }
    }
}

impl Made<'_> {
    /// Why this is no plain value.
    fn as_unknown(&self, at: Location) -> Unknown {
        let (why, at) = match self {
            Made::Call(call) => (own_affair(&call.path), call.at),
            Made::Deployment(_) => ("a deployment is no plain value".to_owned(), at),
            Made::InCheckout(_) => {
                ("it depends on where the repository is checked out".to_owned(), at)
            }
            Made::Coroutine(.., at) => ("it is asynchronous and not awaited".to_owned(), *at),
        };
        Unknown { why, at, is_flow_like: false }
    }
}

/// Why what a call of Prefect's own gives is not known.
pub(crate) fn own_affair(path: &str) -> String {
    format!("what `{path}()` returns is Prefect's own affair")
}

/// Says that `path` comes from a module that is not read.
pub(crate) fn not_read(path: &str) -> String {
    match path.rsplit_once('.') {
        Some((module, name)) => {
            format!("`{name}` comes from `{module}`, which is not in the repository")
        }
        None => format!("the module `{path}` is not in the repository"),
    }
}
