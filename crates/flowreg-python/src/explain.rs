//! How a flow came about: the lines its parts were read from, and the rules.

use std::collections::BTreeSet;

use ruff_text_size::{Ranged, TextSize};
use serde_json::Value as Json;

use super::ReadError;
use super::flows::{self, NamedFlow};
use super::interpreter::{Interpreter, signatures};
use super::library::{Layout, Library, SourceFiles};
use super::problem::Problems;
use super::value::{FlowObject, Function, Location, Parameter, Value};
use super::{STACK, Session, on_stack};
use flowreg_model::{Entrypoint, Evidence, Explanation, Flow, SearchedDirectory};

/// Explains one flow of a file; `None` if the file has no such flow, or can't be loaded.
///
/// # Errors
/// What `sources` met, if an imported module could not be read.
pub fn explain_in(
    layout: &Layout,
    sources: &dyn SourceFiles,
    entrypoint: &Entrypoint,
    source: &[u8],
) -> Result<Option<Explanation>, ReadError> {
    let explanation = on_stack(STACK, || {
        let library = Library::new(layout, sources);
        let explanation = explain(&library, entrypoint, source).map(|explanation| Explanation {
            search_path: search_path(layout, entrypoint.path()),
            ..explanation
        });
        library.take_failure().map_or(Ok(explanation), Err)
    });
    explanation.unwrap_or(Ok(None))
}

fn explain<'a>(
    library: &'a Library<'a>,
    entrypoint: &Entrypoint,
    source: &[u8],
) -> Option<Explanation> {
    let path = entrypoint.path();
    let file = library.script(path, source).as_ref().ok()?;
    // The whole analysis is done again, since values point into syntax trees and are not kept.
    // People ask for one flow at a time.
    let session = Session::new(library);
    let interpreter = session.interpreter(path);
    interpreter.run(path, &file.text, file.body()).ok()?;
    let (found, _) = flows::names(&interpreter.script()?.scope);
    let found = found.into_iter().find(|found| found.path == entrypoint.object())?;
    let problems = Problems { path, text: &file.text };
    let flow = flows::flow(&interpreter, file.body(), &found, &problems).ok()?.ok()?;
    Some(explained(&interpreter, &found, &flow))
}

fn explained<'a>(interpreter: &Interpreter<'a>, found: &NamedFlow<'a>, flow: &Flow) -> Explanation {
    let function = flows::function(&found.flow);
    let mut evidence = vec![
        name(interpreter, &found.flow, function.as_deref(), flow),
        description(interpreter, &found.flow, function.as_deref(), flow),
    ];
    if let Some(function) = &function {
        // The parameters are those that `inspect.signature` reads, which looks through
        // `functools.wraps`.
        let wrapped = signatures::unwrapped(found.flow.at, function).unwrap_or_default();
        let function = wrapped.as_ref().unwrap_or(function);
        evidence.extend(
            function
                .parameters
                .iter()
                .filter(|parameter| !matches!(&*parameter.name, "self" | "cls"))
                .map(|given| parameter(interpreter, function, given, flow)),
        );
    }
    // Reasons that stand next to a part already are not repeated below.
    let is_shown_with_part =
        |reason: &&str| evidence.iter().any(|evidence| evidence.rule == **reason);
    let reasons = flow.inexact.iter().map(|inexact| inexact.reason.as_str());
    let inexact = reasons.filter(|reason| !is_shown_with_part(reason)).map(str::to_owned).collect();
    Explanation {
        flow: flow.name.clone(),
        entrypoint: flow.entrypoint.clone(),
        inexact,
        evidence,
        imports: imported(interpreter),
        search_path: Vec::new(),
    }
}

/// Where Python looks for what a script imports.
fn search_path(layout: &Layout, path: &str) -> Vec<SearchedDirectory> {
    let own = path.rsplit_once('/').map_or("", |(directory, _)| directory);
    let searched = |directory: &str, why: &str| SearchedDirectory {
        directory: if directory.is_empty() { "." } else { directory }.to_owned(),
        why: why.to_owned(),
    };
    let mut all = vec![searched(own, "the script's directory")];
    if !own.is_empty() {
        all.push(searched("", "where a run starts"));
    }
    let roots = &layout.source_roots;
    all.extend(roots.chosen().iter().map(|directory| {
        let has_files = directory.is_empty() || layout.has_directory(directory);
        let missing = if has_files { "" } else { ", without Python files" };
        searched(directory, &format!("`search_path` in the settings{missing}"))
    }));
    all.extend(roots.found(own).map(|root| match &root.modules {
        None => searched(&root.directory, &root.why),
        Some(only) => searched(&root.directory, &format!("{}, only {}", root.why, only.join(", "))),
    }));
    all
}

