//! Why Python could not say what a flow is, and what to type.

use std::fmt;
use std::path::PathBuf;

use flowreg_git::GitError;

/// Texts from outside, such as the message of an exception, are cut after this many characters.
const LONGEST: usize = 400;

/// Which Prefect is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    /// Prefect 1.
    One,
    /// Prefect 2 or 3.
    Later,
}

/// What pip has to install for Prefect 1, whose own requirements have no upper limits: with
/// marshmallow 4 no flow can be serialized, and with pendulum 3 every flow with a schedule fails.
const PREFECT_1: &str = "'prefect[git]==1.4.1' 'marshmallow<4' 'pendulum<3'";

impl Generation {
    /// The word that `harness/` knows it by.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::One => "prefect1",
            Self::Later => "prefect",
        }
    }

    /// The arguments of `pip install` in a hint.
    fn packages(self) -> &'static str {
        match self {
            Self::One => PREFECT_1,
            Self::Later => "prefect",
        }
    }
}

/// Why nothing can be asked at all.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// There is no interpreter where one is looked for.
    #[error("no Python was found")]
    NoPython,
    /// The interpreter that the settings name is not there.
    #[error("there is no Python at {}", .0.display())]
    NoSuchPython(PathBuf),
    /// It can't be started.
    #[error("{} can't be started: {reason}", .python.display())]
    NotStarted {
        /// The interpreter.
        python: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It has no Prefect.
    #[error("there is no Prefect in {}", .python.display())]
    NoPrefect {
        /// The interpreter.
        python: PathBuf,
        /// What is needed.
        generation: Generation,
    },
    /// Its Prefect is of another generation.
    #[error("{} has Prefect {version}", .python.display())]
    OldPrefect {
        /// The interpreter.
        python: PathBuf,
        /// The version.
        version: String,
    },
    /// The same, where flows of Prefect 1 are to be built.
    #[error("{} has Prefect {version}, and the target is Prefect 1", .python.display())]
    NewPrefect {
        /// The interpreter.
        python: PathBuf,
        /// The version.
        version: String,
    },
    /// Its Prefect can't be imported.
    #[error("{} can't import Prefect: {reason}", .python.display())]
    BrokenPrefect {
        /// The interpreter.
        python: PathBuf,
        /// What is needed.
        generation: Generation,
        /// The exception.
        reason: String,
    },
    /// It did not import Prefect in time.
    #[error("{} did not import Prefect within {seconds} s", .python.display())]
    Slow {
        /// The interpreter.
        python: PathBuf,
        /// The limit.
        seconds: u64,
    },
    /// It ended before the first answer.
    #[error("{} ended before it answered{}", .python.display(), after_colon(.last.as_ref()))]
    Ended {
        /// The interpreter.
        python: PathBuf,
        /// The last line that it printed.
        last: Option<String>,
    },
    /// The commit could not be written to a directory.
    #[error("the commit could not be checked out: {0}")]
    Checkout(#[from] GitError),
    /// No temporary directory for the checkout can be made.
    #[error("no temporary directory could be made: {0}")]
    NoDirectory(#[from] std::io::Error),
}

impl Unavailable {
    /// What to type.
    pub fn hint(&self) -> Option<String> {
        let other = "set `python` under [flows] in flowreg.toml";
        Some(match self {
            Self::NoPython => format!("activate the environment of your flows, or {other}"),
            Self::NoSuchPython(_) | Self::NotStarted { .. } => {
                format!("{other} to the Python of your flows")
            }
            Self::NoPrefect { python, generation }
            | Self::BrokenPrefect { python, generation, .. } => {
                let packages = generation.packages();
                format!("{} -m pip install {packages}, or {other}", python.display())
            }
            Self::NewPrefect { .. } => {
                format!("{other} to a Python 3.7 to 3.10 with {PREFECT_1}")
            }
            Self::OldPrefect { .. } => format!("{other} to a Python with Prefect 2 or 3"),
            Self::Slow { .. } | Self::Ended { .. } => {
                format!("{other}, or `introspect = \"never\"`")
            }
            Self::Checkout(error) => return error.hints().into_iter().next(),
            Self::NoDirectory(_) => "set TMPDIR to a directory with space".to_owned(),
        })
    }
}

/// Why one file, or one flow in it, could not be asked about.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Failure {
    /// An import names a module that is not installed.
    MissingModule {
        /// Its full name.
        module: String,
        /// The line that imports it.
        place: Option<String>,
    },
    /// The module raises.
    Raised {
        /// The exception: class and message.
        message: String,
        /// The last line of the repository that was running.
        place: Option<String>,
    },
    /// The module calls the Prefect API while it is imported. Python runs without the server's address
    /// and credentials, so that this can't work.
    NeedsApi {
        /// The last line of the repository that was running.
        place: Option<String>,
    },
    /// The module ends its process.
    Exited {
        /// The exit code.
        code: i64,
        /// What it said last.
        last: Option<String>,
    },
    /// The process was killed, for instance by a crash in an extension module or for lack of memory.
    Killed {
        /// The signal.
        signal: i32,
    },
    /// It took longer than a file may.
    TimedOut,
    /// The answer is larger than an answer may be.
    TooLarge {
        /// Its size.
        bytes: u64,
    },
    /// The module has no such attribute.
    NotFound,
    /// The attribute is something else.
    NotAFlow,
    /// A module came from the work tree: what Python says is not what the commit says.
    WorkTree {
        /// Its full name.
        module: String,
    },
    /// Prefect's server would refuse the name of the flow.
    BadName {
        /// What is wrong.
        message: String,
    },
    /// Python ended, or the time for all files did, before this one was answered.
    Unanswered,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MissingModule { module, place } => {
                write!(f, "there is no module `{}`{}", cut(module), at(place.as_ref()))
            }
            Self::Raised { message, place } => write!(f, "{}{}", cut(message), at(place.as_ref())),
            Self::NeedsApi { place } => {
                write!(
                    f,
                    "the module asks the Prefect API while it is imported{}",
                    at(place.as_ref())
                )
            }
            Self::Exited { code, last } => {
                write!(f, "the module exits with code {code}{}", after_colon(last.as_ref()))
            }
            Self::Killed { signal: 9 } => f.write_str("the process was killed"),
            Self::Killed { signal: 11 } => f.write_str("the process crashed (signal 11)"),
            Self::Killed { signal } => write!(f, "the process was ended by signal {signal}"),
            Self::TimedOut => f.write_str("importing the module takes too long"),
            Self::TooLarge { bytes } => write!(f, "the answer is too large: {bytes} bytes"),
            Self::NotFound => f.write_str("the imported module has no such attribute"),
            Self::NotAFlow => f.write_str("in the imported module it is no flow"),
            Self::WorkTree { module } => write!(
                f,
                "`{}` was imported from the work tree, and not from the commit",
                cut(module)
            ),
            Self::BadName { message } => f.write_str(&cut(message)),
            Self::Unanswered => f.write_str("Python ended before it came to this file"),
        }
    }
}

