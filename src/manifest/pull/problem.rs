//! What is wrong with the pull steps of a deployment, and where in the list.

use super::start::CodeElsewhere;
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

/// Why pull steps can't be registered: because every run would fail, or would not use the code at the
/// reference, or because a secret would be readable.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PullError {
    /// A token or password stands in the file.
    #[error(
        "a pull step holds a literal token or password, which would be registered in clear text"
    )]
    Secret,
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
    /// `directories` is a text, of which Prefect would make a directory for each letter.
    #[error("`directories` should be a list")]
    DirectoriesNoList,
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
        output: String,
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
        /// The output that leads back into our clone, if there is one.
        output: Option<String>,
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
            Self::Secret => {
                "name a block that holds it: access_token: \"{{ prefect.blocks.secret.NAME }}\""
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
            Self::DirectoriesNoList => "directories: [NAME]".to_owned(),
            Self::TwoSecrets => "leave out one of them".to_owned(),
            Self::NoOutput { .. } => {
                "give the step whose output is meant an `id`, and put it before this one".to_owned()
            }
            Self::DirectoryName { output, .. } => {
                format!("name it by the output of the clone: {output}")
            }
            Self::NoFile { .. } | Self::NoDirectory { .. } => {
                "paths in pull steps are those of the commit that is registered".to_owned()
            }
            Self::BrokenLink(_) => BrokenLink::HINT.to_owned(),
            Self::ChangedTwice { .. } => {
                "leave the step out, and write the entrypoint from the root of the clone; or use \
                 Prefect 3.4.19 or later on server and workers"
                    .to_owned()
            }
            Self::LeftOut { directory, .. } => format!("add `{directory}` to `directories`"),
            Self::PinVoid { elsewhere, output, .. } => {
                let mut hints = Vec::new();
                hints.extend(elsewhere.hint());
                hints.extend(output.as_ref().map(|output| {
                    format!(
                        "end in the clone of this repository: add a last step \
                         prefect.deployments.steps.set_working_directory: {{directory: \"{output}\"}}"
                    )
                }));
                hints.push(
                    "if it is meant so: --allow-unpinned, or [repository] unpinned = \"allow\", or \
                     the same below [flow.\"NAME\"]"
                        .to_owned(),
                );
                return hints;
            }
        };
        vec![hint]
    }
}
