//! What single names of scripts and modules stand for: the flows at entrypoints, and how one came about.
//!
//! These are few, and what a scan has found is not asked again, so no cache has the answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use flowreg_git::Tree;
use flowreg_model::{Entrypoint, Explanation, Flow, FlowProblem};
use flowreg_python::{Layout, LookedUp, SourceFiles, explain_in, look_up_in, look_up_module_in};

use super::linked::{self, SelectedFile};
use super::project::ProjectFiles;
use super::tree::{
    FilesByPath, ScanError, by_path, is_python, is_read, layout, may_be_package, read_file,
};

/// Explains a flow that a scan of the same tree has found; `None` if it is not there.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read.
pub(crate) fn explain(
    tree: &Tree,
    search_path: Option<&[String]>,
    entrypoint: &Entrypoint,
) -> Result<Option<Explanation>, ScanError> {
    with_sources(tree, search_path, |layout, sources, files| {
        let source = sources.read(entrypoint.path())?;
        let file =
            files.get(entrypoint.path()).and_then(|blob| SelectedFile::new(tree.path(), blob));
        let script = file.map_or_else(|| entrypoint.path().to_owned(), |file| file.script);
        let in_script = Entrypoint::new(script, entrypoint.object());
        let found = explain_in(layout, sources, &in_script, &source)?;
        Ok(found.map(|found| Explanation { entrypoint: entrypoint.clone(), ..found }))
    })
}

/// What entrypoints lead to. Their containers are scripts (`flows/etl.py`) or modules (`flows.etl`).
#[derive(Debug, Default)]
pub(crate) struct NamedFlows {
    /// By the entrypoint that was asked for. A flow that its script has under its own name has the
    /// entrypoint of that.
    pub flows: BTreeMap<Entrypoint, Flow>,
    /// What may be flows, and only Python knows.
    pub unknown: Vec<Entrypoint>,
    /// Why that is not known, or why nothing can be loaded, by the script or module.
    pub problems: Vec<(String, FlowProblem)>,
}

/// Looks up what entrypoints lead to, in scripts and in modules that a script in the root imports. Those
/// that lead to no flow are left out of the answer.
///
/// # Errors
/// [`ScanError::Git`] if a directory or file can't be read.
pub(crate) fn look_up(
    tree: &Tree,
    search_path: Option<&[String]>,
    asked: &BTreeSet<Entrypoint>,
) -> Result<NamedFlows, ScanError> {
    let mut by_container: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in asked {
        by_container.entry(one.path()).or_default().push(one.object());
    }
    let mut found = NamedFlows::default();
    with_sources(tree, search_path, |layout, sources, files| {
        for (container, objects) in by_container {
            let answer = if is_python(container.as_bytes()) {
                let file = files.get(container);
                let file = file.and_then(|blob| SelectedFile::new(tree.path(), blob));
                let Some(file) = file else { continue };
                let source = sources.read(container)?;
                let answer = look_up_in(layout, sources, &file.script, &source, &objects)?;
                linked::looked_up(answer, &file)
            } else {
                look_up_module_in(layout, sources, container, &objects)?
            };
            found.add(container, answer);
        }
        Ok(())
    })?;
    Ok(found)
}

impl NamedFlows {
    fn add(&mut self, container: &str, answer: LookedUp) {
        let named = |object: String| Entrypoint::new(container, object);
        let flows = answer.flows.into_iter();
        self.flows.extend(flows.map(|(object, flow)| (named(object), flow)));
        self.unknown.extend(answer.unknown.into_iter().map(named));
        let problems = answer.problems.into_iter();
        self.problems.extend(problems.map(|problem| (container.to_owned(), problem)));
    }
}

/// Gives an analysis the Python files of a tree: where they are, and a way to read them.
fn with_sources<T>(
    tree: &Tree,
    search_path: Option<&[String]>,
    analyse: impl FnOnce(&Layout, &dyn SourceFiles, &FilesByPath<'_>) -> Result<T, ScanError>,
) -> Result<T, ScanError> {
    let listed = tree.files(may_be_package, is_read)?;
    tree.fetch_missing(&listed.blobs)?;
    let files = by_path(&listed);
    let layout = ProjectFiles::read(tree, &listed)?.applied_to(layout(&listed), search_path);
    let tree = Mutex::new(tree.clone());
    let read = |path: &str| read_file(&tree, &files, path);
    analyse(&layout, &read, &files)
}
