//! Delivers queued pushes: registers and removes by the same code as the commands.

use super::arguments::{ReferenceArguments, RunArguments};
use super::error::CommandError;
use super::outstanding::{chosen, target_of};
use super::register::Registered;
use super::session::{self, Session};
use super::{Context, exit, register};
use crate::push::{Delivery, DeliveryOutcome, QueuedPush, QueuedTarget};
use crate::settings::OnDelete;
use crate::store::{LedgerEntry, Store};
use flowreg_git::{GitError, Repository, is_mainline};
use flowreg_model::{
    BranchName, Channel, Held, RemoteName, TargetDescription, TargetKind, same_repository,
};
use flowreg_servers::{ReadScope, Target, TargetError, Write};

/// Errors that another attempt may not meet.
const PASSING: &[&str] = &[
    "remote_unreachable",
    "remote_missing_branch",
    "remote_missing_tag",
    "interrupted",
    "git_failed",
];

/// Registers as `flowreg register --branch` or `--tag` would, at the pushed commit.
pub(super) struct Registrar<'a> {
    context: &'a Context,
}

/// The registrations of a branch that is gone.
struct Removable {
    session: Session,
    target: Box<dyn Target>,
    held: Vec<Held>,
}

impl<'a> Registrar<'a> {
    pub(super) fn new(context: &'a Context) -> Self {
        Self { context }
    }

    /// The context of one delivery.
    fn silent(&self, push: &QueuedPush) -> Context {
        let is_server = self.context.is_server || push.is_received;
        Context { is_server, ..self.context.silent() }
    }

    fn try_register(&self, push: &QueuedPush) -> Result<DeliveryOutcome, CommandError> {
        let context = self.silent(push);
        let repository = Repository::discover(&context.directory, &context.environment)?;
        let Some(object) = &push.object else {
            return Ok(DeliveryOutcome::Skipped("it is a deletion".to_owned()));
        };
        if repository.is_no_commit(object) {
            return Ok(DeliveryOutcome::Skipped("it is no commit".to_owned()));
        }
        let Some(commit) = repository.peeled(object).or_else(|| push.commit.clone()) else {
            return Ok(DeliveryOutcome::Refused(format!("{object} is not in this repository")));
        };
        let session = session::open_at(&context, repository, Some(&commit))?;
        if let Some(verdict) = unwanted(&session, push)? {
            return Ok(verdict);
        }
        let is_tag = push.kind() == "tag";
        let name = Some(push.short_name().to_owned());
        let reference = ReferenceArguments {
            tag: name.clone().filter(|_| is_tag),
            branch: name.filter(|_| !is_tag),
            remote: remote_of(&session, push)?,
            // The server has it because it is the server.
            offline: push.is_received,
            pushed: Some(commit),
            ..ReferenceArguments::default()
        };
        let address = session.repository.push_address(&push.remote, &push.repository_url());
        drop(session);
        let arguments = RunArguments { reference, ..RunArguments::default() };
        match register::carry_out(&context, &arguments, None) {
            // It was there when the push ended; a mirror may lag, the only remote does not.
            Err(error) if is_gone(&error) && address.is_only => {
                Ok(DeliveryOutcome::Skipped("the remote does not have it any more".to_owned()))
            }
            registered => Ok(verdict(&registered?)),
        }
    }

    fn removable(
        &self,
        push: &QueuedPush,
    ) -> Result<Result<Removable, DeliveryOutcome>, CommandError> {
        let context = self.silent(push);
        let repository = Repository::discover(&context.directory, &context.environment)?;
        let before = push.before.as_ref().and_then(|object| repository.peeled(object));
        let session = match &before {
            Some(commit) => session::open_at(&context, repository, Some(commit))?,
            None => session::open_target(&context)?,
        };
        if let Some(verdict) = unwanted(&session, push)? {
            return Ok(Err(verdict));
        }
        if session.settings.channel(Channel::Feature).on_delete == Some(OnDelete::Keep) {
            let why = "[feature] on_delete is \"keep\"";
            return Ok(Err(DeliveryOutcome::Skipped(why.to_owned())));
        }
        let target = session.connect(None)?;
        let is_local = target.describe().kind == TargetKind::Local;
        let ours = session.repository_url()?;
        let is_of_branch = |held: &Held| {
            held.marks.as_ref().is_some_and(|marks| {
                marks.channel == Channel::Feature.as_str()
                    && marks.branch.as_deref() == Some(push.short_name())
                    && (is_local || same_repository(&marks.repository, ours.as_str()))
            }) && branch_of(push).is_some_and(|branch| session.may_remove(held, &branch))
        };
        let held: Vec<Held> =
            target.read(ReadScope::All)?.into_iter().filter(is_of_branch).collect();
        if held.is_empty() {
            let why = "nothing is registered for the branch";
            return Ok(Err(DeliveryOutcome::Skipped(why.to_owned())));
        }
        Ok(Ok(Removable { session, target, held }))
    }

    fn try_remove(&self, push: &QueuedPush) -> Result<DeliveryOutcome, CommandError> {
        let Removable { session, target, held } = match self.removable(push)? {
            Ok(removable) => removable,
            Err(verdict) => return Ok(verdict),
        };
        let mut removed = Vec::new();
        let mut failure = None;
        for one in &held {
            match target.apply(&Write::Remove(one)) {
                Ok(_) => removed.push(one),
                Err(error) => {
                    failure = Some(CommandError::from(error));
                    break;
                }
            }
        }
        record_removals(&session, &target.describe(), push, &removed)?;
        match failure {
            Some(error) => Err(error),
            None => Ok(DeliveryOutcome::Done(format!("{} removed", removed.len()))),
        }
    }
}

