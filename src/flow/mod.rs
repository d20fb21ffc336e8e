//! Finds the flows of a source file and what Prefect would register for them, without running it.
//!
//! The way through the rooms: `prefilter` (can the bytes hold a flow?), `source` (encoding and
//! syntax), `module` (the top level, evaluated on abstract `value`s with the tables in
//! `symbols`), `flows` (which names are flows), `schema` and `default` (annotations and
//! defaults as JSON), `docstring`. This is the only room that knows ruff's syntax trees.
//!
//! One file at a time: what comes from another module of the repository is not known here. A flow
//! is exact when everything about it is proved; otherwise it carries the reasons.

mod default;
mod docstring;
mod flows;
mod module;
mod nesting;
mod number;
mod prefilter;
mod problem;
mod scan;
mod schema;
mod source;
mod symbols;
mod value;

pub use prefilter::is_candidate;
pub use scan::{Scan, ScanError, Selection, scan};

use crate::model::{Flow, FlowProblem, ProblemCode};
use module::Interpreter;
use problem::Problems;

/// The stack for sources that nest more deeply than any thread's stack is sure to hold.
const DEEP_STACK: usize = 512 << 20;

/// What a file has to offer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileAnalysis {
    /// Flows that Prefect can load by name, in the order of the source.
    pub flows: Vec<Flow>,
    /// What keeps others from being registered.
    pub problems: Vec<FlowProblem>,
}

/// Finds the flows of one file. `path` is the file's path from the repository root.
///
/// A syntax error is a problem only in a file that is meant to have flows: one that imports
/// Prefect or decorates something with a `flow`. Any other file that Python could not read is no
/// concern of a registration.
pub fn analyse(path: &str, source: &[u8]) -> FileAnalysis {
    if !is_candidate(source) {
        return FileAnalysis::default();
    }
    let text = match source::decode(source) {
        Ok(text) => text,
        Err(error) => return unreadable(path, source, &String::from_utf8_lossy(source), &error),
    };
    let too_deep = || {
        let message = "the source is nested too deeply".to_owned();
        unreadable(path, source, &text, &source::SyntaxError { message, at: 0 })
    };
    let depth = nesting::depth(&text);
    if depth <= nesting::SHALLOW {
        analyse_text(path, source, &text)
    } else if depth <= nesting::LIMIT {
        on_deep_stack(|| analyse_text(path, source, &text)).unwrap_or_else(too_deep)
    } else {
        too_deep()
    }
}

/// Runs the analysis where its recursion is sure to fit; `None` if there is no memory for that.
fn on_deep_stack(analysis: impl FnOnce() -> FileAnalysis + Send) -> Option<FileAnalysis> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(DEEP_STACK);
        let thread = builder.spawn_scoped(scope, analysis).ok()?;
        Some(thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

fn unreadable(path: &str, source: &[u8], text: &str, error: &source::SyntaxError) -> FileAnalysis {
    let mut analysis = FileAnalysis::default();
    if prefilter::is_meant_to_have_flows(source) {
        let problems = Problems { path, text };
        analysis.problems.push(problems.at(ProblemCode::Syntax, error.at, error.message.clone()));
    }
    analysis
}

fn analyse_text(path: &str, source: &[u8], text: &str) -> FileAnalysis {
    let parsed = match source::parse_module(text) {
        Ok(parsed) => parsed,
        Err(error) => return unreadable(path, source, text, &error),
    };
    let annotations = source::Annotations::default();
    let body = &parsed.syntax().body;
    let interpreter = Interpreter::new(text, module_name(path), body, &annotations);
    let outcome = interpreter.run(body);
    let problems = Problems { path, text };
    flows::collect(&interpreter, body, outcome, &problems)
}

/// The name under which Prefect imports a file: its stem.
fn module_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".py").unwrap_or(file)
}
