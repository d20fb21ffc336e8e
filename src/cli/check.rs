//! The check before a push that `[hooks] blocking = true` asks for: what `flowreg plan` would call
//! wrong with the sources, without Python and without the target.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use super::Context;
use super::error::CommandError;
use super::session;
use crate::git::Repository;
use crate::model::{Channel, CodeReference, CommitId, ReferenceName, ReferenceSource};
use crate::push::PushedLine;

/// How long the check may take, unless `[hooks] time_limit` says otherwise.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub enum Checked {
    /// Nothing is wrong, or nobody asked for a check.
    Good,
    /// What is wrong, one line each.
    Wrong(Vec<String>),
    /// It takes too long: the push goes on.
    TooLong(Duration),
}

/// Checks the commits that are about to be pushed, where their `flowreg.toml` asks for it.
pub fn check(context: &Context, repository: &Repository, lines: &[PushedLine]) -> Checked {
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

fn name_of(line: &PushedLine) -> Option<ReferenceName> {
    match line.reference.strip_prefix("refs/tags/") {
        Some(tag) => tag.parse().ok().map(ReferenceName::Tag),
        None => line.reference.parse().ok().map(ReferenceName::Branch),
    }
}

fn problems(context: &Context, commit: &CommitId, name: &ReferenceName) -> Vec<String> {
    find(context, commit, name).unwrap_or_else(|error| vec![error.source.to_string()])
}

fn find(
    context: &Context,
    commit: &CommitId,
    name: &ReferenceName,
) -> Result<Vec<String>, CommandError> {
    let repository = Repository::discover(&context.directory, &context.environment)?;
    let session = session::open_at(context, repository, Some(commit))?;
    let reference = CodeReference {
        name: name.clone(),
        commit: commit.clone(),
        source: ReferenceSource::Git,
        source_detail: "pushed".to_owned(),
        channel: Channel::Feature,
        remote: None,
        proved: false,
    };
    let scan = session.scan(&reference)?;
    let wrong = scan.problems.iter().filter(|problem| problem.is_error());
    Ok(wrong
        .map(|problem| {
            let (path, line, column) = (&problem.path, problem.line, problem.column);
            format!("{path}:{line}:{column}: {}", problem.message)
        })
        .collect())
}
