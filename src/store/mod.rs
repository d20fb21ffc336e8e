//! What must outlive a run: the embedded registry and the ledger, in one SQLite file.
//!
//! The file lies in the git common directory, which work trees and hooks share. Any number of
//! processes may use it at once, and after a crash at any point it still opens. Beside it lie the
//! cache of analyses, which may be deleted at any time, and the outbox, with one file for each push
//! that waits.

mod analyses;
mod batch;
mod database;
mod ledger;
mod local;
mod outbox;
mod registry;
mod turn;

pub use analyses::AnalysisCache;
pub(crate) use analyses::LARGEST_CACHE;
pub use database::Store;
pub use database::StoreError;
pub(crate) use ledger::LedgerEntry;
pub(crate) use local::LocalRegistry;
pub use outbox::OutboxError;
pub(crate) use outbox::{Outbox, OutboxLockKind};
pub(crate) use registry::RegistryRow;
pub(crate) use turn::Turn;
