//! Proof on real remotes: a bare repository by path and one behind `git daemon`.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flowreg_git::{
    Pin, ReferenceError, ReferenceRequest, ReferenceRules, Repository, Resolution, RungOutcome,
    Untagged, resolve,
};
use flowreg_model::{Channel, CodeReference};

use crate::repository::TestRepository;

/// `main` and `feature/x`, both pushed to the bare repository `origin`; on `feature/x`.
fn pushed() -> (TestRepository, PathBuf) {
    let repository = TestRepository::empty();
    repository.write("flows/etl.py", "def etl(): ...\n");
    repository.commit("first");
    let remote = repository.add_bare_remote("origin");
    repository.git(&["checkout", "-q", "-b", "feature/x"]);
    repository.commit("second");
    repository.git(&["push", "-q", "origin", "main", "feature/x"]);
    (repository, remote)
}

fn resolution(
    repository: &TestRepository,
    variables: &[(&str, &str)],
    request: &ReferenceRequest,
) -> Resolution {
    let opened = repository.open_in(repository.root(), variables).unwrap();
    resolve(&opened, &repository.environment(variables), request)
}

fn proved(repository: &TestRepository, variables: &[(&str, &str)]) -> CodeReference {
    let reference =
        resolution(repository, variables, &ReferenceRequest::default()).reference.unwrap();
    assert!(reference.proved);
    reference
}

fn refused(repository: &TestRepository, variables: &[(&str, &str)]) -> ReferenceError {
    resolution(repository, variables, &ReferenceRequest::default()).reference.unwrap_err()
}

/// Commits to a branch of the remote from somewhere else.
fn somebody_pushes(repository: &TestRepository, remote: &Path, branch: &str) -> String {
    let clone =
        repository.clone_beside("somebody", &["--branch", branch, remote.to_str().unwrap()]);
    repository.git_in(&clone, &["commit", "-q", "--allow-empty", "-m", "theirs"]);
    repository.git_in(&clone, &["push", "-q", "origin", "HEAD"]);
    repository.git_in(&clone, &["rev-parse", "HEAD"])
}

/// Does what a hint says.
fn type_in(repository: &TestRepository, directory: &Path, hint: &str) {
    let arguments: Vec<_> = hint.strip_prefix("git ").unwrap().split(' ').collect();
    repository.git_in(directory, &arguments);
}

#[test]
fn a_branch_that_is_on_the_remote_is_proved() {
    let (repository, _) = pushed();
    let resolution = resolution(&repository, &[], &ReferenceRequest::default());
    assert!(resolution.notices.is_empty(), "{:?}", resolution.notices);
    let reference = resolution.reference.unwrap();
    assert!(reference.proved);
    assert_eq!(reference.remote.unwrap().as_str(), "origin");
    assert_eq!(reference.commit, repository.commit_id("HEAD"));
}

#[test]
fn a_branch_that_is_not_on_the_remote_is_refused_with_the_push_to_type() {
    let (repository, _) = pushed();
    repository.git(&["checkout", "-q", "-b", "feature/new"]);
    let resolution = resolution(&repository, &[], &ReferenceRequest::default());
    assert_eq!(resolution.ladder[4].outcome, RungOutcome::Refused);
    let error = resolution.reference.unwrap_err();
    assert_eq!(error.code(), "remote_missing_branch");
    assert_eq!(error.hints(), ["git push -u origin feature/new"]);
    assert!(!error.is_guard());
}

#[test]
fn of_unpushed_commits_nothing_is_registered() {
    let (repository, _) = pushed();
    let there = repository.commit_id("HEAD");
    repository.commit("unpushed");
    let resolution = resolution(&repository, &[], &ReferenceRequest::default());
    assert_eq!(resolution.reference.unwrap().commit, there);
    let short = there.short();
    let notice =
        format!("feature/x is 1 commit ahead of origin; what origin has ({short}) is registered");
    assert_eq!(resolution.notices, [notice]);
}

