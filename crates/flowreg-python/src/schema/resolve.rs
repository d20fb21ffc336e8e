//! Annotations that are strings, or kept for later, resolved where pydantic and Prefect do it
//! (docs/facts/python.md, "String annotations").

use std::rc::Rc;

use super::{NoSchema, SchemaResult};
use crate::interpreter::{Interpreter, Raised, as_type};
use crate::symbols;
use crate::value::{Annotation, Class, DEEPEST_TYPE, Location, Module, Scope, Type, Value};

/// The type of a class field, in the namespace that pydantic uses: the class itself, what its
/// body defines, the module.
pub(crate) fn field_type<'a>(
    interpreter: &Interpreter<'a>,
    annotation: &Annotation<'a>,
    owner: &Rc<Class<'a>>,
) -> Value<'a> {
    match annotation {
        Annotation::Missing => Value::symbol("typing.Any"),
        Annotation::Value(value) => inner(interpreter, as_type(value.clone()), owner),
        Annotation::Postponed(node) => match interpreter.value(node, &late_scope(owner)) {
            Ok(value) => inner(interpreter, as_type(value), owner),
            Err(raised) => interpreter.unknown(raised.message.clone()),
        },
    }
}

/// The namespace in which pydantic evaluates the annotations of a class: names of its body, of the
/// functions around it, of the module, and the class itself.
fn late_scope<'a>(owner: &Rc<Class<'a>>) -> Rc<Scope<'a>> {
    let scope = Scope::class(&owner.name, &owner.scope.top());
    for (name, value) in owner.scope.names.borrow().iter() {
        let value = match value {
            Value::Class(_) => value.clone(),
            // pydantic takes the defaults of fields off the class. Whether it has done so when the
            // annotation is evaluated depends on when the model is completed.
            _ => Value::unknown(
                format!("`{name}` in an annotation may be the value that `{}` binds", owner.name),
                Location::default(),
            ),
        };
        scope.set(name, value);
    }
    let mut enclosing = owner.scope.parent.as_ref();
    while let Some(outer) = enclosing {
        for (name, value) in outer.names.borrow().iter() {
            if !outer.is_module() && scope.own(name).is_none() {
                scope.set(name, value.clone());
            }
        }
        enclosing = outer.parent.as_ref();
    }
    scope.set(&owner.name, Value::Class(Rc::clone(owner)));
    scope
}

/// A type with the strings inside it resolved for a class field.
pub(crate) fn inner<'a>(
    interpreter: &Interpreter<'a>,
    value: Value<'a>,
    owner: &Rc<Class<'a>>,
) -> Value<'a> {
    inner_within(interpreter, value, owner, 0)
}

fn inner_within<'a>(
    interpreter: &Interpreter<'a>,
    value: Value<'a>,
    owner: &Rc<Class<'a>>,
    depth: u32,
) -> Value<'a> {
    if depth > DEEPEST_TYPE {
        return interpreter.unknown("the type is nested too deeply");
    }
    let one = |value: &Value<'a>| inner_within(interpreter, value.clone(), owner, depth + 1);
    let Value::Type(expression) = &value else { return value };
    Value::of_type(match &**expression {
        Type::Forward(text) => {
            let Some(node) = interpreter.parse_annotation(text) else {
                return interpreter.unknown(format!("the annotation \"{text}\" can't be parsed"));
            };
            return match interpreter.value(node, &late_scope(owner)) {
                Ok(value) => inner_within(interpreter, as_type(value), owner, depth + 1),
                Err(raised) => interpreter.unknown(raised.message.clone()),
            };
        }
        Type::Generic(origin, arguments) => {
            Type::Generic(origin.clone(), arguments.iter().map(one).collect())
        }
        Type::Union(choices) => Type::Union(choices.iter().map(one).collect()),
        Type::Annotated(base, metadata) => Type::Annotated(one(base), metadata.clone()),
        _ => return value,
    })
}

/// The names of `prefect._internal.pydantic.v2_schema`, where Prefect resolves what it could not
/// resolve in the function's own module.
fn prefect_scope<'a>(module: &Rc<Module<'a>>) -> Rc<Scope<'a>> {
    let scope = Scope::module(module);
    for (name, path) in [
        ("t", "typing"),
        ("typing", "typing"),
        ("inspect", "inspect"),
        ("pydantic", "pydantic"),
        ("V2BaseModel", "pydantic.BaseModel"),
        ("ConfigDict", "pydantic.ConfigDict"),
        ("TypeAdapter", "pydantic.TypeAdapter"),
        ("create_model", "pydantic.create_model"),
    ] {
        debug_assert!(symbols::is_standard(path) || path.starts_with("pydantic"));
        scope.set(name, Value::symbol(path));
    }
    scope
}

