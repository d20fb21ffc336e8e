//! Hook, watcher and sync are killed at many points: nothing is lost, nothing is registered that
//! the remote does not have, and nothing twice.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flowreg_model::Field;

use crate::support::push::{Scenario, gits};

/// How often each of them is killed.
const TIMES: u64 = 25;

/// Kills a process that works in, or was started for, the repository, this long after it is there.
fn kill_when_seen(root: &Path, words: &str, after: Duration, patience: Duration) -> bool {
    let started = Instant::now();
    while started.elapsed() < patience {
        if let Some(id) = find(root, words) {
            std::thread::sleep(after);
            let _ = std::process::Command::new("kill")
                .args(["-KILL", &id.to_string()])
                .stderr(std::process::Stdio::null())
                .status();
            return true;
        }
    }
    false
}

fn find(root: &Path, words: &str) -> Option<u32> {
    let processes = std::fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    ids.find(|id| {
        let line = std::fs::read(format!("/proc/{id}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if !line.contains(words) || !line.contains("flowreg") || line.contains("/bin/sh") {
            return false;
        }
        let directory = std::fs::read_link(format!("/proc/{id}/cwd")).unwrap_or_default();
        directory == root || line.contains(root.to_str().unwrap())
    })
}

/// The branches of the remote and their commits.
fn on_remote(scenario: &Scenario) -> BTreeMap<String, String> {
    let listing = scenario.git(&["ls-remote", "origin", "refs/heads/feat/*"]);
    let lines = listing.lines().filter_map(|line| line.split_once("\trefs/heads/"));
    lines.map(|(commit, name)| (name.to_owned(), commit.to_owned())).collect()
}

/// What the embedded registry holds: branch and description, which names the commit.
fn held(scenario: &Scenario) -> BTreeMap<String, String> {
    let store = flowreg::store::Store::open(&scenario.repository.root().join(".git")).unwrap();
    let rows = store.registrations().unwrap().into_iter();
    rows.map(|row| {
        let description = row.fields.text(Field::Description).unwrap().to_owned();
        (row.marks.branch.unwrap(), description)
    })
    .collect()
}

fn assert_nothing_lost(scenario: &Scenario, expected: &BTreeMap<String, String>) {
    // Whoever still runs ends first; then what is left is delivered.
    scenario.unwatched();
    for _ in 0..20 {
        let run = scenario.flowreg().run(&["sync"]);
        if run.code == 0 {
            break;
        }
        std::thread::sleep(Duration::from_millis(200));
    }
    assert_eq!(scenario.left(), Vec::<serde_json::Value>::new());
    assert_eq!(held(scenario), *expected);
    let there = on_remote(scenario);
    let mut seen = BTreeMap::new();
    for (name, commit) in scenario.registered() {
        *seen.entry((name, commit)).or_insert(0) += 1;
    }
    for ((name, commit), count) in seen {
        assert_eq!(count, 1, "{name} {commit} was registered twice");
        let is_there = scenario
            .git_command(
                &scenario.up(),
                &["merge-base", "--is-ancestor", &commit, &format!("refs/heads/{name}")],
            )
            .status();
        assert!(is_there.unwrap().success(), "{name} {commit} is not on the remote: {there:?}");
    }
}

#[test]
fn a_hook_that_is_killed_loses_no_push() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.git(&["checkout", "-q", "-b", "feat/hook"]);
    let root: PathBuf = scenario.repository.root().canonicalize().unwrap();
    let (mut killed, mut expected) = (0, BTreeMap::new());
    for turn in 0..TIMES {
        let name = format!("feat/hook-{turn}");
        let description = format!("hook {turn}");
        scenario.commit(&description);
        let root = root.clone();
        let killer = std::thread::spawn(move || {
            let after = Duration::from_micros(turn * 400);
            kill_when_seen(&root, "hook pre-push", after, Duration::from_secs(3))
        });
        // One record in a file of its own, and three in one.
        let count = if turn % 2 == 0 { 1 } else { 3 };
        let names: Vec<String> = (0..count).map(|part| format!("{name}-{part}")).collect();
        let refs = names.iter().map(|name| format!("HEAD:refs/heads/{name}"));
        let refs: Vec<String> = refs.collect();
        let mut arguments = vec!["-q", "origin"];
        arguments.extend(refs.iter().map(String::as_str));
        let pushed = scenario.push_only(&arguments);
        // The shim sees the hook die, keeps what git said, and lets the push go on.
        assert_eq!((pushed.code, pushed.stdout.as_str()), (0, ""), "{pushed:?}");
        killed += u64::from(killer.join().unwrap());
        expected.extend(names.into_iter().map(|name| (name, description.clone())));
    }
    assert!(killed > TIMES / 3, "only {killed} were seen in time");
    assert_nothing_lost(&scenario, &expected);
}

#[test]
fn a_watcher_that_is_killed_loses_no_push_and_registers_nothing_that_was_refused() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.server_hook("update", "#!/bin/sh\ncase $1 in */bad-*) exit 1;; esac\n");
    let root: PathBuf = scenario.repository.root().to_owned();
    let (mut killed, mut expected) = (0, BTreeMap::new());
    scenario.git(&["checkout", "-q", "-b", "feat/watcher"]);
    for turn in 0..TIMES {
        let (good, bad) = (format!("feat/good-{turn}"), format!("feat/bad-{turn}"));
        let description = format!("watcher {turn}");
        scenario.commit(&description);
        let refs = [format!("HEAD:refs/heads/{good}"), format!("HEAD:refs/heads/{bad}")];
        assert_eq!(scenario.push_only(&["-q", "origin", &refs[0], &refs[1]]).code, 1);
        let after = Duration::from_millis(turn * 6);
        killed += u64::from(kill_when_seen(&root, "hook watch", after, Duration::from_millis(300)));
        expected.insert(good, description);
    }
    assert!(killed > TIMES / 3, "only {killed} were seen in time");
    std::thread::sleep(Duration::from_secs(1));
    assert_nothing_lost(&scenario, &expected);
}

#[test]
fn a_sync_that_is_killed_loses_nothing_and_repeats_nothing() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    let mut expected = BTreeMap::new();
    scenario.git(&["checkout", "-q", "-b", "feat/sync"]);
    for turn in 0..TIMES {
        let names = ["a", "b", "c"].map(|part| format!("feat/sync-{turn}-{part}"));
        let description = format!("sync {turn}");
        scenario.commit(&description);
        let [a, b, c] = names.each_ref().map(|name| format!("HEAD:refs/heads/{name}"));
        scenario.push_only(&["-q", "origin", &a, &b, &c]);
        expected.extend(names.map(|name| (name, description.clone())));
        let mut sync = scenario.flowreg().command(&["sync", "-q"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(turn * 5));
        let _ = sync.kill();
        let _ = sync.wait();
    }
    assert_nothing_lost(&scenario, &expected);
}
