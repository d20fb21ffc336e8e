//! A detached HEAD, and names that stand for no branch: what git says of HEAD counts, by the same rules as for a
//! branch that is checked out.

use flowreg_git::{ReferenceRequest, ReferenceRules, Resolution, RungOutcome, Untagged, resolve};

use crate::repository::TestRepository;

/// `main` and `feature/x` at one commit each, both on `origin`; HEAD is detached at `main`.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    repository.commit("first");
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.commit("feature");
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["push", "-q", "origin", "main", "feature/x"]);
    repository.git(&["checkout", "-q", "--detach", "feature/x"]);
    repository
}

fn resolved(
    repository: &TestRepository,
    variables: &[(&str, &str)],
    ask_remote: bool,
) -> Resolution {
    let rules = ReferenceRules { ask_remote, untagged: Untagged::Branch, ..Default::default() };
    let environment = repository.environment(variables);
    resolve(&repository.open(), &environment, &ReferenceRequest::from(rules))
}

/// The full name that counts, or the code of the error.
fn name(resolution: &Resolution) -> String {
    match &resolution.reference {
        Ok(reference) => reference.name.full(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn a_tag_of_no_series_is_no_reference_for_a_detached_head() {
    for tag in ["latest", "nightly", "build-12", "jenkins-etl-3", "sprint-42", "python3", "pr-17"] {
        let repository = repository();
        repository.git(&["tag", tag]);
        repository.git(&["push", "-q", "origin", tag]);
        for ask_remote in [false, true] {
            let resolution = resolved(&repository, &[], ask_remote);
            assert_eq!(name(&resolution), "refs/heads/feature/x", "{tag} {ask_remote}");
        }
        // Nor for what Jenkins calls its build.
        let jenkins = [("JENKINS_URL", "https://ci"), ("BUILD_NUMBER", "3"), ("BUILD_TAG", tag)];
        if tag == "jenkins-etl-3" {
            assert_eq!(name(&resolved(&repository, &jenkins, true)), "refs/heads/feature/x");
        }
        // Without a branch there, nothing is left, and the tag has to be named.
        repository.commit("nowhere");
        repository.git(&["tag", "-f", tag]);
        let error = resolved(&repository, &[], false).reference.unwrap_err();
        assert_eq!(error.code(), "undecided");
        let head = repository.commit_id("HEAD");
        assert_eq!(
            error.to_string(),
            format!(
                "HEAD is detached at {}, and no version tag ({tag} is none of a series) and no remote branch points at it",
                head.short()
            )
        );
        assert_eq!(error.hints(), [format!("flowreg … --tag {tag}")]);
    }
}

#[test]
fn a_version_beside_the_others_is_still_the_one() {
    let repository = repository();
    for tag in ["latest", "build-12", "sprint-42", "v1.0.0"] {
        repository.git(&["tag", tag]);
        repository.git(&["push", "-q", "origin", tag]);
    }
    for ask_remote in [false, true] {
        assert_eq!(name(&resolved(&repository, &[], ask_remote)), "refs/tags/v1.0.0");
    }
}

#[test]
fn which_series_there_are_is_what_the_remote_says() {
    let repository = repository();
    // All that a clone without tags has is this one, which is no version beside the remote's.
    repository.git(&["tag", "schema-1.2"]);
    repository.git(&["push", "-q", "origin", "schema-1.2", "main:refs/tags/v1.0.0"]);
    assert_eq!(name(&resolved(&repository, &[], false)), "refs/tags/schema-1.2");
    let resolution = resolved(&repository, &[], true);
    assert_eq!(name(&resolution), "no_series");
    assert_eq!(resolution.reference.unwrap_err().hints()[0], "flowreg … --tag schema-1.2");
}

#[test]
fn where_several_names_are_at_head_the_hints_have_them() {
    let repository = repository();
    repository.git(&["branch", "-q", "twin"]);
    repository.git(&["push", "-q", "origin", "twin"]);
    let error = resolved(&repository, &[], false).reference.unwrap_err();
    assert_eq!(error.hints(), ["flowreg … --branch feature/x", "flowreg … --branch twin"]);
    repository.git(&["tag", "latest"]);
    let error = resolved(&repository, &[], false).reference.unwrap_err();
    assert!(error.to_string().contains("several remote branches point at it: feature/x, twin"));
    assert_eq!(error.hints()[..2], ["flowreg … --branch feature/x", "flowreg … --branch twin"]);
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["tag", "v1.0.1"]);
    let error = resolved(&repository, &[], false).reference.unwrap_err();
    assert!(error.to_string().ends_with("several tags point at it: v1.0.0, v1.0.1"), "{error}");
    assert_eq!(error.hints(), ["flowreg … --tag v1.0.0", "flowreg … --tag v1.0.1"]);
    let strict = ReferenceRequest { strict: true, ..Default::default() };
    let error = resolve(&repository.open(), &repository.environment(&[]), &strict);
    let hints = error.reference.unwrap_err().hints();
    assert_eq!(hints, ["flowreg … --tag v1.0.0", "flowreg … --tag v1.0.1"]);
}

/// Values that Jenkins, or a job that asks git, puts into `GIT_BRANCH` although they name no branch.
const NO_BRANCHES: [&str; 8] = [
    "HEAD",
    "detached",
    "FETCH_HEAD",
    "ORIG_HEAD",
    "origin/HEAD",
    "refs/remotes/origin/HEAD",
    "remotes/origin/HEAD",
    "origin/FETCH_HEAD",
];

#[test]
fn a_name_for_head_is_no_branch() {
    let repository = repository();
    let head = repository.commit_id("HEAD").to_string();
    let jenkins = [("JENKINS_URL", "https://ci"), ("GIT_COMMIT", head.as_str())];
    let teamcity = [("TEAMCITY_VERSION", "2026.1"), ("BUILD_VCS_NUMBER", head.as_str())];
    for job in [&jenkins[..], &teamcity, &[("CI", "true")], &[]] {
        for value in NO_BRANCHES {
            for ask_remote in [false, true] {
                let variables = [job, &[("GIT_BRANCH", value)]].concat();
                let resolution = resolved(&repository, &variables, ask_remote);
                let what = format!("{variables:?} {ask_remote}");
                assert_eq!(name(&resolution), "refs/heads/feature/x", "{what}");
                let rung = resolution.ladder.iter().find(|rung| rung.rung == "GIT_BRANCH").unwrap();
                assert_eq!(rung.outcome, RungOutcome::Skipped, "{what}");
                assert_eq!(resolution.notices.len(), 1, "{what}: {:?}", resolution.notices);
            }
        }
    }
    // A branch may be called so.
    repository.git(&["update-ref", "refs/heads/FETCH_HEAD", "HEAD"]);
    repository.git(&["update-ref", "refs/remotes/origin/FETCH_HEAD", "HEAD"]);
    let variables = [&jenkins[..], &[("GIT_BRANCH", "FETCH_HEAD")]].concat();
    let resolution = resolved(&repository, &variables, false);
    assert_eq!(name(&resolution), "refs/heads/FETCH_HEAD");
}

#[test]
fn a_remotes_name_before_a_value_is_read_as_what_it_can_only_mean() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "v1.0.0"]);
    let head = repository.commit_id("HEAD").to_string();
    let jenkins = [("JENKINS_URL", "https://ci"), ("GIT_COMMIT", head.as_str())];
    let teamcity = [("TEAMCITY_VERSION", "2026.1"), ("BUILD_VCS_NUMBER", head.as_str())];
    for job in [&jenkins[..], &teamcity, &[]] {
        for (value, expected) in [
            ("origin/tags/v1.0.0", "refs/tags/v1.0.0"),
            ("origin/refs/tags/v1.0.0", "refs/tags/v1.0.0"),
            ("remotes/origin/tags/v1.0.0", "refs/tags/v1.0.0"),
            ("refs/tags/v1.0.0", "refs/tags/v1.0.0"),
            ("origin/tags/v9.0.0", "no_such_tag"),
            ("origin/feature/x", "refs/heads/feature/x"),
            ("origin/heads/feature/x", "refs/heads/feature/x"),
            ("origin/refs/heads/feature/x", "refs/heads/feature/x"),
            ("origin/origin/feature/x", "refs/heads/feature/x"),
        ] {
            for ask_remote in [false, true] {
                let variables = [job, &[("GIT_BRANCH", value)]].concat();
                let resolution = resolved(&repository, &variables, ask_remote);
                assert_eq!(name(&resolution), expected, "{variables:?} {ask_remote}");
            }
        }
    }
    // No remote of that name is here, and Jenkins names a remote's branches only.
    for job in [&jenkins[..], &[]] {
        for value in ["upstream/feature/x", "upstream/main", "nowhere"] {
            let variables = [job, &[("GIT_BRANCH", value)]].concat();
            for ask_remote in [false, true] {
                let resolution = resolved(&repository, &variables, ask_remote);
                assert_eq!(name(&resolution), "no_such_branch", "{variables:?} {ask_remote}");
            }
        }
    }
    // What exists by that very name is meant.
    for branch in ["tags/v1.0.0", "heads/feature/x", "origin/feature/x", "upstream/main"] {
        let full = format!("HEAD:refs/heads/{branch}");
        repository.git(&["push", "-q", "origin", &full]);
    }
    for (value, expected) in [
        ("origin/tags/v1.0.0", "refs/heads/tags/v1.0.0"),
        ("origin/heads/feature/x", "refs/heads/heads/feature/x"),
        ("origin/origin/feature/x", "refs/heads/origin/feature/x"),
        ("upstream/main", "refs/heads/upstream/main"),
    ] {
        for ask_remote in [false, true] {
            let variables = [&jenkins[..], &[("GIT_BRANCH", value)]].concat();
            let resolution = resolved(&repository, &variables, ask_remote);
            assert_eq!(name(&resolution), expected, "{value} {ask_remote}");
        }
    }
}

