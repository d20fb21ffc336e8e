//! The deployments that `prefect.yaml` files declare: read at the reference, templates filled in,
//! their flows found, and put together as what is to be registered.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::rc::Rc;

use serde_json::{Map, Value, json};

use super::RunError;
use super::deploy_calls::{CalledDeployments, CalledDraft, DeclarationLines, with_calls};
use super::desired::{Builder, FieldOrigins, Gathered, Unbuilt, UnbuiltCause};
use super::entrypoints::{DeploymentDraft, flow_of};
use super::located::Located;
use super::manifests::Manifests;
use super::pulled::{Pulled, sparse_error};
use super::request::Notice;
use super::selection::{DeclaredNames, SelectedDeployments};
use super::starts::{EntryKey, Start};
use crate::introspection::{IntrospectedScan, StepsContext, StepsError, run_steps};
use crate::manifest::{Entry, EntryError, Manifest, TemplateValues};
use crate::registration::{BuildError, Declaration};
use crate::settings::DeployCalls;
use flowreg_model::{Channel, Environment, Field, Flow};

/// The outputs of a deployment's build and push steps, by name. Shared, because deployments with
/// the same steps have the same outputs.
type Outputs = Rc<Map<String, Value>>;

/// The outputs of build and push steps, or why they failed, by directory and steps.
#[derive(Default)]
struct StepOutputs(HashMap<String, Result<Outputs, String>>);

