//! Calls of builtins, `itertools`, `functools` and `operator` that go through items or call functions.

use std::cmp::Ordering;
use std::rc::Rc;

use ruff_python_ast::{CmpOp, Operator, UnaryOp};

use super::iteration::extreme;
use super::iterators::{Next, contained, iterator};
use super::operators::{MOST_SORTED, order};
use super::subscripts::as_index;
use super::{Evaluated, Interpreter};
use crate::value::{Iterating, Keywords, Partial, Value, keyword};

/// Functions that take all items of their only argument, and nothing else.
const TAKING: &[&str] = &[
    "builtins.dict",
    "builtins.frozenset",
    "builtins.list",
    "builtins.set",
    "builtins.tuple",
    "collections.OrderedDict",
    "math.prod",
];

/// How many tuples `itertools.product` and the like make.
const MOST_TUPLES: usize = 2_000;

/// Methods of texts and containers that take all items of their arguments.
pub(super) const TAKING_METHODS: &[&str] = &[
    "difference",
    "difference_update",
    "extend",
    "fromkeys",
    "intersection",
    "intersection_update",
    "isdisjoint",
    "issubset",
    "issuperset",
    "join",
    "symmetric_difference",
    "union",
    "update",
];

impl<'a> Interpreter<'a> {
    /// A call that may run code of the repository; `None` if the function is no such.
    pub(super) fn call_functional(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Option<Value<'a>>> {
        let none = keywords.is_empty();
        Ok(Some(match (path.strip_prefix("builtins.").unwrap_or(path), arguments) {
            (_, [taken @ (Value::Iterator(_) | Value::Opaque(_))])
                if TAKING.contains(&path) && none =>
            {
                let Some(items) = self.taken(taken)? else {
                    return Ok(Some(self.not_taken(path, arguments, keywords)));
                };
                return self.call_symbol(path, &[Value::list(items)], keywords).map(Some);
            }
            ("iter", [value]) if none => match self.iterator_of(value)? {
                Some(iterator) => iterator,
                None => return Ok(Some(self.not_taken(path, arguments, keywords))),
            },
            ("next", [source @ Value::Iterator(_), rest @ ..]) if none && rest.len() < 2 => {
                match (self.next_of(source)?, rest.first()) {
                    (Next::Item(item), _) => item,
                    (Next::End, Some(otherwise)) => otherwise.clone(),
                    (Next::End, None) => return self.raise("StopIteration", ""),
                    (Next::NotKnown, _) => {
                        return Ok(Some(self.not_taken(path, arguments, keywords)));
                    }
                }
            }
            ("any" | "all", [value]) if none => {
                let Some(source) = self.iterator_of(value)? else {
                    return Ok(Some(self.not_taken(path, arguments, keywords)));
                };
                loop {
                    match self.next_of(&source)? {
                        Next::End => break Value::Bool(path == "builtins.all"),
                        Next::NotKnown => {
                            return Ok(Some(self.not_taken(path, arguments, keywords)));
                        }
                        Next::Item(item) => match self.condition(&item)? {
                            Some(truth) if truth == (path == "builtins.any") => {
                                break Value::Bool(truth);
                            }
                            Some(_) => {}
                            None => {
                                self.lose(&source, "how many items are taken is not known");
                                return Ok(Some(self.not_taken(
                                    path,
                                    std::slice::from_ref(&item),
                                    keywords,
                                )));
                            }
                        },
                    }
                }
            }
            ("map", [function, sources @ ..]) if none && !sources.is_empty() => {
                match self.sources(sources)? {
                    Some(sources) => iterator(Iterating::Map(function.clone(), sources)),
                    None => return Ok(Some(self.not_taken(path, arguments, keywords))),
                }
            }
            ("filter", [function, source]) if none => match self.iterator_of(source)? {
                Some(source) => iterator(Iterating::Filter(function.clone(), source)),
                None => return Ok(Some(self.not_taken(path, arguments, keywords))),
            },
            ("zip", sources) if none => match self.sources(sources)? {
                Some(sources) => iterator(Iterating::Zip(sources)),
                None => return Ok(Some(self.not_taken(path, arguments, keywords))),
            },
            ("enumerate", [source, rest @ ..]) if rest.len() + keywords.len() < 2 => {
                let zero = Value::int(0);
                let start = rest.first().or(keyword(keywords, "start")).unwrap_or(&zero);
                let is_known = none || keyword(keywords, "start").is_some();
                match (self.iterator_of(source)?, as_index(start)) {
                    (Some(source), Some(start)) if is_known => {
                        iterator(Iterating::Enumerate(source, i128::from(start)))
                    }
                    _ => return Ok(Some(self.not_taken(path, arguments, keywords))),
                }
            }
            (
                "reversed",
                [value @ (Value::List(_) | Value::Tuple(_) | Value::View(_) | Value::Str(_))],
            ) if none => match contained(value) {
                Some(mut items) => {
                    items.reverse();
                    iterator(Iterating::Items(items, value.clone(), value.changes()))
                }
                None => return Ok(Some(self.not_taken(path, arguments, keywords))),
            },
            ("sorted", [value]) => {
                let items = match value {
                    Value::Set(items) if value.lost().is_none() => Some(items.to_vec()),
                    value => self.taken(value)?,
                };
                let Some(items) = items else {
                    return Ok(Some(self.not_taken(path, arguments, keywords)));
                };
                match self.sorted_by(items, keywords)? {
                    Some(items) => Value::list(items),
                    None => return Ok(Some(self.not_taken(path, arguments, keywords))),
                }
            }
            ("min" | "max", [_, ..]) => return self.extreme_by(path, arguments, keywords),
            ("sum", [value, rest @ ..]) if none && rest.len() < 2 => {
                let items = match value {
                    Value::Set(items) if value.lost().is_none() => Some(items.to_vec()),
                    value => self.taken(value)?,
                };
                let Some(items) = items else {
                    return Ok(Some(self.not_taken(path, arguments, keywords)));
                };
                // From Python 3.12 on floats are added with less error.
                let floats = items.iter().filter(|item| matches!(item, Value::Float(_))).count();
                if floats > 1 {
                    return Ok(Some(self.not_taken(path, arguments, keywords)));
                }
                let mut total = rest.first().cloned().unwrap_or(Value::int(0));
                for item in items {
                    total = self.operator(Operator::Add, &total, &item)?;
                }
                total
            }
            ("functools.reduce", [function, source, rest @ ..]) if none && rest.len() < 2 => {
                let Some(items) = self.taken(source)? else {
                    return Ok(Some(self.not_taken(path, arguments, keywords)));
                };
                let mut items = items.into_iter();
                let Some(mut total) = rest.first().cloned().or_else(|| items.next()) else {
                    let message = "reduce() of empty iterable with no initial value";
                    return self.raise("TypeError", message);
                };
                for item in items {
                    total = self.call(function, &[total, item], &Keywords::new())?;
                }
                total
            }
            (name, _) if name.starts_with("itertools.") && none => {
                return self.call_itertools(path, arguments);
            }
            (name, _) if name.starts_with("operator.") && none => {
                return self.call_operator(path, arguments);
            }
            _ => return Ok(None),
        }))
    }

