//! Decides which tag a commit gets: reads the tags that exist and the commit's history, and computes
//! the version from them.
//!
//! The remote's tags are what counts, not those of this clone. If the clone lacks history that the
//! version follows from, it is fetched or the decision is refused; nothing is guessed. Only where a
//! part of the version was asked for (`--bump`) are the tags' names enough.

use super::calendar::Day;
use super::error::TagError;
use super::next::{Bump, VersionInputs, next};
use super::paths::SeriesPaths;
use super::reverts::impact_of;
use super::series::{Scheme, Series};
use super::series_tags::{SeriesTags, WrittenOtherwise};
use super::version::Version;
use crate::{GitError, LoggedCommit, PeeledTag, Remote, Repository};
use flowreg_model::{CommitId, RemoteName, TagName};

/// The version that was asked for.
#[derive(Debug, Clone)]
pub enum RequestedVersion {
    /// The next one.
    Next {
        /// The part that goes up; `None`: what the commits ask for.
        bump: Option<Bump>,
        /// What a pre-release is called.
        pre: Option<String>,
        /// Build metadata.
        build: Option<String>,
    },
    /// This one.
    Exactly {
        /// The version.
        version: Version,
        /// Whether it may be lower than what is in the commit's history.
        may_be_lower: bool,
        /// Whether the prefix was given as well, which may begin a series.
        is_in_full: bool,
    },
}

/// A request to tag a commit.
#[derive(Clone, Copy)]
pub struct TagRequest<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The series that the tag belongs to.
    pub series: &'a Series,
    /// The commit.
    pub commit: &'a CommitId,
    /// Which version.
    pub version: &'a RequestedVersion,
    /// The remote, if it was asked.
    pub remote: Option<&'a Remote>,
    /// Which day it is; `None`: not known, and no calendar version follows.
    pub today: Option<Day>,
    /// The CI provider of the build, for hints.
    pub provider: Option<&'static str>,
}

/// What has to be done about a commit.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The commit has its tag already.
    Exists {
        /// The tag.
        tag: PeeledTag,
        /// Its version.
        version: Version,
        /// The one before it, as far as it is known.
        previous: Option<TagName>,
    },
    /// The tag is to be made.
    Create {
        /// The tag.
        tag: TagName,
        /// Its version.
        version: Version,
        /// The one before it.
        previous: Option<TagName>,
        /// What came since then, as far as it is here.
        commits: Vec<LoggedCommit>,
    },
    /// No commit since the last release asks for one.
    Nothing {
        /// The last tag in the commit's history.
        previous: Option<PeeledTag>,
        /// How many commits came since then.
        commits: usize,
    },
    /// Mainline went on, and a later tag has this commit.
    Contained {
        /// The later tag.
        by: TagName,
        /// The last one in the commit's own history.
        previous: Option<TagName>,
    },
}

/// The highest version and the highest release in a commit's history, as indices into the list of
/// tags.
#[derive(Debug, Clone, Copy, Default)]
struct HistoryVersions {
    latest: Option<usize>,
    released: Option<usize>,
    /// Whether a shallow clone ended before that was certain.
    is_cut: bool,
}

/// Decides what has to be done.
///
/// # Errors
/// [`TagError`] if nothing can be done, and why.
pub fn decide(request: &TagRequest<'_>, existing: &SeriesTags) -> Result<Decision, TagError> {
    match request.version {
        RequestedVersion::Exactly { version, may_be_lower, .. } => {
            decide_exact(request, existing, version, *may_be_lower)
        }
        RequestedVersion::Next { bump, pre, build } => {
            let is_pre = *bump == Some(Bump::Pre);
            // A job that is run again finds the tag that it made, and makes no second one.
            let made = existing.tags.iter().find(|(version, tag)| {
                tag.commit == *request.commit && (is_pre || !version.is_pre_release())
            });
            if let Some((version, tag)) = made {
                return already_tagged(request, existing, version, tag);
            }
            let inputs = VersionInputs {
                bump: *bump,
                pre: pre.clone(),
                build: build.clone(),
                today: request.today,
                ..VersionInputs::default()
            };
            decide_next(request, existing, inputs)
        }
    }
}

