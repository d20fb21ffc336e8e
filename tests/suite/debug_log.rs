//! `--debug` and `FLOWREG_LOG`: what a run did is on standard error, and nothing that is secret.

use crate::support::TestRepository;
use crate::support::push::{Scenario, gits};
use crate::support::{Flowreg, Tagged};

const TOKEN: &str = "ghp-0123456789abcdef";

/// How many lines of a log hold all of these words.
fn count(log: &str, words: &[&str]) -> usize {
    log.lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
}

#[test]
fn the_log_tells_rungs_git_processes_and_the_cache_and_changes_nothing_else() {
    let repository = TestRepository::empty();
    repository
        .write("etl.py", "from prefect import flow\n\n\n@flow\ndef etl(days: int = 1): ...\n");
    repository.commit("etl");
    repository.git(&["tag", "v1.0.0"]);
    let flowreg = || Flowreg::in_repository(&repository).env("FLOWREG_HOOKS", "0");
    let quiet = flowreg().json(&["plan"], 0);
    let logged = flowreg().run(&["plan", "--debug", "--format", "json"]);
    assert_eq!(logged.code, 0, "{logged:#?}");
    assert_eq!(serde_json::from_str::<serde_json::Value>(&logged.stdout).unwrap(), quiet);
    let log = &logged.stderr;
    for words in [
        &["DEBUG", "flowreg_git", "reference ladder", "active branch", "main"][..],
        &["DEBUG", "flowreg_git", "git process", "status", "ms="],
        &["DEBUG", "flowreg::store", "cache"],
        &["DEBUG", "flowreg::scan", "from_cache=1"],
    ] {
        assert!(count(log, words) > 0, "{words:?} in no line of\n{log}");
    }
    let by_variable = flowreg().env("FLOWREG_LOG", "flowreg_git=debug").run(&["plan"]);
    assert!(count(&by_variable.stderr, &["flowreg_git"]) > 0, "{by_variable:#?}");
    assert_eq!(count(&by_variable.stderr, &["flowreg::"]), 0, "{by_variable:#?}");
    assert_eq!(count(&flowreg().run(&["plan"]).stderr, &["DEBUG"]), 0);
}

#[test]
fn a_log_that_is_asked_for_in_a_wrong_way_is_a_usage_error_but_stops_no_hook() {
    let repository = TestRepository::empty();
    let flowreg = Flowreg::in_repository(&repository).env("FLOWREG_LOG", "loud");
    let run = flowreg.run(&["reference"]);
    assert_eq!(run.code, 2, "{run:#?}");
    assert!(run.stderr.contains("FLOWREG_LOG: `loud`"), "{run:#?}");
    assert!(run.stderr.contains("hint: FLOWREG_LOG=debug"), "{run:#?}");
    assert_eq!(flowreg.run(&["hook", "pre-push"]).code, 0);
}

#[test]
fn no_credential_and_no_value_of_the_environment_is_in_the_log() {
    let tagged = Tagged::new();
    let url = format!("https://ada:{TOKEN}@127.0.0.1:9/data/flows.git");
    tagged.repository.git(&["remote", "set-url", "origin", &url]);
    let run = tagged
        .flowreg()
        .env("PREFECT_API_URL", "http://127.0.0.1:9/api")
        .env("PREFECT_API_KEY", TOKEN)
        .env("PREFECT_API_AUTH_STRING", &format!("ada:{TOKEN}"))
        .env("SOME_VALUE", TOKEN)
        .run(&["plan", "--debug", "--untagged", "branch"]);
    assert_eq!(run.code, 4, "{run:#?}");
    assert!(count(&run.stderr, &["git process", "ls-remote", "exit_code=128"]) > 0, "{run:#?}");
    let offline = tagged
        .flowreg()
        .env("PREFECT_API_URL", &format!("http://ada:{TOKEN}@127.0.0.1:9/api"))
        .env("PREFECT_API_KEY", TOKEN)
        .run(&["plan", "--debug", "--untagged", "branch", "--offline"]);
    assert_eq!(offline.code, 7, "{offline:#?}");
    assert!(count(&offline.stderr, &["flowreg_servers", "request"]) > 0, "{offline:#?}");
    for run in [&run, &offline] {
        assert!(!run.stderr.contains(TOKEN), "{run:#?}");
    }
}

#[test]
fn a_queued_push_opens_one_repository_reads_one_flowreg_toml_and_climbs_no_ladder() {
    // In CI nothing watches: the push waits for `sync`.
    let scenario = Scenario::new(&gits()[0]).env("CI", "true");
    let configuration = "target = \"local\"\n[repository]\nremote = \"origin\"\n";
    scenario.repository.write("flowreg.toml", configuration);
    scenario.branch("feat/x");
    scenario.git(&["push", "-q", "origin", "feat/x"]);
    let synced = scenario.flowreg().env("FLOWREG_LOG", "debug").run(&["sync"]);
    assert_eq!(synced.code, 0, "{synced:#?}");
    assert!(synced.stdout.contains("feat/x"), "{synced:#?}");
    let log = &synced.stderr;
    assert_eq!(count(log, &["repository opened"]), 1, "{log}");
    assert_eq!(count(log, &["read flowreg.toml"]), 1, "{log}");
    assert_eq!(count(log, &["reference ladder"]), 0, "{log}");
}
