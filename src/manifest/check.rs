//! The types of a deployment's keys, as pydantic takes them in Prefect 3.8.8: which keys there are,
//! which have to be text, which may be a number (`docs/facts/prefect-yaml.md`).
//!
//! Templates are not filled in yet, so what a text means is checked in `declared` and `schedule`.

use serde_json::{Map, Number, Value, json};

use super::keys::{Section, belongs, step_with_keys, unknown_keys};
use super::yaml::{Node, Position, Yaml};
use flowreg_model::nearest;

impl Node {
    /// The text, if it is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Yaml::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// Something that is wrong, or worth a notice, at a position of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    /// Where.
    pub at: Position,
    /// What is wrong, without the value: it may be a secret.
    pub message: String,
    /// What to type.
    pub hint: Option<String>,
}

/// Steps before and after a deployment's registration.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Steps {
    /// Run when a deployment is registered.
    pub build: Option<Vec<Value>>,
    /// Run after those.
    pub push: Option<Vec<Value>>,
    /// Run by the worker before a flow run. `None`: the file does not say; an empty list: there are to
    /// be none.
    pub pull: Option<Vec<Value>>,
}

/// A deployment whose types were checked.
#[derive(Debug, Default)]
pub(super) struct CheckedDeployment {
    /// The keys that are there, without the steps.
    pub config: Map<String, Value>,
    /// The deployment's own steps.
    pub steps: Steps,
    /// What keeps it from being registered.
    pub faults: Vec<Fault>,
    /// What Prefect ignores, and its author may not know.
    pub notices: Vec<Fault>,
}

impl Fault {
    pub(super) fn new(node: &Node, message: String) -> Self {
        Self { at: node.at, message, hint: None }
    }

    fn of_kind(node: &Node, key: &str, expected: &str) -> Self {
        Self::new(node, format!("`{key}` is {}, and should be {expected}", node.kind()))
    }
}

/// Checks one entry of `deployments`.
pub(super) fn check_deployment(node: &Node) -> CheckedDeployment {
    let mut checked = CheckedDeployment::default();
    let Yaml::Mapping(pairs) = &node.value else {
        checked
            .faults
            .push(Fault::new(node, format!("a deployment is a mapping, not {}", node.kind())));
        return checked;
    };
    // Prefect ignores unknown keys of a deployment without a word, and mostly they are misspelt.
    checked.notices.extend(unknown_keys(pairs, Section::Deployment));
    for (key, value) in pairs {
        let Some(key) = key.text() else { continue };
        let result = match key {
            "build" => keep(&mut checked.steps.build, steps(key, value)),
            "push" => keep(&mut checked.steps.push, steps(key, value)),
            "pull" => keep(&mut checked.steps.pull, steps(key, value)),
            _ => field(key, value, &mut checked.notices).map(|field| {
                checked.config.extend(field.map(|field| (key.to_owned(), field)));
            }),
        };
        checked.faults.extend(result.err());
    }
    if let (Some(_), Some(old)) = (node.get("schedules"), node.get("schedule"))
        && old.value != Yaml::Null
    {
        let message = "`schedule` and `schedules` exclude each other".to_owned();
        checked.faults.push(Fault::new(old, message));
    }
    checked
}

fn keep<T>(slot: &mut T, result: Result<T, Fault>) -> Result<(), Fault> {
    result.map(|value| *slot = value)
}

/// The value of a key; `None` for a key that Prefect does not have.
fn field(key: &str, node: &Node, notices: &mut Vec<Fault>) -> Result<Option<Value>, Fault> {
    Ok(Some(match key {
        "name" | "version" | "version_type" | "description" | "flow_name" | "entrypoint" => {
            text(key, node)?
        }
        "tags" => tags(node)?,
        "paused" | "enforce_parameter_schema" => flag(key, node)?,
        "parameters" => mapping(key, node)?,
        "concurrency_limit" => concurrency(node, notices)?,
        "work_pool" => work_pool(node, notices)?,
        // `prefect init` writes `schedule: {}`, which says nothing.
        "schedule" if is_empty_mapping(node) => Value::Null,
        "schedule" if node.value == Yaml::Null => Value::Null,
        "schedule" => schedule(node)?,
        "schedules" => listed(key, node, schedule)?,
        "triggers" => listed(key, node, |node| {
            trigger_notices(node, notices);
            mapping("a trigger", node)
        })?,
        "sla" => listed(key, node, |node| {
            if let Yaml::Mapping(pairs) = &node.value {
                notices.extend(unknown_keys(pairs, Section::Sla));
            }
            mapping("an sla", node)
        })?,
        _ => return Ok(None),
    }))
}

fn is_empty_mapping(node: &Node) -> bool {
    matches!(&node.value, Yaml::Mapping(pairs) if pairs.is_empty())
}

