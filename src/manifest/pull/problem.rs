//! What is wrong with the pull steps of a deployment, and where in the list.

use super::elsewhere::CodeElsewhere;
use super::secrets::SecretPlace;
use flowreg_git::BrokenLink;

/// What is wrong with pull steps, and at which of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PullProblem {
    /// The index of the step in the file; `None` for the list as a whole.
    pub step: Option<usize>,
    /// The input of the step that is concerned.
    pub input: Option<String>,
    /// What is wrong.
    pub error: PullError,
}

/// What is worth knowing about a step, although runs can use the code at the reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PullRemark {
    /// A requirements file is looked for beside the clone, not in it.
    #[error(
        "pip looks for `{file}` in the directory in which the worker starts, not in the clone: \
         directory: \"{{{{ directory }}}}\""
    )]
    OutsideOfClone {
        /// The index of the step.
        step: Option<usize>,
        /// The requirements file.
        file: String,
    },
    /// A script writes a file with code into the clone.
    #[error("the script runs `{command}`, which writes code into the clone: runs use that file")]
    WritesCode {
        /// The index of the step.
        step: Option<usize>,
        /// `sed -i`
        command: String,
    },
}

impl PullRemark {
    /// The index of the step.
    pub(crate) fn step(&self) -> Option<usize> {
        match self {
            Self::OutsideOfClone { step, .. } | Self::WritesCode { step, .. } => *step,
        }
    }
}

/// The output of a clone that is its directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DirectoryOutput {
    /// `{{ clone.directory }}`
    pub template: String,
    /// Whether the step has no `id` yet by which it could be named.
    pub needs_id: bool,
}

impl DirectoryOutput {
    /// What has to be typed as well.
    fn with_id(&self) -> &'static str {
        if self.needs_id { ", and `id: clone` in the git_clone step" } else { "" }
    }
}

/// What makes the run start in the clone of this repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WayBack {
    /// A last step that changes into the clone.
    LastStep(DirectoryOutput),
    /// The step that decides, with the clone in place of the directory that it names.
    Named(DirectoryOutput),
    /// The clone as the last step.
    CloneLast,
}

impl WayBack {
    fn hint(&self) -> String {
        match self {
            Self::LastStep(output) => format!(
                "end in the clone of this repository: add a last step \
                 prefect.deployments.steps.set_working_directory: {{directory: \"{}\"}}{}",
                output.template,
                output.with_id()
            ),
            Self::Named(output) => format!(
                "name the clone by its output: directory: \"{}\"{}",
                output.template,
                output.with_id()
            ),
            Self::CloneLast => {
                "end in the clone of this repository: put its git_clone step last".to_owned()
            }
        }
    }
}

