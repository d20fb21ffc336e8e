//! The ladder: finds out which branch or tag is meant, from flags over environment variables and
//! HEAD down to the names that point at a detached HEAD.
//!
//! Whether the name exists, and at which commit, is not asked here: [`super::name_resolver`] does
//! that. The first rung that has a value decides. A value that can't be right is an error and not
//! skipped, because the next rung's guess could run other code in production.

use super::build::Build;
use super::ci::{self, BuildReference};
use super::operation::Operation;
use super::pull_request::PullRequestBuild;
use super::refs::{Head, Refs};
use super::request::{ReferenceRequest, Rung, RungOutcome};
use super::{ReferenceError, jenkins};
use flowreg_model::{
    BranchName, CommitId, Environment, NameError, ReferenceSource, RemoteName, TagName, escaped,
};

/// The answer of one rung.
pub(super) enum RungAnswer {
    /// It has no value; the reason, where there is one to tell.
    Unset(Option<String>),
    /// It has a value that is known to be no branch or tag.
    Skipped { value: String, reason: String },
    /// It decides; the notice is about what a rung below would have said.
    Taken { value: String, candidate: Candidate, notice: Option<String> },
    /// It has a value that can't be right.
    Refused { value: Option<String>, error: ReferenceError },
}

impl RungAnswer {
    /// The same, with the commit of HEAD if the name was found by it.
    pub(super) fn found_by(mut self, commit: Option<CommitId>) -> Self {
        if let Self::Taken { candidate, .. } = &mut self {
            candidate.head = commit;
        }
        self
    }

    /// The same, with a notice if it decides.
    pub(super) fn with_notice(mut self, text: String) -> Self {
        if let Self::Taken { notice, .. } = &mut self {
            *notice = Some(text);
        }
        self
    }

    /// Refuses the branch of a merge queue, which is gone after the build: whoever names it, a provider or
    /// not, but for the option, by which people say that the branch is one of theirs.
    fn without_merge_queue(self) -> Self {
        let Self::Taken { value, candidate, .. } = &self else { return self };
        let Some(branch) = candidate.merge_queue_branch() else { return self };
        let (from, branch) = (candidate.detail.clone(), branch.clone());
        Self::Refused {
            value: Some(value.clone()),
            error: ReferenceError::MergeQueue { from, branch },
        }
    }
}

/// The name that a rung decided for.
pub(super) struct Candidate {
    pub(super) name: CandidateName,
    pub(super) source: ReferenceSource,
    /// The flag or the variable.
    pub(super) detail: String,
    /// The commit of HEAD, if it is what the name was found by: a CI job is for the commit that it has
    /// checked out, and the branch may have moved on since.
    pub(super) head: Option<CommitId>,
}

impl Candidate {
    /// The branch that it names, in any reading of the value, if a merge queue made it and no option names it.
    fn merge_queue_branch(&self) -> Option<&BranchName> {
        let CandidateName::Branch(branch) = &self.name else { return None };
        let of_remote = branch.of_remote.as_ref().map(|(_, name)| name);
        let mut readings = of_remote.into_iter().chain([&branch.name]);
        readings.find(|name| {
            self.source != ReferenceSource::Flag && ci::is_of_merge_queue(name.as_str())
        })
    }
}

/// A branch or a tag whose existence is not certain yet.
pub(super) enum CandidateName {
    Tag(TagName),
    Branch(CandidateBranch),
}

/// A branch, as far as its name alone tells.
pub(super) struct CandidateBranch {
    pub(super) name: BranchName,
    /// The other reading of `origin/x`: the branch `x` of the remote `origin`.
    pub(super) of_remote: Option<(RemoteName, BranchName)>,
    /// The build, if this is the source branch of the pull request that it is of.
    pub(super) pull_request: Option<PullRequestBuild>,
}

impl CandidateBranch {
    pub(super) fn named(name: BranchName) -> Self {
        Self { name, of_remote: None, pull_request: None }
    }
}

/// What the rungs read.
pub(super) struct Ladder<'a> {
    pub(super) refs: &'a Refs,
    pub(super) environment: &'a Environment,
    pub(super) request: &'a ReferenceRequest,
    /// All configured remotes.
    pub(super) remotes: &'a [RemoteName],
    /// The one that workers clone from.
    pub(super) remote: Option<&'a RemoteName>,
    /// Its URL.
    pub(super) remote_url: Option<&'a str>,
}

