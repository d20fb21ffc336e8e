//! The CI table, row by row: a build of a branch, of a tag and of a pull request, each with the
//! misleading variables that the provider sets as well (`docs/facts/ci-variables.md`).

use flowreg_git::{
    ReferenceError, ReferenceRequest, ReferenceRules, Resolution, RungOutcome, Untagged, resolve,
};
use flowreg_model::{CodeReference, ReferenceSource};

use crate::repository::TestRepository;

type Variables<'a> = &'a [(&'a str, &'a str)];

/// One provider: what is set in every build, and what each kind of build adds.
struct Row<'a> {
    provider: &'a str,
    always: Variables<'a>,
    branch: Variables<'a>,
    tag: Variables<'a>,
    pull_request: Variables<'a>,
    fork: Option<Variables<'a>>,
}

#[rustfmt::skip]
const ROWS: &[Row<'_>] = &[
    Row {
        provider: "GitHub Actions",
        always: &[("CI", "true"), ("GITHUB_ACTIONS", "true")],
        branch: &[("GITHUB_REF", "refs/heads/feature/x"), ("GITHUB_REF_NAME", "feature/x"), ("GITHUB_REF_TYPE", "branch")],
        tag: &[("GITHUB_REF", "refs/tags/v1"), ("GITHUB_REF_NAME", "v1"), ("GITHUB_REF_TYPE", "tag"), ("GITHUB_HEAD_REF", "")],
        // `pull_request_target`: GITHUB_REF is the base.
        pull_request: &[("GITHUB_REF", "refs/heads/main"), ("GITHUB_REF_NAME", "main"), ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_HEAD_REF", "feature/x"), ("GITHUB_BASE_REF", "main")],
        fork: None,
    },
    Row {
        provider: "GitLab CI",
        always: &[("CI", "true"), ("GITLAB_CI", "true"), ("CI_PROJECT_PATH", "data/flows")],
        branch: &[("CI_COMMIT_BRANCH", "feature/x"), ("CI_COMMIT_REF_NAME", "feature/x")],
        tag: &[("CI_COMMIT_TAG", "v1"), ("CI_COMMIT_REF_NAME", "v1")],
        pull_request: &[("CI_MERGE_REQUEST_IID", "7"), ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature/x"),
            ("CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "main"), ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "data/flows"),
            ("CI_COMMIT_REF_NAME", "refs/merge-requests/7/head")],
        fork: Some(&[("CI_MERGE_REQUEST_IID", "7"), ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feature/x"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "stranger/flows")]),
    },
    Row {
        provider: "Bitbucket Pipelines",
        always: &[("CI", "true"), ("BITBUCKET_BUILD_NUMBER", "3")],
        branch: &[("BITBUCKET_BRANCH", "feature/x")],
        tag: &[("BITBUCKET_TAG", "v1")],
        pull_request: &[("BITBUCKET_BRANCH", "feature/x"), ("BITBUCKET_PR_ID", "7"), ("BITBUCKET_PR_DESTINATION_BRANCH", "main")],
        fork: None,
    },
    Row {
        provider: "CircleCI",
        always: &[("CI", "true"), ("CIRCLECI", "true")],
        branch: &[("CIRCLE_BRANCH", "feature/x"), ("CIRCLE_TAG", "")],
        tag: &[("CIRCLE_TAG", "v1"), ("CIRCLE_BRANCH", "")],
        pull_request: &[("CIRCLE_BRANCH", "feature/x"), ("CIRCLE_PULL_REQUEST", "https://example.com/pull/7")],
        fork: Some(&[("CIRCLE_BRANCH", "pull/7"), ("CIRCLE_PULL_REQUEST", "https://example.com/pull/7")]),
    },
    Row {
        provider: "Buildkite",
        always: &[("CI", "true"), ("BUILDKITE", "true"), ("BUILDKITE_REPO", "git@example.com:data/flows.git"), ("BUILDKITE_COMMIT", "HEAD")],
        branch: &[("BUILDKITE_BRANCH", "feature/x"), ("BUILDKITE_PULL_REQUEST", "false")],
        tag: &[("BUILDKITE_TAG", "v1"), ("BUILDKITE_BRANCH", "v1"), ("BUILDKITE_PULL_REQUEST", "false")],
        pull_request: &[("BUILDKITE_BRANCH", "feature/x"), ("BUILDKITE_PULL_REQUEST", "7"),
            ("BUILDKITE_PULL_REQUEST_BASE_BRANCH", "main"), ("BUILDKITE_PULL_REQUEST_REPO", "https://example.com/data/flows.git")],
        fork: Some(&[("BUILDKITE_BRANCH", "feature/x"), ("BUILDKITE_PULL_REQUEST", "7"),
            ("BUILDKITE_PULL_REQUEST_REPO", "https://example.com/stranger/flows.git")]),
    },
    Row {
        provider: "Jenkins",
        always: &[("JENKINS_URL", "https://ci/"), ("BUILD_TAG", "jenkins-etl-3"), ("BUILD_NUMBER", "3"), ("GIT_BRANCH", "detached")],
        branch: &[("GIT_LOCAL_BRANCH", "feature/x")],
        // It tells neither tags nor pull requests: git's own answer.
        tag: &[],
        pull_request: &[],
        fork: None,
    },
    Row {
        provider: "Jenkins multibranch",
        always: &[("JENKINS_URL", "https://ci/"), ("BUILD_TAG", "jenkins-etl-3"), ("BUILD_NUMBER", "3")],
        branch: &[("BRANCH_NAME", "feature/x")],
        tag: &[("BRANCH_NAME", "v1"), ("TAG_NAME", "v1"), ("GIT_BRANCH", "v1")],
        pull_request: &[("BRANCH_NAME", "PR-7"), ("GIT_BRANCH", "PR-7"), ("CHANGE_ID", "7"), ("CHANGE_BRANCH", "feature/x"), ("CHANGE_TARGET", "main")],
        fork: Some(&[("BRANCH_NAME", "PR-7"), ("CHANGE_ID", "7"), ("CHANGE_BRANCH", "feature/x"), ("CHANGE_FORK", "stranger")]),
    },
    Row {
        provider: "Azure DevOps",
        always: &[("TF_BUILD", "True")],
        branch: &[("BUILD_SOURCEBRANCH", "refs/heads/feature/x"), ("BUILD_SOURCEBRANCHNAME", "x")],
        tag: &[("BUILD_SOURCEBRANCH", "refs/tags/v1"), ("BUILD_SOURCEBRANCHNAME", "v1")],
        pull_request: &[("BUILD_SOURCEBRANCH", "refs/pull/7/merge"), ("BUILD_SOURCEBRANCHNAME", "merge"),
            ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/feature/x"), ("SYSTEM_PULLREQUEST_TARGETBRANCH", "refs/heads/main"),
            ("SYSTEM_PULLREQUEST_ISFORK", "False")],
        fork: Some(&[("BUILD_SOURCEBRANCH", "refs/pull/7/merge"), ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "feature/x"),
            ("SYSTEM_PULLREQUEST_ISFORK", "True")]),
    },
    Row {
        provider: "TeamCity",
        // Nothing in the environment: git's own answer.
        always: &[("TEAMCITY_VERSION", "2026.1")],
        branch: &[],
        tag: &[],
        pull_request: &[],
        fork: None,
    },
    Row {
        provider: "Travis CI",
        always: &[("CI", "true"), ("TRAVIS", "true"), ("TRAVIS_REPO_SLUG", "data/flows")],
        branch: &[("TRAVIS_BRANCH", "feature/x"), ("TRAVIS_PULL_REQUEST", "false"), ("TRAVIS_TAG", "")],
        tag: &[("TRAVIS_BRANCH", "v1"), ("TRAVIS_TAG", "v1"), ("TRAVIS_PULL_REQUEST", "false")],
        pull_request: &[("TRAVIS_BRANCH", "main"), ("TRAVIS_PULL_REQUEST", "7"), ("TRAVIS_PULL_REQUEST_BRANCH", "feature/x"),
            ("TRAVIS_PULL_REQUEST_SLUG", "data/flows")],
        fork: Some(&[("TRAVIS_BRANCH", "main"), ("TRAVIS_PULL_REQUEST", "7"), ("TRAVIS_PULL_REQUEST_BRANCH", "feature/x"),
            ("TRAVIS_PULL_REQUEST_SLUG", "stranger/flows")]),
    },
    Row {
        provider: "Drone",
        always: &[("CI", "true"), ("DRONE", "true")],
        branch: &[("DRONE_BRANCH", "feature/x"), ("DRONE_SOURCE_BRANCH", "feature/x"), ("DRONE_COMMIT_REF", "refs/heads/feature/x"), ("DRONE_BUILD_EVENT", "push")],
        tag: &[("DRONE_TAG", "v1"), ("DRONE_BRANCH", ""), ("DRONE_COMMIT_REF", "refs/tags/v1"), ("DRONE_BUILD_EVENT", "tag")],
        pull_request: &[("DRONE_BRANCH", "main"), ("DRONE_TARGET_BRANCH", "main"), ("DRONE_SOURCE_BRANCH", "feature/x"),
            ("DRONE_PULL_REQUEST", "7"), ("DRONE_COMMIT_REF", "refs/pull/7/head"), ("DRONE_BUILD_EVENT", "pull_request")],
        fork: None,
    },
    Row {
        provider: "Woodpecker",
        always: &[("CI", "woodpecker"), ("CI_SYSTEM_NAME", "woodpecker")],
        branch: &[("CI_COMMIT_BRANCH", "feature/x"), ("CI_PIPELINE_EVENT", "push")],
        tag: &[("CI_COMMIT_TAG", "v1"), ("CI_COMMIT_BRANCH", "main"), ("CI_PIPELINE_EVENT", "tag")],
        pull_request: &[("CI_COMMIT_BRANCH", "main"), ("CI_COMMIT_SOURCE_BRANCH", "feature/x"), ("CI_PIPELINE_EVENT", "pull_request")],
        fork: None,
    },
    Row {
        provider: "AWS CodeBuild",
        always: &[("CODEBUILD_BUILD_ID", "flows:1")],
        branch: &[("CODEBUILD_WEBHOOK_TRIGGER", "branch/feature/x")],
        tag: &[("CODEBUILD_WEBHOOK_TRIGGER", "tag/v1")],
        pull_request: &[("CODEBUILD_WEBHOOK_TRIGGER", "pr/7"), ("CODEBUILD_SOURCE_VERSION", "pr/7"),
            ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/feature/x"), ("CODEBUILD_WEBHOOK_BASE_REF", "refs/heads/main")],
        fork: None,
    },
    Row {
        provider: "Google Cloud Build",
        always: &[],
        branch: &[("BRANCH_NAME", "feature/x"), ("TAG_NAME", "")],
        tag: &[("TAG_NAME", "v1"), ("BRANCH_NAME", "")],
        pull_request: &[("_HEAD_BRANCH", "feature/x"), ("_BASE_BRANCH", "main"), ("_PR_NUMBER", "7"), ("BRANCH_NAME", "main"),
            ("_HEAD_REPO_URL", "https://example.com/data/flows"), ("REPO_FULL_NAME", "data/flows")],
        fork: Some(&[("_HEAD_BRANCH", "feature/x"), ("_PR_NUMBER", "7"), ("_HEAD_REPO_URL", "https://example.com/stranger/flows"),
            ("REPO_FULL_NAME", "data/flows")]),
    },
    Row {
        provider: "Semaphore",
        always: &[("CI", "true"), ("SEMAPHORE", "true"), ("SEMAPHORE_GIT_REPO_SLUG", "data/flows"), ("SEMAPHORE_GIT_SHA", "HEAD")],
        branch: &[("SEMAPHORE_GIT_BRANCH", "feature/x"), ("SEMAPHORE_GIT_REF_TYPE", "branch")],
        tag: &[("SEMAPHORE_GIT_TAG_NAME", "v1"), ("SEMAPHORE_GIT_BRANCH", "main"), ("SEMAPHORE_GIT_REF_TYPE", "tag")],
        pull_request: &[("SEMAPHORE_GIT_BRANCH", "main"), ("SEMAPHORE_GIT_PR_BRANCH", "feature/x"),
            ("SEMAPHORE_GIT_PR_SLUG", "data/flows"), ("SEMAPHORE_GIT_REF_TYPE", "pull-request")],
        fork: Some(&[("SEMAPHORE_GIT_BRANCH", "main"), ("SEMAPHORE_GIT_PR_BRANCH", "feature/x"),
            ("SEMAPHORE_GIT_PR_SLUG", "stranger/flows"), ("SEMAPHORE_GIT_REF_TYPE", "pull-request")]),
    },
    Row {
        provider: "AppVeyor",
        always: &[("CI", "True"), ("APPVEYOR", "True"), ("APPVEYOR_REPO_NAME", "data/flows")],
        branch: &[("APPVEYOR_REPO_BRANCH", "feature/x"), ("APPVEYOR_REPO_TAG", "false")],
        tag: &[("APPVEYOR_REPO_BRANCH", "main"), ("APPVEYOR_REPO_TAG", "true"), ("APPVEYOR_REPO_TAG_NAME", "v1")],
        pull_request: &[("APPVEYOR_REPO_BRANCH", "main"), ("APPVEYOR_PULL_REQUEST_NUMBER", "7"),
            ("APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH", "feature/x"), ("APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME", "data/flows")],
        fork: Some(&[("APPVEYOR_REPO_BRANCH", "main"), ("APPVEYOR_PULL_REQUEST_NUMBER", "7"),
            ("APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH", "feature/x"), ("APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME", "stranger/flows")]),
    },
];

/// Providers that put nothing about this kind of build into the environment.
const SILENT: &[(&str, &str)] = &[
    ("Jenkins", "tag"),
    ("Jenkins", "pull request"),
    ("TeamCity", "branch"),
    ("TeamCity", "tag"),
    ("TeamCity", "pull request"),
];

/// A provider's checkout: HEAD is detached at a merge that is no commit of a branch; `feature/x`
/// and `main` are known from `origin`, `v1` is a tag of `main`.
fn checkout() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    repository.git(&["tag", "v1"]);
    repository.add_bare_remote("origin");
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.commit("second");
    repository.git(&["push", "-q", "origin", "main", "feature/x", "v1"]);
    repository.git(&["checkout", "-q", "--detach", "main"]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature/x"]);
    repository.git(&["branch", "-q", "-D", "main", "feature/x"]);
    repository
}

/// The same after a build of something else: HEAD is detached there.
fn checkout_of(revision: &str) -> TestRepository {
    let repository = checkout();
    repository.git(&["checkout", "-q", "--detach", revision]);
    repository
}

fn build(repository: &TestRepository, always: Variables<'_>, build: Variables<'_>) -> Resolution {
    let request = ReferenceRequest::from(ReferenceRules {
        ask_remote: false,
        untagged: Untagged::Branch,
        ..Default::default()
    });
    let variables = [always, build].concat();
    resolve(&repository.open(), &repository.environment(&variables), &request)
}

fn told(repository: &TestRepository, row: &Row<'_>, variables: Variables<'_>) -> CodeReference {
    let reference = build(repository, row.always, variables).reference;
    reference.unwrap_or_else(|error| panic!("{} {variables:?}: {error}", row.provider))
}

#[test]
fn every_provider_of_the_facts_has_a_row() {
    let mut providers: Vec<_> = ROWS.iter().map(|row| row.provider).collect();
    providers.sort_unstable();
    providers.dedup();
    assert_eq!(providers.len(), 16);
}

#[test]
fn branch_builds_are_the_branch_and_pull_request_builds_the_source_branch() {
    let (branch, merge) = (checkout_of("origin/feature/x"), checkout());
    for kind in ["branch", "pull request"] {
        for row in ROWS.iter().filter(|row| !SILENT.contains(&(row.provider, kind))) {
            // CircleCI builds the branch itself, also when there is a pull request for it.
            let is_merge = kind == "pull request" && row.provider != "CircleCI";
            let repository = if is_merge { &merge } else { &branch };
            let feature = repository.commit_id("origin/feature/x");
            let variables = if kind == "branch" { row.branch } else { row.pull_request };
            let reference = told(repository, row, variables);
            assert_eq!(reference.name.full(), "refs/heads/feature/x", "{} {kind}", row.provider);
            assert_eq!(reference.commit, feature, "{} {kind}", row.provider);
            assert_eq!(reference.source, ReferenceSource::Ci);
            assert!(reference.source_detail.contains(row.provider), "{}", reference.source_detail);
        }
    }
}

#[test]
fn tag_builds_are_the_tag() {
    let repository = checkout_of("v1");
    for row in ROWS.iter().filter(|row| !SILENT.contains(&(row.provider, "tag"))) {
        let reference = told(&repository, row, row.tag);
        assert_eq!(reference.name.full(), "refs/tags/v1", "{}", row.provider);
        assert_eq!(reference.commit, repository.commit_id("v1"), "{}", row.provider);
        assert_eq!(reference.source, ReferenceSource::Ci);
    }
}

#[test]
fn a_provider_that_tells_nothing_leaves_it_to_git() {
    let repository = checkout();
    for row in ROWS.iter().filter(|row| row.always.len() > 3 || row.provider == "TeamCity") {
        let resolution = build(&repository, row.always, &[]);
        let rung = resolution.ladder.iter().find(|rung| rung.rung == "CI").unwrap();
        assert_eq!(rung.outcome, RungOutcome::Unset, "{}", row.provider);
        assert!(rung.reason.as_ref().unwrap().contains(row.provider), "{rung:?}");
        assert_eq!(resolution.reference.unwrap_err().code(), "undecided");
    }
    repository.git(&["tag", "v2"]);
    let teamcity = ROWS.iter().find(|row| row.provider == "TeamCity").unwrap();
    assert_eq!(told(&repository, teamcity, &[]).tag().unwrap().as_str(), "v2");
}

#[test]
fn pull_requests_from_forks_are_refused_with_the_reason() {
    let repository = checkout();
    let forks = ROWS.iter().filter_map(|row| Some((row, row.fork?)));
    for (row, fork) in forks {
        let resolution = build(&repository, row.always, fork);
        let error = resolution.reference.unwrap_err();
        assert_eq!(error.code(), "ci_refused", "{}", row.provider);
        assert!(error.to_string().contains("fork"), "{error}");
        let rung = resolution.ladder.iter().find(|rung| rung.rung == "CI").unwrap();
        assert_eq!(rung.outcome, RungOutcome::Refused, "{}", row.provider);
    }
}

#[test]
fn github_tells_of_a_fork_in_the_event_only() {
    let repository = checkout();
    let event = repository.outside().join("event.json");
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_HEAD_REF", "feature/x"),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
    ];
    let code = |content: &str| {
        std::fs::write(&event, content).unwrap();
        build(&repository, &github, &[]).reference.map_err(|error| error.code()).err()
    };
    let pull_request = |head: &str| {
        let base = r#"{"repo":{"full_name":"data/flows"}}"#;
        format!(r#"{{"pull_request":{{"head":{{"repo":{head}}},"base":{base}}}}}"#)
    };
    assert_eq!(code(&pull_request(r#"{"full_name":"data/flows"}"#)), None);
    assert_eq!(code(&pull_request(r#"{"full_name":"stranger/flows"}"#)), Some("ci_refused"));
    assert_eq!(code(&pull_request("null")), Some("ci_refused"), "the fork was deleted");
    assert_eq!(code("not JSON"), None);
}

#[test]
fn a_pull_request_never_registers_mainline() {
    let repository = checkout();
    let woodpecker = [
        ("CI", "woodpecker"),
        ("CI_PIPELINE_EVENT", "pull_request"),
        ("CI_COMMIT_SOURCE_BRANCH", "main"),
        ("CI_COMMIT_BRANCH", "main"),
    ];
    let error = build(&repository, &woodpecker, &[]).reference.unwrap_err();
    assert!(
        matches!(error, ReferenceError::ForeignBranch { provider: "Woodpecker", .. }),
        "{error}"
    );
    assert_eq!(error.hints(), ["flowreg … --branch main"]);
}

#[test]
fn a_pull_request_without_a_source_branch_is_refused() {
    let repository = checkout();
    for variables in [
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF", "refs/pull/7/merge"),
            ("GITHUB_REF_NAME", "7/merge"),
        ][..],
        &[("TF_BUILD", "True"), ("BUILD_SOURCEBRANCH", "refs/pull/7/merge")],
        &[("TRAVIS", "true"), ("TRAVIS_PULL_REQUEST", "7"), ("TRAVIS_BRANCH", "main")],
        &[("JENKINS_URL", "https://ci/"), ("BRANCH_NAME", "PR-7"), ("CHANGE_ID", "7")],
        &[("CODEBUILD_BUILD_ID", "flows:1"), ("CODEBUILD_SOURCE_VERSION", "pr/7")],
        &[
            ("CI", "woodpecker"),
            ("CI_PIPELINE_EVENT", "pull_request"),
            ("CI_COMMIT_BRANCH", "main"),
        ],
    ] {
        let error = build(&repository, variables, &[]).reference.unwrap_err();
        assert_eq!(error.code(), "ci_refused", "{variables:?}");
    }
}

#[test]
fn a_merge_queues_branch_is_refused() {
    let repository = checkout();
    let queue = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REF", "refs/heads/gh-readonly-queue/main/pr-7-abc"),
        ("GITHUB_REF_NAME", "gh-readonly-queue/main/pr-7-abc"),
        ("GITHUB_REF_TYPE", "branch"),
    ];
    assert_eq!(build(&repository, &queue, &[]).reference.unwrap_err().code(), "ci_refused");
}

#[test]
fn the_provider_decides_what_a_shared_name_means() {
    let repository = checkout();
    let shared = [
        ("CI_COMMIT_BRANCH", "main"),
        ("CI_COMMIT_SOURCE_BRANCH", "feature/x"),
        ("CI_PIPELINE_EVENT", "pull_request"),
    ];
    let woodpecker = build(&repository, &[("CI", "woodpecker")], &shared).reference.unwrap();
    assert_eq!(woodpecker.name.as_str(), "feature/x");
    repository.git(&["checkout", "-q", "--detach", "origin/main"]);
    let gitlab = build(&repository, &[("GITLAB_CI", "true")], &shared).reference.unwrap();
    assert_eq!(gitlab.name.as_str(), "v1", "main, pinned at its tag");
}

#[test]
fn a_branch_that_only_the_provider_knows_is_at_head() {
    let repository = checkout();
    let buildkite = [("BUILDKITE", "true"), ("BUILDKITE_BRANCH", "feature/new")];
    let reference = build(&repository, &buildkite, &[]).reference.unwrap();
    assert_eq!(reference.name.as_str(), "feature/new");
    assert_eq!(reference.commit, repository.commit_id("HEAD"));
    // A pull request's HEAD may be a merge: nothing to go by.
    let bitbucket = [
        ("BITBUCKET_BUILD_NUMBER", "3"),
        ("BITBUCKET_PR_ID", "7"),
        ("BITBUCKET_BRANCH", "feature/new"),
    ];
    let error = build(&repository, &bitbucket, &[]).reference.unwrap_err();
    assert_eq!(error.code(), "no_such_branch");
}

#[test]
fn providers_are_asked_only_if_head_is_detached() {
    let repository = checkout();
    repository.git(&["checkout", "-q", "-b", "mine"]);
    let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/tags/v1")];
    let resolution = build(&repository, &github, &[]);
    assert_eq!(resolution.reference.unwrap().name.as_str(), "mine");
    assert_eq!(resolution.ladder[5].outcome, RungOutcome::NotReached);
}
