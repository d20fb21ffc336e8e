//! `[tag]` of `flowreg.toml`: the series of versions that the repository has.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use flowreg_git::tagging::{CalendarFormat, Scheme, Series};
use flowreg_model::{TagName, nearest};

/// `[tag]`
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct TagTable {
    /// What stands before the version.
    pub prefix: Option<Spanned<String>>,
    /// How versions are counted.
    pub scheme: Option<SchemeWord>,
    /// How calendar versions are written.
    pub format: Option<Spanned<String>>,
    /// The first semantic version.
    pub initial: Option<Spanned<String>>,
    /// What a pre-release is called.
    pub pre: Option<String>,
    /// The files and directories whose changes count.
    pub paths: Option<Vec<String>>,
    /// `[tag.package."name"]`
    pub package: BTreeMap<String, PackageTable>,
}

/// `[tag.package."name"]`; a key that is missing has the value of `[tag]`.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct PackageTable {
    /// What stands before the version; `name/v` by default.
    pub prefix: Option<Spanned<String>>,
    /// How versions are counted.
    pub scheme: Option<SchemeWord>,
    /// How calendar versions are written.
    pub format: Option<Spanned<String>>,
    /// The first semantic version.
    pub initial: Option<Spanned<String>>,
    /// What a pre-release is called.
    pub pre: Option<String>,
    /// The files and directories whose changes count; the directory `name` by default.
    pub paths: Option<Vec<String>>,
}

/// `scheme`
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum SchemeWord {
    /// Semantic Versioning.
    #[default]
    Semver,
    /// Calendar Versioning.
    Calver,
}

/// The keys of `[tag]`.
pub(super) const TAG_KEYS: &[&str] =
    &["prefix", "scheme", "format", "initial", "pre", "paths", "package"];
/// The keys of `[tag.package."name"]`.
pub(super) const PACKAGE_KEYS: &[&str] = &["prefix", "scheme", "format", "initial", "pre", "paths"];

/// The series of the repository: that of all of it, and those of its packages by name.
#[derive(Debug, Clone)]
pub(crate) struct TagSettings {
    whole: Series,
    /// Whether the series of the whole repository may be used: it has a prefix of its own, or there are
    /// no packages.
    is_whole_named: bool,
    packages: BTreeMap<String, Series>,
}

/// What is wrong with the table, and where in the file.
pub(super) struct TagProblem {
    /// The offset in the text.
    pub at: usize,
    /// What is wrong.
    pub message: String,
    /// What to type instead.
    pub hint: String,
}

/// A package that is not there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NoSeries {
    /// The packages that there are.
    pub packages: Vec<String>,
    /// The nearest name.
    pub nearest: Option<String>,
}

impl TagSettings {
    /// What the table means.
    pub(super) fn resolve(table: TagTable) -> Result<Self, TagProblem> {
        let TagTable { prefix, scheme, format, initial, pre, paths, package } = table;
        // With packages, `flowreg tag` alone may just be a forgotten `--package`. A prefix under
        // `[tag]` says that the repository as a whole has versions, too.
        let is_whole_named = prefix.is_some() || package.is_empty();
        let base = PackageTable { prefix, scheme, format, initial, pre, paths };
        let whole = series(&base, &PackageTable::default(), "v", Vec::new())?;
        let mut packages = BTreeMap::new();
        for (name, table) in package {
            let own = series(&table, &base, &format!("{name}/v"), vec![name.clone()])?;
            packages.insert(name, own);
        }
        Ok(Self { whole, is_whole_named, packages })
    }

    /// The series of a package, or of the whole repository.
    ///
    /// # Errors
    /// If there is no such package, or nothing says which of several is meant.
    pub(crate) fn series(&self, package: Option<&str>) -> Result<&Series, NoSeries> {
        let no_series =
            |nearest| NoSeries { packages: self.packages.keys().cloned().collect(), nearest };
        match package {
            None if self.is_whole_named => Ok(&self.whole),
            None => Err(no_series(None)),
            Some(name) => self.packages.get(name).ok_or_else(|| {
                let names: Vec<&str> = self.packages.keys().map(String::as_str).collect();
                no_series(nearest(name, &names).map(str::to_owned))
            }),
        }
    }

    /// The series that a tag belongs to: of those whose prefix its name begins with, the one with the
    /// longest prefix.
    pub(crate) fn series_by_prefix(&self, name: &str) -> Option<&Series> {
        let all = self.packages.values().chain(std::iter::once(&self.whole));
        let fitting = all.filter(|series| {
            name.strip_prefix(series.prefix.as_str())
                .is_some_and(|rest| series.parse(rest).is_some())
        });
        fitting.max_by_key(|series| series.prefix.len())
    }

    /// The files and directories that a tag stands for; empty: all of the repository.
    pub(crate) fn paths_of(&self, tag: &TagName) -> &[String] {
        // One prefix may be the beginning of another, and a tag may fit both: the longer one is meant.
        let series = self.packages.values().filter(|series| series.version_of(tag).is_some());
        series
            .max_by_key(|series| series.prefix.len())
            .map_or(&[], |series| series.paths.as_slice())
    }
}

fn series(
    table: &PackageTable,
    base: &PackageTable,
    default_prefix: &str,
    default_paths: Vec<String>,
) -> Result<Series, TagProblem> {
    let prefix = table.prefix.as_ref().map_or(default_prefix, |prefix| prefix.get_ref());
    // Whether git takes a prefix depends on what follows it (`v.` is no name, `v.1.0.0` is one), so a
    // whole tag is tried.
    if format!("{prefix}1.0.0").parse::<TagName>().is_err() {
        let at = table.prefix.as_ref().map_or(0, |prefix| prefix.span().start);
        return Err(TagProblem {
            at,
            message: format!("no tag can begin with `{prefix}`"),
            hint: "for example prefix = \"etl/v\"".to_owned(),
        });
    }
    let scheme = match table.scheme.or(base.scheme).unwrap_or_default() {
        SchemeWord::Semver => semantic(table, base)?,
        SchemeWord::Calver => calendar(table.format.as_ref().or(base.format.as_ref()))?,
    };
    let paths = table.paths.clone().unwrap_or(default_paths);
    let paths = paths.iter().map(|path| path.trim_matches('/').to_owned()).collect();
    Ok(Series { prefix: prefix.to_owned(), scheme, paths })
}

fn semantic(table: &PackageTable, base: &PackageTable) -> Result<Scheme, TagProblem> {
    let pre = table.pre.as_ref().or(base.pre.as_ref()).map_or("rc", String::as_str).to_owned();
    let Some(initial) = table.initial.as_ref().or(base.initial.as_ref()) else {
        return Ok(Scheme::Semantic { initial: semver::Version::new(1, 0, 0), pre });
    };
    let parsed = semver::Version::parse(initial.get_ref()).map_err(|error| TagProblem {
        at: initial.span().start,
        message: format!("`{}` is no semantic version: {error}", initial.get_ref()),
        hint: "for example initial = \"0.1.0\"".to_owned(),
    })?;
    Ok(Scheme::Semantic { initial: parsed, pre })
}

fn calendar(format: Option<&Spanned<String>>) -> Result<Scheme, TagProblem> {
    let (text, at) = match format {
        Some(format) => (format.get_ref().as_str(), format.span().start),
        None => ("YYYY.MM.MICRO", 0),
    };
    let format: CalendarFormat = text.parse().map_err(|error| TagProblem {
        at,
        message: format!("`{text}` is no format for calendar versions: {error}"),
        hint: "for example format = \"YYYY.MM.MICRO\"".to_owned(),
    })?;
    Ok(Scheme::Calendar(format))
}
