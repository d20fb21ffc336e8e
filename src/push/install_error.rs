//! Why a hook was not installed or taken away, and what to type then.

use std::io;
use std::path::PathBuf;

use super::previous;
use super::recognition::LINE;
use flowreg_git::{ConfiguredValue, GitError};
use flowreg_model::quoted_path;

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallError {
    /// git failed.
    #[error(transparent)]
    Git(#[from] GitError),
    /// A file can't be read or written.
    #[error("{path} can't be used: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// All repositories look for hooks in the same directory.
    #[error(
        "core.hooksPath is `{}` in the {} configuration: other repositories run these hooks, too",
        .configured.value, .configured.scope.as_str()
    )]
    SharedHooks {
        /// `core.hooksPath`, in a configuration that other repositories read as well.
        configured: ConfiguredValue,
    },
    /// Whoever clones the repository would get a script with a path of this machine.
    #[error(
        "the repository tracks {directory}: the hook would be committed, with a path of this machine"
    )]
    TrackedHooks {
        /// Where git looks for hooks.
        directory: PathBuf,
    },
    /// Hooks are switched off.
    #[error("core.hooksPath is `{}` ({}): git runs no hooks", .configured.value, .configured.place())]
    HooksOff {
        /// `core.hooksPath`.
        configured: ConfiguredValue,
    },
    /// There is a hook, and it is not to be chained.
    #[error("there is already a hook at {path}")]
    Exists {
        /// The hook.
        path: PathBuf,
    },
    /// The script of the team's may read what git says, and then a line behind that gets nothing.
    #[error(
        "there is already a script of the team's at {path}, and where our line belongs in it is for you to say"
    )]
    TeamScript {
        /// The script.
        path: PathBuf,
    },
    /// A directory is where the hook should be.
    #[error("{path} is a directory")]
    Directory {
        /// The directory.
        path: PathBuf,
    },
    /// A newer flowreg installed it.
    #[error("{path} was written by a newer flowreg")]
    Newer {
        /// The hook.
        path: PathBuf,
    },
    /// Somebody changed our script.
    #[error("{path} was changed by hand")]
    Edited {
        /// The hook.
        path: PathBuf,
    },
    /// The name under which the previous hook would be kept is taken.
    #[error("{path} exists, and the previous hook would be kept under that name")]
    PreviousTaken {
        /// The file.
        path: PathBuf,
    },
    /// A hook of the server makes sense only there.
    #[error("{directory} is not a bare repository: nobody pushes to it")]
    NotBare {
        /// The work tree.
        directory: PathBuf,
    },
    /// Nobody pushes from there, it seems.
    #[error(
        "{directory} is a bare repository: a pre-push hook runs for what is pushed from it, and not for what is pushed to it"
    )]
    Bare {
        /// The repository.
        directory: PathBuf,
        /// Whether git's configuration was to have the hook.
        in_configuration: bool,
    },
    /// This git does not read hooks from its configuration.
    #[error("git {major}.{minor} does not read hooks from its configuration (2.54 does)")]
    NoConfigHooks {
        /// Its version.
        major: u32,
        /// Its version.
        minor: u32,
    },
    /// Both would run.
    #[error("the hook is installed as {path} already, and both would run")]
    Twice {
        /// The other place.
        path: PathBuf,
    },
}

impl InstallError {
    /// The word that JSON uses.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Git(error) => error.code(),
            Self::File { .. } => "file",
            Self::SharedHooks { .. } => "shared_hooks",
            Self::TrackedHooks { .. } => "tracked_hooks",
            Self::HooksOff { .. } => "hooks_off",
            Self::Exists { .. } | Self::TeamScript { .. } => "hook_exists",
            Self::Directory { .. } => "hook_is_directory",
            Self::Newer { .. } => "newer_hook",
            Self::Edited { .. } => "edited_hook",
            Self::PreviousTaken { .. } => "previous_taken",
            Self::NotBare { .. } => "not_bare",
            Self::Bare { .. } => "bare",
            Self::NoConfigHooks { .. } => "no_config_hooks",
            Self::Twice { .. } => "installed_twice",
        }
    }

    /// What to type.
    pub(crate) fn hints(&self) -> Vec<String> {
        let hint = match self {
            Self::Git(error) => return error.hints(),
            Self::SharedHooks { .. } => {
                return vec![
                    format!("add this line to the pre-push hook there: {}", LINE.trim_end()),
                    "or write into that directory anyway: flowreg … --force".to_owned(),
                ];
            }
            Self::TrackedHooks { .. } => {
                return vec![
                    format!(
                        "for everybody, add this line to the pre-push hook there: {}",
                        LINE.trim_end()
                    ),
                    "or write this machine's path into that directory anyway: flowreg … --force"
                        .to_owned(),
                ];
            }
            Self::HooksOff { configured } => return vec![configured.unset("core.hooksPath")],
            Self::Exists { .. } => {
                return vec![
                    format!("add this line to it: {}", LINE.trim_end()),
                    "or have it run first: flowreg … without --no-chain".to_owned(),
                ];
            }
            Self::TeamScript { .. } => {
                return vec![
                    format!("add this line to it: {}", LINE.trim_end()),
                    "or have it put at the top of the script: flowreg … --force".to_owned(),
                ];
            }
            Self::Bare { in_configuration, .. } => {
                let without = if *in_configuration { " without --config" } else { "" };
                return vec![
                    format!("for what is pushed to it: flowreg … --server{without}"),
                    "for what is pushed from it: flowreg … --force".to_owned(),
                ];
            }
            Self::PreviousTaken { path } => {
                let place = quoted_path(previous::place(path));
                return vec![format!("look into it, and to go on without it: rm -r {place}")];
            }
            Self::Newer { .. } => "use that flowreg, or overwrite the hook: flowreg … --force",
            Self::Edited { .. } => "to remove or overwrite it anyway: flowreg … --force",
            Self::NotBare { .. } => "leave out --server to install the hook of the one who pushes",
            Self::NoConfigHooks { .. } => "leave out --config to install a hook file",
            Self::Twice { .. } => "flowreg hooks uninstall …",
            Self::File { .. } | Self::Directory { .. } => return Vec::new(),
        };
        vec![hint.to_owned()]
    }
}
