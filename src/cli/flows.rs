//! `flowreg flows`: the flows at the reference.

use clap::Args;

use super::arguments::{ReferenceArguments, UntaggedWord};
use super::selection::FlowArguments;
use super::starts::Start;
use super::{CommandResult, Context, exit, prefect1, session};
use crate::introspection::IntrospectedScan;
use crate::output::{ExplanationsReport, FlowsReport, ListedFlow};
use crate::scan::Scan;
use flowreg_model::{Flow, FlowProblem};

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

pub(super) fn run(context: &Context, arguments: &FlowsArguments) -> CommandResult {
    // Reading needs no pin: an untagged mainline branch shows what is at its HEAD.
    let untagged = arguments.reference.untagged.or(Some(UntaggedWord::Branch));
    let reference = ReferenceArguments { untagged, ..arguments.reference.clone() };
    let (session, reference, mut notices) = session::open(context, &reference)?.reference()?;
    let since = arguments
        .affected_by
        .as_ref()
        .map(|revision| session.repository.commit_of(revision))
        .transpose()?;
    let IntrospectedScan { scan, notices: of_python, remarks, .. } = if session.is_prefect1() {
        prefect1::listed(context, &session, &reference)?
    } else {
        session.flows(context, &reference, &arguments.flows)?
    };
    let Scan { mut flows, imported, problems, files, .. } = scan;
    if context.printer.shows_all() {
        flows.extend(imported);
        flows.sort_by(|one, other| {
            (one.entrypoint.path(), one.line).cmp(&(other.entrypoint.path(), other.line))
        });
    }
    let mut flows = arguments.flows.select(flows)?;
    let affected = match &since {
        Some(base) => {
            let manifests = session.manifests(&reference)?;
            let starts: Vec<Start> =
                flows.iter().map(|flow| Start::of_script(flow.entrypoint.path())).collect();
            let starts: Vec<&Start> = starts.iter().collect();
            let sources = (&manifests, Some(files.as_slice()));
            Some(session.affected(context, (base, &reference), sources, &starts)?)
        }
        None => None,
    };
    let chain = |flow: &Flow| affected.as_ref()?.chain_of_flow(&flow.entrypoint);
    flows.retain(|flow| affected.is_none() || chain(flow).is_some());
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
        changed_since: since.as_ref(),
        flows: flows.iter().map(|flow| ListedFlow { flow, affected_by: chain(flow) }).collect(),
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
