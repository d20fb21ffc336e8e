//! Hints are what to type: the user's own command line, for a shell.

use std::path::Path;

use serde_json::Value;

use crate::support::Tagged;

/// The hints of a command that ends with this code.
fn hints(run: &Value) -> Vec<String> {
    let hints = run["error"]["hints"].as_array().unwrap().iter();
    hints.map(|hint| hint.as_str().unwrap().to_owned()).collect()
}

fn sources(directory: &Path, visit: &mut dyn FnMut(&Path, &str)) {
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        // What tests expect is looked at where it is said.
        if path.is_dir() && !path.ends_with("tests") {
            sources(&path, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&path, &std::fs::read_to_string(&path).unwrap());
        }
    }
}

#[test]
fn what_has_to_be_filled_in_is_no_redirection_for_a_shell() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for room in ["src", "crates"] {
        sources(&root.join(room), &mut |path, text| {
            let code = text.split("#[cfg(test)]").next().unwrap_or("");
            for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
                for (at, _) in line.match_indices('<') {
                    let before = line[..at].chars().next_back();
                    let word = line[at + 1..].split('>').next().unwrap();
                    let is_word = word.len() > 1
                        && word
                            .chars()
                            .all(|char| char.is_ascii_lowercase() || " -_".contains(char));
                    let is_turbofish = line[..at].ends_with("::");
                    let is_text =
                        !is_turbofish && before.is_some_and(|char| " :/.'`(".contains(char));
                    if is_word && is_text && line[at..].contains('>') && word != "locals" {
                        found.push(format!("{}: {}", path.display(), line.trim()));
                    }
                }
            }
        });
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn a_refusal_of_a_tag_shows_the_users_own_command() {
    let tagged = Tagged::new();
    tagged
        .repository
        .write("flows/broken.py", "from prefect import flow\n\n\n@flow\ndef broken(:\n");
    tagged.push("feat: broken");
    let refused = ["tag", "--register", "--adopt", "--bump", "minor", "-m", "a text"];
    let refused = tagged.flowreg().json(&refused, 5);
    assert_eq!(
        hints(&refused),
        [
            "to make it all the same: flowreg tag --bump minor -m 'a text' --format json",
            "and then, to register what can be: flowreg register --tag v1.0.0",
        ]
    );
    let none = tagged.flowreg().json(&["--target", "local", "tag", "1.x", "--yes"], 2);
    assert_eq!(
        hints(&none),
        ["to see one: flowreg --target local tag --yes --format json --print"]
    );
    let lower = |run: &[&str], code| hints(&tagged.flowreg().json(run, code));
    tagged.tag("v1.0.0");
    tagged.push("feat: more");
    assert_eq!(
        lower(&["tag", "0.9.0", "--yes"], 1),
        ["flowreg tag 0.9.0 --yes --format json --allow-downgrade"]
    );
}

#[test]
fn the_nearest_revision_is_proposed() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.repository.git(&["checkout", "-q", "-b", "feature"]);
    tagged.push("feat: more");
    for (arguments, expected) in [
        (&["plan", "--changed-since", "v1.0.O"][..], "plan --changed-since v1.0.0"),
        (&["flows", "--affected-by=v1.0.O"], "flows --affected-by=v1.0.0"),
        (&["tag", "--commit", "mian", "--print"], "tag --commit main --print"),
        (&["tag", "--commit", "orign/main", "--print"], "tag --commit origin/main --print"),
    ] {
        let found = hints(&tagged.flowreg().json(arguments, 4));
        assert_eq!(found[0], format!("flowreg {expected} --format json"), "{found:?}");
        assert_eq!(found[1], "git fetch --tags origin", "{found:?}");
    }
}

#[test]
fn a_branch_behind_the_name_of_a_remote_is_proposed_only_if_it_is_there() {
    let tagged = Tagged::new();
    tagged.repository.git(&["push", "-q", "origin", "main:feature"]);
    let named = |branch| hints(&tagged.flowreg().json(&["register", "--branch", branch], 4));
    let slip = named("origin/mian");
    assert_eq!(slip[0], "flowreg register --format json --branch main", "{slip:?}");
    assert!(!slip.iter().any(|hint| hint.contains("--branch mian")), "{slip:?}");
    assert_eq!(named("origin/feature"), ["flowreg register --format json --branch feature"]);
    let other = named("origin/elsewhere");
    assert_eq!(other, ["git fetch origin +refs/heads/elsewhere:refs/remotes/origin/elsewhere"]);
}

#[test]
fn where_tags_may_be_missing_they_are_fetched_first() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    tagged.push("feat: more");
    for (name, arguments) in
        [("shallow", &["--depth=1", "--no-tags"][..]), ("tagless", &["--no-tags"])]
    {
        let clone = tagged.clone(name, arguments);
        let flowreg = tagged.flowreg_in(&clone);
        let untagged = hints(&flowreg.json(&["register"], 1));
        assert_eq!(untagged[0], "git fetch --tags origin", "{name}");
        assert!(!untagged.iter().any(|hint| hint.contains("git tag")), "{name} {untagged:?}");
        let expected = "there are no tags here; if origin has some: git fetch --tags origin";
        let run = flowreg.json(&["tag", "--list", "--offline"], 0);
        assert!(run["notices"].to_string().contains(expected), "{name} {run}");
        // No version is counted from what may be missing.
        let needed = hints(&flowreg.json(&["tag", "--print", "--offline"], 4));
        assert_eq!(
            needed,
            [
                "flowreg tag --print --format json",
                "git fetch --tags origin",
                "or without tags: flowreg tag --print --offline --format json VERSION",
            ],
            "{name}"
        );
        // Asked, the remote has one.
        assert_eq!(flowreg.json(&["tag", "--bump", "minor", "--print"], 0)["tag"], "v1.1.0");
    }
    // A whole clone has all tags that there were.
    let fresh = Tagged::new();
    let run = fresh.flowreg().json(&["tag", "--print", "--offline"], 0);
    assert_eq!(run["tag"], "v1.0.0");
    assert!(run["notices"].to_string().contains("there are no tags here"), "{run}");
    let untagged = hints(&fresh.flowreg().json(&["register"], 1));
    assert!(untagged[0].starts_with("git tag -a v1.0.0"), "{untagged:?}");
    assert_eq!(untagged[1], "or, if origin has tags: git fetch --tags origin");
}
