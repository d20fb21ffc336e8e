//! Reads many files out of packs, so that each delta base is inflated once.
//!
//! A pack stores most files as deltas to other ones. gix reads one object at a time, and inflates the
//! bases that two files share once for each of them. Here entries that share a base are a family, and
//! a family is read in one go, bases first.
//!
//! Nothing fails here: an object that is not in a pack, or that is damaged, is left to gix, whose
//! error says what is wrong with it.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;

use foldhash::fast::RandomState;
use gix::odb::pack::data::entry::Header;
use gix::odb::pack::{data, index};

use super::delta;

/// The size in bytes above which an object is left to gix: no source file is so large.
const LARGEST: u64 = 16 << 20;

/// How many bytes of one family's delta bases are held at once. With more, one family of a hostile
/// pack could take all memory.
const MOST_HELD: usize = 64 << 20;

/// How many buffers are kept for the next files, which saves an allocation for each of them.
const MOST_FREE: usize = 16;

struct Pack {
    index: index::File,
    entries: data::File,
}

/// The packs of a repository.
pub(super) struct Packs {
    packs: Vec<Pack>,
}

impl Packs {
    /// The packs in object directories. A pack that can't be opened, as one that `git gc` has just
    /// removed, is passed over: gix looks for its objects again.
    pub(super) fn of(directories: &[PathBuf], hash: gix::hash::Kind) -> Self {
        let files = directories
            .iter()
            .flat_map(|directory| std::fs::read_dir(directory.join("pack")))
            .flat_map(|files| files.flatten().map(|file| file.path()));
        let mut indices: Vec<_> = files
            .filter(|path| path.extension().is_some_and(|extension| extension == "idx"))
            .collect();
        // The order of a directory's files is that of the file system; the plan should not depend on it.
        indices.sort_unstable();
        let packs = indices.into_iter().filter_map(|path| {
            let entries = data::File::at(path.with_extension("pack"), hash).ok()?;
            Some(Pack { index: index::File::at(path, hash).ok()?, entries })
        });
        Packs { packs: packs.collect() }
    }

    /// Plans how to read these objects. An object's number is its position in `ids`.
    pub(super) fn plan(self, ids: impl Iterator<Item = gix::ObjectId>) -> PackPlan {
        let (mut found, mut elsewhere) = (Vec::new(), Vec::new());
        for (number, id) in ids.enumerate() {
            match self.position(id) {
                Some((pack, offset)) => found.push(RequestedObject { pack, offset, number }),
                None => elsewhere.push(number),
            }
        }
        found.sort_unstable_by_key(|object| (object.pack, object.offset));
        let mut plan = PackPlan { packs: self.packs, entries: vec![], families: vec![], elsewhere };
        for in_one_pack in found.chunk_by(|one, other| one.pack == other.pack) {
            plan.add(in_one_pack);
        }
        // Large families first: if one came last, a single thread would read it while the others have
        // nothing left to do.
        plan.families.sort_by_key(|family| Reverse(family.len()));
        tracing::debug!(
            packs = plan.packs.len(),
            families = plan.families.len(),
            outside_packs = plan.elsewhere.len(),
            "files looked up in packs"
        );
        plan
    }

    fn position(&self, id: gix::ObjectId) -> Option<(usize, u64)> {
        self.packs.iter().enumerate().find_map(|(number, pack)| {
            Some((number, pack.index.pack_offset_at_index(pack.index.lookup(id)?)))
        })
    }
}

/// An object that was asked for: its pack, its position there, and its number in the request.
#[derive(Clone, Copy)]
struct RequestedObject {
    pack: usize,
    offset: u64,
    number: usize,
}

/// An entry of a pack that was asked for, or that is the delta base of others.
struct Entry {
    pack: usize,
    entry: data::Entry,
    /// The index of its delta base within its family; `None` if it is stored whole.
    base: Option<usize>,
    /// How many entries of the family have it as their base.
    deltas: usize,
    /// The numbers of the requested objects that are stored in this entry; none if it is only a base.
    numbers: Vec<usize>,
}

