//! What must outlive a run: the embedded registry and the ledger, in one SQLite file.
//!
//! The file lies in the git common directory, shared by worktrees and hooks. Any number of
//! processes may use it at once; a crash at any point leaves a file that opens.

mod database;
mod ledger;
mod registry;

pub use database::{Store, StoreError};
pub use ledger::LedgerEntry;
pub use registry::RegistryRow;
