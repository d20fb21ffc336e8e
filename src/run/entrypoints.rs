//! Finds the flows to which the entrypoints of `prefect.yaml` lead, in scripts and in modules.
//!
//! Only the files that are named are analysed, each as Python would see it from the directory in
//! which its runs start. Flows that the analysis can't be exact about are asked of Python.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use flowreg_git::{BrokenLink, GitError};

use super::RunError;
use super::desired::{Builder, Gathered};
use super::request::Notice;
use crate::introspection::IntrospectedScan;
use crate::manifest::pull::PinnedSteps;
use crate::manifest::{DeclaredDeployment, DeclaredEntrypoint, Entry, EntryError, Manifest};
use crate::scan::{Scan, Selection};
use flowreg_model::{Entrypoint, Flow, FlowProblem, ProblemCode, nearest};

/// How many flows a hint lists when none is near.
const LISTED: usize = 5;

/// A deployment on its way to a registration.
pub(super) struct DeploymentDraft<'m> {
    /// The file.
    pub manifest: &'m Manifest,
    /// The deployment in it.
    pub entry: &'m Entry,
    /// The same, templates filled in.
    pub declared: DeclaredDeployment,
    /// What its build and push steps put out, if they were run.
    pub outputs: Option<Rc<Map<String, Value>>>,
    /// What a worker does first, and where it ends.
    pub pulled: PinnedSteps,
    /// Why its runs would not use the code at the reference, if they would not.
    pub void: Option<EntryError>,
    /// Where its flow is, from `root`.
    pub location: DeclaredEntrypoint,
    /// The directory of the repository from which a run starts.
    pub root: String,
    /// The entrypoint as it is registered.
    pub entrypoint: String,
}

/// The flows at the entrypoints of deployments whose runs start in the same directory.
#[derive(Default)]
pub(super) struct DirectoryFlows {
    /// By the file, or the module's name, and the object.
    flows: HashMap<(String, String), Flow>,
    /// What keeps files from having flows.
    pub problems: Vec<FlowProblem>,
    /// The same for modules, by their names.
    of_modules: HashMap<String, FlowProblem>,
}

/// What is known of the modules that entrypoints name.
#[derive(Default)]
struct ImportedFlows {
    /// The script and function that define a flow, by the module and the name to import it by.
    defined_at: HashMap<Entrypoint, Entrypoint>,
    /// The first problem of each module.
    problems: HashMap<String, FlowProblem>,
}

