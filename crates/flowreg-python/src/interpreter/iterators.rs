//! Iterators: what gives its items one after the other, and only once. Each item is made when it is taken,
//! as Python does it, so that what it changes is changed then.

use std::cell::RefCell;
use std::rc::Rc;

use ruff_python_ast::{Comprehension, Expr};

use super::blocks::Ending;
use super::bound::names_read;
use super::{Evaluated, Interpreter};
use crate::touched::Touched;
use crate::value::{
    Function, FunctionNames, Iterating, Iterator, Keywords, Lost, Scope, Shared, Unknown, Value,
};

/// How many items are taken from one iterator. `itertools.count` has no end.
const MOST_ITEMS: usize = 2_000;

/// What an iterator gives next.
pub(super) enum Next<'a> {
    Item(Value<'a>),
    End,
    NotKnown,
}

/// The order in which Python goes through a set, where that is certain: small numbers lie in a table of
/// eight places by their last three bits, and of up to four no two may share a place.
fn ordered<'a>(items: &[Value<'a>]) -> Option<Vec<Value<'a>>> {
    if items.len() < 2 {
        return Some(items.to_vec());
    }
    let mut places: [Option<&Value<'a>>; 8] = [None; 8];
    for item in items {
        let Value::Int(int) = item else { return None };
        let number = int.small().filter(|number| (0..1 << 60).contains(number))?;
        let place = places.get_mut(usize::try_from(number % 8).ok()?)?;
        if place.replace(item).is_some() {
            return None;
        }
    }
    (items.len() <= 4).then(|| places.into_iter().flatten().cloned().collect())
}

/// The items of a container in the order in which Python goes through them; `None` if that is not known.
pub(super) fn contained<'a>(value: &Value<'a>) -> Option<Vec<Value<'a>>> {
    if value.lost().is_some() {
        return None;
    }
    Some(match value {
        Value::List(items) | Value::Tuple(items) | Value::View(items) => items.to_vec(),
        // A set that was changed may have a larger table.
        Value::Set(items) if items.len() < 2 || items.changes() == 0 => return ordered(items),
        Value::Dict(entries) => entries.iter().map(|(key, _)| key.clone()).collect(),
        Value::Str(text) => text.chars().map(|char| Value::text(char.to_string())).collect(),
        _ => return None,
    })
}

