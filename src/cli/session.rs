//! What every command starts with: repository, settings, code reference, target.
//!
//! `flowreg.toml` is read from the tree at the reference, and tells how the reference is
//! resolved. So the ladder is climbed twice: once with the defaults and without the network, to
//! find the file, and once as the file says.

use std::collections::BTreeSet;

use super::Context;
use super::arguments::ReferenceArguments;
use super::error::CommandError;
use crate::registration::{Pinned, is_guest};
use crate::scan::{Scan, Selection};
use crate::settings::{FILE_NAME, Flags, Introspect, Origin, Settings, Sourced};
use crate::store::LocalRegistry;
use crate::store::{AnalysisCache, Store};
use flowreg_git::{
    Pin, ReferenceError, ReferenceRequest, Repository, RepositoryUrl, Resolution, Untagged, resolve,
};
use flowreg_model::{
    BranchName, Channel, CodeReference, CommitId, Entrypoint, Environment, Explanation, Held,
    ReferenceSource, RemoteName, TargetKind,
};
use flowreg_python::FileAnalysis;
use flowreg_servers::Target;
use flowreg_servers::connection::prefect::{PrefectConnection, connection};
use flowreg_servers::connection::prefect1::{self, Prefect1Connection};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use flowreg_servers::prefect1::Prefect1Server;

/// The most writes at once if nobody says.
pub(super) const JOBS: usize = 8;
/// How often a file may lead to a commit with another file before the last one counts.
const MOST_ROUNDS: u32 = 3;

/// The repository, the settings and the target of a run.
pub(super) struct Session {
    pub repository: Repository,
    pub settings: Settings,
    pub target: TargetChoice,
}

/// The target that was chosen, not yet connected.
#[derive(Debug)]
pub(super) enum TargetChoice {
    /// The embedded registry.
    Local,
    /// A Prefect server.
    Prefect(Box<PrefectConnection>),
    /// A server of Prefect 1.
    Prefect1(Box<Prefect1Connection>),
}

impl TargetChoice {
    /// Whether workers will clone from the remote, so that the remote must have the reference.
    pub(super) fn needs_remote(&self) -> bool {
        !matches!(self, Self::Local)
    }

    /// Which kind it is.
    pub(super) fn kind(&self) -> TargetKind {
        match self {
            Self::Local => TargetKind::Local,
            Self::Prefect(_) => TargetKind::Prefect,
            Self::Prefect1(_) => TargetKind::Prefect1,
        }
    }
}

/// A session whose code reference was resolved, or could not be.
pub(super) struct Resolved {
    pub session: Session,
    pub resolution: Resolution,
}

impl Resolved {
    /// The reference, or the error that ends the command.
    pub(super) fn reference(self) -> Result<(Session, CodeReference, Vec<String>), CommandError> {
        let Resolution { reference, notices, .. } = self.resolution;
        Ok((self.session, reference?, notices))
    }
}

/// Opens the repository and the settings and resolves the code reference.
pub(super) fn open(
    context: &Context,
    arguments: &ReferenceArguments,
) -> Result<Resolved, CommandError> {
    let mut repository = Repository::discover(&context.directory, &context.environment)?;
    let first = climb_for_settings(&repository, context, arguments);
    let mut file = read_file(context, &repository, first.as_ref())?;
    let mut rounds = 0;
    loop {
        let settings = settings(context, arguments, file.as_deref())?;
        let session = Session { target: choose_target(context, &settings)?, repository, settings };
        let resolution = resolve(
            &session.repository,
            &context.environment,
            &request(&session.settings, arguments, session.target.kind()),
        );
        rounds += 1;
        let Ok(reference) = &resolution.reference else {
            return Ok(Resolved { session, resolution });
        };
        // The remote may have led to another commit with another file: then that one decides, also
        // which target is meant and whether the remote has to prove the reference.
        let found = read_file(context, &session.repository, Some(&reference.commit))?;
        if found == file || rounds == MOST_ROUNDS {
            return Ok(Resolved { session, resolution });
        }
        (file, repository) = (found, session.repository);
    }
}

