//! Only what changed, on a real Prefect server: what the repository declares is put back, what it
//! declares no longer goes, what people made stays, and nothing is written for nothing.

use flowreg::registration::{
    Action, Guards, Others, Outcome, Planned, apply, plan, plan_one, read, triggers,
};
use flowreg_model::{Channel, CodeReference, Marks, ReferenceName, ReferenceSource, Registration};
use serde_json::{Value, json};

use crate::support::prefect::{Server, Turn, unique, wait_for};

const REPOSITORY: &str = "https://git.example.com/data/flows.git";

/// One deployment on the shared server, registered by one run after the other.
struct Deployment {
    server: Turn,
    flow: String,
    pool: String,
}

/// What a run planned and how many requests it sent.
#[derive(Debug)]
struct Run {
    planned: Planned,
    reads: u64,
    writes: u64,
}

impl Run {
    fn changed(&self) -> Vec<&str> {
        self.planned.changes.iter().map(|change| change.field.as_str()).collect()
    }
}

impl Deployment {
    fn new(prefix: &str) -> Self {
        let server = Server::shared();
        let pool = server.api.pool();
        Self { server, flow: unique(prefix), pool }
    }

    fn registration(&self, fields: &Value) -> Registration {
        let reference = CodeReference {
            name: ReferenceName::Branch("feat/x".parse().unwrap()),
            commit: "0123456789abcdef0123456789abcdef01234567".parse().unwrap(),
            source: ReferenceSource::Flag,
            source_detail: "--branch".to_owned(),
            channel: Channel::Feature,
            remote: Some("origin".parse().unwrap()),
            proved: true,
        };
        let mut declared = json!({
            "version": "feat/x", "entrypoint": "flows/etl.py:etl", "description": "loads",
            "parameter_openapi_schema": {"title": "Parameters", "type": "object", "properties": {
                "n": {"position": 0, "title": "n", "type": "integer"},
                "m": {"position": 1, "title": "m", "type": "integer"}}},
            "work_pool_name": self.pool, "schedules": [],
            "pull_steps": [{"prefect.deployments.steps.git_clone":
                {"repository": REPOSITORY, "branch": "feat/x"}}],
        });
        for (name, value) in fields.as_object().unwrap() {
            declared[name] = value.clone();
        }
        Registration {
            flow: self.flow.parse().unwrap(),
            deployment: "nightly".parse().unwrap(),
            entrypoint: "flows/etl.py:etl".parse().unwrap(),
            marks: Marks::new(REPOSITORY, &reference, false, None),
            reference,
            fields: serde_json::from_value(declared).unwrap(),
            open_schema: None,
            upload: None,
        }
    }

    /// Registers these fields as a process of its own would.
    fn register(&self, fields: &Value) -> Run {
        let target = self.server.target();
        let registrations = vec![self.registration(fields)];
        let held = read(&registrations, &target, true, &|url| url == REPOSITORY).unwrap();
        let guards = Guards { adopt: true, ..Guards::default() };
        let plan = plan(registrations, held, &guards, &|url| url == REPOSITORY);
        let planned = plan.items[0].clone();
        let replan = |registration: Registration, held| {
            plan_one(registration, held, &guards, &|url| url == REPOSITORY)
        };
        let reread = |registrations: &[Registration]| {
            read(registrations, &target, true, &|url| url == REPOSITORY)
        };
        let others = Others { replan: &replan, reread: &reread, outranks: &|_, _| false };
        let (mut applied, unsettled) = apply(plan, &target, 1, &|_| {}, &|| false, others);
        assert!(unsettled.is_none(), "{unsettled:?}");
        let outcome = applied.remove(0).outcome;
        assert!(
            matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Unchanged),
            "{outcome:?}"
        );
        let requests = target.requests();
        Run { planned, reads: requests.reads, writes: requests.writes }
    }

    /// Registers once more and makes sure that nothing is written.
    fn is_settled(&self, fields: &Value) {
        let run = self.register(fields);
        assert_eq!(run.planned.action, Action::Unchanged, "{:#?}", run.planned.changes);
        assert_eq!(run.writes, 0);
    }

    fn held(&self) -> Value {
        self.server.api.deployment(&self.flow, "nightly")
    }

    fn id(&self) -> String {
        self.held()["id"].as_str().unwrap().to_owned()
    }

    /// What a person does in the UI.
    fn change(&self, fields: &Value) {
        self.server.api.ask("PATCH", &format!("/deployments/{}", self.id()), fields);
    }

    /// The schedule with this slug or this rule.
    fn schedule(&self, name: &str) -> Value {
        let held = self.held();
        let is_it = |one: &&Value| one["slug"] == name || one["schedule"]["cron"] == name;
        let found = held["schedules"].as_array().unwrap().iter().find(is_it);
        found.unwrap_or_else(|| panic!("no schedule {name}: {held:#}")).clone()
    }

    fn change_schedule(&self, name: &str, fields: &Value) {
        let schedule = self.schedule(name)["id"].as_str().unwrap().to_owned();
        let path = format!("/deployments/{}/schedules/{schedule}", self.id());
        self.server.api.ask("PATCH", &path, fields);
    }

    /// All automations that run it, by name.
    fn automations(&self) -> Vec<Value> {
        let all = self.server.api.ask("POST", "/automations/filter", &json!({"limit": 200}));
        let id = self.id();
        let runs_it = |one: &&Value| one["actions"][0]["deployment_id"] == json!(id);
        all.as_array().unwrap().iter().filter(runs_it).cloned().collect()
    }
}

