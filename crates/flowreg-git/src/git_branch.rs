//! The rung of `GIT_BRANCH`: which branch, or which tag, its value is.
//!
//! People set it, and so do providers for which it may be all that tells what is built. What they
//! put there is not always a branch.

use super::ReferenceError;
use super::build::Build;
use super::jenkins;
use super::ladder::{CandidateBranch, Ladder, RungAnswer, branch, not_filled_in, tag};
use super::refs::Head;
use flowreg_model::{BranchName, CommitId, ReferenceSource, RemoteName};

const GIT_BRANCH: &str = "GIT_BRANCH";

/// What HEAD is of the branch that is named.
enum HeadOfJob {
    /// A job has checked it out for that branch.
    InBranch(CommitId),
    /// It is that of a job, and not in the branch.
    Outside(CommitId),
    /// It is not that of a job, or nothing tells.
    Unknown,
}

/// What a value is.
enum Named<'v> {
    Tag(&'v str),
    /// A branch, as its full name says.
    Branch(&'v str),
    /// A branch; `origin/x` may be one of a remote.
    MayBeOfRemote(&'v str),
}

impl Ladder<'_> {
    pub(super) fn git_branch(&self) -> RungAnswer {
        let value = match self.variable(GIT_BRANCH) {
            Ok(Some(value)) => value,
            Ok(None) => return RungAnswer::Unset(None),
            Err(error) => return RungAnswer::Refused { value: None, error },
        };
        if let Some(error) = not_filled_in(GIT_BRANCH, value) {
            return RungAnswer::Refused { value: Some(value.to_owned()), error };
        }
        let skipped = |reason| RungAnswer::Skipped { value: value.to_owned(), reason };
        if let Some(reason) = jenkins::reason_against_branch(value, self.environment) {
            return skipped(reason);
        }
        match self.name_for_head(value.trim()) {
            Ok(None) => {}
            Ok(Some(reason)) => return skipped(reason.to_owned()),
            Err(error) => return RungAnswer::Refused { value: Some(value.to_owned()), error },
        }
        let build = match self.build() {
            Ok(build) => build,
            Err(error) => return RungAnswer::Refused { value: Some(value.to_owned()), error },
        };
        let build = build.as_ref();
        if build.and_then(Build::forbidden).is_none()
            && let Some(reason) = self.set_for_another_commit(build)
        {
            return skipped(reason);
        }
        self.named_by(value.trim(), build)
            .unwrap_or_else(|error| RungAnswer::Refused { value: Some(value.to_owned()), error })
    }

    /// Why a value that the provider set says nothing about HEAD: the job has checked out another commit
    /// since, as a roll-back does.
    fn set_for_another_commit(&self, build: Option<&Build>) -> Option<String> {
        let is_set_by_it = ["JENKINS_URL", "TEAMCITY_VERSION"];
        is_set_by_it.iter().find_map(|name| self.environment.get(name))?;
        Some(build?.elsewhere.as_ref()?.reason().to_owned())
    }

    fn named_by(&self, value: &str, build: Option<&Build>) -> Result<RungAnswer, ReferenceError> {
        let named = self.named(value)?;
        let (Named::Tag(name) | Named::Branch(name) | Named::MayBeOfRemote(name)) = named;
        let of_remote = match named {
            Named::MayBeOfRemote(name) => self.of_remote(name)?,
            Named::Tag(_) | Named::Branch(_) => None,
        };
        let mut names = vec![name];
        names.extend(of_remote.iter().map(|(_, name)| name.as_str()));
        refuse_forbidden(build)?;
        if let Named::Tag(name) = named {
            let is_built = build.filter(|build| build.is_told_by_git_branch(self.environment));
            let head = is_built.and_then(|build| build.head.clone());
            return Ok(tag(name, ReferenceSource::GitBranch, GIT_BRANCH).found_by(head));
        }
        let build_of_pull_request = build.filter(|build| build.is_of_pull_request(&names));
        let head = if build_of_pull_request.is_some() {
            // It may be a merge with the target.
            HeadOfJob::Unknown
        } else {
            // Jenkins puts the remote before every name of a branch, so that any other name is none.
            let is_jenkins = self.environment.get("JENKINS_URL").is_some();
            let is_branch = matches!(named, Named::Branch(_)) || of_remote.is_some() || !is_jenkins;
            self.head_of_git_branch(&names, is_branch, build)?
        };
        let pull_request = build_of_pull_request.map(|build| build.pull_request(self.environment));
        let candidate = |name| CandidateBranch { name, of_remote, pull_request };
        let answer = branch(name, ReferenceSource::GitBranch, GIT_BRANCH, candidate);
        Ok(match head {
            HeadOfJob::InBranch(head) => answer.found_by(Some(head)),
            HeadOfJob::Outside(head) => answer.with_notice(format!(
                "HEAD ({}) is not in the branch that {GIT_BRANCH} names ({value}); what the branch has is registered",
                head.short()
            )),
            HeadOfJob::Unknown => answer,
        })
    }

    /// What a value is, as git reads names: `refs/tags/x` and `tags/x` are a tag, `remotes/origin/x` is the
    /// branch `x` of `origin`, and so on, if no branch has the whole as its name.
    fn named<'v>(&self, value: &'v str) -> Result<Named<'v>, ReferenceError> {
        let full = value.strip_prefix("refs/");
        let short = full.unwrap_or(value);
        if full.is_none() && self.is_branch_here(value)? {
            return Ok(Named::MayBeOfRemote(value));
        }
        if let Some(name) = short.strip_prefix("tags/") {
            return Ok(Named::Tag(name));
        }
        if let Some(name) = short.strip_prefix("heads/") {
            return Ok(Named::Branch(name));
        }
        let of_remote = short.strip_prefix("remotes/");
        let of_remote =
            of_remote.filter(|name| full.is_some() || self.after_remote(name).is_some());
        let what = match of_remote {
            Some(name) => return self.named_of_remote(name),
            None if full.is_some() => "which is no branch that workers could clone",
            None if value.parse::<CommitId>().is_ok() => {
                "which is the id of a commit, and no branch"
            }
            None => return self.named_of_remote(value),
        };
        let (from, value) = (GIT_BRANCH.to_owned(), value.to_owned());
        Err(ReferenceError::NotABranch { from, value, what })
    }

    /// `origin/tags/x` is the tag `x`, if `origin` has no branch of that name.
    fn named_of_remote<'v>(&self, value: &'v str) -> Result<Named<'v>, ReferenceError> {
        if let Some((remote, rest)) = self.after_remote(value)
            && let Some(tag) = rest.strip_prefix("refs/").unwrap_or(rest).strip_prefix("tags/")
            && !self.is_fetched(remote, rest)?
        {
            return Ok(Named::Tag(tag));
        }
        Ok(Named::MayBeOfRemote(value))
    }

    /// `origin/x` as the branch `x` of `origin`, if there is such a remote; the git plugin of
    /// Jenkins sets `GIT_BRANCH` so (docs/facts/ci-variables.md, trap 2).
    ///
    /// A job that puts the remote before what has it already, or before a full name, means that branch as well,
    /// unless there is one of the whole name.
    fn of_remote(&self, value: &str) -> Result<Option<(RemoteName, BranchName)>, ReferenceError> {
        let Some((remote, mut rest)) = self.after_remote(value) else { return Ok(None) };
        if !self.is_fetched(remote, rest)? {
            let short = rest.strip_prefix("refs/").unwrap_or(rest);
            let branch = short.strip_prefix("heads/");
            let again = || rest.strip_prefix(remote.as_str())?.strip_prefix('/');
            rest = branch.or_else(again).unwrap_or(rest);
        }
        Ok(rest.parse().ok().map(|branch| (remote.clone(), branch)))
    }

    /// A remote, and what stands behind its name.
    ///
    /// All remotes are tried, because the name of a remote may contain slashes itself.
    fn after_remote<'v>(&self, value: &'v str) -> Option<(&RemoteName, &'v str)> {
        self.remotes.iter().find_map(|remote| {
            let rest = value.strip_prefix(remote.as_str())?.strip_prefix('/')?;
            Some((remote, rest))
        })
    }

    /// Whether a remote's branch of this very name was fetched.
    fn is_fetched(&self, remote: &RemoteName, name: &str) -> Result<bool, ReferenceError> {
        let Ok(branch) = name.parse::<BranchName>() else { return Ok(false) };
        Ok(self.refs.tracking(remote, &branch)?.is_some())
    }

    /// Why a value is no branch that is one of git's names for HEAD, for a remote's HEAD or for another commit
    /// (gitrevisions(7)); `None` if it is none of them, or a branch is called so.
    fn name_for_head(&self, value: &str) -> Result<Option<&'static str>, ReferenceError> {
        let short = value.strip_prefix("refs/").unwrap_or(value);
        let short = short.strip_prefix("remotes/").unwrap_or(short);
        let (remote, name) = match self.after_remote(short) {
            Some((remote, name)) => (Some(remote), name),
            None => (None, short),
        };
        let is_pseudo_ref = name.ends_with("HEAD")
            && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        if !is_pseudo_ref || self.is_branch_here(value)? {
            return Ok(None);
        }
        Ok(match remote {
            Some(_) if name == "HEAD" => {
                Some("it stands for whichever branch the remote has as its default")
            }
            Some(remote) if self.is_fetched(remote, name)? => None,
            _ => Some("it is git's own name for a commit, and no branch"),
        })
    }

    /// Whether a job has checked out HEAD for the branch that is named. Two readings of the value may have to be
    /// tried.
    ///
    /// People set the variable as well, for a branch that HEAD is not in. `is_branch`: the value is certainly that
    /// of a branch, known here or not.
    fn head_of_git_branch(
        &self,
        names: &[&str],
        is_branch: bool,
        build: Option<&Build>,
    ) -> Result<HeadOfJob, ReferenceError> {
        let of_build = build.and_then(|build| names.iter().find_map(|name| build.head_of(name)));
        if let Some(head) = of_build {
            return Ok(HeadOfJob::InBranch(head));
        }
        let Some(head) = self.head_of_job()? else { return Ok(HeadOfJob::Unknown) };
        let active = match self.refs.head()? {
            Head::Branch(active) => Some(active),
            Head::Detached(_) | Head::Unborn(_) => None,
        };
        if active.as_ref().is_some_and(|active| names.contains(&active.as_str())) {
            return Ok(HeadOfJob::InBranch(head));
        }
        let (mut is_in, mut is_outside) = (false, false);
        for name in names {
            if let Some(answer) = self.is_in_branch(name, &head, false)? {
                (is_in, is_outside) = (is_in || answer, is_outside || !answer);
            }
        }
        let is_of_job = if build.is_some_and(|build| build.is_told_by_git_branch(self.environment))
        {
            // A shallow checkout may know the branch by HEAD only.
            let may_be = || is_branch && names.iter().all(|name| self.may_be_branch(name));
            !is_outside && (is_in || may_be())
        } else {
            active.is_none() && is_in
        };
        Ok(match is_of_job {
            true => HeadOfJob::InBranch(head),
            false if is_outside && !is_in => HeadOfJob::Outside(head),
            false => HeadOfJob::Unknown,
        })
    }

    /// Whether a name that is no branch here may be one all the same: of those that this clone does not have. It is
    /// none if it is that of a tag, or of what was fetched from elsewhere.
    fn may_be_branch(&self, name: &str) -> bool {
        let lacks_branches = self.remotes.iter().any(|remote| self.refs.may_lack_branches(remote));
        let is_other = self.refs.exists(&format!("refs/tags/{name}"))
            || self
                .remotes
                .iter()
                .any(|remote| self.refs.exists(&format!("refs/remotes/{remote}/{name}")));
        lacks_branches && !is_other
    }

    /// Whether a branch has this very name here.
    fn is_branch_here(&self, name: &str) -> Result<bool, ReferenceError> {
        let Ok(branch) = name.parse::<BranchName>() else { return Ok(false) };
        let tracking = match self.remote {
            Some(remote) => self.refs.tracking(remote, &branch)?,
            None => None,
        };
        Ok(tracking.or(self.refs.branch(&branch)?).is_some())
    }
}

/// Refuses what a job can't register whatever it has checked out.
fn refuse_forbidden(build: Option<&Build>) -> Result<(), ReferenceError> {
    match build.and_then(|build| Some((build.provider.name, build.forbidden()?))) {
        Some((provider, reason)) => Err(ReferenceError::Ci { provider, reason: reason.to_owned() }),
        None => Ok(()),
    }
}
