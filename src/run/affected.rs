//! Finds out which deployments are affected by what changed between two commits: because the code of
//! their flow changed, or because `prefect.yaml` or `flowreg.toml` did.
//!
//! Which code a flow has is found out by `scan::affected`, along imports.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use flowreg_git::{BlobId, GitError, TreeFiles};
use flowreg_model::{CommitId, Entrypoint};

use super::manifests::Manifests;
use super::starts::{EntryKey, Start};
use super::{Referenced, RunError};
use crate::manifest::{Entry, Manifest};
use crate::scan::{ANALYSER, Difference, Script, affected};
use crate::settings::FILE_NAME;
use crate::store::AnalysisCache;

/// What is affected by what changed since a commit.
pub(super) struct Affected {
    chains: BTreeMap<Script, Vec<String>>,
    /// A changed file that concerns every flow: `flowreg.toml`.
    for_all: Option<Vec<String>>,
    /// Deployments that are declared in another way than before, or were not.
    entries: HashSet<EntryKey>,
}

impl Affected {
    /// Why a deployment is affected: the way along imports to what changed, or the file that
    /// declares it; `None` if it is not.
    pub(super) fn chain(&self, start: &Start) -> Option<Vec<String>> {
        let declared = || {
            let entry = start.entry.as_ref().filter(|entry| self.entries.contains(entry))?;
            Some(vec![entry.file.clone()])
        };
        let called = || self.chains.get(start.declared_in.as_ref()?).cloned();
        let own = self.chains.get(&start.script).cloned();
        own.or_else(called).or_else(declared).or_else(|| self.for_all.clone())
    }

    /// The same for a flow, whatever its deployments are called.
    pub(super) fn chain_of_flow(&self, entrypoint: &Entrypoint) -> Option<Vec<String>> {
        let chain = self.chain(&Start::of_script(entrypoint.path()));
        // A list of flows knows no deployments, so entries are matched by where they lead.
        let is_meant = |entry: &&EntryKey| entry.leads_to(entrypoint);
        let declared = || self.entries.iter().filter(is_meant).map(|entry| &entry.file).min();
        // "Its deployment was changed in prefect.yaml" says more than "flowreg.toml changed".
        let is_general = chain.is_none() || chain == self.for_all;
        match declared() {
            Some(file) if is_general => Some(vec![file.clone()]),
            _ => chain,
        }
    }
}

impl Referenced<'_> {
    /// Finds out which of these runs are affected by what changed since a commit. `files` are the
    /// Python files of the tree, if they were listed.
    pub(super) fn affected_since(
        &self,
        base: &CommitId,
        manifests: &Manifests,
        files: Option<&TreeFiles>,
        starts: &[&Start],
    ) -> Result<Affected, RunError> {
        let opened = self.opened();
        let head = &self.reference.commit;
        let changes = opened.repository.changed_paths(base, head)?;
        // With `--config` another file is used, so a change of the one in the commits changes nothing.
        // Which flows a change of `flowreg.toml` concerns is not worked out: it may be any table.
        let is_configured = opened.surroundings.config.is_none()
            && !changes.is_empty()
            && self.content_at(base, FILE_NAME)? != self.content_at(head, FILE_NAME)?;
        let difference = Difference {
            repository: &opened.repository,
            base,
            head,
            changes: &changes,
            files,
            search_path: self.search_path(),
        };
        let scripts =
            starts.iter().flat_map(|start| [Some(&start.script), start.declared_in.as_ref()]);
        let scripts: BTreeSet<Script> = scripts.flatten().cloned().collect();
        let cache = AnalysisCache::of_imports(opened.repository.common_dir(), ANALYSER);
        Ok(Affected {
            chains: affected(&difference, &scripts, &cache)?,
            for_all: is_configured.then(|| vec![FILE_NAME.to_owned()]),
            entries: self.changed_entries(base, manifests)?,
        })
    }

    /// What a file has at a commit; `None` if it is not there. Symbolic links are followed: the file
    /// that one leads to is what counts.
    fn content_at(&self, commit: &CommitId, path: &str) -> Result<Option<BlobId>, GitError> {
        let found = self.opened().repository.tree(commit)?.find_each([path])?;
        Ok(found.into_iter().flatten().next().map(|blob| blob.id))
    }

    /// The entries that the earlier commit does not have, or has otherwise.
    fn changed_entries(
        &self,
        base: &CommitId,
        manifests: &Manifests,
    ) -> Result<HashSet<EntryKey>, RunError> {
        let mut changed = HashSet::new();
        for file in manifests.files() {
            if self.content_at(base, &file.path)?
                == self.content_at(&self.reference.commit, &file.path)?
            {
                continue;
            }
            let bytes = match self.opened().repository.read_at(base, &file.path) {
                Err(GitError::BrokenLink(_)) => None,
                bytes => bytes?,
            };
            let before = bytes.and_then(|bytes| Manifest::read(&file.path, &bytes).ok());
            let is_as_before = |entry: &&Entry| {
                // The steps at the top of a file are those of all its deployments.
                let before = before.as_ref().filter(|before| before.steps == file.steps);
                let before = before.into_iter().flat_map(|before| &before.entries);
                let mut same = before.filter(|other| other.name == entry.name);
                same.any(|other| {
                    other.entrypoint == entry.entrypoint
                        && other.config == entry.config
                        && other.steps == entry.steps
                })
            };
            let others = file.entries.iter().filter(|entry| !is_as_before(entry));
            changed.extend(others.map(|entry| EntryKey::of(file, entry)));
        }
        Ok(changed)
    }
}
