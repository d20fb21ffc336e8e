//! Whether pydantic certainly takes a value for a field, as it is or converted. What it becomes is
//! not computed here. What it may refuse is a possible error of the script.

use ruff_python_ast::CmpOp;

use super::Interpreter;
use super::equality::is_equal;
use super::instances::DEEPEST_VALIDATED;
use crate::default::std_value::{Date, StdValue};
use crate::number::LARGEST_WHOLE;
use crate::schema::fields::configuration;
use crate::schema::types::origin_class;
use crate::value::{Class, Instance, Type, Value, keyword};

use std::rc::Rc;

/// Keywords of `Field` that say nothing about values.
const NO_CONSTRAINTS: &[&str] =
    &["compare", "exclude", "frozen", "hash", "init", "kw_only", "repr", "validate_default"];

impl<'a> Interpreter<'a> {
    /// Whether a class converts values in pydantic's lax mode, the default.
    pub(super) fn is_lax(class: &Rc<Class<'a>>) -> bool {
        configuration(class).is_some_and(|settings| keyword(&settings, "strict").is_none())
    }

    /// Whether pydantic certainly takes `value` for a field of the type `annotation`. Where the type is
    /// not known, the value counts as taken.
    pub(super) fn converts(annotation: &Value<'a>, value: &Value<'a>, depth: u32) -> bool {
        let inside = |annotation: &Value<'a>, value: &Value<'a>| {
            Self::converts(annotation, value, depth + 1)
        };
        match annotation {
            _ if depth > DEEPEST_VALIDATED => false,
            // Of a type that is not known nothing can be said. Every file with a package's type in
            // a model would be inexact otherwise.
            Value::Unknown(_) | Value::External(_) => true,
            Value::None => matches!(value, Value::None),
            Value::Symbol(path) => converts_to(path, value),
            Value::Class(class) => match value {
                Value::Member(member) => {
                    class.members.borrow().iter().any(|(_, known)| Rc::ptr_eq(known, member))
                }
                Value::Instance(instance) => is_instance(instance, class),
                // pydantic turns the value of a member into the member.
                value => class
                    .members
                    .borrow()
                    .iter()
                    .any(|(_, member)| is_equal(&member.value, value) == Some(true)),
            },
            Value::Type(expression) => match &**expression {
                Type::Union(choices) => choices.iter().any(|choice| inside(choice, value)),
                Type::Literal(values) => {
                    values.iter().any(|known| is_equal(known, value) == Some(true))
                }
                Type::Annotated(base, metadata) => {
                    metadata.iter().all(|entry| Self::lets_pass(entry, value))
                        && inside(base, value)
                }
                Type::Named(base) => inside(base, value),
                Type::Variable { bound: None, constraints } => constraints.is_empty(),
                Type::Generic(Value::Symbol(path), arguments) => {
                    converts_items(&origin_class(path), arguments, value, inside)
                }
                _ => false,
            },
            _ => false,
        }
    }

    /// Whether metadata certainly does not refuse this value.
    pub(super) fn lets_pass(metadata: &Value<'a>, value: &Value<'a>) -> bool {
        Self::holds_but_for(NO_CONSTRAINTS, metadata, value)
    }

    /// Whether a number of items is within a bound; a bound that is no number says nothing.
    pub(super) fn has_length(name: &str, value: &Value<'a>, bound: &Value<'a>) -> bool {
        let operator = if name == "min_length" { CmpOp::GtE } else { CmpOp::LtE };
        super::iteration::length(value)
            .and_then(|length| i128::try_from(length).ok())
            .and_then(|length| Self::compare(operator, &Value::int(length), bound))
            == Some(true)
    }
}

fn is_instance<'a>(instance: &Instance<'a>, class: &Rc<Class<'a>>) -> bool {
    Rc::ptr_eq(&instance.class, class)
        || instance.class.ancestors.iter().any(|ancestor| match ancestor {
            Value::Class(ancestor) => Rc::ptr_eq(ancestor, class),
            _ => false,
        })
}

