//! Holds writes back: one at a time at first, more only while the server gains by it.
//!
//! A server on `SQLite` can freeze for a minute under four parallel writers and is no faster with
//! two, while one on `PostgreSQL` takes many (docs/facts/prefect.md, "Busy servers"). The API does
//! not tell which database a server has, so the pace of the writes is measured.

use std::cell::Cell;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// Writes that are measured before the number of slots is reconsidered. A run that is done before
/// that is not worth the risk of a second slot.
const WINDOW: usize = 24;

/// How much faster one more slot has to make it.
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

/// The permission for one write and what belongs to it; given back when it is dropped.
#[derive(Debug)]
pub(crate) struct WriteSlot<'a> {
    gate: &'a Gate,
    /// Whether this thread had one already, which this one is a part of.
    is_inner: bool,
}

thread_local! {
    /// Whether this thread has a slot. What has to be looked at directly before a write is looked at in its
    /// slot, and a write inside it must not wait for another.
    static HAS_SLOT: Cell<bool> = const { Cell::new(false) };
}

impl Gate {
    /// A gate that never lets in more than `most` at once.
    pub(super) fn new(most: usize) -> Self {
        let pace = Pace::new(most.max(1), Instant::now());
        Self { state: Mutex::new(State { pace, running: 0 }), freed: Condvar::new() }
    }

    /// Waits for a slot.
    pub(super) fn enter(&self) -> WriteSlot<'_> {
        if HAS_SLOT.get() {
            return WriteSlot { gate: self, is_inner: true };
        }
        let mut state = self.lock();
        while state.running >= state.pace.slots {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.running += 1;
        // The clock starts with the first write: what was read and planned before says nothing of its pace.
        state.pace.begin(Instant::now());
        HAS_SLOT.set(true);
        WriteSlot { gate: self, is_inner: false }
    }

    /// How many writes are let in at once now.
    pub(super) fn slots(&self) -> usize {
        self.lock().pace.slots
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl WriteSlot<'_> {
    /// Says that the server is in trouble: busy, or no answer in time.
    pub(super) fn troubled(&self) {
        self.gate.lock().pace.troubled();
    }
}

impl Drop for WriteSlot<'_> {
    fn drop(&mut self) {
        if self.is_inner {
            return;
        }
        HAS_SLOT.set(false);
        let mut state = self.gate.lock();
        state.running -= 1;
        state.pace.finished(Instant::now());
        drop(state);
        self.gate.freed.notify_all();
    }
}

/// The rule by which the number of slots grows and falls.
#[derive(Debug)]
struct Pace {
    slots: usize,
    most: usize,
    is_final: bool,
    /// Writes per second with the slots before.
    best: Option<f64>,
    /// When the window has begun; before the first write, when the gate was made.
    since: Instant,
    has_begun: bool,
    finished: usize,
}

impl Pace {
    fn new(most: usize, now: Instant) -> Self {
        Self {
            slots: 1,
            most,
            is_final: most == 1,
            best: None,
            since: now,
            has_begun: false,
            finished: 0,
        }
    }

    fn begin(&mut self, now: Instant) {
        if !self.has_begun {
            (self.since, self.has_begun) = (now, true);
        }
    }

    fn troubled(&mut self) {
        self.slots = 1;
        self.is_final = true;
    }

    fn finished(&mut self, now: Instant) {
        self.finished += 1;
        if self.is_final || self.finished < WINDOW {
            return;
        }
        // One slot more as long as the last one made the writes faster, else back by one and stay
        // there. Trying again later would risk a freeze for a gain that was not there.
        let seconds = now.duration_since(self.since).as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a count of a few dozen")]
        let rate = self.finished as f64 / seconds.max(f64::EPSILON);
        if self.best.is_none_or(|best| rate >= best * GAIN) {
            self.best = Some(rate);
            self.is_final = self.slots == self.most;
            self.slots = (self.slots + 1).min(self.most);
        } else {
            self.slots -= usize::from(self.slots > 1);
            self.is_final = true;
        }
        tracing::debug!(at_once = self.slots, per_second = rate, "writes");
        self.since = now;
        self.finished = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Runs `writes` at a server that takes this long for each when `slots` run at once.
    fn run(pace: &mut Pace, writes: usize, seconds: impl Fn(usize) -> f64) -> usize {
        let mut now = pace.since;
        let mut highest = pace.slots;
        for _ in 0..writes {
            now += Duration::from_secs_f64(seconds(pace.slots));
            pace.finished(now);
            highest = highest.max(pace.slots);
        }
        highest
    }

    #[test]
    fn it_grows_to_the_bound_while_every_slot_pays() {
        let mut pace = Pace::new(8, Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "small")]
        run(&mut pace, 2000, |slots| 0.04 / (slots as f64).powf(1.2));
        assert_eq!(pace.slots, 8);
    }

    #[test]
    fn it_goes_back_to_one_where_two_are_no_faster() {
        let mut pace = Pace::new(8, Instant::now());
        assert_eq!(run(&mut pace, 2000, |_| 0.04), 2);
        assert_eq!(pace.slots, 1);
    }

    #[test]
    fn one_sign_of_trouble_means_one_at_a_time_for_good() {
        let mut pace = Pace::new(8, Instant::now());
        #[expect(clippy::cast_precision_loss, reason = "small")]
        let good = |slots: usize| 0.04 / (slots as f64).powf(1.2);
        run(&mut pace, 200, good);
        assert!(pace.slots > 2);
        pace.troubled();
        run(&mut pace, 2000, good);
        assert_eq!(pace.slots, 1);
    }

    #[test]
    fn a_write_inside_a_slot_waits_for_no_other_and_counts_once() {
        let gate = Gate::new(8);
        let outer = gate.enter();
        drop((gate.enter(), gate.enter()));
        drop(outer);
        assert_eq!(gate.lock().pace.finished, 1);
        // The slot was given back.
        drop(gate.enter());
    }

    #[test]
    fn the_clock_starts_with_the_first_write() {
        let gate = Gate::new(8);
        let made = gate.lock().pace.since;
        std::thread::sleep(Duration::from_millis(5));
        drop(gate.enter());
        let began = gate.lock().pace.since;
        assert!(began > made);
        drop(gate.enter());
        assert_eq!(gate.lock().pace.since, began);
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
