//! Which files import which, to be asked in both directions.

use std::collections::{BTreeMap, BTreeSet};

/// The imports between the Python files of a tree, as far as flows reach them. Paths are from the
/// root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportGraph {
    imports: BTreeMap<String, BTreeSet<String>>,
    importers: BTreeMap<String, BTreeSet<String>>,
}

impl ImportGraph {
    /// Notes that `importer` imports `imported`.
    pub fn add(&mut self, importer: &str, imported: &str) {
        if importer != imported {
            add(&mut self.imports, importer, imported);
            add(&mut self.importers, imported, importer);
        }
    }

    /// Everything that a file imports, directly or not, without itself.
    pub fn imports_of(&self, path: &str) -> BTreeSet<&str> {
        reach(&self.imports, path)
    }

    /// Every file that imports this one, directly or not: what a change of it affects.
    pub fn importers_of(&self, path: &str) -> BTreeSet<&str> {
        reach(&self.importers, path)
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
}
