//! `flowreg register`: registers what changed.

use std::time::{Duration, Instant};

use clap::Args;

use super::arguments::ReferenceArguments;
use super::arguments::RunArguments;
use super::error;
use super::gather::Explained;
use super::plan::{self, Prepared, Tally};
use super::session::JOBS;
use super::{CommandResult, Context, exit, outstanding, session};
use crate::output::{ErrorReport, ItemReport, RunReport, RunSummary};
use crate::push::QueuedTarget;
use crate::registration::{Applied, Outcome, apply};
use crate::store::{LedgerEntry, Store, StoreError};
use flowreg_model::TargetDescription;

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

pub(super) fn run(context: &Context, arguments: &RegisterArguments) -> CommandResult {
    if arguments.dry_run {
        return plan::show(context, &arguments.common, false);
    }
    if arguments.watch {
        return Ok(watch(context, arguments));
    }
    let Registered { code, applied, .. } = register(context, arguments)?;
    // The process ends here: taking thousands of registrations apart would only take time.
    std::mem::forget(applied);
    Ok(code)
}

/// Registers again whenever the reference is at another commit. An error does not end it: a push
/// or the next commit may mend it.
fn watch(context: &Context, arguments: &RegisterArguments) -> u8 {
    // What moved is seen here; the remote is asked only when there is something to register.
    let local = ReferenceArguments { offline: true, ..arguments.common.reference.clone() };
    let mut seen = None;
    let mut retry_at = Some(Instant::now());
    while !context.interrupt.is_requested() {
        let current = session::open(context, &local)
            .and_then(session::Resolved::reference)
            .map(|(_, reference, _)| reference.commit)
            .ok();
        let is_due = retry_at.is_some_and(|at| Instant::now() >= at);
        if current != seen || is_due {
            retry_at = match register(context, arguments) {
                Ok(_) => None,
                Err(error) => {
                    context.printer.error(&error.report());
                    Some(Instant::now() + WATCH_RETRY)
                }
            };
            seen = current;
        }
        std::thread::sleep(WATCH_INTERVAL);
    }
    exit::INTERRUPTED
}

/// What came of a run.
pub(super) struct Registered {
    /// The exit code that says so.
    pub code: u8,
    /// All of it, to be printed.
    pub report: RunReport,
    /// Where it was registered.
    pub target: QueuedTarget,
    applied: Vec<Applied>,
}

impl Registered {
    /// Whether the same run may go well later: the target could not be reached, had an error of its
    /// own, or there was no time.
    pub(super) fn is_worth_repeating(&self) -> bool {
        self.code == exit::INTERRUPTED
            || self.applied.iter().any(|one| match &one.outcome {
                Outcome::Failed(error) => error.is_passing(),
                Outcome::NotTried => true,
                _ => false,
            })
    }
}

fn register(
    context: &Context,
    arguments: &RegisterArguments,
) -> Result<Registered, error::CommandError> {
    let registered = carry_out(context, &arguments.common, arguments.jobs.map(usize::from))?;
    context.printer.run(&registered.report);
    context.printer.problems(&plan::with_excerpts(&registered.report.errors));
    let RunArguments { flows, since, .. } = &arguments.common;
    let is_whole = !flows.is_restricted() && since.changed_since.is_none();
    if registered.code == exit::DONE && is_whole {
        outstanding::settle(context, &registered.report.reference, &registered.target);
    }
    Ok(registered)
}

