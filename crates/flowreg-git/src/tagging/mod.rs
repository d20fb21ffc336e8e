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
mod message;
mod next;
mod reverts;
mod series;
mod squash;
mod version;

pub use calendar::{CalendarFormat, CalendarVersion, Day, FormatError};
pub use decision::{Decision, RequestedVersion, SeriesTags, TagRequest, decide};
pub use error::{TagError, TagRule, history_hints};
pub use message::message;
pub use next::{Bump, NextError};
pub use series::{Scheme, Series};
pub use version::Version;
