//! One run of a hook: the refs that git lists become records of the outbox, and a watcher is started.
//!
//! The push waits for this, so only what is needed is opened: the repository and the `flowreg.toml`
//! of the pushed commit. No target, no network, no git process. Whether a push is refused is not
//! decided here.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::log::{DecisionLog, tell_of_not_text};
use super::outdone::outdone;
use super::process::{GitProcess, detach};
use super::queue::{PushContext, PushedRef, queued};
use super::queued::{QueuedPush, QueuedTarget};
use super::without_series::reason_without_series;
use crate::settings::{FILE_NAME, Flags, Settings};
use crate::store::Outbox;
use flowreg_git::tagging::{SeriesSet, SeveralSeries};
use flowreg_git::{GitDirectories, Repository, binds_to_repository, git_directories, is_mainline};
use flowreg_model::{BranchName, CommitId, Environment, TagName, TargetKind};

/// A push that has waited longer than this is mentioned at the next push.
const OLD: Duration = Duration::from_hours(1);

/// The repository and environment that a hook runs in.
pub(crate) struct HookRun<'a> {
    environment: &'a Environment,
    directory: &'a Path,
    say: &'a dyn Fn(&str),
    /// `None` if it can't be opened, for instance a broken configuration: pushes are queued even so.
    repository: Option<Arc<Repository>>,
    directories: GitDirectories,
}

/// One ref of a push, with the settings of its commit.
pub(crate) struct PushCandidate {
    line: PushedRef,
    commit: Option<CommitId>,
    settings: Option<Rc<Settings>>,
}

/// How much of a push was queued.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct QueuedCount {
    /// Branches and tags.
    pub refs: usize,
    /// Branches that go.
    pub deletions: usize,
}

impl QueuedCount {
    /// Whether nothing was.
    pub(crate) fn is_empty(self) -> bool {
        self.refs + self.deletions == 0
    }

    /// What becomes of it, for people.
    fn text(self, remote: &str) -> String {
        let refs = match self.refs {
            0 => None,
            1 => Some(format!("1 ref will be registered once {remote} has it")),
            refs => Some(format!("{refs} refs will be registered once {remote} has them")),
        };
        let deletions = match self.deletions {
            0 => None,
            1 => Some("1 deleted branch: flowreg sync removes its registrations".to_owned()),
            deletions => Some(format!(
                "{deletions} deleted branches: flowreg sync removes their registrations"
            )),
        };
        refs.into_iter().chain(deletions).collect::<Vec<_>>().join("; ")
    }
}

impl PushCandidate {
    /// Whether the commit asks for a check before it is pushed.
    pub(crate) fn asks_for_check(&self) -> bool {
        let blocking = self.settings.as_ref().and_then(|settings| settings.hooks.blocking);
        self.line.is_registrable() && self.line.object.is_some() && blocking == Some(true)
    }

    /// The ref, as git listed it.
    pub(crate) fn line(&self) -> &PushedRef {
        &self.line
    }
}

impl<'a> HookRun<'a> {
    /// Opens the repository of the hook; `None` outside a repository, and where
    /// `git config flowreg.enabled` is false.
    pub(crate) fn new(
        environment: &'a Environment,
        directory: &'a Path,
        say: &'a dyn Fn(&str),
    ) -> Option<Self> {
        let repository = Repository::discover(directory, environment).ok().map(Arc::new);
        if repository.as_ref().and_then(|one| one.switch("flowreg.enabled")) == Some(false) {
            return None;
        }
        let directories = match &repository {
            Some(repository) => GitDirectories {
                git_dir: repository.git_dir().to_owned(),
                common_dir: repository.common_dir().to_owned(),
            },
            None => git_directories(directory, environment)?,
        };
        Some(Self { environment, directory, say, repository, directories })
    }

    /// The repository, if it can be opened.
    pub(crate) fn repository(&self) -> Option<&Arc<Repository>> {
        self.repository.as_ref()
    }

