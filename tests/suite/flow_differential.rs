//! Random flow files against the real Prefect 3.8.8: what is claimed as exact has to be what
//! Prefect registers, and a file that Prefect can't load has no exact flows.
//!
//! Needs the real Prefect (`scripts/test.sh`). `FLOWREG_DIFFERENTIAL_SEED` repeats a run,
//! `FLOWREG_DIFFERENTIAL_FLOWS` and `FLOWREG_DIFFERENTIAL_HAZARDS` make it longer,
//! `FLOWREG_DIFFERENTIAL_FILES` names a directory with more files to compare,
//! `FLOWREG_DIFFERENTIAL_KEEP` one that gets the files of a run.

#![expect(clippy::print_stdout, reason = "the figures are for people")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowreg_model::{Flow, ProblemCode, json_equal};
use flowreg_python::{FileAnalysis, Layout, analyse, analyse_in, is_candidate};
use serde_json::Value;

use crate::support::open_schemas::contradictions;
use crate::support::prefect::programs;
use crate::support::random_flows::{FlowFile, Random, hazardous, ordinary};

/// Flows of a run, if nobody wants another number.
const FLOWS: usize = 2200;
const FLOWS_PER_FILE: usize = 20;
/// Files of a run with something next to a flow that may be refused.
const HAZARDS: usize = 220;
/// Of a hundred flows that Prefect loads from ordinary files, so many may be declined; measured:
/// 4 to 12.
const DECLINED_CEILING: usize = 15;

/// What came out, over all files of one kind.
#[derive(Default)]
pub(crate) struct Score {
    pub exact: usize,
    pub declined: usize,
    /// Files that Prefect can't load and that are problems.
    refused: usize,
    /// Files that Prefect can't load and of which nothing is claimed.
    doubted: usize,
    /// Files where something of which nothing is claimed keeps other flows from being loaded: what
    /// can't be evaluated is taken to work.
    assumed: usize,
    pub wrong: Vec<String>,
}

impl std::fmt::Display for Score {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "exact {}, declined {}; not loadable: refused {}, doubted {}, assumed {}; wrong {}",
            self.exact,
            self.declined,
            self.refused,
            self.doubted,
            self.assumed,
            self.wrong.len()
        )
    }
}

pub(crate) fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// What the real Prefect says of each file in a directory.
fn registered(directory: &Path, seed: u64) -> BTreeMap<String, Value> {
    registered_with(directory, seed, &[])
}

/// The same for files that change nothing but what is their own.
pub(crate) fn registered_together(directory: &Path, seed: u64) -> BTreeMap<String, Value> {
    registered_with(directory, seed, &["--together"])
}

fn registered_with(directory: &Path, seed: u64, options: &[&str]) -> BTreeMap<String, Value> {
    let script =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/register_flows.py");
    let home = tempfile::tempdir().unwrap();
    let output = Command::new(programs().join("python"))
        .arg(script)
        .arg(directory)
        .args(options)
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("PREFECT_HOME", home.path())
        .env("PREFECT_LOGGING_LEVEL", "CRITICAL")
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("DO_NOT_TRACK", "1")
        .env("PYTHONHASHSEED", (seed % (1 << 32)).to_string())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    answers.map(|answer| (answer["file"].as_str().unwrap().to_owned(), answer)).collect()
}

/// Where two schemas differ, and what each has there.
fn differing_places(ours: &Value, theirs: &Value, place: &str, places: &mut Vec<String>) {
    match (ours, theirs) {
        (Value::Object(left), Value::Object(right)) => {
            let missing = right.keys().filter(|key| !left.contains_key(*key));
            for key in left.keys().chain(missing) {
                let side = |object: &serde_json::Map<String, Value>| object.get(key).cloned();
                match (side(left), side(right)) {
                    (Some(ours), Some(theirs)) => {
                        differing_places(&ours, &theirs, &format!("{place}/{key}"), places);
                    }
                    (ours, _) => {
                        let who = if ours.is_some() { "Prefect has" } else { "ours has" };
                        places.push(format!("{who} no {place}/{key}"));
                    }
                }
            }
        }
        _ if json_equal(ours, theirs) => {}
        _ => places.push(format!("{place}: {ours} for {theirs}")),
    }
}

