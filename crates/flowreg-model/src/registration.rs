//! Registrations: what a target should hold, and what it holds.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Channel, CodeReference, DeploymentName, Entrypoint, Fields, FlowName};

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

    /// Whether both belong to one repository, by whatever protocol each reaches it.
    pub fn is_of_same_repository(&self, other: &Self) -> bool {
        same_repository(&self.repository, &other.repository)
    }
}

/// Whether two URLs are of one repository, by whatever protocol each reaches it.
pub fn same_repository(one: &str, other: &str) -> bool {
    repository_identity(one) == repository_identity(other)
}

/// Host and path of a repository's URL: what `https://host/a/b.git`, `ssh://git@host/a/b` and
/// `git@host:a/b.git` have in common.
fn repository_identity(url: &str) -> String {
    // `git@host:a/b` is the short form of ssh: a `:` before the first `/` ends the host. In a URL a
    // `:` there begins the port, which is a part of the identity.
    let (is_scp, rest) = match url.split_once("://") {
        Some((_, rest)) => (false, rest),
        None => (url.split('/').next().is_some_and(|head| head.contains(':')), url),
    };
    let end = rest.find('/').unwrap_or(rest.len());
    let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
    // The user is left out, as it is `git` by ssh and often a person by https.
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = if is_scp { host.replacen(':', "/", 1) } else { host.to_owned() };
    let (host, first) = host.split_once('/').unwrap_or((&host, ""));
    let separator = if first.is_empty() { "" } else { "/" };
    let path = path.trim_end_matches('/');
    // Names of hosts are the same in any case; paths are not on every server.
    let identity = format!("{}{separator}{first}{path}", host.to_lowercase());
    identity.strip_suffix(".git").unwrap_or(&identity).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_repository_is_recognised_by_whatever_protocol_it_is_reached() {
        let all = [
            "https://Git.example.com/data/flows.git",
            "https://git.example.com/data/flows/",
            "ssh://git@git.example.com/data/flows.git",
            "git@git.example.com:data/flows.git",
        ];
        for url in all {
            assert_eq!(repository_identity(url), "git.example.com/data/flows", "{url}");
        }
        for other in [
            "https://git.example.com/data/flows2.git",
            "https://git.example.com:8443/data/flows.git",
            "https://git.example.com/Data/flows.git",
            "/srv/data/flows.git",
        ] {
            assert_ne!(repository_identity(other), "git.example.com/data/flows", "{other}");
        }
        assert_eq!(repository_identity("git@h:flows.git"), "h/flows");
    }
}
