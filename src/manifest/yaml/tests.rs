//! The YAML layer by itself; `tests/suite/manifest_yaml.rs` compares it with PyYAML.

use std::time::{Duration, Instant};

use serde_json::json;

use super::*;

fn root(text: &str) -> Node {
    match read(text.as_bytes()) {
        Ok(document) => document.root,
        Err(error) => panic!("{error} in {text:?}"),
    }
}

fn as_json(text: &str) -> serde_json::Value {
    root(text).to_json().unwrap()
}

fn error(text: &str) -> String {
    read(text.as_bytes()).unwrap_err().to_string()
}

fn place(node: &Node) -> (usize, usize) {
    (node.at.line, node.at.column)
}

#[test]
fn an_empty_document_is_null() {
    for text in ["", "# only a comment\n", "---\n", "\u{feff}"] {
        assert_eq!(root(text).value, Yaml::Null, "{text:?}");
    }
}

#[test]
fn nodes_know_line_and_column_in_characters() {
    let root = root("é: 1\nliste:\n- 'ä': x\n  key: >\n    folded\n- &a {b: [c]}\n- *a\n");
    assert_eq!(place(root.get("é").unwrap()), (1, 4));
    let list = root.get("liste").unwrap();
    assert_eq!(place(list), (3, 1));
    let Yaml::Sequence(items) = &list.value else { panic!("no list") };
    assert_eq!(place(items[0].get("ä").unwrap()), (3, 8));
    assert_eq!(place(items[0].get("key").unwrap()), (4, 8));
    assert_eq!(place(&items[1]), (6, 3));
    assert_eq!(items[2], items[1], "an alias has the place of its anchor");
}

#[test]
fn blanks_that_are_added_for_the_parser_do_not_move_places() {
    let root = root("x: {a:[1], b:{c:[2]}, d: 3}\ne: 4\n");
    let x = root.get("x").unwrap();
    assert_eq!(place(x.get("a").unwrap()), (1, 7));
    assert_eq!(place(x.get("b").unwrap().get("c").unwrap()), (1, 17));
    assert_eq!(place(x.get("d").unwrap()), (1, 26));
    assert_eq!(place(root.get("e").unwrap()), (2, 4));
    assert_eq!(error("x: {a:[1], b: !v 2}"), "line 1, column 15: the tag `!v` has no meaning here");
    assert_eq!(
        error("x: {a:[1], b:\t2}"),
        "line 1, column 14: found a tab where only blanks are allowed"
    );
}

#[test]
fn the_last_of_equal_keys_counts_and_is_told() {
    let document = read(b"a: 1\nb: 2\na: 3\nc: &x {k: 1, k: 2}\nd: *x\n").unwrap();
    assert_eq!(
        document.root.to_json().unwrap(),
        json!({"a": 3, "b": 2, "c": {"k": 2}, "d": {"k": 2}})
    );
    let notices: Vec<(usize, &str)> =
        document.notices.iter().map(|(at, message)| (at.line, message.as_str())).collect();
    assert_eq!(
        notices,
        [
            (3, "the mapping has this key already (line 1): only the last value counts"),
            (4, "the mapping has this key already (line 4): only the last value counts"),
        ]
    );
}

#[test]
fn a_key_over_a_merged_one_is_not_told() {
    let document = read(b"a: &x {k: 1, l: 2}\nb:\n  k: 3\n  <<: *x\n").unwrap();
    assert_eq!(document.notices, []);
    assert_eq!(document.root.get("b").unwrap().to_json().unwrap(), json!({"k": 3, "l": 2}));
}

#[test]
fn keys_become_text_as_python_writes_them() {
    assert_eq!(
        as_json(
            "1: a\nno: b\n~: c\n1.5: d\n1.0e+16: e\n0.00001: f\n-2.0: g\n2024-01-01: h\nyes_: i\n"
        ),
        json!({
            "1": "a", "false": "b", "null": "c", "1.5": "d", "1e+16": "e", "1e-05": "f",
            "-2.0": "g", "2024-01-01": "h", "yes_": "i",
        })
    );
}

#[test]
fn whole_numbers_of_any_size_are_kept() {
    let text = "a: 123456789012345678901234567890\nb: 0xffffffffffffffffffffffff\nc: -1:00:00\n";
    assert_eq!(
        as_json(text).to_string(),
        r#"{"a":123456789012345678901234567890,"b":79228162514264337593543950335,"c":-3600}"#
    );
    let digits = "9".repeat(4300);
    assert_eq!(as_json(&digits).to_string(), digits);
    assert!(error(&format!("{digits}9")).contains("too long"));
}

#[test]
fn what_json_does_not_have_is_refused_at_its_place() {
    for text in ["a:\n- .inf\n", "a:\n- .nan\n", "a:\n- -.inf\n", "a:\n- .nan: 1\n"] {
        let error = root(text).to_json().unwrap_err();
        assert_eq!((error.at.line, error.at.column), (2, 3), "{text:?}");
    }
}

