//! Git's configuration, put together from files and the environment that was handed in.
//!
//! gix would read the environment of the process; here it is a value, so that a run depends on
//! nothing that its caller didn't pass. Order of precedence: system, global, local, worktree,
//! environment (<https://git-scm.com/docs/git-config#SCOPES>).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use gix::bstr::{BStr, ByteSlice};
use gix::config::file::{Metadata, SectionId, includes, init};
use gix::config::source::Kind;
use gix::config::{File, KeyRef, Source, path::interpolate};
use gix::refs::FullNameRef;

use super::GitError;
use flowreg_model::Environment;

/// How deep includes may be nested, for git as well.
const MOST_LEVELS: usize = 10;

/// What the conditions of conditional includes (`includeIf "gitdir:…"`, `includeIf "onbranch:…"`)
/// are compared with.
#[derive(Clone, Copy)]
pub(super) struct IncludeConditions<'a> {
    pub(super) git_dir: &'a Path,
    pub(super) branch: Option<&'a FullNameRef>,
}

/// Reads the files of the system and the user; includes are not followed yet.
pub(super) fn of_user(environment: &Environment) -> Result<File, GitError> {
    let mut variable = |name: &str| environment.os(name).map(OsString::from);
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

/// Adds the repository's own files and what the environment sets, and follows includes.
pub(super) fn complete(
    mut configuration: File,
    of_repository: File,
    conditions: IncludeConditions<'_>,
    environment: &Environment,
) -> Result<File, GitError> {
    configuration.append(of_repository).map_err(|error| unreadable(&error))?;
    // Last, because what the environment sets goes before every file, included ones as well. It may include
    // files itself: `git -c include.path=…`.
    let of_environment = of_environment(environment)?;
    configuration.append(of_environment).map_err(|error| unreadable(&error))?;
    let interpolate = interpolate::Context {
        git_install_dir: None,
        home_dir: environment.path("HOME"),
        home_for_user: Some(interpolate::home_for_user),
    };
    let conditional = includes::conditional::Context {
        git_dir: Some(conditions.git_dir),
        branch_name: conditions.branch,
    };
    follow_includes(configuration, interpolate, conditional)
}

/// Puts the content of included files behind what includes them.
///
/// Level by level, because gix takes the paths of one section in the wrong order, and knows `include` and
/// `includeIf` in this writing only, where for git a section's name has no case.
fn follow_includes(
    mut configuration: File,
    interpolate: interpolate::Context<'_>,
    conditional: includes::conditional::Context<'_>,
) -> Result<File, GitError> {
    for _ in 0..=MOST_LEVELS {
        let (split, includes) =
            with_single_includes(&configuration).map_err(|error| unreadable(&error))?;
        if includes.is_empty() {
            return Ok(configuration);
        }
        configuration = split;
        let one_level = includes::Options {
            max_depth: 1,
            err_on_max_depth_exceeded: false,
            ..includes::Options::follow(interpolate, conditional)
        };
        let options =
            init::Options { includes: one_level, ignore_io_errors: true, ..Default::default() };
        configuration.resolve_includes(options).map_err(|error| unreadable(&error))?;
        // What was followed is not to be followed again with the next level.
        for include in includes {
            configuration.remove_section_by_id(include);
        }
    }
    let reason = format!("files are included more than {MOST_LEVELS} levels deep");
    Err(GitError::Configuration { reason })
}

/// The same configuration with one section for each file that is included, and the ids of those sections.
fn with_single_includes(configuration: &File) -> gix::Result<(File, Vec<SectionId>)> {
    let mut split = File::new(configuration.meta().clone());
    let mut includes = Vec::new();
    for section in configuration.sections() {
        let name = section.header().name();
        let condition = section.header().subsection_name();
        let name = match condition {
            None if name.eq_ignore_ascii_case(b"include") => "include",
            Some(_) if name.eq_ignore_ascii_case(b"includeIf") => "includeIf",
            _ => {
                split.push_section(section.to_owned())?;
                continue;
            }
        };
        for path in section.values("path") {
            let meta = section.meta().clone();
            let mut include =
                split.new_section_with_meta(name, condition.map(BStr::to_owned), meta)?;
            include.push("path", &path)?;
            includes.push(include.id());
        }
    }
    Ok((split, includes))
}

/// The values of `GIT_CONFIG_KEY_<n>` and `GIT_CONFIG_VALUE_<n>` (git-config(1), ENVIRONMENT).
fn of_environment(environment: &Environment) -> Result<File, GitError> {
    let mut file = File::new(Metadata::from(Source::Env).with(gix::sec::Trust::Full));
    let bytes = |name: &str| environment.os(name).map(OsStr::as_bytes);
    let count = environment.get("GIT_CONFIG_COUNT").and_then(|count| count.parse().ok());
    for index in 0..count.unwrap_or(0_usize) {
        let pair = (
            bytes(&format!("GIT_CONFIG_KEY_{index}")),
            bytes(&format!("GIT_CONFIG_VALUE_{index}")),
        );
        // Git would end with an error here. To go on is harmless: every git process that is started
        // later gets the same environment, and complains.
        let (Some(key), Some(value)) = pair else { continue };
        push(&mut file, key, Some(value)).map_err(|error| unreadable(&error))?;
    }
    for (key, value) in parameters(bytes("GIT_CONFIG_PARAMETERS").unwrap_or_default()) {
        push(&mut file, &key, value.as_deref()).map_err(|error| unreadable(&error))?;
    }
    Ok(file)
}

fn push(file: &mut File, key: &[u8], value: Option<&[u8]>) -> gix::Result<()> {
    let Some(key) = KeyRef::parse_unvalidated(key.into()) else { return Ok(()) };
    let mut section = file.section_mut_or_create_new(key.section_name, key.subsection_name)?;
    section.push(key.value_name, value.map(Into::into))?;
    Ok(())
}

/// What `git -c` hands to the processes it starts: `'key'='value'`, before git 2.31
/// `'key=value'`, separated by blanks. A key without a value stands for "true".
fn parameters(text: &[u8]) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    let mut pairs = Vec::new();
    let mut rest = text.trim_ascii_start();
    while let Some((word, after)) = dequote(rest) {
        rest = after;
        if let Some(value) = rest.strip_prefix(b"=") {
            // `git -c key` is `'key'=`, and `git -c key=` is `'key'=''`.
            let (value, after) =
                dequote(value).map_or((None, value), |(value, after)| (Some(value), after));
            rest = after;
            pairs.push((word, value));
        } else if let Some((key, value)) = word.split_once_str("=") {
            pairs.push((key.to_owned(), Some(value.to_owned())));
        } else {
            pairs.push((word, None));
        }
        rest = rest.trim_ascii_start();
    }
    pairs
}

/// One word as git's `sq_quote` writes it: in single quotes, with `'` and `!` outside of them
/// behind a backslash. Also what comes after it; `None` if there is none.
fn dequote(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut word = Vec::new();
    let mut rest = text.strip_prefix(b"'")?;
    loop {
        let (quoted, after) = rest.split_once_str("'")?;
        word.extend(quoted);
        let Some(escaped) = after.strip_prefix(b"\\") else { return Some((word, after)) };
        let (letter, after) = escaped.split_first()?;
        word.push(*letter);
        rest = after.strip_prefix(b"'")?;
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
        let pairs = |written: &str| -> Vec<(String, String)> {
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let pairs = parameters(written.as_bytes()).into_iter();
            pairs.map(|(key, value)| (text(key), value.map_or("true".to_owned(), text))).collect()
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
