//! Records of the outbox that were put into it together, as those of one push: a line each in one file, which is
//! written, synced and renamed once, however many there are.
//!
//! The file is never changed. Which of its records are gone stands in a second file, to which a line is added for
//! each; both are removed with the last one. A line that a killed process left unfinished counts as none.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use std::fs::File;

const EXTENSION: &str = "batch";
/// Of the file with the records that are gone.
const GONE: &str = "gone";
/// What a line of that file ends with: without it the line was not finished, and would name another record.
const FINISHED: char = '.';

/// A file of records.
#[derive(Debug)]
pub(super) struct Batch {
    /// The file: `<first part of the ids>.<number of records>.batch`.
    pub path: PathBuf,
    base: String,
    count: usize,
}

impl Batch {
    /// The name of a file with so many records.
    pub(super) fn file_name(base: &str, count: usize) -> String {
        format!("{base}.{count}.{EXTENSION}")
    }

    /// The batch that a path names; `None` if it is another file.
    pub(super) fn at(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(EXTENSION)?.strip_suffix('.')?;
        let (base, count) = name.rsplit_once('.')?;
        let count = count.parse().ok()?;
        Some(Self { path: path.to_owned(), base: base.to_owned(), count })
    }

    /// Whether a path is the list of what is gone of a batch that is gone as a whole.
    pub(super) fn is_left_behind(path: &Path, batches: &[Self]) -> bool {
        path.extension().is_some_and(|extension| extension == GONE)
            && batches.iter().all(|batch| batch.gone_file() != path)
    }

    /// The first part of its records' ids.
    pub(super) fn base(&self) -> &str {
        &self.base
    }

    /// The id of a record: that of the batch, and its line. The order of ids is that of lines.
    pub(super) fn id(base: &str, line: usize) -> String {
        format!("{base}-{line:06}")
    }

    /// The line of a record of this batch.
    pub(super) fn line_of(&self, id: &str) -> Option<usize> {
        let line = id.strip_prefix(&self.base)?.strip_prefix('-')?.parse().ok()?;
        (line < self.count && Self::id(&self.base, line) == id).then_some(line)
    }

    /// The ids of the records that are not gone.
    ///
    /// # Errors
    /// If the list of those that are can't be read.
    pub(super) fn ids(&self) -> io::Result<Vec<String>> {
        let gone = self.gone()?;
        // Looked at last: without the batch, which another process may just have removed, the list is gone as well,
        // and everything would seem to be there.
        if !self.path.exists() {
            return Ok(Vec::new());
        }
        let left = (0..self.count).filter(|line| !gone.contains(line));
        Ok(left.map(|line| Self::id(&self.base, line)).collect())
    }

    /// The records that are not gone, each with its id; `None` in place of one that the file does not have.
    ///
    /// # Errors
    /// If one of the files can't be read.
    pub(super) fn records(&self) -> io::Result<Vec<(String, Option<Vec<u8>>)>> {
        let gone = self.gone()?;
        let bytes = match std::fs::read(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            bytes => bytes?,
        };
        let mut lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let records = (0..self.count).map(|line| (line, lines.next()));
        let left = records.filter(|(line, _)| !gone.contains(line));
        Ok(left
            .map(|(line, bytes)| (Self::id(&self.base, line), bytes.map(<[u8]>::to_vec)))
            .collect())
    }

    /// Notes that records are gone, on disk before this returns, and removes the files with the last one.
    ///
    /// # Errors
    /// If one of the files can't be written or removed.
    pub(super) fn remove(&self, lines: &[usize]) -> io::Result<()> {
        let mut gone = self.gone()?;
        gone.extend(lines);
        let path = self.gone_file();
        if gone.len() < self.count {
            // A line break first, as the last line may be unfinished; and one after each, as a power failure may leave
            // zeros behind it.
            let lines = lines.iter().map(|line| format!("{line}{FINISHED}\n"));
            let text: String = std::iter::once("\n".to_owned()).chain(lines).collect();
            let mut file = File::options().create(true).append(true).open(&path)?;
            file.write_all(text.as_bytes())?;
            return file.sync_data();
        }
        // The records first: without the list all of them would be there again.
        for path in [&self.path, &path] {
            match std::fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The lines of records that are gone.
    fn gone(&self) -> io::Result<BTreeSet<usize>> {
        let bytes = match std::fs::read(self.gone_file()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
            bytes => bytes?,
        };
        let text = String::from_utf8_lossy(&bytes);
        let lines = text.lines().filter_map(|line| line.strip_suffix(FINISHED)?.parse().ok());
        Ok(lines.filter(|line| *line < self.count).collect())
    }

    fn gone_file(&self) -> PathBuf {
        self.path.with_file_name(format!("{}.{GONE}", self.base))
    }
}
