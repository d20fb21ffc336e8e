//! One error type for the command line: kind, cause and hints. The kind alone picks the exit code.

use std::error::Error;

use super::exit;
use crate::output::ErrorReport;
use crate::push::{DiscardError, InstallError};
use crate::registration::Refusal;
use crate::run::{RunError, TagNotMade};
use crate::scan::ScanError;
use crate::settings::FileError;
use crate::store::OutboxError;
use flowreg_git::tagging::{NextError, TagError, TagRule};
use flowreg_git::{GitError, ReferenceError};
use flowreg_model::quoted;
use flowreg_servers::TargetError;

/// What happened.
type Source = Box<dyn Error + Send + Sync>;

/// An error that ends a command.
#[derive(Debug)]
pub(super) struct CommandError {
    /// The process' exit code.
    pub exit_code: u8,
    /// The word that JSON uses.
    pub code: String,
    /// What happened.
    pub source: Source,
    /// What to type.
    pub hints: Vec<String>,
    /// What a server said about it, line by line.
    pub words: Vec<String>,
}

impl CommandError {
    fn new(exit_code: u8, code: impl Into<String>, source: impl Into<Source>) -> Self {
        Self {
            exit_code,
            code: code.into(),
            source: source.into(),
            hints: Vec::new(),
            words: Vec::new(),
        }
    }

    fn with_hints(mut self, hints: Vec<String>) -> Self {
        self.hints = hints;
        self
    }

    /// A setting that is wrong.
    fn configuration(hints: Vec<String>, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(exit::CONFIGURATION, "configuration", source).with_hints(hints)
    }

    /// A command line that clap accepts and that still makes no sense.
    pub(super) fn usage(message: String, hints: Vec<String>) -> Self {
        Self::new(exit::USAGE, "usage", message).with_hints(hints)
    }

    /// A file that was asked for and can't be written.
    pub(super) fn unwritable(path: &std::path::Path, error: &std::io::Error) -> Self {
        let message = format!("{} can't be written: {error}", path.display());
        Self::new(exit::CONFIGURATION, "unwritable", message)
    }

    /// Another process has been delivering for longer than this one waits.
    pub(super) fn outbox_is_busy() -> Self {
        Self::new(exit::TARGET_UNREACHABLE, "busy", "another process is delivering")
            .with_hints(vec!["flowreg sync … --status".to_owned()])
    }

    /// What `output` prints.
    pub(super) fn report(&self) -> ErrorReport {
        let mut causes = self.words.clone();
        let mut cause = self.source.source();
        while let Some(error) = cause {
            causes.push(error.to_string());
            cause = error.source();
        }
        ErrorReport {
            code: self.code.clone(),
            place: None,
            message: self.source.to_string(),
            causes,
            hints: self.hints.clone(),
        }
    }
}

impl From<RunError> for CommandError {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Git(error) => error.into(),
            RunError::Reference(error) => error.into(),
            RunError::Tag(error) => error.into(),
            RunError::TagRule(error) => error.into(),
            RunError::Settings(error) => error.into(),
            RunError::Scan(error) => error.into(),
            RunError::Target(error) => error.into(),
            // The embedded registry is the target of such a run, and the ledger is in the same file.
            RunError::Store(error) => Self::new(exit::TARGET_REFUSED, "registry", error),
            RunError::Outbox(error) => error.into(),
            RunError::Connection(error) => Self::configuration(error.hints(), error),
            RunError::Configuration(error) => Self::configuration(error.hints(), error),
            RunError::Python(error) => {
                let hints = error.hint().into_iter().collect();
                Self::new(exit::CONFIGURATION, "python", error).with_hints(hints)
            }
            RunError::Selection(error) => {
                let hints = error.hint().map(str::to_owned).into_iter().collect();
                Self::usage(error.to_string(), hints)
            }
            RunError::TagUsage(error) => Self::usage(error.to_string(), error.hints()),
            RunError::BranchExists { ref branch, ref remote } => {
                let hint = match remote {
                    // With its full name, as a tag may have the short one.
                    Some(remote) => {
                        let branch = format!("refs/heads/{branch}");
                        format!("git push --delete {remote} {}", quoted(&branch))
                    }
                    None => format!("git branch -D {}", quoted(branch.as_str())),
                };
                let hints = vec![hint];
                Self::new(exit::REFUSED, "branch_exists", error).with_hints(hints)
            }
            RunError::NoBranches => {
                let hints = vec!["flowreg … --remote NAME".to_owned()];
                Self::new(exit::GIT, "no_branches", error).with_hints(hints)
            }
            RunError::Interrupted => Self::new(exit::INTERRUPTED, "interrupted", error),
        }
    }
}

impl From<DiscardError> for CommandError {
    fn from(error: DiscardError) -> Self {
        match error {
            DiscardError::Outbox(error) => error.into(),
            DiscardError::NothingWaits { meant: Some(ref meant), ref name } => {
                let hints = vec![format!("flowreg … with {} for {}", quoted(meant), quoted(name))];
                Self::usage(error.to_string(), hints)
            }
            error => Self::usage(error.to_string(), vec!["flowreg sync … --status".to_owned()]),
        }
    }
}

impl From<GitError> for CommandError {
    fn from(error: GitError) -> Self {
        let hints = error.hints();
        Self::new(exit::GIT, error.code(), error).with_hints(hints)
    }
}

