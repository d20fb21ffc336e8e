//! The third stage: what should be registered. These are the deployments that `prefect.yaml`
//! declares; where it declares none, one deployment for every flow.
//!
//! The target is opened here and asked only for what templates need; what it holds is read by the
//! next stage.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use flowreg_git::{RepositoryIdentity, RepositoryUrl, TreeFiles};
use flowreg_model::{
    CommitId, Entrypoint, Field, Flow, FlowName, FlowProblem, Inexact, ProblemCode, Registration,
    nearest,
};
use flowreg_servers::Target;

use super::deploy_calls::{DeclarationLines, with_calls};
use super::error::ConfigurationError;
use super::manifests::Manifests;
use super::packages::PackageFiles;
use super::pulled::ServerVersion;
use super::request::{Notice, RunRequest};
use super::starts::{Start, Starts};
use super::told_calls::ToldCall;
use super::{Compared, Opened, Referenced, RunError, tag_rules};
use crate::introspection::IntrospectedScan;
use crate::manifest::pull;
use crate::registration::{BuildError, CodeSource, Declaration, Refusal, build, check_object};
use crate::scan::Scan;

/// The third stage: what should be registered.
pub struct Desired<'r> {
    pub(super) referenced: Referenced<'r>,
    pub(super) request: &'r RunRequest,
    /// The target that will hold it.
    pub target: Box<dyn Target>,
    /// The URL that workers clone from.
    pub repository_url: RepositoryUrl,
    pub(super) manifests: Manifests,
    /// The revision of `--changed-since` and its commit.
    pub(super) base: Option<(&'r str, CommitId)>,
    pub(super) gathered: Gathered,
}

/// What is needed to build registrations, whether from `prefect.yaml`, from the flows themselves or
/// from flows of Prefect 1.
pub(super) struct Builder<'b> {
    pub(super) referenced: &'b Referenced<'b>,
    pub(super) request: &'b RunRequest,
    /// What all registrations have in common.
    pub(super) source: CodeSource<'b>,
    /// Which of them are registered at which reference.
    pub(super) packages: &'b PackageFiles<'b>,
    pub(super) identity: &'b RepositoryIdentity,
    pub(super) target: &'b dyn Target,
    pub(super) server: ServerVersion,
}

/// What is to be registered, and what can't be.
#[derive(Default)]
pub(super) struct Gathered {
    pub(super) registrations: Vec<Registration>,
    /// What can't become a registration.
    pub(super) unbuilt: Vec<Unbuilt>,
    /// What is wrong with the sources.
    pub(super) problems: Vec<FlowProblem>,
    /// What is worth knowing and stops nothing.
    pub(super) notices: Vec<Notice>,
    /// What is worth knowing about a flow if it is written in this run.
    pub(super) remarks: HashMap<Entrypoint, Vec<String>>,
    /// The parameters of each flow whose default is computed anew at every run (`date.today()`).
    pub(super) moments: HashMap<Entrypoint, Vec<String>>,
    /// What is not exact about flows.
    pub(super) inexact: HashMap<FlowName, Vec<Inexact>>,
    /// Where fields come from, and which must not be shown.
    pub(super) explained: Explained,
    /// Where the runs of registrations start.
    pub(super) starts: Starts,
    /// The Python files of the tree, if they were listed.
    pub(super) files: Option<TreeFiles>,
    /// What Python deploys by itself, and is not registered for it.
    pub(super) told: Vec<ToldCall>,
    /// How many registrations take no part, as they belong to other packages.
    pub(super) left_out: usize,
}

/// Why a deployment can't become a registration: who has to change something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnbuiltCause {
    /// Its declaration is wrong: `prefect.yaml`, `flowreg.toml`.
    Configuration,
    /// The source of its flow is wrong.
    Source,
    /// A rule forbids it that an option or the target may lift.
    Guard,
}

impl UnbuiltCause {
    /// Of what can't be built.
    pub(super) fn of(error: &BuildError) -> Self {
        if error.is_of_version() { Self::Guard } else { Self::Configuration }
    }
}

