//! Puts the code reference into a deployment's pull steps (`docs/facts/prefect-yaml.md`, "Pull steps").
//!
//! Every step that clones this repository gets the reference, whatever branch the file names; steps
//! that clone another repository stay as they are; if no step clones this one, a clone is put first.

use serde_json::{Map, Value, json};

use flowreg_git::RepositoryUrl;
use flowreg_model::{same_repository, secrets};

/// The step that clones a repository.
const GIT_CLONE: &str = "prefect.deployments.steps.git_clone";
/// The step that says where a run starts.
const SET_DIRECTORY: &str = "prefect.deployments.steps.set_working_directory";

/// What a worker checks out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckOut<'a> {
    /// A branch or a tag, by name.
    Name(&'a str),
    /// A commit, by its full id.
    Commit(&'a str),
}

/// A clone of this repository.
#[derive(Debug, Clone, Copy)]
pub(crate) struct GitClone<'a> {
    /// The URL that workers clone from, without credentials.
    pub repository: &'a str,
    /// What they check out.
    pub check_out: CheckOut<'a>,
    /// `access_token` or `credentials`, and the template that names the secret.
    pub access: Option<(&'static str, &'a str)>,
}

/// Pull steps with the reference in them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PinnedSteps {
    /// The steps.
    pub steps: Vec<Value>,
    /// Where a run starts.
    pub directory: RunDirectory,
}

/// The working directory of a run after the pull steps, as far as they can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RunDirectory {
    /// A directory of the clone, from the repository's root; empty for the root.
    Clone(String),
    /// Some other place, such as one in the worker's image.
    Elsewhere,
}

/// Why the reference can't be put into the steps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PullError {
    /// A token or password stands in the file.
    #[error(
        "a pull step holds a literal token or password, which would be registered in clear text"
    )]
    Secret,
    /// Submodules and a pinned commit don't go together.
    #[error(
        "a pull step wants submodules, which Prefect leaves out of a clone that is pinned to a commit"
    )]
    Submodules,
}

/// The one pull step of a deployment that declares none.
pub(crate) fn step(clone: &GitClone<'_>) -> Value {
    let mut inputs = Map::new();
    inputs.insert("repository".to_owned(), json!(clone.repository));
    refer(&mut inputs, clone);
    json!({ GIT_CLONE: inputs })
}

/// The steps of a file with the reference in them. `text` fills in templates for the comparison
/// with this repository's URL.
///
/// # Errors
/// [`PullError`] for what must not be registered, or would not work.
pub(crate) fn pinned(
    steps: &[Value],
    clone: &GitClone<'_>,
    text: impl Fn(&str) -> String,
) -> Result<PinnedSteps, PullError> {
    let mut pinned: Vec<Value> = Vec::with_capacity(steps.len() + 1);
    let mut is_cloned = false;
    // The steps are followed in their order, as each may change where the run starts. The first value
    // holds if no step clones this repository, as then a clone is put first.
    let mut directory = RunDirectory::Clone(String::new());
    // Steps refer to a clone by its id. A reference without an id means the output of the step before.
    let mut names: Vec<String> = Vec::new();
    for step in steps {
        let mut step = step.clone();
        if let Some(inputs) = inputs_of(&mut step, GIT_CLONE) {
            // Whose repository it is decides about everything below, and the URL may be a template.
            let url =
                inputs.get("repository").and_then(Value::as_str).map(&text).unwrap_or_default();
            refuse_secrets(inputs, &url, clone)?;
            let is_ours = same_repository(&url, clone.repository);
            if is_ours {
                is_cloned = true;
                // Prefect would leave the submodules out without a word, and runs would fail on
                // missing files.
                let wants_submodules = inputs.get("include_submodules") == Some(&Value::Bool(true));
                if wants_submodules && matches!(clone.check_out, CheckOut::Commit(_)) {
                    return Err(PullError::Submodules);
                }
                let id = inputs.get("id").and_then(Value::as_str).map(ToOwned::to_owned);
                names.extend(id);
                refer(inputs, clone);
            }
            // A run starts in the clone that was made last, and flows of another repository are not
            // known here.
            directory =
                if is_ours { RunDirectory::Clone(String::new()) } else { RunDirectory::Elsewhere };
        } else if let Some(inputs) = inputs_of(&mut step, SET_DIRECTORY) {
            let set = inputs.get("directory").and_then(Value::as_str).unwrap_or_default();
            directory = run_directory(set, &names, &directory);
        } else if sets_directory(&step) {
            directory = RunDirectory::Elsewhere;
        }
        pinned.push(step);
    }
    if !is_cloned {
        pinned.insert(0, self::step(clone));
    }
    Ok(PinnedSteps { steps: pinned, directory })
}

