//! Which commits are in the history of some commits and not in that of others, proved by the graph
//! of parents.
//!
//! A commit's date is what the clock of its author's machine said: rebased commits, `git am` and
//! wrong clocks put children before their parents. So dates only decide which commit is read next,
//! and never what the answer is. Generation numbers, which git computes from the graph, are a proof;
//! they are used where a commit-graph has them (gitformat-commit-graph(5)).

use gix::ObjectId;
use gix::commitgraph::{GENERATION_NUMBER_INFINITY, GENERATION_NUMBER_MAX};
use gix::hashtable::{HashMap, HashSet};
use gix::revwalk::{Graph, PriorityQueue, graph};

use super::GitError;

/// Reads commits, each of them once.
pub(super) struct Ancestry<'r> {
    graph: Graph<'r, 'r, graph::Commit<()>>,
    /// The commits whose parents a shallow clone left out.
    ends: HashSet<ObjectId>,
}

/// Which commit is read next: a child before its parents where generation numbers tell, else the newest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    generation: u32,
    seconds: i64,
}

impl Rank {
    /// The generation number, where it proves something: zero stands in the commit-graphs of git before 2.19,
    /// and the largest number for all beyond it.
    fn proved_generation(self) -> Option<u32> {
        Some(self.generation).filter(|number| (1..GENERATION_NUMBER_MAX).contains(number))
    }

    /// Whether generation numbers prove that a commit of this rank is no descendant of one of the other.
    fn is_no_descendant_of(self, other: Rank) -> bool {
        let numbers = self.proved_generation().zip(other.proved_generation());
        numbers.is_some_and(|(own, other)| own <= other)
    }
}

/// The commit-graph of the repository, if it has one that may be used.
pub(super) fn commit_graph(repository: &gix::Repository) -> Option<gix::commitgraph::Graph> {
    // Written before the clone became shallow, it would lead behind the clone's end. Git ignores it then.
    if repository.is_shallow().unwrap_or(true) {
        return None;
    }
    repository.commit_graph_if_enabled().ok().flatten()
}

/// The commits whose parents a shallow clone left out.
pub(super) fn ends_of(repository: &gix::Repository) -> HashSet<ObjectId> {
    let commits = repository.shallow_commits().ok().flatten();
    commits.iter().flat_map(|commits| commits.iter().copied()).collect()
}

impl<'r> Ancestry<'r> {
    pub(super) fn of(
        repository: &'r gix::Repository,
        commit_graph: Option<&'r gix::commitgraph::Graph>,
    ) -> Self {
        Self { graph: repository.revision_graph(commit_graph), ends: ends_of(repository) }
    }

    /// The parents of a commit; none at the end of a shallow clone.
    pub(super) fn parents(&mut self, id: ObjectId) -> Result<Vec<ObjectId>, GitError> {
        if self.ends.contains(&id) {
            return Ok(Vec::new());
        }
        Ok(self.commit(id)?.parents.to_vec())
    }

    fn rank(&mut self, id: ObjectId) -> Result<Rank, GitError> {
        let commit = self.commit(id)?;
        let generation = commit.generation.unwrap_or(GENERATION_NUMBER_INFINITY);
        Ok(Rank { generation, seconds: commit.commit_time })
    }

    fn commit(&mut self, id: ObjectId) -> Result<&graph::Commit<()>, GitError> {
        let found = self.graph.get_or_insert_full_commit(id, |_| ());
        let found = found.map_err(|error| unreadable(id, &error))?;
        found.map(|commit| &*commit).ok_or_else(|| unreadable(id, &"it is missing"))
    }

    /// Whether the commit-graph has the generation number of a commit.
    pub(super) fn has_generation(&mut self, id: ObjectId) -> Result<bool, GitError> {
        Ok(self.rank(id)?.proved_generation().is_some())
    }

    /// Whether generation numbers prove that `sought` is not in the history of a commit, or is that commit.
    pub(super) fn is_no_descendant(
        &mut self,
        id: ObjectId,
        sought: ObjectId,
    ) -> Result<bool, GitError> {
        Ok(self.rank(id)?.is_no_descendant_of(self.rank(sought)?))
    }

