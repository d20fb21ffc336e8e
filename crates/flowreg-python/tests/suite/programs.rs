//! Small programs that share, change and compute in one way each, with what the real Prefect 3.8.8
//! registers for them (`fixtures/programs`). A program of several modules is a directory of its own, which
//! is the repository, and `job.py` in it is the script.

use std::path::{Path, PathBuf};

use flowreg_model::{Flow, ProblemCode, json_equal};
use flowreg_python::{FileAnalysis, Layout, analyse_in};
use serde_json::{Map, Value};

use crate::open_schemas::contradictions;

/// So many of the programs that Prefect loads are exact at least.
const EXACT_FLOOR: usize = 678;

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

/// What is said of a program: of one file, or of the directory that it is in.
fn analysed(file: &str) -> FileAnalysis {
    let (root, script) = match file.split_once('/') {
        Some((directory, script)) => (corpus().join("flows").join(directory), script.to_owned()),
        None => (corpus(), format!("flows/{file}")),
    };
    let mut paths = vec![script.clone()];
    if file.contains('/') {
        python_files(&root, "", &mut paths);
    }
    let layout = Layout::new(paths.iter().map(String::as_str));
    let read = |path: &str| Ok(std::fs::read(root.join(path)).unwrap());
    let source = std::fs::read(root.join(&script)).unwrap();
    analyse_in(&layout, &read, &script, &source).unwrap()
}

fn python_files(root: &Path, directory: &str, paths: &mut Vec<String>) {
    for entry in std::fs::read_dir(root.join(directory)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let path = if directory.is_empty() { name } else { format!("{directory}/{name}") };
        if entry.file_type().unwrap().is_dir() {
            python_files(root, &path, paths);
        } else {
            paths.push(path);
        }
    }
}

#[test]
fn small_programs_are_exact_or_declined_and_never_wrong() {
    let truth = std::fs::read_to_string(corpus().join("truth.json")).unwrap();
    let truth = truth.replace("Infinity", "null");
    let truth: Map<String, Value> = serde_json::from_str(&truth).unwrap();
    let (mut exact, mut declined, mut wrong) = (0, 0, Vec::new());
    for (file, truth) in &truth {
        let analysis = analysed(file);
        let find = |codes: &[ProblemCode]| {
            analysis.problems.iter().find(|problem| codes.contains(&problem.code))
        };
        for flow in &analysis.flows {
            if let Some(truth) = truth["flows"].get(flow.entrypoint.object()) {
                wrong.extend(contradictions(flow, &truth["schema"]));
            }
        }
        let problem = find(&[ProblemCode::LoadError, ProblemCode::Syntax]);
        // What is not known is told as such, and refuses nothing.
        let unknown = find(&[ProblemCode::UnknownName]);
        let inexact = analysis.flows.iter().flat_map(|flow| &flow.inexact).map(|why| &why.reason);
        let inexact = inexact.chain(unknown.map(|problem| &problem.message)).next();
        match (truth["flows"].as_object(), problem, inexact) {
            (None, Some(_), _) => exact += 1,
            (None, None, None) => wrong.push(format!("{file}: Prefect can't load it")),
            (Some(_), Some(problem), _) => wrong.push(format!("{file}: {}", problem.message)),
            (_, None, Some(inexact)) => {
                println!("declined {file}: {inexact}");
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
