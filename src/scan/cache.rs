//! Analyses of earlier runs, used again as long as everything they depend on is the same: the
//! file, the modules it reads, and what was found (or not) under the names it imports.
//!
//! Only object ids and paths of the tree at hand are compared. Times of files mean nothing: a scan
//! reads a commit, not the working directory.
//!
//! Thousands of scripts import the same few modules. So what a module depends on is one group for all
//! of them, scripts refer to it by number, and whether it still holds is asked once per run.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use foldhash::{HashMap, HashMapExt};
use serde::{Deserialize, Serialize};

use super::graph::ImportGraph;
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
    /// The paths of files that import something, or are imported.
    #[serde(borrow)]
    paths: Vec<&'c str>,
    groups: Vec<CachedGroup>,
    #[serde(borrow)]
    scripts: Vec<CachedScript<'c>>,
}

/// What a script, or a module that scripts share, depends on; numbers are positions in the lists of
/// [`CacheContent`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
struct CachedGroup {
    lookups: Vec<u32>,
    elsewhere: Vec<u32>,
    files: Vec<u32>,
    /// Which file imports which.
    imports: Vec<(u32, u32)>,
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

/// The analysis of one file; `groups` are positions in the list of [`CacheContent`].
#[derive(Debug, Clone, Serialize, Deserialize)]
struct CachedScript<'c> {
    path: &'c str,
    #[serde(with = "serde_bytes")]
    id: &'c [u8],
    /// For which version of Python and which source roots it holds.
    profile: &'c str,
    groups: Vec<u32>,
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
    /// Which groups, and which entries of the other lists, hold for the tree at hand, as far as they were
    /// asked.
    holds: Mutex<Holds>,
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

#[derive(Default)]
struct Holds {
    groups: Vec<Option<bool>>,
    lookups: Vec<Option<bool>>,
    elsewhere: Vec<Option<bool>>,
    files: Vec<Option<bool>>,
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
            dependencies: Vec::new(),
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
        let holds = Holds {
            groups: vec![None; saved.groups.len()],
            lookups: vec![None; saved.lookups.len()],
            elsewhere: vec![None; saved.elsewhere.len()],
            files: vec![None; saved.files.len()],
        };
        Cache { saved, positions, holds: Mutex::new(holds) }
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
        let Holds { groups, lookups, elsewhere, files } = &mut *holds;
        all(&script.groups, groups, &self.saved.groups, |group| {
            all(&group.lookups, lookups, &self.saved.lookups, |lookup| {
                current.layout.look_up(lookup.directory, lookup.name) == lookup.found
            }) && all(&group.elsewhere, elsewhere, &self.saved.elsewhere, |(name, directory)| {
                current.layout.directory_of(name) == *directory
            }) && all(&group.files, files, &self.saved.files, |file| {
                current.files.get(file.path).is_some_and(|blob| blob.id.as_bytes() == file.id)
            })
        })
    }

