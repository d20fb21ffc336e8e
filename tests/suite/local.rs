//! The main job on the embedded registry: register, plan, list, guards.

use serde_json::{Value, json};

use crate::support::{Flowreg, TestRepository};

const ETL: &str = "from prefect import flow\n\n\n@flow(name=\"etl\")\ndef etl(days: int = 1):\n    \"\"\"Copies.\"\"\"\n";
const REPORT: &str = "from prefect import flow\n\n\n@flow\ndef report(title: str):\n    ...\n";

/// A repository with two flows, committed on `main`.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", ETL);
    repository.write("flows/report.py", REPORT);
    repository.commit("add the flows");
    repository
}

/// `flow/deployment outcome` of each registration.
fn outcomes(run: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    run["registrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            format!("{}/{} {}", text(&one["flow"]), text(&one["deployment"]), text(&one["outcome"]))
        })
        .collect()
}

#[test]
fn both_channels_are_registered_and_a_second_run_writes_nothing() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let first = flowreg.json(&["register"], 0);
    assert_eq!(outcomes(&first), ["etl/default created", "report/default created"]);
    assert_eq!(first["reference"]["kind"], "tag");
    assert_eq!(first["summary"]["created"], 2);
    assert_eq!(
        outcomes(&flowreg.json(&["register"], 0)),
        ["etl/default unchanged", "report/default unchanged"]
    );

    repository.git(&["switch", "-qc", "feature/x"]);
    let feature = flowreg.json(&["register", "--all"], 0);
    assert_eq!(
        outcomes(&feature),
        ["etl/default@feature~x created", "report/default@feature~x created"]
    );
    assert_eq!(feature["reference"]["channel"], "feature");
    let held = flowreg.json(&["list"], 0);
    let listed: Vec<_> = held["registrations"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["deployment"].as_str().unwrap(), one["reference"].as_str().unwrap()))
        .collect();
    assert_eq!(
        listed,
        [
            ("default", "v1.0.0"),
            ("default@feature~x", "feature/x"),
            ("default", "v1.0.0"),
            ("default@feature~x", "feature/x"),
        ]
    );
}

#[test]
fn the_human_report_is_one_screen_with_the_result_first() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository).env("BUILD_TAG", "v1.0.0");
    let commit = repository.git(&["rev-parse", "--short=7", "HEAD"]);
    let run = flowreg.run(&["register"]);
    let (report, duration) = run.stdout.trim_end().rsplit_once("   ").unwrap();
    assert_eq!(
        report,
        format!(
            "tag v1.0.0 (BUILD_TAG) at {commit} · local registry\n\
             \x20 created    etl/default     flows/etl.py:etl\n\
             \x20 created    report/default  flows/report.py:report\n\
             2 created"
        )
    );
    assert!(duration.ends_with(" s"), "{duration}");
}

#[test]
fn a_new_version_says_what_changed() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register"], 0);
    repository
        .write("flows/etl.py", ETL.replace("days: int = 1", "days: int = 2, since: str = \"\""));
    repository.commit("more");
    repository.git(&["tag", "-am", "second", "v1.1.0"]);
    let plan = flowreg.run(&["plan", "etl", "--exit-code"]);
    assert_eq!(plan.code, 9, "{plan:?}");
    let run = flowreg.run(&["register", "etl"]);
    assert!(
        run.stdout.contains(
            "  updated    etl/default  version v1.0.0 → v1.1.0, parameters +since ~days, pull_steps\n"
        ),
        "{}",
        run.stdout
    );
    assert_eq!(flowreg.run(&["plan", "etl", "--exit-code"]).code, 0);
}

#[test]
fn a_plan_writes_nothing() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    for arguments in [&["plan"][..], &["register", "--dry-run"]] {
        let plan = flowreg.json(arguments, 0);
        assert_eq!(plan["summary"]["create"], 2);
        assert_eq!(plan["registrations"][0]["outcome"], Value::Null);
    }
    assert_eq!(flowreg.json(&["list"], 0)["registrations"], json!([]));
}

#[test]
fn a_push_to_a_registered_branch_changes_nothing() {
    let repository = repository();
    repository.git(&["switch", "-qc", "feature/x"]);
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register"], 0);
    repository.write("flows/etl.py", ETL.to_owned() + "    print(\"more\")\n");
    repository.commit("only the body");
    let again = flowreg.json(&["register"], 0);
    assert_eq!(again["summary"]["unchanged"], 2);
}

