//! The watcher: waits for the pushes that are queued to end, and sees them through.

use std::time::{Duration, Instant};

use super::deliver::{Delivery, DeliveryPolicy, deliver};
use super::log::DecisionLog;
use super::process::GitProcess;
use super::queued::outbox_records;
use crate::store::{Outbox, OutboxError, OutboxLockKind};
use flowreg_git::Repository;

/// How often the watcher looks whether a push has ended, at first and later.
const LOOK: (Duration, Duration) = (Duration::from_millis(20), Duration::from_millis(250));

/// How long the lock is waited for: who only asks whether somebody watches has it for a moment.
const PATIENCE: Duration = Duration::from_secs(1);

/// Delivers until nothing is left that waiting could help; one watcher for a repository.
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
        let seen = see_through(outbox, repository, delivery, rechecks)?;
        drop(lock);
        // Who queued something after the last pass found the lock taken, and left it to us.
        if outbox.ids().iter().all(|id| seen.contains(id)) {
            return Ok(());
        }
    }
}

/// Returns the records that the last pass saw.
fn see_through(
    outbox: &Outbox,
    repository: &Repository,
    delivery: &dyn Delivery,
    rechecks: &[Duration],
) -> Result<Vec<String>, OutboxError> {
    let policy = DeliveryPolicy { is_requested: false, patience: rechecks.iter().sum() };
    let mut pauses = rechecks.iter();
    loop {
        let seen = outbox.ids();
        let Some(passed) = deliver(outbox, repository, delivery, policy)? else {
            DecisionLog::of(outbox)
                .write("watcher", "another process delivers; it is left to that one");
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
        // What is queued meanwhile does not have to wait for what is in trouble.
        while Instant::now() < until && outbox.ids().iter().all(|id| seen.contains(id)) {
            std::thread::sleep(LOOK.1.min(*pause));
        }
        if Instant::now() < until {
            pauses = rechecks.iter();
        }
    }
}

/// Waits until a push has ended, without looking at anything else.
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
    let going_on: Vec<GitProcess> =
        processes().into_iter().filter(|process| process.is_running()).collect();
    let mut look = LOOK.0;
    while going_on.iter().all(|process| process.is_running())
        && !going_on.is_empty()
        && outbox.ids().iter().all(|id| seen.contains(id))
    {
        std::thread::sleep(look);
        look = (look * 3 / 2).min(LOOK.1);
    }
}