#[test]
fn a_branch_that_is_behind_is_read_from_the_remotes_commit() {
    let (repository, _) = pushed();
    let there = repository.commit_id("HEAD");
    repository.git(&["reset", "-q", "--hard", "HEAD^"]);
    let behind = resolution(&repository, &[], &ReferenceRequest::default());
    assert_eq!(behind.reference.unwrap().commit, there);
    let registered = format!("what origin has ({}) is registered", there.short());
    assert_eq!(behind.notices, [format!("feature/x is 1 commit behind origin; {registered}")]);
    repository.commit("another");
    let diverged = resolution(&repository, &[], &ReferenceRequest::default());
    assert_eq!(diverged.reference.unwrap().commit, there);
    assert_eq!(diverged.notices, [format!("feature/x has diverged from origin; {registered}")]);
}

#[test]
fn a_commit_of_the_remote_that_is_not_here_is_refused_with_the_fetch_to_type() {
    let (repository, remote) = pushed();
    let theirs = somebody_pushes(&repository, &remote, "feature/x");
    let error = refused(&repository, &[]);
    assert_eq!(error.code(), "remote_differs");
    assert!(error.to_string().contains(&theirs), "{error}");
    let hints = error.hints();
    assert_eq!(hints, ["git fetch origin +refs/heads/feature/x:refs/remotes/origin/feature/x"]);
    type_in(&repository, repository.root(), &hints[0]);
    assert_eq!(proved(&repository, &[]).commit.as_str(), theirs, "the hint helps");
}

#[test]
fn a_branch_that_only_the_remote_has_is_enough() {
    let (repository, _) = pushed();
    let commit = repository.commit_id("feature/x");
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["branch", "-q", "-D", "feature/x"]);
    repository.git(&["update-ref", "-d", "refs/remotes/origin/feature/x"]);
    for value in ["feature/x", "origin/feature/x", "refs/heads/feature/x"] {
        let reference = proved(&repository, &[("GIT_BRANCH", value)]);
        assert_eq!((reference.name.as_str(), &reference.commit), ("feature/x", &commit), "{value}");
    }
    let error = refused(&repository, &[("GIT_BRANCH", "origin/gone")]);
    assert_eq!(error.code(), "no_such_branch");
    assert!(error.to_string().contains("not on origin"), "{error}");
}

#[test]
fn tags_are_proved_annotated_or_not() {
    let (repository, _) = pushed();
    repository.git(&["tag", "light"]);
    repository.git(&["tag", "-a", "-m", "one", "annotated"]);
    repository.git(&["tag", "-a", "-m", "two", "nested", "annotated"]);
    repository.git(&["push", "-q", "origin", "--tags"]);
    for tag in ["light", "annotated", "nested"] {
        let reference = proved(&repository, &[("BUILD_TAG", tag)]);
        assert_eq!(reference.commit, repository.commit_id("HEAD"), "{tag}");
    }
    // What `actions/checkout` does: the annotated tag is only a lightweight one here.
    repository.git(&["tag", "-f", "annotated", "HEAD"]);
    assert_eq!(
        proved(&repository, &[("BUILD_TAG", "annotated")]).commit,
        repository.commit_id("HEAD")
    );
}

#[test]
fn a_tag_that_is_not_on_the_remote_is_refused_with_the_push_to_type() {
    let (repository, _) = pushed();
    repository.git(&["tag", "v1"]);
    let error = refused(&repository, &[("BUILD_TAG", "v1")]);
    assert_eq!(error.code(), "remote_missing_tag");
    assert_eq!(error.hints(), ["git push origin refs/tags/v1"]);
    assert_eq!(refused(&repository, &[("BUILD_TAG", "v2")]).code(), "no_such_tag");
}

#[test]
fn a_tag_that_is_elsewhere_on_the_remote_is_refused_with_both_ids() {
    let (repository, _) = pushed();
    for annotated in [false, true] {
        let tag = if annotated { "v2" } else { "v1" };
        let arguments =
            if annotated { vec!["tag", "-a", "-m", "x", tag] } else { vec!["tag", tag] };
        repository.git(&arguments);
        repository.git(&["push", "-q", "origin", tag]);
        repository.git(&["tag", "-f", tag, "main"]);
        let error = refused(&repository, &[("BUILD_TAG", tag)]);
        assert_eq!(error.code(), "moved_tag");
        for revision in ["main", "feature/x"] {
            assert!(error.to_string().contains(repository.commit_id(revision).as_str()), "{error}");
        }
    }
}

