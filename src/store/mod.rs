//! What must outlive a run: the embedded registry and the ledger, in one SQLite file.
//!
//! The file lies in the git common directory, shared by worktrees and hooks. Any number of
//! processes may use it at once; a crash at any point leaves a file that opens. Beside it lies the
//! cache of analyses, which nobody misses when it is gone, and the outbox: one file for each push
//! that waits.

mod analyses;
mod database;
mod ledger;
mod local;
mod outbox;
mod registry;

pub use analyses::AnalysisCache;
pub(crate) use analyses::LARGEST_CACHE;
pub use database::Store;
pub(crate) use database::StoreError;
pub(crate) use ledger::LedgerEntry;
pub(crate) use local::LocalRegistry;
pub(crate) use outbox::{Outbox, OutboxError, OutboxLockKind};
pub(crate) use registry::RegistryRow;
