//! What is asked of a tag before anything is registered at it, and what goes when a branch is gone.

use serde_json::json;

use crate::support::Tagged;

#[test]
fn a_signed_tag_is_signed_as_git_is_configured() {
    let tagged = Tagged::new();
    sign_with_ssh(&tagged);
    assert_eq!(tagged.run(&["--sign"])["created"], true);
    tagged.repository.git_in(&tagged.remote, &["cat-file", "-e", "v1.0.0^{tag}"]);
    tagged.repository.git(&["verify-tag", "v1.0.0"]);
    tagged.repository.git(&["config", "tag.gpgSign", "true"]);
    tagged.push("feat: a");
    tagged.run(&[]);
    tagged.repository.git(&["verify-tag", "v1.1.0"]);
    // Refused, it leaves nothing behind, as an unsigned one.
    tagged.hook("pre-receive", "#!/bin/sh\nexit 1\n");
    tagged.repository.commit("feat: b");
    assert_eq!(tagged.flowreg().run(&["tag", "--off-mainline"]).code, 4);
    assert_eq!(tagged.repository.git(&["tag", "-l", "v1.2.0"]), "");
    tagged.repository.git(&["config", "user.signingkey", "/nowhere"]);
    let error = tagged.flowreg().json(&["tag", "--off-mainline"], 4);
    assert_eq!(error["error"]["code"], "not_signed");
}

#[test]
fn only_signed_tags_are_registered_where_that_is_required() {
    let tagged = Tagged::new();
    sign_with_ssh(&tagged);
    tagged.repository.write("flowreg.toml", "[mainline]\nrequire_signed_tags = true\n");
    tagged.push("chore: be strict");
    tagged.repository.git(&["tag", "v1.0.0"]);
    tagged.repository.git(&["push", "-q", "origin", "v1.0.0"]);
    let light = tagged.flowreg().json(&["register"], 1);
    assert_eq!(light["error"]["code"], "tag_not_signed");
    tagged.repository.git(&["commit", "-q", "--allow-empty", "-m", "fix: a"]);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    // One that could never be registered is not even made.
    for arguments in [&["tag"][..], &["tag", "--register"], &["tag", "--dry-run"]] {
        let unsigned = tagged.flowreg().json(arguments, 1);
        assert_eq!(unsigned["error"]["code"], "tag_not_signed", "{arguments:?}");
        let hints = unsigned["error"]["hints"].to_string();
        assert!(hints.contains("--format json --sign"), "{hints}");
    }
    // Nor one that is signed by a key which is not trusted here, if it is to be registered here.
    let trusted = tagged.repository.git(&["config", "gpg.ssh.allowedSignersFile"]);
    tagged.repository.git(&["config", "gpg.ssh.allowedSignersFile", "/dev/null"]);
    let untrusted = tagged.flowreg().json(&["tag", "--register", "--sign"], 1);
    assert_eq!(untrusted["error"]["code"], "tag_not_signed");
    assert_eq!(tagged.tag_names(), ["v1.0.0"]);
    tagged.repository.git(&["config", "gpg.ssh.allowedSignersFile", &trusted]);
    let signed = tagged.run(&["--register", "--sign"]);
    assert_eq!((&signed["tag"], &signed["registered"]), (&json!("v1.0.1"), &json!(true)));
}

#[test]
fn a_tag_that_mainline_lacks_is_told_or_refused() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["switch", "-qc", "feature/x"]);
    tagged.push("feat: x");
    tagged.tag("v1.1.0");
    let told = tagged.flowreg().json(&["register", "--tag", "v1.1.0"], 0);
    assert!(told["notices"].to_string().contains("v1.1.0 is not on a mainline branch"), "{told}");
    let fine = tagged.flowreg().json(&["plan", "--tag", "v1.0.0"], 1);
    assert!(!fine["notices"].to_string().contains("mainline branch"), "{fine}");
    tagged.repository.write("flowreg.toml", "[mainline]\nrequire_tag_on_mainline = true\n");
    tagged.push("feat: strict");
    tagged.tag("v1.2.0");
    let refused = tagged.flowreg().json(&["register", "--tag", "v1.2.0"], 1);
    assert_eq!(refused["error"]["code"], "tag_not_on_mainline");
    tagged.repository.git(&["switch", "-q", "main"]);
    tagged.repository.git(&["merge", "-q", "feature/x"]);
    tagged.repository.git(&["push", "-q", "origin", "main"]);
    tagged.flowreg().json(&["register", "--tag", "v1.2.0"], 0);
}

