//! A hook that was there keeps its name and its neighbours, and refuses what it refused before.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::support::push::{Scenario, gits, on_every_git, write_script};

/// A scenario without the hook, and the directory in which git looks for hooks.
fn bare_of_hooks(git: &Path) -> (Scenario, PathBuf) {
    let scenario = Scenario::new(git);
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    let hooks = scenario.repository.root().join(".git/hooks");
    (scenario, hooks)
}

fn status(scenario: &Scenario) -> Value {
    let run = scenario.flowreg().run(&["hooks", "status", "--format", "json"]);
    serde_json::from_str(&run.stdout).unwrap()
}

/// Asserts that a push is refused before and after the hook was installed, and after it was taken
/// away again, and that the refusal is the other hook's.
fn assert_still_refuses(name: &str, scenario: &Scenario) {
    let branch = format!("feat/{}", name.replace(' ', "-"));
    scenario.branch(&branch);
    let refused = |when: &str| {
        let pushed = scenario.push_only(&["-q", "origin", &branch]);
        assert_eq!(pushed.code, 1, "{name}, {when}: {pushed:?}");
        assert!(pushed.stderr.contains("refused by pre-push"), "{name}, {when}: {pushed:?}");
    };
    refused("before");
    scenario.flowreg().json(&["hooks", "install"], 0);
    let status = status(scenario);
    assert_eq!(status["state"], "installed", "{name}: {status}");
    assert!(status["previous"].is_string(), "{name}: {status}");
    refused("installed");
    assert!(scenario.registered().is_empty(), "{name}");
    assert!(!scenario.repository.root().join(".git/flowreg/outbox").exists(), "{name}");
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    refused("after");
}

/// What is in a directory of hooks, the samples left out.
fn names_in(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap().flatten();
    let names = entries.map(|entry| entry.file_name().into_string().unwrap());
    let mut names: Vec<String> = names.filter(|name| !name.ends_with(".sample")).collect();
    names.sort();
    names
}

const BY_NAME: &str = "#!/bin/sh\n# Like overcommit and husky: one script, and its name says which \
    hook it is.\ncase $(basename \"$0\") in\n  pre-push) echo \"refused by pre-push\" >&2; exit 1 ;;\n  \
    *) exit 0 ;;\nesac\n";

#[test]
fn one_script_that_is_linked_as_every_hook_still_knows_which_one_it_is() {
    on_every_git(|git| {
        let (scenario, hooks) = bare_of_hooks(git);
        // Outside the directory of hooks, by a relative link.
        write_script(&scenario.repository.root().join("tools/hook"), BY_NAME);
        for name in ["pre-push", "pre-commit", "commit-msg"] {
            symlink("../../tools/hook", hooks.join(name)).unwrap();
        }
        assert_still_refuses("linked from outside", &scenario);
        assert_eq!(
            std::fs::read_link(hooks.join("pre-push")).unwrap(),
            Path::new("../../tools/hook")
        );
        assert_eq!(names_in(&hooks), ["commit-msg", "pre-commit", "pre-push"]);
        assert!(!hooks.with_file_name("hooks.flowreg").exists());
        // Inside it, by a link, and as a file of its own.
        for name in ["pre-push", "pre-commit", "commit-msg"] {
            std::fs::remove_file(hooks.join(name)).unwrap();
            symlink("all-hooks", hooks.join(name)).unwrap();
        }
        write_script(&hooks.join("all-hooks"), BY_NAME);
        assert_still_refuses("linked inside", &scenario);
        std::fs::remove_file(hooks.join("pre-push")).unwrap();
        write_script(&hooks.join("pre-push"), BY_NAME);
        assert_still_refuses("a file", &scenario);
        assert_eq!(std::fs::read_to_string(hooks.join("pre-push")).unwrap(), BY_NAME);
    });
}

