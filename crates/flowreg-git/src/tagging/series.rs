//! A series of versions: the tags of one prefix and scheme, and the files that they stand for.

use super::calendar::CalendarFormat;
use super::version::Version;
use flowreg_model::TagName;

/// How versions are counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scheme {
    /// Semantic Versioning.
    Semantic {
        /// The first version.
        initial: semver::Version,
        /// What a pre-release is called: `rc`.
        pre: String,
    },
    /// Calendar Versioning.
    Calendar(CalendarFormat),
}

/// The tags that are versions of the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What stands before the version: `v`, `etl/v`.
    pub prefix: String,
    /// How versions are counted.
    pub scheme: Scheme,
    /// The files and directories, from the root, whose changes count; empty: all.
    pub paths: Vec<String>,
}

impl Series {
    /// The version that a tag of this series stands for; `None` for every other tag.
    pub fn version_of(&self, tag: &TagName) -> Option<Version> {
        self.parse(tag.as_str().strip_prefix(self.prefix.as_str())?)
    }

    /// A version as it is written without the prefix.
    pub fn parse(&self, text: &str) -> Option<Version> {
        match &self.scheme {
            Scheme::Semantic { .. } => semver::Version::parse(text).ok().map(Version::Semantic),
            Scheme::Calendar(format) => format.parse(text).map(Version::Calendar),
        }
    }

    /// The tag of a version; `None` where git would not take the name.
    pub(crate) fn tag_of(&self, version: &Version) -> Option<TagName> {
        format!("{}{version}", self.prefix).parse().ok()
    }
}
