//! Builtins that ask or set what objects are and have: `getattr`, `setattr`, `isinstance` and the like, and
//! those of `inspect`.

use std::rc::Rc;

use super::ancestors::ancestors;
use super::objects::{Held, class_of, is_bare, is_followed, look_along};
use super::{Evaluated, Interpreter};
use crate::value::{Class, ClassKind, Function, Keywords, Text, Value, keyword};

/// Builtin classes of which constants and objects of the repository are told.
const BUILTIN_CLASSES: &[&str] =
    &["bool", "bytes", "complex", "dict", "float", "int", "list", "set", "str", "tuple"];

/// Whether there is an attribute.
enum Certain<'a> {
    Found(Value<'a>),
    Missing,
    NotKnown,
}

impl<'a> Interpreter<'a> {
    /// A call that asks or sets what an object has; `None` if the function is no such.
    pub(super) fn call_reflection(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Option<Value<'a>>> {
        if !keywords.is_empty() {
            return Ok(None);
        }
        Ok(Some(match (path, arguments) {
            ("builtins.getattr", [owner, Value::Str(name)]) => self.attribute(owner, name)?,
            ("builtins.getattr", [owner, Value::Str(name), otherwise]) => {
                match self.certain_attribute(owner, name)? {
                    Certain::Found(value) => value,
                    Certain::Missing => otherwise.clone(),
                    Certain::NotKnown => {
                        let unknown = self.unknown(format!("whether there is a `{name}`"));
                        let held = self.attribute(owner, name)?;
                        self.note_may_be(&unknown, [owner.clone(), otherwise.clone(), held]);
                        unknown
                    }
                }
            }
            ("builtins.hasattr", [owner, Value::Str(name)]) => {
                match self.certain_attribute(owner, name)? {
                    Certain::Found(_) => Value::Bool(true),
                    Certain::Missing => Value::Bool(false),
                    Certain::NotKnown => self.unknown(format!("whether there is a `{name}`")),
                }
            }
            ("builtins.setattr", [owner, Value::Str(name), value])
                if !matches!(owner, Value::Unknown(_) | Value::External(_)) =>
            {
                self.check_attribute_change(owner, name)?;
                self.set_attribute(owner, name, value)?;
                Value::None
            }
            // Which attribute is set, or of which object, is not known.
            ("builtins.setattr" | "builtins.delattr", _) => {
                self.lose_given(arguments, keywords, "attributes of it are set");
                Value::None
            }
            ("builtins.isinstance", [value, class]) => match is_instance(value, class) {
                Some(truth) => Value::Bool(truth),
                None => self.unknown("a question after a class that is not evaluated here"),
            },
            ("builtins.issubclass", [Value::Class(class), Value::Class(of)]) => {
                match inherits(class, of) {
                    Some(truth) => Value::Bool(truth),
                    None => self.unknown("a question after a class that is not evaluated here"),
                }
            }
            ("builtins.type", [value]) => match class_of(value) {
                Some(class) if is_known(class) && !is_given_up(value) => {
                    Value::Class(Rc::clone(class))
                }
                _ => match value {
                    Value::Bool(_) | Value::Int(_) | Value::Float(_) | Value::Str(_) => {
                        let class = super::certain::class_name(value);
                        Value::Symbol(format!("builtins.{class}").into())
                    }
                    _ => return Ok(None),
                },
            },
            ("builtins.callable", [value]) => match value {
                Value::Function(_) | Value::Class(_) | Value::Partial(_) => Value::Bool(true),
                value if value.is_constant() => Value::Bool(false),
                value => {
                    match class_of(value).map(|class| look_along(&ancestors(class), "__call__")) {
                        Some(Held::Found(_)) => Value::Bool(true),
                        Some(Held::Missing) => Value::Bool(false),
                        _ => return Ok(None),
                    }
                }
            },
            (
                "inspect.iscoroutinefunction" | "asyncio.iscoroutinefunction",
                [Value::Function(function)],
            ) => match is_coroutine(function) {
                Some(truth) => Value::Bool(truth),
                None => return Ok(None),
            },
            ("inspect.isfunction", [Value::Function(_)])
            | ("inspect.isclass", [Value::Class(_)]) => Value::Bool(true),
            ("inspect.isclass", [Value::Function(_)]) => Value::Bool(false),
            ("inspect.isfunction" | "inspect.isclass", [value]) if value.is_constant() => {
                Value::Bool(false)
            }
            ("inspect.signature", [function @ Value::Function(_)]) => {
                Value::object(None, "a signature", vec![("of".into(), function.clone())])
            }
            ("inspect.getdoc", [Value::Function(function)])
                if function.attributes.borrow().is_empty() =>
            {
                match &function.docstring {
                    Some(text) => Value::text(crate::docstring::clean(text)),
                    None => Value::None,
                }
            }
            ("builtins.str", [value]) => self.stringified(value)?,
            ("builtins.repr", [value]) => self.repr(value)?,
            (
                "builtins.len",
                [value @ (Value::None | Value::Bool(_) | Value::Int(_) | Value::Float(_))],
            ) => {
                let class = super::certain::class_name(value);
                return self.raise("TypeError", format!("object of type '{class}' has no len()"));
            }
            ("builtins.len", [value]) if class_of(value).is_some() => {
                match self.special_method(value, "__len__", &[]) {
                    Some(length) => length?,
                    None => return Ok(None),
                }
            }
            ("builtins.bool", [value]) if class_of(value).is_some() => {
                match self.condition(value)? {
                    Some(truth) => Value::Bool(truth),
                    None => return Ok(None),
                }
            }
            ("builtins.globals", []) => {
                let here = self.here().module;
                let imported =
                    self.imported().into_iter().find(|known| known.module.number == here);
                match imported {
                    Some(module) => {
                        Value::Bound(Rc::new((Value::Module(module), "__dict__".into())))
                    }
                    None => return Ok(None),
                }
            }
            ("builtins.vars", [owner]) => Value::Bound(Rc::new((owner.clone(), "__dict__".into()))),
            _ => return Ok(None),
        }))
    }

