//! Introspection as a user sees it: through the program.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::introspection::python;
use crate::support::prefect::wait_for;
use crate::support::{Flowreg, TestRepository};

const EXACT: &str = "from prefect import flow\n\n\n@flow\ndef exact(n: int = 1):\n    pass\n";
const INEXACT: &str = "import os\nfrom prefect import flow\n\n\n@flow(description='d')\n\
    def inexact(n: int = int(os.environ.get('ROWS', '2'))):\n    pass\n";
const UNNAMED: &str = "import base64\nfrom prefect import flow\n\n\n\
    @flow(name=base64.b64decode('bmFtZWQ=').decode())\ndef unnamed():\n    pass\n";

/// A repository on a feature branch with these files, and the settings of `[flows]`.
fn repository(flows: &str, files: &[(&str, &str)]) -> TestRepository {
    let repository = TestRepository::init(&["-b", "feat/x"]);
    repository.write("flowreg.toml", format!("[flows]\n{flows}\n"));
    for (path, text) in files {
        repository.write(path, text);
    }
    repository.commit("flows");
    repository
}

fn with_prefect(more: &str) -> String {
    format!("python = \"{}\"\n{more}", python())
}

/// An interpreter that leaves a mark when it is started, and what it marks.
fn marking(repository: &TestRepository) -> PathBuf {
    let mark = repository.outside().join("started");
    let script = format!("#!/bin/sh\ntouch {}\nexec {} \"$@\"\n", mark.display(), python());
    let path = repository.outside().join("python");
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    mark
}

fn flow<'v>(answer: &'v Value, name: &str) -> &'v Value {
    let flows = answer["flows"].as_array().unwrap();
    flows.iter().find(|flow| flow["name"] == name).unwrap_or_else(|| panic!("{answer:#}"))
}

fn notices(answer: &Value) -> Vec<&str> {
    answer["notices"].as_array().unwrap().iter().map(|notice| notice.as_str().unwrap()).collect()
}

#[test]
fn python_is_started_only_if_a_flow_that_is_wanted_is_not_exact() {
    let files = [("a.py", EXACT), ("b.py", INEXACT)];
    let settings = "python = \"../python\"";
    for (settings, files, arguments, is_started) in [
        (settings.to_owned(), &files[..1], &["flows"][..], false),
        (format!("{settings}\nintrospect = \"never\""), &files[..], &["flows"], false),
        (settings.to_owned(), &files[..], &["plan", "exact"], false),
        (settings.to_owned(), &files[..], &["plan", "inexact"], true),
        (settings.to_owned(), &files[..], &["flows"], true),
        (format!("{settings}\nintrospect = \"always\""), &files[..1], &["flows"], true),
    ] {
        let repository = repository(&settings, files);
        let mark = marking(&repository);
        Flowreg::in_repository(&repository).json(arguments, 0);
        assert_eq!(mark.exists(), is_started, "{settings} {arguments:?}");
    }
}

#[test]
fn what_python_says_is_listed_and_registered_and_stays_as_it_is() {
    let settings = with_prefect("");
    let files = [("a.py", EXACT), ("b.py", INEXACT), ("c.py", UNNAMED)];
    let repository = repository(&settings, &files);
    let flowreg = Flowreg::in_repository(&repository);
    let listed = flowreg.json(&["flows"], 0);
    assert_eq!(flow(&listed, "exact")["introspected"], false);
    for name in ["inexact", "named"] {
        let told = flow(&listed, name);
        assert_eq!((&told["introspected"], &told["exact"]), (&true.into(), &true.into()));
        assert_eq!(told["line"], 5);
    }
    let schema = &flow(&listed, "inexact")["parameter_openapi_schema"];
    assert_eq!(schema["properties"]["n"]["default"], 2);
    assert_eq!(listed["errors"], Value::Array(Vec::new()));
    // The answer is one of this environment, and says so.
    let notices = notices(&listed);
    assert!(notices.len() == 1 && notices[0].contains("depends on the environment"), "{notices:?}");
    let human = flowreg.run(&["flows"]);
    assert!(human.stdout.contains("b.py:inexact  by Python"), "{human:?}");

    let created = flowreg.json(&["register"], 0);
    assert_eq!(created["summary"]["created"], 3);
    let again = flowreg.json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], 3);
    assert_eq!(again["notices"], Value::Array(Vec::new()));
    let changed = flowreg.env("ROWS", "5").json(&["plan"], 0);
    let updated: Vec<_> = changed["registrations"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["action"] == "update")
        .collect();
    assert_eq!(updated.len(), 1);
    assert_eq!(updated[0]["changes"][0]["field"], "parameter_openapi_schema");
}

