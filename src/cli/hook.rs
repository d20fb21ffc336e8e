//! `flowreg hook`: what the shims call. A push goes on whatever happens here, unless a check before
//! the push was asked for and refuses it.

use std::io::Read;
use std::path::Path;
use std::time::Duration;

use clap::{Args, Subcommand};

use super::check::{Checked, check};
use super::delivery::{self, Registrar};
use super::{Context, exit, session};
use crate::git::{
    GitDirectories, Repository, binds_to_repository, git_directories, is_mainline, unattended,
};
use crate::model::BranchName;
use crate::push::{
    GitProcess, Log, Place, PushedLine, QueuedPush, RECHECKS, detach, own_session, pre_push_lines,
    queued, received_lines, watch,
};
use crate::store::Outbox;

/// From when on a push has been waiting for long.
const OLD: Duration = Duration::from_hours(1);

#[derive(Debug, Args)]
pub struct HookArguments {
    #[command(subcommand)]
    hook: Hook,
}

#[derive(Debug, Subcommand)]
enum Hook {
    /// Queue what is about to be pushed
    PrePush {
        /// The remote's name, or its address
        remote: Option<String>,
        /// The remote's address
        url: Option<String>,
    },
    /// Queue what was received
    PostReceive,
    /// Queue what pre-commit or prek tell of a push
    PreCommit,
    /// See queued pushes through
    Watch,
}

pub fn run(context: &Context, arguments: &HookArguments) -> u8 {
    if context.environment.get("FLOWREG_HOOKS") == Some("0") {
        return exit::DONE;
    }
    match &arguments.hook {
        Hook::PrePush { remote: Some(remote), url: Some(url) } => pre_push(context, remote, url),
        // Some graphical clients run the hook without telling it anything (facts/hooks.md §1).
        Hook::PrePush { .. } => exit::DONE,
        Hook::PreCommit => pre_commit(context),
        Hook::PostReceive => post_receive(context),
        Hook::Watch => {
            watch_outbox(context);
            exit::DONE
        }
    }
}

/// Where the hook runs, and what could be found out about it.
struct Hooked<'a> {
    context: &'a Context,
    repository: Option<Repository>,
    directories: GitDirectories,
}

impl<'a> Hooked<'a> {
    fn new(context: &'a Context) -> Option<Self> {
        let repository = Repository::discover(&context.directory, &context.environment).ok();
        if repository.as_ref().and_then(|one| one.switch("flowreg.enabled")) == Some(false) {
            return None;
        }
        let directories = match &repository {
            Some(repository) => GitDirectories {
                git_dir: repository.git_dir().to_owned(),
                common_dir: repository.common_dir().to_owned(),
            },
            None => git_directories(&context.directory, &context.environment)?,
        };
        Some(Self { context, repository, directories })
    }

    fn is_verbose(&self) -> bool {
        let configured = || self.repository.as_ref()?.switch("flowreg.verbose");
        self.context.printer.is_verbose() || configured() == Some(true)
    }

    /// The record of a line, or why it is none.
    fn record(&self, line: PushedLine, place: &Place<'_>) -> Result<QueuedPush, String> {
        if !line.is_registrable() {
            return Err(format!("{} is no branch or tag that is registered", line.reference));
        }
        let Some(repository) = &self.repository else { return Ok(queued(line, place, None, None)) };
        let branch = line.reference.strip_prefix("refs/heads/").map(str::parse::<BranchName>);
        let mut push = queued(line, place, Some(repository), None);
        let commit = push.commit.as_ref().or(push.before.as_ref());
        // What is wrong with the configuration is told by the one who delivers.
        let Ok((settings, target)) = session::settings_at(self.context, repository, commit) else {
            return Ok(push);
        };
        if let Some(Ok(branch)) = branch
            && is_mainline(&settings.repository.mainline, &branch).unwrap_or(false)
        {
            return Err(format!("{branch} is a mainline branch: push a tag to register it"));
        }
        push.target = Some(delivery::chosen(&target));
        Ok(push)
    }

    /// Writes the records and returns how many there are.
    fn queue(&self, lines: Vec<PushedLine>, place: &Place<'_>) -> usize {
        let mut records = Vec::new();
        for line in lines {
            match self.record(line, place) {
                Ok(push) => records.push(push),
                Err(why) if self.is_verbose() => self.say(&why),
                Err(_) => {}
            }
        }
        if records.is_empty() {
            return 0;
        }
        match self.outbox().put(&records) {
            Ok(ids) => ids.len(),
            Err(error) => {
                self.say(&format!("nothing is queued: {error}; after the push: flowreg register"));
                0
            }
        }
    }

    /// The check before the push, where it is asked for.
    fn refuses(&self, lines: &[PushedLine]) -> bool {
        let Some(repository) = &self.repository else { return false };
        match check(self.context, repository, lines) {
            Checked::Good => false,
            Checked::Wrong(problems) => {
                problems.iter().for_each(|problem| self.say(problem));
                self.say("the push is refused, as [hooks] blocking = true asks; all the same: git push --no-verify");
                true
            }
            Checked::TooLong(limit) => {
                self.say(&format!("not checked within {} s: the push goes on", limit.as_secs()));
                false
            }
        }
    }

    /// One line if something has been waiting for long.
    fn tell_of_old_ones(&self) {
        let old = self.outbox().ids().iter().filter(|id| Outbox::age(id) > OLD).count();
        if old > 0 {
            self.say(&format!("{old} waiting for more than an hour: flowreg sync --status"));
        }
    }

    fn outbox(&self) -> Outbox {
        Outbox::of(&self.directories.common_dir)
    }

