//! The files in which pushes wait: one for each push, however many refs it has, beside those of earlier versions.

use std::path::Path;

use serde_json::Value;

use crate::support::push::{Scenario, gits};

/// The files with records.
fn files(scenario: &Scenario) -> Vec<String> {
    let outbox = scenario.repository.root().join(".git/flowreg/outbox");
    let paths = std::fs::read_dir(outbox).unwrap().flatten().map(|entry| entry.path());
    // The locks and the log of decisions.
    let is_other = |path: &Path| path.extension().is_none_or(|ending| ending == "lock");
    let paths = paths.filter(|path| !is_other(path));
    let mut names: Vec<String> =
        paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

/// A file as flowreg wrote it for each ref before it wrote one for each push.
fn earlier_record(scenario: &Scenario, reference: &str, object: &str) -> String {
    let url = scenario.up().canonicalize().unwrap();
    let directory = scenario.repository.root().canonicalize().unwrap();
    let (url, directory) = (url.display(), directory.display());
    format!(
        r#"{{"format":1,"queued_at":1796147235368,"remote":"origin","url":"{url}","directory":"{directory}","reference":"{reference}","object":"{object}","commit":"{object}","before":null,"tracking":null,"git":null,"target":null,"is_received":false,"state":"unconfirmed","reason":null,"ended_at":null,"deliveries":0}}
"#
    )
}

#[test]
fn a_record_that_can_not_be_read_is_discarded_by_its_id() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    let outbox = scenario.repository.root().join(".git/flowreg/outbox");
    std::fs::create_dir_all(&outbox).unwrap();
    let id = "00000000000000000001-1-0000";
    std::fs::write(outbox.join(format!("{id}.json")), "{\n").unwrap();
    let command = format!("flowreg sync --discard {id}");
    for arguments in [&["sync", "--status"][..], &["sync"]] {
        let told = scenario.flowreg().run(arguments);
        assert!(told.stdout.contains(&format!(": {command}\n")), "{told:#?}");
    }
    scenario.flowreg().json(&["sync", "--discard", id], 0);
    assert_eq!(files(&scenario), Vec::<String>::new());
}

#[test]
fn a_push_of_many_refs_waits_in_one_file_until_the_last_of_them_is_done() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    let commit = scenario.branch("feat/main");
    let branches: Vec<String> = (10..70).map(|number| format!("feat/b{number}")).collect();
    for branch in &branches {
        scenario.git(&["branch", branch]);
    }
    let arguments: Vec<&str> =
        ["-q", "origin"].into_iter().chain(branches.iter().map(String::as_str)).collect();
    assert_eq!(scenario.push_only(&arguments).code, 0);
    assert_eq!(files(&scenario).len(), 1, "{:?}", files(&scenario));
    let status = scenario.status();
    assert_eq!(names(&status["waiting"]), branches);
    // By a glob, and by ids, which differ.
    let dropped = scenario.flowreg().json(&["sync", "--discard", "feat/b[1-5]*"], 0);
    assert_eq!(names(&dropped["dropped"]), branches[..50]);
    assert_eq!(names(&scenario.status()["waiting"]), branches[50..]);
    let id = status["waiting"][55]["id"].as_str().unwrap();
    let dropped = scenario.flowreg().json(&["sync", "--discard", id], 0);
    assert_eq!(names(&dropped["dropped"]), ["feat/b65"]);
    let delivered = scenario.flowreg().json(&["sync"], 0);
    assert_eq!(delivered["delivered"].as_array().unwrap().len(), 9, "{delivered}");
    assert_eq!(files(&scenario), Vec::<String>::new());
    let mut registered = scenario.registered();
    registered.sort();
    let expected = branches[50..].iter().filter(|one| *one != "feat/b65");
    let expected: Vec<_> = expected.map(|branch| (branch.clone(), commit.clone())).collect();
    assert_eq!(registered, expected);
}

#[test]
fn what_an_earlier_version_left_is_delivered_with_what_is_there_since() {
    let scenario = Scenario::new(&gits()[0]).in_ci();
    let commit = scenario.branch("feat/old-a");
    scenario.git(&["branch", "feat/old-b"]);
    scenario.git(&["push", "-q", "--no-verify", "origin", "feat/old-a", "feat/old-b"]);
    let outbox = scenario.repository.root().join(".git/flowreg/outbox");
    std::fs::create_dir_all(&outbox).unwrap();
    for (number, branch) in ["feat/old-a", "feat/old-b"].iter().enumerate() {
        let record = earlier_record(&scenario, &format!("refs/heads/{branch}"), &commit);
        let name = format!("01796147235379834651-24337-{number:04}.json");
        std::fs::write(Path::new(&outbox).join(name), record).unwrap();
    }
    scenario.git(&["branch", "feat/new-a"]);
    scenario.git(&["branch", "feat/new-b"]);
    assert_eq!(scenario.push_only(&["-q", "origin", "feat/new-a", "feat/new-b"]).code, 0);
    assert_eq!(files(&scenario).len(), 3, "{:?}", files(&scenario));
    let mut waiting: Vec<String> =
        names(&scenario.status()["waiting"]).into_iter().map(str::to_owned).collect();
    waiting.sort();
    assert_eq!(waiting, ["feat/new-a", "feat/new-b", "feat/old-a", "feat/old-b"]);
    scenario.flowreg().json(&["sync"], 0);
    assert_eq!(files(&scenario), Vec::<String>::new());
    let mut registered: Vec<String> =
        scenario.registered().into_iter().map(|(name, _)| name).collect();
    registered.sort();
    assert_eq!(registered, waiting);
}
