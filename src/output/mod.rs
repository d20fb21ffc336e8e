//! Prints typed results: for people, as JSON, as Markdown.
//!
//! Results go to standard output, everything else to standard error, so that a script can read the
//! one and a person still sees the other. Nothing is decided here: what happened, and with which
//! exit code a command ends, is known before a report is made.

mod cause;
mod changes;
mod error;
mod flows;
mod hooks;
mod list;
mod markdown;
mod notices;
mod progress;
mod prune;
mod queue;
mod reference;
mod run;
mod run_report;
mod tag;
mod tag_list;

use std::cell::Cell;
use std::io::{ErrorKind, Write};

use anstream::adapter::strip_str;
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use serde::Serialize;
use serde_json::{Value, json};

use flowreg_model::escaped;

pub(crate) use changes::ChangeReport;
pub(crate) use error::ErrorReport;
pub(crate) use flows::{ExplanationsReport, FlowsReport, ListedFlow};
pub(crate) use hooks::{HookChangeReport, HookInstallReport, HookStatusReport};
pub(crate) use list::{ListReport, ListedRegistration};
pub(crate) use notices::notice_lines;
pub(crate) use progress::Progress;
pub(crate) use prune::{PruneReport, PrunedRegistration};
pub(crate) use queue::{QueueReport, QueuedItem, SyncReport};
pub(crate) use reference::ReferenceReport;
pub(crate) use run_report::{ItemReport, RunReport, RunSummary};
pub(crate) use tag::{TagReport, publish_question};

/// The version of every JSON object that is printed (`docs/json.md`). It goes up when a field changes
/// its meaning or goes away; new fields do not change it.
const SCHEMA: u32 = 1;

const ERROR: Style = AnsiColor::Red.on_default().bold();
const WARNING: Style = AnsiColor::Yellow.on_default().bold();
const HINT: Style = AnsiColor::Cyan.on_default().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const CHANGED: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default();
const DIM: Style = Style::new().dimmed();

/// The width up to which names are padded: one long name must not push all others apart.
const NAME_WIDTH: usize = 60;

/// How much is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Verbosity {
    /// Errors only.
    Quiet,
    /// What changed.
    Normal,
    /// Unchanged registrations and details, too.
    Verbose,
}

/// Where results go: results to standard output, everything else to standard error.
#[derive(Debug)]
pub(crate) struct Printer {
    is_json: bool,
    is_markdown: bool,
    verbosity: Verbosity,
    shows_progress: bool,
    /// What was noticed before the command began.
    notices: Vec<String>,
    is_output_lost: Cell<bool>,
}

impl Printer {
    /// Prints JSON or for people, so much, and progress only where somebody sees it.
    pub(crate) fn new(is_json: bool, verbosity: Verbosity, shows_progress: bool) -> Self {
        let shows_progress = shows_progress && !is_json && verbosity > Verbosity::Quiet;
        let is_output_lost = Cell::new(false);
        let notices = Vec::new();
        Self { is_json, is_markdown: false, verbosity, shows_progress, notices, is_output_lost }
    }

    /// The same for Markdown, where a command has it.
    #[must_use]
    pub(crate) fn with_markdown(self, is_markdown: bool) -> Self {
        Self { is_markdown, ..self }
    }

    /// The same with what was noticed before the command began, which belongs to whatever is printed.
    #[must_use]
    pub(crate) fn with_notices(self, notices: Vec<String>) -> Self {
        Self { notices, ..self }
    }

    /// Tells what was noticed before the command began: in any format, as what follows may not be taken back.
    pub(crate) fn tell_notices(&self) {
        self.warnings(&self.notices);
    }

    /// Whether JSON is printed.
    pub(crate) fn is_json(&self) -> bool {
        self.is_json
    }

    /// Whether more is shown than a person asked for: in JSON, and with `-v`.
    pub(crate) fn shows_all(&self) -> bool {
        self.is_json || self.is_verbose()
    }