#[test]
fn an_older_version_and_a_moved_tag_are_refused() {
    let repository = repository();
    repository.git(&["tag", "v1.9.0"]);
    repository.commit("later");
    repository.git(&["tag", "v1.10.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    flowreg.json(&["register", "--tag", "v1.10.0"], 0);
    let older = flowreg.json(&["register", "--tag", "v1.9.0"], 1);
    assert_eq!(older["registrations"][0]["error"]["code"], "downgrade");
    flowreg.json(&["register", "--tag", "v1.9.0", "--allow-downgrade"], 0);

    repository.commit("moved");
    repository.git(&["tag", "-f", "v1.9.0"]);
    let moved = flowreg.json(&["register", "--tag", "v1.9.0"], 1);
    let error = &moved["registrations"][0]["error"];
    assert_eq!(error["code"], "moved_tag");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(&repository.git(&["rev-parse", "v1.9.0"])), "{message}");
    assert!(message.contains(&repository.git(&["rev-parse", "v1.10.0~1"])), "{message}");
}

#[test]
fn a_mainline_branch_without_a_tag_is_refused_unless_asked_for() {
    let repository = repository();
    let flowreg = Flowreg::in_repository(&repository);
    let refused = flowreg.json(&["register"], 1);
    assert_eq!(refused["error"]["code"], "untagged");
    let branch = flowreg.json(&["register", "--untagged", "branch"], 0);
    assert_eq!(branch["reference"]["kind"], "branch");
    assert_eq!(branch["registrations"][0]["deployment"], "default");
    repository.commit("one more");
    let commit = flowreg.json(&["register", "--untagged", "commit"], 0);
    let head = repository.git(&["rev-parse", "HEAD"]);
    let steps = commit["registrations"][0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|change| change["field"] == "pull_steps")
        .unwrap();
    assert_eq!(steps["to"][0]["prefect.deployments.steps.git_clone"]["commit_sha"], head.as_str());
}

#[test]
fn flowreg_toml_is_read_from_the_tree_at_the_reference() {
    let repository = repository();
    repository.write(
        "flowreg.toml",
        "[mainline]\ntags = [\"prod\"]\n[flow.etl]\ndeployment = \"nightly\"\n\
         schedules = [{ cron = \"0 3 * * *\", timezone = \"Europe/Berlin\" }]\n\
         parameters = { days = 7 }\n",
    );
    repository.commit("configure");
    repository.git(&["tag", "v1.0.0"]);
    repository.write("flowreg.toml", "this is not even TOML");
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 0);
    assert_eq!(outcomes(&run), ["etl/nightly created", "report/default created"]);
    // The file in the work tree counts only if it is asked for.
    assert_eq!(flowreg.run(&["plan", "--config", "flowreg.toml"]).code, 3);
}

#[test]
fn what_is_not_committed_is_told() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    assert_eq!(flowreg.json(&["plan"], 0)["notices"], json!([]));
    repository.write("flows/new.py", REPORT);
    repository.write("flowreg.toml", "[mainline]\ntags = [\"prod\"]\n");
    let run = flowreg.run(&["plan"]);
    let commit = repository.git(&["rev-parse", "--short=7", "HEAD"]);
    assert!(
        run.stderr.contains(&format!("not committed: what is registered is commit {commit}"))
            && run.stderr.contains("flowreg.toml in the work tree differs from the one at"),
        "{}",
        run.stderr
    );
}

#[test]
fn quiet_hides_everything_but_errors() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let good = flowreg.run(&["register", "-q"]);
    assert_eq!((good.code, good.stdout.as_str(), good.stderr.as_str()), (0, "", ""));
    repository.commit("moved");
    repository.git(&["tag", "-f", "v1.0.0"]);
    let refused = flowreg.run(&["register", "-q"]);
    assert_eq!((refused.code, refused.stdout.as_str()), (1, ""));
    assert!(
        refused.stderr.contains("error: etl/default: tag v1.0.0 is registered at"),
        "{refused:?}"
    );
}

