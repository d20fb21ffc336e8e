//! The arguments that commands share, and what clap can't say by itself.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::exit;
use crate::output::{ErrorReport, Printer, Verbosity};
use crate::run::{FlowFilter, ReferenceChoice, RunRequest};
use flowreg_git::Untagged;
use flowreg_model::{Environment, RemoteName, TargetKind};

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Clone, Args)]
pub(super) struct Global {
    /// Run as if started in DIR
    #[arg(short = 'C', value_name = "DIR", global = true, help_heading = "Global options")]
    pub directory: Option<PathBuf>,
    /// Read this file instead of flowreg.toml at the reference
    #[arg(long, value_name = "FILE", global = true, help_heading = "Global options")]
    pub config: Option<PathBuf>,
    /// Where registrations live
    #[arg(long, value_enum, value_name = "TARGET", global = true, help_heading = "Global options")]
    pub target: Option<TargetWord>,
    /// How results are printed
    #[arg(
        long,
        value_enum,
        default_value = "human",
        value_name = "FORMAT",
        global = true,
        help_heading = "Global options"
    )]
    pub format: Format,
    /// Print errors only
    #[arg(short, long, global = true, help_heading = "Global options")]
    pub quiet: bool,
    /// Print unchanged registrations and details
    #[arg(short, long, help_heading = "Global options", global = true, conflicts_with = "quiet")]
    pub verbose: bool,
    /// Log on standard error what is done: references, git processes, requests, caches
    #[arg(long, global = true, help_heading = "Global options")]
    pub debug: bool,
    /// When to colour the output
    #[arg(
        long,
        value_enum,
        default_value = "auto",
        value_name = "WHEN",
        global = true,
        help_heading = "Global options"
    )]
    pub color: Colour,
    /// Never show progress
    #[arg(long, global = true, help_heading = "Global options")]
    pub no_progress: bool,
}

impl Global {
    pub(super) fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (_, true) => Verbosity::Verbose,
            _ => Verbosity::Normal,
        }
    }
}

/// Which code reference a command is about.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ReferenceArguments {
    /// Take this tag
    #[arg(long, help_heading = "Code reference", value_name = "TAG", conflicts_with = "branch")]
    pub tag: Option<String>,
    /// Take this branch
    #[arg(long, help_heading = "Code reference", value_name = "BRANCH")]
    pub branch: Option<String>,
    /// The remote that workers clone from
    #[arg(long, help_heading = "Code reference", value_name = "NAME")]
    pub remote: Option<RemoteName>,
    /// Do not ask the remote whether it has the reference
    #[arg(long, help_heading = "Code reference")]
    pub offline: bool,
    /// Use flags, BUILD_TAG, GIT_BRANCH and the active branch only
    #[arg(long, help_heading = "Code reference")]
    pub strict: bool,
    /// What to do on a mainline branch without a tag
    #[arg(long, value_enum, help_heading = "Code reference", value_name = "WHAT")]
    pub untagged: Option<UntaggedWord>,
}