impl From<ReferenceError> for CommandError {
    fn from(error: ReferenceError) -> Self {
        // A guard can be switched off or satisfied by the user, a configuration can be mended; both
        // have exit codes of their own, so that CI can tell them from a broken repository.
        let exit_code = match &error {
            error if error.is_guard() => exit::REFUSED,
            error if error.is_configuration() => exit::CONFIGURATION,
            _ => exit::GIT,
        };
        let hints = error.hints();
        Self::new(exit_code, error.code(), error).with_hints(hints)
    }
}

impl From<TagError> for CommandError {
    fn from(error: TagError) -> Self {
        let exit_code = match &error {
            TagError::Reference(error) if error.is_configuration() => exit::CONFIGURATION,
            TagError::NoFiles { .. } => exit::CONFIGURATION,
            TagError::Next(NextError::Word(_) | NextError::NotSemantic) => exit::USAGE,
            error if error.is_guard() => exit::REFUSED,
            _ => exit::GIT,
        };
        let hints = error.hints();
        let words = error.causes().to_vec();
        let mut command = Self::new(exit_code, error.code(), error).with_hints(hints);
        command.words = words;
        command
    }
}

impl From<TagNotMade> for CommandError {
    fn from(reason: TagNotMade) -> Self {
        let hints = reason.hints();
        Self::new(exit::REFUSED, reason.code(), reason).with_hints(hints)
    }
}

impl From<TagRule> for CommandError {
    fn from(rule: TagRule) -> Self {
        let hints = rule.hints();
        Self::new(exit::REFUSED, rule.code(), rule).with_hints(hints)
    }
}

impl From<FileError> for CommandError {
    fn from(error: FileError) -> Self {
        Self::configuration(error.hint.iter().cloned().collect(), error)
    }
}

impl From<InstallError> for CommandError {
    fn from(error: InstallError) -> Self {
        let exit_code = match &error {
            InstallError::Git(_) => exit::GIT,
            _ => exit::REFUSED,
        };
        let hints = error.hints();
        Self::new(exit_code, error.code(), error).with_hints(hints)
    }
}

impl From<OutboxError> for CommandError {
    fn from(error: OutboxError) -> Self {
        Self::new(exit::TARGET_REFUSED, "outbox", error)
    }
}

impl From<ScanError> for CommandError {
    fn from(error: ScanError) -> Self {
        match error {
            ScanError::Git(error) => error.into(),
            // Files are read from git's objects; an error that is not git's is not to be expected.
            ScanError::Read(error) => Self::new(exit::BUG, "unreadable", error),
            ScanError::NoThread => Self::new(exit::BUG, "no_thread", error),
            ScanError::Glob { .. } => Self::new(exit::CONFIGURATION, "configuration", error),
        }
    }
}

impl From<TargetError> for CommandError {
    fn from(error: TargetError) -> Self {
        let (exit_code, code) = target_codes(&error);
        let hints = target_hints(&error);
        Self::new(exit_code, code, error).with_hints(hints)
    }
}

/// Exit code and JSON word of what a target said.
pub(super) fn target_codes(error: &TargetError) -> (u8, &'static str) {
    match error {
        TargetError::Unreachable { .. } => (exit::TARGET_UNREACHABLE, "unreachable"),
        TargetError::Untrusted { .. } => (exit::CONFIGURATION, "untrusted"),
        TargetError::CertificateFile(_) => (exit::CONFIGURATION, "certificate_file"),
        TargetError::Unauthorized { .. } => (exit::TARGET_REFUSED, "unauthorized"),
        TargetError::NotAnApi { .. } => (exit::TARGET_REFUSED, "not_an_api"),
        TargetError::UnsupportedVersion { .. } => (exit::TARGET_REFUSED, "unsupported_version"),
        TargetError::Refused { .. } => (exit::TARGET_REFUSED, "target_refused"),
        TargetError::Overtaken { .. } => (exit::TARGET_UNREACHABLE, "overtaken"),
        TargetError::Configuration(_) => (exit::CONFIGURATION, "configuration"),
        TargetError::Registry(_) => (exit::TARGET_REFUSED, "registry"),
        TargetError::Prefect1(error) => (exit::TARGET_REFUSED, error.code()),
    }
}

/// What to type after a target said no.
pub(super) fn target_hints(error: &TargetError) -> Vec<String> {
    let hint = match error {
        TargetError::Unreachable { .. } => {
            "nothing is lost: run the same command again once the server answers"
        }
        TargetError::Untrusted { problem, settings, .. } => return problem.hints(*settings),
        TargetError::CertificateFile(error) => return error.hints(),
        TargetError::Unauthorized { .. } => {
            "set PREFECT_API_KEY, or PREFECT_API_AUTH_STRING for basic authentication"
        }
        TargetError::NotAnApi { .. } => "PREFECT_API_URL must end in /api",
        TargetError::Prefect1(error) => return error.hint().into_iter().collect(),
        _ => return Vec::new(),
    };
    vec![hint.to_owned()]
}

/// What `output` prints of a registration that a target did not take.
pub(super) fn target_report(error: &TargetError) -> ErrorReport {
    ErrorReport {
        code: target_codes(error).1.to_owned(),
        place: None,
        message: error.to_string(),
        causes: Vec::new(),
        hints: target_hints(error),
    }
}

/// What `output` prints of a registration that a guard refused.
pub(super) fn refusal_report(refusal: &Refusal) -> ErrorReport {
    ErrorReport {
        code: refusal.code().to_owned(),
        place: None,
        message: refusal.to_string(),
        causes: Vec::new(),
        hints: refusal.hints(),
    }
}