#[test]
fn a_flow_that_python_can_not_load_is_registered_with_what_is_known_and_told() {
    let settings = with_prefect("");
    let missing = INEXACT.replace("import os", "import os, flowreg_missing_dep");
    let files = [("a.py", EXACT), ("b.py", missing.as_str())];
    let repository = repository(&settings, &files);
    let flowreg = Flowreg::in_repository(&repository);
    let listed = flowreg.json(&["flows"], 0);
    let told = flow(&listed, "inexact");
    assert_eq!((&told["introspected"], &told["exact"]), (&false.into(), &false.into()));
    let reason = told["inexact"][0]["reason"].as_str().unwrap();
    assert!(
        reason
            .contains("; nor could Python tell: there is no module `flowreg_missing_dep` (b.py:1)")
    );
    let [notice] = notices(&listed)[..] else { panic!("{listed:#}") };
    assert!(notice.starts_with("b.py: Python could not tell: there is no module"), "{notice}");
    assert!(notice.contains("install `flowreg_missing_dep` into"), "{notice}");
    let created = flowreg.json(&["register"], 0);
    assert_eq!(created["summary"]["created"], 2);
    let shown = notices(&created).join("\n");
    let told = "parameter_openapi_schema is not exact: what is not known of `n` is left open, or \
        stays as the target has it";
    assert!(shown.contains(told), "{shown}");
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["unchanged"], 2);
}

#[test]
fn without_a_python_one_line_says_so_and_the_run_goes_on() {
    let settings = "python = \"missing/bin/python\"";
    let repository = repository(settings, &[("a.py", EXACT), ("b.py", INEXACT), ("c.py", INEXACT)]);
    let run = Flowreg::in_repository(&repository).run(&["flows"]);
    let expected = "warning: Python could not be asked about 2 flows that are not exact: there is \
        no Python at missing/bin/python; set `python` under [flows] in flowreg.toml to the Python \
        of your flows\n";
    assert!(run.stderr.starts_with(expected), "{run:?}");
    // Only the flow name that two files share is an error.
    assert_eq!(run.stderr.lines().count(), 2, "{run:?}");
}

#[test]
fn a_default_of_the_moment_is_registered_once_and_is_no_change_later() {
    let settings = with_prefect("");
    let text = "import datetime\nfrom prefect import flow\n\n\n@flow\n\
        def now(n: int = 1, at: datetime.datetime = datetime.datetime.now()):\n    pass\n";
    let repository = repository(&settings, &[("a.py", text)]);
    let flowreg = Flowreg::in_repository(&repository);
    let created = flowreg.json(&["register"], 0);
    assert_eq!(created["summary"]["created"], 1);
    let [notice] = notices(&created)[..] else { panic!("{created:#}") };
    assert!(notice.contains("changes with the time") && notice.contains("once"), "{notice}");
    let again = flowreg.json(&["register"], 0);
    assert_eq!((&again["summary"]["unchanged"], notices(&again).len()), (&1.into(), 0));
    // Another parameter of the flow changes, and what the target holds for this one stays.
    repository.write("a.py", text.replace("n: int = 1", "n: int = 2"));
    repository.commit("more");
    let changed = flowreg.json(&["plan"], 0);
    let [change] = &changed["registrations"][0]["changes"].as_array().unwrap()[..] else {
        panic!("{changed:#}")
    };
    let at = |side: &str| change[side]["properties"]["at"]["default"].clone();
    assert_eq!(at("from"), at("to"));
    assert_eq!(change["to"]["properties"]["n"]["default"], 2);
}

/// The temporary directories that introspection left behind.
fn leftovers(repository: &TestRepository) -> Option<()> {
    let mut entries = std::fs::read_dir(repository.outside()).unwrap();
    let is_left = entries.any(|entry| {
        entry.unwrap().file_name().to_str().is_some_and(|name| name.starts_with("flowreg-"))
    });
    (!is_left).then_some(())
}

#[test]
fn ctrl_c_and_a_kill_leave_nothing_behind() {
    for (signal, code) in [("-INT", Some(130)), ("-KILL", None)] {
        let settings = with_prefect("");
        let repository = repository(&settings, &[("b.py", "")]);
        let pid_file = repository.outside().join("pid");
        let text = INEXACT.to_owned()
            + &format!(
                "\nopen({:?}, 'w').write(str(os.getpid()))\nimport time\ntime.sleep(600)\n",
                pid_file.to_str().unwrap()
            );
        repository.write("b.py", text);
        repository.commit("hang");
        let mut command = Flowreg::in_repository(&repository).command(&["flows"]);
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let pid = wait_for("the file is loaded", 60, || {
            std::fs::read_to_string(&pid_file).ok().filter(|text| !text.is_empty())
        });
        assert!(leftovers(&repository).is_none(), "there is a directory while it works");
        let id = child.id().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        assert_eq!(status.code(), code);
        if signal == "-INT" {
            assert!(leftovers(&repository).is_some());
        }
        wait_for("the directory", 10, || leftovers(&repository));
        let is_gone = || (!PathBuf::from(format!("/proc/{pid}")).exists()).then_some(());
        wait_for("the process", 10, is_gone);
        std::thread::sleep(Duration::from_millis(10));
    }
}
