//! The pull steps of one deployment: with the code reference in them, checked against the commit and the
//! server's Prefect, and what is wrong with them in the words of `prefect.yaml`.

use std::cell::OnceCell;

use flowreg_git::GitError;
use semver::Version;

use super::RunError;
use super::desired::Builder;
use super::entrypoints::DeploymentDraft;
use super::error::ConfigurationError;
use super::request::Notice;
use crate::manifest::pull::{
    self, CodeElsewhere, NeededKind, NeededPath, PinnedSteps, PullContext, PullError, PullProblem,
    RunStart,
};
use crate::manifest::{
    DeclaredDeployment, Entry, EntryError, FilePlace, Manifest, ManifestNotice, TemplateValues,
    step_ids,
};
use crate::registration::{CodeSource, Pinned};
use flowreg_model::TargetKind;

/// What the server's Prefect is, asked once and only where something depends on it.
#[derive(Default)]
pub(super) struct ServerVersion(OnceCell<Option<Version>>);

/// Where a deployment's runs start, and with which steps.
pub(super) struct Pulled {
    /// The steps as they are registered.
    pub steps: PinnedSteps,
    /// Why the runs would not use the code at the reference, if they would not.
    pub void: Option<EntryError>,
}

impl Builder<'_> {
    /// The pull steps of a deployment. The outer error ends the run, the inner one is this deployment's.
    pub(super) fn pulled(
        &self,
        manifest: &Manifest,
        entry: &Entry,
        declared: &DeclaredDeployment,
        values: &TemplateValues,
        source: &CodeSource<'_>,
    ) -> Result<Result<Pulled, EntryError>, RunError> {
        let settings = &self.referenced.configured.settings.repository;
        let clone = source.git_clone(settings.access.as_ref());
        let mut pulled = match declared.pull.as_deref() {
            None => PinnedSteps::default(&clone),
            // `pull: []` says that the code is in the image already: cloning would run other code.
            Some([]) => PinnedSteps::none(),
            Some(steps) => {
                let context = PullContext {
                    clone,
                    reference: source.reference.name.as_str(),
                    is_ours: &|url| self.identity.is(url),
                    fill: &|text| values.fill(text),
                    version: self.server_version()?,
                    filled_ids: &step_ids(&manifest.steps_of(entry)),
                };
                pull::pinned(steps, &context)
            }
        };
        let missing = self.missing(&pulled.needs)?;
        pulled.problems.extend(missing);
        let (void, faults): (Vec<_>, Vec<_>) = pulled
            .problems
            .iter()
            .partition(|problem| matches!(problem.error, PullError::PinVoid { .. }));
        if !faults.is_empty() {
            return Ok(Err(reported(manifest, entry, &faults)));
        }
        let void = (!void.is_empty()).then(|| reported(manifest, entry, &void));
        Ok(Ok(Pulled { steps: pulled, void }))
    }

    /// The version of the server's Prefect; `None` where there is no server.
    pub(super) fn server_version(&self) -> Result<Option<&Version>, RunError> {
        if let Some(version) = self.server.0.get() {
            return Ok(version.as_ref());
        }
        let version = self.target.version()?.and_then(|version| version.parse().ok());
        Ok(self.server.0.get_or_init(|| version).as_ref())
    }

    /// Refuses to pin a commit where Prefect would not keep it: below 3.6.9 a clone has no name of its own
    /// for each commit, and a worker that uses its directory again runs the old one.
    pub(super) fn check_commit_pin(&self) -> Result<(), RunError> {
        if self.source.pinned != Pinned::Commit
            || self.target.describe().kind != TargetKind::Prefect
        {
            return Ok(());
        }
        match self.server_version()? {
            // Prefect 2 has its own words for it (`Target::adapt`).
            Some(version) if version.major >= 3 && !pull::can_name_clones(version) => {
                let version = version.to_string();
                Err(ConfigurationError::CommitPin { version }.into())
            }
            _ => Ok(()),
        }
    }

    /// What the steps need and the commit does not have.
    fn missing(&self, needs: &[NeededPath]) -> Result<Vec<PullProblem>, RunError> {
        let mut missing = Vec::new();
        let tree = self.referenced.tree()?;
        for needed in needs.iter().filter(|needed| !needed.path.is_empty()) {
            let NeededPath { step, input, path, kind } = needed;
            let is_there = match kind {
                NeededKind::Directory => tree.has_directory(path),
                NeededKind::File => tree.has_file(path),
                NeededKind::NoFile => tree.has_file(path).map(|is_file| !is_file),
            };
            let error = match is_there {
                Ok(true) => continue,
                Ok(false) => match kind {
                    NeededKind::Directory => PullError::NoDirectory { path: path.clone() },
                    NeededKind::File => PullError::NoFile { path: path.clone() },
                    NeededKind::NoFile => PullError::NoSparseDirectory { path: path.clone() },
                },
                Err(GitError::BrokenLink(link)) => PullError::BrokenLink(link),
                Err(error) => return Err(error.into()),
            };
            missing.push(PullProblem { step: *step, input: Some((*input).to_owned()), error });
        }
        Ok(missing)
    }

    /// What is worth knowing about the pull steps of a deployment that is registered.
    pub(super) fn pull_notices(&self, draft: &DeploymentDraft<'_>) -> Vec<Notice> {
        let (manifest, entry) = (draft.manifest, draft.entry);
        let mut notices = Vec::new();
        let mut add = |place: FilePlace, message: String| {
            let deployment = Some(draft.declared.name.clone());
            notices.push(Notice::from(ManifestNotice { place, deployment, message }));
        };
        if let Some(EntryError { place, message, .. }) = &draft.void {
            let allowed = "it is registered all the same, as that is allowed";
            add((**place).clone(), format!("{message} ({allowed})"));
        }
        if let RunStart::Elsewhere { code, .. } = &draft.pulled.start
            && draft.void.is_none()
            && self.source.pinned != Pinned::Branch
        {
            let what = match code {
                CodeElsewhere::NoSteps => {
                    "there are no pull steps: runs use the code in their image or on their machine"
                        .to_owned()
                }
                code => format!("the pull steps don't clone this repository: {code}"),
            };
            let message = format!("{what}, which need not be the code at the reference");
            add(manifest.place(entry, &["pull"]), message);
        }
        for remark in &draft.pulled.remarks {
            add(manifest.step_place(entry, remark.step(), None), remark.to_string());
        }
        for step in &draft.pulled.without_submodules {
            let message = "the commit has submodules, and this clone leaves them out: \
                           include_submodules: true";
            add(manifest.step_place(entry, Some(*step), None), message.to_owned());
        }
        notices
    }
}

