//! What flowreg makes of a Python without a usable Prefect 1, of settings that lead nowhere, and of
//! backends that are down, refuse, or are none.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::prefect::free_port;
use crate::support::prefect1::{Backend, FlowRepository, flow, programs};
use crate::support::scripted::{Reply, Scripted};
use crate::support::{Flowreg, TestRepository, prefect};

const CONFIGURATION: &str = "target = \"prefect1\"\n[prefect1]\nproject = \"data\"\n[repository]\n\
    url = \"https://git.example.com/team/flows.git\"\n";

fn repository(configuration: &str) -> TestRepository {
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    repository.write("flowreg.toml", configuration);
    repository.write("etl.py", flow("etl", "one"));
    repository.commit("a flow");
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "main", "v1.0.0"]);
    repository
}

/// Code, message and first hint of an error.
fn error(object: &Value) -> (String, String, String) {
    let error = &object["error"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&error["code"]), text(&error["message"]), text(&error["hints"][0]))
}

#[test]
fn a_python_without_prefect_1_is_told_with_the_packages_that_mend_it() {
    let backend = Backend::start(&[]);
    let empty = tempfile::tempdir().unwrap();
    let run = |python: &Path, path: &Path| {
        let configuration = format!("{CONFIGURATION}[flows]\npython = \"{}\"\n", python.display());
        let repository = repository(&configuration);
        let flowreg = Flowreg::in_repository(&repository)
            .env("PREFECT__CLOUD__API", &backend.url)
            .env("PYTHONPATH", path.to_str().unwrap());
        error(&flowreg.json(&["register"], 3))
    };
    let python3 = Path::new("python3");
    let pin = "-m pip install 'prefect[git]==1.4.1' 'marshmallow<4' 'pendulum<3'";

    let (code, message, hint) = run(python3, empty.path());
    assert_eq!(code, "python");
    assert!(message.contains("there is no Prefect in"), "{message}");
    assert!(hint.contains(pin), "{hint}");

    let newer = prefect::programs().join("python");
    let (code, message, hint) = run(&newer, empty.path());
    assert_eq!(code, "python");
    assert!(message.contains("has Prefect 3.8.8, and the target is Prefect 1"), "{message}");
    assert!(hint.contains("'prefect[git]==1.4.1'"), "{hint}");

    // What marshmallow 4 does: everything imports, and no flow can be serialized.
    let broken = tempfile::tempdir().unwrap();
    let write = |path: &str, text: &str| {
        let path = broken.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write(
        "prefect-1.4.1.dist-info/METADATA",
        "Metadata-Version: 2.1\nName: prefect\nVersion: 1.4.1\n",
    );
    write(
        "prefect/__init__.py",
        "__version__ = '1.4.1'\nfrom . import client, storage, run_configs\n\nclass Flow:\n    def __init__(self, *_, **__): ...\n    def serialize(self, build):\n        raise AttributeError(\"'Nested' object has no attribute 'context'\")\n",
    );
    write("prefect/client.py", "class Client: ...\n");
    write("prefect/storage.py", "def Git(**_): ...\n");
    write("prefect/run_configs.py", "def UniversalRun(): ...\n");
    write("prefect/serialization/flow.py", "FlowSchema = None\n");
    write("prefect/utilities/graphql.py", "compress = None\n");
    let (code, message, hint) = run(python3, broken.path());
    assert_eq!(code, "python");
    assert!(message.contains("'Nested' object has no attribute 'context'"), "{message}");
    assert!(hint.contains(pin), "{hint}");
}

#[test]
fn settings_that_lead_nowhere_are_told_before_anything_is_run() {
    for (configuration, expected, hint) in [
        ("target = \"prefect1\"\n", "needs a project", "[prefect1] project"),
        (
            "target = \"prefect1\"\n[prefect1]\nproject = \"data\"\n",
            "can't clone /",
            "git_clone_url_secret_name",
        ),
        (
            "target = \"prefect1\"\n[prefect1]\nproject = \"data\"\n[repository]\nurl = \"ssh://git@h:2222/a.git\"\n",
            "the usual port only",
            "git_clone_url_secret_name",
        ),
        (
            &(CONFIGURATION.to_owned() + "[flow.etl]\nstorage = \"docker\"\n"),
            "the image that holds the code (flow `etl`)",
            "image_name",
        ),
        (
            &CONFIGURATION.replace("[repository]", "[repository]\npin = \"commit\""),
            "can't pin",
            "pin = \"tag\"",
        ),
        (&CONFIGURATION.replace("project", "projekt"), "unknown key `projekt`", "`project`"),
        (
            &(CONFIGURATION.to_owned() + "[mainline]\nrun_config = { type = \"dokcer\" }\n"),
            "`dokcer` is not one of",
            "",
        ),
        (
            &(CONFIGURATION.to_owned() + "[mainline]\nrun_config = { imge = \"x\" }\n"),
            "unknown key `imge`",
            "`image`",
        ),
    ] {
        let repository = repository(configuration);
        let flowreg = Flowreg::in_repository(&repository)
            .env("PREFECT__CLOUD__API", &format!("http://127.0.0.1:{}", free_port()));
        let (code, message, found) = error(&flowreg.json(&["register"], 3));
        assert_eq!(code, "configuration", "{message}");
        assert!(message.contains(expected), "{message}");
        assert!(found.contains(hint), "{found}");
    }
}

/// What `flowreg list` says to a server that always answers so.
fn listed(reply: &Reply, code: i32) -> (String, String, String) {
    let reply = reply.clone();
    let server = Scripted::start(move |_, _| reply.clone());
    let repository = repository(CONFIGURATION);
    let flowreg = Flowreg::in_repository(&repository)
        .env("PREFECT__CLOUD__API", &server.api_url)
        .env("PREFECT__CLOUD__API_KEY", "Vb7s3cret");
    let run = flowreg.json(&["list"], code);
    assert!(!run.to_string().contains("s3cret"), "{run:#}");
    error(&run)
}

#[test]
fn answers_that_say_no_keep_the_servers_words_and_never_the_key() {
    let said = r#"{"errors":[{"message":"Invalid project. Vb7s3cret","path":["flow"],
        "extensions":{"code":"INTERNAL_SERVER_ERROR"}}],"data":{"flow":null}}"#;
    let (code, message, _) = listed(&Reply::json(200, said), 6);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("target_refused", "the server refused it: Invalid project. ***")
    );
    let invalid = r#"{"errors":[{"message":"Cannot query field \"x\" on type \"flow\".","extensions":{"code":"GRAPHQL_VALIDATION_FAILED"}}]}"#;
    let (code, message, _) = listed(&Reply::json(400, invalid), 6);
    assert_eq!(code, "target_refused");
    assert!(message.contains("Cannot query field"), "{message}");
    let forbidden = r#"{"errors":[{"message":"AuthenticationError: Forbidden","extensions":{"code":"UNAUTHENTICATED"}}],"data":null}"#;
    for reply in [Reply::json(200, forbidden), Reply::json(401, "{}")] {
        let (code, _, hint) = listed(&reply, 6);
        assert_eq!(code, "unauthorized");
        assert!(hint.contains("prefect auth login"), "{hint}");
    }
    for reply in [
        Reply::Answer(200, Vec::new(), "<html>Sign in</html>".to_owned()),
        Reply::json(404, "not here"),
        Reply::json(200, "{}"),
    ] {
        let (code, _, hint) = listed(&reply, 6);
        assert_eq!(code, "not_an_api");
        assert!(hint.contains("PREFECT__CLOUD__API"), "{hint}");
    }
}

