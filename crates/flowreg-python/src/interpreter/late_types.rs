//! Postponed and quoted annotations of a class, which pydantic evaluates when it makes the class.
//! They may raise, and a field with the name of a type hides that type from them
//! (docs/facts/python.md, "String annotations").

use std::rc::Rc;

use ruff_python_ast::Expr;

use super::bound::names_read;
use super::{Interpreter, as_type};
use crate::schema::is_no_type;
use crate::value::{Annotation, Class, DEEPEST_TYPE, Scope, Type, Value};

impl<'a> Interpreter<'a> {
    /// Notes a possible error if evaluating an annotation of a class of pydantic's may raise.
    pub(super) fn check_late_types(&self, class: &Rc<Class<'a>>) {
        let is_hidden = |name: &&str| {
            class.scope.own(name).is_some_and(|value| !matches!(value, Value::Class(_)))
        };
        let annotations = class.scope.annotations.borrow();
        let mut late: Option<Rc<Scope<'a>>> = None;
        for (name, annotation) in annotations.iter() {
            // pydantic evaluates annotations of private attributes only to see whether they are a
            // `ClassVar`, and takes no notice if that fails.
            if name.starts_with('_') {
                continue;
            }
            let Some(node) = self.late_node(annotation) else { continue };
            let hides = names_read(node).iter().any(is_hidden);
            let scope = late.get_or_insert_with(|| {
                let scope = Scope::class(&class.name, &class.scope.top());
                for (name, value) in class.scope.names.borrow().iter() {
                    scope.set(name, value.clone());
                }
                scope
            });
            let why = match self.value(node, scope) {
                // A name that is missing leaves the model incomplete. pydantic tries again when it
                // is used, and by then the name may be bound.
                Err(raised) if raised.kind == "NameError" => continue,
                Err(raised) => format!("an annotation of `{}` raises {raised}", class.name),
                Ok(value) if hides && !is_type(&as_type(value.clone()), 0) => {
                    format!("a field of `{}` hides a type that its annotations mean", class.name)
                }
                Ok(_) => continue,
            };
            self.note_possible_error(why);
            return;
        }
    }

    /// What of an annotation is evaluated after the class's body.
    fn late_node(&self, annotation: &Annotation<'a>) -> Option<&'a Expr> {
        match annotation {
            Annotation::Postponed(node) => Some(node),
            Annotation::Value(Value::Str(text)) => self.parse_annotation(text),
            _ => None,
        }
    }
}

/// Whether nothing in a type stands where a type should and is none.
fn is_type(value: &Value<'_>, depth: u32) -> bool {
    let all = |parts: &[Value<'_>]| parts.iter().all(|part| is_type(part, depth + 1));
    match value {
        _ if depth > DEEPEST_TYPE => false,
        Value::None | Value::Ellipsis => true,
        Value::Unknown(_) | Value::Dict(_) => false,
        Value::Type(expression) => match &**expression {
            Type::Generic(_, parts) | Type::Union(parts) => all(parts),
            Type::Annotated(base, _) => is_type(base, depth + 1),
            _ => true,
        },
        value => !is_no_type(value),
    }
}
