//! Resolves the code reference: which branch or tag is registered, at which commit, and why.
//!
//! Puts the parts together: the ladder finds a name, the remote is asked once for everything that
//! the name needs, and the name is looked up. What the reference means for a target is not decided
//! here.

use super::ladder::{Candidate, CandidateBranch, CandidateName, Ladder, LadderResult};
use super::mainline::Mainline;
use super::name_resolver::{NameResolver, Resolved, is_unnamed, without_remote};
use super::proof::{Proof, RefPatterns, RemoteRefs};
use super::refs::Refs;
use super::request::{
    PushedReference, ReferenceRequest, ReferenceRules, Resolution, Rung, RungOutcome,
};
use super::tagging::SeriesSet;
use super::{GitError, ReferenceError, Remote, Repository};
use flowreg_model::{
    CodeReference, CommitId, Environment, ReferenceName, ReferenceSource, RemoteName, escaped,
};

/// Finds the code reference on the ladder, and asks the remote for it if the rules say so.
///
/// The ladder, the channels and the proof on the remote are described in docs/reference.md.
pub fn resolve(
    repository: &Repository,
    environment: &Environment,
    request: &ReferenceRequest,
) -> Resolution {
    let lookup = Lookup::new(repository, &request.rules, None);
    let ladder = Ladder {
        refs: &lookup.refs,
        environment,
        request,
        remotes: &lookup.remotes,
        remote: lookup.remote_name(),
        remote_url: lookup.remote_url(),
    };
    let LadderResult { rungs: mut ladder, candidate, mut notices } = ladder.climb();
    let resolved = candidate.and_then(|candidate| lookup.run(&candidate, &mut notices));
    if let Err(error) = &resolved {
        refuse_taken(&mut ladder, error);
    }
    for text in ladder.iter_mut().flat_map(|rung| [&mut rung.value, &mut rung.reason]).flatten() {
        *text = escaped(&*text);
    }
    answer(ladder, resolved, &notices)
}

/// Makes the code reference of a push: the branch or tag that was pushed, at the commit that the
/// push put there. No ladder is climbed, as nothing is left to find out about the name.
///
/// The name goes through the same rules as one that [`resolve`] gets as `--branch` or `--tag`, and
/// the reference names that flag as its source; the [`ladder`](Resolution::ladder) of the answer is
/// empty. The pushed commit counts instead of the one where this repository has the branch or the
/// tag by now: people go on committing while a push is under way or queued.
///
/// The remote is asked once, if `rules.ask_remote` is set: the branch may have moved on since the
/// push, and then what the remote has now is registered, and fetched if it is not here. So the
/// reference's commit can be another one than `pushed.commit`, with another `flowreg.toml`.
///
/// If nothing says which of several remotes workers clone from, set `rules.remote` to the one that
/// the push went to.
pub fn reference_of_push(
    repository: &Repository,
    pushed: &PushedReference,
    rules: &ReferenceRules,
) -> Resolution {
    let (name, flag) = match &pushed.name {
        ReferenceName::Tag(tag) => (CandidateName::Tag(tag.clone()), "--tag"),
        ReferenceName::Branch(branch) => {
            (CandidateName::Branch(CandidateBranch::named(branch.clone())), "--branch")
        }
    };
    let (source, detail) = (ReferenceSource::Flag, flag.to_owned());
    let candidate = Candidate { name, source, detail, head: None };
    let mut notices = Vec::new();
    let lookup = Lookup::new(repository, rules, Some(&pushed.commit));
    let resolved = lookup.run(&candidate, &mut notices);
    answer(Vec::new(), resolved, &notices)
}

/// What is needed to look a name up, here and on the remote.
struct Lookup<'a> {
    repository: &'a Repository,
    rules: &'a ReferenceRules,
    /// The commit that a push put there; `None` if there was no push.
    pushed: Option<&'a CommitId>,
    refs: Refs,
    /// All configured remotes.
    remotes: Vec<RemoteName>,
    /// The remote that workers clone from. An error is kept until the remote is needed, because a
    /// name that can't be right is the better thing to tell.
    remote: Result<Option<Remote>, GitError>,
}

impl<'a> Lookup<'a> {
    fn new(
        repository: &'a Repository,
        rules: &'a ReferenceRules,
        pushed: Option<&'a CommitId>,
    ) -> Self {
        let remotes = repository.remotes().into_iter().map(|remote| remote.name).collect();
        let remote = chosen_remote(repository, rules);
        Self { repository, rules, pushed, refs: Refs::of(repository), remotes, remote }
    }

    fn remote_name(&self) -> Option<&RemoteName> {
        self.remote.as_ref().ok().and_then(Option::as_ref).map(|remote| &remote.name)
    }

