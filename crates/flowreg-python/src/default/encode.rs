//! Values as JSON, as pydantic dumps them (docs/facts/python.md, "Defaults").

use std::rc::Rc;

use serde_json::{Map, Number, Value as Json};

use crate::default::std_value::{PathKind, StdValue};
use crate::interpreter::classes::fields;
use crate::interpreter::operators::{MOST_SORTED, sorted};
use crate::number::{complex_repr, float_repr};
use crate::schema::fields::{FieldAlias, generated_alias, info};
use crate::schema::{Generator, NoSchema, SchemaResult};
use crate::symbols;
use crate::value::{ClassKind, Instance, Unknown, Value, keyword, not_read};

/// How many parts a value may have that is written. Lists that hold a list twice grow exponentially.
const LARGEST: u32 = 20_000;

/// How deeply a value may be nested that is written; what is deeper is not exact.
const DEEPEST: u32 = 60;

impl<'a> Generator<'_, 'a> {
    /// A default as it is registered; `None` if it has no JSON form and is left out.
    pub(crate) fn default(&mut self, value: &Value<'a>) -> SchemaResult<Option<Json>> {
        let here = self.interpreter.here();
        let unknown = value.find_unknown(here);
        if let Some(unknown) = unknown {
            return Err(NoSchema::Unknown(unknown));
        }
        let ordered;
        let value = match value {
            // Prefect sorts a set that is the default itself, if its items have an order.
            Value::Set(items) if items.len() > 1 => match sorted(items) {
                Some(items) if items.len() < MOST_SORTED => {
                    ordered = Value::list(items);
                    &ordered
                }
                _ => return self.no_value("the set has no order"),
            },
            other => other,
        };
        match self.encode(value, &mut LARGEST.clone(), 0) {
            Ok(encoded) => Ok(Some(encoded)),
            Err(NoSchema::Unconstrained) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// A value as JSON.
    pub(crate) fn encoded(&self, value: &Value<'a>) -> SchemaResult<Json> {
        if let Some(unknown) = value.find_unknown(self.interpreter.here()) {
            return Err(NoSchema::Unknown(unknown));
        }
        match self.encode(value, &mut LARGEST.clone(), 1) {
            Err(NoSchema::Unconstrained) => self.no_value("the value has no JSON form"),
            other => other,
        }
    }

    fn no_value<T>(&self, why: &str) -> SchemaResult<T> {
        let at = self.interpreter.here();
        let unknown = Unknown { why: why.to_owned(), at, is_flow_like: false };
        Err(NoSchema::Unknown(Rc::new(unknown)))
    }

    /// [`NoSchema::Unconstrained`] says that the value has no JSON form.
    fn encode(&self, value: &Value<'a>, budget: &mut u32, depth: u32) -> SchemaResult<Json> {
        let Some(rest) = budget.checked_sub(1).filter(|_| depth < DEEPEST) else {
            return self.no_value("the value is too large to be computed");
        };
        *budget = rest;
        Ok(match value {
            Value::None => Json::Null,
            Value::Bool(truth) => (*truth).into(),
            Value::Int(int) => {
                let text = int.to_string();
                text.parse::<Number>().map_or(Json::Null, Json::Number)
            }
            // JSON has no infinities. Prefect's client sends null for them.
            Value::Float(float) if !float.is_finite() => Json::Null,
            Value::Float(float) => {
                float_repr(*float).parse::<Number>().map_or(Json::Null, Json::Number)
            }
            Value::Complex(real, imaginary) => complex_repr(*real, *imaginary).into(),
            Value::Str(text) => Json::String(text.to_string()),
            Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => text.into(),
                Err(_) => return Err(NoSchema::Unconstrained),
            },
            Value::Set(items) if items.len() > 1 => {
                // Sets inside another value are not sorted, and texts hash differently in every
                // process.
                return self.no_value("the order of a set inside another value changes");
            }
            Value::List(items) | Value::Tuple(items) | Value::Set(items) => {
                self.items(items, budget, depth)?
            }
            Value::Dict(_) if self.interpreter.factory_of(value).is_some() => {
                return self.no_value("the JSON form of a `defaultdict`");
            }
            Value::Dict(entries) => {
                let mut object = Map::new();
                for (key, value) in entries.iter() {
                    let value = self.encode(value, budget, depth + 1)?;
                    object.insert(self.key(key)?, value);
                }
                // Prefect sorts keys when it writes JSON, but not those of the default itself.
                if depth > 0 {
                    object.sort_keys();
                }
                Json::Object(object)
            }
            Value::Std(std_value) if depth > 0 && is_top_level_only(std_value) => {
                return Err(NoSchema::Unconstrained);
            }
            Value::Std(std_value) => match std_value.json() {
                Some(text) => text.into(),
                None => return Err(NoSchema::Unconstrained),
            },
            Value::Member(member) => self.encode(&member.value, budget, depth + 1)?,
            Value::Secret(true) => "**********".into(),
            Value::Secret(false) => "".into(),
            Value::Instance(instance) => self.instance(instance, budget, depth)?,
            Value::Unknown(unknown) => return Err(NoSchema::Unknown(Rc::clone(unknown))),
            Value::External(path) => return self.no_value(&not_read(path)),
            Value::Symbol(path) if !symbols::has_no_json(path) => {
                return self.no_value(&format!("`{path}` may be any object"));
            }
            Value::Symbol(_)
            | Value::Class(_)
            | Value::Function(_)
            | Value::Flow(_)
            | Value::Partial(_)
            | Value::Module(_)
            | Value::Ellipsis
            | Value::Type(_)
            | Value::View(_)
            | Value::Wrapped(..) => return Err(NoSchema::Unconstrained),
            Value::Opaque(opaque) => match &opaque.class {
                None => return Err(NoSchema::Unconstrained),
                // Without a base that has a JSON form (`str`, `dict` …) the object has none either.
                Some(class) if class.ancestors.iter().all(is_plain_ancestor) => {
                    return Err(NoSchema::Unconstrained);
                }
                Some(_) => return self.no_value("an object of a class with a base"),
            },
            _ => return self.no_value("an object that is not known"),
        })
    }

    fn items(&self, items: &[Value<'a>], budget: &mut u32, depth: u32) -> SchemaResult<Json> {
        let mut array = Vec::with_capacity(items.len());
        for item in items {
            array.push(self.encode(item, budget, depth + 1)?);
        }
        Ok(Json::Array(array))
    }

    fn key(&self, key: &Value<'a>) -> SchemaResult<String> {
        Ok(match key {
            Value::Str(text) => text.to_string(),
            Value::Bool(true) => "true".to_owned(),
            Value::Bool(false) => "false".to_owned(),
            Value::None => "None".to_owned(),
            Value::Int(int) => int.to_string(),
            Value::Float(float) if !float.is_finite() => "None".to_owned(),
            Value::Float(float) => float_repr(*float),
            Value::Tuple(items) => {
                let keys: SchemaResult<Vec<String>> =
                    items.iter().map(|item| self.key(item)).collect();
                keys?.join(",")
            }
            Value::Member(member) => self.key(&member.value)?,
            other => match self.encode(other, &mut LARGEST.clone(), 1)? {
                Json::String(text) => text,
                _ => return Err(NoSchema::Unconstrained),
            },
        })
    }

    fn instance(
        &self,
        instance: &Instance<'a>,
        budget: &mut u32,
        depth: u32,
    ) -> SchemaResult<Json> {
        let class = &instance.class;
        if class.kind.get() == ClassKind::NamedTuple {
            if instance.fields.iter().any(|(_, value)| holds_top_level_only(value, 0)) {
                return self.no_value("a value that is written by the type of its field");
            }
            let values: Vec<Value<'a>> =
                instance.fields.iter().map(|(_, value)| value.clone()).collect();
            return self.items(&values, budget, depth);
        }
        let known = fields(class);
        let mut object = Map::new();
        for (name, value) in instance.fields.iter() {
            // Inside a model pydantic writes the value by the type of its field, which may know
            // how.
            if holds_top_level_only(value, 0) {
                return self.no_value("a value that is written by the type of its field");
            }
            let mut shown = name.to_string();
            let field = known.iter().find(|field| field.name == *name);
            if let (ClassKind::Model, Some(field)) = (class.kind.get(), field) {
                let info = info(field, self.interpreter);
                match keyword(&info, "exclude") {
                    None | Some(Value::None | Value::Bool(false)) => {}
                    Some(Value::Bool(true)) => continue,
                    Some(_) => return self.no_value("a field that may be left out"),
                }
                // Outputs are named by `serialization_alias`, inputs by `validation_alias`.
                let alias = ["serialization_alias", "alias"]
                    .iter()
                    .filter_map(|key| keyword(&info, key))
                    .find(|value| !matches!(value, Value::None));
                shown = match (alias, generated_alias(class, name)) {
                    (Some(Value::Str(alias)), _) => alias.to_string(),
                    (None, FieldAlias::None) => shown,
                    (None, FieldAlias::Name(alias)) => alias,
                    _ => return self.no_value("the alias of a field is not known"),
                };
            }
            object.insert(shown, self.encode(value, budget, depth + 1)?);
        }
        Ok(Json::Object(object))
    }
}

/// Whether pydantic writes this object alone, but not inside another one.
fn is_top_level_only(std_value: &StdValue) -> bool {
    matches!(std_value, StdValue::Path(_, PathKind::Pure) | StdValue::ZoneInfo(_))
}

fn holds_top_level_only(value: &Value<'_>, depth: u32) -> bool {
    let inside = |items: &[Value<'_>]| {
        depth > DEEPEST || items.iter().any(|item| holds_top_level_only(item, depth + 1))
    };
    match value {
        Value::Std(std_value) => is_top_level_only(std_value),
        Value::List(items) | Value::Tuple(items) | Value::Set(items) => inside(items),
        Value::Dict(entries) => entries.iter().any(|(key, item)| {
            holds_top_level_only(key, depth + 1) || holds_top_level_only(item, depth + 1)
        }),
        Value::Member(member) => holds_top_level_only(&member.value, depth + 1),
        _ => false,
    }
}

fn is_plain_ancestor(ancestor: &Value<'_>) -> bool {
    match ancestor {
        Value::Class(_) => true,
        Value::Symbol(path) => {
            matches!(&**path, "builtins.object" | "typing.Generic" | "abc.ABC" | "typing.Protocol")
        }
        _ => false,
    }
}