    /// Those of some commits that are in the history of `tip`, which `tip` itself is, too.
    ///
    /// # Errors
    /// If a commit can't be read.
    pub(super) fn contained(
        &mut self,
        tip: ObjectId,
        candidates: &[ObjectId],
    ) -> Result<HashSet<ObjectId>, GitError> {
        let ranks: Result<Vec<Rank>, _> = candidates.iter().map(|id| self.rank(*id)).collect();
        let generations: Option<Vec<u32>> =
            ranks?.into_iter().map(Rank::proved_generation).collect();
        // Without generation numbers, only the other histories tell where to stop.
        let Some(lowest) = generations.map(|all| all.into_iter().min().unwrap_or(u32::MAX)) else {
            let elsewhere = self.difference(candidates, &[tip])?;
            return Ok(candidates.iter().filter(|id| !elsewhere.contains(*id)).copied().collect());
        };
        let sought: HashSet<ObjectId> = candidates.iter().copied().collect();
        let (mut found, mut seen) = (HashSet::default(), HashSet::default());
        let mut queue = PriorityQueue::new();
        let mut next = vec![tip];
        while found.len() < sought.len() {
            for id in next {
                let rank = self.rank(id)?;
                // A child has a higher number than its parents, so nothing that is sought is behind it.
                let is_beyond = rank.proved_generation().is_some_and(|number| number < lowest);
                if !is_beyond && seen.insert(id) {
                    queue.insert(rank, id);
                }
            }
            let Some(id) = queue.pop_value() else { break };
            if sought.contains(&id) {
                found.insert(id);
            }
            next = self.parents(id)?;
        }
        Ok(found)
    }

    /// The commits in the history of `tips`, themselves included, that are not in that of `hidden`.
    ///
    /// # Errors
    /// If a commit can't be read.
    pub(super) fn difference(
        &mut self,
        tips: &[ObjectId],
        hidden: &[ObjectId],
    ) -> Result<HashSet<ObjectId>, GitError> {
        let mut walk = Walk::new(self, None);
        tips.iter().try_for_each(|id| walk.paint(*id, Colours::FIRST))?;
        hidden.iter().try_for_each(|id| walk.paint(*id, Colours::SECOND))?;
        loop {
            while walk.has_queued(Colours::FIRST) || walk.has_queued(Colours::SECOND) {
                walk.step(|colours| colours)?;
            }
            // What is queued now is in both histories, and so is all that lies behind it. With wrong
            // dates that may be a commit which was passed as one of `tips` only. If there is any, then
            // also one whose parents are all in both histories, and only those are looked at.
            let frontier = walk.queued();
            let mut mistaken = Vec::new();
            for id in walk.lowest()? {
                if walk.ancestry.reaches(&frontier, id)? {
                    mistaken.push(id);
                }
            }
            if mistaken.is_empty() {
                return Ok(walk.painted(Colours::FIRST).collect());
            }
            mistaken.into_iter().try_for_each(|id| walk.paint(id, Colours::SECOND))?;
        }
    }

    /// Whether a commit is in the history of any of `seekers`.
    fn reaches(&mut self, seekers: &[ObjectId], sought: ObjectId) -> Result<bool, GitError> {
        let rank = self.rank(sought)?;
        let mut walk = Walk::new(self, Some((sought, rank)));
        walk.paint(sought, Colours::SECOND)?;
        seekers.iter().try_for_each(|id| walk.paint(*id, Colours::FIRST))?;
        while walk.has_queued(Colours::FIRST) && walk.colours_of(sought) != Colours::BOTH {
            // What is in the history of the sought commit has not that commit in its own.
            let passed_on =
                |colours| if colours == Colours::BOTH { Colours::SECOND } else { colours };
            walk.step(passed_on)?;
        }
        Ok(walk.colours_of(sought) == Colours::BOTH)
    }
}

/// From which of two sides a commit was reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Colours(u8);

