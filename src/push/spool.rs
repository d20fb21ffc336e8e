//! Pushes that the shim spooled because it found no flowreg, or flowreg ended with an error.
//!
//! A file `<time>.<process>.raw` has the lines `hook`, `remote`, `url` and `directory`, those variables
//! that name a target and were set, a blank line, and then the hook's standard input as git gave it.

use std::path::{Path, PathBuf};

use super::deliver::Delivery;
use super::log::{DecisionLog, tell_of_not_text};
use super::queue::{PushContext, PushedRef, PushedRefs, pre_push_refs, queued, received_refs};
use super::queued::QueuedPush;
use crate::store::{Outbox, OutboxError};
use flowreg_git::Repository;

/// The variables by which a person names a target for one command.
pub(crate) const TARGET_VARIABLES: [&str; 2] = ["PREFECT_PROFILE", "PREFECT_API_URL"];

/// Turns spooled pushes into records of the outbox. A file is removed only after its records are on
/// disk. A crash in between queues the same push twice, and the newer record supersedes the other.
///
/// # Errors
/// [`OutboxError`] if the records can't be written.
pub(super) fn import_spooled(
    outbox: &Outbox,
    repository: &Repository,
    delivery: &dyn Delivery,
) -> Result<(), OutboxError> {
    let entries = std::fs::read_dir(outbox.spool()).into_iter().flatten().flatten();
    let mut files: Vec<PathBuf> = entries
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "raw"))
        .collect();
    files.sort();
    for file in files {
        let Some(records) = read(&file, outbox, repository, delivery) else {
            // Kept for a person to look at, under another name so that it is not read again.
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

fn read(
    file: &Path,
    outbox: &Outbox,
    repository: &Repository,
    delivery: &dyn Delivery,
) -> Option<Vec<QueuedPush>> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let end = bytes.windows(2).position(|two| two == b"\n\n")?;
    let (head, lines) = bytes.split_at(end);
    let head = String::from_utf8_lossy(head);
    let written =
        |key: &str| head.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
    let value = |key: &str| written(key).unwrap_or_default();
    let variables = TARGET_VARIABLES.iter().filter_map(|name| Some((*name, written(name)?)));
    let variables: Vec<(&str, &str)> = variables.collect();
    let is_received = value("hook") == "post-receive";
    let directory = Path::new(value("directory"));
    let context =
        PushContext { is_received, ..PushContext::to(value("remote"), value("url"), directory) };
    let read = if is_received { received_refs } else { pre_push_refs };
    let written = file.metadata().and_then(|file| file.modified()).ok();
    let age = written.and_then(|time| time.elapsed().ok()).unwrap_or_default();
    let age = u64::try_from(age.as_millis()).unwrap_or_default();
    let PushedRefs { refs, not_text } = read(lines);
    tell_of_not_text(&not_text, outbox);
    let records = refs.into_iter().filter(PushedRef::is_registrable);
    let records = records
        .map(|line| {
            let mut push = {
                let commit = line.object.as_ref().and_then(|object| repository.peeled(object));
                queued(line, &context, Some(repository), commit, None)
            };
            // The reflog as it was before the push is unknown by now, so a line in it proves
            // nothing: the remote is asked.
            push.tracking = None;
            push.queued_at = push.queued_at.saturating_sub(age);
            push.target = delivery.target(&push, &variables);
            push
        })
        .collect();
    Some(records)
}
