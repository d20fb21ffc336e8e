//! Builds the registrations that should be, from flows at a code reference and from what
//! `prefect.yaml` and `flowreg.toml` declare. What a target holds of them is not known here.

use std::collections::BTreeMap;

use semver::Version;
use serde_json::{Map, Value, json};

use super::layers::Layers;
use super::triggers::{self, TriggerError};
use crate::manifest::pull::{self, CheckOut, GitClone};

use crate::registration::names;
use crate::settings::{Access, ChannelTable, FlowTable, ScheduleTable, Settings, Switch};
use flowreg_model::{
    Channel, CodeReference, DeploymentName, Field, Fields, Flow, Marks, NameError, Registration,
    Schedule, ScheduleRule,
};

/// The name of a flow's deployment if nothing declares one.
const DEFAULT_DEPLOYMENT: &str = "default";
/// The server fills in the moment of the write for an interval without an anchor, and the
/// registration would differ at each run (docs/facts/prefect.md, "Schedules").
const DEFAULT_ANCHOR: &str = "2020-01-01T00:00:00Z";

/// What a worker checks out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pinned {
    /// The tag, by name.
    Tag,
    /// The commit, by its full id.
    Commit,
    /// Nothing: whatever the branch points at when the flow runs.
    Branch,
}

/// The code that all registrations of a run are made for, and how workers get it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CodeSource<'a> {
    /// The code reference.
    pub reference: &'a CodeReference,
    /// What workers check out.
    pub pinned: Pinned,
    /// The URL that workers clone from, without credentials.
    pub repository: &'a str,
    /// Who registers.
    pub author: Option<&'a str>,
    /// Whether the commit has submodules that workers are to clone.
    pub submodules: bool,
}

impl<'a> CodeSource<'a> {
    /// The clone that a worker makes before a run.
    pub(crate) fn git_clone(&self, access: Option<&'a Access>) -> GitClone<'a> {
        let check_out = match self.pinned {
            Pinned::Commit => CheckOut::Commit(self.reference.commit.as_str()),
            Pinned::Tag | Pinned::Branch => CheckOut::Name(self.reference.name.as_str()),
        };
        let access = access.map(|access| match access {
            Access::Token(template) => ("access_token", template.as_str()),
            Access::Credentials(template) => ("credentials", template.as_str()),
        });
        GitClone { repository: self.repository, check_out, access, submodules: self.submodules }
    }
}

/// Why a flow can't become a registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BuildError {
    /// The deployment's name is not one that Prefect takes.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A trigger is not one that Prefect takes.
    #[error(transparent)]
    Trigger(#[from] TriggerError),
    /// The server's Prefect finds only names of a module itself, and no attributes of its classes.
    #[error(
        "Prefect {version} can't load `{object}`, so every run would fail: an entrypoint that leads \
         into a class or another module needs Prefect {CLASSES} or later"
    )]
    Attribute {
        /// The object of the entrypoint.
        object: String,
        /// The server's Prefect.
        version: Version,
    },
}

/// The first Prefect that follows attributes in an entrypoint (docs/facts/python.md, "Loading a script").
const CLASSES: Version = Version::new(3, 4, 1);

impl BuildError {
    /// The word that JSON uses.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Name(_) => "deployment_name",
            Self::Trigger(_) => "trigger",
            Self::Attribute { .. } => "entrypoint",
        }
    }

    /// Whether the same declaration is right for a newer Prefect.
    pub(crate) fn is_of_version(&self) -> bool {
        matches!(self, Self::Attribute { .. })
    }

    /// What to do, where that is not plain.
    pub(crate) fn hint(&self) -> Option<String> {
        match self {
            Self::Name(_) => None,
            Self::Trigger(error) => error.hint(),
            Self::Attribute { object, .. } => Some(format!(
                "give it a name in the module, such as `job = {object}`, and name that in \
                 prefect.yaml: path/to/file.py:job"
            )),
        }
    }
}

/// Whether the server's Prefect can load the object of an entrypoint.
///
/// # Errors
/// [`BuildError::Attribute`] if it can't.
pub(crate) fn check_object(object: &str, version: &Version) -> Result<(), BuildError> {
    if !object.contains('.') || *version >= CLASSES {
        return Ok(());
    }
    Err(BuildError::Attribute { object: object.to_owned(), version: version.clone() })
}

