//! One type per kind of name, so that a branch can't be passed where a tag is meant.
//!
//! Each parses at the edge of the program and is valid from then on.

use std::fmt;
use std::str::FromStr;

use crate::escape::escaped_bytes;
use serde::{Deserialize, Deserializer, Serialize};

/// What is wrong with a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// The name breaks a rule of `git check-ref-format`.
    #[error("`{name}` is not a valid {kind} name for git")]
    Git {
        /// `branch`, `tag` or `remote`.
        kind: &'static str,
        /// The name as it was given.
        name: String,
    },
    /// The name is no text, and there is no other one for it.
    #[error("`{shown}` is not UTF-8")]
    NotText {
        /// The name, with `\\xff` for each byte that belongs to no character.
        shown: String,
    },
    /// The text is not a full object id.
    #[error("`{0}` is not a full commit id (40 or 64 hexadecimal digits)")]
    Commit(String),
    /// Prefect refuses the name (docs/facts/prefect.md, "Flows and deployments").
    #[error("{kind} name `{name}` contains `{found}`, which Prefect forbids (`/ % & > <`)")]
    Prefect {
        /// `flow` or `deployment`.
        kind: &'static str,
        /// The name as it was given.
        name: String,
        /// The first character that is forbidden.
        found: char,
    },
    /// The name is empty.
    #[error("a {kind} name can't be empty")]
    Empty {
        /// What kind of name it is.
        kind: &'static str,
    },
    /// The text is not `path/to/file.py:function`.
    #[error("`{0}` is not an entrypoint (`path/from/the/repository/root.py:function`)")]
    Entrypoint(String),
}

impl NameError {
    /// The error for a name that is not UTF-8.
    pub fn not_text(name: &[u8]) -> Self {
        Self::NotText { shown: escaped_bytes(name) }
    }
}

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name! {
    /// A branch without `refs/heads/`: `feature/x`.
    BranchName
}
text_name! {
    /// A tag without `refs/tags/`: `v1.4.0`.
    TagName
}
text_name! {
    /// The name of a git remote: `origin`.
    RemoteName
}
text_name! {
    /// A full object id in lower-case hexadecimal, 40 digits (SHA-1) or 64 (SHA-256).
    CommitId
}
text_name! {
    /// The name of a flow as Prefect stores it.
    FlowName
}
text_name! {
    /// The name of a deployment as Prefect stores it, the branch of a feature registration included.
    DeploymentName
}

impl FromStr for BranchName {
    type Err = NameError;

    /// Accepts `feature/x` and `refs/heads/feature/x`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.strip_prefix("refs/heads/").unwrap_or(text);
        // `git branch` refuses `HEAD` and a leading dash although a ref may be called so.
        if !is_ref_name(name) || name.starts_with('-') || name == "HEAD" {
            return Err(NameError::Git { kind: "branch", name: text.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl FromStr for TagName {
    type Err = NameError;

    /// Accepts `v1` and `refs/tags/v1`.
    fn from_str(text: &str) -> Result<Self, NameError> {
        let name = text.strip_prefix("refs/tags/").unwrap_or(text);
        if !is_ref_name(name) || name.starts_with('-') {
            return Err(NameError::Git { kind: "tag", name: text.to_owned() });
        }
        Ok(Self(name.to_owned()))
    }
}

impl FromStr for RemoteName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        if !is_ref_name(text) || text.starts_with('-') {
            return Err(NameError::Git { kind: "remote", name: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }
}

impl FromStr for CommitId {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let is_full = matches!(text.len(), 40 | 64);
        if !is_full || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(NameError::Commit(text.to_owned()));
        }
        // git takes both cases and prints lower case; ids are compared as texts.
        Ok(Self(text.to_ascii_lowercase()))
    }
}

impl<'de> Deserialize<'de> for CommitId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl CommitId {
    /// The first seven digits, for people only.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or(&self.0)
    }
}

impl FromStr for FlowName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        prefect_name("flow", text).map(Self)
    }
}

impl FlowName {
    /// The name of a flow of Prefect 1, which takes any but an empty one.
    ///
    /// # Errors
    /// [`NameError::Empty`].
    pub fn of_prefect1(text: &str) -> Result<Self, NameError> {
        not_empty("flow", text).map(Self)
    }
}

impl DeploymentName {
    /// The name of a project of Prefect 1, where flows have no deployments.
    ///
    /// # Errors
    /// [`NameError::Empty`].
    pub fn of_project(text: &str) -> Result<Self, NameError> {
        not_empty("project", text).map(Self)
    }
}

