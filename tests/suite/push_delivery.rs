//! What becomes of a confirmed push when the target is down, slow, broken or refuses; with a real
//! Prefect server behind a switch.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::prefect::{Server, Turn, unique, wait_for};
use crate::support::push::{Scenario, gits, on_every_git};
use crate::support::switchable::{Mode, Switchable};

/// A scenario whose target is a real server behind a switch.
struct Behind {
    scenario: Scenario,
    switch: Switchable,
    server: Turn,
    flow: String,
}

impl Behind {
    fn new(git: &std::path::Path) -> Self {
        let server = Server::shared();
        let switch = Switchable::in_front_of(&server.api_url);
        let pool = server.api.pool();
        let scenario = Scenario::new(git).env("PREFECT_API_URL", switch.api_url());
        let toml =
            format!("[mainline]\nwork_pool = \"{pool}\"\n[feature]\nwork_pool = \"{pool}\"\n");
        scenario.repository.write("flowreg.toml", toml);
        let flow = unique("push-delivery");
        Self { scenario, switch, server, flow }
    }

    /// A new branch, or another commit on it, whose flow says so.
    fn commit(&self, description: &str) -> String {
        self.scenario.repository.write("flows/etl.py", self.source(description));
        self.scenario.git(&["add", "-A"]);
        self.scenario.git(&["commit", "-q", "-m", description]);
        self.scenario.git(&["rev-parse", "HEAD"])
    }

    fn source(&self, description: &str) -> String {
        format!(
            "from prefect import flow\n\n\n@flow(name=\"{}\")\ndef etl():\n    \"\"\"{description}\"\"\"\n",
            self.flow
        )
    }

    fn branch(&self, name: &str) -> String {
        self.scenario.git(&["checkout", "-q", "-b", name]);
        self.commit(name)
    }

    fn descriptions(&self) -> Vec<String> {
        let filter = serde_json::json!({"flows": {"name": {"any_": [self.flow]}}});
        let found = self.server.api.ask("POST", "/deployments/filter", &filter);
        let text = |one: &Value| {
            format!("{}: {}", one["name"].as_str().unwrap(), one["description"].as_str().unwrap())
        };
        found.as_array().unwrap().iter().map(text).collect()
    }

    fn push(&self) {
        self.scenario.push(&["-q", "origin", "HEAD"]);
    }

    /// Nothing watches: what is queued waits for `flowreg sync`.
    fn in_ci(self) -> Self {
        Self { scenario: self.scenario.env("CI", "true"), ..self }
    }
}

/// Somebody else pushes to the branch at HEAD, on top of it, with another description of the flow.
fn push_on_top(behind: &Behind, description: &str) -> String {
    let (scenario, up) = (&behind.scenario, behind.scenario.up());
    let clone = scenario.repository.outside().join("other");
    let branch = scenario.git(&["symbolic-ref", "--short", "HEAD"]);
    scenario.git(&["clone", "-q", "-b", &branch, up.to_str().unwrap(), clone.to_str().unwrap()]);
    std::fs::write(clone.join("flows/etl.py"), behind.source(description)).unwrap();
    scenario.git_in(&clone, &["commit", "-q", "-a", "-m", description]);
    scenario.git_in(&clone, &["push", "-q", "origin", &branch]);
    let commit = scenario.git_in(&clone, &["rev-parse", "HEAD"]);
    std::fs::remove_dir_all(clone).unwrap();
    commit
}

#[test]
fn what_landed_is_registered_although_somebody_has_pushed_on_top_of_it() {
    on_every_git(|git| {
        let behind = Behind::new(git).in_ci();
        let origin = behind.scenario.up().display().to_string();
        for (branch, address) in [("feat/by-name", "origin"), ("feat/by-address", &origin)] {
            behind.branch(branch);
            behind.scenario.push_only(&["-q", address, branch]);
            let theirs = push_on_top(&behind, "by a bot");
            let synced = behind.scenario.flowreg().json(&["sync"], 0);
            assert_eq!(synced["delivered"][0]["name"], branch, "{synced}");
            let name = format!("default@{}: by a bot", branch.replace('/', "~"));
            assert!(behind.descriptions().contains(&name), "{:?}", behind.descriptions());
            // What had to be read is here, and nothing else has changed.
            assert_eq!(behind.scenario.git(&["cat-file", "-t", &theirs]), "commit");
            assert!(!behind.scenario.git(&["for-each-ref"]).contains(&theirs));
            assert!(!behind.scenario.repository.root().join(".git/FETCH_HEAD").exists());
        }
        // Somebody has fetched before anybody looked: the push is not the last line of the reflog.
        behind.branch("feat/fetched");
        behind.scenario.push_only(&["-q", "origin", "feat/fetched"]);
        push_on_top(&behind, "by a person");
        behind.scenario.git(&["fetch", "-q", "origin"]);
        behind.scenario.flowreg().json(&["sync"], 0);
        assert!(behind.descriptions().contains(&"default@feat~fetched: by a person".to_owned()));
    });
}

