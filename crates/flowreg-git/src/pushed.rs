//! Whether a push landed: evidence in the reflog of the remote-tracking branch, and what the remote
//! itself says.
//!
//! Git writes `update by push` into that reflog only for what the remote accepted
//! (docs/facts/git.md, "After a push"). There is no such line for tags, for pushes to an address and
//! for refs that no fetch refspec covers; for those only the remote can answer.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::time::Duration;

use gix::bstr::{BString, ByteSlice};
use gix::objs::Kind;
use serde::{Deserialize, Serialize};

use super::fetch_refspecs::FetchRefspecs;
use super::process::Git;
use super::refs::Refs;
use super::{GitError, Remote, Repository, RepositoryUrl};
use flowreg_model::{CommitId, RemoteName};

/// What `git push` writes into the reflog of a tracking branch
/// (<https://github.com/git/git/blob/v2.47.0/transport.c>, `transport_update_tracking_ref`).
const BY_PUSH: &str = "update by push";
/// With more refs than this the remote is asked for all of its refs: that is as cheap, and so many
/// patterns may not fit on a command line.
const MOST_PATTERNS: usize = 100;

/// The remote-tracking branch of a pushed branch, as it was before the push ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracking {
    /// `refs/remotes/origin/x`
    pub name: String,
    /// The size of its reflog, in bytes or, in a repository with reftable, in entries; what the push
    /// adds comes after that.
    pub reflog_size: u64,
}

/// Where a push went, as git can be asked about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushAddress {
    /// What `git ls-remote` is given: the name of a remote, or an address.
    pub address: String,
    /// The remote that it belongs to, if one is configured.
    pub remote: Option<RemoteName>,
    /// Whether every push to the remote goes there and nowhere else. Otherwise its tracking
    /// branches stand for several repositories, and say nothing about one of them.
    pub is_only: bool,
}

impl Repository {
    /// The tracking branch that a push of this ref to the remote moves, with its reflog.
    pub fn tracking_of(&self, remote: &str, reference: &str) -> Option<Tracking> {
        let name = FetchRefspecs::of(&self.configuration, remote).tracked_as(reference)?;
        let reflog_size = match &self.reftable {
            None => std::fs::metadata(self.reflog(&name)).map_or(0, |file| file.len()),
            Some(reftable) => reftable.reflog(&name).ok()?.len() as u64,
        };
        Some(Tracking { name, reflog_size })
    }

    /// Whether a push has put the tracking branch at this object since it was looked at. What happened
    /// to it after that, a fetch or another push, does not undo that the remote took this one.
    pub fn shows_push(&self, tracking: &Tracking, object: &CommitId) -> bool {
        if let Some(reftable) = &self.reftable {
            let entries = reftable.reflog(&tracking.name).unwrap_or_default();
            let known = usize::try_from(tracking.reflog_size).unwrap_or(usize::MAX);
            let mut added = entries.iter().take(entries.len().saturating_sub(known));
            return added.any(|(new, by)| new == object && by == BY_PUSH);
        }
        let Some(added) = tail(&self.reflog(&tracking.name), tracking.reflog_size) else {
            return false;
        };
        // `<old id> <new id> <name> <address> <time> <zone> TAB <message>`
        String::from_utf8_lossy(&added).lines().filter_map(|line| line.split_once('\t')).any(
            |(ids, message)| {
                message.trim_end() == BY_PUSH && ids.split(' ').nth(1) == Some(object.as_str())
            },
        )
    }

    /// Whether a branch of a remote holds what a push brought to it, although somebody has pushed on top
    /// of that since: `there` is where the branch is now, and `before` where it was when the push began.
    /// What is not here is fetched from the address.
    ///
    /// That the branch holds the commit is not enough: a push of an old commit that was refused looks
    /// the same. It must not have held it before.
    ///
    /// # Errors
    /// If the remote does not hand the commit over, or history can't be read.
    pub fn holds_since(
        &self,
        address: &str,
        before: Option<&CommitId>,
        pushed: &CommitId,
        there: &CommitId,
    ) -> Result<bool, GitError> {
        if before == Some(there) {
            return Ok(false);
        }
        self.fetch_commit(address, there)?;
        if !self.is_ancestor(pushed, there)? {
            return Ok(false);
        }
        match before {
            None => Ok(true),
            // Where the branch was before is not in its history any more: then nothing is certain.
            Some(before) if !Refs::of(self).has_commit(before) => Ok(false),
            Some(before) => Ok(!self.is_ancestor(pushed, before)?),
        }
    }

    /// Gets a commit and its history from a remote by its id, if it is not here. No ref is changed.
    ///
    /// # Errors
    /// If the remote does not hand it over.
    pub(super) fn fetch_commit(&self, address: &str, commit: &CommitId) -> Result<(), GitError> {
        if Refs::of(self).has_commit(commit) {
            return Ok(());
        }
        tracing::debug!(%commit, "fetching the commit that the remote has by now");
        let arguments = [
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--no-auto-maintenance",
            "--recurse-submodules=no",
            "--",
            address,
            commit.as_str(),
        ];
        Git::new(self).run_long(&arguments)?.check("fetch").map(|_| ())
    }

    /// The file of a ref's reflog. Always in the common directory: refs that a push can move are
    /// shared by all work trees.
    fn reflog(&self, reference: &str) -> PathBuf {
        self.common_dir.join("logs").join(reference)
    }

