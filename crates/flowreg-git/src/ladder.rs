//! The ladder: from flags over variables and HEAD down to what git itself can tell.
//!
//! Finds out which name is meant, not yet whether it is there: that is asked once the name is
//! known, together with the remote. The first rung that has a value decides; a value that can't
//! be right ends the climb, as a wrong guess runs other code in production.

use super::ci::{self, Told};
use super::refs::{Head, Refs};
use super::request::{ReferenceRequest, Rung, RungOutcome};
use super::{ReferenceError, jenkins};
use flowreg_model::{
    BranchName, CommitId, Environment, NameError, ReferenceSource, RemoteName, TagName,
};

/// What a rung says.
pub(super) enum Step {
    Unset(Option<String>),
    Skipped { value: String, reason: String },
    Taken { value: String, candidate: Candidate },
    Refused { value: Option<String>, error: ReferenceError },
}

/// The name that a rung decided for.
pub(super) struct Candidate {
    pub(super) wanted: Wanted,
    pub(super) source: ReferenceSource,
    /// The flag or the variable.
    pub(super) detail: String,
}

pub(super) enum Wanted {
    Tag(TagName),
    Branch(WantedBranch),
}

/// A branch, as far as its name alone tells.
pub(super) struct WantedBranch {
    pub(super) name: BranchName,
    /// The other reading of `origin/x`: the branch `x` of the remote `origin`.
    pub(super) of_remote: Option<(RemoteName, BranchName)>,
    /// HEAD, if it is known to be a commit of the branch.
    pub(super) built: Option<CommitId>,
    /// The provider, if this is the source branch of a pull request.
    pub(super) pull_request: Option<&'static str>,
}

impl WantedBranch {
    fn named(name: BranchName) -> Self {
        Self { name, of_remote: None, built: None, pull_request: None }
    }
}

/// What the climb needs to know.
pub(super) struct Ladder<'a> {
    pub(super) refs: &'a Refs,
    pub(super) environment: &'a Environment,
    pub(super) request: &'a ReferenceRequest,
    /// All configured remotes.
    pub(super) remotes: &'a [RemoteName],
    /// The one that workers clone from.
    pub(super) remote: Option<&'a RemoteName>,
}

/// The whole ladder, and what was found on it.
pub(super) struct Climb {
    pub(super) rungs: Vec<Rung>,
    pub(super) candidate: Result<Candidate, ReferenceError>,
    pub(super) notices: Vec<String>,
}

