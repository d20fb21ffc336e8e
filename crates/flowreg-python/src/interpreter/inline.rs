//! What a call of a function of the repository gives: its body is run on the arguments.
//!
//! Factories, decorators and helpers are mostly straight-line code with a few conditions and loops. What
//! is not (generators, methods) is not followed, and what the call gives is unknown.

use std::rc::Rc;

use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, Stmt, StmtFunctionDef};

use super::blocks::Ending;
use super::bound::BoundNames;
use super::expressions::UNKNOWN_ARGUMENTS;
use super::imports::passed;
use super::iterators::iterator;
use super::nested::makes_flows;
use super::program::may_exit;
use super::signatures;
use super::{Evaluated, Interpreter, TOO_DEEP};
use crate::value::{
    Function, Iterating, Keywords, ParameterKind, Scope, Shared, Unknown, Value, keyword,
    set_keyword,
};

/// Calls that may be open at once. Factories and helpers at the top of a module are a few deep;
/// recursion, which needs loops or state to be followed, ends here.
const MOST_OPEN_CALLS: u32 = 30;

/// Calls that one script may make: enough for a factory call per flow, and an end for a script made
/// to call itself exponentially often.
const MOST_CALLS: u32 = 2_000;

/// How far calls are followed to see whether they make flows, and how many of each function. This
/// decides only whether the user hears that a flow may be there.
const DEEPEST_SEARCH: u32 = 3;
const MOST_NAMES: usize = 20;

impl<'a> Interpreter<'a> {
    /// The value of a call.
    ///
    /// # Errors
    /// [`super::Raised`] if the call certainly raises.
    pub(super) fn call_function(
        &self,
        function: &Rc<Function<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        match self.called_function(function, arguments, keywords) {
            Some(coroutine) => Ok(coroutine),
            None => self.run_function(function, arguments, keywords),
        }
    }

    /// Runs the body of a function; one that is asynchronous only in a program.
    pub(super) fn run_function(
        &self,
        function: &Rc<Function<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        let is_flow = || arguments.iter().any(Value::is_flow_like) || may_make_flows(function, 0);
        let unknown = |why: String| {
            self.lose_call(function, arguments, keywords, &why);
            if self.program.is_some() && may_end_program(function, 0) {
                self.note_stop(&format!("`{}()` may end the program before", function.name));
            }
            Ok(self.unknown_of_kind(why, is_flow()))
        };
        let calls = self.calls.get();
        if calls >= MOST_CALLS || self.open_calls.get() >= MOST_OPEN_CALLS {
            return unknown(format!(
                "the calls of `{}()` go too deep to be followed",
                function.name
            ));
        }
        if let Some(lost) = function.lost.get() {
            return unknown(lost.why.clone());
        }
        if let Some(why) = refusal(function, keywords, self.program.is_some()) {
            return unknown(format!("what `{}()` returns is not computed: {why}", function.name));
        }
        self.calls.set(calls + 1);
        // Errors inside the function are reported there, and the call as the way to them.
        let site = self.here();
        let first = function.parameters.first().map(|parameter| Rc::clone(&parameter.name));
        let names = function.definition.map(|definition| BoundNames::of(&definition.body));
        let names = names.unwrap_or_default().into_function(first);
        let scope = Scope::function(names, &function.qualname, &function.scope);
        let scope = self.keep(scope);
        match signatures::changed(function) {
            Ok(Some(changed)) => self.bind_arguments(&changed, arguments, keywords, &scope)?,
            Ok(None) => self.bind_arguments(function, arguments, keywords, &scope)?,
            Err(why) => return unknown(why.why.clone()),
        }
        if function.definition.is_some_and(is_generator) {
            // Its body runs when its items are taken.
            let function = Rc::clone(function);
            return Ok(iterator(Iterating::Call(function, scope, Shared::default())));
        }
        self.open_calls.set(self.open_calls.get() + 1);
        let outcome = self.at_site(site, || {
            self.deeper(
                || self.body(function, &scope),
                || Ok(Ending::NotKnown(TOO_DEEP.to_owned())),
            )
        });
        self.open_calls.set(self.open_calls.get() - 1);
        self.at.set(site);
        match outcome.or_else(|raised| passed(raised, site))? {
            // An unknown result of a function that makes flows is probably a flow, and is reported
            // as one.
            Ending::Returned(Value::Unknown(unknown)) if !unknown.is_flow_like && is_flow() => {
                Ok(Value::Unknown(Rc::new(Unknown { is_flow_like: true, ..(*unknown).clone() })))
            }
            Ending::Returned(value) => Ok(value),
            // Only loops end with these, and take them.
            Ending::Fell | Ending::Broke | Ending::Continued => Ok(Value::None),
            Ending::NotKnown(why) => {
                unknown(format!("what `{}()` returns is not known: {why}", function.name))
            }
        }
    }

