//! The last stage: writes what is planned, and notes in the ledger what was written.
//!
//! The ledger is this clone's own diary. It decides nothing on Prefect 3; on Prefect 1 it is where
//! the commits of tags are remembered, which the server has no place for.

use flowreg_model::{CodeReference, FlowProblem, Held, Marks, Registration, TargetDescription};

use super::JOBS;
use super::desired::{Explained, Unbuilt, is_misconfigured};
use super::planned::PlannedRun;
use super::queued_target::queued_target;
use super::request::Notice;
use crate::introspection::Watch;
use crate::push::QueuedTarget;
use crate::registration::{Applied, Others, Outcome, apply, outranks, plan_one, read};
use crate::store::Turn;

/// The last stage: what became of each registration.
pub struct AppliedRun {
    /// The code reference.
    pub reference: CodeReference,
    /// The tags of further packages at its commit.
    pub further: Vec<CodeReference>,
    /// The URL that workers clone from.
    pub repository: String,
    /// The target.
    pub target: TargetDescription,
    /// What became of each registration, in the plan's order.
    pub registrations: Vec<Applied>,
    /// What could not become a registration.
    pub unbuilt: Vec<Unbuilt>,
    /// What is wrong with the sources.
    pub problems: Vec<FlowProblem>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<Notice>,
    /// Where fields come from, and which must not be shown.
    pub explained: Explained,
    /// How many registrations took no part: their flows did not change, or belong to other packages.
    pub left_out: usize,
    /// Whether Ctrl-C ended it early.
    pub is_interrupted: bool,
    /// The target, as a queued push names it.
    pub(super) queued_target: QueuedTarget,
}

impl AppliedRun {
    pub(super) fn of(planned: PlannedRun<'_>) -> Self {
        let PlannedRun {
            referenced,
            target,
            jobs,
            repository_url,
            plan,
            guards,
            problems,
            mut notices,
            unbuilt,
            explained,
            left_out,
        } = planned;
        let opened = referenced.opened();
        let interrupt = &opened.surroundings.interrupt;
        let summary = plan.summary();
        // From here on Ctrl-C no longer ends the process at once: a write that is under way is
        // finished, what was written is noted in the ledger, and the report says what is missing.
        interrupt.handle();
        let work = opened.work("registering", summary.create + summary.update);
        let progress = |done| work.progress(done);
        let jobs = jobs.unwrap_or(JOBS);
        let is_interrupted = || interrupt.is_requested();
        // It was asked for when the plan was made, so that an error here can't come any more.
        let identity = referenced.configured.identity().ok();
        let is_ours = |url: &str| identity.is_some_and(|identity| identity.is(url));
        let replan = |registration: Registration, held: Option<Held>| {
            plan_one(registration, held, &guards, &is_ours)
        };
        // The embedded registry needs none: it is read and written in one transaction.
        let writes = summary.create + summary.update > 0 && target.settling_time().is_some();
        let turn = writes.then(|| Turn::take(opened.repository.common_dir(), &is_interrupted));
        let adopts = guards.adopt;
        let reread =
            |registrations: &[Registration]| read(registrations, target.as_ref(), adopts, &is_ours);
        let outranks = |ours: &Marks, theirs: &Marks| outranks(ours, theirs, &guards.series);
        let others = Others { replan: &replan, reread: &reread, outranks: &outranks };
        let (applied, unsettled) =
            apply(plan, target.as_ref(), jobs, &progress, &is_interrupted, others);
        drop(turn);
        if let Some(error) = unsettled {
            let text = format!(
                "what was registered could not be read again ({error}): whether another run came in \
                 between is not known"
            );
            notices.push(text.into());
        }
        // Ends the progress bar, which would be drawn over what is printed next.
        drop(work);
        let description = target.describe();
        // The target has been written to, so a full disk here must not make the run a failure.
        if let Err(error) = opened.record_written(&description, &applied) {
            let text = format!("the ledger could not be written: {error}");
            notices.push(text.into());
        }
        Self {
            queued_target: queued_target(&referenced.configured.target),
            further: referenced.further_registered().to_vec(),
            reference: referenced.reference,
            repository: repository_url.to_string(),
            target: description,
            registrations: applied,
            unbuilt,
            problems,
            notices,
            explained,
            left_out,
            is_interrupted: interrupt.is_requested(),
        }
    }

    /// How many registrations went which way, with the words that JSON has for it.
    pub fn summary(&self) -> Vec<(&'static str, usize)> {
        let count =
            |word| self.registrations.iter().filter(|one| word_of(&one.outcome) == word).count();
        vec![
            ("created", count("created")),
            ("updated", count("updated")),
            ("unchanged", count("unchanged")),
            ("refused", count("refused") + self.unbuilt.len()),
            ("failed", count("failed") + invalid(&self.problems)),
            ("left_out", self.left_out),
        ]
    }

    /// Whether everything that should be registered is.
    pub fn is_complete(&self) -> bool {
        let is_registered = |applied: &Applied| {
            matches!(applied.outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged)
        };
        !self.is_interrupted
            && self.unbuilt.is_empty()
            && invalid(&self.problems) == 0
            && self.registrations.iter().all(is_registered)
    }

    /// Whether a declaration is wrong, so that repeating the run does not help until somebody edits a
    /// file.
    pub fn is_misconfigured(&self) -> bool {
        let refusals = self.registrations.iter().filter_map(|one| match &one.outcome {
            Outcome::Refused(refusal) => Some(refusal),
            _ => None,
        });
        is_misconfigured(&self.unbuilt, &self.problems, refusals)
    }

    /// Whether all that was not registered is refused for good: the target has something newer, and no
    /// repetition changes that.
    pub fn is_final(&self) -> bool {
        let is_over = |applied: &Applied| match &applied.outcome {
            Outcome::Refused(refusal) => refusal.is_final(),
            outcome => matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged),
        };
        !self.is_interrupted
            && self.unbuilt.is_empty()
            && invalid(&self.problems) == 0
            && self.registrations.iter().all(is_over)
    }

    /// Whether the same run may succeed later without any change: the target could not be reached
    /// or had an error of its own, or the run was interrupted.
    pub fn is_worth_repeating(&self) -> bool {
        self.is_interrupted
            || self.registrations.iter().any(|one| match &one.outcome {
                Outcome::Failed(error) => error.is_passing(),
                Outcome::NotTried => true,
                _ => false,
            })
    }
}

/// The word for an outcome, as the ledger and JSON have it.
pub(crate) fn word_of(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Created => "created",
        Outcome::Updated => "updated",
        Outcome::Unchanged => "unchanged",
        Outcome::Refused(_) => "refused",
        Outcome::Failed(_) | Outcome::NotTried => "failed",
    }
}

/// The word and the reason for a registration that was not tried.
pub(crate) fn not_tried(is_interrupted: bool) -> (&'static str, &'static str) {
    if is_interrupted {
        ("interrupted", "not registered, as the run was interrupted; run it again")
    } else {
        ("not_tried", "not tried, as the target can't be reached")
    }
}

/// The number of problems that keep a flow from being registered.
pub(crate) fn invalid(problems: &[FlowProblem]) -> usize {
    problems.iter().filter(|problem| problem.is_error()).count()
}
