//! What a run notices reaches the user also where the run fails: it may say why it took this reference.

use serde_json::{Value, json};

use crate::support::{Flowreg, Tagged};

const SKIPPED: &str = "BUILD_TAG is `jenkins-etl-7`, which is skipped: Jenkins sets it to the name of the build, which is no git \
     tag";

/// In a build of Jenkins, whose `BUILD_TAG` is no tag.
fn on_jenkins(tagged: &Tagged) -> Flowreg {
    let jenkins = [
        ("BUILD_TAG", "jenkins-etl-7"),
        ("JENKINS_URL", "https://ci.example.com/"),
        ("BUILD_NUMBER", "7"),
    ];
    jenkins.iter().fold(tagged.flowreg(), |flowreg, (name, value)| flowreg.env(name, value))
}

/// A feature branch that the remote does not have, so that a server could not be written.
fn unpushed() -> Tagged {
    let tagged = Tagged::new();
    tagged.repository.git(&["checkout", "-q", "-b", "feat/x"]);
    tagged.repository.commit("not pushed");
    tagged
}

#[test]
fn an_error_comes_with_what_was_noticed_before() {
    let tagged = unpushed();
    let flowreg = on_jenkins(&tagged).env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    for command in [&["register"][..], &["plan"], &["register", "--dry-run"], &["flows"]] {
        let failed = flowreg.json(command, 4);
        assert_eq!(failed["error"]["code"], "remote_missing_branch", "{command:?}");
        assert_eq!(failed["notices"], json!([SKIPPED]), "{command:?}");
        let told = flowreg.run(command).stderr;
        let lines: Vec<&str> = told.lines().collect();
        assert_eq!(lines[0], format!("warning: {SKIPPED}"), "{command:?}");
        assert!(lines[1].starts_with("error: "), "{command:?}: {told}");
        let quiet = flowreg.run(&[command, &["-q"]].concat()).stderr;
        assert!(quiet.starts_with("error: "), "{command:?}: {quiet}");
    }
    let markdown = flowreg.run(&["plan", "--format", "markdown"]).stdout;
    assert!(markdown.ends_with("which is no git tag\n"), "{markdown}");
    // The result of `reference` has them in any case, and once.
    let reference = flowreg.json(&["reference"], 4);
    assert_eq!(reference["notices"], json!([SKIPPED]));
    // Nothing was noticed, nothing is said.
    let failed = tagged.flowreg().json(&["register", "nope"], 2);
    assert_eq!(failed.get("notices"), None, "{failed}");
}

/// Each stage of a run may be the one that fails.
#[test]
fn whatever_fails_later_does_not_hide_what_was_noticed() {
    let tagged = Tagged::new();
    tagged.repository.git(&["checkout", "-q", "-b", "feat/x"]);
    tagged.push("a branch");
    let notices = |failed: &Value| failed["notices"].to_string();
    // No server answers: the scan was done, the target was to be read.
    tagged.repository.write("flowreg.toml", "[flow.etll]\ntags = [\"x\"]\n");
    tagged.push("a misspelt flow");
    let server = on_jenkins(&tagged).env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let failed = server.json(&["register"], 7);
    assert!(notices(&failed).contains(SKIPPED), "{failed}");
    assert!(notices(&failed).contains("[flow.\\\"etll\\\"] is the name of no flow"), "{failed}");
    // A flow that is not there: the selection ends the run.
    let failed = on_jenkins(&tagged).json(&["register", "nope", "--target", "local"], 2);
    assert!(notices(&failed).contains(SKIPPED), "{failed}");
    assert!(notices(&failed).contains("is the name of no flow"), "{failed}");
    let failed = on_jenkins(&tagged).json(&["flows", "nope"], 2);
    assert_eq!(failed["notices"], json!([SKIPPED]));
    // A mistake in the file that was found at this reference.
    tagged.repository.write("flowreg.toml", "[flows]\nincluded = []\n");
    tagged.push("a mistake");
    for command in ["register", "plan", "flows", "reference"] {
        let failed = on_jenkins(&tagged).json(&[command], 3);
        assert_eq!(failed["notices"], json!([SKIPPED]), "{command}");
    }
}

