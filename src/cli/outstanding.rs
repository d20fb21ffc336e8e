//! What is queued beside a command: which target it is for, what a run has settled, what still waits.

use std::time::Duration;

use super::session::{self, TargetChoice};
use super::{Context, hook};
use crate::push::{
    GitProcess, HookRun, OutboxRecord, PushState, QueuedPush, QueuedTarget, outbox_records,
};
use crate::store::{Outbox, OutboxLockKind};
use flowreg_git::{Repository, git_directories};
use flowreg_model::{CodeReference, TargetKind};

/// How long `register` waits for a watcher to look at what it has registered itself.
const SETTLE_PATIENCE: Duration = Duration::from_secs(5);

/// The target of a session, as a record keeps it.
pub(super) fn chosen(target: &TargetChoice) -> QueuedTarget {
    match target {
        TargetChoice::Local => QueuedTarget { kind: TargetKind::Local, url: None },
        TargetChoice::Prefect(connection) => {
            QueuedTarget { kind: TargetKind::Prefect, url: Some(connection.api_url.clone()) }
        }
        TargetChoice::Prefect1(connection) => {
            QueuedTarget { kind: TargetKind::Prefect1, url: Some(connection.api_url.clone()) }
        }
    }
}

/// The target that is configured for what was pushed; `None` if that can't be told.
pub(super) fn target_of(context: &Context, push: &QueuedPush) -> Option<QueuedTarget> {
    let repository = Repository::discover(&context.directory, &context.environment).ok()?;
    let object = push.object.as_ref().or(push.before.as_ref());
    let commit = push.commit.clone().or_else(|| repository.peeled(object?));
    let (_, target) = session::settings_at(context, &repository, commit.as_ref()).ok()?;
    Some(chosen(&target))
}

/// Takes out of the outbox what a run has just registered; whatever goes wrong, it stays there and
/// is found to be registered later. What was meant for another target stays.
pub(super) fn settle(context: &Context, reference: &CodeReference, target: &QueuedTarget) {
    let Some(outbox) = outbox(context) else { return };
    if outbox.ids().is_empty() {
        return;
    }
    let Ok(Some(_lock)) = outbox.lock(OutboxLockKind::Deliver, SETTLE_PATIENCE) else { return };
    let name = reference.name.full();
    // What a delivery would choose: flags count for this run only.
    let mut usual = context.silent();
    (usual.global.target, usual.global.config) = (None, None);
    for record in outbox_records(&outbox) {
        let Ok(push) = record.push else { continue };
        let is_same = push.reference == name && push.commit.as_ref() == Some(&reference.commit);
        let meant_for = || push.target.clone().or_else(|| target_of(&usual, &push));
        if is_same && meant_for().as_ref() == Some(target) {
            let _ = outbox.remove(&record.id);
        }
    }
}

/// Says in one line that something waits, and has a watcher try once more what may go well now.
pub(super) fn tell_what_waits(context: &Context) {
    let Some(outbox) = outbox(context) else { return };
    let count = outbox.ids().len() + spooled(&outbox);
    if count == 0 {
        return;
    }
    let (what, verb) = if count == 1 { ("push", "waits") } else { ("pushes", "wait") };
    context.printer.note(&format!(
        "{count} {what} {verb} to be registered: `flowreg sync` delivers, `flowreg sync \
         --status` says why"
    ));
    let is_off = context.environment.get("FLOWREG_HOOKS") == Some("0");
    if !is_off && !hook::is_ci(&context.environment) && is_worth_a_try(&outbox) {
        let say = |_: &str| {};
        if let Some(hooked) = HookRun::new(&context.environment, &context.directory, &say) {
            hook::start_watcher(&hooked, None);
        }
    }
}

/// Whether something waits that nobody has to say a word about, and nobody is at it.
fn is_worth_a_try(outbox: &Outbox) -> bool {
    let may_come = |record: &OutboxRecord| {
        record.push.as_ref().is_ok_and(|push| {
            let is_pushing = push.git.is_some_and(GitProcess::is_running);
            !is_pushing && !matches!(push.state, PushState::Refused | PushState::Removal)
        })
    };
    !outbox.is_locked(OutboxLockKind::Watch)
        && (spooled(outbox) > 0 || outbox_records(outbox).iter().any(may_come))
}

fn spooled(outbox: &Outbox) -> usize {
    std::fs::read_dir(outbox.spool()).map_or(0, |entries| {
        let raw =
            |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|end| end == "raw");
        entries.flatten().filter(raw).count()
    })
}

fn outbox(context: &Context) -> Option<Outbox> {
    let directories = git_directories(&context.directory, &context.environment)?;
    Some(Outbox::of(&directories.common_dir))
}
