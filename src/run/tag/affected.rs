//! Where the commits ask for no release: which flows are affected since the last tag all the same.

use flowreg_git::PeeledTag;
use flowreg_git::tagging::SeriesPaths;
use flowreg_model::TagName;
use serde::Serialize;

use super::rounds::TagRun;
use crate::run::RunError;
use crate::run::affected::Affected;
use crate::run::manifests::Manifests;
use crate::run::referenced::Referenced;
use crate::run::starts::Start;
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
}

impl TagRun<'_> {
    /// The flows of the series that are affected by what changed since a tag. The sources alone tell:
    /// neither Python nor the target is asked.
    pub(super) fn affected_since(&self, tag: &PeeledTag) -> Result<Vec<AffectedSource>, RunError> {
        if tag.commit == self.commit {
            return Ok(Vec::new());
        }
        let choice = &self.request.run.reference;
        let configured = self.opened.configure_sources(choice, &self.commit)?;
        // Only the commit of this reference is looked at, and not its name.
        let referenced =
            Referenced::of_new_tag(configured, self.reference_at(&tag.name), Vec::new());
        let mut affected = if referenced.configured.is_prefect1() {
            affected_files(&referenced, tag)?
        } else {
            affected_flows(&referenced, tag)?
        };
        let paths = SeriesPaths::new(&self.series.paths);
        affected.retain(|one| paths.has(&one.path));
        Ok(affected)
    }
}

fn affected_flows(
    referenced: &Referenced<'_>,
    since: &PeeledTag,
) -> Result<Vec<AffectedSource>, RunError> {
    let scan = referenced.scan_all()?;
    let manifests = referenced.manifests()?;
    let paths = scan.flows.iter().map(|flow| flow.entrypoint.path());
    let starts: Vec<Start> = paths.map(Start::of_script).collect();
    let starts: Vec<&Start> = starts.iter().collect();
    let by: Affected =
        referenced.affected_since(&since.commit, &manifests, Some(&scan.files), &starts)?;
    let affected = scan.flows.iter().filter_map(|flow| {
        Some(AffectedSource {
            flow: Some(flow.name.to_string()),
            path: flow.entrypoint.path().to_owned(),
            affected_by: by.chain_of_flow(&flow.entrypoint)?,
        })
    });
    Ok(affected.collect())
}

fn affected_files(
    referenced: &Referenced<'_>,
    since: &PeeledTag,
) -> Result<Vec<AffectedSource>, RunError> {
    let settings = &referenced.configured.settings;
    let selection = Selection::new(&settings.include, &settings.exclude)?;
    let is_included = !settings.include.is_empty();
    let Prefect1Files { candidates, files, .. } =
        prefect1_files(referenced.tree()?, &selection, is_included)?;
    let starts: Vec<Start> = candidates.iter().map(|path| Start::of_script(path)).collect();
    let starts: Vec<&Start> = starts.iter().collect();
    let manifests = Manifests::default();
    let by = referenced.affected_since(&since.commit, &manifests, Some(&files), &starts)?;
    let affected = starts.into_iter().filter_map(|start| {
        let path = start.file().to_owned();
        Some(AffectedSource { flow: None, path, affected_by: by.chain(start)? })
    });
    Ok(affected.collect())
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
