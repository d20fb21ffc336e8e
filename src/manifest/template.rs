//! Templates in `prefect.yaml`, filled in as `prefect deploy` does it: `{{ $ENV }}`,
//! `{{ prefect.variables.x }}`, `{{ prefect.blocks.type.name }}`, and outputs of build steps.
//!
//! The rules are those of Prefect 3.8.8 (`docs/facts/prefect-yaml.md`, "Templates"), with two
//! differences: a block's secret is never filled in, and the path of a value that was filled in from
//! an environment variable with the name of a secret is remembered, so that no output shows it.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Map, Value};

use super::python::text_of;
use flowreg_model::{BlockDocument, Environment, secrets};

/// What stands between `{{` and `}}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placeholder<'t> {
    /// `prefect.blocks.…`, without the prefix.
    Block(&'t str),
    /// `prefect.variables.…`, without the prefix.
    Variable(&'t str),
    /// `$NAME`, without the `$`.
    Environment(&'t str),
    /// An output of a step, or a name of the environment.
    Output(&'t str),
}

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part<'t> {
    Literal(&'t str),
    /// With the braces, and what is between them.
    Placeholder(&'t str, Placeholder<'t>),
}

/// The values that placeholders can have: from the environment and from the target.
#[derive(Debug, Clone, Default)]
pub(crate) struct TemplateValues {
    /// The process environment.
    pub environment: Environment,
    /// Variables of the target that exist.
    pub variables: HashMap<String, Value>,
    /// Blocks of the target that exist, by type slug and name.
    pub blocks: HashMap<(String, String), BlockDocument>,
}

impl TemplateValues {
    /// A text with all templates filled in whose values are known here. Only for comparisons, such as
    /// that of a URL; what is registered goes through [`Templater`].
    pub(crate) fn fill(&self, text: &str) -> String {
        let mut templater = Templater::new(self);
        let value = Value::from(text);
        templater.settings(&value, &[]).as_ref().map_or_else(|_| text.to_owned(), text_of)
    }
}

/// What a run needs to know from the target before templates can be filled in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct TemplateReferences {
    /// Names of variables.
    pub variables: BTreeSet<String>,
    /// Type slugs and names of blocks.
    pub blocks: BTreeSet<(String, String)>,
}

/// Why a template can't be filled in.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TemplateError {
    /// The target has no such block.
    #[error("there is no block `{name}` of type `{kind}`")]
    NoBlock {
        /// The type's slug.
        kind: String,
        /// The block's name.
        name: String,
    },
    /// The block has no such part.
    #[error("`{{{{ prefect.blocks.{placeholder} }}}}` names nothing in its block")]
    NoPart {
        /// What follows `prefect.blocks.`.
        placeholder: String,
    },
    /// A list or mapping in the middle of a text.
    #[error(
        "`{{{{ prefect.blocks.{placeholder} }}}}` is not a text that could stand inside another"
    )]
    NotText {
        /// What follows `prefect.blocks.`.
        placeholder: String,
    },
    /// A secret would be registered as it is.
    #[error(
        "`{{{{ prefect.blocks.{placeholder} }}}}` is a secret, and would be registered in clear text"
    )]
    Secret {
        /// What follows `prefect.blocks.`.
        placeholder: String,
    },
}

/// Splits a text as the expression `{{\s*([\w.\-\[\]$]+)\s*}}` finds placeholders.
fn parts(text: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let (mut literal, mut at) = (0, 0);
    while let Some(found) = text.get(at..).and_then(|rest| rest.find("{{")) {
        let start = at + found;
        match text.get(start..).and_then(placeholder) {
            Some((whole, name)) => {
                if literal < start {
                    parts.extend(text.get(literal..start).map(Part::Literal));
                }
                parts.push(Part::Placeholder(whole, kind(name)));
                at = start + whole.len();
                literal = at;
            }
            // In `{{{ x }}` the placeholder begins at the second brace, as the expression finds it.
            None => at = start + 1,
        }
    }
    if literal < text.len() || parts.is_empty() {
        parts.extend(text.get(literal..).map(Part::Literal));
    }
    parts
}

