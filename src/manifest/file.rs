//! `prefect.yaml` as it is written: its deployments with their types checked as Prefect 3.8.8 checks
//! them (`prefect/cli/deploy/_models.py`), and the steps for all of them.
//!
//! Prefect skips a whole file for one wrong value; here each deployment fails alone, with the position
//! of what is wrong.

use std::fmt;

use serde_json::{Map, Value};

use super::check::{CheckedDeployment, Fault, Steps, check_deployment, steps};
use super::keys::{Section, unknown_keys};
use super::yaml::{self, Node, Position, Yaml};
use flowreg_git::BrokenLink;
use flowreg_model::nearest;

/// A `prefect.yaml`.
#[derive(Debug, Clone)]
pub(crate) struct Manifest {
    /// The file, from the repository's root.
    pub path: String,
    /// The entries that are deployments, in the order of the file.
    pub entries: Vec<Entry>,
    /// The entries that are wrong.
    pub failed: Vec<EntryError>,
    /// Steps for the deployments that have none of their own.
    pub steps: Steps,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<ManifestNotice>,
    /// Whether the file has the key `deployments`, be it empty: then it says which there are.
    pub has_deployments: bool,
    /// The pull steps for all deployments as they are written.
    pull: Option<Node>,
}

/// Something about a file that is worth knowing and stops nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestNotice {
    /// Where.
    pub place: FilePlace,
    /// The deployment that it is about, if it is about one.
    pub deployment: Option<String>,
    /// One sentence, which does not name the deployment.
    pub message: String,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FilePlace {
    /// The file, from the repository's root.
    pub path: String,
    /// 1-based.
    pub line: usize,
    /// 1-based, in characters.
    pub column: usize,
}

impl fmt::Display for FilePlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, line, column } = self;
        write!(f, "{path}:{line}:{column}")
    }
}

/// One deployment as it is written, templates not filled in.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Its name.
    pub name: String,
    /// Where its flow is, relative to the file.
    pub entrypoint: String,
    /// The keys that are there, with the types that Prefect makes of them.
    pub config: Map<String, Value>,
    /// Its own steps, which win over the file's.
    pub steps: Steps,
    node: Node,
}

/// Why a deployment of a file can't be registered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntryError {
    /// The deployment's name, if it has one.
    pub name: Option<String>,
    /// What it says its flow is.
    pub entrypoint: Option<String>,
    /// A word that does not change.
    pub code: &'static str,
    /// Where it is wrong.
    pub place: Box<FilePlace>,
    /// What is wrong there, without the value itself.
    pub message: String,
    /// What to type.
    pub hints: Vec<String>,
}

/// Why a whole file can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {message}")]
pub(crate) struct ManifestError {
    /// Where it is wrong.
    pub place: FilePlace,
    /// What is wrong there, without the value itself.
    pub message: String,
}

impl ManifestError {
    /// The error for a file that is a symbolic link which can't be followed.
    pub(crate) fn of_link(path: &str, link: &BrokenLink) -> Self {
        let place = FilePlace { path: path.to_owned(), line: 1, column: 1 };
        Self { place, message: link.to_string() }
    }
}

impl Manifest {
    /// Reads a file.
    ///
    /// # Errors
    /// [`ManifestError`] if it is not YAML, or not a mapping with a list of deployments.
    pub(crate) fn read(path: &str, bytes: &[u8]) -> Result<Self, ManifestError> {
        let error =
            |at: Position, message: String| ManifestError { place: place(path, at), message };
        let document = yaml::read(bytes).map_err(|found| error(found.at, found.message))?;
        let mut manifest = Self {
            path: path.to_owned(),
            entries: Vec::new(),
            failed: Vec::new(),
            steps: Steps::default(),
            notices: Vec::new(),
            pull: None,
            has_deployments: false,
        };
        let about_file =
            |at, message| ManifestNotice { place: place(path, at), deployment: None, message };
        let notices = document.notices.into_iter().map(|(at, notice)| about_file(at, notice));
        manifest.notices.extend(notices);
        let root = match document.root.value {
            Yaml::Mapping(pairs) => pairs,
            Yaml::Null => Vec::new(),
            _ => {
                let message = format!("expected a mapping, found {}", document.root.kind());
                return Err(error(document.root.at, message));
            }
        };
        if let Some((at, message)) = misspelt_deployments(&root) {
            return Err(error(at, message));
        }
        for notice in unknown_keys(&root, Section::File) {
            manifest.notices.push(about_file(notice.at, notice.message));
        }
        for (key, value) in root {
            let fault = |fault: Fault| error(fault.at, fault.message);
            manifest.has_deployments |= key.text() == Some("deployments");
            match key.text() {
                Some(key @ "build") => manifest.steps.build = steps(key, &value).map_err(fault)?,
                Some(key @ "push") => manifest.steps.push = steps(key, &value).map_err(fault)?,
                Some(key @ "pull") => {
                    manifest.steps.pull = steps(key, &value).map_err(fault)?;
                    manifest.pull = Some(value);
                }
                Some("deployments") => match value.value {
                    Yaml::Sequence(nodes) => manifest.add(nodes),
                    Yaml::Null => {}
                    _ => {
                        let message =
                            format!("`deployments` is {}, and should be a list", value.kind());
                        return Err(error(value.at, message));
                    }
                },
                _ => {}
            }
        }
        Ok(manifest)
    }

