//! The YAML layer against the real PyYAML: hand-written corners and random documents, read by
//! both. Every difference is in [`DIFFERENCES`], with its reason.
//!
//! `FLOWREG_YAML_DOCUMENTS` makes a longer run, `FLOWREG_YAML_SEED` another one.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use flowreg::manifest::{Node, Yaml, read};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::prefect::programs;
use crate::support::random_flows::Random;
use crate::support::random_yaml::{corners, document};

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

/// A difference that stays: what such documents have in common, and why.
struct Difference {
    reason: &'static str,
    has_it: fn(&str) -> bool,
}

const DIFFERENCES: &[Difference] = &[];

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
            _ if DIFFERENCES.iter().any(|difference| (difference.has_it)(&text)) => {}
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
