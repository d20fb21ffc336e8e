//! The pin: what is registered at a tag runs the code of the tag, or it is refused. Real pull steps are run by
//! a real worker, and by Prefect's own `run_steps`.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::process::{Command, Stdio};

use flowreg::run::{Opened, RunRequest, Surroundings, Unobserved};
use flowreg_model::Field;
use serde_json::{Value, json};

use crate::support::prefect::{Server, Worker, programs, unique, wait_for};
use crate::support::random_flows::Random;
use crate::support::{Flowreg, TestRepository};

/// How long a run may take: the worker polls, starts Python, clones and imports.
const RUN_SECONDS: u64 = 300;

/// A repository with a flow at `v1.0.0`, and with other code at main; and a mirror of it, which
/// flowreg does not know as the same repository.
struct Pinned {
    repository: TestRepository,
    ours: String,
    mirror: String,
    flow: String,
}

impl Pinned {
    fn new() -> Self {
        let repository = TestRepository::empty();
        let remote = repository.add_bare_remote("origin");
        let mirror = remote.with_file_name("mirror.git");
        Self {
            ours: format!("file://{}", remote.display()),
            mirror: format!("file://{}", mirror.display()),
            repository,
            flow: unique("pin"),
        }
    }

    /// Commits `prefect.yaml` and the flow, tags them, and lets main go on.
    fn release(&self, manifest: &str) {
        let repository = &self.repository;
        repository.write("prefect.yaml", manifest);
        repository.write("requirements.txt", "");
        repository.write("flows/teams/requirements.txt", "");
        self.write_code("v1.0.0");
        repository.git(&["tag", "v1.0.0"]);
        self.write_code("main");
        repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
        let mirror = self.mirror.trim_start_matches("file://");
        repository.git(&["clone", "-q", "--bare", ".", mirror]);
    }

    fn write_code(&self, code: &str) {
        let flow = &self.flow;
        self.repository.write(
            "flows/probe.py",
            format!(
                "from prefect import flow\nfrom prefect.states import Completed\n\n\n\
                 @flow(name=\"{flow}\")\ndef probe():\n    return Completed(message=\"{code}\")\n"
            ),
        );
        self.repository.commit(code);
    }
}

/// What has to become of a deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Its runs use the code of the tag.
    Tag,
    /// It is registered with a notice, as its code is not in git, and its runs use that code.
    Told,
    /// It is refused with this code.
    Refused(&'static str),
}

use Expected::{Refused, Tag, Told};

const GIT_CLONE: &str = "prefect.deployments.steps.git_clone";
const SET_DIRECTORY: &str = "prefect.deployments.steps.set_working_directory";
const SHELL: &str = "prefect.deployments.steps.run_shell_script";
const REQUIREMENTS: &str = "prefect.deployments.steps.pip_install_requirements";