/// Why pull steps can't be registered: because every run would fail, or would not use the code at the
/// reference, or because a secret would be readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PullError {
    /// A token or password stands in the file.
    #[error(
        "a pull step holds a literal token or password, which would be registered in clear text"
    )]
    Secret(SecretPlace),
    /// Submodules and a pinned commit don't go together.
    #[error(
        "submodules can't be cloned at a commit: Prefect leaves them out of a clone that is pinned \
         to a commit"
    )]
    Submodules,
    /// A step has no mapping of inputs.
    #[error("the step `{step}` has no inputs, and Prefect fails on it")]
    NoInputs {
        /// The step.
        step: String,
    },
    /// Prefect has no such step.
    #[error("Prefect{version} has no step `{step}`, so every run would fail")]
    NoSuchStep {
        /// As it is written.
        step: String,
        /// ` 3.8.8`, or nothing where the version is not known.
        version: String,
        /// The one that is most likely meant.
        near: Option<String>,
    },
    /// An input is missing without which the function can't be called.
    #[error("`{step}` needs the input `{input}`, so every run would fail")]
    MissingInput {
        /// The step.
        step: String,
        /// The input.
        input: &'static str,
    },
    /// The function has no such input.
    #[error("`{step}` has no input `{input}`, so every run would fail")]
    UnknownInput {
        /// The step.
        step: String,
        /// The input.
        input: String,
        /// The one that is most likely meant.
        near: Option<&'static str>,
    },
    /// The input came with a later version of Prefect than the server's.
    #[error(
        "`{step}` has the input `{input}` since Prefect {since}, and the server has {version}: every \
         run would fail"
    )]
    NewInput {
        /// The step.
        step: String,
        /// The input.
        input: &'static str,
        /// The first version that has it.
        since: String,
        /// The server's.
        version: String,
    },
    /// An input is of a type on which Prefect fails.
    #[error("`{input}` should be {expected}, so every run would fail")]
    WrongType {
        /// The input.
        input: String,
        /// `a text`
        expected: &'static str,
    },
    /// A line of a script that can't be split into words.
    #[error(
        "the script has a quotation or an escape without an end, so every run would fail: {line}"
    )]
    OpenQuotation {
        /// The line.
        line: String,
    },
    /// A pattern, an absolute path or a file, where git takes directories only.
    #[error("`{path}` in `directories` is no directory of the repository, so every run would fail")]
    NoSparseDirectory {
        /// As it is written, or from the root.
        path: String,
    },
    /// Two clones of different URLs are made in one directory.
    #[error("`{name}` has a clone of {other} already, so every run would fail")]
    SameDirectory {
        /// The directory.
        name: String,
        /// The URL of the clone that is there.
        other: String,
    },
    /// The name of a clone's directory is an absolute path.
    #[error(
        "`clone_directory_name` is an absolute path, and Prefect fails on one outside of the working directory"
    )]
    AbsoluteName {
        /// As it is written.
        name: String,
    },
    /// An id by which nothing can be named.
    #[error("`id: {id}`: {reason}")]
    BadId {
        /// The id.
        id: String,
        /// Why it is none.
        reason: &'static str,
    },
    /// Both ways to name a secret at once.
    #[error("`access_token` and `credentials` exclude each other, so every run would fail")]
    TwoSecrets,
    /// A template names the output of a step that is not there.
    #[error("`{placeholder}` is the output of no step before this one, so every run would fail")]
    NoOutput {
        /// With its braces.
        placeholder: String,
        /// What is most likely meant.
        near: Option<String>,
    },
    /// A later step names the directory of the clone, whose name changes with the reference.
    #[error(
        "this step names the directory `{name}`, but the clone at the reference is in another one"
    )]
    DirectoryName {
        /// The directory's name.
        name: String,
        /// How a step names the directory of a clone whatever its name is.
        output: DirectoryOutput,
    },
    /// A step needs a file that the commit does not have.
    #[error("the commit has no file `{path}`, so every run would fail")]
    NoFile {
        /// From the repository's root.
        path: String,
    },
    /// The way to what a step needs is a symbolic link that can't be followed.
    #[error("{0}, so every run would fail")]
    BrokenLink(BrokenLink),
    /// A step, or the run, starts in a directory that the commit does not have.
    #[error("the commit has no directory `{path}`, so every run would fail")]
    NoDirectory {
        /// From the repository's root.
        path: String,
    },
    /// An older Prefect changes into a relative directory a second time, from the directory itself.
    #[error(
        "Prefect {version} changes into a relative directory twice, the second time from the \
         directory itself, so every run would fail"
    )]
    ChangedTwice {
        /// The server's.
        version: String,
        /// Whether the run starts in the clone without the step as well.
        is_superfluous: bool,
    },
    /// The sparse clone does not have the flow's file.
    #[error("`directories` leave out `{file}`, so every run would fail")]
    LeftOut {
        /// The flow's file, from the repository's root.
        file: String,
        /// Its directory.
        directory: String,
    },
    /// The run would start with other code than that at the reference.
    #[error("{elsewhere}: the run would not use {reference}")]
    PinVoid {
        /// What decides which code runs.
        elsewhere: CodeElsewhere,
        /// `v1.0.0`
        reference: String,
        /// What makes it right, if that is known.
        way_back: Option<WayBack>,
    },
}