/// The tag is at the remote by then, so the error is a part of the report.
#[test]
fn flowreg_tag_tells_what_the_registration_noticed_before_it_failed() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.write("flowreg.toml", "[flow.etll]\ntags = [\"x\"]\n");
    tagged.push("feat: a misspelt flow");
    tagged.tag("v1.1.0");
    let server = tagged.flowreg().env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let failed = server.json(&["tag", "--register"], 7);
    assert_eq!(failed["outcome"], "exists", "{failed}");
    let notices = failed["notices"].to_string();
    assert_eq!(notices.matches("is the name of no flow").count(), 1, "{failed}");
    // And before it is made.
    tagged.push("feat: another");
    let failed = server.json(&["tag", "--register"], 7);
    assert_eq!(failed.get("outcome"), None, "{failed}");
    assert!(failed["notices"].to_string().contains("is the name of no flow"), "{failed}");
}

#[test]
fn a_variable_that_is_meant_for_flowreg_and_not_read_is_told() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let flowreg = tagged
        .flowreg()
        .env("FLOWREG_TARGET", "prefect")
        .env("FLOWREG_HOOK", "0")
        .env("FLOWREG_IMAGE", "registry.example.com/flowreg:1");
    let expected = json!([
        "FLOWREG_HOOK is not read; did you mean FLOWREG_HOOKS?",
        "FLOWREG_TARGET is not read: it is the option --target",
    ]);
    for command in [
        &["register"][..],
        &["plan"],
        &["reference"],
        &["flows"],
        &["list"],
        &["sync"],
        &["sync", "--status"],
        &["hooks", "status"],
        &["hooks", "install"],
        &["hooks", "uninstall"],
        &["prune", "--dry-run"],
        &["tag", "--print"],
        &["tag", "--list"],
    ] {
        assert_eq!(flowreg.json(command, 0)["notices"], expected, "{command:?}");
        let run = flowreg.run(command);
        let (first, second) = (expected[0].as_str().unwrap(), expected[1].as_str().unwrap());
        let told = format!("warning: {first}\nwarning: {second}\n");
        assert!(run.stderr.starts_with(&told), "{command:?}: {run:#?}");
        assert_eq!(run.stderr.matches(first).count(), 1, "{command:?}: {run:#?}");
        let quiet = flowreg.run(&[command, &["-q"]].concat());
        assert!(!quiet.stderr.contains("FLOWREG_"), "{command:?}: {quiet:#?}");
    }
    assert_eq!(flowreg.json(&["register", "nope"], 2)["notices"], expected);
    let summary = flowreg.run(&["plan", "--format", "markdown"]);
    assert_eq!(summary.stdout.matches("> FLOWREG\\_HOOK is not read").count(), 1, "{summary:#?}");
    // A push is told nothing of it, and goes on.
    let url = tagged.remote.display().to_string();
    let pushed = flowreg.run(&["hook", "pre-push", "origin", &url]);
    assert_eq!((pushed.code, &*pushed.stderr), (0, ""), "{pushed:#?}");
}

#[test]
fn what_can_not_be_taken_back_is_refused_where_a_variable_looks_like_one_of_its_options() {
    let tagged = Tagged::new();
    for (variable, command, hint) in [
        ("FLOWREG_DRY_RUN", &["tag", "--register"][..], "flowreg tag --register --dry-run"),
        ("FLOWREG_DRYRUN", &["tag"], "flowreg tag --dry-run"),
        ("FLOWREG_TARGET", &["tag"], "flowreg tag --target \"$FLOWREG_TARGET\""),
        ("FLOWREG_BUMP", &["tag"], "flowreg tag --bump \"$FLOWREG_BUMP\""),
        ("FLOWREG_BRANCH", &["prune"], "flowreg prune --branch \"$FLOWREG_BRANCH\""),
        ("FLOWREG_DRY_RUN", &["prune"], "flowreg prune --dry-run"),
        ("FLOWREG_DRY_RUN", &["register"], "flowreg register --dry-run"),
    ] {
        let refused = tagged.flowreg().env(variable, "1").run(command);
        assert_eq!(refused.code, 2, "{refused:#?}");
        let expected = format!("error: nothing is done: {variable} does not do what --");
        assert!(refused.stderr.contains(&expected), "{refused:#?}");
        let hints = format!("hint: {hint}\nhint: or without it: unset {variable}\n");
        assert!(refused.stderr.ends_with(&hints), "{refused:#?}");
    }
    assert_eq!(tagged.tag_names(), Vec::<String>::new());
    assert_eq!(tagged.flowreg().json(&["list"], 0)["registrations"], json!([]));
    // Neither what the option itself says, nor how a run is shown, nor what only another command has.
    let target = tagged.flowreg().env("FLOWREG_TARGET", "prefect");
    let target = target.env("FLOWREG_COLOR", "never").env("FLOWREG_UNTAGGED", "branch");
    assert_eq!(target.json(&["tag", "--dry-run"], 0)["outcome"], "next");
    assert_eq!(target.json(&["tag", "--target", "local"], 0)["outcome"], "created");
}

