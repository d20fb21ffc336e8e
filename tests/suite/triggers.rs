//! Triggers of `prefect.yaml` against the official client: what it sends, and what it refuses.

use std::io::Write;
use std::process::{Command, Stdio};

use flowreg::registration::triggers::normalised;
use flowreg_model::json_equal;
use serde_json::{Map, Value, json};

use crate::support::prefect::programs;
use crate::support::random_flows::Random;

const UNNAMED: &str = "Automation for deployment 00000000-0000-0000-0000-000000000001";

/// What the official client makes of each list of triggers; text where it refuses.
fn asked(specs: &[Value]) -> Vec<Value> {
    let home = tempfile::tempdir().unwrap();
    let script =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite/support/triggers.py");
    let mut python = Command::new(programs().join("python"))
        .arg(script)
        .env_clear()
        .env("HOME", home.path())
        .env("TMPDIR", home.path())
        .env("PREFECT_HOME", home.path())
        .env("PREFECT_LOGGING_LEVEL", "CRITICAL")
        .env("DO_NOT_TRACK", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(json!(specs).to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

/// An automation of the official client in the form of ours.
fn own_form(automation: &Value, is_enabled_declared: bool) -> Value {
    let mut own = Map::new();
    for name in ["name", "description", "enabled", "trigger"] {
        own.insert(name.to_owned(), automation[name].clone());
    }
    if own["name"] == json!(UNNAMED) {
        own.insert("name".to_owned(), Value::Null);
    }
    if !is_enabled_declared {
        assert_eq!(own.remove("enabled"), Some(json!(true)));
    }
    for name in ["parameters", "job_variables", "schedule_after"] {
        own.insert(name.to_owned(), automation["actions"][0][name].clone());
    }
    let mut own = Value::Object(own);
    sort_sets(&mut own["trigger"]);
    own
}

fn sort_sets(trigger: &mut Value) {
    for name in ["after", "expect", "for_each"] {
        if let Some(Value::Array(items)) = trigger.get_mut(name) {
            items.sort_by_key(Value::to_string);
        }
    }
    if let Some(Value::Array(triggers)) = trigger.get_mut("triggers") {
        triggers.iter_mut().for_each(sort_sets);
    }
}

/// Compares with the official client and returns what is wrong, and how many it took.
fn compare(specs: &[Value]) -> (Vec<String>, usize) {
    let mut wrong = Vec::new();
    let mut taken = 0;
    for (spec, theirs) in specs.iter().zip(asked(specs)) {
        let triggers = spec.as_array().unwrap();
        let ours = normalised("nightly", triggers);
        let Value::Array(theirs) = theirs else {
            if let Ok(ours) = ours {
                wrong.push(format!("{spec}\n  ours {}\n  refused: {theirs}", json!(ours)));
            }
            continue;
        };
        taken += 1;
        let theirs: Vec<Value> = theirs
            .iter()
            .zip(triggers)
            .map(|(automation, spec)| own_form(automation, spec.get("enabled").is_some()))
            .collect();
        match ours {
            Ok(ours) if json_equal(&json!(ours), &json!(theirs)) => {}
            ours => wrong.push(format!("{spec}\n  ours   {ours:?}\n  theirs {}", json!(theirs))),
        }
    }
    (wrong, taken)
}

/// Values that a person may write, and values that only a fuzzer would.
fn value(random: &mut Random, pool: &[&str]) -> Value {
    const ANY: &[&str] =
        &["null", "true", "0", "1", "-1", "2.5", "\"x\"", "\"\"", "[]", "{}", "[1]"];
    let text = if random.chance(85) { random.pick(pool) } else { random.pick(ANY) };
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

const DURATIONS: &[&str] = &[
    "0",
    "5",
    "10",
    "12.5",
    "300",
    "600",
    "0.1234567",
    "-3",
    "true",
    "\"PT20S\"",
    "\"PT10M\"",
    "\"PT1H30M\"",
    "\"P1DT2H\"",
    "\"P1W\"",
    "\"PT1.5S\"",
    "\"00:10:00\"",
    "\"01:02\"",
    "\"1:02\"",
    "\"1 day\"",
    "\"2 days, 01:02:03.5\"",
    "\"-PT1S\"",
    "\"30\"",
    "\"PT\"",
    "1e20",
    "400",
    "3600",
];
const SETS: &[&str] = &[
    "[\"prefect.flow-run.Completed\"]",
    "[\"b\",\"a\",\"b\"]",
    "[]",
    "[\"a\"]",
    "\"a\"",
    "[\"a\",1]",
];
const MATCHES: &[&str] = &[
    "{\"prefect.resource.id\":\"prefect.flow.*\"}",
    "{\"a\":[\"b\",\"c\"],\"d\":\"e\"}",
    "{}",
    "{\"a\":1}",
    "{\"a\":[]}",
    "[{\"a\":\"b\"},{}]",
    "[]",
];

fn trigger(random: &mut Random, depth: usize) -> Value {
    let mut spec = Map::new();
    let mut put = |random: &mut Random, chance: usize, name: &str, pool: &[&str]| {
        if random.chance(chance) {
            spec.insert(name.to_owned(), value(random, pool));
        }
    };
    let kinds = ["\"event\"", "\"metric\"", "\"compound\"", "\"sequence\""];
    put(random, 25, "type", &kinds);
    put(random, 20, "posture", &["\"Reactive\"", "\"Proactive\"", "\"Metric\"", "\"proactive\""]);
    put(random, 40, "match", MATCHES);
    put(random, 30, "match_related", MATCHES);
    put(random, 40, "expect", SETS);
    put(random, 20, "after", SETS);
    put(random, 20, "for_each", SETS);
    put(random, 20, "threshold", &["1", "3", "\"4\"", "5.0", "5.5", "\"1_0\"", "\" 7.0 \"", "-2"]);
    put(random, 40, "within", DURATIONS);
    put(random, 20, "unknown", &["1"]);
    put(random, 20, "name", &["\"on-event\"", "\"\"", "null"]);
    put(random, 15, "description", &["\"text\""]);
    put(random, 15, "enabled", &["true", "false", "\"no\"", "\"On\"", "1", "0.0"]);
    put(random, 25, "parameters", &["{\"a\":\"{{ event.resource.id }}\"}", "null", "{}"]);
    put(random, 15, "job_variables", &["{\"env\":{\"A\":1}}", "null"]);
    put(random, 15, "schedule_after", DURATIONS);
    put(random, 15, "require", &["\"any\"", "\"all\"", "1", "\"2\"", "0", "1.0", "\"Any\""]);
    if random.chance(20) {
        let metric = json!({
            "name": value(random, &["\"lateness\"", "\"duration\"", "\"successes\""]),
            "threshold": value(random, &["1", "2.5", "\"3\"", "\"1e3\""]),
            "operator": value(random, &["\">\"", "\"<=\"", "\"=\""]),
            "range": value(random, DURATIONS),
        });
        spec.insert("metric".to_owned(), metric);
    }
    if depth > 0 && random.chance(35) {
        let inner = (0..random.below(3)).map(|_| trigger(random, depth - 1)).collect();
        spec.insert("triggers".to_owned(), Value::Array(inner));
    }
    Value::Object(spec)
}

/// The same in the gate; `FLOWREG_DIFFERENTIAL_SEED` takes others.
fn seed() -> u64 {
    let given = std::env::var("FLOWREG_DIFFERENTIAL_SEED");
    given.map_or(2026, |seed| seed.parse().unwrap())
}

#[test]
fn triggers_come_out_as_the_official_client_sends_them() {
    let mut random = Random::new(seed());
    let specs: Vec<Value> = (0..3000)
        .map(|_| (0..=random.below(2)).map(|_| trigger(&mut random, 2)).collect())
        .collect();
    let (wrong, taken) = compare(&specs);
    println!("{taken} of {} were taken", specs.len());
    assert!(taken > 400, "too few are good to say anything: {taken}");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}

#[test]
fn durations_are_read_as_pydantic_reads_them() {
    let mut random = Random::new(seed());
    let parts = [
        "P", "T", "1", "2", "10", "59", "60", "05", ":", "01:02", "01:02:03", ".5", ",", " ", "-",
        "+", "D", "day", "days", "d", "H", "M", "S", "W", "Y", "PT", "1D", "3H", "30M", ".1234567",
        "x", "é",
    ];
    let text = |random: &mut Random| -> String {
        (0..=random.below(5)).map(|_| random.pick(&parts)).collect()
    };
    let mut specs: Vec<Value> =
        (0..6000).map(|_| json!([{"schedule_after": text(&mut random)}])).collect();
    for text in ["999999999 days", "1000000000 days", "100:00", "1d 23:59", "1d 24:00", "59dayS"] {
        specs.push(json!([{"schedule_after": text}]));
    }
    for number in [0.1, 0.000_000_5, 0.000_001_5, 2.5e-7, 1e9, 1e13, 8.6e13, 1e14, 123.456_789_5] {
        specs.push(json!([{"schedule_after": number}]));
        specs.push(json!([{"within": number}]));
        specs.push(json!([{"within": number, "posture": "Proactive"}]));
    }
    let (wrong, taken) = compare(&specs);
    println!("{taken} of {} were taken", specs.len());
    assert!(taken > 100, "too few are good to say anything: {taken}");
    assert!(
        wrong.is_empty(),
        "{} differ:\n{}",
        wrong.len(),
        wrong[..wrong.len().min(8)].join("\n")
    );
}

#[test]
fn what_is_wrong_is_named_with_its_place() {
    let error = |spec: Value| normalised("nightly", &[json!({}), spec]).unwrap_err().to_string();
    assert_eq!(
        error(json!({"triggers": [{}, {"expect": "a"}], "require": "all"})),
        "trigger 2, triggers.1.expect: must be a list of texts"
    );
    assert_eq!(error(json!({"type": "metric"})), "trigger 2, metric: is missing");
    assert_eq!(
        error(json!({"posture": "Proactive", "within": 5})),
        "trigger 2, within: must be at least 10 seconds, as the posture is `Proactive`"
    );
    assert_eq!(error(json!("x")), "trigger 2: must be a mapping");
}
