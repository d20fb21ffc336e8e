//! Lists tags and branches, of this repository and of the remote, with the commits that they lead to.
//!
//! The remote's are what counts: a checkout may have none, or a lightweight copy of an annotated
//! one (docs/facts/ci-variables.md, trap 12).

use super::proof::{RefPatterns, RemoteRefs};
use super::refs::{PeeledTag, Refs, object_id};
use super::{GitError, ReferenceError, Remote, Repository, process};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName};

/// The tags and branches of a remote at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RemoteTags {
    /// The tags that begin with what was asked for.
    pub tags: Vec<PeeledTag>,
    /// All branches.
    pub branches: Vec<(BranchName, CommitId)>,
}

impl Repository {
    /// The tags here that begin with `prefix` and lead to a commit.
    ///
    /// # Errors
    /// If the refs can't be read.
    pub fn tags_here(&self, prefix: &str) -> Result<Vec<PeeledTag>, GitError> {
        Refs::of(self).tags_below(prefix)
    }

    /// The names of all tags here, whatever they lead to.
    ///
    /// # Errors
    /// If the refs can't be read.
    pub fn tag_names(&self) -> Result<Vec<TagName>, GitError> {
        Refs::of(self).tags()
    }

    /// The commit that a tag here leads to.
    ///
    /// # Errors
    /// If the ref can't be read.
    pub fn tag_here(&self, tag: &TagName) -> Result<Option<CommitId>, ReferenceError> {
        Refs::of(self).tag(tag)
    }

    /// When a tag was made, in seconds since 1970; of a lightweight one when its commit was. `None` if
    /// the object is not here, or says no time.
    ///
    /// # Errors
    /// If the object can't be read.
    pub fn tag_time(&self, tag: &PeeledTag) -> Result<Option<i64>, GitError> {
        let local = self.inner.to_thread_local();
        let corrupt = |error: &dyn std::fmt::Display| GitError::CorruptObject {
            id: tag.object.to_string(),
            path: format!("refs/tags/{}", tag.name),
            reason: error.to_string(),
        };
        let Some(id) = object_id(&local, &tag.object) else { return Ok(None) };
        let Some(object) = local.try_find_object(id).map_err(|error| corrupt(&error))? else {
            return Ok(None);
        };
        let time = if tag.is_annotated() {
            let object = object.try_into_tag().map_err(|error| corrupt(&error))?;
            let tagger = object.tagger().map_err(|error| corrupt(&error))?;
            tagger.and_then(|tagger| tagger.time().ok())
        } else {
            let commit = object.try_into_commit().map_err(|error| corrupt(&error))?;
            Some(commit.time().map_err(|error| corrupt(&error))?)
        };
        Ok(time.map(|time| time.seconds))
    }

    /// Whether tags may be missing here that the remote has: the clone is shallow, or was told to fetch none.
    pub fn may_lack_tags(&self, remote: &RemoteName) -> bool {
        Refs::of(self).may_lack_tags(remote)
    }

    /// All tags: the remote's with its branches, or without a remote those that are here.
    ///
    /// # Errors
    /// [`ReferenceError::RemoteUnreachable`] with what git says; or if the refs can't be read.
    pub fn all_tags(&self, remote: Option<&Remote>) -> Result<RemoteTags, ReferenceError> {
        match remote {
            Some(remote) => self.ask_for_tags(remote, ""),
            None => Ok(RemoteTags { tags: self.tags_here("")?, branches: Vec::new() }),
        }
    }

    /// Asks a remote for its branches, and for the tags that begin with `prefix`.
    ///
    /// # Errors
    /// [`ReferenceError::RemoteUnreachable`] with what git says.
    pub fn ask_for_tags(
        &self,
        remote: &Remote,
        prefix: &str,
    ) -> Result<RemoteTags, ReferenceError> {
        let mut patterns = RefPatterns::default();
        patterns.add_branches();
        patterns.add_tags_below(prefix);
        let refs = RemoteRefs::ask(self, remote, &patterns)?;
        Ok(RemoteTags { tags: refs.tags_with_objects(), branches: refs.branches() })
    }

    /// Asks a remote for its branches.
    ///
    /// # Errors
    /// [`ReferenceError::RemoteUnreachable`] with what git says.
    pub fn ask_for_branches(
        &self,
        remote: &Remote,
    ) -> Result<Vec<(BranchName, CommitId)>, ReferenceError> {
        let mut patterns = RefPatterns::default();
        patterns.add_branches();
        Ok(RemoteRefs::ask(self, remote, &patterns)?.branches())
    }

    /// The branches of this repository itself.
    ///
    /// # Errors
    /// If the refs can't be read.
    pub fn own_branches(&self) -> Result<Vec<(BranchName, CommitId)>, GitError> {
        Refs::of(self).branches_here(None)
    }

    /// Brings objects of a remote here, without any ref for them.
    ///
    /// # Errors
    /// If git can't fetch them.
    pub fn fetch_from(&self, remote: &Remote, objects: &[&CommitId]) -> Result<(), GitError> {
        let mut arguments = vec![
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-write-fetch-head",
            "--recurse-submodules=no",
            "--",
            remote.name.as_str(),
        ];
        // By id and not by name, so that a ref which moves meanwhile changes nothing. GitHub, GitLab and
        // git itself (protocol 2) allow that for every object that a ref leads to.
        arguments.extend(objects.iter().map(|id| id.as_str()));
        process::Git::new(self).run_long(&arguments)?.check("fetch").map(|_| ())
    }
}
