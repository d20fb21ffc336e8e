//! Makes the tag of the next version and pushes exactly that ref.
//!
//! A tag can't be taken back, so everything that can be refused comes first: the plan is made for a
//! tag that does not exist yet, and only if all of it would be carried out the tag is pushed.
//!
//! Which version comes next is decided in [`flowreg_git::tagging`]; what holds for a tag that is
//! registered, whoever made it, in [`super::tag_rules`].

mod affected;
mod checks;
mod list;
mod request;
mod rounds;

use flowreg_git::tagging::{Day, RequestedVersion, TagError};
use flowreg_git::{ReferenceError, Remote};
use flowreg_model::{CommitId, RemoteName, TagName, escaped, quoted};
use serde::Serialize;

use self::affected::nothing;
use self::request::requested_version;
use self::rounds::TagRun;
use super::{AppliedRun, Opened, PlannedRun, RunError, Surroundings};
use crate::registration::PlanSummary;
use crate::settings::Settings;

pub(crate) use self::affected::AffectedSource;
pub(crate) use self::list::TagList;
pub(crate) use self::request::TagRequest;
pub use self::request::TagUsageError;

/// What became of the tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum TagOutcome {
    /// It was made and pushed.
    Created,
    /// The commit had it already.
    Exists,
    /// It is the next one, and was not made.
    Next,
    /// It is the next one, and was not made because not all of its plan can be carried out.
    Refused,
    /// It is the next one, and the user did not want it.
    Declined,
    /// There is none to make.
    Nothing,
    /// A later tag has the commit already.
    Contained,
}

/// Why a tag that comes next was not made, although nothing is wrong with the tag itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TagNotMade {
    /// Not all of its plan can be carried out.
    #[error("no tag is made: not everything could be registered at {}", escaped(.0))]
    Refused(TagName),
    /// The user did not want it.
    #[error("no tag is made: {} was not agreed to", escaped(.0))]
    Declined(TagName),
}

impl TagNotMade {
    /// The word that JSON has for it.
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::Refused(_) => "plan_refused",
            Self::Declined(_) => "declined",
        }
    }

    /// What to type.
    pub(crate) fn hints(&self) -> Vec<String> {
        match self {
            Self::Refused(tag) => vec![
                "to make it all the same: flowreg … without --register without --dry-run"
                    .to_owned(),
                format!(
                    "and then, to register what can be: flowreg register … --tag {}",
                    quoted(tag.as_str())
                ),
            ],
            Self::Declined(_) => {
                vec!["to publish it without a question: flowreg … --yes".to_owned()]
            }
        }
    }
}

/// The tag of a commit.
#[derive(Debug, Clone)]
pub(crate) struct TaggedCommit {
    /// The tag and its version without the prefix; `None` if there is none to make.
    pub tag: Option<(TagName, String)>,
    /// The commit.
    pub commit: CommitId,
    /// The tag before it, as far as it is known.
    pub previous: Option<TagName>,
    /// What became of it.
    pub outcome: TagOutcome,
    /// The remote that was asked.
    pub remote: Option<RemoteName>,
    /// What is worth knowing and stops nothing.
    pub notices: Vec<String>,
    /// Where there is nothing to release: the flows that are affected since the last tag all the same.
    pub affected: Vec<AffectedSource>,
}

/// What became of the tag, and of what is registered at it.
pub(crate) struct TagResult<'r> {
    /// The tag.
    pub tagged: TaggedCommit,
    /// Why it was not made, if it would have come next.
    pub not_made: Option<TagNotMade>,
    /// The plan or what came of it, if there is one. An error here is one after the tag was there.
    pub registration: Option<Result<TagRegistration<'r>, RunError>>,
}

/// What is registered at a tag.
pub(crate) enum TagRegistration<'r> {
    /// What would be, or would have been.
    Planned(Box<PlannedRun<'r>>),
    /// What became of it.
    Applied(Box<AppliedRun>),
}

