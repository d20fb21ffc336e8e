//! `GIT_BRANCH` in the jobs of CI providers, and jobs whose provider names no branch: what a job has checked out
//! counts, and what can't be registered there is refused whoever names it.

use std::path::PathBuf;

use flowreg_git::{ReferenceRequest, ReferenceRules, Resolution, RungOutcome, resolve};

use crate::repository::TestRepository;

/// `main` at `v1.1.0`, with a branch `feature/x` beside it; on `origin` `main` went on to `v1.3.0`.
struct Fixture {
    repository: TestRepository,
    old: String,
    new: String,
}

impl Fixture {
    fn new() -> Self {
        let repository = TestRepository::empty();
        repository.add_bare_remote("origin");
        repository.commit("first");
        repository.git(&["tag", "v1.1.0"]);
        let old = repository.git(&["rev-parse", "HEAD"]);
        let new = repository.commit("second");
        repository.git(&["tag", "v1.3.0"]);
        repository.git(&["branch", "feature/x"]);
        repository.git(&["push", "-q", "origin", "main", "feature/x", "v1.1.0", "v1.3.0"]);
        repository.git(&["checkout", "-q", "-B", "main", "v1.1.0"]);
        Self { repository, old, new }
    }

    fn resolved(&self, variables: &[(&str, &str)], ask_remote: bool) -> Resolution {
        let rules = ReferenceRules { ask_remote, ..Default::default() };
        let environment = self.repository.environment(variables);
        resolve(&self.repository.open(), &environment, &ReferenceRequest::from(rules))
    }

    fn event(&self, head: &str) -> PathBuf {
        let event = self.repository.outside().join("event.json");
        let content = format!(
            r#"{{"pull_request":{{"head":{{"repo":{{"full_name":"{head}"}}}},"base":{{"repo":{{"full_name":"acme/flows"}}}}}}}}"#
        );
        std::fs::write(&event, content).unwrap();
        event
    }
}

/// The full name that counts, or the code of the error.
fn name(resolution: &Resolution) -> String {
    match &resolution.reference {
        Ok(reference) => reference.name.full(),
        Err(error) => error.code().to_owned(),
    }
}

#[test]
fn a_fork_is_refused_whoever_names_its_branch() {
    let fixture = Fixture::new();
    let event = fixture.event("stranger/flows");
    let event = event.to_str().unwrap();
    let builds: &[&[(&str, &str)]] = &[
        &[("GITHUB_ACTIONS", "true"), ("GITHUB_HEAD_REF", "main"), ("GITHUB_EVENT_PATH", event)],
        &[
            ("GITLAB_CI", "true"),
            ("CI_PROJECT_PATH", "acme/flows"),
            ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "stranger/flows"),
        ],
        &[("CIRCLECI", "true"), ("CIRCLE_BRANCH", "pull/7")],
        &[("TF_BUILD", "True"), ("SYSTEM_PULLREQUEST_ISFORK", "True")],
        &[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", "PR-7"), ("CHANGE_FORK", "stranger")],
    ];
    for build in builds {
        for value in ["main", "feature/x", "origin/main", "refs/heads/main", "refs/tags/v1.1.0"] {
            for detach in ["-q", "--detach"] {
                fixture.repository.git(&["checkout", "-q", detach, "main"]);
                let variables = [*build, &[("GIT_BRANCH", value)]].concat();
                let resolution = fixture.resolved(&variables, false);
                assert_eq!(name(&resolution), "ci_refused", "{variables:?}");
                let error = resolution.reference.unwrap_err().to_string();
                assert!(error.contains("comes from a fork"), "{error}");
            }
        }
    }
}

#[test]
fn a_pull_requests_main_is_refused_where_git_branch_repeats_it() {
    let fixture = Fixture::new();
    // Nothing says whether it comes from a fork.
    let github = [("GITHUB_ACTIONS", "true"), ("GITHUB_HEAD_REF", "main")];
    for value in ["main", "origin/main", "refs/heads/main"] {
        let variables = [&github[..], &[("GIT_BRANCH", value)]].concat();
        assert_eq!(name(&fixture.resolved(&variables, false)), "ci_refused", "{value}");
    }
    let event = fixture.event("acme/flows");
    let of_feature = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_HEAD_REF", "feature/x"),
        ("GITHUB_EVENT_PATH", event.to_str().unwrap()),
        ("GIT_BRANCH", "feature/x"),
    ];
    let resolution = fixture.resolved(&of_feature, false);
    assert_eq!(name(&resolution), "refs/heads/feature/x");
    assert_eq!(resolution.reference.unwrap().commit.as_str(), fixture.new);
}

