//! All settings of a run: flags over `flowreg.toml` over defaults, resolved once.
//!
//! Each value that a person may wonder about remembers where it came from. The connection to a
//! Prefect server is read in `flowreg_servers`, as the official clients read it.

mod file;
mod keys;
mod layers;
mod prefect1_table;
mod tag;

pub use file::{
    ChannelTable, FileError, FlowTable, HooksTable, Introspect, OnDelete, ScheduleTable, Switch,
};
pub use layers::{
    Access, FILE_NAME, Flags, Origin, RepositorySettings, Settings, SettingsError, Sourced,
};
pub use prefect1_table::{
    KEYS, Prefect1Table, RUN_CONFIG_KEYS, RunConfigTable, RunKind, StorageKind,
};
pub use tag::{NoSeries, TagSettings};
