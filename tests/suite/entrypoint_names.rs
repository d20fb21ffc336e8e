//! Entrypoints that reach a flow by another name than that of its function: aliases, imports, inherited
//! methods; in scripts and in modules. What they lead to is what the real Prefect loads from them.

use std::process::Command;

use flowreg::run::{Opened, RunRequest, Surroundings, Unobserved};
use flowreg_model::Field;
use serde_json::{Value, json};

use crate::support::prefect::programs;
use crate::support::{Flowreg, TestRepository};

/// A repository in which flows have many names.
const FILES: &[(&str, &str)] = &[
    (
        "jobs/etl.py",
        "from prefect import flow\n\n\n@flow(name=\"daily load\")\ndef daily_load(days: int = 1):\n    \
         \"\"\"Loads days.\"\"\"\n\n\nmain = daily_load\nagain = main\n\n\nclass Jobs:\n    @flow\n    \
         def run(self, source: str = \"a\"):\n        ...\n\n    @staticmethod\n    @flow\n    \
         def check(table: str):\n        ...\n\n    start = run\n\n    class Inner:\n        entry = daily_load\n\n\n\
         run = Jobs.run\n\n\nclass Special(Jobs):\n    source = \"b\"\n\n\nNightly = Jobs\n\
         made = Jobs()\n\n\ndef helper():\n    ...\n\n\nNUMBER = 3\n\n\
         def make(name):\n    @flow(name=name)\n    def made(rows: int = 5):\n        ...\n\n    return made\n\n\n\
         small = make(\"small\")\nTABLE = {\"large\": make(\"large\")}\nlarge = TABLE[\"large\"]\n",
    ),
    ("jobs/__init__.py", "from .etl import Jobs, daily_load\nfrom .etl import main as entry\n"),
    (
        "jobs/other.py",
        "from jobs.etl import Special as Renamed\nimport jobs.etl as etl\n\nfrom jobs import etl as again\n",
    ),
    (
        "deploy.py",
        "from jobs import entry\nfrom jobs.etl import Jobs as Base\n\nnightly = entry\n\n\nclass Child(Base):\n    ...\n",
    ),
    ("star.py", "from jobs.etl import *\n"),
    ("bare.py", "import jobs.etl\n"),
    (
        "environment.py",
        "import os\n\nfrom jobs.etl import daily_load, small\n\nif os.environ.get(\"SMALL\"):\n    job = small\nelse:\n    job = daily_load\n",
    ),
    (
        "dynamic.py",
        "from jobs.etl import daily_load\n\nfor name in [\"a\", \"b\"]:\n    globals()[f\"job_{name}\"] = daily_load\n",
    ),
    (
        "lazy.py",
        "from jobs.etl import daily_load as _daily\n\n\ndef __getattr__(name):\n    if name == \"late\":\n        return _daily\n    raise AttributeError(name)\n",
    ),
];

/// Entrypoints, whether or not they lead anywhere.
const ENTRYPOINTS: &[&str] = &[
    "jobs/etl.py:daily_load",
    "jobs/etl.py:main",
    "jobs/etl.py:again",
    "jobs/etl.py:run",
    "jobs/etl.py:Jobs.run",
    "jobs/etl.py:Jobs.start",
    "jobs/etl.py:Jobs.check",
    "jobs/etl.py:Jobs.Inner.entry",
    "jobs/etl.py:Special.run",
    "jobs/etl.py:Special.check",
    "jobs/etl.py:Nightly.run",
    "jobs/etl.py:made.run",
    "jobs/etl.py:small",
    "jobs/etl.py:large",
    "jobs/etl.py:helper",
    "jobs/etl.py:NUMBER",
    "jobs/etl.py:NUMBER.real",
    "jobs/etl.py:Jobs",
    "jobs/etl.py:Jobs.source",
    "jobs/etl.py:missing",
    "jobs/etl.py:make.made",
    "jobs/__init__.py:entry",
    "jobs/__init__.py:Jobs.run",
    "jobs/other.py:Renamed.run",
    "jobs/other.py:etl.daily_load",
    "jobs/other.py:again.Special.check",
    "deploy.py:nightly",
    "deploy.py:entry",
    "deploy.py:Child.run",
    "deploy.py:Base.start",
    "star.py:main",
    "star.py:Special.run",
    "bare.py:jobs.etl.main",
    "bare.py:jobs.entry",
    "environment.py:job",
    "dynamic.py:job_a",
    "dynamic.py:job_c",
    "lazy.py:late",
    "lazy.py:never",
    "jobs.etl.daily_load",
    "jobs.etl.main",
    "jobs.etl:main",
    "jobs.etl:Jobs.run",
    "jobs.etl.Jobs.run",
    "jobs.etl:Special.start",
    "jobs.entry",
    "jobs:Jobs.check",
    "jobs.other:etl.small",
    "deploy.nightly",
    "deploy:Child.check",
    "star.small",
    "environment.job",
    "dynamic:job_b",
    "lazy.late",
    "jobs.missing",
    "jobs:other.Renamed.run",
    "jobs.etl.helper",
    "nowhere.flow",
];

