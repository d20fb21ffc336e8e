//! What a deployment of `prefect.yaml` declares, with templates filled in, by the names of the API.
//!
//! A field that the file does not mention is absent from the result, and stays on the target as people
//! set it there. Where the flow is, and at which reference, is not known here.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use serde_json::{Map, Value, json};

use super::file::{DeploymentSteps, Entry, EntryError, Manifest, ManifestNotice};
use super::python::text_of;
use super::schedule;
use super::template::{
    Placeholder, TemplateError, TemplateReferences, TemplateValues, Templater, placeholders,
};
use flowreg_model::{Field, Fields, either, nearest, secrets};

/// The keys whose templates a worker fills in when a flow runs: a secret may stay one.
const AT_RUN_TIME: &[&str] = &["job_variables"];

/// What may happen to a run beyond the limit (`ConcurrencyLimitStrategy`).
pub(super) const COLLISION_STRATEGIES: &[&str] = &["ENQUEUE", "CANCEL_NEW"];
/// `VersionType`.
const VERSION_TYPES: &[&str] =
    &["prefect:simple", "vcs:github", "vcs:gitlab", "vcs:bitbucket", "vcs:azuredevops", "vcs:git"];

/// A deployment as a file declares it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DeclaredDeployment {
    /// The deployment's name.
    pub name: String,
    /// Where the flow is: `path.py:function` or `package.module.function`, relative to the file.
    pub entrypoint: String,
    /// The declared fields; `triggers` as the file has them.
    pub fields: Fields,
    /// The pull steps. `None`: the file does not mention them; an empty list: nothing is pulled.
    pub pull: Option<Vec<Value>>,
    /// Paths in the fields whose values hold a secret: `job_variables.env.TOKEN`.
    pub secrets: BTreeSet<String>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<ManifestNotice>,
    /// Whether there is a version that only build steps could tell.
    pub lacks_version: bool,
}

impl Manifest {
    /// What templates of the file refer to at the target.
    pub(crate) fn references(&self) -> TemplateReferences {
        let mut references = TemplateReferences::default();
        for entry in &self.entries {
            entry.config.values().for_each(|value| references.add(value));
            // Of the pull steps only the URL is needed, to know whether it is this repository's. The
            // other templates in them are filled in by the worker.
            let steps = self.steps_of(entry).pull.into_iter().flatten();
            let inputs = steps.filter_map(Value::as_object).flat_map(Map::values);
            inputs
                .filter_map(|inputs| inputs.get("repository"))
                .for_each(|url| references.add(url));
        }
        references
    }

