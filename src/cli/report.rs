//! From the results of a run to what is printed, and to the exit code.

use flowreg_model::FlowProblem;
use serde_json::{Value, json};

use super::error::{refusal_report, target_codes, target_report};
use super::{Context, exit};
use crate::output::{ChangeReport, ErrorReport, ItemReport, RunReport, RunSummary};
use crate::registration::{Action, Applied, Change, HIDDEN, Outcome, Planned, Refusal, origin_of};
use crate::run::{
    AppliedRun, Explained, FieldOrigins, PlannedRun, Unbuilt, UnbuiltCause, invalid, not_tried,
    word_of,
};

/// A plan, as it is printed, and the exit code that says whether it can be carried out.
pub(super) fn planned(context: &Context<'_>, planned: PlannedRun<'_>) -> (RunReport, u8) {
    let summary = planned.plan.summary();
    let refused = summary.refuse + planned.unbuilt.len();
    let failed = invalid(&planned.problems);
    let code = planned_tally(&planned).exit_code();
    let several = !planned.further().is_empty();
    let items = planned.plan.items.iter();
    let items = items.map(|item| planned_item(item, &planned.explained, several));
    let report = RunReport {
        target: planned.target(),
        repository: planned.repository_url.to_string(),
        reference: planned.reference().clone(),
        further: planned.further().to_vec(),
        registrations: completed(context, items.chain(planned.unbuilt.into_iter().map(unbuilt))),
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

/// The exit code of a plan of which nothing is carried out, because not all of it can be.
pub(super) fn all_or_nothing(planned: &PlannedRun<'_>) -> u8 {
    Tally { good: 0, ..planned_tally(planned) }.exit_code()
}

fn planned_tally(planned: &PlannedRun<'_>) -> Tally {
    let summary = planned.plan.summary();
    let of_sources = of_sources(&planned.unbuilt);
    Tally {
        is_misconfigured: planned.is_misconfigured(),
        good: planned.plan.items.len() - summary.refuse,
        refused: summary.refuse + planned.unbuilt.len() - of_sources,
        invalid: invalid(&planned.problems) + of_sources,
        failed: None,
    }
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
    let several = !applied.further.is_empty();
    let items = registrations.iter();
    let items: Vec<ItemReport> =
        items.map(|one| applied_item(one, explained, is_interrupted, several)).collect();
    let refused = applied
        .unbuilt
        .into_iter()
        .map(|one| ItemReport { outcome: Some("refused"), ..unbuilt(one) });
    let report = RunReport {
        target: applied.target,
        repository: applied.repository,
        reference: applied.reference,
        further: applied.further,
        registrations: completed(context, items.into_iter().chain(refused)),
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

/// Items with the user's own command line in their hints.
fn completed(context: &Context<'_>, items: impl Iterator<Item = ItemReport>) -> Vec<ItemReport> {
    let complete = |item: ItemReport| {
        let error = item.error.map(|error| context.completed(error));
        ItemReport { error, ..item }
    };
    items.map(complete).collect()
}

fn exit_code(applied: &AppliedRun) -> u8 {
    // Whatever was registered before: the shell has to see that the run was ended by the user.
    if applied.is_interrupted {
        return exit::INTERRUPTED;
    }
    let of_sources = of_sources(&applied.unbuilt);
    let mut tally = Tally {
        is_misconfigured: applied.is_misconfigured(),
        good: 0,
        refused: applied.unbuilt.len() - of_sources,
        invalid: invalid(&applied.problems) + of_sources,
        failed: None,
    };
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

/// How many can't be registered because of the source of their flow.
fn of_sources(unbuilt: &[Unbuilt]) -> usize {
    unbuilt.iter().filter(|one| one.cause == UnbuiltCause::Source).count()
}

/// How many registrations went which way.
struct Tally {
    /// Whether a declaration is wrong.
    is_misconfigured: bool,
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
    /// A mistake in a declaration comes first, whatever was registered: to repeat the run does not help
    /// until somebody edits the file. Then partial if some registrations succeeded and others did not;
    /// else the code of what went wrong. A target's error comes before the others, because a job that
    /// sees "unreachable" may simply repeat.
    fn exit_code(&self) -> u8 {
        if self.is_misconfigured {
            return exit::CONFIGURATION;
        }
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

/// `several`: registrations of the run are at several tags.
fn planned_item(item: &Planned, explained: &Explained, several: bool) -> ItemReport {
    let origins = explained.of(&item.registration);
    ItemReport {
        flow: item.registration.flow.to_string(),
        deployment: item.registration.deployment.to_string(),
        entrypoint: item.registration.entrypoint.to_string(),
        tag: several.then(|| item.registration.reference.name.as_str().to_owned()),
        action: item.action.as_str(),
        outcome: None,
        id: item.held.as_ref().and_then(|held| held.id.clone()),
        changes: item.changes.iter().map(|change| reported(change, origins)).collect(),
        kept: item.kept.clone(),
        error: match &item.action {
            Action::Refuse(refusal) => Some(refused(refusal, origins)),
            _ => None,
        },
    }
}

fn applied_item(
    one: &Applied,
    explained: &Explained,
    is_interrupted: bool,
    several: bool,
) -> ItemReport {
    let origins = explained.of(&one.planned.registration);
    ItemReport {
        outcome: Some(word_of(&one.outcome)),
        id: one.id.clone(),
        error: match &one.outcome {
            Outcome::Refused(refusal) => Some(refused(refusal, origins)),
            Outcome::Failed(error) => {
                let place = origins.and_then(|known| known.place(None)).map(ToOwned::to_owned);
                Some(ErrorReport { place, ..target_report(error) })
            }
            Outcome::NotTried => {
                let (code, message) = not_tried(is_interrupted);
                Some(ErrorReport {
                    code: code.to_owned(),
                    place: None,
                    message: message.to_owned(),
                    causes: Vec::new(),
                    hints: Vec::new(),
                })
            }
            _ => None,
        },
        ..planned_item(&one.planned, explained, several)
    }
}

fn unbuilt(unbuilt: Unbuilt) -> ItemReport {
    let Unbuilt { flow, deployment, entrypoint, code, place, message, hints, .. } = unbuilt;
    ItemReport {
        flow,
        deployment,
        entrypoint,
        tag: None,
        action: "refuse",
        outcome: None,
        id: None,
        changes: Vec::new(),
        kept: Vec::new(),
        error: Some(ErrorReport { code, place, message, causes: Vec::new(), hints }),
    }
}

/// A guard's refusal, at the place of the field that it is about.
fn refused(refusal: &Refusal, origins: Option<&FieldOrigins>) -> ErrorReport {
    let place = origins.and_then(|known| known.place(refusal.field())).map(ToOwned::to_owned);
    ErrorReport { place, ..refusal_report(refusal) }
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