/// What a `prefect.yaml` says about a deployment, ready to be registered.
#[derive(Debug, Clone)]
pub(crate) struct Declaration {
    /// The deployment's name, without a branch.
    pub name: String,
    /// The entrypoint as it is registered, right from where a run starts.
    pub entrypoint: String,
    /// The declared fields; `triggers` as the file has them.
    pub fields: Fields,
    /// The pull steps, with the code reference in them.
    pub pull_steps: Vec<Value>,
    /// Where fields are declared, `prefect.yaml:12`, by path: `job_variables.env.X`.
    pub origins: BTreeMap<String, String>,
}

/// A registration, and where its fields come from.
#[derive(Debug, Clone)]
pub(crate) struct Built {
    /// The registration.
    pub registration: Registration,
    /// Where each field is declared, by path. A path without an origin of its own has that of the
    /// nearest path above it.
    pub origins: BTreeMap<String, String>,
}

/// Builds the registration of one flow: what `prefect.yaml` declares, if there is one, and what
/// `flowreg.toml` does.
///
/// # Errors
/// [`BuildError::Name`] if the deployment's name is one that Prefect refuses,
/// [`BuildError::Trigger`] for a trigger that it would not take.
pub(crate) fn build(
    flow: &Flow,
    declaration: Option<Declaration>,
    source: &CodeSource<'_>,
    settings: &Settings,
) -> Result<Built, BuildError> {
    let nothing = FlowTable::default();
    let own = settings.flow(flow.name.as_str()).unwrap_or(&nothing);
    let declared_name = declaration.as_ref().map(|declaration| declaration.name.clone());
    let deployment = deployment_name(declared_name.as_deref(), own, source.reference)?;
    let (fields, origins) = fields(flow, declaration, source, settings, own, &deployment)?;
    // Which parameters the source leaves open is noted also where Python has told all of it.
    let mut open_schema = flow.open_schema.clone();
    if let Some(open) = open_schema.as_mut().filter(|_| fields.has(Field::ParameterOpenapiSchema)) {
        open.schema = Value::Null;
    }
    let registration = Registration {
        flow: flow.name.clone(),
        deployment,
        entrypoint: flow.entrypoint.clone(),
        reference: source.reference.clone(),
        marks: Marks::new(
            source.repository,
            source.reference,
            source.pinned != Pinned::Branch,
            source.author,
        ),
        fields,
        open_schema,
        upload: None,
    };
    Ok(Built { registration, origins })
}

/// Where fields come from, by path.
type Origins = BTreeMap<String, String>;

/// A name in `prefect.yaml` is for one deployment of the flow, one in `flowreg.toml` for the flow.
fn deployment_name(
    declared: Option<&str>,
    own: &FlowTable,
    reference: &CodeReference,
) -> Result<DeploymentName, NameError> {
    let own = own.deployment.as_ref().map(|name| name.get_ref().as_str());
    let name = declared.or(own).unwrap_or(DEFAULT_DEPLOYMENT);
    match (reference.channel, reference.branch()) {
        (Channel::Feature, Some(branch)) => names::feature_name(name, branch),
        _ => name.parse(),
    }
}

