//! Paths are used as they were typed where git does, as bytes, and what is in the way is said.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use flowreg_git::{ReferenceRequest, ReferenceRules, Repository, git_directories, resolve};
use flowreg_model::{Environment, RemoteName};

use crate::repository::{TestRepository, git_environment};

fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    repository
}

/// What `git config user.name` says, and what flowreg would write as the author, in a directory that the
/// shell entered under this name.
fn author(repository: &TestRepository, typed: &Path, global: &Path) -> (String, String) {
    let variables = [
        ("PWD", typed.to_str().unwrap()),
        ("GIT_CONFIG_GLOBAL", global.to_str().unwrap()),
        ("GIT_AUTHOR_NAME", ""),
    ];
    let git = std::process::Command::new("git")
        .args(["config", "user.name"])
        .current_dir(typed)
        .env_clear()
        .envs(git_environment(repository.outside()))
        .envs(variables)
        .output()
        .unwrap();
    // What a process gets as its directory is the physical one.
    let opened = repository.open_in(&typed.canonicalize().unwrap(), &variables).unwrap();
    let git = String::from_utf8(git.stdout).unwrap().trim_end().to_owned();
    (git, opened.author().unwrap_or_default())
}

#[test]
fn includes_by_directory_count_under_the_name_that_was_typed() {
    let repository = repository();
    let outside = repository.outside().canonicalize().unwrap();
    let (link, global) = (outside.join("link"), outside.join("gitconfig"));
    std::os::unix::fs::symlink(repository.root(), &link).unwrap();
    fs::write(outside.join("included"), "[user]\n\tname = Grace\n").unwrap();
    let root = repository.root().canonicalize().unwrap();
    let mut included = 0;
    for condition in [
        link.join(""),
        root.join(""),
        link.join(".git"),
        root.join(".git"),
        outside.join("elsewhere/"),
    ] {
        let text = format!(
            "[includeIf \"gitdir:{}\"]\n\tpath = {}\n",
            condition.display(),
            outside.join("included").display()
        );
        fs::write(&global, text).unwrap();
        for typed in [&root, &link, &root.join("flows"), &link.join("flows")] {
            let (git, own) = author(&repository, typed, &global);
            assert_eq!(own, git, "{} in {}", condition.display(), typed.display());
            included += usize::from(!own.is_empty());
        }
    }
    assert_eq!(included, 10);
}

