//! Delivers queued pushes: registers and removes by the same stages as the commands.
//!
//! Which commit was pushed is known, so no ladder is climbed, and one repository is opened for all
//! pushes of a pass.

use std::sync::Arc;

use flowreg_git::tagging::SeriesSet;
use flowreg_git::{
    GitError, PushedReference, ReferenceError, Repository, RepositoryUrl, is_mainline,
    is_of_merge_queue,
};
use flowreg_model::{BranchName, Channel, CommitId, FlowProblem, Held, ReferenceName, RemoteName};
use flowreg_servers::{ReadScope, Target, Write};

use super::applied::not_tried;
use super::desired::Unbuilt;
use super::queued_target::queued_target;
use super::{
    AppliedRun, ConfigurationError, Configured, Opened, Referenced, RunError, RunRequest,
    Surroundings, Unobserved,
};
use crate::push::{
    Delivery, DeliveryOutcome, QueuedPush, QueuedTarget, reason_without_series, told_without_series,
};
use crate::registration::Outcome;
use crate::scan::ScanError;
use crate::settings::OnDelete;

/// Codes of errors of git and of remotes after which a delivery is tried again. A branch or tag that
/// is missing is among them because mirrors and replicas show a push only after some seconds.
const PASSING: &[&str] =
    &["remote_unreachable", "remote_missing_branch", "remote_missing_tag", "git_failed"];

/// Registers as `flowreg register --branch` or `--tag` would, at the pushed commit.
pub(crate) struct Registrar {
    /// For pushes that were made from this clone.
    own: Opened<'static>,
    /// For pushes that others made to this repository, as on a git server: none of their code is
    /// run, and templates see no environment.
    received: Opened<'static>,
}

/// The registrations of a branch that was deleted by a push, and where they are.
struct Removable<'o> {
    configured: Configured<'o>,
    target: Box<dyn Target>,
    held: Vec<Held>,
}

impl Registrar {
    /// Delivers from a repository that is open already.
    pub(crate) fn new(surroundings: &Surroundings, repository: &Arc<Repository>) -> Self {
        let opened = |surroundings| Opened::with(Arc::clone(repository), surroundings, &Unobserved);
        Self {
            own: opened(surroundings.clone()),
            received: opened(Surroundings { is_server: true, ..surroundings.clone() }),
        }
    }

