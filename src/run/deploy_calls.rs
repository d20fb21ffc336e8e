//! The deployments that Python declares by itself (`flow.deploy()`, `flow.serve()`,
//! `flow.to_deployment()`): registered like those of `prefect.yaml`, told, or left alone, as
//! `[flows] deploy_calls` says.
//!
//! What a call says is read by the analyser; here is decided whose it is and what becomes of it. How
//! the rest is told stands in `told_calls`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use flowreg_git::RepositoryUrl;
use flowreg_model::{
    CallArguments, CallObstacle, Channel, DeployCall, DeployMethod, DeployedCode, Entrypoint, Flow,
    normalized_path,
};
use serde_json::{Value, json};

use super::desired::{Builder, FieldOrigins, Gathered, Unbuilt, UnbuiltCause};
use super::request::Notice;
use super::selection::{DeclaredNames, SelectedDeployments};
use super::starts::Start;
use super::told_calls::ToldCall;
use super::{FlowFilter, RunError};
use crate::manifest::{CalledDeployment, pull};
use crate::registration::Declaration;
use crate::scan::Scan;
use crate::settings::DeployCalls;

/// Places of declarations, by flow and deployment.
pub(super) type DeclarationLines = HashMap<(String, String), Vec<String>>;

/// A deployment that a call declares, on its way to a registration.
pub(super) struct CalledDraft {
    call: DeployCall,
    flow: Flow,
    /// The deployment's name.
    name: String,
    declared: CalledDeployment,
}

impl CalledDraft {
    /// The names of the flow and of the deployment.
    pub(super) fn names(&self) -> (&str, &str) {
        (self.flow.name.as_str(), &self.name)
    }

    fn key(&self) -> (String, String) {
        (self.flow.name.to_string(), self.name.clone())
    }
}

/// What becomes of the calls of a tree.
#[derive(Default)]
pub(super) struct CalledDeployments {
    /// Those that are registered.
    pub drafts: Vec<CalledDraft>,
    /// The flows whose deployments are declared by calls, also by calls that can't be read.
    pub claimed: BTreeSet<Entrypoint>,
    /// The calls that can't be read.
    unbuilt: Vec<Unbuilt>,
    notices: Vec<Notice>,
    /// The calls that are only told.
    pub told: Vec<ToldCall>,
}

/// What is found where a call says that its flow is.
enum CalledFlow<'s> {
    Found(&'s Flow),
    /// Nothing, at these entrypoints.
    Missing(Vec<Entrypoint>),
    /// Several flows, and which is meant depends on where the script is run.
    Several,
    /// It is in another repository.
    Elsewhere(String),
    /// The call does not say where.
    Unknown,
}

