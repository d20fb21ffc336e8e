//! Opening repositories of every shape, and what their configuration tells.

use std::fs;
use std::path::Path;

use flowreg_git::{ReferenceRequest, ReferenceRules, resolve};
use flowreg_model::CommitId;

use crate::repository::TestRepository;

fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    repository
}

fn active(
    repository: &TestRepository,
    directory: &Path,
    variables: &[(&str, &str)],
) -> (String, CommitId) {
    let opened = repository.open_in(directory, variables).unwrap();
    let request = ReferenceRequest::from(ReferenceRules {
        ask_remote: false,
        untagged: flowreg_git::Untagged::Branch,
        ..Default::default()
    });
    let resolution = resolve(&opened, &repository.environment(variables), &request);
    let reference = resolution.reference.unwrap();
    (reference.name.as_str().to_owned(), reference.commit)
}

#[test]
fn a_repository_is_found_from_a_subdirectory() {
    let repository = repository();
    let (branch, commit) = active(&repository, &repository.root().join("flows"), &[]);
    assert_eq!((branch.as_str(), commit), ("main", repository.commit_id("HEAD")));
}

#[test]
fn what_is_no_repository_says_so() {
    let repository = repository();
    let directory = repository.outside();
    let error = repository.open_in(directory, &[]).err().unwrap();
    assert_eq!(error.code(), "not_a_repository");
    assert!(error.to_string().contains(directory.to_str().unwrap()), "{error}");
    assert_eq!(error.hints(), ["git init"]);
}

#[test]
fn a_directory_that_does_not_exist_says_so() {
    let repository = repository();
    for (directory, reason) in [
        ("/no/such/directory", "it does not exist"),
        ("gone", "it does not exist"),
        ("flows/etl.py", "it is a file"),
        ("flows/etl.py/below", "not a directory"),
    ] {
        let directory = repository.root().join(directory);
        let error = repository.open_in(&directory, &[]).err().unwrap();
        assert_eq!(error.code(), "no_such_directory");
        let expected = format!("the directory {} can't be opened: {reason}", directory.display());
        assert_eq!(error.to_string(), expected);
        assert!(error.hints().is_empty());
    }
    let error = repository.open_in(Path::new("/no/such\ndirectory"), &[]).err().unwrap();
    assert!(error.to_string().contains("/no/such\\ndirectory"), "{error}");
}

#[test]
fn a_ceiling_ends_the_search() {
    let repository = repository();
    let ceiling = repository.root().to_str().unwrap();
    let flows = repository.root().join("flows");
    let error = repository.open_in(&flows, &[("GIT_CEILING_DIRECTORIES", ceiling)]).err();
    assert_eq!(error.unwrap().code(), "not_a_repository");
}

#[test]
fn bare_repositories_are_opened() {
    let repository = repository();
    let bare = repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main"]);
    let opened = repository.open_in(&bare, &[]).unwrap();
    assert_eq!(opened.workdir(), None);
    assert_eq!(opened.common_dir(), bare.canonicalize().unwrap());
    assert!(!opened.uncommitted().unwrap());
    assert_eq!(active(&repository, &bare, &[]).1, repository.commit_id("HEAD"));
}

#[test]
fn linked_worktrees_have_their_own_head_and_share_the_common_directory() {
    let repository = repository();
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", "-b", "feature/x", linked.to_str().unwrap()]);
    repository.git_in(&linked, &["commit", "-q", "--allow-empty", "-m", "there"]);
    let opened = repository.open_in(&linked, &[]).unwrap();
    assert_eq!(opened.common_dir(), repository.open().common_dir());
    assert_eq!(opened.workdir().unwrap(), linked.canonicalize().unwrap());
    let (branch, commit) = active(&repository, &linked, &[]);
    assert_eq!((branch.as_str(), commit), ("feature/x", repository.commit_id("feature/x")));
    repository.git_in(&linked, &["checkout", "-q", "--detach"]);
    repository.git(&["tag", "v1", "feature/x"]);
    assert_eq!(active(&repository, &linked, &[]).0, "v1");
    assert_eq!(active(&repository, repository.root(), &[]).0, "main");
}

