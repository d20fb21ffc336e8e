//! What differs between two commits: the paths of files, found by comparing their trees.
//!
//! Equal directories are not read, so the cost follows the directories that changed. There is no
//! detection of renames: a file that moved is one that is gone and one that is new.

use std::collections::BTreeMap;

use gix::objs::TreeRefIter;
use gix::objs::tree::EntryMode;

use super::tree::corrupt;
use super::{GitError, Repository, Tree};
use flowreg_model::CommitId;

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ChangeKind {
    /// Only the later commit has it.
    Added,
    /// Both have it, with another content or mode.
    Modified,
    /// Only the earlier commit has it.
    Removed,
}

/// A file that differs between two commits; symbolic links and submodules count as files.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangedPath {
    /// The path from the repository root; what is not UTF-8 in it is replaced.
    pub path: String,
    /// What became of it.
    pub kind: ChangeKind,
    /// Whether it is a submodule in one of the commits. What is inside is in neither of them.
    pub is_submodule: bool,
}

/// A directory in both commits, or in one of them.
struct DirectoryPair {
    base: Option<gix::ObjectId>,
    head: Option<gix::ObjectId>,
    /// The path with a slash at its end; empty for the root.
    prefix: Vec<u8>,
}

/// An entry of a directory.
type Entry = (EntryMode, gix::ObjectId);

impl Repository {
    /// The files that differ between two commits, sorted by path.
    ///
    /// # Errors
    /// [`GitError::NoCommit`] if one of the commits is not here, as in a shallow clone; else what
    /// reading a directory met.
    pub fn changed_paths(
        &self,
        base: &CommitId,
        head: &CommitId,
    ) -> Result<Vec<ChangedPath>, GitError> {
        if base == head {
            return Ok(Vec::new());
        }
        let (base, head) = (self.tree(base)?, self.tree(head)?);
        let mut comparison = Comparison { tree: &head, buffer: Vec::new(), found: Vec::new() };
        comparison.compare_directories(base.root(), head.root())?;
        comparison.found.sort_unstable();
        tracing::debug!(changed = comparison.found.len(), "trees compared");
        Ok(comparison.found)
    }
}

struct Comparison<'t> {
    /// Reads the objects of both: they are in one database.
    tree: &'t Tree,
    buffer: Vec<u8>,
    found: Vec<ChangedPath>,
}

impl Comparison<'_> {
    fn compare_directories(
        &mut self,
        base: gix::ObjectId,
        head: gix::ObjectId,
    ) -> Result<(), GitError> {
        if base == head {
            return Ok(());
        }
        let mut open =
            vec![DirectoryPair { base: Some(base), head: Some(head), prefix: Vec::new() }];
        // A stack and no recursion: a hostile tree may be nested as deep as it likes.
        while let Some(pair) = open.pop() {
            let mut before = self.entries(pair.base, &pair.prefix)?;
            let after = self.entries(pair.head, &pair.prefix)?;
            for (name, entry) in after {
                let old = before.remove(&name);
                self.compare_entries(&[&pair.prefix, &*name].concat(), old, Some(entry), &mut open);
            }
            for (name, old) in before {
                self.compare_entries(&[&pair.prefix, &*name].concat(), Some(old), None, &mut open);
            }
        }
        Ok(())
    }

    fn compare_entries(
        &mut self,
        path: &[u8],
        old: Option<Entry>,
        new: Option<Entry>,
        open: &mut Vec<DirectoryPair>,
    ) {
        // Equal ids mean equal content, so a directory that did not change is never opened.
        if old == new {
            return;
        }
        let directory = |entry: Option<Entry>| entry.filter(|(mode, _)| mode.is_tree());
        let (base, head) = (directory(old).map(|(_, id)| id), directory(new).map(|(_, id)| id));
        if base.is_some() || head.is_some() {
            open.push(DirectoryPair { base, head, prefix: [path, b"/"].concat() });
        }
        // A file that became a directory, or the other way round, counts once as removed or added; the
        // files of the directory follow when it is opened.
        let kind = match (old.is_some() && base.is_none(), new.is_some() && head.is_none()) {
            (true, true) => ChangeKind::Modified,
            (true, false) => ChangeKind::Removed,
            (false, true) => ChangeKind::Added,
            (false, false) => return,
        };
        let is_submodule = [old, new].into_iter().flatten().any(|(mode, _)| mode.is_commit());
        let path = String::from_utf8_lossy(path).into_owned();
        self.found.push(ChangedPath { path, kind, is_submodule });
    }

    fn entries(
        &mut self,
        id: Option<gix::ObjectId>,
        prefix: &[u8],
    ) -> Result<BTreeMap<Vec<u8>, Entry>, GitError> {
        let Some(id) = id else { return Ok(BTreeMap::new()) };
        let data = self.tree.directory(id, prefix, &mut self.buffer)?;
        TreeRefIter::from_bytes(data, id.kind())
            .map(|entry| {
                let entry = entry.map_err(|error| corrupt(id, prefix, &error))?;
                Ok((entry.filename.to_vec(), (entry.mode, entry.oid.to_owned())))
            })
            .collect()
    }
}
