//! Small programs that share, change and compute in one way each, with what the real Prefect 3.8.8
//! registers for them (`fixtures/programs`).

use std::path::{Path, PathBuf};

use flowreg_model::{Flow, ProblemCode, json_equal};
use flowreg_python::{Layout, analyse_in};
use serde_json::{Map, Value};

use crate::open_schemas::contradictions;

/// So many of the programs that Prefect loads are exact at least.
const EXACT_FLOOR: usize = 450;

fn corpus() -> PathBuf {
    std::env::var_os("FLOWREG_PROGRAMS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/programs"),
        PathBuf::from,
    )
}

/// Whether all that a flow is said to be is what Prefect registers. JSON has no infinities, and the truth
/// was written by Python, which has.
fn is_true(flow: &Flow, truth: &Value) -> bool {
    let schema = flow.parameter_openapi_schema.clone().unwrap_or_default();
    let mut expected = truth["schema"].clone();
    if expected.get("definitions").and_then(Value::as_object).is_some_and(Map::is_empty) {
        expected.as_object_mut().unwrap().remove("definitions");
    }
    truth["name"] == flow.name.as_str()
        && truth["description"].as_str() == flow.description.as_deref()
        && json_equal(&schema, &expected)
}

#[test]
fn small_programs_are_exact_or_declined_and_never_wrong() {
    let truth = std::fs::read_to_string(corpus().join("truth.json")).unwrap();
    let truth = truth.replace("Infinity", "null");
    let truth: Map<String, Value> = serde_json::from_str(&truth).unwrap();
    let paths: Vec<String> = truth.keys().map(|file| format!("flows/{file}")).collect();
    let layout = Layout::new(paths.iter().map(String::as_str));
    let read = |path: &str| Ok(std::fs::read(corpus().join(path)).unwrap());
    let (mut exact, mut declined, mut wrong) = (0, 0, Vec::new());
    for (file, truth) in &truth {
        let path = format!("flows/{file}");
        let source = std::fs::read(corpus().join(&path)).unwrap();
        let analysis = analyse_in(&layout, &read, &path, &source).unwrap();
        let is_error = |code| {
            matches!(code, ProblemCode::LoadError | ProblemCode::Syntax | ProblemCode::UnknownName)
        };
        let problem = analysis.problems.iter().find(|problem| is_error(problem.code));
        let inexact = analysis.flows.iter().flat_map(|flow| &flow.inexact).next();
        for flow in &analysis.flows {
            if let Some(truth) = truth["flows"].get(flow.entrypoint.object()) {
                wrong.extend(contradictions(flow, &truth["schema"]));
            }
        }
        match (truth["flows"].as_object(), problem, inexact) {
            (None, Some(_), _) => exact += 1,
            (None, None, None) => wrong.push(format!("{file}: Prefect can't load it")),
            (Some(_), Some(problem), _) => wrong.push(format!("{file}: {}", problem.message)),
            (_, None, Some(inexact)) => {
                println!("declined {file}: {}", inexact.reason);
                declined += 1;
            }
            (Some(flows), None, None) => {
                let of = |name: &str| {
                    analysis.flows.iter().find(|flow| flow.entrypoint.object() == name)
                };
                // A flow that has several names is registered once, by its own.
                let is_all = flows.iter().all(|(name, truth)| match of(name) {
                    Some(flow) => is_true(flow, truth),
                    None => flows.iter().any(|(other, same)| of(other).is_some() && same == truth),
                });
                let is_more =
                    analysis.flows.iter().any(|flow| !flows.contains_key(flow.entrypoint.object()));
                if is_all && !is_more {
                    exact += 1;
                } else {
                    wrong.push(format!("{file}: {:?}\n  {truth}", analysis.flows));
                }
            }
        }
    }
    println!("{exact} exact, {declined} declined, {} wrong", wrong.len());
    assert!(wrong.is_empty(), "{} wrong answers:\n{}", wrong.len(), wrong.join("\n"));
    assert!(exact >= EXACT_FLOOR, "only {exact} programs are exact");
}
