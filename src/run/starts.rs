//! For each registration the file with which a run starts, and the entry of `prefect.yaml` that
//! declares it or the script that does. Both decide whether a change between two commits affects it.

use std::collections::HashMap;

use crate::manifest::{DeclaredEntrypoint, Entry, Manifest};
use crate::scan::Script;
use flowreg_model::Entrypoint;

/// Where a run of a flow starts, and where its deployment is declared.
#[derive(Debug, Clone)]
pub(super) struct Start {
    pub script: Script,
    pub entry: Option<EntryKey>,
    /// The script that declares the deployment by a call, if one does.
    pub declared_in: Option<Script>,
}

/// Where runs start, by flow and deployment.
pub(super) type Starts = HashMap<(String, String), Start>;

/// What identifies a deployment of a `prefect.yaml`. The name alone does not: several flows may each
/// have a deployment `nightly`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct EntryKey {
    pub file: String,
    pub name: String,
    pub entrypoint: String,
}

impl EntryKey {
    /// The key of an entry.
    pub(super) fn of(manifest: &Manifest, entry: &Entry) -> Self {
        Self {
            file: manifest.path.clone(),
            name: entry.name.clone(),
            entrypoint: entry.entrypoint.clone(),
        }
    }

    /// Whether the entry is for a flow.
    pub(super) fn leads_to(&self, entrypoint: &Entrypoint) -> bool {
        let below = self.file.rsplit_once('/').map_or("", |(directory, _)| directory);
        let location = DeclaredEntrypoint::parse(&self.entrypoint)
            .and_then(|location| location.in_directory(below));
        location.is_some_and(|location| {
            location.object() == entrypoint.object()
                && location.files().iter().any(|file| file == entrypoint.path())
        })
    }
}

impl Start {
    /// The file that a run starts with, from the repository's root.
    pub(super) fn file(&self) -> &str {
        &self.script.path
    }

    /// A run that starts in the repository's root.
    pub(super) fn of_script(path: &str) -> Self {
        Self { script: script(path), entry: None, declared_in: None }
    }

    /// The same, of a deployment that a call in another file may declare.
    pub(super) fn called(path: &str, declared_in: &str) -> Self {
        Self { declared_in: Some(script(declared_in)), ..Self::of_script(path) }
    }

    /// A run as a `prefect.yaml` declares it: in `root`, by a path or a module from there.
    pub(super) fn declared(
        path: &str,
        root: String,
        location: &DeclaredEntrypoint,
        entry: EntryKey,
    ) -> Self {
        let module = match location {
            DeclaredEntrypoint::Script { .. } => None,
            DeclaredEntrypoint::Module { module, .. } => Some(module.clone()),
        };
        let script = Script { path: path.to_owned(), root, module };
        Self { script, entry: Some(entry), declared_in: None }
    }
}

/// A file that is run in the repository's root.
fn script(path: &str) -> Script {
    Script { path: path.to_owned(), root: String::new(), module: None }
}
