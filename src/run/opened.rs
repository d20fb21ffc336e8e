//! The first stage: the repository is open. From here the settings of any commit can be read.
//!
//! `flowreg.toml` is read from the tree at the reference, and tells how the reference is resolved.
//! So the ladder is climbed twice: once with the defaults and without the network, to find the
//! file, and once as the file says.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

use flowreg_git::tagging::SeriesSet;
use flowreg_git::{
    GitError, ReferenceError, ReferenceRequest, ReferenceRules, Remote, Repository,
    RepositoryIdentity, Resolution, Untagged, resolve,
};
use flowreg_model::{BranchName, CommitId, Environment, Held, RemoteName, TargetKind};
use flowreg_servers::Target;
use flowreg_servers::connection::prefect::{self, PrefectConnection};
use flowreg_servers::connection::prefect1::{self, Prefect1Connection};
use flowreg_servers::prefect::{ConnectOptions, PrefectServer};
use flowreg_servers::prefect1::Prefect1Server;
use tracing::debug;

use super::error::{ConfigurationError, RunError};
use super::observer::ObservedWork;
use super::referenced::{Climbed, Referenced};
use super::request::{Notice, ReferenceChoice, RunRequest};
use super::{JOBS, Observer, PlannedRun, Surroundings};
use crate::registration::is_guest;
use crate::settings::{FILE_NAME, Flags, Introspect, Origin, Settings, Sourced};
use crate::store::{LocalRegistry, Store};

/// How often a `flowreg.toml` may lead to a commit that has another `flowreg.toml` before the last
/// one counts. Two rounds are what happens (the remote has another commit); the third is a limit
/// for files that point at each other.
const MOST_ROUNDS: u32 = 3;

/// The first stage: an open repository.
pub struct Opened<'s> {
    /// What the process gives the run.
    pub surroundings: Surroundings,
    /// The repository.
    pub repository: Arc<Repository>,
    pub(super) observer: &'s dyn Observer,
    /// The `flowreg.toml` of commits that were asked for: what a commit has never changes.
    configurations: RefCell<HashMap<CommitId, Option<String>>>,
}

/// A repository with the settings that hold at one commit, and the target that they choose.
pub struct Configured<'o> {
    pub(super) opened: &'o Opened<'o>,
    pub(crate) settings: Settings,
    /// The target, not yet connected.
    pub target: TargetChoice,
    /// The remote that workers clone from, once it was looked up.
    remote: OnceCell<Option<Remote>>,
    /// Which URLs are of this repository, once it was asked.
    pub(super) identity: OnceCell<RepositoryIdentity>,
}

/// The target that was chosen, not yet connected.
#[derive(Debug)]
pub enum TargetChoice {
    /// The embedded registry.
    Local,
    /// A Prefect server.
    Prefect(Box<PrefectConnection>),
    /// A server of Prefect 1.
    Prefect1(Box<Prefect1Connection>),
}

impl TargetChoice {
    /// Whether workers will clone from the remote, so that the remote must have the reference.
    pub fn needs_remote(&self) -> bool {
        !matches!(self, Self::Local)
    }

    /// Which kind it is.
    pub fn kind(&self) -> TargetKind {
        match self {
            Self::Local => TargetKind::Local,
            Self::Prefect(_) => TargetKind::Prefect,
            Self::Prefect1(_) => TargetKind::Prefect1,
        }
    }
}

impl<'s> Opened<'s> {
    /// Opens the repository that the working directory belongs to.
    ///
    /// # Errors
    /// [`RunError::Git`] if there is no repository, or it can't be opened.
    pub fn discover(
        surroundings: Surroundings,
        observer: &'s dyn Observer,
    ) -> Result<Self, RunError> {
        let repository = Repository::discover(&surroundings.directory, &surroundings.environment)?;
        Ok(Self::with(Arc::new(repository), surroundings, observer))
    }

    /// A run in a repository that is open already.
    pub(crate) fn with(
        repository: Arc<Repository>,
        surroundings: Surroundings,
        observer: &'s dyn Observer,
    ) -> Self {
        Self { surroundings, repository, observer, configurations: RefCell::default() }
    }

