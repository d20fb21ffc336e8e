//! What `typing` takes for a type: the special forms that it refuses as an argument or as the type
//! of a field. What pydantic refuses later is not decided here.

use std::rc::Rc;

use super::{Evaluated, Interpreter};
use crate::value::{Annotation, Class, Type, Value};

/// Forms that are no types without brackets.
const PLAIN: &[&str] = &[
    "ClassVar",
    "Concatenate",
    "Final",
    "Literal",
    "NotRequired",
    "Optional",
    "Required",
    "TypeGuard",
    "Union",
    "Unpack",
];

/// Generics of `typing` whose arguments it looks at as types.
fn checks_arguments(name: &str) -> bool {
    !matches!(name, "Annotated" | "Generic" | "Literal" | "NotRequired" | "Protocol" | "Required")
}

/// Why `typing` refuses a value where it expects a type.
fn refusal(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Symbol(path) => {
            let name = path.strip_prefix("typing.")?;
            PLAIN.contains(&name).then(|| format!("Plain {path} is not valid as type argument"))
        }
        Value::Type(expression) => match &**expression {
            Type::Generic(Value::Symbol(path), _)
                if matches!(&**path, "typing.ClassVar" | "typing.Final") =>
            {
                Some(format!("{path}[...] is not valid as type argument"))
            }
            _ => None,
        },
        Value::Tuple(items) if !items.is_empty() => {
            Some("a type is expected, not a tuple".to_owned())
        }
        _ => None,
    }
}

impl<'a> Interpreter<'a> {
    /// Raises what `path[arguments]` raises.
    pub(super) fn check_type_arguments(
        &self,
        path: &str,
        arguments: &[Value<'a>],
    ) -> Evaluated<()> {
        let Some(name) = path.strip_prefix("typing.").filter(|name| checks_arguments(name)) else {
            return Ok(());
        };
        let Some(message) = arguments.iter().find_map(refusal) else { return Ok(()) };
        // From Python 3.13 on `ClassVar[Final[int]]` is allowed.
        if matches!(name, "ClassVar" | "Final") && self.python().at_least(13) != Some(false) {
            self.note_possible_error("special forms of `typing` inside each other");
            return Ok(());
        }
        self.raise("TypeError", message)
    }

    /// Raises what the types of the fields of a `TypedDict` or `NamedTuple` raise.
    pub(super) fn check_item_types(&self, class: &Rc<Class<'a>>) -> Evaluated<()> {
        for (_, annotation) in class.scope.annotations.borrow().iter() {
            let Annotation::Value(value) = annotation else { continue };
            if let Some(message) = refusal(value) {
                return self.raise("TypeError", message);
            }
        }
        Ok(())
    }
}
