//! Computes the version that comes next, from values alone.
//!
//! Whatever it is computed from, it is greater than every version in the commit's history, or there
//! is an error. A property test checks that.

use semver::{BuildMetadata, Prerelease, Version as Semantic};

use super::calendar::Day;
use super::conventional::Impact;
use super::series::{Scheme, Series};
use super::version::Version;

/// Which part of a version goes up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bump {
    /// `2.0.0` after `1.4.2`.
    Major,
    /// `1.5.0` after `1.4.2`.
    Minor,
    /// `1.4.3` after `1.4.2`.
    Patch,
    /// `1.5.0-rc.2` after `1.5.0-rc.1`.
    Pre,
}

/// What the next version follows from.
#[derive(Debug, Clone, Default)]
pub(crate) struct VersionInputs {
    /// The highest version in the commit's history.
    pub(crate) latest: Option<Version>,
    /// The highest one that is no pre-release.
    pub(crate) released: Option<Version>,
    /// What the commits since the highest release ask for.
    pub(crate) impact: Option<Impact>,
    /// What was asked for instead.
    pub(crate) bump: Option<Bump>,
    /// What a new pre-release is called, if not as the series says.
    pub(crate) pre: Option<String>,
    /// Build metadata of the new version.
    pub(crate) build: Option<String>,
    /// Which day it is.
    pub(crate) today: Option<Day>,
}

/// Why there is no next version.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NextError {
    /// A number of the version is the last one that there is.
    #[error("there is no version after {0}")]
    Last(String),
    /// The name of the pre-release, or the build metadata, is not valid in a semantic version.
    #[error("`{0}` can't be a part of a semantic version: only letters, digits, `-` and `.`")]
    Word(String),
    /// A pre-release of this name would come before the one that there is.
    #[error("a pre-release called `{pre}` comes before {latest}")]
    Lower {
        /// What it was to be called.
        pre: String,
        /// The version that there is.
        latest: String,
    },
    /// Calendar versions have no part to choose, no pre-releases and no build metadata.
    #[error(
        "versions of the scheme calver follow from the date: --bump, --pre and --build are for semver"
    )]
    NotSemantic,
    /// The last version has more numbers than a semantic one or leading zeros, or is a date.
    #[error("{0} is no semantic version, so none can be counted up from it")]
    NotCounted(String),
    /// The format has one version for a day, and it is used.
    #[error("{0} exists, and the format has no MICRO for a second version of the same day")]
    OneADay(String),
}

/// The next version of a series; `None` if nothing since the last release asks for one.
///
/// # Errors
/// [`NextError`] if something was asked for that can't be.
pub(crate) fn next(series: &Series, inputs: &VersionInputs) -> Result<Option<Version>, NextError> {
    match &series.scheme {
        Scheme::Calendar(format) => {
            if inputs.bump.is_some() || inputs.pre.is_some() || inputs.build.is_some() {
                return Err(NextError::NotSemantic);
            }
            let latest = inputs.latest.as_ref();
            let Some(today) = inputs.today else { return Ok(None) };
            let next = format.next(today, latest).ok_or_else(|| match latest {
                Some(latest) if format.has_micro() => NextError::Last(latest.to_string()),
                latest => NextError::OneADay(latest.map(ToString::to_string).unwrap_or_default()),
            })?;
            Ok(Some(next))
        }
        Scheme::Semantic { initial, pre } => {
            let pre = inputs.pre.as_deref().unwrap_or(pre);
            let Some(mut next) = semantic(initial, pre, inputs)? else { return Ok(None) };
            if let Some(build) = &inputs.build {
                next.build =
                    BuildMetadata::new(build).map_err(|_| NextError::Word(build.clone()))?;
            }
            Ok(Some(next.into()))
        }
    }
}