    /// Climbs the ladder. That it ends at no reference is a result here, as it can be explained.
    ///
    /// # Errors
    /// [`RunError`] if the repository or the settings can't be read.
    pub fn climb(&self, choice: &ReferenceChoice) -> Result<Climbed<'_>, RunError> {
        // The file is read at the commit that the ladder leads to, and says how the ladder is
        // climbed. So it is climbed first with the defaults and without the network.
        let (first, notices) = self.climb_for_settings(choice);
        // Why it is this file: the only word on that if there is a mistake in it.
        self.tell(&notices);
        let mut file = self.configuration_at(first.as_ref())?;
        let mut rounds = 0;
        loop {
            let configured = self.configured(choice, file.as_deref())?;
            let request = request(&configured.settings, choice, configured.target.kind());
            debug!("climbing the ladder for the code reference");
            let resolution = resolve(&self.repository, &self.surroundings.environment, &request);
            self.tell(&resolution.notices);
            rounds += 1;
            let Ok(reference) = &resolution.reference else {
                return Ok(Climbed { configured, resolution, is_offline: choice.offline });
            };
            // The remote may have the branch at another commit, with another file. Then that file
            // decides: also which target is meant, and whether the remote has to prove that it has
            // the reference. So the ladder is climbed once more as it says.
            // A file that `--config` names is the same at any commit.
            let there = match &self.surroundings.config {
                Some(_) => file.clone(),
                None => self.configuration_at(Some(&reference.commit))?,
            };
            if there == file || rounds == MOST_ROUNDS {
                return Ok(Climbed { configured, resolution, is_offline: choice.offline });
            }
            file = there;
        }
    }

    /// Resolves the code reference.
    ///
    /// # Errors
    /// [`RunError`] if no rung of the ladder leads to a reference, or if the repository or the
    /// settings can't be read.
    pub fn reference(&self, choice: &ReferenceChoice) -> Result<Referenced<'_>, RunError> {
        self.climb(choice)?.referenced()
    }

    /// Goes all the way to the plan.
    ///
    /// # Errors
    /// [`RunError`] for what concerns the run as a whole; what concerns one registration is in
    /// the plan.
    pub fn plan<'r>(&'r self, request: &'r RunRequest) -> Result<PlannedRun<'r>, RunError> {
        let climbed = self.climb(&request.reference)?;
        // A build that forgot its server has to hear of that first: what is said of the reference, as that
        // main has no tag, is nothing that it could mend before.
        climbed.configured.check_target()?;
        climbed.referenced()?.desire(request)?.compare()?.plan()
    }

    /// The settings for work that has no code reference of its own, such as `prune` and `list`:
    /// those at the commit to which the ladder leads.
    ///
    /// # Errors
    /// [`RunError`] if the settings can't be read.
    pub fn configure(&self) -> Result<Configured<'_>, RunError> {
        let choice = ReferenceChoice { offline: true, ..ReferenceChoice::default() };
        self.configure_at(self.climb_for_settings(&choice).0.as_ref())
    }

    /// The settings at a commit.
    ///
    /// # Errors
    /// [`RunError`] if they can't be read.
    pub fn configure_at(&self, commit: Option<&CommitId>) -> Result<Configured<'_>, RunError> {
        self.configure_for(&ReferenceChoice::default(), commit)
    }

    /// The same with what the user says about the reference, such as its remote.
    pub(super) fn configure_for(
        &self,
        choice: &ReferenceChoice,
        commit: Option<&CommitId>,
    ) -> Result<Configured<'_>, RunError> {
        let file = self.configuration_at(commit)?;
        self.configured(choice, file.as_deref())
    }

    /// The settings at a commit for work that only reads its sources. The target is not chosen, as
    /// that fails where nobody configured the Prefect client; only flows of Prefect 1 are found in
    /// another way, so it has to be known whether they are meant.
    pub(super) fn configure_sources(
        &self,
        choice: &ReferenceChoice,
        commit: &CommitId,
    ) -> Result<Configured<'_>, RunError> {
        let settings = self.settings_at(commit, choice)?;
        let is_prefect1 =
            settings.target.as_ref().is_some_and(|target| target.value == TargetKind::Prefect1);
        let target = if is_prefect1 { self.target(&settings)? } else { TargetChoice::Local };
        Ok(self.configured_with(settings, target))
    }

    /// The settings at a commit, where no target is needed. Choosing the target would read the
    /// Prefect client's configuration, and fail if that has an error.
    pub(crate) fn settings_at(
        &self,
        commit: &CommitId,
        choice: &ReferenceChoice,
    ) -> Result<Settings, RunError> {
        let file = self.configuration_at(Some(commit))?;
        self.settings(choice, file.as_deref())
    }

    /// The settings with which a queued push is registered: those at its commit, whatever a command's
    /// line says about references.
    pub(super) fn settings_of_push(&self, commit: Option<&CommitId>) -> Result<Settings, RunError> {
        let choice = ReferenceChoice { offline: true, ..ReferenceChoice::default() };
        let climbed = || self.climb_for_settings(&choice).0;
        let commit = commit.cloned().or_else(climbed);
        self.settings(
            &ReferenceChoice::default(),
            self.configuration_at(commit.as_ref())?.as_deref(),
        )
    }

    pub(super) fn work(&self, what: &'static str, steps: usize) -> ObservedWork<'_> {
        ObservedWork::start(self.observer, &self.surroundings.interrupt, what, steps)
    }

    /// Tells the observer what was noticed about the reference or the tag.
    pub(super) fn tell(&self, notices: &[String]) {
        let notices: Vec<Notice> = notices.iter().cloned().map(Notice::from).collect();
        self.observer.noticed(&notices);
    }

    /// The commit whose `flowreg.toml` counts, and what was noticed on the way; `None` leaves the defaults,
    /// and the error to the second climb.
    fn climb_for_settings(&self, choice: &ReferenceChoice) -> (Option<CommitId>, Vec<String>) {
        let defaults = Settings::resolve(&self.flags(choice), None);
        let Some(defaults) = defaults.ok().filter(|_| self.surroundings.config.is_none()) else {
            return (None, Vec::new());
        };
        // The embedded registry asks no remote, and with `commit` a mainline branch without a tag
        // is not refused: whether it has to be is for the file to say that is looked for here.
        let mut request = request(&defaults, choice, TargetKind::Local);
        request.rules.untagged = Untagged::Commit;
        // Nor does it matter which tag the commit has, and the file says which tags are versions.
        request.rules.series = SeriesSet::Declared(Vec::new());
        let environment = &self.surroundings.environment;
        debug!("climbing the ladder for {FILE_NAME}");
        let Resolution { reference, notices, .. } =
            resolve(&self.repository, environment, &request);
        let climbed = reference.or_else(|_| {
            // A CI job may be asked for a tag that only the remote has. Which remote that is stands
            // in a file, so the one at HEAD is read: without flags and variables the ladder leads
            // there.
            (request.tag, request.branch) = (None, None);
            resolve(&self.repository, &Environment::default(), &request).reference
        });
        let commit = match climbed {
            Ok(reference) => Some(reference.commit),
            // Whichever of its tags is meant, HEAD is at this commit.
            Err(ReferenceError::Undecided { commit, .. }) => Some(commit),
            Err(_) => None,
        };
        (commit, notices)
    }

    fn flags(&self, choice: &ReferenceChoice) -> Flags {
        Flags {
            target: self.surroundings.target,
            remote: choice.remote.clone(),
            untagged: choice.untagged,
        }
    }

    /// The text of the configuration: the file that was asked for, else the one at the commit.
    fn configuration_at(&self, commit: Option<&CommitId>) -> Result<Option<String>, RunError> {
        if let Some(path) = &self.surroundings.config {
            let path = self.surroundings.directory.join(path);
            debug!(path = %path.display(), "read the configuration that --config names");
            return match std::fs::read_to_string(&path) {
                Ok(text) => Ok(Some(text)),
                Err(error) => Err(ConfigurationError::Unreadable { path, error }.into()),
            };
        }
        let Some(commit) = commit else { return Ok(None) };
        if let Some(text) = self.configurations.borrow().get(commit) {
            return Ok(text.clone());
        }
        let bytes = match self.repository.read_at(commit, FILE_NAME) {
            Err(GitError::BrokenLink(link)) => return Err(ConfigurationError::Link(link).into()),
            bytes => bytes?,
        };
        let text = bytes.map(String::from_utf8).transpose();
        let text = text.map_err(|_| ConfigurationError::NotText)?;
        debug!(%commit, exists = text.is_some(), "read {FILE_NAME}");
        self.configurations.borrow_mut().insert(commit.clone(), text.clone());
        Ok(text)
    }

    fn configured(
        &self,
        choice: &ReferenceChoice,
        file: Option<&str>,
    ) -> Result<Configured<'_>, RunError> {
        let settings = self.settings(choice, file)?;
        let target = self.target(&settings)?;
        Ok(self.configured_with(settings, target))
    }

    /// The settings with a target that was chosen before.
    pub(super) fn configured_with(
        &self,
        settings: Settings,
        target: TargetChoice,
    ) -> Configured<'_> {
        debug!(target = target.kind().as_str(), "chose the target");
        let (remote, identity) = (OnceCell::new(), OnceCell::new());
        Configured { opened: self, settings, target, remote, identity }
    }

    fn settings(&self, choice: &ReferenceChoice, file: Option<&str>) -> Result<Settings, RunError> {
        let name = match &self.surroundings.config {
            Some(path) => self.surroundings.directory.join(path).display().to_string(),
            None => FILE_NAME.to_owned(),
        };
        let file = file.map(|text| (text, name.as_str()));
        let mut settings = Settings::resolve(&self.flags(choice), file)?;
        // On a server everybody who may push decides what the code is, and asking Python about it
        // runs it.
        if self.surroundings.is_server {
            settings.introspect = Introspect::Never;
        }
        Ok(settings)
    }

    /// The target that the settings choose.
    pub(super) fn target(&self, settings: &Settings) -> Result<TargetChoice, RunError> {
        choose_target(&self.surroundings, settings)
    }
}

