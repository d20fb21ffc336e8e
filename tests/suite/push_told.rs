//! What a person is told: one line on the terminal, and how to be rid of what waits.

use std::process::Command;

use crate::support::push::{Scenario, gits, on_every_git};

/// What `git push` shows on a terminal of its own, by lines of flowreg's.
fn told_on_a_terminal(scenario: &Scenario, push: &str) -> Vec<String> {
    let output = Command::new("script")
        .args(["--quiet", "--return", "--command", &format!("git {push}"), "/dev/null"])
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{push}: {shown}");
    let lines = shown.lines().map(|line| line.trim_end().to_owned());
    lines.filter(|line| line.starts_with("flowreg:")).collect()
}

#[test]
fn on_a_terminal_a_push_tells_in_one_line_what_was_queued() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let told = |push: &str| told_on_a_terminal(&scenario, push);
        scenario.branch("feat/x");
        let one = ["flowreg: 1 ref will be registered once origin has it"];
        assert_eq!(told("push origin feat/x"), one);
        scenario.commit("second");
        scenario.git(&["branch", "feat/y"]);
        let two = ["flowreg: 2 refs will be registered once origin has them"];
        assert_eq!(told("push --progress origin feat/x feat/y main"), two);
        assert_eq!(
            told("push origin :feat/y"),
            ["flowreg: 1 deleted branch: flowreg sync removes its registrations"]
        );
        // Nothing to say, or nobody who wants to hear it.
        assert_eq!(told("push origin feat/x"), [""; 0]);
        for (number, quiet) in [
            "push -q",
            "push --quiet",
            "-c flowreg.quiet=true push",
            "push -n",
            "-c flowreg.quiet push",
        ]
        .iter()
        .enumerate()
        {
            scenario.commit(&format!("quiet {number}"));
            assert_eq!(told(&format!("{quiet} origin feat/x")), [""; 0], "{quiet}");
        }
        scenario.git(&["config", "flowreg.quiet", "true"]);
        scenario.commit("configured");
        assert_eq!(told("push origin feat/x"), [""; 0]);
        scenario.git(&["config", "flowreg.quiet", "false"]);
        scenario.commit("and back");
        scenario.git_in(&scenario.up(), &["config", "receive.advertisePushOptions", "true"]);
        assert_eq!(told("push -oquiet=no origin feat/x").len(), 1);
        for tag in ["v1.0.0", "v1.1.0", "v1.10.0"] {
            scenario.git(&["tag", tag]);
        }
        assert_eq!(told("push origin v1.0.0 v1.1.0 v1.10.0"), one);
        scenario.left();
    });
}

/// Pushes `refs/heads/feat/x` under another name, which is no text, with these options.
fn push_as(scenario: &Scenario, name: &[u8], options: &[&str]) -> String {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let refspec = OsString::from_vec([b"feat/x:", name].concat());
    let output = Command::new("git")
        .args([&["push"], options, &["origin"]].concat())
        .arg(refspec)
        .current_dir(scenario.repository.root())
        .env_clear()
        .envs(scenario.variables())
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    let lines = said.lines().filter(|line| line.starts_with("flowreg:"));
    lines.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_name_that_is_no_text_is_told_and_written_down() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        scenario.branch("feat/x");
        let reason = |name: &str, command: &str| {
            format!(
                "{name} is not registered: its name is not UTF-8; give it another one ({command}), and push that"
            )
        };
        let branch = reason("refs/heads/caf\\xe9", "git branch -m");
        let told = push_as(&scenario, b"refs/heads/caf\xe9", &[]);
        assert_eq!(told, format!("flowreg: {branch}"));
        let tag = reason("refs/tags/v\\xff", "git tag");
        assert_eq!(push_as(&scenario, b"refs/tags/v\xff", &[]), format!("flowreg: {tag}"));
        assert_eq!(push_as(&scenario, b"refs/heads/quiet\xe9", &["-q"]), "");
        assert_eq!(push_as(&scenario, b"refs/notes/\xe9", &[]), "");
        let status = scenario.flowreg().json(&["sync", "--status"], 0);
        assert_eq!(status["waiting"], serde_json::json!([]), "{status}");
        let log = status["recent"].to_string();
        for name in ["caf", "v", "quiet"] {
            assert!(log.contains(&format!("{name}\\\\x")), "{name}: {log}");
        }
        assert!(!log.contains("refs/notes"), "{log}");
        let said = scenario.flowreg().run(&["sync", "--status"]);
        assert!(said.stdout.contains("its name is not UTF-8"), "{said:?}");
        // What is pushed beside it is registered.
        let commit = scenario.commit("second");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
    });
}

#[test]
fn a_name_that_is_no_text_is_told_by_sync_where_the_shim_kept_it() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.branch("feat/x");
    // The program is not there: the shim keeps what git said.
    let hook = scenario.repository.root().join(".git/hooks/pre-push");
    let script = std::fs::read_to_string(&hook).unwrap();
    let is_program = |line: &str| line.starts_with("flowreg='");
    let lost = script.lines();
    let lost = lost.map(|line| if is_program(line) { "flowreg=/nowhere/flowreg" } else { line });
    std::fs::write(&hook, lost.collect::<Vec<_>>().join("\n")).unwrap();
    push_as(&scenario, b"refs/heads/caf\xe9", &[]);
    let spool = scenario.repository.root().join(".git/flowreg/spool");
    assert_eq!(std::fs::read_dir(&spool).unwrap().count(), 1);
    scenario.flowreg().json(&["sync"], 0);
    let status = scenario.flowreg().json(&["sync", "--status"], 0);
    assert_eq!(status["waiting"], serde_json::json!([]), "{status}");
    assert!(status["recent"].to_string().contains("caf\\\\xe9: not registered"), "{status}");
    assert!(scenario.registered().is_empty());
}

