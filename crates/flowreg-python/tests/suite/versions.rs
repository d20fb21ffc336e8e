//! What a file says depends on the Python that the project runs on, as its files tell it.

use flowreg_model::{Flow, ProblemCode};
use flowreg_python::{FileAnalysis, Layout, Python, analyse_in};

fn on(python: Python, body: &str) -> FileAnalysis {
    let source = format!("from prefect import flow\n{body}\n@flow\ndef job(x: int = 1): ...\n");
    let layout = Layout::new(["job.py"]).for_python(python);
    let read = |_: &str| Ok(source.clone().into_bytes());
    analyse_in(&layout, &read, "job.py", source.as_bytes()).unwrap()
}

fn is_exact(analysis: &FileAnalysis) -> bool {
    analysis.problems.is_empty() && analysis.flows.iter().all(Flow::is_exact)
}

/// Not exact, and no problem.
fn is_declined(analysis: &FileAnalysis) -> bool {
    analysis.problems.is_empty() && !analysis.flows.iter().any(Flow::is_exact)
}

fn is_refused(analysis: &FileAnalysis, code: ProblemCode) -> bool {
    analysis.flows.is_empty() && analysis.problems.iter().any(|problem| problem.code == code)
}

/// What Python 3.12 reads and 3.11 does not.
const NEW_SYNTAX: &[&str] = &[
    "type Row = list[int]",
    "def first[T](items: list[T]) -> T: ...",
    "class Box[T]:\n    item: T",
    "x = f'{'a'}'",
    "x = f'{'a' + f'{1}'}'",
    "x = f'{\n1}'",
    "x = f\"{'\\n'}\"",
    "x = f'{1 # one\n}'",
];

#[test]
fn syntax_of_a_newer_python_is_refused_only_where_the_project_names_an_older_one() {
    for body in NEW_SYNTAX {
        let analysis = on(Python::Exactly(11), body);
        assert!(is_refused(&analysis, ProblemCode::Syntax), "{body}: {analysis:?}");
        for python in [Python::AtLeast(10), Python::Assumed] {
            let analysis = on(python, body);
            assert!(is_declined(&analysis), "{python:?} {body}: {analysis:?}");
        }
        for python in [Python::Exactly(12), Python::AtLeast(12), Python::Exactly(13)] {
            assert!(is_exact(&on(python, body)), "{python:?} {body}");
        }
    }
}

#[test]
fn types_in_newer_syntax_are_not_known_where_it_can_be_read() {
    for body in [
        "type Rows = list[int]\n@flow\ndef typed[T](x: T, y: Rows): ...",
        "from pydantic import BaseModel\nclass Page[T](BaseModel):\n    items: list[T]\n\
         @flow\ndef typed(page: Page): ...",
    ] {
        let analysis = on(Python::Exactly(12), body);
        assert!(analysis.problems.is_empty(), "{body}: {:?}", analysis.problems);
        let exact = analysis.flows.iter().filter(|flow| flow.is_exact());
        let exact: Vec<&str> = exact.map(|flow| flow.entrypoint.object()).collect();
        assert_eq!(exact, ["job"], "{body}");
    }
}

#[test]
fn syntax_that_every_python_reads_says_nothing_about_the_version() {
    for body in ["x = f'{\"a\"}'", "x = f'''{\n1}'''", "match 1:\n    case 1: pass"] {
        assert!(is_exact(&on(Python::Assumed, body)), "{body}");
        assert!(is_exact(&on(Python::Exactly(11), body)), "{body}");
    }
}

#[test]
fn a_name_that_came_later_is_refused_only_where_the_project_names_an_older_python() {
    for body in ["from typing import override", "from itertools import batched"] {
        assert!(is_refused(&on(Python::Exactly(11), body), ProblemCode::LoadError), "{body}");
        assert!(is_declined(&on(Python::Assumed, body)), "{body}");
        assert!(is_declined(&on(Python::AtLeast(11), body)), "{body}");
        assert!(is_exact(&on(Python::Exactly(12), body)), "{body}");
    }
    let body = "from typing import ReadOnly";
    assert!(is_refused(&on(Python::Exactly(12), body), ProblemCode::LoadError));
    assert!(is_exact(&on(Python::AtLeast(13), body)));
}

#[test]
fn a_module_that_newer_pythons_have_not_is_not_relied_on_there() {
    assert!(is_exact(&on(Python::Exactly(11), "import imp")));
    assert!(is_exact(&on(Python::Assumed, "import imp")));
    assert!(is_declined(&on(Python::Exactly(12), "import imp")));
    assert!(is_exact(&on(Python::Exactly(12), "import cgi")));
    assert!(is_declined(&on(Python::AtLeast(13), "import cgi")));
}

#[test]
fn a_typed_dict_of_typing_is_refused_only_where_the_project_names_an_older_python() {
    let body = "from typing import TypedDict\nclass Row(TypedDict):\n    a: int\n\
                @flow\ndef typed(row: Row): ...";
    assert!(is_refused(&on(Python::Exactly(11), body), ProblemCode::LoadError));
    let analysis = on(Python::Assumed, body);
    assert!(analysis.problems.is_empty(), "{:?}", analysis.problems);
    let exact: Vec<&str> = analysis
        .flows
        .iter()
        .filter(|flow| flow.is_exact())
        .map(|flow| flow.entrypoint.object())
        .collect();
    assert_eq!(exact, ["job"]);
    assert!(is_exact(&on(Python::Exactly(12), body)));
}

#[test]
fn an_imported_module_in_newer_syntax_keeps_the_script_from_being_exact() {
    let script = "from prefect import flow\nimport rows\n@flow\ndef job(x: int = 1): ...\n";
    for (python, is_exact_there) in [(Python::Assumed, false), (Python::Exactly(12), true)] {
        let layout = Layout::new(["job.py", "rows.py"]).for_python(python);
        let read = |path: &str| {
            let text = if path == "job.py" { script } else { "type Row = list[int]\n" };
            Ok(text.as_bytes().to_vec())
        };
        let analysis = analyse_in(&layout, &read, "job.py", script.as_bytes()).unwrap();
        assert!(analysis.problems.is_empty(), "{:?}", analysis.problems);
        assert_eq!(is_exact(&analysis), is_exact_there, "{python:?}");
    }
}
