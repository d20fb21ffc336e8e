//! The embedded registry: a target that needs no server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rusqlite::Transaction;

use super::{LedgerEntry, RegistryRow, Store, StoreError, ledger, registry};
use flowreg_model::{Held, TargetDescription, TargetKind};
use flowreg_servers::{ReadScope, Target, TargetError, Write};

/// The registry in the git common directory.
pub(crate) struct LocalRegistry {
    store: Mutex<Store>,
    now: String,
}

impl LocalRegistry {
    /// Uses an open store; `now` is what new registrations carry as their time, RFC 3339.
    pub(crate) fn new(store: Store, now: String) -> Self {
        Self { store: Mutex::new(store), now }
    }

    fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Target for LocalRegistry {
    fn describe(&self) -> TargetDescription {
        TargetDescription { kind: TargetKind::Local, url: None, version: None }
    }

    fn version(&self) -> Result<Option<String>, TargetError> {
        Ok(None)
    }

    fn read(&self, scope: ReadScope<'_>) -> Result<Vec<Held>, TargetError> {
        // All rows are read and filtered here. They are in one local file, and SQLite bounds how many
        // names a query may have.
        let rows = self.store().registrations()?;
        let is_wanted = |row: &RegistryRow| match scope {
            ReadScope::All => true,
            ReadScope::Flows(flows) => {
                flows.binary_search_by(|flow| flow.as_str().cmp(row.flow.as_str())).is_ok()
            }
        };
        Ok(rows.into_iter().filter(is_wanted).map(held).collect())
    }

    fn apply(&self, write: &Write<'_>) -> Result<Option<String>, TargetError> {
        let (flow, deployment) = named(write);
        let written = self.store().write(|transaction| {
            // Read again in the transaction: whoever registered since the plan was made is seen by the
            // guards this way, and can't come in between any more.
            let current = registry::registration(transaction, flow, deployment)?.map(held);
            if !is_as_read(write, current.as_ref()) {
                return Ok(Err(current));
            }
            self.carry_out(transaction, write).map(Ok)
        })?;
        let id = written.map_err(|held| TargetError::Overtaken { held: held.map(Box::new) })?;
        tracing::debug!(flow, deployment, id, "written");
        Ok(id)
    }
}

impl LocalRegistry {
    /// Writes the registration, and the line of the ledger about it: both or none.
    fn carry_out(
        &self,
        transaction: &Transaction<'_>,
        write: &Write<'_>,
    ) -> rusqlite::Result<Option<String>> {
        let (action, registration, fields) = match write {
            Write::Create(registration) => ("created", registration, registration.fields.clone()),
            Write::Update { held, registration, fields, .. } => {
                // `fields` are only those that differ; a row holds all.
                let mut merged = held.fields.clone();
                merged.extend(fields.iter().map(|(field, value)| (field, value.clone())));
                ("updated", registration, merged)
            }
            // Its line is written by whoever knows which branch is gone.
            Write::Remove(held) => {
                registry::remove_registration(transaction, &held.flow, &held.deployment)?;
                return Ok(held.id.clone());
            }
        };
        let mut marks = registration.marks.clone();
        // Like the Prefect target: the author is whoever registered the branch first, so that a CI
        // job that registers it again does not become its author.
        if let Write::Update { held, .. } = write {
            marks.author =
                held.marks.as_ref().and_then(|marks| marks.author.clone()).or(marks.author);
        }
        let (flow, deployment) = (registration.flow.as_str(), registration.deployment.as_str());
        let id =
            registry::put_registration(transaction, flow, deployment, &marks, &fields, &self.now)?;
        let target = TargetKind::Local.as_str();
        let entry = LedgerEntry::of(registration, action, target, &self.now);
        ledger::append(transaction, &[entry])?;
        Ok(Some(id.to_string()))
    }
}

/// The flow and the deployment that a write is about.
fn named<'w>(write: &Write<'w>) -> (&'w str, &'w str) {
    match write {
        Write::Create(registration) | Write::Update { registration, .. } => {
            (registration.flow.as_str(), registration.deployment.as_str())
        }
        Write::Remove(held) => (&held.flow, &held.deployment),
    }
}

/// Whether the registry still holds what a write was planned for.
fn is_as_read(write: &Write<'_>, current: Option<&Held>) -> bool {
    // What is gone already need not be removed.
    if matches!(write, Write::Remove(_)) && current.is_none() {
        return true;
    }
    let read = match write {
        Write::Create(_) => None,
        Write::Update { held, .. } | Write::Remove(held) => Some(*held),
    };
    let content = |held: &Held| (held.marks.clone(), held.fields.clone());
    current.map(content) == read.map(content)
}

fn held(row: RegistryRow) -> Held {
    Held {
        id: Some(row.id.to_string()),
        flow: row.flow,
        deployment: row.deployment,
        marks: Some(row.marks),
        fields: row.fields,
        registered_at: Some(row.registered_at),
    }
}

impl From<StoreError> for TargetError {
    fn from(error: StoreError) -> Self {
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        Self::Registry(format!("{error}{}", cause.unwrap_or_default()))
    }
}
