//! `flowreg flows`: the flows at the reference.

use clap::Args;
use flowreg_git::Untagged;
use flowreg_model::{FlowProblem, ProblemCode};

use super::arguments::{FlowArguments, ReferenceArguments};
use super::{CommandResult, Context, exit};
use crate::output::{ExplanationsReport, FlowsReport, ListedFlow};
use crate::run::{FlowList, ReferenceChoice};

#[derive(Debug, Args)]
pub(super) struct FlowsArguments {
    #[command(flatten)]
    flows: FlowArguments,
    #[command(flatten)]
    reference: ReferenceArguments,
    /// Show where name, description and parameters come from: line, rule, or why they are not exact.
    #[arg(long)]
    explain: bool,
    /// Only flows that are affected by what changed since a revision, and why
    #[arg(long, value_name = "REVISION")]
    affected_by: Option<String>,
}

pub(super) fn run(context: &Context<'_>, arguments: &FlowsArguments) -> CommandResult {
    // Nothing is registered here, so a mainline branch without a tag is no error: its newest commit
    // is shown.
    let choice = arguments.reference.choice();
    let untagged = choice.untagged.or(Some(Untagged::Branch));
    let opened = context.open()?;
    let referenced = opened.reference(&ReferenceChoice { untagged, ..choice })?;
    let base = arguments.affected_by.as_ref();
    let FlowList { flows, base, problems, notices } =
        referenced.list_flows(&arguments.flows.filter(), base, context.printer.shows_all())?;
    let mut all_notices = referenced.notices.clone();
    all_notices.extend(notices);
    let notices = context.notices(all_notices);
    if arguments.explain {
        let mut explanations = Vec::new();
        for listed in &flows {
            explanations.extend(referenced.explain(&listed.flow.entrypoint)?);
        }
        context.printer.explanations(&ExplanationsReport {
            reference: &referenced.reference,
            further: &referenced.further,
            explanations: &explanations,
            errors: &problems,
            notices: &notices,
        });
        return Ok(exit::DONE);
    }
    let listed = flows
        .iter()
        .map(|one| ListedFlow { flow: &one.flow, affected_by: one.affected_by.clone() });
    context.printer.flows(&FlowsReport {
        reference: &referenced.reference,
        further: &referenced.further,
        changed_since: base.as_ref(),
        flows: listed.collect(),
        errors: &problems,
        notices: &notices,
    });
    let is_empty = flows.is_empty();
    // The process ends here, and freeing the schemas of thousands of flows takes noticeable time for
    // nothing.
    std::mem::forget(flows);
    if problems.iter().any(|problem| problem.code == ProblemCode::Manifest) {
        return Ok(exit::CONFIGURATION);
    }
    let is_invalid = problems.iter().any(FlowProblem::is_error);
    Ok(match (is_invalid, is_empty) {
        (false, _) => exit::DONE,
        (true, true) => exit::FLOW_SOURCE,
        (true, false) => exit::PARTIAL,
    })
}
