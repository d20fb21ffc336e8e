//! Blocks of statements, and how each ends: at its end, or by `return`, `break` or `continue`.

use std::rc::Rc;

use ruff_python_ast::visitor::Visitor;
use ruff_python_ast::{ElifElseClause, Expr, Stmt};

use super::inline::OwnNodes;
use super::{Evaluated, Interpreter};
use crate::value::{Scope, Value};

/// How a block ended.
pub(super) enum Ending<'a> {
    /// It reached its end.
    Fell,
    Returned(Value<'a>),
    Broke,
    Continued,
    /// Whether it goes on is not known; the words say why.
    NotKnown(String),
}

impl<'a> Interpreter<'a> {
    /// Runs statements up to the first that ends the block.
    pub(super) fn run_body(
        &self,
        body: &'a [Stmt],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        for statement in body {
            match self.run_statement(statement, scope)? {
                Ending::Fell => {}
                other => return Ok(other),
            }
        }
        Ok(Ending::Fell)
    }

    pub(super) fn run_statement(
        &self,
        statement: &'a Stmt,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        use ruff_text_size::Ranged;
        self.at(scope, statement.start());
        Ok(match statement {
            Stmt::Return(returned) => Ending::Returned(match &returned.value {
                Some(value) => self.value(value, scope)?,
                None => Value::None,
            }),
            Stmt::Break(_) => Ending::Broke,
            Stmt::Continue(_) => Ending::Continued,
            Stmt::If(branch) => {
                let clauses: Vec<_> = branch.elif_else_clauses.iter().collect();
                let test = Some(&*branch.test);
                self.run_branch(statement, test, &branch.body, &clauses, scope)?
            }
            Stmt::For(each) => self.for_loop(statement, each, scope)?,
            Stmt::While(repeated) => self.while_loop(statement, repeated, scope)?,
            Stmt::Try(attempt) => self.try_statement(statement, attempt, scope)?,
            Stmt::With(with) => self.with_statement(statement, with, scope)?,
            Stmt::Match(choice) => {
                let subject = self.value(&choice.subject, scope)?;
                if self.program.is_none()
                    && let Some(ending) = self.matched(choice, &subject, scope)?
                {
                    return Ok(ending);
                }
                let why = "it is bound in a `match` statement";
                self.bind_to_unknown(std::slice::from_ref(statement), scope, why);
                if leaves(statement) {
                    let excerpt = scope.excerpt(statement);
                    return Ok(Ending::NotKnown(format!("`{excerpt}` may return")));
                }
                if subject.is_constant() {
                    choice.cases.iter().for_each(|case| self.look_for_errors(&case.body, scope));
                }
                self.note_stops_in(statement, false);
                Ending::Fell
            }
            // A `return` inside another statement: whether it is reached is not followed.
            _ if leaves(statement) => {
                let excerpt = scope.excerpt(statement);
                Ending::NotKnown(format!("`{excerpt}` may return"))
            }
            _ => {
                self.statement(statement, scope)?;
                Ending::Fell
            }
        })
    }

    fn run_branch(
        &self,
        statement: &'a Stmt,
        test: Option<&'a Expr>,
        body: &'a [Stmt],
        rest: &[&'a ElifElseClause],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        let Some(test) = test else { return self.run_body(body, scope) };
        let condition = self.value(test, scope)?;
        match self.condition(&condition)? {
            Some(true) => self.run_body(body, scope),
            Some(false) => match rest.split_first() {
                None => Ok(Ending::Fell),
                Some((clause, rest)) => {
                    let (test, body) = (clause.test.as_ref(), &clause.body);
                    self.run_branch(statement, test, body, rest, scope)
                }
            },
            // If one branch ends the block and the other does not, both ways go on separately. That is
            // not followed.
            None if scope.is_function() && leaves_or_raises(statement) || leaves(statement) => {
                Ok(Ending::NotKnown(self.reason(&condition, test, scope)))
            }
            None => {
                self.either(&condition, test, body, rest, scope);
                Ok(Ending::Fell)
            }
        }
    }
}

/// Whether a statement may end the block that it stands in.
pub(super) fn leaves(statement: &Stmt) -> bool {
    let mut search = OwnNodes::default();
    search.visit_stmt(statement);
    search.leaves
}

fn leaves_or_raises(statement: &Stmt) -> bool {
    let mut search = OwnNodes::default();
    search.visit_stmt(statement);
    search.leaves || search.raises
}
