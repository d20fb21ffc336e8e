//! Reads many files out of packs, each link of their delta chains inflated once.
//!
//! gix finds one object at a time, and inflates the links that two chains share for each of them.
//! Here entries that share a base are a family, and a family is read in one go, bases first.
//! Nothing fails: what is not in a pack, or is damaged, is left to gix, which says what is wrong.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use foldhash::fast::RandomState;
use gix::odb::pack::data::entry::Header;
use gix::odb::pack::{data, index};

use super::delta;

/// What says to be larger is left to gix.
const LARGEST: u64 = 16 << 20;

/// How much of one family is held at once, in bytes.
const MOST_HELD: usize = 64 << 20;

/// How many buffers are kept for the next files.
const MOST_FREE: usize = 16;

struct Pack {
    index: index::File,
    entries: data::File,
}

/// The packs of a repository.
#[derive(Default)]
pub(super) struct Packs {
    packs: Vec<Pack>,
}

impl Packs {
    /// The packs in object directories, as far as they can be opened.
    pub(super) fn of(directories: &[PathBuf], hash: gix::hash::Kind) -> Self {
        let files = directories
            .iter()
            .flat_map(|directory| std::fs::read_dir(directory.join("pack")))
            .flat_map(|files| files.flatten().map(|file| file.path()));
        let mut indices: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "idx"))
            .collect();
        indices.sort_unstable();
        let packs = indices.into_iter().filter_map(|path| {
            let entries = data::File::at(path.with_extension("pack"), hash).ok()?;
            Some(Pack { index: index::File::at(path, hash).ok()?, entries })
        });
        Packs { packs: packs.collect() }
    }

    /// How to read these objects; their numbers are their places in the list.
    pub(super) fn plan(self, ids: impl Iterator<Item = gix::ObjectId>) -> PackPlan {
        let (mut found, mut elsewhere) = (Vec::new(), Vec::new());
        for (number, id) in ids.enumerate() {
            match self.position(id) {
                Some((pack, offset)) => found.push(Wanted { pack, offset, number }),
                None => elsewhere.push(number),
            }
        }
        found.sort_unstable_by_key(|wanted| (wanted.pack, wanted.offset));
        let mut plan = PackPlan { packs: self.packs, entries: vec![], families: vec![], elsewhere };
        for in_one_pack in found.chunk_by(|one, other| one.pack == other.pack) {
            plan.add(in_one_pack);
        }
        // Large ones first: who works on the last one should not keep the others waiting.
        plan.families.sort_by_key(|family| Reverse(family.len()));
        plan
    }

    fn position(&self, id: gix::ObjectId) -> Option<(usize, u64)> {
        self.packs.iter().enumerate().find_map(|(number, pack)| {
            Some((number, pack.index.pack_offset_at_index(pack.index.lookup(id)?)))
        })
    }
}

/// Where an object is that is asked for.
#[derive(Clone, Copy)]
struct Wanted {
    pack: usize,
    offset: u64,
    number: usize,
}

/// An entry of a pack that is asked for, or that others build on.
struct Entry {
    pack: usize,
    entry: data::Entry,
    /// The place of the entry that it builds on, counted from the beginning of its family.
    base: Option<usize>,
    /// How many build on it.
    deltas: usize,
    /// The numbers of the objects that it is.
    numbers: Vec<usize>,
}

/// Which entries are read in which order.
pub struct PackPlan {
    packs: Vec<Pack>,
    entries: Vec<Entry>,
    families: Vec<Range<usize>>,
    elsewhere: Vec<usize>,
}

impl PackPlan {
    /// How many families there are.
    pub fn families(&self) -> usize {
        self.families.len()
    }

    /// The numbers of the objects that are not in a pack, or that can't be read from there.
    pub fn elsewhere(&self) -> &[usize] {
        &self.elsewhere
    }

    /// A reader for one thread.
    pub fn reader(&self) -> PackReader<'_> {
        PackReader {
            plan: self,
            inflate: gix::zlib::Inflate::default(),
            instructions: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Adds the families of objects of one pack, in the order of their offsets.
    fn add(&mut self, wanted: &[Wanted]) {
        let mut chains = Chains::default();
        for one in wanted.chunk_by(|one, other| one.offset == other.offset) {
            let Some(Wanted { pack, offset, .. }) = one.first().copied() else { continue };
            let numbers = one.iter().map(|wanted| wanted.number);
            let link = self.packs.get(pack).and_then(|files| chains.follow(files, offset));
            match link.and_then(|place| chains.links.get_mut(place)) {
                Some(link) => link.numbers = numbers.collect(),
                None => self.elsewhere.extend(numbers),
            }
        }
        let pack = wanted.first().map_or(0, |wanted| wanted.pack);
        chains.into_families(pack, &mut self.entries, &mut self.families);
    }
}

/// The chains of the objects of one pack.
#[derive(Default)]
struct Chains {
    /// Bases before those that build on them.
    links: Vec<Link>,
    places: HashMap<u64, usize, RandomState>,
}

struct Link {
    entry: data::Entry,
    base: Option<usize>,
    numbers: Vec<usize>,
}

impl Chains {
    /// The place of the link at `offset`, after those that it builds on; `None` if the chain is
    /// not one that is read here.
    fn follow(&mut self, pack: &Pack, offset: u64) -> Option<usize> {
        let (mut new, mut base) = (Vec::new(), None);
        let mut next = Some(offset);
        while let Some(offset) = next {
            base = self.places.get(&offset).copied();
            if base.is_some() {
                break;
            }
            let entry = pack.entries.entry(offset).ok()?;
            next = match entry.header {
                Header::Blob => None,
                Header::OfsDelta { base_distance } => {
                    Some(entry.checked_base_pack_offset(base_distance)?)
                }
                Header::RefDelta { base_id } => {
                    Some(pack.index.pack_offset_at_index(pack.index.lookup(base_id)?))
                }
                _ => return None,
            };
            // A base usually lies before its deltas; in a circle one of them does not.
            if entry.decompressed_size > LARGEST || next.is_some_and(|next| next >= offset) {
                return None;
            }
            new.push((offset, entry));
        }
        for (offset, entry) in new.into_iter().rev() {
            let place = self.links.len();
            self.links.push(Link { entry, base, numbers: Vec::new() });
            self.places.insert(offset, place);
            base = Some(place);
        }
        base
    }

