//! `flowreg flows`: the flows at the reference.

use clap::Args;

use super::arguments::ReferenceArguments;
use super::selection::FlowArguments;
use super::{CommandResult, Context, exit, session};
use crate::model::FlowProblem;
use crate::output::FlowsReport;

#[derive(Debug, Args)]
pub struct FlowsArguments {
    #[command(flatten)]
    flows: FlowArguments,
    #[command(flatten)]
    reference: ReferenceArguments,
}

pub fn run(context: &Context, arguments: &FlowsArguments) -> CommandResult {
    let (session, reference, notices) =
        session::open(context, &arguments.reference)?.reference()?;
    for notice in &notices {
        context.printer.warning(notice);
    }
    let scan = session.scan(&reference)?;
    let flows = arguments.flows.select(&scan.flows)?;
    context.printer.flows(&FlowsReport {
        reference: &reference,
        flows: &flows,
        errors: &scan.problems,
    });
    let is_invalid = scan.problems.iter().any(FlowProblem::is_error);
    Ok(match (is_invalid, flows.is_empty()) {
        (false, _) => exit::DONE,
        (true, true) => exit::FLOW_SOURCE,
        (true, false) => exit::PARTIAL,
    })
}
