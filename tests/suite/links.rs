//! Symbolic links in the repository: followed where a checkout has them as links to files of the tree,
//! and an error where they lead out of it, to nothing, or in a circle.

use serde_json::Value;

use crate::support::{Flowreg, TestRepository};

const FLOW: &str = "from prefect import flow\n\n\n@flow\ndef etl(days: int = 1):\n    ...\n";
const MANIFEST: &str = "deployments:\n  - name: nightly\n    entrypoint: flows/etl.py:etl\n";

/// A repository with these files and links, tagged `v1.0.0`.
fn repository(files: &[(&str, &str)], links: &[(&str, &str)]) -> TestRepository {
    let repository = TestRepository::empty();
    files.iter().for_each(|(path, content)| repository.write(path, content));
    links.iter().for_each(|(path, target)| repository.link(path, target));
    repository.commit("first");
    repository.git(&["tag", "v1.0.0"]);
    repository
}

fn entrypoints(run: &Value) -> Vec<&str> {
    let items = run["registrations"].as_array().or(run["flows"].as_array()).unwrap();
    items.iter().map(|item| item["entrypoint"].as_str().unwrap()).collect()
}

/// The default of the parameter `days`, if the flow is exact.
fn default_of(flow: &Value) -> Option<&Value> {
    flow["exact"]
        .as_bool()
        .unwrap()
        .then(|| &flow["parameter_openapi_schema"]["properties"]["days"]["default"])
}

#[test]
fn configuration_behind_links_counts() {
    let links = [
        ("prefect.yaml", "deploy/current/prefect.yaml"),
        ("deploy/current", "production"),
        ("flowreg.toml", "./deploy/../deploy/flowreg.toml"),
    ];
    let files = [
        ("flows/etl.py", FLOW),
        ("deploy/production/prefect.yaml", MANIFEST),
        ("deploy/flowreg.toml", "[mainline]\ntags = [\"prod\"]\n"),
    ];
    let repository = repository(&files, &links);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 0);
    assert_eq!(run["registrations"][0]["deployment"], "nightly", "{run:#}");
    let plan = flowreg.run(&["plan", "-v", "--tag", "v1.0.0"]);
    assert!(!plan.stderr.contains("work tree"), "{plan:?}");
    assert_eq!(run["notices"], serde_json::json!([]), "{run:#}");
}

#[test]
fn configuration_behind_a_link_that_leads_nowhere_is_exit_code_three() {
    for (target, why) in [
        ("../outside", "which is outside of the repository"),
        ("/etc/hostname", "which is outside of the repository"),
        ("nowhere", "which does not exist"),
        ("FILE", "which leads in a circle"),
        ("flows", "which is a directory"),
    ] {
        for file in ["prefect.yaml", "flowreg.toml"] {
            let target = target.replace("FILE", file);
            let repository = repository(&[("flows/etl.py", FLOW)], &[(file, &target)]);
            let told = format!("`{file}` is a symbolic link to `{target}`, {why}");
            let flowreg = Flowreg::in_repository(&repository);
            for command in [&["register"][..], &["plan"], &["flows", "--affected-by", "HEAD"]] {
                let run = flowreg.run(command);
                assert_eq!(run.code, 3, "{run:?}");
                assert!(format!("{}{}", run.stdout, run.stderr).contains(&told), "{run:?}");
            }
            let held = Flowreg::in_repository(&repository).run(&["list"]);
            assert_eq!(held.code, if file == "flowreg.toml" { 3 } else { 0 }, "{held:?}");
        }
    }
}