fn normalised(spec: &Value) -> Value {
    Value::Array(triggers::normalised("nightly", spec.as_array().unwrap()).unwrap())
}

fn cron(cron: &str) -> Value {
    json!({"schedule": {"cron": cron, "timezone": "UTC", "day_or": true}})
}

fn with(mut value: Value, parts: &Value) -> Value {
    for (name, part) in parts.as_object().unwrap() {
        value[name] = part.clone();
    }
    value
}

#[test]
fn all_fields_are_created_as_declared_and_then_nothing_is_written() {
    let deployment = Deployment::new("fields");
    let fields = json!({
        "paused": true, "concurrency_limit": 3, "enforce_parameter_schema": false,
        "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
        "tags": ["b", "a"], "parameters": {"n": 1}, "job_variables": {"env": {"A": "1"}},
        "work_queue_name": "fast",
        "schedules": [with(cron("0 3 * * *"), &json!({"slug": "early", "active": false})),
            cron("0 4 * * *")],
        "triggers": normalised(&json!([{"expect": ["x"]}])),
    });
    let run = deployment.register(&fields);
    assert_eq!(run.planned.action, Action::Create);
    // The flow, the deployment, the automation.
    assert_eq!(run.writes, 3);
    let held = deployment.held();
    assert_eq!(held["paused"], json!(true));
    assert_eq!(held["global_concurrency_limit"]["limit"], json!(3));
    assert_eq!(held["concurrency_options"]["collision_strategy"], json!("CANCEL_NEW"));
    assert_eq!(held["enforce_parameter_schema"], json!(false));
    assert_eq!(held["tags"], json!(["b", "a"]));
    assert_eq!(held["work_queue_name"], json!("fast"));
    assert_eq!(deployment.schedule("early")["active"], json!(false));
    let unnamed = deployment.schedule("0 4 * * *");
    assert_eq!((&unnamed["active"], &unnamed["slug"]), (&json!(true), &Value::Null));
    assert_eq!(
        held["labels"]["flowreg.declared"],
        json!(concat!(
            r#"{"tags":["a","b"],"parameters":["n"],"job_variables":["env/A"],"#,
            r#""schedules":["early","rule-dda5dd91"],"off":["early"],"triggers":["nightly__automation_1"],"#,
            r#""fields":["concurrency_limit","concurrency_options","enforce_parameter_schema","#,
            r#""paused","work_queue_name"]}"#
        ))
    );
    let run = deployment.register(&fields);
    assert_eq!(run.planned.action, Action::Unchanged, "{:#?}", run.planned.changes);
    // The version, the CSRF token, a page of flows, of deployments and of automations.
    assert_eq!((run.reads, run.writes), (5, 0));
    let without = Deployment { flow: unique("fields"), ..deployment };
    without.register(&json!({}));
    let run = without.register(&json!({}));
    assert_eq!((run.reads, run.writes), (4, 0), "nobody asks for triggers that nobody declared");
}

