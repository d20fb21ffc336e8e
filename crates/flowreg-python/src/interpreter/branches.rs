//! `if`, `try` and `with`: what runs, and what is known afterwards.

use std::rc::Rc;

use ruff_python_ast::{ElifElseClause, ExceptHandler, Expr, Stmt, StmtTry};

use super::blocks::{Ending, leaves};
use super::exceptions::exception_name;
use super::{Evaluated, Interpreter};
use crate::value::{Namespace, Scope, Value};

impl<'a> Interpreter<'a> {
    fn alternatives(
        &self,
        test: &'a Expr,
        body: &'a [Stmt],
        rest: &[&'a ElifElseClause],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let condition = self.value(test, scope)?;
        match self.condition(&condition)? {
            Some(true) => self.block(body, scope),
            Some(false) => self.otherwise(rest, scope),
            None => {
                self.either(&condition, test, body, rest, scope);
                Ok(())
            }
        }
    }

    /// Runs both sides of a condition that is not known from the same names, one after the other, and
    /// keeps what they agree on.
    pub(super) fn either(
        &self,
        condition: &Value<'a>,
        test: &'a Expr,
        body: &'a [Stmt],
        rest: &[&'a ElifElseClause],
        scope: &Rc<Scope<'a>>,
    ) {
        let why = self.reason(condition, test, scope);
        let before = scope.names.borrow().clone();
        self.open_guess(&format!("it stands under a condition that is not known: {why}"));
        let taken = self.names_after_branch(scope, body, &why, || self.block(body, scope));
        *scope.names.borrow_mut() = before;
        let skipped: Vec<&'a Stmt> = rest.iter().flat_map(|clause| &clause.body).collect();
        let skipped = self.names_after_others(scope, rest, &skipped, &why);
        self.close_guess();
        *scope.names.borrow_mut() = self.join(&taken, &skipped, &why);
    }

    fn otherwise(&self, rest: &[&'a ElifElseClause], scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        let Some((clause, rest)) = rest.split_first() else { return Ok(()) };
        match &clause.test {
            Some(test) => self.alternatives(test, &clause.body, rest, scope),
            None => self.block(&clause.body, scope),
        }
    }

    /// Runs a branch that may not be taken, and gives the names it leaves.
    fn names_after_branch(
        &self,
        scope: &Rc<Scope<'a>>,
        body: &'a [Stmt],
        why: &str,
        run: impl Fn() -> Evaluated<()>,
    ) -> Namespace<'a> {
        // If the branch raises, it is not the one that a working script takes; but which of its
        // names were bound before is not known.
        if let Err(raised) = run() {
            self.note_end(&raised, why);
            self.bind_to_unknown(body, scope, why);
        }
        scope.names.borrow().clone()
    }

    fn names_after_others(
        &self,
        scope: &Rc<Scope<'a>>,
        rest: &[&'a ElifElseClause],
        bodies: &[&'a Stmt],
        why: &str,
    ) -> Namespace<'a> {
        if let Err(raised) = self.otherwise(rest, scope) {
            self.note_end(&raised, why);
            for statement in bodies {
                self.bind_to_unknown(std::slice::from_ref(*statement), scope, why);
            }
        }
        scope.names.borrow().clone()
    }

    /// The names after a branch that may or may not have been taken.
    fn join(&self, left: &Namespace<'a>, right: &Namespace<'a>, why: &str) -> Namespace<'a> {
        let mut joined = left.clone();
        let names = left.iter().chain(right.iter()).map(|(name, _)| Rc::clone(name));
        for name in names.collect::<Vec<_>>() {
            let (left, right) = (left.get(&name), right.get(&name));
            let value = match (left, right) {
                (Some(left), Some(right)) if is_same(left, right) => left.clone(),
                _ => {
                    // Either side may be a flow: whoever asks for flows hears that one may be here.
                    let is_flow = [left, right].into_iter().flatten().any(Value::is_flow_like);
                    let why = format!("it is bound under a condition that is not known: {why}");
                    let value = self.unknown_of_kind(why, is_flow);
                    self.note_may_be(&value, [left, right].into_iter().flatten().cloned());
                    // A flow of either side is one, if the other side has none.
                    let likely = [left, right].into_iter().flatten();
                    let mut likely = likely.filter_map(|side| self.likely_of(side));
                    match (likely.next(), likely.next()) {
                        (Some(one), Some(other)) if !is_same(&one, &other) => {}
                        (one, _) => self.note_likely(&value, one),
                    }
                    value
                }
            };
            joined.set(name, value);
        }
        joined
    }

    pub(super) fn try_statement(
        &self,
        statement: &'a Stmt,
        attempt: &'a StmtTry,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        let outcome = self.tried(statement, attempt, scope);
        // `finally` runs whatever came before, and what ends it counts.
        match self.run_body(&attempt.finalbody, scope)? {
            Ending::Fell => outcome,
            other => Ok(other),
        }
    }

    /// A `try` statement without its `finally`.
    fn tried(
        &self,
        statement: &'a Stmt,
        attempt: &'a StmtTry,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        let is_left = leaves(statement);
        let not_known = || Ending::NotKnown(format!("`{}` may return", scope.excerpt(statement)));
        // Either side may run, depending on the machine. Nothing that any of the blocks binds is
        // known.
        if let Some(module) = self.guarded_import(attempt) {
            let why = format!("whether `{module}` can be imported depends on what is installed");
            self.bind_to_unknown(&attempt.body, scope, &why);
            for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                self.bind_to_unknown(&handler.body, scope, &why);
            }
            self.bind_to_unknown(&attempt.orelse, scope, &why);
            return Ok(if is_left { not_known() } else { Ending::Fell });
        }
        let doubtful = self.doubtful.get();
        let outcome = if attempt.handlers.is_empty() {
            self.run_body(&attempt.body, scope)
        } else {
            self.caught_block(&attempt.body, scope)
        };
        let raised = match outcome {
            Err(raised) => raised,
            Ok(ending) => {
                let may_be_handled =
                    attempt.handlers.iter().any(|ExceptHandler::ExceptHandler(handler)| {
                        !handler.body.is_empty() && may_raise(&attempt.body)
                    });
                // Where all of it is known, nothing was raised.
                let may_be_handled = may_be_handled
                    && (self.doubtful.get() != doubtful || !self.is_certain_to_run());
                if may_be_handled {
                    // What the body calls may still raise: what a handler rebinds is not certain.
                    for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                        let why = "it depends on whether the code in `try` raises";
                        self.bind_to_unknown(&handler.body, scope, why);
                    }
                    if is_left {
                        return Ok(not_known());
                    }
                }
                return match ending {
                    Ending::Fell => self.run_body(&attempt.orelse, scope),
                    other => Ok(other),
                };
            }
        };
        let mut handlers = attempt.handlers.iter();
        let handler = loop {
            // Without a handler that fits the exception goes on.
            let Some(ExceptHandler::ExceptHandler(handler)) = handlers.next() else {
                return Err(raised);
            };
            // Python evaluates the class of each handler in turn, which may raise itself.
            let Some(kind) = handler.type_.as_deref() else { break handler };
            let kinds = self.value(kind, scope)?;
            match self.catches(&kinds, &raised) {
                Some(true) => break handler,
                Some(false) => {}
                None => {
                    let why = "which handler takes an exception is not known";
                    self.mark_script_inexact(why);
                    break handler;
                }
            }
        };
        if let Some(name) = &handler.name {
            self.set(scope, name.as_str(), self.raised_object(&raised));
        }
        self.handled.borrow_mut().push(*raised);
        let ending = self.run_body(&handler.body, scope);
        self.handled.borrow_mut().pop();
        // `except E as e` deletes `e` at its end.
        if let Some(name) = &handler.name {
            scope.names.borrow_mut().remove(name.as_str());
        }
        ending
    }

