//! Triggers of deployments: at Prefect they are automations that run the deployment.
//!
//! The server does not tell who owns an automation. One that runs a deployment and has a name that
//! is or was declared for this deployment counts as ours; all others are left alone.

use std::collections::{HashMap, HashSet};

use reqwest::Method;
use serde_json::{Map, Value, json};

use super::http::{Http, Kind, Request};
use super::read::{NAMES, pages, text};
use crate::TargetError;
use flowreg_model::{Field, Held, json_equal};

/// The parts of an automation that a declared trigger has, in this order.
const OWN_PARTS: [&str; 4] = ["name", "description", "enabled", "trigger"];

/// The parts of its action that a declared trigger has.
const ACTION_PARTS: [&str; 3] = ["parameters", "job_variables", "schedule_after"];

/// Lists without an order.
const SETS: [&str; 3] = ["after", "expect", "for_each"];

/// Automations as the API gave them, by the id of the deployment that they run.
pub(super) type ByDeployment = HashMap<String, Vec<Value>>;

/// Reads the automations of these names, or all (`None`), that run one of these deployments.
pub(super) fn read(
    http: &Http,
    names: Option<&[String]>,
    deployments: &[&str],
) -> Result<ByDeployment, TargetError> {
    let filters = match names {
        None => vec![json!({})],
        Some(names) => {
            let mut filtered: Vec<String> =
                names.iter().filter(|name| !name.is_empty()).cloned().collect();
            if names.iter().any(String::is_empty) {
                filtered.extend(deployments.iter().copied().map(unnamed));
            }
            let filter = |names| json!({"automations": {"name": {"any_": names}}});
            filtered.chunks(NAMES).map(filter).collect()
        }
    };
    let wanted: HashSet<&str> = deployments.iter().copied().collect();
    let mut found = ByDeployment::new();
    for filter in filters {
        // Pages are cut by offset: many automations share a name, hardly two the time of their
        // creation.
        for automation in pages(http, "/automations/filter", Some("CREATED_DESC"), &filter)? {
            let deployment = run_deployment(&automation).map(|(_, id)| id.to_owned());
            if let Some(id) = deployment.filter(|id| wanted.contains(id.as_str())) {
                found.entry(id).or_default().push(automation);
            }
        }
    }
    Ok(found)
}

/// Puts what was read into the fields of the deployments.
pub(super) fn complete(held: &mut [&mut Held], found: &ByDeployment) {
    for held in held {
        let Some(id) = held.id.clone() else { continue };
        let automations = found.get(&id).map_or(&[][..], Vec::as_slice);
        let triggers = automations.iter().map(|automation| declared_form(automation, &id));
        held.fields.set(Field::Triggers, triggers.collect::<Value>());
    }
}

/// Makes the automations of a deployment those that are wanted: what is as it should be stays,
/// what has the name of a wanted one is changed, the rest is created or deleted.
pub(super) fn replace(
    http: &Http,
    deployment: &str,
    wanted: &[Value],
    automations: &[Value],
) -> Result<(), TargetError> {
    let mut left: Vec<(&Value, Value)> = automations
        .iter()
        .map(|automation| (automation, declared_form(automation, deployment)))
        .collect();
    // Equal ones are set aside first. Otherwise, of two automations of one name the wrong one might
    // be changed, and the right one deleted.
    let mut differing = Vec::new();
    for trigger in wanted {
        match left.iter().position(|(_, held)| json_equal(held, trigger)) {
            Some(same) => drop(left.swap_remove(same)),
            None => differing.push(trigger),
        }
    }
    for trigger in differing {
        let name = trigger.get("name");
        match left.iter().position(|(_, held)| held.get("name") == name) {
            Some(same_name) => {
                let (automation, _) = left.swap_remove(same_name);
                change(http, automation, &body(trigger, deployment))?;
            }
            None => create(http, &body(trigger, deployment), deployment)?,
        }
    }
    left.iter().try_for_each(|(automation, _)| delete(http, automation))
}

/// The name that Prefect gives a trigger that has an empty one.
fn unnamed(deployment: &str) -> String {
    format!("Automation for deployment {deployment}")
}

/// The first action of an automation that runs a deployment, and the deployment.
fn run_deployment(automation: &Value) -> Option<(&Value, &str)> {
    automation.get("actions")?.as_array()?.iter().find_map(|action| {
        let is_run = text(action, "type") == Some("run-deployment");
        text(action, "deployment_id").filter(|_| is_run).map(|deployment| (action, deployment))
    })
}