#[test]
fn errors_have_a_place() {
    for (text, expected) in [
        ("a: 1\nb: [1\nc: 2\n", (3, 2)),
        ("a: b: c\n", (1, 5)),
        ("a: 1\n\tb: 2\n", (2, 1)),
        ("a: 'x\n", (2, 1)),
        ("a:\n  b: !vault x\n", (2, 6)),
        ("a: *x\n", (1, 4)),
        ("a: &x 1\nb: &x 2\n", (2, 4)),
        ("a: &x\n- *x\n", (2, 3)),
        ("a: 1\n---\nb: 2\n", (2, 1)),
        ("a: \u{7}\n", (1, 4)),
        ("[a]: 1\n", (1, 1)),
        ("{{ x }}: 1\n", (1, 2)),
        ("a: 2024-02-30\n", (1, 4)),
        ("a: !!int x\n", (1, 4)),
        ("a: [b?c]\n", (1, 6)),
        ("a: |#c\n  b\n", (1, 5)),
        ("a: [!!str, b]\n", (1, 10)),
        ("a: !!binary aGk=\n", (1, 4)),
        ("a: !!set {b}\n", (1, 4)),
        ("<<: x\n", (1, 5)),
        ("a:\n  - <<\n", (2, 5)),
    ] {
        let error = read(text.as_bytes()).unwrap_err();
        assert_eq!((error.at.line, error.at.column), expected, "{text:?}: {error}");
    }
    let error = read(b"a: 1\nb: \xff\n").unwrap_err();
    assert_eq!(error.to_string(), "line 2, column 4: the file is not UTF-8");
}

#[test]
fn errors_never_quote_a_value() {
    for text in [
        "a: !!int hunter2\n",
        "a: !!bool hunter2\n",
        "a: !!timestamp hunter2\n",
        "a: 'hunter2\n",
        "a: \"hunter2\\q\"\n",
        "a: b: hunter2\n",
        "hunter2: 1\nhunter2\n",
        "[hunter2, [a]: 1, {hunter2}: 2]\n",
        "<<: hunter2\n",
        "a: hunter2\t\n",
        "a: @hunter2\n",
    ] {
        let message = error(text);
        assert!(!message.contains("hunter2"), "{message}");
        let starts_small = message.split_once(": ").is_some_and(|(_, rest)| {
            rest.starts_with(|char: char| !char.is_uppercase()) && !rest.ends_with('.')
        });
        assert!(starts_small, "{message}");
    }
}

#[test]
fn kinds_are_named() {
    let kinds = |text: &str| root(text).kind();
    assert_eq!(kinds("~"), "nothing");
    assert_eq!(kinds("on"), "true or false");
    assert_eq!(kinds("1"), "a number");
    assert_eq!(kinds("1e3"), "text");
    assert_eq!(kinds("2024-01-01"), "a date");
    assert_eq!(kinds("[]"), "a list");
    assert_eq!(kinds("{}"), "a mapping");
}

#[test]
fn deep_documents_are_refused_before_the_stack_ends() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    assert!(read(nested(parse::MAX_DEPTH).as_bytes()).is_ok());
    for depth in [parse::MAX_DEPTH + 1, 100_000] {
        assert!(error(&nested(depth)).contains("nested deeper"), "{depth}");
    }
    assert!(error(&"- ".repeat(100_000)).contains("nested deeper"));
    assert!(error(&"? ".repeat(100_000)).contains("nested deeper"));
    assert!(error(&"{a: ".repeat(100_000)).contains("nested deeper"));
    let chain: String =
        (1..100_000).map(|number| format!("- &a{number} [*a{}]\n", number - 1)).collect();
    assert!(error(&format!("- &a0 x\n{chain}")).contains("by aliases"));
}

#[test]
fn aliases_that_multiply_are_refused() {
    let laughs = |start: &str, one: &dyn Fn(usize) -> String| {
        let lines: String = (1..40).map(one).collect();
        format!("{start}\n{lines}")
    };
    let lists = laughs("- &a0 [x]", &|n| {
        let alias = format!("*a{}", n - 1);
        format!("- &a{n} [{}]\n", vec![alias; 10].join(", "))
    });
    let merges = laughs("- &a0 {k: x}", &|n| {
        let alias = format!("*a{}", n - 1);
        format!("- &a{n} {{<<: [{}]}}\n", vec![alias; 10].join(", "))
    });
    let long = format!("- &a '{}'\n{}", "x".repeat(1 << 20), "- *a\n".repeat(100));
    for text in [lists, merges, long] {
        let start = Instant::now();
        assert!(error(&text).contains("too large"));
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}

#[test]
fn what_is_parsed_again_is_bounded() {
    for (text, is_read) in [
        (format!("[{}]", "a !b, ".repeat(50)), true),
        (format!("[{}]", "a !b, ".repeat(500)), false),
        (format!("[{}]", "{a:[1]}, ".repeat(50)), true),
        (format!("[{}]", "{a:[1]}, ".repeat(500)), false),
    ] {
        let start = Instant::now();
        assert_eq!(read(text.as_bytes()).is_ok(), is_read, "{}", text.len());
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
    }
}
