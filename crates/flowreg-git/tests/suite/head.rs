//! Where HEAD is: on a branch, on one without a commit, or detached.

use flowreg_git::Repository;

use crate::repository::TestRepository;

fn active_branch(opened: &Repository) -> Option<String> {
    opened.active_branch().map(|branch| branch.to_string())
}

#[test]
fn the_active_branch_is_the_one_that_head_is_on() {
    let repository = TestRepository::empty();
    let first = repository.commit("first");
    assert_eq!(active_branch(&repository.open()).as_deref(), Some("main"));
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.commit("second");
    // A branch or a tag at the same commit, or of the same name, changes nothing.
    repository.git(&["branch", "other"]);
    repository.git(&["tag", "feature/x", &first]);
    let opened = repository.open();
    assert_eq!(active_branch(&opened).as_deref(), Some("feature/x"));
    assert_eq!(opened.head_commit().unwrap(), repository.commit_id("refs/heads/feature/x"));
    repository.git(&["pack-refs", "--all", "--prune"]);
    assert_eq!(active_branch(&repository.open()).as_deref(), Some("feature/x"));
}

#[test]
fn a_branch_without_a_commit_is_not_active_yet() {
    let repository = TestRepository::empty();
    let opened = repository.open();
    assert_eq!(active_branch(&opened), None);
    assert_eq!(opened.head_commit().unwrap_err().code(), "unborn_head");
    repository.commit("first");
    repository.git(&["checkout", "-q", "--orphan", "fresh"]);
    assert_eq!(active_branch(&repository.open()), None, "main has a commit, fresh has none");
}

#[test]
fn a_detached_head_is_on_no_branch() {
    let repository = TestRepository::empty();
    repository.commit("first");
    repository.git(&["checkout", "-q", "--detach"]);
    let opened = repository.open();
    assert_eq!(active_branch(&opened), None, "although main is at the same commit");
    assert_eq!(opened.head_commit().unwrap(), repository.commit_id("main"));
}

#[test]
fn a_linked_worktree_has_an_active_branch_of_its_own() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", "-b", "feature/x", linked.to_str().unwrap()]);
    let in_linked = || active_branch(&repository.open_in(&linked, &[]).unwrap());
    assert_eq!(in_linked().as_deref(), Some("feature/x"));
    assert_eq!(active_branch(&repository.open()).as_deref(), Some("main"));
    repository.git_in(&linked, &["checkout", "-q", "--detach"]);
    assert_eq!(in_linked(), None);
    assert_eq!(active_branch(&repository.open()).as_deref(), Some("main"));
}

#[test]
fn a_head_that_leads_nowhere_is_on_no_branch() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let opened = repository.open();
    std::fs::write(repository.root().join(".git/HEAD"), "no ref and no id\n").unwrap();
    assert_eq!(active_branch(&opened), None);
}
