//! Where the runs of registrations start, and where their deployments are declared.

use std::collections::HashMap;

use crate::manifest::{DeclaredEntrypoint, Entry, Manifest};
use crate::scan::Script;

/// Where a run of a flow starts, and where its deployment is declared.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub script: Script,
    pub entry: Option<EntryKey>,
}

/// Where runs start, by flow and deployment.
pub(super) type Starts = HashMap<(String, String), Start>;

/// One deployment of a `prefect.yaml`, whatever else it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EntryKey {
    pub file: String,
    pub name: String,
    pub entrypoint: String,
}

impl EntryKey {
    /// What tells an entry from the others of its file.
    pub(super) fn of(manifest: &Manifest, entry: &Entry) -> Self {
        Self {
            file: manifest.path.clone(),
            name: entry.name.clone(),
            entrypoint: entry.entrypoint.clone(),
        }
    }
}

impl Start {
    /// The file that a run starts with, from the repository's root.
    pub(super) fn file(&self) -> &str {
        &self.script.path
    }

    /// A run that starts in the repository's root.
    pub(super) fn of_script(path: &str) -> Self {
        let script = Script { path: path.to_owned(), root: String::new(), module: None };
        Self { script, entry: None }
    }

    /// A run as a `prefect.yaml` declares it: in `root`, by a path or a module from there.
    pub(super) fn declared(
        path: &str,
        root: String,
        place: &DeclaredEntrypoint,
        entry: EntryKey,
    ) -> Self {
        let module = match place {
            DeclaredEntrypoint::Script { .. } => None,
            DeclaredEntrypoint::Module { module, .. } => Some(module.clone()),
        };
        let script = Script { path: path.to_owned(), root, module };
        Self { script, entry: Some(entry) }
    }
}