/// Checks a sparse clone once the file of the flow is known.
pub(super) fn sparse_error(
    manifest: &Manifest,
    entry: &Entry,
    pulled: &PinnedSteps,
    file: &str,
) -> Option<EntryError> {
    let (step, directories) = pulled.sparse.as_ref()?;
    if pull::has_file(directories, file) {
        return None;
    }
    let directory = file.rsplit_once('/').map_or("", |(directory, _)| directory).to_owned();
    let problem = PullProblem {
        step: Some(*step),
        input: Some("directories".to_owned()),
        error: PullError::LeftOut { file: file.to_owned(), directory },
    };
    Some(reported(manifest, entry, &[&problem]))
}

/// All that is wrong with the steps as one error, at the place of the first.
fn reported(manifest: &Manifest, entry: &Entry, problems: &[&PullProblem]) -> EntryError {
    let mut messages = Vec::new();
    let mut hints: Vec<String> = Vec::new();
    for (number, problem) in problems.iter().enumerate() {
        // Two steps of ours may need the same directory.
        if problems.iter().take(number).any(|other| other == problem) {
            continue;
        }
        let text = problem.error.to_string();
        messages.push(if messages.is_empty() {
            text
        } else {
            let at = manifest.step_place(entry, problem.step, problem.input.as_deref());
            format!("{at}: {text}")
        });
        let new = problem.error.hints().into_iter().filter(|hint| !hints.contains(hint));
        let new: Vec<String> = new.collect();
        hints.extend(new);
    }
    let first = problems.first();
    let code = first.map_or("pull_steps", |problem| problem.error.code());
    let (step, input) = first.map_or((None, None), |one| (one.step, one.input.as_deref()));
    let mut error = manifest.step_error(entry, step, input, code, &messages.join("; "));
    error.hints = hints;
    error
}
