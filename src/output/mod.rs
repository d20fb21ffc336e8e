//! Prints typed results, for people and as JSON. Decides nothing.

mod flows;
mod list;
mod progress;
mod reference;
mod report;
mod run;

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};

pub use flows::FlowsReport;
pub use list::{ListReport, ListedRegistration};
pub use progress::Progress;
pub use reference::ReferenceReport;
pub use report::ErrorReport;
pub use run::{ItemReport, RunReport, RunSummary};

/// The version of every JSON object that is printed.
const SCHEMA: u32 = 1;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// Errors only.
    Quiet,
    /// What changed.
    Normal,
    /// Unchanged registrations and details, too.
    Verbose,
}

/// Where results go: results to standard output, everything else to standard error.
#[derive(Debug, Clone)]
pub struct Printer {
    is_json: bool,
    verbosity: Verbosity,
    shows_progress: bool,
}

impl Printer {
    /// Prints JSON or for people, so much, and progress only where somebody sees it.
    pub fn new(is_json: bool, verbosity: Verbosity, shows_progress: bool) -> Self {
        let shows_progress = shows_progress && !is_json && verbosity > Verbosity::Quiet;
        Self { is_json, verbosity, shows_progress }
    }

    /// Whether details are wanted.
    pub fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// A display of work that takes long.
    pub fn progress(&self, what: &str, total: usize) -> Progress {
        Progress::new(self.shows_progress, what, total)
    }

    /// Prints the error that ends a command.
    pub fn error(&self, error: &ErrorReport) {
        if self.is_json {
            print_json(&json!({ "error": error }));
        } else {
            to_stderr(&error.lines());
        }
    }

    /// Prints something that is worth knowing and stops nothing.
    pub fn warning(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            to_stderr(&format!("{WARNING}warning:{WARNING:#} {text}\n"));
        }
    }

    /// Prints what to do next, where a person reads it.
    pub fn hint(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet && !self.is_json {
            to_stderr(&format!("{HINT}hint:{HINT:#} {text}\n"));
        }
    }

    fn human(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            to_stdout(text);
        }
    }
}

/// A reader that went away is no error: `flowreg list | head -1`.
fn to_stdout(text: &str) {
    let mut stdout = anstream::stdout().lock();
    let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
}

fn to_stderr(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}

/// Prints one object that starts with the format's version.
fn print_json(body: &impl Serialize) {
    let mut object = json!({ "schema": SCHEMA });
    if let (Some(object), Ok(Value::Object(body))) =
        (object.as_object_mut(), serde_json::to_value(body))
    {
        object.extend(body);
    }
    to_stdout(&format!("{object}\n"));
}
