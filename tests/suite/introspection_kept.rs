//! What Python answered is kept, as long as all that it depended on is as it was.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::introspection::python;
use crate::support::{Flowreg, TestRepository};

/// A flow of which only Python knows the default: it comes from a package.
const FLOW: &str = "from prefect import flow\nfrom rows import ROWS\n\n\n@flow\ndef load(n: int = ROWS):\n    pass\n";

/// A repository, the directory of a package beside it, and how often Python was started.
struct Scenario {
    repository: TestRepository,
    packages: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Scenario {
    fn new(flow: &str) -> Self {
        let repository = TestRepository::init(&["-b", "feat/x"]);
        let packages = repository.outside().join("packages");
        std::fs::create_dir(&packages).unwrap();
        let scenario = Self { repository, packages, variables: Vec::new() };
        scenario.package("ROWS = 3\n");
        scenario.write("flowreg.toml", &format!("[flows]\npython = \"{}\"\n", python()));
        scenario.write("flows/load.py", flow);
        scenario.write("docs/readme.md", "one");
        scenario
    }

    fn package(&self, text: &str) {
        std::fs::write(self.packages.join("rows.py"), text).unwrap();
    }

    fn write(&self, path: &str, text: &str) {
        self.repository.write(path, text);
        self.repository.commit(path);
    }

    fn with(mut self, name: &'static str, value: &str) -> Self {
        self.variables.retain(|(known, _)| *known != name);
        self.variables.push((name, value.to_owned()));
        self
    }

    /// The default that is listed, or why it is not known; and whether Python was started for that.
    fn told(&self) -> (Value, bool) {
        let mut flowreg = Flowreg::in_repository(&self.repository)
            .env("PYTHONPATH", self.packages.to_str().unwrap());
        for (name, value) in &self.variables {
            flowreg = flowreg.env(name, value);
        }
        let run = flowreg.env("FLOWREG_LOG", "debug").run(&["flows", "--format", "json"]);
        assert_eq!(run.code, 0, "{run:?}");
        let listed: Value = serde_json::from_str(&run.stdout).unwrap();
        let flow = &listed["flows"][0];
        let told = if flow["exact"] == true {
            flow["parameter_openapi_schema"]["properties"]["n"]["default"].clone()
        } else {
            flow["inexact"][0]["reason"].clone()
        };
        (told, run.stderr.contains("asking Python"))
    }
}

fn asked(value: impl Into<Value>) -> (Value, bool) {
    (value.into(), true)
}

fn kept(value: impl Into<Value>) -> (Value, bool) {
    (value.into(), false)
}

#[test]
fn an_answer_is_kept_while_all_that_it_depended_on_is_as_it_was() {
    let scenario = Scenario::new(FLOW);
    assert_eq!(scenario.told(), asked(3));
    assert_eq!(scenario.told(), kept(3));
    // What the answer did not depend on.
    scenario.write("docs/readme.md", "two");
    let scenario = scenario.with("OTHER", "1");
    assert_eq!(scenario.told(), kept(3));
    // A package, the file itself, the name of any other file, the interpreter.
    scenario.package("ROWS = 40\n");
    assert_eq!(scenario.told(), asked(40));
    scenario.write("flows/load.py", &FLOW.replace("= ROWS", "= ROWS + 1"));
    assert_eq!(scenario.told(), asked(41));
    scenario.write("flows/rows.py", "ROWS = 500\n");
    scenario.repository.git(&["rm", "-q", "flows/rows.py"]);
    scenario.write("data.csv", "x");
    assert_eq!(scenario.told(), asked(41));
    assert_eq!(scenario.told(), kept(41));
    let answers = scenario.repository.root().join(".git/flowreg/answers");
    std::fs::write(&answers, "damaged").unwrap();
    assert_eq!(scenario.told(), asked(41));
    let mode = std::fs::metadata(answers).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0, "an answer may hold what the environment holds");
}