    /// The directory that all work trees share.
    pub(crate) fn common_dir(&self) -> &Path {
        &self.directories.common_dir
    }

    /// Reads the settings of each pushed commit.
    pub(crate) fn candidates(&self, lines: Vec<PushedRef>) -> Vec<PushCandidate> {
        // `git push --all` lists many branches, and neighbours often point to one commit: it and its
        // `flowreg.toml` are read once.
        let mut last: Option<(CommitId, Option<Rc<Settings>>)> = None;
        let mut peeled: Option<(CommitId, Option<CommitId>)> = None;
        let mut look = |line: PushedRef| {
            // Of a deletion only the commit that the branch had is known.
            let object = line.object.as_ref().or(line.before.as_ref());
            let known = line.is_registrable().then_some(self.repository.as_ref()).flatten();
            let commit = known.zip(object).and_then(|(here, object)| match &peeled {
                Some((same, commit)) if same == object => commit.clone(),
                _ => {
                    let commit = here.peeled(object);
                    peeled = Some((object.clone(), commit.clone()));
                    commit
                }
            });
            let settings = match (&commit, &last) {
                (Some(commit), Some((same, settings))) if commit == same => settings.clone(),
                (Some(commit), _) => {
                    let settings = self.settings_at(commit).map(Rc::new);
                    last = Some((commit.clone(), settings.clone()));
                    settings
                }
                (None, _) => None,
            };
            PushCandidate { line, commit, settings }
        };
        lines.into_iter().map(&mut look).collect()
    }

    /// The settings of a commit; `None` if there is an error in them. The delivery reports the error;
    /// a hook has nobody who would read it.
    fn settings_at(&self, commit: &CommitId) -> Option<Settings> {
        let text = self.repository.as_ref()?.read_at(commit, FILE_NAME).ok()?;
        let is_there = text.is_some();
        tracing::debug!(file = FILE_NAME, commit = commit.short(), is_there, "hook settings");
        let text = text.map(String::from_utf8).transpose().ok()?;
        let text = text.as_deref().map(|text| (text, FILE_NAME));
        Settings::resolve(&Flags::default(), text).ok()
    }

    /// Writes the records to disk and returns how many there are. Refs that are not registered are
    /// left out, with the reason printed if `is_verbose` or `git config flowreg.verbose` says so.
    ///
    /// `target_of` tells where settings lead. That is written down as well: whoever delivers may run
    /// when another profile is active.
    pub(crate) fn queue(
        &self,
        candidates: Vec<PushCandidate>,
        context: &PushContext<'_>,
        target_of: &dyn Fn(&Settings) -> Option<QueuedTarget>,
        is_verbose: &dyn Fn() -> bool,
    ) -> QueuedCount {
        let mut records = Vec::new();
        // The files of the Prefect client are read once for all commits that name the same target.
        let mut known: Vec<(Option<TargetKind>, Option<QueuedTarget>)> = Vec::new();
        let mut target = |settings: &Settings| {
            let named = settings.target.as_ref().map(|target| target.value);
            if let Some((_, target)) = known.iter().find(|(one, _)| *one == named) {
                return target.clone();
            }
            let target = target_of(settings);
            known.push((named, target.clone()));
            target
        };
        let series = candidates.iter().rev().find_map(|one| one.settings.as_ref());
        let series = series.map(|settings| settings.tag.series.clone());
        for candidate in candidates {
            match self.record(candidate, context, &mut target) {
                Ok(push) => records.push(push),
                Err(why) if self.is_verbose() || is_verbose() => self.say(&why),
                Err(_) => {}
            }
        }
        if records.is_empty() {
            return QueuedCount::default();
        }
        match self.outbox().put(&records) {
            Ok(ids) => {
                for (id, push) in ids.iter().zip(&records) {
                    tracing::debug!(id, push = push.label(), "queued");
                }
                let deletions = records.iter().filter(|push| push.is_deletion()).count();
                let refs = ids.len() - deletions - outdone_among(&records, series.as_ref());
                QueuedCount { refs, deletions }
            }
            Err(error) => {
                self.say(&format!("nothing is queued: {error}; after the push: flowreg register"));
                QueuedCount::default()
            }
        }
    }