fn placeholder(text: &str) -> Option<(&str, &str)> {
    let inside = text.strip_prefix("{{")?.trim_start();
    let end = inside.find(|char: char| !is_name(char)).filter(|end| *end > 0)?;
    let (name, rest) = inside.split_at_checked(end)?;
    let rest = rest.trim_start().strip_prefix("}}")?;
    Some((text.get(..text.len() - rest.len())?, name))
}

fn is_name(char: char) -> bool {
    char.is_alphanumeric() || "_.-[]$".contains(char)
}

fn kind(name: &str) -> Placeholder<'_> {
    if let Some(rest) = name.strip_prefix("prefect.blocks.") {
        Placeholder::Block(rest)
    } else if let Some(rest) = name.strip_prefix("prefect.variables.") {
        Placeholder::Variable(rest)
    } else if name.starts_with('$') {
        Placeholder::Environment(name.trim_start_matches('$'))
    } else {
        Placeholder::Output(name)
    }
}

/// A text with those placeholders replaced that name an output of a step for which there is a value.
pub(super) fn with_outputs(text: &str, mut value: impl FnMut(&str) -> Option<String>) -> String {
    parts(text)
        .into_iter()
        .map(|part| match part {
            Part::Literal(text) => text.to_owned(),
            Part::Placeholder(whole, Placeholder::Output(name)) => {
                value(name).unwrap_or_else(|| whole.to_owned())
            }
            Part::Placeholder(whole, _) => whole.to_owned(),
        })
        .collect()
}

/// All placeholders in the texts of a value.
pub(super) fn placeholders(value: &Value) -> Vec<Placeholder<'_>> {
    let mut found = Vec::new();
    visit_texts(value, &mut |text| {
        found.extend(parts(text).into_iter().filter_map(|part| match part {
            Part::Placeholder(_, placeholder) => Some(placeholder),
            Part::Literal(_) => None,
        }));
    });
    found
}

/// The names in the placeholders of a value that stand for outputs of steps, or for variables of the
/// environment.
pub(super) fn output_names(value: &Value) -> Vec<&str> {
    let names = placeholders(value).into_iter().filter_map(|found| match found {
        Placeholder::Output(name) => Some(name),
        _ => None,
    });
    names.collect()
}

fn visit_texts<'v>(value: &'v Value, visit: &mut impl FnMut(&'v str)) {
    match value {
        Value::String(text) => visit(text),
        Value::Array(values) => values.iter().for_each(|value| visit_texts(value, visit)),
        Value::Object(map) => map.values().for_each(|value| visit_texts(value, visit)),
        _ => {}
    }
}

impl TemplateReferences {
    /// Adds what a value refers to.
    pub(crate) fn add(&mut self, value: &Value) {
        for placeholder in placeholders(value) {
            match placeholder {
                Placeholder::Variable(name) => {
                    self.variables.insert(name.to_owned());
                }
                Placeholder::Block(name) => {
                    self.blocks.extend(
                        block_of(name).map(|(kind, name, _)| (kind.to_owned(), name.to_owned())),
                    );
                }
                Placeholder::Environment(_) | Placeholder::Output(_) => {}
            }
        }
    }
}

/// Type, name and the part that is meant: `secret.token`, `json.limits.value.cpu[0]`.
fn block_of(placeholder: &str) -> Option<(&str, &str, Option<&str>)> {
    let mut parts = placeholder.splitn(3, '.');
    Some((parts.next()?, parts.next()?, parts.next()))
}

/// Fills templates in, in the order of the passes of `prefect deploy`.
pub(super) struct Templater<'v> {
    values: &'v TemplateValues,
    /// Where in the value it is: `job_variables.env.TOKEN`.
    path: Vec<String>,
    /// Paths of values that hold a secret of the environment.
    pub secrets: BTreeSet<String>,
    /// Placeholders that have no value, with their paths.
    pub missing: Vec<(String, String)>,
    /// Items of lists that are a placeholder and nothing else, and went before the outputs of
    /// steps were filled in, with their paths.
    pub dropped: Vec<(String, String)>,
}

