//! Values of pydantic's configuration that it refuses: what they do to a schema is not decided
//! here.

use std::rc::Rc;

use super::Interpreter;
use crate::schema::fields::configuration;
use crate::value::{Class, Value};

/// Settings with few values.
const CHOICES: &[(&str, &[&str])] = &[
    ("extra", &["allow", "ignore", "forbid"]),
    ("regex_engine", &["rust-regex", "python-re"]),
    ("revalidate_instances", &["always", "never", "subclass-instances"]),
    ("ser_json_bytes", &["utf8", "base64", "hex"]),
    ("ser_json_inf_nan", &["null", "constants", "strings"]),
    ("ser_json_temporal", &["iso8601", "seconds", "milliseconds"]),
    ("ser_json_timedelta", &["iso8601", "float"]),
    ("val_json_bytes", &["utf8", "base64", "hex"]),
    ("val_temporal_unit", &["seconds", "milliseconds", "infer"]),
];

/// Settings that are on or off.
const SWITCHES: &[&str] = &[
    "allow_inf_nan",
    "arbitrary_types_allowed",
    "coerce_numbers_to_str",
    "from_attributes",
    "frozen",
    "hide_input_in_errors",
    "loc_by_alias",
    "populate_by_name",
    "str_strip_whitespace",
    "str_to_lower",
    "str_to_upper",
    "strict",
    "use_enum_values",
    "validate_assignment",
    "validate_by_alias",
    "validate_by_name",
    "validate_default",
];

impl<'a> Interpreter<'a> {
    /// Notes a possible error if pydantic may refuse a setting in the configuration of a class.
    pub(super) fn check_settings(&self, class: &Rc<Class<'a>>) {
        let settings = configuration(class).unwrap_or_default();
        for (name, value) in &settings {
            let is_odd = match value {
                Value::None => false,
                // What is not known may be right.
                value if !value.is_constant() => false,
                value if SWITCHES.contains(&&**name) => !matches!(value, Value::Bool(_)),
                value if matches!(&**name, "str_min_length" | "str_max_length") => {
                    !matches!(value, Value::Int(_)) || Self::show(value).starts_with('-')
                }
                value => CHOICES.iter().any(|(setting, choices)| {
                    *setting == &**name
                        && !value.as_str().is_some_and(|text| choices.contains(&text))
                }),
            };
            if is_odd {
                self.note_possible_error(format!(
                    "pydantic may refuse `{name}` in the configuration of `{}`",
                    class.name
                ));
            }
        }
    }
}
