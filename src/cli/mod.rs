//! The command line: arguments, dispatch, exit codes. The only room that knows argv, the
//! environment, the clock and the terminal; they enter here and go on as values.

mod affected;
mod arguments;
mod check;
mod children;
mod delivery;
mod entrypoints;
mod error;
mod exit;
mod flows;
mod gather;
mod hook;
mod hook_command;
mod hook_program;
mod hooks;
mod introspect;
mod list;
mod manifests;
mod outstanding;
mod plan;
mod prefect1;
mod prune;
mod reference;
mod register;
mod selection;
mod session;
mod starts;
mod sync;
mod tag;
mod tag_outputs;
mod tag_rules;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{Parser, Subcommand};

use self::arguments::{Format, Global};
use self::error::CommandError;
use self::flows::FlowsArguments;
use self::hook_command::HookArguments;
use self::hooks::HooksArguments;
use self::list::ListArguments;
use self::plan::PlanArguments;
use self::prune::PruneArguments;
use self::reference::ReferenceCommandArguments;
use self::register::RegisterArguments;
use self::sync::SyncArguments;
use self::tag::TagArguments;
use crate::output::{Printer, Verbosity};
use flowreg_git::tagging::Day;
use flowreg_model::Environment;

pub use self::exit::{ALL as EXIT_CODES, INTERRUPTED};
pub use self::hook_command::is_hook;
pub use self::hook_program::run_hook;

/// Register Prefect flows at the right code reference
#[derive(Debug, Parser)]
#[command(name = "flowreg", version, arg_required_else_help = true, infer_long_args = false)]
#[command(after_help = "The code reference is resolved from BUILD_TAG, then GIT_BRANCH, then the \
    active branch.\n`flowreg reference --explain` shows how.")]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Register what changed
    Register(RegisterArguments),
    /// Show what register would do
    Plan(PlanArguments),
    /// Show the code reference and why
    Reference(ReferenceCommandArguments),
    /// List the flows at the reference
    Flows(FlowsArguments),
    /// List what the target holds
    List(ListArguments),
    /// Make the tag of the next version, push it, register at it
    Tag(TagArguments),
    /// Remove the registrations of branches that are gone
    Prune(PruneArguments),
    /// Register on push: install, uninstall, status
    Hooks(HooksArguments),
    /// Deliver the pushes that wait
    Sync(SyncArguments),
    /// What git's hooks call
    #[command(hide = true)]
    Hook(HookArguments),
}

impl Command {
    fn has_markdown(&self) -> bool {
        matches!(self, Self::Register(_) | Self::Plan(_) | Self::Tag(_))
    }
}

/// What the process hands over: everything that a test must be able to fix.
#[derive(Debug)]
pub struct Process {
    /// The arguments, the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Environment,
    /// The working directory.
    pub directory: PathBuf,
    /// The home directory, if there is one.
    pub home: Option<PathBuf>,
    /// Whether standard error is a terminal.
    pub is_terminal: bool,
    /// What Ctrl-C does.
    pub interrupt: Interrupt,
}

/// Ctrl-C: ends the process at once, unless a command would rather finish what it began.
#[derive(Debug, Clone, Default)]
pub struct Interrupt {
    is_awaited: Arc<AtomicBool>,
    is_requested: Arc<AtomicBool>,
}

impl Interrupt {
    /// Takes note of Ctrl-C, and says whether the process has to end at once.
    pub fn request(&self) -> bool {
        let is_repeated = self.is_requested.swap(true, Ordering::SeqCst);
        is_repeated || !self.is_awaited.load(Ordering::SeqCst)
    }

    /// From now on the command itself looks whether it has to end.
    fn expect(&self) {
        self.is_awaited.store(true, Ordering::SeqCst);
    }

    /// The same until the guard goes.
    fn expect_for_now(&self) -> Expected<'_> {
        Expected { interrupt: self, was_awaited: self.is_awaited.swap(true, Ordering::SeqCst) }
    }

    fn is_requested(&self) -> bool {
        self.is_requested.load(Ordering::SeqCst)
    }
}

