//! The ladder on real repositories: which name is meant, and at which commit. No remote is asked.

use flowreg_git::{
    Pin, ReferenceError, ReferenceRequest, ReferenceRules, Resolution, RungOutcome, Untagged,
    resolve,
};
use flowreg_model::{Channel, CodeReference, ReferenceSource};

use crate::repository::TestRepository;

/// `main` with one commit.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    repository
}

/// On the branch `feature/x`, one commit ahead of `main`.
fn on_feature() -> TestRepository {
    let repository = repository();
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.commit("second");
    repository
}

fn offline() -> ReferenceRequest {
    ReferenceRules { ask_remote: false, ..Default::default() }.into()
}

fn resolution(
    repository: &TestRepository,
    variables: &[(&str, &str)],
    request: &ReferenceRequest,
) -> Resolution {
    resolve(&repository.open(), &repository.environment(variables), request)
}

fn resolved(repository: &TestRepository, variables: &[(&str, &str)]) -> CodeReference {
    resolution(repository, variables, &offline()).reference.unwrap()
}

fn refused(repository: &TestRepository, variables: &[(&str, &str)]) -> ReferenceError {
    resolution(repository, variables, &offline()).reference.unwrap_err()
}

fn outcome(resolution: &Resolution, rung: &str) -> RungOutcome {
    resolution.ladder.iter().find(|entry| entry.rung == rung).unwrap().outcome
}

fn with_tag(tag: &str) -> ReferenceRequest {
    ReferenceRequest { tag: Some(tag.to_owned()), ..offline() }
}

fn with_branch(branch: &str) -> ReferenceRequest {
    ReferenceRequest { branch: Some(branch.to_owned()), ..offline() }
}

fn pinned_by_commit(mut request: ReferenceRequest) -> ReferenceRequest {
    request.rules.pin = Pin::Commit;
    request
}

fn with_mainline(glob: &str) -> ReferenceRequest {
    let rules = offline().rules;
    ReferenceRules { mainline: vec![glob.to_owned()], ..rules }.into()
}

#[test]
fn the_active_branch_decides_when_nothing_else_is_set() {
    let repository = on_feature();
    let resolution = resolution(&repository, &[], &offline());
    let reference = resolution.reference.as_ref().unwrap();
    assert_eq!(reference.branch().unwrap().as_str(), "feature/x");
    assert_eq!(reference.commit, repository.commit_id("HEAD"));
    assert_eq!(reference.source, ReferenceSource::ActiveBranch);
    assert_eq!(reference.channel, Channel::Feature);
    assert!(!reference.proved && reference.remote.is_none());
    let rungs: Vec<_> = resolution.ladder.iter().map(|rung| (rung.rung, rung.outcome)).collect();
    assert_eq!(
        rungs,
        [
            ("--tag", RungOutcome::Unset),
            ("--branch", RungOutcome::Unset),
            ("BUILD_TAG", RungOutcome::Unset),
            ("GIT_BRANCH", RungOutcome::Unset),
            ("active branch", RungOutcome::Taken),
            ("CI", RungOutcome::NotReached),
            ("git", RungOutcome::NotReached),
        ]
    );
}

#[test]
fn each_rung_goes_before_those_below_it() {
    let repository = on_feature();
    repository.git(&["tag", "v1"]);
    repository.git(&["tag", "v2", "main"]);
    repository.git(&["branch", "other", "main"]);
    let both = [("BUILD_TAG", "v1"), ("GIT_BRANCH", "other")];
    assert_eq!(resolved(&repository, &both).name.full(), "refs/tags/v1");
    assert_eq!(resolved(&repository, &both[1..]).name.full(), "refs/heads/other");
    let flag = resolution(&repository, &both, &with_tag("v2"));
    assert_eq!(flag.reference.as_ref().unwrap().name.full(), "refs/tags/v2");
    assert_eq!(flag.reference.as_ref().unwrap().source, ReferenceSource::Flag);
    assert_eq!(outcome(&flag, "BUILD_TAG"), RungOutcome::NotReached);
    let flag = resolution(&repository, &both, &with_branch("other")).reference.unwrap();
    assert_eq!(flag.name.full(), "refs/heads/other");
    assert_eq!(flag.commit, repository.commit_id("main"));
}

