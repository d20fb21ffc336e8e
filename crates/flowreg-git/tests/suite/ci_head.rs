//! What a provider says counts for the HEAD that it speaks of: jobs that check out another commit or another
//! repository, and checkouts that leave another branch active than the one that is built.

use flowreg_git::{ReferenceRequest, ReferenceRules, Resolution, RungOutcome, Untagged, resolve};

use crate::repository::TestRepository;

/// `main` at `v1.0.0` and one commit after it, `feature/x` beside that; all of it on `origin`.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.write("flows/x.py", "def x(): ...\n");
    repository.commit("feature");
    repository.git(&["checkout", "-q", "main"]);
    repository.write("flows/y.py", "def y(): ...\n");
    repository.commit("second");
    repository.git(&["push", "-q", "origin", "main", "feature/x", "v1.0.0"]);
    repository
}

fn resolved(repository: &TestRepository, variables: &[(&str, &str)]) -> Resolution {
    let rules =
        ReferenceRules { ask_remote: false, untagged: Untagged::Branch, ..Default::default() };
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

fn outcome<'r>(resolution: &'r Resolution, rung: &str) -> (RungOutcome, &'r str) {
    let found = resolution.ladder.iter().find(|one| one.rung == rung).unwrap();
    (found.outcome, found.reason.as_deref().unwrap_or_default())
}

