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

/// Registers `good` and one more deployment with these lines; gives that one's item. A mistake in the
/// file has an exit code of its own, whatever was registered beside it.
fn beside_a_good_one(lines: &[&str], rest: &str, is_mistake: bool) -> Value {
    let entry: String = lines.iter().map(|line| format!("    {line}\n")).collect();
    let repository = repository(&format!("{GOOD}  - {}{rest}", entry.trim_start()));
    let flowreg = Flowreg::in_repository(&repository);
    let code = if is_mistake { 3 } else { 8 };
    let run = flowreg.json(&["register"], code);
    assert_eq!(run["summary"]["created"], 1, "{run:#}");
    assert_eq!(run["summary"]["refused"], 1, "{run:#}");
    let items = run["registrations"].as_array().unwrap();
    let of = |action: &str| items.iter().find(|item| item["outcome"] == action).unwrap().clone();
    assert_eq!(of("created")["deployment"], "good");
    let refused = of("refused");
    // Refused before anything is written, at a dry run as well.
    let plan = flowreg.json(&["plan"], code);
    assert_eq!(plan["summary"]["unchanged"], 1, "{plan:#}");
    assert_eq!(plan["summary"]["refuse"], 1, "{plan:#}");
    refused
}

fn assert_refused(lines: &[&str], rest: &str, code: &str, message: &str, hint: &str) {
    // That steps are not run is a choice, and a flow that can't be loaded no mistake of the file.
    let is_mistake = !["build_steps", "flow", "link"].contains(&code);
    let refused = beside_a_good_one(lines, rest, is_mistake);
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
    let message = "prefect.yaml:6:24: `cron` has five fields";
    assert_refused(&lines, "", "manifest", message, "");
}

#[test]
fn a_name_that_is_declared_twice_is_registered_by_neither() {
    let twice = "  - name: other\n    entrypoint: flows/etl.py:weekly\n".repeat(2);
    let repository = repository(&format!("{GOOD}{twice}"));
    let flowreg = Flowreg::in_repository(&repository);
    let run = flowreg.json(&["register"], 3);
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
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stdout.contains("failed     prefect.yaml:3:"), "{}", run.stdout);
    let run = flowreg.json(&["register"], 3);
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

#[test]
fn a_value_that_is_none_of_the_few_names_those_and_the_nearest() {
    for (lines, message, hint) in [
        (
            &["concurrency_limit:", "  limit: 1", "  collision_strategy: cancel_new"][..],
            "prefect.yaml:8:27: `collision_strategy` is `cancel_new`, and should be `ENQUEUE` or \
             `CANCEL_NEW`",
            "did you mean `CANCEL_NEW`?",
        ),
        (
            &["version_type: git"],
            "prefect.yaml:6:19: `version_type` is `git`, and should be `prefect:simple`, ",
            "",
        ),
        (
            &["triggers:", "  - posture: reactive", "    expect: [x]"],
            "prefect.yaml:7:18: trigger 1, posture: is `reactive`, and must be `Reactive` or \
             `Proactive`",
            "did you mean `Reactive`?",
        ),
        (
            &["triggers:", "  - type: metrics"],
            "prefect.yaml:7:15: trigger 1, type: is `metrics`, and must be `event`, `metric`, ",
            "did you mean `metric`?",
        ),
    ] {
        let lines = [&["name: other", "entrypoint: flows/etl.py:weekly"][..], lines].concat();
        let code = if message.contains("trigger") { "trigger" } else { "manifest" };
        assert_refused(&lines, "", code, message, hint);
    }
}