impl Colours {
    const FIRST: Self = Self(1);
    const SECOND: Self = Self(2);
    const BOTH: Self = Self(3);

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

/// A walk from two sides at once, in which every commit gets the colours of its descendants.
struct Walk<'a, 'r> {
    ancestry: &'a mut Ancestry<'r>,
    colours: HashMap<ObjectId, Painted>,
    queue: PriorityQueue<Rank, ObjectId>,
    /// How many commits of the first colour only, and how many of the second only, are queued.
    queued: [usize; 2],
    /// The only commit that the first side looks for: what can't be its descendant is passed over.
    sought: Option<(ObjectId, Rank)>,
}

#[derive(Clone, Copy, Default)]
struct Painted {
    colours: Colours,
    is_queued: bool,
}

impl<'a, 'r> Walk<'a, 'r> {
    fn new(ancestry: &'a mut Ancestry<'r>, sought: Option<(ObjectId, Rank)>) -> Self {
        let (colours, queue) = (HashMap::default(), PriorityQueue::new());
        Self { ancestry, colours, queue, queued: [0; 2], sought }
    }

    /// Adds to the colours of a commit; if they change, its parents have to be visited again.
    fn paint(&mut self, id: ObjectId, colours: Colours) -> Result<(), GitError> {
        let rank = self.ancestry.rank(id)?;
        if colours == Colours::FIRST
            && let Some((sought, lowest)) = self.sought
            && id != sought
            && rank.is_no_descendant_of(lowest)
        {
            return Ok(());
        }
        let painted = self.colours.entry(id).or_default();
        let before = *painted;
        *painted = Painted { colours: before.colours.with(colours), is_queued: true };
        if painted.colours == before.colours {
            painted.is_queued = before.is_queued;
            return Ok(());
        }
        let after = painted.colours;
        if before.is_queued {
            self.count(before.colours, |queued| queued.saturating_sub(1));
        } else {
            self.queue.insert(rank, id);
        }
        self.count(after, |queued| queued.saturating_add(1));
        Ok(())
    }

    /// Takes the next commit from the queue and passes its colours on to its parents.
    fn step(&mut self, passed_on: impl Fn(Colours) -> Colours) -> Result<(), GitError> {
        let Some(id) = self.queue.pop_value() else { return Ok(()) };
        let painted = self.colours.entry(id).or_default();
        painted.is_queued = false;
        let colours = painted.colours;
        self.count(colours, |queued| queued.saturating_sub(1));
        let parents = self.ancestry.parents(id)?;
        parents.into_iter().try_for_each(|parent| self.paint(parent, passed_on(colours)))
    }

    fn count(&mut self, colours: Colours, change: impl Fn(usize) -> usize) {
        let [first, second] = &mut self.queued;
        match colours {
            Colours::FIRST => *first = change(*first),
            Colours::SECOND => *second = change(*second),
            _ => {}
        }
    }

    /// Whether a commit that has this colour only is queued.
    fn has_queued(&self, colour: Colours) -> bool {
        let [first, second] = self.queued;
        (if colour == Colours::FIRST { first } else { second }) > 0
    }

    fn colours_of(&self, id: ObjectId) -> Colours {
        self.colours.get(&id).copied().unwrap_or_default().colours
    }

    fn queued(&self) -> Vec<ObjectId> {
        self.queue.iter_unordered().copied().collect()
    }

    /// The commits that have this colour only.
    fn painted(&self, colour: Colours) -> impl Iterator<Item = ObjectId> {
        let painted = self.colours.iter().filter(move |(_, painted)| painted.colours == colour);
        painted.map(|(id, _)| *id)
    }

    /// The commits of the first colour only that have no parent of which the same is true.
    fn lowest(&mut self) -> Result<Vec<ObjectId>, GitError> {
        let mut lowest = Vec::new();
        for id in self.painted(Colours::FIRST).collect::<Vec<_>>() {
            let parents = self.ancestry.parents(id)?;
            if parents.iter().all(|parent| self.colours_of(*parent) != Colours::FIRST) {
                lowest.push(id);
            }
        }
        Ok(lowest)
    }
}

pub(super) fn unreadable(id: ObjectId, reason: &impl ToString) -> GitError {
    let reason = reason.to_string();
    GitError::CorruptObject { id: id.to_string(), path: "a commit's history".to_owned(), reason }
}
