//! A version: what stands in a tag's name after the prefix of its series.

use std::cmp::Ordering;
use std::fmt;
use std::ops::RangeInclusive;

use semver::{BuildMetadata, Prerelease};

/// How many digits the first number of a date has at least, where dashes stand between its numbers.
const YEAR: usize = 4;

/// Which first numbers are the year of a date.
const YEARS: RangeInclusive<u64> = 1900..=2999;
/// From which one on they are a year and its month (`202601`), or a whole date (`20260110`).
const DATE: u64 = 100_000;

/// The version in a tag's name.
///
/// Both schemes have numbers, the greatest first. Those of Semantic Versioning may end in a
/// pre-release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As it stands in the name.
    text: String,
    numbers: Vec<u64>,
    /// Empty in a release.
    pre: Prerelease,
}

impl Version {
    /// Reads a version: Semantic Versioning 2.0.0, and what people write instead, with fewer or more
    /// numbers (`1.10`, `1.2.3.4`), with leading zeros (`2026.01.10`), or as a date (`2026-01-10`, of a quarter or
    /// week `2026-Q1`, with a counter `2026-01-10.1`).
    pub(super) fn parse(text: &str) -> Option<Self> {
        let numbers = |text: &str, separator: char| -> Option<Vec<u64>> {
            text.split(separator).map(number).collect()
        };
        // Before the form of semver, which would take the month for a pre-release of the year.
        for separator in ['-', '_'] {
            if let Some(numbers) = date(text, separator) {
                return Some(Self { text: text.to_owned(), numbers, pre: Prerelease::EMPTY });
            }
        }
        let (version, build) = text.split_once('+').map_or((text, None), |(a, b)| (a, Some(b)));
        let (core, pre) = version.split_once('-').map_or((version, None), |(a, b)| (a, Some(b)));
        if build.is_some_and(|build| build.is_empty() || BuildMetadata::new(build).is_err()) {
            return None;
        }
        let pre = match pre {
            Some(pre) => Prerelease::new(pre).ok().filter(|pre| !pre.is_empty())?,
            None => Prerelease::EMPTY,
        };
        let numbers = numbers(core, '.')?;
        // A single number has no pre-release: `v2-1.0.0` is a version of `v2-`, and none of `v`.
        let is_single = numbers.len() == 1 && !pre.is_empty();
        (!is_single).then(|| Self { text: text.to_owned(), numbers, pre })
    }

    /// The text with smaller numbers in place of those that are too large for a version; `None` if it has none.
    pub(super) fn with_numbers_that_fit(text: &str) -> Option<String> {
        let is_digit = |char: &char| char.is_ascii_digit();
        let too_large = text
            .split(|char: char| !is_digit(&char))
            .filter(|digits| !digits.is_empty() && digits.parse::<u64>().is_err());
        let mut fitting = text.to_owned();
        for digits in too_large {
            fitting = fitting.replacen(digits, "1", 1);
        }
        (fitting != text).then_some(fitting)
    }

    pub(super) fn calendar(text: String, numbers: Vec<u64>) -> Self {
        Self { text, numbers, pre: Prerelease::EMPTY }
    }

    /// Which is the later one. A missing number is zero; build metadata doesn't count (semver §10).
    pub fn precedence(&self, other: &Self) -> Ordering {
        let length = self.numbers.len().max(other.numbers.len());
        let padded = |numbers: &[u64]| {
            let zeros = std::iter::repeat_n(0, length - numbers.len());
            numbers.iter().copied().chain(zeros).collect::<Vec<_>>()
        };
        padded(&self.numbers).cmp(&padded(&other.numbers)).then_with(|| self.pre.cmp(&other.pre))
    }

    /// Which of two tags is the higher one. Versions that differ in build metadata alone are one release, and builds
    /// of it one after the other: `1.0.0+10` is above `1.0.0+9`.
    pub fn rank(&self, other: &Self) -> Ordering {
        self.precedence(other).then_with(|| self.build().cmp(&other.build()))
    }

    fn build(&self) -> BuildMetadata {
        let build = self.text.split_once('+').map(|(_, build)| BuildMetadata::new(build));
        build.and_then(Result::ok).unwrap_or_default()
    }

    /// Whether it comes before the release that it is called after: `1.2.0-rc.1`.
    pub fn is_pre_release(&self) -> bool {
        !self.pre.is_empty()
    }

    pub(super) fn numbers(&self) -> &[u64] {
        &self.numbers
    }

    pub(super) fn pre(&self) -> &str {
        self.pre.as_str()
    }

