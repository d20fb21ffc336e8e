//! The remote that workers clone from.

use gix::bstr::{BString, ByteSlice};

use super::{GitError, Repository, RepositoryUrl};
use flowreg_model::{RemoteName, escaped_bytes};

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
    /// nothing says which of several is meant, [`GitError::AddressIsNoText`].
    pub fn remote(&self, name: Option<&RemoteName>) -> Result<Option<Remote>, GitError> {
        let mut configured = self.remotes_with_address();
        let wanted = name.map_or("origin", RemoteName::as_str);
        let position = configured.iter().position(|(name, _)| name.as_str() == wanted);
        let names = || configured.iter().map(|(name, _)| name.clone()).collect();
        let position = match (position, name, configured.len()) {
            (Some(position), ..) => position,
            (None, Some(name), _) => {
                return Err(GitError::NoSuchRemote { name: name.clone(), configured: names() });
            }
            (None, None, 0) => return Ok(None),
            (None, None, 1) => 0,
            (None, None, _) => return Err(GitError::SeveralRemotes { configured: names() }),
        };
        let (name, address) = configured.swap_remove(position);
        self.fetched_from(name, address).map(Some)
    }

    /// All remotes that have an address, in the order of the configuration. Those whose address is no
    /// text are left out: nobody can be told of it.
    pub fn remotes(&self) -> Vec<Remote> {
        let configured = self.remotes_with_address().into_iter();
        configured.filter_map(|(name, address)| self.fetched_from(name, address).ok()).collect()
    }

    /// The names of the remotes, with what git fetches from: the first address if there are several.
    fn remotes_with_address(&self) -> Vec<(RemoteName, BString)> {
        let mut remotes: Vec<(RemoteName, BString)> = Vec::new();
        let sections = self.configuration.sections_by_name("remote").into_iter().flatten();
        for section in sections {
            let name = section.header().subsection_name().and_then(|name| name.to_str().ok());
            let Some(name) = name.and_then(|name| name.parse::<RemoteName>().ok()) else {
                continue;
            };
            // Several sections of one remote are one remote.
            if remotes.iter().any(|(known, _)| *known == name) {
                continue;
            }
            let first = self.addresses(name.as_str(), "url").into_iter().next();
            remotes.extend(first.map(|address| (name, address)));
        }
        remotes
    }

    /// The values of `remote.<name>.url` or `pushurl`: an empty one forgets those before it, as in git
    /// 2.46 (<https://git-scm.com/docs/git-config#Documentation/git-config.txt-remotenameurl>).
    pub(super) fn addresses(&self, remote: &str, key: &str) -> Vec<BString> {
        let sections = self.configuration.sections_by_name("remote").into_iter().flatten();
        let of_remote = sections.filter(|section| {
            section.header().subsection_name().is_some_and(|name| name == remote.as_bytes())
        });
        of_remote.flat_map(|section| section.values(key)).fold(Vec::new(), |mut kept, address| {
            if address.is_empty() {
                kept.clear();
            } else {
                kept.push(address);
            }
            kept
        })
    }

    fn fetched_from(&self, name: RemoteName, configured: BString) -> Result<Remote, GitError> {
        // Workers don't have the `insteadOf` rules of this machine, so they get the rewritten URL.
        let address = self.instead_of_rules().apply(&configured).unwrap_or(configured);
        let base = self.workdir().unwrap_or_else(|| self.common_dir());
        match address.to_str() {
            Ok(address) => Ok(Remote {
                name,
                url: RepositoryUrl::new(address, base),
                had_credentials: RepositoryUrl::takes_credentials_from(address),
            }),
            Err(_) => Err(GitError::AddressIsNoText { name, address: escaped_bytes(&address) }),
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
