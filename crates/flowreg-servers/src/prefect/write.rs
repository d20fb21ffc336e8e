//! Carries out one change with the fewest requests that keep what people changed in the UI.
//!
//! A change is one `PATCH` where a `PATCH` can express it. Labels and some changes of schedules
//! ([`Schedules`]) need an upsert by `POST`, which resets each field that it is not sent, so it is
//! sent everything that is to stay. `DELETE` of a single schedule is no alternative: it also deletes runs that are
//! due and only wait for a worker. The table of what both do is in docs/facts/prefect.md, "Flows
//! and deployments".

use reqwest::Method;
use serde_json::{Value, json};

use super::held::{self, raw_schedules};
use super::http::{Http, Kind, Request};
use super::read::text;
use super::schedules::Schedules;
use super::two;
use crate::TargetError;
use flowreg_model::{Field, Fields, Held, Registration, json_equal};

/// What an update is made from.
#[derive(Clone, Copy)]
pub(super) struct Update<'a> {
    /// As it was read.
    pub held: &'a Held,
    /// As it should be.
    pub registration: &'a Registration,
    /// The fields that change, with their final values.
    pub fields: &'a Fields,
    /// Whether the marks change.
    pub marks_change: bool,
    /// The deployment as the API gave it.
    pub deployment: &'a Value,
    /// Whether the server is Prefect 2.
    pub is_two: bool,
}

/// Makes a flow known, or finds it, and returns its id.
pub(super) fn create_flow(http: &Http, name: &str) -> Result<String, TargetError> {
    let flow = write(http, &Method::POST, "/flows/", &json!({"name": name}))?;
    id(http, &flow)
}

/// Creates a deployment and returns it as the server has it then; `None` if there was one meanwhile, which
/// has then been changed.
pub(super) fn create(
    http: &Http,
    registration: &Registration,
    flow_id: &str,
    is_two: bool,
) -> Result<Option<Value>, TargetError> {
    let mut fields = registration.fields.clone();
    fields.remove(Field::Triggers);
    // The server takes `true` for an absent flag, but checks the parameters of this very request
    // only if the flag is sent (docs/facts/prefect.md, "Parameters").
    fields.get_or_set(Field::EnforceParameterSchema, true);
    let mut body = fields.into_object();
    body.insert("name".to_owned(), json!(registration.deployment));
    body.insert("flow_id".to_owned(), json!(flow_id));
    body.insert("labels".to_owned(), held::labels(&registration.marks, None, None));
    let mut body = Value::Object(body);
    if is_two {
        body = two::as_two(&body, None);
    }
    let repeated = http.requests().repeated;
    let (method, path) = (&Method::POST, "/deployments/");
    let answer = http.send(Request { kind: Kind::Write, method, path, body: Some(&body) })?;
    let deployment = http.json(&answer)?;
    // Of a request that was sent again the first one may have made it, and its answer was lost.
    let is_ours = answer.is_new || http.requests().repeated != repeated;
    Ok(is_ours.then_some(deployment))
}

/// Changes a deployment.
pub(super) fn update(http: &Http, update: Update<'_>) -> Result<(), TargetError> {
    let wanted = update.fields.list(Field::Schedules);
    let schedules = Schedules::new(update.deployment, wanted);
    let mut fields = update.fields.clone();
    fields.remove(Field::Triggers);
    keep_shared_limit(&mut fields, update.deployment);
    complete_work_pool(&mut fields, update);
    // The `PATCH` of Prefect 2 knows neither pull steps nor the parameters' schema. Labels (the
    // marks) can only be changed by an upsert.
    if update.is_two || update.marks_change || !schedules.fit_patch {
        return upsert(http, update, fields, schedules);
    }
    patch(http, update.deployment, fields)
}

