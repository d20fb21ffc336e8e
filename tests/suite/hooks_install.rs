//! `flowreg hooks`: where the hook goes, what lives beside it, and what is broken.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::push::{Scenario, gits, on_every_git, write_script};

/// A scenario without the hook.
fn bare_of_hooks(git: &Path) -> Scenario {
    let scenario = Scenario::new(git);
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    scenario
}

fn hook(scenario: &Scenario) -> PathBuf {
    scenario.repository.root().join(".git/hooks/pre-push")
}

fn status(scenario: &Scenario) -> Value {
    let run = scenario.flowreg().run(&["hooks", "status", "--format", "json"]);
    serde_json::from_str(&run.stdout).unwrap()
}

fn problems(scenario: &Scenario) -> Vec<String> {
    let status = status(scenario);
    let broken = status["state"] == "broken";
    let problems = status["problems"].as_array().unwrap();
    assert_eq!(broken, !problems.is_empty(), "{status}");
    assert_eq!(scenario.flowreg().run(&["hooks", "status"]).code, i32::from(broken));
    problems.iter().map(|problem| problem["code"].as_str().unwrap().to_owned()).collect()
}

/// Hooks of other people: content, whether it lets a push pass, and what it leaves behind.
fn foreign_hooks(seen: &Path) -> Vec<(&'static str, String, bool)> {
    let seen = seen.display();
    vec![
        ("reads", format!("#!/bin/sh\ncat >'{seen}'\n"), true),
        ("does not read", format!("#!/bin/sh\n: >'{seen}'\n"), true),
        ("exits early", format!("#!/bin/sh\ncat >'{seen}'\nexit 0\necho never\n"), true),
        ("execs", format!("#!/bin/sh\nexec tee '{seen}' >/dev/null\n"), true),
        ("without shebang", format!("cat >'{seen}'\n"), true),
        (
            "python",
            format!(
                "#!/usr/bin/env python3\nimport sys\nopen('{seen}', 'w').write(sys.stdin.read())\n"
            ),
            true,
        ),
        ("fails", format!("#!/bin/sh\ncat >'{seen}'\nexit 7\n"), false),
    ]
}

#[test]
fn a_hook_that_is_there_runs_first_sees_everything_and_comes_back_byte_for_byte() {
    on_every_git(|git| {
        let scenario = bare_of_hooks(git);
        let seen = scenario.repository.outside().join("seen");
        let mut expected = Vec::new();
        for (number, (name, script, passes)) in foreign_hooks(&seen).into_iter().enumerate() {
            write_script(&hook(&scenario), &script);
            let installed = scenario.flowreg().json(&["hooks", "install"], 0);
            assert_eq!(installed["hooks"][0]["action"], "installed", "{name}");
            assert!(installed["hooks"][0]["previous"].is_string(), "{name}");
            let branch = format!("feat/{number}");
            let commit = scenario.branch(&branch);
            let pushed = scenario.push_only(&["-q", "origin", &branch]);
            assert_eq!(pushed.code, i32::from(!passes), "{name}: {pushed:?}");
            assert_eq!(pushed.stdout, "", "{name}");
            scenario.settled();
            let told = std::fs::read_to_string(&seen).unwrap();
            if name != "does not read" {
                let zero = "0".repeat(40);
                let line = format!("refs/heads/{branch} {commit} refs/heads/{branch} {zero}\n");
                assert_eq!(told, line, "{name}");
            }
            if passes {
                expected.push((branch, commit));
            }
            assert_eq!(scenario.registered(), expected, "{name}");
            // Nothing to push: the other hook gets exactly nothing.
            std::fs::remove_file(&seen).unwrap();
            scenario.push_only(&["-q", "origin", "main"]);
            assert_eq!(std::fs::read_to_string(&seen).unwrap(), "", "{name}");
            let again = scenario.flowreg().json(&["hooks", "install"], 0);
            assert_eq!(again["hooks"][0]["action"], "unchanged", "{name}");
            let removed = scenario.flowreg().json(&["hooks", "uninstall"], 0);
            assert_eq!(removed["hooks"][0]["action"], "restored", "{name}");
            assert_eq!(std::fs::read_to_string(hook(&scenario)).unwrap(), script, "{name}");
            assert!(problems(&scenario).is_empty(), "{name}");
            let left: Vec<_> = std::fs::read_dir(hook(&scenario).parent().unwrap())
                .unwrap()
                .flatten()
                .map(|entry| entry.file_name().into_string().unwrap())
                .filter(|name| name.starts_with("pre-push") && !name.ends_with("sample"))
                .collect();
            assert_eq!(left, ["pre-push"], "{name}");
            std::fs::remove_file(hook(&scenario)).unwrap();
        }
    });
}

