//! Where a run starts once a worker has done the pull steps, worked out on paper.
//!
//! A worker does the steps in order, each may change the working directory, and the last one that
//! returns a directory decides from where the flow is loaded (`prefect/deployments/steps/core.py`,
//! `run_steps`; `docs/facts/prefect-yaml.md`, "Pull steps"). What a step of somebody else returns is not
//! known here, and then neither is where the run starts.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::elsewhere::CodeElsewhere;
use super::known::StepKind;
use super::paths;
use super::problem::{PullError, PullProblem, PullRemark};
use super::script::{self, Effect};
use super::shell::{self, Argument, Invocation};
use crate::manifest::template::with_outputs;

/// A pull step as it is registered, and what is known of it.
#[derive(Clone, Copy)]
pub(super) struct WorkerStep<'s> {
    /// Its index in the file; `None` for a clone that flowreg puts first.
    pub index: Option<usize>,
    /// Its name as it is written.
    pub name: &'s str,
    /// What it does.
    pub kind: StepKind,
    /// Its inputs.
    pub inputs: &'s Map<String, Value>,
    /// Whether it clones this repository.
    pub is_ours: bool,
}

/// Where a run starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunStart {
    /// In the clone of this repository at the reference.
    Clone {
        /// The directory from the repository's root; empty for the root.
        directory: String,
        /// The index of the step that made the clone; `None` for the one that flowreg puts first.
        step: Option<usize>,
    },
    /// With other code, or with code that is not known.
    Elsewhere {
        /// The index of the step that decides it; `None` if there is no step.
        step: Option<usize>,
        /// What is there.
        code: CodeElsewhere,
    },
}

/// A file or directory of the repository that a step needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NeededPath {
    /// The index of the step; `None` for the clone that flowreg puts first.
    pub step: Option<usize>,
    /// The input that names it.
    pub input: &'static str,
    /// From the repository's root; empty for the root.
    pub path: String,
    /// What has to be there.
    pub kind: NeededKind,
}

/// What has to be at a path of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NeededKind {
    /// A file.
    File,
    /// A directory.
    Directory,
    /// A directory or nothing.
    NoFile,
}

/// What is known after following the steps.
pub(super) struct Followed {
    /// Where the run starts.
    pub start: RunStart,
    /// What the commit has to have.
    pub needs: Vec<NeededPath>,
    /// The step whose directory the worker changes into a second time.
    pub changed_twice: Option<usize>,
    /// Why every run would fail on the way.
    pub problems: Vec<PullProblem>,
    /// What is worth knowing.
    pub remarks: Vec<PullRemark>,
}

impl Followed {
    /// Whether the run starts in our clone.
    pub(super) fn is_in_clone(&self) -> bool {
        matches!(self.start, RunStart::Clone { .. }) && self.changed_twice.is_none()
    }
}