/// An automation in the form of a declared trigger.
fn declared_form(automation: &Value, deployment: &str) -> Value {
    let parts = |object: Option<&Value>, names: &[&str]| -> Map<String, Value> {
        names
            .iter()
            .filter_map(|name| Some(((*name).to_owned(), object?.get(name)?.clone())))
            .collect()
    };
    let mut trigger = parts(Some(automation), &OWN_PARTS);
    trigger.extend(parts(run_deployment(automation).map(|(action, _)| action), &ACTION_PARTS));
    let actions = automation.get("actions").and_then(Value::as_array).map_or(0, Vec::len);
    if actions > 1 {
        // No declared trigger has this part, so an automation to which people added actions
        // differs from the declared one and is changed back.
        trigger.insert("other_actions".to_owned(), json!(actions - 1));
    }
    if trigger.get("name").and_then(Value::as_str) == Some(&unnamed(deployment)) {
        trigger.insert("name".to_owned(), Value::Null);
    }
    if let Some(inner) = trigger.get_mut("trigger") {
        normalise(inner);
    }
    Value::Object(trigger)
}

/// Takes out what the server adds to a trigger and to those inside it, and sorts the lists whose
/// order means nothing, so that both sides can be compared.
fn normalise(trigger: &mut Value) {
    let Some(object) = trigger.as_object_mut() else { return };
    object.shift_remove("id");
    for name in SETS {
        if let Some(Value::Array(items)) = object.get_mut(name) {
            items.sort_by(|left, right| left.as_str().cmp(&right.as_str()));
        }
    }
    if let Some(Value::Array(triggers)) = object.get_mut("triggers") {
        triggers.iter_mut().for_each(normalise);
    }
}

/// The automation that the official client makes of a trigger of a deployment.
fn body(trigger: &Value, deployment: &str) -> Value {
    let part = |name: &str| trigger.get(name).cloned().unwrap_or_default();
    let name = text(trigger, "name").map_or_else(|| unnamed(deployment), ToOwned::to_owned);
    json!({
        "name": name,
        "description": part("description"),
        "enabled": trigger.get("enabled").and_then(Value::as_bool).unwrap_or(true),
        "trigger": part("trigger"),
        "actions": [{
            "type": "run-deployment",
            "source": "selected",
            "deployment_id": deployment,
            "parameters": part("parameters"),
            "job_variables": part("job_variables"),
            "schedule_after": part("schedule_after"),
        }],
    })
}

fn create(http: &Http, body: &Value, deployment: &str) -> Result<(), TargetError> {
    let mut owned = body.clone();
    if let Some(object) = owned.as_object_mut() {
        object
            .insert("owner_resource".to_owned(), json!(format!("prefect.deployment.{deployment}")));
    }
    let repeated = http.requests().repeated;
    let request = Request {
        kind: Kind::Write,
        method: &Method::POST,
        path: "/automations/",
        body: Some(&owned),
    };
    let created = http.json(&http.send(request)?)?;
    if http.requests().repeated == repeated {
        return Ok(());
    }
    // A request was sent again meanwhile, perhaps this one. If only its answer was lost, the
    // server has made the automation twice: nothing there identifies it but its new id.
    let name = text(&created, "name").unwrap_or_default().to_owned();
    let form = declared_form(&created, deployment);
    let found = read(http, Some(&[name]), &[deployment])?;
    let twins = found.values().flatten().filter(|other| {
        text(other, "id") != text(&created, "id")
            && json_equal(&declared_form(other, deployment), &form)
    });
    twins.take(1).try_for_each(|twin| delete(http, twin))
}

fn change(http: &Http, automation: &Value, body: &Value) -> Result<(), TargetError> {
    let path = path(http, automation)?;
    let request =
        Request { kind: Kind::Write, method: &Method::PUT, path: &path, body: Some(body) };
    http.send(request).map(drop)
}

fn delete(http: &Http, automation: &Value) -> Result<(), TargetError> {
    let path = path(http, automation)?;
    let request = Request { kind: Kind::Write, method: &Method::DELETE, path: &path, body: None };
    match http.send(request) {
        Ok(_) | Err(TargetError::Refused { status: 404, .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn path(http: &Http, automation: &Value) -> Result<String, TargetError> {
    let id =
        text(automation, "id").ok_or_else(|| http.no_api("an automation has no id".to_owned()))?;
    Ok(format!("/automations/{id}"))
}
