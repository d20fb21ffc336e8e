//! The address of a repository as workers get it: complete, and without credentials. Also takes
//! credentials out of texts that are shown or logged.
//!
//! Addresses are not parsed as URLs, because people write what no URL may contain: a password with
//! `/`, `?` or `@` in it that is not escaped. Where it is not clear, too much is taken away.

use std::fmt;
use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, CONTROLS, percent_encode};
use serde::Serialize;

/// Schemes whose user name is a credential as well: a token is often the user.
const TOKEN_SCHEMES: &[&str] = &["http", "https", "ftp", "ftps"];

/// What means something in a URL, apart from the slashes of a path.
const IN_PATHS: &AsciiSet = &CONTROLS.add(b' ').add(b'%').add(b'?').add(b'#');

/// A repository's address without credentials.
///
/// `https://user:token@host/path?token=…` loses everything but host and path, `ssh://user:pw@host`
/// only the password, `git@host:path` nothing. A local path is absolute and without `..`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
#[serde(transparent)]
pub struct RepositoryUrl(String);

impl RepositoryUrl {
    /// Takes the address apart; a relative path begins at `base`.
    pub fn new(address: &str, base: &Path) -> Self {
        let address = address.trim();
        if let Some((scheme, rest)) = address.split_once("://") {
            return Self(format!("{scheme}://{}", without_user(scheme, rest)));
        }
        if is_local(address) {
            return Self::of_path(&base.join(address));
        }
        Self(without_scp_password(address))
    }

    /// The address of a directory of this machine. One whose path is no text is a `file://` URL, in which git
    /// reads `%e9` as that byte.
    pub fn of_path(path: &Path) -> Self {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let path = without_parents(&path);
        if let Some(text) = path.to_str() {
            return Self(text.to_owned());
        }
        let bytes = path.as_os_str().as_encoded_bytes();
        Self(format!("file://{}", percent_encode(bytes, IN_PATHS)))
    }

    /// Whether the address, as it was written, has something that is taken away.
    pub(super) fn takes_credentials_from(address: &str) -> bool {
        let address = address.trim();
        match address.split_once("://") {
            Some((scheme, rest)) => without_user(scheme, rest) != rest,
            None => !is_local(address) && without_scp_password(address) != address,
        }
    }

    /// The address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RepositoryUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Git's own rule: a path, unless a colon comes before the first slash (git-fetch(1), GIT URLS).
pub(super) fn is_local(address: &str) -> bool {
    match (address.find(':'), address.find('/')) {
        (None, _) => true,
        (Some(colon), Some(slash)) => slash < colon,
        (Some(_), None) => false,
    }
}

/// The path without `.` and `..`.
///
/// `..` leads to the parent of what a symbolic link points at, so the part of the path before it is
/// resolved first, if it exists.
fn without_parents(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |plain, component| match component {
        Component::CurDir => plain,
        Component::ParentDir => {
            let mut real = plain.canonicalize().unwrap_or(plain);
            real.pop();
            real
        }
        _ => plain.join(component),
    })
}

/// What comes after `scheme://`, without credentials: with http and ftp without user, password, query
/// and fragment, as a token may be each of them; with other schemes without the password.
fn without_user(scheme: &str, rest: &str) -> String {
    if scheme.eq_ignore_ascii_case("file") {
        return rest.to_owned();
    }
    let takes_tokens =
        TOKEN_SCHEMES.iter().any(|token_scheme| scheme.eq_ignore_ascii_case(token_scheme));
    let rest = match rest.find(['?', '#']) {
        // A `?` before the `@` is a part of a password that was not escaped, and no query begins there.
        Some(end) if takes_tokens && !rest.get(end..).is_some_and(|tail| tail.contains('@')) => {
            rest.get(..end).unwrap_or(rest)
        }
        _ => rest,
    };
    let Some(at) = end_of_user(rest) else { return without_query(takes_tokens, rest) };
    let (user, host) = (rest.get(..at).unwrap_or(""), rest.get(at + 1..).unwrap_or(""));
    if takes_tokens {
        return without_query(true, host);
    }
    format!("{}@{host}", user.split(':').next().unwrap_or(""))
}

fn without_query(takes_tokens: bool, rest: &str) -> String {
    let end = rest.find(['?', '#']).filter(|_| takes_tokens).unwrap_or(rest.len());
    rest.get(..end).unwrap_or(rest).to_owned()
}

