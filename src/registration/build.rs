//! The registrations that should be: flows at a code reference, with what the settings declare.

use serde_json::{Map, Value, json};

use crate::model::{
    Channel, CodeReference, DeploymentName, Flow, Marks, NameError, Registration, Schedule,
    ScheduleRule,
};
use crate::registration::names;
use crate::settings::{Access, ChannelTable, FlowTable, ScheduleTable, Settings, Switch};

/// The deployment of a flow that names none.
const DEFAULT_DEPLOYMENT: &str = "default";
/// An interval without an anchor gets "now" from the server, and would differ for ever
/// (`facts/prefect3.md` §4.2).
const DEFAULT_ANCHOR: &str = "2020-01-01T00:00:00Z";
/// What the server puts before a rule without a start (`facts/prefect3.md` §4.2).
const DEFAULT_RRULE_START: &str = "DTSTART:20200101T000000\n";

/// What a worker is told to check out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinned {
    /// The tag, by name.
    Tag,
    /// The commit, by its full id.
    Commit,
    /// Nothing: whatever the branch points at when the flow runs.
    Branch,
}

/// What all registrations of a run have in common.
#[derive(Debug, Clone, Copy)]
pub struct Source<'a> {
    /// The code reference.
    pub reference: &'a CodeReference,
    /// What workers check out.
    pub pinned: Pinned,
    /// The URL that workers clone from, without credentials.
    pub repository: &'a str,
    /// Who registers.
    pub author: Option<&'a str>,
}

/// Why a flow can't become a registration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The deployment's name is not one that Prefect takes.
    #[error(transparent)]
    Name(#[from] NameError),
}

/// Builds the registration of one flow, and takes the flow's schema out for it.
///
/// # Errors
/// [`BuildError::Name`] if the deployment's name is one that Prefect refuses.
pub fn build(
    flow: &mut Flow,
    source: &Source<'_>,
    settings: &Settings,
) -> Result<Registration, BuildError> {
    let channel = settings.channel(source.reference.channel);
    let nothing = FlowTable::default();
    let own = settings.flow(flow.name.as_str()).unwrap_or(&nothing);
    Ok(Registration {
        flow: flow.name.clone(),
        deployment: deployment_name(own, source.reference)?,
        entrypoint: flow.entrypoint.clone(),
        reference: source.reference.clone(),
        marks: Marks::new(
            source.repository,
            source.reference,
            source.pinned != Pinned::Branch,
            source.author,
        ),
        fields: fields(flow, source, settings, channel, own),
    })
}

fn deployment_name(
    own: &FlowTable,
    reference: &CodeReference,
) -> Result<DeploymentName, NameError> {
    let declared = own.deployment.as_ref().map_or(DEFAULT_DEPLOYMENT, |name| name.get_ref());
    match (reference.channel, reference.branch()) {
        (Channel::Feature, Some(branch)) => names::feature_name(declared, branch),
        _ => declared.parse(),
    }
}

fn fields(
    flow: &mut Flow,
    source: &Source<'_>,
    settings: &Settings,
    channel: &ChannelTable,
    own: &FlowTable,
) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut declare = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    declare("version", json!(version(source)));
    declare("entrypoint", json!(flow.entrypoint));
    if let Some(description) = description(flow, own) {
        declare("description", description);
    }
    // Without a schema that is known to be right, the target keeps the one it has.
    let is_known = !is_inexact(flow, "parameter_openapi_schema");
    if let Some(schema) = flow.parameter_openapi_schema.take().filter(|_| is_known) {
        declare("parameter_openapi_schema", schema);
    }
    if let Some(parameters) = &own.parameters {
        declare("parameters", json!(parameters));
    }
    let tags = tags(channel, own);
    if !tags.is_empty() {
        declare("tags", json!(tags));
    }
    if let Some(pool) = own.work_pool.as_ref().or(channel.work_pool.as_ref()) {
        declare("work_pool_name", json!(pool));
    }
    if let Some(queue) = own.work_queue.as_ref().or(channel.work_queue.as_ref()) {
        declare("work_queue_name", json!(queue));
    }
    let job_variables = job_variables(channel, own, source.reference);
    if !job_variables.is_empty() {
        declare("job_variables", Value::Object(job_variables));
    }
    let tables = own.schedules.iter().flatten().map(toml::Spanned::get_ref);
    declare("schedules", schedules_of(tables, is_active_by_default(source.reference, channel)));
    declare("pull_steps", json!([pull_step(source, settings.repository.access.as_ref())]));
    fields
}