#[test]
fn both_flags_are_refused() {
    let repository = repository();
    repository.git(&["tag", "v1"]);
    let request = ReferenceRequest { branch: Some("main".to_owned()), ..with_tag("v1") };
    let error = resolution(&repository, &[], &request).reference.unwrap_err();
    assert_eq!(error.code(), "tag_and_branch");
}

#[test]
fn blank_values_are_unset() {
    let repository = on_feature();
    let blank = [("BUILD_TAG", ""), ("GIT_BRANCH", "  "), ("GITHUB_ACTIONS", "")];
    let resolution = resolution(&repository, &blank, &offline());
    assert_eq!(outcome(&resolution, "BUILD_TAG"), RungOutcome::Unset);
    assert_eq!(outcome(&resolution, "GIT_BRANCH"), RungOutcome::Unset);
    assert_eq!(resolution.reference.unwrap().source, ReferenceSource::ActiveBranch);
}

#[test]
fn full_refs_are_accepted() {
    let repository = on_feature();
    repository.git(&["tag", "v1"]);
    assert_eq!(
        resolved(&repository, &[("BUILD_TAG", "refs/tags/v1")]).tag().unwrap().as_str(),
        "v1"
    );
    let branch = resolved(&repository, &[("GIT_BRANCH", "refs/heads/feature/x")]);
    assert_eq!(branch.branch().unwrap().as_str(), "feature/x");
    let flag = resolution(&repository, &[], &with_branch("refs/heads/feature/x")).reference;
    assert_eq!(flag.unwrap().branch().unwrap().as_str(), "feature/x");
}

#[test]
fn a_build_tag_that_does_not_exist_is_an_error_and_nothing_else_is_tried() {
    let repository = on_feature();
    let resolution = resolution(&repository, &[("BUILD_TAG", "v9")], &offline());
    assert_eq!(outcome(&resolution, "BUILD_TAG"), RungOutcome::Refused);
    assert_eq!(outcome(&resolution, "active branch"), RungOutcome::NotReached);
    let error = resolution.reference.unwrap_err();
    assert_eq!(error.code(), "no_such_tag");
    assert!(error.to_string().contains("v9") && error.to_string().contains("BUILD_TAG"));
    assert_eq!(error.hints(), ["git tag --list"], "there is no remote to fetch it from");
    repository.add_bare_remote("upstream");
    let error = refused(&repository, &[("BUILD_TAG", "v9")]);
    assert_eq!(error.hints(), ["git fetch --tags upstream"]);
    // A branch of that name is no tag.
    assert_eq!(refused(&repository, &[("BUILD_TAG", "feature/x")]).code(), "no_such_tag");
}

#[test]
fn a_git_branch_that_does_not_exist_is_an_error() {
    let repository = on_feature();
    repository.git(&["tag", "v1"]);
    assert_eq!(refused(&repository, &[("GIT_BRANCH", "gone")]).code(), "no_such_branch");
    assert_eq!(refused(&repository, &[("GIT_BRANCH", "v1")]).code(), "no_such_branch");
    assert_eq!(refused(&repository, &[("GIT_BRANCH", "a..b")]).code(), "invalid_name");
    assert_eq!(refused(&repository, &[("BUILD_TAG", "--upload-pack=x")]).code(), "invalid_name");
}

#[test]
fn jenkins_build_tag_is_skipped_with_a_notice() {
    let repository = on_feature();
    for jenkins in [
        &[("JENKINS_URL", "https://ci/"), ("BUILD_TAG", "jenkins-team-etl-42")][..],
        &[("BUILD_NUMBER", "42"), ("JOB_NAME", "team/etl"), ("BUILD_TAG", "jenkins-team-etl-42")],
    ] {
        let resolution = resolution(&repository, jenkins, &offline());
        assert_eq!(outcome(&resolution, "BUILD_TAG"), RungOutcome::Skipped);
        assert!(resolution.notices[0].contains("jenkins-team-etl-42"), "{:?}", resolution.notices);
        assert_eq!(resolution.reference.unwrap().source, ReferenceSource::ActiveBranch);
    }
}

