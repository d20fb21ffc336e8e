//! `flowreg plan`: what register would do.

use clap::Args;

use super::arguments::RunArguments;
use super::{CommandResult, Context, exit, report};

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    #[command(flatten)]
    common: RunArguments,
    /// Exit with 9 if there is anything to change
    #[arg(long)]
    exit_code: bool,
}

pub(super) fn run(context: &Context<'_>, arguments: &PlanArguments) -> CommandResult {
    show(context, &arguments.common, arguments.exit_code)
}

/// Plans and prints, and writes nothing.
pub(super) fn show(
    context: &Context<'_>,
    arguments: &RunArguments,
    exit_code: bool,
) -> CommandResult {
    let opened = context.open()?;
    let request = arguments.request(None);
    let mut planned = opened.plan(&request)?;
    // Only here and not in `register`: it costs reading every file again and a request, and tells of
    // code that fails later, whatever is registered.
    planned.notices.extend(planned.missing_children()?);
    let summary = planned.plan.summary();
    let is_changing = summary.create + summary.update + summary.remove > 0;
    let (report, code) = report::planned(context, planned);
    context.printer.run(&report);
    context.printer.problems(&report::with_excerpts(&report.errors));
    Ok(if code == exit::DONE && exit_code && is_changing { exit::CHANGES } else { code })
}