/// The name that the ladder led to, and what became of each rung.
pub(super) struct LadderResult {
    pub(super) rungs: Vec<Rung>,
    pub(super) candidate: Result<Candidate, ReferenceError>,
    pub(super) notices: Vec<String>,
}

type ReadRung = fn(&Ladder<'_>) -> RungAnswer;

/// The rung of the CI provider.
const CI: &str = "CI";

const RUNGS: [(&str, ReadRung); 7] = [
    ("--tag", |ladder| ladder.tag_flag()),
    ("--branch", |ladder| ladder.branch_flag()),
    ("BUILD_TAG", |ladder| ladder.build_tag()),
    ("GIT_BRANCH", |ladder| ladder.git_branch()),
    ("active branch", |ladder| ladder.active_branch()),
    (CI, |ladder| ladder.ci()),
    ("git", |ladder| ladder.git()),
];

impl Ladder<'_> {
    /// Reads the rungs from the top until one decides.
    pub(super) fn climb(&self) -> LadderResult {
        let (mut rungs, mut notices, mut decision) = (Vec::new(), Vec::new(), None);
        for (rung, read) in RUNGS {
            let entry = |outcome, value, reason| Rung { rung, value, outcome, reason };
            if decision.is_some() {
                rungs.push(entry(RungOutcome::NotReached, None, None));
                continue;
            }
            rungs.push(match read(self).without_merge_queue() {
                RungAnswer::Unset(reason) => entry(RungOutcome::Unset, None, reason),
                RungAnswer::Skipped { value, reason } => {
                    notices.push(skipped(rung, &value, &reason));
                    entry(RungOutcome::Skipped, Some(value), Some(reason))
                }
                RungAnswer::Taken { value, candidate, notice } => {
                    notices.extend(notice);
                    let detail = candidate.detail.clone();
                    let reason = (detail != rung).then_some(detail);
                    decision = Some(Ok(candidate));
                    entry(RungOutcome::Taken, Some(value), reason)
                }
                RungAnswer::Refused { value, error } => {
                    let reason = error.to_string();
                    decision = Some(Err(error));
                    entry(RungOutcome::Refused, value, Some(reason))
                }
            });
            log(rungs.last());
        }
        // Not reached: the last rung either takes a name or refuses.
        let candidate = decision.unwrap_or(Err(ReferenceError::NoRemote));
        LadderResult { rungs, candidate, notices }
    }

    fn tag_flag(&self) -> RungAnswer {
        let Some(value) = &self.request.tag else { return RungAnswer::Unset(None) };
        if self.request.branch.is_some() {
            return RungAnswer::Refused {
                value: Some(value.clone()),
                error: ReferenceError::TagAndBranch,
            };
        }
        tag(value, ReferenceSource::Flag, "--tag")
    }

    fn branch_flag(&self) -> RungAnswer {
        let Some(value) = &self.request.branch else { return RungAnswer::Unset(None) };
        branch(value, ReferenceSource::Flag, "--branch", CandidateBranch::named)
    }

    /// The value of a variable that has a rung of its own.
    pub(super) fn variable(&self, name: &str) -> Result<Option<&str>, ReferenceError> {
        match self.environment.os(name).filter(|value| value.to_str().is_none()) {
            Some(value) => Err(ReferenceError::InvalidName {
                from: name.to_owned(),
                error: NameError::not_text(value.as_encoded_bytes()),
            }),
            None => Ok(self.environment.get(name)),
        }
    }

    fn build_tag(&self) -> RungAnswer {
        let value = match self.variable("BUILD_TAG") {
            Ok(Some(value)) => value,
            Ok(None) => return RungAnswer::Unset(None),
            Err(error) => return RungAnswer::Refused { value: None, error },
        };
        match jenkins::reason_against_tag(value, self.environment) {
            Some(reason) => RungAnswer::Skipped { value: value.to_owned(), reason },
            None => tag(value, ReferenceSource::BuildTag, "BUILD_TAG"),
        }
    }

    fn active_branch(&self) -> RungAnswer {
        let refused = |value, error| RungAnswer::Refused { value, error };
        match self.refs.head() {
            Ok(Head::Branch(name)) => match self.build() {
                Ok(Some(build)) => self.active_in_build(name, &build),
                Ok(None) => self.active(name, None, None),
                Err(error) => refused(Some(name.to_string()), error),
            },
            Ok(Head::Unborn(branch)) => {
                refused(Some(branch.clone()), ReferenceError::UnbornHead { branch })
            }
            // `--strict` is for people who want no guess: only flags, variables and the active branch.
            Ok(Head::Detached(commit)) if self.request.strict => {
                let error = self.in_progress(&commit).map_or_else(|| self.detached(commit), Ok);
                refused(None, error.unwrap_or_else(|error| error))
            }
            Ok(Head::Detached(commit)) => {
                RungAnswer::Unset(Some(format!("HEAD is detached at {}", commit.short())))
            }
            Err(error) => refused(None, error),
        }
    }

    /// The active branch in the build of a CI provider.
    fn active_in_build(&self, name: BranchName, build: &Build) -> RungAnswer {
        match instead_of_active(build, &name) {
            // Only the provider could say what is meant, and it is not asked.
            Some(_) if self.request.strict => {
                let reason = format!(
                    "{name} is active and not what is built, and --strict looks no further"
                );
                let error = ReferenceError::Ci { provider: build.provider.name, reason };
                RungAnswer::Refused { value: Some(name.to_string()), error }
            }
            Some(answer) => answer,
            None => {
                let notice = passed_over(build, &name);
                let head = build.head_of(name.as_str());
                self.active(name, notice, head)
            }
        }
    }

    /// The answer of the active branch where it decides. In a job it stands for the commit of HEAD, whatever
    /// the provider names; `head`: the same, where only the provider's word says that this is a job.
    fn active(
        &self,
        name: BranchName,
        notice: Option<String>,
        head: Option<CommitId>,
    ) -> RungAnswer {
        let value = name.to_string();
        let head_of_job = match self.head_of_job() {
            Ok(head_of_job) => head_of_job,
            Err(error) => return RungAnswer::Refused { value: Some(value), error },
        };
        let candidate = Candidate {
            name: CandidateName::Branch(CandidateBranch::named(name)),
            source: ReferenceSource::ActiveBranch,
            detail: "active branch".to_owned(),
            head: head_of_job.or(head),
        };
        RungAnswer::Taken { value, candidate, notice }
    }

    fn ci(&self) -> RungAnswer {
        let build = match self.build() {
            Ok(Some(build)) => build,
            Ok(None) => return RungAnswer::Unset(Some("no provider was recognised".to_owned())),
            Err(error) => return RungAnswer::Refused { value: None, error },
        };
        if let (Some(value), Some(reason)) = (build.value(), build.reason_to_skip()) {
            return RungAnswer::Skipped { value: value.to_owned(), reason: reason.to_owned() };
        }
        let pull_request = build.pull_request(self.environment);
        let Build { provider, reference, head, .. } = build;
        let by = |variable| format!("{variable} ({})", provider.name);
        match reference {
            BuildReference::Tag { variable, name } => {
                tag(&name, ReferenceSource::Ci, &by(variable)).found_by(head)
            }
            // HEAD is a commit of that branch, also where a shallow checkout made neither a local nor a
            // tracking branch for it.
            BuildReference::Branch { variable, name } => {
                let from = by(variable);
                branch(&name, ReferenceSource::Ci, &from, CandidateBranch::named).found_by(head)
            }
            BuildReference::PullRequestSource { variable, name } => {
                // HEAD says nothing about the source branch: it may be a merge with the target.
                let candidate = |name| CandidateBranch {
                    pull_request: Some(pull_request),
                    ..CandidateBranch::named(name)
                };
                branch(&name, ReferenceSource::Ci, &by(variable), candidate)
            }
            BuildReference::Refused(reason) | BuildReference::Forbidden(reason) => {
                RungAnswer::Refused {
                    value: None,
                    error: ReferenceError::Ci {
                        provider: provider.name,
                        reason: reason.to_owned(),
                    },
                }
            }
            BuildReference::Unknown(reason) => {
                RungAnswer::Unset(Some(format!("{} {reason}", provider.name)))
            }
        }
    }

    /// The error for a HEAD that git itself has detached for a while: a rebase puts it at the branch or
    /// tag that it goes to, a bisect at one release after the other.
    pub(super) fn in_progress(&self, commit: &CommitId) -> Option<ReferenceError> {
        let operation = self.refs.operation().filter(Operation::detaches)?;
        let operation = Box::new(operation);
        Some(ReferenceError::InProgress { commit: commit.clone(), operation })
    }
}

