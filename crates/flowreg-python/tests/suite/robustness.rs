//! The analyser on sources nobody wrote: mutated files of the corpus, and sources made to be deep
//! or large. It must answer, whatever the answer is.

use std::path::{Path, PathBuf};

use flowreg_model::ProblemCode;
use flowreg_python::analyse;
use proptest::prelude::*;

fn corpus() -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/conformance/flows");
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files = paths.iter().filter(|path| path.is_file());
    // The flows of the corpus deploy nothing by themselves, so a program goes with them, often enough to be
    // picked.
    let program = include_bytes!("random_flows/program.txt").to_vec();
    let programs = std::iter::repeat_n(program, 10);
    files.map(|path| std::fs::read(path).unwrap()).chain(programs).collect()
}

/// One change of a source: which bytes, and what stands there afterwards.
#[derive(Debug, Clone)]
enum Change {
    Delete(usize, usize),
    Insert(usize, String),
    Swap(usize, usize),
}

fn change() -> impl Strategy<Value = Change> {
    let tokens = prop::sample::select(vec![
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        ":",
        ",",
        "=",
        "\n",
        "    ",
        "@flow",
        "def f(x):",
        "class A:",
        "None",
        "Optional[",
        "int",
        "'",
        "\"",
        "f'{",
        "lambda: ",
        "not ",
        "-",
        "**",
        "*",
        "...",
        "name=",
        "1e400",
        "0x",
        "import ",
        "from . import ",
        "é",
        "\u{0}",
        "if x:",
        "else:",
        "A",
        "Field(",
        "Annotated[",
        "=A",
        "Enum",
        "self",
        "__doc__",
        ".name",
        "|",
        "async ",
        "\\",
    ]);
    prop_oneof![
        (any::<usize>(), 1_usize..40).prop_map(|(at, length)| Change::Delete(at, length)),
        (any::<usize>(), tokens).prop_map(|(at, token)| Change::Insert(at, token.to_owned())),
        (any::<usize>(), any::<usize>()).prop_map(|(one, other)| Change::Swap(one, other)),
    ]
}

fn changed(source: &[u8], changes: &[Change]) -> Vec<u8> {
    let mut source = source.to_vec();
    for change in changes {
        let length = source.len().max(1);
        match change {
            Change::Delete(at, many) => {
                let start = at % length;
                source.drain(start.min(source.len())..(start + many).min(source.len()));
            }
            Change::Insert(at, token) => {
                let at = (at % length).min(source.len());
                source.splice(at..at, token.bytes());
            }
            Change::Swap(one, other) => {
                let mut lines: Vec<&[u8]> = source.split(|byte| *byte == b'\n').collect();
                let many = lines.len();
                lines.swap(one % many, other % many);
                source = lines.join(&b'\n');
            }
        }
    }
    source
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn mutated_sources_are_answered(
        which in any::<prop::sample::Index>(),
        changes in prop::collection::vec(change(), 1..8),
    ) {
        let corpus = corpus();
        let source = changed(&corpus[which.index(corpus.len())], &changes);
        let analysis = analyse("flows/mutated.py", &source);
        prop_assert!(analysis.flows.iter().all(|flow| flow.line > 0));
        prop_assert!(analysis.problems.iter().all(|problem| problem.line > 0));
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let source = [b"from prefect import flow\n".as_slice(), &bytes].concat();
        analyse("bytes.py", &source);
    }
}

fn flow_with_default(default: &str) -> Vec<u8> {
    format!("from prefect import flow\n\n@flow\ndef f(x={default}):\n    pass\n").into_bytes()
}

#[test]
fn deep_sources_are_answered() {
    for depth in [50, 99, 101, 500, 3000, 100_000] {
        for (open, inner, close) in [
            ("(", "1", ")"),
            ("[", "", "]"),
            ("-", "1", ""),
            ("not ", "1", ""),
            ("lambda: ", "1", ""),
            ("1 + ", "1", ""),
            ("(1 if ", "1", " else 2)"),
            ("a.", "b", ""),
            ("f'{", "1", "}'"),
        ] {
            let default = format!("{}{inner}{}", open.repeat(depth), close.repeat(depth));
            analyse("deep.py", &flow_with_default(&default));
        }
    }
    let blocks: String = (0..90).map(|depth| format!("{}if True:\n", " ".repeat(depth))).collect();
    let source = format!("from prefect import flow\n{blocks}{}pass\n", " ".repeat(90));
    assert!(analyse("blocks.py", source.as_bytes()).problems.is_empty());
}

#[test]
fn values_and_types_that_double_themselves_have_an_end() {
    for step in ["x = [x, x]", "x = x + x", "x = f'{x}{x}'", "x = (x, x)", "x = {1: x, 2: x}"] {
        let source = format!(
            "from prefect import flow\nx = 'ab'\n{}\n@flow\ndef f(y=x):\n    pass\n",
            format!("{step}\n").repeat(60)
        );
        let analysis = analyse("double.py", source.as_bytes());
        assert!(!analysis.flows.iter().any(flowreg_model::Flow::is_exact), "{step}");
    }
    let source = format!(
        "from prefect import flow\nT = int\n{}\n@flow\ndef f(y: T):\n    pass\n",
        "T = dict[T, tuple[T, T]]\n".repeat(60)
    );
    assert!(!analyse("types.py", source.as_bytes()).flows[0].is_exact());
}

#[test]
fn a_source_nested_beyond_reason_is_a_syntax_problem() {
    let analysis = analyse("deep.py", &flow_with_default(&"(".repeat(100_000)));
    assert_eq!(analysis.problems[0].code, ProblemCode::Syntax);
    assert!(analysis.problems[0].message.contains("nested too deeply"));
}