impl Delivery for Registrar<'_> {
    fn register(&self, push: &QueuedPush) -> DeliveryOutcome {
        self.try_register(push).unwrap_or_else(|error| failed(&error))
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

    fn target(&self, push: &QueuedPush) -> Option<QueuedTarget> {
        target_of(&self.silent(push), push)
    }

    fn remove(&self, push: &QueuedPush) -> DeliveryOutcome {
        self.try_remove(push).unwrap_or_else(|error| failed(&error))
    }
}

/// Why a push is none of this repository's registrations, or has to wait for another run.
fn unwanted(session: &Session, push: &QueuedPush) -> Result<Option<DeliveryOutcome>, CommandError> {
    let not_wanted = |why: String| Ok(Some(DeliveryOutcome::Skipped(why)));
    if let Some(branch) = branch_of(push)
        && is_mainline(&session.settings.repository.mainline, &branch)?
    {
        return not_wanted(format!("{branch} is a mainline branch: its tags are registered"));
    }
    if !push.is_received {
        let pushed = session.repository.push_address(&push.remote, &push.repository_url()).remote;
        let wanted = remote_of(session, push)?;
        if wanted.is_some() && pushed != wanted {
            let wanted = wanted.map(|name| name.to_string()).unwrap_or_default();
            return not_wanted(format!("workers clone from {wanted}, and it went elsewhere"));
        }
    }
    let here = chosen(&session.target);
    match &push.target {
        Some(then) if *then != here => Ok(Some(DeliveryOutcome::Refused(format!(
            "it was queued for {}, and the target is {} now",
            target_text(then),
            target_text(&here)
        )))),
        _ => Ok(None),
    }
}

fn branch_of(push: &QueuedPush) -> Option<BranchName> {
    push.reference.strip_prefix("refs/heads/")?.parse().ok()
}

/// The remote that workers clone from; where only the push can tell, the one that it went to.
fn remote_of(session: &Session, push: &QueuedPush) -> Result<Option<RemoteName>, CommandError> {
    let configured = session.settings.repository.remote.as_ref().map(|remote| &remote.value);
    match session.repository.remote(configured) {
        Ok(remote) => Ok(remote.map(|remote| remote.name)),
        Err(GitError::SeveralRemotes { .. }) => Ok(push.remote.parse().ok()),
        Err(error) => Err(error.into()),
    }
}

fn target_text(target: &QueuedTarget) -> String {
    match &target.url {
        Some(url) => format!("{} {url}", target.kind.as_str()),
        None => target.kind.as_str().to_owned(),
    }
}

fn verdict(registered: &Registered) -> DeliveryOutcome {
    let report = &registered.report;
    let parts = report.summary.0.iter().filter(|(_, count)| *count > 0);
    let summary: Vec<String> = parts.map(|(word, count)| format!("{count} {word}")).collect();
    if registered.code == exit::DONE {
        let text = if summary.is_empty() { "no flows".to_owned() } else { summary.join(", ") };
        return DeliveryOutcome::Done(text);
    }
    let of_targets = report.registrations.iter().filter_map(|item| item.error.as_ref());
    let of_sources = report.errors.iter().filter(|problem| problem.is_error());
    let first = of_targets
        .map(|error| error.message.clone())
        .chain(of_sources.map(|problem| format!("{}: {}", problem.path, problem.message)))
        .next();
    let text = format!("{}: {}", summary.join(", "), first.unwrap_or_default());
    if registered.is_worth_repeating() {
        DeliveryOutcome::Unreachable(text)
    } else {
        DeliveryOutcome::Refused(text)
    }
}

fn failed(error: &CommandError) -> DeliveryOutcome {
    let of_target = error.source.downcast_ref::<TargetError>().is_some_and(TargetError::is_passing);
    let is_passing = of_target || PASSING.contains(&error.code.as_str());
    let text = error.source.to_string();
    if is_passing { DeliveryOutcome::Unreachable(text) } else { DeliveryOutcome::Refused(text) }
}

fn is_gone(error: &CommandError) -> bool {
    matches!(error.code.as_str(), "remote_missing_branch" | "remote_missing_tag")
}

fn record_removals(
    session: &Session,
    target: &TargetDescription,
    push: &QueuedPush,
    removed: &[&Held],
) -> Result<(), CommandError> {
    let at = super::now();
    let target = target.url.as_deref().unwrap_or(target.kind.as_str());
    let commit = push.before.as_ref().map(|commit| commit.as_str().to_owned());
    let entries: Vec<LedgerEntry> = removed
        .iter()
        .map(|held| LedgerEntry {
            at: at.clone(),
            target: target.to_owned(),
            action: "removed".to_owned(),
            flow: held.flow.clone(),
            deployment: held.deployment.clone(),
            kind: "branch".to_owned(),
            reference: push.short_name().to_owned(),
            commit: commit.clone().unwrap_or_default(),
        })
        .collect();
    if !entries.is_empty() {
        Store::open(session.repository.common_dir())?.append_to_ledger(&entries)?;
    }
    Ok(())
}
