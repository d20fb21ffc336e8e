//! The tags of a series at one moment.

use super::lookalike::{Lookalike, counts_something_else, is_of_versions, lookalike, says_version};
use super::series::{Scheme, Series};
use super::set::SeriesSet;
use super::toml_string::toml_string;
use super::version::Version;
use super::written::version_in;
use crate::{GitError, PeeledTag, RemoteTags, Repository};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName, escaped, quoted};

/// The tags of a series at one moment, the highest version first, and the remote's branches.
#[derive(Debug, Clone, Default)]
pub struct SeriesTags {
    pub(super) tags: Vec<(Version, PeeledTag)>,
    /// The remote's branches; none if the remote was not asked.
    pub branches: Vec<(BranchName, CommitId)>,
    /// The highest version that is written in another way than this series.
    pub(super) written_otherwise: Option<WrittenOtherwise>,
    /// Those that would be versions of the series, if their numbers were not too large.
    too_large: Vec<TagName>,
}

/// A tag that looks like a version of the same thing, and is none of the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOtherwise {
    /// The tag.
    pub tag: TagName,
    /// The series of which it is the highest version; `None` if there can't be one.
    pub own_series: Option<Series>,
    /// The prefix of the series.
    pub series: String,
    /// Whether its versions are dates.
    pub is_calendar: bool,
    /// The package of the series.
    pub package: Option<String>,
    /// The first tag of the series that is above it; `None` if that does not follow from the tag.
    pub first: Option<TagName>,
}

impl WrittenOtherwise {
    /// Both ways out: to go on with the series that is there, or to begin the new one on purpose.
    pub(super) fn hints(&self) -> Vec<String> {
        let tag = escaped(&self.tag);
        let mut hints = match &self.own_series {
            Some(series) => {
                let table = match &self.package {
                    Some(name) => format!("[tag.package.{name}]"),
                    None => "[tag]".to_owned(),
                };
                let mut lines = vec![
                    format!("to go on after {tag}, in flowreg.toml under {table}:"),
                    format!("prefix = {}", toml_string(&series.prefix)),
                ];
                match &series.scheme {
                    Scheme::Calendar(format) => lines.extend([
                        "scheme = \"calver\"".to_owned(),
                        format!("format = \"{format}\""),
                    ]),
                    // Only where the settings say otherwise.
                    Scheme::Semantic { .. } if self.is_calendar => {
                        lines.push("scheme = \"semver\"".to_owned());
                    }
                    Scheme::Semantic { .. } => {}
                }
                lines
            }
            None => vec![format!(
                "no series goes on after {tag}: a version is a prefix, then numbers with points or a date"
            )],
        };
        let first = self.first.as_ref().map(|first| quoted(&escaped(first)).into_owned());
        hints.extend(
            first.map(|first| format!("to begin a series of its own: flowreg tag … {first}")),
        );
        hints
    }
}

/// What to say of a version that only this repository has: neither is a branch pinned to it, nor does the next one
/// go on from it.
pub fn unpushed(tag: &TagName, remote: &RemoteName) -> String {
    let (name, full) = (escaped(tag), format!("refs/tags/{tag}"));
    format!(
        "{name} is only in this repository, so it does not count; to make it count: git push {remote} {}",
        quoted(&escaped(full))
    )
}

impl SeriesTags {
    /// The tags of one of the series of a repository, of all that there are.
    pub fn new(listed: RemoteTags, set: &SeriesSet, series: &Series) -> Self {
        let names: Vec<TagName> = listed.tags.iter().map(|tag| tag.name.clone()).collect();
        let written_otherwise = written_otherwise(set, series, &names);
        let too_large = names.into_iter().filter(|tag| is_too_large(set, series, tag)).collect();
        let versions = listed.tags.into_iter();
        let versions = versions.filter_map(|tag| Some((set.version_of(series, &tag.name)?, tag)));
        let mut tags: Vec<_> = versions.collect();
        // Two texts may be one version (`v1.10` and `v1.10.0`): by name, so that two runs decide alike.
        tags.sort_by(|(one, a), (other, b)| other.rank(one).then_with(|| b.name.cmp(&a.name)));
        Self { tags, branches: listed.branches, written_otherwise, too_large }
    }