impl Builder<'_> {
    /// The deployments of the manifests.
    pub(super) fn declared(
        &self,
        manifests: &Manifests,
        gathered: &mut Gathered,
    ) -> Result<(), RunError> {
        gathered.notices.extend(manifests.without_deployments());
        gathered.problems.extend(manifests.broken());
        // Read once for all files: each variable and each block costs a request.
        let values = self.values(manifests, &mut gathered.notices)?;
        let mut ran = StepOutputs::default();
        let mut drafts = Vec::new();
        for manifest in manifests.files() {
            gathered.notices.extend(manifest.notices.iter().cloned().map(Notice::from));
            gathered.unbuilt.extend(manifest.failed.iter().cloned().map(refused));
            for entry in &manifest.entries {
                let draft = match self.outputs(manifest, entry, &mut ran)? {
                    Ok(outputs) => self.resolve(manifest, entry, &values, outputs)?,
                    Err(error) => Err(error),
                };
                match draft {
                    Ok(draft) => drafts.push(draft),
                    Err(error) => gathered.unbuilt.push(refused(error)),
                }
            }
        }
        // A deployment is selected by the name of its flow, too, and that name is known only once
        // the script is analysed. So the flows of all drafts are found before any is left out.
        let found = self.find_flows(&drafts, gathered)?;
        let mut deployments = Vec::new();
        let mut missing = Vec::new();
        for one in drafts {
            match flow_of(&one, &found) {
                Some(flow) => deployments.push((one, flow)),
                None => missing.push(one),
            }
        }
        let mut called = self.called_besides(gathered)?;
        gathered.unbuilt.extend(called.take_unbuilt());
        for one in missing {
            // Where other code runs, the flow need not be in this repository at all.
            let error = match one.void {
                Some(void) => void,
                None => self.not_found(&one, &found)?,
            };
            gathered.unbuilt.push(refused(error));
        }
        let SelectedDeployments { mut built, failed } =
            self.request.flows.select_deployments(&DeclaredNames {
                built: deployments
                    .iter()
                    .map(|(one, flow)| (flow.name.as_str(), one.declared.name.as_str()))
                    .chain(called.drafts.iter().map(CalledDraft::names))
                    .collect(),
                failed: gathered
                    .unbuilt
                    .iter()
                    .map(|one| (one.flow.as_str(), one.deployment.as_str()))
                    .collect(),
                is_incomplete: !gathered.problems.is_empty()
                    || gathered.unbuilt.iter().any(|one| one.deployment.is_empty()),
            })?;
        gathered.notices.extend(self.unused_overrides(deployments.iter().map(|(_, flow)| flow)));
        // Errors of deployments that were not asked for must not fail the run.
        let mut is_asked_for = failed.into_iter();
        gathered.unbuilt.retain(|_| is_asked_for.next() == Some(true));
        gathered.problems.extend(found.into_values().flat_map(|found| found.problems));
        let lines = with_calls(&declaration_lines(&deployments), &called.drafts);
        let is_called = built.split_off(deployments.len().min(built.len()));
        called.keep_drafts(&is_called);
        for ((one, flow), is_selected) in deployments.into_iter().zip(built) {
            if !is_selected {
                continue;
            }
            let key = (flow.name.to_string(), one.declared.name.clone());
            // A server knows a deployment by flow and name, so the later declaration would
            // overwrite the earlier one, and each run would write both again. Neither is registered.
            if let Some(lines) = lines.get(&key).filter(|lines| lines.len() > 1) {
                gathered.unbuilt.push(declared_twice(&one, &flow, lines));
                continue;
            }
            self.add_declared(gathered, one, flow, &values)?;
        }
        self.add_called(gathered, called, &lines)
    }

    /// What calls in Python declare besides, anywhere in the tree.
    fn called_besides(&self, gathered: &mut Gathered) -> Result<CalledDeployments, RunError> {
        if self.referenced.configured.settings.deploy_calls != DeployCalls::Read {
            return Ok(CalledDeployments::default());
        }
        let scan = self.referenced.scan_all()?;
        let called = self.called(&scan);
        if called.drafts.is_empty() {
            return Ok(called);
        }
        // Once more with Python's answers, now that it is known which flows it is asked about.
        let is_called = |flow: &Flow| called.claimed.contains(&flow.entrypoint);
        let IntrospectedScan { scan, notices, remarks, moments } =
            self.referenced.introspected("", scan, &is_called)?;
        gathered.notices.extend(notices.into_iter().map(Notice::from));
        gathered.remarks.extend(remarks);
        gathered.moments.extend(moments);
        Ok(self.called(&scan))
    }

    /// What templates need to know, from the target in as few requests as possible.
    fn values(
        &self,
        manifests: &Manifests,
        notices: &mut Vec<Notice>,
    ) -> Result<TemplateValues, RunError> {
        let surroundings = &self.referenced.opened().surroundings;
        // On a server everybody who may push writes templates. With the environment of the hook in
        // them, `{{ $SECRET }}` in a description would show it to all.
        let environment = if surroundings.is_server {
            Environment::default()
        } else {
            surroundings.environment.clone()
        };
        let mut values = TemplateValues { environment, ..TemplateValues::default() };
        let mut variables: BTreeSet<String> = BTreeSet::new();
        let mut blocks: BTreeSet<(String, String)> = BTreeSet::new();
        for manifest in manifests.files() {
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
        // Deployments mostly share the steps of their file, and building an image takes minutes. The
        // directory is part of the key because steps run in it.
        let key = format!("{directory} {} {}", json!(steps.build), json!(steps.push));
        if !ran.0.contains_key(&key) {
            let opened = self.referenced.opened();
            let context = StepsContext {
                repository: &opened.repository,
                reference: &self.referenced.reference,
                url: self.source.repository,
                directory,
                python: self.referenced.configured.settings.python.as_deref(),
                environment: &opened.surroundings.environment,
            };
            // Ctrl-C would end the process at once and leave the temporary clone on the disk. So
            // until the clone is removed, only the steps are told of it.
            let _handled = opened.surroundings.interrupt.handle_for_now();
            let work = opened.work("running build steps", 1);
            let result = match run_steps(&context, steps.build, steps.push, &work) {
                Err(StepsError::Interrupted) => return Err(RunError::Interrupted),
                Ok(outputs) => Ok(Rc::new(outputs)),
                Err(error) => Err(error.to_string()),
            };
            // A failure is kept as well: what failed for one deployment is not tried again for each
            // of the others.
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

    /// Fills in templates, puts the reference into the pull steps, and works out from which
    /// directory the run will start, which decides how the entrypoint has to be written. The outer error
    /// ends the run, the inner one is this deployment's.
    fn resolve<'m>(
        &self,
        manifest: &'m Manifest,
        entry: &'m Entry,
        values: &TemplateValues,
        outputs: Option<Rc<Map<String, Value>>>,
    ) -> Result<Result<DeploymentDraft<'m>, EntryError>, RunError> {
        let declared = match manifest.declared(entry, values, outputs.as_deref()) {
            Ok(declared) => declared,
            Err(error) => return Ok(Err(error)),
        };
        let Pulled { steps: pulled, void } =
            match self.pulled(manifest, entry, &declared, values, &self.source)? {
                Ok(pulled) => pulled,
                Err(error) => return Ok(Err(error)),
            };
        let located = self.located(manifest, entry, &declared.entrypoint, &pulled.start)?;
        Ok(located.map(|Located { root, location, entrypoint }| DeploymentDraft {
            manifest,
            entry,
            declared,
            outputs,
            pulled,
            void,
            location,
            root,
            entrypoint,
        }))
    }

    /// Pulls at the reference of the package that the flow belongs to. Where an entrypoint leads, and so
    /// which package it is, is known only after the steps were followed once. The outer error ends the run,
    /// the inner one is this deployment's.
    fn pulled_for_package<'m>(
        &self,
        one: DeploymentDraft<'m>,
        flow: &Flow,
        values: &TemplateValues,
    ) -> Result<Result<DeploymentDraft<'m>, EntryError>, RunError> {
        let source = self.source_of(flow.entrypoint.path());
        if source.reference.name == self.source.reference.name {
            return Ok(Ok(one));
        }
        let pulled = self.pulled(one.manifest, one.entry, &one.declared, values, &source)?;
        Ok(pulled.map(|Pulled { steps, void }| DeploymentDraft { pulled: steps, void, ..one }))
    }

    fn add_declared(
        &self,
        gathered: &mut Gathered,
        one: DeploymentDraft<'_>,
        mut flow: Flow,
        values: &TemplateValues,
    ) -> Result<(), RunError> {
        let one = match self.pulled_for_package(one, &flow, values)? {
            Ok(one) => one,
            Err(error) => {
                gathered.unbuilt.push(Unbuilt { flow: flow.name.to_string(), ..refused(error) });
                return Ok(());
            }
        };
        let is_allowed = self.request.allow_unpinned
            || self.referenced.configured.settings.allows_unpinned(flow.name.as_str());
        let refusal = one.void.clone().filter(|_| !is_allowed);
        let file = flow.imported_from.as_ref().unwrap_or(&flow.entrypoint).path();
        let refusal = refusal.or_else(|| sparse_error(one.manifest, one.entry, &one.pulled, file));
        if let Some(refusal) = refusal {
            gathered.unbuilt.push(Unbuilt { flow: flow.name.to_string(), ..refused(refusal) });
            return Ok(());
        }
        gathered.notices.extend(self.pull_notices(&one));
        let DeploymentDraft { manifest, entry, declared, outputs, pulled, .. } = one;
        let DeploymentDraft { location, root, entrypoint, .. } = one;
        let path = flow.entrypoint.path();
        let start = Start::declared(path, root, &location, EntryKey::of(manifest, entry));
        flow.description = flow
            .description
            .and_then(|text| Manifest::description(&text, values, outputs.as_deref()));
        let origin = |path: &[&str]| manifest.origin(entry, path);
        let (mut origins, mut places) = (BTreeMap::new(), BTreeMap::new());
        for (field, value) in declared.fields.iter() {
            // The names are those of Prefect's API; in the file these fields stand elsewhere.
            let path: &[&str] = match field {
                Field::WorkPoolName => &["work_pool", "name"],
                Field::WorkQueueName => &["work_pool", "work_queue_name"],
                Field::JobVariables => &["work_pool", "job_variables"],
                Field::ConcurrencyOptions => &["concurrency_limit"],
                Field::Schedules if !entry.config.contains_key("schedules") => &["schedule"],
                field => &[field.name()],
            };
            origins.insert(field.name().to_owned(), origin(path));
            places.insert(field.name().to_owned(), manifest.place(entry, path).to_string());
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
        for notice in self.local_urls(&pulled.steps, values) {
            // Deployments mostly share the steps of their file.
            if !gathered.notices.contains(&notice) {
                gathered.notices.push(notice);
            }
        }
        if declared.lacks_version && self.referenced.reference.channel == Channel::Feature {
            let message = "the version is an output of the build steps, which were not run: the name of \
                           the branch is registered as its version; to have them run: --run-steps";
            let notice = manifest.notice(entry, &["version"], message.to_owned());
            gathered.notices.push(notice.into());
        }
        let declared_at = manifest.place(entry, &["name"]).to_string();
        let explained = FieldOrigins {
            secrets: declared.secrets,
            declared_at: Some(declared_at),
            places,
            ..FieldOrigins::default()
        };
        let declaration = Declaration {
            name: declared.name,
            entrypoint,
            fields: declared.fields,
            pull_steps: pulled.steps,
            origins,
        };
        if let Err(error) = self.add(gathered, &mut flow, start, Some(declaration), explained)? {
            let cause = UnbuiltCause::of(&error);
            let error = build_error(manifest, entry, &error);
            let flow = flow.name.to_string();
            gathered.unbuilt.push(Unbuilt { flow, cause, ..refused(error) });
        }
        Ok(())
    }
}

