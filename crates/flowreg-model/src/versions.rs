//! Versions of Prefect that answer differently.

use semver::Version;
use serde_json::Value;

/// For which versions of Prefect a parameter schema holds.
#[derive(Debug, Clone, PartialEq)]
pub struct VersionLimit {
    /// The first version.
    pub since: Option<Version>,
    /// The first version that it no longer holds for.
    pub before: Option<Version>,
    /// What it depends on, in words.
    pub reason: String,
    /// The schema for the other versions, if it is known.
    pub instead: Option<Value>,
}

impl VersionLimit {
    /// Whether the schema holds for a version.
    pub fn holds(&self, version: &Version) -> bool {
        self.since.as_ref().is_none_or(|since| version >= since)
            && self.before.as_ref().is_none_or(|before| version < before)
    }

    /// The versions in words: `since 3.5.0`, `before 3.9.0`.
    pub fn versions(&self) -> String {
        let since = self.since.as_ref().map(|version| format!("since {version}"));
        let before = self.before.as_ref().map(|version| format!("before {version}"));
        since.into_iter().chain(before).collect::<Vec<_>>().join(", ")
    }
}
