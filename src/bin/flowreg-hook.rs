//! The `flowreg-hook` binary: what git's hooks call, small because a push waits for it.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use flowreg::cli::{self, Interrupt, Process};

#[expect(clippy::disallowed_methods, reason = "this is where they enter")]
fn main() -> ExitCode {
    ExitCode::from(cli::run_hook(&Process {
        arguments: std::env::args_os().collect(),
        environment: std::env::vars_os().collect(),
        directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        home: std::env::home_dir(),
        is_terminal: std::io::stderr().is_terminal(),
        is_input_terminal: false,
        interrupt: Interrupt::default(),
    }))
}