#[test]
fn a_branch_of_another_remote_is_not_that_of_the_one_workers_clone_from() {
    let repository = repository();
    repository.add_bare_remote("upstream");
    repository.git(&["push", "-q", "upstream", "HEAD:refs/heads/feature/x"]);
    for ask_remote in [false, true] {
        let resolution = resolved(&repository, &[("GIT_BRANCH", "upstream/feature/x")], ask_remote);
        assert_eq!(name(&resolution), "other_remote", "{ask_remote}");
        let error = resolution.reference.unwrap_err();
        assert_eq!(
            error.to_string(),
            "GIT_BRANCH names the branch feature/x of the remote upstream, but workers clone from origin"
        );
        assert_eq!(error.hints(), ["flowreg … --remote upstream", "flowreg … --branch feature/x"]);
    }
}

#[test]
fn the_active_branch_is_the_one_that_git_names_where_another_stands_for_it() {
    let repository = repository();
    repository.git(&["checkout", "-q", "feature/x"]);
    repository.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/feature/x"]);
    repository.git(&["symbolic-ref", "refs/heads/second", "refs/heads/alias"]);
    for alias in ["alias", "second"] {
        repository.git(&["symbolic-ref", "HEAD", &format!("refs/heads/{alias}")]);
        let active = repository.git(&["branch", "--show-current"]);
        assert_eq!(repository.git(&["rev-parse", "--abbrev-ref", "HEAD"]), active);
        let resolution = resolved(&repository, &[], true);
        assert_eq!(name(&resolution), format!("refs/heads/{active}"));
        assert_eq!(repository.open().active_branch().unwrap().as_str(), active);
        assert_eq!(repository.open().head_commit().unwrap(), repository.commit_id("HEAD"));
    }
    // One that stands for a branch without a commit.
    repository.git(&["symbolic-ref", "refs/heads/alias", "refs/heads/unborn"]);
    let error = repository.open().head_commit().unwrap_err();
    assert_eq!(error.to_string(), "the branch unborn has no commit yet");
}

