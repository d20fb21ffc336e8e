//! The check before a push that `[hooks] blocking = true` asks for: what `flowreg plan` would call
//! wrong with the sources, without Python and without the target.

use std::sync::{Arc, mpsc};
use std::thread;
use std::time::Duration;

use flowreg_git::{PushedReference, Repository, Untagged};
use flowreg_model::{CommitId, ReferenceName, TargetKind};

use super::{
    Opened, PlannedRun, ReferenceChoice, Referenced, RunError, RunRequest, Surroundings, Unobserved,
};
use crate::push::PushedRef;

/// How long the check may take, unless `[hooks] time_limit` says otherwise. A person waits for it,
/// and on a slow disk a push must not hang because of it.
const TIME_LIMIT: Duration = Duration::from_secs(10);

/// What a check found.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum CheckOutcome {
    /// Nothing is wrong, or no pushed commit asks for a check.
    Good,
    /// What is wrong, one line each.
    Wrong(Vec<String>),
    /// It takes too long: the push goes on.
    TooLong(Duration),
}

/// Checks the commits that are about to be pushed, where their `flowreg.toml` asks for it.
pub(crate) fn check(
    surroundings: &Surroundings,
    repository: &Arc<Repository>,
    lines: &[PushedRef],
) -> CheckOutcome {
    let opened = Opened::with(Arc::clone(repository), surroundings.clone(), &Unobserved);
    let mut checked: Vec<(CommitId, ReferenceName)> = Vec::new();
    let mut limit = Duration::ZERO;
    for line in lines.iter().filter(|line| line.is_registrable()) {
        let Some(commit) = line.object.as_ref().and_then(|id| repository.peeled(id)) else {
            continue;
        };
        // A `flowreg.toml` that can't be read does not say that it wants the check.
        let Ok(settings) = opened.settings_at(&commit, &ReferenceChoice::default()) else {
            continue;
        };
        // A branch and a tag are often pushed together, at one commit.
        let is_known = checked.iter().any(|(known, _)| *known == commit);
        if settings.hooks.blocking != Some(true) || is_known {
            continue;
        }
        let own = settings.hooks.time_limit.map(|seconds| Duration::from_secs(seconds.into()));
        limit = limit.max(own.unwrap_or(TIME_LIMIT));
        checked.extend(name_of(line).map(|name| (commit, name)));
    }
    if checked.is_empty() {
        return CheckOutcome::Good;
    }
    let (sender, receiver) = mpsc::channel();
    let surroundings = Surroundings {
        // A push must not wait for a server, nor fail because there is none.
        target: Some(TargetKind::Local),
        // As on a server no Python is asked: a push would wait for it, and run code.
        is_server: true,
        ..surroundings.clone()
    };
    let repository = Arc::clone(repository);
    // On time-out the caller lets the push go on and exits, which ends this thread.
    thread::spawn(move || {
        let opened = Opened::with(repository, surroundings, &Unobserved);
        let found = checked.iter().flat_map(|(commit, name)| problems(&opened, commit, name));
        let _ = sender.send(found.collect::<Vec<String>>());
    });
    match receiver.recv_timeout(limit) {
        Ok(found) if found.is_empty() => CheckOutcome::Good,
        Ok(found) => CheckOutcome::Wrong(found),
        Err(_) => CheckOutcome::TooLong(limit),
    }
}

fn name_of(line: &PushedRef) -> Option<ReferenceName> {
    match line.reference.strip_prefix("refs/tags/") {
        Some(tag) => tag.parse().ok().map(ReferenceName::Tag),
        None => line.reference.parse().ok().map(ReferenceName::Branch),
    }
}

/// What keeps registrations from being made, whatever the target says to them.
fn problems(opened: &Opened<'_>, commit: &CommitId, name: &ReferenceName) -> Vec<String> {
    let pushed = PushedReference { name: name.clone(), commit: commit.clone() };
    let request = RunRequest { jobs: Some(1), ..RunRequest::default() };
    match plan(opened, &pushed, &request) {
        Ok(planned) => {
            let of_sources = planned.problems.iter().filter(|problem| problem.is_error());
            let of_sources = of_sources.map(|problem| {
                let (path, line, column) = (&problem.path, problem.line, problem.column);
                format!("{path}:{line}:{column}: {}", problem.message)
            });
            let unbuilt = planned.unbuilt.iter().map(|unbuilt| {
                format!("{}/{}: {}", unbuilt.flow, unbuilt.deployment, unbuilt.text())
            });
            of_sources.chain(unbuilt).collect()
        }
        Err(error) if error.is_configuration() => vec![error.to_string()],
        // What is wrong with the repository or the machine is no reason against a push.
        Err(_) => Vec::new(),
    }
}

fn plan<'r>(
    opened: &'r Opened<'_>,
    pushed: &PushedReference,
    request: &'r RunRequest,
) -> Result<PlannedRun<'r>, RunError> {
    let mut configured = opened.configure_at(Some(&pushed.commit))?;
    // A mainline branch is mostly pushed before its tag. That it has none yet must not refuse it.
    configured.settings.repository.untagged.value = Untagged::Branch;
    Referenced::of_push(configured, pushed, true)?.desire(request)?.compare()?.plan()
}
