//! What the name of a branch stands for: a pull request that was fetched beside the branches, a slip, a remote's name
//! before it, a placeholder. None of them may become a code reference that workers can't clone.

use flowreg_git::{ReferenceRequest, ReferenceRules, Resolution, resolve};

use crate::repository::TestRepository;

/// A clone at a fork's commit, which the remote has as a pull request; `feat` and `origin/foo` are branches there.
struct Fixture {
    repository: TestRepository,
    /// The pull request's commit.
    evil: String,
    /// The tip of `feat`.
    feat: String,
}

impl Fixture {
    fn new() -> Self {
        let repository = TestRepository::empty();
        repository.add_bare_remote("origin");
        repository.commit("first");
        repository.git(&["push", "-q", "origin", "main"]);
        repository.git(&["checkout", "-q", "-b", "origin/foo"]);
        repository.commit("foo");
        repository.git(&["push", "-q", "origin", "refs/heads/origin/foo"]);
        repository.git(&["checkout", "-q", "-b", "feat", "main"]);
        let feat = repository.commit("feature");
        repository.git(&["push", "-q", "origin", "feat"]);
        repository.git(&["checkout", "-q", "--detach", "main"]);
        let evil = repository.commit("fork");
        repository.git(&["push", "-q", "origin", "HEAD:refs/pull/7/head"]);
        repository.git(&["branch", "-q", "-D", "feat", "origin/foo"]);
        Self { repository, evil, feat }
    }

    fn fetch(&self, refspec: &str) {
        self.repository.git(&["fetch", "-q", "origin", refspec]);
    }

    fn resolved(&self, variables: &[(&str, &str)], ask_remote: bool) -> Resolution {
        let rules = ReferenceRules { ask_remote, ..Default::default() };
        self.answer(variables, &ReferenceRequest::from(rules))
    }

    fn answer(&self, variables: &[(&str, &str)], request: &ReferenceRequest) -> Resolution {
        let environment = self.repository.environment(variables);
        resolve(&self.repository.open(), &environment, request)
    }
}

/// The full name that counts, or the code of the error.
fn name(resolution: &Resolution) -> String {
    match &resolution.reference {
        Ok(reference) => reference.name.full(),
        Err(error) => error.code().to_owned(),
    }
}

fn hints(resolution: Resolution) -> Vec<String> {
    resolution.reference.unwrap_err().hints()
}

#[test]
fn a_pull_request_that_was_fetched_beside_the_branches_is_none() {
    for (refspec, branch) in [
        ("+refs/pull/*:refs/remotes/origin/pr/*", "pr/7/head"),
        ("+refs/pull/7/head:refs/remotes/origin/PR-7", "PR-7"),
        ("+refs/pull/*/head:refs/remotes/origin/*/head", "7/head"),
    ] {
        for is_configured in [false, true] {
            let fixture = Fixture::new();
            if is_configured {
                fixture.repository.git(&["config", "--add", "remote.origin.fetch", refspec]);
            }
            fixture.fetch(refspec);
            let (evil, of_remote) = (fixture.evil.as_str(), format!("origin/{branch}"));
            let jenkins = [("JENKINS_URL", "x"), ("GIT_COMMIT", evil)];
            let teamcity = [("TEAMCITY_VERSION", "x"), ("BUILD_VCS_NUMBER", evil)];
            let jobs = [
                [&jenkins[..], &[("GIT_BRANCH", of_remote.as_str())]].concat(),
                [&jenkins[..], &[("BRANCH_NAME", branch)]].concat(),
                [&teamcity[..], &[("GIT_BRANCH", branch)]].concat(),
                vec![("CI", "true"), ("GIT_BRANCH", branch)],
                [&jenkins[..], &[("GIT_BRANCH", "detached")]].concat(),
                vec![],
            ];
            for (number, job) in jobs.iter().enumerate() {
                for ask_remote in [false, true] {
                    let resolution = fixture.resolved(job, ask_remote);
                    let is_named = number < 4 || !is_configured;
                    let expected = if is_named { "not_a_branch" } else { "undecided" };
                    let error = resolution.reference.as_ref().unwrap_err().to_string();
                    assert_eq!(name(&resolution), expected, "{job:?} {ask_remote}: {error}");
                    let tells = if is_named { "a pull request" } else { "refs/pull/7/head" };
                    assert!(error.contains(tells), "{error}");
                    let hints = hints(resolution);
                    assert!(hints.contains(&"flowreg … --branch BRANCH".to_owned()), "{hints:?}");
                    assert!(!hints.join("\n").contains("git push"), "{hints:?}");
                }
            }
        }
    }
}

