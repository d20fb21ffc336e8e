//! What flowreg does to a real Prefect server, and what it leaves alone.

use std::time::{Duration, Instant};

use flowreg::model::{
    Channel, CodeReference, Held, Marks, ReferenceName, ReferenceSource, Registration,
};
use flowreg::target::prefect::{ConnectOptions, PrefectServer};
use flowreg::target::{ReadScope, Target, TargetError, Write};
use serde_json::{Map, Value, json};

use crate::support::prefect::{Server, connection, connection_with_auth, unique, wait_for};

const REPOSITORY: &str = "https://git.example.com/data/flows.git";

fn reference(tag: &str) -> CodeReference {
    CodeReference {
        name: ReferenceName::Tag(tag.parse().unwrap()),
        commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
        source: ReferenceSource::Flag,
        source_detail: "--tag".to_owned(),
        channel: Channel::Mainline,
        remote: Some("origin".parse().unwrap()),
        proved: true,
    }
}

fn registration(flow: &str, tag: &str, fields: Value) -> Registration {
    let reference = reference(tag);
    let Value::Object(mut fields) = fields else { panic!("fields are an object") };
    fields.insert("version".to_owned(), json!(tag));
    fields.insert("entrypoint".to_owned(), json!("flows/etl.py:etl"));
    Registration {
        flow: flow.parse().unwrap(),
        deployment: "nightly".parse().unwrap(),
        entrypoint: "flows/etl.py:etl".parse().unwrap(),
        marks: Marks::new(REPOSITORY, &reference, reference.tag().is_some(), Some("ada")),
        reference,
        fields,
    }
}

fn schema() -> Value {
    json!({"title": "Parameters", "type": "object", "properties": {
        "n": {"default": 1, "position": 0, "title": "n", "type": "integer"}}})
}

fn cron(slug: &str, cron: &str) -> Value {
    json!({"schedule": {"cron": cron, "timezone": "UTC", "day_or": true}, "slug": slug})
}

fn read(target: &PrefectServer, flow: &str) -> Held {
    let names = [flow.parse().unwrap()];
    let mut held = target.read(ReadScope::Flows(&names)).unwrap();
    assert_eq!(held.len(), 1, "{held:?}");
    held.remove(0)
}

/// Reads and updates exactly these fields, as a plan would.
fn update(
    target: &PrefectServer,
    registration: &Registration,
    fields: Value,
    marks_change: bool,
) -> Result<Option<String>, TargetError> {
    let held = read(target, registration.flow.as_str());
    let Value::Object(fields) = fields else { panic!("fields are an object") };
    target.apply(&Write::Update { held: &held, registration, fields: &fields, marks_change })
}

#[test]
fn a_created_deployment_is_read_back_as_it_was_declared() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("create");
    let pool = server.api.pool();
    let fields = json!({
        "description": "loads", "parameters": {"n": 3}, "parameter_openapi_schema": schema(),
        "enforce_parameter_schema": true, "tags": ["a"], "work_pool_name": pool,
        "job_variables": {"env": {"A": "1"}},
        "pull_steps": [{"prefect.deployments.steps.git_clone":
            {"repository": REPOSITORY, "branch": "v1"}}],
        "schedules": [cron("a", "0 3 * * *"), json!({"slug": "b", "parameters": {"n": 2},
            "schedule": {"interval": 3600.0, "anchor_date": "2026-01-01T00:00:00Z",
                "timezone": "UTC"}})],
    });
    let registration = registration(&flow, "v1", fields);
    assert_eq!(target.describe().version, None, "the server was not asked yet");
    let id = target.apply(&Write::Create(&registration)).unwrap();
    assert_eq!(target.describe().version.as_deref(), Some("3.8.8"));

    let held = read(&target, &flow);
    assert_eq!(held.id, id);
    assert_eq!((held.flow.as_str(), held.deployment.as_str()), (flow.as_str(), "nightly"));
    assert_eq!(held.marks.as_ref(), Some(&registration.marks));
    assert!(held.registered_at.is_some());
    for (name, declared) in &registration.fields {
        let mut declared = declared.clone();
        if name == "schedules" {
            for schedule in declared.as_array_mut().unwrap() {
                schedule["active"] = json!(true);
            }
        }
        assert_eq!(held.fields.get(name), Some(&declared), "{name}");
    }
    // Carried out once more, it is the same deployment.
    assert_eq!(target.apply(&Write::Create(&registration)).unwrap(), id);
}