#[test]
fn what_the_file_does_not_declare_stays_as_people_made_it() {
    let deployment = Deployment::new("stays");
    let fields = json!({"tags": ["ours"], "parameters": {"n": 1},
        "job_variables": {"env": {"A": "1"}}, "schedules": [cron("0 3 * * *")]});
    deployment.register(&fields);
    deployment.change(&json!({
        "paused": true, "concurrency_limit": 7, "tags": ["ours", "theirs"],
        "concurrency_options": {"collision_strategy": "ENQUEUE"},
        "parameters": {"n": 1, "m": 2}, "job_variables": {"env": {"A": "1", "B": "2"}, "C": 3},
        "work_pool_name": deployment.pool, "work_queue_name": "theirs",
        "enforce_parameter_schema": false,
    }));
    deployment.change_schedule("0 3 * * *", &json!({"active": false}));
    let check = |description: &str| {
        let held = deployment.held();
        assert_eq!(held["description"], json!(description));
        assert_eq!(held["paused"], json!(true));
        assert_eq!(held["global_concurrency_limit"]["limit"], json!(7));
        assert_eq!(held["concurrency_options"]["collision_strategy"], json!("ENQUEUE"));
        assert_eq!(held["tags"], json!(["ours", "theirs"]));
        assert_eq!(held["parameters"], json!({"n": 1, "m": 2}));
        assert_eq!(held["job_variables"], json!({"env": {"A": "1", "B": "2"}, "C": 3}));
        assert_eq!(held["work_queue_name"], json!("theirs"));
        assert_eq!(held["enforce_parameter_schema"], json!(false));
        assert_eq!(deployment.schedule("0 3 * * *")["active"], json!(false));
    };
    deployment.is_settled(&fields);
    check("loads");
    // Also when something else is written, by the smaller and by the larger of two ways.
    let run = deployment.register(&with(fields.clone(), &json!({"description": "new"})));
    assert_eq!((run.changed(), run.writes), (vec!["description"], 1));
    check("new");
    let more = with(fields, &json!({"description": "newer", "tags": ["ours", "theirs"]}));
    let run = deployment.register(&more);
    assert_eq!((run.changed(), run.writes), (vec!["description"], 1));
    assert!(deployment.held()["labels"]["flowreg.declared"].as_str().unwrap().contains("theirs"));
    check("newer");
}

#[test]
fn what_the_file_declares_is_put_back_in_one_write() {
    let deployment = Deployment::new("back");
    let fields = json!({
        "concurrency_limit": 3, "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
        "tags": ["ours"], "parameters": {"n": 1}, "work_queue_name": "fast",
        "job_variables": {"env": {"A": "1"}}, "paused": true, "enforce_parameter_schema": true,
        "schedules": [with(cron("0 3 * * *"), &json!({"active": false}))],
    });
    deployment.register(&fields);
    let as_declared = deployment.held();
    deployment.change(&json!({
        "paused": false, "concurrency_limit": 7, "tags": ["theirs"], "description": "theirs",
        "concurrency_options": {"collision_strategy": "ENQUEUE"}, "parameters": {"n": 2},
        "job_variables": {"env": {"A": "9"}}, "enforce_parameter_schema": false,
        "work_pool_name": deployment.pool, "work_queue_name": "theirs",
    }));
    deployment.change_schedule("0 3 * * *", &json!({"active": true}));
    let run = deployment.register(&fields);
    assert_eq!(run.writes, 1);
    let held = deployment.held();
    for name in [
        "paused",
        "concurrency_options",
        "description",
        "parameters",
        "job_variables",
        "work_queue_name",
        "work_pool_name",
        "enforce_parameter_schema",
        "labels",
    ] {
        assert_eq!(held[name], as_declared[name], "{name}");
    }
    assert_eq!(held["global_concurrency_limit"]["limit"], json!(3));
    assert_eq!(held["tags"], json!(["theirs", "ours"]));
    assert_eq!(deployment.schedule("0 3 * * *")["active"], json!(false));
    deployment.is_settled(&fields);
}