#[test]
fn a_push_that_was_refused_did_not_land_although_the_branch_that_moved_on_holds_its_commit() {
    on_every_git(|git| {
        let behind = Behind::new(git).in_ci();
        let up = behind.scenario.up().display().to_string();
        let first = behind.branch("feat/x");
        behind.scenario.git(&["push", "-q", "--no-verify", "origin", "feat/x"]);
        push_on_top(&behind, "theirs");
        // An old commit, by force, which the remote refuses; then the branch moves on again.
        let refused = "#!/bin/sh\nread old new ref; [ \"$new\" != NEW ]\n".replace("NEW", &first);
        behind.scenario.server_hook("pre-receive", &refused);
        assert_eq!(behind.scenario.push_only(&["-q", "-f", &up, "feat/x"]).code, 1);
        push_on_top(&behind, "theirs again");
        behind.scenario.flowreg().run(&["sync"]);
        std::thread::sleep(std::time::Duration::from_secs(1));
        behind.scenario.flowreg().json(&["sync"], 0);
        assert!(behind.descriptions().is_empty(), "{:?}", behind.descriptions());
        assert_eq!(behind.switch.writes(), 0);
    });
}

#[test]
fn a_tag_that_somebody_moved_before_it_was_registered_is_dropped() {
    let behind = Behind::new(&gits()[0]).in_ci();
    behind.commit("first");
    behind.scenario.git(&["tag", "v1.0.0"]);
    behind.scenario.push_only(&["-q", "origin", "v1.0.0"]);
    behind.switch.switch(Mode::Down);
    assert_eq!(behind.scenario.flowreg().run(&["sync"]).code, 7);
    behind.scenario.git(&["push", "-q", "--no-verify", "-f", "origin", "HEAD~1:refs/tags/v1.0.0"]);
    behind.switch.switch(Mode::Up);
    let synced = behind.scenario.flowreg().json(&["sync"], 0);
    let reason = synced["dropped"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("v1.0.0"), "{synced}");
    assert_eq!(behind.switch.writes(), 0);
}

#[test]
fn while_the_target_is_down_a_push_is_kept_told_of_and_delivered_once_it_is_back() {
    on_every_git(|git| {
        let behind = Behind::new(git);
        behind.switch.switch(Mode::Down);
        behind.branch("feat/x");
        behind.push();
        let left = behind.scenario.left();
        assert_eq!((left.len(), &left[0]["state"]), (1, &"undelivered".into()), "{left:?}");
        // Every command says in one line that something waits; sync says that it is still down.
        for command in [&["list"][..], &["plan"], &["flows"], &["reference"]] {
            let run = behind.scenario.flowreg().run(command);
            assert_eq!(run.stderr.matches("1 push waits").count(), 1, "{command:?} {run:?}");
        }
        assert_eq!(behind.scenario.flowreg().run(&["sync"]).code, 7);
        assert_eq!(behind.switch.writes(), 0);
        behind.switch.switch(Mode::Up);
        behind.scenario.flowreg().json(&["sync"], 0);
        assert_eq!(behind.descriptions(), ["default@feat~x: feat/x"]);
        assert_eq!(behind.switch.writes(), 1);
        let run = behind.scenario.flowreg().run(&["plan"]);
        assert!(!run.stderr.contains("waits"), "{run:?}");
        behind.scenario.flowreg().json(&["sync"], 0);
        assert_eq!(behind.switch.writes(), 1);
    });
}

#[test]
fn any_later_command_has_what_waits_tried_again() {
    let behind = Behind::new(&gits()[0]);
    behind.switch.switch(Mode::Down);
    behind.branch("feat/x");
    behind.push();
    assert_eq!(behind.scenario.left().len(), 1);
    behind.switch.switch(Mode::Up);
    let run = behind.scenario.flowreg().env("FLOWREG_HOOKS", "0").run(&["list"]);
    assert_eq!(run.stderr.matches("1 push waits").count(), 1, "{run:?}");
    assert_eq!(behind.scenario.left().len(), 1, "switched off");
    behind.scenario.flowreg().run(&["list"]);
    behind.scenario.settled();
    assert_eq!(behind.descriptions(), ["default@feat~x: feat/x"]);
    assert_eq!(behind.switch.writes(), 1);
}

