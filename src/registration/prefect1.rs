//! Registrations of Prefect 1: works out from the settings which storage, run configuration and
//! project a flow gets, and makes the registration of a flow that Python has built with them.
//!
//! Prefect 1 accepts settings with which every run fails later (docs/facts/prefect1.md, "Git
//! storage"). Those that can be seen from the settings and the code reference are refused here.

use serde_json::{Map, Value, json};

use super::build::{CodeSource, Pinned, fill_in, is_active_by_default};
use super::names::encode_branch;
use crate::introspection::{BuiltFlow, Serialized};
use crate::settings::Settings;
use crate::settings::{RunConfigTable, StorageKind};
use flowreg_model::{
    BranchName, Channel, CodeReference, DeploymentName, Entrypoint, FlowName, Held, NameError,
    Registration, Upload,
};
use flowreg_servers::prefect1::marks;

/// Why flows can't be registered as the settings say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Prefect1SettingsError {
    /// No project is named.
    #[error("target `prefect1` needs a project")]
    NoProject,
    /// A commit is to be pinned.
    #[error("Prefect 1 can't pin a commit: its workers would run the default branch instead")]
    Commit,
    /// Workers can't clone from there.
    #[error("workers of Prefect 1 can't clone {url}: {reason}")]
    Url {
        /// The repository's URL.
        url: String,
        /// Why.
        reason: &'static str,
    },
    /// Docker storage without an image.
    #[error("`storage = \"docker\"` needs the image that holds the code{}", of_flow(.0.as_ref()))]
    NoImage(Option<String>),
    /// A name is empty.
    #[error(transparent)]
    Name(#[from] NameError),
}

fn of_flow(flow: Option<&String>) -> String {
    flow.map(|flow| format!(" (flow `{flow}`)")).unwrap_or_default()
}

impl Prefect1SettingsError {
    /// What to type.
    pub(crate) fn hint(&self) -> &'static str {
        match self {
            Self::NoProject | Self::Name(_) => "in flowreg.toml: [prefect1] project = \"NAME\"",
            Self::Commit => "use `pin = \"tag\"`, and `untagged = \"refuse\"` or \"branch\"",
            Self::Url { .. } => {
                "put the whole URL into a secret of Prefect, and name it: [prefect1] \
                 git_clone_url_secret_name = \"NAME\""
            }
            Self::NoImage(_) => {
                "registry_url, image_name and image_tag = \"{tag}\" under [prefect1]; image_name \
                 and image_tag also under [flow.\"NAME\"]"
            }
        }
    }
}

/// How all flows of a run are prepared.
#[derive(Debug)]
pub(crate) struct Preparation {
    /// The project.
    pub project: DeploymentName,
    /// The options for `harness/flowreg_prefect1.py`, as JSON.
    pub options: Value,
    is_schedule_active: bool,
}

impl Preparation {
    /// Works out project, storage and run configuration of each flow.
    ///
    /// # Errors
    /// [`Prefect1SettingsError`] if the settings lead to runs that fail.
    pub(crate) fn new(
        settings: &Settings,
        source: &CodeSource<'_>,
    ) -> Result<Self, Prefect1SettingsError> {
        if source.pinned == Pinned::Commit {
            return Err(Prefect1SettingsError::Commit);
        }
        let reference = source.reference;
        let (project, suffix) = project(settings, reference)?;
        let defaults = flow_options(settings, source, None)?;
        let flows = settings
            .flow_names()
            .map(|flow| Ok((flow.to_owned(), flow_options(settings, source, Some(flow))?)))
            .collect::<Result<Map<String, Value>, Prefect1SettingsError>>()?;
        let forced = is_active_by_default(reference, settings.channel(reference.channel));
        Ok(Self {
            project,
            options: json!({"defaults": defaults, "flows": flows, "suffix": suffix}),
            is_schedule_active: forced != Some(false),
        })
    }

    /// The registration of a flow that was built, at `path`.
    ///
    /// # Errors
    /// [`NameError`] if the flow has no name.
    pub(crate) fn registration(
        &self,
        path: &str,
        flow: &BuiltFlow,
        serialized: Serialized,
        reference: &CodeReference,
    ) -> Result<Registration, NameError> {
        let Serialized { serialized: mut flow_parts, compressed, idempotency_key, .. } = serialized;
        // Marks beside the flow would change its check sum, and `prefect register` would then make a
        // new version of everything. So what is ours is read from the storage, here as at the target.
        let marks = marks(flow_parts.get("storage").unwrap_or(&Value::Null));
        // The name identifies the flow, and is never a difference.
        flow_parts.shift_remove("name");
        Ok(Registration {
            flow: FlowName::of_prefect1(&flow.name)?,
            deployment: self.project.clone(),
            entrypoint: Entrypoint::new(path, &flow.object),
            reference: reference.clone(),
            marks,
            fields: flow_parts.into(),
            open_schema: None,
            upload: Some(Upload {
                serialized_flow: compressed,
                idempotency_key,
                is_schedule_active: self.is_schedule_active,
            }),
        })
    }
}

