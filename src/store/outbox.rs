//! The outbox: pushes that wait for the remote's confirmation or for the target.
//!
//! One small file for each queued ref, and no database: opening one takes longer than a hook may. A
//! file appears complete and synced to the disk, or not at all, so a crash at any point loses
//! nothing. What the content of a file means is decided in `push`.

use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// The version of the files; one with a higher version is left alone.
const FORMAT: u32 = 1;
const EXTENSION: &str = "json";
const UNFINISHED: &str = "unfinished";
/// An unfinished file that is older than this was left behind by a killed process. A process that
/// lives renames it within milliseconds.
const ABANDONED: Duration = Duration::from_hours(1);

/// Why a file of the outbox can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OutboxError {
    /// The directory or a file in it can't be used.
    #[error("{path} can't be used: {source}")]
    File {
        /// The file or the directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The content is not what this version wrote.
    #[error("{path} can't be read: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// Why, in words.
        reason: String,
    },
}

/// The outbox of one repository.
#[derive(Debug, Clone)]
pub(crate) struct Outbox {
    directory: PathBuf,
}

/// A lock that this process holds until the value is dropped. The system releases it too when the
/// process is killed, so there are no stale locks.
#[derive(Debug)]
pub(crate) struct OutboxLock {
    _file: File,
}

/// Which of the two locks. A watcher holds `Watch` as long as it lives, and `Deliver` only during a
/// pass, so that `flowreg sync` gets its turn while a watcher waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutboxLockKind {
    /// One watcher for a repository.
    Watch,
    /// One delivery at a time.
    Deliver,
}

impl OutboxLockKind {
    fn file_name(self) -> &'static str {
        match self {
            Self::Watch => "watch.lock",
            Self::Deliver => "deliver.lock",
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Versioned<T> {
    format: u32,
    #[serde(flatten)]
    record: T,
}

#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Outbox {
    /// The outbox in a git common directory; nothing is made until something is put into it.
    pub(crate) fn of(common_dir: &Path) -> Self {
        Self { directory: common_dir.join("flowreg").join("outbox") }
    }

    /// Where the files are.
    pub(crate) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The directory in which the shim keeps the refs of a push if the hook's program is missing or
    /// fails.
    pub(crate) fn spool(&self) -> PathBuf {
        self.directory.with_file_name("spool")
    }

    /// Puts records into the outbox, on disk before this returns, and returns their ids: the order
    /// of ids is that of time.
    ///
    /// # Errors
    /// [`OutboxError`] if a file can't be written; those before it are there.
    pub(crate) fn put<T: Serialize>(&self, records: &[T]) -> Result<Vec<String>, OutboxError> {
        self.make()?;
        let mut ids = Vec::with_capacity(records.len());
        for record in records {
            let id = new_id();
            self.write(&id, record)?;
            ids.push(id);
        }
        self.sync()?;
        Ok(ids)
    }

    /// Replaces a record by what is known now.
    ///
    /// # Errors
    /// [`OutboxError`] if the file can't be written; the old one is there then.
    pub(crate) fn replace<T: Serialize>(&self, id: &str, record: &T) -> Result<(), OutboxError> {
        self.write(id, record)?;
        self.sync()
    }

    /// Removes a record for good; one that is gone already is no error.
    ///
    /// # Errors
    /// [`OutboxError`] if the file can't be removed.
    pub(crate) fn remove(&self, id: &str) -> Result<(), OutboxError> {
        let path = self.file(id);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(OutboxError::File { path, source })
            }
            _ => self.sync(),
        }
    }

    /// The ids of all records, oldest first.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .files()
            .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
            .collect();
        ids.sort();
        ids
    }

    /// Reads a record; `None` if it is gone.
    ///
    /// # Errors
    /// [`OutboxError`] if it can't be read, or a newer flowreg wrote it.
    pub(crate) fn read<T: DeserializeOwned>(&self, id: &str) -> Result<Option<T>, OutboxError> {
        let path = self.file(id);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(OutboxError::File { path, source }),
        };
        let unreadable = |reason: String| OutboxError::Content { path: path.clone(), reason };
        // Read on its own first: a record of a newer version may lack fields of this one, and that
        // error would hide the reason.
        let format: Format =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if format.format > FORMAT {
            return Err(unreadable(format!("a newer flowreg wrote it (format {})", format.format)));
        }
        let versioned: Versioned<T> =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        Ok(Some(versioned.record))
    }

    /// How long ago a record was put into the outbox, by the time in its id.
    pub(crate) fn age(id: &str) -> Duration {
        let put = id.split('-').next().and_then(|text| text.parse().ok()).unwrap_or(0_u64);
        let put = UNIX_EPOCH + Duration::from_nanos(put);
        SystemTime::now().duration_since(put).unwrap_or_default()
    }

    /// Takes a lock; `None` if another process has it for longer than `patience`.
    ///
    /// # Errors
    /// [`OutboxError`] if the file of the lock can't be made.
    pub(crate) fn lock(
        &self,
        kind: OutboxLockKind,
        patience: Duration,
    ) -> Result<Option<OutboxLock>, OutboxError> {
        self.make()?;
        let path = self.directory.join(kind.file_name());
        let failed = |source| OutboxError::File { path: path.clone(), source };
        let file = File::options().create(true).append(true).open(&path).map_err(failed)?;
        let started = std::time::Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(OutboxLock { _file: file })),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
                Err(TryLockError::WouldBlock) if started.elapsed() >= patience => return Ok(None),
                Err(TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// Whether a process holds the lock.
    ///
    /// This takes a shared lock for an instant: two processes can ask at once, but one that wants the
    /// lock at that instant finds it taken, and has to try again.
    pub(crate) fn is_locked(&self, kind: OutboxLockKind) -> bool {
        let file = File::options().read(true).open(self.directory.join(kind.file_name()));
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// Removes the unfinished files of processes that were killed.
    pub(crate) fn sweep(&self) {
        let is_abandoned = |path: &PathBuf| {
            let modified = path.metadata().and_then(|file| file.modified()).ok();
            path.extension().is_some_and(|extension| extension == UNFINISHED)
                && modified.and_then(|time| time.elapsed().ok()).is_some_and(|age| age > ABANDONED)
        };
        for path in self.files().filter(is_abandoned) {
            let _ = std::fs::remove_file(path);
        }
    }

    fn files(&self) -> impl Iterator<Item = PathBuf> {
        let entries = std::fs::read_dir(&self.directory).into_iter().flatten().flatten();
        entries.map(|entry| entry.path())
    }

    fn file(&self, id: &str) -> PathBuf {
        self.directory.join(format!("{id}.{EXTENSION}"))
    }

    fn make(&self) -> Result<(), OutboxError> {
        if self.directory.is_dir() {
            return Ok(());
        }
        let failed = |source| OutboxError::File { path: self.directory.clone(), source };
        std::fs::create_dir_all(&self.directory).map_err(failed)?;
        // A new directory is only safe against a power failure once the directory that holds it is
        // synced: here `flowreg` in the git directory, and `outbox` in it.
        for above in self.directory.ancestors().skip(1).take(2) {
            File::open(above).and_then(|above| above.sync_all()).map_err(failed)?;
        }
        Ok(())
    }

    fn write<T: Serialize>(&self, id: &str, record: &T) -> Result<(), OutboxError> {
        let path = self.file(id);
        let failed = |source| OutboxError::File { path: path.clone(), source };
        let mut bytes = serde_json::to_vec(&Versioned { format: FORMAT, record })
            .map_err(|error| failed(io::Error::other(error)))?;
        bytes.push(b'\n');
        // With the process id in the name, two processes that replace one record at once don't write
        // into the same file.
        let unfinished = self.directory.join(format!("{id}.{}.{UNFINISHED}", std::process::id()));
        let mut file = File::create(&unfinished).map_err(failed)?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(failed)?;
        // Synced before the rename: the other way round a power failure could leave the name of the
        // record with empty content.
        std::fs::rename(&unfinished, &path).map_err(failed)
    }

    /// Syncs the directory: a rename or removal in it is safe against a power failure only then.
    fn sync(&self) -> Result<(), OutboxError> {
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| OutboxError::File { path: self.directory.clone(), source })
    }
}

