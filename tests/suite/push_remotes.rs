//! Pushes over a network: `git daemon` and smart http, also where nobody may be asked for a
//! password.

use crate::support::push::{Scenario, on_every_git, write_script};
use crate::support::remotes::{Daemon, SmartHttp};

fn branch_tag_and_refusal(scenario: &Scenario, url: &str) {
    scenario.git(&["remote", "set-url", "origin", url]);
    let first = scenario.branch("feat/x");
    scenario.push(&["origin", "feat/x"]);
    scenario.settled();
    scenario.git(&["tag", "-a", "-m", "one", "v1.0.0"]);
    scenario.push(&["--porcelain", "origin", "v1.0.0"]);
    scenario.settled();
    scenario.assert_registered(&[("feat/x", &first), ("v1.0.0", &first)]);
    scenario.server_hook("update", "#!/bin/sh\ncase $1 in */bad) exit 1;; esac\n");
    scenario.git(&["branch", "bad"]);
    let second = scenario.commit("second");
    assert_eq!(scenario.push(&["origin", "feat/x", "bad"]).code, 1);
    scenario.settled();
    scenario.assert_registered(&[("feat/x", &first), ("v1.0.0", &first), ("feat/x", &second)]);
    // The path on which a child that keeps git's pipes would hang it, one more over http.
    scenario.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
    scenario.branch("more");
    assert_eq!(scenario.push(&["--atomic", "origin", "feat/x", "more"]).code, 1);
    scenario.settled();
    assert_eq!(scenario.registered().len(), 3);
}

/// The copy that a push is compared with is pushed to the same server: everything is undone there.
#[test]
fn pushes_to_a_git_daemon_are_confirmed() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).with_copied_remote();
        let daemon = Daemon::start(git, &std::env::temp_dir());
        branch_tag_and_refusal(&scenario, &daemon.url(&scenario.up_from_temporary()));
    });
}

#[test]
fn pushes_over_smart_http_are_confirmed() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).with_copied_remote();
        let server = SmartHttp::start(git, &std::env::temp_dir(), None);
        branch_tag_and_refusal(&scenario, &server.url(&scenario.up_from_temporary()));
    });
}

#[test]
fn nobody_is_asked_for_a_password_and_what_is_not_known_stays() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let server = SmartHttp::start(git, scenario.repository.outside(), Some("s3cret"));
        let asked = scenario.repository.outside().join("asked");
        let askpass = scenario.repository.outside().join("askpass");
        write_script(&askpass, &format!("#!/bin/sh\necho >'{}'\n", asked.display()));
        let scenario = scenario
            .env("GIT_ASKPASS", askpass.to_str().unwrap())
            .env("SSH_ASKPASS", askpass.to_str().unwrap());
        // The password is only in the address on the command line.
        let commit = scenario.branch("feat/x");
        scenario.git(&["remote", "set-url", "origin", &server.url("up.git")]);
        let pushed = scenario.push_only(&["-q", &server.url_with("s3cret", "up.git"), "feat/x"]);
        assert_eq!((pushed.code, pushed.stdout.as_str()), (0, ""), "{pushed:?}");
        let left = scenario.left();
        assert_eq!(left[0]["state"], "unanswered", "{left:?}");
        assert!(!asked.exists());
        assert!(server.unauthorized() > 0);
        scenario.assert_registered(&[]);
        let store = scenario.repository.root().join(".git/flowreg/outbox");
        for file in std::fs::read_dir(store).unwrap().flatten() {
            assert!(!std::fs::read_to_string(file.path()).unwrap().contains("s3cret"), "{file:?}");
        }
        // Once the remote is known with it, it is asked by its name.
        let with = server.url_with("s3cret", "up.git");
        scenario.git(&["remote", "set-url", "origin", &with]);
        scenario.flowreg().json(&["sync"], 0);
        scenario.assert_registered(&[("feat/x", &commit)]);
    });
}