#[test]
fn what_is_declared_no_longer_goes_and_what_people_added_stays() {
    let deployment = Deployment::new("goes");
    deployment.register(&json!({
        "paused": true, "concurrency_limit": 3, "enforce_parameter_schema": false,
        "concurrency_options": {"collision_strategy": "CANCEL_NEW"},
        "tags": ["ours", "ours-too"], "parameters": {"n": 1}, "work_queue_name": "fast",
        "job_variables": {"env": {"A": "1", "B": "2"}, "image": "x"},
        "schedules": [with(cron("0 3 * * *"), &json!({"slug": "early"})), cron("0 4 * * *")],
    }));
    deployment.change(&json!({"tags": ["ours", "theirs", "ours-too"],
        "parameters": {"n": 1, "m": 2}, "job_variables": {"env": {"A": "1", "B": "2", "C": "3"},
        "image": "x"}}));
    let by_hand = json!([{"active": true, "schedule": {"cron": "0 9 * * *", "timezone": "UTC"}}]);
    let path = format!("/deployments/{}/schedules", deployment.id());
    deployment.server.api.ask("POST", &path, &by_hand);
    let less = json!({"tags": ["ours"], "job_variables": {"env": {"B": "2"}}});
    let run = deployment.register(&less);
    assert_eq!(run.writes, 1, "{:?}", run.changed());
    let held = deployment.held();
    assert_eq!(held["paused"], json!(false));
    assert_eq!(held["global_concurrency_limit"], Value::Null);
    assert_eq!(held["concurrency_options"], Value::Null);
    assert_eq!(held["enforce_parameter_schema"], json!(true));
    assert_eq!(held["tags"], json!(["ours", "theirs"]));
    assert_eq!(held["parameters"], json!({"m": 2}));
    assert_eq!(held["job_variables"], json!({"env": {"B": "2", "C": "3"}}));
    assert_eq!(held["work_queue_name"], json!("default"));
    let schedules = held["schedules"].as_array().unwrap();
    assert_eq!(schedules.len(), 1, "{schedules:#?}");
    assert_eq!(schedules[0]["schedule"]["cron"], json!("0 9 * * *"));
    deployment.is_settled(&less);
    // What people set from now on is theirs.
    deployment.change(&json!({"tags": ["ours", "ours-too"], "paused": true,
        "concurrency_limit": 2}));
    deployment.is_settled(&less);
}

#[test]
fn a_switch_stays_with_who_used_it_last() {
    let deployment = Deployment::new("switch");
    let schedule = |active: Value| {
        json!({"paused": false, "schedules":
            [with(cron("0 3 * * *"), &json!({"slug": "early", "active": active}))]})
    };
    let on = schedule(json!(true));
    deployment.register(&on);
    deployment.change(&json!({"paused": true}));
    deployment.change_schedule("early", &json!({"active": false}));
    deployment.is_settled(&on);
    assert_eq!(deployment.held()["paused"], json!(true));
    assert_eq!(deployment.schedule("early")["active"], json!(false));
    // Switched on by people, off by the file, on again by the file.
    deployment.change_schedule("early", &json!({"active": true}));
    let off = with(schedule(json!(false)), &json!({"paused": true}));
    assert_eq!(deployment.register(&off).writes, 1);
    assert_eq!(deployment.schedule("early")["active"], json!(false));
    deployment.is_settled(&off);
    assert_eq!(deployment.register(&on).writes, 1);
    assert_eq!(deployment.schedule("early")["active"], json!(true));
    assert_eq!(deployment.held()["paused"], json!(false));
    deployment.is_settled(&on);
}

