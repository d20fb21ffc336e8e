//! What an analysis depends on besides the script itself, so that a cache can tell whether its answer
//! still holds.

use std::collections::{BTreeMap, BTreeSet};

use super::library::ImportTarget;

/// What was looked up and read, by a script itself or by one of the modules that it imports: the answers
/// hold as long as all of it stays the same.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Dependencies {
    /// By directory and name: what an import of this name found there, also where it found nothing.
    pub lookups: BTreeMap<(String, String), ImportTarget>,
    /// By the name of a module that was not found where Python looks: the directory that has one of this
    /// name, if any has.
    pub elsewhere: BTreeMap<String, Option<String>>,
    /// The files that were read besides the script: paths from the root.
    pub files: BTreeSet<String>,
    /// Which file imports which, the importing one first: paths from the root.
    pub imports: BTreeSet<(String, String)>,
}
