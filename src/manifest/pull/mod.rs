//! Puts the code reference into a deployment's pull steps, and finds out whether a run would start with
//! the code at that reference (`docs/facts/prefect-yaml.md`, "Pull steps").
//!
//! Every step that clones this repository gets the reference, whatever branch the file names; other steps
//! stay as they are; a clone is put first where no step brings code from anywhere. Then the steps are
//! followed as a worker does them (`start`), and what would make every run fail is found (`inputs`).

mod elsewhere;
mod inputs;
mod known;
mod paths;
mod problem;
mod script;
mod secrets;
mod shell;
mod start;

use std::collections::HashMap;

use semver::Version;
use serde_json::{Map, Value, json};

use flowreg_git::RepositoryUrl;
use known::{NamedStep, StepKind};
use start::WorkerStep;

use crate::manifest::template::output_names;

use problem::{DirectoryOutput, WayBack};

pub(crate) use elsewhere::CodeElsewhere;
pub(crate) use problem::{PullError, PullProblem, PullRemark};
pub(crate) use start::{NeededKind, NeededPath, RunStart};

/// The step that clones a repository.
const GIT_CLONE: &str = "prefect.deployments.steps.git_clone";
/// The step that changes the working directory.
const SET_DIRECTORY: &str = "prefect.deployments.steps.set_working_directory";

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
    /// What is worth knowing about them.
    pub remarks: Vec<PullRemark>,
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
            remarks: Vec::new(),
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
    let walked: Vec<WorkerStep<'_>> = own_step.into_iter().chain(worker_steps(&declared)).collect();
    let keeps_relative = context
        .version
        .is_some_and(|version| !known::is_at_least(version, known::RETURNS_ABSOLUTE));
    let follow = |steps: &[WorkerStep<'_>]| start::follow(steps, context.fill, keeps_relative);
    let followed = follow(&walked);
    problems.extend(followed.problems);
    if let (Some(step), Some(version)) = (followed.changed_twice, context.version) {
        // The run would fail before it could start anywhere, also if the name of the directory was right.
        let is_name = |one: &PullProblem| matches!(one.error, PullError::DirectoryName { .. });
        problems.retain(|one| one.step != Some(step) || !is_name(one));
        let others: Vec<WorkerStep<'_>> =
            walked.iter().filter(|one| one.index != Some(step)).copied().collect();
        let is_superfluous = follow(&others).is_in_clone();
        let error = PullError::ChangedTwice { version: version.to_string(), is_superfluous };
        problems.push(PullProblem { step: Some(step), input: Some("directory".to_owned()), error });
    } else {
        let is_right = |steps: &[WorkerStep<'_>]| follow(steps).is_in_clone();
        problems.extend(void(&followed.start, &walked, context, &is_right));
    }
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
        remarks: followed.remarks,
        without_submodules,
    }
}

/// The steps as a worker does them.
fn worker_steps<'s>(
    declared: &'s [Option<DeclaredStep<'_>>],
) -> impl Iterator<Item = WorkerStep<'s>> {
    declared.iter().enumerate().filter_map(|(index, step)| {
        let DeclaredStep { name, inputs, kind, is_ours } = step.as_ref()?;
        Some(WorkerStep { index: Some(index), name, kind: *kind, inputs, is_ours: *is_ours })
    })
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
        NamedStep::Unchecked(kind, _) => kind,
        // The name is reported by `inputs`; where it leads does not matter any more.
        NamedStep::Misspelt(_) => StepKind::Foreign,
    };
    let mut is_ours = false;
    if kind == StepKind::GitClone {
        // Whose repository it is decides about everything below, and the URL may be a template.
        let url = inputs.get("repository").and_then(Value::as_str).map(context.fill);
        let url = url.unwrap_or_default();
        let address = without_template_user(&url);
        is_ours = !address.contains("{{") && (context.is_ours)(&address);
        if is_ours {
            clean_url(&mut inputs, &url, &context.clone);
        }
    }
    if let Some((input, place)) = secrets::find(&inputs) {
        return Err(problem(Some(&input), PullError::Secret(place)));
    }
    Ok(Some(DeclaredStep { name, inputs, kind, is_ours }))
}