#[test]
fn schedules_are_found_by_their_slug_and_keep_what_people_limited() {
    let deployment = Deployment::new("slugs");
    let named = |slug: &str, rule: &str| with(cron(rule), &json!({"slug": slug}));
    deployment.register(&json!({"schedules": [named("a", "0 1 * * *"), named("b", "0 2 * * *")]}));
    deployment.change_schedule("a", &json!({"max_scheduled_runs": 2, "active": false}));
    // The rule changes: one small write.
    let edited = json!({"schedules": [named("a", "30 1 * * *"), named("b", "0 2 * * *")]});
    let id = deployment.schedule("a")["id"].clone();
    assert_eq!(deployment.register(&edited).writes, 1);
    let schedule = deployment.schedule("a");
    assert_eq!(schedule["id"], id);
    assert_eq!(schedule["schedule"]["cron"], json!("30 1 * * *"));
    assert_eq!((&schedule["active"], &schedule["max_scheduled_runs"]), (&json!(false), &json!(2)));
    deployment.is_settled(&edited);
    // A new name, and another one goes: the server forgets the limit and is told again.
    let renamed = json!({"schedules":
        [with(named("c", "30 1 * * *"), &json!({"replaces": "a", "parameters": {"n": 5}}))]});
    assert_eq!(deployment.register(&renamed).writes, 2);
    let schedule = deployment.schedule("c");
    assert_eq!((&schedule["active"], &schedule["max_scheduled_runs"]), (&json!(false), &json!(2)));
    assert_eq!(schedule["parameters"], json!({"n": 5}));
    assert_eq!(deployment.held()["schedules"].as_array().unwrap().len(), 1);
    deployment.is_settled(&renamed);
    let twice = json!({"schedules": [named("c", "0 1 * * *"), named("c", "0 2 * * *")]});
    let planned =
        plan(vec![deployment.registration(&twice)], Vec::new(), &Guards::default(), &|url| {
            url == REPOSITORY
        });
    match &planned.items[0].action {
        Action::Refuse(refusal) => assert_eq!(refusal.code(), "duplicate_slug"),
        other => panic!("{other:?}"),
    }
}

/// Versions before this one gave schedules slugs of their own, `flowreg-1` and so on.
#[test]
fn slugs_that_an_older_version_gave_go_with_the_next_write_and_not_by_themselves() {
    let deployment = Deployment::new("given");
    let rules = |last: &str| json!({"schedules": [cron("0 1 * * *"), cron(last)]});
    let fields = rules("0 2 * * *");
    deployment.register(&fields);
    let held = deployment.held();
    let mut labels = held["labels"].as_object().unwrap().clone();
    labels.remove("prefect.flow.id");
    labels.insert("flowreg.declared".to_owned(), json!("{}"));
    let slug = |rule: &str, slug: &str| with(cron(rule), &json!({"slug": slug}));
    let body = json!({"name": "nightly", "flow_id": held["flow_id"], "labels": labels,
        "parameters": held["parameters"], "enforce_parameter_schema": true,
        "schedules": [slug("0 1 * * *", "flowreg-1"), slug("0 2 * * *", "flowreg-2")]});
    deployment.server.api.ask("POST", "/deployments/", &body);
    deployment.change_schedule("flowreg-2", &json!({"active": false, "max_scheduled_runs": 2}));
    deployment.is_settled(&fields);
    // A trigger is no write to the deployment.
    let more = with(fields.clone(), &json!({"triggers": []}));
    deployment.is_settled(&more);
    assert_eq!(deployment.schedule("0 2 * * *")["slug"], json!("flowreg-2"));

    let fields = with(rules("0 9 * * *"), &json!({"description": "new"}));
    // The second write gives the limit back.
    assert_eq!(deployment.register(&fields).writes, 2);
    let edited = deployment.schedule("0 9 * * *");
    assert_eq!((&edited["slug"], &edited["active"]), (&Value::Null, &json!(false)));
    assert_eq!(edited["max_scheduled_runs"], json!(2));
    assert_eq!(deployment.schedule("0 1 * * *")["slug"], Value::Null);
    deployment.is_settled(&fields);
    // Without slugs, too, an edit keeps what people did, and a schedule that goes is one write.
    let fields = with(rules("0 8 * * *"), &json!({"description": "new"}));
    assert_eq!(deployment.register(&fields).writes, 2);
    let edited = deployment.schedule("0 8 * * *");
    assert_eq!((&edited["active"], &edited["max_scheduled_runs"]), (&json!(false), &json!(2)));
    let fields = json!({"schedules": [cron("0 1 * * *")], "description": "new"});
    assert_eq!(deployment.register(&fields).writes, 1);
    assert_eq!(deployment.held()["schedules"].as_array().unwrap().len(), 1);
    deployment.is_settled(&fields);
}

