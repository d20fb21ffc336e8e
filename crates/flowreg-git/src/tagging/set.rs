//! All series of a repository: which version a tag is, and which of two tags is the higher one.
//!
//! The pin of a mainline branch, the guard against downgrades, `flowreg tag`, pushes of several tags
//! and hints all ask here, so that they can't differ.

use std::cmp::Ordering;

use super::error::TagError;
use super::found_prefix::{SeveralSeries, found_prefix};
use super::lookalike::{is_of_versions, lookalike};
use super::paths::SeriesPaths;
use super::series::{Scheme, Series};
use super::version::{Version, is_date};
use super::written::{WrittenVersion, version_in};
use crate::{ReferenceError, Repository};
use flowreg_model::{CommitId, TagName};

/// What stands before the versions of a repository that says nothing and has no versions yet.
const DEFAULT_PREFIX: &str = "v";

/// The series that a repository has, as its settings name them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeriesSet {
    /// Each with its prefix: that of the repository as a whole, and those of its packages.
    Declared(Vec<Series>),
    /// One, of the repository as a whole. Its prefix is that of the tags that are there.
    Found {
        /// How versions are counted.
        scheme: Scheme,
        /// As in [`Series`].
        paths: Vec<String>,
    },
}

/// How a tag relates to another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagOrder {
    /// Both are versions of one series; whether this one is the higher.
    Versions(Ordering),
    /// Versions of two series: neither is higher.
    OtherSeries,
    /// It is no version, and the other one is.
    NoVersion,
    /// The other one is no version.
    Unknown,
}

impl Default for SeriesSet {
    /// Of a repository without settings.
    fn default() -> Self {
        Self::Found { scheme: Scheme::default(), paths: Vec::new() }
    }
}

impl SeriesSet {
    /// All series. `tags` are all that there are, for the prefix of one that is found.
    ///
    /// # Errors
    /// [`SeveralSeries`] if the tags fit several.
    pub fn all(&self, tags: &[TagName]) -> Result<Vec<Series>, SeveralSeries> {
        match self {
            Self::Declared(series) => Ok(series.clone()),
            Self::Found { scheme, paths } => {
                let prefix = self.found_prefix(tags)?.unwrap_or(DEFAULT_PREFIX).to_owned();
                let (scheme, paths) = (scheme.clone(), paths.clone());
                Ok(vec![Series { prefix, scheme, package: None, paths }])
            }
        }
    }

    /// The series of which some tags may be versions; `all` are all tags that there are. If they are versions of
    /// nothing, which of several series is meant does not matter.
    ///
    /// # Errors
    /// [`SeveralSeries`] if `all` fit several, and one of the tags is of those.
    pub(crate) fn for_versions(
        &self,
        tags: &[TagName],
        all: &[TagName],
    ) -> Result<Vec<Series>, SeveralSeries> {
        let is_of = |several: &SeveralSeries, tag: &TagName| {
            self.split(tag).is_some_and(|written| several.has(written.prefix))
        };
        match self.all(all) {
            Err(several) if !tags.iter().any(|tag| is_of(&several, tag)) => Ok(Vec::new()),
            found => found,
        }
    }

    /// The declared series that a tag is a version of. One prefix may be the beginning of another, and a
    /// tag may fit both: the longer one is meant.
    pub fn series_of(&self, tag: &TagName) -> Option<&Series> {
        let Self::Declared(series) = self else { return None };
        let fitting = series.iter().filter(|one| one.version_of(tag).is_some());
        fitting.max_by_key(|one| one.prefix.len())
    }

    /// What stands before the versions of each series; none if nothing is declared and no tag is a version.
    /// `tags` are all that there are.
    ///
    /// # Errors
    /// [`SeveralSeries`] if the tags fit several.
    pub fn prefixes(&self, tags: &[TagName]) -> Result<Vec<String>, SeveralSeries> {
        Ok(match self {
            Self::Declared(series) => series.iter().map(|one| one.prefix.clone()).collect(),
            Self::Found { .. } => self.found_prefix(tags)?.map(str::to_owned).into_iter().collect(),
        })
    }

