//! `flowreg tag`: everything that can be refused is refused before the tag is published, and a person
//! is asked.

use std::fmt::Write as _;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Tagged, git_environment};

const BROKEN: &str = "from prefect import flow\n\n\n@flow\ndef broken(:\n";

/// Neither the remote nor this repository has a tag, and nothing is registered.
#[track_caller]
fn assert_nothing(tagged: &Tagged) {
    assert!(tagged.tags().is_empty(), "{:?}", tagged.tags());
    assert_eq!(tagged.repository.git(&["tag"]), "");
    assert_eq!(tagged.flowreg().json(&["list"], 0)["registrations"], json!([]));
}

/// A hook of the work tree.
fn hook_here(tagged: &Tagged, name: &str, script: &str) {
    let path = tagged.repository.root().join(".git/hooks").join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(&path, script).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn what_is_wrong_in_a_file_is_known_before_the_tag() {
    let declared = "deployments:\n- name: nightly\n  entrypoint: flows/none.py:etl\n";
    let steps = "build:\n- prefect.deployments.steps.run_shell_script:\n    id: image\n    script: echo x\n\
                 deployments:\n- name: nightly\n  entrypoint: flows/etl.py:etl\n  tags: [\"{{ image.stdout }}\"]\n";
    for (path, content, code) in [
        ("flows/broken.py", BROKEN, 5),
        ("prefect.yaml", declared, 3),
        ("prefect.yaml", "deployments: {\n", 3),
        ("prefect.yaml", steps, 1),
    ] {
        let tagged = Tagged::new();
        tagged.repository.write(path, content);
        tagged.push("feat: more");
        for arguments in [&["tag", "--register"][..], &["tag", "--dry-run"]] {
            let refused = tagged.flowreg().json(arguments, code);
            assert_eq!(refused["outcome"], "refused", "{path}: {refused}");
            assert_eq!((&refused["tag"], &refused["created"]), (&json!("v1.0.0"), &json!(false)));
            assert!(
                refused["error"]["hints"]
                    .to_string()
                    .contains("to make it all the same: flowreg tag --format json\"")
            );
        }
        assert_nothing(&tagged);
        // The tag alone was asked for: nothing is planned for it.
        assert_eq!(tagged.run(&[])["created"], true);
        // At a tag that is there what can be is registered, as at any other.
        let run = tagged.flowreg().json(&["tag", "--register"], if code == 5 { 8 } else { code });
        assert_eq!(run["outcome"], "exists", "{run}");
    }
}

#[test]
fn what_production_holds_is_known_before_the_tag() {
    let tagged = Tagged::new();
    // Registered from elsewhere at tags that are gone by now: a higher one, and one of this name.
    tagged.repository.git(&["tag", "v5.0.0"]);
    tagged.flowreg().json(&["register", "--tag", "v5.0.0"], 0);
    tagged.repository.git(&["tag", "-d", "v5.0.0"]);
    let lower = tagged.flowreg().json(&["tag", "--register"], 1);
    assert_eq!(lower["registration"]["registrations"][0]["error"]["code"], "downgrade");
    tagged.push("feat: more");
    let moved = tagged.flowreg().json(&["tag", "5.0.0", "--register"], 1);
    assert_eq!(moved["registration"]["registrations"][0]["error"]["code"], "moved_tag");
    assert!(tagged.tags().is_empty());
    assert_eq!(tagged.repository.git(&["tag"]), "");
    // Meant, the lower one replaces it.
    assert_eq!(tagged.run(&["--register", "--allow-downgrade"])["registered"], true);
}

#[test]
fn what_is_configured_wrongly_is_known_before_the_tag() {
    let tagged = Tagged::new();
    tagged.repository.write("flowreg.toml", "[flows]\ninclude = [\"[\"]\n");
    tagged.push("feat: a mistake");
    let error = tagged.flowreg().json(&["tag", "--register"], 3);
    assert_eq!(error["error"]["code"], "configuration");
    assert!(tagged.tags().is_empty());
}

#[test]
fn a_refusal_leaves_nothing_that_looks_like_a_tag() {
    let tagged = Tagged::new();
    tagged.repository.write("flows/broken.py", BROKEN);
    tagged.push("feat: more");
    let file = tagged.repository.outside().join("out");
    let flowreg = tagged.flowreg().env("GITHUB_OUTPUT", file.to_str().unwrap());
    let run = flowreg.run(&["tag", "--register"]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stdout.starts_with("not created: tag v1.0.0 at "), "{run:?}");
    assert!(run.stdout.contains("flows/broken.py:5:12"), "{run:?}");
    let told = "error: no tag is made: not everything could be registered at v1.0.0\n";
    assert!(
        run.stderr.ends_with(
            "hint: to make it all the same: flowreg tag\n\
             hint: and then, to register what can be: flowreg register --tag v1.0.0\n"
        ),
        "{run:?}"
    );
    assert!(run.stderr.contains(told), "{run:?}");
    let pairs = std::fs::read_to_string(file).unwrap();
    assert!(pairs.starts_with("tag=\nversion=\ncommit="), "{pairs}");
    assert!(pairs.contains("created=false\nregistered=false\n"), "{pairs}");
    let markdown = tagged.flowreg().run(&["tag", "--register", "--format", "markdown"]);
    assert!(markdown.stdout.starts_with("### Tag v1.0.0 was not made, at "), "{markdown:?}");
}

#[test]
fn a_branch_of_that_name_is_refused_here_and_on_the_remote() {
    let tagged = Tagged::new();
    let refused = |code| tagged.flowreg().json(&["tag", "--register"], code)["error"].clone();
    tagged.repository.git(&["branch", "v1.0.0"]);
    let here = refused(4);
    assert_eq!(here["code"], "ambiguous_name");
    assert_eq!(
        here["message"],
        "this repository has a branch v1.0.0, so workers could not clone a tag of that name"
    );
    // Also without registering: a tag can't be taken back once workers can't use it.
    assert_eq!(tagged.flowreg().run(&["tag"]).code, 4);
    assert_eq!(tagged.flowreg().run(&["tag", "--dry-run"]).code, 4);
    // A clone sees only the remote's.
    tagged.repository.git(&["push", "-q", "origin", "v1.0.0:refs/heads/v1.0.0"]);
    tagged.repository.git(&["branch", "-D", "v1.0.0"]);
    let there = refused(4);
    assert!(
        there["message"].as_str().unwrap().starts_with("origin has a branch v1.0.0,"),
        "{there}"
    );
    assert_nothing(&tagged);
    // Only one that is pinned by its commit is not cloned by name.
    tagged.repository.write("flowreg.toml", "[repository]\npin = \"commit\"\n");
    tagged.push("chore: pin to commits");
    assert_eq!(tagged.run(&[])["created"], true);
}

#[test]
fn a_dry_run_shows_the_tag_and_the_plan_and_publishes_nothing() {
    let tagged = Tagged::new();
    let planned = tagged.flowreg().json(&["tag", "--dry-run"], 0);
    assert_eq!((&planned["outcome"], &planned["tag"]), (&json!("next"), &json!("v1.0.0")));
    assert_eq!(planned["registration"]["registrations"][0]["action"], "create");
    assert_eq!(planned["registration"]["reference"]["name"], "v1.0.0");
    assert_eq!(planned["registration"]["reference"]["proved"], false);
    let run = tagged.flowreg().run(&["tag", "--register", "--dry-run"]);
    assert!(run.stdout.starts_with("would create tag v1.0.0 at "), "{run:?}");
    assert!(run.stdout.contains("  create     etl/default  flows/etl.py:etl\n"), "{run:?}");
    assert_nothing(&tagged);
    let done = tagged.run(&["--register"]);
    assert_eq!((&done["created"], &done["registered"]), (&json!(true), &json!(true)));
    // What the dry run refuses is what the real one would.
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.push("feat: x");
    let error = tagged.flowreg().json(&["tag", "--dry-run"], 1);
    assert_eq!(error["error"]["code"], "not_mainline");
}

#[test]
fn a_dry_run_at_a_tag_that_only_the_remote_has_plans_at_it() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["tag", "-d", "v1.0.0"]);
    let planned = tagged.flowreg().json(&["tag", "--dry-run"], 0);
    assert_eq!((&planned["outcome"], &planned["tag"]), (&json!("exists"), &json!("v1.0.0")));
    assert_eq!(planned["registration"]["summary"]["create"], 1);
}

