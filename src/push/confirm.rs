//! Whether a queued push is on the remote: the reflog of the remote-tracking branch answers for most
//! pushes without the network, the remote itself for the rest.
//!
//! What happens to a push that landed, or did not, is decided in `deliver`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queued::{PushState, QueuedPush, now};
use flowreg_git::{GitError, Repository};
use flowreg_model::{CommitId, Environment};

/// How long a remote may take to answer.
pub(crate) const ASK_LIMIT: Duration = Duration::from_secs(10);

/// The pauses before a remote that has something else is asked again. A server whose client was
/// killed goes on with its own hooks and may accept the push seconds later (`docs/facts/hooks.md`,
/// "When the remote has it").
const RECHECKS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(60)];

/// `FLOWREG_RECHECKS`, in seconds: `2,10,60`.
pub(crate) fn rechecks(environment: &Environment) -> Vec<Duration> {
    let read = |text: &str| -> Option<Vec<Duration>> {
        text.split(',')
            .map(|part| Duration::try_from_secs_f64(part.trim().parse().ok()?).ok())
            .collect()
    };
    let configured = environment.get("FLOWREG_RECHECKS").and_then(read);
    configured.unwrap_or_else(|| RECHECKS.to_vec())
}

/// How many times longer the remote may take when the end of a push can't be seen: the client is
/// no git process, or the push was only spooled by the shim. The patience then counts from when it
/// was queued, and has to cover the upload as well.
const UNSEEN_END: u32 = 10;

/// Whether a push has reached the remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// The push is still going on.
    StillPushing,
    /// The remote has it; how that is known.
    Confirmed(&'static str),
    /// The remote has something else, and may still accept the push.
    NotYet,
    /// The remote has something else for good.
    Rejected,
    /// The remote did not answer.
    Unanswered(String),
}

/// Finds out which pushes landed. Each remote is asked at most once, for all of its refs together.
pub(super) struct LandingCheck<'a> {
    pub(super) repository: &'a Repository,
    /// How long after the end of a push its remote may change its mind.
    pub(super) patience: Duration,
    /// Whether a person ran `flowreg sync`: then deletions are about to be carried out.
    pub(super) is_requested: bool,
}

impl LandingCheck<'_> {
    /// One answer for each push, in their order. Sets `ended_at` of a push that is seen to have ended.
    pub(super) fn landings(&self, pushes: &mut [QueuedPush]) -> Vec<Landing> {
        let known: Vec<Option<Landing>> =
            pushes.iter_mut().map(|push| self.known_locally(push)).collect();
        // One connection to a remote may cost seconds and a password prompt that is suppressed, so
        // the refs of all pushes to one address go into one `ls-remote`.
        let mut questions: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (push, known) in pushes.iter().zip(&known) {
            if known.is_none() {
                questions.entry(self.address(push)).or_default().push(&push.reference);
            }
        }
        let answers: BTreeMap<String, _> = questions
            .into_iter()
            .map(|(address, references)| {
                let answer = self.repository.remote_refs(&address, &references, ASK_LIMIT);
                (address, answer)
            })
            .collect();
        pushes
            .iter()
            .zip(known)
            .map(|(push, known)| {
                known.unwrap_or_else(|| match answers.get(&self.address(push)) {
                    Some(answer) => self.landing_by(push, answer),
                    None => Landing::NotYet,
                })
            })
            .collect()
    }

    /// The answer where no network is needed; `None` if the remote has to be asked.
    fn known_locally(&self, push: &mut QueuedPush) -> Option<Landing> {
        if push.is_received {
            return Some(Landing::Confirmed("this repository received it"));
        }
        if push.git.is_some_and(super::process::GitProcess::is_running) {
            return Some(Landing::StillPushing);
        }
        push.ended_at.get_or_insert_with(now);
        let is_known = match push.state {
            PushState::Confirmed | PushState::Undelivered | PushState::Refused => {
                !push.is_deletion()
            }
            // `sync` is about to remove registrations, which can't be undone: somebody may have
            // pushed the branch again since, so the remote is asked once more.
            PushState::Removal => !self.is_requested,
            PushState::Unconfirmed | PushState::Unanswered => false,
        };
        if is_known {
            return Some(Landing::Confirmed("known before"));
        }
        let (tracking, object) = (push.tracking.as_ref()?, push.object.as_ref()?);
        // With several push URLs one tracking branch stands for several servers: its reflog line may
        // be about another one of them.
        let is_only = || self.repository.push_address(&push.remote, &push.repository_url()).is_only;
        (self.repository.shows_push(tracking, object) && is_only())
            .then_some(Landing::Confirmed("by the reflog"))
    }

    fn address(&self, push: &QueuedPush) -> String {
        self.repository.push_address(&push.remote, &push.repository_url()).address
    }

    fn landing_by(
        &self,
        push: &QueuedPush,
        answer: &Result<BTreeMap<String, CommitId>, GitError>,
    ) -> Landing {
        match answer {
            Err(error) => Landing::Unanswered(error.to_string()),
            Ok(refs) if refs.get(&push.reference) == push.object.as_ref() => {
                Landing::Confirmed("by the remote")
            }
            Ok(refs) => match self.has_moved_on(push, refs) {
                Err(error) => Landing::Unanswered(error.to_string()),
                Ok(true) => Landing::Confirmed("by the remote, where it has moved on"),
                Ok(false) => self.not_there(push),
            },
        }
    }

    /// Whether somebody has pushed on top of what landed.
    fn has_moved_on(
        &self,
        push: &QueuedPush,
        refs: &BTreeMap<String, CommitId>,
    ) -> Result<bool, GitError> {
        let there = refs.get(&push.reference).filter(|_| push.kind() == "branch");
        let (Some(there), Some(object)) = (there, &push.object) else { return Ok(false) };
        self.repository.holds_since(&self.address(push), push.before.as_ref(), object, there)
    }

    fn not_there(&self, push: &QueuedPush) -> Landing {
        if push.is_answered {
            return Landing::Rejected;
        }
        // Without a known process nobody saw the push end, so the time counts from when it
        // was queued, and is longer.
        let (since, patience) = match push.git {
            Some(_) => (push.ended_at.unwrap_or_else(now), self.patience),
            None => (push.queued_at, self.patience * UNSEEN_END),
        };
        let is_final = u128::from(now().saturating_sub(since)) >= patience.as_millis();
        if is_final { Landing::Rejected } else { Landing::NotYet }
    }
}
