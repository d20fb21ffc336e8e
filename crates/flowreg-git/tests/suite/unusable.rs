//! What is no repository although something says so, and repositories that git would not use: said as what they
//! are, and never with `git init`, which would make another one than the one that got lost.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use flowreg_git::GitError;

use crate::repository::TestRepository;

fn refused(repository: &TestRepository, directory: &Path, variables: &[(&str, &str)]) -> GitError {
    match repository.open_in(directory, variables) {
        Ok(_) => panic!("{} with {variables:?} was opened", directory.display()),
        Err(error) => error,
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A directory outside the repository.
fn outside(repository: &TestRepository, name: &str) -> std::path::PathBuf {
    let path = repository.outside().join(name);
    fs::create_dir(&path).unwrap();
    path.canonicalize().unwrap()
}

#[test]
fn a_git_directory_that_is_named_and_leads_nowhere_is_said_with_its_variable() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let root = repository.root().canonicalize().unwrap();
    let place = outside(&repository, "place");
    symlink("/nope/git", place.join("link")).unwrap();
    fs::write(place.join("file"), "gitdir: /nope/modules/x\n").unwrap();
    fs::write(place.join("other"), "x\n").unwrap();
    let in_place = |name: &str| text(&place.join(name)).to_owned();
    for (value, problem) in [
        ("/nope".to_owned(), "does not exist"),
        (in_place("link"), "is a symbolic link to /nope/git, which leads nowhere"),
        (in_place("file"), "names /nope/modules/x, which is no repository"),
        (in_place("other"), "is no git directory"),
        (text(&place).to_owned(), "is no git directory"),
    ] {
        let error = refused(&repository, &root, &[("GIT_DIR", &value)]);
        assert_eq!(error.to_string(), format!("GIT_DIR is `{value}`, which {problem}"));
        assert_eq!(
            (error.code(), error.hints()),
            ("git_variable", vec!["unset GIT_DIR".to_owned()])
        );
    }
    // The work tree instead of what is in it.
    let error = refused(&repository, &place, &[("GIT_DIR", text(&root))]);
    let meant = format!("GIT_DIR={}/.git flowreg …", root.display());
    assert_eq!(error.hints(), [meant, "unset GIT_DIR".to_owned()]);
    let meant = root.join(".git");
    assert!(repository.open_in(&place, &[("GIT_DIR", text(&meant))]).is_ok());
    for (value, problem) in [("/nope", "does not exist"), ("file", "is no directory")] {
        fs::write(root.join("file"), "").unwrap();
        let error = refused(&repository, &root, &[("GIT_WORK_TREE", value)]);
        let path = root.join(value);
        assert_eq!(
            error.to_string(),
            format!("GIT_WORK_TREE is `{}`, which {problem}", path.display())
        );
        assert_eq!(error.hints(), ["unset GIT_WORK_TREE"]);
    }
}

#[test]
fn a_dot_git_that_is_no_repository_is_said_where_none_is_above_it() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let link = "ln -sfn <the repository's git directory> ";
    for (name, leads_to, problem) in [
        ("dangling", Some("/nope/git"), "is a symbolic link to /nope/git, which leads nowhere"),
        ("circle", Some(".git"), "is a symbolic link to .git, which leads nowhere"),
        ("elsewhere", Some("/"), "is a symbolic link to /, which is no git directory"),
        ("incomplete", None, "is no git directory"),
    ] {
        let make = |directory: &Path| match leads_to {
            Some(leads_to) => symlink(leads_to, directory.join(".git")).unwrap(),
            None => fs::create_dir(directory.join(".git")).unwrap(),
        };
        let place = outside(&repository, name);
        fs::create_dir(place.join("below")).unwrap();
        make(&place);
        for directory in [&place, &place.join("below")] {
            let error = refused(&repository, directory, &[]);
            let dot_git = place.join(".git");
            assert_eq!(error.to_string(), format!("{} {problem}", dot_git.display()), "{name}");
            assert_eq!(error.code(), "unusable_dot_git");
            let hints = match leads_to {
                Some(_) => vec![format!("{link}{}", dot_git.display())],
                None => vec![format!("ls -la {}", dot_git.display()), "git init".to_owned()],
            };
            assert_eq!(error.hints(), hints, "{name}");
        }
        // git goes on upwards from there.
        let inside = repository.root().join(name);
        fs::create_dir(&inside).unwrap();
        make(&inside);
        let found = repository.git_in(&inside, &["rev-parse", "--git-dir"]);
        let opened = repository.open_in(&inside, &[]).unwrap();
        assert_eq!(opened.git_dir(), Path::new(&found), "{name}");
    }
}

#[test]
fn a_bare_repository_is_used_where_git_uses_it() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let bare = repository.add_bare_remote("origin").canonicalize().unwrap();
    let explicit = [
        ("GIT_CONFIG_COUNT", "1"),
        ("GIT_CONFIG_KEY_0", "safe.bareRepository"),
        ("GIT_CONFIG_VALUE_0", "explicit"),
    ];
    let global = repository.outside().join("gitconfig");
    fs::write(&global, "[safe]\n\tbareRepository = explicit\n").unwrap();
    let global = [("GIT_CONFIG_GLOBAL", text(&global))];
    for variables in [&explicit[..], &global] {
        for directory in [&bare, &bare.join("refs")] {
            let error = refused(&repository, directory, variables);
            assert_eq!(error.code(), "bare_not_named");
            let told =
                "is a bare repository, and safe.bareRepository allows only those that are named";
            assert_eq!(error.to_string(), format!("{} {told}", bare.display()));
            let hints = [
                format!("GIT_DIR={} flowreg …", bare.display()),
                "git config --global safe.bareRepository all".to_owned(),
            ];
            assert_eq!(error.hints(), hints);
        }
        // Named, or no bare one: in the git directory of a work tree.
        let named = [variables, &[("GIT_DIR", text(&bare))]].concat();
        assert!(repository.open_in(&bare, &named).is_ok());
        for place in [".", ".git", ".git/refs"] {
            assert!(
                repository.open_in(&repository.root().join(place), variables).is_ok(),
                "{place}"
            );
        }
    }
    assert!(repository.open_in(&bare, &[]).is_ok());
    // Only what the user says counts, and not what the repository says of itself.
    repository.git_in(&bare, &["config", "safe.bareRepository", "explicit"]);
    assert!(repository.open_in(&bare, &[]).is_ok());
}
