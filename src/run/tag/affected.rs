//! Where the commits ask for no release: which flows are affected since the last tag all the same.

use std::collections::HashSet;

use flowreg_git::PeeledTag;
use flowreg_git::tagging::SeriesPaths;
use flowreg_model::{CodeReference, CommitId, Flow, TagName};
use serde::Serialize;

use super::rounds::TagRun;
use crate::run::RunError;
use crate::run::affected::Affected;
use crate::run::manifests::Manifests;
use crate::run::referenced::Referenced;
use crate::run::starts::{EntryKey, Start};
use crate::scan::{Prefect1Files, Selection, prefect1_files};

/// A flow that is affected by what changed since the last tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct AffectedSource {
    /// Its name; `None` for Prefect 1, where only running the file tells which flows it makes.
    pub flow: Option<String>,
    /// Its file.
    pub path: String,
    /// From that file along imports to what changed, both included.
    pub affected_by: Vec<String>,
    /// Whether it is not there any more, so that only production has it.
    #[serde(skip_serializing_if = "is_false")]
    pub removed: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_false(value: &bool) -> bool {
    !value
}

impl TagRun<'_> {
    /// The flows of the series that are affected by what changed since a tag, those that were removed
    /// included. The sources alone tell: neither Python nor the target is asked.
    pub(super) fn affected_since(&self, tag: &PeeledTag) -> Result<Vec<AffectedSource>, RunError> {
        if tag.commit == self.commit {
            return Ok(Vec::new());
        }
        let now = self.sources_at(&self.commit, tag, &self.commit)?;
        // What was registered follows from the settings of then. If this flowreg no longer takes those,
        // those of today come nearest.
        let before = self
            .sources_at(&tag.commit, tag, &tag.commit)
            .or_else(|_| self.sources_at(&self.commit, tag, &tag.commit))?;
        let mut affected = if now.configured.is_prefect1() {
            affected_files(&now, &before, tag)?
        } else {
            affected_flows(&now, &before, tag, &SeriesPaths::new(&self.series.paths))?
        };
        let paths = SeriesPaths::new(&self.series.paths);
        affected.retain(|one| paths.has(&one.path));
        Ok(affected)
    }

    /// The sources of a commit, as the settings at another one say which they are.
    fn sources_at(
        &self,
        settings: &CommitId,
        tag: &PeeledTag,
        commit: &CommitId,
    ) -> Result<Referenced<'_>, RunError> {
        let choice = &self.request.run.reference;
        let configured = self.opened.configure_sources(choice, settings)?;
        // Only the commit of this reference is looked at, and not its name.
        let reference = CodeReference { commit: commit.clone(), ..self.reference_at(&tag.name) };
        Ok(Referenced::of_new_tag(configured, reference, Vec::new()))
    }
}

fn affected_flows(
    now: &Referenced<'_>,
    before: &Referenced<'_>,
    since: &PeeledTag,
    paths: &SeriesPaths,
) -> Result<Vec<AffectedSource>, RunError> {
    let scan = now.scan_all()?;
    let manifests = now.manifests()?;
    let starts = scan.flows.iter().map(|flow| flow.entrypoint.path());
    let starts: Vec<Start> = starts.map(Start::of_script).collect();
    let starts: Vec<&Start> = starts.iter().collect();
    let by: Affected = now.affected_since(&since.commit, &manifests, Some(&scan.files), &starts)?;
    let (flows_before, manifests_before) = (before.scan_all()?.flows, before.manifests()?);
    let undeclared = undeclared(&manifests_before, &manifests);
    // Before there was a list of deployments, every flow had one.
    let is_listed_now = !manifests_before.declare_deployments() && manifests.declare_deployments();
    let list = manifests.files().first().filter(|_| is_listed_now);
    let affected = scan.flows.iter().filter_map(|flow| {
        let chain = by.chain_of_flow(&flow.entrypoint).or_else(|| {
            let gone = undeclared.iter().find(|entry| entry.leads_to(&flow.entrypoint));
            let file = gone.map(|entry| &entry.file).or(list.map(|list| &list.path))?;
            Some(vec![file.clone()])
        });
        Some(AffectedSource {
            flow: Some(flow.name.to_string()),
            path: flow.entrypoint.path().to_owned(),
            affected_by: chain?,
            removed: false,
        })
    });
    let of_series = |flow: &&Flow| paths.has(flow.entrypoint.path());
    let names: HashSet<&str> =
        scan.flows.iter().filter(of_series).map(|flow| flow.name.as_str()).collect();
    let gone = flows_before.iter().filter(|flow| !names.contains(flow.name.as_str()));
    let gone = gone.map(|flow| {
        let path = flow.entrypoint.path().to_owned();
        // A file that does not parse has its flows still.
        let removed = !scan.problems.iter().any(|problem| problem.path == path);
        AffectedSource {
            flow: Some(flow.name.to_string()),
            affected_by: vec![path.clone()],
            path,
            removed,
        }
    });
    Ok(affected.chain(gone).collect())
}

/// The entries of `prefect.yaml` that are not there any more.
fn undeclared(before: &Manifests, now: &Manifests) -> Vec<EntryKey> {
    let keys = |manifests: &Manifests| -> HashSet<EntryKey> {
        let files = manifests.files().iter();
        files.flat_map(|file| file.entries.iter().map(|entry| EntryKey::of(file, entry))).collect()
    };
    let now = keys(now);
    let mut gone: Vec<EntryKey> =
        keys(before).into_iter().filter(|key| !now.contains(key)).collect();
    gone.sort_by(|one, other| (&one.file, &one.name).cmp(&(&other.file, &other.name)));
    gone
}

fn affected_files(
    now: &Referenced<'_>,
    before: &Referenced<'_>,
    since: &PeeledTag,
) -> Result<Vec<AffectedSource>, RunError> {
    let Prefect1Files { candidates, files, .. } = files_of_prefect1(now)?;
    let starts: Vec<Start> = candidates.iter().map(|path| Start::of_script(path)).collect();
    let starts: Vec<&Start> = starts.iter().collect();
    let manifests = Manifests::default();
    let by = now.affected_since(&since.commit, &manifests, Some(&files), &starts)?;
    let affected = starts.into_iter().filter_map(|start| {
        let path = start.file().to_owned();
        Some(AffectedSource { flow: None, path, affected_by: by.chain(start)?, removed: false })
    });
    let gone = files_of_prefect1(before)?.candidates.into_iter();
    let gone = gone.filter(|path| !candidates.contains(path)).map(|path| AffectedSource {
        flow: None,
        affected_by: vec![path.clone()],
        path,
        removed: true,
    });
    Ok(affected.chain(gone).collect())
}

/// The files that may make flows of Prefect 1.
fn files_of_prefect1(referenced: &Referenced<'_>) -> Result<Prefect1Files, RunError> {
    let settings = &referenced.configured.settings;
    let selection = Selection::new(&settings.include, &settings.exclude)?;
    Ok(prefect1_files(referenced.tree()?, &selection, !settings.include.is_empty())?)
}

/// Why there is nothing to release, and what would be one.
pub(super) fn nothing(previous: Option<&TagName>, commits: usize) -> String {
    let since = previous.map(|tag| format!(" since {tag}")).unwrap_or_default();
    match commits {
        0 => format!("nothing to release: no commits{since}"),
        1 => format!(
            "nothing to release: the one commit{since} is neither feat, fix, perf nor breaking \
             (--bump makes a version all the same)"
        ),
        _ => format!(
            "nothing to release: none of the {commits} commits{since} is feat, fix, perf or \
             breaking (--bump makes a version all the same)"
        ),
    }
}