#[test]
fn a_tag_that_only_the_remote_has_needs_its_commit_here() {
    let (repository, remote) = pushed();
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.git(&["push", "-q", "origin", "v1"]);
    repository.git(&["tag", "-d", "v1"]);
    let reference = proved(&repository, &[("BUILD_TAG", "v1")]);
    assert_eq!(reference.commit, repository.commit_id("HEAD"));
    let theirs = somebody_pushes(&repository, &remote, "feature/x");
    repository.git_in(&remote, &["tag", "v2", &theirs]);
    let error = refused(&repository, &[("BUILD_TAG", "v2")]);
    assert_eq!(error.code(), "tag_not_fetched");
    assert_eq!(error.hints(), ["git fetch origin tag v2"]);
    repository.git(&["fetch", "-q", "origin", "tag", "v2"]);
    assert_eq!(proved(&repository, &[("BUILD_TAG", "v2")]).commit.as_str(), theirs);
}

#[test]
fn a_tag_of_a_tree_on_the_remote_is_no_commit() {
    let (repository, remote) = pushed();
    repository.git_in(&remote, &["tag", "tree", "main^{tree}"]);
    repository.git_in(&remote, &["tag", "-a", "-m", "x", "annotated-tree", "main^{tree}"]);
    for tag in ["tree", "annotated-tree"] {
        assert_eq!(refused(&repository, &[("BUILD_TAG", tag)]).code(), "not_a_commit", "{tag}");
    }
}

#[test]
fn sha256_ids_are_proved_as_well() {
    let repository = TestRepository::init(&["-b", "feature/x", "--object-format=sha256"]);
    repository.commit("first");
    repository.git(&["tag", "-a", "-m", "one", "v1"]);
    repository.add_bare_remote("origin");
    repository.git(&["push", "-q", "origin", "feature/x", "v1"]);
    for variables in [&[][..], &[("BUILD_TAG", "v1")]] {
        assert_eq!(proved(&repository, variables).commit, repository.commit_id("HEAD"));
    }
}

#[test]
fn a_tag_and_a_branch_of_one_name_on_the_remote_are_refused_in_both_directions() {
    let (repository, remote) = pushed();
    repository.git(&["tag", "twin"]);
    repository.git(&["push", "-q", "origin", "refs/tags/twin"]);
    repository.git_in(&remote, &["branch", "twin", "main"]);
    repository.git(&["fetch", "-q", "origin"]);
    for variable in ["BUILD_TAG", "GIT_BRANCH"] {
        let error = refused(&repository, &[(variable, "twin")]);
        assert_eq!(error.code(), "ambiguous_name", "{variable}");
        assert!(error.to_string().contains("on origin"), "{error}");
    }
    let pinned = ReferenceRequest::from(ReferenceRules { pin: Pin::Commit, ..Default::default() });
    let reference = resolution(&repository, &[("BUILD_TAG", "twin")], &pinned).reference.unwrap();
    assert_eq!(reference.commit, repository.commit_id("feature/x"));
    // What is proposed can be typed where the branch was never fetched, and renames it there.
    repository.git(&["update-ref", "-d", "refs/remotes/origin/twin"]);
    let hints = refused(&repository, &[("BUILD_TAG", "twin")]).hints();
    for command in hints[0].split(" && ") {
        type_in(&repository, repository.root(), command);
    }
    let branches = repository.git_in(&remote, &["branch", "--format=%(refname:short)"]);
    assert_eq!(branches, "NEW_NAME\nfeature/x\nmain");
    assert_eq!(proved(&repository, &[("BUILD_TAG", "twin")]).name.full(), "refs/tags/twin");
}