    /// The semantic version that it is, a missing number taken for zero; `None` if it has too many of
    /// them, leading zeros, or is a date (`20260110.1`, `2026.1`): the next one is of another day then.
    pub(super) fn semantic(&self) -> Option<semver::Version> {
        let mut numbers = self.numbers.iter().map(|number| Some(*number)).chain([Some(0), Some(0)]);
        let (major, minor, patch) = (numbers.next()??, numbers.next()??, numbers.next()??);
        let written: Vec<String> = self.numbers.iter().map(ToString::to_string).collect();
        let rest = self.text.strip_prefix(&written.join("."));
        let is_semantic = rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '+']));
        (is_semantic && !is_date(&self.numbers) && self.numbers.len() <= 3).then(|| {
            semver::Version { pre: self.pre.clone(), ..semver::Version::new(major, minor, patch) }
        })
    }
}

impl From<semver::Version> for Version {
    fn from(version: semver::Version) -> Self {
        Self {
            text: version.to_string(),
            numbers: vec![version.major, version.minor, version.patch],
            pre: version.pre,
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Whether numbers are a date, from which no version is counted up.
pub(super) fn is_date(numbers: &[u64]) -> bool {
    numbers.first().is_some_and(|first| YEARS.contains(first) || *first >= DATE)
}

/// The numbers of a date between which this separator stands: the year first, a letter before that of a quarter or
/// week, points before a counter.
fn date(text: &str, separator: char) -> Option<Vec<u64>> {
    let (year, rest) = text.split_once(separator).filter(|(year, _)| year.len() >= YEAR)?;
    let counted = |part: &str| number(part.trim_start_matches(['q', 'Q', 'w', 'W']));
    let rest = rest.split([separator, '.']).map(counted);
    std::iter::once(number(year)).chain(rest).collect()
}

fn number(digits: &str) -> Option<u64> {
    // `parse` alone would take `+1`.
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn versions_of_one_series_have_an_order() {
        for ordered in [
            &["1.9.0", "1.10.0-rc.1", "1.10.0-rc.2", "1.10.0-rc.10", "1.10.0"][..],
            &["1.9", "1.9.1", "1.10", "1.10.1", "2"],
            &["1.2.3", "1.2.3.1", "1.2.3.10", "1.2.4"],
            &["2026.01.9", "2026.01.10", "2026.1.11", "2026.12.0", "2027.01.0"],
            &["2026-01-09", "2026-01-10", "2026-1-11", "2027-01-01"],
            &["2026_01", "2026_02", "2026_10"],
            &["2026-01-10", "2026-01-10.1", "2026-01-10.10", "2026-01-11"],
            &["20260110", "20260110.1", "20260110.10", "20260111"],
            &["2026-Q1", "2026-Q2", "2027-Q1"],
            &["2026-w09", "2026-w10"],
        ] {
            for pair in ordered.windows(2) {
                let (one, other) = (version(pair[0]), version(pair[1]));
                assert!(one.precedence(&other).is_lt(), "{one} {other}");
            }
        }
        for (one, other) in [("1.10", "1.10.0"), ("1.0.0+7", "1.0.0"), ("2026.01", "2026.1")] {
            assert!(version(one).precedence(&version(other)).is_eq(), "{one} {other}");
        }
    }

    #[test]
    fn builds_of_one_version_are_ranked_by_their_numbers() {
        let ordered =
            ["1.0.0-rc.1+3", "1.0.0", "1.0.0+1", "1.0.0+2", "1.0.0+10", "1.0.0+b", "1.0.1"];
        for pair in ordered.windows(2) {
            let (one, other) = (version(pair[0]), version(pair[1]));
            assert!(one.rank(&other).is_lt() && other.rank(&one).is_gt(), "{one} {other}");
        }
        assert!(version("1.10").rank(&version("1.10.0")).is_eq());
    }

    #[test]
    fn what_is_no_version_is_none() {
        for text in [
            "",
            "x",
            "1.",
            ".1",
            "1..2",
            "1.x",
            "-1",
            "+1",
            "1.0.0-",
            "1.0.0+",
            "1.0.0-rc..1",
            "1.0.0 ",
            "1.0.0+a b",
            "2-rc.1",
            "99999999999999999999",
            "1_2",
            "2026-01-x y",
        ] {
            assert_eq!(Version::parse(text), None, "{text}");
        }
    }

    #[test]
    fn only_what_could_be_counted_up_is_semantic() {
        for (text, expected) in [
            ("1.10", Some("1.10.0")),
            ("2", Some("2.0.0")),
            ("1.2.3-rc.1", Some("1.2.3-rc.1")),
            ("1.2.3+b.1", Some("1.2.3")),
            ("2026.01.10", None),
            ("1.2.3.4", None),
            ("2026-01-10", None),
            ("20260110", None),
            ("20260110.1", None),
            ("202601.1", None),
            ("20260110.1.0", None),
            ("202601101530.1", None),
            ("2026-01-10.1", None),
            ("2026_01_10.1", None),
            ("2026-Q1", None),
            ("2026-w03", None),
            ("2026.1", None),
            ("2026.1.10", None),
            ("1899.1", Some("1899.1.0")),
            ("3000.1", Some("3000.1.0")),
        ] {
            let semantic = version(text).semantic().map(|version| version.to_string());
            assert_eq!(semantic.as_deref(), expected, "{text}");
        }
    }
}