/// The providers that name the branch by `GIT_BRANCH`, and their variable with the commit.
const TOLD_BY_GIT_BRANCH: [(&str, &str); 2] =
    [("JENKINS_URL", "GIT_COMMIT"), ("TEAMCITY_VERSION", "BUILD_VCS_NUMBER")];

#[test]
fn a_value_of_git_branch_is_what_it_names() {
    let fixture = Fixture::new();
    for (mark, commit) in TOLD_BY_GIT_BRANCH {
        for (value, expected) in [
            ("refs/tags/v1.1.0", "refs/tags/v1.1.0"),
            ("tags/v1.1.0", "refs/tags/v1.1.0"),
            // A tag, and no branch.
            ("v1.1.0", "no_such_branch"),
            ("refs/tags/v9", "no_such_tag"),
            ("refs/tags/v1.3.0", "tag_not_at_head"),
            ("main", "refs/tags/v1.1.0"),
            ("origin/main", "refs/tags/v1.1.0"),
            ("heads/main", "refs/tags/v1.1.0"),
            ("refs/heads/main", "refs/tags/v1.1.0"),
            ("remotes/origin/main", "refs/tags/v1.1.0"),
            ("refs/remotes/origin/main", "refs/tags/v1.1.0"),
            ("refs/pull/3/head", "not_a_branch"),
            ("refs/pull/3/merge", "not_a_branch"),
            ("refs/merge-requests/3/head", "not_a_branch"),
            ("refs/notes/x", "not_a_branch"),
            (fixture.old.as_str(), "not_a_branch"),
            ("pull/3/head", "not_a_branch"),
            ("pull/3", "not_a_branch"),
            ("3/merge", "not_a_branch"),
        ] {
            let variables = [(mark, "x"), (commit, fixture.old.as_str()), ("GIT_BRANCH", value)];
            for ask_remote in [false, true] {
                let resolution = fixture.resolved(&variables, ask_remote);
                assert_eq!(name(&resolution), expected, "{mark} {value} {ask_remote}");
                let hints = resolution.reference.err().map(|error| error.hints());
                let hints = hints.unwrap_or_default().join("\n");
                assert!(!hints.contains("git push -u"), "{value}: {hints}");
                assert!(!hints.contains("refs/heads/refs/"), "{value}: {hints}");
            }
        }
    }
    // Without a job as well.
    let resolution = fixture.resolved(&[("GIT_BRANCH", "refs/tags/v1.3.0")], true);
    assert_eq!(name(&resolution), "refs/tags/v1.3.0");
    let error = fixture.resolved(&[("GIT_BRANCH", "v1.1.0")], true).reference.unwrap_err();
    assert_eq!(error.hints(), ["flowreg … --tag v1.1.0", "BUILD_TAG=v1.1.0 flowreg …"]);
    let error =
        fixture.resolved(&[("GIT_BRANCH", "refs/pull/3/head")], true).reference.unwrap_err();
    let told = "GIT_BRANCH is `refs/pull/3/head`, which is no branch that workers could clone";
    assert_eq!(error.to_string(), told);
    assert_eq!(error.hints(), ["flowreg … --branch BRANCH", "flowreg … --tag TAG"]);
}

#[test]
fn a_branch_may_have_a_name_that_looks_like_something_else() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    for branch in ["tags/v1.1.0", "heads/main", "remotes/origin/main", "pull/3"] {
        repository.git(&["checkout", "-q", "-b", branch, "main"]);
        repository.git(&["push", "-q", "origin", &format!("refs/heads/{branch}")]);
        let variables =
            [("JENKINS_URL", "x"), ("GIT_COMMIT", fixture.old.as_str()), ("GIT_BRANCH", branch)];
        for ask_remote in [false, true] {
            let resolution = fixture.resolved(&variables, ask_remote);
            // Only the remote knows of a pull request's name that it is a branch.
            let is_known = ask_remote || branch != "pull/3";
            let full = format!("refs/heads/{branch}");
            let expected = if is_known { full.as_str() } else { "not_a_branch" };
            assert_eq!(name(&resolution), expected, "{branch} {ask_remote}");
        }
    }
}

#[test]
fn a_branch_that_a_shallow_checkout_knows_by_head_only_is_one() {
    let fixture = Fixture::new();
    let old = fixture.old.as_str();
    fixture.repository.git(&["checkout", "-q", "--detach", "v1.1.0"]);
    let teamcity = [("TEAMCITY_VERSION", "2026.1"), ("BUILD_VCS_NUMBER", old)];
    let jenkins = [("JENKINS_URL", "x"), ("GIT_COMMIT", old)];
    let one_branch = "+refs/heads/main:refs/remotes/origin/main";
    fixture.repository.git(&["config", "remote.origin.fetch", one_branch]);
    for (job, value) in
        [(teamcity, "fix/y"), (jenkins, "origin/fix/y"), (jenkins, "refs/heads/fix/y")]
    {
        let variables = [&job[..], &[("GIT_BRANCH", value)]].concat();
        assert_eq!(name(&fixture.resolved(&variables, false)), "refs/heads/fix/y", "{value}");
        // Nothing is here that could be pushed.
        let error = fixture.resolved(&variables, true).reference.unwrap_err();
        assert_eq!(error.code(), "no_such_branch");
        assert_eq!(error.hints(), ["git ls-remote --heads origin"]);
    }
    // Jenkins names the remote.
    let variables = [&jenkins[..], &[("GIT_BRANCH", "fix/y")]].concat();
    assert_eq!(name(&fixture.resolved(&variables, false)), "no_such_branch");
}

