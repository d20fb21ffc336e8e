//! Carries a plan out: what can be written is written, whatever happens to the rest.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use super::plan::{Action, Plan, Planned};
use super::refusal::Refusal;
use flowreg_model::{Held, Marks, Registration};
use flowreg_servers::{Target, TargetError, Write};

/// What became of one registration.
#[derive(Debug)]
pub enum Outcome {
    /// It is new at the target.
    Created,
    /// It was changed.
    Updated,
    /// Nothing was written.
    Unchanged,
    /// A guard refused it.
    Refused(Refusal),
    /// The target did not do it.
    Failed(TargetError),
    /// The target could not be reached for another one, or the run was interrupted.
    NotTried,
}

/// One registration and what became of it.
#[derive(Debug)]
pub struct Applied {
    /// What was planned.
    pub planned: Planned,
    /// What became of it.
    pub outcome: Outcome,
    /// Its id at the target, if that is known.
    pub id: Option<String>,
}

/// How often one registration is planned anew because other runs wrote it meanwhile.
const MOST_ROUNDS: u32 = 20;

/// Plans a registration anew, with what the target holds of it now.
type Replan<'a> = &'a (dyn Fn(Registration, Option<Held>) -> Planned + Sync);

/// Reads what the target holds of some registrations now.
type Reread<'a> = &'a (dyn Fn(&[Registration]) -> Result<Vec<Held>, TargetError> + Sync);

/// How the writes of other runs are met.
#[derive(Clone, Copy)]
pub struct Others<'a> {
    /// Plans anew what they wrote.
    pub replan: Replan<'a>,
    /// Reads what the target holds of some registrations now.
    pub reread: Reread<'a>,
    /// Whether the first is certainly a higher version than the second.
    pub outranks: &'a (dyn Fn(&Marks, &Marks) -> bool + Sync),
}

/// Carries out a plan and returns the outcomes in the plan's order. What other runs wrote since the target
/// was read is planned anew, so that the guards see it; so is what they wrote over ours, where the target can't
/// keep them from it. The second value says why that could not be looked at.
///
/// `jobs` writes may be under way at once; the target holds them back as it needs.
/// `progress` is called with the number of registrations that are done; before each one
/// `is_interrupted` says whether to stop.
pub fn apply(
    plan: Plan,
    target: &dyn Target,
    jobs: usize,
    progress: &(dyn Fn(usize) + Sync),
    is_interrupted: &(dyn Fn() -> bool + Sync),
    others: Others<'_>,
) -> (Vec<Applied>, Option<TargetError>) {
    let writes: Vec<usize> = plan
        .items
        .iter()
        .enumerate()
        .filter(|(_, item)| matches!(item.action, Action::Create | Action::Update { .. }))
        .map(|(index, _)| index)
        .collect();
    // Threads take the next write from a common counter, so that one slow write holds up nobody. The
    // plan's order is restored at the end.
    let results = Mutex::new(Vec::with_capacity(writes.len()));
    let next = AtomicUsize::new(0);
    let is_unreachable = AtomicBool::new(false);
    let work = || {
        while let Some(index) = writes.get(next.fetch_add(1, Ordering::Relaxed)) {
            let Some(item) = plan.items.get(*index) else { continue };
            if is_unreachable.load(Ordering::Relaxed) || is_interrupted() {
                continue;
            }
            let (replaced, result) = write(item, target, others.replan);
            // With the server gone, each of the remaining writes would wait for the same time-out. A
            // write that was refused, on the other hand, says nothing about the others.
            if matches!(result, Some(Err(TargetError::Unreachable { .. }))) {
                is_unreachable.store(true, Ordering::Relaxed);
            }
            let mut results = lock(&results);
            results.push(Written { index: *index, replaced, result });
            progress(results.len());
        }
    };
    match jobs.min(writes.len()) {
        0 => {}
        1 => work(),
        jobs => std::thread::scope(|scope| {
            for _ in 0..jobs {
                scope.spawn(work);
            }
        }),
    }
    let mut results = results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    let unsettled = match target.settling_time() {
        Some(time) if !is_interrupted() => settle(&plan, &mut results, target, time, others).err(),
        _ => None,
    };
    (outcomes(plan, target.is_versioned(), results), unsettled)
}