    fn opened(&self, push: &QueuedPush) -> &Opened<'static> {
        if push.is_received { &self.received } else { &self.own }
    }

    fn try_register(&self, push: &QueuedPush) -> Result<DeliveryOutcome, RunError> {
        let opened = self.opened(push);
        let repository = &opened.repository;
        let Some(object) = &push.object else {
            return Ok(DeliveryOutcome::Skipped("it is a deletion".to_owned()));
        };
        if repository.is_no_commit(object) {
            return Ok(DeliveryOutcome::Skipped("it is no commit".to_owned()));
        }
        // The object of an annotated tag is the tag, not the commit. If it can't be read any more, as
        // the tag was deleted here and git has cleaned up, the commit is the one that was noted when
        // the push was queued.
        let Some(commit) = repository.peeled(object).or_else(|| push.commit.clone()) else {
            return Ok(DeliveryOutcome::Refused(format!("{object} is not in this repository")));
        };
        let configured = opened.configure_for_push(push, Some(&commit))?;
        if let Some(refused) = other_target(&configured, push) {
            return Ok(refused);
        }
        let address = repository.push_address(&push.remote, &push.repository_url());
        match register(opened, configured, push, commit) {
            // The push is known to have landed. If the one repository that it went to lacks the
            // reference now, somebody has deleted it since. Where a remote has several addresses, it
            // may be a mirror that is behind, and the delivery is tried again.
            Err(error) if is_gone(&error) && address.is_only => Ok(DeliveryOutcome::Skipped(
                "it was deleted from the remote after the push".to_owned(),
            )),
            Err(RunError::Reference(error)) if is_about_series(&error) => {
                Ok(DeliveryOutcome::Skipped(told_without_series(&error, push.short_name())))
            }
            applied => Ok(verdict(&applied?)),
        }
    }

    fn removable(
        &self,
        push: &QueuedPush,
    ) -> Result<Result<Removable<'_>, DeliveryOutcome>, RunError> {
        let opened = self.opened(push);
        // A deletion has no commit of its own. The `flowreg.toml` of the branch's last commit is the
        // one with which its registrations were made.
        let before = push.before.as_ref().and_then(|object| opened.repository.peeled(object));
        let configured = opened.configure_for_push(push, before.as_ref())?;
        if let Some(refused) = other_target(&configured, push) {
            return Ok(Err(refused));
        }
        if configured.settings.channel(Channel::Feature).on_delete == Some(OnDelete::Keep) {
            let why = "[feature] on_delete is \"keep\"";
            return Ok(Err(DeliveryOutcome::Skipped(why.to_owned())));
        }
        let target = configured.connect(None)?;
        let held: Vec<Held> = {
            // On a server another repository may have a branch of the same name.
            let is_ours = configured.owner()?;
            let is_of_branch = |held: &Held| {
                held.marks.as_ref().is_some_and(|marks| {
                    marks.channel == Channel::Feature.as_str()
                        && marks.branch.as_deref() == Some(push.short_name())
                        && is_ours(&marks.repository)
                }) && branch_of(push).is_some_and(|branch| configured.may_remove(held, &branch))
            };
            // All are read: which flows the branch had is not known any more, and no server can filter
            // by flowreg's marks (docs/facts/prefect.md, "Labels, tags, description").
            target.read(ReadScope::All)?.into_iter().filter(is_of_branch).collect()
        };
        if held.is_empty() {
            let why = "nothing is registered for the branch";
            return Ok(Err(DeliveryOutcome::Skipped(why.to_owned())));
        }
        Ok(Ok(Removable { configured, target, held }))
    }

    fn try_remove(&self, push: &QueuedPush) -> Result<DeliveryOutcome, RunError> {
        let Removable { configured, target, held } = match self.removable(push)? {
            Ok(removable) => removable,
            Err(verdict) => return Ok(verdict),
        };
        // What was removed before a failure is noted in the ledger all the same. The next attempt
        // reads the target again and finds only the rest.
        let mut removed = Vec::new();
        let mut failure = None;
        for one in &held {
            match target.apply(&Write::Remove(one)) {
                Ok(_) => removed.push(one),
                Err(error) => {
                    failure = Some(RunError::from(error));
                    break;
                }
            }
        }
        let removed = || removed.iter().map(|held| (*held, push.short_name()));
        let commit = push.before.as_ref();
        configured.opened.record_removed(&target.describe(), removed(), commit)?;
        match failure {
            Some(error) => Err(error),
            None => Ok(DeliveryOutcome::Done(format!("{} removed", removed().count()))),
        }
    }
}

impl Delivery for Registrar {
    fn register(&self, push: &QueuedPush) -> DeliveryOutcome {
        self.try_register(push).unwrap_or_else(|error| failed(&error))
    }

    fn reason_to_skip(&self, push: &QueuedPush) -> Option<String> {
        let opened = self.opened(push);
        let object = push.object.as_ref().or(push.before.as_ref());
        let commit = push.commit.clone().or_else(|| opened.repository.peeled(object?));
        // What is wrong with the settings is told by the attempt to register.
        let configured = opened.configure_for_push(push, commit.as_ref()).ok()?;
        reason_to_skip(&configured, push).ok().flatten()
    }

    fn series(&self, push: &QueuedPush) -> Option<SeriesSet> {
        let opened = self.opened(push);
        let commit =
            push.commit.clone().or_else(|| opened.repository.peeled(push.object.as_ref()?));
        let settings = opened.settings_of_push(commit.as_ref()).ok()?;
        Some(settings.tag.series)
    }

    fn check_removal(&self, push: &QueuedPush) -> DeliveryOutcome {
        match self.removable(push) {
            Ok(Ok(Removable { held, .. })) => {
                DeliveryOutcome::Done(format!("{} to remove", held.len()))
            }
            Ok(Err(verdict)) => verdict,
            Err(error) => failed(&error),
        }
    }

    fn target(&self, push: &QueuedPush, variables: &[(&str, &str)]) -> Option<QueuedTarget> {
        self.opened(push).target_where(push, variables)
    }

    fn remove(&self, push: &QueuedPush) -> DeliveryOutcome {
        self.try_remove(push).unwrap_or_else(|error| failed(&error))
    }
}

