//! Shows on the terminal how far a run is.

use std::sync::{Mutex, PoisonError};

use crate::output::Progress;
use crate::run::Observer;

/// Shows a bar for work that takes long.
pub(super) struct ProgressObserver {
    is_wanted: bool,
    progress: Mutex<Option<Progress>>,
}

impl ProgressObserver {
    /// Nothing is shown where it is not wanted: off a terminal, or with `--no-progress`.
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, progress: Mutex::new(None) }
    }

    fn with(&self, change: impl FnOnce(&mut Option<Progress>)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Observer for ProgressObserver {
    fn started(&self, what: &'static str, steps: usize) {
        self.with(|progress| *progress = Some(Progress::new(self.is_wanted, what, steps)));
    }

    fn progressed(&self, done: usize) {
        self.with(|progress| {
            if let Some(progress) = progress {
                progress.set(done);
            }
        });
    }

    fn finished(&self) {
        self.with(|progress| *progress = None);
    }
}
