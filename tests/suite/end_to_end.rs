//! The main job with real parts: a git remote, a Prefect server, a worker. What is registered is
//! run, and the run's result shows which code ran.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::prefect::{Server, Turn, Worker, unique, wait_for};
use crate::support::{Flowreg, TestRepository};

/// How long a run may take: the worker polls, starts Python, clones and imports.
const RUN_SECONDS: u64 = 180;

/// A repository with one flow whose result names the code that ran, pushed to a bare remote.
struct Project {
    repository: TestRepository,
    server: Turn,
    flow: String,
}

impl Project {
    fn new() -> (Self, Worker) {
        let server = Server::shared();
        let pool = server.api.pool();
        let repository = TestRepository::empty();
        repository.add_bare_remote("origin");
        repository.write(
            "flowreg.toml",
            format!("[mainline]\nwork_pool = \"{pool}\"\n[feature]\nwork_pool = \"{pool}\"\n"),
        );
        let worker = Worker::start(&server, &pool);
        let project = Self { repository, server, flow: unique("end-to-end") };
        (project, worker)
    }

    /// Commits the flow with another code, and returns the commit.
    fn write_code(&self, code: &str) -> String {
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
        self.repository.commit(code)
    }

    fn flowreg(&self) -> Flowreg {
        Flowreg::in_repository(&self.repository).env("PREFECT_API_URL", &self.server.api_url)
    }

    /// Starts a run of a deployment and returns its id.
    fn start(&self, deployment: &str, n: u32) -> String {
        let id = self.server.api.deployment(&self.flow, deployment)["id"].clone();
        let path = format!("/deployments/{}/create_flow_run", id.as_str().unwrap());
        let run = self.server.api.ask("POST", &path, &json!({"parameters": {"n": n}}));
        run["id"].as_str().unwrap().to_owned()
    }

    /// Waits for a run and returns its result.
    fn result(&self, run: &str) -> String {
        let state = wait_for("the run did not end", RUN_SECONDS, || {
            let run = self.server.api.ask("GET", &format!("/flow_runs/{run}"), &Value::Null);
            let is_over = matches!(
                run["state"]["type"].as_str(),
                Some("COMPLETED" | "FAILED" | "CRASHED" | "CANCELLED")
            );
            is_over.then(|| run["state"].clone())
        });
        state["message"].as_str().unwrap_or_else(|| panic!("{state}")).to_owned()
    }
}

#[test]
fn workers_run_exactly_the_code_that_was_registered() {
    let (project, _worker) = Project::new();
    let repository = &project.repository;

    project.write_code("v1.0.0");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    let by_build_tag = project.flowreg().env("BUILD_TAG", "v1.0.0").json(&["register"], 0);
    assert_eq!(by_build_tag["reference"]["source"], "build_tag");
    assert_eq!(by_build_tag["reference"]["proved"], true);
    assert_eq!(by_build_tag["target"]["version"], "3.8.8");
    assert_eq!(by_build_tag["summary"]["created"], 1);
    let first = project.start("default", 3);
    assert_eq!(project.result(&first), "v1.0.0 ran with 3");

    repository.git(&["switch", "-qc", "feature/x"]);
    project.write_code("feature/x");
    repository.git(&["push", "-q", "origin", "feature/x"]);
    repository.git(&["switch", "-q", "--detach", "main"]);
    let by_branch = project.flowreg().env("GIT_BRANCH", "origin/feature/x").json(&["register"], 0);
    assert_eq!(by_branch["reference"]["source"], "git_branch");
    assert_eq!(by_branch["registrations"][0]["deployment"], "default@feature~x");
    let feature = project.start("default@feature~x", 1);

    repository.git(&["switch", "-q", "main"]);
    project.write_code("v1.1.0");
    repository.git(&["tag", "-am", "Release", "v1.1.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.1.0"]);
    let by_active_branch = project.flowreg().json(&["register"], 0);
    assert_eq!(by_active_branch["reference"]["source"], "active_branch");
    assert_eq!(by_active_branch["reference"]["name"], "v1.1.0");
    assert_eq!(by_active_branch["summary"]["updated"], 1);
    let second = project.start("default", 1);
    assert_eq!(project.result(&feature), "feature/x ran with 1");
    assert_eq!(project.result(&second), "v1.1.0 ran with 1");

    // A push to the branch is picked up without registering; a push to main is not.
    repository.git(&["switch", "-q", "feature/x"]);
    project.write_code("a later feature/x");
    repository.git(&["switch", "-q", "main"]);
    project.write_code("main after the tag");
    repository.git(&["push", "-q", "origin", "feature/x", "main"]);
    let feature = project.start("default@feature~x", 2);
    let production = project.start("default", 2);
    assert_eq!(project.result(&feature), "a later feature/x ran with 2");
    assert_eq!(project.result(&production), "v1.1.0 ran with 2");

    let plan = |arguments: &[&str]| {
        project.flowreg().json(&[&["plan", "--exit-code"], arguments].concat(), 0)
    };
    assert_eq!(plan(&["--tag", "v1.1.0"])["summary"]["unchanged"], 1);
    assert_eq!(plan(&["--branch", "feature/x"])["summary"]["unchanged"], 1);
}

