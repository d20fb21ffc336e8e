//! From the names of a module to flows: which there are, under which attribute path Prefect can load
//! each, and what it would register for it (docs/facts/python.md, "What counts as a flow").

use std::rc::Rc;

use ruff_python_ast::Stmt;
use ruff_text_size::{Ranged, TextSize};

use super::FileAnalysis;
use super::docstring;
use super::interpreter::bound::BoundNames;
use super::interpreter::{Evaluated, Interpreter, Raised, nested, signatures};
use super::probable;
use super::problem::Problems;
use super::schema::NoSchema;
use super::schema::parameters::{Failure, ParameterSchema, parameters};
use super::schema::versions::Difference;
use super::source::line;
use super::value::{Class, FlowObject, Function, Location, Scope, Unknown, Value, keyword};
use flowreg_model::{
    Engine, Entrypoint, Flow, FlowName, FlowProblem, Inexact, OpenSchema, ProblemCode,
};

/// Characters that Prefect allows in no flow name (docs/facts/python.md, "Names").
const FORBIDDEN: &[char] = &['/', '%', '&', '>', '<'];

/// A flow and the attribute path by which Prefect can load it from the script.
pub(super) struct NamedFlow<'a> {
    pub path: String,
    pub flow: Rc<FlowObject<'a>>,
}

/// A name whose value is not known and is probably a flow, because of how it is made.
pub(super) struct ProbableFlow {
    pub path: String,
    pub unknown: Rc<Unknown>,
}

/// An exception that defining a flow raises: the whole file can't be loaded then.
pub(super) struct DefinitionError {
    kind: String,
    message: String,
    at: Location,
}

impl DefinitionError {
    /// The same as the exception that ends the script.
    pub(super) fn raised(self) -> Raised {
        let DefinitionError { kind, message, at } = self;
        Raised { kind, message, at, through: None, object: None }
    }
}

/// The outcome of a step that Prefect may refuse.
pub(super) type Checked<T> = Result<T, DefinitionError>;

/// The flows of a script after it ran, and its problems.
pub(crate) fn collect<'a>(
    interpreter: &Interpreter<'a>,
    body: &'a [Stmt],
    outcome: Evaluated<()>,
    problems: &Problems<'_>,
) -> FileAnalysis {
    let mut analysis = FileAnalysis::default();
    let (found, probable) = match interpreter.script() {
        Some(script) => names(&script.scope),
        None => (Vec::new(), Vec::new()),
    };
    for (name, at) in nested::nested_flows(interpreter, body) {
        // A nested flow that a factory returned under some name is reported as that flow, not as
        // one that is out of reach.
        let is_made = |found: &NamedFlow<'a>| {
            function(&found.flow).is_some_and(|function| {
                function.scope.module.number == 0 && function.range.contains(at)
            })
        };
        if !found.iter().any(is_made) {
            let message = format!(
                "the flow `{name}` is defined inside a function; Prefect can't load it by name"
            );
            analysis.problems.push(problems.at(ProblemCode::Nested, at.to_usize(), message));
        }
    }
    // Nothing can be loaded from a script that raises. It is a problem of this run only if the
    // script seems to have flows: any other file is no concern of a registration.
    if let Err(raised) = outcome {
        if !found.is_empty() || !probable.is_empty() || has_flows(body) {
            analysis.problems.push(load_error(interpreter, problems, &raised));
        }
        return analysis;
    }
    if !found.is_empty() || !probable.is_empty() {
        analysis.problems.extend(broken_links(interpreter, problems));
    }
    probable::add(interpreter, body, probable, &found, problems, &mut analysis);
    for found in found {
        match flow(interpreter, body, &found, problems) {
            Ok(Ok(flow)) => analysis.flows.push(flow),
            Ok(Err(unknown)) => {
                let message =
                    format!("the name of the flow `{}` is not known: {}", found.path, unknown.why);
                analysis.problems.push(problem(
                    interpreter,
                    problems,
                    ProblemCode::UnknownName,
                    (unknown.at, binding(body, &found.path)),
                    message,
                ));
            }
            // One flow that Prefect refuses keeps the whole file from being loaded, so the flows
            // found before it are none.
            Err(refused) => {
                analysis.flows.clear();
                analysis.problems.retain(|problem| problem.code == ProblemCode::Nested);
                let raised = refused.raised();
                analysis.problems.push(load_error(interpreter, problems, &raised));
                return analysis;
            }
        }
    }
    dynamic_names(interpreter, problems, &mut analysis);
    analysis.flows.sort_by_key(|flow| flow.line);
    analysis
}

