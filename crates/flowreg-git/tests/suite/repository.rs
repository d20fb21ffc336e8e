//! A real git repository in a temporary directory, isolated from the user's configuration.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flowreg_git::{GitError, Repository};
use flowreg_model::{CommitId, Environment};
use tempfile::TempDir;

/// The variable that says how the repositories of a run keep their refs: as `files`, if it is not set, or
/// as `reftable`.
pub(crate) const REF_FORMAT: &str = "FLOWREG_TEST_REF_FORMAT";

/// The environment of every git process and of flowreg in tests: nothing of the machine's
/// configuration, fixed author and dates.
pub(crate) fn git_environment(home: &Path) -> Vec<(String, String)> {
    let path = std::env::var("PATH").unwrap_or_default();
    let ref_format = std::env::var(REF_FORMAT).unwrap_or("files".to_owned());
    [
        ("PATH", path.as_str()),
        ("HOME", home.to_str().unwrap()),
        ("TMPDIR", home.to_str().unwrap()),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_CONFIG_SYSTEM", "/dev/null"),
        ("GIT_AUTHOR_NAME", "Ada"),
        ("GIT_AUTHOR_EMAIL", "ada@example.com"),
        ("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z"),
        ("GIT_COMMITTER_NAME", "Ada"),
        ("GIT_COMMITTER_EMAIL", "ada@example.com"),
        ("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z"),
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_DEFAULT_REF_FORMAT", ref_format.as_str()),
        ("LC_ALL", "C"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect()
}

/// A repository, its work tree and a directory beside it for remotes and clones.
pub(crate) struct TestRepository {
    directory: TempDir,
    root: PathBuf,
}

impl TestRepository {
    /// An empty repository whose HEAD is the unborn branch `main`.
    pub(crate) fn empty() -> Self {
        Self::init(&["-b", "main"])
    }

    /// `git init` with these arguments.
    pub(crate) fn init(arguments: &[&str]) -> Self {
        let directory = TempDir::with_prefix("flowreg-test-").unwrap();
        let root = directory.path().join("work");
        std::fs::create_dir(&root).unwrap();
        let repository = Self { directory, root };
        repository.git(&[&["init", "-q"], arguments].concat());
        repository
    }

    /// The work tree.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// The temporary directory that holds the work tree; home of the git processes.
    pub(crate) fn outside(&self) -> &Path {
        self.directory.path()
    }

    /// Runs git in the work tree and returns its standard output, trimmed.
    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        self.git_in(&self.root, arguments)
    }

    /// Runs git in another directory.
    pub(crate) fn git_in(&self, directory: &Path, arguments: &[&str]) -> String {
        let output = self.try_git(directory, arguments);
        assert!(
            output.status.success(),
            "git {arguments:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Runs git and returns whatever came of it.
    pub(crate) fn try_git(&self, directory: &Path, arguments: &[&str]) -> Output {
        Command::new("git")
            .args(arguments)
            .current_dir(directory)
            .env_clear()
            .envs(git_environment(self.outside()))
            .output()
            .unwrap()
    }

    /// Writes a file below the work tree, making its directories.
    pub(crate) fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }

    /// Makes a symbolic link below the work tree, with the directories above it.
    pub(crate) fn link(&self, path: &str, target: &str) {
        let path = self.root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(target, path).unwrap();
    }

    /// Commits everything in the work tree and returns the commit's id.
    pub(crate) fn commit(&self, message: &str) -> String {
        self.git(&["add", "-A"]);
        self.git(&["commit", "-q", "--allow-empty", "-m", message]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Creates a bare repository beside the work tree, adds it as a remote and returns its path.
    pub(crate) fn add_bare_remote(&self, name: &str) -> PathBuf {
        let path = self.outside().join(format!("{name}.git"));
        let format = self.git(&["rev-parse", "--show-object-format"]);
        let format = format!("--object-format={format}");
        self.git(&["init", "-q", "--bare", "-b", "main", &format, path.to_str().unwrap()]);
        self.git(&["remote", "add", name, path.to_str().unwrap()]);
        path
    }

    /// The environment of a run in this repository, with these variables on top.
    pub(crate) fn environment(&self, variables: &[(&str, &str)]) -> Environment {
        let more = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        git_environment(self.outside()).into_iter().chain(more).collect()
    }

    /// Opens the repository as a run does.
    pub(crate) fn open(&self) -> Repository {
        self.open_in(&self.root, &[]).unwrap()
    }

    /// Opens the repository that another directory belongs to.
    pub(crate) fn open_in(
        &self,
        directory: &Path,
        variables: &[(&str, &str)],
    ) -> Result<Repository, GitError> {
        Repository::discover(directory, &self.environment(variables))
    }

    /// The commit that a revision names.
    pub(crate) fn commit_id(&self, revision: &str) -> CommitId {
        self.git(&["rev-parse", &format!("{revision}^{{commit}}")]).parse().unwrap()
    }

    /// A clone of a remote beside the work tree, made with these arguments.
    pub(crate) fn clone_beside(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let path = self.outside().join(name);
        let clone = [&["clone", "-q"], arguments, &[path.to_str().unwrap()]].concat();
        self.git_in(self.outside(), &clone);
        path
    }
}

/// Runs tests of this program again, in repositories that keep their refs as reftable.
pub(crate) fn hold_with_reftable(modules: &[&str]) {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(modules)
        .args(["--skip", "with_reftable"])
        .env(REF_FORMAT, "reftable")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stdout));
}