impl Builder<'_> {
    /// Sorts the calls of a scan of the whole tree by what becomes of them.
    pub(super) fn called(&self, scan: &Scan) -> CalledDeployments {
        let mut called = CalledDeployments::default();
        match self.referenced.configured.settings.deploy_calls {
            DeployCalls::Ignore => {}
            DeployCalls::Tell => called.told = self.told(scan),
            DeployCalls::Read => {
                scan.deploy_calls.iter().for_each(|call| self.read(call, scan, &mut called));
            }
        }
        called
    }

    /// The calls of a scan that are told if nothing else becomes of them.
    pub(super) fn told(&self, scan: &Scan) -> Vec<ToldCall> {
        let told = scan.deploy_calls.iter().filter_map(|call| {
            let flow = match self.called_flow(call, scan) {
                CalledFlow::Found(flow) => Some(flow.name.to_string()),
                CalledFlow::Elsewhere(_) => return None,
                _ => call.flow.clone(),
            };
            Some(ToldCall { flow, call: call.clone() })
        });
        told.collect()
    }

    fn read(&self, call: &DeployCall, scan: &Scan, called: &mut CalledDeployments) {
        let found = self.called_flow(call, scan);
        let shown = shown(call);
        if let CalledFlow::Elsewhere(url) = &found {
            called.notices.push(Notice::from(format!(
                "{} deploys a flow of {url}: it is left to Python",
                line(call)
            )));
            return;
        }
        let arguments = match &call.declared {
            CallArguments::Known(arguments) => arguments,
            CallArguments::Unreadable(obstacle) => {
                if let CalledFlow::Found(flow) = &found {
                    called.claimed.insert(flow.entrypoint.clone());
                }
                let message = format!("{shown} can't be read: {}", reason(obstacle));
                called.unbuilt.push(unbuilt(call, &found, message));
                return;
            }
            CallArguments::NotFollowed => {
                called
                    .notices
                    .push(not_registered(call, "where it is not followed whether it runs"));
                return;
            }
            CallArguments::OnlyMade => {
                called
                    .notices
                    .push(not_registered(call, "and nothing that is followed deploys it"));
                return;
            }
        };
        let flow = match &found {
            CalledFlow::Found(flow) => *flow,
            CalledFlow::Missing(entrypoints) => {
                let at: Vec<String> = entrypoints.iter().map(|one| format!("`{one}`")).collect();
                let commit = self.referenced.reference.commit.short();
                let message = format!("{shown}: there is no flow {} at {commit}", at.join(" or "));
                called.unbuilt.push(unbuilt(call, &found, message));
                return;
            }
            CalledFlow::Several => {
                let message = format!(
                    "{shown}: which flow is meant depends on the directory in which the script is \
                     run"
                );
                called.unbuilt.push(unbuilt(call, &found, message));
                return;
            }
            CalledFlow::Unknown | CalledFlow::Elsewhere(_) => {
                let message = format!("{shown}: it is not known which flow it is");
                called.unbuilt.push(unbuilt(call, &found, message));
                return;
            }
        };
        called.claimed.insert(flow.entrypoint.clone());
        if call.flow.as_ref().is_some_and(|name| *name != flow.name.as_str()) {
            let message = format!(
                "{shown}, and a run that loads `{}` finds the flow `{}`",
                flow.entrypoint, flow.name
            );
            called.unbuilt.push(unbuilt(call, &found, message));
            return;
        }
        let declared = match CalledDeployment::of(arguments) {
            Ok(declared) => declared,
            Err(error) => {
                called.unbuilt.push(unbuilt(call, &found, format!("{shown}: {error}")));
                return;
            }
        };
        let name = arguments.get("name").and_then(Value::as_str);
        let name = name.unwrap_or(flow.name.as_str()).to_owned();
        let full_name = format!("{}/{name}", flow.name);
        called.notices.extend(differences(call, &full_name));
        if declared.lacks_version && self.referenced.reference.channel == Channel::Feature {
            let text = "the version that the call gives is not known: the name of the branch is \
                        registered as its version";
            called.notices.push(about(call, &full_name, text));
        }
        let (call, flow) = (call.clone(), flow.clone());
        called.drafts.push(CalledDraft { call, flow, name, declared });
    }

    /// The flow that a call deploys.
    fn called_flow<'s>(&self, call: &DeployCall, scan: &'s Scan) -> CalledFlow<'s> {
        let below = |directory: &str, entrypoint: &str| {
            let entrypoint: Entrypoint = entrypoint.parse().ok()?;
            let path = join(directory, entrypoint.path())?;
            Some(Entrypoint::new(path, entrypoint.object()))
        };
        let own = call.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let entrypoints: Vec<Option<Entrypoint>> = match &call.code {
            DeployedCode::Here(entrypoint) => vec![Some(entrypoint.clone())],
            DeployedCode::Directory(Some(directory), entrypoint) => {
                vec![below(directory, entrypoint)]
            }
            // Whoever runs the script is most likely in the root or in its own directory.
            DeployedCode::Directory(None, entrypoint) => {
                vec![below("", entrypoint), below(own, entrypoint)]
            }
            DeployedCode::Repository { url, entrypoint, .. } if self.identity.is(url) => {
                vec![below("", entrypoint)]
            }
            DeployedCode::Repository { url, .. } => {
                let url = RepositoryUrl::new(url, Path::new("/"));
                return CalledFlow::Elsewhere(url.as_str().to_owned());
            }
            DeployedCode::Unknown => return CalledFlow::Unknown,
        };
        let entrypoints: BTreeSet<Entrypoint> = entrypoints.into_iter().flatten().collect();
        let found = entrypoints.iter().filter_map(|entrypoint| flow_at(entrypoint, scan));
        let mut found: Vec<&Flow> = found.collect();
        found.dedup_by_key(|flow| &flow.entrypoint);
        match found[..] {
            [] => CalledFlow::Missing(entrypoints.into_iter().collect()),
            [flow] => CalledFlow::Found(flow),
            _ => CalledFlow::Several,
        }
    }

    /// Adds what calls declare. `lines` are the places of all declarations, also of those that were
    /// not asked for.
    pub(super) fn add_called(
        &self,
        gathered: &mut Gathered,
        called: CalledDeployments,
        lines: &DeclarationLines,
    ) -> Result<(), RunError> {
        let CalledDeployments { drafts, unbuilt, notices, .. } = called;
        gathered.notices.extend(notices);
        gathered.unbuilt.extend(unbuilt);
        for draft in drafts {
            if let Some(lines) = lines.get(&draft.key()).filter(|lines| lines.len() > 1) {
                gathered.unbuilt.push(declared_twice(&draft, lines));
                continue;
            }
            self.add_draft(gathered, draft)?;
        }
        Ok(())
    }

    fn add_draft(&self, gathered: &mut Gathered, draft: CalledDraft) -> Result<(), RunError> {
        let CalledDraft { call, mut flow, name, declared } = draft;
        let (origin, place) = (line(&call), place(&call));
        let fields = declared.fields.iter().map(|(field, _)| field.name());
        let fields: Vec<String> = fields.chain(["entrypoint"]).map(str::to_owned).collect();
        let of_fields = |text: &str| -> BTreeMap<String, String> {
            fields.iter().map(|field| (field.clone(), text.to_owned())).collect()
        };
        let access = self.referenced.configured.settings.repository.access.as_ref();
        let explained = FieldOrigins {
            secrets: declared.secrets,
            declared_at: Some(place.clone()),
            places: of_fields(&place),
            ..FieldOrigins::default()
        };
        let start = Start::called(flow.entrypoint.path(), &call.path);
        let source = self.source_of(start.file());
        let declaration = Declaration {
            name: name.clone(),
            entrypoint: flow.entrypoint.to_string(),
            fields: declared.fields,
            pull_steps: vec![json!(pull::step(&source.git_clone(access)))],
            origins: of_fields(&origin),
        };
        if let Err(error) = self.add(gathered, &mut flow, start, Some(declaration), explained)? {
            let hint = error.hint().unwrap_or("give the deployment another name".to_owned());
            let cause = match UnbuiltCause::of(&error) {
                UnbuiltCause::Guard => UnbuiltCause::Guard,
                _ => UnbuiltCause::Source,
            };
            gathered.unbuilt.push(Unbuilt {
                flow: flow.name.to_string(),
                deployment: name,
                entrypoint: flow.entrypoint.to_string(),
                code: error.code().to_owned(),
                cause,
                place: Some(place),
                message: error.to_string(),
                hints: vec![hint],
            });
        }
        Ok(())
    }
}

