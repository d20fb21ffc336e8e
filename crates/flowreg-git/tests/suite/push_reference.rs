//! The code reference of a push: the pushed name and commit, as the rules and the remote see them.
//!
//! Each push is looked up twice, without the remote and with it, because the two may differ.

use flowreg_git::{Pin, PushedReference, ReferenceRules, Resolution, Untagged, reference_of_push};
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

/// The push of a name, at the commit where it is in this repository.
fn push_of(repository: &TestRepository, name: ReferenceName) -> PushedReference {
    let commit = repository.commit_id(&name.full());
    PushedReference { name, commit }
}

/// The answer of a repository that does not ask its remote.
fn offline(
    repository: &TestRepository,
    push: &PushedReference,
    rules: &ReferenceRules,
) -> Resolution {
    let rules = ReferenceRules { ask_remote: false, ..rules.clone() };
    looked_up(repository, push, &rules)
}

/// The answer after the remote was asked.
fn online(
    repository: &TestRepository,
    push: &PushedReference,
    rules: &ReferenceRules,
) -> Resolution {
    let rules = ReferenceRules { ask_remote: true, ..rules.clone() };
    looked_up(repository, push, &rules)
}

fn looked_up(
    repository: &TestRepository,
    push: &PushedReference,
    rules: &ReferenceRules,
) -> Resolution {
    let resolution = reference_of_push(&repository.open(), push, rules);
    assert!(resolution.ladder.is_empty());
    resolution
}

/// A reference that is to be cloned from `origin`, without proof that `origin` has it.
fn reference(
    name: ReferenceName,
    commit: &CommitId,
    channel: Channel,
    source_detail: &str,
) -> CodeReference {
    CodeReference {
        name,
        commit: commit.clone(),
        source: ReferenceSource::Flag,
        source_detail: source_detail.to_owned(),
        channel,
        remote: Some("origin".parse().unwrap()),
        proved: false,
    }
}

/// The same reference after the remote was seen to have it.
fn proved(reference: CodeReference) -> CodeReference {
    CodeReference { proved: true, ..reference }
}

/// The answer is this reference, and there is nothing to add.
#[track_caller]
fn assert_reference(answer: &Resolution, expected: &CodeReference) {
    assert_eq!(answer.reference.as_ref().unwrap(), expected);
    assert_eq!(answer.notices, [""; 0]);
}

/// The answer is this reference, whether the remote is asked or not.
#[track_caller]
fn assert_both(
    repository: &TestRepository,
    push: &PushedReference,
    rules: &ReferenceRules,
    expected: CodeReference,
) {
    assert_reference(&offline(repository, push, rules), &expected);
    assert_reference(&online(repository, push, rules), &proved(expected));
}

/// Code, message and hints of an error, and whether a guard refused.
#[derive(Debug, PartialEq)]
struct Refusal {
    code: &'static str,
    message: String,
    hints: Vec<String>,
    is_guard: bool,
}

/// An error that is no guard's.
fn error(code: &'static str, message: impl Into<String>, hints: &[&str]) -> Refusal {
    let hints = hints.iter().map(|hint| (*hint).to_owned()).collect();
    Refusal { code, message: message.into(), hints, is_guard: false }
}

/// A guard's refusal.
fn guard(code: &'static str, message: impl Into<String>, hints: &[&str]) -> Refusal {
    Refusal { is_guard: true, ..error(code, message, hints) }
}

/// The answer is this error, and there is nothing to add.
#[track_caller]
fn assert_refused(answer: &Resolution, expected: &Refusal) {
    let error = answer.reference.as_ref().unwrap_err();
    let refusal = Refusal {
        code: error.code(),
        message: error.to_string(),
        hints: error.hints(),
        is_guard: error.is_guard(),
    };
    assert_eq!(refusal, *expected);
    assert_eq!(answer.notices, [""; 0]);
}

#[test]
fn a_feature_branch_is_taken_as_it_was_pushed() {
    let repository = pushed();
    let rules = ReferenceRules::default();
    let push = push_of(&repository, branch("feature/x"));
    let expected = reference(branch("feature/x"), &push.commit, Channel::Feature, "--branch");
    assert_both(&repository, &push, &rules, expected);
}

