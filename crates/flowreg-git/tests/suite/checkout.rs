//! A commit's files in a directory of the caller's: as a clone has them, and nothing else touched.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use flowreg_git::Repository;
use flowreg_model::{Channel, CodeReference, ReferenceName, ReferenceSource};

use crate::repository::TestRepository;

/// Files of every kind, a filter, and a hook that must not run.
fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("a.py", "committed\n");
    repository.write("tool.sh", "#!/bin/sh\n");
    repository.write("deep/er/b.txt", "quiet\n");
    repository.write(".gitattributes", "*.txt filter=loud\n*.bat eol=crlf\n");
    repository.write("c.bat", "one\ntwo\n");
    std::os::unix::fs::symlink("../a.py", repository.root().join("deep/link.py")).unwrap();
    repository.git(&["add", "-A"]);
    repository.git(&["update-index", "--chmod=+x", "tool.sh"]);
    repository.git(&["commit", "-q", "-m", "files"]);
    repository.git(&["config", "filter.loud.smudge", "tr a-z A-Z"]);
    let hook = repository.root().join(".git/hooks/post-index-change");
    let ran = repository.outside().join("ran");
    std::fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", ran.display())).unwrap();
    std::fs::set_permissions(&hook, std::fs::Permissions::from_mode(0o755)).unwrap();
    repository
}

fn check_out(repository: &TestRepository, opened: &Repository) -> PathBuf {
    let directory = tempfile::TempDir::new_in(repository.outside()).unwrap().keep();
    let files = directory.join("files");
    std::fs::create_dir(&files).unwrap();
    opened.check_out(&repository.commit_id("HEAD"), &files, &directory.join("index")).unwrap();
    files
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn links_modes_line_endings_and_filters_are_those_of_a_clone() {
    let repository = repository();
    let files = check_out(&repository, &repository.open());
    assert_eq!(read(&files.join("deep/er/b.txt")), "QUIET\n");
    assert_eq!(read(&files.join("c.bat")), "one\r\ntwo\r\n");
    assert_eq!(std::fs::read_link(files.join("deep/link.py")).unwrap(), Path::new("../a.py"));
    let mode = |path: &str| files.join(path).metadata().unwrap().permissions().mode() & 0o111;
    assert_ne!(mode("tool.sh"), 0);
    assert_eq!(mode("a.py"), 0);
}

#[test]
fn neither_index_nor_work_tree_nor_head_change_and_no_hook_runs() {
    let repository = repository();
    repository.write("a.py", "not committed\n");
    repository.write("staged.py", "x");
    repository.git(&["add", "staged.py"]);
    repository.git(&["config", "core.splitIndex", "true"]);
    let state = || {
        let index = std::fs::read(repository.root().join(".git/index")).unwrap();
        let shared = std::fs::read_dir(repository.root().join(".git")).unwrap().count();
        (
            index,
            shared,
            repository.git(&["rev-parse", "HEAD"]),
            read(&repository.root().join("a.py")),
        )
    };
    let _ = std::fs::remove_file(repository.outside().join("ran"));
    let before = state();
    // As inside a hook: these name the user's index and work tree.
    let root = repository.root().to_str().unwrap();
    let index = repository.root().join(".git/index");
    let git_dir = repository.root().join(".git");
    let variables = [
        ("GIT_DIR", git_dir.to_str().unwrap()),
        ("GIT_INDEX_FILE", index.to_str().unwrap()),
        ("GIT_WORK_TREE", root),
    ];
    let opened = repository.open_in(repository.root(), &variables).unwrap();
    let files = check_out(&repository, &opened);
    assert_eq!(read(&files.join("a.py")), "committed\n");
    assert!(!files.join("staged.py").exists());
    assert!(state() == before);
    assert!(!repository.outside().join("ran").exists(), "a hook ran");
}

#[test]
fn bare_sparse_linked_and_partial_repositories_have_all_files() {
    let repository = repository();
    repository.git(&["config", "uploadpack.allowFilter", "true"]);
    repository.git(&["worktree", "add", "-q", "--detach", "../linked"]);
    let url = format!("file://{}", repository.root().display());
    let sparse = repository.clone_beside("sparse", &["--sparse", &url]);
    let bare = repository.clone_beside("bare.git", &["--bare", &url]);
    let partial =
        repository.clone_beside("partial", &["--no-checkout", "--filter=blob:none", &url]);
    let linked = repository.outside().join("linked");
    for directory in [sparse, bare, partial, linked] {
        let opened = repository.open_in(&directory, &[]).unwrap();
        let files = check_out(&repository, &opened);
        assert_eq!(read(&files.join("a.py")), "committed\n", "{}", directory.display());
        let text = read(&files.join("deep/er/b.txt"));
        assert_eq!(text.to_lowercase(), "quiet\n", "{}", directory.display());
    }
}

#[test]
fn a_clone_at_a_tag_that_is_still_to_be_made_has_it() {
    let repository = repository();
    repository.git(&["tag", "-a", "-m", "one", "v1.0.0"]);
    repository.write("a.py", "more\n");
    let commit = repository.commit("more");
    let reference = |tag: &str, revision: &str| CodeReference {
        name: ReferenceName::Tag(tag.parse().unwrap()),
        commit: repository.commit_id(revision),
        source: ReferenceSource::Flag,
        source_detail: "--tag".to_owned(),
        channel: Channel::Mainline,
        remote: None,
        proved: false,
    };
    // A person's signing of tags has no say in a clone that nobody sees.
    repository.git(&["config", "tag.gpgSign", "true"]);
    for (tag, revision) in [("v1.1.0", "HEAD"), ("v1.0.0", "HEAD~1")] {
        let clone = repository.outside().join(format!("clone-{tag}"));
        let opened = repository.open();
        opened.clone_at(&reference(tag, revision), "https://example.com/x.git", &clone).unwrap();
        // The way in which build steps find out their version.
        assert_eq!(repository.git_in(&clone, &["describe"]), tag);
    }
    assert_eq!(repository.git(&["tag"]), "v1.0.0", "the repository itself gets none");
    assert_eq!(repository.git(&["rev-parse", "HEAD"]), commit);
}
