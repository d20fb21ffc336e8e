//! Which of several tags has to be registered: the highest of each series. The others would be refused
//! as downgrades after it, and be overwritten before it.

use std::cmp::Ordering;

use flowreg_git::tagging::{SeriesSet, TagOrder};
use flowreg_model::TagName;

/// Why a tag is not registered that landed together with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outdone<'t> {
    /// This one of its series is higher.
    By(&'t TagName),
    /// It is no version, and this one is.
    NoVersionBeside(&'t TagName),
}

impl Outdone<'_> {
    /// The reason in words, about a tag.
    pub(super) fn reason(self, tag: &TagName) -> String {
        match self {
            Self::By(other) => format!("{other} landed as well, and is higher"),
            Self::NoVersionBeside(other) => {
                format!("{tag} is a version of no series, and {other} landed with it")
            }
        }
    }
}

/// For each of some tags why it is not registered; `None` for those that are to be. A tag that is no version
/// counts only where there is no version.
pub(super) fn outdone<'t>(series: &SeriesSet, tags: &[&'t TagName]) -> Vec<Option<Outdone<'t>>> {
    // One for each series, as a push of thousands of tags has few series.
    let mut highest: Vec<&TagName> = Vec::new();
    for tag in tags.iter().filter(|tag| is_version(series, tag)) {
        match highest.iter_mut().find(|other| is_alike(series, tag, other)) {
            Some(other) if is_higher(series, tag, other) => *other = tag,
            Some(_) => {}
            None => highest.push(tag),
        }
    }
    let instead = |tag: &&'t TagName| {
        let same = highest.iter().find(|other| is_alike(series, tag, other));
        if is_version(series, tag) {
            same.copied().filter(|other| other != tag).map(Outdone::By)
        } else {
            highest.first().copied().map(Outdone::NoVersionBeside)
        }
    };
    tags.iter().map(instead).collect()
}

/// Whether a tag is a version of anything: then it compares with itself.
fn is_version(series: &SeriesSet, tag: &TagName) -> bool {
    is_alike(series, tag, tag)
}

fn is_alike(series: &SeriesSet, tag: &TagName, other: &TagName) -> bool {
    matches!(series.order(tag, other), TagOrder::Versions(_))
}

/// Two texts may be one version (`v1.10` and `v1.10.0`): then the name decides, as for the pin.
fn is_higher(series: &SeriesSet, tag: &TagName, other: &TagName) -> bool {
    match series.order(tag, other) {
        TagOrder::Versions(Ordering::Greater) => true,
        TagOrder::Versions(Ordering::Equal) => tag.as_str() > other.as_str(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_of_each_series_is_left() {
        for (tags, left) in [
            (&["v1.0.0", "v1.10.0", "v1.9.0"][..], &["v1.10.0"][..]),
            (&["etl/v1.0.0", "ml/v2.0.0", "etl/v1.0.1"], &["etl/v1.0.1", "ml/v2.0.0"]),
            (&["v1.0.0", "latest", "nightly"], &["v1.0.0"]),
            (&["latest", "nightly"], &["latest", "nightly"]),
            (&["v2.0.0-rc.1", "v1.9.0"], &["v2.0.0-rc.1"]),
            (&["v1.10", "v1.10.0"], &["v1.10.0"]),
            (&[], &[]),
        ] {
            let tags: Vec<TagName> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            let tags: Vec<&TagName> = tags.iter().collect();
            let outdone = outdone(&SeriesSet::default(), &tags);
            let mut found: Vec<&str> = tags
                .iter()
                .zip(outdone)
                .filter(|(_, other)| other.is_none())
                .map(|(tag, _)| tag.as_str())
                .collect();
            found.sort_unstable();
            assert_eq!(found, left);
        }
    }
}
