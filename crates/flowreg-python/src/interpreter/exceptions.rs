//! Exceptions: what is raised, which handler takes it, and what it says.

use std::rc::Rc;

use ruff_python_ast::{Expr, StmtRaise};

use super::ancestors::ancestors;
use super::objects::class_of;
use super::{Evaluated, Interpreter, Raised};
use crate::value::{Class, ClassKind, Scope, Value, keyword};

/// Exceptions of Python, each with the one that it inherits from.
const PARENTS: &[(&str, &str)] = &[
    ("ArithmeticError", "Exception"),
    ("AssertionError", "Exception"),
    ("AttributeError", "Exception"),
    ("BufferError", "Exception"),
    ("ConnectionError", "OSError"),
    ("EOFError", "Exception"),
    ("EnvironmentError", "Exception"),
    ("Exception", "BaseException"),
    ("FileExistsError", "OSError"),
    ("FileNotFoundError", "OSError"),
    ("FloatingPointError", "ArithmeticError"),
    ("FrozenInstanceError", "AttributeError"),
    ("GeneratorExit", "BaseException"),
    ("ImportError", "Exception"),
    ("IndexError", "LookupError"),
    ("KeyError", "LookupError"),
    ("KeyboardInterrupt", "BaseException"),
    ("LookupError", "Exception"),
    ("MemoryError", "Exception"),
    ("ModuleNotFoundError", "ImportError"),
    ("NameError", "Exception"),
    ("NotImplementedError", "RuntimeError"),
    ("OSError", "Exception"),
    ("OverflowError", "ArithmeticError"),
    ("PermissionError", "OSError"),
    ("RecursionError", "RuntimeError"),
    ("RuntimeError", "Exception"),
    ("StopIteration", "Exception"),
    ("SyntaxError", "Exception"),
    ("SystemExit", "BaseException"),
    ("TimeoutError", "OSError"),
    ("TypeError", "Exception"),
    ("UnboundLocalError", "NameError"),
    ("UnicodeError", "ValueError"),
    ("UserWarning", "Warning"),
    ("ValidationError", "ValueError"),
    ("ValueError", "Exception"),
    ("Warning", "Exception"),
    ("ZeroDivisionError", "ArithmeticError"),
];

/// Exceptions that are nothing but their arguments.
const PLAIN: &[&str] = &[
    "ArithmeticError",
    "AssertionError",
    "BaseException",
    "Exception",
    "IndexError",
    "KeyError",
    "LookupError",
    "NotImplementedError",
    "RuntimeError",
    "TypeError",
    "ValueError",
    "ZeroDivisionError",
];

/// Whether a symbol is an exception of which everything is known by its arguments.
pub(super) fn is_exception(path: &str) -> bool {
    path.strip_prefix("builtins.").is_some_and(|name| PLAIN.binary_search(&name).is_ok())
}

/// Whether a class of the repository inherits from such an exception, and from nothing else that is not its own.
pub(super) fn is_exception_class(class: &Rc<Class<'_>>) -> bool {
    class.ancestors.iter().any(|ancestor| ancestor.as_symbol().is_some_and(is_exception))
}

fn parent(name: &str) -> Option<&'static str> {
    let at = PARENTS.binary_search_by_key(&name, |(name, _)| name).ok()?;
    PARENTS.get(at).map(|(_, parent)| *parent)
}

fn inherits(mut name: &str, of: &str) -> bool {
    loop {
        if name == of {
            return true;
        }
        match parent(name) {
            Some(parent) => name = parent,
            None => return false,
        }
    }
}