/// The position of the `@` after user and password: the last one before the first `/`.
///
/// If there is none, but what stands where the port has to be is no number, a password with a `/` in
/// it was not escaped: of `user:pa/ss@host/x` only `user:pa` comes before the slash. Then it is the
/// last `@` of all.
fn end_of_user(rest: &str) -> Option<usize> {
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    if let Some(at) = authority.rfind('@') {
        return Some(at);
    }
    let (host, port) = authority.rsplit_once(':')?;
    // An IPv6 address has colons of its own: `[::1]`, `[::1]:8080`.
    let is_number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let is_host = !host.contains(':') || host.ends_with(']');
    let is_port = (is_number && is_host) || port.ends_with(']');
    if is_port { None } else { rest.rfind('@') }
}

/// An address as scp takes it, without a password. Git knows no `user:password@host:path`, but a person
/// may have written it.
fn without_scp_password(address: &str) -> String {
    let head = address.split('/').next().unwrap_or(address);
    let Some((user, host)) = head.rsplit_once('@') else { return address.to_owned() };
    match user.split_once(':') {
        Some((user, _)) if !user.is_empty() && host.contains(':') => {
            let rest = address.get(head.len()..).unwrap_or("");
            format!("{user}@{host}{rest}")
        }
        _ => address.to_owned(),
    }
}

/// An output of git, without credentials in any of its addresses.
pub(super) fn without_credentials(text: &str) -> String {
    text.split_inclusive(|char: char| char.is_whitespace() || "'\"<>`".contains(char))
        .map(|word| match word.split_once("://") {
            Some((before, rest)) => {
                let scheme = before.rsplit(|char: char| !char.is_ascii_alphanumeric()).next();
                format!("{before}://{}", keep_end(word, without_user(scheme.unwrap_or(""), rest)))
            }
            None => word.to_owned(),
        })
        .collect()
}

/// An argument of a git process as the debug log may show it: of every URL in it the user, the
/// password and the query are taken away, whatever the scheme, as each of them may be a token.
pub(super) fn without_user_info(argument: &str) -> String {
    let Some((before, rest)) = argument.split_once("://") else {
        return without_scp_password(argument);
    };
    // For a path there is no user, and `@` may be a part of a directory's name.
    let scheme = if before.ends_with("file") { "file" } else { "https" };
    // There may be another URL behind the first one: `url.<base>.insteadOf=<url>`.
    format!("{before}://{}", without_user_info(&without_user(scheme, rest)))
}

/// Puts back the blank or quote at the end of a word, if it was taken away together with a query.
fn keep_end(word: &str, stripped: String) -> String {
    match word.chars().last() {
        Some(end)
            if !stripped.ends_with(end) && (end.is_whitespace() || "'\"<>`".contains(end)) =>
        {
            format!("{stripped}{end}")
        }
        _ => stripped,
    }
}

#[cfg(test)]
mod tests {
    use super::without_user_info;

    #[test]
    fn arguments_are_shown_without_user_info() {
        for (argument, shown) in [
            ("https://user:t0ken@host/x.git", "https://host/x.git"),
            ("https://t0ken@host:8443/x.git", "https://host:8443/x.git"),
            ("https://user:t0/k?e#n@host/x.git", "https://host/x.git"),
            ("https://host/x.git?access=t0ken", "https://host/x.git"),
            ("HTTPS://user:t0 ken@host/x.git", "HTTPS://host/x.git"),
            ("ssh://git:t0ken@host/x.git", "ssh://host/x.git"),
            ("other+scheme://t0ken@host/x", "other+scheme://host/x"),
            ("ext::https://user:t0ken@host/x", "ext::https://host/x"),
            ("--upload-pack=https://user:t0ken@host/x", "--upload-pack=https://host/x"),
            (
                "url.https://a:t0ken@host/.insteadOf=https://b:t0ken@other/",
                "url.https://host/.insteadOf=https://other/",
            ),
            ("user:t0ken@host:x.git", "user@host:x.git"),
            ("git@host:x.git", "git@host:x.git"),
            ("file:///home/a@b/x.git", "file:///home/a@b/x.git"),
            ("/home/a@b/x.git", "/home/a@b/x.git"),
            ("refs/tags/v1.0.0^{}", "refs/tags/v1.0.0^{}"),
            ("", ""),
        ] {
            assert_eq!(without_user_info(argument), shown, "{argument}");
        }
    }
}