#[test]
fn a_submodule_is_a_repository_of_its_own() {
    let inner = repository();
    let outer = repository();
    let path = inner.root().to_str().unwrap();
    outer.git(&["-c", "protocol.file.allow=always", "submodule", "add", "-q", path, "inner"]);
    outer.commit("with a submodule");
    let directory = outer.root().join("inner");
    let opened = outer.open_in(&directory, &[]).unwrap();
    assert_eq!(opened.workdir().unwrap(), directory.canonicalize().unwrap());
    assert_eq!(active(&outer, &directory, &[]).1, inner.commit_id("HEAD"));
}

#[test]
fn sha256_repositories_and_packed_refs_are_read() {
    let repository = TestRepository::init(&["-b", "main", "--object-format=sha256"]);
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.git(&["pack-refs", "--all"]);
    repository.git(&["gc", "-q"]);
    let (tag, commit) = active(&repository, repository.root(), &[]);
    assert_eq!((tag.as_str(), commit.as_str().len()), ("v1", 64));
    let opened = repository.open();
    let content = opened.read_at(&commit, "flows/etl.py").unwrap();
    assert_eq!(content.unwrap(), b"def etl(): ...\n");
}

#[test]
fn inside_a_hook_the_variables_of_git_lead_to_the_repository() {
    let repository = repository();
    let bare = repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "main"]);
    // post-receive runs in the bare repository, with GIT_DIR=.
    let received = repository.open_in(&bare, &[("GIT_DIR", "."), ("GIT_QUARANTINE_PATH", "/no")]);
    assert_eq!(received.unwrap().common_dir(), bare.canonicalize().unwrap());
    // pre-push runs at the top of the work tree.
    for git_dir in [".git", repository.root().join(".git").to_str().unwrap()] {
        let variables =
            [("GIT_DIR", git_dir), ("GIT_INDEX_FILE", "/no/such/index"), ("GIT_PREFIX", "flows/")];
        let opened = repository.open_in(repository.root(), &variables).unwrap();
        assert_eq!(opened.workdir().unwrap(), repository.root().canonicalize().unwrap());
        assert!(!opened.uncommitted().unwrap());
        assert_eq!(active(&repository, repository.root(), &variables).0, "main");
    }
    // In a linked worktree GIT_DIR is the worktree's own.
    let linked = repository.outside().join("linked");
    repository.git(&["worktree", "add", "-q", "-b", "feature/x", linked.to_str().unwrap()]);
    let git_dir = repository.git_in(&linked, &["rev-parse", "--absolute-git-dir"]);
    let opened = repository.open_in(&linked, &[("GIT_DIR", &git_dir)]).unwrap();
    assert_eq!(opened.common_dir(), repository.open().common_dir());
    assert_eq!(active(&repository, &linked, &[("GIT_DIR", &git_dir)]).0, "feature/x");
}

#[test]
fn the_index_of_a_hook_is_never_touched() {
    let repository = repository();
    let index = repository.outside().join("hook-index");
    fs::write(&index, "not an index").unwrap();
    repository.write("flows/etl.py", "changed\n");
    let variables = [("GIT_INDEX_FILE", index.to_str().unwrap()), ("GIT_DIR", ".git")];
    assert!(repository.open_in(repository.root(), &variables).unwrap().uncommitted().unwrap());
    assert_eq!(fs::read(&index).unwrap(), b"not an index");
}

#[test]
fn git_dir_and_work_tree_may_be_apart() {
    let repository = repository();
    let apart = repository.outside().join("apart.git");
    fs::rename(repository.root().join(".git"), &apart).unwrap();
    let variables = [
        ("GIT_DIR", apart.to_str().unwrap()),
        ("GIT_WORK_TREE", repository.root().to_str().unwrap()),
    ];
    let opened = repository.open_in(repository.outside(), &variables).unwrap();
    assert_eq!(opened.workdir().unwrap(), repository.root());
    assert!(!opened.uncommitted().unwrap());
    repository.write("flows/etl.py", "changed\n");
    assert!(opened.uncommitted().unwrap());
}