/// Pull steps as people write them, the entrypoint, and what has to become of them.
fn rows(pinned: &Pinned) -> Vec<(&'static str, Value, &'static str, Expected)> {
    let main = |url: &str| json!({"repository": url, "branch": "main", "id": "clone"});
    let ours = || json!({GIT_CLONE: main(&pinned.ours)});
    let mirror = || json!({GIT_CLONE: {"repository": pinned.mirror, "branch": "main"}});
    let below = |directory: &str| json!({SET_DIRECTORY: {"directory": directory}});
    let script = |text: String| json!({SHELL: {"script": text}});
    let root = "flows/probe.py:probe";
    vec![
        (
            "other-path",
            json!([{"prefect.deployments.steps.pull.git_clone": main(&pinned.ours)}]),
            root,
            Tag,
        ),
        ("colon", json!([{"prefect.deployments.steps:git_clone": main(&pinned.ours)}]), root, Tag),
        ("mirror-last", json!([ours(), mirror()]), root, Refused("pin_void")),
        ("mirror-alone", json!([mirror()]), root, Refused("pin_void")),
        ("mirror-first", json!([mirror(), ours()]), root, Tag),
        ("back-to-ours", json!([ours(), mirror(), below("{{ clone.directory }}")]), root, Tag),
        ("old-name", json!([ours(), below("origin-main")]), root, Tag),
        ("old-name-script", json!([ours(), script("ls origin-main/flows".to_owned())]), root, Tag),
        ("below", json!([ours(), below("{{ clone.directory }}/flows")]), "probe.py:probe", Tag),
        (
            "checkout",
            json!([ours(), script("git -C {{ clone.directory }} checkout origin/main".to_owned())]),
            root,
            Refused("pin_void"),
        ),
        (
            "replaced",
            json!([
                ours(),
                script(format!(
                    "rm -rf origin-v1.0.0\ngit clone -q -b main {} origin-v1.0.0",
                    pinned.ours
                ))
            ]),
            root,
            Refused("pin_void"),
        ),
        (
            "unknown-place",
            json!([ours(), {SHELL: {"script": "git -C $PWD/origin-v1.0.0 reset --hard FETCH_HEAD", "shell": true}}]),
            root,
            Refused("pin_void"),
        ),
        (
            "harmless",
            json!([ours(), {SHELL: {"script": "git stash list\necho \"git checkout main\"",
                                    "directory": "{{ clone.directory }}"}}]),
            root,
            Tag,
        ),
        (
            "bare-name",
            json!([{GIT_CLONE: {"repository": pinned.ours}}, below("origin")]),
            root,
            Tag,
        ),
        (
            "bare-name-requirements",
            json!([{GIT_CLONE: {"repository": pinned.ours}}, {REQUIREMENTS: {"directory": "origin"}}]),
            root,
            Tag,
        ),
        (
            "bare-name-taken",
            json!([script(format!("git clone -q {}", pinned.ours)), {GIT_CLONE: {"repository": pinned.ours}},
                   {REQUIREMENTS: {"directory": "origin"}}]),
            root,
            Refused("pin_void"),
        ),
        (
            "no-name",
            json!([{GIT_CLONE: {"repository": pinned.ours, "branch": "main", "clone_directory_name": null}},
                   below("origin-main")]),
            root,
            Tag,
        ),
        (
            "secret",
            json!([{GIT_CLONE: {"repository": pinned.ours, "credentials": {"username": "u", "access_token": "x"}}}]),
            root,
            Refused("pull_steps"),
        ),
        (
            "sparse-dot",
            json!([{GIT_CLONE: {"repository": pinned.ours, "directories": ["./flows"]}}]),
            root,
            Tag,
        ),
        (
            "sparse-file",
            json!([{GIT_CLONE: {"repository": pinned.ours, "directories": ["flows/probe.py"]}}]),
            root,
            Refused("pull_steps"),
        ),
        (
            "script-clone",
            json!([script(format!("git clone -q {} code", pinned.mirror)), below("code"),]),
            root,
            Told,
        ),
        (
            "unknown-url",
            json!([ours(), {GIT_CLONE: {"repository": "{{ $FLOWREG_TEST_NOWHERE }}"}}]),
            root,
            Refused("pin_void"),
        ),
        ("unknown-step", json!([ours(), {"acme.steps.fetch": {}}]), root, Refused("pin_void")),
        (
            "misspelt",
            json!([{"prefect.deployments.steps.git_clonee": main(&pinned.ours)}]),
            root,
            Refused("pull_steps"),
        ),
        (
            "projects",
            json!([{"prefect.projects.steps.git_clone_project": main(&pinned.ours)}]),
            root,
            Refused("pull_steps"),
        ),
        (
            "sparse",
            json!([{GIT_CLONE: {"repository": pinned.ours, "directories": ["flows"]}}]),
            root,
            Tag,
        ),
        (
            "sparse-without",
            json!([{GIT_CLONE: {"repository": pinned.ours, "directories": ["docs"]}}]),
            root,
            Refused("pull_steps"),
        ),
        (
            "requirements",
            json!([ours(), {REQUIREMENTS: {"directory": "{{ clone.directory }}", "requirements_file": "no.txt"}}]),
            root,
            Refused("pull_steps"),
        ),
        (
            "no-directory",
            json!([ours(), below("{{ clone.directory }}/docs")]),
            root,
            Refused("pull_steps"),
        ),
        (
            "no-output",
            json!([ours(), below("{{ clon.directory }}/flows")]),
            root,
            Refused("pull_steps"),
        ),
    ]
}

/// The file of the flow.
const PROBE: &str = "flows/probe.py";

/// Which of them a worker runs, besides `mirror-last`: one run takes several seconds.
const RUN_BY_A_WORKER: &[&str] =
    &["colon", "old-name", "below", "bare-name-requirements", "script-clone"];

/// The file that a run starts with, from the root of the work tree that the steps end in.
fn started_file(end: &Value, entrypoint: &str) -> String {
    let file = entrypoint.split(':').next().unwrap();
    match end["below"].as_str().unwrap() {
        "" => file.to_owned(),
        below => format!("{below}/{file}"),
    }
}

