//! The fields of a deployment: which names they have, and a map of them that keeps their order.
//!
//! This room says how fields are called and stored. How a declared field is put together with the
//! one that a target holds stands in the root package's `registration`.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// The name of a field, as Prefect's `POST /deployments/` spells it.
///
/// Code names a field by its variant, so that a misspelt one does not compile. What comes from
/// outside under another name is [`Field::Other`], which only [`Field::named`] makes: for Prefect 1
/// the parts of the serialized flow (`storage`, `run_config`, `tasks` …), and whatever a later
/// flowreg may have put into the embedded registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field<'n> {
    /// A text: the tag, the branch or the commit; for Prefect 1 the number that the server counts.
    Version,
    /// A text, or null for a flow without one.
    Description,
    /// A text: `flows/etl.py:etl`.
    Entrypoint,
    /// The JSON schema of the flow's parameters.
    ParameterOpenapiSchema,
    /// Whether runs with parameters that do not fit the schema are refused.
    EnforceParameterSchema,
    /// An object: values of parameters by name.
    Parameters,
    /// An array of texts.
    Tags,
    /// A text.
    WorkPoolName,
    /// A text: one of the pool's queues.
    WorkQueueName,
    /// An object of any depth.
    JobVariables,
    /// An array of objects: what a worker does to get the code.
    PullSteps,
    /// Whether no run is started by a schedule.
    Paused,
    /// A number, or null for no limit.
    ConcurrencyLimit,
    /// An object: what happens to runs beyond the limit.
    ConcurrencyOptions,
    /// An array of [`Schedule`](crate::Schedule).
    Schedules,
    /// An array of objects with `name`, `description`, `enabled` (absent: people decide),
    /// `trigger`, `parameters`, `job_variables` and `schedule_after`, in the form of Prefect's
    /// automations. Not a part of `POST /deployments/`.
    Triggers,
    /// Any other name.
    #[non_exhaustive]
    Other(&'n str),
}

impl<'n> Field<'n> {
    /// Every field that has a name of its own here.
    const NAMED: [Field<'static>; 16] = [
        Field::Version,
        Field::Description,
        Field::Entrypoint,
        Field::ParameterOpenapiSchema,
        Field::EnforceParameterSchema,
        Field::Parameters,
        Field::Tags,
        Field::WorkPoolName,
        Field::WorkQueueName,
        Field::JobVariables,
        Field::PullSteps,
        Field::Paused,
        Field::ConcurrencyLimit,
        Field::ConcurrencyOptions,
        Field::Schedules,
        Field::Triggers,
    ];

    /// The field of a name that comes from outside: a stored registration, a file, an answer.
    pub fn named(name: &'n str) -> Self {
        Self::NAMED.into_iter().find(|field| field.name() == name).unwrap_or(Self::Other(name))
    }

    /// The name as JSON has it.
    pub fn name(self) -> &'n str {
        match self {
            Self::Version => "version",
            Self::Description => "description",
            Self::Entrypoint => "entrypoint",
            Self::ParameterOpenapiSchema => "parameter_openapi_schema",
            Self::EnforceParameterSchema => "enforce_parameter_schema",
            Self::Parameters => "parameters",
            Self::Tags => "tags",
            Self::WorkPoolName => "work_pool_name",
            Self::WorkQueueName => "work_queue_name",
            Self::JobVariables => "job_variables",
            Self::PullSteps => "pull_steps",
            Self::Paused => "paused",
            Self::ConcurrencyLimit => "concurrency_limit",
            Self::ConcurrencyOptions => "concurrency_options",
            Self::Schedules => "schedules",
            Self::Triggers => "triggers",
            Self::Other(name) => name,
        }
    }
}

/// Values of fields, in the order in which they were set.
///
/// A field that is absent was not declared: the target keeps the one that it has. A field that is
/// null was declared to be nothing. Equality does not regard the order.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fields(Map<String, Value>);

impl Fields {
    /// No fields.
    pub fn new() -> Self {
        Self::default()
    }

    /// The field's value; `None` where it is not declared.
    pub fn get(&self, field: Field<'_>) -> Option<&Value> {
        self.0.get(field.name())
    }

    /// The field's value, to be changed in its place.
    pub fn get_mut(&mut self, field: Field<'_>) -> Option<&mut Value> {
        self.0.get_mut(field.name())
    }

    /// The field's value; null also where it is not declared.
    pub fn value(&self, field: Field<'_>) -> &Value {
        self.get(field).unwrap_or(&Value::Null)
    }

    /// The field's text, if it is one.
    pub fn text(&self, field: Field<'_>) -> Option<&str> {
        self.get(field)?.as_str()
    }