    fn remote_url(&self) -> Option<&str> {
        self.remote.as_ref().ok().and_then(Option::as_ref).map(|remote| remote.url.as_str())
    }

    fn run(
        &self,
        candidate: &Candidate,
        notices: &mut Vec<String>,
    ) -> Result<Resolved, ReferenceError> {
        let remote = self.remote.as_ref().map_err(GitError::clone)?.as_ref();
        let mainline = Mainline::new(&self.rules.mainline)?;
        let proof = prove(self, remote, candidate, &mainline)?;
        if self.pushed.is_some()
            && let Some(proof) = &proof
            && let CandidateName::Branch(branch) = &candidate.name
            && let Some(there) = proof.refs.branch(&branch.name)
        {
            // Nobody is there who could be told to fetch what was pushed on top since.
            self.repository.fetch_commit(proof.remote.as_str(), there)?;
        }
        let resolver = NameResolver {
            repository: self.repository,
            refs: &self.refs,
            rules: self.rules,
            pushed: self.pushed,
            mainline: &mainline,
            remotes: &self.remotes,
            remote: remote.map(|remote| &remote.name),
            proof: proof.as_ref(),
        };
        resolver.code_reference(candidate, notices)
    }
}

/// Which remote is meant matters only if it is asked, or if somebody named one.
fn chosen_remote(
    repository: &Repository,
    rules: &ReferenceRules,
) -> Result<Option<Remote>, GitError> {
    match repository.remote(rules.remote.as_ref()) {
        Err(GitError::SeveralRemotes { .. }) if !rules.ask_remote => Ok(None),
        chosen => chosen,
    }
}

/// Asks the remote, in one request, for every ref that the name's resolution may need.
fn prove(
    lookup: &Lookup<'_>,
    remote: Option<&Remote>,
    candidate: &Candidate,
    mainline: &Mainline,
) -> Result<Option<Proof>, ReferenceError> {
    let Lookup { repository, rules, pushed, .. } = lookup;
    if !rules.ask_remote {
        return Ok(None);
    }
    let remote = remote.ok_or(ReferenceError::NoRemote)?;
    let mut patterns = RefPatterns::default();
    match &candidate.name {
        CandidateName::Tag(tag) => {
            patterns.add(tag.as_str());
            // Only the remote knows which packages have tags of their own at its commit, and of a tag that
            // nobody named, which series there are.
            let is_found = matches!(rules.series, SeriesSet::Found { .. });
            // And where the tag is nowhere, only it knows what may have been meant.
            let is_here = lookup.refs.tag(tag).is_ok_and(|found| found.is_some());
            if !rules.series.packages_beside(tag).is_empty()
                || (is_found && is_unnamed(candidate, *pushed))
                || (pushed.is_none() && !is_here)
            {
                patterns.add_all();
            }
        }
        CandidateName::Branch(branch) => {
            let stripped = branch.of_remote.as_ref().map(|(_, name)| name);
            for name in std::iter::once(&branch.name).chain(stripped) {
                patterns.add(name.as_str());
                // Only the remote knows which of its tags point at a mainline branch's commit.
                if mainline.contains(name) {
                    patterns.add_all();
                }
            }
            // Where no branch is called so, the remote's name may have been put before what was meant.
            if let Some((_, meant)) = without_remote(&lookup.remotes, branch.name.as_str()) {
                patterns.add(meant);
            }
        }
    }
    let refs = RemoteRefs::ask(repository, remote, &patterns)?;
    Ok(Some(Proof { remote: remote.name.clone(), refs }))
}

/// Corrects the rung that decided, if its value turned out to be wrong when it was looked up.
fn refuse_taken(ladder: &mut [Rung], error: &ReferenceError) {
    let taken = ladder.iter_mut().find(|rung| rung.outcome == RungOutcome::Taken);
    if let Some(rung) = taken.filter(|_| error.is_about_the_name()) {
        rung.outcome = RungOutcome::Refused;
        rung.reason = Some(error.to_string());
    }
}

/// Puts the answer together, and writes it to the debug log.
fn answer(
    ladder: Vec<Rung>,
    resolved: Result<Resolved, ReferenceError>,
    notices: &[String],
) -> Resolution {
    let (reference, further) = match resolved {
        Ok(Resolved { reference, further }) => (Ok(reference), further),
        Err(error) => (Err(error), Vec::new()),
    };
    match &reference {
        Ok(CodeReference { name, commit, source_detail, channel, proved, .. }) => tracing::debug!(
            name = escaped(name.full()),
            %commit,
            from = escaped(source_detail),
            channel = channel.as_str(),
            proved,
            "code reference"
        ),
        Err(error) => tracing::debug!(code = error.code(), %error, "no code reference"),
    }
    // Names and reasons can come from the environment or the remote.
    Resolution { ladder, reference, further, notices: notices.iter().map(escaped).collect() }
}
