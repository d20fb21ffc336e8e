//! Decides which flows Python is asked about, and merges its answers into what static analysis found.

use std::collections::{BTreeMap, HashMap};

use super::ask::Answers;
use super::failure::{Failure, Unavailable};
use super::protocol::{IntrospectedFlow, LoadedFile, Question};
use crate::scan::{Scan, duplicates};
use crate::settings::Introspect;
use flowreg_model::{
    Engine, Entrypoint, Flow, FlowName, FlowProblem, FlowSource, Inexact, ProblemCode, json_equal,
};

/// Words in the reasons of static analysis for a value that is another one at every run, such as
/// `datetime.now()`. Python's answer about it is true only for the run that asked.
const MOMENTARY: &[&str] = &["it changes ", "different on every run"];
/// Words for a value that depends on the environment or the machine.
const CHANGING: &[&str] = &["it depends on ", "depends on where"];

/// How many files one notice names.
const LISTED: usize = 3;

/// A scan after Python was asked.
#[derive(Debug, Default)]
pub struct IntrospectedScan {
    /// The flows and problems.
    pub scan: Scan,
    /// What is worth knowing about the run.
    pub notices: Vec<String>,
    /// What is worth knowing about a flow once it is written somewhere.
    pub remarks: HashMap<Entrypoint, Vec<String>>,
    /// The parameters of a flow whose default is another one at every run.
    pub moments: HashMap<Entrypoint, Vec<String>>,
}

/// What Python has to be asked, one question for each file: about flows that static analysis could not
/// prove and that `is_wanted` selects, about files where not even the names of flows are known, and about
/// entrypoints of which it is not known whether they lead to flows.
pub fn questions(
    scan: &Scan,
    mode: Introspect,
    is_wanted: &dyn Fn(&Flow) -> bool,
) -> Vec<Question> {
    let mut questions: BTreeMap<&str, Question> = BTreeMap::new();
    if mode == Introspect::Never {
        return Vec::new();
    }
    for problem in scan.problems.iter().filter(|problem| is_unknown(problem)) {
        tracing::debug!(file = problem.path, reason = problem.message, "question for Python");
        questions.entry(&problem.path).or_insert_with(|| question(scan, &problem.path, true));
    }
    for flow in scan.flows.iter().filter(|flow| flow.engine == Engine::Prefect) {
        let path = flow.entrypoint.path();
        let is_asked = mode == Introspect::Always || !flow.is_exact();
        // Where Python has to look for flows itself, it is given all known ones of the file, so that
        // those that it finds besides can be told apart.
        if let Some(question) = questions.get_mut(path).filter(|question| question.discover) {
            question.objects.push(flow.entrypoint.object().to_owned());
        } else if is_asked && (is_wanted(flow) || is_name_uncertain(flow)) {
            log_question(flow);
            let question = questions.entry(path).or_insert_with(|| question(scan, path, false));
            question.objects.push(flow.entrypoint.object().to_owned());
        }
    }
    for at in &scan.unknown {
        let question =
            questions.entry(at.path()).or_insert_with(|| question(scan, at.path(), false));
        question.objects.push(at.object().to_owned());
    }
    // Who always asks wants to know what Python says today. And some answers hold for one run only.
    for question in questions.values_mut() {
        question.may_be_kept = mode == Introspect::Auto && !is_fleeting(scan, &question.path);
    }
    questions.into_values().collect()
}

/// Whether something in a file is another thing at every run, or on every machine.
fn is_fleeting(scan: &Scan, path: &str) -> bool {
    let is_it = |reason: &str| {
        reason.contains("depends on where the module runs")
            || MOMENTARY.iter().any(|words| reason.contains(words))
    };
    let flows = scan.flows.iter().filter(|flow| flow.entrypoint.path() == path);
    flows.flat_map(|flow| &flow.inexact).any(|inexact| is_it(&inexact.reason))
        || scan.problems.iter().any(|problem| problem.path == path && is_it(&problem.message))
}

/// Says in the debug log why Python is asked about a flow.
fn log_question(flow: &Flow) {
    if tracing::enabled!(tracing::Level::DEBUG) {
        let reasons: Vec<&str> = flow.inexact.iter().map(|one| one.reason.as_str()).collect();
        let reasons = if reasons.is_empty() {
            "introspect = \"always\"".to_owned()
        } else {
            reasons.join("; ")
        };
        tracing::debug!(entrypoint = %flow.entrypoint, reasons, "question for Python");
    }
}

