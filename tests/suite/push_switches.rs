//! What decides whether a push is queued and watched at all: switches, CI, the check before a push,
//! the configuration.

use crate::support::push::{Scenario, gits, on_every_git};

#[test]
fn switches_turn_the_hook_off() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.branch("feat/x");
        let root = scenario.repository.root();
        scenario.git(&["push", "-q", "--no-verify", "origin", "feat/x"]);
        scenario.commit("two");
        scenario.git(&["-c", "flowreg.enabled=false", "push", "-q", "origin", "feat/x"]);
        scenario.commit("three");
        let mut push = scenario.git_command(root, &["push", "-q", "origin", "feat/x"]);
        assert!(push.env("FLOWREG_HOOKS", "0").status().unwrap().success());
        scenario.git(&["config", "flowreg.enabled", "false"]);
        scenario.commit("four");
        scenario.push(&["origin", "feat/x"]);
        assert!(!root.join(".git/flowreg/outbox").exists());
        scenario.assert_registered(&[]);
        scenario.git(&["config", "flowreg.enabled", "true"]);
        let five = scenario.commit("five");
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &five)]);
    });
}

#[test]
fn in_ci_nothing_watches_and_sync_or_register_delivers() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).in_ci();
        let commit = scenario.branch("feat/x");
        let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
        assert_eq!((pushed.code, pushed.stdout.as_str()), (0, ""));
        assert_eq!(pushed.stderr.matches("flowreg sync").count(), 1, "{pushed:?}");
        std::thread::sleep(std::time::Duration::from_millis(500));
        assert_eq!(scenario.status()["waiting"].as_array().unwrap().len(), 1);
        scenario.assert_registered(&[]);
        let synced = scenario.flowreg().json(&["sync"], 0);
        assert_eq!(synced["delivered"][0]["commit"], commit.as_str());
        scenario.assert_registered(&[("feat/x", &commit)]);
        let second = scenario.commit("second");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        assert_eq!(scenario.status()["waiting"].as_array().unwrap().len(), 1);
        let registered = scenario.flowreg().run(&["register"]);
        assert_eq!(registered.code, 0, "{registered:?}");
        assert!(!registered.stderr.contains("to be registered"), "{registered:?}");
        assert_eq!(scenario.status()["waiting"].as_array().unwrap().len(), 0);
        scenario.assert_registered(&[("feat/x", &commit), ("feat/x", &second)]);
    });
}

#[test]
fn a_mistake_in_what_was_pushed_is_exit_code_three_of_sync() {
    for (file, content, told) in [
        ("flowreg.toml", "[repository]\nremot = 1\n", "flowreg.toml:2:1: unknown key `remot`"),
        ("prefect.yaml", "deployments: x\n", "`deployments` is text, and should be a list"),
    ] {
        let scenario = Scenario::new(&gits()[0]).in_ci();
        scenario.repository.write(file, content);
        scenario.branch("feat/x");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        let run = scenario.flowreg().run(&["sync"]);
        assert_eq!(run.code, 3, "{run:?}");
        assert!(run.stdout.contains(told), "{run:?}");
    }
}

#[test]
fn a_check_before_the_push_refuses_what_is_wrong_and_lets_the_rest_through() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.repository.write("flowreg.toml", "[hooks]\nblocking = true\n");
        let good = scenario.branch("feat/x");
        scenario.push(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &good)]);
        for (file, content, reason) in [
            ("flows/bad.py", "from prefect import flow\n@flow\ndef broken(:\n", "flows/bad.py:3:"),
            ("flows/twice.py", "from prefect import flow\n@flow\ndef etl():\n    ...\n", "etl"),
            (
                "prefect.yaml",
                "deployments:\n  - name: x\n    entrypoint: flows/none.py:f\n",
                "flows/none.py",
            ),
        ] {
            scenario.repository.write(file, content);
            scenario.commit(&format!("add {file}"));
            let refused = scenario.push_only(&["origin", "feat/x"]);
            assert_eq!((refused.code, refused.stdout.as_str()), (1, ""), "{file}: {refused:?}");
            assert!(refused.stderr.contains(reason), "{file}: {refused:?}");
            assert!(refused.stderr.contains("--no-verify"), "{file}: {refused:?}");
            scenario.git(&["reset", "-q", "--hard", &good]);
        }
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &good)]);
    });
}

#[test]
fn a_check_that_takes_too_long_lets_the_push_go_on() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.repository.write("flowreg.toml", "[hooks]\nblocking = true\ntime_limit = 0\n");
    scenario.repository.write("flows/bad.py", "from prefect import flow\n@flow\ndef broken(:\n");
    scenario.branch("feat/x");
    let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
    assert_eq!((pushed.code, pushed.stdout.as_str()), (0, ""), "{pushed:?}");
    assert!(pushed.stderr.contains("not checked within 0 s"), "{pushed:?}");
}