#[test]
fn a_repository_of_somebody_else_needs_safe_directory() {
    let repository = repository();
    let root = repository.root().canonicalize().unwrap();
    // Only root may give a directory away; elsewhere there is nothing to test with.
    let given = std::os::unix::fs::chown(&root, Some(12_345), None).is_ok()
        && std::os::unix::fs::chown(root.join(".git"), Some(12_345), None).is_ok();
    if !given {
        return;
    }
    let error = repository.open_in(&root, &[]).err().unwrap();
    assert_eq!(error.code(), "not_owned");
    let hint = format!("git config --global --add safe.directory {}", root.display());
    assert_eq!(error.hints(), [hint]);
    let global = repository.outside().join("gitconfig");
    let global_variable = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    for (listed, is_safe) in [
        (root.to_str().unwrap(), true),
        ("*", true),
        (&format!("{}/*", root.parent().unwrap().display()), true),
        ("/elsewhere", false),
    ] {
        fs::write(&global, format!("[safe]\n\tdirectory = {listed}\n")).unwrap();
        assert_eq!(repository.open_in(&root, &global_variable).is_ok(), is_safe, "{listed}");
    }
    fs::write(&global, "[safe]\n\tdirectory = *\n\tdirectory =\n").unwrap();
    assert!(
        repository.open_in(&root, &global_variable).is_err(),
        "an empty value forgets the list"
    );
    fs::write(&global, "[safe]\n\tdirectory = *\n").unwrap();
    assert_eq!(active(&repository, &root, &global_variable).0, "main");
}

#[test]
fn a_repository_cannot_declare_itself_safe() {
    let repository = repository();
    let root = repository.root().canonicalize().unwrap();
    repository.git(&["config", "safe.directory", "*"]);
    if std::os::unix::fs::chown(root.join(".git"), Some(12_345), None).is_ok() {
        assert_eq!(repository.open_in(&root, &[]).err().unwrap().code(), "not_owned");
    }
}

#[test]
fn broken_configuration_is_an_error_and_no_panic() {
    let repository = repository();
    fs::write(repository.root().join(".git/config"), "[core\nbroken").unwrap();
    let error = repository.open_in(repository.root(), &[]).err().unwrap();
    assert_eq!(error.code(), "broken_repository");
    let other = self::repository();
    let global = other.outside().join("gitconfig");
    fs::write(&global, "[user\nbroken").unwrap();
    let variables = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    let error = other.open_in(other.root(), &variables).err().unwrap();
    assert_eq!(error.code(), "git_configuration");
    assert!(!error.to_string().contains('\n'), "{error}");
}

#[test]
fn a_broken_head_or_packed_refs_is_an_error() {
    let repository = TestRepository::init(&["-b", "main", "--ref-format=files"]);
    repository.commit("first");
    let request =
        ReferenceRequest::from(ReferenceRules { ask_remote: false, ..Default::default() });
    let resolved = |name: &str, content: &str| {
        let path = repository.root().join(".git").join(name);
        let before = fs::read(&path).unwrap();
        fs::write(&path, content).unwrap();
        let error = match repository.open_in(repository.root(), &[]) {
            Ok(opened) => resolve(&opened, &repository.environment(&[]), &request)
                .reference
                .unwrap_err()
                .code(),
            Err(error) => error.code(),
        };
        fs::write(&path, before).unwrap();
        error
    };
    assert!(["broken_ref", "not_a_repository"].contains(&resolved("HEAD", "nonsense")));
    assert_eq!(resolved("refs/heads/main", "0123"), "broken_ref");
    repository.git(&["pack-refs", "--all"]);
    assert_eq!(resolved("packed-refs", "# pack-refs with:\nnonsense\n"), "broken_ref");
}

#[test]
fn the_author_is_the_one_that_git_would_write() {
    let repository = repository();
    assert_eq!(repository.open().author().as_deref(), Some("Ada"));
    repository.git(&["config", "user.name", "Grace"]);
    let unnamed = [("GIT_AUTHOR_NAME", "")];
    let opened = repository.open_in(repository.root(), &unnamed).unwrap();
    assert_eq!(opened.author().as_deref(), Some("Grace"));
    let configured = [
        ("GIT_AUTHOR_NAME", ""),
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "user.name"),
        ("GIT_CONFIG_VALUE_0", "Edsger"),
    ];
    let opened = repository.open_in(repository.root(), &configured).unwrap();
    assert_eq!(opened.author().as_deref(), Some("Edsger"));
    repository.git(&["config", "--unset", "user.name"]);
    assert_eq!(repository.open_in(repository.root(), &unnamed).unwrap().author(), None);
}