/// The project, and what is appended to the names of flows. A branch without a project of its own
/// registers beside mainline, and without the suffix it would replace mainline's flow.
fn project(
    settings: &Settings,
    reference: &CodeReference,
) -> Result<(DeploymentName, String), Prefect1SettingsError> {
    let table = &settings.prefect1;
    let own = table.project.as_deref().filter(|project| !project.is_empty());
    let branch = reference.branch().filter(|_| reference.channel == Channel::Feature);
    match (branch, table.feature_project.as_deref().filter(|project| !project.is_empty())) {
        (Some(branch), Some(feature)) if Some(feature) != own => {
            let project = feature.replace("{branch}", branch.as_str());
            Ok((DeploymentName::of_project(&project)?, String::new()))
        }
        (branch, _) => {
            let project = own.ok_or(Prefect1SettingsError::NoProject)?;
            let suffix = branch.map(suffix_of).unwrap_or_default();
            Ok((DeploymentName::of_project(project)?, suffix))
        }
    }
}

/// Whether flowreg would have registered it for this branch. The storage alone does not tell: people
/// may have registered a flow that follows the branch, too.
pub(crate) fn is_guest(settings: &Settings, branch: &BranchName, held: &Held) -> bool {
    let table = &settings.prefect1;
    let own = table.project.as_deref().filter(|project| !project.is_empty());
    match table.feature_project.as_deref().filter(|project| !project.is_empty()) {
        Some(feature) if Some(feature) != own => {
            held.deployment == feature.replace("{branch}", branch.as_str())
        }
        _ => own == Some(held.deployment.as_str()) && held.flow.ends_with(&suffix_of(branch)),
    }
}

/// `@feat~x`
fn suffix_of(branch: &BranchName) -> String {
    format!("@{}", encode_branch(branch))
}

/// Storage, run configuration and labels of one flow, or of those without settings of their own.
fn flow_options(
    settings: &Settings,
    source: &CodeSource<'_>,
    flow: Option<&str>,
) -> Result<Value, Prefect1SettingsError> {
    let table = &settings.prefect1;
    let own = flow.and_then(|flow| settings.flow(flow));
    let kind = own.and_then(|own| own.storage).or(table.storage).unwrap_or(StorageKind::Git);
    let storage = match kind {
        StorageKind::Git => git_storage(settings, source)?,
        StorageKind::Docker => {
            let text = |own: Option<&String>, common: Option<&String>| own.or(common).cloned();
            let name = text(own.and_then(|own| own.image_name.as_ref()), table.image_name.as_ref());
            let image_name =
                name.ok_or_else(|| Prefect1SettingsError::NoImage(flow.map(ToOwned::to_owned)))?;
            let tag = text(own.and_then(|own| own.image_tag.as_ref()), table.image_tag.as_ref());
            let path = text(own.and_then(|own| own.path.as_ref()), table.path.as_ref());
            let mut options = Map::new();
            options.extend(
                table.registry_url.clone().map(|url| ("registry_url".to_owned(), json!(url))),
            );
            options.insert("image_name".to_owned(), json!(image_name));
            let tag = tag.unwrap_or_else(|| "{tag}".to_owned());
            options.insert("image_tag".to_owned(), json!(tag));
            let path = path.unwrap_or_else(|| "{flow_path}".to_owned());
            options.insert("path".to_owned(), json!(path));
            let mut options = Value::Object(options);
            fill_in(&mut options, source.reference);
            json!({"type": "docker", "options": options})
        }
        StorageKind::Keep => json!({"type": "keep", "options": {}}),
    };
    let channel = settings.channel(source.reference.channel).run_config.as_ref();
    let common = RunConfigTable::default();
    let run_config = table
        .run_config
        .as_ref()
        .unwrap_or(&common)
        .with(channel)
        .with(own.and_then(|own| own.run_config.as_ref()));
    let mut options = run_config.options;
    if let Some(kind) = run_config.kind {
        options.insert("type".to_owned(), json!(kind.as_str()));
    }
    let mut run_config = Value::Object(options);
    fill_in(&mut run_config, source.reference);
    Ok(json!({"storage": storage, "run_config": run_config, "labels": table.labels}))
}