/// Whether a step brings the code that a run starts with, or says where it is.
fn brings_code(step: &DeclaredStep<'_>, context: &PullContext<'_>) -> bool {
    let text = |input: &str| step.inputs.get(input).and_then(Value::as_str).unwrap_or_default();
    match step.kind {
        StepKind::GitClone | StepKind::Download => true,
        StepKind::Shell => {
            let script = (context.fill)(text("script"));
            script::clones(&shell::invocations(&script, None, &HashMap::new()))
        }
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
        let Some(step) = declared.get_mut(index).and_then(Option::as_mut) else { continue };
        if !step.is_ours {
            continue;
        }
        // Prefect would leave the submodules out without a word, and runs would fail on missing files.
        let wants_submodules = step.inputs.get("include_submodules") == Some(&Value::Bool(true));
        let is_commit = matches!(context.clone.check_out, CheckOut::Commit(_));
        if wants_submodules && is_commit {
            let error = PullError::Submodules;
            problems.push(PullProblem { step: Some(index), input: None, error });
        }
        let before = directory_name(&step.inputs, context);
        let is_distinctive = ["branch", "clone_directory_name"]
            .iter()
            .any(|input| step.inputs.get(*input).is_some_and(|value| !value.is_null()));
        let output = output_of(step.inputs.get("id").and_then(Value::as_str));
        refer(&mut step.inputs, &context.clone);
        if before == directory_name(&step.inputs, context) {
            continue;
        }
        let steps: Vec<WorkerStep<'_>> = worker_steps(declared).collect();
        let Some(at) = steps.iter().position(|step| step.index == Some(index)) else { continue };
        let user = start::user_of(&steps, at, &before, is_distinctive, context.fill);
        let Some(user) = user else { continue };
        let is_possible = context.version.is_none_or(can_name_clones);
        if is_commit || !is_possible {
            let error = PullError::DirectoryName { name: before, output };
            problems.push(PullProblem { step: Some(user), input: None, error });
        } else if let Some(step) = declared.get_mut(index).and_then(Option::as_mut) {
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
fn output_of(id: Option<&str>) -> DirectoryOutput {
    let needs_id = id.is_none();
    DirectoryOutput { template: format!("{{{{ {}.directory }}}}", id.unwrap_or("clone")), needs_id }
}

/// Whether the run would start with other code than that at the reference, although it is cloned, or
/// with a clone of something else.
fn void(
    start: &RunStart,
    walked: &[WorkerStep<'_>],
    context: &PullContext<'_>,
    is_right: &dyn Fn(&[WorkerStep<'_>]) -> bool,
) -> Option<PullProblem> {
    let RunStart::Elsewhere { step, code } = start else { return None };
    let ours = walked.iter().rfind(|step| step.is_ours && step.index.is_some());
    // Code in an image or a bucket is not at any reference, which its author knows: that is told only. But
    // whoever clones this repository as well expects its code to run.
    if code.is_not_in_git() && ours.is_none() {
        return None;
    }
    let input = match code {
        CodeElsewhere::OtherRepository(_) | CodeElsewhere::UnknownRepository(_) => {
            Some("repository")
        }
        CodeElsewhere::Directory(_) | CodeElsewhere::UnknownDirectory(_) => Some("directory"),
        CodeElsewhere::Script(_) => Some("script"),
        _ => None,
    };
    let way_back = ours.filter(|_| !matches!(code, CodeElsewhere::Script(_)));
    Some(PullProblem {
        step: *step,
        input: input.map(ToOwned::to_owned),
        error: PullError::PinVoid {
            elsewhere: code.clone(),
            reference: context.reference.to_owned(),
            way_back: way_back.and_then(|ours| way_back_to(ours, *step, walked, is_right)),
        },
    })
}

/// What makes the run start in a clone of ours: what is proposed is followed as well, so that it is right once
/// it is typed.
fn way_back_to(
    ours: &WorkerStep<'_>,
    decides: Option<usize>,
    walked: &[WorkerStep<'_>],
    is_right: &dyn Fn(&[WorkerStep<'_>]) -> bool,
) -> Option<WayBack> {
    let id = ours.inputs.get("id").and_then(Value::as_str);
    let output = output_of(id);
    let mut with_id = ours.inputs.clone();
    with_id.insert("id".to_owned(), json!(id.unwrap_or("clone")));
    let mut directory = Map::new();
    directory.insert("directory".to_owned(), json!(output.template));
    let of_ours = |step: &WorkerStep<'_>| step.index == ours.index;
    let named = WorkerStep { inputs: &with_id, ..*ours };
    let last = WorkerStep {
        index: Some(usize::MAX),
        name: SET_DIRECTORY,
        kind: StepKind::SetDirectory,
        inputs: &directory,
        is_ours: false,
    };
    let mut steps: Vec<WorkerStep<'_>> = walked.to_vec();
    for step in steps.iter_mut().filter(|step| of_ours(step)) {
        *step = named;
    }
    let back: Vec<WorkerStep<'_>> = steps.iter().copied().chain(std::iter::once(last)).collect();
    if is_right(&back) {
        return Some(WayBack::LastStep(output));
    }
    let is_relative = |step: &WorkerStep<'_>| {
        step.kind == StepKind::SetDirectory
            && start::text_input(step, "directory")
                .is_some_and(|text| !text.starts_with(['/', '~']))
    };
    let decides = |step: &WorkerStep<'_>| step.index == decides && is_relative(step);
    if let Some(step) = steps.iter_mut().find(|step| decides(step)) {
        step.inputs = &directory;
        return is_right(&steps).then_some(WayBack::Named(output));
    }
    let is_named = |step: &WorkerStep<'_>| {
        let names = step.inputs.values().flat_map(output_names);
        names.into_iter().any(|name| {
            name == "directory" || id.is_some_and(|id| name.split('.').next() == Some(id))
        })
    };
    let others = || walked.iter().filter(|step| !of_ours(step));
    let moved: Vec<WorkerStep<'_>> = others().copied().chain(std::iter::once(*ours)).collect();
    (!others().any(is_named) && is_right(&moved)).then_some(WayBack::CloneLast)
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
            let listed = &paths::from_root(listed);
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

/// Where the step or the settings name a secret, the one in this repository's URL is not needed and goes.
fn clean_url(inputs: &mut Map<String, Value>, url: &str, clone: &GitClone<'_>) {
    let is_named = |key: &&str| inputs.get(*key).is_some_and(|value| !value.is_null());
    let has_access = ["access_token", "credentials"].iter().any(is_named) || clone.access.is_some();
    if has_access && secrets::has_secret(url) {
        let clean = RepositoryUrl::new(url, std::path::Path::new("/"));
        inputs.insert("repository".to_owned(), json!(clean.as_str()));
    }
}

/// A URL without the user and password, where they are a template: whose repository it is does not depend on
/// them.
fn without_template_user(url: &str) -> String {
    let parts = url.split_once("://").and_then(|(scheme, rest)| {
        let (user, host) = rest.split_once('@')?;
        (user.contains("{{") && !user.contains('/')).then_some((scheme, host))
    });
    parts.map_or_else(|| url.to_owned(), |(scheme, host)| format!("{scheme}://{host}"))
}

#[cfg(test)]
mod tests;
