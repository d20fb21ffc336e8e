//! Flags over `flowreg.toml` over defaults, and the checks that need more than one key.

use std::collections::BTreeMap;
use std::fmt;

use globset::GlobBuilder;
use toml::Spanned;

use super::file::{
    self, ChannelTable, DeployCalls, File, FileError, FlowTable, HooksTable, Introspect,
    RepositoryTable, Unpinned,
};
use super::prefect1_table::Prefect1Table;
use super::tag::{TagSettings, TagTable};
use flowreg_git::{Pin, RepositoryUrl, Untagged};
use flowreg_model::{
    Channel, DeploymentName, NameError, RemoteName, ScheduleRule, TargetKind, secrets,
};

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// A flag of the command line.
    Flag(&'static str),
    /// `flowreg.toml`, as messages call it.
    File(String),
    /// The built-in default.
    Default,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::File(name) => f.write_str(name),
            Self::Default => f.write_str("default"),
        }
    }
}

/// A value and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it came from.
    pub origin: Origin,
}

/// The file at the root of the repository that configures it.
pub(crate) const FILE_NAME: &str = "flowreg.toml";

/// The file that declares deployments, as `prefect deploy` calls it; the one at the root counts unless
/// `[manifest] files` names others.
pub(crate) const MANIFEST_NAME: &str = "prefect.yaml";

/// What the command line says about settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Flags {
    /// `--target`
    pub target: Option<TargetKind>,
    /// `--remote`
    pub remote: Option<RemoteName>,
    /// `--untagged`
    pub untagged: Option<Untagged>,
}

/// How a worker gets at a private repository: the template that names the secret, verbatim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Access {
    /// `access_token: "{{ prefect.blocks.secret.… }}"`
    Token(String),
    /// `credentials: "{{ prefect.blocks.… }}"`
    Credentials(String),
}

/// `[repository]`, resolved.
#[derive(Debug, Clone)]
pub(crate) struct RepositorySettings {
    /// The remote, if one is named.
    pub remote: Option<Sourced<RemoteName>>,
    /// The URL that workers clone from, if it is not the remote's.
    pub url: Option<RepositoryUrl>,
    /// Other URLs of the same repository.
    pub aliases: Vec<String>,
    /// How workers authenticate.
    pub access: Option<Access>,
    /// Globs of mainline branches.
    pub mainline: Vec<String>,
    /// What happens on a mainline branch without a tag.
    pub untagged: Sourced<Untagged>,
    /// What the pull step names.
    pub pin: Pin,
    /// What happens to a deployment whose runs would not use the code at the reference.
    pub unpinned: Unpinned,
    /// Whether workers clone submodules, if the commit has any.
    pub submodules: bool,
}

/// All settings of a run.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    /// The target that was asked for; `None`: Prefect if it is configured, else local.
    pub target: Option<Sourced<TargetKind>>,
    /// `[repository]`
    pub repository: RepositorySettings,
    /// Globs of files that are read; empty: every Python file.
    pub include: Vec<String>,
    /// Globs of files that are left out.
    pub exclude: Vec<String>,
    /// The directories from which Python imports besides the script's own and the root; `None` to find
    /// them in the project's files.
    pub search_path: Option<Vec<String>>,
    /// The interpreter for introspection, as it is written: a path or a command.
    pub python: Option<String>,
    /// Whether Python is asked about flows.
    pub introspect: Introspect,
    /// What becomes of the deployments that Python declares.
    pub deploy_calls: DeployCalls,
    /// Globs of the `prefect.yaml` files that count; `None`: the one at the root.
    pub manifests: Option<Vec<String>>,
    /// `[prefect1]`
    pub prefect1: Prefect1Table,
    /// `[tag]`
    pub tag: TagSettings,
    /// `[hooks]`
    pub hooks: HooksTable,
    mainline: ChannelTable,
    feature: ChannelTable,
    flow: BTreeMap<String, FlowTable>,
}