#[test]
fn every_problem_of_a_deployment_has_its_place() {
    for (lines, code, message) in [
        (
            &["triggers:", "  - expect: [a]", "  - type: sequence", "    triggers: [{within: x}]"]
                [..],
            "trigger",
            "prefect.yaml:9:29: trigger 2, triggers.0.within: must be ",
        ),
        // What is not there has the place of what it is missing in.
        (
            &["triggers:", "  - type: metric"],
            "trigger",
            "prefect.yaml:7:9: trigger 1, metric: is missing",
        ),
        (
            &["schedules:", "  - cron: 0 3 * * *", "  - interval: soon"],
            "manifest",
            "prefect.yaml:8:19: `interval` is not a duration",
        ),
        (
            &["schedule:", "  rrule: \"{\""],
            "manifest",
            "prefect.yaml:7:14: `rrule` starts with a brace",
        ),
        (
            &["schedules:", "  - {cron: 0 3 * * *, slug: a}", "  - {cron: 0 4 * * *, slug: a}"],
            "duplicate_slug",
            "prefect.yaml:7:7: two schedules have the slug `a`",
        ),
    ] {
        let lines = [&["name: other", "entrypoint: flows/etl.py:weekly"][..], lines].concat();
        assert_refused(&lines, "", code, message, "");
    }
    let lines = ["name: a/b", "entrypoint: flows/etl.py:weekly"];
    assert_refused(&lines, "", "deployment_name", "prefect.yaml:4:11: ", "");
    // Two mistakes in one deployment have a place each.
    let lines = ["name: other", "entrypoint: flows/etl.py:weekly", "paused: perhaps", "tags: x"];
    let refused = beside_a_good_one(&lines, "", true);
    let told = refused["error"]["message"].as_str().unwrap();
    assert!(
        told.starts_with("prefect.yaml:6:13: ") && told.contains("prefect.yaml:7:11: "),
        "{told}"
    );
}

#[test]
fn a_key_at_the_wrong_level_is_told_where_it_belongs() {
    let manifest = format!(
        "entrypoint: flows/etl.py:weekly\n{GOOD}    retries: 3\n    log_prints: true\n    job_variables: {{}}\n    \
         cron: 0 3 * * *\n    work_pool:\n      image: x\n    triggers:\n      - expect: [x]\n        \
         cron: 0 3 * * *\n    shedule: {{}}\n"
    );
    let repository = repository(&manifest);
    let run = Flowreg::in_repository(&repository).json(&["plan"], 0);
    let told: Vec<&str> =
        run["notices"].as_array().unwrap().iter().map(|notice| notice.as_str().unwrap()).collect();
    assert_eq!(
        told,
        [
            "prefect.yaml:1:1: `entrypoint` belongs to an entry of `deployments`, and is ignored here",
            "prefect.yaml:5:5: `good`: `retries` belongs to the flow: `@flow(retries=…)`, and is ignored here",
            "prefect.yaml:6:5: `good`: `log_prints` belongs to the flow: `@flow(log_prints=…)`, and is ignored here",
            "prefect.yaml:7:5: `good`: `job_variables` belongs under `work_pool`, and is ignored here",
            "prefect.yaml:8:5: `good`: `cron` belongs to an entry of `schedules`, and is ignored here",
            "prefect.yaml:14:5: `good`: unknown key `shedule` is ignored; did you mean `schedule`?",
            "prefect.yaml:10:7: `good`: `image` belongs under `job_variables` of `work_pool`, and is ignored here",
            "prefect.yaml:13:9: `good`: `cron` belongs to an entry of `schedules`, and is ignored here",
        ]
    );
}

#[test]
fn inputs_beside_the_name_of_a_step_are_told_where_they_belong() {
    let step = "pull:\n  - prefect.deployments.steps.git_clone:\n    repository: x\n";
    let repository = repository(&format!("{step}{GOOD}"));
    let run = Flowreg::in_repository(&repository).json(&["plan"], 3);
    let error = &run["errors"][0];
    assert_eq!((&error["line"], &error["column"]), (&3.into(), &5.into()), "{error:#}");
    assert_eq!(
        error["message"],
        "a step has one key, the name of its function: `repository` belongs below \
         `prefect.deployments.steps.git_clone`, indented further"
    );
}

