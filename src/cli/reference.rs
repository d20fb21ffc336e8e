//! `flowreg reference`: the code reference and why.

use clap::Args;

use super::arguments::ReferenceArguments;
use super::error::CommandError;
use super::session::{self, Resolved};
use super::{CommandResult, Context, exit};
use crate::output::ReferenceReport;

#[derive(Debug, Args)]
pub(super) struct ReferenceCommandArguments {
    #[command(flatten)]
    reference: ReferenceArguments,
    /// Print every rung of the ladder and why it was taken or refused
    #[arg(long)]
    explain: bool,
}

pub(super) fn run(context: &Context, arguments: &ReferenceCommandArguments) -> CommandResult {
    let Resolved { session, resolution } = session::open(context, &arguments.reference)?;
    let error = resolution.reference.as_ref().err().cloned().map(CommandError::from);
    let report = ReferenceReport {
        reference: resolution.reference.as_ref().ok(),
        ladder: &resolution.ladder,
        notices: &resolution.notices,
        needs_proof: session.target.needs_remote(),
        error: error.as_ref().map(CommandError::report),
    };
    context.printer.reference(&report, arguments.explain);
    Ok(error.map_or(exit::DONE, |error| error.exit_code))
}