/// `<nanoseconds since 1970>-<process>-<count>`: sorts by time, and no two processes make the same.
fn new_id() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    format!("{now:020}-{}-{count:04}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox() -> (tempfile::TempDir, Outbox) {
        let directory = tempfile::tempdir().unwrap();
        let outbox = Outbox::of(directory.path());
        (directory, outbox)
    }

    #[test]
    fn records_are_kept_in_the_order_of_time_until_they_are_removed() {
        let (_directory, outbox) = outbox();
        assert!(outbox.ids().is_empty());
        let ids = outbox.put(&["a", "b"].map(|name| serde_json::json!({"name": name}))).unwrap();
        let later = outbox.put(&[serde_json::json!({"name": "c"})]).unwrap();
        assert_eq!(outbox.ids(), [ids.clone(), later].concat());
        outbox.replace(&ids[0], &serde_json::json!({"name": "A"})).unwrap();
        let read: serde_json::Value = outbox.read(&ids[0]).unwrap().unwrap();
        assert_eq!(read["name"], "A");
        outbox.remove(&ids[0]).unwrap();
        outbox.remove(&ids[0]).unwrap();
        assert!(outbox.read::<serde_json::Value>(&ids[0]).unwrap().is_none());
        assert_eq!(outbox.ids().len(), 2);
    }

    #[test]
    fn a_record_of_a_newer_flowreg_is_refused_and_left_alone() {
        let (_directory, outbox) = outbox();
        let ids = outbox.put(&[serde_json::json!({})]).unwrap();
        std::fs::write(outbox.file(&ids[0]), r#"{"format":2,"what":"else"}"#).unwrap();
        let error = outbox.read::<serde_json::Value>(&ids[0]).unwrap_err();
        assert!(error.to_string().contains("a newer flowreg"), "{error}");
        assert_eq!(outbox.ids(), ids);
    }

    #[test]
    fn what_a_killed_process_began_is_no_record() {
        let (_directory, outbox) = outbox();
        outbox.put(&[serde_json::json!({})]).unwrap();
        std::fs::write(outbox.directory.join("1.2.unfinished"), "{\"for").unwrap();
        assert_eq!(outbox.ids().len(), 1);
    }

    #[test]
    fn a_lock_is_held_by_one_until_it_is_dropped() {
        let (_directory, outbox) = outbox();
        let held = outbox.lock(OutboxLockKind::Watch, Duration::ZERO).unwrap();
        assert!(held.is_some());
        assert!(outbox.is_locked(OutboxLockKind::Watch));
        assert!(!outbox.is_locked(OutboxLockKind::Deliver));
        drop(held);
        assert!(outbox.lock(OutboxLockKind::Watch, Duration::ZERO).unwrap().is_some());
    }
}
