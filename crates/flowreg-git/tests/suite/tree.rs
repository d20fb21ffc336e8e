//! Reading the tree at a commit: what is there is found, and what is missing is never nothing.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use flowreg_git::{Tree, TreeBlob};

use crate::repository::TestRepository;

fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "etl\n");
    repository.write("flows/nested/deep/report.py", "report\n");
    repository.write("flows.py", "top\n");
    repository.write("docs/readme.md", "text\n");
    repository.commit("first");
    repository
}

fn tree(repository: &TestRepository, revision: &str) -> Tree {
    repository.open().tree(&repository.commit_id(revision)).unwrap()
}

fn python(tree: &Tree) -> Vec<TreeBlob> {
    tree.files(|_, _| true, |path| path.ends_with(b".py")).unwrap().blobs
}

fn paths(blobs: &[TreeBlob]) -> Vec<String> {
    blobs.iter().map(|blob| String::from_utf8_lossy(&blob.path).into_owned()).collect()
}

fn content(tree: &Tree, blob: &TreeBlob) -> String {
    let mut buffer = Vec::new();
    String::from_utf8(tree.read(blob, &mut buffer).unwrap().to_vec()).unwrap()
}

fn object_file(repository: &TestRepository, id: &str) -> PathBuf {
    repository.root().join(".git/objects").join(&id[..2]).join(&id[2..])
}

#[test]
fn files_are_found_by_full_path_in_order() {
    let repository = repository();
    let tree = tree(&repository, "HEAD");
    let found = python(&tree);
    assert_eq!(paths(&found), ["flows.py", "flows/etl.py", "flows/nested/deep/report.py"]);
    assert_eq!(content(&tree, &found[2]), "report\n");
    assert_eq!(found[1].id.to_string(), repository.git(&["rev-parse", "HEAD:flows/etl.py"]));
    assert_eq!(content(&tree.clone(), &found[1]), "etl\n", "a clone reads the same");
}

#[test]
fn a_directory_that_is_not_wanted_is_not_entered() {
    let repository = repository();
    let tree = tree(&repository, "HEAD");
    let mut asked = Vec::new();
    let found = tree.files(
        |path, _| {
            asked.push(String::from_utf8_lossy(path).into_owned());
            path != b"flows/nested"
        },
        |path| path.ends_with(b".py"),
    );
    assert_eq!(paths(&found.unwrap().blobs), ["flows.py", "flows/etl.py"]);
    asked.sort();
    assert_eq!(asked, ["docs", "flows", "flows/nested"]);
}

#[test]
fn the_tree_is_that_of_the_commit_and_not_the_working_directory() {
    let repository = repository();
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.write("flows/etl.py", "changed\n");
    repository.commit("second");
    fs::remove_dir_all(repository.root().join("flows")).unwrap();
    repository.write("flows/etl.py", "dirty\n");
    let opened = repository.open();
    let at = |revision| opened.read_at(&repository.commit_id(revision), "flows/etl.py").unwrap();
    assert_eq!(at("main").unwrap(), b"etl\n");
    assert_eq!(at("feature/x").unwrap(), b"changed\n");
    assert_eq!(opened.read_at(&repository.commit_id("main"), "flows/gone.py").unwrap(), None);
    assert_eq!(opened.read_at(&repository.commit_id("main"), "flows").unwrap(), None);
}

#[test]
fn submodules_are_no_files() {
    let repository = repository();
    let head = repository.git(&["rev-parse", "HEAD"]);
    repository.git(&["update-index", "--add", "--cacheinfo", &format!("160000,{head},module.py")]);
    repository.git(&["commit", "-q", "-m", "second"]);
    let found = paths(&python(&tree(&repository, "HEAD")));
    assert!(!found.iter().any(|path| path.contains("module")), "{found:?}");
    assert_eq!(found.len(), 3);
}

#[test]
fn executable_files_are_files() {
    let repository = repository();
    repository.git(&["update-index", "--chmod=+x", "flows/etl.py"]);
    repository.git(&["commit", "-q", "-m", "second"]);
    assert!(paths(&python(&tree(&repository, "HEAD"))).contains(&"flows/etl.py".to_owned()));
}

#[test]
fn paths_that_are_not_utf8_are_read() {
    let repository = repository();
    let name = OsStr::from_bytes(b"caf\xe9.py");
    fs::write(repository.root().join("flows").join(name), "latin\n").unwrap();
    repository.commit("second");
    let tree = tree(&repository, "HEAD");
    let found = python(&tree);
    let odd = found.iter().find(|blob| blob.path == b"flows/caf\xe9.py").unwrap();
    assert_eq!(content(&tree, odd), "latin\n");
}

