//! Addresses without credentials, and the remote that they come from.

use std::fs;
use std::path::Path;

use flowreg_git::RepositoryUrl;
use flowreg_model::RemoteName;
use proptest::prelude::*;

use crate::repository::TestRepository;

fn stripped(address: &str) -> String {
    RepositoryUrl::new(address, Path::new("/srv/place")).to_string()
}

#[test]
fn users_and_tokens_are_stripped_from_web_addresses() {
    for (address, expected) in [
        ("https://git.example.com/data/flows.git", "https://git.example.com/data/flows.git"),
        ("https://ada@git.example.com/flows", "https://git.example.com/flows"),
        ("https://gitlab-ci-token:glcbt-64@git.example.com/flows", "https://git.example.com/flows"),
        ("https://:token@git.example.com/flows", "https://git.example.com/flows"),
        ("https://ada:p%40ss@git.example.com:8443/flows", "https://git.example.com:8443/flows"),
        ("https://ada:p@ss@git.example.com/flows", "https://git.example.com/flows"),
        ("https://ada:p/ss@git.example.com/flows", "https://git.example.com/flows"),
        ("https://ada:p?ss@git.example.com/flows", "https://git.example.com/flows"),
        ("HTTPS://token@git.example.com/flows", "HTTPS://git.example.com/flows"),
        ("http://token@[::1]:3000/flows", "http://[::1]:3000/flows"),
        ("https://git.example.com/flows?private_token=glpat-1", "https://git.example.com/flows"),
        ("https://git.example.com/@scope/flows", "https://git.example.com/@scope/flows"),
        ("https://git.example.com:8443/@scope/flows", "https://git.example.com:8443/@scope/flows"),
    ] {
        assert_eq!(stripped(address), expected);
    }
}

#[test]
fn ssh_keeps_its_user_and_loses_a_password() {
    for (address, expected) in [
        ("git@example.com:data/flows.git", "git@example.com:data/flows.git"),
        ("ssh://git@example.com:2222/data/flows.git", "ssh://git@example.com:2222/data/flows.git"),
        ("ssh://git:secret@example.com/flows", "ssh://git@example.com/flows"),
        ("git+ssh://git:secret@example.com/flows", "git+ssh://git@example.com/flows"),
        ("git:secret@example.com:flows", "git@example.com:flows"),
        ("example.com:flows", "example.com:flows"),
        ("git://example.com/flows", "git://example.com/flows"),
        ("codecommit://profile@flows", "codecommit://profile@flows"),
    ] {
        assert_eq!(stripped(address), expected);
    }
}

#[test]
fn local_paths_are_kept_and_made_absolute() {
    for (address, expected) in [
        ("/srv/git/flows.git", "/srv/git/flows.git"),
        ("file:///srv/git/user:pw@flows.git", "file:///srv/git/user:pw@flows.git"),
        ("flows.git", "/srv/place/flows.git"),
        ("./odd:name", "/srv/place/odd:name"),
        ("../flows.git", "/srv/flows.git"),
        ("./a/../../../../flows.git", "/flows.git"),
    ] {
        assert_eq!(stripped(address), expected);
    }
}

proptest! {
    #[test]
    fn no_secret_survives(
        user in "[a-z]{0,8}",
        // Characters that have to be escaped in a password, but often are not.
        secret in "([A-Z0-9%@:!+=._~-]{0,12}|[A-Z%:!+=._~-][A-Z0-9%:/?#!+=._~-]{0,12})Zq9[A-Z0-9%:!+=._~-]{0,12}",
        host in "[a-z]{1,8}\\.example",
        path in "[a-z]{1,8}(/[a-z]{1,8}){0,2}",
    ) {
        for scheme in ["https", "http", "ssh"] {
            let address = stripped(&format!("{scheme}://{user}:{secret}@{host}/{path}"));
            prop_assert!(!address.contains("Zq9"), "{}", address);
            prop_assert!(address.ends_with(&format!("{host}/{path}")), "{}", address);
        }
        let query = stripped(&format!("https://{host}/{path}?token={secret}"));
        prop_assert!(!query.contains("Zq9"), "{}", query);
    }

    #[test]
    fn stripping_twice_changes_nothing(address in "[a-zA-Z0-9:/@?#.%_~+-]{0,40}") {
        let once = stripped(&address);
        prop_assert_eq!(stripped(&once), once);
    }
}

fn repository() -> TestRepository {
    let repository = TestRepository::empty();
    repository.commit("first");
    repository
}

fn name(text: &str) -> RemoteName {
    text.parse().unwrap()
}

#[test]
fn origin_goes_before_other_remotes() {
    let repository = repository();
    assert_eq!(repository.open().remote(None).unwrap(), None);
    repository.git(&["remote", "add", "upstream", "https://u:p@example.com/upstream"]);
    let only = repository.open().remote(None).unwrap().unwrap();
    assert_eq!((only.name, only.url.as_str()), (name("upstream"), "https://example.com/upstream"));
    repository.git(&["remote", "add", "origin", "https://example.com/origin"]);
    assert_eq!(repository.open().remote(None).unwrap().unwrap().name, name("origin"));
    let named = repository.open().remote(Some(&name("upstream"))).unwrap();
    assert_eq!(named.unwrap().name, name("upstream"));
}

