//! Flows of Prefect 1: found by having the user's Python run the files that may make some, and
//! completed in the plan with what Prefect 1 has no marks for.
//!
//! A flow of Prefect 1 is an object that a script makes, with all its tasks. What is registered is
//! its serialized form, which only Python can compute (docs/facts/prefect1.md).

use std::collections::{BTreeMap, HashMap};

use flowreg_git::TreeFiles;
use flowreg_model::{
    Engine, Entrypoint, Field, Flow, FlowName, FlowProblem, FlowSource, ProblemCode, Registration,
};
use flowreg_servers::Target;

use super::desired::{Builder, Gathered, Unbuilt, UnbuiltCause};
use super::error::ConfigurationError;
use super::starts::Start;
use super::{Referenced, RunError};
use crate::introspection::{
    Answers, AskError, BuildRefusal, BuiltFlow, Failure, IntrospectedScan, Limits, LoadedFile,
    Serialized, build,
};
use crate::registration::{Action, Change, CodeSource, Plan, Planned, Preparation, Refusal};
use crate::scan::{Prefect1Files, Scan, Selection, duplicates, prefect1_files};
use crate::settings::Introspect;
use crate::store::Store;

/// How large the answer about one file may be. It holds the tasks of each flow twice: as they are,
/// to be compared, and compressed, to be sent. The server takes 5 MB of the latter
/// (docs/facts/prefect1.md, "Errors").
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
    pub files: TreeFiles,
}

