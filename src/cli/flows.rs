//! `flowreg flows`: the flows at the reference.

use clap::Args;

use super::arguments::{ReferenceArguments, UntaggedWord};
use super::selection::FlowArguments;
use super::{CommandResult, Context, exit, session};
use crate::flow::Scan;
use crate::introspection::Introspected;
use crate::model::FlowProblem;
use crate::output::{ExplanationsReport, FlowsReport};

#[derive(Debug, Args)]
pub struct FlowsArguments {
    #[command(flatten)]
    flows: FlowArguments,
    #[command(flatten)]
    reference: ReferenceArguments,
    /// Show where name, description and parameters come from: line, rule, or why they are not exact.
    #[arg(long)]
    explain: bool,
}

pub fn run(context: &Context, arguments: &FlowsArguments) -> CommandResult {
    // Reading needs no pin: an untagged mainline branch shows what is at its HEAD.
    let untagged = arguments.reference.untagged.or(Some(UntaggedWord::Branch));
    let reference = ReferenceArguments { untagged, ..arguments.reference.clone() };
    let (session, reference, mut notices) = session::open(context, &reference)?.reference()?;
    let Introspected { scan, notices: of_python, remarks, .. } =
        session.flows(context, &reference, &arguments.flows)?;
    let Scan { mut flows, imported, problems, .. } = scan;
    if context.printer.shows_all() {
        flows.extend(imported);
        flows.sort_by(|one, other| {
            (one.entrypoint.path(), one.line).cmp(&(other.entrypoint.path(), other.line))
        });
    }
    let flows = arguments.flows.select(flows)?;
    notices.extend(of_python);
    notices
        .extend(flows.iter().filter_map(|flow| remarks.get(&flow.entrypoint)).flatten().cloned());
    if arguments.explain {
        let mut explanations = Vec::new();
        for flow in &flows {
            explanations.extend(session.explain(&reference, &flow.entrypoint)?);
        }
        context.printer.explanations(&ExplanationsReport {
            reference: &reference,
            explanations: &explanations,
            errors: &problems,
            notices: &notices,
        });
        return Ok(exit::DONE);
    }
    context.printer.flows(&FlowsReport {
        reference: &reference,
        flows: &flows,
        errors: &problems,
        notices: &notices,
    });
    let is_empty = flows.is_empty();
    // The process ends here: to take all schemas apart first would only make it wait.
    std::mem::forget(flows);
    let is_invalid = problems.iter().any(FlowProblem::is_error);
    Ok(match (is_invalid, is_empty) {
        (false, _) => exit::DONE,
        (true, true) => exit::FLOW_SOURCE,
        (true, false) => exit::PARTIAL,
    })
}
