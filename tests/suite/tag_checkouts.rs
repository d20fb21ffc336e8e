//! `flowreg tag` in the checkouts that CI providers make: without history, without tags, without a
//! branch, with tags that are not what the remote has.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::{Flowreg, Tagged};

/// Some history with two tags, none of them at the last commit.
fn released() -> Tagged {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.push("feat: a");
    tagged.tag("v1.1.0");
    for number in 0..5 {
        tagged.push(&format!("chore: {number}"));
    }
    tagged.push("fix: last");
    tagged
}

fn json_of(flowreg: &Flowreg, arguments: &[&str], code: i32) -> Value {
    flowreg.json(&[&["tag"], arguments].concat(), code)
}

#[test]
fn without_history_a_bump_or_a_version_is_enough() {
    let tagged = released();
    let clone = tagged.clone("shallow", &["--depth=1", "--no-tags"]);
    let flowreg = tagged.flowreg_in(&clone);
    assert_eq!(json_of(&flowreg, &["--print", "--bump", "minor"], 0)["tag"], "v1.2.0");
    assert_eq!(json_of(&flowreg, &["--print", "3.0.0"], 0)["tag"], "v3.0.0");
    let made = json_of(&flowreg, &["--bump", "minor", "--register"], 0);
    assert_eq!((&made["created"], &made["registered"]), (&json!(true), &json!(true)));
    assert_eq!(made["previous"], "v1.1.0");
    // Now the commit has its tag, and no history is needed to see that.
    let again = json_of(&flowreg, &["--register"], 0);
    assert_eq!((&again["tag"], &again["created"]), (&json!("v1.2.0"), &json!(false)));
    assert_eq!(again["registered"], true);
}

#[test]
fn without_history_the_first_version_is_certain() {
    let tagged = Tagged::new();
    tagged.push("chore: b");
    let clone = tagged.clone("shallow", &["--depth=1"]);
    assert_eq!(json_of(&tagged.flowreg_in(&clone), &[], 0)["tag"], "v1.0.0");
}

#[test]
fn where_history_is_needed_the_providers_setting_is_named() {
    let tagged = released();
    let clone = tagged.clone("shallow", &["--depth=1"]);
    for (variables, setting) in [
        (&[("GITHUB_ACTIONS", "true")][..], "fetch-depth: 0"),
        (&[("GITLAB_CI", "true")], "GIT_DEPTH: \"0\""),
        (&[("BITBUCKET_BUILD_NUMBER", "7")], "depth: full"),
        (&[("TF_BUILD", "True")], "fetchDepth: 0"),
        (&[("JENKINS_URL", "http://j"), ("BRANCH_NAME", "main")], "shallow: false"),
        (&[], "git fetch --unshallow origin"),
    ] {
        let mut flowreg = tagged.flowreg_in(&clone);
        for (name, value) in variables {
            flowreg = flowreg.env(name, value);
        }
        for arguments in [&[][..], &["--bump", "pre"]] {
            let error = json_of(&flowreg, arguments, 4);
            assert_eq!(error["error"]["code"], "history_needed");
            let hints = error["error"]["hints"].to_string().replace("\\\"", "\"");
            assert!(hints.contains(setting), "{setting}: {hints}");
            assert!(hints.contains("--bump minor"), "{hints}");
        }
    }
    // What was said helps.
    tagged.repository.git_in(&clone, &["fetch", "-q", "--unshallow", "origin"]);
    assert_eq!(json_of(&tagged.flowreg_in(&clone), &["--print"], 0)["tag"], "v1.1.1");
}

#[test]
fn history_back_to_the_last_release_is_enough() {
    let tagged = released();
    let enough = tagged.clone("enough", &["--depth=8", "--no-tags"]);
    assert_eq!(json_of(&tagged.flowreg_in(&enough), &["--print"], 0)["tag"], "v1.1.1");
    let short = tagged.clone("short", &["--depth=6", "--no-tags"]);
    let error = json_of(&tagged.flowreg_in(&short), &["--print"], 4);
    assert_eq!(error["error"]["code"], "history_needed");
}

#[test]
fn without_history_a_late_job_does_not_guess() {
    let tagged = released();
    let clone = tagged.clone("shallow", &["--depth=1"]);
    // Mainline went on and was tagged; whether before or after this commit can't be seen.
    tagged.push("feat: later");
    tagged.run(&[]);
    let flowreg = tagged.flowreg_in(&clone);
    let error = json_of(&flowreg, &["--bump", "minor"], 4);
    assert_eq!(error["error"]["code"], "history_needed");
    tagged.repository.git_in(&clone, &["fetch", "-q", "--unshallow", "origin"]);
    assert_eq!(json_of(&flowreg, &["--bump", "minor"], 0)["outcome"], "contained");
}