#[test]
fn main_itself_and_a_commit_can_be_registered_and_run() {
    let (project, _worker) = Project::new();
    let repository = &project.repository;
    let first = project.write_code("main");
    repository.git(&["push", "-q", "origin", "main"]);
    let refused = project.flowreg().json(&["register"], 1);
    assert_eq!(refused["error"]["code"], "untagged");
    project.flowreg().json(&["register", "--untagged", "branch"], 0);
    let run = project.start("default", 1);
    assert_eq!(project.result(&run), "main ran with 1");

    project.flowreg().json(&["register", "--untagged", "commit"], 0);
    project.write_code("main, later");
    repository.git(&["push", "-q", "origin", "main"]);
    let run = project.start("default", 2);
    assert_eq!(project.result(&run), "main ran with 2");
    let held = project.server.api.deployment(&project.flow, "default");
    let step = &held["pull_steps"][0]["prefect.deployments.steps.git_clone"];
    assert_eq!(step["commit_sha"], first.as_str());
    assert_eq!(held["labels"]["flowreg.commit"], first.as_str());
}

#[test]
fn a_run_that_changes_nothing_changes_nothing_on_the_server() {
    let (project, worker) = Project::new();
    drop(worker);
    project.write_code("v1.0.0");
    project.repository.git(&["tag", "v1.0.0"]);
    project.repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    project.flowreg().json(&["register"], 0);
    let before = project.server.api.deployment(&project.flow, "default");
    let again = project.flowreg().json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], 1);
    // Any write, even an empty one, would have moved `updated`.
    assert_eq!(project.server.api.deployment(&project.flow, "default"), before);
}

#[test]
fn a_token_in_the_remotes_url_never_reaches_the_server() {
    let (project, worker) = Project::new();
    drop(worker);
    project.write_code("v1.0.0");
    let repository = &project.repository;
    repository.git(&["tag", "v1.0.0"]);
    let url = "https://bot:Vb7s3cret@git.example.com/data/flows.git";
    repository.git(&["remote", "set-url", "origin", url]);
    let run = project.flowreg().run(&["register", "--offline", "--format", "json"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(!format!("{run:?}").contains("s3cret"));
    let held = project.server.api.deployment(&project.flow, "default");
    assert!(held.to_string().contains("https://git.example.com/data/flows.git"));
    assert!(!held.to_string().contains("s3cret"), "{held}");
    assert_no_secret_below(&repository.root().join(".git/flowreg"));
}

fn assert_no_secret_below(directory: &Path) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"s3cret"), "{}", path.display());
    }
}

#[test]
fn what_people_created_is_left_alone_until_it_is_adopted() {
    let (project, worker) = Project::new();
    drop(worker);
    project.write_code("v1.0.0");
    project.repository.git(&["tag", "v1.0.0"]);
    project.repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    let api = &project.server.api;
    let flow_id = api.flow(&project.flow);
    let by_hand = json!({"name": "default", "flow_id": flow_id, "tags": ["mine"], "paused": true});
    api.ask("POST", "/deployments/", &by_hand);
    let refused = project.flowreg().json(&["register"], 1);
    assert_eq!(refused["registrations"][0]["error"]["code"], "not_ours");
    assert_eq!(api.deployment(&project.flow, "default")["version"], Value::Null);
    project.flowreg().json(&["register", "--adopt"], 0);
    let adopted = api.deployment(&project.flow, "default");
    assert_eq!(adopted["version"], "v1.0.0");
    assert_eq!(adopted["tags"], json!([]));
    assert_eq!(adopted["paused"], true);
    project.flowreg().json(&["plan", "--exit-code"], 0);
}

#[test]
fn a_work_pool_that_does_not_exist_is_refused_with_those_that_do() {
    let (project, worker) = Project::new();
    drop(worker);
    project.write_code("v1.0.0");
    let repository = &project.repository;
    repository.write("flowreg.toml", "[mainline]\nwork_pool = \"nowhere\"\n");
    repository.commit("name a pool that is not there");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    let missing = project.flowreg().json(&["register"], 1);
    let error = &missing["registrations"][0]["error"];
    assert_eq!(error["code"], "work_pool_missing");
    assert!(error["message"].as_str().unwrap().contains("(process)"), "{error}");
}

