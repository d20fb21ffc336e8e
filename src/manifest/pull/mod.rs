//! Puts the code reference into a deployment's pull steps, and finds out whether a run would start with
//! the code at that reference (`docs/facts/prefect-yaml.md`, "Pull steps").
//!
//! Every step that clones this repository gets the reference, whatever branch the file names; other steps
//! stay as they are; a clone is put first where no step brings code from anywhere. Then the steps are
//! followed as a worker does them (`start`), and what would make every run fail is found (`inputs`).

mod inputs;
mod known;
mod paths;
mod problem;
mod script;
mod start;

use semver::Version;
use serde_json::{Map, Value, json};

use flowreg_git::RepositoryUrl;
use flowreg_model::secrets;

use known::{NamedStep, StepKind};
use start::WorkerStep;

pub(crate) use problem::{PullError, PullProblem};
pub(crate) use start::{CodeElsewhere, NeededPath, RunStart};

/// The step that clones a repository.
const GIT_CLONE: &str = "prefect.deployments.steps.git_clone";

/// What a worker checks out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckOut<'a> {
    /// A branch or a tag, by name.
    Name(&'a str),
    /// A commit, by its full id.
    Commit(&'a str),
}

/// A clone of this repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GitClone<'a> {
    /// The URL that workers clone from, without credentials.
    pub repository: &'a str,
    /// What they check out.
    pub check_out: CheckOut<'a>,
    /// `access_token` or `credentials`, and the template that names the secret.
    pub access: Option<(&'static str, &'a str)>,
    /// Whether the commit has submodules that are to be cloned as well.
    pub submodules: bool,
}

/// What is known outside of the steps and needed to read them.
pub(crate) struct PullContext<'c> {
    /// Our clone.
    pub clone: GitClone<'c>,
    /// What is registered, as messages call it: `v1.0.0`.
    pub reference: &'c str,
    /// Whether a URL is one of this repository.
    pub is_ours: &'c dyn Fn(&str) -> bool,
    /// Fills in the templates whose values are known here.
    pub fill: &'c dyn Fn(&str) -> String,
    /// The version of the server's Prefect; `None` where there is no server.
    pub version: Option<&'c Version>,
    /// The ids of build and push steps, whose outputs were filled in before.
    pub filled_ids: &'c [&'c str],
}

/// Pull steps with the reference in them, and what follows from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PinnedSteps {
    /// The steps.
    pub steps: Vec<Value>,
    /// Where a run starts.
    pub start: RunStart,
    /// What the commit has to have, so that the steps don't fail.
    pub needs: Vec<NeededPath>,
    /// The directories of a sparse clone in which the run starts, as they are written, and the index of
    /// its step.
    pub sparse: Option<(usize, Vec<String>)>,
    /// What is wrong with the steps.
    pub problems: Vec<PullProblem>,
    /// The indices of clones of this repository without its submodules.
    pub without_submodules: Vec<usize>,
}

/// The one pull step of a deployment that declares none.
pub(crate) fn step(clone: &GitClone<'_>) -> Value {
    let mut inputs = Map::new();
    inputs.insert("repository".to_owned(), json!(clone.repository));
    if clone.submodules {
        inputs.insert("include_submodules".to_owned(), json!(true));
    }
    refer(&mut inputs, clone);
    json!({ GIT_CLONE: inputs })
}

/// A step as it is written, and what is known of it.
struct DeclaredStep<'s> {
    name: &'s str,
    inputs: Map<String, Value>,
    kind: StepKind,
    is_ours: bool,
}

impl PinnedSteps {
    /// The steps of a deployment that declares none: our clone, from whose root a run starts.
    pub(crate) fn default(clone: &GitClone<'_>) -> Self {
        let start = RunStart::Clone { directory: String::new(), step: None };
        Self {
            problems: submodules_at_commit(clone).into_iter().collect(),
            ..Self::of(vec![step(clone)], start)
        }
    }

    /// No steps at all (`pull: []`): the code is in the image or on the worker's machine.
    pub(crate) fn none() -> Self {
        Self::of(Vec::new(), RunStart::Elsewhere { step: None, code: CodeElsewhere::NoSteps })
    }

    fn of(steps: Vec<Value>, start: RunStart) -> Self {
        Self {
            steps,
            start,
            needs: Vec::new(),
            sparse: None,
            problems: Vec::new(),
            without_submodules: Vec::new(),
        }
    }
}

