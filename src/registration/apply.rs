//! Carries a plan out: what can be written is written, whatever happens to the rest.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::plan::{Action, Plan, Planned};
use super::refusal::Refusal;
use flowreg_model::{Held, Registration};
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
pub type Replan<'a> = &'a (dyn Fn(Registration, Option<Held>) -> Planned + Sync);

/// Carries out a plan and returns the outcomes in the plan's order. What other runs wrote since the target
/// was read is planned anew by `replan`, so that the guards see it.
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
    replan: Replan<'_>,
) -> Vec<Applied> {
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
            let (replaced, result) = write(item, target, replan);
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
    let is_versioned = target.is_versioned();
    outcomes(
        plan,
        is_versioned,
        results.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner),
    )
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
                let registration = current.registration.clone();
                replaced = Some(replan(registration, held.map(|held| *held)));
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
