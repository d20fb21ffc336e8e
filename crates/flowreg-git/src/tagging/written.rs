//! Finds the version in a tag's name where nothing declares what stands before it.

use super::version::Version;

/// A name that ends in a version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WrittenVersion<'t> {
    /// What stands before it.
    pub(super) prefix: &'t str,
    /// The version.
    pub(super) version: Version,
}

/// Splits a name into prefix and version; `parse` says what a version is.
///
/// The prefix may have digits itself: of all places where a version could begin, the one with the most
/// numbers is meant, and of those the first. `etl2-v1.0.0` is 1.0.0 after `etl2-v`, and the `1.2.3` of
/// `1.0.0-1.2.3` is a pre-release.
pub(super) fn version_in(
    name: &str,
    parse: impl Fn(&str) -> Option<Version>,
) -> Option<WrittenVersion<'_>> {
    let places = name.char_indices().scan(None, |before, (at, char)| {
        let begins = char.is_ascii_digit()
            && !before.is_some_and(|before: char| before.is_ascii_digit() || before == '.');
        *before = Some(char);
        Some((at, begins))
    });
    let versions = places.filter(|(_, begins)| *begins).filter_map(|(at, _)| {
        let (prefix, text) = name.split_at_checked(at)?;
        let version = parse(text).filter(is_plausible)?;
        (!ends_in_version(prefix, version.numbers().len()))
            .then_some(WrittenVersion { prefix, version })
    });
    // `max_by_key` would take the last of equals.
    versions.reduce(|best, next| {
        let is_more = next.version.numbers().len() > best.version.numbers().len();
        if is_more { next } else { best }
    })
}

/// Whether a prefix is a version itself, so that what follows is only the end of it: `1.2.0rc` of `1.2.0rc1`
/// (PEP 440), `v1.2.0.post` of `v1.2.0.post1`, `v1_2_` of `v1_2_3`, whose numbers are no version here, and
/// `2026/01/` of `2026/01/10`.
fn ends_in_version(prefix: &str, numbers: usize) -> bool {
    let is_separator = |char: char| matches!(char, '/' | '-' | '_');
    let last = prefix.rsplit(is_separator).next().unwrap_or("");
    let has_point = |text: &str| {
        let bytes = text.as_bytes();
        bytes.windows(3).any(|three| {
            matches!(three, [one, b'.', other] if one.is_ascii_digit() && other.is_ascii_digit())
        })
    };
    let before = prefix.strip_suffix(['-', '_', '.']).unwrap_or("");
    let directory = prefix.strip_suffix('/').and_then(|before| before.rsplit('/').next());
    let is_number = |name: &str| name.bytes().all(|byte| byte.is_ascii_digit());
    has_point(last)
        || directory.is_some_and(is_number)
        || (numbers == 1 && before.ends_with(|char: char| char.is_ascii_digit()))
}

/// Whether the name really means this version: no pre-release begins with a version of its own (`3.11-v1` in
/// `py3.11-v1`), but for `1.0.0-v1`.
fn is_plausible(version: &Version) -> bool {
    let own = version.pre().strip_prefix(['v', 'V']).unwrap_or("");
    let has_own = own.starts_with(|char: char| char.is_ascii_digit());
    !has_own || (version.numbers().len() > 2 && !own.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_may_have_digits_and_need_not_be_there() {
        for (name, expected) in [
            ("v1.2.3", Some(("v", "1.2.3"))),
            ("1.2.3-rc.1", Some(("", "1.2.3-rc.1"))),
            ("1.0.0-1.2.3", Some(("", "1.0.0-1.2.3"))),
            ("release-1.10.0", Some(("release-", "1.10.0"))),
            ("etl/v1.2", Some(("etl/v", "1.2"))),
            ("etl2-v1.0.0", Some(("etl2-v", "1.0.0"))),
            ("k8s-1.2.0-rc.1", Some(("k8s-", "1.2.0-rc.1"))),
            ("v2-1.0.0", Some(("v2-", "1.0.0"))),
            ("py3.11-v1.2", Some(("py3.11-v", "1.2"))),
            ("py3.11-v1", Some(("py3.11-v", "1"))),
            ("1.0.0-v1", Some(("", "1.0.0-v1"))),
            ("1.2.0rc1", None),
            ("v1.2.0.post1", None),
            ("v1_2_3", None),
            ("2026/01/10", None),
            ("etl2/1.0.0", Some(("etl2/", "1.0.0"))),
            ("release-2", Some(("release-", "2"))),
            ("k8s-1", Some(("k8s-", "1"))),
            ("etl2-v1", Some(("etl2-v", "1"))),
            ("v1", Some(("v", "1"))),
            ("2026.01.10", Some(("", "2026.01.10"))),
            ("release-2026-01-10", Some(("release-", "2026-01-10"))),
            ("release_2026_01_10", Some(("release_", "2026_01_10"))),
            ("2026-01-10.1", Some(("", "2026-01-10.1"))),
            ("v20260110.1", Some(("v", "20260110.1"))),
            ("2026-Q1", Some(("", "2026-Q1"))),
            ("release-2026-w03", Some(("release-", "2026-w03"))),
            ("nightly", None),
            ("latest", None),
            ("v2-beta", None),
            ("2x", None),
            ("3f2a91c", None),
        ] {
            let found = version_in(name, Version::parse);
            let found = found.map(|one| (one.prefix, one.version.to_string()));
            let found = found.as_ref().map(|(prefix, version)| (*prefix, version.as_str()));
            assert_eq!(found, expected, "{name}");
        }
    }
}
