//! Resolves the code reference: which branch or tag is registered, at which commit, and why.

use super::ladder::{Candidate, Climb, Ladder, Wanted};
use super::mainline::Mainline;
use super::proof::{Proof, Question, RemoteRefs};
use super::refs::Refs;
use super::request::{ReferenceRequest, Resolution, Rung, RungOutcome};
use super::settle::Settling;
use super::{GitError, ReferenceError, Remote, Repository};
use flowreg_model::escaped;
use flowreg_model::{CodeReference, Environment, RemoteName};

/// Resolves the code reference (`design.md` §4): climbs the ladder, asks the remote once for
/// everything that is needed then, and settles the commit.
pub fn resolve(
    repository: &Repository,
    environment: &Environment,
    request: &ReferenceRequest,
) -> Resolution {
    let refs = Refs::of(repository);
    let remotes: Vec<_> = repository.remotes().into_iter().map(|remote| remote.name).collect();
    let chosen = chosen_remote(repository, request);
    let remote = chosen.as_ref().ok().and_then(Option::as_ref).map(|remote| &remote.name);
    let ladder = Ladder { refs: &refs, environment, request, remotes: &remotes, remote };
    let Climb { rungs: mut ladder, candidate, mut notices } = ladder.climb();
    let reference = candidate.and_then(|candidate| {
        settle(repository, request, &refs, &remotes, chosen?.as_ref(), &candidate, &mut notices)
    });
    if let Err(error) = &reference {
        refuse_taken(&mut ladder, error);
    }
    for text in ladder.iter_mut().flat_map(|rung| [&mut rung.value, &mut rung.reason]).flatten() {
        *text = escaped(&*text);
    }
    Resolution { ladder, reference, notices: notices.iter().map(escaped).collect() }
}

fn settle(
    repository: &Repository,
    request: &ReferenceRequest,
    refs: &Refs,
    remotes: &[RemoteName],
    remote: Option<&Remote>,
    candidate: &Candidate,
    notices: &mut Vec<String>,
) -> Result<CodeReference, ReferenceError> {
    let mainline = Mainline::new(&request.mainline)?;
    let proof = prove(repository, request, remote, candidate, &mainline)?;
    let settling = Settling {
        refs,
        request,
        mainline: &mainline,
        remotes,
        remote: remote.map(|remote| &remote.name),
        proof: proof.as_ref(),
    };
    settling.settle(candidate, notices)
}

/// Which remote is meant matters only if it is asked, or if somebody named one.
fn chosen_remote(
    repository: &Repository,
    request: &ReferenceRequest,
) -> Result<Option<Remote>, GitError> {
    match repository.remote(request.remote.as_ref()) {
        Err(GitError::SeveralRemotes { .. }) if !request.ask_remote => Ok(None),
        chosen => chosen,
    }
}

fn prove(
    repository: &Repository,
    request: &ReferenceRequest,
    remote: Option<&Remote>,
    candidate: &Candidate,
    mainline: &Mainline,
) -> Result<Option<Proof>, ReferenceError> {
    if !request.ask_remote {
        return Ok(None);
    }
    let remote = remote.ok_or(ReferenceError::NoRemote)?;
    let mut question = Question::default();
    match &candidate.wanted {
        Wanted::Tag(tag) => question.add(tag.as_str()),
        Wanted::Branch(branch) => {
            let stripped = branch.of_remote.as_ref().map(|(_, name)| name);
            for name in std::iter::once(&branch.name).chain(stripped) {
                question.add(name.as_str());
                if mainline.contains(name) {
                    question.add_all();
                }
            }
        }
    }
    let refs = RemoteRefs::ask(repository, remote, &question)?;
    Ok(Some(Proof { remote: remote.name.clone(), refs }))
}

/// What the ladder took turned out to be wrong.
fn refuse_taken(ladder: &mut [Rung], error: &ReferenceError) {
    let taken = ladder.iter_mut().find(|rung| rung.outcome == RungOutcome::Taken);
    if let Some(rung) = taken.filter(|_| error.is_about_the_name()) {
        rung.outcome = RungOutcome::Refused;
        rung.reason = Some(error.to_string());
    }
}
