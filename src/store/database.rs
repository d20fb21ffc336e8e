//! Opens the SQLite file and brings its tables up to date.

use std::fs::File;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};

/// The version of the tables, in SQLite's `user_version`. A file with a higher one is refused and not
/// changed: an old flowreg can't know what a new one keeps in it.
const VERSION: i64 = 1;
/// How long a process waits for another one that writes. Writes take milliseconds, but ten hooks may
/// deliver at once on a slow disk.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const SET_GROUP_ID: u32 = 0o2000;
const GROUP_WRITES: u32 = 0o020;

const TABLES: &str = "
CREATE TABLE registration (
    id            INTEGER PRIMARY KEY,
    flow          TEXT NOT NULL,
    deployment    TEXT NOT NULL,
    marks         TEXT NOT NULL,
    fields        TEXT NOT NULL,
    registered_at TEXT NOT NULL,
    UNIQUE (flow, deployment)
) STRICT;
CREATE TABLE ledger (
    id         INTEGER PRIMARY KEY,
    at         TEXT NOT NULL,
    target     TEXT NOT NULL,
    action     TEXT NOT NULL,
    flow       TEXT NOT NULL,
    deployment TEXT NOT NULL,
    kind       TEXT NOT NULL,
    reference  TEXT NOT NULL,
    commit_id  TEXT NOT NULL
) STRICT;
";

/// Why the store can't be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory can't be made.
    #[error("{path} can't be created")]
    Directory {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A newer flowreg wrote the file.
    #[error("{path} was written by a newer flowreg (format {found}, this one knows {VERSION})")]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
    },
    /// SQLite failed.
    #[error("{path} can't be used")]
    Database {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
}

/// The open store.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    pub(super) connection: Connection,
}

impl Store {
    /// Whether the file exists already. [`Store::open`] would create it.
    pub(crate) fn exists(common_dir: &Path) -> bool {
        common_dir.join("flowreg/flowreg.db").is_file()
    }

    /// Opens `flowreg/flowreg.db` in the git common directory, creating it if needed.
    ///
    /// # Errors
    /// [`StoreError`] if it can't be created or read, or if a newer flowreg wrote it.
    pub fn open(common_dir: &Path) -> Result<Self, StoreError> {
        let started = Instant::now();
        let directory = common_dir.join("flowreg");
        std::fs::create_dir_all(&directory)
            .map_err(|source| StoreError::Directory { path: directory.clone(), source })?;
        let path = directory.join("flowreg.db");
        let failed = |source| StoreError::Database { path: path.clone(), source };
        create(common_dir, &path);
        let connection = Connection::open(&path).map_err(failed)?;
        connection.busy_timeout(BUSY_TIMEOUT).map_err(failed)?;
        let found = version(&connection).map_err(failed)?;
        if found > VERSION {
            return Err(StoreError::Newer { path, found });
        }
        // With WAL, `NORMAL` may lose the last commits at a power failure, and never damages the file
        // (https://sqlite.org/pragma.html#pragma_synchronous). A lost registration is written again
        // by the next run.
        connection.pragma_update(None, "synchronous", "NORMAL").map_err(failed)?;
        let mut store = Self { path, connection };
        if found < VERSION {
            store.create_tables().map_err(|source| store.error(source))?;
        }
        let (ms, is_new) = (started.elapsed().as_millis(), found < VERSION);
        tracing::debug!(file = %store.path.display(), is_new, ms, "store opened");
        Ok(store)
    }

