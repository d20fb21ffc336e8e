//! The `flowreg` binary: hands the process over to the library and takes the exit code back.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use flowreg::cli::{self, Interrupt, Process};

/// A scan makes and drops a syntax tree for each file; the system's allocator gives the memory
/// back and asks for it again each time, which costs a sixth of the run.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[expect(clippy::disallowed_methods, reason = "this is where they enter")]
fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let interrupt = Interrupt::default();
    let handler = interrupt.clone();
    if !cli::is_hook(&arguments) {
        // Without a handler Ctrl-C still ends the process, only less gently.
        let _ = ctrlc::set_handler(move || {
            if handler.request() {
                std::process::exit(i32::from(cli::INTERRUPTED));
            }
        });
    }
    ExitCode::from(cli::run(Process {
        arguments,
        environment: std::env::vars_os().collect(),
        directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
        home: std::env::home_dir(),
        is_terminal: std::io::stderr().is_terminal(),
        is_input_terminal: std::io::stdin().is_terminal(),
        interrupt,
    }))
}