/// A string annotation of a parameter that only Prefect's own module can resolve.
pub(crate) fn in_prefect<'a>(
    interpreter: &Interpreter<'a>,
    annotation: &Annotation<'a>,
    module: &Rc<Module<'a>>,
) -> Value<'a> {
    let value = match annotation {
        Annotation::Missing => return Value::symbol("typing.Any"),
        Annotation::Postponed(node) => interpreter.value(node, &prefect_scope(module)),
        Annotation::Value(Value::Str(text)) => match interpreter.parse_annotation(text) {
            Some(node) => interpreter.value(node, &prefect_scope(module)),
            None => return Value::symbol("typing.Any"),
        },
        Annotation::Value(value) => Ok(value.clone()),
    };
    match value {
        Ok(value) => as_type(value),
        // A name that Prefect's module does not have leaves the parameter unconstrained.
        Err(raised) if raised.kind == "NameError" => Value::symbol("typing.Any"),
        Err(raised) => interpreter.unknown(raises(&raised)),
    }
}

/// The reason given for an annotation whose evaluation raises something other than the `NameError`
/// for which Prefect is prepared.
fn raises(raised: &Raised) -> String {
    format!("evaluating the annotation raises {raised}")
}

/// Why Prefect may refuse a quoted part of an annotation, if it may: the model that validates the
/// arguments evaluates it in the function's own module, and may miss names only.
pub(crate) fn refusal<'a>(
    interpreter: &Interpreter<'a>,
    value: &Value<'a>,
    scope: &Rc<Scope<'a>>,
    depth: u32,
) -> Option<String> {
    let within = |value: &Value<'a>| refusal(interpreter, value, scope, depth + 1);
    if depth > DEEPEST_TYPE {
        return Some("the type is nested too deeply".to_owned());
    }
    let text = match value {
        Value::Str(text) => text,
        Value::Type(expression) => match &**expression {
            Type::Forward(text) => text,
            Type::Generic(_, parts) | Type::Union(parts) => return parts.iter().find_map(within),
            Type::Annotated(base, _) => return within(base),
            _ => return None,
        },
        _ => return None,
    };
    let Some(node) = interpreter.parse_annotation(text) else {
        return Some(format!("the annotation \"{text}\" can't be parsed"));
    };
    match interpreter.value(node, scope) {
        Ok(value) => within(&value),
        Err(raised) if matches!(raised.kind.as_str(), "NameError" | "AttributeError") => None,
        Err(raised) => Some(raises(&raised)),
    }
}

/// A parameter's type with the strings inside it resolved in Prefect's module.
pub(crate) fn forward<'a>(
    interpreter: &Interpreter<'a>,
    value: &Value<'a>,
    module: &Rc<Module<'a>>,
    depth: u32,
) -> SchemaResult<Value<'a>> {
    let all = |parts: &[Value<'a>]| -> SchemaResult<Vec<Value<'a>>> {
        parts.iter().map(|part| forward(interpreter, part, module, depth + 1)).collect()
    };
    if depth > DEEPEST_TYPE {
        return Ok(interpreter.unknown("the type is nested too deeply"));
    }
    let Value::Type(expression) = value else { return Ok(value.clone()) };
    Ok(Value::of_type(match &**expression {
        Type::Forward(text) => {
            let Some(node) = interpreter.parse_annotation(text) else {
                let message = format!("invalid syntax in the annotation \"{text}\"");
                return Err(NoSchema::Raises("SyntaxError", message));
            };
            let resolved = match interpreter.value(node, &prefect_scope(module)) {
                Ok(resolved) => resolved,
                // One string inside a type that does not resolve leaves the whole parameter
                // unconstrained.
                Err(raised) if raised.kind == "NameError" => return Err(NoSchema::Unconstrained),
                Err(raised) => return Ok(interpreter.unknown(raises(&raised))),
            };
            return forward(interpreter, &as_type(resolved), module, depth + 1);
        }
        Type::Generic(origin, arguments) => Type::Generic(origin.clone(), all(arguments)?),
        Type::Union(choices) => Type::Union(all(choices)?),
        Type::Annotated(base, metadata) => {
            Type::Annotated(forward(interpreter, base, module, depth + 1)?, metadata.clone())
        }
        _ => return Ok(value.clone()),
    }))
}
