//! The process environment as a value: read once when the program starts, and passed to whatever
//! needs it, so that tests can set variables without changing those of the process.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// A snapshot of environment variables.
///
/// A value that is not UTF-8 is never read as another text: it has none, and whoever reads a variable
/// that decides something asks [`Environment::is_text`].
#[derive(Debug, Clone, Default)]
pub struct Environment {
    variables: BTreeMap<OsString, OsString>,
}

impl Environment {
    /// The value of a variable, without surrounding white space; blank is unset.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.raw(name).map(str::trim).filter(|value| !value.is_empty())
    }

    /// The value exactly as it is, also when blank; `None` only if it is not set, or no text.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.os(name)?.to_str()
    }

    /// The value as the system has it, which may be no text.
    pub fn os(&self, name: &str) -> Option<&OsStr> {
        self.variables.get(OsStr::new(name)).map(OsString::as_os_str)
    }

    /// The value as a path; blank is unset.
    pub fn path(&self, name: &str) -> Option<&Path> {
        let value = self.os(name)?;
        // White space around a path that is text is as little meant as elsewhere.
        let text = value.to_str().map(str::trim).map(OsStr::new);
        Some(text.unwrap_or(value)).filter(|value| !value.is_empty()).map(Path::new)
    }

    /// Whether a variable is not set, or set to a text.
    pub fn is_text(&self, name: &str) -> bool {
        self.os(name).is_none_or(|value| value.to_str().is_some())
    }

    /// All variables that are text, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.all().filter_map(|(name, value)| Some((name.to_str()?, value.to_str()?)))
    }

    /// All variables as the system has them, for processes that are started.
    pub fn all(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.variables.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}

impl<N: Into<OsString>, V: Into<OsString>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        let pairs = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        Self { variables: pairs.collect() }
    }
}
