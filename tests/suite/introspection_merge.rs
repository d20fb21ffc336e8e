//! How the answers of Python go over what static analysis found.

use flowreg::introspection::{
    Answers, Failure, IntrospectedFlow, IntrospectedScan, LoadedFile, Question, Unavailable,
    merge_answers, note_unanswered, questions,
};
use flowreg::scan::Scan;
use flowreg::settings::Introspect;
use flowreg_model::{Engine, Entrypoint, Flow, FlowProblem, FlowSource, Inexact, ProblemCode};
use serde_json::json;

fn flow(path: &str, name: &str, inexact: &[(&str, &str)]) -> Flow {
    let inexact = inexact
        .iter()
        .map(|(what, reason)| Inexact { what: (*what).into(), reason: (*reason).into() });
    Flow {
        name: name.parse().unwrap(),
        entrypoint: Entrypoint::new(path, name),
        imported_from: None,
        line: 3,
        description: None,
        engine: Engine::Prefect,
        parameter_openapi_schema: Some(json!({"properties": {}})),
        open_schema: None,
        inexact: inexact.collect(),
        limits: Vec::new(),
        source: FlowSource::Static,
    }
}

fn unknown(path: &str, message: &str) -> FlowProblem {
    FlowProblem {
        path: path.to_owned(),
        line: 7,
        column: 1,
        code: ProblemCode::UnknownName,
        message: message.to_owned(),
        excerpt: None,
    }
}

fn told(name: &str) -> IntrospectedFlow {
    let schema = json!({"properties": {}});
    IntrospectedFlow { name: name.to_owned(), description: None, schema, line: None }
}

fn loaded(flows: &[(&str, IntrospectedFlow)]) -> LoadedFile {
    let flows = flows.iter().map(|(object, told)| ((*object).to_owned(), Ok(told.clone())));
    LoadedFile { flows: flows.collect(), ..LoadedFile::default() }
}

/// Asks about everything that is not certain, and answers in the order of the paths.
fn merged(
    scan: Scan,
    mode: Introspect,
    prefect: &str,
    files: Vec<Result<LoadedFile, Failure>>,
) -> IntrospectedScan {
    let questions = questions(&scan, mode, &|_| true);
    assert_eq!(questions.len(), files.len());
    let (python, prefect) = ("python".to_owned(), prefect.to_owned());
    merge_answers(scan, &questions, Answers { python, prefect, files })
}

fn scan(flows: Vec<Flow>, problems: Vec<FlowProblem>) -> Scan {
    Scan { flows, problems, ..Scan::default() }
}

const SCHEMA: &str = "parameter_openapi_schema";

#[test]
fn only_what_is_wanted_and_not_exact_is_asked_and_no_name_stays_open() {
    let flows = vec![
        flow("a.py", "exact", &[]),
        flow("b.py", "vague", &[(SCHEMA, "x")]),
        flow("c.py", "unnamed", &[("name", "x")]),
        flow("d.py", "known", &[]),
    ];
    let scan = scan(flows, vec![unknown("d.py", "`x` looks like a flow")]);
    let ask = |mode, wanted: &dyn Fn(&Flow) -> bool| -> Vec<String> {
        let paths = questions(&scan, mode, wanted).into_iter();
        paths.map(|question| format!("{} {}", question.path, question.objects.join(" "))).collect()
    };
    assert_eq!(ask(Introspect::Auto, &|_| true), ["b.py vague", "c.py unnamed", "d.py known"]);
    // What another file's flow is called could be what is asked for.
    let only_exact = |flow: &Flow| flow.name.as_str() == "exact";
    assert_eq!(ask(Introspect::Auto, &only_exact), ["c.py unnamed", "d.py known"]);
    assert_eq!(ask(Introspect::Always, &|_| true).len(), 4);
    assert!(ask(Introspect::Never, &|_| true).is_empty());
}

