//! `flowreg prune`: removes the registrations of feature branches that the remote no longer has.

use clap::Args;
use flowreg_model::{BranchName, RemoteName};

use super::error::{target_codes, target_report};
use super::{CommandResult, Context, exit};
use crate::output::{PruneReport, PrunedRegistration};
use crate::run::{PruneRequest, Pruned, PrunedBranch};

#[derive(Debug, Args)]
pub(super) struct PruneArguments {
    /// Only those of this branch
    #[arg(long, value_name = "BRANCH")]
    branch: Option<BranchName>,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
    /// The remote that has the branches
    #[arg(long, value_name = "NAME")]
    remote: Option<RemoteName>,
}

impl PruneArguments {
    /// Whether anything may be removed.
    pub(super) fn removes(&self) -> bool {
        !self.dry_run
    }
}

pub(super) fn run(context: &Context<'_>, arguments: &PruneArguments) -> CommandResult {
    let PruneArguments { branch, dry_run, remote } = arguments;
    let (branch, remote) = (branch.clone(), remote.clone());
    let opened = context.open()?;
    let pruned = opened.prune(&PruneRequest { branch, dry_run: *dry_run, remote })?;
    let code = exit_code(&pruned);
    context.printer.prune(&PruneReport {
        target: pruned.target,
        registrations: pruned.registrations.into_iter().map(reported).collect(),
        notices: context.notices(pruned.notices),
    });
    Ok(code)
}

fn exit_code(pruned: &Pruned) -> u8 {
    let outcomes = || pruned.registrations.iter().filter_map(|one| one.outcome.as_ref());
    let failed = outcomes().find_map(|outcome| outcome.as_ref().err());
    let is_any_removed = outcomes().any(Result::is_ok);
    // The first error stands for all: mostly the server went away, and all others are the same.
    match failed {
        None => exit::DONE,
        Some(_) if is_any_removed => exit::PARTIAL,
        Some(error) => target_codes(error).0,
    }
}

fn reported(pruned: PrunedBranch) -> PrunedRegistration {
    let PrunedBranch { flow, deployment, branch, outcome } = pruned;
    let word = match &outcome {
        None => "remove",
        Some(Ok(())) => "removed",
        Some(Err(_)) => "failed",
    };
    let error = outcome.and_then(Result::err).as_ref().map(target_report);
    PrunedRegistration { flow, deployment, branch, outcome: word, error }
}
