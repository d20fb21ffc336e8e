//! Processes: the `git push` that a hook belongs to, and the watcher that outlives it.
//!
//! A hook inherits git's transport pipes, and a child that keeps them open can block a push for
//! ever (`docs/facts/hooks.md`, "What a hook and its children must not keep open"). So a hook closes
//! every inherited descriptor before it does anything else, and its children have none to inherit.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::str::FromStr;

use nix::sys::signal::kill;
use nix::unistd::{Pid, close, setsid};
use serde::{Deserialize, Serialize};

/// How far up a `git push` is looked for: hook managers and shells stand in between.
const MOST_ANCESTORS: usize = 16;

/// A running `git push`: its process id, and when it started, because ids are used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GitProcess {
    /// The process id.
    pub pid: u32,
    /// Clock ticks since the machine started; `None` where the system does not tell.
    pub started: Option<u64>,
}

/// `<pid>` or `<pid>:<started>`
impl fmt::Display for GitProcess {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.started {
            Some(started) => write!(formatter, "{}:{started}", self.pid),
            None => write!(formatter, "{}", self.pid),
        }
    }
}

impl FromStr for GitProcess {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (pid, started) =
            text.split_once(':').map_or((text, None), |(pid, started)| (pid, Some(started)));
        Ok(Self { pid: pid.parse()?, started: started.map(str::parse).transpose()? })
    }
}

/// What `/proc/<pid>/stat` says.
struct Stat {
    name: String,
    state: char,
    parent: u32,
    started: u64,
}

impl GitProcess {
    /// The nearest `git push` above this process, without one the nearest git. `None` if there is
    /// none: a client that pushes by itself runs on for hours after the push.
    pub(crate) fn pushing() -> Option<Self> {
        let mut nearest_git = None;
        let mut pid = std::os::unix::process::parent_id();
        for _ in 0..MOST_ANCESTORS {
            let Some(stat) = stat(pid).filter(|_| pid > 1) else { break };
            if stat.name.starts_with("git") {
                let found = Self { pid, started: Some(stat.started) };
                if is_push(pid) {
                    return Some(found);
                }
                nearest_git.get_or_insert(found);
            }
            pid = stat.parent;
        }
        nearest_git
    }

    /// Whether its command line has `-v` or `--verbose`: `git push -v`.
    pub(crate) fn is_verbose(self) -> bool {
        has_option(&command_line(self.pid), b'v', b"--verbose")
    }

    /// Whether its command line says that nothing is to be told, or to be done: `-q`, `-n`.
    pub(crate) fn is_quiet(self) -> bool {
        let line = command_line(self.pid);
        has_option(&line, b'q', b"--quiet") || has_option(&line, b'n', b"--dry-run")
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(self) -> bool {
        if let Some(started) = self.started {
            let stat = stat(self.pid);
            // A zombie has ended; its parent only has not asked for the exit code yet.
            return stat
                .is_some_and(|stat| stat.started == started && !matches!(stat.state, 'Z' | 'X'));
        }
        i32::try_from(self.pid).is_ok_and(|pid| kill(Pid::from_raw(pid), None).is_ok())
    }
}

fn is_push(pid: u32) -> bool {
    command_line(pid).split(|byte| *byte == 0).any(names_push)
}

/// `push`, or the path of a program of its own, `git-push`.
fn names_push(word: &[u8]) -> bool {
    word == b"push" || word.rsplit(|byte| *byte == b'/').next() == Some(b"git-push")
}

/// Whether `git push` was called with an option.
fn has_option(command_line: &[u8], letter: u8, long: &[u8]) -> bool {
    // Short options may be written together: `-fv`. What follows `-o` is its value.
    let is_cluster = |word: &[u8]| {
        word.strip_prefix(b"-").is_some_and(|letters| {
            letters.iter().all(u8::is_ascii_alphabetic)
                && letters.iter().take_while(|one| **one != b'o').any(|one| *one == letter)
        })
    };
    let words = command_line.split(|byte| *byte == 0);
    // Options before `push` are git's own, and `-v` there means `--version`.
    let of_push = words.skip_while(|word| !names_push(word));
    of_push.take_while(|word| *word != b"--").any(|word| word == long || is_cluster(word))
}

fn command_line(pid: u32) -> Vec<u8> {
    std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default()
}

/// Reads `/proc`, which only Linux has. Elsewhere no `git push` is found, and a push counts as one
/// whose end can't be seen.
fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc_pid_stat(5): the name is in parentheses, and may have some itself.
    let (before, after) = text.rsplit_once(')')?;
    let name = before.split_once('(')?.1.to_owned();
    let mut fields = after.split_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    // Field 22 of the line; the two read so far are 3 and 4.
    let started = fields.nth(17)?.parse().ok()?;
    Some(Stat { name, state, parent, started })
}

