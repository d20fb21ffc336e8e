//! The address of a repository, taken apart so that all spellings of one repository compare as the
//! same. What the hosting services have of their own is in [`super::hosting`].
//!
//! Nothing is asked here, except that local paths are looked up on the disk.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use percent_encoding::percent_decode_str;

use super::hosting;
use crate::RepositoryUrl;
use crate::url::is_local;

/// The port of ssh, unless something else is said.
pub(super) const SSH_PORT: u16 = 22;

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Address {
    /// On a server.
    Server(ServerAddress),
    /// In a directory of this machine; the path is absolute.
    Local(String),
    /// A text that git alone, or nobody, makes sense of, such as a template. It is the same only as
    /// itself.
    Other(String),
}

/// How a server is reached. The port of one protocol says nothing about that of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    /// `https://` and `http://`
    Web,
    /// `ssh://`, its old spellings, and the short form `user@host:path`
    Ssh,
    /// `git://`
    Git,
}

/// A repository on a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ServerAddress {
    pub(super) protocol: Protocol,
    pub(super) user: Option<String>,
    /// In lower case; an IPv6 address without brackets.
    pub(super) host: String,
    /// `None` if none is written; always so for the usual ones of web and git.
    pub(super) port: Option<u16>,
    /// The parts of the path, decoded and without `.git`.
    pub(super) path: Vec<String>,
    /// Whether the path begins at the home directory of the user: `~/`.
    pub(super) is_in_home: bool,
    /// Whether it is one of the hosting services that [`hosting`] knows.
    pub(super) is_hosted: bool,
}

/// The parts of an address on a server, as they are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Parts<'a> {
    /// `None` in the short form of ssh.
    pub(super) scheme: Option<&'a str>,
    /// User, host and port.
    pub(super) authority: &'a str,
    /// Without the slash or colon before it.
    pub(super) path: &'a str,
}

impl Address {
    /// Takes an address apart.
    pub(super) fn of(text: &str) -> Self {
        let text = text.trim();
        if is_local(text) {
            return if text.starts_with('/') {
                Self::local(text)
            } else {
                Self::Other(text.split_whitespace().collect())
            };
        }
        let url = RepositoryUrl::new(text, Path::new("/"));
        let url = url.as_str();
        of_file(url)
            .or_else(|| hosting::of_codecommit(url))
            .or_else(|| ServerAddress::of(url).map(Self::Server))
            .unwrap_or_else(|| Self::Other(url.trim_end_matches('/').to_owned()))
    }

    fn local(path: &str) -> Self {
        Self::Local(RepositoryUrl::new(path, Path::new("/")).to_string())
    }

    /// Whether both are spellings of one repository.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Server(one), Self::Server(other)) => one.is_same(other),
            (Self::Local(one), Self::Local(other)) => is_same_directory(one, other),
            (Self::Other(one), Self::Other(other)) => one == other,
            _ => false,
        }
    }
}

impl<'a> Parts<'a> {
    /// Splits a URL, or the short form of ssh.
    pub(super) fn of(url: &'a str) -> Option<Self> {
        if let Some((scheme, rest)) = url.split_once("://") {
            let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
            return Some(Self { scheme: Some(scheme), authority, path });
        }
        // With brackets the first colon may belong to an IPv6 address or a port: `[host:2222]:path`.
        let (authority, path) = match url.split_once("]:") {
            Some((before, path)) if before.contains('[') && !before.contains('/') => {
                (url.get(..=before.len()).unwrap_or(before), path)
            }
            _ => url.split_once(':')?,
        };
        Some(Self { scheme: None, authority, path })
    }

    /// What stands before the `@`.
    pub(super) fn user(&self) -> Option<&'a str> {
        let (user, _) = self.authority.rsplit_once('@')?;
        Some(user.trim_start_matches('['))
    }

    fn protocol(&self) -> Option<(Protocol, u16)> {
        let Some(scheme) = self.scheme else { return Some((Protocol::Ssh, SSH_PORT)) };
        Some(match scheme.to_ascii_lowercase().as_str() {
            "https" => (Protocol::Web, 443),
            "http" => (Protocol::Web, 80),
            "ssh" | "git+ssh" | "ssh+git" => (Protocol::Ssh, SSH_PORT),
            "git" => (Protocol::Git, 9418),
            _ => return None,
        })
    }

    /// Host and port; the host in lower case.
    fn host(&self) -> Option<(String, Option<u16>)> {
        let host = self.authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match host.trim_start_matches('[').split_once(']') {
            Some((inside, after)) if inside.matches(':').count() != 1 => {
                (inside, after.strip_prefix(':').unwrap_or_default())
            }
            // `[host:port]:path` of the short form.
            Some((inside, _)) => inside.split_once(':').unwrap_or((inside, "")),
            None => host.split_once(':').unwrap_or((host, "")),
        };
        let port = if port.is_empty() { None } else { Some(port.parse().ok()?) };
        // A dot at the end says that the name is complete, which it is anyway.
        let host = host.trim_end_matches('.').to_lowercase();
        let host = host.parse::<Ipv6Addr>().map_or(host, |address| address.to_string());
        (!host.is_empty()).then_some((host, port))
    }
}