    /// Makes the tables. Two processes may open a new file at once, so the version is looked at again
    /// inside the transaction, where the second one finds the tables made.
    fn create_tables(&mut self) -> rusqlite::Result<()> {
        self.use_wal()?;
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&transaction)? < VERSION {
            transaction.execute_batch(TABLES)?;
            transaction.pragma_update(None, "user_version", VERSION)?;
        }
        transaction.commit()
    }

    /// Carries out some work as one transaction, which nobody else writes during. What it returns is true
    /// only because the commit was seen to succeed: on a full disk that is what fails.
    ///
    /// # Errors
    /// [`StoreError::Database`] if the file can't be written; then nothing of it is.
    pub(super) fn write<T>(
        &mut self,
        work: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        let write = || -> rusqlite::Result<T> {
            let transaction =
                self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        let written = write();
        written.map_err(|source| self.error(source))
    }

    /// Switches to write-ahead logging, so that readers don't wait for a writer. SQLite does not apply
    /// the busy timeout to this change (<https://sqlite.org/wal.html>), so it is tried again here.
    fn use_wal(&self) -> rusqlite::Result<()> {
        let started = Instant::now();
        loop {
            match self.connection.pragma_update(None, "journal_mode", "WAL") {
                Err(error)
                    if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
                        && started.elapsed() < BUSY_TIMEOUT =>
                {
                    std::thread::sleep(Duration::from_millis(5));
                }
                done => return done,
            }
        }
    }

    pub(super) fn error(&self, source: rusqlite::Error) -> StoreError {
        StoreError::Database { path: self.path.clone(), source }
    }
}

/// Makes the file, so that SQLite does not make it readable for everybody: values of the environment come into it with
/// the templates of `prefect.yaml`. Its journals get the same permissions. One that is there stays as it is, as
/// somebody may have opened it on purpose.
fn create(common_dir: &Path, path: &Path) {
    // git marks the directories of a repository that a group shares so (`core.sharedRepository`).
    let shared = SET_GROUP_ID | GROUP_WRITES;
    let is_shared = common_dir
        .metadata()
        .is_ok_and(|directory| directory.permissions().mode() & shared == shared);
    let mode = if is_shared { 0o660 } else { 0o600 };
    // Where it can't be made, SQLite says why.
    let _ = File::options().write(true).create_new(true).mode(mode).open(path);
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_of_a_newer_flowreg_is_refused_and_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open(directory.path()).unwrap();
        store.connection.pragma_update(None, "user_version", VERSION + 1).unwrap();
        drop(store);
        let before = std::fs::read(directory.path().join("flowreg/flowreg.db")).unwrap();
        let error = Store::open(directory.path()).unwrap_err();
        assert!(matches!(error, StoreError::Newer { found: 2, .. }), "{error}");
        assert_eq!(std::fs::read(directory.path().join("flowreg/flowreg.db")).unwrap(), before);
    }

    #[test]
    fn only_its_owner_may_read_the_file_and_its_journals() {
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        let set = |path: &Path, mode: u32| {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        for (of_directory, expected) in [(0o755, 0o600), (0o775, 0o600), (0o2775, 0o660)] {
            let directory = tempfile::tempdir().unwrap();
            set(directory.path(), of_directory);
            let mut store = Store::open(directory.path()).unwrap();
            let write = |one: &Transaction<'_>| one.execute_batch("DELETE FROM ledger");
            store.write(write).unwrap();
            let file = directory.path().join("flowreg/flowreg.db");
            for ending in ["db", "db-wal", "db-shm"] {
                let found = mode(&file.with_extension(ending));
                // The umask may take something from the group, and nothing from the owner.
                assert_eq!(found & !expected, 0, "{of_directory:o} {ending} {found:o}");
                assert_eq!(found & 0o600, 0o600, "{of_directory:o} {ending} {found:o}");
            }
            drop(store);
            // Opened to others on purpose.
            set(&file, 0o644);
            Store::open(directory.path()).unwrap();
            assert_eq!(mode(&file), 0o644);
        }
    }

    #[test]
    fn a_file_that_is_no_database_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("flowreg")).unwrap();
        std::fs::write(
            directory.path().join("flowreg/flowreg.db"),
            "not a database, but text ".repeat(50),
        )
        .unwrap();
        assert!(matches!(Store::open(directory.path()), Err(StoreError::Database { .. })));
    }

    #[test]
    fn ten_at_once_can_open_a_new_store() {
        let directory = tempfile::tempdir().unwrap();
        std::thread::scope(|scope| {
            let opened: Vec<_> = (0..10)
                .map(|_| scope.spawn(|| Store::open(directory.path()).map(|_| ())))
                .collect();
            for one in opened {
                one.join().unwrap().unwrap();
            }
        });
    }
}