fn already_tagged(
    request: &TagRequest<'_>,
    existing: &SeriesTags,
    version: &Version,
    tag: &PeeledTag,
) -> Result<Decision, TagError> {
    let lower = existing.tags.iter().position(|(held, _)| held.precedence(version).is_lt());
    let lower = lower.and_then(|start| existing.tags.get(start..)).unwrap_or_default();
    let history = versions_in_history(request, lower)?;
    let previous = history.latest.filter(|_| !history.is_cut).and_then(|index| lower.get(index));
    Ok(Decision::Exists {
        tag: tag.clone(),
        version: version.clone(),
        previous: previous.map(|(_, tag)| tag.name.clone()),
    })
}

fn decide_exact(
    request: &TagRequest<'_>,
    existing: &SeriesTags,
    version: &Version,
    may_be_lower: bool,
) -> Result<Decision, TagError> {
    if let Some(held) = existing.tag_of(version) {
        if held.commit == *request.commit {
            return already_tagged(request, existing, version, held);
        }
        return Err(request.taken(held, true));
    }
    let tag = request.tag_of(version)?;
    request.refuse_second_series(existing, &tag)?;
    let history = versions_in_history(request, &existing.tags)?;
    let latest = history.latest.and_then(|index| existing.tags.get(index));
    if let Some((held, latest)) = latest
        && !may_be_lower
        && version.precedence(held).is_le()
    {
        return Err(TagError::NotHigher { tag, latest: latest.name.clone() });
    }
    let (commits, is_cut) = request.log_since(latest.map(|(_, tag)| &tag.commit))?;
    Ok(Decision::Create {
        tag,
        version: version.clone(),
        previous: latest.map(|(_, tag)| tag.name.clone()),
        // Half a list of commits would look like a whole one in the tag's message.
        commits: if is_cut { Vec::new() } else { commits },
    })
}

fn decide_next(
    request: &TagRequest<'_>,
    existing: &SeriesTags,
    inputs: VersionInputs,
) -> Result<Decision, TagError> {
    let tags = &existing.tags;
    let history = versions_in_history(request, tags)?;
    let history =
        if history.is_cut { beyond_shallow(request, existing, &inputs, history)? } else { history };
    let at = |index: Option<usize>| index.and_then(|index| tags.get(index));
    let (latest, released) = (at(history.latest), at(history.released));
    let last = || latest.map(|(_, tag)| tag.clone());
    let previous = latest.map(|(_, tag)| tag.name.clone());
    let higher = tags.get(..history.latest.unwrap_or(tags.len())).unwrap_or_default();
    if let Some(by) = later_tag_with_commit(request, higher)? {
        return Ok(Decision::Contained { by, previous });
    }
    let (commits, is_cut) = request.log_since(released.map(|(_, tag)| &tag.commit))?;
    let history_needed = || request.history_needed(existing, &inputs, history, history.released);
    // A bump says all that the commits could; a calendar version follows from the day. A first
    // version is the series' initial one whatever the commits are.
    let is_calendar = matches!(request.series.scheme, Scheme::Calendar(_));
    let needs_commits = match inputs.bump {
        Some(Bump::Pre) | None => latest.is_some() && !is_calendar,
        Some(_) => false,
    };
    if is_cut && needs_commits {
        return Err(history_needed());
    }
    if inputs.bump.is_none() && commits.is_empty() {
        // Behind the end of a shallow clone there may be commits that touch the series' paths.
        if is_cut {
            return Err(history_needed());
        }
        return Ok(Decision::Nothing { previous: last(), commits: 0 });
    }
    let inputs = VersionInputs {
        latest: latest.map(|(version, _)| version.clone()),
        released: released.map(|(version, _)| version.clone()),
        impact: impact_of(&commits, |merge, base| request.brought_by(merge, base))?,
        ..inputs
    };
    let Some(version) = next(request.series, &inputs)? else {
        return Ok(Decision::Nothing { previous: last(), commits: commits.len() });
    };
    // A branch that is not in this commit's history may have taken the version.
    if let Some(held) = existing.tag_of(&version) {
        return Err(request.taken(held, false));
    }
    let tag = request.tag_of(&version)?;
    request.refuse_second_series(existing, &tag)?;
    let commits = if is_cut { Vec::new() } else { commits };
    // The notes of a release begin at the release before it, not at its own pre-releases.
    let previous = if version.is_pre_release() {
        previous
    } else {
        released.map(|(_, tag)| tag.name.clone()).or(previous)
    };
    Ok(Decision::Create { tag, version, previous, commits })
}