impl PullError {
    /// The word that JSON uses.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::PinVoid { .. } => "pin_void",
            _ => "pull_steps",
        }
    }

    /// What to type.
    pub(crate) fn hints(&self) -> Vec<String> {
        let did_you_mean = |near: &str| format!("did you mean `{near}`?");
        let hint = match self {
            Self::Secret(SecretPlace::Key(key)) => {
                format!("name a block that holds it: {key}: \"{{{{ prefect.blocks.secret.NAME }}}}\"")
            }
            Self::Secret(SecretPlace::Text) => {
                "write in its place the block that holds it: {{ prefect.blocks.secret.NAME }}".to_owned()
            }
            Self::Secret(SecretPlace::Url) => {
                "take it out of the URL, and name a block that holds it: access_token: \
                 \"{{ prefect.blocks.secret.NAME }}\""
                    .to_owned()
            }
            Self::Submodules => {
                return vec![
                    "pin to the tag: [repository] pin = \"tag\"".to_owned(),
                    "or, if no flow needs them: [repository] submodules = false".to_owned(),
                ];
            }
            Self::NoInputs { step } => format!("write `{step}: {{}}` if it needs none"),
            Self::NoSuchStep { near: Some(near), .. } | Self::NoOutput { near: Some(near), .. } => {
                did_you_mean(near)
            }
            Self::UnknownInput { near: Some(near), .. } => did_you_mean(near),
            Self::NoSuchStep { .. } | Self::UnknownInput { .. } => return Vec::new(),
            Self::MissingInput { input, .. } => format!("add `{input}: …` to the step"),
            Self::NewInput { input, since, .. } => {
                format!(
                    "leave out `{input}`, or use Prefect {since} or later on server and workers"
                )
            }
            Self::WrongType { input, expected } => {
                let example = match *expected {
                    "a list of texts" => "[TEXT]",
                    "a mapping of texts" => "{NAME: \"TEXT\"}",
                    _ => "\"TEXT\"",
                };
                format!("{input}: {example}")
            }
            Self::OpenQuotation { .. } => {
                "each line is a command of its own: end the quotation in its line, or write \\' for the character"
                    .to_owned()
            }
            Self::NoSparseDirectory { .. } => {
                "name directories from the root of the repository, without patterns: directories: [flows]".to_owned()
            }
            Self::SameDirectory { .. } => {
                "give one of them a directory of its own: clone_directory_name: NAME".to_owned()
            }
            Self::AbsoluteName { name } => {
                let (parent, name) = name.rsplit_once('/').unwrap_or(("", name));
                let parent = if parent.is_empty() { "/" } else { parent };
                format!(
                    "put a step before it: prefect.deployments.steps.set_working_directory: {{directory: {parent}}}, \
                     and write clone_directory_name: {name}"
                )
            }
            Self::BadId { id, .. } => format!("id: {}", id_without_dots(id)),
            Self::TwoSecrets => "leave out one of them".to_owned(),
            Self::NoOutput { .. } => {
                "give the step whose output is meant an `id`, and put it before this one".to_owned()
            }
            Self::DirectoryName { output, .. } => {
                format!("name it by the output of the clone: \"{}\"{}", output.template, output.with_id())
            }
            Self::NoFile { .. } | Self::NoDirectory { .. } => {
                "paths in pull steps are those of the commit that is registered".to_owned()
            }
            Self::BrokenLink(_) => BrokenLink::HINT.to_owned(),
            Self::ChangedTwice { is_superfluous, .. } => {
                let way = if *is_superfluous {
                    "leave the step out, and write the entrypoint from the root of the clone"
                } else {
                    "leave the step out, and put the git_clone step of this repository last"
                };
                format!("{way}; or use Prefect 3.4.19 or later on server and workers")
            }
            Self::LeftOut { directory, .. } => format!("add `{directory}` to `directories`"),
            Self::PinVoid { elsewhere, way_back, .. } => {
                let mut hints = Vec::new();
                hints.extend(elsewhere.hint());
                hints.extend(way_back.as_ref().map(WayBack::hint));
                hints.push(
                    "if it is meant so: flowreg … --allow-unpinned, or [repository] unpinned = \"allow\", or \
                     the same below [flow.\"NAME\"]"
                        .to_owned(),
                );
                return hints;
            }
        };
        vec![hint]
    }
}

/// An id that can be named in a template.
fn id_without_dots(id: &str) -> String {
    match id {
        "directory" => "script".to_owned(),
        id => id.replace(['.', '['], "-").replace(']', ""),
    }
}
