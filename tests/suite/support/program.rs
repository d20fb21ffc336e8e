//! Runs the binary as a user would, with nothing of this process' environment.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

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

    /// Starts it.
    pub(crate) fn start(&self, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
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

    /// What a person sees of a run, for a snapshot: standard output, standard error if there is
    /// any, the exit code. What differs between two runs is replaced.
    ///
    /// The last line is always there, as insta takes off what all lines are indented by and line
    /// ends after the last one: a change of these would not be seen.
    pub(crate) fn screen(&self, arguments: &[&str]) -> String {
        let run = self.run(arguments);
        let mut screen = run.stdout;
        if !run.stderr.is_empty() {
            screen.push_str("--- standard error\n");
            screen.push_str(&run.stderr);
        }
        let _ = writeln!(screen, "--- exit code {}", run.code);
        let home = self.environment.iter().find(|(name, _)| name == "HOME");
        let home = home.map_or("", |(_, home)| home.as_str());
        redacted(&screen, home)
    }
}

/// Replaces what differs between two runs of one test: the work tree and the temporary directory
/// around it, the directory of the binaries, times and durations.
fn redacted(screen: &str, home: &str) -> String {
    let binaries = Path::new(env!("CARGO_BIN_EXE_flowreg")).parent().unwrap();
    let repository = Path::new(home).join("work");
    let screen = screen
        .replace(repository.to_str().unwrap(), "[repository]")
        .replace(home, "[home]")
        .replace(binaries.to_str().unwrap(), "[binaries]");
    let mut redacted = String::new();
    for line in screen.split_inclusive('\n') {
        // Also keeps the blanks between words: the layout is what the snapshots are about.
        for word in line.split_inclusive(' ') {
            let (text, end) = word.split_at(word.trim_end().len());
            redacted.push_str(if is_time(text) { "[time]" } else { text });
            redacted.push_str(end);
        }
    }
    redacted
}

/// Whether a word is a time, as `2026-01-02T03:04:05Z`, or the number of a duration, as `0.1`.
fn is_time(word: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    match word.split_once('.') {
        Some((seconds, tenths)) if is_number(seconds) && is_number(tenths) => true,
        _ => word.parse::<jiff::Timestamp>().is_ok(),
    }
}
