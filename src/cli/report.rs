//! From the results of a run to what is printed, and to the exit code.

use flowreg_model::FlowProblem;
use serde_json::{Value, json};

use super::error::{refusal_report, target_codes, target_report};
use super::{Context, exit};
use crate::output::{ChangeReport, ErrorReport, ItemReport, RunReport, RunSummary};
use crate::registration::{Action, Applied, Change, Outcome, Planned, origin_of};
use crate::run::{
    AppliedRun, Explained, FieldOrigins, PlannedRun, Unbuilt, invalid, not_tried, word_of,
};

/// What stands for a secret in reports.
const HIDDEN: &str = "(hidden)";

/// A plan, as it is printed, and the exit code that says whether it can be carried out.
pub(super) fn planned(context: &Context<'_>, planned: PlannedRun<'_>) -> (RunReport, u8) {
    let summary = planned.plan.summary();
    let refused = summary.refuse + planned.unbuilt.len();
    let good = planned.plan.items.len() - summary.refuse;
    let failed = invalid(&planned.problems);
    let code = Tally { good, refused, invalid: failed, failed: None }.exit_code();
    let items = planned.plan.items.iter().map(|item| planned_item(item, &planned.explained));
    let report = RunReport {
        target: planned.target(),
        repository: planned.repository_url.to_string(),
        reference: planned.reference().clone(),
        registrations: items.chain(planned.unbuilt.into_iter().map(unbuilt)).collect(),
        errors: planned.problems,
        notices: context.notices(planned.notices),
        summary: RunSummary(vec![
            ("create", summary.create),
            ("update", summary.update),
            ("unchanged", summary.unchanged),
            ("remove", summary.remove),
            ("refuse", refused),
            ("failed", failed),
            ("left_out", planned.left_out),
        ]),
        duration_ms: None,
    };
    (report, code)
}

/// What became of a run, as it is printed, and the exit code that says so.
pub(super) fn applied(
    context: &Context<'_>,
    applied: AppliedRun,
    duration_ms: u128,
) -> (RunReport, u8) {
    let code = exit_code(&applied);
    let summary = RunSummary(applied.summary());
    let AppliedRun { is_interrupted, ref registrations, ref explained, .. } = applied;
    let items: Vec<ItemReport> =
        registrations.iter().map(|one| applied_item(one, explained, is_interrupted)).collect();
    let refused = applied
        .unbuilt
        .into_iter()
        .map(|one| ItemReport { outcome: Some("refused"), ..unbuilt(one) });
    let report = RunReport {
        target: applied.target,
        repository: applied.repository,
        reference: applied.reference,
        registrations: items.into_iter().chain(refused).collect(),
        errors: applied.problems,
        notices: context.notices(applied.notices),
        summary,
        duration_ms: Some(duration_ms),
    };
    // The process ends soon, and freeing thousands of registrations with their schemas takes
    // noticeable time for nothing.
    std::mem::forget(applied.registrations);
    (report, code)
}

fn exit_code(applied: &AppliedRun) -> u8 {
    // Whatever was registered before: the shell has to see that the run was ended by the user.
    if applied.is_interrupted {
        return exit::INTERRUPTED;
    }
    let invalid = invalid(&applied.problems);
    let mut tally = Tally { good: 0, refused: applied.unbuilt.len(), invalid, failed: None };
    for one in &applied.registrations {
        match &one.outcome {
            Outcome::Created | Outcome::Updated | Outcome::Unchanged => tally.good += 1,
            Outcome::Refused(_) => tally.refused += 1,
            Outcome::Failed(error) => tally.failed = tally.failed.or(Some(target_codes(error).0)),
            Outcome::NotTried => {}
        }
    }
    tally.exit_code()
}

/// How many registrations went which way.
struct Tally {
    /// Registered, or as they should be.
    good: usize,
    /// Refused by a guard.
    refused: usize,
    /// Problems in sources.
    invalid: usize,
    /// The exit code of the first one that the target did not take.
    failed: Option<u8>,
}

