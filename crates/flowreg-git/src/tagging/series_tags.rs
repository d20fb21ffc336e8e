//! The tags of a series at one moment.

use super::series::Series;
use super::set::SeriesSet;
use super::version::Version;
use crate::{PeeledTag, RemoteTags};
use flowreg_model::{BranchName, CommitId, TagName, escaped};

/// The tags of a series at one moment, the highest version first, and the remote's branches.
#[derive(Debug, Clone, Default)]
pub struct SeriesTags {
    pub(super) tags: Vec<(Version, PeeledTag)>,
    /// The remote's branches; none if the remote was not asked.
    pub branches: Vec<(BranchName, CommitId)>,
    /// The highest version that is written in another way than this series.
    pub(super) written_otherwise: Option<WrittenOtherwise>,
}

/// A tag that looks like a version of the same thing, and is none of the series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenOtherwise {
    /// The tag.
    pub tag: TagName,
    /// What stands before its version.
    pub prefix: String,
    /// The prefix of the series.
    pub series: String,
    /// The package of the series.
    pub package: Option<String>,
    /// The tag of the version after it, as the series writes it; `None` if it can't be counted up.
    pub next: Option<TagName>,
}

impl WrittenOtherwise {
    /// Both ways out: to go on with the series that is there, or to begin the new one on purpose.
    pub(super) fn hints(&self) -> Vec<String> {
        let table = match &self.package {
            Some(name) => format!("[tag.package.{name}]"),
            None => "[tag]".to_owned(),
        };
        let prefix = escaped(&self.prefix);
        let first = self.next.as_ref().map_or_else(
            || format!("{}<version>", escaped(&self.series)),
            |next| escaped(next.as_str()),
        );
        vec![
            format!(
                "to go on after {}: flowreg.toml: {table} prefix = \"{prefix}\"",
                escaped(&self.tag)
            ),
            format!("to begin a series of its own: flowreg tag {first}"),
        ]
    }
}

impl SeriesTags {
    /// The tags of one of the series of a repository, of all that there are.
    pub fn new(listed: RemoteTags, set: &SeriesSet, series: &Series) -> Self {
        let names: Vec<TagName> = listed.tags.iter().map(|tag| tag.name.clone()).collect();
        let written_otherwise = written_otherwise(set, series, &names);
        let versions = listed.tags.into_iter();
        let versions = versions.filter_map(|tag| Some((set.version_of(series, &tag.name)?, tag)));
        let mut tags: Vec<_> = versions.collect();
        // Versions that differ in build metadata alone have no order of their own; by name, so that
        // two runs decide alike.
        tags.sort_by(|(one, a), (other, b)| {
            other.precedence(one).then_with(|| b.name.cmp(&a.name))
        });
        Self { tags, branches: listed.branches, written_otherwise }
    }

    /// The tags with their versions, the highest first.
    pub fn iter(&self) -> impl Iterator<Item = &(Version, PeeledTag)> {
        self.tags.iter()
    }

    /// The tag that has a version, whatever its build metadata.
    pub(super) fn tag_of(&self, version: &Version) -> Option<&PeeledTag> {
        let found = self.tags.iter().find(|(held, _)| held.precedence(version).is_eq());
        found.map(|(_, tag)| tag)
    }
}

/// The highest tag that looks like a version of what the series is about: with the package's name before it,
/// or of the repository as a whole.
pub(super) fn written_otherwise(
    set: &SeriesSet,
    series: &Series,
    tags: &[TagName],
) -> Option<WrittenOtherwise> {
    let is_alike = |prefix: &str| match &series.package {
        Some(package) => prefix.to_lowercase().contains(&package.to_lowercase()),
        None => !prefix.contains('/'),
    };
    let others = set.others(series, tags).into_iter();
    let alike = others.filter(|(written, _)| is_alike(written.prefix));
    let (written, tag) =
        alike.max_by(|(one, _), (other, _)| one.version.precedence(&other.version))?;
    Some(WrittenOtherwise {
        tag: tag.clone(),
        prefix: written.prefix.to_owned(),
        series: series.prefix.clone(),
        package: series.package.clone(),
        next: series.after(&written.version),
    })
}
