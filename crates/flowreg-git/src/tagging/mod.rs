//! Versions and their tags: which version a tag's name stands for, which version comes next, and
//! what the message of its tag says.
//!
//! Everything here is computed from values alone: no clock, no configuration. Only [`SeriesTags`] and
//! [`decide`] read the repository, for what the computation needs. Tags are made and pushed by
//! [`Repository`](crate::Repository).

mod calendar;
mod conventional;
mod decision;
mod error;
mod found_prefix;
mod lookalike;
mod message;
mod next;
mod next_release;
mod paths;
mod reverts;
mod series;
mod series_tags;
mod set;
mod squash;
mod toml_string;
mod version;
mod written;

pub use calendar::{CalendarFormat, Day, FormatError};
pub use decision::{Decision, RequestedVersion, TagRequest, decide};
pub use error::{TagError, TagRule, history_hints};
pub use found_prefix::SeveralSeries;
pub use message::message;
pub use next::{Bump, NextError};
pub(crate) use next_release::{NextRelease, next_release};
pub use paths::SeriesPaths;
pub use series::{Scheme, Series};
pub use series_tags::{SeriesTags, WrittenOtherwise, unpushed};
pub use set::{SeriesSet, TagOrder};
pub use version::Version;