#[test]
fn with_another_tag_comes_another_plan() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let between = tagged.push("feat: a");
    tagged.push("fix: b");
    // While this job pushes v1.1.0, another one makes it of the commit before.
    let script = format!(
        "#!/bin/sh\nexec env -u GIT_DIR git --git-dir={} update-ref refs/tags/v1.1.0 {between}\n",
        tagged.remote.display()
    );
    hook_here(&tagged, "pre-push", &script);
    let run = tagged.run(&["--register"]);
    assert_eq!((&run["tag"], &run["previous"]), (&json!("v1.1.1"), &json!("v1.1.0")));
    assert_eq!(run["registration"]["reference"]["name"], "v1.1.1");
    let held = tagged.flowreg().json(&["list"], 0);
    assert_eq!(held["registrations"][0]["reference"], "v1.1.1");
}

#[test]
fn what_a_later_job_registers_during_the_push_is_not_taken_back() {
    let tagged = Tagged::new();
    tagged.run(&["--register"]);
    tagged.push("feat: a");
    tagged.repository.git(&["tag", "v2.0.0"]);
    // The later job ends while this one still waits for its own push.
    let mut script =
        format!("#!/bin/sh\ncd {} && exec env -i ", tagged.repository.root().display());
    for (name, value) in git_environment(tagged.repository.outside()) {
        let _ = write!(script, "{name}='{value}' ");
    }
    script.push_str(concat!(env!("CARGO_BIN_EXE_flowreg"), " register --tag v2.0.0 >&2\n"));
    tagged.hook("post-receive", &script);
    let late = tagged.flowreg().json(&["tag", "--register"], 1);
    assert_eq!((&late["tag"], &late["created"]), (&json!("v1.1.0"), &json!(true)));
    assert_eq!(late["registration"]["registrations"][0]["error"]["code"], "downgrade", "{late}");
    let held = tagged.flowreg().json(&["list"], 0);
    assert_eq!(held["registrations"][0]["reference"], "v2.0.0");
}

