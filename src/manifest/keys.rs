//! The keys of `prefect.yaml`: which each mapping has, and where a key belongs that stands in another
//! one. Prefect ignores such a key without a word.

use super::check::Fault;
use super::yaml::Node;
use flowreg_model::nearest;

/// A mapping of the file that has keys of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    /// The whole file.
    File,
    /// An entry of `deployments`.
    Deployment,
    WorkPool,
    ConcurrencyLimit,
    /// An entry of `schedules`, or `schedule`.
    Schedule,
    /// An entry of `triggers`, also inside another trigger.
    Trigger,
    /// `metric` of a trigger.
    Metric,
    /// An entry of `sla`.
    Sla,
}

/// Prefect does not read `definitions`, but people keep anchors there by custom, so it is not reported
/// as unknown.
const FILE: &[&str] =
    &["prefect-version", "name", "build", "push", "pull", "deployments", "definitions"];
/// `work_queue_name` is read inside `work_pool` only.
const DEPLOYMENT: &[&str] = &[
    "name",
    "version",
    "version_type",
    "tags",
    "description",
    "schedule",
    "schedules",
    "paused",
    "concurrency_limit",
    "flow_name",
    "entrypoint",
    "parameters",
    "enforce_parameter_schema",
    "build",
    "push",
    "pull",
    "work_pool",
    "triggers",
    "sla",
];
const WORK_POOL: &[&str] = &["name", "work_queue_name", "job_variables"];
const CONCURRENCY_LIMIT: &[&str] = &["limit", "collision_strategy", "grace_period_seconds"];
const SCHEDULE: &[&str] = &[
    "cron",
    "interval",
    "rrule",
    "timezone",
    "anchor_date",
    "active",
    "parameters",
    "slug",
    "replaces",
    "day_or",
];
/// Those of all kinds of triggers.
const TRIGGER: &[&str] = &[
    "name",
    "description",
    "enabled",
    "type",
    "match",
    "match_related",
    "after",
    "expect",
    "for_each",
    "posture",
    "threshold",
    "within",
    "metric",
    "triggers",
    "require",
    "parameters",
    "job_variables",
    "schedule_after",
];
const METRIC: &[&str] = &["name", "threshold", "operator", "range", "firing_for"];
/// Those of all kinds of agreements.
const SLA: &[&str] = &["name", "severity", "enabled", "duration", "stale_after", "within"];

/// The options of `@flow` that a deployment does not have.
const FLOW_OPTIONS: &[&str] = &[
    "flow_run_name",
    "retries",
    "retry_delay_seconds",
    "task_runner",
    "timeout_seconds",
    "validate_parameters",
    "persist_result",
    "result_storage",
    "result_serializer",
    "cache_result_in_memory",
    "log_prints",
    "on_completion",
    "on_failure",
    "on_cancellation",
    "on_crashed",
    "on_running",
];

/// The job variables of all workers that Prefect 3.8.8 knows (`aggregate-worker-metadata.json`), but for
/// those that are also keys of a deployment.
const JOB_VARIABLES: &[&str] = &[
    "accelerator_count",
    "accelerator_type",
    "aci_credentials",
    "args",
    "auto_deregister_task_definition",
    "auto_remove",
    "aws_credentials",
    "boot_disk_size_gb",
    "boot_disk_type",
    "capacity_provider_strategy",
    "cloudwatch_logs_options",
    "cloudwatch_logs_prefix",
    "cluster",
    "cluster_config",
    "command",
    "configure_cloudwatch_logs",
    "container_name",
    "container_wait_timeout",
    "cpu",
    "cpu_limit",
    "cpu_request",
    "dns_servers",
    "env",
    "execution_role_arn",
    "family",
    "finished_job_ttl",
    "gpu_count",
    "gpu_sku",
    "identities",
    "image",
    "image_pull_policy",
    "image_registry",
    "job_watch_poll_interval",
    "job_watch_timeout_seconds",
    "keep_job",
    "labels",
    "launch_stage",
    "launch_type",
    "machine_type",
    "match_latest_revision_in_family",
    "max_retries",
    "maximum_run_time_hours",
    "mem_limit",
    "memory",
    "memory_limit",
    "memory_request",
    "memswap_limit",
    "namespace",
    "network",
    "network_configuration",
    "network_mode",
    "networks",
    "pod_watch_timeout_seconds",
    "privileged",
    "region",
    "registry_credentials",
    "reserved_ip_ranges",
    "resource_group_name",
    "service_account_name",
    "stream_output",
    "subnet_ids",
    "subscription_id",
    "task_definition_arn",
    "task_role_arn",
    "task_start_timeout_seconds",
    "task_watch_poll_interval",
    "timeout",
    "volumes",
    "vpc_connector_name",
    "vpc_id",
    "working_dir",
];