#[test]
fn a_file_of_deployments_that_a_glob_finds_twice_counts_once() {
    let links = [("teams/b", "a"), ("teams/c/prefect.yaml", "../a/prefect.yaml")];
    let files = [
        ("flowreg.toml", "[manifest]\nfiles = [\"teams/*/prefect.yaml\"]\n"),
        ("teams/a/prefect.yaml", "deployments:\n  - name: nightly\n    entrypoint: etl.py:etl\n"),
        ("teams/a/etl.py", FLOW),
        (
            "teams/c/etl.py",
            "from prefect import flow\n\n\n@flow(name=\"other\")\ndef etl():\n    ...\n",
        ),
    ];
    let repository = repository(&files, &links);
    let run = Flowreg::in_repository(&repository).json(&["register"], 0);
    // `teams/b` is the same directory as `teams/a`; `teams/c` has the file only, and a flow of its own.
    assert_eq!(entrypoints(&run), ["teams/a/etl.py:etl", "teams/c/etl.py:etl"], "{run:#}");
}

#[test]
fn a_linked_script_is_what_python_makes_of_it_on_a_worker() {
    // Python looks for `helper` beside the file itself, and calls the module by the name of the link.
    let script = "from prefect import flow\n\nimport helper\n\n\n@flow(name=__name__)\n\
                  def etl(days: int = helper.DAYS):\n    ...\n";
    let manifest = MANIFEST.replace("flows/etl.py", "flows/nightly.py");
    let files = [
        ("shared/etl.py", script),
        ("shared/helper.py", "DAYS = 3\n"),
        ("flows/helper.py", "DAYS = 9\n"),
        ("prefect.yaml", manifest.as_str()),
    ];
    let repository = repository(&files, &[("flows/nightly.py", "../shared/etl.py")]);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 0);
    assert_eq!(entrypoints(&run), ["flows/nightly.py:etl"]);
    assert_eq!(run["registrations"][0]["flow"], "nightly");
    let flows = flowreg.json(&["flows"], 0);
    assert_eq!(entrypoints(&flows), ["flows/nightly.py:etl", "shared/etl.py:etl"]);
    for flow in flows["flows"].as_array().unwrap() {
        assert_eq!(default_of(flow), Some(&Value::from(3)), "{flow:#}");
    }
    let explained = flowreg.run(&["flows", "--explain", "nightly"]);
    assert!(explained.stdout.contains("nightly  flows/nightly.py:etl"), "{}", explained.stdout);
}

#[test]
fn a_flow_that_links_lead_to_is_listed_once() {
    let links =
        [("flows/again.py", "etl.py"), ("jobs", "flows"), ("deploy/etl.py", "../flows/etl.py")];
    let files = [("flows/etl.py", FLOW)];
    let repository = repository(&files, &links);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 0);
    assert_eq!(entrypoints(&run), ["flows/etl.py:etl"], "{run:#}");
    // Programs get every path by which Prefect could load it.
    let flows = flowreg.json(&["flows"], 0);
    let all = [
        "deploy/etl.py:etl",
        "flows/again.py:etl",
        "flows/etl.py:etl",
        "jobs/again.py:etl",
        "jobs/etl.py:etl",
    ];
    assert_eq!(entrypoints(&flows), all, "{flows:#}");
    assert_eq!(flows["flows"][0]["imported_from"], "flows/etl.py:etl");
    assert_eq!(flows["flows"][2]["imported_from"], Value::Null);
    // What `include` asks for by the path of a link only is registered by that path.
    repository.write("flowreg.toml", "[flows]\ninclude = [\"deploy/**\", \"jobs/**\"]\n");
    repository.commit("include links");
    repository.git(&["tag", "v1.1.0"]);
    let plan = flowreg.json(&["plan"], 0);
    assert_eq!(entrypoints(&plan), ["deploy/etl.py:etl"], "{plan:#}");
}

#[test]
fn a_package_behind_a_link_is_imported() {
    let script = "from prefect import flow\n\nfrom common.days import DAYS\n\n\n@flow\n\
                  def etl(days: int = DAYS):\n    ...\n";
    let files = [
        ("flows/etl.py", script),
        ("src/common/__init__.py", ""),
        ("src/common/days.py", "from .more import DAYS\n"),
        ("src/common/more.py", "DAYS = 5\n"),
    ];
    let repository = repository(&files, &[("common", "src/common")]);
    let flowreg = Flowreg::in_repository(&repository);
    let flows = flowreg.json(&["flows"], 0);
    assert_eq!(default_of(&flows["flows"][0]), Some(&Value::from(5)), "{flows:#}");
    // The cached answer holds no longer once the file behind the link is another one.
    repository.write("src/common/more.py", "DAYS = 6\n");
    repository.commit("six");
    let flows = flowreg.json(&["flows"], 0);
    assert_eq!(default_of(&flows["flows"][0]), Some(&Value::from(6)), "{flows:#}");
}

