//! What changes lists, dictionaries and sets in ways that are computed: their own methods, items that are
//! set and deleted, and operators like `+=`.

use super::equality::is_equal;
use super::iterators::contained;
use super::subscripts::{as_index, slice_range};
use super::{Evaluated, Interpreter};
use crate::value::{Entries, Items, Keywords, MOST_PARTS, Value};

/// What came of a change.
pub(super) enum Change<'a> {
    /// The object is changed, and the call gives this.
    Made(Value<'a>),
    /// It is not followed: the object has to be given up.
    NotFollowed,
}

impl<'a> Interpreter<'a> {
    /// Calls a method that changes its list, dictionary or set.
    ///
    /// # Errors
    /// [`super::Raised`] if the method certainly raises.
    pub(super) fn changed_by_method(
        &self,
        owner: &Value<'a>,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Change<'a>> {
        if !self.is_certain_to_run() || !may_hold(owner, arguments, keywords) {
            return Ok(Change::NotFollowed);
        }
        match owner {
            Value::List(items) if method == "sort" && arguments.is_empty() => {
                let changes = items.changes();
                match self.sorted_by(items.to_vec(), keywords)? {
                    Some(sorted) if items.changes() == changes => {
                        Ok(changed(items, sorted, Value::None))
                    }
                    _ => Ok(Change::NotFollowed),
                }
            }
            Value::List(items) if keywords.is_empty() => {
                self.list_changed(items, method, arguments)
            }
            Value::Set(items) if keywords.is_empty() => Ok(set_changed(items, method, arguments)),
            Value::Dict(entries) => self.dict_changed(entries, method, arguments, keywords),
            _ => Ok(Change::NotFollowed),
        }
    }

    /// Whether what stands here runs, and not only perhaps.
    pub(super) fn is_certain_to_run(&self) -> bool {
        self.open_guesses.get() == 0 && !self.is_in_doubt()
    }

    fn list_changed(
        &self,
        items: &Items<'a>,
        method: &str,
        arguments: &[Value<'a>],
    ) -> Evaluated<Change<'a>> {
        let mut content = items.to_vec();
        let given = match (method, arguments) {
            ("append", [item]) => {
                content.push(item.clone());
                Value::None
            }
            ("extend", [more]) => {
                let Some(more) = contained(more) else { return Ok(Change::NotFollowed) };
                content.extend(more);
                Value::None
            }
            ("insert", [at, item]) => {
                let Some(at) = as_index(at) else { return Ok(Change::NotFollowed) };
                // Python takes an index out of range for the nearest end.
                let length = i64::try_from(content.len()).unwrap_or(i64::MAX);
                let at = if at < 0 { at.saturating_add(length) } else { at };
                let at = usize::try_from(at.clamp(0, length)).unwrap_or(0);
                content.insert(at, item.clone());
                Value::None
            }
            ("pop", [] | [_]) => {
                let last = Value::int(-1);
                let Some(at) = position(arguments.first().unwrap_or(&last), content.len()) else {
                    return self.not_followed_unless_empty(&content);
                };
                content.remove(at)
            }
            ("remove", [item]) => {
                let mut at = None;
                for (number, known) in content.iter().enumerate() {
                    match is_equal(known, item) {
                        Some(true) => {
                            at = Some(number);
                            break;
                        }
                        Some(false) => {}
                        None => return Ok(Change::NotFollowed),
                    }
                }
                let Some(at) = at else {
                    return self.raise("ValueError", "list.remove(x): x not in list");
                };
                content.remove(at);
                Value::None
            }
            ("clear", []) => {
                content.clear();
                Value::None
            }
            ("reverse", []) => {
                content.reverse();
                Value::None
            }
            _ => return Ok(Change::NotFollowed),
        };
        Ok(changed(items, content, given))
    }

    fn not_followed_unless_empty(&self, content: &[Value<'a>]) -> Evaluated<Change<'a>> {
        if content.is_empty() {
            return self.raise("IndexError", "pop from empty list");
        }
        Ok(Change::NotFollowed)
    }

    fn dict_changed(
        &self,
        entries: &Entries<'a>,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Change<'a>> {
        let mut content = entries.to_vec();
        // An unknown key may be one of the others.
        let is_known = |key: &Value<'a>| key.is_constant() && !super::certain::is_unhashable(key);
        let find = |content: &[(Value<'a>, Value<'a>)], key: &Value<'a>| {
            content.iter().position(|(known, _)| is_equal(known, key) == Some(true))
        };
        if !content.iter().all(|(key, _)| is_known(key)) {
            return Ok(Change::NotFollowed);
        }
        let given = match (method, arguments) {
            ("update", [] | [Value::Dict(_)])
                if keywords.iter().all(|(name, _)| &**name != "**") =>
            {
                if let [Value::Dict(more)] = arguments {
                    if !more.iter().all(|(key, _)| is_known(key)) {
                        return Ok(Change::NotFollowed);
                    }
                    for (key, item) in more.iter() {
                        Self::put(&mut content, key.clone(), item.clone());
                    }
                }
                for (name, item) in keywords {
                    Self::put(&mut content, Value::Str(name.clone()), item.clone());
                }
                Value::None
            }
            ("setdefault", [key, rest @ ..]) if is_known(key) && rest.len() < 2 => {
                if let Some((_, item)) = find(&content, key).and_then(|at| content.get(at)) {
                    item.clone()
                } else {
                    let item = rest.first().cloned().unwrap_or(Value::None);
                    content.push((key.clone(), item.clone()));
                    item
                }
            }
            ("pop", [key, rest @ ..]) if is_known(key) && rest.len() < 2 => {
                match (find(&content, key), rest.first()) {
                    (Some(at), _) => content.remove(at).1,
                    (None, Some(otherwise)) => otherwise.clone(),
                    (None, None) => return self.missing_key(key),
                }
            }
            ("popitem", []) => match content.pop() {
                Some((key, item)) => Value::tuple(vec![key, item]),
                None => return self.raise("KeyError", "'popitem(): dictionary is empty'"),
            },
            ("clear", []) => {
                content.clear();
                Value::None
            }
            _ => return Ok(Change::NotFollowed),
        };
        Ok(changed(entries, content, given))
    }

    /// `owner[index] = value`; `None` deletes the item.
    pub(super) fn changed_item(
        &self,
        owner: &Value<'a>,
        index: &Value<'a>,
        value: Option<&Value<'a>>,
    ) -> Evaluated<Change<'a>> {
        let held: Vec<Value<'a>> = value.into_iter().cloned().collect();
        if !self.is_certain_to_run() || !may_hold(owner, &held, &Keywords::new()) {
            return Ok(Change::NotFollowed);
        }
        match (owner, index) {
            (Value::List(items), Value::Slice(slice)) => {
                let Some(range) = slice_range(slice, items.len()) else {
                    return Ok(Change::NotFollowed);
                };
                let more = match value {
                    None => Vec::new(),
                    Some(value) => match contained(value) {
                        Some(more) => more,
                        None => return Ok(Change::NotFollowed),
                    },
                };
                let mut content = items.to_vec();
                content.splice(range, more);
                Ok(changed(items, content, Value::None))
            }
            (Value::List(items), _) => {
                let Some(at) = position(index, items.len()) else { return Ok(Change::NotFollowed) };
                let mut content = items.to_vec();
                match (value, content.get_mut(at)) {
                    (Some(value), Some(item)) => *item = value.clone(),
                    _ => {
                        content.remove(at);
                    }
                }
                Ok(changed(items, content, Value::None))
            }
            (Value::Dict(_), _) => {
                let (method, arguments) = match value {
                    Some(value) => {
                        let entry = Value::dict(vec![(index.clone(), value.clone())]);
                        ("update", vec![entry])
                    }
                    None => ("pop", vec![index.clone()]),
                };
                if !index.is_constant() {
                    return Ok(Change::NotFollowed);
                }
                self.changed_by_method(owner, method, &arguments, &Keywords::new())
            }
            _ => Ok(Change::NotFollowed),
        }
    }

    /// `owner += value` and the like, where the operator changes its object.
    pub(super) fn changed_in_place(
        &self,
        operator: ruff_python_ast::Operator,
        owner: &Value<'a>,
        value: &Value<'a>,
    ) -> Evaluated<Change<'a>> {
        use ruff_python_ast::Operator::{Add, BitOr};
        let method = match (owner, operator) {
            (Value::List(_), Add) => "extend",
            (Value::Dict(_) | Value::Set(_), BitOr) => "update",
            _ => return Ok(Change::NotFollowed),
        };
        let arguments = std::slice::from_ref(value);
        self.changed_by_method(owner, method, arguments, &Keywords::new())
    }
}

/// Whether an object can hold values without holding itself.
pub(super) fn may_hold<'a>(
    owner: &Value<'a>,
    values: &[Value<'a>],
    keywords: &Keywords<'a>,
) -> bool {
    let mut budget = MOST_PARTS;
    let mut given = values.iter().chain(keywords.iter().map(|(_, value)| value));
    !given.any(|value| value.reaches(owner, &mut budget))
}

fn set_changed<'a>(items: &Items<'a>, method: &str, arguments: &[Value<'a>]) -> Change<'a> {
    let mut content = items.to_vec();
    let is_known = |item: &Value<'a>| item.is_constant() && !super::certain::is_unhashable(item);
    if !content.iter().all(is_known) {
        return Change::NotFollowed;
    }
    let find = |content: &[Value<'a>], item: &Value<'a>| {
        content.iter().position(|known| is_equal(known, item) == Some(true))
    };
    match (method, arguments) {
        ("add", [item]) if is_known(item) => {
            if find(&content, item).is_none() {
                content.push(item.clone());
            }
        }
        ("discard", [item]) if is_known(item) => {
            if let Some(at) = find(&content, item) {
                content.remove(at);
            }
        }
        ("update", [Value::Set(more)]) if more.iter().all(is_known) => {
            for item in more.iter() {
                if find(&content, item).is_none() {
                    content.push(item.clone());
                }
            }
        }
        ("update", [more]) => match contained(more) {
            Some(more) if more.iter().all(is_known) => {
                for item in more {
                    if find(&content, &item).is_none() {
                        content.push(item);
                    }
                }
            }
            _ => return Change::NotFollowed,
        },
        ("clear", []) => content.clear(),
        _ => return Change::NotFollowed,
    }
    changed(items, content, Value::None)
}

fn changed<'a, T>(
    object: &crate::value::Object<Vec<T>>,
    content: Vec<T>,
    given: Value<'a>,
) -> Change<'a> {
    let length = content.len();
    if object.change(content, length) { Change::Made(given) } else { Change::NotFollowed }
}

/// The place of an index among so many items.
fn position(index: &Value<'_>, length: usize) -> Option<usize> {
    let at = as_index(index)?;
    let length = i64::try_from(length).ok()?;
    let at = if at < 0 { at.checked_add(length)? } else { at };
    usize::try_from(at).ok().filter(|_| at < length)
}