#[test]
fn thousands_of_refs_reach_both_hooks() {
    let scenario = bare_of_hooks(&gits()[0]);
    let seen = scenario.repository.outside().join("seen");
    write_script(&hook(&scenario), &format!("#!/bin/sh\ncat >'{}'\n", seen.display()));
    scenario.flowreg().json(&["hooks", "install"], 0);
    let commit = "1".repeat(40);
    let lines: String = (0..3000)
        .map(|number| format!("refs/notes/{number} {commit} refs/notes/{number} {commit}\n"))
        .collect();
    for count in [63, 64, 65, 3000] {
        let part: String = lines.lines().take(count).map(|line| format!("{line}\n")).collect();
        let mut child = scenario.git_command(scenario.repository.root(), &[]);
        let mut child = std::process::Command::new(hook(&scenario))
            .args(["origin", "../up.git"])
            .current_dir(scenario.repository.root())
            .env_clear()
            .envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(std::process::Stdio::piped())
            .spawn()
            .inspect(|_| {
                child.arg("version");
            })
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), part.as_bytes()).unwrap();
        assert!(child.wait().unwrap().success());
        assert_eq!(std::fs::read_to_string(&seen).unwrap(), part, "{count}");
    }
}

#[test]
fn with_no_chain_a_hook_that_is_there_is_refused_with_the_line_to_add() {
    let scenario = bare_of_hooks(&gits()[0]);
    write_script(&hook(&scenario), "#!/bin/sh\nexit 0\n");
    let refused = scenario.flowreg().json(&["hooks", "install", "--no-chain"], 1);
    assert_eq!(refused["error"]["code"], "hook_exists");
    assert!(refused["error"]["hints"][0].as_str().unwrap().contains("flowreg hook pre-push"));
    assert_eq!(std::fs::read_to_string(hook(&scenario)).unwrap(), "#!/bin/sh\nexit 0\n");
    let status = status(&scenario);
    assert_eq!((&status["state"], &status["owner"]), (&"not_installed".into(), &"other".into()));
}

#[test]
fn the_hook_goes_where_git_looks_and_hooks_path_is_never_changed() {
    on_every_git(|git| {
        let scenario = bare_of_hooks(git);
        let root = scenario.repository.root().to_owned();
        let outside = scenario.repository.outside().to_owned();
        let absolute = outside.join("hooks directory");
        let home = outside.join("in-home");
        let places = [
            (absolute.to_str().unwrap(), absolute.clone()),
            ("our/hooks", root.join("our/hooks")),
            ("~/in-home", home),
        ];
        for (number, (value, place)) in places.into_iter().enumerate() {
            scenario.git(&["config", "core.hooksPath", value]);
            scenario.flowreg().json(&["hooks", "install"], 0);
            assert!(place.join("pre-push").exists(), "{value}");
            assert_eq!(scenario.git(&["config", "core.hooksPath"]), value);
            assert_eq!(status(&scenario)["state"], "installed", "{value}");
            let branch = format!("feat/{number}");
            scenario.branch(&branch);
            scenario.push_only(&["-q", "origin", &branch]);
            scenario.settled();
            assert_eq!(scenario.registered().last().unwrap().0, branch, "{value}");
            scenario.flowreg().json(&["hooks", "uninstall"], 0);
            assert!(!place.join("pre-push").exists(), "{value}");
        }
        for value in ["", "/dev/null"] {
            scenario.git(&["config", "core.hooksPath", value]);
            let refused = scenario.flowreg().json(&["hooks", "install"], 1);
            assert_eq!(refused["error"]["code"], "hooks_off", "{value:?}");
        }
        scenario.git(&["config", "--unset", "core.hooksPath"]);
        // A linked worktree looks in its own directory.
        let tree = outside.join("tree");
        scenario.git(&["config", "core.hooksPath", "tree-hooks"]);
        scenario.git(&["worktree", "add", "-q", "-b", "feat/tree", tree.to_str().unwrap()]);
        scenario.flowreg_in(&tree).json(&["hooks", "install"], 0);
        assert!(tree.join("tree-hooks/pre-push").exists());
        assert_eq!(status(&scenario)["state"], "not_installed");
    });
}

