//! Loops and comprehensions over something known: they are run round by round. All others are not
//! followed, and what they may change is given up.

use std::rc::Rc;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Comprehension, Expr, Number, Stmt, StmtFor, StmtWhile};

use super::blocks::Ending;
use super::certain::{is_not_iterable, is_unhashable};
use super::equality::distinct;
use super::iterators::{Next, contained};
use super::{Evaluated, Interpreter};
use crate::value::{Scope, Value};

/// How many statements all loops of a script may run together.
const MOST_STEPS: usize = 4_000;

impl<'a> Interpreter<'a> {
    pub(super) fn for_loop(
        &self,
        statement: &'a Stmt,
        each: &'a StmtFor,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        let iterated = self.value(&each.iter, scope)?;
        if is_not_iterable(&iterated) && !each.is_async {
            return self.not_iterable(&iterated);
        }
        if let Some(ending) = self.rounds(each, &iterated, scope).transpose() {
            return ending;
        }
        self.lose_iterated(each, &iterated);
        self.bind_to_unknown(std::slice::from_ref(statement), scope, "it is bound in a loop");
        // The body runs at least once. What raises then, raises.
        if Self::truth(&iterated) == Some(true) && iterated.is_constant() {
            self.look_for_errors(&each.body, scope);
            self.look_for_errors(&each.orelse, scope);
        }
        self.note_stops_in(statement, false);
        Ok(after(statement, scope))
    }

