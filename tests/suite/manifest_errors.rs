//! What is wrong in a `prefect.yaml`: told with its place and what to type, and each deployment
//! fails alone.

use serde_json::Value;

use crate::support::{Flowreg, TestRepository};

const FLOWS: &str = "from prefect import flow\n\n\n@flow\ndef nightly_sync(days: int = 1):\n    ...\n\n\n\
                     @flow\ndef weekly():\n    ...\n";

/// The deployment that has to be registered whatever is wrong with the other one.
const GOOD: &str = "deployments:\n  - name: good\n    entrypoint: flows/etl.py:nightly_sync\n";

fn repository(manifest: &str) -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", FLOWS);
    repository.write("prefect.yaml", manifest);
    repository.commit("declare deployments");
    repository.git(&["tag", "v1"]);
    repository
}

/// Registers `good` and one more deployment with these lines; gives that one's item.
fn beside_a_good_one(lines: &[&str], rest: &str) -> Value {
    let entry: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let repository = repository(&format!("{GOOD}  - {}{rest}", entry.trim_start()));
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 8);
    assert_eq!(run["summary"]["created"], 1, "{run:#}");
    assert_eq!(run["summary"]["refused"], 1, "{run:#}");
    let items = run["registrations"].as_array().unwrap();
    let of = |action: &str| items.iter().find(|item| item["outcome"] == action).unwrap().clone();
    assert_eq!(of("created")["deployment"], "good");
    let refused = of("refused");
    // Refused before anything is written, at a dry run as well.
    let plan = flowreg.json(&["plan"], 8);
    assert_eq!(plan["summary"]["unchanged"], 1, "{plan:#}");
    assert_eq!(plan["summary"]["refuse"], 1, "{plan:#}");
    refused
}

fn assert_refused(lines: &[&str], rest: &str, code: &str, message: &str, hint: &str) {
    let refused = beside_a_good_one(lines, rest);
    assert_eq!(refused["error"]["code"], code, "{refused:#}");
    let told = refused["error"]["message"].as_str().unwrap();
    assert!(told.starts_with(message), "{told}");
    let hints = refused["error"]["hints"].to_string();
    assert!(hints.contains(hint), "{hints}");
}

#[test]
fn a_wrong_type_has_its_place() {
    assert_refused(
        &["name: other", "entrypoint: flows/etl.py:weekly", "parameters: [1, 2]"],
        "",
        "manifest",
        "prefect.yaml:6:17: `parameters` is a list, and should be a mapping",
        "",
    );
}

#[test]
fn an_entrypoint_that_is_not_there_names_the_nearest() {
    for (entrypoint, message, hint) in [
        (
            "flows/etl.py:nigthly_sync",
            "prefect.yaml:5:17: `flows/etl.py` has no flow `nigthly_sync` at ",
            "did you mean `nightly_sync`?",
        ),
        (
            "flows/elt.py:weekly",
            "prefect.yaml:5:17: there is no file `flows/elt.py` at ",
            "did you mean `flows/etl.py`?",
        ),
    ] {
        let entrypoint = format!("entrypoint: {entrypoint}");
        let lines = ["name: other", entrypoint.as_str()];
        assert_refused(&lines, "", "entrypoint", message, hint);
    }
}

#[test]
fn outputs_of_steps_are_not_there_unless_the_steps_may_run() {
    let steps = "build:\n  - prefect.deployments.steps.run_shell_script:\n      id: commit\n      \
                 script: touch it-ran\n";
    let lines =
        ["name: other", "entrypoint: flows/etl.py:weekly", "tags: [\"{{ commit.stdout }}\"]"];
    assert_refused(
        &lines,
        steps,
        "build_steps",
        "prefect.yaml:6:11: `{{ commit.stdout }}` in `tags` is an output of the build steps",
        "--run-steps",
    );
}

#[test]
fn a_template_without_a_value_is_no_text() {
    let lines = ["name: other", "entrypoint: flows/etl.py:weekly", "tags: [\"{{ $TEAM }}\"]"];
    let message = "prefect.yaml:6:11: `{{ $TEAM }}` in `tags` has no value";
    assert_refused(&lines, "", "template", message, "set TEAM in the environment");
}

#[test]
fn a_schedule_that_is_none_is_refused_before_the_server_sees_it() {
    let schedule = "schedules: [{cron: every day}]";
    let lines = ["name: other", "entrypoint: flows/etl.py:weekly", schedule];
    let message = "prefect.yaml:6:16: `cron` has five fields";
    assert_refused(&lines, "", "manifest", message, "");
}

#[test]
fn a_name_that_is_declared_twice_is_registered_by_neither() {
    let twice = "  - name: other\n    entrypoint: flows/etl.py:weekly\n".repeat(2);
    let repository = repository(&format!("{GOOD}{twice}"));
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 8);
    assert_eq!(run["summary"]["created"], 1, "{run:#}");
    assert_eq!(run["summary"]["refused"], 2, "{run:#}");
    let told = run["registrations"].to_string();
    assert!(told.contains("declared more than once: prefect.yaml:4, prefect.yaml:6"), "{told}");
    let held = flowreg.json(&["list"], 0);
    assert_eq!(held["registrations"].as_array().unwrap().len(), 1, "{held:#}");
}

#[test]
fn unknown_keys_and_deployments_without_a_name_are_told_and_left_out() {
    let manifest =
        format!("{GOOD}    shedule: {{cron: 0 0 * * *}}\n  - entrypoint: flows/etl.py:weekly\n");
    let repository = repository(&manifest);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register"]);
    assert_eq!(run.code, 0, "{run:?}");
    for told in [
        "prefect.yaml:4:5: `good`: unknown key `shedule` is ignored; did you mean `schedule`?",
        "prefect.yaml:5:5: a deployment without a name is left out",
    ] {
        assert!(run.stderr.contains(told), "{}", run.stderr);
    }
}

#[test]
fn yaml_that_does_not_parse_has_line_and_column() {
    let repository = repository("deployments:\n  - name: [a\n  - b: \"\n");
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register"]);
    assert_eq!(run.code, 5, "{run:?}");
    assert!(run.stdout.contains("failed     prefect.yaml:3:"), "{}", run.stdout);
    let run = flowreg.json(&["register"], 5);
    assert_eq!(run["errors"][0]["code"], "manifest", "{run:#}");
    assert_eq!(run["errors"][0]["line"], 3, "{run:#}");
    let held = flowreg.json(&["list"], 0);
    assert_eq!(held["registrations"].as_array().unwrap().len(), 0, "{held:#}");
}

#[test]
fn a_deployment_that_is_not_declared_is_named_with_the_nearest() {
    let repository = repository(GOOD);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register", "goood"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(
        run.stderr,
        "error: no flow or deployment matches `goood`\nhint: did you mean `good`?\n"
    );
}

#[test]
fn a_variable_that_the_target_has_not_is_told() {
    let manifest = format!("{GOOD}    tags: [\"{{{{ prefect.variables.team }}}}\"]\n");
    let repository = repository(&manifest);
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.run(&["register"]);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("has no variable `team`"), "{}", run.stderr);
}
