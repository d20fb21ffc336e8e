//! Walks from a commit back through its history: which of some commits are in it, what was
//! committed since one of them, and what of that touches some paths.
//!
//! Local reads only. A shallow clone ends early, and every answer says whether it did: what is
//! behind its end is unknown, not absent.

use std::collections::{HashMap, HashSet};

use gix::bstr::ByteSlice;
use gix::revision::walk::Sorting;
use gix::traverse::commit::simple::CommitTimeOrder;

use super::ancestry::{Ancestry, commit_graph, ends_of, unreadable};
use super::refs::object_id;
use super::tagging::SeriesPaths;
use super::touched::PathFilter;
use super::{GitError, Repository};
use flowreg_model::CommitId;

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

    /// Calls `visit` with the index of each of the `candidates` that is in the history of `tip`, which
    /// `tip` itself is, too.
    ///
    /// `visit` returns how many candidates, counted from the first, are still worth looking for. Returns
    /// whether the clone is shallow and ended before all of these were found.
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
        let mut indices: HashMap<gix::ObjectId, Vec<usize>> = HashMap::new();
        for (index, commit) in candidates.iter().enumerate() {
            if let Some(id) = object_id(&local, commit) {
                indices.entry(id).or_default().push(index);
            }
        }
        let ends = ends_of(&local);
        let (mut is_cut, mut wanted) = (false, candidates.len());
        let walk = local.rev_walk([tip]).sorting(NEWEST_FIRST).all();
        for info in walk.map_err(|error| unreadable(tip, &error))? {
            let info = info.map_err(|error| unreadable(tip, &error))?;
            is_cut |= ends.contains(&info.id);
            for index in indices.get(&info.id).into_iter().flatten() {
                wanted = visit(*index).min(wanted);
            }
            if wanted == 0 {
                return Ok(false);
            }
            // The few that are left are looked for from both sides, which seldom reads all of history.
            // Only a shallow clone is walked to its end, which is what has to be told.
            if wanted < candidates.len() && ends.is_empty() {
                let rest = candidates.get(..wanted).unwrap_or_default();
                let rest: Vec<_> = rest.iter().filter_map(|commit| here(&local, commit)).collect();
                let graph = commit_graph(&local);
                let found = Ancestry::of(&local, graph.as_ref()).contained(tip, &rest)?;
                for index in found.iter().filter_map(|id| indices.get(id)).flatten() {
                    visit(*index);
                }
                break;
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
        let ids: Vec<_> = tips.iter().filter_map(|tip| Some((*tip, here(&local, tip)?))).collect();
        let starts: Vec<_> = ids.iter().map(|(_, id)| *id).collect();
        let graph = commit_graph(&local);
        let mut ancestry = Ancestry::of(&local, graph.as_ref());
        // The chain of one that continues leaves the commits which came later exactly there. Generation
        // numbers tell without them where a chain has passed the commit.
        let later = if ancestry.has_generation(commit_id)? {
            None
        } else {
            Some(ancestry.difference(&starts, &[commit_id])?)
        };
        let mut seen = HashSet::new();
        for (tip, id) in ids {
            let mut next = Some(id);
            // Where this chain joins one that was walked before, the rest is the same, and the commit
            // was not on it.
            while let Some(id) = next {
                let may_lead_there = match &later {
                    Some(later) => later.contains(&id),
                    None => !ancestry.is_no_descendant(id, commit_id)?,
                };
                if !may_lead_there || !seen.insert(id) {
                    break;
                }
                next = ancestry.parents(id)?.first().copied();
            }
            if next == Some(commit_id) {
                return Ok(Some(tip));
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
        let ids = (here(&local, ancestor), here(&local, commit));
        let (Some(ancestor), Some(commit)) = ids else { return Ok(false) };
        let graph = commit_graph(&local);
        let found = Ancestry::of(&local, graph.as_ref()).contained(commit, &[ancestor])?;
        Ok(found.contains(&ancestor))
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
        let graph = commit_graph(&local);
        let since = match base.and_then(|base| here(&local, base)) {
            Some(base) => {
                Some(Ancestry::of(&local, graph.as_ref()).difference(&[tip_id], &[base])?)
            }
            None => None,
        };
        let is_since = |id: &gix::oid| since.as_ref().is_none_or(|since| since.contains(id));
        let walk = local.rev_walk([tip_id]).sorting(NEWEST_FIRST).selected(is_since);
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

/// The id of a commit, if it is in this repository.
fn here(repository: &gix::Repository, commit: &CommitId) -> Option<gix::ObjectId> {
    let id = object_id(repository, commit)?;
    let header = repository.try_find_header(id).ok().flatten()?;
    (header.kind() == gix::objs::Kind::Commit).then_some(id)
}

fn missing(commit: &CommitId) -> GitError {
    GitError::NoCommit { commit: commit.clone() }
}
