//! The addresses of the repository: which URL workers clone from, which URLs are of this repository
//! whatever their spelling, and which of them other machines can't make sense of.

use flowreg_git::{LocalRule, LocalSpelling, ReferenceError, RepositoryIdentity, RepositoryUrl};
use flowreg_model::TargetKind;
use serde_json::{Map, Value};

use super::desired::Builder;
use super::error::ConfigurationError;
use super::request::Notice;
use super::{Configured, RunError};
use crate::manifest::TemplateValues;

impl Configured<'_> {
    /// The URL that workers clone from; for the embedded registry a repository without a remote
    /// stands for itself.
    ///
    /// # Errors
    /// [`ReferenceError::NoRemote`] if a target needs a remote and there is none.
    pub fn repository_url(&self) -> Result<RepositoryUrl, RunError> {
        if let Some(url) = &self.settings.repository.url {
            return Ok(url.clone());
        }
        match self.remote()? {
            Some(remote) => Ok(remote.url.clone()),
            None if self.target.needs_remote() => Err(ReferenceError::NoRemote.into()),
            None => {
                // All work trees of a repository have the common directory in common, so each of
                // them gives the same URL. A bare repository is that directory itself.
                let common = self.opened.repository.common_dir();
                let directory = common.parent().filter(|_| common.ends_with(".git"));
                let directory = directory.unwrap_or(common);
                Ok(RepositoryUrl::of_path(directory))
            }
        }
    }

    /// Decides which URLs are of this repository: by the URL that workers clone from, the one of the
    /// remote, and `[repository] aliases`.
    ///
    /// # Errors
    /// As [`Configured::repository_url`].
    pub(super) fn identity(&self) -> Result<&RepositoryIdentity, RunError> {
        if let Some(identity) = self.identity.get() {
            return Ok(identity);
        }
        let cloned = self.repository_url()?;
        // With a URL in the settings it is no error that nothing says which of several remotes it is.
        let remote = self.remote().ok().flatten().map(|remote| remote.url.as_str());
        let aliases = self.settings.repository.aliases.iter().map(String::as_str);
        let urls = [cloned.as_str()].into_iter().chain(remote).chain(aliases);
        let identity = self.opened.repository.identity(urls);
        Ok(self.identity.get_or_init(|| identity))
    }

    /// Decides whether what the target holds under a URL was registered from this repository.
    ///
    /// # Errors
    /// As [`Configured::repository_url`].
    pub(super) fn owner(&self) -> Result<impl Fn(&str) -> bool, RunError> {
        let identity = self.identity()?;
        // The embedded registry lies in this repository's git directory, so everything in it is of
        // this repository, even if the remote had another URL when it was registered.
        let is_local = self.target.kind() == TargetKind::Local;
        Ok(move |url: &str| is_local || identity.is(url))
    }

    /// Refuses to register the remote's URL if its host is an alias of ssh: workers do not have the
    /// ssh configuration of this machine. The embedded registry has no workers, so there it is a
    /// notice.
    ///
    /// # Errors
    /// [`ConfigurationError::LocalUrl`], with the URL that the alias stands for.
    pub(super) fn check_remote_url(&self) -> Result<Option<Notice>, RunError> {
        // What the settings say is meant for the workers, and taken as it is.
        if self.settings.repository.url.is_some() {
            return Ok(None);
        }
        let Some(remote) = self.remote()? else { return Ok(None) };
        let spelling = self.opened.repository.ssh_spelling(remote.url.as_str());
        let Some(LocalSpelling { url, rule }) = spelling else { return Ok(None) };
        if matches!(rule, LocalRule::SshAlias { .. }) && self.target.needs_remote() {
            return Err(ConfigurationError::LocalUrl(LocalSpelling { url, rule }).into());
        }
        Ok(Some(Notice::from(format!(
            "{rule}, which workers may not have: then [repository] url = \"{url}\""
        ))))
    }
}

impl Builder<'_> {
    /// Tells of URLs in pull steps that lead to this repository here, and not where workers run.
    pub(super) fn local_urls(&self, steps: &[Value], values: &TemplateValues) -> Vec<Notice> {
        let inputs = steps.iter().filter_map(Value::as_object).flat_map(Map::values);
        let urls = inputs.filter_map(|inputs| inputs.get("repository")?.as_str());
        let urls = urls.map(|url| values.fill(url)).filter(|url| self.identity.is(url));
        let notice = |url: String| {
            let LocalSpelling { url: real, rule } = self.identity.local_spelling(&url)?;
            Some(Notice::from(format!(
                "a pull step clones {url}: {rule}, and workers that have no such thing need {real}"
            )))
        };
        urls.filter_map(notice).collect()
    }
}