pub(super) fn iterator(iterating: Iterating<'_>) -> Value<'_> {
    Value::Iterator(Rc::new(Iterator {
        iterating,
        taken: Shared::default(),
        has_ended: Shared::default(),
        lost: Lost::default(),
    }))
}

impl<'a> Interpreter<'a> {
    /// `iter(value)`; `None` if it is not known what that gives.
    pub(super) fn iterator_of(&self, value: &Value<'a>) -> Evaluated<Option<Value<'a>>> {
        if let Value::Iterator(_) = value {
            return Ok(Some(value.clone()));
        }
        if let Some(made) = self.special_method(value, "__iter__", &[]) {
            return Ok(Some(made?).filter(|made| matches!(made, Value::Iterator(_))));
        }
        let items = contained(value);
        Ok(items.map(|items| iterator(Iterating::Items(items, value.clone(), value.changes()))))
    }

    /// Takes the next item of an iterator.
    ///
    /// # Errors
    /// [`super::Raised`] if making the item certainly raises.
    pub(super) fn next_of(&self, value: &Value<'a>) -> Evaluated<Next<'a>> {
        let Value::Iterator(iterator) = value else { return Ok(Next::NotKnown) };
        if iterator.has_ended.get() && iterator.lost.get().is_none() {
            return Ok(Next::End);
        }
        let taken = iterator.taken.get();
        let next =
            if iterator.lost.get().is_some() || taken >= MOST_ITEMS || !self.is_certain_to_run() {
                Next::NotKnown
            } else {
                iterator.taken.set(taken + 1);
                self.made_next(&iterator.iterating, taken)?
            };
        match next {
            Next::NotKnown => self.lose(value, "an item is taken that is not known"),
            Next::End => iterator.has_ended.set(true),
            Next::Item(_) => {}
        }
        Ok(next)
    }

    fn made_next(&self, iterating: &Iterating<'a>, taken: usize) -> Evaluated<Next<'a>> {
        match iterating {
            Iterating::Items(items, source, changes) => {
                if source.changes() != *changes {
                    return Ok(Next::NotKnown);
                }
                Ok(items.get(taken).map_or(Next::End, |item| Next::Item(item.clone())))
            }
            Iterating::Zip(sources) => Ok(match self.next_of_all(sources)? {
                Ok(items) => Next::Item(Value::tuple(items)),
                Err(other) => other,
            }),
            Iterating::Map(function, sources) => match self.next_of_all(sources)? {
                Ok(items) => self.call(function, &items, &Keywords::new()).map(Next::Item),
                Err(other) => Ok(other),
            },
            Iterating::Filter(function, source) => loop {
                let item = match self.next_of(source)? {
                    Next::Item(item) => item,
                    other => return Ok(other),
                };
                let answer = if let Value::None = function {
                    item.clone()
                } else {
                    self.call(function, std::slice::from_ref(&item), &Keywords::new())?
                };
                match self.condition(&answer)? {
                    Some(true) => return Ok(Next::Item(item)),
                    Some(false) => {}
                    None => return Ok(Next::NotKnown),
                }
            },
            Iterating::Enumerate(source, start) => Ok(match self.next_of(source)? {
                Next::Item(item) => {
                    let at = i128::try_from(taken).unwrap_or(i128::MAX);
                    Next::Item(Value::tuple(vec![Value::int(start.saturating_add(at)), item]))
                }
                other => other,
            }),
            Iterating::Chain(sources) => {
                for source in sources {
                    match self.next_of(source)? {
                        Next::End => {}
                        other => return Ok(other),
                    }
                }
                Ok(Next::End)
            }
            Iterating::Slice(source, skipped, most) => {
                if taken == 0 {
                    for _ in 0..*skipped {
                        match self.next_of(source)? {
                            Next::Item(_) => {}
                            other => return Ok(other),
                        }
                    }
                }
                if most.is_some_and(|most| taken >= most) {
                    return Ok(Next::End);
                }
                self.next_of(source)
            }
            Iterating::Count(start, step) => {
                let at = i128::try_from(taken).unwrap_or(i128::MAX);
                Ok(at
                    .checked_mul(*step)
                    .and_then(|far| far.checked_add(*start))
                    .map_or(Next::NotKnown, |number| Next::Item(Value::int(number))))
            }
            Iterating::Expression(element, generator, source, scope) => {
                self.next_of_expression(element, generator, source, scope)
            }
            Iterating::Call(function, scope, items) => {
                if items.borrow().is_none() {
                    // Its body runs as a whole. That is the same only if it does nothing but read, and as long
                    // as nobody changes what it reads.
                    let Some(read) = read_by(function, scope) else {
                        return Ok(Next::NotKnown);
                    };
                    let Some(made) = self.run_generator(function, scope)? else {
                        return Ok(Next::NotKnown);
                    };
                    *items.borrow_mut() = Some((made, read));
                }
                let known = items.borrow();
                let Some((items, read)) = &*known else { return Ok(Next::NotKnown) };
                if read.iter().any(|(value, changes)| value.changes() != *changes) {
                    return Ok(Next::NotKnown);
                }
                Ok(items.get(taken).map_or(Next::End, |item| Next::Item(item.clone())))
            }
        }
    }

    fn next_of_all(&self, sources: &[Value<'a>]) -> Evaluated<Result<Vec<Value<'a>>, Next<'a>>> {
        let mut items = Vec::with_capacity(sources.len());
        for source in sources {
            match self.next_of(source)? {
                Next::Item(item) => items.push(self.kept(item)),
                other => return Ok(Err(other)),
            }
        }
        // `zip()` of nothing.
        Ok(if sources.is_empty() { Err(Next::End) } else { Ok(items) })
    }

    fn next_of_expression(
        &self,
        element: &'a Expr,
        generator: &'a Comprehension,
        source: &Value<'a>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Next<'a>> {
        'items: loop {
            let item = match self.next_of(source)? {
                Next::Item(item) => item,
                other => return Ok(other),
            };
            if !self.spend(1 + generator.ifs.len()) {
                return Ok(Next::NotKnown);
            }
            self.bind(&generator.target, &item, scope)?;
            for condition in &generator.ifs {
                let test = self.value(condition, scope)?;
                match self.condition(&test)? {
                    Some(true) => {}
                    Some(false) => continue 'items,
                    None => return Ok(Next::NotKnown),
                }
            }
            return self.value(element, scope).map(Next::Item);
        }
    }

    /// A generator expression, which takes its first iterator where it stands; `None` if it is not followed.
    pub(super) fn generator_expression(
        &self,
        expression: &'a Expr,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Option<Value<'a>>> {
        let Expr::Generator(made) = expression else { return Ok(None) };
        let [generator] = &made.generators[..] else { return Ok(None) };
        if generator.is_async || scope.is_class() || self.program.is_some() {
            return Ok(None);
        }
        let iterated = self.value(&generator.iter, scope)?;
        if super::certain::is_not_iterable(&iterated) {
            return self.not_iterable(&iterated);
        }
        let Some(source) = self.iterator_of(&iterated)? else {
            self.lose(&iterated, "it is gone through in a way that is not known");
            return Ok(None);
        };
        let inner = self.comprehension_scope(generator, scope);
        Ok(Some(iterator(Iterating::Expression(&made.elt, generator, source, inner))))
    }

    pub(super) fn comprehension_scope(
        &self,
        generator: &'a Comprehension,
        scope: &Rc<Scope<'a>>,
    ) -> Rc<Scope<'a>> {
        let locals = names_read(&generator.target).into_iter().collect();
        let names = FunctionNames { locals, is_comprehension: true, ..FunctionNames::default() };
        self.keep(Scope::function(names, "<listcomp>", scope))
    }

    /// All items of what can be gone through; `None` if they are not known, and then what may have been
    /// taken is given up.
    ///
    /// # Errors
    /// [`super::Raised`] if making an item certainly raises.
    pub(super) fn taken(&self, value: &Value<'a>) -> Evaluated<Option<Vec<Value<'a>>>> {
        if let Value::Iterator(iterator) = value
            && let Iterating::Call(function, scope, known) = &iterator.iterating
            && known.borrow().is_none()
            && iterator.taken.get() == 0
            && iterator.lost.get().is_none()
            && self.is_certain_to_run()
        {
            iterator.has_ended.set(true);
            let items = self.run_generator(function, scope)?;
            if items.is_none() {
                self.lose(value, "what a generator gives is not known");
            }
            return Ok(items);
        }
        if !matches!(value, Value::Iterator(_) | Value::Opaque(_)) {
            return Ok(contained(value));
        }
        let Some(iterator) = self.iterator_of(value)? else { return Ok(None) };
        let mut items = Vec::new();
        loop {
            match self.next_of(&iterator)? {
                Next::Item(item) => items.push(self.kept(item)),
                Next::End => return Ok(Some(items)),
                Next::NotKnown => return Ok(None),
            }
        }
    }

    /// Runs the body of a generator to its end; what it gives, if that is known.
    fn run_generator(
        &self,
        function: &Rc<Function<'a>>,
        scope: &Rc<Scope<'a>>,
    ) -> Evaluated<Option<Vec<Value<'a>>>> {
        let Some(definition) = function.definition else { return Ok(None) };
        self.yields.borrow_mut().push(Some(Vec::new()));
        let site = self.here();
        let outcome = self.deeper(
            || self.run_body(&definition.body, scope),
            || Ok(Ending::NotKnown(super::TOO_DEEP.to_owned())),
        );
        self.at.set(site);
        let items = self.yields.borrow_mut().pop().flatten();
        Ok(match outcome.or_else(|raised| super::imports::passed(raised, site))? {
            Ending::NotKnown(why) => {
                self.lose_call(function, &[], &Keywords::new(), &why);
                let names = scope.names.borrow().snapshot();
                names.iter().for_each(|(_, value)| self.lose(value, &why));
                None
            }
            _ => items,
        })
    }

    /// `yield value` in a generator that is run.
    pub(super) fn give(&self, values: Option<Vec<Value<'a>>>) {
        let is_certain = self.is_certain_to_run();
        if let Some(open) = self.yields.borrow_mut().last_mut() {
            match (values, open.as_mut()) {
                (Some(values), Some(items)) if is_certain && items.len() < MOST_ITEMS => {
                    items.extend(values);
                }
                _ => *open = None,
            }
        }
    }

    /// A value where it is kept: an iterator gives its items only once, and is followed only under a name.
    pub(super) fn kept(&self, value: Value<'a>) -> Value<'a> {
        match &value {
            Value::Iterator(_) => {
                let unknown = self.unknown("an iterator gives its items only once");
                self.lose(&value, "it is kept in another object");
                unknown
            }
            _ => value,
        }
    }
}

/// The objects that a generator reads, and how often each was changed; `None` if it does more, or reads what
/// may be bound anew.
fn read_by<'a>(
    function: &Rc<Function<'a>>,
    scope: &Rc<Scope<'a>>,
) -> Option<Vec<(Value<'a>, Option<usize>)>> {
    let given = scope.names.borrow().snapshot();
    let touched = Touched::of_function(function);
    let is_fixed = |name: &&str| {
        scope.own(name).is_some()
            || scope.kind.has_local(name)
            || matches!(scope.get(name), Some(Value::Symbol(path)) if path.starts_with("builtins."))
    };
    if !Touched::only_reads(function) || !touched.read.iter().all(is_fixed) {
        return None;
    }
    let within = given.iter().flat_map(|(_, value)| value.objects_within());
    let all = given.iter().map(|(_, value)| value.clone()).chain(within);
    Some(all.map(|value| (value.clone(), value.changes())).collect())
}

impl<'a> Iterator<'a> {
    /// The values that it goes through or calls.
    pub(crate) fn parts(&self) -> Vec<&Value<'a>> {
        match &self.iterating {
            Iterating::Items(_, source, _)
            | Iterating::Enumerate(source, _)
            | Iterating::Slice(source, ..)
            | Iterating::Expression(_, _, source, _) => vec![source],
            Iterating::Zip(sources) | Iterating::Chain(sources) => sources.iter().collect(),
            Iterating::Map(function, sources) => std::iter::once(function).chain(sources).collect(),
            Iterating::Filter(function, source) => vec![function, source],
            Iterating::Count(..) | Iterating::Call(..) => Vec::new(),
        }
    }

    pub(crate) fn lose(&self, why: &Rc<Unknown>) {
        self.lost.lose(why);
    }
}

/// The items of a generator that was run.
pub(super) type Given<'a> = RefCell<Vec<Option<Vec<Value<'a>>>>>;