    /// Adds what the analyses at `used` import to a graph.
    pub(super) fn add_imports(&self, used: &BTreeSet<usize>, graph: &mut ImportGraph) {
        let scripts = used.iter().filter_map(|position| self.saved.scripts.get(*position));
        let groups: BTreeSet<u32> = scripts.flat_map(|script| &script.groups).copied().collect();
        let path = |number: &u32| self.saved.paths.get(usize::try_from(*number).ok()?);
        for group in groups.iter().filter_map(|number| item(&self.saved.groups, *number)) {
            for (importer, imported) in &group.imports {
                if let (Some(importer), Some(imported)) = (path(importer), path(imported)) {
                    graph.add(importer, imported);
                }
            }
        }
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
        let mut groups: Vec<(CachedGroup, u32)> = tables.groups.into_iter().collect();
        groups.sort_unstable_by_key(|(_, number)| *number);
        let groups = groups.into_iter().map(|(group, _)| group).collect();
        let saved = CacheContent {
            flowless: &flowless,
            lookups: tables.lookups.items,
            elsewhere: tables.elsewhere.items,
            files: tables.files.items,
            paths: tables.paths.items,
            groups,
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

fn item<T>(items: &[T], number: u32) -> Option<&T> {
    items.get(usize::try_from(number).ok()?)
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
        // Roughly: the numbers take up to five bytes each in MessagePack, and the rest of an entry
        // about a hundred. The groups are few.
        100 + self.path.len() + self.analysis.len() + 5 * self.groups.len()
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
    paths: Table<&'s str>,
    groups: HashMap<CachedGroup, u32>,
    /// Where a group stands that this run found, by its place in memory.
    fresh: HashMap<*const Dependencies, u32>,
    /// Where a group stands that was kept, by its number in the lists that were read.
    kept: HashMap<u32, u32>,
}

impl<'s> Tables<'s> {
    fn fresh(
        &mut self,
        fresh: &'s FreshAnalysis<'s>,
        current: &CurrentTree<'s>,
    ) -> CachedScript<'s> {
        let parts = &fresh.analysis.dependencies;
        CachedScript {
            path: fresh.path,
            id: fresh.blob.id.as_bytes(),
            profile: current.profile,
            groups: parts.iter().map(|part| self.fresh_group(part, current)).collect(),
            analysis: &fresh.bytes,
        }
    }

    fn fresh_group(&mut self, part: &'s Arc<Dependencies>, current: &CurrentTree<'s>) -> u32 {
        if let Some(number) = self.fresh.get(&Arc::as_ptr(part)) {
            return *number;
        }
        let lookups = part.lookups.iter().map(|((directory, name), found)| {
            self.lookups.position(CachedLookup { directory, name, found: *found })
        });
        let elsewhere = part
            .elsewhere
            .iter()
            .map(|(name, directory)| self.elsewhere.position((name, directory.as_deref())));
        let files = part.files.iter().map(|path| {
            let id = current.files.get(path.as_str()).map_or(&[][..], |blob| blob.id.as_bytes());
            self.files.position(CachedFile { path, id })
        });
        let imports = part.imports.iter().map(|(importer, imported)| {
            (self.paths.position(importer), self.paths.position(imported))
        });
        let group = CachedGroup {
            lookups: lookups.collect(),
            elsewhere: elsewhere.collect(),
            files: files.collect(),
            imports: imports.collect(),
        };
        let number = self.add(group);
        self.fresh.insert(Arc::as_ptr(part), number);
        number
    }

    fn kept(&mut self, script: &CachedScript<'s>, saved: &CacheContent<'s>) -> CachedScript<'s> {
        let groups = script.groups.iter().filter_map(|number| self.kept_group(*number, saved));
        CachedScript { groups: groups.collect(), ..script.clone() }
    }

    /// Numbers of the old lists become numbers of the new ones. Entries that no script uses any more are
    /// left behind.
    fn kept_group(&mut self, number: u32, saved: &CacheContent<'s>) -> Option<u32> {
        fn moved<T: Copy + Eq + std::hash::Hash>(
            numbers: &[u32],
            items: &[T],
            table: &mut Table<T>,
        ) -> Vec<u32> {
            let known = numbers.iter().filter_map(|number| item(items, *number));
            known.map(|item| table.position(*item)).collect()
        }
        if let Some(number) = self.kept.get(&number) {
            return Some(*number);
        }
        let group = item(&saved.groups, number)?;
        let imports = group.imports.iter().filter_map(|(importer, imported)| {
            let (importer, imported) =
                (item(&saved.paths, *importer)?, item(&saved.paths, *imported)?);
            Some((self.paths.position(importer), self.paths.position(imported)))
        });
        let imports = imports.collect();
        let group = CachedGroup {
            lookups: moved(&group.lookups, &saved.lookups, &mut self.lookups),
            elsewhere: moved(&group.elsewhere, &saved.elsewhere, &mut self.elsewhere),
            files: moved(&group.files, &saved.files, &mut self.files),
            imports,
        };
        let position = self.add(group);
        self.kept.insert(number, position);
        Some(position)
    }

    fn add(&mut self, group: CachedGroup) -> u32 {
        let next = u32::try_from(self.groups.len()).unwrap_or(u32::MAX);
        *self.groups.entry(group).or_insert(next)
    }
}