#[test]
fn a_mainline_branch_is_pinned_by_the_highest_tag_at_its_commit() {
    let repository = pushed();
    repository.git(&["tag", "v1.9.0", "main"]);
    repository.git(&["tag", "-a", "-m", "release", "v1.10.0", "main"]);
    repository.git(&["push", "-q", "origin", "v1.9.0", "v1.10.0"]);
    let push = push_of(&repository, branch("main"));
    let at = |name: &str| reference(tag(name), &push.commit, Channel::Mainline, "--branch main");
    for pin in [Pin::Tag, Pin::Commit] {
        let rules = ReferenceRules { pin, ..ReferenceRules::default() };
        assert_both(&repository, &push, &rules, at("v1.10.0"));
    }
    // Workers of Prefect 1 can't check the annotated one out.
    let rules = ReferenceRules { lightweight: true, ..ReferenceRules::default() };
    let hints = [
        "git tag v1.10.0-light 'v1.10.0^{}' && git push origin v1.10.0-light && flowreg … --tag \
         v1.10.0-light",
        "make tags for Prefect 1 without -a, -s and -m",
    ];
    let annotated = |on: &str| {
        let message = format!(
            "the tag v1.10.0{on} is annotated, and workers of Prefect 1 fail to check such a tag out"
        );
        guard("annotated_tag", message, &hints)
    };
    assert_refused(&offline(&repository, &push, &rules), &annotated(""));
    assert_refused(&online(&repository, &push, &rules), &annotated(" on origin"));
    // A tag that is not on the remote pins nothing there.
    repository.git(&["tag", "v2.0.0", "main"]);
    let rules = ReferenceRules::default();
    assert_reference(&offline(&repository, &push, &rules), &at("v2.0.0"));
    let pinned = online(&repository, &push, &rules);
    assert_eq!(pinned.reference.as_ref().unwrap(), &proved(at("v1.10.0")));
    let notice = "v2.0.0 is only in this repository, so it does not count; to make it count: git push origin refs/tags/v2.0.0";
    assert_eq!(pinned.notices, [notice]);
    // Not if that would make a name of two refs.
    repository.git(&["push", "-q", "origin", "HEAD:refs/heads/v2.0.0"]);
    repository.git(&["fetch", "-q", "origin"]);
    assert_eq!(online(&repository, &push, &rules).notices, [""; 0]);
}

#[test]
fn an_untagged_mainline_branch_goes_by_the_setting() {
    let repository = pushed();
    let rules = |untagged| ReferenceRules { untagged, ..ReferenceRules::default() };
    let push = push_of(&repository, branch("main"));
    let untagged = |push: &PushedReference, on: &str| {
        let (name, commit) = (push.name.as_str(), push.commit.short());
        let make = format!("git tag -a v1.0.0 -m v1.0.0 {commit} && git push origin v1.0.0");
        let message = format!("{name} is mainline and no tag{on} points at {commit}");
        // What the remote has is not known until it is asked.
        let unseen = on.is_empty().then_some("or, if origin has tags: git fetch --tags origin");
        let hints: Vec<&str> = [Some(make.as_str()), unseen, Some("flowreg … --untagged branch")]
            .into_iter()
            .flatten()
            .collect();
        guard("untagged", message, &hints)
    };
    let refuse = rules(Untagged::Refuse);
    assert_refused(&offline(&repository, &push, &refuse), &untagged(&push, ""));
    assert_refused(&online(&repository, &push, &refuse), &untagged(&push, " on origin"));
    for setting in [Untagged::Branch, Untagged::Commit] {
        let expected = reference(branch("main"), &push.commit, Channel::Mainline, "--branch");
        assert_both(&repository, &push, &rules(setting), expected);
    }
    let globs = ReferenceRules { mainline: vec!["feature/*".to_owned()], ..refuse.clone() };
    let feature = push_of(&repository, branch("feature/x"));
    assert_refused(&offline(&repository, &feature, &globs), &untagged(&feature, ""));
    assert_refused(&online(&repository, &feature, &globs), &untagged(&feature, " on origin"));
    let expected = reference(branch("main"), &push.commit, Channel::Feature, "--branch");
    assert_both(&repository, &push, &globs, expected);
    let broken = ReferenceRules { mainline: vec!["[".to_owned()], ..refuse };
    let message =
        "`[` (repository.mainline) is not a glob: unclosed character class; missing ']'".to_owned();
    let invalid = error("invalid_glob", message, &[]);
    assert_refused(&offline(&repository, &push, &broken), &invalid);
    assert_refused(&online(&repository, &push, &broken), &invalid);
}