/// The error for a value that somebody meant to be replaced: `$(releaseTag)` of Azure, `${TAG}`, `{{ tag }}`; and for
/// the words by which other programs say that there is none. Its builds would go on as something else.
pub(super) fn not_filled_in(from: &str, value: &str) -> Option<ReferenceError> {
    let text = value.trim();
    let is_between = |(start, end): &(&str, &str)| {
        text.split_once(start).is_some_and(|(_, rest)| rest.contains(end))
    };
    let forms = [("$(", ")"), ("${", "}"), ("{{", "}}"), ("<%", "%>"), ("#{", "}")];
    let is_variable = forms.iter().any(is_between)
        || (text.len() > 2 && text.starts_with('%') && text.ends_with('%'))
        || (text.len() > 2 && text.starts_with('<') && text.ends_with('>'))
        || text.strip_prefix('$').is_some_and(|name| name.starts_with(char::is_alphabetic));
    let words = ["null", "none", "nil", "undefined", "unset", "false", "n/a", "0"];
    let what = if is_variable {
        "which looks like a variable that was not filled in"
    } else if words.iter().any(|word| text.eq_ignore_ascii_case(word)) {
        "which is another program's word for nothing"
    } else {
        return None;
    };
    let (from, value) = (from.to_owned(), value.to_owned());
    Some(ReferenceError::NotFilledIn { from, value, what })
}

