//! What the repository declared at the last registration: names only, kept with the marks.
//!
//! Without it one could not tell what people added on the server (it stays) from what the
//! repository declared earlier and does no more (it goes), nor who switched a schedule off. Only
//! names are kept, as values may be secret.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::slugs;
use flowreg_model::{Field, Fields, Held};

type Names = BTreeSet<String>;

/// The names of what is declared. Text of it is the same for the same names.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Declared {
    /// Tags.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub tags: Names,
    /// Parameters.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub parameters: Names,
    /// Job variables all the way down, as JSON pointers without the first slash.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub job_variables: Names,
    /// Names of schedules, as [`slugs::names`] has them.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub schedules: Names,
    /// Names of schedules that are declared to be off.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub off: Names,
    /// Names of triggers; an empty one where Prefect names the automation.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub triggers: Names,
    /// Names of triggers that are declared to be off.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub disabled: Names,
    /// Fields of [`RESET`] that are declared to be something else.
    #[serde(skip_serializing_if = "Names::is_empty")]
    pub fields: Names,
    /// Parameters of which the source does not tell everything, with a check sum of how each is written.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub open: BTreeMap<String, String>,
    /// Whether parameters are not checked because too little is known of them.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub unchecked: bool,
}

/// What is known of the last registration.
#[derive(Debug)]
pub(super) enum LastDeclaration {
    /// Somebody else made the deployment, and nothing tells what was declared for it.
    Foreign,
    /// flowreg made it and did not note yet what was declared.
    Unrecorded,
    /// What was declared.
    Recorded(Box<Declared>),
}

/// Fields that are reset once the repository declares them no longer. All others stay as they are
/// then.
const RESET: [Field<'static>; 5] = [
    Field::Paused,
    Field::ConcurrencyLimit,
    Field::ConcurrencyOptions,
    Field::EnforceParameterSchema,
    Field::WorkQueueName,
];

/// The value that `prefect deploy` gives a field of [`RESET`] that is not declared.
pub(super) fn value_if_undeclared(field: Field<'_>) -> Value {
    match field {
        Field::Paused => json!(false),
        Field::EnforceParameterSchema => json!(true),
        Field::WorkQueueName => json!("default"),
        _ => Value::Null,
    }
}

impl Declared {
    /// The names of declared fields; `schedules` are the declared ones in their order, as the target
    /// shall hold them.
    pub(super) fn of(fields: &Fields, schedules: &[Value]) -> Self {
        let parameters = fields.get(Field::Parameters).and_then(Value::as_object);
        let mut job_variables = Names::new();
        if let Some(declared) = fields.get(Field::JobVariables) {
            add_paths(declared, "", &mut job_variables);
        }
        let is_other = |field: &&Field<'_>| {
            fields.get(**field).is_some_and(|declared| *declared != value_if_undeclared(**field))
        };
        let tags = fields.items(Field::Tags).iter();
        let mut declared = Self {
            tags: tags.filter_map(|tag| tag.as_str().map(ToOwned::to_owned)).collect(),
            parameters: parameters.into_iter().flat_map(Map::keys).cloned().collect(),
            job_variables,
            fields: RESET.iter().filter(is_other).map(|field| field.name().to_owned()).collect(),
            ..Self::default()
        };
        for trigger in fields.items(Field::Triggers) {
            let name = trigger.get("name").and_then(Value::as_str).unwrap_or_default();
            declared.triggers.insert(name.to_owned());
            if trigger.get("enabled") == Some(&Value::Bool(false)) {
                declared.disabled.insert(name.to_owned());
            }
        }
        let names = slugs::names(schedules);
        for ((schedule, placed), name) in
            fields.items(Field::Schedules).iter().zip(schedules).zip(names)
        {
            if schedule.get("active") == Some(&Value::Bool(false)) {
                declared.off.insert(name.clone());
            }
            // Slugs that an older flowreg gave show by themselves whose they are. It did not note
            // them, and to do so now would change the record, which costs a write.
            if !slugs::is_given(placed) {
                declared.schedules.insert(name);
            }
        }
        declared
    }

    /// As the marks have it.
    pub(super) fn text(&self) -> String {
        json!(self).to_string()
    }
}

impl LastDeclaration {
    /// Reads it from the marks of what is held; `is_ours` says whether this repository has registered
    /// it. Text that can't be read, as somebody changed it, counts as not recorded.
    pub(super) fn of(held: &Held, is_ours: bool) -> Self {
        let text = held.marks.as_ref().and_then(|marks| marks.declared.as_deref());
        let declared = text.and_then(|text| serde_json::from_str(text).ok());
        let unknown = if is_ours { Self::Unrecorded } else { Self::Foreign };
        declared.map_or(unknown, Self::Recorded)
    }

    /// What was declared, if that is known.
    pub(super) fn recorded(&self) -> Option<&Declared> {
        match self {
            Self::Recorded(declared) => Some(declared),
            Self::Foreign | Self::Unrecorded => None,
        }
    }

