//! What git is in the middle of is said, and never taken for what the user works on.

use flowreg_git::{ReferenceError, ReferenceRequest, ReferenceRules, Resolution, resolve};

use crate::repository::TestRepository;

/// A repository with the released `v1.0.0` and a branch `feature/x` that conflicts with `main`.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "released\n");
    repository.commit("first");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.write("flows/etl.py", "feature\n");
    repository.commit("feature");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("flows/etl.py", "next\n");
    repository.commit("next");
    repository.git(&["tag", "v1.1.0"]);
    repository
}

/// Runs what is meant to stop at a conflict.
fn stops(repository: &TestRepository, arguments: &[&str]) {
    assert!(!repository.try_git(repository.root(), arguments).status.success(), "{arguments:?}");
}

fn resolved(repository: &TestRepository, is_strict: bool) -> Resolution {
    let rules = ReferenceRules { ask_remote: false, ..Default::default() };
    let mut request = ReferenceRequest::from(rules);
    request.strict = is_strict;
    resolve(&repository.open(), &repository.environment(&[]), &request)
}

fn refused(repository: &TestRepository) -> ReferenceError {
    let (strict, usual) = (resolved(repository, true), resolved(repository, false));
    let error = usual.reference.unwrap_err();
    assert_eq!(strict.reference.unwrap_err().to_string(), error.to_string());
    error
}

#[test]
fn a_rebase_that_stopped_at_a_tag_is_not_that_tag() {
    for backend in ["--merge", "--apply"] {
        let repository = repository();
        repository.git(&["checkout", "-q", "feature/x"]);
        stops(&repository, &["rebase", "-q", backend, "v1.1.0"]);
        assert_eq!(repository.commit_id("HEAD"), repository.commit_id("v1.1.0"));
        let error = refused(&repository);
        let head = repository.commit_id("HEAD");
        let expected =
            format!("HEAD is detached at {}: a rebase of feature/x is in progress", head.short());
        assert_eq!((error.code(), error.to_string()), ("in_progress", expected), "{backend}");
        let hints = ["git rebase --continue", "git rebase --abort", "flowreg … --branch feature/x"];
        assert_eq!(error.hints(), hints);
    }
}

#[test]
fn a_bisect_is_at_none_of_the_releases_that_it_passes() {
    let repository = repository();
    repository.commit("later");
    repository.git(&["bisect", "start", "HEAD", "v1.0.0"]);
    assert_eq!(repository.commit_id("HEAD"), repository.commit_id("v1.1.0"));
    let error = refused(&repository);
    assert!(error.to_string().ends_with("a bisect of main is in progress"), "{error}");
    assert_eq!(error.hints(), ["git bisect reset", "flowreg … --branch main"]);
    repository.git(&["bisect", "reset"]);
    // Begun at a commit, it goes back to one.
    repository.git(&["checkout", "-q", "--detach"]);
    repository.git(&["bisect", "start", "HEAD", "v1.0.0"]);
    assert!(refused(&repository).to_string().ends_with("a bisect is in progress"));
}

#[test]
fn what_leaves_head_at_its_branch_is_told_and_refuses_nothing() {
    for (arguments, name) in [
        (&["merge", "feature/x"][..], "merge"),
        (&["cherry-pick", "feature/x"], "cherry-pick"),
        (&["revert", "--no-edit", "v1.0.0"], "revert"),
    ] {
        let repository = repository();
        stops(&repository, arguments);
        let operation = repository.open().operation().unwrap();
        assert_eq!((operation.name, operation.branch), (name, None));
        assert_eq!(repository.open().active_branch().unwrap().as_str(), "main");
    }
    assert_eq!(repository().open().operation(), None);
}

#[test]
fn a_linked_work_tree_has_operations_of_its_own() {
    let repository = repository();
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "feature/x"]);
    assert!(!repository.try_git(&linked, &["rebase", "-q", "main"]).status.success());
    let operation = repository.open_in(&linked, &[]).unwrap().operation().unwrap();
    assert_eq!(operation.to_string(), "a rebase of feature/x is in progress");
    assert_eq!(repository.open().operation(), None);
}
