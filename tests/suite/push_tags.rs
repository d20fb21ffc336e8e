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
        let higher = "not registered: v1.10.0 landed as well, and is higher";
        assert_eq!(log.matches(higher).count(), 2, "{log}");
        let no_version = "not registered: nightly is a version of no series (v…); to register this one: \
                          flowreg register --tag nightly";
        assert!(log.contains(no_version), "{log}");
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
    assert!(log.contains("web-v9.0.0 is a version of no series (v…)"), "{log}");
}

#[test]
fn where_two_series_fit_a_push_registers_none_of_them() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commits = tagged(&scenario, &["v1.5.0"]);
        scenario.push(&["-q", "origin", "v1.5.0"]);
        scenario.settled();
        tagged(&scenario, &["1.4.2", "v1.6.0"]);
        for tag in ["1.4.2", "v1.6.0"] {
            scenario.push(&["-q", "origin", tag]);
            scenario.settled();
            let log = scenario.status()["recent"].to_string();
            let told = format!(
                "not registered: the tags are versions of several series: 1.4.2, v1.6.0; \
                 [tag] prefix in flowreg.toml says which it is; to register this one: flowreg register --tag {tag}"
            );
            assert!(log.contains(&told), "{log}");
        }
        scenario.assert_registered(&[("v1.5.0", &commits[0])]);
    });
}

#[test]
fn a_tag_beside_the_series_that_is_found_is_not_registered_by_a_push() {
    let scenario = Scenario::new(&gits()[0]);
    let commits = tagged(&scenario, &["v1.5.0"]);
    scenario.push(&["-q", "origin", "v1.5.0"]);
    scenario.settled();
    let tags = ["release-1", "other-v9", "nightly", "etl/v2.0.0", "build-12"];
    tagged(&scenario, &tags);
    for tag in tags {
        scenario.push(&["-q", "origin", tag]);
        scenario.settled();
        let log = scenario.status()["recent"].to_string();
        let told = format!("not registered: {tag} is a version of no series (v…)");
        assert!(log.contains(&told), "{log}");
    }
    scenario.assert_registered(&[("v1.5.0", &commits[0])]);
}