#[test]
fn mainline_is_pinned_at_a_tag_that_the_remote_has() {
    let (repository, _) = pushed();
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["tag", "-a", "-m", "two", "v1.1.0"]);
    repository.git(&["push", "-q", "origin", "v1.0.0"]);
    assert_eq!(proved(&repository, &[]).name.as_str(), "v1.0.0", "v1.1.0 was not pushed");
    repository.git(&["push", "-q", "origin", "v1.1.0"]);
    let reference = proved(&repository, &[]);
    assert_eq!((reference.name.as_str(), reference.channel), ("v1.1.0", Channel::Mainline));
}

#[test]
fn mainline_is_not_pinned_at_a_tag_that_is_elsewhere_here() {
    let (repository, _) = pushed();
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["tag", "v1.0.0"]);
    repository.git(&["push", "-q", "origin", "v1.0.0"]);
    repository.git(&["tag", "-f", "v1.0.0", "feature/x"]);
    assert_eq!(refused(&repository, &[]).code(), "moved_tag");
}

#[test]
fn a_tag_that_is_not_pushed_leaves_mainline_untagged() {
    let (repository, _) = pushed();
    repository.git(&["checkout", "-q", "main"]);
    repository.git(&["tag", "v1.0.0"]);
    let error = refused(&repository, &[]);
    assert_eq!(error.code(), "untagged");
    assert!(error.is_guard());
    assert_eq!(error.hints()[0], "git push origin v1.0.0");
    let request =
        ReferenceRequest::from(ReferenceRules { untagged: Untagged::Branch, ..Default::default() });
    let reference = resolution(&repository, &[], &request).reference.unwrap();
    assert_eq!((reference.name.full().as_str(), reference.proved), ("refs/heads/main", true));
}

#[test]
fn a_shallow_clone_without_tags_asks_the_remote_for_them() {
    let (repository, remote) = pushed();
    repository.git(&["tag", "-a", "-m", "one", "v1.0.0", "main"]);
    repository.git(&["push", "-q", "origin", "v1.0.0"]);
    let url = format!("file://{}", remote.display());
    let shallow =
        repository.clone_beside("shallow", &["--depth=1", "--no-tags", "--branch=main", &url]);
    assert_eq!(repository.git_in(&shallow, &["tag"]), "");
    let opened = repository.open_in(&shallow, &[]).unwrap();
    let asked = |variables: &[(&str, &str)]| {
        let environment = repository.environment(variables);
        resolve(&opened, &environment, &ReferenceRequest::default()).reference
    };
    assert_eq!(asked(&[]).unwrap().name.as_str(), "v1.0.0");
    assert_eq!(asked(&[("BUILD_TAG", "v1.0.0")]).unwrap().commit, repository.commit_id("main"));
    // Of the other branch not even the commit is here.
    assert_eq!(asked(&[("GIT_BRANCH", "feature/x")]).unwrap_err().code(), "remote_differs");
    let offline =
        ReferenceRequest::from(ReferenceRules { ask_remote: false, ..Default::default() });
    let offline = resolve(&opened, &repository.environment(&[]), &offline).reference;
    assert_eq!(offline.unwrap_err().code(), "untagged");
}

#[test]
fn in_a_clone_of_one_branch_the_fetch_to_type_brings_another() {
    let (repository, remote) = pushed();
    // A clone by path would take all objects.
    let url = format!("file://{}", remote.display());
    let clone = repository.clone_beside("single", &["--single-branch", "--branch=main", &url]);
    let opened = repository.open_in(&clone, &[]).unwrap();
    let asked = |ask_remote| {
        let environment = repository.environment(&[("GIT_BRANCH", "feature/x")]);
        let request = ReferenceRequest::from(ReferenceRules { ask_remote, ..Default::default() });
        resolve(&opened, &environment, &request).reference
    };
    for (ask_remote, code) in [(false, "no_such_branch"), (true, "remote_differs")] {
        let error = asked(ask_remote).unwrap_err();
        assert_eq!(error.code(), code);
        let refspec = "+refs/heads/feature/x:refs/remotes/origin/feature/x";
        assert_eq!(error.hints(), [format!("git fetch origin {refspec}")]);
    }
    let hint = asked(false).unwrap_err().hints().swap_remove(0);
    type_in(&repository, &clone, &hint);
    for ask_remote in [false, true] {
        assert_eq!(asked(ask_remote).unwrap().commit, repository.commit_id("feature/x"));
    }
}