/// Completes what a shallow clone tells with the tags whose commits it lacks, where that is safe.
///
/// # Errors
/// [`TagError::HistoryNeeded`] if it is not safe.
fn beyond_shallow(
    request: &TagRequest<'_>,
    existing: &SeriesTags,
    inputs: &VersionInputs,
    history: HistoryVersions,
) -> Result<HistoryVersions, TagError> {
    let tags = &existing.tags;
    // The highest version above `limit` whose commit is not in this clone.
    let not_here = |limit: Option<usize>, counts: &dyn Fn(&Version) -> bool| {
        let above = tags.iter().take(limit.unwrap_or(tags.len()));
        let mut above = above
            .map(|(version, tag)| counts(version) && !request.repository.has_commit(&tag.commit));
        above.position(|is_not_here| is_not_here)
    };
    let latest = not_here(history.latest, &|_| true);
    let released = not_here(history.released, &|version| !version.is_pre_release());
    if latest.is_none() && released.is_none() {
        return Ok(history);
    }
    // If the commit is the tip of a branch, the branch's tags that the clone lacks are behind it; a
    // tag of another branch could only make the next version higher. Without a bump the commits since
    // then would have to be read, and they are not here.
    let is_tip = existing.branches.iter().any(|(_, tip)| tip == request.commit);
    let since = latest.or(released);
    let history = HistoryVersions {
        latest: latest.or(history.latest),
        released: released.or(history.released),
        ..history
    };
    if !is_tip {
        return Err(request.no_history(since.and_then(|index| tags.get(index)), false));
    }
    if inputs.bump.is_none_or(|bump| bump == Bump::Pre) {
        return Err(request.history_needed(existing, inputs, history, since));
    }
    Ok(history)
}

/// Finds the highest version, and the highest release, among a commit's ancestors. `tags` are in
/// descending order, so of two indices the lower one is the higher version.
fn versions_in_history(
    request: &TagRequest<'_>,
    tags: &[(Version, PeeledTag)],
) -> Result<HistoryVersions, GitError> {
    if tags.is_empty() {
        return Ok(HistoryVersions::default());
    }
    let highest_release = tags.iter().position(|(version, _)| !version.is_pre_release());
    let commits: Vec<&CommitId> = tags.iter().map(|(_, tag)| &tag.commit).collect();
    let mut history = HistoryVersions::default();
    let higher =
        |held: Option<usize>, index: usize| Some(held.map_or(index, |held| held.min(index)));
    history.is_cut = request.repository.visit_ancestors(request.commit, &commits, |index| {
        history.latest = higher(history.latest, index);
        if tags.get(index).is_some_and(|(version, _)| !version.is_pre_release()) {
            history.released = higher(history.released, index);
        }
        // Only tags that are higher than what was found are still worth looking for: those before the
        // lower of the two. Once the highest release of all is found, only pre-releases matter.
        let release_limit =
            if history.released == highest_release { Some(0) } else { history.released };
        history.latest.unwrap_or(tags.len()).max(release_limit.unwrap_or(tags.len()))
    })?;
    Ok(history)
}

/// The later tag on the line of first parents that went on from this commit. A job that comes late,
/// after a newer commit was tagged, has nothing to do.
fn later_tag_with_commit(
    request: &TagRequest<'_>,
    higher: &[(Version, PeeledTag)],
) -> Result<Option<TagName>, TagError> {
    if higher.is_empty() {
        return Ok(None);
    }
    let repository = request.repository;
    let not_here: Vec<_> = higher
        .iter()
        .map(|(_, tag)| &tag.commit)
        .filter(|commit| !repository.has_commit(commit))
        .collect();
    // Into a shallow clone a fetch would bring the whole history between, or end at its border.
    let remote = request.remote.filter(|_| !not_here.is_empty() && !repository.is_shallow());
    if let Some(remote) = remote {
        repository.fetch_from(remote, &not_here)?;
    }
    let tips: Vec<_> = higher.iter().map(|(_, tag)| &tag.commit).collect();
    let Some(tip) = repository.first_that_continues(&tips, request.commit)? else {
        return Ok(None);
    };
    let by = higher.iter().find(|(_, tag)| tag.commit == *tip);
    Ok(by.map(|(_, tag)| tag.name.clone()))
}