#[test]
fn the_next_push_delivers_what_waits_and_the_newest_commit_wins() {
    on_every_git(|git| {
        let behind = Behind::new(git);
        behind.switch.switch(Mode::Down);
        behind.branch("feat/a");
        behind.push();
        behind.branch("feat/b");
        behind.push();
        behind.commit("b, later");
        behind.push();
        assert_eq!(behind.scenario.left().len(), 2);
        behind.switch.switch(Mode::Up);
        behind.branch("feat/c");
        behind.push();
        behind.scenario.settled();
        let mut held = behind.descriptions();
        held.sort();
        assert_eq!(
            held,
            ["default@feat~a: feat/a", "default@feat~b: b, later", "default@feat~c: feat/c"]
        );
        assert_eq!(behind.switch.writes(), 3);
    });
}

#[test]
fn a_target_that_is_broken_for_a_while_gets_it_exactly_once() {
    on_every_git(|git| {
        let behind = Behind::new(git);
        behind.switch.switch(Mode::Broken);
        behind.branch("feat/x");
        behind.push();
        wait_for("the broken server was asked", 30, || {
            (behind.switch.requests() > 0).then_some(())
        });
        behind.switch.switch(Mode::Up);
        // The watcher tries again by itself, or did for the last time: then sync does.
        if !behind.scenario.left().is_empty() {
            behind.scenario.flowreg().json(&["sync"], 0);
        }
        assert_eq!(behind.descriptions(), ["default@feat~x: feat/x"]);
        assert_eq!(behind.switch.writes(), 1);
    });
}

#[test]
fn a_target_that_refuses_is_not_asked_again_until_somebody_says_so() {
    let behind = Behind::new(&gits()[0]);
    behind.switch.switch(Mode::Refusing);
    behind.branch("feat/x");
    behind.push();
    let left = behind.scenario.left();
    assert_eq!(left[0]["state"], "refused", "{left:?}");
    assert!(left[0]["reason"].as_str().unwrap().contains("not like this"), "{left:?}");
    let tried = behind.switch.writes();
    behind.branch("feat/y");
    behind.scenario.git(&["push", "-q", "origin", "HEAD~1:refs/heads/feat/z"]);
    behind.scenario.left();
    assert_eq!(behind.switch.writes(), tried * 2, "only the new one was tried");
    assert_eq!(behind.scenario.flowreg().run(&["sync"]).code, 1);
    behind.switch.switch(Mode::Up);
    behind.scenario.flowreg().json(&["sync"], 0);
    assert_eq!(behind.descriptions().len(), 2);
    assert!(behind.scenario.left().is_empty());
}

#[test]
fn a_slow_target_holds_up_nobody() {
    on_every_git(|git| {
        let behind = Behind::new(git);
        behind.switch.switch(Mode::Slow);
        behind.branch("feat/x");
        let started = Instant::now();
        behind.push();
        // Two pushes were made meanwhile, the one without hooks as well; the target alone takes
        // longer for its first answer than they may.
        let waits = behind.scenario.status()["waiting"].as_array().unwrap().len();
        assert!(waits == 1 || started.elapsed() > Duration::from_millis(1500));
        behind.scenario.settled();
        assert_eq!(behind.descriptions(), ["default@feat~x: feat/x"]);
    });
}

#[test]
fn nothing_of_a_refused_push_reaches_the_server() {
    on_every_git(|git| {
        let behind = Behind::new(git);
        behind.scenario.server_hook("pre-receive", "#!/bin/sh\nexit 1\n");
        behind.branch("feat/x");
        assert_eq!(behind.scenario.push(&["-q", "origin", "feat/x"]).code, 1);
        behind.scenario.settled();
        assert_eq!(behind.switch.requests(), 0);
    });
}

