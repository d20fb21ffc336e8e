//! Flows of Prefect 1: found in the tree, built by the user's Python, and what becomes of them.

use std::collections::{BTreeMap, HashMap};

use super::Context;
use super::error::CommandError;
use super::gather::{Gathered, Run, unbuilt, unused_overrides};
use super::introspect::Watched;
use super::session::Session;
use super::starts::Start;
use crate::introspection::{
    Answers, AskError, BuiltFlow, Failure, Introspected, Limits, LoadedFile, Place, Refused,
    Serialized, build,
};
use crate::output::ItemReport;
use crate::registration::{
    Action, Change, Plan, Planned, Prefect1SettingsError, Preparation, Refusal, Source,
};
use crate::scan::{Prefect1Files, Scan, Selection, duplicates, prefect1_files};
use crate::settings::Introspect;
use crate::store::Store;
use flowreg_git::TreeBlob;
use flowreg_model::{
    CodeReference, Engine, Entrypoint, Flow, FlowName, FlowProblem, FlowSource, ProblemCode,
    Registration, TargetKind,
};
use flowreg_servers::Target;

/// The tasks of a large flow, twice: as they are and compressed.
const ANSWER_BYTES: u64 = 24 << 20;

/// The flows at a reference, as Python built them.
#[derive(Default)]
pub(super) struct BuiltFlows {
    /// With the paths of their files.
    pub built: Vec<(String, BuiltFlow)>,
    /// The same, as they are listed and selected.
    pub flows: Vec<Flow>,
    pub problems: Vec<FlowProblem>,
    /// The Python files of the tree.
    pub files: Vec<TreeBlob>,
}

impl Session {
    /// Whether flows are those of Prefect 1.
    pub(super) fn is_prefect1(&self) -> bool {
        self.target.kind() == TargetKind::Prefect1
    }

    /// Finds the flows in the tree at a commit by having Python run the files that may make some.
    pub(super) fn build_flows(
        &self,
        context: &Context,
        reference: &CodeReference,
        preparation: &Preparation,
    ) -> Result<BuiltFlows, CommandError> {
        if self.settings.introspect == Introspect::Never {
            return Err(CommandError::configuration(
                "flows of Prefect 1 are known only by running their files, which is not wanted"
                    .to_owned(),
                vec![
                    "register where `introspect` under [flows] is not \"never\", and not in a \
                      bare repository's hook"
                        .to_owned(),
                ],
            ));
        }
        let selection = Selection::new(&self.settings.include, &self.settings.exclude)?;
        let tree = self.repository.tree(&reference.commit)?;
        let is_told = !self.settings.include.is_empty();
        let Prefect1Files { candidates, files } = prefect1_files(&tree, &selection, is_told)?;
        let mut found = BuiltFlows { files, ..BuiltFlows::default() };
        if candidates.is_empty() {
            return Ok(found);
        }
        let place = Place {
            repository: &self.repository,
            commit: &reference.commit,
            root: "",
            python: self.settings.python.as_deref(),
            directory: &context.directory,
            environment: &context.environment,
            limits: Limits { answer_bytes: ANSWER_BYTES, ..Limits::default() },
        };
        let answers = {
            // The temporary directory has to go, also after Ctrl-C.
            let _expected = context.interrupt.expect_for_now();
            let watch = Watched::new(context, "building flows", candidates.len());
            build(&place, &preparation.options, &candidates, &watch)
        };
        if context.interrupt.is_requested() {
            return Err(CommandError::interrupted());
        }
        let Answers { python, files: answers, .. } = match answers {
            Ok(answers) => answers,
            Err(AskError::Unavailable(why)) => return Err(CommandError::python(why)),
            Err(AskError::Interrupted) => return Err(CommandError::interrupted()),
        };
        for (path, answer) in candidates.into_iter().zip(answers) {
            match answer {
                Ok(loaded) => found.add(&path, loaded),
                Err(failure) => found.problems.push(unloadable(&path, &failure, &python)),
            }
        }
        found.problems.extend(duplicates(&found.flows));
        found.problems.sort_by_cached_key(|problem| (problem.path.clone(), problem.line));
        Ok(found)
    }
}

impl BuiltFlows {
    fn add(&mut self, path: &str, loaded: LoadedFile) {
        for (name, line) in loaded.nested {
            self.problems.push(FlowProblem {
                path: path.to_owned(),
                line,
                column: 1,
                code: ProblemCode::Nested,
                message: format!(
                    "the flow `{name}` is made inside a function, where Prefect can't find it"
                ),
                excerpt: None,
            });
        }
        for built in loaded.built {
            match FlowName::of_prefect1(&built.flow_name) {
                Ok(name) => {
                    self.flows.push(flow(name, path, &built));
                    self.built.push((path.to_owned(), built));
                }
                Err(error) => self.problems.push(FlowProblem {
                    path: path.to_owned(),
                    line: built.line.unwrap_or(1),
                    column: 1,
                    code: ProblemCode::UnknownName,
                    message: error.to_string(),
                    excerpt: None,
                }),
            }
        }
    }
}

