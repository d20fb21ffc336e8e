//! Which flows a run is about: `flows --affected-by`, `--changed-since`, and what a feature branch
//! registers by default.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::support::{Flowreg, TestRepository};

fn flow(name: &str, imports: &str) -> String {
    format!("from prefect import flow\n{imports}\n\n\n@flow\ndef {name}(n: int = 1):\n    ...\n")
}

/// Three flows: `a` imports `lib/x.py`, which imports `lib/deep.py`; `b` and `c` stand alone.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/a.py", flow("a", "from lib import x"));
    repository.write("flows/b.py", flow("b", ""));
    repository.write("flows/c.py", flow("c", ""));
    repository.write("lib/x.py", "import lib.deep\n");
    repository.write("lib/deep.py", "DEPTH = 1\n");
    repository.commit("first");
    repository
}

/// The same with `main` registered at `v1.0.0`, and a feature branch checked out.
fn on_a_branch() -> (TestRepository, Flowreg) {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register"], 0);
    repository.git(&["switch", "-qc", "feat/x"]);
    (repository, flowreg)
}

/// `flow/deployment` of each registration, with what became of it if anything.
fn registered(run: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |one: &Value| {
        let line = format!(
            "{}/{} {}",
            text(&one["flow"]),
            text(&one["deployment"]),
            text(&one["outcome"])
        );
        line.trim_end().to_owned()
    };
    run["registrations"].as_array().unwrap().iter().map(line).collect()
}