    /// The fields that were declared at the last registration, or may have been, and are not in
    /// `fields`, with the values that they go back to.
    pub(super) fn undeclared(&self, fields: &Fields) -> Vec<(Field<'static>, Value)> {
        let nothing = Declared::default();
        let (last, is_foreign) = match self {
            Self::Unrecorded => return Vec::new(),
            Self::Foreign => (&nothing, true),
            Self::Recorded(last) => (last.as_ref(), false),
        };
        let groups = [
            (Field::Tags, !last.tags.is_empty(), json!([])),
            (Field::Parameters, !last.parameters.is_empty(), json!({})),
            (Field::JobVariables, !last.job_variables.is_empty(), json!({})),
            (Field::Triggers, !last.triggers.is_empty(), json!([])),
            // An older flowreg noted only slugs that the repository chose, so an empty list does not
            // mean that there were no schedules.
            (Field::Schedules, true, json!([])),
        ];
        let groups = groups.into_iter().filter(|(_, was_declared, _)| *was_declared || is_foreign);
        let of_groups = groups.map(|(field, _, nothing)| (field, nothing));
        let of_fields = RESET.iter().filter(|field| last.fields.contains(field.name()));
        of_groups
            .chain(of_fields.map(|field| (*field, value_if_undeclared(*field))))
            .filter(|(field, _)| !fields.has(*field))
            .collect()
    }

    /// Whether nothing is known of what was declared, so that what is declared now takes the place
    /// of everything that is there.
    pub(super) fn is_foreign(&self) -> bool {
        matches!(self, Self::Foreign)
    }
}

/// Adds the paths of all leaves.
fn add_paths(value: &Value, path: &str, paths: &mut Names) {
    match value.as_object().filter(|object| !object.is_empty() || path.is_empty()) {
        Some(object) => {
            let separator = if path.is_empty() { "" } else { "/" };
            for (key, value) in object {
                add_paths(value, &format!("{path}{separator}{}", escaped(key)), paths);
            }
        }
        None => drop(paths.insert(path.to_owned())),
    }
}

/// Takes what was declared and is no longer out of an object, and what is empty without it.
///
/// `last` are paths as [`Declared::job_variables`] has them, `declared` is what is declared now.
pub(super) fn without_paths(object: &mut Value, last: &Names, declared: &Value) {
    for path in last {
        let keys: Vec<String> = path.split('/').map(unescaped).collect();
        if is_undeclared(declared, &keys) {
            remove(object, &keys);
        }
    }
}

/// Whether nothing is declared at a path, nor on the way to it.
fn is_undeclared(declared: &Value, keys: &[String]) -> bool {
    match (keys.split_first(), declared.as_object()) {
        (Some((key, rest)), Some(object)) => {
            object.get(key).is_none_or(|below| is_undeclared(below, rest))
        }
        _ => false,
    }
}

fn remove(value: &mut Value, keys: &[String]) {
    let (Some((key, rest)), Some(object)) = (keys.split_first(), value.as_object_mut()) else {
        return;
    };
    if rest.is_empty() {
        object.shift_remove(key);
    } else if let Some(below) = object.get_mut(key) {
        remove(below, rest);
        if below.as_object().is_some_and(Map::is_empty) {
            object.shift_remove(key);
        }
    }
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn unescaped(key: &str) -> String {
    key.replace("~1", "/").replace("~0", "~")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_are_kept_and_only_of_what_is_not_usual() {
        let fields = json!({
            "tags": ["b", "a"], "parameters": {"n": "s3cret"}, "version": "v1",
            "job_variables": {"env": {"A/B": "s3cret", "C": {}}, "image": "x"},
            "schedules": [{"active": false}, {"slug": "x"}],
            "triggers": [{"name": "t"}, {"name": null, "enabled": false}], "paused": false, "concurrency_limit": 3,
        });
        let placed = [json!({"slug": "flowreg-1"}), json!({"slug": "x"})];
        assert_eq!(
            Declared::of(&serde_json::from_value(fields).unwrap(), &placed).text(),
            r#"{"tags":["a","b"],"parameters":["n"],"job_variables":["env/A~1B","env/C","image"],"schedules":["x"],"off":["flowreg-1"],"triggers":["","t"],"disabled":[""],"fields":["concurrency_limit"]}"#
        );
        assert_eq!(Declared::of(&Fields::new(), &[]).text(), "{}");
    }

    #[test]
    fn paths_that_are_declared_no_longer_are_taken_out_with_what_is_empty_then() {
        let last = ["env/A~1B", "env/C", "image", "labels/x", "size"].map(str::to_owned).into();
        let mut held = json!({"env": {"A/B": 1, "C": 2, "D": 3}, "image": "x",
            "labels": {"x": 1}, "size": {"cpu": 1, "memory": 2}});
        let declared = json!({"env": {"C": 5}, "size": {"cpu": 1}});
        without_paths(&mut held, &last, &declared);
        assert_eq!(held, json!({"env": {"C": 2, "D": 3}, "size": {"cpu": 1, "memory": 2}}));
    }
}
