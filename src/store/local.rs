//! The embedded registry: a target that needs no server.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::{RegistryRow, Store, StoreError};
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
        let store = self.store();
        let (registration, fields) = match write {
            Write::Create(registration) => (registration, registration.fields.clone()),
            Write::Update { held, registration, fields, .. } => {
                // `fields` are only those that differ; a row holds all.
                let mut merged = held.fields.clone();
                merged.extend(fields.iter().map(|(field, value)| (field, value.clone())));
                (registration, merged)
            }
            Write::Remove(held) => {
                store.remove_registration(&held.flow, &held.deployment)?;
                tracing::debug!(flow = held.flow, deployment = held.deployment, "removed");
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
        let id = store.put_registration(
            registration.flow.as_str(),
            registration.deployment.as_str(),
            &marks,
            &fields,
            &self.now,
        )?;
        let (flow, deployment) = (registration.flow.as_str(), registration.deployment.as_str());
        tracing::debug!(flow, deployment, id, "written");
        Ok(Some(id.to_string()))
    }
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
