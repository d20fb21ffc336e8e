//! A job is for the commit that it has checked out: what is registered, and told, where the remote's branch has
//! moved on meanwhile, and which forms a provider's commit has.

use std::path::PathBuf;

use flowreg_git::{ReferenceRequest, ReferenceRules, Resolution, RungOutcome, Untagged, resolve};

use crate::repository::TestRepository;

/// `main` and `feature/x` on `origin`, where both have a further commit than here.
struct Moved {
    repository: TestRepository,
    remote: PathBuf,
    branch: &'static str,
    /// The commit that the job is for.
    built: String,
    /// What the remote has by now.
    newer: String,
}

impl Moved {
    fn new(branch: &'static str) -> Self {
        let repository = TestRepository::empty();
        let remote = repository.add_bare_remote("origin");
        repository.commit("first");
        repository.git(&["push", "-q", "origin", "main"]);
        repository.git(&["checkout", "-q", "-B", branch]);
        let built = repository.commit("built");
        repository.git(&["push", "-q", "origin", branch]);
        let url = remote.to_str().unwrap().to_owned();
        let other = repository.clone_beside("other", &["--branch", branch, &url]);
        repository.git_in(&other, &["commit", "-q", "--allow-empty", "-m", "newer"]);
        repository.git_in(&other, &["push", "-q", "origin", branch]);
        let newer = repository.git_in(&other, &["rev-parse", "HEAD"]);
        Self { repository, remote, branch, built, newer }
    }

    /// Tags a commit on the remote only.
    fn tag(&self, tag: &str, commit: &str) {
        self.repository.git_in(&self.remote, &["tag", tag, commit]);
    }

    fn fetch(&self) {
        self.repository.git(&["fetch", "-q", "--no-tags", "origin"]);
    }

