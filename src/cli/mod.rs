//! The command line: arguments, dispatch, exit codes. The only room that knows argv, the
//! environment, the clock and the terminal; they enter here and go on as values.

mod arguments;
mod debug;
mod error;
mod exit;
mod flows;
mod git_command;
mod hinted_command;
mod hook;
mod hook_command;
mod hook_program;
mod hooks;
mod list;
mod observer;
mod plan;
mod prune;
mod question;
mod reference;
mod register;
mod report;
mod sync;
mod tag;
mod tag_outputs;
mod user_command;
mod variables;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

use self::arguments::{Format, Global};
use self::error::CommandError;
use self::flows::FlowsArguments;
use self::hook_command::HookArguments;
use self::hooks::HooksArguments;
use self::list::ListArguments;
use self::observer::ProgressObserver;
use self::plan::PlanArguments;
use self::prune::PruneArguments;
use self::reference::ReferenceCommandArguments;
use self::register::RegisterArguments;
use self::sync::SyncArguments;
use self::tag::TagArguments;
use self::user_command::UserCommand;
use self::variables::UnreadVariable;
use crate::output::{ErrorReport, Printer, notice_lines};
use crate::run::{Notice, Opened, Surroundings};
use flowreg_git::ci_build;
use flowreg_model::{Environment, TargetKind};

pub use self::exit::{ALL as EXIT_CODES, INTERRUPTED};
pub use self::hook_command::is_hook;
pub use self::hook_program::run_hook;
pub use crate::run::Interrupt;

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
    /// Whether standard input is one.
    pub is_input_terminal: bool,
    /// What Ctrl-C does.
    pub interrupt: Interrupt,
}

/// Runs one command and returns the process' exit code.
pub fn run(process: Process) -> u8 {
    // Before anything else is opened. Who started `git push` may wait for the end of a pipe that a
    // hook inherits, and a watcher that kept it open would hold that program up for minutes.
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
    let command = UserCommand::new(&process.arguments, cli.global.directory.as_deref());
    // A push is told nothing that does not concern it.
    let is_hook = matches!(cli.command, Command::Hook(_));
    let unread = if is_hook { Vec::new() } else { variables::unread(&process.environment) };
    let printer = Printer::new(
        cli.global.format == Format::Json,
        cli.global.verbosity(),
        process.is_terminal && !cli.global.no_progress,
    )
    .with_markdown(cli.global.format == Format::Markdown)
    .with_notices(unread.iter().map(UnreadVariable::notice).collect());
    arguments::choose_colour(cli.global.color, &process.environment);
    printer.tell_notices();
    let directory = match &cli.global.directory {
        Some(directory) => process.directory.join(directory),
        None => process.directory,
    };
    let surroundings = Surroundings {
        environment: process.environment,
        directory,
        home: process.home,
        config: cli.global.config,
        target: cli.global.target.map(TargetKind::from),
        is_server: false,
        interrupt: process.interrupt,
        clock: jiff::Timestamp::now,
    };
    let observer = ProgressObserver::new(printer.shows_progress());
    // A build has no person in front of it, whatever its standard input is, and a program that reads
    // the output has none either.
    let can_ask = process.is_terminal
        && process.is_input_terminal
        && cli.global.format == Format::Human
        && ci_build(&surroundings.environment).is_none();
    let context = Context {
        surroundings: &surroundings,
        printer: &printer,
        observer: &observer,
        can_ask,
        command: &command,
    };
    let is_markdown = cli.global.format == Format::Markdown;
    // A misspelt FLOWREG_LOG ends any command but a hook's: a push must not fail because of it.
    let log = debug::start(cli.global.debug, &surroundings.environment);
    let refused = variables::refuse_meant_options(&cli.command, &command, &unread);
    let result = match &cli.command {
        _ if log.is_err() && !is_hook => log.map(|()| exit::DONE),
        command if is_markdown && !command.has_markdown() => Err(CommandError::usage(
            "--format markdown is for plan, register and tag".to_owned(),
            vec!["flowreg … --format json".to_owned()],
        )),
        _ if refused.is_err() => refused.map(|()| exit::DONE),
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
    // After the command, which may have registered what waits. `sync` prints the queue itself.
    if !matches!(cli.command, Command::Sync(_) | Command::Hook(_)) {
        hook::note_waiting_pushes(&context);
    }
    let code = result.unwrap_or_else(|error| {
        context.print_error(&error);
        error.exit_code
    });
    // Wins over any other code: a script that reads half a JSON object must not take it for whole.
    if context.printer.is_output_lost() { exit::report_lost_output() } else { code }
}

/// What every command gets.
struct Context<'c> {
    surroundings: &'c Surroundings,
    printer: &'c Printer,
    observer: &'c ProgressObserver,
    /// Whether a person can be asked: on a terminal, and not in a build.
    can_ask: bool,
    command: &'c UserCommand,
}

impl<'c> Context<'c> {
    /// Opens the repository that the command is about.
    fn open(&self) -> Result<Opened<'c>, CommandError> {
        self.observer.forget();
        Ok(Opened::discover(self.surroundings.clone(), self.observer)?)
    }

    /// An error with the user's own command line in its hints.
    fn completed(&self, report: ErrorReport) -> ErrorReport {
        let hints = report.hints.iter().map(|hint| self.command.complete(hint)).collect();
        ErrorReport { hints, ..report }
    }

    /// Prints the error that ends a run, behind what was noticed until then: it may say why the run took this
    /// reference.
    fn print_error(&self, error: &CommandError) {
        self.printer.error(&self.completed(error.report()), &self.noticed_so_far());
    }

    /// What a run that fails has noticed.
    fn noticed_so_far(&self) -> Vec<String> {
        self.notices(self.observer.noticed_so_far())
    }

    /// The notices that are printed; details only with `-v`. What is the same for several deployments
    /// is told once, unless each is wanted.
    fn notices(&self, notices: Vec<Notice>) -> Vec<String> {
        let is_printed = |notice: &Notice| !notice.is_detail || self.printer.is_verbose();
        let notices: Vec<Notice> = notices.into_iter().filter(is_printed).collect();
        let lines = notice_lines(&notices, self.printer.shows_all());
        let lines = lines.iter().map(|line| self.command.complete(line));
        lines.collect()
    }
}

/// An exit code, or the error that carries one.
type CommandResult = Result<u8, CommandError>;
