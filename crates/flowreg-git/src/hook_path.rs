//! Where git looks for hooks, and which configuration file says so. Also reads and writes single
//! values of git's configuration for who installs hooks.

use std::path::PathBuf;

use super::process::Git;
use super::{GitError, Repository};

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

/// The directory in which git looks for hooks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookPath {
    /// Absolute.
    pub directory: PathBuf,
    /// `core.hooksPath` as it is written, and where; `None` if it is not set.
    pub configured: Option<(String, ConfigScope)>,
}

impl Repository {
    /// Asks git where it looks for hooks.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn hook_path(&self) -> Result<HookPath, GitError> {
        let git = Git::new(self);
        let arguments = ["config", "--show-scope", "--get", "core.hooksPath"];
        let answer = git.run(&arguments, &[])?;
        let text = String::from_utf8_lossy(&answer.stdout).into_owned();
        let configured = text
            .trim_end_matches('\n')
            .split_once('\t')
            .and_then(|(scope, value)| Some((value.to_owned(), ConfigScope::of(scope)?)));
        if matches!(&configured, Some((value, _)) if value.is_empty()) {
            // An empty `core.hooksPath` means that git runs no hooks, and `rev-parse --git-path` fails.
            return Ok(HookPath { directory: PathBuf::from("/dev/null"), configured });
        }
        // Asked of git and not computed: a relative `core.hooksPath` begins at the top of the current
        // work tree, `~` is expanded, and linked work trees share the directory of the common one.
        let arguments = ["rev-parse", "--path-format=absolute", "--git-path", "hooks"];
        let answer = git.run(&arguments, &[])?.check("rev-parse")?;
        let text = String::from_utf8_lossy(&answer);
        let directory = PathBuf::from(text.strip_suffix('\n').unwrap_or(&text));
        Ok(HookPath { directory, configured })
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
