//! Which files of a tree may make flows of Prefect 1. Those are objects that only running the file
//! makes, so nothing is analysed here.

use memchr::memmem;

use super::tree::{ScanError, Selection, is_read};
use flowreg_git::{Tree, TreeBlob};
use flowreg_python::is_candidate;

/// The files of a tree.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    /// Paths of those that may make flows, in order.
    pub candidates: Vec<String>,
    /// All Python files, also those that were not selected.
    pub files: Vec<TreeBlob>,
}

/// Finds the files that have to be run to see whether they make flows.
///
/// Running a file that has none is not harmless. So a file counts only if it names both Prefect and
/// `Flow`, or if the user said which files have flows (`is_told`) and it has the word in it.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read.
pub(crate) fn objects(
    tree: &Tree,
    selection: &Selection,
    is_told: bool,
) -> Result<Objects, ScanError> {
    let files = tree.blobs(|_| true, is_read)?;
    tree.fetch_missing(&files)?;
    let mut candidates = Vec::new();
    let mut buffer = Vec::new();
    for blob in files.iter().filter(|blob| selection.wants(&blob.path)) {
        let source = tree.read(blob, &mut buffer)?;
        if let Ok(path) = std::str::from_utf8(&blob.path)
            && is_object_candidate(source, is_told)
        {
            candidates.push(path.to_owned());
        }
    }
    Ok(Objects { candidates, files })
}

fn is_object_candidate(source: &[u8], is_told: bool) -> bool {
    let has = |word: &[u8]| memmem::find(source, word).is_some();
    if is_told { is_candidate(source) } else { has(b"Flow") && has(b"prefect") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_run_only_if_it_may_make_a_flow_of_prefect() {
        let flow = b"from prefect import Flow\nwith Flow('a') as flow: ...";
        let made = b"from ours import make\nflow = make('a')";
        let other = b"from prefect import task\n";
        assert!(is_object_candidate(flow, false) && is_object_candidate(flow, true));
        assert!(!is_object_candidate(made, false) && is_object_candidate(made, true));
        assert!(!is_object_candidate(other, false) && !is_object_candidate(other, true));
    }
}