#[test]
fn on_jenkins_any_other_build_tag_counts() {
    let repository = on_feature();
    repository.git(&["tag", "v1"]);
    let jenkins =
        |tag| [("JENKINS_URL", "https://ci/"), ("BUILD_NUMBER", "42"), ("BUILD_TAG", tag)];
    assert_eq!(resolved(&repository, &jenkins("v1")).tag().unwrap().as_str(), "v1");
    assert_eq!(refused(&repository, &jenkins("v9")).code(), "no_such_tag");
    // The number of another build: not what Jenkins sets.
    assert_eq!(refused(&repository, &jenkins("jenkins-etl-41")).code(), "no_such_tag");
    // Outside Jenkins the value is a tag like any other.
    assert_eq!(refused(&repository, &[("BUILD_TAG", "jenkins-etl-42")]).code(), "no_such_tag");
}

#[test]
fn the_remotes_name_is_stripped_only_if_the_rest_is_a_branch_there() {
    let repository = on_feature();
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main", "feature/x"]);
    let reference = resolved(&repository, &[("GIT_BRANCH", "origin/feature/x")]);
    assert_eq!(reference.branch().unwrap().as_str(), "feature/x");
    assert_eq!(reference.source, ReferenceSource::GitBranch);
    let full = resolved(&repository, &[("GIT_BRANCH", "refs/remotes/origin/feature/x")]);
    assert_eq!(full.name, reference.name);
    // `upstream` is no remote, so this is a branch of that name, and there is none.
    assert_eq!(
        refused(&repository, &[("GIT_BRANCH", "upstream/feature/x")]).code(),
        "no_such_branch"
    );
    // `origin/gone` is neither a branch nor a branch of origin.
    assert_eq!(refused(&repository, &[("GIT_BRANCH", "origin/gone")]).code(), "no_such_branch");
}

#[test]
fn a_branch_called_like_a_remote_branch_is_taken_literally() {
    let repository = on_feature();
    repository.add_bare_remote("origin");
    repository.git(&["branch", "origin/only-here"]);
    let reference = resolved(&repository, &[("GIT_BRANCH", "origin/only-here")]);
    assert_eq!(reference.name.full(), "refs/heads/origin/only-here");
    // With both readings the value can't be right.
    repository.git(&["push", "-q", "origin", "feature/x:only-here"]);
    assert_eq!(
        refused(&repository, &[("GIT_BRANCH", "origin/only-here")]).code(),
        "ambiguous_branch"
    );
    let literal = resolved(&repository, &[("GIT_BRANCH", "refs/heads/origin/only-here")]);
    assert_eq!(literal.name, reference.name);
}

#[test]
fn of_a_remote_branch_the_remotes_commit_counts() {
    let repository = on_feature();
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "feature/x"]);
    let pushed = repository.commit_id("HEAD");
    repository.commit("a local one that an earlier build left");
    assert_eq!(resolved(&repository, &[("GIT_BRANCH", "origin/feature/x")]).commit, pushed);
    assert_ne!(resolved(&repository, &[("GIT_BRANCH", "feature/x")]).commit, pushed);
}

#[test]
fn detached_and_head_as_git_branch_are_skipped_with_a_notice() {
    let repository = on_feature();
    for value in ["detached", "HEAD"] {
        let resolution = resolution(&repository, &[("GIT_BRANCH", value)], &offline());
        assert_eq!(outcome(&resolution, "GIT_BRANCH"), RungOutcome::Skipped);
        assert_eq!(resolution.notices.len(), 1);
        assert_eq!(resolution.reference.unwrap().source, ReferenceSource::ActiveBranch);
    }
}