/// Follows the steps as a worker does them.
///
/// `fill` fills in templates whose values are known here. `keeps_relative`: an older Prefect returns a
/// relative working directory as it is written, and changes into it a second time at the end.
pub(super) fn follow(
    steps: &[WorkerStep<'_>],
    fill: &dyn Fn(&str) -> String,
    keeps_relative: bool,
) -> Followed {
    let mut worker = Worker::new(fill, keeps_relative);
    for step in steps {
        worker.run(step);
    }
    let start = worker.start();
    let Worker { needs, changed_twice, problems, remarks, .. } = worker;
    Followed { start, needs, changed_twice, problems, remarks }
}

/// The first step that names the directory of a clone in a text, by the name that it had before the
/// reference was put in.
///
/// `clone` is the index of the clone in `steps`. `is_distinctive`: the name can't be an ordinary word.
pub(super) fn user_of(
    steps: &[WorkerStep<'_>],
    clone: usize,
    name: &str,
    is_distinctive: bool,
    fill: &dyn Fn(&str) -> String,
) -> Option<usize> {
    let mut worker = Worker::new(fill, false);
    let mut path: Option<String> = None;
    for (at, step) in steps.iter().enumerate() {
        if let Some(path) = &path
            && worker.names(step, path, is_distinctive)
        {
            return step.index;
        }
        if at == clone {
            path = Some(paths::join(&worker.directory, name));
        }
        worker.run(step);
    }
    None
}

/// A directory that a step returned.
#[derive(Debug, Clone)]
enum Returned {
    /// As text, which is relative to where the worker is when it is used.
    Text(String),
    /// Not known, and why.
    Unknown(CodeElsewhere),
}

/// A clone on the worker's disk.
struct CloneDirectory {
    path: String,
    url: String,
    step: Option<usize>,
    /// What is in it; `None` if it is this repository at the reference.
    code: Option<CodeElsewhere>,
    /// The step that changed what is in it.
    changed_by: Option<usize>,
}

/// A worker on its way through the steps.
struct Worker<'f> {
    fill: &'f dyn Fn(&str) -> String,
    keeps_relative: bool,
    /// The working directory, as `paths` writes it.
    directory: String,
    clones: Vec<CloneDirectory>,
    /// What steps with an `id` returned as `directory`.
    by_id: HashMap<String, Returned>,
    /// The step that returned a directory last, and the directory.
    last: Option<(Option<usize>, Returned)>,
    /// The index of the `set_working_directory` that came last.
    last_change: Option<usize>,
    needs: Vec<NeededPath>,
    changed_twice: Option<usize>,
    /// What scripts have put on the disk.
    made: Vec<MadeByScript>,
    problems: Vec<PullProblem>,
    remarks: Vec<PullRemark>,
}

/// A directory into which a script has put files.
struct MadeByScript {
    path: String,
    command: String,
    step: Option<usize>,
}

impl<'f> Worker<'f> {
    fn new(fill: &'f dyn Fn(&str) -> String, keeps_relative: bool) -> Self {
        Self {
            fill,
            keeps_relative,
            directory: paths::START.to_owned(),
            clones: Vec::new(),
            by_id: HashMap::new(),
            last: None,
            last_change: None,
            needs: Vec::new(),
            changed_twice: None,
            made: Vec::new(),
            problems: Vec::new(),
            remarks: Vec::new(),
        }
    }

    fn run(&mut self, step: &WorkerStep<'_>) {
        match step.kind {
            StepKind::GitClone => self.clone_repository(step),
            StepKind::SetDirectory => self.set_directory(step),
            StepKind::Download => {
                self.returns(
                    step,
                    Returned::Unknown(CodeElsewhere::Download(step.name.to_owned())),
                );
            }
            StepKind::Foreign => {
                self.returns(step, Returned::Unknown(CodeElsewhere::Foreign(step.name.to_owned())));
            }
            StepKind::Shell => self.run_script(step),
            StepKind::Requirements => self.install_requirements(step),
            StepKind::Other => {}
        }
    }

    fn clone_repository(&mut self, step: &WorkerStep<'_>) {
        let url = text_input(step, "repository").unwrap_or_default();
        let filled = (self.fill)(url);
        let code = if step.is_ours {
            None
        } else if filled.contains("{{") {
            Some(CodeElsewhere::UnknownRepository(url.to_owned()))
        } else {
            Some(CodeElsewhere::OtherRepository(filled.clone()))
        };
        let name = if let Some(name) = text_input(step, "clone_directory_name") {
            self.evaluated(name)
        } else {
            let branch = text_input(step, "branch").map(|branch| (self.fill)(branch));
            Some(paths::clone_name(&filled, branch.as_deref()))
        };
        let Some(name) = name else {
            let text = text_input(step, "clone_directory_name").unwrap_or_default();
            let unknown = CodeElsewhere::UnknownDirectory(text.to_owned());
            self.returns(step, Returned::Unknown(unknown));
            return;
        };
        let path = paths::join(&self.directory, &name);
        let before = self.clones.iter().rfind(|clone| clone.path == path);
        let is_known = |url: &str| !url.is_empty() && !url.contains("{{");
        let other = before.map(|before| without_user(&before.url)).filter(|other| {
            is_known(other) && is_known(&filled) && *other != without_user(&filled)
        });
        let is_ours_before = before.is_some_and(|before| before.code.is_none());
        if let Some(other) = other {
            let name = paths::shown(&path);
            self.problem(step, None, PullError::SameDirectory { name, other });
        }
        if name.starts_with('/') && paths::below(&path, &self.directory).is_none() {
            let error = PullError::AbsoluteName { name: name.clone() };
            self.problem(step, Some("clone_directory_name"), error);
        }
        // Where a script has cloned before, Prefect pulls into what is there, and a whole clone that has the
        // tag already stays at the newer commit.
        let made = self.made.iter().find(|made| paths::below(&made.path, &path).is_some());
        let made = made.filter(|_| step.is_ours && !is_ours_before);
        let (code, changed_by) = match made {
            Some(made) => (Some(CodeElsewhere::Script(made.command.clone())), made.step),
            None => (code, None),
        };
        self.need_directories(step);
        self.clones.push(CloneDirectory { path, url: filled, step: step.index, code, changed_by });
        self.returns(step, Returned::Text(name));
    }

    fn set_directory(&mut self, step: &WorkerStep<'_>) {
        let text = text_input(step, "directory").unwrap_or_default();
        let Some(to) = self.evaluated(text) else {
            let unknown = self
                .unknown_output(text)
                .unwrap_or_else(|| CodeElsewhere::UnknownDirectory(text.to_owned()));
            // What later steps say is relative to this directory, whatever it is.
            self.directory = paths::unknown(step.index);
            self.returns(step, Returned::Unknown(unknown));
            return;
        };
        self.directory = paths::join(&self.directory, &to);
        let here = self.directory.clone();
        self.need(step, "directory", &here, NeededKind::Directory);
        let returned = if self.keeps_relative { to } else { here };
        self.last_change = step.index;
        self.returns(step, Returned::Text(returned));
    }

    fn install_requirements(&mut self, step: &WorkerStep<'_>) {
        let Some(directory) = self.directory_of(step) else { return };
        let file = text_input(step, "requirements_file").unwrap_or("requirements.txt");
        let Some(file) = self.evaluated(file) else { return };
        let path = paths::join(&directory, &file);
        self.need(step, "requirements_file", &path, NeededKind::File);
        let is_cloned = self.clones.iter().any(|clone| clone.code.is_none());
        if directory == paths::START
            && is_cloned
            && !file.starts_with('/')
            && self.clone_at(&path).is_none()
        {
            self.remarks.push(PullRemark::OutsideOfClone { step: step.index, file });
        }
    }

    /// A sparse clone takes directories only, and git fails on a file.
    fn need_directories(&mut self, step: &WorkerStep<'_>) {
        let listed = step.inputs.get("directories").and_then(Value::as_array);
        let listed = listed.filter(|_| step.is_ours).into_iter().flatten();
        for path in listed.filter_map(Value::as_str).filter(|text| !text.contains("{{")) {
            let path = paths::from_root(path);
            let kind = NeededKind::NoFile;
            self.needs.push(NeededPath { step: step.index, input: "directories", path, kind });
        }
    }

    /// A script stays where it is, but its commands may change what an earlier step has cloned.
    fn run_script(&mut self, step: &WorkerStep<'_>) {
        let directory = self.directory_of(step);
        if text_input(step, "directory").is_some()
            && let Some(directory) = &directory
        {
            self.need(step, "directory", directory, NeededKind::Directory);
        }
        for change in script::changes(&self.commands(step)) {
            let mut is_written = false;
            for clone in &mut self.clones {
                if change.may_replace(&clone.path) {
                    clone.code = Some(CodeElsewhere::Script(change.command.clone()));
                    clone.changed_by = step.index;
                } else {
                    is_written |= clone.code.is_none() && change.writes_code_into(&clone.path);
                }
            }
            let command = change.command;
            match (change.effect, change.path) {
                (Effect::Removes, Some(gone)) => {
                    self.made.retain(|made| paths::below(&made.path, &gone).is_none());
                }
                (Effect::WorkTree | Effect::Creates | Effect::Fills, Some(path)) => {
                    self.made.push(MadeByScript { path, command, step: step.index });
                }
                (Effect::File, _) if is_written => {
                    self.remarks.push(PullRemark::WritesCode { step: step.index, command });
                }
                _ => {}
            }
        }
    }

    /// The commands of a script.
    fn commands(&self, step: &WorkerStep<'_>) -> Vec<Invocation> {
        let variables = step.inputs.get("env").and_then(Value::as_object).into_iter().flatten();
        let variables: HashMap<String, Argument> = variables
            .filter_map(|(name, value)| {
                Some((name.clone(), shell::argument(&self.filled(value.as_str()?))))
            })
            .collect();
        let text = self.filled(text_input(step, "script").unwrap_or_default());
        shell::invocations(&text, self.directory_of(step).as_deref(), &variables)
    }

    /// Whether a step names a path at or below another one in a text of its own.
    fn names(&self, step: &WorkerStep<'_>, path: &str, is_distinctive: bool) -> bool {
        let here = self.directory_of(step);
        let is_below = |path_of: Option<String>| {
            path_of.is_some_and(|found| paths::below(&found, path).is_some())
        };
        step.inputs.iter().any(|(input, value)| match (step.kind, input.as_str()) {
            (_, "id" | "requires") => false,
            (StepKind::Shell, "script") => {
                self.commands(step).iter().any(|one| script::names(one, path, is_distinctive))
            }
            (StepKind::Shell | StepKind::Requirements | StepKind::SetDirectory, "directory") => {
                let text = value.as_str().and_then(|text| self.evaluated(text));
                is_below(text.map(|text| paths::join(&self.directory, &text)))
            }
            (StepKind::Requirements, "requirements_file") => {
                let text = value.as_str().and_then(|text| self.evaluated(text));
                is_below(text.zip(here.clone()).map(|(text, here)| paths::join(&here, &text)))
            }
            _ => super::inputs::texts_of(value).any(|text| {
                let text = self.filled(text);
                script::names_in(&text, here.as_deref(), path, is_distinctive)
            }),
        })
    }

    /// Where a step works: its `directory`, else the working directory. `None` if it is not known.
    fn directory_of(&self, step: &WorkerStep<'_>) -> Option<String> {
        match text_input(step, "directory") {
            Some(text) => Some(paths::join(&self.directory, &self.evaluated(text)?)),
            None => Some(self.directory.clone()),
        }
    }

    fn problem(&mut self, step: &WorkerStep<'_>, input: Option<&str>, error: PullError) {
        let input = input.map(ToOwned::to_owned);
        self.problems.push(PullProblem { step: step.index, input, error });
    }

    fn need(&mut self, step: &WorkerStep<'_>, input: &'static str, path: &str, kind: NeededKind) {
        let Some((clone, below)) = self.clone_at(path) else { return };
        // A script may have made what is not in the commit, but only one that is allowed to change it.
        if clone.code.is_none() {
            let needed = NeededPath { step: step.index, input, path: below, kind };
            self.needs.push(needed);
        }
    }

    fn returns(&mut self, step: &WorkerStep<'_>, returned: Returned) {
        if let Some(id) = step.inputs.get("id").and_then(Value::as_str) {
            self.by_id.insert(id.to_owned(), returned.clone());
        }
        self.last = Some((step.index, returned));
    }

    /// The clone in which a path lies, and the path from its root.
    fn clone_at(&self, path: &str) -> Option<(&CloneDirectory, String)> {
        let within = self.clones.iter().rev().filter_map(|clone| {
            paths::below(path, &clone.path).map(|below| (clone, below.to_owned()))
        });
        // A clone may be made inside another one. Of two in one place the later one counts.
        within.fold(None, |best: Option<(&CloneDirectory, String)>, next| match best {
            Some(best) if best.0.path.len() >= next.0.path.len() => Some(best),
            _ => Some(next),
        })
    }

    fn start(&mut self) -> RunStart {
        let Some((step, returned)) = self.last.clone() else {
            return RunStart::Elsewhere { step: None, code: CodeElsewhere::NoSteps };
        };
        let text = match returned {
            Returned::Text(text) => text,
            Returned::Unknown(code) => return RunStart::Elsewhere { step, code },
        };
        let path = paths::join(&self.directory, &text);
        let is_twice = step.is_some() && step == self.last_change && path != self.directory;
        self.changed_twice = step.filter(|_| is_twice);
        match self.clone_at(&path) {
            Some((CloneDirectory { code: Some(code), step: cloned, changed_by, .. }, _)) => {
                RunStart::Elsewhere { step: changed_by.or(*cloned), code: code.clone() }
            }
            Some((CloneDirectory { step: cloned, .. }, directory)) => {
                let cloned = *cloned;
                if !is_twice {
                    let (path, kind) = (directory.clone(), NeededKind::Directory);
                    self.needs.push(NeededPath { step, input: "directory", path, kind });
                }
                RunStart::Clone { directory, step: cloned }
            }
            None => {
                let code = CodeElsewhere::Directory(paths::shown(&path));
                RunStart::Elsewhere { step, code }
            }
        }
    }

    /// A text with the outputs of earlier steps and all templates filled in; `None` if one has no value.
    fn evaluated(&self, text: &str) -> Option<String> {
        let mut is_known = true;
        let with_outputs = with_outputs(text, |name| match self.output(name) {
            Some(Returned::Text(text)) => Some(text.clone()),
            Some(Returned::Unknown(_)) => {
                is_known = false;
                None
            }
            None => None,
        });
        let filled = (self.fill)(&with_outputs);
        (is_known && !filled.contains("{{")).then_some(filled)
    }

    /// A text with all that is known filled in.
    fn filled(&self, text: &str) -> String {
        let with_outputs = with_outputs(text, |name| match self.output(name) {
            Some(Returned::Text(text)) => Some(text.clone()),
            _ => None,
        });
        (self.fill)(&with_outputs)
    }

    /// Why a text can't be evaluated, if that is because of what a step returned.
    fn unknown_output(&self, text: &str) -> Option<CodeElsewhere> {
        let mut reason = None;
        with_outputs(text, |name| {
            if let Some(Returned::Unknown(code)) = self.output(name) {
                reason = Some(code.clone());
            }
            None
        });
        reason
    }

    /// The directory that a placeholder names: `directory` of the last step that returned one, or
    /// `id.directory`.
    fn output(&self, name: &str) -> Option<&Returned> {
        match name.strip_suffix("directory")? {
            "" => self.last.as_ref().map(|(_, returned)| returned),
            id => self.by_id.get(id.strip_suffix('.')?),
        }
    }
}

/// A URL without the user and password, as Prefect compares it with that of a clone that is there.
fn without_user(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit_once('@').map_or(host, |(_, host)| host);
            format!("{scheme}://{host}/{path}")
        }
        None => url.to_owned(),
    }
}

/// An input that is a text and not empty.
pub(super) fn text_input<'s>(step: &WorkerStep<'s>, input: &str) -> Option<&'s str> {
    step.inputs.get(input)?.as_str().filter(|text| !text.is_empty())
}
