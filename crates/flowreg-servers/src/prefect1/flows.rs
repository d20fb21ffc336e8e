//! Flows as the API of Prefect 1 gives them, and who owns one. Every place where marks could be kept
//! changes the flow's check sum and thereby makes a new version, so the owner is read from the
//! flow's storage (docs/facts/prefect1.md).

use serde_json::Value;

use super::graphql::{GraphQl, literal};
use crate::TargetError;
use flowreg_model::{Channel, Field, Fields, Held, Marks};

/// Flows in one answer. It is less than the server allows, as each flow carries all of its tasks.
const PAGE: usize = 50;

/// A flow that is not archived.
pub(super) struct LiveFlow {
    /// As it is compared.
    pub held: Held,
    /// Whether its schedule starts runs; `None` without one.
    pub is_schedule_active: Option<bool>,
    version: u64,
}

/// Reads the flows of these names, or all, that are not archived; of several in one project the one
/// with the highest version.
pub(super) fn read(api: &GraphQl, names: Option<&[&str]>) -> Result<Vec<LiveFlow>, TargetError> {
    let mut found: Vec<LiveFlow> = Vec::new();
    match names {
        // Where all flows are listed they are not compared: the tasks are not asked for.
        None => pages(api, "", "storage", &mut found)?,
        Some(names) => {
            for names in names.chunks(PAGE) {
                let listed: Vec<String> = names.iter().map(|name| literal(name)).collect();
                let filter = format!("name: {{ _in: [{}] }}, ", listed.join(", "));
                pages(api, &filter, "storage serialized_flow", &mut found)?;
            }
        }
    }
    // Two first versions of one flow are both live if they were registered at the same moment; what
    // counts is the highest version.
    found.sort_by(|one, other| {
        let key = |live: &LiveFlow| (live.held.flow.clone(), live.held.deployment.clone());
        key(one).cmp(&key(other)).then(other.version.cmp(&one.version))
    });
    found.dedup_by(|later, first| {
        (&later.held.flow, &later.held.deployment) == (&first.held.flow, &first.held.deployment)
    });
    Ok(found)
}

fn pages(
    api: &GraphQl,
    filter: &str,
    more: &str,
    found: &mut Vec<LiveFlow>,
) -> Result<(), TargetError> {
    let mut offset = 0;
    loop {
        let query = format!(
            "query {{ flow(where: {{ {filter}archived: {{ _eq: false }} }}, \
             order_by: {{ id: asc }}, limit: {PAGE}, offset: {offset}) \
             {{ id name version created is_schedule_active schedule {more} project {{ name }} }} }}"
        );
        let answer = api.send(&query, None)?;
        let Some(flows) = answer.get("flow").and_then(Value::as_array) else {
            return Err(api.no_graphql("the answer has no flows".to_owned()));
        };
        found.extend(flows.iter().filter_map(live));
        if flows.len() < PAGE {
            return Ok(());
        }
        offset += flows.len();
    }
}

fn live(flow: &Value) -> Option<LiveFlow> {
    let text = |name: &str| flow.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let version = flow.get("version").and_then(Value::as_u64).unwrap_or(0);
    let mut fields = serialized(flow.get("serialized_flow"));
    let storage = flow.get("storage").cloned().unwrap_or_default();
    fields.set(Field::Version, version);
    if let Some(path) = storage.get("flow_path").and_then(Value::as_str) {
        fields.set(Field::Entrypoint, path);
    }
    let has_schedule = flow.get("schedule").is_some_and(|schedule| !schedule.is_null());
    let is_active = flow.get("is_schedule_active").and_then(Value::as_bool);
    Some(LiveFlow {
        held: Held {
            id: text("id"),
            flow: text("name")?,
            deployment: flow.pointer("/project/name")?.as_str()?.to_owned(),
            marks: is_from_git(&storage).then(|| marks(&storage)),
            fields,
            registered_at: text("created"),
        },
        is_schedule_active: is_active.filter(|_| has_schedule),
        version,
    })
}

