//! Checks what the steps are given: names, inputs and outputs that Prefect would stumble over in every run.
//! Steps of somebody else are left alone.

use std::collections::HashMap;

use serde_json::Value;

use super::known::{self, InputFault, KnownStep, NamedStep, StepKind};
use super::shell;
use super::{CheckOut, DeclaredStep, PullContext, PullError, PullProblem};
use crate::manifest::template::output_names;
use flowreg_model::nearest;

/// The outputs that Prefect's own steps put beside the ids.
const FLAT_OUTPUTS: [&str; 3] = ["directory", "stdout", "stderr"];
/// What the worker fills in.
const RUN_TIME: &str = "ctx.";

/// Adds what is wrong with each step. `has_own_clone`: a clone of ours is put before them.
pub(super) fn check(
    declared: &[Option<DeclaredStep<'_>>],
    context: &PullContext<'_>,
    has_own_clone: bool,
    problems: &mut Vec<PullProblem>,
) {
    let mut outputs = Outputs::default();
    if has_own_clone {
        outputs.add(None, known::outputs_of(StepKind::GitClone));
    }
    for (index, step) in declared.iter().enumerate() {
        let Some(step) = step else { continue };
        let mut add = |input: Option<&str>, error| {
            let input = input.map(ToOwned::to_owned);
            problems.push(PullProblem { step: Some(index), input, error });
        };
        match known::look_up(step.name) {
            NamedStep::Known(known) => check_known(step, known, context, &mut add),
            NamedStep::Misspelt(near) => {
                let (step, version) = (step.name.to_owned(), version_in_words(context));
                add(None, PullError::NoSuchStep { step, version, near });
            }
            NamedStep::Unchecked(_, required) => {
                let is_given =
                    |input: &&&str| step.inputs.get(**input).is_some_and(|value| !value.is_null());
                for input in required.iter().filter(|input| !is_given(input)) {
                    add(None, PullError::MissingInput { step: step.name.to_owned(), input });
                }
            }
        }
        for (input, value) in &step.inputs {
            if let Some(expected) = known::expected_reserved(input, value) {
                add(Some(input), PullError::WrongType { input: input.clone(), expected });
            }
        }
        let returns_directory = |step: &DeclaredStep<'_>| {
            matches!(step.kind, StepKind::GitClone | StepKind::SetDirectory | StepKind::Download)
        };
        let id = step.inputs.get("id").and_then(Value::as_str);
        let is_hidden = id == Some("directory")
            && matches!(step.kind, StepKind::Shell | StepKind::Requirements)
            && !declared.iter().skip(index).flatten().any(returns_directory);
        if is_hidden {
            let reason = "it would stand for the directory of the clone, and every run would fail";
            add(Some("id"), PullError::BadId { id: "directory".to_owned(), reason });
        }
        if step.kind != StepKind::Foreign {
            for (input, value) in &step.inputs {
                let names = output_names(value);
                let fault = names.into_iter().find_map(|name| outputs.fault(name, context));
                if let Some(error) = fault {
                    add(Some(input), error);
                }
            }
        }
        outputs.add(id, known::outputs_of(step.kind));
    }
}

/// All texts in a value.
pub(super) fn texts_of(value: &Value) -> impl Iterator<Item = &str> {
    let mut open = vec![value];
    std::iter::from_fn(move || {
        loop {
            match open.pop()? {
                Value::String(text) => return Some(text.as_str()),
                Value::Array(items) => open.extend(items),
                Value::Object(map) => open.extend(map.values()),
                _ => {}
            }
        }
    })
}

