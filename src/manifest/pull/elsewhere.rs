//! What a run starts with, where that is not this repository at the reference, in the words of messages.

use std::fmt;

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
            Self::OtherRepository(url) if !url.is_empty() => {
                Some(format!("if that is this repository: [repository] aliases = [\"{url}\"]"))
            }
            Self::UnknownRepository(url) => Some(match url.split_once("{{ $") {
                Some((_, rest)) if !url.contains("prefect.") => {
                    let name = rest.split([' ', '}']).next().unwrap_or(rest);
                    format!("if that is this repository, give the template its value here: {name}=URL in the environment")
                }
                _ => "if that is this repository, write its URL: repository: URL. What is secret goes to \
                      access_token: \"{{ prefect.blocks.secret.NAME }}\""
                    .to_owned(),
            }),
            Self::Script(command) => {
                Some(format!("take `{command}` out of the script: the step git_clone brings the code"))
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
