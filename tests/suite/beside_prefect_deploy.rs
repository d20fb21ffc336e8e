//! `prefect deploy` and flowreg in turns on one server: whoever comes second can write what the other
//! has left, and in the end the server holds what the last one would have made of an empty server.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::official::{deploy, differences, flowreg, held, try_deploy, without};
use crate::support::prefect::{Server, Turn, unique};
use crate::support::{Flowreg, TestRepository};

const FLOWS: &str = "from prefect import flow\n\n\n@flow(name=\"FLOW\")\n\
                     def etl(n: int = 1, m: int = 2):\n    \"\"\"Loads.\"\"\"\n";

const HEAD: &str = "pull:
  - prefect.deployments.steps.git_clone:
      repository: REMOTE
deployments:
";

/// Each deployment is a mix of schedules, or of what else an adoption replaces.
const FIRST: &str = "
  - name: no-slugs
    schedules: [{cron: 0 1 * * *}, {cron: 0 2 * * *}, {cron: 0 3 * * *}]
  - name: removed
    schedules: [{cron: 0 1 * * *}, {cron: 0 2 * * *}]
  - name: emptied
    schedules: [{cron: 0 1 * * *}]
  - name: all-slugs
    schedules: [{cron: 0 1 * * *, slug: a}, {cron: 0 2 * * *, slug: b}]
  - name: slug-removed
    schedules: [{cron: 0 1 * * *, slug: a}, {cron: 0 2 * * *, slug: b}]
  - name: slug-renamed
    schedules: [{cron: 0 1 * * *, slug: a}, {cron: 0 2 * * *, slug: b}]
  - name: some-slugs
    schedules: [{cron: 0 1 * * *}, {cron: 0 2 * * *, slug: b}]
  - name: slugs-come
    schedules: [{cron: 0 1 * * *}, {cron: 0 2 * * *}]
  - name: switched-off
    schedules: [{cron: 0 1 * * *, active: false}, {cron: 0 2 * * *}]
  - name: rules
    schedules:
      - {interval: 3600}
      - {interval: 600, anchor_date: \"2026-01-01T00:00:00Z\"}
      - {rrule: FREQ=WEEKLY;BYDAY=MO}
      - {rrule: FREQ=MINUTELY;INTERVAL=15}
  - name: parameters
    schedules: [{cron: 0 1 * * *, parameters: {n: 1}}, {cron: 0 1 * * *, parameters: {n: 2}}]
  - name: values
    tags: [a, b]
    parameters: {n: 1, m: 1}
    concurrency_limit: 2
    work_pool: {name: POOL, job_variables: {env: {A: \"1\", B: \"2\"}}}
    triggers: [{expect: [x]}, {name: gone, expect: [y]}]
";

const SECOND: &str = "
  - name: no-slugs
    schedules: [{cron: 0 1 * * *}, {cron: 0 9 * * *}, {cron: 0 3 * * *}, {cron: 0 4 * * *}]
  - name: removed
    schedules: [{cron: 0 1 * * *}]
  - name: emptied
  - name: all-slugs
    schedules: [{cron: 0 9 * * *, slug: a}, {cron: 0 2 * * *, slug: b}, {cron: 0 3 * * *, slug: c}]
  - name: slug-removed
    schedules: [{cron: 0 1 * * *, slug: a}]
  - name: slug-renamed
    schedules: [{cron: 0 1 * * *, slug: new}, {cron: 0 2 * * *, slug: b}]
  - name: some-slugs
    schedules: [{cron: 0 9 * * *}, {cron: 0 2 * * *, slug: b}, {cron: 0 3 * * *}]
  - name: slugs-come
    schedules: [{cron: 0 1 * * *, slug: a}, {cron: 0 2 * * *}]
  - name: switched-off
    schedules: [{cron: 0 1 * * *}, {cron: 0 2 * * *, active: false}]
  - name: rules
    schedules:
      - {interval: 7200}
      - {interval: 600, anchor_date: \"2026-02-01T00:00:00Z\"}
      - {rrule: FREQ=WEEKLY;BYDAY=TU}
      - {rrule: FREQ=MINUTELY;INTERVAL=15}
  - name: parameters
    schedules: [{cron: 0 1 * * *, parameters: {n: 1}}, {cron: 0 1 * * *, parameters: {n: 3}}]
  - name: values-renamed
    tags: [b, c]
    parameters: {n: 2}
    work_pool: {name: POOL, job_variables: {env: {B: \"3\"}}}
    triggers: [{expect: [z]}]
";

/// A server that all schedules have slugs on refuses one without: the client by itself can't make
/// this change (docs/facts/prefect.md, \"Schedules\").
const SLUGS_GO: [&str; 2] = [
    "\n  - name: slugs-go\n    schedules: [{cron: 0 1 * * *, slug: a}, {cron: 0 2 * * *, slug: b}]\n",
    "\n  - name: slugs-go\n    schedules: [{cron: 0 1 * * *}, {cron: 0 2 * * *, slug: b}]\n",
];

/// A repository whose flow has a name of its own, so that several can stand on one server.
struct Project<'s> {
    repository: TestRepository,
    remote: String,
    server: &'s Server,
    pool: String,
    flow: String,
    tags: std::cell::Cell<u32>,
}

impl<'s> Project<'s> {
    fn new(server: &'s Server) -> Self {
        let repository = TestRepository::empty();
        let remote = repository.add_bare_remote("origin").display().to_string();
        let flow = unique("beside");
        repository.write("flows.py", FLOWS.replace("FLOW", &flow));
        Self { repository, remote, server, pool: server.api.pool(), flow, tags: 0.into() }
    }

    /// A project whose first state was never registered.
    fn fresh(server: &'s Server, first: &str, second: &str) -> Self {
        let project = Self::new(server);
        project.release(first);
        project.release(second);
        project
    }

    /// Makes these the deployments of the next tag.
    fn release(&self, deployments: &str) {
        let all = deployments.split("\n  - ").filter(|one| !one.trim().is_empty()).map(|one| {
            let pool =
                if one.contains("work_pool:") { "" } else { "\n    work_pool: {name: POOL}" };
            format!("  - entrypoint: flows.py:etl{pool}\n    {}\n", one.trim_end())
        });
        let text = format!("{HEAD}{}", all.collect::<String>());
        let text = text.replace("REMOTE", &self.remote).replace("POOL", &self.pool);
        self.repository.write("prefect.yaml", text);
        self.repository.commit("next");
        self.tags.set(self.tags.get() + 1);
        let tag = format!("v{}.0.0", self.tags.get());
        self.repository.git(&["tag", &tag]);
        self.repository.git(&["push", "-q", "origin", "main", &tag]);
    }

    fn deploy(&self) {
        deploy(&self.repository, self.server);
    }

    fn flowreg(&self) -> Flowreg {
        flowreg(&self.repository, self.server)
    }

    fn register(&self, arguments: &[&str]) -> Value {
        self.flowreg().json(&[&["register"], arguments].concat(), 0)
    }

    fn is_settled(&self) {
        let again = self.register(&[]);
        assert_eq!(again["summary"]["updated"], 0, "{again:#}");
    }

    fn deployment(&self, name: &str) -> Value {
        self.server.api.deployment(&self.flow, name)
    }

    fn path(&self, name: &str) -> String {
        format!("/deployments/{}", self.deployment(name)["id"].as_str().unwrap())
    }

    /// What a person changes in the UI.
    fn change(&self, name: &str, fields: &Value) {
        self.server.api.ask("PATCH", &self.path(name), fields);
    }

    /// Switches off the schedule with this rule.
    fn switch_off(&self, name: &str, cron: &str) {
        let held = self.deployment(name);
        let schedules = held["schedules"].as_array().unwrap();
        let it = schedules.iter().find(|one| one["schedule"]["cron"] == cron).unwrap();
        let path = format!("{}/schedules/{}", self.path(name), it["id"].as_str().unwrap());
        self.server.api.ask("PATCH", &path, &json!({"active": false}));
    }

    /// Adds an automation that runs the deployment, and one that does more than that.
    fn automate(&self, name: &str) {
        let id = self.deployment(name)["id"].clone();
        let run = json!({"type": "run-deployment", "source": "selected", "deployment_id": id,
                         "parameters": {"n": "hunter2"}});
        for (kind, actions) in
            [("one", json!([run])), ("more", json!([run, {"type": "do-nothing"}]))]
        {
            let body = json!({"name": format!("{kind} of people"), "actions": actions,
                "trigger": {"type": "event", "expect": ["p"], "posture": "Reactive", "threshold": 1,
                            "within": 0}});
            self.server.api.ask("POST", "/automations/", &body);
        }
    }

    /// What the server holds, by deployment, without what differs from server to server and from
    /// one moment to the next.
    fn state(&self) -> BTreeMap<String, Value> {
        let held = held(self.server, &self.flow);
        let name = |name: String| name.split_once('/').unwrap().1.to_owned();
        held.into_iter().map(|(key, one)| (name(key), self.comparable(&one))).collect()
    }

    fn comparable(&self, deployment: &Value) -> Value {
        let text =
            deployment.to_string().replace(&self.remote, "REMOTE").replace(&self.pool, "POOL");
        let mut deployment: Value =
            serde_json::from_str(&text.replace(&self.flow, "FLOW")).unwrap();
        without(
            &mut deployment,
            &["id", "created", "updated", "flow_id", "work_queue_id", "status", "last_polled"],
        );
        without(
            &mut deployment["labels"],
            &["prefect.flow.id", "flowreg.commit", "flowreg.repository"],
        );
        if let Some(limit) = deployment["global_concurrency_limit"].as_object_mut() {
            limit.retain(|name, _| name == "limit");
        }
        let schedules = deployment["schedules"].as_array_mut().unwrap();
        for schedule in schedules.iter_mut() {
            without(schedule, &["id", "created", "updated", "deployment_id"]);
            let rule = &mut schedule["schedule"];
            let is_frequent = rule["rrule"].as_str().is_some_and(|text| text.contains("MINUTELY"));
            if is_frequent || rule["interval"] == 3600.0 || rule["interval"] == 7200.0 {
                // Their starts are undeclared, and the moment of the write counts.
                let rrule =
                    rule["rrule"].as_str().map(|text| text.split('\n').next_back().unwrap());
                *rule = json!({"rrule": rrule, "interval": rule["interval"]});
            }
        }
        schedules.sort_by_key(Value::to_string);
        deployment
    }

    /// The same without what flowreg alone leaves.
    fn state_for_client(&self) -> BTreeMap<String, Value> {
        let mut state = self.state();
        for deployment in state.values_mut() {
            deployment["labels"].as_object_mut().unwrap().clear();
            without(deployment, &["version"]);
            if deployment["description"] == "None" {
                deployment["description"] = Value::Null;
            }
        }
        state
    }
}

fn compare(what: &str, expected: &BTreeMap<String, Value>, found: &BTreeMap<String, Value>) {
    let mut differing = Vec::new();
    for (name, expected) in expected {
        differences(name, expected, found.get(name).unwrap_or(&Value::Null), &mut differing);
    }
    let text = differing.join("\n");
    assert!(differing.is_empty(), "{what} (prefect: expected, flowreg: found)\n{text}");
}

/// Expects the automation of people that does more than a trigger.
fn keep_automation(expected: &mut Value, found: &Value) {
    let is_it = |one: &&Value| one["name"] == "more of people";
    let it = found["automations"].as_array().unwrap().iter().find(is_it).unwrap().clone();
    let automations = expected["automations"].as_array_mut().unwrap();
    automations.push(it);
    automations.sort_by_key(|one| one["name"].as_str().unwrap().to_owned());
}

/// The fields of each deployment that a run has changed.
fn changed_fields(run: &Value) -> BTreeMap<String, Vec<String>> {
    let registrations = run["registrations"].as_array().unwrap();
    let of = |one: &Value| {
        let changes = one["changes"].as_array().unwrap().iter();
        let fields = changes.map(|change| change["field"].as_str().unwrap().to_owned());
        let mut fields: Vec<String> =
            fields.filter(|field| !field.starts_with("labels.")).collect();
        fields.sort();
        (one["deployment"].as_str().unwrap().to_owned(), fields)
    };
    registrations.iter().map(of).collect()
}

fn with(text: &str, more: &str) -> String {
    format!("{text}{}", more.trim_start_matches('\n'))
}

fn server() -> Turn {
    Server::shared()
}

#[test]
fn prefect_deploy_works_after_flowreg_and_flowreg_after_prefect_deploy() {
    let server = server();
    let (first, second) = (with(FIRST, SLUGS_GO[0]), with(SECOND, SLUGS_GO[1]));
    let by_client = {
        let project = Project::fresh(&server, &first, &second);
        project.deploy();
        project.state_for_client()
    };
    let by_flowreg = {
        let project = Project::fresh(&server, FIRST, SECOND);
        project.register(&[]);
        project.state()
    };

    // flowreg, flowreg, client; and flowreg once more.
    let project = Project::new(&server);
    project.release(&first);
    project.register(&[]);
    let old = project.deployment("values");
    project.release(&second);
    project.register(&[]);
    assert_eq!(project.deployment("values")["updated"], old["updated"], "a renamed one stays");
    let held_by_flowreg = project.state();
    project.deploy();
    compare("flowreg, client", &by_client, &project.state_for_client());
    let back = project.register(&[]);
    for (name, fields) in changed_fields(&back) {
        assert_eq!(fields, ["pull_steps", "version"], "{name}");
    }
    compare("flowreg, client, flowreg", &held_by_flowreg, &project.state());
    project.is_settled();

    // flowreg, client with edits, flowreg.
    let project = Project::new(&server);
    project.release(FIRST);
    project.register(&[]);
    project.release(SECOND);
    project.deploy();
    let refused = project.flowreg().json(&["register"], 8);
    let error = |one: &Value| (one["deployment"].clone(), one["error"]["code"].clone());
    let errors = refused["registrations"].as_array().unwrap().iter().map(error);
    let errors: Vec<_> = errors.filter(|(_, code)| !code.is_null()).collect();
    assert_eq!(errors, [(json!("values-renamed"), json!("not_ours"))], "the client made it");
    project.register(&["--adopt"]);
    compare("flowreg, client with edits, flowreg", &by_flowreg, &project.state());
    project.is_settled();
}

#[test]
fn an_adoption_replaces_what_was_there_and_leaves_what_prefect_deploy_can_write() {
    let server = server();
    let (first, second) = (with(FIRST, SLUGS_GO[0]), with(SECOND, SLUGS_GO[1]));
    let second = second.replace("values-renamed", "values");
    let mut by_client = {
        let project = Project::fresh(&server, &first, &second);
        project.deploy();
        project.state_for_client()
    };
    let mut by_flowreg = {
        let project = Project::fresh(&server, &first, &second);
        project.register(&[]);
        project.state()
    };

    let project = Project::new(&server);
    project.release(&first);
    project.deploy();
    project.change(
        "values",
        &json!({"tags": ["a", "b", "by-hand"], "parameters": {"n": 1, "m": 1, "by_hand": "hunter2"},
                "job_variables": {"env": {"A": "1", "B": "hunter2"}, "by_hand": "hunter2"},
                "enforce_parameter_schema": false, "paused": true}),
    );
    project.automate("values");
    project.switch_off("no-slugs", "0 1 * * *");
    let by_hand = json!([{"active": true, "schedule": {"cron": "30 1 * * *", "timezone": "UTC"},
                          "parameters": {"n": "hunter2"}}]);
    for name in ["no-slugs", "all-slugs", "emptied"] {
        server.api.ask("POST", &format!("{}/schedules", project.path(name)), &by_hand);
    }
    project.release(&second);

    let human = project.flowreg().run(&["plan", "--adopt"]).stdout;
    let json = project.flowreg().json(&["plan", "--adopt"], 0);
    let markdown = project.flowreg().run(&["plan", "--adopt", "--format", "markdown"]).stdout;
    for text in [&human, &markdown, &json.to_string()] {
        assert!(!text.contains("hunter2"), "{text}");
    }
    for line in [
        "- cron 30 1 * * *, timezone UTC, day_or true, with n",
        "= cron 0 1 * * *, day_or true, off  (switched off at the target, stays off)",
        "- by-hand",
        "job_variables.by_hand            (hidden) → (none)",
        "job_variables.env.A              (hidden) → (none)",
        "parameters.by_hand               (hidden) → (none)",
        "- one of people, event p",
        "= more of people, event p  (does more than run the deployment, stays)",
        "paused                           = true  (set at the target, stays)",
        "concurrency_limit                = 2  (set at the target, stays)",
    ] {
        assert!(human.contains(line), "{line}\n{human}");
    }
    for cell in [
        "`schedules` = cron 0 1 \\* \\* \\*, day\\_or true, off (switched off at the target, stays off)",
        "`tags` - by-hand",
        "`job_variables.by_hand` (hidden) → (none)",
    ] {
        assert!(markdown.contains(cell), "{cell}\n{markdown}");
    }
    let of = |name: &str| {
        let all = json["registrations"].as_array().unwrap();
        all.iter().find(|one| one["deployment"] == name).unwrap().clone()
    };
    assert_eq!(of("emptied")["changes"].to_string().matches("30 1 * * *").count(), 1);
    assert_eq!(of("no-slugs")["kept"][0]["field"], "schedules");

    let adopted = project.register(&["--adopt"]);
    assert_eq!(adopted["summary"]["updated"], json!(by_flowreg.len()), "{adopted:#}");
    // What stays of it is in the plan.
    let state = project.state();
    let values = by_flowreg.get_mut("values").unwrap();
    values["paused"] = json!(true);
    values["enforce_parameter_schema"] = json!(false);
    values["global_concurrency_limit"] = json!({"limit": 2});
    keep_automation(values, &state["values"]);
    // One of them by people, the other by the file that was deployed before.
    for name in ["no-slugs", "switched-off"] {
        let schedules = by_flowreg.get_mut(name).unwrap()["schedules"].as_array_mut().unwrap();
        let off = schedules.iter_mut().find(|one| one["schedule"]["cron"] == "0 1 * * *").unwrap();
        off["active"] = json!(false);
        schedules.sort_by_key(Value::to_string);
    }
    compare("client, flowreg", &by_flowreg, &state);
    project.is_settled();

    project.deploy();
    let values = by_client.get_mut("values").unwrap();
    values["enforce_parameter_schema"] = json!(false);
    keep_automation(values, &state["values"]);
    compare("client, flowreg, client", &by_client, &project.state_for_client());
}

#[test]
fn a_rename_that_stays_in_the_file_is_refused_to_the_client_with_or_without_flowreg() {
    let server = server();
    let before = "\n  - name: one\n    schedules: [{cron: 0 1 * * *, slug: a}]\n";
    let renamed = "\n  - name: one\n    schedules: [{cron: 0 1 * * *, slug: b, replaces: a}]\n";
    let message = |project: &Project<'_>| {
        let answer = try_deploy(project.repository.root(), &project.repository, &server);
        assert_ne!(answer.code, 0);
        answer.output
    };
    let project = Project::new(&server);
    project.release(before);
    project.deploy();
    project.release(renamed);
    project.deploy();
    assert!(message(&project).contains("422"), "{}", message(&project));

    let project = Project::new(&server);
    project.release(before);
    project.register(&[]);
    project.release(renamed);
    let run = project.register(&[]);
    let notices = run["notices"].to_string();
    assert!(notices.contains("replaces"), "{notices}");
    assert!(message(&project).contains("422"), "{}", message(&project));
    project.release(&renamed.replace(", replaces: a", ""));
    project.deploy();
}
