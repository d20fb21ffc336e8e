//! Source roots: a module that is neither beside the script nor at the root. What is claimed of a flow
//! that imports one is what the real Prefect loads, where the project's files say that Python finds it.
//!
//! Needs the real Prefect (`scripts/test.sh`).

use std::collections::BTreeMap;
use std::process::Command;

use flowreg_model::json_equal;
use serde_json::{Value, json};

use crate::support::prefect::programs;
use crate::support::{Flowreg, TestRepository};

type Files<'f> = &'f [(&'f str, &'f str)];

const SCRIPT: &str = "from prefect import flow\n\nfrom mps.settings import DAYS\n\n\n@flow\ndef etl(days: \
                      int = DAYS):\n    ...\n\n\n@flow\ndef plain(n: int = 1):\n    ...\n";

fn repository(files: Files<'_>) -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", SCRIPT);
    files.iter().for_each(|(path, content)| repository.write(path, content));
    repository.commit("first");
    repository
}

/// A module with the value that the flow takes as its default.
fn module(directory: &str) -> [(String, String); 2] {
    [
        (format!("{directory}/mps/__init__.py"), String::new()),
        (format!("{directory}/mps/settings.py"), "DAYS = 7\n".to_owned()),
    ]
}

fn with_module(directory: &str, files: Files<'_>) -> TestRepository {
    let module = module(directory);
    let module = module.iter().map(|(path, content)| (path.as_str(), content.as_str()));
    let all: Vec<(&str, &str)> = files.iter().copied().chain(module).collect();
    repository(&all)
}

/// The flows of the script by name, without Python.
fn flows(repository: &TestRepository) -> Value {
    let listed = Flowreg::in_repository(repository).json(&["flows"], 0);
    let flows = listed["flows"].as_array().unwrap();
    flows.iter().map(|flow| (flow["name"].as_str().unwrap().to_owned(), flow.clone())).collect()
}