#[test]
fn without_the_small_program_flowreg_itself_is_the_hook() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    let alone = scenario.repository.outside().join("flowreg");
    std::fs::copy(env!("CARGO_BIN_EXE_flowreg"), &alone).unwrap();
    let installed = std::process::Command::new(&alone)
        .args(["hooks", "install"])
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .status();
    assert!(installed.unwrap().success());
    let status = scenario.flowreg().json(&["hooks", "status"], 0);
    assert_eq!(status["binary"], alone.to_str().unwrap());
    let commit = scenario.branch("feat/x");
    scenario.push(&["-q", "origin", "feat/x"]);
    scenario.settled();
    scenario.assert_registered(&[("feat/x", &commit)]);
}

#[test]
fn a_hook_without_arguments_input_or_repository_ends_at_once() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        for arguments in [&["hook", "pre-push"][..], &["hook", "pre-push", "origin", "../up.git"]] {
            let run = scenario.flowreg().run(arguments);
            assert_eq!((run.code, run.stdout.as_str(), run.stderr.as_str()), (0, "", ""));
        }
        let outside = scenario.repository.outside();
        let hook = scenario.repository.root().join(".git/hooks/pre-push");
        let mut closed = std::process::Command::new("sh");
        closed.args(["-c", "\"$0\" <&-", hook.to_str().unwrap()]).current_dir(outside);
        assert!(closed.status().unwrap().success());
    });
}

#[test]
fn a_configuration_that_git_cannot_read_or_flowreg_does_not_understand_never_blocks_a_push() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.repository.write("flowreg.toml", "nonsense = [");
        scenario.branch("feat/x");
        scenario.push(&["-q", "origin", "feat/x"]);
        let left = scenario.left();
        assert_eq!(left[0]["state"], "refused");
        assert!(left[0]["reason"].as_str().unwrap().contains("flowreg.toml"), "{left:?}");
        // A directory in the way of the outbox: told, and the push goes on.
        let scenario = Scenario::new(git);
        std::fs::write(scenario.repository.root().join(".git/flowreg"), "in the way").unwrap();
        scenario.branch("feat/x");
        let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
        assert_eq!(pushed.code, 0);
        assert!(pushed.stderr.contains("nothing is queued"), "{pushed:?}");
    });
}

#[test]
fn a_push_of_main_queues_nothing_and_says_so_only_when_asked() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.commit("second");
        scenario.push(&["origin", "main"]);
        assert_eq!(scenario.left().len(), 0);
        assert!(!scenario.repository.root().join(".git/flowreg/outbox").exists());
        scenario.commit("third");
        let told = scenario.git_command(
            scenario.repository.root(),
            &["-c", "flowreg.verbose=true", "push", "-q", "origin", "main"],
        );
        let told = { told }.output().unwrap();
        let said = String::from_utf8(told.stderr).unwrap();
        assert_eq!(said.matches("main is a mainline branch").count(), 1, "{said}");
        // A configuration may call other branches so.
        scenario.repository.write("flowreg.toml", "[repository]\nmainline = [\"release/*\"]\n");
        let release = scenario.branch("release/1");
        scenario.git(&["push", "-q", "origin", "release/1"]);
        scenario.git(&["branch", "-f", "main", &release]);
        scenario.push(&["-f", "origin", "main"]);
        scenario.settled();
        scenario.assert_registered(&[("main", &release)]);
    });
}

#[test]
fn register_settles_what_it_registered_as_a_whole_and_where_it_was_meant_to_go() {
    let scenario = Scenario::new(&gits()[0])
        .env("CI", "true")
        .env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let push = |api_url: &str| {
        let arguments = ["push", "-q", "origin", "HEAD"];
        let mut push = scenario.git_command(scenario.repository.root(), &arguments);
        assert!(push.env("PREFECT_API_URL", api_url).status().unwrap().success());
    };
    scenario.branch("feat/x");
    push("http://127.0.0.1:9/api");
    let waits = || scenario.status()["waiting"].as_array().unwrap().len();
    assert_eq!(scenario.flowreg().run(&["--target", "local", "register"]).code, 0);
    let local = || scenario.flowreg().env("PREFECT_API_URL", "");
    assert_eq!(local().run(&["--target", "local", "register"]).code, 0);
    assert_eq!(waits(), 1, "it was meant for a server, wherever the run is");
    scenario.flowreg().json(&["sync", "--discard", "feat/x"], 0);
    // In CI a server that nobody named is no target: what it is for shows when it is delivered.
    scenario.commit("second");
    push("");
    assert_eq!(scenario.status()["waiting"][0]["target"], serde_json::Value::Null);
    scenario.repository.write("flowreg.toml", "target = \"local\"\n");
    scenario.commit("third");
    push("");
    let first = scenario.status()["waiting"][0]["id"].as_str().unwrap().to_owned();
    scenario.flowreg().json(&["sync", "--discard", &first], 0);
    assert_eq!(local().run(&["--target", "local", "register", "--changed-since", "HEAD"]).code, 0);
    assert_eq!(waits(), 1, "that was a part");
    assert_eq!(local().run(&["--target", "local", "register"]).code, 0);
    assert_eq!(waits(), 0);
}

