//! Types that a field hides from the annotations of its own class: pydantic evaluates postponed and
//! quoted ones where the class's attributes go before the module's names.

use std::rc::Rc;

use ruff_python_ast::Expr;

use super::bound::names_read;
use super::{Interpreter, as_type};
use crate::flow::schema::is_no_type;
use crate::flow::value::{Annotation, Class, Scope, Type, Value};

impl<'a> Interpreter<'a> {
    /// Doubts a script with a class of pydantic's whose annotations mean values of its own body, if
    /// evaluating one of them may raise.
    pub(super) fn check_hidden_types(&self, class: &Rc<Class<'a>>) {
        let is_hidden = |name: &&str| {
            class.scope.own(name).is_some_and(|value| !matches!(value, Value::Class(_)))
        };
        let annotations = class.scope.annotations.borrow();
        let mut late: Option<Rc<Scope<'a>>> = None;
        for (_, annotation) in annotations.iter() {
            let Some(node) = self.late_node(annotation) else { continue };
            if !names_read(node).iter().any(is_hidden) {
                continue;
            }
            let scope = late.get_or_insert_with(|| {
                let scope = Scope::class(&class.name, &class.scope.top());
                for (name, value) in class.scope.names.borrow().iter() {
                    scope.set(name, value.clone());
                }
                scope
            });
            let is_sure = self.value(node, scope).is_ok_and(|value| is_type(&as_type(value), 0));
            if !is_sure {
                self.doubt_unless_guessing(format!(
                    "a field of `{}` hides a type that its annotations mean",
                    class.name
                ));
                return;
            }
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
        _ if depth > 40 => false,
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
