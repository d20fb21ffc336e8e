//! Whether a tag looks like a version although no series says so.
//!
//! The one rule by which `flowreg tag` does not begin a series beside versions that are written in another
//! way, and by which a series that is found leaves out what only counts builds. What is a version of a series
//! that is known, is said in [`super::set`].
//!
//! A name is read as words, then a number: `release-`, `1.10.0`. What the words say decides:
//!
//! 1. Right before the number a word that says what is counted, none of it versions (`build-12`): no version,
//!    unless it is written like one, with points and no date (`data-pipeline-1.4.2`; not `nightly-2026.01.10`).
//! 2. No word but those for versions (`V1`, `release-7`, `releases/v1.2.3`, `stable-v3`): any number is one.
//! 3. Any other word (`flows-1.4.2`): only what is written like a version, with points, three numbers or a `v`
//!    (`pipeline-v1`), and no date; and none with a slash behind that word, which names a part of the
//!    repository (`docs/v1.0.0`).
//! 4. No word at all: any number, unless a word follows that is none of a pre-release (`77-fix-login`).
//!
//! To refuse once too often costs one command, which the refusal shows; to begin a second series by accident
//! can't be taken back.

use super::version::{Version, is_date};
use super::written::version_in;

/// Words that stand for "version".
const VERSION_WORDS: &[&str] = &[
    "v", "ver", "vers", "version", "versions", "r", "rel", "release", "released", "releases",
    "stable", "tag", "tags", "final", "ga", "lts",
];

/// Words of tags that programs make: they count or date something that is no release. Products have such words in
/// their names as well (`job-scheduler-v1.4.2`), so they mean it only right before a number without points.
const COUNTER_WORDS: &[&str] = &[
    "archive",
    "auto",
    "backup",
    "backups",
    "bak",
    "build",
    "builds",
    "canary",
    "ci",
    "cron",
    "daily",
    "deploy",
    "deployed",
    "deployment",
    "deployments",
    "deploys",
    "hourly",
    "job",
    "jobs",
    "latest",
    "monthly",
    "nightly",
    "pipeline",
    "preview",
    "rollback",
    "run",
    "runs",
    "snapshot",
    "snapshots",
    "tmp",
    "weekly",
];

/// What follows the numbers of a pre-release or of a version after the release, with a number of its own or
/// without: `1.2.0rc1`, `v2-beta`, `1.4.x`, `2026-w03`.
const STAGES: &[&str] = &[
    "a",
    "alpha",
    "b",
    "beta",
    "c",
    "dev",
    "final",
    "ga",
    "hotfix",
    "m",
    "milestone",
    "p",
    "patch",
    "post",
    "pre",
    "preview",
    "q",
    "rc",
    "sp",
    "u",
    "w",
    "x",
];

/// A name that looks like a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lookalike<'t> {
    /// What stands before the number.
    pub(super) prefix: &'t str,
    /// Its numbers, the greatest first.
    pub(super) numbers: Vec<u64>,
}

impl Lookalike<'_> {
    /// Whether its numbers are a date, so that no version is counted up from them.
    pub(super) fn is_date(&self) -> bool {
        is_date(&self.numbers)
    }
}

/// Reads a name that looks like a version of a package, or of the repository as a whole.
///
/// A package has to be named; what else is in the name says no more of what it is a version of.
pub(super) fn lookalike<'t>(name: &'t str, package: Option<&str>) -> Option<Lookalike<'t>> {
    let masked = match package {
        Some(package) => without_name(name, package)?,
        None => name.to_ascii_lowercase(),
    };
    let (at, numbers) = number_in(&masked)?;
    let (head, text) = masked.split_at_checked(at)?;
    let rest = rest_after(text, numbers.len());
    let found = Lookalike { prefix: name.get(..at)?, numbers };
    let words: Vec<&str> = words(head).collect();
    let is_written_like_one = match found.numbers.as_slice() {
        [] => false,
        [_] => words.last().is_some_and(|word| VERSION_WORDS.contains(word)) && !found.is_date(),
        [_, _] => is_dotted(text),
        [_, ..] => is_dotted(text) || !found.is_date(),
    };
    let is_version = if counts_something_else(head, text) {
        false
    } else if words.is_empty() {
        found.numbers.len() > 1 || rest.is_empty() || is_stage(rest)
    } else if words.iter().all(|word| VERSION_WORDS.contains(word)) {
        true
    } else {
        is_written_like_one && (package.is_some() || !is_of_part(head))
    };
    is_version.then_some(found)
}

