//! Triggers of `prefect.yaml` in the form of the automations that Prefect makes of them.
//!
//! What pydantic does with the official client's trigger classes (prefect/events/schemas/
//! `deployment_triggers.py` of 3.8.8): defaults, conversions, errors. Values come templated;
//! `{{ event.… }}` in parameters is the worker's.

use serde_json::{Map, Number, Value, json};

use super::durations::Duration;
use flowreg_model::{either, nearest, secrets};

/// Why a trigger is not one that `prefect deploy` would take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("trigger {number}{}: {problem}", shown(.place))]
pub struct TriggerError {
    /// Which one, from 1.
    pub number: usize,
    /// The keys that lead to the wrong value.
    pub place: Vec<String>,
    /// What is wrong.
    pub problem: TriggerProblem,
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TriggerProblem {
    /// It is something else.
    #[error("must be {0}")]
    Kind(&'static str),
    /// It is none of the words that Prefect has.
    #[error("{}must be {}", shown_word(.value.as_ref()), either(.choices))]
    Choice {
        /// What is there, if it is a word that can be shown.
        value: Option<String>,
        /// Those that could be.
        choices: &'static [&'static str],
    },
    /// It is not there.
    #[error("is missing")]
    Missing,
    /// It is too small or too large.
    #[error("must be {0}")]
    Range(&'static str),
}

impl TriggerError {
    /// What to type.
    pub(crate) fn hint(&self) -> Option<String> {
        let TriggerProblem::Choice { value, choices } = &self.problem else { return None };
        nearest(value.as_deref()?, choices).map(|near| format!("did you mean `{near}`?"))
    }
}

struct Fault {
    place: Vec<String>,
    problem: TriggerProblem,
}

type Read<T = Value> = Result<T, Fault>;

const DURATION: &str = "a duration: seconds, `PT1H30M` or `01:30:00`";
/// The shortest time that a proactive trigger may wait; also the default.
const LEAST_WAIT: Duration = Duration::seconds(10);
/// The shortest range of a metric that Prefect takes, and the default.
const LEAST_RANGE: Duration = Duration::seconds(300);

/// Makes of each trigger of a deployment what Prefect stores of it.
///
/// `enabled` is absent where it is not declared, and `name` null where Prefect names the automation
/// after the deployment's id.
///
/// # Errors
/// [`TriggerError`] for the first trigger that `prefect deploy` would not take.
pub fn normalised(deployment_name: &str, spec: &[Value]) -> Result<Vec<Value>, TriggerError> {
    (1..)
        .zip(spec)
        .map(|(number, spec)| {
            let default_name = format!("{deployment_name}__automation_{number}");
            automation(&default_name, spec).map_err(|Fault { mut place, problem }| {
                place.reverse();
                TriggerError { number, place, problem }
            })
        })
        .collect()
}

fn shown_word(word: Option<&String>) -> String {
    word.map_or_else(String::new, |word| format!("is `{word}`, and "))
}

fn shown(place: &[String]) -> String {
    if place.is_empty() { String::new() } else { format!(", {}", place.join(".")) }
}

fn automation(default_name: &str, spec: &Value) -> Read {
    let spec = object(spec)?;
    let mut automation = Map::new();
    let name = match spec.get("name") {
        None => json!(default_name),
        Some(Value::Null) => Value::Null,
        Some(name) => at("name", text(name))?,
    };
    let is_unnamed = name.as_str().is_some_and(str::is_empty);
    automation.insert("name".to_owned(), if is_unnamed { Value::Null } else { name });
    automation.insert("description".to_owned(), or(spec, "description", json!(""), text)?);
    if let Some(enabled) = spec.get("enabled") {
        automation.insert("enabled".to_owned(), at("enabled", boolean(enabled))?);
    }
    // The automation and its trigger are one mapping in the file and two in the API.
    automation.insert("trigger".to_owned(), trigger(spec, Level::Outer)?);
    for name in ["parameters", "job_variables"] {
        automation.insert(name.to_owned(), or(spec, name, Value::Null, optional_object)?);
    }
    let after = or(spec, "schedule_after", json!(0.0), |value| {
        duration(value, Duration::seconds(0), "no negative duration")
    })?;
    automation.insert("schedule_after".to_owned(), after);
    Ok(Value::Object(automation))
}

/// Whether a trigger is a deployment's or inside another one; only the order in which its kind is
/// guessed differs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Level {
    Outer,
    Inner,
}

fn trigger(spec: &Map<String, Value>, level: Level) -> Read {
    match kind(spec, level)? {
        "event" => event(spec),
        "metric" => metric(spec),
        "compound" => compound(spec),
        _ => sequence(spec),
    }
}

fn kind(spec: &Map<String, Value>, level: Level) -> Read<&str> {
    if let Some(kind) = spec.get("type") {
        return at("type", word(kind, &["event", "metric", "compound", "sequence"]));
    }
    let is_metric = spec.get("posture").and_then(Value::as_str) == Some("Metric");
    let composite = spec
        .contains_key("triggers")
        .then(|| if spec.contains_key("require") { "compound" } else { "sequence" });
    Ok(match (is_metric, composite, level) {
        (true, _, Level::Outer) | (true, None, Level::Inner) => "metric",
        (_, Some(composite), _) => composite,
        (false, None, _) => "event",
    })
}

fn event(spec: &Map<String, Value>) -> Read {
    let posture =
        or(spec, "posture", json!("Reactive"), |value| one_of(value, &["Reactive", "Proactive"]))?;
    let [after, expect, for_each] =
        ["after", "expect", "for_each"].map(|name| or(spec, name, json!([]), set));
    let is_proactive = posture == json!("Proactive");
    Ok(json!({
        "type": "event",
        "match": or(spec, "match", json!({}), labels)?,
        "match_related": or(spec, "match_related", json!({}), related)?,
        "after": after?,
        "expect": expect?,
        "for_each": for_each?,
        "posture": posture,
        "threshold": or(spec, "threshold", json!(1), integer)?,
        "within": at("within", within(spec.get("within"), is_proactive))?,
    }))
}

/// Reads `within`. The client compares a proactive trigger's time with ten seconds before pydantic has
/// converted it, so `PT1M` there is an error of Python's, and only a number works.
fn within(value: Option<&Value>, is_proactive: bool) -> Read {
    // What is absent is zero, which `false` is for Python.
    let absent = Value::Bool(false);
    let value = value.unwrap_or(&absent);
    if value.is_null() {
        return Err(wrong_kind(DURATION));
    }
    let number = Duration::of_python_number(value);
    if !is_proactive {
        return match number.filter(|number| *number > Duration::seconds(0)) {
            Some(number) => Ok(number.to_json()),
            None => duration(value, Duration::seconds(0), "no negative duration"),
        };
    }
    let is_empty = match value {
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(object) => object.is_empty(),
        _ => number == Some(Duration::seconds(0)),
    };
    if is_empty {
        return Ok(LEAST_WAIT.to_json());
    }
    let wait =
        number.ok_or_else(|| wrong_kind("a number of seconds, as the posture is `Proactive`"))?;
    if wait < LEAST_WAIT {
        return Err(out_of_range("at least 10 seconds, as the posture is `Proactive`"));
    }
    Ok(wait.to_json())
}

fn metric(spec: &Map<String, Value>) -> Read {
    let query = object(required(spec, "metric")?).map_err(|fault| fault.below("metric"))?;
    Ok(json!({
        "type": "metric",
        "match": or(spec, "match", json!({}), labels)?,
        "match_related": or(spec, "match_related", json!({}), related)?,
        "posture": or(spec, "posture", json!("Metric"), |value| one_of(value, &["Metric"]))?,
        "metric": at("metric", metric_query(query))?,
    }))
}

fn metric_query(query: &Map<String, Value>) -> Read {
    let range = |name| {
        or(query, name, LEAST_RANGE.to_json(), |value| {
            duration(value, LEAST_RANGE, "at least 300 seconds")
        })
    };
    Ok(json!({
        "name": at("name", one_of(required(query, "name")?, &["lateness", "duration", "successes"]))?,
        "threshold": at("threshold", float(required(query, "threshold")?))?,
        "operator": at("operator", one_of(required(query, "operator")?, &["<", "<=", ">", ">="]))?,
        "range": range("range")?,
        "firing_for": range("firing_for")?,
    }))
}

fn compound(spec: &Map<String, Value>) -> Read {
    let triggers = inner_triggers(spec)?;
    let require = at("require", require(required(spec, "require")?, triggers.len()))?;
    let within = inner_within(spec)?;
    Ok(json!({"type": "compound", "triggers": triggers, "within": within, "require": require}))
}

fn sequence(spec: &Map<String, Value>) -> Read {
    let (triggers, within) = (inner_triggers(spec)?, inner_within(spec)?);
    Ok(json!({"type": "sequence", "triggers": triggers, "within": within}))
}

fn inner_triggers(spec: &Map<String, Value>) -> Read<Vec<Value>> {
    let list = required(spec, "triggers")?.as_array().ok_or_else(|| wrong_kind("a list"));
    let each = |(index, spec): (usize, &Value)| {
        at(&index.to_string(), object(spec).and_then(|spec| trigger(spec, Level::Inner)))
    };
    at("triggers", list.and_then(|list| list.iter().enumerate().map(each).collect()))
}

fn inner_within(spec: &Map<String, Value>) -> Read {
    or(spec, "within", Value::Null, |value| match value {
        Value::Null => Ok(Value::Null),
        _ => Duration::read(value).map(Duration::to_json).ok_or_else(|| wrong_kind(DURATION)),
    })
}

fn require(value: &Value, triggers: usize) -> Read {
    if let Some("any" | "all") = value.as_str() {
        return Ok(value.clone());
    }
    let number = integer(value).map_err(|_| wrong_kind("a whole number, `any` or `all`"))?;
    let count = number.as_u64().and_then(|count| usize::try_from(count).ok());
    if count.is_some_and(|count| (1..=triggers).contains(&count)) {
        return Ok(number);
    }
    Err(out_of_range("at least 1 and no more than there are triggers"))
}

impl Fault {
    fn below(mut self, name: &str) -> Self {
        self.place.push(name.to_owned());
        self
    }
}

fn wrong_kind(expected: &'static str) -> Fault {
    Fault { place: Vec::new(), problem: TriggerProblem::Kind(expected) }
}

fn out_of_range(expected: &'static str) -> Fault {
    Fault { place: Vec::new(), problem: TriggerProblem::Range(expected) }
}

fn at<T>(name: &str, read: Read<T>) -> Read<T> {
    read.map_err(|fault| fault.below(name))
}

/// A field, or its default where it is absent.
fn or(
    spec: &Map<String, Value>,
    name: &str,
    default: Value,
    read: impl Fn(&Value) -> Read,
) -> Read {
    spec.get(name).map_or(Ok(default), |value| at(name, read(value)))
}

fn required<'v>(spec: &'v Map<String, Value>, name: &str) -> Read<&'v Value> {
    let missing = || Fault { place: Vec::new(), problem: TriggerProblem::Missing };
    at(name, spec.get(name).ok_or_else(missing))
}

