//! `flowreg tag`: makes the tag of the next version, pushes exactly that ref, registers at it.
//!
//! Safe to run twice and in two jobs at once: the remote decides who was first, and who was not
//! looks again.

use std::time::Duration;

use clap::{Args, ValueEnum};

use super::arguments::{ReferenceArguments, RunArguments};
use super::error::CommandError;
use super::register::{self, Registered};
use super::{CommandResult, Context, exit, plan, session, tag_outputs};
use crate::output::{TagOutcome, TagReport};
use crate::settings::Settings;
use flowreg_git::tagging::{
    Bump, Decision, RequestedVersion, Series, SeriesTags, TagError, TagRequest, decide, message,
};
use flowreg_git::{
    PeeledTag, PushOutcome, ReferenceError, ReferenceRequest, ReferenceRules, Rejection, Remote,
    Repository, TagKind, TagPush, Untagged, ci_provider, is_mainline, resolve,
};
use flowreg_model::{
    BranchName, CommitId, ReferenceName, ReferenceSource, RemoteName, TagName, TargetKind,
};

/// How often others may be faster.
const MOST_ROUNDS: u32 = 30;
/// How often a push is tried again that the remote refused without a decision: another job may
/// hold a lock there.
const MOST_REJECTIONS: u32 = 4;

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

pub(super) fn run(context: &Context, arguments: &TagArguments) -> CommandResult {
    let repository = Repository::discover(&context.directory, &context.environment)?;
    let commit = match &arguments.commit {
        Some(revision) => repository.commit_of(revision)?,
        None => repository.head_commit()?,
    };
    let settings =
        session::settings_only(context, &repository, &commit, arguments.remote.as_ref())?;
    let (series, wanted) = wanted(arguments, &settings)?;
    let name = settings.repository.remote.as_ref().map(|remote| &remote.value);
    let remote = repository.remote(name)?;
    if remote.is_none() && !arguments.print {
        return Err(ReferenceError::NoRemote.into());
    }
    let job = Job {
        context,
        arguments,
        repository: &repository,
        settings: &settings,
        series: &series,
        commit: &commit,
        wanted: &wanted,
        remote: remote.as_ref().filter(|_| !arguments.offline),
    };
    let mut report = job.tag()?;
    let registered = match &report.tag {
        Some(tag) if arguments.register => Some(job.register(tag)),
        _ => None,
    };
    finish(context, arguments, &mut report, registered)
}

/// Prints and writes everything; what is wrong with the registration decides the exit code, as the
/// tag is there.
fn finish(
    context: &Context,
    arguments: &TagArguments,
    report: &mut TagReport,
    registered: Option<Result<Registered, CommandError>>,
) -> CommandResult {
    let mut code = exit::DONE;
    let mut failed = None;
    match registered {
        Some(Ok(registered)) => {
            code = registered.code;
            report.registered = code == exit::DONE;
            report.registration = Some(registered.report);
        }
        Some(Err(error)) => {
            code = error.exit_code;
            report.error = Some(error.report());
            failed = Some(error);
        }
        None => {}
    }
    if let Some(registration) = &report.registration {
        context.printer.problems(&plan::with_excerpts(&registration.errors));
    }
    context.printer.tag(report, arguments.print);
    let written = tag_outputs::write(context, arguments.dotenv.as_deref(), report, arguments.print);
    if let Some(error) = failed.filter(|_| !context.printer.is_json()) {
        context.printer.error(&error.report());
    }
    written.map(|()| code)
}

/// Which series and version the arguments mean.
fn wanted(
    arguments: &TagArguments,
    settings: &Settings,
) -> Result<(Series, RequestedVersion), CommandError> {
    let package = arguments.package.as_deref();
    let Some(text) = &arguments.version else {
        let bump = arguments.bump.map(Bump::from);
        if arguments.pre.is_some() && bump != Some(Bump::Pre) {
            let hints = vec!["flowreg tag --bump pre --pre <word>".to_owned()];
            return Err(CommandError::usage("--pre goes with --bump pre".to_owned(), hints));
        }
        let next = RequestedVersion::Next {
            bump,
            pre: arguments.pre.clone(),
            build: arguments.build.clone(),
        };
        return Ok((series(settings, package)?, next));
    };
    let name = text.strip_prefix("refs/tags/").unwrap_or(text);
    let by_prefix = settings.tag.series_by_prefix(name);
    let series = match (package, by_prefix) {
        (None, Some(series)) => series.clone(),
        _ => series(settings, package)?,
    };
    let version = name.strip_prefix(series.prefix.as_str()).and_then(|rest| series.parse(rest));
    let version = version.or_else(|| series.parse(name)).ok_or_else(|| {
        let message = format!("`{text}` is no version of the scheme of {}…", series.prefix);
        CommandError::usage(message, vec!["flowreg tag --print".to_owned()])
    })?;
    Ok((series, RequestedVersion::Exactly { version, may_be_lower: arguments.allow_downgrade }))
}

