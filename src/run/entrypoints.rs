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
use crate::scan::{NamedFlows, Scan, Selection};
use crate::settings::DeployCalls;
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
    /// By entrypoint, as it is seen from that directory.
    at: HashMap<Entrypoint, Flow>,
    /// All flows of the files, for hints.
    flows: Vec<Flow>,
    /// What keeps files from having flows.
    pub problems: Vec<FlowProblem>,
    /// The same for modules, by their names.
    of_modules: HashMap<String, FlowProblem>,
}

/// Where entrypoints lead, before Python is asked.
#[derive(Default)]
struct Targets {
    /// The entrypoint of the flow in the scan, by the one that was asked for. The two differ where a
    /// flow has several names.
    at: HashMap<Entrypoint, Entrypoint>,
    /// The flows that Python is asked about if they are not exact. A file may have many, of which only
    /// some are deployed, and Python is slow.
    wanted: HashSet<Entrypoint>,
    /// The script and function that define a flow, by the module and the name to import it by.
    defined_at: HashMap<Entrypoint, Entrypoint>,
    /// The first problem of each module.
    of_modules: HashMap<String, FlowProblem>,
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
        let settings = &self.referenced.configured.settings;
        let mut all = HashMap::new();
        for (root, drafts) in by_root {
            let asked: BTreeSet<Entrypoint> = drafts
                .iter()
                .map(|one| Entrypoint::new(one.location.container(), one.location.object()))
                .collect();
            let scripts = asked.iter().map(Entrypoint::path).filter(|path| is_script(path));
            let selection = Selection::files(scripts.map(ToOwned::to_owned).collect());
            let mut scan = self.referenced.scan_in(root, &selection)?;
            if settings.deploy_calls == DeployCalls::Tell {
                let told = self.told(&scan).into_iter().map(|told| told.below(root));
                gathered.told.extend(told);
            }
            // Before Python is asked, so that one process answers for scripts and modules.
            let targets = self.targets(root, asked, &mut scan)?;
            let is_wanted = |flow: &Flow| targets.wanted.contains(&flow.entrypoint);
            let IntrospectedScan { scan, notices, remarks, moments } =
                self.referenced.introspected(root, scan, &is_wanted)?;
            gathered.notices.extend(notices.into_iter().map(Notice::from));
            // Up to here paths were relative to `root`, and modules stood for files. Everything
            // after this compares paths from the repository's root.
            let in_repository =
                |at: &Entrypoint| in_root(root, targets.defined_at.get(at).unwrap_or(at));
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
            // A deployment may name a script that only imports the flow, so those count, too.
            let flows: HashMap<Entrypoint, Flow> = flows
                .into_iter()
                .chain(others)
                .map(|flow| {
                    let entrypoint = in_repository(&flow.entrypoint);
                    let imported_from = flow.imported_from.as_ref().map(in_repository);
                    (flow.entrypoint.clone(), Flow { entrypoint, imported_from, ..flow })
                })
                .collect();
            let at = targets
                .at
                .iter()
                .filter_map(|(asked, at)| Some((asked.clone(), flows.get(at)?.clone())))
                .collect();
            let mut of_modules = targets.of_modules;
            let mut of_scripts = Vec::new();
            for problem in problems {
                // Flows of one name are no problem here: deployments have names of their own.
                if matches!(problem.code, ProblemCode::Duplicate | ProblemCode::Nested) {
                    continue;
                }
                if is_script(&problem.path) {
                    let path = in_directory(root, &problem.path);
                    of_scripts.push(FlowProblem { path, ..problem });
                } else {
                    // By now it says as well why Python could not tell.
                    of_modules.insert(problem.path.clone(), problem);
                }
            }
            let found = DirectoryFlows {
                at,
                flows: flows.into_values().collect(),
                problems: of_scripts,
                of_modules,
            };
            all.insert(root.to_owned(), found);
        }
        Ok(all)
    }

    /// Finds out to which flows entrypoints lead, and puts those among the flows of a scan that it does not
    /// list: what a module gives under the module's name, and what only another name leads to.
    fn targets(
        &self,
        root: &str,
        asked: BTreeSet<Entrypoint>,
        scan: &mut Scan,
    ) -> Result<Targets, RunError> {
        let mut targets = Targets::default();
        let listed: HashMap<&Entrypoint, &Flow> =
            scan.flows.iter().chain(&scan.imported).map(|flow| (&flow.entrypoint, flow)).collect();
        let mut others = BTreeSet::new();
        for one in asked {
            match listed.get(&one) {
                Some(flow) => targets.add(one.clone(), one, flow.imported_from.as_ref()),
                None => _ = others.insert(one),
            }
        }
        let NamedFlows { flows, unknown, problems } = self.referenced.look_up_in(root, &others)?;
        for (asked, flow) in flows {
            if is_script(asked.path()) {
                let at = flow.entrypoint.clone();
                targets.add(asked, at.clone(), None);
                let mut listed = scan.flows.iter().chain(&scan.imported);
                if !listed.any(|listed| listed.entrypoint == at) {
                    scan.flows.push(flow);
                }
            } else {
                let own = flow.imported_from.clone().unwrap_or(flow.entrypoint.clone());
                targets.defined_at.insert(asked.clone(), own);
                targets.add(asked.clone(), asked.clone(), None);
                scan.flows.push(Flow { entrypoint: asked, imported_from: None, ..flow });
            }
        }
        for one in &unknown {
            targets.add(one.clone(), one.clone(), None);
            if let Some(file) = self.module_file(root, one)? {
                targets.defined_at.insert(one.clone(), Entrypoint::new(file, one.object()));
            }
        }
        for (container, problem) in problems {
            // Python is asked about such problems, and it is asked by the module's name.
            if is_script(&container) || problem.code == ProblemCode::UnknownName {
                let problem = FlowProblem { path: container.clone(), ..problem.clone() };
                let is_same = |other: &FlowProblem| {
                    (other.code, other.line, other.column)
                        == (problem.code, problem.line, problem.column)
                        && other.path == problem.path
                };
                if !scan.problems.iter().any(is_same) {
                    scan.problems.push(problem);
                }
            }
            if !is_script(&container) {
                targets.of_modules.entry(container).or_insert(problem);
            }
        }
        scan.unknown = unknown;
        Ok(targets)
    }

    /// The file of a module that an entrypoint names, from `root`; `None` for a script.
    fn module_file(&self, root: &str, at: &Entrypoint) -> Result<Option<String>, RunError> {
        if is_script(at.path()) {
            return Ok(None);
        }
        let tree = self.referenced.tree()?;
        for file in DeclaredEntrypoint::files_of_module(at.path()) {
            match tree.has_file(&in_directory(root, &file)) {
                Ok(true) => return Ok(Some(file)),
                Ok(false) | Err(GitError::BrokenLink(_)) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(None)
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
            // A file may have several; one that names the object says more about it.
            let about_it = format!("`{}`", one.location.object());
            let of_file = || found.problems.iter().filter(|problem| problem.path == *file);
            let own = of_file().find(|problem| problem.message.contains(&about_it));
            let own = own.or_else(|| of_file().next());
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
        let flows = found.into_iter().flat_map(|found| &found.flows);
        let of_file = flows.map(|flow| &flow.entrypoint).filter(|at| at.path() == file);
        let near: Vec<&str> =
            of_file.map(Entrypoint::object).collect::<BTreeSet<&str>>().into_iter().collect();
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

impl Targets {
    /// Notes where an entrypoint leads. A flow that the scan lists elsewhere is asked about there.
    fn add(&mut self, asked: Entrypoint, at: Entrypoint, listed_at: Option<&Entrypoint>) {
        self.wanted.insert(at.clone());
        self.wanted.extend(listed_at.cloned());
        self.at.insert(asked, at);
    }
}

/// Whether the container of an entrypoint is a script; else it is a module.
fn is_script(container: &str) -> bool {
    container.strip_suffix(".py").is_some()
}

pub(super) fn in_directory(directory: &str, path: &str) -> String {
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
    let asked = Entrypoint::new(one.location.container(), one.location.object());
    found.get(&one.root)?.at.get(&asked).cloned()
}
