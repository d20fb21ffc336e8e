//! The remote that workers clone from.

use gix::bstr::{BString, ByteSlice};

use super::{GitError, Repository, RepositoryUrl};
use flowreg_model::RemoteName;

/// A configured remote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Its name: `origin`.
    pub name: RemoteName,
    /// What is fetched from, `insteadOf` applied, without credentials.
    pub url: RepositoryUrl,
    /// Whether there were credentials in the address: workers will clone without them.
    pub had_credentials: bool,
}

/// The rules `url.<base>.insteadOf` of git's configuration.
pub(super) struct InsteadOf(Vec<Rule>);

/// What an address begins with, and what comes in its place.
struct Rule {
    prefix: BString,
    base: BString,
}

impl InsteadOf {
    /// The address as git rewrites it: the longest prefix wins
    /// (<https://git-scm.com/docs/git-config#Documentation/git-config.txt-urlltbasegtinsteadOf>).
    /// `None` if no rule applies.
    pub(super) fn apply(&self, address: &[u8]) -> Option<BString> {
        let matching = self.0.iter().filter(|rule| address.starts_with(&rule.prefix));
        let Rule { prefix, base } = matching.max_by_key(|rule| rule.prefix.len())?;
        let rest = address.get(prefix.len()..)?;
        Some([base.as_slice(), rest].concat().into())
    }
}

impl Repository {
    /// The remote with this name; without a name `origin`, else the only one; `None` if there is none.
    ///
    /// # Errors
    /// [`GitError::NoSuchRemote`] if the name is not configured, [`GitError::SeveralRemotes`] if
    /// nothing says which of several is meant.
    pub fn remote(&self, name: Option<&RemoteName>) -> Result<Option<Remote>, GitError> {
        let mut configured = self.remotes();
        let position = match name {
            Some(name) => configured.iter().position(|remote| remote.name == *name),
            None => configured.iter().position(|remote| remote.name.as_str() == "origin"),
        };
        if let Some(position) = position {
            return Ok(Some(configured.swap_remove(position)));
        }
        let names = || configured.iter().map(|remote| remote.name.clone()).collect();
        match (name, configured.len()) {
            (Some(name), _) => {
                Err(GitError::NoSuchRemote { name: name.clone(), configured: names() })
            }
            (None, 0 | 1) => Ok(configured.pop()),
            (None, _) => Err(GitError::SeveralRemotes { configured: names() }),
        }
    }

    /// All remotes that have an address, in the order of the configuration.
    pub fn remotes(&self) -> Vec<Remote> {
        let mut remotes: Vec<Remote> = Vec::new();
        let sections = self.configuration.sections_by_name("remote").into_iter().flatten();
        for section in sections {
            let name = section.header().subsection_name().map(|name| name.to_str_lossy());
            let Some(name) = name.and_then(|name| name.parse::<RemoteName>().ok()) else {
                continue;
            };
            // Git fetches from the first address if there are several; it pushes to all of them.
            let Some(url) = section.values("url").into_iter().find(|url| !url.is_empty()) else {
                continue;
            };
            // Several sections of one remote are one remote: the first address counts.
            if remotes.iter().all(|remote| remote.name != name) {
                remotes.push(self.fetched_from(name, url));
            }
        }
        remotes
    }

    fn fetched_from(&self, name: RemoteName, configured: BString) -> Remote {
        // Workers don't have the `insteadOf` rules of this machine, so they get the rewritten URL.
        let address = self.instead_of_rules().apply(&configured).unwrap_or(configured);
        let address = address.to_str_lossy();
        let base = self.workdir().unwrap_or_else(|| self.common_dir());
        Remote {
            name,
            url: RepositoryUrl::new(&address, base),
            had_credentials: RepositoryUrl::takes_credentials_from(&address),
        }
    }

    /// The rules by which git rewrites addresses.
    pub(super) fn instead_of_rules(&self) -> InsteadOf {
        let sections = self.configuration.sections_by_name("url").into_iter().flatten();
        let rules = sections.filter_map(|section| {
            let base = section.header().subsection_name()?.to_owned();
            Some((base, section.values("insteadOf")))
        });
        let rules = rules.flat_map(|(base, prefixes)| {
            prefixes.into_iter().map(move |prefix| Rule { prefix, base: base.clone() })
        });
        InsteadOf(rules.collect())
    }

    /// The remote from which a partial clone gets the objects that it left out.
    ///
    /// Git of today marks the remote itself (`remote.<name>.promisor`);
    /// `extensions.partialClone` names it in clones that an older git made.
    pub(super) fn promisor(&self) -> Option<String> {
        let configured = self.configuration.string("extensions.partialClone");
        let marked = || {
            let sections = self.configuration.sections_by_name("remote")?;
            let is_promisor = |section: &gix::config::file::SectionRef<'_>| {
                section.value("promisor").is_some_and(|value| value.eq_ignore_ascii_case(b"true"))
            };
            let section = sections.into_iter().find(is_promisor)?;
            section.header().subsection_name().map(ToOwned::to_owned)
        };
        configured.or_else(marked).map(|name| name.to_string())
    }
}
