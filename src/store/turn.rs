//! Runs of one clone write to a server one after the other.
//!
//! A server orders nothing: of ten runs that create the same deployment at once each is told that it was
//! the one. In one clone they can wait for each other; each then finds what the one before has
//! registered. The system releases the lock when its process ends, however that ends.

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a run waits for the others. A server that hangs keeps one of them for minutes; then the others go on,
/// and what they do to each other is put right afterwards.
const PATIENCE: Duration = Duration::from_mins(2);

/// The lock, held until it is dropped; `None` inside where it can't be had.
#[must_use]
pub(crate) struct Turn {
    #[cfg_attr(not(test), expect(dead_code, reason = "it is held, and not looked at"))]
    lock: Option<File>,
}

impl Turn {
    /// Waits for the other runs of the clone with this common directory.
    pub(crate) fn take(common_dir: &Path, is_interrupted: &dyn Fn() -> bool) -> Self {
        let directory = common_dir.join("flowreg");
        let file = std::fs::create_dir_all(&directory).and_then(|()| {
            let mut options = File::options();
            options.create(true).truncate(false).write(true).open(directory.join("register.lock"))
        });
        // A repository that can't be written to has no runs that could take turns.
        let Ok(file) = file else { return Self { lock: None } };
        let is_taken = take_lock(&file, PATIENCE, is_interrupted).unwrap_or(false);
        Self { lock: is_taken.then_some(file) }
    }
}

/// Takes the lock of a file; `false` if another process has it for longer than `patience`, or `is_over` says that
/// nobody waits for it any more.
///
/// # Errors
/// If the file can't be locked at all.
pub(super) fn take_lock(
    file: &File,
    patience: Duration,
    is_over: &dyn Fn() -> bool,
) -> std::io::Result<bool> {
    let started = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::Error(error)) => return Err(error),
            Err(TryLockError::WouldBlock) if started.elapsed() >= patience || is_over() => {
                return Ok(false);
            }
            Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_after_the_other_and_nobody_waits_for_one_that_is_gone() {
        let directory = tempfile::tempdir().unwrap();
        let first = Turn::take(directory.path(), &|| false);
        assert!(first.lock.is_some());
        // Interrupted while it waits.
        assert!(Turn::take(directory.path(), &|| true).lock.is_none());
        drop(first);
        assert!(Turn::take(directory.path(), &|| true).lock.is_some());
        let nowhere = directory.path().join("file");
        std::fs::write(&nowhere, "").unwrap();
        assert!(Turn::take(&nowhere, &|| false).lock.is_none());
    }
}