fn question(scan: &Scan, path: &str, discover: bool) -> Question {
    // Only Python files are scanned: anything else is the name of a module.
    let is_module = path.strip_suffix(".py").is_none();
    let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let source_roots = scan.source_roots.directories(if is_module { "" } else { directory });
    Question {
        path: path.to_owned(),
        is_module,
        objects: Vec::new(),
        discover,
        source_roots,
        may_be_kept: true,
    }
}

fn is_unknown(problem: &FlowProblem) -> bool {
    problem.code == ProblemCode::UnknownName
}

fn is_name_uncertain(flow: &Flow) -> bool {
    flow.inexact.iter().any(|inexact| inexact.what == "name")
}

/// Merges the answers into the scan; `answers` has one for each question, in their order.
pub fn merge_answers(scan: Scan, questions: &[Question], answers: Answers) -> IntrospectedScan {
    let Answers { python, prefect, files } = answers;
    let mut merge = Merge {
        result: IntrospectedScan { scan, ..IntrospectedScan::default() },
        prefect,
        failures: Vec::new(),
    };
    for (question, answer) in questions.iter().zip(files) {
        match answer {
            Ok(loaded) => merge.loaded(question, loaded),
            Err(failure) => merge.failed(question, &failure),
        }
    }
    let mut result = merge.result;
    result.notices.extend(failure_notices(&merge.failures, &python, &result.scan));
    renew_imported(&mut result.scan);
    in_order(&mut result.scan);
    result
}

/// Adds to every flow that would have been asked about the reason why Python could not be asked.
pub fn note_unanswered(
    mut scan: Scan,
    questions: &[Question],
    why: &Unavailable,
) -> IntrospectedScan {
    let mut count = 0;
    for flow in scan.flows.iter_mut().filter(|flow| is_asked_about(flow, questions)) {
        flow.inexact.iter_mut().for_each(|inexact| {
            inexact.reason = format!("{}; Python could not be asked: {why}", inexact.reason);
        });
        count += usize::from(!flow.is_exact());
    }
    count += scan.problems.iter().filter(|problem| is_unknown(problem)).count();
    let what = match count {
        0 => "any flow".to_owned(),
        1 => "1 flow that is not exact".to_owned(),
        count => format!("{count} flows that are not exact"),
    };
    let hint = why.hint().map_or_else(String::new, |hint| format!("; {hint}"));
    let notice = format!("Python could not be asked about {what}: {why}{hint}");
    IntrospectedScan { scan, notices: vec![notice], ..IntrospectedScan::default() }
}

fn is_asked_about(flow: &Flow, questions: &[Question]) -> bool {
    questions.iter().any(|question| {
        question.path == flow.entrypoint.path()
            && question.objects.iter().any(|object| object == flow.entrypoint.object())
    })
}

/// A flow that other files import is listed once more for each of them: these entries get the answer
/// about the flow itself.
fn renew_imported(scan: &mut Scan) {
    for imported in &mut scan.imported {
        let own = scan
            .flows
            .iter()
            .find(|flow| Some(&flow.entrypoint) == imported.imported_from.as_ref());
        if let Some(flow) = own.filter(|flow| flow.source == FlowSource::Introspected) {
            let Flow { entrypoint, imported_from, line, .. } = imported.clone();
            *imported = Flow { entrypoint, imported_from, line, ..flow.clone() };
        }
    }
}

fn in_order(scan: &mut Scan) {
    // The answers may have given flows other names, so which of them share one is found out anew.
    scan.flows.sort_by_cached_key(|flow| (flow.entrypoint.path().to_owned(), flow.line));
    scan.problems.retain(|problem| problem.code != ProblemCode::Duplicate);
    let duplicates = duplicates(&scan.flows);
    scan.problems.extend(duplicates);
    let place = |problem: &FlowProblem| (problem.path.clone(), problem.line, problem.column);
    scan.problems.sort_by_cached_key(place);
}

struct Merge {
    result: IntrospectedScan,
    prefect: String,
    /// Where, and why.
    failures: Vec<(String, Failure)>,
}

