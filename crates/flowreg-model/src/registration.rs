//! Registrations: what a target should hold, and what it holds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Channel, CodeReference, DeploymentName, Entrypoint, Fields, FlowName, OpenSchema};

/// The marks that flowreg leaves on what it created: labels on Prefect 3, tags on Prefect 2.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marks {
    /// The repository's URL without credentials: who owns the registration.
    pub repository: String,
    /// `mainline` or `feature`.
    pub channel: String,
    /// The branch of a feature registration, or of an unpinned mainline one.
    pub branch: Option<String>,
    /// The tag of a mainline registration.
    pub tag: Option<String>,
    /// The commit that is pinned; never set where the branch's HEAD is followed.
    pub commit: Option<String>,
    /// Who registered a feature branch first. Updates keep it, and a difference in it alone is not
    /// written.
    pub author: Option<String>,
    /// The names of what the repository declared at the last registration, as JSON. By comparing
    /// with it the next one tells what people added since. `None` where it is not known.
    #[serde(default)]
    pub declared: Option<String>,
}

/// What a target should hold for one deployment of one flow at one code reference.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// The flow's name.
    pub flow: FlowName,
    /// The deployment's name, with `@branch` for a feature registration.
    pub deployment: DeploymentName,
    /// Where the flow is.
    pub entrypoint: Entrypoint,
    /// At which code reference.
    pub reference: CodeReference,
    /// How flowreg recognises it later.
    pub marks: Marks,
    /// The declared fields; what is not declared is absent and stays as the target has it.
    ///
    /// For Prefect 1 they are the parts of the serialized flow: `storage`, `run_config`, `tasks` …
    pub fields: Fields,
    /// What is known of the parameter schema, if it is not among the fields.
    pub open_schema: Option<OpenSchema>,
    /// What Prefect 1 is sent.
    pub upload: Option<Upload>,
}

/// A flow of Prefect 1 as its client would send it, with the same content as the fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upload {
    /// The serialized flow, compressed by Prefect itself.
    pub serialized_flow: String,
    /// The client's check sum of it: the server keeps the version that has the same.
    pub idempotency_key: String,
    /// Whether its schedule is to start runs.
    pub is_schedule_active: bool,
}

/// What a target holds for one deployment.
#[derive(Debug, Clone, PartialEq)]
pub struct Held {
    /// The target's own id.
    pub id: Option<String>,
    /// The flow's name as the target has it.
    pub flow: String,
    /// The deployment's name as the target has it.
    pub deployment: String,
    /// flowreg's marks; `None` if somebody else created it.
    pub marks: Option<Marks>,
    /// The fields that [`Registration::fields`] may have, as the target holds them.
    pub fields: Fields,
    /// When it was registered or last changed, RFC 3339.
    pub registered_at: Option<String>,
}

/// When a schedule is due.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum ScheduleRule {
    /// A cron expression.
    Cron {
        /// Five or six fields.
        cron: String,
        /// An IANA name.
        timezone: Option<String>,
        /// Whether day of month and day of week are joined by "or".
        day_or: bool,
    },
    /// A fixed distance.
    Interval {
        /// Seconds.
        interval: f64,
        /// RFC 3339; always present, as the server would fill in "now".
        anchor_date: String,
        /// An IANA name.
        timezone: Option<String>,
    },
    /// An RFC 5545 rule.
    Rrule {
        /// The rule.
        rrule: String,
        /// An IANA name.
        timezone: Option<String>,
    },
}

/// One schedule of a deployment, in the form of Prefect 3's API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Schedule {
    /// When it is due.
    pub schedule: ScheduleRule,
    /// `None`: not declared, so a schedule that somebody switched off stays off.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub active: Option<bool>,
    /// What identifies it within the deployment; `None` where that is not known yet.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub slug: Option<String>,
    /// Parameters of the runs that it starts.
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    pub parameters: Map<String, Value>,
    /// The slug that it had before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub replaces: Option<String>,
}

impl ScheduleRule {
    /// Whether a text can be a cron expression: five fields, or more for seconds and years, or a
    /// word like `@daily`. Whether the fields make sense is checked by the server.
    pub fn has_cron_fields(text: &str) -> bool {
        text.trim_start().starts_with('@') || (5..=7).contains(&text.split_whitespace().count())
    }
}

/// The kinds of target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetKind {
    /// The embedded registry in the git common directory.
    Local,
    /// Prefect 2 and 3: REST API.
    Prefect,
    /// Prefect 1: GraphQL API.
    Prefect1,
}

impl TargetKind {
    /// The word that configuration and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Prefect => "prefect",
            Self::Prefect1 => "prefect1",
        }
    }
}

/// A target as JSON output shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetDescription {
    /// Which kind it is.
    pub kind: TargetKind,
    /// The API's address without credentials; `None` for the embedded registry.
    pub url: Option<String>,
    /// The server's version, once it was asked.
    pub version: Option<String>,
}

impl Marks {
    /// The marks of a registration; the commit is kept only where the code is pinned, so that a
    /// push to a branch that is followed changes nothing.
    pub fn new(
        repository: &str,
        reference: &CodeReference,
        is_pinned: bool,
        author: Option<&str>,
    ) -> Self {
        let text = |name: &str| Some(name.to_owned());
        let is_feature = reference.channel == Channel::Feature;
        Self {
            repository: repository.to_owned(),
            channel: reference.channel.as_str().to_owned(),
            branch: reference.branch().and_then(|branch| text(branch.as_str())),
            tag: reference.tag().and_then(|tag| text(tag.as_str())),
            commit: is_pinned.then(|| reference.commit.as_str().to_owned()),
            author: author.filter(|_| is_feature).and_then(text),
            declared: None,
        }
    }
}
