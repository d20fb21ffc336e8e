//! Decides whether a URL is one of this repository, whatever its spelling.
//!
//! One repository has many URLs: https and ssh, hosts and paths in other case, ports, the second host
//! of a service, aliases of ssh, `insteadOf` rules, mirrors. The table of what is the same, and what
//! not, is in `tests/suite/identity.rs`; its reasons are in docs/facts/git.md, "One repository, many
//! addresses".

mod address;
mod hosting;
mod spelling;
mod ssh;

use std::path::Path;
use std::sync::Arc;

use self::address::{Address, Protocol, ServerAddress};
pub use self::spelling::{LocalRule, LocalSpelling};
pub(crate) use self::ssh::SshHosts;
use super::remote::InsteadOf;
use super::{Repository, RepositoryUrl};

/// What is known of the addresses of one repository.
pub struct RepositoryIdentity {
    own: Vec<Address>,
    machine: Option<Machine>,
}

/// The configuration of this machine by which git finds repositories.
struct Machine {
    instead_of: InsteadOf,
    ssh: Arc<SshHosts>,
}

impl RepositoryIdentity {
    /// The identity of the repository that has these URLs, without the configuration of any machine.
    pub fn of_urls<'u>(urls: impl IntoIterator<Item = &'u str>) -> Self {
        Self { own: urls.into_iter().map(Address::of).collect(), machine: None }
    }

    /// Whether a URL is of this repository, by whatever protocol and in whatever spelling.
    ///
    /// May ask ssh, once in a run for each host, but only if the answer can make a difference.
    pub fn is(&self, url: &str) -> bool {
        let written = Address::of(url);
        let rewritten = self.machine.as_ref().and_then(|machine| machine.rewritten(url));
        let is_own = |address: &Address| self.own.iter().any(|own| own.is_same(address));
        if is_own(&written) || rewritten.as_ref().is_some_and(is_own) {
            return true;
        }
        let address = rewritten.unwrap_or(written);
        self.own.iter().any(|own| self.is_same_by_ssh(own, &address))
    }

    /// What git makes of a URL of this repository here, by configuration that other machines do not
    /// have; `None` if they find the repository by it as well.
    pub fn local_spelling(&self, url: &str) -> Option<LocalSpelling> {
        let machine = self.machine.as_ref()?;
        let written = Address::of(url);
        let rewritten = machine.instead_of.apply(url.trim().as_bytes());
        match rewritten {
            // Many have git use ssh for every URL of a service. Others do without the rule.
            Some(rewritten) if !self.own.iter().any(|own| own.is_same(&written)) => {
                let url = RepositoryUrl::new(&rewritten.to_string(), Path::new("/")).to_string();
                Some(LocalSpelling { url, rule: LocalRule::InsteadOf })
            }
            _ => spelling::by_ssh(&machine.ssh, url),
        }
    }

    /// Whether both are the same once ssh has told what its configuration makes of their hosts.
    fn is_same_by_ssh(&self, one: &Address, other: &Address) -> bool {
        let Some(machine) = &self.machine else { return false };
        let (Address::Server(one), Address::Server(other)) = (one, other) else { return false };
        // Whatever ssh says of the hosts, the name of the repository stays, and two paths on one
        // host stay two.
        let is_one_server =
            (one.protocol, &one.host, one.port) == (other.protocol, &other.host, other.port);
        if is_one_server || !one.name().eq_ignore_ascii_case(other.name()) {
            return false;
        }
        let resolved = |address: &ServerAddress| {
            let can_be_alias = address.protocol == Protocol::Ssh && !address.is_hosted;
            can_be_alias.then(|| machine.ssh.resolved(address)).flatten().map(Address::Server)
        };
        let (one_resolved, other_resolved) = (resolved(one), resolved(other));
        if one_resolved.is_none() && other_resolved.is_none() {
            return false;
        }
        let one = one_resolved.unwrap_or_else(|| Address::Server(one.clone()));
        one.is_same(&other_resolved.unwrap_or_else(|| Address::Server(other.clone())))
    }
}

/// Whether a name of a repository, a URL or owner and name, certainly means another one than the URL. The
/// hosts are not compared: one repository may be named by the host of a mirror, or by an alias of ssh.
pub(crate) fn is_other_path(url: &str, named: &str) -> bool {
    let (Address::Server(own), named) = (Address::of(url), named.trim()) else { return false };
    let named: Vec<String> = match Address::of(named) {
        Address::Server(named) => named.path,
        Address::Other(text) if text.contains('/') && !text.contains("://") => {
            text.trim_end_matches(".git").split('/').map(ToOwned::to_owned).collect()
        }
        Address::Local(_) | Address::Other(_) => return false,
    };
    // Some servers have their repositories below a path of their own: `/scm/`, `/git/`.
    let pairs = own.path.iter().rev().zip(named.iter().rev());
    pairs.into_iter().any(|(own, named)| !own.eq_ignore_ascii_case(named))
}

impl Machine {
    /// The address that git makes of a URL by `insteadOf`.
    fn rewritten(&self, url: &str) -> Option<Address> {
        let url = self.instead_of.apply(url.trim().as_bytes())?;
        Some(Address::of(&url.to_string()))
    }
}

impl Repository {
    /// The identity of the repository that has these URLs, in which the configuration of git and ssh
    /// on this machine counts, too.
    pub fn identity<'u>(&self, urls: impl IntoIterator<Item = &'u str>) -> RepositoryIdentity {
        let machine =
            Machine { instead_of: self.instead_of_rules(), ssh: Arc::clone(self.ssh_hosts()) };
        let mut own = Vec::new();
        for url in urls {
            for address in [Some(Address::of(url)), machine.rewritten(url)].into_iter().flatten() {
                if !own.contains(&address) {
                    own.push(address);
                }
            }
        }
        RepositoryIdentity { own, machine: Some(machine) }
    }

    /// What ssh makes of a URL here, by configuration that other machines do not have; `None` if it
    /// is no URL for ssh, or one that they find as well. Asks ssh about hosts that are no hosting
    /// service.
    pub fn ssh_spelling(&self, url: &str) -> Option<LocalSpelling> {
        spelling::by_ssh(self.ssh_hosts(), url)
    }
}
