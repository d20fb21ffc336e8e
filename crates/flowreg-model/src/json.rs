//! Equality of JSON values as a server sees them.

use serde_json::{Number, Value};

/// Whether two JSON values mean the same: objects without regard to key order, numbers by value.
///
/// A server may give `1e30` back for `1e+30`, or `1.0` for `1.00`; a difference in spelling must
/// not become a write.
pub fn json_equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Number(left), Value::Number(right)) => number_equal(left, right),
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| json_equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left.iter().all(|(key, value)| {
                    right.get(key).is_some_and(|other| json_equal(value, other))
                })
        }
        _ => left == right,
    }
}

fn number_equal(left: &Number, right: &Number) -> bool {
    if left == right {
        return true;
    }
    let is_integer = |number: &Number| {
        number
            .as_str()
            .strip_prefix('-')
            .unwrap_or(number.as_str())
            .bytes()
            .all(|b| b.is_ascii_digit())
    };
    // As floats, large integers that differ would be equal: 2^53 and 2^53 + 1.
    if is_integer(left) && is_integer(right) {
        return false;
    }
    #[expect(clippy::float_cmp, reason = "the same value was printed twice, nothing was computed")]
    match (left.as_f64(), right.as_f64()) {
        (Some(left), Some(right)) => left == right,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Value {
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn key_order_and_number_spelling_do_not_count() {
        assert!(json_equal(&parsed(r#"{"a":1,"b":[1.0]}"#), &parsed(r#"{"b":[1],"a":1}"#)));
        assert!(json_equal(&parsed("1e30"), &parsed("1e+30")));
    }

    #[test]
    fn large_integers_are_compared_digit_by_digit() {
        assert!(!json_equal(
            &parsed("123456789012345678901234567890"),
            &parsed("123456789012345678901234567891")
        ));
    }

    #[test]
    fn values_and_kinds_do_count() {
        assert!(!json_equal(&parsed("[1,2]"), &parsed("[2,1]")));
        assert!(!json_equal(&parsed("true"), &parsed("1")));
        assert!(!json_equal(&parsed(r#"{"a":1}"#), &parsed(r#"{"a":1,"b":null}"#)));
    }
}
