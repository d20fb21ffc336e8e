//! The cache of analyses: one file that can be deleted at any time.
//!
//! It is kept apart from the registry because nothing is lost with it. A file that is damaged or was
//! written by another analyser counts as empty, and one that can't be written costs only time.

use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The most bytes of content that are written. Every run reads the whole file, so it must not grow with
/// each branch that was ever scanned; a file of more than twice this size is not read.
pub(crate) const LARGEST_CACHE: usize = 32 << 20;

/// The bytes of a cache, and where they come from.
#[derive(Debug)]
pub struct AnalysisCache {
    path: PathBuf,
    analyser: String,
    content: Vec<u8>,
}

impl AnalysisCache {
    /// Reads `flowreg/analyses` in the git common directory, if `analyser` wrote it. A scan of a
    /// directory other than the root has a file of its own, because paths count from that directory.
    pub fn open(common_dir: &Path, analyser: &str, directory: &str) -> Self {
        let name = match directory {
            "" => "analyses".to_owned(),
            other => format!("analyses-{:08x}", crc32fast::hash(other.as_bytes())),
        };
        Self::named(common_dir, &name, analyser)
    }

    /// The same for `flowreg/imports`: what each file imports.
    pub(crate) fn of_imports(common_dir: &Path, analyser: &str) -> Self {
        Self::named(common_dir, "imports", analyser)
    }

    /// The same for `flowreg/answers`: what Python said about flows.
    pub(crate) fn of_answers(common_dir: &Path, analyser: &str) -> Self {
        Self::named(common_dir, "answers", analyser)
    }

    fn named(common_dir: &Path, name: &str, analyser: &str) -> Self {
        let path = common_dir.join("flowreg").join(name);
        let content = read(&path, analyser);
        if let Some(content) = &content {
            tracing::debug!(cache = name, bytes = content.len(), "cache opened");
        } else {
            tracing::debug!(cache = name, "cache missing, damaged or of another analyser");
        }
        let content = content.unwrap_or_default();
        Self { path, analyser: analyser.to_owned(), content }
    }

    /// What was saved last; empty if there is nothing.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Replaces the file at once, or leaves the old one: a reader never sees half of it.
    ///
    /// # Errors
    /// If the directory can't be written, as in a repository that one may only read.
    pub(crate) fn save(&self, content: &[u8]) -> std::io::Result<()> {
        let directory = self.path.parent().unwrap_or(Path::new("."));
        if !directory.is_dir() {
            if !directory.parent().is_some_and(is_own) {
                tracing::debug!(cache = %self.path.display(), "not kept: a repository of others");
                return Ok(());
            }
            std::fs::create_dir_all(directory)?;
        }
        let mut file = tempfile::Builder::new().prefix("analyses.").tempfile_in(directory)?;
        file.write_all(header(&self.analyser, content).as_bytes())?;
        file.write_all(content)?;
        file.persist(&self.path).map_err(|error| error.error)?;
        tracing::debug!(cache = %self.path.display(), bytes = content.len(), "cache written");
        Ok(())
    }
}

/// Whether a git common directory is that of a repository in which this user works. Who only reads in
/// another one, such as a bare repository on a server, leaves nothing there.
fn is_own(common_dir: &Path) -> bool {
    let is_of_work_tree = common_dir.components().any(|part| part.as_os_str() == ".git")
        || common_dir.join("worktrees").is_dir();
    let owner = std::fs::metadata(common_dir).map(|status| status.uid());
    is_of_work_tree && owner.is_ok_and(|owner| owner == nix::unistd::geteuid().as_raw())
}

/// The first line: who wrote the rest, and its check sum.
fn header(analyser: &str, content: &[u8]) -> String {
    format!("flowreg analyses {analyser} {:08x}\n", crc32fast::hash(content))
}

fn read(path: &Path, analyser: &str) -> Option<Vec<u8>> {
    let size = std::fs::metadata(path).ok()?.len();
    if size > LARGEST_CACHE as u64 * 2 {
        return None;
    }
    let mut file = std::fs::read(path).ok()?;
    let start = file.iter().position(|byte| *byte == b'\n')? + 1;
    let is_intact = file.get(..start)? == header(analyser, file.get(start..)?).as_bytes();
    is_intact.then(|| file.split_off(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(home: &tempfile::TempDir) -> PathBuf {
        let directory = home.path().join(".git");
        std::fs::create_dir(&directory).unwrap();
        directory
    }

    #[test]
    fn what_is_damaged_or_from_another_analyser_counts_as_empty() {
        let home = tempfile::tempdir().unwrap();
        let directory = own(&home);
        AnalysisCache::open(&directory, "one", "").save(b"answers").unwrap();
        assert_eq!(AnalysisCache::open(&directory, "one", "").content(), b"answers");
        assert!(AnalysisCache::open(&directory, "two", "").content().is_empty());
        let path = directory.join("flowreg/analyses");
        let mut bytes = std::fs::read(&path).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        assert!(AnalysisCache::open(&directory, "one", "").content().is_empty());
        std::fs::write(&path, b"").unwrap();
        assert!(AnalysisCache::open(&directory, "one", "").content().is_empty());
    }

    #[test]
    fn a_directory_that_cannot_be_written_is_an_error_and_leaves_nothing() {
        let home = tempfile::tempdir().unwrap();
        let directory = own(&home);
        let file = directory.join("flowreg");
        std::fs::write(&file, b"in the way").unwrap();
        assert!(AnalysisCache::open(&directory, "one", "").save(b"answers").is_err());
        assert_eq!(std::fs::read(file).unwrap(), b"in the way");
    }

    #[test]
    fn a_repository_in_which_nobody_works_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        AnalysisCache::open(home.path(), "one", "").save(b"answers").unwrap();
        assert!(!home.path().join("flowreg").exists());
        // Unless flowreg is there already, such as a server's hook.
        std::fs::create_dir(home.path().join("flowreg")).unwrap();
        AnalysisCache::open(home.path(), "one", "").save(b"answers").unwrap();
        assert_eq!(AnalysisCache::open(home.path(), "one", "").content(), b"answers");
    }
}
