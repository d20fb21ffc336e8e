//! `flowreg sync`: delivers the pushes that wait, and shows them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::error::CommandError;
use super::{CommandResult, Context, exit, hook_command};
use crate::output::{QueueReport, QueuedItem, SyncReport};
use crate::push::{
    DecisionLog, DeliveryPolicy, OutboxRecord, PushState, QueuedPush, deliver, outbox_records,
};
use crate::run::{Registrar, Surroundings};
use crate::store::{Outbox, OutboxLockKind};
use flowreg_git::Repository;

/// How much of the log `--status` shows.
const RECENT: usize = 10;
/// How long `--discard` waits for a delivery to end.
const DISCARD_PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
pub(super) struct SyncArguments {
    /// Only show what waits, and why
    #[arg(long)]
    status: bool,
    /// Forget what waits for this branch, tag or id, without registering it
    #[arg(long, value_name = "NAME", conflicts_with = "status")]
    discard: Option<String>,
}

pub(super) fn run(context: &Context<'_>, arguments: &SyncArguments) -> CommandResult {
    let Surroundings { directory, environment, .. } = context.surroundings;
    let repository = Arc::new(Repository::discover(directory, environment)?);
    let outbox = Outbox::of(repository.common_dir());
    if arguments.status {
        context.printer.queue(&status(&outbox));
        return Ok(exit::DONE);
    }
    if let Some(name) = &arguments.discard {
        return discard(context, &outbox, name);
    }
    let policy = DeliveryPolicy {
        is_requested: true,
        // The same time after a push in which a watcher would ask the remote again, as a mirror may
        // show it only then.
        patience: hook_command::rechecks(environment).iter().sum(),
    };
    let registrar = Registrar::new(context.surroundings, &repository);
    let passed = deliver(&outbox, &repository, &registrar, policy)?
        .ok_or_else(CommandError::outbox_is_busy)?;
    let left = items(outbox_records(&outbox));
    let code = if passed.is_misconfigured {
        exit::CONFIGURATION
    } else {
        exit_code(!passed.delivered.is_empty(), &left)
    };
    context.printer.sync(&SyncReport {
        delivered: passed.delivered.iter().map(|(push, what)| item(None, push, what)).collect(),
        dropped: passed.dropped.iter().map(|(push, why)| item(None, push, why)).collect(),
        waiting: left,
    });
    Ok(code)
}

/// The exit code for what is left in the outbox: partial if something was delivered; refused if a
/// person has to act; else unreachable, as the same command may succeed later.
fn exit_code(is_delivered: bool, left: &[QueuedItem]) -> u8 {
    let refused = |item: &&QueuedItem| matches!(item.state, None | Some("refused"));
    match (left.is_empty(), is_delivered) {
        (true, _) => exit::DONE,
        (false, true) => exit::PARTIAL,
        (false, false) if left.iter().any(|item| refused(&item)) => exit::REFUSED,
        (false, false) => exit::TARGET_UNREACHABLE,
    }
}

fn status(outbox: &Outbox) -> QueueReport {
    let log = DecisionLog::of(outbox);
    QueueReport {
        waiting: items(outbox_records(outbox)),
        is_watched: outbox.is_locked(OutboxLockKind::Watch),
        log: log.path().display().to_string(),
        recent: log.recent(RECENT),
    }
}

fn items(records: Vec<OutboxRecord>) -> Vec<QueuedItem> {
    let read = |OutboxRecord { id, push }| match push {
        Ok(push) => item(Some(id), &push, push.reason.as_deref().unwrap_or("not looked at yet")),
        Err(error) => QueuedItem { reason: error.to_string(), ..QueuedItem::unreadable(id) },
    };
    records.into_iter().map(read).collect()
}

fn item(id: Option<String>, push: &QueuedPush, reason: &str) -> QueuedItem {
    QueuedItem {
        kind: Some(push.kind()),
        name: Some(push.short_name().to_owned()),
        commit: push.commit.as_ref().or(push.object.as_ref()).map(ToString::to_string),
        remote: Some(push.remote.clone()),
        url: Some(push.url.clone()),
        state: id.is_some().then(|| PushState::as_str(push.state)),
        reason: reason.to_owned(),
        queued_at: Some(push.queued_at_text()),
        deliveries: push.deliveries,
        id,
    }
}

fn discard(context: &Context<'_>, outbox: &Outbox, name: &str) -> CommandResult {
    // A delivery that is under way writes its records again when it ends, so one that is removed
    // meanwhile would come back.
    let _lock = outbox
        .lock(OutboxLockKind::Deliver, DISCARD_PATIENCE)?
        .ok_or_else(CommandError::outbox_is_busy)?;
    let is_meant = |outbox_records: &OutboxRecord| {
        let of_push = |push: &QueuedPush| push.short_name() == name || push.reference == name;
        outbox_records.id == name || outbox_records.push.as_ref().is_ok_and(of_push)
    };
    let meant: Vec<OutboxRecord> = outbox_records(outbox).into_iter().filter(is_meant).collect();
    if meant.is_empty() {
        let hints = vec!["flowreg sync --status".to_owned()];
        return Err(CommandError::usage(format!("nothing waits for `{name}`"), hints));
    }
    let log = DecisionLog::of(outbox);
    for one in &meant {
        log.write(name, "discarded by hand");
        outbox.remove(&one.id)?;
    }
    let left = items(outbox_records(outbox));
    context.printer.sync(&SyncReport {
        delivered: Vec::new(),
        dropped: items(meant),
        waiting: left,
    });
    Ok(exit::DONE)
}