#[test]
fn the_tag_to_type_for_untagged_mainline_is_free_on_the_remote_too() {
    let (repository, remote) = pushed();
    repository.git(&["checkout", "-q", "main"]);
    let proposed = || refused(&repository, &[]).hints().swap_remove(0);
    // A later version of the line has the commit.
    repository.git_in(&remote, &["tag", "v2.4.0", "feature/x"]);
    assert_eq!(proposed(), "released in v2.4.0 already: flowreg … --tag v2.4.0");
    repository.git_in(&remote, &["tag", "-d", "v2.4.0"]);
    repository.git_in(&remote, &["tag", "v2.3.4", "main"]);
    repository.commit("third");
    repository.git(&["push", "-q", "origin", "main"]);
    assert!(proposed().ends_with("&& git push origin v2.3.5"), "{}", proposed());
    repository.git_in(&remote, &["tag", "v2.3.5", "feature/x"]);
    assert_eq!(proposed(), "flowreg tag …");
}

#[test]
fn a_build_of_a_pull_request_is_the_source_branch_at_the_remote() {
    let (repository, _) = pushed();
    let feature = repository.commit_id("feature/x");
    repository.git(&["checkout", "-q", "--detach", "main"]);
    repository.git(&["merge", "-q", "--no-ff", "-m", "merge", "feature/x"]);
    repository.git(&["update-ref", "-d", "refs/remotes/origin/feature/x"]);
    repository.git(&["branch", "-q", "-D", "feature/x"]);
    let github = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_REF", "refs/pull/7/merge"),
        ("GITHUB_HEAD_REF", "feature/x"),
    ];
    let reference = proved(&repository, &github);
    assert_eq!((reference.name.as_str(), reference.commit), ("feature/x", feature));
}

#[test]
fn a_build_of_an_older_commit_is_read_from_the_branch() {
    let (repository, _) = pushed();
    let newest = repository.commit_id("feature/x");
    repository.git(&["checkout", "-q", "--detach", "feature/x^"]);
    let buildkite = [("BUILDKITE", "true"), ("BUILDKITE_BRANCH", "feature/x")];
    assert_eq!(proved(&repository, &buildkite).commit, newest);
}

#[test]
fn without_a_remote_there_is_nothing_to_clone_from() {
    let repository = TestRepository::empty();
    repository.commit("first");
    let error = refused(&repository, &[]);
    assert_eq!(error.code(), "no_remote");
    assert_eq!(error.hints(), ["git remote add origin URL"]);
    repository.git(&["remote", "add", "one", "https://example.com/one"]);
    repository.git(&["remote", "add", "two", "https://example.com/two"]);
    assert_eq!(refused(&repository, &[]).code(), "several_remotes");
    let offline = ReferenceRequest::from(ReferenceRules {
        ask_remote: false,
        untagged: Untagged::Branch,
        ..Default::default()
    });
    let reference = resolution(&repository, &[], &offline).reference.unwrap();
    assert_eq!(reference.remote, None);
}

#[test]
fn a_remote_that_is_gone_is_unreachable_and_its_address_shows_no_token() {
    let (repository, remote) = pushed();
    std::fs::remove_dir_all(&remote).unwrap();
    let resolution = resolution(&repository, &[], &ReferenceRequest::default());
    assert_eq!(resolution.ladder[4].outcome, RungOutcome::Taken, "the rung itself was right");
    assert_eq!(resolution.reference.unwrap_err().code(), "remote_unreachable");
    let port = free_port();
    let url = format!("http://ada:glpat-secret@127.0.0.1:{port}/flows?private_token=glpat-other");
    repository.git(&["remote", "set-url", "origin", &url]);
    let error = refused(&repository, &[]);
    assert_eq!(error.code(), "remote_unreachable");
    assert!(error.to_string().contains("127.0.0.1"), "{error}");
    assert!(!format!("{error:?} {:?}", error.hints()).contains("glpat"), "{error:?}");
}

