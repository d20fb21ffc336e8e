//! What is registered of a parameter schema of which not everything is known.

use serde_json::{Value, json};

use crate::introspection::python;
use crate::support::{Flowreg, TestRepository};

/// What the embedded registry holds for the only flow.
fn held(repository: &TestRepository) -> Value {
    let path = repository.root().join(".git/flowreg/flowreg.db");
    let database = rusqlite::Connection::open(path).unwrap();
    let fields: String =
        database.query_row("SELECT fields FROM registration", [], |row| row.get(0)).unwrap();
    serde_json::from_str(&fields).unwrap()
}

fn repository(introspect: &str) -> TestRepository {
    let repository = TestRepository::init(&["-b", "feat/x"]);
    let settings = format!("[flows]\nintrospect = \"{introspect}\"\npython = \"{}\"\n", python());
    repository.write("flowreg.toml", settings);
    repository
}

/// Registers a flow with this signature, whose doc says what `frame` is.
fn register(repository: &TestRepository, signature: &str) -> Value {
    let source = format!(
        "from pathlib import Path\nfrom prefect import flow\nfrom frames import Frame, rows\n\n\n\
         @flow\ndef load({signature}):\n    \"\"\"Loads.\n\n    Args:\n        frame: what is loaded\n    \"\"\"\n"
    );
    repository.write("load.py", source);
    repository.commit("flow");
    Flowreg::in_repository(repository).json(&["register"], 0)
}

/// A module that the analyser can't know, as it stands in no repository: Python finds it.
fn frames() -> TestRepository {
    let other = TestRepository::init(&["-b", "main"]);
    other.write(
        "frames.py",
        "from pydantic import BaseModel\n\n\nclass Frame(BaseModel):\n    size: int\n\n\n\
         def rows():\n    return 3\n",
    );
    other
}

#[test]
fn a_new_deployment_gets_the_parameters_that_are_known() {
    let repository = repository("never");
    let signature = "n: int, frame: Frame, limit: int = rows(), name: str = 'x'";
    let created = register(&repository, signature);
    let told = created["notices"].to_string();
    assert!(told.contains("what is not known of `frame`, `limit` is left open"), "{told}");
    let fields = held(&repository);
    let expected = json!({
        "title": "Parameters",
        "type": "object",
        "properties": {
            "n": {"title": "n", "type": "integer", "position": 0},
            "frame": {"title": "frame", "description": "what is loaded", "position": 1},
            "limit": {"title": "limit", "type": "integer", "position": 2},
            "name": {"title": "name", "type": "string", "default": "x", "position": 3},
        },
        "required": ["n", "frame"],
    });
    assert_eq!(fields["parameter_openapi_schema"], expected);
    // The type of `frame` may bring a default, so nobody may be refused who leaves it out.
    assert_eq!(fields["enforce_parameter_schema"], false);
    let again = Flowreg::in_repository(&repository).json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], 1, "{again:#}");

    // Once it is known, it is checked; and from then on that is people's business.
    register(&repository, "n: int, name: str = 'x'");
    assert_eq!(held(&repository)["enforce_parameter_schema"], true);
}

#[test]
fn what_is_certain_is_checked() {
    let repository = repository("never");
    register(&repository, "n: int, frame: Frame = None, limit: int = rows()");
    let fields = held(&repository);
    assert_eq!(fields["parameter_openapi_schema"]["required"], json!(["n"]));
    assert_eq!(fields["parameter_openapi_schema"]["properties"]["frame"]["default"], Value::Null);
    assert_eq!(fields["enforce_parameter_schema"], true);
}

#[test]
fn the_schema_follows_the_signature_also_where_a_part_of_it_is_open() {
    let repository = repository("never");
    register(&repository, "n: int, frame: Frame = None");
    let changed = register(&repository, "count: str, frame: Frame = None");
    assert_eq!(changed["registrations"][0]["changes"][0]["field"], "parameter_openapi_schema");
    let schema = &held(&repository)["parameter_openapi_schema"];
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["count", "frame"]);
    assert_eq!(schema["required"], json!(["count"]));
}

/// What an earlier commit was known to take is not kept for a parameter that is written otherwise now, and
/// nobody is refused by it.
#[test]
fn a_parameter_that_is_written_otherwise_loses_what_was_known_of_it() {
    let repository = repository("never");
    register(&repository, "frame: int, c: int = 3");
    assert_eq!(held(&repository)["enforce_parameter_schema"], true);
    register(&repository, "frame: Frame, c: int = rows()");
    let fields = held(&repository);
    let properties = &fields["parameter_openapi_schema"]["properties"];
    assert_eq!(properties["frame"].get("type"), None, "{fields:#}");
    assert_eq!(properties["c"].get("default"), None);
    assert_eq!(fields["enforce_parameter_schema"], false);
    let again = Flowreg::in_repository(&repository).json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], 1, "{again:#}");
    register(&repository, "frame: int, c: int = 3");
    assert_eq!(held(&repository)["enforce_parameter_schema"], true);
}

#[test]
fn what_python_told_of_an_open_parameter_stays_when_another_one_comes() {
    let (repository, frames) = (repository("auto"), frames());
    let flowreg =
        Flowreg::in_repository(&repository).env("PYTHONPATH", frames.root().to_str().unwrap());
    let source = |signature: &str| {
        let head = "from prefect import flow\nfrom frames import Frame\n\n\n@flow\ndef load";
        repository.write("load.py", format!("{head}({signature}):\n    pass\n"));
        repository.commit("flow");
    };
    source("frame: Frame");
    flowreg.json(&["register"], 0);
    let told = held(&repository)["parameter_openapi_schema"].clone();
    assert_eq!(told["properties"]["frame"]["$ref"], "#/definitions/Frame");
    source("frame: Frame, days: int = 7");
    let settings = "[flows]\nintrospect = \"never\"\n";
    repository.write("flowreg.toml", settings);
    repository.commit("without Python");
    flowreg.json(&["register"], 0);
    let schema = held(&repository)["parameter_openapi_schema"].clone();
    assert_eq!(schema["properties"]["frame"], told["properties"]["frame"], "{schema:#}");
    assert_eq!(schema["definitions"], told["definitions"]);
    assert_eq!(schema["properties"]["days"]["default"], 7);
    assert_eq!(held(&repository)["enforce_parameter_schema"], true);
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["unchanged"], 1);
    // Those with and those without the module take turns, and change nothing.
    repository.write("flowreg.toml", format!("[flows]\npython = \"{}\"\n", python()));
    repository.commit("with Python");
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["unchanged"], 1);
    // Another type: what was told of the first one goes.
    repository.write("flowreg.toml", settings);
    source("frame: Frame | None, days: int = 7");
    flowreg.json(&["register"], 0);
    let schema = held(&repository)["parameter_openapi_schema"].clone();
    assert_eq!(schema["properties"]["frame"].get("$ref"), None, "{schema:#}");
    assert_eq!(held(&repository)["enforce_parameter_schema"], false);
}
