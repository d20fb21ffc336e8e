//! What a push registers: exactly what the remote has afterwards (docs/facts/hooks.md).

use crate::support::push::{Scenario, on_every_git};

#[test]
fn the_first_push_of_a_branch_registers_it_and_the_next_one_its_new_commit() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let first = scenario.branch("feat/x");
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &first)]);
        let second = scenario.commit("second");
        scenario.push(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &first), ("feat/x", &second)]);
        let list = scenario.flowreg().json(&["list"], 0);
        assert_eq!(list["registrations"][0]["deployment"], "default@feat~x");
        // The reflog knew; nobody had to ask the remote.
        let log = scenario.status()["recent"].to_string();
        assert!(log.contains("confirmed by the reflog") && !log.contains("by the remote"), "{log}");
    });
}

#[test]
fn a_later_push_whose_flows_did_not_change_writes_nothing() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let first = scenario.branch("feat/x");
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.repository.write("README", "no flow");
        scenario.git(&["add", "-A"]);
        scenario.git(&["commit", "-q", "-m", "words"]);
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &first)]);
    });
}

#[test]
fn tags_of_every_kind_are_registered_at_the_commit_that_they_lead_to() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.commit("release");
        scenario.git(&["tag", "v1.0.0"]);
        scenario.push(&["origin", "v1.0.0"]);
        scenario.settled();
        let second = scenario.commit("release two");
        scenario.git(&["tag", "-a", "-m", "two", "v2.0.0"]);
        scenario.push(&["origin", "main", "v2.0.0"]);
        scenario.settled();
        let third = scenario.commit("release three");
        scenario.git(&["tag", "-a", "-m", "inner", "inner"]);
        scenario.git(&["tag", "-a", "-m", "three", "v3.0.0", "inner"]);
        scenario.push(&["origin", "v3.0.0"]);
        scenario.settled();
        scenario.assert_registered(&[("v1.0.0", &commit), ("v2.0.0", &second), ("v3.0.0", &third)]);
        let blob = scenario.git(&["hash-object", "-w", "flows/etl.py"]);
        scenario.git(&["tag", "v4.0.0", &blob]);
        scenario.push(&["origin", "v4.0.0"]);
        scenario.settled();
        assert_eq!(scenario.registered().len(), 3);
    });
}

#[test]
fn nothing_is_registered_for_a_dry_run_and_once_for_the_push_after_it() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.branch("feat/x");
        scenario.push(&["--dry-run", "origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[]);
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
    });
}

/// Somebody else pushes to a branch.
fn push_by_another(scenario: &Scenario, branch: &str) -> String {
    let clone = scenario.repository.outside().join("other");
    let up = scenario.up();
    scenario.git(&["clone", "-q", up.to_str().unwrap(), clone.to_str().unwrap()]);
    scenario.git_in(&clone, &["checkout", "-q", branch]);
    scenario.git_in(&clone, &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    scenario.git_in(&clone, &["push", "-q", "origin", branch]);
    scenario.git_in(&clone, &["rev-parse", "HEAD"])
}

#[test]
fn what_the_remote_refuses_is_not_registered() {
    on_every_git(|git| {
        // Not a fast-forward, known here: git does not even tell the hook.
        let scenario = Scenario::new(git);
        let first = scenario.branch("feat/x");
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.git(&["reset", "-q", "--hard", "HEAD~1"]);
        scenario.commit("other");
        assert_eq!(scenario.push(&["origin", "feat/x"]).code, 1);
        scenario.settled();
        // A lease that is stale.
        let lease = format!("--force-with-lease=feat/x:{}", "1".repeat(40));
        assert_eq!(scenario.push(&[&lease, "origin", "feat/x"]).code, 1);
        scenario.settled();
        // Fetch first: the hook is told of it as if it would go through.
        scenario.git(&["reset", "-q", "--hard", &first]);
        push_by_another(&scenario, "feat/x");
        scenario.commit("behind");
        assert_eq!(scenario.push(&["origin", "feat/x"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &first)]);
    });
}

#[test]
fn a_tag_that_exists_is_refused_and_registered_once_it_is_forced() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.git(&["push", "-q", "--no-verify", "origin", "main:refs/tags/v1.0.0"]);
        let commit = scenario.commit("moved");
        scenario.git(&["tag", "-f", "v1.0.0"]);
        assert_eq!(scenario.push(&["origin", "v1.0.0"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[]);
        scenario.push(&["-f", "origin", "v1.0.0"]);
        scenario.settled();
        scenario.assert_registered(&[("v1.0.0", &commit)]);
    });
}

const REFUSE_BAD: &str = "#!/bin/sh\ncase $1 in */bad) echo no >&2; exit 1;; esac\n";

