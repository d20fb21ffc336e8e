//! Runs the git process: for what crosses the network, and for the few local questions that it
//! answers better.
//!
//! It gets the environment that was handed in without the variables that tie a process to one
//! repository (a hook has them), a C locale and no prompts; it is judged by its exit code. Each
//! process writes one event to the debug log, with its arguments but never with credentials.

use std::ffi::{OsStr, OsString};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use super::url::{without_credentials, without_user_info};
use super::{GitError, Repository};
use flowreg_model::{Environment, escaped, escaped_bytes};

/// How long a git process may take.
pub(super) const TIME_LIMIT: Duration = Duration::from_mins(1);

/// Variables that tie a process to one repository: what `git rev-parse --local-env-vars` lists, and
/// what a receiving repository sets for its hooks (docs/facts/git.md, "Environment").
///
/// `GIT_CONFIG_PARAMETERS` and `GIT_CONFIG_COUNT` are not removed although git lists them: who types
/// `git -c key=value push` wants the value to hold for every process of the run.
const REPOSITORY_VARIABLES: &[&str] = &[
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_CONFIG",
    "GIT_OBJECT_DIRECTORY",
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_GRAFT_FILE",
    "GIT_INDEX_FILE",
    "GIT_NO_REPLACE_OBJECTS",
    "GIT_REPLACE_REF_BASE",
    "GIT_PREFIX",
    "GIT_SHALLOW_FILE",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_QUARANTINE_PATH",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_EXTERNAL_DIFF",
];

/// Exit code and output of a git process that came to its end.
pub(super) struct GitOutput {
    pub(super) is_success: bool,
    /// `None` if a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stdout: Vec<u8>,
    /// Without credentials.
    pub(super) stderr: String,
}

/// Starts git processes in one repository.
#[derive(Clone)]
pub(super) struct Git {
    /// `None`: git looks for it.
    repository: Option<PathBuf>,
    directory: PathBuf,
    variables: Vec<(OsString, OsString)>,
    promisor: Option<String>,
    time_limit: Duration,
}

impl Git {
    pub(super) fn new(repository: &Repository) -> Self {
        let git_dir = repository.inner.git_dir();
        let directory = repository.workdir().unwrap_or(git_dir);
        Self {
            promisor: repository.promisor(),
            time_limit: repository.time_limit,
            ..Self::of(git_dir, directory, &repository.environment)
        }
    }

    /// The same for a repository that is not open yet.
    pub(super) fn of(git_dir: &Path, directory: &Path, environment: &Environment) -> Self {
        let git = Self::searching(directory, environment);
        Self { repository: Some(git_dir.to_owned()), ..git }
    }

    /// The same for the repository that git itself finds from a directory.
    pub(super) fn searching(directory: &Path, environment: &Environment) -> Self {
        let variables =
            environment.all().filter(|(name, _)| !name.to_str().is_some_and(binds_to_repository));
        Self {
            repository: None,
            directory: directory.to_owned(),
            variables: variables.map(|(name, value)| (name.into(), value.into())).collect(),
            promisor: None,
            time_limit: TIME_LIMIT,
        }
    }

    /// Where it runs.
    pub(super) fn directory(&self) -> &Path {
        &self.directory
    }

    /// The same with one more variable in git's environment.
    pub(super) fn with_variable(mut self, name: &str, value: &Path) -> Self {
        self.variables.push((name.into(), value.into()));
        self
    }

    /// The same for another repository.
    pub(super) fn in_directory(mut self, repository: &Path, directory: &Path) -> Self {
        self.repository = Some(repository.to_owned());
        directory.clone_into(&mut self.directory);
        self
    }

    /// The same, waiting no longer than this.
    pub(super) fn with_time_limit(mut self, limit: Duration) -> Self {
        self.time_limit = limit.min(self.time_limit);
        self
    }

    /// The remote that promised the objects which a partial clone left out.
    pub(super) fn promisor(&self) -> Option<&str> {
        self.promisor.as_deref()
    }

    /// Runs `git <arguments>` and waits for its end, as long as the time limit lets it.
    ///
    /// # Errors
    /// If git can't be started or takes too long; a failure of git itself is in the answer.
    pub(super) fn run(
        &self,
        arguments: &[impl AsRef<OsStr>],
        input: &[u8],
    ) -> Result<GitOutput, GitError> {
        self.run_within(self.time_limit, arguments, input)
    }

    /// Runs what reads and writes all files of a commit.
    pub(super) fn run_long(&self, arguments: &[impl AsRef<OsStr>]) -> Result<GitOutput, GitError> {
        self.run_within(self.long_limit(), arguments, &[])
    }

    /// Files take longer than the list of refs that the limit is made for.
    fn long_limit(&self) -> Duration {
        self.time_limit.saturating_mul(10)
    }

    fn run_within(
        &self,
        time_limit: Duration,
        arguments: &[impl AsRef<OsStr>],
        input: &[u8],
    ) -> Result<GitOutput, GitError> {
        let started = Instant::now();
        let arguments: Vec<&OsStr> = arguments.iter().map(AsRef::as_ref).collect();
        let output = self.wait_for_output(time_limit, &arguments, input);
        log(&arguments, started.elapsed(), &output);
        output
    }