#[test]
fn an_import_over_a_link_that_leads_nowhere_is_an_error_at_its_line() {
    let script = "from prefect import flow\n\nfrom common.days import DAYS\n\n\n@flow\n\
                  def etl(days: int = DAYS):\n    ...\n";
    for target in ["/opt/common", "../../common", "gone"] {
        let files = [("flows/etl.py", script), ("flows/good.py", &FLOW.replace("etl", "good"))];
        let repository = repository(&files, &[("flows/common", target), ("data", "/data")]);
        let flowreg = Flowreg::in_repository(&repository).env("PATH", "/usr/bin:/bin");
        let run = flowreg.json(&["flows"], 8);
        let error = &run["errors"][0];
        assert_eq!(error["code"], "link", "{run:#}");
        assert_eq!(
            (&error["path"], &error["line"]),
            (&"flows/etl.py".into(), &3.into()),
            "{run:#}"
        );
        let told = format!("`flows/common` is a symbolic link to `{target}`, which ");
        assert!(error["message"].as_str().unwrap().starts_with(&told), "{error:#}");
        assert_eq!(run["flows"][0]["exact"], false, "{run:#}");
        // A link that no flow needs is nobody's concern.
        assert_eq!(run["errors"].as_array().unwrap().len(), 1, "{run:#}");
    }
}

#[test]
fn a_selected_file_behind_a_link_that_leads_nowhere_is_an_error() {
    let links = [("flows/lost.py", "../../lost.py"), ("elsewhere.py", "/opt/elsewhere.py")];
    let files = [
        ("flows/etl.py", FLOW),
        ("flowreg.toml", "[flows]\ninclude = [\"flows/**/*.py\", \"more/*.py\"]\n"),
    ];
    let repository = repository(&files, &[&links[..], &[("more", "/opt/more")]].concat());
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 8);
    assert_eq!(run["summary"]["created"], 1, "{run:#}");
    let errors: Vec<&str> = run["errors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|error| error["path"].as_str().unwrap())
        .collect();
    // One that `include` leaves out is nobody's concern.
    assert_eq!(errors, ["flows/lost.py", "more"], "{run:#}");
    assert!(run["errors"][0]["message"].as_str().unwrap().contains("outside of the repository"));
}

#[test]
fn an_entrypoint_behind_a_link_that_leads_nowhere_says_so() {
    for (link, path) in [("flows/etl.py", "flows/etl.py"), ("flows", "flows/etl.py")] {
        let repository = repository(&[("prefect.yaml", MANIFEST)], &[(link, "/opt/code")]);
        let run = Flowreg::in_repository(&repository).json(&["register"], 5);
        let error = &run["registrations"][0]["error"];
        assert_eq!(error["code"], "link", "{run:#}");
        let told = error["message"].as_str().unwrap();
        assert!(told.starts_with("prefect.yaml:3:17: "), "{told}");
        assert!(told.contains(path) && told.contains("outside of the repository"), "{told}");
    }
}