/// Registers a push, with the settings of the pushed commit in `configured`.
fn register(
    opened: &Opened<'_>,
    mut configured: Configured<'_>,
    push: &QueuedPush,
    commit: CommitId,
) -> Result<AppliedRun, RunError> {
    let remote = remote_of(&configured, push)?;
    let name = push
        .name()
        .map_err(|error| ReferenceError::InvalidName { from: push.reference.clone(), error })?;
    let pushed = PushedReference { name, commit };
    // A repository that received the push is the one that workers clone from, and it has the commit.
    // It often has no remote of its own that could be asked.
    let is_offline = push.is_received;
    configured.take_remote(remote.as_ref());
    let mut referenced = Referenced::of_push(configured, &pushed, is_offline)?;
    if referenced.reference.commit != pushed.commit {
        // The branch has moved on at the remote since. Workers clone its newest commit, so that one
        // is registered, and its `flowreg.toml` counts. One more look is enough: whoever moved the
        // branch registers it with a push of their own.
        let mut there = opened.configure_for_push(push, Some(&referenced.reference.commit))?;
        there.take_remote(remote.as_ref());
        referenced = Referenced::of_push(there, &pushed, is_offline)?;
    }
    let request = RunRequest::default();
    Ok(referenced.desire(&request)?.compare()?.plan()?.apply())
}

/// Why a push is never registered: the settings leave it out, or it went elsewhere than where workers
/// clone from.
fn reason_to_skip(
    configured: &Configured<'_>,
    push: &QueuedPush,
) -> Result<Option<String>, RunError> {
    if let Some(branch) = branch_of(push)
        && is_mainline(&configured.settings.repository.mainline, &branch)?
    {
        return Ok(Some(format!(
            "{branch} is a mainline branch, of which only tags are registered on push"
        )));
    }
    if let Some(branch) = branch_of(push)
        && !push.is_deletion()
        && is_of_merge_queue(branch.as_str())
    {
        return Ok(Some("a merge queue made the branch, which is gone after the build".to_owned()));
    }
    // What is declared is known before the remote is asked; else its tags say which series there are.
    let set = &configured.settings.tag.series;
    if let (SeriesSet::Declared(_), Ok(ReferenceName::Tag(tag))) = (set, push.name())
        && let Some(why) = reason_without_series(set, &tag, &set.prefixes(&[]))
    {
        return Ok(Some(why));
    }
    // A push that others made to this repository went through none of its remotes.
    if push.is_received {
        return Ok(None);
    }
    let repository = &configured.opened.repository;
    let url = push.repository_url();
    let pushed = repository.push_address(&push.remote, &url).remote;
    let cloned = remote_of(configured, push)?;
    // The push may have gone to the same repository by another remote, or by a URL.
    let is_elsewhere = || Ok::<_, RunError>(!configured.identity()?.is(url.as_str()));
    if cloned.is_some() && pushed != cloned && is_elsewhere()? {
        let cloned = cloned.map(|name| name.to_string()).unwrap_or_default();
        return Ok(Some(format!(
            "workers clone from {cloned}, and the push went to another remote"
        )));
    }
    // Of several addresses of one remote that one counts from which workers clone. Where it is none of
    // them, as with a mirror to clone from, each push may be what the mirror shows later.
    let addresses = repository.pushed_to(&push.remote);
    if addresses.len() < 2 {
        return Ok(None);
    }
    let workers = configured.repository_url()?;
    let of_workers = repository.identity([workers.as_str()]);
    let is_of_workers = |address: &RepositoryUrl| of_workers.is(address.as_str());
    let is_other = addresses.iter().any(is_of_workers) && !is_of_workers(&url);
    Ok(is_other.then(|| format!("workers clone from {workers}, and this push went to {url}")))
}

/// The refusal of a push that was queued for another target than the one that can be reached from here.
fn other_target(configured: &Configured<'_>, push: &QueuedPush) -> Option<DeliveryOutcome> {
    let then = push.target.as_ref()?;
    if queued_target(&configured.target).is(then) {
        return None;
    }
    let here = configured.opened.target_of(push);
    let here = here.map_or_else(|| "not known".to_owned(), |here| here.to_string());
    // What chose the target of this run has to be said again.
    let flag = configured.opened.surroundings.target;
    let flag = flag.map_or_else(String::new, |kind| format!("--target {} ", kind.as_str()));
    Some(DeliveryOutcome::Refused(format!(
        "it was queued for {then}, and the target is {here} now; to register it there: flowreg {flag}sync \
         --retarget"
    )))
}