#[test]
fn a_file_that_declares_no_deployment_registers_nothing() {
    for (manifest, told) in [
        ("deployments: []\n", "prefect.yaml declares no deployments: nothing is registered"),
        (
            "deployments:\n# - name: x\n",
            "prefect.yaml declares no deployments: nothing is registered",
        ),
        (
            "deployments:\n- name: null\n  entrypoint: flows/etl.py:weekly\n- entrypoint: x.py:x\n- name: ''\n",
            "prefect.yaml:2:3: 3 deployments without a name are left out (also in lines 4, 5)",
        ),
    ] {
        let repository = repository(manifest);
        let flowreg = Flowreg::in_repository(&repository);
        let run = flowreg.json(&["register"], 0);
        assert_eq!(run["registrations"], serde_json::json!([]), "{run:#}");
        let notices = run["notices"].to_string();
        assert!(notices.contains(told) && notices.contains("nothing is registered"), "{notices}");
        let screen = flowreg.run(&["register"]);
        assert_eq!(screen.code, 0, "{screen:?}");
        assert!(screen.stderr.contains(told), "{screen:?}");
    }
}

#[test]
fn a_file_without_deployments_does_not_say_which_there_are() {
    for manifest in ["", "name: flows\n", "prefect-version: 3.8.8\npull: []\n"] {
        let repository = repository(manifest);
        let run = Flowreg::in_repository(&repository).json(&["register"], 0);
        assert_eq!(run["summary"]["created"], 2, "{run:#}");
        let notices = run["notices"].to_string();
        let told = "prefect.yaml has no key `deployments`: every flow gets one";
        assert!(notices.contains(told), "{notices}");
        assert_eq!(notices.contains("steps are not used"), manifest.contains("pull"), "{notices}");
    }
    // A file that `[manifest] files` names is there to declare deployments.
    let repository = repository("name: flows\n");
    repository.write("flowreg.toml", "[manifest]\nfiles = [\"prefect.yaml\"]\n");
    repository.commit("name the file");
    repository.git(&["tag", "v2"]);
    let run = Flowreg::in_repository(&repository).json(&["register"], 0);
    assert_eq!(run["registrations"], serde_json::json!([]), "{run:#}");
    assert!(run["notices"].to_string().contains("declares no deployments"), "{run:#}");
}

#[test]
fn files_of_deployments_that_nobody_reads_are_told_once() {
    let told = |notices: &Value| {
        let notices = notices.as_array().unwrap().iter().map(|notice| notice.as_str().unwrap());
        notices.filter(|notice| notice.contains("not read")).map(str::to_owned).collect::<Vec<_>>()
    };
    let entry = "deployments:\n  - name: team\n    entrypoint: ../../flows/etl.py:weekly\n";
    let repository = repository(GOOD);
    let flowreg = Flowreg::in_repository(&repository);
    let notices = || told(&flowreg.json(&["plan", "--untagged", "branch"], 0)["notices"]);
    assert_eq!(notices(), [""; 0]);
    repository.write("teams/a/prefect.yaml", entry);
    repository.commit("one team");
    assert_eq!(
        notices(),
        ["`teams/a/prefect.yaml` is not read: to register what is declared there, put into \
          flowreg.toml: [manifest] files = [\"prefect.yaml\", \"teams/a/prefect.yaml\"]"]
    );
    for team in ["b", "c"] {
        repository.write(&format!("teams/{team}/prefect.yaml"), entry);
    }
    repository.commit("more teams");
    let all = "`teams/a/prefect.yaml` and 2 more below the root are not read: to register what is \
               declared there, put into flowreg.toml: [manifest] files = [\"**/prefect.yaml\"]";
    assert_eq!(notices(), [all]);
    // Also where nothing is declared at the root, and where every flow gets a deployment.
    for manifest in ["deployments: []\n", "name: x\n"] {
        repository.write("prefect.yaml", manifest);
        repository.commit("nothing at the root");
        assert_eq!(notices(), [all]);
    }
    // Not those that are left out on purpose, nor when the files are named.
    repository.write("flowreg.toml", "[flows]\nexclude = [\"teams/**\"]\n");
    repository.commit("exclude");
    assert_eq!(notices(), [""; 0]);
    repository.write("flowreg.toml", "[manifest]\nfiles = [\"prefect.yaml\"]\n");
    repository.commit("name");
    assert_eq!(notices(), [""; 0]);
}