#[test]
fn a_refused_connection_is_told_within_seconds() {
    let repository = repository(CONFIGURATION);
    let url = format!("http://127.0.0.1:{}", free_port());
    let started = Instant::now();
    let run =
        Flowreg::in_repository(&repository).env("PREFECT__CLOUD__API", &url).json(&["list"], 7);
    // The real client takes 63 s.
    assert!(started.elapsed() < Duration::from_secs(5));
    assert_eq!(error(&run).0, "unreachable");
}

#[test]
fn the_client_configuration_of_prefect_1_is_read() {
    let backend = Backend::start(&["--key", "K1"]);
    let repository = repository(CONFIGURATION);
    let home = repository.outside().join(".prefect");
    std::fs::create_dir(&home).unwrap();
    let port = backend.url.rsplit(':').next().unwrap();
    std::fs::write(home.join("backend.toml"), "backend = \"server\"\n").unwrap();
    std::fs::write(
        home.join("config.toml"),
        format!("[server]\nhost = \"http://127.0.0.1\"\nport = {port}\n"),
    )
    .unwrap();
    let flowreg = Flowreg::in_repository(&repository);
    assert_eq!(error(&flowreg.json(&["list"], 6)).0, "unauthorized");
    let tenant = "555a0000-0000-4000-8000-000000000001";
    let login = format!("[\"127.0.0.1-{port}\"]\napi_key = \"K1\"\ntenant_id = \"{tenant}\"\n");
    std::fs::write(home.join("auth.toml"), login).unwrap();
    flowreg.json(&["list"], 0);
    let headers = backend.requests().pop().unwrap()["headers"].clone();
    assert_eq!(headers["authorization"], "Bearer K1");
    assert_eq!(headers["x-prefect-tenant-id"], tenant);
}

#[test]
fn one_flow_that_fails_does_not_stop_the_others() {
    let Some(programs) = programs("one_flow_that_fails_does_not_stop_the_others") else { return };
    let backend = Backend::start(&["--limit", "3000"]);
    let place = FlowRepository::new(&programs, "[prefect1]\nproject = \"data\"\n");
    place.repository.write("small.py", flow("small", "one"));
    let tasks: String = (0..300)
        .map(|number| {
            format!("    step(task_args=dict(name='t{number}é{}'))\n", number * 7919 % 1000)
        })
        .collect();
    place.repository.write("large.py", flow("large", "one") + &tasks);
    place.release("v1.0.0");
    let run = place.flowreg(&backend).json(&["register"], 8);
    let of = |name: &str| {
        let all = run["registrations"].as_array().unwrap();
        all.iter().find(|one| one["flow"] == name).unwrap().clone()
    };
    assert_eq!(of("small")["outcome"], "created");
    assert_eq!(
        (of("large")["outcome"].as_str(), of("large")["error"]["code"].as_str()),
        (Some("failed"), Some("too_large"))
    );
}

#[test]
fn a_project_that_is_not_there_is_refused_with_the_command_that_makes_it() {
    let Some(programs) =
        programs("a_project_that_is_not_there_is_refused_with_the_command_that_makes_it")
    else {
        return;
    };
    let backend = Backend::start(&[]);
    let place = FlowRepository::new(&programs, "[prefect1]\nproject = \"nope\"\n");
    place.repository.write("etl.py", flow("etl", "one"));
    place.release("v1.0.0");
    let run = place.flowreg(&backend).json(&["plan"], 1);
    let error = &run["registrations"][0]["error"];
    assert_eq!(error["code"], "project_missing");
    assert_eq!(error["hints"][0], "prefect create project \"nope\"");
}
