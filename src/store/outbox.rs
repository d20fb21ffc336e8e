//! The outbox: pushes that wait for the remote's confirmation or for the target.
//!
//! One small file for each push, and no database: opening one takes longer than a hook may. A
//! file appears complete and synced to the disk, or not at all, so a crash at any point loses
//! nothing. What the content of a file means is decided in `push`.
//!
//! A record has a file of its own if it was put into the outbox alone, and from its first change on; that file
//! counts, and not what a [`Batch`] has of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::batch::Batch;
use super::turn::take_lock;

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

impl OutboxError {
    fn content(path: &Path, reason: impl Into<String>) -> Self {
        Self::Content { path: path.to_owned(), reason: reason.into() }
    }
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
    /// of ids is that of time. It costs the same for one and for thousands.
    ///
    /// # Errors
    /// [`OutboxError`] if the file can't be written; then none of them is there.
    pub(crate) fn put<T: Serialize>(&self, records: &[T]) -> Result<Vec<String>, OutboxError> {
        self.make()?;
        let id = new_id();
        let ids = match records {
            [] => return Ok(Vec::new()),
            [record] => {
                write(&self.file(&id), &line(record).map_err(self.failed(&id))?)?;
                vec![id]
            }
            records => {
                let mut bytes = Vec::new();
                for record in records {
                    bytes.extend(line(record).map_err(self.failed(&id))?);
                }
                let file = self.directory.join(Batch::file_name(&id, records.len()));
                write(&file, &bytes)?;
                (0..records.len()).map(|line| Batch::id(&id, line)).collect()
            }
        };
        self.sync()?;
        Ok(ids)
    }

    /// Replaces a record by what is known now.
    ///
    /// # Errors
    /// [`OutboxError`] if the file can't be written; the old one is there then.
    pub(crate) fn replace<T: Serialize>(&self, id: &str, record: &T) -> Result<(), OutboxError> {
        write(&self.file(id), &line(record).map_err(self.failed(id))?)?;
        self.sync()
    }

    /// Removes records for good; one that is gone already is no error. Whoever removes holds the lock for
    /// deliveries.
    ///
    /// # Errors
    /// [`OutboxError`] if a file can't be written or removed.
    pub(crate) fn remove(&self, ids: &[&str]) -> Result<(), OutboxError> {
        // Its own file first: if this process is killed now, a record of a batch is as it was queued, and is looked
        // at once more.
        for id in ids {
            match std::fs::remove_file(self.file(id)) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(self.failed(id)(source));
                }
                _ => {}
            }
        }
        for batch in self.batches() {
            let lines: Vec<usize> = ids.iter().filter_map(|id| batch.line_of(id)).collect();
            if !lines.is_empty() {
                let failed = |source| OutboxError::File { path: batch.path.clone(), source };
                batch.remove(&lines).map_err(failed)?;
            }
        }
        self.sync()
    }

    /// The ids of all records, oldest first.
    pub(crate) fn ids(&self) -> Vec<String> {
        let mut ids: BTreeSet<String> = self.own_ids().collect();
        for batch in self.batches() {
            // One that can't be read is an error of its records.
            ids.extend(batch.ids().unwrap_or_default());
        }
        ids.into_iter().collect()
    }

    /// All records with their ids, oldest first; an error in place of one that can't be read, or that a newer
    /// flowreg wrote.
    pub(crate) fn records<T: DeserializeOwned>(&self) -> Vec<(String, Result<T, OutboxError>)> {
        let mut records = BTreeMap::new();
        for batch in self.batches() {
            let path = &batch.path;
            match batch.records() {
                Ok(found) => records.extend(found.into_iter().map(|(id, bytes)| {
                    let record = match bytes {
                        Some(bytes) => parsed(path, &bytes),
                        None => Err(OutboxError::content(path, "it ends before this record")),
                    };
                    (id, record)
                })),
                Err(source) => {
                    let error = OutboxError::File { path: path.clone(), source };
                    records.insert(batch.base().to_owned(), Err(error));
                }
            }
        }
        for id in self.own_ids() {
            let path = self.file(&id);
            match std::fs::read(&path) {
                Ok(bytes) => records.insert(id, parsed(&path, &bytes)),
                Err(source) if source.kind() == io::ErrorKind::NotFound => None,
                Err(source) => records.insert(id, Err(OutboxError::File { path, source })),
            };
        }
        records.into_iter().collect()
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
        let is_taken = take_lock(&file, patience, &|| false).map_err(failed)?;
        Ok(is_taken.then_some(OutboxLock { _file: file }))
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
        let batches = self.batches();
        let is_left_behind = |path: &PathBuf| Batch::is_left_behind(path, &batches);
        for path in self.files().filter(|path| is_abandoned(path) || is_left_behind(path)) {
            let _ = std::fs::remove_file(path);
        }
    }

    /// The ids of the records that have files of their own.
    fn own_ids(&self) -> impl Iterator<Item = String> {
        self.files()
            .filter(|path| path.extension().is_some_and(|extension| extension == EXTENSION))
            .filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned()))
    }

    fn batches(&self) -> Vec<Batch> {
        self.files().filter_map(|path| Batch::at(&path)).collect()
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

    /// The error of the file that a record has of its own.
    fn failed(&self, id: &str) -> impl Fn(io::Error) -> OutboxError {
        let path = self.file(id);
        move |source| OutboxError::File { path: path.clone(), source }
    }

    /// Syncs the directory: a rename or removal in it is safe against a power failure only then.
    fn sync(&self) -> Result<(), OutboxError> {
        File::open(&self.directory)
            .and_then(|directory| directory.sync_all())
            .map_err(|source| OutboxError::File { path: self.directory.clone(), source })
    }
}

