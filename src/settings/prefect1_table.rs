//! `[prefect1]` and what other tables say for Prefect 1.

use serde::Deserialize;
use serde_json::{Map, Value};

/// Where a worker of Prefect 1 gets the code of a flow from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum StorageKind {
    /// The repository, at the code reference.
    Git,
    /// An image that holds it already.
    Docker,
    /// Wherever the flow itself says.
    Keep,
}

/// `[prefect1]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Prefect1Table {
    /// The project.
    pub project: Option<String>,
    /// The project of feature branches; `{branch}` is filled in.
    pub feature_project: Option<String>,
    /// The secret of Prefect that holds a token for the repository.
    pub git_token_secret_name: Option<String>,
    /// The user that goes with the token.
    pub git_token_username: Option<String>,
    /// Whether workers clone by ssh.
    pub use_ssh: Option<bool>,
    /// The secret of Prefect that holds the whole URL.
    pub git_clone_url_secret_name: Option<String>,
    /// How many commits workers fetch.
    pub clone_depth: Option<u32>,
    /// Labels of every flow.
    pub labels: Vec<String>,
    /// Where workers get the code from.
    pub storage: Option<StorageKind>,
    /// The registry, for Docker storage.
    pub registry_url: Option<String>,
    /// The image that holds the code.
    pub image_name: Option<String>,
    /// Its tag; `{tag}`, `{branch}` and `{commit}` are filled in.
    pub image_tag: Option<String>,
    /// Where the code is in the image; `{flow_path}` is filled in.
    pub path: Option<String>,
    /// How flows are run.
    pub run_config: Option<RunConfigTable>,
}

/// `run_config`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub(crate) struct RunConfigTable {
    /// Which one. Without it, the options are put over the run configuration that the flow has in
    /// its own code.
    #[serde(rename = "type")]
    pub kind: Option<RunKind>,
    /// What it takes, by Prefect's names.
    #[serde(flatten)]
    pub options: Map<String, Value>,
}

/// The run configurations of Prefect 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum RunKind {
    /// Whatever the agent does.
    Universal,
    /// A process.
    Local,
    /// A container.
    Docker,
    /// A job of Kubernetes.
    Kubernetes,
    /// A task of ECS.
    Ecs,
    /// A job of Vertex AI.
    Vertex,
}

impl RunKind {
    /// The word that the file uses.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Universal => "universal",
            Self::Local => "local",
            Self::Docker => "docker",
            Self::Kubernetes => "kubernetes",
            Self::Ecs => "ecs",
            Self::Vertex => "vertex",
        }
    }
}

impl RunConfigTable {
    /// Puts another one over this, key by key, and variables of `env` one by one. If it is of another
    /// type, nothing of this one is kept: an image means nothing to a local process.
    #[must_use]
    pub(crate) fn with(&self, over: Option<&Self>) -> Self {
        let Some(over) = over else { return self.clone() };
        if over.kind.is_some() && over.kind != self.kind {
            return over.clone();
        }
        let mut result = self.clone();
        for (name, value) in &over.options {
            match (result.options.get_mut(name), value) {
                (Some(Value::Object(env)), Value::Object(more)) if name == "env" => {
                    env.extend(more.clone());
                }
                _ => drop(result.options.insert(name.clone(), value.clone())),
            }
        }
        result
    }
}

/// The keys of `[prefect1]`.
pub(crate) const KEYS: &[&str] = &[
    "project",
    "feature_project",
    "git_token_secret_name",
    "git_token_username",
    "use_ssh",
    "git_clone_url_secret_name",
    "clone_depth",
    "labels",
    "storage",
    "registry_url",
    "image_name",
    "image_tag",
    "path",
    "run_config",
];

/// The keys of `run_config`, of all types together.
pub(crate) const RUN_CONFIG_KEYS: &[&str] = &[
    "type",
    "image",
    "env",
    "labels",
    "working_dir",
    "ports",
    "host_config",
    "job_template",
    "job_template_path",
    "cpu_limit",
    "cpu_request",
    "memory_limit",
    "memory_request",
    "service_account_name",
    "image_pull_secrets",
    "image_pull_policy",
    "task_definition",
    "task_definition_path",
    "task_definition_arn",
    "cpu",
    "memory",
    "task_role_arn",
    "execution_role_arn",
    "run_task_kwargs",
    "machine_type",
    "scheduling",
    "service_account",
    "network",
    "worker_pool_specs",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run_config(kind: Option<RunKind>, options: &Value) -> RunConfigTable {
        RunConfigTable { kind, options: options.as_object().cloned().unwrap() }
    }

    #[test]
    fn a_flows_run_config_goes_over_the_channels_and_another_type_starts_anew() {
        let docker = Some(RunKind::Docker);
        let channel = run_config(docker, &json!({"image": "a", "env": {"A": "1", "B": "1"}}));
        let own = run_config(None, &json!({"image": "b", "env": {"B": "2"}}));
        let expected = run_config(docker, &json!({"image": "b", "env": {"A": "1", "B": "2"}}));
        assert_eq!(channel.with(Some(&own)), expected);
        let other = run_config(Some(RunKind::Local), &json!({}));
        assert_eq!(channel.with(Some(&other)), other);
        assert_eq!(channel.with(None), channel);
    }
}