#[test]
fn what_a_server_lacks_for_several_deployments_is_told_once_with_their_places() {
    let (project, worker) = Project::new();
    drop(worker);
    project.write_code("v1.0.0");
    let repository = &project.repository;
    let entry = |number: usize| {
        format!(
            "  - name: d{number}\n    entrypoint: flows/probe.py:probe\n    work_pool: {{name: nowhere}}\n"
        )
    };
    let entries: String = (1..=12).map(entry).collect();
    repository.write("prefect.yaml", format!("deployments:\n{entries}"));
    repository.commit("declare deployments");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    let screen = project.flowreg().run(&["register"]);
    assert_eq!(screen.code, 1, "{screen:?}");
    let line = "  refused    12 deployments: work pool `nowhere` does not exist; the server has ";
    assert_eq!(screen.stdout.matches(line).count(), 1, "{}", screen.stdout);
    assert_eq!(screen.stdout.matches("nowhere").count(), 1, "{}", screen.stdout);
    assert!(screen.stdout.contains("d3 (prefect.yaml:10:23) and 9 more"), "{}", screen.stdout);
    let all = project.flowreg().run(&["register", "-v"]);
    assert_eq!(all.stdout.matches("work pool `nowhere` does not exist").count(), 12, "{all:?}");
    let run = project.flowreg().json(&["register"], 1);
    let error = &run["registrations"][11]["error"];
    assert_eq!(error["place"], "prefect.yaml:37:23", "{error:#}");
}

#[test]
fn everything_that_can_be_declared_is_registered_and_unchanged_the_second_time() {
    let (project, worker) = Project::new();
    drop(worker);
    let (repository, flow, api) = (&project.repository, &project.flow, &project.server.api);
    let pool = api.pool();
    repository.write(
        "flowreg.toml",
        format!(
            "[mainline]\nwork_pool = \"{pool}\"\ntags = [\"prod\"]\n\
             [flow.\"{flow}\"]\ndeployment = \"nightly\"\ndescription = \"Ours.\"\n\
             parameters = {{ n = 7 }}\njob_variables = {{ env = {{ VERSION = \"{{tag}}\" }} }}\n\
             schedules = [\n\
             \x20 {{ cron = \"0 3 * * *\", timezone = \"Europe/Berlin\" }},\n\
             \x20 {{ interval = 3600, parameters = {{ n = 1 }} }},\n\
             \x20 {{ rrule = \"FREQ=WEEKLY;BYDAY=MO\", active = false }},\n]\n"
        ),
    );
    project.write_code("v1.0.0");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    assert_eq!(project.flowreg().json(&["register"], 0)["summary"]["created"], 1);
    assert_eq!(project.flowreg().json(&["register"], 0)["summary"]["unchanged"], 1);
    let held = api.deployment(flow, "nightly");
    assert_eq!(held["parameters"], json!({"n": 7}));
    assert_eq!(held["job_variables"], json!({"env": {"VERSION": "v1.0.0"}}));
    assert_eq!(held["work_pool_name"], pool.as_str());
    let active = |deployment: &Value, kind: &str| {
        let schedules = deployment["schedules"].as_array().unwrap();
        let found = schedules.iter().find(|one| !one["schedule"][kind].is_null());
        found.map(|one| one["active"].clone())
    };
    assert_eq!(active(&held, "cron"), Some(json!(true)));
    assert_eq!(active(&held, "rrule"), Some(json!(false)));

    // What people change stays, through a new version.
    let id = held["id"].as_str().unwrap();
    let is_cron = |one: &&Value| !one["schedule"]["cron"].is_null();
    let schedule = held["schedules"].as_array().unwrap().iter().find(is_cron);
    let schedule = schedule.unwrap()["id"].as_str().unwrap();
    let path = format!("/deployments/{id}/schedules/{schedule}");
    api.ask("PATCH", &path, &json!({"active": false}));
    let by_hand =
        json!({"paused": true, "tags": ["prod", "by hand"], "parameters": {"n": 7, "m": 1}});
    api.ask("PATCH", &format!("/deployments/{id}"), &by_hand);
    assert_eq!(project.flowreg().json(&["register"], 0)["summary"]["unchanged"], 1);
    project.write_code("v1.1.0");
    repository.git(&["tag", "v1.1.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.1.0"]);
    assert_eq!(project.flowreg().json(&["register"], 0)["summary"]["updated"], 1);
    let held = api.deployment(flow, "nightly");
    assert_eq!(held["version"], "v1.1.0");
    assert_eq!(held["job_variables"], json!({"env": {"VERSION": "v1.1.0"}}));
    assert_eq!(held["paused"], true);
    assert_eq!(held["tags"], json!(["prod", "by hand"]));
    assert_eq!(held["parameters"], json!({"n": 7, "m": 1}));
    assert_eq!(active(&held, "cron"), Some(json!(false)));
    assert_eq!(active(&held, "interval"), Some(json!(true)));
    assert_eq!(active(&held, "rrule"), Some(json!(false)));
    assert_eq!(project.flowreg().json(&["plan", "--exit-code"], 0)["summary"]["unchanged"], 1);
}