fn repository(files: &[(&str, &str)], entrypoints: &[&str]) -> TestRepository {
    let repository = TestRepository::empty();
    files.iter().for_each(|(path, content)| repository.write(path, content));
    let deployments: Vec<String> = entrypoints
        .iter()
        .enumerate()
        .map(|(number, entrypoint)| format!("  - name: d{number}\n    entrypoint: {entrypoint}\n"))
        .collect();
    repository.write("prefect.yaml", format!("deployments:\n{}", deployments.concat()));
    repository.commit("first");
    repository.git(&["switch", "--quiet", "--create", "feature"]);
    repository
}

/// Configures the Python that is asked.
fn with_python(repository: &TestRepository, python: &str) {
    repository.write("flowreg.toml", format!("[flows]\npython = \"{python}\"\n"));
    repository.commit("configuration");
}

/// What the real Prefect loads from each entrypoint: name, description and schema, or null. Each in a
/// process of its own, as a deployment of one alone would be.
fn loaded(repository: &TestRepository, entrypoints: &[&str]) -> Vec<Value> {
    let script = "import json, os, sys\n\
                  import prefect\n\
                  from prefect.flows import load_flow_from_entrypoint\n\
                  from prefect.utilities.callables import parameter_schema\n\
                  for entrypoint in sys.argv[1:]:\n\
                  \x20   read, write = os.pipe()\n\
                  \x20   if os.fork() == 0:\n\
                  \x20       try:\n\
                  \x20           flow = load_flow_from_entrypoint(entrypoint, use_placeholder_flow=False)\n\
                  \x20           schema = parameter_schema(flow).model_dump(exclude_unset=True)\n\
                  \x20           answer = {'name': flow.name, 'description': flow.description, 'schema': schema}\n\
                  \x20       except Exception:\n\
                  \x20           answer = None\n\
                  \x20       os.write(write, json.dumps(answer).encode())\n\
                  \x20       os._exit(0)\n\
                  \x20   os.close(write)\n\
                  \x20   print(os.fdopen(read).read(), flush=True)\n";
    let output = Command::new(programs().join("python"))
        .args(["-c", script])
        .args(entrypoints)
        .current_dir(repository.root())
        .env_clear()
        .env("HOME", repository.outside())
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let lines = String::from_utf8(output.stdout).unwrap();
    lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// What flowreg would register for each entrypoint, in the same form.
fn registered(repository: &TestRepository, entrypoints: &[&str]) -> Vec<Value> {
    let environment = repository.environment(&[]);
    let surroundings =
        Surroundings { environment, ..Surroundings::of_directory(repository.root()) };
    let opened = Opened::discover(surroundings, &Unobserved).unwrap();
    let request = RunRequest::default();
    let referenced = opened.reference(&request.reference).unwrap();
    let desired = referenced.desire(&request).unwrap();
    let mut all = vec![Value::Null; entrypoints.len()];
    for one in desired.registrations() {
        let name = one.deployment.as_str();
        let number: usize = name[1..name.find('@').unwrap()].parse().unwrap();
        let field = |field| one.fields.get(field).cloned().unwrap_or_default();
        assert_eq!(field(Field::Entrypoint), entrypoints[number]);
        all[number] = json!({
            "name": one.flow.as_str(),
            "description": field(Field::Description),
            "schema": field(Field::ParameterOpenapiSchema),
        });
    }
    all
}

/// Descriptions and keys that a client leaves out count as absent.
fn comparable(answer: &Value) -> Value {
    let parts = ["title", "type", "properties", "required", "definitions"];
    let schema: Vec<Value> = parts.iter().map(|part| answer["schema"][part].clone()).collect();
    json!([answer["name"], answer["description"], schema])
}

#[test]
fn an_entrypoint_leads_where_prefect_finds_it() {
    let repository = repository(FILES, ENTRYPOINTS);
    with_python(&repository, programs().join("python").to_str().unwrap());
    let theirs = loaded(&repository, ENTRYPOINTS);
    let ours = registered(&repository, ENTRYPOINTS);
    let wrong: Vec<String> = ENTRYPOINTS
        .iter()
        .zip(theirs.iter().zip(&ours))
        .filter(|(_, (theirs, ours))| {
            theirs.is_null() != ours.is_null() || comparable(theirs) != comparable(ours)
        })
        .map(|(entrypoint, (theirs, ours))| format!("{entrypoint}: {theirs}\n  but {ours}"))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(theirs.iter().filter(|one| !one.is_null()).count() > 40);
}

#[test]
fn what_is_known_without_python_is_not_asked_of_it() {
    let needs_python = ["environment", "dynamic", "lazy", "made", "large"];
    let known: Vec<&str> = ENTRYPOINTS
        .iter()
        .copied()
        .filter(|entrypoint| !needs_python.iter().any(|word| entrypoint.contains(word)))
        .collect();
    let repository = repository(FILES, &known);
    with_python(&repository, "/nowhere/python");
    let run = Flowreg::in_repository(&repository).run(&["plan"]);
    assert!(!run.stderr.contains("Python could not"), "{run:?}");
    let inexact: Vec<Value> = registered(&repository, &known);
    assert!(inexact.iter().all(|one| one.is_null() || !one["schema"].is_null()), "{inexact:#?}");
}

#[test]
fn a_name_that_leads_nowhere_says_what_is_there() {
    let entrypoints = [
        "jobs/etl.py:dayly_load",
        "jobs/etl.py:helper",
        "environment.py:job",
        "jobs.etl.dayly_load",
    ];
    let repository = repository(FILES, &entrypoints);
    with_python(&repository, "/nowhere/python");
    let flowreg = Flowreg::in_repository(&repository);
    let screen = flowreg.screen(&["plan"]);
    insta::assert_snapshot!(screen, @"
    branch feature (active branch) at d5bf711 · local registry
      refuse     2 deployments: `jobs/etl.py` has no flow `dayly_load` at d5bf711
                 dayly_load/d0 (prefect.yaml:3:17), dayly_load/d3 (prefect.yaml:9:17)
                 hint: did you mean `daily_load`?
      refuse     helper/d1      prefect.yaml:5:17: `jobs/etl.py` has no flow `helper` at d5bf711
                 hint: it has `Jobs.check`, `Jobs.run`, `daily_load`, `large`, `small`
      refuse     job/d2         prefect.yaml:7:17: environment.py:8:11: it is not known what `job` is: it is bound under a condition that is not known: it depends on the environment (`os.environ`)
      failed     environment.py:8:11: it is not known what `job` is: it is bound under a condition that is not known: it depends on the environment (`os.environ`)
    4 refused · 1 failed
    --- standard error
    warning: Python could not be asked about 1 flow that is not exact: there is no Python at /nowhere/python; set `python` under [flows] in flowreg.toml to the Python of your flows
    error: environment.py:8:11: it is not known what `job` is: it is bound under a condition that is not known: it depends on the environment (`os.environ`)
       --> environment.py:8:11
        |
      8 |     job = daily_load
        |           ^
    --- exit code 3
    ");
}

#[test]
fn a_second_name_counts_for_what_is_affected() {
    let repository = repository(FILES, &["deploy.py:Child.run", "jobs/etl.py:main"]);
    repository.write("bare.py", "import os\n");
    repository.commit("unrelated");
    let flowreg = Flowreg::in_repository(&repository);
    let plan = flowreg.json(&["plan", "--changed-since", "HEAD~1"], 0);
    assert_eq!(plan["registrations"], json!([]), "{plan:#}");
    repository.write(
        "deploy.py",
        "from jobs.etl import Jobs as Base\n\n\nclass Child(Base):\n    NEW = 1\n",
    );
    repository.commit("the script of one");
    let plan = flowreg.json(&["plan", "--changed-since", "HEAD~1"], 0);
    let names: Vec<&Value> =
        plan["registrations"].as_array().unwrap().iter().map(|one| &one["entrypoint"]).collect();
    assert_eq!(names, ["deploy.py:Child.run"], "{plan:#}");
}

#[test]
fn an_entrypoint_may_leave_the_directory_of_its_file() {
    let repository = repository(FILES, &["jobs/etl.py:main"]);
    repository.write(
        "teams/a/prefect.yaml",
        "deployments:\n- name: up\n  entrypoint: ../../jobs/etl.py:main\n\
         - name: out\n  entrypoint: ../../../etl.py:main\n",
    );
    repository.write("flowreg.toml", "[manifest]\nfiles = [\"teams/*/prefect.yaml\"]\n");
    repository.commit("a deeper file");
    let run = Flowreg::in_repository(&repository).json(&["register"], 3);
    let [one, other] = run["registrations"].as_array().unwrap().as_slice() else {
        panic!("{run:#}")
    };
    let (up, out) = if one["deployment"] == "out" { (other, one) } else { (one, other) };
    assert_eq!(
        (&up["outcome"], &up["entrypoint"]),
        (&json!("created"), &json!("jobs/etl.py:daily_load"))
    );
    let told = "`../../../etl.py:main` leads out of the repository";
    assert!(out["error"]["message"].as_str().unwrap().ends_with(told), "{out:#}");
    // As the worker reads it, from the root of the clone.
    let list = Flowreg::in_repository(&repository).json(&["list"], 0);
    assert_eq!(list["registrations"][0]["entrypoint"], "jobs/etl.py:main", "{list:#}");
}
