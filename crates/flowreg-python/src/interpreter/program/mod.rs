//! A script that is run as a program and not only imported: `__name__` is `"__main__"`, and the calls
//! that deploy flows are recorded with what they are given.
//!
//! Such a run has an interpreter of its own, so nothing of it can change what is said of the flows.
//! It follows a little more than an import does: loops over lists that are known, list comprehensions
//! and asynchronous functions that are awaited. Whatever may not run, or not as often as it seems,
//! carries a doubt.

mod checkout;
mod spelling;

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use ruff_python_ast::{Expr, Stmt};

use super::blocks::Ending;
use super::loops::LoopBody;
use super::{Evaluated, Interpreter, Raised};
use crate::value::{
    Function, Keywords, Location, Made, PrefectCall, Scope, Unknown, Value, own_affair,
};
use checkout::{joined, parent};
pub(super) use spelling::may_exit;
use spelling::{asynchronous, is_harmless};

/// How many calls are recorded. People deploy a few dozen flows in one file.
const MOST_CALLS: usize = 500;

/// What is known of a script that is run as a program.
#[derive(Default)]
pub(crate) struct Program<'a> {
    /// The calls that deploy something, in the order in which they ran.
    pub calls: RefCell<Vec<RecordedCall<'a>>>,
    /// Why it is not certain that the code runs that is evaluated now; the innermost comes last.
    doubts: RefCell<Vec<Rc<Unknown>>>,
    /// Why the program may have ended before, if so.
    end: RefCell<Option<Rc<Unknown>>>,
    /// The calls of functions that are open, from the outermost to the innermost.
    sites: RefCell<Vec<Location>>,
}

/// What is called to deploy flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deploying {
    /// `flow.deploy(…)`
    Deploy,
    /// `flow.serve(…)`
    Serve,
    /// `flow.to_deployment(…)`
    ToDeployment,
    /// `prefect.deploy(…)` with deployments.
    DeployAll,
    /// `prefect.serve(…)` with deployments.
    ServeAll,
    /// `deployment.apply(…)`
    Apply,
}

impl Deploying {
    /// The method of this name, without the `a` of its asynchronous form.
    pub(crate) fn method(name: &str) -> Option<Self> {
        Some(match name {
            "deploy" | "adeploy" => Self::Deploy,
            "serve" | "aserve" => Self::Serve,
            "to_deployment" | "ato_deployment" => Self::ToDeployment,
            _ => return None,
        })
    }

    /// The function at a canonical path.
    pub(crate) fn function(path: &str) -> Option<Self> {
        let (module, leaf) = path.rsplit_once('.')?;
        match (module, leaf) {
            ("prefect" | "prefect.flows" | "prefect.main", "serve" | "aserve") => {
                Some(Self::ServeAll)
            }
            (
                "prefect" | "prefect.main" | "prefect.deployments" | "prefect.deployments.runner",
                "deploy" | "adeploy",
            ) => Some(Self::DeployAll),
            _ => None,
        }
    }
}

/// A call that deploys something.
pub(crate) struct RecordedCall<'a> {
    pub what: Deploying,
    /// The flow, what `from_source` gave, or the deployment.
    pub receiver: Option<Value<'a>>,
    pub arguments: Vec<Value<'a>>,
    pub keywords: Keywords<'a>,
    pub at: Location,
    /// The calls of functions that lead to it, from the outermost to the innermost.
    pub sites: Vec<Location>,
    /// Why it is not certain that it runs, if so.
    pub doubt: Option<Rc<Unknown>>,
    /// Whether what it gives may be changed before it is deployed.
    is_changed: Cell<bool>,
    /// Objects that its arguments hold and Prefect does not copy, and how often each had been changed.
    held: Vec<(Value<'a>, Option<usize>)>,
}

impl RecordedCall<'_> {
    /// Whether what a call gives may be changed before it is deployed.
    pub(crate) fn is_changed(&self) -> bool {
        self.is_changed.get() || self.held.iter().any(|(held, changes)| held.changes() != *changes)
    }
}

/// The last part of the path of `Flow.from_source`, in both its forms.
pub(crate) fn is_from_source(path: &str) -> bool {
    matches!(path.rsplit('.').next(), Some("from_source" | "afrom_source"))
}

impl<'a> Interpreter<'a> {
    /// Notes that what follows may not run.
    pub(super) fn open_guess(&self, why: &str) {
        self.open_guesses.set(self.open_guesses.get() + 1);
        if let Some(program) = &self.program {
            program.doubts.borrow_mut().push(self.doubt(why));
        }
    }

    /// Notes the end of what may not run.
    pub(super) fn close_guess(&self) {
        self.open_guesses.set(self.open_guesses.get().saturating_sub(1));
        if let Some(program) = &self.program {
            program.doubts.borrow_mut().pop();
        }
    }

    fn doubt(&self, why: &str) -> Rc<Unknown> {
        Rc::new(Unknown { why: why.to_owned(), at: self.here(), is_flow_like: false })
    }

