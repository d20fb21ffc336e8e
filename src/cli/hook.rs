//! What git's hooks do, whichever of the two programs they call: a push goes on whatever happens
//! here, unless a check before it was asked for and refuses it.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Subcommand;

use super::{Context, exit};
use crate::output::Printer;
use crate::push::{
    GitProcess, HookRun, PreCommitPush, PushCandidate, PushContext, PushedRef, PushedRefs,
    QueuedCount, pre_push_refs, program_beside, received_refs,
};
use crate::run::{Surroundings, is_worth_a_watcher, target_of_settings, waiting_count};
use crate::settings::Settings;
use crate::store::Outbox;
use flowreg_git::git_directories;
use flowreg_model::Environment;

/// A hook of git's, or what it starts.
#[derive(Debug, Subcommand)]
pub(super) enum Hook {
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
    Watch {
        /// The push that has to end first; the records know it as well
        #[arg(long, value_name = "PROCESS")]
        after: Option<GitProcess>,
        /// Where to look if the work tree is gone by then
        #[arg(long, value_name = "DIR")]
        common_dir: Option<PathBuf>,
    },
}

/// What a hook needs to know of its process.
pub(super) struct Caller<'a> {
    pub surroundings: &'a Surroundings,
    pub printer: &'a Printer,
}

/// A push that is about to be made.
pub(super) struct Pushing<'a> {
    pub remote: &'a str,
    pub url: &'a str,
    /// What git wrote to the hook's standard input: one line for each ref.
    pub input: &'a [u8],
}

/// Says whether a push is refused, for commits that ask for a check; [`None`] lets it go on.
pub(super) type Refusal<'a> =
    dyn Fn(&HookRun<'_>, &[PushCandidate], &Pushing<'_>) -> Option<u8> + 'a;

impl Caller<'_> {
    fn environment(&self) -> &Environment {
        &self.surroundings.environment
    }

    fn directory(&self) -> &Path {
        &self.surroundings.directory
    }

    /// `FLOWREG_HOOKS=0`
    pub(super) fn is_off(&self) -> bool {
        self.environment().get("FLOWREG_HOOKS") == Some("0")
    }

    /// Runs one of git's hooks.
    pub(super) fn run(&self, hook: &Hook, refusal: &Refusal<'_>) -> u8 {
        match hook {
            Hook::PrePush { remote: Some(remote), url: Some(url) } => {
                let input = standard_input();
                let lines = pre_push_refs(&input);
                self.queue_push(lines, &Pushing { remote, url, input: &input }, refusal)
            }
            // Some graphical clients run the hook without telling it anything (docs/facts/hooks.md).
            Hook::PrePush { .. } | Hook::Watch { .. } => exit::DONE,
            Hook::PreCommit => self.pre_commit(refusal),
            Hook::PostReceive => self.post_receive(),
        }
    }

    /// What pre-commit and prek tell of a push: its first ref, in variables (docs/facts/hooks.md).
    fn pre_commit(&self, refusal: &Refusal<'_>) -> u8 {
        let Some(told) = PreCommitPush::of(self.environment(), self.directory()) else {
            self.say("nothing is queued: this is no pre-push hook of pre-commit or prek");
            return exit::DONE;
        };
        if told.pushed.is_empty() {
            return exit::DONE;
        }
        self.say(
            "pre-commit and prek tell of the first ref only; `flowreg hooks install` sees all of \
             them",
        );
        let input: String = told.pushed.refs.iter().map(PushedRef::pre_push_line).collect();
        let pushing = Pushing { remote: told.remote, url: told.url, input: input.as_bytes() };
        self.queue_push(told.pushed, &pushing, refusal)
    }

    fn queue_push(&self, pushed: PushedRefs, pushing: &Pushing<'_>, refusal: &Refusal<'_>) -> u8 {
        let say = |text: &str| self.say(text);
        if pushed.is_empty() {
            return exit::DONE;
        }
        let Some(hooked) = HookRun::new(self.environment(), self.directory(), &say) else {
            return exit::DONE;
        };
        let candidates = hooked.candidates(pushed.refs);
        // Before anything is queued: a push that the check refuses will not land.
        if candidates.iter().any(PushCandidate::asks_for_check)
            && let Some(code) = refusal(&hooked, &candidates, pushing)
        {
            return code;
        }
        hooked.report_old_records();
        let git = GitProcess::pushing();
        let push = PushContext::to(pushing.remote, pushing.url, self.directory());
        let push = PushContext { git, ..push };
        hooked.report_not_text(&pushed.not_text, &push);
        let is_verbose = || self.printer.is_verbose() || git.is_some_and(GitProcess::is_verbose);
        let target_of = |settings: &Settings| target_of_settings(self.surroundings, settings);
        let is_told = self.printer.shows_progress() && !git.is_some_and(GitProcess::is_quiet);
        let (candidates, left_out) = hooked.without_tags_of_no_series(candidates);
        if let Some(text) = left_out.filter(|_| is_told || is_verbose()) {
            hooked.report_left_out(&text);
        }
        let queued = hooked.queue(candidates, &push, &target_of, &is_verbose);
        if queued.is_empty() {
            return exit::DONE;
        }
        if is_ci(self.environment()) {
            self.say("queued; in CI nothing watches the push: run `flowreg sync` after it");
            return exit::DONE;
        }
        start_watcher(&hooked, git);
        if is_told {
            hooked.report_queued(queued, &push);
        }
        exit::DONE
    }

    fn post_receive(&self) -> u8 {
        let say = |text: &str| self.say(text);
        let pushed = received_refs(&standard_input());
        if pushed.is_empty() {
            return exit::DONE;
        }
        let Some(hooked) = HookRun::new(self.environment(), self.directory(), &say) else {
            return exit::DONE;
        };
        let here = hooked.common_dir().display().to_string();
        let push = PushContext::to(&here, &here, self.directory());
        let push = PushContext { is_received: true, ..push };
        hooked.report_not_text(&pushed.not_text, &push);
        let candidates = hooked.candidates(pushed.refs);
        let target_of = |settings: &Settings| target_of_settings(self.surroundings, settings);
        let (candidates, left_out) = hooked.without_tags_of_no_series(candidates);
        if let Some(text) = left_out {
            self.say(&text);
        }
        let QueuedCount { refs, deletions } =
            hooked.queue(candidates, &push, &target_of, &|| self.printer.is_verbose());
        let count = refs + deletions;
        if count > 0 {
            self.say(&format!("{count} queued for registration"));
            start_watcher(&hooked, None);
        }
        exit::DONE
    }

    fn say(&self, text: &str) {
        self.printer.hook(text);
    }
}

