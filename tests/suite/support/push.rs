//! A clone with flowreg's hooks and a remote to push to, on every git of the machine; each push is
//! held against the same push without hooks.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use flowreg::store::Store;
use serde_json::Value;

use super::{Flowreg, REF_FORMAT, TestRepository, git_environment};

/// The pauses before a remote is asked again: the same number as in life, only shorter.
pub(crate) const RECHECKS: &str = "0.1,0.2,0.4";

/// How long anything may take that happens in the background.
const PATIENCE: Duration = Duration::from_secs(60);

/// The directories of `PATH` with different gits, the one that is used by default first. Where refs are
/// kept as reftable, those before 2.45 are left out: they know nothing else than files.
pub(crate) fn gits() -> Vec<PathBuf> {
    let is_reftable = std::env::var(REF_FORMAT).is_ok_and(|format| format == "reftable");
    let path = std::env::var("PATH").unwrap_or_default();
    let mut found: Vec<(Vec<u8>, PathBuf)> = Vec::new();
    for directory in std::env::split_paths(&path) {
        let Ok(output) = Command::new(directory.join("git")).arg("version").output() else {
            continue;
        };
        let init = Command::new(directory.join("git")).args(["init", "-h"]).output().unwrap();
        if is_reftable && !String::from_utf8_lossy(&init.stdout).contains("--ref-format") {
            continue;
        }
        if found.iter().all(|(version, _)| *version != output.stdout) {
            found.push((output.stdout, directory));
        }
    }
    assert!(!found.is_empty(), "there is no git");
    found.into_iter().map(|(_, directory)| directory).collect()
}

/// Runs a test on every git.
pub(crate) fn on_every_git(test: impl Fn(&Path)) {
    for git in gits() {
        test(&git);
    }
}

/// A bare `up.git`, and a clone with one flow on `main` and the hooks installed.
pub(crate) struct Scenario {
    pub repository: TestRepository,
    git: PathBuf,
    variables: Vec<(String, String)>,
    copies_remote: bool,
}