    /// An attribute, or that there is none.
    fn certain_attribute(&self, owner: &Value<'a>, name: &str) -> Evaluated<Certain<'a>> {
        match self.attribute(owner, name) {
            Err(raised) if raised.kind == "AttributeError" => Ok(Certain::Missing),
            Err(raised) => Err(raised),
            // Whether these are there is asked when they are used.
            Ok(Value::Bound(_) | Value::Unknown(_) | Value::External(_) | Value::Symbol(_)) => {
                Ok(Certain::NotKnown)
            }
            Ok(value) => Ok(Certain::Found(value)),
        }
    }

    /// `owner.__dict__[name] = value` of a flow, an object or a module.
    pub(super) fn set_in_dictionary(
        &self,
        owner: &Value<'a>,
        index: &Value<'a>,
        value: &Value<'a>,
    ) -> Evaluated<bool> {
        let (Value::Bound(bound), Value::Str(name)) = (owner, index) else { return Ok(false) };
        let (owner, part) = &**bound;
        let is_followed = &**part == "__dict__"
            && match owner {
                Value::Flow(_) | Value::Module(_) => true,
                Value::Opaque(opaque) => opaque.attributes.is_some(),
                _ => false,
            };
        if is_followed {
            match owner {
                Value::Opaque(_) => self.set_on_object(owner, name, value),
                Value::Module(imported) => self.set(&imported.scope, name, value.clone()),
                _ => self.set_attribute(owner, name, value)?,
            }
        }
        Ok(is_followed)
    }

    /// `globals().update(…)` of names that are known; whether it was one.
    pub(super) fn updated_dictionary(
        &self,
        owner: &Value<'a>,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<bool> {
        let is_namespace = matches!(owner, Value::Bound(bound)
            if &*bound.1 == "__dict__" && matches!(bound.0, Value::Module(_)));
        let mut names: Vec<(Value<'a>, Value<'a>)> = match arguments {
            [] => Vec::new(),
            [Value::Dict(more)] if more.lost().is_none() => more.to_vec(),
            _ => return Ok(false),
        };
        let given = keywords.iter();
        names.extend(given.map(|(name, value)| (Value::Str(Rc::clone(name)), value.clone())));
        let is_name = |(name, _): &(Value<'a>, _)| name.as_str().is_some_and(|name| name != "**");
        if !is_namespace
            || method != "update"
            || !self.is_certain_to_run()
            || !names.iter().all(is_name)
        {
            return Ok(false);
        }
        for (name, value) in &names {
            self.set_in_dictionary(owner, name, value)?;
        }
        Ok(true)
    }
}

/// `owner.__dict__[name]`; `None` if it is not known.
pub(super) fn in_dictionary<'a>(bound: &(Value<'a>, Text), name: &str) -> Option<Value<'a>> {
    match (&bound.0, &*bound.1) {
        (Value::Module(imported), "__dict__") => imported.scope.own(name),
        (Value::Opaque(opaque), "__dict__") => {
            let attributes = opaque.attributes.as_ref().filter(|all| all.lost().is_none())?;
            keyword(attributes, name).cloned()
        }
        _ => None,
    }
}

