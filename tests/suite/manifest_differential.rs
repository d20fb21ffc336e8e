//! Repositories with a `prefect.yaml`, registered by `prefect deploy --all` on one server and by
//! `flowreg register` on another: both have to hold the same, but for what [`ALLOWED`] lists.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::TestRepository;
use crate::support::official::{deploy, differences, flowreg, flowreg_in, held, without};
use crate::support::prefect::Server;

const TAG: &str = "v1.0.0";
const CLONE: &str = "prefect.deployments.steps.git_clone";
const SET_DIRECTORY: &str = "prefect.deployments.steps.set_working_directory";

/// What may differ, and why. Everything else has to be equal.
const ALLOWED: &[(&str, &str)] = &[
    (
        "id, created, updated, flow_id, work_queue_id, created_by, updated_by",
        "given by each server",
    ),
    ("status, last_polled", "depends on workers"),
    ("labels.flowreg.*, labels.prefect.flow.id", "flowreg's marks, and an id of the server"),
    ("pull_steps: the clones of this repository", "the code reference is flowreg's to give"),
    (
        "pull_steps where the file has none",
        "Prefect registers the directory of the machine that deployed; flowreg a clone",
    ),
    (
        "version",
        "the code reference, as mainline is pinned; Prefect takes the commit of the work tree",
    ),
    ("description \"None\"", "the real client's text for a missing one; flowreg sends null"),
    (
        "schedules[].schedule.anchor_date where the file has none",
        "Prefect takes the moment of the deployment, and another one at each; flowreg a fixed one",
    ),
    (
        "schedules[].schedule.rrule of minutes: the start where the file has none",
        "the server takes one near the moment of the write, with the same runs",
    ),
    (
        "entrypoint of a file in a directory, unless a run starts there",
        "Prefect's is right from that directory; flowreg's from the repository's root",
    ),
];

/// Where a run of an undeclared anchor begins.
const ANCHOR: &str = "2020-01-01T00:00:00Z";

/// Gives a server what the repositories refer to.
fn furnish(server: &Server) {
    let api = &server.api;
    for pool in ["first", "second"] {
        api.ask(
            "POST",
            "/work_pools/",
            &json!({"name": pool, "type": "process", "base_job_template": {
            "job_configuration": {"env": "{{ env }}"},
            "variables": {"type": "object", "properties": {
                "env": {"type": "object", "additionalProperties": true},
                "stream_output": {"type": "boolean"}}}}}),
        );
    }
    for (name, value) in [
        ("team", json!("data")),
        ("pool", json!("second")),
        ("is_active", json!(false)),
        ("tags", json!(["from", "variable"])),
        ("limits", json!({"cpu": 2, "names": ["a", "b"]})),
    ] {
        api.ask("POST", "/variables/", &json!({"name": name, "value": value}));
    }
    for (kind, name, value) in [
        ("secret", "git-token", json!("hunter2")),
        ("string", "greeting", json!("good morning")),
        ("json", "settings", json!({"n": 7})),
    ] {
        let is_secret = kind == "secret";
        let (status, mut found) =
            api.send("GET", &format!("/block_types/slug/{kind}"), &Value::Null);
        if status == 404 {
            found = api.ask("POST", "/block_types/", &json!({"name": kind, "slug": kind}));
        }
        let fields = json!({"title": kind, "type": "object", "required": ["value"],
            "properties": {"value": {"title": "Value"}},
            "secret_fields": if is_secret { json!(["value"]) } else { json!([]) },
            "block_type_slug": kind, "block_schema_references": {}});
        let schema = json!({"fields": fields, "block_type_id": found["id"], "capabilities": []});
        let schema = api.ask("POST", "/block_schemas/", &schema);
        let block = json!({"name": name, "data": {"value": value}, "block_type_id": found["id"],
                           "block_schema_id": schema["id"]});
        api.ask("POST", "/block_documents/", &block);
    }
}

