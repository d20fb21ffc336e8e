//! What is to be registered: the deployments of `prefect.yaml`, or without one every flow.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Context;
use super::arguments::RunArguments;
use super::error::CommandError;
use super::session::Session;
use super::starts::{Start, Starts};
use crate::introspection::IntrospectedScan;
use crate::output::{ErrorReport, ItemReport};
use crate::registration::{Declaration, Source, build};
use crate::scan::Scan;
use flowreg_git::TreeBlob;
use flowreg_model::{
    CodeReference, Entrypoint, Flow, FlowName, FlowProblem, Inexact, Registration, nearest,
};
use flowreg_servers::Target;

/// A run so far.
pub(super) struct Run<'r> {
    pub context: &'r Context,
    pub session: &'r Session,
    pub reference: &'r CodeReference,
    pub source: Source<'r>,
    pub target: &'r dyn Target,
    pub arguments: &'r RunArguments,
}

/// What is to be registered, and what can't be.
#[derive(Default)]
pub(super) struct Gathered {
    pub registrations: Vec<Registration>,
    /// What can't become a registration, with the reason.
    pub unbuilt: Vec<ItemReport>,
    /// What is wrong with the sources.
    pub problems: Vec<FlowProblem>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
    /// What is worth knowing about a flow once it is written.
    pub remarks: HashMap<Entrypoint, Vec<String>>,
    /// The parameters of a flow whose default is another one at every run.
    pub moments: HashMap<Entrypoint, Vec<String>>,
    /// What is not exact about flows.
    pub inexact: HashMap<FlowName, Vec<Inexact>>,
    /// Where fields come from, and which must not be shown.
    pub explained: Explained,
    /// Where the runs of registrations start.
    pub starts: Starts,
    /// The Python files of the tree, if they were listed.
    pub files: Option<Vec<TreeBlob>>,
}

/// What is known of the fields of registrations, by flow and deployment.
#[derive(Default)]
pub(super) struct Explained(pub HashMap<(String, String), Explanation>);

/// What is known of the fields of one registration.
#[derive(Default)]
pub(super) struct Explanation {
    /// Why a field is ours, by path.
    pub origins: BTreeMap<String, String>,
    /// Paths of values that hold a secret.
    pub secrets: BTreeSet<String>,
}

impl Run<'_> {
    /// Every flow, with one deployment as `flowreg.toml` says.
    pub(super) fn every_flow(&self) -> Result<Gathered, CommandError> {
        let flows = &self.arguments.flows;
        let IntrospectedScan { scan, notices, remarks, moments } =
            self.session.flows(self.context, self.reference, flows)?;
        let Scan { flows: found, problems, files, .. } = scan;
        let files = Some(files);
        let mut gathered = Gathered { notices, remarks, moments, files, ..Gathered::default() };
        gathered.notices.extend(unused_overrides(self.session, found.iter()));
        let selected = flows.select(found)?;
        gathered.problems = problems;
        if flows.is_restricted() {
            // Only the problems of the files that hold those flows count.
            gathered.problems.retain(|problem| {
                selected.iter().any(|flow| flow.entrypoint.path() == problem.path)
            });
        }
        for flow in unique(selected) {
            let start = Start::of_script(flow.entrypoint.path());
            self.add(&mut gathered, (flow, start), None, BTreeSet::new())?;
        }
        Ok(gathered)
    }

    /// Builds one registration.
    pub(super) fn add(
        &self,
        gathered: &mut Gathered,
        (mut flow, start): (Flow, Start),
        declaration: Option<Declaration>,
        secrets: BTreeSet<String>,
    ) -> Result<(), CommandError> {
        if !flow.limits.is_empty()
            && let Some(version) = self.target.version()?.and_then(|version| version.parse().ok())
        {
            flow.settle(&version);
        }
        let name = declaration.as_ref().map(|declaration| declaration.name.clone());
        match build(&flow, declaration, &self.source, &self.session.settings) {
            Ok(built) => {
                let registration = built.registration;
                let key = (registration.flow.to_string(), registration.deployment.to_string());
                let explanation = Explanation { origins: built.origins, secrets };
                gathered.starts.insert(key.clone(), start);
                gathered.explained.0.insert(key, explanation);
                gathered.registrations.push(registration);
            }
            Err(error) => {
                let hint = match name {
                    Some(_) => "change the deployment in prefect.yaml",
                    None => "change `deployment` of this flow in flowreg.toml",
                };
                gathered.unbuilt.push(unbuilt(
                    flow.name.as_str(),
                    name.as_deref().unwrap_or_default(),
                    &flow.entrypoint.to_string(),
                    error.code(),
                    error.to_string(),
                    vec![hint.to_owned()],
                ));
            }
        }
        if !flow.is_exact() {
            gathered.inexact.insert(flow.name, flow.inexact);
        }
        Ok(())
    }
}

/// A deployment that can't become a registration.
pub(super) fn unbuilt(
    flow: &str,
    deployment: &str,
    entrypoint: &str,
    code: &str,
    message: String,
    hints: Vec<String>,
) -> ItemReport {
    ItemReport {
        flow: flow.to_owned(),
        deployment: deployment.to_owned(),
        entrypoint: entrypoint.to_owned(),
        action: "refuse",
        outcome: None,
        id: None,
        changes: Vec::new(),
        error: Some(ErrorReport { code: code.to_owned(), message, causes: Vec::new(), hints }),
    }
}

/// An override for a flow that is not there is most often a spelling mistake.
pub(super) fn unused_overrides<'f>(
    session: &Session,
    flows: impl Iterator<Item = &'f Flow>,
) -> Vec<String> {
    let names: BTreeSet<&str> = flows.map(|flow| flow.name.as_str()).collect();
    let names: Vec<&str> = names.into_iter().collect();
    session
        .settings
        .flow_names()
        .filter(|name| !names.contains(name))
        .map(|unused| {
            let hint = nearest(unused, &names)
                .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
            format!("[flow.\"{unused}\"] is the name of no flow{hint}")
        })
        .collect()
}

/// The flows whose name no other flow has; the others are in the problems.
fn unique(mut flows: Vec<Flow>) -> Vec<Flow> {
    let mut count = HashMap::new();
    for flow in &flows {
        *count.entry(flow.name.clone()).or_insert(0_usize) += 1;
    }
    flows.retain(|flow| count.get(&flow.name) == Some(&1));
    flows
}