    pub(super) fn while_loop(
        &self,
        statement: &'a Stmt,
        repeated: &'a StmtWhile,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        if let Some(ending) = self.while_rounds(repeated, scope).transpose() {
            return ending;
        }
        self.bind_to_unknown(std::slice::from_ref(statement), scope, "it is bound in a loop");
        let is_endless = is_true(&repeated.test);
        if is_endless {
            self.look_for_errors(&repeated.body, scope);
        }
        self.note_stops_in(statement, is_endless);
        Ok(after(statement, scope))
    }

    /// Runs a loop round by round; `None` if that can't be done, or not to its end.
    fn rounds(
        &self,
        each: &'a StmtFor,
        iterated: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Option<Ending<'a>>> {
        let body = LoopBody::of(&each.body);
        // What a program deploys in the rounds before it is not known whether there are more is
        // recorded already.
        if each.is_async || (body.leaves && self.program.is_some()) {
            return Ok(None);
        }
        let iterated = match self.special_method(iterated, "__iter__", &[]) {
            Some(made) => &made?,
            None => iterated,
        };
        if let Value::Iterator(_) = iterated {
            return self.rounds_of_iterator(each, iterated, body.statements, scope);
        }
        let Some(items) = self.items(iterated, body.statements) else { return Ok(None) };
        let changes = iterated.changes();
        for item in items {
            // Python goes on through the list as it is by now.
            if iterated.changes() != changes {
                return Ok(None);
            }
            self.bind(&each.target, &item, scope)?;
            match self.run_body(&each.body, scope)? {
                Ending::Fell | Ending::Continued => {}
                Ending::Broke => return Ok(Some(Ending::Fell)),
                Ending::NotKnown(_) => return Ok(None),
                returned @ Ending::Returned(_) => return Ok(Some(returned)),
            }
        }
        if iterated.changes() != changes {
            return Ok(None);
        }
        self.run_body(&each.orelse, scope).map(Some)
    }

    /// The same for an iterator: each item is taken when its round begins.
    fn rounds_of_iterator(
        &self,
        each: &'a StmtFor,
        iterator: &Value<'a>,
        statements: usize,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Option<Ending<'a>>> {
        loop {
            let item = match self.next_of(iterator)? {
                Next::Item(item) if self.spend(statements) => item,
                Next::End => return self.run_body(&each.orelse, scope).map(Some),
                _ => return Ok(None),
            };
            self.bind(&each.target, &item, scope)?;
            match self.run_body(&each.body, scope)? {
                Ending::Fell | Ending::Continued => {}
                Ending::Broke => return Ok(Some(Ending::Fell)),
                Ending::NotKnown(_) => return Ok(None),
                returned @ Ending::Returned(_) => return Ok(Some(returned)),
            }
        }
    }

    /// Runs a `while` loop as long as its condition is known; `None` if it ends otherwise.
    fn while_rounds(
        &self,
        repeated: &'a StmtWhile,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Option<Ending<'a>>> {
        let body = LoopBody::of(&repeated.body);
        let is_endless = is_true(&repeated.test) && !body.leaves;
        if is_endless || (body.leaves && self.program.is_some()) {
            return Ok(None);
        }
        loop {
            let test = self.value(&repeated.test, scope)?;
            match self.condition(&test)? {
                Some(true) if self.spend(body.statements + 1) => {}
                Some(false) => return self.run_body(&repeated.orelse, scope).map(Some),
                _ => return Ok(None),
            }
            match self.run_body(&repeated.body, scope)? {
                Ending::Fell | Ending::Continued => {}
                Ending::Broke => return Ok(Some(Ending::Fell)),
                Ending::NotKnown(_) => return Ok(None),
                returned @ Ending::Returned(_) => return Ok(Some(returned)),
            }
        }
    }

    /// What a comprehension over something known gives; `None` if that is not computed.
    pub(super) fn comprehended(
        &self,
        comprehension: &'a Expr,
        scope: &Rc<Scope<'a>>,
    ) -> Option<Evaluated<Value<'a>>> {
        let (element, value, generators) = match comprehension {
            Expr::ListComp(list) => (&*list.elt, None, &list.generators),
            Expr::SetComp(set) => (&*set.elt, None, &set.generators),
            Expr::DictComp(dict) => (dict.key.as_deref()?, Some(&*dict.value), &dict.generators),
            _ => return None,
        };
        // If a condition is not known half-way, the calls before it are recorded already.
        let is_plain = self.program.is_none()
            || (generators.len() == 1 && generators.iter().all(|known| known.ifs.is_empty()));
        let is_async = generators.iter().any(|generator| generator.is_async);
        if is_async || !is_plain || scope.is_class() || suspends(comprehension) {
            return None;
        }
        let mut made = (Vec::new(), Vec::new());
        let outcome = self.made(element, value, generators, scope, &mut made);
        outcome.map(|is_known| is_known.then_some(made)).transpose().map(|made| {
            let (items, values) = made?;
            Ok(match comprehension {
                Expr::ListComp(_) => Value::list(items),
                Expr::SetComp(_) => match items.iter().find(|item| is_unhashable(item)) {
                    Some(item) => return self.unhashable(item),
                    None => self.set_of(&items),
                },
                _ => {
                    let mut entries = Vec::new();
                    self.note_implicit_use(&items);
                    if distinct(&items).is_none() {
                        let why = "keys of which it is not known whether they are equal";
                        return Ok(self.unknown(why));
                    }
                    for (key, value) in items.into_iter().zip(values) {
                        if is_unhashable(&key) {
                            return self.unhashable(&key);
                        }
                        if let Some(unknown) = key.find_unknown(self.here()) {
                            return Ok(Value::Unknown(unknown));
                        }
                        Self::put(&mut entries, key, value);
                    }
                    Value::dict(entries)
                }
            })
        })
    }

    /// Adds the items that a comprehension makes, and the values if it makes entries; `false` if they are not
    /// known.
    fn made(
        &self,
        element: &'a Expr,
        value: Option<&'a Expr>,
        generators: &'a [Comprehension],
        scope: &Rc<Scope<'a>>,
        made: &mut (Vec<Value<'a>>, Vec<Value<'a>>),
    ) -> Evaluated<bool> {
        let Some((generator, rest)) = generators.split_first() else {
            made.0.push(self.kept(self.value(element, scope)?));
            if let Some(value) = value {
                made.1.push(self.kept(self.value(value, scope)?));
            }
            return Ok(true);
        };
        let iterated = self.value(&generator.iter, scope)?;
        let statements = 1 + generator.ifs.len();
        let iterator = match &iterated {
            Value::Iterator(_) | Value::Opaque(_) => self.iterator_of(&iterated)?,
            _ => None,
        };
        let mut items = match iterator {
            Some(_) => Vec::new().into_iter(),
            None => match self.items(&iterated, statements) {
                Some(items) => items.into_iter(),
                None => return Ok(false),
            },
        };
        let inner = self.comprehension_scope(generator, scope);
        let changes = iterated.changes();
        'items: loop {
            let item = match &iterator {
                Some(iterator) => match self.next_of(iterator)? {
                    Next::Item(item) if self.spend(statements) => item,
                    Next::End => return Ok(true),
                    _ => return Ok(false),
                },
                None if iterated.changes() != changes => return Ok(false),
                None => match items.next() {
                    Some(item) => item,
                    None => return Ok(true),
                },
            };
            self.bind(&generator.target, &item, &inner)?;
            for condition in &generator.ifs {
                let test = self.value(condition, &inner)?;
                match self.condition(&test)? {
                    Some(true) => {}
                    Some(false) => continue 'items,
                    None => return Ok(false),
                }
            }
            if !self.made(element, value, rest, &inner, made)? {
                return Ok(false);
            }
        }
    }

    /// What a loop goes through, in its order, with so many statements in each round; `None` if that is
    /// not known or too much.
    fn items(&self, iterated: &Value<'a>, statements: usize) -> Option<Vec<Value<'a>>> {
        let items = contained(iterated)?;
        self.spend(items.len().checked_mul(statements)?).then_some(items)
    }

    /// Takes so many statements off those that loops may run; `false` if there are not enough left.
    pub(super) fn spend(&self, statements: usize) -> bool {
        let steps = self.steps.get().saturating_add(statements);
        let is_enough = steps <= MOST_STEPS;
        if is_enough {
            self.steps.set(steps);
        }
        is_enough
    }
}

