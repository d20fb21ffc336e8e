//! Objects that Python code can change: what they hold, and whether that is known.

use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;

use foldhash::HashMap;

use super::run::{Lost, Shared, Versions};
use super::{Keywords, Location, MOST_PARTS, Made, PrefectCall, Unknown, Value};

/// How many items the contents of one object may have together, over all its changes.
const MOST_CHANGED: usize = 100_000;

/// The content of a list, dictionary, set, tuple, instance, or view of a dictionary. It is told by its
/// place in memory: two names of one list share one object, and see what either changes.
///
/// What may change an object in ways that are not computed makes it *lost*: from then on, whoever reads
/// it finds something unknown (docs/exactness.md, "What is changed after it was made").
pub(crate) struct Object<T> {
    first: T,
    /// The contents after each change.
    later: Versions<T>,
    state: Shared<State>,
    lost: Rc<Lost>,
    /// What shows the content as it is at the time, and is lost as soon as that changes.
    views: RefCell<Vec<Rc<Lost>>>,
}

#[derive(Clone, Copy, Default)]
struct State {
    /// How many items all contents have together.
    spent: usize,
    /// Whether something else is lost with it, or it with something else, as soon as either is changed.
    is_linked: bool,
}

impl<T> Object<T> {
    pub(crate) fn new(content: T) -> Rc<Self> {
        Rc::new(Self::with(content, Rc::default()))
    }

    fn with(content: T, lost: Rc<Lost>) -> Self {
        Self {
            first: content,
            later: Versions::default(),
            state: Shared::default(),
            lost,
            views: RefCell::default(),
        }
    }

    /// What shows another object, as `dict.values()` does: it is lost as soon as that is changed.
    pub(crate) fn view<U>(&self, content: U) -> Rc<Object<U>> {
        let view = Object::new(content);
        match self.lost() {
            Some(lost) => view.lose(lost),
            None => self.views.borrow_mut().push(Rc::clone(&view.lost)),
        }
        view
    }

    /// What may be this object or a copy of it: if either is changed, both are lost.
    fn link<U>(&self, content: U) -> Rc<Object<U>> {
        if !self.state.get().is_linked {
            self.state.borrow_mut().is_linked = true;
        }
        let linked = Object::with(content, Rc::clone(&self.lost));
        linked.state.borrow_mut().is_linked = true;
        Rc::new(linked)
    }

    /// Changes the content; `false` if that can't be followed.
    pub(crate) fn change(&self, content: T, length: usize) -> bool {
        let State { spent, is_linked } = self.state.get();
        let spent = spent.saturating_add(length);
        if spent > MOST_CHANGED || is_linked || self.lost().is_some() {
            return false;
        }
        let why = "it shows a dictionary that is changed later".to_owned();
        self.lose_views(&Rc::new(Unknown { why, at: Location::default(), is_flow_like: false }));
        self.state.borrow_mut().spent = spent;
        self.later.push(content);
        true
    }

    /// Whether it may be a copy of another object, or another one of it.
    pub(crate) fn is_linked(&self) -> bool {
        self.state.get().is_linked
    }

    /// How often it was changed.
    pub(crate) fn changes(&self) -> usize {
        self.later.count()
    }

    /// Notes why the content is not known any more. The first reason is kept.
    pub(crate) fn lose(&self, why: &Rc<Unknown>) {
        self.lost.lose(why);
        self.lose_views(why);
    }

    fn lose_views(&self, why: &Rc<Unknown>) {
        // They stay where they are: another script may not have changed anything.
        self.views.borrow().iter().for_each(|view| view.lose(why));
    }

    pub(crate) fn lost(&self) -> Option<&Rc<Unknown>> {
        self.lost.get()
    }
}

impl<T> Deref for Object<T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.later.last().unwrap_or(&self.first)
    }
}

/// The items of a list, set, tuple or view.
pub(crate) type Items<'a> = Object<Vec<Value<'a>>>;

/// The entries of a dictionary.
pub(crate) type Entries<'a> = Object<Vec<(Value<'a>, Value<'a>)>>;

/// The fields of an instance.
pub(crate) type Fields<'a> = Object<Keywords<'a>>;

impl<'a> Value<'a> {
    pub(crate) fn list(items: Vec<Value<'a>>) -> Self {
        Value::List(Object::new(items))
    }

