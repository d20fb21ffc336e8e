//! Names that most likely lead to flows, and of which it is not known what they are.

use std::rc::Rc;

use ruff_python_ast::Stmt;

use super::FileAnalysis;
use super::flows::{NamedFlow, ProbableFlow, binding, flow, problem};
use super::interpreter::Interpreter;
use super::problem::Problems;
use super::value::Value;
use flowreg_model::{Flow, Inexact, ProblemCode};

/// Adds them: as flows that are not exact where it is known which flow went in, else as problems.
/// `found` are the flows that the module has for certain.
pub(super) fn add<'a>(
    interpreter: &Interpreter<'a>,
    body: &'a [Stmt],
    probable: Vec<ProbableFlow>,
    found: &[NamedFlow<'a>],
    problems: &Problems<'_>,
    analysis: &mut FileAnalysis,
) {
    for one in probable {
        if let Some(flow) = likely_flow(interpreter, body, &one, found, problems) {
            analysis.flows.push(flow);
            continue;
        }
        let message = format!(
            "`{}` looks like a flow, but it is not known what it is: {}",
            one.path, one.unknown.why
        );
        let place = (one.unknown.at, binding(body, &one.path));
        analysis.problems.push(problem(
            interpreter,
            problems,
            ProblemCode::UnknownName,
            place,
            message,
        ));
    }
}

/// The flow that a name most likely has, with nothing of it certain. One that has a name of its own
/// besides is listed by that.
fn likely_flow<'a>(
    interpreter: &Interpreter<'a>,
    body: &'a [Stmt],
    probable: &ProbableFlow,
    found: &[NamedFlow<'a>],
    problems: &Problems<'_>,
) -> Option<Flow> {
    let Value::Flow(object) = interpreter.likely(&probable.unknown)? else { return None };
    if found.iter().any(|known| Rc::ptr_eq(&known.flow, &object)) {
        return None;
    }
    let named = NamedFlow { path: probable.path.clone(), flow: object };
    let mut flow = flow(interpreter, body, &named, problems).ok()?.ok()?;
    let place = interpreter.position(probable.unknown.at);
    let reason = format!("it is not known what it is: {} ({place})", probable.unknown.why);
    let parts = ["name", "description", "parameter_openapi_schema"];
    flow.inexact =
        parts.map(|what| Inexact { what: what.to_owned(), reason: reason.clone() }).into();
    Some(flow)
}
