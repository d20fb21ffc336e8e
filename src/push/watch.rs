//! The watcher: a detached process that waits for the queued pushes to end and delivers them.
//!
//! It gives up when waiting can't help any more; what it leaves in the outbox is for the next push
//! or `flowreg sync`.

use std::time::{Duration, Instant};

use super::deliver::{Delivery, DeliveryPolicy, deliver};
use super::log::DecisionLog;
use super::process::GitProcess;
use super::queued::outbox_records;
use crate::store::{Outbox, OutboxError, OutboxLockKind};
use flowreg_git::Repository;

/// The first and the longest pause between two looks at whether a push has ended. Most pushes take
/// less than a second, and an upload can take minutes.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// How long to wait for the watcher's lock. `flowreg sync --status` tests the lock by taking it for
/// an instant, and must not make a new watcher believe that another one runs.
const PATIENCE: Duration = Duration::from_secs(1);

/// Delivers until the outbox holds nothing that could be delivered by waiting longer. Returns at once
/// if another watcher of this repository runs.
///
/// `rechecks` are the pauses before a remote that has something else, or a target that is down, is
/// asked again.
///
/// # Errors
/// [`OutboxError`] if the outbox can't be used.
pub(crate) fn watch(
    outbox: &Outbox,
    repository: &Repository,
    delivery: &dyn Delivery,
    rechecks: &[Duration],
) -> Result<(), OutboxError> {
    loop {
        let Some(lock) = outbox.lock(OutboxLockKind::Watch, PATIENCE)? else { return Ok(()) };
        let seen = deliver_with_rechecks(outbox, repository, delivery, rechecks)?;
        drop(lock);
        // A hook may have queued a push after the last pass. Its own watcher found the lock taken and
        // went away, so this one looks once more after it has given the lock back.
        if outbox.ids().iter().all(|id| seen.contains(id)) {
            return Ok(());
        }
    }
}

/// Passes over the outbox until waiting can't help; returns the ids that the last pass saw.
fn deliver_with_rechecks(
    outbox: &Outbox,
    repository: &Repository,
    delivery: &dyn Delivery,
    rechecks: &[Duration],
) -> Result<Vec<String>, OutboxError> {
    let patience = rechecks.iter().sum();
    let policy = DeliveryPolicy { is_requested: false, is_retargeted: false, patience };
    let mut pauses = rechecks.iter();
    loop {
        // Before the pass, so that what is queued during it counts as not seen.
        let seen = outbox.ids();
        let Some(passed) = deliver(outbox, repository, delivery, policy)? else {
            DecisionLog::of(outbox).write(
                "watcher",
                "another process is delivering; this one leaves the pushes to it",
            );
            return Ok(seen);
        };
        if passed.is_pushing {
            wait_for_an_end(outbox, &seen);
            continue;
        }
        if !passed.may_come {
            return Ok(seen);
        }
        let Some(pause) = pauses.next() else { return Ok(seen) };
        let until = Instant::now() + *pause;
        // A push that is queued meanwhile is looked at now: it need not wait because an earlier one
        // is not confirmed, or the target is down.
        while Instant::now() < until && outbox.ids().iter().all(|id| seen.contains(id)) {
            std::thread::sleep(LOOK.1.min(*pause));
        }
        // The pause was cut short by a new push, which gets all rechecks.
        if Instant::now() < until {
            pauses = rechecks.iter();
        }
    }
}

/// Waits until a push has ended. Reads nothing but the process table, so that the small program can
/// do it beside the push.
pub(crate) fn wait_for_end(git: GitProcess) {
    let mut look = LOOK.0;
    while git.is_running() {
        std::thread::sleep(look);
        look = (look * 3 / 2).min(LOOK.1);
    }
}

/// Waits until one of the pushes that are going on has ended, or another one is queued.
fn wait_for_an_end(outbox: &Outbox, seen: &[String]) {
    let processes = || -> Vec<GitProcess> {
        outbox_records(outbox).into_iter().filter_map(|record| record.push.ok()?.git).collect()
    };
    let mut going_on = processes();
    // All refs of a push have one process.
    going_on.dedup();
    going_on.retain(|process| process.is_running());
    let mut look = LOOK.0;
    while going_on.iter().all(|process| process.is_running())
        && !going_on.is_empty()
        && outbox.ids().iter().all(|id| seen.contains(id))
    {
        std::thread::sleep(look);
        look = (look * 3 / 2).min(LOOK.1);
    }
}
