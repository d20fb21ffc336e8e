//! A repository that keeps its refs as reftable is read as one that keeps them as files.

use std::path::{Path, PathBuf};

use flowreg_git::{ReferenceRequest, ReferenceRules, Untagged, resolve};
use flowreg_model::RemoteName;
use proptest::prelude::*;

use crate::repository::{TestRepository, hold_with_reftable};

#[test]
fn references_hold_with_reftable() {
    hold_with_reftable(&[
        "ladder::",
        "head::",
        "proof::",
        "push_reference::",
        "open::",
        "operation::",
        "ci_head::",
        "names_at_head::",
        "pull_requests::",
    ]);
}

#[test]
fn the_tests_that_run_with_reftable_really_do() {
    let repository = TestRepository::empty();
    let format = repository.git(&["rev-parse", "--show-ref-format"]);
    let asked_for = std::env::var(crate::repository::REF_FORMAT).unwrap_or("files".to_owned());
    assert_eq!(format, asked_for);
}

fn reftable() -> TestRepository {
    let repository = TestRepository::init(&["-b", "main", "--ref-format=reftable"]);
    repository.commit("first");
    repository
}

#[test]
fn what_changes_while_the_repository_is_open_is_seen() {
    let repository = reftable();
    let opened = repository.open();
    let names = || {
        let branches = opened.own_branches().unwrap();
        branches.into_iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(), ["main"]);
    repository.git(&["branch", "next"]);
    assert_eq!(names(), ["main", "next"]);
    repository.git(&["branch", "-D", "next"]);
    assert_eq!(names(), ["main"]);
    repository.git(&["checkout", "-q", "-b", "other"]);
    assert_eq!(opened.active_branch().unwrap().as_str(), "other");
    repository.git(&["pack-refs"]);
    assert_eq!(names(), ["main", "other"]);
}

#[test]
fn heads_of_linked_work_trees_and_of_no_commit_are_read() {
    let repository = reftable();
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", "-b", "feature/x", linked.to_str().unwrap()]);
    let in_linked = repository.open_in(&linked, &[]).unwrap();
    assert_eq!(in_linked.active_branch().unwrap().as_str(), "feature/x");
    repository.git_in(&linked, &["checkout", "-q", "--detach"]);
    assert_eq!(in_linked.active_branch(), None);
    assert_eq!(in_linked.head_commit().unwrap(), repository.commit_id("HEAD"));
    assert_eq!(repository.open().active_branch().unwrap().as_str(), "main");
    repository.git(&["checkout", "-q", "--orphan", "new"]);
    let error = repository.open().head_commit().unwrap_err();
    assert_eq!(
        (error.code(), error.to_string()),
        ("unborn_head", "the branch new has no commit yet".to_owned())
    );
}

#[test]
fn includes_for_the_active_branch_count() {
    let repository = reftable();
    let included = repository.outside().join("included");
    std::fs::write(&included, "[user]\n\tname = Grace\n").unwrap();
    let path = included.to_str().unwrap();
    repository.git(&["config", "includeIf.onbranch:release/**.path", path]);
    let author = || {
        let opened = repository.open_in(repository.root(), &[("GIT_AUTHOR_NAME", "")]).unwrap();
        opened.author()
    };
    assert_eq!(author(), None);
    repository.git(&["checkout", "-q", "-b", "release/1"]);
    assert_eq!(author().as_deref(), Some("Grace"));
}

#[test]
fn a_push_leaves_its_mark_in_the_reflog_only_if_the_remote_took_it() {
    for format in ["files", "reftable"] {
        let format = format!("--ref-format={format}");
        let repository = TestRepository::init(&["-b", "main", &format]);
        let first = repository.commit("first").parse().unwrap();
        let remote = repository.add_bare_remote("origin");
        let opened = repository.open();
        let track = || opened.tracking_of("origin", "refs/heads/main").unwrap();
        let before = track();
        assert_eq!((before.name.as_str(), before.reflog_size), ("refs/remotes/origin/main", 0));
        assert!(!opened.shows_push(&before, &first));
        repository.git(&["push", "-q", "origin", "main"]);
        assert!(opened.shows_push(&before, &first), "{format}");
        // What an earlier push wrote says nothing about this one.
        let before = track();
        assert!(!opened.shows_push(&before, &first));
        std::fs::write(remote.join("hooks/update"), "#!/bin/sh\nexit 1\n").unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(remote.join("hooks/update"), mode).unwrap();
        let second = repository.commit("second").parse().unwrap();
        assert!(!repository.try_git(repository.root(), &["push", "-q"]).status.success());
        assert!(!opened.shows_push(&before, &second));
        std::fs::remove_file(remote.join("hooks/update")).unwrap();
        repository.git(&["push", "-q", "origin", "main"]);
        assert!(opened.shows_push(&before, &second), "{format}");
        assert!(!opened.shows_push(&before, &first));
    }
}

/// A change of the refs.
#[derive(Debug, Clone)]
enum Change {
    Commit,
    Branch(usize),
    Tag { number: usize, is_annotated: bool },
    TagOfTag(usize),
    SymbolicTag(usize),
    Tracking(usize),
    Detach,
    Checkout(usize),
    Delete(usize),
    Pack,
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        4 => Just(Change::Commit),
        3 => (0..4_usize).prop_map(Change::Branch),
        3 => (0..4_usize, any::<bool>())
            .prop_map(|(number, is_annotated)| Change::Tag { number, is_annotated }),
        1 => (0..4_usize).prop_map(Change::TagOfTag),
        1 => (0..4_usize).prop_map(Change::SymbolicTag),
        2 => (0..4_usize).prop_map(Change::Tracking),
        1 => Just(Change::Detach),
        2 => (0..4_usize).prop_map(Change::Checkout),
        1 => (0..4_usize).prop_map(Change::Delete),
        1 => Just(Change::Pack),
    ]
}

