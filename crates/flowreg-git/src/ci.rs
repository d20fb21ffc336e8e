//! What CI providers put into the environment: which build it is, and of which branch or tag.
//!
//! One table, one row for each provider, its rules in order: the first that applies decides. A
//! pull request is always its *source* branch, never the target that several providers name in
//! their branch variable, and never a merge ref that no worker can clone. What each variable holds,
//! with the providers' documentation: docs/facts/ci-variables.md.

use super::github_event::{head_of_event, tells_of_fork};
use flowreg_model::{CommitId, Environment};

use CiRule::{Branch, Forbid, PullRequest, Refuse, Tag};
use Condition::{Differ, DifferentRepositories, EventOfFork, Is, IsNot, Set, StartsWith};

/// A condition on the environment; blank is unset, case doesn't matter in values.
enum Condition {
    /// The variable has this value.
    Is(&'static str, &'static str),
    /// The variable has another value.
    IsNot(&'static str, &'static str),
    /// The variable has any value.
    Set(&'static str),
    /// The value begins so.
    StartsWith(&'static str, &'static str),
    /// Both are set, to different values.
    Differ(&'static str, &'static str),
    /// Both are set, to addresses of different repositories.
    DifferentRepositories(&'static str, &'static str),
    /// The variable names a file with a GitHub event, and the event is of a pull request from
    /// another repository.
    EventOfFork(&'static str),
}

/// One rule of a row: if all its conditions hold, the variable's value is the name. If the variable
/// has no value, the rule does not apply.
enum CiRule {
    /// A build of a tag.
    Tag(&'static [Condition], &'static str),
    /// A build of a branch: HEAD is a commit of it.
    Branch(&'static [Condition], &'static str),
    /// A build of a pull request; the variable names the source branch. HEAD may be a merge that is
    /// no commit of it.
    PullRequest(&'static [Condition], &'static str),
    /// A build that can't be registered, and why.
    Refuse(&'static [Condition], &'static str),
    /// The same, whichever commit is checked out: what is there is a stranger's, or is gone after the
    /// build.
    Forbid(&'static [Condition], &'static str),
}

/// One row of the table.
pub(super) struct Provider {
    /// The name as people know it.
    pub(super) name: &'static str,
    /// The build is this provider's if all conditions of one of these lists hold.
    recognised: &'static [&'static [Condition]],
    /// The variables that name the commit that is built. For a pull request that may be its own commit or
    /// a merge with the target.
    commits: &'static [&'static str],
    /// Those of them that name the pull request's own commit: the first that is set.
    own_commits: &'static [&'static str],
    /// The variable that names the repository that is built: a URL, or owner and name.
    repository: Option<&'static str>,
    /// Which parent of the merge that is built for a pull request is the commit of the source branch.
    merge: MergeOf,
    rules: &'static [CiRule],
    /// What to say if no rule applies, after the provider's name.
    unknown: &'static str,
}

/// How the merge is made that is built for a pull request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum MergeOf {
    /// The source is merged into the target, as `refs/pull/N/merge` is: it is the second parent.
    Source,
    /// The target is merged into the source, which is the first parent.
    Target,
}

