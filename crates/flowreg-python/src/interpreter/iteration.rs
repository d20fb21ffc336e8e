//! Builtins that go through the items of what they are given.

use super::Interpreter;
use super::certain::is_unhashable;
use super::equality::is_equal;
use super::iterators::contained;
use super::operators::{MOST_SORTED, sorted};
use super::subscripts::as_index;
use crate::value::{Object, Value};

impl<'a> Interpreter<'a> {
    pub(super) fn of_items(&self, name: &str, arguments: &[Value<'a>]) -> Option<Value<'a>> {
        Some(match (name, arguments) {
            ("len", [value]) => Value::int(i128::try_from(length(value)?).ok()?),
            ("list", []) => Value::list(Vec::new()),
            ("tuple", []) => Value::tuple(Vec::new()),
            ("set" | "frozenset", []) => Value::set(Vec::new()),
            ("list" | "tuple" | "set" | "frozenset", [value]) => {
                let items = match value {
                    // The order of a set is that of its hashes.
                    Value::Set(items) if !matches!(name, "list" | "tuple") => items.to_vec(),
                    value => contained(value)?,
                };
                match name {
                    "list" => Value::list(items),
                    "tuple" => Value::tuple(items),
                    // Python raises `TypeError`; here it is only left unknown.
                    _ if items.iter().any(is_unhashable) => return None,
                    _ => self.set_of(&items),
                }
            }
            ("range", [_, ..] | [])
                if arguments.len() > 3
                    || arguments.is_empty()
                    || arguments.iter().any(|bound| !matches!(bound, Value::Int(_)))
                    || arguments.get(2).is_some_and(|step| Self::truth(step) == Some(false)) =>
            {
                return None;
            }
            ("range", _) => match range(arguments) {
                Some(numbers) => Value::View(Object::new(numbers)),
                None => Value::opaque("a range"),
            },
            _ => return None,
        })
    }
}

pub(super) fn length(value: &Value<'_>) -> Option<usize> {
    Some(match value {
        Value::Str(text) => text.chars().count(),
        Value::Bytes(bytes) => bytes.len(),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) | Value::View(items) => {
            items.len()
        }
        Value::Dict(entries) => entries.len(),
        _ => return None,
    })
}

/// The numbers of a range with known bounds, if there are not too many.
fn range<'a>(arguments: &[Value<'a>]) -> Option<Vec<Value<'a>>> {
    let bounds: Vec<i64> = arguments.iter().map(as_index).collect::<Option<_>>()?;
    let (start, end, step) = match *bounds {
        [end] => (0, end, 1),
        [start, end] => (start, end, 1),
        [start, end, step] => (start, end, step),
        _ => return None,
    };
    if step < 0 {
        // From the end backwards: as many numbers as there are forwards.
        let count = (start.checked_sub(end)?.max(0)).checked_add(-step - 1)? / -step;
        let count = usize::try_from(count).ok().filter(|count| *count <= LONGEST_RANGE)?;
        let number = |at: usize| {
            let far = i128::try_from(at).unwrap_or(0) * i128::from(step);
            Value::int(i128::from(start) + far)
        };
        return Some((0..count).map(number).collect());
    }
    let numbers = (start..end).step_by(usize::try_from(step).ok()?);
    let numbers: Vec<_> = numbers.take(LONGEST_RANGE + 1).collect();
    let numbers = Some(numbers).filter(|numbers| numbers.len() <= LONGEST_RANGE)?;
    Some(numbers.into_iter().map(|number| Value::int(i128::from(number))).collect())
}

/// How many numbers of a range are kept.
const LONGEST_RANGE: usize = 1000;

pub(super) fn extreme<'a>(name: &str, items: &[Value<'a>]) -> Option<Value<'a>> {
    if items.len() > MOST_SORTED {
        return None;
    }
    let items = sorted(items)?;
    let wanted = if name == "min" { items.first() } else { items.last() }?;
    // `max(1, 1.0)` gives the first of equal items. After sorting it is not known which that was,
    // unless equal items look the same.
    let same = items.iter().filter(|item| is_equal(item, wanted) == Some(true)).count();
    (same == 1 || items.iter().all(|item| matches!(item, Value::Int(_) | Value::Str(_))))
        .then(|| wanted.clone())
}
