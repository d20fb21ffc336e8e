//! Where a run starts once a worker has done the pull steps, worked out on paper.
//!
//! A worker does the steps in order, each may change the working directory, and the last one that
//! returns a directory decides from where the flow is loaded (`prefect/deployments/steps/core.py`,
//! `run_steps`; `docs/facts/prefect-yaml.md`, "Pull steps"). What a step of somebody else returns is not
//! known here, and then neither is where the run starts.

use std::collections::HashMap;
use std::fmt;

use serde_json::{Map, Value};

use super::known::StepKind;
use super::paths;
use super::script;
use crate::manifest::template::with_outputs;

/// A pull step as it is registered, and what is known of it.
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

/// What a run starts with, if that is not this repository at the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CodeElsewhere {
    /// There are no pull steps: `pull: []`.
    NoSteps,
    /// The clone of another repository, as it is written.
    OtherRepository(String),
    /// The clone of a repository whose URL is a template without a value here.
    UnknownRepository(String),
    /// A directory that no step has cloned.
    Directory(String),
    /// A directory that is a template without a value here.
    UnknownDirectory(String),
    /// What a step has downloaded, from a bucket or by a block.
    Download(String),
    /// A clone of ours in which a shell script checks out something else.
    Script(String),
    /// What a step returns that is not Prefect's.
    Foreign(String),
}

impl CodeElsewhere {
    /// Whether the code lies in an image, a bucket or on the worker's machine, and no git repository
    /// is cloned for it by Prefect.
    pub(crate) fn is_not_in_git(&self) -> bool {
        matches!(self, Self::NoSteps | Self::Directory(_) | Self::Download(_))
    }

    /// What to do about it, beside ending in our clone.
    pub(super) fn hint(&self) -> Option<String> {
        match self {
            Self::OtherRepository(url) | Self::UnknownRepository(url) => {
                Some(format!("if that is this repository: [repository] aliases = [\"{url}\"]"))
                    .filter(|_| !url.contains("{{"))
            }
            _ => None,
        }
    }
}

impl fmt::Display for CodeElsewhere {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoSteps => f.write_str("nothing is pulled"),
            Self::OtherRepository(url) => {
                write!(
                    f,
                    "the run starts in a clone of `{url}`, which is not known as this repository"
                )
            }
            Self::UnknownRepository(url) => write!(
                f,
                "the run starts in a clone of `{url}`, and which repository that is can't be told here"
            ),
            Self::Directory(path) => {
                write!(f, "the run starts in `{path}`, where no step clones this repository")
            }
            Self::UnknownDirectory(text) => {
                write!(
                    f,
                    "the run starts in `{text}`, and which directory that is can't be told here"
                )
            }
            Self::Download(step) => write!(f, "the run starts with what `{step}` downloads"),
            Self::Script(command) => {
                write!(f, "the script runs `{command}`, which may change the code of the clone")
            }
            Self::Foreign(step) => {
                write!(
                    f,
                    "where the run starts after `{step}` can't be told, as it is not Prefect's"
                )
            }
        }
    }
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
    /// Whether it has to be a directory.
    pub is_directory: bool,
}

/// What is known after following the steps.
pub(super) struct Followed {
    /// Where the run starts.
    pub start: RunStart,
    /// What the commit has to have.
    pub needs: Vec<NeededPath>,
    /// The step whose directory the worker changes into a second time.
    pub changed_twice: Option<usize>,
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
    let mut worker = Worker {
        fill,
        keeps_relative,
        directory: paths::START.to_owned(),
        clones: Vec::new(),
        by_id: HashMap::new(),
        last: None,
        last_change: None,
        needs: Vec::new(),
        changed_twice: None,
    };
    for step in steps {
        worker.run(step);
    }
    let start = worker.start();
    Followed { start, needs: worker.needs, changed_twice: worker.changed_twice }
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
}

impl Worker<'_> {
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
            StepKind::Requirements => {
                if let Some(directory) = self.directory_of(step) {
                    let file = text_input(step, "requirements_file").unwrap_or("requirements.txt");
                    if let Some(file) = self.evaluated(file) {
                        let path = paths::join(&directory, &file);
                        self.need(step, "requirements_file", &path, false);
                    }
                }
            }
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
        self.clones.push(CloneDirectory { path, step: step.index, code, changed_by: None });
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
        self.need(step, "directory", &here, true);
        let returned = if self.keeps_relative { to } else { here };
        self.last_change = step.index;
        self.returns(step, Returned::Text(returned));
    }

    /// A script stays where it is, but git in it may change what an earlier step has cloned.
    fn run_script(&mut self, step: &WorkerStep<'_>) {
        let directory = self.directory_of(step);
        if text_input(step, "directory").is_some()
            && let Some(directory) = &directory
        {
            self.need(step, "directory", directory, true);
        }
        let text = text_input(step, "script").unwrap_or_default();
        for change in script::changes(text) {
            // Without a directory of its own git works where the script is, which may go anywhere.
            let place = match (&change.directory, change.is_here) {
                (Some(named), _) => self.evaluated(named).map(|named| {
                    let base = directory.as_deref().unwrap_or(paths::START);
                    paths::join(base, &named)
                }),
                (None, true) => directory.clone(),
                (None, false) => None,
            };
            for clone in &mut self.clones {
                let is_in =
                    place.as_ref().is_none_or(|place| paths::below(place, &clone.path).is_some());
                if is_in {
                    clone.code = Some(CodeElsewhere::Script(change.command.clone()));
                    clone.changed_by = step.index;
                }
            }
        }
    }

    /// Where a step works: its `directory`, else the working directory. `None` if it is not known.
    fn directory_of(&self, step: &WorkerStep<'_>) -> Option<String> {
        match text_input(step, "directory") {
            Some(text) => Some(paths::join(&self.directory, &self.evaluated(text)?)),
            None => Some(self.directory.clone()),
        }
    }

    fn need(&mut self, step: &WorkerStep<'_>, input: &'static str, path: &str, is_directory: bool) {
        let Some((clone, below)) = self.clone_at(path) else { return };
        // A script may have made what is not in the commit, but only one that is allowed to change it.
        if clone.code.is_none() {
            let needed = NeededPath { step: step.index, input, path: below, is_directory };
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
                let path = directory.clone();
                self.needs.push(NeededPath { step, input: "directory", path, is_directory: true });
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

/// An input that is a text and not empty.
pub(super) fn text_input<'s>(step: &WorkerStep<'s>, input: &str) -> Option<&'s str> {
    step.inputs.get(input)?.as_str().filter(|text| !text.is_empty())
}