fn converts_items<'a>(
    origin: &str,
    arguments: &[Value<'a>],
    value: &Value<'a>,
    inside: impl Fn(&Value<'a>, &Value<'a>) -> bool,
) -> bool {
    match (origin, value, arguments) {
        (
            "builtins.list" | "builtins.set" | "builtins.frozenset" | "collections.abc.Sequence",
            Value::List(items) | Value::Tuple(items) | Value::Set(items),
            [item],
        )
        | ("builtins.tuple", Value::List(items) | Value::Tuple(items), [item, Value::Ellipsis]) => {
            items.iter().all(|value| inside(item, value))
        }
        ("builtins.tuple", Value::List(items) | Value::Tuple(items), types) => {
            items.len() == types.len()
                && types.iter().zip(items.iter()).all(|(item, value)| inside(item, value))
        }
        (
            "builtins.dict" | "collections.abc.Mapping" | "collections.abc.MutableMapping",
            Value::Dict(entries),
            [key, item],
        ) => entries.iter().all(|(name, value)| inside(key, name) && inside(item, value)),
        _ => false,
    }
}

/// Whether pydantic certainly takes a value for a builtin or known type.
fn converts_to(path: &str, value: &Value<'_>) -> bool {
    let is_number = |text: &str| {
        let digits = text.strip_prefix('-').unwrap_or(text);
        (1..19).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    };
    match (path, value) {
        ("typing.Any" | "builtins.object", _)
        | ("builtins.str" | "typing.Text", Value::Str(_))
        | ("builtins.bool", Value::Bool(_))
        | ("builtins.int", Value::Int(_) | Value::Bool(_))
        | ("builtins.float", Value::Float(_) | Value::Int(_) | Value::Bool(_))
        | ("builtins.bytes", Value::Bytes(_) | Value::Str(_))
        | ("decimal.Decimal" | "datetime.timedelta", Value::Int(_))
        | ("datetime.datetime", Value::Std(StdValue::Date(_)))
        | ("pathlib.Path" | "pathlib.PurePath", Value::Str(_) | Value::Std(StdValue::Path(..)))
        | ("pydantic.SecretStr", Value::Str(_) | Value::Secret(_))
        | (
            "builtins.list" | "typing.List" | "typing.Sequence" | "builtins.tuple" | "typing.Tuple",
            Value::List(_) | Value::Tuple(_),
        )
        | ("builtins.dict" | "typing.Dict" | "typing.Mapping", Value::Dict(_)) => true,
        ("builtins.int" | "builtins.float" | "decimal.Decimal", Value::Str(text)) => {
            is_number(text)
        }
        // In its lax mode pydantic takes `2.0` for an integer and refuses `2.5`.
        ("builtins.int", Value::Float(float)) => {
            float.fract() == 0.0 && float.abs() < LARGEST_WHOLE
        }
        ("datetime.date" | "datetime.datetime", Value::Str(text)) => Date::parse(text).is_some(),
        ("pydantic.HttpUrl" | "pydantic.AnyUrl" | "pydantic.AnyHttpUrl", Value::Str(text)) => {
            is_plain_address(text)
        }
        ("pydantic.PositiveInt", Value::Int(int)) => {
            !int.is_zero() && !int.to_string().starts_with('-')
        }
        ("pydantic.NonNegativeInt", Value::Int(int)) => !int.to_string().starts_with('-'),
        (path, Value::Std(std_value)) => std_value.class() == path,
        _ => false,
    }
}

/// Whether a text is an address on the web that every parser takes.
fn is_plain_address(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")) else {
        return false;
    };
    let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let is_label = |label: &str| {
        label.starts_with(|char: char| char.is_ascii_alphabetic())
            && label.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
    };
    text.len() < 2000
        && !host.is_empty()
        && host.split('.').all(is_label)
        && rest.chars().all(|char| char.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_pydantic_may_refuse_is_not_taken() {
        assert!(converts_to("builtins.int", &Value::text("-12")));
        assert!(!converts_to("builtins.int", &Value::text("a")));
        assert!(!converts_to("builtins.int", &Value::Float(1.5)));
        assert!(!converts_to("builtins.str", &Value::int(1)));
        assert!(converts_to("datetime.date", &Value::text("2024-02-29")));
        assert!(!converts_to("datetime.date", &Value::text("2023-02-29")));
        assert!(is_plain_address("https://example.com/a?b=c"));
        assert!(!is_plain_address("https://"));
        assert!(!is_plain_address("example.com"));
    }
}
