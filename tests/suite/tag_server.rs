//! `flowreg tag --register` and what a pull request is told, on the real Prefect server.

use serde_json::json;

use crate::support::Tagged;
use crate::support::prefect::unique;
use crate::support::site::{Site, source};
use crate::tag_checkouts::github_checkout;
use crate::tag_rules::sign_with_ssh;

#[test]
fn an_older_tags_job_that_ends_later_does_not_roll_back() {
    let site = Site::new();
    let server = site.server.api_url.clone();
    let flowreg = || site.tagged.flowreg().env("PREFECT_API_URL", &server);
    // Two jobs made their tags; the first one registers last.
    let first = flowreg().json(&["tag"], 0);
    site.tagged.repository.write("flows/etl.py", source(&site.flow, 2));
    site.tagged.push("feat: another default");
    let second = flowreg().json(&["tag", "--register"], 0);
    assert_eq!((&first["tag"], &second["tag"]), (&json!("v1.0.0"), &json!("v1.1.0")));
    site.assert_registered(&[("default", "v1.1.0")]);
    let commit = first["commit"].as_str().unwrap();
    let late = flowreg().run(&["tag", "--register", "--commit", commit]);
    assert_eq!(late.code, 1, "{late:?}");
    assert!(
        late.stdout.contains("the target holds v1.1.0, which is a higher version than v1.0.0"),
        "{late:?}"
    );
    site.assert_registered(&[("default", "v1.1.0")]);
    let by_tag = flowreg().env("BUILD_TAG", "v1.0.0").run(&["register"]);
    assert_eq!(by_tag.code, 1, "{by_tag:?}");
    site.assert_registered(&[("default", "v1.1.0")]);
    // Meant, it goes back.
    let meant = flowreg().run(&["tag", "--register", "--allow-downgrade", "--commit", commit]);
    assert_eq!(meant.code, 0, "{meant:?}");
    site.assert_registered(&[("default", "v1.0.0")]);
}

#[test]
fn without_the_server_no_tag_is_made() {
    let site = Site::new();
    let server = site.server.api_url.clone();
    let away = || {
        let flowreg = site.tagged.flowreg().env("PREFECT_API_URL", "http://127.0.0.1:9/api");
        flowreg.env("PREFECT_CLIENT_MAX_RETRIES", "0")
    };
    for arguments in [&["tag", "--register"][..], &["tag", "--dry-run"]] {
        assert_eq!(away().json(arguments, 7)["error"]["code"], "unreachable", "{arguments:?}");
    }
    assert!(site.tagged.tags().is_empty());
    assert_eq!(site.tagged.repository.git(&["tag"]), "");
    let again =
        site.tagged.flowreg().env("PREFECT_API_URL", &server).json(&["tag", "--register"], 0);
    assert_eq!((&again["created"], &again["registered"]), (&json!(true), &json!(true)));
    assert_eq!(again["registration"]["reference"]["proved"], true);
    site.assert_registered(&[("default", "v1.0.0")]);
}

#[test]
fn a_job_that_was_interrupted_is_finished_by_the_next() {
    let site = Site::new();
    // It got no further than to its tag.
    site.tagged.tag("v1.0.0");
    let flowreg = site.tagged.flowreg().env("PREFECT_API_URL", &site.server.api_url);
    let planned = flowreg.json(&["tag", "--dry-run"], 0);
    assert_eq!((&planned["outcome"], &planned["registered"]), (&json!("exists"), &json!(false)));
    assert_eq!(planned["registration"]["summary"]["create"], 1);
    site.assert_registered(&[]);
    let again = flowreg.json(&["tag", "--register"], 0);
    assert_eq!((&again["created"], &again["registered"]), (&json!(false), &json!(true)));
    site.assert_registered(&[("default", "v1.0.0")]);
}

#[test]
fn one_flow_that_is_refused_keeps_the_tag_from_being_made() {
    let site = Site::new();
    let api = &site.server.api;
    let other = unique("ci");
    site.tagged.repository.write("flows/other.py", source(&other, 1));
    site.tagged.push("feat: a second flow");
    // Somebody else has deployed it.
    let flow = api.ask("POST", "/flows/", &json!({"name": other}))["id"].clone();
    api.ask("POST", "/deployments/", &json!({"name": "default", "flow_id": flow}));
    let flowreg = site.tagged.flowreg().env("PREFECT_API_URL", &site.server.api_url);
    for arguments in [&["tag", "--register"][..], &["tag", "--dry-run"]] {
        let refused = flowreg.json(arguments, 1);
        assert_eq!((&refused["outcome"], &refused["tag"]), (&json!("refused"), &json!("v1.0.0")));
        assert_eq!((&refused["created"], &refused["registered"]), (&json!(false), &json!(false)));
        assert_eq!(refused["error"]["code"], "plan_refused");
        let summary = &refused["registration"]["summary"];
        assert_eq!((&summary["create"], &summary["refuse"]), (&json!(1), &json!(1)));
    }
    assert!(site.tagged.tags().is_empty());
    site.assert_registered(&[]);
    // The tag alone is no registration, and at a tag that is there what can be is registered.
    flowreg.json(&["tag"], 0);
    let rest = flowreg.json(&["tag", "--register"], 8);
    assert_eq!(rest["outcome"], "exists");
    site.assert_registered(&[("default", "v1.0.0")]);
    flowreg.json(&["tag", "--register", "--adopt"], 0);
}

