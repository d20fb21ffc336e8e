//! What flowreg does to a real Prefect server, and what it leaves alone.

use std::time::{Duration, Instant};

use flowreg_model::{
    Channel, CodeReference, Field, Fields, Held, Marks, ReferenceName, ReferenceSource,
    Registration, Schedule,
};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use flowreg_servers::{ReadScope, Target, TargetError, Write};
use serde_json::{Map, Value, json};

use crate::support::TestRepository;
use crate::support::prefect::{Server, Worker, connection, connection_with_auth, unique, wait_for};

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
    let mut fields: Fields = serde_json::from_value(fields).unwrap();
    fields.set(Field::Version, tag);
    fields.set(Field::Entrypoint, "flows/etl.py:etl");
    Registration {
        flow: flow.parse().unwrap(),
        deployment: "nightly".parse().unwrap(),
        entrypoint: "flows/etl.py:etl".parse().unwrap(),
        marks: Marks::new(REPOSITORY, &reference, reference.tag().is_some(), Some("ada")),
        reference,
        fields,
        open_schema: None,
        upload: None,
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
    let fields: Fields = serde_json::from_value(fields).unwrap();
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
    for (field, declared) in registration.fields.iter() {
        let mut declared = declared.clone();
        if field == Field::Schedules {
            for schedule in declared.as_array_mut().unwrap() {
                schedule["active"] = json!(true);
            }
        }
        assert_eq!(held.fields.get(field), Some(&declared), "{field:?}");
    }
    let schedules: Vec<Schedule> =
        serde_json::from_value(held.fields.value(Field::Schedules).clone()).unwrap();
    assert_eq!(schedules.len(), 2);
    // Carried out once more, it says that there is one, and writes nothing.
    let counted = target.requests();
    let again = target.apply(&Write::Create(&registration));
    let Err(TargetError::Overtaken { held: Some(held) }) = again else { panic!("{again:?}") };
    assert_eq!(held.id, id);
    assert_eq!(target.requests().writes, counted.writes);
}

#[test]
fn an_update_sends_one_patch_and_keeps_what_people_changed() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("update");
    let fields = json!({"parameters": {"n": 3}, "parameter_openapi_schema": schema(),
        "tags": ["a"], "schedules": [cron("a", "0 3 * * *"), cron("b", "0 4 * * *")]});
    let registration = registration(&flow, "v1", fields);
    target.apply(&Write::Create(&registration)).unwrap();
    let before = server.api.deployment(&flow, "nightly");
    let path = format!("/deployments/{}", before["id"].as_str().unwrap());
    server.api.ask(
        "PATCH",
        &path,
        &json!({"paused": true, "tags": ["a", "people"], "concurrency_limit": 7}),
    );
    let schedule = &before["schedules"].as_array().unwrap()[0];
    let switched_off = schedule["slug"].as_str().unwrap();
    let schedule_path = format!("{path}/schedules/{}", schedule["id"].as_str().unwrap());
    server.api.ask("PATCH", &schedule_path, &json!({"active": false}));

    let counted = target.requests();
    let schedules = json!([cron("a", "0 5 * * *"), cron("b", "0 6 * * *"), cron("c", "0 7 * * *")]);
    update(&target, &registration, json!({"description": "new", "schedules": schedules}), false)
        .unwrap();
    assert_eq!(target.requests().writes - counted.writes, 1);

    let after = server.api.deployment(&flow, "nightly");
    assert_eq!(after["description"], json!("new"));
    assert_eq!(after["paused"], json!(true));
    assert_eq!(after["tags"], json!(["a", "people"]));
    assert_eq!(after["global_concurrency_limit"]["limit"], json!(7));
    assert_eq!(after["parameters"], json!({"n": 3}));
    let schedules = after["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 3);
    for schedule in schedules {
        let slug = schedule["slug"].as_str().unwrap();
        assert_eq!(schedule["active"], json!(slug != switched_off), "{slug}");
    }
    let same = schedules.iter().find(|after| after["id"] == schedule["id"]).unwrap();
    assert_ne!(same["schedule"]["cron"], schedule["schedule"]["cron"]);
}

