//! One pass over the outbox: pushes that landed are registered, pushes that the remote does not have
//! are dropped, and what can't be decided yet stays.
//!
//! Of several pushes of one ref for one target the newest confirmed one counts. The records of the older ones are
//! removed before the newest is registered, so that a later pass never registers an older commit
//! over a newer one, wherever this process is killed.

use std::time::Duration;

use super::confirm::{Landing, LandingCheck};
use super::log::DecisionLog;
use super::outdone::outdone;
use super::queued::{OutboxRecord, PushState, QueuedPush, QueuedTarget, outbox_records};
use super::spool;
use crate::store::{Outbox, OutboxError, OutboxLockKind};
use flowreg_git::Repository;
use flowreg_git::tagging::SeriesSet;
use flowreg_model::TagName;

/// How long this process waits while another one delivers. After that it leaves its records to the
/// other one, which sees them in its next pass.
const PATIENCE: Duration = Duration::from_mins(2);

/// What came of trying to register or remove what was pushed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DeliveryOutcome {
    /// The target has it; what changed, in words.
    Done(String),
    /// There is nothing to register, now or later; why. The record leaves the outbox.
    Skipped(String),
    /// The target, or the remote as its proof, could not be reached.
    Unreachable(String),
    /// The target or a guard refused it, and will refuse it again until a person changes something.
    Refused(String),
    /// `flowreg.toml` or `prefect.yaml` of the commit is wrong: it is refused like the above.
    Misconfigured(String),
}

/// Registers and removes. Implemented above this room, where sessions and targets are known.
pub(crate) trait Delivery {
    /// Registers what was pushed.
    fn register(&self, push: &QueuedPush) -> DeliveryOutcome;

    /// Why a push is not registered, whether or not it landed; `None` if it is.
    fn reason_to_skip(&self, push: &QueuedPush) -> Option<String>;

    /// The series of tags that the settings of a pushed commit name; `None` if they can't be read.
    fn series(&self, push: &QueuedPush) -> Option<SeriesSet>;

    /// Whether a deleted branch has registrations that are to be removed.
    fn check_removal(&self, push: &QueuedPush) -> DeliveryOutcome;

    /// The target that is configured for what was pushed, where these variables are set besides; `None`
    /// if that can't be told.
    fn target(&self, push: &QueuedPush, variables: &[(&str, &str)]) -> Option<QueuedTarget>;

    /// Removes the registrations of a deleted branch.
    fn remove(&self, push: &QueuedPush) -> DeliveryOutcome;
}

/// What a pass may do.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DeliveryPolicy {
    /// Whether a person ran `flowreg sync`: then what was refused is tried again, and the
    /// registrations of deleted branches are removed. A watcher does neither.
    pub is_requested: bool,
    /// Whether pushes go to the target that is configured now, and not to the one that they were queued
    /// for.
    pub is_retargeted: bool,
    /// How long after the end of a push its remote may change its mind.
    pub patience: Duration,
}

/// What a pass did.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct PassReport {
    /// Records that left because the target has them.
    pub delivered: Vec<(QueuedPush, String)>,
    /// Records that left without a delivery.
    pub dropped: Vec<(QueuedPush, String)>,
    /// Whether a push is still going on.
    pub is_pushing: bool,
    /// Whether another pass soon may get further.
    pub may_come: bool,
    /// Whether a push was refused because a file of its commit is wrong.
    pub is_misconfigured: bool,
}

