//! From annotations to JSON schema, as pydantic 2.14 makes it for Prefect 3.8.
//!
//! | what | where |
//! |---|---|
//! | the whole of a flow | [`parameters`] |
//! | what an annotation is | [`types`], [`unions`], [`generics`], [`constraints`] (`Annotated`, `Field`) |
//! | classes | [`classes`] (models, enums, dataclasses, typed dictionaries, named tuples), [`fields`] (titles, aliases, configuration) |
//! | the names of shared parts | [`definitions`] |
//! | strings and postponed annotations | [`resolve`] |
//! | other versions of Prefect | [`versions`] |
//!
//! The rules stand in `docs/facts/python.md`, from "Parameters" to "Defaults".

pub(crate) mod classes;
pub(crate) mod constraints;
pub(crate) mod definitions;
pub(crate) mod fields;
pub(crate) mod generics;
pub(crate) mod parameters;
pub(crate) mod resolve;
pub(crate) mod types;
pub(crate) mod unions;
pub(crate) mod versions;

use std::cell::Cell;
use std::rc::Rc;

use serde_json::{Map, Value as Json};

use super::interpreter::Interpreter;
use super::value::{Class, Unknown, Value};
use definitions::Definitions;

/// How many types one flow may have. Real ones have some hundred at most.
const MOST_TYPES: u32 = 20_000;

/// How deeply schemas may be made inside each other: through fields of models, which may be nested
/// more deeply than a single type.
const DEEPEST_SCHEMA: u32 = 60;

/// A JSON schema object.
pub(crate) type Schema = Map<String, Json>;

/// Why there is no schema.
#[derive(Debug, Clone)]
pub(crate) enum NoSchema {
    /// It can't be known from the source.
    Unknown(Rc<Unknown>),
    /// Pydantic has none for the type; Prefect leaves the parameter unconstrained.
    Unconstrained,
    /// The same for a callable, which a union leaves out.
    Callable,
    /// Prefect can't define the flow: the exception's class and message.
    Raises(&'static str, String),
}

/// The outcome of making a schema.
pub(crate) type SchemaResult<T> = Result<T, NoSchema>;

/// Makes the schemas of one flow, with the definitions they share.
pub(crate) struct Generator<'g, 'a> {
    pub interpreter: &'g Interpreter<'a>,
    pub definitions: Definitions<'a>,
    /// Whether a parameter is unconstrained because its type has no schema.
    pub has_no_schema: Cell<bool>,
    /// Whether types are refused that pydantic has no schema for, as it does where a class is made.
    refuses: bool,
    /// How many types may still be made. Aliases that use each other twice grow exponentially
    /// (`A = dict[B, B]`), and end here.
    budget: Cell<u32>,
}

impl<'g, 'a> Generator<'g, 'a> {
    pub(crate) fn new(interpreter: &'g Interpreter<'a>) -> Self {
        Generator {
            interpreter,
            definitions: Definitions::default(),
            has_no_schema: Cell::new(false),
            refuses: true,
            budget: Cell::new(MOST_TYPES),
        }
    }

    /// A generator that takes types which pydantic refuses as unconstrained.
    pub(crate) fn lenient(interpreter: &'g Interpreter<'a>) -> Self {
        Generator { refuses: false, ..Generator::new(interpreter) }
    }

    /// A type that pydantic has no schema for: fine in a signature, refused in most classes.
    fn arbitrary_type(&self, what: &str, context: TypeContext<'_, 'a>) -> SchemaResult<Schema> {
        // A model without `arbitrary_types_allowed` can't even be defined with such a field.
        // Prefect builds its models for signatures with it allowed.
        if context.is_strict && self.refuses {
            let message = format!("Unable to generate pydantic-core schema for `{what}`");
            return Err(NoSchema::Raises(NO_CORE_SCHEMA, message));
        }
        Ok(Schema::new())
    }

    fn unknown<T>(&self, why: impl Into<String>) -> SchemaResult<T> {
        let at = self.interpreter.here();
        Err(NoSchema::Unknown(Rc::new(Unknown { why: why.into(), at, is_flow_like: false })))
    }

    fn spend(&self, depth: u32) -> SchemaResult<()> {
        match self.budget.get().checked_sub(1) {
            Some(rest) if depth < DEEPEST_SCHEMA => {
                self.budget.set(rest);
                Ok(())
            }
            _ => self.unknown("the type is too large to be computed"),
        }
    }
}

/// What pydantic raises for a type that it does not know.
pub(crate) const NO_CORE_SCHEMA: &str = "PydanticSchemaGenerationError";

/// Where a type stands, because the same type can mean something else there: in a class body,
/// strings resolve in the class; in a signature, in Prefect's own module.
#[derive(Clone, Copy)]
pub(crate) struct TypeContext<'p, 'a> {
    pub class: Option<&'p Rc<Class<'a>>>,
    pub depth: u32,
    /// Whether the class around it allows no arbitrary types.
    pub is_strict: bool,
    /// Whether the model around it has a configuration that classes inside may take over.
    is_configured: bool,
}

impl TypeContext<'_, '_> {
    /// Of a type in a signature.
    pub(crate) const SIGNATURE: Self =
        TypeContext { class: None, depth: 0, is_strict: false, is_configured: false };

    fn deeper(self) -> Self {
        TypeContext { depth: self.depth + 1, ..self }
    }
}

/// A schema with one entry.
pub(crate) fn entry(key: &str, value: impl Into<Json>) -> Schema {
    let mut schema = Schema::new();
    schema.insert(key.to_owned(), value.into());
    schema
}

/// `{"type": ...}`.
pub(crate) fn of_type(name: &str) -> Schema {
    entry("type", name)
}

/// `{"type": "string", "format": ...}`.
pub(crate) fn formatted(format: &str) -> Schema {
    let mut schema = of_type("string");
    schema.insert("format".to_owned(), format.into());
    schema
}

/// Whether a value is something other than a type.
pub(crate) fn is_no_type(value: &Value<'_>) -> bool {
    value.is_constant()
        || matches!(
            value,
            Value::List(_)
                | Value::Tuple(_)
                | Value::Set(_)
                | Value::Function(_)
                | Value::Opaque(_)
                | Value::Field(_)
                | Value::Constraint(_)
        )
}
