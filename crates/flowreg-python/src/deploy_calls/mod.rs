//! The calls of a script that deploy flows when it is run: `flow.deploy()`, `flow.serve()`,
//! `flow.to_deployment()`.
//!
//! The script is run once more, as the program that it also is ([`crate::interpreter::program`]), and
//! what it calls is turned into plain data here. A call is read only if it certainly runs and all of
//! its arguments are known; any other is listed with the reason. Calls that stand where nothing is
//! followed are found in the syntax tree ([`unfollowed`]).
//!
//! What becomes of a call is decided by whoever registers.

mod arguments;
mod code;
mod schedules;
mod unfollowed;

use std::collections::HashSet;
use std::rc::Rc;

use flowreg_model::{
    CallArguments, CallObstacle, DeployCall, DeployMethod, DeployedCode, Entrypoint,
};
use memchr::memmem;
use ruff_python_ast::Stmt;

use super::flows;
use super::interpreter::Interpreter;
use super::interpreter::expressions::UNKNOWN_ARGUMENTS;
use super::interpreter::program::{Deploying, RecordedCall};
use super::value::{FlowObject, Keywords, Location, Made, Unknown, Value, keyword};
use arguments::{Arguments, Consumer};

/// Whether a source may have calls that deploy flows: one of the methods is called in it.
pub(crate) fn may_deploy(source: &[u8]) -> bool {
    [&b"deploy"[..], b"to_deployment", b"serve"].into_iter().any(|word| {
        memmem::find_iter(source, word).any(|at| {
            let after = source.get(at + word.len()..).unwrap_or_default();
            after.trim_ascii_start().first() == Some(&b'(')
        })
    })
}

/// Why a call is not what it seems, and where.
pub(super) struct Obstacle {
    why: String,
    at: Option<Location>,
}

impl Obstacle {
    fn new(why: impl Into<String>) -> Self {
        Self { why: why.into(), at: None }
    }

    fn of(what: &str, unknown: &Unknown) -> Self {
        Self { why: format!("{what} is not known: {}", unknown.why), at: Some(unknown.at) }
    }
}

/// The calls of a script that was run as a program, in the order of the source.
pub(crate) fn collect<'a>(
    interpreter: &Interpreter<'a>,
    path: &str,
    body: &'a [Stmt],
) -> Vec<DeployCall> {
    let Some(program) = &interpreter.program else { return Vec::new() };
    let calls = program.calls.borrow();
    let reader = Reader { interpreter, path, calls: &calls };
    let mut found: Vec<DeployCall> = Vec::new();
    for (number, call) in calls.iter().enumerate() {
        for read in reader.read(number, call) {
            // A loop may deploy the same thing twice, and that is one deployment.
            if !found.contains(&read) {
                found.push(read);
            }
        }
    }
    let recorded: HashSet<_> =
        calls.iter().filter(|call| call.at.module == 0).map(|call| call.at.at).collect();
    found.extend(unfollowed::calls(interpreter, path, body, &recorded));
    found.sort_by_key(|call| (call.line, call.column));
    found
}

/// Turns recorded calls into plain data.
struct Reader<'r, 'a> {
    interpreter: &'r Interpreter<'a>,
    path: &'r str,
    calls: &'r [RecordedCall<'a>],
}