fn listed(
    key: &str,
    node: &Node,
    mut item: impl FnMut(&Node) -> Result<Value, Fault>,
) -> Result<Value, Fault> {
    match &node.value {
        Yaml::Null => Ok(Value::Null),
        Yaml::Sequence(items) => items.iter().map(&mut item).collect(),
        _ => Err(Fault::of_kind(node, key, "a list")),
    }
}

fn text(key: &str, node: &Node) -> Result<Value, Fault> {
    match &node.value {
        Yaml::Null => Ok(Value::Null),
        Yaml::Text(text) => Ok(json!(text)),
        Yaml::Sequence(_) | Yaml::Mapping(_) => Err(Fault::of_kind(node, key, "text")),
        // `version: 1.0` is a number to YAML, and pydantic makes no text of numbers.
        _ => {
            let mut fault = Fault::of_kind(node, key, "text");
            fault.hint = Some(format!("put quotes around the value of `{key}`"));
            Err(fault)
        }
    }
}

/// A boolean, in all forms that pydantic takes for one.
fn flag(key: &str, node: &Node) -> Result<Value, Fault> {
    let flag = match &node.value {
        Yaml::Null => return Ok(Value::Null),
        Yaml::Bool(flag) => Some(*flag),
        Yaml::Text(text) => flag_of(text),
        Yaml::Integer(number) if number.as_i64() == Some(0) => Some(false),
        Yaml::Integer(number) if number.as_i64() == Some(1) => Some(true),
        _ => None,
    };
    flag.map(Value::from).ok_or_else(|| Fault::of_kind(node, key, "true or false"))
}

/// The texts that pydantic takes for a boolean.
pub(super) fn flag_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "t" | "yes" | "y" | "on" | "1" => Some(true),
        "false" | "f" | "no" | "n" | "off" | "0" => Some(false),
        _ => None,
    }
}

/// A whole number, in all forms that pydantic takes for one: `3`, `3.0`, `"3"` and even `true`.
fn integer(key: &str, node: &Node) -> Result<Value, Fault> {
    let number = match &node.value {
        Yaml::Null => return Ok(Value::Null),
        Yaml::Integer(number) => Some(Value::Number(number.clone())),
        Yaml::Float(number) if number.fract() == 0.0 => {
            format!("{number:.0}").parse::<i64>().ok().map(Value::from)
        }
        Yaml::Text(text) => text.trim().parse::<i64>().ok().map(Value::from),
        Yaml::Bool(flag) => Some(Value::from(i64::from(*flag))),
        _ => None,
    };
    number.ok_or_else(|| Fault::of_kind(node, key, "a whole number"))
}

fn mapping(key: &str, node: &Node) -> Result<Value, Fault> {
    let Yaml::Mapping(pairs) = &node.value else {
        return Err(Fault::of_kind(node, key, "a mapping"));
    };
    if let Some((odd, _)) = pairs.iter().find(|(name, _)| name.text().is_none()) {
        return Err(Fault::new(
            odd,
            format!("a key of `{key}` is {}, and should be text", odd.kind()),
        ));
    }
    json_of(node)
}

fn json_of(node: &Node) -> Result<Value, Fault> {
    node.to_json().map_err(|error| Fault { at: error.at, message: error.message, hint: None })
}

/// A list, or a template that becomes one.
fn tags(node: &Node) -> Result<Value, Fault> {
    match &node.value {
        Yaml::Null | Yaml::Sequence(_) => json_of(node),
        Yaml::Text(text) if text.contains("{{") => Ok(json!(text)),
        Yaml::Text(text) => {
            // Prefect iterates over the text and makes a tag of each letter, which nobody can mean.
            let mut fault = Fault::of_kind(node, "tags", "a list");
            fault.hint = Some(format!("tags: [{text}]"));
            Err(fault)
        }
        _ => Err(Fault::of_kind(node, "tags", "a list")),
    }
}

fn concurrency(node: &Node, notices: &mut Vec<Fault>) -> Result<Value, Fault> {
    let Yaml::Mapping(pairs) = &node.value else { return integer("concurrency_limit", node) };
    notices.extend(unknown_keys(pairs, Section::ConcurrencyLimit));
    let mut limit = Map::new();
    for (key, value) in pairs {
        let checked = match key.text() {
            Some(key @ ("limit" | "grace_period_seconds")) => (key, integer(key, value)?),
            Some(key @ "collision_strategy") => (key, text(key, value)?),
            _ => continue,
        };
        limit.insert(checked.0.to_owned(), checked.1);
    }
    Ok(Value::Object(limit))
}