fn notices(run: &Value) -> String {
    let notices = run["notices"].as_array().unwrap();
    notices.iter().map(|notice| notice.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn affected_flows_are_listed_with_the_chain_that_leads_there() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    repository.write("lib/deep.py", "DEPTH = 2\n");
    repository.write("flows/c.py", flow("c", "import os"));
    let head = repository.commit("second");
    let base = repository.git(&["rev-parse", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["flows", "--affected-by", "v1.0.0"], 0);
    assert_eq!(run["changed_since"], json!(base));
    let listed: Vec<_> = run["flows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|flow| (flow["name"].as_str().unwrap(), flow["affected_by"].clone()))
        .collect();
    assert_eq!(
        listed,
        [("a", json!(["flows/a.py", "lib/x.py", "lib/deep.py"])), ("c", json!(["flows/c.py"])),]
    );
    assert_eq!(run["flows"][0]["entrypoint"], "flows/a.py:a");
    let human = flowreg.run(&["flows", "--affected-by", "HEAD~1"]);
    assert_eq!(
        human.stdout,
        format!(
            "branch main (active branch) at {}\n\
             \x20 a  flows/a.py:a  flows/a.py → lib/x.py → lib/deep.py\n\
             \x20 c  flows/c.py:c  flows/c.py changed\n\
             2 flows\n",
            &head[..7]
        ),
        "{human:?}"
    );
    let all = flowreg.json(&["flows"], 0);
    assert_eq!(all["flows"].as_array().unwrap().len(), 3);
    assert!(all.get("changed_since").is_none() && all["flows"][0].get("affected_by").is_none());
    let named = flowreg.json(&["flows", "b", "--affected-by", "v1.0.0"], 0);
    assert_eq!(named["flows"], json!([]));
    assert_eq!(flowreg.json(&["flows", "--affected-by", "HEAD"], 0)["flows"], json!([]));
}

#[test]
fn a_submodule_that_moves_affects_whoever_imports_from_below_it() {
    let repository = repository();
    let ids = [repository.commit("one"), repository.commit("two"), repository.commit("three")];
    let link = |commit: &str, path: &str| {
        let entry = format!("160000,{commit},{path}");
        repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    };
    let modules = |url: &str| {
        repository.write(
            ".gitmodules",
            format!("[submodule \"common\"]\n\tpath = libs/common\n\turl = {url}\n"),
        );
        repository.git(&["add", ".gitmodules"]);
    };
    repository.write("flows/b.py", flow("b", "from libs.common.io import read"));
    repository.write("lib/deep.py", "def load():\n    import libs.common.deep\n");
    repository.git(&["add", "-A"]);
    modules("../common");
    link(&ids[0], "libs/common");
    repository.git(&["commit", "-q", "-m", "a submodule"]);
    link(&ids[1], "libs/common");
    repository.git(&["commit", "-q", "-m", "it moves"]);
    modules("../elsewhere");
    repository.git(&["commit", "-q", "-m", "its URL changes"]);
    let flowreg = Flowreg::in_repository(&repository);
    let affected = |revision: &str, branch: &str| {
        let run = flowreg.json(&["flows", "--branch", branch, "--affected-by", revision], 0);
        run["flows"]
            .as_array()
            .unwrap()
            .iter()
            .map(|flow| flow["affected_by"].clone())
            .collect::<Vec<_>>()
    };
    repository.git(&["branch", "moved", "HEAD~1"]);
    let chains = [
        json!(["flows/a.py", "lib/x.py", "lib/deep.py", "libs/common"]),
        json!(["flows/b.py", "libs/common"]),
    ];
    assert_eq!(affected("HEAD~2", "moved"), chains);
    assert_eq!(affected("HEAD~2", "main"), chains);
    assert_eq!(affected("HEAD~1", "main"), [json!(null); 0]);
}

#[test]
fn a_revision_that_is_not_there_is_an_error_of_git() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    repository.add_bare_remote("origin");
    let flowreg = Flowreg::in_repository(&repository);
    for arguments in [
        ["flows", "--affected-by", "v9"],
        ["plan", "--changed-since", "v9"],
        ["register", "--changed-since", "v9"],
    ] {
        let run = flowreg.json(&arguments, 4);
        assert_eq!(run["error"]["code"], "no_such_revision");
        assert_eq!(run["error"]["hints"], json!(["git fetch --tags origin"]));
    }
    let run = flowreg.json(&["plan", "--all", "--changed-since", "v1.0.0"], 2);
    assert_eq!(run["error"]["code"], "usage");
}

#[test]
fn changed_since_leaves_out_what_is_not_affected() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register"], 0);
    repository.write("lib/x.py", "import lib.deep\nMORE = 1\n");
    repository.commit("second");
    repository.git(&["tag", "v1.1.0"]);
    let since = ["--changed-since", "v1.0.0"];
    let plan = flowreg.json(&[&["plan"][..], &since].concat(), 0);
    assert_eq!(registered(&plan), ["a/default"]);
    assert_eq!(plan["summary"]["left_out"], 2);
    assert_eq!(notices(&plan), "2 flows are not affected by what changed since v1.0.0");
    let run = flowreg.json(&[&["register"][..], &since].concat(), 0);
    assert_eq!(registered(&run), ["a/default updated"]);
    let held = flowreg.json(&["list"], 0);
    let references: Vec<_> = held["registrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["reference"].clone())
        .collect();
    assert_eq!(references, ["v1.1.0", "v1.0.0", "v1.0.0"]);
    let named = flowreg.json(&[&["plan", "a", "b"][..], &since].concat(), 0);
    assert_eq!(registered(&named), ["a/default"]);
    assert_eq!(named["summary"]["left_out"], 1);
    let human = flowreg.run(&[&["register", "-v"][..], &since].concat());
    assert!(human.stdout.contains("1 unchanged · 2 left out"), "{human:?}");
    assert!(human.stderr.contains("left out: b/default (flows/b.py:b)"), "{human:?}");
}

#[test]
fn a_feature_branch_registers_what_differs_from_mainline() {
    let (repository, flowreg) = on_a_branch();
    let nothing = flowreg.json(&["register"], 0);
    assert_eq!(registered(&nothing), Vec::<String>::new());
    assert_eq!(nothing["summary"]["left_out"], 3);
    assert_eq!(
        notices(&nothing),
        "3 flows are as on mainline at v1.0.0 and get no registration of their own; \
         --all registers them too"
    );

    repository.write("lib/deep.py", "DEPTH = 2\n");
    repository.write("flows/new.py", flow("new", ""));
    repository.commit("deeper");
    let run = flowreg.json(&["register"], 0);
    assert_eq!(registered(&run), ["a/default@feat~x created", "new/default@feat~x created"]);

    // What the branch has stays its own, also once it is as on mainline again.
    repository.write("lib/deep.py", "DEPTH = 1\n");
    repository.commit("back");
    let again = flowreg.json(&["register"], 0);
    assert_eq!(registered(&again), ["a/default@feat~x unchanged", "new/default@feat~x unchanged"]);
    assert_eq!(again["summary"]["left_out"], 2);

    let human = flowreg.run(&["register"]);
    assert!(human.stdout.contains("2 unchanged · 2 left out"), "{human:?}");
    assert!(human.stderr.contains("2 flows are as on mainline at v1.0.0"), "{human:?}");
    assert!(!human.stderr.contains("left out: "), "{human:?}");
    let verbose = flowreg.run(&["register", "-v"]);
    assert!(verbose.stderr.contains("left out: b/default@feat~x (flows/b.py:b)"), "{verbose:?}");
}

#[test]
fn who_names_a_flow_or_says_all_gets_it() {
    let (_repository, flowreg) = on_a_branch();
    assert_eq!(registered(&flowreg.json(&["register", "b"], 0)), ["b/default@feat~x created"]);
    let all = flowreg.json(&["register", "--all"], 0);
    assert_eq!(
        registered(&all),
        ["a/default@feat~x created", "b/default@feat~x unchanged", "c/default@feat~x created"]
    );
    assert_eq!(all["summary"]["left_out"], 0);
}

#[test]
fn each_flow_is_compared_with_the_commit_that_mainline_has_of_it() {
    let (repository, flowreg) = on_a_branch();
    repository.git(&["switch", "-q", "main"]);
    repository.write("flows/b.py", flow("b", "import os"));
    repository.write("flows/c.py", flow("c", "import os"));
    repository.commit("second");
    repository.git(&["tag", "v1.1.0"]);
    flowreg.json(&["register", "b"], 0);
    repository.git(&["switch", "-qc", "feat/y"]);
    let run = flowreg.json(&["register"], 0);
    assert_eq!(registered(&run), ["c/default@feat~y created"]);
    assert_eq!(
        notices(&run),
        "2 flows are as on mainline at v1.0.0, v1.1.0 and get no registration of their own; \
         --all registers them too"
    );
}

#[test]
fn the_configuration_concerns_every_flow() {
    let (repository, flowreg) = on_a_branch();
    repository.write("flowreg.toml", "[feature]\ntags = [\"dev\"]\n");
    repository.commit("configure");
    assert_eq!(registered(&flowreg.json(&["plan"], 0)).len(), 3);
    let listed = flowreg.json(&["flows", "--affected-by", "v1.0.0"], 0);
    assert_eq!(listed["flows"][1]["affected_by"], json!(["flowreg.toml"]));
    // A file that was given instead is none of the commits'.
    std::fs::write(repository.outside().join("other.toml"), "").unwrap();
    let other = flowreg.json(&["plan", "--config", "../other.toml"], 0);
    assert_eq!(registered(&other), Vec::<String>::new());
}

#[test]
fn another_python_concerns_every_flow_and_another_line_in_its_file_none() {
    let (repository, flowreg) = on_a_branch();
    repository.write("pyproject.toml", "[project]\nname = \"flows\"\n");
    repository.commit("a name");
    assert_eq!(registered(&flowreg.json(&["plan"], 0)), Vec::<String>::new());
    repository.write("pyproject.toml", "[project]\nrequires-python = \">=3.12\"\n");
    repository.commit("a Python");
    let listed = flowreg.json(&["flows", "--affected-by", "v1.0.0"], 0);
    assert_eq!(listed["flows"][1]["affected_by"], json!(["flows/b.py", "pyproject.toml"]));
}

#[test]
fn mainline_registers_all_and_so_does_a_branch_that_mainline_says_nothing_about() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    repository.git(&["switch", "-qc", "feat/x"]);
    assert_eq!(registered(&flowreg.json(&["plan"], 0)).len(), 3);
    // A branch that is followed says nothing about what runs.
    repository.git(&["switch", "-q", "main"]);
    flowreg.json(&["register", "--untagged", "branch"], 0);
    repository.git(&["switch", "-q", "feat/x"]);
    assert_eq!(registered(&flowreg.json(&["plan"], 0)).len(), 3);
    repository.git(&["switch", "-q", "main"]);
    repository.git(&["tag", "v1.0.0"]);
    let mainline = flowreg.json(&["register"], 0);
    assert_eq!(mainline["summary"]["updated"], 3);
    repository.commit("nothing of the flows");
    repository.git(&["tag", "v1.0.1"]);
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["updated"], 3);
}

