//! The build of a pull request whose source branch has the name of a branch of this repository: whether it is that
//! branch, or a fork's, is told by the commits only.

use flowreg_git::{ReferenceRequest, ReferenceRules, Resolution, resolve};

use crate::repository::TestRepository;

/// Builds of a pull request from `feature/x` by providers that do not say whether it comes from a fork.
#[rustfmt::skip]
const BUILDS: &[(&str, &[(&str, &str)])] = &[
    ("Woodpecker", &[("CI", "woodpecker"), ("CI_PIPELINE_EVENT", "pull_request"), ("CI_COMMIT_SOURCE_BRANCH", "feature/x"), ("CI_COMMIT_BRANCH", "main")]),
    ("Bitbucket Pipelines", &[("BITBUCKET_BUILD_NUMBER", "3"), ("BITBUCKET_PR_ID", "7"), ("BITBUCKET_BRANCH", "feature/x")]),
    ("AWS CodeBuild", &[("CODEBUILD_BUILD_ID", "x"), ("CODEBUILD_WEBHOOK_TRIGGER", "pr/7"), ("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/feature/x")]),
    ("Drone", &[("DRONE", "true"), ("DRONE_PULL_REQUEST", "7"), ("DRONE_BRANCH", "main"), ("DRONE_SOURCE_BRANCH", "feature/x")]),
    // Gitea and Forgejo set GitHub's variables; here without the event.
    ("GitHub Actions", &[("GITHUB_ACTIONS", "true"), ("GITHUB_REF", "refs/pull/7/merge"), ("GITHUB_HEAD_REF", "feature/x")]),
    ("Jenkins multibranch", &[("JENKINS_URL", "https://ci"), ("BRANCH_NAME", "PR-7"), ("CHANGE_ID", "7"), ("CHANGE_BRANCH", "feature/x")]),
    ("Google Cloud Build", &[("_HEAD_BRANCH", "feature/x"), ("_PR_NUMBER", "7")]),
];

/// The providers that merge the target into the source, so that the source is the first parent.
const MERGING_THE_TARGET: [&str; 2] = ["Bitbucket Pipelines", "Jenkins multibranch"];

/// `main`, and `feature/x` beside it with two commits, both on `origin`; a fork's `feature/x`, which only this
/// clone has.
struct Fixture {
    repository: TestRepository,
    /// The tip of our branch.
    ours: String,
    /// The tip of the fork's.
    theirs: String,
}

impl Fixture {
    fn new() -> Self {
        let repository = TestRepository::empty();
        repository.add_bare_remote("origin");
        repository.commit("first");
        repository.git(&["checkout", "-q", "-b", "feature/x"]);
        repository.commit("ours");
        let ours = repository.commit("ours as well");
        repository.git(&["checkout", "-q", "--detach", "main"]);
        let theirs = repository.commit("theirs");
        repository.git(&["checkout", "-q", "main"]);
        repository.commit("second");
        repository.git(&["push", "-q", "origin", "main", "feature/x"]);
        repository.git(&["checkout", "-q", "--detach", "main"]);
        repository.git(&["branch", "-q", "-D", "feature/x"]);
        Self { repository, ours, theirs }
    }

    /// Checks out a commit, or the merge that a provider makes of it and of `target`.
    fn check_out(&self, provider: &str, commit: &str, target: Option<&str>) {
        let repository = &self.repository;
        let Some(target) = target else {
            repository.git(&["checkout", "-q", "--detach", commit]);
            return;
        };
        let is_into_source = MERGING_THE_TARGET.contains(&provider);
        let (into, merged) = if is_into_source { (commit, target) } else { (target, commit) };
        repository.git(&["checkout", "-q", "--detach", into]);
        repository.git(&["merge", "-q", "--no-ff", "-m", "merge", merged]);
    }

    fn resolved(&self, variables: &[(&str, &str)], ask_remote: bool) -> Resolution {
        let rules = ReferenceRules { ask_remote, ..Default::default() };
        let environment = self.repository.environment(variables);
        resolve(&self.repository.open(), &environment, &ReferenceRequest::from(rules))
    }
}

/// The full name that counts and its commit, or the code of the error and its text.
fn answer(resolution: &Resolution) -> (String, String) {
    match &resolution.reference {
        Ok(reference) => (reference.name.full(), reference.commit.to_string()),
        Err(error) => (error.code().to_owned(), error.to_string()),
    }
}