#[test]
fn jenkins_multibranch_values_that_are_no_branch_are_skipped() {
    let repository = on_feature();
    repository.git(&["tag", "v1"]);
    repository.git(&["checkout", "-q", "--detach"]);
    let jenkins =
        [("JENKINS_URL", "https://ci/"), ("BRANCH_NAME", "PR-24"), ("GIT_BRANCH", "PR-24")];
    let pull_request =
        [&jenkins[..], &[("CHANGE_ID", "24"), ("CHANGE_BRANCH", "feature/x")]].concat();
    let reference = resolved(&repository, &pull_request);
    assert_eq!(reference.name.full(), "refs/heads/feature/x");
    assert_eq!(reference.source, ReferenceSource::Ci);
    let tag = [
        ("JENKINS_URL", "https://ci/"),
        ("BRANCH_NAME", "v1"),
        ("GIT_BRANCH", "v1"),
        ("TAG_NAME", "v1"),
    ];
    assert_eq!(resolved(&repository, &tag).name.full(), "refs/tags/v1");
}

#[test]
fn an_unborn_head_is_an_error_with_the_branchs_name() {
    let repository = TestRepository::empty();
    let resolution = resolution(&repository, &[], &offline());
    assert_eq!(outcome(&resolution, "active branch"), RungOutcome::Refused);
    let error = resolution.reference.unwrap_err();
    assert_eq!(error.code(), "unborn_head");
    assert!(error.to_string().contains("main") && !error.is_guard());
}

#[test]
fn a_detached_head_takes_the_one_tag() {
    let repository = on_feature();
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.git(&["checkout", "-q", "--detach"]);
    let resolution = resolution(&repository, &[], &offline());
    assert_eq!(outcome(&resolution, "active branch"), RungOutcome::Unset);
    assert_eq!(outcome(&resolution, "git"), RungOutcome::Taken);
    let reference = resolution.reference.unwrap();
    assert_eq!(reference.tag().unwrap().as_str(), "v1");
    assert_eq!(reference.commit, repository.commit_id("HEAD"));
    assert_eq!(reference.source, ReferenceSource::Git);
}

#[test]
fn a_detached_head_without_a_tag_takes_the_one_remote_branch() {
    let repository = on_feature();
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main", "feature/x"]);
    repository.git(&["remote", "set-head", "origin", "feature/x"]);
    repository.git(&["checkout", "-q", "--detach"]);
    let reference = resolved(&repository, &[]);
    assert_eq!(reference.name.full(), "refs/heads/feature/x");
    assert_eq!(reference.source, ReferenceSource::Git);
}

#[test]
fn several_names_or_none_at_a_detached_head_are_an_error_that_names_them() {
    let repository = on_feature();
    repository.git(&["checkout", "-q", "--detach"]);
    let error = refused(&repository, &[]);
    assert_eq!(error.code(), "undecided");
    assert!(error.to_string().contains("no tag and no remote branch"), "{error}");
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "feature/x", "feature/x:feature/y"]);
    let error = refused(&repository, &[]).to_string();
    assert!(error.contains("feature/x") && error.contains("feature/y"), "{error}");
    repository.git(&["tag", "v1"]);
    repository.git(&["tag", "v2"]);
    let error = refused(&repository, &[]).to_string();
    assert!(error.contains("v1") && error.contains("v2"), "{error}");
    // One remote branch does not help where the tags leave it open.
    repository.git(&["push", "-q", "origin", ":feature/y"]);
    assert_eq!(refused(&repository, &[]).code(), "undecided");
}

#[test]
fn strict_stops_at_the_active_branch() {
    let repository = on_feature();
    repository.git(&["tag", "v1"]);
    let strict = ReferenceRequest { strict: true, ..offline() };
    assert!(resolution(&repository, &[], &strict).reference.is_ok());
    repository.git(&["checkout", "-q", "--detach"]);
    let ci = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/tags/v1")];
    let resolution = resolution(&repository, &ci, &strict);
    assert_eq!(outcome(&resolution, "active branch"), RungOutcome::Refused);
    assert_eq!(outcome(&resolution, "CI"), RungOutcome::NotReached);
    assert_eq!(resolution.reference.unwrap_err().code(), "detached_head");
}

