//! What is asked of `flowreg tag`, and which series and version that means.

use flowreg_git::tagging::{Bump, RequestedVersion, Series};

use crate::run::RunRequest;
use crate::settings::Settings;

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
    #[error("`{text}` is no version of the scheme of {prefix}…")]
    NoVersion {
        /// What was asked for.
        text: String,
        /// The prefix of the series.
        prefix: String,
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

impl TagUsageError {
    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::PreWithoutBump => vec!["flowreg tag --bump pre --pre <word>".to_owned()],
            Self::NoVersion { .. } => vec!["flowreg tag --print".to_owned()],
            Self::NoPackage { packages, .. } | Self::WhichPackage { packages } => {
                packages.iter().map(|name| format!("flowreg tag --package {name}")).collect()
            }
            Self::SignedForPrefect1 => vec!["flowreg tag, without --sign".to_owned()],
        }
    }
}

/// Which series and version are meant.
pub(super) fn requested_version(
    request: &TagRequest,
    settings: &Settings,
) -> Result<(Series, RequestedVersion), TagUsageError> {
    let package = request.package.as_deref();
    let Some(text) = &request.version else {
        let bump = request.bump;
        if request.pre.is_some() && bump != Some(Bump::Pre) {
            return Err(TagUsageError::PreWithoutBump);
        }
        let next =
            RequestedVersion::Next { bump, pre: request.pre.clone(), build: request.build.clone() };
        return Ok((series(settings, package)?, next));
    };
    // CI providers often give the full name of a ref.
    let name = text.strip_prefix("refs/tags/").unwrap_or(text);
    let by_prefix = settings.tag.series_by_prefix(name);
    let series = match (package, by_prefix) {
        (None, Some(series)) => series.clone(),
        _ => series(settings, package)?,
    };
    let version = name.strip_prefix(series.prefix.as_str()).and_then(|rest| series.parse(rest));
    let version = version.or_else(|| series.parse(name)).ok_or_else(|| {
        TagUsageError::NoVersion { text: text.clone(), prefix: series.prefix.clone() }
    })?;
    Ok((series, RequestedVersion::Exactly { version, may_be_lower: request.run.allow_downgrade }))
}

/// The series of a package, or of the whole repository.
pub(super) fn series(settings: &Settings, package: Option<&str>) -> Result<Series, TagUsageError> {
    settings.tag.series(package).cloned().map_err(|missing| {
        let packages = missing.nearest.map_or(missing.packages, |name| vec![name]);
        match package {
            Some(name) => TagUsageError::NoPackage { name: name.to_owned(), packages },
            None => TagUsageError::WhichPackage { packages },
        }
    })
}