/// The imports of the script that meet a symbolic link which can't be followed.
pub(super) fn broken_links(
    interpreter: &Interpreter<'_>,
    problems: &Problems<'_>,
) -> Vec<FlowProblem> {
    let mut found: Vec<FlowProblem> = Vec::new();
    for (at, message) in interpreter.broken_links.take() {
        let problem = problem(interpreter, problems, ProblemCode::Link, (at, None), message);
        if !found.contains(&problem) {
            found.push(problem);
        }
    }
    found
}

/// The problem that importing the script raises: at the line that raises, or where the script imports
/// or calls the module that has this line.
pub(super) fn load_error(
    interpreter: &Interpreter<'_>,
    problems: &Problems<'_>,
    raised: &Raised,
) -> FlowProblem {
    let message = format!("importing the module raises {}: {}", raised.kind, raised.message);
    let fallback = raised.through.map(|site| site.at);
    problem(interpreter, problems, ProblemCode::LoadError, (raised.at, fallback), message)
}

/// A problem at a place of the script; a place in another module is named in the message.
pub(super) fn problem(
    interpreter: &Interpreter<'_>,
    problems: &Problems<'_>,
    code: ProblemCode,
    (place, fallback): (Location, Option<TextSize>),
    message: String,
) -> FlowProblem {
    if place.module == 0 {
        return problems.at(code, place.at.to_usize(), message);
    }
    let message = format!("{message} ({})", interpreter.position(place));
    problems.at(code, fallback.unwrap_or_default().to_usize(), message)
}

/// A module that binds names through strings may have flows that are not seen.
fn dynamic_names(
    interpreter: &Interpreter<'_>,
    problems: &Problems<'_>,
    analysis: &mut FileAnalysis,
) {
    let Some(effects) = interpreter.script().map(|script| &script.module.effects) else { return };
    if let (true, Some((function, at))) = (effects.is_dynamic_at_import, effects.dynamic)
        && effects.imports_prefect
    {
        let message =
            format!("flows that `{function}()` makes are not seen without running the module");
        let at = at.to_usize();
        analysis.problems.push(problems.at(ProblemCode::UnknownName, at, message));
    }
}

/// The statement that binds the first part of an attribute path, the last one if there are more.
pub(super) fn binding(body: &[Stmt], path: &str) -> Option<TextSize> {
    let name = path.split('.').next().unwrap_or(path);
    let binds = |statement: &&Stmt| {
        BoundNames::of(std::slice::from_ref(*statement))
            .names
            .iter()
            .any(|(bound, _)| *bound == name)
    };
    body.iter().rev().find(binds).map(Ranged::start)
}

/// Whether anything at the top of the module, or in its classes, is decorated like a flow.
fn has_flows(body: &[Stmt]) -> bool {
    body.iter().any(|statement| match statement {
        Stmt::FunctionDef(function) => function
            .decorator_list
            .iter()
            .any(|decorator| nested::is_flow_spelling(&decorator.expression)),
        Stmt::ClassDef(class) => has_flows(&class.body),
        Stmt::If(branch) => {
            has_flows(&branch.body)
                || branch.elif_else_clauses.iter().any(|clause| has_flows(&clause.body))
        }
        Stmt::Try(attempt) => has_flows(&attempt.body) || has_flows(&attempt.orelse),
        Stmt::With(with) => has_flows(&with.body),
        _ => false,
    })
}