#[test]
fn a_work_pool_that_is_missing_keeps_the_tag_from_being_made() {
    let site = Site::new();
    site.tagged.repository.write("flowreg.toml", "[mainline]\nwork_pool = \"no-such-pool\"\n");
    site.tagged.push("feat: another pool");
    let flowreg = site.tagged.flowreg().env("PREFECT_API_URL", &site.server.api_url);
    let refused = flowreg.json(&["tag", "--register"], 1);
    assert_eq!(refused["registration"]["registrations"][0]["error"]["code"], "work_pool_missing");
    assert!(site.tagged.tags().is_empty());
}

#[test]
fn what_changes_is_a_table_that_a_comment_can_hold() {
    let site = Site::new();
    let flowreg = site.tagged.flowreg().env("PREFECT_API_URL", &site.server.api_url);
    flowreg.json(&["tag", "--register"], 0);
    site.tagged.repository.write("flows/etl.py", source(&site.flow, 2));
    site.tagged.repository.write("flows/broken.py", "from prefect import flow\n@flow\ndef x(:\n");
    site.tagged.push("feat: another default | of @somebody");
    flowreg.json(&["tag"], 0);
    let plan = flowreg.run(&["plan", "--format", "markdown"]);
    assert_eq!(plan.code, 8, "{plan:?}");
    let table: Vec<_> = plan.stdout.lines().filter(|line| line.starts_with('|')).collect();
    assert_eq!(table[0], "| | deployment | what |");
    assert!(
        table[2].starts_with(&format!(
            "| update | `{}/default` | `version` v1.0.0 → v1.1.0<br>",
            site.flow
        )),
        "{table:?}"
    );
    assert!(table[3].starts_with("| failed | `flows/broken.py:3:"), "{table:?}");
    let error = site.tagged.flowreg().run(&["plan", "--format", "markdown", "--tag", "no|such"]);
    assert_eq!(error.code, 4);
    assert!(
        error.stdout.contains("**flowreg failed**: --tag names the tag no\\|such"),
        "{error:?}"
    );
}

#[test]
fn what_mainline_asks_of_a_tag_is_asked_of_the_remote() {
    let site = Site::new();
    let tagged = &site.tagged;
    sign_with_ssh(tagged);
    let path = tagged.repository.root().join("flowreg.toml");
    let toml = std::fs::read_to_string(path).unwrap();
    let rules = "[mainline]\nrequire_tag_on_mainline = true\nrequire_signed_tags = true\n";
    tagged.repository.write("flowreg.toml", toml.replace("[mainline]\n", rules));
    tagged.push("chore: be strict");
    assert_eq!(tagged.run(&["--sign"])["tag"], "v1.0.0");
    // What actions/checkout leaves of the tag has no signature; the remote's has.
    let register = |directory: &std::path::Path, tag: &str| {
        let flowreg = tagged.flowreg_in(directory).env("PREFECT_API_URL", &site.server.api_url);
        flowreg.env("BUILD_TAG", tag).run(&["register", "--format", "json"])
    };
    let commit = tagged.repository.git(&["rev-parse", "v1.0.0^{commit}"]);
    let build = github_checkout(tagged, "of-signed", &commit, "refs/tags/v1.0.0");
    trust(tagged, &build);
    let run = register(&build, "v1.0.0");
    assert_eq!(run.code, 0, "{run:?}");
    site.assert_registered(&[("default", "v1.0.0")]);
    // Mainline went on, and a clone without history can't tell: that is said, not guessed.
    tagged.push("fix: a");
    let build = github_checkout(tagged, "of-older", &commit, "refs/tags/v1.0.0");
    trust(tagged, &build);
    let run = register(&build, "v1.0.0");
    assert_eq!(run.code, 1, "{run:?}");
    assert!(
        run.stdout.contains("does not tell whether the tag v1.0.0 is on a mainline branch"),
        "{run:?}"
    );
    tagged.repository.git_in(&build, &["fetch", "-q", "--unshallow", "origin", "main"]);
    assert_eq!(register(&build, "v1.0.0").code, 0);
    // One without a signature, and one beside mainline.
    tagged.tag("v1.0.1");
    assert!(register(tagged.repository.root(), "v1.0.1").stdout.contains("tag_not_signed"));
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.push("feat: x");
    tagged.repository.git(&["tag", "-s", "-m", "x", "v1.1.0"]);
    tagged.repository.git(&["push", "-q", "origin", "v1.1.0"]);
    let run = register(tagged.repository.root(), "v1.1.0");
    assert!(run.stdout.contains("tag_not_on_mainline"), "{run:?}");
    site.assert_registered(&[("default", "v1.0.0")]);
}

/// Has git trust the key in a checkout, too.
fn trust(tagged: &Tagged, directory: &std::path::Path) {
    let signers = tagged.repository.outside().join("signers");
    let arguments = ["config", "gpg.ssh.allowedSignersFile", signers.to_str().unwrap()];
    tagged.repository.git_in(directory, &arguments);
}
