//! Statements: what they bind, and which of them run.

use std::rc::Rc;

use ruff_python_ast::visitor::{Visitor, walk_stmt};
use ruff_python_ast::{
    ElifElseClause, ExceptHandler, Expr, ExprContext, Stmt, StmtIf, StmtTry, StmtWith,
};
use ruff_text_size::Ranged;

use super::nested::is_flow_spelling;
use super::{Evaluated, Interpreter, Raised};
use crate::flow::symbols::{self, Origin};
use crate::flow::value::{Annotation, Namespace, Scope, Value, set_keyword};

impl<'a> Interpreter<'a> {
    pub(super) fn block(&self, body: &'a [Stmt], scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        body.iter().try_for_each(|statement| self.statement(statement, scope))
    }

    fn statement(&self, statement: &'a Stmt, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        self.at(statement.start());
        match statement {
            Stmt::Import(import) => Self::import(import, scope),
            Stmt::ImportFrom(import) => self.import_from(import, scope)?,
            Stmt::Expr(expression) => self.effect(&expression.value, scope)?,
            Stmt::Assign(assign) => {
                let value = self.value(&assign.value, scope)?;
                for target in &assign.targets {
                    self.bind(target, &value, scope)?;
                }
            }
            Stmt::AnnAssign(assign) => self.annotated(assign, scope)?,
            Stmt::AugAssign(assign) => self.augmented(assign, scope)?,
            Stmt::Delete(delete) => delete.targets.iter().for_each(|target| {
                if let Expr::Name(name) = target {
                    scope.names.borrow_mut().remove(name.id.as_str());
                }
            }),
            Stmt::If(branch) => self.branch(branch, scope)?,
            Stmt::Try(attempt) => self.attempt(attempt, scope)?,
            Stmt::With(with) => self.with(with, scope)?,
            Stmt::For(_) | Stmt::While(_) => {
                self.forget(std::slice::from_ref(statement), scope, "it is bound in a loop");
            }
            Stmt::Match(_) => {
                let why = "it is bound in a `match` statement";
                self.forget(std::slice::from_ref(statement), scope, why);
            }
            Stmt::Raise(raise) => {
                let kind = raise.exc.as_deref().map_or("RuntimeError", exception_name);
                return self.raise(kind, "the module raises it itself");
            }
            Stmt::Assert(assert) => {
                let test = self.value(&assert.test, scope)?;
                if Self::truth(&test) == Some(false) {
                    return self.raise("AssertionError", self.excerpt(&*assert.test));
                }
            }
            Stmt::FunctionDef(function) => self.function_definition(function, scope)?,
            Stmt::ClassDef(class) => self.class_definition(class, scope)?,
            Stmt::TypeAlias(alias) => {
                let unknown = self.unknown("it is bound by a `type` statement of Python 3.12");
                self.bind(&alias.name, &unknown, scope)?;
            }
            _ => {}
        }
        Ok(())
    }