fn flow(name: FlowName, path: &str, built: &BuiltFlow) -> Flow {
    Flow {
        name,
        entrypoint: Entrypoint::new(path, &built.object),
        imported_from: None,
        line: built.line.unwrap_or(1),
        description: None,
        engine: Engine::Prefect1,
        parameter_openapi_schema: None,
        inexact: Vec::new(),
        limits: Vec::new(),
        source: FlowSource::Introspected,
    }
}

/// A file that Prefect can't load, at the line where that shows.
fn unloadable(path: &str, failure: &Failure, python: &str) -> FlowProblem {
    let hint = failure.hint(python).map(|hint| format!("; {hint}")).unwrap_or_default();
    let line = failure.place().and_then(|place| place.strip_prefix(path)?.strip_prefix(':'));
    FlowProblem {
        path: path.to_owned(),
        line: line.and_then(|line| line.parse().ok()).unwrap_or(1),
        column: 1,
        code: ProblemCode::LoadError,
        message: format!("Prefect can't load the file: {failure}{hint}"),
        excerpt: None,
    }
}

impl Run<'_> {
    /// Every flow of Prefect 1 that is asked for.
    pub(super) fn built_flows(&self) -> Result<Gathered, CommandError> {
        let preparation = preparation(self.session, &self.source)?;
        let found = std::thread::scope(|scope| {
            // Asked while Python starts; what comes of it is asked for later, and known then.
            let ask = || drop(self.target.missing_projects(&[preparation.project.as_str()]));
            let _ = std::thread::Builder::new().spawn_scoped(scope, ask);
            self.session.build_flows(self.context, self.reference, &preparation)
        })?;
        let arguments = &self.arguments.flows;
        let notices = unused_overrides(self.session, found.flows.iter());
        let mut gathered = Gathered {
            notices,
            problems: found.problems,
            files: Some(found.files),
            ..Gathered::default()
        };
        let selected = arguments.select(found.flows)?;
        if arguments.is_restricted() {
            let is_asked = |problem: &FlowProblem| {
                selected.iter().any(|flow| flow.entrypoint.path() == problem.path)
            };
            gathered.problems.retain(is_asked);
        }
        let mut by_entrypoint: HashMap<Entrypoint, BuiltFlow> = found
            .built
            .into_iter()
            .map(|(path, built)| (Entrypoint::new(&path, &built.object), built))
            .collect();
        let mut count: BTreeMap<FlowName, usize> = BTreeMap::new();
        for flow in &selected {
            *count.entry(flow.name.clone()).or_default() += 1;
        }
        for flow in selected.iter().filter(|flow| count.get(&flow.name) == Some(&1)) {
            if let Some(mut built) = by_entrypoint.remove(&flow.entrypoint) {
                match std::mem::replace(&mut built.outcome, Err(nothing())) {
                    Ok(serialized) => {
                        self.add_built(&mut gathered, &preparation, flow, &built, serialized)?;
                    }
                    Err(refused) => {
                        let project = preparation.project.as_str();
                        gathered.unbuilt.push(refused_report(&built, project, flow, refused));
                    }
                }
            }
        }
        Ok(gathered)
    }

    fn add_built(
        &self,
        gathered: &mut Gathered,
        preparation: &Preparation,
        flow: &Flow,
        built: &BuiltFlow,
        serialized: Serialized,
    ) -> Result<(), CommandError> {
        if !serialized.siblings.is_empty() {
            let modules = serialized.siblings.join("`, `");
            gathered.remarks.entry(flow.entrypoint.clone()).or_default().push(format!(
                "{}: {} imports `{modules}` from the repository, which a run from Git storage does \
                 not find; install it where flows run, or use `storage = \"docker\"`",
                flow.name,
                flow.entrypoint.path(),
            ));
        }
        let path = flow.entrypoint.path();
        let registration = preparation
            .registration(path, built, serialized, self.reference)
            .map_err(|error| CommandError::configuration(error.to_string(), Vec::new()))?;
        let key = (registration.flow.to_string(), registration.deployment.to_string());
        gathered.starts.insert(key, Start::of_script(path));
        gathered.registrations.push(registration);
        Ok(())
    }
}

/// What stands where something was taken.
fn nothing() -> Refused {
    Refused { code: String::new(), message: String::new(), hint: None }
}

fn refused_report(built: &BuiltFlow, project: &str, flow: &Flow, refused: Refused) -> ItemReport {
    let Refused { code, message, hint } = refused;
    let entrypoint = flow.entrypoint.to_string();
    unbuilt(&built.name, project, &entrypoint, &code, message, hint.into_iter().collect())
}