impl Builder<'_> {
    /// Analyses the files that entrypoints name, each once; by the directory in which runs start.
    pub(super) fn find_flows(
        &self,
        drafts: &[DeploymentDraft<'_>],
        gathered: &mut Gathered,
    ) -> Result<HashMap<String, DirectoryFlows>, RunError> {
        // The directory in which a run starts is on Python's path, so it decides what an import in
        // a script finds. The same file may have other flows when it is run from elsewhere.
        let mut by_root: BTreeMap<&str, Vec<&DeploymentDraft<'_>>> = BTreeMap::new();
        for one in drafts {
            by_root.entry(&one.root).or_default().push(one);
        }
        let mut all = HashMap::new();
        for (root, drafts) in by_root {
            let (mut scripts, mut modules) = (BTreeSet::new(), BTreeSet::new());
            for one in &drafts {
                match &one.location {
                    DeclaredEntrypoint::Script { path, .. } => {
                        scripts.insert(path.clone());
                    }
                    DeclaredEntrypoint::Module { module, object } => {
                        // Of `Jobs.nightly` it is the class `Jobs` that is imported.
                        let head = object.split('.').next().unwrap_or(object);
                        modules.insert((module.clone(), head.to_owned()));
                    }
                }
            }
            // A file may have many flows, of which only some are deployed: Python, which is slow, is
            // asked about those alone.
            let deployed: HashSet<(&str, &str)> = drafts
                .iter()
                .map(|one| (one.location.container(), one.location.object()))
                .collect();
            let is_deployed = |flow: &Flow| {
                deployed.contains(&(flow.entrypoint.path(), flow.entrypoint.object()))
            };
            let selection = Selection::files(scripts);
            let mut scan = self.referenced.scan_in(root, &selection)?;
            // Before Python is asked, so that one process answers for scripts and modules.
            let imported = self.import(root, &modules, &mut scan)?;
            let IntrospectedScan { scan, notices, remarks, moments } =
                self.referenced.introspected(root, scan, &is_deployed)?;
            gathered.notices.extend(notices.into_iter().map(Notice::from));
            // Up to here paths were relative to `root`, and modules stood for files. Everything
            // after this compares paths from the repository's root.
            let in_repository =
                |at: &Entrypoint| in_root(root, imported.defined_at.get(at).unwrap_or(at));
            let located = remarks.into_iter().map(|(at, value)| (in_repository(&at), value));
            gathered.remarks.extend(located);
            let located = moments.into_iter().map(|(at, value)| (in_repository(&at), value));
            gathered.moments.extend(located);
            let Scan { flows, imported: others, problems, files, .. } = scan;
            // Only a scan of the root has listed the files of the whole tree, which spares the
            // comparison with an earlier commit from listing them again.
            if root.is_empty() {
                gathered.files = Some(files);
            }
            let mut found =
                DirectoryFlows { of_modules: imported.problems, ..DirectoryFlows::default() };
            // A deployment may name a script that only imports the flow, so those count, too.
            for flow in flows.into_iter().chain(others) {
                let at = &flow.entrypoint;
                let key = (at.path().to_owned(), at.object().to_owned());
                let entrypoint = in_repository(at);
                let imported_from = flow.imported_from.as_ref().map(in_repository);
                found.flows.insert(key, Flow { entrypoint, imported_from, ..flow });
            }
            // Flows of one name are no problem here: deployments have names of their own.
            let problems = problems.into_iter().filter(|problem| {
                !matches!(problem.code, ProblemCode::Duplicate | ProblemCode::Nested)
                    && !modules.iter().any(|(module, _)| *module == problem.path)
            });
            found.problems = problems
                .map(|problem| FlowProblem { path: in_directory(root, &problem.path), ..problem })
                .collect();
            all.insert(root.to_owned(), found);
        }
        Ok(all)
    }

    /// Puts what can be imported from modules of a directory among the flows of a scan, under the
    /// modules' names.
    fn import(
        &self,
        root: &str,
        modules: &BTreeSet<(String, String)>,
        scan: &mut Scan,
    ) -> Result<ImportedFlows, RunError> {
        let mut imported = ImportedFlows::default();
        if modules.is_empty() {
            return Ok(imported);
        }
        let analyses = self.referenced.import_in(root, modules)?;
        for ((module, _), analysis) in modules.iter().zip(analyses) {
            for flow in analysis.flows {
                let entrypoint = Entrypoint::new(module, flow.entrypoint.object());
                let own = flow.imported_from.clone().unwrap_or(flow.entrypoint.clone());
                imported.defined_at.insert(entrypoint.clone(), own);
                scan.flows.push(Flow { entrypoint, imported_from: None, ..flow });
            }
            for problem in analysis.problems {
                // A flow whose name the analysis can't know: Python is asked about such problems,
                // and it is asked by the module's name.
                if problem.code == ProblemCode::UnknownName {
                    scan.problems.push(FlowProblem { path: module.clone(), ..problem.clone() });
                }
                imported.problems.entry(module.clone()).or_insert(problem);
            }
        }
        Ok(imported)
    }

    /// What is wrong with an entrypoint that leads nowhere.
    pub(super) fn not_found(
        &self,
        one: &DeploymentDraft<'_>,
        found: &HashMap<String, DirectoryFlows>,
    ) -> Result<EntryError, RunError> {
        let error =
            |code, message: &str| one.manifest.error(one.entry, &["entrypoint"], code, message);
        let tree = self.referenced.tree()?;
        let files: Vec<String> =
            one.location.files().iter().map(|file| in_directory(&one.root, file)).collect();
        let at = self.referenced.reference.commit.short();
        let mut there = None;
        for file in &files {
            match tree.find(file) {
                Ok(Some(_)) => there = there.or(Some(file)),
                Ok(None) => {}
                Err(GitError::BrokenLink(link)) => {
                    return Ok(error("link", &link.to_string()).hint(BrokenLink::HINT));
                }
                Err(error) => return Err(error.into()),
            }
        }
        let Some(file) = there else {
            let file = files.first().map(String::as_str).unwrap_or_default();
            let is_python = |path: &[u8]| path.ends_with(b".py");
            let blobs = tree.files(|_, _| true, is_python)?.blobs;
            let paths: Vec<&str> =
                blobs.iter().filter_map(|blob| std::str::from_utf8(&blob.path).ok()).collect();
            let message = format!("there is no file `{file}` at {at}");
            let error = error("entrypoint", &message);
            let is_here =
                self.referenced.opened().repository.workdir().is_some_and(|directory| {
                    files.iter().any(|file| directory.join(file).exists())
                });
            return Ok(match nearest(file, &paths) {
                _ if is_here => error.hint("it is in the work tree only: commit it"),
                Some(near) => error.hint(format!("did you mean `{near}`?")),
                None => error,
            });
        };
        let found = found.get(&one.root);
        let problem = found.and_then(|found| {
            let own = found.problems.iter().find(|problem| problem.path == *file);
            let imported = match &one.location {
                DeclaredEntrypoint::Module { module, .. } => found.of_modules.get(module),
                DeclaredEntrypoint::Script { .. } => None,
            };
            own.or(imported)
        });
        if let Some(problem) = problem {
            // The problem of a module may stand in another file that it imports; that file's line
            // would be wrong behind this file's name.
            let position = match problem.path.as_str() {
                path if path == file => format!("{path}:{}:{}: ", problem.line, problem.column),
                _ => format!("{file}: "),
            };
            return Ok(error("flow", &format!("{position}{}", problem.message)));
        }
        let object = one.location.object();
        let message = format!("`{file}` has no flow `{object}` at {at}");
        let error = error("entrypoint", &message);
        let near: Vec<&str> = found
            .into_iter()
            .flat_map(|found| found.flows.values())
            .filter(|flow| flow.entrypoint.path() == file)
            .map(|flow| flow.entrypoint.object())
            .collect();
        Ok(match nearest(object, &near) {
            Some(near) => error.hint(format!("did you mean `{near}`?")),
            None if near.is_empty() => error.hint("a flow is a function with Prefect's `@flow`"),
            None => {
                let listed: Vec<String> =
                    near.iter().take(LISTED).map(|name| format!("`{name}`")).collect();
                error.hint(format!("it has {}", listed.join(", ")))
            }
        })
    }
}

fn in_directory(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

fn in_root(root: &str, entrypoint: &Entrypoint) -> Entrypoint {
    Entrypoint::new(in_directory(root, entrypoint.path()), entrypoint.object())
}

/// The flow at an entrypoint, if it is there.
pub(super) fn flow_of(
    one: &DeploymentDraft<'_>,
    found: &HashMap<String, DirectoryFlows>,
) -> Option<Flow> {
    let found = found.get(&one.root)?;
    let (container, object) = (one.location.container(), one.location.object());
    found.flows.get(&(container.to_owned(), object.to_owned())).cloned()
}