impl ReferenceArguments {
    /// As a run takes it.
    pub(super) fn choice(&self) -> ReferenceChoice {
        ReferenceChoice {
            tag: self.tag.clone(),
            branch: self.branch.clone(),
            remote: self.remote.clone(),
            offline: self.offline,
            strict: self.strict,
            untagged: self.untagged.map(Untagged::from),
        }
    }
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct FlowArguments {
    /// Flow names, flow/deployment, or globs of them; all flows if none is given
    #[arg(value_name = "FLOW")]
    pub flows: Vec<String>,
}

impl FlowArguments {
    /// As a run takes it.
    pub(super) fn filter(&self) -> FlowFilter {
        FlowFilter(self.flows.clone())
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    Human,
    Json,
    /// For a comment or a summary: plan, register, tag
    Markdown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TargetWord {
    Local,
    Prefect,
    Prefect1,
}

impl From<TargetWord> for TargetKind {
    fn from(word: TargetWord) -> Self {
        match word {
            TargetWord::Local => Self::Local,
            TargetWord::Prefect => Self::Prefect,
            TargetWord::Prefect1 => Self::Prefect1,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum UntaggedWord {
    Refuse,
    Branch,
    Commit,
}

impl From<UntaggedWord> for Untagged {
    fn from(word: UntaggedWord) -> Self {
        match word {
            UntaggedWord::Refuse => Self::Refuse,
            UntaggedWord::Branch => Self::Branch,
            UntaggedWord::Commit => Self::Commit,
        }
    }
}

/// Makes the choice that `anstream` follows.
///
/// `anstream` would read `NO_COLOR` itself, but from the process and not from the environment that
/// was handed in, which tests set.
pub(super) fn choose_colour(colour: Colour, environment: &Environment) {
    match colour {
        Colour::Always => anstream::ColorChoice::Always,
        Colour::Never => anstream::ColorChoice::Never,
        Colour::Auto if environment.raw("NO_COLOR").is_some_and(|value| !value.is_empty()) => {
            anstream::ColorChoice::Never
        }
        Colour::Auto => anstream::ColorChoice::Auto,
    }
    .write_global();
}

/// Whether JSON was asked for, when the command line as a whole does not parse.
pub(super) fn asks_for_json(arguments: &[OsString]) -> bool {
    // clap has refused the command line, so its own reading of `--format` is not to be had.
    arguments.iter().any(|argument| argument == "--format=json")
        || arguments
            .windows(2)
            .any(|pair| matches!(pair, [flag, value] if flag == "--format" && value == "json"))
}

/// Prints help, version, or what is wrong with the command line.
pub(super) fn report_usage(error: &clap::Error, is_json: bool) -> u8 {
    if !error.use_stderr() {
        // Help and version. With standard output closed (`flowreg --help | head -1`) there is nobody
        // left to print for.
        let _ = error.print();
        return exit::DONE;
    }
    if is_json {
        // clap writes several lines for people; the first one says what is wrong.
        let text = error.to_string();
        let message = text.lines().next().unwrap_or("").trim_start_matches("error: ").to_owned();
        let report = ErrorReport {
            code: "usage".to_owned(),
            place: None,
            message,
            causes: Vec::new(),
            hints: vec!["flowreg --help".to_owned()],
        };
        Printer::new(true, Verbosity::Normal, false).error(&report, &[]);
    } else {
        let _ = error.print();
    }
    exit::USAGE
}

/// What `plan` and `register` share.
#[expect(clippy::struct_excessive_bools, reason = "each is an option of its own")]
#[derive(Debug, Clone, Default, Args)]
pub(super) struct RunArguments {
    #[command(flatten)]
    pub flows: FlowArguments,
    #[command(flatten)]
    pub since: SinceArguments,
    /// Replace a newer version with an older one
    #[arg(long)]
    pub allow_downgrade: bool,
    /// Take over deployments that flowreg did not create
    #[arg(long)]
    pub adopt: bool,
    /// Register deployments whose runs would not use the code at the reference
    #[arg(long)]
    pub allow_unpinned: bool,
    /// Run the build and push steps of prefect.yaml, for templates that need their outputs
    #[arg(long)]
    pub run_steps: bool,
    #[command(flatten)]
    pub reference: ReferenceArguments,
}

#[derive(Debug, Clone, Default, Args)]
pub(super) struct SinceArguments {
    /// Only flows that are affected by what changed since a revision
    #[arg(long, value_name = "REVISION", conflicts_with = "all")]
    pub changed_since: Option<String>,
    /// On a feature branch: flows that are as on mainline, too
    #[arg(long)]
    pub all: bool,
}

impl RunArguments {
    /// As a run takes it.
    pub(super) fn request(&self, jobs: Option<u16>) -> RunRequest {
        RunRequest {
            reference: self.reference.choice(),
            flows: self.flows.filter(),
            changed_since: self.since.changed_since.clone(),
            all: self.since.all,
            allow_downgrade: self.allow_downgrade,
            adopt: self.adopt,
            allow_unpinned: self.allow_unpinned,
            run_steps: self.run_steps,
            jobs: jobs.map(usize::from),
        }
    }
}
