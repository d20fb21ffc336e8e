//! What the attribute path of an entrypoint leads to in a script, as Prefect follows it: names that an
//! assignment, an import or a base class gives to a flow count as much as the name of its function.

use std::rc::Rc;

use ruff_python_ast::Stmt;

use super::flows::{self, NamedFlow};
use super::interpreter::Interpreter;
use super::problem::Problems;
use super::value::{Imported, Value};
use super::{Layout, Library, ReadError, STACK, Session, SourceFiles};
use super::{on_stack, unreadable};
use flowreg_model::{Flow, FlowProblem, ProblemCode};

/// What attribute paths lead to in one script.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LookedUp {
    /// The paths that lead to flows. The entrypoint of a flow that the script has under its own name is
    /// that one; of any other, for instance one that a class inherits, it is the path that was asked for.
    pub flows: Vec<(String, Flow)>,
    /// The paths of which it is not known what they lead to.
    pub unknown: Vec<String>,
    /// Why they are not known, or why nothing can be loaded.
    pub problems: Vec<FlowProblem>,
}

/// Follows attribute paths (`Jobs.run`) in a script; one that leads to no flow is left out of the answer.
///
/// # Errors
/// What `sources` met, if an imported module could not be read.
pub fn look_up_in(
    layout: &Layout,
    sources: &dyn SourceFiles,
    path: &str,
    source: &[u8],
    objects: &[&str],
) -> Result<LookedUp, ReadError> {
    answer(layout, sources, objects, |library| look_up(library, path, source, None, objects))
}

/// Follows attribute paths in a module that is imported in the root of the layout.
///
/// # Errors
/// What `sources` met, if an imported module could not be read.
pub fn look_up_module_in(
    layout: &Layout,
    sources: &dyn SourceFiles,
    module: &str,
    objects: &[&str],
) -> Result<LookedUp, ReadError> {
    let script = format!("import {module}\n");
    answer(layout, sources, objects, |library| {
        look_up(library, IMPORTER, script.as_bytes(), Some(module), objects)
    })
}

/// A script that no repository has.
const IMPORTER: &str = "<import>.py";

fn answer(
    layout: &Layout,
    sources: &dyn SourceFiles,
    objects: &[&str],
    look_up: impl FnOnce(&Library<'_>) -> LookedUp + Send,
) -> Result<LookedUp, ReadError> {
    let found = on_stack(STACK, || {
        let library = Library::new(layout, sources);
        let found = look_up(&library);
        library.take_failure().map_or(Ok(found), Err)
    });
    // Without memory for the stack nothing is known.
    let unknown = || objects.iter().map(ToString::to_string).collect();
    found.unwrap_or_else(|| Ok(LookedUp { unknown: unknown(), ..LookedUp::default() }))
}

/// Runs a script and follows the paths in it, or in a module that it imports.
fn look_up(
    library: &Library<'_>,
    path: &str,
    source: &[u8],
    module: Option<&str>,
    objects: &[&str],
) -> LookedUp {
    let mut answer = LookedUp::default();
    let file = match library.script(path, source) {
        Ok(file) => file,
        Err(error) => {
            answer.problems.push(unreadable(path, source, error));
            return answer;
        }
    };
    let session = Session::new(library);
    let interpreter = session.interpreter(path);
    let outcome = interpreter.run(path, &file.text, file.body());
    if let Some(error) = &file.other_version {
        interpreter.mark_version_dependent(error);
    }
    let problems = Problems { path, text: &file.text };
    if let Err(raised) = outcome {
        answer.problems.push(flows::load_error(&interpreter, &problems, &raised));
        return answer;
    }
    let mut imported = interpreter.imported().into_iter();
    let container = match module {
        // By its name, and not along attributes: a package often has a flow of the name of a submodule.
        Some(module) => imported.find(|imported| &*imported.module.name == module),
        None => interpreter.script().cloned(),
    };
    let Some(container) = container else { return answer };
    for object in objects {
        follow(&interpreter, &container, file.body(), object, &problems, &mut answer);
    }
    if !answer.flows.is_empty() || !answer.unknown.is_empty() {
        answer.problems.extend(flows::broken_links(&interpreter, &problems));
    }
    answer
}

/// Follows one path.
fn follow<'a>(
    interpreter: &Interpreter<'a>,
    container: &Rc<Imported<'a>>,
    body: &'a [Stmt],
    object: &str,
    problems: &Problems<'_>,
    answer: &mut LookedUp,
) {
    let bound_at = flows::binding(body, object).unwrap_or_default();
    interpreter.at(&container.scope, bound_at);
    let mut value = Value::Module(Rc::clone(container));
    for part in object.split('.') {
        value = match &value {
            Value::Module(_) | Value::Class(_) => match interpreter.attribute(&value, part) {
                Ok(found) => found,
                // `AttributeError`, which is Prefect's answer as well.
                Err(_) => return,
            },
            Value::Unknown(_) | Value::External(_) => break,
            // A flow that is read from an object is bound to it, and may have other parameters then.
            Value::Instance(_) | Value::Opaque(_) => {
                let why = format!("`{part}` is an attribute of an object");
                Value::unknown(why, interpreter.here())
            }
            _ => return,
        };
    }
    while let Value::Wrapped(inner, _) = &value {
        value = (**inner).clone();
    }
    let unknown = match value {
        Value::Flow(flow) => {
            // Under its own name the flow is the same one for everything that compares flows.
            let (own, _) = flows::names(&container.scope);
            let own = own.into_iter().find(|own| Rc::ptr_eq(&own.flow, &flow));
            let named = own.unwrap_or_else(|| NamedFlow { path: object.to_owned(), flow });
            match flows::flow(interpreter, body, &named, problems) {
                Ok(Ok(flow)) => {
                    answer.flows.push((object.to_owned(), flow));
                    return;
                }
                Ok(Err(unknown)) => unknown,
                Err(refused) => {
                    let raised = refused.raised();
                    answer.problems.push(flows::load_error(interpreter, problems, &raised));
                    return;
                }
            }
        }
        value => match value.find_unknown(interpreter.here()) {
            Some(unknown) => unknown,
            None => return,
        },
    };
    let message = format!("it is not known what `{object}` is: {}", unknown.why);
    answer.unknown.push(object.to_owned());
    answer.problems.push(flows::problem(
        interpreter,
        problems,
        ProblemCode::UnknownName,
        (unknown.at, Some(bound_at)),
        message,
    ));
}
