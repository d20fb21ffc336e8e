//! Scripts that are selected under several paths because of symbolic links, and links that can't be
//! followed.
//!
//! Prefect loads a script by the path of its entrypoint, but the directory that it puts first on
//! Python's path is that of the file itself, links followed (docs/facts/python.md, "Loading a script").
//! So a script is analysed in its own directory. A flow is listed once, by the path of the file itself
//! if that is selected; under the other paths it counts as a flow that these files import.

use std::collections::{BTreeMap, BTreeSet};

use super::tree::{PROJECT_FILE, Selection, VERSION_FILE};
use flowreg_git::{BlobId, GitError, LinkProblem, Tree, TreeBlob, TreeFiles};
use flowreg_model::{
    DeployCall, DeployedCode, Entrypoint, Flow, FlowProblem, Inexact, ProblemCode,
};
use flowreg_python::{FileAnalysis, LookedUp, join};

/// A file that is selected.
pub(super) struct SelectedFile<'b> {
    /// The path under which it is selected.
    pub path: &'b str,
    pub blob: &'b TreeBlob,
    /// The path under which it is analysed: its own directory, and the name by which Prefect loads it.
    pub script: String,
    /// The path of the file itself: the same for all paths that lead to it.
    file: Vec<u8>,
    /// Whether the file itself is outside of the tree that is scanned.
    is_outside: bool,
}

impl<'b> SelectedFile<'b> {
    /// A file of a tree that is at `root` in the repository; `None` if its path is not text.
    pub(super) fn new(root: &[u8], blob: &'b TreeBlob) -> Option<Self> {
        let path = std::str::from_utf8(&blob.path).ok()?;
        let Some(target) = &blob.target else {
            let file = blob.path.clone();
            return Some(Self { path, blob, script: path.to_owned(), file, is_outside: false });
        };
        let inside = match root {
            [] => Some(target.as_slice()),
            root => target.strip_prefix(root).and_then(|rest| rest.strip_prefix(b"/")),
        };
        let (_, name) = split(path);
        let directory = inside.and_then(|inside| Some(split(std::str::from_utf8(inside).ok()?).0));
        Some(Self {
            path,
            blob,
            script: directory.map_or_else(|| path.to_owned(), |directory| join(directory, name)),
            // With a slash in front no path in the tree is the same.
            file: inside.map_or_else(|| [b"/", target.as_slice()].concat(), <[u8]>::to_vec),
            is_outside: directory.is_none(),
        })
    }

    /// What an analysis is of.
    pub(super) fn key(&self) -> (&str, BlobId) {
        (&self.script, self.blob.id)
    }
}

/// The selected files whose analyses are wanted, each script once, in the order of their paths.
pub(super) fn scripts<'s, 'b>(selected: &'s [SelectedFile<'b>]) -> Vec<&'s SelectedFile<'b>> {
    let mut seen = BTreeSet::new();
    let is_linked = |file: &SelectedFile<'_>| file.blob.target.is_some();
    // Mostly there are no links, and then each script is there once.
    let is_any_linked = selected.iter().any(is_linked);
    selected.iter().filter(|file| !is_any_linked || seen.insert(file.key())).collect()
}