#[test]
fn a_branch_with_the_name_of_a_pull_request_is_one_if_the_remote_has_it() {
    let fixture = Fixture::new();
    fixture.repository.git(&["push", "-q", "origin", "HEAD:refs/heads/PR-7"]);
    let job = [("JENKINS_URL", "x"), ("GIT_COMMIT", fixture.evil.as_str())];
    for job in [vec![], [&job[..], &[("GIT_BRANCH", "origin/PR-7")]].concat()] {
        assert_eq!(name(&fixture.resolved(&job, true)), "refs/heads/PR-7", "{job:?}");
        // Without its word people have to say so.
        let resolution = fixture.resolved(&job, false);
        assert_eq!(
            hints(resolution),
            [
                "if it is a branch all the same: flowreg … --branch PR-7",
                "flowreg … --branch BRANCH"
            ]
        );
    }
    let rules = ReferenceRules { ask_remote: false, ..Default::default() };
    let request = ReferenceRequest { branch: Some("PR-7".to_owned()), ..rules.into() };
    assert_eq!(name(&fixture.answer(&[], &request)), "refs/heads/PR-7");
    // Beside it the branch of the pull request is the one that is meant.
    fixture.repository.git(&["push", "-q", "origin", "HEAD:refs/heads/fix"]);
    assert_eq!(name(&fixture.resolved(&[], false)), "refs/heads/fix");
}

#[test]
fn a_slip_is_no_branch_that_only_this_clone_lacks() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    repository.git(&["checkout", "-q", "--detach", "origin/feat"]);
    let jobs = [
        [
            ("JENKINS_URL", "x"),
            ("GIT_COMMIT", fixture.feat.as_str()),
            ("GIT_BRANCH", "origin/feta"),
        ],
        [
            ("TEAMCITY_VERSION", "x"),
            ("BUILD_VCS_NUMBER", fixture.feat.as_str()),
            ("GIT_BRANCH", "feta"),
        ],
    ];
    for job in jobs {
        let resolution = fixture.resolved(&job, false);
        assert_eq!(name(&resolution), "no_such_branch", "{job:?}");
        let hints = hints(resolution);
        assert_eq!(hints.first().map(String::as_str), Some("flowreg … --branch feat"), "{job:?}");
    }
    let one_branch = "+refs/heads/main:refs/remotes/origin/main";
    repository.git(&["config", "remote.origin.fetch", one_branch]);
    for job in jobs {
        assert_eq!(name(&fixture.resolved(&job, false)), "refs/heads/feta", "{job:?}");
    }
}

#[test]
fn the_name_of_the_remote_may_belong_to_the_branch() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    repository.git(&["checkout", "-q", "--detach", "refs/remotes/origin/origin/foo"]);
    let head = repository.git(&["rev-parse", "HEAD"]);
    let jenkins =
        [("JENKINS_URL", "x"), ("GIT_COMMIT", head.as_str()), ("GIT_BRANCH", "origin/foo")];
    for variables in [&jenkins[..], &[("GIT_BRANCH", "origin/foo")]] {
        for ask_remote in [false, true] {
            let resolution = fixture.resolved(variables, ask_remote);
            assert_eq!(name(&resolution), "refs/heads/origin/foo", "{variables:?}");
            assert_eq!(resolution.reference.unwrap().commit.as_str(), head);
        }
    }
    repository.git(&["push", "-q", "origin", "main:refs/heads/foo"]);
    for ask_remote in [false, true] {
        assert_eq!(name(&fixture.resolved(&jenkins, ask_remote)), "ambiguous_branch");
    }
}

#[test]
fn a_branch_that_is_gone_on_the_remote_is_not_pushed_by_a_name_that_is_not_here() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    repository.git(&["checkout", "-q", "--detach", "origin/feat"]);
    repository
        .git_in(&repository.outside().join("origin.git"), &["update-ref", "-d", "refs/heads/feat"]);
    let resolution = fixture.resolved(&[], true);
    assert_eq!(name(&resolution), "remote_missing_branch");
    assert_eq!(hints(resolution), [format!("git push origin {}:refs/heads/feat", fixture.feat)]);
    repository.git(&["checkout", "-q", "-b", "feat"]);
    assert_eq!(hints(fixture.resolved(&[], true)), ["git push -u origin feat"]);
}

