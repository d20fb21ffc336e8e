//! The fourth stage: reads what the target holds of the desired registrations, and leaves out those
//! that need not be looked at: flows that did not change since a revision (`--changed-since`), and
//! on a feature branch flows that are the same as on mainline.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use flowreg_model::{Channel, CommitId, Held, Registration};

use super::RunError;
use super::desired::{Desired, first_of};
use super::planned::PlannedRun;
use super::request::Notice;
use super::starts::Start;
use crate::registration::{Counterpart, counterparts, keep_moments, read};

/// The fourth stage: what should be registered, and what the target holds of it.
pub struct Compared<'r> {
    pub(super) desired: Desired<'r>,
    pub(super) held: Vec<Held>,
    pub(super) left_out: usize,
}

/// Registrations that take no part in a run, each with the commit that it is compared with.
type LeftOut = Vec<(Registration, CommitId)>;

impl<'r> Compared<'r> {
    pub(super) fn of(mut desired: Desired<'r>) -> Result<Self, RunError> {
        let registrations = std::mem::take(&mut desired.gathered.registrations);
        // `--changed-since` needs only git, so it comes before the target is read: what it leaves
        // out is not asked for. What mainline has, on the other hand, is known only to the target.
        let (mut registrations, unchanged) = desired.restrict(registrations)?;
        let mut adapted = Vec::new();
        if !registrations.is_empty() {
            // Before the comparison: what a target can't hold, such as parameters of schedules on
            // Prefect 2, would differ at every run, and every write deletes scheduled runs.
            adapted = desired.target.adapt(&mut registrations)?;
        }
        let notices = &mut desired.gathered.notices;
        notices.extend(adapted.into_iter().map(Notice::from));
        notices.extend(unchanged.notices);
        desired.opened().observer.noticed(&desired.gathered.notices);
        let held = {
            let is_ours = desired.referenced.configured.owner()?;
            read(&registrations, desired.target.as_ref(), desired.request.adopt, &is_ours)?
        };
        let (mut registrations, as_on_mainline) =
            desired.leave_to_mainline(registrations, &held)?;
        for registration in &mut registrations {
            // A default such as `date.today()` is another value each day. If that counted as a
            // difference, every run would write and lose scheduled runs (`registration/moments.rs`).
            if let Some(parameters) = desired.gathered.moments.get(&registration.entrypoint) {
                keep_moments(registration, &held, parameters);
            }
        }
        desired.gathered.notices.extend(as_on_mainline.notices);
        desired.opened().observer.noticed(&desired.gathered.notices);
        desired.gathered.registrations = registrations;
        let left_out = desired.gathered.left_out + unchanged.count + as_on_mainline.count;
        Ok(Self { desired, held, left_out })
    }

    /// Decides what has to be done, and asks the guards.
    ///
    /// # Errors
    /// [`RunError::Target`] if the target can't be asked for its work pools or projects.
    pub fn plan(self) -> Result<PlannedRun<'r>, RunError> {
        let mistakes = self.desired.gathered.mistakes();
        PlannedRun::of(self).map_err(|error| first_of(mistakes, error))
    }

    /// What the target holds for the flows that take part.
    pub fn held(&self) -> &[Held] {
        &self.held
    }
}

/// How many registrations were left out, and the notices about them.
#[derive(Debug, Default)]
struct Omission {
    count: usize,
    notices: Vec<Notice>,
}

