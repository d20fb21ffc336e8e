//! `owner[index]`: items of containers, types with arguments, members of enums.

use std::rc::Rc;

use ruff_python_ast::{Expr, ExprSubscript};
use ruff_text_size::Ranged;

use super::ancestors::ancestors;
use super::certain::{
    class_name, has_no_parameters, is_no_index, is_unhashable, takes_other_arguments,
};
use super::objects::{Held, look_along};
use super::reflection::in_dictionary;
use super::{Evaluated, Interpreter, as_type};
use crate::value::{ClassKind, Scope, Type, Value};

impl<'a> Interpreter<'a> {
    pub(super) fn subscripted(
        &self,
        subscript: &'a ExprSubscript,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Value<'a>> {
        let owner = self.value(&subscript.value, scope)?;
        let index = self.value(&subscript.slice, scope)?;
        self.at(scope, subscript.start());
        // `sys.modules[__name__]`
        if let (Expr::Attribute(attribute), Value::Str(name)) = (&*subscript.value, &index)
            && attribute.attr.as_str() == "modules"
            && self.value(&attribute.value, scope)?.is_symbol("sys")
            && let Some(known) =
                self.imported().into_iter().find(|known| known.module.name == *name)
        {
            return Ok(Value::Module(known));
        }
        self.subscript(&owner, &index)
    }

    pub(super) fn subscript(&self, owner: &Value<'a>, index: &Value<'a>) -> Evaluated<Value<'a>> {
        let arguments = || match index {
            // `tuple[()]`: no items at all, not no arguments.
            Value::Tuple(items) if items.is_empty() => vec![index.clone()],
            Value::Tuple(items) => items.iter().cloned().map(as_type).collect(),
            other => vec![as_type(other.clone())],
        };
        if let Some(item) = self.special_method(owner, "__getitem__", std::slice::from_ref(index)) {
            return item;
        }
        self.note_implicit_use([index]);
        Ok(match owner {
            Value::Bound(bound)
                if let Some(name) = index.as_str()
                    && let Some(value) = in_dictionary(bound, name) =>
            {
                value
            }
            Value::Unknown(_) => owner.clone(),
            Value::List(items) => return self.item(items, index, Value::list),
            Value::Tuple(items) => return self.item(items, index, Value::tuple),
            Value::Str(_) if is_no_index(index) => {
                let message = "string indices must be integers";
                return self.raise("TypeError", message);
            }
            Value::Str(_) => self.text_slice(owner, index),
            Value::Dict(entries) => {
                if is_unhashable(index) {
                    return self.unhashable(index);
                }
                if let Some(unknown) = index.find_unknown(self.here()) {
                    return Ok(Value::Unknown(unknown));
                }
                match Self::look_up(entries, index) {
                    Ok(Some(value)) => value,
                    Ok(None) => match self.factory_of(owner) {
                        // `collections.defaultdict`
                        Some(factory) => {
                            let made = self.call(&factory, &[], &Vec::new())?;
                            let why = "an item of it is made that it had not";
                            self.set_item(owner, index, &made, why)?;
                            made
                        }
                        None => return self.missing_key(index),
                    },
                    Err(_) => self.unknown("a dictionary with keys that can't be compared"),
                }
            }
            Value::Symbol(path) if index.as_str().is_some() && !is_type_module(path) => {
                self.unknown(format!("`{path}[…]` is not evaluated"))
            }
            Value::Symbol(path) if has_no_parameters(path) => {
                return self.raise("TypeError", format!("type '{path}' is not subscriptable"));
            }
            Value::Symbol(path) if takes_other_arguments(path, &arguments()) => {
                return self.raise("TypeError", format!("the arguments of `{path}` don't fit"));
            }
            Value::Symbol(path) => return self.symbol_subscript(path, index, arguments()),
            Value::Instance(instance) if instance.class.kind.get() == ClassKind::NamedTuple => {
                let items: Vec<Value<'a>> =
                    instance.fields.iter().map(|(_, value)| value.clone()).collect();
                return self.item(&items, index, Value::tuple);
            }
            Value::Class(class) if class.kind.get() == ClassKind::Enum => {
                let members = class.members.borrow();
                let member = index
                    .as_str()
                    .and_then(|wanted| members.iter().find(|(name, _)| &**name == wanted));
                match member {
                    Some((_, member)) => Value::Member(Rc::clone(member)),
                    None if class.obstacle.borrow().is_none() && index.is_constant() => {
                        return self.raise("KeyError", Self::show(index));
                    }
                    None => self.unknown(format!("a member of `{}` that is not known", class.name)),
                }
            }
            Value::Class(class)
                if let Held::Found(hook) = look_along(&ancestors(class), "__class_getitem__") =>
            {
                let hook = match hook {
                    Value::Wrapped(inner, _) => (*inner).clone(),
                    other => other,
                };
                let arguments = [owner.clone(), index.clone()];
                return self.call(&hook, &arguments, &Vec::new());
            }
            // A generic class with arguments. What a class of another package makes of them is
            // asked when its schema is made.
            Value::Class(_) | Value::External(_) => {
                Value::of_type(Type::Generic(owner.clone(), arguments()))
            }
            Value::Type(_) => crate::schema::generics::substitute_alias(owner, &arguments()),
            Value::None
            | Value::Bool(_)
            | Value::Int(_)
            | Value::Float(_)
            | Value::Function(_)
            | Value::Module(_) => {
                let class = class_name(owner);
                return self.raise("TypeError", format!("'{class}' object is not subscriptable"));
            }
            other => self.unknown_because(other, "a subscript"),
        })
    }

