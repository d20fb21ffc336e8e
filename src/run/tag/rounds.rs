//! The rounds in which a tag is made.
//!
//! Several CI jobs may do so at once, and each of them may be run again. Nothing but the remote can
//! decide between them: the tags of a clone may be old or missing, but a git server creates a ref
//! only if there is none of that name. So of two jobs that push one tag, one succeeds. The other
//! reads the remote's tags again and decides anew, in a new round: with another tag, and so with
//! another plan.

use std::time::Duration;

use flowreg_git::tagging::{
    self, Decision, RequestedVersion, Series, SeriesTags, TagError, Version, decide, message,
};
use flowreg_git::{PeeledTag, PushOutcome, Rejection, Remote, RemoteTags, TagPush, ci_provider};
use flowreg_model::{Channel, CodeReference, CommitId, ReferenceName, ReferenceSource, TagName};

use super::checks::TagDraft;
use super::{
    Agree, TagNotMade, TagOutcome, TagRegistration, TagRequest, TagResult, TaggedCommit, nothing,
    today,
};
use crate::run::referenced::Referenced;
use crate::run::{AppliedRun, Opened, PlannedRun, ReferenceChoice, RunError};
use crate::settings::{ChannelTable, Settings};

/// After so many rounds no further one is tried, so that a job ends in any case. A round is lost if
/// another job was faster, or if the remote refused for a reason that may pass.
const MOST_ROUNDS: u32 = 30;
/// After so many rejections that name no rule of the server, the last one is reported. Such a
/// reason can pass by itself: another push may hold the lock of a ref for a moment.
const MOST_REJECTIONS: u32 = 4;

/// One run of `flowreg tag`: what was asked for, and what it works on.
pub(super) struct TagRun<'r> {
    pub opened: &'r Opened<'r>,
    pub request: &'r TagRequest,
    pub settings: Settings,
    pub series: Series,
    pub commit: CommitId,
    pub version: RequestedVersion,
    /// The tags of any series that the commit had when the run began.
    pub tags_at_commit: Vec<TagName>,
    /// The remote; `None` if it is not to be asked, or if there is none.
    pub remote: Option<Remote>,
}

/// A tag that may be pushed: what is planned for it can be carried out, and the user agrees.
struct AgreedTag<'r> {
    tag: TagName,
    plan: Option<PlannedRun<'r>>,
}