/// The column is JSON, or on some servers the text of it.
fn serialized(column: Option<&Value>) -> Fields {
    match column {
        Some(Value::Object(flow)) => flow.clone().into(),
        Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
        _ => Fields::new(),
    }
}

/// Whether the storage says which repository it belongs to.
fn is_from_git(storage: &Value) -> bool {
    matches!(kind(storage), "Git" | "GitHub" | "GitLab" | "Bitbucket" | "Docker")
}

fn kind(storage: &Value) -> &str {
    storage.get("type").and_then(Value::as_str).unwrap_or_default()
}

/// What a storage says of who owns a flow, and at which reference it is.
pub fn marks(storage: &Value) -> Marks {
    let text = |name: &str| {
        let text = storage.get(name).and_then(Value::as_str);
        text.filter(|text| !text.is_empty()).map(ToOwned::to_owned)
    };
    // `ref` of GitHub, GitLab and Bitbucket storage is a branch, a tag or a commit; which one can't be
    // told.
    let reference = text("ref");
    let (tag, branch) = (text("tag"), text("branch_name").or(reference));
    let channel = if tag.is_some() { Channel::Mainline } else { Channel::Feature };
    Marks {
        repository: repository(storage),
        channel: channel.as_str().to_owned(),
        branch,
        tag,
        commit: None,
        author: None,
        declared: None,
    }
}

/// The repository's URL, or what stands for it.
fn repository(storage: &Value) -> String {
    let text =
        |name: &str| storage.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let of = |host: &str, repository: &str| {
        let host = host.split_once("://").map_or(host, |(_, host)| host);
        format!("https://{}/{}.git", host.trim_end_matches('/'), repository)
    };
    match (kind(storage), text("repo")) {
        ("Git", Some(repo)) => of(text("repo_host").unwrap_or("github.com"), repo),
        ("Git", None) => {
            format!("the secret {}", text("git_clone_url_secret_name").unwrap_or_default())
        }
        ("GitHub", Some(repo)) => {
            let host = text("base_url").filter(|url| !url.contains("api.github.com"));
            of(host.unwrap_or("github.com"), repo)
        }
        ("GitLab", Some(repo)) => of(text("host").unwrap_or("gitlab.com"), repo),
        ("Bitbucket", Some(repo)) => {
            let owner = text("workspace").or_else(|| text("project")).unwrap_or_default();
            of(text("host").unwrap_or("bitbucket.org"), &format!("{owner}/{repo}"))
        }
        ("Docker", _) => {
            let registry = text("registry_url").map(|url| format!("{url}/")).unwrap_or_default();
            format!("the image {registry}{}", text("image_name").unwrap_or_default())
        }
        (kind, _) => format!("{kind} storage"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn storages_of_one_repository_have_one_owner() {
        let git =
            json!({"type": "Git", "repo": "team/flows", "repo_host": "github.com", "tag": "v1"});
        let github = json!({"type": "GitHub", "repo": "team/flows", "path": "a.py", "ref": "main"});
        let (one, other) = (marks(&git), marks(&github));
        assert_eq!(one.repository, other.repository);
        assert_eq!((one.tag.as_deref(), one.branch), (Some("v1"), None));
        assert_eq!((other.tag, other.branch.as_deref()), (None, Some("main")));
        let elsewhere =
            json!({"type": "Git", "repo": "team/flows", "repo_host": "git.example.com"});
        assert_ne!(marks(&elsewhere).repository, one.repository);
        let image = json!({"type": "Docker", "registry_url": "r.example.com", "image_name": "etl"});
        assert_eq!(marks(&image).repository, "the image r.example.com/etl");
    }

    #[test]
    fn blank_is_no_reference() {
        let both = json!({"type": "Git", "repo": "a/b", "tag": "", "branch_name": "main"});
        assert_eq!(marks(&both).tag, None);
    }
}
