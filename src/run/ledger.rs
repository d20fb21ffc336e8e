//! What a run leaves in the ledger: one entry for each registration that it wrote or removed.

use flowreg_model::{CommitId, Held, TargetDescription, TargetKind};

use super::Opened;
use super::applied::word_of;
use crate::registration::{Applied, Outcome};
use crate::store::{LedgerEntry, Store, StoreError};

impl Opened<'_> {
    /// Notes what was created and updated.
    ///
    /// # Errors
    /// [`StoreError`] if the ledger can't be written; the target has the registrations all the
    /// same.
    pub(super) fn record_written(
        &self,
        target: &TargetDescription,
        applied: &[Applied],
    ) -> Result<(), StoreError> {
        // The embedded registry has written its lines together with the registrations.
        if target.kind == TargetKind::Local {
            return Ok(());
        }
        let at = self.surroundings.now();
        let is_written =
            |one: &&Applied| matches!(one.outcome, Outcome::Created | Outcome::Updated);
        let entries = applied.iter().filter(is_written).map(|one| {
            let action = word_of(&one.outcome);
            LedgerEntry::of(&one.planned.registration, action, &address(target), &at)
        });
        self.append(&entries.collect::<Vec<_>>())
    }

    /// Notes what was removed because its branch is gone, each with the branch; and the last commit
    /// of the branch, where that is known.
    ///
    /// # Errors
    /// [`StoreError`] if the ledger can't be written.
    pub(super) fn record_removed<'h>(
        &self,
        target: &TargetDescription,
        removed: impl Iterator<Item = (&'h Held, &'h str)>,
        last_commit: Option<&CommitId>,
    ) -> Result<(), StoreError> {
        let at = self.surroundings.now();
        let commit = last_commit.map(CommitId::as_str).unwrap_or_default();
        let entries = removed.map(|(held, branch)| LedgerEntry {
            at: at.clone(),
            target: address(target),
            action: "removed".to_owned(),
            flow: held.flow.clone(),
            deployment: held.deployment.clone(),
            kind: "branch".to_owned(),
            reference: branch.to_owned(),
            commit: commit.to_owned(),
        });
        self.append(&entries.collect::<Vec<_>>())
    }

    /// A run that wrote nothing leaves no trace: not even a database.
    fn append(&self, entries: &[LedgerEntry]) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        Store::open(self.repository.common_dir())?.append_to_ledger(entries)
    }
}

/// The target's URL; the embedded registry has none and goes by its kind.
fn address(target: &TargetDescription) -> String {
    target.url.clone().unwrap_or_else(|| target.kind.as_str().to_owned())
}
