//! The main job on Prefect 1: which flows are found, what is sent of them, what is refused.

use serde_json::{Value, json};

use crate::support::prefect1::{Backend, FlowRepository, flow, programs};
use crate::support::{Flowreg, git_environment};

/// `flow/project outcome` of each registration; for a plan the action.
fn outcomes(run: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().map(ToOwned::to_owned);
    let one = |one: &Value| {
        let outcome = text(&one["outcome"]).or(text(&one["action"])).unwrap();
        format!("{}/{} {outcome}", text(&one["flow"]).unwrap(), text(&one["deployment"]).unwrap())
    };
    run["registrations"].as_array().unwrap().iter().map(one).collect()
}

/// What a registration says, of the flow with this name.
fn item<'r>(run: &'r Value, flow: &str) -> &'r Value {
    run["registrations"].as_array().unwrap().iter().find(|one| one["flow"] == flow).unwrap()
}

/// Its error's code and first hint.
fn refusal(run: &Value, flow: &str) -> (String, String) {
    let error = &item(run, flow)["error"];
    let hint = error["hints"][0].as_str().unwrap_or_default().to_owned();
    (error["code"].as_str().unwrap().to_owned(), hint)
}

const PROJECT: &str = "[prefect1]\nproject = \"data\"\n";

const SCHEDULED: &str = "
import datetime
from prefect import Flow, Parameter, task
from prefect.schedules import IntervalSchedule

HOURLY = IntervalSchedule(datetime.datetime(2026, 1, 1), datetime.timedelta(hours=1))


@task
def step(x): ...


with Flow('hourly', schedule=HOURLY) as hourly:
    step(Parameter('x', default=1))
";

#[test]
fn flows_are_registered_once_and_a_new_tag_is_a_new_version() {
    let Some(programs) = programs("flows_are_registered_once_and_a_new_tag_is_a_new_version")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("flows/etl.py", flow("etl", "one"));
    place.repository.write("flows/report.py", flow("report & more", "one"));
    place.repository.write("tools.py", "import sys\nsys.exit('flow: this is none of yours')\n");
    place.release("v1.0.0");
    let flowreg = place.flowreg(&backend);
    let planned = flowreg.json(&["plan"], 0);
    assert_eq!(outcomes(&planned), ["etl/data create", "report & more/data create"]);
    assert_eq!(planned["target"], json!({"kind": "prefect1", "url": backend.url, "version": null}));
    assert!(backend.flows().is_empty());
    let first = flowreg.json(&["register"], 0);
    assert_eq!(outcomes(&first), ["etl/data created", "report & more/data created"]);
    assert_eq!(item(&first, "etl")["entrypoint"], "flows/etl.py:flow");
    let storage = &backend.live("etl")["storage"];
    assert_eq!(
        (&storage["repo_host"], &storage["repo"]),
        (&json!("git.example.com"), &json!("team/flows"))
    );
    assert_eq!((&storage["tag"], &storage["branch_name"]), (&json!("v1.0.0"), &Value::Null));
    assert_eq!(
        (&storage["flow_path"], &storage["flow_name"]),
        (&json!("flows/etl.py"), &json!("etl"))
    );
    // The protocol of the client's command line: one request for the project, two for each flow.
    let asked = backend.requests();
    let count = |part: &str| {
        let has = |request: &&Value| request["query"].as_str().unwrap().contains(part);
        asked.iter().skip(2).filter(has).count()
    };
    assert_eq!([count("project(where"), count("limit: 1)"), count("mutation")], [1, 2, 2]);

    let again = flowreg.json(&["register"], 0);
    assert_eq!(outcomes(&again), ["etl/data unchanged", "report & more/data unchanged"]);
    assert_eq!(backend.registrations().len(), 2);

    place.release("v1.1.0");
    let planned = flowreg.json(&["plan"], 0);
    let changes = &item(&planned, "etl")["changes"];
    assert_eq!(changes[0], json!({"field": "version", "from": 1, "to": 2}));
    assert_eq!(changes[1]["field"], "storage");
    assert_eq!(changes.as_array().unwrap().len(), 2);
    let human = flowreg.run(&["register"]).stdout;
    assert!(
        human.contains("updated    etl/data") && human.contains("version 1 → 2, storage"),
        "{human}"
    );
    assert_eq!(backend.live("etl")["version"], 2);
    assert_eq!(backend.live("etl")["storage"]["tag"], "v1.1.0");
    let listed = flowreg.json(&["list"], 0);
    let etl = &listed["registrations"][0];
    assert_eq!((&etl["flow"], &etl["deployment"]), (&json!("etl"), &json!("data")));
    assert_eq!((&etl["kind"], &etl["reference"]), (&json!("tag"), &json!("v1.1.0")));
    assert_eq!(etl["repository"], "https://git.example.com/team/flows.git");

    let older = flowreg.json(&["register", "--tag", "v1.0.0"], 1);
    assert_eq!(refusal(&older, "etl").0, "downgrade");
    let back = flowreg.json(&["register", "etl", "--tag", "v1.0.0", "--allow-downgrade"], 0);
    assert_eq!(outcomes(&back), ["etl/data updated"]);
}

