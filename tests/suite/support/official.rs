//! What the official client leaves on a server, and what a server holds as a whole: for tests that
//! compare it with what flowreg leaves.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::prefect::{Server, Watched, programs, wait_for};
use super::{Flowreg, TestRepository, git_environment};

/// The directories of a repository in which `prefect deploy --all` is run.
fn manifests(repository: &TestRepository) -> Vec<String> {
    let files = repository.git(&["ls-files", "--", "prefect.yaml", "*/prefect.yaml"]);
    files.lines().map(|file| file.trim_end_matches("prefect.yaml").to_owned()).collect()
}

/// What came of a run of the official client.
pub(crate) struct Answer {
    pub code: i64,
    /// Standard output and standard error as they came.
    pub output: String,
}

/// Runs `prefect deploy --all` for each `prefect.yaml`, and fails if it does.
pub(crate) fn deploy(repository: &TestRepository, server: &Server) {
    for directory in manifests(repository) {
        let answer = try_deploy(&repository.root().join(directory), repository, server);
        assert_eq!(answer.code, 0, "{}", answer.output);
    }
}

/// Runs `prefect deploy --all` in a directory.
pub(crate) fn try_deploy(directory: &Path, repository: &TestRepository, server: &Server) -> Answer {
    let mut environment: BTreeMap<String, String> =
        git_environment(repository.outside()).into_iter().collect();
    for (name, value) in [
        ("PREFECT_API_URL", server.api_url.as_str()),
        ("REGION", "north"),
        ("PREFECT_HOME", repository.outside().to_str().unwrap()),
        ("DO_NOT_TRACK", "1"),
        ("PYTHONTZPATH", ""),
    ] {
        environment.insert(name.to_owned(), value.to_owned());
    }
    let request = json!({
        "directory": directory,
        "environment": environment,
        "arguments": ["--no-prompt", "deploy", "--all"],
    });
    Client::shared().ask(&request)
}

/// The official client, imported once for all runs: see `official_client.py`.
struct Client {
    process: Watched,
}

impl Client {
    fn shared() -> &'static Self {
        static CLIENT: OnceLock<Client> = OnceLock::new();
        CLIENT.get_or_init(|| {
            let script = Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("tests/suite/support/official_client.py");
            let arguments = ["-B", script.to_str().unwrap(), "socket"];
            Self { process: Watched::start("python", &arguments, &[]) }
        })
    }

    fn ask(&self, request: &Value) -> Answer {
        let path = self.process.home().join("socket");
        let mut socket =
            wait_for("the client did not start", 120, || UnixStream::connect(&path).ok());
        writeln!(socket, "{request}").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        let answer: Value = serde_json::from_str(&answer)
            .unwrap_or_else(|error| panic!("{error}: {answer:?}: {}", self.process.log()));
        let output = answer["output"].as_str().unwrap().to_owned();
        Answer { code: answer["code"].as_i64().unwrap(), output }
    }
}

/// flowreg with the same environment as [`deploy`].
pub(crate) fn flowreg(repository: &TestRepository, server: &Server) -> Flowreg {
    flowreg_in(repository.root(), repository, server)
}

/// The same in a directory.
pub(crate) fn flowreg_in(
    directory: &Path,
    repository: &TestRepository,
    server: &Server,
) -> Flowreg {
    Flowreg::in_directory(directory, repository.outside())
        .env("PREFECT_API_URL", &server.api_url)
        .env("PATH", &format!("{}:{}", programs().display(), std::env::var("PATH").unwrap()))
        .env("REGION", "north")
}

/// Everything that a server holds of the flows whose names begin so, by `flow/deployment`.
pub(crate) fn held(server: &Server, prefix: &str) -> BTreeMap<String, Value> {
    let api = &server.api;
    let filter = json!({"flows": {"name": {"like_": prefix}}, "limit": 200});
    let flows = api.ask("POST", "/flows/filter", &filter);
    let deployments = api.ask("POST", "/deployments/filter", &filter);
    let mut held = BTreeMap::new();
    for deployment in deployments.as_array().unwrap() {
        let is_its = |flow: &&Value| flow["id"] == deployment["flow_id"];
        let flow = flows.as_array().unwrap().iter().find(is_its).unwrap();
        let id = deployment["id"].as_str().unwrap();
        let path = format!("/automations/related-to/prefect.deployment.{id}");
        let mut automations = api.ask("GET", &path, &Value::Null);
        for automation in automations.as_array_mut().unwrap() {
            without(
                automation,
                &["id", "created", "updated", "owner_resource", "account", "workspace"],
            );
            forget_ids(automation);
        }
        let mut automations = automations.as_array().unwrap().clone();
        automations.sort_by_key(|one| one["name"].as_str().unwrap().to_owned());
        let mut deployment = deployment.clone();
        deployment["automations"] = json!(automations);
        let name =
            format!("{}/{}", flow["name"].as_str().unwrap(), deployment["name"].as_str().unwrap());
        held.insert(name, deployment);
    }
    held
}

fn forget_ids(value: &mut Value) {
    match value {
        Value::Object(map) => {
            map.retain(|name, _| !matches!(name.as_str(), "id" | "deployment_id"));
            map.values_mut().for_each(forget_ids);
            // Sets come in any order.
            for name in ["after", "expect", "for_each"] {
                if let Some(Value::Array(items)) = map.get_mut(name) {
                    items.sort_by_key(Value::to_string);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(forget_ids),
        _ => {}
    }
}

/// Takes parts out of an object.
pub(crate) fn without(value: &mut Value, names: &[&str]) {
    value.as_object_mut().unwrap().retain(|name, _| !names.contains(&name.as_str()));
}

/// Where two values differ, one line each.
pub(crate) fn differences(path: &str, theirs: &Value, ours: &Value, found: &mut Vec<String>) {
    match (theirs, ours) {
        (Value::Object(left), Value::Object(right)) => {
            let nothing = Value::Null;
            let keys: std::collections::BTreeSet<&String> =
                left.keys().chain(right.keys()).collect();
            for key in keys {
                let (left, right) = (left.get(key), right.get(key));
                let (left, right) = (left.unwrap_or(&nothing), right.unwrap_or(&nothing));
                differences(&format!("{path}.{key}"), left, right, found);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                differences(&format!("{path}[{index}]"), left, right, found);
            }
        }
        _ if flowreg_model::json_equal(theirs, ours) => {}
        _ => found.push(format!("{path}: prefect {theirs}, flowreg {ours}")),
    }
}
