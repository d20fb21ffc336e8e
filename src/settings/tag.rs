//! `[tag]` of `flowreg.toml`: the series of versions that the repository has.

use std::collections::BTreeMap;

use globset::GlobBuilder;
use serde::Deserialize;
use toml::Spanned;

use flowreg_git::tagging::{CalendarFormat, Scheme, Series, SeriesSet, SeveralSeries};
use flowreg_model::{TagName, nearest, normalized_path};

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
    pub paths: Option<Vec<Spanned<String>>>,
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
    pub paths: Option<Vec<Spanned<String>>>,
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

/// The series of the repository.
#[derive(Debug, Clone)]
pub(crate) struct TagSettings {
    /// Which tags are versions of what.
    pub series: SeriesSet,
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

/// Why it is not known which series is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SeriesError {
    /// The tags fit several.
    Several(SeveralSeries),
    /// No package was named, or one that is not there.
    NoSeries(NoSeries),
}

impl From<SeveralSeries> for SeriesError {
    fn from(several: SeveralSeries) -> Self {
        Self::Several(several)
    }
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
        let base = PackageTable { prefix, scheme, format, initial, pre, paths };
        let none = PackageTable::default();
        let mut declared: Vec<Series> = Vec::new();
        // With packages, `flowreg tag` alone may just be a forgotten `--package`. A prefix under
        // `[tag]` says that the repository as a whole has versions, too.
        if let Some(prefix) = &base.prefix {
            declared.push(series(&base, &none, prefix.get_ref(), None)?);
        } else if package.is_empty() {
            let Series { scheme, paths, .. } = series(&base, &none, "", None)?;
            return Ok(Self { series: SeriesSet::Found { scheme, paths } });
        }
        for (name, table) in package {
            let one = series(&table, &base, &format!("{name}/v"), Some(&name))?;
            if let Some(other) = declared.iter().find(|other| other.prefix == one.prefix) {
                let other = other.package.as_ref();
                let other = other.map_or_else(|| "[tag]".to_owned(), |other| format!("`{other}`"));
                return Err(TagProblem {
                    at: table.prefix.as_ref().map_or(0, |prefix| prefix.span().start),
                    message: format!(
                        "`{name}` and {other} have the same prefix, `{}`: a tag would be a version \
                         of both",
                        one.prefix
                    ),
                    hint: format!("prefix = \"{name}/v\" under [tag.package.{name}]"),
                });
            }
            declared.push(one);
        }
        Ok(Self { series: SeriesSet::Declared(declared) })
    }

    /// The series of a package, or of the whole repository. `tags` are all that there are.
    ///
    /// # Errors
    /// If there is no such package, or nothing says which of several is meant.
    pub(crate) fn series(
        &self,
        package: Option<&str>,
        tags: &[TagName],
    ) -> Result<Series, SeriesError> {
        let all = self.series.all(tags)?;
        let meant = all.iter().find(|one| one.package.as_deref() == package).cloned();
        meant.ok_or_else(|| {
            let packages: Vec<String> = all.into_iter().filter_map(|one| one.package).collect();
            let names: Vec<&str> = packages.iter().map(String::as_str).collect();
            let nearest = package.and_then(|name| nearest(name, &names)).map(str::to_owned);
            SeriesError::NoSeries(NoSeries { packages, nearest })
        })
    }
}

fn series(
    table: &PackageTable,
    base: &PackageTable,
    default_prefix: &str,
    package: Option<&str>,
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
    let package = package.map(str::to_owned);
    let paths = match &table.paths {
        Some(paths) => normalized(paths)?,
        None => package.iter().cloned().collect(),
    };
    Ok(Series { prefix: prefix.to_owned(), scheme, package, paths })
}

/// Paths from the root, without what people write around them; none if one of them is the root itself.
fn normalized(paths: &[Spanned<String>]) -> Result<Vec<String>, TagProblem> {
    let mut found = Vec::new();
    for path in paths {
        let problem = |message: String, hint: &str| TagProblem {
            at: path.span().start,
            message,
            hint: hint.to_owned(),
        };
        let text = path.get_ref();
        let normal = normalized_path(text).ok_or_else(|| {
            problem(
                format!("`{text}` leads out of the repository"),
                "for example paths = [\"etl\"]",
            )
        })?;
        if let Err(error) = GlobBuilder::new(&normal).literal_separator(true).build() {
            let message = format!("`{text}` is not a glob: {}", error.kind());
            return Err(problem(message, "for example paths = [\"packages/*/flows\"]"));
        }
        found.push(normal);
    }
    let is_all = found.iter().any(String::is_empty);
    Ok(if is_all { Vec::new() } else { found })
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
