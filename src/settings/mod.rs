//! All settings of a run: flags over `flowreg.toml` over defaults, resolved once.
//!
//! Each value that a person may wonder about remembers where it came from. The connection to a
//! Prefect server is read in `flowreg_servers`, as the official clients read it.

mod file;
mod keys;
mod layers;
mod prefect1_table;
mod tag;

pub use file::Introspect;
pub(crate) use file::{ChannelTable, FlowTable, OnDelete, ScheduleTable, Switch};
pub(crate) use layers::{Access, FILE_NAME, Flags, Origin, Settings, SettingsError, Sourced};
pub(crate) use prefect1_table::{RunConfigTable, StorageKind};