impl CalledDeployments {
    /// Leaves the deployments and flows that are asked for, and gives the flows.
    pub(super) fn select(
        &mut self,
        flows: Vec<Flow>,
        filter: &FlowFilter,
    ) -> Result<Vec<Flow>, RunError> {
        if self.claimed.is_empty() || !filter.is_restricted() {
            return Ok(filter.select(flows)?);
        }
        // A flow whose deployments are all unreadable is there under its name.
        let has_draft =
            |flow: &Flow| self.drafts.iter().any(|one| one.flow.entrypoint == flow.entrypoint);
        let without: Vec<&Flow> = flows.iter().filter(|flow| !has_draft(flow)).collect();
        let of_flows = without.iter().map(|flow| (flow.name.as_str(), ""));
        let names: Vec<(&str, &str)> =
            of_flows.chain(self.drafts.iter().map(CalledDraft::names)).collect();
        let failed: Vec<(&str, &str)> =
            self.unbuilt.iter().map(|one| (one.flow.as_str(), one.deployment.as_str())).collect();
        let declared = DeclaredNames { built: names, failed, is_incomplete: false };
        let SelectedDeployments { built, failed } = filter.select_deployments(&declared)?;
        let (of_flows, of_drafts) = built.split_at(without.len().min(built.len()));
        let mut chosen: BTreeSet<Entrypoint> = without
            .iter()
            .zip(of_flows)
            .filter(|(_, is_selected)| **is_selected)
            .map(|(flow, _)| flow.entrypoint.clone())
            .collect();
        let of_drafts = of_drafts.to_vec();
        self.keep_drafts(&of_drafts);
        chosen.extend(self.drafts.iter().map(|draft| draft.flow.entrypoint.clone()));
        let flows: Vec<Flow> =
            flows.into_iter().filter(|flow| chosen.contains(&flow.entrypoint)).collect();
        // What is wrong with deployments that were not asked for must not fail the run.
        let mut is_asked_for = failed.into_iter();
        self.unbuilt.retain(|one| {
            let is_named = is_asked_for.next() == Some(true);
            is_named || flows.iter().any(|flow| flow.name.as_str() == one.flow)
        });
        Ok(flows)
    }

    /// Leaves the drafts that are asked for.
    pub(super) fn keep_drafts(&mut self, is_selected: &[bool]) {
        let mut is_selected = is_selected.iter();
        self.drafts.retain(|_| is_selected.next() == Some(&true));
    }

    /// Takes out the calls that can't be read.
    pub(super) fn take_unbuilt(&mut self) -> Vec<Unbuilt> {
        std::mem::take(&mut self.unbuilt)
    }

    /// Leaves the deployments of these flows.
    pub(super) fn keep_flows(&mut self, flows: &[Flow]) {
        self.drafts
            .retain(|draft| flows.iter().any(|flow| flow.entrypoint == draft.flow.entrypoint));
    }
}