impl TagRequest<'_> {
    fn tag_of(&self, version: &Version) -> Result<TagName, TagError> {
        let name = || TagError::Name(format!("{}{version}", self.series.prefix));
        self.series.tag_of(version).ok_or_else(name)
    }

    /// Refuses to begin a series where the versions of the repository are written in another way, unless
    /// the first one was given in full. `next` is the one that would begin it.
    fn refuse_second_series(&self, existing: &SeriesTags, next: &TagName) -> Result<(), TagError> {
        let is_in_full = matches!(self.version, RequestedVersion::Exactly { is_in_full: true, .. });
        match &existing.written_otherwise {
            Some(other) if existing.tags.is_empty() && !is_in_full => {
                // A calendar version follows from the day alone, which the other tag does not say.
                let first = other.first.clone().unwrap_or_else(|| next.clone());
                let other = WrittenOtherwise { first: Some(first), ..other.clone() };
                Err(TagError::SecondSeries(Box::new(other)))
            }
            _ => Ok(()),
        }
    }

    fn taken(&self, held: &PeeledTag, is_asked_for: bool) -> TagError {
        TagError::Taken {
            tag: held.name.clone(),
            remote: self.remote.map(|remote| remote.name.clone()),
            there: held.commit.clone(),
            commit: self.commit.clone(),
            is_asked_for,
        }
    }

    /// The error where the history since a tag is not here; of a commit whose tags are all known. `since` is
    /// an index like those of `history`.
    fn history_needed(
        &self,
        existing: &SeriesTags,
        inputs: &VersionInputs,
        history: HistoryVersions,
        since: Option<usize>,
    ) -> TagError {
        let at = |index: Option<usize>| index.and_then(|index| existing.tags.get(index));
        let version = |index| at(index).map(|(version, _)| version.clone());
        let bumped = VersionInputs {
            bump: Some(Bump::Minor),
            pre: None,
            latest: version(history.latest),
            released: version(history.released),
            ..inputs.clone()
        };
        let bumped = next(self.series, &bumped).ok().flatten();
        let is_bump_enough = bumped.is_some_and(|version| existing.tag_of(&version).is_none());
        self.no_history(at(since), is_bump_enough)
    }

    fn no_history(&self, since: Option<&(Version, PeeledTag)>, is_bump_enough: bool) -> TagError {
        let since =
            since.map_or_else(|| "the beginning".to_owned(), |(_, tag)| tag.name.to_string());
        let remote = self.remote.map(|remote| remote.name.clone());
        let Some(remote) = remote.or_else(|| "origin".parse::<RemoteName>().ok()) else {
            return TagError::Name(since);
        };
        TagError::HistoryNeeded { since, provider: self.provider, remote, is_bump_enough }
    }

    /// The ids of the commits that a merge brought to the commit it was merged into, itself included;
    /// none if what a message calls so is not here.
    fn brought_by(&self, merge: &str, base: &str) -> Result<Vec<String>, GitError> {
        let commits = (self.repository.commit_named(merge), self.repository.commit_named(base));
        let (Ok(merge), Ok(base)) = commits else { return Ok(Vec::new()) };
        let log = self.repository.log_since(Some(&base), &merge, &SeriesPaths::default())?;
        Ok(log.commits.into_iter().map(|commit| commit.id.to_string()).collect())
    }

    /// The commits since a commit, and whether some of them are missing.
    fn log_since(&self, base: Option<&CommitId>) -> Result<(Vec<LoggedCommit>, bool), GitError> {
        let base_here = base.filter(|base| self.repository.has_commit(base));
        let paths = SeriesPaths::new(&self.series.paths);
        let log = self.repository.log_since(base_here, self.commit, &paths)?;
        Ok((log.commits, log.is_cut || base_here != base))
    }
}