    /// Refuses a tag that nobody named and that is a version of no series: the pin of a mainline branch goes by
    /// the same. `prefixes` are those of the series; where there is none, nothing else could be meant.
    ///
    /// # Errors
    /// [`ReferenceError::NoSeries`]
    pub fn refuse_outside(&self, tag: &TagName, prefixes: &[String]) -> Result<(), ReferenceError> {
        let own = self.split(tag).map(|written| written.prefix);
        if prefixes.is_empty() || prefixes.iter().any(|prefix| own == Some(prefix.as_str())) {
            return Ok(());
        }
        Err(ReferenceError::NoSeries { tag: tag.clone(), prefixes: prefixes.to_vec() })
    }

    /// Refuses paths that nothing in a commit has, of whichever series: most likely one is misspelt, and no
    /// commit would ever count. So it is with a symbolic link, whose own text is all that changes there. Only globs cost more than a look at single directories.
    ///
    /// # Errors
    /// [`TagError::NoFiles`]; or if the commit can't be read.
    pub fn check_paths(&self, repository: &Repository, commit: &CommitId) -> Result<(), TagError> {
        let paths: Vec<(Option<&String>, &[String])> = match self {
            Self::Declared(all) => {
                all.iter().map(|one| (one.package.as_ref(), one.paths.as_slice())).collect()
            }
            Self::Found { paths, .. } => vec![(None, paths.as_slice())],
        };
        let read: Vec<SeriesPaths> =
            paths.iter().map(|(_, paths)| SeriesPaths::new(paths)).collect();
        let Some(problem) = repository.unusable_path(commit, &read)? else { return Ok(()) };
        let package = paths.get(problem.owner).and_then(|(package, _)| package.cloned());
        let (path, leads_to) = (problem.path, problem.leads_to);
        Err(TagError::NoFiles { path, leads_to, package, commit: commit.clone() })
    }

    /// Whether packages have series of their own.
    pub fn has_packages(&self) -> bool {
        self.declared().iter().any(|series| series.package.is_some())
    }

    /// The package that names a file most closely.
    pub fn package_of(&self, file: &str) -> Option<&str> {
        let packages = self.declared().iter().filter_map(|series| {
            let closeness = SeriesPaths::new(&series.paths).closeness(file)?;
            Some((closeness, series.package.as_deref()?))
        });
        // Of equals the first, as for what is registered at the tag of one.
        packages
            .reduce(|best, next| if next.0 > best.0 { next } else { best })
            .map(|(_, name)| name)
    }

    /// The series that are declared.
    pub(super) fn declared(&self) -> &[Series] {
        match self {
            Self::Declared(series) => series,
            Self::Found { .. } => &[],
        }
    }

