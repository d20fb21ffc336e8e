//! The steps that Prefect itself has, under every path by which it imports them: what they take, what
//! they return, and since which version (`docs/facts/prefect-yaml.md`, "Pull steps").

use serde_json::{Map, Value};

use flowreg_model::nearest;
use semver::Version;

/// What a step does to the place from which a run starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StepKind {
    /// Clones a git repository into a new directory.
    GitClone,
    /// Changes the working directory.
    SetDirectory,
    /// Downloads code that is not in git: from a bucket, or by a block.
    Download,
    /// Runs a shell script; the working directory stays.
    Shell,
    /// Installs packages from a requirements file; the working directory stays.
    Requirements,
    /// Returns no directory and stays where it is: uploads, image builds.
    Other,
    /// Not one of Prefect's: what it does is not known.
    Foreign,
}

/// A version of Prefect: major, minor, patch.
type Since = (u64, u64, u64);

/// An input of a step.
struct Parameter {
    name: &'static str,
    is_required: bool,
    /// The first version that has it, where that is not the first one that flowreg knows (2.20).
    since: Option<Since>,
}

/// A step of Prefect's.
pub(super) struct KnownStep {
    function: &'static str,
    modules: &'static [&'static str],
    /// What it does.
    pub kind: StepKind,
    parameters: &'static [Parameter],
    /// Whether it takes any other input as well.
    takes_any: bool,
    since: Option<Since>,
    /// The first version that does not have it any more.
    until: Option<Since>,
}

const fn required(name: &'static str) -> Parameter {
    Parameter { name, is_required: true, since: None }
}

const fn optional(name: &'static str) -> Parameter {
    Parameter { name, is_required: false, since: None }
}

const fn newer(name: &'static str, since: Since) -> Parameter {
    Parameter { name, is_required: false, since: Some(since) }
}

const PULL: &[&str] = &["prefect.deployments.steps", "prefect.deployments.steps.pull"];
const UTILITY: &[&str] = &["prefect.deployments.steps", "prefect.deployments.steps.utility"];
/// Where steps were before Prefect 2.10.21. No Prefect that flowreg registers on has them.
const PROJECTS: &[&str] = &["prefect.projects.steps", "prefect.projects.steps.pull"];
const FOREVER: Option<Since> = None;
/// Older than everything that flowreg registers on.
const GONE: Option<Since> = Some((2, 10, 21));

/// From this version on `set_working_directory` returns the absolute path. Before, a relative one was
/// returned as it is written, and the worker changed into it a second time at the end.
pub(super) const RETURNS_ABSOLUTE: Since = (3, 4, 19);
/// `clone_directory_name` came with this version.
pub(super) const NAMED_CLONES: Since = (3, 6, 9);

const GIT_CLONE: &[Parameter] = &[
    required("repository"),
    optional("branch"),
    optional("include_submodules"),
    optional("access_token"),
    optional("credentials"),
    newer("directories", (3, 1, 11)),
    newer("commit_sha", (3, 4, 0)),
    newer("clone_directory_name", NAMED_CLONES),
];
const GIT_CLONE_PROJECT: &[Parameter] = &[
    required("repository"),
    optional("branch"),
    optional("include_submodules"),
    optional("access_token"),
];
const DIRECTORY: &[Parameter] = &[required("directory")];
const SHELL: &[Parameter] = &[
    required("script"),
    optional("directory"),
    optional("env"),
    optional("stream_output"),
    optional("expand_env_vars"),
    newer("shell", (3, 6, 23)),
];
const REQUIREMENTS: &[Parameter] =
    &[optional("directory"), optional("requirements_file"), optional("stream_output")];

const fn step(
    function: &'static str,
    modules: &'static [&'static str],
    kind: StepKind,
    parameters: &'static [Parameter],
) -> KnownStep {
    KnownStep { function, modules, kind, parameters, takes_any: false, since: None, until: FOREVER }
}

