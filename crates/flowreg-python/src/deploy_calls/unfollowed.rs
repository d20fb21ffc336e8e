//! Calls that deploy flows and that the run did not reach: in functions that nothing calls, or where
//! nothing is followed. They are found by how they are spelled, and only told.

use std::collections::HashSet;

use flowreg_model::{CallArguments, CallObstacle, DeployCall, DeployMethod, DeployedCode};
use ruff_python_ast::visitor::{Visitor, walk_expr, walk_stmt};
use ruff_python_ast::{Expr, ExprCall, Stmt};
use ruff_text_size::{Ranged, TextSize};

use crate::flows;
use crate::interpreter::Interpreter;
use crate::interpreter::program::{Deploying, is_from_source};
use crate::source::position;
use crate::value::{Unknown, Value};

/// Arguments that only Prefect's methods have together with the name of a deployment.
const TELLING: &[&str] = &["work_pool_name", "cron", "interval", "rrule", "schedules", "schedule"];

/// The calls of a script that are not among those at `recorded`.
pub(super) fn calls<'a>(
    interpreter: &Interpreter<'a>,
    path: &str,
    body: &'a [Stmt],
    recorded: &HashSet<TextSize>,
) -> Vec<DeployCall> {
    let Some(script) = interpreter.script() else { return Vec::new() };
    let text = script.module.text;
    let mut search = Search { interpreter, recorded, depth: 0, found: Vec::new() };
    search.visit_body(body);
    let calls = search.found.into_iter().map(|found| {
        let (line, column) = position(text, found.at.to_usize());
        let declared = match found.why {
            None => CallArguments::NotFollowed,
            Some(reason) => CallArguments::Unreadable(CallObstacle { reason, place: None }),
        };
        DeployCall {
            path: path.to_owned(),
            line,
            column,
            method: found.method,
            flow: found.flow,
            code: DeployedCode::Unknown,
            deployment: found.deployment,
            declared,
        }
    });
    calls.collect()
}

struct Spelled {
    at: TextSize,
    method: DeployMethod,
    flow: Option<String>,
    deployment: Option<String>,
    /// Why it is not read, for a call that is not in a function.
    why: Option<String>,
}

struct Search<'s, 'a> {
    interpreter: &'s Interpreter<'a>,
    recorded: &'s HashSet<TextSize>,
    /// How many functions are open.
    depth: u32,
    found: Vec<Spelled>,
}

impl<'a> Visitor<'a> for Search<'_, 'a> {
    fn visit_stmt(&mut self, statement: &'a Stmt) {
        let is_function = statement.is_function_def_stmt();
        self.depth += u32::from(is_function);
        walk_stmt(self, statement);
        self.depth -= u32::from(is_function);
    }

    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && !self.recorded.contains(&call.start())
        {
            self.look_at(call);
        }
        let is_function = expression.is_lambda_expr();
        self.depth += u32::from(is_function);
        walk_expr(self, expression);
        self.depth -= u32::from(is_function);
    }
}

impl<'a> Search<'_, 'a> {
    fn look_at(&mut self, call: &'a ExprCall) {
        let Expr::Attribute(called) = &*call.func else { return };
        let method = match Deploying::method(called.attr.as_str()) {
            Some(Deploying::Deploy) => DeployMethod::Deploy,
            Some(Deploying::Serve) => DeployMethod::Serve,
            Some(Deploying::ToDeployment) => DeployMethod::ToDeployment,
            _ => return,
        };
        let owner = self.owner(&called.value);
        let flow = match &owner {
            Some(Value::Flow(flow)) => {
                let function = flows::function(flow);
                flows::flow_name(flow, function.as_deref()).ok().and_then(Result::ok)
            }
            _ => None,
        };
        let is_telling = |name: &&str| call.arguments.find_keyword(name).is_some();
        let is_flow = owner.as_ref().is_some_and(Value::is_flow_like)
            || is_made_by_prefect(&called.value)
            || method == DeployMethod::ToDeployment
            || TELLING.iter().any(is_telling);
        if !is_flow {
            return;
        }
        let name = call.arguments.find_argument_value("name", 0);
        let name = name.and_then(Expr::as_string_literal_expr);
        let deployment = name.map(|name| name.value.to_str().to_owned());
        let why = (self.depth == 0).then(|| match owner.as_ref().and_then(unknown) {
            Some(why) => format!("the flow is not known: {why}"),
            None => "it stands where it is not followed whether it runs".to_owned(),
        });
        self.found.push(Spelled { at: call.start(), method, flow, deployment, why });
    }

    /// What the name stands for on which a method is called.
    fn owner(&self, expression: &Expr) -> Option<Value<'a>> {
        let scope = &self.interpreter.script()?.scope;
        match expression {
            Expr::Name(name) => scope.own(name.id.as_str()),
            // `flows.etl.deploy()`
            Expr::Attribute(attribute) => match self.owner(&attribute.value)? {
                Value::Module(imported) => imported.scope.own(attribute.attr.as_str()),
                Value::Class(class) => class.scope.own(attribute.attr.as_str()),
                other => unknown(&other).map(|_| other),
            },
            _ => None,
        }
    }
}

fn unknown(value: &Value<'_>) -> Option<String> {
    match value {
        Value::Unknown(unknown) => {
            let Unknown { why, .. } = &**unknown;
            Some(why.clone())
        }
        Value::External(path) => Some(crate::value::not_read(path)),
        _ => None,
    }
}

/// `….from_source(…)`, `….with_options(…)`
fn is_made_by_prefect(expression: &Expr) -> bool {
    let Expr::Call(call) = expression else { return false };
    let Expr::Attribute(called) = &*call.func else { return false };
    let name = called.attr.as_str();
    is_from_source(name) || name == "with_options"
}
