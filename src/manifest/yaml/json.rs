//! Values as JSON, as Python's `json.dumps` would write the dictionary that PyYAML gives.

use serde_json::{Map, Number, Value};

use super::{Node, Yaml, YamlError};

impl Node {
    /// The value as JSON; keys that are not text become one, as Python writes them.
    ///
    /// # Errors
    /// A float that JSON does not have (`.inf`, `.nan`), with its place.
    pub fn to_json(&self) -> Result<Value, YamlError> {
        Ok(match &self.value {
            Yaml::Null => Value::Null,
            Yaml::Bool(is_true) => Value::Bool(*is_true),
            Yaml::Integer(number) => Value::Number(number.clone()),
            Yaml::Float(number) => Value::Number(self.finite(*number)?),
            Yaml::Text(text) | Yaml::Moment(text) => Value::String(text.clone()),
            Yaml::Sequence(items) => {
                Value::Array(items.iter().map(Node::to_json).collect::<Result<_, _>>()?)
            }
            Yaml::Mapping(pairs) => {
                let mut object = Map::with_capacity(pairs.len());
                for (key, value) in pairs {
                    object.insert(key.json_key()?, value.to_json()?);
                }
                Value::Object(object)
            }
        })
    }

    fn finite(&self, number: f64) -> Result<Number, YamlError> {
        Number::from_f64(number)
            .ok_or_else(|| YamlError::new(self.at, "JSON has neither infinity nor NaN"))
    }

    fn json_key(&self) -> Result<String, YamlError> {
        Ok(match &self.value {
            Yaml::Null => "null".to_owned(),
            Yaml::Bool(is_true) => is_true.to_string(),
            Yaml::Integer(number) => number.to_string(),
            Yaml::Float(number) => {
                self.finite(*number)?;
                float_repr(*number)
            }
            Yaml::Text(text) | Yaml::Moment(text) => text.clone(),
            Yaml::Sequence(_) | Yaml::Mapping(_) => {
                return Err(YamlError::new(self.at, format!("a key can't be {}", self.kind())));
            }
        })
    }
}

/// Python's `repr` of a finite float: the shortest digits, and an exponent of two digits or more
/// below 1e-4 and from 1e16 on.
fn float_repr(number: f64) -> String {
    let text = format!("{number:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    match exponent.parse::<i32>() {
        Ok(power) if !(-4..16).contains(&power) => {
            // Rust writes `1e16`, Python `1e+16`.
            let sign = if power < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", power.abs())
        }
        _ if number.fract() == 0.0 => format!("{number:.1}"),
        _ => number.to_string(),
    }
}