#[test]
fn a_branch_never_replaces_what_mainline_has() {
    let Some(programs) = programs("a_branch_never_replaces_what_mainline_has") else { return };
    let backend = Backend::start(&["--projects", "data,dev-feat/x"]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("hourly.py", SCHEDULED);
    place.release("v1.0.0");
    place.flowreg(&backend).json(&["register"], 0);
    assert_eq!(backend.live("hourly")["is_schedule_active"], true);

    place.branch("feat/x");
    let run = place.flowreg(&backend).json(&["register"], 0);
    assert_eq!(outcomes(&run), ["hourly@feat~x/data created"]);
    let guest = backend.live("hourly@feat~x");
    assert_eq!(
        (&guest["storage"]["branch_name"], &guest["storage"]["tag"]),
        (&json!("feat/x"), &Value::Null)
    );
    assert_eq!(guest["storage"]["flow_name"], "hourly");
    assert_eq!(guest["is_schedule_active"], false);
    assert_eq!(backend.live("hourly")["storage"]["tag"], "v1.0.0");
    // A push alone changes nothing: a run takes the branch's HEAD.
    place.repository.write("README", "more");
    place.repository.commit("more");
    place.repository.git(&["push", "-q", "origin", "HEAD"]);
    let again = place.flowreg(&backend).json(&["register"], 0);
    assert_eq!(outcomes(&again), ["hourly@feat~x/data unchanged"]);

    let own = "[prefect1]\nproject = \"data\"\nfeature_project = \"dev-{branch}\"\n";
    place.configure(own);
    place.repository.commit("a project for the branch");
    place.repository.git(&["push", "-q", "origin", "HEAD"]);
    let run = place.flowreg(&backend).json(&["register"], 0);
    assert_eq!(outcomes(&run), ["hourly/dev-feat/x created"]);
}

#[test]
fn a_schedule_that_people_switched_off_stays_off() {
    let Some(programs) = programs("a_schedule_that_people_switched_off_stays_off") else { return };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("hourly.py", SCHEDULED);
    place.release("v1.0.0");
    place.flowreg(&backend).json(&["register"], 0);
    let off = format!(
        "from prefect import Client\nClient().graphql('mutation($input: set_schedule_inactive_input!) {{ \
         set_schedule_inactive(input: $input) {{ success }} }}', \
         variables=dict(input=dict(flow_id='{}')))",
        backend.live("hourly")["id"].as_str().unwrap()
    );
    place.run("python", &["-c", &off], &[("PREFECT__CLOUD__API", &backend.url)]);
    place.release("v1.1.0");
    assert_eq!(outcomes(&place.flowreg(&backend).json(&["register"], 0)), ["hourly/data updated"]);
    let live = backend.live("hourly");
    assert_eq!((&live["version"], &live["is_schedule_active"]), (&json!(2), &json!(false)));
}

#[test]
fn different_flows_run_in_different_images_and_channels() {
    let Some(programs) = programs("different_flows_run_in_different_images_and_channels") else {
        return;
    };
    let backend = Backend::start(&["--projects", "data,dev"]);
    let configuration = r#"
[prefect1]
project = "data"
feature_project = "dev"
git_token_secret_name = "GIT_TOKEN"
git_token_username = "oauth2"
clone_depth = 5
labels = ["team"]
registry_url = "registry.example.com"
[mainline]
run_config = { type = "docker", image = "base:{tag}", env = { CHANNEL = "prod" }, labels = ["prod"] }
[feature]
run_config = { type = "local", labels = ["dev"] }
[flow."heavy"]
run_config = { type = "kubernetes", image = "heavy:{commit}", job_template_path = "jobs/heavy.yaml", cpu_request = "4" }
[flow."light"]
run_config = { env = { SIZE = "small" } }
[flow."baked"]
storage = "docker"
image_name = "baked"
path = "/app/{flow_path}"
run_config = { type = "docker" }
[flow."own"]
storage = "keep"
run_config = { image = "mine:{tag}" }
"#;
    let place = FlowRepository::new(&programs, configuration);
    for name in ["heavy", "light", "baked"] {
        place.repository.write(&format!("flows/{name}.py"), flow(name, "one"));
    }
    let own = flow("own", "one")
        + "from prefect.run_configs import DockerRun\nfrom prefect.storage import GitHub\n\
           flow.run_config = DockerRun(env={'A': '1'}, labels=['own'])\n\
           flow.storage = GitHub('team/flows', 'flows/own.py', ref='main')\n";
    place.repository.write("flows/own.py", own);
    place.repository.write("jobs/heavy.yaml", "kind: Job\n");
    place.release("v1.0.0");
    let commit = place.repository.git(&["rev-parse", "HEAD"]);
    let flowreg = place.flowreg(&backend);
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["created"], 4);
    let run_config = |name: &str| backend.live(name)["run_config"].clone();
    let light = run_config("light");
    assert_eq!((&light["type"], &light["image"]), (&json!("DockerRun"), &json!("base:v1.0.0")));
    assert_eq!(light["env"], json!({"CHANNEL": "prod", "SIZE": "small"}));
    assert_eq!(light["labels"], json!(["prod", "team"]));
    let heavy = run_config("heavy");
    assert_eq!(heavy["type"], "KubernetesRun");
    assert_eq!(heavy["image"], format!("heavy:{commit}"));
    assert_eq!(
        (&heavy["job_template"], &heavy["cpu_request"]),
        (&json!({"kind": "Job"}), &json!("4"))
    );
    assert_eq!(heavy["labels"], json!(["team"]));
    let storage = backend.live("light")["storage"].clone();
    assert_eq!(
        (&storage["git_token_secret_name"], &storage["git_token_username"]),
        (&json!("GIT_TOKEN"), &json!("oauth2"))
    );
    assert_eq!(storage["clone_depth"], 5);
    let baked = backend.live("baked")["storage"].clone();
    assert_eq!(
        (&baked["type"], &baked["image_name"], &baked["image_tag"]),
        (&json!("Docker"), &json!("baked"), &json!("v1.0.0"))
    );
    assert_eq!(
        (&baked["registry_url"], &baked["path"]),
        (&json!("registry.example.com"), &json!("/app/flows/baked.py"))
    );
    assert_eq!(baked["flows"], json!({"baked": "/app/flows/baked.py"}));
    let own = backend.live("own");
    assert_eq!(
        (&own["storage"]["type"], &own["storage"]["ref"]),
        (&json!("GitHub"), &json!("main"))
    );
    let own = &own["run_config"];
    // `[mainline]` names the type that the flow has; what is configured replaces it.
    assert_eq!((&own["image"], &own["env"]), (&json!("mine:v1.0.0"), &json!({"CHANNEL": "prod"})));
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["unchanged"], 4);

    place.branch("feat/x");
    place.flowreg(&backend).json(&["register", "light"], 0);
    let mut guests = backend.flows();
    guests.retain(|flow| flow["project"]["name"] == "dev");
    assert_eq!(guests[0]["run_config"]["type"], "LocalRun");
    assert_eq!(guests[0]["run_config"]["labels"], json!(["dev", "team"]));
}