fn semantic(
    initial: &Semantic,
    pre: &str,
    inputs: &VersionInputs,
) -> Result<Option<Semantic>, NextError> {
    let counted = |version: &Version| {
        version.semantic().ok_or_else(|| NextError::NotCounted(version.to_string()))
    };
    let latest = inputs.latest.as_ref().map(counted).transpose()?;
    let released = inputs.released.as_ref().map(counted).transpose()?;
    let (latest, released) = (latest.as_ref(), released.as_ref());
    let last = |version: &Semantic| NextError::Last(version.to_string());
    // Without any version the series begins where its settings say, whatever the commits ask for.
    let Some(latest) = latest else {
        let first = core(initial);
        let is_pre = inputs.bump == Some(Bump::Pre);
        return if is_pre {
            pre_release(first, pre, "1").map(Some)
        } else {
            Ok(Some(initial.clone()))
        };
    };
    // The release that the commits since the last one lead to.
    let release = |bump: Bump| -> Result<Semantic, NextError> {
        let stepped = match released {
            Some(released) => step(released, bump).ok_or_else(|| last(released))?,
            None => core(latest),
        };
        // A pre-release may have announced as much or more already: then the step is made from there.
        if stepped.cmp_precedence(latest).is_gt() {
            return Ok(stepped);
        }
        step(latest, bump).ok_or_else(|| last(latest))
    };
    let is_young = released.unwrap_or(latest).major == 0;
    let implied = inputs.impact.map(|impact| match impact {
        // Before 1.0.0 nothing is promised, so a breaking change raises the minor version
        // (https://semver.org/#spec-item-4). To 1.0.0 leads `--bump major`.
        Impact::Major if is_young => Bump::Minor,
        Impact::Major => Bump::Major,
        Impact::Minor => Bump::Minor,
        Impact::Patch => Bump::Patch,
    });
    match (inputs.bump, implied) {
        (Some(Bump::Pre), implied) => {
            let bump = implied.unwrap_or(Bump::Patch);
            let target = match released {
                Some(released) => step(released, bump).ok_or_else(|| last(released))?,
                None => core(latest),
            };
            // The latest pre-release leads to that release or to a higher one: count it up. Otherwise the
            // commits since then ask for more than it announced, and a new count begins.
            if target.cmp_precedence(latest).is_lt() || target == core(latest) {
                return next_pre_release(latest, pre).map(Some);
            }
            pre_release(target, pre, "1").map(Some)
        }
        (Some(bump), _) => release(bump).map(Some),
        (None, Some(implied)) => {
            let next = release(implied)?;
            // If a pre-release announced more than the commits ask for, that release is what comes.
            let announced = core(latest);
            let is_announced = !latest.pre.is_empty() && announced.cmp_precedence(&next).is_gt();
            Ok(Some(if is_announced { announced } else { next }))
        }
        (None, None) => Ok(None),
    }
}

/// Major, minor and patch alone, without pre-release and build metadata.
fn core(version: &Semantic) -> Semantic {
    Semantic::new(version.major, version.minor, version.patch)
}

/// The release that a bump makes of a version. Of a pre-release it is the release that it announces,
/// if that is enough: `minor` of `1.5.0-rc.1` is `1.5.0`, of `1.5.1-rc.1` it is `1.6.0`.
fn step(version: &Semantic, bump: Bump) -> Option<Semantic> {
    let is_announced = !version.pre.is_empty();
    let core = core(version);
    Some(match bump {
        Bump::Major if is_announced && core.minor == 0 && core.patch == 0 => core,
        Bump::Minor if is_announced && core.patch == 0 => core,
        Bump::Patch | Bump::Pre if is_announced => core,
        Bump::Major => Semantic::new(core.major.checked_add(1)?, 0, 0),
        Bump::Minor => Semantic::new(core.major, core.minor.checked_add(1)?, 0),
        Bump::Patch | Bump::Pre => {
            Semantic::new(core.major, core.minor, core.patch.checked_add(1)?)
        }
    })
}