impl<'v> Templater<'v> {
    /// Fills in from these values.
    pub(super) fn new(values: &'v TemplateValues) -> Self {
        Self {
            values,
            path: Vec::new(),
            secrets: BTreeSet::new(),
            missing: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// The passes over a deployment's configuration before its flow is looked at: blocks,
    /// variables, environment. What has no value stays for the outputs of steps.
    ///
    /// # Errors
    /// [`TemplateError`] for a block that is not there, or that is a secret and not under one of
    /// `at_run_time`: the keys whose templates a worker fills in as well.
    pub(super) fn settings(
        &mut self,
        value: &Value,
        at_run_time: &[&str],
    ) -> Result<Value, TemplateError> {
        let value = self.blocks(value, at_run_time)?;
        let value = self.variables(&value);
        Ok(self.environment(&value).unwrap_or(value))
    }

    /// The pass that fills in blocks. A pass of its own before the others, as at Prefect: what a
    /// variable or the environment brings is not looked at again for blocks.
    fn blocks(&mut self, value: &Value, at_run_time: &[&str]) -> Result<Value, TemplateError> {
        Ok(match value {
            Value::Object(map) => {
                let mut filled = Map::new();
                for (key, value) in map {
                    self.path.push(key.clone());
                    let result = self.blocks(value, at_run_time);
                    self.path.pop();
                    filled.insert(key.clone(), result?);
                }
                Value::Object(filled)
            }
            Value::Array(values) => {
                let filled: Result<Vec<Value>, _> =
                    values.iter().map(|value| self.blocks(value, at_run_time)).collect();
                Value::Array(filled?)
            }
            Value::String(text) if text.contains("prefect.blocks.") => {
                let stays = self.path.iter().any(|key| at_run_time.contains(&key.as_str()));
                self.blocks_in(text, stays)?
            }
            other => other.clone(),
        })
    }

    fn blocks_in(&self, text: &str, stays: bool) -> Result<Value, TemplateError> {
        let parts = parts(text);
        // A text that is nothing but one placeholder becomes the value itself, of whatever type.
        if let [Part::Placeholder(_, Placeholder::Block(name))] = parts.as_slice() {
            return match self.block(name) {
                Err(TemplateError::Secret { .. }) if stays => Ok(Value::from(text)),
                result => result,
            };
        }
        let mut filled = String::new();
        for part in parts {
            match part {
                Part::Literal(text) => filled.push_str(text),
                Part::Placeholder(whole, Placeholder::Block(name)) => match self.block(name) {
                    Ok(Value::Array(_) | Value::Object(_)) => {
                        return Err(TemplateError::NotText { placeholder: name.to_owned() });
                    }
                    Ok(value) => filled.push_str(&text_of(&value)),
                    Err(TemplateError::Secret { .. }) if stays => filled.push_str(whole),
                    Err(error) => return Err(error),
                },
                Part::Placeholder(whole, _) => filled.push_str(whole),
            }
        }
        Ok(Value::from(filled))
    }

    /// The value of a block or of a part of it. A block that holds only `value` stands for it.
    fn block(&self, placeholder: &str) -> Result<Value, TemplateError> {
        let owned = || placeholder.to_owned();
        let no_part = || TemplateError::NoPart { placeholder: owned() };
        let (kind, name, part) = block_of(placeholder).ok_or_else(no_part)?;
        let key = (kind.to_owned(), name.to_owned());
        let block = self
            .values
            .blocks
            .get(&key)
            .ok_or_else(|| TemplateError::NoBlock { kind: key.0.clone(), name: key.1.clone() })?;
        let mut keys: Vec<&str> = part.map(keys_of).unwrap_or_default();
        // A block like `Secret` or `JSON` holds only `value`, and Prefect lets people leave that out.
        let only =
            block.data.as_object().filter(|data| data.len() == 1 && data.contains_key("value"));
        if only.is_some() && keys.first() != Some(&"value") {
            keys.insert(0, "value");
        }
        if block.is_secret(&keys) {
            return Err(TemplateError::Secret { placeholder: owned() });
        }
        look_up(&block.data, &keys).cloned().ok_or_else(no_part)
    }

    fn variables(&mut self, value: &Value) -> Value {
        match value {
            Value::Object(map) => map
                .iter()
                .map(|(key, value)| (key.clone(), self.variables(value)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(values) => values.iter().map(|value| self.variables(value)).collect(),
            Value::String(text) if text.contains("prefect.variables.") => self.variables_in(text),
            other => other.clone(),
        }
    }

    /// A variable that does not exist is the empty text.
    fn variables_in(&self, text: &str) -> Value {
        let parts = parts(text);
        let value = |name: &str| self.values.variables.get(name);
        if let [Part::Placeholder(_, Placeholder::Variable(name))] = parts.as_slice() {
            return value(name).cloned().unwrap_or_else(|| Value::from(""));
        }
        let filled: String = parts
            .iter()
            .map(|part| match part {
                Part::Placeholder(_, Placeholder::Variable(name)) => {
                    value(name).map(text_of).unwrap_or_default()
                }
                Part::Placeholder(whole, _) => (*whole).to_owned(),
                Part::Literal(text) => (*text).to_owned(),
            })
            .collect();
        Value::from(filled)
    }

    /// The pass that fills in the environment; `None` for a text that is one placeholder without
    /// a value. Such an item of a list goes, as it does at Prefect, other values stay.
    pub(super) fn environment(&mut self, value: &Value) -> Option<Value> {
        let outputs = Outputs { values: None, keeps_missing: true, leaves_secrets: false };
        self.pass(value, &outputs)
    }

    /// The pass that fills in the outputs of steps. What has no value goes, and is in `missing`.
    pub(super) fn outputs(&mut self, value: &Value, outputs: &Map<String, Value>) -> Value {
        let outputs =
            Outputs { values: Some(outputs), keeps_missing: false, leaves_secrets: false };
        self.pass(value, &outputs).unwrap_or(Value::Null)
    }

    /// The pass over an input of a pull step: outputs where there are some, and what has no value stays for the
    /// worker. So does a variable of the environment that is a secret: filled in, it would be registered
    /// in clear text.
    pub(super) fn pull_step(
        &mut self,
        input: &str,
        value: &Value,
        outputs: &Map<String, Value>,
    ) -> Value {
        self.path.push(input.to_owned());
        let outputs = Outputs { values: Some(outputs), keeps_missing: true, leaves_secrets: true };
        let filled = self.pass(value, &outputs).unwrap_or_else(|| value.clone());
        self.path.pop();
        filled
    }

    fn pass(&mut self, value: &Value, outputs: &Outputs<'_>) -> Option<Value> {
        match value {
            Value::Object(map) => {
                let mut filled = Map::new();
                for (key, value) in map {
                    self.path.push(key.clone());
                    let result = self.pass(value, outputs);
                    self.path.pop();
                    match result {
                        Some(value) => filled.insert(key.clone(), value),
                        None if outputs.keeps_missing => filled.insert(key.clone(), value.clone()),
                        None => None,
                    };
                }
                Some(Value::Object(filled))
            }
            Value::Array(values) => {
                let mut filled = Vec::new();
                for value in values {
                    match (self.pass(value, outputs), value) {
                        (Some(value), _) => filled.push(value),
                        // In the pass over the environment Prefect loses such an item, although the
                        // outputs of steps could still fill it in. It is noted, to be told.
                        (None, Value::String(text)) if outputs.values.is_none() => {
                            self.dropped.push((self.path.join("."), text.clone()));
                        }
                        (None, _) => {}
                    }
                }
                Some(Value::Array(filled))
            }
            Value::String(text) if text.contains("{{") => self.text(text, outputs),
            other => Some(other.clone()),
        }
    }

    fn text(&mut self, text: &str, outputs: &Outputs<'_>) -> Option<Value> {
        let parts = parts(text);
        if let [Part::Placeholder(whole, Placeholder::Output(name))] = parts.as_slice()
            && !name.starts_with(RUN_TIME)
        {
            let found = self.output(name, outputs);
            if found.is_none() && !outputs.keeps_missing {
                self.note_missing(whole);
            }
            return found;
        }
        let mut filled = String::new();
        for part in parts {
            let (whole, found) = match part {
                Part::Literal(text) => (text, None),
                Part::Placeholder(whole, Placeholder::Output(name))
                    if !name.starts_with(RUN_TIME) =>
                {
                    (whole, Some(self.output(name, outputs)))
                }
                Part::Placeholder(whole, Placeholder::Environment(name)) => {
                    let value = self.variable(name);
                    let is_secret = |value: &String| {
                        outputs.leaves_secrets && self.is_secret(name, &filled, value, text)
                    };
                    if value.as_ref().is_some_and(is_secret) {
                        (whole, None)
                    } else {
                        (whole, Some(value.map(Value::from)))
                    }
                }
                Part::Placeholder(whole, _) => (whole, None),
            };
            match found {
                Some(Some(value)) => filled.push_str(&text_of(&value)),
                Some(None) if !outputs.keeps_missing => self.note_missing(whole),
                _ => filled.push_str(whole),
            }
        }
        Some(Value::from(filled))
    }

    /// In the pass over the environment a plain name is a name of the environment.
    fn output(&mut self, name: &str, outputs: &Outputs<'_>) -> Option<Value> {
        match outputs.values {
            Some(values) => look_up_in(values, &keys_of(name)).cloned(),
            // Prefect looks `a.b` up as a path, which leads to nothing in a flat environment.
            None if name.contains(['.', '[']) || name.parse::<i64>().is_ok() => None,
            None => self.variable(name).map(Value::from),
        }
    }

    fn variable(&mut self, name: &str) -> Option<String> {
        let value = self.values.environment.raw(name)?.to_owned();
        // The value is registered, as `prefect deploy` does, but never shown: CI logs are read by
        // more people than the server.
        if secrets::is_secret_name(name) {
            self.secrets.insert(self.path.join("."));
        }
        Some(value)
    }

    /// Whether a variable of the environment would put a secret into a text, of which `before` is what
    /// stands before it.
    fn is_secret(&self, name: &str, before: &str, value: &str, text: &str) -> bool {
        // In a URL the place behind `user:` is that of the password, whatever the variable is called.
        let is_password = text.contains('@') && secrets::is_literal(&format!("{before}{value}@"));
        is_password
            || secrets::is_secret_name(name)
            || secrets::is_literal(value)
            || self.path.iter().any(|key| secrets::is_secret_name(key))
    }

    fn note_missing(&mut self, placeholder: &str) {
        self.missing.push((self.path.join("."), placeholder.to_owned()));
    }
}

/// The worker fills these in (`ctx.flow_run.id` and so on).
const RUN_TIME: &str = "ctx.";

/// What a pass takes a plain name (`{{ image_tag }}`) for.
struct Outputs<'o> {
    /// `None`: the environment.
    values: Option<&'o Map<String, Value>>,
    /// Whether a placeholder without a value stays.
    keeps_missing: bool,
    /// Whether a variable of the environment stays that is a secret.
    leaves_secrets: bool,
}

/// `a.b[0]` as `a`, `b`, `0`.
fn keys_of(path: &str) -> Vec<&str> {
    path.split(['.', '[']).map(|key| key.trim_end_matches(']')).collect()
}

fn look_up<'v>(value: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    keys.iter().try_fold(value, |value, key| match value {
        Value::Array(values) => values.get(key.parse::<usize>().ok()?),
        // Prefect looks an index up as a number, and keys of JSON are text, so it finds nothing.
        Value::Object(map) if key.parse::<i64>().is_err() => map.get(*key),
        _ => None,
    })
}

fn look_up_in<'v>(map: &'v Map<String, Value>, keys: &[&str]) -> Option<&'v Value> {
    let (first, rest) = keys.split_first()?;
    look_up(map.get(*first)?, rest)
}