/// The flow at an entrypoint, by its own file if others import it.
fn flow_at<'s>(entrypoint: &Entrypoint, scan: &'s Scan) -> Option<&'s Flow> {
    let own = |wanted: &Entrypoint| scan.flows.iter().find(|flow| flow.entrypoint == *wanted);
    own(entrypoint).or_else(|| {
        let imported = scan.imported.iter().find(|flow| flow.entrypoint == *entrypoint)?;
        own(imported.imported_from.as_ref()?)
    })
}

/// The places of declarations, with those of the drafts among them.
pub(super) fn with_calls(lines: &DeclarationLines, drafts: &[CalledDraft]) -> DeclarationLines {
    let mut lines = lines.clone();
    for draft in drafts {
        lines.entry(draft.key()).or_default().push(line(&draft.call));
    }
    lines
}

/// A path below a directory; `None` if it leads out of the repository.
fn join(directory: &str, path: &str) -> Option<String> {
    normalized_path(&format!("{directory}/{path}"))
}

/// `flows/etl.py:40`
pub(super) fn line(call: &DeployCall) -> String {
    format!("{}:{}", call.path, call.line)
}

fn place(call: &DeployCall) -> String {
    format!("{}:{}:{}", call.path, call.line, call.column)
}

/// `deploys \`etl/nightly\``, as far as it is known.
pub(super) fn deploys(call: &DeployCall) -> String {
    let verb = match call.method {
        DeployMethod::Deploy => "deploys",
        DeployMethod::Serve => "serves",
        DeployMethod::ToDeployment => "declares",
    };
    match (&call.flow, &call.deployment) {
        (Some(flow), Some(name)) => format!("{verb} `{flow}/{name}`"),
        (Some(flow), None) => format!("{verb} the flow `{flow}` under a name that is not known"),
        (None, Some(name)) => format!("{verb} `{name}` of a flow"),
        (None, None) => format!("{verb} a flow"),
    }
}

fn not_registered(call: &DeployCall, why: &str) -> Notice {
    Notice::from(format!("{} {} {why}: it is not registered", line(call), deploys(call)))
}

fn shown(call: &DeployCall) -> String {
    let name = call.deployment.as_ref().map_or_else(String::new, |name| format!(" of `{name}`"));
    format!("the call `{}()`{name}", call.method.name())
}

fn reason(obstacle: &CallObstacle) -> String {
    match &obstacle.place {
        Some(place) => format!("{} ({place})", obstacle.reason),
        None => obstacle.reason.clone(),
    }
}

/// What is registered otherwise than the call says.
fn differences(call: &DeployCall, name: &str) -> Option<Notice> {
    let DeployedCode::Repository { reference: Some(reference), .. } = &call.code else {
        return None;
    };
    let text = format!(
        "the call names `{reference}` of this repository: what is registered runs at the code \
         reference instead"
    );
    Some(about(call, name, &text))
}

fn about(call: &DeployCall, name: &str, text: &str) -> Notice {
    let deployment = Some(name.to_owned());
    Notice { place: Some(place(call)), deployment, ..Notice::from(text.to_owned()) }
}

fn unbuilt(call: &DeployCall, found: &CalledFlow<'_>, message: String) -> Unbuilt {
    let (flow, entrypoint) = match found {
        CalledFlow::Found(flow) => (Some(flow.name.to_string()), flow.entrypoint.to_string()),
        // The flow was not found, so its name is not known; the function's is the best guess.
        CalledFlow::Missing(entrypoints) => {
            let first = entrypoints.first();
            let object = first.map(|entrypoint| entrypoint.object().to_owned());
            (object, first.map(ToString::to_string).unwrap_or_default())
        }
        _ => (None, call.path.clone()),
    };
    Unbuilt {
        flow: flow.or_else(|| call.flow.clone()).unwrap_or_default(),
        deployment: call.deployment.clone().unwrap_or_default(),
        entrypoint,
        code: "deploy_call".to_owned(),
        cause: UnbuiltCause::Source,
        place: Some(place(call)),
        message,
        hints: vec![
            "declare the deployment in prefect.yaml, or write what the call is given as literals"
                .to_owned(),
            "to leave such calls to Python: [flows] deploy_calls = \"tell\" in flowreg.toml"
                .to_owned(),
        ],
    }
}

fn declared_twice(draft: &CalledDraft, lines: &[String]) -> Unbuilt {
    Unbuilt {
        flow: draft.flow.name.to_string(),
        deployment: draft.name.clone(),
        entrypoint: draft.flow.entrypoint.to_string(),
        code: "duplicate".to_owned(),
        cause: UnbuiltCause::Configuration,
        place: Some(place(&draft.call)),
        message: format!("the deployment is declared more than once: {}", lines.join(", ")),
        hints: vec!["give each deployment of a flow a name of its own".to_owned()],
    }
}
