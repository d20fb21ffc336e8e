//! What a call is given: arguments by name, checked as Prefect's client does, in the form that
//! `prefect.yaml` has for them.

use flowreg_model::DeployMethod;
use serde_json::{Map, Number, Value as Json, json};

use super::{Obstacle, given, open_arguments, schedules};
use crate::interpreter::program::{Deploying, RecordedCall};
use crate::number::float_repr;
use crate::value::{Keywords, Made, PrefectCall, Value, keyword, set_keyword};

/// Arguments that can be given by position, as far as Prefect 2 and 3 have the same order.
const POSITIONS: &[&str] = &["name", "interval", "cron", "rrule", "paused"];
const POSITIONS_OF_DEPLOY: &[&str] = &[
    "name",
    "work_pool_name",
    "image",
    "build",
    "push",
    "work_queue_name",
    "job_variables",
    "interval",
    "cron",
    "rrule",
    "paused",
];

/// What all three methods take.
const NAMES: &[&str] = &[
    "name",
    "interval",
    "cron",
    "rrule",
    "paused",
    "schedule",
    "schedules",
    "parameters",
    "triggers",
    "description",
    "tags",
    "version",
    "enforce_parameter_schema",
    "entrypoint_type",
];
const NAMES_OF_SERVE: &[&str] =
    &["global_limit", "pause_on_shutdown", "print_starting_message", "limit", "webserver"];
const NAMES_OF_TO_DEPLOYMENT: &[&str] = &[
    "concurrency_limit",
    "version_type",
    "work_pool_name",
    "work_queue_name",
    "job_variables",
    "_sla",
];
const NAMES_OF_DEPLOY: &[&str] = &["image", "build", "push", "print_next_steps", "ignore_warnings"];

/// What `prefect.deploy()` and `apply()` say of the deployments that they are given.
const NAMES_OF_DEPLOY_ALL: &[&str] =
    &["work_pool_name", "image", "build", "push", "print_next_steps_message", "ignore_warnings"];
const NAMES_OF_APPLY: &[&str] = &["work_pool_name", "image"];

/// How deeply an argument may be nested, and how many parts it may have.
const DEEPEST: u32 = 60;
const MOST_PARTS: u32 = 2_000;

/// A call that deploys what `to_deployment` made.
pub(super) struct Consumer<'c, 'a> {
    pub call: &'c RecordedCall<'a>,
    /// Whether it is not known which deployments it gets.
    is_vague: bool,
}

impl<'c, 'a> Consumer<'c, 'a> {
    pub(super) fn of(call: &'c RecordedCall<'a>) -> Self {
        Self { call, is_vague: false }
    }

    pub(super) fn vague(call: &'c RecordedCall<'a>) -> Self {
        Self { call, is_vague: true }
    }

    fn name(&self) -> &'static str {
        match self.call.what {
            Deploying::ServeAll => "serve",
            Deploying::Apply => "apply",
            _ => "deploy",
        }
    }
}

/// The arguments of one call.
pub(super) struct Arguments<'r, 'a> {
    pub method: DeployMethod,
    pub call: &'r RecordedCall<'a>,
    pub consumer: Option<Consumer<'r, 'a>>,
}

type Read<T> = Result<T, Obstacle>;