#[test]
fn the_users_configuration_is_found_where_git_looks_for_it() {
    let repository = repository();
    let home = repository.outside().join("home");
    fs::create_dir_all(home.join(".config/git")).unwrap();
    let environment = |more: &[(&str, &str)]| {
        let all = repository.environment(more);
        let kept = all.iter().filter(|(name, _)| !name.starts_with("GIT_CONFIG_GLOBAL"));
        kept.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let author = |more: &[(&str, &str)]| {
        let more = [&[("GIT_AUTHOR_NAME", ""), ("HOME", home.to_str().unwrap())], more].concat();
        flowreg_git::Repository::discover(repository.root(), &environment(&more)).unwrap().author()
    };
    fs::write(home.join(".config/git/config"), "[user]\n\tname = Xdg\n").unwrap();
    assert_eq!(author(&[]).as_deref(), Some("Xdg"));
    fs::write(
        home.join(".gitconfig"),
        "[include]\n\tpath = ~/work\n[includeIf \"gitdir:/nowhere/\"]\n\tpath = ~/other\n",
    )
    .unwrap();
    fs::write(home.join("work"), "[user]\n\tname = Included\n").unwrap();
    fs::write(home.join("other"), "[user]\n\tname = Elsewhere\n").unwrap();
    assert_eq!(author(&[]).as_deref(), Some("Included"));
    let system = home.join("system");
    fs::write(&system, "[user]\n\tname = System\n").unwrap();
    fs::remove_file(home.join(".gitconfig")).unwrap();
    fs::remove_file(home.join(".config/git/config")).unwrap();
    let system = ("GIT_CONFIG_SYSTEM", system.to_str().unwrap());
    assert_eq!(author(&[system]).as_deref(), Some("System"));
    assert_eq!(author(&[system, ("GIT_CONFIG_NOSYSTEM", "1")]), None);
}

#[test]
fn changed_flow_files_and_configuration_count_as_uncommitted() {
    let repository = repository();
    assert!(!repository.open().uncommitted().unwrap());
    repository.write("README.md", "notes\n");
    assert!(!repository.open().uncommitted().unwrap());
    repository.git(&["add", "README.md"]);
    assert!(!repository.open().uncommitted().unwrap());
    repository.write("flows/etl.py", "changed\n");
    assert!(repository.open().uncommitted().unwrap());
    repository.git(&["checkout", "-q", "flows/etl.py"]);
    fs::remove_file(repository.root().join("flows/etl.py")).unwrap();
    assert!(repository.open().uncommitted().unwrap());
    repository.git(&["checkout", "-q", "flows/etl.py"]);
    repository.write("flowreg.toml", "");
    repository.git(&["add", "flowreg.toml"]);
    assert!(repository.open().uncommitted().unwrap());
    assert!(!TestRepository::empty().open().uncommitted().unwrap());
}

#[test]
fn flow_files_and_configuration_that_were_never_added_count_as_uncommitted() {
    for path in ["new.py", "flows/new.py", "new/deep/new.py", "flowreg.toml", "prefect.yaml"] {
        let repository = repository();
        // Whatever somebody prefers to see of `git status`.
        repository.git(&["config", "status.showUntrackedFiles", "no"]);
        repository.write("new/README.md", "notes\n");
        assert!(!repository.open().uncommitted().unwrap(), "{path}");
        repository.write(path, "");
        let index = fs::read(repository.root().join(".git/index")).unwrap();
        assert!(repository.open().uncommitted().unwrap(), "{path}");
        let directory = repository.root().join("flows");
        assert!(repository.open_in(&directory, &[]).unwrap().uncommitted().unwrap(), "{path}");
        assert_eq!(fs::read(repository.root().join(".git/index")).unwrap(), index, "{path}");
        repository.write(".gitignore", format!("/{path}\n"));
        assert!(!repository.open().uncommitted().unwrap(), "{path} is ignored");
    }
}

#[test]
fn asking_for_what_is_uncommitted_never_writes_the_index() {
    let repository = repository();
    // A file with the same content and another time makes git want to refresh the index.
    fs::remove_file(repository.root().join("flows/etl.py")).unwrap();
    repository.write("flows/etl.py", "def etl(): ...\n");
    let index = repository.root().join(".git/index");
    let before = (fs::read(&index).unwrap(), fs::metadata(&index).unwrap().modified().unwrap());
    assert!(!repository.open().uncommitted().unwrap());
    let after = (fs::read(&index).unwrap(), fs::metadata(&index).unwrap().modified().unwrap());
    assert_eq!(before, after);
}

#[test]
fn threads_share_a_repository_and_clone_its_trees() {
    fn is_shared<T: Send + Sync>(_: &T) {}
    fn is_sent<T: Send + Clone>(_: &T) {}
    let repository = repository();
    is_shared(&repository.open());
    is_sent(&repository.open().tree(&repository.commit_id("HEAD")).unwrap());
}