impl Merge {
    fn loaded(&mut self, question: &Question, loaded: LoadedFile) {
        // "The name of this flow is not known" is solved by the answer, whatever flows it has.
        let unknown: Vec<FlowProblem> = if question.discover {
            self.result
                .scan
                .problems
                .extract_if(.., |problem| is_unknown(problem) && problem.path == question.path)
                .collect()
        } else {
            Vec::new()
        };
        let mut answered = Vec::new();
        for (object, answer) in loaded.flows {
            let entrypoint = Entrypoint::new(&question.path, &object);
            let known =
                self.result.scan.flows.iter().position(|flow| flow.entrypoint == entrypoint);
            let answer = answer.and_then(|answer| {
                let name: Result<FlowName, _> = answer.name.parse();
                name.map(|name| (name, answer))
                    .map_err(|error| Failure::BadName { message: error.to_string() })
            });
            match (known, answer) {
                (Some(at), Ok((name, answer))) => {
                    answered.push(entrypoint);
                    self.replace(at, name, answer);
                }
                (None, Ok((name, answer))) => {
                    answered.push(entrypoint.clone());
                    self.result.scan.flows.push(new_flow(entrypoint, name, answer, &unknown));
                }
                (Some(at), Err(failure)) if self.is_no_flow(at, &failure) => {
                    let flow = self.result.scan.flows.remove(at);
                    let problem = unloadable(&entrypoint, &failure, &unknown);
                    self.result.scan.problems.push(FlowProblem { line: flow.line, ..problem });
                }
                (Some(at), Err(failure)) => {
                    self.add_reason(at, &failure);
                    self.failures.push((entrypoint.to_string(), failure));
                }
                (None, Err(failure)) => {
                    self.result.scan.problems.push(unloadable(&entrypoint, &failure, &unknown));
                }
            }
        }
        self.remark(question, &answered, &unknown, loaded.names_paths);
    }

    /// Adds remarks where Python's answer holds only for this run or this machine.
    fn remark(
        &mut self,
        question: &Question,
        answered: &[Entrypoint],
        unknown: &[FlowProblem],
        names_paths: bool,
    ) {
        let mut remark = |flow: &Entrypoint, text: String| {
            self.result.remarks.entry(flow.clone()).or_default().push(text);
        };
        for flow in answered {
            let about_it = format!("`{}`", flow.object());
            for problem in unknown.iter().filter(|problem| {
                problem.message.contains(&about_it) && is_changing(&problem.message)
            }) {
                let FlowProblem { path, line, message, .. } = problem;
                remark(
                    flow,
                    format!("{path}:{line}: {message}; the answer of this run is registered"),
                );
            }
            if names_paths {
                let path = &question.path;
                remark(
                    flow,
                    format!(
                        "{path}: Python's answer holds the path of a directory on this machine"
                    ),
                );
            }
        }
    }

    fn replace(&mut self, at: usize, name: FlowName, answer: IntrospectedFlow) {
        let Some(flow) = self.result.scan.flows.get_mut(at) else { return };
        let changing = flow.inexact.iter().filter(|inexact| is_changing(&inexact.reason));
        for Inexact { what, reason } in changing {
            let momentary =
                momentary_default(reason).filter(|_| what == "parameter_openapi_schema");
            let then = match momentary {
                Some(_) => "it is registered once, as Python has it in that run",
                None => "the answer of this run is registered",
            };
            let remark = format!("{name}: {reason}; {then}");
            self.result.remarks.entry(flow.entrypoint.clone()).or_default().push(remark);
            let moments = self.result.moments.entry(flow.entrypoint.clone()).or_default();
            moments.extend(momentary.map(ToOwned::to_owned));
        }
        if flow.is_exact() {
            let differences = differences(flow, &name, &answer);
            if !differences.is_empty() {
                // Static analysis follows the rules of Prefect 3, so a difference is a bug of ours
                // only there; Prefect 2 words some schemas in another way.
                let please =
                    if self.prefect.starts_with("3.") { ", please report this" } else { "" };
                self.result.notices.push(format!(
                    "{}: Prefect {} and static analysis differ about {}; Prefect's answer is \
                     used{please}",
                    flow.entrypoint,
                    self.prefect,
                    differences.join(", ")
                ));
            }
        }
        // Prefect's answer wins even where static analysis was sure: it is Prefect that will run it.
        flow.name = name;
        flow.description = answer.description;
        flow.parameter_openapi_schema = Some(answer.schema);
        flow.inexact.clear();
        flow.limits.clear();
        flow.source = FlowSource::Introspected;
    }

