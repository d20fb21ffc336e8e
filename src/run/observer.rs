//! What a run tells while it is under way: the caller implements [`Observer`], and shows it or not.

use super::Interrupt;
use super::request::Notice;
use crate::introspection::Watch;

/// Receives the progress of work that may take long, and what is noticed. One piece of work is under way at a
/// time.
pub trait Observer: Sync {
    /// Work begins that has this many steps; `what` is what is done, for people.
    fn started(&self, what: &'static str, steps: usize);

    /// So many steps are done; may be called from several threads.
    fn progressed(&self, done: usize);

    /// The work has ended, well or not.
    fn finished(&self);

    /// Something was noticed. A result has all notices; if the run fails, there is none to have them, and they
    /// may say why it failed. The same one may come several times.
    fn noticed(&self, notices: &[Notice]);
}

/// An observer that ignores everything.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unobserved;

impl Observer for Unobserved {
    fn started(&self, _: &'static str, _: usize) {}

    fn progressed(&self, _: usize) {}

    fn finished(&self) {}

    fn noticed(&self, _: &[Notice]) {}
}

/// Work that is under way: tells the observer, and listens for Ctrl-C.
pub(super) struct ObservedWork<'o> {
    observer: &'o dyn Observer,
    interrupt: &'o Interrupt,
}

impl<'o> ObservedWork<'o> {
    pub(super) fn start(
        observer: &'o dyn Observer,
        interrupt: &'o Interrupt,
        what: &'static str,
        steps: usize,
    ) -> Self {
        observer.started(what, steps);
        Self { observer, interrupt }
    }
}

impl Watch for ObservedWork<'_> {
    fn progress(&self, done: usize) {
        self.observer.progressed(done);
    }

    fn is_interrupted(&self) -> bool {
        self.interrupt.is_requested()
    }
}

impl Drop for ObservedWork<'_> {
    fn drop(&mut self) {
        self.observer.finished();
    }
}