/// How flows are prepared, or what is wrong with the settings.
pub(super) fn preparation(
    session: &Session,
    source: &Source<'_>,
) -> Result<Preparation, CommandError> {
    Preparation::new(&session.settings, source).map_err(|error: Prefect1SettingsError| {
        let hint = error.hint().to_owned();
        CommandError::configuration(error.to_string(), vec![hint])
    })
}

/// Refuses what goes into a project that is not there, and a tag that moved; leaves out marks, which
/// Prefect 1 has none of, and says which version follows which.
pub(super) fn settle(
    plan: &mut Plan,
    session: &Session,
    target: &dyn Target,
) -> Result<(), CommandError> {
    let registered = registered(session, plan, target)?;
    let mut projects: Vec<&str> =
        plan.items.iter().map(|item| item.registration.deployment.as_str()).collect();
    projects.sort_unstable();
    projects.dedup();
    let missing = target.missing_projects(&projects)?;
    for item in &mut plan.items {
        item.changes.retain(|change| !change.is_mark());
        let project = item.registration.deployment.as_str();
        if missing.iter().any(|missing| missing == project) {
            let project = project.to_owned();
            item.action = Action::Refuse(Refusal::ProjectMissing { project });
            continue;
        }
        if let Some(refusal) = moved_tag(item, &registered) {
            item.action = Action::Refuse(refusal);
            item.changes.clear();
        }
        let project = project.to_owned();
        match &item.action {
            Action::Refuse(Refusal::NotOurs) => {
                item.action = Action::Refuse(Refusal::FlowOfOthers { project, owner: None });
            }
            Action::Refuse(Refusal::OtherRepository { owner }) => {
                let owner = Some(owner.clone());
                item.action = Action::Refuse(Refusal::FlowOfOthers { project, owner });
            }
            _ => tell_version(item),
        }
    }
    Ok(())
}

/// Commits of tags that this clone registered at the target, by flow and project. The target itself
/// keeps only the name of a tag.
fn registered(
    session: &Session,
    plan: &Plan,
    target: &dyn Target,
) -> Result<HashMap<(String, String, String), String>, CommandError> {
    let is_held = |item: &Planned| tag_held(item).is_some();
    if !plan.items.iter().any(is_held) || !Store::is_there(session.repository.common_dir()) {
        return Ok(HashMap::new());
    }
    let url = target.describe().url;
    let entries = Store::open(session.repository.common_dir())?.ledger()?;
    let tags = entries
        .into_iter()
        .filter(|entry| Some(&entry.target) == url.as_ref() && entry.kind == "tag");
    Ok(tags.map(|entry| ((entry.flow, entry.deployment, entry.reference), entry.commit)).collect())
}

/// The tag that the target holds, if it is the one that is to be registered.
fn tag_held(item: &Planned) -> Option<&str> {
    let held = item.held.as_ref()?.marks.as_ref()?.tag.as_deref()?;
    (Some(held) == item.registration.marks.tag.as_deref()).then_some(held)
}

fn moved_tag(
    item: &Planned,
    registered: &HashMap<(String, String, String), String>,
) -> Option<Refusal> {
    let tag = tag_held(item).filter(|_| !matches!(item.action, Action::Refuse(_)))?.to_owned();
    let Registration { flow, deployment, reference, .. } = &item.registration;
    let held = registered.get(&(flow.to_string(), deployment.to_string(), tag.clone()))?;
    let wanted = reference.commit.as_str();
    (held != wanted).then(|| Refusal::MovedTag {
        tag,
        held: held.clone(),
        wanted: wanted.to_owned(),
    })
}

fn tell_version(item: &mut Planned) {
    let held = item.held.as_ref().and_then(|held| held.fields.get("version")?.as_u64());
    if let (Action::Update { .. }, Some(version)) = (&item.action, held) {
        let field = "version".to_owned();
        let (from, to) = (version.into(), (version + 1).into());
        item.changes.insert(0, Change { field, from, to });
    }
}

/// The flows of Prefect 1 as `flowreg flows` lists them.
pub(super) fn listed(
    context: &Context,
    session: &Session,
    reference: &CodeReference,
) -> Result<Introspected, CommandError> {
    let repository = session.repository_url()?;
    let source = Source {
        reference,
        pinned: session.pinned(reference),
        repository: repository.as_str(),
        author: None,
    };
    let preparation = preparation(session, &source)?;
    let BuiltFlows { flows, problems, files, .. } =
        session.build_flows(context, reference, &preparation)?;
    let scan = Scan { flows, problems, files, ..Scan::default() };
    Ok(Introspected { scan, ..Introspected::default() })
}
