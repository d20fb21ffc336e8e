//! The tag that a hint proposes is the one that `flowreg tag` would make, or there is none in it.

use serde_json::Value;

use crate::support::{Flowreg, Tagged};

fn hints(run: &Value) -> Vec<String> {
    let hints = run["error"]["hints"].as_array().unwrap().iter();
    hints.map(|hint| hint.as_str().unwrap().to_owned()).collect()
}

/// With a server, for which the remote is asked; what these tests refuse is refused before anything is sent there.
fn with_server(flowreg: Flowreg) -> Flowreg {
    flowreg.env("PREFECT_API_URL", "http://127.0.0.1:9/api")
}

/// What is told where the commit has no version.
fn untagged(flowreg: Flowreg) -> Vec<String> {
    let error = with_server(flowreg).json(&["register"], 1);
    assert_eq!(error["error"]["code"], "untagged", "{error}");
    hints(&error)
}

/// Changes something, with this message.
fn change(tagged: &Tagged, message: &str) -> String {
    tagged.repository.write("notes.txt", message);
    tagged.push(message)
}

fn make(tag: &str, commit: &str) -> String {
    format!("git tag -a {tag} -m {tag} {} && git push origin {tag}", &commit[..7])
}

#[test]
fn a_release_branch_gets_the_version_after_its_own() {
    let tagged = Tagged::new();
    let mainline = "[repository]\nmainline = [\"main\", \"release/*\"]\n";
    tagged.repository.write("flowreg.toml", mainline);
    tagged.push("chore: configure");
    tagged.tag("v1.0.0");
    tagged.repository.git(&["branch", "release/1"]);
    change(&tagged, "feat!: all of it anew");
    tagged.tag("v2.0.0");
    tagged.repository.git(&["checkout", "-q", "release/1"]);
    for (message, expected) in [
        ("fix: of the old one", "v1.0.1"),
        ("feat: for the old one", "v1.1.0"),
        ("chore: nothing to release", "v1.1.1"),
    ] {
        let commit = change(&tagged, message);
        let hint = untagged(tagged.flowreg()).swap_remove(0);
        assert_eq!(hint, make(expected, &commit), "{message}");
        let bump: &[&str] = if message.starts_with("chore") { &["--bump", "patch"] } else { &[] };
        assert_eq!(tagged.print(bump), expected, "{message}");
        tagged.tag(expected);
        let run = tagged.flowreg().json(&["--target", "local", "register"], 0);
        assert_eq!(run["reference"]["name"], expected, "{message}");
    }
    // Neither is a tag proposed whose name is taken, here or by a branch.
    change(&tagged, "fix: once more");
    tagged.repository.git(&["tag", "v1.1.2", "main"]);
    assert_eq!(untagged(tagged.flowreg())[0], "flowreg tag");
    tagged.repository.git(&["tag", "-d", "v1.1.2"]);
    tagged.repository.git(&["push", "-q", "origin", "HEAD:refs/heads/v1.1.2"]);
    assert_eq!(untagged(tagged.flowreg())[0], "flowreg tag");
}

#[test]
fn a_late_job_is_told_which_version_has_its_commit() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let old = change(&tagged, "fix: one");
    change(&tagged, "feat: more");
    tagged.tag("v1.1.0");
    let late = tagged.clone("late", &[]);
    tagged.repository.git_in(&late, &["checkout", "-q", "--detach", &old]);
    let job = || {
        let job = tagged.flowreg_in(&late).env("GITLAB_CI", "true").env("CI_COMMIT_SHA", &old);
        job.env("CI_COMMIT_BRANCH", "main").env("CI_COMMIT_REF_NAME", "main")
    };
    let released = "released in v1.1.0 already: flowreg register --format json --tag v1.1.0";
    let told = untagged(job());
    assert_eq!(told[0], released, "{told:?}");
    assert!(!told.iter().any(|hint| hint.starts_with("git ")), "{told:?}");
    // Also where somebody made a tag for it by hand.
    tagged.repository.git_in(&late, &["tag", "v1.1.1", &old]);
    assert_eq!(untagged(job())[0], released);
    // What was released later is not here, and may have the commit.
    tagged.repository.git_in(&late, &["tag", "-d", "v1.1.1"]);
    change(&tagged, "feat: even more");
    tagged.tag("v1.2.0");
    assert_eq!(untagged(job())[0], "flowreg tag");
}