fn inputs_of<'s>(step: &'s mut Value, name: &str) -> Option<&'s mut Map<String, Value>> {
    step.as_object_mut()?.get_mut(name)?.as_object_mut()
}

/// Whether a step of another kind changes the working directory: those that pull code from a bucket
/// (`prefect_aws.deployments.steps.pull_from_s3` and its like).
fn sets_directory(step: &Value) -> bool {
    let names = step.as_object().into_iter().flat_map(Map::keys);
    names.into_iter().any(|name| name.contains(".pull_"))
}

/// Where `set_working_directory` leads: below the clone if it begins with the clone's output.
fn run_directory(set: &str, names: &[String], before: &RunDirectory) -> RunDirectory {
    let Some((placeholder, rest)) =
        set.trim().strip_prefix("{{").and_then(|inside| inside.split_once("}}"))
    else {
        return RunDirectory::Elsewhere;
    };
    let is_clone = match placeholder.trim().strip_suffix("directory") {
        Some("") => matches!(before, RunDirectory::Clone(_)),
        Some(id) => id.strip_suffix('.').is_some_and(|id| names.iter().any(|name| name == id)),
        None => false,
    };
    let rest = rest.trim_matches('/');
    let is_plain = !rest.contains("{{") && !rest.split('/').any(|part| part == ".." || part == ".");
    if is_clone && is_plain {
        RunDirectory::Clone(rest.to_owned())
    } else {
        RunDirectory::Elsewhere
    }
}

/// Puts the reference, and the access where the step names none, into the inputs of a clone.
fn refer(inputs: &mut Map<String, Value>, clone: &GitClone<'_>) {
    match clone.check_out {
        CheckOut::Name(name) => {
            inputs.shift_remove("commit_sha");
            inputs.insert("branch".to_owned(), json!(name));
        }
        CheckOut::Commit(commit) => {
            inputs.shift_remove("branch");
            inputs.insert("commit_sha".to_owned(), json!(commit));
            // In a working directory that is used again, Prefect takes an existing clone for up to
            // date whatever its commit is, and runs old code. With the commit in its name every
            // commit has a directory of its own.
            let name = inputs.get("clone_directory_name").and_then(Value::as_str);
            let name = name.unwrap_or_else(|| directory_name(clone.repository));
            let directory = format!("{name}-{commit}");
            inputs.insert("clone_directory_name".to_owned(), json!(directory));
        }
    }
    // What the step itself names wins: a deployment may clone with credentials of its own.
    if let Some((key, template)) = clone.access
        && !inputs.contains_key("access_token")
        && !inputs.contains_key("credentials")
    {
        inputs.insert(key.to_owned(), json!(template));
    }
}

/// No token may stand in a step, and no password in a URL. Where the step or the settings name a
/// secret, what is in this repository's URL is not needed and goes.
fn refuse_secrets(
    inputs: &mut Map<String, Value>,
    url: &str,
    clone: &GitClone<'_>,
) -> Result<(), PullError> {
    let is_named = |key: &str| {
        let value = inputs.get(key)?;
        Some(
            value
                .as_str()
                .map_or(!value.is_string(), |text| text.is_empty() || secrets::is_template(text)),
        )
    };
    let named = [is_named("access_token"), is_named("credentials")];
    if named.contains(&Some(false)) {
        return Err(PullError::Secret);
    }
    // `RepositoryUrl` takes credentials out, so a URL that comes back changed has some. In the form
    // `git@host:path` the part before the `@` is a user and no secret.
    let clean = RepositoryUrl::new(url, std::path::Path::new("/"));
    let holds_one = url.contains("://") && clean.as_str() != url.trim() && url.contains('@');
    if !holds_one {
        return Ok(());
    }
    let has_access = named.iter().any(Option::is_some) || clone.access.is_some();
    if has_access && same_repository(url, clone.repository) {
        inputs.insert("repository".to_owned(), json!(clean.as_str()));
        return Ok(());
    }
    Err(PullError::Secret)
}