/// What is wrong with a clone that flowreg writes itself.
pub(crate) fn submodules_at_commit(clone: &GitClone<'_>) -> Option<PullProblem> {
    let is_commit = matches!(clone.check_out, CheckOut::Commit(_));
    let error = PullError::Submodules;
    (is_commit && clone.submodules).then_some(PullProblem { step: None, input: None, error })
}

/// The steps of a file with the reference in them, and where a run starts after them.
pub(crate) fn pinned(steps: &[Value], context: &PullContext<'_>) -> PinnedSteps {
    let mut problems = Vec::new();
    let mut declared = Vec::with_capacity(steps.len());
    for (index, step) in steps.iter().enumerate() {
        let found = read(index, step, context);
        declared.push(found.unwrap_or_else(|problem| {
            problems.push(*problem);
            None
        }));
    }
    let brings_code = |step: &DeclaredStep<'_>| brings_code(step, context);
    let is_put_first = !declared.iter().flatten().any(brings_code);
    pin_clones(&mut declared, context, &mut problems);
    inputs::check(&declared, context, is_put_first, &mut problems);
    if is_put_first {
        problems.extend(submodules_at_commit(&context.clone));
    }
    let own = is_put_first.then(|| step(&context.clone));
    let own_inputs = own.as_ref().and_then(|step| step.get(GIT_CLONE)).and_then(Value::as_object);
    let own_step = own_inputs.map(|inputs| WorkerStep {
        index: None,
        name: GIT_CLONE,
        kind: StepKind::GitClone,
        inputs,
        is_ours: true,
    });
    let walked = declared.iter().enumerate().filter_map(|(index, step)| {
        let DeclaredStep { name, inputs, kind, is_ours } = step.as_ref()?;
        Some(WorkerStep { index: Some(index), name, kind: *kind, inputs, is_ours: *is_ours })
    });
    let walked: Vec<WorkerStep<'_>> = own_step.into_iter().chain(walked).collect();
    let keeps_relative = context
        .version
        .is_some_and(|version| !known::is_at_least(version, known::RETURNS_ABSOLUTE));
    let followed = start::follow(&walked, context.fill, keeps_relative);
    let is_void = void(&followed.start, &declared, context);
    problems.extend(match (followed.changed_twice, context.version) {
        // The run would fail before it could start anywhere.
        (Some(step), Some(version)) => {
            let error = PullError::ChangedTwice { version: version.to_string() };
            Some(PullProblem { step: Some(step), input: Some("directory".to_owned()), error })
        }
        _ => is_void,
    });
    let ours =
        || declared.iter().enumerate().filter_map(|(index, step)| Some((index, step.as_ref()?)));
    let sparse = match &followed.start {
        RunStart::Clone { step: Some(index), .. } => {
            let step = declared.get(*index).and_then(Option::as_ref);
            step.and_then(directories).map(|directories| (*index, directories))
        }
        _ => None,
    };
    let is_without = |step: &DeclaredStep<'_>| {
        context.clone.submodules
            && step.is_ours
            && step.inputs.get("include_submodules") != Some(&json!(true))
    };
    let without_submodules =
        ours().filter(|(_, step)| is_without(step)).map(|(index, _)| index).collect();
    let registered = declared.iter().zip(steps).map(|(step, written)| match step {
        Some(step) => json!({ step.name: step.inputs }),
        None => written.clone(),
    });
    PinnedSteps {
        steps: own.iter().cloned().chain(registered).collect(),
        start: followed.start,
        needs: followed.needs,
        sparse,
        problems,
        without_submodules,
    }
}

/// Whether a server's Prefect lets a step name the directory of its clone.
pub(crate) fn can_name_clones(version: &Version) -> bool {
    known::is_at_least(version, known::NAMED_CLONES)
}

/// Looks at one step; `None` for an empty one, over which Prefect passes.
fn read<'s>(
    index: usize,
    step: &'s Value,
    context: &PullContext<'_>,
) -> Result<Option<DeclaredStep<'s>>, Box<PullProblem>> {
    let Some((name, inputs)) = step.as_object().and_then(|step| step.iter().next()) else {
        return Ok(None);
    };
    let problem = |input: Option<&str>, error| {
        let input = input.map(ToOwned::to_owned);
        Box::new(PullProblem { step: Some(index), input, error })
    };
    let Some(inputs) = inputs.as_object() else {
        return Err(problem(None, PullError::NoInputs { step: name.clone() }));
    };
    let mut inputs = inputs.clone();
    let kind = match known::look_up(name) {
        NamedStep::Known(step) => step.kind,
        NamedStep::Unchecked(kind) => kind,
        // The name is reported by `inputs`; where it leads does not matter any more.
        NamedStep::Misspelt(_) => StepKind::Foreign,
    };
    let mut is_ours = false;
    if kind == StepKind::GitClone {
        // Whose repository it is decides about everything below, and the URL may be a template.
        let url = inputs.get("repository").and_then(Value::as_str).map(context.fill);
        let url = url.unwrap_or_default();
        is_ours = !url.contains("{{") && (context.is_ours)(&url);
        refuse_secrets(&mut inputs, &url, is_ours, &context.clone)
            .map_err(|input| problem(Some(input), PullError::Secret))?;
    }
    Ok(Some(DeclaredStep { name, inputs, kind, is_ours }))
}