#[test]
fn a_hooks_path_that_other_repositories_share_is_written_only_by_force() {
    on_every_git(|git| {
        let scenario = bare_of_hooks(git);
        let shared = scenario.repository.outside().join("shared");
        let global = scenario.repository.outside().join("gitconfig");
        std::fs::write(&global, format!("[core]\n\thooksPath = {}\n", shared.display())).unwrap();
        let scenario = scenario.env("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
        let refused = scenario.flowreg().json(&["hooks", "install"], 1);
        assert_eq!(refused["error"]["code"], "shared_hooks");
        assert!(refused["error"]["message"].as_str().unwrap().contains("global"), "{refused}");
        assert!(!shared.exists());
        scenario.flowreg().json(&["hooks", "install", "--force"], 0);
        let commit = scenario.branch("feat/x");
        scenario.push_only(&["-q", "origin", "feat/x"]);
        scenario.settled();
        scenario.assert_registered(&[("feat/x", &commit)]);
    });
}

#[test]
fn status_finds_what_is_broken() {
    on_every_git(|git| {
        use std::os::unix::fs::PermissionsExt;
        let scenario = Scenario::new(git);
        let file = hook(&scenario);
        assert!(problems(&scenario).is_empty());
        let script = std::fs::read_to_string(&file).unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(problems(&scenario), ["not_executable"]);
        scenario.flowreg().json(&["hooks", "install"], 0);
        assert!(problems(&scenario).is_empty());
        write_script(&file, &script.replace('\n', "\r\n"));
        assert_eq!(problems(&scenario), ["crlf"]);
        scenario.flowreg().json(&["hooks", "install"], 0);
        assert!(problems(&scenario).is_empty());
        write_script(&file, &script.replace(env!("CARGO_BIN_EXE_flowreg"), "/nowhere/flowreg"));
        assert_eq!(problems(&scenario), ["missing_binary"]);
        let updated = scenario.flowreg().json(&["hooks", "install"], 0);
        assert_eq!(updated["hooks"][0]["action"], "updated");
        write_script(&file, &(script.clone() + "echo mine\n"));
        assert_eq!(problems(&scenario), ["outdated"]);
        assert_eq!(scenario.flowreg().run(&["hooks", "uninstall"]).code, 1);
        write_script(&file, &script.replace("shim v2", "shim v9"));
        assert_eq!(
            scenario.flowreg().json(&["hooks", "install"], 1)["error"]["code"],
            "newer_hook"
        );
        scenario.flowreg().json(&["hooks", "install", "--force"], 0);
        assert_eq!(std::fs::read_to_string(&file).unwrap(), script);
        scenario.git(&["config", "core.hooksPath", "elsewhere"]);
        assert_eq!(problems(&scenario), ["shadowed"]);
        scenario.git(&["config", "--unset", "core.hooksPath"]);
        std::fs::rename(&file, file.with_file_name("pre-push.old")).unwrap();
        write_script(&file, "#!/bin/sh\n# LEFTHOOK\n");
        assert_eq!(problems(&scenario), ["shadowed"]);
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(problems(&scenario).contains(&"directory".to_owned()));
    });
}

#[test]
fn hooks_of_the_configuration_need_a_git_that_reads_them() {
    let scenario = bare_of_hooks(&gits()[0]);
    let refused = scenario.flowreg().json(&["hooks", "install", "--config"], 1);
    assert_eq!(refused["error"]["code"], "no_config_hooks");
    assert!(
        scenario
            .git(&["config", "--local", "--list"])
            .lines()
            .all(|line| !line.starts_with("hook."))
    );
    // A git that says it can: the order of the two values is what matters there.
    let bin = scenario.repository.outside().join("bin");
    let real = gits()[0].join("git");
    write_script(
        &bin.join("git"),
        &format!(
            "#!/bin/sh\nfor word; do case $word in version) echo git version 2.55.0; exit;; esac; done\n\
             exec '{}' \"$@\"\n",
            real.display()
        ),
    );
    let own = Path::new(env!("CARGO_BIN_EXE_flowreg")).parent().unwrap();
    let without = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let path = format!("{}:{without}", own.display());
    let flowreg = || scenario.flowreg().env("PATH", &path);
    flowreg().json(&["hooks", "install", "--config"], 0);
    let config = std::fs::read_to_string(scenario.repository.root().join(".git/config")).unwrap();
    assert!(
        config.find("command = ").unwrap() < config.find("event = pre-push").unwrap(),
        "{config}"
    );
    let command = scenario.git(&["config", "hook.flowreg.command"]);
    assert_eq!(flowreg().json(&["hooks", "install"], 1)["error"]["code"], "installed_twice");
    assert_eq!(flowreg().json(&["hooks", "status"], 0)["state"], "installed");
    // It calls what is on PATH, and git may have been told not to run it.
    let lost = scenario.flowreg().env("PATH", &without).json(&["hooks", "status"], 1);
    assert_eq!(lost["problems"][0]["code"], "missing_binary", "{lost}");
    scenario.git(&["config", "hook.flowreg.enabled", "false"]);
    let off = flowreg().json(&["hooks", "status"], 0);
    assert_eq!(
        (&off["state"], &off["problems"][0]["code"]),
        (&"off".into(), &"switched_off".into())
    );
    scenario.git(&["config", "--unset", "hook.flowreg.enabled"]);
    let again = flowreg().json(&["hooks", "install", "--config"], 0);
    assert_eq!(again["hooks"][0]["action"], "unchanged");
    flowreg().json(&["hooks", "uninstall"], 0);
    assert!(
        !std::fs::read_to_string(scenario.repository.root().join(".git/config"))
            .unwrap()
            .contains("hook")
    );
    // As git runs it: through sh, with the arguments behind it; without flowreg nothing happens.
    let run = |path: &str| {
        std::process::Command::new("/bin/sh")
            .args(["-c", &format!("{command} \"$@\""), "sh", "origin", "../up.git"])
            .current_dir(scenario.repository.root())
            .env("PATH", path)
            .stdin(std::process::Stdio::null())
            .status()
            .unwrap()
    };
    assert!(run("/nonexistent").success());
    assert!(run(&format!("{}:/usr/bin:/bin", own.display())).success());
}

#[test]
fn the_option_for_a_file_of_settings_still_takes_one_where_hooks_are_installed() {
    let scenario = bare_of_hooks(&gits()[0]);
    for arguments in [
        &["hooks", "install", "--config", "some.toml"][..],
        &["--config", "some.toml", "hooks", "install"],
    ] {
        let installed = scenario.flowreg().json(arguments, 0);
        assert!(installed["hooks"][0]["place"].as_str().unwrap().ends_with("pre-push"));
    }
    assert!(!scenario.git(&["config", "--local", "--list"]).contains("hook.flowreg"));
}

#[test]
fn a_bare_repository_that_is_pushed_from_has_the_other_hook() {
    let scenario = bare_of_hooks(&gits()[0]);
    let up = scenario.up();
    let status = || scenario.flowreg_in(&up).json(&["hooks", "status"], 0);
    assert_eq!(status()["hook"], "post-receive");
    // Mostly it is pushed to, and there this hook never runs.
    for arguments in [&["hooks", "install"][..], &["hooks", "install", "--no-chain"]] {
        let refused = scenario.flowreg_in(&up).json(arguments, 1);
        assert_eq!(refused["error"]["code"], "bare", "{refused}");
        let own = [arguments, &["--format", "json"]].concat().join(" ");
        assert_eq!(
            refused["error"]["hints"],
            serde_json::json!([
                format!("for what is pushed to it: flowreg {own} --server"),
                format!("for what is pushed from it: flowreg {own} --force"),
            ])
        );
    }
    assert!(!up.join("hooks/pre-push").exists());
    scenario.flowreg_in(&up).json(&["hooks", "install", "--force"], 0);
    assert_eq!((&status()["hook"], &status()["state"]), (&"pre-push".into(), &"installed".into()));
    // What is proposed to mend it goes through.
    let file = up.join("hooks/pre-push");
    let ours = std::fs::read_to_string(&file).unwrap();
    write_script(&file, &ours.replace("flowreg='", "flowreg='/nowhere"));
    let broken = scenario.flowreg_in(&up).json(&["hooks", "status"], 1);
    assert_eq!(broken["problems"][0]["hint"], "flowreg hooks install --force", "{broken}");
    scenario.flowreg_in(&up).json(&["hooks", "install", "--server"], 0);
    assert_eq!(status()["hook"], "post-receive");
}

/// People push from the work trees of such a repository, and git runs its hooks.
#[test]
fn a_bare_repository_with_linked_work_trees_has_the_hook_of_who_pushes() {
    let scenario = bare_of_hooks(&gits()[0]);
    let bare = scenario.repository.outside().join("bare.git");
    scenario.git(&["clone", "-q", "--bare", "../up.git", "../bare.git"]);
    scenario.git_in(&bare, &["worktree", "add", "-q", "-b", "feat/x", "../linked"]);
    scenario.flowreg_in(&bare).json(&["hooks", "install"], 0);
    let linked = scenario.repository.outside().join("linked");
    assert_eq!(scenario.flowreg_in(&linked).json(&["hooks", "status"], 0)["state"], "installed");
}

#[test]
fn a_link_that_leads_nowhere_is_said_to_be_one() {
    let scenario = bare_of_hooks(&gits()[0]);
    std::os::unix::fs::symlink("../nowhere/pre push", hook(&scenario)).unwrap();
    assert_eq!(problems(&scenario), ["dangling"]);
    let found = status(&scenario);
    let problem = &found["problems"][0];
    let file = hook(&scenario);
    assert_eq!(
        problem["message"],
        format!(
            "{} leads to ../nowhere/pre push, which is not there: git skips it",
            file.display()
        )
    );
    // It is kept as it is, and runs again if what it leads to comes back.
    let installed = scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(problems(&scenario), ["previous_gone"]);
    let of_kept = status(&scenario)["problems"][0]["message"].as_str().unwrap().to_owned();
    assert!(of_kept.contains("leads to ../nowhere/pre push, which is not there"), "{of_kept}");
    let note = installed["hooks"][0]["notes"][0].as_str().unwrap();
    assert!(note.starts_with(&format!("{of_kept}; put it back")), "{note}");
    write_script(&scenario.repository.root().join(".git/nowhere/pre push"), "#!/bin/sh\nexit 1\n");
    assert_eq!(problems(&scenario), Vec::<String>::new());
    scenario.branch("feat/x");
    assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 1);
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    std::fs::remove_file(scenario.repository.root().join(".git/nowhere/pre push")).unwrap();
    // What is proposed goes through.
    let hint = problem["hint"].as_str().unwrap();
    let (_, command) = hint.rsplit_once(": ").unwrap();
    let run = std::process::Command::new("sh").args(["-c", command]).status().unwrap();
    assert!(run.success(), "{command}");
    assert_eq!(problems(&scenario), Vec::<String>::new());
}