#[test]
fn a_forks_branch_of_the_name_of_ours_is_refused() {
    let fixture = Fixture::new();
    for (provider, variables) in BUILDS {
        // Into main, and into our branch of the same name.
        for target in [None, Some("main"), Some("origin/feature/x")] {
            fixture.check_out(provider, &fixture.theirs, target);
            for variables in
                [variables.to_vec(), [*variables, &[("GIT_BRANCH", "feature/x")]].concat()]
            {
                for ask_remote in [false, true] {
                    let resolution = fixture.resolved(&variables, ask_remote);
                    let (code, text) = answer(&resolution);
                    assert_eq!(code, "ci_refused", "{provider} {target:?}: {text}");
                    assert!(text.starts_with(&format!("{provider}: HEAD (")), "{text}");
                    assert!(text.contains("may belong to a fork"), "{text}");
                    assert_eq!(resolution.notices, [""; 0], "{provider} {target:?}");
                    let hints = resolution.reference.unwrap_err().hints();
                    assert_eq!(
                        hints,
                        ["if it is the pull request's: flowreg … --branch feature/x"]
                    );
                }
            }
        }
    }
}

#[test]
fn our_own_branch_is_known_by_its_commit_or_by_the_merge_of_it() {
    let fixture = Fixture::new();
    for (provider, variables) in BUILDS {
        for target in [None, Some("main")] {
            fixture.check_out(provider, &fixture.ours, target);
            for ask_remote in [false, true] {
                let resolution = fixture.resolved(variables, ask_remote);
                let expected = ("refs/heads/feature/x".to_owned(), fixture.ours.clone());
                assert_eq!(answer(&resolution), expected, "{provider} {target:?} {ask_remote}");
                assert_eq!(resolution.notices, [""; 0], "{provider}");
            }
        }
    }
}

#[test]
fn a_branch_that_moved_on_since_the_checkout_is_ours_and_that_is_told() {
    let fixture = Fixture::new();
    let built = fixture.repository.git(&["rev-parse", &format!("{}^", fixture.ours)]);
    for (provider, variables) in BUILDS {
        for target in [None, Some("main")] {
            fixture.check_out(provider, &built, target);
            let resolution = fixture.resolved(variables, true);
            let expected = ("refs/heads/feature/x".to_owned(), fixture.ours.clone());
            assert_eq!(answer(&resolution), expected, "{provider} {target:?}");
            let newest = &fixture.ours[..7];
            let notice = format!(
                "feature/x is 1 commit behind origin; its newest commit ({newest}) is registered"
            );
            assert_eq!(resolution.notices, [notice.as_str()], "{provider} {target:?}");
        }
    }
}

#[test]
fn a_shallow_clone_that_does_not_tell_is_refused_with_the_fetch_to_type() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    let url = format!("file://{}", repository.outside().join("origin.git").display());
    let clone = |name: &str, commit: &str| {
        repository.git(&["push", "-q", "-f", "origin", &format!("{commit}:refs/heads/built")]);
        let depth = ["--depth", "1", "--no-single-branch", "--branch", "built", &url];
        let path = repository.clone_beside(name, &depth);
        repository.git_in(&path, &["checkout", "-q", "--detach"]);
        path
    };
    let resolved = |path: &std::path::Path, variables: &[(&str, &str)]| {
        let opened = repository.open_in(path, &[]).unwrap();
        let environment = repository.environment(variables);
        answer(&resolve(&opened, &environment, &ReferenceRequest::default()))
    };
    for (number, (provider, variables)) in BUILDS.iter().enumerate() {
        // The merge's parents are known by name, although they are not here.
        fixture.check_out(provider, &fixture.ours, Some("main"));
        let merge = repository.git(&["rev-parse", "HEAD"]);
        let path = clone(&format!("ours-{number}"), &merge);
        assert_eq!(resolved(&path, variables).0, "refs/heads/feature/x", "{provider}");
        // An older commit of the branch can't be told from a stranger's.
        let older = repository.git(&["rev-parse", &format!("{}^", fixture.ours)]);
        let path = clone(&format!("older-{number}"), &older);
        let (code, text) = resolved(&path, variables);
        assert_eq!(code, "ci_refused", "{provider}: {text}");
        assert!(text.contains("this clone is shallow"), "{text}");
        repository.git_in(&path, &["fetch", "-q", "--unshallow", "origin"]);
        assert_eq!(resolved(&path, variables).0, "refs/heads/feature/x", "{provider}");
    }
}

#[test]
fn a_named_branch_is_taken_whatever_is_checked_out() {
    let fixture = Fixture::new();
    let repository = &fixture.repository;
    repository.git(&["checkout", "-q", "--detach", &fixture.theirs]);
    for (provider, variables) in BUILDS {
        let request =
            ReferenceRequest { branch: Some("feature/x".to_owned()), ..Default::default() };
        let resolution = resolve(&repository.open(), &repository.environment(variables), &request);
        assert_eq!(answer(&resolution).1, fixture.ours, "{provider}");
    }
}