#[test]
fn of_a_push_that_is_partly_refused_only_the_accepted_refs_are_registered() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.server_hook("update", REFUSE_BAD);
        scenario.branch("bad");
        let good = scenario.branch("good");
        assert_eq!(scenario.push(&["origin", "bad", "good"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[("good", &good)]);
        // All or none.
        scenario.commit("more");
        assert_eq!(scenario.push(&["--atomic", "origin", "bad", "good"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[("good", &good)]);
    });
}

#[test]
fn an_atomic_push_with_a_stale_ref_ends_and_registers_nothing() {
    on_every_git(|git| {
        // Before git 2.54 this never ends if a child of the hook keeps git's pipes.
        let scenario = Scenario::new(git);
        let good = scenario.branch("good");
        scenario.git(&["push", "-q", "--no-verify", "origin", "good"]);
        scenario.git(&["commit", "-q", "--amend", "-m", "rewritten"]);
        let other = scenario.branch("other");
        assert_eq!(scenario.push(&["--atomic", "origin", "good", "other"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[]);
        assert_ne!(good, other);
    });
}

#[test]
fn a_tracking_branch_that_is_at_the_pushed_commit_already_proves_nothing() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let first = scenario.branch("feat/x");
        scenario.git(&["push", "-q", "--no-verify", "origin", "feat/x"]);
        push_by_another(&scenario, "feat/x");
        scenario.server_hook("pre-receive", "#!/bin/sh\nexit 1\n");
        // Back to what the tracking branch says, over what is really there.
        assert_eq!(scenario.push(&["-f", "origin", "feat/x"]).code, 1);
        scenario.settled();
        scenario.assert_registered(&[]);
        assert_eq!(scenario.git(&["rev-parse", "origin/feat/x"]), first);
    });
}

#[test]
fn whatever_the_local_ref_is_called_the_ref_of_the_remote_counts() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.branch("two-words");
        scenario.git(&["commit", "-q", "--amend", "-m", "two words in it"]);
        let commit = scenario.git(&["rev-parse", "HEAD"]).replace(&commit, "");
        scenario.push(&["origin", ":/two words:refs/heads/by-message"]);
        scenario.settled();
        scenario.push(&["origin", "HEAD:refs/heads/by-head"]);
        scenario.settled();
        scenario.push(&["origin", &format!("{commit}:refs/heads/by-id")]);
        scenario.settled();
        scenario.git(&["checkout", "-q", "--detach"]);
        let detached = scenario.commit("detached");
        scenario.push(&["origin", "HEAD:refs/heads/detached"]);
        scenario.settled();
        scenario.assert_registered(&[
            ("by-message", &commit),
            ("by-head", &commit),
            ("by-id", &commit),
            ("detached", &detached),
        ]);
    });
}

#[test]
fn many_branches_at_once_are_all_registered() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.branch("b00");
        for number in 1..50 {
            scenario.git(&["branch", &format!("b{number:02}")]);
        }
        scenario.push(&["-q", "--all", "origin"]);
        scenario.settled();
        let mut registered = scenario.registered();
        registered.sort();
        let expected: Vec<_> =
            (0..50).map(|number| (format!("b{number:02}"), commit.clone())).collect();
        assert_eq!(registered, expected);
    });
}