/// More runs at once take longer on a machine with two cores, and keep its server from answering.
const RUNS_AT_ONCE: usize = 4;

#[test]
fn a_run_uses_the_code_of_the_tag_or_the_deployment_is_refused() {
    let server = Server::shared();
    let pool = server.api.pool();
    let _worker = Worker::start(&server, &pool);
    let pinned = Pinned::new();
    let rows = rows(&pinned);
    let mut manifest = "deployments:\n".to_owned();
    for (name, pull, entrypoint, _) in &rows {
        writeln!(
            manifest,
            "- name: {name}\n  entrypoint: {entrypoint}\n  work_pool: {{name: {pool}}}\n  pull: {pull}"
        )
        .unwrap();
    }
    pinned.release(&manifest);
    let flowreg = Flowreg::in_repository(&pinned.repository)
        .env("PREFECT_API_URL", &server.api_url)
        .env("BUILD_TAG", "v1.0.0");
    let registered = flowreg.json(&["register"], 3);
    let mut errors: HashMap<String, String> = HashMap::new();
    for one in registered["registrations"].as_array().unwrap() {
        let code = one["error"]["code"].as_str().unwrap_or_default().to_owned();
        errors.insert(one["deployment"].as_str().unwrap().to_owned(), code);
    }
    let start = |name: &str| {
        let id = server.api.deployment(&pinned.flow, name)["id"].clone();
        let path = format!("/deployments/{}/create_flow_run", id.as_str().unwrap());
        server.api.ask("POST", &path, &json!({}))["id"].as_str().unwrap().to_owned()
    };
    let mut ends = Vec::new();
    for (name, .., expected) in &rows {
        let error = errors[*name].as_str();
        match expected {
            Tag | Told => {
                assert_eq!(error, "", "{name}: {registered}");
                ends.push((*name, *expected));
            }
            Refused(code) => assert_eq!(error, *code, "{name}"),
        }
    }
    let notices = registered["notices"].to_string();
    assert!(
        notices.contains("`script-clone`: the pull steps don't clone this repository"),
        "{notices}"
    );
    // Where each one starts, by Prefect's own function; and what some runs of a worker then say.
    let code = |expected: Expected| if expected == Told { "main" } else { "v1.0.0" };
    let held: Vec<Value> =
        ends.iter().map(|(name, _)| server.api.deployment(&pinned.flow, name)).collect();
    let steps: Vec<Value> = held.iter().map(|held| held["pull_steps"].clone()).collect();
    for (((name, expected), held), end) in ends.iter().zip(&held).zip(followed(&server, &steps)) {
        let commit = pinned.repository.git(&["rev-parse", code(*expected)]);
        assert_eq!(end["commit"], commit.trim(), "{name}: {end}");
        assert_eq!(started_file(&end, held["entrypoint"].as_str().unwrap()), PROBE, "{name}");
    }
    let runs: Vec<_> = ends.iter().filter(|(name, _)| RUN_BY_A_WORKER.contains(name)).collect();
    assert_eq!(runs.len(), RUN_BY_A_WORKER.len());
    for some in runs.chunks(RUNS_AT_ONCE) {
        let started: Vec<String> = some.iter().map(|(name, _)| start(name)).collect();
        for ((name, expected), run) in some.iter().zip(started) {
            let mut message = result(&server, &run);
            // A busy server on SQLite refuses the worker's own requests, and the run does not start.
            if message.contains("503 Service Unavailable") {
                message = result(&server, &start(name));
            }
            assert_eq!(message, code(*expected), "{name}");
        }
    }

    // What is meant so is registered, and told.
    let allowed = flowreg.json(&["register", "*/mirror-last", "--allow-unpinned"], 0);
    assert!(allowed["notices"].to_string().contains("registered all the same"), "{allowed}");
    assert_eq!(result(&server, &start("mirror-last")), "main");
}

fn result(server: &Server, run: &str) -> String {
    let state = wait_for("the run did not end", RUN_SECONDS, || {
        let run = server.api.ask("GET", &format!("/flow_runs/{run}"), &Value::Null);
        let is_over = matches!(
            run["state"]["type"].as_str(),
            Some("COMPLETED" | "FAILED" | "CRASHED" | "CANCELLED")
        );
        is_over.then(|| run["state"].clone())
    });
    state["message"].as_str().unwrap_or_else(|| panic!("{state}")).to_owned()
}

