//! Where something stands in the source.

use ruff_text_size::TextSize;

/// A place in one of the modules that are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Location {
    /// The module's number; 0 is the script.
    pub module: u32,
    pub at: TextSize,
}