    fn wait_for_output(
        &self,
        time_limit: Duration,
        arguments: &[&OsStr],
        input: &[u8],
    ) -> Result<GitOutput, GitError> {
        let command = subcommand(arguments);
        let failed = |reason: String| GitError::Process { command: command.to_owned(), reason };
        let mut child = self
            .command(arguments)
            .spawn()
            .map_err(|error| failed(format!("git can't be started: {error}")))?;
        // In a thread, because git may write much before it reads all of its input. A failure to
        // write is no error of its own: git has ended early then, and its exit code says why.
        if let Some(mut stdin) = child.stdin.take() {
            let input = input.to_owned();
            thread::spawn(move || stdin.write_all(&input));
        }
        let stdout = drain(child.stdout.take());
        let stderr = drain(child.stderr.take());
        // Git closes its standard output when it ends, so the time limit is put on that.
        let Ok(stdout) = stdout.recv_timeout(time_limit) else {
            stop(&mut child);
            return Err(failed(format!("no answer within {} s", time_limit.as_secs())));
        };
        let status = child.wait().map_err(|error| failed(error.to_string()))?;
        // Standard error may stay open after git's end: an ssh master connection (ControlMaster)
        // inherits it. So it is waited for only where it explains a failure, and not for long.
        let patience = if status.success() { Duration::ZERO } else { Duration::from_secs(1) };
        let stderr = stderr.recv_timeout(patience).unwrap_or_default();
        Ok(GitOutput {
            is_success: status.success(),
            code: status.code(),
            stdout,
            stderr: without_credentials(String::from_utf8_lossy(&stderr).trim()),
        })
    }

    /// Fetches objects by id from the remote that promised them; does nothing in a full clone.
    ///
    /// The arguments are those with which git itself fetches missing objects
    /// (<https://github.com/git/git/blob/v2.47.0/promisor-remote.c>).
    pub(super) fn fetch_objects(&self, ids: &[gix::ObjectId]) -> Result<(), GitError> {
        let Some(promisor) = self.promisor().filter(|_| !ids.is_empty()) else { return Ok(()) };
        tracing::debug!(
            objects = ids.len(),
            // A fetch with --filter from an address makes a promisor whose name is that address.
            remote = without_user_info(promisor),
            "fetching objects that the partial clone left out"
        );
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let arguments = [
            // Without this git would first tell the remote what it has; the objects are wanted
            // whatever that is.
            "-c",
            "fetch.negotiationAlgorithm=noop",
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--recurse-submodules=no",
            "--filter=blob:none",
            "--stdin",
            "--",
            promisor,
        ];
        let output = self.run_within(self.long_limit(), &arguments, ids.join("\n").as_bytes())?;
        output.check("fetch").map(|_| ())
    }

    fn command(&self, arguments: &[&OsStr]) -> Command {
        let mut command = Command::new("git");
        if let Some(repository) = &self.repository {
            command.arg("--git-dir").arg(repository);
        }
        command
            .args(arguments)
            .current_dir(&self.directory)
            .env_clear()
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .envs([("GIT_TERMINAL_PROMPT", "0"), ("GIT_OPTIONAL_LOCKS", "0"), ("LC_ALL", "C")])
            // A clone brings no refs/replace: what workers run is never the replacement.
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }
}

impl GitOutput {
    /// Its standard output, or what it complained about.
    pub(super) fn check(self, command: &str) -> Result<Vec<u8>, GitError> {
        if self.is_success {
            return Ok(self.stdout);
        }
        Err(GitError::Process { command: command.to_owned(), reason: self.complaint() })
    }

    /// The last lines of standard error, on one line.
    pub(super) fn complaint(&self) -> String {
        let lines: Vec<_> =
            self.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        match lines.get(lines.len().saturating_sub(3)..) {
            Some([]) | None => format!("exit code {}", self.code.unwrap_or(-1)),
            Some(last) => last.join(" "),
        }
    }
}

/// The variables that tie a process to no repository.
pub(super) fn free_of_repository(
    environment: &Environment,
) -> impl Iterator<Item = (&OsStr, &OsStr)> {
    environment.all().filter(|(name, _)| !name.to_str().is_some_and(binds_to_repository))
}

/// Whether a process would work in the repository that the variable names, wherever it runs.
pub fn binds_to_repository(variable: &str) -> bool {
    REPOSITORY_VARIABLES.contains(&variable)
}

/// The first argument that is no option of git itself.
fn subcommand<'a>(arguments: &[&'a OsStr]) -> &'a str {
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if *argument != "-c" {
            return argument.to_str().unwrap_or_default();
        }
        arguments.next();
    }
    ""
}

/// Reads a pipe to its end in a thread of its own, so that neither pipe can fill up.
pub(super) fn drain(pipe: Option<impl Read + Send + 'static>) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut content = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut content);
        }
        let _ = sender.send(content);
    });
    receiver
}

/// Writes one event about a process to the debug log.
///
/// Standard output and standard error are left out: a credential helper may print a secret there.
fn log(arguments: &[&OsStr], took: Duration, output: &Result<GitOutput, GitError>) {
    // Without a debug log, nothing of the arguments is put together.
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let arguments: Vec<_> = arguments
        .iter()
        .map(|argument| without_user_info(&escaped_bytes(argument.as_encoded_bytes())))
        .collect();
    let command = escaped(format!("git {}", arguments.join(" ")));
    let ms = took.as_millis();
    match output {
        Ok(output) => tracing::debug!(command, exit_code = output.code, ms, "git process"),
        Err(error) => tracing::debug!(command, %error, ms, "git process without a result"),
    }
}

/// Ends a process with SIGTERM, and with SIGKILL a second later. Git stops its helpers (ssh,
/// `git-remote-https`) on SIGTERM; on SIGKILL they would stay behind.
pub(super) fn stop(child: &mut Child) {
    let _ = Command::new("kill").arg(child.id().to_string()).stderr(Stdio::null()).status();
    for _ in 0..20 {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        thread::sleep(Duration::from_millis(50));
    }
    let _ = child.kill();
    let _ = child.wait();
}
