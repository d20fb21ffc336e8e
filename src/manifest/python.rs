//! Values as Python's `str()` writes them, because that is how Prefect puts a value that is not text
//! into the middle of a text.

use std::fmt::Write;

use serde_json::Value;

/// What `str(value)` is in Python.
pub(super) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => representation(other),
    }
}

/// What `repr(value)` is in Python.
fn representation(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(values) => {
            let items: Vec<String> = values.iter().map(representation).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<String> = map
                .iter()
                .map(|(key, value)| format!("{}: {}", quoted(key), representation(value)))
                .collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// A text as Python's `repr` quotes it: in single quotes, unless it has some and no double ones.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::from(quote);
    for char in text.chars() {
        match char {
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            char if char == quote => {
                quoted.push('\\');
                quoted.push(char);
            }
            char if char.is_ascii_control() => {
                let _ = write!(quoted, "\\x{:02x}", u32::from(char));
            }
            char => quoted.push(char),
        }
    }
    quoted.push(quote);
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_written_as_python_writes_them() {
        for (value, text) in [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(1.5), "1.5"),
            (json!("a'b"), "a'b"),
            (json!(["a'b", "c\n", {"k": null}]), r#"["a'b", 'c\n', {'k': None}]"#),
            (json!(["'\""]), r#"['\'"']"#),
        ] {
            assert_eq!(text_of(&value), text);
        }
    }
}
