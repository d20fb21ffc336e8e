//! Git's configuration, put together from files and the environment that was handed in.
//!
//! gix would read the environment of the process; here it is a value, so that a run depends on
//! nothing that its caller didn't pass. Order of precedence: git-config(1).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use gix::config::file::{Metadata, includes, init};
use gix::config::source::Kind;
use gix::config::{File, KeyRef, Source, path::interpolate};
use gix::refs::FullNameRef;

use super::GitError;
use crate::model::Environment;

/// What conditional includes (`includeIf`) are decided by.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
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
    let options = init::Options { ignore_io_errors: true, ..Default::default() };
    let file = File::from_paths_metadata(files, options).map_err(|error| unreadable(&error))?;
    Ok(file.unwrap_or_default())
}

/// Adds the repository's own files, follows includes, and adds `GIT_CONFIG_COUNT`'s values.
pub(super) fn complete(
    mut configuration: File,
    of_repository: Option<File>,
    place: Place<'_>,
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
    let conditional =
        includes::conditional::Context { git_dir: Some(place.git_dir), branch_name: place.branch };
    let options = init::Options {
        includes: includes::Options::follow(interpolate, conditional),
        ignore_io_errors: true,
        ..Default::default()
    };
    configuration.resolve_includes(options).map_err(|error| unreadable(&error))?;
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
        let (Some(key), Some(value)) = pair else { continue };
        push(&mut file, key, value).map_err(|error| unreadable(&error))?;
    }
    Ok(file)
}

fn push(file: &mut File, key: &str, value: &str) -> gix::Result<()> {
    let Some(key) = KeyRef::parse_unvalidated(key.into()) else { return Ok(()) };
    let mut section = file.section_mut_or_create_new(key.section_name, key.subsection_name)?;
    section.push(key.value_name, Some(value.into()))?;
    Ok(())
}

fn unreadable(error: &gix::Error) -> GitError {
    GitError::Configuration { reason: error.to_string() }
}