type Look = fn(&Ladder<'_>) -> Step;

const RUNGS: [(&str, Look); 7] = [
    ("--tag", |ladder| ladder.tag_flag()),
    ("--branch", |ladder| ladder.branch_flag()),
    ("BUILD_TAG", |ladder| ladder.build_tag()),
    ("GIT_BRANCH", |ladder| ladder.git_branch()),
    ("active branch", |ladder| ladder.active_branch()),
    ("CI", |ladder| ladder.ci()),
    ("git", |ladder| ladder.git()),
];

impl Ladder<'_> {
    /// Climbs down until a rung decides.
    pub(super) fn climb(&self) -> Climb {
        let (mut rungs, mut notices, mut decision) = (Vec::new(), Vec::new(), None);
        for (rung, look) in RUNGS {
            let entry = |outcome, value, reason| Rung { rung, value, outcome, reason };
            if decision.is_some() {
                rungs.push(entry(RungOutcome::NotReached, None, None));
                continue;
            }
            rungs.push(match look(self) {
                Step::Unset(reason) => entry(RungOutcome::Unset, None, reason),
                Step::Skipped { value, reason } => {
                    notices.push(format!("{rung} is `{value}`, which is skipped: {reason}"));
                    entry(RungOutcome::Skipped, Some(value), Some(reason))
                }
                Step::Taken { value, candidate } => {
                    let detail = candidate.detail.clone();
                    let reason = (detail != rung).then_some(detail);
                    decision = Some(Ok(candidate));
                    entry(RungOutcome::Taken, Some(value), reason)
                }
                Step::Refused { value, error } => {
                    let reason = error.to_string();
                    decision = Some(Err(error));
                    entry(RungOutcome::Refused, value, Some(reason))
                }
            });
        }
        // The last rung always decides, one way or the other.
        let candidate = decision.unwrap_or(Err(ReferenceError::NoRemote));
        Climb { rungs, candidate, notices }
    }

    fn tag_flag(&self) -> Step {
        let Some(value) = &self.request.tag else { return Step::Unset(None) };
        if self.request.branch.is_some() {
            return Step::Refused {
                value: Some(value.clone()),
                error: ReferenceError::TagAndBranch,
            };
        }
        tag(value, ReferenceSource::Flag, "--tag")
    }

    fn branch_flag(&self) -> Step {
        let Some(value) = &self.request.branch else { return Step::Unset(None) };
        branch(value, ReferenceSource::Flag, "--branch", WantedBranch::named)
    }

    fn build_tag(&self) -> Step {
        let Some(value) = self.environment.get("BUILD_TAG") else { return Step::Unset(None) };
        match jenkins::reason_against_tag(value, self.environment) {
            Some(reason) => Step::Skipped { value: value.to_owned(), reason },
            None => tag(value, ReferenceSource::BuildTag, "BUILD_TAG"),
        }
    }

    fn git_branch(&self) -> Step {
        let Some(value) = self.environment.get("GIT_BRANCH") else { return Step::Unset(None) };
        if let Some(reason) = jenkins::reason_against_branch(value, self.environment) {
            return Step::Skipped { value: value.to_owned(), reason };
        }
        let short = value.strip_prefix("refs/remotes/").unwrap_or(value);
        let of_remote = self.of_remote(short);
        let wanted = |name| WantedBranch { of_remote, ..WantedBranch::named(name) };
        branch(short, ReferenceSource::GitBranch, "GIT_BRANCH", wanted)
    }

    /// `origin/x` as the branch `x` of `origin`, if there is such a remote. A remote's name may
    /// contain slashes itself. Who writes `refs/heads/origin/x` means that very branch.
    fn of_remote(&self, value: &str) -> Option<(RemoteName, BranchName)> {
        self.remotes.iter().find_map(|remote| {
            let rest = value.strip_prefix(remote.as_str())?.strip_prefix('/')?;
            Some((remote.clone(), rest.parse().ok()?))
        })
    }

    fn active_branch(&self) -> Step {
        let refused = |value, error| Step::Refused { value, error };
        match self.refs.head() {
            Ok(Head::Branch(name)) => Step::Taken {
                value: name.to_string(),
                candidate: Candidate {
                    wanted: Wanted::Branch(WantedBranch::named(name)),
                    source: ReferenceSource::ActiveBranch,
                    detail: "active branch".to_owned(),
                },
            },
            Ok(Head::Unborn(branch)) => {
                refused(Some(branch.clone()), ReferenceError::UnbornHead { branch })
            }
            Ok(Head::Detached(commit)) if self.request.strict => {
                refused(None, ReferenceError::DetachedHead { commit })
            }
            Ok(Head::Detached(commit)) => {
                Step::Unset(Some(format!("HEAD is detached at {}", commit.short())))
            }
            Err(error) => refused(None, error),
        }
    }

    fn ci(&self) -> Step {
        let Some(provider) = ci::provider(self.environment) else {
            return Step::Unset(Some("no provider was recognised".to_owned()));
        };
        let by = |variable| format!("{variable} ({})", provider.name);
        let built = || match self.refs.head() {
            Ok(Head::Detached(commit)) => Some(commit),
            _ => None,
        };
        match provider.tell(self.environment) {
            Told::Tag { variable, name } => tag(&name, ReferenceSource::Ci, &by(variable)),
            Told::Branch { variable, name } => {
                let wanted = |name| WantedBranch { built: built(), ..WantedBranch::named(name) };
                branch(&name, ReferenceSource::Ci, &by(variable), wanted)
            }
            Told::Source { variable, name } => {
                let pull_request = Some(provider.name);
                let wanted = |name| WantedBranch { pull_request, ..WantedBranch::named(name) };
                branch(&name, ReferenceSource::Ci, &by(variable), wanted)
            }
            Told::Refused(reason) => Step::Refused {
                value: None,
                error: ReferenceError::Ci { provider: provider.name, reason: reason.to_owned() },
            },
            Told::Nothing(reason) => Step::Unset(Some(format!("{} {reason}", provider.name))),
        }
    }

    fn git(&self) -> Step {
        match self.pointing_at_head() {
            Ok((value, candidate)) => Step::Taken { value, candidate },
            Err(error) => Step::Refused { value: None, error },
        }
    }

    /// The one tag, else the one branch of the remote, that points at a detached HEAD.
    fn pointing_at_head(&self) -> Result<(String, Candidate), ReferenceError> {
        let commit = match self.refs.head()? {
            Head::Detached(commit) => commit,
            Head::Branch(branch) => {
                return Ok(git_candidate(Wanted::Branch(WantedBranch::named(branch))));
            }
            Head::Unborn(branch) => return Err(ReferenceError::UnbornHead { branch }),
        };
        let tags = self.refs.tags_at(&commit)?;
        if let [tag] = tags.as_slice() {
            return Ok(git_candidate(Wanted::Tag(tag.clone())));
        }
        let branches = match self.remote {
            Some(remote) if tags.is_empty() => self.refs.tracking_at(remote, &commit)?,
            _ => Vec::new(),
        };
        match branches.as_slice() {
            [branch] => Ok(git_candidate(Wanted::Branch(WantedBranch::named(branch.clone())))),
            _ => Err(ReferenceError::Undecided { commit, tags, branches }),
        }
    }
}

fn git_candidate(wanted: Wanted) -> (String, Candidate) {
    let (value, detail) = match &wanted {
        Wanted::Tag(tag) => (tag.to_string(), "the tag at HEAD"),
        Wanted::Branch(branch) => (branch.name.to_string(), "the remote branch at HEAD"),
    };
    (value, Candidate { wanted, source: ReferenceSource::Git, detail: detail.to_owned() })
}

fn tag(value: &str, source: ReferenceSource, from: &str) -> Step {
    named(value, source, from, value.trim().parse().map(Wanted::Tag))
}

fn branch(
    value: &str,
    source: ReferenceSource,
    from: &str,
    wanted: impl FnOnce(BranchName) -> WantedBranch,
) -> Step {
    named(value, source, from, value.trim().parse().map(wanted).map(Wanted::Branch))
}

fn named(
    value: &str,
    source: ReferenceSource,
    from: &str,
    wanted: Result<Wanted, NameError>,
) -> Step {
    let detail = from.to_owned();
    match wanted {
        Ok(wanted) => {
            Step::Taken { value: value.to_owned(), candidate: Candidate { wanted, source, detail } }
        }
        Err(error) => Step::Refused {
            value: Some(value.to_owned()),
            error: ReferenceError::InvalidName { from: detail, error },
        },
    }
}