/// The inputs of Prefect's own steps that are no keys of anything else.
const STEP_INPUTS: &[&str] = &[
    "id",
    "requires",
    "repository",
    "branch",
    "commit_sha",
    "include_submodules",
    "access_token",
    "credentials",
    "directories",
    "clone_directory_name",
    "directory",
    "script",
    "expand_env_vars",
    "requirements_file",
    "bucket",
    "folder",
    "container",
    "image_name",
    "dockerfile",
];

/// Other names of keys: those of `flow.deploy()` and of Prefect 2.
const OTHER_NAMES: &[(&str, &str)] = &[
    ("work_pool_name", "is `name` under `work_pool`"),
    ("work_queue", "is `work_queue_name` under `work_pool`"),
    ("infra_overrides", "is `job_variables` under `work_pool`"),
    ("is_schedule_active", "is `active` in an entry of `schedules`"),
];

/// Keys that look as if they belonged here, and say what something else decides.
const OF_ITS_OWN: &[((Section, &str), &str)] = &[(
    (Section::WorkPool, "type"),
    "is decided when the work pool is made (`prefect work-pool create --type`)",
)];

impl Section {
    /// The keys that it has.
    pub(super) fn keys(self) -> &'static [&'static str] {
        match self {
            Self::File => FILE,
            Self::Deployment => DEPLOYMENT,
            Self::WorkPool => WORK_POOL,
            Self::ConcurrencyLimit => CONCURRENCY_LIMIT,
            Self::Schedule => SCHEDULE,
            Self::Trigger => TRIGGER,
            Self::Metric => METRIC,
            Self::Sla => SLA,
        }
    }

    /// Whether nobody reads a key of this name in it.
    pub(super) fn unknown(self, name: &str) -> bool {
        // Anchors are kept under names like these.
        let is_private =
            self == Self::File && (name.starts_with(['_', '.']) || name.starts_with("x-"));
        !self.keys().contains(&name) && !is_private
    }

    /// What is said of one of its keys that stands in another section.
    fn belongs(self) -> &'static str {
        match self {
            Self::File => "belongs at the top of the file",
            Self::Deployment => "belongs to an entry of `deployments`",
            Self::WorkPool => "belongs under `work_pool`",
            Self::ConcurrencyLimit => "belongs under `concurrency_limit`",
            Self::Schedule => "belongs to an entry of `schedules`",
            Self::Trigger => "belongs to an entry of `triggers`",
            Self::Metric => "belongs under `metric` of a trigger",
            Self::Sla => "belongs to an entry of `sla`",
        }
    }
}

/// Where a key belongs that the section does not have: `belongs under …`; `None` if it is none that
/// Prefect knows.
pub(super) fn belongs(name: &str, section: Section) -> Option<String> {
    if let Some((_, other)) = OTHER_NAMES.iter().find(|(known, _)| *known == name) {
        return Some((*other).to_owned());
    }
    if FLOW_OPTIONS.contains(&name) {
        return Some(format!("belongs to the flow: `@flow({name}=…)`"));
    }
    if name.contains(".steps.") {
        return Some("is a step, and belongs to `pull`, `build` or `push`".to_owned());
    }
    // Of a key that several sections have, the first is the one that people mean most often.
    let sections = [
        Section::Deployment,
        Section::WorkPool,
        Section::Schedule,
        Section::ConcurrencyLimit,
        Section::Trigger,
        Section::Metric,
        Section::Sla,
        Section::File,
    ];
    if let Some((_, own)) = OF_ITS_OWN.iter().find(|(known, _)| *known == (section, name)) {
        return Some((*own).to_owned());
    }
    let has = |other: &Section| *other != section && other.keys().contains(&name);
    if let Some(other) = sections.into_iter().find(has) {
        return Some(other.belongs().to_owned());
    }
    if JOB_VARIABLES.contains(&name) {
        return Some("belongs under `job_variables` of `work_pool`".to_owned());
    }
    let is_input = STEP_INPUTS.contains(&name);
    is_input.then(|| "belongs to a step, below the name of its function".to_owned())
}