impl Failure {
    /// The last line of the repository that was running: `flows/a.py:3`.
    pub(crate) fn place(&self) -> Option<&str> {
        match self {
            Self::MissingModule { place, .. }
            | Self::Raised { place, .. }
            | Self::NeedsApi { place } => place.as_deref(),
            _ => None,
        }
    }

    /// What mends it; `python` is the interpreter as a person would type it, `own` the directory of the
    /// repository that has the module which is missing.
    pub(crate) fn hint(&self, python: &str, own: Option<&str>) -> Option<String> {
        Some(match self {
            Self::MissingModule { module, .. } => {
                let package = module.split('.').next().unwrap_or(module);
                // A package of this name on an index is somebody else's.
                if let Some(directory) = own {
                    return Some(format!(
                        "`{package}` is in {directory} of this repository: add `search_path = \
                         [\"{directory}\"]` under [flows] in flowreg.toml, or install the project \
                         there into {python}"
                    ));
                }
                format!(
                    "install `{package}` into {python}, add its directory to PYTHONPATH, or set \
                     `python` under [flows] in flowreg.toml"
                )
            }
            Self::NeedsApi { .. } => "move the call into the flow".to_owned(),
            Self::WorkTree { module } => {
                let package = module.split('.').next().unwrap_or(module);
                format!(
                    "commit `{package}`, or install it into {python} other than as an editable install"
                )
            }
            Self::Exited { .. } => {
                "put what runs the file as a program below `if __name__ == \"__main__\":`"
                    .to_owned()
            }
            Self::TimedOut => {
                "move slow work out of the module's top level, into the flow".to_owned()
            }
            _ => return None,
        })
    }
}

fn at(place: Option<&String>) -> String {
    place.map_or_else(String::new, |place| format!(" ({})", cut(place)))
}

fn after_colon(last: Option<&String>) -> String {
    last.map_or_else(String::new, |last| format!(": {}", cut(last)))
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => text.get(..end).unwrap_or_default().to_owned() + "…",
        None => text.to_owned(),
    }
}
