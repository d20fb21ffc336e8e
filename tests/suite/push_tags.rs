//! Several tags in one push: the highest of each series is registered, once.

use crate::support::push::{Scenario, gits, on_every_git};

/// Makes a commit for each tag, the oldest first.
fn tagged(scenario: &Scenario, tags: &[&str]) -> Vec<String> {
    let commit = |tag: &&str| {
        let commit = scenario.commit(tag);
        scenario.git(&["tag", tag]);
        commit
    };
    tags.iter().map(commit).collect()
}

#[test]
fn of_several_tags_in_one_push_the_highest_is_registered_once() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commits = tagged(&scenario, &["v1.2.0", "v1.10.0", "v1.9.0", "nightly"]);
        scenario.push(&["-q", "--tags", "origin"]);
        scenario.settled();
        scenario.assert_registered(&[("v1.10.0", &commits[1])]);
        let log = scenario.status()["recent"].to_string();
        for tag in ["v1.2.0", "v1.9.0", "nightly"] {
            let line = log.split("refs/tags/").find(|line| line.starts_with(&format!("{tag} ")));
            assert!(line.is_some(), "{tag}: {log}");
        }
        assert_eq!(log.matches("not registered: v1.10.0 landed as well").count(), 3, "{log}");
        // Without a version, a tag is what somebody wants to have registered.
        let scenario = Scenario::new(git);
        let commits = tagged(&scenario, &["stable"]);
        scenario.push(&["-q", "origin", "stable"]);
        scenario.settled();
        scenario.assert_registered(&[("stable", &commits[0])]);
    });
}

#[test]
fn a_tag_that_the_remote_refused_outdoes_none() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commits = tagged(&scenario, &["v1.9.0", "v1.10.0"]);
        scenario.server_hook("update", "#!/bin/sh\ncase $1 in */v1.10.0) exit 1;; esac\n");
        assert_eq!(scenario.push(&["-q", "--tags", "origin"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[("v1.9.0", &commits[0])]);
    });
}

#[test]
fn each_package_is_registered_at_its_own_highest_tag() {
    let scenario = Scenario::new(&gits()[0]);
    let flow = "from prefect import flow\n\n\n@flow\ndef train():\n    ...\n";
    scenario.repository.write("ml/train.py", flow);
    scenario.repository.write(
        "flowreg.toml",
        "[tag.package.etl]\npaths = [\"flows\"]\n[tag.package.ml]\npaths = [\"ml\"]\n",
    );
    tagged(&scenario, &["etl/v1.9.0", "etl/v1.10.0", "ml/v2.0.0", "ml/v0.1.0"]);
    scenario.push(&["-q", "--tags", "origin"]);
    scenario.settled();
    let mut names: Vec<String> = scenario.registered().into_iter().map(|(name, _)| name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names, ["etl/v1.10.0", "ml/v2.0.0"], "{}", scenario.status());
    assert_eq!(scenario.status()["waiting"], serde_json::json!([]));
}

#[test]
fn where_series_are_declared_a_tag_of_none_is_not_registered_by_a_push() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.repository.write("flowreg.toml", "[tag]\nprefix = \"v\"\n");
    let commits = tagged(&scenario, &["v1.1.0", "web-v9.0.0"]);
    scenario.push(&["-q", "origin", "v1.1.0"]);
    scenario.settled();
    scenario.push(&["-q", "origin", "web-v9.0.0"]);
    scenario.settled();
    scenario.assert_registered(&[("v1.1.0", &commits[0])]);
    let log = scenario.status()["recent"].to_string();
    assert!(log.contains("web-v9.0.0 is a version of no series under [tag]"), "{log}");
}
