//! What the spelling of statements says of a program: whether they may end it or a round of a loop, and
//! whether they may raise.

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt};

use super::super::exceptions::exception_name;
use super::{Deploying, is_from_source};

/// The name of what is called when `name` is awaited, if that is the asynchronous form of a function
/// or method that deploys.
pub(super) fn asynchronous(name: &str) -> Option<String> {
    let (module, leaf) = match name.rsplit_once('.') {
        Some((module, leaf)) => (format!("{module}."), leaf),
        None => (String::new(), name),
    };
    let forms = ["adeploy", "aserve", "ato_deployment", "afrom_source", "aapply"];
    let awaited = leaf.strip_prefix('a').filter(|_| forms.contains(&leaf))?;
    Some(format!("{module}{awaited}"))
}

/// Whether a statement of a block certainly does not raise, as far as people write it so, or is a call
/// that deploys something: that one is tried in any case.
pub(super) fn is_harmless(statement: &Stmt) -> bool {
    match statement {
        Stmt::Import(_) | Stmt::ImportFrom(_) | Stmt::FunctionDef(_) | Stmt::Pass(_) => true,
        Stmt::Assign(assign) => is_simple(&assign.value),
        Stmt::Expr(expression) => is_simple(&expression.value),
        _ => false,
    }
}

fn is_simple(expression: &Expr) -> bool {
    match expression {
        Expr::Await(awaited) => is_simple(&awaited.value),
        Expr::Call(call) => match &*call.func {
            Expr::Attribute(called) => {
                let name = called.attr.as_str();
                let name = asynchronous(name).unwrap_or_else(|| name.to_owned());
                Deploying::method(&name).is_some() || is_from_source(&name)
            }
            Expr::Name(name) => matches!(name.id.as_str(), "print" | "serve" | "deploy"),
            _ => false,
        },
        Expr::List(list) => list.elts.iter().all(is_simple),
        Expr::Tuple(tuple) => tuple.elts.iter().all(is_simple),
        expression => expression.is_literal_expr() || expression.is_name_expr(),
    }
}

/// Whether statements may end the program, wherever in them.
pub(in crate::interpreter) fn may_exit(body: &[Stmt]) -> bool {
    let mut search = Exits(false);
    search.visit_body(body);
    search.0
}

struct Exits(bool);

impl<'a> Visitor<'a> for Exits {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        if let Stmt::Raise(raise) = statement {
            self.0 |=
                raise.exc.as_deref().is_some_and(|raised| exception_name(raised) == "SystemExit");
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression {
            let name = match &*call.func {
                Expr::Name(name) => name.id.as_str(),
                Expr::Attribute(attribute) => attribute.attr.as_str(),
                _ => "",
            };
            self.0 |= matches!(name, "exit" | "_exit" | "quit" | "abort" | "execv" | "execvp");
        }
        walk_expr(self, expression);
    }
}