/// Has git sign with an SSH key that it trusts.
pub(crate) fn sign_with_ssh(tagged: &Tagged) {
    let key = tagged.repository.outside().join("key");
    let output = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", key.to_str().unwrap()])
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    let public = std::fs::read_to_string(key.with_extension("pub")).unwrap();
    let signers = tagged.repository.outside().join("signers");
    std::fs::write(&signers, format!("ada@example.com {public}")).unwrap();
    for (name, value) in [
        ("gpg.format", "ssh"),
        ("user.signingkey", key.to_str().unwrap()),
        ("gpg.ssh.allowedSignersFile", signers.to_str().unwrap()),
    ] {
        tagged.repository.git(&["config", name, value]);
    }
}

#[test]
fn registrations_of_branches_that_are_gone_are_removed_and_no_others() {
    let tagged = Tagged::new();
    tagged.run(&["--register"]);
    for branch in ["feature/a", "feature/b"] {
        tagged.repository.git(&["switch", "-qc", branch, "main"]);
        tagged.repository.write(
            "flows/etl.py",
            format!(
                "from prefect import flow\n\n@flow\ndef etl(n: int = 1):\n    return '{branch}'\n"
            ),
        );
        tagged.push("feat: a branch");
        tagged.flowreg().json(&["register"], 0);
    }
    tagged.repository.git(&["switch", "-q", "main"]);
    let list = |flowreg: crate::support::Flowreg| -> Vec<String> {
        let held = flowreg.json(&["list"], 0);
        held["registrations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["deployment"].as_str().unwrap().to_owned())
            .collect()
    };
    let nothing = tagged.flowreg().json(&["prune"], 0);
    assert_eq!(nothing["registrations"], json!([]));
    assert_eq!(
        tagged.flowreg().json(&["prune", "--branch", "feature/a"], 1)["error"]["code"],
        "branch_exists"
    );
    tagged.repository.git(&["push", "-q", "--delete", "origin", "feature/a"]);
    let shown = tagged.flowreg().json(&["prune", "--dry-run"], 0);
    assert_eq!(shown["registrations"][0]["outcome"], "remove");
    assert_eq!(list(tagged.flowreg()).len(), 3);
    let removed = tagged.flowreg().json(&["prune", "--branch", "feature/a"], 0);
    assert_eq!(removed["registrations"][0]["deployment"], "default@feature~a");
    assert_eq!(list(tagged.flowreg()), ["default", "default@feature~b"]);
    // A remote without branches says nothing about which are gone.
    let empty = tagged.repository.add_bare_remote("empty");
    assert!(empty.exists());
    let refused = tagged.flowreg().json(&["prune", "--remote", "empty"], 4);
    assert_eq!(refused["error"]["code"], "no_branches");
    assert_eq!(list(tagged.flowreg()).len(), 2);
}

#[test]
fn a_job_that_registers_leaves_nothing_for_the_hooks_to_do() {
    let tagged = Tagged::new();
    let flowreg = || tagged.flowreg();
    flowreg().json(&["hooks", "install"], 0);
    let object = tagged.run(&["--register"]);
    assert_eq!((&object["created"], &object["registered"]), (&json!(true), &json!(true)));
    let queue = flowreg().json(&["sync", "--status"], 0);
    assert_eq!((&queue["waiting"], &queue["recent"]), (&json!([]), &json!([])));
    // Without it the hook sees to the tag.
    tagged.push("feat: a");
    assert_eq!(tagged.run(&[])["created"], true);
    let registered = crate::support::prefect::wait_for("the hook registers the tag", 60, || {
        let held = flowreg().json(&["list"], 0);
        (held["registrations"][0]["reference"] == "v1.1.0").then_some(held)
    });
    assert_eq!(registered["registrations"].as_array().unwrap().len(), 1);
}
