//! Functions of builtins and the standard library that compute with plain values, change a list that they
//! are given, or make an object that is followed.

use std::fmt::Write as _;
use std::rc::Rc;

use ruff_python_ast::CmpOp;
use serde_json::Value as Json;

use super::exceptions::is_exception;
use super::mutations::Change;
use super::operators::LONGEST;
use super::subscripts::as_index;
use super::{Evaluated, Interpreter};
use crate::number::{Int, LARGEST_WHOLE, float_repr};
use crate::value::{Keywords, Opaque, Partial, Value, keyword};

impl<'a> Interpreter<'a> {
    /// A call of such a function; `None` if it is none.
    pub(super) fn call_library(
        &self,
        path: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Option<Value<'a>>> {
        let object = |what: &'static str, part: &str, value: Value<'a>| {
            Some(Value::object(None, what, vec![(part.into(), value)]))
        };
        let is_named = keywords.iter().all(|(name, _)| &**name != "**");
        if path == "types.SimpleNamespace" && arguments.is_empty() && is_named {
            return Ok(Some(Value::object(None, "an object", keywords.clone())));
        }
        if let ("json.dumps", [value]) = (path, arguments) {
            return Ok(dumped(value, keywords).map(Value::text));
        }
        if path == "contextlib.contextmanager()" {
            let Some((function, rest)) = arguments.split_first() else { return Ok(None) };
            let made = self.call(function, rest, keywords)?;
            return Ok(match made {
                Value::Iterator(_) => object("a generator context", "generator", made),
                other => Some(other),
            });
        }
        if !keywords.is_empty() {
            return Ok(None);
        }
        Ok(match (path, arguments) {
            (path, _) if is_exception(path) => Some(Value::object(
                None,
                "an exception",
                vec![
                    ("args".into(), Value::tuple(arguments.to_vec())),
                    ("__class__".into(), Value::symbol(path)),
                ],
            )),
            ("builtins.BaseException.__init__", [owner, rest @ ..]) => {
                self.set_on_object(owner, "args", &Value::tuple(rest.to_vec()));
                Some(Value::None)
            }
            ("builtins.int", [Value::Str(text)])
                if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic()) =>
            {
                let message = format!("invalid literal for int() with base 10: '{text}'");
                let given = [Value::text(&message)];
                let object = self.call_symbol("builtins.ValueError", &given, keywords)?;
                return self.raise_object("ValueError", &message, object);
            }
            ("builtins.dict.fromkeys", [keys, rest @ ..]) if rest.len() < 2 => {
                let value = rest.first().cloned().unwrap_or(Value::None);
                self.taken(keys)?.map(|keys| {
                    let mut entries = Vec::new();
                    for key in keys {
                        Self::put(&mut entries, key, value.clone());
                    }
                    Value::dict(entries)
                })
            }
            ("builtins.round", [Value::Int(_) | Value::Bool(_)]) => {
                self.call_symbol("builtins.int", arguments, keywords).map(Some)?
            }
            ("builtins.round", [Value::Float(number)]) if number.abs() < LARGEST_WHOLE => {
                // To the nearest even number, as Rust does it as well.
                let text = format!("{:.0}", number.round_ties_even());
                Int::parse(text.trim_start_matches('-')).and_then(|int| {
                    let int = if text.starts_with('-') { int.negated()? } else { int };
                    Some(Value::Int(int))
                })
            }
            ("builtins.round", [Value::Float(number), digits])
                if number.abs() < 1e15
                    && as_index(digits).is_some_and(|n| (0..16).contains(&n)) =>
            {
                let digits = usize::try_from(as_index(digits).unwrap_or(0)).unwrap_or(0);
                format!("{number:.digits$}").parse().ok().map(Value::Float)
            }
            ("builtins.divmod", [Value::Int(_), Value::Int(_)]) => {
                let [left, right] = arguments else { return Ok(None) };
                let quotient = self.binary(ruff_python_ast::Operator::FloorDiv, left, right)?;
                let rest = self.binary(ruff_python_ast::Operator::Mod, left, right)?;
                Some(Value::tuple(vec![quotient, rest]))
            }
            ("builtins.pow", [left, right]) => {
                Some(self.binary(ruff_python_ast::Operator::Pow, left, right)?)
            }
            ("builtins.chr", [Value::Int(int)]) => int
                .small()
                .and_then(|number| char::from_u32(u32::try_from(number).ok()?))
                .map(|char| Value::text(char.to_string())),
            ("builtins.ord", [Value::Str(text)]) => {
                let mut chars = text.chars();
                match (chars.next(), chars.next()) {
                    (Some(char), None) => Some(Value::int(i128::from(u32::from(char)))),
                    _ => None,
                }
            }
            ("builtins.hex" | "builtins.bin" | "builtins.oct", [Value::Int(int)]) => {
                int.small().map(|number| {
                    let sign = if number < 0 { "-" } else { "" };
                    let size = number.unsigned_abs();
                    Value::text(match path {
                        "builtins.hex" => format!("{sign}{size:#x}"),
                        "builtins.bin" => format!("{sign}{size:#b}"),
                        _ => format!("{sign}{size:#o}"),
                    })
                })
            }
            ("bisect.insort" | "bisect.insort_right" | "bisect.insort_left", [list, item]) => {
                let Some(at) = self.bisected(path, list, item)? else { return Ok(None) };
                let given = [Value::int(i128::try_from(at).unwrap_or(0)), item.clone()];
                match self.changed_by_method(list, "insert", &given, keywords)? {
                    Change::Made(value) => Some(value),
                    Change::NotFollowed => None,
                }
            }
            ("bisect.bisect" | "bisect.bisect_right" | "bisect.bisect_left", [list, item]) => self
                .bisected(path, list, item)?
                .map(|at| Value::int(i128::try_from(at).unwrap_or(0))),
            ("json.loads", [Value::Str(text)]) => {
                serde_json::from_str::<Json>(text).ok().and_then(|json| loaded(&json))
            }
            ("string.Template", [template @ Value::Str(_)]) => {
                object("a template", "template", template.clone())
            }
            ("collections.defaultdict", [factory]) => {
                let made = Value::dict(Vec::new());
                if !matches!(factory, Value::None) {
                    self.note_factory(&made, factory);
                }
                Some(made)
            }
            ("functools.lru_cache" | "functools.cache", [function @ Value::Function(_)]) => {
                object("a cached function", "fn", function.clone())
            }
            ("functools.lru_cache", [] | [Value::None | Value::Int(_)]) => {
                Some(Value::symbol("functools.cache"))
            }
            ("contextlib.suppress", kinds) => {
                object("a suppressor", "kinds", Value::tuple(kinds.to_vec()))
            }
            ("contextlib.nullcontext", [] | [_]) => {
                let value = arguments.first().cloned().unwrap_or(Value::None);
                object("a null context", "value", value)
            }
            ("contextlib.contextmanager", [function @ Value::Function(_)]) => {
                Some(Value::Partial(Rc::new(Partial {
                    function: Value::symbol("contextlib.contextmanager()"),
                    arguments: vec![function.clone()],
                    keywords: Keywords::new(),
                })))
            }
            _ => None,
        })
    }

    /// Where `bisect` puts an item in a list; `None` if that is not known.
    fn bisected(&self, path: &str, list: &Value<'a>, item: &Value<'a>) -> Evaluated<Option<usize>> {
        let Value::List(items) = list else { return Ok(None) };
        let is_left = path.ends_with("_left");
        let (mut low, mut high) = (0, items.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let Some(known) = items.get(middle) else { return Ok(None) };
            let goes_on = if is_left {
                self.compared(CmpOp::Lt, known, item)?
            } else {
                self.compared(CmpOp::Lt, item, known)?
            };
            match (is_left, self.condition(&goes_on)?) {
                (true, Some(true)) | (false, Some(false)) => low = middle + 1,
                (_, Some(_)) => high = middle,
                (_, None) => return Ok(None),
            }
        }
        Ok(Some(low))
    }

    /// What a call of a function with a cache gives: the same object each time.
    pub(super) fn call_cached(
        &self,
        cached: &Value<'a>,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Evaluated<Value<'a>> {
        let Value::Opaque(opaque) = cached else { return Ok(Value::None) };
        let part =
            |name: &str| opaque.attributes.as_ref().and_then(|all| keyword(all, name).cloned());
        let function = part("fn").unwrap_or(Value::None);
        let lost = opaque.attributes.as_ref().and_then(|all| all.lost().cloned());
        if let Some(lost) = lost {
            self.lose_given(arguments, keywords, "it is given to a function with a cache");
            return Ok(Value::Unknown(lost));
        }
        if !arguments.is_empty() || !keywords.is_empty() || !self.is_certain_to_run() {
            self.lose(&function, "it is called with a cache");
            self.lose(cached, "it is called with a cache");
            self.lose_given(arguments, keywords, "it is given to a function with a cache");
            return Ok(self.unknown("a function with a cache is called with arguments"));
        }
        if let Some(value) = part("value") {
            return Ok(value);
        }
        let value = self.kept(self.call(&function, &[], keywords)?);
        self.set_on_object(cached, "value", &value);
        Ok(value)
    }

    /// `template.substitute(…)`
    pub(super) fn substituted_template(
        &self,
        template: &Opaque<'a>,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Value<'a> {
        let text = template.attributes.as_ref().and_then(|all| keyword(all, "template").cloned());
        let mut values = match arguments {
            [] => Some(Vec::new()),
            [Value::Dict(entries)] if entries.lost().is_none() => Some(entries.to_vec()),
            _ => None,
        };
        if let Some(values) = &mut values {
            for (name, value) in keywords {
                Self::put(values, Value::Str(Rc::clone(name)), value.clone());
            }
        }
        let made = match (text, values) {
            (Some(Value::Str(text)), Some(values)) => {
                substituted(&text, &values, method == "safe_substitute")
            }
            _ => None,
        };
        made.map_or_else(|| self.unknown("a template that is not filled in here"), Value::text)
    }

    /// Notes what a dictionary calls for a key that it has not.
    fn note_factory(&self, dictionary: &Value<'a>, factory: &Value<'a>) {
        if let Value::Dict(entries) = dictionary {
            let known = (dictionary.clone(), factory.clone());
            self.defaults.borrow_mut().insert(Rc::as_ptr(entries).cast(), known);
        }
    }

    /// What a dictionary calls for a key that it has not.
    pub(crate) fn factory_of(&self, dictionary: &Value<'a>) -> Option<Value<'a>> {
        let Value::Dict(entries) = dictionary else { return None };
        let defaults = self.defaults.borrow();
        defaults.get(&Rc::as_ptr(entries).cast()).map(|(_, factory)| factory.clone())
    }
}

/// `string.Template(template).substitute(values)`
fn substituted<'a>(
    template: &str,
    values: &[(Value<'a>, Value<'a>)],
    is_safe: bool,
) -> Option<String> {
    let find = |name: &str| {
        let entry = values.iter().find(|(key, _)| key.as_str() == Some(name));
        entry.map(|(_, value)| super::strings::display(value))
    };
    let mut text = String::new();
    let mut rest = template;
    while let Some(at) = rest.find('$') {
        let (before, after) = rest.split_at(at);
        text.push_str(before);
        let after = after.get(1..)?;
        if let Some(more) = after.strip_prefix('$') {
            text.push('$');
            rest = more;
            continue;
        }
        let (name, more) = if let Some(inner) = after.strip_prefix('{') {
            inner.split_once('}')?
        } else {
            let end = after
                .find(|char: char| !(char.is_ascii_alphanumeric() || char == '_'))
                .unwrap_or(after.len());
            after.split_at(end)
        };
        if !name.starts_with(|char: char| char.is_ascii_alphabetic() || char == '_') {
            return None;
        }
        match find(name) {
            Some(value) => text.push_str(&value?),
            // It stays as it stands.
            None if is_safe => text.push_str(rest.get(at..rest.len() - more.len())?),
            None => return None,
        }
        rest = more;
    }
    text.push_str(rest);
    (text.len() <= LONGEST).then_some(text)
}

/// `json.dumps` of plain values, as Python writes it.
fn dumped(value: &Value<'_>, keywords: &Keywords<'_>) -> Option<String> {
    let mut indent = None;
    let mut sorts = false;
    let mut is_ascii = true;
    for (name, value) in keywords {
        match (&**name, value) {
            ("indent", Value::None) => {}
            ("indent", Value::Int(width)) => {
                indent = Some(usize::try_from(width.small()?).ok().filter(|width| *width < 20)?);
            }
            ("sort_keys", Value::Bool(truth)) => sorts = *truth,
            ("ensure_ascii", Value::Bool(truth)) => is_ascii = *truth,
            _ => return None,
        }
    }
    if !value.is_constant() {
        return None;
    }
    let mut text = String::new();
    write_json(value, &mut text, indent, 0, sorts, is_ascii)?;
    Some(text)
}

fn write_json(
    value: &Value<'_>,
    text: &mut String,
    indent: Option<usize>,
    depth: usize,
    sorts: bool,
    is_ascii: bool,
) -> Option<()> {
    if text.len() > LONGEST || depth > 50 {
        return None;
    }
    let line = |text: &mut String, depth: usize| {
        if let Some(width) = indent {
            text.push('\n');
            text.push_str(&" ".repeat(width * depth));
        }
    };
    let separator = if indent.is_some() { "," } else { ", " };
    match value {
        Value::None => text.push_str("null"),
        Value::Bool(truth) => text.push_str(if *truth { "true" } else { "false" }),
        Value::Int(int) => text.push_str(&int.to_string()),
        Value::Float(float) if float.is_finite() => text.push_str(&float_repr(*float)),
        Value::Str(content) => write_json_text(content, text, is_ascii),
        Value::List(items) | Value::Tuple(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push_str(separator);
                }
                line(text, depth + 1);
                write_json(item, text, indent, depth + 1, sorts, is_ascii)?;
            }
            if !items.is_empty() {
                line(text, depth);
            }
            text.push(']');
        }
        Value::Dict(entries) => {
            let mut pairs: Vec<(String, &Value<'_>)> = Vec::new();
            for (key, value) in entries.iter() {
                let key = match key {
                    Value::Str(key) => key.to_string(),
                    // Numbers are written as texts, and sorted as numbers.
                    Value::Int(int) if !sorts => int.to_string(),
                    _ => return None,
                };
                pairs.push((key, value));
            }
            if sorts {
                pairs.sort_by(|(left, _), (right, _)| left.chars().cmp(right.chars()));
            }
            text.push('{');
            let is_empty = pairs.is_empty();
            for (at, (key, value)) in pairs.into_iter().enumerate() {
                if at > 0 {
                    text.push_str(separator);
                }
                line(text, depth + 1);
                write_json_text(&key, text, is_ascii);
                text.push_str(": ");
                write_json(value, text, indent, depth + 1, sorts, is_ascii)?;
            }
            if !is_empty {
                line(text, depth);
            }
            text.push('}');
        }
        _ => return None,
    }
    Some(())
}