#[test]
fn a_limit_that_several_deployments_share_is_not_deleted() {
    let deployment = Deployment::new("shared");
    deployment.register(&json!({"concurrency_limit": 3}));
    let name = unique("shared-limit");
    let api = &deployment.server.api;
    let limit = api.ask("POST", "/v2/concurrency_limits/", &json!({"name": name, "limit": 5}));
    deployment.change(&json!({"global_concurrency_limit_id": limit["id"]}));
    assert_eq!(deployment.held()["global_concurrency_limit"]["name"], json!(name));
    deployment.register(&json!({}));
    assert_eq!(deployment.held()["global_concurrency_limit"]["limit"], json!(5));
    deployment.is_settled(&json!({}));
}

#[test]
fn a_registration_that_noted_nothing_is_left_as_it_is() {
    let deployment = Deployment::new("unnoted");
    deployment.register(&json!({"tags": ["a"], "parameters": {"n": 1}}));
    let held = deployment.held();
    let mut labels = held["labels"].as_object().unwrap().clone();
    labels.remove("flowreg.declared");
    labels.remove("prefect.flow.id");
    let body = json!({"name": "nightly", "flow_id": held["flow_id"], "labels": labels,
        "parameters": held["parameters"], "schedules": []});
    deployment.server.api.ask("POST", "/deployments/", &body);
    deployment.is_settled(&json!({}));
    deployment.register(&json!({"description": "new"}));
    let held = deployment.held();
    assert_eq!(held["tags"], json!(["a"]));
    assert_eq!(held["labels"]["flowreg.declared"], json!("{}"));
    deployment.is_settled(&json!({"description": "new"}));
}

#[test]
fn triggers_of_every_kind_are_held_as_the_official_client_makes_them() {
    let deployment = Deployment::new("triggers");
    let spec = json!([
        {"match": {"prefect.resource.id": ["my.*"]}, "expect": ["b", "a"], "for_each": ["c"],
         "parameters": {"n": "{{ event.resource.id }}"}, "schedule_after": "PT5S"},
        {"name": "gone", "posture": "Proactive", "within": 30, "threshold": 2, "enabled": false,
         "description": "text", "match_related": [{"a": "b"}, {"c": ["d"]}]},
        {"type": "compound", "require": "all", "within": 60, "triggers":
            [{"expect": ["y", "x"]}, {"triggers": [{"expect": ["z"]}], "within": "00:01:00"}]},
        {"name": null, "expect": ["q"], "job_variables": {"env": {"A": "1"}}},
    ]);
    let fields = json!({"triggers": normalised(&spec)});
    deployment.register(&fields);
    deployment.is_settled(&fields);
    let mut automations = deployment.automations();
    assert_eq!(automations.len(), 4);
    automations.sort_by_key(|one| one["name"].to_string());
    let names: Vec<_> = automations.iter().map(|one| one["name"].as_str().unwrap()).collect();
    let unnamed = format!("Automation for deployment {}", deployment.id());
    assert_eq!(names, [&unnamed, "gone", "nightly__automation_1", "nightly__automation_3"]);
    assert_eq!(automations[1]["enabled"], json!(false));
    assert_eq!(automations[1]["trigger"]["within"], json!(30.0));
    let action = &automations[2]["actions"][0];
    assert_eq!(action["type"], json!("run-deployment"));
    assert_eq!(action["parameters"], json!({"n": "{{ event.resource.id }}"}));
    assert_eq!(action["schedule_after"], json!(5.0));
    // They belong to the deployment: this is what the official client deletes before it makes new ones.
    let api = &deployment.server.api;
    api.ask(
        "DELETE",
        &format!("/automations/owned-by/prefect.deployment.{}", deployment.id()),
        &json!({}),
    );
    assert_eq!(deployment.automations(), Vec::<Value>::new());
    assert_eq!(deployment.register(&fields).changed(), ["triggers"]);
    assert_eq!(deployment.automations().len(), 4);
    deployment.is_settled(&fields);
}