    /// Whether details are wanted.
    pub(crate) fn is_verbose(&self) -> bool {
        self.verbosity == Verbosity::Verbose
    }

    /// Whether work that takes long is shown.
    pub(crate) fn shows_progress(&self) -> bool {
        self.shows_progress
    }

    /// Prints the error that ends a command, and what was noticed before.
    pub(crate) fn error(&self, error: &ErrorReport, notices: &[String]) {
        if self.is_json {
            let mut body = json!({ "error": error });
            if let Some(body) = body.as_object_mut().filter(|_| !notices.is_empty()) {
                body.insert("notices".to_owned(), json!(notices));
            }
            self.json(&body);
        } else {
            self.warnings(notices);
            if self.is_markdown {
                self.markdown(markdown::error(error) + &markdown::notices(notices));
            }
            to_stderr(&error.lines());
        }
    }

    /// Prints the notices of a report, before its result.
    fn warnings(&self, notices: &[String]) {
        notices.iter().for_each(|notice| self.warning(notice));
    }

    /// Prints something that is worth knowing and stops nothing.
    fn warning(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            let text = escaped(text);
            to_stderr(&format!("{WARNING}warning:{WARNING:#} {text}\n"));
        }
    }

    /// Prints what is neither a result nor wrong.
    fn remark(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            to_stderr(&format!("{}\n", escaped(text)));
        }
    }

    /// Prints a result for people, unless only errors are wanted.
    fn human(&self, text: &str) {
        if self.verbosity > Verbosity::Quiet {
            self.print(text);
        }
    }

    /// Prints one object that starts with the format's version.
    fn json(&self, body: &impl Serialize) {
        // serde_json keeps the order of keys here (its feature `preserve_order`).
        let mut object = json!({ "schema": SCHEMA });
        if let (Some(object), Ok(Value::Object(body))) =
            (object.as_object_mut(), serde_json::to_value(body))
        {
            object.extend(body);
            if !self.notices.is_empty() {
                let notices = object.entry("notices").or_insert_with(|| json!([]));
                let later = notices.as_array().cloned().unwrap_or_default();
                let all = self.notices.iter().map(|notice| json!(notice)).chain(later);
                *notices = all.collect();
            }
        }
        self.print(&format!("{object}\n"));
    }

    /// Prints Markdown.
    fn markdown(&self, text: String) {
        self.print(&(text + &markdown::notices(&self.notices)));
    }

    /// Prints to standard output.
    ///
    /// A reader that went away is no error (`flowreg list | head -1`), but a full disk is: a script
    /// that keeps the output in a file would go on with half of it. See [`Self::is_output_lost`].
    fn print(&self, text: &str) {
        let stdout = std::io::stdout().lock();
        let written = match AutoStream::choice(&stdout) {
            // An `AutoStream` that takes out colours writes piece by piece. In one write the output
            // of two processes does not mix, and a reader gets all or nothing.
            ColorChoice::Never => write_whole(stdout, &strip_str(text).to_string()),
            choice => write_whole(AutoStream::new(stdout, choice), text),
        };
        if written.is_err_and(|error| error.kind() != ErrorKind::BrokenPipe) {
            self.is_output_lost.set(true);
        }
    }

    /// Whether something that was printed could not be written; the command then ends with exit
    /// code 70.
    pub(crate) fn is_output_lost(&self) -> bool {
        self.is_output_lost.get()
    }
}

/// `1 flow`, `2 flows`
fn counted(count: usize, what: &str) -> String {
    let plural = match (count, what.ends_with("sh")) {
        (1, _) => "",
        // `push`, `pushes`
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {what}{plural}")
}

fn write_whole(mut stream: impl Write, text: &str) -> std::io::Result<()> {
    stream.write_all(text.as_bytes())?;
    stream.flush()
}

/// Prints to standard error. If that fails there is nowhere left to say so.
fn to_stderr(text: &str) {
    let _ = anstream::stderr().lock().write_all(text.as_bytes());
}
