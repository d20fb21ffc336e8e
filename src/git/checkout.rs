//! Writes the files of a commit into an empty directory, as a worker's clone would have them.
//!
//! Done by the git process and not from the object database: line endings, LFS and other filters,
//! symbolic links and executable bits come out as git writes them, and a partial clone fetches
//! what is missing in one request. The index is a file of the caller's, so neither the user's
//! index nor the work tree nor HEAD is read or written, and a bare repository will do.

use std::path::Path;

use super::{GitError, Repository, process};
use crate::model::CommitId;

/// What would reach into the repository: hooks, a sparse checkout, shared index files.
const OFF: &[&str] = &[
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.sparseCheckout=false",
    "core.splitIndex=false",
    "core.untrackedCache=false",
];

impl Repository {
    /// Writes all files of a commit below `directory`; `index` is a file that git may make.
    ///
    /// Submodules become empty directories.
    ///
    /// # Errors
    /// If git fails or takes too long. What it wrote until then stays.
    pub fn check_out(
        &self,
        commit: &CommitId,
        directory: &Path,
        index: &Path,
    ) -> Result<(), GitError> {
        let git = process::Git::new(self)
            .with_variable("GIT_WORK_TREE", directory)
            .with_variable("GIT_INDEX_FILE", index);
        let options = OFF.iter().flat_map(|option| ["-c", option]);
        let read_tree = ["read-tree", "--reset", "-u", "--no-recurse-submodules", commit.as_str()];
        let arguments: Vec<&str> = options.chain(read_tree).collect();
        git.run_long(&arguments)?.check("read-tree").map(|_| ())
    }
}
