//! Progress of work that takes long, on standard error.
//!
//! A bar that shows itself for the blink of an eye is a distraction, and most runs take
//! milliseconds: so it waits for half a second.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// How long the work has to take before a bar is shown.
const SHOWN_AFTER: Duration = Duration::from_millis(500);

/// A bar that shows itself once the work has taken half a second.
pub(crate) struct Progress {
    bar: ProgressBar,
    started: Instant,
    is_shown: Mutex<bool>,
}

impl Progress {
    /// For so many steps of `what`; it never shows itself unless it is wanted.
    pub(crate) fn new(is_wanted: bool, what: &str, total: usize) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(u64::try_from(total).unwrap_or(u64::MAX)),
            ProgressDrawTarget::hidden(),
        );
        if let Ok(style) = ProgressStyle::with_template("{msg} [{bar:30}] {pos}/{len}") {
            bar.set_style(style);
        }
        bar.set_message(what.to_owned());
        // Where nobody wants a bar it counts as shown, so that it is never put on the screen.
        Self { bar, started: Instant::now(), is_shown: Mutex::new(!is_wanted) }
    }

    /// Says how much is done.
    pub(crate) fn set(&self, done: usize) {
        if let Ok(mut is_shown) = self.is_shown.lock()
            && !*is_shown
            && self.started.elapsed() > SHOWN_AFTER
        {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
            *is_shown = true;
        }
        self.bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
