//! Where registrations live: the trait that every target answers.
//!
//! A target knows nothing of git and of plans: it reads what it holds, and carries out one write
//! at a time. `apply` may be called from several threads at once; the target itself holds them
//! back where its server can't take parallel writes.

pub mod connection;
pub mod prefect;
pub mod prefect1;

use std::collections::HashMap;
use std::time::Duration;

use serde_json::Value;

use flowreg_model::{BlockDocument, Fields, FlowName, Held, Registration, TargetDescription};
pub use prefect::tls_error::{
    CertificateFileError, CertificateFileProblem, OtherForm, TlsProblem, TlsSettings,
};

/// Which registrations to read.
#[derive(Debug, Clone, Copy)]
pub enum ReadScope<'a> {
    /// All deployments of these flows, whoever created them.
    Flows(&'a [FlowName]),
    /// Everything.
    All,
}

/// One change to carry out.
#[derive(Debug, Clone, Copy)]
pub enum Write<'a> {
    /// The target holds nothing of this name.
    Create(&'a Registration),
    /// The target holds it, and some of it differs.
    Update {
        /// As it was read.
        held: &'a Held,
        /// As it should be.
        registration: &'a Registration,
        /// The fields that change, with their final values: declared and held are merged already.
        fields: &'a Fields,
        /// Whether flowreg's marks change as well.
        marks_change: bool,
    },
    /// The target should no longer hold it.
    Remove(&'a Held),
}

/// A work pool that the target offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkPool {
    /// Its name.
    pub name: String,
    /// `process`, `docker`, `kubernetes` …
    pub kind: String,
    /// Whether it hands out runs at all.
    pub is_paused: bool,
}

/// The work pools of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WorkPools {
    /// Those that exist.
    pub offered: Vec<WorkPool>,
    /// The one for deployments that name none, and where it is named.
    pub default: Option<(String, String)>,
}

/// Why a target did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// No answer: refused, reset, timed out, or the server kept saying it is busy.
    #[error("{url} can't be reached: {reason}")]
    Unreachable {
        /// The API's address without credentials.
        url: String,
        /// What happened, in words.
        reason: String,
    },
    /// There is an answer, but over no connection that can be trusted.
    #[error("{url} can't be used: {problem}")]
    Untrusted {
        /// The API's address without credentials.
        url: String,
        /// What is wrong.
        problem: TlsProblem,
        /// What can be set about it.
        settings: TlsSettings,
    },
    /// The file of certificates that a setting names is of no use.
    #[error(transparent)]
    CertificateFile(#[from] Box<CertificateFileError>),
    /// The credentials are missing or wrong.
    #[error("{url} refused the credentials ({status})")]
    Unauthorized {
        /// The API's address without credentials.
        url: String,
        /// 401 or 403.
        status: u16,
    },
    /// There is something at the address, but not a Prefect API.
    #[error("{url} is not a Prefect API: {reason}")]
    NotAnApi {
        /// The API's address without credentials.
        url: String,
        /// 404, or what was in the body instead of JSON.
        reason: String,
    },
    /// The server is of a generation that this target does not speak.
    #[error("{url} is Prefect {version}, and only 2.20 and 3 are supported")]
    UnsupportedVersion {
        /// The API's address without credentials.
        url: String,
        /// As the server tells it.
        version: String,
    },
    /// The server understood and said no.
    #[error("the server refused it ({status}): {message}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The server's own words, never its echo of the request.
        message: String,
    },
    /// The configuration of the connection is wrong.
    #[error("{0}")]
    Configuration(String),
    /// Somebody wrote the registration since it was read.
    #[error("another run registered it meanwhile, again and again")]
    Overtaken {
        /// What the target holds now; `None` if it was removed.
        held: Option<Box<Held>>,
    },
    /// The embedded registry failed.
    #[error("the embedded registry failed: {0}")]
    Registry(String),
    /// An error that only Prefect 1 has.
    #[error(transparent)]
    Prefect1(#[from] prefect1::Prefect1Error),
}

impl TargetError {
    /// Whether the same request may succeed later although nobody changes anything.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Overtaken { .. } => true,
            Self::Refused { status, .. } => *status >= 500,
            _ => false,
        }
    }
}

/// A place where registrations live.
pub trait Target: Sync {
    /// Says what and where it is; the version only if the server was asked already.
    fn describe(&self) -> TargetDescription;

    /// The server's version, if it has one to tell; asks it once.
    fn version(&self) -> Result<Option<String>, TargetError>;

    /// Reads registrations in a few paged requests, never one per flow.
    fn read(&self, scope: ReadScope<'_>) -> Result<Vec<Held>, TargetError>;

    /// The work pools, or `None` if this kind of target has none.
    fn work_pools(&self) -> Result<Option<WorkPools>, TargetError> {
        Ok(None)
    }

    /// Puts the triggers of these names, or all that run them (`None`), into the `triggers` of
    /// registrations that were read, in a few paged requests for all of them. A target that reads
    /// them as fields like the others, or has none, has nothing to do here.
    fn read_triggers(
        &self,
        _names: Option<&[String]>,
        _held: &mut [&mut Held],
    ) -> Result<(), TargetError> {
        Ok(())
    }

    /// The variables of these names; what the target does not hold is absent.
    fn variables(&self, _names: &[String]) -> Result<HashMap<String, Value>, TargetError> {
        Ok(HashMap::new())
    }

    /// A block by the slug of its type and its name, or `None` if there is none. Its secrets stay
    /// where they are.
    fn block(&self, _type_slug: &str, _name: &str) -> Result<Option<BlockDocument>, TargetError> {
        Ok(None)
    }

    /// Brings registrations into the form that this very target can hold, before they are compared,
    /// and says what it can't.
    fn adapt(&self, _registrations: &mut [Registration]) -> Result<Vec<String>, TargetError> {
        Ok(Vec::new())
    }

    /// Which of these projects the target lacks; only Prefect 1 has projects.
    fn missing_projects(&self, _projects: &[&str]) -> Result<Vec<String>, TargetError> {
        Ok(Vec::new())
    }

    /// Whether each change makes a new version with an id of its own, so that the old id means that
    /// nothing was written.
    fn is_versioned(&self) -> bool {
        false
    }

    /// How long a write of somebody else may still be under way that was sent before he could see ours;
    /// what is there after this time stays. `None` if nobody can come in between at all.
    fn settling_time(&self) -> Option<Duration> {
        None
    }

    /// Whether it was this run that created what is held, if it was created since this run has begun.
    fn is_creator(&self, _held: &Held) -> bool {
        true
    }

    /// Carries out one write and returns the registration's id at the target. Where it can tell that
    /// somebody wrote the registration since it was read, it writes nothing: [`TargetError::Overtaken`].
    ///
    /// Safe to repeat: carrying it out a second time changes nothing.
    fn apply(&self, write: &Write<'_>) -> Result<Option<String>, TargetError>;
}