    /// Sorts the links into families, in each of them depth first: so few of them are held.
    fn into_families(
        self,
        pack: usize,
        entries: &mut Vec<Entry>,
        families: &mut Vec<Range<usize>>,
    ) {
        // The first that builds on each link, and after each the next that has the same base.
        let mut first = vec![None; self.links.len()];
        let mut next = vec![None; self.links.len()];
        let mut roots = Vec::new();
        for (place, link) in self.links.iter().enumerate() {
            match link.base.and_then(|base| first.get_mut(base)) {
                Some(first) => {
                    if let Some(next) = next.get_mut(place) {
                        *next = first.replace(place);
                    }
                }
                None => roots.push(place),
            }
        }
        let mut links: Vec<Option<Link>> = self.links.into_iter().map(Some).collect();
        for root in roots {
            let start = entries.len();
            let mut open = vec![(root, None)];
            while let Some((place, base)) = open.pop() {
                let link = links.get_mut(place).and_then(Option::take);
                let Some(Link { entry, numbers, .. }) = link else { continue };
                let (here, before) = (entries.len() - start, open.len());
                let first = first.get(place).copied().flatten();
                let deltas =
                    std::iter::successors(first, |delta| next.get(*delta).copied().flatten());
                open.extend(deltas.map(|delta| (delta, Some(here))));
                entries.push(Entry { pack, entry, base, deltas: open.len() - before, numbers });
            }
            families.push(start..entries.len());
        }
    }
}

/// Reads families, on one thread.
pub struct PackReader<'p> {
    plan: &'p PackPlan,
    inflate: gix::zlib::Inflate,
    /// Of the delta that is applied.
    instructions: Vec<u8>,
    free: Vec<Vec<u8>>,
}

/// The content of an entry, for those that build on it and were not read yet.
struct Held {
    content: Option<Vec<u8>>,
    deltas: usize,
}

impl PackReader<'_> {
    /// Reads a family and hands on each of its objects that is asked for: its number and its
    /// content, `None` if it can't be read here.
    pub fn read(&mut self, family: usize, mut object: impl FnMut(usize, Option<&[u8]>)) {
        let plan = self.plan;
        let family = plan.families.get(family).cloned().unwrap_or_default();
        let mut held: Vec<Held> = Vec::with_capacity(family.len());
        let mut size = 0;
        for entry in plan.entries.get(family).unwrap_or_default() {
            let base = entry.base.map(|base| held.get(base).and_then(|held| held.content.as_ref()));
            let content = match base {
                None => self.whole(entry),
                Some(base) => base.and_then(|base| self.built(entry, base)),
            };
            for number in &entry.numbers {
                object(*number, content.as_deref());
            }
            if let Some(base) = entry.base.and_then(|base| held.get_mut(base)) {
                base.deltas = base.deltas.saturating_sub(1);
                if base.deltas == 0
                    && let Some(content) = base.content.take()
                {
                    size -= content.len();
                    self.keep(content);
                }
            }
            let length = content.as_ref().map_or(0, Vec::len);
            if entry.deltas > 0 && size + length <= MOST_HELD {
                size += length;
                held.push(Held { content, deltas: entry.deltas });
            } else {
                content.into_iter().for_each(|content| self.keep(content));
                held.push(Held { content: None, deltas: 0 });
            }
        }
    }

    fn keep(&mut self, buffer: Vec<u8>) {
        if self.free.len() < MOST_FREE {
            self.free.push(buffer);
        }
    }

    fn whole(&mut self, entry: &Entry) -> Option<Vec<u8>> {
        let mut content = self.free.pop().unwrap_or_default();
        content.resize(usize::try_from(entry.entry.decompressed_size).ok()?, 0);
        let pack = &self.plan.packs.get(entry.pack)?.entries;
        pack.decompress_entry(&entry.entry, &mut self.inflate, &mut content).ok()?;
        Some(content)
    }

    fn built(&mut self, entry: &Entry, base: &[u8]) -> Option<Vec<u8>> {
        let size = usize::try_from(entry.entry.decompressed_size).ok()?;
        if self.instructions.len() < size {
            self.instructions.resize(size, 0);
        }
        let instructions = self.instructions.get_mut(..size)?;
        let pack = &self.plan.packs.get(entry.pack)?.entries;
        pack.decompress_entry(&entry.entry, &mut self.inflate, instructions).ok()?;
        let mut content = self.free.pop().unwrap_or_default();
        delta::apply(base, instructions, &mut content)?;
        Some(content)
    }
}