/// A list of pull steps of which nobody knows what they do.
fn random_steps(random: &mut Random, pinned: &Pinned) -> Value {
    let urls = [&pinned.ours, &pinned.ours, &pinned.mirror];
    let directories = [
        "{{ clone.directory }}",
        "{{ directory }}",
        "{{ clone.directory }}/flows",
        "{{ other.directory }}",
        "origin-main",
        "origin",
        "mirror-main/flows",
        "flows",
        "..",
        "{{ clone.directory }}/../mirror-main",
        "nowhere",
    ];
    let count = 1 + random.below(4);
    let steps = (0..count).map(|_| match random.below(10) {
        0..=4 => {
            let mut inputs = json!({"repository": urls[random.below(3)]});
            if random.below(3) > 0 {
                inputs["branch"] = json!("main");
            }
            if random.below(3) > 0 {
                inputs["id"] = json!(["clone", "other"][random.below(2)]);
            }
            if random.below(6) == 0 {
                inputs["clone_directory_name"] = json!("named");
            }
            json!({GIT_CLONE: inputs})
        }
        5..=7 => {
            json!({SET_DIRECTORY: {"directory": directories[random.below(directories.len())]}})
        }
        8 => json!({SHELL: {"script": "true", "id": "other"}}),
        _ => json!({}),
    });
    steps.collect()
}

