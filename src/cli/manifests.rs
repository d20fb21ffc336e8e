//! The deployments that `prefect.yaml` files declare: read at the reference, templates filled in,
//! their flows found, and put together as what is to be registered.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::affected::{EntryKey, Start};
use super::error::CommandError;
use super::gather::{Gathered, Run, unbuilt, unused_overrides};
use super::introspect::Watched;
use super::session::Session;
use crate::flow::{FileAnalysis, Scan, Selection};
use crate::introspection::{Introspected, StepsError, StepsPlace, run_steps};
use crate::manifest::pull::{self, PullError, Pulled, RunDirectory};
use crate::manifest::{Declared, Entry, EntryError, Manifest, ManifestError, Place, Values};
use crate::model::{CodeReference, Entrypoint, Flow, FlowProblem, ProblemCode, nearest};
use crate::output::ItemReport;
use crate::registration::{Declaration, Pinned};

/// The file that Prefect looks for.
const FILE_NAME: &str = "prefect.yaml";
/// How many flows a hint lists when none is near.
const LISTED: usize = 5;

/// The manifests at a reference.
#[derive(Default)]
pub struct Manifests {
    files: Vec<Manifest>,
    broken: Vec<ManifestError>,
}

impl Manifests {
    /// Whether any deployment is declared, rightly or wrongly.
    pub fn declare_deployments(&self) -> bool {
        let declares = |file: &Manifest| !file.entries.is_empty() || !file.failed.is_empty();
        !self.broken.is_empty() || self.files.iter().any(declares)
    }

    /// The files that could be read.
    pub fn files(&self) -> &[Manifest] {
        &self.files
    }

    /// Whether there is a file at all.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty() && self.broken.is_empty()
    }
}

impl Session {
    /// Reads the manifests at a commit.
    pub fn manifests(&self, reference: &CodeReference) -> Result<Manifests, CommandError> {
        let tree = self.repository.tree(&reference.commit)?;
        let mut manifests = Manifests::default();
        let mut add = |path: &str, bytes: &[u8]| match Manifest::read(path, bytes) {
            Ok(manifest) => manifests.files.push(manifest),
            Err(error) => manifests.broken.push(error),
        };
        let Some(globs) = &self.settings.manifests else {
            if let Some(bytes) = tree.read_path(FILE_NAME)? {
                add(FILE_NAME, &bytes);
            }
            return Ok(manifests);
        };
        let wanted = super::selection::path_globs(globs)?;
        let is_wanted =
            |path: &[u8]| std::str::from_utf8(path).is_ok_and(|path| wanted.is_match(path));
        let blobs = tree.blobs(|_| true, is_wanted)?;
        if blobs.is_empty() {
            return Err(CommandError::configuration(
                format!(
                    "[manifest] files: no file at {} matches {}",
                    reference.commit.short(),
                    globs.iter().map(|glob| format!("`{glob}`")).collect::<Vec<_>>().join(", ")
                ),
                vec!["for example files = [\"teams/*/prefect.yaml\"]".to_owned()],
            ));
        }
        tree.fetch_missing(&blobs)?;
        let mut buffer = Vec::new();
        for blob in &blobs {
            let path = String::from_utf8_lossy(&blob.path).into_owned();
            add(&path, tree.read(blob, &mut buffer)?);
        }
        Ok(manifests)
    }
}

/// A deployment on its way to a registration.
struct Wanted<'m> {
    manifest: &'m Manifest,
    entry: &'m Entry,
    declared: Declared,
    /// What its build and push steps put out, if they were run.
    outputs: Option<Rc<Map<String, Value>>>,
    pull_steps: Vec<Value>,
    /// Where its flow is, from `root`.
    place: Place,
    /// The directory of the repository from which a run starts.
    root: String,
    /// The entrypoint as it is registered.
    entrypoint: String,
}

/// What the steps of a deployment put out.
type Outputs = Rc<Map<String, Value>>;

/// What came of steps that were run.
#[derive(Default)]
struct Ran(HashMap<String, Result<Rc<Map<String, Value>>, String>>);

/// What is at the entrypoints of one directory.
#[derive(Default)]
struct Found {
    flows: HashMap<(String, String), Flow>,
    modules: HashMap<(String, String), FileAnalysis>,
    problems: Vec<FlowProblem>,
}