fn reason(flow: &Flow, what: &str) -> Option<String> {
    flow.inexact.iter().find(|inexact| inexact.what == what).map(|inexact| inexact.reason.clone())
}

fn place(interpreter: &Interpreter<'_>, function: &Function<'_>, at: TextSize) -> String {
    interpreter.position(Location { module: function.scope.module.number, at })
}

/// Where the name of the function stands.
fn definition(interpreter: &Interpreter<'_>, function: &Function<'_>) -> String {
    let at = function.definition.map_or(function.range.start(), |node| node.name.start());
    place(interpreter, function, at)
}

fn is_given(flow: &FlowObject<'_>, option: &str) -> bool {
    matches!(flows::option(flow, option), Ok(Some(_)))
}

fn name(
    interpreter: &Interpreter<'_>,
    object: &FlowObject<'_>,
    function: Option<&Function<'_>>,
    flow: &Flow,
) -> Evidence {
    let (place, rule) = match function {
        Some(function) if !is_given(object, "name") => {
            let own = &function.name;
            let hyphens = if own.contains('_') { ", `_` becomes `-`" } else { "" };
            let wrapped =
                super::value::keyword(&function.attributes.borrow(), "__name__").is_some();
            let rule = if wrapped {
                "the name that `functools.wraps` gives the function".to_owned()
            } else {
                format!("the name of the function `{own}`{hyphens}")
            };
            (definition(interpreter, function), rule)
        }
        _ => (interpreter.position(object.at), "the `name` given to the flow".to_owned()),
    };
    let value = Some(Json::from(flow.name.as_str()));
    let unknown = reason(flow, "name");
    let exact = unknown.is_none();
    Evidence { part: "name".to_owned(), value, place, rule: unknown.unwrap_or(rule), exact }
}

fn description(
    interpreter: &Interpreter<'_>,
    object: &FlowObject<'_>,
    function: Option<&Function<'_>>,
    flow: &Flow,
) -> Evidence {
    let (place, rule) = match function {
        Some(function) if !is_given(object, "description") => {
            let rule = if flow.description.is_some() {
                "the docstring of the function"
            } else {
                "the function has no docstring"
            };
            (definition(interpreter, function), rule)
        }
        _ => (interpreter.position(object.at), "the `description` given to the flow"),
    };
    let value = flow.description.clone().map(Json::from);
    let unknown = reason(flow, "description");
    let exact = unknown.is_none();
    let rule = unknown.unwrap_or_else(|| rule.to_owned());
    Evidence { part: "description".to_owned(), value, place, rule, exact }
}

fn parameter<'a>(
    interpreter: &Interpreter<'a>,
    function: &Function<'a>,
    parameter: &Parameter<'a>,
    flow: &Flow,
) -> Evidence {
    let name = &*parameter.name;
    let schema = flow.parameter_openapi_schema.as_ref();
    let value = schema
        .and_then(|schema| schema.get("properties"))
        .and_then(|properties| properties.get(name))
        .cloned();
    // The schema fails as a whole, at the first part that is not known. The reason names that part
    // in the words of `flows::flow`.
    let mentions = format!("of `{name}` is not known");
    let unknown = reason(flow, "parameter_openapi_schema").filter(|why| why.contains(&mentions));
    let written = function.scope.excerpt(parameter.range);
    let required = schema
        .and_then(|schema| schema.get("required"))
        .and_then(Json::as_array)
        .is_some_and(|names| names.iter().any(|required| required.as_str() == Some(name)));
    let mut rule = format!("`{written}`, {}", if required { "required" } else { "optional" });
    let described = value.as_ref().is_some_and(|value| value.get("description").is_some());
    if described && !matches!(parameter.default, Some(Value::Field(_))) {
        rule.push_str(", described in the docstring");
    }
    Evidence {
        part: name.to_owned(),
        exact: schema.is_some(),
        place: place(interpreter, function, parameter.range.start()),
        rule: match (schema, unknown) {
            (_, Some(why)) => why,
            (None, None) => format!("`{written}`: not computed, for another part is not known"),
            (Some(_), None) => rule,
        },
        value,
    }
}

/// The files that were read, in order.
fn imported(interpreter: &Interpreter<'_>) -> Vec<String> {
    let parts = interpreter.take_dependencies();
    let files: BTreeSet<&String> = parts.iter().flat_map(|part| &part.files).collect();
    files.into_iter().cloned().collect()
}
