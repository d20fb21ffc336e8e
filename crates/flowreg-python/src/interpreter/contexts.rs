//! `with`: what context managers do that are known, and what may happen with all others.

use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt, StmtWith, WithItem};

use super::ancestors::ancestors;
use super::blocks::{Ending, leaves};
use super::certain::class_name;
use super::objects::{Held, class_of, look_along};
use super::{Evaluated, Interpreter, Raised};
use crate::value::{Function, Iterating, Scope, Value, keyword};

/// A context manager whose code is known.
enum Manager<'a> {
    /// `contextlib.suppress`, with the classes that it takes.
    Suppressor(Value<'a>),
    /// `contextlib.nullcontext`
    Null(Value<'a>),
    /// An object with `__enter__` and `__exit__`.
    Object,
    /// A function under `contextlib.contextmanager`.
    Generator(GeneratorBody<'a>),
}

/// A generator that yields once: the statements before, the value, those after, and what runs in any case.
struct GeneratorBody<'a> {
    scope: Rc<Scope<'a>>,
    before: Vec<&'a Stmt>,
    given: Option<&'a Expr>,
    after: Vec<&'a Stmt>,
    finally: Vec<&'a Stmt>,
}

impl<'a> Interpreter<'a> {
    pub(super) fn with_statement(
        &self,
        statement: &'a Stmt,
        with: &'a StmtWith,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        match with.items.split_first() {
            Some((first, rest)) if !with.is_async => {
                self.entered(statement, with, first, rest, scope)
            }
            _ => self.not_entered(statement, with, &with.items, scope),
        }
    }

    fn entered(
        &self,
        statement: &'a Stmt,
        with: &'a StmtWith,
        item: &'a WithItem,
        rest: &'a [WithItem],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        let value = self.value(&item.context_expr, scope)?;
        let Some(manager) = manager(&value).filter(|_| self.program.is_none()) else {
            self.enter_unknown(item, &value, scope)?;
            return self.not_entered(statement, with, rest, scope);
        };
        let given = match &manager {
            Manager::Suppressor(_) => value.clone(),
            Manager::Null(given) => given.clone(),
            Manager::Object => match self.special_method(&value, "__enter__", &[]) {
                Some(given) => given?,
                None => self.unknown("what a context manager gives"),
            },
            Manager::Generator(body) => {
                for statement in &body.before {
                    match self.run_statement(statement, &body.scope)? {
                        Ending::Fell => {}
                        _ => {
                            self.mark_script_inexact(
                                "a context manager ends before it gives anything",
                            );
                        }
                    }
                }
                match body.given {
                    Some(given) => self.value(given, &body.scope)?,
                    None => Value::None,
                }
            }
        };
        if let Some(target) = &item.optional_vars {
            self.bind(target, &given, scope)?;
        }
        let outcome = match rest.split_first() {
            Some((item, rest)) => self.entered(statement, with, item, rest, scope),
            None => self.run_body(&with.body, scope),
        };
        self.left(&manager, &value, outcome)
    }

    /// What becomes of the end of a block where its context manager is left.
    fn left(
        &self,
        manager: &Manager<'a>,
        value: &Value<'a>,
        outcome: Evaluated<Ending<'a>>,
    ) -> Evaluated<Ending<'a>> {
        match manager {
            Manager::Null(_) => outcome,
            Manager::Suppressor(kinds) => match outcome {
                Err(raised) => match self.catches(kinds, &raised) {
                    Some(true) => Ok(Ending::Fell),
                    Some(false) => Err(raised),
                    None => Ok(self.perhaps_swallowed(&raised)),
                },
                ended => ended,
            },
            Manager::Object => {
                let none = [Value::None, Value::None, Value::None];
                match outcome {
                    Ok(ending) => {
                        if let Some(left) = self.special_method(value, "__exit__", &none) {
                            left?;
                        }
                        Ok(ending)
                    }
                    Err(raised) => {
                        let object = self.raised_object(&raised);
                        let class = match class_of(&object) {
                            Some(class) => Value::Class(Rc::clone(class)),
                            None => self.attribute(&object, "__class__")?,
                        };
                        let trace = self.unknown("a traceback");
                        let answer =
                            match self.special_method(value, "__exit__", &[class, object, trace]) {
                                Some(answer) => answer?,
                                None => Value::None,
                            };
                        match self.condition(&answer)? {
                            Some(true) => Ok(Ending::Fell),
                            Some(false) => Err(raised),
                            None => Ok(self.perhaps_swallowed(&raised)),
                        }
                    }
                }
            }
            Manager::Generator(body) => {
                let run = |statements: &[&'a Stmt]| {
                    statements.iter().try_for_each(|statement| {
                        self.run_statement(statement, &body.scope).map(|_| ())
                    })
                };
                if outcome.is_ok() {
                    let after = run(&body.after);
                    run(&body.finally)?;
                    after?;
                } else {
                    run(&body.finally)?;
                }
                outcome
            }
        }
    }

    /// The context manager may swallow an exception, and it is not known whether it does.
    fn perhaps_swallowed(&self, raised: &Raised) -> Ending<'a> {
        self.mark_script_inexact(format!("`{}` may be raised in a `with` block", raised.kind));
        Ending::Fell
    }

    /// A context manager that is not known.
    fn enter_unknown(
        &self,
        item: &'a WithItem,
        manager: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        // Numbers, texts and containers have no `__enter__`. The constants of the standard
        // library are left out, for paths had one before Python 3.13.
        if manager.is_constant() && !matches!(manager, Value::Std(_)) {
            let class = class_name(manager);
            let message = format!("'{class}' object does not support the context manager protocol");
            return self.raise("TypeError", message);
        }
        self.lose(manager, "it is entered by a `with` statement");
        if let Some(target) = &item.optional_vars {
            let unknown = self.unknown("it is made by a `with` statement");
            self.note_may_be(&unknown, [manager.clone()]);
            self.bind(target, &unknown, scope)?;
        }
        Ok(())
    }

    /// A block of which the first context managers are entered, and the others are not.
    fn not_entered(
        &self,
        statement: &'a Stmt,
        with: &'a StmtWith,
        rest: &'a [WithItem],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        for item in rest {
            let manager = self.value(&item.context_expr, scope)?;
            self.enter_unknown(item, &manager, scope)?;
        }
        // A `return` inside: whether it is reached is not followed.
        if leaves(statement) {
            let excerpt = scope.excerpt(statement);
            return Ok(Ending::NotKnown(format!("`{excerpt}` may return")));
        }
        let is_plain = with.items.iter().all(|item| lets_exceptions_pass(&item.context_expr));
        let outcome = if is_plain {
            self.block(&with.body, scope)
        } else {
            self.caught_block(&with.body, scope).map(|_| ())
        };
        if let Err(raised) = outcome {
            // The context manager may swallow it (`contextlib.suppress`).
            let why = format!("`{}` may be raised in a `with` block", raised.kind);
            self.bind_to_unknown(&with.body, scope, &why);
            self.mark_script_inexact(why);
        }
        Ok(Ending::Fell)
    }
}

