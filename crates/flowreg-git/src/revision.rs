//! From a revision that a person typed (`HEAD~3`, a tag, `origin/main`, a short id) to a commit.
//!
//! Only for a commit that others are compared with. The code reference never comes from a revision:
//! workers need the name of a branch or tag.

use gix::objs::Kind;

use super::{GitError, Repository};
use flowreg_model::{CommitId, misspelt};

impl Repository {
    /// The commit that a revision names, annotated tags peeled (gitrevisions(7)).
    ///
    /// # Errors
    /// [`GitError::NoRevision`] if it names no commit that is here.
    pub fn commit_of(&self, revision: &str) -> Result<CommitId, GitError> {
        self.commit_named(revision).map_err(|reason| self.no_revision(revision, reason))
    }

    /// The same, with an error in words: whoever asks for many revisions needs no advice about each.
    pub(super) fn commit_named(&self, revision: &str) -> Result<CommitId, String> {
        if self.reftable.is_some() {
            // A revision may name a ref in many ways, and gix can't read any of them.
            let commit = self.object_named(&format!("{revision}^{{commit}}"));
            return commit.ok_or_else(|| "git knows no such commit".to_owned());
        }
        let local = self.inner.to_thread_local();
        let found = local.rev_parse_single(revision).map_err(|error| error.to_string())?;
        let object = found.object().map_err(|error| error.to_string())?;
        let object = object.peel_tags_to_end().map_err(|error| error.to_string())?;
        if object.kind != Kind::Commit {
            return Err(format!("it is a {}", object.kind));
        }
        let id: Option<CommitId> = object.id.to_string().parse().ok();
        id.ok_or_else(|| "its id can't be read".to_owned())
    }

    /// Whether a commit is in the object database, as it may not be in a shallow clone.
    pub fn has_commit(&self, commit: &CommitId) -> bool {
        super::refs::Refs::of(self).has_commit(commit)
    }

    fn no_revision(&self, revision: &str, reason: String) -> GitError {
        let remotes: Vec<_> = self.remotes().into_iter().map(|remote| remote.name).collect();
        // `upstream/main` is fetched from `upstream`; whatever names no remote, from the default one.
        let named = remotes
            .iter()
            .find(|remote| {
                revision.strip_prefix(remote.as_str()).is_some_and(|rest| rest.starts_with('/'))
            })
            .cloned();
        let remote = named.or_else(|| {
            let origin = remotes.iter().find(|remote| remote.as_str() == "origin");
            origin.or(remotes.first()).cloned()
        });
        let names = super::refs::Refs::of(self).short_names().unwrap_or_default();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let near = misspelt(revision, &names).map(str::to_owned);
        GitError::NoRevision {
            revision: revision.to_owned(),
            reason,
            near,
            remote,
            is_shallow: self.inner.to_thread_local().is_shallow().unwrap_or(false),
        }
    }
}
