//! In which order `typing` keeps the choices of a union.
//!
//! `typing` remembers what it was subscripted with, and unions of the same choices are equal
//! whatever their order: of `List[Union[int, str]]` and `List[Union[str, int]]` the one that a
//! process makes first stands for both. Libraries are imported before.

use super::Interpreter;
use super::operators::is_identical;
use crate::flow::schema::unions::{flatten, is_same_type};
use crate::flow::value::{Type, Value};

/// Unions that Prefect and its libraries make before a script runs, in their order.
const EARLIER: &[&[&str]] = &[];

impl<'a> Interpreter<'a> {
    /// Why the order of a union inside the arguments of a subscript of `typing` is not known.
    pub(super) fn order_doubt(&self, arguments: &[Value<'a>]) -> Option<Value<'a>> {
        let mut unions = Vec::new();
        for argument in arguments {
            collect(argument, &mut unions, 0);
        }
        let mut doubt = None;
        for union in unions {
            let mut known = self.unions.borrow_mut();
            match known.iter().find(|known| has_same_choices(known, &union)) {
                Some(known) if is_same_order(known, &union) => {}
                Some(_) => {
                    doubt = Some(self.unknown(
                        "`typing` keeps the order of the first union of the same choices",
                    ));
                }
                None if is_earlier(&union) => {
                    doubt =
                        Some(self.unknown(
                            "`typing` keeps the order of a union that a library made before",
                        ));
                }
                None => known.push(union),
            }
        }
        doubt
    }
}

/// The choices of the unions inside a type, `None` left out.
fn collect<'a>(value: &Value<'a>, unions: &mut Vec<Vec<Value<'a>>>, depth: u32) {
    let Value::Type(expression) = value else { return };
    if depth > 40 {
        return;
    }
    match &**expression {
        Type::Union(choices) => {
            let mut flat = flatten(choices);
            flat.retain(|choice| !matches!(choice, Value::None));
            for choice in &flat {
                collect(choice, unions, depth + 1);
            }
            if flat.len() > 1 {
                unions.push(flat);
            }
        }
        Type::Generic(_, parts) => {
            parts.iter().for_each(|part| collect(part, unions, depth + 1));
        }
        Type::Annotated(base, _) => collect(base, unions, depth + 1),
        _ => {}
    }
}

fn is_same<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::Type(left), Value::Type(right)) => match (&**left, &**right) {
            (Type::Union(left), Type::Union(right)) => {
                has_same_choices(&flatten(left), &flatten(right))
            }
            (Type::Generic(left, inner), Type::Generic(right, other)) => {
                is_same(left, right)
                    && inner.len() == other.len()
                    && inner.iter().zip(other).all(|(left, right)| is_same(left, right))
            }
            (Type::Literal(left), Type::Literal(right)) => {
                left.len() == right.len()
                    && left.iter().all(|value| right.iter().any(|other| is_identical(value, other)))
            }
            _ => is_same_type(&Value::Type(left.clone()), &Value::Type(right.clone())),
        },
        _ => is_same_type(left, right),
    }
}

fn has_same_choices<'a>(left: &[Value<'a>], right: &[Value<'a>]) -> bool {
    let holds = |all: &[Value<'a>], one: &Value<'a>| all.iter().any(|other| is_same(other, one));
    left.iter().all(|one| holds(right, one)) && right.iter().all(|one| holds(left, one))
}

fn is_same_order<'a>(left: &[Value<'a>], right: &[Value<'a>]) -> bool {
    left.len() == right.len()
        && left.iter().zip(right).all(|(left, right)| is_same_type(left, right))
}

/// Whether a library made a union of these choices in another order.
fn is_earlier(union: &[Value<'_>]) -> bool {
    let paths: Option<Vec<&str>> = union.iter().map(Value::as_symbol).collect();
    let Some(paths) = paths else { return false };
    EARLIER.iter().any(|known| {
        known.len() == paths.len()
            && known.iter().all(|path| paths.contains(path))
            && **known != paths[..]
    })
}