/// Prefect's own steps. Those of its integrations are in [`INTEGRATIONS`].
static STEPS: &[KnownStep] = &[
    step("git_clone", PULL, StepKind::GitClone, GIT_CLONE),
    KnownStep {
        since: Some((3, 1, 7)),
        ..step("agit_clone", &["prefect.deployments.steps.pull"], StepKind::GitClone, GIT_CLONE)
    },
    KnownStep {
        until: Some((3, 0, 0)),
        ..step("git_clone_project", PULL, StepKind::GitClone, GIT_CLONE_PROJECT)
    },
    KnownStep {
        until: GONE,
        ..step("git_clone_project", PROJECTS, StepKind::GitClone, GIT_CLONE_PROJECT)
    },
    KnownStep { until: GONE, ..step("git_clone", PROJECTS, StepKind::GitClone, GIT_CLONE_PROJECT) },
    step("set_working_directory", PULL, StepKind::SetDirectory, DIRECTORY),
    KnownStep {
        until: GONE,
        ..step("set_working_directory", PROJECTS, StepKind::SetDirectory, DIRECTORY)
    },
    KnownStep {
        takes_any: true,
        ..step("pull_from_remote_storage", PULL, StepKind::Download, &[required("url")])
    },
    step(
        "pull_with_block",
        PULL,
        StepKind::Download,
        &[required("block_document_name"), required("block_type_slug")],
    ),
    step("run_shell_script", UTILITY, StepKind::Shell, SHELL),
    step("pip_install_requirements", UTILITY, StepKind::Requirements, REQUIREMENTS),
];

/// The steps of Prefect's integrations, by the last part of their names, with the inputs without which they
/// can't be called. The others are not checked.
const INTEGRATIONS: &[(&str, StepKind, &[&str])] = &[
    ("pull_from_s3", StepKind::Download, &["bucket", "folder"]),
    ("pull_project_from_s3", StepKind::Download, &["bucket", "folder"]),
    ("pull_from_gcs", StepKind::Download, &["bucket", "folder"]),
    ("pull_project_from_gcs", StepKind::Download, &["bucket", "folder"]),
    ("pull_from_azure_blob_storage", StepKind::Download, &["container", "folder"]),
    ("pull_project_from_azure_blob_storage", StepKind::Download, &["container", "folder"]),
    ("push_to_s3", StepKind::Other, &[]),
    ("push_to_gcs", StepKind::Other, &[]),
    ("push_to_azure_blob_storage", StepKind::Other, &[]),
    ("build_docker_image", StepKind::Other, &[]),
    ("push_docker_image", StepKind::Other, &[]),
];

/// The inputs that have to be texts, of whatever step of Prefect's.
const TEXTS: &[&str] = &[
    "repository",
    "access_token",
    "script",
    "directory",
    "requirements_file",
    "clone_directory_name",
    "url",
    "block_document_name",
    "block_type_slug",
];

/// What an input has to be, if it is something on which Prefect fails. A template may become anything.
pub(super) fn expected_type(input: &str, value: &Value) -> Option<&'static str> {
    let is_template = |value: &Value| value.as_str().is_some_and(|text| text.contains("{{"));
    if value.is_null() || is_template(value) {
        return None;
    }
    let is_list = value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    let (is_right, expected) = match input {
        "env" => {
            let is_mapping =
                value.as_object().is_some_and(|map| map.values().all(Value::is_string));
            (is_mapping, "a mapping of texts")
        }
        "directories" => (is_list || value.as_str() == Some(""), "a list of texts"),
        input if TEXTS.contains(&input) => (value.is_string(), "a text"),
        _ => return None,
    };
    (!is_right).then_some(expected)
}

/// What an input that every step has to be: Prefect's own ones.
pub(super) fn expected_reserved(input: &str, value: &Value) -> Option<&'static str> {
    let is_list = || value.as_array().is_some_and(|items| items.iter().all(Value::is_string));
    match input {
        // An id is a key, which a list or mapping can't be.
        "id" if value.is_array() || value.is_object() => Some("a text"),
        "requires" if !(value.is_null() || value.is_string() || is_list()) => {
            Some("a text or a list of texts")
        }
        _ => None,
    }
}

/// Inputs that every step takes: they are Prefect's own, and not handed to the function.
const RESERVED: [&str; 2] = ["id", "requires"];

/// The name of a step, looked up.
pub(super) enum NamedStep {
    /// A step whose inputs are known.
    Known(&'static KnownStep),
    /// A step of an integration, or of somebody else, with the inputs without which it can't be called.
    Unchecked(StepKind, &'static [&'static str]),
    /// Prefect has no such step; one that is called nearly so.
    Misspelt(Option<String>),
}

