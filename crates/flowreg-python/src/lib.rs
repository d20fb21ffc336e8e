//! Finds the flows of a source file and what Prefect would register for them, without running it.
//!
//! The way through the rooms: `prefilter` (can the bytes hold a flow?), `source` (encoding and
//! syntax), `module` (the top level, evaluated on abstract `value`s with the tables in
//! `symbols`), `flows` (which names are flows), `schema` and `default` (annotations and
//! defaults as JSON), `docstring`. This is the only room that knows ruff's syntax trees.
//!
//! One file at a time: what comes from another module of the repository is not known here. A flow
//! is exact when everything about it is proved; otherwise it carries the reasons.

mod children;
mod compiler;
mod default;
mod dependencies;
mod docstring;
mod effects;
mod explain;
mod flows;
mod imports;
mod interpreter;
mod library;
mod nesting;
mod number;
mod prefilter;
mod problem;
mod python;
mod schema;
mod source;
mod symbols;
mod value;

pub use children::{Child, ChildCall, children};
pub use dependencies::Dependencies;
pub use explain::explain_in;
pub use imports::{Import, Imports};
pub use library::{ImportTarget, Layout, Library, ReadError, SourceFiles, join};
pub use prefilter::is_candidate;
pub use python::Python;
pub use symbols::is_known_module;

use flowreg_model::{Flow, FlowProblem, ProblemCode};
use interpreter::Interpreter;
use problem::Problems;

/// The stack that an analysis needs; only what is used of it takes memory.
pub const STACK: usize = 128 << 20;

/// The stack for sources that nest very deeply.
const DEEP_STACK: usize = 512 << 20;

/// How much stack one level of an evaluation takes at most.
const LEVEL: usize = 64 << 10;

/// What a file has to offer.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FileAnalysis {
    /// Flows that Prefect can load by name, in the order of the source.
    pub flows: Vec<Flow>,
    /// What keeps others from being registered.
    pub problems: Vec<FlowProblem>,
    /// What the answers depend on besides the file itself.
    pub dependencies: Dependencies,
}

/// Finds the flows of a file that stands alone: every module that it imports and that is not of
/// the standard library, pydantic or Prefect counts as installed.
pub fn analyse(path: &str, source: &[u8]) -> FileAnalysis {
    let layout = Layout::new([path]);
    let read = |_: &str| Ok(source.to_owned());
    // There is nothing else to read, so reading can't fail.
    analyse_in(&layout, &read, path, source).unwrap_or_default()
}

/// Finds the flows of one file among others. `path` is the file's path from the root of `layout`,
/// which is the working directory of `prefect deploy`.
///
/// A syntax error is a problem only in a file that is meant to have flows: one that imports
/// Prefect or decorates something with a `flow`. Any other file that Python could not read is no
/// concern of a registration.
///
/// # Errors
/// What `read` met, if an imported module could not be read.
pub fn analyse_in(
    layout: &Layout,
    sources: &dyn SourceFiles,
    path: &str,
    source: &[u8],
) -> Result<FileAnalysis, ReadError> {
    let analysis = on_stack(STACK, || {
        let library = Library::new(layout, sources);
        analyse_script(&library, path, source)
    });
    analysis.unwrap_or_else(|| {
        let message = "there is no memory to analyse it".to_owned();
        Ok(unreadable(path, source, "", &source::SyntaxError { message, at: 0 }))
    })
}

/// Finds the flows of one file of a library, on a thread with a stack of [`STACK`].
pub fn analyse_script(
    library: &Library<'_>,
    path: &str,
    source: &[u8],
) -> Result<FileAnalysis, ReadError> {
    if !is_candidate(source) {
        return Ok(FileAnalysis::default());
    }
    let (analysis, needs_depth) = analyse_within(library, path, source, STACK);
    if !needs_depth {
        return library.take_failure().map_or(Ok(analysis), Err);
    }
    // A library can't cross to another thread, but its layout and sources can.
    let (layout, sources) = (library.layout, library.sources());
    let deep = on_stack(DEEP_STACK, || {
        let library = Library::with_depth(layout, sources, nesting::LIMIT);
        let (analysis, _) = analyse_within(&library, path, source, DEEP_STACK);
        library.take_failure().map_or(Ok(analysis), Err)
    });
    deep.unwrap_or(Ok(analysis))
}

/// Runs an analysis where its recursion is sure to fit; `None` if there is no memory for that.
pub fn on_stack<T: Send>(size: usize, analysis: impl FnOnce() -> T + Send) -> Option<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(size).spawn_scoped(scope, analysis);
        Some(thread.ok()?.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// The analysis, and whether a deeper stack would find more.
fn analyse_within(
    library: &Library<'_>,
    path: &str,
    source: &[u8],
    stack: usize,
) -> (FileAnalysis, bool) {
    let file = match library.parse(source) {
        Ok(file) => file,
        Err(error) => {
            let text = source::decode(source).unwrap_or_else(|_| String::from_utf8_lossy(source));
            return (unreadable(path, source, &text, &error), error.message == nesting::TOO_DEEP);
        }
    };
    let deepest = u32::try_from(stack / LEVEL).unwrap_or(u32::MAX);
    let interpreter = Interpreter::new(library, path, deepest);
    let outcome = interpreter.run(path, &file.text, file.body());
    if let Some(error) = &file.other_version {
        interpreter.mark_version_dependent(error);
    }
    let problems = Problems { path, text: &file.text };
    let mut analysis = flows::collect(&interpreter, file.body(), outcome, &problems);
    analysis.dependencies = interpreter.dependencies.take();
    (analysis, interpreter.needs_depth.get())
}

fn unreadable(path: &str, source: &[u8], text: &str, error: &source::SyntaxError) -> FileAnalysis {
    let mut analysis = FileAnalysis::default();
    if prefilter::is_meant_to_have_flows(source) {
        let problems = Problems { path, text };
        analysis.problems.push(problems.at(ProblemCode::Syntax, error.at, error.message.clone()));
    }
    analysis
}