/// Whether the word right before a number says what is counted, and that it is no versions. `text` begins with
/// the number: with points it is a version all the same, unless it is a date.
pub(super) fn counts_something_else(prefix: &str, text: &str) -> bool {
    let prefix = prefix.to_ascii_lowercase();
    let is_counter = words(&prefix).last().is_some_and(|word| COUNTER_WORDS.contains(&word));
    is_counter && (is_date(&numbers_of(text)) || !is_dotted(text))
}

/// Whether a prefix has no other words than those for versions, as `v`, `release-` and none at all.
pub(super) fn is_of_versions(prefix: &str) -> bool {
    words(&prefix.to_ascii_lowercase()).all(|word| VERSION_WORDS.contains(&word))
}

/// Whether a word for versions stands right before the number: `v`, `pipeline-v`, `release-`.
pub(super) fn says_version(prefix: &str) -> bool {
    words(&prefix.to_ascii_lowercase()).last().is_some_and(|word| VERSION_WORDS.contains(&word))
}

/// Whether a prefix names a part of the repository: a word before a slash, unless it means versions.
pub(super) fn is_of_part(prefix: &str) -> bool {
    let prefix = prefix.to_ascii_lowercase();
    let before = prefix.rsplit_once('/').map_or("", |(before, _)| before);
    words(before).any(|word| !VERSION_WORDS.contains(&word))
}

/// The words of a text, without what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty())
}

/// The name in lower case, with the package's name taken out. `None` if it is not in it as a word.
fn without_name(name: &str, package: &str) -> Option<String> {
    let (name, package) = (name.to_ascii_lowercase(), package.to_ascii_lowercase());
    name.match_indices(&package).find_map(|(at, _)| {
        let (before, after) = (name.get(..at)?, name.get(at + package.len()..)?);
        // As long as before, so that places in the one are places in the other.
        let masked = format!("{before}{}{after}", " ".repeat(package.len()));
        let is_end = match after.chars().next() {
            // The number itself, as in `etl1.2.0`; `etl2-1.2.0` is of something else.
            Some(next) if next.is_ascii_digit() => {
                number_in(&masked).is_some_and(|(start, _)| start == at + package.len())
            }
            next => next.is_none_or(|next| !next.is_alphanumeric()),
        };
        (is_end && !before.ends_with(char::is_alphanumeric)).then_some(masked)
    })
}

/// Where the number of a name begins, and its numbers.
fn number_in(name: &str) -> Option<(usize, Vec<u64>)> {
    let written = version_in(name, Version::parse);
    let written = written.map(|one| (one.prefix.len(), one.version.numbers().to_vec()));
    // A single number may only be the last one of several: `2026-w03`.
    match (written, loose_number_in(name)) {
        (Some((at, numbers)), Some((before, _))) if numbers.len() > 1 || at <= before => {
            Some((at, numbers))
        }
        (written, loose) => loose.or(written),
    }
}

