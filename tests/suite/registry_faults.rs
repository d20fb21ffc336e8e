//! The embedded registry under races and on a full disk: what is reported as registered is, and an older
//! version never replaces a newer one.

use std::process::Command;

use serde_json::Value;

use crate::support::{Flowreg, TestRepository};

/// A repository with so many flows and these tags, a commit each.
fn repository(flows: usize, tags: &[&str]) -> TestRepository {
    let repository = TestRepository::empty();
    for (index, tag) in tags.iter().enumerate() {
        for flow in 0..flows {
            let source = format!(
                "from prefect import flow\n\n\n@flow\ndef f{flow}(days: int = {index}):\n    ...\n"
            );
            repository.write(&format!("flows/f{flow}.py"), source);
        }
        repository.commit(tag);
        repository.git(&["tag", tag]);
    }
    repository
}

/// The references that the registry holds.
fn held(flowreg: &Flowreg) -> Vec<String> {
    let list = flowreg.json(&["list"], 0);
    let registrations = list["registrations"].as_array().unwrap().iter();
    registrations.map(|one| one["reference"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn of_two_versions_at_once_the_higher_one_stays() {
    let repository = repository(3, &["v1.0.0", "v1.1.0", "v1.2.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    for round in 0..200 {
        flowreg.json(&["register", "--tag", "v1.0.0", "--allow-downgrade"], 0);
        let mut order = ["v1.1.0", "v1.2.0"];
        order.rotate_left(round % 2);
        let running = order.map(|tag| flowreg.start(&["register", "--tag", tag]));
        let codes = running.map(|child| child.wait_with_output().unwrap().status.code().unwrap());
        let lower = codes[order.iter().position(|tag| *tag == "v1.1.0").unwrap()];
        // The lower one was first, was refused, or was first with some.
        assert!([0, 1, 8].contains(&lower), "round {round}: {codes:?}");
        assert_eq!(held(&flowreg), ["v1.2.0"; 3], "round {round}");
    }
}

#[test]
fn of_ten_first_registrations_at_once_one_creates() {
    let repository = repository(3, &["v1.0.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let running = [(); 10].map(|()| flowreg.start(&["register", "--format", "json"]));
    let mut created = 0;
    for child in running {
        let output = child.wait_with_output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(0), "{report}");
        created += report["summary"]["created"].as_u64().unwrap();
        let unchanged = report["summary"]["unchanged"].as_u64().unwrap();
        assert_eq!(report["summary"]["created"].as_u64().unwrap() + unchanged, 3, "{report}");
    }
    assert_eq!(created, 3);
    let store = flowreg::store::Store::open(&repository.root().join(".git")).unwrap();
    assert_eq!(store.ledger().unwrap().len(), 3, "a line for each registration");
}

/// What a process may write into one file, in units of 512 bytes, as a disk that is nearly full.
fn on_a_full_disk(flowreg: &Flowreg, blocks: u32, arguments: &[&str]) -> (i32, Value) {
    let plain = flowreg.command(arguments);
    let mut limited = Command::new("sh");
    // The signal that would end the process is ignored; the write fails as on a disk without room.
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"");
    limited.args(["-c", &script]).arg(plain.get_program()).args(plain.get_args());
    limited.current_dir(plain.get_current_dir().unwrap()).env_clear();
    limited.envs(plain.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = limited.output().unwrap();
    let report = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
    (output.status.code().unwrap(), report)
}

#[test]
fn what_a_full_disk_refuses_is_not_reported_as_registered() {
    let repository = repository(30, &["v1.0.0", "v1.1.0"]);
    let flowreg = Flowreg::in_repository(&repository);
    let mut in_part = 0;
    // From less than the registry's own files have, over some of the writes, to enough for all.
    for blocks in [0, 1, 16, 48, 72, 80, 96, 128, 192, 256, 320, 4096] {
        flowreg.json(&["register", "--tag", "v1.0.0", "--allow-downgrade"], 0);
        let arguments = ["register", "--tag", "v1.1.0", "--format", "json"];
        let (code, report) = on_a_full_disk(&flowreg, blocks, &arguments);
        let list = flowreg.json(&["list"], 0);
        let held = list["registrations"].as_array().unwrap();
        let reported = report["registrations"].as_array().cloned().unwrap_or_default();
        for one in held {
            let is_said = reported
                .iter()
                .any(|item| item["flow"] == one["flow"] && item["outcome"] == "updated");
            let is_so = one["reference"] == "v1.1.0";
            assert!(is_so || !is_said, "{blocks} blocks: {report}");
        }
        let is_done = held.iter().all(|one| one["reference"] == "v1.1.0");
        assert_eq!(code == 0, is_done, "{blocks} blocks, code {code}: {report}");
        in_part += usize::from(code == 8);
        // With room again the same command finishes the job.
        flowreg.json(&["register", "--tag", "v1.1.0"], 0);
    }
    assert!(in_part > 1, "no limit was met in the middle of the writes");
}