fn check_known(
    step: &DeclaredStep<'_>,
    known: &KnownStep,
    context: &PullContext<'_>,
    add: &mut dyn FnMut(Option<&str>, PullError),
) {
    let name = || step.name.to_owned();
    if !known.is_in(context.version) {
        let (version, near) = (version_in_words(context), known.successor());
        add(None, PullError::NoSuchStep { step: name(), version, near });
        return;
    }
    for fault in known.faults(&step.inputs, context.version) {
        match fault {
            InputFault::Missing(input) => {
                add(None, PullError::MissingInput { step: name(), input });
            }
            InputFault::Unknown(input, near) => {
                let unknown = PullError::UnknownInput { step: name(), input: input.clone(), near };
                add(Some(&input), unknown);
            }
            // A commit is put into the step by flowreg, and Prefect 2 is told of before (`Target::adapt`).
            InputFault::TooNew("commit_sha" | "clone_directory_name", _)
                if step.is_ours && matches!(context.clone.check_out, CheckOut::Commit(_)) => {}
            InputFault::TooNew(input, since) => {
                let version = context.version.map(ToString::to_string).unwrap_or_default();
                let new = PullError::NewInput { step: name(), input, since, version };
                add(Some(input), new);
            }
        }
    }
    let is_given = |input: &str| step.inputs.get(input).is_some_and(|value| !value.is_null());
    if step.kind == StepKind::GitClone && is_given("access_token") && is_given("credentials") {
        add(Some("credentials"), PullError::TwoSecrets);
    }
    for (input, value) in &step.inputs {
        if let Some(expected) = known::expected_type(input, value) {
            add(Some(input), PullError::WrongType { input: input.clone(), expected });
        }
    }
    let listed = step.inputs.get("directories").and_then(Value::as_array).into_iter().flatten();
    for path in listed.filter_map(Value::as_str).filter(|path| !is_sparse_directory(path)) {
        add(Some("directories"), PullError::NoSparseDirectory { path: path.to_owned() });
    }
    let is_shell = step
        .inputs
        .get("shell")
        .is_some_and(|shell| *shell != Value::Bool(false) && !shell.is_null());
    let script = step.inputs.get("script").and_then(Value::as_str).filter(|_| !is_shell);
    if let Some(line) = script.into_iter().flat_map(str::lines).find(|line| !shell::is_closed(line))
    {
        let line = line.trim().to_owned();
        add(Some("script"), PullError::OpenQuotation { line });
    }
}

/// Whether git takes a path as a directory of a sparse checkout (git-sparse-checkout(1), "cone mode").
fn is_sparse_directory(path: &str) -> bool {
    path.contains("{{")
        || !(path.starts_with(['/', '!'])
            || path.contains(['*', '?', '[', ']', '\\'])
            || leads_out(path))
}

/// Whether a path leads out of the repository.
fn leads_out(path: &str) -> bool {
    let mut depth = 0_usize;
    path.split('/').any(|part| {
        match part {
            "" | "." => {}
            ".." if depth == 0 => return true,
            ".." => depth -= 1,
            _ => depth += 1,
        }
        false
    })
}

/// ` 3.8.8`, or nothing.
fn version_in_words(context: &PullContext<'_>) -> String {
    context.version.map_or_else(String::new, |version| format!(" {version}"))
}

/// What the steps so far have returned.
#[derive(Default)]
struct Outputs<'s> {
    /// The outputs of each id; `None` where they are not known.
    by_id: HashMap<&'s str, Option<&'static [&'static str]>>,
    flat: Vec<&'static str>,
    /// Whether a step may have returned anything.
    is_open: bool,
}

impl<'s> Outputs<'s> {
    fn add(&mut self, id: Option<&'s str>, outputs: Option<&'static [&'static str]>) {
        self.by_id.extend(id.map(|id| (id, outputs)));
        match outputs {
            Some(outputs) => self.flat.extend(outputs),
            None => self.is_open = true,
        }
    }

    /// What is wrong with a placeholder that names an output; `None` also for a plain name, which may be
    /// a variable of the worker's environment.
    fn fault(&self, name: &str, context: &PullContext<'_>) -> Option<PullError> {
        if name.starts_with(RUN_TIME) {
            return None;
        }
        let placeholder = format!("{{{{ {name} }}}}");
        let Some((id, part)) = name.split_once(['.', '[']) else {
            let is_missing = FLAT_OUTPUTS.contains(&name) && !self.flat.contains(&name);
            let is_fault = is_missing && !self.is_open && !context.filled_ids.contains(&name);
            return is_fault.then_some(PullError::NoOutput { placeholder, near: None });
        };
        let ids: Vec<&str> = self.by_id.keys().copied().collect();
        let dotted = ids.iter().find(|id| {
            id.contains(['.', '['])
                && name.strip_prefix(**id).is_some_and(|rest| rest.starts_with('.'))
        });
        if let Some(id) = dotted {
            let reason = "a template can't name a step whose id has a dot or a bracket";
            return Some(PullError::BadId { id: (*id).to_owned(), reason });
        }
        let near = match self.by_id.get(id) {
            Some(None) => return None,
            Some(Some(outputs)) if outputs.contains(&part) => return None,
            Some(Some(outputs)) => nearest(part, outputs)
                .or(outputs.first().copied())
                .map(|part| format!("{{{{ {id}.{part} }}}}")),
            None if context.filled_ids.contains(&id) || self.is_flat_object(id) => return None,
            None => nearest(id, &ids).map(|id| format!("{{{{ {id}.{part} }}}}")),
        };
        Some(PullError::NoOutput { placeholder, near })
    }

    /// Whether a step of somebody else may have returned a mapping of this name.
    fn is_flat_object(&self, name: &str) -> bool {
        self.is_open && !FLAT_OUTPUTS.contains(&name)
    }
}