impl ServerAddress {
    /// Takes a URL or the short form of ssh apart; `None` if it is neither.
    fn of(url: &str) -> Option<Self> {
        let parts = Parts::of(url)?;
        let (protocol, usual_port) = parts.protocol()?;
        let (host, port) = parts.host()?;
        let mut path = path_of(parts.path);
        // `ssh://host/~/x` and `host:~/x` are `x` in the home directory, and so is `host:x`.
        let is_in_home =
            protocol == Protocol::Ssh && path.first().is_some_and(|first| first == "~");
        if is_in_home {
            path.remove(0);
        }
        Some(hosting::canonical(Self {
            protocol,
            user: parts.user().map(ToOwned::to_owned),
            host,
            // With ssh a port that is written goes before its configuration, also the usual one.
            port: port.filter(|port| protocol == Protocol::Ssh || *port != usual_port),
            path,
            is_in_home,
            is_hosted: false,
        }))
    }

    /// The repository's own name, the last part of the path.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("", String::as_str)
    }

    fn is_same(&self, other: &Self) -> bool {
        let port = |address: &Self| {
            address.port.filter(|port| address.protocol != Protocol::Ssh || *port != SSH_PORT)
        };
        let is_same_port = self.protocol != other.protocol || port(self) == port(other);
        self.host == other.host && is_same_port && self.is_same_path(other)
    }

    fn is_same_path(&self, other: &Self) -> bool {
        if self.path == other.path {
            // Only where both say so: most servers have one user for everybody, or do not tell
            // repositories apart by it, and a path without `~` is mostly no path in a home directory.
            return !(self.is_in_home && other.is_in_home) || self.user == other.user;
        }
        match (self.protocol, other.protocol) {
            (Protocol::Web, Protocol::Ssh) => self.path_by_ssh() == Some(&other.path),
            (Protocol::Ssh, Protocol::Web) => other.path_by_ssh() == Some(&self.path),
            _ => false,
        }
    }

    /// The path that the repository has by ssh, if the server is a Bitbucket Server:
    /// `https://host/scm/project/name` is `ssh://git@host:7999/project/name`.
    fn path_by_ssh(&self) -> Option<&[String]> {
        let scm = self.path.iter().position(|part| part == "scm")?;
        self.path.get(scm + 1..).filter(|rest| rest.len() == 2)
    }
}

/// The parts of a path, decoded and without what does not change where it leads: empty parts, `.`,
/// `..`, and `.git` at the end.
pub(super) fn path_of(written: &str) -> Vec<String> {
    let decoded = percent_decode_str(written).decode_utf8();
    let mut path: Vec<String> = Vec::new();
    for part in decoded.as_deref().unwrap_or(written).split('/') {
        match part {
            "" | "." => {}
            ".." => drop(path.pop()),
            part => path.push(part.to_owned()),
        }
    }
    if let Some(name) = path.pop() {
        let name = name.strip_suffix(".git").unwrap_or(&name);
        path.extend((!name.is_empty()).then(|| name.to_owned()));
    }
    path
}

/// `file:///path` and `file://localhost/path`
fn of_file(url: &str) -> Option<Address> {
    let (scheme, rest) = url.split_once("://")?;
    let path = rest.strip_prefix("localhost").unwrap_or(rest);
    let is_file = scheme.eq_ignore_ascii_case("file") && path.starts_with('/');
    let path = percent_decode_str(path).decode_utf8().ok()?;
    is_file.then(|| Address::local(&path))
}

/// Whether two paths lead to one repository, as git looks for one.
fn is_same_directory(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    match (repository_at(one), repository_at(other)) {
        (Some(one), Some(other)) => one == other,
        // A path of another machine: only its text can be compared.
        _ => without_git(one) == without_git(other),
    }
}

/// The directory of the repository that `git clone` would find at a path, without links.
fn repository_at(path: &str) -> Option<PathBuf> {
    // The order of git (<https://github.com/git/git/blob/v2.47.0/builtin/clone.c>, `get_repo_path_1`).
    let path = path.trim_end_matches('/');
    let candidates = ["/.git", "", ".git/.git", ".git"].map(|end| format!("{path}{end}"));
    let found = candidates.into_iter().find(|candidate| Path::new(candidate).is_dir())?;
    let found = Path::new(&found).canonicalize().ok()?;
    let is_git_directory = found.file_name().is_some_and(|name| name == ".git");
    let parent = found.parent().filter(|_| is_git_directory).map(Path::to_owned);
    Some(parent.unwrap_or(found))
}

fn without_git(path: &str) -> &str {
    let path = path.trim_end_matches('/');
    path.strip_suffix(".git").unwrap_or(path).trim_end_matches('/')
}