#[test]
fn what_a_hook_finds_from_where_it_is_it_still_finds() {
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    write_script(
        &hooks.join("_lib.sh"),
        "refuse() { echo \"refused by $(basename \"$0\")\" >&2; exit 1; }\n",
    );
    write_script(
        &hooks.join("pre-push.d/10-check"),
        "#!/bin/sh\necho refused by pre-push >&2; exit 1\n",
    );
    write_script(
        &scenario.repository.root().join("ci/check"),
        "#!/bin/sh\necho refused by pre-push >&2; exit 1\n",
    );
    for (name, script) in [
        ("a library beside", "#!/bin/sh\n. \"$(dirname \"$0\")/_lib.sh\"\nrefuse\n"),
        (
            "a directory of its name",
            "#!/bin/sh\nfor one in \"$0\".d/*; do [ ! -x \"$one\" ] || \"$one\" || exit; done\n",
        ),
        (
            "the top",
            "#!/bin/sh\ncd \"$(dirname \"$0\")/../..\" && [ -x ci/check ] && exec ci/check\n",
        ),
        (
            "its real place",
            "#!/bin/sh\nhere=$(dirname \"$(readlink -f \"$0\")\")\n[ ! -x \"$here/../../ci/check\" ] || exec \"$here/../../ci/check\"\n",
        ),
        (
            "python",
            "#!/usr/bin/env python3\nimport os, sys\nname = os.path.basename(sys.argv[0])\n\
             here = os.path.dirname(os.path.abspath(__file__))\n\
             if os.path.exists(os.path.join(here, '_lib.sh')):\n    sys.exit(f'refused by {name}')\n",
        ),
    ] {
        write_script(&hooks.join("pre-push"), script);
        assert_still_refuses(name, &scenario);
    }
}

#[test]
fn what_is_put_beside_a_hook_later_is_found_at_the_next_push() {
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    let script = "#!/bin/sh\nlib=\"$(dirname \"$0\")/_lib.sh\"\n[ ! -f \"$lib\" ] || . \"$lib\"\n";
    write_script(&hooks.join("pre-push"), script);
    scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(status(&scenario)["state"], "installed");
    scenario.branch("feat/x");
    assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 0);
    write_script(&hooks.join("_lib.sh"), "echo refused by pre-push >&2\nexit 1\n");
    assert_eq!(status(&scenario)["state"], "installed");
    scenario.commit("second");
    let refused = || {
        let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
        assert!(pushed.code == 1 && pushed.stderr.contains("refused by pre-push"), "{pushed:?}");
    };
    refused();
    // Another manager replaces it: the link leads there.
    std::fs::remove_file(hooks.join("_lib.sh")).unwrap();
    assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 0);
    scenario.commit("third");
    symlink("lib of another manager", hooks.join("_lib.sh")).unwrap();
    write_script(&hooks.join("lib of another manager"), ". \"$(dirname \"$0\")/.hidden\"\n");
    write_script(&hooks.join(".hidden"), "echo refused by pre-push >&2\nexit 1\n");
    refused();
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    assert!(!hooks.with_file_name("hooks.flowreg").exists());
    refused();
}

#[test]
fn the_directory_of_hooks_may_be_a_link_or_be_written_in_any_way() {
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    let elsewhere = scenario.repository.outside().join("kept/hooks of mine");
    write_script(&elsewhere.join("tool"), BY_NAME);
    symlink("tool", elsewhere.join("pre-push")).unwrap();
    std::fs::remove_dir_all(&hooks).unwrap();
    symlink(&elsewhere, &hooks).unwrap();
    assert_still_refuses("a link", &scenario);
    for (number, value) in
        ["../kept/hooks of mine/", "../kept/../kept/hooks of mine//"].iter().enumerate()
    {
        scenario.git(&["config", "core.hooksPath", value]);
        assert_still_refuses(&format!("written {number}"), &scenario);
    }
}