#[test]
fn a_name_with_too_much_before_it_is_hinted_without() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "v1.0.0", "HEAD:refs/heads/feature/y"]);
    repository.git(&["update-ref", "-d", "refs/remotes/origin/feature/y"]);
    let hints = |tag: Option<&str>, branch: Option<&str>, ask_remote| {
        let (tag, branch) = (tag.map(str::to_owned), branch.map(str::to_owned));
        let rules = ReferenceRules { ask_remote, ..Default::default() };
        let request = ReferenceRequest { tag, branch, strict: false, rules };
        let resolution = resolve(&repository.open(), &repository.environment(&[]), &request);
        resolution.reference.unwrap_err().hints()
    };
    for ask_remote in [false, true] {
        for tag in ["origin/v1.0.0", "tags/v1.0.0", "origin/tags/v1.0.0", "1.0.0", "v1.0"] {
            let hints = hints(Some(tag), None, ask_remote);
            assert_eq!(hints, ["flowreg … --tag v1.0.0"], "{tag} {ask_remote}");
        }
        for branch in ["tags/v1.0.0", "refs/tags/v1.0.0", "origin/tags/v1.0.0", "origin/v1.0.0"] {
            let hints = hints(None, Some(branch), ask_remote);
            assert_eq!(hints, ["flowreg … --tag v1.0.0"], "{branch} {ask_remote}");
        }
        let hints = hints(None, Some("origin/feature/x"), ask_remote);
        assert_eq!(hints, ["flowreg … --branch feature/x"]);
    }
    // The remote knows what was never fetched.
    assert_eq!(hints(None, Some("origin/feature/y"), true), ["flowreg … --branch feature/y"]);
    repository.git(&["tag", "-d", "v1.0.0"]);
    assert_eq!(hints(Some("1.0.0"), None, true), ["flowreg … --tag v1.0.0"]);
    assert_eq!(hints(Some("1.0.0"), None, false), ["git fetch --tags origin"]);
}
