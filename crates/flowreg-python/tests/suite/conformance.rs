//! The conformance corpus: what the real Prefect 3.8.8 registers (`fixtures/conformance`).
//!
//! A flow is exact if name, description and parameter schema are claimed and equal, declined if
//! something is not claimed, wrong otherwise. Nothing may be wrong.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flowreg_model::{Flow, ProblemCode, json_equal};
use flowreg_python::{FileAnalysis, Layout, analyse_in, is_candidate};
use serde_json::Value;

use crate::open_schemas::contradictions;

#[derive(Default)]
struct Score {
    exact: usize,
    declined: usize,
    wrong: Vec<String>,
}

/// The corpus of this repository, or another one of the same form (`FLOWREG_CORPUS`).
fn corpus() -> PathBuf {
    std::env::var_os("FLOWREG_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance"),
        PathBuf::from,
    )
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// What differs between a flow and its expectation, of what is claimed.
fn differences(flow: &Flow, expected: &Value, volatile: &[&str]) -> Vec<String> {
    let declined = |what: &str| flow.inexact.iter().any(|inexact| inexact.what == what);
    let mut differences = Vec::new();
    if !declined("name")
        && !volatile.contains(&"name")
        && flow.name.as_str() != text(expected, "name")
    {
        differences.push(format!("name {} for {}", flow.name, text(expected, "name")));
    }
    let description = expected.get("description").and_then(Value::as_str);
    if !declined("description") && flow.description.as_deref() != description {
        differences.push(format!("description {:?} for {description:?}", flow.description));
    }
    let schema = expected.get("parameter_openapi_schema").unwrap();
    if !declined("parameter_openapi_schema") {
        let ours = flow.parameter_openapi_schema.clone().unwrap_or_default();
        if !json_equal(&ours, schema) {
            differences.push(format!("schema\n  {ours}\n  {schema}"));
        }
    }
    differences.extend(contradictions(flow, schema));
    differences
}

#[expect(clippy::print_stdout, reason = "the score is for people")]
fn score_file(file: &str, entry: &Value, analysis: &FileAnalysis, score: &mut Score) {
    let name = file.strip_prefix("flows/").unwrap().replace('/', "__");
    let expected = json(&corpus().join("expected").join(format!("{name}.json")));
    let code = |code: ProblemCode| analysis.problems.iter().any(|problem| problem.code == code);
    let is_refused = code(ProblemCode::LoadError) || code(ProblemCode::Syntax);
    let is_declined =
        code(ProblemCode::UnknownName) || analysis.flows.iter().any(|flow| !flow.is_exact());
    if expected.get("load_error").is_some_and(|error| !error.is_null()) {
        match (
            is_refused,
            is_declined || analysis.flows.is_empty() && entry.get("tier") != Some(&1.into()),
        ) {
            (true, _) => score.exact += 1,
            (false, true) => score.declined += 1,
            _ => score.wrong.push(format!("{file}: Prefect can't load it")),
        }
        return;
    }
    if is_refused {
        score.wrong.push(format!("{file}: {}", analysis.problems.first().unwrap().message));
        return;
    }
    let volatile: Vec<&str> = entry
        .get("volatile")
        .and_then(Value::as_array)
        .map_or_else(Vec::new, |names| names.iter().filter_map(Value::as_str).collect());
    let mut seen = Vec::new();
    let flows = expected.get("flows").and_then(Value::as_array).unwrap();
    for wanted in flows {
        let path = text(wanted, "object_path");
        let Some(flow) = analysis.flows.iter().find(|flow| flow.entrypoint.object() == path) else {
            let same = |other: &Value| {
                ["qualname", "name", "line"].iter().all(|key| other.get(key) == wanted.get(key))
            };
            let is_found = |other: &Value| {
                let path = text(other, "object_path");
                analysis.flows.iter().any(|flow| flow.entrypoint.object() == path)
            };
            let is_alias = flows.iter().any(|other| same(other) && is_found(other));
            if is_alias {
                continue;
            }
            if is_declined {
                score.declined += 1;
                println!("declined {file}: {path}: {:?}", analysis.problems);
            } else {
                score.wrong.push(format!("{file}: {path} not found"));
            }
            continue;
        };
        seen.push(path);
        let differences = differences(flow, wanted, &volatile);
        if !differences.is_empty() {
            score.wrong.push(format!("{file}: {path}: {}", differences.join("; ")));
        } else if flow.is_exact() {
            if flow.imported_from.is_none()
                && wanted.get("line").and_then(Value::as_u64) != Some(u64::from(flow.line))
                && text(wanted, "qualname") == path
            {
                score.wrong.push(format!("{file}: {path}: line {}", flow.line));
            }
            score.exact += 1;
        } else {
            score.declined += 1;
            if entry.get("tier") != Some(&3.into()) {
                println!("declined {file}: {path}: {:?}", flow.inexact);
            }
        }
    }
    for flow in &analysis.flows {
        if flow.is_exact() && !seen.contains(&flow.entrypoint.object()) {
            score.wrong.push(format!("{file}: there is no {}", flow.entrypoint));
        }
    }
}

/// The Python files below a directory, from the root of the corpus.
fn python_files(directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            python_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            let path = path.strip_prefix(corpus()).unwrap();
            found.push(path.to_str().unwrap().to_owned());
        }
    }
}

fn scores() -> BTreeMap<(u64, String), Score> {
    let mut files = Vec::new();
    python_files(&corpus().join("flows"), &mut files);
    let layout = Layout::new(files.iter().map(String::as_str));
    let read = |path: &str| Ok(std::fs::read(corpus().join(path)).unwrap());
    let manifest = json(&corpus().join("manifest.json"));
    let mut scores: BTreeMap<(u64, String), Score> = BTreeMap::new();
    for entry in manifest.get("files").and_then(Value::as_array).unwrap() {
        let file = text(entry, "file");
        let source = std::fs::read(corpus().join(file)).unwrap();
        let analysis = analyse_in(&layout, &read, file, &source).unwrap();
        assert!(is_candidate(&source) || analysis.flows.is_empty());
        let tier = entry.get("tier").and_then(Value::as_u64).unwrap();
        let score = scores.entry((tier, text(entry, "category").to_owned())).or_default();
        score_file(file, entry, &analysis, score);
    }
    scores
}

#[test]
fn the_corpus_is_exact_in_tier_1_and_never_wrong() {
    let scores = scores();
    let mut failures = Vec::new();
    for ((tier, category), score) in &scores {
        println!(
            "tier {tier} {category:<20} exact {:>3}  declined {:>3}  wrong {:>3}",
            score.exact,
            score.declined,
            score.wrong.len()
        );
        failures.extend(score.wrong.iter().cloned());
        if *tier == 1 && score.declined > 0 {
            failures.push(format!("tier 1 {category}: {} declined", score.declined));
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
}