/// One pass over everything that waits.
///
/// # Errors
/// [`OutboxError`] if the outbox can't be used; `Ok(None)` if another process delivers.
pub(crate) fn deliver(
    outbox: &Outbox,
    repository: &Repository,
    delivery: &dyn Delivery,
    policy: DeliveryPolicy,
) -> Result<Option<PassReport>, OutboxError> {
    let Some(_lock) = outbox.lock(OutboxLockKind::Deliver, PATIENCE)? else { return Ok(None) };
    spool::import_spooled(outbox, repository, delivery)?;
    outbox.sweep();
    let mut pass = Pass {
        outbox,
        delivery,
        policy,
        log: DecisionLog::of(outbox),
        passed: PassReport::default(),
        unreachable: Vec::new(),
    };
    let (mut ids, mut pushes, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for OutboxRecord { id, push } in answered(outbox)? {
        match push {
            // Before the remote is asked: a mirror that refuses or does not answer is nobody's business.
            Ok(push) => {
                if let Some(why) = delivery.reason_to_skip(&push) {
                    skipped.push((id, push, why));
                } else {
                    ids.push(id);
                    pushes.push(push);
                }
            }
            Err(error) => pass.log.write(&id, &error.to_string()),
        }
    }
    pass.drop_records(skipped)?;
    let before = pushes.clone();
    // Where the hook could not tell the target, it is what the first delivery finds, for good: a later
    // one may run with another profile.
    for push in pushes.iter_mut().filter(|push| push.target.is_none() || policy.is_retargeted) {
        push.target = delivery.target(push, &[]).or(push.target.take());
    }
    let DeliveryPolicy { is_requested, patience, .. } = policy;
    let confirmation = LandingCheck { repository, patience, is_requested };
    let landings = confirmation.landings(&mut pushes);
    let mut records: Vec<CheckedRecord> = ids
        .into_iter()
        .zip(pushes)
        .zip(landings)
        .zip(before)
        .map(|(((id, push), landing), before)| CheckedRecord { id, push, landing, before })
        .collect();
    pass.drop_outdone(&mut records)?;
    while !records.is_empty() {
        pass.deliver_ref(take_ref(&mut records))?;
    }
    Ok(Some(pass.passed))
}

/// All records, with the note on those whose server has given its answer. It is on disk before the record that
/// shows it is dropped.
fn answered(outbox: &Outbox) -> Result<Vec<OutboxRecord>, OutboxError> {
    let mut records = outbox_records(outbox);
    for at in 1..records.len() {
        let (before, rest) = records.split_at_mut(at);
        let Some(Ok(later)) = rest.first().map(|record| &record.push) else { continue };
        for OutboxRecord { id, push } in before {
            if let Ok(push) = push
                && !push.is_answered
                && push.is_answered_before(later)
            {
                push.is_answered = true;
                outbox.replace(id, push)?;
            }
        }
    }
    Ok(records)
}

/// A record, whether its push landed, and the record as it was read.
struct CheckedRecord {
    id: String,
    push: QueuedPush,
    landing: Landing,
    before: QueuedPush,
}

/// Takes all records of the first one's ref out of the list.
fn take_ref(records: &mut Vec<CheckedRecord>) -> Vec<CheckedRecord> {
    let all = std::mem::take(records);
    let Some(first) = all.first().map(|record| record.push.clone()) else { return Vec::new() };
    let (same, others) = all.into_iter().partition(|record| record.push.is_of_same_ref(&first));
    *records = others;
    same
}

/// The state of one pass.
struct Pass<'a> {
    outbox: &'a Outbox,
    delivery: &'a dyn Delivery,
    policy: DeliveryPolicy,
    log: DecisionLog,
    passed: PassReport,
    /// The targets that could not be reached, and why: other deliveries to them are not tried in this
    /// pass, as each would wait for the same time-out.
    unreachable: Vec<(Option<QueuedTarget>, String)>,
}