#[test]
fn a_push_registers_the_flows_that_a_feature_branch_changes() {
    let scenario = Scenario::new(&gits()[0]);
    let flow = "from prefect import flow\n\n\n@flow\ndef other():\n    ...\n";
    scenario.repository.write("flows/other.py", flow);
    scenario.commit("two flows");
    scenario.git(&["tag", "v1.0.0"]);
    scenario.push(&["-q", "origin", "main", "v1.0.0"]);
    scenario.settled();
    assert_eq!(scenario.registered().len(), 2);
    let commit = scenario.branch("feat/x");
    scenario.push(&["-q", "origin", "feat/x"]);
    scenario.settled();
    assert_eq!(scenario.registered()[2..], [("feat/x".to_owned(), commit)]);
    let log = scenario.status()["recent"].to_string();
    assert!(log.contains("1 left_out"), "{log}");
}

#[test]
fn git_push_v_is_told_why_nothing_is_queued() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        for flag in ["-v", "--verbose", "-fv"] {
            scenario.commit(flag);
            let said = scenario.push_only(&[flag, "origin", "main"]).stderr;
            assert_eq!(said.matches("main is a mainline branch").count(), 1, "{flag}: {said}");
        }
        scenario.commit("quiet");
        let said = scenario.push_only(&["-f", "origin", "main"]).stderr;
        assert!(!said.contains("mainline"), "{said}");
    });
}

/// Runs the hook as a client that is no git process does: this one, which runs on.
fn hook_of_another_client(scenario: &Scenario, line: &str) {
    let hook = scenario.repository.root().join(".git/hooks/pre-push");
    let mut child = std::process::Command::new(hook)
        .args(["origin", "../up.git"])
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .stdin(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), line.as_bytes()).unwrap();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_client_that_pushes_by_itself_is_not_waited_for_and_gets_more_time() {
    let scenario = Scenario::new(&gits()[0]);
    let commit = scenario.branch("feat/x");
    let zero = "0".repeat(40);
    let line = format!("refs/heads/feat/x {commit} refs/heads/feat/x {zero}\n");
    hook_of_another_client(&scenario, &line);
    // The remote has nothing yet, longer than after a push whose end was seen.
    let left = scenario.left();
    assert_eq!(left[0]["state"], "unconfirmed", "{left:?}");
    scenario.git(&["push", "-q", "--no-verify", "origin", "feat/x"]);
    scenario.flowreg().json(&["sync"], 0);
    scenario.assert_registered(&[("feat/x", &commit)]);
}

#[test]
fn a_repository_whose_path_is_not_utf_8_is_pushed_and_registered() {
    use std::os::unix::ffi::OsStrExt;
    let scenario = Scenario::new(&gits()[0]);
    let commit = scenario.branch("feat/x");
    let there = scenario.repository.outside().join(std::ffi::OsStr::from_bytes(b"caf\xe9"));
    std::fs::rename(scenario.repository.root(), &there).unwrap();
    let pushed =
        scenario.git_command(&there, &["push", "-q", "origin", "feat/x"]).output().unwrap();
    assert!(pushed.status.success() && pushed.stderr.is_empty(), "{pushed:?}");
    crate::support::prefect::wait_for("it is registered", 30, || {
        let registered = crate::support::push::registered_in(&there.join(".git"));
        (registered == [("feat/x".to_owned(), commit.clone())]).then_some(())
    });
}

#[test]
fn what_the_shim_kept_and_nobody_can_read_stays() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    let spool = scenario.repository.root().join(".git/flowreg/spool");
    std::fs::create_dir_all(&spool).unwrap();
    std::fs::write(spool.join("1.2.raw"), "hook pre-pu").unwrap();
    scenario.flowreg().json(&["sync"], 0);
    assert!(spool.join("1.2.unreadable").exists());
    let run = scenario.flowreg().run(&["list"]);
    assert!(!run.stderr.contains("waits"), "{run:?}");
}