/// As long as this lives, the command itself looks whether it has to end.
struct Expected<'a> {
    interrupt: &'a Interrupt,
    was_awaited: bool,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.interrupt.is_awaited.store(self.was_awaited, Ordering::SeqCst);
    }
}

/// Runs one command and returns the process' exit code.
pub fn run(process: Process) -> u8 {
    if is_hook(&process.arguments) {
        crate::push::close_inherited();
    }
    let cli = match Cli::try_parse_from(&process.arguments) {
        Ok(cli) => cli,
        Err(error) => {
            let is_json = arguments::asks_for_json(&process.arguments);
            return arguments::report_usage(&error, is_json);
        }
    };
    let printer = Printer::new(
        cli.global.format == Format::Json,
        cli.global.verbosity(),
        process.is_terminal && !cli.global.no_progress,
    )
    .with_markdown(cli.global.format == Format::Markdown);
    arguments::choose_colour(cli.global.color, &process.environment);
    let directory = match &cli.global.directory {
        Some(directory) => process.directory.join(directory),
        None => process.directory,
    };
    let context = Context {
        environment: process.environment,
        directory,
        home: process.home,
        global: cli.global,
        interrupt: process.interrupt,
        printer,
        is_server: false,
    };
    let result = match &cli.command {
        command if context.global.format == Format::Markdown && !command.has_markdown() => {
            Err(CommandError::usage(
                "--format markdown is for plan, register and tag".to_owned(),
                vec!["flowreg … --format json".to_owned()],
            ))
        }
        Command::Register(arguments) => register::run(&context, arguments),
        Command::Plan(arguments) => plan::run(&context, arguments),
        Command::Reference(arguments) => reference::run(&context, arguments),
        Command::Flows(arguments) => flows::run(&context, arguments),
        Command::List(arguments) => list::run(&context, arguments),
        Command::Tag(arguments) => tag::run(&context, arguments),
        Command::Prune(arguments) => prune::run(&context, arguments),
        Command::Hooks(arguments) => hooks::run(&context, arguments),
        Command::Sync(arguments) => sync::run(&context, arguments),
        Command::Hook(arguments) => Ok(hook_command::run(&context, arguments)),
    };
    if !matches!(cli.command, Command::Sync(_) | Command::Hook(_)) {
        outstanding::tell_what_waits(&context);
    }
    let code = result.unwrap_or_else(|error| {
        context.printer.error(&error.report());
        error.exit_code
    });
    if context.printer.is_output_lost() { exit::report_lost_output() } else { code }
}

/// What every command gets.
#[derive(Debug)]
struct Context {
    environment: Environment,
    directory: PathBuf,
    home: Option<PathBuf>,
    global: Global,
    interrupt: Interrupt,
    printer: Printer,
    /// Whether others push to this repository: what they push is read, and never run.
    is_server: bool,
}

impl Context {
    /// The same for work that nobody watches: it prints nothing.
    fn silent(&self) -> Self {
        Self {
            environment: self.environment.clone(),
            directory: self.directory.clone(),
            home: self.home.clone(),
            global: self.global.clone(),
            interrupt: self.interrupt.clone(),
            printer: Printer::new(false, Verbosity::Quiet, false),
            is_server: self.is_server,
        }
    }
}

/// An exit code, or the error that carries one.
type CommandResult = Result<u8, CommandError>;

/// Which day it is, in UTC.
fn today() -> Day {
    let today = jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let week = today.iso_week_date();
    Day {
        year: u16::try_from(today.year()).unwrap_or_default(),
        month: u8::try_from(today.month()).unwrap_or_default(),
        day: u8::try_from(today.day()).unwrap_or_default(),
        week: u8::try_from(week.week()).unwrap_or_default(),
        week_year: u16::try_from(week.year()).unwrap_or_default(),
    }
}

/// The time that registrations and the ledger carry, RFC 3339 in UTC to the second.
fn now() -> String {
    jiff::Timestamp::now().round(jiff::Unit::Second).unwrap_or_default().to_string()
}