#[test]
fn a_misspelt_key_for_the_deployments_registers_nothing() {
    for key in ["deployment", "Deployments", "deploymnets", "jobs"] {
        let manifest =
            format!("name: x\n{key}:\n- name: nightly\n  entrypoint: flows/etl.py:nightly_sync\n");
        let repository = repository(&manifest);
        let flowreg = Flowreg::in_repository(&repository);
        let run = flowreg.json(&["register"], 3);
        assert_eq!(run["registrations"], serde_json::json!([]), "{key}: {run:#}");
        let error = &run["errors"][0];
        assert_eq!((&error["line"], &error["column"]), (&2.into(), &1.into()), "{error:#}");
        let told = format!("there is no key `{key}`");
        let message = error["message"].as_str().unwrap();
        assert!(message.starts_with(&told) && message.ends_with("`deployments`?"), "{message}");
    }
    // Other keys of people's own say nothing about deployments.
    let repository = repository("name: x\nteam: [data]\nx-deployments: []\n");
    Flowreg::in_repository(&repository).json(&["register"], 0);
}

#[test]
fn naming_a_deployment_shows_its_mistake() {
    let other = "flows/etl.py:weekly";
    for (entry, place) in [
        (format!("  - name: d\n    entrypoint: {other}\n    tags: x\n"), "prefect.yaml:6:11"),
        ("  - name: d\n    entrypoint: flows/nope.py:weekly\n".to_owned(), "prefect.yaml:5:17"),
        (
            format!(
                "  - name: d\n    entrypoint: {other}\n    pull:\n    - prefect.deployments.steps.git_clon: {{}}\n"
            ),
            "prefect.yaml:7:7",
        ),
    ] {
        let repository = repository(&format!("{GOOD}{entry}"));
        let flowreg = Flowreg::in_repository(&repository);
        for name in ["weekly/d", "weekly", "weekly/*", "d"] {
            let run = flowreg.json(&["plan", name], 3);
            let items = run["registrations"].as_array().unwrap();
            assert_eq!(items.len(), 1, "{name}: {run:#}");
            assert_eq!(items[0]["error"]["place"], place, "{name}: {run:#}");
        }
        // One that was not asked for is nobody's concern now.
        for name in ["good", "nightly-sync", "nightly-sync/good"] {
            let run = flowreg.json(&["plan", name], 0);
            assert_eq!(run["registrations"].as_array().unwrap().len(), 1, "{name}: {run:#}");
        }
        let run = flowreg.json(&["plan", "gone"], 2);
        assert!(run["error"]["message"].as_str().unwrap().contains("matches `gone`"), "{run:#}");
    }
    // Of a file that can't be read nobody knows what it declares.
    let repository = repository(&format!("{GOOD}   - name: [\n"));
    let run = Flowreg::in_repository(&repository).json(&["plan", "weekly/d"], 3);
    assert_eq!(run["errors"][0]["path"], "prefect.yaml", "{run:#}");
}

#[test]
fn a_mistake_goes_before_a_server_that_is_down() {
    let repository = repository(&format!("{GOOD}  - name: other\n    entrypoint: nope.py:x\n"));
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main", "v1"]);
    let flowreg =
        Flowreg::in_repository(&repository).env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    for command in ["plan", "register"] {
        let run = flowreg.json(&[command], 3);
        let message = run["error"]["message"].as_str().unwrap();
        assert!(message.starts_with("prefect.yaml:5:17: there is no file `nope.py`"), "{message}");
        assert!(message.contains("nor could the target be read"), "{message}");
    }
    let run = flowreg.json(&["plan", "good"], 7);
    assert_eq!(run["error"]["code"], "unreachable", "{run:#}");
}

#[test]
fn a_mistake_is_told_by_the_list_of_flows_too() {
    let repository = repository(&format!(
        "{GOOD}  - name: d\n    entrypoint: flows/etl.py:weekly\n    tags: x\n"
    ));
    let list = Flowreg::in_repository(&repository).json(&["flows"], 3);
    assert_eq!(list["flows"].as_array().unwrap().len(), 2, "{list:#}");
    assert_eq!(list["errors"][0]["line"], 6, "{list:#}");
}