#[test]
fn what_every_run_would_fail_at_is_refused_before() {
    let Some(programs) = programs("what_every_run_would_fail_at_is_refused_before") else { return };
    let backend = Backend::start(&[]);
    let configuration = "[prefect1]\nproject = \"data\"\n\
        [flow.absolute]\nstorage = \"keep\"\n[flow.commit]\nstorage = \"keep\"\n\
        [flow.none]\nstorage = \"keep\"\n[flow.odd]\nrun_config = { type = \"local\", image = \"x\" }\n";
    let place = FlowRepository::new(&programs, configuration);
    let git = |name: &str, arguments: &str| {
        flow(name, "one")
            + &format!(
                "from prefect.storage import Git\nflow.storage = Git(repo='a/b', {arguments})\n"
            )
    };
    place.repository.write("absolute.py", git("absolute", "flow_path='/flows/a.py'"));
    place.repository.write("commit.py", git("commit", "flow_path='a.py', commit='abc'"));
    place.repository.write("none.py", flow("none", "one"));
    place.repository.write("odd.py", flow("odd", "one"));
    place.repository.write("needs.py", SCHEDULED.replace("'x', default=1", "'x'"));
    place.repository.write("good.py", flow("good", "one"));
    place.repository.write("broken.py", "from prefect import Flow\n\nimport nowhere_to_be_found\n");
    place.repository.write("exits.py", "from prefect import Flow\nimport sys\nsys.exit(3)\n");
    place.repository.write("library.py", "VALUE = 1\n");
    place.repository.write("sibling.py", "import library\n".to_owned() + &flow("sibling", "one"));
    let nested = "from prefect import Flow\n\n\ndef make():\n    with Flow('nested') as flow: ...\n    return flow\n";
    place.repository.write("nested.py", nested);
    place.release("v1.0.0");
    let run = place.flowreg(&backend).json(&["register"], 8);
    for (flow, code) in [
        ("absolute", "absolute_path"),
        ("commit", "storage_commit"),
        ("none", "no_storage"),
        ("odd", "run_config"),
        ("hourly", "schedule_parameters"),
    ] {
        let (found, hint) = refusal(&run, flow);
        assert_eq!(found, code, "{run:#}");
        assert!(!hint.is_empty(), "{flow}: {run:#}");
    }
    assert_eq!(item(&run, "good")["outcome"], "created");
    assert_eq!(item(&run, "sibling")["outcome"], "created");
    let notices = run["notices"].to_string();
    assert!(notices.contains("sibling: sibling.py imports `library`"), "{notices}");
    let problem = |path: &str| {
        let errors = run["errors"].as_array().unwrap();
        let found = errors.iter().find(|error| error["path"] == path);
        found.unwrap_or_else(|| panic!("{path}: {run:#}")).clone()
    };
    let broken = problem("broken.py");
    assert_eq!((&broken["code"], &broken["line"]), (&json!("load_error"), &json!(3)));
    let message = broken["message"].as_str().unwrap();
    assert!(message.contains("there is no module `nowhere_to_be_found`"), "{message}");
    assert!(problem("exits.py")["message"].as_str().unwrap().contains("exits with code 3"));
    let nested = problem("nested.py");
    assert_eq!((&nested["code"], &nested["line"]), (&json!("nested"), &json!(5)));
    let mut names: Vec<String> =
        backend.flows().iter().map(|flow| flow["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["good", "sibling"]);
}

#[test]
fn references_that_prefect_1_can_not_run_are_refused() {
    let Some(programs) = programs("references_that_prefect_1_can_not_run_are_refused") else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("etl.py", flow("etl", "one"));
    place.repository.commit("a flow");
    place.repository.git(&["tag", "-a", "-m", "x", "v1.0.0"]);
    place.repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    let flowreg = place.flowreg(&backend);
    for arguments in [&["register"][..], &["register", "--tag", "v1.0.0"], &["plan", "--offline"]] {
        let error = flowreg.json(arguments, 1)["error"].clone();
        assert_eq!(error["code"], "annotated_tag", "{arguments:?}");
        let hint = error["hints"][0].as_str().unwrap();
        assert!(hint.starts_with("git tag v1.0.0-light 'v1.0.0^{}' && git push origin"), "{hint}");
    }
    // What the remote has counts: here it is lightweight, there it is not.
    place.repository.git(&["tag", "-f", "v1.0.0", "v1.0.0^{}"]);
    assert_eq!(flowreg.json(&["register"], 1)["error"]["code"], "annotated_tag");
    place.repository.git(&["push", "-qf", "origin", "v1.0.0"]);
    assert_eq!(outcomes(&flowreg.json(&["register"], 0)), ["etl/data created"]);

    place.repository.git(&["tag", "only-here"]);
    let missing = flowreg.json(&["register", "--tag", "only-here"], 4);
    assert_eq!(missing["error"]["code"], "remote_missing_tag");
    place.repository.commit("no tag");
    place.repository.git(&["push", "-q", "origin", "main"]);
    let untagged = flowreg.json(&["register"], 1)["error"].clone();
    let hint = untagged["hints"][0].as_str().unwrap();
    assert!(hint.starts_with("git tag v1.0.1 "), "an annotated one would be refused: {hint}");
    let commit = flowreg.json(&["register", "--untagged", "commit"], 3);
    assert!(commit["error"]["message"].as_str().unwrap().contains("can't pin a commit"));
    assert_eq!(flowreg.json(&["register", "--untagged", "branch"], 0)["summary"]["updated"], 1);
    assert_eq!(backend.live("etl")["storage"]["branch_name"], "main");
}

#[test]
fn a_tag_that_moved_is_refused_by_the_clone_that_registered_it() {
    let Some(programs) = programs("a_tag_that_moved_is_refused_by_the_clone_that_registered_it")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("etl.py", flow("etl", "one"));
    place.release("v1.0.0");
    place.flowreg(&backend).json(&["register"], 0);
    place.repository.write("etl.py", flow("etl", "two"));
    place.repository.commit("two");
    place.repository.git(&["tag", "-f", "v1.0.0"]);
    place.repository.git(&["push", "-qf", "origin", "main", "v1.0.0"]);
    let run = place.flowreg(&backend).json(&["register"], 1);
    assert_eq!(refusal(&run, "etl").0, "moved_tag");
    assert_eq!(backend.flows().len(), 1);
}

#[test]
fn two_flowregs_at_once_make_one_first_version_of_each_flow() {
    let Some(programs) = programs("two_flowregs_at_once_make_one_first_version_of_each_flow")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    for number in 0..8 {
        place.repository.write(&format!("f{number}.py"), flow(&format!("f{number}"), "one"));
    }
    place.release("v1.0.0");
    std::thread::scope(|scope| {
        let run = || place.flowreg(&backend).run(&["register"]);
        for run in [scope.spawn(run), scope.spawn(run), scope.spawn(run)] {
            assert_eq!(run.join().unwrap().code, 0);
        }
    });
    let flows = backend.flows();
    assert!(flows.iter().all(|flow| flow["version"] == 1), "{flows:#?}");
    assert_eq!(flows.len(), 8, "{flows:#?}");
}

#[test]
fn somebody_elses_flow_is_left_alone_unless_it_is_adopted() {
    let Some(programs) = programs("somebody_elses_flow_is_left_alone_unless_it_is_adopted") else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("etl.py", flow("etl", "one"));
    place.release("v1.0.0");
    let api = [("PREFECT__CLOUD__API", backend.url.as_str())];
    let script = place.repository.root().join("etl.py");
    let register = ["register", "--project", "data", "-p", script.to_str().unwrap()];
    place.run("prefect", &register, &api);
    let flowreg = place.flowreg(&backend);
    let refused = flowreg.json(&["register"], 1);
    let (code, hint) = refusal(&refused, "etl");
    assert_eq!(code, "not_ours");
    assert!(hint.contains("[prefect1] project"), "{hint}");
    assert_eq!(outcomes(&flowreg.json(&["register", "--adopt"], 0)), ["etl/data updated"]);
    assert_eq!(outcomes(&flowreg.json(&["register"], 0)), ["etl/data unchanged"]);
    place.repository.write(
        "flowreg.toml",
        std::fs::read_to_string(place.repository.root().join("flowreg.toml"))
            .unwrap()
            .replace("team/flows", "team/others"),
    );
    place.release("v2.0.0");
    let other = flowreg.json(&["register"], 1);
    assert_eq!(refusal(&other, "etl").0, "other_repository");
}

#[test]
fn flows_are_listed_as_prefect_1_builds_them() {
    let Some(programs) = programs("flows_are_listed_as_prefect_1_builds_them") else { return };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("a.py", flow("a", "one"));
    place.repository.write("b.py", flow("a", "one"));
    place.release("v1.0.0");
    let listed = place.flowreg(&backend).json(&["flows"], 8);
    let first = &listed["flows"][0];
    assert_eq!((&first["entrypoint"], &first["line"]), (&json!("a.py:flow"), &json!(9)));
    assert_eq!((&first["engine"], &first["introspected"]), (&json!("prefect1"), &json!(true)));
    assert_eq!(listed["errors"][0]["code"], "duplicate");
    assert!(backend.requests().is_empty(), "listing needs no backend");
    let human: Flowreg = place.flowreg(&backend);
    assert!(human.run(&["flows"]).stdout.contains("a.py:flow"));
}

#[test]
fn a_push_registers_the_branch_and_its_deletion_removes_what_was_its_own() {
    let Some(programs) =
        programs("a_push_registers_the_branch_and_its_deletion_removes_what_was_its_own")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    place.repository.write("etl.py", flow("etl", "one"));
    place.release("v1.0.0");
    let flowreg = place.flowreg(&backend);
    flowreg.json(&["register"], 0);
    flowreg.json(&["hooks", "install"], 0);
    let push = |reference: &str| {
        let output = std::process::Command::new("git")
            .args(["push", "-q", "origin", reference])
            .current_dir(place.repository.root())
            .env_clear()
            .envs(git_environment(place.repository.outside()))
            .env("PREFECT__CLOUD__API", &backend.url)
            // Nothing is left running: `flowreg sync` delivers.
            .env("CI", "true")
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        flowreg.json(&["sync"], 0)
    };
    place.repository.git(&["switch", "-qc", "feat/x"]);
    place.repository.commit("a branch");
    let synced = push("feat/x");
    assert_eq!(backend.live("etl@feat~x")["storage"]["branch_name"], "feat/x", "{synced:#}");
    // What people registered of the branch is theirs.
    let script = place.repository.outside().join("theirs.py");
    let storage = "from prefect.storage import Git\nflow.storage = Git('theirs.py', repo='team/flows', \
                   repo_host='git.example.com', branch_name='feat/x')\n";
    std::fs::write(&script, flow("theirs", "one") + storage).unwrap();
    let register = ["register", "--project", "data", "-p", script.to_str().unwrap()];
    place.run("prefect", &register, &[("PREFECT__CLOUD__API", &backend.url)]);
    let synced = push(":feat/x");
    let mut names: Vec<String> =
        backend.flows().iter().map(|flow| flow["name"].as_str().unwrap().to_owned()).collect();
    names.sort();
    assert_eq!(names, ["etl", "theirs"], "{synced:#}");
}

#[test]
fn files_are_not_run_where_that_is_not_wanted() {
    let Some(programs) = programs("files_are_not_run_where_that_is_not_wanted") else { return };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, &format!("introspect = \"never\"\n{PROJECT}"));
    place.repository.write("etl.py", flow("etl", "one"));
    place.release("v1.0.0");
    let error = place.flowreg(&backend).json(&["plan"], 3)["error"].clone();
    assert!(error["message"].as_str().unwrap().contains("only by running their files"), "{error}");
}

#[test]
fn a_tag_is_made_only_if_everything_can_be_registered_at_it() {
    let Some(programs) = programs("a_tag_is_made_only_if_everything_can_be_registered_at_it")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    let commit = |message: &str| {
        place.repository.commit(message);
        place.repository.git(&["push", "-q", "origin", "HEAD"]);
    };
    let tags = || place.repository.git_in(&place.remote, &["tag"]);
    place.repository.write("flows/etl.py", flow("etl", "one"));
    commit("feat: a flow");
    let flowreg = place.flowreg(&backend);
    for (tag, task) in [("v1.0.0", "one"), ("v1.1.0", "two")] {
        let run = flowreg.json(&["tag", "--register"], 0);
        assert_eq!((&run["tag"], &run["registered"]), (&json!(tag), &json!(true)), "{task}");
        assert_eq!(backend.live("etl")["storage"]["tag"], tag);
        assert_eq!(place.repository.git_in(&place.remote, &["cat-file", "-t", tag]), "commit");
        place.repository.write("flows/etl.py", flow("etl", "two"));
        commit("feat: another task");
    }
    // A file that can't be run.
    place.repository.write("flows/broken.py", "from prefect import Flow\nraise ValueError('x')\n");
    commit("feat: more");
    let refused = flowreg.json(&["tag", "--register"], 5);
    assert_eq!((&refused["outcome"], &refused["tag"]), (&json!("refused"), &json!("v1.2.0")));
    assert_eq!(tags(), "v1.0.0\nv1.1.0");
    assert_eq!(backend.live("etl")["storage"]["tag"], "v1.1.0");
}

#[test]
fn packages_at_one_commit_are_registered_one_tag_at_a_time() {
    let Some(programs) = programs("packages_at_one_commit_are_registered_one_tag_at_a_time") else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, PROJECT);
    let toml = std::fs::read_to_string(place.repository.root().join("flowreg.toml")).unwrap();
    place.repository.write(
        "flowreg.toml",
        format!("{toml}\n[tag]\nprefix = \"v\"\n[tag.package.etl]\npaths = [\"etl\"]\n"),
    );
    place.repository.write("etl/load.py", flow("load", "one"));
    place.repository.write("report.py", flow("report", "one"));
    place.repository.commit("two packages");
    for tag in ["etl/v1.0.0", "v3.0.0"] {
        place.repository.git(&["tag", tag]);
    }
    place.repository.git(&["push", "-q", "origin", "main", "etl/v1.0.0", "v3.0.0"]);
    let flowreg = place.flowreg(&backend);
    let error = flowreg.json(&["register"], 3)["error"].clone();
    // Each of the hints does what it says.
    let hints: Vec<&str> =
        error["hints"].as_array().unwrap().iter().map(|hint| hint.as_str().unwrap()).collect();
    assert!(hints[0].ends_with("--tag v3.0.0") && hints[1].ends_with("--tag etl/v1.0.0"));
    let whole = flowreg.json(&["register", "--tag", "v3.0.0"], 0);
    assert_eq!(outcomes(&whole), ["report/data created"]);
    assert_eq!(whole["further"], Value::Null, "nothing is registered at another tag");
    assert!(whole["notices"].to_string().contains("load/data belongs to no package that v3.0.0"));
    assert_eq!(whole["summary"]["left_out"], 1);
    let package = flowreg.json(&["register", "--tag", "etl/v1.0.0"], 0);
    assert_eq!(outcomes(&package), ["load/data created"]);
    assert_eq!(backend.live("load")["storage"]["tag"], "etl/v1.0.0");
}