    fn symbol_subscript(
        &self,
        path: &str,
        index: &Value<'a>,
        mut arguments: Vec<Value<'a>>,
    ) -> Evaluated<Value<'a>> {
        let first = arguments.first().cloned().unwrap_or(Value::None);
        self.check_type_arguments(path, &arguments)?;
        // `typing` caches subscripts, and takes unions of the same choices for one.
        let is_remembered = path.starts_with("typing.") && path != "typing.Literal";
        if let (true, Some(unknown)) = (is_remembered, self.why_order_unknown(path, &arguments)) {
            return Ok(unknown);
        }
        Ok(Value::of_type(match path {
            "typing.Optional" if arguments.len() != 1 => {
                return self.raise("TypeError", "typing.Optional requires a single type.");
            }
            // `Optional[X]` is the union of `X` and `None`, also for the checks.
            "typing.Optional" => return self.checked_union(vec![first, Value::None]),
            "typing.Union" => return self.checked_union(arguments),
            "typing.Literal" => Type::Literal(self.literal_values(index)),
            "typing.Annotated" => Type::Annotated(first, arguments.split_off(1)),
            _ => Type::Generic(Value::symbol(path), arguments),
        }))
    }

    fn literal_values(&self, index: &Value<'a>) -> Vec<Value<'a>> {
        let arguments = match index {
            Value::Tuple(items) => items.to_vec(),
            other => vec![other.clone()],
        };
        let mut values: Vec<Value<'a>> = Vec::new();
        for argument in arguments {
            // A `Literal` inside a `Literal` is flattened, and repetitions are dropped.
            let more = match &argument {
                Value::Type(expression) => match &**expression {
                    Type::Literal(values) => values.clone(),
                    _ => vec![self.unknown("a `Literal` with something that is no literal")],
                },
                Value::Str(_)
                | Value::Int(_)
                | Value::Bool(_)
                | Value::Bytes(_)
                | Value::None
                | Value::Member(_)
                | Value::Unknown(_) => vec![argument],
                other => vec![self.unknown_because(other, "a `Literal`")],
            };
            for value in more {
                if !values.iter().any(|known| super::equality::is_identical(known, &value)) {
                    values.push(value);
                }
            }
        }
        values
    }

    fn item(
        &self,
        items: &[Value<'a>],
        index: &Value<'a>,
        make: impl Fn(Vec<Value<'a>>) -> Value<'a>,
    ) -> Evaluated<Value<'a>> {
        if let Value::Slice(slice) = index {
            return Ok(match stepped(slice, items.len()) {
                Some(places) => {
                    make(places.into_iter().filter_map(|at| items.get(at).cloned()).collect())
                }
                None => self.unknown("a slice with a step of zero"),
            });
        }
        if is_no_index(index) {
            return self.raise("TypeError", "indices must be integers or slices");
        }
        let Some(at) = as_index(index) else { return Ok(self.unknown_because(index, "an index")) };
        let length = i64::try_from(items.len()).unwrap_or(i64::MAX);
        let at = if at < 0 { at + length } else { at };
        match usize::try_from(at).ok().and_then(|at| items.get(at)) {
            Some(item) => Ok(item.clone()),
            None => self.raise("IndexError", "list index out of range"),
        }
    }
}

/// Whether what stands in the brackets of a symbol is a type.
fn is_type_module(path: &str) -> bool {
    let module = path.split('.').next().unwrap_or(path);
    matches!(module, "typing" | "builtins" | "collections" | "pydantic" | "contextlib" | "queue")
        || matches!(module, "os" | "re" | "types" | "asyncio" | "weakref" | "type")
}

/// A whole number that can be an index.
pub(super) fn as_index(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Int(int) => i64::try_from(int.small()?).ok(),
        Value::Bool(truth) => Some(i64::from(*truth)),
        _ => None,
    }
}

/// The places that a slice takes of `length` items, in its order.
pub(super) fn stepped(slice: &[Option<i64>; 3], length: usize) -> Option<Vec<usize>> {
    let step = slice[2].unwrap_or(1);
    let length = i64::try_from(length).ok()?;
    // Python starts at the other end if it goes backwards.
    let (lowest, highest) = if step < 0 { (-1, length - 1) } else { (0, length) };
    let bound = |bound: Option<i64>, otherwise: i64| match bound {
        None => otherwise,
        Some(bound) if bound < 0 => bound.saturating_add(length).max(lowest),
        Some(bound) => bound.min(highest),
    };
    let (first, last) = if step < 0 { (highest, lowest) } else { (lowest, highest) };
    let (mut at, end) = (bound(slice[0], first), bound(slice[1], last));
    let mut places = Vec::new();
    while step != 0 && if step > 0 { at < end } else { at > end } {
        places.push(usize::try_from(at).ok()?);
        at = at.checked_add(step)?;
    }
    (step != 0).then_some(places)
}

/// The range a slice without a step takes of `length` items.
pub(super) fn slice_range(
    slice: &[Option<i64>; 3],
    length: usize,
) -> Option<std::ops::Range<usize>> {
    let [lower, upper, step] = *slice;
    if step.is_some_and(|step| step != 1) {
        return None;
    }
    let end = i64::try_from(length).ok()?;
    let clamp = |bound: i64| {
        let bound = if bound < 0 { bound.saturating_add(end) } else { bound };
        usize::try_from(bound.clamp(0, end)).unwrap_or(0)
    };
    let (lower, upper) = (clamp(lower.unwrap_or(0)), clamp(upper.unwrap_or(end)));
    Some(lower..upper.max(lower))
}