/// Deletes a deployment; it is good if it is gone already.
pub(super) fn remove(http: &Http, id: &str) -> Result<(), TargetError> {
    let path = format!("/deployments/{id}");
    let request = Request { kind: Kind::Write, method: &Method::DELETE, path: &path, body: None };
    match http.send(request) {
        Ok(_) | Err(TargetError::Refused { status: 404, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Keeps a limit that people made for several deployments: clearing it here would take it from all
/// of them. A limit of this deployment alone is called `deployment:<id>`.
fn keep_shared_limit(fields: &mut Fields, deployment: &Value) {
    let own = format!("deployment:{}", text(deployment, "id").unwrap_or_default());
    let name = deployment.pointer("/global_concurrency_limit/name").and_then(Value::as_str);
    let clears_limit = fields.get(Field::ConcurrencyLimit) == Some(&Value::Null);
    if clears_limit && name.is_some_and(|name| name != own) {
        fields.remove(Field::ConcurrencyLimit);
    }
}

/// Pool and queue go together: the server looks for a queue that is sent alone in another pool,
/// and a pool that is sent alone resets the queue.
fn complete_work_pool(fields: &mut Fields, update: Update<'_>) {
    let is_named = |field| !fields.value(field).is_null();
    let declared = |field| update.registration.fields.get(field);
    let (pool, queue) = (Field::WorkPoolName, Field::WorkQueueName);
    let missing = match (is_named(pool), is_named(queue)) {
        (false, true) if !fields.has(pool) => {
            declared(pool).or_else(|| update.deployment.get(pool.name())).map(|value| (pool, value))
        }
        (true, false) if !fields.has(queue) => declared(queue).map(|value| (queue, value)),
        _ => None,
    };
    if let Some((field, value)) = missing.filter(|(_, value)| !value.is_null()) {
        fields.set(field, value.clone());
    }
}

fn patch(http: &Http, deployment: &Value, fields: Fields) -> Result<(), TargetError> {
    let pool = fields.text(Field::WorkPoolName).map(ToOwned::to_owned);
    let path = format!("/deployments/{}", id(http, deployment)?);
    let body = Value::Object(fields.into_object());
    let request =
        Request { kind: Kind::Write, method: &Method::PATCH, path: &path, body: Some(&body) };
    match (http.send(request), pool) {
        (Err(TargetError::Refused { status: 500, message }), Some(pool)) => {
            // A `PATCH` with a work pool that does not exist is answered by a bare 500, so ask
            // whether that is the reason.
            missing_pool(http, &pool)?;
            Err(TargetError::Refused { status: 500, message })
        }
        (result, _) => result.map(drop),
    }
}

/// Fails with the server's words if there is no such pool.
fn missing_pool(http: &Http, pool: &str) -> Result<(), TargetError> {
    let filter = json!({"work_pools": {"name": {"any_": [pool]}}, "limit": 1});
    let found = http.read(&Method::POST, "/work_pools/filter", Some(&filter))?;
    if found.as_array().is_some_and(Vec::is_empty) {
        let message = format!("Work pool \"{pool}\" not found.");
        return Err(TargetError::Refused { status: 404, message });
    }
    Ok(())
}

fn upsert(
    http: &Http,
    update: Update<'_>,
    mut fields: Fields,
    schedules: Schedules,
) -> Result<(), TargetError> {
    let kept = |name: &str| update.deployment.get(name).cloned();
    // An upsert resets these two if they are not sent; other fields it keeps.
    for field in [Field::Parameters, Field::EnforceParameterSchema] {
        if let Some(value) = kept(field.name()) {
            fields.get_or_set(field, value);
        }
    }
    let limited = schedules.limited();
    fields.set(Field::Schedules, schedules.all);
    // `POST /deployments/` ignores null, so clearing the pool needs a PATCH afterwards
    // (docs/facts/prefect.md).
    let clears_pool = fields.get(Field::WorkPoolName) == Some(&Value::Null)
        && kept(Field::WorkPoolName.name()).is_some_and(|pool| !pool.is_null());
    let mut body = fields.into_object();
    for name in ["name", "flow_id"] {
        body.insert(name.to_owned(), kept(name).unwrap_or_default());
    }
    let labels =
        held::labels(&update.registration.marks, Some(update.held), Some(update.deployment));
    body.insert("labels".to_owned(), labels);
    let mut body = Value::Object(body);
    if update.is_two {
        body = two::as_two(&body, Some(update.deployment));
    }
    let answer = write(http, &Method::POST, "/deployments/", &body)?;
    if update.is_two {
        return Ok(());
    }
    if clears_pool {
        patch(http, &answer, [(Field::WorkPoolName, Value::Null)].into_iter().collect())?;
    }
    limited.iter().try_for_each(|schedule| limit_again(http, &answer, schedule))
}

/// Gives a schedule its limit of runs back, which an upsert can't carry.
///
/// Such a request deletes the scheduled runs of the deployment as well; directly after the upsert
/// there are none that the upsert has not deleted already.
fn limit_again(http: &Http, deployment: &Value, schedule: &Value) -> Result<(), TargetError> {
    let is_it = |other: &&Value| {
        ["slug", "schedule", "active"].iter().all(|part| {
            let (one, other) = (schedule.get(part), other.get(part));
            json_equal(one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))
        })
    };
    let Some(created) = raw_schedules(deployment).find(is_it) else { return Ok(()) };
    let path = format!("/deployments/{}/schedules/{}", id(http, deployment)?, id(http, created)?);
    // This `PATCH` resets what it is not sent, so the parameters go along.
    let parameters = schedule.get("parameters").cloned().unwrap_or_else(|| json!({}));
    let most = schedule.get("max_scheduled_runs");
    let body = json!({"max_scheduled_runs": most, "parameters": parameters});
    let request =
        Request { kind: Kind::Write, method: &Method::PATCH, path: &path, body: Some(&body) };
    http.send(request).map(drop)
}

fn write(http: &Http, method: &Method, path: &str, body: &Value) -> Result<Value, TargetError> {
    let answer = http.send(Request { kind: Kind::Write, method, path, body: Some(body) })?;
    http.json(&answer)
}

pub(super) fn id(http: &Http, object: &Value) -> Result<String, TargetError> {
    text(object, "id")
        .map(ToOwned::to_owned)
        .ok_or_else(|| http.no_api("the answer has no id".to_owned()))
}
