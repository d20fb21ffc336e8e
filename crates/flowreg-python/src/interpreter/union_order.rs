//! In which order `typing` keeps the choices of a union.
//!
//! `typing` remembers what it was subscripted with, and unions of the same choices are equal
//! whatever their order: of `List[Union[int, str]]` and `List[Union[str, int]]` the one that a
//! process makes first stands for both. Libraries that are imported before may have made it already
//! (docs/facts/python.md, "Types").

use std::hash::BuildHasher;
use std::rc::Rc;

use super::Interpreter;
use super::equality::is_identical;
use crate::schema::unions::{flatten, is_same_type};
use crate::value::{DEEPEST_TYPE, Type, Value};

/// Unions that Prefect and its libraries make before a script runs or with its first flow, in their
/// order, by the generic that they are an argument of.
const EARLIER: &[(&str, &[&str])] = &[
    ("typing.Dict", &["builtins.str", "typing.Dict[builtins.str, builtins.str]"]),
    ("typing.Dict", &["builtins.str", "typing.List[builtins.str]"]),
    ("typing.List", &["builtins.str", "os.PathLike"]),
    ("typing.Mapping", &["builtins.bytes", "builtins.str"]),
    ("typing.Sequence", &["builtins.float", "builtins.str"]),
    ("typing.Sequence", &["builtins.str", "builtins.int", "builtins.float", "builtins.bool"]),
    ("typing.Tuple", &["builtins.bytes", "builtins.bytearray"]),
    ("typing.Tuple", &["builtins.int", "builtins.str"]),
    ("typing.Tuple", &["builtins.str", "builtins.bytes"]),
    ("typing.Tuple", &["builtins.str", "builtins.bytes", "builtins.int"]),
    ("typing.Tuple", &["builtins.str", "builtins.int"]),
    ("typing.Tuple", &["builtins.str", "builtins.int", "builtins.float", "builtins.bool"]),
    ("typing.Tuple", &["builtins.str", "os.PathLike"]),
];

/// How many parts a type may have whose unions are compared. Each is compared with each, so a large
/// one would be slow; it becomes unknown.
const MOST_PARTS: u32 = 40;

/// A union that `typing` was subscripted with: its choices in their first order.
#[derive(Clone)]
pub(super) struct KnownUnion<'a> {
    choices: Rc<[Value<'a>]>,
    /// A bit for each choice, the same for equal ones: most unions differ in them.
    bits: u64,
}

impl<'a> KnownUnion<'a> {
    fn new(choices: Vec<Value<'a>>) -> Self {
        let bits = choices.iter().fold(0, |bits, choice| bits | bit(choice));
        KnownUnion { choices: choices.into(), bits }
    }

    /// Whether it is this very one.
    pub(super) fn is(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.choices, &other.choices)
    }

    fn has_same_choices(&self, other: &Self) -> bool {
        self.bits == other.bits && has_same_choices(&self.choices, &other.choices)
    }
}

fn bit(choice: &Value<'_>) -> u64 {
    let of_name = |name: &str| foldhash::fast::FixedState::default().hash_one(name) % 60;
    let number = match choice {
        Value::Symbol(path) => of_name(path),
        Value::Class(class) => of_name(&class.name),
        Value::Type(_) => 61,
        _ => 62,
    };
    1 << number
}

impl<'a> Interpreter<'a> {
    /// Whether `typing` keeps a union that others made in the same order here.
    pub(super) fn is_union_as_known(&self, union: &KnownUnion<'a>) -> bool {
        let unions = self.unions.borrow();
        let known = unions.iter().find(|known| known.has_same_choices(union));
        known.is_none_or(|known| is_same_order(&known.choices, &union.choices))
    }

    /// Notes a union that others made.
    pub(super) fn know_union(&self, union: &KnownUnion<'a>) {
        let mut unions = self.unions.borrow_mut();
        if !unions.iter().any(|known| known.has_same_choices(union)) {
            unions.push(union.clone());
        }
    }

    /// Why the order of a union inside the arguments of a subscript of `typing` is not known.
    pub(super) fn why_order_unknown(
        &self,
        path: &str,
        arguments: &[Value<'a>],
    ) -> Option<Value<'a>> {
        let mut parts = MOST_PARTS;
        if !arguments.iter().all(|argument| argument.spend_type(&mut parts)) {
            return Some(
                self.unknown("the type has too many parts to know the order of its unions"),
            );
        }
        let mut unions = Vec::new();
        for argument in arguments {
            collect(argument, &mut unions, 0);
        }
        let mut unknown = None;
        // The cache is keyed by the generic and its arguments, so what a library has made matters
        // only where the union is itself an argument of the same generic.
        let is_direct = |union: &[Value<'a>]| {
            path != "typing.Union"
                && arguments.iter().any(|argument| {
                    choices(argument).is_some_and(|direct| is_same_order(&direct, union))
                })
        };
        for union in unions {
            let union = KnownUnion::new(union);
            let is_known = self.is_union_as_known(&union);
            if is_direct(&union.choices) && is_earlier(path, &union.choices) {
                let why = "`typing` keeps the order of a union that a library made before";
                unknown = Some(self.unknown(why));
            } else if !is_known {
                let why = "`typing` keeps the order of the first union of the same choices";
                unknown = Some(self.unknown(why));
            }
            // The first union of its choices is what all later ones become.
            self.know_union(&union);
        }
        unknown
    }
}

/// The choices of the unions inside a type, `None` left out.
fn collect<'a>(value: &Value<'a>, unions: &mut Vec<Vec<Value<'a>>>, depth: u32) {
    let Value::Type(expression) = value else { return };
    if depth > DEEPEST_TYPE {
        return;
    }
    match &**expression {
        Type::Union(choices) => {
            let flat = without_none(choices);
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

fn without_none<'a>(choices: &[Value<'a>]) -> Vec<Value<'a>> {
    let mut flat = flatten(choices);
    // pydantic puts `null` last whatever its place, so it does not count for the order.
    flat.retain(|choice| !matches!(choice, Value::None));
    flat
}

/// The choices of a type that is a union.
fn choices<'a>(value: &Value<'a>) -> Option<Vec<Value<'a>>> {
    match value {
        Value::Type(expression) => match &**expression {
            Type::Union(choices) => Some(without_none(choices)),
            _ => None,
        },
        _ => None,
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

/// Whether a library made the same generic with a union of these choices in another order.
fn is_earlier(generic: &str, union: &[Value<'_>]) -> bool {
    let Some(paths) = union.iter().map(path).collect::<Option<Vec<String>>>() else { return false };
    EARLIER.iter().filter(|(outer, _)| *outer == generic).any(|(_, known)| {
        known.len() == paths.len()
            && paths.iter().all(|path| known.contains(&path.as_str()))
            && !known.iter().zip(&paths).all(|(known, path)| known == path)
    })
}

fn path(choice: &Value<'_>) -> Option<String> {
    match choice {
        Value::Symbol(path) => Some(path.to_string()),
        Value::Type(expression) => match &**expression {
            Type::Generic(Value::Symbol(origin), arguments) => {
                let plain = arguments.iter().map(|argument| argument.as_symbol());
                Some(format!("{origin}[{}]", plain.collect::<Option<Vec<_>>>()?.join(", ")))
            }
            _ => None,
        },
        _ => None,
    }
}
