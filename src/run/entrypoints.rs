//! The flows at the entrypoints of declared deployments: what a script has, and what can be
//! imported from a module. What is not exact, Python is asked about.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::rc::Rc;

use serde_json::{Map, Value};

use super::RunError;
use super::desired::{Builder, Gathered};
use super::request::Notice;
use crate::introspection::IntrospectedScan;
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
    /// What a worker does first.
    pub pull_steps: Vec<Value>,
    /// Where its flow is, from `root`.
    pub place: DeclaredEntrypoint,
    /// The directory of the repository from which a run starts.
    pub root: String,
    /// The entrypoint as it is registered.
    pub entrypoint: String,
}

/// What is at the entrypoints of one directory.
#[derive(Default)]
pub(super) struct DirectoryFlows {
    /// By the file, or the module's name, and the object.
    flows: HashMap<(String, String), Flow>,
    /// What keeps files from having flows.
    pub problems: Vec<FlowProblem>,
    /// The same for modules, by their names.
    of_modules: HashMap<String, FlowProblem>,
}

/// What modules have.
#[derive(Default)]
struct ImportedFlows {
    /// Where flows stand, by the module and the name to import them by.
    standing: HashMap<Entrypoint, Entrypoint>,
    /// The first problem of each module.
    problems: HashMap<String, FlowProblem>,
}

impl Builder<'_> {
    /// Analyses the files that entrypoints name, each once.
    pub(super) fn find_flows(
        &self,
        wanted: &[DeploymentDraft<'_>],
        gathered: &mut Gathered,
    ) -> Result<HashMap<String, DirectoryFlows>, RunError> {
        let mut by_root: BTreeMap<&str, Vec<&DeploymentDraft<'_>>> = BTreeMap::new();
        for one in wanted {
            by_root.entry(&one.root).or_default().push(one);
        }
        let mut all = HashMap::new();
        for (root, wanted) in by_root {
            let (mut scripts, mut modules) = (BTreeSet::new(), BTreeSet::new());
            for one in &wanted {
                match &one.place {
                    DeclaredEntrypoint::Script { path, .. } => {
                        scripts.insert(path.clone());
                    }
                    DeclaredEntrypoint::Module { module, object } => {
                        let head = object.split('.').next().unwrap_or(object);
                        modules.insert((module.clone(), head.to_owned()));
                    }
                }
            }
            let places: HashSet<(&str, &str)> =
                wanted.iter().map(|one| (one.place.container(), one.place.object())).collect();
            let is_wanted =
                |flow: &Flow| places.contains(&(flow.entrypoint.path(), flow.entrypoint.object()));
            let selection = Selection::files(scripts);
            let mut scan = self.referenced.scan_in(root, &selection)?;
            let imported = self.import(root, &modules, &mut scan)?;
            let IntrospectedScan { scan, notices, remarks, moments } =
                self.referenced.introspected(root, scan, &is_wanted)?;
            gathered.notices.extend(notices.into_iter().map(Notice::from));
            let placed = |at: &Entrypoint| in_root(root, imported.standing.get(at).unwrap_or(at));
            gathered.remarks.extend(remarks.into_iter().map(|(at, value)| (placed(&at), value)));
            gathered.moments.extend(moments.into_iter().map(|(at, value)| (placed(&at), value)));
            let Scan { flows, imported: others, problems, files, .. } = scan;
            if root.is_empty() {
                gathered.files = Some(files);
            }
            let mut found =
                DirectoryFlows { of_modules: imported.problems, ..DirectoryFlows::default() };
            for flow in flows.into_iter().chain(others) {
                let at = &flow.entrypoint;
                let key = (at.path().to_owned(), at.object().to_owned());
                let entrypoint = placed(at);
                let imported_from = flow.imported_from.as_ref().map(placed);
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
                imported.standing.insert(entrypoint.clone(), own);
                scan.flows.push(Flow { entrypoint, imported_from: None, ..flow });
            }
            for problem in analysis.problems {
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
        let is_python = |path: &[u8]| path.ends_with(b".py");
        let blobs = tree.blobs(|_| true, is_python)?;
        let paths: Vec<&str> =
            blobs.iter().filter_map(|blob| std::str::from_utf8(&blob.path).ok()).collect();
        let files: Vec<String> =
            one.place.files().iter().map(|file| in_directory(&one.root, file)).collect();
        let at = self.referenced.reference.commit.short();
        let Some(file) = files.iter().find(|file| paths.contains(&file.as_str())) else {
            let file = files.first().map(String::as_str).unwrap_or_default();
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
            let imported = match &one.place {
                DeclaredEntrypoint::Module { module, .. } => found.of_modules.get(module),
                DeclaredEntrypoint::Script { .. } => None,
            };
            own.or(imported)
        });
        if let Some(problem) = problem {
            let place = match problem.path.as_str() {
                path if path == file => format!("{path}:{}:{}: ", problem.line, problem.column),
                _ => format!("{file}: "),
            };
            return Ok(error("flow", &format!("{place}{}", problem.message)));
        }
        let object = one.place.object();
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
    let (container, object) = (one.place.container(), one.place.object());
    found.flows.get(&(container.to_owned(), object.to_owned())).cloned()
}