fn object(value: &Value) -> Read<&Map<String, Value>> {
    value.as_object().ok_or_else(|| wrong_kind("a mapping"))
}

fn optional_object(value: &Value) -> Read {
    if value.is_null() || value.is_object() {
        return Ok(value.clone());
    }
    Err(wrong_kind("a mapping"))
}

fn text(value: &Value) -> Read {
    value.as_str().map(|text| json!(text)).ok_or_else(|| wrong_kind("text"))
}

fn one_of(value: &Value, choices: &'static [&'static str]) -> Read {
    word(value, choices).map(|word| json!(word))
}

/// One of a few words.
fn word<'v>(value: &'v Value, choices: &'static [&'static str]) -> Read<&'v str> {
    let text = value.as_str();
    text.filter(|text| choices.contains(text)).ok_or_else(|| {
        let value = text.filter(|text| !secrets::is_literal(text)).map(ToOwned::to_owned);
        Fault { place: Vec::new(), problem: TriggerProblem::Choice { value, choices } }
    })
}

fn boolean(value: &Value) -> Read {
    let read = match value {
        Value::Bool(is_true) => Some(*is_true),
        Value::Number(number) => {
            let number = number.as_f64();
            if number == Some(0.0) { Some(false) } else { (number == Some(1.0)).then_some(true) }
        }
        Value::String(text) => match text.to_ascii_lowercase().as_str() {
            "1" | "on" | "t" | "true" | "y" | "yes" => Some(true),
            "0" | "off" | "f" | "false" | "n" | "no" => Some(false),
            _ => None,
        },
        _ => None,
    };
    read.map(|read| json!(read)).ok_or_else(|| wrong_kind("true or false"))
}