    fn failed(&mut self, question: &Question, failure: &Failure) {
        for at in 0..self.result.scan.flows.len() {
            let asked = self.result.scan.flows.get(at);
            if asked.is_some_and(|flow| is_asked_about(flow, std::slice::from_ref(question))) {
                self.add_reason(at, failure);
            }
        }
        for problem in &mut self.result.scan.problems {
            if question.discover && is_unknown(problem) && problem.path == question.path {
                problem.message = format!("{}; nor could Python tell: {failure}", problem.message);
            }
        }
        self.failures.push((question.path.clone(), failure.clone()));
    }

    /// Whether Python says that what was only most likely a flow is none.
    fn is_no_flow(&self, at: usize, failure: &Failure) -> bool {
        matches!(failure, Failure::NotFound | Failure::NotAFlow)
            && self.result.scan.flows.get(at).is_some_and(is_name_uncertain)
    }

    /// Keeps a flow as static analysis has it, and adds why Python could not do better.
    fn add_reason(&mut self, at: usize, failure: &Failure) {
        let Some(flow) = self.result.scan.flows.get_mut(at) else { return };
        for inexact in &mut flow.inexact {
            inexact.reason = format!("{}; nor could Python tell: {failure}", inexact.reason);
        }
    }
}

fn is_changing(reason: &str) -> bool {
    MOMENTARY.iter().chain(CHANGING).any(|words| reason.contains(words))
}

/// The parameter whose default is one of the moment, as static analysis names it.
fn momentary_default(reason: &str) -> Option<&str> {
    let (parameter, why) = reason.strip_prefix("the default of `")?.split_once('`')?;
    MOMENTARY.iter().any(|words| why.contains(words)).then_some(parameter)
}

/// A flow that static analysis did not know to be there.
fn new_flow(
    entrypoint: Entrypoint,
    name: FlowName,
    answer: IntrospectedFlow,
    unknown: &[FlowProblem],
) -> Flow {
    Flow {
        name,
        line: answer.line.or_else(|| unknown.first().map(|problem| problem.line)).unwrap_or(1),
        entrypoint,
        imported_from: None,
        description: answer.description,
        engine: Engine::Prefect,
        parameter_openapi_schema: Some(answer.schema),
        open_schema: None,
        inexact: Vec::new(),
        limits: Vec::new(),
        source: FlowSource::Introspected,
    }
}

fn unloadable(entrypoint: &Entrypoint, failure: &Failure, unknown: &[FlowProblem]) -> FlowProblem {
    let place = unknown.first();
    FlowProblem {
        path: entrypoint.path().to_owned(),
        line: place.map_or(1, |problem| problem.line),
        column: place.map_or(1, |problem| problem.column),
        code: ProblemCode::UnknownName,
        message: format!("Python can't tell what `{}` is: {failure}", entrypoint.object()),
        excerpt: None,
    }
}

fn differences(flow: &Flow, name: &FlowName, answer: &IntrospectedFlow) -> Vec<String> {
    let mut differences = Vec::new();
    if flow.name != *name {
        differences.push(format!("the name (`{name}`, not `{}`)", flow.name));
    }
    if flow.description != answer.description {
        differences.push("the description".to_owned());
    }
    let schema = flow.parameter_openapi_schema.clone().unwrap_or_default();
    if !json_equal(&schema, &answer.schema) {
        differences.push("the parameters".to_owned());
    }
    differences
}

/// One notice for each kind of failure, because one missing module may concern many files.
fn failure_notices(failures: &[(String, Failure)], python: &str, scan: &Scan) -> Vec<String> {
    let mut kinds: Vec<(&Failure, Vec<&str>)> = Vec::new();
    for (place, failure) in failures {
        match kinds.iter_mut().find(|(kind, _)| is_one_cause(kind, failure)) {
            Some((_, places)) => places.push(place),
            None => kinds.push((failure, vec![place])),
        }
    }
    kinds
        .into_iter()
        .map(|(failure, places)| {
            let more = places.len().saturating_sub(LISTED);
            let listed: Vec<&str> = places.into_iter().take(LISTED).collect();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            let own = match failure {
                Failure::MissingModule { module, .. } => scan.directory_of(module),
                _ => None,
            };
            let hint = failure.hint(python, own.as_deref());
            let hint = hint.map_or_else(String::new, |hint| format!("; {hint}"));
            format!("{}{more}: Python could not tell: {failure}{hint}", listed.join(", "))
        })
        .collect()
}

fn is_one_cause(one: &Failure, other: &Failure) -> bool {
    match (one, other) {
        (
            Failure::MissingModule { module: one, .. },
            Failure::MissingModule { module: other, .. },
        ) => one == other,
        _ => one == other,
    }
}