/// Runs the command on a terminal of its own, types an answer, and returns exit code and screen.
fn on_a_terminal(tagged: &Tagged, arguments: &str, answer: &str, ci: bool) -> (i32, String) {
    let command = format!("{} {arguments}", env!("CARGO_BIN_EXE_flowreg"));
    let mut child = Command::new("script")
        .args(["--quiet", "--return", "--command", &command, "/dev/null"])
        .current_dir(tagged.repository.root())
        .env_clear()
        .envs(git_environment(tagged.repository.outside()))
        .envs(ci.then_some(("CI", "true")))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(answer.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.code().unwrap(), String::from_utf8(output.stdout).unwrap())
}

#[test]
fn a_person_is_asked_before_a_tag_is_published() {
    let tagged = Tagged::new();
    for answer in ["n\n", "\n", "no way\n"] {
        let (code, screen) = on_a_terminal(&tagged, "tag", answer, false);
        assert_eq!(code, 1, "{screen}");
        assert!(screen.contains("publish tag v1.0.0 at "), "{screen}");
        assert!(screen.contains("on origin? It can't be taken back [y/N]"), "{screen}");
        assert!(screen.contains("no tag is made: v1.0.0 was not agreed to"), "{screen}");
    }
    let (code, screen) = on_a_terminal(&tagged, "tag --register", "n\n", false);
    assert!(
        code == 1 && screen.contains("on origin, and register 1 new and 0 changed?"),
        "{screen}"
    );
    assert_nothing(&tagged);
    let (code, screen) = on_a_terminal(&tagged, "tag", "y\n", false);
    assert_eq!((code, tagged.tag_names()), (0, vec!["v1.0.0".to_owned()]), "{screen}");
    // Neither where it was answered before, nor in a build, nor where nothing is published.
    tagged.push("feat: a");
    for (arguments, ci) in
        [("tag --print", false), ("tag --dry-run", false), ("tag --yes", false), ("tag", false)]
    {
        let (code, screen) = on_a_terminal(&tagged, arguments, "", ci);
        assert!(code == 0 && !screen.contains("[y/N]"), "{arguments}: {screen}");
    }
    assert_eq!(tagged.tag_names(), ["v1.0.0", "v1.1.0"]);
    tagged.push("feat: b");
    let (code, screen) = on_a_terminal(&tagged, "tag", "", true);
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
    // Without a terminal nobody can be asked, and a program that reads the output is not a person.
    tagged.push("feat: c");
    let (code, screen) = on_a_terminal(&tagged, "tag --format json", "", false);
    assert!(code == 0 && !screen.contains("[y/N]"), "{screen}");
    assert_eq!(tagged.tag_names().len(), 4);
}

#[test]
fn options_that_contradict_each_other_are_usage() {
    let tagged = Tagged::new();
    for arguments in [
        &["--print", "--dry-run"][..],
        &["--print", "--register"],
        &["--list", "--register"],
        &["--list", "1.0.0"],
        &["--offline"],
        &["--dry-run", "--offline"],
        &["--adopt"],
    ] {
        assert_eq!(tagged.flowreg().run(&[&["tag"], arguments].concat()).code, 2, "{arguments:?}");
    }
    let planned: Value = tagged.flowreg().json(&["tag", "--dry-run", "--adopt"], 0);
    assert_eq!(planned["outcome"], "next");
}