    pub(super) fn unknown_of_kind(&self, why: String, is_flow_like: bool) -> Value<'a> {
        if is_flow_like { Value::unknown_flow(why, self.here()) } else { self.unknown(why) }
    }

    /// Binds the parameters as Python does.
    fn bind_arguments(
        &self,
        function: &Function<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
        scope: &Scope<'a>,
    ) -> Evaluated<()> {
        let name = &function.name;
        let mut positional = arguments.iter();
        let mut rest = keywords.clone();
        for parameter in &function.parameters {
            // A keyword is used up by the parameter that takes it; what is left goes to `**kwargs`
            // or is an error.
            let take = |rest: &mut Keywords<'a>| {
                let at = rest.iter().position(|(given, _)| *given == parameter.name)?;
                Some(rest.remove(at).1)
            };
            let value = match parameter.kind {
                ParameterKind::Rest => {
                    let rest = positional.by_ref().cloned();
                    Some(Value::tuple(rest.map(|value| self.kept(value)).collect()))
                }
                ParameterKind::Keywords => {
                    let entries = std::mem::take(&mut rest);
                    let entries =
                        entries.into_iter().map(|(name, value)| (Value::Str(name), value));
                    Some(Value::dict(entries.collect()))
                }
                ParameterKind::PositionalOnly => positional.next().cloned(),
                ParameterKind::Positional => match (positional.next(), take(&mut rest)) {
                    (Some(_), Some(_)) => {
                        let parameter = &parameter.name;
                        return self.raise(
                            "TypeError",
                            format!("{name}() got multiple values for argument '{parameter}'"),
                        );
                    }
                    (Some(value), None) => Some(value.clone()),
                    (None, value) => value,
                },
                ParameterKind::KeywordOnly => take(&mut rest),
            };
            let Some(value) = value.or_else(|| parameter.default.clone()) else {
                let message = format!("{name}() missing argument: '{}'", parameter.name);
                return self.raise("TypeError", message);
            };
            self.set(scope, &parameter.name, value);
        }
        if positional.next().is_some() {
            return self.raise("TypeError", format!("{name}() takes fewer positional arguments"));
        }
        match rest.first() {
            None => Ok(()),
            Some((given, _)) => self.raise(
                "TypeError",
                format!("{name}() got an unexpected keyword argument '{given}'"),
            ),
        }
    }

    fn body(&self, function: &Function<'a>, scope: &Rc<Scope<'a>>) -> Evaluated<Ending<'a>> {
        match (function.definition, function.lambda_body) {
            (Some(definition), _) => self.run_body(&definition.body, scope),
            (None, Some(body)) => self.value(body, scope).map(Ending::Returned),
            (None, None) => Ok(Ending::NotKnown("its source is not known".to_owned())),
        }
    }

    /// `functools.update_wrapper(wrapper, wrapped)`, which `functools.wraps` calls: the wrapper
    /// takes over name and docstring, and `inspect.signature` looks through it.
    pub(super) fn update_wrapper(
        &self,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let (wrapper, wrapped) = match (arguments, keyword(keywords, "wrapped")) {
            ([wrapper], Some(wrapped)) if keywords.len() == 1 => (wrapper, wrapped),
            ([wrapper, wrapped], None) if keywords.is_empty() => (wrapper, wrapped),
            _ => return self.unknown("`functools.wraps` with more than a function"),
        };
        let Value::Function(function) = wrapper else {
            return self.unknown_because(
                wrapper,
                "`functools.wraps` around something that is no function",
            );
        };
        let Value::Function(original) = wrapped else {
            return self
                .unknown_because(wrapped, "`functools.wraps` of something that is no function");
        };
        // `update_wrapper` copies the whole `__dict__`, which holds what an earlier `wraps` has
        // set.
        let mut attributes = original.attributes.borrow().clone();
        let is_given = |name: &str, attributes: &Keywords<'a>| keyword(attributes, name).is_some();
        if !is_given("__name__", &attributes) {
            set_keyword(&mut attributes, "__name__", Value::Str(Rc::clone(&original.name)));
        }
        if !is_given("__doc__", &attributes) {
            let doc = original.docstring.clone().map_or(Value::None, Value::Str);
            set_keyword(&mut attributes, "__doc__", doc);
        }
        set_keyword(&mut attributes, "__wrapped__", wrapped.clone());
        for (name, value) in attributes {
            set_keyword(&mut function.attributes.borrow_mut(), &name, value);
        }
        wrapper.clone()
    }
}

