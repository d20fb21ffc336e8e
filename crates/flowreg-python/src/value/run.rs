//! What scripts share, and what each of them changes in it.
//!
//! A module that several scripts import runs once, and all of them have its objects
//! ([`crate::interpreter::units`]). A *run* is the evaluation of one script, or of one module for all.
//! What a run writes into objects that it made itself is there for everybody; what it writes into those
//! of another run is seen by itself only, as if it had a copy.

use std::cell::{Cell, OnceCell, Ref, RefCell, RefMut};
use std::rc::Rc;

use elsa::FrozenVec;

use super::Unknown;

thread_local! {
    static NOW: Cell<State> = const { Cell::new(State { run: 0, outermost: 0, has_changed_others: false }) };
    static LAST: Cell<u32> = const { Cell::new(0) };
}

#[derive(Clone, Copy)]
struct State {
    run: u32,
    /// The first of the runs that are going on: what earlier ones wrote is of no use any more.
    outermost: u32,
    has_changed_others: bool,
}

/// The run of this thread that is going on; the one before goes on when this one is dropped.
pub(crate) struct Run {
    before: State,
}

impl Run {
    /// A run that stands in no other.
    pub(crate) fn outermost() -> Self {
        Self::begin(|run, _| run)
    }

    /// A run in the one that is going on.
    pub(crate) fn nested() -> Self {
        Self::begin(|_, before| before.outermost)
    }

    fn begin(outermost: impl FnOnce(u32, State) -> u32) -> Self {
        let run = LAST.get().wrapping_add(1);
        LAST.set(run);
        let before = NOW.get();
        let outermost = outermost(run, before);
        NOW.set(State { run, outermost, has_changed_others: false });
        Run { before }
    }

    /// Whether the run that is going on has written into an object of another one.
    pub(crate) fn has_changed_others() -> bool {
        NOW.get().has_changed_others
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        NOW.set(self.before);
    }
}

fn now() -> u32 {
    NOW.get().run
}

fn note_change_of_another() {
    NOW.set(State { has_changed_others: true, ..NOW.get() });
}

/// A value that can be changed.
pub(crate) struct Shared<T> {
    made_in: u32,
    value: RefCell<T>,
    /// What other runs made of it, the latest last.
    others: RefCell<Vec<(u32, T)>>,
}

impl<T: Default> Default for Shared<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> Shared<T> {
    pub(crate) fn new(value: T) -> Self {
        Shared { made_in: now(), value: RefCell::new(value), others: RefCell::default() }
    }

    /// Whether the run that is going on has made it.
    fn is_own(&self) -> bool {
        self.made_in == now()
    }

    pub(crate) fn borrow(&self) -> Ref<'_, T> {
        let run = now();
        if self.made_in != run {
            let of_run =
                |others: &Vec<(u32, T)>| others.iter().position(|(other, _)| *other == run);
            let others = self.others.borrow();
            if let Some(place) = of_run(&others)
                && let Ok(value) = Ref::filter_map(others, |others| Some(&others.get(place)?.1))
            {
                return value;
            }
        }
        self.value.borrow()
    }

    /// Empties it, whoever made it.
    pub(crate) fn clear(&self)
    where
        T: Default,
    {
        drop(self.value.take());
        drop(self.others.take());
    }
}

impl<T: Clone> Shared<T> {
    /// For a change that only the run that is going on sees, unless it has made the value.
    pub(crate) fn borrow_mut(&self) -> RefMut<'_, T> {
        if !self.is_own() {
            note_change_of_another();
        }
        self.borrow_mut_silently()
    }

    /// The same for a change that follows from what was imported, and makes no difference to other modules.
    pub(crate) fn borrow_mut_silently(&self) -> RefMut<'_, T> {
        let state = NOW.get();
        if self.made_in == state.run {
            return self.value.borrow_mut();
        }
        RefMut::map(self.others.borrow_mut(), |others| {
            others.retain(|(run, _)| *run >= state.outermost);
            let place = others.iter().position(|(run, _)| *run == state.run);
            let place = place.unwrap_or_else(|| {
                others.push((state.run, self.value.borrow().clone()));
                others.len() - 1
            });
            #[expect(clippy::indexing_slicing, reason = "it was found or put there just now")]
            &mut others[place].1
        })
    }
}

impl<T: Clone> Shared<Option<T>> {
    /// Gives it a value if it has none.
    pub(crate) fn fill(&self, value: impl FnOnce() -> T) {
        if self.borrow().is_none() {
            *self.borrow_mut() = Some(value());
        }
    }
}

impl<T: Copy> Shared<T> {
    pub(crate) fn get(&self) -> T {
        *self.borrow()
    }

    pub(crate) fn set(&self, value: T) {
        *self.borrow_mut() = value;
    }
}

/// Why something is not known any more, once it is not. The first reason is kept.
pub(crate) struct Lost {
    made_in: u32,
    why: OnceCell<Rc<Unknown>>,
    /// Why it is not for other runs, the latest last.
    others: FrozenVec<Box<(u32, Rc<Unknown>)>>,
}

impl Default for Lost {
    fn default() -> Self {
        Lost { made_in: now(), why: OnceCell::new(), others: FrozenVec::new() }
    }
}

impl Lost {
    pub(crate) fn get(&self) -> Option<&Rc<Unknown>> {
        if let Some(why) = self.why.get() {
            return Some(why);
        }
        if self.others.is_empty() {
            return None;
        }
        latest(&self.others, 0)
    }

    pub(crate) fn lose(&self, why: &Rc<Unknown>) {
        if self.made_in == now() {
            self.why.get_or_init(|| Rc::clone(why));
        } else if self.get().is_none() {
            note_change_of_another();
            self.others.push(Box::new((now(), Rc::clone(why))));
        }
    }
}

/// What a value was made into, one after the other. References to an earlier one stay what they are.
pub(crate) struct Versions<T> {
    made_in: u32,
    /// Those of the run that made the value are first.
    all: FrozenVec<Box<(u32, T)>>,
    own: Cell<usize>,
}

impl<T> Default for Versions<T> {
    fn default() -> Self {
        Versions { made_in: now(), all: FrozenVec::new(), own: Cell::new(0) }
    }
}

impl<T> Versions<T> {
    pub(crate) fn last(&self) -> Option<&T> {
        if self.all.is_empty() {
            return None;
        }
        let own = self.own.get();
        let of_run = if self.made_in == now() { None } else { latest(&self.all, own) };
        of_run.or_else(|| Some(&self.all.get(own.checked_sub(1)?)?.1))
    }

    pub(crate) fn push(&self, value: T) {
        let run = now();
        if self.made_in == run {
            self.own.set(self.own.get() + 1);
        } else {
            note_change_of_another();
        }
        self.all.push(Box::new((run, value)));
    }

    /// How many the run that is going on sees.
    pub(crate) fn count(&self) -> usize {
        let (run, own) = (now(), self.own.get());
        let others = || (own..self.all.len()).filter_map(|place| self.all.get(place));
        own + if self.made_in == run { 0 } else { others().filter(|(by, _)| *by == run).count() }
    }
}

/// The latest that the run that is going on has put there, from `first` on.
fn latest<T>(all: &FrozenVec<Box<(u32, T)>>, first: usize) -> Option<&T> {
    let State { run, outermost, .. } = NOW.get();
    (first..all.len())
        .rev()
        .map_while(|place| all.get(place))
        .take_while(|(by, _)| *by >= outermost)
        .find(|(by, _)| *by == run)
        .map(|(_, value)| value)
}
