//! Carries out one change with the fewest requests that keep what people changed in the UI.
//!
//! A change is one `PATCH` where that can express it. Labels and the removal of a schedule need
//! an upsert by `POST`, which resets what it is not told (`facts/prefect3.md` §4): it is told
//! everything that is to stay. Deleting a single schedule is no way out, as that also deletes
//! runs that are due and only wait for a worker.

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::held::{self, raw_schedules};
use super::http::{Http, Kind, Request};
use super::read::text;
use super::schedules::Schedules;
use super::two;
use crate::TargetError;
use flowreg_model::{Held, Registration, json_equal};

/// What an update is made from.
#[derive(Clone, Copy)]
pub(super) struct Update<'a> {
    /// As it was read.
    pub held: &'a Held,
    /// As it should be.
    pub registration: &'a Registration,
    /// The fields that change, with their final values.
    pub fields: &'a Map<String, Value>,
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

/// Creates a deployment and returns its id.
pub(super) fn create(
    http: &Http,
    registration: &Registration,
    flow_id: &str,
    is_two: bool,
) -> Result<String, TargetError> {
    let mut body = registration.fields.clone();
    body.shift_remove("triggers");
    body.insert("name".to_owned(), json!(registration.deployment));
    body.insert("flow_id".to_owned(), json!(flow_id));
    body.insert("labels".to_owned(), held::labels(&registration.marks, None, None));
    // Parameters are only checked if this is said (`facts/prefect3.md` §4.2).
    body.entry("enforce_parameter_schema").or_insert(Value::Bool(true));
    let mut body = Value::Object(body);
    if is_two {
        body = two::as_two(&body, None);
    }
    let deployment = write(http, &Method::POST, "/deployments/", &body)?;
    id(http, &deployment)
}

/// Changes a deployment.
pub(super) fn update(http: &Http, update: Update<'_>) -> Result<(), TargetError> {
    let wanted = update.fields.get("schedules").and_then(Value::as_array);
    let schedules = Schedules::merge(update.deployment, wanted, update.held.marks.is_none());
    let mut fields = update.fields.clone();
    fields.shift_remove("triggers");
    keep_shared_limit(&mut fields, update.deployment);
    complete_work_pool(&mut fields, update);
    // The `PATCH` of Prefect 2 knows neither pull steps nor parameters' schema.
    if update.is_two || update.marks_change || schedules.removes || schedules.forgets_limits() {
        return upsert(http, update, fields, schedules);
    }
    if let Some(wanted) = wanted {
        fields.insert("schedules".to_owned(), schedules.for_patch(wanted));
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

/// A limit that people made for several deployments is not deleted with this one's.
fn keep_shared_limit(fields: &mut Map<String, Value>, deployment: &Value) {
    let own = format!("deployment:{}", text(deployment, "id").unwrap_or_default());
    let name = deployment.pointer("/global_concurrency_limit/name").and_then(Value::as_str);
    if fields.get("concurrency_limit") == Some(&Value::Null) && name.is_some_and(|name| name != own)
    {
        fields.shift_remove("concurrency_limit");
    }
}

/// Pool and queue go together: the server looks for a queue that is sent alone in another pool,
/// and a pool that is sent alone resets the queue.
fn complete_work_pool(fields: &mut Map<String, Value>, update: Update<'_>) {
    let has = |fields: &Map<String, Value>, name: &str| {
        fields.get(name).is_some_and(|value| !value.is_null())
    };
    let declared = |name: &str| update.registration.fields.get(name);
    let (pool, queue) = ("work_pool_name", "work_queue_name");
    let missing = match (has(fields, pool), has(fields, queue)) {
        (false, true) if !fields.contains_key(pool) => {
            declared(pool).or_else(|| update.deployment.get(pool)).map(|value| (pool, value))
        }
        (true, false) if !fields.contains_key(queue) => declared(queue).map(|value| (queue, value)),
        _ => None,
    };
    if let Some((name, value)) = missing.filter(|(_, value)| !value.is_null()) {
        fields.insert(name.to_owned(), value.clone());
    }
}

fn patch(http: &Http, deployment: &Value, fields: Map<String, Value>) -> Result<(), TargetError> {
    let pool = fields.get("work_pool_name").and_then(Value::as_str).map(ToOwned::to_owned);
    let path = format!("/deployments/{}", id(http, deployment)?);
    let body = Value::Object(fields);
    let request =
        Request { kind: Kind::Write, method: &Method::PATCH, path: &path, body: Some(&body) };
    match (http.send(request), pool) {
        (Err(TargetError::Refused { status: 500, message }), Some(pool)) => {
            // That is all the server says if the work pool does not exist.
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
    mut body: Map<String, Value>,
    schedules: Schedules,
) -> Result<(), TargetError> {
    let kept = |name: &str| update.deployment.get(name).cloned();
    for name in ["name", "flow_id"] {
        body.insert(name.to_owned(), kept(name).unwrap_or_default());
    }
    let labels =
        held::labels(&update.registration.marks, Some(update.held), Some(update.deployment));
    body.insert("labels".to_owned(), labels);
    for name in ["parameters", "enforce_parameter_schema"] {
        if let Some(value) = kept(name) {
            body.entry(name).or_insert(value);
        }
    }
    let limited = schedules.limited();
    body.insert("schedules".to_owned(), Value::Array(schedules.all));
    // An upsert takes `null` for "as it is".
    let clears_pool = body.get("work_pool_name") == Some(&Value::Null)
        && kept("work_pool_name").is_some_and(|pool| !pool.is_null());
    let mut body = Value::Object(body);
    if update.is_two {
        body = two::as_two(&body, Some(update.deployment));
    }
    let answer = write(http, &Method::POST, "/deployments/", &body)?;
    if update.is_two {
        return Ok(());
    }
    if clears_pool {
        let field = [("work_pool_name".to_owned(), Value::Null)];
        patch(http, &answer, field.into_iter().collect())?;
    }
    limited.iter().try_for_each(|schedule| limit_again(http, &answer, schedule))
}

/// Gives a schedule back what an upsert forgets, within the gap that the upsert made.
fn limit_again(http: &Http, deployment: &Value, schedule: &Value) -> Result<(), TargetError> {
    let is_it = |other: &&Value| {
        ["slug", "schedule"].iter().all(|part| {
            let (one, other) = (schedule.get(part), other.get(part));
            json_equal(one.unwrap_or(&Value::Null), other.unwrap_or(&Value::Null))
        })
    };
    let Some(created) = raw_schedules(deployment).find(is_it) else { return Ok(()) };
    let path = format!("/deployments/{}/schedules/{}", id(http, deployment)?, id(http, created)?);
    // What is absent here would be reset.
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

fn id(http: &Http, object: &Value) -> Result<String, TargetError> {
    text(object, "id")
        .map(ToOwned::to_owned)
        .ok_or_else(|| http.no_api("the answer has no id".to_owned()))
}