/// Whether a step brings the code that a run starts with, or says where it is.
fn brings_code(step: &DeclaredStep<'_>, context: &PullContext<'_>) -> bool {
    let text = |input: &str| step.inputs.get(input).and_then(Value::as_str).unwrap_or_default();
    match step.kind {
        StepKind::GitClone | StepKind::Download => true,
        StepKind::Shell => script::clones(text("script")),
        // `{{ directory }}/x` is below a clone that is to be put first.
        StepKind::SetDirectory => !(context.fill)(text("directory")).contains("{{"),
        StepKind::Requirements | StepKind::Other | StepKind::Foreign => false,
    }
}

/// Puts the reference into the clones of this repository. A clone keeps the name of its directory where a
/// later step names it.
fn pin_clones(
    declared: &mut [Option<DeclaredStep<'_>>],
    context: &PullContext<'_>,
    problems: &mut Vec<PullProblem>,
) {
    for index in 0..declared.len() {
        let Some((head, later)) = declared.get_mut(index..).and_then(<[_]>::split_first_mut) else {
            continue;
        };
        let Some(step) = head.as_mut().filter(|step| step.is_ours) else { continue };
        let problem = |at: usize, error| PullProblem { step: Some(at), input: None, error };
        // Prefect would leave the submodules out without a word, and runs would fail on missing files.
        let wants_submodules = step.inputs.get("include_submodules") == Some(&Value::Bool(true));
        let is_commit = matches!(context.clone.check_out, CheckOut::Commit(_));
        if wants_submodules && is_commit {
            problems.push(problem(index, PullError::Submodules));
        }
        let before = directory_name(&step.inputs, context);
        let is_distinctive = ["branch", "clone_directory_name"]
            .iter()
            .any(|input| step.inputs.get(*input).is_some_and(|value| !value.is_null()));
        refer(&mut step.inputs, &context.clone);
        if before == directory_name(&step.inputs, context) {
            continue;
        }
        let names_it = |step: &Option<DeclaredStep<'_>>| {
            step.as_ref().is_some_and(|step| {
                inputs::texts(&step.inputs)
                    .any(|text| script::names(&(context.fill)(text), &before, is_distinctive))
            })
        };
        let Some(user) = later.iter().position(names_it) else { continue };
        let is_possible = context.version.is_none_or(can_name_clones);
        if is_commit || !is_possible {
            let id = step.inputs.get("id").and_then(Value::as_str);
            let error = PullError::DirectoryName { name: before, output: output_of(id) };
            problems.push(problem(index + 1 + user, error));
        } else {
            step.inputs.insert("clone_directory_name".to_owned(), json!(before));
        }
    }
}

/// The directory of a clone, as a step names it.
fn directory_name(inputs: &Map<String, Value>, context: &PullContext<'_>) -> String {
    let text = |input: &str| {
        let text = inputs.get(input).and_then(Value::as_str).filter(|text| !text.is_empty());
        text.map(context.fill)
    };
    text("clone_directory_name").unwrap_or_else(|| {
        paths::clone_name(&text("repository").unwrap_or_default(), text("branch").as_deref())
    })
}

/// The output of a clone that is its directory.
fn output_of(id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{{{{ {id}.directory }}}}"),
        None => "{{ clone.directory }} (with `id: clone` in the git_clone step)".to_owned(),
    }
}

