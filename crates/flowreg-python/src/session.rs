//! The analysis of many scripts, one after the other.

use std::rc::Rc;
use std::sync::Arc;

use super::dependencies::Dependencies;
use super::deploy_calls;
use super::flows;
use super::interpreter::Interpreter;
use super::interpreter::units::Shelf;
use super::library::{Library, ReadError};
use super::prefilter;
use super::problem::Problems;
use super::{
    DEEP_STACK, FileAnalysis, STACK, STACK_PER_LEVEL, if_meant, is_candidate, nesting, on_stack,
};

/// Analyses of scripts of one library. What several of them import is run once.
///
/// The answers do not depend on which scripts were analysed before.
pub struct Session<'a> {
    library: &'a Library<'a>,
    shelf: Rc<Shelf<'a>>,
}

impl<'a> Session<'a> {
    /// A session without anything analysed yet.
    pub fn new(library: &'a Library<'a>) -> Self {
        Session { library, shelf: Rc::default() }
    }

    /// An interpreter for the script at `path`.
    pub(crate) fn interpreter(&self, path: &str) -> Interpreter<'a> {
        Interpreter::new(self.library, &self.shelf, path, deepest(STACK))
    }

    /// Finds the flows of the script at `path`, whose content is `source`. The caller's thread needs a
    /// stack of [`STACK`].
    ///
    /// # Errors
    /// What the library's [`SourceFiles`](super::SourceFiles) met, if an imported module could not be read.
    pub fn analyse(&self, path: &str, source: &[u8]) -> Result<FileAnalysis, ReadError> {
        if !is_candidate(source) {
            return Ok(FileAnalysis::default());
        }
        let (analysis, needs_depth) = self.analyse_within(path, source, STACK);
        if !needs_depth {
            return self.library.take_failure().map_or(Ok(analysis), Err);
        }
        // Deep sources are rare, and the large stack takes a thread of its own. A library holds `Rc`s
        // and can't cross to that thread, but its layout and sources can.
        let (layout, sources) = (self.library.layout, self.library.sources());
        let deep = on_stack(DEEP_STACK, || {
            let library = Library::with_depth(layout, sources, nesting::LIMIT);
            let (analysis, _) = Session::new(&library).analyse_within(path, source, DEEP_STACK);
            library.take_failure().map_or(Ok(analysis), Err)
        });
        // Without memory for the large stack, the shallow answer says what it left out.
        deep.unwrap_or(Ok(analysis))
    }

    /// The analysis, and whether a deeper stack would find more.
    fn analyse_within(&self, path: &str, source: &[u8], stack: usize) -> (FileAnalysis, bool) {
        let file = match self.library.script(path, source) {
            Ok(file) => file,
            Err(error) => {
                return (if_meant(path, source, error), error.message == nesting::TOO_DEEP);
            }
        };
        let deepest = deepest(stack);
        let interpreter = Interpreter::new(self.library, &self.shelf, path, deepest);
        let outcome = interpreter.run(path, &file.text, file.body());
        // After the run, because before it there is no module to mark.
        if let Some(error) = &file.other_version {
            interpreter.mark_version_dependent(error);
        }
        let problems = Problems { path, text: &file.text };
        let mut analysis = flows::collect(&interpreter, file.body(), outcome, &problems);
        analysis.dependencies = interpreter.take_dependencies();
        let mut needs_depth = interpreter.needs_depth.get();
        if !prefilter::has_flow_word(source) {
            // Such a file may deploy the flows of others, but has none of its own.
            analysis.flows.clear();
            analysis.problems.clear();
        }
        if file.may_deploy || self.may_deploy_by_import(source, &analysis.dependencies) {
            let program = Interpreter::of_program(self.library, &self.shelf, path, deepest);
            // What raises in the end has deployed what came before.
            let _ = program.run(path, &file.text, file.body());
            analysis.deploy_calls = deploy_calls::collect(&program, path, file.body());
            analysis.dependencies.extend(program.take_dependencies());
            needs_depth |= program.needs_depth.get();
        }
        (analysis, needs_depth)
    }

    /// Whether a script that does something when it is run imports a module that may deploy flows.
    fn may_deploy_by_import(&self, source: &[u8], dependencies: &[Arc<Dependencies>]) -> bool {
        let deploys =
            |path: &String| self.library.file(path).as_ref().is_ok_and(|file| file.may_deploy);
        memchr::memmem::find(source, b"__main__").is_some()
            && dependencies.iter().flat_map(|part| &part.files).any(deploys)
    }
}

/// How deeply an evaluation may be nested on a stack of this size, in bytes.
fn deepest(stack: usize) -> u32 {
    u32::try_from(stack / STACK_PER_LEVEL).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