fn fields(
    flow: &Flow,
    declaration: Option<Declaration>,
    source: &CodeSource<'_>,
    settings: &Settings,
    own: &FlowTable,
    deployment: &DeploymentName,
) -> Result<(Fields, Origins), BuildError> {
    let reference = source.reference;
    let channel = settings.channel(reference.channel);
    let mut layers = Layers::default();
    let channel_origin = format!("flowreg.toml [{}]", reference.channel.as_str());
    let flow_origin = format!("flowreg.toml [flow.\"{}\"]", flow.name);
    let at_flow = format!("{}:{}", flow.entrypoint.path(), flow.line);
    let is_feature = reference.channel == Channel::Feature;
    // A declared deployment has its own pull steps, with the reference in them already, and an
    // entrypoint that fits the directory in which they end. A flow without one is cloned and started
    // in the root of the clone.
    let (entrypoint, pull_steps, manifest) = if let Some(declaration) = declaration {
        let Declaration { entrypoint, fields, pull_steps, origins, .. } = declaration;
        (json!(entrypoint), json!(pull_steps), Some((fields, origins)))
    } else {
        let step = pull::step(&source.git_clone(settings.repository.access.as_ref()));
        (json!(flow.entrypoint), json!([step]), None)
    };
    layers.set(Field::Version, json!(version(source)), REFERENCE);
    layers.set(Field::Entrypoint, entrypoint, &at_flow);
    // A description that is not known for sure is not declared, so that the target keeps its own.
    if !is_inexact(flow, Field::Description) {
        layers.set(Field::Description, json!(flow.description), &at_flow);
    }
    // Without a schema that is known to be right, the target keeps the one it has.
    let schema = flow.parameter_openapi_schema.clone();
    if let Some(schema) = schema.filter(|_| !is_inexact(flow, Field::ParameterOpenapiSchema)) {
        layers.set(Field::ParameterOpenapiSchema, schema, &at_flow);
    }
    // On mainline a channel's settings are defaults, which a deployment's own declaration
    // overrides. For a feature branch it is the other way round: its guests shall run where
    // `[feature]` says, and not in the production pool that the deployment names.
    let channel_fields = channel_fields(channel, reference);
    if !is_feature {
        layers.add(&channel_fields, |_| channel_origin.clone());
    }
    if let Some((mut fields, origins)) = manifest {
        // The version names the code that runs. Where that is pinned, the pin is the version.
        if source.pinned != Pinned::Branch {
            fields.remove(Field::Version);
        }
        layers.add(&fields, |path| nearest_origin(&origins, path));
        // Also the origins of paths that hold no value: an empty mapping is declared, too.
        layers.origins.extend(origins);
    }
    if is_feature {
        layers.add(&channel_fields, |_| channel_origin.clone());
    }
    layers.add(&flow_fields(own, reference), |_| flow_origin.clone());
    let forced = is_active_by_default(reference, channel);
    // After all layers: which schedules and triggers there are is known only now.
    let Layers { mut fields, mut origins } = layers;
    declare_schedules(&mut fields, forced);
    if let Some(Value::Array(triggers)) = fields.get_mut(Field::Triggers) {
        let mut normal = triggers::normalised(deployment.as_str(), triggers)?;
        if forced == Some(false) {
            normal.iter_mut().filter_map(Value::as_object_mut).for_each(|trigger| {
                trigger.insert("enabled".to_owned(), json!(false));
            });
        }
        *triggers = normal;
    }
    // Last, and not as a layer: nothing that is declared may replace the code reference.
    fields.set(Field::PullSteps, pull_steps);
    origins.insert(Field::PullSteps.name().to_owned(), REFERENCE.to_owned());
    Ok((fields, origins))
}

/// The origin of the version and of the pull steps, which follow from the code reference alone.
const REFERENCE: &str = "the code reference";

fn nearest_origin(origins: &BTreeMap<String, String>, path: &str) -> String {
    origin_of(origins, path).unwrap_or_default().to_owned()
}

/// The origin of a field, or of the nearest above it.
pub(crate) fn origin_of<'o>(origins: &'o BTreeMap<String, String>, path: &str) -> Option<&'o str> {
    let mut path = path;
    loop {
        if let Some(origin) = origins.get(path) {
            return Some(origin);
        }
        path = path.rsplit_once(['.', '['])?.0;
    }
}

fn channel_fields(channel: &ChannelTable, reference: &CodeReference) -> Fields {
    let ChannelTable { work_pool, work_queue, tags, job_variables, .. } = channel;
    toml_fields(
        work_pool.as_deref(),
        work_queue.as_deref(),
        tags.as_deref(),
        job_variables.clone(),
        reference,
    )
}

fn flow_fields(own: &FlowTable, reference: &CodeReference) -> Fields {
    let mut fields = toml_fields(
        own.work_pool.as_deref(),
        own.work_queue.as_deref(),
        own.tags.as_deref(),
        own.job_variables.clone(),
        reference,
    );
    let mut declare = |field: Field<'static>, value: Option<Value>| {
        fields.extend(value.map(|value| (field, value)));
    };
    declare(Field::Description, own.description.as_ref().map(|text| json!(text)));
    declare(Field::Parameters, own.parameters.as_ref().map(|map| json!(map)));
    declare(
        Field::Schedules,
        own.schedules
            .as_ref()
            .map(|tables| schedules_of(tables.iter().map(toml::Spanned::get_ref))),
    );
    fields
}

fn toml_fields(
    work_pool: Option<&str>,
    work_queue: Option<&str>,
    tags: Option<&[String]>,
    job_variables: Option<Map<String, Value>>,
    reference: &CodeReference,
) -> Fields {
    let mut fields = Fields::new();
    let mut declare = |field: Field<'static>, value: Option<Value>| {
        fields.extend(value.map(|value| (field, value)));
    };
    declare(Field::Tags, tags.filter(|tags| !tags.is_empty()).map(|tags| json!(tags)));
    declare(Field::WorkPoolName, work_pool.map(|pool| json!(pool)));
    declare(Field::WorkQueueName, work_queue.map(|queue| json!(queue)));
    let variables = job_variables.filter(|map| !map.is_empty()).map(|map| {
        let mut variables = Value::Object(map);
        fill_in(&mut variables, reference);
        variables
    });
    declare(Field::JobVariables, variables);
    fields
}