/// The flows that names of a module lead to, each once, by its own name if there is one.
pub(super) fn names<'a>(scope: &Scope<'a>) -> (Vec<NamedFlow<'a>>, Vec<ProbableFlow>) {
    let mut found: Vec<NamedFlow<'a>> = Vec::new();
    let mut probable = Vec::new();
    let mut classes: Vec<Rc<Class<'a>>> = Vec::new();
    let mut open: Vec<(String, Value<'a>)> = scope
        .names
        .borrow()
        .iter()
        .filter(|(_, value)| may_lead_to_flow(value))
        .map(|(name, value)| (name.to_string(), value.clone()))
        .collect();
    // `open` is a stack, so that attributes of a class come right after it and before later names:
    // the order of the source.
    open.reverse();
    while let Some((path, value)) = open.pop() {
        match value {
            Value::Wrapped(inner, _) => open.push((path, (*inner).clone())),
            Value::Flow(flow) => {
                // Several names may lead to one flow. It is registered once, by the name of its
                // function if that is among them, else by the name that was bound first.
                match found.iter_mut().find(|known| Rc::ptr_eq(&known.flow, &flow)) {
                    Some(known)
                        if is_own_name(&path, &flow) && !is_own_name(&known.path, &flow) =>
                    {
                        known.path = path;
                    }
                    Some(_) => {}
                    None => found.push(NamedFlow { path, flow }),
                }
            }
            Value::Unknown(unknown) if unknown.is_flow_like => {
                probable.push(ProbableFlow { path, unknown });
            }
            Value::Class(class)
                // Only classes under their own name, defined in this module, and each once: an
                // alias or an import of a class would list its flows again.
                if *class.qualname == *path
                    && class.scope.module.number == scope.module.number
                    && !classes.iter().any(|known| Rc::ptr_eq(known, &class)) =>
            {
                let names = class.scope.names.borrow();
                let first = open.len();
                for (name, value) in names.iter().filter(|(_, value)| may_lead_to_flow(value)) {
                    open.push((format!("{path}.{name}"), value.clone()));
                }
                drop(names);
                open.get_mut(first..).unwrap_or_default().reverse();
                classes.push(class);
            }
            _ => {}
        }
    }
    (found, probable)
}

fn may_lead_to_flow(value: &Value<'_>) -> bool {
    match value {
        Value::Wrapped(..) | Value::Flow(_) | Value::Class(_) => true,
        Value::Unknown(unknown) => unknown.is_flow_like,
        _ => false,
    }
}

fn is_own_name(path: &str, flow: &FlowObject<'_>) -> bool {
    function(flow).is_some_and(|function| path.rsplit('.').next() == Some(&*function.name))
}

/// The function of a flow, if it is one of this file.
pub(super) fn function<'a>(flow: &FlowObject<'a>) -> Option<Rc<Function<'a>>> {
    let mut value = flow.function.clone();
    while let Value::Wrapped(inner, _) = &value {
        value = (**inner).clone();
    }
    match value {
        Value::Function(function) => Some(function),
        _ => None,
    }
}

/// What Prefect would register for one flow. Three outcomes: a flow, perhaps with reasons why it is
/// not exact; the reason why not even its name is known; or the exception that Prefect raises.
pub(super) fn flow<'a>(
    interpreter: &Interpreter<'a>,
    body: &'a [Stmt],
    found: &NamedFlow<'a>,
    problems: &Problems<'_>,
) -> Checked<Result<Flow, Rc<Unknown>>> {
    let NamedFlow { path, flow } = found;
    let function = function(flow);
    let decorator = function
        .as_ref()
        .filter(|function| function.scope.module.number == 0)
        .filter(|function| is_own_name(path, flow) || function.range.contains(flow.at.at))
        .and_then(|function| function.definition)
        .and_then(|definition| definition.decorator_list.first())
        .map(Ranged::start);
    // The line that a person looks for: the decorator of a function of this file, else the call
    // that made the flow, else the statement that binds the name.
    let at = match decorator {
        Some(at) => at,
        None if flow.at.module == 0 => flow.at.at,
        None => binding(body, path).unwrap_or_default(),
    };
    let name = match flow_name(flow, function.as_deref())? {
        Ok(name) => name,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let mut inexact = Vec::new();
    let reason = |what: &str, subject: &str, unknown: &Unknown| Inexact {
        what: what.to_owned(),
        reason: format!(
            "{subject} is not known: {} ({})",
            unknown.why,
            interpreter.position(unknown.at)
        ),
    };
    // Filed under the name, because even which flow the name stands for is not certain then.
    if let Some(reason_for_all) = interpreter.why_inexact() {
        inexact.push(reason("name", "what the module binds", &reason_for_all));
    }
    if let Some(lost) = why_lost(flow, function.as_deref()) {
        inexact.push(reason("name", "the name", &lost));
        inexact.push(reason("description", "the description", &lost));
    }
    let described = match interpreter.why_unsure() {
        Some(unsure) => Err(unsure),
        None => description(flow, function.as_deref()),
    };
    let description = match described {
        Ok(description) => description,
        Err(unknown) => {
            inexact.push(reason("description", "the description", &unknown));
            None
        }
    };
    let mut limits = Vec::new();
    // `@flow` above `@classmethod` can't be loaded by Prefect 3.1 and older.
    let is_over_a_method = matches!(flow.function, Value::Wrapped(..));
    let (mut schema_known, mut open_schema) = (None, None);
    let doubt = match schema(interpreter, flow, function.as_deref()) {
        Ok(ParameterSchema { schema, limits: found, doubt }) => {
            limits = found;
            if is_over_a_method {
                limits.push(Difference::Loader.of_schema(None));
            }
            match doubt {
                None => {
                    schema_known = Some(schema);
                    None
                }
                Some((failure, open)) => {
                    open_schema = Some(OpenSchema { schema, open });
                    Some(failure)
                }
            }
        }
        Err(failure) => Some(failure),
    };
    if let Some(Failure { part, reason: why }) = doubt {
        match why {
            NoSchema::Raises(kind, message) => {
                return Err(DefinitionError {
                    kind: kind.to_owned(),
                    message,
                    at: interpreter.here(),
                });
            }
            NoSchema::Unknown(unknown) => {
                inexact.push(reason("parameter_openapi_schema", &part, &unknown));
            }
            NoSchema::Unconstrained | NoSchema::Callable => {
                let unknown = unknown("it has no schema", interpreter.here());
                inexact.push(reason("parameter_openapi_schema", &part, &unknown));
            }
        }
    }
    let Ok(name) = name.parse::<FlowName>() else {
        let message = format!("'{name}' can't be the name of a flow");
        return Err(DefinitionError { kind: "InvalidNameError".to_owned(), message, at: flow.at });
    };
    Ok(Ok(Flow {
        name,
        entrypoint: Entrypoint::new(problems.path, path.as_str()),
        imported_from: origin(interpreter, flow),
        line: line(problems.text, at),
        description,
        engine: Engine::Prefect,
        parameter_openapi_schema: schema_known,
        open_schema,
        inexact,
        limits,
        source: flowreg_model::FlowSource::Static,
    }))
}

/// Where a flow comes from that this script only imports: the module that defines it, if it can be
/// loaded there by name, else another module that has it under a name.
pub(super) fn origin<'a>(
    interpreter: &Interpreter<'a>,
    flow: &Rc<FlowObject<'a>>,
) -> Option<Entrypoint> {
    let script = &interpreter.script()?.module;
    let mut others = interpreter.imported();
    // A package's `__init__.py` that is the script may have been imported once more.
    others.retain(|imported| imported.module.path != script.path);
    others.sort_by_key(|imported| imported.module.number != flow.at.module);
    others.iter().find_map(|imported| {
        let (found, _) = names(&imported.scope);
        let found = found.into_iter().find(|found| Rc::ptr_eq(&found.flow, flow))?;
        Some(Entrypoint::new(&*imported.module.path, found.path.as_str()))
    })
}