/// What of a flow is claimed and differs.
fn differences(flow: &Flow, expected: &Value) -> Vec<String> {
    let declined = |what: &str| flow.inexact.iter().any(|inexact| inexact.what == what);
    let mut differences = Vec::new();
    if !declined("name") && Some(flow.name.as_str()) != expected["name"].as_str() {
        differences.push(format!("name: {:?} for {}", flow.name.as_str(), expected["name"]));
    }
    if !declined("description") && flow.description.as_deref() != expected["description"].as_str() {
        let ours = &flow.description;
        differences.push(format!("description: {ours:?} for {}", expected["description"]));
    }
    if !declined("parameter_openapi_schema") {
        let ours = flow.parameter_openapi_schema.clone().unwrap_or_default();
        match expected.get("schema") {
            Some(theirs) if json_equal(&ours, theirs) => {}
            Some(theirs) => {
                let mut places = Vec::new();
                differing_places(&ours, theirs, "", &mut places);
                let places = places.join("\n    ");
                differences.push(format!("schema: {places}\n  ours    {ours}\n  Prefect {theirs}"));
            }
            None => differences.push(format!("schema: {ours} for {}", expected["schema_error"])),
        }
    }
    if let Some(schema) = expected.get("schema") {
        differences.extend(contradictions(flow, schema));
    }
    differences
}

/// Files of which something wrong was claimed once, and those of `FLOWREG_DIFFERENTIAL_FILES`.
fn found_before() -> impl Iterator<Item = FlowFile> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/differential");
    let theirs = std::env::var_os("FLOWREG_DIFFERENTIAL_FILES").map(PathBuf::from);
    let files = std::iter::once(ours).chain(theirs).flat_map(|folder| {
        let mut paths: Vec<PathBuf> =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        paths.sort();
        paths
    });
    files.filter(|path| path.extension().is_some_and(|extension| extension == "py")).map(|path| {
        FlowFile {
            name: format!("found_{}", path.file_name().unwrap().to_str().unwrap()),
            header: std::fs::read_to_string(path).unwrap(),
            units: Vec::new(),
        }
    })
}

pub(crate) fn score_file(
    file: &FlowFile,
    real: &Value,
    analysis: &FileAnalysis,
    score: &mut Score,
) {
    let code = |code: ProblemCode| analysis.problems.iter().any(|problem| problem.code == code);
    let is_refused = code(ProblemCode::LoadError) || code(ProblemCode::Syntax);
    if let Some(error) = real["load_error"].as_str().or(real["broken"].as_str()) {
        let line = usize::try_from(real["line"].as_u64().unwrap_or_default()).unwrap();
        let part = file.part(line);
        let is_claimed = |flow: &&Flow| {
            let object = flow.entrypoint.object();
            flow.is_exact() && part.is_none_or(|part| part.object == object)
        };
        match analysis.flows.iter().find(is_claimed) {
            _ if is_refused => score.refused += 1,
            None if analysis.flows.iter().any(Flow::is_exact) => score.assumed += 1,
            None => score.doubted += 1,
            Some(flow) => score.wrong.push(format!(
                "{}: {} is claimed, but Prefect can't load the file, line {line}: {error}\n{}",
                file.name,
                flow.entrypoint,
                part.map_or(&file.header, |part| &part.source)
            )),
        }
        return;
    }
    if is_refused {
        let problem = analysis.problems.first().unwrap();
        score.wrong.push(format!(
            "{}: Prefect loads it, but line {}: {}\n{}",
            file.name,
            problem.line,
            problem.message,
            problem.excerpt.clone().unwrap_or_default()
        ));
        return;
    }
    let real = real["flows"].as_object().unwrap();
    for (path, expected) in real {
        let Some(flow) = analysis.flows.iter().find(|flow| flow.entrypoint.object() == path) else {
            if code(ProblemCode::UnknownName) {
                score.declined += 1;
            } else if expected.get("same_as").is_none() {
                score.wrong.push(format!("{}: {path} is missed\n{}", file.name, file.only(path)));
            }
            continue;
        };
        let differences = differences(flow, expected);
        if !differences.is_empty() {
            score.wrong.push(format!(
                "{}: {path} (line {}): {}\n{}",
                file.name,
                flow.line,
                differences.join("\n"),
                file.only(path)
            ));
        } else if flow.is_exact() {
            score.exact += 1;
        } else {
            score.declined += 1;
        }
    }
    for flow in analysis.flows.iter().filter(|flow| flow.is_exact()) {
        let path = flow.entrypoint.object();
        if !real.contains_key(path) {
            score.wrong.push(format!("{}: there is no {path}\n{}", file.name, file.only(path)));
        }
    }
}

/// The seed if nobody wants another one: a gate that is red by chance would stop everybody.
const SEED: u64 = 2026;

