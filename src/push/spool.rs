//! What the shim kept when it could not reach flowreg: the raw lines of a push.
//!
//! A file has `remote`, `url` and `directory` lines, a blank one, and then what git said.

use std::path::{Path, PathBuf};

use super::log::DecisionLog;
use super::queue::{PushContext, PushedRef, pre_push_refs, queued, received_refs};
use super::queued::QueuedPush;
use crate::store::{Outbox, OutboxError};
use flowreg_git::Repository;

/// Turns spooled pushes into records. A file goes only when its records are there.
///
/// # Errors
/// [`OutboxError`] if the records can't be written.
pub(super) fn import_spooled(outbox: &Outbox, repository: &Repository) -> Result<(), OutboxError> {
    let entries = std::fs::read_dir(outbox.spool()).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "raw"))
        .collect();
    files.sort();
    for file in files {
        let Some(records) = read(&file, repository) else {
            // It stays for somebody to look at; as it is, nobody can tell what it was.
            let _ = std::fs::rename(&file, file.with_extension("unreadable"));
            DecisionLog::of(outbox)
                .write(&file.display().to_string(), "kept by the shim, and can't be read");
            continue;
        };
        if !records.is_empty() {
            outbox.put(&records)?;
        }
        let _ = std::fs::remove_file(&file);
    }
    Ok(())
}

fn read(file: &Path, repository: &Repository) -> Option<Vec<QueuedPush>> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let (head, lines) = text.split_once("\n\n")?;
    let value = |key: &str| {
        let mut found = head.lines().filter_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        found.next().unwrap_or_default()
    };
    let is_received = value("hook") == "post-receive";
    let context = PushContext {
        remote: value("remote"),
        url: value("url"),
        directory: Path::new(value("directory")),
        git: None,
        is_received,
    };
    let read = if is_received { received_refs } else { pre_push_refs };
    let written = file.metadata().and_then(|file| file.modified()).ok();
    let age = written.and_then(|time| time.elapsed().ok()).unwrap_or_default();
    let age = u64::try_from(age.as_millis()).unwrap_or_default();
    let records = read(lines.as_bytes()).into_iter().filter(PushedRef::is_registrable);
    let records = records
        .map(|line| {
            let mut push = {
                let commit = line.object.as_ref().and_then(|object| repository.peeled(object));
                queued(line, &context, Some(repository), commit)
            };
            // Where the reflog was before the push is not known any more: only the remote tells.
            push.tracking = None;
            push.queued_at = push.queued_at.saturating_sub(age);
            push
        })
        .collect();
    Some(records)
}