/// A deployment that can't become a registration, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unbuilt {
    /// The flow's name, or the best guess at it.
    pub flow: String,
    /// The deployment's name; empty if that is not known.
    pub deployment: String,
    /// As it was written.
    pub entrypoint: String,
    /// A word that does not change.
    pub code: String,
    /// Who has to change something.
    pub cause: UnbuiltCause,
    /// Where it is wrong, `prefect.yaml:12:5`, if that is a place in a file.
    pub place: Option<String>,
    /// Why.
    pub message: String,
    /// What to do.
    pub hints: Vec<String>,
}

impl Unbuilt {
    /// Place and message.
    pub(super) fn text(&self) -> String {
        match &self.place {
            Some(place) => format!("{place}: {}", self.message),
            None => self.message.clone(),
        }
    }
}

/// The error of a target that can't be read, behind the mistakes that were found before it was asked.
pub(super) fn first_of(mistakes: Vec<String>, error: RunError) -> RunError {
    match error {
        RunError::Target(target) if !mistakes.is_empty() => {
            ConfigurationError::Declarations { mistakes, target }.into()
        }
        error => error,
    }
}

/// Whether a declaration is wrong, so that the same run fails again until somebody edits a file.
pub(super) fn is_misconfigured<'r>(
    unbuilt: &[Unbuilt],
    problems: &[FlowProblem],
    mut refusals: impl Iterator<Item = &'r Refusal>,
) -> bool {
    unbuilt.iter().any(|one| one.cause == UnbuiltCause::Configuration)
        || problems.iter().any(|problem| problem.code == ProblemCode::Manifest)
        || refusals.any(Refusal::is_mistake)
}

/// What is known of the fields of registrations, by flow and deployment.
#[derive(Debug, Default)]
pub struct Explained(HashMap<(String, String), FieldOrigins>);

/// What is known of the fields of one registration.
#[derive(Debug, Default)]
pub struct FieldOrigins {
    /// Why a field is ours, by path.
    pub origins: BTreeMap<String, String>,
    /// Paths of values that hold a secret.
    pub secrets: BTreeSet<String>,
    /// Where `prefect.yaml` declares the deployment: `prefect.yaml:12:5`.
    pub declared_at: Option<String>,
    /// Where it declares fields.
    pub places: BTreeMap<String, String>,
}

impl FieldOrigins {
    /// Where a field is declared, or the deployment as a whole.
    pub fn place(&self, field: Option<Field<'_>>) -> Option<&str> {
        let of_field = field.and_then(|field| {
            let origin = self.origins.get(field.name())?;
            // `flowreg.toml` may have declared it anew.
            let is_here = |place: &&String| place.starts_with(&format!("{origin}:"));
            Some(self.places.get(field.name()).filter(is_here).unwrap_or(origin))
        });
        of_field.or(self.declared_at.as_ref()).map(String::as_str)
    }
}

impl Explained {
    /// What is known of the fields of a registration.
    pub fn of(&self, registration: &Registration) -> Option<&FieldOrigins> {
        let Registration { flow, deployment, .. } = registration;
        self.0.get(&(flow.to_string(), deployment.to_string()))
    }
}

impl<'r> Desired<'r> {
    /// Finds out what should be registered, and opens the target that will hold it.
    pub(super) fn of(
        referenced: Referenced<'r>,
        request: &'r RunRequest,
    ) -> Result<Self, RunError> {
        let opened = referenced.opened();
        let mut gathered = Gathered::default();
        let desired = Self::gather(referenced, request, &mut gathered);
        opened.observer.noticed(&gathered.notices);
        Ok(Self { gathered, ..desired? })
    }

