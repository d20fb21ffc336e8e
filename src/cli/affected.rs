//! Which flows a run is about: those that changed since a commit, and on a feature branch those
//! that are not as mainline has them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use super::Context;
use super::arguments::SinceArguments;
use super::error::CommandError;
use super::manifests::Manifests;
use super::session::Session;
use super::starts::{EntryKey, Start, Starts};
use crate::manifest::{DeclaredEntrypoint, Entry, Manifest};
use crate::registration::{Standing, standings};
use crate::scan::{Difference, Script, affected};
use crate::settings::FILE_NAME;
use crate::store::AnalysisCache;
use flowreg_git::{ChangedPath, TreeBlob};
use flowreg_model::{Channel, CodeReference, CommitId, Entrypoint, Held, Registration, TargetKind};
use flowreg_servers::TargetError;

/// What is affected by what changed since a commit.
pub(super) struct Affected {
    chains: BTreeMap<Script, Vec<String>>,
    /// What changed and concerns every flow.
    for_all: Option<Vec<String>>,
    /// Deployments that are declared in another way than before, or were not.
    entries: HashSet<EntryKey>,
}

impl Affected {
    /// Why a deployment is affected: the way along imports to what changed, or the file that
    /// declares it; `None` if it is not.
    pub(super) fn chain(&self, start: &Start) -> Option<Vec<String>> {
        let declared = || {
            let entry = start.entry.as_ref().filter(|entry| self.entries.contains(entry))?;
            Some(vec![entry.file.clone()])
        };
        self.chains.get(&start.script).cloned().or_else(declared).or_else(|| self.for_all.clone())
    }

    /// The same for a flow, whatever its deployments are called.
    pub(super) fn chain_of_flow(&self, entrypoint: &Entrypoint) -> Option<Vec<String>> {
        let chain = self.chain(&Start::of_script(entrypoint.path()));
        let is_meant = |entry: &&EntryKey| {
            let below = entry.file.rsplit_once('/').map_or("", |(directory, _)| directory);
            let place = DeclaredEntrypoint::parse(&entry.entrypoint)
                .and_then(|place| place.in_directory(below));
            place.is_some_and(|place| {
                place.object() == entrypoint.object()
                    && place.files().iter().any(|file| file == entrypoint.path())
            })
        };
        let declared = || self.entries.iter().filter(is_meant).map(|entry| &entry.file).min();
        let is_general = chain.is_none() || chain == self.for_all;
        match declared() {
            Some(file) if is_general => Some(vec![file.clone()]),
            _ => chain,
        }
    }
}

impl Session {
    /// Finds out which of these runs are affected by what changed since a commit.
    pub(super) fn affected(
        &self,
        context: &Context,
        (base, reference): (&CommitId, &CodeReference),
        (manifests, files): (&Manifests, Option<&[TreeBlob]>),
        starts: &[&Start],
    ) -> Result<Affected, CommandError> {
        let changes = self.repository.changed_paths(base, &reference.commit)?;
        // A file that was given instead is none of the commits'.
        let is_configured = context.global.config.is_none()
            && changes.iter().any(|change| change.path == FILE_NAME);
        let difference = Difference {
            repository: &self.repository,
            base,
            head: &reference.commit,
            changes: &changes,
            files,
        };
        let scripts: BTreeSet<Script> = starts.iter().map(|start| start.script.clone()).collect();
        let cache = AnalysisCache::of_imports(self.repository.common_dir(), crate::scan::ANALYSER);
        Ok(Affected {
            chains: affected(&difference, &scripts, &cache)?,
            for_all: is_configured.then(|| vec![FILE_NAME.to_owned()]),
            entries: self.changed_entries(base, manifests, &changes)?,
        })
    }

    /// The entries that the earlier commit does not have, or has otherwise.
    fn changed_entries(
        &self,
        base: &CommitId,
        manifests: &Manifests,
        changes: &[ChangedPath],
    ) -> Result<HashSet<EntryKey>, CommandError> {
        let mut changed = HashSet::new();
        let is_changed = |file: &&Manifest| changes.iter().any(|change| change.path == file.path);
        for file in manifests.files().iter().filter(is_changed) {
            let bytes = self.repository.read_at(base, &file.path)?;
            let before = bytes.and_then(|bytes| Manifest::read(&file.path, &bytes).ok());
            let is_as_before = |entry: &&Entry| {
                let before = before.as_ref().filter(|before| before.steps == file.steps);
                let before = before.into_iter().flat_map(|before| &before.entries);
                let mut same = before.filter(|other| other.name == entry.name);
                same.any(|other| {
                    other.entrypoint == entry.entrypoint
                        && other.config == entry.config
                        && other.steps == entry.steps
                })
            };
            let others = file.entries.iter().filter(|entry| !is_as_before(entry));
            changed.extend(others.map(|entry| EntryKey::of(file, entry)));
        }
        Ok(changed)
    }
}

/// What decides which registrations take part in a run.
pub(super) struct Participation<'p> {
    pub context: &'p Context,
    pub session: &'p Session,
    pub reference: &'p CodeReference,
    pub manifests: &'p Manifests,
    /// The Python files of the tree, if they were listed.
    pub files: Option<&'p [TreeBlob]>,
    pub starts: &'p Starts,
    /// What `--changed-since` says.
    pub since: Option<(&'p str, CommitId)>,
    /// Whether every registration that is not excluded by `--changed-since` takes part.
    pub is_all: bool,
}