fn is_inexact(flow: &Flow, field: Field<'_>) -> bool {
    flow.inexact.iter().any(|inexact| inexact.what == field.name())
}

fn version<'a>(source: &CodeSource<'a>) -> &'a str {
    match source.pinned {
        // A mainline branch that is pinned to a commit without a tag: the branch's name would stand
        // for other code tomorrow.
        Pinned::Commit if source.reference.tag().is_none() => source.reference.commit.as_str(),
        _ => source.reference.name.as_str(),
    }
}

/// Fills in `{tag}`, `{branch}` and `{commit}`.
///
/// Both `{tag}` and `{branch}` stand for the reference's name, so that one line serves both
/// channels; `/` becomes `-`, as image tags can't hold it. Other braces are left alone.
pub(super) fn fill_in(value: &mut Value, reference: &CodeReference) {
    match value {
        Value::String(text) if text.contains('{') => {
            let name = reference.name.as_str().replace('/', "-");
            *text = text
                .replace("{tag}", &name)
                .replace("{branch}", &name)
                .replace("{commit}", reference.commit.as_str());
        }
        Value::Array(values) => values.iter_mut().for_each(|value| fill_in(value, reference)),
        Value::Object(map) => map.values_mut().for_each(|value| fill_in(value, reference)),
        _ => {}
    }
}

/// Whether schedules and triggers are switched off whatever is declared for them: `Some(false)`, or
/// `None` if the declarations count.
///
/// Registrations of feature branches run beside production: with their schedules on, each would do
/// production's work a second time. So they are off unless `[feature] schedules = "on"`.
pub(super) fn is_active_by_default(
    reference: &CodeReference,
    channel: &ChannelTable,
) -> Option<bool> {
    let switch = channel.schedules.unwrap_or(match reference.channel {
        Channel::Mainline => Switch::On,
        Channel::Feature => Switch::Off,
    });
    (switch == Switch::Off).then_some(false)
}

/// Declares an empty list where no schedules are declared, as an absent field would leave those of
/// an earlier registration on. `forced` overrides the state of each.
fn declare_schedules(fields: &mut Fields, forced: Option<bool>) {
    let schedules = fields.get_or_set(Field::Schedules, json!([]));
    for schedule in schedules.as_array_mut().into_iter().flatten() {
        let Some(schedule) = schedule.as_object_mut() else { continue };
        if let Some(active) = forced {
            schedule.insert("active".to_owned(), json!(active));
        }
    }
}

fn schedules_of<'t>(tables: impl Iterator<Item = &'t ScheduleTable>) -> Value {
    let schedules: Vec<Schedule> = tables
        .filter_map(|table| {
            Some(Schedule {
                schedule: rule(table)?,
                active: table.active,
                slug: table.slug.clone().filter(|slug| !slug.is_empty()),
                parameters: table.parameters.clone().unwrap_or_default(),
                replaces: None,
            })
        })
        .collect();
    json!(schedules)
}

