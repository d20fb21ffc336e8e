//! Life beside the real hook managers: pre-commit, prek, lefthook, husky and git-lfs' script.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::support::needs;
use crate::support::push::{Scenario, gits, write_script};

/// Where `scripts/test.sh` installs them.
fn managers() -> PathBuf {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/hook-managers");
    needs::uses("hook-managers");
    if !directory.join("complete").exists() {
        needs::not_installed("pre-commit and the other hook managers", &directory);
    }
    directory
}

/// A scenario with the managers and flowreg on `PATH`, and this file in the work tree.
fn with(file: &str, content: &str) -> Scenario {
    let scenario = Scenario::new(&gits()[0]);
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    let own = Path::new(env!("CARGO_BIN_EXE_flowreg")).parent().unwrap();
    let path = [
        own.display().to_string(),
        managers().join("bin").display().to_string(),
        gits()[0].display().to_string(),
        std::env::var("PATH").unwrap(),
    ]
    .join(":");
    let scenario = scenario.env("PATH", &path);
    scenario.repository.write(file, content);
    scenario.commit("set up");
    scenario.git(&["push", "-q", "--no-verify", "origin", "main"]);
    scenario
}

fn run(scenario: &Scenario, program: &str, arguments: &[&str]) {
    let output = Command::new(managers().join("bin").join(program))
        .args(arguments)
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .output()
        .unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
}

fn status(scenario: &Scenario) -> Value {
    let run = scenario.flowreg().run(&["hooks", "status", "--format", "json"]);
    serde_json::from_str(&run.stdout).unwrap()
}

/// A push of two branches and a tag is registered as a whole.
fn assert_all_is_seen(scenario: &Scenario) {
    let commit = scenario.branch("feat/one");
    scenario.git(&["branch", "feat/two"]);
    scenario.git(&["tag", "v1.0.0"]);
    let pushed = scenario.push_only(&["-q", "origin", "feat/one", "feat/two", "v1.0.0"]);
    assert_eq!(pushed.code, 0, "{pushed:?}");
    scenario.settled();
    let mut registered = scenario.registered();
    registered.sort();
    let names: Vec<&str> = registered.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["feat/one", "feat/two", "v1.0.0"]);
    assert!(registered.iter().all(|(_, at)| *at == commit));
}

const MANIFEST: &str = include_str!("../../hooks/pre-commit.yaml");
/// One hook that has nothing to do with us.
const EMPTY: &str = "repos:\n  - repo: local\n    hooks:\n      - id: nothing\n        \
                     name: nothing\n        entry: \"true\"\n        language: system\n        \
                     stages: [pre-push]\n        always_run: true\n";

#[test]
fn pre_commit_and_prek_queue_the_first_ref_by_their_manifest() {
    for program in ["pre-commit", "prek"] {
        let scenario = with(".pre-commit-config.yaml", MANIFEST);
        run(&scenario, program, &["install", "-t", "pre-push"]);
        assert_eq!(status(&scenario)["ours"], "a job of .pre-commit-config.yaml", "{program}");
        let first = scenario.branch("feat/one");
        let pushed = scenario.push_only(&["-q", "origin", "feat/one"]);
        assert_eq!(pushed.code, 0, "{program}: {pushed:?}");
        scenario.settled();
        scenario.assert_registered(&[("feat/one", &first)]);
        // A push that is refused is not registered either.
        scenario.server_hook("pre-receive", "#!/bin/sh\nexit 1\n");
        scenario.commit("refused");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/one"]).code, 1, "{program}");
        scenario.settled();
        scenario.assert_registered(&[("feat/one", &first)]);
    }
}