/// Whether a function, or one that it calls by name, has a flow in its body.
fn may_make_flows(function: &Function<'_>, depth: u32) -> bool {
    let Some(definition) = function.definition else { return false };
    if makes_flows(definition) {
        return true;
    }
    let mut calls = CalledNames::default();
    calls.visit_body(&definition.body);
    // A body does not see the names of the class it stands in.
    let outside = function.scope.parent.as_ref().filter(|_| function.scope.is_class());
    let scope = outside.unwrap_or(&function.scope);
    depth < DEEPEST_SEARCH
        && calls.names.iter().any(|name| match scope.get(name) {
            Some(Value::Function(called)) => may_make_flows(&called, depth + 1),
            _ => false,
        })
}

/// Whether a function, or one that it calls by name, may end the program.
fn may_end_program(function: &Function<'_>, depth: u32) -> bool {
    let Some(definition) = function.definition else { return false };
    if may_exit(&definition.body) {
        return true;
    }
    let mut calls = CalledNames::default();
    calls.visit_body(&definition.body);
    depth < DEEPEST_SEARCH
        && calls.names.iter().any(|name| match function.scope.get(name) {
            Some(Value::Function(called)) => may_end_program(&called, depth + 1),
            _ => false,
        })
}

/// The names that a body calls.
#[derive(Default)]
struct CalledNames<'a> {
    names: Vec<&'a str>,
}

impl<'a> Visitor<'a> for CalledNames<'a> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && let Expr::Name(name) = &*call.func
            && self.names.len() < MOST_NAMES
        {
            self.names.push(name.id.as_str());
        }
        walk_expr(self, expression);
    }
}

/// Why a function's body is not run, if so.
fn refusal(
    function: &Function<'_>,
    keywords: &Keywords<'_>,
    is_program: bool,
) -> Option<&'static str> {
    if keyword(keywords, "**").is_some() || keyword(keywords, UNKNOWN_ARGUMENTS).is_some() {
        return Some("its arguments are not known");
    }
    let definition = function.definition?;
    if definition.is_async && !is_program {
        return Some("it is asynchronous");
    }
    let mut search = OwnNodes::default();
    search.visit_body(&definition.body);
    if search.yields && (is_program || definition.is_async) {
        return Some("it is a generator");
    }
    (search.awaits && !is_program).then_some("it is asynchronous")
}

/// Whether a statement has a `yield` of its own.
pub(super) fn yields(statement: &Stmt) -> bool {
    let mut search = OwnNodes::default();
    search.visit_stmt(statement);
    search.yields
}

/// Whether an expression has one.
pub(super) fn expression_yields(expression: &Expr) -> bool {
    let mut search = OwnNodes::default();
    search.visit_expr(expression);
    search.yields
}

pub(super) fn is_generator(definition: &StmtFunctionDef) -> bool {
    let mut search = OwnNodes::default();
    search.visit_body(&definition.body);
    search.yields
}

/// Whether a body has a `raise` of its own.
pub(super) fn may_raise(body: &[Stmt]) -> bool {
    let mut search = OwnNodes::default();
    search.visit_body(body);
    search.raises
}

/// Looks through the statements of a function without those of functions inside it.
#[expect(clippy::struct_excessive_bools, reason = "each is found by itself")]
#[derive(Default)]
pub(super) struct OwnNodes {
    /// Whether it has a `return`, `break` or `continue`.
    pub leaves: bool,
    pub raises: bool,
    awaits: bool,
    yields: bool,
}

impl<'a> Visitor<'a> for OwnNodes {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        match statement {
            Stmt::FunctionDef(_) | Stmt::ClassDef(_) => return,
            Stmt::Return(_) | Stmt::Break(_) | Stmt::Continue(_) => self.leaves = true,
            Stmt::Raise(_) => self.raises = true,
            _ => {}
        }
        walk_stmt(self, statement);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        match expression {
            Expr::Lambda(_) => return,
            Expr::Yield(_) | Expr::YieldFrom(_) => self.yields = true,
            Expr::Await(_) => self.awaits = true,
            _ => {}
        }
        walk_expr(self, expression);
    }
}
