//! The fifth stage: decides for each registration what has to be done, or which guard refuses it.
//!
//! Nothing is written yet; `flowreg plan` ends here.

use std::collections::{BTreeMap, HashMap};

use flowreg_git::RepositoryUrl;
use flowreg_git::tagging::SeriesSet;
use flowreg_model::{
    CodeReference, Field, FlowProblem, Held, Inexact, OpenSchema, Registration, TargetDescription,
    TargetKind,
};
use flowreg_servers::Target;

use super::applied::{AppliedRun, invalid};
use super::compared::Compared;
use super::desired::{Desired, Explained, Gathered, Unbuilt, is_misconfigured};
use super::request::{Notice, RunRequest};
use super::{Referenced, RunError, children, prefect1};
use crate::registration::{
    Action, Guards, Plan, choose_work_pools, needs_work_pools, not_compared, plan, read, rename,
};

/// The fifth stage: what has to be done.
pub struct PlannedRun<'r> {
    pub(super) referenced: Referenced<'r>,
    pub(super) target: Box<dyn Target>,
    pub(super) jobs: Option<usize>,
    /// The URL that workers clone from.
    pub repository_url: RepositoryUrl,
    /// One action for each registration.
    pub plan: Plan,
    pub(super) guards: Guards,
    /// What is wrong with the sources.
    pub problems: Vec<FlowProblem>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<Notice>,
    /// What can't become a registration.
    pub unbuilt: Vec<Unbuilt>,
    /// Where fields come from, and which must not be shown.
    pub explained: Explained,
    /// How many registrations take no part: their flows did not change, or belong to other packages.
    pub left_out: usize,
}

/// What is not certain about a flow, and what is registered then.
fn doubt(registration: &Registration, Inexact { what, reason }: &Inexact) -> String {
    let flow = &registration.flow;
    if what == "name" {
        return format!("{flow}: the name is not certain: {reason}");
    }
    let is_schema = what == Field::ParameterOpenapiSchema.name();
    match registration.open_schema.as_ref().filter(|_| is_schema) {
        Some(OpenSchema { open, .. }) => {
            let names: Vec<String> = open.iter().map(|one| format!("`{}`", one.name)).collect();
            format!(
                "{flow}: {what} is not exact: what is not known of {} is left open, or stays as the \
                 target has it: {reason}",
                names.join(", ")
            )
        }
        None => format!("{flow}: {what} is not exact and stays as the target has it: {reason}"),
    }
}

impl<'r> PlannedRun<'r> {
    pub(super) fn of(compared: Compared<'r>) -> Result<Self, RunError> {
        let Compared { desired, held, left_out } = compared;
        let Desired { referenced, request, target, repository_url, gathered, .. } = desired;
        let Gathered {
            registrations, unbuilt, problems, notices, remarks, inexact, explained, ..
        } = gathered;
        let mut all_notices = referenced.notices.clone();
        all_notices.extend(notices);
        let kind = target.describe().kind;
        // The embedded registry lies in this repository's git directory, so nothing in it can belong
        // to somebody else, even if the remote had another URL when it was registered.
        let adopt = request.adopt || kind == TargetKind::Local;
        let series = referenced.configured.settings.tag.series.clone();
        let guards = Guards { allow_downgrade: request.allow_downgrade, adopt, series };
        let identity = referenced.configured.identity()?;
        let mut plan = plan(registrations, held, &guards, &|url| identity.is(url));
        // After the plan, as only registrations that are to be created need a pool: those that exist
        // keep the one they have. Asking for the pools costs a request, so it is done on demand.
        all_notices.extend(complete_work_pools(&mut plan, target.as_ref())?);
        referenced.opened().observer.noticed(&all_notices);
        if kind == TargetKind::Prefect1 {
            prefect1::complete_plan(&mut plan, &referenced, target.as_ref())?;
        }
        if !guards.allow_downgrade {
            all_notices.extend(not_compared_notices(&plan, &guards.series));
        }
        for item in &plan.items {
            let flow = &item.registration.flow;
            // What is odd about a flow that stays as it is was said when it was registered. Hundreds
            // of such lines at every run would hide what is new, so they are shown with -v only.
            let is_detail = !matches!(item.action, Action::Create | Action::Update { .. });
            let remarks = remarks.get(&item.registration.entrypoint).into_iter().flatten().cloned();
            let rename = rename_remark(&item.registration).filter(|_| kind == TargetKind::Prefect);
            let inexact = inexact.get(flow).into_iter().flatten();
            let doubts = inexact.map(|inexact| doubt(&item.registration, inexact));
            let remarks = remarks.chain(doubts).chain(rename);
            all_notices.extend(remarks.map(|text| Notice { is_detail, ..Notice::from(text) }));
        }
        referenced.opened().observer.noticed(&all_notices);
        Ok(Self {
            referenced,
            target,
            jobs: request.jobs,
            repository_url,
            plan,
            guards,
            problems,
            notices: all_notices,
            unbuilt,
            explained,
            left_out,
        })
    }

