//! The deployments that `prefect.yaml` files declare: read at the reference, templates filled in,
//! their flows found, and put together as what is to be registered.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::desired::{Builder, Gathered, Unbuilt};
use super::entrypoints::{DeploymentDraft, flow_of};
use super::error::ConfigurationError;
use super::request::Notice;
use super::starts::{EntryKey, Start};
use super::{Referenced, RunError};
use crate::introspection::{StepsContext, StepsError, run_steps};
use crate::manifest::pull::{self, PinnedSteps, PullError, RunDirectory};
use crate::manifest::{
    DeclaredEntrypoint, Entry, EntryError, Manifest, ManifestError, TemplateValues,
};
use crate::registration::{Declaration, Pinned};
use flowreg_model::{Channel, Environment, Field, Flow, FlowProblem, ProblemCode};

/// The file that Prefect looks for.
const FILE_NAME: &str = "prefect.yaml";

/// The manifests at a reference.
#[derive(Default)]
pub(super) struct Manifests {
    files: Vec<Manifest>,
    broken: Vec<ManifestError>,
}

impl Manifests {
    /// Whether any deployment is declared, rightly or wrongly.
    pub(super) fn declare_deployments(&self) -> bool {
        let declares = |file: &Manifest| !file.entries.is_empty() || !file.failed.is_empty();
        !self.broken.is_empty() || self.files.iter().any(declares)
    }

    /// The files that could be read.
    pub(super) fn files(&self) -> &[Manifest] {
        &self.files
    }

    /// Whether there is a file at all.
    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty() && self.broken.is_empty()
    }
}

