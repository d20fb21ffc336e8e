//! The code reference of a push: the same answer as the ladder's with a flag and the pushed commit.

use flowreg_git::{
    Pin, PushedReference, ReferenceRequest, ReferenceRules, Resolution, Untagged,
    reference_of_push, resolve,
};
use flowreg_model::{Channel, CodeReference, CommitId, ReferenceName, ReferenceSource};

use crate::repository::TestRepository;

/// `main` and one commit ahead of it `feature/x`, both pushed to the bare repository `origin`.
fn pushed() -> TestRepository {
    let repository = TestRepository::empty();
    repository.commit("first");
    repository.add_bare_remote("origin");
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.commit("second");
    repository.git(&["push", "-q", "origin", "main", "feature/x"]);
    repository
}

fn branch(name: &str) -> ReferenceName {
    ReferenceName::Branch(name.parse().unwrap())
}

fn tag(name: &str) -> ReferenceName {
    ReferenceName::Tag(name.parse().unwrap())
}

/// The reference of a push, after a look at the ladder's: with the remote and without, both give the
/// same reference, or the same error with the same hints, and the same notices.
fn of_push(
    repository: &TestRepository,
    name: &ReferenceName,
    commit: &CommitId,
    rules: &ReferenceRules,
) -> Resolution {
    let opened = repository.open();
    let answer = |ask_remote: bool| {
        let rules = ReferenceRules { ask_remote, ..rules.clone() };
        let push = PushedReference { name: name.clone(), commit: commit.clone() };
        let of_push = reference_of_push(&opened, &push, &rules);
        assert!(of_push.ladder.is_empty());
        let flag = Some(name.as_str().to_owned());
        let (tag, branch) = match name {
            ReferenceName::Tag(_) => (flag, None),
            ReferenceName::Branch(_) => (None, flag),
        };
        let request = ReferenceRequest {
            tag,
            branch,
            pushed: Some(commit.clone()),
            rules,
            ..ReferenceRequest::default()
        };
        let of_ladder = resolve(&opened, &repository.environment(&[]), &request);
        assert_eq!(of_push.notices, of_ladder.notices);
        match (&of_push.reference, &of_ladder.reference) {
            (Ok(one), Ok(other)) => assert_eq!(one, other),
            (Err(one), Err(other)) => {
                let shown = |error: &flowreg_git::ReferenceError| {
                    (error.code(), error.to_string(), error.hints(), error.is_guard())
                };
                assert_eq!(shown(one), shown(other));
            }
            (one, other) => panic!("{one:?}\n{other:?}"),
        }
        of_push
    };
    answer(false);
    answer(true)
}

fn reference(
    repository: &TestRepository,
    name: &ReferenceName,
    rules: &ReferenceRules,
) -> CodeReference {
    let commit = repository.commit_id(&name.full());
    of_push(repository, name, &commit, rules).reference.unwrap()
}

/// The code of the error.
fn refused(
    repository: &TestRepository,
    name: &ReferenceName,
    rules: &ReferenceRules,
) -> &'static str {
    let commit = repository.commit_id(&name.full());
    of_push(repository, name, &commit, rules).reference.unwrap_err().code()
}

#[test]
fn a_feature_branch_is_taken_as_it_was_pushed() {
    let repository = pushed();
    let rules = ReferenceRules::default();
    let reference = reference(&repository, &branch("feature/x"), &rules);
    assert_eq!(reference.name, branch("feature/x"));
    assert_eq!(reference.commit, repository.commit_id("feature/x"));
    assert_eq!(reference.channel, Channel::Feature);
    assert_eq!((reference.source, &*reference.source_detail), (ReferenceSource::Flag, "--branch"));
    assert_eq!(reference.remote.unwrap().as_str(), "origin");
    assert!(reference.proved);
}

#[test]
fn a_mainline_branch_is_pinned_by_the_highest_tag_at_its_commit() {
    let repository = pushed();
    repository.git(&["tag", "v1.9.0", "main"]);
    repository.git(&["tag", "-a", "-m", "release", "v1.10.0", "main"]);
    repository.git(&["push", "-q", "origin", "v1.9.0", "v1.10.0"]);
    for pin in [Pin::Tag, Pin::Commit] {
        let rules = ReferenceRules { pin, ..ReferenceRules::default() };
        let reference = reference(&repository, &branch("main"), &rules);
        assert_eq!(reference.name, tag("v1.10.0"));
        assert_eq!(reference.channel, Channel::Mainline);
        assert_eq!(reference.source_detail, "--branch main");
    }
    // Workers of Prefect 1 can't check the annotated one out.
    let rules = ReferenceRules { lightweight: true, ..ReferenceRules::default() };
    assert_eq!(refused(&repository, &branch("main"), &rules), "annotated_tag");
    // A tag that is not on the remote pins nothing there.
    repository.git(&["tag", "v2.0.0", "main"]);
    let rules = ReferenceRules::default();
    assert_eq!(reference(&repository, &branch("main"), &rules).name, tag("v1.10.0"));
}