/// An option of a flow; `None` if it is not given or counts as false.
///
/// # Errors
/// The reason why it is not known, also if it may be among keywords that are not known.
pub(super) fn option<'a>(
    flow: &FlowObject<'a>,
    name: &str,
) -> Result<Option<Value<'a>>, Rc<Unknown>> {
    let options = flow.options.borrow();
    // An unpacked dictionary that is not known may hold the option.
    match keyword(&options, name).or_else(|| keyword(&options, "**")) {
        None => Ok(None),
        Some(value) => match value.find_unknown(flow.at) {
            Some(unknown) => Err(unknown),
            // Prefect writes `name or …` and `description or …`: an empty text counts as not given.
            None if Interpreter::truth(value) == Some(false) => Ok(None),
            None => Ok(Some(value.clone())),
        },
    }
}

/// Why nothing of a flow is certain, if code that is not followed may have set its attributes.
pub(super) fn why_lost(
    flow: &FlowObject<'_>,
    function: Option<&Function<'_>>,
) -> Option<Rc<Unknown>> {
    let of_function = || function.and_then(|function| function.lost.get());
    flow.lost.get().or_else(of_function).cloned()
}

/// The name of a flow as it was made, or the reason why it is not known.
pub(super) fn flow_name<'a>(
    flow: &FlowObject<'a>,
    function: Option<&Function<'a>>,
) -> Checked<Result<String, Rc<Unknown>>> {
    let given = match option(flow, "name") {
        Ok(given) => given,
        Err(unknown) => return Ok(Err(unknown)),
    };
    let given = match given {
        // A member of a `str` enum is a `str`, and Prefect takes its value.
        Some(Value::Member(member)) if member.mixin == Some("str") => Some(member.value.clone()),
        other => other,
    };
    let name = match given {
        Some(Value::Str(name)) => name.to_string(),
        Some(value) if value.is_constant() || matches!(value, Value::Member(_)) => {
            let message = "Prefect expects text for the name of a flow".to_owned();
            return Err(DefinitionError { kind: "TypeError".to_owned(), message, at: flow.at });
        }
        Some(_) => return Ok(Err(unknown("the name is an object", flow.at))),
        None => match default_name(flow, function) {
            Ok(name) => name,
            Err(unknown) => return Ok(Err(unknown)),
        },
    };
    if let Some(forbidden) = name.chars().find(|char| FORBIDDEN.contains(char)) {
        let message = format!(
            "the flow name '{name}' has a `{forbidden}`; Prefect allows none of `/ % & > <` in \
             the name of a flow"
        );
        return Err(DefinitionError { kind: "InvalidNameError".to_owned(), message, at: flow.at });
    }
    Ok(Ok(name))
}