/// Texts without an order and without a second one of the same.
fn set(value: &Value) -> Read {
    let items = value.as_array().ok_or_else(|| wrong_kind("a list of texts"))?;
    let each = |(index, item)| at(&usize::to_string(&index), text(item));
    let mut texts: Vec<Value> = items.iter().enumerate().map(each).collect::<Read<_>>()?;
    texts.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
    texts.dedup();
    Ok(Value::Array(texts))
}

/// Labels of resources: each one or several texts.
fn labels(value: &Value) -> Read {
    for (label, value) in object(value)? {
        let is_text = value.is_string()
            || value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
        if !is_text {
            return at(label, Err(wrong_kind("text or a list of texts")));
        }
    }
    Ok(value.clone())
}

/// Labels of related resources, or several times that.
fn related(value: &Value) -> Read {
    let Some(items) = value.as_array() else { return labels(value) };
    let each = |(index, item)| at(&usize::to_string(&index), labels(item));
    items.iter().enumerate().map(each).collect::<Read<Vec<Value>>>().map(Value::Array)
}

fn duration(value: &Value, least: Duration, expected: &'static str) -> Read {
    let duration = Duration::read(value).ok_or_else(|| wrong_kind(DURATION))?;
    if duration < least {
        return Err(out_of_range(expected));
    }
    Ok(duration.to_json())
}