#[test]
fn a_commit_that_a_shallow_clone_does_not_have_decides_nothing() {
    let (repository, flowreg) = on_a_branch();
    repository.write("flows/c.py", flow("c", "import os"));
    repository.commit("second");
    let remote = repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main", "feat/x"]);
    assert_eq!(registered(&flowreg.json(&["plan"], 0)), ["c/default@feat~x"]);
    let url = format!("file://{}", remote.display());
    let shallow = repository.clone_beside("shallow", &["--depth=1", "-b", "feat/x", &url]);
    let database = |root: &std::path::Path| root.join(".git/flowreg/flowreg.db");
    std::fs::create_dir_all(database(&shallow).parent().unwrap()).unwrap();
    std::fs::copy(database(repository.root()), database(&shallow)).unwrap();
    let there = Flowreg::in_directory(&shallow, repository.outside());
    let plan = there.json(&["plan"], 0);
    assert_eq!(registered(&plan).len(), 3, "{plan:#}");
    assert_eq!(plan["summary"]["left_out"], 0);
}

/// Damage that a run can do without is no reason to end it; who asks to compare is told.
#[test]
fn a_mainline_commit_that_cannot_be_read_leaves_nothing_out() {
    let (repository, flowreg) = on_a_branch();
    repository.write("flows/c.py", flow("c", "import os"));
    repository.commit("second");
    let id = repository.git(&["rev-parse", "v1.0.0:flows"]);
    let object = repository.root().join(".git/objects").join(&id[..2]).join(&id[2..]);
    std::fs::remove_file(object).unwrap();
    let plan = flowreg.json(&["plan"], 0);
    assert_eq!(registered(&plan).len(), 3);
    let notice = "on mainline at v1.0.0: what changed since then can't be found out";
    assert!(notices(&plan).contains(notice), "{plan:#}");
    let asked = flowreg.json(&["plan", "--changed-since", "v1.0.0"], 4);
    assert_eq!(asked["error"]["code"], "missing_object");
}