/// Registrations that take no part in a run.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// How many there are.
    pub count: usize,
    /// What is said about them.
    pub notices: Vec<String>,
}

/// The commit that `--changed-since` names.
pub(super) fn since<'a>(
    session: &Session,
    arguments: &'a SinceArguments,
) -> Result<Option<(&'a str, CommitId)>, CommandError> {
    let Some(revision) = &arguments.changed_since else { return Ok(None) };
    Ok(Some((revision, session.repository.commit_of(revision)?)))
}

impl Participation<'_> {
    /// Takes out what takes no part, and gives what the target holds of the rest.
    pub(super) fn settle(
        &self,
        registrations: &mut Vec<Registration>,
        kind: TargetKind,
        read: impl FnOnce(&mut [Registration]) -> Result<Vec<Held>, TargetError>,
    ) -> Result<(Vec<Held>, LeftOut), CommandError> {
        let mut left_out = self.restrict(registrations)?;
        let held = read(registrations)?;
        let as_on_mainline = self.leave_to_mainline(registrations, &held, kind)?;
        left_out.count += as_on_mainline.count;
        left_out.notices.extend(as_on_mainline.notices);
        Ok((held, left_out))
    }

    /// Takes out what did not change since the revision that was given; needs no target.
    fn restrict(&self, registrations: &mut Vec<Registration>) -> Result<LeftOut, CommandError> {
        let Some((revision, base)) = &self.since else { return Ok(LeftOut::default()) };
        let bases = vec![Some(base.clone()); registrations.len()];
        let left_out = self.take_out(registrations, &bases, |_, error| Err(error))?;
        let (count, what) = counted_flows(&left_out);
        let verb = if count == 1 { "is" } else { "are" };
        let notice = format!("{what} {verb} not affected by what changed since {revision}");
        Ok(self.told(&left_out, notice))
    }

    /// Takes out what a feature branch has no need to register: what is as on mainline.
    fn leave_to_mainline(
        &self,
        registrations: &mut Vec<Registration>,
        held: &[Held],
        kind: TargetKind,
    ) -> Result<LeftOut, CommandError> {
        let is_asked = self.reference.channel == Channel::Feature && !self.is_all;
        if !is_asked || self.since.is_some() {
            return Ok(LeftOut::default());
        }
        // The embedded registry lies in this repository: whatever its URL once was.
        let standings = standings(registrations, held, kind == TargetKind::Local);
        let mut versions: BTreeMap<CommitId, String> = BTreeMap::new();
        let mut is_here = HashMap::new();
        let bases: Vec<Option<CommitId>> = standings
            .into_iter()
            .map(|standing| {
                let Standing::Mainline { commit, version } = standing else { return None };
                let is_here = is_here
                    .entry(commit.clone())
                    .or_insert_with(|| self.session.repository.has_commit(&commit));
                versions.insert(commit.clone(), version);
                is_here.then_some(commit)
            })
            .collect();
        let mut notices = Vec::new();
        let left_out = self.take_out(registrations, &bases, |base, error| {
            // Registering what need not be is no harm; to stop here would be.
            let version = versions.get(base).map_or(base.as_str(), String::as_str);
            let why = error.source;
            notices.push(format!("what changed since mainline's {version} is not known: {why}"));
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
        let mut told = self.told(&left_out, notice);
        told.notices.extend(notices);
        Ok(told)
    }

    fn start(&self, registration: &Registration) -> Option<&Start> {
        self.starts.get(&(registration.flow.to_string(), registration.deployment.to_string()))
    }

    /// Takes out the registrations that are not affected by what changed since their base.
    fn take_out(
        &self,
        registrations: &mut Vec<Registration>,
        bases: &[Option<CommitId>],
        mut unknown: impl FnMut(&CommitId, CommandError) -> Result<(), CommandError>,
    ) -> Result<Vec<(Registration, CommitId)>, CommandError> {
        let mut starts: BTreeMap<&CommitId, Vec<&Start>> = BTreeMap::new();
        for (registration, base) in registrations.iter().zip(bases) {
            if let Some(base) = base {
                starts.entry(base).or_default().extend(self.start(registration));
            }
        }
        let mut answers = HashMap::new();
        for (base, starts) in starts {
            let sources = (self.manifests, self.files);
            let between = (base, self.reference);
            match self.session.affected(self.context, between, sources, &starts) {
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
        for (registration, base) in std::mem::take(registrations).into_iter().zip(bases) {
            match base {
                Some(base) if is_left_out(&registration, base) => {
                    left_out.push((registration, base.clone()));
                }
                _ => kept.push(registration),
            }
        }
        *registrations = kept;
        Ok(left_out)
    }

    fn told(&self, left_out: &[(Registration, CommitId)], notice: String) -> LeftOut {
        if left_out.is_empty() {
            return LeftOut::default();
        }
        let mut notices = vec![notice];
        if self.context.printer.is_verbose() {
            notices.extend(left_out.iter().map(|(registration, _)| {
                let Registration { flow, deployment, entrypoint, .. } = registration;
                format!("left out: {flow}/{deployment} ({entrypoint})")
            }));
        }
        LeftOut { count: left_out.len(), notices }
    }
}

/// `1 flow`, `37 flows`: each is counted once, however many deployments it has.
fn counted_flows(left_out: &[(Registration, CommitId)]) -> (usize, String) {
    let flows: BTreeSet<&str> = left_out.iter().map(|(one, _)| one.flow.as_str()).collect();
    let count = flows.len();
    (count, format!("{count} flow{}", if count == 1 { "" } else { "s" }))
}