#[test]
fn annotated_and_nested_tags_are_peeled_to_the_commit() {
    let repository = on_feature();
    repository.git(&["tag", "light"]);
    repository.git(&["tag", "-a", "-m", "one", "annotated"]);
    repository.git(&["tag", "-a", "-m", "two", "nested", "annotated"]);
    repository.git(&["tag", "-a", "-m", "three", "twice", "nested"]);
    for packed in [false, true] {
        if packed {
            repository.git(&["pack-refs", "--all"]);
        }
        for tag in ["light", "annotated", "nested", "twice"] {
            let reference = resolved(&repository, &[("BUILD_TAG", tag)]);
            assert_eq!(reference.commit, repository.commit_id("HEAD"), "{tag}, packed: {packed}");
            assert_eq!(reference.channel, Channel::Mainline);
        }
    }
}

#[test]
fn tags_of_trees_and_blobs_are_errors() {
    let repository = repository();
    repository.git(&["tag", "tree", "HEAD^{tree}"]);
    repository.git(&["tag", "-a", "-m", "of a tree", "annotated-tree", "HEAD^{tree}"]);
    repository.git(&["tag", "blob", "HEAD:flows/etl.py"]);
    for tag in ["tree", "annotated-tree", "blob"] {
        let error = refused(&repository, &[("BUILD_TAG", tag)]);
        assert_eq!(error.code(), "not_a_commit", "{tag}");
        assert!(error.to_string().contains(&format!("refs/tags/{tag}")), "{error}");
    }
}

#[test]
fn a_tag_and_a_branch_of_one_name_are_refused_in_both_directions() {
    let repository = on_feature();
    repository.git(&["branch", "twin"]);
    repository.git(&["tag", "twin", "main"]);
    for request in [with_tag("twin"), with_branch("twin")] {
        let error = resolution(&repository, &[], &request).reference.unwrap_err();
        assert_eq!(error.code(), "ambiguous_name");
        assert!(!error.is_guard());
    }
    let pinned = pinned_by_commit(with_tag("twin"));
    let reference = resolution(&repository, &[], &pinned).reference.unwrap();
    assert_eq!(reference.commit, repository.commit_id("main"));
    // A feature branch is never pinned, so the pin does not help it.
    let pinned = pinned_by_commit(with_branch("twin"));
    assert!(resolution(&repository, &[], &pinned).reference.is_err());
}

/// Why a branch reference is refused as well: git itself takes the tag where a worker refreshes
/// a directory that it has already.
#[test]
fn git_clones_the_branch_but_pulls_the_tag() {
    let repository = on_feature();
    repository.add_bare_remote("origin");
    repository.git(&["tag", "twin", "main"]);
    repository.git(&[
        "push",
        "-q",
        "origin",
        "main",
        "feature/x:refs/heads/twin",
        "refs/tags/twin",
    ]);
    let path = repository.outside().join("origin.git");
    let clone = repository.clone_beside("worker", &["--branch", "twin", path.to_str().unwrap()]);
    let branch = repository.git_in(&clone, &["rev-parse", "HEAD"]);
    assert_eq!(branch, repository.commit_id("feature/x").as_str());
    repository.git_in(&clone, &["fetch", "-q", "origin", "twin"]);
    let fetched = repository.git_in(&clone, &["rev-parse", "FETCH_HEAD"]);
    assert_eq!(fetched, repository.commit_id("main").as_str());
}