fn rule(table: &ScheduleTable) -> Option<ScheduleRule> {
    // The server stores UTC where no time zone is given. Without it here the schedule would differ
    // from the stored one at every run.
    let timezone = table.timezone.clone().or_else(|| Some("UTC".to_owned()));
    if let Some(cron) = table.cron.clone() {
        return Some(ScheduleRule::Cron { cron, timezone, day_or: table.day_or.unwrap_or(true) });
    }
    if let Some(interval) = table.interval {
        let anchor_date = table.anchor_date.clone().unwrap_or_else(|| DEFAULT_ANCHOR.to_owned());
        return Some(ScheduleRule::Interval { interval, anchor_date, timezone });
    }
    Some(ScheduleRule::Rrule { rrule: table.rrule.clone()?, timezone })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Flags;
    use flowreg_model::{Engine, Entrypoint, FlowSource, ReferenceName, ReferenceSource};

    fn flow() -> Flow {
        Flow {
            name: "nightly-sync".parse().unwrap(),
            imported_from: None,
            entrypoint: Entrypoint::new("flows/sync.py", "nightly_sync"),
            line: 4,
            description: None,
            engine: Engine::Prefect,
            parameter_openapi_schema: Some(json!({"title": "Parameters"})),
            open_schema: None,
            inexact: Vec::new(),
            limits: Vec::new(),
            source: FlowSource::Static,
        }
    }

    fn reference(name: ReferenceName, channel: Channel) -> CodeReference {
        CodeReference {
            name,
            commit: "3".repeat(40).parse().unwrap(),
            source: ReferenceSource::Flag,
            source_detail: "--tag".to_owned(),
            channel,
            remote: None,
            proved: false,
        }
    }

    fn tag() -> CodeReference {
        reference(ReferenceName::Tag("v1.4.0".parse().unwrap()), Channel::Mainline)
    }

    fn feature() -> CodeReference {
        reference(ReferenceName::Branch("feat/x".parse().unwrap()), Channel::Feature)
    }

    fn built(reference: &CodeReference, pinned: Pinned, text: &str) -> Registration {
        let settings = Settings::resolve(&Flags::default(), Some((text, "flowreg.toml"))).unwrap();
        let source = CodeSource {
            reference,
            pinned,
            repository: "https://git.example.com/data/flows.git",
            author: Some("Ada"),
            submodules: false,
        };
        build(&flow(), None, &source, &settings).unwrap().registration
    }

    #[test]
    fn mainline_is_pinned_by_the_tags_name() {
        let registration = built(&tag(), Pinned::Tag, "");
        assert_eq!(registration.deployment.as_str(), "default");
        assert_eq!(registration.fields.value(Field::Version), "v1.4.0");
        assert_eq!(
            *registration.fields.value(Field::PullSteps),
            json!([{"prefect.deployments.steps.git_clone": {
                "repository": "https://git.example.com/data/flows.git", "branch": "v1.4.0"}}])
        );
        assert_eq!(registration.marks.commit, Some("3".repeat(40)));
        assert_eq!(registration.marks.author, None);
    }

    #[test]
    fn a_commit_pin_carries_the_commit_in_the_directory_name() {
        let registration = built(&tag(), Pinned::Commit, "");
        let steps = registration.fields.value(Field::PullSteps);
        let step = &steps[0]["prefect.deployments.steps.git_clone"];
        assert_eq!(step["commit_sha"], "3".repeat(40));
        assert_eq!(step["clone_directory_name"], format!("flows-{}", "3".repeat(40)));
        assert_eq!(step.get("branch"), None);
    }

    #[test]
    fn a_feature_registration_follows_its_branch_and_is_a_guest() {
        let text = "[flow.nightly-sync]\ndeployment = \"nightly\"\n\
                    schedules = [{ cron = \"0 3 * * *\", active = true }]\n";
        let registration = built(&feature(), Pinned::Branch, text);
        assert_eq!(registration.deployment.as_str(), "nightly@feat~x");
        assert_eq!(registration.fields.value(Field::Version), "feat/x");
        assert_eq!(registration.fields.value(Field::Schedules)[0]["active"], json!(false));
        assert_eq!(registration.marks.commit, None);
        assert_eq!(registration.marks.author.as_deref(), Some("Ada"));
    }

    #[test]
    fn a_schedule_that_is_not_declared_active_leaves_that_to_people() {
        let text = "[flow.nightly-sync]\nschedules = [{ interval = 60 }]\n";
        let registration = built(&tag(), Pinned::Tag, text);
        assert_eq!(
            *registration.fields.value(Field::Schedules),
            json!([{"schedule": {"interval": 60.0, "anchor_date": DEFAULT_ANCHOR, "timezone": "UTC"}}])
        );
    }

    #[test]
    fn a_schema_that_is_not_exact_is_not_declared() {
        let mut inexact = flow();
        inexact.inexact.push(flowreg_model::Inexact {
            what: "parameter_openapi_schema".to_owned(),
            reason: "the default of `since` is `date.today()`".to_owned(),
        });
        let settings = Settings::resolve(&Flags::default(), None).unwrap();
        let reference = tag();
        let source = CodeSource {
            reference: &reference,
            pinned: Pinned::Tag,
            repository: "r",
            author: None,
            submodules: false,
        };
        let fields = build(&inexact, None, &source, &settings).unwrap().registration.fields;
        assert!(!fields.has(Field::ParameterOpenapiSchema));
        assert_eq!(fields.get(Field::Description), Some(&Value::Null));
    }

    #[test]
    fn job_variables_name_the_reference_and_the_flow_wins_over_the_channel() {
        let text = "[feature]\njob_variables = { cpu = 1, image = \"x\" }\n\
            [flow.nightly-sync]\njob_variables = { image = \"etl:{tag}\", env = { C = \"{commit}\", K = \"{k}\" } }\n";
        let registration = built(&feature(), Pinned::Branch, text);
        assert_eq!(
            *registration.fields.value(Field::JobVariables),
            json!({"cpu": 1, "image": "etl:feat-x", "env": {"C": "3".repeat(40), "K": "{k}"}})
        );
    }
}
