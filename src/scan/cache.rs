//! Analyses of earlier runs, used again as long as everything they depend on is the same: the
//! file, the modules it reads, and what was found (or not) under the names it imports.
//!
//! Only object ids and paths of the tree at hand are compared. Times of files mean nothing: a scan
//! reads a commit, not the working directory.
//!
//! Thousands of scripts import the same few modules. So what they depend on stands in shared lists,
//! scripts refer to it by number, and whether an entry still holds is asked once per run.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt};
use serde::{Deserialize, Serialize};

use super::stored::{from_bytes, to_bytes};
use crate::store::LARGEST_CACHE;
use flowreg_git::{BlobId, TreeBlob};
use flowreg_python::Dependencies;
use flowreg_python::FileAnalysis;
use flowreg_python::{ImportTarget, Layout};

/// How many files without flows are remembered: 10 to 16 MB of object ids.
const MOST_FLOWLESS: usize = 500_000;

/// The content of the cache's file.
#[derive(Debug, Default, Serialize, Deserialize)]
struct CacheContent<'c> {
    /// Object ids of files that can't have flows, one after the other, sorted. They depend on nothing
    /// but the content, so the ids are all there is to know.
    #[serde(borrow, with = "serde_bytes")]
    flowless: &'c [u8],
    #[serde(borrow)]
    lookups: Vec<CachedLookup<'c>>,
    #[serde(borrow)]
    elsewhere: Vec<(&'c str, Option<&'c str>)>,
    #[serde(borrow)]
    files: Vec<CachedFile<'c>>,
    #[serde(borrow)]
    scripts: Vec<CachedScript<'c>>,
}

/// What was found under a name in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct CachedLookup<'c> {
    directory: &'c str,
    name: &'c str,
    found: ImportTarget,
}

/// A file that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct CachedFile<'c> {
    path: &'c str,
    #[serde(with = "serde_bytes")]
    id: &'c [u8],
}

/// The analysis of one file; numbers are positions in the lists of [`CacheContent`].
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CachedScript<'c> {
    path: &'c str,
    #[serde(with = "serde_bytes")]
    id: &'c [u8],
    /// For which version of Python and which source roots it holds.
    profile: &'c str,
    lookups: Vec<u32>,
    elsewhere: Vec<u32>,
    files: Vec<u32>,
    #[serde(with = "serde_bytes")]
    analysis: &'c [u8],
}

/// The tree that is scanned now.
pub(super) struct CurrentTree<'t> {
    pub layout: &'t Layout,
    pub files: &'t HashMap<&'t str, &'t TreeBlob>,
    pub profile: &'t str,
}

/// What is known from earlier runs.
pub(super) struct Cache<'c> {
    saved: CacheContent<'c>,
    positions: HashMap<(&'c str, &'c [u8]), Vec<usize>>,
    /// Which entries of the lists hold for the tree at hand, as far as they were asked.
    holds: Mutex<[Vec<Option<bool>>; 3]>,
}

/// The result of an analysis that this run made.
pub(super) struct FreshAnalysis<'f> {
    pub blob: &'f TreeBlob,
    pub path: &'f str,
    pub analysis: FileAnalysis,
    /// The analysis as the cache keeps it. Written here, on the thread that made it, because the flows
    /// are taken out before the cache is saved.
    bytes: Vec<u8>,
}

impl<'f> FreshAnalysis<'f> {
    pub(super) fn new(path: &'f str, blob: &'f TreeBlob, analysis: FileAnalysis) -> Self {
        let bytes = to_bytes(&analysis).unwrap_or_default();
        FreshAnalysis { blob, path, analysis, bytes }
    }

    /// Takes out what was found, and leaves what the cache needs.
    pub(super) fn take_answers(&mut self) -> FileAnalysis {
        FileAnalysis {
            flows: std::mem::take(&mut self.analysis.flows),
            problems: std::mem::take(&mut self.analysis.problems),
            deploy_calls: std::mem::take(&mut self.analysis.deploy_calls),
            dependencies: Dependencies::default(),
        }
    }
}

