//! The one process of the user's Python: how it is started, read from and ended.
//!
//! What comes from it is bounded in size. It leads a process group of its own, so that Ctrl-C reaches
//! flowreg alone, which then ends it in order. It ends when its standard input does, also if flowreg
//! was killed, and ends its children with it.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use super::failure::{Generation, Unavailable};
use super::protocol::{Message, Request};
use flowreg_git::binds_to_repository;
use flowreg_model::Environment;

/// Where Python looks for modules.
pub(super) const PYTHONPATH: &str = "PYTHONPATH";

/// The files that Python runs; the first one is started.
pub(super) const HARNESS: [(&str, &str); 5] = [
    ("harness.py", include_str!("harness/harness.py")),
    ("flowreg_children.py", include_str!("harness/flowreg_children.py")),
    ("flowreg_depends.py", include_str!("harness/flowreg_depends.py")),
    ("flowreg_flows.py", include_str!("harness/flowreg_flows.py")),
    ("flowreg_prefect1.py", include_str!("harness/flowreg_prefect1.py")),
];

/// How often an interruption is looked for and progress is shown while Python works.
const TICK: Duration = Duration::from_millis(100);
/// How long Python may take to end its children and remove what they left; then it is killed.
const EXIT_LIMIT: Duration = Duration::from_secs(5);
/// The longest line in bytes. A line is the answer about one file, which the harness keeps below
/// [`Limits::answer_bytes`](super::Limits); this bound holds whatever comes from the process.
const LONGEST_LINE: u64 = 32 << 20;
/// All answers together, in bytes: far more than any repository needs, and it fits into memory.
const MOST_BYTES: u64 = 512 << 20;
/// How many bytes of the end of standard error are kept; only the last line is shown.
const TAIL_BYTES: usize = 2048;

/// Variables by which Prefect finds the server and its credentials. Nothing that is asked needs the
/// server, and a file that deploys or runs a flow when it is imported must not reach it.
const WITHHELD: &[&str] = &[
    "PREFECT_API_URL",
    "PREFECT_API_KEY",
    "PREFECT_API_AUTH_STRING",
    "PREFECT_CLIENT_CUSTOM_HEADERS",
    "PREFECT_CLOUD_API_URL",
    "PREFECT_HOME",
    "PREFECT_PROFILE",
    "PREFECT_PROFILES_PATH",
];
const WITHHELD_PREFIXES: &[&str] = &[
    "FLOWREG_",
    "PREFECT_API_DATABASE_",
    "PREFECT_SERVER_DATABASE_",
    "PREFECT__CLOUD__",
    "PREFECT__SERVER__",
];

/// What the wait for a message ended with.
pub(super) enum Reply {
    /// A message.
    Message(Message),
    /// Python has ended.
    End,
    /// The time was up.
    Late,
    /// The user pressed Ctrl-C.
    Interrupted,
}

/// Sees the progress of a conversation, and can end it.
pub trait Watch {
    /// Shows how many files are done.
    fn progress(&self, done: usize);
    /// Whether the run has to end.
    fn is_interrupted(&self) -> bool;
}

/// A running Python.
pub(super) struct PythonProcess {
    child: Child,
    stdin: Option<ChildStdin>,
    messages: Receiver<Message>,
    last_line: Receiver<Option<String>>,
}

impl PythonProcess {
    /// Starts it; `home` is the temporary directory of this run.
    pub(super) fn start(
        python: &Path,
        home: &Path,
        environment: &Environment,
        generation: Generation,
    ) -> Result<Self, Unavailable> {
        let directory = home.join("harness");
        std::fs::create_dir(&directory)?;
        for (name, text) in HARNESS {
            std::fs::write(directory.join(name), text)?;
        }
        let passed_on =
            environment.all().filter(|(name, _)| name.to_str().is_none_or(is_passed_on));
        let mut command = Command::new(python);
        command
            .arg(directory.join("harness.py"))
            .arg(home)
            .arg(generation.as_str())
            .current_dir(home)
            .env_clear()
            // A default that is a set is written in the order of its hashes. With a random seed the
            // schema would differ from run to run, and be registered each time.
            .env("PYTHONHASHSEED", "0")
            .envs(passed_on)
            .env("PYTHONPATH", absolute_entries(environment.os(PYTHONPATH).unwrap_or_default()))
            .env("PREFECT_HOME", home.join("prefect"))
            .env("PREFECT_SERVER_ALLOW_EPHEMERAL_MODE", "false")
            .env("PREFECT_LOGGING_TO_API_ENABLED", "false")
            .env("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
            .env("DO_NOT_TRACK", "1")
            // Code that asks git for its version must not find a repository above the temporary
            // directory, which may lie inside one.
            .env("GIT_CEILING_DIRECTORIES", home)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|error| Unavailable::NotStarted {
            python: python.to_owned(),
            reason: error.to_string(),
        })?;
        let (sender, messages) = mpsc::channel();
        if let Some(stdout) = child.stdout.take() {
            thread::spawn(move || read_messages(stdout, &sender));
        }
        let (sender, last_line) = mpsc::channel();
        if let Some(stderr) = child.stderr.take() {
            thread::spawn(move || sender.send(read_last_line(stderr)));
        }
        Ok(Self { stdin: child.stdin.take(), child, messages, last_line })
    }