impl Referenced<'_> {
    /// Reads the manifests at the commit.
    pub(super) fn manifests(&self) -> Result<Manifests, RunError> {
        let tree = self.tree()?;
        let mut manifests = Manifests::default();
        let mut add = |path: &str, bytes: &[u8]| match Manifest::read(path, bytes) {
            Ok(manifest) => manifests.files.push(manifest),
            Err(error) => manifests.broken.push(error),
        };
        let Some(globs) = &self.configured.settings.manifests else {
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
            return Err(ConfigurationError::NoManifest {
                commit: self.reference.commit.clone(),
                globs: globs.clone(),
            }
            .into());
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

/// What the steps of a deployment put out.
type Outputs = Rc<Map<String, Value>>;

/// What build and push steps put out, by the steps; each list is run once.
#[derive(Default)]
struct StepOutputs(HashMap<String, Result<Rc<Map<String, Value>>, String>>);

impl Builder<'_> {
    /// The deployments of the manifests.
    pub(super) fn declared(&self, manifests: &Manifests) -> Result<Gathered, RunError> {
        let mut gathered = Gathered::default();
        for error in &manifests.broken {
            gathered.problems.push(broken(error));
        }
        let values = self.values(manifests, &mut gathered.notices)?;
        let mut ran = StepOutputs::default();
        let mut wanted = Vec::new();
        for manifest in &manifests.files {
            gathered.notices.extend(manifest.notices.iter().cloned().map(Notice::from));
            gathered.unbuilt.extend(manifest.failed.iter().cloned().map(refused));
            for entry in &manifest.entries {
                let wanting = self
                    .outputs(manifest, entry, &mut ran)?
                    .and_then(|outputs| self.resolve(manifest, entry, &values, outputs));
                match wanting {
                    Ok(one) => wanted.push(one),
                    Err(error) => gathered.unbuilt.push(refused(error)),
                }
            }
        }
        let found = self.find_flows(&wanted, &mut gathered)?;
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
        let arguments = &self.request.flows;
        let is_selected = arguments.select_deployments(&names)?;
        gathered.notices.extend(self.unused_overrides(deployments.iter().map(|(_, flow)| flow)));
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
    fn values(
        &self,
        manifests: &Manifests,
        notices: &mut Vec<Notice>,
    ) -> Result<TemplateValues, RunError> {
        let surroundings = &self.referenced.opened().surroundings;
        // On a server anybody who may push could have its environment shown.
        let environment = if surroundings.is_server {
            Environment::default()
        } else {
            surroundings.environment.clone()
        };
        let mut values = TemplateValues { environment, ..TemplateValues::default() };
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
            let is_missing = |name: &&String| !values.variables.contains_key(*name);
            for name in names.iter().filter(is_missing) {
                let variable = format!("{{{{ prefect.variables.{name} }}}}");
                notices.push(Notice::from(format!(
                    "the target has no variable `{name}`: {variable} is the empty text, as it is \
                     for Prefect"
                )));
            }
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
        ran: &mut StepOutputs,
    ) -> Result<Result<Option<Outputs>, EntryError>, RunError> {
        let steps = manifest.steps_of(entry);
        let has_steps = !steps.build.is_empty() || !steps.push.is_empty();
        if !has_steps || !self.request.run_steps {
            return Ok(Ok(None));
        }
        let directory = manifest.directory();
        let key = format!("{directory} {} {}", json!(steps.build), json!(steps.push));
        if !ran.0.contains_key(&key) {
            let opened = self.referenced.opened();
            let place = StepsContext {
                repository: &opened.repository,
                reference: &self.referenced.reference,
                url: self.source.repository,
                directory,
                python: self.referenced.configured.settings.python.as_deref(),
                environment: &opened.surroundings.environment,
            };
            // On Ctrl-C the temporary clone has to go first.
            let _handled = opened.surroundings.interrupt.handle_for_now();
            let work = opened.work("running build steps", 1);
            let result = match run_steps(&place, steps.build, steps.push, &work) {
                Err(StepsError::Interrupted) => return Err(RunError::Interrupted),
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
    fn resolve<'m>(
        &self,
        manifest: &'m Manifest,
        entry: &'m Entry,
        values: &TemplateValues,
        outputs: Option<Rc<Map<String, Value>>>,
    ) -> Result<DeploymentDraft<'m>, EntryError> {
        let declared = manifest.declared(entry, values, outputs.as_deref())?;
        let clone =
            self.source.git_clone(self.referenced.configured.settings.repository.access.as_ref());
        let pulled = match declared.pull.as_deref() {
            None => PinnedSteps {
                steps: vec![pull::step(&clone)],
                directory: RunDirectory::Clone(String::new()),
            },
            // Its code is in the image.
            Some([]) => PinnedSteps { steps: Vec::new(), directory: RunDirectory::Elsewhere },
            Some(steps) => pull::pinned(steps, &clone, |text| values.fill(text))
                .map_err(|error| pull_error(manifest, entry, &error))?,
        };
        let Some(place) = DeclaredEntrypoint::parse(&declared.entrypoint) else {
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
        let place = place.in_directory(below.trim_start_matches('/')).ok_or_else(|| {
            let message =
                format!("`{}` can't be imported from the repository's root", declared.entrypoint);
            manifest.error(entry, &["entrypoint"], "entrypoint", &message).hint(
                "start the run in the directory of the file: a `set_working_directory` step with \
                 `{{ <id of git_clone>.directory }}/…`",
            )
        })?;
        // As it is written, where that is right.
        let is_as_written =
            DeclaredEntrypoint::parse(&declared.entrypoint).as_ref() == Some(&place);
        let entrypoint =
            if is_as_written { declared.entrypoint.clone() } else { place.to_string() };
        let pull_steps = pulled.steps;
        Ok(DeploymentDraft {
            manifest,
            entry,
            declared,
            outputs,
            pull_steps,
            place,
            root,
            entrypoint,
        })
    }

    fn add_declared(
        &self,
        gathered: &mut Gathered,
        one: DeploymentDraft<'_>,
        mut flow: Flow,
        values: &TemplateValues,
    ) -> Result<(), RunError> {
        let DeploymentDraft {
            manifest,
            entry,
            declared,
            outputs,
            pull_steps,
            place,
            root,
            entrypoint,
        } = one;
        let path = flow.entrypoint.path();
        let start = Start::declared(path, root, &place, EntryKey::of(manifest, entry));
        flow.description = flow
            .description
            .and_then(|text| Manifest::description(&text, values, outputs.as_deref()));
        let origin = |path: &[&str]| manifest.origin(entry, path);
        let mut origins = BTreeMap::new();
        for (field, value) in declared.fields.iter() {
            let path: &[&str] = match field {
                Field::WorkPoolName => &["work_pool", "name"],
                Field::WorkQueueName => &["work_pool", "work_queue_name"],
                Field::JobVariables => &["work_pool", "job_variables"],
                Field::ConcurrencyOptions => &["concurrency_limit"],
                Field::Schedules if !entry.config.contains_key("schedules") => &["schedule"],
                field => &[field.name()],
            };
            origins.insert(field.name().to_owned(), origin(path));
            if matches!(field, Field::Parameters | Field::JobVariables) {
                let keys = value.as_object().into_iter().flat_map(Map::keys);
                origins.extend(keys.map(|key| {
                    let below = [path, &[key.as_str()]].concat();
                    (format!("{}.{key}", field.name()), origin(&below))
                }));
            }
        }
        origins.insert("entrypoint".to_owned(), origin(&["entrypoint"]));
        gathered.notices.extend(declared.notices.into_iter().map(Notice::from));
        if declared.lacks_version && self.referenced.reference.channel == Channel::Feature {
            gathered.notices.push(Notice::from(format!(
                "{}: `version` of `{}` is an output of the build steps: the branch stands for it \
                 without --run-steps",
                manifest.origin(entry, &["version"]),
                declared.name
            )));
        }
        if pull_steps.is_empty() && self.source.pinned != Pinned::Branch {
            gathered.notices.push(Notice::from(format!(
                "{}: `{}` has no pull steps: its runs use the code that is where they start, \
                 whatever the reference is",
                manifest.origin(entry, &["pull"]),
                declared.name
            )));
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
}

fn is_within(path: &str, directory: &str) -> bool {
    let rest = path.strip_prefix(directory);
    directory.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// The places of each flow and name.
fn doubles(deployments: &[(DeploymentDraft<'_>, Flow)]) -> HashMap<(String, String), Vec<String>> {
    let mut places: HashMap<(String, String), Vec<String>> = HashMap::new();
    for (one, flow) in deployments {
        let key = (flow.name.to_string(), one.declared.name.clone());
        places.entry(key).or_default().push(one.manifest.origin(one.entry, &["name"]));
    }
    places
}

fn double(one: &DeploymentDraft<'_>, flow: &Flow, places: &[String]) -> Unbuilt {
    Unbuilt {
        flow: flow.name.to_string(),
        deployment: one.declared.name.clone(),
        entrypoint: one.entrypoint.clone(),
        code: "duplicate".to_owned(),
        message: format!("the deployment is declared more than once: {}", places.join(", ")),
        hints: vec!["give each deployment of a flow a name of its own".to_owned()],
    }
}

fn refused(error: EntryError) -> Unbuilt {
    let EntryError { name, entrypoint, code, message, hints } = error;
    let entrypoint = entrypoint.unwrap_or_default();
    let flow = entrypoint.rsplit([':', '.']).next().unwrap_or_default().to_owned();
    let (deployment, code) = (name.unwrap_or_default(), code.to_owned());
    Unbuilt { flow, deployment, entrypoint, code, message, hints }
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
