//! The names that a block of statements may bind, found without running it. They are the locals of a
//! function, and what is unknown after a block that is not followed.

use foldhash::HashSet;
use ruff_python_ast::visitor::{Visitor, walk_except_handler, walk_expr, walk_pattern, walk_stmt};
use ruff_python_ast::{
    ExceptHandler, Expr, ExprContext, Identifier, Pattern, Stmt, StringLiteralValue,
};

use super::nested::is_flow_spelling;
use crate::value::{FunctionNames, OuterNames, Text};

/// The names a block may bind, and which of them look like flows.
#[derive(Default)]
pub(crate) struct BoundNames<'a> {
    pub names: Vec<(&'a str, bool)>,
    /// Whether it has a `from module import *`.
    pub binds_any: bool,
    /// Those among them that `global` and `nonlocal` statements say are bound outside.
    pub outer: OuterNames<'a>,
}

impl<'a> BoundNames<'a> {
    pub(crate) fn of(body: &'a [Stmt]) -> Self {
        let mut bound = BoundNames::default();
        bound.visit_body(body);
        bound
    }

    /// The names that a function's body binds in its own scope.
    pub(crate) fn into_locals(self) -> HashSet<&'a str> {
        self.into_function(None).locals
    }

    /// The same, with those that it binds elsewhere.
    pub(crate) fn into_function(self, first: Option<Text>) -> FunctionNames<'a> {
        let outer = self.outer;
        let names = self.names.into_iter().map(|(name, _)| name);
        let is_own = |name: &&str| !outer.global.contains(name) && !outer.nonlocal.contains(name);
        FunctionNames {
            locals: names.filter(is_own).collect(),
            outer,
            first,
            is_comprehension: false,
        }
    }

    fn add(&mut self, name: &'a str) {
        self.names.push((name, false));
    }
}

impl<'a> Visitor<'a> for BoundNames<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            // The bodies of functions and classes are scopes of their own: only their names are
            // bound here.
            Stmt::FunctionDef(function) => {
                let mut decorators = function.decorator_list.iter();
                let is_flow = decorators.any(|decorator| is_flow_spelling(&decorator.expression));
                self.names.push((function.name.as_str(), is_flow));
            }
            Stmt::ClassDef(class) => self.add(class.name.as_str()),
            Stmt::Global(_) | Stmt::Nonlocal(_) => self.outer.add(statement),
            Stmt::Import(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    // `import a.b` binds `a`.
                    self.add(name.split('.').next().unwrap_or(name));
                }
            }
            Stmt::ImportFrom(import) => {
                for alias in &import.names {
                    let name = alias.asname.as_ref().unwrap_or(&alias.name).as_str();
                    self.binds_any |= name == "*";
                    self.add(name);
                }
            }
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) if !matches!(name.ctx, ExprContext::Load) => {
                self.add(name.id.as_str());
            }
            // These have scopes of their own.
            Expr::Lambda(_)
            | Expr::ListComp(_)
            | Expr::SetComp(_)
            | Expr::DictComp(_)
            | Expr::Generator(_) => return,
            _ => {}
        }
        walk_expr(self, expression);
    }

    fn visit_except_handler(&mut self, handler: &'a ExceptHandler) {
        let ExceptHandler::ExceptHandler(inner) = handler;
        if let Some(name) = &inner.name {
            self.add(name.as_str());
        }
        walk_except_handler(self, handler);
    }

    fn visit_pattern(&mut self, pattern: &'a Pattern) {
        if let Some(name) = captured(pattern) {
            self.add(name);
        }
        walk_pattern(self, pattern);
    }
}

/// The name that a pattern of a `match` binds itself.
pub(crate) fn captured(pattern: &Pattern) -> Option<&str> {
    let name = match pattern {
        Pattern::MatchAs(pattern) => pattern.name.as_ref(),
        Pattern::MatchStar(pattern) => pattern.name.as_ref(),
        Pattern::MatchMapping(pattern) => pattern.rest.as_ref(),
        _ => None,
    };
    name.map(Identifier::as_str)
}

impl<'a> OuterNames<'a> {
    /// The names of all such statements in a body, also inside the functions in it.
    pub(crate) fn within(body: &'a [Stmt]) -> Self {
        let mut search = AllOuterNames(OuterNames::default());
        search.visit_body(body);
        search.0
    }

    fn add(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::Global(global) => self.global.extend(global.names.iter().map(Identifier::as_str)),
            Stmt::Nonlocal(nonlocal) => {
                self.nonlocal.extend(nonlocal.names.iter().map(Identifier::as_str));
            }
            _ => {}
        }
    }
}

struct AllOuterNames<'a>(OuterNames<'a>);

impl<'a> Visitor<'a> for AllOuterNames<'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.0.add(statement);
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, _expression: &'a Expr) {}
}

/// The names that an expression reads.
pub(crate) fn names_read(expression: &Expr) -> Vec<&str> {
    let mut read = ReadNames::default();
    read.visit_expr(expression);
    read.names
}

/// The texts that stand in an expression.
pub(crate) fn texts_in(expression: &Expr) -> Vec<&StringLiteralValue> {
    let mut read = ReadNames::default();
    read.visit_expr(expression);
    read.texts
}

#[derive(Default)]
struct ReadNames<'a> {
    names: Vec<&'a str>,
    texts: Vec<&'a StringLiteralValue>,
}

impl<'a> Visitor<'a> for ReadNames<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Name(name) => self.names.push(name.id.as_str()),
            Expr::StringLiteral(text) => self.texts.push(&text.value),
            // The texts of a `Literal` are no annotations.
            Expr::Subscript(item) if last_name(&item.value) == Some("Literal") => {
                return self.visit_expr(&item.value);
            }
            _ => {}
        }
        walk_expr(self, expression);
    }
}

fn last_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}