/// Opens the settings for a command that has no code reference of its own.
pub(super) fn open_target(context: &Context) -> Result<Session, CommandError> {
    let repository = Repository::discover(&context.directory, &context.environment)?;
    let arguments = ReferenceArguments { offline: true, ..ReferenceArguments::default() };
    let commit = climb_for_settings(&repository, context, &arguments);
    open_at(context, repository, commit.as_ref())
}

/// The settings, and the target that they choose, as the file at a commit says.
pub(super) fn open_at(
    context: &Context,
    repository: Repository,
    commit: Option<&CommitId>,
) -> Result<Session, CommandError> {
    let (settings, target) = settings_at(context, &repository, commit)?;
    Ok(Session { repository, settings, target })
}

/// The same without taking the repository.
pub(super) fn settings_at(
    context: &Context,
    repository: &Repository,
    commit: Option<&CommitId>,
) -> Result<(Settings, TargetChoice), CommandError> {
    let arguments = ReferenceArguments::default();
    let file = read_file(context, repository, commit)?;
    let settings = settings(context, &arguments, file.as_deref())?;
    let target = choose_target(context, &settings)?;
    Ok((settings, target))
}

/// The settings as the file at a commit says, for who needs no target.
pub(super) fn settings_only(
    context: &Context,
    repository: &Repository,
    commit: &CommitId,
    remote: Option<&RemoteName>,
) -> Result<Settings, CommandError> {
    let arguments = ReferenceArguments { remote: remote.cloned(), ..ReferenceArguments::default() };
    let file = read_file(context, repository, Some(commit))?;
    settings(context, &arguments, file.as_deref())
}

/// The commit whose `flowreg.toml` counts; `None` leaves the defaults, and the error to the
/// second climb.
fn climb_for_settings(
    repository: &Repository,
    context: &Context,
    arguments: &ReferenceArguments,
) -> Option<CommitId> {
    if context.global.config.is_some() {
        return None;
    }
    let defaults = Settings::resolve(&flags(context, arguments), None).ok()?;
    let mut request = request(&defaults, arguments, TargetKind::Local);
    request.untagged = Untagged::Commit;
    let climbed = resolve(repository, &context.environment, &request).reference.or_else(|_| {
        // Perhaps only the remote knows the tag; the file at HEAD says which remote that is.
        (request.tag, request.branch) = (None, None);
        resolve(repository, &Environment::default(), &request).reference
    });
    climbed.ok().map(|reference| reference.commit)
}

fn flags(context: &Context, arguments: &ReferenceArguments) -> Flags {
    Flags {
        target: context.global.target.map(TargetKind::from),
        remote: arguments.remote.clone(),
        untagged: arguments.untagged.map(Untagged::from),
    }
}

fn request(
    settings: &Settings,
    arguments: &ReferenceArguments,
    target: TargetKind,
) -> ReferenceRequest {
    ReferenceRequest {
        tag: arguments.tag.clone(),
        branch: arguments.branch.clone(),
        remote: settings.repository.remote.as_ref().map(|remote| remote.value.clone()),
        strict: arguments.strict,
        mainline: settings.repository.mainline.clone(),
        untagged: settings.repository.untagged.value,
        pin: settings.repository.pin,
        lightweight: target == TargetKind::Prefect1,
        pushed: arguments.pushed.clone(),
        ask_remote: target != TargetKind::Local && !arguments.offline,
    }
}