fn branch_of(push: &QueuedPush) -> Option<BranchName> {
    push.reference.strip_prefix("refs/heads/")?.parse().ok()
}

/// The remote that workers clone from; where only the push can tell, the one that it went to.
fn remote_of(
    configured: &Configured<'_>,
    push: &QueuedPush,
) -> Result<Option<RemoteName>, RunError> {
    match configured.remote() {
        Ok(remote) => Ok(remote.map(|remote| remote.name.clone())),
        Err(GitError::SeveralRemotes { .. }) => Ok(push.remote.parse().ok()),
        Err(error) => Err(error.into()),
    }
}

/// What the run means for the queued push: done, to be tried again, or to be looked at by a person.
/// The status shows one line for each push, so only the first reason is named.
fn verdict(applied: &AppliedRun) -> DeliveryOutcome {
    let summary = summary(applied);
    if applied.is_complete() {
        let text = if summary.is_empty() { "no flows".to_owned() } else { summary };
        return DeliveryOutcome::Done(text);
    }
    let of_registrations = applied.registrations.iter().filter_map(|one| match &one.outcome {
        Outcome::Refused(refusal) => Some(refusal.to_string()),
        Outcome::Failed(error) => Some(error.to_string()),
        Outcome::NotTried => Some(not_tried(applied.is_interrupted).1.to_owned()),
        _ => None,
    });
    let of_unbuilt = applied.unbuilt.iter().map(Unbuilt::text);
    let of_sources = applied.problems.iter().filter(|problem| problem.is_error());
    let of_sources = of_sources.map(|problem| {
        let FlowProblem { path, line, column, message, .. } = problem;
        format!("{path}:{line}:{column}: {message}")
    });
    let first = of_registrations.chain(of_unbuilt).chain(of_sources).next();
    let text = format!("{summary}: {}", first.unwrap_or_default());
    if applied.is_worth_repeating() {
        DeliveryOutcome::Unreachable(text)
    } else if applied.is_final() {
        DeliveryOutcome::Skipped(text)
    } else if applied.is_misconfigured() {
        DeliveryOutcome::Misconfigured(text)
    } else {
        DeliveryOutcome::Refused(text)
    }
}

/// `1 created, 2 unchanged`
fn summary(applied: &AppliedRun) -> String {
    let parts = applied.summary().into_iter().filter(|(_, count)| *count > 0);
    parts.map(|(word, count)| format!("{count} {word}")).collect::<Vec<_>>().join(", ")
}

fn failed(error: &RunError) -> DeliveryOutcome {
    let text = error.to_string();
    // The tag has been pushed anew since, and has a record of its own.
    if matches!(error, RunError::Reference(ReferenceError::MovedTag { .. })) {
        DeliveryOutcome::Skipped(text)
    } else if is_passing(error) {
        DeliveryOutcome::Unreachable(text)
    } else if error.is_configuration() {
        DeliveryOutcome::Misconfigured(text)
    } else {
        DeliveryOutcome::Refused(text)
    }
}

/// Whether another attempt may succeed without anybody changing anything.
fn is_passing(error: &RunError) -> bool {
    match error {
        RunError::Target(error) => error.is_passing(),
        // What is declared rightly is registered once the target is there.
        RunError::Configuration(ConfigurationError::Declarations { target, .. }) => {
            target.is_passing()
        }
        RunError::Git(error) | RunError::Scan(ScanError::Git(error)) => {
            PASSING.contains(&error.code())
        }
        RunError::Reference(error) => PASSING.contains(&error.code()),
        RunError::Tag(error) => PASSING.contains(&error.code()),
        RunError::Interrupted => true,
        _ => false,
    }
}

/// Whether it is not known that a tag is a version. The settings that could say so are those of the pushed
/// commit, so no repetition changes it.
fn is_about_series(error: &ReferenceError) -> bool {
    matches!(error, ReferenceError::NoSeries { .. } | ReferenceError::SeveralSeries(_))
}

fn is_gone(error: &RunError) -> bool {
    matches!(error, RunError::Reference(error)
        if ["remote_missing_branch", "remote_missing_tag"].contains(&error.code()))
}