impl Settings {
    /// Resolves flags over the text of a `flowreg.toml` over the defaults.
    ///
    /// `text` is the file's content and what messages call it; `None` if there is no file.
    ///
    /// # Errors
    /// [`FileError`] for what does not parse, contradicts itself, or holds a secret.
    pub(crate) fn resolve(flags: &Flags, text: Option<(&str, &str)>) -> Result<Self, FileError> {
        if let Some((text, name)) = text {
            tracing::debug!(file = name, bytes = text.len(), "settings");
        } else {
            tracing::debug!("settings: no file, only flags and defaults");
        }
        let (text, name) = text.unwrap_or_default();
        let file = file::read(text, name)?;
        let settings_file = SettingsFile { text, name };
        let File {
            target,
            repository,
            flows,
            manifest,
            prefect1,
            mainline,
            feature,
            tag,
            hooks,
            flow,
        } = file;
        // Checked before any flow is known: a table that belongs to no flow is checked as well, and a
        // mistake shows at the next run and not when the flow comes back.
        for (flow_name, table) in &flow {
            settings_file.check_deployment(flow_name, table)?;
            for schedule in table.schedules.iter().flatten() {
                settings_file.check_schedule(schedule)?;
            }
        }
        let from_file = || Origin::File(name.to_owned());
        Ok(Self {
            target: flags
                .target
                .map(|value| Sourced { value, origin: Origin::Flag("--target") })
                .or_else(|| target.map(|value| Sourced { value, origin: from_file() })),
            repository: settings_file.repository(repository, flags)?,
            include: settings_file.globs(flows.include)?.unwrap_or_default(),
            exclude: settings_file.globs(flows.exclude)?.unwrap_or_default(),
            search_path: settings_file.directories(flows.search_path)?,
            python: flows.python,
            introspect: flows.introspect.unwrap_or_default(),
            deploy_calls: flows.deploy_calls.unwrap_or_default(),
            manifests: settings_file.globs(manifest.files)?,
            prefect1,
            tag: settings_file.tag(tag)?,
            hooks,
            mainline,
            feature,
            flow,
        })
    }

    /// The defaults of a channel.
    pub(crate) fn channel(&self, channel: Channel) -> &ChannelTable {
        match channel {
            Channel::Mainline => &self.mainline,
            Channel::Feature => &self.feature,
        }
    }

    /// Whether a flow may be registered although its runs would not use the code at the reference.
    pub(crate) fn allows_unpinned(&self, flow: &str) -> bool {
        let own = self.flow(flow).and_then(|table| table.unpinned);
        own.unwrap_or(self.repository.unpinned) == Unpinned::Allow
    }

    /// The overrides for one flow.
    pub(crate) fn flow(&self, name: &str) -> Option<&FlowTable> {
        self.flow.get(name)
    }

    /// The flows that have overrides.
    pub(crate) fn flow_names(&self) -> impl Iterator<Item = &str> {
        self.flow.keys().map(String::as_str)
    }
}

/// The text of a `flowreg.toml` and its name in messages, for errors with a position.
struct SettingsFile<'t> {
    text: &'t str,
    name: &'t str,
}

