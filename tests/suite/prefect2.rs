//! The main job on a real server of Prefect 2.20 with a real worker: the same target with fewer
//! fields.

use serde_json::{Value, json};

use crate::support::prefect::{Server, Turn, Worker, unique, wait_for};
use crate::support::{Flowreg, TestRepository};

/// A run of a worker on a busy machine: poll, clone, start of Python.
const RUN_SECONDS: u64 = 180;

struct Project {
    repository: TestRepository,
    server: Turn,
    pool: String,
    flow: String,
}

impl Project {
    fn new() -> Self {
        let server = Server::shared_two();
        let pool = server.api.pool();
        let repository = TestRepository::empty();
        repository.add_bare_remote("origin");
        Self { repository, server, pool, flow: unique("two") }
    }

    fn configure(&self, more: &str) {
        let pool = &self.pool;
        let text = format!(
            "[mainline]\nwork_pool = \"{pool}\"\ntags = [\"prod\"]\n\
             [feature]\nwork_pool = \"{pool}\"\n{more}"
        );
        self.repository.write("flowreg.toml", text);
    }

    fn write_code(&self, code: &str) {
        let flow = &self.flow;
        self.repository.write(
            "flows/probe.py",
            format!(
                "from prefect import flow\nfrom prefect.states import Completed\n\n\n\
                 @flow(name=\"{flow}\")\ndef probe(n: int = 1):\n    \
                 \"\"\"Says which code ran.\"\"\"\n    \
                 return Completed(message=f\"{code} ran with {{n}}\")\n"
            ),
        );
        self.repository.commit(code);
    }

    fn push(&self, references: &[&str]) {
        self.repository.git(&[&["push", "-q", "origin"], references].concat());
    }

    fn register(&self, arguments: &[&str], code: i32) -> Value {
        let flowreg =
            Flowreg::in_repository(&self.repository).env("PREFECT_API_URL", &self.server.api_url);
        flowreg.json(&[&["register"], arguments].concat(), code)
    }

    fn deployment(&self, name: &str) -> Value {
        self.server.api.deployment(&self.flow, name)
    }

    fn start(&self, deployment: &str, n: u32) -> String {
        let path = format!("{}/create_flow_run", self.path(deployment));
        let run = self.server.api.ask("POST", &path, &json!({"parameters": {"n": n}}));
        run["id"].as_str().unwrap().to_owned()
    }

    fn path(&self, deployment: &str) -> String {
        format!("/deployments/{}", self.deployment(deployment)["id"].as_str().unwrap())
    }

    fn result(&self, run: &str) -> String {
        let state = wait_for("the run did not end", RUN_SECONDS, || {
            let run = self.server.api.ask("GET", &format!("/flow_runs/{run}"), &Value::Null);
            let kind = run["state"]["type"].as_str();
            let is_over = matches!(kind, Some("COMPLETED" | "FAILED" | "CRASHED" | "CANCELLED"));
            is_over.then(|| run["state"].clone())
        });
        state["message"].as_str().unwrap_or_default().to_owned()
    }
}

fn outcome(run: &Value) -> &str {
    run["registrations"][0]["outcome"].as_str().unwrap()
}

#[test]
fn workers_of_prefect_2_run_the_registered_reference() {
    let project = Project::new();
    let _worker = Worker::start_two(&project.server, &project.pool);
    project.configure("");
    project.write_code("one");
    project.repository.git(&["tag", "v1.0.0"]);
    project.push(&["main", "v1.0.0"]);
    let first = project.register(&[], 0);
    assert_eq!(outcome(&first), "created");
    assert_eq!(first["target"]["version"], "2.20.25");
    // Later code on the branch: the tag counts.
    project.write_code("later");
    project.push(&["main"]);
    let pinned = project.start("default", 1);
    project.repository.git(&["switch", "-qc", "feat/x"]);
    project.write_code("branch");
    project.push(&["feat/x"]);
    assert_eq!(outcome(&project.register(&[], 0)), "created");
    project.write_code("newer branch");
    project.push(&["feat/x"]);
    assert_eq!(outcome(&project.register(&[], 0)), "unchanged");
    let followed = project.start("default@feat~x", 2);
    assert_eq!(project.result(&pinned), "one ran with 1");
    assert_eq!(project.result(&followed), "newer branch ran with 2");

    project.repository.git(&["switch", "-q", "main"]);
    project.repository.git(&["tag", "-am", "x", "v2.0.0"]);
    project.push(&["v2.0.0"]);
    assert_eq!(outcome(&project.register(&[], 0)), "updated");
    let annotated = project.start("default", 3);
    assert_eq!(project.result(&annotated), "later ran with 3");
}

