//! Asks the repository and the remote for what the next version follows from, and decides.
//!
//! The remote's tags are what counts. What this clone lacks is asked for or refused, never
//! guessed; a clone without history may go by names alone where a version was asked for.

use super::calendar::Day;
use super::conventional::impact_of;
use super::error::TagError;
use super::next::{Bump, Facts, next};
use super::series::{Scheme, Series};
use super::version::Version;
use crate::{GitError, LoggedCommit, Remote, Repository, TagAt};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName};

/// Which version is wanted.
#[derive(Debug, Clone)]
pub enum Wanted {
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
    },
}

/// What is to be tagged, and how.
#[derive(Clone, Copy)]
pub struct Asked<'a> {
    /// The repository.
    pub repository: &'a Repository,
    /// The series that the tag belongs to.
    pub series: &'a Series,
    /// The commit.
    pub commit: &'a CommitId,
    /// Which version.
    pub wanted: &'a Wanted,
    /// The remote, if it was asked.
    pub remote: Option<&'a Remote>,
    /// Which day it is.
    pub today: Day,
    /// The CI provider of the build.
    pub provider: Option<&'static str>,
}

/// The versions that there are at one moment, the highest first.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    tags: Vec<(Version, TagAt)>,
    /// The remote's branches.
    pub branches: Vec<(BranchName, CommitId)>,
}