    /// What to say of the tags whose numbers are too large to be counted.
    pub fn notice_of_too_large(&self) -> Option<String> {
        let names: Vec<_> = self.too_large.iter().map(escaped).collect();
        let (count, have) =
            if names.len() == 1 { ("counts", "it has") } else { ("count", "they have") };
        let text = || {
            let names = names.join(", ");
            format!("{names} {count} as no version, as {have} a number above {}", u64::MAX)
        };
        (!names.is_empty()).then(text)
    }

    /// The tags with their versions, the highest first.
    pub fn iter(&self) -> impl Iterator<Item = &(Version, PeeledTag)> {
        self.tags.iter()
    }

    /// What to say where a version is made beside a tag that looks like one of another series, and nothing declares
    /// which tags are the repository's.
    pub fn notice_of_left_out(&self, set: &SeriesSet) -> Option<String> {
        let other = self.written_otherwise.as_ref().filter(|_| !self.tags.is_empty())?;
        matches!(set, SeriesSet::Found { .. }).then(|| {
            let tag = escaped(&other.tag);
            format!(
                "{tag} does not count as a version of this repository; [tag] prefix in flowreg.toml says which tags do"
            )
        })
    }

    /// The highest version in a commit's history that only this repository has, if it is above `counted`. `self` are
    /// the tags of the remote, `here` those of this repository.
    ///
    /// # Errors
    /// If the history can't be read.
    pub fn unpushed_above<'h>(
        &self,
        here: &'h Self,
        counted: Option<&Version>,
        (repository, commit): (&Repository, &CommitId),
    ) -> Result<Option<&'h TagName>, GitError> {
        let is_above =
            |version: &Version| counted.is_none_or(|counted| version.rank(counted).is_gt());
        let above = here.tags.iter().take_while(|(version, _)| is_above(version));
        let is_there = |name: &TagName| self.tags.iter().any(|(_, tag)| tag.name == *name);
        // To push a tag that is called like a branch would give workers two refs of one name.
        let is_branch =
            |name: &TagName| self.branches.iter().any(|(one, _)| one.as_str() == name.as_str());
        for (_, tag) in above.filter(|(_, tag)| !is_there(&tag.name) && !is_branch(&tag.name)) {
            if repository.is_ancestor(&tag.commit, commit)? {
                return Ok(Some(&tag.name));
            }
        }
        Ok(None)
    }

    /// What to type in place of a text that is no version of the series.
    pub fn hints_instead_of(&self, series: &Series, text: &str) -> Vec<String> {
        // Any version would be refused that is not given in full.
        if let Some(other) = self.written_otherwise.as_ref().filter(|_| self.tags.is_empty()) {
            return other.hints();
        }
        let written = version_in(text, |text| series.parse(text)).map(|written| written.version);
        let free = written.filter(|version| self.tag_of(version).is_none());
        let in_full = free.and_then(|version| series.tag_of(&version));
        vec![match in_full {
            Some(tag) => format!("flowreg tag … {}", quoted(tag.as_str())),
            None => "to see one: flowreg tag … without VERSION --print".to_owned(),
        }]
    }

    /// The tag that has a version, whatever its build metadata.
    pub(super) fn tag_of(&self, version: &Version) -> Option<&PeeledTag> {
        let found = self.tags.iter().find(|(held, _)| held.precedence(version).is_eq());
        found.map(|(_, tag)| tag)
    }
}

/// Whether a tag is no version of a series only because of a number that is too large.
fn is_too_large(set: &SeriesSet, series: &Series, tag: &TagName) -> bool {
    let fitting = Version::with_numbers_that_fit(tag.as_str());
    let fitting = fitting.and_then(|name| name.parse::<TagName>().ok());
    let package = series.package.as_deref();
    let would_be = |fitting: TagName| {
        set.version_of(series, &fitting).is_some() || lookalike(fitting.as_str(), package).is_some()
    };
    set.version_of(series, tag).is_none() && fitting.is_some_and(would_be)
}