#[test]
fn new_marks_take_one_upsert_that_keeps_everything_else() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("marks");
    let pool = server.api.pool();
    let fields = json!({"parameters": {"n": 3}, "parameter_openapi_schema": schema(),
        "tags": ["a"], "work_pool_name": pool, "job_variables": {"x": 1},
        "schedules": [cron("a", "0 3 * * *")]});
    let mut registration = registration(&flow, "v1", fields);
    registration.marks.author = Some("ada".to_owned());
    target.apply(&Write::Create(&registration)).unwrap();
    let before = server.api.deployment(&flow, "nightly");
    let path = format!("/deployments/{}", before["id"].as_str().unwrap());
    server.api.ask(
        "PATCH",
        &path,
        &json!({"paused": true, "concurrency_limit": 7, "parameters": {"n": 4}}),
    );
    let schedule = before["schedules"][0]["id"].as_str().unwrap();
    server.api.ask("PATCH", &format!("{path}/schedules/{schedule}"), &json!({"active": false}));
    // What a person adds in the UI has no slug.
    let by_hand = json!([{"active": true, "schedule": {"cron": "30 1 * * *", "timezone": "UTC"}}]);
    server.api.ask("POST", &format!("{path}/schedules"), &by_hand);

    let mut registration = self::registration(&flow, "v2", json!(registration.fields));
    registration.marks.author = Some("bob".to_owned());
    let counted = target.requests();
    update(&target, &registration, json!({"version": "v2"}), true).unwrap();
    assert_eq!(target.requests().writes - counted.writes, 1);

    let after = server.api.deployment(&flow, "nightly");
    assert_eq!(after["id"], before["id"]);
    assert_eq!(after["labels"]["flowreg.tag"], json!("v2"));
    assert_eq!(after["labels"]["flowreg.author"], json!("ada"), "the first one stays");
    assert!(after["labels"]["prefect.flow.id"].is_string());
    assert_eq!(after["version"], json!("v2"));
    assert_eq!(after["paused"], json!(true));
    assert_eq!(after["parameters"], json!({"n": 4}));
    assert_eq!(after["tags"], json!(["a"]));
    assert_eq!(after["job_variables"], json!({"x": 1}));
    assert_eq!(after["work_pool_name"], json!(pool));
    assert_eq!(after["global_concurrency_limit"]["limit"], json!(7));
    let schedules = after["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 2);
    for schedule in schedules {
        let is_by_hand = schedule["slug"].is_null();
        assert_eq!(schedule["active"], json!(is_by_hand));
        let expected = if is_by_hand { "30 1 * * *" } else { "0 3 * * *" };
        assert_eq!(schedule["schedule"]["cron"], json!(expected));
    }
}

#[test]
fn other_peoples_labels_stay() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("labels");
    let id = server.api.flow(&flow);
    let body = json!({"name": "nightly", "flow_id": id, "labels": {"team": "data", "n": 1}});
    server.api.ask("POST", "/deployments/", &body);
    let registration = registration(&flow, "v1", json!({}));
    assert_eq!(read(&target, &flow).marks, None);
    update(&target, &registration, json!({"version": "v1"}), true).unwrap();
    let labels = server.api.deployment(&flow, "nightly")["labels"].clone();
    assert_eq!(labels["team"], json!("data"));
    assert_eq!(labels["n"], json!(1));
    assert_eq!(read(&target, &flow).marks, Some(registration.marks));
}

#[test]
fn a_schedule_without_a_slug_is_replaced_by_one_that_has_one() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("adopt");
    let id = server.api.flow(&flow);
    let former = json!([{"schedule": {"cron": "0 1 * * *", "timezone": "UTC"}, "active": true}]);
    let body =
        json!({"name": "nightly", "flow_id": id, "description": "None", "schedules": former});
    server.api.ask("POST", "/deployments/", &body);
    let held = read(&target, &flow);
    assert_eq!(held.fields.get(Field::Description), Some(&Value::Null));
    assert_eq!(held.fields.value(Field::Schedules)[0].get("slug"), None);

    let wanted = json!([cron("a", "0 2 * * *")]);
    let registration = registration(&flow, "v1", json!({"schedules": wanted}));
    update(&target, &registration, json!({"schedules": wanted}), true).unwrap();
    let after = server.api.deployment(&flow, "nightly");
    let schedules = after["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 1, "{schedules:?}");
    assert_eq!(schedules[0]["schedule"]["cron"], json!("0 2 * * *"));
    assert_eq!(schedules[0]["slug"], json!("a"));
}