#[test]
fn on_prefect_2_tags_mark_what_is_ours_and_what_people_changed_stays() {
    let project = Project::new();
    let own = format!(
        "[flow.\"{}\"]\nparameters = {{ n = 5 }}\njob_variables = {{ env = {{ A = \"1\" }} }}\n\
         schedules = [{{ cron = \"*/5 * * * *\", timezone = \"Europe/Berlin\" }}, \
         {{ interval = 3600 }}, {{ rrule = \"FREQ=WEEKLY;BYDAY=MO\" }}]\n",
        project.flow
    );
    project.configure(&own);
    project.write_code("one");
    project.repository.git(&["tag", "v1.0.0"]);
    project.push(&["main", "v1.0.0"]);
    assert_eq!(outcome(&project.register(&[], 0)), "created");
    let created = project.deployment("default");
    let tags: Vec<&str> =
        created["tags"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(tags.contains(&"prod") && tags.contains(&"flowreg.tag=v1.0.0"), "{tags:?}");
    assert_eq!((&created["version"], &created["parameters"]), (&json!("v1.0.0"), &json!({"n": 5})));
    assert_eq!(created["infra_overrides"], json!({"env": {"A": "1"}}));
    assert_eq!(created["enforce_parameter_schema"], true);
    assert_eq!(created["schedules"].as_array().unwrap().len(), 3);
    assert_eq!(outcome(&project.register(&[], 0)), "unchanged");
    assert_eq!(project.deployment("default")["updated"], created["updated"], "nothing was written");
    // The scheduler makes runs of it.
    let filter = json!({"deployments": {"id": {"any_": [created["id"]]}}});
    wait_for("scheduled runs", 60, || {
        let runs = project.server.api.ask("POST", "/flow_runs/count", &filter);
        (runs.as_u64()? > 0).then_some(())
    });

    let mut tags = created["tags"].clone();
    tags.as_array_mut().unwrap().push(json!("people"));
    let path = project.path("default");
    project.server.api.ask("PATCH", &path, &json!({"tags": tags, "paused": true}));
    let extra = json!([{"schedule": {"cron": "7 7 * * *"}, "active": true}]);
    project.server.api.ask("POST", &format!("{path}/schedules"), &extra);
    let interval = |deployment: &Value| {
        let all = deployment["schedules"].as_array().unwrap();
        all.iter().find(|one| !one["schedule"]["interval"].is_null()).unwrap().clone()
    };
    let id = interval(&project.deployment("default"))["id"].as_str().unwrap().to_owned();
    project.server.api.ask("PATCH", &format!("{path}/schedules/{id}"), &json!({"active": false}));
    assert_eq!(outcome(&project.register(&[], 0)), "unchanged");

    // What is declared no longer goes, what people did stays.
    let less = own.replace(", { rrule = \"FREQ=WEEKLY;BYDAY=MO\" }", "");
    let less =
        less.replace("parameters = { n = 5 }\njob_variables = { env = { A = \"1\" } }\n", "");
    project.configure(&less);
    project.write_code("two");
    project.repository.git(&["tag", "v2.0.0"]);
    project.push(&["main", "v2.0.0"]);
    assert_eq!(outcome(&project.register(&[], 0)), "updated");
    let updated = project.deployment("default");
    let has = |tag: &str| updated["tags"].as_array().unwrap().contains(&json!(tag));
    assert!(
        has("people") && has("flowreg.tag=v2.0.0") && !has("flowreg.tag=v1.0.0"),
        "{updated:#}"
    );
    assert_eq!((&updated["id"], &updated["paused"]), (&created["id"], &json!(true)));
    assert_eq!((&updated["parameters"], &updated["infra_overrides"]), (&json!({}), &json!({})));
    let step = &updated["pull_steps"][0]["prefect.deployments.steps.git_clone"];
    assert_eq!(step["branch"], "v2.0.0");
    let mut rules: Vec<String> = updated["schedules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}{}", one["schedule"]["cron"], one["schedule"]["interval"]))
        .collect();
    rules.sort();
    assert_eq!(rules, ["\"*/5 * * * *\"null", "\"7 7 * * *\"null", "null3600.0"]);
    assert_eq!(interval(&updated)["active"], false, "switched off stays off");
    assert_eq!(outcome(&project.register(&[], 0)), "unchanged");
}