const MANIFEST: &str = "\
deployments:
- name: nightly
  entrypoint: flows/a.py:a
  schedules:
  - cron: 0 3 * * *
- name: weekly
  entrypoint: flows/a.py:a
- name: other
  entrypoint: flows/b.py:b
";

#[test]
fn a_deployment_that_is_declared_otherwise_is_affected_and_its_neighbours_are_not() {
    let repository = repository();
    repository.write("prefect.yaml", MANIFEST);
    repository.commit("declare");
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register"], 0);
    repository.git(&["switch", "-qc", "feat/x"]);
    let moved = MANIFEST.replace("deployments:\n", "# a comment\ndeployments:\n");
    repository.write("prefect.yaml", &moved);
    repository.commit("a comment");
    assert_eq!(registered(&flowreg.json(&["plan"], 0)), Vec::<String>::new());
    assert_eq!(flowreg.json(&["flows", "--affected-by", "v1.0.0"], 0)["flows"], json!([]));

    repository.write("prefect.yaml", moved.replace("0 3 *", "0 4 *"));
    repository.commit("another hour");
    let plan = flowreg.json(&["plan"], 0);
    assert_eq!(registered(&plan), ["a/nightly@feat~x"]);
    assert_eq!(plan["summary"]["left_out"], 2);
    assert!(notices(&plan).contains("2 flows are as on mainline at v1.0.0"), "{plan:#}");
    let listed = flowreg.json(&["flows", "--affected-by", "v1.0.0"], 0);
    assert_eq!(listed["flows"].as_array().unwrap().len(), 1);
    assert_eq!(listed["flows"][0]["affected_by"], json!(["prefect.yaml"]));

    let pull = "pull:\n- prefect.deployments.steps.set_working_directory:\n    directory: /opt\n";
    repository.write("prefect.yaml", moved + pull);
    repository.commit("steps for all");
    assert_eq!(registered(&flowreg.json(&["plan"], 0)).len(), 3);
    repository.write("lib/deep.py", "DEPTH = 2\n");
    repository.write("prefect.yaml", MANIFEST);
    repository.commit("a module");
    let plan = flowreg.json(&["plan"], 0);
    assert_eq!(registered(&plan), ["a/nightly@feat~x", "a/weekly@feat~x"]);
    assert!(notices(&plan).contains("1 flow is as on mainline at v1.0.0 and gets no"), "{plan:#}");
}