impl Run<'_> {
    /// The deployments of the manifests.
    pub fn declared(&self, manifests: &Manifests) -> Result<Gathered, CommandError> {
        let mut gathered = Gathered::default();
        for error in &manifests.broken {
            gathered.problems.push(broken(error));
        }
        let values = self.values(manifests)?;
        let mut ran = Ran::default();
        let mut wanted = Vec::new();
        for manifest in &manifests.files {
            gathered.notices.extend(manifest.notices.iter().cloned());
            gathered.unbuilt.extend(manifest.failed.iter().cloned().map(refused));
            for entry in &manifest.entries {
                let wanting = self
                    .outputs(manifest, entry, &mut ran)?
                    .and_then(|outputs| self.wanted(manifest, entry, &values, outputs));
                match wanting {
                    Ok(one) => wanted.push(one),
                    Err(error) => gathered.unbuilt.push(refused(error)),
                }
            }
        }
        let found = self.find(&wanted, &mut gathered)?;
        let mut deployments = Vec::new();
        let mut missing = Vec::new();
        for one in wanted {
            match flow_of(&one, &found) {
                Some(flow) => deployments.push((one, flow)),
                None => missing.push(one),
            }
        }
        let names: Vec<(&str, &str)> = deployments
            .iter()
            .map(|(one, flow)| (flow.name.as_str(), one.declared.name.as_str()))
            .collect();
        let arguments = &self.arguments.flows;
        let is_selected = arguments.select_deployments(&names)?;
        gathered
            .notices
            .extend(unused_overrides(self.session, deployments.iter().map(|(_, flow)| flow)));
        if arguments.is_restricted() {
            // What was not asked for is not complained about.
            missing.clear();
            gathered.unbuilt.clear();
        }
        for one in &missing {
            let error = self.not_found(one, &found)?;
            gathered.unbuilt.push(refused(error));
        }
        gathered.problems.extend(found.into_values().flat_map(|found| found.problems));
        let doubles = doubles(&deployments);
        for ((one, flow), is_selected) in deployments.into_iter().zip(is_selected) {
            if !is_selected {
                continue;
            }
            let key = (flow.name.to_string(), one.declared.name.clone());
            if let Some(places) = doubles.get(&key).filter(|places| places.len() > 1) {
                gathered.unbuilt.push(double(&one, &flow, places));
                continue;
            }
            self.add_declared(&mut gathered, one, flow, &values)?;
        }
        Ok(gathered)
    }

    /// What templates need to know, from the target in as few requests as possible.
    fn values(&self, manifests: &Manifests) -> Result<Values, CommandError> {
        let mut values =
            Values { environment: self.context.environment.clone(), ..Values::default() };
        let mut variables: BTreeSet<String> = BTreeSet::new();
        let mut blocks: BTreeSet<(String, String)> = BTreeSet::new();
        for manifest in &manifests.files {
            let references = manifest.references();
            variables.extend(references.variables);
            blocks.extend(references.blocks);
        }
        if !variables.is_empty() {
            let names: Vec<String> = variables.into_iter().collect();
            values.variables = self.target.variables(&names)?;
        }
        for (kind, name) in blocks {
            let block = self.target.block(&kind, &name)?;
            values.blocks.extend(block.map(|block| ((kind, name), block)));
        }
        Ok(values)
    }

    /// The outputs of a deployment's steps; the same steps are run once. The outer error ends the
    /// run, the inner one is this deployment's.
    fn outputs(
        &self,
        manifest: &Manifest,
        entry: &Entry,
        ran: &mut Ran,
    ) -> Result<Result<Option<Outputs>, EntryError>, CommandError> {
        let steps = manifest.steps_of(entry);
        let has_steps = !steps.build.is_empty() || !steps.push.is_empty();
        if !has_steps || !self.arguments.run_steps {
            return Ok(Ok(None));
        }
        let directory = manifest.directory();
        let key = format!("{directory} {} {}", json!(steps.build), json!(steps.push));
        if !ran.0.contains_key(&key) {
            let place = StepsPlace {
                repository: &self.session.repository,
                reference: self.reference,
                url: self.source.repository,
                directory,
                python: self.session.settings.python.as_deref(),
                environment: &self.context.environment,
            };
            let _expected = self.context.interrupt.expect_for_now();
            let watch = Watched::new(self.context, "running build steps", 1);
            let result = match run_steps(&place, steps.build, steps.push, &watch) {
                Err(StepsError::Interrupted) => return Err(CommandError::interrupted()),
                Ok(outputs) => Ok(Rc::new(outputs)),
                Err(error) => Err(error.to_string()),
            };
            ran.0.insert(key.clone(), result);
        }
        Ok(match ran.0.get(&key) {
            Some(Ok(outputs)) => Ok(Some(Rc::clone(outputs))),
            Some(Err(message)) => {
                let message = format!("a build or push step failed: {message}");
                Err(manifest.error(entry, &["build"], "build_steps", &message))
            }
            None => Ok(None),
        })
    }

    /// Templates, pull steps, and where the flow is.
    fn wanted<'m>(
        &self,
        manifest: &'m Manifest,
        entry: &'m Entry,
        values: &Values,
        outputs: Option<Rc<Map<String, Value>>>,
    ) -> Result<Wanted<'m>, EntryError> {
        let declared = manifest.declared(entry, values, outputs.as_deref())?;
        let clone = self.source.git_clone(self.session.settings.repository.access.as_ref());
        let pulled = match declared.pull.as_deref() {
            None => Pulled {
                steps: vec![pull::step(&clone)],
                directory: RunDirectory::Clone(String::new()),
            },
            // Its code is in the image.
            Some([]) => Pulled { steps: Vec::new(), directory: RunDirectory::Elsewhere },
            Some(steps) => pull::pinned(steps, &clone, |text| values.fill(text))
                .map_err(|error| pull_error(manifest, entry, &error))?,
        };
        let Some(place) = Place::parse(&declared.entrypoint) else {
            let message = format!("`{}` is not an entrypoint", declared.entrypoint);
            let error = manifest.error(entry, &["entrypoint"], "entrypoint", &message);
            return Err(error.hint("path/to/file.py:function, or package.module.function"));
        };
        let directory = manifest.directory();
        let root = match pulled.directory {
            RunDirectory::Clone(root) if is_within(directory, &root) => root,
            RunDirectory::Clone(_) | RunDirectory::Elsewhere => directory.to_owned(),
        };
        let below = directory.strip_prefix(root.as_str()).unwrap_or(directory);
        let place = place.from(below.trim_start_matches('/')).ok_or_else(|| {
            let message =
                format!("`{}` can't be imported from the repository's root", declared.entrypoint);
            manifest.error(entry, &["entrypoint"], "entrypoint", &message).hint(
                "start the run in the directory of the file: a `set_working_directory` step with \
                 `{{ <id of git_clone>.directory }}/…`",
            )
        })?;
        // As it is written, where that is right.
        let is_as_written = Place::parse(&declared.entrypoint).as_ref() == Some(&place);
        let entrypoint =
            if is_as_written { declared.entrypoint.clone() } else { place.to_string() };
        let pull_steps = pulled.steps;
        Ok(Wanted { manifest, entry, declared, outputs, pull_steps, place, root, entrypoint })
    }

    /// Analyses the files that entrypoints name, each once.
    fn find(
        &self,
        wanted: &[Wanted<'_>],
        gathered: &mut Gathered,
    ) -> Result<HashMap<String, Found>, CommandError> {
        let mut by_root: BTreeMap<&str, Vec<&Wanted<'_>>> = BTreeMap::new();
        for one in wanted {
            by_root.entry(&one.root).or_default().push(one);
        }
        let mut all = HashMap::new();
        for (root, wanted) in by_root {
            let (mut scripts, mut modules) = (BTreeSet::new(), BTreeSet::new());
            for one in &wanted {
                match &one.place {
                    Place::Script { path, .. } => {
                        scripts.insert(path.clone());
                    }
                    Place::Module { module, object } => {
                        let head = object.split('.').next().unwrap_or(object);
                        modules.insert((module.clone(), head.to_owned()));
                    }
                }
            }
            let objects: BTreeSet<(String, String)> = wanted
                .iter()
                .map(|one| (one.place.files().swap_remove(0), one.place.object().to_owned()))
                .collect();
            let is_wanted = |flow: &Flow| {
                let path = flow.entrypoint.path().to_owned();
                objects.contains(&(path, flow.entrypoint.object().to_owned()))
            };
            let selection = Selection::files(scripts);
            let scan = self.session.scan_in(self.reference, root, &selection)?;
            let Introspected { scan, notices, remarks, moments } =
                self.session.introspected(self.context, self.reference, root, scan, &is_wanted)?;
            gathered.notices.extend(notices);
            let placed = |entrypoint: &Entrypoint| in_root(root, entrypoint);
            gathered.remarks.extend(remarks.into_iter().map(|(at, value)| (placed(&at), value)));
            gathered.moments.extend(moments.into_iter().map(|(at, value)| (placed(&at), value)));
            let Scan { flows, imported, problems, files, .. } = scan;
            if root.is_empty() {
                gathered.files = Some(files);
            }
            let mut found = Found::default();
            for flow in flows.into_iter().chain(imported) {
                let at = &flow.entrypoint;
                let key = (at.path().to_owned(), at.object().to_owned());
                let entrypoint = placed(at);
                let imported_from = flow.imported_from.as_ref().map(placed);
                found.flows.insert(key, Flow { entrypoint, imported_from, ..flow });
            }
            // Flows of one name are no problem here: deployments have names of their own.
            let problems = problems.into_iter().filter(|problem| {
                !matches!(problem.code, ProblemCode::Duplicate | ProblemCode::Nested)
            });
            found.problems = problems
                .map(|problem| FlowProblem { path: in_directory(root, &problem.path), ..problem })
                .collect();
            if !modules.is_empty() {
                let analyses = self.session.import_in(self.reference, root, &modules)?;
                found.modules = modules.into_iter().zip(analyses).collect();
            }
            all.insert(root.to_owned(), found);
        }
        Ok(all)
    }

    fn add_declared(
        &self,
        gathered: &mut Gathered,
        one: Wanted<'_>,
        mut flow: Flow,
        values: &Values,
    ) -> Result<(), CommandError> {
        let Wanted { manifest, entry, declared, outputs, pull_steps, place, root, entrypoint } =
            one;
        let path = flow.entrypoint.path();
        let start = Start::declared(path, root, &place, EntryKey::of(manifest, entry));
        flow.description = flow
            .description
            .and_then(|text| Manifest::description(&text, values, outputs.as_deref()));
        let origin = |path: &[&str]| manifest.origin(entry, path);
        let mut origins = BTreeMap::new();
        for (field, value) in &declared.fields {
            let path: &[&str] = match field.as_str() {
                "work_pool_name" => &["work_pool", "name"],
                "work_queue_name" => &["work_pool", "work_queue_name"],
                "job_variables" => &["work_pool", "job_variables"],
                "concurrency_options" => &["concurrency_limit"],
                "schedules" if !entry.config.contains_key("schedules") => &["schedule"],
                field => &[field],
            };
            origins.insert(field.clone(), origin(path));
            if matches!(field.as_str(), "parameters" | "job_variables") {
                let keys = value.as_object().into_iter().flat_map(Map::keys);
                origins.extend(keys.map(|key| {
                    let below = [path, &[key.as_str()]].concat();
                    (format!("{field}.{key}"), origin(&below))
                }));
            }
        }
        origins.insert("entrypoint".to_owned(), origin(&["entrypoint"]));
        gathered.notices.extend(declared.notices);
        if pull_steps.is_empty() && self.source.pinned != Pinned::Branch {
            gathered.notices.push(format!(
                "{}: `{}` has no pull steps: its runs use the code that is where they start, \
                 whatever the reference is",
                manifest.origin(entry, &["pull"]),
                declared.name
            ));
        }
        let declaration = Declaration {
            name: declared.name,
            entrypoint,
            fields: declared.fields,
            pull_steps,
            origins,
        };
        self.add(gathered, (flow, start), Some(declaration), declared.secrets)
    }

    /// What is wrong with an entrypoint that leads nowhere.
    fn not_found(
        &self,
        one: &Wanted<'_>,
        found: &HashMap<String, Found>,
    ) -> Result<EntryError, CommandError> {
        let error =
            |code, message: &str| one.manifest.error(one.entry, &["entrypoint"], code, message);
        let tree = self.session.repository.tree(&self.reference.commit)?;
        let is_python = |path: &[u8]| path.ends_with(b".py");
        let blobs = tree.blobs(|_| true, is_python)?;
        let paths: Vec<&str> =
            blobs.iter().filter_map(|blob| std::str::from_utf8(&blob.path).ok()).collect();
        let files: Vec<String> =
            one.place.files().iter().map(|file| in_directory(&one.root, file)).collect();
        let at = self.reference.commit.short();
        let Some(file) = files.iter().find(|file| paths.contains(&file.as_str())) else {
            let file = files.first().map(String::as_str).unwrap_or_default();
            let message = format!("there is no file `{file}` at {at}");
            let error = error("entrypoint", &message);
            let is_here =
                self.session.repository.workdir().is_some_and(|directory| {
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
            let imported = found
                .modules
                .iter()
                .filter(|((module, _), _)| matches!(&one.place, Place::Module { module: own, .. } if own == module))
                .find_map(|(_, analysis)| analysis.problems.first());
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

fn is_within(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory);
    directory.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn in_directory(directory: &str, path: &str) -> String {
    if directory.is_empty() { path.to_owned() } else { format!("{directory}/{path}") }
}

fn in_root(root: &str, entrypoint: &Entrypoint) -> Entrypoint {
    Entrypoint::new(in_directory(root, entrypoint.path()), entrypoint.object())
}

fn flow_of(one: &Wanted<'_>, found: &HashMap<String, Found>) -> Option<Flow> {
    let found = found.get(&one.root)?;
    match &one.place {
        Place::Script { path, object } => found.flows.get(&(path.clone(), object.clone())).cloned(),
        Place::Module { module, object } => {
            let head = object.split('.').next().unwrap_or(object);
            let analysis = found.modules.get(&(module.clone(), head.to_owned()))?;
            let flow = analysis.flows.iter().find(|flow| flow.entrypoint.object() == object)?;
            let own = flow.imported_from.as_ref().unwrap_or(&flow.entrypoint);
            let entrypoint = in_root(&one.root, own);
            Some(Flow { entrypoint, imported_from: None, ..flow.clone() })
        }
    }
}

/// The places of each flow and name.
fn doubles(deployments: &[(Wanted<'_>, Flow)]) -> HashMap<(String, String), Vec<String>> {
    let mut places: HashMap<(String, String), Vec<String>> = HashMap::new();
    for (one, flow) in deployments {
        let key = (flow.name.to_string(), one.declared.name.clone());
        places.entry(key).or_default().push(one.manifest.origin(one.entry, &["name"]));
    }
    places
}

fn double(one: &Wanted<'_>, flow: &Flow, places: &[String]) -> ItemReport {
    unbuilt(
        flow.name.as_str(),
        &one.declared.name,
        &one.entrypoint,
        "duplicate",
        format!("the deployment is declared more than once: {}", places.join(", ")),
        vec!["give each deployment of a flow a name of its own".to_owned()],
    )
}

fn refused(error: EntryError) -> ItemReport {
    let EntryError { name, entrypoint, code, message, hints } = error;
    let entrypoint = entrypoint.unwrap_or_default();
    let flow = entrypoint.rsplit([':', '.']).next().unwrap_or_default();
    unbuilt(flow, &name.unwrap_or_default(), &entrypoint, code, message, hints)
}

fn broken(error: &ManifestError) -> FlowProblem {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    FlowProblem {
        path: error.path.clone(),
        line: number(error.line),
        column: number(error.column),
        code: ProblemCode::Manifest,
        message: error.message.clone(),
        excerpt: None,
    }
}

fn pull_error(manifest: &Manifest, entry: &Entry, error: &PullError) -> EntryError {
    let reported = manifest.error(entry, &["pull"], "pull_steps", &error.to_string());
    reported.hint(match error {
        PullError::Secret => {
            "name a block that holds it: access_token: \"{{ prefect.blocks.secret.NAME }}\""
        }
        PullError::Submodules => "pin to the tag: [repository] pin = \"tag\"",
    })
}