impl<'c> Cache<'c> {
    /// Reads what was saved; anything that can't be read counts as empty.
    pub(super) fn new(content: &'c [u8]) -> Self {
        // A cache that can't be read is no error: everything is analysed again.
        let saved: CacheContent<'c> = rmp_serde::from_slice(content).unwrap_or_default();
        let mut positions: HashMap<_, Vec<usize>> = HashMap::with_capacity(saved.scripts.len());
        for (position, script) in saved.scripts.iter().enumerate() {
            positions.entry((script.path, script.id)).or_default().push(position);
        }
        let holds = [saved.lookups.len(), saved.elsewhere.len(), saved.files.len()];
        Cache { saved, positions, holds: Mutex::new(holds.map(|length| vec![None; length])) }
    }

    /// Whether nothing is known.
    pub(super) fn is_empty(&self) -> bool {
        self.saved.scripts.is_empty() && self.saved.flowless.is_empty()
    }

    /// Whether a file is known to have no flows.
    pub(super) fn is_flowless(&self, id: &BlobId) -> bool {
        let (wanted, ids) = (id.as_bytes(), self.saved.flowless);
        // A binary search in the bytes themselves. Making a list of the ids would take longer than
        // all the look-ups of a run.
        let (mut low, mut high) = (0, ids.len() / wanted.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let start = middle * wanted.len();
            match ids.get(start..start + wanted.len()).map(|known| known.cmp(wanted)) {
                Some(std::cmp::Ordering::Less) => low = middle + 1,
                Some(std::cmp::Ordering::Greater) => high = middle,
                found => return found.is_some(),
            }
        }
        false
    }

    /// The analysis of a file, and its number for [`Cache::updated`].
    pub(super) fn find(
        &self,
        path: &str,
        id: &BlobId,
        current: &CurrentTree<'_>,
    ) -> Option<(usize, FileAnalysis)> {
        let positions = self.positions.get(&(path, id.as_bytes()))?;
        positions.iter().find_map(|position| {
            let script = self.saved.scripts.get(*position)?;
            // One file may be known for several states of its surroundings, such as two branches
            // that a person switches between.
            let holds = script.profile == current.profile && self.holds(script, current);
            Some((*position, from_bytes(path, script.analysis).filter(|_| holds)?))
        })
    }

    fn holds(&self, script: &CachedScript<'c>, current: &CurrentTree<'_>) -> bool {
        let mut holds = self.holds.lock().unwrap_or_else(PoisonError::into_inner);
        let [lookups, elsewhere, files] = &mut *holds;
        all(&script.lookups, lookups, &self.saved.lookups, |lookup| {
            current.layout.look_up(lookup.directory, lookup.name) == lookup.found
        }) && all(&script.elsewhere, elsewhere, &self.saved.elsewhere, |(name, directory)| {
            current.layout.directory_of(name) == *directory
        }) && all(&script.files, files, &self.saved.files, |file| {
            current.files.get(file.path).is_some_and(|blob| blob.id.as_bytes() == file.id)
        })
    }

    /// The cache with what was found now. Old analyses stay while there is room, those that were
    /// used first; `None` if it would be too large all the same.
    pub(super) fn updated(
        &self,
        used: &BTreeSet<usize>,
        flowless: &[BlobId],
        fresh: &[FreshAnalysis<'_>],
        current: &CurrentTree<'_>,
    ) -> Option<Vec<u8>> {
        let mut tables = Tables::default();
        let mut scripts = Vec::new();
        // New answers first: they belong to the commit that is most likely asked about again.
        let mut room = LARGEST_CACHE;
        for fresh in fresh {
            let script = tables.fresh(fresh, current);
            room = room.checked_sub(script.size())?;
            scripts.push(script);
        }
        let is_unused = |position: &usize| !used.contains(position);
        let unused = (0..self.saved.scripts.len()).filter(is_unused);
        for position in used.iter().copied().chain(unused) {
            let Some(script) = self.saved.scripts.get(position) else { continue };
            let Some(rest) = room.checked_sub(script.size()) else { break };
            room = rest;
            scripts.push(tables.kept(script, &self.saved));
        }
        let flowless = self.flowless_with(flowless);
        let saved = CacheContent {
            flowless: &flowless,
            lookups: tables.lookups.items,
            elsewhere: tables.elsewhere.items,
            files: tables.files.items,
            scripts,
        };
        rmp_serde::to_vec(&saved).ok()
    }

    fn flowless_with(&self, more: &[BlobId]) -> Vec<u8> {
        let Some(length) = more.first().map(|id| id.as_bytes().len()) else {
            return self.saved.flowless.to_owned();
        };
        // Above the limit old ids are dropped, by their order and not by their age: the list keeps
        // none.
        let known = self.saved.flowless.chunks_exact(length);
        let mut ids: Vec<&[u8]> = more.iter().map(BlobId::as_bytes).collect();
        ids.extend(known.take(MOST_FLOWLESS.saturating_sub(ids.len())));
        ids.sort_unstable();
        ids.dedup();
        ids.concat()
    }
}

/// Whether all entries at `numbers` hold; each is asked once.
fn all<T>(
    numbers: &[u32],
    known: &mut [Option<bool>],
    items: &[T],
    mut holds: impl FnMut(&T) -> bool,
) -> bool {
    numbers.iter().all(|number| {
        let position = usize::try_from(*number).unwrap_or(usize::MAX);
        match (known.get_mut(position), items.get(position)) {
            (Some(known), Some(item)) => *known.get_or_insert_with(|| holds(item)),
            _ => false,
        }
    })
}

impl CachedScript<'_> {
    /// About how much of the file it takes.
    fn size(&self) -> usize {
        let numbers = self.lookups.len() + self.elsewhere.len() + self.files.len();
        // Roughly: the numbers take up to five bytes each in MessagePack, and the rest of an entry
        // about a hundred.
        100 + self.path.len() + self.analysis.len() + 5 * numbers
    }
}