/// The target that the settings choose: Prefect where the client is configured, else the embedded
/// registry. Reads the files of the Prefect client, and asks nobody.
pub(super) fn choose_target(
    surroundings: &Surroundings,
    settings: &Settings,
) -> Result<TargetChoice, RunError> {
    let Surroundings { environment, directory, home, .. } = surroundings;
    let wanted = settings.target.as_ref();
    match wanted.map(|wanted| wanted.value) {
        Some(TargetKind::Local) => return Ok(TargetChoice::Local),
        Some(TargetKind::Prefect1) => {
            let connection = prefect1::connection(environment, directory, home.as_deref())?;
            return Ok(TargetChoice::Prefect1(Box::new(connection)));
        }
        Some(TargetKind::Prefect) | None => {}
    }
    let connection = prefect::connection(environment, directory, home.as_deref())?;
    match (connection, wanted) {
        (Some(connection), _) => Ok(TargetChoice::Prefect(Box::new(connection))),
        // Nobody asked for Prefect and the client is not configured: flowreg is being tried out.
        (None, None) => Ok(TargetChoice::Local),
        // But a server that is asked for must not silently become the local registry: the job
        // would be green, and nothing deployed.
        (None, Some(Sourced { origin, .. })) => {
            Err(ConfigurationError::NoConnection { origin: origin.to_string() }.into())
        }
    }
}