    /// Notes that a branch which may be taken ends the program. An exception is another matter: what
    /// is read is what the program deploys when it does not fail.
    pub(super) fn note_end(&self, raised: &Raised, why: &str) {
        let Some(program) = &self.program else { return };
        if raised.kind == "SystemExit" {
            let doubt = Unknown {
                why: format!("the program may end before: {why}"),
                at: raised.at,
                is_flow_like: false,
            };
            program.end.borrow_mut().get_or_insert_with(|| Rc::new(doubt));
        }
    }

    /// Runs the body of a function, and remembers where it was called.
    pub(super) fn at_site<T>(&self, site: Location, run: impl FnOnce() -> T) -> T {
        let Some(program) = &self.program else { return run() };
        program.sites.borrow_mut().push(site);
        let outcome = run();
        program.sites.borrow_mut().pop();
        outcome
    }

    /// What a call of a symbol gives in a program; `None` if it is the same as in an import.
    pub(super) fn program_symbol(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Evaluated<Value<'a>>> {
        let program = self.program.as_ref()?;
        if let Some(what) = Deploying::function(path) {
            if let Some(awaited) = asynchronous(path) {
                return Some(Ok(self.coroutine(Value::symbol(&awaited), arguments, keywords)));
            }
            self.record(program, what, None, arguments, keywords);
            return Some(Ok(self.unknown(own_affair(path))));
        }
        if let ("asyncio.run", [first, ..]) = (path, arguments) {
            return Some(self.resumed(first));
        }
        let in_checkout = |path: String| Some(Ok(Value::made(Made::InCheckout(path.into()))));
        if let [Value::Made(made), rest @ ..] = arguments
            && let Made::InCheckout(place) = &**made
        {
            return match (path, rest) {
                (
                    "pathlib.Path" | "builtins.str" | "os.path.abspath" | "os.path.realpath"
                    | "os.fspath",
                    [],
                ) => in_checkout(place.to_string()),
                ("os.path.dirname", []) => in_checkout(parent(place)?),
                ("os.path.join", [Value::Str(below)]) => in_checkout(joined(place, below)?),
                _ => None,
            };
        }
        let is_own = path.starts_with("prefect.")
            && !matches!(path, "prefect.flow" | "prefect.Flow" | "prefect.task");
        let is_of_flows = arguments.iter().any(Value::is_flow_like);
        (is_own && !is_of_flows).then(|| Ok(self.prefect_call(path, arguments, keywords)))
    }

    fn prefect_call(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        Value::made(Made::Call(PrefectCall {
            path: path.into(),
            arguments: arguments.to_vec(),
            keywords: keywords.clone(),
            at: self.here(),
        }))
    }

    /// What a call of a method gives in a program; `None` if it is the same as in an import.
    pub(super) fn program_method(
        &self,
        owner: &Value<'a>,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Value<'a>> {
        let program = self.program.as_ref()?;
        let record = |what| self.record(program, what, Some(owner.clone()), arguments, keywords);
        let made = match owner {
            Value::Flow(_) => None,
            Value::Made(made) => Some(&**made),
            _ => return None,
        };
        if let Some(awaited) = asynchronous(method) {
            let callee = Value::Bound(Rc::new((owner.clone(), awaited.into())));
            return Some(self.coroutine(callee, arguments, keywords));
        }
        match made {
            None if is_from_source(method) => {
                Some(self.prefect_call("prefect.Flow.from_source", arguments, keywords))
            }
            None => Some(self.deploying(record(Deploying::method(method)?))),
            Some(Made::Call(call)) if is_from_source(&call.path) => {
                Some(self.deploying(record(Deploying::method(method)?)))
            }
            Some(Made::Deployment(_)) if method == "apply" => {
                record(Deploying::Apply);
                Some(self.unknown("the id of a deployment"))
            }
            Some(Made::InCheckout(place)) => match (method, arguments) {
                ("resolve" | "absolute" | "as_posix" | "expanduser", []) => Some(owner.clone()),
                ("joinpath", [Value::Str(below)]) => {
                    Some(Value::made(Made::InCheckout(joined(place, below)?.into())))
                }
                _ => None,
            },
            Some(_) => None,
        }
    }

    fn deploying(&self, number: Option<usize>) -> Value<'a> {
        match number {
            Some(number) => Value::made(Made::Deployment(number)),
            None => self.unknown("what it deploys is not followed"),
        }
    }