    /// The series of the packages that have tags of their own beside this one of the repository as a whole.
    /// Such a tag stands for the rest.
    pub fn packages_beside(&self, tag: &TagName) -> Vec<Series> {
        let is_of_whole = self.series_of(tag).is_some_and(|series| series.package.is_none());
        match self {
            Self::Declared(series) if is_of_whole => {
                series.iter().filter(|one| one.package.is_some()).cloned().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The version that a tag is of a series.
    pub fn version_of(&self, series: &Series, tag: &TagName) -> Option<Version> {
        let split = self.split(tag).filter(|split| split.prefix == series.prefix)?;
        Some(split.version)
    }

    /// Compares a tag with another one.
    pub fn order(&self, one: &TagName, other: &TagName) -> TagOrder {
        // What is registered may be of a series that the settings no longer name.
        let written = |tag| self.split(tag).or_else(|| version_in(tag.as_str(), Version::parse));
        match (written(one), written(other)) {
            (_, None) => TagOrder::Unknown,
            (None, Some(_)) => TagOrder::NoVersion,
            (Some(one), Some(other)) if self.are_of_one_series(&one, &other) => {
                TagOrder::Versions(one.version.rank(&other.version))
            }
            (Some(_), Some(_)) => TagOrder::OtherSeries,
        }
    }

    /// Whether two versions can be compared: they have one prefix. Where nothing declares which prefix the series
    /// has, `1.0.0`, `v1.0.0` and `release-1.0.0` say no more than that they are versions, so that they are taken for
    /// one series; a date and a version are not.
    fn are_of_one_series(&self, one: &WrittenVersion<'_>, other: &WrittenVersion<'_>) -> bool {
        let is_plain = |written: &WrittenVersion<'_>| is_of_versions(written.prefix);
        let is_dated = |written: &WrittenVersion<'_>| is_date(written.version.numbers());
        let are_alike = || is_plain(one) && is_plain(other) && is_dated(one) == is_dated(other);
        one.prefix == other.prefix || (matches!(self, Self::Found { .. }) && are_alike())
    }

    /// The highest of some tags in each series, in the order of the series. A tag of none of them has no
    /// part in it.
    pub fn highest_of_each<'s, 't>(
        &self,
        series: &'s [Series],
        tags: &'t [TagName],
    ) -> Vec<(&'s Series, &'t TagName)> {
        let highest = series.iter().filter_map(|one| {
            let versions = tags.iter().filter_map(|tag| Some((self.version_of(one, tag)?, tag)));
            // Two texts may be one version (`v1.10` and `v1.10.0`): by name, so that all agree.
            let order = |(one, a): &(Version, &TagName), (other, b): &(Version, &TagName)| {
                one.rank(other).then_with(|| a.as_str().cmp(b.as_str()))
            };
            versions.max_by(order).map(|(_, tag)| (one, tag))
        });
        highest.collect()
    }

    /// Whether a tag looks like a version of one of the series.
    pub(crate) fn may_have(&self, tag: &TagName) -> bool {
        self.split(tag).is_some()
    }

    /// The tag that has the version of another one, written in whichever way: `v1.1.0` for `v1.1`.
    pub(crate) fn of_same_version<'t>(
        &self,
        tag: &TagName,
        others: &'t [TagName],
    ) -> Option<&'t TagName> {
        let own = self.split(tag);
        let is_same = |other: &&TagName| {
            let both = own.as_ref().zip(self.split(other));
            both.is_some_and(|(own, other)| {
                self.are_of_one_series(own, &other)
                    && own.version.precedence(&other.version).is_eq()
            })
        };
        others.iter().find(|other| *other == tag).or_else(|| others.iter().find(is_same))
    }

    /// Whether a tag looks like a version of none of the series whose versions the others are.
    pub(crate) fn begins_another(&self, tag: &TagName, others: &[TagName]) -> bool {
        let Ok(all) = self.all(others) else { return false };
        let has = |tag: &TagName| all.iter().any(|one| self.version_of(one, tag).is_some());
        lookalike(tag.as_str(), None).is_some() && !has(tag) && others.iter().any(has)
    }

    /// A version as the other tags of the repository are written: `v1.0.1` for `1.0.1` where they begin with
    /// `v`, and the other way round; any other name as it is.
    pub(crate) fn written_alike(&self, tag: &TagName, others: &[TagName]) -> TagName {
        let alike = || {
            let series = self.all(others).ok()?;
            let [one] = series.as_slice() else { return None };
            if self.split(tag).is_some_and(|split| split.prefix == one.prefix) {
                return None;
            }
            // Another series' tag is none of this one that was written wrongly.
            let read = |text: &str| one.scheme.read(text).filter(|version| one.can_follow(version));
            let written = version_in(tag.as_str(), read)?;
            let is_slip = ["", "v", "V"].contains(&written.prefix);
            let is_used = others.iter().any(|other| self.version_of(one, other).is_some());
            (is_slip && is_used).then(|| one.tag_of(&written.version)).flatten()
        };
        alike().unwrap_or_else(|| tag.clone())
    }

    /// The prefix and the version in the name of a tag of these series.
    pub(super) fn split<'t>(&self, tag: &'t TagName) -> Option<WrittenVersion<'t>> {
        match self {
            Self::Found { scheme, .. } => version_in(tag.as_str(), |text| scheme.read(text)),
            Self::Declared(_) => {
                let series = self.series_of(tag)?;
                let (prefix, _) = tag.as_str().split_at_checked(series.prefix.len())?;
                Some(WrittenVersion { prefix, version: series.version_of(tag)? })
            }
        }
    }

    /// The one prefix of the tags that are versions.
    fn found_prefix<'t>(&self, tags: &'t [TagName]) -> Result<Option<&'t str>, SeveralSeries> {
        found_prefix(tags.iter().filter_map(|tag| Some((self.split(tag)?, tag))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tagging::{CalendarFormat, SeriesTags};
    use crate::{PeeledTag, RemoteTags};

    fn tag(name: &str) -> TagName {
        name.parse().unwrap()
    }

    fn tags(names: &[&str]) -> Vec<TagName> {
        names.iter().map(|name| tag(name)).collect()
    }

    fn series(prefix: &str) -> Series {
        let package = prefix.split_once('/').map(|(package, _)| package.to_owned());
        Series { prefix: prefix.to_owned(), scheme: Scheme::default(), package, paths: Vec::new() }
    }

    fn calendar(format: &str) -> Scheme {
        Scheme::Calendar(format.parse::<CalendarFormat>().unwrap())
    }

    fn pins(set: &SeriesSet, names: &[&str]) -> Vec<String> {
        let tags = tags(names);
        let all = set.all(&tags).unwrap();
        set.highest_of_each(&all, &tags).into_iter().map(|(_, tag)| tag.to_string()).collect()
    }

    #[test]
    fn the_prefix_is_that_of_the_tags_that_are_there() {
        for (names, expected) in [
            (&[][..], "v"),
            (&["latest", "nightly"], "v"),
            (&["v1.0.0", "latest"], "v"),
            (&["1.0.0"], ""),
            (&["2026.01.9", "2026.01.10"], ""),
            (&["release-1.9.0", "build-12", "build-13"], "release-"),
            // What programs count is no version, with nothing beside it either.
            (&["build-12", "nightly-2026.01.10"], "v"),
            (&["v1.0.0", "deploy-2026-01-10", "build-12"], "v"),
            // Names of products have the same words.
            (&["data-pipeline-v1.4.2", "build-12"], "data-pipeline-v"),
            (&["etl-pipeline/v1.4.2"], "etl-pipeline/v"),
            (&["pipeline-v1"], "pipeline-v"),
            (&["deployment-1.4.2"], "deployment-"),
            (&["daily-report-1.4.2", "nightly-2026.01.10"], "daily-report-"),
            (&["releases/v1.0.0", "etl/v2.0.0"], "releases/v"),
            (&["v1.0.0", "etl/v2.0.0", "ml/v1.0.0"], "v"),
            (&["etl/v2.0.0"], "etl/v"),
            (&["v1", "v2"], "v"),
            (&["etl2-v1.0.0"], "etl2-v"),
            // What stands behind another word is a version of that.
            (&["v1.4.2", "schema-1.2"], "v"),
            (&["v1.4.2", "py3.11", "prod-2026-01-10"], "v"),
            (&["1.4.2", "prod-2026-01-10", "prod-2026-02-10"], ""),
            (&["flows-1.4.2", "schema-1.2", "prod-2026-01-10"], "flows-"),
            (&["v1.3", "v1.4", "schema-1.1", "schema-1.2"], "v"),
            (&["v3", "prod-2026-01-10"], "v"),
            (&["schema-1.2", "prod-2026-01-10", "prod-2026-02-10"], "schema-"),
            // A number alone may count anything behind a word that is none for versions.
            (&["sprint-42"], "v"),
            (&["sprint-1", "stage-2", "DATA-12", "pr-17", "python3", "etl/7"], "v"),
            (&["sprint-42", "release-7"], "release-"),
            (&["sprint-42", "7"], ""),
            (&["sprint-42", "etl/v2"], "etl/v"),
            // Where nothing else is there, it is that of the repository.
            (&["schema-1.2"], "schema-"),
            (&["prod-2026-01-10", "latest"], "prod-"),
        ] {
            let found = SeriesSet::default().all(&tags(names)).unwrap();
            assert_eq!(found[0].prefix, expected, "{names:?}");
        }
    }

    #[test]
    fn two_prefixes_that_fit_are_an_error() {
        for names in [
            &["v1.0.0", "1.0.0"][..],
            &["v1.0.0", "V1.4"],
            &["v1.0.0", "release-1.10.0"],
            &["etl/v1.0.0", "ml/v1.0.0"],
            &["v1.0.0", "releases/v1.1.0"],
            &["v2", "release-3"],
            &["v1.0.0", "build-1.2.3"],
            &["v1.4.2", "flows-1.4.2"],
            &["v1.4.2", "pipeline-v1.4"],
            &["schema-1.2", "flows-1.4"],
            // An old tag beside those of today.
            &["v0.1", "flows-1.4", "flows-1.4-rc.1"],
            &["v2", "schema-1.2"],
        ] {
            let error = SeriesSet::default().all(&tags(names)).unwrap_err();
            for name in names {
                assert!(error.to_string().contains(name), "{error}");
            }
        }
    }

    #[test]
    fn the_highest_version_of_a_series_pins_and_nothing_else_does() {
        let found = SeriesSet::default();
        for (names, expected) in [
            (&["release-1.9.0", "release-1.10.0"][..], &["release-1.10.0"][..]),
            (&["2026.01.9", "2026.01.10"], &["2026.01.10"]),
            (&["v1.9", "v1.10"], &["v1.10"]),
            (&["v1.9.0", "v1.10.0", "v1.10.0-rc.1"], &["v1.10.0"]),
            (&["zeta", "0.0.1"], &["0.0.1"]),
            (&["latest", "nightly"], &[]),
        ] {
            assert_eq!(pins(&found, names), expected, "{names:?}");
        }
        let packages = SeriesSet::Declared(vec![series("v"), series("etl/v"), series("etl/v2-")]);
        let names = ["latest", "docs-9.0.0", "v1.2.0", "etl/v1.9.0", "etl/v1.10.0", "etl/v2-1.0.0"];
        assert_eq!(pins(&packages, &names), ["v1.2.0", "etl/v1.10.0", "etl/v2-1.0.0"]);
        let format = calendar("YYYY.0M.MICRO");
        let dated = SeriesSet::Declared(vec![Series { scheme: format, ..series("") }]);
        assert_eq!(pins(&dated, &["2026.01.9", "2026.01.10", "2026.1.11"]), ["2026.01.10"]);
    }

    #[test]
    fn tags_are_compared_within_a_series() {
        use std::cmp::Ordering::{Equal, Greater, Less};
        let set = SeriesSet::Declared(vec![series("v"), series("etl2-v"), series("k8s-")]);
        for (one, other, expected) in [
            ("v1.9.0", "v1.10.0", TagOrder::Versions(Less)),
            ("v1.10", "v1.9.9", TagOrder::Versions(Greater)),
            ("v1.10", "v1.10.0", TagOrder::Versions(Equal)),
            ("etl2-v1.9.0", "etl2-v1.10.0", TagOrder::Versions(Less)),
            ("k8s-1.10.0", "k8s-1.9.0", TagOrder::Versions(Greater)),
            ("k8s-1.10.0", "etl2-v1.9.0", TagOrder::OtherSeries),
            // Of no declared series, and yet of one.
            ("old-1.9.0", "old-1.10.0", TagOrder::Versions(Less)),
            ("release", "v1.0.0", TagOrder::NoVersion),
            ("v1.0.0", "release", TagOrder::Unknown),
            ("release", "nightly", TagOrder::Unknown),
        ] {
            assert_eq!(set.order(&tag(one), &tag(other)), expected, "{one} {other}");
        }
    }

    #[test]
    fn where_nothing_is_declared_the_words_for_versions_are_one_series() {
        use std::cmp::Ordering::{Greater, Less};
        let set = SeriesSet::default();
        for (one, other, expected) in [
            ("1.0.0", "v2.0.0", TagOrder::Versions(Less)),
            ("release-1.10.0", "v1.9.0", TagOrder::Versions(Greater)),
            ("v1.0.0+9", "v1.0.0+10", TagOrder::Versions(Less)),
            ("2026.01.10", "v2.0.0", TagOrder::OtherSeries),
            ("flows-1.0.0", "v2.0.0", TagOrder::OtherSeries),
            ("etl/v1.0.0", "v2.0.0", TagOrder::OtherSeries),
        ] {
            assert_eq!(set.order(&tag(one), &tag(other)), expected, "{one} {other}");
        }
        let declared = SeriesSet::Declared(vec![series("v"), series("")]);
        assert_eq!(declared.order(&tag("1.0.0"), &tag("v2.0.0")), TagOrder::OtherSeries);
    }

    #[test]
    fn a_version_is_proposed_as_the_others_are_written() {
        for (name, others, expected) in [
            ("1.0.1", &["v1.0.0"][..], "v1.0.1"),
            ("v1.0.1", &["1.0.0"], "1.0.1"),
            ("1.0.1", &["release-1.0.0"], "release-1.0.1"),
            ("v1.0.1", &["v1.0.0"], "v1.0.1"),
            ("nightly", &["v1.0.0"], "nightly"),
            ("docs-1.0.0", &["v1.0.0"], "docs-1.0.0"),
            ("1.0.1", &[], "1.0.1"),
            ("1.1", &["v1.0.0"], "v1.1"),
            ("20260110", &["v1.0.0"], "20260110"),
        ] {
            let alike = SeriesSet::default().written_alike(&tag(name), &tags(others));
            assert_eq!(alike.as_str(), expected, "{name} {others:?}");
        }
    }

    #[test]
    fn one_version_is_one_tag_and_none_begins_another_series() {
        let set = SeriesSet::default();
        for (name, others, expected) in [
            ("v1.1", &["v1.0.0", "v1.1.0"][..], Some("v1.1.0")),
            ("v1.1.0+7", &["v1.1.0"], Some("v1.1.0")),
            ("v1.1.0-rc.1", &["v1.1.0"], None),
            ("1.1", &["v1.1.0"], Some("v1.1.0")),
            ("1.10.0", &["v1.0.0", "release-1.10.0"], Some("release-1.10.0")),
            ("1.1", &["etl/v1.1.0", "flows-1.1"], None),
            ("nightly", &["v1.1.0", "nightly"], Some("nightly")),
            ("latest", &["v1.1.0", "nightly"], None),
        ] {
            let others = tags(others);
            let found = set.of_same_version(&tag(name), &others);
            assert_eq!(found.map(TagName::as_str), expected, "{name} {others:?}");
        }
        for (name, others, expected) in [
            ("release-1.1.0", &["v1.0.0"][..], true),
            ("2026.01.10", &["v1.0.0"], true),
            ("v1.1.0", &["v1.0.0"], false),
            ("v0.9", &["v1.0.0"], false),
            ("nightly", &["v1.0.0"], false),
            ("build-12", &["v1.0.0"], false),
            ("release-1.1.0", &["nightly"], false),
            ("release-1.1.0", &[], false),
        ] {
            assert_eq!(set.begins_another(&tag(name), &tags(others)), expected, "{name}");
        }
        let packages = SeriesSet::Declared(vec![series("v"), series("etl/v")]);
        assert!(!packages.begins_another(&tag("etl/v1.0.0"), &tags(&["v1.0.0"])));
        assert!(packages.begins_another(&tag("1.0.0"), &tags(&["v1.0.0"])));
    }

    #[test]
    fn a_tag_that_nobody_named_has_to_be_of_a_series() {
        let is_refused = |set: &SeriesSet, name: &str, others: &[&str]| {
            let prefixes = set.prefixes(&tags(&[others, &[name]].concat())).unwrap();
            set.refuse_outside(&tag(name), &prefixes).is_err()
        };
        for (name, others, expected) in [
            ("v1.1.0", &["v1.0.0", "latest"][..], false),
            ("v1.0.0", &[], false),
            ("release-1", &["v1.0.0"], true),
            ("other-v9", &["v1.0.0"], true),
            ("etl/v1.0.0", &["v1.0.0"], true),
            ("nightly", &["v1.0.0"], true),
            ("build-12", &["v1.0.0"], true),
            ("stable", &["latest", "build-12"], false),
        ] {
            assert_eq!(is_refused(&SeriesSet::default(), name, others), expected, "{name}");
        }
        let declared = SeriesSet::Declared(vec![series("v"), series("etl/v")]);
        for (name, expected) in [("v1.0.0", false), ("etl/v1.0.0", false), ("1.4.2", true)] {
            assert_eq!(is_refused(&declared, name, &["1.4.1"]), expected, "{name}");
        }
        SeriesSet::default().prefixes(&tags(&["v1.0.0", "1.4.2", "nightly"])).unwrap_err();
    }

    fn tag_names() -> impl Strategy<Value = Vec<TagName>> {
        let prefix = "(|v|V|release-|etl/v|etl-v|etl2-v|k8s-|py3\\.11-v)";
        let version = prop_oneof![
            4 => "[0-9]{1,2}\\.[0-9]{1,2}\\.[0-9]{1,2}(-rc\\.[0-9]{1,2}|-beta|)",
            1 => "[0-9]{1,2}(\\.[0-9]{1,2}){0,3}",
            1 => "20[0-9]{2}[.-](0[1-9]|1[0-2])[.-][0-9]{1,2}",
            1 => "[0-9]\\.0\\.0\\+[0-9]{1,2}",
            1 => "(latest|nightly|x[0-9])",
        ];
        let name = (prefix, version).prop_map(|(prefix, version)| format!("{prefix}{version}"));
        prop::collection::vec(name, 0..12)
            .prop_map(|names| names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    fn sets() -> impl Strategy<Value = SeriesSet> {
        let declared =
            prop::sample::subsequence(vec!["v", "", "release-", "etl/v", "etl2-v", "k8s-"], 1..4);
        let scheme = prop_oneof![Just(Scheme::default()), Just(calendar("YYYY.0M.MICRO"))];
        (declared, scheme, prop::bool::ANY).prop_map(|(prefixes, scheme, is_found)| {
            if is_found {
                return SeriesSet::Found { scheme, paths: Vec::new() };
            }
            let declared = prefixes.into_iter().map(series);
            SeriesSet::Declared(
                declared.map(|one| Series { scheme: scheme.clone(), ..one }).collect(),
            )
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2048))]

        #[test]
        fn the_pin_the_guard_and_the_next_version_go_by_one_version(
            tags in tag_names(), set in sets(),
        ) {
            let Ok(all) = set.all(&tags) else { return Ok(()) };
            let listed = RemoteTags {
                tags: tags.iter().map(|name| {
                    let id: CommitId = "1".repeat(40).parse().unwrap();
                    PeeledTag { name: name.clone(), object: id.clone(), commit: id }
                }).collect(),
                branches: Vec::new(),
            };
            let pins = set.highest_of_each(&all, &tags);
            for one in &all {
                let pin = pins.iter().find(|(series, _)| *series == one).map(|(_, tag)| *tag);
                let from = SeriesTags::new(listed.clone(), &set, one);
                let start = from.tags.first().map(|(version, _)| version.clone());
                let pinned = pin.and_then(|tag| set.version_of(one, tag));
                prop_assert_eq!(start.is_some(), pinned.is_some());
                let (Some(pin), Some(start), Some(pinned)) = (pin, start, pinned) else { continue };
                prop_assert_eq!(&start, &pinned);
                for tag in tags.iter().filter(|tag| set.version_of(one, tag).is_some()) {
                    let order = set.order(pin, tag);
                    prop_assert!(
                        matches!(order, TagOrder::Versions(Ordering::Equal | Ordering::Greater)),
                        "{pin} {tag} {order:?}"
                    );
                }
            }
        }
    }
}