/// The first word of a name that is a number, one for versions before it and one for a stage behind it or not.
fn loose_number_in(name: &str) -> Option<(usize, Vec<u64>)> {
    let is_word = |char: char| char.is_alphanumeric();
    let starts = name.char_indices().scan(false, |was_word, (at, char)| {
        let begins = is_word(char) && !*was_word;
        *was_word = is_word(char);
        Some((at, begins))
    });
    let at = starts.filter(|(_, begins)| *begins).find_map(|(start, _)| {
        let word = words(name.get(start..)?).next()?;
        let digits = word.find(|char: char| char.is_ascii_digit())?;
        let (letters, number) = word.split_at_checked(digits)?;
        let after = number.trim_start_matches(|char: char| char.is_ascii_digit());
        let is_number = (letters.is_empty() || VERSION_WORDS.contains(&letters))
            && (after.is_empty() || is_stage(after));
        is_number.then_some(start + digits)
    })?;
    let numbers = numbers_of(name.get(at..)?);
    (!numbers.is_empty()).then_some((at, numbers))
}

/// The numbers with which a text begins, one sign between each two of them: `1_2_3`, `1.2.0rc1`.
fn numbers_of(text: &str) -> Vec<u64> {
    let mut numbers = Vec::new();
    for word in text.split(|char: char| !char.is_alphanumeric()) {
        let end = word.find(|char: char| !char.is_ascii_digit()).unwrap_or(word.len());
        let Some((digits, after)) = word.split_at_checked(end) else { break };
        let Ok(number) = digits.parse() else { break };
        if !after.is_empty() && !is_stage(after) {
            break;
        }
        numbers.push(number);
        if !after.is_empty() {
            break;
        }
    }
    numbers
}

/// What follows the numbers of a text.
fn rest_after(text: &str, numbers: usize) -> &str {
    let mut rest = text;
    for _ in 0..numbers {
        rest = rest.trim_start_matches(|char: char| !char.is_alphanumeric());
        rest = rest.trim_start_matches(|char: char| char.is_ascii_digit());
    }
    rest
}

/// Whether a point stands between the first two numbers of a text.
fn is_dotted(text: &str) -> bool {
    text.trim_start_matches(|char: char| char.is_ascii_digit()).starts_with('.')
}