fn git_storage(
    settings: &Settings,
    source: &CodeSource<'_>,
) -> Result<Value, Prefect1SettingsError> {
    let table = &settings.prefect1;
    let mut options = Map::new();
    let mut set = |name: &str, value: Value| drop(options.insert(name.to_owned(), value));
    match clone_location(source.repository) {
        Ok(CloneLocation { host, repo, is_ssh }) => {
            set("repo_host", json!(host));
            set("repo", json!(repo));
            let is_secret =
                table.git_token_secret_name.is_some() || table.git_clone_url_secret_name.is_some();
            // A token works only with https, so one is a sign that workers don't have an ssh key,
            // even if this clone uses ssh.
            set("use_ssh", json!(table.use_ssh.unwrap_or(is_ssh && !is_secret)));
        }
        Err(reason) if table.git_clone_url_secret_name.is_none() => {
            let url = source.repository.to_owned();
            return Err(Prefect1SettingsError::Url { url, reason });
        }
        // The URL has a form that Git storage can't express, but workers get it from the secret.
        Err(_) => {}
    }
    for (name, value) in [
        ("git_token_secret_name", &table.git_token_secret_name),
        ("git_token_username", &table.git_token_username),
        ("git_clone_url_secret_name", &table.git_clone_url_secret_name),
    ] {
        // Prefect accepts an empty name, and every run fails.
        if let Some(value) = value.as_deref().filter(|value| !value.trim().is_empty()) {
            set(name, json!(value));
        }
    }
    if let Some(depth) = table.clone_depth {
        set("clone_depth", json!(depth));
    }
    // Exactly one of the two: the constructor refuses both.
    let name = if source.reference.tag().is_some() { "tag" } else { "branch_name" };
    set(name, json!(source.reference.name.as_str()));
    Ok(json!({"type": "git", "options": options}))
}

/// The address of a repository in the parts that Git storage has.
#[derive(Debug, PartialEq, Eq)]
struct CloneLocation {
    host: String,
    repo: String,
    is_ssh: bool,
}

/// Takes a URL apart: Prefect makes `https://HOST/REPO.git` or `git@HOST:REPO.git` of the parts.
fn clone_location(url: &str) -> Result<CloneLocation, &'static str> {
    let (is_ssh, rest) = match url.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("https") => (false, rest.to_owned()),
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("ssh") => (true, rest.to_owned()),
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => {
            return Err("they clone by https or ssh only");
        }
        Some(_) => return Err("it is no https or ssh URL"),
        None => match url.split_once(':') {
            Some((host, path)) if !host.contains('/') => {
                (true, format!("{host}/{}", path.trim_start_matches('/')))
            }
            _ => return Err("it is a path"),
        },
    };
    let (authority, path) = rest.split_once('/').ok_or("it has no path")?;
    let (user, host) = authority.rsplit_once('@').unwrap_or(("git", authority));
    if is_ssh && user != "git" {
        return Err("by ssh they are always the user `git`");
    }
    if is_ssh && host.contains(':') {
        return Err("by ssh they use the usual port only");
    }
    let repo = path.trim_end_matches('/');
    let repo = repo.strip_suffix(".git").unwrap_or(repo);
    if repo.is_empty() || host.is_empty() {
        return Err("it has no path");
    }
    Ok(CloneLocation { host: host.to_owned(), repo: repo.to_owned(), is_ssh })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_as_prefect_puts_them_together() {
        let place = |host: &str, repo: &str, is_ssh| {
            Ok(CloneLocation { host: host.to_owned(), repo: repo.to_owned(), is_ssh })
        };
        for (url, expected) in [
            (
                "https://git.example.com/team/flows.git",
                place("git.example.com", "team/flows", false),
            ),
            ("https://h:8443/a/b/c", place("h:8443", "a/b/c", false)),
            ("git@h:team/flows.git", place("h", "team/flows", true)),
            ("ssh://git@h/team/flows.git/", place("h", "team/flows", true)),
        ] {
            assert_eq!(clone_location(url), expected, "{url}");
        }
        for url in [
            "http://h/a.git",
            "file:///srv/a.git",
            "/srv/a.git",
            "ssh://git@h:2222/a.git",
            "ssh://me@h/a.git",
            "https://h/",
        ] {
            assert!(clone_location(url).is_err(), "{url}");
        }
    }
}