fn is_coroutine(function: &Rc<Function<'_>>) -> Option<bool> {
    if function.attributes.borrow().iter().any(|(name, _)| &**name == "__code__") {
        return None;
    }
    let Some(definition) = function.definition else {
        return function.lambda_body.map(|_| false);
    };
    Some(definition.is_async && !super::inline::is_generator(definition))
}

/// Whether what an object of the repository holds is not known any more.
fn is_given_up(value: &Value<'_>) -> bool {
    value.lost().is_some()
        || matches!(value, Value::Opaque(opaque)
            if opaque.attributes.as_ref().is_some_and(|all| all.lost().is_some()))
}

fn is_known(class: &Rc<Class<'_>>) -> bool {
    class.obstacle.borrow().is_none()
}

/// Whether a class of the repository inherits from another one, or is the same.
fn inherits<'a>(class: &Rc<Class<'a>>, of: &Rc<Class<'a>>) -> Option<bool> {
    let has_hook = |class: &Rc<Class<'_>>| {
        ["__instancecheck__", "__subclasscheck__", "__subclasshook__", "__class__"]
            .iter()
            .any(|hook| class.scope.own(hook).is_some())
    };
    if !is_known(class) || !is_known(of) || of.kind.get() == ClassKind::Protocol || has_hook(of) {
        return None;
    }
    Some(
        ancestors(class)
            .iter()
            .any(|known| matches!(known, Value::Class(known) if Rc::ptr_eq(known, of))),
    )
}

pub(super) fn is_instance<'a>(value: &Value<'a>, class: &Value<'a>) -> Option<bool> {
    match class {
        Value::Tuple(classes) => {
            let mut is_any = Some(false);
            for class in classes.iter() {
                match is_instance(value, class) {
                    Some(true) => return Some(true),
                    Some(false) => {}
                    None => is_any = None,
                }
            }
            is_any
        }
        Value::Class(of) => match class_of(value) {
            // Its `__class__` may have been set.
            Some(_) if is_given_up(value) => None,
            Some(class) => inherits(class, of),
            None if value.is_constant()
                || matches!(value, Value::Function(_) | Value::Class(_)) =>
            {
                is_known(of).then_some(false)
            }
            None => None,
        },
        Value::Symbol(path) => {
            let name = path.strip_prefix("builtins.")?;
            if name == "object" {
                return Some(true);
            }
            let is_builtin = BUILTIN_CLASSES.contains(&name);
            let own = match value {
                Value::Bool(_) => return is_builtin.then_some(matches!(name, "bool" | "int")),
                Value::Int(_) => "int",
                Value::Float(_) => "float",
                Value::Complex(..) => "complex",
                Value::Str(_) => "str",
                Value::List(_) => "list",
                Value::Tuple(_) => "tuple",
                Value::Dict(_) => "dict",
                // `frozenset` and `bytearray` look the same.
                Value::Set(_) if name != "set" => "set",
                Value::Bytes(_) if name != "bytes" => "bytes",
                Value::None | Value::Function(_) => "",
                Value::Opaque(_) if class_of(value).is_some_and(is_followed) => "",
                Value::Instance(instance)
                    if instance.class.kind.get() == ClassKind::Dataclass
                        && is_known(&instance.class)
                        && instance
                            .class
                            .ancestors
                            .iter()
                            .all(|known| known.as_symbol().is_none_or(is_bare)) =>
                {
                    ""
                }
                _ => return None,
            };
            is_builtin.then_some(name == own)
        }
        _ => None,
    }
}
