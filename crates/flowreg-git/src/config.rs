//! Git's configuration, put together from files and the environment that was handed in.
//!
//! gix would read the environment of the process; here it is a value, so that a run depends on
//! nothing that its caller didn't pass. Order of precedence: system, global, local, worktree,
//! environment (<https://git-scm.com/docs/git-config#SCOPES>).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gix::config::file::{Metadata, includes, init};
use gix::config::source::Kind;
use gix::config::{File, KeyRef, Source, path::interpolate};
use gix::refs::FullNameRef;

use super::GitError;
use flowreg_model::Environment;

/// What the conditions of conditional includes (`includeIf "gitdir:…"`, `includeIf "onbranch:…"`)
/// are compared with.
#[derive(Clone, Copy)]
pub(super) struct IncludeConditions<'a> {
    pub(super) git_dir: &'a Path,
    pub(super) branch: Option<&'a FullNameRef>,
}

/// Reads the files of the system and the user; includes are not followed yet.
pub(super) fn of_user(environment: &Environment) -> Result<File, GitError> {
    let mut variable = |name: &str| environment.raw(name).map(OsString::from);
    let files = [Kind::System, Kind::Global].into_iter().flat_map(Kind::sources).filter_map(
        |source: &Source| {
            let path = source.storage_location(&mut variable)?;
            Some(Metadata::from(*source).at(path).with(gix::sec::Trust::Full))
        },
    );
    // A file that is missing or can't be opened is passed over; git processes complain if they must.
    let options = init::Options { ignore_io_errors: true, ..Default::default() };
    let file = File::from_paths_metadata(files, options).map_err(|error| unreadable(&error))?;
    Ok(file.unwrap_or_default())
}

/// Adds the repository's own files, follows includes, and adds `GIT_CONFIG_COUNT`'s values.
pub(super) fn complete(
    mut configuration: File,
    of_repository: Option<File>,
    conditions: IncludeConditions<'_>,
    environment: &Environment,
) -> Result<File, GitError> {
    if let Some(file) = of_repository {
        configuration.append(file).map_err(|error| unreadable(&error))?;
    }
    let home = environment.get("HOME").map(PathBuf::from);
    let interpolate = interpolate::Context {
        git_install_dir: None,
        home_dir: home.as_deref(),
        home_for_user: Some(interpolate::home_for_user),
    };
    let conditional = includes::conditional::Context {
        git_dir: Some(conditions.git_dir),
        branch_name: conditions.branch,
    };
    let options = init::Options {
        includes: includes::Options::follow(interpolate, conditional),
        ignore_io_errors: true,
        ..Default::default()
    };
    configuration.resolve_includes(options).map_err(|error| unreadable(&error))?;
    // Last, because what the environment sets goes before every file, included ones as well.
    let of_environment = of_environment(environment)?;
    configuration.append(of_environment).map_err(|error| unreadable(&error))?;
    Ok(configuration)
}

/// The values of `GIT_CONFIG_KEY_<n>` and `GIT_CONFIG_VALUE_<n>` (git-config(1), ENVIRONMENT).
fn of_environment(environment: &Environment) -> Result<File, GitError> {
    let mut file = File::new(Metadata::from(Source::Env).with(gix::sec::Trust::Full));
    let count = environment.get("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok());
    for index in 0..count.unwrap_or(0_usize) {
        let pair = (
            environment.get(&format!("GIT_CONFIG_KEY_{index}")),
            environment.raw(&format!("GIT_CONFIG_VALUE_{index}")),
        );
        // Git would end with an error here. To go on is harmless: every git process that is started
        // later gets the same environment, and complains.
        let (Some(key), Some(value)) = pair else { continue };
        push(&mut file, key, Some(value)).map_err(|error| unreadable(&error))?;
    }
    for (key, value) in parameters(environment.raw("GIT_CONFIG_PARAMETERS").unwrap_or_default()) {
        push(&mut file, &key, value.as_deref()).map_err(|error| unreadable(&error))?;
    }
    Ok(file)
}

fn push(file: &mut File, key: &str, value: Option<&str>) -> gix::Result<()> {
    let Some(key) = KeyRef::parse_unvalidated(key.into()) else { return Ok(()) };
    let mut section = file.section_mut_or_create_new(key.section_name, key.subsection_name)?;
    section.push(key.value_name, value.map(Into::into))?;
    Ok(())
}

/// What `git -c` hands to the processes it starts: `'key'='value'`, before git 2.31
/// `'key=value'`, separated by blanks. A key without a value stands for "true".
fn parameters(text: &str) -> Vec<(String, Option<String>)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_start();
    while let Some((word, after)) = dequote(rest) {
        rest = after;
        if let Some(value) = rest.strip_prefix('=') {
            // `git -c key` is `'key'=`, and `git -c key=` is `'key'=''`.
            let (value, after) =
                dequote(value).map_or((None, value), |(value, after)| (Some(value), after));
            rest = after;
            pairs.push((word, value));
        } else if let Some((key, value)) = word.split_once('=') {
            pairs.push((key.to_owned(), Some(value.to_owned())));
        } else {
            pairs.push((word, None));
        }
        rest = rest.trim_start();
    }
    pairs
}

/// One word as git's `sq_quote` writes it: in single quotes, with `'` and `!` outside of them
/// behind a backslash. Also what comes after it; `None` if there is none.
fn dequote(text: &str) -> Option<(String, &str)> {
    let mut word = String::new();
    let mut rest = text.strip_prefix('\'')?;
    loop {
        let (quoted, after) = rest.split_once('\'')?;
        word.push_str(quoted);
        let Some(escaped) = after.strip_prefix('\\') else { return Some((word, after)) };
        word.push(escaped.chars().next()?);
        rest = escaped.get(1..)?.strip_prefix('\'')?;
    }
}

fn unreadable(error: &gix::Error) -> GitError {
    GitError::Configuration { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_both_generations_of_git_write_them() {
        let pairs = |text: &str| -> Vec<(String, String)> {
            let pairs = parameters(text).into_iter();
            pairs.map(|(key, value)| (key, value.unwrap_or("true".to_owned()))).collect()
        };
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        for (text, expected) in [
            ("'flowreg.enabled'='false'", vec![pair("flowreg.enabled", "false")]),
            ("'flowreg.enabled=false'", vec![pair("flowreg.enabled", "false")]),
            ("'a.b'= 'c.d'='x y'", vec![pair("a.b", "true"), pair("c.d", "x y")]),
            ("'a.b'='' 'c.d'=", vec![pair("a.b", ""), pair("c.d", "true")]),
            ("'a.b' 'c.d=1=2'", vec![pair("a.b", "true"), pair("c.d", "1=2")]),
            ("'a.b'='it'\\''s'\\!''", vec![pair("a.b", "it's!")]),
            ("", vec![]),
            ("no quotes", vec![]),
            ("'a.b'='open", vec![pair("a.b", "true")]),
        ] {
            assert_eq!(pairs(text), expected, "{text}");
        }
    }
}