#[test]
fn neither_a_branch_nor_a_tag_is_proposed_whose_name_the_other_has() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["checkout", "-q", "-b", "feat/x"]);
    change(&tagged, "feat: on a branch");
    tagged.repository.git(&["checkout", "-q", "main"]);
    change(&tagged, "feat: more");
    tagged.tag("v1.1.0");
    let clone = tagged.clone("clone", &["--no-tags"]);
    tagged.repository.git_in(&clone, &["checkout", "-q", "-b", "v1.1.0"]);
    let refused = |arguments: &[&str]| {
        let arguments = [&["register"], arguments].concat();
        hints(&with_server(tagged.flowreg_in(&clone)).json(&arguments, 4))
    };
    let own = "flowreg register --format json";
    assert_eq!(refused(&[]), [format!("{own} --tag v1.1.0")]);
    tagged.repository.git_in(&clone, &["checkout", "-q", "main"]);
    tagged.repository.git_in(&clone, &["branch", "-q", "-D", "v1.1.0"]);
    assert_eq!(refused(&["--branch", "v1.1.0"]), [format!("{own} --tag v1.1.0")]);
    assert_eq!(refused(&["--tag", "feat/x"]), [format!("{own} --branch feat/x")]);
    // A branch that only the remote has by now.
    tagged.repository.git(&["push", "-q", "origin", "main:feat/y"]);
    assert_eq!(refused(&["--tag", "feat/y"]), [format!("{own} --branch feat/y")]);
}

#[test]
fn no_second_tag_is_proposed_for_a_version_and_no_second_series() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    change(&tagged, "feat: more");
    tagged.tag("v1.1.0");
    let own = "flowreg register --format json --tag v1.1.0";
    let list = "git ls-remote --tags origin";
    for name in ["here", "tagless"] {
        let arguments: &[&str] = if name == "here" { &[] } else { &["--no-tags"] };
        let clone = tagged.clone(name, arguments);
        let refused = |tag: &str| {
            let arguments = ["register", "--tag", tag];
            hints(&with_server(tagged.flowreg_in(&clone)).json(&arguments, 4))
        };
        for same in ["v1.1", "1.1", "1.1.0", "v1.1.0+7", "release-1.1.0"] {
            assert_eq!(refused(same), [own], "{name} {same}");
        }
        for other in ["release-1.2.0", "flows-1.2.0", "2026.01.10"] {
            assert_eq!(refused(other).last().unwrap(), list, "{name} {other}");
            assert!(!refused(other).iter().any(|hint| hint.contains("git tag")), "{other}");
        }
        let next = refused("1.2.0");
        assert_eq!(next, ["git tag -a -m v1.2.0 v1.2.0 && git push origin v1.2.0"], "{name}");
    }
}

#[test]
fn without_history_no_command_is_proposed_that_needs_it_as_well() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    for number in 0..4 {
        change(&tagged, &format!("feat: {number}"));
    }
    let clone = tagged.clone("shallow", &["--depth=1"]);
    let flowreg = || tagged.flowreg_in(&clone);
    let own = "flowreg tag --format json";
    let proposed = |arguments: &[&str]| {
        let error = flowreg().json(&[&["tag"], arguments].concat(), 4);
        assert_eq!(error["error"]["code"], "history_needed", "{error}");
        hints(&error).pop().unwrap()
    };
    // The last commit of its branch: the tags' names are enough.
    let bump = format!("or without history: {own} --bump minor, or {own} VERSION");
    assert_eq!(proposed(&[]), bump);
    assert_eq!(proposed(&["--bump", "pre", "--pre", "beta"]), bump);
    assert_eq!(flowreg().json(&["tag", "--bump", "minor", "--print"], 0)["tag"], "v1.1.0");
    // Of a commit in between they are not.
    change(&tagged, "feat: on top");
    let version = format!("or without history: {own} VERSION");
    for arguments in [&[][..], &["--bump", "minor"], &["--bump", "pre"]] {
        assert_eq!(proposed(arguments), version, "{arguments:?}");
    }
    assert_eq!(flowreg().json(&["tag", "1.5.0", "--print"], 0)["tag"], "v1.5.0");
}