/// Closes every inherited descriptor but standard input, output and error.
pub(crate) fn close_inherited() {
    // `close_range(2)` would need `unsafe`, which this code base forbids.
    for directory in ["/proc/self/fd", "/dev/fd"] {
        let Ok(entries) = std::fs::read_dir(directory) else { continue };
        let names = entries.flatten().map(|entry| entry.file_name());
        // Collected first: closing while the directory is read would close the reader's own
        // descriptor, and change the list.
        let open: Vec<i32> = names.filter_map(|name| name.to_str()?.parse().ok()).collect();
        for descriptor in open.into_iter().filter(|descriptor| *descriptor > 2) {
            let _ = close(descriptor);
        }
        return;
    }
}

/// Leaves the terminal's session: closing it must not end the watcher.
pub(crate) fn own_session() {
    // It fails for the leader of a process group. The watcher is a child of the hook, so it is none;
    // a person who calls `flowreg hook watch` in a shell keeps the session, which does no harm.
    let _ = setsid();
}

/// Starts a program that outlives this process: no terminal, no input, no output, no repository
/// but the one that `variables` name.
///
/// # Errors
/// If it can't be started.
pub(super) fn detach(
    program: &Path,
    arguments: &[OsString],
    variables: &[(&str, &Path)],
    is_removed: impl Fn(&str) -> bool,
    environment: impl Iterator<Item = String>,
) -> std::io::Result<()> {
    let mut command = Command::new(program);
    for name in environment.filter(|name| is_removed(name)) {
        command.env_remove(name);
    }
    command
        .args(arguments)
        .envs(variables.iter().copied())
        // A watcher may live for minutes, and must not keep a file system from being unmounted.
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_of_a_push_are_found_in_whatever_way_they_are_written() {
        for (line, is_quiet) in [
            ("git push -q origin", true),
            ("git push --quiet", true),
            ("git push -fq", true),
            ("/usr/lib/git-core/git-push -q", true),
            ("git -q push origin", false),
            ("git push -oq origin", false),
            ("git push -f origin -- -q", false),
            ("git push origin q --no-quiet", false),
        ] {
            let line = line.replace(' ', "\0");
            assert_eq!(has_option(line.as_bytes(), b'q', b"--quiet"), is_quiet, "{line:?}");
        }
    }

    #[test]
    fn a_process_is_told_from_a_later_one_of_the_same_number() {
        let own = std::process::id();
        let started = stat(own).unwrap().started;
        assert!(GitProcess { pid: own, started: Some(started) }.is_running());
        assert!(!GitProcess { pid: own, started: Some(started + 1) }.is_running());
        assert!(GitProcess { pid: own, started: None }.is_running());
        let mut child = Command::new("true").spawn().unwrap();
        let started = stat(child.id()).map(|stat| stat.started);
        let process = GitProcess { pid: child.id(), started };
        // It has ended, and is a zombie until somebody waits for it.
        std::thread::sleep(std::time::Duration::from_millis(200));
        assert!(!process.is_running());
        child.wait().unwrap();
        assert!(!process.is_running());
    }
}
