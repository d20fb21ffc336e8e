//! Type variables and what takes their place.

use std::rc::Rc;

use super::definitions::Definitions;
use super::types::origin_class;
use super::{Generator, NoSchema, Schema, SchemaResult, TypeContext};
use crate::value::{Class, ClassKind, Type, Value};

fn is_variable(value: &Value<'_>) -> bool {
    matches!(value, Value::Type(expression) if matches!(**expression, Type::Variable { .. }))
}

fn is_same<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    matches!((left, right), (Value::Type(left), Value::Type(right)) if Rc::ptr_eq(left, right))
}

fn collect<'a>(value: &Value<'a>, variables: &mut Vec<Value<'a>>) {
    if is_variable(value) {
        if !variables.iter().any(|known| is_same(known, value)) {
            variables.push(value.clone());
        }
        return;
    }
    let Value::Type(expression) = value else { return };
    match &**expression {
        Type::Generic(_, parts) | Type::Union(parts) => {
            parts.iter().for_each(|part| collect(part, variables));
        }
        Type::Annotated(base, _) => collect(base, variables),
        _ => {}
    }
}

/// `Alias[arguments]` for a generic alias.
pub(crate) fn substitute_alias<'a>(alias: &Value<'a>, arguments: &[Value<'a>]) -> Value<'a> {
    let mut variables = Vec::new();
    collect(alias, &mut variables);
    substitute(alias, &variables, arguments)
}

/// `value` with `arguments` in place of `variables`.
pub(crate) fn substitute<'a>(
    value: &Value<'a>,
    variables: &[Value<'a>],
    arguments: &[Value<'a>],
) -> Value<'a> {
    let all = |parts: &[Value<'a>]| {
        parts.iter().map(|part| substitute(part, variables, arguments)).collect()
    };
    if let Some(at) = variables.iter().position(|variable| is_same(variable, value)) {
        // Too few arguments leave the variable as it is.
        return arguments.get(at).unwrap_or(value).clone();
    }
    let Value::Type(expression) = value else { return value.clone() };
    Value::of_type(match &**expression {
        Type::Generic(origin, parts) => Type::Generic(origin.clone(), all(parts)),
        Type::Union(parts) => Type::Union(all(parts)),
        Type::Annotated(base, metadata) => {
            Type::Annotated(substitute(base, variables, arguments), metadata.clone())
        }
        _ => return value.clone(),
    })
}

/// How a type argument shows in the name of a generic model.
fn shown(argument: &Value<'_>) -> Option<String> {
    match argument {
        Value::None => Some("NoneType".to_owned()),
        Value::Class(class) => Some(class.name.to_string()),
        // A type variable shows in another way.
        Value::Symbol(path) if &**path == "typing.AnyStr" => None,
        Value::Symbol(path) => {
            let is_class = origin_class(path) == **path;
            let leaf = path.rsplit('.').next()?;
            // Aliases of `typing` and types of pydantic show in forms that are not in the tables.
            (is_class && !path.starts_with("pydantic")).then(|| leaf.to_owned())
        }
        Value::Type(expression) => match &**expression {
            Type::Generic(Value::Symbol(path), arguments) => {
                let inner: Option<Vec<String>> = arguments.iter().map(shown).collect();
                Some(format!("{}[{}]", path.rsplit('.').next()?, inner?.join(", ")))
            }
            _ => None,
        },
        _ => None,
    }
}

impl<'a> Generator<'_, 'a> {
    /// `Model[arguments]`.
    pub(super) fn generic_class(
        &mut self,
        class: &Rc<Class<'a>>,
        arguments: &[Value<'a>],
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        if let Some(unknown) = class.obstacle.borrow().as_ref() {
            return Err(NoSchema::Unknown(Rc::clone(unknown)));
        }
        let name = &class.name;
        match class.kind.get() {
            ClassKind::Plain => return self.arbitrary_type(&class.name, context),
            ClassKind::Model => {}
            _ => return self.unknown(format!("`{name}` with type arguments")),
        }
        let mut variables = Vec::new();
        // The variables of a generic model are those of its bases, in the order of their first use:
        // `class Page(BaseModel, Generic[T])`.
        for base in &class.bases {
            collect(base, &mut variables);
        }
        let shown: Option<Vec<String>> = arguments.iter().map(shown).collect();
        let Some(shown) = shown.filter(|_| variables.len() == arguments.len()) else {
            return self.unknown(format!("the type arguments of `{name}`"));
        };
        let short = format!("{name}[{}]", shown.join(","));
        let full = format!("{}[{}]", class.full_name(), shown.join(","));
        let owner = Value::Class(Rc::clone(class));
        let (reference, is_new) = self.definitions.reference(&owner, arguments, &short, &full);
        if is_new {
            let title = format!("{name}[{}]", shown.join(", "));
            let with = Some((&variables[..], arguments));
            let context = self.inside(class, context)?;
            let schema = self.model(class, context, &title, with)?;
            self.definitions.define(reference, schema);
        }
        Ok(Definitions::link(reference))
    }
}
