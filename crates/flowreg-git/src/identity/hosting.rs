//! What the large hosting services have of their own: several names of one host, paths in which case
//! does not count, other paths by ssh (docs/facts/git.md, "One repository, many addresses").
//!
//! Of any other host nothing is assumed: `[repository] aliases` is for what no program can know.

use super::address::{Address, Protocol, ServerAddress, path_of};

/// Services whose paths are the same by https and by ssh, with the other names of their host. Some of
/// these are for ssh on port 443, where a firewall lets nothing else through.
const SERVICES: &[(&str, &[&str])] = &[
    ("github.com", &["www.github.com", "ssh.github.com"]),
    ("gitlab.com", &["altssh.gitlab.com"]),
    ("bitbucket.org", &["altssh.bitbucket.org"]),
];

/// The host that stands for all hosts of Azure DevOps.
const AZURE: &str = "dev.azure.com";
/// The old hosts of Azure DevOps: `ORGANIZATION.visualstudio.com`.
const AZURE_OLD: &str = ".visualstudio.com";
/// The collection that every organization has, and that may be left out.
const DEFAULT_COLLECTION: &str = "DefaultCollection";
/// Parts after `_git` that ask for a kind of clone.
const AZURE_CLONES: &[&str] = &["_full", "_optimized"];

/// The beginning of the hosts of AWS CodeCommit, without and with FIPS.
const CODECOMMIT: &[&str] = &["git-codecommit-fips.", "git-codecommit."];

/// The same address in the one spelling that stands for all of a service.
pub(super) fn canonical(mut address: ServerAddress) -> ServerAddress {
    let service = SERVICES.iter().find(|(name, others)| {
        address.host == *name || others.iter().any(|other| address.host == *other)
    });
    if let Some((name, _)) = service {
        (*name).clone_into(&mut address.host);
        return hosted(address, true);
    }
    if let Some(path) = azure_path(&address) {
        AZURE.clone_into(&mut address.host);
        address.path = path;
        return hosted(address, true);
    }
    let region = CODECOMMIT.iter().find_map(|prefix| address.host.strip_prefix(prefix));
    if let Some(region) = region.filter(|region| region.contains(".amazonaws.com")) {
        address.host = format!("git-codecommit.{region}");
        return hosted(address, false);
    }
    address
}

/// A service has one port for each protocol, and the second host for ssh stands for the first one.
fn hosted(mut address: ServerAddress, ignores_case: bool) -> ServerAddress {
    address.port = None;
    address.is_hosted = true;
    if ignores_case {
        for part in &mut address.path {
            *part = part.to_lowercase();
        }
        // What was `.GIT` before.
        if let Some(name) = address.path.last_mut().filter(|name| name.len() > ".git".len()) {
            *name = name.strip_suffix(".git").unwrap_or(name).to_owned();
        }
    }
    address
}

/// Organization, project and name of a repository on Azure DevOps; `None` if it is none.
fn azure_path(address: &ServerAddress) -> Option<Vec<String>> {
    let path = address.path.as_slice();
    let (first, rest) = path.split_first().map_or(("", path), |(first, rest)| (&**first, rest));
    let is_version = first.len() > 1
        && first
            .strip_prefix(['v', 'V'])
            .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    let (organization, rest) = match address.host.as_str() {
        // `git@ssh.dev.azure.com:v3/organization/project/name`
        "ssh.dev.azure.com" | "vs-ssh.visualstudio.com" if is_version => {
            return <&[String; 3]>::try_from(rest).ok().map(|path| path.to_vec());
        }
        AZURE => (first, rest),
        "vs-ssh.visualstudio.com" => (address.user.as_deref()?, path),
        host => (host.strip_suffix(AZURE_OLD).filter(|name| !name.contains('.'))?, path),
    };
    let is_default = |part: &&String| part.eq_ignore_ascii_case(DEFAULT_COLLECTION);
    let rest = rest.iter().skip_while(is_default);
    let mut before = Vec::new();
    let mut after = rest.skip_while(|part| {
        let is_before = *part != "_git" && *part != "_ssh";
        before.extend(is_before.then(|| (*part).clone()));
        is_before
    });
    after.next()?;
    let name = after.find(|part| !AZURE_CLONES.contains(&part.as_str()))?.clone();
    // The repository that has the name of its project may leave the project out. A team may stand
    // between project and `_git`.
    let project = before.into_iter().next().unwrap_or_else(|| name.clone());
    Some(vec![organization.to_owned(), project, name])
}

/// `codecommit::REGION://profile@name`: how git-remote-codecommit spells
/// `https://git-codecommit.REGION.amazonaws.com/v1/repos/name`
/// (<https://github.com/aws/git-remote-codecommit>). Without a region it depends on the profile, and
/// is no address that could be compared.
pub(super) fn of_codecommit(url: &str) -> Option<Address> {
    let (scheme, rest) = url.split_once("://")?;
    let region = scheme.strip_prefix("codecommit::")?;
    let name = rest.rsplit('@').next().unwrap_or(rest);
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    Some(Address::Server(ServerAddress {
        protocol: Protocol::Web,
        user: None,
        host: format!("git-codecommit.{region}.{domain}"),
        port: None,
        path: path_of(&format!("v1/repos/{name}")),
        is_in_home: false,
        is_hosted: true,
    }))
}