impl SettingsFile<'_> {
    fn error<T>(&self, at: &Spanned<T>, message: &str, hint: &str) -> FileError {
        let mut error = file::error_at(self.text, self.name, at.span().start, message.to_owned());
        error.hint = Some(hint.to_owned());
        error
    }

    fn repository(
        &self,
        table: RepositoryTable,
        flags: &Flags,
    ) -> Result<RepositorySettings, FileError> {
        let origin = || Origin::File(self.name.to_owned());
        let remote = match (&flags.remote, table.remote) {
            (Some(remote), _) => {
                Some(Sourced { value: remote.clone(), origin: Origin::Flag("--remote") })
            }
            (None, Some(remote)) => match remote.get_ref().parse() {
                Ok(value) => Some(Sourced { value, origin: origin() }),
                Err(error) => {
                    let hint = "for example remote = \"origin\"";
                    return Err(self.error(&remote, &NameError::to_string(&error), hint));
                }
            },
            (None, None) => None,
        };
        let untagged = match (flags.untagged, table.untagged) {
            (Some(value), _) => Sourced { value, origin: Origin::Flag("--untagged") },
            (None, Some(word)) => Sourced { value: word, origin: origin() },
            // Production should run a version that has a name, so anything else has to be asked for.
            (None, None) => Sourced { value: Untagged::Refuse, origin: Origin::Default },
        };
        Ok(RepositorySettings {
            remote,
            url: table.url.as_ref().map(|url| self.url(url)).transpose()?,
            aliases: self.aliases(&table.aliases.unwrap_or_default())?,
            access: self.access(table.access_token, table.credentials)?,
            mainline: self
                .globs(table.mainline)?
                .unwrap_or_else(|| vec!["main".to_owned(), "master".to_owned()]),
            untagged,
            pin: table.pin.unwrap_or_default(),
            unpinned: table.unpinned.unwrap_or_default(),
            submodules: table.submodules.unwrap_or(true),
        })
    }

    /// Globs that parse. Where they are used they are compiled, which not every command does.
    fn globs(&self, globs: Option<Vec<Spanned<String>>>) -> Result<Option<Vec<String>>, FileError> {
        // The pre-push hook reads the settings while a push waits, and to compile a glob takes longer
        // than all the rest. Only these characters can be wrong in one.
        let is_simple = |glob: &str| !glob.contains(['[', ']', '{', '}', '\\']);
        for glob in globs.iter().flatten().filter(|glob| !is_simple(glob.get_ref())) {
            if let Err(error) = GlobBuilder::new(glob.get_ref()).literal_separator(true).build() {
                let message = format!("`{}` is not a glob: {}", glob.get_ref(), error.kind());
                return Err(self.error(glob, &message, "for example \"flows/**/*.py\""));
            }
        }
        Ok(globs.map(|globs| globs.into_iter().map(Spanned::into_inner).collect()))
    }

    /// Directories, from the root of the repository.
    fn directories(
        &self,
        paths: Option<Vec<Spanned<String>>>,
    ) -> Result<Option<Vec<String>>, FileError> {
        let Some(paths) = paths else { return Ok(None) };
        let directory = |path: &Spanned<String>| {
            let parts = path.get_ref().split('/').filter(|part| !matches!(*part, "" | "."));
            let is_outside =
                path.get_ref().starts_with('/') || parts.clone().any(|part| part == "..");
            if is_outside {
                let message = format!("`{}` is no directory of the repository", path.get_ref());
                return Err(self.error(path, &message, "for example \"src\""));
            }
            Ok(parts.collect::<Vec<_>>().join("/"))
        };
        paths.iter().map(directory).collect::<Result<_, _>>().map(Some)
    }

    fn tag(&self, table: TagTable) -> Result<TagSettings, FileError> {
        TagSettings::resolve(table).map_err(|problem| {
            let mut error = file::error_at(self.text, self.name, problem.at, problem.message);
            error.hint = Some(problem.hint);
            error
        })
    }

    fn url(&self, url: &Spanned<String>) -> Result<RepositoryUrl, FileError> {
        // `RepositoryUrl` takes credentials out, so a URL that comes back changed has some. A path
        // may come back changed as well, as it is made absolute.
        let stripped = RepositoryUrl::new(url.get_ref(), std::path::Path::new(""));
        let is_path = !url.get_ref().contains([':', '@']);
        if !is_path && stripped.as_str() != url.get_ref().trim() {
            return Err(self.error(
                url,
                "the URL holds a literal token or password",
                "remove it, and name the secret: access_token = \"{{ prefect.blocks.secret.NAME }}\"",
            ));
        }
        Ok(stripped)
    }

    /// The other URLs of the repository, as they are written.
    fn aliases(&self, aliases: &[Spanned<String>]) -> Result<Vec<String>, FileError> {
        let alias = |alias: &Spanned<String>| {
            let text = alias.get_ref().trim();
            // Git's rule: without a colon before the first slash it is a path, and has no credentials.
            let is_url = text.split('/').next().is_some_and(|head| head.contains(':'));
            let is_pattern = text.contains("{{") || text.contains('*');
            if is_pattern || !(is_url || text.starts_with(['/', '.'])) {
                return Err(self.error(
                    alias,
                    "an alias is another URL of this repository",
                    "for example aliases = [\"git@github-work:acme/flows.git\"]",
                ));
            }
            let stripped = RepositoryUrl::new(text, std::path::Path::new("/"));
            if is_url && stripped.as_str() != text {
                return Err(self.error(
                    alias,
                    "an alias is a URL without user name, password and query",
                    "leave them out: they make no difference to which repository it is",
                ));
            }
            Ok(text.to_owned())
        };
        aliases.iter().map(alias).collect()
    }

    fn access(
        &self,
        token: Option<Spanned<String>>,
        credentials: Option<Spanned<String>>,
    ) -> Result<Option<Access>, FileError> {
        if let (Some(_), Some(credentials)) = (&token, &credentials) {
            return Err(self.error(
                credentials,
                "`access_token` and `credentials` exclude each other",
                "keep one of them",
            ));
        }
        // The file is in git, where a secret stays readable for ever, even if it is removed later.
        for value in [&token, &credentials].into_iter().flatten() {
            if !secrets::is_reference(value.get_ref()) {
                return Err(self.error(
                    value,
                    "a literal secret has no place in the configuration",
                    "name a block that holds it: \"{{ prefect.blocks.secret.NAME }}\"",
                ));
            }
        }
        Ok(token
            .map(|token| Access::Token(token.into_inner()))
            .or_else(|| credentials.map(|block| Access::Credentials(block.into_inner()))))
    }

    /// Refuses a deployment name with `@`: in the names of feature registrations `@` separates the
    /// deployment from the branch, and such a name would read as one of them.
    fn check_deployment(&self, flow: &str, table: &FlowTable) -> Result<(), FileError> {
        let Some(deployment) = &table.deployment else { return Ok(()) };
        let problem = match deployment.get_ref().parse::<DeploymentName>() {
            Err(error) => error.to_string(),
            Ok(_) if deployment.get_ref().contains('@') => {
                format!("deployment name of `{flow}` contains `@`, which stands before a branch")
            }
            Ok(_) => return Ok(()),
        };
        Err(self.error(deployment, &problem, "for example deployment = \"nightly\""))
    }

    fn check_schedule(&self, schedule: &Spanned<file::ScheduleTable>) -> Result<(), FileError> {
        let table = schedule.get_ref();
        let rules = [table.cron.is_some(), table.interval.is_some(), table.rrule.is_some()];
        let problem = match rules.iter().filter(|is_set| **is_set).count() {
            0 => Some("a schedule needs one of `cron`, `interval` and `rrule`"),
            1 => None,
            _ => Some("a schedule has only one of `cron`, `interval` and `rrule`"),
        };
        let problem = problem
            .or_else(|| {
                let seconds = table.interval?;
                (seconds <= 0.0 || !seconds.is_finite())
                    .then_some("`interval` is a positive number of seconds")
            })
            .or_else(|| {
                let cron = table.cron.as_deref()?;
                (!ScheduleRule::has_cron_fields(cron))
                    .then_some("`cron` has five fields, or six with seconds")
            })
            .or_else(|| {
                let anchor = table.anchor_date.as_deref()?;
                let is_moment = anchor.parse::<jiff::Timestamp>().is_ok();
                (!is_moment).then_some("`anchor_date` is a moment like 2026-01-01T00:00:00Z")
            });
        match problem {
            Some(problem) => Err(self.error(
                schedule,
                problem,
                "for example { cron = \"0 3 * * *\", timezone = \"Europe/Berlin\" }",
            )),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolve(text: &str) -> Result<Settings, FileError> {
        Settings::resolve(&Flags::default(), Some((text, "flowreg.toml")))
    }

    #[test]
    fn a_literal_token_is_refused_and_not_repeated() {
        for text in [
            "[repository]\naccess_token = \"ghp_s3cret\"\n",
            "[repository]\ncredentials = \"ghp_s3cret\"\n",
            "[repository]\naccess_token = \"{{ prefect.blocks.secret.x }}ghp_s3cret\"\n",
            "[repository]\nurl = \"https://user:ghp_s3cret@example.com/x.git\"\n",
        ] {
            let error = resolve(text).unwrap_err();
            assert!(error.to_string().starts_with("flowreg.toml:2:"), "{error}");
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    #[test]
    fn templates_that_name_a_secret_are_taken_verbatim() {
        let text = "[repository]\naccess_token = \"{{ prefect.blocks.secret.git-token }}\"\n";
        assert_eq!(
            resolve(text).unwrap().repository.access,
            Some(Access::Token("{{ prefect.blocks.secret.git-token }}".to_owned()))
        );
    }

    #[test]
    fn aliases_are_urls_without_credentials() {
        for (alias, line) in [
            ("git@github-work:acme/flows.git", None),
            ("https://mirror.example.com/acme/flows", None),
            ("/srv/git/flows.git", None),
            ("", Some(2)),
            ("../flows", None),
            ("{{ prefect.variables.repository }}", Some(2)),
            ("acme/flows", Some(2)),
            ("mirror.example.com", Some(2)),
            ("https://*/acme/flows", Some(2)),
            ("./flows:x", None),
            ("https://ada@mirror.example.com/acme/flows", Some(2)),
            ("ssh://git:s3cret@mirror.example.com/acme/flows", Some(2)),
        ] {
            let resolved = resolve(&format!("[repository]\naliases = [{alias:?}]\n"));
            match (resolved, line) {
                (Ok(settings), None) => assert_eq!(settings.repository.aliases, [alias]),
                (Err(error), Some(line)) => {
                    assert_eq!((error.line, error.column), (line, 12), "{alias}");
                    assert!(!error.to_string().contains("s3cret"), "{error}");
                }
                (other, _) => panic!("{alias}: {other:?}"),
            }
        }
    }

    #[test]
    fn flags_win_over_the_file_and_say_so() {
        let flags = Flags { target: Some(TargetKind::Local), ..Flags::default() };
        let settings =
            Settings::resolve(&flags, Some(("target = \"prefect\"", "flowreg.toml"))).unwrap();
        assert_eq!(
            settings.target,
            Some(Sourced { value: TargetKind::Local, origin: Origin::Flag("--target") })
        );
    }

    #[test]
    fn schedules_need_exactly_one_rule() {
        for schedule in [
            "{}",
            "{ cron = \"* * * * *\", interval = 1 }",
            "{ interval = 0 }",
            "{ cron = \"* *\" }",
        ] {
            let text = format!("[flow.a]\nschedules = [{schedule}]\n");
            assert!(resolve(&text).is_err(), "{schedule}");
        }
        assert!(resolve("[flow.a]\nschedules = [{ interval = 60 }]\n").is_ok());
    }
}
