//! The ledger: an append-only history of what this clone registered, at whatever target.

use rusqlite::{Transaction, params};

use flowreg_model::Registration;

use super::{Store, StoreError};

/// One line of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerEntry {
    /// When, RFC 3339.
    pub at: String,
    /// The target's URL, or `local`.
    pub target: String,
    /// `created`, `updated` or `removed`.
    pub action: String,
    /// The flow's name.
    pub flow: String,
    /// The deployment's name.
    pub deployment: String,
    /// `branch` or `tag`.
    pub kind: String,
    /// Its name.
    pub reference: String,
    /// The full commit id.
    pub commit: String,
}

impl LedgerEntry {
    /// About a registration that was created or updated at a target.
    pub(crate) fn of(registration: &Registration, action: &str, target: &str, at: &str) -> Self {
        let reference = &registration.reference;
        Self {
            at: at.to_owned(),
            target: target.to_owned(),
            action: action.to_owned(),
            flow: registration.flow.to_string(),
            deployment: registration.deployment.to_string(),
            kind: reference.name.kind().to_owned(),
            reference: reference.name.as_str().to_owned(),
            commit: reference.commit.as_str().to_owned(),
        }
    }
}

impl Store {
    /// Appends entries, all or none.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file can't be written.
    pub(crate) fn append_to_ledger(&mut self, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        self.write(|transaction| append(transaction, entries))
    }

    /// The whole ledger, oldest first.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file can't be read.
    pub fn ledger(&self) -> Result<Vec<LedgerEntry>, StoreError> {
        let read = || -> rusqlite::Result<Vec<LedgerEntry>> {
            self.connection
                .prepare(
                    "SELECT at, target, action, flow, deployment, kind, reference, commit_id
                     FROM ledger ORDER BY id",
                )?
                .query_map([], |row| {
                    Ok(LedgerEntry {
                        at: row.get(0)?,
                        target: row.get(1)?,
                        action: row.get(2)?,
                        flow: row.get(3)?,
                        deployment: row.get(4)?,
                        kind: row.get(5)?,
                        reference: row.get(6)?,
                        commit: row.get(7)?,
                    })
                })?
                .collect()
        };
        read().map_err(|source| self.error(source))
    }
}

/// Appends entries.
pub(super) fn append(
    transaction: &Transaction<'_>,
    entries: &[LedgerEntry],
) -> rusqlite::Result<()> {
    let mut insert = transaction.prepare_cached(
        "INSERT INTO ledger (at, target, action, flow, deployment, kind, reference, commit_id)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?;
    for entry in entries {
        insert.execute(params![
            entry.at,
            entry.target,
            entry.action,
            entry.flow,
            entry.deployment,
            entry.kind,
            entry.reference,
            entry.commit,
        ])?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ledger_keeps_what_was_appended_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let mut store = Store::open(directory.path()).unwrap();
        let entry = |flow: &str| LedgerEntry {
            at: "2026-01-02T03:04:05Z".to_owned(),
            target: "local".to_owned(),
            action: "created".to_owned(),
            flow: flow.to_owned(),
            deployment: "default".to_owned(),
            kind: "tag".to_owned(),
            reference: "v1".to_owned(),
            commit: "a".repeat(40),
        };
        store.append_to_ledger(&[entry("b"), entry("a")]).unwrap();
        store.append_to_ledger(&[entry("c")]).unwrap();
        let flows: Vec<_> = store.ledger().unwrap().into_iter().map(|entry| entry.flow).collect();
        assert_eq!(flows, ["b", "a", "c"]);
    }
}