#[test]
fn packs_with_long_delta_chains_are_read() {
    let repository = TestRepository::empty();
    for versions in 1..=40 {
        let line = "a line of a file that grows and is stored as a delta\n";
        repository.write("flows/etl.py", line.repeat(versions));
        repository.commit("next");
    }
    repository.git(&["repack", "-q", "-a", "-d", "-f", "--depth=250", "--window=50"]);
    let first = repository.git(&["rev-list", "--max-parents=0", "HEAD"]);
    for (revision, count) in [("HEAD", 40), (first.as_str(), 1)] {
        let tree = tree(&repository, revision);
        assert_eq!(content(&tree, &python(&tree)[0]).lines().count(), count);
    }
}

#[test]
fn a_commit_that_is_not_here_is_an_error() {
    let repository = repository();
    let opened = repository.open();
    let error = opened.tree(&"1".repeat(40).parse().unwrap()).err().unwrap();
    assert_eq!(error.code(), "no_such_commit");
    // The id of another kind of object, or of another hash, is none either.
    let blob = repository.git(&["rev-parse", "HEAD:flows/etl.py"]);
    for id in [blob, "1".repeat(64)] {
        assert_eq!(opened.tree(&id.parse().unwrap()).err().unwrap().code(), "no_such_commit");
    }
}

#[test]
fn a_missing_file_is_an_error_with_object_and_path() {
    let repository = repository();
    let id = repository.git(&["rev-parse", "HEAD:flows/etl.py"]);
    fs::remove_file(object_file(&repository, &id)).unwrap();
    let tree = tree(&repository, "HEAD");
    let found = python(&tree);
    tree.fetch_missing(&found).unwrap();
    let error = tree.read(&found[1], &mut Vec::new()).unwrap_err();
    assert_eq!(error.code(), "missing_object");
    assert!(
        error.to_string().contains(&id) && error.to_string().contains("flows/etl.py"),
        "{error}"
    );
    let commit = repository.commit_id("HEAD");
    assert!(repository.open().read_at(&commit, "flows/etl.py").is_err());
}

#[test]
fn a_missing_directory_is_an_error_with_object_and_path() {
    let repository = repository();
    let id = repository.git(&["rev-parse", "HEAD:flows/nested"]);
    fs::remove_file(object_file(&repository, &id)).unwrap();
    let error = tree(&repository, "HEAD").files(|_, _| true, |_| true).unwrap_err();
    assert_eq!(error.code(), "missing_object");
    assert!(
        error.to_string().contains(&id) && error.to_string().contains("flows/nested"),
        "{error}"
    );
}

#[test]
fn a_corrupt_file_is_an_error_with_object_and_path() {
    let repository = repository();
    let id = repository.git(&["rev-parse", "HEAD:flows/etl.py"]);
    let file = object_file(&repository, &id);
    fs::remove_file(&file).unwrap();
    for damage in [&b"not zlib at all"[..], b"", b"x\x9c\x03\x00"] {
        fs::write(&file, damage).unwrap();
        let tree = tree(&repository, "HEAD");
        let error = tree.read(&python(&tree)[1], &mut Vec::new()).unwrap_err();
        assert!(["corrupt_object", "missing_object"].contains(&error.code()), "{error}");
        assert!(error.to_string().contains(&id), "{error}");
        assert!(!error.to_string().contains('\n'), "{error}");
    }
}

/// A clone beside the repository that got only what the filter lets through, from a remote that
/// serves single objects.
fn partial_clone(repository: &TestRepository, filter: &str) -> PathBuf {
    let remote = repository.add_bare_remote("origin");
    repository.git_in(&remote, &["config", "uploadpack.allowFilter", "true"]);
    repository.git_in(&remote, &["config", "uploadpack.allowAnySHA1InWant", "true"]);
    repository.git(&["push", "-q", "origin", "main"]);
    let url = format!("file://{}", remote.display());
    repository.clone_beside("partial", &["--no-checkout", &format!("--filter={filter}"), &url])
}

fn missing(repository: &TestRepository, clone: &Path) -> usize {
    let objects = ["rev-list", "--objects", "--missing=print", "HEAD"];
    let listed = repository.git_in(clone, &objects);
    listed.lines().filter(|line| line.starts_with('?')).count()
}

