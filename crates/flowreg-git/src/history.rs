//! Walks from a commit back through its history: which of some commits are in it, what was
//! committed since one of them, and what of that touches some paths.
//!
//! Local reads only. A shallow clone ends early, and every answer says whether it did: what is
//! behind its end is unknown, not absent.

use std::collections::{HashMap, HashSet};

use gix::bstr::ByteSlice;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;

use super::refs::object_id;
use super::tagging::SeriesPaths;
use super::touched::PathFilter;
use super::{GitError, Repository};
use flowreg_model::CommitId;

/// How much the clocks of those who commit may differ, in seconds: a commit's date may be that much
/// before its parent's. Git itself takes one day for the same question (`CUTOFF_DATE_SLOP`).
const CLOCK_SKEW: i64 = 24 * 60 * 60;

const NEWEST_FIRST: Sorting = Sorting::ByCommitTime(CommitTimeOrder::NewestFirst);

/// A commit as a person wrote it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoggedCommit {
    /// Its id.
    pub id: CommitId,
    /// Its whole message; what is not UTF-8 in it is replaced.
    pub message: String,
}

/// A piece of history.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Log {
    /// The commits, newest first.
    pub(crate) commits: Vec<LoggedCommit>,
    /// Whether the clone ends inside the piece, so that commits are missing.
    pub(crate) is_cut: bool,
}

impl Repository {
    /// Whether the clone has the end of its history only.
    pub(crate) fn is_shallow(&self) -> bool {
        self.inner.to_thread_local().is_shallow().unwrap_or(false)
    }

    /// Walks back from `tip`, itself included, and calls `visit` with the index of each of the
    /// `candidates` that it meets.
    ///
    /// `visit` returns how many candidates, counted from the first, are still worth looking for. The
    /// walk ends when there are none, or when it reaches commits that are older than all of these.
    /// Returns whether a shallow clone ended before that.
    ///
    /// # Errors
    /// If a commit can't be read.
    pub(crate) fn visit_ancestors(
        &self,
        tip: &CommitId,
        candidates: &[&CommitId],
        mut visit: impl FnMut(usize) -> usize,
    ) -> Result<bool, GitError> {
        let local = self.inner.to_thread_local();
        let tip = object_id(&local, tip).ok_or_else(|| missing(tip))?;
        let ids: Vec<_> = candidates.iter().map(|commit| object_id(&local, commit)).collect();
        let mut indices: HashMap<gix::ObjectId, Vec<usize>> = HashMap::new();
        for (index, id) in ids.iter().enumerate() {
            indices.entry(id.unwrap_or(tip.kind().null())).or_default().push(index);
        }
        // In a shallow clone dates are no reason to stop: what is missing could be anywhere behind.
        let ends = ends_of(&local);
        let (mut is_cut, mut wanted, mut oldest) = (false, candidates.len(), i64::MIN);
        let walk = local.rev_walk([tip]).sorting(NEWEST_FIRST).all();
        for info in walk.map_err(|error| unreadable(tip, &error))? {
            let info = info.map_err(|error| unreadable(tip, &error))?;
            is_cut |= ends.contains(&info.id);
            if info.commit_time.is_some_and(|seconds| seconds < oldest) {
                break;
            }
            for index in indices.get(&info.id).into_iter().flatten() {
                let rest = visit(*index);
                if rest == 0 {
                    return Ok(false);
                }
                // Fewer candidates may allow an earlier end; their dates are read only if there are.
                if rest < wanted && ends.is_empty() {
                    wanted = rest;
                    oldest = oldest_of(&local, ids.get(..rest).unwrap_or_default());
                }
            }
        }
        Ok(is_cut)
    }

