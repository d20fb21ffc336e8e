//! The branch of a merge queue is gone after the build: it is refused wherever its name comes from, but for the
//! option, by which people say that the branch is one of theirs.

use crate::support::Tagged;
use crate::support::push::{Scenario, gits};

const QUEUES: [&str; 6] = [
    "gh-readonly-queue/main/pr-7-0a1b2c",
    "mergify/merge-queue/0a1b2c",
    "trunk-merge/pr-7/0a1b2c",
    "gtmq_spec_0a1b2c_1700000000000",
    "mq-bot-7-0a1b2c",
    "mq-tmp-7",
];

#[test]
fn without_the_variables_of_a_provider_it_is_refused_as_well() {
    let tagged = Tagged::new();
    for queue in QUEUES {
        tagged.repository.git(&["checkout", "-q", "-b", queue]);
        tagged.repository.git(&["push", "-q", "origin", queue]);
        let reference = |variables: &[(&str, &str)], code: i32, arguments: &[&str]| {
            let flowreg =
                variables.iter().fold(tagged.flowreg(), |one, (name, value)| one.env(name, value));
            flowreg.json(&[&["reference"], arguments].concat(), code)
        };
        let refused = |variables: &[(&str, &str)]| {
            let error = reference(variables, 4, &[]);
            assert_eq!(error["error"]["code"], "ci_refused", "{variables:?}: {error}");
            let message = error["error"]["message"].as_str().unwrap();
            assert!(message.contains(queue), "{variables:?}: {message}");
            let hint = format!(
                "if no merge queue made it: flowreg reference --format json --branch {queue}"
            );
            assert_eq!(error["error"]["hints"][0], hint.as_str(), "{variables:?}");
        };
        refused(&[]);
        refused(&[("CI", "true")]);
        tagged.repository.git(&["checkout", "-q", "main"]);
        for value in [queue, &format!("origin/{queue}"), &format!("refs/heads/{queue}")] {
            refused(&[("GIT_BRANCH", value)]);
            refused(&[("CI", "true"), ("GIT_BRANCH", value)]);
        }
        // HEAD is detached at a commit that only the queue's branch has.
        tagged.repository.git(&["checkout", "-q", queue]);
        tagged.repository.commit("of the queue");
        tagged.repository.git(&["push", "-q", "origin", queue]);
        tagged.repository.git(&["checkout", "-q", "--detach"]);
        refused(&[("CI", "true")]);
        // Its target has been moved there.
        tagged.repository.git(&["push", "-q", "origin", &format!("{queue}:feat/x")]);
        let moved = reference(&[("CI", "true")], 0, &[]);
        assert_eq!(moved["reference"]["name"], "feat/x", "{moved}");
        tagged.repository.git(&["push", "-q", "origin", ":feat/x"]);
        let named = reference(&[], 0, &["--branch", queue]);
        assert_eq!(named["reference"]["name"], queue, "{named}");
        tagged.repository.git(&["checkout", "-q", "main"]);
        tagged.repository.git(&["branch", "-q", "-D", queue]);
        tagged.repository.git(&["push", "-q", "origin", &format!(":{queue}")]);
    }
}

#[test]
fn a_push_of_it_is_not_registered() {
    let scenario = Scenario::new(&gits()[0]);
    let commit = scenario.branch("feat/x");
    scenario.git(&["branch", "mq-tmp-7"]);
    assert_eq!(scenario.push_only(&["-q", "origin", "feat/x", "mq-tmp-7"]).code, 0);
    scenario.settled();
    scenario.assert_registered(&[("feat/x", &commit)]);
    let log = scenario.status()["recent"].to_string();
    assert!(log.contains("mq-tmp-7") && log.contains("merge queue"), "{log}");
}
