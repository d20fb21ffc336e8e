//! The flows at the reference: the scan, and what Python says where the scan can't be exact.

use super::Context;
use super::error::CommandError;
use super::selection::FlowArguments;
use super::session::Session;
use crate::introspection::{
    AskError, IntrospectedScan, IntrospectionContext, Limits, Watch, ask, merge_answers,
    note_unanswered, questions,
};
use crate::output::Progress;
use crate::scan::Scan;
use flowreg_model::{CodeReference, Flow};

impl Session {
    /// Finds the flows in the tree at a commit, and asks Python about those that are wanted and
    /// not exact.
    pub(super) fn flows(
        &self,
        context: &Context,
        reference: &CodeReference,
        wanted: &FlowArguments,
    ) -> Result<IntrospectedScan, CommandError> {
        let scan = self.scan(reference)?;
        let is_wanted = wanted.matches()?;
        self.introspected(context, reference, "", scan, &is_wanted)
    }

    /// Asks Python about the flows of a scan that are wanted and not exact. `root` is the directory
    /// of the commit that was scanned.
    pub(super) fn introspected(
        &self,
        context: &Context,
        reference: &CodeReference,
        root: &str,
        scan: Scan,
        is_wanted: &dyn Fn(&Flow) -> bool,
    ) -> Result<IntrospectedScan, CommandError> {
        let questions = questions(&scan, self.settings.introspect, is_wanted);
        if questions.is_empty() {
            return Ok(IntrospectedScan { scan, ..IntrospectedScan::default() });
        }
        let place = IntrospectionContext {
            repository: &self.repository,
            commit: &reference.commit,
            root,
            python: self.settings.python.as_deref(),
            directory: &context.directory,
            environment: &context.environment,
            limits: Limits::default(),
        };
        let answers = {
            // The temporary directory has to go, also after Ctrl-C.
            let _expected = context.interrupt.expect_for_now();
            ask(&place, &questions, &Watched::new(context, "asking Python", questions.len()))
        };
        if context.interrupt.is_requested() {
            return Err(CommandError::interrupted());
        }
        match answers {
            Ok(answers) => Ok(merge_answers(scan, &questions, answers)),
            Err(AskError::Unavailable(why)) => Ok(note_unanswered(scan, &questions, &why)),
            Err(AskError::Interrupted) => Err(CommandError::interrupted()),
        }
    }
}

/// Shows progress, and listens for Ctrl-C.
pub(super) struct Watched<'a> {
    context: &'a Context,
    progress: Progress,
}

impl<'a> Watched<'a> {
    /// For this many things to do.
    pub(super) fn new(context: &'a Context, what: &'static str, count: usize) -> Self {
        Self { context, progress: context.printer.progress(what, count) }
    }
}

impl Watch for Watched<'_> {
    fn progress(&self, done: usize) {
        self.progress.set(done);
    }

    fn is_interrupted(&self) -> bool {
        self.context.interrupt.is_requested()
    }
}