fn series(settings: &Settings, package: Option<&str>) -> Result<Series, CommandError> {
    settings.tag.series(package).cloned().map_err(|missing| {
        let message = match package {
            Some(name) => format!("there is no package `{name}` under [tag.package]"),
            None => "several packages have versions of their own: which one?".to_owned(),
        };
        let nearest = missing.nearest.map(|name| vec![name]);
        let names = nearest.unwrap_or(missing.packages);
        let hints = names.iter().map(|name| format!("flowreg tag --package {name}")).collect();
        CommandError::usage(message, hints)
    })
}

/// What has to be done, and with what.
struct Job<'a> {
    context: &'a Context,
    arguments: &'a TagArguments,
    repository: &'a Repository,
    settings: &'a Settings,
    series: &'a Series,
    commit: &'a CommitId,
    wanted: &'a RequestedVersion,
    remote: Option<&'a Remote>,
}

impl Job<'_> {
    /// Looks, decides, makes and pushes, until the tag is there or there is none to make.
    fn tag(&self) -> Result<TagReport, CommandError> {
        let asked = TagRequest {
            repository: self.repository,
            series: self.series,
            commit: self.commit,
            version: self.wanted,
            remote: self.remote,
            today: super::today(),
            provider: ci_provider(&self.context.environment),
        };
        let mut rejections = 0;
        for round in 0..MOST_ROUNDS {
            let survey = SeriesTags::read(self.repository, self.series, self.remote)?;
            let decision = decide(&asked, &survey)?;
            let mut report = self.report(&decision);
            let Decision::Create { tag, previous, commits, .. } = &decision else {
                if let Decision::Exists { tag, .. } = &decision {
                    self.bring(tag)?;
                }
                return Ok(report);
            };
            let notice = self.check_mainline(&survey)?;
            report.notices.extend(notice);
            let Some(remote) = self.remote.filter(|_| !self.arguments.print) else {
                return Ok(report);
            };
            let text = self.arguments.message.as_ref().map(|text| format!("{text}\n"));
            let text = text.unwrap_or_else(|| message(tag, previous.as_ref(), commits));
            match self.publish(remote, tag, &text)? {
                PushOutcome::Created => {
                    report.created = true;
                    report.outcome = TagOutcome::Created;
                    return Ok(report);
                }
                // Another job made the same one: the next look finds it.
                PushOutcome::AlreadyThere => {}
                PushOutcome::Rejected(rejection) => {
                    rejections += 1;
                    if self.is_refused(remote, tag, &rejection, rejections)? {
                        return Err(self.rejected(remote, tag, rejection).into());
                    }
                }
            }
            std::thread::sleep(pause(round));
        }
        Err(TagError::Outrun(MOST_ROUNDS).into())
    }

    /// Has the tag here, too, where the embedded registry looks for it.
    fn bring(&self, tag: &PeeledTag) -> Result<(), CommandError> {
        let Some(remote) = self.remote.filter(|_| self.arguments.register) else { return Ok(()) };
        if self.repository.tag_here(&tag.name)?.is_none() {
            if tag.is_annotated() {
                self.repository.fetch_from(remote, &[&tag.object])?;
            }
            self.repository.create_local_tag(&tag.name, &tag.object);
        }
        Ok(())
    }

    /// Whether a rejection is the last word: the remote decided so, or says it again and again
    /// although nobody else made the tag.
    fn is_refused(
        &self,
        remote: &Remote,
        tag: &TagName,
        rejection: &Rejection,
        rejections: u32,
    ) -> Result<bool, CommandError> {
        if rejection.is_of_branch || rejection.is_final() {
            return Ok(true);
        }
        let there = self.repository.ask_for_tags(remote, tag.as_str())?;
        let is_there = there.tags.iter().any(|held| held.name == *tag);
        Ok(!is_there && rejections >= MOST_REJECTIONS)
    }

    fn rejected(&self, remote: &Remote, tag: &TagName, rejection: Rejection) -> TagError {
        TagError::Rejected {
            tag: tag.clone(),
            branch: self.active_branch().map(|branch| branch.to_string()),
            remote: remote.name.clone(),
            rejection: Box::new(rejection),
        }
    }

    fn publish(
        &self,
        remote: &Remote,
        tag: &TagName,
        text: &str,
    ) -> Result<PushOutcome, CommandError> {
        let kind = self.kind()?;
        let held = self.repository.tags_here(tag.as_str())?.into_iter().find(|t| t.name == *tag);
        if let Some(held) = held.as_ref().filter(|held| held.commit != *self.commit) {
            let (tag, here) = (tag.clone(), held.commit.clone());
            return Err(TagError::TakenHere { tag, here, commit: self.commit.clone() }.into());
        }
        // What somebody made by hand is what is pushed, if workers can use it.
        let by_hand = held.filter(|held| {
            kind != TagKind::Signed && held.is_annotated() == (kind == TagKind::Annotated)
        });
        let object = match by_hand {
            Some(held) => held.object,
            None => self.repository.make_tag(tag, self.commit, kind, text)?,
        };
        let branch = if self.arguments.with_branch {
            Some(self.active_branch().ok_or(TagError::NoBranch)?)
        } else {
            None
        };
        let push = TagPush {
            tag,
            object: &object,
            branch: branch.as_ref().map(|branch| (branch, self.commit)),
            // This run registers at the tag itself.
            hooks_register: !self.arguments.register,
        };
        let outcome = self.repository.push_tag(remote, &push)?;
        if outcome == PushOutcome::Created {
            self.repository.create_local_tag(tag, &object);
        }
        Ok(outcome)
    }

    /// What kind of tag the target's workers can use: those of Prefect 1 crash on annotated tags
    /// (`facts/prefect1.md`).
    fn kind(&self) -> Result<TagKind, CommandError> {
        let target = self.settings.target.as_ref().map(|target| target.value);
        let is_signed = self.arguments.sign || self.repository.signs_tags();
        match (target, is_signed) {
            (Some(TargetKind::Prefect1), _) if self.arguments.sign => Err(CommandError::usage(
                "workers of prefect1 can't use a signed tag: it is an annotated one".to_owned(),
                vec!["flowreg tag, without --sign".to_owned()],
            )),
            (Some(TargetKind::Prefect1), _) => Ok(TagKind::Lightweight),
            (_, true) => Ok(TagKind::Signed),
            (_, false) => Ok(TagKind::Annotated),
        }
    }

    /// HEAD's branch, if the commit is its last one.
    fn active_branch(&self) -> Option<BranchName> {
        let rules =
            ReferenceRules { ask_remote: false, mainline: Vec::new(), ..ReferenceRules::default() };
        let request = ReferenceRequest { strict: true, rules, ..ReferenceRequest::default() };
        let bare = flowreg_model::Environment::default();
        let reference = resolve(self.repository, &bare, &request).reference.ok()?;
        match reference.name {
            ReferenceName::Branch(branch) if reference.commit == *self.commit => Some(branch),
            _ => None,
        }
    }

    /// Refuses a commit that production's history lacks; says so where only a tag is printed.
    fn check_mainline(&self, survey: &SeriesTags) -> Result<Option<String>, CommandError> {
        let globs = &self.settings.repository.mainline;
        let name = self.remote.map(|remote| &remote.name);
        let standing = match self.remote {
            Some(_) => self.repository.is_on_mainline(self.commit, globs, name, &survey.branches),
            None => self.repository.is_on_fetched_mainline(self.commit, globs, None),
        };
        let standing = standing.map_err(TagError::from)?;
        let active = self.active_branch();
        let unpushed = match active {
            Some(branch) if is_mainline(globs, &branch)? => Some(branch),
            _ => None,
        };
        let goes_along = self.arguments.with_branch && unpushed.is_some();
        let is_on = match standing {
            Some(is_on) => is_on,
            None => self.is_mainline_build(),
        };
        if is_on || goes_along {
            return Ok(None);
        }
        let is_required =
            self.settings.channel(flowreg_model::Channel::Mainline).require_tag_on_mainline;
        let is_required = is_required == Some(true);
        let error = TagError::NotMainline {
            commit: self.commit.clone(),
            repository: name.map_or_else(|| "this repository".to_owned(), ToString::to_string),
            is_known: standing.is_some(),
            unpushed: unpushed.filter(|_| standing == Some(false)),
            is_required,
        };
        if self.arguments.print || (self.arguments.off_mainline && !is_required) {
            return Ok(Some(error.to_string()));
        }
        Err(error.into())
    }

    /// Whether this is a build of a mainline branch at the commit, as the environment tells.
    fn is_mainline_build(&self) -> bool {
        let rules = ReferenceRules {
            ask_remote: false,
            untagged: Untagged::Branch,
            mainline: self.settings.repository.mainline.clone(),
            ..ReferenceRules::default()
        };
        let request = ReferenceRequest::from(rules);
        let resolution = resolve(self.repository, &self.context.environment, &request);
        resolution.reference.is_ok_and(|reference| {
            let is_named = matches!(
                reference.source,
                ReferenceSource::GitBranch | ReferenceSource::ActiveBranch | ReferenceSource::Ci
            );
            is_named
                && reference.channel == flowreg_model::Channel::Mainline
                && reference.commit == *self.commit
        })
    }

    fn report(&self, decision: &Decision) -> TagReport {
        let mut report = TagReport::new(self.commit.clone());
        report.remote = self.remote.map(|remote| remote.name.clone());
        match decision {
            Decision::Exists { tag, version, previous } => {
                report.outcome = TagOutcome::Exists;
                report.previous.clone_from(previous);
                if self.is_unusable(tag.is_annotated()) {
                    report.notices.push(format!(
                        "{} is an annotated tag, which workers of prefect1 can't check out",
                        tag.name
                    ));
                }
                report.named(tag.name.clone(), version);
            }
            Decision::Create { tag, version, previous, .. } => {
                report.outcome = TagOutcome::Next;
                report.previous.clone_from(previous);
                report.named(tag.clone(), version);
            }
            Decision::Nothing { previous, commits } => {
                report.outcome = TagOutcome::Nothing;
                report.previous.clone_from(previous);
                report.notices.push(nothing(previous.as_ref(), *commits));
            }
            Decision::Contained { by, previous } => {
                report.outcome = TagOutcome::Contained;
                report.previous.clone_from(previous);
                let commit = self.commit.short();
                report.notices.push(format!(
                    "{commit} is in {by} already: a later job was faster, and there is nothing to do"
                ));
            }
        }
        report
    }

    fn is_unusable(&self, is_annotated: bool) -> bool {
        let target = self.settings.target.as_ref().map(|target| target.value);
        is_annotated && target == Some(TargetKind::Prefect1)
    }

    fn register(&self, tag: &TagName) -> Result<Registered, CommandError> {
        let run = RunArguments {
            allow_downgrade: self.arguments.allow_downgrade,
            adopt: self.arguments.adopt,
            run_steps: self.arguments.run_steps,
            reference: ReferenceArguments {
                tag: Some(tag.to_string()),
                remote: self.remote.map(|remote| remote.name.clone()),
                ..ReferenceArguments::default()
            },
            ..RunArguments::default()
        };
        register::carry_out(self.context, &run, self.arguments.jobs.map(usize::from))
    }
}

/// Why there is nothing to release, and what would be one.
fn nothing(previous: Option<&TagName>, commits: usize) -> String {
    let since = previous.map(|tag| format!(" since {tag}")).unwrap_or_default();
    match commits {
        0 => format!("nothing to release: no commits{since}"),
        1 => format!(
            "nothing to release: the one commit{since} is neither feat, fix, perf nor breaking \
             (--bump makes a version all the same)"
        ),
        _ => format!(
            "nothing to release: none of the {commits} commits{since} is feat, fix, perf or \
             breaking (--bump makes a version all the same)"
        ),
    }
}

/// Jobs that met once should not meet again.
fn pause(round: u32) -> Duration {
    let own = u64::from(std::process::id() % 40);
    Duration::from_millis(own + u64::from(round.min(10)) * 25)
}
