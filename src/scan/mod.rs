//! Finds the flows of a commit's tree: which files can have some, what the analyser or an earlier
//! run says of them, and which of them a change affects.
//!
//! What a single file says is read by `flowreg_python`; how objects are read, by `flowreg_git`.

mod affected;
mod cache;
mod changed;
mod graph;
mod objects;
mod stored;
mod tree;

pub(crate) use affected::Script;
pub(crate) use changed::{Difference, affected};
pub(crate) use objects::{Objects, objects};
pub use tree::{Scan, Selection, scan};
pub(crate) use tree::{ScanError, duplicates, explain, import};

/// This very analyser, by its source: cached answers are for no other one.
pub const ANALYSER: &str = env!("FLOWREG_ANALYSER");