/// The text of the configuration: the file that was asked for, else the one at the commit.
fn read_file(
    context: &Context,
    repository: &Repository,
    commit: Option<&CommitId>,
) -> Result<Option<String>, CommandError> {
    if let Some(path) = &context.global.config {
        let path = context.directory.join(path);
        return std::fs::read_to_string(&path)
            .map(Some)
            .map_err(|error| CommandError::unreadable(&path, &error));
    }
    let bytes = commit.map(|commit| repository.read_at(commit, FILE_NAME)).transpose()?.flatten();
    bytes
        .map(String::from_utf8)
        .transpose()
        .map_err(|_| CommandError::configuration(format!("{FILE_NAME} is not UTF-8"), Vec::new()))
}

fn settings(
    context: &Context,
    arguments: &ReferenceArguments,
    text: Option<&str>,
) -> Result<Settings, CommandError> {
    let name = match &context.global.config {
        Some(path) => context.directory.join(path).display().to_string(),
        None => FILE_NAME.to_owned(),
    };
    let text = text.map(|text| (text, name.as_str()));
    let mut settings = Settings::resolve(&flags(context, arguments), text)?;
    if context.is_server {
        settings.introspect = Introspect::Never;
    }
    Ok(settings)
}

fn choose_target(context: &Context, settings: &Settings) -> Result<TargetChoice, CommandError> {
    let asked = settings.target.as_ref();
    if asked.is_some_and(|asked| asked.value == TargetKind::Local) {
        return Ok(TargetChoice::Local);
    }
    if asked.is_some_and(|asked| asked.value == TargetKind::Prefect1) {
        let (directory, home) = (&context.directory, context.home.as_deref());
        let connection = prefect1::connection(&context.environment, directory, home)?;
        return Ok(TargetChoice::Prefect1(Box::new(connection)));
    }
    let connection = connection(&context.environment, &context.directory, context.home.as_deref())?;
    match (connection, asked) {
        (Some(connection), _) => Ok(TargetChoice::Prefect(Box::new(connection))),
        (None, None) => Ok(TargetChoice::Local),
        (None, Some(Sourced { origin, .. })) => Err(no_connection(origin)),
    }
}

fn no_connection(origin: &Origin) -> CommandError {
    CommandError::configuration(
        format!("target `prefect` ({origin}) needs the address of a Prefect API"),
        vec![
            "export PREFECT_API_URL=https://…/api, or choose a profile with `prefect profile use`"
                .to_owned(),
        ],
    )
}

impl Session {
    /// Finds the flows in the tree at a commit.
    pub(super) fn scan(&self, reference: &CodeReference) -> Result<Scan, CommandError> {
        let selection = Selection::new(&self.settings.include, &self.settings.exclude)?;
        let tree = self.repository.tree(&reference.commit)?;
        let cache = AnalysisCache::open(self.repository.common_dir(), crate::scan::ANALYSER, "");
        Ok(crate::scan::scan(&tree, &selection, &cache)?)
    }

    /// Finds the flows of some files in a directory of a commit; paths are from there.
    pub(super) fn scan_in(
        &self,
        reference: &CodeReference,
        directory: &str,
        selection: &Selection,
    ) -> Result<Scan, CommandError> {
        let Some(tree) = self.repository.tree(&reference.commit)?.subtree(directory)? else {
            return Ok(Scan::default());
        };
        let common = self.repository.common_dir();
        let cache = AnalysisCache::open(common, crate::scan::ANALYSER, directory);
        Ok(crate::scan::scan(&tree, selection, &cache)?)
    }

    /// What names of modules stand for that are imported from a directory of a commit.
    pub(super) fn import_in(
        &self,
        reference: &CodeReference,
        directory: &str,
        imports: &BTreeSet<(String, String)>,
    ) -> Result<Vec<FileAnalysis>, CommandError> {
        match self.repository.tree(&reference.commit)?.subtree(directory)? {
            Some(tree) => Ok(crate::scan::analyse_imports(&tree, imports)?),
            None => Ok(vec![FileAnalysis::default(); imports.len()]),
        }
    }

