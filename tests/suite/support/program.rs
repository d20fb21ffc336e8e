//! Runs the binary as a user would, with nothing of this process' environment.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::{TestRepository, git_environment};

/// One way of running flowreg: where, and with which variables.
pub(crate) struct Flowreg {
    directory: PathBuf,
    environment: Vec<(String, String)>,
}

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Flowreg {
    /// In the work tree of a repository, on the embedded registry.
    pub(crate) fn in_repository(repository: &TestRepository) -> Self {
        Self::in_directory(repository.root(), repository.outside())
    }

    /// In any directory, with `home` as the home directory.
    pub(crate) fn in_directory(directory: &Path, home: &Path) -> Self {
        Self { directory: directory.to_owned(), environment: git_environment(home) }
    }

    /// With one more variable.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The command, not yet started.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowreg"));
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.environment.iter().map(|(name, value)| (name, value)));
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        let output = self.command(arguments).output().unwrap();
        Run {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs it with `--format json` and returns the object, after checking the exit code.
    pub(crate) fn json(&self, arguments: &[&str], code: i32) -> Value {
        let run = self.run(&[arguments, &["--format", "json"]].concat());
        assert_eq!(run.code, code, "{arguments:?}: {run:#?}");
        let object: Value = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {run:#?}"));
        assert_eq!(object["schema"], 1);
        object
    }
}