    /// An expression for its effect: only a name that it binds matters.
    fn effect(&self, expression: &'a Expr, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        if matches!(expression, Expr::Named(_)) {
            self.value(expression, scope)?;
        }
        Ok(())
    }

    /// Binds what a block may bind to something unknown.
    pub(super) fn forget(&self, body: &'a [Stmt], scope: &Rc<Scope<'a>>, why: &str) {
        let mut names = BoundNames::default();
        names.visit_body(body);
        for (name, is_flow) in names.found {
            let unknown = if is_flow {
                Value::unknown_flow(why, self.here())
            } else {
                Value::unknown(why, self.here())
            };
            scope.set(name, unknown);
        }
    }

    pub(super) fn bind(
        &self,
        target: &'a Expr,
        value: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        match target {
            Expr::Name(name) => {
                let name = name.id.as_str();
                if !scope.is_class() && self.effects.global.contains(name) {
                    let why = format!("a function changes `{name}` with `global`");
                    scope.set(name, self.unknown(why));
                } else {
                    scope.set(name, value.clone());
                }
            }
            Expr::Tuple(tuple) => self.unpack(&tuple.elts, value, scope)?,
            Expr::List(list) => self.unpack(&list.elts, value, scope)?,
            Expr::Starred(starred) => self.bind(&starred.value, value, scope)?,
            Expr::Attribute(attribute) => {
                let owner = self.value(&attribute.value, scope)?;
                self.set_attribute(&owner, attribute.attr.as_str(), value);
            }
            _ => {}
        }
        Ok(())
    }

    fn unpack(
        &self,
        targets: &'a [Expr],
        value: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let items = match value {
            Value::List(items) | Value::Tuple(items) => Some(items),
            _ => None,
        };
        let is_starred = targets.iter().any(Expr::is_starred_expr);
        match items {
            Some(items) if !is_starred && items.len() == targets.len() => targets
                .iter()
                .zip(items.iter())
                .try_for_each(|(target, item)| self.bind(target, item, scope)),
            _ => {
                let unknown = self.unknown("it is unpacked from a value that is not known");
                targets.iter().try_for_each(|target| self.bind(target, &unknown, scope))
            }
        }
    }

    fn set_attribute(&self, owner: &Value<'a>, name: &str, value: &Value<'a>) {
        let value = if self.guesses.get() > 0 {
            self.unknown(format!("`{name}` is set under a condition that is not known"))
        } else {
            value.clone()
        };
        match owner {
            Value::Function(function) => {
                set_keyword(&mut function.attributes.borrow_mut(), name, value);
            }
            Value::Class(class) => class.scope.set(name, value),
            Value::Flow(flow) if matches!(name, "name" | "description" | "version") => {
                set_keyword(&mut flow.options.borrow_mut(), name, value);
            }
            Value::Flow(flow) => set_keyword(&mut flow.attributes.borrow_mut(), name, value),
            _ => {}
        }
    }

    fn annotated(
        &self,
        assign: &'a ruff_python_ast::StmtAnnAssign,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        if let Expr::Name(name) = &*assign.target
            && scope.is_class()
        {
            let annotation = if self.are_annotations_postponed {
                Annotation::Postponed(&assign.annotation)
            } else {
                Annotation::Value(self.value(&assign.annotation, scope)?)
            };
            let mut annotations = scope.annotations.borrow_mut();
            let text = name.id.as_str().into();
            match annotations.iter_mut().find(|(known, _)| *known == text) {
                Some(entry) => entry.1 = annotation,
                None => annotations.push((text, annotation)),
            }
        } else if !self.are_annotations_postponed {
            self.value(&assign.annotation, scope)?;
        }
        if let Some(value) = &assign.value {
            let value = self.value(value, scope)?;
            self.bind(&assign.target, &value, scope)?;
        }
        Ok(())
    }

    fn augmented(
        &self,
        assign: &'a ruff_python_ast::StmtAugAssign,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        if let Expr::Name(name) = &*assign.target {
            let right = self.value(&assign.value, scope)?;
            let value = match scope.get(name.id.as_str()) {
                Some(left) => self.binary(assign.op, &left, &right)?,
                None => self.unknown(format!("`{}` has no value before", name.id)),
            };
            scope.set(name.id.as_str(), value);
        }
        Ok(())
    }

    fn branch(&self, branch: &'a StmtIf, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        self.alternatives(
            &branch.test,
            &branch.body,
            &branch.elif_else_clauses.iter().collect::<Vec<_>>(),
            scope,
        )
    }

    fn alternatives(
        &self,
        test: &'a Expr,
        body: &'a [Stmt],
        rest: &[&'a ElifElseClause],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<()> {
        let condition = self.value(test, scope)?;
        match Self::truth(&condition) {
            Some(true) => self.block(body, scope),
            Some(false) => self.otherwise(rest, scope),
            None => {
                let why = self.reason(&condition, test);
                let before = scope.names.borrow().clone();
                self.guesses.set(self.guesses.get() + 1);
                let taken = self.guess(scope, body, &why, || self.block(body, scope));
                *scope.names.borrow_mut() = before;
                let skipped: Vec<&'a Stmt> = rest.iter().flat_map(|clause| &clause.body).collect();
                let skipped = self.guess_rest(scope, rest, &skipped, &why);
                self.guesses.set(self.guesses.get().saturating_sub(1));
                *scope.names.borrow_mut() = self.join(&taken, &skipped, &why);
                Ok(())
            }
        }
    }

    fn otherwise(&self, rest: &[&'a ElifElseClause], scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        let Some((clause, rest)) = rest.split_first() else { return Ok(()) };
        match &clause.test {
            Some(test) => self.alternatives(test, &clause.body, rest, scope),
            None => self.block(&clause.body, scope),
        }
    }

    /// Runs a branch that may not be taken, and gives the names it leaves.
    fn guess(
        &self,
        scope: &Rc<Scope<'a>>,
        body: &'a [Stmt],
        why: &str,
        run: impl Fn() -> Evaluated<()>,
    ) -> Namespace<'a> {
        if run().is_err() {
            self.forget(body, scope, why);
        }
        scope.names.borrow().clone()
    }

    fn guess_rest(
        &self,
        scope: &Rc<Scope<'a>>,
        rest: &[&'a ElifElseClause],
        bodies: &[&'a Stmt],
        why: &str,
    ) -> Namespace<'a> {
        if self.otherwise(rest, scope).is_err() {
            for statement in bodies {
                self.forget(std::slice::from_ref(*statement), scope, why);
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
                    let is_flow = [left, right].into_iter().flatten().any(is_flow_like);
                    let why = format!("it is bound under a condition that is not known: {why}");
                    if is_flow { Value::unknown_flow(why, self.here()) } else { self.unknown(why) }
                }
            };
            joined.set(name, value);
        }
        joined
    }

    fn attempt(&self, attempt: &'a StmtTry, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        if let Some(module) = guarded_import(attempt) {
            let why = format!("whether `{module}` can be imported depends on what is installed");
            self.forget(&attempt.body, scope, &why);
            for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                self.forget(&handler.body, scope, &why);
            }
            self.forget(&attempt.orelse, scope, &why);
            return self.block(&attempt.finalbody, scope);
        }
        let outcome =
            self.block(&attempt.body, scope).and_then(|()| self.block(&attempt.orelse, scope));
        if let Err(raised) = outcome {
            let handler = attempt.handlers.iter().find_map(|handler| {
                let ExceptHandler::ExceptHandler(handler) = handler;
                catches(handler.type_.as_deref(), &raised).then_some(handler)
            });
            let Some(handler) = handler else { return Err(raised) };
            if let Some(name) = &handler.name {
                scope.set(name.as_str(), Value::opaque("an exception"));
            }
            self.block(&handler.body, scope)?;
        } else if attempt.handlers.iter().any(|ExceptHandler::ExceptHandler(handler)| {
            !handler.body.is_empty() && may_raise(&attempt.body)
        }) {
            // What the body calls may still raise: what a handler rebinds is not certain.
            for ExceptHandler::ExceptHandler(handler) in &attempt.handlers {
                let why = "it depends on whether the code in `try` raises";
                self.forget(&handler.body, scope, why);
            }
        }
        self.block(&attempt.finalbody, scope)
    }

    fn with(&self, with: &'a StmtWith, scope: &Rc<Scope<'a>>) -> Evaluated<()> {
        for item in &with.items {
            if let Some(target) = &item.optional_vars {
                let unknown = self.unknown("it is made by a `with` statement");
                self.bind(target, &unknown, scope)?;
            }
        }
        if let Err(raised) = self.block(&with.body, scope) {
            // The context manager may swallow it (`contextlib.suppress`).
            let why = format!("`{}` may be raised in a `with` block", raised.kind);
            self.forget(&with.body, scope, &why);
            self.doubt(why, raised.at);
        }
        Ok(())
    }

    /// Why a condition is not known.
    pub(super) fn reason(&self, condition: &Value<'a>, test: &Expr) -> String {
        condition.find_unknown(self.here()).map_or_else(
            || format!("`{}` is not evaluated", self.excerpt(test)),
            |unknown| unknown.why.clone(),
        )
    }
}

