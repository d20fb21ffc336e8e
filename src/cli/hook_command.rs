//! `flowreg hook`: what the shims call where there is no small program, the check before a push,
//! and the watcher.

use std::path::Path;
use std::sync::Arc;

use clap::Args;

use super::hook::{Caller, Hook};
use super::{Context, exit};
use crate::push::{DecisionLog, HookRun, PushCandidate, PushedRef, own_session, rechecks, watch};
use crate::run::{CheckOutcome, Registrar, Surroundings, check};
use crate::store::Outbox;
use flowreg_git::{Repository, binds_to_repository, git_directories, unattended};
use flowreg_model::Environment;

#[derive(Debug, Args)]
pub(super) struct HookArguments {
    #[command(subcommand)]
    hook: Hook,
}

pub(super) fn run(context: &Context<'_>, arguments: &HookArguments) -> u8 {
    let caller = Caller { surroundings: context.surroundings, printer: context.printer };
    if caller.is_off() {
        return exit::DONE;
    }
    match &arguments.hook {
        Hook::Watch { common_dir, .. } => {
            watch_outbox(context, common_dir.as_deref());
            exit::DONE
        }
        hook => caller.run(hook, &|hooked, candidates, _| refuses(context, hooked, candidates)),
    }
}

/// The check before the push, where it is asked for.
fn refuses(
    context: &Context<'_>,
    hooked: &HookRun<'_>,
    candidates: &[PushCandidate],
) -> Option<u8> {
    let lines: Vec<PushedRef> = candidates.iter().map(|one| one.line().clone()).collect();
    let say = |text: &str| context.printer.hook(text);
    match check(context.surroundings, hooked.repository()?, &lines) {
        CheckOutcome::Good => None,
        CheckOutcome::Wrong(problems) => {
            problems.iter().for_each(|problem| say(problem));
            say(
                "the push is refused, as [hooks] blocking = true asks; all the same: git push --no-verify",
            );
            Some(exit::REFUSED)
        }
        CheckOutcome::TooLong(limit) => {
            say(&format!("not checked within {} s: the push goes on", limit.as_secs()));
            None
        }
    }
}

/// Runs the watcher. Nobody sees its standard error, so errors go to the log that
/// `flowreg sync --status` shows.
fn watch_outbox(context: &Context, common_dir: Option<&Path>) {
    own_session();
    // Without a terminal, git or ssh would wait for ever for a password.
    let environment = unattended(&context.surroundings.environment);
    let surroundings = Surroundings { environment, ..context.surroundings.clone() };
    let Surroundings { directory, environment, .. } = &surroundings;
    let repository = Repository::discover(directory, environment);
    let repository = match (repository, common_dir) {
        // The linked work tree that was pushed from is gone; its commits are not.
        (Err(_), Some(common_dir)) => Repository::discover(common_dir, &unbound(environment)),
        (repository, _) => repository,
    };
    let found = || Some(git_directories(directory, environment)?.common_dir);
    let common_dir = common_dir.map(ToOwned::to_owned).or_else(found);
    let Some(outbox) = common_dir.map(|common_dir| Outbox::of(&common_dir)) else { return };
    let log = DecisionLog::of(&outbox);
    let repository = match repository {
        Ok(repository) => Arc::new(repository),
        Err(error) => return log.write("watcher", &error.to_string()),
    };
    let registrar = Registrar::new(&surroundings, &repository);
    if let Err(error) = watch(&outbox, &repository, &registrar, &rechecks(environment)) {
        log.write("watcher", &error.to_string());
    }
}

/// The environment without what binds a process to one repository.
fn unbound(environment: &Environment) -> Environment {
    environment.iter().filter(|(name, _)| !binds_to_repository(name)).collect()
}

/// Whether the command line is that of a hook: it needs no handler for Ctrl-C, and keeps no
/// descriptor that it inherited.
pub fn is_hook(arguments: &[std::ffi::OsString]) -> bool {
    let words = arguments.iter().skip(1).take(3);
    let mut words = words.skip_while(|word| *word == "-C" || Path::new(word).is_absolute());
    words.next().is_some_and(|word| word == "hook")
}
