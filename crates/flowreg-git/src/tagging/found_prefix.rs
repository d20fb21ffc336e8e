//! What stands before the versions of a repository that says nothing about it: found from the tags that are
//! there, and refused where several prefixes fit.

use std::collections::BTreeMap;

use super::lookalike::{counts_something_else, is_of_part, is_of_versions, says_version};
use super::toml_string::toml_string;
use super::version::is_date;
use super::written::WrittenVersion;
use flowreg_model::{TagName, escaped};

/// Several prefixes that fit, each with a tag: nothing says which of them the versions have.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tags are versions of several series: {}", examples(.0))]
pub struct SeveralSeries(Vec<(String, TagName)>);

fn examples(series: &[(String, TagName)]) -> String {
    let examples: Vec<String> = series.iter().map(|(_, tag)| escaped(tag)).collect();
    examples.join(", ")
}

impl SeveralSeries {
    /// Whether a prefix is one of them.
    pub(super) fn has(&self, prefix: &str) -> bool {
        self.0.iter().any(|(one, _)| one == prefix)
    }

    /// What to write into `flowreg.toml`.
    pub fn hints(&self) -> Vec<String> {
        let prefix = |(prefix, tag): &(String, TagName)| {
            let (prefix, tag) = (toml_string(prefix), escaped(tag));
            format!("flowreg.toml: [tag] prefix = {prefix}, if {tag} is one of this repository's")
        };
        let packages = "flowreg.toml: a table [tag.package.NAME] for each package that has versions of \
                        its own";
        self.0.iter().map(prefix).chain([packages.to_owned()]).collect()
    }
}

/// The one prefix of the tags that are versions; none if there are no versions.
///
/// # Errors
/// [`SeveralSeries`] if nothing says which of several prefixes is meant.
pub(super) fn found_prefix<'t>(
    tags: impl Iterator<Item = (WrittenVersion<'t>, &'t TagName)>,
) -> Result<Option<&'t str>, SeveralSeries> {
    let is_version = |(written, _): &(WrittenVersion<'_>, &TagName)| {
        !counts_something_else(written.prefix, &written.version.to_string())
    };
    let versions: Vec<_> = tags.filter(is_version).collect();
    // Each decides only where there is nothing of those before it. A number alone is a version behind a word for
    // one (`etl/v2`); behind another word it may count anything (`sprint-42`, `python3`, `pr-17`).
    let ranks: [fn(&WrittenVersion<'_>) -> bool; 4] = [
        is_of_repository,
        is_usual,
        |one| one.version.numbers().len() > 1,
        |one| says_version(one.prefix) || is_of_versions(one.prefix),
    ];
    for is_meant in ranks {
        let meant = versions.iter().filter(|(written, _)| is_meant(written));
        let mut prefixes: BTreeMap<&str, &TagName> =
            meant.map(|(written, tag)| (written.prefix, *tag)).collect();
        let only = prefixes.first_key_value().filter(|_| prefixes.len() == 1);
        if let Some((prefix, _)) = only {
            prefixes.extend(outnumbering(&versions, prefix));
        }
        match prefixes.first_key_value() {
            None => {}
            Some((prefix, _)) if prefixes.len() == 1 => return Ok(Some(prefix)),
            Some(_) => {
                let named = prefixes.into_iter();
                let named = named.map(|(prefix, tag)| (prefix.to_owned(), tag.clone()));
                return Err(SeveralSeries(named.collect()));
            }
        }
    }
    Ok(None)
}

/// Whether a tag is most likely a version of the repository as a whole: no other word stands before the
/// number (`v1.4`, `release-1.10.0`), or it is written in full, with `v` or with three numbers that are no
/// date (`flows-1.4.2`, `pipeline-v1.4`).
fn is_of_repository(one: &WrittenVersion<'_>) -> bool {
    let numbers = one.version.numbers();
    let is_in_full = says_version(one.prefix) || (numbers.len() > 2 && !is_date(numbers));
    numbers.len() > 1 && !is_of_part(one.prefix) && (is_of_versions(one.prefix) || is_in_full)
}

/// Whether a tag may be one where nothing says so more clearly. Two numbers behind another word (`schema-1.2`,
/// `py3.11`) are mostly of something else. More so is a date there (`prod-2026-01-10`), what has a slash
/// (`etl/v1.0.0`), and a number alone, which may count anything (`sprint-12`), but for `v2`.
fn is_usual(one: &WrittenVersion<'_>) -> bool {
    let numbers = one.version.numbers();
    let is_counted = numbers.len() > 1 && (is_of_versions(one.prefix) || !is_date(numbers));
    (is_counted || says_version(one.prefix)) && !is_of_part(one.prefix)
}

/// The prefixes that more tags have than `prefix`, each with a tag: a word that most tags have may well be that
/// of the repository itself.
fn outnumbering<'t>(
    versions: &[(WrittenVersion<'t>, &'t TagName)],
    prefix: &str,
) -> BTreeMap<&'t str, &'t TagName> {
    let mut counts: BTreeMap<&str, (usize, &TagName)> = BTreeMap::new();
    for (written, tag) in versions {
        let is_counted = written.version.numbers().len() > 1 && is_usual(written);
        if is_counted || written.prefix == prefix {
            let (count, last) = counts.entry(written.prefix).or_insert((0, tag));
            (*count, *last) = (*count + 1, tag);
        }
    }
    let most = counts.get(prefix).map_or(0, |(count, _)| *count);
    let more = counts.into_iter().filter(|(_, (count, _))| *count > most);
    more.map(|(prefix, (_, tag))| (prefix, tag)).collect()
}
