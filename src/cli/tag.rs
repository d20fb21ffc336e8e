//! `flowreg tag`: makes the tag of the next version, pushes exactly that ref, registers at it.

use std::time::Instant;

use clap::{ArgGroup, Args, ValueEnum};
use flowreg_git::tagging::Bump;
use flowreg_model::{RemoteName, escaped};

use super::error::CommandError;
use super::{CommandResult, Context, exit, question, report, tag_outputs};
use crate::output::{ErrorReport, TagListReport, TagReport};
use crate::run::{
    Opened, PlannedRun, ReferenceChoice, RunRequest, TagList, TagOutcome, TagRegistration,
    TagRequest, TagResult, TaggedCommit,
};

#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
#[derive(Debug, Args)]
// What goes with a plan goes with one that is carried out and with one that is only shown; what
// asks nobody but this clone, with what makes no tag.
#[command(group = ArgGroup::new("planning").multiple(true))]
#[command(group = ArgGroup::new("showing").multiple(true))]
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
    #[arg(long, group = "showing", conflicts_with_all = ["planning", "sign", "with_branch"])]
    print: bool,
    /// Show the tag and the plan for it, and make and register nothing
    #[arg(long, group = "planning")]
    dry_run: bool,
    /// List the tags of the series, the highest version first
    #[arg(
        long,
        group = "showing",
        conflicts_with_all = [
            "version", "bump", "pre", "build", "commit", "print", "planning", "sign", "message",
            "with_branch", "off_mainline", "allow_downgrade", "yes", "dotenv",
        ]
    )]
    list: bool,
    /// Go by the tags that are here, with --print or --list
    #[arg(long, requires = "showing")]
    offline: bool,
    /// Publish the tag without asking; only on a terminal it is asked
    #[arg(short, long)]
    yes: bool,
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
    #[arg(long, group = "planning")]
    register: bool,
    /// The remote to push to, which workers clone from
    #[arg(long, value_name = "NAME")]
    remote: Option<RemoteName>,
    /// Take a version that is lower than others, and register it
    #[arg(long)]
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
            dry_run: self.dry_run,
            offline: self.offline,
            sign: self.sign,
            message: self.message.clone(),
            with_branch: self.with_branch,
            off_mainline: self.off_mainline,
            register: self.register,
            run: RunRequest {
                reference: ReferenceChoice {
                    remote: self.remote.clone(),
                    ..ReferenceChoice::default()
                },
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
        return list(context, &opened, &request);
    }
    let started = Instant::now();
    let agree = |tagged: &TaggedCommit, plan: Option<&PlannedRun<'_>>| {
        arguments.yes || !context.can_ask || question::agrees(&question(tagged, plan))
    };
    let TagResult { tagged, registration } = opened.tag(&request, &agree)?;
    let mut report = TagReport::new(tagged);
    let mut code = match report.outcome {
        TagOutcome::Nothing if !report.affected.is_empty() => exit::NOTHING_TO_RELEASE,
        TagOutcome::Declined => exit::REFUSED,
        _ => exit::DONE,
    };
    report.error = ended_because(&report);
    match registration {
        None => {}
        Some(Ok(TagRegistration::Planned(mut plan))) => {
            plan.notices.extend(plan.missing_children()?);
            let refusal = report::all_or_nothing(&plan);
            let (planned, partial) = report::planned(context, *plan);
            code = if report.outcome == TagOutcome::Refused { refusal } else { partial };
            report.registration = Some(planned);
        }
        Some(Ok(TagRegistration::Applied(applied))) => {
            let duration = started.elapsed().as_millis();
            let (applied, exit_code) = report::applied(context, *applied, duration);
            code = exit_code;
            report.registered = code == exit::DONE;
            report.registration = Some(applied);
        }
        // Not returned as an error: the tag is at the remote by now, and has to be reported in any case.
        Some(Err(error)) => {
            let error = CommandError::from(error);
            code = error.exit_code;
            report.error = Some(error.report());
        }
    }
    finish(context, arguments, &report).map(|()| code)
}

/// Prints the report and writes the files for CI. Both are done even if the registration failed: the
/// tag exists by now, and the next step of a job needs its name.
fn finish(
    context: &Context<'_>,
    arguments: &TagArguments,
    report: &TagReport,
) -> Result<(), CommandError> {
    if let Some(registration) = &report.registration {
        context.printer.problems(&report::with_excerpts(&registration.errors));
    }
    context.printer.tag(report, arguments.print);
    // An error here is returned last, so that it doesn't hide the one of the registration.
    let written = tag_outputs::write(context, arguments.dotenv.as_deref(), report, arguments.print);
    // In JSON the error is a part of the one object that was printed.
    if let Some(error) = report.error.as_ref().filter(|_| !context.printer.is_json()) {
        context.printer.error(error);
    }
    written
}

/// Why a tag that would come next was not made.
fn ended_because(report: &TagReport) -> Option<ErrorReport> {
    let tag = report.tag.as_ref()?;
    let (code, message, hints) = match report.outcome {
        TagOutcome::Refused => (
            "plan_refused",
            format!("no tag is made: not everything could be registered at {tag}"),
            vec![
                "flowreg tag, without --register, makes it all the same".to_owned(),
                format!("flowreg register --tag {tag} then registers what can be"),
            ],
        ),
        TagOutcome::Declined => (
            "declined",
            format!("no tag is made: {tag} was not agreed to"),
            vec!["--yes answers the question".to_owned()],
        ),
        _ => return None,
    };
    let code = code.to_owned();
    Some(ErrorReport { code, place: None, message, causes: Vec::new(), hints })
}

/// `publish tag v1.5.0 at 3f2a91c on origin, and register 2 new and 1 changed? It can't be taken back`
fn question(tagged: &TaggedCommit, plan: Option<&PlannedRun<'_>>) -> String {
    let tag = tagged.tag.as_ref().map(|(tag, _)| escaped(tag)).unwrap_or_default();
    let remote = tagged.remote.as_ref().map(|remote| format!(" on {remote}")).unwrap_or_default();
    let plan = plan.map(|plan| {
        let summary = plan.plan.summary();
        format!(", and register {} new and {} changed", summary.create, summary.update)
    });
    let at = tagged.commit.short();
    format!("publish tag {tag} at {at}{remote}{}? It can't be taken back", plan.unwrap_or_default())
}

fn list(context: &Context<'_>, opened: &Opened<'_>, request: &TagRequest) -> CommandResult {
    let TagList { tags, remote, notices } = opened.list_tags(request)?;
    context.printer.tag_list(&TagListReport { remote, tags, notices });
    Ok(exit::DONE)
}
