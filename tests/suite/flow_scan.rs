//! Flows of a tree: which files are read, and that only the commit counts.

use flowreg::flow::{Scan, Selection, scan};
use flowreg::model::ProblemCode;

use crate::support::TestRepository;

fn flow(name: &str) -> String {
    format!("from prefect import flow\n\n\n@flow(name=\"{name}\")\ndef run():\n    pass\n")
}

fn scanned(repository: &TestRepository, include: &[&str], exclude: &[&str]) -> Scan {
    let owned = |globs: &[&str]| globs.iter().map(|glob| (*glob).to_owned()).collect::<Vec<_>>();
    let selection = Selection::new(&owned(include), &owned(exclude)).unwrap();
    let tree = repository.open().tree(&repository.commit_id("HEAD")).unwrap();
    scan(&tree, &selection).unwrap()
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