    /// Leaves out the tags that are versions of no series, as far as the tags here tell, and writes down why.
    /// Returns it as well, in one line: whoever pushes a tag expects that it is registered.
    pub(crate) fn without_tags_of_no_series(
        &self,
        candidates: Vec<PushCandidate>,
    ) -> (Vec<PushCandidate>, Option<String>) {
        let mut known: Option<(SeriesSet, Result<Vec<String>, SeveralSeries>)> = None;
        let mut reason = |candidate: &PushCandidate| {
            let tag = candidate.line.reference.strip_prefix("refs/tags/")?.parse().ok()?;
            candidate.line.object.as_ref()?;
            let set = &candidate.settings.as_ref()?.tag.series;
            let prefixes = match known.take().filter(|(one, _)| one == set) {
                Some((_, prefixes)) => prefixes,
                // If they can't be read, the delivery says so.
                None => set.prefixes(&self.repository.as_ref()?.tag_names().ok()?),
            };
            let why = reason_without_series(set, &tag, &prefixes);
            known = Some((set.clone(), prefixes));
            why
        };
        let (mut left, mut reasons) = (Vec::new(), Vec::new());
        for candidate in candidates {
            match reason(&candidate) {
                Some(why) => {
                    let PushedRef { reference, object, .. } = &candidate.line;
                    let commit = object.as_ref().map_or("", CommitId::short);
                    reasons.push((format!("{reference} {commit}"), why));
                }
                None => left.push(candidate),
            }
        }
        let outbox = self.outbox();
        if !reasons.is_empty() {
            // Nothing may have been queued here before. A log that can't be written stops no push.
            let _ = std::fs::create_dir_all(outbox.directory());
        }
        let log = DecisionLog::of(&outbox);
        for (label, why) in &reasons {
            log.write(label, &format!("not registered: {why}"));
        }
        let text = reasons.split_first().map(|((_, first), others)| match others.len() {
            0 => format!("not registered: {first}"),
            more => format!("not registered: {first}; and {more} more: flowreg sync --status"),
        });
        (left, text)
    }

    /// Prints one line about tags that are not registered, unless `git config flowreg.quiet` is set.
    pub(crate) fn report_left_out(&self, text: &str) {
        if !self.is_set("flowreg.quiet") {
            self.say(text);
        }
    }

    /// Writes down, and prints, which branches and tags are not registered as their names are no text.
    pub(crate) fn report_not_text(&self, names: &[String], context: &PushContext<'_>) {
        let is_quiet =
            self.is_set("flowreg.quiet") || context.git.is_some_and(GitProcess::is_quiet);
        for line in tell_of_not_text(names, &self.outbox()) {
            if !is_quiet && self.is_last_address(context) {
                self.say(&line);
            }
        }
    }

    /// Whether git pushes to no further address of the remote after this one.
    fn is_last_address(&self, context: &PushContext<'_>) -> bool {
        let Some(repository) = &self.repository else { return true };
        repository.pushed_to(context.remote).last().is_none_or(|last| *last == context.url)
    }

    /// Prints one line about what was queued, unless `git config flowreg.quiet` is set. Of several
    /// addresses to which git pushes one after the other, only at the last one.
    pub(crate) fn report_queued(&self, queued: QueuedCount, context: &PushContext<'_>) {
        if self.repository.is_some()
            && !self.is_set("flowreg.quiet")
            && self.is_last_address(context)
        {
            self.say(&queued.text(context.shown_remote()));
        }
    }

    fn is_verbose(&self) -> bool {
        self.is_set("flowreg.verbose")
    }