/// How a loop ends that is not followed.
fn after<'a>(statement: &Stmt, scope: &Scope<'a>) -> Ending<'a> {
    let mut search = OwnReturns(false);
    search.visit_stmt(statement);
    if search.0 {
        Ending::NotKnown(format!("`{}` may return", scope.excerpt(statement)))
    } else {
        Ending::Fell
    }
}

/// Whether a loop has a `return` of the function that it stands in.
struct OwnReturns(bool);

impl<'a> Visitor<'a> for OwnReturns {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::Return(_) => self.0 = true,
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _expression: &'a Expr) {}
}

/// Whether a condition is written as one that always holds.
fn is_true(test: &Expr) -> bool {
    match test {
        Expr::BooleanLiteral(literal) => literal.value,
        Expr::NumberLiteral(literal) => {
            matches!(&literal.value, Number::Int(int) if *int != 0)
        }
        _ => false,
    }
}

/// Whether an expression waits or gives something to its caller.
fn suspends(expression: &Expr) -> bool {
    let mut search = Suspends(false);
    search.visit_expr(expression);
    search.0
}

struct Suspends(bool);

impl<'a> Visitor<'a> for Suspends {
    fn visit_expr(&mut self, expression: &'a Expr) {
        self.0 |= matches!(expression, Expr::Await(_) | Expr::Yield(_) | Expr::YieldFrom(_));
        walk_expr(self, expression);
    }
}

/// What is in the body of a loop.
#[derive(Default)]
pub(super) struct LoopBody {
    /// Whether a round may end before the body does.
    pub leaves: bool,
    /// Whether the loop may end before its rounds do.
    pub breaks: bool,
    /// The statements in it, also those inside of others.
    pub statements: usize,
}

impl LoopBody {
    pub(super) fn of(body: &[Stmt]) -> Self {
        let mut search = Self::default();
        search.visit_body(body);
        search
    }
}

impl<'a> Visitor<'a> for LoopBody {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        self.statements += 1;
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => {}
            Stmt::Break(_) | Stmt::Return(_) => (self.leaves, self.breaks) = (true, true),
            Stmt::Continue(_) => self.leaves = true,
            _ => walk_stmt(self, statement),
        }
    }

    fn visit_expr(&mut self, _expression: &'a Expr) {}
}