/// Notes in one line that pushes wait, and starts a watcher for those that may be delivered by now.
pub(super) fn note_waiting_pushes(context: &Context<'_>) {
    let Surroundings { directory, environment, .. } = context.surroundings;
    // Every command comes here, so it must cost next to nothing: the directories are found without
    // opening the repository, and the files of the outbox are only counted.
    let Some(directories) = git_directories(directory, environment) else { return };
    let outbox = Outbox::of(&directories.common_dir);
    let count = waiting_count(&outbox);
    if count == 0 {
        return;
    }
    let (what, verb) = if count == 1 { ("push", "waits") } else { ("pushes", "wait") };
    context.printer.note(&context.command.complete(&format!(
        "{count} {what} {verb} to be registered: `flowreg sync …` delivers, `flowreg sync … \
         --status` says why"
    )));
    let is_off = environment.get("FLOWREG_HOOKS") == Some("0");
    if !is_off && !is_ci(environment) && is_worth_a_watcher(&outbox) {
        let say = |_: &str| {};
        if let Some(hooked) = HookRun::new(environment, directory, &say) {
            start_watcher(&hooked, None);
        }
    }
}

/// Starts a watcher in the background. The small program is preferred: it waits for the end of the
/// push, and loading the large one would take processor time from git meanwhile.
pub(super) fn start_watcher(hooked: &HookRun<'_>, git: Option<GitProcess>) {
    let program = program_beside("flowreg-hook").or_else(|| std::env::current_exe().ok());
    if let Some(program) = program {
        hooked.start_watcher(&program, git);
    }
}

/// Whether this is a CI job, by the variable `CI` that the providers set. No watcher is started
/// there, as runners kill what is left over when a step ends, or wait for it.
pub(super) fn is_ci(environment: &Environment) -> bool {
    let value = environment.get("CI").unwrap_or("false");
    !["false", "0"].contains(&value)
}

fn standard_input() -> Vec<u8> {
    let mut input = Vec::new();
    // An error would come from a client that closed the pipe early. The lines that were read are
    // queued all the same.
    let _ = std::io::stdin().lock().read_to_end(&mut input);
    input
}
