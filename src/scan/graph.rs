//! Which files import which, to be asked in both directions.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// The imports between the Python files of a tree, as far as flows reach them. Paths are from the
/// root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportGraph {
    imports: BTreeMap<String, BTreeSet<String>>,
    importers: BTreeMap<String, BTreeSet<String>>,
}

impl ImportGraph {
    /// Notes that `importer` imports `imported`.
    pub(crate) fn add(&mut self, importer: &str, imported: &str) {
        if importer != imported {
            add(&mut self.imports, importer, imported);
            add(&mut self.importers, imported, importer);
        }
    }

    /// What a file imports itself.
    pub(crate) fn direct_imports_of(&self, path: &str) -> impl Iterator<Item = &str> {
        self.imports.get(path).into_iter().flatten().map(String::as_str)
    }

    /// Everything that a file imports, directly or not, without itself.
    pub fn imports_of(&self, path: &str) -> BTreeSet<&str> {
        reach(&self.imports, path)
    }

    /// Every file that imports this one, directly or not: what a change of it affects.
    pub fn importers_of(&self, path: &str) -> BTreeSet<&str> {
        reach(&self.importers, path)
    }

    /// The shortest way from a file along its imports to one that `is_end`, both ends included;
    /// of several the first by name. `None` if there is none.
    pub(crate) fn chain(&self, start: &str, is_end: impl Fn(&str) -> bool) -> Option<Vec<String>> {
        let mut importer_of: BTreeMap<&str, &str> = BTreeMap::new();
        let mut open = VecDeque::from([start]);
        while let Some(path) = open.pop_front() {
            if is_end(path) {
                let mut chain = vec![path.to_owned()];
                let mut at = path;
                while at != start
                    && let Some(importer) = importer_of.get(at)
                {
                    chain.push((*importer).to_owned());
                    at = importer;
                }
                chain.reverse();
                return Some(chain);
            }
            for next in self.direct_imports_of(path) {
                // Breadth first, so the first way to a file is a shortest one. Circles end at files
                // that were reached before.
                if next != start && !importer_of.contains_key(next) {
                    importer_of.insert(next, path);
                    open.push_back(next);
                }
            }
        }
        None
    }
}

fn add(edges: &mut BTreeMap<String, BTreeSet<String>>, from: &str, to: &str) {
    match edges.get_mut(from) {
        Some(known) if known.contains(to) => {}
        Some(known) => {
            known.insert(to.to_owned());
        }
        None => {
            edges.insert(from.to_owned(), BTreeSet::from([to.to_owned()]));
        }
    }
}

fn reach<'g>(edges: &'g BTreeMap<String, BTreeSet<String>>, start: &str) -> BTreeSet<&'g str> {
    let mut reached = BTreeSet::new();
    let mut open = vec![start];
    while let Some(path) = open.pop() {
        for next in edges.get(path).into_iter().flatten() {
            if next != start && reached.insert(next.as_str()) {
                open.push(next);
            }
        }
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reaches_all_that_import_it_also_in_a_circle() {
        let mut graph = ImportGraph::default();
        for (importer, imported) in
            [("flow.py", "a.py"), ("a.py", "b.py"), ("b.py", "a.py"), ("other.py", "c.py")]
        {
            graph.add(importer, imported);
        }
        assert_eq!(graph.imports_of("flow.py"), ["a.py", "b.py"].into());
        assert_eq!(graph.importers_of("b.py"), ["a.py", "flow.py"].into());
        assert_eq!(graph.importers_of("flow.py"), BTreeSet::new());
    }

    #[test]
    fn a_chain_is_the_shortest_way_and_ends_also_in_a_circle() {
        let mut graph = ImportGraph::default();
        for (importer, imported) in [
            ("flow.py", "a.py"),
            ("a.py", "b.py"),
            ("b.py", "c.py"),
            ("flow.py", "z.py"),
            ("z.py", "c.py"),
            ("c.py", "flow.py"),
            ("c.py", "a.py"),
        ] {
            graph.add(importer, imported);
        }
        let chain = |from: &str, to: &str| graph.chain(from, |path| path == to);
        assert_eq!(chain("flow.py", "c.py").unwrap(), ["flow.py", "z.py", "c.py"]);
        assert_eq!(chain("flow.py", "flow.py").unwrap(), ["flow.py"]);
        assert_eq!(chain("b.py", "z.py").unwrap(), ["b.py", "c.py", "flow.py", "z.py"]);
        assert_eq!(chain("flow.py", "other.py"), None);
        assert_eq!(chain("nowhere.py", "a.py"), None);
    }
}
