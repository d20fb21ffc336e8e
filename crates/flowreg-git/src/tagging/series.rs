//! A series of versions: the tags of one prefix and scheme, and the files that they stand for.

use super::calendar::CalendarFormat;
use super::next::{Bump, VersionInputs, next};
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

impl Default for Scheme {
    fn default() -> Self {
        Self::Semantic { initial: semver::Version::new(1, 0, 0), pre: "rc".to_owned() }
    }
}

impl Scheme {
    /// The version that a text is. Of Semantic Versioning also what people write instead of it, so that
    /// it ranks where they mean it to: `1.10` above `1.9`.
    pub(super) fn read(&self, text: &str) -> Option<Version> {
        match self {
            Self::Semantic { .. } => Version::parse(text),
            Self::Calendar(format) => format.parse(text),
        }
    }
}

/// The tags that are versions of the same thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// What stands before the version: `v`, `etl/v`.
    pub prefix: String,
    /// How versions are counted.
    pub scheme: Scheme,
    /// The package of the repository; `None`: the repository as a whole.
    pub package: Option<String>,
    /// The files and directories whose changes count, and globs of them, as
    /// [`normalized_path`](flowreg_model::normalized_path) leaves them; empty: all.
    pub paths: Vec<String>,
}

impl Series {
    /// The version that a tag with the prefix of this series stands for; `None` for every other tag.
    ///
    /// Where the prefix of one series is the beginning of another one's, a tag may fit both:
    /// [`SeriesSet::series_of`](super::SeriesSet::series_of) says which one it is of.
    pub fn version_of(&self, tag: &TagName) -> Option<Version> {
        self.scheme.read(tag.as_str().strip_prefix(self.prefix.as_str())?)
    }

    /// Whether a version of this series can have a next one.
    pub(super) fn can_follow(&self, version: &Version) -> bool {
        match &self.scheme {
            Scheme::Semantic { .. } => version.semantic().is_some(),
            Scheme::Calendar(_) => true,
        }
    }

    /// A version as the scheme has it, without the prefix: one that may be made.
    pub fn parse(&self, text: &str) -> Option<Version> {
        match &self.scheme {
            Scheme::Semantic { .. } => semver::Version::parse(text).ok().map(Version::from),
            Scheme::Calendar(format) => format.parse(text),
        }
    }

    /// The tag of the first version, if it does not follow from the date.
    pub(super) fn first(&self) -> Option<TagName> {
        match &self.scheme {
            Scheme::Semantic { initial, .. } => self.tag_of(&initial.clone().into()),
            Scheme::Calendar(_) => None,
        }
    }

    /// The tag of the patch version after a version, of a pre-release that of its release; `None` if it does
    /// not follow from the version alone.
    pub(super) fn after(&self, version: &Version) -> Option<TagName> {
        let inputs = VersionInputs {
            latest: Some(version.clone()),
            bump: Some(Bump::Patch),
            ..VersionInputs::default()
        };
        self.tag_of(&next(self, &inputs).ok()??)
    }

    /// The tag of a version; `None` where git would not take the name.
    pub(crate) fn tag_of(&self, version: &Version) -> Option<TagName> {
        format!("{}{version}", self.prefix).parse().ok()
    }
}