/// A repository made of a fixture, tagged and pushed.
fn repository(case: &Path) -> (TestRepository, String) {
    let repository = TestRepository::empty();
    let remote = repository.add_bare_remote("origin").display().to_string();
    copy(case, case, &repository, &remote);
    repository.commit("all");
    repository.git(&["tag", TAG]);
    repository.git(&["push", "-q", "origin", "main", TAG]);
    (repository, remote)
}

fn copy(root: &Path, directory: &Path, repository: &TestRepository, remote: &str) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            copy(root, &path, repository, remote);
        } else {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            repository.write(name, text.replace("REMOTE", remote));
        }
    }
}

/// What is left to compare, once what may differ is taken away.
fn comparable(mut deployment: Value, is_ours: bool) -> Value {
    without(
        &mut deployment,
        &[
            "id",
            "created",
            "updated",
            "flow_id",
            "work_queue_id",
            "created_by",
            "updated_by",
            "status",
            "last_polled",
            "version",
        ],
    );
    if let Some(labels) = deployment["labels"].as_object_mut() {
        labels.retain(|name, _| !name.starts_with("flowreg.") && name != "prefect.flow.id");
    }
    if deployment["description"] == "None" {
        deployment["description"] = Value::Null;
    }
    if let Some(limit) = deployment["global_concurrency_limit"].as_object_mut() {
        limit.retain(|name, _| name == "limit");
    }
    let mut schedules: Vec<Value> = deployment["schedules"].as_array().unwrap().clone();
    for schedule in &mut schedules {
        without(schedule, &["id", "created", "updated", "deployment_id"]);
        let rrule = schedule["schedule"]["rrule"].as_str().unwrap_or_default();
        if let Some((start, rule)) = rrule.split_once('\n')
            && rule.contains("FREQ=MINUTELY")
        {
            assert!(start.starts_with("DTSTART:"), "{rrule}");
            schedule["schedule"]["rrule"] = json!(rule);
        }
        let anchor = schedule["schedule"].get_mut("anchor_date");
        if let Some(anchor) = anchor {
            let year = anchor.as_str().unwrap().get(..4).unwrap().to_owned();
            let is_now = !is_ours && schedule["schedule"]["interval"] == 7200.0;
            let anchor = &mut schedule["schedule"]["anchor_date"];
            if is_now {
                assert_ne!(year, "2020");
                *anchor = json!(ANCHOR);
            }
        }
    }
    schedules.sort_by_key(Value::to_string);
    deployment["schedules"] = json!(schedules);
    deployment
}

/// The pull steps that should be there: the real client's with the reference in them.
fn with_reference(theirs: &Value, remote: &str) -> Value {
    let clone = json!({CLONE: {"repository": remote, "branch": TAG}});
    let Some(steps) = theirs.as_array() else { return json!([clone]) };
    if steps.is_empty() {
        return json!([]);
    }
    let is_this_machine = |step: &Value| {
        let directory = step[SET_DIRECTORY]["directory"].as_str();
        directory.is_some_and(|directory| directory.contains("flowreg-test-"))
    };
    if steps.len() == 1 && steps.iter().all(is_this_machine) {
        return json!([clone]);
    }
    let mut steps = steps.clone();
    let mut is_cloned = false;
    for step in &mut steps {
        let Some(inputs) = step.get_mut(CLONE).and_then(Value::as_object_mut) else { continue };
        if inputs["repository"] == remote {
            inputs.remove("commit_sha");
            inputs.insert("branch".to_owned(), json!(TAG));
            is_cloned = true;
        }
    }
    // Code that lies in an image is not cloned beside it.
    let is_in_image = steps.iter().any(|step| !step[SET_DIRECTORY].is_null());
    if !is_cloned && !is_in_image {
        steps.insert(0, clone);
    }
    json!(steps)
}

