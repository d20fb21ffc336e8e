//! `post-receive` in a bare repository: exactly what was received, and nobody waits for it.

use std::path::PathBuf;

use crate::support::prefect::wait_for;
use crate::support::push::{Scenario, on_every_git, registered_in};

/// The remote has our hook; the one who pushes has none.
struct Receiving {
    scenario: Scenario,
    up: PathBuf,
}

impl Receiving {
    fn new(git: &std::path::Path) -> Self {
        let scenario = Scenario::new(git);
        scenario.flowreg().json(&["hooks", "uninstall"], 0);
        let up = scenario.up();
        let installed = scenario.flowreg_in(&up).json(&["hooks", "install", "--server"], 0);
        assert_eq!(installed["hooks"][0]["action"], "installed");
        Self { scenario, up }
    }

    fn wait(&self, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, commit)| ((*name).to_owned(), (*commit).to_owned()))
            .collect();
        wait_for("the server registers", 30, || {
            let mut registered = registered_in(&self.up);
            registered.sort();
            (registered == expected).then_some(())
        });
        wait_for("nothing waits", 30, || {
            let status = self.scenario.flowreg_in(&self.up).json(&["sync", "--status"], 0);
            (status["watched"] == false).then_some(())
        });
    }
}

#[test]
fn what_was_received_is_registered_and_the_rest_is_not() {
    on_every_git(|git| {
        let receiving = Receiving::new(git);
        let scenario = &receiving.scenario;
        scenario.server_hook("update", "#!/bin/sh\ncase $1 in */bad) exit 1;; esac\n");
        scenario.git(&["push", "-q", "origin", "main"]);
        let commit = scenario.branch("feat/x");
        scenario.git(&["branch", "bad"]);
        scenario.git(&["tag", "-a", "-m", "one", "v1.0.0"]);
        let pushed = scenario.push_only(&["origin", "feat/x", "bad", "v1.0.0"]);
        assert_eq!((pushed.code, pushed.stdout.as_str()), (1, ""), "{pushed:?}");
        let said = pushed.stderr.lines().filter(|line| line.contains("flowreg")).count();
        assert_eq!(said, 1, "{pushed:?}");
        receiving.wait(&[("feat/x", &commit), ("v1.0.0", &commit)]);
        // A branch that goes: only sync removes.
        scenario.git(&["push", "-q", "origin", ":feat/x"]);
        wait_for("the deletion is queued", 30, || {
            let status = scenario.flowreg_in(&receiving.up).json(&["sync", "--status"], 0);
            (status["waiting"][0]["state"] == "removal").then_some(())
        });
        scenario.flowreg_in(&receiving.up).json(&["sync"], 0);
        let list = scenario.flowreg_in(&receiving.up).json(&["list"], 0);
        assert_eq!(list["registrations"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn nothing_that_was_pushed_is_run_on_the_server() {
    on_every_git(|git| {
        let receiving = Receiving::new(git);
        let scenario = &receiving.scenario;
        let trace = scenario.repository.outside().join("it-ran");
        scenario.repository.write("flowreg.toml", "[flows]\nintrospect = \"always\"\n");
        scenario.repository.write(
            "flows/evil.py",
            format!(
                "import os\nfrom prefect import flow\nopen({:?}, 'w')\n\n\n\
                 @flow(name=os.environ['X'])\ndef evil(n=os.environ['Y']):\n    ...\n",
                trace.to_str().unwrap()
            ),
        );
        let commit = scenario.branch("feat/x");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        wait_for("the push is dealt with", 30, || {
            let log = scenario.flowreg_in(&receiving.up).json(&["sync", "--status"], 0);
            let is_done = log["recent"].as_array().unwrap().len() > 1;
            (is_done && log["watched"] == false).then_some(())
        });
        assert!(registered_in(&receiving.up).iter().all(|(_, at)| *at == commit));
        assert!(!registered_in(&receiving.up).is_empty());
        assert!(!trace.exists());
    });
}

#[test]
fn the_client_does_not_wait_and_a_failure_is_none_of_its_business() {
    on_every_git(|git| {
        let receiving = Receiving::new(git);
        let scenario = &receiving.scenario;
        std::fs::remove_dir_all(receiving.up.join("flowreg")).ok();
        std::fs::write(receiving.up.join("flowreg"), "in the way").unwrap();
        scenario.branch("feat/x");
        let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
        assert_eq!((pushed.code, pushed.stdout.as_str()), (0, ""), "{pushed:?}");
        assert!(pushed.stderr.lines().count() <= 1, "{pushed:?}");
    });
}

#[test]
fn a_directory_for_post_receive_is_used_and_a_work_tree_refused() {
    on_every_git(|git| {
        let receiving = Receiving::new(git);
        let scenario = &receiving.scenario;
        scenario.flowreg_in(&receiving.up).json(&["hooks", "uninstall"], 0);
        std::fs::create_dir(receiving.up.join("hooks/post-receive.d")).unwrap();
        let installed =
            scenario.flowreg_in(&receiving.up).json(&["hooks", "install", "--server"], 0);
        assert!(receiving.up.join("hooks/post-receive.d/flowreg").exists());
        assert!(!receiving.up.join("hooks/post-receive").exists());
        // Git itself does not look there.
        assert!(installed["hooks"][0]["notes"].to_string().contains("post-receive.d"));
        let status = scenario.flowreg_in(&receiving.up).json(&["hooks", "status"], 1);
        assert_eq!(status["problems"][0]["code"], "not_run");
        // As Gitea and Forgejo run it.
        scenario.server_hook(
            "post-receive",
            "#!/bin/sh\ndata=$(cat)\nfor hook in hooks/post-receive.d/*; do\n  \
             echo \"$data\" | \"$hook\" || exit 1\ndone\n",
        );
        let status = scenario.flowreg_in(&receiving.up).json(&["hooks", "status"], 0);
        assert_eq!(status["state"], "installed");
        let commit = scenario.branch("feat/x");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        receiving.wait(&[("feat/x", &commit)]);
        let refused = scenario.flowreg().json(&["hooks", "install", "--server"], 1);
        assert_eq!(refused["error"]["code"], "not_bare");
    });
}

#[test]
fn nobody_who_pushes_gets_to_see_the_environment_of_the_server() {
    on_every_git(|git| {
        let receiving = Receiving::new(git);
        let scenario = &receiving.scenario;
        scenario.repository.write(
            "prefect.yaml",
            "deployments:\n  - name: x\n    entrypoint: flows/etl.py:etl\n    \
             description: \"{{ $HOME }}\"\n",
        );
        scenario.branch("feat/x");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        let status = wait_for("the push is dealt with", 30, || {
            let status = scenario.flowreg_in(&receiving.up).json(&["sync", "--status"], 0);
            (status["waiting"][0]["state"] == "refused").then_some(status)
        });
        assert!(status["waiting"][0]["reason"].as_str().unwrap().contains("HOME"), "{status}");
        assert!(registered_in(&receiving.up).is_empty());
    });
}

#[test]
fn status_proposes_the_hook_of_the_server() {
    on_every_git(|git| {
        let receiving = Receiving::new(git);
        let hook = receiving.up.join("hooks/post-receive");
        let ours = std::fs::read_to_string(&hook).unwrap();
        std::fs::write(&hook, format!("{ours}# by hand\n")).unwrap();
        let flowreg = receiving.scenario.flowreg_in(&receiving.up);
        let status: serde_json::Value =
            serde_json::from_str(&flowreg.run(&["hooks", "status", "--format", "json"]).stdout)
                .unwrap();
        let hint = "flowreg hooks install --server --force";
        assert_eq!(status["problems"][0]["hint"], hint, "{status}");
    });
}