#[test]
fn a_schedule_without_a_slug_is_read_and_written_like_any_other() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("by-hand");
    let registration = registration(&flow, "v1", json!({"schedules": [cron("a", "0 3 * * *")]}));
    let id = target.apply(&Write::Create(&registration)).unwrap().unwrap();
    let by_hand = json!([{"active": false, "schedule": {"cron": "30 1 * * *", "timezone": "UTC"}}]);
    server.api.ask("POST", &format!("/deployments/{id}/schedules"), &by_hand);
    let held = read(&target, &flow).fields.value(Field::Schedules).clone();
    assert_eq!(held[0]["slug"], json!("a"), "in the order in which they were made");
    let schedules = json!([cron("a", "0 4 * * *"), held[1]]);
    let counted = target.requests();
    update(&target, &registration, json!({"schedules": schedules}), false).unwrap();
    assert_eq!(target.requests().writes - counted.writes, 1);
    let after = server.api.deployment(&flow, "nightly");
    let mut crons: Vec<_> = after["schedules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|schedule| (schedule["schedule"]["cron"].clone(), schedule["active"].clone()))
        .collect();
    crons.sort_by_key(|(cron, _)| cron.to_string());
    assert_eq!(crons, [(json!("0 4 * * *"), json!(true)), (json!("30 1 * * *"), json!(false))]);
}

#[test]
fn a_schedule_that_is_no_longer_declared_goes_in_one_write() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("remove-schedule");
    let both = json!({"parameters": {"n": 1},
        "schedules": [cron("a", "0 3 * * *"), cron("b", "0 4 * * *")]});
    let registration = registration(&flow, "v1", both);
    target.apply(&Write::Create(&registration)).unwrap();
    let counted = target.requests();
    update(&target, &registration, json!({"schedules": [cron("b", "0 4 * * *")]}), false).unwrap();
    assert_eq!(target.requests().writes - counted.writes, 1);
    let after = server.api.deployment(&flow, "nightly");
    assert_eq!(after["schedules"].as_array().unwrap().len(), 1);
    assert_eq!(after["schedules"][0]["slug"], json!("b"));
    assert_eq!(after["parameters"], json!({"n": 1}));
    assert_eq!(read(&target, &flow).marks, Some(registration.marks));
}

#[test]
fn a_queue_that_changes_alone_stays_in_its_pool() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("queue");
    let pool = server.api.pool();
    let fields = json!({"work_pool_name": pool, "work_queue_name": "one"});
    let registration = registration(&flow, "v1", fields);
    target.apply(&Write::Create(&registration)).unwrap();
    update(&target, &registration, json!({"work_queue_name": "two"}), false).unwrap();
    let after = server.api.deployment(&flow, "nightly");
    assert_eq!(
        (&after["work_pool_name"], &after["work_queue_name"]),
        (&json!(pool), &json!("two"))
    );
}

#[test]
fn a_deployment_can_be_removed_twice() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("remove");
    target.apply(&Write::Create(&registration(&flow, "v1", json!({})))).unwrap();
    let held = read(&target, &flow);
    target.apply(&Write::Remove(&held)).unwrap();
    target.apply(&Write::Remove(&held)).unwrap();
    let names = [flow.parse().unwrap()];
    assert_eq!(target.read(ReadScope::Flows(&names)).unwrap(), []);
}