#[test]
fn of_quick_pushes_to_one_branch_the_newest_is_registered_last() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.branch("feat/x");
        let mut newest = String::new();
        for number in 0..5 {
            newest = scenario.commit(&format!("push {number}"));
            assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 0);
        }
        scenario.settled();
        let registered = scenario.registered();
        assert_eq!(registered.last().unwrap(), &("feat/x".to_owned(), newest));
        let list = scenario.flowreg().json(&["list"], 0);
        assert_eq!(list["registrations"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn a_push_by_address_is_registered_if_the_remote_has_that_address() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.branch("feat/x");
        scenario.push(&["../up.git", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
        scenario.git(&["init", "-q", "--bare", "../elsewhere.git"]);
        scenario.commit("elsewhere");
        scenario.push(&["../elsewhere.git", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
        assert!(scenario.status()["recent"].to_string().contains("workers clone from origin"));
    });
}

#[test]
fn a_repository_of_sha_256_is_pushed_registered_and_deleted() {
    on_every_git(|git| {
        let scenario = Scenario::with(git, &["-b", "main", "--object-format=sha256"]);
        let commit = scenario.branch("feat/x");
        assert_eq!(commit.len(), 64);
        scenario.push(&["origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
        scenario.push(&["origin", ":feat/x"]);
        assert_eq!(scenario.left()[0]["kind"], "deletion");
        scenario.flowreg().json(&["sync"], 0);
        assert_eq!(
            scenario.flowreg().json(&["list"], 0)["registrations"][0],
            serde_json::Value::Null
        );
    });
}

#[test]
fn linked_worktrees_share_the_outbox() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let tree = scenario.repository.outside().join("tree");
        scenario.git(&["worktree", "add", "-q", "-b", "feat/x", tree.to_str().unwrap()]);
        let commit = scenario.git(&["rev-parse", "feat/x"]);
        // The copy of a linked worktree points at the original: no comparison here.
        let below = tree.join("flows");
        let pushed =
            scenario.git_command(&below, &["push", "-q", "origin", "feat/x"]).output().unwrap();
        assert!(pushed.status.success());
        assert!(pushed.stdout.is_empty() && pushed.stderr.is_empty());
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
        assert!(scenario.repository.root().join(".git/flowreg/outbox/log").exists());
    });
}

#[test]
fn a_push_from_a_bare_repository_and_with_git_dir_from_elsewhere_is_registered() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.branch("feat/x");
        let git_dir = scenario.repository.root().join(".git");
        let pushed = scenario
            .git_command(std::path::Path::new("/"), &["push", "-q", "origin", "feat/x"])
            .env("GIT_DIR", &git_dir)
            .env("GIT_WORK_TREE", scenario.repository.root())
            .output()
            .unwrap();
        // A relative address begins where git stands.
        assert!(!pushed.status.success());
        let up = scenario.up();
        scenario.git(&["remote", "set-url", "origin", up.to_str().unwrap()]);
        let pushed = scenario
            .git_command(std::path::Path::new("/"), &["push", "-q", "origin", "feat/x"])
            .env("GIT_DIR", &git_dir)
            .env("GIT_WORK_TREE", scenario.repository.root())
            .output()
            .unwrap();
        assert!(pushed.status.success(), "{pushed:?}");
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);

        let bare = scenario.repository.outside().join("source.git");
        scenario.git(&["clone", "-q", "--bare", up.to_str().unwrap(), bare.to_str().unwrap()]);
        let hook = scenario.repository.root().join(".git/hooks/pre-push");
        std::fs::copy(hook, bare.join("hooks/pre-push")).unwrap();
        let arguments = ["push", "-q", up.to_str().unwrap(), "feat/x:refs/heads/feat/y"];
        let pushed = scenario.git_command(&bare, &arguments).output().unwrap();
        assert!(pushed.status.success(), "{pushed:?}");
        crate::support::prefect::wait_for("the bare repository registers", 30, || {
            let registered = crate::support::push::registered_in(&bare);
            (registered == [("feat/y".to_owned(), commit.clone())]).then_some(())
        });
    });
}

#[test]
fn a_client_that_is_killed_while_the_server_thinks_still_gets_its_push_registered() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let began = scenario.repository.outside().join("began");
        scenario.server_hook(
            "pre-receive",
            &format!("#!/bin/sh\ntrap '' PIPE\n: >'{}'\nsleep 0.3\nexit 0\n", began.display()),
        );
        let commit = scenario.branch("feat/x");
        let mut push = scenario
            .git_command(scenario.repository.root(), &["push", "-q", "origin", "feat/x"])
            .spawn()
            .unwrap();
        crate::support::prefect::wait_for("the server began", 30, || began.exists().then_some(()));
        push.kill().unwrap();
        push.wait().unwrap();
        scenario.settled();
        let there = scenario.git(&["ls-remote", "origin", "refs/heads/feat/x"]);
        let expected: &[(&str, &str)] =
            if there.is_empty() { &[] } else { &[("feat/x", commit.as_str())] };
        scenario.assert_registered(expected);
    });
}

#[test]
fn a_deleted_branch_marks_its_registrations_and_sync_removes_them() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let commit = scenario.branch("feat/x");
        scenario.push(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.push(&["-q", "origin", "--delete", "feat/x"]);
        let left = scenario.left();
        assert_eq!((&left[0]["kind"], &left[0]["state"]), (&"deletion".into(), &"removal".into()));
        let deployments = || scenario.flowreg().json(&["list"], 0)["registrations"].clone();
        assert_eq!(deployments().as_array().unwrap().len(), 1);
        scenario.flowreg().json(&["sync"], 0);
        assert_eq!(deployments().as_array().unwrap().len(), 0);
        scenario.assert_registered(&[("feat/x", &commit), ("feat/x", &commit)]);
        // It is back before anybody syncs: nothing is removed.
        scenario.push(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.push(&["-q", "origin", ":feat/x"]);
        scenario.left();
        scenario.push(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.flowreg().json(&["sync"], 0);
        assert_eq!(deployments().as_array().unwrap().len(), 1);
        // Somebody else brings it back: the remote is asked before anything is removed.
        scenario.push(&["-q", "origin", ":feat/x"]);
        scenario.left();
        scenario.git(&["push", "-q", "--no-verify", "origin", "feat/x"]);
        std::thread::sleep(std::time::Duration::from_secs(1));
        let synced = scenario.flowreg().json(&["sync"], 0);
        assert_eq!(synced["dropped"][0]["reason"], "the branch is still on the remote");
        assert_eq!(deployments().as_array().unwrap().len(), 1);
    });
}