    fn is_set(&self, switch: &str) -> bool {
        self.repository.as_ref().and_then(|one| one.switch(switch)) == Some(true)
    }

    /// The record of a ref, or why it is not queued.
    fn record(
        &self,
        candidate: PushCandidate,
        context: &PushContext<'_>,
        target_of: &mut dyn FnMut(&Settings) -> Option<QueuedTarget>,
    ) -> Result<QueuedPush, String> {
        let PushCandidate { line, commit, settings } = candidate;
        if !line.is_registrable() {
            return Err(format!(
                "{} is not registered: it is neither a branch nor a tag",
                line.reference
            ));
        }
        let branch = line.reference.strip_prefix("refs/heads/").map(str::parse::<BranchName>);
        if let (Some(Ok(branch)), Some(settings)) = (branch, &settings)
            && is_mainline(&settings.repository.mainline, &branch).unwrap_or(false)
        {
            return Err(format!("{branch} is a mainline branch: push a tag to register it"));
        }
        let commit = commit.filter(|_| line.object.is_some());
        let target = settings.and_then(|settings| target_of(&settings));
        Ok(queued(line, context, self.repository.as_deref(), commit, target))
    }

    /// Prints one line if a push has been waiting for more than an hour.
    pub(crate) fn report_old_records(&self) {
        let old = self.outbox().ids().iter().filter(|id| Outbox::age(id) > OLD).count();
        if old > 0 {
            self.say(&format!("{old} queued for more than an hour: flowreg sync --status"));
        }
    }

    fn outbox(&self) -> Outbox {
        Outbox::of(&self.directories.common_dir)
    }

    /// Starts `program` as the watcher of this repository: detached, once `git` has ended.
    pub(crate) fn start_watcher(&self, program: &Path, git: Option<GitProcess>) {
        // git's variables bind a process to one repository, possibly by relative paths. The watcher
        // changes its directory, so it gets the two that matter as absolute paths and no others.
        let work_tree =
            self.environment.path("GIT_WORK_TREE").map(|path| self.directory.join(path));
        let mut variables: Vec<(&str, &Path)> = vec![("GIT_DIR", &self.directories.git_dir)];
        variables.extend(work_tree.iter().map(|path| ("GIT_WORK_TREE", path.as_path())));
        let mut arguments: Vec<OsString> =
            vec!["-C".into(), self.directory.into(), "hook".into(), "watch".into()];
        if let Some(git) = git {
            arguments.extend(["--after".into(), git.to_string().into()]);
        }
        // A linked work tree may be gone when the push has ended.
        arguments.extend(["--common-dir".into(), self.directories.common_dir.clone().into()]);
        let names = self.environment.all().filter_map(|(name, _)| name.to_str().map(str::to_owned));
        if let Err(error) = detach(program, &arguments, &variables, binds_to_repository, names) {
            self.say(&format!(
                "queued, but the watcher did not start ({error}); after the push: flowreg sync"
            ));
        }
    }

    fn say(&self, text: &str) {
        (self.say)(text);
    }
}

/// How many of the tags will not be registered, as a higher one of their series is pushed as well.
fn outdone_among(records: &[QueuedPush], series: Option<&SeriesSet>) -> usize {
    let tags = records.iter().filter(|push| push.kind() == "tag");
    let tags: Vec<TagName> = tags.filter_map(|push| push.short_name().parse().ok()).collect();
    let Some(series) = series.filter(|_| tags.len() > 1) else { return 0 };
    outdone(series, &tags.iter().collect::<Vec<_>>()).iter().flatten().count()
}

/// The path of `flowreg` or `flowreg-hook` in the directory of the running program, if it is there.
pub(crate) fn program_beside(name: &str) -> Option<PathBuf> {
    let beside = std::env::current_exe().ok()?.with_file_name(OsStr::new(name));
    super::recognition::is_executable(&beside).then_some(beside)
}
