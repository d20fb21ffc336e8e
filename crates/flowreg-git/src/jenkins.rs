//! What Jenkins puts into `BUILD_TAG` and `GIT_BRANCH` although it names no tag and no branch.

use flowreg_model::Environment;

/// Why the value of `BUILD_TAG` says nothing about git.
///
/// Jenkins sets `jenkins-<job>-<number>` in every build (`facts/ci-variables.md`, trap 1).
pub(super) fn reason_against_tag(value: &str, environment: &Environment) -> Option<String> {
    let number = environment.get("BUILD_NUMBER");
    let is_jenkins = environment.get("JENKINS_URL").is_some()
        || (number.is_some() && environment.get("JOB_NAME").is_some());
    let (_, end) = value.strip_prefix("jenkins-")?.rsplit_once('-')?;
    let is_number = end.bytes().all(|byte| byte.is_ascii_digit()) && !end.is_empty();
    (is_jenkins && is_number && number.is_none_or(|number| number == end))
        .then(|| "Jenkins numbers its builds with it, it is no git tag".to_owned())
}

/// Why the value of `GIT_BRANCH` says nothing about a branch.
///
/// `detached` is what the git plugin writes when a job builds a commit (trap 2). In multibranch
/// builds it repeats `BRANCH_NAME`, which is `PR-24` or a tag (traps 5 and 6).
pub(super) fn reason_against_branch(value: &str, environment: &Environment) -> Option<String> {
    let repeats_branch_name =
        environment.get("JENKINS_URL").is_some() && environment.get("BRANCH_NAME") == Some(value);
    match value {
        "HEAD" | "detached" => Some("a detached HEAD is no branch".to_owned()),
        _ if repeats_branch_name && environment.get("CHANGE_ID").is_some() => {
            Some("Jenkins names a pull request so, it is no branch".to_owned())
        }
        _ if repeats_branch_name && environment.get("TAG_NAME") == Some(value) => {
            Some("in this build of Jenkins it is a tag".to_owned())
        }
        _ => None,
    }
}