impl Referenced<'_> {
    /// Finds the flows in the tree by having Python run the files that may make some.
    fn build_flows(&self, preparation: &Preparation) -> Result<BuiltFlows, RunError> {
        let settings = &self.configured.settings;
        if settings.introspect == Introspect::Never {
            return Err(ConfigurationError::Prefect1NeverRun.into());
        }
        let selection = Selection::new(&settings.include, &settings.exclude)?;
        // Running a file has side effects, so without `include` only those are run that name both
        // Prefect and `Flow`. With it the user has said where flows are, and a file that makes them
        // with a helper of the repository's own is run, too.
        let is_included = !settings.include.is_empty();
        let Prefect1Files { candidates, files, problems } =
            prefect1_files(self.tree()?, &selection, is_included)?;
        let mut found = BuiltFlows { problems, files, ..BuiltFlows::default() };
        // Python with Prefect takes a second to start.
        if candidates.is_empty() {
            return Ok(found);
        }
        let surroundings = &self.opened().surroundings;
        let limits = Limits { answer_bytes: ANSWER_BYTES, ..Limits::default() };
        let answers = {
            // Ctrl-C would end the process at once and leave the checkout on the disk. So until it is
            // removed, only the work that is under way is told of it.
            let _handled = surroundings.interrupt.handle_for_now();
            let work = self.opened().work("building flows", candidates.len());
            build(&self.python_at("", limits), &preparation.options, &candidates, &work)
        };
        if surroundings.interrupt.is_requested() {
            return Err(RunError::Interrupted);
        }
        let Answers { python, files: answers, .. } = match answers {
            Ok(answers) => answers,
            Err(AskError::Unavailable(why)) => return Err(why.into()),
            Err(AskError::Interrupted) => return Err(RunError::Interrupted),
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

    /// The flows of Prefect 1 as they are listed.
    pub(super) fn prefect1_flows(&self) -> Result<IntrospectedScan, RunError> {
        let url = self.configured.repository_url()?;
        let preparation = self.preparation(&self.source(&url, None)?)?;
        let BuiltFlows { flows, problems, files, .. } = self.build_flows(&preparation)?;
        let scan = Scan { flows, problems, files, ..Scan::default() };
        Ok(IntrospectedScan { scan, ..IntrospectedScan::default() })
    }

    /// How flows are prepared, or what is wrong with the settings.
    fn preparation(&self, source: &CodeSource<'_>) -> Result<Preparation, ConfigurationError> {
        Ok(Preparation::new(&self.configured.settings, source)?)
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
        open_schema: None,
        inexact: Vec::new(),
        limits: Vec::new(),
        source: FlowSource::Introspected,
    }
}

/// A file that Prefect can't load, at the line where that shows.
fn unloadable(path: &str, failure: &Failure, python: &str) -> FlowProblem {
    let hint = failure.hint(python, None).map(|hint| format!("; {hint}")).unwrap_or_default();
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

impl Builder<'_> {
    /// Every flow of Prefect 1 that is asked for.
    pub(super) fn built_flows(&self, gathered: &mut Gathered) -> Result<(), RunError> {
        let preparation = self.referenced.preparation(&self.source)?;
        let found = std::thread::scope(|scope| {
            // Whether the project exists is asked while Python starts, which hides the request. The
            // answer is dropped here: the target keeps it for when the plan is completed, and an
            // error comes up again there. Without a thread it is simply asked later.
            let (target, project) = (self.target, preparation.project.as_str());
            let ask = move || drop(target.missing_projects(&[project]));
            let _ = std::thread::Builder::new().spawn_scoped(scope, ask);
            self.referenced.build_flows(&preparation)
        })?;
        let filter = &self.request.flows;
        gathered.notices.extend(self.unused_overrides(found.flows.iter()));
        gathered.problems = found.problems;
        gathered.files = Some(found.files);
        let selected = filter.select(found.flows)?;
        if filter.is_restricted() {
            gathered.keep_problems_of(&selected);
        }
        let mut by_entrypoint: HashMap<Entrypoint, BuiltFlow> = found
            .built
            .into_iter()
            .map(|(path, built)| (Entrypoint::new(&path, &built.object), built))
            .collect();
        // Of two flows with one name none is registered: the later would archive the earlier at
        // every run. They are among the problems.
        let mut count: BTreeMap<FlowName, usize> = BTreeMap::new();
        for flow in &selected {
            *count.entry(flow.name.clone()).or_default() += 1;
        }
        for flow in selected.iter().filter(|flow| count.get(&flow.name) == Some(&1)) {
            if let Some(mut built) = by_entrypoint.remove(&flow.entrypoint) {
                // Taken out and not copied, as a serialized flow can have megabytes.
                match std::mem::replace(&mut built.outcome, Err(no_refusal())) {
                    Ok(serialized) => {
                        self.add_built(gathered, &preparation, flow, &built, serialized)?;
                    }
                    Err(refused) => {
                        let project = preparation.project.as_str();
                        gathered.unbuilt.push(unserializable(&built, project, flow, refused));
                    }
                }
            }
        }
        Ok(())
    }

    fn add_built(
        &self,
        gathered: &mut Gathered,
        preparation: &Preparation,
        flow: &Flow,
        built: &BuiltFlow,
        serialized: Serialized,
    ) -> Result<(), RunError> {
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
            .registration(path, built, serialized, &self.referenced.reference)
            .map_err(ConfigurationError::from)?;
        let key = (registration.flow.to_string(), registration.deployment.to_string());
        gathered.starts.insert(key, Start::of_script(path));
        gathered.registrations.push(registration);
        Ok(())
    }
}

/// Stands in a flow whose serialized form was taken out of it; nobody reads it.
fn no_refusal() -> BuildRefusal {
    BuildRefusal { code: String::new(), message: String::new(), hint: None }
}

fn unserializable(built: &BuiltFlow, project: &str, flow: &Flow, refused: BuildRefusal) -> Unbuilt {
    let BuildRefusal { code, message, hint } = refused;
    Unbuilt {
        flow: built.name.clone(),
        deployment: project.to_owned(),
        entrypoint: flow.entrypoint.to_string(),
        code,
        cause: UnbuiltCause::Guard,
        place: None,
        message,
        hints: hint.into_iter().collect(),
    }
}

/// Completes the plan with what is special about Prefect 1: refuses flows whose project does not
/// exist and tags that moved, leaves out changes of marks, as Prefect 1 has no place for them, and
/// adds which version an update makes.
pub(super) fn complete_plan(
    plan: &mut Plan,
    referenced: &Referenced<'_>,
    target: &dyn Target,
) -> Result<(), RunError> {
    let registered = registered_tags(referenced, plan, target)?;
    let mut projects: Vec<&str> =
        plan.items.iter().map(|item| item.registration.deployment.as_str()).collect();
    projects.sort_unstable();
    projects.dedup();
    // A project is never made, as only people know its settings. Without this look the server would
    // refuse flow after flow.
    let missing = target.missing_projects(&projects)?;
    for item in &mut plan.items {
        // The marks are derived from the storage, so a change of theirs is in the storage already.
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
        // The general refusals speak of deployments and advise to rename them in `flowreg.toml`;
        // here it is a flow in a project.
        match &item.action {
            Action::Refuse(Refusal::NotOurs) => {
                item.action = Action::Refuse(Refusal::FlowOfOthers { project, owner: None });
            }
            Action::Refuse(Refusal::OtherRepository { owner }) => {
                let owner = Some(owner.clone());
                item.action = Action::Refuse(Refusal::FlowOfOthers { project, owner });
            }
            _ => add_version_change(item),
        }
    }
    Ok(())
}

/// Commits of tags that this clone registered at the target, by flow and project. The target itself
/// keeps only the name of a tag.
fn registered_tags(
    referenced: &Referenced<'_>,
    plan: &Plan,
    target: &dyn Target,
) -> Result<HashMap<(String, String, String), String>, RunError> {
    let is_held = |item: &Planned| tag_held(item).is_some();
    let common_dir = referenced.opened().repository.common_dir();
    // Opening the store would make it, and `plan` must not write anything.
    if !plan.items.iter().any(is_held) || !Store::exists(common_dir) {
        return Ok(HashMap::new());
    }
    let url = target.describe().url;
    // The ledger goes from old to new, so of several entries for one tag the last one counts.
    let entries = Store::open(common_dir)?.ledger()?;
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

fn add_version_change(item: &mut Planned) {
    let held = item.held.as_ref().and_then(|held| held.fields.get(Field::Version)?.as_u64());
    if let (Action::Update { .. }, Some(version)) = (&item.action, held) {
        let field = Field::Version.name().to_owned();
        let (from, to) = (version.into(), (version + 1).into());
        item.changes.insert(0, Change { field, from, to });
    }
}