fn compare(
    case: &str,
    theirs: &Server,
    ours: &Server,
    remote: &str,
    found: &mut Vec<String>,
) -> usize {
    let (left, right) = (held(theirs, case), held(ours, case));
    let names = |held: &BTreeMap<String, Value>| held.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&left), names(&right), "{case}");
    for (name, theirs) in &left {
        let ours = &right[name];
        assert_eq!(ours["version"], TAG, "{name}");
        let (mut theirs, mut ours) =
            (comparable(theirs.clone(), false), comparable(ours.clone(), true));
        theirs["pull_steps"] = with_reference(&theirs["pull_steps"], remote);
        if name == "monorepo-b/nightly" {
            assert_eq!(theirs["entrypoint"], "report.py:report");
            assert_eq!(ours["entrypoint"], "teams/b/report.py:report");
            without(&mut theirs, &["entrypoint"]);
            without(&mut ours, &["entrypoint"]);
        }
        differences(name, &theirs, &ours, found);
    }
    left.len()
}

#[test]
fn what_lands_on_the_server_is_what_prefect_deploy_all_makes() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/manifests");
    let theirs = Server::start(&[], None);
    let ours = Server::start(&[], None);
    furnish(&theirs);
    furnish(&ours);
    let only = std::env::var("FLOWREG_MANIFEST").ok();
    let mut cases: Vec<_> = std::fs::read_dir(&fixtures)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .filter(|path| only.as_ref().is_none_or(|only| path.ends_with(only)))
        .collect();
    cases.sort();
    let (mut found, mut count) = (Vec::new(), 0);
    for case in cases {
        let name = case.file_name().unwrap().to_str().unwrap().to_owned();
        let (repository, remote) = repository(&case);
        deploy(&repository, &theirs);
        let program = flowreg(&repository, &ours);
        let run = program.run(&["register", "--run-steps"]);
        assert_eq!(run.code, 0, "{name}: {run:#?}");
        let compared = compare(&name, &theirs, &ours, &remote, &mut found);
        println!("{name}: {compared} deployments");
        count += compared;
        // And nothing is written when nothing changed.
        let again = program.json(&["register", "--run-steps"], 0);
        let unchanged = json!(compared);
        assert_eq!(again["summary"]["unchanged"], unchanged, "{name}: {again:#}");
    }
    for (what, why) in ALLOWED {
        println!("may differ: {what}: {why}");
    }
    assert!(
        found.is_empty(),
        "{} differences in {count} deployments:\n{}",
        found.len(),
        found.join("\n")
    );
    assert!(only.is_some() || count > 30, "{count}");
}

/// Teams that come from `prefect deploy` have all their deployments on the server already.
#[test]
fn deployments_of_prefect_deploy_are_adopted_from_any_folder_and_stay_paused() {
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/manifests/schedules");
    let server = Server::start(&[], None);
    furnish(&server);
    let (repository, _) = repository(&case);
    deploy(&repository, &server);
    let before = held(&server, "schedules");
    let (name, one) = before.iter().find(|(name, _)| name.ends_with("/cron")).unwrap();
    let id = one["id"].as_str().unwrap();
    let path = format!("/deployments/{id}");
    server.api.ask("PATCH", &path, &json!({"tags": ["by-hand"], "paused": true}));

    // From any folder of the repository.
    let folder = repository.root().join("docs/notes");
    std::fs::create_dir_all(&folder).unwrap();
    let program = flowreg_in(&folder, &repository, &server);
    let refused = program.json(&["register"], 1);
    assert_eq!(refused["summary"]["refused"], before.len(), "{refused:#}");
    assert_eq!(refused["registrations"][0]["error"]["code"], "not_ours", "{refused:#}");
    let adopted = program.json(&["register", "--adopt"], 0);
    assert_eq!(adopted["summary"]["updated"], before.len(), "{adopted:#}");

    let after = held(&server, "schedules");
    assert_eq!(after.keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>());
    for (name, deployment) in &after {
        assert_eq!(deployment["id"], before[name]["id"], "{name}");
        assert_eq!(deployment["version"], TAG, "{name}");
    }
    assert_eq!(after[name]["tags"], json!([]));
    assert_eq!(after[name]["paused"], true);
    let again = program.json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], before.len(), "{again:#}");
}