    /// A module that may or may not be there, imported in a `try` that is prepared for it.
    fn guarded_import(&self, attempt: &StmtTry) -> Option<String> {
        let is_guarded = attempt.handlers.iter().any(|ExceptHandler::ExceptHandler(handler)| {
            handled(handler.type_.as_deref()).iter().any(|name| {
                matches!(
                    *name,
                    "ImportError" | "ModuleNotFoundError" | "Exception" | "BaseException"
                )
            })
        });
        if !is_guarded {
            return None;
        }
        attempt.body.iter().find_map(|statement| match statement {
            Stmt::Import(import) => import
                .names
                .iter()
                .map(|name| name.name.as_str())
                .find(|name| self.is_foreign(name, &[]))
                .map(str::to_owned),
            Stmt::ImportFrom(import) => {
                let module = import.module.as_ref()?.as_str();
                (import.level == 0 && self.is_foreign(module, &import.names))
                    .then(|| module.to_owned())
            }
            _ => None,
        })
    }

    /// Why a condition is not known.
    pub(super) fn reason(&self, condition: &Value<'a>, test: &Expr, scope: &Scope<'a>) -> String {
        condition.find_unknown(self.here()).map_or_else(
            || format!("`{}` is not evaluated", scope.excerpt(test)),
            |unknown| unknown.why.clone(),
        )
    }
}

