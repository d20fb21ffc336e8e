//! `flowreg tag`: makes the tag of the next version, pushes exactly that ref, registers at it.

use std::time::Instant;

use clap::{ArgGroup, Args, ValueEnum};
use flowreg_git::tagging::Bump;
use flowreg_model::RemoteName;

use super::error::CommandError;
use super::{CommandResult, Context, exit, question, report, tag_outputs};
use crate::output::{TagReport, publish_question};
use crate::registration::PlanSummary;
use crate::run::{
    ReferenceChoice, RunRequest, TagOutcome, TagRegistration, TagRequest, TagResult, TaggedCommit,
};

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
// What goes with a plan goes with one that is carried out and with one that is only shown; what
// asks nobody but this clone, with what makes no tag.
#[command(group = ArgGroup::new("making").multiple(true))]
#[command(group = ArgGroup::new("planning").multiple(true))]
#[command(group = ArgGroup::new("showing").multiple(true))]
pub(super) struct TagArguments {
    /// This version, with or without the prefix; without it the next one
    #[arg(value_name = "VERSION", conflicts_with_all = ["bump", "pre", "build"], group = "making")]
    version: Option<String>,
    /// Which part goes up, instead of what the commits ask for
    #[arg(long, value_enum, value_name = "PART", group = "making")]
    bump: Option<BumpWord>,
    /// What a pre-release is called, with --bump pre
    #[arg(long, value_name = "WORD", group = "making")]
    pre: Option<String>,
    /// Build metadata of the version
    #[arg(long, value_name = "WORD", group = "making")]
    build: Option<String>,
    /// The package of [tag.package] in flowreg.toml
    #[arg(long, value_name = "NAME")]
    package: Option<String>,
    /// The commit to tag; HEAD if nothing is said
    #[arg(long, value_name = "REVISION", group = "making")]
    commit: Option<String>,
    /// Print the tag, and make none
    #[arg(long, group = "showing", conflicts_with_all = ["planning", "sign", "with_branch"])]
    print: bool,
    /// Show the tag and the plan for it, and make and register nothing
    #[arg(long, group = "planning")]
    dry_run: bool,
    /// List the tags of the series, the highest version first
    #[arg(long, group = "showing", conflicts_with_all = ["making", "planning", "print"])]
    list: bool,
    /// Go by the tags that are here, with --print or --list
    #[arg(long, requires = "showing")]
    offline: bool,
    /// Publish the tag without asking; only on a terminal it is asked
    #[arg(short, long, group = "making")]
    yes: bool,
    /// Sign the tag, as git is configured to
    #[arg(long, group = "making")]
    sign: bool,
    /// The tag's message, instead of the list of commits
    #[arg(short, long, value_name = "TEXT", group = "making")]
    message: Option<String>,
    /// Push the active branch together with the tag, both or none
    #[arg(long, group = "making")]
    with_branch: bool,
    /// Tag a commit that is not on a mainline branch
    #[arg(long, group = "making")]
    off_mainline: bool,
    /// Register at the tag
    #[arg(long, group = "planning")]
    register: bool,
    /// The remote to push to, which workers clone from
    #[arg(long, value_name = "NAME")]
    remote: Option<RemoteName>,
    /// Take a version that is lower than others, and register it
    #[arg(long, group = "making")]
    allow_downgrade: bool,
    /// Take over deployments that flowreg did not create, with --register
    #[arg(long, requires = "planning")]
    adopt: bool,
    /// Register deployments whose runs would not use the code at the tag, with --register
    #[arg(long, requires = "planning")]
    allow_unpinned: bool,
    /// Run the build and push steps of prefect.yaml, with --register
    #[arg(long, requires = "planning")]
    run_steps: bool,
    /// At most this many writes at once, with --register
    #[arg(long, value_name = "N", requires = "planning", value_parser = clap::value_parser!(u16).range(1..=64))]
    jobs: Option<u16>,
    /// Write the results to a file of NAME=value lines
    #[arg(long, value_name = "FILE", group = "making")]
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
    /// Whether a tag may be made.
    pub(super) fn publishes(&self) -> bool {
        !(self.print || self.list || self.dry_run)
    }