/// Whether a text begins with the word of a pre-release, a number behind it or not.
fn is_stage(text: &str) -> bool {
    let word = words(text).next().unwrap_or("");
    STAGES.contains(&word.trim_end_matches(|char: char| char.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_a_name_say_whether_its_number_is_a_version() {
        for (name, expected) in [
            // Written in another way.
            ("1.4.2", Some(("", &[1, 4, 2][..]))),
            ("v.1.2.0", Some(("v.", &[1, 2, 0]))),
            ("V.1.2.0", Some(("V.", &[1, 2, 0]))),
            ("V1", Some(("V", &[1]))),
            ("1", Some(("", &[1]))),
            ("v1_2_3", Some(("v", &[1, 2, 3]))),
            ("1-2-3", Some(("", &[1, 2, 3]))),
            ("1.2.0rc1", Some(("", &[1, 2, 0]))),
            ("v1.2.0.Final", Some(("v", &[1, 2, 0]))),
            ("v1.2.0.post1", Some(("v", &[1, 2, 0]))),
            ("1.4.2_prod", Some(("", &[1, 4, 2]))),
            ("1.4.x", Some(("", &[1, 4]))),
            ("v2-beta", Some(("v", &[2]))),
            ("version1.2", Some(("version", &[1, 2]))),
            ("v01.02", Some(("v", &[1, 2]))),
            // Dates.
            ("20260110", Some(("", &[20_260_110]))),
            ("2026-01-10", Some(("", &[2026, 1, 10]))),
            ("2026/01/10", Some(("", &[2026, 1, 10]))),
            ("2026-w03", Some(("", &[2026, 3]))),
            ("2026-Q1", Some(("", &[2026, 1]))),
            ("20260110.1", Some(("", &[20_260_110, 1]))),
            ("2026-01-10.1", Some(("", &[2026, 1, 10, 1]))),
            ("release-2026-01-10", Some(("release-", &[2026, 1, 10]))),
            // Words that mean versions.
            ("release-7", Some(("release-", &[7]))),
            ("RELEASE_1_2_3", Some(("RELEASE_", &[1, 2, 3]))),
            ("release/7", Some(("release/", &[7]))),
            ("releases/v1.2.3", Some(("releases/v", &[1, 2, 3]))),
            ("version/1.2.3", Some(("version/", &[1, 2, 3]))),
            ("versions/v1_2", Some(("versions/v", &[1, 2]))),
            ("tags/v3", Some(("tags/v", &[3]))),
            ("stable-v3", Some(("stable-v", &[3]))),
            ("r12", Some(("r", &[12]))),
            // Another word.
            ("flows-1.4.2", Some(("flows-", &[1, 4, 2]))),
            ("flows@1.4.2", Some(("flows@", &[1, 4, 2]))),
            ("flows_1_4_2", Some(("flows_", &[1, 4, 2]))),
            ("k8s-1.10.0", Some(("k8s-", &[1, 10, 0]))),
            ("releases/flows-1.4.2", Some(("releases/flows-", &[1, 4, 2]))),
            ("flows-7", None),
            ("flows-2026-01-10", None),
            ("flows-12-34", None),
            ("docs/v3.0.0", None),
            ("docs/1", None),
            ("flows-v7", Some(("flows-v", &[7]))),
            ("flows-v20260110", None),
            // Products whose names have the words of counters.
            ("data-pipeline-v1.4.2", Some(("data-pipeline-v", &[1, 4, 2]))),
            ("data-pipeline-1.4.2", Some(("data-pipeline-", &[1, 4, 2]))),
            ("pipeline-v1", Some(("pipeline-v", &[1]))),
            ("job-scheduler-v1.4.2", Some(("job-scheduler-v", &[1, 4, 2]))),
            ("job-scheduler-7", None),
            ("daily-report-1.4.2", Some(("daily-report-", &[1, 4, 2]))),
            ("deployment-v1.0.0", Some(("deployment-v", &[1, 0, 0]))),
            ("build-1.2.3", Some(("build-", &[1, 2, 3]))),
            ("etl-pipeline/v1.4.2", None),
            // Counted by programs.
            ("build-12", None),
            ("sprint-12", None),
            ("release-build-12", None),
            ("nightly-20260101", None),
            ("nightly-2026.01.10", None),
            ("deploy-2026-01-10", None),
            ("deploys/2026-01-10", None),
            ("backup-2026-01-10", None),
            ("backup/v1.2.3", None),
            ("jenkins-flows-77", None),
            // No number, or one that belongs to a word.
            ("latest", None),
            ("nightly", None),
            ("v", None),
            ("3f2a91c", None),
            ("2fa-login", None),
            ("77-fix-login", None),
            ("k8s", None),
            ("", None),
        ] {
            let found = lookalike(name, None);
            let found = found.as_ref().map(|one| (one.prefix, one.numbers.as_slice()));
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn of_a_package_only_what_names_it_looks_like_a_version() {
        for (name, package, expected) in [
            ("etl-1.4.2", "etl", Some("etl-")),
            ("ETL_v1_2_3", "etl", Some("ETL_v")),
            ("etl1.2.0", "etl", Some("etl")),
            ("etl-7", "etl", Some("etl-")),
            ("etl/1.2.0rc1", "etl", Some("etl/")),
            ("packages/etl/1.2.0", "etl", Some("packages/etl/")),
            ("k8s-7", "k8s", Some("k8s-")),
            ("etl2-7", "etl2", Some("etl2-")),
            ("build-etl-7", "etl", None),
            ("etl-nightly-7", "etl", None),
            ("etl2-1.0.0", "etl", None),
            ("html-1.0.0", "ml", None),
            ("v1.0.0", "etl", None),
        ] {
            let found = lookalike(name, Some(package)).map(|one| one.prefix);
            assert_eq!(found, expected, "{name} {package}");
        }
    }
}
