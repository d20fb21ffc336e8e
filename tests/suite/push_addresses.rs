//! Several addresses of one repository, several push URLs, and work trees that go: what counts is where
//! workers clone from.

use std::path::Path;

use crate::support::push::{Scenario, on_every_git};

/// `origin` is fetched from `up.git` and pushed to these, in this order.
fn pushed_to(scenario: &Scenario, urls: &[&str]) {
    for url in urls {
        scenario.git(&["remote", "set-url", "--add", "--push", "origin", url]);
    }
}

fn refuse(repository: &Path) {
    let hook = repository.join("hooks/pre-receive");
    crate::support::push::write_script(&hook, "#!/bin/sh\nexit 1\n");
}

#[test]
fn of_two_push_urls_the_one_that_workers_clone_from_counts() {
    on_every_git(|git| {
        for order in [["UP", "MIRROR"], ["MIRROR", "UP"], ["file://MIRROR", "file://UP"]] {
            let scenario = Scenario::new(git);
            scenario.git(&["init", "-q", "--bare", "../mirror.git"]);
            let outside = scenario.repository.outside().display().to_string();
            let written = |url: &str| {
                let url = url.replace("MIRROR", &format!("{outside}/mirror.git"));
                url.replace("UP", &format!("{outside}/up.git"))
            };
            pushed_to(&scenario, &order.map(written).each_ref().map(String::as_str));
            let commit = scenario.branch("feat/x");
            assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 0);
            scenario.settled();
            scenario.assert_registered(&[("feat/x", &commit)]);
            let log = scenario.status()["recent"].to_string();
            assert!(!log.contains("by the reflog"), "{log}");
            assert!(log.contains("workers clone from"), "{log}");
            // The mirror takes it, and the tracking branch moves; workers could not clone it.
            refuse(&scenario.up());
            scenario.commit("refused");
            assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
            scenario.settled();
            scenario.assert_registered(&[("feat/x", &commit)]);
        }
    });
}

#[test]
fn what_the_workers_address_refused_does_not_wait_once_git_has_gone_on_to_the_other() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).in_ci();
        scenario.git(&["init", "-q", "--bare", "../mirror.git"]);
        pushed_to(&scenario, &["../up.git", "../mirror.git"]);
        refuse(&scenario.up());
        scenario.branch("feat/x");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
        let synced = scenario.flowreg().json(&["sync"], 0);
        assert_eq!(synced["waiting"], serde_json::json!([]), "{synced}");
        let dropped = synced["dropped"].to_string();
        assert!(dropped.contains("the remote does not have it"), "{synced}");
        assert!(scenario.registered().is_empty());
        // The last one may be a server that goes on after its client is gone: nobody knows yet.
        scenario.git(&["config", "--unset-all", "remote.origin.pushurl"]);
        pushed_to(&scenario, &["../mirror.git", "../up.git"]);
        scenario.commit("second");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
        let synced = scenario.flowreg().json(&["sync"], 7);
        assert_eq!(synced["waiting"][0]["state"], "unconfirmed", "{synced}");
    });
}

#[test]
fn a_mirror_that_refuses_or_is_gone_is_nobody_s_business() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).in_ci();
        scenario.git(&["init", "-q", "--bare", "../mirror.git"]);
        let mirror = scenario.repository.outside().join("mirror.git");
        pushed_to(&scenario, &["../up.git", "../mirror.git"]);
        refuse(&mirror);
        let first = scenario.branch("feat/x");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
        std::fs::remove_dir_all(&mirror).unwrap();
        let synced = scenario.flowreg().json(&["sync"], 0);
        assert_eq!(synced["waiting"], serde_json::json!([]), "{synced}");
        scenario.assert_registered(&[("feat/x", &first)]);
    });
}

#[test]
fn where_the_settings_name_the_url_of_the_workers_that_one_counts() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let mirror = scenario.repository.outside().join("mirror.git");
        scenario.git(&["init", "-q", "--bare", mirror.to_str().unwrap()]);
        pushed_to(&scenario, &["../mirror.git", "../up.git"]);
        let url = format!("file://{}", mirror.display());
        scenario.repository.write("flowreg.toml", format!("[repository]\nurl = \"{url}\"\n"));
        refuse(&scenario.up());
        let commit = scenario.branch("feat/x");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
        refuse(&mirror);
        scenario.server_hook("pre-receive", "#!/bin/sh\nexit 0\n");
        scenario.commit("only where nobody clones from");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
    });
}

#[test]
fn a_path_and_its_file_url_are_one_address() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let path = scenario.repository.outside().join("up of all.git");
        std::fs::rename(scenario.up(), &path).unwrap();
        let path = path.display().to_string();
        let urls = [
            path.clone(),
            "../up of all.git".to_owned(),
            format!("file://{path}"),
            format!("file://localhost{path}"),
            format!("file://{}", path.replace(' ', "%20")),
            format!("{path}/"),
        ];
        let mut expected = Vec::new();
        for (number, remote) in urls.iter().enumerate() {
            scenario.git(&["remote", "set-url", "origin", remote]);
            for (other, pushed) in urls.iter().enumerate() {
                if pushed.contains("localhost") || remote.contains("localhost") {
                    continue;
                }
                let branch = format!("feat/{number}-{other}");
                let commit = scenario.branch(&branch);
                let pushed = scenario.push_only(&["-q", pushed, &branch]);
                assert_eq!(pushed.code, 0, "{remote}: {pushed:?}");
                scenario.settled();
                expected.push((branch, commit));
                assert_eq!(scenario.registered(), expected, "{remote} {:?}", scenario.status());
            }
        }
    });
}

#[test]
fn a_linked_work_tree_that_goes_after_its_push_is_delivered_from_the_common_directory() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let tree = scenario.repository.outside().join("tree");
        scenario.git(&["worktree", "add", "-q", "-b", "feat/x", tree.to_str().unwrap()]);
        let commit = scenario.git(&["rev-parse", "feat/x"]);
        // While git still waits for the remote, so that nobody could have looked at it before.
        let script = format!(
            "#!/bin/sh\nunset GIT_DIR GIT_QUARANTINE_PATH\ngit -C '{}' worktree remove --force '{}'\n",
            scenario.repository.root().display(),
            tree.display()
        );
        scenario.server_hook("post-receive", &script);
        let pushed =
            scenario.git_command(&tree, &["push", "-q", "origin", "feat/x"]).output().unwrap();
        assert!(!tree.exists(), "{pushed:?}");
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
    });
}