    /// Records a call; its number if it makes a deployment.
    fn record(
        &self,
        program: &Program<'a>,
        what: Deploying,
        receiver: Option<Value<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<usize> {
        let mut calls = program.calls.borrow_mut();
        if calls.len() >= MOST_CALLS {
            return None;
        }
        let doubt = program.doubts.borrow().last().cloned();
        calls.push(RecordedCall {
            what,
            receiver,
            // As they are now: Prefect keeps copies.
            arguments: arguments.iter().map(Value::copied).collect(),
            keywords: keywords
                .iter()
                .map(|(name, value)| (Rc::clone(name), value.copied()))
                .collect(),
            held: match what {
                Deploying::ToDeployment => arguments
                    .iter()
                    .chain(keywords.iter().map(|(_, value)| value))
                    .flat_map(Value::objects_within)
                    .map(|object| (object.clone(), object.changes()))
                    .collect(),
                _ => Vec::new(),
            },
            at: self.here(),
            sites: program.sites.borrow().clone(),
            doubt: doubt.or_else(|| program.end.borrow().clone()),
            is_changed: Cell::new(false),
        });
        (what == Deploying::ToDeployment).then(|| calls.len() - 1)
    }

    /// Notes that a deployment may be changed, if this is one.
    pub(super) fn mark_deployment_changed(&self, value: &Value<'a>) {
        let (Some(program), Value::Made(made)) = (&self.program, value) else { return };
        if let Made::Deployment(number) = &**made
            && let Some(call) = program.calls.borrow().get(*number)
        {
            call.is_changed.set(true);
        }
    }

    /// An attribute of what only a program has; `None` if it is asked for when it is called.
    pub(super) fn made_attribute(&self, owner: &Value<'a>, name: &str) -> Option<Value<'a>> {
        let Value::Made(made) = owner else { return None };
        // A list of a deployment can be changed through its attribute.
        if !matches!(name, "name" | "flow_name" | "full_name" | "apply" | "aapply") {
            self.mark_deployment_changed(owner);
        }
        Self::checkout_attribute(made, name)
    }

    /// The value of `await …`; `None` if this is no program.
    pub(super) fn awaited(
        &self,
        expression: &'a Expr,
        scope: &Rc<Scope<'a>>,
    ) -> Option<Evaluated<Value<'a>>> {
        self.program.as_ref()?;
        Some(self.value(expression, scope).and_then(|value| self.resumed(&value)))
    }

    /// What an asynchronous call gives, which runs now; any other value as it is.
    fn resumed(&self, value: &Value<'a>) -> Evaluated<Value<'a>> {
        let Value::Made(made) = value else { return Ok(value.clone()) };
        let Made::Coroutine(callee, arguments, keywords, at) = &**made else {
            return Ok(value.clone());
        };
        // Whoever looks for the call finds it where it is written, not where it is awaited.
        let here = self.at.replace(*at);
        let outcome = match callee {
            Value::Function(function) => self.run_function(function, arguments, keywords),
            callee => self.call(callee, arguments, keywords),
        };
        self.at.set(here);
        outcome
    }

    /// A call of an asynchronous function of a program, which runs nothing before it is awaited.
    pub(super) fn called_function(
        &self,
        function: &Rc<Function<'a>>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Value<'a>> {
        let is_async = function.definition.is_some_and(|definition| definition.is_async);
        (self.program.is_some() && is_async)
            .then(|| self.coroutine(Value::Function(Rc::clone(function)), arguments, keywords))
    }

    fn coroutine(
        &self,
        callee: Value<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let (arguments, keywords) = (arguments.to_vec(), keywords.clone());
        Value::made(Made::Coroutine(callee, arguments, keywords, self.here()))
    }

    /// Runs a block whose exceptions something catches: after whatever may raise, it is not certain
    /// that the rest runs.
    pub(super) fn caught_block(
        &self,
        body: &'a [Stmt],
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Ending<'a>> {
        let Some(program) = &self.program else { return self.run_body(body, scope) };
        let mut is_doubtful = false;
        for statement in body {
            if is_doubtful {
                let why = "what stands before it may raise an exception that is caught";
                program.doubts.borrow_mut().push(self.doubt(why));
            }
            let outcome = self.run_statement(statement, scope);
            if is_doubtful {
                program.doubts.borrow_mut().pop();
            }
            match outcome? {
                Ending::Fell => {}
                other => return Ok(other),
            }
            is_doubtful |= !is_harmless(statement);
        }
        Ok(Ending::Fell)
    }

    /// Whether it is not certain that a program comes to what stands here.
    pub(super) fn is_in_doubt(&self) -> bool {
        self.program.as_ref().is_some_and(|program| !program.doubts.borrow().is_empty())
    }

    /// Notes that the program may not come to what follows.
    pub(super) fn note_stop(&self, why: &str) {
        if let Some(program) = &self.program {
            program.end.borrow_mut().get_or_insert_with(|| self.doubt(why));
        }
    }

    /// Notes that a statement which is not followed may end the program, or never end.
    pub(super) fn note_stops_in(&self, statement: &Stmt, is_endless: bool) {
        if self.program.is_none() {
            return;
        }
        if is_endless && !LoopBody::of(std::slice::from_ref(statement)).breaks {
            self.note_stop("a loop before it does not end");
        }
        if may_exit(std::slice::from_ref(statement)) {
            self.note_stop("the program may end before, where it is not followed");
        }
    }
}

impl<'a> Value<'a> {
    pub(crate) fn made(made: Made<'a>) -> Self {
        Value::Made(Rc::new(made))
    }
}