/// A list without repetitions.
struct Table<T> {
    items: Vec<T>,
    positions: HashMap<T, u32>,
}

impl<T> Default for Table<T> {
    fn default() -> Self {
        Table { items: Vec::new(), positions: HashMap::new() }
    }
}

impl<T: Copy + Eq + std::hash::Hash> Table<T> {
    fn position(&mut self, item: T) -> u32 {
        let next = u32::try_from(self.items.len()).unwrap_or(u32::MAX);
        let position = *self.positions.entry(item).or_insert(next);
        if position == next {
            self.items.push(item);
        }
        position
    }
}

/// The shared lists of the cache that is written.
#[derive(Default)]
struct Tables<'s> {
    lookups: Table<CachedLookup<'s>>,
    elsewhere: Table<(&'s str, Option<&'s str>)>,
    files: Table<CachedFile<'s>>,
}

impl<'s> Tables<'s> {
    fn fresh(
        &mut self,
        fresh: &'s FreshAnalysis<'s>,
        current: &CurrentTree<'s>,
    ) -> CachedScript<'s> {
        let reads = &fresh.analysis.dependencies;
        let lookups = reads.lookups.iter().map(|((directory, name), found)| {
            self.lookups.position(CachedLookup { directory, name, found: *found })
        });
        let elsewhere = reads
            .elsewhere
            .iter()
            .map(|(name, directory)| self.elsewhere.position((name, directory.as_deref())));
        let files = reads.files.iter().map(|path| {
            let id = current.files.get(path.as_str()).map_or(&[][..], |blob| blob.id.as_bytes());
            self.files.position(CachedFile { path, id })
        });
        CachedScript {
            path: fresh.path,
            id: fresh.blob.id.as_bytes(),
            profile: current.profile,
            lookups: lookups.collect(),
            elsewhere: elsewhere.collect(),
            files: files.collect(),
            analysis: &fresh.bytes,
        }
    }

    fn kept(&mut self, script: &CachedScript<'s>, saved: &CacheContent<'s>) -> CachedScript<'s> {
        // Numbers of the old lists become numbers of the new ones. Entries that no script uses any
        // more are left behind.
        fn moved<T: Copy + Eq + std::hash::Hash>(
            numbers: &[u32],
            items: &[T],
            table: &mut Table<T>,
        ) -> Vec<u32> {
            let item = |number: &u32| items.get(usize::try_from(*number).ok()?).copied();
            numbers.iter().filter_map(item).map(|item| table.position(item)).collect()
        }
        CachedScript {
            lookups: moved(&script.lookups, &saved.lookups, &mut self.lookups),
            elsewhere: moved(&script.elsewhere, &saved.elsewhere, &mut self.elsewhere),
            files: moved(&script.files, &saved.files, &mut self.files),
            ..script.clone()
        }
    }
}