/// Whether the run would start with other code than that at the reference, although it is cloned, or
/// with a clone of something else.
fn void(
    start: &RunStart,
    declared: &[Option<DeclaredStep<'_>>],
    context: &PullContext<'_>,
) -> Option<PullProblem> {
    let RunStart::Elsewhere { step, code } = start else { return None };
    let ours = declared.iter().flatten().find(|step| step.is_ours);
    // Code in an image or a bucket is not at any reference, which its author knows: that is told only. But
    // whoever clones this repository as well expects its code to run.
    if code.is_not_in_git() && ours.is_none() {
        return None;
    }
    let id = ours.and_then(|ours| ours.inputs.get("id")).and_then(Value::as_str);
    let input = match code {
        CodeElsewhere::OtherRepository(_) | CodeElsewhere::UnknownRepository(_) => {
            Some("repository")
        }
        CodeElsewhere::Directory(_) | CodeElsewhere::UnknownDirectory(_) => Some("directory"),
        CodeElsewhere::Script(_) => Some("script"),
        _ => None,
    };
    Some(PullProblem {
        step: *step,
        input: input.map(ToOwned::to_owned),
        error: PullError::PinVoid {
            elsewhere: code.clone(),
            reference: context.reference.to_owned(),
            output: ours.map(|_| output_of(id)),
        },
    })
}

/// The directories of a sparse clone; `None` if it is a whole one, or a template.
fn directories(step: &DeclaredStep<'_>) -> Option<Vec<String>> {
    let listed = step.inputs.get("directories")?.as_array().filter(|listed| !listed.is_empty())?;
    let texts = listed.iter().map(|one| one.as_str().filter(|text| !text.contains("{{")));
    texts.map(|text| text.map(ToOwned::to_owned)).collect()
}

/// Whether a sparse clone with these directories has a file. Git checks out what is below them, and the
/// files that lie directly in a directory above one of them (git-sparse-checkout(1), "cone mode").
pub(crate) fn has_file(directories: &[String], file: &str) -> bool {
    let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory);
    directory.is_empty()
        || directories.iter().any(|listed| {
            let listed = listed.trim_matches('/');
            let is_below = |path: &str, above: &str| {
                path.strip_prefix(above)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            is_below(directory, listed) || is_below(listed, directory)
        })
}

/// Puts the reference, and the access where the step names none, into the inputs of a clone.
fn refer(inputs: &mut Map<String, Value>, clone: &GitClone<'_>) {
    match clone.check_out {
        CheckOut::Name(name) => {
            inputs.shift_remove("commit_sha");
            inputs.insert("branch".to_owned(), json!(name));
        }
        CheckOut::Commit(commit) => {
            inputs.shift_remove("branch");
            inputs.insert("commit_sha".to_owned(), json!(commit));
            // In a working directory that is used again, Prefect takes an existing clone for up to
            // date whatever its commit is, and runs old code. With the commit in its name every
            // commit has a directory of its own.
            let name = inputs.get("clone_directory_name").and_then(Value::as_str);
            let name =
                name.map_or_else(|| paths::clone_name(clone.repository, None), ToOwned::to_owned);
            let directory = format!("{name}-{commit}");
            inputs.insert("clone_directory_name".to_owned(), json!(directory));
        }
    }
    // What the step itself names wins: a deployment may clone with credentials of its own.
    if let Some((key, template)) = clone.access
        && !inputs.contains_key("access_token")
        && !inputs.contains_key("credentials")
    {
        inputs.insert(key.to_owned(), json!(template));
    }
}

/// No token may stand in a step, and no password in a URL. Where the step or the settings name a
/// secret, what is in this repository's URL is not needed and goes. The error is the input that holds one.
fn refuse_secrets(
    inputs: &mut Map<String, Value>,
    url: &str,
    is_ours: bool,
    clone: &GitClone<'_>,
) -> Result<(), &'static str> {
    let is_named = |key: &str| {
        let value = inputs.get(key)?;
        Some(
            value
                .as_str()
                .map_or(!value.is_string(), |text| text.is_empty() || secrets::is_template(text)),
        )
    };
    let keys = ["access_token", "credentials"];
    if let Some(literal) = keys.into_iter().find(|key| is_named(key) == Some(false)) {
        return Err(literal);
    }
    // `RepositoryUrl` takes credentials out, so a URL that comes back changed has some. In the form
    // `git@host:path` the part before the `@` is a user and no secret.
    let clean = RepositoryUrl::new(url, std::path::Path::new("/"));
    let holds_one = url.contains("://") && clean.as_str() != url.trim() && url.contains('@');
    if !holds_one {
        return Ok(());
    }
    let has_access = keys.iter().any(|key| is_named(key).is_some()) || clone.access.is_some();
    if has_access && is_ours {
        inputs.insert("repository".to_owned(), json!(clean.as_str()));
        return Ok(());
    }
    Err("repository")
}

#[cfg(test)]
mod tests;