impl<'r> TagRun<'r> {
    /// `listed` are all tags as they were a moment ago.
    pub(super) fn run(
        &self,
        listed: RemoteTags,
        agree: Agree<'_>,
    ) -> Result<TagResult<'r>, RunError> {
        let repository = &self.opened.repository;
        let set = &self.settings.tag.series;
        let mut tags = SeriesTags::new(listed, set, &self.series);
        let question = tagging::TagRequest {
            repository,
            series: &self.series,
            commit: &self.commit,
            version: &self.version,
            remote: self.remote.as_ref(),
            today: Some(today(&self.opened.surroundings)),
            provider: ci_provider(&self.opened.surroundings.environment),
        };
        let mut agreed: Option<AgreedTag<'r>> = None;
        let mut rejections = 0;
        for round in 0..MOST_ROUNDS {
            // Read again in each further round: who was faster has made a tag that was not there before,
            // so this commit may have its tag by now, or need a higher version.
            if round > 0 {
                let listed = repository.all_tags(self.remote.as_ref())?;
                tags = SeriesTags::new(listed, set, &self.series);
            }
            let decision = decide(&question, &tags)?;
            let mut tagged = self.tagged_commit(&decision)?;
            tagged.notices.extend(self.notice_of_unpushed(&tags, &tagged)?);
            tagged.notices.extend(tags.notice_of_too_large());
            let Decision::Create { tag, previous, commits, .. } = &decision else {
                self.opened.tell(&tagged.notices);
                return self.without_new_tag(&decision, tagged);
            };
            tagged.notices.extend(self.check_mainline(&tags)?);
            tagged.notices.extend(tags.notice_of_left_out(set));
            self.opened.tell(&tagged.notices);
            let Some(remote) = self.remote.as_ref().filter(|_| !self.request.print) else {
                return Ok(tagged.without_plan());
            };
            let draft = self.draft(tag, &tags)?;
            if agreed.as_ref().is_none_or(|agreed| agreed.tag != *tag) {
                agreed = match self.agreed(tag, &tagged, agree)? {
                    Ok(tag) => Some(tag),
                    Err(result) => return Ok(*result),
                };
            }
            let text = self.request.message.as_ref().map(|text| format!("{text}\n"));
            let text = text.unwrap_or_else(|| message(tag, previous.as_ref(), commits));
            match self.publish(remote, tag, &draft, &text)? {
                PushOutcome::Created => {
                    tagged.outcome = TagOutcome::Created;
                    return Ok(self.registered_as_planned(tagged, agreed));
                }
                // Another job pushed the very same object, as lightweight tags of one commit always
                // are. The tag is not this job's, and the next round finds it at the commit.
                PushOutcome::AlreadyThere => {}
                PushOutcome::Rejected(rejection) => {
                    rejections += 1;
                    if self.is_last_word(remote, tag, &rejection, rejections)? {
                        return Err(self.rejected(remote, tag, rejection).into());
                    }
                }
            }
            std::thread::sleep(pause(round));
        }
        Err(TagError::Outrun(MOST_ROUNDS).into())
    }

    /// What to say where this clone has a higher version in the commit's history than the tag of the run, as only the
    /// remote's count. The embedded registry, which asks no remote, would be pinned to it.
    fn notice_of_unpushed(
        &self,
        tags: &SeriesTags,
        tagged: &TaggedCommit,
    ) -> Result<Option<String>, RunError> {
        let Some(remote) = &self.remote else { return Ok(None) };
        let repository = &self.opened.repository;
        let set = &self.settings.tag.series;
        let here = SeriesTags::new(repository.all_tags(None)?, set, &self.series);
        let counted = tagged.tag.as_ref().map(|(tag, _)| tag).or(tagged.previous.as_ref());
        let counted = counted.and_then(|tag| set.version_of(&self.series, tag));
        let above = tags.unpushed_above(&here, counted.as_ref(), (repository, &self.commit))?;
        Ok(above.map(|tag| tagging::unpushed(tag, &remote.name)))
    }

    /// Makes the plan for a tag, where one is wanted, and asks whether to go on. The inner error is
    /// the result of a run that ends here: a dry one, or one with a plan that can't be carried out.
    fn agreed(
        &self,
        tag: &TagName,
        tagged: &TaggedCommit,
        agree: Agree<'_>,
    ) -> Result<Result<AgreedTag<'r>, Box<TagResult<'r>>>, RunError> {
        let is_planned = self.request.register || self.request.dry_run;
        let plan = if is_planned { Some(self.plan_for_new(tag)?) } else { None };
        let ended = |outcome, not_made, plan: Option<PlannedRun<'r>>| {
            let registration = plan.map(|plan| Ok(TagRegistration::Planned(Box::new(plan))));
            let tagged = TaggedCommit { outcome, ..tagged.clone() };
            Ok(Err(Box::new(TagResult { tagged, not_made, registration })))
        };
        if plan.as_ref().is_some_and(|plan| !plan.is_feasible()) {
            return ended(TagOutcome::Refused, Some(TagNotMade::Refused(tag.clone())), plan);
        }
        if self.request.dry_run {
            return ended(TagOutcome::Next, None, plan);
        }
        if !agree(tagged, plan.as_ref().map(|plan| plan.plan.summary())) {
            return ended(TagOutcome::Declined, Some(TagNotMade::Declined(tag.clone())), None);
        }
        Ok(Ok(AgreedTag { tag: tag.clone(), plan }))
    }

    /// Plans what is to be registered at a tag that does not exist yet.
    fn plan_for_new(&self, tag: &TagName) -> Result<PlannedRun<'r>, RunError> {
        let request = &self.request.run;
        let configured = self.opened.configure_for(&request.reference, Some(&self.commit))?;
        let set = &self.settings.tag.series;
        let packages = set.packages_beside(tag);
        let further = set.highest_of_each(&packages, &self.tags_at_commit).into_iter();
        let further =
            further.map(|(_, tag)| CodeReference { proved: true, ..self.reference_at(tag) });
        let reference = self.reference_at(tag);
        let referenced = Referenced::of_new_tag(configured, reference, further.collect());
        referenced.desire(request)?.compare()?.plan()
    }

    /// Carries the plan out, now that the tag is there. If the target no longer holds what the plan
    /// was made from, because a later job registered its tag meanwhile, everything is planned anew,
    /// so that the guards see it.
    fn registered_as_planned(
        &self,
        tagged: TaggedCommit,
        agreed: Option<AgreedTag<'r>>,
    ) -> TagResult<'r> {
        let Some(AgreedTag { tag, plan: Some(mut plan) }) = agreed else {
            return tagged.without_plan();
        };
        let applied = if plan.is_current(&self.request.run).unwrap_or(false) {
            // The remote has taken it.
            plan.referenced.reference.proved = true;
            Ok(plan.apply())
        } else {
            // With its target goes the lock that only one run at a time may hold on Prefect 1.
            drop(plan);
            self.plan_at(&tag).map(PlannedRun::apply)
        };
        TagResult { tagged, not_made: None, registration: Some(applied.map(registered)) }
    }

    /// The result where the commit has its tag, or no tag is to be made.
    fn without_new_tag(
        &self,
        decision: &Decision,
        tagged: TaggedCommit,
    ) -> Result<TagResult<'r>, RunError> {
        let Decision::Exists { tag, .. } = decision else { return Ok(tagged.without_plan()) };
        let TagRequest { register, dry_run, .. } = self.request;
        if !register && !dry_run {
            return Ok(tagged.without_plan());
        }
        self.create_missing_tag_here(tag)?;
        let plan = self.plan_at(&tag.name);
        let registration = if *dry_run {
            plan.map(|plan| TagRegistration::Planned(Box::new(plan)))
        } else {
            plan.map(|plan| registered(plan.apply()))
        };
        Ok(TagResult { tagged, not_made: None, registration: Some(registration) })
    }

    /// Plans what is to be registered at a tag that exists.
    fn plan_at(&self, tag: &TagName) -> Result<PlannedRun<'r>, RunError> {
        let request = &self.request.run;
        let choice = ReferenceChoice {
            tag: Some(tag.to_string()),
            remote: self.remote.as_ref().map(|remote| remote.name.clone()),
            ..request.reference.clone()
        };
        self.opened.reference(&choice)?.desire(request)?.compare()?.plan()
    }

    /// Makes a ref in this clone for a tag that only the remote has: the embedded registry never
    /// asks the remote, so the tag has to be here.
    fn create_missing_tag_here(&self, tag: &PeeledTag) -> Result<(), RunError> {
        let repository = &self.opened.repository;
        let Some(remote) = &self.remote else { return Ok(()) };
        if repository.tag_here(&tag.name)?.is_none() {
            // The commit is here, but an annotated tag is an object of its own.
            if tag.is_annotated() {
                repository.fetch_from(remote, &[&tag.object])?;
            }
            repository.create_local_tag(&tag.name, &tag.object);
        }
        Ok(())
    }

    /// The reference that a tag is at the commit. No flag was given; `--tag` is how to name it in a
    /// later run.
    pub(super) fn reference_at(&self, tag: &TagName) -> CodeReference {
        CodeReference {
            name: ReferenceName::Tag(tag.clone()),
            commit: self.commit.clone(),
            source: ReferenceSource::Flag,
            source_detail: "--tag".to_owned(),
            channel: Channel::Mainline,
            remote: self.remote.as_ref().map(|remote| remote.name.clone()),
            proved: false,
        }
    }

    pub(super) fn mainline_rules(&self) -> &ChannelTable {
        self.settings.channel(Channel::Mainline)
    }

    fn publish(
        &self,
        remote: &Remote,
        tag: &TagName,
        draft: &TagDraft,
        text: &str,
    ) -> Result<PushOutcome, RunError> {
        let repository = &self.opened.repository;
        let object = match &draft.by_hand {
            Some(object) => object.clone(),
            None => repository.make_tag(tag, &self.commit, draft.kind, text)?,
        };
        self.check_signature(tag, &object)?;
        let push = TagPush {
            tag,
            object: &object,
            branch: draft.branch.as_ref().map(|branch| (branch, &self.commit)),
            // With `register` this run registers at the tag after the push. If the pre-push hook
            // queued the tag as well, everything would be registered a second time.
            hooks_register: !self.request.register,
        };
        let outcome = repository.push_tag(remote, &push)?;
        if outcome == PushOutcome::Created {
            repository.create_local_tag(tag, &object);
        }
        Ok(outcome)
    }

    /// Whether another round is of no use after a rejection.
    ///
    /// It is of none if a rule of the server decided, or if the branch that goes along was refused:
    /// mostly somebody else pushed to it, and only a person can bring the two together. Any other
    /// reason can mean that another job made the tag a moment before. The remote is asked for it,
    /// and the next round takes it into account. If the tag is not there, the push is tried again a
    /// few times.
    fn is_last_word(
        &self,
        remote: &Remote,
        tag: &TagName,
        rejection: &Rejection,
        rejections: u32,
    ) -> Result<bool, RunError> {
        if rejection.is_of_branch || rejection.is_final() {
            return Ok(true);
        }
        let there = self.opened.repository.ask_for_tags(remote, tag.as_str())?;
        let is_there = there.tags.iter().any(|held| held.name == *tag);
        Ok(!is_there && rejections >= MOST_REJECTIONS)
    }

    fn rejected(&self, remote: &Remote, tag: &TagName, rejection: Rejection) -> TagError {
        TagError::Rejected {
            tag: tag.clone(),
            branch: self.active_branch().map(|branch| branch.to_string()),
            remote: remote.name.clone(),
            rejection: Box::new(rejection),
        }
    }

    fn tagged_commit(&self, decision: &Decision) -> Result<TaggedCommit, RunError> {
        let without_tag = |outcome, previous: &Option<TagName>| TaggedCommit {
            tag: None,
            commit: self.commit.clone(),
            previous: previous.clone(),
            outcome,
            remote: self.remote.as_ref().map(|remote| remote.name.clone()),
            notices: Vec::new(),
            affected: Vec::new(),
        };
        let named = |tag: &TagName, version: &Version| Some((tag.clone(), version.to_string()));
        Ok(match decision {
            Decision::Exists { tag, version, previous } => {
                let mut tagged = without_tag(TagOutcome::Exists, previous);
                if tag.is_annotated() && self.is_prefect1() {
                    tagged.notices.push(format!(
                        "{} is an annotated tag, which workers of prefect1 can't check out",
                        tag.name
                    ));
                }
                TaggedCommit { tag: named(&tag.name, version), ..tagged }
            }
            Decision::Create { tag, version, previous, .. } => {
                TaggedCommit { tag: named(tag, version), ..without_tag(TagOutcome::Next, previous) }
            }
            Decision::Nothing { previous, commits } => {
                let affected = match previous {
                    Some(tag) => self.affected_since(tag)?,
                    None => Vec::new(),
                };
                let previous = previous.as_ref().map(|tag| tag.name.clone());
                let notices = vec![nothing(previous.as_ref(), *commits)];
                TaggedCommit { notices, affected, ..without_tag(TagOutcome::Nothing, &previous) }
            }
            Decision::Contained { by, previous } => TaggedCommit {
                notices: vec![format!(
                    "{} is in {by} already: a later job was faster, and there is nothing to do",
                    self.commit.short()
                )],
                ..without_tag(TagOutcome::Contained, previous)
            },
        })
    }
}

fn registered<'r>(applied: AppliedRun) -> TagRegistration<'r> {
    TagRegistration::Applied(Box::new(applied))
}

/// How long to wait before the next round.
///
/// Jobs that began together would otherwise go on to push at the same moments. The process id makes
/// the pauses of jobs on one machine differ, and later rounds wait longer, up to 0.3 seconds, so
/// that others can finish.
fn pause(round: u32) -> Duration {
    let own = u64::from(std::process::id() % 40);
    Duration::from_millis(own + u64::from(round.min(10)) * 25)
}