#[test]
fn an_untagged_mainline_branch_goes_by_the_setting() {
    let repository = pushed();
    let rules = |untagged| ReferenceRules { untagged, ..ReferenceRules::default() };
    assert_eq!(refused(&repository, &branch("main"), &rules(Untagged::Refuse)), "untagged");
    for untagged in [Untagged::Branch, Untagged::Commit] {
        let reference = reference(&repository, &branch("main"), &rules(untagged));
        assert_eq!(reference.name, branch("main"));
        assert_eq!(reference.channel, Channel::Mainline);
    }
    let globs =
        ReferenceRules { mainline: vec!["feature/*".to_owned()], ..rules(Untagged::Refuse) };
    assert_eq!(refused(&repository, &branch("feature/x"), &globs), "untagged");
    assert_eq!(reference(&repository, &branch("main"), &globs).channel, Channel::Feature);
    let broken = ReferenceRules { mainline: vec!["[".to_owned()], ..rules(Untagged::Refuse) };
    assert_eq!(refused(&repository, &branch("main"), &broken), "invalid_glob");
}

#[test]
fn a_tag_is_mainline_at_its_peeled_commit() {
    let repository = pushed();
    repository.git(&["tag", "light", "feature/x"]);
    repository.git(&["tag", "-a", "-m", "release", "annotated", "feature/x"]);
    repository.git(&["push", "-q", "origin", "light", "annotated"]);
    let rules = ReferenceRules::default();
    for name in ["light", "annotated"] {
        let reference = reference(&repository, &tag(name), &rules);
        assert_eq!(reference.name, tag(name));
        assert_eq!(reference.commit, repository.commit_id("feature/x"));
        assert_eq!(reference.channel, Channel::Mainline);
        assert_eq!(reference.source_detail, "--tag");
        assert!(reference.proved);
    }
    let lightweight = ReferenceRules { lightweight: true, ..ReferenceRules::default() };
    assert_eq!(reference(&repository, &tag("light"), &lightweight).name, tag("light"));
    assert_eq!(refused(&repository, &tag("annotated"), &lightweight), "annotated_tag");
}

#[test]
fn what_the_remote_has_now_counts_if_the_branch_moved_after_the_push() {
    let repository = pushed();
    let rules = ReferenceRules::default();
    let first = repository.commit_id("feature/x");
    repository.commit("third");
    // Not pushed yet: where the branch is here does not matter.
    let answer = of_push(&repository, &branch("feature/x"), &first, &rules);
    assert_eq!(answer.reference.unwrap().commit, first);
    assert!(answer.notices.is_empty(), "{:?}", answer.notices);
    repository.git(&["push", "-q", "origin", "feature/x"]);
    let answer = of_push(&repository, &branch("feature/x"), &first, &rules);
    assert_eq!(answer.reference.unwrap().commit, repository.commit_id("feature/x"));
    assert!(answer.notices[0].starts_with("feature/x is 1 commit behind origin; "));
    repository.git(&["push", "-q", "origin", ":feature/x"]);
    assert_eq!(refused(&repository, &branch("feature/x"), &rules), "remote_missing_branch");
}

#[test]
fn a_tag_that_moved_after_the_push_is_refused() {
    let repository = pushed();
    let rules = ReferenceRules::default();
    repository.git(&["tag", "v1", "main"]);
    repository.git(&["push", "-q", "origin", "v1"]);
    let first = repository.commit_id("v1");
    repository.git(&["tag", "-f", "v1", "feature/x"]);
    // Here only: the remote has what was pushed.
    let answer = of_push(&repository, &tag("v1"), &first, &rules);
    assert_eq!(answer.reference.unwrap().commit, first);
    repository.git(&["push", "-q", "-f", "origin", "v1"]);
    let answer = of_push(&repository, &tag("v1"), &first, &rules);
    assert_eq!(answer.reference.unwrap_err().code(), "moved_tag");
    repository.git(&["push", "-q", "origin", ":v1"]);
    assert_eq!(refused(&repository, &tag("v1"), &rules), "remote_missing_tag");
}

#[test]
fn a_tag_and_a_branch_of_one_name_are_refused_unless_the_pin_is_the_commit() {
    let repository = pushed();
    repository.git(&["tag", "twin", "main"]);
    repository.git(&["branch", "twin", "main"]);
    repository.git(&["push", "-q", "origin", "refs/tags/twin", "refs/heads/twin"]);
    let rules = ReferenceRules::default();
    for name in [tag("twin"), branch("twin")] {
        assert_eq!(refused(&repository, &name, &rules), "ambiguous_name");
    }
    let rules = ReferenceRules { pin: Pin::Commit, ..ReferenceRules::default() };
    assert_eq!(reference(&repository, &tag("twin"), &rules).name, tag("twin"));
}

#[test]
fn the_remote_is_the_one_that_the_rules_name() {
    let repository = pushed();
    let push = |name: &str| {
        let rules = ReferenceRules { remote: Some(name.parse().unwrap()), ..Default::default() };
        let commit = repository.commit_id("feature/x");
        of_push(&repository, &branch("feature/x"), &commit, &rules).reference
    };
    assert_eq!(push("elsewhere").unwrap_err().code(), "no_such_remote");
    repository.add_bare_remote("elsewhere");
    assert_eq!(push("origin").unwrap().remote.unwrap().as_str(), "origin");
    let opened = repository.open();
    let rules = ReferenceRules { remote: Some("elsewhere".parse().unwrap()), ..Default::default() };
    let name = branch("feature/x");
    let push = PushedReference { name, commit: repository.commit_id("feature/x") };
    let error = reference_of_push(&opened, &push, &rules).reference.unwrap_err();
    assert_eq!(error.code(), "remote_missing_branch");
}