#[test]
fn registrations_of_a_deleted_branch_stay_where_the_configuration_says_so() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.repository.write("flowreg.toml", "[feature]\non_delete = \"keep\"\n");
        scenario.branch("feat/x");
        scenario.push(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.push(&["-q", "origin", ":feat/x"]);
        scenario.settled();
        let list = scenario.flowreg().json(&["list"], 0);
        assert_eq!(list["registrations"].as_array().unwrap().len(), 1);
    });
}

#[test]
fn pushes_of_refs_that_are_no_code_leave_no_trace() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.push(&[
            "origin",
            "HEAD:refs/notes/x",
            "HEAD:refs/for/main",
            "HEAD:refs/deploy/prod",
        ]);
        assert!(scenario.left().is_empty());
        scenario.assert_registered(&[]);
        // A mirror sends everything: what is a branch or a tag counts.
        let commit = scenario.branch("feat/m");
        scenario.git(&["config", "remote.origin.mirror", "true"]);
        scenario.push(&["-q", "origin"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/m", &commit)]);
    });
}

#[test]
fn the_watcher_holds_no_descriptor_and_leaves_the_session() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).env("FLOWREG_RECHECKS", "3");
        // The remote refuses, so the watcher waits a while.
        scenario.server_hook("pre-receive", "#!/bin/sh\nexit 1\n");
        scenario.branch("feat/x");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
        let watcher = crate::support::prefect::wait_for("there is a watcher", 10, || {
            find_watcher(scenario.repository.root())
        });
        let descriptors: Vec<_> = std::fs::read_dir(format!("/proc/{watcher}/fd"))
            .unwrap()
            .flatten()
            .filter_map(|entry| std::fs::read_link(entry.path()).ok())
            .map(|target| target.display().to_string())
            .filter(|target| !target.contains("/flowreg/outbox"))
            .collect();
        assert!(descriptors.iter().all(|target| target == "/dev/null"), "{descriptors:?}");
        let stat = std::fs::read_to_string(format!("/proc/{watcher}/stat")).unwrap();
        let session =
            stat.rsplit(')').next().unwrap().split_whitespace().nth(3).unwrap().to_owned();
        assert_eq!(session, watcher.to_string());
        assert_eq!(std::fs::read_link(format!("/proc/{watcher}/cwd")).unwrap().to_str(), Some("/"));
        scenario.settled();
        scenario.assert_registered(&[]);
    });
}

fn find_watcher(root: &std::path::Path) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        line.contains(root.to_str().unwrap()) && line.contains("hook watch")
    })
}

#[test]
fn a_push_through_a_pipe_does_not_wait_for_the_watcher() {
    on_every_git(|git| {
        let scenario = Scenario::new(git).env("FLOWREG_RECHECKS", "5");
        scenario.server_hook("pre-receive", "#!/bin/sh\nexit 1\n");
        scenario.branch("feat/x");
        // `output()` reads both pipes to their end: it returns when nobody holds them any more.
        // A push that had waited for the watcher would leave none behind. On a busy machine the
        // watcher may still be on its way, so it is looked for a while.
        assert_eq!(scenario.push_only(&["origin", "feat/x"]).code, 1);
        crate::support::prefect::wait_for("there is a watcher", 10, || {
            find_watcher(scenario.repository.root())
        });
        scenario.settled();
    });
}

#[test]
fn a_submodule_has_an_outbox_of_its_own() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let up = scenario.repository.outside().join("sub.git");
        scenario.git(&["clone", "-q", "--bare", "../up.git", up.to_str().unwrap()]);
        let allow = "protocol.file.allow=always";
        scenario.git(&["-c", allow, "submodule", "--quiet", "add", up.to_str().unwrap(), "sub"]);
        let sub = scenario.repository.root().join("sub");
        scenario.flowreg_in(&sub).json(&["hooks", "install"], 0);
        let git_dir = scenario.repository.root().join(".git/modules/sub");
        assert!(git_dir.join("hooks/pre-push").exists());
        scenario.git_in(&sub, &["checkout", "-q", "-b", "feat/x"]);
        scenario.git_in(&sub, &["commit", "-q", "--allow-empty", "-m", "in the submodule"]);
        let commit = scenario.git_in(&sub, &["rev-parse", "HEAD"]);
        scenario.git_in(&sub, &["push", "-q", "origin", "feat/x"]);
        crate::support::prefect::wait_for("the submodule registers", 30, || {
            let registered = crate::support::push::registered_in(&git_dir);
            (registered == [("feat/x".to_owned(), commit.clone())]).then_some(())
        });
        assert!(!scenario.repository.root().join(".git/flowreg/outbox").exists());
    });
}