impl Tally {
    /// Partial if some registrations succeeded and others did not; else the code of what went wrong.
    /// A target's error comes first, because a job that sees "unreachable" may simply repeat.
    fn exit_code(&self) -> u8 {
        match (self.failed, self.refused, self.invalid) {
            (None, 0, 0) => exit::DONE,
            _ if self.good > 0 => exit::PARTIAL,
            (Some(code), ..) => code,
            (None, 0, _) => exit::FLOW_SOURCE,
            (None, ..) => exit::REFUSED,
        }
    }
}

/// The problems whose place in the source is worth showing once more, in full.
pub(super) fn with_excerpts(problems: &[FlowProblem]) -> Vec<FlowProblem> {
    problems.iter().filter(|problem| problem.excerpt.is_some()).cloned().collect()
}

fn planned_item(item: &Planned, explained: &Explained) -> ItemReport {
    let origins = explained.of(&item.registration);
    ItemReport {
        flow: item.registration.flow.to_string(),
        deployment: item.registration.deployment.to_string(),
        entrypoint: item.registration.entrypoint.to_string(),
        action: item.action.as_str(),
        outcome: None,
        id: item.held.as_ref().and_then(|held| held.id.clone()),
        changes: item.changes.iter().map(|change| reported(change, origins)).collect(),
        error: match &item.action {
            Action::Refuse(refusal) => Some(refusal_report(refusal)),
            _ => None,
        },
    }
}

fn applied_item(one: &Applied, explained: &Explained, is_interrupted: bool) -> ItemReport {
    ItemReport {
        outcome: Some(word_of(&one.outcome)),
        id: one.id.clone(),
        error: match &one.outcome {
            Outcome::Refused(refusal) => Some(refusal_report(refusal)),
            Outcome::Failed(error) => Some(target_report(error)),
            Outcome::NotTried => {
                let (code, message) = not_tried(is_interrupted);
                Some(error_report(code.to_owned(), message.to_owned(), Vec::new()))
            }
            _ => None,
        },
        ..planned_item(&one.planned, explained)
    }
}

fn unbuilt(unbuilt: Unbuilt) -> ItemReport {
    let Unbuilt { flow, deployment, entrypoint, code, message, hints } = unbuilt;
    ItemReport {
        flow,
        deployment,
        entrypoint,
        action: "refuse",
        outcome: None,
        id: None,
        changes: Vec::new(),
        error: Some(error_report(code, message, hints)),
    }
}

fn error_report(code: String, message: String, hints: Vec<String>) -> ErrorReport {
    ErrorReport { code, message, causes: Vec::new(), hints }
}

/// A change with its reason, and without a secret.
fn reported(change: &Change, origins: Option<&FieldOrigins>) -> ChangeReport {
    let Change { field, from, to } = change;
    // A secret hides what is below it, and also what it is below of: a change of the whole
    // `job_variables` would show the value inside.
    let hides = |secret: &String| {
        let below = |one: &str, other: &str| {
            other.strip_prefix(one).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        };
        below(secret, field) || below(field, secret)
    };
    let is_secret = origins.is_some_and(|known| known.secrets.iter().any(hides));
    let shown = |value: &Value| match value {
        Value::Null => Value::Null,
        _ if is_secret => json!(HIDDEN),
        other => other.clone(),
    };
    let why = origins.and_then(|known| origin_of(&known.origins, field));
    let is_gone = to.is_null() && !from.is_null();
    let why = if is_gone { why.or(Some("no longer declared")) } else { why };
    let why = why.or_else(|| field.starts_with("labels.").then_some("the mark of what is ours"));
    ChangeReport {
        field: field.clone(),
        from: shown(from),
        to: shown(to),
        why: why.map(ToOwned::to_owned),
    }
}