    /// What is unknown because the items of an argument are, which may have been taken.
    fn not_taken(&self, path: &str, arguments: &[Value<'a>], keywords: &Keywords<'a>) -> Value<'a> {
        let name = path.trim_start_matches("builtins.");
        let why = format!("it is given to `{name}()`, which is not followed there");
        let unknown = match arguments.iter().find_map(|value| value.find_unknown(self.here())) {
            Some(unknown) => Value::Unknown(unknown),
            None => self.unknown(format!("`{name}()` is not evaluated there")),
        };
        self.lose_arguments(arguments, keywords, &why);
        self.note_may_be(&unknown, arguments.iter().cloned());
        unknown
    }

    fn sources(&self, values: &[Value<'a>]) -> Evaluated<Option<Vec<Value<'a>>>> {
        let mut sources = Vec::with_capacity(values.len());
        for value in values {
            let Some(source) = self.iterator_of(value)? else { return Ok(None) };
            sources.push(source);
        }
        Ok(Some(sources))
    }

    fn call_itertools(&self, path: &str, arguments: &[Value<'a>]) -> Evaluated<Option<Value<'a>>> {
        let given = |items: Vec<Value<'a>>| {
            iterator(Iterating::Items(items, Value::None, Value::<'a>::None.changes()))
        };
        let tuples =
            |many: Vec<Vec<Value<'a>>>| given(many.into_iter().map(Value::tuple).collect());
        let name = path.trim_start_matches("itertools.");
        Ok(Some(match (name, arguments) {
            ("chain", sources) => match self.sources(sources)? {
                Some(sources) => iterator(Iterating::Chain(sources)),
                None => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
            },
            ("chain.from_iterable", [value]) => {
                let Some(values) = self.taken(value)? else {
                    return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                };
                match self.sources(&values)? {
                    Some(sources) => iterator(Iterating::Chain(sources)),
                    None => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
                }
            }
            ("islice", [source, bounds @ ..]) if matches!(bounds.len(), 1 | 2) => {
                let bounds: Option<Vec<Option<usize>>> = bounds
                    .iter()
                    .map(|bound| match bound {
                        Value::None => Some(None),
                        bound => Some(Some(usize::try_from(as_index(bound)?).ok()?)),
                    })
                    .collect();
                match (self.iterator_of(source)?, bounds.as_deref()) {
                    (Some(source), Some([most])) => iterator(Iterating::Slice(source, 0, *most)),
                    (Some(source), Some([first, end])) => {
                        let first = first.unwrap_or(0);
                        let most = end.map(|end| end.saturating_sub(first));
                        iterator(Iterating::Slice(source, first, most))
                    }
                    _ => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
                }
            }
            ("count", []) => iterator(Iterating::Count(0, 1)),
            ("count", [Value::Int(start)]) if let Some(start) = start.small() => {
                iterator(Iterating::Count(start, 1))
            }
            ("count", [Value::Int(start), Value::Int(step)])
                if let (Some(start), Some(step)) = (start.small(), step.small()) =>
            {
                iterator(Iterating::Count(start, step))
            }
            ("repeat", [item, count]) if let Some(count) = as_index(count) => {
                let count = usize::try_from(count).unwrap_or(0).min(MOST_TUPLES + 1);
                if count > MOST_TUPLES {
                    return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                }
                given(vec![item.clone(); count])
            }
            ("starmap", [function, source]) => {
                let Some(rows) = self.taken(source)? else {
                    return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                };
                // Each column is a source of a `map`.
                let rows: Option<Vec<Vec<Value<'a>>>> = rows.iter().map(contained).collect();
                let width = rows.as_ref().and_then(|rows| rows.first().map(Vec::len)).unwrap_or(0);
                match rows {
                    Some(rows) if width > 0 && rows.iter().all(|row| row.len() == width) => {
                        let column = |at: usize| {
                            given(rows.iter().filter_map(|row| row.get(at).cloned()).collect())
                        };
                        let sources = (0..width).map(column).collect();
                        iterator(Iterating::Map(function.clone(), sources))
                    }
                    _ => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
                }
            }
            ("accumulate", [source]) => {
                let Some(items) = self.taken(source)? else {
                    return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                };
                let mut sums: Vec<Value<'a>> = Vec::new();
                for item in items {
                    let sum = match sums.last() {
                        Some(before) => self.operator(Operator::Add, before, &item)?,
                        None => item,
                    };
                    sums.push(sum);
                }
                given(sums)
            }
            ("pairwise", [source]) => match self.taken(source)? {
                Some(items) => tuples(items.windows(2).map(<[_]>::to_vec).collect()),
                None => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
            },
            ("product", sources) if !sources.is_empty() => {
                let mut rows: Vec<Vec<Value<'a>>> = vec![Vec::new()];
                for source in sources {
                    let Some(items) = self.taken(source)? else {
                        return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                    };
                    if rows.len().saturating_mul(items.len()) > MOST_TUPLES {
                        return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                    }
                    let with = |row: &Vec<Value<'a>>| {
                        let longer = |item: &Value<'a>| {
                            row.iter().chain([item]).cloned().collect::<Vec<_>>()
                        };
                        items.iter().map(longer).collect::<Vec<_>>()
                    };
                    rows = rows.iter().flat_map(with).collect();
                }
                tuples(rows)
            }
            ("combinations" | "permutations", [source, length])
                if let Some(length) = as_index(length) =>
            {
                let Some(items) = self.taken(source)? else {
                    return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                };
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                let Some(chosen) = choices(items.len(), length, name == "permutations") else {
                    return Ok(Some(self.not_taken(path, arguments, &Keywords::new())));
                };
                let row = |places: Vec<usize>| {
                    places.into_iter().filter_map(|at| items.get(at).cloned()).collect()
                };
                tuples(chosen.into_iter().map(row).collect())
            }
            _ => return Ok(None),
        }))
    }

    fn call_operator(&self, path: &str, arguments: &[Value<'a>]) -> Evaluated<Option<Value<'a>>> {
        use CmpOp::{Eq, Gt, GtE, Lt, LtE, NotEq};
        let name = path.trim_start_matches("operator.");
        let binary = match name {
            "add" | "concat" => Some(Operator::Add),
            "sub" => Some(Operator::Sub),
            "mul" => Some(Operator::Mult),
            "truediv" => Some(Operator::Div),
            "floordiv" => Some(Operator::FloorDiv),
            "mod" => Some(Operator::Mod),
            "or_" => Some(Operator::BitOr),
            "and_" => Some(Operator::BitAnd),
            "xor" => Some(Operator::BitXor),
            _ => None,
        };
        let compared = match name {
            "eq" => Some(Eq),
            "ne" => Some(NotEq),
            "lt" => Some(Lt),
            "le" => Some(LtE),
            "gt" => Some(Gt),
            "ge" => Some(GtE),
            _ => None,
        };
        Ok(Some(match (name, arguments) {
            (_, [left, right]) if let Some(operator) = binary => {
                return self.operator(operator, left, right).map(Some);
            }
            (_, [left, right]) if let Some(operator) = compared => {
                return self.compared(operator, left, right).map(Some);
            }
            ("contains", [container, item]) => {
                return self.compared(CmpOp::In, item, container).map(Some);
            }
            ("not_", [value]) => match self.condition(value)? {
                Some(truth) => Value::Bool(!truth),
                None => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
            },
            ("truth", [value]) => match self.condition(value)? {
                Some(truth) => Value::Bool(truth),
                None => return Ok(Some(self.not_taken(path, arguments, &Keywords::new()))),
            },
            ("neg", [value]) => self.unary(UnaryOp::USub, value),
            ("getitem", [owner, index]) => return self.subscript(owner, index).map(Some),
            ("setitem", [owner, index, value]) => {
                self.check_item_change(owner, index, "assignment")?;
                self.set_item(owner, index, value, "`operator.setitem()` changes it")?;
                Value::None
            }
            ("itemgetter" | "attrgetter" | "methodcaller", [_, ..]) => {
                Value::Partial(Rc::new(Partial {
                    function: Value::Symbol(format!("{path}.__call__").into()),
                    arguments: arguments.to_vec(),
                    keywords: Keywords::new(),
                }))
            }
            ("itemgetter.__call__", [keys @ .., owner]) => {
                let mut items = Vec::new();
                for key in keys {
                    items.push(self.subscript(owner, key)?);
                }
                match <[_; 1]>::try_from(items) {
                    Ok([item]) => item,
                    Err(items) => Value::tuple(items),
                }
            }
            ("attrgetter.__call__", [Value::Str(names), owner]) => {
                let mut value = owner.clone();
                for name in names.split('.') {
                    value = self.attribute(&value, name)?;
                }
                value
            }
            ("methodcaller.__call__", [Value::Str(name), given @ .., owner]) => {
                let method = self.attribute(owner, name)?;
                return self.call(&method, given, &Keywords::new()).map(Some);
            }
            _ => return Ok(None),
        }))
    }

    /// Sorts as `sorted(items, key=…, reverse=…)` does; `None` if the order is not known.
    pub(super) fn sorted_by(
        &self,
        items: Vec<Value<'a>>,
        keywords: &Keywords<'a>,
    ) -> Evaluated<Option<Vec<Value<'a>>>> {
        let is_known = keywords.iter().all(|(name, _)| matches!(&**name, "key" | "reverse"));
        if !is_known || items.len() >= MOST_SORTED {
            return Ok(None);
        }
        let is_reversed = match keyword(keywords, "reverse") {
            Some(reverse) => match self.condition(reverse)? {
                Some(reverse) => reverse,
                None => return Ok(None),
            },
            None => false,
        };
        let mut keyed = Vec::with_capacity(items.len());
        for item in items {
            let key = match keyword(keywords, "key") {
                None | Some(Value::None) => item.clone(),
                Some(key) => self.call(key, std::slice::from_ref(&item), &Keywords::new())?,
            };
            keyed.push((key, item));
        }
        // Python keeps the order of equal items, also if it sorts backwards.
        let mut sorted: Vec<(Value<'a>, Value<'a>)> = Vec::with_capacity(keyed.len());
        for (key, item) in keyed {
            let mut place = sorted.len();
            for (at, (known, _)) in sorted.iter().enumerate().rev() {
                let Some(order) = order(&key, known) else { return Ok(None) };
                let goes_before = if is_reversed { Ordering::Greater } else { Ordering::Less };
                if order == goes_before {
                    place = at;
                }
            }
            sorted.insert(place, (key, item));
        }
        Ok(Some(sorted.into_iter().map(|(_, item)| item).collect()))
    }

    fn extreme_by(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Option<Value<'a>>> {
        let is_known = keywords.iter().all(|(name, _)| matches!(&**name, "key" | "default"));
        let items = match arguments {
            [Value::Set(items)] if keyword(keywords, "key").is_none() => Some(items.to_vec()),
            [value] => self.taken(value)?,
            many => Some(many.to_vec()),
        };
        let Some(items) = items.filter(|_| is_known) else {
            return Ok(Some(self.not_taken(path, arguments, keywords)));
        };
        let name = path.trim_start_matches("builtins.");
        if items.is_empty() {
            return match keyword(keywords, "default") {
                Some(default) => Ok(Some(default.clone())),
                None => self.raise("ValueError", format!("{name}() arg is an empty sequence")),
            };
        }
        let found = match keyword(keywords, "key") {
            None | Some(Value::None) => extreme(name, &items),
            Some(key) => {
                let mut best: Option<(Value<'a>, Value<'a>)> = None;
                for item in items {
                    let rank = self.call(key, std::slice::from_ref(&item), &Keywords::new())?;
                    let wanted = if name == "min" { Ordering::Less } else { Ordering::Greater };
                    // The first of equal items stays.
                    let is_better = match &best {
                        None => true,
                        Some((known, _)) => match order(&rank, known) {
                            Some(order) => order == wanted,
                            None => return Ok(Some(self.not_taken(path, arguments, keywords))),
                        },
                    };
                    if is_better {
                        best = Some((rank, item));
                    }
                }
                best.map(|(_, item)| item)
            }
        };
        match found {
            Some(found) => Ok(Some(found)),
            None => Ok(Some(self.not_taken(path, arguments, keywords))),
        }
    }
}

/// The places of `length` out of `count` items, in the order of `itertools`; `None` if there are too many.
fn choices(count: usize, length: usize, in_any_order: bool) -> Option<Vec<Vec<usize>>> {
    let mut rows: Vec<Vec<usize>> = vec![Vec::new()];
    for _ in 0..length {
        let longer = |row: &Vec<usize>| {
            let first = if in_any_order { 0 } else { row.last().map_or(0, |last| last + 1) };
            let places = (first..count).filter(|at| !row.contains(at));
            places.map(|at| row.iter().copied().chain([at]).collect()).collect::<Vec<Vec<usize>>>()
        };
        rows = rows.iter().flat_map(longer).collect();
        if rows.len() > MOST_TUPLES {
            return None;
        }
        if rows.is_empty() {
            break;
        }
    }
    Some(rows)
}
