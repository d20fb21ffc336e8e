//! What an analysis depends on besides the script itself.

use std::collections::{BTreeMap, BTreeSet};

use super::library::ImportTarget;

/// What was looked up and read: the answers hold as long as all of it stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependencies {
    /// What was found under a name in a directory.
    pub lookups: BTreeMap<(String, String), ImportTarget>,
    /// Whether a name that is not found is a module anywhere else.
    pub elsewhere: BTreeMap<String, bool>,
    /// The files that were read besides the script: paths from the root.
    pub files: BTreeSet<String>,
    /// Which file imports which: paths from the root.
    pub imports: BTreeSet<(String, String)>,
}