#[test]
fn status_names_the_hook_before_ours_only_where_it_runs() {
    use std::os::unix::fs::PermissionsExt;
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    write_script(&hooks.join("pre-push"), "#!/bin/sh\nexit 0\n");
    scenario.flowreg().json(&["hooks", "install"], 0);
    let previous = PathBuf::from(status(&scenario)["previous"].as_str().unwrap());
    assert_eq!(previous.file_name().unwrap(), "pre-push");
    std::fs::set_permissions(&previous, std::fs::Permissions::from_mode(0o644)).unwrap();
    let problem = |code: &str, told: &str, hint: &str| {
        let found = status(&scenario);
        assert_eq!((&found["state"], &found["previous"]), (&"broken".into(), &Value::Null));
        let problem = &found["problems"][0];
        assert_eq!(problem["code"], code, "{found}");
        assert_eq!(problem["message"], format!("{} {told}", previous.display()));
        assert_eq!(problem["hint"], hint, "{found}");
        let said = scenario.flowreg().run(&["hooks", "status"]);
        assert_eq!(said.code, 1, "{said:?}");
        assert!(said.stdout.starts_with("broken") && said.stdout.contains(told), "{said:?}");
        assert!(!said.stdout.contains("first runs"), "{said:?}");
    };
    let does_not_run = "the hook that was there before does not run";
    let executable = format!("chmod +x {}", previous.display());
    problem("previous_not_executable", &format!("is not executable: {does_not_run}"), &executable);
    let kept = previous.parent().unwrap();
    let without = format!(
        "put it back; or go on without it: rm -r {} && flowreg hooks install",
        kept.display()
    );
    let aside = scenario.repository.outside().join("aside");
    std::fs::rename(&previous, &aside).unwrap();
    problem("previous_gone", &format!("is gone: {does_not_run}"), &without);
    symlink("/nowhere/hook", &previous).unwrap();
    let leads = format!("leads to /nowhere/hook, which is not there: {does_not_run}");
    problem("previous_gone", &leads, &without);
    std::fs::remove_file(&previous).unwrap();
    std::fs::create_dir(&previous).unwrap();
    problem("previous_directory", "is a directory: every push is refused", &without);
    // What the hint says helps.
    std::fs::remove_dir_all(kept).unwrap();
    scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(status(&scenario)["state"], "installed");
    std::fs::create_dir(kept).unwrap();
    std::fs::rename(&aside, &previous).unwrap();
    // A line in a hook of somebody else's runs nothing of ours before it.
    std::fs::set_permissions(&previous, std::fs::Permissions::from_mode(0o755)).unwrap();
    write_script(&hooks.join("pre-push"), "#!/bin/sh\nflowreg hook pre-push \"$@\"\n");
    assert_eq!(status(&scenario)["previous"], Value::Null);
}

#[test]
fn status_says_what_becomes_of_pushes_by_a_kept_hook_that_can_not_be_run() {
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    write_script(&hooks.join("pre-push"), "#!/bin/sh\nexit 0\n");
    scenario.flowreg().json(&["hooks", "install"], 0);
    let previous = hooks.with_file_name("hooks.flowreg").join("pre-push");
    let without = format!(
        "or go on without it: rm -r {} && flowreg -C . hooks install",
        previous.parent().unwrap().display()
    );
    scenario.branch("feat/x");
    for (script, code, told, hint, is_refused) in [
        (
            "#!/nowhere/python\nprint()\n",
            "previous_no_interpreter",
            "is for /nowhere/python, which is not there: every push is refused",
            format!("install /nowhere/python; {without}"),
            true,
        ),
        (
            "#!/usr/bin/env -S python9.9 -u\nprint()\n",
            "previous_no_interpreter",
            "is for python9.9, which is not there: every push is refused",
            format!("install python9.9; {without}"),
            true,
        ),
        (
            "#!/bin/sh\r\nexit 0\r\n",
            "previous_crlf",
            "has Windows line ends: every push is refused",
            "write it with LF line ends".to_owned(),
            true,
        ),
        (
            "",
            "previous_empty",
            "is empty: the hook that was there before lets every push pass",
            format!("write it again; {without}"),
            false,
        ),
    ] {
        write_script(&previous, script);
        let said = scenario.flowreg().json(&["-C", ".", "hooks", "status"], 1);
        let problem = &said["problems"][0];
        assert_eq!(problem["code"], code, "{said}");
        assert_eq!(problem["message"], format!("{} {told}", previous.display()));
        assert_eq!(problem["hint"], hint, "{said}");
        // It is as the status says.
        scenario.commit("more");
        let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
        assert_eq!(pushed.code != 0, is_refused, "{script:?}: {pushed:?}");
    }
    write_script(&previous, "#!/usr/bin/env -S sh -e\nexit 0\n");
    assert_eq!(status(&scenario)["state"], "installed");
}

#[test]
fn status_says_that_the_kept_hook_does_not_run_where_ours_was_replaced() {
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    write_script(&hooks.join("pre-push"), BY_NAME);
    scenario.flowreg().json(&["hooks", "install"], 0);
    let previous = hooks.with_file_name("hooks.flowreg").join("pre-push");
    let hook = hooks.join("pre-push");
    let told = |what: &str| {
        let said = scenario.flowreg().json(&["-C", ".", "hooks", "status"], 1);
        let problem = &said["problems"][0];
        assert_eq!((&said["state"], &problem["code"]), (&"broken".into(), &"kept_not_run".into()));
        let end = "which flowreg's hook ran first, does not run any more";
        assert_eq!(problem["message"], format!("{what}: {}, {end}", previous.display()), "{said}");
        let hint = format!(
            "look into it, and then: rm -r {} && flowreg -C . hooks install",
            previous.parent().unwrap().display()
        );
        assert_eq!(problem["hint"], hint, "{said}");
    };
    write_script(&hook, "#!/bin/sh\nexit 0\n");
    told(&format!("{} was replaced", hook.display()));
    write_script(&hook, "#!/bin/sh\nflowreg hook pre-push \"$@\"\n");
    told(&format!("{} was replaced", hook.display()));
    std::fs::remove_file(&hook).unwrap();
    told(&format!("{} is gone", hook.display()));
    // What the hint says helps.
    std::fs::remove_dir_all(previous.parent().unwrap()).unwrap();
    scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(status(&scenario)["state"], "installed");
}