/// Whether two values are one object, or equal constants.
fn is_same<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        (Value::Function(left), Value::Function(right)) => Rc::ptr_eq(left, right),
        (Value::Flow(left), Value::Flow(right)) => Rc::ptr_eq(left, right),
        (Value::Module(left), Value::Module(right)) => Rc::ptr_eq(left, right),
        (Value::FlowDecorator(left), Value::FlowDecorator(right)) => Rc::ptr_eq(left, right),
        (Value::Type(left), Value::Type(right)) => Rc::ptr_eq(left, right),
        (Value::Wrapped(left, _), Value::Wrapped(right, _)) => Rc::ptr_eq(left, right),
        (Value::Instance(left), Value::Instance(right)) => Rc::ptr_eq(left, right),
        (Value::Member(left), Value::Member(right)) => Rc::ptr_eq(left, right),
        (Value::Partial(left), Value::Partial(right)) => Rc::ptr_eq(left, right),
        (Value::Opaque(left), Value::Opaque(right)) => Rc::ptr_eq(left, right),
        (Value::Symbol(left), Value::Symbol(right))
        | (Value::External(left), Value::External(right)) => left == right,
        (Value::List(left), Value::List(right))
        | (Value::Set(left), Value::Set(right))
        | (Value::Tuple(left), Value::Tuple(right)) => Rc::ptr_eq(left, right),
        (Value::Dict(left), Value::Dict(right)) => Rc::ptr_eq(left, right),
        (Value::Unknown(left), Value::Unknown(right)) => Rc::ptr_eq(left, right),
        _ => super::equality::is_identical(left, right),
    }
}

fn handled(handler: Option<&Expr>) -> Vec<&str> {
    match handler {
        None => vec!["BaseException"],
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().map(exception_name).collect(),
        Some(expression) => vec![exception_name(expression)],
    }
}

/// Whether a block does more than importing and defining, so that it may raise.
fn may_raise(body: &[Stmt]) -> bool {
    body.iter().any(|statement| match statement {
        Stmt::Import(_)
        | Stmt::ImportFrom(_)
        | Stmt::FunctionDef(_)
        | Stmt::ClassDef(_)
        | Stmt::Pass(_) => false,
        Stmt::Assign(assign) => !is_plain(&assign.value),
        Stmt::Expr(expression) => !is_plain(&expression.value),
        _ => true,
    })
}

fn is_plain(expression: &Expr) -> bool {
    expression.is_literal_expr() || matches!(expression, Expr::Name(_))
}