/// A build of `main` by each provider, and its variable with the commit.
#[rustfmt::skip]
const BUILDS_OF_MAIN: &[(&[(&str, &str)], &str)] = &[
    (&[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/heads/main"), ("GITHUB_REF_NAME", "main"), ("GITHUB_REF_TYPE", "branch")], "GITHUB_SHA"),
    (&[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main")], "CI_COMMIT_SHA"),
    (&[("BITBUCKET_BUILD_NUMBER", "3"), ("BITBUCKET_BRANCH", "main")], "BITBUCKET_COMMIT"),
    (&[("CIRCLECI", "true"), ("CIRCLE_BRANCH", "main")], "CIRCLE_SHA1"),
    (&[("BUILDKITE", "true"), ("BUILDKITE_BRANCH", "main"), ("BUILDKITE_PULL_REQUEST", "false")], "BUILDKITE_COMMIT"),
    (&[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", "main")], "GIT_COMMIT"),
    (&[("JENKINS_URL", "https://ci"), ("GIT_LOCAL_BRANCH", "main")], "GIT_COMMIT"),
    (&[("TF_BUILD", "True"), ("BUILD_SOURCEBRANCH", "refs/heads/main")], "BUILD_SOURCEVERSION"),
    (&[("TRAVIS", "true"), ("TRAVIS_BRANCH", "main"), ("TRAVIS_PULL_REQUEST", "false")], "TRAVIS_COMMIT"),
    (&[("CI", "woodpecker"), ("CI_COMMIT_BRANCH", "main")], "CI_COMMIT_SHA"),
    (&[("DRONE", "true"), ("DRONE_BRANCH", "main")], "DRONE_COMMIT_SHA"),
    (&[("CODEBUILD_BUILD_ID", "x"), ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/main")], "CODEBUILD_RESOLVED_SOURCE_VERSION"),
    (&[("SEMAPHORE", "true"), ("SEMAPHORE_GIT_BRANCH", "main")], "SEMAPHORE_GIT_SHA"),
    (&[("APPVEYOR", "true"), ("APPVEYOR_REPO_BRANCH", "main")], "APPVEYOR_REPO_COMMIT"),
    (&[("BRANCH_NAME", "main")], "COMMIT_SHA"),
];

#[test]
fn a_branch_that_jenkins_names_is_that_of_the_commit_that_it_checked_out() {
    let repository = repository();
    let built = repository.commit_id("main").to_string();
    let jenkins = [("JENKINS_URL", "https://ci"), ("GIT_BRANCH", "origin/main")];
    let variables = [&jenkins[..], &[("GIT_COMMIT", built.as_str())]].concat();
    assert_eq!(name(&resolved(&repository, &variables)), "refs/heads/main");
    repository.git(&["checkout", "-q", "--detach", "v1.0.0"]);
    let resolution = resolved(&repository, &variables);
    assert_eq!(name(&resolution), "refs/tags/v1.0.0");
    let (outcome, reason) = outcome(&resolution, "GIT_BRANCH");
    assert_eq!(outcome, RungOutcome::Skipped);
    assert!(reason.starts_with(&format!("GIT_COMMIT is {}", &built[..7])), "{reason}");
    // Somebody who sets it without Jenkins means it.
    let by_hand = [("GIT_BRANCH", "origin/main"), ("GIT_COMMIT", built.as_str())];
    assert_eq!(name(&resolved(&repository, &by_hand)), "refs/heads/main");
}

#[test]
fn a_job_that_checks_out_a_tag_registers_it_whatever_the_build_is_of() {
    let repository = repository();
    let built = repository.commit_id("main").to_string();
    repository.git(&["checkout", "-q", "--detach", "v1.0.0"]);
    for (build, variable) in BUILDS_OF_MAIN {
        let variables = [*build, &[(*variable, built.as_str())]].concat();
        let resolution = resolved(&repository, &variables);
        assert_eq!(name(&resolution), "refs/tags/v1.0.0", "{variable}");
        let (outcome, reason) = outcome(&resolution, "CI");
        assert_eq!(outcome, RungOutcome::Skipped, "{variable}");
        assert!(reason.starts_with(&format!("{variable} is {}", &built[..7])), "{reason}");
        assert!(resolution.notices.iter().any(|notice| notice.contains(reason)), "{variable}");
    }
}

#[test]
fn a_build_whose_commit_is_head_is_what_the_provider_says() {
    let repository = repository();
    let built = repository.commit_id("main").to_string();
    repository.git(&["checkout", "-q", "--detach", "main"]);
    repository.git(&["branch", "-q", "-D", "main"]);
    for (build, variable) in BUILDS_OF_MAIN {
        let variables = [*build, &[(*variable, built.as_str())]].concat();
        let resolution = resolved(&repository, &variables);
        assert_eq!(name(&resolution), "refs/heads/main", "{variable}");
        assert_eq!(outcome(&resolution, "CI").0, RungOutcome::Taken, "{variable}");
        assert_eq!(resolution.notices, [""; 0], "{variable}");
    }
}

#[test]
fn where_no_variable_names_the_commit_head_has_to_be_in_the_branch_or_at_the_tag() {
    let repository = repository();
    for (revision, variables, expected) in [
        // In the branch, and the version of HEAD is what counts of it.
        ("v1.0.0", &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main")][..], "refs/tags/v1.0.0"),
        ("main", &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main")], "refs/heads/main"),
        (
            "v1.0.0",
            &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "feature/x")],
            "refs/heads/feature/x",
        ),
        ("main", &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "feature/x")], "refs/heads/main"),
        (
            "feature/x",
            &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main")],
            "refs/heads/feature/x",
        ),
        ("main", &[("GITLAB_CI", "true"), ("CI_COMMIT_TAG", "v1.0.0")], "refs/heads/main"),
        ("v1.0.0", &[("GITLAB_CI", "true"), ("CI_COMMIT_TAG", "v1.0.0")], "refs/tags/v1.0.0"),
        (
            "main",
            &[
                ("BUILDKITE", "true"),
                ("BUILDKITE_BRANCH", "feature/x"),
                ("BUILDKITE_COMMIT", "HEAD"),
            ],
            "refs/heads/main",
        ),
    ] {
        repository.git(&["checkout", "-q", "--detach", revision]);
        assert_eq!(name(&resolved(&repository, variables)), expected, "{revision} {variables:?}");
    }
}

#[test]
fn a_build_of_another_repository_says_nothing() {
    let repository = repository();
    repository.git(&["checkout", "-q", "--detach", "v1.0.0"]);
    let with = |url: &str, variable: &str, named: &str| {
        repository.git(&["remote", "set-url", "origin", url]);
        let variables = [
            ("TF_BUILD", "True"),
            ("BUILD_SOURCEBRANCH", "refs/heads/main"),
            ("GITHUB_REF", "refs/heads/main"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REF_TYPE", "branch"),
            (variable, named),
        ];
        let is_github = variable.starts_with("GITHUB");
        let github = if is_github { "true" } else { "false" };
        let variables = [&variables[..], &[("GITHUB_ACTIONS", github)]].concat();
        outcome(&resolved(&repository, &variables), "CI").0
    };
    let https = "https://github.com/Acme/flows.git";
    for (url, variable, named, expected) in [
        (https, "GITHUB_REPOSITORY", "acme/flows", RungOutcome::Taken),
        ("git@github-work:acme/flows.git", "GITHUB_REPOSITORY", "acme/flows", RungOutcome::Taken),
        (https, "GITHUB_REPOSITORY", "acme/tools", RungOutcome::Skipped),
        (https, "GITHUB_REPOSITORY", "stranger/flows", RungOutcome::Skipped),
        (
            "git@ssh.dev.azure.com:v3/acme/data/flows",
            "BUILD_REPOSITORY_URI",
            "https://acme@dev.azure.com/acme/data/_git/flows",
            RungOutcome::Taken,
        ),
        (
            "git@ssh.dev.azure.com:v3/acme/data/flows",
            "BUILD_REPOSITORY_URI",
            "https://acme@dev.azure.com/acme/data/_git/tools",
            RungOutcome::Skipped,
        ),
        (
            "https://git.example.com/scm/acme/flows.git",
            "GITHUB_REPOSITORY",
            "acme/flows",
            RungOutcome::Taken,
        ),
    ] {
        assert_eq!(with(url, variable, named), expected, "{url} {named}");
    }
}

#[test]
fn a_merge_queues_branch_is_refused_detached_or_not() {
    let repository = repository();
    for queue in [
        "gh-readonly-queue/main/pr-7-abc",
        "mergify/merge-queue/0a1b2c",
        "trunk-merge/pr-7/0a1b2c",
        "gtmq_spec_0a1b2c_1700000000000",
        "mq-bot-7-0a1b2c",
        "mq-tmp-7",
    ] {
        let builds: &[&[(&str, &str)]] = &[
            &[
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_REF_NAME", queue),
                ("GITHUB_REF_TYPE", "branch"),
            ],
            &[("BUILDKITE", "true"), ("BUILDKITE_BRANCH", queue)],
            &[("CIRCLECI", "true"), ("CIRCLE_BRANCH", queue)],
            &[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", queue)],
            &[("JENKINS_URL", "https://ci"), ("GIT_BRANCH", queue)],
            &[("JENKINS_URL", "https://ci"), ("GIT_BRANCH", &format!("origin/{queue}"))],
            &[("GIT_BRANCH", queue)],
            &[("CI", "true"), ("GIT_BRANCH", &format!("origin/{queue}"))],
        ];
        for build in builds {
            repository.git(&["checkout", "-q", "--detach", "main"]);
            assert_eq!(name(&resolved(&repository, build)), "ci_refused", "{build:?}");
            repository.git(&["checkout", "-q", "-B", queue, "main"]);
            assert_eq!(name(&resolved(&repository, build)), "ci_refused", "{build:?}");
            repository.git(&["checkout", "-q", "main"]);
            repository.git(&["branch", "-q", "-D", queue]);
        }
    }
    let train = [
        ("GITLAB_CI", "true"),
        ("CI_MERGE_REQUEST_IID", "7"),
        ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature/x"),
        ("CI_MERGE_REQUEST_EVENT_TYPE", "merge_train"),
    ];
    assert_eq!(name(&resolved(&repository, &train)), "ci_refused");
}

#[test]
fn a_forks_pull_request_is_refused_on_a_branch_as_well() {
    let repository = repository();
    // The fork's own `main`, at a commit that has a tag, checked out as a branch.
    repository.git(&["checkout", "-q", "-B", "main", "v1.0.0"]);
    let event = repository.outside().join("event.json");
    std::fs::write(
        &event,
        r#"{"pull_request":{"head":{"repo":{"full_name":"stranger/flows"}},"base":{"repo":{"full_name":"acme/flows"}}}}"#,
    )
    .unwrap();
    let event = event.to_str().unwrap();
    for build in [
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_HEAD_REF", "main"), ("GITHUB_EVENT_PATH", event)][..],
        &[
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_PATH", "acme/flows"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "stranger/flows"),
        ],
        &[("CIRCLECI", "true"), ("CIRCLE_BRANCH", "pull/7")],
        &[("TF_BUILD", "True"), ("SYSTEM_PULLREQUEST_ISFORK", "True")],
        &[
            ("JENKINS_URL", "https://ci"),
            ("BRANCH_NAME", "PR-7"),
            ("CHANGE_ID", "7"),
            ("CHANGE_FORK", "stranger"),
        ],
    ] {
        let resolution = resolved(&repository, build);
        assert_eq!(name(&resolution), "ci_refused", "{build:?}");
        assert_eq!(outcome(&resolution, "active branch").0, RungOutcome::Skipped, "{build:?}");
    }
}

#[test]
fn a_pull_request_or_tag_that_leaves_another_branch_active_is_what_the_provider_says() {
    let repository = repository();
    let feature = repository.commit_id("feature/x").to_string();
    // Drone stays on the target branch and merges the pull request into it.
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature/x"]);
    let drone = [
        ("DRONE", "true"),
        ("DRONE_BRANCH", "main"),
        ("DRONE_PULL_REQUEST", "7"),
        ("DRONE_SOURCE_BRANCH", "feature/x"),
        ("DRONE_COMMIT_SHA", feature.as_str()),
    ];
    let resolution = resolved(&repository, &drone);
    assert_eq!(name(&resolution), "refs/heads/feature/x");
    assert_eq!(resolution.reference.unwrap().commit.as_str(), feature);
    assert!(resolution.notices[0].contains("active branch is `main`, which is skipped"));
    let strict =
        ReferenceRequest { strict: true, ..ReferenceRequest::from(ReferenceRules::default()) };
    let strictly = resolve(&repository.open(), &repository.environment(&drone), &strict);
    let error = strictly.reference.unwrap_err().to_string();
    assert_eq!(error, "Drone: main is active and not what is built, and --strict looks no further");
    // Jenkins checks a pull request and a tag out as branches of its own.
    repository.git(&["reset", "-q", "--hard", "origin/main"]);
    repository.git(&["checkout", "-q", "-b", "PR-7", "feature/x"]);
    let jenkins =
        [("JENKINS_URL", "https://ci"), ("GIT_COMMIT", feature.as_str()), ("BRANCH_NAME", "PR-7")];
    let pull_request =
        [&jenkins[..], &[("CHANGE_ID", "7"), ("CHANGE_BRANCH", "feature/x")]].concat();
    assert_eq!(name(&resolved(&repository, &pull_request)), "refs/heads/feature/x");
    repository.git(&["checkout", "-q", "-b", "v1.0.0", "refs/tags/v1.0.0"]);
    let tag = [("JENKINS_URL", "https://ci"), ("BRANCH_NAME", "v1.0.0"), ("TAG_NAME", "v1.0.0")];
    let resolution = resolved(&repository, &tag);
    assert_eq!(name(&resolution), "refs/tags/v1.0.0");
    assert!(resolution.notices[0].contains("builds the tag v1.0.0"), "{:?}", resolution.notices);
    // Without the provider the two names can't be told apart.
    assert_eq!(name(&resolved(&repository, &[("BUILD_TAG", "v1.0.0")])), "ambiguous_name");
    // A job that goes to another branch on purpose means that one.
    repository.git(&["checkout", "-q", "main"]);
    assert_eq!(name(&resolved(&repository, &pull_request)), "refs/heads/main");
}

#[test]
fn a_pull_requests_main_is_nobodys_release() {
    let repository = repository();
    repository.git(&["checkout", "-q", "-B", "main", "v1.0.0"]);
    let commit = repository.commit_id("v1.0.0").to_string();
    // These do not say whether it comes from a fork.
    for build in [
        &[
            ("DRONE", "true"),
            ("DRONE_PULL_REQUEST", "7"),
            ("DRONE_BRANCH", "main"),
            ("DRONE_SOURCE_BRANCH", "main"),
            ("DRONE_COMMIT", commit.as_str()),
        ][..],
        &[
            ("BITBUCKET_BUILD_NUMBER", "3"),
            ("BITBUCKET_PR_ID", "7"),
            ("BITBUCKET_BRANCH", "main"),
            ("BITBUCKET_COMMIT", commit.as_str()),
        ],
        &[
            ("CI", "woodpecker"),
            ("CI_PIPELINE_EVENT", "pull_request"),
            ("CI_COMMIT_SOURCE_BRANCH", "main"),
        ],
    ] {
        assert_eq!(name(&resolved(&repository, build)), "ci_refused", "{build:?}");
    }
    // A branch that is checked out under its own name is no news.
    repository.git(&["checkout", "-q", "feature/x"]);
    let bitbucket = [
        ("BITBUCKET_BUILD_NUMBER", "3"),
        ("BITBUCKET_PR_ID", "7"),
        ("BITBUCKET_BRANCH", "feature/x"),
    ];
    let resolution = resolved(&repository, &bitbucket);
    assert_eq!(name(&resolution), "refs/heads/feature/x");
    assert_eq!(resolution.notices, [""; 0]);
}

#[test]
fn a_pull_request_is_known_by_its_own_commit_too() {
    let repository = repository();
    let feature = repository.commit_id("feature/x").to_string();
    // `ref: ${{ github.event.pull_request.head.sha }}`, where GITHUB_SHA is a merge that is not here.
    repository.git(&["checkout", "-q", "--detach", "feature/x"]);
    repository.git(&["branch", "-q", "-D", "feature/x"]);
    repository.git(&["update-ref", "-d", "refs/remotes/origin/feature/x"]);
    let event = repository.outside().join("event.json");
    let of = |sha: &str| {
        let repository = r#"{"full_name":"acme/flows"}"#;
        format!(
            r#"{{"pull_request":{{"head":{{"sha":"{sha}","repo":{repository}}},"base":{{"repo":{repository}}}}}}}"#
        )
    };
    let merge = "0123456789012345678901234567890123456789";
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_HEAD_REF", "feature/x"),
        ("GITHUB_SHA", merge),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
    ];
    std::fs::write(&event, of(&feature)).unwrap();
    assert_eq!(outcome(&resolved(&repository, &github), "CI").0, RungOutcome::Refused);
    assert_eq!(name(&resolved(&repository, &github)), "no_such_branch");
    std::fs::write(&event, of(merge)).unwrap();
    assert_eq!(outcome(&resolved(&repository, &github), "CI").0, RungOutcome::Skipped);
}

#[test]
fn a_variable_that_nobody_filled_in_is_refused() {
    let repository = repository();
    for value in [
        "$(releaseTag)",
        "${TAG}",
        "${{ inputs.tag }}",
        "{{ tag }}",
        "%TAG%",
        "$TAG",
        "null",
        "None",
        "<tag>",
    ] {
        for variable in ["BUILD_TAG", "GIT_BRANCH"] {
            let resolution = resolved(&repository, &[(variable, value)]);
            assert_eq!(name(&resolution), "not_filled_in", "{variable}={value}");
            let hints = resolution.reference.unwrap_err().hints();
            assert!(!hints.join(" ").contains("git "), "{hints:?}");
        }
    }
}

#[test]
fn hints_name_what_was_meant() {
    let repository = repository();
    repository.git(&["checkout", "-q", "-b", "v2.0.0", "main"]);
    repository.git(&["tag", "v2.0.0", "main"]);
    for (variable, value, hint) in [
        ("BUILD_TAG", "1.0.0", "flowreg … --tag v1.0.0"),
        ("BUILD_TAG", "v1.0.O", "flowreg … --tag v1.0.0"),
        ("GIT_BRANCH", "mian", "flowreg … --branch main"),
    ] {
        let error = resolved(&repository, &[(variable, value)]).reference.unwrap_err();
        assert_eq!(error.hints()[0], hint, "{value}: {error}");
    }
    let rules = ReferenceRules { ask_remote: true, ..Default::default() };
    let asked = |variable: &str, value: &str| {
        let environment = repository.environment(&[(variable, value)]);
        let request = ReferenceRequest::from(rules.clone());
        resolve(&repository.open(), &environment, &request).reference.unwrap_err().hints()
    };
    assert_eq!(
        asked("BUILD_TAG", "1.0.1"),
        ["git tag -a -m v1.0.1 v1.0.1 && git push origin v1.0.1"]
    );
    // Pushing the branch would give workers a branch and a tag of one name.
    assert_eq!(asked("GIT_BRANCH", "v2.0.0"), ["git branch -m v2.0.0 NEW_NAME"]);
}