#[test]
fn what_was_queued_for_a_server_is_not_delivered_elsewhere() {
    let behind = Behind::new(&gits()[0]);
    behind.switch.switch(Mode::Down);
    behind.branch("feat/x");
    behind.push();
    behind.scenario.left();
    let run = behind.scenario.flowreg().env("PREFECT_API_URL", "").run(&["sync"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains("the target is local now"), "{run:?}");
    assert!(behind.scenario.registered().is_empty());
    behind.switch.switch(Mode::Up);
    behind.scenario.flowreg().json(&["sync"], 0);
    assert_eq!(behind.descriptions(), ["default@feat~x: feat/x"]);
}

#[test]
fn a_deleted_branch_is_removed_from_the_server_by_sync_only() {
    let behind = Behind::new(&gits()[0]);
    behind.branch("feat/x");
    behind.push();
    behind.scenario.settled();
    assert_eq!(behind.descriptions().len(), 1);
    behind.scenario.push(&["-q", "origin", ":feat/x"]);
    assert_eq!(behind.scenario.left()[0]["state"], "removal");
    assert_eq!(behind.descriptions().len(), 1);
    behind.switch.switch(Mode::Down);
    assert_eq!(behind.scenario.flowreg().run(&["sync"]).code, 7);
    behind.switch.switch(Mode::Up);
    behind.scenario.flowreg().json(&["sync"], 0);
    assert!(behind.descriptions().is_empty());
}

#[test]
fn a_remote_that_does_not_answer_leaves_the_push_waiting() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).in_ci();
        let commit = scenario.branch("feat/x");
        scenario.git(&["tag", "v1.0.0"]);
        scenario.push_only(&["-q", "origin", "v1.0.0"]);
        let away = scenario.repository.outside().join("away.git");
        std::fs::rename(scenario.up(), &away).unwrap();
        let run = scenario.flowreg().run(&["sync"]);
        assert_eq!(run.code, 7, "{run:?}");
        let status = scenario.status();
        assert_eq!(status["waiting"][0]["state"], "unanswered", "{status}");
        std::fs::rename(&away, scenario.up()).unwrap();
        scenario.flowreg().json(&["sync"], 0);
        scenario.assert_registered(&[("v1.0.0", &commit)]);
    });
}

#[test]
fn what_waits_can_be_discarded_and_is_not_registered_then() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    scenario.branch("feat/x");
    scenario.push_only(&["-q", "origin", "feat/x"]);
    assert_eq!(scenario.flowreg().run(&["sync", "--discard", "feat/y"]).code, 2);
    scenario.flowreg().json(&["sync", "--discard", "feat/x"], 0);
    let synced = scenario.flowreg().json(&["sync"], 0);
    assert_eq!(synced["delivered"], serde_json::json!([]));
    assert!(scenario.registered().is_empty());
}

#[test]
fn without_flowreg_or_with_one_that_cannot_run_the_push_is_kept_and_synced_later() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).in_ci();
        let hook = scenario.repository.root().join(".git/hooks/pre-push");
        let script = std::fs::read_to_string(&hook).unwrap();
        let broken = scenario.repository.outside().join("broken-flowreg");
        crate::support::push::write_script(&broken, "\u{7f}ELF this is no program");
        let mut expected = Vec::new();
        for (number, path) in ["/nowhere/flowreg", broken.to_str().unwrap()].iter().enumerate() {
            let own = concat!(env!("CARGO_BIN_EXE_flowreg"), "-hook");
            crate::support::push::write_script(&hook, &script.replace(own, path));
            let name = format!("feat/{number}");
            let commit = scenario.branch(&name);
            let pushed = scenario.push_only(&["-q", "origin", &name]);
            assert_eq!((pushed.code, pushed.stdout.as_str()), (0, ""), "{path} {pushed:?}");
            assert!(scenario.flowreg().run(&["list"]).stderr.contains("waits"), "{path}");
            scenario.flowreg().json(&["sync"], 0);
            expected.push((name, commit));
        }
        assert_eq!(scenario.registered(), expected);
        // A push of an address with a password: it is not in the file.
        let spool = scenario.repository.root().join(".git/flowreg/spool");
        let said = std::process::Command::new("sh")
            .args([
                "-c",
                "echo \"x $0 refs/heads/x $0\" | .git/hooks/pre-push u https://u:s3cret@h/x",
            ])
            .arg("1".repeat(40))
            .current_dir(scenario.repository.root())
            .status();
        assert!(said.unwrap().success());
        let files: Vec<_> = std::fs::read_dir(spool).unwrap().flatten().collect();
        assert_eq!(files.len(), 1);
        assert!(!std::fs::read_to_string(files[0].path()).unwrap().contains("s3cret"));
    });
}