#[test]
fn partial_clones_bring_what_is_needed() {
    let tagged = Tagged::new();
    tagged.repository.git_in(&tagged.remote, &["config", "uploadpack.allowFilter", "true"]);
    tagged.repository.git_in(&tagged.remote, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    tagged.repository.write("flowreg.toml", "[tag.package.etl]\n");
    tagged.repository.write("etl/a.py", "x = 1\n");
    tagged.push("feat: a");
    tagged.run(&["--package", "etl"]);
    tagged.repository.write("etl/a.py", "x = 2\n");
    tagged.push("feat: b");
    tagged.repository.write("other.py", "x = 2\n");
    tagged.push("feat!: not of the package");
    for filter in ["blob:none", "tree:0"] {
        let name = filter.replace(':', "-");
        let clone = tagged.clone(&name, &["--no-checkout", &format!("--filter={filter}")]);
        let flowreg = tagged.flowreg_in(&clone);
        let print = json_of(&flowreg, &["--print", "--package", "etl"], 0);
        assert_eq!(print["tag"], "etl/v1.1.0", "{filter}");
    }
}

#[test]
fn linked_worktrees_and_single_branches_are_enough() {
    let tagged = released();
    let worktree = tagged.repository.outside().join("worktree");
    tagged.repository.git(&["worktree", "add", "-q", "--detach", worktree.to_str().unwrap()]);
    assert_eq!(json_of(&tagged.flowreg_in(&worktree), &["--print"], 0)["tag"], "v1.1.1");
    let single = tagged.clone("single", &["--single-branch", "--no-tags"]);
    assert_eq!(json_of(&tagged.flowreg_in(&single), &[], 0)["tag"], "v1.1.1");
}

/// What actions/checkout does for a ref, with its defaults.
pub(crate) fn github_checkout(
    tagged: &Tagged,
    name: &str,
    commit: &str,
    reference: &str,
) -> PathBuf {
    let path = tagged.repository.outside().join(name);
    let url = format!("file://{}", tagged.remote.display());
    let git = |arguments: &[&str]| tagged.repository.git_in(&path, arguments);
    std::fs::create_dir(&path).unwrap();
    git(&["init", "-q", "-b", "unborn"]);
    git(&["remote", "add", "origin", &url]);
    let (kind, short) = reference.strip_prefix("refs/").unwrap().split_once('/').unwrap();
    let target = match kind {
        "heads" => format!("refs/remotes/origin/{short}"),
        _ => reference.to_owned(),
    };
    let refspec = format!("+{commit}:{target}");
    git(&[
        "-c",
        "protocol.version=2",
        "fetch",
        "-q",
        "--no-tags",
        "--prune",
        "--depth=1",
        "origin",
        &refspec,
    ]);
    match kind {
        "heads" => git(&["checkout", "-q", "--force", "-B", short, &target]),
        _ => git(&["checkout", "-q", "--force", &target]),
    };
    path
}

#[test]
fn a_checkout_that_made_the_tag_lightweight_is_seen_through() {
    let tagged = released();
    let commit = tagged.repository.git(&["rev-parse", "v1.1.0^{commit}"]);
    let path = github_checkout(&tagged, "tag-build", &commit, "refs/tags/v1.1.0");
    assert_eq!(tagged.repository.git_in(&path, &["cat-file", "-t", "v1.1.0"]), "commit");
    let flowreg = tagged
        .flowreg_in(&path)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_REF", "refs/tags/v1.1.0")
        .env("GITHUB_REF_TYPE", "tag")
        .env("GITHUB_REF_NAME", "v1.1.0");
    for arguments in [&["--register"][..], &["v1.1.0", "--register"]] {
        let arguments = [arguments, &["--target", "local"]].concat();
        let object = json_of(&flowreg, &arguments, 0);
        assert_eq!((&object["tag"], &object["created"]), (&json!("v1.1.0"), &json!(false)));
        assert_eq!(object["registered"], true);
    }
    let kind = tagged.repository.git_in(&tagged.remote, &["cat-file", "-t", "v1.1.0"]);
    assert_eq!(kind, "tag");
}

#[test]
fn a_detached_head_is_of_mainline_if_the_remote_or_the_provider_says_so() {
    let tagged = released();
    let commit = tagged.repository.git(&["rev-parse", "HEAD"]);
    let detached = |name: &str| -> PathBuf {
        let path = tagged.repository.outside().join(name);
        let url = format!("file://{}", tagged.remote.display());
        std::fs::create_dir(&path).unwrap();
        tagged.repository.git_in(&path, &["init", "-q", "-b", "unborn"]);
        tagged.repository.git_in(&path, &["remote", "add", "origin", &url]);
        tagged
            .repository
            .git_in(&path, &["fetch", "-q", "--no-tags", "--depth=1", "origin", &commit]);
        tagged.repository.git_in(&path, &["checkout", "-q", "--detach", &commit]);
        path
    };
    let of_tip = detached("tip");
    let print = tagged.flowreg_in(&of_tip).run(&["tag", "--print", "2.0.0"]);
    assert_eq!((print.code, print.stderr.as_str()), (0, ""), "{print:?}");
    // Mainline went on: what is here no longer tells.
    let late = detached("late");
    tagged.push("chore: next");
    let told = |path: &Path| tagged.flowreg_in(path).env("GITLAB_CI", "true");
    let unknown = json_of(&tagged.flowreg_in(&late), &["2.0.0"], 1);
    assert_eq!(unknown["error"]["code"], "not_mainline");
    let feature = json_of(&told(&late).env("CI_COMMIT_BRANCH", "feature/x"), &["2.0.0"], 1);
    assert_eq!(feature["error"]["code"], "not_mainline");
    let request = told(&late)
        .env("CI_MERGE_REQUEST_IID", "1")
        .env("CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "main");
    assert_eq!(json_of(&request, &["2.0.0"], 1)["error"]["code"], "not_mainline");
    let main = json_of(&told(&late).env("CI_COMMIT_BRANCH", "main"), &["2.0.0"], 0);
    assert_eq!(main["created"], true);
}