impl Desired<'_> {
    /// Takes out what did not change since the revision that was given; needs no target.
    fn restrict(
        &self,
        registrations: Vec<Registration>,
    ) -> Result<(Vec<Registration>, Omission), RunError> {
        let Some((revision, base)) = &self.base else {
            return Ok((registrations, Omission::default()));
        };
        let bases = vec![Some(base.clone()); registrations.len()];
        let (kept, left_out) = self.take_out(registrations, &bases, |_, error| Err(error))?;
        let (count, what) = counted_flows(&left_out);
        let verb = if count == 1 { "is" } else { "are" };
        let notice = format!("{what} {verb} not affected by what changed since {revision}");
        Ok((kept, omission(&left_out, notice)))
    }

    /// Takes out what a feature branch has no need to register: flows whose code and declaration
    /// are the same as at the commit that mainline has registered. Without that, a branch that
    /// changes one flow of hundreds would register a copy of each.
    fn leave_to_mainline(
        &self,
        registrations: Vec<Registration>,
        held: &[Held],
    ) -> Result<(Vec<Registration>, Omission), RunError> {
        let is_feature = self.referenced.reference.channel == Channel::Feature;
        let is_all = self.request.all || self.request.flows.is_restricted();
        // With `--changed-since` the user has said what to compare with, and `restrict` did it.
        if !is_feature || is_all || self.base.is_some() {
            return Ok((registrations, Omission::default()));
        }
        let counterparts = counterparts(&registrations, held, self.referenced.configured.owner()?);
        let mut versions: BTreeMap<CommitId, String> = BTreeMap::new();
        let mut is_here = HashMap::new();
        let bases: Vec<Option<CommitId>> = counterparts
            .into_iter()
            .map(|counterpart| {
                let Counterpart::Mainline { commit, version } = counterpart else { return None };
                // A shallow clone in CI mostly lacks mainline's commit. Then nothing can be compared,
                // and the flow is registered. Most flows share the commit, so it is looked up once.
                let is_here = is_here
                    .entry(commit.clone())
                    .or_insert_with(|| self.opened().repository.has_commit(&commit));
                versions.insert(commit.clone(), version);
                is_here.then_some(commit)
            })
            .collect();
        let mut notices = Vec::new();
        let (kept, left_out) = self.take_out(registrations, &bases, |base, error| {
            // If the difference can't be computed, register anyway: a superfluous guest is
            // harmless, an aborted run is not.
            let version = versions.get(base).map_or(base.as_str(), String::as_str);
            let text = format!(
                "flows are registered even if they are as on mainline at {version}: what changed \
                 since then can't be found out: {error}"
            );
            notices.push(Notice::from(text));
            Ok(())
        })?;
        let named: BTreeSet<&str> = left_out
            .iter()
            .filter_map(|(_, base)| versions.get(base).map(String::as_str))
            .collect();
        let named = named.into_iter().collect::<Vec<_>>().join(", ");
        let notice = match counted_flows(&left_out) {
            (1, what) => format!(
                "{what} is as on mainline at {named} and gets no registration of its own; \
                 --all registers it too"
            ),
            (_, what) => format!(
                "{what} are as on mainline at {named} and get no registration of their own; \
                 --all registers them too"
            ),
        };
        let mut omission = omission(&left_out, notice);
        omission.notices.extend(notices);
        Ok((kept, omission))
    }

    fn start(&self, registration: &Registration) -> Option<&Start> {
        self.gathered
            .starts
            .get(&(registration.flow.to_string(), registration.deployment.to_string()))
    }

    /// Takes out the registrations that are not affected by what changed since their base. One
    /// without a base stays. `unknown` is told where a difference can't be computed, and decides
    /// whether that ends the run; if not, the registrations with that base stay.
    fn take_out(
        &self,
        registrations: Vec<Registration>,
        bases: &[Option<CommitId>],
        mut unknown: impl FnMut(&CommitId, RunError) -> Result<(), RunError>,
    ) -> Result<(Vec<Registration>, LeftOut), RunError> {
        // Registrations are grouped by base: comparing two trees and following imports is done once
        // for each pair of commits, and there are mostly one or two.
        let mut starts: BTreeMap<&CommitId, Vec<&Start>> = BTreeMap::new();
        for (registration, base) in registrations.iter().zip(bases) {
            if let Some(base) = base {
                starts.entry(base).or_default().extend(self.start(registration));
            }
        }
        let mut answers = HashMap::new();
        for (base, starts) in starts {
            let files = self.gathered.files.as_ref();
            match self.referenced.affected_since(base, &self.manifests, files, &starts) {
                Ok(affected) => {
                    answers.insert(base, affected);
                }
                Err(error) => unknown(base, error)?,
            }
        }
        let is_left_out = |registration: &Registration, base: &CommitId| {
            let known = answers.get(base).zip(self.start(registration));
            known.is_some_and(|(affected, start)| affected.chain(start).is_none())
        };
        let (mut kept, mut left_out) = (Vec::new(), Vec::new());
        for (registration, base) in registrations.into_iter().zip(bases) {
            match base {
                Some(base) if is_left_out(&registration, base) => {
                    left_out.push((registration, base.clone()));
                }
                _ => kept.push(registration),
            }
        }
        Ok((kept, left_out))
    }
}

/// Counts what was left out, with one notice for all of it, and one for each that only `-v` shows.
fn omission(left_out: &[(Registration, CommitId)], notice: String) -> Omission {
    if left_out.is_empty() {
        return Omission::default();
    }
    let details = left_out.iter().map(|(registration, _)| {
        let Registration { flow, deployment, entrypoint, .. } = registration;
        Notice::detail(format!("left out: {flow}/{deployment} ({entrypoint})"))
    });
    let notices = std::iter::once(Notice::from(notice)).chain(details).collect();
    Omission { count: left_out.len(), notices }
}

/// `1 flow`, `37 flows`: each is counted once, however many deployments it has.
fn counted_flows(left_out: &[(Registration, CommitId)]) -> (usize, String) {
    let flows: BTreeSet<&str> = left_out.iter().map(|(one, _)| one.flow.as_str()).collect();
    let count = flows.len();
    (count, format!("{count} flow{}", if count == 1 { "" } else { "s" }))
}