fn is_inexact(flow: &Flow, what: &str) -> bool {
    flow.inexact.iter().any(|inexact| inexact.what == what)
}

fn version<'a>(source: &Source<'a>) -> &'a str {
    match source.pinned {
        Pinned::Commit if source.reference.tag().is_none() => source.reference.commit.as_str(),
        _ => source.reference.name.as_str(),
    }
}

fn description(flow: &Flow, own: &FlowTable) -> Option<Value> {
    if let Some(text) = &own.description {
        return Some(json!(text));
    }
    (!is_inexact(flow, "description")).then(|| json!(flow.description))
}

fn tags(channel: &ChannelTable, own: &FlowTable) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in channel.tags.iter().chain(&own.tags).flatten() {
        if !tags.contains(tag) {
            tags.push(tag.clone());
        }
    }
    tags
}

fn job_variables(
    channel: &ChannelTable,
    own: &FlowTable,
    reference: &CodeReference,
) -> Map<String, Value> {
    let mut variables = channel.job_variables.clone().unwrap_or_default();
    variables.extend(own.job_variables.clone().unwrap_or_default());
    variables.values_mut().for_each(|value| fill_in(value, reference));
    variables
}

/// Fills in `{tag}`, `{branch}` and `{commit}`.
///
/// Both `{tag}` and `{branch}` stand for the reference's name, so that one line serves both
/// channels; `/` becomes `-`, as image tags can't hold it. Other braces are left alone.
fn fill_in(value: &mut Value, reference: &CodeReference) {
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

/// `Some(false)`: feature registrations are guests, their schedules are off unless asked for.
fn is_active_by_default(reference: &CodeReference, channel: &ChannelTable) -> Option<bool> {
    let switch = channel.schedules.unwrap_or(match reference.channel {
        Channel::Mainline => Switch::On,
        Channel::Feature => Switch::Off,
    });
    (switch == Switch::Off).then_some(false)
}

fn schedules_of<'t>(
    tables: impl Iterator<Item = &'t ScheduleTable>,
    forced: Option<bool>,
) -> Value {
    let schedules: Vec<Schedule> = tables
        .filter_map(|table| {
            Some(Schedule {
                schedule: rule(table)?,
                active: forced.or(table.active),
                slug: None,
                parameters: table.parameters.clone().unwrap_or_default(),
                replaces: None,
            })
        })
        .collect();
    json!(schedules)
}

fn rule(table: &ScheduleTable) -> Option<ScheduleRule> {
    // Prefect fills in UTC where no time zone is given.
    let timezone = table.timezone.clone().or_else(|| Some("UTC".to_owned()));
    if let Some(cron) = table.cron.clone() {
        return Some(ScheduleRule::Cron { cron, timezone, day_or: table.day_or.unwrap_or(true) });
    }
    if let Some(interval) = table.interval {
        let anchor_date = table.anchor_date.clone().unwrap_or_else(|| DEFAULT_ANCHOR.to_owned());
        return Some(ScheduleRule::Interval { interval, anchor_date, timezone });
    }
    let rrule = table.rrule.clone()?;
    let rrule =
        if rrule.contains("DTSTART") { rrule } else { DEFAULT_RRULE_START.to_owned() + &rrule };
    Some(ScheduleRule::Rrule { rrule, timezone })
}

/// The git clone that a worker does before a run (`facts/prefect3.md` §6).
fn pull_step(source: &Source<'_>, access: Option<&Access>) -> Value {
    let mut step = Map::new();
    step.insert("repository".to_owned(), json!(source.repository));
    if source.pinned == Pinned::Commit {
        let commit = source.reference.commit.as_str();
        step.insert("commit_sha".to_owned(), json!(commit));
        // A directory that is used again keeps its first commit unless its name carries it.
        let directory = format!("{}-{commit}", directory_name(source.repository));
        step.insert("clone_directory_name".to_owned(), json!(directory));
    } else {
        step.insert("branch".to_owned(), json!(source.reference.name.as_str()));
    }
    match access {
        Some(Access::Token(template)) => step.insert("access_token".to_owned(), json!(template)),
        Some(Access::Credentials(template)) => {
            step.insert("credentials".to_owned(), json!(template))
        }
        None => None,
    };
    json!({ "prefect.deployments.steps.git_clone": step })
}

