//! `flowreg register`: registers what changed.

use std::time::{Duration, Instant};

use clap::Args;

use super::arguments::RunArguments;
use super::error::CommandError;
use super::{CommandResult, Context, exit, plan, report};
use crate::run::{ReferenceChoice, forget_registered};

/// How often `--watch` looks at the reference.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);
/// When `--watch` tries again after an error.
const WATCH_RETRY: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct RegisterArguments {
    #[command(flatten)]
    common: RunArguments,
    /// Only show what would be done, as `flowreg plan`
    #[arg(long)]
    dry_run: bool,
    /// At most this many writes at once; the server may get fewer [default: 8, or 1 for a server
    /// on this machine]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Go on, and register again whenever the reference moves
    #[arg(long, conflicts_with = "dry_run")]
    watch: bool,
}

impl RegisterArguments {
    /// Whether anything may be written.
    pub(super) fn writes(&self) -> bool {
        !self.dry_run
    }
}

pub(super) fn run(context: &Context<'_>, arguments: &RegisterArguments) -> CommandResult {
    if arguments.dry_run {
        return plan::show(context, &arguments.common, false);
    }
    if arguments.watch {
        return watch(context, arguments);
    }
    register(context, arguments)
}

/// Registers again whenever the reference is at another commit. An error does not end it: a push
/// or the next commit may mend it.
///
/// # Errors
/// If the configuration is wrong from the start, as in a build without a server: nothing would come of it.
fn watch(context: &Context<'_>, arguments: &RegisterArguments) -> CommandResult {
    // This looks once a second, so it must not ask the remote. A commit or a fetch moves the
    // reference here; only then the remote is asked, as part of registering.
    let local = ReferenceChoice { offline: true, ..arguments.common.reference.choice() };
    let commit = || {
        let opened = context.open()?;
        let referenced = opened.reference(&local)?;
        Ok::<_, CommandError>(referenced.reference.commit)
    };
    let mut seen = None;
    let mut retry_at = Some(Instant::now());
    let mut is_first = true;
    while !context.surroundings.interrupt.is_requested() {
        let current = commit().ok();
        let is_due = retry_at.is_some_and(|at| Instant::now() >= at);
        if current != seen || is_due {
            retry_at = match register(context, arguments) {
                Ok(_) => None,
                Err(error) if is_first && error.exit_code == exit::CONFIGURATION => {
                    return Err(error);
                }
                Err(error) => {
                    context.print_error(&error);
                    Some(Instant::now() + WATCH_RETRY)
                }
            };
            seen = current;
            is_first = false;
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
    Ok(exit::INTERRUPTED)
}

fn register(context: &Context<'_>, arguments: &RegisterArguments) -> CommandResult {
    let started = Instant::now();
    let opened = context.open()?;
    let request = arguments.common.request(arguments.jobs);
    let applied = opened.plan(&request)?.apply();
    // A run of some flows does not stand for the queued push of the same commit, which is about all.
    let is_whole = !request.flows.is_restricted() && request.changed_since.is_none();
    if is_whole && applied.is_complete() {
        forget_registered(&opened, &applied);
    }
    let (report, code) = report::applied(context, applied, started.elapsed().as_millis());
    context.printer.run(&report);
    context.printer.problems(&report::with_excerpts(&report.errors));
    Ok(code)
}
