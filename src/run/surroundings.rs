//! What a run takes from the process around it: environment, directories, clock, options that hold
//! for every command. It is handed in and not looked up, so that a test can fix all of it.

use std::path::{Path, PathBuf};

use flowreg_model::{Environment, TargetKind};
use jiff::{Timestamp, Unit};

use super::Interrupt;

/// Where a run takes place, and what holds for all that it does.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The environment: `BUILD_TAG`, `PREFECT_API_URL`, what git needs.
    pub environment: Environment,
    /// The working directory.
    pub directory: PathBuf,
    /// The home directory, where Prefect keeps its profiles.
    pub home: Option<PathBuf>,
    /// A `flowreg.toml` that is read in place of the one at the reference (`--config`).
    pub config: Option<PathBuf>,
    /// The target, whatever the configuration says (`--target`).
    pub target: Option<TargetKind>,
    /// Whether others push to this repository: what they push is read, and never run.
    pub is_server: bool,
    /// Whether Ctrl-C was pressed.
    pub interrupt: Interrupt,
    /// What time it is: registrations and the ledger carry it.
    pub clock: fn() -> Timestamp,
}

impl Surroundings {
    /// A run in a directory with an empty environment.
    pub fn of_directory(directory: &Path) -> Self {
        Self {
            environment: Environment::default(),
            directory: directory.to_owned(),
            home: None,
            config: None,
            target: None,
            is_server: false,
            interrupt: Interrupt::default(),
            clock: Timestamp::now,
        }
    }

    /// The time that registrations and the ledger carry: RFC 3339 in UTC, to the second.
    pub(super) fn now(&self) -> String {
        (self.clock)().round(Unit::Second).unwrap_or_default().to_string()
    }
}