fn work_pool(node: &Node, notices: &mut Vec<Fault>) -> Result<Value, Fault> {
    let pairs = match &node.value {
        Yaml::Null => return Ok(Value::Null),
        Yaml::Mapping(pairs) => pairs,
        // `work_pool: k8s` is what people write first.
        Yaml::Text(name) => {
            let mut fault = Fault::of_kind(node, "work_pool", "a mapping");
            fault.hint = Some(format!("work_pool: {{name: {name}}}"));
            return Err(fault);
        }
        _ => return Err(Fault::of_kind(node, "work_pool", "a mapping")),
    };
    notices.extend(unknown_keys(pairs, Section::WorkPool));
    let mut pool = Map::new();
    for (key, value) in pairs {
        let checked = match key.text() {
            Some(key @ ("name" | "work_queue_name")) => (key, text(key, value)?),
            Some(key @ "job_variables") => (key, mapping(key, value)?),
            _ => continue,
        };
        pool.insert(checked.0.to_owned(), checked.1);
    }
    Ok(Value::Object(pool))
}

/// Tells of keys that triggers don't have, also of those inside other triggers.
fn trigger_notices(node: &Node, notices: &mut Vec<Fault>) {
    let Yaml::Mapping(pairs) = &node.value else { return };
    notices.extend(unknown_keys(pairs, Section::Trigger));
    if let Some(Yaml::Mapping(pairs)) = node.get("metric").map(|metric| &metric.value) {
        notices.extend(unknown_keys(pairs, Section::Metric));
    }
    if let Some(Yaml::Sequence(inner)) = node.get("triggers").map(|inner| &inner.value) {
        inner.iter().for_each(|node| trigger_notices(node, notices));
    }
}

/// One schedule. What its rule means is looked at when templates are filled in.
fn schedule(node: &Node) -> Result<Value, Fault> {
    let Yaml::Mapping(pairs) = &node.value else {
        let mut fault = Fault::of_kind(node, "a schedule", "a mapping");
        // `schedule: 0 3 * * *` is what people write first.
        fault.hint = node.text().map(|cron| format!("schedules: [{{cron: \"{cron}\"}}]"));
        return Err(fault);
    };
    let mut schedule = Map::new();
    let mut rules = 0;
    for (key, value) in pairs {
        let name = key.text().unwrap_or_default();
        let checked = match name {
            "cron" | "rrule" | "timezone" | "slug" | "replaces" => text(name, value)?,
            // Without quotes YAML makes a date of it, and pydantic refuses a date where it wants text.
            // What is meant is clear, so it is taken.
            "anchor_date" => match &value.value {
                Yaml::Moment(moment) => json!(moment),
                _ => text(name, value)?,
            },
            "interval" => match &value.value {
                Yaml::Null | Yaml::Text(_) | Yaml::Integer(_) | Yaml::Float(_) => json_of(value)?,
                _ => return Err(Fault::of_kind(value, name, "a number of seconds")),
            },
            // A template: which flag it is shows once it is filled in.
            "active" | "day_or" => match &value.value {
                Yaml::Text(text) if text.contains("{{") => json!(text),
                _ => flag(name, value)?,
            },
            "parameters" => mapping(name, value)?,
            // An error, unlike unknown keys elsewhere: pydantic refuses them in schedules.
            _ => {
                let belongs = belongs(name, Section::Schedule);
                let belongs = belongs.map(|belongs| format!(": it {belongs}")).unwrap_or_default();
                let message = format!("a schedule has no key `{name}`{belongs}");
                let mut fault = Fault::new(key, message);
                let near = nearest(name, Section::Schedule.keys()).filter(|_| belongs.is_empty());
                fault.hint = near.map(|near| format!("did you mean `{near}`?"));
                return Err(fault);
            }
        };
        let is_rule = matches!(name, "cron" | "interval" | "rrule");
        rules += usize::from(is_rule && !checked.is_null());
        schedule.insert(name.to_owned(), checked);
    }
    if rules != 1 {
        let message = "a schedule has exactly one of `cron`, `interval` and `rrule`".to_owned();
        return Err(Fault::new(node, message));
    }
    Ok(Value::Object(schedule))
}

/// Reads a list of steps. A single step may stand without the list, and an empty mapping is the same
/// as no key at all.
pub(super) fn steps(key: &str, node: &Node) -> Result<Option<Vec<Value>>, Fault> {
    let step = |node: &Node| match &node.value {
        Yaml::Mapping(pairs) => match step_with_keys(pairs) {
            Some(fault) => Err(fault),
            None => mapping("a step", node),
        },
        _ => mapping("a step", node),
    };
    match &node.value {
        Yaml::Null => Ok(None),
        Yaml::Mapping(pairs) if pairs.is_empty() => Ok(None),
        Yaml::Mapping(_) => Ok(Some(vec![step(node)?])),
        Yaml::Sequence(nodes) => nodes.iter().map(step).collect::<Result<_, _>>().map(Some),
        _ => Err(Fault::of_kind(node, key, "a list")),
    }
}

/// A number of seconds as JSON.
pub(super) fn seconds(number: f64) -> Value {
    Number::from_f64(number).map_or(Value::Null, Value::Number)
}