#[test]
fn a_remote_that_never_answers_is_given_up() {
    let (repository, _) = pushed();
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/flows.git", silent.local_addr().unwrap());
    repository.git(&["remote", "set-url", "origin", &url]);
    let opened = repository.open().with_time_limit(Duration::from_millis(300));
    let started = Instant::now();
    let resolution = resolve(&opened, &repository.environment(&[]), &ReferenceRequest::default());
    assert_eq!(resolution.reference.unwrap_err().code(), "remote_unreachable");
    assert!(started.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_name_is_never_taken_for_an_option_of_git() {
    let (repository, _) = pushed();
    let error = refused(&repository, &[("GIT_BRANCH", "--upload-pack=touch hacked")]);
    assert_eq!(error.code(), "invalid_name");
    repository.git(&["config", "remote.--upload-pack=x.url", "https://example.com/x"]);
    assert!(
        repository.open().remotes().iter().all(|remote| !remote.name.as_str().starts_with('-'))
    );
}

#[test]
fn the_proof_works_inside_a_hook() {
    let (repository, _) = pushed();
    let variables = [
        ("GIT_DIR", ".git"),
        ("GIT_INDEX_FILE", "/no/such/index"),
        ("GIT_OBJECT_DIRECTORY", "/no/such/objects"),
    ];
    assert_eq!(proved(&repository, &variables).name.as_str(), "feature/x");
}

#[test]
fn a_bare_repository_proves_on_its_own_remote() {
    let (repository, remote) = pushed();
    let mirror = repository.clone_beside("mirror.git", &["--bare", remote.to_str().unwrap()]);
    let opened = repository.open_in(&mirror, &[("GIT_DIR", ".")]).unwrap();
    let environment = repository.environment(&[("GIT_BRANCH", "feature/x")]);
    let reference = resolve(&opened, &environment, &ReferenceRequest::default()).reference.unwrap();
    assert!(reference.proved);
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// `git daemon` that serves everything below a directory; ends with the test.
struct Daemon {
    process: Child,
    port: u16,
}

impl Daemon {
    fn serve(repository: &TestRepository) -> Self {
        let port = free_port();
        let exec_path = repository.git(&["--exec-path"]);
        let process = Command::new(Path::new(&exec_path).join("git-daemon"))
            .arg(format!("--base-path={}", repository.outside().display()))
            .args(["--export-all", "--reuseaddr", "--listen=127.0.0.1"])
            .arg(format!("--port={port}"))
            .env_clear()
            .env("PATH", std::env::var("PATH").unwrap())
            .env("HOME", repository.outside())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let started = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(started.elapsed() < Duration::from_secs(10), "git daemon doesn't listen");
            std::thread::sleep(Duration::from_millis(10));
        }
        Self { process, port }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn the_proof_is_the_same_over_the_network() {
    let (repository, remote) = pushed();
    let daemon = Daemon::serve(&repository);
    let url = format!("git://127.0.0.1:{}/origin.git", daemon.port);
    repository.git(&["remote", "set-url", "origin", &url]);
    assert_eq!(proved(&repository, &[]).name.as_str(), "feature/x");
    repository.git(&["tag", "-a", "-m", "one", "v1.0.0", "main"]);
    assert_eq!(refused(&repository, &[("BUILD_TAG", "v1.0.0")]).code(), "remote_missing_tag");
    repository.git(&["push", "-q", remote.to_str().unwrap(), "v1.0.0"]);
    assert_eq!(
        proved(&repository, &[("BUILD_TAG", "v1.0.0")]).commit,
        repository.commit_id("main")
    );
    repository.git(&["tag", "-f", "v1.0.0", "feature/x"]);
    assert_eq!(refused(&repository, &[("BUILD_TAG", "v1.0.0")]).code(), "moved_tag");
    repository.commit("unpushed");
    assert_ne!(proved(&repository, &[]).commit, repository.commit_id("HEAD"));
    let elsewhere = Repository::discover(repository.root(), &repository.environment(&[]));
    assert_eq!(elsewhere.unwrap().remote(None).unwrap().unwrap().url.as_str(), url);
    drop(daemon);
    assert_eq!(refused(&repository, &[]).code(), "remote_unreachable");
}
