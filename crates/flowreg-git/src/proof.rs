//! What the remote holds: one `git ls-remote` for everything that a resolution needs.
//!
//! Workers clone from there, so what is not there can't run, whatever this repository has.

use std::collections::BTreeMap;

use super::process::Git;
use super::refs::PeeledTag;
use super::{ReferenceError, Remote, Repository};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName};

/// The remote's refs, as far as they were asked for.
pub(super) struct RemoteRefs {
    refs: BTreeMap<String, CommitId>,
}

/// The refs to ask for, as patterns of `git ls-remote`.
#[derive(Default)]
pub(super) struct RefPatterns(Vec<String>);

impl RefPatterns {
    /// Asks for branch and tag of this name. The peeled id of an annotated tag has a line of its own,
    /// which the exact name does not match (docs/facts/git.md, "Remote refs").
    pub(super) fn add(&mut self, name: &str) {
        self.0.extend([
            format!("refs/heads/{name}"),
            format!("refs/tags/{name}"),
            format!("refs/tags/{name}^{{}}"),
        ]);
    }

    /// Asks for all branches and tags: which tag pins a mainline branch is known only then.
    pub(super) fn add_all(&mut self) {
        self.add_branches();
        self.add_tags_below("");
    }

    /// Asks for all branches.
    pub(super) fn add_branches(&mut self) {
        self.0.push("refs/heads/*".to_owned());
    }

    /// Asks for all tags that begin with `prefix`.
    pub(super) fn add_tags_below(&mut self, prefix: &str) {
        self.0.push(format!("refs/tags/{prefix}*"));
    }
}

impl RemoteRefs {
    /// Asks the remote.
    ///
    /// # Errors
    /// [`ReferenceError::RemoteUnreachable`] with what git says.
    pub(super) fn ask(
        repository: &Repository,
        remote: &Remote,
        patterns: &RefPatterns,
    ) -> Result<Self, ReferenceError> {
        let unreachable = |reason: String| ReferenceError::RemoteUnreachable {
            remote: remote.name.clone(),
            reason,
        };
        // By the remote's name and not by its URL, so that git finds credentials, proxy and
        // `insteadOf` as for every other command.
        let mut arguments = vec!["ls-remote", "--quiet", "--", remote.name.as_str()];
        arguments.extend(patterns.0.iter().map(String::as_str));
        let output = Git::new(repository)
            .run(&arguments, &[])
            .map_err(|error| unreachable(error.to_string()))?;
        if !output.is_success {
            return Err(unreachable(output.complaint()));
        }
        Ok(Self { refs: parse(&output.stdout) })
    }

    pub(super) fn branch(&self, branch: &BranchName) -> Option<&CommitId> {
        self.refs.get(&format!("refs/heads/{branch}"))
    }

    /// The commit of a tag; an annotated one is listed with what it finally leads to.
    pub(super) fn tag(&self, tag: &TagName) -> Option<&CommitId> {
        let peeled = self.refs.get(&format!("refs/tags/{tag}^{{}}"));
        // A lightweight tag has no second line.
        peeled.or_else(|| self.refs.get(&format!("refs/tags/{tag}")))
    }

    /// Whether a tag is an object of its own, which is what has a line with the peeled commit.
    pub(super) fn is_annotated(&self, tag: &TagName) -> bool {
        self.refs.contains_key(&format!("refs/tags/{tag}^{{}}"))
    }

    /// The tags that were asked for.
    pub(super) fn tags(&self) -> impl Iterator<Item = TagName> {
        let names = self.refs.keys().filter_map(|name| name.strip_prefix("refs/tags/"));
        names.filter(|name| !name.ends_with("^{}")).filter_map(|name| name.parse().ok())
    }

    pub(super) fn tags_at(&self, commit: &CommitId) -> Vec<TagName> {
        self.tags().filter(|tag| self.tag(tag) == Some(commit)).collect()
    }

    /// The tags that were asked for, with what they lead to.
    pub(super) fn tags_with_objects(&self) -> Vec<PeeledTag> {
        let found = self.tags().filter_map(|name| {
            let object = self.refs.get(&format!("refs/tags/{name}"))?.clone();
            Some(PeeledTag { commit: self.tag(&name)?.clone(), object, name })
        });
        found.collect()
    }

    /// The branches that were asked for.
    pub(super) fn branches(&self) -> Vec<(BranchName, CommitId)> {
        let named = self.refs.iter().filter_map(|(name, commit)| {
            let name = name.strip_prefix("refs/heads/")?.parse().ok()?;
            Some((name, commit.clone()))
        });
        named.collect()
    }

    /// Whether a branch and a tag share the name.
    pub(super) fn has_both(&self, name: &str) -> bool {
        self.refs.contains_key(&format!("refs/heads/{name}"))
            && self.refs.contains_key(&format!("refs/tags/{name}"))
    }
}

/// Reads lines of `<id> TAB <ref>`. A name that is not UTF-8 is passed over: it can't be one that was
/// asked for.
fn parse(listing: &[u8]) -> BTreeMap<String, CommitId> {
    let lines = listing.split(|byte| *byte == b'\n').filter_map(|line| str::from_utf8(line).ok());
    let pairs = lines.filter_map(|line| line.split_once('\t'));
    pairs.filter_map(|(id, name)| Some((name.to_owned(), id.parse().ok()?))).collect()
}

/// The proof that the remote has a reference: which remote was asked, and its refs.
pub(super) struct Proof {
    pub(super) remote: RemoteName,
    pub(super) refs: RemoteRefs,
}
