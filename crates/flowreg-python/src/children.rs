//! Which other flows the code of a file starts, where it says so in literals.
//!
//! `run_deployment("flow/deployment")` of Prefect 2 and 3, `create_flow_run(flow_name="…")` and
//! `StartFlowRun` of Prefect 1. Whether there are such flows is not known here.

use memchr::memmem;
use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Arguments, Expr, ExprCall};
use ruff_text_size::Ranged;

use super::{STACK, nesting, on_stack, source};

/// How deeply a file may nest that is read here.
const DEEPEST: usize = 1000;

/// The newest minor version of Python 3 whose syntax is known.
const NEWEST: u8 = 14;

/// A flow that the code starts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Child {
    /// `run_deployment`: flow and deployment.
    Deployment(String, String),
    /// `create_flow_run` or `StartFlowRun`: flow, and the project if one is named.
    Flow(String, Option<String>),
}

/// A call that starts another flow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCall {
    /// The line, 1-based.
    pub line: u32,
    /// The function that is called, as Prefect names it.
    pub function: &'static str,
    /// The flow that it starts.
    pub child: Child,
}

/// The calls in a file's content that start other flows, in the order of the source. A file that can't
/// be parsed has none.
pub fn children(content: &[u8]) -> Vec<ChildCall> {
    // Most files have none of the names, and three byte searches cost far less than parsing.
    if !FUNCTIONS.iter().any(|name| memmem::find(content, name.as_bytes()).is_some()) {
        return Vec::new();
    }
    on_stack(STACK, || read(content)).unwrap_or_default()
}

const RUN_DEPLOYMENT: &str = "run_deployment";
const CREATE_FLOW_RUN: &str = "create_flow_run";
const START_FLOW_RUN: &str = "StartFlowRun";
const FUNCTIONS: [&str; 3] = [RUN_DEPLOYMENT, CREATE_FLOW_RUN, START_FLOW_RUN];

fn read(content: &[u8]) -> Vec<ChildCall> {
    let Ok(text) = source::decode(content) else { return Vec::new() };
    if nesting::depth(&text) > DEEPEST {
        return Vec::new();
    }
    let Ok(parsed) = source::parse_module(&text, NEWEST) else { return Vec::new() };
    let mut calls = Calls { text: &text, found: Vec::new() };
    calls.visit_body(&parsed.syntax().body);
    calls.found
}

struct Calls<'t> {
    text: &'t str,
    found: Vec<ChildCall>,
}

impl<'a> Visitor<'a> for Calls<'_> {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && let Some((function, child)) = started(call)
        {
            let line = source::line(self.text, call.start());
            self.found.push(ChildCall { line, function, child });
        }
        walk_expr(self, expression);
    }
}

fn started(call: &ExprCall) -> Option<(&'static str, Child)> {
    let called = match &*call.func {
        Expr::Name(name) => name.id.as_str(),
        Expr::Attribute(attribute) => attribute.attr.as_str(),
        _ => return None,
    };
    let function = FUNCTIONS.into_iter().find(|function| *function == called)?;
    let arguments = &call.arguments;
    let child = match function {
        RUN_DEPLOYMENT => {
            let name = literal(arguments, "name", Some(0))?;
            // Prefect takes `flow/deployment` or the deployment's id; an id names no flow.
            let (flow, deployment) = name.split_once('/')?;
            Child::Deployment(flow.to_owned(), deployment.to_owned())
        }
        // `create_flow_run` is a task of Prefect 1: its first position is the flow's id, then name and
        // project. `StartFlowRun` is a class whose constructor starts with the name.
        CREATE_FLOW_RUN => Child::Flow(
            literal(arguments, "flow_name", Some(1))?,
            literal(arguments, "project_name", Some(2)),
        ),
        _ => Child::Flow(
            literal(arguments, "flow_name", Some(0))?,
            literal(arguments, "project_name", Some(1)),
        ),
    };
    Some((function, child))
}

/// An argument by name or position, if it is written as a text.
fn literal(arguments: &Arguments, name: &str, position: Option<usize>) -> Option<String> {
    let named = arguments.find_keyword(name).map(|keyword| &keyword.value);
    let value = named.or_else(|| arguments.args.get(position?))?;
    value.as_string_literal_expr().map(|text| text.value.to_str().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literal_names_are_found_wherever_the_call_stands() {
        let found = children(
            b"from prefect.deployments import run_deployment\n\
              async def parent(x):\n    await run_deployment('etl/nightly', timeout=0)\n    \
              deployments.run_deployment(name='a' '/b')\n    run_deployment(x)\n    \
              run_deployment('0b3d-id')\n",
        );
        let deployment = |line, flow: &str, name: &str| ChildCall {
            line,
            function: RUN_DEPLOYMENT,
            child: Child::Deployment(flow.to_owned(), name.to_owned()),
        };
        assert_eq!(found, [deployment(3, "etl", "nightly"), deployment(4, "a", "b")]);
        let found = children(
            b"with Flow('p') as flow:\n    create_flow_run(flow_name='etl', project_name='data')\n    \
              create_flow_run(flow_id=x)\n    StartFlowRun('b')()\n",
        );
        let children: Vec<(u32, Child)> =
            found.into_iter().map(|call| (call.line, call.child)).collect();
        assert_eq!(
            children,
            [
                (2, Child::Flow("etl".to_owned(), Some("data".to_owned()))),
                (4, Child::Flow("b".to_owned(), None)),
            ]
        );
    }

    #[test]
    fn what_is_no_python_has_none() {
        assert_eq!(children(b"run_deployment('a/b'"), []);
        assert_eq!(children(b"\xff run_deployment('a/b')"), []);
    }
}