#[test]
fn each_file_of_a_monorepo_has_modules_of_its_own() {
    let repository = TestRepository::empty();
    repository.write(
        "flowreg.toml",
        "[repository]\naliases = [\"/x\"]\n[manifest]\nfiles = [\"teams/*/prefect.yaml\"]\n",
    );
    for team in ["one", "two"] {
        let write =
            |path: &str, text: &str| repository.write(&format!("teams/{team}/{path}"), text);
        write(
            "prefect.yaml",
            "deployments:\n- name: file\n  entrypoint: flows/a.py:a\n\
             - name: module\n  entrypoint: pack.work.b\n\
             pull:\n- prefect.deployments.steps.git_clone:\n    id: clone\n    repository: ROOT\n\
             - prefect.deployments.steps.set_working_directory:\n\
             \x20   directory: '{{ clone.directory }}/teams/TEAM'\n"
                .replace("TEAM", team)
                .replace("ROOT", repository.root().to_str().unwrap())
                .as_str(),
        );
        let named = |text: String| text.replace("@flow", &format!("@flow(name='{team}')"));
        write("flows/a.py", &named(flow("a", "import lib.x")));
        write("lib/x.py", "");
        write("pack/__init__.py", "");
        write("pack/work.py", &named(flow("b", "")));
    }
    repository.write("lib/x.py", "");
    repository.commit("first");
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    assert_eq!(flowreg.json(&["register"], 0)["summary"]["created"], 4);
    repository.git(&["switch", "-qc", "feat/x"]);
    let after = |path: &str| {
        repository.write(path, "CHANGED = 1\n");
        repository.commit("change");
        let plan = registered(&flowreg.json(&["plan"], 0));
        repository.git(&["reset", "-q", "--hard", "v1.0.0"]);
        plan
    };
    assert_eq!(after("lib/x.py"), Vec::<String>::new());
    assert_eq!(after("teams/one/lib/x.py"), ["one/file@feat~x"]);
    assert_eq!(after("teams/two/pack/__init__.py"), ["two/module@feat~x"]);
    repository.write("teams/two/.python-version", "3.13\n");
    repository.commit("another Python");
    let plan = registered(&flowreg.json(&["plan"], 0));
    assert_eq!(plan, ["two/file@feat~x", "two/module@feat~x"]);
}