/// Looks a step up by the name that stands in the file: `package.module.function`, or with a colon
/// before the function, which Prefect takes as well.
pub(super) fn look_up(name: &str) -> NamedStep {
    let path = name.replace(':', ".");
    let known = STEPS.iter().find(|step| step.has_path(&path));
    if let Some(known) = known {
        return NamedStep::Known(known);
    }
    let (package, function) = path.rsplit_once('.').unwrap_or(("", &path));
    if package.starts_with("prefect_")
        && let Some((_, kind, required)) =
            INTEGRATIONS.iter().find(|(known, ..)| *known == function)
    {
        return NamedStep::Unchecked(*kind, required);
    }
    let functions: Vec<&str> = current().map(|step| step.function).collect();
    // Nobody else can have a module below these two packages. In another package of Prefect's it has
    // to be the right function at least, as whatever Prefect has may be used as a step.
    let is_prefects =
        ["prefect.deployments.", "prefect.projects."].iter().any(|own| path.starts_with(own));
    let near = if is_prefects {
        nearest(function, &functions)
    } else {
        functions.iter().copied().find(|known| *known == function)
    };
    let is_misspelt = is_prefects || (path.starts_with("prefect.") && near.is_some());
    if !is_misspelt {
        return NamedStep::Unchecked(StepKind::Foreign, &[]);
    }
    let near = current().find(|step| Some(step.function) == near);
    NamedStep::Misspelt(near.map(KnownStep::current_path))
}

/// The steps that every Prefect of today has.
fn current() -> impl Iterator<Item = &'static KnownStep> {
    STEPS.iter().filter(|step| step.until.is_none() && step.since.is_none())
}

/// What is wrong with the inputs of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum InputFault {
    /// A required one is missing.
    Missing(&'static str),
    /// The function has none of this name; the nearest one.
    Unknown(String, Option<&'static str>),
    /// The function has it only since this version.
    TooNew(&'static str, String),
}

impl KnownStep {
    fn has_path(&self, path: &str) -> bool {
        path.rsplit_once('.').is_some_and(|(module, function)| {
            function == self.function && self.modules.contains(&module)
        })
    }

    /// Whether a version of Prefect has the step. Where the version is not known, every version counts
    /// that flowreg registers on.
    pub(super) fn is_in(&self, version: Option<&Version>) -> bool {
        match version {
            Some(version) => {
                self.since.is_none_or(|since| is_at_least(version, since))
                    && self.until.is_none_or(|until| !is_at_least(version, until))
            }
            None => self.until != GONE,
        }
    }

    /// The name by which Prefect documents it.
    fn current_path(&self) -> String {
        format!("prefect.deployments.steps.{}", self.function)
    }

    /// The step that does the same and that every Prefect of today has.
    pub(super) fn successor(&self) -> Option<String> {
        current().find(|step| step.kind == self.kind).map(Self::current_path)
    }

    /// What is wrong with the inputs, by the key that is concerned; the step itself if one is missing.
    pub(super) fn faults(
        &self,
        inputs: &Map<String, Value>,
        version: Option<&Version>,
    ) -> Vec<InputFault> {
        let is_given = |name: &str| inputs.get(name).is_some_and(|value| !value.is_null());
        let missing = self.parameters.iter().filter(|one| one.is_required && !is_given(one.name));
        let mut faults: Vec<InputFault> =
            missing.map(|one| InputFault::Missing(one.name)).collect();
        for name in inputs.keys().filter(|name| !RESERVED.contains(&name.as_str())) {
            let Some(parameter) = self.parameters.iter().find(|one| one.name == name) else {
                if !self.takes_any {
                    let names: Vec<&str> = self.parameters.iter().map(|one| one.name).collect();
                    let near = nearest(name, &names);
                    let near = self.parameters.iter().find(|one| Some(one.name) == near);
                    faults.push(InputFault::Unknown(name.clone(), near.map(|one| one.name)));
                }
                continue;
            };
            let (Some(since), Some(version)) = (parameter.since, version) else { continue };
            if !is_at_least(version, since) {
                let (major, minor, patch) = since;
                let since = format!("{major}.{minor}.{patch}");
                faults.push(InputFault::TooNew(parameter.name, since));
            }
        }
        faults
    }
}

/// The names of what a step of a kind returns, or `None` if that is not known.
pub(super) fn outputs_of(kind: StepKind) -> Option<&'static [&'static str]> {
    match kind {
        StepKind::GitClone | StepKind::SetDirectory => Some(&["directory"]),
        StepKind::Shell | StepKind::Requirements => Some(&["stdout", "stderr"]),
        StepKind::Download | StepKind::Other | StepKind::Foreign => None,
    }
}

/// Whether a version is this one or a later one. A development version of the next release counts as
/// that release.
pub(super) fn is_at_least(version: &Version, since: Since) -> bool {
    (version.major, version.minor, version.patch) >= since
}
