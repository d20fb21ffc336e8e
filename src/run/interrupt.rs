//! Ctrl-C, as a value: the program's signal handler notes that it was pressed, and a run looks
//! whether it was. So a run installs no signal handler, and can be used as a library.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Ctrl-C: ends the process at once, unless a run would rather finish what it began.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    is_awaited: Arc<AtomicBool>,
    is_requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes note of Ctrl-C, and returns whether the process has to end at once: nothing has to be
    /// finished or removed, or the user has pressed it a second time and will not wait.
    pub fn request(&self) -> bool {
        let is_repeated = self.is_requested.swap(true, Ordering::SeqCst);
        is_repeated || !self.is_awaited.load(Ordering::SeqCst)
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::SeqCst)
    }

    /// From now on the run itself looks whether it has to end.
    pub(crate) fn handle(&self) {
        self.is_awaited.store(true, Ordering::SeqCst);
    }

    /// The same until the guard is dropped.
    pub(crate) fn handle_for_now(&self) -> HandledInterrupt<'_> {
        HandledInterrupt {
            interrupt: self,
            was_awaited: self.is_awaited.swap(true, Ordering::SeqCst),
        }
    }
}

/// As long as this lives, the run itself looks whether it has to end.
pub(crate) struct HandledInterrupt<'a> {
    interrupt: &'a Interrupt,
    was_awaited: bool,
}

impl Drop for HandledInterrupt<'_> {
    fn drop(&mut self) {
        self.interrupt.is_awaited.store(self.was_awaited, Ordering::SeqCst);
    }
}