/// The answer of the active branch where it does not decide: the checkout of a pull request or a tag may leave
/// the target branch, or one of the build's own, active; and a branch of the pull request's very name may be
/// a fork's, so the rules for pull requests have to hold for it.
fn instead_of_active(build: &Build, active: &BranchName) -> Option<RungAnswer> {
    let provider = build.provider.name;
    if build.reason_to_skip().is_some() {
        return None;
    }
    let reason = match &build.reference {
        BuildReference::Forbidden(reason) => format!("{provider} builds it, and {reason}"),
        BuildReference::Refused(reason) => format!("{provider}: {reason}"),
        BuildReference::PullRequestSource { name, .. } => {
            let reason = format!("{provider} builds a pull request of {name}");
            if name == active.as_str() {
                // The rung of the provider names the same branch: nothing to tell.
                return Some(RungAnswer::Unset(Some(reason)));
            }
            reason
        }
        BuildReference::Tag { name, .. } => format!("{provider} builds the tag {name}"),
        BuildReference::Branch { .. } | BuildReference::Unknown(_) => return None,
    };
    Some(RungAnswer::Skipped { value: active.to_string(), reason })
}

/// The notice of a provider that speaks of something else than HEAD, where the active branch decides.
fn passed_over(build: &Build, active: &BranchName) -> Option<String> {
    let value = build.value().filter(|value| *value != active.as_str())?;
    Some(skipped(CI, value, build.reason_to_skip()?))
}

/// The notice of a value that is known to be no branch or tag of HEAD.
fn skipped(rung: &str, value: &str, reason: &str) -> String {
    format!("{rung} is `{value}`, which is skipped: {reason}")
}

/// Writes what became of a rung to the debug log.
fn log(rung: Option<&Rung>) {
    let Some(Rung { rung, value, outcome, reason }) = rung else { return };
    tracing::debug!(
        rung,
        value = value.as_ref().map(escaped),
        ?outcome,
        reason = reason.as_ref().map(escaped),
        "reference ladder"
    );
}

pub(super) fn tag(value: &str, source: ReferenceSource, from: &str) -> RungAnswer {
    named(value, source, from, value.trim().parse().map(CandidateName::Tag))
}

pub(super) fn branch(
    value: &str,
    source: ReferenceSource,
    from: &str,
    candidate: impl FnOnce(BranchName) -> CandidateBranch,
) -> RungAnswer {
    named(value, source, from, value.trim().parse().map(candidate).map(CandidateName::Branch))
}

fn named(
    value: &str,
    source: ReferenceSource,
    from: &str,
    name: Result<CandidateName, NameError>,
) -> RungAnswer {
    let detail = from.to_owned();
    // Whoever types a name may mean a branch or tag that is called so. If there is none, it is said then.
    let is_typed = source == ReferenceSource::Flag && name.is_ok();
    let placeholder = not_filled_in(from, value).filter(|_| !is_typed).map_or(Ok(()), Err);
    let invalid = |error| ReferenceError::InvalidName { from: from.to_owned(), error };
    match placeholder.and_then(|()| name.map_err(invalid)) {
        Ok(name) => RungAnswer::Taken {
            value: value.to_owned(),
            candidate: Candidate { name, source, detail, head: None },
            notice: None,
        },
        Err(error) => RungAnswer::Refused { value: Some(value.to_owned()), error },
    }
}