#[test]
fn a_change_behind_a_link_affects_what_is_reached_over_it() {
    let imports = |module: &str, name: &str| {
        format!("from prefect import flow\n\nimport {module}\n\n\n@flow\ndef {name}():\n    ...\n")
    };
    let files = [
        ("flows/package.py", &*imports("common.days", "package")),
        ("flows/file.py", &imports("linked", "file")),
        ("flows/other.py", &imports("json", "other")),
        ("src/common/__init__.py", ""),
        ("src/common/days.py", "DAYS = 1\n"),
        ("src/v2/__init__.py", ""),
        ("src/v2/days.py", "DAYS = 1\n"),
        ("shared/script.py", &imports("beside", "linked_script")),
        ("shared/beside.py", "X = 1\n"),
        ("shared/module.txt", "X = 1\n"),
    ];
    let links = [
        ("common", "src/common"),
        ("linked.py", "shared/module.txt"),
        ("flows/script.py", "../shared/script.py"),
    ];
    let repository = repository(&files, &links);
    repository.write("flowreg.toml", "[flows]\ninclude = [\"flows/*.py\"]\n");
    repository.commit("select");
    let flowreg = Flowreg::in_repository(&repository);
    let affected = || {
        let flows = flowreg.json(&["flows", "--affected-by", "HEAD~1"], 0);
        let flows = flows["flows"].as_array().unwrap().clone();
        let chain = |flow: &Value| {
            let chain = flow["affected_by"].as_array().unwrap();
            chain.iter().map(|path| path.as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        flows.iter().map(chain).collect::<Vec<_>>()
    };
    repository.write("src/common/days.py", "DAYS = 2\n");
    repository.commit("the file behind the link to a directory");
    assert_eq!(affected(), ["flows/package.py common/days.py"]);
    repository.write("shared/module.txt", "X = 2\n");
    repository.commit("the file behind a link");
    assert_eq!(affected(), ["flows/file.py linked.py"]);
    repository.write("shared/beside.py", "X = 2\n");
    repository.commit("what the linked script imports from its own directory");
    assert_eq!(affected(), ["flows/script.py shared/script.py shared/beside.py"]);
    std::fs::remove_file(repository.root().join("common")).unwrap();
    repository.link("common", "src/v2");
    repository.commit("the link leads elsewhere");
    assert_eq!(affected(), ["flows/package.py common"]);
    repository.git(&["rm", "-q", "src/v2/days.py"]);
    repository.commit("a file behind the link is gone");
    let gone = flowreg.run(&["flows", "--affected-by", "HEAD~1"]);
    assert!(gone.stdout.contains("common/days.py") || gone.stderr.contains("common"), "{gone:?}");
}

#[test]
fn a_change_of_configuration_behind_a_link_is_seen() {
    let more = format!("{MANIFEST}    tags: [new]\n");
    let files = [("flows/etl.py", FLOW), ("deploy/p.yaml", MANIFEST), ("deploy/f.toml", "")];
    let links = [("prefect.yaml", "deploy/p.yaml"), ("flowreg.toml", "deploy/f.toml")];
    let repository = repository(&files, &links);
    let flowreg = Flowreg::in_repository(&repository);
    let affected = || {
        let flows = flowreg.json(&["flows", "--affected-by", "HEAD~1"], 0);
        flows["flows"][0]["affected_by"].clone()
    };
    repository.write("deploy/p.yaml", &more);
    repository.commit("tags");
    assert_eq!(affected(), serde_json::json!(["prefect.yaml"]));
    repository.write("deploy/f.toml", "[mainline]\ntags = [\"x\"]\n");
    repository.commit("settings");
    assert_eq!(affected(), serde_json::json!(["flowreg.toml"]));
    repository.write("README.md", "nothing");
    repository.commit("nothing");
    assert_eq!(affected(), Value::Null);
}

#[test]
fn the_python_of_the_project_is_read_over_a_link() {
    let script = "from prefect import flow\n\n\n@flow\ndef etl(days: int = 1):\n    match days:\n        case 1: ...\n";
    let files = [("flows/etl.py", script), ("meta/python", "3.9\n")];
    let repository = repository(&files, &[(".python-version", "meta/python")]);
    let run = Flowreg::in_repository(&repository).json(&["flows"], 5);
    assert_eq!(run["errors"][0]["code"], "syntax", "{run:#}");
    repository.write("meta/python", "3.11\n");
    repository.commit("newer");
    let flows = Flowreg::in_repository(&repository).json(&["flows", "--affected-by", "HEAD~1"], 0);
    assert_eq!(flows["flows"][0]["exact"], true, "{flows:#}");
}