impl<'a> Interpreter<'a> {
    /// `raise …`
    pub(super) fn raise_statement(
        &self,
        raise: &'a StmtRaise,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let Some(expression) = raise.exc.as_deref() else {
            // A bare `raise` raises again what is handled; without that it is a `RuntimeError`.
            let handled = self.handled.borrow().last().cloned();
            return match handled {
                Some(raised) => Err(Box::new(raised)),
                None => self.raise("RuntimeError", "the module raises it itself"),
            };
        };
        let value = self.value(expression, scope)?;
        if let Some(cause) = &raise.cause {
            self.value(cause, scope)?;
        }
        let value = match &value {
            Value::Symbol(path) if is_exception(path) => {
                self.call_symbol(path, &[], &Vec::new())?
            }
            Value::Class(class) if class.kind.get() == ClassKind::Plain => {
                self.instantiate(class, &[], &Vec::new())?
            }
            _ => value,
        };
        self.at(scope, ruff_text_size::Ranged::start(raise));
        let kind = match &value {
            Value::Opaque(opaque) => match (&opaque.class, symbol_of(&value)) {
                (Some(class), _) => class.name.to_string(),
                (None, Some(path)) => path.trim_start_matches("builtins.").to_owned(),
                (None, None) => exception_name(expression).to_owned(),
            },
            _ => exception_name(expression).to_owned(),
        };
        self.raise_object(&kind, "the module raises it itself", value)
    }

    /// Raises an exception that is an object.
    pub(super) fn raise_object<T>(
        &self,
        kind: &str,
        message: &str,
        object: Value<'a>,
    ) -> Evaluated<T> {
        let mut exceptions = self.exceptions.borrow_mut();
        let number = exceptions.len();
        exceptions.push(object);
        drop(exceptions);
        self.raise::<T>(kind, message).map_err(|mut raised| {
            raised.object = Some(number);
            raised
        })
    }

    /// `KeyError(key)`
    pub(super) fn missing_key<T>(&self, key: &Value<'a>) -> Evaluated<T> {
        let given = std::slice::from_ref(key);
        let object = self.call_symbol("builtins.KeyError", given, &Vec::new())?;
        self.raise_object("KeyError", &Self::show(key), object)
    }

    /// The object that was raised, if it is known.
    pub(super) fn raised_object(&self, raised: &Raised) -> Value<'a> {
        let exceptions = self.exceptions.borrow();
        let object = raised.object.and_then(|number| exceptions.get(number).cloned());
        object.unwrap_or_else(|| Value::opaque("an exception"))
    }

    /// Whether a handler of these classes takes an exception; `None` if that is not known.
    pub(super) fn catches(&self, kinds: &Value<'a>, raised: &Raised) -> Option<bool> {
        match kinds {
            Value::Tuple(kinds) => {
                let mut is_any = Some(false);
                for kind in kinds.iter() {
                    match self.catches(kind, raised) {
                        Some(true) => return Some(true),
                        Some(false) => {}
                        None => is_any = None,
                    }
                }
                is_any
            }
            Value::Symbol(path) | Value::External(path) => {
                let name = path.rsplit('.').next().unwrap_or(path);
                let name =
                    if matches!(name, "IOError" | "EnvironmentError") { "OSError" } else { name };
                let object = self.raised_object(raised);
                match class_of(&object) {
                    Some(class) => Some(ancestors(class).iter().any(|ancestor| {
                        ancestor.as_symbol().is_some_and(|path| {
                            inherits(path.rsplit('.').next().unwrap_or(path), name)
                        })
                    })),
                    None if raised.object.is_some() && !matches!(object, Value::Opaque(_)) => {
                        // The class is known by its name only, as it stands in the source.
                        let is_own =
                            parent(&raised.kind).is_none() && raised.kind != "BaseException";
                        (name == "BaseException"
                            || (!is_own && inherits(&raised.kind, name))
                            || raised.kind == name)
                            .then_some(true)
                            .or((!is_own).then_some(false))
                            .or((name == "Exception").then_some(true))
                    }
                    None => Some(inherits(&raised.kind, name) || is_of_any(&raised.kind, name)),
                }
            }
            Value::Class(of) => match class_of(&self.raised_object(raised)) {
                Some(class) => Some(ancestors(class).iter().any(
                    |ancestor| matches!(ancestor, Value::Class(known) if Rc::ptr_eq(known, of)),
                )),
                None if raised.kind == *of.name => None,
                None => Some(false),
            },
            _ => None,
        }
    }
}

/// Exceptions of pydantic and Prefect inherit from `Exception`.
fn is_of_any(kind: &str, name: &str) -> bool {
    parent(kind).is_none() && matches!(name, "Exception" | "BaseException")
}

fn symbol_of(value: &Value<'_>) -> Option<String> {
    let Value::Opaque(opaque) = value else { return None };
    let class = keyword(opaque.attributes.as_ref()?, "__class__")?;
    class.as_symbol().map(str::to_owned)
}

/// `str(exception)`
pub(super) fn text_of(value: &Value<'_>) -> Option<String> {
    let Value::Opaque(opaque) = value else { return None };
    let attributes = opaque.attributes.as_ref().filter(|all| all.lost().is_none())?;
    let is_own = opaque.class.as_ref().is_some_and(is_exception_class);
    if !is_own && opaque.what != "an exception" {
        return None;
    }
    let is_of_keys = match &opaque.class {
        Some(class) => class.ancestors.iter().any(|known| known.is_symbol("builtins.KeyError")),
        None => symbol_of(value).as_deref() == Some("builtins.KeyError"),
    };
    let Value::Tuple(arguments) = keyword(attributes, "args")? else { return None };
    match &arguments[..] {
        [] => Some(String::new()),
        [argument] if is_of_keys => super::strings::repr(argument),
        [argument] => super::strings::display(argument),
        _ => super::strings::repr(keyword(attributes, "args")?),
    }
}

/// The exception's class as it is spelled, without its module.
pub(super) fn exception_name(expression: &Expr) -> &str {
    match expression {
        Expr::Call(call) => exception_name(&call.func),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => "Exception",
    }
}

#[cfg(test)]
mod tests {
    use super::{PARENTS, PLAIN};

    #[test]
    fn the_tables_are_sorted_for_the_search() {
        assert!(PARENTS.is_sorted() && PLAIN.is_sorted());
    }
}