    fn start_watcher(&self) {
        let environment = &self.context.environment;
        let absolute = |path: &str| self.context.directory.join(path);
        let work_tree = environment.get("GIT_WORK_TREE").map(absolute);
        let mut variables: Vec<(&str, &Path)> = vec![("GIT_DIR", &self.directories.git_dir)];
        variables.extend(work_tree.iter().map(|path| ("GIT_WORK_TREE", path.as_path())));
        let directory = self.context.directory.display().to_string();
        let started = std::env::current_exe().and_then(|program| {
            detach(
                &program,
                &["-C", &directory, "hook", "watch"],
                &variables,
                binds_to_repository,
                environment.iter().map(|(name, _)| name.to_owned()),
            )
        });
        if let Err(error) = started {
            self.say(&format!("queued, but nothing watches the push ({error}): flowreg sync"));
        }
    }

    fn say(&self, text: &str) {
        self.context.printer.hook(text);
    }
}

fn pre_push(context: &Context, remote: &str, url: &str) -> u8 {
    let lines = pre_push_lines(&standard_input());
    if lines.is_empty() {
        return exit::DONE;
    }
    queue_push(context, lines, remote, url)
}

/// What pre-commit and prek tell of a push: its first ref, in variables (facts/hooks.md §5).
fn pre_commit(context: &Context) -> u8 {
    let value = |name: &str| context.environment.get(name);
    let (Some(remote), Some(url), Some(reference)) = (
        value("PRE_COMMIT_REMOTE_NAME"),
        value("PRE_COMMIT_REMOTE_URL"),
        value("PRE_COMMIT_REMOTE_BRANCH"),
    ) else {
        context.printer.hook("nothing is queued: this is no pre-push hook of pre-commit or prek");
        return exit::DONE;
    };
    // Of a push with a root commit only the local ref is known.
    let pushed = value("PRE_COMMIT_TO_REF").and_then(|id| id.parse().ok()).or_else(|| {
        let repository = Repository::discover(&context.directory, &context.environment).ok()?;
        repository.object_named(value("PRE_COMMIT_LOCAL_BRANCH")?)
    });
    let Some(object) = pushed else { return exit::DONE };
    let reference = reference.to_owned();
    let line = PushedLine { reference, object: Some(object), before: None };
    context.printer.hook(
        "pre-commit and prek tell of the first ref only; `flowreg hooks install` sees all of them",
    );
    queue_push(context, vec![line], remote, url)
}

fn queue_push(context: &Context, lines: Vec<PushedLine>, remote: &str, url: &str) -> u8 {
    let Some(hooked) = Hooked::new(context) else { return exit::DONE };
    if hooked.refuses(&lines) {
        return exit::REFUSED;
    }
    let git = Some(GitProcess::pushing());
    let place = Place { remote, url, directory: &context.directory, git, is_received: false };
    hooked.tell_of_old_ones();
    let count = hooked.queue(lines, &place);
    if count > 0 {
        if is_ci(context) {
            hooked.say("queued; in CI nothing watches the push: run `flowreg sync` after it");
        } else {
            hooked.start_watcher();
        }
    }
    exit::DONE
}

fn post_receive(context: &Context) -> u8 {
    let lines = received_lines(&standard_input());
    if lines.is_empty() {
        return exit::DONE;
    }
    let Some(hooked) = Hooked::new(context) else { return exit::DONE };
    let here = hooked.directories.common_dir.display().to_string();
    let place = Place {
        remote: &here,
        url: &here,
        directory: &context.directory,
        git: None,
        is_received: true,
    };
    let count = hooked.queue(lines, &place);
    if count > 0 {
        hooked.say(&format!("{count} queued for registration"));
        hooked.start_watcher();
    }
    exit::DONE
}

/// The watcher: whatever it meets, it leaves a line in the log.
fn watch_outbox(context: &Context) {
    own_session();
    let environment = unattended(&context.environment);
    let Some(directories) = git_directories(&context.directory, &environment) else { return };
    let outbox = Outbox::of(&directories.common_dir);
    let log = Log::of(&outbox);
    let repository = match Repository::discover(&context.directory, &environment) {
        Ok(repository) => repository,
        Err(error) => return log.write("watcher", &error.to_string()),
    };
    let context = Context { environment, ..context.silent() };
    let rechecks = rechecks(&context);
    if let Err(error) = watch(&outbox, &repository, &Registrar::new(&context), &rechecks) {
        log.write("watcher", &error.to_string());
    }
}

/// `FLOWREG_RECHECKS`, in seconds: `2,10,60`.
pub fn rechecks(context: &Context) -> Vec<Duration> {
    let read = |text: &str| -> Option<Vec<Duration>> {
        text.split(',')
            .map(|part| Duration::try_from_secs_f64(part.trim().parse().ok()?).ok())
            .collect()
    };
    let told = context.environment.get("FLOWREG_RECHECKS").and_then(read);
    told.unwrap_or_else(|| RECHECKS.to_vec())
}

fn is_ci(context: &Context) -> bool {
    let value = context.environment.get("CI").unwrap_or("false");
    !["false", "0"].contains(&value)
}

fn standard_input() -> Vec<u8> {
    let mut input = Vec::new();
    // What could be read is what there is.
    let _ = std::io::stdin().lock().read_to_end(&mut input);
    input
}

/// Whether the command line is that of a hook: it needs no handler for Ctrl-C, and keeps no
/// descriptor that it inherited.
pub fn is_hook(arguments: &[std::ffi::OsString]) -> bool {
    let words = arguments.iter().skip(1).take(3);
    let mut words = words.skip_while(|word| *word == "-C" || Path::new(word).is_absolute());
    words.next().is_some_and(|word| word == "hook")
}
