//! One run, as a pipeline of typed stages: what the process and the user say goes in, typed results
//! come out.
//!
//! | stage | type | what is known |
//! |---|---|---|
//! | opened | [`Opened`] | the repository |
//! | referenced | [`Referenced`] | the settings, the target's address, and the code reference |
//! | desired | [`Desired`] | what should be registered, and what can't be |
//! | compared | [`Compared`] | what the target holds of it, and what takes no part |
//! | planned | [`PlannedRun`] | an action for each registration |
//! | applied | [`AppliedRun`] | what became of each |
//!
//! Each stage is made from the one before it, so the order can't be got wrong, and a command asks
//! for the stage that it needs: `flows` stops at referenced, `plan` at planned. A run knows no
//! command line, no printer and no exit code: it takes a [`RunRequest`], tells an [`Observer`] how
//! far it is, and returns results or a [`RunError`].
//!
//! # Registering from a program
//!
//! ```
//! use flowreg::run::{Opened, RunRequest, Surroundings, Unobserved};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let directory = tempfile::tempdir()?;
//! # let git = |arguments: &[&str]| {
//! #     let done = std::process::Command::new("git").arg("-C").arg(directory.path()).args(arguments).output();
//! #     assert!(done.is_ok_and(|output| output.status.success()), "git {arguments:?}");
//! # };
//! # std::fs::write(directory.path().join("etl.py"), "from prefect import flow\n\n@flow\ndef etl(): ...\n")?;
//! # git(&["init", "-q", "-b", "feature"]);
//! # git(&["add", "-A"]);
//! # git(&["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "commit", "-q", "-m", "etl"]);
//! let surroundings = Surroundings::of_directory(directory.path());
//! let opened = Opened::discover(surroundings, &Unobserved)?;
//! let request = RunRequest::default();
//! let applied = opened.plan(&request)?.apply();
//! assert!(applied.is_complete());
//! assert_eq!(applied.registrations.len(), 1);
//! # Ok(())
//! # }
//! ```

mod addresses;
mod affected;
mod applied;
mod check;
mod children;
mod compared;
mod declared;
mod delivery;
mod deploy_calls;
mod desired;
mod entrypoints;
mod error;
mod flows;
mod interrupt;
mod ledger;
mod located;
mod manifests;
mod observer;
mod opened;
mod outbox;
mod packages;
mod planned;
mod prefect1;
mod prune;
mod pulled;
mod queued_target;
mod referenced;
mod request;
mod selection;
mod starts;
mod surroundings;
mod tag;
mod tag_rules;
mod told_calls;

pub use applied::AppliedRun;
pub use compared::Compared;
pub use desired::{Desired, Explained, FieldOrigins, Unbuilt, UnbuiltCause};
pub use error::{ConfigurationError, RunError};
pub use flows::{AffectedFlow, FlowList};
pub use interrupt::Interrupt;
pub use observer::{Observer, Unobserved};
pub use opened::{Configured, Opened, TargetChoice};
pub use planned::PlannedRun;
pub use referenced::{Climbed, Referenced};
pub use request::{Notice, ReferenceChoice, RunRequest};
pub use selection::{FlowFilter, SelectionError};
pub use surroundings::Surroundings;
pub use tag::TagUsageError;

pub(crate) use applied::{invalid, not_tried, word_of};
pub(crate) use check::{CheckOutcome, check};
pub(crate) use delivery::Registrar;
pub(crate) use outbox::{forget_registered, is_worth_a_watcher, waiting_count};
pub(crate) use prune::{PruneRequest, Pruned, PrunedBranch};
pub(crate) use queued_target::target_of_settings;
pub(crate) use tag::{
    AffectedSource, TagList, TagNotMade, TagOutcome, TagRegistration, TagRequest, TagResult,
    TaggedCommit,
};

/// How many writes are under way at once at most, unless `--jobs` says otherwise. It is only a limit:
/// the Prefect target starts with one and allows more while that is measurably faster
/// (docs/facts/prefect.md, "Busy servers").
const JOBS: usize = 8;