pub(super) fn is_flow_like(value: &Value<'_>) -> bool {
    match value {
        Value::Flow(_) => true,
        Value::Unknown(unknown) => unknown.is_flow_like,
        Value::Wrapped(inner) => is_flow_like(inner),
        _ => false,
    }
}

/// Whether two values are one object, or equal constants.
fn is_same<'a>(left: &Value<'a>, right: &Value<'a>) -> bool {
    match (left, right) {
        (Value::Class(left), Value::Class(right)) => Rc::ptr_eq(left, right),
        (Value::Function(left), Value::Function(right)) => Rc::ptr_eq(left, right),
        (Value::Flow(left), Value::Flow(right)) => Rc::ptr_eq(left, right),
        (Value::FlowDecorator(left), Value::FlowDecorator(right)) => Rc::ptr_eq(left, right),
        (Value::Type(left), Value::Type(right)) => Rc::ptr_eq(left, right),
        (Value::Wrapped(left), Value::Wrapped(right)) => Rc::ptr_eq(left, right),
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
        _ => super::operators::is_identical(left, right),
    }
}

/// The exception's class as it is spelled, without its module.
fn exception_name(expression: &Expr) -> &str {
    match expression {
        Expr::Call(call) => exception_name(&call.func),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        Expr::Name(name) => name.id.as_str(),
        _ => "Exception",
    }
}

