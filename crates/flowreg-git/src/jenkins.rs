//! Values of `BUILD_TAG` and `GIT_BRANCH` that Jenkins sets although they name no tag and no branch.
//!
//! Such a value is skipped with a notice, and not refused: nobody chose it.

use flowreg_model::Environment;

/// Why the value of `BUILD_TAG` is no git tag; `None` if it may be one.
///
/// Jenkins sets `jenkins-<job>-<number>` in every build (docs/facts/ci-variables.md, trap 1).
pub(super) fn reason_against_tag(value: &str, environment: &Environment) -> Option<String> {
    let number = environment.get("BUILD_NUMBER");
    let is_jenkins = environment.get("JENKINS_URL").is_some()
        || (number.is_some() && environment.get("JOB_NAME").is_some());
    let (_, end) = value.strip_prefix("jenkins-")?.rsplit_once('-')?;
    let is_number = end.bytes().all(|byte| byte.is_ascii_digit()) && !end.is_empty();
    // A tag of that form is possible where Jenkins is not, and where the number is another one.
    (is_jenkins && is_number && number.is_none_or(|number| number == end))
        .then(|| "Jenkins sets it to the name of the build, which is no git tag".to_owned())
}

/// Why the value of `GIT_BRANCH` is no branch; `None` if it may be one.
///
/// The git plugin sets `detached` when a job builds a commit. In multibranch builds the variable
/// repeats `BRANCH_NAME`, which is `PR-24` or a tag (docs/facts/ci-variables.md, traps 2, 5 and 6).
pub(super) fn reason_against_branch(value: &str, environment: &Environment) -> Option<String> {
    let repeats_branch_name =
        environment.get("JENKINS_URL").is_some() && environment.get("BRANCH_NAME") == Some(value);
    match value {
        "HEAD" | "detached" => Some("a detached HEAD is no branch".to_owned()),
        _ if repeats_branch_name && environment.get("CHANGE_ID").is_some() => {
            Some("Jenkins sets it to the name of the pull request, which is no branch".to_owned())
        }
        _ if repeats_branch_name && environment.get("TAG_NAME") == Some(value) => {
            Some("Jenkins builds a tag here, and sets it to the name of that tag".to_owned())
        }
        _ => None,
    }
}
