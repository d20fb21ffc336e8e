//! Runs the top level of a module on abstract values, as `import` would.
//!
//! Statements in order, both branches where a condition is not known, nothing inside function
//! bodies. What can't be known becomes [`Value::Unknown`] with its reason; what certainly raises
//! becomes a [`Raised`]. Imports of other modules are not followed here.
//!
//! Rooms: [`statements`], [`imports`], [`functions`], [`classes`] (and [`enums`], [`instances`]),
//! [`expressions`], [`operators`], [`strings`], [`attributes`], [`calls`] (and [`standard`],
//! [`pydantic`]), [`effects`] for the walk before, [`nested`] for flows out of reach.

pub mod ancestors;
mod attributes;
mod calls;
pub mod classes;
pub mod effects;
mod enums;
mod expressions;
mod functions;
mod imports;
mod instances;
pub mod nested;
pub mod operators;
mod pydantic;
pub mod scope;
mod standard;
mod statements;
pub mod strings;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::TextSize;

use super::source::{self, Annotations};
use super::value::{Text, Type, Unknown, Value};
use crate::flow::value::Scope;
use effects::Effects;

/// An exception that the module certainly raises.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind}: {message}")]
pub struct Raised {
    /// The name of the exception's class.
    pub kind: String,
    pub message: String,
    pub at: TextSize,
}

/// The outcome of evaluating something.
pub type Evaluated<T> = Result<T, Box<Raised>>;

/// The state of one module while it runs, and after.
pub struct Interpreter<'a> {
    pub text: &'a str,
    pub annotations: &'a Annotations,
    /// The name under which Prefect imports the file: its stem.
    pub name: Text,
    pub effects: Effects<'a>,
    pub module: Rc<Scope<'a>>,
    /// Whether annotations are kept unevaluated.
    pub are_annotations_postponed: bool,
    /// The place that is evaluated, for reasons and errors.
    at: Cell<TextSize>,
    /// Why nothing about the module can be trusted, if so.
    doubt: RefCell<Option<Rc<Unknown>>>,
    /// How many branches with unknown conditions are open.
    guesses: Cell<u32>,
}

impl<'a> Interpreter<'a> {
    pub fn new(
        text: &'a str,
        name: &str,
        body: &'a [Stmt],
        annotations: &'a Annotations,
    ) -> Interpreter<'a> {
        let effects = Effects::of(body);
        let interpreter = Interpreter {
            text,
            annotations,
            name: name.into(),
            module: Scope::module(),
            are_annotations_postponed: body.iter().any(postpones_annotations),
            at: Cell::new(TextSize::new(0)),
            doubt: RefCell::new(None),
            guesses: Cell::new(0),
            effects,
        };
        if let Some((function, at)) = interpreter.effects.dynamic {
            interpreter
                .doubt(format!("the module uses `{function}()`, which can bind any name"), at);
        }
        let doc = source::docstring(body).map_or(Value::None, Value::text);
        interpreter.module.set("__doc__", doc);
        // The name differs between a first and a repeated load (facts a.1).
        let place = TextSize::new(0);
        interpreter.module.set("__name__", Value::text(name));
        interpreter.module.set(
            "__file__",
            Value::unknown("`__file__` depends on where the repository is checked out", place),
        );
        interpreter
    }

    /// Runs the whole body.
    ///
    /// # Errors
    /// [`Raised`] if the module certainly raises.
    pub fn run(&self, body: &'a [Stmt]) -> Evaluated<()> {
        self.block(body, &Rc::clone(&self.module))
    }

    /// The place that is evaluated.
    pub fn here(&self) -> TextSize {
        self.at.get()
    }

    pub(super) fn at(&self, place: TextSize) {
        self.at.set(place);
    }

    /// Why nothing about the module can be trusted, if so.
    pub fn doubts(&self) -> Option<Rc<Unknown>> {
        self.doubt.borrow().clone()
    }

    fn doubt(&self, why: impl Into<String>, at: TextSize) {
        self.doubt
            .borrow_mut()
            .get_or_insert_with(|| Rc::new(Unknown { why: why.into(), at, is_flow_like: false }));
    }

    pub fn unknown(&self, why: impl Into<String>) -> Value<'a> {
        Value::unknown(why, self.here())
    }

    fn raise<T>(&self, kind: &str, message: impl Into<String>) -> Evaluated<T> {
        let raised = Raised { kind: kind.to_owned(), message: message.into(), at: self.here() };
        Err(Box::new(raised))
    }

    /// The source text of a piece of syntax, on one line and not too long.
    pub(super) fn excerpt(&self, range: impl ruff_text_size::Ranged) -> String {
        let text = self.text.get(range.range().to_std_range()).unwrap_or("…");
        let line = text.lines().next().unwrap_or_default();
        let mut short: String = line.chars().take(60).collect();
        if short.len() < text.len() {
            short.push('…');
        }
        short
    }

    /// Parses a quoted annotation.
    pub fn parse_annotation(&self, text: &str) -> Option<&'a Expr> {
        self.annotations.parse(text)
    }
}

fn postpones_annotations(statement: &Stmt) -> bool {
    match statement {
        Stmt::ImportFrom(import) => {
            import.module.as_ref().is_some_and(|module| module.as_str() == "__future__")
                && import.names.iter().any(|name| name.name.as_str() == "annotations")
        }
        _ => false,
    }
}

/// A value where a type stands: strings are forward references.
pub fn as_type(value: Value<'_>) -> Value<'_> {
    match value {
        Value::Str(text) => Value::of_type(Type::Forward(text)),
        other => other,
    }
}