#[test]
fn what_prefect_2_can_not_hold_is_told() {
    let project = Project::new();
    project.configure("[repository]\npin = \"commit\"\n");
    project.write_code("one");
    project.repository.git(&["tag", "v1.0.0"]);
    project.push(&["main", "v1.0.0"]);
    let refused = project.register(&[], 3);
    let message = refused["error"]["message"].as_str().unwrap();
    assert!(message.contains("Prefect 2 can't pin a commit"), "{message}");

    let manifest = format!(
        "deployments:\n- name: nightly\n  entrypoint: flows/probe.py:probe\n  \
         concurrency_limit: 3\n  work_pool:\n    name: {}\n  schedules:\n  - cron: 0 3 * * *\n    \
         slug: own\n    parameters: {{n: 2}}\n",
        project.pool
    );
    project.configure("");
    project.repository.write("prefect.yaml", manifest);
    project.write_code("two");
    project.repository.git(&["tag", "v1.1.0"]);
    project.push(&["main", "v1.1.0"]);
    let run = project.register(&[], 0);
    assert_eq!(outcome(&run), "created");
    let notices = run["notices"].to_string();
    assert!(notices.contains("no concurrency_limit of deployments"), "{notices}");
    assert!(notices.contains("no parameters of schedules"), "{notices}");
    assert_eq!(outcome(&project.register(&[], 0)), "unchanged");
    // What somebody else made is left alone.
    let body = json!({"name": "theirs", "flow_id": project.deployment("nightly")["flow_id"]});
    project.server.api.ask("POST", "/deployments/", &body);
    let text = std::fs::read_to_string(project.repository.root().join("prefect.yaml")).unwrap();
    project.repository.write("prefect.yaml", text.replace("nightly", "theirs"));
    project.repository.commit("another name");
    project.repository.git(&["tag", "v1.2.0"]);
    project.push(&["main", "v1.2.0"]);
    let refused = project.register(&[], 1);
    assert_eq!(refused["registrations"][0]["error"]["code"], "not_ours");
    assert_eq!(outcome(&project.register(&["--adopt"], 0)), "updated");
    assert_eq!(outcome(&project.register(&[], 0)), "unchanged");
}

#[test]
fn a_method_needs_a_name_that_prefect_2_can_load() {
    let project = Project::new();
    project.configure("");
    let flow = &project.flow;
    let code = "from prefect import flow\nfrom prefect.states import Completed\n\n\nclass Jobs:\n    \
                @staticmethod\n    @flow(name=\"FLOW\")\n    def run(n: int = 1):\n        \
                return Completed(message=f\"a method ran with {n}\")\n\n\njob = Jobs.run\n";
    project.repository.write("flows/jobs.py", code.replace("FLOW", flow));
    project.repository.commit("a method");
    project.repository.git(&["tag", "v1.0.0"]);
    project.push(&["main", "v1.0.0"]);
    // Without a declaration the flow has the one entrypoint.
    let run = project.register(&[], 1);
    let error = &run["registrations"][0]["error"];
    assert_eq!(error["code"], "entrypoint", "{run:#}");
    assert!(error["message"].as_str().unwrap().contains("can't load `Jobs.run`"), "{run:#}");
    assert!(error["hints"][0].as_str().unwrap().contains("`job = Jobs.run`"), "{run:#}");
    let entry = |name: &str, object: &str| {
        format!("  - name: {name}\n    entrypoint: flows/jobs.py:{object}\n")
    };
    let manifest = format!("deployments:\n{}{}", entry("class", "Jobs.run"), entry("name", "job"));
    project.repository.write("prefect.yaml", manifest);
    project.repository.commit("declared");
    project.repository.git(&["tag", "v1.0.1"]);
    project.push(&["main", "v1.0.1"]);
    let run = project.register(&[], 8);
    let refused: Vec<&Value> = run["registrations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| !one["error"].is_null())
        .map(|one| &one["error"]["place"])
        .collect();
    assert_eq!(refused, ["prefect.yaml:3:17"], "{run:#}");
    assert_eq!(project.deployment("name")["entrypoint"], "flows/jobs.py:job");
    let _worker = Worker::start_two(&project.server, &project.pool);
    let id = project.start("name", 7);
    assert_eq!(project.result(&id), "a method ran with 7");
}
