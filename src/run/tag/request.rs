//! What is asked of `flowreg tag`, and which series and version that means.

use flowreg_git::tagging::{Bump, RequestedVersion, Series, SeriesTags};
use flowreg_git::{ReferenceError, RemoteTags};
use flowreg_model::{TagName, quoted};

use crate::run::{RunError, RunRequest};
use crate::settings::{SeriesError, Settings};

/// Which tag is to be made, and how.
#[expect(clippy::struct_excessive_bools, reason = "each is a choice of its own")]
#[derive(Debug, Clone, Default)]
pub(crate) struct TagRequest {
    /// The version, with or without the prefix of its series; `None`: the next one.
    pub version: Option<String>,
    /// Which part goes up, instead of what the commits ask for.
    pub bump: Option<Bump>,
    /// What a pre-release is called.
    pub pre: Option<String>,
    /// Build metadata of the version.
    pub build: Option<String>,
    /// The package of `[tag.package]`.
    pub package: Option<String>,
    /// The commit to tag; HEAD if nothing is said.
    pub commit: Option<String>,
    /// Say which tag it would be, and make none.
    pub print: bool,
    /// The same, and plan what would be registered at it.
    pub dry_run: bool,
    /// Do not ask the remote: the tags of this clone count. Goes with `print` and the list only.
    pub offline: bool,
    /// Sign the tag, as git is configured to.
    pub sign: bool,
    /// The tag's message, instead of the list of commits.
    pub message: Option<String>,
    /// Push the active branch together with the tag, both or none.
    pub with_branch: bool,
    /// Tag a commit that is not on a mainline branch.
    pub off_mainline: bool,
    /// Whether everything is registered at the tag afterwards.
    pub register: bool,
    /// How that is done. Its reference has the remote to push to; `allow_downgrade` also takes a
    /// version that is lower than others.
    pub run: RunRequest,
}

/// A request that contradicts itself, or the settings.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TagUsageError {
    /// `--pre` without `--bump pre`.
    #[error("--pre goes with --bump pre")]
    PreWithoutBump,
    /// The version does not follow the scheme of the series.
    #[error("`{text}` is no version of the scheme of {}", written(.prefix))]
    NoVersion {
        /// What was asked for.
        text: String,
        /// The prefix of the series.
        prefix: String,
        /// What to type.
        hints: Vec<String>,
    },
    /// No such package.
    #[error("there is no package `{name}` under [tag.package]")]
    NoPackage {
        /// What was asked for.
        name: String,
        /// The packages that may be meant.
        packages: Vec<String>,
    },
    /// Each package has versions of its own, and none was named.
    #[error("several packages have versions of their own: which one?")]
    WhichPackage {
        /// The packages.
        packages: Vec<String>,
    },
    /// Workers of Prefect 1 crash on annotated tags, and a signed tag is one.
    #[error("workers of prefect1 can't use a signed tag: it is an annotated one")]
    SignedForPrefect1,
}

/// How the tags of a series are written.
fn written(prefix: &str) -> String {
    if prefix.is_empty() { "tags without a prefix".to_owned() } else { format!("{prefix}…") }
}

impl TagUsageError {
    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::PreWithoutBump => vec!["flowreg … --bump pre".to_owned()],
            Self::NoVersion { hints, .. } => hints.clone(),
            Self::NoPackage { packages, .. } | Self::WhichPackage { packages } => {
                let option = |name: &String| format!("flowreg … --package {}", quoted(name));
                packages.iter().map(option).collect()
            }
            Self::SignedForPrefect1 => vec!["flowreg … without --sign".to_owned()],
        }
    }
}

impl TagRequest {
    /// Refuses what contradicts itself, before anything is asked.
    pub(super) fn check(&self) -> Result<(), TagUsageError> {
        if self.pre.is_some() && self.bump != Some(Bump::Pre) {
            return Err(TagUsageError::PreWithoutBump);
        }
        Ok(())
    }
}

/// Which series and version are meant; `listed` are all tags that there are.
pub(super) fn requested_version(
    request: &TagRequest,
    settings: &Settings,
    listed: &RemoteTags,
) -> Result<(Series, RequestedVersion), RunError> {
    let package = request.package.as_deref();
    let Some(text) = &request.version else {
        let next = RequestedVersion::Next {
            bump: request.bump,
            pre: request.pre.clone(),
            build: request.build.clone(),
        };
        return Ok((series(settings, package, listed)?, next));
    };
    // CI providers often give the full name of a ref.
    let name = text.strip_prefix("refs/tags/").unwrap_or(text);
    // A package need not be named where the prefix of its tag tells which one it is.
    let by_prefix = name.parse().ok().and_then(|tag| settings.tag.series.series_of(&tag).cloned());
    let series = match (package, by_prefix) {
        (None, Some(series)) => series,
        _ => series(settings, package, listed)?,
    };
    let in_full = name.strip_prefix(series.prefix.as_str()).and_then(|rest| series.parse(rest));
    let is_in_full = in_full.is_some();
    let version = in_full.or_else(|| series.parse(name)).ok_or_else(|| {
        let tags = SeriesTags::new(listed.clone(), &settings.tag.series, &series);
        TagUsageError::NoVersion {
            text: text.clone(),
            prefix: series.prefix.clone(),
            hints: tags.hints_instead_of(&series, name),
        }
    })?;
    let may_be_lower = request.run.allow_downgrade;
    Ok((series, RequestedVersion::Exactly { version, may_be_lower, is_in_full }))
}

/// The series of a package, or of the whole repository; `listed` are all tags that there are.
pub(super) fn series(
    settings: &Settings,
    package: Option<&str>,
    listed: &RemoteTags,
) -> Result<Series, RunError> {
    let tags: Vec<TagName> = listed.tags.iter().map(|tag| tag.name.clone()).collect();
    settings.tag.series(package, &tags).map_err(|error| {
        let missing = match error {
            SeriesError::Several(several) => return ReferenceError::from(several).into(),
            SeriesError::NoSeries(missing) => missing,
        };
        let packages = missing.nearest.map_or(missing.packages, |name| vec![name]);
        let error = match package {
            Some(name) => TagUsageError::NoPackage { name: name.to_owned(), packages },
            None => TagUsageError::WhichPackage { packages },
        };
        error.into()
    })
}