#[test]
fn a_hook_that_an_earlier_flowreg_kept_is_taken_over() {
    let (scenario, hooks) = bare_of_hooks(&gits()[0]);
    let first = include_str!("first_shim.sh").replace("@FLOWREG@", "'/nowhere/flowreg'");
    write_script(&hooks.join("pre-push"), &first);
    write_script(&hooks.join("pre-push.flowreg-prev"), BY_NAME);
    let found = status(&scenario);
    assert!(found["problems"].to_string().contains("another version of flowreg"), "{found}");
    let installed = scenario.flowreg().json(&["hooks", "install"], 0);
    assert_eq!(installed["hooks"][0]["action"], "updated", "{installed}");
    assert_eq!(names_in(&hooks), ["pre-push"]);
    scenario.branch("feat/x");
    let pushed = scenario.push_only(&["-q", "origin", "feat/x"]);
    assert!(pushed.code == 1 && pushed.stderr.contains("refused by pre-push"), "{pushed:?}");
    scenario.flowreg().json(&["hooks", "uninstall"], 0);
    assert_eq!(std::fs::read_to_string(hooks.join("pre-push")).unwrap(), BY_NAME);
    // It may also be taken away as it is.
    write_script(&hooks.join("pre-push"), &first);
    write_script(&hooks.join("pre-push.flowreg-prev"), BY_NAME);
    let removed = scenario.flowreg().json(&["hooks", "uninstall"], 0);
    assert_eq!(removed["hooks"][0]["action"], "restored");
    assert_eq!(names_in(&hooks), ["pre-push"]);
}

#[test]
fn a_script_of_ours_that_somebody_edited_is_not_overwritten() {
    let scenario = Scenario::new(&gits()[0]);
    let hook = scenario.repository.root().join(".git/hooks/pre-push");
    let script = std::fs::read_to_string(&hook).unwrap();
    for edited in [
        format!("{script}echo more\n"),
        script.replace("#!/bin/sh\n", "#!/bin/sh\n# mine\n"),
        script.replace("exit 0", "exit 3"),
    ] {
        assert_ne!(edited, script);
        write_script(&hook, &edited);
        let refused = scenario.flowreg().json(&["hooks", "install"], 1);
        assert_eq!(refused["error"]["code"], "edited_hook", "{refused}");
        assert!(refused["error"]["hints"][0].as_str().unwrap().contains("--force"), "{refused}");
        assert_eq!(std::fs::read_to_string(&hook).unwrap(), edited);
        let found = status(&scenario);
        assert_eq!(found["state"], "broken", "{found}");
        assert!(found["problems"][0]["hint"].as_str().unwrap().contains("--force"), "{found}");
        scenario.flowreg().json(&["hooks", "install", "--force"], 0);
        assert_eq!(std::fs::read_to_string(&hook).unwrap(), script);
    }
}

#[test]
fn a_directory_that_the_repository_tracks_is_written_only_by_force() {
    let (scenario, _) = bare_of_hooks(&gits()[0]);
    let root = scenario.repository.root().to_owned();
    write_script(&root.join(".githooks/pre-commit"), "#!/bin/sh\nexit 0\n");
    scenario.commit("hooks of the team");
    let refused = || {
        let refused = scenario.flowreg().json(&["hooks", "install"], 1);
        assert_eq!(refused["error"]["code"], "tracked_hooks", "{refused}");
        let hints = refused["error"]["hints"].to_string();
        assert!(hints.contains("flowreg hook pre-push") && hints.contains("--force"), "{refused}");
        assert_eq!(scenario.git(&["status", "--porcelain"]), "");
    };
    scenario.git(&["config", "core.hooksPath", ".githooks"]);
    refused();
    // The same directory by a link.
    scenario.git(&["config", "--unset", "core.hooksPath"]);
    std::fs::remove_dir_all(root.join(".git/hooks")).unwrap();
    symlink("../.githooks", root.join(".git/hooks")).unwrap();
    refused();
    scenario.flowreg().json(&["hooks", "install", "--force"], 0);
    assert!(root.join(".githooks/pre-push").exists());
    let commit = scenario.branch("feat/x");
    scenario.push_only(&["-q", "origin", "feat/x"]);
    scenario.settled();
    scenario.assert_registered(&[("feat/x", &commit)]);
}

