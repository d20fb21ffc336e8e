//! A version, of one of the two schemes.

use std::cmp::Ordering;
use std::fmt;

use super::CalendarVersion;

/// The version in a tag's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Version {
    /// Semantic Versioning 2.0.0.
    Semantic(semver::Version),
    /// A date, with a number that counts.
    Calendar(CalendarVersion),
}

impl Version {
    /// Which is the later one; build metadata doesn't count (semver §10). Versions of two schemes
    /// are never in one series.
    pub(crate) fn precedence(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Semantic(one), Self::Semantic(other)) => one.cmp_precedence(other),
            (Self::Calendar(one), Self::Calendar(other)) => one.cmp_precedence(other),
            (Self::Semantic(_), Self::Calendar(_)) => Ordering::Less,
            (Self::Calendar(_), Self::Semantic(_)) => Ordering::Greater,
        }
    }

    /// Whether it comes before the release that it is called after: `1.2.0-rc.1`.
    pub(crate) fn is_pre_release(&self) -> bool {
        matches!(self, Self::Semantic(version) if !version.pre.is_empty())
    }

    pub(super) fn semantic(&self) -> Option<&semver::Version> {
        match self {
            Self::Semantic(version) => Some(version),
            Self::Calendar(_) => None,
        }
    }

    pub(super) fn calendar(&self) -> Option<&CalendarVersion> {
        match self {
            Self::Calendar(version) => Some(version),
            Self::Semantic(_) => None,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Semantic(version) => version.fmt(f),
            Self::Calendar(version) => version.fmt(f),
        }
    }
}
