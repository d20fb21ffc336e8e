//! Writes the files of a commit into an empty directory, as a worker's clone would have them.
//!
//! Done by the git process and not from the object database: line endings, LFS and other filters,
//! symbolic links and executable bits come out as git writes them, and a partial clone fetches
//! what is missing in one request. The index is a file of the caller's, so neither the user's
//! index nor the work tree nor HEAD is read or written, and a bare repository will do.

use std::ffi::OsStr;
use std::path::Path;

use super::{GitError, Repository, process};
use flowreg_model::{CodeReference, CommitId, TagName};

/// Settings that would write into the user's repository or leave files out: hooks, a file system
/// monitor, a sparse checkout, index files that the repository keeps.
const SWITCHED_OFF: &[&str] = &[
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
        let options = SWITCHED_OFF.iter().flat_map(|option| ["-c", option]);
        let read_tree = ["read-tree", "--reset", "-u", "--no-recurse-submodules", commit.as_str()];
        let arguments: Vec<&str> = options.chain(read_tree).collect();
        git.run_long(&arguments)?.check("read-tree").map(|_| ())
    }

    /// Makes a clone below `directory` that is at a reference, on its branch if it is one. Its
    /// objects stay those of this repository; its remote `origin` has the URL that is given.
    ///
    /// # Errors
    /// If git fails or takes too long.
    pub fn clone_at(
        &self,
        reference: &CodeReference,
        url: &str,
        directory: &Path,
    ) -> Result<(), GitError> {
        let git = process::Git::new(self);
        // `--shared` copies no objects: the clone reads those of this repository.
        let clone = ["clone", "--quiet", "--shared", "--no-checkout", "--"].map(OsStr::new);
        let clone = [&clone[..], &[self.common_dir().as_os_str(), directory.as_os_str()]].concat();
        git.run_long(&clone)?.check("clone")?;
        // The clone's origin is this repository's directory so far; code that looks at its own remote
        // has to find the one that workers clone from.
        let inside = git.in_directory(&directory.join(".git"), directory);
        inside.run(&["remote", "set-url", "origin", url], &[])?.check("remote")?;
        let commit = reference.commit.as_str();
        let mut checkout = vec!["checkout", "--quiet"];
        match reference.branch() {
            Some(branch) => checkout.extend(["-B", branch.as_str(), commit]),
            None => checkout.extend(["--detach", commit]),
        }
        let hooks = ["-c", "core.hooksPath=/dev/null"];
        inside.run_long(&[&hooks[..], &checkout].concat())?.check("checkout")?;
        match reference.tag() {
            Some(tag) if self.tag_here(tag).is_ok_and(|held| held.is_none()) => {
                tag_clone(&inside, tag, &reference.commit)
            }
            _ => Ok(()),
        }
    }
}

/// Makes a tag in a clone that this repository does not have, because it is only to be made once
/// the plan for it holds: `git describe` in a build step has to find it all the same.
fn tag_clone(clone: &process::Git, tag: &TagName, commit: &CommitId) -> Result<(), GitError> {
    // The clone has no identity, and nobody sees this tag's.
    let nobody = ["-c", "user.name=flowreg", "-c", "user.email=flowreg@localhost"];
    let (tag, commit) = (tag.as_str(), commit.as_str());
    let annotated = ["tag", "--annotate", "--no-sign", "--message", tag, "--", tag, commit];
    clone.run(&[&nobody[..], &annotated].concat(), &[])?.check("tag").map(|_| ())
}
