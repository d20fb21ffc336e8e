//! The files that the versions of a series stand for: directories, files, and globs of either.

use globset::{GlobBuilder, GlobMatcher};

/// Characters by which a path is a glob.
const WILDCARDS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// Which files belong to a series.
#[derive(Debug, Clone, Default)]
pub struct SeriesPaths(Vec<SeriesPath>);

#[derive(Debug, Clone)]
enum SeriesPath {
    /// A file or a directory.
    Plain(String),
    /// What matches, and all that is below it.
    Glob { text: String, itself: GlobMatcher, below: GlobMatcher },
}

impl SeriesPath {
    fn text(&self) -> &str {
        match self {
            Self::Plain(path) => path,
            Self::Glob { text, .. } => text,
        }
    }

    fn has(&self, file: &str) -> bool {
        match self {
            Self::Plain(path) => file
                .strip_prefix(path.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            Self::Glob { itself, below, .. } => itself.is_match(file) || below.is_match(file),
        }
    }
}

impl SeriesPaths {
    /// Reads paths as [`normalized_path`](flowreg_model::normalized_path) leaves them. What is no glob is taken for a name.
    pub fn new(paths: &[String]) -> Self {
        Self(paths.iter().map(|path| parsed(path)).collect())
    }

    /// Whether every file belongs to it.
    pub fn are_all(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a file belongs to it.
    pub fn has(&self, file: &str) -> bool {
        self.are_all() || self.0.iter().any(|path| path.has(file))
    }

    /// How closely they name a file: the length of the longest path that has it, 0 if all files belong to
    /// the series. `None` if it does not.
    pub fn closeness(&self, file: &str) -> Option<usize> {
        if self.are_all() {
            return Some(0);
        }
        self.0.iter().filter(|path| path.has(file)).map(|path| path.text().len()).max()
    }

    /// The paths without wildcards, if all of them are.
    pub(crate) fn plain(&self) -> Option<Vec<&str>> {
        let plain = self.0.iter().map(|path| match path {
            SeriesPath::Plain(path) => Some(path.as_str()),
            SeriesPath::Glob { .. } => None,
        });
        plain.collect()
    }

    /// Whether one of the paths is this very file or directory, and not one that it lies in.
    pub(crate) fn names(&self, path: &str) -> bool {
        self.0.iter().any(|one| match one {
            SeriesPath::Plain(plain) => plain == path,
            SeriesPath::Glob { itself, .. } => itself.is_match(path),
        })
    }

    /// Those of the paths that have none of the files.
    pub(crate) fn without_any(&self, files: &[String]) -> Self {
        let is_without = |path: &&SeriesPath| !files.iter().any(|file| path.has(file));
        Self(self.0.iter().filter(is_without).cloned().collect())
    }

    /// The first of the paths, as it is written.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.first().map(SeriesPath::text)
    }
}

fn parsed(path: &str) -> SeriesPath {
    // `*` stays within one part of a path, as in `include`.
    let glob = |text: &str| {
        let glob = GlobBuilder::new(text).literal_separator(true).build().ok()?;
        Some(glob.compile_matcher())
    };
    let both = || Some((glob(path)?, glob(&format!("{path}/**"))?));
    match both().filter(|_| path.contains(WILDCARDS)) {
        Some((itself, below)) => SeriesPath::Glob { text: path.to_owned(), itself, below },
        None => SeriesPath::Plain(path.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowreg_model::normalized_path;

    fn paths(globs: &[&str]) -> SeriesPaths {
        let paths: Vec<String> = globs.iter().map(|path| normalized_path(path).unwrap()).collect();
        SeriesPaths::new(&paths)
    }

    #[test]
    fn a_directory_has_what_is_below_it_and_so_has_a_glob() {
        for (globs, file, expected) in [
            (&["etl"][..], "etl/flow.py", true),
            (&["etl"], "etl", true),
            (&["etl"], "etl2/flow.py", false),
            (&["packages/*/flows"], "packages/a/flows/x/y.py", true),
            (&["packages/*/flows"], "packages/a/b/flows/x.py", false),
            (&["etl/**/*.py"], "etl/a/b.py", true),
            (&["etl/**/*.py"], "etl/a/b.sql", false),
            (&["ml*"], "ml2/deep/x.py", true),
            (&["ml*"], "other/ml2/x.py", false),
            (&[], "anything.py", true),
            (&["a", "b/c"], "b/c/d.py", true),
        ] {
            assert_eq!(paths(globs).has(file), expected, "{globs:?} {file}");
        }
    }

    #[test]
    fn the_longest_path_is_the_closest() {
        assert_eq!(paths(&[]).closeness("a/b.py"), Some(0));
        assert_eq!(paths(&["a", "a/b.py"]).closeness("a/b.py"), Some(6));
        assert_eq!(paths(&["c"]).closeness("a/b.py"), None);
    }
}
