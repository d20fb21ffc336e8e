//! Deployment names: mainline keeps the declared name, feature appends `@<branch>`.
//!
//! The branch is encoded so that it can be read back: `/` becomes `~`, and any of `% & > < ~ ^`
//! becomes `^` and two hexadecimal digits. git allows neither `~` nor `^` in a branch's name and
//! Prefect allows both in a deployment's, so two branches never get the same name.

use std::fmt::Write;

use flowreg_model::{BranchName, DeploymentName, NameError};

/// The name of a feature registration: `nightly@feat~x`.
///
/// # Errors
/// [`NameError::Prefect`] if the declared name holds a character that Prefect forbids.
pub(crate) fn feature_name(
    declared: &str,
    branch: &BranchName,
) -> Result<DeploymentName, NameError> {
    format!("{declared}@{}", encode_branch(branch)).parse()
}

/// Writes a branch's name with characters that Prefect allows.
pub(crate) fn encode_branch(branch: &BranchName) -> String {
    let mut encoded = String::with_capacity(branch.as_str().len());
    for char in branch.as_str().chars() {
        match char {
            '/' => encoded.push('~'),
            '%' | '&' | '>' | '<' | '~' | '^' => {
                let _ = write!(encoded, "^{:02x}", u32::from(char));
            }
            _ => encoded.push(char),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads a branch's name back; `None` if the text was not written by [`encode_branch`].
    fn decode_branch(encoded: &str) -> Option<BranchName> {
        let mut decoded = String::with_capacity(encoded.len());
        let mut chars = encoded.chars();
        while let Some(char) = chars.next() {
            match char {
                '~' => decoded.push('/'),
                '^' => {
                    let digits: String = chars.by_ref().take(2).collect();
                    let byte =
                        u8::from_str_radix(&digits, 16).ok().filter(|_| digits.len() == 2)?;
                    decoded.push(char::from(byte));
                }
                _ => decoded.push(char),
            }
        }
        let branch: BranchName = decoded.parse().ok()?;
        (encode_branch(&branch) == encoded).then_some(branch)
    }

    fn branch(name: &str) -> BranchName {
        name.parse().unwrap()
    }

    #[test]
    fn the_branch_stays_readable() {
        let name = feature_name("nightly", &branch("feat/x")).unwrap();
        assert_eq!(name.as_str(), "nightly@feat~x");
        assert_eq!(encode_branch(&branch("a%b&c>d<e")), "a^25b^26c^3ed^3ce");
    }

    #[test]
    fn a_declared_name_that_prefect_forbids_is_refused() {
        assert!(feature_name("a/b", &branch("x")).is_err());
    }

    #[test]
    fn text_that_is_no_encoded_branch_reads_back_as_nothing() {
        for text in ["", "a/b", "^zz", "^2", "^41", "a~~b", "^7e"] {
            assert_eq!(decode_branch(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_branch_reads_back(name in "[a-zA-Z0-9%&><@#é_-]{1,8}(/[a-z%&>0-9]{1,8}){0,3}") {
            prop_assume!(name.parse::<BranchName>().is_ok());
            let branch = branch(&name);
            let encoded = encode_branch(&branch);
            prop_assert!(encoded.parse::<DeploymentName>().is_ok());
            prop_assert_eq!(decode_branch(&encoded), Some(branch));
        }
    }
}