    /// Fills in the templates of a deployment. `outputs` are those of its build and push steps, if
    /// they were run.
    ///
    /// # Errors
    /// [`EntryError`] for a template without a value, and for a value that Prefect refuses.
    pub(crate) fn declared(
        &self,
        entry: &Entry,
        values: &TemplateValues,
        outputs: Option<&Map<String, Value>>,
    ) -> Result<DeclaredDeployment, EntryError> {
        let steps = self.steps_of(entry);
        let nothing = Map::new();
        let has_run = outputs.is_some();
        let outputs = outputs.unwrap_or(&nothing);
        let mut templater = Templater::new(values);
        let config = Value::Object(entry.config.clone());
        let config = templater
            .settings(&config, AT_RUN_TIME)
            .map_err(|error| self.template_error(entry, &error))?;
        let Value::Object(mut config) = config else {
            return Err(self.wrong_type(entry, &[], "it"));
        };
        // Triggers have templates for the event that fires them, and are filled in apart.
        let triggers = config.shift_remove("triggers");
        let Value::Object(config) = templater.outputs(&Value::Object(config), outputs) else {
            return Err(self.wrong_type(entry, &[], "it"));
        };
        let has_steps = !steps.build.is_empty() || !steps.push.is_empty();
        if has_steps && !has_run {
            // The steps were not run, so what was dropped from lists may be one of their outputs:
            // refuse it below instead of registering a list without the item.
            templater.missing.append(&mut templater.dropped);
        }
        self.refuse_missing(entry, &templater.missing, &steps, has_run)?;
        let text = |name: &str| match config.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(self.wrong_type(entry, &[name], name)),
        };
        let required = |name: &str| text(name)?.ok_or_else(|| self.empty_text(entry, name));
        let name = required("name")?;
        let mut declared = DeclaredDeployment {
            // Prefect takes a name that ends in `.py` for the name of a file, and uses its stem.
            name: match name.strip_suffix(".py") {
                Some(stem) => stem.rsplit('/').next().unwrap_or(stem).to_owned(),
                None => name,
            },
            entrypoint: required("entrypoint")?,
            fields: Fields::new(),
            pull: None,
            secrets: BTreeSet::new(),
            notices: Vec::new(),
            lacks_version: templater.missing.iter().any(|(path, _)| path == "version"),
        };
        for (path, placeholder) in &templater.dropped {
            let keys: Vec<&str> = path.split('.').collect();
            let message = format!(
                "`{placeholder}` in `{path}` is left out, as Prefect does: a list item that is only \
                 a template is filled in before the outputs of steps are known"
            );
            declared.notices.push(self.notice(entry, &keys, message));
        }
        let fields = &mut declared.fields;
        for field in [Field::Version, Field::Description] {
            fields.extend(text(field.name())?.map(|text| (field, json!(text))));
        }
        if let Some(kind) = text("version_type")? {
            self.choice(entry, &["version_type"], &kind, VERSION_TYPES)?;
        }
        fields.extend(self.tags(entry, &config)?.map(|tags| (Field::Tags, tags)));
        for field in [Field::Paused, Field::EnforceParameterSchema] {
            let present = config.get(field.name()).filter(|value| !value.is_null());
            fields.extend(present.map(|value| (field, value.clone())));
        }
        let parameters = config.get("parameters").filter(|map| !is_empty(map));
        fields.extend(parameters.map(|map| (Field::Parameters, map.clone())));
        self.concurrency(entry, &config, fields)?;
        self.work_pool(entry, &config, fields)?;
        self.schedules(entry, &config, fields)?;
        if let Some(Value::Array(triggers)) = triggers {
            let filled = triggers.into_iter().map(|trigger| trigger_with(trigger, values, outputs));
            fields.set(Field::Triggers, filled.collect::<Value>());
        }
        // After all fields are known, as literals that look like secrets are looked for in them.
        declared.secrets = secret_paths(&templater.secrets, &declared.fields);
        if let Some(pull) = steps.pull {
            let filled = self.pull(entry, pull, &steps, values, outputs, has_run)?;
            declared.notices.extend(self.secrets_for_the_worker(entry, &filled, values));
            declared.pull = Some(filled);
        }
        if config.get("sla").is_some_and(|sla| !is_empty(sla)) {
            let message = "`sla` is not registered: it is for Prefect Cloud only, and set there";
            declared.notices.push(self.notice(entry, &["sla"], message.to_owned()));
        }
        Ok(declared)
    }

    /// The description that a flow's docstring becomes: Prefect fills in templates there, too, and
    /// removes those without a value.
    pub(crate) fn description(
        text: &str,
        values: &TemplateValues,
        outputs: Option<&Map<String, Value>>,
    ) -> Option<String> {
        let nothing = Map::new();
        let filled = Templater::new(values).outputs(&json!(text), outputs.unwrap_or(&nothing));
        match filled {
            Value::Null => None,
            other => Some(text_of(&other)),
        }
    }

    fn tags(
        &self,
        entry: &Entry,
        config: &Map<String, Value>,
    ) -> Result<Option<Value>, EntryError> {
        match config.get("tags") {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) if text.is_empty() => Ok(None),
            Some(Value::Array(tags)) => {
                let tags: Vec<String> =
                    tags.iter().map(text_of).filter(|tag| !tag.trim().is_empty()).collect();
                Ok((!tags.is_empty()).then(|| json!(tags)))
            }
            Some(_) => Err(self.wrong_type(entry, &["tags"], "tags")),
        }
    }

    /// A number, or a mapping that also says what happens to runs beyond it.
    fn concurrency(
        &self,
        entry: &Entry,
        config: &Map<String, Value>,
        fields: &mut Fields,
    ) -> Result<(), EntryError> {
        let (limit, options) = match config.get("concurrency_limit") {
            None | Some(Value::Null) => return Ok(()),
            Some(Value::Object(map)) => {
                let limit = map.get("limit").cloned().unwrap_or_default();
                let mut options = map.clone();
                options.shift_remove("limit");
                options.retain(|_, value| !value.is_null());
                match options.get("collision_strategy") {
                    Some(Value::String(strategy)) if !strategy.is_empty() => {
                        let path = &["concurrency_limit", "collision_strategy"];
                        self.choice(entry, path, strategy, COLLISION_STRATEGIES)?;
                    }
                    _ => {
                        let message =
                            "`concurrency_limit` as a mapping needs a `collision_strategy`";
                        let error = self.error(entry, &["concurrency_limit"], "manifest", message);
                        return Err(error.hint("collision_strategy: ENQUEUE, or CANCEL_NEW"));
                    }
                }
                (limit, Value::Object(options))
            }
            Some(limit) => (limit.clone(), Value::Null),
        };
        let path: &[&str] = match &options {
            Value::Null => &["concurrency_limit"],
            _ => &["concurrency_limit", "limit"],
        };
        self.range(entry, path, &limit, 1..=i64::MAX, "at least 1")?;
        let grace = options.get("grace_period_seconds").unwrap_or(&Value::Null);
        let path = &["concurrency_limit", "grace_period_seconds"];
        self.range(entry, path, grace, 60..=86_400, "between 60 and 86400")?;
        fields.set(Field::ConcurrencyLimit, limit);
        fields.set(Field::ConcurrencyOptions, options);
        Ok(())
    }

    fn work_pool(
        &self,
        entry: &Entry,
        config: &Map<String, Value>,
        fields: &mut Fields,
    ) -> Result<(), EntryError> {
        let Some(Value::Object(pool)) = config.get("work_pool") else { return Ok(()) };
        for (key, field) in
            [("name", Field::WorkPoolName), ("work_queue_name", Field::WorkQueueName)]
        {
            match pool.get(key) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) if text.is_empty() => {}
                Some(Value::String(text)) => fields.set(field, text.as_str()),
                Some(_) => return Err(self.wrong_type(entry, &["work_pool", key], key)),
            }
        }
        let variables = pool.get("job_variables").filter(|map| !is_empty(map));
        fields.extend(variables.map(|map| (Field::JobVariables, map.clone())));
        Ok(())
    }

    /// Adds the schedules. An empty list is registered as such: it says that there are to be none.
    fn schedules(
        &self,
        entry: &Entry,
        config: &Map<String, Value>,
        fields: &mut Fields,
    ) -> Result<(), EntryError> {
        let (key, schedules) = match (config.get("schedules"), config.get("schedule")) {
            (Some(Value::Array(schedules)), _) => ("schedules", schedules.as_slice()),
            (_, Some(schedule @ Value::Object(_))) => ("schedule", std::slice::from_ref(schedule)),
            _ => return Ok(()),
        };
        let schedules = schedules.iter().filter_map(Value::as_object).enumerate();
        let schedules: Result<Vec<Value>, EntryError> = schedules
            .map(|(number, config)| {
                schedule::registered(config).map_err(|error| {
                    let number = number.to_string();
                    let is_listed = key == "schedules";
                    let path = [Some(key), is_listed.then_some(&*number), error.key()];
                    let path: Vec<&str> = path.into_iter().flatten().collect();
                    self.error(entry, &path, "manifest", &error.to_string())
                })
            })
            .collect();
        let schedules = schedules?;
        fields.set(Field::Schedules, schedules);
        Ok(())
    }

    /// Fills in outputs of steps and the environment; the rest is the worker's.
    fn pull(
        &self,
        entry: &Entry,
        pull: &[Value],
        steps: &DeploymentSteps<'_>,
        values: &TemplateValues,
        outputs: &Map<String, Value>,
        has_run: bool,
    ) -> Result<Vec<Value>, EntryError> {
        let mut missing = Vec::new();
        let mut filled = Vec::new();
        let ids = step_ids(steps);
        for step in pull {
            let mut step = step.clone();
            for inputs in step.as_object_mut().into_iter().flat_map(|step| step.values_mut()) {
                let Some(inputs) = inputs.as_object_mut() else { continue };
                for (key, value) in inputs.iter_mut() {
                    // Branch and commit are replaced by the code reference later. A secret stays a
                    // template for the worker: filled in, it would be registered in clear text.
                    if matches!(key.as_str(), "branch" | "commit_sha") || is_secret_key(key) {
                        continue;
                    }
                    *value = Templater::new(values).pull_step(key, value, outputs);
                    missing.extend(placeholders(value).into_iter().filter_map(|found| {
                        let Placeholder::Output(name) = found else { return None };
                        let head = name.split(['.', '[']).next().unwrap_or(name);
                        ids.contains(&head)
                            .then(|| (format!("pull.{key}"), format!("{{{{ {name} }}}}")))
                    }));
                }
            }
            filled.push(step);
        }
        self.refuse_missing(entry, &missing, steps, has_run)?;
        Ok(filled)
    }

    /// Tells of a secret of the environment that is left in the filled in pull steps.
    fn secrets_for_the_worker(
        &self,
        entry: &Entry,
        pull: &[Value],
        values: &TemplateValues,
    ) -> Option<ManifestNotice> {
        // In the place of a secret a variable is left also if it has no value here.
        let is_left = |key: &str, value: &Value| {
            placeholders(value).iter().any(|found| match found {
                Placeholder::Environment(name) => {
                    is_secret_key(key) || values.environment.raw(name).is_some()
                }
                _ => false,
            })
        };
        let named = inputs(pull)
            .filter_map(Value::as_object)
            .flatten()
            .find_map(|(key, value)| is_left(key, value).then_some(key))?;
        let message = format!(
            "`{named}` is left to the worker, which has to have that variable: filled in here, it \
             would be registered in clear text"
        );
        Some(self.notice(entry, &["pull"], message))
    }

    /// Fails for a template without a value: Prefect would silently leave out what it stands for. Only
    /// `version` may lack one: flowreg gives a deployment without a version the tag or the branch.
    fn refuse_missing(
        &self,
        entry: &Entry,
        missing: &[(String, String)],
        steps: &DeploymentSteps<'_>,
        has_run: bool,
    ) -> Result<(), EntryError> {
        let mut missing = missing.iter().filter(|(path, _)| path != "version");
        let Some((path, placeholder)) = missing.next() else { return Ok(()) };
        let more = missing.count();
        let more = if more == 0 { String::new() } else { format!(" (and {more} more)") };
        let keys: Vec<&str> = path.split('.').collect();
        let has_steps = !steps.build.is_empty() || !steps.push.is_empty();
        if has_steps && !has_run && !placeholder.contains('$') {
            let message =
                format!("`{placeholder}` in `{path}` is an output of the build steps{more}");
            let error = self.error(entry, &keys, "build_steps", &message);
            return Err(error.hint("to have the steps run here: flowreg … --run-steps"));
        }
        let message = format!("`{placeholder}` in `{path}` has no value{more}");
        let error = self.error(entry, &keys, "template", &message);
        Err(match placeholder.split_once('$') {
            Some((_, name)) => {
                let name = name.trim_end_matches(['}', ' ']);
                error.hint(format!("set {name} in the environment of this run"))
            }
            None => error.hint(
                "templates are {{ $NAME }}, {{ prefect.variables.name }}, {{ prefect.blocks.type.name }}, \
                 and outputs of build steps",
            ),
        })
    }

    fn template_error(&self, entry: &Entry, error: &TemplateError) -> EntryError {
        let reported = self.error(entry, &[], "template", &error.to_string());
        match error {
            TemplateError::NoBlock { .. } => reported.hint("prefect block ls lists those that are there"),
            TemplateError::Secret { .. } => reported.hint(
                "have the flow load the block itself, or name it in job_variables: a worker fills those in",
            ),
            _ => reported,
        }
    }

    /// Fails for a value that is none of those that Prefect has.
    fn choice(
        &self,
        entry: &Entry,
        path: &[&str],
        value: &str,
        choices: &'static [&'static str],
    ) -> Result<(), EntryError> {
        if choices.contains(&value) {
            return Ok(());
        }
        let name = path.last().copied().unwrap_or_default();
        let shown = shown_choice(value);
        let message = format!("`{name}` is {shown}, and should be {}", either(choices));
        let error = self.error(entry, path, "manifest", &message);
        Err(match nearest(value, choices) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None => error,
        })
    }

    /// Fails for a number that Prefect does not take.
    fn range(
        &self,
        entry: &Entry,
        path: &[&str],
        value: &Value,
        range: RangeInclusive<i64>,
        words: &str,
    ) -> Result<(), EntryError> {
        if value.is_null() || value.as_i64().is_some_and(|number| range.contains(&number)) {
            return Ok(());
        }
        let name = path.last().copied().unwrap_or_default();
        let message = format!("`{name}` has to be {words}");
        Err(self.error(entry, path, "manifest", &message))
    }

    fn wrong_type(&self, entry: &Entry, path: &[&str], name: &str) -> EntryError {
        let message = format!("`{name}` has the wrong type once its template is filled in");
        self.error(entry, path, "manifest", &message)
    }

    fn empty_text(&self, entry: &Entry, name: &str) -> EntryError {
        let message = format!("`{name}` is empty once its template is filled in");
        self.error(entry, &[name], "manifest", &message)
    }
}