/// Looks whether what was written is still there once nobody can have a write under way that was sent
/// before he could see ours. What is lower than ours, or half ours, is put right; what is higher stays, and is
/// told. Of two that no version orders, the later one stays.
///
/// # Errors
/// [`TargetError`] if the target can't be read any more.
fn settle(
    plan: &Plan,
    results: &mut [Written],
    target: &dyn Target,
    time: Duration,
    others: Others<'_>,
) -> Result<(), TargetError> {
    let mut open: Vec<&mut Written> =
        results.iter_mut().filter(|written| matches!(written.result, Some(Ok(_)))).collect();
    for _ in 0..MOST_ROUNDS {
        let ours: Vec<Planned> = open
            .iter()
            .filter_map(|written| {
                written.replaced.as_ref().or_else(|| plan.items.get(written.index)).cloned()
            })
            .collect();
        if ours.is_empty() {
            return Ok(());
        }
        std::thread::sleep(time);
        let registrations: Vec<Registration> =
            ours.iter().map(|planned| planned.registration.clone()).collect();
        let held = (others.reread)(&registrations)?;
        let mut by_name: HashMap<(String, String), Held> = held
            .into_iter()
            .map(|held| ((held.flow.clone(), held.deployment.clone()), held))
            .collect();
        let mut again = Vec::new();
        for (written, planned) in open.into_iter().zip(ours) {
            let Registration { flow, deployment, marks: ours, .. } = &planned.registration;
            // Who removed it did so after it was registered.
            let held = by_name.remove(&(flow.to_string(), deployment.to_string()));
            let Some(held) = held else { continue };
            let theirs = held.marks.as_ref();
            let is_theirs = theirs.is_none_or(|theirs| !is_of_one(ours, theirs));
            let is_lower = theirs.is_some_and(|theirs| (others.outranks)(ours, theirs));
            let is_creator = target.is_creator(&held);
            let planned = (others.replan)(planned.to_plan_anew(Some(&held)), Some(held));
            match planned.action {
                Action::Unchanged if !is_creator => {
                    (written.replaced, written.result) = (Some(planned), None);
                }
                Action::Refuse(_) => (written.replaced, written.result) = (Some(planned), None),
                Action::Update { .. } if !is_theirs || is_lower => {
                    let (replaced, result) = write(&planned, target, others.replan);
                    written.replaced = Some(replaced.unwrap_or(planned));
                    written.result = result;
                    again.push(written);
                }
                _ => {}
            }
        }
        again.retain(|written| matches!(written.result, Some(Ok(_))));
        open = again;
    }
    Ok(())
}

/// Whether two registrations are for the same code of the same repository.
fn is_of_one(ours: &Marks, theirs: &Marks) -> bool {
    let code = |marks: &Marks| {
        (marks.repository.clone(), marks.branch.clone(), marks.tag.clone(), marks.commit.clone())
    };
    code(ours) == code(theirs)
}

/// Writes one item. Where another run wrote the registration since it was read, it is planned anew, and that
/// plan is returned as well; it may need no write.
fn write(
    item: &Planned,
    target: &dyn Target,
    replan: Replan<'_>,
) -> (Option<Planned>, Option<WriteResult>) {
    let mut replaced: Option<Planned> = None;
    for _ in 0..MOST_ROUNDS {
        let current = replaced.as_ref().unwrap_or(item);
        let Some(write) = write_of(current) else { return (replaced, None) };
        match target.apply(&write) {
            Err(TargetError::Overtaken { held }) => {
                let held = held.map(|held| *held);
                let registration = current.to_plan_anew(held.as_ref());
                replaced = Some(replan(registration, held));
            }
            result => return (replaced, Some(result)),
        }
    }
    (replaced, Some(Err(TargetError::Overtaken { held: None })))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write_of(item: &Planned) -> Option<Write<'_>> {
    match (&item.action, &item.held) {
        (Action::Create, _) => Some(Write::Create(&item.registration)),
        (Action::Update { fields, marks_change }, Some(held)) => Some(Write::Update {
            held,
            registration: &item.registration,
            fields,
            marks_change: *marks_change,
        }),
        _ => None,
    }
}

type WriteResult = Result<Option<String>, TargetError>;

/// What came of writing one item of the plan.
struct Written {
    index: usize,
    /// The plan that took its place.
    replaced: Option<Planned>,
    /// `None` if that plan needs no write.
    result: Option<WriteResult>,
}

fn outcomes(plan: Plan, is_versioned: bool, mut results: Vec<Written>) -> Vec<Applied> {
    results.sort_by_key(|written| written.index);
    let mut results = results.into_iter().peekable();
    plan.items
        .into_iter()
        .enumerate()
        .map(|(index, planned)| {
            let written = results.next_if(|written| written.index == index);
            let (replaced, result) = match written {
                Some(Written { replaced, result, .. }) => (replaced, result),
                None => (None, None),
            };
            let planned = replaced.unwrap_or(planned);
            let held_id = planned.held.as_ref().and_then(|held| held.id.clone());
            let (outcome, id) = match (&planned.action, result) {
                (Action::Unchanged, _) => (Outcome::Unchanged, held_id),
                (Action::Refuse(refusal), _) => (Outcome::Refused(refusal.clone()), held_id),
                (Action::Create, Some(Ok(id))) => (Outcome::Created, id),
                // Prefect 1 writes nothing if the check sum is the one of the last version, and
                // answers with that version's id (docs/facts/prefect1.md). It happens because flowreg
                // compares serialized flows, which may differ where the check sum does not.
                (Action::Update { .. }, Some(Ok(id))) if is_versioned && id == held_id => {
                    (Outcome::Unchanged, id)
                }
                (Action::Update { .. }, Some(Ok(id))) => (Outcome::Updated, id.or(held_id)),
                (_, Some(Err(error))) => (Outcome::Failed(error), held_id),
                (_, None) => (Outcome::NotTried, held_id),
            };
            Applied { planned, outcome, id }
        })
        .collect()
}
