//! All settings of a run: flags over `flowreg.toml` over defaults, resolved once.
//!
//! A value whose origin is shown to people remembers it (`Sourced`). The connection to a Prefect
//! server is not resolved here but in `flowreg_servers`, as the official clients do it.

mod file;
mod keys;
mod layers;
mod prefect1_table;
mod tag;

pub(crate) use file::DeployCalls;
pub(crate) use file::{ChannelTable, FlowTable, OnDelete, ScheduleTable, Switch};
pub use file::{FileError, Introspect};
pub(crate) use keys::file_keys;
pub(crate) use layers::{Access, FILE_NAME, Flags, MANIFEST_NAME, Origin, Settings, Sourced};
pub(crate) use prefect1_table::{RunConfigTable, StorageKind};
pub(crate) use tag::SeriesError;
