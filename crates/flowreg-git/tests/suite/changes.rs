//! What differs between two commits, and revisions as people type them.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;

use flowreg_git::{ChangeKind, ChangedPath, GitError};
use proptest::prelude::*;

use crate::repository::TestRepository;

/// What flowreg finds between two revisions, as `git diff-tree --name-status` writes it.
fn changes(repository: &TestRepository, base: &str, head: &str) -> Vec<String> {
    let opened = repository.open();
    let found =
        opened.changed_paths(&repository.commit_id(base), &repository.commit_id(head)).unwrap();
    found.iter().map(line).collect()
}

fn line(change: &ChangedPath) -> String {
    let letter = match change.kind {
        ChangeKind::Added => 'A',
        ChangeKind::Modified => 'M',
        ChangeKind::Removed => 'D',
    };
    format!("{letter} {}", change.path)
}

/// The same as git tells it.
fn changes_of_git(repository: &TestRepository, base: &str, head: &str) -> Vec<String> {
    let diff = ["diff-tree", "-r", "--no-renames", "--name-status", "-z", base, head];
    let text = repository.git(&diff);
    let mut fields = text.split('\0').filter(|field| !field.is_empty());
    let mut found = Vec::new();
    while let (Some(letter), Some(path)) = (fields.next(), fields.next()) {
        found.push((path.to_owned(), letter.replace('T', "M")));
    }
    found.sort_by(|one, other| (&one.0, rank(&one.1)).cmp(&(&other.0, rank(&other.1))));
    found.into_iter().map(|(path, letter)| format!("{letter} {path}")).collect()
}

fn rank(letter: &str) -> usize {
    "AMD".find(letter).unwrap()
}

#[test]
fn files_that_come_go_and_change_are_found_and_a_rename_is_both() {
    let repository = TestRepository::empty();
    repository.write("flows/a.py", "a\n");
    repository.write("flows/old.py", "the same\n");
    repository.write("lib/deep/x.py", "x\n");
    repository.write("lib.py", "a name before the slash\n");
    repository.write("kind", "a file\n");
    repository.commit("first");
    repository.git(&["mv", "flows/old.py", "flows/new.py"]);
    repository.write("lib/deep/x.py", "changed\n");
    repository.write("more/one/two.py", "new\n");
    repository.git(&["rm", "-q", "kind"]);
    repository.write("kind/inside.py", "a directory now\n");
    repository.commit("second");
    let found = changes(&repository, "HEAD~1", "HEAD");
    assert_eq!(
        found,
        [
            "A flows/new.py",
            "D flows/old.py",
            "D kind",
            "A kind/inside.py",
            "M lib/deep/x.py",
            "A more/one/two.py"
        ]
    );
    assert_eq!(found, changes_of_git(&repository, "HEAD~1", "HEAD"));
    assert_eq!(changes(&repository, "HEAD", "HEAD"), Vec::<String>::new());
}

#[test]
fn modes_links_and_paths_that_are_no_text_count() {
    let repository = TestRepository::empty();
    repository.write("run.py", "same\n");
    repository.write("link.py", "target.py");
    repository.commit("first");
    let root = repository.root();
    fs::write(root.join(OsStr::from_bytes(b"fl\xffow.py")), "bytes\n").unwrap();
    fs::remove_file(root.join("link.py")).unwrap();
    std::os::unix::fs::symlink("target.py", root.join("link.py")).unwrap();
    repository.git(&["update-index", "--chmod=+x", "run.py"]);
    repository.git(&["config", "core.fileMode", "false"]);
    repository.commit("second");
    assert_eq!(
        changes(&repository, "HEAD~1", "HEAD"),
        ["A fl\u{fffd}ow.py", "M link.py", "M run.py"]
    );
}

#[test]
fn submodules_are_told_apart_from_files() {
    let repository = TestRepository::empty();
    let commits = [repository.commit("first"), repository.commit("second")];
    let link = |commit: &str, path: &str| {
        let entry = format!("160000,{commit},{path}");
        repository.git(&["update-index", "--add", "--cacheinfo", &entry]);
    };
    let commit = |message: &str| repository.git(&["commit", "-q", "-m", message]);
    repository.write("libs/became", "a file\n");
    repository.write("libs/plain", "a file\n");
    repository.git(&["add", "-A"]);
    link(&commits[0], "libs/moved");
    link(&commits[0], "libs/gone");
    link(&commits[0], "libs/stays");
    commit("third");
    repository.git(&["rm", "-q", "--cached", "libs/gone", "libs/became"]);
    link(&commits[1], "libs/moved");
    link(&commits[1], "libs/came");
    link(&commits[1], "libs/became");
    std::fs::write(repository.root().join("libs/plain"), "another\n").unwrap();
    repository.git(&["add", "libs/plain"]);
    commit("fourth");
    let found = repository
        .open()
        .changed_paths(&repository.commit_id("HEAD~1"), &repository.commit_id("HEAD"))
        .unwrap();
    let found: Vec<_> = found.iter().map(|one| (line(one), one.is_submodule)).collect();
    let expected = [
        ("M libs/became", true),
        ("A libs/came", true),
        ("D libs/gone", true),
        ("M libs/moved", true),
        ("M libs/plain", false),
    ];
    assert_eq!(found, expected.map(|(line, is_submodule)| (line.to_owned(), is_submodule)));
}

