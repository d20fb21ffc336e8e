//! Where git looks for hooks, and which configuration file says so. Also reads and writes single
//! values of git's configuration for who installs hooks.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use super::process::Git;
use super::{GitError, Repository};
use flowreg_model::quoted_path;

/// Which configuration file a value is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigScope {
    /// `/etc/gitconfig`: all repositories of the machine.
    System,
    /// `~/.gitconfig`: all repositories of the user.
    Global,
    /// The repository's own file.
    Local,
    /// The file of one work tree (`extensions.worktreeConfig`).
    Worktree,
    /// `git -c`, or `GIT_CONFIG_COUNT`.
    Command,
}

impl ConfigScope {
    /// The word that git and JSON use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Global => "global",
            Self::Local => "local",
            Self::Worktree => "worktree",
            Self::Command => "command",
        }
    }

    /// Whether other repositories read the same value.
    pub fn is_shared(self) -> bool {
        matches!(self, Self::System | Self::Global | Self::Command)
    }

    fn of(word: &str) -> Option<Self> {
        [Self::System, Self::Global, Self::Local, Self::Worktree, Self::Command]
            .into_iter()
            .find(|scope| scope.as_str() == word)
    }
}

/// A value of git's configuration, and where it is set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfiguredValue {
    /// As it is written.
    pub value: String,
    /// Which configuration.
    pub scope: ConfigScope,
    /// The file, if that configuration includes it: `git config --unset` does not look into it.
    pub included: Option<PathBuf>,
}

impl ConfiguredValue {
    /// Where it is set, for people.
    pub fn place(&self) -> String {
        let scope = self.scope.as_str();
        match &self.included {
            Some(file) => format!("{scope}, in {}", file.display()),
            None => scope.to_owned(),
        }
    }

    /// The command that removes it.
    pub fn unset(&self, key: &str) -> String {
        match (&self.included, self.scope) {
            (Some(file), _) => format!("git config --file {} --unset {key}", quoted_path(file)),
            (None, ConfigScope::Local) => format!("git config --unset {key}"),
            (None, ConfigScope::Command) => {
                format!("leave out `-c {key}`, or unset GIT_CONFIG_COUNT")
            }
            (None, scope) => format!("git config --{} --unset {key}", scope.as_str()),
        }
    }
}

/// The directory in which git looks for hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookPath {
    /// Absolute.
    pub directory: PathBuf,
    /// `core.hooksPath`; `None` if it is not set.
    pub configured: Option<ConfiguredValue>,
}

impl HookPath {
    /// Whether the configuration switches the files of hooks off: a `core.hooksPath` in which there
    /// can be none.
    pub fn is_off(&self) -> bool {
        let written = self.configured.as_ref().map(|configured| configured.value.as_str());
        matches!(written, Some("" | "." | "/dev/null"))
    }
}

impl Repository {
    /// A value of the configuration and where it is set, as git tells it; `None` if it is not set.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn configured_in(&self, key: &str) -> Result<Option<ConfiguredValue>, GitError> {
        let git = Git::new(self);
        let told = |options: &[&str]| -> Result<Option<Vec<String>>, GitError> {
            let arguments =
                [&["config", "-z", "--show-scope", "--show-origin"], options, &["--get", key]];
            let answer = git.run(&arguments.concat(), &[])?;
            let text = String::from_utf8_lossy(&answer.stdout).into_owned();
            Ok(answer.is_success.then(|| text.split('\0').map(ToOwned::to_owned).collect()))
        };
        let found = told(&[])?;
        let Some([word, origin, value, ..]) = found.as_deref() else { return Ok(None) };
        let Some(scope) = ConfigScope::of(word) else { return Ok(None) };
        // The scope of an included file is that of the file which includes it.
        let own = match scope {
            ConfigScope::Command => None,
            _ => told(&[&format!("--{word}"), "--no-includes"])?,
        };
        let is_own = own.is_some_and(|own| own.get(1) == Some(origin));
        let file = origin.strip_prefix("file:").filter(|_| !is_own);
        let included = file.map(|file| git.directory().join(file));
        Ok(Some(ConfiguredValue { value: value.clone(), scope, included }))
    }

    /// Asks git where it looks for hooks.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn hook_path(&self) -> Result<HookPath, GitError> {
        let git = Git::new(self);
        let configured = self.configured_in("core.hooksPath")?;
        if configured.as_ref().is_some_and(|configured| configured.value.is_empty()) {
            // An empty `core.hooksPath` means that git runs no hooks, and `rev-parse --git-path` fails.
            return Ok(HookPath { directory: PathBuf::from("/dev/null"), configured });
        }
        // Asked of git and not computed: a relative `core.hooksPath` begins at the top of the current
        // work tree, `~` is expanded, and linked work trees share the directory of the common one.
        let arguments = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"];
        let answer = git.run(&arguments, &[])?.check("rev-parse")?;
        let directory =
            PathBuf::from(OsStr::from_bytes(answer.strip_suffix(b"\n").unwrap_or(&answer)));
        Ok(HookPath { directory, configured })
    }

    /// Whether the repository tracks a file below a directory, links followed.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn tracks(&self, directory: &Path) -> Result<bool, GitError> {
        let real = |path: &Path| path.canonicalize().ok();
        let (top, directory) = (self.workdir().and_then(real), real(directory));
        let below = directory.zip(top);
        let Some(below) =
            below.and_then(|(path, top)| Some(path.strip_prefix(top).ok()?.to_owned()))
        else {
            return Ok(false);
        };
        // All names and no pathspec: a directory's name need not be text.
        let names = Git::new(self).run(&["ls-files", "-z"], &[])?.check("ls-files")?;
        let mut names =
            names.split(|byte| *byte == 0).map(|name| Path::new(OsStr::from_bytes(name)));
        Ok(names.any(|name| !name.as_os_str().is_empty() && name.starts_with(&below)))
    }

    /// The directory that git uses when nothing else is configured.
    pub fn default_hooks(&self) -> PathBuf {
        self.common_dir.join("hooks")
    }

    /// The version of the git on `PATH`: `(2, 54)`.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn git_version(&self) -> Result<(u32, u32), GitError> {
        let answer = Git::new(self).run(&["version"], &[])?.check("version")?;
        let text = String::from_utf8_lossy(&answer);
        // `git version 2.39.5 (Apple Git-154)` and `2.54.0.rc1` have to be read as well.
        let mut numbers = text
            .trim_start_matches("git version ")
            .split('.')
            .map_while(|part| part.split(|char: char| !char.is_ascii_digit()).next()?.parse().ok());
        Ok((numbers.next().unwrap_or(0), numbers.next().unwrap_or(0)))
    }

    /// A value of the configuration, wherever it is set.
    pub fn configured(&self, key: &str) -> Option<String> {
        self.configuration.string(key).map(|value| value.to_string())
    }

    /// Writes a value into the repository's own configuration.
    ///
    /// # Errors
    /// If git can't be run or can't write the file.
    pub fn configure(&self, key: &str, value: &str) -> Result<(), GitError> {
        let arguments = ["config", "--local", "--replace-all", key, value];
        Git::new(self).run(&arguments, &[])?.check("config").map(|_| ())
    }

    /// Removes a section of the repository's own configuration; `false` if there is none.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn remove_section(&self, section: &str) -> Result<bool, GitError> {
        let arguments = ["config", "--local", "--remove-section", section];
        Ok(Git::new(self).run(&arguments, &[])?.is_success)
    }
}