/// What the ladder is asked, as the settings say.
fn request(settings: &Settings, choice: &ReferenceChoice, target: TargetKind) -> ReferenceRequest {
    ReferenceRequest {
        tag: choice.tag.clone(),
        branch: choice.branch.clone(),
        strict: choice.strict,
        rules: rules(settings, target, choice.offline),
    }
}

/// What holds for every reference of a repository.
pub(super) fn rules(settings: &Settings, target: TargetKind, is_offline: bool) -> ReferenceRules {
    ReferenceRules {
        remote: settings.repository.remote.as_ref().map(|remote| remote.value.clone()),
        mainline: settings.repository.mainline.clone(),
        untagged: settings.repository.untagged.value,
        pin: settings.repository.pin,
        series: settings.tag.series.clone(),
        lightweight: target == TargetKind::Prefect1,
        ask_remote: target != TargetKind::Local && !is_offline,
    }
}

/// See [`Configured::check_target`].
pub(super) fn check_target(
    target: &TargetChoice,
    settings: &Settings,
    environment: &Environment,
) -> Result<(), ConfigurationError> {
    let is_default = matches!(target, TargetChoice::Local) && settings.target.is_none();
    match flowreg_git::ci_build(environment).filter(|_| is_default) {
        Some(build) => {
            let is_blank = environment.raw("PREFECT_API_URL").is_some();
            Err(ConfigurationError::NoServerInCi { build, is_blank })
        }
        None => Ok(()),
    }
}