/// A notice for each key that the section does not have, and that Prefect ignores.
pub(super) fn unknown_keys(
    pairs: &[(Node, Node)],
    section: Section,
) -> impl Iterator<Item = Fault> {
    pairs.iter().filter_map(move |(key, _)| {
        let name = key.text().unwrap_or("?");
        if !section.unknown(name) {
            return None;
        }
        let message = match (belongs(name, section), nearest(name, section.keys())) {
            (Some(belongs), _) => format!("`{name}` {belongs}, and is ignored here"),
            (None, Some(near)) => {
                format!("unknown key `{name}` is ignored; did you mean `{near}`?")
            }
            (None, None) => format!("unknown key `{name}` is ignored"),
        };
        Some(Fault::new(key, message))
    })
}

/// What is wrong with a step that has several keys: most often the inputs are not indented below the
/// function.
pub(super) fn step_with_keys(pairs: &[(Node, Node)]) -> Option<Fault> {
    let is_function = |key: &Node| key.text().is_some_and(|name| name.contains('.'));
    let function = pairs.iter().find(|(key, _)| is_function(key)).or(pairs.first())?;
    let (stray, _) = pairs.iter().find(|(key, _)| key.at != function.0.at)?;
    let (name, function) = (stray.text().unwrap_or("?"), function.0.text().unwrap_or("?"));
    let rule = "a step has one key, the name of its function";
    Some(Fault::new(
        stray,
        if is_function(stray) {
            format!("{rule}: `{name}` belongs to a step of its own, with a `-` in front")
        } else {
            format!("{rule}: `{name}` belongs below `{function}`, indented further")
        },
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_at_the_wrong_level_is_told_where_it_belongs() {
        for (name, section, told) in [
            ("retries", Section::Deployment, "belongs to the flow: `@flow(retries=…)`"),
            ("job_variables", Section::Deployment, "belongs under `work_pool`"),
            ("work_queue_name", Section::Deployment, "belongs under `work_pool`"),
            ("work_pool_name", Section::Deployment, "is `name` under `work_pool`"),
            ("cron", Section::Deployment, "belongs to an entry of `schedules`"),
            ("timezone", Section::WorkPool, "belongs to an entry of `schedules`"),
            ("image", Section::Deployment, "belongs under `job_variables` of `work_pool`"),
            ("env", Section::WorkPool, "belongs under `job_variables` of `work_pool`"),
            ("limit", Section::Deployment, "belongs under `concurrency_limit`"),
            ("entrypoint", Section::File, "belongs to an entry of `deployments`"),
            ("schedules", Section::WorkPool, "belongs to an entry of `deployments`"),
            ("pull", Section::WorkPool, "belongs to an entry of `deployments`"),
            ("deployments", Section::Deployment, "belongs at the top of the file"),
            ("tags", Section::Schedule, "belongs to an entry of `deployments`"),
            ("expect", Section::Deployment, "belongs to an entry of `triggers`"),
            ("firing_for", Section::Trigger, "belongs under `metric` of a trigger"),
            (
                "repository",
                Section::Deployment,
                "belongs to a step, below the name of its function",
            ),
            (
                "prefect.deployments.steps.git_clone",
                Section::File,
                "is a step, and belongs to `pull`, `build` or `push`",
            ),
        ] {
            assert_eq!(belongs(name, section).as_deref(), Some(told), "{name}");
        }
        assert_eq!(belongs("owner", Section::Deployment), None);
    }

    #[test]
    fn every_key_of_a_section_is_unknown_to_no_section() {
        let all = [
            Section::File,
            Section::Deployment,
            Section::WorkPool,
            Section::ConcurrencyLimit,
            Section::Schedule,
            Section::Trigger,
            Section::Metric,
            Section::Sla,
        ];
        for section in all {
            for other in all.into_iter().filter(|other| *other != section) {
                for key in other.keys().iter().filter(|key| !section.keys().contains(key)) {
                    assert!(belongs(key, section).is_some(), "{key} in {section:?}");
                }
            }
        }
    }
}