fn not_empty(kind: &'static str, text: &str) -> Result<String, NameError> {
    if text.is_empty() { Err(NameError::Empty { kind }) } else { Ok(text.to_owned()) }
}

impl FromStr for DeploymentName {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        prefect_name("deployment", text).map(Self)
    }
}

fn prefect_name(kind: &'static str, text: &str) -> Result<String, NameError> {
    // Checked here because the server answers a bare 500 to such a name of a deployment.
    if text.is_empty() {
        return Err(NameError::Empty { kind });
    }
    match text.chars().find(|char| "/%&><".contains(*char)) {
        Some(found) => Err(NameError::Prefect { kind, name: text.to_owned(), found }),
        None => Ok(text.to_owned()),
    }
}

/// Whether `git check-ref-format --allow-onelevel` accepts the name (git-check-ref-format(1)).
fn is_ref_name(name: &str) -> bool {
    !name.is_empty()
        && name != "@"
        && !name.contains("..")
        && !name.contains("@{")
        && !name.ends_with('.')
        && !name.bytes().any(|byte| byte <= b' ' || byte == 0x7f || b"~^:?*[\\".contains(&byte))
        && name.split('/').all(|part| {
            !part.is_empty() && !part.starts_with('.') && part.strip_suffix(".lock").is_none()
        })
}

/// Where a flow is: `path/from/the/repository/root.py:function`, or `…:Class.method`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Entrypoint {
    path: String,
    object: String,
}

impl Entrypoint {
    /// Puts path (from the repository root, `/` as separator) and attribute path together.
    pub fn new(path: impl Into<String>, object: impl Into<String>) -> Self {
        Self { path: path.into(), object: object.into() }
    }

    /// The file, from the repository root.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The attribute path inside the module: `function` or `Class.method`.
    pub fn object(&self) -> &str {
        &self.object
    }
}

impl FromStr for Entrypoint {
    type Err = NameError;

    /// Splits at the last `:`, as Prefect does: a path may have one in it, an attribute path can't.
    fn from_str(text: &str) -> Result<Self, NameError> {
        match text.rsplit_once(':') {
            Some((path, object)) if !path.is_empty() && !object.is_empty() => {
                Ok(Self::new(path, object))
            }
            _ => Err(NameError::Entrypoint(text.to_owned())),
        }
    }
}

impl fmt::Display for Entrypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.path, self.object)
    }
}

impl<'de> Deserialize<'de> for Entrypoint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Entrypoint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ref_names_follow_git_check_ref_format() {
        for good in ["main", "feature/x", "a@b", "v1.0.0", "x.lockk", "ünïcode", "a-", "@x"] {
            assert!(good.parse::<TagName>().is_ok(), "{good}");
        }
        for bad in [
            "", "@", "a..b", "a/", "/a", "a//b", ".a", "a/.b", "a.lock", "a.lock/b", "a b", "a~1",
            "a^", "a:b", "a?", "a*", "a[", "a\\b", "a.", "a@{1", "-a", "a\u{7f}",
        ] {
            assert!(bad.parse::<TagName>().is_err(), "{bad}");
        }
        assert!("HEAD".parse::<BranchName>().is_err());
        assert!("HEAD".parse::<TagName>().is_ok());
    }

    #[test]
    fn full_ref_prefixes_are_stripped_once() {
        assert_eq!("refs/heads/a/b".parse::<BranchName>().unwrap().as_str(), "a/b");
        assert_eq!("refs/tags/v1".parse::<TagName>().unwrap().as_str(), "v1");
    }

    #[test]
    fn short_commit_ids_are_refused() {
        assert!("3f2a91c".parse::<CommitId>().is_err());
        assert_eq!("A".repeat(40).parse::<CommitId>().unwrap().as_str(), "a".repeat(40));
        assert!("0".repeat(64).parse::<CommitId>().is_ok());
    }

    #[test]
    fn prefect_names_refuse_what_prefect_refuses() {
        for char in "/%&><".chars() {
            let name = format!("a{char}b");
            assert_eq!(
                name.parse::<FlowName>(),
                Err(NameError::Prefect { kind: "flow", name: name.clone(), found: char })
            );
        }
        assert!("etl~nightly@feat^25".parse::<DeploymentName>().is_ok());
    }

    #[test]
    fn entrypoints_split_at_the_last_colon() {
        let entrypoint: Entrypoint = "odd:name.py:Class.method".parse().unwrap();
        assert_eq!((entrypoint.path(), entrypoint.object()), ("odd:name.py", "Class.method"));
        assert_eq!(entrypoint.to_string(), "odd:name.py:Class.method");
    }
}