    /// The items of a field that is an array; an empty slice for any other field.
    pub fn items(&self, field: Field<'_>) -> &[Value] {
        self.list(field).unwrap_or_default()
    }

    /// The items of a field, if it is declared and an array.
    pub fn list(&self, field: Field<'_>) -> Option<&[Value]> {
        self.get(field)?.as_array().map(Vec::as_slice)
    }

    /// Whether the field is declared, be it as null.
    pub fn has(&self, field: Field<'_>) -> bool {
        self.0.contains_key(field.name())
    }

    /// Sets a field. One that was set before keeps its place in the order.
    pub fn set(&mut self, field: Field<'_>, value: impl Into<Value>) {
        self.0.insert(field.name().to_owned(), value.into());
    }

    /// The field's value, which is set to `usual` first where the field is not declared.
    pub fn get_or_set(&mut self, field: Field<'_>, usual: impl Into<Value>) -> &mut Value {
        self.0.entry(field.name()).or_insert_with(|| usual.into())
    }

    /// Takes a field out; the others keep their order.
    pub fn remove(&mut self, field: Field<'_>) -> Option<Value> {
        self.0.shift_remove(field.name())
    }

    /// All fields with their values, in their order.
    pub fn iter(&self) -> impl Iterator<Item = (Field<'_>, &Value)> {
        self.0.iter().map(|(name, value)| (Field::named(name), value))
    }

    /// All fields with their values, to be changed in their places.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (Field<'_>, &mut Value)> {
        self.0.iter_mut().map(|(name, value)| (Field::named(name), value))
    }

    /// The same as a JSON object, to be sent as the body of a request.
    pub fn into_object(self) -> Map<String, Value> {
        self.0
    }
}

impl From<Map<String, Value>> for Fields {
    fn from(object: Map<String, Value>) -> Self {
        Self(object)
    }
}

impl<'n> Extend<(Field<'n>, Value)> for Fields {
    fn extend<T: IntoIterator<Item = (Field<'n>, Value)>>(&mut self, fields: T) {
        self.0.extend(fields.into_iter().map(|(field, value)| (field.name().to_owned(), value)));
    }
}

impl<'n> FromIterator<(Field<'n>, Value)> for Fields {
    fn from_iter<T: IntoIterator<Item = (Field<'n>, Value)>>(fields: T) -> Self {
        let mut collected = Self::new();
        collected.extend(fields);
        collected
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn name() -> impl Strategy<Value = String> {
        let named = proptest::sample::select(Field::NAMED.to_vec());
        prop_oneof![
            3 => named.prop_map(|field| field.name().to_owned()),
            1 => "[a-z_]{1,12}",
            1 => any::<String>(),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::vec((any::<String>(), inner), 0..4)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        /// What stands in registries was written from a plain map: text, order and nulls stay.
        #[test]
        fn fields_are_read_and_written_as_the_plain_map(
            pairs in proptest::collection::vec((name(), value()), 0..12)
        ) {
            let map: Map<String, Value> = pairs.iter().cloned().collect();
            let text = serde_json::to_string(&map).unwrap();
            let fields: Fields = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json::to_string(&fields).unwrap(), text);
            let set: Fields =
                pairs.iter().map(|(name, value)| (Field::named(name), value.clone())).collect();
            prop_assert_eq!(
                serde_json::to_string(&set).unwrap(),
                serde_json::to_string(&map).unwrap()
            );
            let listed: Vec<_> = fields.iter().map(|(field, value)| (field.name(), value)).collect();
            let plain: Vec<_> = map.iter().map(|(name, value)| (name.as_str(), value)).collect();
            prop_assert_eq!(listed, plain);
            prop_assert_eq!(fields.clone().into_object(), map);
        }

        #[test]
        fn a_name_leads_to_its_field_and_back(name in name()) {
            prop_assert_eq!(Field::named(&name).name(), name.as_str());
        }
    }

    #[test]
    fn every_name_is_one_field() {
        for field in Field::NAMED {
            assert_eq!(Field::named(field.name()), field);
        }
        assert_eq!(Field::named("storage"), Field::Other("storage"));
    }

    #[test]
    fn absent_null_and_a_value_are_three_things() {
        let mut fields = Fields::new();
        fields.set(Field::Description, Value::Null);
        fields.set(Field::Version, "v1");
        assert_eq!(fields.get(Field::Tags), None);
        assert_eq!(fields.get(Field::Description), Some(&Value::Null));
        assert_eq!(fields.get(Field::Version), Some(&json!("v1")));
        assert!(fields.has(Field::Description) && !fields.has(Field::Tags));
        assert_eq!((fields.list(Field::Tags), fields.items(Field::Tags)), (None, &[][..]));
    }
}