/// The directories that did not change are taken out of the object database: whoever reads them
/// fails.
#[test]
fn equal_directories_are_not_read() {
    let repository = TestRepository::empty();
    for directory in 0..5 {
        repository.write(&format!("d{directory}/in/x.py"), format!("{directory}\n"));
    }
    repository.commit("first");
    repository.write("d3/in/x.py", "changed\n");
    repository.commit("second");
    for path in ["d0", "d1/in", "d2", "d4"] {
        let id = repository.git(&["rev-parse", &format!("HEAD:{path}")]);
        let file = repository.root().join(".git/objects").join(&id[..2]).join(&id[2..]);
        fs::remove_file(file).unwrap();
    }
    assert_eq!(changes(&repository, "HEAD~1", "HEAD"), ["M d3/in/x.py"]);
}

#[test]
fn bare_and_partial_clones_will_do_and_a_shallow_one_says_what_to_fetch() {
    let repository = TestRepository::empty();
    let remote = repository.add_bare_remote("origin");
    repository.git_in(&remote, &["config", "uploadpack.allowFilter", "true"]);
    repository.git_in(&remote, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    repository.write("flows/a.py", "a\n");
    repository.commit("first");
    repository.write("flows/a.py", "b\n");
    repository.commit("second");
    repository.git(&["push", "-q", "origin", "main"]);
    let (base, head) = (repository.commit_id("HEAD~1"), repository.commit_id("HEAD"));
    let url = format!("file://{}", remote.display());
    let blobless = repository.clone_beside("blobless", &["--filter=blob:none", "-n", &url]);
    let treeless = repository.clone_beside("treeless", &["--filter=tree:0", "-n", &url]);
    for directory in [&remote, &blobless, &treeless] {
        let opened = repository.open_in(directory, &[]).unwrap();
        let found = opened.changed_paths(&base, &head).unwrap();
        assert_eq!(found.iter().map(line).collect::<Vec<_>>(), ["M flows/a.py"], "{directory:?}");
    }
    let shallow = repository.clone_beside("shallow", &["--depth=1", &url]);
    let opened = repository.open_in(&shallow, &[]).unwrap();
    let error = opened.changed_paths(&base, &head).unwrap_err();
    assert!(matches!(&error, GitError::NoCommit { commit } if *commit == base), "{error}");
    assert_eq!(error.hints(), [format!("git fetch origin {base}")]);
    assert!(!opened.has_commit(&base) && opened.has_commit(&head));
    repository.git_in(&shallow, &["fetch", "-q", "origin", base.as_str()]);
    let opened = repository.open_in(&shallow, &[]).unwrap();
    assert_eq!(opened.changed_paths(&base, &head).unwrap().len(), 1);
}

#[test]
fn a_revision_is_what_git_reads_in_it() {
    let repository = TestRepository::empty();
    repository.add_bare_remote("origin");
    for message in ["one", "two", "three", "four"] {
        repository.commit(message);
    }
    repository.git(&["tag", "light", "HEAD~2"]);
    repository.git(&["tag", "-am", "annotated", "v1.0.0", "HEAD~1"]);
    repository.git(&["branch", "topic", "HEAD~3"]);
    repository.git(&["push", "-q", "origin", "topic"]);
    repository.git(&["branch", "-D", "topic", "-q"]);
    let short = repository.git(&["rev-parse", "--short=8", "HEAD~1"]);
    let opened = repository.open();
    for revision in
        ["HEAD", "HEAD~3", "HEAD^", "light", "v1.0.0", "origin/topic", "main", "@", &short]
    {
        let found = opened.commit_of(revision).unwrap();
        assert_eq!(found, repository.commit_id(revision), "{revision}");
    }
}

#[test]
fn a_revision_that_is_not_here_says_what_to_fetch() {
    let repository = TestRepository::empty();
    repository.write("flows/a.py", "a\n");
    repository.commit("first");
    repository.commit("second");
    let hints = |opened: &flowreg_git::Repository, revision: &str| {
        let error = opened.commit_of(revision).unwrap_err();
        assert_eq!(error.code(), "no_such_revision", "{error}");
        error.hints().join("\n")
    };
    assert_eq!(hints(&repository.open(), "v9"), "git log --oneline --all");
    let remote = repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main"]);
    let opened = repository.open();
    assert_eq!(hints(&opened, "v9"), "git fetch --tags origin");
    assert_eq!(
        hints(&opened, "origin/topic"),
        "git fetch origin +refs/heads/topic:refs/remotes/origin/topic"
    );
    for wrong in ["", "HEAD:flows", "HEAD~9", "HEAD..main", "-x", "a b"] {
        hints(&opened, wrong);
    }
    let url = format!("file://{}", remote.display());
    let shallow = repository.clone_beside("shallow", &["--depth=1", &url]);
    let opened = repository.open_in(&shallow, &[]).unwrap();
    assert_eq!(hints(&opened, "HEAD~1"), "git fetch --unshallow --tags origin");
}

/// A tree as files that may be there or not, with a content each.
fn trees() -> impl Strategy<Value = Vec<(String, Option<u8>)>> {
    let path = prop::sample::select(vec![
        "a", "a.py", "a/b", "a/b.py", "a/b/c.py", "a-b/c", "a0", "z/y/x/w", "z/y/v", "z.py",
    ]);
    prop::collection::vec((path.prop_map(str::to_owned), prop::option::of(0..3_u8)), 0..10)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_two_trees_differ_as_git_says(before in trees(), after in trees()) {
        let repository = TestRepository::empty();
        for tree in [before, after] {
            repository.git(&["rm", "-rq", "--ignore-unmatch", "."]);
            for (path, content) in tree {
                let Some(content) = content else { continue };
                let full = repository.root().join(&path);
                let is_free = full.ancestors().skip(1).all(|above| !above.is_file());
                if is_free && !full.is_dir() {
                    repository.write(&path, content.to_string());
                }
            }
            repository.commit("a tree");
        }
        let found = changes(&repository, "HEAD~1", "HEAD");
        prop_assert_eq!(found, changes_of_git(&repository, "HEAD~1", "HEAD"));
    }
}
