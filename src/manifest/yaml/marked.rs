//! The library's events as they come.

use libyaml_safer::{EventData, Mark};

/// The library's event; indices are bytes of the text that was parsed.
pub(super) struct MarkedEvent {
    pub data: EventData,
    pub start: Mark,
    pub end: Mark,
}

/// Where a mark is, in bytes of the text that was parsed.
pub(super) fn index(mark: Mark) -> usize {
    usize::try_from(mark.index).unwrap_or(usize::MAX)
}