/// What is known of a context manager.
fn manager<'a>(value: &Value<'a>) -> Option<Manager<'a>> {
    let Value::Opaque(opaque) = value else { return None };
    let attributes = opaque.attributes.as_ref().filter(|all| all.lost().is_none())?;
    let part = |name: &str| keyword(attributes, name).cloned();
    match opaque.what {
        "a suppressor" => part("kinds").map(Manager::Suppressor),
        "a null context" => part("value").map(Manager::Null),
        "a generator context" => match part("generator")? {
            Value::Iterator(iterator) => match &iterator.iterating {
                Iterating::Call(function, scope, _) if iterator.taken.get() == 0 => {
                    generator_body(function, scope).map(Manager::Generator)
                }
                _ => None,
            },
            _ => None,
        },
        _ => {
            let order = ancestors(class_of(value)?);
            let has = |name: &str| matches!(look_along(&order, name), Held::Found(_));
            (has("__enter__") && has("__exit__")).then_some(Manager::Object)
        }
    }
}

/// The parts of a generator that yields in one statement, at its top or in a `try` with nothing but `finally`.
fn generator_body<'a>(
    function: &Rc<Function<'a>>,
    scope: &Rc<Scope<'a>>,
) -> Option<GeneratorBody<'a>> {
    let body = &function.definition?.body;
    let at = body.iter().position(super::inline::yields)?;
    let (before, rest) = body.split_at(at);
    let (statement, after) = rest.split_first()?;
    let mut parts = GeneratorBody {
        scope: Rc::clone(scope),
        before: before.iter().collect(),
        given: None,
        after: after.iter().collect(),
        finally: Vec::new(),
    };
    let given = |statement: &'a Stmt| match statement {
        Stmt::Expr(expression) => match &*expression.value {
            Expr::Yield(given) => Some(given.value.as_deref()),
            _ => None,
        },
        _ => None,
    };
    match statement {
        Stmt::Try(attempt)
            if attempt.handlers.is_empty() && attempt.orelse.is_empty() && after.is_empty() =>
        {
            let at = attempt.body.iter().position(super::inline::yields)?;
            // What raises before the `yield` would have to run the `finally`, too.
            let (statement, after) = attempt.body.get(at..).filter(|_| at == 0)?.split_first()?;
            parts.given = given(statement)?;
            parts.after = after.iter().collect();
            parts.finally = attempt.finalbody.iter().collect();
        }
        statement => parts.given = given(statement)?,
    }
    let others = parts.after.iter().chain(&parts.finally);
    // A second `yield` raises, and what returns ends it before the rest.
    let is_plain =
        others.chain(&parts.before).all(|known| !super::inline::yields(known) && !leaves(known));
    is_plain.then_some(parts)
}

/// Whether a context manager is spelled like one that catches nothing.
fn lets_exceptions_pass(manager: &Expr) -> bool {
    let Expr::Call(call) = manager else { return false };
    let name = match &*call.func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return false,
    };
    matches!(name, "open" | "tags" | "TemporaryDirectory" | "NamedTemporaryFile")
}