    fn add(&mut self, nodes: Vec<Node>) {
        let mut nameless = Vec::new();
        for node in nodes {
            let at = node.at;
            // Read before the checks, so that an error about another key can say which deployment it
            // is about.
            let named = |key: &str| node.get(key).and_then(Node::text).map(ToOwned::to_owned);
            let (name, entrypoint) = (named("name"), named("entrypoint"));
            let CheckedDeployment { config, steps, faults, notices } = check_deployment(&node);
            let path = &self.path;
            let notice = |at, message| ManifestNotice {
                place: place(path, at),
                deployment: name.clone(),
                message,
            };
            let of_keys = notices.into_iter().map(|fault| notice(fault.at, fault.message));
            self.notices.extend(of_keys);
            let fail = |at: Position, message: &str, hints: Vec<String>| EntryError {
                name: name.clone(),
                entrypoint: entrypoint.clone(),
                code: "manifest",
                place: Box::new(place(path, at)),
                message: message.to_owned(),
                hints,
            };
            // All at once: whoever edits the file wants to see everything that is wrong.
            if let Some(first) = faults.first() {
                let others = faults.iter().skip(1);
                let messages: Vec<String> = std::iter::once(first.message.clone())
                    .chain(others.map(|fault| located(path, fault.at, &fault.message)))
                    .collect();
                let hints = faults.iter().filter_map(|fault| fault.hint.clone()).collect();
                self.failed.push(fail(first.at, &messages.join("; "), hints));
                continue;
            }
            let Some(name) = name.clone().filter(|name| !name.is_empty()) else {
                // Prefect leaves it out, too. The file that `prefect init` writes has such an entry.
                nameless.push(at);
                continue;
            };
            let Some(entrypoint) = entrypoint.clone().filter(|entrypoint| !entrypoint.is_empty())
            else {
                let hints = vec!["entrypoint: path/to/file.py:function".to_owned()];
                self.failed.push(fail(at, "the deployment has no entrypoint", hints));
                continue;
            };
            self.entries.push(Entry { name, entrypoint, config, steps, node });
        }
        if let Some((first, others)) = nameless.split_first() {
            let message = match others {
                [] => "a deployment without a name is left out".to_owned(),
                others => {
                    let lines: Vec<String> =
                        others.iter().take(LINES).map(|at| at.line.to_string()).collect();
                    let more = match others.len().saturating_sub(LINES) {
                        0 => String::new(),
                        more => format!(" and {more} more"),
                    };
                    let count = others.len() + 1;
                    let lines = lines.join(", ");
                    format!(
                        "{count} deployments without a name are left out (also in lines {lines}{more})"
                    )
                }
            };
            let place = place(&self.path, *first);
            self.notices.push(ManifestNotice { place, deployment: None, message });
        }
    }

