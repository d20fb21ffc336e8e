//! What is queued beside a run: which target it is for, what a run has registered already, what
//! still waits.

use std::sync::Arc;
use std::time::Duration;

use super::{AppliedRun, Opened, Surroundings, TargetChoice, Unobserved};
use crate::push::{GitProcess, OutboxRecord, PushState, QueuedPush, QueuedTarget, outbox_records};
use crate::store::{Outbox, OutboxLockKind};

/// How long a run waits for a delivery to end before it takes out what it has registered itself.
const PATIENCE: Duration = Duration::from_secs(5);

/// The target, as the record of a queued push keeps it.
pub(crate) fn queued_target(target: &TargetChoice) -> QueuedTarget {
    let url = match target {
        TargetChoice::Local => None,
        TargetChoice::Prefect(connection) => Some(connection.api_url.clone()),
        TargetChoice::Prefect1(connection) => Some(connection.api_url.clone()),
    };
    QueuedTarget { kind: target.kind(), url }
}

impl Opened<'_> {
    /// The target that is configured for what was pushed; `None` if that can't be told.
    pub(super) fn target_of(&self, push: &QueuedPush) -> Option<QueuedTarget> {
        let object = push.object.as_ref().or(push.before.as_ref());
        let commit = push.commit.clone().or_else(|| self.repository.peeled(object?));
        let configured = self.configure_at(commit.as_ref()).ok()?;
        Some(queued_target(&configured.target))
    }
}

/// Takes out of the outbox what a run has just registered; whatever goes wrong, it stays there and
/// is found to be registered later. What was meant for another target stays.
pub(crate) fn forget_registered(opened: &Opened<'_>, applied: &AppliedRun) {
    let outbox = Outbox::of(opened.repository.common_dir());
    if outbox.ids().is_empty() {
        return;
    }
    let Ok(Some(_lock)) = outbox.lock(OutboxLockKind::Deliver, PATIENCE) else { return };
    let name = applied.reference.name.full();
    // A delivery goes by the configuration alone: options count for this run only.
    let without_options =
        Surroundings { target: None, config: None, ..opened.surroundings.clone() };
    let usual = Opened::with(Arc::clone(&opened.repository), without_options, &Unobserved);
    for record in outbox_records(&outbox) {
        let Ok(push) = record.push else { continue };
        let is_same =
            push.reference == name && push.commit.as_ref() == Some(&applied.reference.commit);
        let meant_for = || push.target.clone().or_else(|| usual.target_of(&push));
        if is_same && meant_for().as_ref() == Some(&applied.queued_target) {
            let _ = outbox.remove(&record.id);
        }
    }
}

/// How many pushes wait, those included that only the shim kept.
pub(crate) fn waiting_count(outbox: &Outbox) -> usize {
    outbox.ids().len() + spooled(outbox)
}

/// Whether something waits that may go well without anybody doing anything, and no watcher is at
/// work.
pub(crate) fn is_worth_a_watcher(outbox: &Outbox) -> bool {
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