#[test]
fn an_interrupted_run_says_so_and_the_next_one_finishes_the_job() {
    let (project, worker) = Project::new();
    drop(worker);
    let (repository, flow) = (&project.repository, &project.flow);
    let flows: String = (0..150)
        .map(|n| format!("@flow(name=\"{flow}-{n}\")\ndef f{n}():\n    ...\n\n\n"))
        .collect();
    repository.write("flows/many.py", format!("from prefect import flow\n\n\n{flows}"));
    repository.commit("many");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    let child = project
        .flowreg()
        .command(&["register", "--format", "json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let begun = json!({"deployments": {"name": {"any_": ["default"]}},
        "flows": {"name": {"any_": (0..150).map(|n| format!("{flow}-{n}")).collect::<Vec<_>>()}}});
    wait_for("nothing was registered", 60, || {
        let count = project.server.api.ask("POST", "/deployments/count", &begun);
        (count.as_u64() > Some(3)).then_some(())
    });
    let interrupt = ["-INT", &child.id().to_string()];
    assert!(std::process::Command::new("kill").args(interrupt).status().unwrap().success());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    let (created, failed) = (&run["summary"]["created"], &run["summary"]["failed"]);
    assert!(created.as_u64() > Some(3) && failed.as_u64() > Some(0), "{}", run["summary"]);
    let last = &run["registrations"][149];
    assert_eq!(last["error"]["code"], "interrupted", "{last}");
    let again = project.flowreg().json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], *created);
    assert_eq!(again["summary"]["created"], *failed);
}

#[test]
fn with_hooks_a_push_is_all_it_takes_and_a_refused_one_changes_nothing() {
    let (project, _worker) = Project::new();
    let repository = &project.repository;
    project.flowreg().json(&["hooks", "install"], 0);
    let push = |arguments: &[&str]| {
        let mut command = std::process::Command::new("git");
        let environment = crate::support::git_environment(repository.outside());
        command.arg("push").args(arguments).current_dir(repository.root()).env_clear();
        command.envs(environment).env("PREFECT_API_URL", &project.server.api_url);
        command.env("FLOWREG_RECHECKS", "0.1,0.2,0.4").output().unwrap()
    };
    let settled = || {
        wait_for("the push is registered", 60, || {
            let status = project.flowreg().json(&["sync", "--status"], 0);
            (status["waiting"] == json!([]) && status["watched"] == false).then_some(())
        });
    };
    repository.git(&["checkout", "-q", "-b", "feat/x"]);
    project.write_code("the feature");
    assert!(push(&["-q", "origin", "feat/x"]).status.success());
    settled();
    let run = project.start("default@feat~x", 1);
    assert_eq!(project.result(&run), "the feature ran with 1");

    repository.git(&["checkout", "-q", "-b", "main"]);
    let release = project.write_code("the release");
    repository.git(&["tag", "-a", "-m", "one", "v1.0.0"]);
    assert!(push(&["-q", "origin", "main", "v1.0.0"]).status.success());
    settled();
    let run = project.start("default", 2);
    assert_eq!(project.result(&run), "the release ran with 2");
    let held = project.server.api.deployment(&project.flow, "default");
    assert_eq!(
        (&held["version"], &held["labels"]["flowreg.commit"]),
        (&json!("v1.0.0"), &json!(release))
    );

    // The remote refuses: nothing moves, there or on the server.
    let hook = repository.outside().join("origin.git/hooks/pre-receive");
    crate::support::push::write_script(&hook, "#!/bin/sh\nexit 1\n");
    project.write_code("refused");
    repository.git(&["tag", "v2.0.0"]);
    assert!(!push(&["-q", "origin", "v2.0.0", "main:refs/heads/feat/x"]).status.success());
    settled();
    // Any write would have moved `updated`; the worker's polling moves other fields.
    let after = project.server.api.deployment(&project.flow, "default");
    assert_eq!((&after["updated"], &after["labels"]), (&held["updated"], &held["labels"]));
    let run = project.start("default@feat~x", 3);
    assert_eq!(project.result(&run), "the feature ran with 3");
}