    /// The directory of the file, from the repository's root; empty for the root.
    pub(crate) fn directory(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(directory, _)| directory)
    }

    /// The steps that count for a deployment of this file.
    pub(crate) fn steps_of<'m>(&'m self, entry: &'m Entry) -> DeploymentSteps<'m> {
        let or = |own: &'m Option<Vec<Value>>, all: &'m Option<Vec<Value>>| {
            own.as_ref().or(all.as_ref()).map(Vec::as_slice)
        };
        DeploymentSteps {
            build: or(&entry.steps.build, &self.steps.build).unwrap_or_default(),
            push: or(&entry.steps.push, &self.steps.push).unwrap_or_default(),
            pull: or(&entry.steps.pull, &self.steps.pull),
        }
    }

    /// `prefect.yaml:12`: where a key of a deployment is, or the deployment itself.
    pub(crate) fn origin(&self, entry: &Entry, path: &[&str]) -> String {
        format!("{}:{}", self.path, entry.at(path).line)
    }

    /// The same with the column.
    pub(crate) fn place(&self, entry: &Entry, path: &[&str]) -> FilePlace {
        place(&self.path, entry.at(path))
    }

    /// A notice about one deployment, at the place of a key.
    pub(crate) fn notice(&self, entry: &Entry, path: &[&str], message: String) -> ManifestNotice {
        let deployment = Some(entry.name.clone());
        ManifestNotice { place: self.place(entry, path), deployment, message }
    }

    /// Where a pull step of a deployment is, or an input of it.
    pub(crate) fn step_place(
        &self,
        entry: &Entry,
        step: Option<usize>,
        input: Option<&str>,
    ) -> FilePlace {
        place(&self.path, self.step_at(entry, step, input))
    }

    /// An error about one deployment, at the place of a pull step, or of an input of it.
    pub(crate) fn step_error(
        &self,
        entry: &Entry,
        step: Option<usize>,
        input: Option<&str>,
        code: &'static str,
        message: &str,
    ) -> EntryError {
        let place = Box::new(self.step_place(entry, step, input));
        EntryError { place, ..self.error(entry, &[], code, message) }
    }

    /// The place of an input of a pull step, or of the nearest that is written above it.
    fn step_at(&self, entry: &Entry, step: Option<usize>, input: Option<&str>) -> Position {
        // The steps of the deployment win over those of the file, also here.
        let own = entry.steps.pull.is_some().then(|| entry.node.get("pull")).flatten();
        let Some(list) = own.or(self.pull.as_ref()) else { return entry.node.at };
        let step = step.and_then(|step| match &list.value {
            Yaml::Sequence(steps) => steps.get(step),
            _ => Some(list),
        });
        let Some(step) = step else { return list.at };
        let Yaml::Mapping(pairs) = &step.value else { return step.at };
        let input = input.and_then(|input| pairs.first()?.1.get(input));
        input.map_or(step.at, |input| input.at)
    }

    /// An error about one deployment, at the place of a key.
    pub(crate) fn error(
        &self,
        entry: &Entry,
        path: &[&str],
        code: &'static str,
        message: &str,
    ) -> EntryError {
        EntryError {
            name: Some(entry.name.clone()),
            entrypoint: Some(entry.entrypoint.clone()),
            code,
            place: Box::new(self.place(entry, path)),
            message: message.to_owned(),
            hints: Vec::new(),
        }
    }
}

/// The steps of one deployment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct DeploymentSteps<'m> {
    /// Run before it is registered.
    pub build: &'m [Value],
    /// Run after the build steps.
    pub push: &'m [Value],
    /// Run by the worker before a flow run; `None` if the file does not mention them.
    pub pull: Option<&'m [Value]>,
}

impl Entry {
    /// The place of a key, or of the nearest one above it that is written. The items of a list go by
    /// their numbers, from 0.
    pub(crate) fn at(&self, path: &[&str]) -> Position {
        let mut node = &self.node;
        for key in path {
            let below = match &node.value {
                Yaml::Sequence(items) => key.parse().ok().and_then(|at: usize| items.get(at)),
                _ => node.get(key),
            };
            match below {
                Some(below) => node = below,
                None => break,
            }
        }
        node.at
    }
}

impl EntryError {
    /// The same with what to type.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

/// A key that seems to be meant for `deployments`, in a file without that. To take it for a file that declares
/// none would register every flow as something else.
fn misspelt_deployments(root: &[(Node, Node)]) -> Option<(Position, String)> {
    if root.iter().any(|(key, _)| key.text() == Some("deployments")) {
        return None;
    }
    let is_list_of_deployments = |value: &Node| match &value.value {
        Yaml::Sequence(items) => items.iter().any(|item| item.get("entrypoint").is_some()),
        _ => false,
    };
    root.iter().find_map(|(key, value)| {
        let name = key.text()?;
        let is_meant = Section::File.unknown(name)
            && (nearest(name, Section::File.keys()) == Some("deployments")
                || is_list_of_deployments(value));
        let message = format!(
            "there is no key `{name}`, so the file declares no deployments; did you mean `deployments`?"
        );
        is_meant.then_some((key.at, message))
    })
}

fn place(path: &str, at: Position) -> FilePlace {
    FilePlace { path: path.to_owned(), line: at.line, column: at.column }
}

/// How many lines a notice names beside the first.
const LINES: usize = 3;

/// A message with its position: `prefect.yaml:12:5: …`.
fn located(path: &str, at: Position, message: &str) -> String {
    format!("{}: {message}", place(path, at))
}
