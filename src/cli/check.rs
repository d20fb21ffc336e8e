//! The check before a push that `[hooks] blocking = true` asks for: what `flowreg plan` would call
//! wrong with the sources, without Python and without the target.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::arguments::{ReferenceArguments, RunArguments, TargetWord, UntaggedWord};
use super::{Context, exit, plan, session};
use crate::push::PushedRef;
use flowreg_git::Repository;
use flowreg_model::{CommitId, ReferenceName};

/// How long the check may take, unless `[hooks] time_limit` says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Checked {
    /// Nothing is wrong, or nobody asked for a check.
    Good,
    /// What is wrong, one line each.
    Wrong(Vec<String>),
    /// It takes too long: the push goes on.
    TooLong(Duration),
}

/// Checks the commits that are about to be pushed, where their `flowreg.toml` asks for it.
pub(super) fn check(context: &Context, repository: &Repository, lines: &[PushedRef]) -> Checked {
    let mut wanted: Vec<(CommitId, ReferenceName)> = Vec::new();
    let mut limit = Duration::ZERO;
    for line in lines.iter().filter(|line| line.is_registrable()) {
        let Some(commit) = line.object.as_ref().and_then(|id| repository.peeled(id)) else {
            continue;
        };
        let Ok((settings, _)) = session::settings_at(context, repository, Some(&commit)) else {
            continue;
        };
        let is_known = wanted.iter().any(|(known, _)| *known == commit);
        if settings.hooks.blocking != Some(true) || is_known {
            continue;
        }
        let own = settings.hooks.time_limit.map(|seconds| Duration::from_secs(seconds.into()));
        limit = limit.max(own.unwrap_or(TIME_LIMIT));
        wanted.extend(name_of(line).map(|name| (commit, name)));
    }
    if wanted.is_empty() {
        return Checked::Good;
    }
    let (sender, receiver) = mpsc::channel();
    let silent = context.silent();
    // Whoever waits too long for it goes away, and the process with it.
    thread::spawn(move || {
        let found = wanted.iter().flat_map(|(commit, name)| problems(&silent, commit, name));
        let _ = sender.send(found.collect::<Vec<String>>());
    });
    match receiver.recv_timeout(limit) {
        Ok(found) if found.is_empty() => Checked::Good,
        Ok(found) => Checked::Wrong(found),
        Err(_) => Checked::TooLong(limit),
    }
}

fn name_of(line: &PushedRef) -> Option<ReferenceName> {
    match line.reference.strip_prefix("refs/tags/") {
        Some(tag) => tag.parse().ok().map(ReferenceName::Tag),
        None => line.reference.parse().ok().map(ReferenceName::Branch),
    }
}

/// What keeps registrations from being made, whatever the target says to them.
fn problems(context: &Context, commit: &CommitId, name: &ReferenceName) -> Vec<String> {
    let mut global = context.global.clone();
    global.target = Some(TargetWord::Local);
    // What is being pushed is read here, and not yet run.
    let context = Context { global, is_server: true, ..context.silent() };
    let (tag, branch) = match name {
        ReferenceName::Tag(tag) => (Some(tag.to_string()), None),
        ReferenceName::Branch(branch) => (None, Some(branch.to_string())),
    };
    let reference = ReferenceArguments {
        tag,
        branch,
        offline: true,
        untagged: Some(UntaggedWord::Branch),
        pushed: Some(commit.clone()),
        ..ReferenceArguments::default()
    };
    let arguments = RunArguments { reference, ..RunArguments::default() };
    match plan::prepare(&context, &arguments, Some(1)) {
        Ok(prepared) => {
            let of_sources = prepared.problems.iter().filter(|problem| problem.is_error());
            let of_sources = of_sources.map(|problem| {
                let (path, line, column) = (&problem.path, problem.line, problem.column);
                format!("{path}:{line}:{column}: {}", problem.message)
            });
            let unbuilt = prepared.unbuilt.iter().filter_map(|item| {
                let error = item.error.as_ref()?;
                Some(format!("{}/{}: {}", item.flow, item.deployment, error.message))
            });
            of_sources.chain(unbuilt).collect()
        }
        // What is wrong with the repository or the machine is no reason against a push.
        Err(error) if matches!(error.exit_code, exit::CONFIGURATION | exit::FLOW_SOURCE) => {
            vec![error.source.to_string()]
        }
        Err(_) => Vec::new(),
    }
}