/// The entries to read, family by family. Families may be read by several threads at once.
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
    fn add(&mut self, requested: &[RequestedObject]) {
        let mut chains = Chains::default();
        for same in requested.chunk_by(|one, other| one.offset == other.offset) {
            let Some(RequestedObject { pack, offset, .. }) = same.first().copied() else {
                continue;
            };
            let numbers = same.iter().map(|object| object.number);
            let link = self.packs.get(pack).and_then(|files| chains.follow(files, offset));
            match link.and_then(|place| chains.links.get_mut(place)) {
                Some(link) => link.numbers = numbers.collect(),
                None => self.elsewhere.extend(numbers),
            }
        }
        let pack = requested.first().map_or(0, |object| object.pack);
        chains.into_families(pack, &mut self.entries, &mut self.families);
    }
}

/// The delta chains of the requested objects of one pack.
#[derive(Default)]
struct Chains {
    /// Bases come before their deltas.
    links: Vec<Link>,
    /// The index of the link at each offset in the pack.
    places: HashMap<u64, usize, RandomState>,
}

struct Link {
    entry: data::Entry,
    base: Option<usize>,
    numbers: Vec<usize>,
}

impl Chains {
    /// Adds the chain of the entry at `offset`, bases first, and returns its index; `None` if the
    /// chain is not one that is read here.
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
            // In a damaged pack bases may form a circle, and then one of them comes after its delta. In
            // a sound pack that is possible for a `RefDelta`, too, but rare: gix reads those.
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

    /// Sorts the links into families, each of them depth first, so that few bases are in memory at
    /// once.
    fn into_families(
        self,
        pack: usize,
        entries: &mut Vec<Entry>,
        families: &mut Vec<Range<usize>>,
    ) {
        // The deltas of each link as a linked list: the first one, and after each the next.
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
    /// The inflated delta that is applied.
    instructions: Vec<u8>,
    /// Buffers for the next files.
    free: Vec<Vec<u8>>,
}

/// The content of a delta base that is kept until its last delta has been read.
struct HeldBase {
    content: Option<Vec<u8>>,
    deltas: usize,
}

impl PackReader<'_> {
    /// Reads a family and hands on each of its objects that is asked for: its number and its
    /// content, `None` if it can't be read here.
    pub fn read(&mut self, family: usize, mut object: impl FnMut(usize, Option<&[u8]>)) {
        let plan = self.plan;
        let family = plan.families.get(family).cloned().unwrap_or_default();
        let mut held: Vec<HeldBase> = Vec::with_capacity(family.len());
        let mut size = 0;
        for entry in plan.entries.get(family).unwrap_or_default() {
            let base = entry.base.map(|base| held.get(base).and_then(|held| held.content.as_ref()));
            let content = match base {
                None => self.read_whole(entry),
                Some(base) => base.and_then(|base| self.read_delta(entry, base)),
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
                    self.keep_buffer(content);
                }
            }
            // What does not fit is not held; its deltas are then reported as not read, and gix reads them.
            let length = content.as_ref().map_or(0, Vec::len);
            if entry.deltas > 0 && size + length <= MOST_HELD {
                size += length;
                held.push(HeldBase { content, deltas: entry.deltas });
            } else {
                content.into_iter().for_each(|content| self.keep_buffer(content));
                held.push(HeldBase { content: None, deltas: 0 });
            }
        }
    }

    fn keep_buffer(&mut self, buffer: Vec<u8>) {
        if self.free.len() < MOST_FREE {
            self.free.push(buffer);
        }
    }

    fn read_whole(&mut self, entry: &Entry) -> Option<Vec<u8>> {
        let mut content = self.free.pop().unwrap_or_default();
        content.resize(usize::try_from(entry.entry.decompressed_size).ok()?, 0);
        let pack = &self.plan.packs.get(entry.pack)?.entries;
        pack.decompress_entry(&entry.entry, &mut self.inflate, &mut content).ok()?;
        Some(content)
    }

    fn read_delta(&mut self, entry: &Entry, base: &[u8]) -> Option<Vec<u8>> {
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