#[test]
fn a_flow_of_which_prefect_says_otherwise_is_reported() {
    for (prefect, is_a_bug) in [("3.8.8", true), ("2.20.26", false)] {
        let scan = scan(vec![flow("a.py", "a", &[])], Vec::new());
        let answers = vec![Ok(loaded(&[("a", told("other"))]))];
        let result = merged(scan, Introspect::Always, prefect, answers);
        let [notice] = &result.notices[..] else { panic!("{:?}", result.notices) };
        assert!(notice.contains("and static analysis differ about the name"), "{notice}");
        assert_eq!(notice.contains("please report"), is_a_bug);
        assert_eq!(result.scan.flows[0].name.as_str(), "other");
        assert_eq!(result.scan.flows[0].source, FlowSource::Introspected);
    }
}

#[test]
fn flows_that_python_finds_are_added_and_may_share_a_name() {
    let scan = scan(vec![flow("a.py", "a", &[])], vec![unknown("b.py", "`b` looks like a flow")]);
    let answers = vec![Ok(loaded(&[("b", told("a")), ("c", told("no/name"))]))];
    let result = merged(scan, Introspect::Auto, "3.8.8", answers);
    let found: Vec<_> =
        result.scan.flows.iter().map(|flow| (flow.entrypoint.to_string(), flow.line)).collect();
    assert_eq!(found, [("a.py:a".to_owned(), 3), ("b.py:b".to_owned(), 7)]);
    let mut codes: Vec<_> = result.scan.problems.iter().map(|problem| problem.code).collect();
    codes.sort();
    assert_eq!(codes, [ProblemCode::Duplicate, ProblemCode::UnknownName]);
}

#[test]
fn what_was_most_likely_a_flow_is_none_if_python_says_so() {
    let flows = vec![flow("a.py", "a", &[("name", "x")]), flow("b.py", "b", &[(SCHEMA, "x")])];
    for failure in [Failure::NotAFlow, Failure::NotFound] {
        let answer = |name: &str| LoadedFile {
            flows: vec![(name.to_owned(), Err(failure.clone()))],
            ..LoadedFile::default()
        };
        let answers = vec![Ok(answer("a")), Ok(answer("b"))];
        let result = merged(scan(flows.clone(), Vec::new()), Introspect::Auto, "3.8.8", answers);
        let left: Vec<&str> = result.scan.flows.iter().map(|flow| flow.name.as_str()).collect();
        assert_eq!(left, ["b"]);
        let [problem] = &result.scan.problems[..] else { panic!("{:?}", result.scan.problems) };
        assert_eq!(
            (&*problem.path, problem.line, problem.code),
            ("a.py", 3, ProblemCode::UnknownName)
        );
    }
}

#[test]
fn one_cause_is_one_line() {
    let paths = ["a.py", "b.py", "c.py", "d.py", "e.py"];
    let flows = paths.iter().map(|path| flow(path, &path[..1], &[(SCHEMA, "unclear")])).collect();
    let answers = paths
        .iter()
        .map(|path| match *path {
            "e.py" => Err(Failure::TimedOut),
            path => Err(Failure::MissingModule {
                module: "pandas".to_owned(),
                place: Some(format!("{path}:1")),
            }),
        })
        .collect();
    let result = merged(scan(flows, Vec::new()), Introspect::Auto, "3.8.8", answers);
    assert_eq!(result.notices.len(), 2, "{:#?}", result.notices);
    let start = "a.py, b.py, c.py and 1 more: Python could not tell: there is no module `pandas`";
    assert!(result.notices[0].starts_with(start), "{}", result.notices[0]);
    let reason = &result.scan.flows[3].inexact[0].reason;
    assert_eq!(reason, "unclear; nor could Python tell: there is no module `pandas` (d.py:1)");
}

#[test]
fn without_a_python_every_flow_keeps_its_reason_and_gets_another() {
    let flows = vec![flow("a.py", "a", &[]), flow("b.py", "b", &[(SCHEMA, "unclear")])];
    let scan = scan(flows, vec![unknown("c.py", "`c` looks like a flow")]);
    let questions: Vec<Question> = questions(&scan, Introspect::Auto, &|_| true);
    let result = note_unanswered(scan, &questions, &Unavailable::NoPython);
    let start = "Python could not be asked about 2 flows that are not exact: no Python was found; ";
    assert!(result.notices[0].starts_with(start), "{:?}", result.notices);
    let reason = &result.scan.flows[1].inexact[0].reason;
    assert_eq!(reason, "unclear; Python could not be asked: no Python was found");
    assert_eq!(result.scan.problems.len(), 1);
}
