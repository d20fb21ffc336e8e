//! Versions and their tags: what a tag's name says, which version comes next, and what the tag's
//! message tells.
//!
//! Everything here is computed from values alone: no clock, no configuration. Only [`Survey`] and
//! [`decide`] ask the repository, for what the computation needs. Tags are made and pushed in
//! `git`.

mod calendar;
mod conventional;
mod error;
mod message;
mod next;
mod series;
mod survey;
mod version;

pub use calendar::{CalendarFormat, CalendarVersion, Day, FormatError};
pub use conventional::{Impact, impact, impact_of};
pub use error::{TagError, TagRule, history_hints};
pub use message::message;
pub use next::{Bump, Facts, NextError, next};
pub use series::{Scheme, Series};
pub use survey::{Asked, Decision, Survey, Wanted, decide};
pub use version::Version;
