//! Finds the Prefect flows of Python source files, and what Prefect would register for each of
//! them, without running any of it.
//!
//! A flow is *exact* if its name, description and parameter schema are proved from the source;
//! otherwise it carries the reasons why not. There are no guesses. The rules come from CPython,
//! pydantic and Prefect, and stand in `docs/facts/python.md`.
//!
//! # The way of a file
//!
//! | step | gives | where |
//! |---|---|---|
//! | bytes | can they hold a flow at all? | `prefilter.rs` |
//! | candidate | text, as its encoding says | `source.rs` |
//! | text | a syntax tree; what only the compiler refuses | `source.rs`, `nesting.rs`, `compiler.rs` |
//! | syntax tree | the values of the module's names, after an abstract run of its top level and of the modules it imports | `interpreter/`, with the tables in `symbols/` |
//! | namespace | the names that lead to flows | `flows.rs`, `value/` |
//! | flow | its JSON schema | `schema/`, `default/`, `docstring.rs` |
//!
//! `session.rs` analyses one script after the other, and `library.rs` keeps the files that are read,
//! each parsed once; `source_roots/` says from which
//! directories of the repository Python imports. `dependencies.rs` notes what an
//! answer depends on, so that a cache can tell whether it still holds. `effects.rs` finds in one
//! walk what a module does to its own names behind the reader's back. `explain.rs` says for one
//! flow where each part was read. `deploy_calls/` finds what the script deploys when it is run.
//! `imports.rs` and `children.rs` are functions of one file's bytes: what it imports anywhere, and
//! which other flows it starts.
//!
//! # What it does not do
//!
//! No input or output: whoever calls gives the files through [`SourceFiles`]. No git, no server,
//! no Python. Nothing outside this crate sees ruff's syntax trees, which have no stable API.
//!
//! # Example
//!
//! ```
//! let source = br#"
//! from prefect import flow
//!
//! @flow(name="nightly load")
//! def load(days: int = 1):
//!     """Loads the last days."""
//! "#;
//! let analysis = flowreg_python::analyse("flows/load.py", source);
//! let flow = &analysis.flows[0];
//! assert_eq!(flow.name.as_str(), "nightly load");
//! assert_eq!(flow.entrypoint.to_string(), "flows/load.py:load");
//! assert!(flow.is_exact());
//! let schema = flow.parameter_openapi_schema.as_ref().unwrap();
//! assert_eq!(schema["properties"]["days"]["default"], 1);
//! ```

mod children;
mod compiler;
mod default;
mod dependencies;
mod deploy_calls;
mod docstring;
mod effects;
mod explain;
mod flows;
mod imports;
mod interpreter;
mod library;
mod lookup;
mod nesting;
mod number;
mod prefilter;
mod probable;
mod problem;
mod python;
mod schema;
mod session;
mod source;
mod source_roots;
mod symbols;
mod touched;
mod value;

pub use children::{Child, ChildCall, children};
pub use dependencies::Dependencies;
pub use explain::explain_in;
pub use imports::{Import, Imports};
pub use library::{ImportTarget, Layout, Library, ReadError, SourceFiles, join};
pub use lookup::{LookedUp, look_up_in, look_up_module_in};
pub use prefilter::is_candidate;
pub use python::Python;
pub use session::Session;
pub use source_roots::{SourceRoot, SourceRoots};
pub use symbols::is_known_module;

use std::sync::Arc;

use flowreg_model::{DeployCall, Flow, FlowProblem, ProblemCode};
use problem::Problems;

/// How much stack an analysis needs, in bytes.
///
/// The parser and the interpreter are recursive, and sources come from strangers. The system
/// commits only the pages of a stack that are used, so an ordinary file costs no memory for it.
pub const STACK: usize = 128 << 20;

/// The stack for the few sources that nest more deeply than [`nesting::SHALLOW`].
const DEEP_STACK: usize = 512 << 20;

/// An upper bound of the stack that one level of an evaluation takes, in bytes. It turns the size
/// of a stack into the depth that the interpreter may reach.
const STACK_PER_LEVEL: usize = 64 << 10;

/// What the analyser says of one file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileAnalysis {
    /// Flows that Prefect can load by name, in the order of the source.
    pub flows: Vec<Flow>,
    /// What keeps others from being registered.
    pub problems: Vec<FlowProblem>,
    /// What the file deploys by itself when it is run, in the order of the source.
    pub deploy_calls: Vec<DeployCall>,
    /// What the answers depend on besides the file itself. Scripts that import the same module share a
    /// part.
    pub dependencies: Vec<Arc<Dependencies>>,
}

/// Finds the flows of a file that stands alone: every module that it imports and that is not of
/// the standard library, pydantic or Prefect counts as installed. `path` is only for messages and
/// entrypoints.
pub fn analyse(path: &str, source: &[u8]) -> FileAnalysis {
    let layout = Layout::new([path]);
    // The file may import itself under its module name.
    let sources = |_: &str| Ok(source.to_owned());
    // There is nothing else to read, so reading can't fail.
    analyse_in(&layout, &sources, path, source).unwrap_or_default()
}

/// Finds the flows of one file among others. `path` is the file's path from the root of `layout`,
/// which is the working directory of `prefect deploy`.
///
/// A syntax error is a problem only in a file that is meant to have flows: one that imports
/// Prefect or decorates something with a `flow`. Any other file that Python could not read is no
/// concern of a registration.
///
/// # Errors
/// What `sources` met, if an imported module could not be read.
pub fn analyse_in(
    layout: &Layout,
    sources: &dyn SourceFiles,
    path: &str,
    source: &[u8],
) -> Result<FileAnalysis, ReadError> {
    let analysis = on_stack(STACK, || {
        let library = Library::new(layout, sources);
        Session::new(&library).analyse(path, source)
    });
    analysis.unwrap_or_else(|| {
        let message = "there is no memory to analyse it".to_owned();
        Ok(if_meant(path, source, &source::SyntaxError { message, at: 0 }))
    })
}

/// Runs an analysis on a thread with a stack of `size` bytes; `None` if there is no memory for it.
pub fn on_stack<T: Send>(size: usize, analysis: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(size).spawn_scoped(scope, analysis);
        Some(thread.ok()?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The answer for a file that can't be parsed: a problem, if the file is meant to have flows.
fn if_meant(path: &str, source: &[u8], error: &source::SyntaxError) -> FileAnalysis {
    let mut analysis = FileAnalysis::default();
    if prefilter::is_meant_to_have_flows(source) {
        analysis.problems.push(unreadable(path, source, error));
    }
    analysis
}

/// The problem of a file that can't be parsed.
fn unreadable(path: &str, source: &[u8], error: &source::SyntaxError) -> FlowProblem {
    // The message points into the text, so show what can be shown of it.
    let text = source::decode(source).unwrap_or_else(|_| String::from_utf8_lossy(source));
    let problems = Problems { path, text: &text };
    problems.at(ProblemCode::Syntax, error.at, error.message.clone())
}
