//! A deployment as Prefect's API gives it, as what flowreg compares.

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::read::text;
use flowreg_model::{Field, Fields, Held, Marks};

/// The fields that are compared; labels and schedules are treated apart.
const FIELDS: &[Field<'static>] = &[
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
    Field::ConcurrencyOptions,
];

/// The labels that hold flowreg's marks start so.
pub(super) const LABEL_PREFIX: &str = "flowreg.";

/// Takes a deployment as the API gave it.
pub(super) fn held(flow: &str, deployment: &Value) -> Held {
    let text = |name: &str| deployment.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let marks = deployment.get("labels").and_then(Value::as_object).and_then(marks);
    let mut fields: Fields = FIELDS
        .iter()
        .filter_map(|field| Some((*field, deployment.get(field.name())?.clone())))
        .collect();
    // The official client stores the text "None" for a flow without a docstring
    // (docs/facts/prefect.md, "Labels, tags, description").
    if fields.text(Field::Description) == Some("None") {
        fields.set(Field::Description, Value::Null);
    }
    // `concurrency_limit` itself is always null in answers (docs/facts/prefect.md).
    let limit = deployment.pointer("/global_concurrency_limit/limit").cloned();
    fields.set(Field::ConcurrencyLimit, limit.unwrap_or_default());
    fields.set(Field::Schedules, schedules(deployment));
    Held {
        id: text("id"),
        flow: flow.to_owned(),
        deployment: text("name").unwrap_or_default(),
        marks,
        fields,
        registered_at: text("updated"),
    }
}

/// The schedules as the model has them, in the order in which they were made. The server answers
/// them in any order.
fn schedules(deployment: &Value) -> Value {
    let mut schedules: Vec<(Option<Timestamp>, Value)> = raw_schedules(deployment)
        .filter_map(|schedule| {
            let mut entry = Map::new();
            entry.insert("schedule".to_owned(), schedule.get("schedule")?.clone());
            entry.insert("active".to_owned(), schedule.get("active")?.clone());
            if let Some(slug) = slug(schedule) {
                entry.insert("slug".to_owned(), Value::from(slug));
            }
            let parameters = schedule.get("parameters").and_then(Value::as_object);
            if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
                entry.insert("parameters".to_owned(), Value::Object(parameters.clone()));
            }
            let most = schedule.get("max_scheduled_runs").filter(|most| !most.is_null());
            entry.extend(most.map(|most| ("max_scheduled_runs".to_owned(), most.clone())));
            let created = text(schedule, "created").and_then(|created| created.parse().ok());
            Some((created, Value::Object(entry)))
        })
        .collect();
    schedules.sort_by_key(|(created, _)| *created);
    schedules.into_iter().map(|(_, schedule)| schedule).collect()
}

/// The schedules as the API gave them.
pub(super) fn raw_schedules(deployment: &Value) -> impl Iterator<Item = &Value> {
    deployment.get("schedules").and_then(Value::as_array).into_iter().flatten()
}

/// A schedule's slug; empty is none.
pub(super) fn slug(schedule: &Value) -> Option<&str> {
    schedule.get("slug").and_then(Value::as_str).filter(|slug| !slug.is_empty())
}

/// Whether a run may be started by schedule.
pub(super) fn is_scheduled(deployment: &Value) -> bool {
    let is_true = |value: Option<&Value>| value == Some(&Value::Bool(true));
    !is_true(deployment.get("paused"))
        && raw_schedules(deployment).any(|schedule| is_true(schedule.get("active")))
}

fn marks(labels: &Map<String, Value>) -> Option<Marks> {
    let text = |name: &str| labels.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    Some(Marks {
        repository: text("flowreg.repository")?,
        channel: text("flowreg.channel")?,
        branch: text("flowreg.branch"),
        tag: text("flowreg.tag"),
        commit: text("flowreg.commit"),
        author: text("flowreg.author"),
        declared: text("flowreg.declared"),
    })
}

/// The labels that say what the marks say, beside those that are not flowreg's.
///
/// The author is the one who registered first, whoever registers now.
pub(super) fn labels(marks: &Marks, before: Option<&Held>, deployment: Option<&Value>) -> Value {
    let mut labels: Map<String, Value> = deployment
        .and_then(|deployment| deployment.get("labels")?.as_object())
        .into_iter()
        .flatten()
        // The server adds `prefect.flow.id` by itself.
        .filter(|(name, _)| !name.starts_with(LABEL_PREFIX) && *name != "prefect.flow.id")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    let author = before.and_then(|held| held.marks.as_ref()?.author.as_ref());
    let texts = [
        ("repository", Some(&marks.repository)),
        ("channel", Some(&marks.channel)),
        ("branch", marks.branch.as_ref()),
        ("tag", marks.tag.as_ref()),
        ("commit", marks.commit.as_ref()),
        ("author", author.or(marks.author.as_ref())),
        ("declared", marks.declared.as_ref()),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            labels.insert(format!("{LABEL_PREFIX}{name}"), Value::from(text.as_str()));
        }
    }
    Value::Object(labels)
}
