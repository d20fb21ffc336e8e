//! What a run has to do with pushes that are queued: it takes out of the outbox what it has just
//! registered, and counts what still waits. Delivering them is `delivery`'s.

use std::sync::Arc;
use std::time::Duration;

use super::{AppliedRun, Opened, Surroundings, Unobserved};
use crate::push::{GitProcess, OutboxRecord, PushState, outbox_records};
use crate::store::{Outbox, OutboxLockKind};

/// How long a run waits for a delivery that is under way before it takes its own registrations out
/// of the outbox. If that is not enough, the delivery finds them unchanged: no harm, some requests.
const PATIENCE: Duration = Duration::from_secs(5);

/// Takes queued pushes out of the outbox that a run has just registered, if they were meant for the
/// same target. If anything goes wrong they stay, and their delivery finds nothing to change.
pub(crate) fn forget_registered(opened: &Opened<'_>, applied: &AppliedRun) {
    let outbox = Outbox::of(opened.repository.common_dir());
    if outbox.ids().is_empty() {
        return;
    }
    let Ok(Some(_lock)) = outbox.lock(OutboxLockKind::Deliver, PATIENCE) else { return };
    let references = || std::iter::once(&applied.reference).chain(&applied.further);
    // The record of a push need not name its target. Then it is the one that a delivery would
    // choose, and a delivery has no options: `--target local` on this run must not take out a push
    // that waits for the server.
    let without_options =
        Surroundings { target: None, config: None, ..opened.surroundings.clone() };
    let usual = Opened::with(Arc::clone(&opened.repository), without_options, &Unobserved);
    for record in outbox_records(&outbox) {
        let Ok(push) = record.push else { continue };
        let is_same = references().any(|reference| {
            push.reference == reference.name.full()
                && push.commit.as_ref() == Some(&reference.commit)
        });
        let meant_for = || push.target.clone().or_else(|| usual.target_of(&push));
        if is_same && meant_for().is_some_and(|target| target.is(&applied.queued_target)) {
            let _ = outbox.remove(&[&record.id]);
        }
    }
}

/// How many pushes wait, those included that only the shim kept.
pub(crate) fn waiting_count(outbox: &Outbox) -> usize {
    outbox.ids().len() + spooled(outbox)
}

/// Whether a push waits that may be delivered without anybody doing anything, and no watcher is at
/// work on it.
pub(crate) fn is_worth_a_watcher(outbox: &Outbox) -> bool {
    // While git is still pushing, its own hook starts the watcher. What was refused, and removals,
    // wait for a person to run `flowreg sync`.
    let is_deliverable = |record: &OutboxRecord| {
        record.push.as_ref().is_ok_and(|push| {
            let is_pushing = push.git.is_some_and(GitProcess::is_running);
            !is_pushing && !matches!(push.state, PushState::Refused | PushState::Removal)
        })
    };
    !outbox.is_locked(OutboxLockKind::Watch)
        && (spooled(outbox) > 0 || outbox_records(outbox).iter().any(is_deliverable))
}

/// How many files the shim wrote because the program of the hook was missing or failed.
fn spooled(outbox: &Outbox) -> usize {
    std::fs::read_dir(outbox.spool()).map_or(0, |entries| {
        let raw =
            |entry: &std::fs::DirEntry| entry.path().extension().is_some_and(|end| end == "raw");
        entries.flatten().filter(raw).count()
    })
}
