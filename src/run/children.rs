//! Warns of flows that start another flow or deployment by a name that does not exist: such a run
//! fails only when it gets there, mostly at night.

use std::collections::BTreeSet;

use super::{Referenced, RunError};
use crate::registration::{Action, Plan};
use flowreg_model::{FlowName, TargetKind, nearest};
use flowreg_python::{Child, ChildCall, children};
use flowreg_servers::{ReadScope, Target};

/// A notice for each call that starts a flow or deployment which the target does not have and this
/// run does not register.
pub(super) fn missing(
    referenced: &Referenced<'_>,
    plan: &Plan,
    target: &dyn Target,
) -> Result<Vec<String>, RunError> {
    let kind = target.describe().kind;
    let calls = calls(referenced, plan, kind)?;
    if calls.is_empty() {
        return Ok(Vec::new());
    }
    // What this run registers exists afterwards, and so does what a guard refuses and the target has.
    let mut known: BTreeSet<(String, String)> = plan
        .items
        .iter()
        .filter(|item| !matches!(item.action, Action::Refuse(_)) || item.held.is_some())
        .map(|item| (item.registration.flow.to_string(), item.registration.deployment.to_string()))
        .collect();
    let unknown: BTreeSet<&str> = calls
        .iter()
        .filter(|(_, call)| !is_known(&call.child, &known))
        .map(|(_, call)| flow_of(&call.child))
        .collect();
    // No target can hold a flow whose name is not valid: it is missing for sure.
    let names: Vec<FlowName> =
        unknown.iter().filter_map(|name| FlowName::of_prefect1(name).ok()).collect();
    if !names.is_empty() {
        let held = target.read(ReadScope::Flows(&names))?;
        known.extend(held.into_iter().map(|held| (held.flow, held.deployment)));
    }
    let missing = calls.iter().filter(|(_, call)| !is_known(&call.child, &known));
    Ok(missing.map(|(path, call)| notice(path, call, &known)).collect())
}

/// The calls in the files of the registrations, of the kind that the target knows.
fn calls(
    referenced: &Referenced<'_>,
    plan: &Plan,
    kind: TargetKind,
) -> Result<Vec<(String, ChildCall)>, RunError> {
    let paths: BTreeSet<&str> =
        plan.items.iter().map(|item| item.registration.entrypoint.path()).collect();
    let tree = referenced.tree()?;
    let mut calls = Vec::new();
    for path in paths {
        let Some(content) = tree.read_path(path)? else { continue };
        // `create_flow_run` of Prefect 1 and `run_deployment` may both stand in a file that is being
        // moved from one to the other; only one of them is about this target.
        let is_meant = |call: &ChildCall| {
            matches!(call.child, Child::Flow(..)) == (kind == TargetKind::Prefect1)
        };
        let found = children(&content).into_iter().filter(is_meant);
        calls.extend(found.map(|call| (path.to_owned(), call)));
    }
    Ok(calls)
}

fn flow_of(child: &Child) -> &str {
    match child {
        Child::Deployment(flow, _) | Child::Flow(flow, _) => flow,
    }
}

fn is_known(child: &Child, known: &BTreeSet<(String, String)>) -> bool {
    match child {
        Child::Deployment(flow, deployment) => known.contains(&(flow.clone(), deployment.clone())),
        Child::Flow(flow, Some(project)) => known.contains(&(flow.clone(), project.clone())),
        Child::Flow(flow, None) => known.iter().any(|(known, _)| known == flow),
    }
}

fn notice(path: &str, call: &ChildCall, known: &BTreeSet<(String, String)>) -> String {
    let (what, name) = match &call.child {
        Child::Deployment(flow, deployment) => ("deployment", format!("{flow}/{deployment}")),
        Child::Flow(flow, Some(project)) => ("flow", format!("{flow}/{project}")),
        Child::Flow(flow, None) => ("flow", flow.clone()),
    };
    let names: Vec<String> =
        known.iter().map(|(flow, deployment)| format!("{flow}/{deployment}")).collect();
    let near = nearest(&name, &names.iter().map(String::as_str).collect::<Vec<_>>());
    let hint = near.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
    format!(
        "{path}:{}: {} starts the {what} `{name}`, which the target does not have and this run does \
         not register{hint}",
        call.line, call.function
    )
}
