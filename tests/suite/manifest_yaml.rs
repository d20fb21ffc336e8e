//! The YAML layer against the real PyYAML: hand-written corners and random documents, read by
//! both. Every difference is in [`DIFFERENCES`], with its reason.
//!
//! `FLOWREG_YAML_DOCUMENTS` makes a longer run, `FLOWREG_YAML_SEED` another one.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowreg::manifest::{Document, Node, Yaml, YamlError, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::prefect::programs;
use crate::support::random_flows::Random;
use crate::support::random_yaml::document;
use crate::support::yaml_corners::corners;

/// Random documents of a run, if nobody wants another number.
const DOCUMENTS: usize = 3000;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

/// What PyYAML makes of each document.
fn answers(documents: &[Vec<u8>]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/read_yaml.py");
    let mut child = Command::new(programs().join("python"))
        .arg(script)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = documents.iter().map(|document| hexadecimal(document) + "\n").collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), documents.len());
    answers
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A value as the script writes it.
fn typed(node: &Node) -> Value {
    match &node.value {
        Yaml::Null => json!(["null"]),
        Yaml::Bool(is_true) => json!(["bool", is_true]),
        Yaml::Integer(number) => json!(["integer", number.to_string()]),
        Yaml::Float(number) if number.is_nan() => json!(["float", "nan"]),
        Yaml::Float(number) => json!(["float", format!("{:016x}", number.to_bits())]),
        Yaml::Text(text) => json!(["text", text]),
        Yaml::Moment(text) => json!(["moment", text]),
        Yaml::Sequence(items) => json!(["list", items.iter().map(typed).collect::<Vec<_>>()]),
        Yaml::Mapping(pairs) => {
            let pairs = pairs.iter().map(|(key, value)| [typed(key), typed(value)]);
            json!(["mapping", pairs.collect::<Vec<_>>()])
        }
    }
}

/// A difference that stays.
struct Difference {
    reason: &'static str,
    /// A document that is read differently.
    example: &'static str,
    /// Whether a document that is read differently is one of these.
    is_it: fn(text: &str, ours: Result<&Document, &YamlError>) -> bool,
}

fn is_refused_with(ours: Result<&Document, &YamlError>, message: &str) -> bool {
    ours.is_err_and(|error| error.message.contains(message))
}

const DIFFERENCES: &[Difference] = &[
    Difference {
        reason: "PyYAML skips directives that it does not know, and those of a later YAML 1.x; \
            libyaml refuses them",
        example: "%FOO bar\n---\na: 1\n",
        is_it: |text, ours| text.lines().any(|line| line.starts_with('%')) && ours.is_err(),
    },
    Difference {
        reason: "to PyYAML a `?` alone in brackets is a mapping of nothing to nothing; libyaml \
            finds the end of it one sign later",
        example: "[?]\n",
        is_it: |text, _| ["[?", ",?", ", ?"].iter().any(|start| text.contains(start)),
    },
    Difference {
        reason: "PyYAML wants a blank between the version of `%YAML` and a comment",
        example: "%YAML 1.1#\n---\na: 1\n",
        is_it: |text, ours| text.contains("%YAML 1.1#") && ours.is_ok(),
    },
    Difference {
        reason: "in the middle of a file a byte order mark is a letter to PyYAML; flowreg refuses \
            it at the start of a line, where it would be part of a key",
        example: "a: 1\n\u{feff}b: 2\n",
        is_it: |_, ours| is_refused_with(ours, "byte order mark"),
    },
    Difference {
        reason: "PyYAML lets a mapping merge itself, which brings nothing; flowreg refuses \
            whatever contains itself",
        example: "&a\n<<: *a\n",
        is_it: |text, ours| text.contains("<<") && is_refused_with(ours, "inside its own anchor"),
    },
    Difference {
        reason: "PyYAML finds the indentation of a block scalar whose first line starts with a \
            tab; libyaml refuses the tab",
        example: "a: |\n  \tb\n",
        is_it: |_, ours| is_refused_with(ours, "where an indentation space is expected"),
    },
    Difference {
        reason: "blanks at the end of a file without a last line break are no part of a block \
            scalar, even if they go beyond its indentation",
        example: "a: |\n  b\n    ",
        is_it: |text, ours| text.ends_with("\n  ") || text.ends_with("   ") && ours.is_ok(),
    },
    Difference {
        reason: "only with its tag PyYAML takes `1:-30` for a number",
        example: "!!int 1:-30\n",
        is_it: |text, ours| text.contains("!!int") && is_refused_with(ours, "whole number"),
    },
    Difference {
        reason: "a key may be 1,024 characters long; libyaml counts bytes",
        example: LONG_KEY,
        is_it: |text, ours| text.len() > 1024 && ours.is_err(),
    },
];