#[test]
fn git_processes_see_the_configuration_of_the_typed_name() {
    let repository = repository();
    let outside = repository.outside().canonicalize().unwrap();
    let (link, global) = (outside.join("link"), outside.join("gitconfig"));
    std::os::unix::fs::symlink(repository.root(), &link).unwrap();
    let hooks = outside.join("hooks-of-link");
    fs::write(outside.join("included"), format!("[core]\n\thooksPath = {}\n", hooks.display()))
        .unwrap();
    let text = format!("[includeIf \"gitdir:{}/\"]\n\tpath = included\n", link.display());
    fs::write(&global, text).unwrap();
    let variables =
        [("PWD", link.to_str().unwrap()), ("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    let opened = repository.open_in(&link.canonicalize().unwrap(), &variables).unwrap();
    assert_eq!(opened.hook_path().unwrap().directory, hooks);
}

#[test]
fn a_name_that_is_not_where_the_process_is_does_not_count() {
    let (repository, other) = (repository(), repository());
    let variables = [("PWD", other.root().to_str().unwrap())];
    let opened = repository.open_in(repository.root(), &variables).unwrap();
    assert_eq!(opened.common_dir(), repository.open().common_dir());
}

/// Gives a repository to another user; only root may.
fn give_away(repository: &TestRepository) -> bool {
    let root = repository.root();
    [root.to_owned(), root.join(".git")]
        .iter()
        .all(|path| std::os::unix::fs::chown(path, Some(12_345), None).is_ok())
}

#[test]
fn safe_directories_are_those_of_git_in_every_form() {
    let repository = repository();
    if !give_away(&repository) {
        return;
    }
    let outside = repository.outside().canonicalize().unwrap();
    let (root, link) = (repository.root().canonicalize().unwrap(), outside.join("link"));
    std::os::unix::fs::symlink(&root, &link).unwrap();
    std::os::unix::fs::symlink(&outside, outside.join("up")).unwrap();
    let global = outside.join("gitconfig");
    let variables = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    let mut safe = Vec::new();
    for entry in [
        root.display().to_string(),
        format!("{}/", root.display()),
        format!("{}/.git", root.display()),
        format!("{}/*", outside.display()),
        link.display().to_string(),
        format!("{}/up/work", outside.display()),
        "~/work".to_owned(),
        "~/*".to_owned(),
        "~/elsewhere".to_owned(),
        "%(prefix)/work".to_owned(),
        ".".to_owned(),
        "work".to_owned(),
        "*".to_owned(),
    ] {
        fs::write(&global, format!("[safe]\n\tdirectory = {entry}\n")).unwrap();
        for directory in [&root, &root.join("flows")] {
            let git = std::process::Command::new("git")
                .args(["rev-parse", "--git-dir"])
                .current_dir(directory)
                .env_clear()
                .envs(git_environment(repository.outside()))
                .envs(variables)
                .output();
            let is_safe = git.unwrap().status.success();
            let opened = repository.open_in(directory, &variables);
            assert_eq!(opened.is_ok(), is_safe, "{entry} in {}", directory.display());
            if is_safe {
                safe.push(entry.clone());
            } else {
                assert_eq!(opened.err().unwrap().code(), "not_owned");
            }
        }
    }
    for entry in ["~/work", "*"] {
        assert!(safe.iter().any(|safe| safe == entry), "{entry} in {safe:?}");
    }
}

#[test]
fn each_part_of_a_repository_has_to_be_ones_own() {
    for part in ["", ".git"] {
        let repository = repository();
        let part = repository.root().join(part);
        if std::os::unix::fs::chown(&part, Some(12_345), None).is_ok() {
            let error = repository.open_in(repository.root(), &[]).err().unwrap();
            assert_eq!(error.code(), "not_owned", "{}", part.display());
        }
    }
}

#[test]
fn whoever_names_the_git_directory_is_not_asked_whether_it_is_safe() {
    let repository = repository();
    let git_dir = repository.root().join(".git");
    give_away(&repository);
    for git_dir in [".git", git_dir.to_str().unwrap()] {
        let opened = repository.open_in(repository.root(), &[("GIT_DIR", git_dir)]).unwrap();
        assert_eq!(opened.active_branch().unwrap().as_str(), "main");
        assert!(!opened.uncommitted().unwrap());
    }
}

#[test]
fn a_git_file_that_leads_nowhere_is_not_passed_over_for_a_repository_above() {
    let outer = repository();
    let linked = outer.root().join("linked");
    outer.git(&["worktree", "add", "-q", "-b", "x", linked.to_str().unwrap()]);
    let named = outer.root().join(".git/worktrees/linked").canonicalize().unwrap();
    fs::remove_dir_all(&named).unwrap();
    fs::create_dir(linked.join("below")).unwrap();
    let linked = linked.canonicalize().unwrap();
    for directory in [&linked, &linked.join("below")] {
        let error = outer.open_in(directory, &[]).err().unwrap();
        let expected = format!(
            "{}/.git names the git directory {}, which is no repository",
            linked.display(),
            named.display()
        );
        assert_eq!((error.code(), error.to_string()), ("broken_git_file", expected));
        let hint = format!(
            "git worktree repair {}, in the repository that it belongs to",
            linked.display()
        );
        assert_eq!(error.hints(), [hint]);
    }
    fs::write(linked.join(".git"), "nonsense").unwrap();
    let error = outer.open_in(&linked, &[]).err().unwrap();
    assert!(error.to_string().ends_with("/.git names no git directory"), "{error}");
    // A ceiling ends the search before it.
    let below = linked.join("below");
    let ceiling = [("GIT_CEILING_DIRECTORIES", linked.to_str().unwrap())];
    assert_eq!(outer.open_in(&below, &ceiling).err().unwrap().code(), "not_a_repository");
}

#[test]
fn what_may_not_be_read_is_said_and_not_passed_over() {
    let test = "paths::what_may_not_be_read_is_said_and_not_passed_over";
    if fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0) {
        // root may read everything, so another user has to try.
        let nobody = ["--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        let program = std::env::current_exe().unwrap();
        let mut command = std::process::Command::new("setpriv");
        let run = command.args(nobody).arg(program).args(["--exact", test]).output();
        if let Ok(run) = run {
            assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
        }
        return;
    }
    let outer = repository();
    let root = outer.root().canonicalize().unwrap();
    outer.git(&["init", "-q", "inner"]);
    fs::create_dir(root.join("inner/below")).unwrap();
    let close = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    let git_dir = root.join("inner/.git");
    for path in [git_dir.clone(), git_dir.join("HEAD")] {
        close(&path, 0);
        let error = outer.open_in(&root.join("inner/below"), &[]).err().unwrap();
        let expected = format!("{} can't be read: permission denied", git_dir.display());
        assert_eq!((error.code(), error.to_string()), ("permission_denied", expected));
        assert_eq!(error.hints(), [format!("ls -ld {}", git_dir.display())]);
        close(&path, 0o755);
    }
    // What can't be read would look as if it were empty.
    fs::write(git_dir.join("packed-refs"), "").unwrap();
    for part in
        ["config", "objects", "objects/pack", "refs", "refs/heads", "refs/tags", "packed-refs"]
    {
        let path = git_dir.join(part);
        // A directory whose names alone can be read is closed as well.
        let modes: &[u32] = if path.is_dir() { &[0, 0o444] } else { &[0] };
        let open = path.metadata().unwrap().permissions();
        for mode in modes {
            close(&path, *mode);
            for variables in [&[][..], &[("GIT_DIR", git_dir.to_str().unwrap())]] {
                let error = outer.open_in(&root.join("inner/below"), variables).err().unwrap();
                let expected = format!("{} can't be read: permission denied", path.display());
                assert_eq!((error.code(), error.to_string()), ("permission_denied", expected));
            }
            fs::set_permissions(&path, open.clone()).unwrap();
        }
    }
    outer.open_in(&root.join("inner/below"), &[]).unwrap();
    close(&root.join("inner"), 0);
    let error = outer.open_in(&root.join("inner/below"), &[]).err().unwrap();
    assert_eq!(error.code(), "no_such_directory");
    assert!(error.to_string().ends_with("can't be opened: permission denied"), "{error}");
    close(&root.join("inner"), 0o755);
    fs::remove_dir_all(&git_dir).unwrap();
    fs::write(&git_dir, "gitdir: ../.git").unwrap();
    close(&git_dir, 0);
    let error = outer.open_in(&root.join("inner"), &[]).err().unwrap();
    assert_eq!(error.code(), "permission_denied");
}

/// A repository in a directory whose name is not UTF-8.
fn in_foreign_directory() -> (TestRepository, PathBuf) {
    let repository = repository();
    let moved = repository.outside().join(OsStr::from_bytes(b"caf\xe9"));
    fs::rename(repository.root(), &moved).unwrap();
    (repository, moved)
}

fn environment(repository: &TestRepository, more: &[(&str, &OsStr)]) -> Environment {
    let usual = git_environment(repository.outside()).into_iter();
    let usual = usual.map(|(name, value)| (name.into(), value.into()));
    let more = more.iter().map(|(name, value)| ((*name).into(), (*value).to_owned()));
    usual
        .chain(more)
        .collect::<Vec<(std::ffi::OsString, std::ffi::OsString)>>()
        .into_iter()
        .collect()
}

#[test]
fn a_repository_whose_path_is_no_text_is_read_and_asked() {
    let (repository, directory) = in_foreign_directory();
    let opened = repository.open_in(&directory, &[]).unwrap();
    assert!(!opened.uncommitted().unwrap());
    fs::write(directory.join("flows/etl.py"), "changed\n").unwrap();
    assert!(opened.uncommitted().unwrap());
    let hooks = directory.canonicalize().unwrap().join(".git/hooks");
    assert_eq!(opened.hook_path().unwrap().directory, hooks);
    let rules = ReferenceRules { ask_remote: false, ..Default::default() };
    repository.git_in(&directory, &["checkout", "-q", "-b", "x"]);
    let request = ReferenceRequest::from(rules);
    let reference = resolve(&opened, &repository.environment(&[]), &request).reference.unwrap();
    let clone = repository.outside().join(OsStr::from_bytes(b"clone\xe9"));
    opened.clone_at(&reference, "https://example.com/etl.git", &clone).unwrap();
    assert_eq!(fs::read(clone.join("flows/etl.py")).unwrap(), b"def etl(): ...\n");
    for variables in [
        vec![("GIT_DIR", directory.join(".git"))],
        vec![("GIT_DIR", directory.join(".git")), ("GIT_WORK_TREE", directory.clone())],
    ] {
        let variables: Vec<_> =
            variables.iter().map(|(name, path)| (*name, path.as_os_str())).collect();
        let environment = environment(&repository, &variables);
        let opened = Repository::discover(repository.outside(), &environment).unwrap();
        assert_eq!(opened.active_branch().unwrap().as_str(), "x");
        let found = git_directories(repository.outside(), &environment).unwrap();
        assert_eq!(found.common_dir, directory.join(".git").canonicalize().unwrap());
    }
}

#[test]
fn a_linked_work_tree_of_a_repository_whose_path_is_no_text_is_found() {
    let (repository, directory) = in_foreign_directory();
    let linked = repository.outside().join("linked");
    repository.git_in(&directory, &["worktree", "add", "-q", "-b", "y", linked.to_str().unwrap()]);
    let opened = repository.open_in(&linked, &[]).unwrap();
    assert_eq!(opened.active_branch().unwrap().as_str(), "y");
    let found = git_directories(&linked, &repository.environment(&[])).unwrap();
    assert_eq!(found.common_dir, opened.common_dir());
}

#[test]
fn a_remote_whose_address_is_no_text_is_refused_as_that() {
    let repository = repository();
    let origin: RemoteName = "origin".parse().unwrap();
    let config = repository.root().join(".git/config");
    let mut text = fs::read(&config).unwrap();
    text.extend(b"[remote \"origin\"]\n\turl = /srv/caf\xe9.git\n");
    fs::write(&config, text).unwrap();
    for name in [None, Some(&origin)] {
        let error = repository.open().remote(name).unwrap_err();
        let expected = "the address of the remote origin is not UTF-8: /srv/caf\\xe9.git";
        assert_eq!((error.code(), error.to_string().as_str()), ("address_is_no_text", expected));
    }
}

#[test]
fn a_relative_address_in_a_directory_that_is_no_text_is_one_that_git_reads() {
    let (repository, directory) = in_foreign_directory();
    for (address, expected) in
        [("inside.git", "/caf%E9/inside.git"), ("../beside.git", "/beside.git")]
    {
        repository.git_in(&directory, &["init", "-q", "--bare", address]);
        repository.git_in(&directory, &["remote", "add", "origin", address]);
        repository.git_in(&directory, &["push", "-q", "origin", "main"]);
        let remote = repository.open_in(&directory, &[]).unwrap().remote(None).unwrap().unwrap();
        assert!(remote.url.as_str().ends_with(expected), "{}", remote.url);
        let listed = repository.git_in(repository.outside(), &["ls-remote", remote.url.as_str()]);
        assert!(listed.contains("refs/heads/main"), "{listed}");
        repository.git_in(&directory, &["remote", "remove", "origin"]);
    }
}

#[test]
fn a_branch_or_value_that_is_no_text_is_refused_as_that() {
    let repository = repository();
    let git = |arguments: &[&OsStr]| {
        let done = std::process::Command::new("git")
            .args(arguments)
            .current_dir(repository.root())
            .env_clear()
            .envs(git_environment(repository.outside()))
            .status();
        assert!(done.unwrap().success());
    };
    let name = OsStr::from_bytes(b"caf\xe9");
    // A branch that the name would be if it were read with what stands for unreadable letters.
    repository.git(&["branch", "caf\u{fffd}"]);
    let rules = ReferenceRules { ask_remote: false, ..Default::default() };
    let request = ReferenceRequest::from(rules);
    let mut tested = 0;
    let mut refused = |variables: &[(&str, &OsStr)], from: &str| {
        let environment = environment(&repository, variables);
        let opened = Repository::discover(repository.root(), &environment).unwrap();
        let error = resolve(&opened, &environment, &request).reference.unwrap_err();
        assert_eq!(error.code(), "invalid_name", "{error}");
        assert_eq!(error.to_string(), format!("{from}: `caf\\xe9` is not UTF-8"));
        tested += 1;
    };
    refused(&[("GIT_BRANCH", name)], "GIT_BRANCH");
    refused(&[("BUILD_TAG", name)], "BUILD_TAG");
    git(&["checkout".as_ref(), "-q".as_ref(), "-b".as_ref(), name]);
    refused(&[], "HEAD");
    assert_eq!(tested, 3);
    repository.git(&["checkout", "-q", "--detach"]);
    let variables: [(&str, &OsStr); 3] = [
        ("GITHUB_ACTIONS", "true".as_ref()),
        ("GITHUB_REF_TYPE", "branch".as_ref()),
        ("GITHUB_REF_NAME", name),
    ];
    let environment = environment(&repository, &variables);
    let error = resolve(&repository.open(), &environment, &request).reference.unwrap_err();
    assert_eq!(
        error.to_string(),
        "GitHub Actions: a variable that names the branch or tag is not UTF-8"
    );
}

#[test]
fn an_empty_address_forgets_those_before_it() {
    let repository = repository();
    for url in ["https://example.com/old.git", "", "https://example.com/new.git"] {
        repository.git(&["config", "--add", "remote.origin.url", url]);
    }
    let url = |variables: &[(&str, &str)]| {
        let opened = repository.open_in(repository.root(), variables).unwrap();
        opened.remote(None).unwrap().map(|remote| remote.url.to_string())
    };
    assert_eq!(url(&[]).as_deref(), Some("https://example.com/new.git"));
    let forgotten = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "remote.origin.url"),
        ("GIT_CONFIG_VALUE_0", ""),
    ];
    assert_eq!(url(&forgotten), None);
    let replaced = [(
        "GIT_CONFIG_PARAMETERS",
        "'remote.origin.url'='' 'remote.origin.url'='https://example.com/third.git'",
    )];
    assert_eq!(url(&replaced).as_deref(), Some("https://example.com/third.git"));
}

#[test]
fn the_nearest_remote_is_among_the_hints() {
    let repository = repository();
    repository.git(&["remote", "add", "origin", "https://example.com/etl.git"]);
    repository.git(&["remote", "add", "upstream", "https://example.com/up.git"]);
    let hints =
        |name: &str| repository.open().remote(Some(&name.parse().unwrap())).unwrap_err().hints();
    assert_eq!(hints("orign"), ["flowreg … --remote origin", "git remote add orign URL"]);
    assert_eq!(hints("Upstream")[0], "flowreg … --remote upstream");
    assert_eq!(hints("elsewhere"), ["git remote add elsewhere URL"]);
}