/// Makes a file appear complete and on disk; the directory is still to be synced.
fn write(path: &Path, bytes: &[u8]) -> Result<(), OutboxError> {
    let failed = |source| OutboxError::File { path: path.to_owned(), source };
    // With the process id in the name, two processes that replace one record at once don't write
    // into the same file.
    let unfinished = path.with_extension(format!("{}.{UNFINISHED}", std::process::id()));
    let mut file = File::create(&unfinished).map_err(failed)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed)?;
    // Synced before the rename: the other way round a power failure could leave the name of the
    // record with empty content.
    std::fs::rename(&unfinished, path).map_err(failed)
}

/// A record as it is written.
fn line<T: Serialize>(record: &T) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(&Versioned { format: FORMAT, record })?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn parsed<T: DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, OutboxError> {
    let unreadable = |error: serde_json::Error| OutboxError::content(path, error.to_string());
    // Read on its own first: a record of a newer version may lack fields of this one, and that
    // error would hide the reason.
    let Format { format } = serde_json::from_slice(bytes).map_err(unreadable)?;
    if format > FORMAT {
        let reason = format!("a newer flowreg wrote it (format {format})");
        return Err(OutboxError::content(path, reason));
    }
    let versioned: Versioned<T> = serde_json::from_slice(bytes).map_err(unreadable)?;
    Ok(versioned.record)
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
    use serde_json::Value;

    /// What is left of the records, by their names, in their order.
    fn names(outbox: &Outbox) -> Vec<String> {
        let records = outbox.records::<Value>();
        let ids: Vec<&String> = records.iter().map(|(id, _)| id).collect();
        assert_eq!(outbox.ids().iter().collect::<Vec<_>>(), ids);
        let name = |record: &Value| record["name"].as_str().unwrap().to_owned();
        records.iter().map(|(_, record)| name(record.as_ref().unwrap())).collect()
    }

    fn files(outbox: &Outbox) -> Vec<String> {
        let name = |path: PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
        outbox.files().map(name).collect()
    }

    fn put(outbox: &Outbox, count: usize) -> Vec<String> {
        let records: Vec<Value> =
            (0..count).map(|number| serde_json::json!({"name": number.to_string()})).collect();
        outbox.put(&records).unwrap()
    }

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
        assert_eq!(outbox.ids(), [ids.clone(), later.clone()].concat());
        outbox.replace(&ids[0], &serde_json::json!({"name": "A"})).unwrap();
        assert_eq!(names(&outbox), ["A", "b", "c"]);
        outbox.remove(&[&ids[0]]).unwrap();
        outbox.remove(&[&ids[0]]).unwrap();
        assert_eq!(names(&outbox), ["b", "c"]);
        assert_eq!(outbox.ids(), [ids[1].clone(), later[0].clone()]);
        outbox.remove(&[&later[0], &ids[1]]).unwrap();
        assert!(outbox.ids().is_empty());
        assert_eq!(files(&outbox), Vec::<String>::new());
    }

    #[test]
    fn a_record_of_a_newer_flowreg_is_refused_and_left_alone() {
        let (_directory, outbox) = outbox();
        let ids = outbox.put(&[serde_json::json!({})]).unwrap();
        std::fs::write(outbox.file(&ids[0]), r#"{"format":2,"what":"else"}"#).unwrap();
        let error = outbox.records::<Value>().remove(0).1.unwrap_err();
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
    fn however_many_records_are_put_together_it_is_one_file() {
        for count in [2, 5_000] {
            let (_directory, outbox) = outbox();
            let ids = put(&outbox, count);
            assert_eq!(files(&outbox).len(), 1);
            let expected: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            assert_eq!(names(&outbox), expected);
            assert_eq!(outbox.ids(), ids);
            assert!(Outbox::age(&ids[1]) < Duration::from_mins(1));
        }
    }

    /// A process may be killed between any two steps, and in the middle of a line.
    #[test]
    fn what_a_killed_process_left_of_a_batch_loses_no_record_and_brings_none_back() {
        let (_directory, outbox) = outbox();
        let ids = put(&outbox, 200);
        let batch = outbox.batches().remove(0);
        outbox.remove(&[&ids[3]]).unwrap();
        let is_gone = |path: &PathBuf| path.extension().is_some_and(|end| end == "gone");
        let gone = outbox.files().find(is_gone).unwrap();
        let before = std::fs::read(&gone).unwrap();
        outbox.remove(&[&ids[117]]).unwrap();
        let after = std::fs::read(&gone).unwrap();
        // Cut off after each byte of the line, and then another record goes.
        for length in before.len()..=after.len() {
            std::fs::write(&gone, &after[..length]).unwrap();
            outbox.remove(&[&ids[42]]).unwrap();
            let left = names(&outbox);
            // The last byte is a line break, and nothing hangs on it.
            let is_whole = length + 1 >= after.len();
            assert_eq!(left.len(), if is_whole { 197 } else { 198 }, "{length}");
            for (name, is_left) in
                [("3", false), ("42", false), ("117", !is_whole), ("1", true), ("11", true)]
            {
                assert_eq!(left.contains(&name.to_owned()), is_left, "{name} {length}");
            }
        }
        // A power failure may leave zeros in place of what was not synced.
        std::fs::write(&gone, [&before[..], &[0; 40]].concat()).unwrap();
        outbox.remove(&[&ids[42]]).unwrap();
        assert_eq!(names(&outbox).len(), 198);
        // A record that was changed and removed: its own file is gone, and the line is not there yet.
        outbox.replace(&ids[7], &serde_json::json!({"name": "changed"})).unwrap();
        assert!(names(&outbox).contains(&"changed".to_owned()));
        std::fs::remove_file(outbox.file(&ids[7])).unwrap();
        assert!(names(&outbox).contains(&"7".to_owned()));
        // The records are gone, and the list is not: nothing comes back, and it is swept away.
        std::fs::remove_file(&batch.path).unwrap();
        assert!(outbox.ids().is_empty());
        outbox.sweep();
        assert_eq!(files(&outbox), Vec::<String>::new());
    }

    #[test]
    fn a_batch_that_is_damaged_is_told_and_kept() {
        let (_directory, outbox) = outbox();
        let ids = put(&outbox, 3);
        let path = outbox.batches().remove(0).path;
        let text = std::fs::read_to_string(&path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        std::fs::write(&path, format!("{}\n{{\"format\":2}}\n", lines[0])).unwrap();
        let records = outbox.records::<Value>();
        assert_eq!(records.iter().map(|(id, _)| id.clone()).collect::<Vec<_>>(), ids);
        assert!(records[0].1.is_ok());
        let told = |at: usize| records[at].1.as_ref().unwrap_err().to_string();
        assert!(told(1).contains("a newer flowreg"), "{}", told(1));
        assert!(told(2).contains("ends before"), "{}", told(2));
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