/// The highest tag that looks like a version of what the series is about, and is of no series.
pub(super) fn written_otherwise(
    set: &SeriesSet,
    series: &Series,
    tags: &[TagName],
) -> Option<WrittenOtherwise> {
    let package = series.package.as_deref();
    let is_of_package = |tag: &TagName| {
        let mut packages = set.declared().iter().filter_map(|one| one.package.as_deref());
        package.is_none() && packages.any(|name| lookalike(tag.as_str(), Some(name)).is_some())
    };
    let is_other = |tag: &&TagName| {
        set.series_of(tag).is_none() && set.version_of(series, tag).is_none() && !is_of_package(tag)
    };
    let others: Vec<&TagName> = tags.iter().filter(is_other).collect();
    let alike = highest(&others, |tag| lookalike(tag.as_str(), package));
    // Where no tag is a version, numbers behind another word may well be those of the repository.
    let has_versions = || others.len() < tags.len();
    let counted = || highest(&others, |tag| single_number(set, tag));
    let (found, tag) = match alike {
        Some(alike) => alike,
        None if has_versions() => return None,
        None => counted()?,
    };
    Some(WrittenOtherwise {
        tag: tag.clone(),
        own_series: series_going_on(series, &found, tag),
        series: series.prefix.clone(),
        is_calendar: matches!(series.scheme, Scheme::Calendar(_)),
        package: series.package.clone(),
        first: first_above(series, &found),
    })
}

/// A number behind any word, where nothing is declared, unless the word says that no versions are counted.
fn single_number<'t>(set: &SeriesSet, tag: &'t TagName) -> Option<Lookalike<'t>> {
    let written = set.split(tag).filter(|_| matches!(set, SeriesSet::Found { .. }))?;
    let (prefix, numbers) = (written.prefix, written.version.numbers().to_vec());
    let is_other = counts_something_else(prefix, &written.version.to_string());
    (!is_other).then_some(Lookalike { prefix, numbers })
}

/// The tag with the highest numbers; by name, where two texts are one version: so that all agree.
fn highest<'t>(
    tags: &[&'t TagName],
    read: impl Fn(&'t TagName) -> Option<Lookalike<'t>>,
) -> Option<(Lookalike<'t>, &'t TagName)> {
    let read = tags.iter().filter_map(|tag| Some((read(tag)?, *tag)));
    read.max_by(|(one, a), (other, b)| one.numbers.cmp(&other.numbers).then(a.cmp(b)))
}

/// Formats of dates that are tags in the wild (<https://calver.org/users.html>), the narrower ones first.
const FORMATS: &[&str] = &[
    "YYYY.0M.0D",
    "YYYY.MM.DD",
    "YYYY.0M.MICRO",
    "YYYY.MM.MICRO",
    "YYYY-0M-0D",
    "YYYY-MM-DD",
    "YYYY_0M_0D",
    "YYYY.0M",
    "YYYY.MM",
    "YYYY-0M",
    "YYYY.0M.0D.MICRO",
    "YYYY.MM.DD.MICRO",
    "YYYY.MICRO",
];

/// The series that a tag is a version of, if a next one can be counted up from it.
fn series_going_on(series: &Series, found: &Lookalike<'_>, tag: &TagName) -> Option<Series> {
    let formats = FORMATS.iter().filter_map(|text| text.parse().ok()).map(Scheme::Calendar);
    let schemes = [series.scheme.clone(), Scheme::default()].into_iter().chain(formats);
    let mut fitting = schemes.map(|scheme| {
        let prefix = found.prefix.to_owned();
        Series { prefix, scheme, package: series.package.clone(), paths: series.paths.clone() }
    });
    fitting.find(|one| one.version_of(tag).is_some_and(|version| one.can_follow(&version)))
}

/// The first tag of a series that is above what is written in another way. Above a date there is no version that
/// anybody would want.
fn first_above(series: &Series, found: &Lookalike<'_>) -> Option<TagName> {
    let mut numbers = found.numbers.iter().copied().chain(std::iter::repeat(0));
    let mut number = || numbers.next().unwrap_or(0);
    let version = semver::Version::new(number(), number(), number());
    let above = || series.after(&version.into());
    // Nor is there one above what is counted, as the number of a sprint is.
    let says_so = is_of_versions(found.prefix) || says_version(found.prefix);
    let is_counted = found.numbers.len() == 1 && !says_so;
    if found.is_date() || is_counted { None } else { above() }.or_else(|| series.first())
}
