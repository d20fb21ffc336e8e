//! `flowreg reference`: the code reference and why.

use clap::Args;

use super::arguments::ReferenceArguments;
use super::error::CommandError;
use super::{CommandResult, Context, exit};
use crate::output::ReferenceReport;
use crate::run::Notice;

#[derive(Debug, Args)]
pub(super) struct ReferenceCommandArguments {
    #[command(flatten)]
    reference: ReferenceArguments,
    /// Print every rung of the ladder and why it was taken or refused
    #[arg(long)]
    explain: bool,
}

pub(super) fn run(context: &Context<'_>, arguments: &ReferenceCommandArguments) -> CommandResult {
    let opened = context.open()?;
    let climbed = opened.climb(&arguments.reference.choice())?;
    let resolution = &climbed.resolution;
    let error = resolution.reference.as_ref().err().cloned().map(CommandError::from);
    let notices = resolution.notices.iter().cloned().map(Notice::from).collect();
    let notices = context.notices(notices);
    let report = ReferenceReport {
        reference: resolution.reference.as_ref().ok(),
        further: &resolution.further,
        ladder: &resolution.ladder,
        notices: &notices,
        needs_proof: climbed.configured.target.needs_remote(),
        error: error.as_ref().map(|error| context.completed(error.report())),
    };
    context.printer.reference(&report, arguments.explain);
    Ok(error.map_or(exit::DONE, |error| error.exit_code))
}