fn write_json_text(content: &str, text: &mut String, is_ascii: bool) {
    text.push('"');
    for char in content.chars() {
        match char {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            char if u32::from(char) < 0x20 || (is_ascii && !char.is_ascii()) => {
                let mut units = [0; 2];
                for unit in char.encode_utf16(&mut units) {
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
            char => text.push(char),
        }
    }
    text.push('"');
}

/// What `json.loads` makes of JSON.
fn loaded<'a>(json: &Json) -> Option<Value<'a>> {
    Some(match json {
        Json::Null => Value::None,
        Json::Bool(truth) => Value::Bool(*truth),
        Json::Number(number) => {
            let text = number.to_string();
            match (text.strip_prefix('-'), text.bytes().all(|b| b.is_ascii_digit() || b == b'-')) {
                (None, true) => Value::Int(Int::parse(&text)?),
                (Some(digits), true) => Value::Int(Int::parse(digits)?.negated()?),
                (_, false) => Value::Float(text.parse().ok()?),
            }
        }
        Json::String(text) => Value::text(text),
        Json::Array(items) => Value::list(items.iter().map(loaded).collect::<Option<_>>()?),
        Json::Object(entries) => Value::dict(
            entries
                .iter()
                .map(|(key, value)| Some((Value::text(key), loaded(value)?)))
                .collect::<Option<_>>()?,
        ),
    })
}
