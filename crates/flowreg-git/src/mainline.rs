//! Channels: which branches are mainline. Names only, no repository.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::ReferenceError;
use flowreg_model::BranchName;

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

#[cfg(test)]
mod tests {
    use super::*;

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