    /// How a flow at a commit came about.
    pub(super) fn explain(
        &self,
        reference: &CodeReference,
        entrypoint: &Entrypoint,
    ) -> Result<Option<Explanation>, CommandError> {
        let tree = self.repository.tree(&reference.commit)?;
        Ok(crate::scan::explain(&tree, entrypoint)?)
    }

    /// Whether the work tree's `flowreg.toml` is another than the one at the active branch's
    /// commit, which is what a person forgets most easily.
    pub(super) fn has_other_configuration(
        &self,
        context: &Context,
        reference: &CodeReference,
    ) -> Result<bool, CommandError> {
        let is_active = reference.source == ReferenceSource::ActiveBranch;
        let Some(directory) =
            self.repository.workdir().filter(|_| is_active && context.global.config.is_none())
        else {
            return Ok(false);
        };
        let here = std::fs::read(directory.join(FILE_NAME)).ok();
        Ok(here.is_some() && here != self.repository.read_at(&reference.commit, FILE_NAME)?)
    }

    /// Opens the target, for at most so many writes at once.
    pub(super) fn connect(&self, jobs: Option<usize>) -> Result<Box<dyn Target>, CommandError> {
        Ok(match &self.target {
            TargetChoice::Local => {
                let store = Store::open(self.repository.common_dir())?;
                Box::new(LocalRegistry::new(store, super::now()))
            }
            TargetChoice::Prefect(connection) => {
                // On a laptop it is SQLite most often, which freezes under parallel writers.
                let most = if connection.is_on_this_machine() { 1 } else { JOBS };
                let options = ConnectOptions { jobs: jobs.unwrap_or(most) };
                Box::new(PrefectServer::connect((**connection).clone(), options)?)
            }
            TargetChoice::Prefect1(connection) => {
                let lock = self.repository.common_dir().join("flowreg/prefect1.lock");
                Box::new(Prefect1Server::connect(connection, lock)?)
            }
        })
    }

    /// Whether the configuration names a secret that workers clone with.
    pub(super) fn names_secret(&self) -> bool {
        let table = &self.settings.prefect1;
        match &self.target {
            TargetChoice::Prefect1(_) => {
                table.git_token_secret_name.is_some() || table.git_clone_url_secret_name.is_some()
            }
            _ => self.settings.repository.access.is_some(),
        }
    }

    /// Whether a registration of a branch that is gone may go with it: on Prefect 1 its marks are
    /// derived, and people may have registered what follows the branch, too.
    pub(super) fn may_remove(&self, held: &Held, branch: &BranchName) -> bool {
        self.target.kind() != TargetKind::Prefect1 || is_guest(&self.settings, branch, held)
    }

    /// What workers check out: the design's table of channels, `pin` and `untagged`.
    pub(super) fn pinned(&self, reference: &CodeReference) -> Pinned {
        let settings = &self.settings.repository;
        match (reference.channel, reference.tag()) {
            (Channel::Mainline, Some(_)) if settings.pin == Pin::Commit => Pinned::Commit,
            (Channel::Mainline, Some(_)) => Pinned::Tag,
            (Channel::Mainline, None) if settings.untagged.value == Untagged::Commit => {
                Pinned::Commit
            }
            _ => Pinned::Branch,
        }
    }

    /// The URL that workers clone from; for the embedded registry a repository without a remote
    /// stands for itself.
    pub(super) fn repository_url(&self) -> Result<RepositoryUrl, CommandError> {
        if let Some(url) = &self.settings.repository.url {
            return Ok(url.clone());
        }
        let name = self.settings.repository.remote.as_ref().map(|remote| &remote.value);
        match self.repository.remote(name)? {
            Some(remote) => Ok(remote.url),
            None if self.target.needs_remote() => Err(ReferenceError::NoRemote.into()),
            None => {
                let common = self.repository.common_dir();
                let directory = common.parent().filter(|_| common.ends_with(".git"));
                let directory = directory.unwrap_or(common);
                Ok(RepositoryUrl::new(&directory.display().to_string(), directory))
            }
        }
    }
}