#[test]
fn variables_that_were_read_count_and_no_value_is_kept_in_clear() {
    let source = "import os\nROWS = int(os.environ.get('ROWS', '2'))\n\
        TOKEN = os.getenv('TOKEN', '')\n";
    let scenario = Scenario::new(FLOW).with("TOKEN", "hunter2-hunter2");
    scenario.package(source);
    assert_eq!(scenario.told(), asked(2));
    let scenario = scenario.with("UNREAD", "7");
    assert_eq!(scenario.told(), kept(2));
    let scenario = scenario.with("ROWS", "9");
    assert_eq!(scenario.told(), asked(9));
    assert_eq!(scenario.told(), kept(9));
    let scenario = scenario.with("TOKEN", "other");
    assert_eq!(scenario.told(), asked(9));
    let scenario = scenario.with("TOKEN", "hunter2-hunter2");
    assert_eq!(scenario.told(), kept(9));
    let path = scenario.repository.root().join(".git/flowreg/answers");
    let text = String::from_utf8(std::fs::read(path).unwrap()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");

    // Who reads all of them depends on each.
    scenario.package("import os\nROWS = len(dict(os.environ)) * 0 + 5\n");
    assert_eq!(scenario.told(), asked(5));
    assert_eq!(scenario.told(), kept(5));
    let scenario = scenario.with("UNREAD", "8");
    assert_eq!(scenario.told(), asked(5));
}

#[test]
fn a_module_that_is_missing_is_known_to_be_missing_until_something_is_installed() {
    let scenario = Scenario::new(FLOW);
    let module = scenario.packages.join("rows.py");
    std::fs::remove_file(&module).unwrap();
    let (why, is_asked) = scenario.told();
    assert!(is_asked && why.as_str().unwrap().contains("there is no module `rows`"), "{why}");
    assert_eq!(scenario.told(), kept(why));
    scenario.package("ROWS = 6\n");
    assert_eq!(scenario.told(), asked(6));
}

#[test]
fn what_holds_for_one_run_is_asked_each_time() {
    for (flow, package) in [
        // A default of the moment, which the source tells.
        (
            "import time\nfrom prefect import flow\n\n\n@flow\ndef load(n: int = int(time.time() * 0)):\n    pass\n".to_owned(),
            "",
        ),
        // A program, the machine.
        (FLOW.to_owned(), "import subprocess\nROWS = len(subprocess.check_output(['true']))\n"),
        (FLOW.to_owned(), "import socket\nROWS = len(socket.gethostname()) * 0\n"),
    ] {
        let scenario = Scenario::new(&flow);
        scenario.package(package);
        assert_eq!(scenario.told(), asked(0), "{flow}{package}");
        assert_eq!(scenario.told(), asked(0), "{flow}{package}");
    }
    let scenario = Scenario::new(FLOW);
    let always = format!("[flows]\npython = \"{}\"\nintrospect = \"always\"\n", python());
    scenario.write("flowreg.toml", &always);
    assert_eq!(scenario.told(), asked(3));
    assert_eq!(scenario.told(), asked(3));
}

#[test]
fn what_was_read_beside_the_source_counts() {
    let flow = "import json\nfrom pathlib import Path\nfrom prefect import flow\n\n\
        ROWS = json.loads((Path(__file__).parent / 'rows.json').read_text())['rows']\n\
        HOME = Path('../outside.txt')\nMORE = len(HOME.read_text()) if HOME.exists() else 0\n\n\n\
        @flow\ndef load(n: int = ROWS + MORE):\n    pass\n";
    let scenario = Scenario::new(flow);
    scenario.write("flows/rows.json", "{\"rows\": 7}");
    assert_eq!(scenario.told(), asked(7));
    assert_eq!(scenario.told(), kept(7));
    scenario.write("flows/rows.json", "{\"rows\": 8}");
    assert_eq!(scenario.told(), asked(8));
    // A file that was asked for and not there.
    let outside = scenario.packages.join("more.txt");
    let flow = flow
        .replace("Path('../outside.txt')", &format!("Path({:?})", outside.display().to_string()));
    scenario.write("flows/load.py", &flow);
    assert_eq!(scenario.told(), asked(8));
    assert_eq!(scenario.told(), kept(8));
    std::fs::write(&outside, "12").unwrap();
    assert_eq!(scenario.told(), asked(10));
    assert_eq!(scenario.told(), kept(10));
    // The mode of a file, and where a link leads, although no name and no content is another one.
    let path = scenario.repository.root().join("docs/readme.md");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    scenario.repository.commit("mode");
    assert_eq!(scenario.told(), asked(10));
    let link = scenario.repository.root().join("latest");
    std::os::unix::fs::symlink("flows", &link).unwrap();
    scenario.repository.commit("link");
    assert_eq!(scenario.told(), asked(10));
    assert_eq!(scenario.told(), kept(10));
    std::fs::remove_file(&link).unwrap();
    std::os::unix::fs::symlink("docs", &link).unwrap();
    scenario.repository.commit("another link");
    assert_eq!(scenario.told(), asked(10));
}

#[test]
fn an_editable_install_of_the_work_tree_does_not_answer_for_the_commit() {
    let scenario = Scenario::new(&FLOW.replace("from rows", "from core.rows"));
    scenario.write("parts/thing/__init__.py", "");
    scenario.write("parts/thing/rows.py", "ROWS = object.__sizeof__(1) * 0 + 3\n");
    // What setuptools writes for a package that is not in a directory of its name: a finder with a
    // table.
    let table = scenario.repository.root().join("parts/thing");
    let finder = format!(
        "import importlib.util\nimport sys\nMAPPING = {{'core': {:?}}}\nNAMESPACES = {{}}\n\n\n\
         class Finder:\n    @classmethod\n    def find_spec(cls, name, path=None, target=None):\n\
         \x20       if name in MAPPING:\n            place = MAPPING[name] + '/__init__.py'\n\
         \x20           return importlib.util.spec_from_file_location(name, place, submodule_search_locations=[MAPPING[name]])\n\n\n\
         sys.meta_path.append(Finder)\n",
        table.display().to_string()
    );
    std::fs::write(scenario.packages.join("core_finder.py"), finder).unwrap();
    std::fs::write(scenario.packages.join("sitecustomize.py"), "import core_finder\n").unwrap();
    let link = scenario.repository.outside().join("link");
    std::os::unix::fs::symlink(scenario.repository.root(), &link).unwrap();
    scenario.repository.write("parts/thing/rows.py", "ROWS = object.__sizeof__(1) * 0 + 99\n");
    assert_eq!(scenario.told(), asked(3));
    // Whatever path leads there, and from another work tree of the repository.
    scenario.repository.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    for place in [link, scenario.repository.outside().join("linked")] {
        let listed = Flowreg::in_directory(&place, scenario.repository.outside())
            .env("PYTHONPATH", scenario.packages.to_str().unwrap())
            .json(&["flows", "--branch", "feat/x"], 0);
        let schema = &listed["flows"][0]["parameter_openapi_schema"];
        assert_eq!(schema["properties"]["n"]["default"], 3, "{listed:#}");
    }

    // Another tool's finder is not known; what it finds in the work tree is refused.
    let path = scenario.packages.join("core_finder.py");
    let text = std::fs::read_to_string(&path).unwrap().replace("MAPPING", "PLACES");
    std::fs::write(&path, text).unwrap();
    let (why, is_asked) = scenario.told();
    let expected = "`core` was imported from the work tree, and not from the commit";
    assert!(is_asked && why.as_str().unwrap().contains(expected), "{why}");
}

/// Nothing is written into a repository that is somebody else's business.
#[test]
fn listing_leaves_nothing_in_a_bare_repository() {
    let scenario = Scenario::new(FLOW);
    let bare = scenario.repository.add_bare_remote("origin");
    scenario.repository.git(&["push", "-q", "origin", "feat/x"]);
    let before = entries(&bare);
    let there = Flowreg::in_directory(&bare, scenario.repository.outside());
    there.json(&["flows", "--branch", "feat/x"], 0);
    assert_eq!(entries(&bare), before);
}

fn entries(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}
