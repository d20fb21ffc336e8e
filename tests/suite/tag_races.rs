//! `flowreg tag` in several jobs at once, each a process of its own, against one bare remote.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::support::Tagged;

/// Jobs that begin together.
const JOBS: usize = 4;
/// How often they do.
const ROUNDS: usize = 12;

/// Runs the same command in several places at once and returns what each came to.
fn race(tagged: &Tagged, places: &[PathBuf], arguments: &[&str]) -> Vec<(i32, Value)> {
    let children: Vec<_> = places
        .iter()
        .map(|place| {
            let mut command = tagged.flowreg_in(place).command(arguments);
            command.arg("--format").arg("json").stdout(Stdio::piped()).stderr(Stdio::piped());
            command.spawn().unwrap()
        })
        .collect();
    children
        .into_iter()
        .map(|child| {
            let output = child.wait_with_output().unwrap();
            let object = serde_json::from_slice(&output.stdout)
                .unwrap_or_else(|error| panic!("{error}: {output:?}"));
            (output.status.code().unwrap(), object)
        })
        .collect()
}

/// No tag of before is gone or leads elsewhere.
fn assert_none_moved(before: &[(String, String)], after: &[(String, String)]) {
    for tag in before {
        assert!(after.contains(tag), "{tag:?} is not in {after:?}");
    }
}

#[test]
fn jobs_at_one_commit_make_one_version_once() {
    let tagged = Tagged::new();
    tagged.repository.git(&["config", "receive.denyCurrentBranch", "ignore"]);
    let places: Vec<_> = (0..JOBS).map(|job| tagged.clone(&format!("job{job}"), &[])).collect();
    for round in 0..ROUNDS {
        let commit = tagged.push(&format!("feat: round {round}"));
        for place in &places {
            tagged.repository.git_in(place, &["pull", "-q", "--no-tags"]);
        }
        let before = tagged.tags();
        let all = race(&tagged, &places, &["tag", "--register"]);
        let after = tagged.tags();
        assert_none_moved(&before, &after);
        assert_eq!(after.len(), before.len() + 1, "round {round}: {after:?}");
        let expected = format!("v1.{round}.0");
        assert!(after.contains(&(expected.clone(), commit.clone())), "{after:?}");
        let created = all.iter().filter(|(_, object)| object["created"] == true).count();
        assert_eq!(created, 1, "round {round}: {all:?}");
        for (code, object) in &all {
            assert_eq!((*code, &object["tag"]), (0, &Value::from(expected.as_str())), "{object}");
            assert_eq!(object["registered"], true, "{object}");
        }
    }
}

#[test]
fn jobs_of_a_lightweight_tag_make_one_version_once() {
    let tagged = Tagged::new();
    tagged.repository.write("flowreg.toml", "target = \"prefect1\"\n");
    tagged.push("chore: configure");
    let places: Vec<_> = (0..JOBS).map(|job| tagged.clone(&format!("job{job}"), &[])).collect();
    for round in 0..ROUNDS {
        tagged.push(&format!("feat: round {round}"));
        for place in &places {
            tagged.repository.git_in(place, &["pull", "-q", "--no-tags"]);
        }
        let all = race(&tagged, &places, &["tag"]);
        let created = all.iter().filter(|(_, object)| object["created"] == true).count();
        assert_eq!(created, 1, "round {round}: {all:?}");
        assert!(all.iter().all(|(code, _)| *code == 0), "{all:?}");
    }
    assert_eq!(tagged.tags().len(), ROUNDS);
}

#[test]
fn jobs_in_one_workspace_make_one_version_once() {
    let tagged = Tagged::new();
    let places: Vec<_> = (0..JOBS).map(|_| tagged.repository.root().to_owned()).collect();
    for round in 0..ROUNDS {
        tagged.push(&format!("feat: round {round}"));
        let all = race(&tagged, &places, &["tag"]);
        let created = all.iter().filter(|(_, object)| object["created"] == true).count();
        assert_eq!(created, 1, "round {round}: {all:?}");
        assert!(all.iter().all(|(code, _)| *code == 0), "{all:?}");
    }
    assert_eq!(tagged.tags().len(), ROUNDS);
}

#[test]
fn jobs_of_different_commits_never_share_a_version_and_versions_follow_history() {
    let tagged = Tagged::new();
    tagged.tag("v1.0.0");
    let places: Vec<_> = (0..JOBS).map(|job| tagged.clone(&format!("job{job}"), &[])).collect();
    for round in 0..ROUNDS {
        // Four pushes in a row; the job of each has fetched no more than its own commit.
        let mut history = Vec::new();
        for (job, place) in places.iter().enumerate() {
            let kind = if job % 2 == 0 { "fix" } else { "feat" };
            history.push(tagged.push(&format!("{kind}: round {round}, job {job}")));
            tagged.repository.git_in(place, &["fetch", "-q", "--no-tags", "origin", "main"]);
            tagged.repository.git_in(place, &["checkout", "-q", "--detach", "FETCH_HEAD"]);
        }
        let before = tagged.tags();
        let all = race(&tagged, &places, &["tag"]);
        let after = tagged.tags();
        assert_none_moved(&before, &after);
        let mut new: Vec<_> = after.iter().filter(|tag| !before.contains(tag)).collect();
        let place_of = |commit: &String| history.iter().position(|one| one == commit).unwrap();
        new.sort_by_key(|(_, commit)| place_of(commit));
        let versions: Vec<_> = new
            .iter()
            .map(|(tag, _)| semver::Version::parse(tag.strip_prefix('v').unwrap()).unwrap())
            .collect();
        assert!(!versions.is_empty());
        assert!(versions.is_sorted_by(|one, next| one < next), "round {round}: {new:?}");
        let created = all.iter().filter(|(_, object)| object["created"] == true).count();
        assert_eq!(created, new.len(), "round {round}: {all:?}");
        for (code, object) in &all {
            assert_eq!(*code, 0, "round {round}: {object}");
            let outcome = object["outcome"].as_str().unwrap();
            assert!(matches!(outcome, "created" | "contained"), "{object}");
        }
        // The last commit always gets its tag: what is released is never less than what is there.
        assert_eq!(new.last().unwrap().1, *history.last().unwrap());
    }
}

#[test]
fn of_two_branches_that_go_along_with_a_tag_one_lands() {
    let tagged = Tagged::new();
    let places: Vec<_> = (0..2).map(|job| tagged.clone(&format!("job{job}"), &[])).collect();
    for round in 0..ROUNDS {
        for (job, place) in places.iter().enumerate() {
            tagged.repository.git_in(place, &["fetch", "-q", "origin"]);
            tagged.repository.git_in(place, &["reset", "-q", "--hard", "origin/main"]);
            let message = format!("feat: round {round}, job {job}");
            tagged.repository.git_in(place, &["commit", "-q", "--allow-empty", "-m", &message]);
        }
        let before = tagged.tags();
        let all = race(&tagged, &places, &["tag", "--with-branch"]);
        let after = tagged.tags();
        assert_none_moved(&before, &after);
        assert_eq!(after.len(), before.len() + 1, "round {round}: {all:?}");
        let main = tagged.repository.git_in(&tagged.remote, &["rev-parse", "main"]);
        assert_eq!(after.iter().filter(|(_, commit)| *commit == main).count(), 1);
        let mut codes: Vec<_> = all.iter().map(|(code, _)| *code).collect();
        codes.sort_unstable();
        assert!(codes == [0, 4] || codes == [0, 1], "round {round}: {all:?}");
    }
}