/// Asks the user whether a tag is to be published, and everything registered as it is planned.
pub(crate) type Agree<'a> = &'a dyn Fn(&TaggedCommit, Option<PlanSummary>) -> bool;

impl Opened<'_> {
    /// Makes the tag of a commit and pushes it, unless the commit has its tag already or there is
    /// no version to make, and registers at it if that is asked for.
    ///
    /// # Errors
    /// [`RunError`] if the request makes no sense, or the tag can't be made.
    pub(crate) fn tag<'r>(
        &'r self,
        request: &'r TagRequest,
        agree: Agree<'_>,
    ) -> Result<TagResult<'r>, RunError> {
        let repository = &self.repository;
        let commit = if let Some(revision) = &request.commit {
            repository.commit_of(revision)?
        } else {
            repository.check_head()?;
            repository.head_commit()?
        };
        // The file at the commit that gets the tag, because registering at the tag reads that one.
        let settings = self.settings_at(&commit, &request.run.reference)?;
        // Also where the tag exists or there is none to make: a job that forgot its server is green
        // until the day of the first release otherwise.
        if request.register {
            self.configure_at(Some(&commit))?.check_target()?;
        }
        request.check()?;
        settings.tag.series.check_paths(repository, &commit)?;
        let name = settings.repository.remote.as_ref().map(|remote| &remote.value);
        let remote = repository.remote(name)?;
        if remote.is_none() && !request.print {
            return Err(ReferenceError::NoRemote.into());
        }
        let has_none = request.offline && repository.tag_names()?.is_empty();
        let lacking = self.lacks_tags(request, &settings, has_none)?;
        self.tell(&lacking);
        let (remote, unasked) = if request.offline { (None, remote) } else { (remote, None) };
        let listed = repository.all_tags(remote.as_ref())?;
        let (series, version) = requested_version(request, &settings, &listed)?;
        // The first version would be made although the remote may have others.
        if let (RequestedVersion::Next { .. }, Some(remote)) = (&version, &unasked)
            && has_none
            && repository.may_lack_tags(&remote.name)
        {
            return Err(TagError::TagsNeeded { remote: remote.name.clone() }.into());
        }
        let here = listed.tags.iter().filter(|tag| tag.commit == commit);
        let tags_at_commit = here.map(|tag| tag.name.clone()).collect();
        let opened = self;
        let run =
            TagRun { opened, request, settings, series, commit, version, tags_at_commit, remote };
        let mut result = run.run(listed, agree)?;
        result.tagged.notices.extend(lacking);
        Ok(result)
    }

    /// What is to be said where the remote is not asked, and no tag is here.
    fn lacks_tags(
        &self,
        request: &TagRequest,
        settings: &Settings,
        has_none: bool,
    ) -> Result<Vec<String>, RunError> {
        let name = settings.repository.remote.as_ref().map(|remote| &remote.value);
        let remote = self.repository.remote(name)?.filter(|_| request.offline && has_none);
        let text = |Remote { name, .. }| {
            format!("there are no tags here; if {name} has some: git fetch --tags {name}")
        };
        Ok(remote.map(text).into_iter().collect())
    }
}

impl TaggedCommit {
    fn without_plan<'r>(self) -> TagResult<'r> {
        TagResult { tagged: self, not_made: None, registration: None }
    }
}

/// Which day it is, in UTC.
fn today(surroundings: &Surroundings) -> Day {
    let today = (surroundings.clock)().to_zoned(jiff::tz::TimeZone::UTC).date();
    let week = today.iso_week_date();
    Day {
        year: u16::try_from(today.year()).unwrap_or_default(),
        month: u8::try_from(today.month()).unwrap_or_default(),
        day: u8::try_from(today.day()).unwrap_or_default(),
        week: u8::try_from(week.week()).unwrap_or_default(),
        week_year: u16::try_from(week.year()).unwrap_or_default(),
    }
}