/// The ids of build and push steps, whose outputs are filled in before a deployment is registered.
pub(crate) fn step_ids<'s>(steps: &DeploymentSteps<'s>) -> Vec<&'s str> {
    inputs(steps.build).chain(inputs(steps.push)).filter_map(id).collect()
}

/// A value that should have been one of a few words. It may be a secret that got there by mistake.
fn shown_choice(value: &str) -> String {
    if secrets::is_literal(value) { "something else".to_owned() } else { format!("`{value}`") }
}

fn inputs(steps: &[Value]) -> impl Iterator<Item = &Value> {
    steps.iter().filter_map(Value::as_object).flat_map(Map::values)
}

fn id(inputs: &Value) -> Option<&str> {
    inputs.get("id")?.as_str()
}

fn is_secret_key(key: &str) -> bool {
    matches!(key, "access_token" | "credentials") || secrets::is_secret_name(key)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// Fills in a trigger, except its `parameters`: their templates are about the event that fires it.
fn trigger_with(
    mut trigger: Value,
    values: &TemplateValues,
    outputs: &Map<String, Value>,
) -> Value {
    let parameters = trigger.as_object_mut().and_then(|map| map.shift_remove("parameters"));
    let mut filled = Templater::new(values).outputs(&trigger, outputs);
    if let (Some(map), Some(parameters)) = (filled.as_object_mut(), parameters) {
        map.insert("parameters".to_owned(), parameters);
    }
    filled
}

/// The paths of secrets by the names of the fields: those filled in from the environment, and literals
/// of the file that look like one. Output leaves their values out.
pub(super) fn secret_paths(found: &BTreeSet<String>, fields: &Fields) -> BTreeSet<String> {
    let strip = |path: &String| path.strip_prefix("work_pool.").unwrap_or(path).to_owned();
    let mut paths: BTreeSet<String> = found.iter().map(strip).collect();
    for field in [Field::Parameters, Field::JobVariables] {
        if let Some(value) = fields.get(field) {
            add_literals(field.name(), value, &mut paths);
        }
    }
    paths
}

fn add_literals(path: &str, value: &Value, paths: &mut BTreeSet<String>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = format!("{path}.{key}");
                let is_named = secrets::is_secret_name(key)
                    && value
                        .as_str()
                        .is_some_and(|text| !text.is_empty() && !secrets::is_template(text));
                if is_named {
                    paths.insert(path);
                } else {
                    add_literals(&path, value, paths);
                }
            }
        }
        Value::Array(items) if items.iter().any(holds_literal) => {
            paths.insert(path.to_owned());
        }
        Value::String(text) if secrets::is_literal(text) => {
            paths.insert(path.to_owned());
        }
        _ => {}
    }
}

fn holds_literal(value: &Value) -> bool {
    match value {
        Value::String(text) => secrets::is_literal(text),
        Value::Array(items) => items.iter().any(holds_literal),
        Value::Object(map) => map.values().any(holds_literal),
        _ => false,
    }
}