fn directory_name(repository: &str) -> &str {
    let name = repository.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(repository);
    name.strip_suffix(".git").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Engine, Entrypoint, FlowSource, ReferenceName, ReferenceSource};
    use crate::settings::Flags;

    fn flow() -> Flow {
        Flow {
            name: "nightly-sync".parse().unwrap(),
            imported_from: None,
            entrypoint: Entrypoint::new("flows/sync.py", "nightly_sync"),
            line: 4,
            description: None,
            engine: Engine::Prefect,
            parameter_openapi_schema: Some(json!({"title": "Parameters"})),
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
        let source = Source {
            reference,
            pinned,
            repository: "https://git.example.com/data/flows.git",
            author: Some("Ada"),
        };
        build(&mut flow(), &source, &settings).unwrap()
    }

    #[test]
    fn mainline_is_pinned_by_the_tags_name() {
        let registration = built(&tag(), Pinned::Tag, "");
        assert_eq!(registration.deployment.as_str(), "default");
        assert_eq!(registration.fields["version"], "v1.4.0");
        assert_eq!(
            registration.fields["pull_steps"],
            json!([{"prefect.deployments.steps.git_clone": {
                "repository": "https://git.example.com/data/flows.git", "branch": "v1.4.0"}}])
        );
        assert_eq!(registration.marks.commit, Some("3".repeat(40)));
        assert_eq!(registration.marks.author, None);
    }

    #[test]
    fn a_commit_pin_carries_the_commit_in_the_directory_name() {
        let registration = built(&tag(), Pinned::Commit, "");
        let step = &registration.fields["pull_steps"][0]["prefect.deployments.steps.git_clone"];
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
        assert_eq!(registration.fields["version"], "feat/x");
        assert_eq!(registration.fields["schedules"][0]["active"], json!(false));
        assert_eq!(registration.marks.commit, None);
        assert_eq!(registration.marks.author.as_deref(), Some("Ada"));
    }

    #[test]
    fn a_schedule_that_is_not_declared_active_leaves_that_to_people() {
        let text = "[flow.nightly-sync]\nschedules = [{ interval = 60 }]\n";
        let registration = built(&tag(), Pinned::Tag, text);
        assert_eq!(
            registration.fields["schedules"],
            json!([{"schedule": {"interval": 60.0, "anchor_date": DEFAULT_ANCHOR, "timezone": "UTC"}}])
        );
    }

    #[test]
    fn a_schema_that_is_not_exact_is_not_declared() {
        let mut inexact = flow();
        inexact.inexact.push(crate::model::Inexact {
            what: "parameter_openapi_schema".to_owned(),
            reason: "the default of `since` is `date.today()`".to_owned(),
        });
        let settings = Settings::resolve(&Flags::default(), None).unwrap();
        let reference = tag();
        let source =
            Source { reference: &reference, pinned: Pinned::Tag, repository: "r", author: None };
        let fields = build(&mut inexact, &source, &settings).unwrap().fields;
        assert!(!fields.contains_key("parameter_openapi_schema"));
        assert_eq!(fields["description"], Value::Null);
    }

    #[test]
    fn job_variables_name_the_reference_and_the_flow_wins_over_the_channel() {
        let text = "[feature]\njob_variables = { cpu = 1, image = \"x\" }\n\
            [flow.nightly-sync]\njob_variables = { image = \"etl:{tag}\", env = { C = \"{commit}\", K = \"{k}\" } }\n";
        let registration = built(&feature(), Pinned::Branch, text);
        assert_eq!(
            registration.fields["job_variables"],
            json!({"cpu": 1, "image": "etl:feat-x", "env": {"C": "3".repeat(40), "K": "{k}"}})
        );
    }

    #[test]
    fn directories_are_named_as_git_names_them() {
        for (url, name) in [
            ("https://h/a/flows.git", "flows"),
            ("git@h:flows.git", "flows"),
            ("/srv/flows/", "flows"),
        ] {
            assert_eq!(directory_name(url), name);
        }
    }
}
