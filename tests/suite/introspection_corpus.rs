//! The conformance corpus once more, with Python: what static analysis declines, Prefect tells.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flowreg::introspection::{
    IntrospectedScan, IntrospectionContext, Limits, ask, merge_answers, questions,
};
use flowreg::scan::{ANALYSER, Selection, scan};
use flowreg::settings::Introspect;
use flowreg::store::AnalysisCache;
use flowreg_model::{Flow, FlowSource, json_equal};
use serde_json::Value;

use crate::introspection::{Nobody, python};
use crate::support::TestRepository;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/conformance")
}

fn json(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// A repository that holds the corpus, for all tests of this run.
fn repository() -> &'static TestRepository {
    static REPOSITORY: OnceLock<TestRepository> = OnceLock::new();
    REPOSITORY.get_or_init(|| {
        let repository = TestRepository::empty();
        copy(&corpus().join("flows"), &repository.root().join("flows"));
        // What the expectations were made with.
        repository.write(".python-version", "3.11\n");
        repository.commit("corpus");
        repository
    })
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let (path, name) = entry.map(|entry| (entry.path(), entry.file_name())).unwrap();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

fn introspected(mode: Introspect) -> IntrospectedScan {
    let repository = repository();
    let opened = repository.open();
    let commit = repository.commit_id("HEAD");
    let environment = repository.environment(&[]);
    let place = IntrospectionContext {
        repository: &opened,
        commit: &commit,
        root: "",
        python: Some(&python()),
        directory: repository.root(),
        environment: &environment,
        limits: Limits::default(),
    };
    let selection = Selection::new(&[], &[]).unwrap();
    let cache = AnalysisCache::open(opened.common_dir(), ANALYSER, "");
    let scan = scan(&opened.tree(&commit).unwrap(), &selection, None, &cache).unwrap();
    let questions = questions(&scan, mode, &|_| true);
    let answers = ask(&place, &questions, &Nobody).unwrap();
    merge_answers(scan, &questions, answers)
}

/// What differs between a flow and its expectation.
fn differences(flow: &Flow, expected: &Value, is_volatile: bool) -> Vec<String> {
    let mut differences = Vec::new();
    if !flow.is_exact() {
        differences.push(format!("not exact: {:?}", flow.inexact));
    }
    if !is_volatile && flow.name.as_str() != text(expected, "name") {
        differences.push(format!("name {} for {}", flow.name, text(expected, "name")));
    }
    let description = expected.get("description").and_then(Value::as_str);
    if flow.description.as_deref() != description {
        differences.push(format!("description {:?} for {description:?}", flow.description));
    }
    let schema = expected.get("parameter_openapi_schema").unwrap();
    let ours = flow.parameter_openapi_schema.clone().unwrap_or_default();
    if !json_equal(&ours, schema) {
        differences.push(format!("schema\n  {ours}\n  {schema}"));
    }
    differences
}

#[test]
fn with_python_tiers_2_and_3_are_right_and_failures_are_told() {
    let IntrospectedScan { scan, notices, .. } = introspected(Introspect::Auto);
    let manifest = json(&corpus().join("manifest.json"));
    let mut wrong = Vec::new();
    let mut told = 0;
    for entry in manifest.get("files").and_then(Value::as_array).unwrap() {
        let file = text(entry, "file");
        if entry.get("tier") == Some(&1.into()) {
            continue;
        }
        let name = file.strip_prefix("flows/").unwrap().replace('/', "__");
        let expected = json(&corpus().join("expected").join(format!("{name}.json")));
        if expected.get("load_error").is_some_and(|error| !error.is_null()) {
            let is_told = notices.iter().any(|notice| notice.contains(file))
                || scan.problems.iter().any(|problem| problem.path == file);
            let is_claimed = scan
                .flows
                .iter()
                .any(|flow| flow.entrypoint.path() == file && !flow.inexact.is_empty());
            if !is_told && !is_claimed {
                wrong.push(format!("{file}: Prefect can't load it"));
            }
            continue;
        }
        let flows = expected.get("flows").and_then(Value::as_array).unwrap();
        let is_volatile = entry.get("volatile").is_some();
        for wanted in flows {
            let path = text(wanted, "object_path");
            let find = |path: &str| {
                let mut flows = scan.flows.iter();
                flows
                    .find(|flow| flow.entrypoint.path() == file && flow.entrypoint.object() == path)
            };
            // Each flow once, and where it is made.
            let is_alias = flows.iter().any(|other| {
                ["qualname", "name", "line"].iter().all(|key| other.get(key) == wanted.get(key))
                    && find(text(other, "object_path")).is_some()
            });
            match find(path) {
                Some(flow) => {
                    told += usize::from(flow.source == FlowSource::Introspected);
                    let differences = differences(flow, wanted, is_volatile);
                    wrong.extend(differences.iter().map(|text| format!("{file}: {path}: {text}")));
                }
                None if is_alias || text(wanted, "origin") == "imported" => {}
                None => wrong.push(format!("{file}: {path} not found")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(told > 10, "{told} flows were asked about");
    let missing = "Python could not tell: there is no module `flowreg_missing_dep`";
    assert!(notices.iter().any(|notice| notice.contains(missing)), "{notices:#?}");
}

#[test]
fn python_says_of_every_exact_flow_what_static_analysis_says() {
    let IntrospectedScan { scan, notices, .. } = introspected(Introspect::Always);
    let disputed: Vec<_> =
        notices.iter().filter(|notice| notice.contains("otherwise than static analysis")).collect();
    assert!(disputed.is_empty(), "{disputed:#?}");
    let read = scan.flows.iter().filter(|flow| flow.source == FlowSource::Static);
    let read: Vec<_> = read.map(|flow| flow.entrypoint.to_string()).collect();
    let missing = ["flows/depot/jobs/absolute_missing_path.py", "flows/t3_missing_dependency_"];
    let is_missing = |flow: &String| missing.iter().any(|path| flow.starts_with(path));
    assert!(!read.is_empty() && read.iter().all(is_missing), "{read:#?}");
}