/// Fewer letters than 1,024, more bytes.
const LONG_KEY: &str = concat!(
    "{ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
    "ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
    "ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
    "ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
    "ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
    "ééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééééé",
    ": 1}\n"
);

/// Compares both readings; gives the number of values that are equal.
fn compare(documents: &[Vec<u8>]) -> (usize, usize) {
    let (mut values, mut refusals) = (0, 0);
    let mut different = Vec::new();
    for (document, answer) in documents.iter().zip(answers(documents)) {
        let text = String::from_utf8_lossy(document).into_owned();
        assert_ne!(answer.get("same_as_text"), Some(&json!(false)), "as text: {text:?}");
        let ours = read(document);
        match (answer.get("value"), &ours) {
            (Some(value), Ok(read)) if typed(&read.root) == *value => values += 1,
            (None, Err(_)) => refusals += 1,
            _ if DIFFERENCES.iter().any(|known| (known.is_it)(&text, ours.as_ref())) => {}
            _ => {
                let ours = ours.map(|read| typed(&read.root).to_string());
                different.push(format!("{text:?}\n  ours   {ours:?}\n  PyYAML {answer}"));
            }
        }
    }
    different.sort_by_key(String::len);
    assert!(
        different.is_empty(),
        "{} of {} differ:\n{}",
        different.len(),
        documents.len(),
        different.iter().take(40).cloned().collect::<Vec<_>>().join("\n")
    );
    (values, refusals)
}

#[test]
fn corners_are_read_as_pyyaml_reads_them() {
    let documents = corners();
    let (values, refusals) = compare(&documents);
    assert!(values > 150 && refusals > 50, "{values} values, {refusals} refusals");
}

#[test]
fn every_known_difference_is_one() {
    let examples: Vec<Vec<u8>> =
        DIFFERENCES.iter().map(|known| known.example.as_bytes().to_vec()).collect();
    for (known, answer) in DIFFERENCES.iter().zip(answers(&examples)) {
        let ours = read(known.example.as_bytes());
        let value = ours.as_ref().ok().map(|read| typed(&read.root));
        assert_ne!(value.as_ref(), answer.get("value"), "no difference: {}", known.reason);
        assert!((known.is_it)(known.example, ours.as_ref()), "not found: {}", known.reason);
    }
}

#[test]
fn random_documents_are_read_as_pyyaml_reads_them() {
    let number = setting("FLOWREG_YAML_DOCUMENTS")
        .map_or(DOCUMENTS, |number| usize::try_from(number).unwrap());
    let mut random = Random::new(setting("FLOWREG_YAML_SEED").unwrap_or(1));
    let documents: Vec<Vec<u8>> = (0..number).map(|_| document(&mut random)).collect();
    let (values, refusals) = compare(&documents);
    assert!(values > number / 5 && refusals > number / 5, "{values} values, {refusals} refusals");
}

/// The longest that a document of a few kilobytes may take, without optimisation.
const TIME_LIMIT: Duration = Duration::from_secs(5);

fn reads_in_time(bytes: &[u8]) {
    let start = Instant::now();
    if let Ok(document) = read(bytes) {
        let _ = document.root.to_json();
    }
    assert!(start.elapsed() < TIME_LIMIT, "{:?} for {bytes:?}", start.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..Default::default() })]

    #[test]
    fn any_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        reads_in_time(&bytes);
    }

    #[test]
    fn any_text_of_indicators_is_answered(text in "[-?:,\\[\\]{}#&*!|>'\"%@`~ \t\n\r<=.+_0-9a-zé\u{85}\u{feff}]{0,80}") {
        reads_in_time(text.as_bytes());
    }
}