/// What has to be done.
#[derive(Debug, Clone)]
pub enum Decision {
    /// The commit has its tag already.
    Exists {
        /// The tag.
        tag: TagAt,
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
        /// The last one.
        previous: Option<TagName>,
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

impl Survey {
    /// Reads the tags of a series: the remote's, or without a remote those that are here.
    ///
    /// # Errors
    /// If the remote can't be reached, or the refs can't be read.
    pub fn take(
        repository: &Repository,
        series: &Series,
        remote: Option<&Remote>,
    ) -> Result<Self, TagError> {
        let (tags, branches) = match remote {
            Some(remote) => {
                let asked = repository.ask_for_tags(remote, &series.prefix)?;
                (asked.tags, asked.branches)
            }
            None => (repository.tags_here(&series.prefix)?, Vec::new()),
        };
        let versions =
            tags.into_iter().filter_map(|tag| Some((series.version_of(&tag.name)?, tag)));
        let mut tags: Vec<_> = versions.collect();
        // Of versions that differ in build metadata alone, any order will do, but always the same.
        tags.sort_by(|(one, a), (other, b)| {
            other.precedence(one).then_with(|| b.name.cmp(&a.name))
        });
        Ok(Self { tags, branches })
    }

    /// The tag that has a version, whatever its build metadata.
    fn tag_of(&self, version: &Version) -> Option<&TagAt> {
        let found = self.tags.iter().find(|(held, _)| held.precedence(version).is_eq());
        found.map(|(_, tag)| tag)
    }
}

/// The places of the highest version and of the highest release in a commit's history.
#[derive(Debug, Clone, Copy, Default)]
struct Past {
    latest: Option<usize>,
    released: Option<usize>,
    /// Whether the clone ended before that was certain.
    is_cut: bool,
}

/// Decides what has to be done.
///
/// # Errors
/// [`TagError`] if nothing can be done, and why.
pub fn decide(asked: &Asked<'_>, survey: &Survey) -> Result<Decision, TagError> {
    match asked.wanted {
        Wanted::Exactly { version, may_be_lower } => exactly(asked, survey, version, *may_be_lower),
        Wanted::Next { bump, pre, build } => {
            let is_pre = *bump == Some(Bump::Pre);
            // Run again, a job finds the tag that it made.
            let made = survey.tags.iter().find(|(version, tag)| {
                tag.commit == *asked.commit && (is_pre || !version.is_pre_release())
            });
            if let Some((version, tag)) = made {
                return exists(asked, survey, version, tag);
            }
            let facts = Facts {
                bump: *bump,
                pre: pre.clone(),
                build: build.clone(),
                today: Some(asked.today),
                ..Facts::default()
            };
            computed(asked, survey, facts)
        }
    }
}

fn exists(
    asked: &Asked<'_>,
    survey: &Survey,
    version: &Version,
    tag: &TagAt,
) -> Result<Decision, TagError> {
    let lower = survey.tags.iter().position(|(held, _)| held.precedence(version).is_lt());
    let lower = lower.and_then(|start| survey.tags.get(start..)).unwrap_or_default();
    let past = past(asked, lower)?;
    let previous = past.latest.filter(|_| !past.is_cut).and_then(|place| lower.get(place));
    Ok(Decision::Exists {
        tag: tag.clone(),
        version: version.clone(),
        previous: previous.map(|(_, tag)| tag.name.clone()),
    })
}

fn exactly(
    asked: &Asked<'_>,
    survey: &Survey,
    version: &Version,
    may_be_lower: bool,
) -> Result<Decision, TagError> {
    if let Some(held) = survey.tag_of(version) {
        if held.commit == *asked.commit {
            return exists(asked, survey, version, held);
        }
        return Err(asked.taken(held, true));
    }
    let tag = asked.tag_of(version)?;
    let past = past(asked, &survey.tags)?;
    let place = past.latest.and_then(|place| survey.tags.get(place));
    if let Some((held, latest)) = place
        && !may_be_lower
        && version.precedence(held).is_le()
    {
        return Err(TagError::NotHigher { tag, latest: latest.name.clone() });
    }
    let log = asked.log_since(place.map(|(_, tag)| &tag.commit))?;
    Ok(Decision::Create {
        tag,
        version: version.clone(),
        previous: place.map(|(_, tag)| tag.name.clone()),
        commits: if log.1 { Vec::new() } else { log.0 },
    })
}

fn computed(asked: &Asked<'_>, survey: &Survey, facts: Facts) -> Result<Decision, TagError> {
    let tags = &survey.tags;
    let mut past = past(asked, tags)?;
    let unknown = |limit: Option<usize>, wants: &dyn Fn(&Version) -> bool| {
        let above = tags.iter().take(limit.unwrap_or(tags.len())).enumerate();
        let mut unknown = above.filter(|(_, (version, tag))| {
            wants(version) && !asked.repository.has_commit(&tag.commit)
        });
        unknown.next().map(|(place, _)| place)
    };
    if past.is_cut {
        let latest = unknown(past.latest, &|_| true);
        let released = unknown(past.released, &|version| !version.is_pre_release());
        let is_tip = survey.branches.iter().any(|(_, tip)| tip == asked.commit);
        if latest.is_some() || released.is_some() {
            // Nothing of the branch can be above its last commit: what is unknown is below.
            if facts.bump.is_none_or(|bump| bump == Bump::Pre) || !is_tip {
                let since = latest.or(released).and_then(|place| tags.get(place));
                return Err(asked.history_needed(since.map(|(_, tag)| &tag.name)));
            }
            past.latest = latest.or(past.latest);
            past.released = released.or(past.released);
        }
    }
    let at = |place: Option<usize>| place.and_then(|place| tags.get(place));
    let (latest, released) = (at(past.latest), at(past.released));
    let previous = latest.map(|(_, tag)| tag.name.clone());
    if let Some(by) =
        contained(asked, tags.get(..past.latest.unwrap_or(tags.len())).unwrap_or_default())?
    {
        return Ok(Decision::Contained { by, previous });
    }
    let (commits, is_cut) = asked.log_since(released.map(|(_, tag)| &tag.commit))?;
    let is_calendar = matches!(asked.series.scheme, Scheme::Calendar(_));
    let needs_history = match facts.bump {
        Some(Bump::Pre) | None => latest.is_some() && !is_calendar,
        Some(_) => false,
    };
    if is_cut && needs_history {
        return Err(asked.history_needed(released.map(|(_, tag)| &tag.name)));
    }
    if facts.bump.is_none() && commits.is_empty() {
        if is_cut {
            return Err(asked.history_needed(released.map(|(_, tag)| &tag.name)));
        }
        return Ok(Decision::Nothing { previous, commits: 0 });
    }
    let facts = Facts {
        latest: latest.map(|(version, _)| version.clone()),
        released: released.map(|(version, _)| version.clone()),
        impact: impact_of(commits.iter().map(|commit| commit.message.as_str())),
        ..facts
    };
    let Some(version) = next(asked.series, &facts)? else {
        return Ok(Decision::Nothing { previous, commits: commits.len() });
    };
    if let Some(held) = survey.tag_of(&version) {
        return Err(asked.taken(held, false));
    }
    let tag = asked.tag_of(&version)?;
    let commits = if is_cut { Vec::new() } else { commits };
    let previous = if version.is_pre_release() {
        previous
    } else {
        released.map(|(_, tag)| tag.name.clone()).or(previous)
    };
    Ok(Decision::Create { tag, version, previous, commits })
}

/// Finds the highest version, and the highest release, among a commit's ancestors.
fn past(asked: &Asked<'_>, tags: &[(Version, TagAt)]) -> Result<Past, GitError> {
    let Some(_) = tags.first() else { return Ok(Past::default()) };
    let highest_release = tags.iter().position(|(version, _)| !version.is_pre_release());
    let commits: Vec<&CommitId> = tags.iter().map(|(_, tag)| &tag.commit).collect();
    let mut past = Past::default();
    let lower =
        |held: Option<usize>, place: usize| Some(held.map_or(place, |held| held.min(place)));
    past.is_cut = asked.repository.visit_ancestors(asked.commit, &commits, |place| {
        past.latest = lower(past.latest, place);
        if tags.get(place).is_some_and(|(version, _)| !version.is_pre_release()) {
            past.released = lower(past.released, place);
        }
        let released = if past.released == highest_release { Some(0) } else { past.released };
        // Only what is higher is still worth looking for.
        past.latest.unwrap_or(tags.len()).max(released.unwrap_or(tags.len()))
    })?;
    Ok(past)
}

/// The later tag whose mainline went on from this commit: a job that comes late has nothing to do.
fn contained(asked: &Asked<'_>, higher: &[(Version, TagAt)]) -> Result<Option<TagName>, TagError> {
    if higher.is_empty() {
        return Ok(None);
    }
    let repository = asked.repository;
    let unknown: Vec<_> = higher
        .iter()
        .map(|(_, tag)| &tag.commit)
        .filter(|commit| !repository.has_commit(commit))
        .collect();
    if let Some(remote) = asked.remote.filter(|_| !unknown.is_empty() && !repository.is_shallow()) {
        repository.fetch_from(remote, &unknown)?;
    }
    let tips: Vec<_> = higher.iter().map(|(_, tag)| &tag.commit).collect();
    let Some(tip) = repository.first_that_continues(&tips, asked.commit)? else { return Ok(None) };
    let by = higher.iter().find(|(_, tag)| tag.commit == *tip);
    Ok(by.map(|(_, tag)| tag.name.clone()))
}

impl Asked<'_> {
    fn tag_of(&self, version: &Version) -> Result<TagName, TagError> {
        let name = || TagError::Name(format!("{}{version}", self.series.prefix));
        self.series.tag_of(version).ok_or_else(name)
    }

    fn taken(&self, held: &TagAt, is_asked_for: bool) -> TagError {
        let remote = self.remote.map(|remote| remote.name.to_string());
        TagError::Taken {
            tag: held.name.clone(),
            place: remote.unwrap_or_else(|| "this repository".to_owned()),
            there: held.commit.clone(),
            commit: self.commit.clone(),
            is_asked_for,
        }
    }

    fn history_needed(&self, since: Option<&TagName>) -> TagError {
        let since = since.map_or_else(|| "the beginning".to_owned(), ToString::to_string);
        let remote = self.remote.map(|remote| remote.name.clone());
        let Some(remote) = remote.or_else(|| "origin".parse::<RemoteName>().ok()) else {
            return TagError::Name(since);
        };
        TagError::HistoryNeeded { since, provider: self.provider, remote }
    }

    /// What came since a commit, and whether some of it is missing.
    fn log_since(&self, base: Option<&CommitId>) -> Result<(Vec<LoggedCommit>, bool), GitError> {
        let known = base.filter(|base| self.repository.has_commit(base));
        let log = self.repository.log_since(known, self.commit, &self.series.paths)?;
        Ok((log.commits, log.is_cut || known != base))
    }
}
