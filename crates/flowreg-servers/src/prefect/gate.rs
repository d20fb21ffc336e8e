//! Holds writes back: one at a time at first, more only while the server gains by it.
//!
//! A laptop's `SQLite` server freezes for a minute under four parallel writers and gains nothing
//! by two, one on `PostgreSQL` takes many (`facts/prefect3.md` §4.4, §8). Which of them answers
//! can't be asked, so it is measured.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Writes that are measured before the number of places is reconsidered. What is done before
/// that is not worth the risk of a second place.
const WINDOW: usize = 24;

/// How much faster one more place has to make it.
const GAIN: f64 = 1.15;

/// Lets in as many writes at once as the server is known to take.
#[derive(Debug)]
pub(super) struct Gate {
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Debug)]
struct State {
    pace: Pace,
    running: usize,
}

/// A place among the running writes; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place<'a> {
    gate: &'a Gate,
}

impl Gate {
    /// A gate that never lets in more than `most` at once.
    pub(super) fn new(most: usize) -> Self {
        let pace = Pace::new(most.max(1), Instant::now());
        Self { state: Mutex::new(State { pace, running: 0 }), freed: Condvar::new() }
    }

    /// Waits for a place.
    pub(super) fn enter(&self) -> Place<'_> {
        let mut state = self.lock();
        while state.running >= state.pace.places {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.running += 1;
        Place { gate: self }
    }

    /// How many writes are let in at once now.
    pub(super) fn places(&self) -> usize {
        self.lock().pace.places
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place<'_> {
    /// Says that the server is in trouble: busy, or no answer in time.
    pub(super) fn troubled(&self) {
        self.gate.lock().pace.troubled();
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut state = self.gate.lock();
        state.running -= 1;
        state.pace.finished(Instant::now());
        drop(state);
        self.gate.freed.notify_all();
    }
}

/// The rule by which the number of places grows and falls.
#[derive(Debug)]
struct Pace {
    places: usize,
    most: usize,
    settled: bool,
    /// Writes per second with the places before.
    best: Option<f64>,
    since: Instant,
    finished: usize,
}

impl Pace {
    fn new(most: usize, now: Instant) -> Self {
        Self { places: 1, most, settled: most == 1, best: None, since: now, finished: 0 }
    }

    fn troubled(&mut self) {
        self.places = 1;
        self.settled = true;
    }

    fn finished(&mut self, now: Instant) {
        self.finished += 1;
        if self.settled || self.finished < WINDOW {
            return;
        }
        let seconds = now.duration_since(self.since).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a count of a few dozen")]
        let rate = self.finished as f64 / seconds.max(f64::EPSILON);
        if self.best.is_none_or(|best| rate >= best * GAIN) {
            self.best = Some(rate);
            self.settled = self.places == self.most;
            self.places = (self.places + 1).min(self.most);
        } else {
            self.places -= usize::from(self.places > 1);
            self.settled = true;
        }
        self.since = now;
        self.finished = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Runs `writes` at a server that takes this long for each when `places` run at once.
    fn run(pace: &mut Pace, writes: usize, seconds: impl Fn(usize) -> f64) -> usize {
        let mut now = pace.since;
        let mut highest = pace.places;
        for _ in 0..writes {
            now += Duration::from_secs_f64(seconds(pace.places));
            pace.finished(now);
            highest = highest.max(pace.places);
        }
        highest
    }

    #[test]
    fn it_grows_to_the_bound_while_every_place_pays() {
        let mut pace = Pace::new(8, Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "small")]
        run(&mut pace, 2000, |places| 0.04 / (places as f64).powf(1.2));
        assert_eq!(pace.places, 8);
    }

    #[test]
    fn it_goes_back_to_one_where_two_are_no_faster() {
        let mut pace = Pace::new(8, Instant::now());
        assert_eq!(run(&mut pace, 2000, |_| 0.04), 2);
        assert_eq!(pace.places, 1);
    }

    #[test]
    fn one_sign_of_trouble_means_one_at_a_time_for_good() {
        let mut pace = Pace::new(8, Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let good = |places: usize| 0.04 / (places as f64).powf(1.2);
        run(&mut pace, 200, good);
        assert!(pace.places > 2);
        pace.troubled();
        run(&mut pace, 2000, good);
        assert_eq!(pace.places, 1);
    }

    #[test]
    fn the_gate_lets_in_no_more_than_its_places() {
        let gate = Gate::new(8);
        let first = gate.enter();
        std::thread::scope(|scope| {
            let second = scope.spawn(|| drop(gate.enter()));
            std::thread::sleep(Duration::from_millis(50));
            assert!(!second.is_finished());
            drop(first);
            second.join().unwrap();
        });
    }
}