    /// Gathers what should be registered; also what was gathered before an error.
    fn gather(
        referenced: Referenced<'r>,
        request: &'r RunRequest,
        gathered: &mut Gathered,
    ) -> Result<Self, RunError> {
        // What can refuse the whole run comes first: the scan of the tree, Python and the target
        // cost seconds, and a tag that may not be registered is known at once.
        gathered.notices.extend(tag_rules::check(&referenced)?.map(Notice::from));
        let base = referenced.base(request.changed_since.as_ref())?;
        let repository_url = referenced.configured.repository_url()?;
        gathered.notices.extend(referenced.circumstances(&repository_url)?);
        let author = referenced.opened().repository.author();
        let target = referenced.configured.connect(request.jobs)?;
        let packages = referenced.package_files()?;
        let builder = Builder {
            referenced: &referenced,
            request,
            packages: &packages,
            source: referenced.source(&repository_url, author.as_deref())?,
            identity: referenced.configured.identity()?,
            target: target.as_ref(),
            server: ServerVersion::default(),
        };
        builder.check_commit_pin()?;
        let manifests = referenced.manifests()?;
        // Prefect 1 has no `prefect.yaml`: one that lies in the repository is for another target.
        if referenced.configured.is_prefect1() {
            builder.built_flows(gathered)?;
        } else if manifests.declare_deployments() {
            builder.declared(&manifests, gathered)?;
        } else {
            gathered.notices.extend(manifests.silent_about_deployments());
            builder.every_flow(gathered)?;
        }
        if !referenced.configured.is_prefect1() {
            let unread = referenced.unread_manifests(&manifests, gathered.files.as_ref())?;
            gathered.notices.extend(unread);
        }
        packages.restrict(gathered, &request.flows)?;
        gathered.tell_deploy_calls(&referenced.reference, &request.flows);
        let gathered = Gathered::default();
        Ok(Self { referenced, request, target, repository_url, manifests, base, gathered })
    }

    /// Asks the target what it holds, and leaves out what takes no part.
    ///
    /// # Errors
    /// [`RunError`] if the target can't be read, or the history since a revision can't be.
    pub fn compare(self) -> Result<Compared<'r>, RunError> {
        let mistakes = self.gathered.mistakes();
        Compared::of(self).map_err(|error| first_of(mistakes, error))
    }

    /// What should be registered.
    pub fn registrations(&self) -> &[Registration] {
        &self.gathered.registrations
    }

    pub(super) fn opened(&self) -> &'r Opened<'r> {
        self.referenced.opened()
    }
}