/// The name that git gives the directory of a clone.
pub(crate) fn directory_name(repository: &str) -> &str {
    let name = repository.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or(repository);
    name.strip_suffix(".git").unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://git.example.com/data/flows.git";

    fn at(check_out: CheckOut<'_>) -> GitClone<'_> {
        GitClone { repository: URL, check_out, access: None }
    }

    fn pulled(steps: &Value, clone: &GitClone<'_>) -> Result<PinnedSteps, PullError> {
        pinned(steps.as_array().unwrap(), clone, ToOwned::to_owned)
    }

    #[test]
    fn every_clone_of_this_repository_gets_the_reference_and_no_other() {
        let steps = json!([
            {GIT_CLONE: {"repository": "git@git.example.com:data/flows", "branch": "main", "id": "code"}},
            {GIT_CLONE: {"repository": "https://git.example.com/data/lib.git", "branch": "main"}},
            {GIT_CLONE: {"repository": URL, "commit_sha": "abc", "directories": ["a"]}},
            {SET_DIRECTORY: {"directory": "{{ code.directory }}/teams/a"}},
        ]);
        let pulled = pulled(&steps, &at(CheckOut::Name("v1"))).unwrap();
        assert_eq!(
            json!(pulled.steps),
            json!([
                {GIT_CLONE: {"repository": "git@git.example.com:data/flows", "branch": "v1", "id": "code"}},
                {GIT_CLONE: {"repository": "https://git.example.com/data/lib.git", "branch": "main"}},
                {GIT_CLONE: {"repository": URL, "directories": ["a"], "branch": "v1"}},
                {SET_DIRECTORY: {"directory": "{{ code.directory }}/teams/a"}},
            ])
        );
        assert_eq!(pulled.directory, RunDirectory::Clone("teams/a".to_owned()));
    }

    #[test]
    fn a_clone_comes_first_where_there_is_none() {
        let steps = json!([{SET_DIRECTORY: {"directory": "/opt/prefect"}}]);
        let pulled = pulled(&steps, &at(CheckOut::Name("feat/x"))).unwrap();
        assert_eq!(pulled.steps[0], json!({GIT_CLONE: {"repository": URL, "branch": "feat/x"}}));
        assert_eq!(pulled.steps.len(), 2);
        assert_eq!(pulled.directory, RunDirectory::Elsewhere);
    }

    #[test]
    fn a_commit_has_a_directory_of_its_own() {
        let steps = json!([{GIT_CLONE: {"repository": URL, "branch": "main", "clone_directory_name": "x"}}]);
        let steps = pulled(&steps, &at(CheckOut::Commit("0a1b"))).unwrap().steps;
        let expected =
            json!({"repository": URL, "clone_directory_name": "x-0a1b", "commit_sha": "0a1b"});
        assert_eq!(steps[0][GIT_CLONE], expected);
        assert_eq!(
            step(&at(CheckOut::Commit("0a1b")))[GIT_CLONE]["clone_directory_name"],
            "flows-0a1b"
        );
    }

    #[test]
    fn no_secret_is_registered() {
        for inputs in [
            json!({"repository": URL, "access_token": "hunter2"}),
            json!({"repository": "https://me:hunter2@git.example.com/data/flows.git"}),
            json!({"repository": "https://me:hunter2@git.example.com/data/other.git",
                   "access_token": "{{ prefect.blocks.secret.t }}"}),
        ] {
            let steps = json!([{GIT_CLONE: inputs}]);
            assert_eq!(pulled(&steps, &at(CheckOut::Name("v1"))), Err(PullError::Secret));
        }
        let steps = json!([{GIT_CLONE: {
            "repository": "https://me:hunter2@git.example.com/data/flows.git",
            "access_token": "{{ prefect.blocks.secret.t }}"}}]);
        let steps = pulled(&steps, &at(CheckOut::Name("v1"))).unwrap().steps;
        assert_eq!(steps[0][GIT_CLONE]["repository"], URL);
    }

    #[test]
    fn access_of_the_settings_is_for_clones_that_name_none() {
        let clone =
            GitClone { access: Some(("access_token", "{{ $T }}")), ..at(CheckOut::Name("v1")) };
        let steps = json!([
            {GIT_CLONE: {"repository": URL}},
            {GIT_CLONE: {"repository": URL, "credentials": "{{ prefect.blocks.x.y }}"}},
        ]);
        let steps = pulled(&steps, &clone).unwrap().steps;
        assert_eq!(steps[0][GIT_CLONE]["access_token"], "{{ $T }}");
        assert_eq!(steps[1][GIT_CLONE].get("access_token"), None);
    }

    #[test]
    fn submodules_and_a_commit_are_refused() {
        let steps = json!([{GIT_CLONE: {"repository": URL, "include_submodules": true}}]);
        assert_eq!(pulled(&steps, &at(CheckOut::Commit("0a"))), Err(PullError::Submodules));
        assert!(pulled(&steps, &at(CheckOut::Name("v1"))).is_ok());
    }

    #[test]
    fn directories_are_named_as_git_names_them() {
        for (url, name) in [
            ("https://h/a/flows.git", "flows"),
            ("git@h:flows.git", "flows"),
            ("/srv/flows/", "flows"),
        ] {
            assert_eq!(directory_name(url), name);
        }
    }
}