#[test]
fn mainline_is_pinned_at_the_highest_version() {
    let repository = repository();
    for tag in ["nightly", "v1.9.0", "v1.10.0-rc.1"] {
        repository.git(&["tag", tag]);
    }
    repository.git(&["tag", "-a", "-m", "release", "v1.10.0"]);
    repository.git(&["tag", "v3.0.0", "HEAD^{tree}"]);
    let reference = resolved(&repository, &[]);
    assert_eq!(reference.tag().unwrap().as_str(), "v1.10.0");
    assert_eq!(reference.source, ReferenceSource::ActiveBranch);
    assert_eq!(reference.source_detail, "active branch main");
    assert_eq!(reference.channel, Channel::Mainline);
}

#[test]
fn a_tag_at_another_commit_does_not_pin_mainline() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    repository.commit("untagged");
    let error = refused(&repository, &[]);
    assert_eq!(error.code(), "untagged");
    assert!(error.is_guard());
    assert!(error.hints().iter().any(|hint| hint.starts_with("git tag -a")));
    assert!(error.hints().iter().any(|hint| hint.contains("--untagged branch")));
}

#[test]
fn the_tag_to_type_for_untagged_mainline_is_the_next_one_that_is_free() {
    let repository = repository();
    let proposed = || {
        let hint = refused(&repository, &[]).hints().swap_remove(0);
        let tag = hint.split(' ').nth(3).unwrap().to_owned();
        let short = &repository.git(&["rev-parse", "HEAD"])[..7];
        let expected = format!("git tag -a {tag} -m {tag} {short}");
        assert_eq!(hint, expected);
        tag
    };
    assert_eq!(proposed(), "v1.0.0");
    for (tag, next) in [("v0.1.0", "v0.1.1"), ("v1.9.0", "v1.9.1"), ("v1.10.0", "v1.10.1")] {
        repository.git(&["tag", "-a", "-m", "release", tag]);
        repository.commit("after it");
        assert_eq!(proposed(), next);
    }
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["tag", &proposed()]);
    assert_eq!(resolved(&repository, &[]).name.as_str(), "v1.10.1", "the hint helps");
    // Which of two series the next version belongs to can't be known.
    repository.git(&["tag", "1.11.0", "v0.1.0"]);
    repository.commit("after it");
    let hints = refused(&repository, &[]).hints();
    assert!(hints[0].contains("\"\", if 1.11.0") && hints[1].contains("\"v\""), "{hints:?}");
}

#[test]
fn a_remotes_name_in_front_of_the_branch_flag_is_hinted_at() {
    let repository = on_feature();
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "feature/x"]);
    for value in ["origin/feature/x", "refs/remotes/origin/feature/x"] {
        for ask_remote in [false, true] {
            let mut request = with_branch(value);
            request.rules.ask_remote = ask_remote;
            let error = resolution(&repository, &[], &request).reference.unwrap_err();
            assert_eq!(error.code(), "no_such_branch");
            assert_eq!(error.hints(), ["flowreg … --branch feature/x"], "{value}");
        }
    }
    // `upstream` is no remote.
    let error = resolution(&repository, &[], &with_branch("upstream/y")).reference.unwrap_err();
    let fetch = "git fetch origin +refs/heads/upstream/y:refs/remotes/origin/upstream/y";
    assert_eq!(error.hints(), [fetch]);
}

#[test]
fn a_tag_where_a_branch_has_to_be_is_hinted_at_and_the_other_way_round() {
    let repository = on_feature();
    repository.git(&["tag", "v1.0.0"]);
    let error = refused(&repository, &[("GIT_BRANCH", "v1.0.0")]);
    assert_eq!(error.code(), "no_such_branch");
    assert_eq!(error.hints(), ["flowreg … --tag v1.0.0", "BUILD_TAG=v1.0.0 flowreg …"]);
    for value in ["refs/tags/v1.0.0", "v1.0.0"] {
        let error = resolution(&repository, &[], &with_branch(value)).reference.unwrap_err();
        assert_eq!(error.hints(), ["flowreg … --tag v1.0.0"]);
    }
    for value in ["refs/heads/feature/x", "feature/x"] {
        let error = refused(&repository, &[("BUILD_TAG", value)]);
        assert_eq!(error.code(), "no_such_tag");
        assert_eq!(error.hints(), ["flowreg … --branch feature/x"]);
    }
    assert_eq!(
        refused(&repository, &[("GIT_BRANCH", "gone")]).hints(),
        ["git branch --list --all"]
    );
}

