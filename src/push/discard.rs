//! Forgets queued pushes, without registering them.

use globset::{Glob, GlobMatcher};

use super::log::DecisionLog;
use super::queued::{OutboxRecord, outbox_records};
use crate::store::{Outbox, OutboxError};
use flowreg_model::misspelt;

/// Why nothing was forgotten.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DiscardError {
    /// Nothing waits for one of the names.
    #[error("nothing waits for `{name}`")]
    NothingWaits {
        /// As it was given.
        name: String,
        /// What waits and was most likely meant.
        meant: Option<String>,
    },
    /// It is no glob.
    #[error("`{name}` is no glob: {reason}")]
    Glob {
        /// As it was given.
        name: String,
        /// Why.
        reason: String,
    },
    /// The outbox can't be used.
    #[error(transparent)]
    Outbox(#[from] OutboxError),
}

/// Forgets what waits for these names, and returns it: ids, branches, tags, full refs, and globs of
/// them, in which `*` also stands for `/`, as in `git branch --list`. The lock for deliveries has to be
/// held.
///
/// # Errors
/// [`DiscardError`] if one of the names means nothing; then nothing is forgotten.
pub(crate) fn discard(
    outbox: &Outbox,
    names: &[String],
) -> Result<Vec<OutboxRecord>, DiscardError> {
    let mut waiting = outbox_records(outbox);
    let mut meant = Vec::new();
    for name in names {
        let glob = Glob::new(name)
            .map_err(|error| DiscardError::Glob {
                name: name.clone(),
                reason: error.kind().to_string(),
            })?
            .compile_matcher();
        let (found, left): (Vec<_>, Vec<_>) =
            waiting.into_iter().partition(|record| is_meant(record, name, &glob));
        // What an earlier name took counts as well: `feat/x 'feat/*'` is no mistake.
        let is_known = |record: &OutboxRecord| is_meant(record, name, &glob);
        if found.is_empty() && !meant.iter().any(is_known) {
            let names: Vec<&str> = left.iter().filter_map(short_name).collect();
            let meant = misspelt(name, &names).map(ToOwned::to_owned);
            return Err(DiscardError::NothingWaits { name: name.clone(), meant });
        }
        meant.extend(found);
        waiting = left;
    }
    let log = DecisionLog::of(outbox);
    for record in &meant {
        log.write(short_name(record).unwrap_or(&record.id), "discarded by hand");
    }
    let ids: Vec<&str> = meant.iter().map(|record| &*record.id).collect();
    outbox.remove(&ids)?;
    Ok(meant)
}

fn is_meant(record: &OutboxRecord, name: &str, glob: &GlobMatcher) -> bool {
    let is_so = |one: &str| one == name || glob.is_match(one);
    let of_push =
        record.push.as_ref().is_ok_and(|push| is_so(push.short_name()) || is_so(&push.reference));
    of_push || is_so(&record.id)
}

fn short_name(record: &OutboxRecord) -> Option<&str> {
    record.push.as_ref().ok().map(super::QueuedPush::short_name)
}
