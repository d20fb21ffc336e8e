//! flowreg beside the real client of Prefect 1: they send the same, skip each other's
//! registrations, and what flowreg registered runs from a real git remote.

use serde_json::{Value, json};

use crate::support::prefect1::{Backend, FlowRepository, flow, programs};

const FLOWS: &str = "
import datetime
from prefect import Flow, Parameter, task, unmapped
from prefect.run_configs import KubernetesRun
from prefect.schedules import CronSchedule


@task(max_retries=2, retry_delay=datetime.timedelta(seconds=5), tags=['é'])
def extract(day):
    \"\"\"Reads.\"\"\"
    return [1, 2]


@task
def load(row, factor):
    return row * factor


with Flow('etl ☃', schedule=CronSchedule('0 3 * * *')) as etl:
    load.map(extract(Parameter('day', default=1)), factor=unmapped(2))

with Flow('other') as other:
    extract(1)
other.run_config = KubernetesRun(image='registry.example.com/x', env={'A': '1'}, labels=['k8s'])
";

/// The same file as people write it, with the storage that flowreg would give it.
fn with_storage(reference: &str) -> String {
    let storage = |name: &str, variable: &str| {
        format!(
            "{variable}.storage = Git(repo_host='git.example.com', repo='team/flows', \
             flow_path='flows/both.py', flow_name='{name}', {reference}, \
             git_token_secret_name='GIT_TOKEN', git_token_username='oauth2')\n"
        )
    };
    let import = "from prefect.storage import Git\n";
    [FLOWS, import, &storage("etl ☃", "etl"), &storage("other", "other")].concat()
}

const CONFIGURATION: &str = "[prefect1]\nproject = \"data\"\nfeature_project = \"dev\"\n\
    git_token_secret_name = \"GIT_TOKEN\"\ngit_token_username = \"oauth2\"\nlabels = [\"extra\"]\n\
    [feature]\nschedules = \"on\"\n";

/// What was sent for each flow, without what a backend makes up and gzip's time.
fn sent(backend: &Backend) -> Vec<(Value, Value)> {
    let one = |request: Value| {
        let mut input = request["variables"]["input"].as_object().cloned().unwrap();
        input.insert("project_id".to_owned(), json!("masked"));
        input.insert("serialized_flow".to_owned(), request["serialized"].clone());
        let headers = ["content-type", "x-prefect-core-version", "authorization"];
        let headers: Vec<&Value> = headers.iter().map(|name| &request["headers"][*name]).collect();
        (Value::Object(input), json!(headers))
    };
    backend.registrations().into_iter().map(one).collect()
}

fn both_ways(place: &FlowRepository, project: &str, reference: &str) {
    let start = || Backend::start(&["--projects", "data,dev", "--key", "K"]);
    let (theirs, ours) = (start(), start());
    let script = place.repository.outside().join("both.py");
    std::fs::write(&script, with_storage(reference)).unwrap();
    let arguments =
        ["register", "--project", project, "-l", "extra", "-p", script.to_str().unwrap()];
    let client = |backend: &Backend| {
        let variables =
            [("PREFECT__CLOUD__API", backend.url.as_str()), ("PREFECT__CLOUD__API_KEY", "K")];
        place.run("prefect", &arguments, &variables)
    };
    let flowreg = |backend: &Backend| place.flowreg(backend).env("PREFECT__CLOUD__API_KEY", "K");
    client(&theirs);
    assert_eq!(flowreg(&ours).json(&["register"], 0)["summary"]["created"], 2);
    let (expected, found) = (sent(&theirs), sent(&ours));
    assert_eq!(expected.len(), 2);
    assert_eq!(found, expected);

    let skipped = client(&ours);
    assert_eq!(skipped.matches("Skipped (metadata unchanged)").count(), 2, "{skipped}");
    let unchanged = flowreg(&theirs).json(&["register"], 0);
    assert_eq!(unchanged["summary"]["unchanged"], 2, "{unchanged:#}");
    assert_eq!(sent(&theirs).len(), 2, "nothing was written");
}

#[test]
fn the_real_client_sends_the_same_at_a_tag() {
    let Some(programs) = programs("the_real_client_sends_the_same_at_a_tag") else { return };
    let place = FlowRepository::new(&programs, CONFIGURATION);
    place.repository.write("flows/both.py", FLOWS);
    place.release("v1.0.0");
    both_ways(&place, "data", "tag='v1.0.0'");
}

#[test]
fn the_real_client_sends_the_same_on_a_branch() {
    let Some(programs) = programs("the_real_client_sends_the_same_on_a_branch") else { return };
    let place = FlowRepository::new(&programs, CONFIGURATION);
    place.repository.write("flows/both.py", FLOWS);
    place.branch("feat/x");
    both_ways(&place, "dev", "branch_name='feat/x'");
}

#[test]
fn a_version_without_a_key_is_not_made_anew() {
    let Some(programs) = programs("a_version_without_a_key_is_not_made_anew") else { return };
    let place = FlowRepository::new(&programs, CONFIGURATION);
    place.repository.write("flows/both.py", FLOWS);
    place.release("v1.0.0");
    let backend = Backend::start(&[]);
    let script = place.repository.outside().join("both.py");
    std::fs::write(&script, with_storage("tag='v1.0.0'")).unwrap();
    let arguments =
        ["register", "-f", "--project", "data", "-l", "extra", "-p", script.to_str().unwrap()];
    place.run("prefect", &arguments, &[("PREFECT__CLOUD__API", &backend.url)]);
    let run = place.flowreg(&backend).json(&["register"], 0);
    assert_eq!(run["summary"]["unchanged"], 2, "{run:#}");
    assert_eq!(backend.flows().len(), 2);
}

#[test]
fn what_is_registered_loads_from_the_remote_at_its_reference() {
    let Some(programs) = programs("what_is_registered_loads_from_the_remote_at_its_reference")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let configuration = "[prefect1]\nproject = \"data\"\ngit_clone_url_secret_name = \"GIT_URL\"\n";
    let place = FlowRepository::new(&programs, configuration);
    place.repository.write("flows/etl.py", flow("etl", "first"));
    place.release("v1.0.0");
    place.flowreg(&backend).json(&["register"], 0);
    place.repository.write("flows/etl.py", flow("etl", "second"));
    place.branch("feat/x");
    place.flowreg(&backend).json(&["register"], 0);
    // Later than both registrations: the tag's code stays, the branch's follows.
    place.repository.write("flows/etl.py", flow("etl", "third"));
    place.repository.commit("third");
    place.repository.git(&["push", "-q", "origin", "feat/x"]);
    place.repository.git(&["push", "-q", "origin", "feat/x:main"]);
    let url = format!("file://{}", place.remote.display());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/suite/support/prefect1_load.py");
    let variables = [("PREFECT__CONTEXT__SECRETS__GIT_URL", url.as_str())];
    let loaded = place.run("python", &[script, &backend.url], &variables);
    let loaded: Value = serde_json::from_str(loaded.lines().last().unwrap()).unwrap();
    assert_eq!(loaded, json!({"etl": ["first"], "etl@feat~x": ["third"]}));
}