impl Change {
    /// Makes the change, if git takes it.
    fn make(&self, repository: &TestRepository) {
        let branch = |number: usize| ["feature/x", "b1", "v1.0.1", "release/2"][number].to_owned();
        let tag = |number: usize| format!("v1.0.{number}");
        let arguments: Vec<String> = match self {
            Self::Commit => vec![
                "commit".into(),
                "-q".into(),
                "--allow-empty".into(),
                "-m".into(),
                "next".into(),
            ],
            Self::Branch(number) => vec!["branch".into(), "-f".into(), branch(*number)],
            Self::Tag { number, is_annotated: true } => {
                vec!["tag".into(), "-f".into(), "-a".into(), "-m".into(), "x".into(), tag(*number)]
            }
            Self::Tag { number, .. } => vec!["tag".into(), "-f".into(), tag(*number)],
            Self::TagOfTag(number) => vec![
                "-c".into(),
                "advice.nestedTag=false".into(),
                "tag".into(),
                "-f".into(),
                "-a".into(),
                "-m".into(),
                "x".into(),
                format!("nested-{number}"),
                tag(*number),
            ],
            Self::SymbolicTag(number) => {
                vec![
                    "symbolic-ref".into(),
                    format!("refs/tags/latest-{number}"),
                    format!("refs/tags/{}", tag(*number)),
                ]
            }
            Self::Tracking(number) => {
                vec![
                    "update-ref".into(),
                    format!("refs/remotes/origin/{}", branch(*number)),
                    "HEAD".into(),
                ]
            }
            Self::Detach => vec!["checkout".into(), "-q".into(), "--detach".into()],
            Self::Checkout(number) => vec![
                "checkout".into(),
                "-q".into(),
                format!("refs/heads/{}", branch(*number)),
                "--".into(),
            ],
            Self::Delete(number) => vec!["branch".into(), "-D".into(), branch(*number)],
            Self::Pack => vec!["pack-refs".into(), "--all".into()],
        };
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        repository.try_git(repository.root(), &arguments);
    }
}

/// The repository once more beside it, with its refs as reftable.
fn migrated(repository: &TestRepository) -> PathBuf {
    let copy = repository.outside().join("copy");
    let done =
        std::process::Command::new("cp").arg("-a").arg(repository.root()).arg(&copy).status();
    assert!(done.unwrap().success());
    // git before 2.48 can't take them along.
    std::fs::remove_dir_all(copy.join(".git/logs")).unwrap();
    repository.git_in(&copy, &["refs", "migrate", "--ref-format=reftable"]);
    copy
}

/// All that is read of the refs in a directory.
fn everything_read(repository: &TestRepository, directory: &Path) -> Vec<String> {
    let opened = repository.open_in(directory, &[]).unwrap();
    let origin: RemoteName = "origin".parse().unwrap();
    let mut read = vec![
        format!("{:?}", opened.active_branch()),
        format!("{:?}", opened.head_commit().map_err(|error| error.to_string())),
        format!("{:?}", opened.own_branches().unwrap()),
        format!("{:?}", opened.tags_here("").unwrap()),
        format!("{:?}", opened.tags_here("v").unwrap()),
        format!("{:?}", opened.remotes()),
    ];
    if let Ok(head) = opened.head_commit() {
        let globs = ["main".to_owned(), "release/*".to_owned()];
        let is_on = opened.is_on_fetched_mainline(&head, &globs, Some(&origin));
        read.push(format!("{is_on:?}"));
    }
    for revision in
        ["HEAD~1", "v1.0.0", "origin/b1", "feature/x", "latest-1", "nested-2", "refs/tags/v1.0.1"]
    {
        read.push(format!("{revision}: {:?}", opened.commit_of(revision).ok()));
    }
    for (branch, tag) in [
        (None, None),
        (Some("feature/x"), None),
        (Some("b1"), None),
        (Some("release/2"), None),
        (Some("main"), None),
        (None, Some("v1.0.0")),
        (None, Some("v1.0.1")),
        (None, Some("nested-0")),
        (None, Some("latest-1")),
    ] {
        let rules =
            ReferenceRules { ask_remote: false, untagged: Untagged::Commit, ..Default::default() };
        let mut request = ReferenceRequest::from(rules);
        request.branch = branch.map(ToOwned::to_owned);
        request.tag = tag.map(ToOwned::to_owned);
        let resolution = resolve(&opened, &repository.environment(&[]), &request);
        let outcome = match &resolution.reference {
            Ok(reference) => format!("{reference:?}"),
            Err(error) => format!("{error} {:?}", error.hints()),
        };
        read.push(format!("{branch:?} {tag:?}: {outcome} {:?}", resolution.ladder));
    }
    read
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_read_is_the_same_as_with_files(changes in prop::collection::vec(change(), 1..20)) {
        let repository = TestRepository::init(&["-b", "main", "--ref-format=files"]);
        repository.commit("first");
        repository.git(&["remote", "add", "origin", "https://example.com/etl.git"]);
        repository.git(&["symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/b1"]);
        changes.iter().for_each(|change| change.make(&repository));
        let with_files = everything_read(&repository, repository.root());
        let copy = migrated(&repository);
        let with_reftable = everything_read(&repository, &copy);
        prop_assert_eq!(with_files, with_reftable);
    }
}