fn pre_release(mut version: Semantic, pre: &str, number: &str) -> Result<Semantic, NextError> {
    let text = format!("{pre}.{number}");
    version.pre = Prerelease::new(&text).map_err(|_| NextError::Word(pre.to_owned()))?;
    Ok(version)
}

/// `rc.2` after `rc.1`, `rc.1` after `beta.3`.
fn next_pre_release(latest: &Semantic, pre: &str) -> Result<Semantic, NextError> {
    let held = latest.pre.as_str();
    let counted = held.strip_prefix(pre).filter(|rest| rest.is_empty() || rest.starts_with('.'));
    let next = match counted {
        Some(rest) => {
            let first = rest.trim_start_matches('.').split('.').next().unwrap_or("");
            let number = match first.parse::<u64>() {
                Ok(number) => {
                    number.checked_add(1).ok_or_else(|| NextError::Last(latest.to_string()))?
                }
                // All digits and yet no number: it is larger than any that can be counted up.
                Err(_) if first.bytes().all(|byte| byte.is_ascii_digit()) && !first.is_empty() => {
                    return Err(NextError::Last(latest.to_string()));
                }
                Err(_) => 1,
            };
            pre_release(core(latest), pre, &number.to_string())?
        }
        None => pre_release(core(latest), pre, "1")?,
    };
    // Semver compares the words by their letters: `alpha.1` would come before `rc.2`.
    if next.cmp_precedence(latest).is_gt() {
        return Ok(next);
    }
    Err(NextError::Lower { pre: pre.to_owned(), latest: latest.to_string() })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn series() -> Series {
        let initial = Semantic::new(1, 0, 0);
        let scheme = Scheme::Semantic { initial, pre: "rc".to_owned() };
        Series { prefix: "v".to_owned(), scheme, package: None, paths: Vec::new() }
    }

    fn inputs(
        latest: &str,
        released: &str,
        impact: Option<Impact>,
        bump: Option<Bump>,
    ) -> VersionInputs {
        let version = |text| series().parse(text);
        let (latest, released) = (version(latest), version(released));
        VersionInputs { latest, released, impact, bump, ..VersionInputs::default() }
    }

    fn answer(inputs: &VersionInputs) -> String {
        match next(&series(), inputs) {
            Ok(Some(version)) => version.to_string(),
            Ok(None) => "nothing".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn commits_decide() {
        use Impact::{Major, Minor, Patch};
        for (latest, impact, expected) in [
            ("1.4.2", Some(Major), "2.0.0"),
            ("1.4.2", Some(Minor), "1.5.0"),
            ("1.4.2", Some(Patch), "1.4.3"),
            ("1.4.2", None, "nothing"),
            ("0.4.2", Some(Major), "0.5.0"),
            ("0.4.2", Some(Minor), "0.5.0"),
            ("0.4.2", Some(Patch), "0.4.3"),
            ("1.4.2+build.5", Some(Patch), "1.4.3"),
        ] {
            assert_eq!(
                answer(&inputs(latest, latest, impact, None)),
                expected,
                "{latest} {impact:?}"
            );
        }
        assert_eq!(answer(&VersionInputs::default()), "1.0.0");
    }

    #[test]
    fn a_bump_decides_over_commits() {
        use Bump::{Major, Minor, Patch, Pre};
        for (latest, released, bump, expected) in [
            ("1.4.2", "1.4.2", Major, "2.0.0"),
            ("0.4.2", "0.4.2", Major, "1.0.0"),
            ("1.4.2", "1.4.2", Minor, "1.5.0"),
            ("1.4.2", "1.4.2", Patch, "1.4.3"),
            ("1.4.2", "1.4.2", Pre, "1.4.3-rc.1"),
            ("1.5.0-rc.1", "1.4.2", Pre, "1.5.0-rc.2"),
            ("1.5.0-rc.9", "1.4.2", Pre, "1.5.0-rc.10"),
            ("1.5.0-rc", "1.4.2", Pre, "1.5.0-rc.1"),
            ("1.5.0-beta.3", "1.4.2", Pre, "1.5.0-rc.1"),
            ("1.5.0-rc.1", "1.4.2", Minor, "1.5.0"),
            ("1.5.0-rc.1", "1.4.2", Patch, "1.5.0"),
            ("1.5.0-rc.1", "1.4.2", Major, "2.0.0"),
            ("2.0.0-rc.1", "1.4.2", Minor, "2.0.0"),
            ("2.0.1-rc.1", "1.4.2", Minor, "2.1.0"),
            ("1.0.0-rc.1", "", Pre, "1.0.0-rc.2"),
            ("1.0.0-rc.1", "", Patch, "1.0.0"),
        ] {
            let inputs = inputs(latest, released, None, Some(bump));
            assert_eq!(answer(&inputs), expected, "{latest} after {released}, {bump:?}");
        }
        let first = VersionInputs { bump: Some(Pre), ..VersionInputs::default() };
        assert_eq!(answer(&first), "1.0.0-rc.1");
    }

    #[test]
    fn pre_releases_lead_to_their_release_or_beyond() {
        use Impact::{Major, Minor, Patch};
        for (latest, released, impact, expected) in [
            ("1.5.0-rc.2", "1.4.2", Some(Minor), "1.5.0"),
            ("1.5.0-rc.2", "1.4.2", Some(Patch), "1.5.0"),
            ("1.5.0-rc.2", "1.4.2", Some(Major), "2.0.0"),
            ("2.0.0-rc.2", "1.4.2", Some(Minor), "2.0.0"),
            ("1.0.0-rc.2", "", Some(Patch), "1.0.0"),
            ("1.5.0-rc.2", "1.4.2", None, "nothing"),
        ] {
            assert_eq!(
                answer(&inputs(latest, released, impact, None)),
                expected,
                "{latest} {impact:?}"
            );
        }
        // More than was announced: a new pre-release of the greater one.
        let more = inputs("1.5.0-rc.2", "1.4.2", Some(Major), Some(Bump::Pre));
        assert_eq!(answer(&more), "2.0.0-rc.1");
    }

    #[test]
    fn what_cannot_be_is_said() {
        let last = inputs(
            "1.0.18446744073709551615",
            "1.0.18446744073709551615",
            Some(Impact::Patch),
            None,
        );
        assert_eq!(answer(&last), "there is no version after 1.0.18446744073709551615");
        let lower = VersionInputs {
            pre: Some("alpha".to_owned()),
            ..inputs("1.5.0-rc.1", "1.4.2", None, Some(Bump::Pre))
        };
        assert_eq!(answer(&lower), "a pre-release called `alpha` comes before 1.5.0-rc.1");
        let word = VersionInputs {
            pre: Some("r c".to_owned()),
            ..inputs("1.4.2", "1.4.2", None, Some(Bump::Pre))
        };
        assert!(answer(&word).starts_with("`r c` can't"));
        let build = VersionInputs {
            build: Some("7.abc".to_owned()),
            ..inputs("1.4.2", "1.4.2", Some(Impact::Patch), None)
        };
        assert_eq!(answer(&build), "1.4.3+7.abc");
    }

    fn pre_words() -> impl Strategy<Value = String> {
        prop_oneof![
            3 => Just(String::new()),
            2 => (prop_oneof!["alpha", "beta", "rc", "zz"], 0..30_u64).prop_map(|(word, n)| format!("{word}.{n}")),
            1 => "(rc|rc\\.1\\.a|[a-z]{1,4}(\\.[1-9][0-9]?){0,2})",
        ]
    }

    fn versions() -> impl Strategy<Value = Semantic> {
        let numbers = (0..4_u64, 0..12_u64, 0..12_u64);
        (numbers, pre_words(), prop_oneof!["", "b\\.[0-9]"]).prop_map(
            |((major, minor, patch), pre, build)| {
                let mut version = Semantic::new(major, minor, patch);
                version.pre = Prerelease::new(&pre).unwrap();
                version.build = BuildMetadata::new(&build).unwrap();
                version
            },
        )
    }

    fn impacts() -> impl Strategy<Value = Option<Impact>> {
        prop_oneof![
            Just(None),
            Just(Some(Impact::Patch)),
            Just(Some(Impact::Minor)),
            Just(Some(Impact::Major)),
        ]
    }

    fn bumps() -> impl Strategy<Value = Option<Bump>> {
        prop_oneof![
            Just(None),
            Just(Some(Bump::Pre)),
            Just(Some(Bump::Patch)),
            Just(Some(Bump::Minor)),
            Just(Some(Bump::Major)),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4096))]

        #[test]
        fn the_next_version_is_greater_than_all_before(
            history in prop::collection::vec(versions(), 0..8), impact in impacts(), bump in bumps(),
        ) {
            let highest = |wants: fn(&Semantic) -> bool| {
                let among = history.iter().filter(|version| wants(version));
                among.max_by(|one, other| one.cmp_precedence(other)).cloned().map(Version::from)
            };
            let inputs = VersionInputs {
                latest: highest(|_| true), released: highest(|version| version.pre.is_empty()),
                impact, bump, ..VersionInputs::default()
            };
            match next(&series(), &inputs) {
                Ok(Some(next)) => {
                    for before in &history {
                        let before = Version::from(before.clone());
                        prop_assert!(next.precedence(&before).is_gt(), "{next} after {before}");
                    }
                    prop_assert_eq!(next.is_pre_release(), bump == Some(Bump::Pre));
                }
                Ok(None) => prop_assert!(bump.is_none() && impact.is_none()),
                // Only a pre-release may have a name that comes too early.
                Err(error) => {
                    let is_lower = matches!(error, NextError::Lower { .. });
                    prop_assert!(is_lower && bump == Some(Bump::Pre));
                }
            }
        }

        #[test]
        fn precedence_is_that_of_semver(one in versions(), other in versions()) {
            let wrapped = (Version::from(one.clone()), Version::from(other.clone()));
            let order = wrapped.0.precedence(&wrapped.1);
            prop_assert_eq!(order, wrapped.1.precedence(&wrapped.0).reverse());
            prop_assert_eq!(order, reference_order(&one.to_string(), &other.to_string()));
        }

        #[test]
        fn tags_and_versions_are_pairs_and_prefixes_never_mix(
            version in versions(), prefix in "(v|etl/v|etl-v|ml/|v1-|)", other in "(v|etl/v|etl-v|ml/|v1-|)",
        ) {
            let of = |prefix: &str| Series { prefix: prefix.to_owned(), ..series() };
            let version = Version::from(version);
            let tag = of(&prefix).tag_of(&version).unwrap();
            prop_assert_eq!(of(&prefix).version_of(&tag), Some(version));
            prop_assert!(prefix == other || of(&other).version_of(&tag).is_none(), "{tag} in {other}");
        }
    }

    /// Semver §11, written down once more and from the text alone.
    fn reference_order(one: &str, other: &str) -> std::cmp::Ordering {
        let parts = |text: &str| {
            let text = text.split('+').next().unwrap().to_owned();
            let (core, pre) =
                text.split_once('-').map_or((text.as_str(), None), |(core, pre)| (core, Some(pre)));
            let core: Vec<u64> = core.split('.').map(|part| part.parse().unwrap()).collect();
            // A version without a pre-release is the greatest of its core.
            let pre: Option<Vec<(bool, u64, String)>> = pre.map(|pre| {
                pre.split('.')
                    .map(|word| match word.parse::<u64>() {
                        Ok(number) => (false, number, String::new()),
                        Err(_) => (true, 0, word.to_owned()),
                    })
                    .collect()
            });
            (core, pre.is_none(), pre)
        };
        parts(one).cmp(&parts(other))
    }
}