fn integer(value: &Value) -> Read {
    let read = match value {
        Value::Bool(is_one) => Some(json!(u8::from(*is_one))),
        Value::Number(number) => whole(number),
        Value::String(text) => whole_text(text),
        _ => None,
    };
    read.ok_or_else(|| wrong_kind("a whole number"))
}

fn whole(number: &Number) -> Option<Value> {
    let is_whole =
        number.as_str().trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
    if is_whole {
        return Some(Value::Number(number.clone()));
    }
    // pydantic takes a float for a whole number only if it fits into 64 bits.
    let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9e18)?;
    #[expect(clippy::cast_possible_truncation, reason = "whole and small enough")]
    Some(json!(float as i64))
}

/// `1_000`, `+5`, `5.0`
fn whole_text(text: &str) -> Option<Value> {
    let text = text.trim();
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", text.strip_prefix('+').unwrap_or(text)),
    };
    let digits = match digits.split_once('.') {
        Some((whole, zeros)) if !zeros.is_empty() && zeros.bytes().all(|byte| byte == b'0') => {
            whole
        }
        Some(_) => return None,
        None => digits,
    };
    let is_number = digits
        .split('_')
        .all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    let digits = digits.replace('_', "");
    let digits = digits.trim_start_matches('0');
    let digits = if digits.is_empty() { "0" } else { digits };
    let sign = if digits == "0" { "" } else { sign };
    let read = format!("{sign}{digits}").parse::<Number>().ok();
    read.filter(|_| is_number).map(Value::Number)
}

fn float(value: &Value) -> Read {
    let read = match value {
        Value::Bool(is_one) => Some(f64::from(u8::from(*is_one))),
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().replace('_', "").parse().ok(),
        _ => None,
    };
    read.filter(|read| read.is_finite())
        .map(|read| json!(read))
        .ok_or_else(|| wrong_kind("a number"))
}