    /// The first of `tips` whose chain of first parents leads to a commit: the branch went on from
    /// there, and did not merely merge it. Tips that are not here are passed over.
    ///
    /// # Errors
    /// If a commit can't be read.
    pub(crate) fn first_that_continues<'t>(
        &self,
        tips: &[&'t CommitId],
        commit: &CommitId,
    ) -> Result<Option<&'t CommitId>, GitError> {
        let local = self.inner.to_thread_local();
        let commit_id = object_id(&local, commit).ok_or_else(|| missing(commit))?;
        let seconds = time_of(&local, commit_id)?.saturating_sub(CLOCK_SKEW);
        let order = CommitTimeOrder::NewestFirst;
        let mut seen = HashSet::new();
        for tip in tips {
            let Some(id) = object_id(&local, tip).filter(|id| local.has_object(*id)) else {
                continue;
            };
            // Where this chain joins one that was walked before, the rest is the same, and the commit
            // was not on it.
            let walk = local
                .rev_walk([id])
                .first_parent_only()
                .sorting(Sorting::ByCommitTimeCutoff { order, seconds })
                .all();
            for info in walk.map_err(|error| unreadable(id, &error))? {
                let ancestor = info.map_err(|error| unreadable(id, &error))?.id;
                if ancestor == commit_id {
                    return Ok(Some(tip));
                }
                if !seen.insert(ancestor) {
                    break;
                }
            }
        }
        Ok(None)
    }

    /// Whether `ancestor` is `commit` or in its history, as far as the clone has it.
    ///
    /// # Errors
    /// If a commit can't be read.
    pub(crate) fn is_ancestor(
        &self,
        ancestor: &CommitId,
        commit: &CommitId,
    ) -> Result<bool, GitError> {
        let local = self.inner.to_thread_local();
        let ids = (object_id(&local, ancestor), object_id(&local, commit));
        let (Some(ancestor), Some(commit)) = ids else { return Ok(false) };
        // Commits that are older than the one that is looked for can't be its descendants, so the walk
        // stops there instead of reading all of history.
        let seconds = time_of(&local, ancestor)?.saturating_sub(CLOCK_SKEW);
        let order = CommitTimeOrder::NewestFirst;
        let walk =
            local.rev_walk([commit]).sorting(Sorting::ByCommitTimeCutoff { order, seconds }).all();
        for info in walk.map_err(|error| unreadable(commit, &error))? {
            if info.map_err(|error| unreadable(commit, &error))?.id == ancestor {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is in the history of `tip` and not in that of `base`; what of it touches the
    /// files of a series.
    ///
    /// # Errors
    /// If a commit or a directory can't be read.
    pub(crate) fn log_since(
        &self,
        base: Option<&CommitId>,
        tip: &CommitId,
        paths: &SeriesPaths,
    ) -> Result<Log, GitError> {
        let local = self.inner.to_thread_local();
        let tip_id = object_id(&local, tip).ok_or_else(|| missing(tip))?;
        let hidden = base.and_then(|base| object_id(&local, base));
        let walk = local.rev_walk([tip_id]).sorting(NEWEST_FIRST).with_hidden(hidden).all();
        let ends = ends_of(&local);
        let mut log = Log::default();
        let mut filter = PathFilter::new(self, paths);
        for info in walk.map_err(|error| unreadable(tip_id, &error))? {
            let info = info.map_err(|error| unreadable(tip_id, &error))?;
            log.is_cut |= ends.contains(&info.id);
            let id: Option<CommitId> = info.id.to_string().parse().ok();
            // The last commit of a shallow clone seems to have made all of its files. What it really
            // changed is unknown, so with `paths` it is left out.
            let Some(id) = id.filter(|_| !ends.contains(&info.id) || paths.are_all()) else {
                continue;
            };
            let parents: Vec<_> =
                info.parent_ids().filter_map(|id| id.to_string().parse().ok()).collect();
            if filter.is_touched_by(&id, &parents)? {
                let commit = local.find_commit(info.id);
                let commit = commit.map_err(|error| unreadable(info.id, &error))?;
                let message = commit.message_raw().map_err(|error| unreadable(info.id, &error))?;
                log.commits.push(LoggedCommit { id, message: message.to_str_lossy().into_owned() });
            }
        }
        tracing::debug!(
            since = base.map(CommitId::as_str),
            commits = log.commits.len(),
            is_cut = log.is_cut,
            "history read"
        );
        Ok(log)
    }
}

/// The commits whose parents a shallow clone left out.
fn ends_of(repository: &gix::Repository) -> HashSet<gix::ObjectId> {
    let commits = repository.shallow_commits().ok().flatten();
    commits.iter().flat_map(|commits| commits.iter().copied()).collect()
}

fn time_of(repository: &gix::Repository, id: gix::ObjectId) -> Result<i64, GitError> {
    let commit = repository.find_commit(id).map_err(|error| unreadable(id, &error))?;
    let time = commit.time().map_err(|error| unreadable(id, &error))?;
    Ok(time.seconds)
}

/// When the oldest of some commits was made, less [`CLOCK_SKEW`]. Commits that are not here are left
/// out: in a clone with all its history they are nobody's ancestor.
fn oldest_of(repository: &gix::Repository, ids: &[Option<gix::ObjectId>]) -> i64 {
    let times = ids.iter().flatten().filter_map(|id| {
        let commit = repository.try_find_object(*id).ok().flatten()?.try_into_commit().ok()?;
        Some(commit.time().ok()?.seconds)
    });
    times.min().map_or(i64::MAX, |seconds| seconds.saturating_sub(CLOCK_SKEW))
}

fn missing(commit: &CommitId) -> GitError {
    GitError::NoCommit { commit: commit.clone() }
}

fn unreadable(id: gix::ObjectId, reason: &impl ToString) -> GitError {
    let reason = reason.to_string();
    GitError::CorruptObject { id: id.to_string(), path: "a commit's history".to_owned(), reason }
}