/// Plans and writes, and prints nothing.
pub(super) fn carry_out(
    context: &Context,
    arguments: &RunArguments,
    jobs: Option<usize>,
) -> Result<Registered, error::CommandError> {
    let started = Instant::now();
    let Prepared {
        session,
        reference,
        repository,
        target,
        plan,
        problems,
        mut notices,
        unbuilt,
        explained,
        left_out,
    } = plan::prepare(context, arguments, jobs)?;
    let summary = plan.summary();
    let progress = context.printer.progress("registering", summary.create + summary.update);
    let interrupt = &context.interrupt;
    interrupt.expect();
    let applied =
        apply(plan, target.as_ref(), jobs.unwrap_or(JOBS), &|done| progress.set(done), &|| {
            interrupt.is_requested()
        });
    drop(progress);
    let description = target.describe();
    let chosen = outstanding::chosen(&session.target);
    if let Err(error) = record(&session.repository, &description, &applied) {
        notices.push(format!("the ledger could not be written: {error}"));
    }
    let tally = tally(&applied, unbuilt.len(), plan::invalid(&problems));
    let report = RunReport {
        target: description,
        repository,
        reference,
        summary: summary_of(&applied, unbuilt.len(), plan::invalid(&problems), left_out),
        registrations: applied
            .iter()
            .map(|one| applied_report(one, &explained, interrupt.is_requested()))
            .chain(unbuilt.into_iter().map(refused))
            .collect(),
        errors: problems,
        notices,
        duration_ms: Some(started.elapsed().as_millis()),
    };
    let code = if interrupt.is_requested() { exit::INTERRUPTED } else { tally.exit_code() };
    Ok(Registered { code, report, target: chosen, applied })
}

fn refused(item: ItemReport) -> ItemReport {
    ItemReport { outcome: Some("refused"), ..item }
}

fn tally(applied: &[Applied], unbuilt: usize, invalid: usize) -> Tally {
    let mut tally = Tally { good: 0, refused: unbuilt, invalid, failed: None };
    for one in applied {
        match &one.outcome {
            Outcome::Created | Outcome::Updated | Outcome::Unchanged => tally.good += 1,
            Outcome::Refused(_) => tally.refused += 1,
            Outcome::Failed(error) => {
                tally.failed = tally.failed.or(Some(error::target_codes(error).0));
            }
            Outcome::NotTried => {}
        }
    }
    tally
}

fn summary_of(applied: &[Applied], unbuilt: usize, invalid: usize, left_out: usize) -> RunSummary {
    let count = |word| applied.iter().filter(|one| word_of(&one.outcome) == word).count();
    RunSummary(vec![
        ("created", count("created")),
        ("updated", count("updated")),
        ("unchanged", count("unchanged")),
        ("refused", count("refused") + unbuilt),
        ("failed", count("failed") + invalid),
        ("left_out", left_out),
    ])
}

fn word_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused(_) => "refused",
        Outcome::Failed(_) | Outcome::NotTried => "failed",
    }
}

fn applied_report(one: &Applied, explained: &Explained, is_interrupted: bool) -> ItemReport {
    ItemReport {
        outcome: Some(word_of(&one.outcome)),
        id: one.id.clone(),
        error: match &one.outcome {
            Outcome::Refused(refusal) => Some(error::refusal_report(refusal)),
            Outcome::Failed(error) => Some(error::target_report(error)),
            Outcome::NotTried => Some(not_tried(is_interrupted)),
            _ => None,
        },
        ..plan::planned_report(&one.planned, explained)
    }
}

fn not_tried(is_interrupted: bool) -> ErrorReport {
    let (code, message) = if is_interrupted {
        ("interrupted", "not registered, as the run was interrupted; run it again")
    } else {
        ("not_tried", "not tried, as the target can't be reached")
    };
    ErrorReport {
        code: code.to_owned(),
        message: message.to_owned(),
        causes: Vec::new(),
        hints: Vec::new(),
    }
}

/// Appends what was written to the ledger; a run that wrote nothing leaves no trace.
fn record(
    repository: &flowreg_git::Repository,
    target: &TargetDescription,
    applied: &[Applied],
) -> Result<(), StoreError> {
    let at = super::now();
    let target = target.url.as_deref().unwrap_or(target.kind.as_str());
    let entries: Vec<LedgerEntry> = applied
        .iter()
        .filter(|one| matches!(one.outcome, Outcome::Created | Outcome::Updated))
        .map(|one| {
            let registration = &one.planned.registration;
            LedgerEntry {
                at: at.clone(),
                target: target.to_owned(),
                action: word_of(&one.outcome).to_owned(),
                flow: registration.flow.to_string(),
                deployment: registration.deployment.to_string(),
                kind: registration.reference.name.kind().to_owned(),
                reference: registration.reference.name.as_str().to_owned(),
                commit: registration.reference.commit.as_str().to_owned(),
            }
        })
        .collect();
    if entries.is_empty() {
        return Ok(());
    }
    Store::open(repository.common_dir())?.append_to_ledger(&entries)
}