/// Each file once: by its own path if that is selected, else by that of the first link to it.
pub(super) fn each_once(mut selected: Vec<SelectedFile<'_>>) -> Vec<SelectedFile<'_>> {
    selected.sort_by(|one, other| {
        let key = |file: &SelectedFile<'_>| (file.blob.target.is_some(), file.path.to_owned());
        one.file.cmp(&other.file).then_with(|| key(one).cmp(&key(other)))
    });
    selected.dedup_by(|one, other| one.file == other.file);
    selected.sort_by_key(|file| file.path);
    selected
}

/// Puts the analyses of scripts under the paths by which the scripts were selected. `keeps_problems`
/// repeats the problems of a file under each of its paths.
pub(super) fn by_path<'s>(
    selected: &'s [SelectedFile<'_>],
    mut analyses: BTreeMap<(&'s str, BlobId), FileAnalysis>,
    keeps_problems: bool,
) -> Vec<FileAnalysis> {
    if selected.iter().all(|file| file.blob.target.is_none()) {
        return analyses.into_values().collect();
    }
    let mut files: BTreeMap<&[u8], Vec<&'s SelectedFile<'_>>> = BTreeMap::new();
    for one in selected {
        files.entry(&one.file).or_default().push(one);
    }
    let mut uses: BTreeMap<(&'s str, BlobId), usize> = BTreeMap::new();
    for one in selected {
        *uses.entry(one.key()).or_default() += 1;
    }
    // Copied only where another path needs it, too: an analysis may be large.
    let mut take = |key: (&'s str, BlobId)| match uses.get_mut(&key) {
        Some(uses) if *uses > 1 => {
            *uses -= 1;
            analyses.get(&key).cloned()
        }
        _ => analyses.remove(&key),
    };
    let mut all: Vec<(&str, FileAnalysis)> = Vec::new();
    for mut paths in files.into_values() {
        // The file itself comes first, else the first of the links to it.
        paths.sort_by_key(|one| (one.blob.target.is_some(), one.path));
        let mut first: Option<(&str, FileAnalysis)> = None;
        for one in paths {
            let Some(mut analysis) = take(one.key()) else { continue };
            rename(analysis.flows.iter_mut(), &mut analysis.problems, one);
            analysis.deploy_calls.iter_mut().for_each(|call| rename_call(call, one));
            let Some((_, first)) = &first else {
                first = Some((one.path, analysis));
                continue;
            };
            analysis.flows.iter_mut().for_each(|flow| flow.imported_from = same(flow, first));
            let is_known = |problem: &FlowProblem| {
                first.problems.iter().any(|other| other.message == problem.message)
            };
            analysis.problems.retain(|problem| keeps_problems || !is_known(problem));
            // The same file under another path deploys nothing more.
            analysis.deploy_calls.clear();
            all.push((one.path, analysis));
        }
        all.extend(first);
    }
    all.sort_by_key(|(path, _)| *path);
    all.into_iter().map(|(_, analysis)| analysis).collect()
}

/// The flow that is listed in place of this one.
fn same(flow: &Flow, first: &FileAnalysis) -> Option<Entrypoint> {
    let object = flow.entrypoint.object();
    let is_same = |other: &&Flow| other.entrypoint.object() == object && other.name == flow.name;
    let other = first.flows.iter().find(is_same);
    other.map(|other| other.imported_from.clone().unwrap_or_else(|| other.entrypoint.clone()))
}

/// Gives what was looked up in a script the path by which the script is known.
pub(super) fn looked_up(mut answer: LookedUp, file: &SelectedFile<'_>) -> LookedUp {
    rename(answer.flows.iter_mut().map(|(_, flow)| flow), &mut answer.problems, file);
    answer
}

/// Gives what was found in a script the path by which the script was selected.
fn rename<'f>(
    flows: impl Iterator<Item = &'f mut Flow>,
    problems: &mut [FlowProblem],
    file: &SelectedFile<'_>,
) {
    for flow in flows {
        flow.entrypoint = Entrypoint::new(file.path, flow.entrypoint.object());
        if file.is_outside {
            flow.inexact.push(Inexact {
                what: "name".to_owned(),
                reason:
                    "the file is a symbolic link to one outside of the directory in which runs \
                         start, so what it imports is not known"
                        .to_owned(),
            });
        }
    }
    for problem in problems {
        file.path.clone_into(&mut problem.path);
    }
}

fn rename_call(call: &mut DeployCall, file: &SelectedFile<'_>) {
    // The file was read as one of its own directory, and flows of it are called by that.
    if let DeployedCode::Here(entrypoint) = &mut call.code
        && entrypoint.path() == file.script
    {
        *entrypoint = Entrypoint::new(file.path, entrypoint.object());
    }
    file.path.clone_into(&mut call.path);
}

/// Adds the files that are asked for by a path which no list has: one over a link to a directory in
/// which the link itself lies.
pub(super) fn add_unlisted(
    tree: &Tree,
    selection: &Selection,
    listed: &mut TreeFiles,
) -> Result<(), GitError> {
    let is_listed = |path: &str| {
        listed.blobs.binary_search_by(|blob| blob.path.as_slice().cmp(path.as_bytes())).is_ok()
    };
    let unlisted: Vec<&str> = selection.named().filter(|path| !is_listed(path)).collect();
    if unlisted.is_empty() {
        return Ok(());
    }
    listed.blobs.extend(tree.find_each(unlisted)?.into_iter().flatten());
    listed.blobs.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(())
}

/// A problem for each link that is selected, or that stands where selected files would be, and can't be
/// followed.
pub(super) fn problems(selection: &Selection, listed: &TreeFiles) -> Vec<FlowProblem> {
    let mut problems = Vec::new();
    for (link, error) in &listed.broken {
        let Ok(path) = std::str::from_utf8(&link.path) else { continue };
        let is_file = selection.wants(&link.path) || [VERSION_FILE, PROJECT_FILE].contains(&path);
        // What is in a directory that the link itself lies in is listed there.
        let is_directory = error.problem != LinkProblem::Loop && selection.wants_below(&link.path);
        if is_file || is_directory {
            problems.push(FlowProblem {
                path: path.to_owned(),
                line: 1,
                column: 1,
                code: ProblemCode::Link,
                message: error.to_string(),
                excerpt: None,
            });
        }
    }
    problems
}

/// The directory of a path, and its last part.
fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}