#[test]
fn a_trigger_that_changes_leaves_the_deployment_and_its_runs_alone() {
    let deployment = Deployment::new("trigger");
    let declared =
        |spec: &Value| json!({"schedules": [cron("0 3 * * *")], "triggers": normalised(spec)});
    let fields =
        declared(&json!([{"name": "one", "expect": ["a"]}, {"name": "two", "expect": ["c"]}]));
    deployment.register(&fields);
    let id = deployment.id();
    let runs = || -> Vec<Value> {
        deployment.server.api.scheduled_runs(&id).iter().map(|run| run["id"].clone()).collect()
    };
    let before = wait_for("scheduled runs", 60, || Some(runs()).filter(|runs| runs.len() > 2));
    let updated = deployment.held()["updated"].clone();

    // What people switched off stays off, what they changed is put back, what they made stays.
    let automation = |name: &str| {
        let found = deployment.automations().into_iter().find(|one| one["name"] == name);
        found.unwrap_or_else(|| panic!("no automation {name}"))
    };
    let path = |name: &str| format!("/automations/{}", automation(name)["id"].as_str().unwrap());
    let api = &deployment.server.api;
    api.ask("PATCH", &path("one"), &json!({"enabled": false}));
    deployment.is_settled(&fields);
    let mut changed = automation("two");
    for added in ["id", "created", "updated"] {
        changed.as_object_mut().unwrap().remove(added);
    }
    api.ask("POST", "/automations/", &with(changed.clone(), &json!({"name": "theirs"})));
    changed["description"] = json!("by hand");
    changed["actions"] = json!([changed["actions"][0], {"type": "do-nothing"}]);
    api.ask("PUT", &path("two"), &changed);
    let kept = automation("two")["id"].clone();
    let run = deployment.register(&fields);
    assert_eq!((run.changed(), run.writes), (vec!["triggers"], 1));
    let two = automation("two");
    assert_eq!((&two["id"], &two["description"]), (&kept, &json!("")));
    assert_eq!(two["actions"].as_array().unwrap().len(), 1);

    // The file changes one of them.
    let edited =
        declared(&json!([{"name": "one", "expect": ["b"]}, {"name": "two", "expect": ["c"]}]));
    let run = deployment.register(&edited);
    assert_eq!((run.changed(), run.writes), (vec!["triggers"], 1));
    let one = automation("one");
    assert_eq!((&one["trigger"]["expect"], &one["enabled"]), (&json!(["b"]), &json!(false)));
    deployment.is_settled(&edited);
    assert_eq!(deployment.held()["updated"], updated);
    assert_eq!(runs(), before);

    // Switched on by the file; the other one goes, and those of others stay.
    let enabled = declared(&json!([{"name": "one", "expect": ["b"], "enabled": true}]));
    deployment.register(&enabled);
    assert_eq!(automation("one")["enabled"], json!(true));
    let mut names: Vec<String> =
        deployment.automations().iter().map(|one| one["name"].to_string()).collect();
    names.sort();
    assert_eq!(names, ["\"one\"", "\"theirs\""]);
    deployment.is_settled(&enabled);
    let none = json!({"schedules": [cron("0 3 * * *")]});
    deployment.register(&none);
    assert_eq!(deployment.automations().len(), 1);
    let run = deployment.register(&none);
    assert_eq!((run.reads, run.writes), (4, 0), "nothing is declared: nobody asks for automations");
}

#[test]
fn variables_and_blocks_are_read_without_their_secrets() {
    use flowreg_servers::Target;
    let server = Server::shared();
    let target = server.target();
    let name = unique("variable_").replace('-', "_");
    server.api.ask("POST", "/variables/", &json!({"name": name, "value": {"a": [1, 2]}}));
    let found = target.variables(&[name.clone(), "absent".to_owned()]).unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[&name], json!({"a": [1, 2]}));

    let of = |path: &str, body: &Value| server.api.ask("POST", path, body);
    let kind = of("/block_types/filter", &json!({"block_types": {"slug": {"any_": ["secret"]}}}));
    let id = kind[0]["id"].as_str().unwrap();
    let filter = json!({"block_schemas": {"block_type_id": {"any_": [id]}}});
    let schema = of("/block_schemas/filter", &filter);
    let name = unique("token");
    of(
        "/block_documents/",
        &json!({"name": name, "data": {"value": "s3cret"},
        "block_type_id": id, "block_schema_id": schema[0]["id"]}),
    );
    let block = target.block("secret", &name).unwrap().unwrap();
    assert!(!block.data.to_string().contains("s3cret"), "{block:?}");
    assert!(block.data["value"].is_string());
    assert_eq!(block.secret_fields, ["value"]);
    assert_eq!(target.block("secret", "absent").unwrap(), None);
    assert_eq!(target.block("no/such type", "a b").unwrap(), None);
}