    /// Sends the request. An error is not looked at: it means that Python has ended, and then the
    /// answers are missing as well.
    pub(super) fn send(&mut self, request: &Request<'_>) {
        if let (Some(stdin), Ok(mut line)) = (&mut self.stdin, serde_json::to_vec(request)) {
            line.push(b'\n');
            let _ = stdin.write_all(&line);
        }
    }

    /// Waits for the next message.
    pub(super) fn next_reply(&self, until: Instant, done: usize, watch: &dyn Watch) -> Reply {
        loop {
            watch.progress(done);
            if watch.is_interrupted() {
                return Reply::Interrupted;
            }
            match self.messages.recv_timeout(TICK) {
                Ok(message) => return Reply::Message(message),
                Err(RecvTimeoutError::Disconnected) => return Reply::End,
                Err(RecvTimeoutError::Timeout) if Instant::now() >= until => return Reply::Late,
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// What it said last on standard error, once it has ended.
    pub(super) fn last_line(&self) -> Option<String> {
        self.last_line.recv_timeout(Duration::from_secs(1)).ok().flatten()
    }
}

impl Drop for PythonProcess {
    fn drop(&mut self) {
        // The end of its input tells the harness to stop. It is not killed at once, because it has to
        // end its children, which would go on running the user's code.
        drop(self.stdin.take());
        let started = Instant::now();
        while started.elapsed() < EXIT_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(Duration::from_millis(10));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The absolute entries of `PYTHONPATH`. Relative ones are meant in the checkout, which is not made yet
/// when Python starts, and go with the request.
fn absolute_entries(path: &OsStr) -> OsString {
    let entries = path.as_bytes().split(|byte| *byte == b':');
    let entries: Vec<&[u8]> = entries.filter(|entry| entry.starts_with(b"/")).collect();
    OsString::from_vec(entries.join(&b':'))
}

fn is_passed_on(name: &str) -> bool {
    !WITHHELD.contains(&name)
        && !WITHHELD_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        && !binds_to_repository(name)
}

fn read_messages(stdout: ChildStdout, messages: &Sender<Message>) {
    let mut stdout = BufReader::new(stdout.take(MOST_BYTES));
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = stdout.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut line);
        // A line without an end was cut off, by the limit or because Python was killed while writing.
        if !matches!(read, Ok(1..)) || line.last() != Some(&b'\n') {
            return;
        }
        if let Some(message) = Message::read(&line)
            && messages.send(message).is_err()
        {
            return;
        }
    }
}

fn read_last_line(mut stderr: impl Read) -> Option<String> {
    let mut tail = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = stderr.read(&mut buffer) {
        tail.extend_from_slice(buffer.get(..read).unwrap_or_default());
        let excess = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
    }
    let text = String::from_utf8_lossy(&tail);
    text.lines().rev().map(str::trim).find(|line| !line.is_empty()).map(ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_and_what_binds_to_a_repository_stay_here() {
        for name in ["PREFECT_API_KEY", "PREFECT_API_URL", "FLOWREG_X", "GIT_DIR", "GIT_INDEX_FILE"]
        {
            assert!(!is_passed_on(name), "{name}");
        }
        for name in ["PATH", "HOME", "PYTHONPATH", "DATABASE_URL", "PREFECT_LOGGING_LEVEL"] {
            assert!(is_passed_on(name), "{name}");
        }
    }

    #[test]
    fn the_last_line_is_kept_and_not_what_came_before() {
        let text = "x".repeat(100_000) + "\nlast  \n\n";
        assert_eq!(read_last_line(text.as_bytes()).as_deref(), Some("last"));
        assert_eq!(read_last_line(&b""[..]), None);
    }
}