    fn resolved(&self, job: &Job, rules: ReferenceRules) -> Resolution {
        let repository = &self.repository;
        match job.checkout {
            Checkout::Attached => {
                repository.git(&["checkout", "-q", "-B", self.branch, &self.built])
            }
            Checkout::Detached => repository.git(&["checkout", "-q", "--detach", &self.built]),
        };
        if job.checkout == Checkout::Detached {
            repository.try_git(repository.root(), &["branch", "-q", "-D", self.branch]);
        }
        let value = |text: &str| text.replace("BRANCH", self.branch).replace("COMMIT", &self.built);
        let variables: Vec<_> =
            job.variables.iter().map(|(name, text)| (*name, value(text))).collect();
        let variables: Vec<_> =
            variables.iter().map(|(name, text)| (*name, text.as_str())).collect();
        let environment = repository.environment(&variables);
        resolve(&repository.open(), &environment, &ReferenceRequest::from(rules))
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Checkout {
    Attached,
    Detached,
}

struct Job {
    checkout: Checkout,
    variables: &'static [(&'static str, &'static str)],
}

/// Jobs of a push to `BRANCH` at `COMMIT`, as the providers check it out.
#[rustfmt::skip]
const JOBS: &[Job] = &[
    Job { checkout: Checkout::Attached, variables: &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF_NAME", "BRANCH"), ("GITHUB_REF_TYPE", "branch"), ("GITHUB_SHA", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF_NAME", "BRANCH"), ("GITHUB_REF_TYPE", "branch"), ("GITHUB_SHA", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "BRANCH"), ("CI_COMMIT_SHA", "COMMIT")] },
    Job { checkout: Checkout::Attached, variables: &[("BITBUCKET_BUILD_NUMBER", "3"), ("BITBUCKET_BRANCH", "BRANCH"), ("BITBUCKET_COMMIT", "COMMIT")] },
    Job { checkout: Checkout::Attached, variables: &[("CIRCLECI", "true"), ("CIRCLE_BRANCH", "BRANCH"), ("CIRCLE_SHA1", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("BUILDKITE", "true"), ("BUILDKITE_BRANCH", "BRANCH"), ("BUILDKITE_COMMIT", "HEAD"), ("BUILDKITE_PULL_REQUEST", "false")] },
    Job { checkout: Checkout::Detached, variables: &[("JENKINS_URL", "https://ci"), ("GIT_BRANCH", "origin/BRANCH"), ("GIT_COMMIT", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", "BRANCH"), ("GIT_BRANCH", "BRANCH"), ("GIT_COMMIT", "COMMIT")] },
    Job { checkout: Checkout::Attached, variables: &[("JENKINS_URL", "https://ci"), ("GIT_LOCAL_BRANCH", "BRANCH"), ("GIT_COMMIT", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("TF_BUILD", "True"), ("BUILD_SOURCEBRANCH", "refs/heads/BRANCH"), ("BUILD_SOURCEVERSION", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("TEAMCITY_VERSION", "2026.1"), ("GIT_BRANCH", "BRANCH"), ("BUILD_VCS_NUMBER", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("TRAVIS", "true"), ("TRAVIS_BRANCH", "BRANCH"), ("TRAVIS_COMMIT", "COMMIT"), ("TRAVIS_PULL_REQUEST", "false")] },
    Job { checkout: Checkout::Attached, variables: &[("DRONE", "true"), ("DRONE_BRANCH", "BRANCH"), ("DRONE_COMMIT_SHA", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("CI", "woodpecker"), ("CI_COMMIT_BRANCH", "BRANCH"), ("CI_COMMIT_SHA", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("CODEBUILD_BUILD_ID", "x"), ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/BRANCH"), ("CODEBUILD_RESOLVED_SOURCE_VERSION", "COMMIT")] },
    Job { checkout: Checkout::Attached, variables: &[("SEMAPHORE", "true"), ("SEMAPHORE_GIT_BRANCH", "BRANCH"), ("SEMAPHORE_GIT_SHA", "COMMIT")] },
    Job { checkout: Checkout::Attached, variables: &[("APPVEYOR", "true"), ("APPVEYOR_REPO_BRANCH", "BRANCH"), ("APPVEYOR_REPO_COMMIT", "COMMIT")] },
    Job { checkout: Checkout::Detached, variables: &[("BRANCH_NAME", "BRANCH"), ("COMMIT_SHA", "COMMIT")] },
];

fn answer(resolution: &Resolution) -> (String, String) {
    match &resolution.reference {
        Ok(reference) => (reference.name.full(), reference.commit.to_string()),
        Err(error) => (error.code().to_owned(), error.to_string()),
    }
}

#[test]
fn of_a_feature_branch_what_workers_will_run_is_registered_and_told() {
    let moved = Moved::new("feature/x");
    for job in JOBS {
        let resolution = moved.resolved(job, ReferenceRules::default());
        let (code, error) = answer(&resolution);
        assert_eq!(code, "remote_differs", "{:?}: {error}", job.variables);
    }
    moved.fetch();
    let newer = &moved.newer[..7];
    let notice =
        format!("feature/x is 1 commit behind origin; what origin has ({newer}) is registered");
    for job in JOBS {
        let resolution = moved.resolved(job, ReferenceRules::default());
        let expected = ("refs/heads/feature/x".to_owned(), moved.newer.clone());
        assert_eq!(answer(&resolution), expected, "{:?}", job.variables);
        assert_eq!(resolution.notices, [notice.as_str()], "{:?}", job.variables);
    }
    let offline = ReferenceRules { ask_remote: false, ..Default::default() };
    for job in JOBS {
        let resolution = moved.resolved(job, offline.clone());
        let expected = ("refs/heads/feature/x".to_owned(), moved.built.clone());
        assert_eq!(answer(&resolution), expected, "{:?}", job.variables);
    }
}

#[test]
fn of_mainline_the_version_of_the_jobs_own_commit_is_registered() {
    let moved = Moved::new("main");
    moved.tag("v1.1.0", &moved.built);
    let expected = ("refs/tags/v1.1.0".to_owned(), moved.built.clone());
    let registered =
        format!("HEAD ({}), which this is a build of, is registered", &moved.built[..7]);
    for is_fetched in [false, true] {
        if is_fetched {
            moved.fetch();
        }
        let distance =
            if is_fetched { "is 1 commit behind" } else { "is at another commit than on" };
        for job in JOBS {
            let resolution = moved.resolved(job, ReferenceRules::default());
            assert_eq!(answer(&resolution), expected, "{:?}", job.variables);
            let notice = format!("main {distance} origin; {registered}");
            assert_eq!(resolution.notices, [notice], "{:?}", job.variables);
        }
    }
    // Which version the branch has by now is another job's.
    moved.tag("v1.2.0", &moved.newer);
    for job in JOBS {
        let resolution = moved.resolved(job, ReferenceRules::default());
        assert_eq!(answer(&resolution), expected, "{:?}", job.variables);
    }
    // Somebody's own checkout stands for the branch.
    let laptop = Job { checkout: Checkout::Attached, variables: &[] };
    let resolution = moved.resolved(&laptop, ReferenceRules::default());
    assert_eq!(answer(&resolution), ("refs/tags/v1.2.0".to_owned(), moved.newer.clone()));
}

#[test]
fn of_mainline_a_commit_without_a_version_is_refused_whatever_came_after_it() {
    let moved = Moved::new("main");
    moved.tag("v1.2.0", &moved.newer);
    for is_fetched in [false, true] {
        if is_fetched {
            moved.fetch();
        }
        for job in JOBS {
            let (code, error) = answer(&moved.resolved(job, ReferenceRules::default()));
            assert_eq!(code, "untagged", "{:?}", job.variables);
            assert!(error.ends_with(&format!("points at {}", &moved.built[..7])), "{error}");
        }
    }
    // A branch that is registered as such is what workers will run.
    for job in JOBS {
        let rules = ReferenceRules { untagged: Untagged::Branch, ..Default::default() };
        let resolution = moved.resolved(job, rules);
        assert_eq!(answer(&resolution).1, moved.newer, "{:?}", job.variables);
        assert!(resolution.notices[0].starts_with("main is 1 commit behind origin; what origin"));
    }
}

#[test]
fn a_branch_that_somebody_set_by_hand_is_not_that_of_the_job() {
    // `GIT_BRANCH` names a branch that HEAD is not in: its own version counts.
    let moved = Moved::new("main");
    moved.fetch();
    moved.tag("v1.1.0", &moved.built);
    moved.tag("v0.9.1", &moved.repository.git(&["rev-parse", "main~1"]));
    moved.repository.git(&["push", "-q", "origin", "main~1:refs/heads/release/0.9"]);
    let job = Job {
        checkout: Checkout::Detached,
        variables: &[
            ("JENKINS_URL", "https://ci"),
            ("GIT_BRANCH", "release/0.9"),
            ("GIT_COMMIT", "COMMIT"),
        ],
    };
    let mainline = vec!["main".to_owned(), "release/*".to_owned()];
    let rules = ReferenceRules { mainline, ..Default::default() };
    assert_eq!(answer(&moved.resolved(&job, rules)).0, "refs/tags/v0.9.1");
}

#[test]
fn in_a_shallow_clone_nothing_is_said_of_the_distance() {
    let moved = Moved::new("feature/x");
    let url = format!("file://{}", moved.remote.display());
    let shallow =
        moved.repository.clone_beside("shallow", &["--depth=1", "--branch=feature/x", &url]);
    let fetch = ["fetch", "-q", "--depth=1", "origin", &moved.built];
    moved.repository.git_in(&shallow, &fetch);
    moved.repository.git_in(&shallow, &["checkout", "-q", "--detach", &moved.built]);
    let variables = [
        ("GITLAB_CI", "true"),
        ("CI_COMMIT_BRANCH", "feature/x"),
        ("CI_COMMIT_SHA", moved.built.as_str()),
    ];
    let opened = moved.repository.open_in(&shallow, &[]).unwrap();
    let environment = moved.repository.environment(&variables);
    let resolution = resolve(&opened, &environment, &ReferenceRequest::default());
    assert_eq!(resolution.reference.unwrap().commit.as_str(), moved.newer);
    let notice = format!(
        "feature/x is at another commit than on origin; what origin has ({}) is registered",
        &moved.newer[..7]
    );
    assert_eq!(resolution.notices, [notice]);
}

#[test]
fn a_detached_head_without_a_provider_is_where_it_is() {
    // A branch of that name that was left at an older commit says nothing.
    let moved = Moved::new("feature/x");
    moved.repository.git(&["checkout", "-q", "--detach", "feature/x"]);
    moved.repository.git(&["branch", "-q", "-f", "feature/x", "main"]);
    let rules = ReferenceRules { ask_remote: false, ..Default::default() };
    let environment = moved.repository.environment(&[]);
    let resolution =
        resolve(&moved.repository.open(), &environment, &ReferenceRequest::from(rules));
    assert_eq!(answer(&resolution), ("refs/heads/feature/x".to_owned(), moved.built.clone()));
}

/// HEAD at `revision`, detached, in a job with these variables; the remote is not asked.
fn at(moved: &Moved, revision: &str, variables: &[(&str, &str)]) -> Resolution {
    let repository = &moved.repository;
    repository.git(&["checkout", "-q", "--detach", revision]);
    let rules =
        ReferenceRules { ask_remote: false, untagged: Untagged::Branch, ..Default::default() };
    let environment = repository.environment(variables);
    resolve(&repository.open(), &environment, &ReferenceRequest::from(rules))
}

#[test]
fn a_shortened_commit_id_is_a_commit_and_head_is_head() {
    let moved = Moved::new("feature/x");
    let (whole, main) = (moved.built.clone(), moved.repository.git(&["rev-parse", "main"]));
    let build = |commit: &str| {
        let variables = [
            ("BUILDKITE", "true"),
            ("BUILDKITE_BRANCH", "other"),
            ("BUILDKITE_PULL_REQUEST", "false"),
            ("BUILDKITE_COMMIT", commit),
        ];
        at(&moved, "feature/x", &variables)
    };
    let upper = whole.to_ascii_uppercase();
    for is_head in [&whole[..7], &whole[..12], &upper[..8], &whole, "HEAD", " HEAD "] {
        let resolution = build(is_head);
        assert_eq!(answer(&resolution).0, "refs/heads/other", "{is_head}");
        assert_eq!(resolution.notices, [""; 0], "{is_head}");
    }
    for is_other in [&main[..7], &main[..12], &main] {
        let resolution = build(is_other);
        assert_eq!(answer(&resolution).0, "refs/heads/feature/x", "{is_other}");
        let reason = format!(
            "CI is `other`, which is skipped: BUILDKITE_COMMIT is {}, and HEAD is {}",
            &main[..7],
            &whole[..7]
        );
        assert_eq!(resolution.notices, [reason], "{is_other}");
    }
    // Too short to be an id, or none at all: as if there were no variable.
    for is_none in [&main[..6], "refs/pull/7/head", "r12345"] {
        assert_eq!(answer(&build(is_none)).0, "refs/heads/other", "{is_none}");
    }
}

#[test]
fn head_may_be_ahead_of_what_was_fetched_of_its_branch_before() {
    // The agent fetches the one branch, which moves no tracking branch.
    let moved = Moved::new("feature/x");
    moved.repository.git(&["branch", "-q", "-D", "main"]);
    moved.repository.git(&["update-ref", "refs/remotes/origin/feature/x", "feature/x~1"]);
    moved.repository.git(&["checkout", "-q", "--detach", &moved.built]);
    moved.repository.git(&["branch", "-q", "-D", "feature/x"]);
    let variables = [
        ("BUILDKITE", "true"),
        ("BUILDKITE_BRANCH", "feature/x"),
        ("BUILDKITE_PULL_REQUEST", "false"),
        ("BUILDKITE_COMMIT", "HEAD"),
    ];
    let resolution = at(&moved, &moved.built, &variables);
    assert_eq!(answer(&resolution), ("refs/heads/feature/x".to_owned(), moved.built.clone()));
}

/// The build of a tag by each provider that has builds of tags.
#[rustfmt::skip]
const BUILDS_OF_A_TAG: &[&[(&str, &str)]] = &[
    &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF_NAME", "v1.0.0"), ("GITHUB_REF_TYPE", "tag")],
    &[("GITLAB_CI", "true"), ("CI_COMMIT_TAG", "v1.0.0")],
    &[("BITBUCKET_BUILD_NUMBER", "3"), ("BITBUCKET_TAG", "v1.0.0")],
    &[("CIRCLECI", "true"), ("CIRCLE_TAG", "v1.0.0")],
    &[("BUILDKITE", "true"), ("BUILDKITE_BRANCH", "v1.0.0"), ("BUILDKITE_TAG", "v1.0.0")],
    &[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", "v1.0.0"), ("TAG_NAME", "v1.0.0")],
    &[("TF_BUILD", "True"), ("BUILD_SOURCEBRANCH", "refs/tags/v1.0.0")],
    &[("TRAVIS", "true"), ("TRAVIS_BRANCH", "v1.0.0"), ("TRAVIS_TAG", "v1.0.0")],
    &[("CI", "woodpecker"), ("CI_COMMIT_TAG", "v1.0.0")],
    &[("DRONE", "true"), ("DRONE_TAG", "v1.0.0")],
    &[("CODEBUILD_BUILD_ID", "x"), ("CODEBUILD_WEBHOOK_TRIGGER", "tag/v1.0.0")],
    &[("SEMAPHORE", "true"), ("SEMAPHORE_GIT_REF_TYPE", "tag"), ("SEMAPHORE_GIT_TAG_NAME", "v1.0.0")],
    &[("APPVEYOR", "true"), ("APPVEYOR_REPO_TAG", "true"), ("APPVEYOR_REPO_TAG_NAME", "v1.0.0")],
    &[("TAG_NAME", "v1.0.0")],
];

#[test]
fn a_tag_build_that_has_checked_out_another_commit_says_so() {
    let moved = Moved::new("feature/x");
    let repository = &moved.repository;
    repository.git(&["tag", "v1.0.0", "main"]);
    repository.git(&["push", "-q", "origin", "v1.0.0"]);
    let (tag, head) = (repository.git(&["rev-parse", "main"]), moved.built.clone());
    let reason = format!("the tag v1.0.0 is at {}, and HEAD is {}", &tag[..7], &head[..7]);
    let reason = format!("CI is `v1.0.0`, which is skipped: {reason}");
    for build in BUILDS_OF_A_TAG {
        for is_detached in [false, true] {
            let detach = if is_detached { "--detach" } else { "-q" };
            repository.git(&["checkout", "-q", detach, "feature/x"]);
            let rules = ReferenceRules { ask_remote: false, ..Default::default() };
            let environment = repository.environment(build);
            let resolution =
                resolve(&repository.open(), &environment, &ReferenceRequest::from(rules));
            assert_eq!(answer(&resolution).0, "refs/heads/feature/x", "{build:?}");
            assert_eq!(resolution.notices, [reason.as_str()], "{build:?} {is_detached}");
        }
    }
}

#[test]
fn a_tag_build_whose_commit_is_head_but_not_the_tags_is_refused() {
    let moved = Moved::new("feature/x");
    let repository = &moved.repository;
    repository.git(&["tag", "v1.0.0", "main"]);
    repository.git(&["push", "-q", "origin", "v1.0.0"]);
    repository.git(&["checkout", "-q", "feature/x"]);
    let drone =
        [("DRONE", "true"), ("DRONE_TAG", "v1.0.0"), ("DRONE_COMMIT_SHA", moved.built.as_str())];
    let environment = repository.environment(&drone);
    let resolution = |ask_remote| {
        let rules = ReferenceRules { ask_remote, ..Default::default() };
        resolve(&repository.open(), &environment, &ReferenceRequest::from(rules))
    };
    let refused = |ask_remote| {
        let resolution = resolution(ask_remote);
        let rung = resolution.ladder.iter().find(|rung| rung.rung == "CI").unwrap();
        assert_eq!(rung.outcome, RungOutcome::Refused);
        resolution.reference.unwrap_err()
    };
    let tag = repository.git(&["rev-parse", "--short=7", "main"]);
    let told = format!(
        "DRONE_TAG (Drone) names the tag v1.0.0, which is at {tag}, but HEAD is {}",
        &moved.built[..7]
    );
    assert_eq!(refused(false).to_string(), told);
    assert_eq!(refused(true).to_string(), told);
    // A clone without tags has to ask.
    repository.git(&["tag", "-d", "v1.0.0"]);
    assert_eq!(refused(true).to_string(), told);
    assert_eq!(refused(true).hints()[0], "flowreg … --tag v1.0.0");
    repository.git(&["checkout", "-q", "--detach", "main"]);
    let main = repository.git(&["rev-parse", "main"]);
    let drone = [("DRONE", "true"), ("DRONE_TAG", "v1.0.0"), ("DRONE_COMMIT_SHA", main.as_str())];
    let environment = repository.environment(&drone);
    let right = resolve(&repository.open(), &environment, &ReferenceRequest::default());
    assert_eq!(answer(&right).0, "refs/tags/v1.0.0");
}

/// Its variables, the one that names the repository, and the provider.
type OtherBuild<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);

#[test]
fn a_job_of_another_repository_forbids_nothing_here_and_says_so() {
    let moved = Moved::new("feature/x");
    let repository = &moved.repository;
    repository.git(&["remote", "set-url", "origin", "https://github.com/acme/flows.git"]);
    let event = repository.outside().join("event.json");
    std::fs::write(
        &event,
        r#"{"pull_request":{"head":{"repo":{"full_name":"stranger/tools"}},"base":{"repo":{"full_name":"acme/tools"}}}}"#,
    )
    .unwrap();
    let queue = "gh-readonly-queue/main/pr-7-abc";
    let event = event.to_str().unwrap();
    let builds: &[OtherBuild<'_>] = &[
        (
            &[
                ("GITHUB_ACTIONS", "true"),
                ("GITHUB_REF_NAME", queue),
                ("GITHUB_REF_TYPE", "branch"),
            ],
            "GITHUB_REPOSITORY",
            "GitHub Actions",
        ),
        (
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_HEAD_REF", "x"), ("GITHUB_EVENT_PATH", event)],
            "GITHUB_REPOSITORY",
            "GitHub Actions",
        ),
        (
            &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/pull/7/merge")],
            "GITHUB_REPOSITORY",
            "GitHub Actions",
        ),
        (
            &[("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_EVENT_TYPE", "merge_train")],
            "CI_PROJECT_PATH",
            "GitLab CI",
        ),
        (&[("BUILDKITE", "true"), ("BUILDKITE_BRANCH", queue)], "BUILDKITE_REPO", "Buildkite"),
        (&[("CIRCLECI", "true"), ("CIRCLE_BRANCH", "pull/7")], "CIRCLE_REPOSITORY_URL", "CircleCI"),
        (
            &[("TRAVIS", "true"), ("TRAVIS_BRANCH", "main"), ("TRAVIS_PULL_REQUEST", "7")],
            "TRAVIS_REPO_SLUG",
            "Travis CI",
        ),
        (
            &[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", queue)],
            "GIT_URL",
            "Jenkins multibranch",
        ),
        (&[("TF_BUILD", "1"), ("BRANCH_NAME", queue)], "REPO_FULL_NAME", "Google Cloud Build"),
    ];
    for (build, variable, provider) in builds {
        let is_url = ["_REPO", "_URL"].iter().any(|end| variable.ends_with(end));
        let named = if is_url { "https://github.com/acme/tools" } else { "acme/tools" };
        let variables = [*build, &[(*variable, named)]].concat();
        let notice = format!(
            "CI is `{provider}`, which is skipped: {variable} is `{named}`, which is another repository"
        );
        for detach in ["--detach", "-q"] {
            repository.git(&["checkout", "-q", detach, "feature/x"]);
            let rules = ReferenceRules { ask_remote: false, ..Default::default() };
            let environment = repository.environment(&variables);
            let resolution =
                resolve(&repository.open(), &environment, &ReferenceRequest::from(rules));
            assert_eq!(answer(&resolution).0, "refs/heads/feature/x", "{variables:?} {detach}");
            assert_eq!(resolution.notices, [notice.as_str()], "{variables:?} {detach}");
        }
    }
    // In the repository itself they are refused.
    let own = [builds[0].0, &[("GITHUB_REPOSITORY", "acme/flows")]].concat();
    repository.git(&["checkout", "-q", "feature/x"]);
    let environment = repository.environment(&own);
    let resolution = resolve(&repository.open(), &environment, &ReferenceRequest::default());
    assert_eq!(answer(&resolution).0, "ci_refused");
}
