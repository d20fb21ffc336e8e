//! The files of a tree that say which Python its scripts are for, and from where they import.

use flowreg_git::{Tree, TreeBlob, TreeFiles};
use flowreg_python::{Layout, Python, SourceRoots};

use super::tree::{PROJECT_FILE, ScanError, VERSION_FILE};

/// The texts of these files.
pub(super) struct ProjectFiles {
    /// By their paths.
    texts: Vec<(String, String)>,
    /// Where the tree is in the repository.
    root: String,
}

impl ProjectFiles {
    /// Whether a file is one of them.
    pub(super) fn has(path: &[u8]) -> bool {
        path == VERSION_FILE.as_bytes()
            || std::str::from_utf8(path).is_ok_and(SourceRoots::is_project_file)
    }

    /// Reads them; in a partial clone those that are missing are fetched with one request.
    ///
    /// # Errors
    /// [`ScanError::Git`] if one can't be read.
    pub(super) fn read(tree: &Tree, listed: &TreeFiles) -> Result<Self, ScanError> {
        let blobs: Vec<TreeBlob> =
            listed.blobs.iter().filter(|blob| Self::has(&blob.path)).cloned().collect();
        tree.fetch_missing(&blobs)?;
        let mut buffer = Vec::new();
        let mut texts = Vec::new();
        for blob in &blobs {
            let text = String::from_utf8_lossy(tree.read(blob, &mut buffer)?).into_owned();
            texts.push((String::from_utf8_lossy(&blob.path).into_owned(), text));
        }
        Ok(Self { texts, root: String::from_utf8_lossy(tree.path()).into_owned() })
    }

    /// The layout with what they say. `search_path` are the directories that the user names, from the
    /// root of the repository.
    pub(super) fn applied_to(&self, layout: Layout, search_path: Option<&[String]>) -> Layout {
        let roots = self.source_roots(&layout, search_path);
        layout.for_python(self.python()).with_source_roots(roots)
    }

    fn python(&self) -> Python {
        let text = |wanted: &str| {
            let found = self.texts.iter().find(|(path, _)| path == wanted);
            found.map(|(_, text)| text.as_str())
        };
        Python::of_project(text(VERSION_FILE), text(PROJECT_FILE))
    }

    /// From where Python imports.
    pub(super) fn source_roots(
        &self,
        layout: &Layout,
        search_path: Option<&[String]>,
    ) -> SourceRoots {
        let chosen = search_path.map(|paths| {
            // What is outside of the tree can't be read from here, and counts as installed.
            let inside = |path: &String| match self.root.as_str() {
                "" => Some(path.clone()),
                root if path == root => Some(String::new()),
                root => Some(path.strip_prefix(root)?.strip_prefix('/')?.to_owned()),
            };
            paths.iter().filter_map(inside).collect()
        });
        SourceRoots::of_project(&self.texts, layout, chosen)
    }
}