impl<'a> Reader<'_, 'a> {
    /// What a call deploys: nothing if it only passes on deployments, several things if what it makes
    /// is deployed several times.
    fn read(&self, number: usize, call: &RecordedCall<'a>) -> Vec<DeployCall> {
        let method = match call.what {
            Deploying::Deploy => DeployMethod::Deploy,
            Deploying::Serve => DeployMethod::Serve,
            Deploying::ToDeployment => DeployMethod::ToDeployment,
            Deploying::DeployAll | Deploying::ServeAll | Deploying::Apply => return Vec::new(),
        };
        if method != DeployMethod::ToDeployment {
            return self.one(method, call, None).into_iter().collect();
        }
        let consumers: Vec<&RecordedCall<'a>> =
            self.calls.iter().filter(|consumer| takes(consumer, number)).collect();
        if consumers.is_empty() {
            return self.one(method, call, self.vague_consumer()).into_iter().collect();
        }
        let read = |consumer| self.one(method, call, Some(Consumer::of(consumer)));
        consumers.into_iter().filter_map(read).collect()
    }

    /// A call that deploys deployments of which it is not known which they are.
    fn vague_consumer(&self) -> Option<Consumer<'_, 'a>> {
        let is_vague = |call: &&RecordedCall<'a>| {
            matches!(call.what, Deploying::DeployAll | Deploying::ServeAll)
                && !call.arguments.iter().all(|argument| deployment(argument).is_some())
        };
        self.calls.iter().find(is_vague).map(Consumer::vague)
    }

    fn one(
        &self,
        method: DeployMethod,
        call: &RecordedCall<'a>,
        consumer: Option<Consumer<'_, 'a>>,
    ) -> Option<DeployCall> {
        let at = Self::place(call, consumer.as_ref())?;
        let (_, line, column) = self.interpreter.line_and_column(at)?;
        let receiver = call.receiver.as_ref()?;
        let (flow, code, code_obstacle) = self.code(receiver);
        let arguments = Arguments { method, call, consumer };
        let deployment = arguments.name().ok().flatten().or_else(|| {
            (method == DeployMethod::Serve && arguments.has_no_name()).then(|| flow.clone())?
        });
        let declared = match (self.doubt(call, &arguments), code_obstacle) {
            // What nothing deploys is not declared, whatever it says.
            _ if arguments.is_only_made() => CallArguments::OnlyMade,
            (Some(obstacle), _) | (None, Some(obstacle)) => self.unreadable(obstacle, line),
            (None, None) => match arguments.declared() {
                Ok(declared) => CallArguments::Known(declared),
                Err(obstacle) => self.unreadable(obstacle, line),
            },
        };
        let path = self.path.to_owned();
        Some(DeployCall { path, line, column, method, flow, code, deployment, declared })
    }

    /// Why it is not certain that a call runs, if so.
    fn doubt(&self, call: &RecordedCall<'a>, arguments: &Arguments<'_, 'a>) -> Option<Obstacle> {
        let of_consumer = || arguments.consumer.as_ref()?.call.doubt.as_ref();
        if let Some(doubt) = call.doubt.as_ref().or_else(of_consumer) {
            return Some(Obstacle { why: doubt.why.clone(), at: Some(doubt.at) });
        }
        // A list that grows is a change of what is in it, and there is more to say of that.
        if call.is_changed() && !arguments.is_vague() {
            return Some(Obstacle::new("the deployment may be changed after it is made"));
        }
        let unknown = self.interpreter.why_inexact()?;
        Some(Obstacle::of("what the script does", &unknown))
    }

    /// Where a call stands in the script, or what in the script leads to it; `None` for one that runs
    /// while a module is imported, and belongs to that module.
    fn place(call: &RecordedCall<'a>, consumer: Option<&Consumer<'_, 'a>>) -> Option<Location> {
        let of = |call: &RecordedCall<'a>| {
            let mut places = std::iter::once(call.at).chain(call.sites.iter().rev().copied());
            places.find(|place| place.module == 0)
        };
        of(call).or_else(|| of(consumer?.call))
    }

    fn unreadable(&self, obstacle: Obstacle, line: u32) -> CallArguments {
        let place = obstacle.at.and_then(|at| self.interpreter.line_and_column(at));
        let place = place.filter(|(path, at, _)| **path != *self.path || *at != line);
        let place = place.map(|(path, line, _)| format!("{path}:{line}"));
        CallArguments::Unreadable(CallObstacle { reason: obstacle.why, place })
    }

    /// The name of the flow that is deployed, where it is, and why it can't be told.
    fn code(&self, receiver: &Value<'a>) -> (Option<String>, DeployedCode, Option<Obstacle>) {
        match receiver {
            Value::Flow(flow) => {
                let function = flows::function(flow);
                let name = flows::flow_name(flow, function.as_deref())
                    .ok()
                    .and_then(Result::ok)
                    .filter(|_| flows::why_lost(flow, function.as_deref()).is_none());
                if let Some(entrypoint) = self.entrypoint(flow) {
                    return (name, DeployedCode::Here(entrypoint), None);
                }
                let why = "the flow has no name in a module by which a run could load it";
                (name, DeployedCode::Unknown, Some(Obstacle::new(why)))
            }
            Value::Made(made) => match &**made {
                Made::Call(source) => match code::of_source(self.interpreter, source) {
                    Ok(code) => (None, code, None),
                    Err(obstacle) => (None, DeployedCode::Unknown, Some(obstacle)),
                },
                _ => (None, DeployedCode::Unknown, Some(Obstacle::new("it is no flow"))),
            },
            _ => (None, DeployedCode::Unknown, Some(Obstacle::new("it is no flow"))),
        }
    }

    /// The entrypoint of a flow: in the script itself, or in a module that it imports.
    fn entrypoint(&self, flow: &Rc<FlowObject<'a>>) -> Option<Entrypoint> {
        let script = self.interpreter.script()?;
        // A flow that is imported is registered by the file that defines it.
        if flow.at.module != 0
            && let Some(entrypoint) = flows::origin(self.interpreter, flow)
        {
            return Some(entrypoint);
        }
        let (found, _) = flows::names(&script.scope);
        let found = found.into_iter().find(|found| Rc::ptr_eq(&found.flow, flow))?;
        Some(Entrypoint::new(self.path, found.path))
    }
}

/// The number of the call that made a deployment.
fn deployment(value: &Value<'_>) -> Option<usize> {
    let Value::Made(made) = value else { return None };
    match &**made {
        Made::Deployment(number) => Some(*number),
        _ => None,
    }
}

/// Whether a call deploys what the call of this number made.
fn takes(consumer: &RecordedCall<'_>, number: usize) -> bool {
    match consumer.what {
        Deploying::DeployAll | Deploying::ServeAll => {
            consumer.arguments.iter().any(|argument| deployment(argument) == Some(number))
        }
        Deploying::Apply => consumer.receiver.as_ref().and_then(deployment) == Some(number),
        _ => false,
    }
}

/// What stands for arguments that are not known, if some are not.
fn open_arguments<'v, 'a>(keywords: &'v Keywords<'a>) -> Option<&'v Value<'a>> {
    keyword(keywords, "**").or_else(|| keyword(keywords, UNKNOWN_ARGUMENTS))
}

/// An argument; `None` if it is not given, or given as `None`.
fn given<'v, 'a>(keywords: &'v Keywords<'a>, name: &str) -> Option<&'v Value<'a>> {
    keyword(keywords, name).filter(|value| !matches!(value, Value::None))
}
