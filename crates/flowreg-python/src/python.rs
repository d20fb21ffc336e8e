//! Which Python a project is for, as its files say.

use std::sync::LazyLock;

/// The minor version of Python 3 that a project runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Python {
    /// 3.n.
    Exactly(u8),
    /// 3.n or later.
    AtLeast(u8),
    /// No file says: the rules are those of 3.11, but what a newer Python has is not refused.
    Assumed,
}

/// The minor version that is assumed if no file names one: the rules were checked with it.
const ASSUMED: u8 = 11;

/// What the rules were checked with.
impl Default for Python {
    fn default() -> Self {
        Python::Exactly(ASSUMED)
    }
}

impl Python {
    /// Whether this is 3.`minor` or later; `None` if that is not certain.
    pub(crate) fn at_least(self, minor: u8) -> Option<bool> {
        match self {
            Python::Exactly(own) => Some(own >= minor),
            Python::AtLeast(own) if own >= minor => Some(true),
            Python::AtLeast(_) => None,
            Python::Assumed => Some(ASSUMED >= minor),
        }
    }

    /// Whether this lacks what came with 3.`minor`; `None` if that is not certain.
    pub(crate) fn lacks(self, minor: u8) -> Option<bool> {
        match self {
            // Nobody said 3.11, so a newer name is no error; but it is not certain either.
            Python::Assumed if minor > ASSUMED => None,
            python => python.at_least(minor).map(|has| !has),
        }
    }

    /// The oldest Python that this may be.
    pub(crate) fn oldest(self) -> u8 {
        match self {
            Python::Exactly(minor) | Python::AtLeast(minor) => minor,
            Python::Assumed => ASSUMED,
        }
    }

    /// Reads `.python-version` (the version that pyenv, uv and others use here) and
    /// `pyproject.toml` (the versions that the project is for), in this order.
    pub fn of_project(version_file: Option<&str>, project_file: Option<&str>) -> Self {
        let pinned = version_file.and_then(|text| text.lines().find_map(minor));
        if let Some(minor) = pinned {
            return Python::Exactly(minor);
        }
        project_file.and_then(required).unwrap_or(Python::Assumed)
    }

    /// A text that stands for this in the cache: answers for one Python are not used for another.
    pub(crate) fn profile(self) -> &'static str {
        /// Every profile, by whether the version is exact and by its number.
        static PROFILES: LazyLock<Vec<[String; 2]>> = LazyLock::new(|| {
            (0..=u8::MAX).map(|minor| [format!("3.{minor}"), format!(">=3.{minor}")]).collect()
        });
        let (minor, place) = match self {
            Python::Exactly(minor) => (minor, 0),
            Python::AtLeast(minor) => (minor, 1),
            Python::Assumed => return "3.11?",
        };
        PROFILES.get(usize::from(minor)).and_then(|both| both.get(place)).map_or("", String::as_str)
    }
}

/// The `n` of the first `3.n` in a text.
fn minor(text: &str) -> Option<u8> {
    let (_, rest) = text.split('#').next()?.split_once("3.")?;
    let digits = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
    rest.get(..digits)?.parse().ok()
}

/// `requires-python` of PEP 621, or Poetry's `python`.
fn required(text: &str) -> Option<Python> {
    let table: toml::Table = text.parse().ok()?;
    let project = table.get("project").and_then(|project| project.get("requires-python"));
    let poetry = || table.get("tool")?.get("poetry")?.get("dependencies")?.get("python");
    let specifiers = project.or_else(poetry)?.as_str()?;
    // Upper bounds are not looked at: all newer Pythons count as possible.
    let lowest = specifiers.split(',').find_map(|specifier| {
        let specifier = specifier.trim();
        let is_lower = specifier.starts_with(['>', '^', '~']);
        is_lower.then(|| minor(specifier))?
    });
    match lowest {
        Some(minor) => Some(Python::AtLeast(minor)),
        // `==3.12.*` names one Python. Anything else without a lower bound says nothing.
        None if specifiers.contains("==") => minor(specifiers).map(Python::Exactly),
        None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_project_pins_goes_before_what_it_allows() {
        let project = "[project]\nrequires-python = \">=3.10,<3.14\"\n";
        assert_eq!(Python::of_project(None, Some(project)), Python::AtLeast(10));
        assert_eq!(Python::of_project(Some("3.12.4\n"), Some(project)), Python::Exactly(12));
        assert_eq!(Python::of_project(Some("cpython-3.13\n"), None), Python::Exactly(13));
        assert_eq!(Python::of_project(None, None), Python::Assumed);
        let exact = "[project]\nrequires-python = \"==3.12.*\"\n";
        assert_eq!(Python::of_project(None, Some(exact)), Python::Exactly(12));
        let poetry = "[tool.poetry.dependencies]\npython = \"^3.12\"\n";
        assert_eq!(Python::of_project(None, Some(poetry)), Python::AtLeast(12));
        assert_eq!(Python::of_project(Some("system\n"), Some("broken [")), Python::Assumed);
    }

    #[test]
    fn a_range_of_versions_is_certain_of_its_lower_end_only() {
        assert_eq!(Python::AtLeast(12).at_least(12), Some(true));
        assert_eq!(Python::AtLeast(10).at_least(12), None);
        assert_eq!(Python::Exactly(11).at_least(12), Some(false));
    }

    #[test]
    fn what_a_newer_python_has_is_refused_only_where_the_project_names_an_older_one() {
        assert_eq!(Python::Exactly(11).lacks(12), Some(true));
        assert_eq!(Python::Exactly(12).lacks(12), Some(false));
        assert_eq!(Python::AtLeast(10).lacks(12), None);
        assert_eq!(Python::Assumed.lacks(12), None);
        assert_eq!(Python::Assumed.lacks(11), Some(false));
    }
}
