//! A run in the middle of a merge or a rebase: what is registered is told, or why nothing is.

use crate::support::{Flowreg, TestRepository};

const FLOW: &str = "from prefect import flow\n\n\n@flow\ndef etl(days: int = 1):\n    ...\n";

/// A repository on `feature/x`, which conflicts with `main`.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("etl.py", FLOW);
    repository.commit("first");
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.write("etl.py", FLOW.replace("= 1", "= 2"));
    repository.commit("feature");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("etl.py", FLOW.replace("= 1", "= 3"));
    repository.commit("next");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["checkout", "-q", "feature/x"]);
    repository
}

fn stops(repository: &TestRepository, arguments: &[&str]) {
    assert!(!repository.try_git(repository.root(), arguments).status.success());
}

#[test]
fn in_a_merge_the_commit_before_it_is_registered_and_told() {
    let repository = repository();
    let commit = repository.commit_id("HEAD");
    stops(&repository, &["merge", "main"]);
    let run = Flowreg::in_repository(&repository).run(&["register"]);
    assert_eq!(run.code, 0, "{run:?}");
    let told = format!(
        "a merge is in progress: what is registered is commit {}, which is before it",
        commit.short()
    );
    assert!(run.stderr.contains(&told) && !run.stderr.contains("not committed"), "{run:?}");
}

#[test]
fn in_a_rebase_nothing_is_registered_as_the_tag_at_which_it_stopped() {
    let repository = repository();
    stops(&repository, &["rebase", "-q", "main"]);
    assert_eq!(repository.git(&["tag", "--points-at", "HEAD"]), "v1.0.0");
    let error = &Flowreg::in_repository(&repository).json(&["register"], 4)["error"];
    assert_eq!(error["code"], "in_progress");
    let message = error["message"].as_str().unwrap();
    assert!(message.ends_with("a rebase of feature/x is in progress"), "{message}");
    let chosen = ["register", "--branch", "feature/x"];
    assert_eq!(Flowreg::in_repository(&repository).run(&chosen).code, 0);
}

#[test]
fn in_a_rebase_no_tag_is_made() {
    let repository = repository();
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    stops(&repository, &["rebase", "-q", "main"]);
    let flowreg = Flowreg::in_repository(&repository);
    for arguments in [&["tag", "--bump", "patch"][..], &["tag", "--dry-run"]] {
        let error = &flowreg.json(arguments, 4)["error"];
        assert_eq!(error["code"], "in_progress", "{arguments:?}");
    }
    flowreg.json(&["tag", "--commit", "main", "--print"], 0);
}