fn handled(handler: Option<&Expr>) -> Vec<&str> {
    match handler {
        None => vec!["BaseException"],
        Some(Expr::Tuple(tuple)) => tuple.elts.iter().map(exception_name).collect(),
        Some(expression) => vec![exception_name(expression)],
    }
}

fn catches(handler: Option<&Expr>, raised: &Raised) -> bool {
    handled(handler).into_iter().any(|name| {
        name == raised.kind
            || matches!(name, "Exception" | "BaseException")
            || (name == "ImportError" && raised.kind == "ModuleNotFoundError")
            || (name == "LookupError" && matches!(raised.kind.as_str(), "KeyError" | "IndexError"))
    })
}

/// A module that may or may not be there, imported in a `try` that is prepared for it.
fn guarded_import(attempt: &StmtTry) -> Option<String> {
    let is_guarded = attempt.handlers.iter().any(|ExceptHandler::ExceptHandler(handler)| {
        handled(handler.type_.as_deref()).iter().any(|name| {
            matches!(*name, "ImportError" | "ModuleNotFoundError" | "Exception" | "BaseException")
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
            .find(|name| symbols::origin(name) == Origin::External)
            .map(str::to_owned),
        Stmt::ImportFrom(import) => {
            let module = import.module.as_ref().map_or("", |module| module.as_str());
            let is_external = import.level > 0 || symbols::origin(module) == Origin::External;
            is_external.then(|| format!("{}{module}", ".".repeat(import.level as usize)))
        }
        _ => None,
    })
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

/// Collects the names a block may bind, and which of them look like flows.
#[derive(Default)]
struct BoundNames<'a> {
    found: Vec<(&'a str, bool)>,
}

impl<'a> Visitor<'a> for BoundNames<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(function) => {
                let mut decorators = function.decorator_list.iter();
                let is_flow = decorators.any(|decorator| is_flow_spelling(&decorator.expression));
                self.found.push((function.name.as_str(), is_flow));
            }
            Stmt::ClassDef(class) => self.found.push((class.name.as_str(), false)),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.found.push((name.split('.').next().unwrap_or(name), false));
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.found.push((name, false));
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Name(name) = expression
            && !matches!(name.ctx, ExprContext::Load)
        {
            self.found.push((name.id.as_str(), false));
        }
        ruff_python_ast::visitor::walk_expr(self, expression);
    }
}