#[test]
fn status_says_when_hooks_are_switched_off() {
    on_every_git(|git| {
        let scenario = Scenario::new(git);
        assert_eq!(status(&scenario)["state"], "installed");
        let off = |by: &str, hint: &str| {
            let found = status(&scenario);
            assert_eq!(found["state"], "off", "{by}: {found}");
            assert_eq!(found["problems"][0]["code"], "switched_off", "{by}: {found}");
            let said = scenario.flowreg().run(&["hooks", "status"]);
            assert!(said.stdout.starts_with("off"), "{by}: {said:?}");
            assert!(said.stdout.contains(by) && said.stdout.contains(hint), "{by}: {said:?}");
        };
        scenario.git(&["config", "flowreg.enabled", "false"]);
        off("flowreg.enabled", "git config --unset flowreg.enabled");
        scenario.git(&["config", "flowreg.enabled", "of course"]);
        let found = status(&scenario);
        assert_eq!(found["state"], "broken", "{found}");
        let told = "flowreg.enabled is `of course` (local), which is neither true nor false";
        assert_eq!(found["problems"][0]["message"], told);
        scenario.git(&["config", "--unset", "flowreg.enabled"]);
        let included = scenario.repository.outside().join("in cluded");
        std::fs::write(&included, "[flowreg]\n\tenabled = false\n").unwrap();
        let hint = format!("git config --file '{}' --unset flowreg.enabled", included.display());
        for key in ["include.path", "includeIf.onbranch:**.path"] {
            scenario.git(&["config", key, included.to_str().unwrap()]);
            off(&format!("(local, in {})", included.display()), &hint);
            scenario.git(&["config", "--unset", key]);
        }
        scenario.git(&["config", "core.hooksPath", "/dev/null"]);
        off("core.hooksPath", "git config --unset core.hooksPath");
        scenario.git(&["config", "--unset", "core.hooksPath"]);
        let run = scenario.flowreg().env("FLOWREG_HOOKS", "0").run(&["hooks", "status"]);
        assert!(run.stdout.contains("FLOWREG_HOOKS"), "{run:?}");
        // For one command, and for all repositories of the person.
        let scenario = scenario
            .env("GIT_CONFIG_COUNT", "1")
            .env("GIT_CONFIG_KEY_0", "flowreg.enabled")
            .env("GIT_CONFIG_VALUE_0", "no");
        let found = status(&scenario);
        assert_eq!(found["state"], "off", "{found}");
        assert!(found["problems"][0]["message"].as_str().unwrap().contains("command"), "{found}");
    });
}

#[test]
fn what_the_hook_has_written_beside_itself_comes_back_with_it() {
    on_every_git(|git| {
        let (scenario, hooks) = bare_of_hooks(git);
        let script = "#!/bin/sh\nd=$(dirname \"$0\")\necho seen >> \"$d/state\"\nmkdir -p \"$d/cache\"\n\
            echo new > \"$d/unfinished\"\nmv \"$d/unfinished\" \"$d/known\"\n";
        write_script(&hooks.join("pre-push"), script);
        std::fs::write(hooks.join("known"), "old\n").unwrap();
        scenario.flowreg().json(&["hooks", "install"], 0);
        scenario.branch("feat/x");
        assert_eq!(scenario.push_only(&["-q", "origin", "feat/x"]).code, 0);
        let kept = hooks.with_file_name("hooks.flowreg");
        assert!(kept.join("state").exists());
        let gone = scenario.flowreg().json(&["hooks", "uninstall"], 0);
        assert_eq!(names_in(&hooks), ["cache", "known", "pre-push", "state"]);
        assert_eq!(std::fs::read_to_string(hooks.join("state")).unwrap(), "seen\n");
        // It is not put over another file: both are there, and that is told.
        assert_eq!(std::fs::read_to_string(hooks.join("known")).unwrap(), "old\n");
        assert_eq!(std::fs::read_to_string(kept.join("known")).unwrap(), "new\n");
        let notes = gone["hooks"][0]["notes"].to_string();
        assert!(notes.contains("hooks.flowreg/known stays"), "{gone}");
    });
}
