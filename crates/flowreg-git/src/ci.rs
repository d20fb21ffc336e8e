//! What CI providers put into the environment: which build it is, and of which branch or tag.
//!
//! One table, one row for each provider, its rules in order: the first that applies decides. A
//! pull request is always its *source* branch, never the target that several providers name in
//! their branch variable, and never a merge ref that no worker can clone. The facts and their
//! sources: `facts/ci-variables.md`.

use flowreg_model::Environment;

use CiRule::{Branch, Refuse, Source, Tag};
use When::{Differ, Fork, Is, IsNot, Other, Set, Starts};

/// A condition on the environment; blank is unset, case doesn't matter in values.
enum When {
    /// The variable has this value.
    Is(&'static str, &'static str),
    /// The variable has another value.
    IsNot(&'static str, &'static str),
    /// The variable has any value.
    Set(&'static str),
    /// The value begins so.
    Starts(&'static str, &'static str),
    /// Both are set, to different values.
    Differ(&'static str, &'static str),
    /// Both are set, to addresses of different repositories.
    Other(&'static str, &'static str),
    /// The file (a GitHub event) tells of a pull request from another repository.
    Fork(&'static str),
}

/// What a row concludes. The variable's value is the name; without a value the rule doesn't apply.
enum CiRule {
    /// A build of a tag.
    Tag(&'static [When], &'static str),
    /// A build of a branch: HEAD is a commit of it.
    Branch(&'static [When], &'static str),
    /// A build of a pull request: HEAD may be a merge that is no commit of the source branch.
    Source(&'static [When], &'static str),
    /// A build that can't be registered, and why.
    Refuse(&'static [When], &'static str),
}

/// One row.
pub(super) struct Provider {
    /// The name as people know it.
    pub(super) name: &'static str,
    /// One of these has to hold as a whole.
    recognised: &'static [&'static [When]],
    rules: &'static [CiRule],
    /// Why no rule applied, as far as it is known.
    silent: &'static str,
}

/// What a provider tells about the build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Told {
    Tag { variable: &'static str, name: String },
    Branch { variable: &'static str, name: String },
    Source { variable: &'static str, name: String },
    Refused(&'static str),
    Nothing(&'static str),
}

const FORK: &str = "the pull request comes from a fork, whose branch is not in this repository";
const NO_SOURCE: &str = "a pull request build that doesn't tell its source branch";
const NO_NAME: &str = "names neither a branch nor a tag";

/// More specific rows come before those that would recognise the same build.
#[rustfmt::skip]
const PROVIDERS: &[Provider] = &[
    Provider {
        name: "GitHub Actions",
        recognised: &[&[Is("GITHUB_ACTIONS", "true")]],
        rules: &[
            Refuse(&[Set("GITHUB_HEAD_REF"), Fork("GITHUB_EVENT_PATH")], FORK),
            Source(&[], "GITHUB_HEAD_REF"),
            Refuse(&[Starts("GITHUB_REF", "refs/pull/")], NO_SOURCE),
            Refuse(&[Starts("GITHUB_REF", "refs/heads/gh-readonly-queue/")],
                "a merge queue's branch is gone after the build"),
            Tag(&[Is("GITHUB_REF_TYPE", "tag")], "GITHUB_REF_NAME"),
            Branch(&[Is("GITHUB_REF_TYPE", "branch")], "GITHUB_REF_NAME"),
            Tag(&[Starts("GITHUB_REF", "refs/tags/")], "GITHUB_REF"),
            Branch(&[Starts("GITHUB_REF", "refs/heads/")], "GITHUB_REF"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "GitLab CI",
        recognised: &[&[Is("GITLAB_CI", "true")]],
        rules: &[
            // CI_COMMIT_REF_NAME is a branch or a tag and is never read.
            Refuse(&[Differ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "CI_PROJECT_PATH")], FORK),
            Source(&[], "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            Refuse(&[Set("CI_MERGE_REQUEST_IID")], NO_SOURCE),
            Tag(&[], "CI_COMMIT_TAG"),
            Branch(&[], "CI_COMMIT_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "Bitbucket Pipelines",
        recognised: &[&[Set("BITBUCKET_BUILD_NUMBER")]],
        rules: &[
            Source(&[Set("BITBUCKET_PR_ID")], "BITBUCKET_BRANCH"),
            Tag(&[], "BITBUCKET_TAG"),
            Branch(&[], "BITBUCKET_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "CircleCI",
        recognised: &[&[Is("CIRCLECI", "true")]],
        rules: &[
            Refuse(&[Starts("CIRCLE_BRANCH", "pull/")], FORK),
            Refuse(&[Set("CIRCLE_PR_REPONAME")], FORK),
            Tag(&[], "CIRCLE_TAG"),
            // It builds the branch itself, also when there is a pull request for it.
            Branch(&[], "CIRCLE_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "Buildkite",
        recognised: &[&[Is("BUILDKITE", "true")]],
        rules: &[
            // On tag builds BUILDKITE_BRANCH is the tag.
            Tag(&[], "BUILDKITE_TAG"),
            Refuse(&[
                IsNot("BUILDKITE_PULL_REQUEST", "false"),
                Other("BUILDKITE_PULL_REQUEST_REPO", "BUILDKITE_REPO"),
            ], FORK),
            Source(&[IsNot("BUILDKITE_PULL_REQUEST", "false")], "BUILDKITE_BRANCH"),
            Branch(&[], "BUILDKITE_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "Jenkins multibranch",
        recognised: &[&[Set("JENKINS_URL"), Set("BRANCH_NAME")]],
        rules: &[
            // BRANCH_NAME is PR-24 on pull requests and the tag on tag builds.
            Refuse(&[Set("CHANGE_FORK")], FORK),
            Source(&[Set("CHANGE_ID")], "CHANGE_BRANCH"),
            Refuse(&[Set("CHANGE_ID")], NO_SOURCE),
            Tag(&[], "TAG_NAME"),
            Branch(&[], "BRANCH_NAME"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "Jenkins",
        recognised: &[&[Set("JENKINS_URL")]],

        // GIT_BRANCH has its own rung.
        rules: &[Branch(&[], "GIT_LOCAL_BRANCH")],
        silent: "names no branch apart from GIT_BRANCH",
    },
    Provider {
        name: "Azure DevOps",
        recognised: &[&[Is("TF_BUILD", "true")]],
        rules: &[
            // BUILD_SOURCEBRANCHNAME is only the part after the last slash and is never read.
            Refuse(&[Is("SYSTEM_PULLREQUEST_ISFORK", "true")], FORK),
            Source(&[], "SYSTEM_PULLREQUEST_SOURCEBRANCH"),
            Refuse(&[Starts("BUILD_SOURCEBRANCH", "refs/pull/")], NO_SOURCE),
            Tag(&[Starts("BUILD_SOURCEBRANCH", "refs/tags/")], "BUILD_SOURCEBRANCH"),
            Branch(&[Starts("BUILD_SOURCEBRANCH", "refs/heads/")], "BUILD_SOURCEBRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "TeamCity",
        recognised: &[&[Set("TEAMCITY_VERSION")]],
        rules: &[],
        silent: "puts no branch into the environment: set env.GIT_BRANCH to %teamcity.build.branch%",
    },
    Provider {
        name: "Travis CI",
        recognised: &[&[Is("TRAVIS", "true")]],
        rules: &[
            // TRAVIS_BRANCH is the target on pull requests and the tag on tag builds.
            Refuse(&[
                IsNot("TRAVIS_PULL_REQUEST", "false"),
                Differ("TRAVIS_PULL_REQUEST_SLUG", "TRAVIS_REPO_SLUG"),
            ], FORK),
            Source(&[IsNot("TRAVIS_PULL_REQUEST", "false")], "TRAVIS_PULL_REQUEST_BRANCH"),
            Refuse(&[IsNot("TRAVIS_PULL_REQUEST", "false")], NO_SOURCE),
            Tag(&[], "TRAVIS_TAG"),
            Branch(&[], "TRAVIS_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "Woodpecker",
        recognised: &[&[Is("CI", "woodpecker")], &[Is("CI_SYSTEM_NAME", "woodpecker")]],
        rules: &[
            // CI_COMMIT_BRANCH is the target here; GitLab uses the same name for the source.
            Source(&[Starts("CI_PIPELINE_EVENT", "pull_request")], "CI_COMMIT_SOURCE_BRANCH"),
            Refuse(&[Starts("CI_PIPELINE_EVENT", "pull_request")], NO_SOURCE),
            Tag(&[], "CI_COMMIT_TAG"),
            Branch(&[], "CI_COMMIT_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "Drone",
        recognised: &[&[Is("DRONE", "true")]],
        rules: &[
            // DRONE_BRANCH is the target on pull requests; DRONE_SOURCE_BRANCH is set on pushes too.
            Source(&[Set("DRONE_PULL_REQUEST")], "DRONE_SOURCE_BRANCH"),
            Source(&[Is("DRONE_BUILD_EVENT", "pull_request")], "DRONE_SOURCE_BRANCH"),
            Refuse(&[Starts("DRONE_COMMIT_REF", "refs/pull/")], NO_SOURCE),
            Tag(&[], "DRONE_TAG"),
            Tag(&[Starts("DRONE_COMMIT_REF", "refs/tags/")], "DRONE_COMMIT_REF"),
            Branch(&[], "DRONE_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "AWS CodeBuild",
        recognised: &[&[Set("CODEBUILD_BUILD_ID")]],
        rules: &[
            Source(&[Starts("CODEBUILD_WEBHOOK_TRIGGER", "pr/")], "CODEBUILD_WEBHOOK_HEAD_REF"),
            Refuse(&[Starts("CODEBUILD_SOURCE_VERSION", "pr/")], NO_SOURCE),
            Tag(&[Starts("CODEBUILD_WEBHOOK_HEAD_REF", "refs/tags/")], "CODEBUILD_WEBHOOK_HEAD_REF"),
            Tag(&[Starts("CODEBUILD_WEBHOOK_TRIGGER", "tag/")], "CODEBUILD_WEBHOOK_TRIGGER"),
            Branch(&[Starts("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/")], "CODEBUILD_WEBHOOK_HEAD_REF"),
            Branch(&[Starts("CODEBUILD_WEBHOOK_TRIGGER", "branch/")], "CODEBUILD_WEBHOOK_TRIGGER"),
        ],
        silent: "names neither a branch nor a tag, as in every build without a webhook",
    },
    Provider {
        name: "Semaphore",
        recognised: &[&[Is("SEMAPHORE", "true")]],
        rules: &[
            // SEMAPHORE_GIT_BRANCH is the target on pull requests.
            Refuse(&[
                Is("SEMAPHORE_GIT_REF_TYPE", "pull-request"),
                Differ("SEMAPHORE_GIT_PR_SLUG", "SEMAPHORE_GIT_REPO_SLUG"),
            ], FORK),
            Source(&[Is("SEMAPHORE_GIT_REF_TYPE", "pull-request")], "SEMAPHORE_GIT_PR_BRANCH"),
            Refuse(&[Is("SEMAPHORE_GIT_REF_TYPE", "pull-request")], NO_SOURCE),
            Tag(&[Is("SEMAPHORE_GIT_REF_TYPE", "tag")], "SEMAPHORE_GIT_TAG_NAME"),
            Branch(&[], "SEMAPHORE_GIT_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        name: "AppVeyor",
        recognised: &[&[Is("APPVEYOR", "true")]],
        rules: &[
            // APPVEYOR_REPO_BRANCH is the base on pull requests.
            Refuse(&[
                Set("APPVEYOR_PULL_REQUEST_NUMBER"),
                Differ("APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME", "APPVEYOR_REPO_NAME"),
            ], FORK),
            Source(&[Set("APPVEYOR_PULL_REQUEST_NUMBER")], "APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH"),
            Refuse(&[Set("APPVEYOR_PULL_REQUEST_NUMBER")], NO_SOURCE),
            Tag(&[Is("APPVEYOR_REPO_TAG", "true")], "APPVEYOR_REPO_TAG_NAME"),
            Branch(&[], "APPVEYOR_REPO_BRANCH"),
        ],
        silent: NO_NAME,
    },
    Provider {
        // Nothing is in the environment of a step that its author didn't map there under the
        // substitution's name; these names are generic, so the row comes last.
        name: "Google Cloud Build",
        recognised: &[&[Set("TAG_NAME")], &[Set("BRANCH_NAME")], &[Set("_HEAD_BRANCH")], &[Set("_PR_NUMBER")]],
        rules: &[
            Refuse(&[Other("_HEAD_REPO_URL", "REPO_FULL_NAME")], FORK),
            Source(&[], "_HEAD_BRANCH"),
            Refuse(&[Set("_PR_NUMBER")], NO_SOURCE),
            Tag(&[], "TAG_NAME"),
            Branch(&[], "BRANCH_NAME"),
        ],
        silent: NO_NAME,
    },
];

/// The provider whose build this is.
pub(super) fn provider(environment: &Environment) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| {
        provider.recognised.iter().any(|all| all.iter().all(|when| when.holds(environment)))
    })
}

impl Provider {
    /// What the provider tells about the build.
    pub(super) fn tell(&self, environment: &Environment) -> Told {
        let told = self.rules.iter().find_map(|rule| rule.apply(environment));
        told.unwrap_or(Told::Nothing(self.silent))
    }
}

impl CiRule {
    fn apply(&self, environment: &Environment) -> Option<Told> {
        let (Tag(when, text) | Branch(when, text) | Source(when, text) | Refuse(when, text)) = self;
        if !when.iter().all(|when| when.holds(environment)) {
            return None;
        }
        let variable = text;
        let name = || environment.get(variable).map(|value| short_name(variable, value, when));
        match self {
            Tag(..) => name().map(|name| Told::Tag { variable, name }),
            Branch(..) => name().map(|name| Told::Branch { variable, name }),
            Source(..) => name().map(|name| Told::Source { variable, name }),
            Refuse(..) => Some(Told::Refused(text)),
        }
    }
}

/// What a condition asks of the variable's beginning is no part of the name: the triggers of
/// `CodeBuild` are `branch/x` and `tag/x`.
fn short_name(variable: &str, value: &str, conditions: &[When]) -> String {
    let prefix = conditions.iter().find_map(|when| match when {
        Starts(name, prefix) if *name == variable => value.strip_prefix(prefix),
        _ => None,
    });
    prefix.unwrap_or(value).to_owned()
}

impl When {
    fn holds(&self, environment: &Environment) -> bool {
        let value = |name: &str| environment.get(name);
        match self {
            Is(name, wanted) => value(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted)),
            IsNot(name, other) => {
                value(name).is_some_and(|value| !value.eq_ignore_ascii_case(other))
            }
            Set(name) => value(name).is_some(),
            Starts(name, prefix) => value(name).is_some_and(|value| value.starts_with(prefix)),
            Differ(one, other) => {
                value(one).zip(value(other)).is_some_and(|(one, other)| one != other)
            }
            Other(one, other) => value(one)
                .zip(value(other))
                .is_some_and(|(one, other)| !owner_and_name(one).eq(owner_and_name(other))),
            Fork(file) => value(file).is_some_and(tells_of_fork),
        }
    }
}

/// The last two parts of a repository's address, whatever its form: `acme/flows`.
fn owner_and_name(address: &str) -> impl Iterator<Item = String> {
    let path = address.trim_end_matches('/').trim_end_matches(".git");
    path.rsplit(['/', ':']).take(2).map(str::to_ascii_lowercase).collect::<Vec<_>>().into_iter()
}

/// Whether a GitHub event file tells of a pull request whose head is in another repository.
fn tells_of_fork(event_file: &str) -> bool {
    let content = std::fs::read(event_file).ok();
    let event = content.and_then(|content| serde_json::from_slice(&content).ok());
    let event: serde_json::Value = event.unwrap_or_default();
    let repository = |end: &str| event.pointer(&format!("/pull_request/{end}/repo/full_name"));
    event.get("pull_request").is_some() && repository("head") != repository("base")
}
