//! The event that GitHub Actions hands to a job as a file: of a pull request, only it says where that comes from.

use flowreg_model::CommitId;

/// Whether a file tells of a pull request whose head is in another repository.
pub(super) fn tells_of_fork(file: &str) -> bool {
    // GitHub's variables name the source branch but not its repository; only the event does. If the
    // file can't be read, the remote's answer still decides whether the branch exists there.
    let event = event(file);
    let repository = |end: &str| event.pointer(&format!("/pull_request/{end}/repo/full_name"));
    event.get("pull_request").is_some() && repository("head") != repository("base")
}

/// The commit of the pull request that the event is of.
pub(super) fn head_of_event(file: &str) -> Option<String> {
    let event = event(file);
    let commit: CommitId = event.pointer("/pull_request/head/sha")?.as_str()?.parse().ok()?;
    Some(commit.to_string())
}

/// The event; null if it can't be read.
fn event(file: &str) -> serde_json::Value {
    let content = std::fs::read(file).ok();
    content.and_then(|content| serde_json::from_slice(&content).ok()).unwrap_or_default()
}