fn unknown(why: &str, at: Location) -> Rc<Unknown> {
    Rc::new(Unknown { why: why.to_owned(), at, is_flow_like: true })
}

/// Why nothing of a flow's function is known.
fn no_function(flow: &FlowObject<'_>) -> Rc<Unknown> {
    flow.function
        .find_unknown(flow.at)
        .unwrap_or_else(|| unknown("the flow is made of something that is no function", flow.at))
}

fn default_name<'a>(
    flow: &FlowObject<'a>,
    function: Option<&Function<'a>>,
) -> Result<String, Rc<Unknown>> {
    let Some(function) = function else { return Err(no_function(flow)) };
    let renamed = keyword(&function.attributes.borrow(), "__name__").cloned();
    let name = match renamed {
        None => function.name.to_string(),
        Some(Value::Str(name)) => name.to_string(),
        Some(_) => return Err(unknown("the function's `__name__` is set", flow.at)),
    };
    Ok(name.replace('_', "-").replace("<lambda>", "unknown-lambda"))
}

/// The docstring of the flow's function.
fn function_doc<'a>(
    flow: &FlowObject<'a>,
    function: Option<&Function<'a>>,
) -> Result<Option<String>, Rc<Unknown>> {
    let Some(function) = function else { return Err(no_function(flow)) };
    match keyword(&function.attributes.borrow(), "__doc__") {
        None => Ok(function.docstring.as_ref().map(ToString::to_string)),
        Some(Value::Str(text)) => Ok(Some(text.to_string())),
        Some(Value::None) => Ok(None),
        Some(_) => Err(unknown("the function's `__doc__` is set", flow.at)),
    }
}

fn description<'a>(
    flow: &FlowObject<'a>,
    function: Option<&Function<'a>>,
) -> Result<Option<String>, Rc<Unknown>> {
    match option(flow, "description")? {
        Some(Value::Str(text)) => Ok(Some(text.to_string())),
        Some(_) => Err(unknown("the description is no text", flow.at)),
        None => Ok(function_doc(flow, function)?.map(|text| docstring::clean(&text))),
    }
}

fn schema<'a>(
    interpreter: &Interpreter<'a>,
    flow: &FlowObject<'a>,
    function: Option<&Function<'a>>,
) -> Result<ParameterSchema, Failure> {
    let failed = |unknown: Rc<Unknown>| Failure {
        part: "the signature".to_owned(),
        reason: NoSchema::Unknown(unknown),
    };
    let Some(function) = function else { return Err(failed(no_function(flow))) };
    if let Some(unsure) = interpreter.why_unsure() {
        return Err(failed(unsure));
    }
    let wrapped = signatures::unwrapped(flow.at, function).map_err(failed)?;
    if let Some(lost) = why_lost(flow, Some(function)) {
        return Err(failed(lost));
    }
    let attributes = flow.attributes.borrow();
    // Attributes of the flow itself from which the schema is made.
    let changes = ["fn", "parameters", "__signature__", "__wrapped__", "__globals__"];
    if attributes.iter().any(|(name, _)| changes.contains(&&**name)) {
        return Err(failed(unknown("attributes of the flow are set", flow.at)));
    }
    let doc = match keyword(&attributes, "__doc__") {
        None => function_doc(flow, Some(function)).map_err(failed)?,
        Some(Value::Str(text)) => Some(text.to_string()),
        Some(Value::None) => None,
        Some(_) => return Err(failed(unknown("the flow's `__doc__` is set", flow.at))),
    };
    // Whether Prefect builds the model that validates arguments when the flow is defined. The
    // default is true, so what is not known counts as true: it refuses more.
    let validates = match option(flow, "validate_parameters") {
        Ok(_) => keyword(&flow.options.borrow(), "validate_parameters")
            .is_none_or(|value| Interpreter::truth(value) != Some(false)),
        Err(_) => true,
    };
    parameters(interpreter, wrapped.as_deref().unwrap_or(function), doc.as_deref(), validates)
}