#[test]
fn what_is_proposed_for_a_version_of_another_writing_goes_through() {
    let tagged = Tagged::new();
    tagged.repository.write("flowreg.toml", "[tag.package.flows]\n");
    tagged.push("chore: configure");
    let refused = |version: &str| {
        hints(&tagged.flowreg().json(&["tag", "--package", "flows", "--print", version], 2))
    };
    let own = "flowreg tag --package flows --print --format json";
    assert_eq!(refused("v1.5.0"), [format!("{own} flows/v1.5.0")]);
    assert_eq!(tagged.print(&["--package", "flows", "flows/v1.5.0"]), "flows/v1.5.0");
    // Beside tags that look like versions of it, the next one is not simply made.
    tagged.tag("flows-1.4.2");
    let both = refused("v1.5.0");
    assert!(both[1].contains("prefix = \"flows-\""), "{both:?}");
    assert_eq!(both[2], format!("to begin a series of its own: {own} flows/v1.4.3"));
    assert_eq!(tagged.print(&["--package", "flows", "flows/v1.4.3"]), "flows/v1.4.3");
}

#[test]
fn neither_is_a_tag_proposed_to_be_pushed_whose_name_a_branch_has() {
    let tagged = Tagged::new();
    let git = |arguments: &[&str]| tagged.repository.git(arguments);
    git(&["tag", "x"]);
    let refused = || hints(&with_server(tagged.flowreg()).json(&["register", "--tag", "x"], 4));
    assert_eq!(refused(), ["git push origin refs/tags/x"]);
    // Here: git itself could not tell which of the two is meant.
    git(&["branch", "x"]);
    assert_eq!(refused(), ["git branch -m x NEW_NAME"]);
    let branch = hints(&with_server(tagged.flowreg()).json(&["register", "--branch", "x"], 4));
    assert_eq!(branch, ["git branch -m x NEW_NAME"]);
    git(&["branch", "-m", "x", "other"]);
    // There: workers would clone the branch.
    git(&["push", "-q", "origin", "other:refs/heads/x"]);
    assert_eq!(refused(), ["flowreg register --format json --branch x"]);
    git(&["push", "-q", "origin", ":refs/heads/x"]);
    git(&["push", "-q", "origin", "refs/tags/x"]);
    // A version that would be written like the others, where a branch has that name.
    tagged.tag("v1.0.0");
    git(&["push", "-q", "origin", "main:refs/heads/v1.0.1"]);
    let alike = hints(&with_server(tagged.flowreg()).json(&["register", "--tag", "1.0.1"], 4));
    assert!(!alike.iter().any(|hint| hint.contains("git push")), "{alike:?}");
}

#[test]
fn what_is_proposed_to_be_pushed_goes_to_the_remote_that_is_there() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let commit = change(&tagged, "feat: more");
    let make = "git tag -a v1.1.0 -m v1.1.0";
    let untagged = || hints(&tagged.flowreg().json(&["reference"], 1)).swap_remove(0);
    assert_eq!(untagged(), format!("{make} {} && git push origin v1.1.0", &commit[..7]));
    tagged.repository.git(&["remote", "rename", "origin", "up"]);
    assert_eq!(untagged(), format!("{make} {} && git push up v1.1.0", &commit[..7]));
    // Of a branch that is there still, with the tag's name beside it.
    tagged.repository.git(&["push", "-q", "up", "main:refs/heads/feat/x", "main:refs/tags/feat/x"]);
    let exists = tagged.flowreg().json(&["--target", "local", "prune", "--branch", "feat/x"], 1);
    assert_eq!(hints(&exists), ["git push --delete up refs/heads/feat/x"], "{exists}");
    tagged.repository.git(&["push", "-q", "--delete", "up", "refs/heads/feat/x"]);
    tagged.repository.git(&["remote", "remove", "up"]);
    assert_eq!(untagged(), format!("{make} {}", &commit[..7]));
}

#[test]
fn a_kind_before_the_name_of_a_tag_is_no_part_of_it() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    for (value, meant) in [("tags/v1.0.0", "--tag v1.0.0"), ("heads/main", "--branch main")] {
        let error = tagged.flowreg().env("BUILD_TAG", value).json(&["reference"], 4);
        assert_eq!(hints(&error), [format!("flowreg reference --format json {meant}")], "{value}");
    }
}