#[test]
fn the_active_branch_of_a_job_is_for_head_whatever_the_provider_names() {
    let fixture = Fixture::new();
    let (old, new) = (fixture.old.as_str(), fixture.new.as_str());
    let notice = format!(
        "main is 1 commit behind origin; HEAD ({}), which this is a build of, is registered",
        &old[..7]
    );
    let jobs: &[&[(&str, &str)]] = &[
        &[("TEAMCITY_VERSION", "2026.1"), ("BUILD_VCS_NUMBER", old)],
        &[("TEAMCITY_VERSION", "2026.1")],
        &[("CODEBUILD_BUILD_ID", "x"), ("CODEBUILD_RESOLVED_SOURCE_VERSION", old)],
        &[("JENKINS_URL", "https://ci"), ("GIT_COMMIT", old)],
        &[("JENKINS_URL", "https://ci")],
        &[("CI", "true")],
        &[("CI", "1"), ("GIT_BRANCH", "main")],
        &[("CI", "true"), ("GIT_BRANCH", "origin/main")],
        &[("TEAMCITY_VERSION", "2026.1"), ("GIT_BRANCH", "main")],
        // A roll-back: the job is of a newer commit.
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_SHA", new),
        ],
        &[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_REF_NAME", "main"),
            ("GITHUB_REF_TYPE", "branch"),
            ("GITHUB_SHA", new),
            ("GIT_BRANCH", "main"),
        ],
        &[("GITLAB_CI", "true"), ("CI_COMMIT_BRANCH", "main"), ("CI_COMMIT_SHA", new)],
    ];
    for job in jobs {
        let resolution = fixture.resolved(job, true);
        assert_eq!(name(&resolution), "refs/tags/v1.1.0", "{job:?}");
        assert_eq!(resolution.notices, [notice.as_str()], "{job:?}");
    }
    // The provider's own variable is for another commit then, and that is told too.
    let jenkins = [("JENKINS_URL", "x"), ("GIT_COMMIT", new), ("GIT_BRANCH", "origin/main")];
    let resolution = fixture.resolved(&jenkins, true);
    assert_eq!(name(&resolution), "refs/tags/v1.1.0");
    assert_eq!(resolution.notices.len(), 2, "{:?}", resolution.notices);
    // Somebody's own checkout stands for the branch, and so does a variable that says "no".
    for laptop in [&[][..], &[("CI", "false")], &[("GIT_BRANCH", "main")]] {
        assert_eq!(name(&fixture.resolved(laptop, true)), "refs/tags/v1.3.0", "{laptop:?}");
    }
}

#[test]
fn a_detached_job_is_for_head_if_that_is_in_the_branch_that_is_named() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    repository.git(&["checkout", "-q", "--detach", "v1.1.0"]);
    let job = |branch| fixture.resolved(&[("CI", "true"), ("GIT_BRANCH", branch)], true);
    assert_eq!(name(&job("main")), "refs/tags/v1.1.0");
    assert_eq!(name(&job("origin/main")), "refs/tags/v1.1.0");
    // A branch that HEAD is not in is meant as such.
    repository.git(&["checkout", "-q", "--orphan", "other"]);
    repository.commit("other");
    repository.git(&["checkout", "-q", "--detach"]);
    let resolution = job("origin/main");
    assert_eq!(name(&resolution), "refs/tags/v1.3.0");
    let head = &repository.git(&["rev-parse", "HEAD"])[..7];
    let notice = format!(
        "HEAD ({head}) is not in the branch that GIT_BRANCH names (origin/main); what the branch has is registered"
    );
    assert_eq!(resolution.notices, [notice.as_str()]);
    // So is one beside the branch that is checked out.
    repository.git(&["checkout", "-q", "-B", "topic", "v1.1.0"]);
    let resolution = job("origin/main");
    assert_eq!(name(&resolution), "refs/tags/v1.3.0");
    let rung = resolution.ladder.iter().find(|rung| rung.rung == "GIT_BRANCH").unwrap();
    assert_eq!(rung.outcome, RungOutcome::Taken);
}