/// The seed of this run, printed so that it can be repeated.
pub(crate) fn seed() -> u64 {
    let seed = number("FLOWREG_DIFFERENTIAL_SEED").unwrap_or(SEED);
    println!("FLOWREG_DIFFERENTIAL_SEED={seed}");
    seed
}

fn count(name: &str, otherwise: usize) -> usize {
    number(name).map_or(otherwise, |count| usize::try_from(count).unwrap())
}

/// Asks both about all files, and prints what differs.
fn compare(kind: &str, files: &[FlowFile], seed: u64) -> Score {
    let directory = tempfile::tempdir().unwrap();
    let kept = std::env::var_os("FLOWREG_DIFFERENTIAL_KEEP").map(PathBuf::from);
    for folder in std::iter::once(directory.path()).chain(kept.as_deref()) {
        for file in files {
            std::fs::write(folder.join(&file.name), file.source()).unwrap();
        }
    }
    let started = Instant::now();
    let real = registered(directory.path(), seed);
    let prefect = started.elapsed();
    let started = Instant::now();
    let mut score = Score::default();
    for file in files {
        let analysis = analyse(&file.name, file.source().as_bytes());
        score_file(file, &real[&file.name], &analysis, &mut score);
    }
    report(kind, seed, &score, prefect, started.elapsed());
    score
}

fn report(kind: &str, seed: u64, score: &Score, prefect: Duration, ours: Duration) {
    println!(
        "{kind}: {score}; Prefect took {:.1} s, flowreg {:.1} s",
        prefect.as_secs_f64(),
        ours.as_secs_f64()
    );
    for wrong in &score.wrong {
        println!("--- FLOWREG_DIFFERENTIAL_SEED={seed} {wrong}");
    }
}

#[test]
fn random_flows_are_exact_or_declined_and_never_wrong() {
    let seed = seed();
    let flows = count("FLOWREG_DIFFERENTIAL_FLOWS", FLOWS);
    let mut random = Random::new(seed);
    let files: Vec<FlowFile> = (0..flows.div_ceil(FLOWS_PER_FILE))
        .map(|number| ordinary(&mut random, number, FLOWS_PER_FILE))
        .collect();
    let score = compare("ordinary", &files, seed);
    assert!(score.wrong.is_empty(), "{} wrong answers with seed {seed}", score.wrong.len());
    let answered = score.exact + score.declined;
    assert!(answered * 10 > flows * 9, "Prefect loads only {answered} of {flows} flows");
    assert!(
        score.declined * 100 <= answered * DECLINED_CEILING,
        "{} of {answered} flows are declined",
        score.declined
    );
}

#[test]
fn flows_next_to_hazards_are_not_claimed_if_prefect_cannot_load_them() {
    let seed = seed();
    let mut random = Random::new(seed);
    let files: Vec<FlowFile> = (0..count("FLOWREG_DIFFERENTIAL_HAZARDS", HAZARDS))
        .map(|number| hazardous(&mut random, number))
        .collect();
    let score = compare("hazardous", &files, seed);
    assert!(score.wrong.is_empty(), "{} wrong answers with seed {seed}", score.wrong.len());
}

#[test]
fn what_was_wrong_once_is_not_wrong_again() {
    let files: Vec<FlowFile> = found_before().collect();
    let score = compare("found", &files, 0);
    assert!(score.wrong.is_empty(), "{} wrong answers", score.wrong.len());
}

/// The Python files below a directory, from its root.
fn python_files(root: &Path, directory: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            python_files(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "py") {
            found.push(path.strip_prefix(root).unwrap().to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn modules_and_functions_of_a_repository_are_followed_as_python_follows_them() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/modules");
    let mut files = Vec::new();
    python_files(&root, &root, &mut files);
    let layout = Layout::new(files.iter().map(String::as_str));
    let read = |path: &str| Ok(std::fs::read(root.join(path)).unwrap());
    let real = registered(&root, 0);
    let mut score = Score::default();
    for name in files {
        let source = std::fs::read(root.join(&name)).unwrap();
        if is_candidate(&source) {
            let analysis = analyse_in(&layout, &read, &name, &source).unwrap();
            let header = String::from_utf8(source).unwrap();
            let file = FlowFile { name, header, units: Vec::new() };
            score_file(&file, &real[&file.name], &analysis, &mut score);
        }
    }
    report("modules", 0, &score, Duration::ZERO, Duration::ZERO);
    assert!(score.wrong.is_empty(), "{} wrong answers", score.wrong.len());
    assert!(score.exact >= 30, "only {} are exact", score.exact);
}