    /// Where a push went: `remote` and `url` are what git handed to `pre-push`, the URL without
    /// credentials.
    pub fn push_address(&self, remote: &str, url: &RepositoryUrl) -> PushAddress {
        let configured = self.remotes();
        let named = configured.iter().find(|one| one.name.as_str() == remote);
        if let Some(named) = named {
            let name = Some(named.name.clone());
            return match self.push_urls(remote).as_slice() {
                [] => PushAddress { address: remote.to_owned(), remote: name, is_only: true },
                urls => PushAddress {
                    address: self.configured_address(urls, url),
                    remote: name,
                    is_only: urls.len() == 1,
                },
            };
        }
        // A push to an address: if a remote has the same one, git is asked by the remote's name, because
        // the record of the push has no credentials. It may have another spelling of it.
        let is_same = |one: &&Remote| self.identity([one.url.as_str()]).is(url.as_str());
        let exact = configured.iter().find(|one| one.url == *url);
        let same: Option<&Remote> = exact.or_else(|| configured.iter().find(is_same));
        PushAddress {
            address: same.map_or(url.as_str(), |remote| remote.name.as_str()).to_owned(),
            remote: same.map(|remote| remote.name.clone()),
            is_only: false,
        }
    }

    /// The addresses to which every push to a remote goes, without credentials; empty for what is no
    /// remote, and where all pushes go to where is fetched from.
    pub fn pushed_to(&self, remote: &str) -> Vec<RepositoryUrl> {
        self.push_addresses(&self.push_urls(remote)).map(|(_, url)| url).collect()
    }

    /// `remote.<name>.pushurl`, or several `url`, all of which are pushed to (git-push(1)).
    fn push_urls(&self, remote: &str) -> Vec<BString> {
        let push_urls = self.addresses(remote, "pushurl");
        if !push_urls.is_empty() {
            return push_urls;
        }
        let urls = self.addresses(remote, "url");
        if urls.len() > 1 { urls } else { Vec::new() }
    }

    /// The configured address that is `url` once its credentials are taken away. With them git can ask
    /// there; the record of a push does not have them. `url` itself if none is.
    fn configured_address(&self, urls: &[BString], url: &RepositoryUrl) -> String {
        let found = self.push_addresses(urls).find(|(_, one)| one == url);
        found.map_or_else(|| url.as_str().to_owned(), |(address, _)| address)
    }

    /// The addresses as git is given them, and without credentials.
    fn push_addresses(&self, urls: &[BString]) -> impl Iterator<Item = (String, RepositoryUrl)> {
        let base = self.workdir().unwrap_or_else(|| self.common_dir());
        let rules = self.instead_of_rules();
        urls.iter().map(move |url| {
            let address = rules.apply(url).unwrap_or_else(|| url.clone());
            let address = address.to_str_lossy().into_owned();
            let url = RepositoryUrl::new(&address, base);
            (address, url)
        })
    }

    /// The objects that the remote has at these refs, without peeling tags; a ref that it lacks is absent.
    ///
    /// # Errors
    /// If the remote does not answer within the time limit, or refuses.
    pub fn remote_refs(
        &self,
        address: &str,
        references: &[&str],
        time_limit: Duration,
    ) -> Result<BTreeMap<String, CommitId>, GitError> {
        let mut arguments = vec!["ls-remote", "--quiet", "--", address];
        if references.len() <= MOST_PATTERNS {
            arguments.extend(references);
        }
        let output = Git::new(self).with_time_limit(time_limit).run(&arguments, &[])?;
        let listing = output.check("ls-remote")?;
        let lines =
            listing.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
        let pairs = lines.filter_map(|line| line.split_once('\t'));
        // A pattern matches at the end of a name, so `refs/heads/x` also brings `refs/a/refs/heads/x`.
        let requested = pairs.filter(|(_, name)| references.contains(name));
        Ok(requested.filter_map(|(id, name)| Some((name.to_owned(), id.parse().ok()?))).collect())
    }

    /// The commit that an object leads to, through tags of tags; `None` if it is not here, or is a
    /// tree or a blob.
    pub fn peeled(&self, object: &CommitId) -> Option<CommitId> {
        Refs::of(self).peeled(object)
    }

    /// The object that a revision names, without peeling a tag.
    pub fn object_named(&self, revision: &str) -> Option<CommitId> {
        let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", revision];
        let answer = Git::new(self).run(&arguments, &[]).ok()?.check("rev-parse").ok()?;
        String::from_utf8_lossy(&answer).trim().parse().ok()
    }

    /// Whether the object database has this object, and it leads to no commit.
    pub fn is_no_commit(&self, object: &CommitId) -> bool {
        let kind = Refs::of(self).kind(object);
        matches!(kind, Some(Kind::Tree | Kind::Blob))
            || (kind == Some(Kind::Tag) && self.peeled(object).is_none())
    }
}

/// What a file has after a position; `None` if it is shorter, as after `git reflog expire`.
fn tail(path: &Path, position: u64) -> Option<Vec<u8>> {
    let mut file = std::fs::File::open(path).ok()?;
    if file.metadata().ok()?.len() < position {
        return None;
    }
    file.seek(SeekFrom::Start(position)).ok()?;
    let mut content = Vec::new();
    file.read_to_end(&mut content).ok()?;
    Some(content)
}