/// What came of a push.
#[derive(Debug)]
pub(crate) struct Pushed {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// A copy of a directory in which the watcher of an earlier push may still be at work. What it
/// renames between the listing and the copying makes `cp` fail, so it is copied again then.
fn copy_of(directory: &Path) -> tempfile::TempDir {
    for _ in 0..20 {
        let copy = tempfile::TempDir::with_prefix("flowreg-twin-").unwrap();
        let done = Command::new("cp").arg("-a").arg(directory.join(".")).arg(copy.path()).output();
        if done.unwrap().status.success() {
            return copy;
        }
    }
    panic!("{} can't be copied", directory.display());
}

impl Pushed {
    fn of(output: &Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

impl Scenario {
    pub(crate) fn new(git: &Path) -> Self {
        Self::with(git, &["-b", "main"])
    }

    /// The same with other arguments for both `git init`.
    pub(crate) fn with(git: &Path, init: &[&str]) -> Self {
        let scenario = Self {
            repository: TestRepository::init(init),
            git: git.to_owned(),
            variables: vec![("FLOWREG_RECHECKS".to_owned(), RECHECKS.to_owned())],
            copies_remote: false,
        };
        let format = scenario.git(&["rev-parse", "--show-object-format"]);
        let format = format!("--object-format={format}");
        scenario.git(&["init", "-q", "--bare", "-b", "main", &format, "../up.git"]);
        scenario.git(&["remote", "add", "origin", "../up.git"]);
        scenario.commit("first");
        scenario.git(&["push", "-q", "origin", "main"]);
        scenario.flowreg().json(&["hooks", "install"], 0);
        scenario
    }

    /// With one more variable for git, the hooks and flowreg.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// In a CI build, where nothing watches a push, with the embedded registry on purpose.
    pub(crate) fn in_ci(self) -> Self {
        self.repository.write("flowreg.toml", "target = \"local\"\n");
        self.commit("configuration");
        self.git(&["-c", "core.hooksPath=/dev/null", "push", "-q", "origin", "main"]);
        self.env("CI", "true")
    }

    /// The variables that everything gets.
    pub(crate) fn variables(&self) -> Vec<(String, String)> {
        let mut variables = git_environment(self.repository.outside());
        for (name, value) in &mut variables {
            if name == "PATH" {
                *value = format!("{}:{value}", self.git.display());
            }
        }
        variables.extend(self.variables.clone());
        variables
    }

    /// A git command, not yet started.
    pub(crate) fn git_command(&self, directory: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(self.git.join("git"));
        command
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .envs(self.variables())
            .stdin(Stdio::null());
        command
    }

    /// Runs git in the work tree, which must succeed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_in(self.repository.root(), arguments)
    }

    pub(crate) fn git_in(&self, directory: &Path, arguments: &[&str]) -> String {
        let output = self.git_command(directory, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "git {arguments:?}: {said}");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    pub(crate) fn up(&self) -> PathBuf {
        self.repository.outside().join("up.git")
    }

    pub(crate) fn flowreg(&self) -> Flowreg {
        self.flowreg_in(self.repository.root())
    }

    pub(crate) fn flowreg_in(&self, directory: &Path) -> Flowreg {
        let flowreg = Flowreg::in_directory(directory, self.repository.outside());
        self.variables()
            .into_iter()
            .fold(flowreg, |flowreg, (name, value)| flowreg.env(&name, &value))
    }

    /// Commits the flow with another description, so that every commit has something to register.
    pub(crate) fn commit(&self, description: &str) -> String {
        self.repository.write(
            "flows/etl.py",
            format!(
                "from prefect import flow\n\n\n@flow\ndef etl(n: int = 1):\n    \"\"\"{description}\"\"\"\n"
            ),
        );
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", description]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// A new branch at HEAD with a commit of its own.
    pub(crate) fn branch(&self, name: &str) -> String {
        self.git(&["checkout", "-q", "-b", name]);
        self.commit(name)
    }

    /// Pushes, and asserts that exit code and standard output are those of the same push without
    /// hooks: made before, on a copy of everything.
    pub(crate) fn push(&self, arguments: &[&str]) -> Pushed {
        self.push_in(self.repository.root(), arguments)
    }

    /// The same from another directory below the one that holds everything.
    pub(crate) fn push_in(&self, directory: &Path, arguments: &[&str]) -> Pushed {
        let outside = self.repository.outside();
        let twin = copy_of(outside);
        let there = twin.path().join(directory.strip_prefix(outside).unwrap());
        if self.copies_remote {
            let url = self.git(&["remote", "get-url", "origin"]);
            let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
            let url = url.replace(&name(outside), &name(twin.path()));
            self.git_in(&there, &["remote", "set-url", "origin", &url]);
        }
        let without: Vec<&str> =
            ["-c", "core.hooksPath=/dev/null", "push"].iter().chain(arguments).copied().collect();
        let expected = Pushed::of(&self.git_command(&there, &without).output().unwrap());
        let with: Vec<&str> = ["push"].iter().chain(arguments).copied().collect();
        let pushed = Pushed::of(&self.git_command(directory, &with).output().unwrap());
        assert_eq!(pushed.code, expected.code, "{arguments:?}: {pushed:?} {expected:?}");
        let plain =
            |text: &str, root: &Path| text.replace(root.file_name().unwrap().to_str().unwrap(), "");
        assert_eq!(
            plain(&pushed.stdout, outside),
            plain(&expected.stdout, twin.path()),
            "{arguments:?}"
        );
        assert_eq!(
            plain(&pushed.stderr, outside),
            plain(&expected.stderr, twin.path()),
            "{arguments:?}"
        );
        pushed
    }

    /// For remotes that are not found by a path beside the work tree: the copy that is pushed
    /// without hooks gets an address of its own.
    pub(crate) fn with_copied_remote(mut self) -> Self {
        self.copies_remote = true;
        self
    }

    /// Where the remote is, from the directory that holds the copy as well.
    pub(crate) fn up_from_temporary(&self) -> String {
        let up = self.up();
        up.strip_prefix(std::env::temp_dir()).unwrap().to_str().unwrap().to_owned()
    }

    /// Pushes without a comparison.
    pub(crate) fn push_only(&self, arguments: &[&str]) -> Pushed {
        let with: Vec<&str> = ["push"].iter().chain(arguments).copied().collect();
        Pushed::of(&self.git_command(self.repository.root(), &with).output().unwrap())
    }

    /// What waits, as `flowreg sync --status` tells it.
    pub(crate) fn status(&self) -> Value {
        self.flowreg().json(&["sync", "--status"], 0)
    }

    /// Waits until nothing waits any more.
    pub(crate) fn settled(&self) {
        self.until("something still waits", |status| {
            status["waiting"].as_array().unwrap().is_empty()
        });
    }

    /// Waits until whatever could be done was done, and returns what is left.
    pub(crate) fn left(&self) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let status = self.status();
            let waiting = status["waiting"].as_array().unwrap().clone();
            let is_seen = |item: &Value| item["reason"] != "not looked at yet";
            if status["watched"] == false && waiting.iter().all(is_seen) {
                return waiting;
            }
            assert!(started.elapsed() < PATIENCE, "{status:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until no watcher is at work.
    pub(crate) fn unwatched(&self) {
        self.until("a watcher is at work", |status| status["watched"] == false);
    }

    fn until(&self, what: &str, is_so: impl Fn(&Value) -> bool) {
        let started = Instant::now();
        loop {
            let status = self.status();
            if is_so(&status) {
                return;
            }
            assert!(started.elapsed() < PATIENCE, "{what}: {status:#}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Everything that was ever written into the embedded registry: ref and commit.
    pub(crate) fn registered(&self) -> Vec<(String, String)> {
        let common = self.git(&["rev-parse", "--path-format=absolute", "--git-common-dir"]);
        registered_in(Path::new(&common))
    }

    /// Asserts what was registered since the beginning.
    pub(crate) fn assert_registered(&self, expected: &[(&str, &str)]) {
        let expected: Vec<(String, String)> = expected
            .iter()
            .map(|(name, commit)| ((*name).to_owned(), (*commit).to_owned()))
            .collect();
        let log = self.repository.root().join(".git/flowreg/outbox/log");
        let log = std::fs::read_to_string(log).unwrap_or_default();
        assert_eq!(self.registered(), expected, "{log}");
    }

    /// Makes a hook of the remote.
    pub(crate) fn server_hook(&self, name: &str, script: &str) {
        write_script(&self.up().join("hooks").join(name), script);
    }
}

/// What was written into the embedded registry of a repository.
pub(crate) fn registered_in(common: &Path) -> Vec<(String, String)> {
    let ledger = Store::open(common).unwrap().ledger().unwrap();
    ledger.into_iter().map(|entry| (entry.reference, entry.commit)).collect()
}

/// Writes an executable file.
pub(crate) fn write_script(path: &Path, script: &str) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, script).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}