    /// Whether a declaration is wrong, so that planning again changes nothing until somebody edits a
    /// file.
    pub fn is_misconfigured(&self) -> bool {
        let refusals = self.plan.items.iter().filter_map(|item| match &item.action {
            Action::Refuse(refusal) => Some(refusal),
            _ => None,
        });
        is_misconfigured(&self.unbuilt, &self.problems, refusals)
    }

    /// Whether all of it can be carried out: nothing is refused, and no source or declaration is wrong.
    pub(crate) fn is_feasible(&self) -> bool {
        self.plan.summary().refuse == 0 && self.unbuilt.is_empty() && invalid(&self.problems) == 0
    }

    /// Whether the target still holds what this was planned from. If another run has written to it
    /// since then, the guards have to be asked anew.
    pub(super) fn is_current(&self, request: &RunRequest) -> Result<bool, RunError> {
        let registrations: Vec<Registration> =
            self.plan.items.iter().map(|item| item.registration.clone()).collect();
        let is_ours = self.referenced.configured.owner()?;
        let held = read(&registrations, self.target.as_ref(), request.adopt, &is_ours)?;
        let held: HashMap<(&str, &str), &Held> =
            held.iter().map(|one| ((one.flow.as_str(), one.deployment.as_str()), one)).collect();
        // Without the time of the last write, which on a server workers change by polling.
        let content = |held: &Held| (held.id.clone(), held.marks.clone(), held.fields.clone());
        Ok(self.plan.items.iter().all(|item| {
            let Registration { flow, deployment, .. } = &item.registration;
            let now = held.get(&(flow.as_str(), deployment.as_str()));
            now.map(|held| content(held)) == item.held.as_ref().map(content)
        }))
    }

    /// The code reference.
    pub fn reference(&self) -> &CodeReference {
        &self.referenced.reference
    }

    /// The tags of further packages at its commit.
    pub fn further(&self) -> &[CodeReference] {
        self.referenced.further_registered()
    }

    /// The target.
    pub fn target(&self) -> TargetDescription {
        self.target.describe()
    }

    /// A notice for each call in the flows' code that starts a flow or deployment which neither the
    /// target nor this plan has. Asks the target about those that the plan does not have.
    ///
    /// # Errors
    /// [`RunError`] if a file or the target can't be read.
    pub fn missing_children(&self) -> Result<Vec<Notice>, RunError> {
        let missing = children::missing(&self.referenced, &self.plan, self.target.as_ref())?;
        Ok(missing.into_iter().map(Notice::from).collect())
    }

    /// Carries the plan out: what can be written is written, whatever happens to the rest.
    pub fn apply(self) -> AppliedRun {
        AppliedRun::of(self)
    }
}

/// What is to be done after a schedule was renamed.
fn rename_remark(registration: &Registration) -> Option<String> {
    let (new, old) = rename(registration.fields.items(Field::Schedules))?;
    let Registration { flow, deployment, .. } = registration;
    Some(format!(
        "{flow}/{deployment}: the schedule `{old}` is called `{new}` now: take `replaces: {old}` out of \
         the file, `prefect deploy` refuses it the second time"
    ))
}

/// Asks for the work pools if that is needed, and says which one was chosen.
fn complete_work_pools(plan: &mut Plan, target: &dyn Target) -> Result<Option<Notice>, RunError> {
    if !needs_work_pools(plan) {
        return Ok(None);
    }
    let Some(pools) = target.work_pools()? else { return Ok(None) };
    let chosen = choose_work_pools(plan, &pools);
    Ok(chosen.map(|(chosen, why)| {
        Notice::from(format!("no work pool is configured: using `{chosen}`, {why}"))
    }))
}

/// Says of which two tags the guard against downgrades could not tell the higher one.
fn not_compared_notices(plan: &Plan, series: &SeriesSet) -> Vec<Notice> {
    let pairs = plan.items.iter().filter_map(|item| not_compared(item, series));
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    pairs.for_each(|pair| *counts.entry(pair).or_default() += 1);
    let text = |((wanted, held), count)| {
        let (what, verb) =
            if count == 1 { ("registration", "is") } else { ("registrations", "are") };
        format!(
            "{count} {what} {verb} at {held} now: it is no version of the same series as {wanted}, so \
             whether this is a step back was not checked"
        )
    };
    counts.into_iter().map(text).map(Notice::from).collect()
}
