//! A push is registered where the profile and the address of the push lead, whatever is configured when it
//! is delivered; with one real Prefect server under two addresses.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::prefect::{Server, Turn, unique};
use crate::support::push::{Scenario, gits, on_every_git};
use crate::support::switchable::{Mode, Switchable};

/// A scenario and two addresses, of which `staging` and `prod` are profiles.
struct TwoAddresses {
    scenario: Scenario,
    staging: Switchable,
    prod: Switchable,
    _server: Turn,
}

impl TwoAddresses {
    fn new(git: &Path) -> Self {
        let server = Server::shared();
        let staging = Switchable::in_front_of(&server.api_url);
        let prod = Switchable::in_front_of(&server.api_url);
        let scenario = Scenario::new(git);
        let pool = server.api.pool();
        let toml = format!("[feature]\nwork_pool = \"{pool}\"\n");
        scenario.repository.write("flowreg.toml", toml);
        Self { scenario, staging, prod, _server: server }
    }

    fn in_ci(self) -> Self {
        Self { scenario: self.scenario.env("CI", "true"), ..self }
    }

    /// The text of the profiles, with one of them active.
    fn profiles(&self, active: &str) -> String {
        format!(
            "active = \"{active}\"\n[profiles.staging]\nPREFECT_API_URL = \"{}\"\n\
             [profiles.prod]\nPREFECT_API_URL = \"{}\"\nPREFECT_API_KEY = \"of-production\"\n",
            self.staging.api_url(),
            self.prod.api_url()
        )
    }

    fn activate(&self, profile: &str) {
        let directory = self.scenario.repository.outside().join(".prefect");
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("profiles.toml"), self.profiles(profile)).unwrap();
    }

    /// A new branch with a flow of its own, pushed with these variables.
    fn push(&self, variables: &[(&str, &str)]) {
        let branch = unique("feat");
        self.scenario.git(&["checkout", "-q", "-b", &branch]);
        let flow = unique("push-target");
        self.scenario.repository.write(
            "flows/etl.py",
            format!("from prefect import flow\n\n\n@flow(name=\"{flow}\")\ndef etl():\n    ...\n"),
        );
        self.scenario.git(&["add", "-A"]);
        self.scenario.git(&["commit", "-q", "-m", "a flow"]);
        let root = self.scenario.repository.root();
        let mut push = self.scenario.git_command(root, &["push", "-q", "origin", "HEAD"]);
        assert!(push.envs(variables.iter().copied()).status().unwrap().success());
    }

    fn waiting(&self) -> Value {
        self.scenario.status()["waiting"].clone()
    }
}

#[test]
fn a_profile_that_is_switched_after_the_push_changes_nothing_for_the_watcher() {
    on_every_git(|git| {
        let two = TwoAddresses::new(git);
        two.activate("staging");
        // Switched while git still waits for the remote: the hook has run, and nobody else has.
        let profiles = two.scenario.repository.outside().join(".prefect/profiles.toml");
        let script = format!(
            "#!/bin/sh\ncat >'{}' <<'END'\n{}END\n",
            profiles.display(),
            two.profiles("prod")
        );
        two.scenario.server_hook("pre-receive", &script);
        two.push(&[]);
        two.scenario.settled();
        assert_eq!((two.staging.writes(), two.prod.requests()), (1, 0));
    });
}

#[test]
fn sync_uses_the_profile_and_the_address_of_the_push() {
    let two = TwoAddresses::new(&gits()[0]).in_ci();
    // The active profile, one that is named, and an address beside a profile.
    let staging = two.staging.api_url().to_owned();
    for (active, variables) in [
        ("staging", vec![]),
        ("prod", vec![("PREFECT_PROFILE", "staging")]),
        ("staging", vec![("PREFECT_API_URL", staging.as_str())]),
    ] {
        two.activate(active);
        two.push(&variables);
        let waiting = two.waiting();
        let expected = json!({"kind": "prefect", "url": staging, "profile": "staging"});
        assert_eq!(waiting[0]["target"], expected, "{waiting}");
        let before = two.staging.writes();
        two.activate("prod");
        two.scenario.flowreg().json(&["sync"], 0);
        assert_eq!((two.staging.writes(), two.prod.requests()), (before + 1, 0), "{variables:?}");
    }
    // Without any profile, by the address alone.
    std::fs::remove_dir_all(two.scenario.repository.outside().join(".prefect")).unwrap();
    two.push(&[("PREFECT_API_URL", &staging)]);
    two.scenario.flowreg().json(&["sync"], 0);
    assert_eq!((two.staging.writes(), two.prod.requests()), (4, 0));
}

#[test]
fn sync_to_another_target_says_so_and_goes_there_only_when_it_is_told_to() {
    let two = TwoAddresses::new(&gits()[0]).in_ci();
    let (staging, prod) = (two.staging.api_url().to_owned(), two.prod.api_url().to_owned());
    two.activate("staging");
    two.push(&[]);
    for (variables, arguments, named) in [
        (vec![("PREFECT_API_URL", prod.as_str())], vec!["sync"], prod.as_str()),
        (vec![("PREFECT_PROFILE", "prod")], vec!["sync"], prod.as_str()),
        (vec![("PREFECT_API_URL", "")], vec!["--target", "local", "sync"], "local"),
    ] {
        let flowreg = variables
            .iter()
            .fold(two.scenario.flowreg(), |flowreg, (name, value)| flowreg.env(name, value));
        let run = flowreg.run(&arguments);
        assert_eq!(run.code, 1, "{run:?}");
        for part in [staging.as_str(), "profile `staging`", named, "--retarget"] {
            assert!(run.stdout.contains(part), "{part}: {run:?}");
        }
        assert_eq!((two.staging.requests(), two.prod.requests()), (0, 0));
        assert!(two.scenario.registered().is_empty());
    }
    let elsewhere = two.scenario.flowreg().env("PREFECT_PROFILE", "prod");
    elsewhere.json(&["sync", "--retarget"], 0);
    assert_eq!((two.staging.requests(), two.prod.writes()), (0, 1));
}