#[test]
fn what_stands_in_place_of_a_value_is_told_from_an_address() {
    let tagged = Tagged::new();
    for (value, told) in [
        ("$(PREFECT_URL)", "contains `$(PREFECT_URL)`, a template that was not replaced"),
        ("${{ vars.URL }}", "contains `${{ vars.URL }}`, a template that was not replaced"),
        ("https://${HOST}/api", "contains `${HOST}`, a template that was not replaced"),
        ("***", "contains asterisks, which stand for a secret in a log"),
        ("null", "is `null`, which stands for no value"),
        ("undefined", "is `undefined`, which stands for no value"),
        ("none", "is `none`, which stands for no value"),
        ("<url>", "contains `<url>`, a placeholder that was not filled in"),
        ("CHANGEME", "contains `CHANGEME`, a placeholder that was not filled in"),
        (
            "https://api.prefect.cloud/api/accounts/[ACCOUNT-ID]/workspaces/[WORKSPACE-ID]",
            "contains `[ACCOUNT-ID]`, a placeholder that was not filled in",
        ),
        (
            "\"http://127.0.0.1:9/api\"",
            "begins or ends with a quote, which belongs to the shell or the file and not to the value",
        ),
    ] {
        let failed = tagged.flowreg().env("PREFECT_API_URL", value).json(&["register"], 3);
        assert_eq!(failed["error"]["message"], format!("PREFECT_API_URL {told}"), "{value}");
        assert_eq!(failed["error"]["hints"][1], "export PREFECT_API_URL=https://…/api", "{value}");
        // The client of Prefect 1 fills in `${…}` by itself, with nothing where there is nothing.
        if value.contains("${") {
            continue;
        }
        let old = tagged.flowreg().env("PREFECT__CLOUD__API", value);
        let failed = old.json(&["register", "--target", "prefect1"], 3);
        let message = failed["error"]["message"].as_str().unwrap();
        assert!(message.ends_with(told), "{value}: {message}");
    }
    let failed = tagged.flowreg().env("PREFECT_API_URL", "localhost:4200/api");
    let failed = failed.json(&["register"], 3);
    assert_eq!(failed["error"]["message"], "PREFECT_API_URL is not an http:// or https:// address");
    assert_eq!(failed["error"]["hints"], json!(["export PREFECT_API_URL=https://…/api"]));
    // Of a key nothing is shown but what is certainly none.
    let server = tagged.flowreg().env("PREFECT_API_URL", "http://127.0.0.1:9/api");
    let failed = server.env("PREFECT_API_KEY", "$(PREFECT_KEY)").json(&["plan", "--offline"], 3);
    let message = "PREFECT_API_KEY contains `$(PREFECT_KEY)`, a template that was not replaced";
    assert_eq!(failed["error"]["message"], message);
    // A file says so as well.
    tagged.repository.write(".env", "PREFECT_API_URL=null\n");
    let failed = tagged.flowreg().json(&["register"], 3);
    assert_eq!(
        failed["error"]["message"],
        "PREFECT_API_URL (.env) is `null`, which stands for no value"
    );
}
