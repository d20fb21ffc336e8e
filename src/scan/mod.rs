//! Finds the flows of a commit's tree: which files can have some, what the analyser or an earlier
//! run says of them, and which of them a change affects.
//!
//! What a single file says is read by `flowreg_python`; how objects are read, by `flowreg_git`.

mod affected;
mod cache;
mod changed;
mod graph;
mod linked;
mod named;
mod prefect1;
mod project;
mod stored;
mod tree;

pub(crate) use affected::Script;
pub(crate) use changed::{Difference, affected};
pub(crate) use named::{NamedFlows, explain, look_up};
pub(crate) use prefect1::{Prefect1Files, prefect1_files};
pub(crate) use tree::duplicates;
pub use tree::{Scan, ScanError, Selection, scan};

/// The analyser by a hash of its sources (`build.rs`). Answers in the cache are kept under it, since
/// another analyser may give others.
pub const ANALYSER: &str = env!("FLOWREG_ANALYSER");