#[test]
fn of_several_addresses_the_last_one_tells_and_an_address_is_told_without_its_password() {
    let scenario = Scenario::new(&gits()[0]);
    scenario.git(&["init", "-q", "--bare", "../mirror.git"]);
    for url in ["../up.git", "../mirror.git"] {
        scenario.git(&["remote", "set-url", "--add", "--push", "origin", url]);
    }
    scenario.branch("feat/x");
    let told = told_on_a_terminal(&scenario, "push origin feat/x");
    assert_eq!(told, ["flowreg: 1 ref will be registered once origin has it"]);
    scenario.commit("second");
    let up = scenario.up().display().to_string();
    let told = told_on_a_terminal(&scenario, &format!("push '{up}' feat/x"));
    assert_eq!(told, [format!("flowreg: 1 ref will be registered once {up} has it")]);
    scenario.settled();
}

#[test]
fn several_names_and_globs_can_be_discarded_and_sync_says_how() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    scenario.branch("feat/a");
    for name in ["feat/b", "fix/1/x", "other"] {
        scenario.git(&["branch", name]);
    }
    scenario.git(&["tag", "v1.0.0"]);
    // By address, so that the remote has to be asked for all of them.
    scenario.git(&["push", "-q", "../up.git", "feat/a", "feat/b", "fix/1/x", "other", "v1.0.0"]);
    let names = || {
        let waiting = scenario.status()["waiting"].as_array().unwrap().clone();
        let mut names: Vec<String> =
            waiting.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect();
        names.sort();
        names
    };
    let discard = |names: &[&str], code: i32| {
        scenario.flowreg().json(&[&["sync", "--discard"], names].concat(), code)
    };
    assert_eq!(names().len(), 5);
    for command in [&["sync", "--status"][..], &["sync"]] {
        // The remote is away, so that everything goes on waiting.
        let away = scenario.repository.outside().join("away.git");
        std::fs::rename(scenario.up(), &away).unwrap();
        let run = scenario.flowreg().env("FLOWREG_RECHECKS", "60").run(command);
        std::fs::rename(&away, scenario.up()).unwrap();
        assert!(run.stdout.contains("flowreg sync --discard NAME"), "{run:?}");
    }
    // Whatever is wrong with one of the names, nothing goes.
    let left = names();
    assert_eq!(left.len(), 5);
    let error = discard(&["v1.0.0", "fix/*", "nothing"], 2);
    assert!(error["error"]["message"].as_str().unwrap().contains("`nothing`"), "{error}");
    let error = discard(&["v1.0.O"], 2);
    assert_eq!(error["error"]["hints"][0], "flowreg sync --discard v1.0.0 --format json");
    assert_eq!(discard(&["feat/["], 2)["error"]["code"], "usage");
    assert_eq!(names(), left);
    discard(&["feat/*", "refs/tags/v1*"], 0);
    assert_eq!(names(), ["fix/1/x", "other"]);
    let one = scenario.flowreg().run(&["sync", "--discard", "fix*", "--discard", "other"]);
    assert_eq!((one.code, names().len()), (0, 0), "{one:?}");
}

#[test]
fn what_no_repetition_can_change_is_not_queued_again() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        let first = scenario.commit("first");
        scenario.git(&["tag", "v1.0.0"]);
        let second = scenario.commit("second");
        scenario.git(&["tag", "v2.0.0"]);
        scenario.push(&["-q", "origin", "main", "v2.0.0"]);
        scenario.settled();
        scenario.push(&["-q", "origin", "v1.0.0"]);
        scenario.settled();
        let log = scenario.status()["recent"].to_string();
        assert!(log.contains("not registered") && log.contains("a higher version"), "{log}");
        // A tag that was moved.
        let moved = scenario.commit("third");
        scenario.git(&["tag", "-f", "v2.0.0"]);
        scenario.push(&["-q", "-f", "origin", "v2.0.0"]);
        scenario.settled();
        let log = scenario.status()["recent"].to_string();
        assert!(
            log.contains(&format!("is now at {}", &moved[..7])) || log.contains("is now at"),
            "{log}"
        );
        scenario.assert_registered(&[("v2.0.0", &second)]);
        assert_ne!(first, second);
        assert_eq!(scenario.flowreg().run(&["sync"]).code, 0);
    });
}

#[test]
fn on_a_terminal_a_push_tells_which_tag_is_of_no_series() {
    let scenario = Scenario::new(&gits()[0]);
    let told = |push: &str| told_on_a_terminal(&scenario, push);
    for tag in ["v1.0.0", "release-1", "nightly", "beta-2", "stable"] {
        scenario.commit(tag);
        scenario.git(&["tag", tag]);
    }
    assert_eq!(
        told("push origin v1.0.0 release-1"),
        [
            "flowreg: not registered: release-1 is a version of no series (v…); to register this one: \
             flowreg register --tag release-1",
            "flowreg: 1 ref will be registered once origin has it",
        ]
    );
    assert_eq!(
        told("push origin nightly beta-2"),
        ["flowreg: not registered: nightly is a version of no series (v…); to register this one: \
          flowreg register --tag nightly; and 1 more: flowreg sync --status"]
    );
    assert_eq!(told("-c flowreg.quiet=true push origin stable"), [""; 0]);
    let log = scenario.status()["recent"].to_string();
    for tag in ["release-1", "nightly", "beta-2", "stable"] {
        assert!(log.contains(&format!("not registered: {tag} is a version of no series")), "{log}");
    }
}