#[test]
fn what_was_queued_for_the_embedded_registry_is_not_sent_to_a_server() {
    // Nothing is configured when it is pushed. It waits, as only the remote knows of a tag, and is gone.
    let two = TwoAddresses::new(&gits()[0]);
    let prod = two.prod.api_url().to_owned();
    two.scenario.server_hook("post-receive", "#!/bin/sh\nmv ../up.git ../away.git\n");
    two.scenario.git(&["tag", "v1.0.0"]);
    two.scenario.git(&["push", "-q", "origin", "v1.0.0"]);
    let left = two.scenario.left();
    assert_eq!(left[0]["target"], json!({"kind": "local", "url": null, "profile": null}));
    std::fs::rename(two.scenario.repository.outside().join("away.git"), two.scenario.up()).unwrap();
    let run = two.scenario.flowreg().env("PREFECT_API_URL", &prod).run(&["sync"]);
    assert!(run.code == 1 && run.stdout.contains("queued for local"), "{run:?}");
    assert_eq!(two.prod.requests(), 0);
}

#[test]
fn the_key_of_another_profile_is_not_sent_to_the_address_of_the_push() {
    let two = TwoAddresses::new(&gits()[0]).in_ci();
    let staging = two.staging.api_url().to_owned();
    two.push(&[("PREFECT_API_URL", &staging)]);
    two.activate("prod");
    let run = two.scenario.flowreg().run(&["sync"]);
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.stdout.contains(&staging) && run.stdout.contains("--retarget"), "{run:?}");
    assert_eq!((two.staging.requests(), two.prod.requests()), (0, 0));
}

#[test]
fn what_the_hook_writes_down_has_no_secret_and_names_any_kind_of_target() {
    let two = TwoAddresses::new(&gits()[0]).in_ci();
    let url = two.staging.api_url().replace("//", "//user:s3cret@");
    two.push(&[("PREFECT_API_URL", &url), ("PREFECT_API_KEY", "k3y")]);
    two.scenario.repository.write("flowreg.toml", "target = \"prefect1\"\n");
    two.push(&[("PREFECT__CLOUD__API", "http://one.example.com:4200")]);
    let waiting = two.waiting();
    assert_eq!(waiting[0]["target"]["url"], two.staging.api_url(), "{waiting}");
    let one = json!({"kind": "prefect1", "url": "http://one.example.com:4200", "profile": null});
    assert_eq!(waiting[1]["target"], one, "{waiting}");
    let outbox = two.scenario.repository.root().join(".git/flowreg/outbox");
    for file in std::fs::read_dir(outbox).unwrap().flatten() {
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert!(!text.contains("s3cret") && !text.contains("k3y"), "{text}");
    }
}

#[test]
fn what_the_shim_keeps_names_the_target_as_well() {
    let two = TwoAddresses::new(&gits()[0]).in_ci();
    let hook = two.scenario.repository.root().join(".git/hooks/pre-push");
    let own = concat!(env!("CARGO_BIN_EXE_flowreg"), "-hook");
    let script = std::fs::read_to_string(&hook).unwrap().replace(own, "/nowhere/flowreg");
    crate::support::push::write_script(&hook, &script);
    let url = two.staging.api_url().replace("//", "//user:s3cret@");
    two.push(&[("PREFECT_API_URL", &url)]);
    let spool = two.scenario.repository.root().join(".git/flowreg/spool");
    let kept: Vec<_> = std::fs::read_dir(&spool).unwrap().flatten().collect();
    assert_eq!(kept.len(), 1);
    assert!(!std::fs::read_to_string(kept[0].path()).unwrap().contains("s3cret"));
    two.scenario.flowreg().json(&["sync"], 0);
    assert_eq!((two.staging.writes(), two.prod.requests()), (1, 0));
    two.activate("prod");
    two.push(&[("PREFECT_PROFILE", "staging")]);
    let synced = two.scenario.flowreg().json(&["sync"], 0);
    assert_eq!(synced["delivered"][0]["target"]["profile"], "staging", "{synced}");
    assert_eq!((two.staging.writes(), two.prod.requests()), (2, 0));
}

#[test]
fn each_target_gets_what_was_pushed_for_it_although_another_one_is_down() {
    let two = TwoAddresses::new(&gits()[0]).in_ci();
    two.activate("staging");
    two.push(&[]);
    // The same branch once more for the other one, and a branch of its own for it.
    two.scenario.commit("second");
    let root = two.scenario.repository.root();
    let mut push = two.scenario.git_command(root, &["push", "-q", "origin", "HEAD"]);
    assert!(push.env("PREFECT_PROFILE", "prod").status().unwrap().success());
    two.push(&[("PREFECT_PROFILE", "prod")]);
    two.staging.switch(Mode::Down);
    let run = two.scenario.flowreg().run(&["sync"]);
    assert_eq!(run.code, 8, "{run:?}");
    assert_eq!(two.waiting().as_array().unwrap().len(), 1);
    assert_eq!(two.waiting()[0]["target"]["profile"], "staging");
    assert!(two.prod.writes() > 0);
    two.staging.switch(Mode::Up);
    two.scenario.flowreg().json(&["sync"], 0);
    assert_eq!(two.waiting(), json!([]));
}
