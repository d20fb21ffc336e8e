//! Did it land? The reflog of the tracking branch answers for most pushes, the remote for the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use super::queued::{PushState, QueuedPush, now};
use flowreg_git::{GitError, Repository};
use flowreg_model::CommitId;

/// How long a remote may take to answer.
pub(crate) const ASK_LIMIT: Duration = Duration::from_secs(10);

/// When a remote that has something else is asked again: it may still be running its own hooks
/// when the push ends, for it was cut off (facts/hooks.md F12).
pub(crate) const RECHECKS: [Duration; 3] =
    [Duration::from_secs(2), Duration::from_secs(10), Duration::from_secs(60)];

/// How many times longer a push is waited for whose end nobody can see: one of a client that is no
/// git process, or one that the shim kept.
const UNSEEN_END: u32 = 10;

/// What is known of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Landing {
    /// The push is still going on.
    StillPushing,
    /// The remote has it; how that is known.
    Confirmed(&'static str),
    /// The remote has something else, and may still come round.
    NotYet,
    /// The remote has something else for good.
    Rejected,
    /// The remote did not answer.
    Unanswered(String),
}

/// Asks about pushes, each remote once.
pub(super) struct LandingCheck<'a> {
    pub(super) repository: &'a Repository,
    /// How long after the end of a push its remote may change its mind.
    pub(super) patience: Duration,
    /// Whether what waits for somebody's word is looked at as well.
    pub(super) is_requested: bool,
}

impl LandingCheck<'_> {
    /// One landing for each push. A push that is seen to have ended remembers when.
    pub(super) fn landings(&self, pushes: &mut [QueuedPush]) -> Vec<Landing> {
        let known: Vec<Option<Landing>> =
            pushes.iter_mut().map(|push| self.known_locally(push)).collect();
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
                    Some(answer) => self.from_answer(push, answer),
                    None => Landing::NotYet,
                })
            })
            .collect()
    }

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
            // A removal can't be taken back: before it the remote is asked once more.
            PushState::Removal => !self.is_requested,
            PushState::Unconfirmed | PushState::Unanswered => false,
        };
        if is_known {
            return Some(Landing::Confirmed("known before"));
        }
        let (tracking, object) = (push.tracking.as_ref()?, push.object.as_ref()?);
        let is_only = || self.repository.push_address(&push.remote, &push.repository_url()).is_only;
        (self.repository.shows_push(tracking, object) && is_only())
            .then_some(Landing::Confirmed("by the reflog"))
    }

    fn address(&self, push: &QueuedPush) -> String {
        self.repository.push_address(&push.remote, &push.repository_url()).address
    }

    fn from_answer(
        &self,
        push: &QueuedPush,
        answer: &Result<BTreeMap<String, CommitId>, GitError>,
    ) -> Landing {
        match answer {
            Err(error) => Landing::Unanswered(error.to_string()),
            Ok(refs) if refs.get(&push.reference) == push.object.as_ref() => {
                Landing::Confirmed("by the remote")
            }
            Ok(_) => {
                // Nobody saw the end of a push whose process is not known: it gets more time.
                let (since, patience) = match push.git {
                    Some(_) => (push.ended_at.unwrap_or_else(now), self.patience),
                    None => (push.queued_at, self.patience * UNSEEN_END),
                };
                let is_final = u128::from(now().saturating_sub(since)) >= patience.as_millis();
                if is_final { Landing::Rejected } else { Landing::NotYet }
            }
        }
    }
}