/// Where each deployment is declared (`prefect.yaml:12`), by flow and name.
fn declaration_lines(deployments: &[(DeploymentDraft<'_>, Flow)]) -> DeclarationLines {
    let mut lines = DeclarationLines::new();
    for (one, flow) in deployments {
        let key = (flow.name.to_string(), one.declared.name.clone());
        lines.entry(key).or_default().push(one.manifest.origin(one.entry, &["name"]));
    }
    lines
}

fn declared_twice(one: &DeploymentDraft<'_>, flow: &Flow, lines: &[String]) -> Unbuilt {
    Unbuilt {
        flow: flow.name.to_string(),
        deployment: one.declared.name.clone(),
        entrypoint: one.entrypoint.clone(),
        code: "duplicate".to_owned(),
        cause: UnbuiltCause::Configuration,
        place: Some(one.manifest.place(one.entry, &["name"]).to_string()),
        message: format!("the deployment is declared more than once: {}", lines.join(", ")),
        hints: vec!["give each deployment of a flow a name of its own".to_owned()],
    }
}

fn refused(error: EntryError) -> Unbuilt {
    let EntryError { name, entrypoint, code, place, message, hints } = error;
    let cause = match code {
        "build_steps" | "pin_void" => UnbuiltCause::Guard,
        "flow" | "link" => UnbuiltCause::Source,
        _ => UnbuiltCause::Configuration,
    };
    let entrypoint = entrypoint.unwrap_or_default();
    // The flow was not found, so its name is not known; the function's is the best guess.
    let flow = entrypoint.rsplit([':', '.']).next().unwrap_or_default().to_owned();
    let (deployment, code) = (name.unwrap_or_default(), code.to_owned());
    let place = Some(place.to_string());
    Unbuilt { flow, deployment, entrypoint, code, cause, place, message, hints }
}

/// A registration that can't be built of what the file declares, at the place of what is wrong.
fn build_error(manifest: &Manifest, entry: &Entry, error: &BuildError) -> EntryError {
    let number;
    let path: Vec<&str> = match error {
        BuildError::Name(_) => vec!["name"],
        BuildError::Attribute { .. } => vec!["entrypoint"],
        BuildError::Trigger(trigger) => {
            number = trigger.number.saturating_sub(1).to_string();
            let place = trigger.place.iter().map(String::as_str);
            ["triggers", &*number].into_iter().chain(place).collect()
        }
    };
    let reported = manifest.error(entry, &path, error.code(), &error.to_string());
    error.hint().into_iter().fold(reported, EntryError::hint)
}
