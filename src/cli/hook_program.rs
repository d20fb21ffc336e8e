//! `flowreg-hook`: git's hooks as a program of their own, because a push waits for them.
//!
//! A program with everything in it takes longer to start than a hook may take. This one queues,
//! and waits for the end of the push; what needs more is handed over to `flowreg`. It takes the
//! same arguments, so that one stands for the other wherever there is only one of them.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::hook::{Caller, Hook, Pushing};
use super::{Process, exit};
use crate::output::{Printer, Verbosity};
use crate::push::{own_session, program_beside, wait_for_end};
use crate::run::Surroundings;

/// `[-C DIRECTORY] [hook] NAME [ARGUMENT…]`
struct Call {
    directory: Option<PathBuf>,
    hook: Hook,
}

/// Runs one hook and returns the process' exit code.
pub fn run_hook(process: &Process) -> u8 {
    crate::push::close_inherited();
    let printer = Printer::new(false, Verbosity::Normal, process.is_terminal);
    let Some(call) = Call::parse(&process.arguments) else {
        printer.hook("this is what git's hooks call: flowreg hooks install");
        return exit::USAGE;
    };
    let directory = match &call.directory {
        Some(directory) => process.directory.join(directory),
        None => process.directory.clone(),
    };
    let surroundings = Surroundings {
        environment: process.environment.clone(),
        home: process.home.clone(),
        ..Surroundings::of_directory(&directory)
    };
    let caller = Caller { surroundings: &surroundings, printer: &printer };
    if caller.is_off() {
        return exit::DONE;
    }
    match &call.hook {
        Hook::Watch { after, .. } => {
            // Out of the terminal's session: closing the terminal or Ctrl-C must not end it.
            own_session();
            if let Some(git) = after {
                wait_for_end(*git);
            }
            let arguments = process.arguments.iter().skip(1);
            // Replaces this process, and returns only if there is no `flowreg`. Then the records stay
            // in the outbox until one is installed.
            let _ = Command::new(flowreg()).args(arguments).exec();
            exit::DONE
        }
        hook => caller.run(hook, &|_, _, pushing| hand_over(pushing)),
    }
}

impl Call {
    fn parse(arguments: &[OsString]) -> Option<Self> {
        let mut words = arguments.iter().skip(1).map(OsString::as_os_str).peekable();
        // By hand and not with clap: a push waits for this program, and it has four commands.
        let directory = words.next_if_eq(&OsStr::new("-C")).and_then(|_| words.next());
        words.next_if_eq(&OsStr::new("hook"));
        let name = words.next()?.to_str()?;
        let mut text = || words.next().map(|word| word.to_string_lossy().into_owned());
        let hook = match name {
            "pre-push" => Hook::PrePush { remote: text(), url: text() },
            "post-receive" => Hook::PostReceive,
            "pre-commit" => Hook::PreCommit,
            "watch" => {
                let after = text().filter(|word| word == "--after").and_then(|_| text());
                let after = after.and_then(|process| process.parse().ok());
                // `flowreg` gets the same arguments, and reads the rest of them.
                Hook::Watch { after, common_dir: None }
            }
            _ => return None,
        };
        Some(Self { directory: directory.map(PathBuf::from), hook })
    }
}

fn flowreg() -> PathBuf {
    program_beside("flowreg").unwrap_or_else(|| "flowreg".into())
}

/// Hands a push that has to be checked over to `flowreg`, which queues it as well. Returns its exit
/// code; `None` if it can't be started or written to, and the push then goes on unchecked.
fn hand_over(pushing: &Pushing<'_>) -> Option<u8> {
    let run = || -> std::io::Result<Option<i32>> {
        let mut child = Command::new(flowreg())
            .args(["hook", "pre-push", pushing.remote, pushing.url])
            .stdin(Stdio::piped())
            .spawn()?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(pushing.input)?;
        }
        Ok(child.wait()?.code())
    };
    match run() {
        Ok(code) => Some(code.and_then(|code| u8::try_from(code).ok()).unwrap_or(exit::BUG)),
        Err(_) => None,
    }
}