/// The branch or tag of a build, as the provider's variables name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BuildReference {
    Tag {
        variable: &'static str,
        name: String,
    },
    Branch {
        variable: &'static str,
        name: String,
    },
    PullRequestSource {
        variable: &'static str,
        name: String,
    },
    /// The build can't be registered, and why.
    Refused(&'static str),
    /// Nothing that the build has checked out can be, and why.
    Forbidden(&'static str),
    /// No variable tells, and why as far as it is known.
    Unknown(&'static str),
}

/// The commit that is built, as far as a provider's variable names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BuiltCommit {
    /// The word `HEAD`: whatever is checked out. It stands in `BUILDKITE_COMMIT` until the agent has looked.
    Head,
    /// An id, whole or shortened.
    Id(String),
}

impl BuiltCommit {
    /// A shortened id has seven digits at least, as git makes them. Anything else, as the number of a revision
    /// in another system, names no commit.
    fn of(value: &str) -> Option<Self> {
        let value = value.trim().to_ascii_lowercase();
        if value == "head" {
            return Some(Self::Head);
        }
        let is_id =
            (7..=64).contains(&value.len()) && value.bytes().all(|digit| digit.is_ascii_hexdigit());
        is_id.then_some(Self::Id(value))
    }

    /// Whether its id is that of a commit.
    pub(super) fn is(&self, commit: &CommitId) -> bool {
        matches!(self, Self::Id(id) if commit.as_str().starts_with(id))
    }

    /// The id as people see it.
    pub(super) fn short(&self) -> Option<&str> {
        match self {
            Self::Head => None,
            Self::Id(id) => Some(id.get(..7).unwrap_or(id)),
        }
    }
}

const FORK: &str = "the pull request comes from a fork, whose branch is not in this repository";
pub(super) const QUEUE: &str = "a merge queue's branch is gone after the build";
const NO_SOURCE: &str = "the pull request build does not name its source branch";
const NOT_TEXT: &str = "a variable that names the branch or tag is not UTF-8";
const NO_NAME: &str = "names neither a branch nor a tag";

/// More specific rows come before those that would recognise the same build.
#[rustfmt::skip]
const PROVIDERS: &[Provider] = &[
    Provider {
        name: "GitHub Actions",
        recognised: &[&[Is("GITHUB_ACTIONS", "true")]],
        commits: &["GITHUB_SHA"],
        own_commits: &["GITHUB_EVENT_PATH"],
        repository: Some("GITHUB_REPOSITORY"),
        merge: MergeOf::Source,
        rules: &[
            Forbid(&[Set("GITHUB_HEAD_REF"), EventOfFork("GITHUB_EVENT_PATH")], FORK),
            PullRequest(&[], "GITHUB_HEAD_REF"),
            Refuse(&[StartsWith("GITHUB_REF", "refs/pull/")], NO_SOURCE),
            Tag(&[Is("GITHUB_REF_TYPE", "tag")], "GITHUB_REF_NAME"),
            Branch(&[Is("GITHUB_REF_TYPE", "branch")], "GITHUB_REF_NAME"),
            Tag(&[StartsWith("GITHUB_REF", "refs/tags/")], "GITHUB_REF"),
            Branch(&[StartsWith("GITHUB_REF", "refs/heads/")], "GITHUB_REF"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "GitLab CI",
        recognised: &[&[Is("GITLAB_CI", "true")]],
        commits: &["CI_COMMIT_SHA", "CI_MERGE_REQUEST_SOURCE_BRANCH_SHA"],
        // CI_COMMIT_SHA is the merge where the other one is set.
        own_commits: &["CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", "CI_COMMIT_SHA"],
        repository: Some("CI_PROJECT_PATH"),
        merge: MergeOf::Source,
        rules: &[
            // CI_COMMIT_REF_NAME is a branch or a tag and is never read.
            Forbid(&[Is("CI_MERGE_REQUEST_EVENT_TYPE", "merge_train")], QUEUE),
            Forbid(&[Differ("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "CI_PROJECT_PATH")], FORK),
            PullRequest(&[], "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"),
            Refuse(&[Set("CI_MERGE_REQUEST_IID")], NO_SOURCE),
            Tag(&[], "CI_COMMIT_TAG"),
            Branch(&[], "CI_COMMIT_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "Bitbucket Pipelines",
        recognised: &[&[Set("BITBUCKET_BUILD_NUMBER")]],
        commits: &["BITBUCKET_COMMIT"],
        own_commits: &["BITBUCKET_COMMIT"],
        repository: Some("BITBUCKET_REPO_FULL_NAME"),
        merge: MergeOf::Target,
        rules: &[
            PullRequest(&[Set("BITBUCKET_PR_ID")], "BITBUCKET_BRANCH"),
            Tag(&[], "BITBUCKET_TAG"),
            Branch(&[], "BITBUCKET_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "CircleCI",
        recognised: &[&[Is("CIRCLECI", "true")]],
        commits: &["CIRCLE_SHA1"],
        own_commits: &[],
        repository: Some("CIRCLE_REPOSITORY_URL"),
        merge: MergeOf::Source,
        rules: &[
            Forbid(&[StartsWith("CIRCLE_BRANCH", "pull/")], FORK),
            Forbid(&[Set("CIRCLE_PR_REPONAME")], FORK),
            Tag(&[], "CIRCLE_TAG"),
            // It builds the branch itself, also when there is a pull request for it.
            Branch(&[], "CIRCLE_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "Buildkite",
        recognised: &[&[Is("BUILDKITE", "true")]],
        commits: &["BUILDKITE_COMMIT"],
        own_commits: &["BUILDKITE_COMMIT"],
        repository: Some("BUILDKITE_REPO"),
        merge: MergeOf::Source,
        rules: &[
            // On tag builds BUILDKITE_BRANCH is the tag.
            Tag(&[], "BUILDKITE_TAG"),
            Forbid(&[
                IsNot("BUILDKITE_PULL_REQUEST", "false"),
                DifferentRepositories("BUILDKITE_PULL_REQUEST_REPO", "BUILDKITE_REPO"),
            ], FORK),
            PullRequest(&[IsNot("BUILDKITE_PULL_REQUEST", "false")], "BUILDKITE_BRANCH"),
            Branch(&[], "BUILDKITE_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "Jenkins multibranch",
        recognised: &[&[Set("JENKINS_URL"), Set("BRANCH_NAME")]],
        commits: &["GIT_COMMIT"],
        own_commits: &[],
        repository: Some("GIT_URL"),
        merge: MergeOf::Target,
        rules: &[
            // BRANCH_NAME is PR-24 on pull requests and the tag on tag builds.
            Forbid(&[Set("CHANGE_FORK")], FORK),
            PullRequest(&[Set("CHANGE_ID")], "CHANGE_BRANCH"),
            Refuse(&[Set("CHANGE_ID")], NO_SOURCE),
            Tag(&[], "TAG_NAME"),
            Branch(&[], "BRANCH_NAME"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "Jenkins",
        recognised: &[&[Set("JENKINS_URL")]],
        commits: &["GIT_COMMIT"],
        own_commits: &[],
        repository: Some("GIT_URL"),
        merge: MergeOf::Source,
        // GIT_BRANCH has its own rung.
        rules: &[Branch(&[], "GIT_LOCAL_BRANCH")],
        unknown: "names no branch apart from GIT_BRANCH",
    },
    Provider {
        name: "Azure DevOps",
        recognised: &[&[Is("TF_BUILD", "true")]],
        commits: &["BUILD_SOURCEVERSION", "SYSTEM_PULLREQUEST_SOURCECOMMITID"],
        own_commits: &["SYSTEM_PULLREQUEST_SOURCECOMMITID"],
        repository: Some("BUILD_REPOSITORY_URI"),
        merge: MergeOf::Source,
        rules: &[
            // BUILD_SOURCEBRANCHNAME is only the part after the last slash and is never read.
            Forbid(&[Is("SYSTEM_PULLREQUEST_ISFORK", "true")], FORK),
            PullRequest(&[], "SYSTEM_PULLREQUEST_SOURCEBRANCH"),
            Refuse(&[StartsWith("BUILD_SOURCEBRANCH", "refs/pull/")], NO_SOURCE),
            Tag(&[StartsWith("BUILD_SOURCEBRANCH", "refs/tags/")], "BUILD_SOURCEBRANCH"),
            Branch(&[StartsWith("BUILD_SOURCEBRANCH", "refs/heads/")], "BUILD_SOURCEBRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "TeamCity",
        recognised: &[&[Set("TEAMCITY_VERSION")]],
        commits: &["BUILD_VCS_NUMBER"],
        own_commits: &[],
        repository: None,
        merge: MergeOf::Source,
        rules: &[],
        unknown: "puts no branch into the environment: set env.GIT_BRANCH to %teamcity.build.branch%",
    },
    Provider {
        name: "Travis CI",
        recognised: &[&[Is("TRAVIS", "true")]],
        commits: &["TRAVIS_COMMIT", "TRAVIS_PULL_REQUEST_SHA"],
        own_commits: &["TRAVIS_PULL_REQUEST_SHA"],
        repository: Some("TRAVIS_REPO_SLUG"),
        merge: MergeOf::Source,
        rules: &[
            // TRAVIS_BRANCH is the target on pull requests and the tag on tag builds.
            Forbid(&[
                IsNot("TRAVIS_PULL_REQUEST", "false"),
                Differ("TRAVIS_PULL_REQUEST_SLUG", "TRAVIS_REPO_SLUG"),
            ], FORK),
            PullRequest(&[IsNot("TRAVIS_PULL_REQUEST", "false")], "TRAVIS_PULL_REQUEST_BRANCH"),
            Refuse(&[IsNot("TRAVIS_PULL_REQUEST", "false")], NO_SOURCE),
            Tag(&[], "TRAVIS_TAG"),
            Branch(&[], "TRAVIS_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "Woodpecker",
        recognised: &[&[Is("CI", "woodpecker")], &[Is("CI_SYSTEM_NAME", "woodpecker")]],
        commits: &["CI_COMMIT_SHA"],
        own_commits: &["CI_COMMIT_SHA"],
        repository: Some("CI_REPO"),
        merge: MergeOf::Source,
        rules: &[
            // CI_COMMIT_BRANCH is the target here; GitLab uses the same name for the source.
            PullRequest(&[StartsWith("CI_PIPELINE_EVENT", "pull_request")], "CI_COMMIT_SOURCE_BRANCH"),
            Refuse(&[StartsWith("CI_PIPELINE_EVENT", "pull_request")], NO_SOURCE),
            Tag(&[], "CI_COMMIT_TAG"),
            Branch(&[], "CI_COMMIT_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "Drone",
        recognised: &[&[Is("DRONE", "true")]],
        commits: &["DRONE_COMMIT_SHA", "DRONE_COMMIT"],
        own_commits: &["DRONE_COMMIT_SHA", "DRONE_COMMIT"],
        repository: Some("DRONE_REPO"),
        merge: MergeOf::Source,
        rules: &[
            // DRONE_BRANCH is the target on pull requests; DRONE_SOURCE_BRANCH is set on pushes too.
            PullRequest(&[Set("DRONE_PULL_REQUEST")], "DRONE_SOURCE_BRANCH"),
            PullRequest(&[Is("DRONE_BUILD_EVENT", "pull_request")], "DRONE_SOURCE_BRANCH"),
            Refuse(&[StartsWith("DRONE_COMMIT_REF", "refs/pull/")], NO_SOURCE),
            Tag(&[], "DRONE_TAG"),
            Tag(&[StartsWith("DRONE_COMMIT_REF", "refs/tags/")], "DRONE_COMMIT_REF"),
            Branch(&[], "DRONE_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "AWS CodeBuild",
        recognised: &[&[Set("CODEBUILD_BUILD_ID")]],
        commits: &["CODEBUILD_RESOLVED_SOURCE_VERSION"],
        own_commits: &["CODEBUILD_RESOLVED_SOURCE_VERSION"],
        repository: Some("CODEBUILD_SOURCE_REPO_URL"),
        merge: MergeOf::Source,
        rules: &[
            PullRequest(&[StartsWith("CODEBUILD_WEBHOOK_TRIGGER", "pr/")], "CODEBUILD_WEBHOOK_HEAD_REF"),
            Refuse(&[StartsWith("CODEBUILD_SOURCE_VERSION", "pr/")], NO_SOURCE),
            Tag(&[StartsWith("CODEBUILD_WEBHOOK_HEAD_REF", "refs/tags/")], "CODEBUILD_WEBHOOK_HEAD_REF"),
            Tag(&[StartsWith("CODEBUILD_WEBHOOK_TRIGGER", "tag/")], "CODEBUILD_WEBHOOK_TRIGGER"),
            Branch(&[StartsWith("CODEBUILD_WEBHOOK_HEAD_REF", "refs/heads/")], "CODEBUILD_WEBHOOK_HEAD_REF"),
            Branch(&[StartsWith("CODEBUILD_WEBHOOK_TRIGGER", "branch/")], "CODEBUILD_WEBHOOK_TRIGGER"),
        ],
        unknown: "names neither a branch nor a tag, as in every build without a webhook",
    },
    Provider {
        name: "Semaphore",
        recognised: &[&[Is("SEMAPHORE", "true")]],
        commits: &["SEMAPHORE_GIT_SHA", "SEMAPHORE_GIT_PR_SHA"],
        own_commits: &["SEMAPHORE_GIT_PR_SHA"],
        repository: Some("SEMAPHORE_GIT_REPO_SLUG"),
        merge: MergeOf::Source,
        rules: &[
            // SEMAPHORE_GIT_BRANCH is the target on pull requests.
            Forbid(&[
                Is("SEMAPHORE_GIT_REF_TYPE", "pull-request"),
                Differ("SEMAPHORE_GIT_PR_SLUG", "SEMAPHORE_GIT_REPO_SLUG"),
            ], FORK),
            PullRequest(&[Is("SEMAPHORE_GIT_REF_TYPE", "pull-request")], "SEMAPHORE_GIT_PR_BRANCH"),
            Refuse(&[Is("SEMAPHORE_GIT_REF_TYPE", "pull-request")], NO_SOURCE),
            Tag(&[Is("SEMAPHORE_GIT_REF_TYPE", "tag")], "SEMAPHORE_GIT_TAG_NAME"),
            Branch(&[], "SEMAPHORE_GIT_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        name: "AppVeyor",
        recognised: &[&[Is("APPVEYOR", "true")]],
        commits: &["APPVEYOR_REPO_COMMIT", "APPVEYOR_PULL_REQUEST_HEAD_COMMIT"],
        own_commits: &["APPVEYOR_PULL_REQUEST_HEAD_COMMIT"],
        repository: Some("APPVEYOR_REPO_NAME"),
        merge: MergeOf::Source,
        rules: &[
            // APPVEYOR_REPO_BRANCH is the base on pull requests.
            Forbid(&[
                Set("APPVEYOR_PULL_REQUEST_NUMBER"),
                Differ("APPVEYOR_PULL_REQUEST_HEAD_REPO_NAME", "APPVEYOR_REPO_NAME"),
            ], FORK),
            PullRequest(&[Set("APPVEYOR_PULL_REQUEST_NUMBER")], "APPVEYOR_PULL_REQUEST_HEAD_REPO_BRANCH"),
            Refuse(&[Set("APPVEYOR_PULL_REQUEST_NUMBER")], NO_SOURCE),
            Tag(&[Is("APPVEYOR_REPO_TAG", "true")], "APPVEYOR_REPO_TAG_NAME"),
            Branch(&[], "APPVEYOR_REPO_BRANCH"),
        ],
        unknown: NO_NAME,
    },
    Provider {
        // Nothing is in the environment of a step that its author didn't map there under the
        // substitution's name; these names are generic, so the row comes last.
        name: "Google Cloud Build",
        recognised: &[&[Set("TAG_NAME")], &[Set("BRANCH_NAME")], &[Set("_HEAD_BRANCH")], &[Set("_PR_NUMBER")]],
        commits: &["COMMIT_SHA", "REVISION_ID"],
        own_commits: &["COMMIT_SHA", "REVISION_ID"],
        repository: Some("REPO_FULL_NAME"),
        merge: MergeOf::Source,
        rules: &[
            Forbid(&[DifferentRepositories("_HEAD_REPO_URL", "REPO_FULL_NAME")], FORK),
            PullRequest(&[], "_HEAD_BRANCH"),
            Refuse(&[Set("_PR_NUMBER")], NO_SOURCE),
            Tag(&[], "TAG_NAME"),
            Branch(&[], "BRANCH_NAME"),
        ],
        unknown: NO_NAME,
    },
];

/// The name of the CI provider in whose build this runs, as people know it.
pub fn ci_provider(environment: &Environment) -> Option<&'static str> {
    provider(environment).map(|provider| provider.name)
}

/// The CI provider in whose build this certainly runs; empty if it is one that is not known, and says so by
/// `CI`. The generic names that Google Cloud Build is recognised by say nothing here.
pub fn ci_build(environment: &Environment) -> Option<&'static str> {
    let says_so = environment.get("CI").is_some_and(|value| {
        !["false", "0", "no"].iter().any(|word| value.eq_ignore_ascii_case(word))
    });
    let known = provider(environment).map(|provider| provider.name);
    let known = known.filter(|name| says_so || *name != "Google Cloud Build");
    known.or(says_so.then_some(""))
}

/// The provider whose build this is.
pub(super) fn provider(environment: &Environment) -> Option<&'static Provider> {
    PROVIDERS.iter().find(|provider| {
        provider.recognised.iter().any(|all| all.iter().all(|when| when.holds(environment)))
    })
}

impl Provider {
    /// The branch or tag of the build: the first rule that applies decides.
    pub(super) fn build_reference(&self, environment: &Environment) -> BuildReference {
        // As unset it would leave the word to another variable.
        let is_text = |rule: &CiRule| rule.variable().is_none_or(|name| environment.is_text(name));
        if !self.rules.iter().all(is_text) {
            return BuildReference::Refused(NOT_TEXT);
        }
        let named = self.rules.iter().find_map(|rule| rule.apply(environment));
        match named.unwrap_or(BuildReference::Unknown(self.unknown)) {
            BuildReference::Branch { name, .. }
            | BuildReference::PullRequestSource { name, .. }
                if is_of_merge_queue(&name) =>
            {
                BuildReference::Forbidden(QUEUE)
            }
            named => named,
        }
    }

    /// The commits that are built, each with the variable that names it.
    pub(super) fn commits(&self, environment: &Environment) -> Vec<(&'static str, BuiltCommit)> {
        let named = |name: &&'static str| Some((*name, BuiltCommit::of(environment.get(name)?)?));
        let mut commits: Vec<_> = self.commits.iter().filter_map(named).collect();
        // GITHUB_SHA is the merge with the target. Many jobs check out the pull request itself, and only
        // the event names its commit.
        if self.commits.contains(&"GITHUB_SHA")
            && let Some(head) = environment.get("GITHUB_EVENT_PATH").and_then(head_of_event)
        {
            commits.push(("GITHUB_EVENT_PATH", BuiltCommit::Id(head)));
        }
        commits
    }

    /// Whether a commit is named as the pull request's own. If it is a merge, the pull request made that itself.
    pub(super) fn is_own_commit(&self, environment: &Environment, commit: &CommitId) -> bool {
        let commits = self.commits(environment);
        let named = |own| commits.iter().find(|(variable, _)| variable == own);
        self.own_commits.iter().find_map(named).is_some_and(|(_, named)| named.is(commit))
    }

    /// The commit of the source branch in the merge that is built for a pull request. A merge of more than two
    /// commits is no provider's.
    pub(super) fn source_of_merge<'c>(&self, parents: &'c [CommitId]) -> Option<&'c CommitId> {
        match (parents, self.merge) {
            ([_, source], MergeOf::Source) | ([source, _], MergeOf::Target) => Some(source),
            _ => None,
        }
    }

    /// The repository that is built, and the variable that names it.
    pub(super) fn repository<'e>(
        &self,
        environment: &'e Environment,
    ) -> Option<(&'static str, &'e str)> {
        Some((self.repository?, environment.get(self.repository?)?))
    }
}

impl CiRule {
    /// The variable that names the branch or tag.
    fn variable(&self) -> Option<&'static str> {
        match self {
            Tag(_, variable) | Branch(_, variable) | PullRequest(_, variable) => Some(variable),
            Refuse(..) | Forbid(..) => None,
        }
    }

    fn apply(&self, environment: &Environment) -> Option<BuildReference> {
        let (Tag(when, text)
        | Branch(when, text)
        | PullRequest(when, text)
        | Refuse(when, text)
        | Forbid(when, text)) = self;
        if !when.iter().all(|when| when.holds(environment)) {
            return None;
        }
        let variable = text;
        let name = || environment.get(variable).map(|value| short_name(variable, value, when));
        let branch = || name().map(|name| short_branch(&name).to_owned());
        match self {
            Tag(..) => name().map(|name| BuildReference::Tag { variable, name }),
            Branch(..) => branch().map(|name| BuildReference::Branch { variable, name }),
            PullRequest(..) => {
                branch().map(|name| BuildReference::PullRequestSource { variable, name })
            }
            Refuse(..) => Some(BuildReference::Refused(text)),
            Forbid(..) => Some(BuildReference::Forbidden(text)),
        }
    }
}

/// The value without the beginning that a [`StartsWith`] condition of the rule asks for: the triggers
/// of AWS CodeBuild are `branch/x` and `tag/x`, the names `x`.
fn short_name(variable: &str, value: &str, conditions: &[Condition]) -> String {
    let prefix = conditions.iter().find_map(|when| match when {
        StartsWith(name, prefix) if *name == variable => value.strip_prefix(prefix),
        _ => None,
    });
    prefix.unwrap_or(value).to_owned()
}

/// A branch as people write it: Azure DevOps and AWS CodeBuild give its full name.
fn short_branch(branch: &str) -> &str {
    branch.strip_prefix("refs/heads/").unwrap_or(branch)
}

impl Condition {
    fn holds(&self, environment: &Environment) -> bool {
        let value = |name: &str| environment.get(name);
        match self {
            Is(name, wanted) => value(name).is_some_and(|value| value.eq_ignore_ascii_case(wanted)),
            IsNot(name, other) => {
                value(name).is_some_and(|value| !value.eq_ignore_ascii_case(other))
            }
            Set(name) => value(name).is_some(),
            StartsWith(name, prefix) => value(name).is_some_and(|value| value.starts_with(prefix)),
            Differ(one, other) => {
                value(one).zip(value(other)).is_some_and(|(one, other)| one != other)
            }
            DifferentRepositories(one, other) => value(one)
                .zip(value(other))
                .is_some_and(|(one, other)| !owner_and_name(one).eq(owner_and_name(other))),
            EventOfFork(file) => value(file).is_some_and(tells_of_fork),
        }
    }
}

/// The last two parts of a repository's address, whatever its form: `acme/flows`.
fn owner_and_name(address: &str) -> impl Iterator<Item = String> {
    // Not the host: the same repository may be named by https in one variable and by ssh in the other.
    let path = address.trim_end_matches('/').trim_end_matches(".git");
    path.rsplit(['/', ':']).take(2).map(str::to_ascii_lowercase).collect::<Vec<_>>().into_iter()
}

/// How the branches begin that merge queues make: those of GitHub, Mergify, Trunk, Graphite and Aviator
/// (docs/facts/ci-variables.md).
const MERGE_QUEUES: &[&str] = &[
    "gh-readonly-queue/",
    "mergify/merge-queue/",
    "tmp-mergify/merge-queue/",
    "trunk-merge/",
    "gtmq_",
    "mq-bot-",
    "mq-tmp-",
];

/// Whether a merge queue made the branch, which is gone after the build.
pub fn is_of_merge_queue(branch: &str) -> bool {
    let branch = short_branch(branch);
    MERGE_QUEUES.iter().any(|prefix| branch.starts_with(prefix))
}