#[test]
fn names_can_not_command_the_terminal_or_forge_a_line() {
    let repository = TestRepository::empty();
    let evil = "from prefect import flow\n\n@flow(name=\"a\\x1b[31m\\nb\")\ndef f():\n    ...\n";
    repository.write("flows/evil.py", evil);
    repository.commit("evil");
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    for arguments in [&["flows"][..], &["register"], &["list"], &["plan", "-v"]] {
        let run = flowreg.run(&[arguments, &["--color", "always"]].concat());
        assert!(run.stdout.contains("a\\u{1b}[31m\\nb"), "{run:?}");
    }
}

#[test]
fn output_that_does_not_arrive_is_an_error() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    for arguments in [&["flows"][..], &["list", "--format", "json"]] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let status = flowreg.command(arguments).stdout(full).status().unwrap();
        assert_eq!(status.code(), Some(70));
    }
}

#[test]
fn deleted_and_edited_schedules_keep_the_state_that_people_chose() {
    let repository = repository();
    let declare = |schedules: &str, tag: &str| {
        repository.write("flowreg.toml", format!("[flow.etl]\nschedules = [{schedules}]\n"));
        repository.commit(tag);
        repository.git(&["tag", tag]);
        let run = Flowreg::in_repository(&repository).run(&["plan", "etl"]);
        Flowreg::in_repository(&repository).json(&["register", "etl"], 0);
        run.stdout
    };
    declare("{ cron = \"0 1 * * *\" }, { cron = \"0 2 * * *\" }", "v1.0.0");
    let plan = declare("{ cron = \"0 2 * * *\" }", "v1.1.0");
    assert!(plan.contains("- cron 0 1 * * *, timezone UTC"), "{plan}");
    assert!(!plan.contains("0 2 * * *"), "{plan}");
    let plan = declare("", "v1.2.0");
    assert!(plan.contains("- cron 0 2 * * *, timezone UTC"), "{plan}");
}

#[test]
fn what_flowreg_toml_declares_no_longer_goes() {
    let repository = repository();
    repository.git(&["switch", "-qc", "feature/x"]);
    let declare = |text: &str| {
        repository.write("flowreg.toml", format!("[flow.etl]\n{text}\n"));
        repository.commit("declare");
    };
    let flowreg = Flowreg::in_repository(&repository);
    declare("tags = [\"a\", \"b\"]\nparameters = { days = 2 }");
    flowreg.json(&["register"], 0);
    declare("tags = [\"a\"]");
    let run = flowreg.json(&["register"], 0);
    let changes: Vec<_> = run["registrations"][0]["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| (change["field"].as_str().unwrap(), &change["from"], &change["to"]))
        .collect();
    assert_eq!(
        changes,
        [("tags", &json!(["a", "b"]), &json!(["a"])), ("parameters.days", &json!(2), &Value::Null)]
    );
    let again = flowreg.json(&["register"], 0);
    assert_eq!(outcomes(&again)[0], "etl/default@feature~x unchanged");
}

#[test]
fn the_store_is_shared_by_worktrees_and_subdirectories() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    Flowreg::in_repository(&repository).json(&["register"], 0);
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "v1.0.0"]);
    let from_linked = Flowreg::in_directory(&linked.join("flows"), repository.outside());
    assert_eq!(from_linked.json(&["register"], 0)["summary"]["unchanged"], 2);
}

#[test]
fn ten_processes_at_once_register_everything_once() {
    let repository = repository();
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let children: Vec<_> =
        (0..10).map(|_| flowreg.command(&["register", "-q"]).spawn().unwrap()).collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(flowreg.json(&["list"], 0)["registrations"].as_array().unwrap().len(), 2);
}

#[test]
fn watching_registers_again_when_the_branch_moves() {
    let repository = repository();
    repository.git(&["switch", "-qc", "feature/x"]);
    let flowreg = Flowreg::in_repository(&repository);
    let mut child = flowreg
        .command(&["register", "--watch"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let holds = |count: usize| {
        for _ in 0..100 {
            let list = flowreg.json(&["list"], 0);
            if list["registrations"].as_array().unwrap().len() == count {
                return true;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        false
    };
    let first = holds(2);
    repository.write("flows/more.py", REPORT.replace("report", "more"));
    repository.commit("a third flow");
    let second = holds(3);
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(first && second);
}