#[test]
fn many_deployments_are_read_in_pages_and_no_flow_has_its_own_request() {
    let server = Server::shared();
    let target = server.target();
    let (first, second) = (unique("paged"), unique("paged"));
    for (flow, count) in [(&first, 205), (&second, 3)] {
        let id = server.api.flow(flow);
        for number in 0..count {
            let body = json!({"name": format!("d{number}"), "flow_id": id});
            server.api.ask("POST", "/deployments/", &body);
        }
    }
    let names: Vec<_> =
        [&first, &second, &unique("absent")].iter().map(|name| name.parse().unwrap()).collect();
    let held = target.read(ReadScope::Flows(&names)).unwrap();
    assert_eq!(held.len(), 208);
    assert_eq!(held.iter().filter(|held| held.flow == second).count(), 3);
    let counted = target.requests();
    assert_eq!(counted.writes, 0);
    // The version, the CSRF token, one page of flows, two of deployments.
    assert_eq!(counted.reads, 5, "{counted:?}");
    assert!(target.read(ReadScope::All).unwrap().len() >= 208);
}

#[test]
fn work_pools_are_listed_with_their_kind() {
    let server = Server::shared();
    let pool = server.api.pool();
    let pools = server.target().work_pools().unwrap().unwrap();
    let found = pools.offered.iter().find(|found| found.name == pool).unwrap();
    assert_eq!((found.kind.as_str(), found.is_paused), ("process", false));
}

#[test]
fn a_missing_work_pool_is_named_on_create_and_on_update() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("no-pool");
    let missing = |error| match error {
        TargetError::Refused { status: 404, message } => {
            assert_eq!(message, "Work pool \"nope\" not found.");
        }
        other => panic!("{other:?}"),
    };
    let registration = registration(&flow, "v1", json!({"work_pool_name": "nope"}));
    missing(target.apply(&Write::Create(&registration)).unwrap_err());
    target.apply(&Write::Create(&self::registration(&flow, "v1", json!({})))).unwrap();
    let fields = json!({"work_pool_name": "nope"});
    missing(update(&target, &registration, fields, false).unwrap_err());
}

#[test]
fn a_refused_value_is_explained_without_an_echo_of_the_request() {
    let server = Server::shared();
    let target = server.target();
    let fields = json!({"parameters": {"token": "s3cret"}, "schedules": [cron("a", "not a cron")]});
    let registration = registration(&unique("bad-cron"), "v1", fields);
    match target.apply(&Write::Create(&registration)).unwrap_err() {
        TargetError::Refused { status: 422, message } => {
            assert!(message.contains("cron"), "{message}");
            assert!(!message.contains("s3cret"), "{message}");
        }
        other => panic!("{other:?}"),
    }
    let fields = json!({"parameters": {"n": "x"}, "parameter_openapi_schema": schema()});
    let registration = self::registration(&unique("bad-parameter"), "v1", fields);
    match target.apply(&Write::Create(&registration)).unwrap_err() {
        TargetError::Refused { status: 409 | 422, message } => {
            assert!(message.contains('n'), "{message}");
        }
        other => panic!("{other:?}"),
    }
}

/// The scheduler of a server whose packages do not fit together is silently dead
/// (docs/facts/prefect.md, "Test servers").
#[test]
fn a_scheduled_deployment_gets_runs() {
    let server = Server::shared();
    let fields = json!({"schedules": [cron("a", "0 3 * * *")]});
    let registration = registration(&unique("scheduled"), "v1", fields);
    let id = server.target().apply(&Write::Create(&registration)).unwrap().unwrap();
    wait_for("scheduled runs", 60, || {
        Some(server.api.scheduled_runs(&id)).filter(|runs| !runs.is_empty())
    });
}