#[test]
fn several_remotes_without_origin_are_an_error_that_names_them() {
    let repository = repository();
    repository.git(&["remote", "add", "one", "https://example.com/one"]);
    repository.git(&["remote", "add", "two", "https://example.com/two"]);
    let error = repository.open().remote(None).unwrap_err();
    assert_eq!(error.code(), "several_remotes");
    assert!(error.to_string().contains("one, two"), "{error}");
    let error = repository.open().remote(Some(&name("three"))).unwrap_err();
    assert_eq!(error.code(), "no_such_remote");
    assert!(error.to_string().contains("one, two"), "{error}");
}

#[test]
fn instead_of_in_the_users_configuration_is_applied() {
    let repository = repository();
    let global = repository.outside().join("gitconfig");
    let rules = "[url \"https://token:x@example.com/\"]\n\tinsteadOf = work:\n\
                 [url \"ssh://git@example.com/team/\"]\n\tinsteadOf = work:team/\n\
                 [url \"https://example.com/push/\"]\n\tpushInsteadOf = work:\n";
    fs::write(&global, rules).unwrap();
    repository.git(&["remote", "add", "origin", "work:data/flows"]);
    repository.git(&["remote", "add", "team", "work:team/flows"]);
    let variables = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    let opened = repository.open_in(repository.root(), &variables).unwrap();
    let url = |remote: &str| opened.remote(Some(&name(remote))).unwrap().unwrap().url.to_string();
    assert_eq!(url("origin"), "https://example.com/data/flows");
    assert_eq!(url("team"), "ssh://git@example.com/team/flows", "the longest prefix wins");
    assert_eq!(
        repository.open().remote(None).unwrap().unwrap().url.as_str(),
        "work:data/flows",
        "without that configuration it stays as it is"
    );
}

#[test]
fn a_remote_may_be_defined_in_the_users_configuration() {
    let repository = repository();
    let global = repository.outside().join("gitconfig");
    fs::write(&global, "[remote \"origin\"]\n\turl = https://example.com/global\n").unwrap();
    let variables = [("GIT_CONFIG_GLOBAL", global.to_str().unwrap())];
    let opened = repository.open_in(repository.root(), &variables).unwrap();
    assert_eq!(opened.remote(None).unwrap().unwrap().url.as_str(), "https://example.com/global");
}

#[test]
fn a_relative_address_begins_at_the_work_tree() {
    let repository = repository();
    repository.git(&["remote", "add", "origin", "../origin.git"]);
    let remote = repository.open().remote(None).unwrap().unwrap();
    let expected = repository.outside().canonicalize().unwrap().join("origin.git");
    assert_eq!(Path::new(remote.url.as_str()), expected);
    repository.git(&["remote", "set-url", "origin", "./a/.././../b//./origin.git"]);
    let remote = repository.open().remote(None).unwrap().unwrap();
    let expected = repository.outside().canonicalize().unwrap().join("b/origin.git");
    assert_eq!(Path::new(remote.url.as_str()), expected);
}

#[test]
fn the_parent_of_a_symbolic_link_is_that_of_its_target() {
    let repository = repository();
    let remote = repository.add_bare_remote("origin");
    fs::create_dir(remote.with_file_name("elsewhere")).unwrap();
    std::os::unix::fs::symlink("../elsewhere", repository.root().join("link")).unwrap();
    repository.git(&["remote", "set-url", "origin", "link/../origin.git"]);
    repository.git(&["ls-remote", "origin"]);
    let url = repository.open().remote(None).unwrap().unwrap().url;
    assert_eq!(Path::new(url.as_str()), remote.canonicalize().unwrap());
    // What has no `..` stays as somebody wrote it.
    let link = repository.root().join("link");
    repository.git(&["remote", "set-url", "origin", link.to_str().unwrap()]);
    assert_eq!(Path::new(repository.open().remote(None).unwrap().unwrap().url.as_str()), link);
}

#[test]
fn a_remote_tells_whether_its_address_had_credentials() {
    let repository = repository();
    repository.git(&["remote", "add", "origin", "https://example.com/flows"]);
    for (address, had_credentials) in [
        ("https://example.com/flows", false),
        ("https://token@example.com/flows", true),
        ("https://ada:pw@example.com/flows", true),
        ("https://example.com/flows?private_token=x", true),
        ("git@example.com:data/flows", false),
        ("ssh://git@example.com/flows", false),
        ("ssh://git:pw@example.com/flows", true),
        ("git:pw@example.com:flows", true),
        ("../flows@v1", false),
        ("file:///srv/flows@v1", false),
    ] {
        repository.git(&["remote", "set-url", "origin", address]);
        let remote = repository.open().remote(None).unwrap().unwrap();
        assert_eq!(remote.had_credentials, had_credentials, "{address}");
    }
    // They may also come from `insteadOf`, as CI providers set it up.
    repository.git(&["config", "url.https://token@example.com/.insteadOf", "work:"]);
    repository.git(&["remote", "set-url", "origin", "work:flows"]);
    assert!(repository.open().remote(None).unwrap().unwrap().had_credentials);
}