/// What was read once is not read again, and says the same.
#[test]
fn what_files_import_is_remembered() {
    let (repository, flowreg) = on_a_branch();
    repository.write("lib/deep.py", "DEPTH = 2\n");
    repository.commit("deeper");
    let listed = || flowreg.json(&["flows", "--affected-by", "v1.0.0"], 0)["flows"].clone();
    let cold = listed();
    let cache = repository.root().join(".git/flowreg/imports");
    let written = std::fs::read(&cache).unwrap();
    assert_eq!(listed(), cold);
    assert_eq!(std::fs::read(&cache).unwrap(), written);
    std::fs::write(&cache, b"broken").unwrap();
    assert_eq!(listed(), cold);
}

const EDITS: &[(&str, &str)] = &[
    ("flows/a.py", "import lib.x as m\nN = m.N"),
    ("flows/a.py", "from lib import N"),
    ("flows/b.py", "from lib.x import N"),
    ("flows/b.py", "from shared import *"),
    ("lib/__init__.py", "from lib.x import N"),
    ("lib/__init__.py", "N = 2"),
    ("lib/x.py", "N = 3"),
    ("lib/x.py", "from shared import N"),
    ("lib/x/__init__.py", "N = 4"),
    ("shared.py", "N = 5"),
    ("shared.py", "from lib.x import N"),
    ("flows/shared.py", "N = 6"),
    ("flows/lib/x.py", "N = 7"),
    ("tools/shared.py", "N = 8"),
    ("pyproject.toml", "[project]\nrequires-python = \">=3.13\""),
    ("lib/x.py", ""),
    ("shared.py", ""),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn every_flow_that_reads_otherwise_is_affected(
        first in prop::collection::vec(prop::sample::select(EDITS), 3..9),
        second in prop::collection::vec(prop::sample::select(EDITS), 1..4),
    ) {
        let repository = TestRepository::empty();
        repository.write("flows/d.py", flow("d", ""));
        for edits in [first, second] {
            for (path, text) in edits {
                let text = match path.strip_prefix("flows/").and_then(|file| file.strip_suffix(".py")) {
                    Some(name @ ("a" | "b")) => format!(
                        "from prefect import flow\nN = 0\n{text}\n\n\n@flow\ndef {name}(n: int = N):\n    ...\n"
                    ),
                    _ => format!("{text}\n"),
                };
                repository.write(path, text);
            }
            repository.commit("a state");
        }
        let flowreg = Flowreg::in_repository(&repository);
        let read = |revision: &str| {
            repository.git(&["switch", "-q", "--detach", revision]);
            repository.git(&["branch", "-qf", "state", revision]);
            repository.git(&["switch", "-q", "state"]);
            let run = flowreg.run(&["flows", "--format", "json"]);
            serde_json::from_str::<Value>(&run.stdout).unwrap()
        };
        let before = read("main~1");
        let after = read("main");
        let affected = flowreg.run(&["flows", "--affected-by", "main~1", "--format", "json"]);
        let affected: Value = serde_json::from_str(&affected.stdout).unwrap();
        let chains: Vec<(&Value, &Value)> = affected["flows"]
            .as_array().unwrap().iter().map(|one| (&one["entrypoint"], &one["affected_by"])).collect();
        for flow in after["flows"].as_array().unwrap() {
            let is_same = before["flows"].as_array().unwrap().contains(flow);
            let chain = chains.iter().find(|(entrypoint, _)| **entrypoint == flow["entrypoint"]);
            prop_assert!(is_same || chain.is_some(), "{flow:#}\n{before:#}");
            if let Some((_, chain)) = chain {
                let changed = chain.as_array().unwrap().last().unwrap().as_str().unwrap();
                let diff = repository.git(&["diff", "--name-only", "main~1", "main"]);
                prop_assert!(diff.lines().any(|line| line == changed), "{chain} in {diff}");
            }
        }
        prop_assert!(chains.iter().all(|(entrypoint, _)| *entrypoint != "flows/d.py:d"
            || repository.git(&["diff", "--name-only", "main~1", "main"]).contains("pyproject")));
    }
}