#[test]
fn a_run_that_is_due_within_seconds_is_not_lost_to_an_update() {
    let server = Server::shared();
    let target = server.target();
    let flow = unique("due");
    let due = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(20);
    let schedule = json!({"slug": "soon", "schedule": {"interval": 3600.0,
        "anchor_date": due.to_string(), "timezone": "UTC"}});
    let both = json!({"schedules": [schedule, cron("other", "0 3 * * *")]});
    let registration = registration(&flow, "v1", both);
    let id = target.apply(&Write::Create(&registration)).unwrap().unwrap();
    let runs = wait_for("scheduled runs", 15, || {
        Some(server.api.scheduled_runs(&id)).filter(|runs| !runs.is_empty())
    });
    let run = runs.first().unwrap()["id"].clone();
    let until_due = due.duration_since(jiff::Timestamp::now());
    let until_due = Duration::try_from(until_due).unwrap();
    std::thread::sleep(until_due.saturating_sub(Duration::from_secs(2)));

    let started = Instant::now();
    update(&target, &registration, json!({"description": "new"}), false).unwrap();
    assert!(started.elapsed() > Duration::from_secs(1), "it did not wait");
    let is_there = || server.api.scheduled_runs(&id).iter().any(|found| found["id"] == run);
    assert!(is_there(), "a change lost it");

    // No worker took it yet. Deleting the other schedule by itself would delete this run.
    update(&target, &registration, json!({"schedules": [schedule]}), false).unwrap();
    let schedules = server.api.deployment(&flow, "nightly")["schedules"].clone();
    assert_eq!(schedules.as_array().unwrap().len(), 1);
    assert!(is_there(), "the removal of another schedule lost it");
}

#[test]
fn basic_authentication_is_used_and_its_absence_is_told() {
    let auth = "admin:p4ss:word";
    let server = Server::start(&[("PREFECT_SERVER_API_AUTH_STRING", auth)], Some(auth));
    let connect =
        |connection| PrefectServer::connect(connection, ConnectOptions { jobs: 1 }).unwrap();
    let target = connect(connection_with_auth(&server.api_url, auth));
    assert_eq!(target.read(ReadScope::All).unwrap(), []);
    target.apply(&Write::Create(&registration("auth", "v1", json!({})))).unwrap();
    for wrong in
        [connection(&server.api_url), connection_with_auth(&server.api_url, "admin:hunter2")]
    {
        let error = connect(wrong).read(ReadScope::All).unwrap_err();
        assert!(matches!(error, TargetError::Unauthorized { status: 401, .. }), "{error:?}");
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }
}

#[test]
fn parallel_writers_all_get_through() {
    let server = Server::shared();
    let target = server.target();
    let prefix = unique("parallel");
    std::thread::scope(|scope| {
        for thread in 0..6 {
            let (target, prefix) = (&target, &prefix);
            scope.spawn(move || {
                for number in 0..6 {
                    let flow = format!("{prefix}-{thread}-{number}");
                    let fields = Value::Object(Map::new());
                    target.apply(&Write::Create(&registration(&flow, "v1", fields))).unwrap();
                }
            });
        }
    });
    let all = target.read(ReadScope::All).unwrap();
    assert_eq!(all.iter().filter(|held| held.flow.starts_with(&prefix)).count(), 36);
}

#[test]
fn a_worker_runs_the_code_of_the_tag_that_is_registered() {
    let repository = TestRepository::empty();
    let code = |version: &str| {
        format!(
            "from pathlib import Path\nfrom prefect import flow\n\n\n@flow\n\
             def etl(path: str):\n    Path(path).write_text({version:?})\n"
        )
    };
    repository.write("flows/etl.py", code("one"));
    repository.commit("one");
    repository.git(&["tag", "-a", "v1", "-m", "v1"]);
    repository.write("flows/etl.py", code("two"));
    repository.commit("two");

    let server = Server::shared();
    let pool = server.api.pool();
    let _worker = Worker::start(&server, &pool);
    let result = repository.outside().join("result");
    let clone = json!({"repository": format!("file://{}", repository.root().display()),
        "branch": "v1"});
    let fields = json!({"work_pool_name": pool, "parameters": {"path": result},
        "pull_steps": [{"prefect.deployments.steps.git_clone": clone}]});
    let registration = registration(&unique("worked"), "v1", fields);
    let id = server.target().apply(&Write::Create(&registration)).unwrap().unwrap();
    server.api.ask("POST", &format!("/deployments/{id}/create_flow_run"), &json!({}));
    let ran = wait_for("the flow's result", 120, || std::fs::read_to_string(&result).ok());
    assert_eq!(ran, "one");
}