#[test]
fn a_tag_is_mainline_at_its_peeled_commit() {
    let repository = pushed();
    repository.git(&["tag", "light", "feature/x"]);
    repository.git(&["tag", "-a", "-m", "release", "annotated", "feature/x"]);
    repository.git(&["push", "-q", "origin", "light", "annotated"]);
    let rules = ReferenceRules::default();
    let commit = repository.commit_id("feature/x");
    let at = |name: &str| reference(tag(name), &commit, Channel::Mainline, "--tag");
    for name in ["light", "annotated"] {
        assert_both(&repository, &push_of(&repository, tag(name)), &rules, at(name));
    }
    let rules = ReferenceRules { lightweight: true, ..ReferenceRules::default() };
    assert_both(&repository, &push_of(&repository, tag("light")), &rules, at("light"));
    let hints = [
        "git tag annotated-light 'annotated^{}' && git push origin annotated-light && flowreg … \
         --tag annotated-light",
        "make tags for Prefect 1 without -a, -s and -m",
    ];
    let annotated = |on: &str| {
        let message = format!(
            "the tag annotated{on} is annotated, and workers of Prefect 1 fail to check such a tag \
             out"
        );
        guard("annotated_tag", message, &hints)
    };
    let push = push_of(&repository, tag("annotated"));
    assert_refused(&offline(&repository, &push, &rules), &annotated(""));
    assert_refused(&online(&repository, &push, &rules), &annotated(" on origin"));
}

#[test]
fn what_the_remote_has_now_counts_if_the_branch_moved_after_the_push() {
    let repository = pushed();
    let rules = ReferenceRules::default();
    let push = push_of(&repository, branch("feature/x"));
    let at = |commit| reference(branch("feature/x"), commit, Channel::Feature, "--branch");
    // Not pushed yet: where the branch is here does not matter.
    repository.commit("third");
    assert_both(&repository, &push, &rules, at(&push.commit));
    repository.git(&["push", "-q", "origin", "feature/x"]);
    assert_reference(&offline(&repository, &push, &rules), &at(&push.commit));
    let third = push_of(&repository, branch("feature/x"));
    let answer = online(&repository, &push, &rules);
    assert_eq!(answer.reference.unwrap(), proved(at(&third.commit)));
    let there = third.commit.short();
    let notice =
        format!("feature/x is 1 commit behind origin; what origin has ({there}) is registered");
    assert_eq!(answer.notices, [notice]);
    repository.git(&["push", "-q", "origin", ":feature/x"]);
    assert_reference(&offline(&repository, &third, &rules), &at(&third.commit));
    let message = "the branch feature/x is not on origin, where workers look for it";
    let missing = error("remote_missing_branch", message, &["git push -u origin feature/x"]);
    assert_refused(&online(&repository, &third, &rules), &missing);
}

#[test]
fn a_tag_that_moved_after_the_push_is_refused() {
    let repository = pushed();
    let rules = ReferenceRules::default();
    repository.git(&["tag", "v1", "main"]);
    repository.git(&["push", "-q", "origin", "v1"]);
    let push = push_of(&repository, tag("v1"));
    let at = |commit| reference(tag("v1"), commit, Channel::Mainline, "--tag");
    // Here only: the remote has what was pushed.
    repository.git(&["tag", "-f", "v1", "feature/x"]);
    assert_both(&repository, &push, &rules, at(&push.commit));
    repository.git(&["push", "-q", "-f", "origin", "v1"]);
    assert_reference(&offline(&repository, &push, &rules), &at(&push.commit));
    let second = push_of(&repository, tag("v1"));
    assert_ne!(second.commit, push.commit);
    let (here, there) = (&push.commit, &second.commit);
    let message = format!("the tag v1 is at {here} here and at {there} on origin");
    let moved = error("moved_tag", message, &["git fetch origin +refs/tags/v1:refs/tags/v1"]);
    assert_refused(&online(&repository, &push, &rules), &moved);
    repository.git(&["push", "-q", "origin", ":v1"]);
    assert_reference(&offline(&repository, &second, &rules), &at(&second.commit));
    let message = "the tag v1 is not on origin, where workers look for it";
    let missing = error("remote_missing_tag", message, &["git push origin refs/tags/v1"]);
    assert_refused(&online(&repository, &second, &rules), &missing);
}