#[test]
fn untagged_mainline_may_be_registered_as_a_branch_or_a_commit() {
    let repository = repository();
    for untagged in [Untagged::Branch, Untagged::Commit] {
        let mut request = offline();
        request.rules.untagged = untagged;
        let reference = resolution(&repository, &[], &request).reference.unwrap();
        assert_eq!(reference.name.full(), "refs/heads/main");
        assert_eq!(reference.channel, Channel::Mainline);
    }
}

#[test]
fn mainline_globs_decide_the_channel() {
    let repository = on_feature();
    let request = with_mainline("feature/*");
    let error = resolution(&repository, &[], &request).reference.unwrap_err();
    assert_eq!(error.code(), "untagged");
    let feature =
        resolution(&repository, &[], &ReferenceRequest { branch: Some("main".into()), ..request });
    assert_eq!(feature.reference.unwrap().channel, Channel::Feature);
}

#[test]
fn control_characters_in_a_value_are_shown_escaped() {
    let repository = on_feature();
    // The last one begins an escape sequence as well (CSI), and git takes it in a name.
    for (value, shown) in [
        ("a\nb", "a\\nb"),
        ("\u{1b}[31mred", "\\u{1b}[31mred"),
        ("v1\r2", "v1\\r2"),
        ("a\u{9b}31m", "a\\u{9b}31m"),
    ] {
        let jenkins = format!("jenkins-{value}-42");
        let jenkins = [("JENKINS_URL", "https://ci/"), ("BUILD_TAG", &jenkins)];
        for resolution in [
            resolution(&repository, &[("GIT_BRANCH", value)], &offline()),
            resolution(&repository, &[("BUILD_TAG", value)], &offline()),
            resolution(&repository, &jenkins, &offline()),
            resolution(&repository, &[], &with_tag(value)),
            resolution(&repository, &[], &with_branch(value)),
        ] {
            let rungs = resolution.ladder.iter();
            let mut texts: Vec<_> =
                rungs.flat_map(|rung| [&rung.value, &rung.reason]).flatten().cloned().collect();
            texts.extend(resolution.notices);
            if let Some(error) = resolution.reference.err() {
                texts.push(error.to_string());
                texts.extend(error.hints());
            }
            assert!(!texts.iter().any(|text| text.contains(char::is_control)), "{texts:?}");
            assert!(texts.iter().filter(|text| text.contains(shown)).count() > 1, "{texts:?}");
        }
    }
}

#[test]
fn a_broken_glob_is_an_error_of_the_configuration_and_of_no_rung() {
    let repository = on_feature();
    let request = with_mainline("release/[");
    let resolution = resolution(&repository, &[], &request);
    assert_eq!(outcome(&resolution, "active branch"), RungOutcome::Taken);
    let error = resolution.reference.unwrap_err();
    assert_eq!(error.code(), "invalid_glob");
    assert!(error.is_configuration() && !error.is_guard());
    let request = with_mainline("[\n");
    let error = self::resolution(&repository, &[], &request).reference.unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    assert!(!refused(&repository, &[("BUILD_TAG", "v9")]).is_configuration());
}

#[test]
fn the_ladder_is_the_same_in_json() {
    let repository = on_feature();
    let resolution = resolution(&repository, &[("GIT_BRANCH", "detached")], &offline());
    let json = serde_json::to_value(&resolution.ladder).unwrap();
    assert_eq!(json[3]["rung"], "GIT_BRANCH");
    assert_eq!(json[3]["value"], "detached");
    assert_eq!(json[3]["outcome"], "skipped");
    assert_eq!(json[6]["outcome"], "not_reached");
    assert_eq!(json[6]["value"], serde_json::Value::Null);
}