    /// As a run takes it.
    fn request(&self) -> TagRequest {
        let remote = self.remote.clone();
        TagRequest {
            version: self.version.clone(),
            bump: self.bump.map(Bump::from),
            pre: self.pre.clone(),
            build: self.build.clone(),
            package: self.package.clone(),
            commit: self.commit.clone(),
            print: self.print,
            dry_run: self.dry_run,
            offline: self.offline,
            sign: self.sign,
            message: self.message.clone(),
            with_branch: self.with_branch,
            off_mainline: self.off_mainline,
            register: self.register,
            run: RunRequest {
                reference: ReferenceChoice { remote, ..ReferenceChoice::default() },
                allow_downgrade: self.allow_downgrade,
                adopt: self.adopt,
                allow_unpinned: self.allow_unpinned,
                run_steps: self.run_steps,
                jobs: self.jobs.map(usize::from),
                ..RunRequest::default()
            },
        }
    }
}

pub(super) fn run(context: &Context<'_>, arguments: &TagArguments) -> CommandResult {
    let opened = context.open()?;
    let request = arguments.request();
    if arguments.list {
        context.printer.tag_list(&opened.list_tags(&request)?);
        return Ok(exit::DONE);
    }
    let started = Instant::now();
    let agree = |tagged: &TaggedCommit, plan: Option<PlanSummary>| {
        arguments.yes || !context.can_ask || question::agrees(&publish_question(tagged, plan))
    };
    let TagResult { tagged, not_made, registration } = opened.tag(&request, &agree)?;
    let mut report = TagReport::new(tagged);
    let is_unreleased = report.outcome == TagOutcome::Nothing && !report.affected.is_empty();
    let mut code = if is_unreleased { exit::NOTHING_TO_RELEASE } else { exit::DONE };
    if let Some(error) = not_made.map(CommandError::from) {
        (code, report.error) = (error.exit_code, Some(context.completed(error.report())));
    }
    match registration {
        None => {}
        Some(Ok(TagRegistration::Planned(mut plan))) => {
            if arguments.dry_run {
                plan.notices.extend(plan.missing_children()?);
            }
            let refusal = report::all_or_nothing(&plan);
            let (planned, partial) = report::planned(context, *plan);
            code = if report.outcome == TagOutcome::Refused { refusal } else { partial };
            report.registration = Some(planned);
        }
        Some(Ok(TagRegistration::Applied(applied))) => {
            let duration = started.elapsed().as_millis();
            let (applied, exit_code) = report::applied(context, *applied, duration);
            (code, report.registered) = (exit_code, exit_code == exit::DONE);
            report.registration = Some(applied);
        }
        // Not returned as an error: the tag is at the remote by now, and has to be reported in any case.
        Some(Err(error)) => {
            let error = CommandError::from(error);
            let of_registration = context.noticed_so_far().into_iter();
            let is_new = |notice: &String| !report.notices.contains(notice);
            let of_registration: Vec<String> = of_registration.filter(is_new).collect();
            report.notices.extend(of_registration);
            (code, report.error) = (error.exit_code, Some(context.completed(error.report())));
        }
    }
    // Also if the registration failed: the tag exists by now, and the next step of a job needs its name.
    if let Some(registration) = &report.registration {
        context.printer.problems(&report::with_excerpts(&registration.errors));
    }
    context.printer.tag(&report, arguments.print);
    // An error here is returned last, so that it doesn't hide the one of the registration.
    let written =
        tag_outputs::write(context, arguments.dotenv.as_deref(), &report, arguments.print);
    // In JSON the error is a part of the one object that was printed.
    if let Some(error) = report.error.as_ref().filter(|_| !context.printer.is_json()) {
        context.printer.error(error, &[]);
    }
    written.map(|()| code)
}
