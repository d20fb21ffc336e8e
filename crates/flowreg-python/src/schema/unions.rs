//! Unions: flattened, without repetitions, `null` last (docs/facts/python.md, "Types").

use std::rc::Rc;

use serde_json::Value as Json;

use super::{Generator, NoSchema, Schema, SchemaResult, TypeContext, entry, of_type};
use crate::interpreter::equality::is_identical;
use crate::value::{Type, Value};

/// The choices of a union, with those of nested unions in their place.
pub(crate) fn flatten<'a>(choices: &[Value<'a>]) -> Vec<Value<'a>> {
    let mut flat = Vec::new();
    for choice in choices {
        match choice {
            Value::Type(expression) => match &**expression {
                Type::Union(inner) => flat.extend(flatten(inner)),
                _ => flat.push(choice.clone()),
            },
            _ => flat.push(choice.clone()),
        }
    }
    flat
}

/// Whether Python takes two types for the same, so that a union keeps only one of them.
pub(crate) fn is_same_type<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    let all = |left: &[Value<'a>], right: &[Value<'a>]| {
        left.len() == right.len() && left.iter().zip(right).all(|(l, r)| is_same_type(l, r))
    };
    match (left, right) {
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        (Value::Type(left), Value::Type(right)) => match (&**left, &**right) {
            _ if Rc::ptr_eq(left, right) => true,
            (Type::Generic(left, inner), Type::Generic(right, other)) => {
                is_same_type(left, right) && all(inner, other)
            }
            (Type::Union(left), Type::Union(right)) => all(left, right),
            (Type::Literal(left), Type::Literal(right)) => {
                left.len() == right.len()
                    && left.iter().zip(right).all(|(left, right)| is_identical(left, right))
            }
            (Type::Forward(left), Type::Forward(right)) => left == right,
            _ => false,
        },
        _ => is_identical(left, right),
    }
}

impl<'a> Generator<'_, 'a> {
    /// The schema of a union of `choices`.
    pub(crate) fn union(
        &mut self,
        choices: &[Value<'a>],
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let mut distinct: Vec<Value<'a>> = Vec::new();
        for choice in flatten(choices) {
            for choice in self.resolved(choice, context) {
                if !distinct.iter().any(|known| is_same_type(known, &choice)) {
                    distinct.push(choice);
                }
            }
        }
        // Repetitions go by type here. After the schemas are made they go once more, because two
        // types may have equal schemas.
        let is_null = |choice: &Value<'a>| matches!(choice, Value::None);
        let has_null = distinct.iter().any(is_null);
        distinct.retain(|choice| !is_null(choice));
        match &distinct[..] {
            [] => Ok(of_type("null")),
            [only] => self.optional(only, has_null, context),
            many => self.choices(many, has_null, context),
        }
    }

    /// The choices that a quoted choice stands for in the body of a class; any other choice is itself.
    fn resolved(&self, choice: Value<'a>, context: TypeContext<'_, 'a>) -> Vec<Value<'a>> {
        let is_forward = match &choice {
            Value::Type(expression) => matches!(**expression, Type::Forward(_)),
            other => matches!(other, Value::Str(_)),
        };
        match context.class {
            Some(class) if is_forward => {
                flatten(&[super::resolve::inner(self.interpreter, choice, class)])
            }
            _ => vec![choice],
        }
    }

    fn optional(
        &mut self,
        only: &Value<'a>,
        has_null: bool,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let inner = self.schema(only, context.deeper())?;
        if !has_null || inner == of_type("null") {
            return Ok(inner);
        }
        let null = Json::Object(of_type("null"));
        // `Optional[Decimal]`: the type is a union already, so `null` joins its choices.
        if let (Some(Json::Array(any_of)), 1) = (inner.get("anyOf"), inner.len()) {
            let mut choices = any_of.clone();
            if !choices.contains(&null) {
                choices.push(null);
            }
            return Ok(entry("anyOf", choices));
        }
        Ok(entry("anyOf", vec![Json::Object(inner), null]))
    }

    fn choices(
        &mut self,
        many: &[Value<'a>],
        has_null: bool,
        context: TypeContext<'_, 'a>,
    ) -> SchemaResult<Schema> {
        let mut flat: Vec<Json> = Vec::new();
        let add = |schema: Json, flat: &mut Vec<Json>| {
            if !flat.contains(&schema) {
                flat.push(schema);
            }
        };
        for choice in many {
            let mark = self.definitions.mark();
            let schema = match self.schema(choice, context.deeper()) {
                // The dropped choice leaves definitions behind that pydantic may keep or not.
                Err(NoSchema::Callable) if self.definitions.mark() > mark => {
                    return self.unknown("a class inside a union has no schema");
                }
                Err(NoSchema::Callable) => continue,
                other => other?,
            };
            match (schema.get("anyOf"), schema.len()) {
                (Some(Json::Array(inner)), 1) => {
                    inner.iter().for_each(|schema| add(schema.clone(), &mut flat));
                }
                _ => add(Json::Object(schema), &mut flat),
            }
        }
        if has_null {
            add(Json::Object(of_type("null")), &mut flat);
        }
        match <[Json; 1]>::try_from(flat) {
            Ok([Json::Object(only)]) => Ok(only),
            Ok(_) => Err(NoSchema::Unconstrained),
            Err(none) if none.is_empty() => Err(NoSchema::Unconstrained),
            Err(many) => Ok(entry("anyOf", many)),
        }
    }
}