/// Where Prefect's `run_steps` ends, by list: `{"url", "commit", "below"}` of the git work tree, or `null`
/// outside of one; `{"error"}` if a step fails.
fn followed(server: &Server, lists: &[Value]) -> Vec<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/follow_steps.py");
    let directory = tempfile::tempdir().unwrap();
    let mut child = Command::new(programs().join("python"))
        .arg(script)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap())
        .env("HOME", directory.path())
        .env("TMPDIR", directory.path())
        .env("PREFECT_API_URL", &server.api_url)
        .env("PREFECT_LOGGING_LEVEL", "CRITICAL")
        .current_dir(directory.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lists = serde_json::to_vec(lists).unwrap();
    child.stdin.take().unwrap().write_all(&lists).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn where_random_pull_steps_end_is_where_prefect_ends() {
    const LISTS: usize = 48;
    let server = Server::shared();
    let pinned = Pinned::new();
    let mut random = Random::new(20_261_130);
    let mut manifest = "deployments:\n".to_owned();
    let lists: Vec<Value> = (0..LISTS).map(|_| random_steps(&mut random, &pinned)).collect();
    for (at, steps) in lists.iter().enumerate() {
        // The entrypoint is looked for from several directories, so both ends are written.
        writeln!(
            manifest,
            "- name: root-{at}\n  entrypoint: flows/probe.py:probe\n  pull: {steps}"
        )
        .unwrap();
    }
    pinned.release(&manifest);
    let repository = &pinned.repository;
    let surroundings = Surroundings {
        environment: repository.environment(&[("BUILD_TAG", "v1.0.0")]),
        ..Surroundings::of_directory(repository.root())
    };
    let opened = Opened::discover(surroundings, &Unobserved).unwrap();
    let request = RunRequest::default();
    let planned = opened.plan(&request).unwrap();
    let commit = repository.git(&["rev-parse", "v1.0.0"]).trim().to_owned();

    // What was registered is run as it is registered; what was refused as flowreg would have.
    let mut registered: HashMap<String, (Value, String)> = HashMap::new();
    for item in &planned.plan.items {
        let fields = &item.registration.fields;
        let entrypoint = fields.value(Field::Entrypoint).as_str().unwrap().to_owned();
        let steps = fields.value(Field::PullSteps).clone();
        registered.insert(item.registration.deployment.to_string(), (steps, entrypoint));
    }
    let refused: HashMap<&str, (&str, &str)> = planned
        .unbuilt
        .iter()
        .map(|one| (one.deployment.as_str(), (one.code.as_str(), one.message.as_str())))
        .collect();
    let names: Vec<String> = (0..LISTS).map(|at| format!("root-{at}")).collect();
    let run: Vec<Value> = names
        .iter()
        .zip(&lists)
        .map(|(name, steps)| match registered.get(name) {
            Some((registered, _)) => registered.clone(),
            None => pinned_by_hand(steps, &pinned),
        })
        .collect();
    let ends = followed(&server, &run);
    let mut counts = HashMap::new();
    for ((name, steps), end) in names.iter().zip(&run).zip(&ends) {
        let is_ours = end["url"] == pinned.ours.as_str() && end["commit"] == commit.as_str();
        if let Some((_, entrypoint)) = registered.get(name) {
            if !steps.to_string().contains(&pinned.ours) {
                // The code is not in git, which is told, and no clone was put in front.
                assert!(!is_ours, "{name} {steps} {end}");
                continue;
            }
            let error = end["error"].as_str().unwrap_or_default();
            if error.contains("set_working_directory") && error.contains("FileNotFoundError") {
                // Outside of the clones nothing is known of a worker's disk: such a run may fail, but
                // it does not start with other code.
                *counts.entry("fails").or_insert(0) += 1;
                continue;
            }
            assert!(is_ours, "{name} {steps} {end}");
            assert_eq!(started_file(end, entrypoint), PROBE, "{name} {steps} {end}");
            *counts.entry("registered").or_insert(0) += 1;
        } else {
            let (code, message) = refused[name.as_str()];
            // Refused, because the run would fail, or start with other code.
            let is_right = match code {
                "pin_void" | "pull_steps" | "entrypoint" => {
                    !end["error"].is_null()
                        || !is_ours
                        || message.contains("can't be told")
                        || message.contains("can't be loaded")
                }
                _ => false,
            };
            assert!(is_right, "{name} {steps} {end} {code} {message}");
            *counts.entry("refused").or_insert(0) += 1;
        }
    }
    // The lists are of all kinds; otherwise the test would say little.
    assert!(counts["registered"] > 8 && counts["refused"] > 8, "{counts:?}");
}

/// The reference put into the steps as flowreg puts it, for lists that it refuses.
fn pinned_by_hand(steps: &Value, pinned: &Pinned) -> Value {
    let mut steps = steps.clone();
    for step in steps.as_array_mut().unwrap() {
        let Some(inputs) = step.get_mut(GIT_CLONE) else { continue };
        if inputs["repository"] == pinned.ours.as_str() {
            inputs["branch"] = json!("v1.0.0");
        }
    }
    steps
}

#[test]
fn a_clone_at_the_tag_has_its_submodules() {
    let server = Server::shared();
    let pool = server.api.pool();
    let _worker = Worker::start(&server, &pool);
    let library = TestRepository::empty();
    library.write("code.py", "CODE = \"library at v1.0.0\"\n");
    library.commit("library");
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    let flow = unique("submodule");
    repository.write("flowreg.toml", format!("[mainline]\nwork_pool = \"{pool}\"\n"));
    repository.write(
        "probe.py",
        format!(
            "from prefect import flow\nfrom prefect.states import Completed\n\nfrom library.code import CODE\n\n\n\
             @flow(name=\"{flow}\")\ndef probe():\n    return Completed(message=CODE)\n"
        ),
    );
    let url = format!("file://{}", library.root().display());
    let allowed = ["-c", "protocol.file.allow=always"];
    repository.git(&[&allowed[..], &["submodule", "--quiet", "add", &url, "library"]].concat());
    repository.commit("flow");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    library.write("code.py", "CODE = \"library, later\"\n");
    library.commit("later");
    let flowreg = |arguments: &[&str], code| {
        Flowreg::in_repository(&repository)
            .env("PREFECT_API_URL", &server.api_url)
            .json(arguments, code)
    };
    flowreg(&["register"], 0);
    let held = server.api.deployment(&flow, "default");
    assert_eq!(held["pull_steps"][0][GIT_CLONE]["include_submodules"], true);
    let path = format!("/deployments/{}/create_flow_run", held["id"].as_str().unwrap());
    let run = server.api.ask("POST", &path, &json!({}))["id"].as_str().unwrap().to_owned();
    assert_eq!(result(&server, &run), "library at v1.0.0");

    // Prefect leaves submodules out of a clone at a commit.
    let configuration =
        format!("[mainline]\nwork_pool = \"{pool}\"\n[repository]\npin = \"commit\"\n");
    repository.write("flowreg.toml", &configuration);
    repository.commit("pin to the commit");
    repository.git(&["tag", "v1.1.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.1.0"]);
    let refused = flowreg(&["register"], 3);
    assert!(refused["error"]["message"].as_str().unwrap().contains("submodules"), "{refused}");
    repository.write("flowreg.toml", format!("{configuration}submodules = false\n"));
    repository.commit("without submodules");
    repository.git(&["tag", "v1.2.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.2.0"]);
    flowreg(&["register"], 0);
}