impl Builder<'_> {
    /// Every flow, with one deployment as `flowreg.toml` says.
    fn every_flow(&self, gathered: &mut Gathered) -> Result<(), RunError> {
        let filter = &self.request.flows;
        let access = self.referenced.configured.settings.repository.access.as_ref();
        if pull::submodules_at_commit(&self.source.git_clone(access)).is_some() {
            return Err(ConfigurationError::SubmodulesAtCommit.into());
        }
        let IntrospectedScan { scan, notices, remarks, moments } =
            self.referenced.introspected_flows(filter)?;
        let mut called = self.called(&scan);
        let lines = with_calls(&DeclarationLines::new(), &called.drafts);
        let Scan { flows, problems, files, .. } = scan;
        gathered.notices.extend(notices.into_iter().map(Notice::from));
        (gathered.remarks, gathered.moments) = (remarks, moments);
        gathered.files = Some(files);
        gathered.told = std::mem::take(&mut called.told);
        // Before the selection: an override for a flow that was not asked for is not misspelt.
        gathered.notices.extend(self.unused_overrides(flows.iter()));
        let selected = called.select(flows, filter)?;
        gathered.problems = problems;
        if filter.is_restricted() {
            gathered.keep_problems_of(&selected);
        }
        let selected = unique(selected);
        called.keep_flows(&selected);
        let is_free = |flow: &Flow| !called.claimed.contains(&flow.entrypoint);
        for mut flow in selected.into_iter().filter(is_free) {
            let start = Start::of_script(flow.entrypoint.path());
            let explained = FieldOrigins::default();
            if let Err(error) = self.add(gathered, &mut flow, start, None, explained)? {
                let hint = error
                    .hint()
                    .unwrap_or("change `deployment` of this flow in flowreg.toml".to_owned());
                gathered.unbuilt.push(Unbuilt {
                    flow: flow.name.to_string(),
                    deployment: String::new(),
                    code: error.code().to_owned(),
                    cause: UnbuiltCause::of(&error),
                    place: Some(format!("{}:{}:1", flow.entrypoint.path(), flow.line)),
                    message: error.to_string(),
                    hints: vec![hint],
                    entrypoint: flow.entrypoint.to_string(),
                });
            }
        }
        self.add_called(gathered, called, &lines)
    }

    /// The source of what starts in a file.
    pub(super) fn source_of(&self, file: &str) -> CodeSource<'_> {
        // What belongs to no package is left out in the end.
        let reference = self.packages.reference_of(file).unwrap_or(self.source.reference);
        CodeSource { reference, ..self.source }
    }

    /// Builds one registration. The outer error ends the run, the inner one is this registration's;
    /// where it lies in a file is for the caller to say.
    pub(super) fn add(
        &self,
        gathered: &mut Gathered,
        flow: &mut Flow,
        start: Start,
        declaration: Option<Declaration>,
        explained: FieldOrigins,
    ) -> Result<Result<(), BuildError>, RunError> {
        // Some annotations have another schema in each version of pydantic or Prefect. The server's
        // version is asked for only where it matters, as it costs a request.
        if !flow.limits.is_empty()
            && let Some(version) = self.server_version()?
        {
            flow.resolve_for(version);
        }
        let entrypoint = declaration
            .as_ref()
            .map_or_else(|| flow.entrypoint.to_string(), |declared| declared.entrypoint.clone());
        if let Some((_, object)) = entrypoint.rsplit_once(':')
            && object.contains('.')
            && let Some(version) = self.server_version()?
            && let Err(error) = check_object(object, version)
        {
            return Ok(Err(error));
        }
        let settings = &self.referenced.configured.settings;
        let source = self.source_of(start.file());
        let built = build(flow, declaration, &source, settings).map(|built| {
            let registration = built.registration;
            let key = (registration.flow.to_string(), registration.deployment.to_string());
            let explained = FieldOrigins { origins: built.origins, ..explained };
            gathered.starts.insert(key.clone(), start);
            gathered.explained.0.insert(key, explained);
            gathered.registrations.push(registration);
        });
        if !flow.is_exact() {
            gathered.inexact.insert(flow.name.clone(), std::mem::take(&mut flow.inexact));
        }
        Ok(built)
    }

    /// Tells of tables `[flow."NAME"]` that belong to no flow: most often the name is misspelt.
    pub(super) fn unused_overrides<'f>(
        &self,
        flows: impl Iterator<Item = &'f Flow>,
    ) -> Vec<Notice> {
        let names: BTreeSet<&str> = flows.map(|flow| flow.name.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let overrides = self.referenced.configured.settings.flow_names();
        overrides
            .filter(|name| !names.contains(name))
            .map(|unused| {
                let hint = nearest(unused, &names)
                    .map_or_else(String::new, |near| format!("; did you mean `{near}`?"));
                Notice::from(format!("[flow.\"{unused}\"] is the name of no flow{hint}"))
            })
            .collect()
    }
}

impl Gathered {
    /// What is wrong with declarations, each with its place.
    pub(super) fn mistakes(&self) -> Vec<String> {
        let is_mistake = |one: &&Unbuilt| one.cause == UnbuiltCause::Configuration;
        let of_files = self.problems.iter().filter(|one| one.code == ProblemCode::Manifest);
        let of_files = of_files
            .map(|one| format!("{}:{}:{}: {}", one.path, one.line, one.column, one.message));
        of_files.chain(self.unbuilt.iter().filter(is_mistake).map(Unbuilt::text)).collect()
    }

    /// Where only some flows are asked for, only the problems of their files count.
    pub(super) fn keep_problems_of(&mut self, flows: &[Flow]) {
        self.problems
            .retain(|problem| flows.iter().any(|flow| flow.entrypoint.path() == problem.path));
    }
}

/// The flows whose name no other flow has. Of two flows with one name none is registered, as each
/// would overwrite the other; the scan reports them as problems.
fn unique(mut flows: Vec<Flow>) -> Vec<Flow> {
    let mut count = HashMap::new();
    for flow in &flows {
        *count.entry(flow.name.clone()).or_insert(0_usize) += 1;
    }
    flows.retain(|flow| count.get(&flow.name) == Some(&1));
    flows
}