impl Configured<'_> {
    /// Refuses the embedded registry in a CI build where nobody asked for it: the job would be green, its
    /// registry would go with it, and nothing would be deployed.
    ///
    /// # Errors
    /// [`ConfigurationError::NoServerInCi`]
    pub(crate) fn check_target(&self) -> Result<(), ConfigurationError> {
        check_target(&self.target, &self.settings, &self.opened.surroundings.environment)
    }

    /// Opens the target, for at most so many writes at once.
    ///
    /// # Errors
    /// [`RunError::Store`] or [`RunError::Target`] if it can't be used; a server is not asked yet.
    pub fn connect(&self, jobs: Option<usize>) -> Result<Box<dyn Target>, RunError> {
        self.check_target()?;
        let common_dir = self.opened.repository.common_dir();
        Ok(match &self.target {
            TargetChoice::Local => {
                let store = Store::open(common_dir)?;
                Box::new(LocalRegistry::new(store, self.opened.surroundings.now()))
            }
            TargetChoice::Prefect(connection) => {
                // A server on this machine mostly keeps its data in SQLite, which can freeze for a
                // minute under four or more parallel writers (docs/facts/prefect.md, "Busy
                // servers"). Which database it has can't be asked.
                let most = if connection.is_on_this_machine() { 1 } else { JOBS };
                let options = ConnectOptions { jobs: jobs.unwrap_or(most) };
                Box::new(PrefectServer::connect((**connection).clone(), options)?)
            }
            TargetChoice::Prefect1(connection) => {
                // Two registrations of a new flow at the same time would make two live versions of
                // it, so only one flowreg at a time registers from a repository.
                let lock = common_dir.join("flowreg/prefect1.lock");
                Box::new(Prefect1Server::connect(connection, lock)?)
            }
        })
    }

    /// Whether flows are those of Prefect 1.
    pub fn is_prefect1(&self) -> bool {
        self.target.kind() == TargetKind::Prefect1
    }

    /// The remote that workers clone from, as far as the settings name one.
    pub(super) fn remote(&self) -> Result<Option<&Remote>, GitError> {
        if let Some(remote) = self.remote.get() {
            return Ok(remote.as_ref());
        }
        let named = self.settings.repository.remote.as_ref().map(|remote| &remote.value);
        let remote = self.opened.repository.remote(named)?;
        Ok(self.remote.get_or_init(|| remote).as_ref())
    }

    /// Goes on with the remote that a push went to, as if `--remote` had been given: where there are
    /// several remotes and none is configured, only the push can tell which one is meant.
    pub(super) fn take_remote(&mut self, remote: Option<&RemoteName>) {
        let origin = Origin::Flag("--remote");
        self.settings.repository.remote =
            remote.map(|value| Sourced { value: value.clone(), origin });
        (self.remote, self.identity) = (OnceCell::new(), OnceCell::new());
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

    /// Whether a registration of a branch that is gone may be removed. Prefect 3 has flowreg's marks.
    /// On Prefect 1 the marks are derived from the storage, which is the same if somebody has
    /// registered a flow of the branch by hand; so the name has to be one that flowreg gives.
    pub(super) fn may_remove(&self, held: &Held, branch: &BranchName) -> bool {
        self.target.kind() != TargetKind::Prefect1 || is_guest(&self.settings, branch, held)
    }
}
