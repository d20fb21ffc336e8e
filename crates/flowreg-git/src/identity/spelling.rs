//! URLs that only this machine can make sense of, because of its configuration of git or ssh, and
//! what they stand for.

use std::fmt;

use super::address::{Address, Parts, Protocol};
use super::ssh::SshHosts;

/// What this machine makes of a URL that other machines make something else of, or nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalSpelling {
    /// The URL that other machines need, without credentials.
    pub url: String,
    /// The configuration that makes it of the one that was asked about.
    pub rule: LocalRule,
}

/// Configuration that only this machine has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LocalRule {
    /// A rule of git.
    InsteadOf,
    /// A host of ssh's configuration that no name server can know.
    SshAlias {
        /// The alias.
        host: String,
    },
    /// A host for which ssh's configuration names another one, or a port. Others may reach it all the
    /// same.
    SshConfiguration {
        /// The host as the URL has it.
        host: String,
    },
}

impl fmt::Display for LocalRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InsteadOf => f.write_str("git on this machine has an `insteadOf` rule for it"),
            Self::SshAlias { host } => {
                write!(f, "`{host}` is an alias in the ssh configuration of this machine")
            }
            Self::SshConfiguration { host } => write!(
                f,
                "the ssh configuration of this machine has another name or port for `{host}`"
            ),
        }
    }
}

/// What ssh makes of a URL; `None` if it is no URL for ssh, or if other machines do the same.
pub(super) fn by_ssh(ssh: &SshHosts, url: &str) -> Option<LocalSpelling> {
    let Address::Server(address) = Address::of(url) else { return None };
    if address.protocol != Protocol::Ssh || address.is_hosted {
        return None;
    }
    let destination = ssh.destination(&address)?;
    let is_other_host = !destination.host.eq_ignore_ascii_case(&address.host);
    let is_other_port = address.port.is_none() && destination.unusual_port().is_some();
    if !is_other_host && !is_other_port {
        return None;
    }
    let is_hosted = ssh.resolved(&address)?.is_hosted;
    let (host, to) = (address.host, destination.host.as_str());
    // `github-work` and `github.com-work` are no names that a name server could have. But that ssh has
    // another name for `git.example.com` does not say that others can't reach it.
    let is_alias =
        is_other_host && (!host.contains('.') || is_hosted || host.contains(&to.to_lowercase()));
    let parts = Parts::of(url.trim())?;
    let user = parts.user().or(destination.user.as_deref());
    let user = user.map(|user| format!("{user}@")).unwrap_or_default();
    let path = parts.path.trim_start_matches('/');
    let url = match (address.port.or(destination.unusual_port()), parts.scheme) {
        (Some(port), _) => format!("ssh://{user}{to}:{port}/{path}"),
        // Only in the short form a path begins at the home directory. Hosting services make no
        // difference between the two.
        (None, None) if !is_hosted => format!("{user}{to}:{}", parts.path),
        (None, _) => format!("ssh://{user}{to}/{path}"),
    };
    let rule =
        if is_alias { LocalRule::SshAlias { host } } else { LocalRule::SshConfiguration { host } };
    Some(LocalSpelling { url, rule })
}
