//! Flows of a tree: which files are read, and that only the commit counts.

use flowreg::scan::{ANALYSER, Scan, Selection, scan};
use flowreg::store::AnalysisCache;
use flowreg_model::{Flow, ProblemCode, json_equal};

use serde_json::json;

use crate::support::TestRepository;

fn flow(name: &str) -> String {
    format!("from prefect import flow\n\n\n@flow(name=\"{name}\")\ndef run():\n    pass\n")
}

fn scanned(repository: &TestRepository, include: &[&str], exclude: &[&str]) -> Scan {
    let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
    let selection = Selection::new(&owned(include), &owned(exclude)).unwrap();
    let tree = repository.open().tree(&repository.commit_id("HEAD")).unwrap();
    let cache = || AnalysisCache::open(&repository.root().join(".git"), ANALYSER, "");
    let fresh = scan(&tree, &selection, None, &cache()).unwrap();
    // What is known from the run before gives the same answers.
    assert!(!cache().content().is_empty() || fresh == Scan::default());
    assert_eq!(scan(&tree, &selection, None, &cache()).unwrap(), fresh);
    fresh
}

fn entrypoints(scan: &Scan) -> Vec<String> {
    scan.flows.iter().map(|flow| flow.entrypoint.to_string()).collect()
}

#[test]
fn the_commit_is_read_and_not_the_working_tree() {
    let repository = TestRepository::empty();
    repository.write("flows/a.py", flow("a"));
    repository.commit("a");
    repository.write("flows/a.py", "broken(:\n");
    repository.write("flows/b.py", flow("b"));
    let scan = scanned(&repository, &[], &[]);
    assert_eq!(entrypoints(&scan), ["flows/a.py:run"]);
    assert!(scan.problems.is_empty());
}

#[test]
fn include_and_exclude_choose_among_python_files() {
    let repository = TestRepository::empty();
    for path in ["flows/a.py", "flows/deep/b.py", "flows/old/c.py", "other/d.py", "flows/e.txt"] {
        repository.write(path, flow(path.trim_end_matches(".py").rsplit('/').next().unwrap()));
    }
    repository.commit("all");
    let scan = scanned(&repository, &["flows/**/*.py"], &["**/old/**"]);
    assert_eq!(entrypoints(&scan), ["flows/a.py:run", "flows/deep/b.py:run"]);
}

#[test]
fn flows_of_one_name_are_a_problem_that_names_both() {
    let repository = TestRepository::empty();
    repository.write("a.py", flow("same"));
    repository.write("b.py", flow("same"));
    repository.write("c.py", flow("other"));
    repository.commit("all");
    let scan = scanned(&repository, &[], &[]);
    let [problem] = &scan.problems[..] else { panic!("{:?}", scan.problems) };
    assert_eq!(problem.code, ProblemCode::Duplicate);
    assert_eq!((problem.path.as_str(), problem.line), ("b.py", 4));
    assert!(problem.message.contains("`a.py:run`") && problem.message.contains("`b.py:run`"));
}

#[test]
fn many_files_are_found_in_the_order_of_their_paths() {
    let repository = TestRepository::empty();
    for number in 0..300 {
        repository.write(&format!("flows/f{number:03}.py"), flow(&format!("flow {number}")));
    }
    repository.write("flows/broken.py", "from prefect import flow\n@flow\ndef broken(:\n");
    repository.commit("all");
    let scan = scanned(&repository, &[], &[]);
    assert_eq!(scan.flows.len(), 300);
    assert!(scan.flows.is_sorted_by_key(|flow| flow.entrypoint.path().to_owned()));
    assert_eq!(scan.problems.len(), 1);
}

fn names(scan: &Scan) -> Vec<&str> {
    scan.flows.iter().map(|flow| flow.name.as_str()).collect()
}

#[test]
fn a_change_of_an_imported_module_changes_the_flow() {
    let repository = TestRepository::empty();
    let importing =
        "from prefect import flow\nfrom lib.names import NAME\n@flow(name=NAME)\ndef a(): ...";
    repository.write("flows/a.py", importing);
    repository.write("lib/names.py", "NAME = 'one'\n");
    repository.commit("one");
    let scan = scanned(&repository, &["flows/**"], &[]);
    assert_eq!(names(&scan), ["one"]);
    assert_eq!(scan.imports.imports_of("flows/a.py"), ["lib/names.py"].into());
    assert_eq!(scan.imports.importers_of("lib/names.py"), ["flows/a.py"].into());
    repository.write("lib/names.py", "NAME = 'two'\n");
    repository.commit("two");
    assert_eq!(names(&scanned(&repository, &[], &[])), ["two"]);
}

#[test]
fn a_module_that_comes_to_stand_in_front_of_another_changes_the_flow() {
    let repository = TestRepository::empty();
    let importing =
        "from prefect import flow\nfrom names import NAME\n@flow(name=NAME)\ndef a(): ...";
    repository.write("flows/a.py", importing);
    repository.write("names.py", "NAME = 'root'\n");
    repository.commit("one");
    assert_eq!(names(&scanned(&repository, &[], &[])), ["root"]);
    repository.write("flows/names.py", "NAME = 'beside'\n");
    repository.commit("two");
    assert_eq!(names(&scanned(&repository, &[], &[])), ["beside"]);
    repository.git(&["rm", "-q", "names.py", "flows/names.py"]);
    repository.commit("three");
    let scan = scanned(&repository, &[], &[]);
    assert!(scan.flows.is_empty());
    assert_eq!(scan.problems.first().unwrap().code, ProblemCode::UnknownName);
}