    pub(crate) fn tuple(items: Vec<Value<'a>>) -> Self {
        Value::Tuple(Object::new(items))
    }

    pub(crate) fn set(items: Vec<Value<'a>>) -> Self {
        Value::Set(Object::new(items))
    }

    pub(crate) fn dict(entries: Vec<(Value<'a>, Value<'a>)>) -> Self {
        Value::Dict(Object::new(entries))
    }

    /// Why the content of this very object is not known any more, if so.
    pub(crate) fn lost(&self) -> Option<&Rc<Unknown>> {
        match self {
            Value::List(items) | Value::Set(items) | Value::View(items) => items.lost(),
            Value::Dict(entries) => entries.lost(),
            Value::Instance(instance) => instance.fields.lost(),
            _ => None,
        }
    }

    /// The value as it is read: unknown if the object is lost.
    pub(crate) fn unless_lost(self) -> Value<'a> {
        match self.lost() {
            Some(lost) => Value::Unknown(Rc::clone(lost)),
            None => self,
        }
    }

    /// How often this very object was changed; `None` once it is lost.
    pub(crate) fn changes(&self) -> Option<usize> {
        if self.lost().is_some() {
            return None;
        }
        Some(match self {
            Value::List(items) | Value::Set(items) | Value::View(items) => items.changes(),
            Value::Dict(entries) => entries.changes(),
            Value::Instance(instance) => instance.fields.changes(),
            Value::Opaque(opaque) => opaque.attributes.as_ref().map_or(0, |all| all.changes()),
            _ => 0,
        })
    }

    /// The value where it may be copied or not, as pydantic does it: if either is changed, both are lost.
    pub(crate) fn linked(&self) -> Value<'a> {
        self.linked_within(&mut MOST_PARTS.clone())
    }

    fn linked_within(&self, budget: &mut u32) -> Value<'a> {
        // What is too large is never told as it is.
        let Some(rest) = budget.checked_sub(1) else { return self.clone() };
        *budget = rest;
        let mut all = |items: &[Value<'a>]| -> Vec<Value<'a>> {
            items.iter().map(|item| item.linked_within(budget)).collect()
        };
        match self {
            Value::List(items) => Value::List(items.link(all(items))),
            Value::Set(items) => Value::Set(items.link(all(items))),
            Value::Tuple(items) => Value::tuple(all(items)),
            Value::Dict(entries) => {
                let linked = entries.iter();
                let linked = linked.map(|(key, item)| (key.clone(), item.linked_within(budget)));
                Value::Dict(entries.link(linked.collect()))
            }
            _ => self.clone(),
        }
    }

    /// A copy of the value as it is now, with copies of the objects in it.
    pub(crate) fn copied(&self) -> Value<'a> {
        self.copied_within(&mut MOST_PARTS.clone(), &mut HashMap::default())
    }

    /// An object that is met twice is copied once.
    fn copied_within(
        &self,
        budget: &mut u32,
        copies: &mut HashMap<*const (), Value<'a>>,
    ) -> Value<'a> {
        let place: Option<*const ()> = match self {
            Value::List(items) | Value::Set(items) => Some(Rc::as_ptr(items).cast()),
            Value::Dict(entries) => Some(Rc::as_ptr(entries).cast()),
            _ => None,
        };
        if let Some(copy) = place.and_then(|place| copies.get(&place)) {
            return copy.clone();
        }
        let copy = self.new_copy(budget, copies);
        copies.extend(place.map(|place| (place, copy.clone())));
        copy
    }

    fn new_copy(&self, budget: &mut u32, copies: &mut HashMap<*const (), Value<'a>>) -> Value<'a> {
        // What is too large is not read by whoever asks for the copy.
        let Some(rest) = budget.checked_sub(1).filter(|_| self.lost().is_none()) else {
            return self.clone();
        };
        *budget = rest;
        let mut all = |items: &[Value<'a>]| -> Vec<Value<'a>> {
            items.iter().map(|item| item.copied_within(budget, copies)).collect()
        };
        match self {
            Value::List(items) => Value::list(all(items)),
            Value::Tuple(items) => Value::tuple(all(items)),
            Value::Set(items) => Value::set(all(items)),
            Value::Dict(entries) => {
                let entries = entries.iter();
                let copied =
                    entries.map(|(key, item)| (key.clone(), item.copied_within(budget, copies)));
                Value::dict(copied.collect())
            }
            Value::Made(made) => match &**made {
                Made::Call(call) => {
                    let keywords = call.keywords.iter();
                    Value::made(Made::Call(PrefectCall {
                        path: Rc::clone(&call.path),
                        arguments: all(&call.arguments),
                        keywords: keywords
                            .map(|(name, value)| {
                                (Rc::clone(name), value.copied_within(budget, copies))
                            })
                            .collect(),
                        at: call.at,
                    }))
                }
                _ => self.clone(),
            },
            _ => self.clone(),
        }
    }

    /// The objects in this value that can be changed, but for the value itself.
    pub(crate) fn objects_within(&self) -> Vec<Value<'a>> {
        let (mut objects, mut budget) = (Vec::new(), MOST_PARTS);
        self.collect_objects(&mut objects, &mut budget);
        objects
    }

    fn collect_objects(&self, objects: &mut Vec<Value<'a>>, budget: &mut u32) {
        for part in self.parts() {
            let Some(rest) = budget.checked_sub(1) else { return };
            *budget = rest;
            if matches!(
                part,
                Value::List(_)
                    | Value::Dict(_)
                    | Value::Set(_)
                    | Value::Instance(_)
                    | Value::Opaque(_)
            ) {
                objects.push(part.clone());
            }
            part.collect_objects(objects, budget);
        }
    }

    /// The first object in this value that is lost.
    pub(crate) fn find_lost(&self) -> Option<Rc<Unknown>> {
        self.find_lost_within(&mut MOST_PARTS.clone())
    }

    fn find_lost_within(&self, budget: &mut u32) -> Option<Rc<Unknown>> {
        // Who asks looks for other unknown parts as well, and finds that there are too many.
        *budget = budget.checked_sub(1)?;
        if let Some(lost) = self.lost() {
            return Some(Rc::clone(lost));
        }
        self.parts().into_iter().find_map(|part| part.find_lost_within(budget))
    }

    /// Whether an object can be reached from this value, as far as the parts are looked through; what is
    /// too large counts as if it could.
    pub(crate) fn reaches(&self, object: &Value<'a>, budget: &mut u32) -> bool {
        let Some(rest) = budget.checked_sub(1) else { return true };
        *budget = rest;
        self.is_same_object(object)
            || self.parts().into_iter().any(|part| part.reaches(object, budget))
    }

    /// Whether two values are one list, dictionary, set or instance.
    pub(crate) fn is_same_object(&self, other: &Value<'a>) -> bool {
        match (self, other) {
            (Value::List(left), Value::List(right)) | (Value::Set(left), Value::Set(right)) => {
                Rc::ptr_eq(left, right)
            }
            (Value::Dict(left), Value::Dict(right)) => Rc::ptr_eq(left, right),
            (Value::Instance(left), Value::Instance(right)) => Rc::ptr_eq(left, right),
            (Value::Opaque(left), Value::Opaque(right)) => Rc::ptr_eq(left, right),
            _ => false,
        }
    }

    /// The values that this one holds.
    pub(crate) fn parts(&self) -> Vec<&Value<'a>> {
        match self {
            Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::View(items) => {
                items.iter().collect()
            }
            Value::Dict(entries) => entries.iter().flat_map(|(key, item)| [key, item]).collect(),
            Value::Instance(instance) => instance.fields.iter().map(|(_, field)| field).collect(),
            Value::Opaque(opaque) => opaque
                .attributes
                .iter()
                .flat_map(|all| all.iter().map(|(_, value)| value))
                .collect(),
            Value::Super(of) => vec![&of.0],
            Value::Iterator(iterator) => iterator.parts(),
            Value::Member(member) => vec![&member.value],
            Value::Wrapped(inner, _) => vec![inner],
            Value::Bound(bound) => vec![&bound.0],
            Value::Partial(partial) => {
                let keywords = partial.keywords.iter().map(|(_, value)| value);
                std::iter::once(&partial.function)
                    .chain(&partial.arguments)
                    .chain(keywords)
                    .collect()
            }
            _ => Vec::new(),
        }
    }
}
