//! Shows on the terminal how far a run is, and keeps what it noticed, for the case that it fails.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::output::Progress;
use crate::run::{Notice, Observer};

/// Shows a bar for work that takes long, and keeps notices.
pub(super) struct ProgressObserver {
    is_wanted: bool,
    progress: Mutex<Option<Progress>>,
    noticed: Mutex<Vec<Notice>>,
}

impl ProgressObserver {
    /// Nothing is shown where it is not wanted: off a terminal, or with `--no-progress`.
    pub(super) fn new(is_wanted: bool) -> Self {
        Self { is_wanted, progress: Mutex::new(None), noticed: Mutex::default() }
    }

    /// What the run has noticed until now, each once.
    pub(super) fn noticed_so_far(&self) -> Vec<Notice> {
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut known = HashSet::new();
        noticed.retain(|notice| known.insert(notice.clone()));
        noticed
    }

    /// Forgets what an earlier run noticed.
    pub(super) fn forget(&self) {
        self.noticed.lock().unwrap_or_else(PoisonError::into_inner).clear();
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

    fn noticed(&self, notices: &[Notice]) {
        let mut noticed = self.noticed.lock().unwrap_or_else(PoisonError::into_inner);
        noticed.extend_from_slice(notices);
    }
}