impl Pass<'_> {
    /// Drops the tags that landed together with a higher one of their series, for the same target. Also
    /// those of an earlier push that waits still: they would only be refused.
    fn drop_outdone(&mut self, records: &mut Vec<CheckedRecord>) -> Result<(), OutboxError> {
        let mut targets: Vec<Option<QueuedTarget>> = Vec::new();
        for record in records.iter() {
            if !targets.contains(&record.push.target) {
                targets.push(record.push.target.clone());
            }
        }
        for target in targets {
            let is_of_target =
                |record: &CheckedRecord| record.push.target == target && self.is_tried_tag(record);
            let (tags, others): (Vec<CheckedRecord>, Vec<CheckedRecord>) =
                std::mem::take(records).into_iter().partition(is_of_target);
            *records = others;
            records.extend(self.without_outdone(tags)?);
        }
        // The order is that of time again: of several pushes of one ref the newest one counts.
        records.sort_by(|one, other| one.id.cmp(&other.id));
        Ok(())
    }

    /// Whether this pass is going to register a tag.
    fn is_tried_tag(&self, record: &CheckedRecord) -> bool {
        let CheckedRecord { push, landing, .. } = record;
        let is_tried = self.policy.is_requested || push.state != PushState::Refused;
        is_tried && push.kind() == "tag" && matches!(landing, Landing::Confirmed(_))
    }

    fn without_outdone(
        &mut self,
        records: Vec<CheckedRecord>,
    ) -> Result<Vec<CheckedRecord>, OutboxError> {
        let series = records.last().filter(|_| records.len() > 1);
        let Some(series) = series.and_then(|last| self.delivery.series(&last.push)) else {
            return Ok(records);
        };
        let names: Vec<Option<TagName>> =
            records.iter().map(|record| record.push.short_name().parse().ok()).collect();
        let known: Vec<&TagName> = names.iter().flatten().collect();
        let mut instead = outdone(&series, &known).into_iter();
        let (mut left, mut dropped) = (Vec::new(), Vec::new());
        for (record, name) in records.into_iter().zip(&names) {
            match name.as_ref().and_then(|name| Some((name, instead.next()??))) {
                Some((name, outdone)) => {
                    dropped.push((record.id, record.push, outdone.reason(name)));
                }
                None => left.push(record),
            }
        }
        self.drop_records(dropped)?;
        Ok(left)
    }

    /// Delivers the newest confirmed push of one ref; `records` are all that wait for it, oldest
    /// first.
    fn deliver_ref(&mut self, mut records: Vec<CheckedRecord>) -> Result<(), OutboxError> {
        let confirmed = |record: &CheckedRecord| matches!(record.landing, Landing::Confirmed(_));
        let newest = records.iter().rposition(confirmed);
        let later = records.split_off(newest.map_or(0, |newest| newest + 1));
        let newest = records.pop();
        // Removed first: see the module's documentation.
        for superseded in records {
            let CheckedRecord { id, push, .. } = superseded;
            self.drop_record(&id, push, "a later push of this ref is on the remote")?;
        }
        if let Some(CheckedRecord { id, push, landing: Landing::Confirmed(how), before }) = newest {
            self.confirmed(&id, push, how, &before)?;
        }
        for record in later {
            self.unconfirmed(record)?;
        }
        Ok(())
    }

    /// Drops or keeps a push that is not known to have landed.
    fn unconfirmed(&mut self, mut record: CheckedRecord) -> Result<(), OutboxError> {
        let (state, reason) = match &record.landing {
            Landing::Rejected if record.push.is_deletion() => {
                let why = "the branch is still on the remote";
                return self.drop_record(&record.id, record.push, why);
            }
            Landing::Rejected => {
                return self.drop_record(&record.id, record.push, "the remote does not have it");
            }
            Landing::StillPushing => {
                self.passed.is_pushing = true;
                return Ok(());
            }
            Landing::Unanswered(reason) => (PushState::Unanswered, reason.clone()),
            Landing::NotYet | Landing::Confirmed(_) => {
                let what =
                    if record.push.is_deletion() { "still has it" } else { "does not have it yet" };
                (PushState::Unconfirmed, format!("the remote {what}"))
            }
        };
        self.passed.may_come = true;
        record.push.state = state;
        self.keep(&record.id, record.push, reason, &record.before)
    }

    /// Delivers a push that landed; `how` says what confirmed it.
    fn confirmed(
        &mut self,
        id: &str,
        mut push: QueuedPush,
        how: &str,
        before: &QueuedPush,
    ) -> Result<(), OutboxError> {
        let waits_for_sync = matches!(push.state, PushState::Refused | PushState::Removal);
        if waits_for_sync && !self.policy.is_requested {
            return Ok(());
        }
        if !matches!(
            push.state,
            PushState::Confirmed | PushState::Undelivered | PushState::Refused | PushState::Removal
        ) {
            self.log.write(&push.label(), &format!("confirmed {how}"));
            push.state = PushState::Confirmed;
            // On disk before the delivery starts: if this process is killed in it, the position in
            // the reflog that the record remembers may mean nothing to the next pass.
            self.outbox.replace(id, &push)?;
        }
        let unreachable = self.unreachable.iter().find(|(target, _)| *target == push.target);
        let delivered = match (push.is_deletion(), self.policy.is_requested, unreachable) {
            (_, _, Some((_, reason))) => DeliveryOutcome::Unreachable(reason.clone()),
            (false, ..) => self.delivery.register(&push),
            (true, true, _) => self.delivery.remove(&push),
            (true, false, _) => self.delivery.check_removal(&push),
        };
        push.deliveries += 1;
        self.passed.is_misconfigured |= matches!(delivered, DeliveryOutcome::Misconfigured(_));
        match delivered {
            // A watcher only marks what a deleted branch leaves behind; a person removes it.
            DeliveryOutcome::Done(_) if push.is_deletion() && !self.policy.is_requested => {
                push.state = PushState::Removal;
                self.keep(id, push, "`flowreg sync` removes its registrations".to_owned(), before)
            }
            DeliveryOutcome::Done(what) => {
                let verb = if push.is_deletion() { "removed" } else { "registered" };
                self.log.write(&push.label(), &format!("{verb}: {what}"));
                self.outbox.remove(&[id])?;
                self.passed.delivered.push((push, what));
                Ok(())
            }
            DeliveryOutcome::Skipped(why) => self.drop_record(id, push, &why),
            DeliveryOutcome::Unreachable(reason) => {
                self.unreachable.push((push.target.clone(), reason.clone()));
                self.passed.may_come = true;
                push.state = PushState::Undelivered;
                self.keep(id, push, reason, before)
            }
            DeliveryOutcome::Refused(reason) | DeliveryOutcome::Misconfigured(reason) => {
                push.state = PushState::Refused;
                self.keep(id, push, reason, before)
            }
        }
    }

    /// Keeps a record with its new state and reason. The log gets a line only if one of them changed:
    /// a watcher passes several times.
    fn keep(
        &mut self,
        id: &str,
        mut push: QueuedPush,
        reason: String,
        before: &QueuedPush,
    ) -> Result<(), OutboxError> {
        if before.state != push.state || before.reason.as_ref() != Some(&reason) {
            self.log.write(&push.label(), &format!("{}: {reason}", push.state.as_str()));
        }
        push.reason = Some(reason);
        if push == *before { Ok(()) } else { self.outbox.replace(id, &push) }
    }

    /// Removes a record without a delivery.
    fn drop_record(&mut self, id: &str, push: QueuedPush, why: &str) -> Result<(), OutboxError> {
        self.drop_records(vec![(id.to_owned(), push, why.to_owned())])
    }

    /// Removes records without a delivery, in one write: a push may have thousands of tags that are outdone.
    fn drop_records(
        &mut self,
        dropped: Vec<(String, QueuedPush, String)>,
    ) -> Result<(), OutboxError> {
        if dropped.is_empty() {
            return Ok(());
        }
        for (_, push, why) in &dropped {
            self.log.write(&push.label(), &format!("not registered: {why}"));
        }
        let ids: Vec<&str> = dropped.iter().map(|(id, ..)| &**id).collect();
        self.outbox.remove(&ids)?;
        self.passed.dropped.extend(dropped.into_iter().map(|(_, push, why)| (push, why)));
        Ok(())
    }
}
