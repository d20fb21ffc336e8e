//! `flowreg sync`: delivers the pushes that wait, and shows them.

use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use super::error::CommandError;
use super::{CommandResult, Context, exit};
use crate::output::{QueueReport, QueuedItem, SyncReport};
use crate::push::{
    DecisionLog, DeliveryPolicy, OutboxRecord, deliver, discard, outbox_records, rechecks,
};
use crate::run::{Registrar, Surroundings};
use crate::store::{Outbox, OutboxLockKind};
use flowreg_git::Repository;
use flowreg_model::{escaped, quoted};

/// How much of the log `--status` shows.
const RECENT: usize = 10;
/// How long `--discard` waits for a delivery to end.
const DISCARD_PATIENCE: Duration = Duration::from_mins(1);

#[derive(Debug, Args)]
pub(super) struct SyncArguments {
    /// Only show what waits, and why
    #[arg(long)]
    status: bool,
    /// Forget what waits for these branches, tags or ids, or globs of them
    #[arg(long, value_name = "NAME", num_args = 1.., conflicts_with = "status")]
    discard: Vec<String>,
    /// Register at the target that is configured now, whatever it was queued for
    #[arg(long, conflicts_with_all = ["status", "discard"])]
    retarget: bool,
}

pub(super) fn run(context: &Context<'_>, arguments: &SyncArguments) -> CommandResult {
    let Surroundings { directory, environment, .. } = context.surroundings;
    let repository = Arc::new(Repository::discover(directory, environment)?);
    let outbox = Outbox::of(repository.common_dir());
    if arguments.status {
        context.printer.queue(&status(context, &outbox));
        return Ok(exit::DONE);
    }
    if !arguments.discard.is_empty() {
        return forget(context, &outbox, &arguments.discard);
    }
    let policy = DeliveryPolicy {
        is_requested: true,
        is_retargeted: arguments.retarget,
        // The same time after a push in which a watcher would ask the remote again, as a mirror may
        // show it only then.
        patience: rechecks(environment).iter().sum(),
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
        delivered: passed.delivered.iter().map(|(push, what)| QueuedItem::of(push, what)).collect(),
        dropped: passed.dropped.iter().map(|(push, why)| QueuedItem::of(push, why)).collect(),
        way_out: way_out(context, &left),
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

fn status(context: &Context<'_>, outbox: &Outbox) -> QueueReport {
    let log = DecisionLog::of(outbox);
    let waiting = items(outbox_records(outbox));
    QueueReport {
        way_out: way_out(context, &waiting),
        waiting,
        is_watched: outbox.is_locked(OutboxLockKind::Watch),
        log: log.path().display().to_string(),
        recent: log.recent(RECENT),
    }
}

/// How to be rid of what waits.
fn way_out(context: &Context<'_>, waiting: &[QueuedItem]) -> Option<String> {
    // A record that can't be read has no name, but an id.
    let name = |item: &'_ QueuedItem| item.name.clone().or_else(|| item.id.clone());
    let names: Vec<String> = waiting.iter().filter_map(name).collect();
    let name = match names.as_slice() {
        [] => return None,
        [name] => quoted(&escaped(name)).into_owned(),
        _ => "NAME…".to_owned(),
    };
    Some(context.command.complete(&format!("flowreg sync … --discard {name}")))
}

fn items(records: Vec<OutboxRecord>) -> Vec<QueuedItem> {
    records.into_iter().map(QueuedItem::from).collect()
}

fn forget(context: &Context<'_>, outbox: &Outbox, names: &[String]) -> CommandResult {
    // A delivery that is under way writes its records again when it ends, so one that is removed
    // meanwhile would come back.
    let _lock = outbox
        .lock(OutboxLockKind::Deliver, DISCARD_PATIENCE)?
        .ok_or_else(CommandError::outbox_is_busy)?;
    let dropped = items(discard(outbox, names)?);
    let waiting = items(outbox_records(outbox));
    let way_out = way_out(context, &waiting);
    context.printer.sync(&SyncReport { delivered: Vec::new(), dropped, waiting, way_out });
    Ok(exit::DONE)
}