#[test]
fn a_partial_clone_fetches_what_is_wanted_and_nothing_else() {
    let repository = repository();
    let clone = partial_clone(&repository, "blob:none");
    assert_eq!(missing(&repository, &clone), 4);
    let opened = repository.open_in(&clone, &[]).unwrap();
    let tree = opened.tree(&repository.commit_id("HEAD")).unwrap();
    let found = python(&tree);
    tree.fetch_missing(&found).unwrap();
    assert_eq!(missing(&repository, &clone), 1, "docs/readme.md is not wanted");
    let contents: Vec<_> = found.iter().map(|blob| content(&tree, blob)).collect();
    assert_eq!(contents, ["top\n", "etl\n", "report\n"]);
    let packs = fs::read_dir(clone.join(".git/objects/pack")).unwrap();
    let packs = packs
        .filter(|file| file.as_ref().unwrap().path().extension().is_some_and(|end| end == "pack"));
    assert_eq!(packs.count(), 2, "the clone and one request for all files");
}

#[test]
fn one_file_of_a_partial_clone_is_fetched_when_it_is_read() {
    let repository = repository();
    let clone = partial_clone(&repository, "blob:none");
    let opened =
        repository.open_in(&clone, &[("GIT_DIR", ".git"), ("GIT_INDEX_FILE", "/no")]).unwrap();
    let read = opened.read_at(&repository.commit_id("HEAD"), "flows/etl.py").unwrap();
    assert_eq!(read.unwrap(), b"etl\n");
}

#[test]
fn a_partial_clone_without_trees_gets_them_on_the_way() {
    let repository = repository();
    let clone = partial_clone(&repository, "tree:0");
    let opened = repository.open_in(&clone, &[]).unwrap();
    let tree = opened.tree(&repository.commit_id("HEAD")).unwrap();
    let found = python(&tree);
    assert_eq!(found.len(), 3);
    tree.fetch_missing(&found).unwrap();
    assert_eq!(content(&tree, &found[0]), "top\n");
}

#[test]
fn a_partial_clone_whose_remote_is_gone_fails() {
    let repository = repository();
    let clone = partial_clone(&repository, "blob:none");
    fs::remove_dir_all(repository.outside().join("origin.git")).unwrap();
    let opened = repository.open_in(&clone, &[]).unwrap();
    let tree = opened.tree(&repository.commit_id("HEAD")).unwrap();
    let found = python(&tree);
    assert_eq!(tree.fetch_missing(&found).unwrap_err().code(), "git_failed");
    assert_eq!(tree.read(&found[0], &mut Vec::new()).unwrap_err().code(), "missing_object");
}

#[test]
fn submodules_are_those_that_gitmodules_lists() {
    let repository = TestRepository::empty();
    repository.commit("first");
    assert_eq!(tree(&repository, "HEAD").submodules().unwrap(), Vec::<String>::new());
    repository.write(
        ".gitmodules",
        "[submodule \"a\"]\n\tpath = libs/a\n\turl = ../a\n[submodule \"b\"]\n path = \"b c/\"\n\
         [submodule \"c\"]\n\turl = x\n[other]\n\tpath = no\n",
    );
    repository.commit("second");
    assert_eq!(tree(&repository, "HEAD").submodules().unwrap(), ["libs/a", "b c"]);
    repository.write(".gitmodules", "[submodule\n");
    repository.commit("third");
    assert_eq!(tree(&repository, "HEAD").submodules().unwrap(), Vec::<String>::new());
}

#[test]
fn replaced_commits_and_trees_are_read_as_a_clone_has_them() {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "released\n");
    let released = repository.commit("first");
    repository.write("flows/etl.py", "rewritten\n");
    repository.commit("second");
    let tree = |revision: &str| repository.git(&["rev-parse", &format!("{revision}^{{tree}}")]);
    for (one, other) in [
        (released.clone(), repository.git(&["rev-parse", "HEAD"])),
        (tree(&released), tree("HEAD")),
    ] {
        repository.git(&["replace", &one, &other]);
        assert_eq!(repository.git(&["show", &format!("{released}:flows/etl.py")]), "rewritten");
        let opened = repository.open();
        let commit = released.parse().unwrap();
        assert_eq!(opened.read_at(&commit, "flows/etl.py").unwrap().unwrap(), b"released\n");
        let files = repository.outside().join(&one);
        std::fs::create_dir(&files).unwrap();
        opened.check_out(&commit, &files, &repository.outside().join("index")).unwrap();
        assert_eq!(std::fs::read(files.join("flows/etl.py")).unwrap(), b"released\n");
        repository.git(&["replace", "-d", &one]);
    }
}
