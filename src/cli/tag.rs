//! `flowreg tag`: makes the tag of the next version, pushes exactly that ref, registers at it.

use std::time::Instant;

use clap::{Args, ValueEnum};
use flowreg_git::tagging::Bump;
use flowreg_model::RemoteName;

use super::error::CommandError;
use super::{CommandResult, Context, exit, report, tag_outputs};
use crate::output::{RunReport, TagReport};
use crate::run::TagRequest;

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
pub(super) struct TagArguments {
    /// This version, with or without the prefix; without it the next one
    #[arg(value_name = "VERSION", conflicts_with_all = ["bump", "pre", "build"])]
    version: Option<String>,
    /// Which part goes up, instead of what the commits ask for
    #[arg(long, value_enum, value_name = "PART")]
    bump: Option<BumpWord>,
    /// What a pre-release is called, with --bump pre
    #[arg(long, value_name = "WORD")]
    pre: Option<String>,
    /// Build metadata of the version
    #[arg(long, value_name = "WORD")]
    build: Option<String>,
    /// The package of [tag.package] in flowreg.toml
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The commit to tag; HEAD if nothing is said
    #[arg(long, value_name = "REVISION")]
    commit: Option<String>,
    /// Print the tag, and make none
    #[arg(long, conflicts_with_all = ["register", "sign", "with_branch"])]
    print: bool,
    /// Go by the tags that are here, with --print
    #[arg(long, requires = "print")]
    offline: bool,
    /// Sign the tag, as git is configured to
    #[arg(long)]
    sign: bool,
    /// The tag's message, instead of the list of commits
    #[arg(short, long, value_name = "TEXT")]
    message: Option<String>,
    /// Push the active branch together with the tag, both or none
    #[arg(long)]
    with_branch: bool,
    /// Tag a commit that is not on a mainline branch
    #[arg(long)]
    off_mainline: bool,
    /// Register at the tag
    #[arg(long)]
    register: bool,
    /// The remote to push to, which workers clone from
    #[arg(long, value_name = "NAME")]
    remote: Option<RemoteName>,
    /// Take a version that is lower than others, and register it
    #[arg(long)]
    allow_downgrade: bool,
    /// Take over deployments that flowreg did not create, with --register
    #[arg(long, requires = "register")]
    adopt: bool,
    /// Register deployments whose runs would not use the code at the tag, with --register
    #[arg(long, requires = "register")]
    allow_unpinned: bool,
    /// Run the build and push steps of prefect.yaml, with --register
    #[arg(long, requires = "register")]
    run_steps: bool,
    /// At most this many writes at once, with --register
    #[arg(long, value_name = "N", requires = "register", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Write the results to a file of NAME=value lines
    #[arg(long, value_name = "FILE")]
    dotenv: Option<std::path::PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum BumpWord {
    Major,
    Minor,
    Patch,
    Pre,
}

impl From<BumpWord> for Bump {
    fn from(word: BumpWord) -> Self {
        match word {
            BumpWord::Major => Self::Major,
            BumpWord::Minor => Self::Minor,
            BumpWord::Patch => Self::Patch,
            BumpWord::Pre => Self::Pre,
        }
    }
}

impl TagArguments {
    /// As a run takes it.
    fn request(&self) -> TagRequest {
        TagRequest {
            version: self.version.clone(),
            bump: self.bump.map(Bump::from),
            pre: self.pre.clone(),
            build: self.build.clone(),
            package: self.package.clone(),
            commit: self.commit.clone(),
            print: self.print,
            offline: self.offline,
            sign: self.sign,
            message: self.message.clone(),
            with_branch: self.with_branch,
            off_mainline: self.off_mainline,
            register: self.register,
            remote: self.remote.clone(),
            allow_downgrade: self.allow_downgrade,
            adopt: self.adopt,
            allow_unpinned: self.allow_unpinned,
            run_steps: self.run_steps,
            jobs: self.jobs.map(usize::from),
        }
    }
}

pub(super) fn run(context: &Context<'_>, arguments: &TagArguments) -> CommandResult {
    let opened = context.open()?;
    let request = arguments.request();
    let tagged = opened.tag(&request)?;
    let started = Instant::now();
    // Not returned with `?`: the tag is at the remote by now, and has to be reported in any case.
    let applied = if request.register { opened.register_at(&tagged, &request) } else { Ok(None) };
    let registered = applied.map(|applied| {
        applied.map(|applied| report::applied(context, applied, started.elapsed().as_millis()))
    });
    finish(context, arguments, TagReport::new(tagged), registered.map_err(CommandError::from))
}

/// Prints the report and writes the files for CI. The tag exists by now, so both are done even if the
/// registration failed: the next step of a job needs the tag's name. The registration decides the
/// exit code.
fn finish(
    context: &Context<'_>,
    arguments: &TagArguments,
    mut report: TagReport,
    registered: Result<Option<(RunReport, u8)>, CommandError>,
) -> CommandResult {
    let mut code = exit::DONE;
    let mut failed = None;
    match registered {
        Ok(Some((registration, exit_code))) => {
            code = exit_code;
            report.registered = code == exit::DONE;
            report.registration = Some(registration);
        }
        Err(error) => {
            code = error.exit_code;
            report.error = Some(error.report());
            failed = Some(error);
        }
        Ok(None) => {}
    }
    if let Some(registration) = &report.registration {
        context.printer.problems(&report::with_excerpts(&registration.errors));
    }
    context.printer.tag(&report, arguments.print);
    // An error here is returned last, so that it doesn't hide the one of the registration.
    let written =
        tag_outputs::write(context, arguments.dotenv.as_deref(), &report, arguments.print);
    // In JSON the error is a part of the one object that was printed.
    if let Some(error) = failed.filter(|_| !context.printer.is_json()) {
        context.printer.error(&error.report());
    }
    written.map(|()| code)
}