#[test]
fn a_placeholder_is_named_and_only_a_version_is_proposed() {
    let fixture = Fixture::new();
    let placeholders =
        ["$(releaseTag)", "${TAG}", "{{ tag }}", "null", "undefined", "false", "N/A", "0"];
    let tag = |value: &str| {
        let request = ReferenceRequest { tag: Some(value.to_owned()), ..Default::default() };
        fixture.answer(&[], &request)
    };
    let evil = fixture.evil.as_str();
    for value in placeholders {
        let resolution = tag(value);
        assert_eq!(name(&resolution), "not_filled_in", "{value}");
        assert_eq!(hints(resolution), ["give --tag a value, or leave it out"]);
        let full = format!("refs/tags/{value}");
        let builds: [&[(&str, &str)]; 6] = [
            &[("BUILD_TAG", value)],
            &[("GITLAB_CI", "true"), ("CI_COMMIT_TAG", value), ("CI_COMMIT_SHA", evil)],
            &[("CIRCLECI", "true"), ("CIRCLE_TAG", value), ("CIRCLE_SHA1", evil)],
            &[("DRONE", "true"), ("DRONE_TAG", value), ("DRONE_COMMIT_SHA", evil)],
            &[("JENKINS_URL", "x"), ("BRANCH_NAME", "x"), ("TAG_NAME", value)],
            &[
                ("TF_BUILD", "True"),
                ("BUILD_SOURCEBRANCH", full.as_str()),
                ("BUILD_SOURCEVERSION", evil),
            ],
        ];
        for build in builds {
            assert_eq!(name(&fixture.resolved(build, true)), "not_filled_in", "{build:?}");
        }
        let circle = [("CIRCLECI", "true"), ("CIRCLE_BRANCH", value), ("CIRCLE_SHA1", evil)];
        assert_eq!(name(&fixture.resolved(&circle, false)), "not_filled_in", "{value}");
    }
    for value in
        ["HEAD", "FETCH_HEAD", evil, "refs/pull/7/head", "jenkins-x-3", "latest", "build-12"]
    {
        for resolution in [tag(value), fixture.resolved(&[("BUILD_TAG", value)], true)] {
            assert_eq!(name(&resolution), "no_such_tag", "{value}");
            assert_eq!(hints(resolution), ["git ls-remote --tags origin"], "{value}");
        }
    }
    assert_eq!(hints(tag("v1.0.0")), ["git tag -a -m v1.0.0 v1.0.0 && git push origin v1.0.0"]);
    // Somebody may have called a tag so.
    fixture.repository.git(&["tag", "null"]);
    fixture.repository.git(&["push", "-q", "origin", "null"]);
    assert_eq!(name(&tag("null")), "refs/tags/null");
}

#[test]
fn a_fork_that_merged_our_branch_is_no_merge_with_the_target() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    repository.git(&["checkout", "-q", "--detach", &fixture.evil]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", &fixture.feat]);
    let theirs = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["checkout", "-q", "--detach", "main"]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", &fixture.feat]);
    let ours = repository.git(&["rev-parse", "HEAD"]);
    let builds: [(&[(&str, &str)], &str); 5] = [
        (
            &[("GITLAB_CI", "true"), ("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "feat")],
            "CI_COMMIT_SHA",
        ),
        (
            &[
                ("CODEBUILD_BUILD_ID", "x"),
                ("CODEBUILD_WEBHOOK_TRIGGER", "pr/7"),
                ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/feat"),
            ],
            "CODEBUILD_RESOLVED_SOURCE_VERSION",
        ),
        (
            &[("DRONE", "true"), ("DRONE_PULL_REQUEST", "7"), ("DRONE_SOURCE_BRANCH", "feat")],
            "DRONE_COMMIT",
        ),
        (
            &[
                ("CI", "woodpecker"),
                ("CI_PIPELINE_EVENT", "pull_request"),
                ("CI_COMMIT_SOURCE_BRANCH", "feat"),
            ],
            "CI_COMMIT_SHA",
        ),
        (
            &[("TF_BUILD", "True"), ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/feat")],
            "SYSTEM_PULLREQUEST_SOURCECOMMITID",
        ),
    ];
    for (build, variable) in builds {
        for git_branch in [&[][..], &[("GIT_BRANCH", "feat")]] {
            let of = |commit: &str| {
                fixture.resolved(&[build, git_branch, &[(variable, commit)]].concat(), true)
            };
            repository.git(&["checkout", "-q", "--detach", &theirs]);
            assert_eq!(name(&of(&theirs)), "ci_refused", "{variable}");
            // The merge that was made for the build is not named.
            repository.git(&["checkout", "-q", "--detach", &ours]);
            assert_eq!(name(&of(&fixture.feat)), "refs/heads/feat", "{variable}");
        }
    }
}

#[test]
fn the_branch_of_the_pull_request_may_be_checked_out_whatever_form_its_name_has() {
    let fixture = Fixture::new();
    fixture.repository.git(&["checkout", "-q", "feat"]);
    let builds: [&[(&str, &str)]; 2] = [
        &[("TF_BUILD", "True"), ("SYSTEM_PULLREQUEST_SOURCEBRANCH", "refs/heads/feat")],
        &[
            ("CODEBUILD_BUILD_ID", "x"),
            ("CODEBUILD_WEBHOOK_TRIGGER", "pr/7"),
            ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/feat"),
        ],
    ];
    for build in builds {
        let resolution = fixture.resolved(build, true);
        assert_eq!(name(&resolution), "refs/heads/feat");
        assert_eq!(resolution.notices, [""; 0], "{build:?}");
    }
}