#[test]
fn a_tag_and_a_branch_of_one_name_are_refused_unless_the_pin_is_the_commit() {
    let repository = pushed();
    repository.git(&["tag", "twin", "main"]);
    repository.git(&["branch", "twin", "main"]);
    repository.git(&["push", "-q", "origin", "refs/tags/twin", "refs/heads/twin"]);
    let rules = ReferenceRules::default();
    let here = error(
        "ambiguous_name",
        "twin is both a branch and a tag in this repository",
        &["git branch -m twin NEW_NAME"],
    );
    let there = error(
        "ambiguous_name",
        "twin is both a branch and a tag on origin",
        &[
            "git fetch origin refs/heads/twin && git push origin FETCH_HEAD:refs/heads/NEW_NAME :refs/heads/twin",
        ],
    );
    for name in [tag("twin"), branch("twin")] {
        let push = push_of(&repository, name);
        assert_refused(&offline(&repository, &push, &rules), &here);
        assert_refused(&online(&repository, &push, &rules), &there);
    }
    let rules = ReferenceRules { pin: Pin::Commit, ..ReferenceRules::default() };
    let push = push_of(&repository, tag("twin"));
    let expected = reference(tag("twin"), &push.commit, Channel::Mainline, "--tag");
    assert_both(&repository, &push, &rules, expected);
}

#[test]
fn the_remote_is_the_one_that_the_rules_name() {
    let repository = pushed();
    let push = push_of(&repository, branch("feature/x"));
    let at = || reference(branch("feature/x"), &push.commit, Channel::Feature, "--branch");
    let rules = |remote: &str| ReferenceRules {
        remote: Some(remote.parse().unwrap()),
        ..ReferenceRules::default()
    };
    let message = "there is no remote `elsewhere` (configured: origin)";
    let unknown = error("no_such_remote", message, &["git remote add elsewhere URL"]);
    assert_refused(&offline(&repository, &push, &rules("elsewhere")), &unknown);
    assert_refused(&online(&repository, &push, &rules("elsewhere")), &unknown);
    repository.add_bare_remote("elsewhere");
    assert_both(&repository, &push, &rules("origin"), at());
    let elsewhere = CodeReference { remote: Some("elsewhere".parse().unwrap()), ..at() };
    assert_reference(&offline(&repository, &push, &rules("elsewhere")), &elsewhere);
    let message = "the branch feature/x is not on elsewhere, where workers look for it";
    let missing = error("remote_missing_branch", message, &["git push -u elsewhere feature/x"]);
    assert_refused(&online(&repository, &push, &rules("elsewhere")), &missing);
}

#[test]
fn the_lightweight_tag_that_is_proposed_is_none_that_is_there() {
    let repository = pushed();
    repository.git(&["tag", "-a", "-m", "release", "v1", "feature/x"]);
    repository.git(&["push", "-q", "origin", "v1"]);
    let rules = ReferenceRules { lightweight: true, ..ReferenceRules::default() };
    let push = push_of(&repository, tag("v1"));
    let proposed = || {
        let hints = online(&repository, &push, &rules).reference.unwrap_err().hints();
        hints.into_iter().filter(|hint| hint.contains("v1-light")).collect::<Vec<_>>()
    };
    let make = "git tag v1-light 'v1^{}' && git push origin v1-light && flowreg … --tag v1-light";
    assert_eq!(proposed(), [make]);
    // It was made before, or something else has its name.
    repository.git(&["tag", "v1-light", "v1^{}"]);
    assert_eq!(proposed(), ["flowreg … --tag v1-light"]);
    repository.git(&["tag", "-f", "v1-light", "main"]);
    assert!(proposed().is_empty());
    repository.git(&["tag", "-d", "v1-light"]);
    repository.git(&["branch", "v1-light"]);
    assert!(proposed().is_empty());
}
