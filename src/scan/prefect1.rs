//! Which files of a tree may make flows of Prefect 1.
//!
//! `with Flow("name") as flow:` builds the flow's graph while the file runs, so only running it shows
//! what it makes. Nothing is analysed here; the files are only chosen.

use memchr::memmem;

use super::linked::{self, SelectedFile};
use super::tree::{ScanError, Selection, is_read, may_be_package};
use flowreg_git::{Tree, TreeFiles};
use flowreg_model::FlowProblem;
use flowreg_python::is_candidate;

/// The files of a tree.
#[derive(Debug, Default)]
pub(crate) struct Prefect1Files {
    /// Paths of those that may make flows, in order.
    pub candidates: Vec<String>,
    /// All Python files, also those that were not selected.
    pub files: TreeFiles,
    /// The links among the selected files that can't be followed.
    pub problems: Vec<FlowProblem>,
}

/// Finds the files that have to be run to see whether they make flows.
///
/// Running a file has side effects, also one without flows. So a file counts only if it names both
/// Prefect and `Flow`, or if the user said which files have flows (`is_selected_by_user`) and it
/// mentions flows at all.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read.
pub(crate) fn prefect1_files(
    tree: &Tree,
    selection: &Selection,
    is_selected_by_user: bool,
) -> Result<Prefect1Files, ScanError> {
    let files = tree.files(may_be_package, is_read)?;
    tree.fetch_missing(&files.blobs)?;
    let selected = files.blobs.iter().filter(|blob| selection.wants(&blob.path));
    let selected = selected.filter_map(|blob| SelectedFile::new(tree.path(), blob)).collect();
    let mut candidates = Vec::new();
    let mut buffer = Vec::new();
    for file in linked::each_once(selected) {
        if may_make_flows(tree.read(file.blob, &mut buffer)?, is_selected_by_user) {
            candidates.push(file.path.to_owned());
        }
    }
    let problems = linked::problems(selection, &files);
    Ok(Prefect1Files { candidates, files, problems })
}

fn may_make_flows(source: &[u8], is_selected_by_user: bool) -> bool {
    let has = |word: &[u8]| memmem::find(source, word).is_some();
    if is_selected_by_user { is_candidate(source) } else { has(b"Flow") && has(b"prefect") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_run_only_if_it_may_make_a_flow_of_prefect() {
        let flow = b"from prefect import Flow\nwith Flow('a') as flow: ...";
        let made = b"from ours import make\nflow = make('a')";
        let other = b"from prefect import task\n";
        assert!(may_make_flows(flow, false) && may_make_flows(flow, true));
        assert!(!may_make_flows(made, false) && may_make_flows(made, true));
        assert!(!may_make_flows(other, false) && !may_make_flows(other, true));
    }
}