#[test]
fn a_client_without_a_path_finds_flowreg_in_the_usual_places() {
    let scenario = Scenario::new(&gits()[0]).env("CI", "true");
    let file = hook(&scenario);
    let script = std::fs::read_to_string(&file).unwrap();
    write_script(&file, &script.replace(env!("CARGO_BIN_EXE_flowreg"), "/nowhere/flowreg"));
    let place = scenario.repository.outside().join(".cargo/bin");
    std::fs::create_dir_all(&place).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_flowreg"), place.join("flowreg")).unwrap();
    scenario.branch("feat/x");
    let mut push =
        scenario.git_command(scenario.repository.root(), &["push", "-q", "origin", "feat/x"]);
    assert!(push.env("PATH", "/usr/bin:/bin").status().unwrap().success());
    assert_eq!(scenario.status()["waiting"].as_array().unwrap().len(), 1);
    assert!(!scenario.repository.root().join(".git/flowreg/spool").exists());
}

#[test]
fn the_command_that_status_proposes_goes_through() {
    let scenario = Scenario::new(&gits()[0]);
    let shared = scenario.repository.outside().join("shared hooks");
    // Where other repositories look as well, it is for a person to decide.
    let global = scenario.repository.outside().join("global");
    std::fs::write(&global, format!("[core]\n\thooksPath = {}\n", shared.display())).unwrap();
    let scenario = scenario.env("GIT_CONFIG_GLOBAL", global.to_str().unwrap());
    let hint = || status(&scenario)["problems"][0]["hint"].as_str().unwrap().to_owned();
    assert!(hint().contains("add this line to the pre-push hook there: "), "{}", hint());
    assert!(hint().ends_with("flowreg hooks install --force"), "{}", hint());
    scenario.flowreg().json(&["hooks", "install"], 1);
    scenario.flowreg().json(&["hooks", "install", "--force"], 0);
    let ours = std::fs::read_to_string(shared.join("pre-push")).unwrap();
    // An older script of ours there is written anew by the same decision.
    std::fs::write(shared.join("pre-push"), ours.replace("flowreg='", "flowreg='/nowhere"))
        .unwrap();
    assert_eq!(hint(), "flowreg hooks install --force");
}