#[test]
fn the_manifest_of_this_repository_is_valid() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
    for program in ["pre-commit", "prek"] {
        let output = Command::new(managers().join("bin").join(program))
            .args(["validate-manifest", file.to_str().unwrap()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{program}: {output:?}");
    }
}

#[test]
fn our_hook_lives_beside_pre_commit_and_prek_whoever_comes_first() {
    for program in ["pre-commit", "prek"] {
        // They come later: ours becomes `.legacy`, which they run.
        let scenario = with(".pre-commit-config.yaml", EMPTY);
        scenario.flowreg().json(&["hooks", "install"], 0);
        run(&scenario, program, &["install", "-t", "pre-push"]);
        let found = status(&scenario);
        assert_eq!(
            (&found["state"], &found["owner"]),
            (&"installed".into(), &program.into()),
            "{found}"
        );
        assert_all_is_seen(&scenario);
        let again = scenario.flowreg().json(&["hooks", "install"], 0);
        assert_eq!(again["hooks"][0]["action"], "unchanged", "{program}");
        scenario.flowreg().json(&["hooks", "uninstall"], 0);
        assert_eq!(status(&scenario)["state"], "not_installed", "{program}");

        // They were here first.
        let scenario = with(".pre-commit-config.yaml", EMPTY);
        run(&scenario, program, &["install", "-t", "pre-push"]);
        let theirs = std::fs::read(scenario.repository.root().join(".git/hooks/pre-push")).unwrap();
        let installed = scenario.flowreg().json(&["hooks", "install"], 0);
        assert!(installed["hooks"][0]["notes"].to_string().contains("legacy"), "{installed}");
        run(&scenario, program, &["install", "-t", "pre-push"]);
        assert_all_is_seen(&scenario);
        scenario.flowreg().json(&["hooks", "uninstall"], 0);
        let left = std::fs::read(scenario.repository.root().join(".git/hooks/pre-push")).unwrap();
        assert_eq!(left, theirs, "{program}");
        assert!(!scenario.repository.root().join(".git/hooks/pre-push.legacy").exists());
    }
}

#[test]
fn lefthook_runs_our_job_and_status_sees_what_it_does_to_our_hook() {
    let scenario = with("lefthook.yml", include_str!("../../hooks/lefthook.yml"));
    run(&scenario, "lefthook", &["install"]);
    assert_eq!(status(&scenario)["ours"], "a job of lefthook.yml");
    assert_all_is_seen(&scenario);
    // Alone, with the upstream set: lefthook itself sees no files in such a push.
    scenario.git(&["push", "-q", "--no-verify", "-u", "origin", "feat/one"]);
    scenario.git(&["tag", "v1.1.0"]);
    assert_eq!(scenario.push_only(&["-q", "origin", "v1.1.0"]).code, 0);
    scenario.settled();
    assert_eq!(scenario.registered().last().unwrap().0, "v1.1.0");

    let scenario = with("lefthook.yml", "pre-push:\n  jobs:\n    - run: \"true\"\n");
    scenario.flowreg().json(&["hooks", "install"], 0);
    run(&scenario, "lefthook", &["install"]);
    let found = status(&scenario);
    assert_eq!(found["state"], "broken", "{found}");
    assert_eq!(found["problems"][0]["code"], "shadowed");
    assert!(found["problems"][0]["message"].as_str().unwrap().contains("lefthook"), "{found}");
    let again = scenario.flowreg().json(&["hooks", "install"], 0);
    assert!(again["hooks"][0]["notes"].to_string().contains("lefthook.yml"), "{again}");
    assert_all_is_seen(&scenario);
}

/// What a hint says to type, without what it says before.
fn typed(hint: &Value) -> String {
    let hint = hint.as_str().unwrap();
    hint.rsplit_once(": ").map_or(hint, |(_, command)| command).to_owned()
}

/// Types a line into a shell at the top of the work tree.
fn type_in_shell(scenario: &Scenario, line: &str) {
    let output = Command::new("sh")
        .args(["-c", line])
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .output()
        .unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
}

/// Types the first hint of the status until nothing is broken, which must take no more than this many.
fn mend(scenario: &Scenario, most: usize) {
    for _ in 0..most {
        let found = status(scenario);
        if found["state"] == "installed" {
            return;
        }
        match found["problems"].get(0) {
            Some(problem) => type_in_shell(scenario, &typed(&problem["hint"])),
            None => type_in_shell(scenario, "flowreg hooks install"),
        }
    }
    assert_eq!(status(scenario)["state"], "installed", "{}", status(scenario));
}

#[test]
fn what_status_proposes_goes_through_however_often_lefthook_replaces_the_hook() {
    let scenario = with("lefthook.yml", "pre-push:\n  jobs:\n    - run: echo of lefthook >&2\n");
    scenario.flowreg().json(&["hooks", "install"], 0);
    for _ in 0..3 {
        run(&scenario, "lefthook", &["install", "-f"]);
        assert_eq!(status(&scenario)["state"], "broken");
        mend(&scenario, 1);
        // What is kept is lefthook's hook of today.
        let kept = scenario.repository.root().join(".git/hooks.flowreg/pre-push");
        let theirs = std::fs::read_to_string(kept).unwrap();
        assert!(theirs.contains("call_lefthook"), "{theirs}");
    }
    let pushed = scenario.push_only(&["--dry-run", "origin", "main:feat/zero"]);
    assert!(
        pushed.stdout.contains("of lefthook") || pushed.stderr.contains("of lefthook"),
        "{pushed:?}"
    );
    assert_all_is_seen(&scenario);

    // A hook of the user's own that ours ran first is looked at by a person.
    let scenario = with("lefthook.yml", "pre-push:\n  jobs:\n    - run: \"true\"\n");
    let own = scenario.repository.root().join(".git/hooks/pre-push");
    write_script(&own, "#!/bin/sh\nexit 0\n");
    scenario.flowreg().json(&["hooks", "install"], 0);
    run(&scenario, "lefthook", &["install", "-f"]);
    let refused = scenario.flowreg().json(&["hooks", "install"], 1);
    assert_eq!(refused["error"]["code"], "previous_taken", "{refused}");
    let hints: Vec<Value> = status(&scenario)["problems"].as_array().unwrap().clone();
    assert!(hints.iter().all(|one| one["hint"].to_string().contains("look into it")), "{hints:?}");
    mend(&scenario, 1);
    assert_all_is_seen(&scenario);
    // So says the installation that is refused.
    write_script(&own, "#!/bin/sh\n# of another tool\nexit 0\n");
    let refused = scenario.flowreg().json(&["hooks", "install"], 1);
    type_in_shell(&scenario, &typed(&refused["error"]["hints"][0]));
    scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(status(&scenario)["state"], "installed");
}

#[test]
fn what_status_proposes_goes_through_after_other_tools() {
    for program in ["pre-commit", "prek"] {
        let scenario = with(".pre-commit-config.yaml", EMPTY);
        scenario.flowreg().json(&["hooks", "install"], 0);
        for _ in 0..2 {
            run(&scenario, program, &["install", "-f", "-t", "pre-push"]);
            mend(&scenario, 1);
        }
        assert_all_is_seen(&scenario);
    }
    // A tool that nobody knows overwrites the hook with its own, again and again.
    let scenario = with("README", "a tool\n");
    let place = scenario.repository.root().join(".git/hooks/pre-push");
    write_script(&place, "#!/bin/sh\n# first\nexit 0\n");
    scenario.flowreg().json(&["hooks", "install"], 0);
    for script in ["#!/bin/sh\n# first\nexit 0\n", "#!/bin/sh\n# second\nexit 0\n"] {
        write_script(&place, script);
        // The same hook once more is nothing to be looked at: the state is that of before the installation.
        if script.contains("first") {
            assert_eq!(status(&scenario)["state"], "not_installed");
            scenario.flowreg().json(&["hooks", "install"], 0);
        } else {
            assert_eq!(status(&scenario)["problems"][0]["code"], "kept_not_run");
            mend(&scenario, 1);
        }
        let kept = scenario.repository.root().join(".git/hooks.flowreg/pre-push");
        assert_eq!(std::fs::read_to_string(kept).unwrap(), script);
    }
    assert_all_is_seen(&scenario);
}

#[test]
fn the_job_that_lefthook_s_users_are_told_works_as_it_is_written() {
    let scenario = with("lefthook.yml", "pre-push:\n  jobs:\n    - run: \"true\"\n");
    let installed = scenario.flowreg().json(&["hooks", "install"], 0);
    let note = installed["hooks"][0]["notes"][0].as_str().unwrap().to_owned();
    assert!(!note.contains("hooks/lefthook.yml"), "{note}");
    let (_, job) = note.split_once("in lefthook.yml: ").unwrap();
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    scenario
        .repository
        .write("lefthook.yml", format!("pre-push:\n  jobs:\n    - run: \"true\"\n    {job}\n"));
    scenario.commit("the job");
    scenario.git(&["push", "-q", "--no-verify", "origin", "main"]);
    run(&scenario, "lefthook", &["install"]);
    assert_eq!(status(&scenario)["ours"], "a job of lefthook.yml");
    assert_all_is_seen(&scenario);
}

/// Lets the real husky write its hooks below a directory; `None` if there is no npm to install it.
fn with_husky(directory: &str) -> Option<Scenario> {
    let husky = managers().join("husky/node_modules/husky");
    if !husky.exists() {
        let has_npm = Command::new("npm").arg("--version").output().is_ok();
        assert!(!has_npm, "npm is there and husky is not: run scripts/test.sh");
        let _ = std::io::Write::write_all(
            &mut std::io::stderr(),
            b"SKIPPED: husky can't be installed, there is no npm on this machine\n",
        );
        return None;
    }
    let scenario = with("package.json", "{\"name\": \"flows\"}\n");
    let script = format!(
        "import h from '{}/index.js'; process.stdout.write(h('{directory}'))",
        husky.display()
    );
    let installed = Command::new("node")
        .args(["--input-type=module", "-e", &script])
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .output()
        .unwrap();
    assert!(installed.status.success(), "{installed:?}");
    assert_eq!(scenario.git(&["config", "core.hooksPath"]), format!("{directory}/_"));
    Some(scenario)
}

#[test]
fn husky_runs_the_committed_line_in_whatever_directory_it_is() {
    for directory in [".husky", ".config/git hooks"] {
        let Some(scenario) = with_husky(directory) else { return };
        let script = scenario.repository.root().join(directory).join("pre-push");
        let ours = scenario.flowreg().json(&["hooks", "install"], 0);
        assert!(ours["hooks"][0]["notes"].to_string().contains("commit"), "{ours}");
        assert_eq!(
            std::fs::read_to_string(&script).unwrap(),
            include_str!("../../hooks/husky.sh"),
            "{directory}"
        );
        assert_eq!(scenario.git(&["config", "core.hooksPath"]), format!("{directory}/_"));
        assert_eq!(status(&scenario)["state"], "installed");
        assert_all_is_seen(&scenario);
        let again = scenario.flowreg().json(&["hooks", "install"], 0);
        assert_eq!(again["hooks"][0]["action"], "unchanged");
        scenario.flowreg().json(&["hooks", "uninstall"], 0);
        assert!(!script.exists());
        // The team's own script is not touched, and still refuses beside our line.
        let theirs = "#!/bin/sh\necho refused by the team >&2\nexit 1\n";
        std::fs::write(&script, theirs).unwrap();
        assert_eq!(
            scenario.flowreg().json(&["hooks", "install"], 1)["error"]["code"],
            "hook_exists"
        );
        let told = scenario.flowreg().run(&["hooks", "install"]).stderr;
        assert!(told.contains("flowreg hooks install --force"), "{told}");
        scenario.flowreg().json(&["hooks", "install", "--force"], 0);
        scenario.branch("feat/refused");
        let pushed = scenario.push_only(&["-q", "origin", "feat/refused"]);
        assert_eq!(pushed.code, 1, "{directory}: {pushed:?}");
        assert!(pushed.stderr.contains("refused by the team"), "{directory}: {pushed:?}");
        scenario.flowreg().json(&["hooks", "uninstall"], 0);
        assert_eq!(std::fs::read_to_string(&script).unwrap(), theirs);
    }
}

/// git ignores husky's own directory, so a linked work tree has none until husky is run there.
#[test]
fn a_linked_work_tree_without_husky_gets_the_line_and_no_path_of_this_machine() {
    for directory in [".husky", ".config/git hooks"] {
        let Some(scenario) = with_husky(directory) else { return };
        scenario.git(&["worktree", "add", "-q", "-b", "linked", "../linked"]);
        let linked = scenario.repository.outside().join("linked");
        let hooks = |arguments: &[&str], code: i32| {
            scenario.flowreg_in(&linked).json(&[&["hooks"], arguments].concat(), code)
        };
        // An earlier flowreg has put its script where husky's belongs.
        let first = include_str!("first_shim.sh").replace("@FLOWREG@", "'/nowhere/flowreg'");
        write_script(&linked.join(directory).join("_/pre-push"), &first);
        assert_eq!(hooks(&["status"], 1)["problems"][0]["code"], "replaces_husky");
        let installed = hooks(&["install"], 0);
        assert_eq!(installed["hooks"][0]["place"], format!("{directory}/pre-push"));
        let quoted = if directory == ".husky" { "" } else { " '.config/git hooks'" };
        let command = format!("npx husky{quoted}");
        assert!(installed["hooks"][0]["notes"].to_string().contains(&command), "{installed}");
        let listed = scenario.git_in(&linked, &["ls-files", "-z", "--others"]);
        assert_eq!(listed, format!("{directory}/pre-push\0"));
        let line = std::fs::read_to_string(linked.join(directory).join("pre-push")).unwrap();
        assert_eq!(line, include_str!("../../hooks/husky.sh"));
        // git runs no hooks there, so it is not said to be installed.
        let found = hooks(&["status"], 1);
        assert_eq!(found["problems"][0]["code"], "no_husky", "{found}");
        assert_eq!(found["problems"][0]["hint"], command, "{found}");
        let husky = managers().join("husky/node_modules/husky/bin.js");
        let run = Command::new("node")
            .arg(husky)
            .args((directory != ".husky").then_some(directory))
            .current_dir(&linked)
            .env_clear()
            .envs(scenario.variables())
            .output()
            .unwrap();
        assert!(run.status.success(), "{run:?}");
        assert_eq!(hooks(&["status"], 0)["state"], "installed");
        scenario.git_in(&linked, &["commit", "-q", "--allow-empty", "-m", "linked"]);
        scenario.git_in(&linked, &["push", "-q", "origin", "linked"]);
        scenario.settled();
        assert_eq!(scenario.registered().last().unwrap().0, "linked");
        // A directory of that name with hooks of somebody's own is not husky's.
        scenario.git(&["worktree", "add", "-q", "-b", "other", "../other"]);
        let other = scenario.repository.outside().join("other");
        write_script(&other.join(directory).join("_/post-commit"), "#!/bin/sh\n");
        let installed = scenario.flowreg_in(&other).json(&["hooks", "install"], 0);
        assert!(installed["hooks"][0]["place"].as_str().unwrap().ends_with("/_/pre-push"));
    }
}

#[test]
fn where_our_script_had_replaced_that_of_husky_the_status_says_so_and_install_mends_it() {
    let Some(scenario) = with_husky("tools/husky") else { return };
    let hooks = scenario.repository.root().join("tools/husky/_");
    let theirs = std::fs::read_to_string(hooks.join("pre-push")).unwrap();
    let first = include_str!("first_shim.sh").replace("@FLOWREG@", "'/nowhere/flowreg'");
    std::fs::rename(hooks.join("pre-push"), hooks.join("pre-push.flowreg-prev")).unwrap();
    write_script(&hooks.join("pre-push"), &first);
    let found = status(&scenario);
    assert_eq!(found["state"], "broken", "{found}");
    assert_eq!(found["previous"], Value::Null, "{found}");
    assert!(found["problems"].to_string().contains("husky"), "{found}");
    let installed = scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(installed["hooks"][0]["place"], "tools/husky/pre-push");
    assert_eq!(std::fs::read_to_string(hooks.join("pre-push")).unwrap(), theirs);
    assert_eq!(status(&scenario)["state"], "installed");
    assert_all_is_seen(&scenario);
}

/// Husky 5 to 8 had no hooks of its own: the team's scripts begin with a line that calls its library.
#[test]
fn the_scripts_of_an_older_husky_get_the_line_and_no_path_of_this_machine() {
    let scenario = with("README", "husky 8\n");
    let root = scenario.repository.root();
    let library = "#!/usr/bin/env sh\nif [ -z \"$husky_skip_init\" ]; then\n  \
                   readonly hook_name=\"$(basename -- \"$0\")\"\n  readonly husky_skip_init=1\n  \
                   export husky_skip_init\n  sh -e \"$0\" \"$@\"\n  exit $?\nfi\n";
    write_script(&root.join(".husky/_/husky.sh"), library);
    std::fs::write(root.join(".husky/_/.gitignore"), "*\n").unwrap();
    let script = "#!/usr/bin/env sh\n. \"$(dirname -- \"$0\")/_/husky.sh\"\n\nexit 0\n";
    write_script(&root.join(".husky/pre-commit"), script);
    scenario.commit("hooks of the team");
    scenario.git(&["config", "core.hooksPath", ".husky"]);
    let installed = scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(installed["hooks"][0]["place"], ".husky/pre-push");
    assert_eq!(
        std::fs::read_to_string(root.join(".husky/pre-push")).unwrap(),
        include_str!("../../hooks/husky.sh")
    );
    assert_all_is_seen(&scenario);
    assert_eq!(status(&scenario)["owner"], "other");
    write_script(&root.join(".husky/pre-push"), script);
    let refused = scenario.flowreg().json(&["hooks", "install"], 1);
    assert_eq!(refused["error"]["code"], "hook_exists", "{refused}");
    assert_eq!(status(&scenario)["owner"], "husky");
    // Only our line is taken out again, and that is what is said.
    scenario.flowreg().json(&["hooks", "install", "--force"], 0);
    let removed = scenario.flowreg().json(&["hooks", "uninstall"], 0);
    assert_eq!(removed["hooks"][0]["action"], "updated", "{removed}");
    assert!(removed["hooks"][0]["notes"].to_string().contains("what else is in it stays"));
    assert_eq!(std::fs::read_to_string(root.join(".husky/pre-push")).unwrap(), script);
    // One that somebody wrote elsewhere in it is theirs, and runs still.
    let own = format!("{script}flowreg hook pre-push \"$@\"\n");
    write_script(&root.join(".husky/pre-push"), &own);
    let left = scenario.flowreg().json(&["hooks", "uninstall"], 0);
    assert_eq!(left["hooks"][0]["action"], "unchanged", "{left}");
    assert!(left["hooks"][0]["notes"].to_string().contains("take it out"), "{left}");
    assert_eq!(std::fs::read_to_string(root.join(".husky/pre-push")).unwrap(), own);
}

#[test]
fn the_hook_of_git_lfs_is_recognised_and_chained() {
    let scenario = with("README", "lfs\n");
    let script =
        "#!/bin/sh\ncommand -v git-lfs >/dev/null 2>&1 || { exit 0; }\ngit lfs pre-push \"$@\"\n";
    write_script(&scenario.repository.root().join(".git/hooks/pre-push"), script);
    assert_eq!(status(&scenario)["owner"], "git-lfs");
    let installed = scenario.flowreg().json(&["hooks", "install"], 0);
    assert!(installed["hooks"][0]["notes"].to_string().contains("git-lfs"), "{installed}");
    assert_all_is_seen(&scenario);
}

#[test]
fn status_says_when_husky_runs_no_hooks() {
    let Some(scenario) = with_husky(".husky") else { return };
    scenario.flowreg().json(&["hooks", "install"], 0);
    let home = scenario.repository.outside().join("home of husky");
    let script = home.join(".config/husky/init.sh");
    std::fs::create_dir_all(script.parent().unwrap()).unwrap();
    let scenario = scenario.env("HOME", home.to_str().unwrap());
    let is_queued = |scenario: &Scenario, branch: &str| {
        scenario.branch(branch);
        assert_eq!(scenario.push_only(&["-q", "origin", branch]).code, 0);
        scenario.settled();
        scenario.registered().iter().any(|(name, _)| name == branch)
    };
    assert_eq!(status(&scenario)["state"], "installed");
    std::fs::write(&script, "export PATH\nexport HUSKY=0\n").unwrap();
    let found = status(&scenario);
    assert_eq!(found["state"], "off", "{found}");
    assert_eq!(found["problems"][0]["code"], "switched_off", "{found}");
    assert!(
        found["problems"][0]["message"].to_string().contains("init.sh sets HUSKY to 0"),
        "{found}"
    );
    assert!(!is_queued(&scenario, "feat/one"));
    std::fs::write(&script, "export HUSKY=1\n").unwrap();
    let scenario = scenario.env("HUSKY", "0");
    assert_eq!(status(&scenario)["state"], "installed");
    assert!(is_queued(&scenario, "feat/two"));
    std::fs::remove_file(&script).unwrap();
    let found = status(&scenario);
    assert_eq!(found["state"], "off", "{found}");
    assert_eq!(found["problems"][0]["hint"], "unset HUSKY", "{found}");
    assert!(!is_queued(&scenario, "feat/three"));
}