#[test]
fn a_flow_that_other_files_import_is_one_flow() {
    let repository = TestRepository::empty();
    repository.write("flows/a.py", flow("a"));
    repository.write("flows/all.py", "# flows\nfrom flows.a import run\nagain = run\n");
    repository.commit("a");
    let scan = scanned(&repository, &[], &[]);
    assert_eq!(entrypoints(&scan), ["flows/a.py:run"]);
    assert!(scan.problems.is_empty(), "{:?}", scan.problems);
    let again = scan.imported.first().unwrap();
    assert_eq!(again.entrypoint.to_string(), "flows/all.py:run");
    assert_eq!(again.imported_from.as_ref().unwrap().to_string(), "flows/a.py:run");
    let scan = scanned(&repository, &["flows/all.py"], &[]);
    assert_eq!(entrypoints(&scan), ["flows/all.py:run"]);
}

#[test]
fn a_cache_that_is_damaged_is_made_anew() {
    let repository = TestRepository::empty();
    repository.write("flows/a.py", flow("a"));
    repository.commit("a");
    scanned(&repository, &[], &[]);
    let path = repository.root().join(".git/flowreg/analyses");
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0xff;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(entrypoints(&scanned(&repository, &[], &[])), ["flows/a.py:run"]);
    assert_ne!(std::fs::read(&path).unwrap(), bytes);
}

#[test]
fn the_python_of_the_project_decides_what_it_can_load() {
    let repository = TestRepository::empty();
    let source = "from typing import TypedDict\nfrom prefect import flow\n\
                  class Row(TypedDict):\n    n: int\n@flow\ndef a(row: Row): ...\n";
    repository.write("flows/a.py", source);
    repository.commit("no word about Python");
    let reason = |scan: &Scan| scan.flows.first().unwrap().inexact.first().unwrap().reason.clone();
    let undecided = reason(&scanned(&repository, &[], &[]));
    assert!(undecided.contains("refused before Python 3.12"), "{undecided}");
    repository.write("pyproject.toml", "[project]\nrequires-python = \">=3.10\"\n");
    repository.commit("any Python since 3.10");
    let undecided = reason(&scanned(&repository, &[], &[]));
    assert!(undecided.contains("refused before Python 3.12"), "{undecided}");
    repository.write(".python-version", "3.11\n");
    repository.commit("Python 3.11");
    assert_eq!(
        scanned(&repository, &[], &[]).problems.first().unwrap().code,
        ProblemCode::LoadError
    );
    repository.write(".python-version", "3.12\n");
    repository.commit("Python 3.12");
    assert!(scanned(&repository, &[], &[]).flows.first().unwrap().is_exact());
}

#[test]
fn a_schema_that_another_prefect_makes_in_another_way_is_settled_by_its_version() {
    let repository = TestRepository::empty();
    let source = "from prefect import flow\nfrom pydantic import Field\n\
                  @flow\ndef a(*numbers: int, **rest): ...\n\
                  @flow\ndef b(x: int = Field(3)): ...\n@flow\ndef c(x: int): ...\n";
    repository.write("flows/a.py", source);
    repository.commit("a");
    let settled = |version: &str| {
        let mut flows = scanned(&repository, &[], &[]).flows;
        flows.iter_mut().for_each(|flow| flow.resolve_for(&version.parse().unwrap()));
        flows
    };
    let schemas = |version: &str| -> Vec<String> {
        let schema = |flow: &Flow| flow.parameter_openapi_schema.as_ref().map(ToString::to_string);
        settled(version).iter().map(|flow| schema(flow).unwrap_or_default()).collect()
    };
    assert!(settled("3.8.8").iter().all(Flow::is_exact));
    let [old, new] = [schemas("3.8.8"), schemas("3.9.1")];
    assert_eq!(old[1..], new[1..]);
    let expected = json!({"title": "Parameters", "type": "object", "properties": {
        "numbers": {"type": "array", "items": {"type": "integer"}, "default": [], "position": 0,
                    "title": "numbers"},
        "rest": {"type": "object", "additionalProperties": true, "default": {}, "position": 1,
                 "title": "rest"}}});
    assert!(json_equal(&serde_json::from_str(&new[0]).unwrap(), &expected), "{}", new[0]);
    let older = settled("3.4.25");
    assert!(older[0].is_exact() && !older[1].is_exact() && older[2].is_exact());
    assert!(older[1].inexact[0].reason.contains("`Field(...)` as a default"));
}

#[test]
fn a_flow_that_its_package_re_exports_is_one_flow() {
    for import in ["from .jobs import run", "from team.jobs import run"] {
        let repository = TestRepository::empty();
        repository.write("team/__init__.py", format!("# flows\n{import}\n"));
        repository.write("team/jobs.py", flow("a"));
        repository.write("all.py", "# flow\nfrom team import run\n");
        repository.commit("a");
        let scan = scanned(&repository, &[], &[]);
        assert_eq!(entrypoints(&scan), ["team/jobs.py:run"]);
        assert!(scan.problems.is_empty(), "{:?}", scan.problems);
        assert_eq!(scan.imported.len(), 2);
    }
}