impl<'a> Arguments<'_, 'a> {
    /// Whether the call makes a deployment that nothing deploys, as far as can be seen.
    pub(super) fn is_only_made(&self) -> bool {
        self.method == DeployMethod::ToDeployment && self.consumer.is_none()
    }

    /// Whether it is not known what deploys what the call makes.
    pub(super) fn is_vague(&self) -> bool {
        self.consumer.as_ref().is_some_and(|consumer| consumer.is_vague)
    }

    /// The name of the deployment, if one is given.
    pub(super) fn name(&self) -> Read<Option<String>> {
        let name = keyword(&self.call.keywords, "name").or_else(|| self.call.arguments.first());
        match name {
            None | Some(Value::None) => Ok(None),
            Some(Value::Str(text)) if text.is_empty() => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text.to_string())),
            Some(value) => Err(self.unfit("name", value, "a text")),
        }
    }

    /// Whether the call certainly gives no name.
    pub(super) fn has_no_name(&self) -> bool {
        matches!(self.name(), Ok(None)) && open_arguments(&self.call.keywords).is_none()
    }

    /// What the call declares, by the keys of `prefect.yaml`. Without a `name` it is the flow's.
    pub(super) fn declared(&self) -> Read<Map<String, Json>> {
        if let Some(consumer) = self.consumer.as_ref().filter(|_| self.is_vague()) {
            let why = format!("which deployments `{}()` is given is not known", consumer.name());
            return Err(Obstacle { why, at: Some(consumer.call.at) });
        }
        let mut keywords = self.bound()?;
        let mut declared = Map::new();
        self.pass_on(&mut keywords)?;
        if self.method == DeployMethod::Serve {
            keywords.retain(|(name, _)| {
                !NAMES_OF_SERVE.contains(&&**name) || &**name == "global_limit"
            });
        }
        let keywords = &keywords;
        match self.name()? {
            Some(name) => {
                declared.insert("name".to_owned(), json!(self.plain_name(name)?));
            }
            None if self.method == DeployMethod::Serve => {}
            None => return Err(Obstacle::new("Prefect wants a name for the deployment")),
        }
        // Mostly it is the commit of a build, and then the reference is known better here.
        match given(keywords, "version") {
            Some(value) if value.find_unknown(self.call.at).is_some() => {
                declared.insert("version".to_owned(), Json::Null);
            }
            _ => self.insert_text(&mut declared, keywords, "version")?,
        }
        self.insert_text(&mut declared, keywords, "description")?;
        if let Some(tags) = given(keywords, "tags") {
            declared.insert("tags".to_owned(), self.tags(tags)?);
        }
        for name in ["paused", "enforce_parameter_schema"] {
            match keyword(keywords, name) {
                None => {}
                Some(Value::None) if name == "paused" => {}
                Some(Value::Bool(flag)) => {
                    declared.insert(name.to_owned(), json!(flag));
                }
                Some(value) => return Err(self.unfit(name, value, "`True` or `False`")),
            }
        }
        if let Some(parameters) = given(keywords, "parameters") {
            declared.insert("parameters".to_owned(), self.object("parameters", parameters)?);
        }
        if let Some(limit) =
            given(keywords, "concurrency_limit").or(given(keywords, "global_limit"))
        {
            declared.insert("concurrency_limit".to_owned(), self.limit(limit)?);
        }
        if let Some(schedules) = schedules::of(self, keywords)? {
            declared.insert("schedules".to_owned(), json!(schedules));
        }
        Self::refuse_unread(keywords)?;
        let pool = self.work_pool(keywords)?;
        if !pool.is_empty() {
            declared.insert("work_pool".to_owned(), Json::Object(pool));
        }
        Ok(declared)
    }

    fn insert_text(
        &self,
        declared: &mut Map<String, Json>,
        keywords: &Keywords<'a>,
        name: &str,
    ) -> Read<()> {
        if let Some(text) = self.text(keywords, name)? {
            declared.insert(name.to_owned(), json!(text));
        }
        Ok(())
    }

    /// The arguments by their names.
    fn bound(&self) -> Read<Keywords<'a>> {
        let (positions, names): (_, Vec<&[&str]>) = match self.method {
            DeployMethod::Deploy => {
                let names = vec![NAMES, NAMES_OF_TO_DEPLOYMENT, NAMES_OF_DEPLOY];
                (POSITIONS_OF_DEPLOY, names)
            }
            DeployMethod::Serve => (POSITIONS, vec![NAMES, NAMES_OF_SERVE]),
            DeployMethod::ToDeployment => (POSITIONS, vec![NAMES, NAMES_OF_TO_DEPLOYMENT]),
        };
        let method = self.method.name();
        if let Some(value) = open_arguments(&self.call.keywords) {
            return Err(self.unknown_or("what it is given", value, "its arguments are not known"));
        }
        let mut bound = Keywords::new();
        for (number, value) in self.call.arguments.iter().enumerate() {
            let Some(name) = positions.get(number) else {
                let last = positions.last().copied().unwrap_or_default();
                return Err(Obstacle::new(format!(
                    "`{method}()` is given an argument by position after `{last}`, and Prefect 2 \
                     and 3 have different ones there: name it"
                )));
            };
            if keyword(&self.call.keywords, name).is_some() {
                return Err(Obstacle::new(format!("`{method}()` is given `{name}` twice")));
            }
            set_keyword(&mut bound, name, value.clone());
        }
        for (name, value) in &self.call.keywords {
            if !names.iter().any(|names| names.contains(&&**name)) {
                let why = format!("`{method}()` of Prefect 3 has no argument `{name}`");
                return Err(Obstacle::new(why));
            }
            set_keyword(&mut bound, name, value.clone());
        }
        Ok(bound)
    }

    /// Adds what the call says that deploys the deployment.
    fn pass_on(&self, keywords: &mut Keywords<'a>) -> Read<()> {
        let Some(consumer) = &self.consumer else { return Ok(()) };
        let names = match consumer.call.what {
            // A process that serves a deployment runs it itself, whatever its pool is.
            Deploying::ServeAll => {
                keywords.retain(|(name, _)| &**name != "work_pool_name");
                return Ok(());
            }
            Deploying::Apply => NAMES_OF_APPLY,
            _ => NAMES_OF_DEPLOY_ALL,
        };
        let called = consumer.name();
        if consumer.call.what == Deploying::Apply && !consumer.call.arguments.is_empty() {
            return Err(Obstacle::new("`apply()` is given arguments by position: name them"));
        }
        if open_arguments(&consumer.call.keywords).is_some() {
            let why = format!("the arguments of `{called}()` are not known");
            return Err(Obstacle { why, at: Some(consumer.call.at) });
        }
        for (name, value) in &consumer.call.keywords {
            if !names.contains(&&**name) {
                let why = format!("`{called}()` of Prefect 3 has no argument `{name}`");
                return Err(Obstacle { why, at: Some(consumer.call.at) });
            }
            if !matches!(value, Value::None) {
                set_keyword(keywords, name, value.clone());
            }
        }
        if consumer.call.what == Deploying::Apply {
            // It uses an image as it is.
            set_keyword(keywords, "build", Value::Bool(false));
        }
        Ok(())
    }

    /// Refuses what has no place in a declaration.
    fn refuse_unread(keywords: &Keywords<'a>) -> Read<()> {
        for (name, what) in [
            ("triggers", "triggers are not read: declare them in prefect.yaml"),
            ("_sla", "an SLA is not read: it is for Prefect Cloud only"),
        ] {
            match given(keywords, name) {
                None => {}
                Some(Value::List(items) | Value::Tuple(items)) if items.is_empty() => {}
                Some(_) => return Err(Obstacle::new(what)),
            }
        }
        match given(keywords, "entrypoint_type") {
            None => Ok(()),
            Some(Value::Symbol(path)) if path.ends_with("EntrypointType.FILE_PATH") => Ok(()),
            Some(_) => Err(Obstacle::new(
                "`entrypoint_type` is not read: flowreg registers the path of the file",
            )),
        }
    }

    fn work_pool(&self, keywords: &Keywords<'a>) -> Read<Map<String, Json>> {
        let mut pool = Map::new();
        for (name, key) in [("work_pool_name", "name"), ("work_queue_name", "work_queue_name")] {
            if let Some(text) = self.text(keywords, name)? {
                pool.insert(key.to_owned(), json!(text));
            }
        }
        if let Some(variables) = given(keywords, "job_variables") {
            let variables = self.object("job_variables", variables)?;
            pool.insert("job_variables".to_owned(), variables);
        }
        if let Some(image) = given(keywords, "image") {
            let image = self.image(image, keywords)?;
            let variables = pool.entry("job_variables").or_insert_with(|| json!({}));
            if let Some(variables) = variables.as_object_mut() {
                variables.insert("image".to_owned(), json!(image));
            }
        }
        let is_served = self.method == DeployMethod::Serve
            || self.consumer.as_ref().is_some_and(|one| one.call.what == Deploying::ServeAll);
        let of_pool = ["work_queue_name", "job_variables"];
        match of_pool
            .into_iter()
            .find(|key| pool.get(*key).is_some_and(|value| *value != json!({})))
        {
            Some(key) if is_served => Err(Obstacle::new(format!(
                "Prefect refuses `{key}` for a deployment that is served"
            ))),
            _ => Ok(pool),
        }
    }

    /// The reference of an image that is there already.
    fn image(&self, image: &Value<'a>, keywords: &Keywords<'a>) -> Read<String> {
        match keyword(keywords, "build") {
            Some(Value::Bool(false)) => {}
            Some(Value::Bool(true)) | None => {
                return Err(Obstacle::new(
                    "it builds an image: with `build=False` the image is used as it is",
                ));
            }
            Some(value) => return Err(self.unfit("build", value, "`True` or `False`")),
        }
        let text = match image {
            Value::Str(text) => text.to_string(),
            Value::Made(made) => match &**made {
                Made::Call(call) if call.path.ends_with(".DockerImage") => {
                    self.docker_image(call)?
                }
                _ => return Err(self.unfit("image", image, "a text or a `DockerImage`")),
            },
            _ => return Err(self.unfit("image", image, "a text or a `DockerImage`")),
        };
        let (path, last) = text.rsplit_once('/').unwrap_or(("", &text));
        let is_tagged = last
            .split_once(':')
            .is_some_and(|(name, tag)| !name.is_empty() && !tag.is_empty() && !tag.contains(':'));
        if path.is_empty() {
            return Err(Obstacle::new(format!(
                "a setting of Prefect's client may put a registry before the image `{text}`: write \
                 it with its registry"
            )));
        }
        if !is_tagged || text.contains('@') {
            return Err(Obstacle::new(format!(
                "Prefect's client makes a tag of its own for the image `{text}`: write it with a tag"
            )));
        }
        Ok(text)
    }

    fn docker_image(&self, call: &PrefectCall<'a>) -> Read<String> {
        let mut keywords = Keywords::new();
        for (name, value) in ["name", "tag"].iter().zip(&call.arguments) {
            set_keyword(&mut keywords, name, value.clone());
        }
        keywords.extend(call.keywords.iter().cloned());
        if call.arguments.len() > 2 || open_arguments(&keywords).is_some() {
            return Err(Obstacle::new("the arguments of `DockerImage` are not known"));
        }
        let name = self.text(&keywords, "name")?;
        let name = name.ok_or_else(|| Obstacle::new("`DockerImage` has no name"))?;
        Ok(match self.text(&keywords, "tag")? {
            Some(tag) => format!("{name}:{tag}"),
            None => name,
        })
    }

    fn limit(&self, limit: &Value<'a>) -> Read<Json> {
        let Value::Made(made) = limit else {
            return match limit {
                Value::Int(_) => self.json("concurrency_limit", limit),
                other => Err(self.unfit("concurrency_limit", other, "a number")),
            };
        };
        let Made::Call(call) = &**made else {
            return Err(self.unfit("concurrency_limit", limit, "a number"));
        };
        if !call.path.ends_with(".ConcurrencyLimitConfig") || !call.arguments.is_empty() {
            return Err(self.unfit("concurrency_limit", limit, "a number"));
        }
        let mut options = Map::new();
        options.insert("collision_strategy".to_owned(), json!("ENQUEUE"));
        for (name, value) in &call.keywords {
            let value = match (&**name, value) {
                ("collision_strategy", Value::Symbol(path)) => {
                    json!(path.rsplit('.').next().unwrap_or_default())
                }
                ("limit" | "grace_period_seconds" | "collision_strategy", value) => {
                    self.json(name, value)?
                }
                (other, _) => {
                    let why = format!("`ConcurrencyLimitConfig` has no field `{other}`");
                    return Err(Obstacle::new(why));
                }
            };
            options.insert(name.to_string(), value);
        }
        Ok(Json::Object(options))
    }

    /// A name as Prefect takes it: one that looks like a file stands for the file's stem.
    fn plain_name(&self, name: String) -> Read<String> {
        if self.method == DeployMethod::Serve
            && let Some(letter) = name.chars().find(|letter| matches!(letter, '/' | '%'))
        {
            return Err(Obstacle::new(format!(
                "Prefect refuses `{letter}` in the name of a deployment that is served"
            )));
        }
        if let Some(stem) = name.strip_suffix(".py") {
            return Ok(stem.rsplit('/').next().unwrap_or(stem).to_owned());
        }
        if self.method == DeployMethod::Serve && name.trim_start_matches('.').contains('.') {
            return Err(Obstacle::new(
                "what Prefect makes of a name with a dot depends on whether it is a file",
            ));
        }
        Ok(name)
    }

    fn tags(&self, tags: &Value<'a>) -> Read<Json> {
        let (Value::List(items) | Value::Tuple(items)) = tags else {
            return Err(self.unfit("tags", tags, "a list of texts"));
        };
        let mut texts = Vec::new();
        for item in items.iter() {
            match item {
                // Prefect drops tags without any letter.
                Value::Str(text) if text.trim().is_empty() => {}
                Value::Str(text) => texts.push(json!(&**text)),
                other => return Err(self.unfit("tags", other, "a list of texts")),
            }
        }
        Self::unchanged("tags", tags)?;
        Ok(Json::Array(texts))
    }

    pub(super) fn text(&self, keywords: &Keywords<'a>, name: &str) -> Read<Option<String>> {
        match given(keywords, name) {
            None => Ok(None),
            Some(Value::Str(text)) if text.is_empty() => Ok(None),
            Some(Value::Str(text)) => Ok(Some(text.to_string())),
            Some(value) => Err(self.unfit(name, value, "a text")),
        }
    }

    pub(super) fn object(&self, name: &str, value: &Value<'a>) -> Read<Json> {
        match value {
            Value::Dict(_) => self.json(name, value),
            other => Err(self.unfit(name, other, "a dictionary")),
        }
    }

    /// A value of an argument as the client sends it.
    pub(super) fn json(&self, name: &str, value: &Value<'a>) -> Read<Json> {
        Self::unchanged(name, value)?;
        self.part(name, value, 0, &mut MOST_PARTS.clone())
    }

    fn unchanged(name: &str, value: &Value<'a>) -> Read<()> {
        match value.find_lost() {
            Some(unknown) => Err(Obstacle::of(&format!("`{name}`"), &unknown)),
            None => Ok(()),
        }
    }

    fn part(&self, name: &str, value: &Value<'a>, depth: u32, budget: &mut u32) -> Read<Json> {
        let too_large = || Obstacle::new(format!("`{name}` is too large"));
        *budget = budget.checked_sub(1).ok_or_else(too_large)?;
        if depth > DEEPEST {
            return Err(too_large());
        }
        Ok(match value {
            Value::None => Json::Null,
            Value::Bool(flag) => json!(flag),
            Value::Str(text) => json!(&**text),
            Value::Int(int) => {
                let number = int.to_string().parse::<Number>();
                Json::Number(number.map_err(|_| too_large())?)
            }
            Value::Float(float) if float.is_finite() => {
                let number = float_repr(*float).parse::<Number>();
                Json::Number(number.map_err(|_| too_large())?)
            }
            Value::List(items) | Value::Tuple(items) => {
                let items = items.iter().map(|item| self.part(name, item, depth + 1, budget));
                Json::Array(items.collect::<Read<_>>()?)
            }
            Value::Dict(entries) => {
                let mut map = Map::new();
                for (key, value) in entries.iter() {
                    let Value::Str(key) = key else {
                        return Err(self.unfit(name, key, "a dictionary with texts as keys"));
                    };
                    map.insert(key.to_string(), self.part(name, value, depth + 1, budget)?);
                }
                Json::Object(map)
            }
            other => {
                return Err(self.unfit(name, other, "of texts, numbers, lists and dictionaries"));
            }
        })
    }

    /// Why the value of an argument can't be taken.
    pub(super) fn unfit(&self, name: &str, value: &Value<'a>, wanted: &str) -> Obstacle {
        self.unknown_or(&format!("`{name}`"), value, &format!("`{name}` is not {wanted}"))
    }

    fn unknown_or(&self, subject: &str, value: &Value<'a>, otherwise: &str) -> Obstacle {
        match value.find_unknown(self.call.at) {
            Some(unknown) => Obstacle::of(subject, &unknown),
            None => Obstacle::new(otherwise),
        }
    }
}
