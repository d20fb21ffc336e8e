//! Channels: which branches are mainline, and which tag pins one. Names only, no repository.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use semver::Version;

use super::ReferenceError;
use flowreg_model::{BranchName, TagName};

/// The branches that are mainline.
pub(super) struct Mainline(GlobSet);

impl Mainline {
    /// `*` stays within one part of a name: `release/*` is `release/1`, not `release/1/fix`.
    pub(super) fn new(globs: &[String]) -> Result<Self, ReferenceError> {
        let invalid = |glob: &str, error: &globset::Error| ReferenceError::InvalidGlob {
            glob: glob.to_owned(),
            reason: error.kind().to_string(),
        };
        let mut set = GlobSetBuilder::new();
        for glob in globs {
            let built = GlobBuilder::new(glob).literal_separator(true).build();
            set.add(built.map_err(|error| invalid(glob, &error))?);
        }
        set.build().map(Self).map_err(|error| invalid(error.glob().unwrap_or(""), &error))
    }

    pub(super) fn contains(&self, branch: &BranchName) -> bool {
        self.0.is_match(branch.as_str())
    }
}

/// Whether a branch is mainline by these globs.
///
/// # Errors
/// [`ReferenceError::InvalidGlob`] if one of them is no glob.
pub fn is_mainline(globs: &[String], branch: &BranchName) -> Result<bool, ReferenceError> {
    // The pre-push hook calls this while the push waits. Names without wildcards are compared as they
    // are, because to compile globs takes longer than all the rest of it.
    let (patterns, names): (Vec<String>, Vec<String>) =
        globs.iter().cloned().partition(|glob| glob.contains(['*', '?', '[', '{', '\\']));
    if names.iter().any(|name| name == branch.as_str()) {
        return Ok(true);
    }
    Ok(!patterns.is_empty() && Mainline::new(&patterns)?.contains(branch))
}

/// The highest version among the tags; tags that are no version rank below, by name.
pub(super) fn highest_version(tags: &[TagName]) -> Option<&TagName> {
    tags.iter().max_by_key(|tag| (version(tag.as_str()), tag.as_str()))
}

/// The tag of the version after the highest one among all tags of a repository; of a
/// pre-release that is the version itself.
pub(super) fn next_version_tag(tags: &[TagName]) -> Option<TagName> {
    let versions = tags.iter().filter_map(|tag| Some((version(tag.as_str())?, tag.as_str())));
    let Some((highest, tag)) = versions.max() else { return "v1.0.0".parse().ok() };
    let prefix = if tag.starts_with('v') { "v" } else { "" };
    let step = u64::from(highest.pre.is_empty());
    let patch = highest.patch.checked_add(step)?;
    format!("{prefix}{}", Version::new(highest.major, highest.minor, patch)).parse().ok()
}

/// A version as the other tags of the repository are written: `v1.0.1` for `1.0.1` where they begin with
/// `v`, and the other way round; any other name as it is.
pub(super) fn written_alike(tag: &TagName, others: &[TagName]) -> TagName {
    let name = tag.as_str();
    let Some(highest) = highest_version(others).filter(|other| version(other.as_str()).is_some())
    else {
        return tag.clone();
    };
    let other = match name.strip_prefix('v') {
        Some(bare) => bare.to_owned(),
        None => format!("v{name}"),
    };
    let is_alike = highest.as_str().starts_with('v') == name.starts_with('v');
    let alike = (!is_alike && version(name).is_some()).then(|| other.parse().ok()).flatten();
    alike.unwrap_or_else(|| tag.clone())
}

fn version(tag: &str) -> Option<Version> {
    Version::parse(tag.strip_prefix('v').unwrap_or(tag)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn highest_of(tags: &[&str]) -> Option<String> {
        let tags: Vec<TagName> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
        highest_version(&tags).map(ToString::to_string)
    }

    #[test]
    fn versions_rank_by_semver_and_above_other_names() {
        assert_eq!(highest_of(&["v1.9.0", "v1.10.0", "v1.10.0-rc.1"]).as_deref(), Some("v1.10.0"));
        assert_eq!(highest_of(&["zeta", "0.0.1"]).as_deref(), Some("0.0.1"));
        assert_eq!(highest_of(&["2026-01", "2026-02"]).as_deref(), Some("2026-02"));
        assert_eq!(highest_of(&[]), None);
    }

    #[test]
    fn the_next_version_follows_the_highest_one_and_looks_like_it() {
        for (tags, expected) in [
            (&["v0.1.0"][..], "v0.1.1"),
            (&["v1.9.0", "v1.10.0", "nightly"], "v1.10.1"),
            (&["1.2.3", "v1.0.0"], "1.2.4"),
            (&["v2.0.0-rc.1", "v1.9.9"], "v2.0.0"),
            (&["v1.0.0+build.7"], "v1.0.1"),
            (&["nightly"], "v1.0.0"),
            (&[], "v1.0.0"),
        ] {
            let tags: Vec<TagName> = tags.iter().map(|tag| tag.parse().unwrap()).collect();
            assert_eq!(next_version_tag(&tags).unwrap().as_str(), expected);
        }
        assert_eq!(next_version_tag(&[format!("v1.0.{}", u64::MAX).parse().unwrap()]), None);
    }

    #[test]
    fn a_star_does_not_cross_a_slash() {
        let mainline = Mainline::new(&["main".to_owned(), "release/*".to_owned()]).unwrap();
        let is_mainline = |branch: &str| mainline.contains(&branch.parse().unwrap());
        assert!(is_mainline("main") && is_mainline("release/1"));
        assert!(!is_mainline("release/1/fix") && !is_mainline("maintenance"));
    }

    #[test]
    fn a_broken_glob_is_named() {
        let error = Mainline::new(&["main".to_owned(), "release/[".to_owned()]).err().unwrap();
        assert_eq!(error.code(), "invalid_glob");
        assert!(error.to_string().contains("release/["));
    }
}