/// The schemas that the real Prefect computes, with directories of the repository in `PYTHONPATH`.
fn loaded(repository: &TestRepository, python_path: &[&str]) -> Value {
    let script = "import json\n\
                  from prefect.flows import load_flow_from_entrypoint\n\
                  from prefect.utilities.callables import parameter_schema\n\
                  answer = {}\n\
                  for name in ['etl', 'plain']:\n\
                  \x20   flow = load_flow_from_entrypoint(f'flows/etl.py:{name}', use_placeholder_flow=False)\n\
                  \x20   answer[name] = parameter_schema(flow).model_dump(exclude_unset=True)\n\
                  print(json.dumps(answer))\n";
    let directories: Vec<String> =
        python_path.iter().map(|path| repository.root().join(path).display().to_string()).collect();
    let output = Command::new(programs().join("python"))
        .args(["-c", script])
        .current_dir(repository.root())
        .env_clear()
        .env("HOME", repository.outside())
        .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", directories.join(":"))
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Both flows are exact, and what Prefect loads with `root` on its path.
fn is_read_from(root: &str, repository: &TestRepository) {
    is_as_loaded(root, repository, &loaded(repository, &[root]));
}

fn is_as_loaded(root: &str, repository: &TestRepository, theirs: &Value) {
    let ours = flows(repository);
    for name in ["etl", "plain"] {
        assert_eq!(ours[name]["exact"], true, "{root}: {:#}", ours[name]);
        let schema = &ours[name]["parameter_openapi_schema"];
        assert!(json_equal(schema, &theirs[name]), "{schema} for {}", theirs[name]);
    }
}

/// What is imported is not known, and only the flow that uses it is not exact; the reason.
fn is_not_read(repository: &TestRepository) -> String {
    let flows = flows(repository);
    assert_eq!(flows["plain"]["exact"], true, "{:#}", flows["plain"]);
    assert_eq!(flows["etl"]["exact"], false, "{:#}", flows["etl"]);
    flows["etl"]["inexact"][0]["reason"].as_str().unwrap().to_owned()
}

const SETUPTOOLS: &str = "[build-system]\nrequires = [\"setuptools\"]\n\
                          build-backend = \"setuptools.build_meta\"\n[project]\nname = \"mps\"\n\
                          version = \"1\"\n";

#[test]
fn a_module_elsewhere_is_unknown_and_no_doubt_of_the_script() {
    let repository = with_module("packages/mps/src", &[]);
    let reason = is_not_read(&repository);
    assert!(reason.contains("`mps` is in `packages/mps/src`"), "{reason}");
}

#[test]
fn the_packaging_of_the_project_names_its_source_root() {
    let build = |backend: &str| {
        format!(
            "[build-system]\nrequires = []\nbuild-backend = \"{backend}\"\n[project]\nname = \"mps\"\n"
        )
    };
    // Prefect takes seconds to start, and what it loads depends on the root alone.
    let mut loaded_from: BTreeMap<&str, Value> = BTreeMap::new();
    for (root, file, text) in [
        ("src", "pyproject.toml", SETUPTOOLS.to_owned()),
        ("lib", "pyproject.toml", format!("{SETUPTOOLS}[tool.setuptools]\npackage-dir = {{\"\" = \"lib\"}}\n")),
        ("py", "pyproject.toml", format!("{SETUPTOOLS}[tool.setuptools.packages.find]\nwhere = [\"py\"]\n")),
        ("src", "pyproject.toml", build("hatchling.build")),
        (
            "code",
            "pyproject.toml",
            build("hatchling.build") + "[tool.hatch.build.targets.wheel]\npackages = [\"code/mps\"]\n",
        ),
        (
            "code",
            "pyproject.toml",
            build("hatchling.build") + "[tool.hatch.build.targets.wheel]\nsources = [\"code\"]\n",
        ),
        ("src", "pyproject.toml", "[tool.poetry]\nname = \"mps\"\n".to_owned()),
        (
            "lib",
            "pyproject.toml",
            "[tool.poetry]\nname = \"x\"\npackages = [{ include = \"mps\", from = \"lib\" }]\n".to_owned(),
        ),
        ("src", "pyproject.toml", build("uv_build")),
        (
            "python",
            "pyproject.toml",
            build("uv_build") + "[tool.uv.build-backend]\nmodule-root = \"python\"\n",
        ),
        ("src", "pyproject.toml", build("flit_core.buildapi")),
        (
            "lib",
            "pyproject.toml",
            build("pdm.backend") + "[tool.pdm.build]\npackage-dir = \"lib\"\n",
        ),
        ("src", "setup.cfg", "[metadata]\nname = mps\n[options]\npackage_dir =\n    = src\n".to_owned()),
        (
            "lib",
            "setup.cfg",
            "[options]\npackages = find:\n[options.packages.find]\nwhere = lib\n".to_owned(),
        ),
        (
            "lib",
            "setup.py",
            "from setuptools import setup, find_packages\n\nsetup(name=\"mps\", package_dir={\"\": \"lib\"}, \
             packages=find_packages(where=\"lib\"))\n"
                .to_owned(),
        ),
    ] {
        println!("{file}: {text}");
        let repository = with_module(root, &[(file, &text)]);
        let theirs = loaded_from.entry(root).or_insert_with(|| loaded(&repository, &[root]));
        is_as_loaded(root, &repository, theirs);
    }
}

#[test]
fn python_path_of_an_image_or_of_runs_is_a_source_root() {
    for (root, file, text) in [
        (
            "src",
            "Dockerfile",
            "FROM python:3.12\nWORKDIR /app\nCOPY . .\nENV PYTHONPATH=/app/src\n",
        ),
        (
            "lib/python",
            "docker/Dockerfile",
            "FROM python:3.12\nCOPY lib /opt/lib\nENV A=b \\\n    PYTHONPATH=\"${PYTHONPATH}:/opt/lib/python\"\n",
        ),
        (
            "src",
            "prefect.yaml",
            "deployments:\n- name: a\n  entrypoint: flows/etl.py:etl\n  work_pool:\n    \
          job_variables:\n      env:\n        PYTHONPATH: /opt/prefect/flows-main/src\n",
        ),
    ] {
        println!("{file}: {text}");
        is_read_from(root, &with_module(root, &[(file, text)]));
    }
}

#[test]
fn the_settings_name_source_roots_in_place_of_those_that_are_found() {
    let settings = "[flows]\nsearch_path = [\"./lib/\"]\n";
    is_read_from("lib", &with_module("lib", &[("flowreg.toml", settings)]));
    let both = [("flowreg.toml", settings), ("pyproject.toml", SETUPTOOLS)];
    is_not_read(&with_module("src", &both));
    let outside = with_module("lib", &[("flowreg.toml", "[flows]\nsearch_path = [\"../x\"]\n")]);
    let error = Flowreg::in_repository(&outside).json(&["flows"], 3);
    let message = error["error"]["message"].as_str().unwrap();
    assert!(message.contains("`../x` is no directory of the repository"), "{error:#}");
}

#[test]
fn projects_that_are_installed_with_one_are_read() {
    let member =
        "[build-system]\nrequires = []\nbuild-backend = \"uv_build\"\n[project]\nname = \"mps\"\n";
    let workspace = "[project]\nname = \"all\"\ndependencies = [\"mps\"]\n[tool.uv.workspace]\nmembers = \
                     [\"packages/*\"]\n[tool.uv.sources]\nmps = { workspace = true }\n";
    let poetry = "[tool.poetry]\nname = \"all\"\n[tool.poetry.dependencies]\n\
                  mps = { path = \"packages/mps\", develop = true }\n";
    for (file, text) in [
        ("pyproject.toml", workspace),
        ("pyproject.toml", poetry),
        ("requirements.txt", "pandas==2.0\n-e ./packages/mps\n"),
        ("requirements-dev.txt", "./packages/mps[extra]\n"),
    ] {
        let files = [(file, text), ("packages/mps/pyproject.toml", member)];
        is_read_from("packages/mps/src", &with_module("packages/mps/src", &files));
    }
    // Nothing says that this one is installed where the flow runs.
    let alone = [("packages/mps/pyproject.toml", member)];
    is_not_read(&with_module("packages/mps/src", &alone));
    let of_another = [("apps/x/requirements.txt", "-e ../../packages/mps\n"), alone[0]];
    is_not_read(&with_module("packages/mps/src", &of_another));
}

#[test]
fn what_may_be_another_module_is_not_read() {
    let other = module("other");
    let second = [
        ("pyproject.toml", SETUPTOOLS),
        ("Dockerfile", "FROM x\nCOPY . /app\nENV PYTHONPATH=/app/other\n"),
        (other[0].0.as_str(), other[0].1.as_str()),
        (other[1].0.as_str(), "DAYS = 30\n"),
    ];
    let reason = is_not_read(&with_module("src", &second));
    assert!(reason.contains("both other and src have a module `mps`"), "{reason}");
    // The project is for another index than itself: which version is installed is not known.
    let pinned = [("pyproject.toml", SETUPTOOLS), ("deploy/requirements.txt", "mps==1.0\n")];
    is_not_read(&with_module("src", &pinned));
    // An installed package goes before a directory without `__init__.py`.
    let namespace = [("mps/settings.py", "DAYS = 7\n"), ("requirements.txt", "MPS>=2\n")];
    is_not_read(&repository(&namespace));
    // Nor does a directory without one go before a package that another project may have installed.
    let package = module("packages/x/src");
    let elsewhere = [
        ("mps/settings.py", "DAYS = 1\n"),
        ("packages/x/pyproject.toml", SETUPTOOLS),
        (package[0].0.as_str(), ""),
        (package[1].0.as_str(), package[1].1.as_str()),
    ];
    is_not_read(&repository(&elsewhere));
    let flat = [("pyproject.toml", SETUPTOOLS), ("x/pyproject.toml", SETUPTOOLS)];
    is_not_read(&with_module("x/src", &flat));
}

#[test]
fn a_package_that_prefect_brings_is_not_the_directory_of_that_name() {
    let script = "from docker import TAG\nfrom prefect import flow\n\n\n@flow\ndef etl(tag: str = TAG):\n    \
                  ...\n\n\n@flow\ndef plain(n: int = 1):\n    ...\n";
    for directory in ["docker", "flows/docker"] {
        let repository = repository(&[
            (&format!("{directory}/build.py"), "TAG = 'x'\n"),
            ("flows/etl.py", script),
        ]);
        is_not_read(&repository);
    }
}

#[test]
fn a_module_that_shadows_the_standard_library_over_python_path_is_doubted() {
    let script = "from prefect import flow\nfrom wave import DAYS\n\n\n@flow\ndef etl(days: int = DAYS):\n    \
                  ...\n\n\n@flow\ndef plain(n: int = 1):\n    ...\n";
    let docker = "FROM x\nCOPY . /app\nENV PYTHONPATH=/app/src\n";
    let files = [("flows/etl.py", script), ("src/wave.py", "DAYS = 3\n"), ("Dockerfile", docker)];
    let repository = repository(&files);
    is_not_read(&repository);
    assert_eq!(loaded(&repository, &["src"])["etl"]["properties"]["days"]["default"], 3);
}

#[test]
fn namespaces_of_several_roots_are_merged_as_python_does() {
    // `acme` is in both; neither has an `__init__.py`.
    let script = "from prefect import flow\n\nfrom acme.here import A\nfrom acme.there import B\n\n\n@flow\ndef \
                  etl(a: int = A, b: int = B):\n    ...\n\n\n@flow\ndef plain(n: int = 1):\n    ...\n";
    let repository = repository(&[
        ("flows/etl.py", script),
        ("acme/here.py", "A = 1\n"),
        ("src/acme/there.py", "B = 2\n"),
        ("pyproject.toml", SETUPTOOLS),
    ]);
    is_read_from("src", &repository);
}

#[test]
fn a_package_in_a_source_root_goes_before_a_plain_directory_of_the_root() {
    let repository =
        with_module("src", &[("mps/settings.py", "DAYS = 1\n"), ("pyproject.toml", SETUPTOOLS)]);
    is_read_from("src", &repository);
}

#[test]
fn what_a_source_root_lacks_is_unknown_and_no_error() {
    let script = "from prefect import flow\n\nimport mps.made\nfrom mps import native\nfrom mps.settings import \
                  LATER\n\n\n@flow\ndef etl(x: int = LATER):\n    ...\n\n\n@flow\ndef plain(n: int = 1):\n    ...\n";
    let repository =
        with_module("src", &[("pyproject.toml", SETUPTOOLS), ("flows/etl.py", script)]);
    is_not_read(&repository);
}

#[test]
fn a_change_along_a_source_root_affects_a_flow() {
    let repository = with_module("src", &[("pyproject.toml", SETUPTOOLS)]);
    let flowreg = Flowreg::in_repository(&repository);
    let affected = |expected: Value| {
        let listed = flowreg.json(&["flows", "--affected-by", "HEAD~1"], 0);
        let flows = listed["flows"].as_array().unwrap();
        let chains: Vec<&Value> = flows.iter().map(|flow| &flow["affected_by"]).collect();
        assert_eq!(json!(chains), expected, "{listed:#}");
    };
    repository.write("src/mps/settings.py", "DAYS = 8\n");
    repository.commit("the value");
    let chain = json!(["flows/etl.py", "src/mps/settings.py"]);
    affected(json!([chain, chain]));
    repository.write("src/unused.py", "");
    repository.commit("something else");
    affected(json!([]));
    // The same modules, and another of them is meant.
    repository.write(
        "pyproject.toml",
        format!("{SETUPTOOLS}[tool.setuptools]\npackage-dir = {{\"\" = \"x\"}}\n"),
    );
    repository.commit("another root");
    let chain = json!(["flows/etl.py", "pyproject.toml"]);
    affected(json!([chain, chain]));
    repository.write("pyproject.toml", format!("{SETUPTOOLS}[tool.black]\n"));
    repository.commit("back again");
    repository.write("pyproject.toml", format!("{SETUPTOOLS}[tool.black]\nx = 1\n"));
    repository.commit("nothing about modules");
    affected(json!([]));
}

#[test]
fn python_is_asked_with_the_source_roots_of_the_commit() {
    let script = "import os\n\nfrom mps.settings import DAYS\nfrom prefect import flow\n\n\n@flow\ndef etl(days: int \
                  = int(os.environ.get(\"DAYS\", DAYS))):\n    ...\n";
    let settings = format!("[flows]\npython = {:?}\n", programs().join("python"));
    let known = with_module(
        "src",
        &[("flows/etl.py", script), ("pyproject.toml", SETUPTOOLS), ("flowreg.toml", &settings)],
    );
    // What is in the work tree does not count.
    known.write("src/mps/settings.py", "DAYS = 30\n");
    let listed = Flowreg::in_repository(&known).json(&["flows"], 0);
    let schema = &listed["flows"][0]["parameter_openapi_schema"];
    assert_eq!(schema["properties"]["days"]["default"], 7, "{listed:#}");
    // Without one the advice is about this repository, and no package of an index.
    let unknown =
        with_module("packages/mps/src", &[("flows/etl.py", script), ("flowreg.toml", &settings)]);
    let run = Flowreg::in_repository(&unknown).run(&["flows"]);
    let advice = "`mps` is in packages/mps/src of this repository: add `search_path = \
                  [\"packages/mps/src\"]` under [flows] in flowreg.toml, or install the project there";
    assert!(run.stderr.contains(advice), "{run:#?}");
    assert!(!run.stderr.contains("install `mps`"), "{run:#?}");
}

#[test]
fn an_explanation_says_where_modules_are_looked_for() {
    let repository = with_module("src", &[("pyproject.toml", SETUPTOOLS)]);
    let explained = Flowreg::in_repository(&repository).run(&["flows", "--explain", "etl"]);
    let line = "modules from flows (the script's directory), . (where a run starts), src (pyproject.toml: \
                `src` layout)";
    assert!(explained.stdout.contains(line), "{}", explained.stdout);
    let wrong = [("flowreg.toml", "[flows]\nsearch_path = [\"scr\"]\n")];
    let repository = with_module("src", &wrong);
    let explained = Flowreg::in_repository(&repository).run(&["flows", "--explain", "etl"]);
    let line = "scr (`search_path` in the settings, without Python files)";
    assert!(explained.stdout.contains(line), "{}", explained.stdout);
}
