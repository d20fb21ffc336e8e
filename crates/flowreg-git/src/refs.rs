//! Local refs: which commit HEAD, a branch or a tag leads to, and which names lead to a commit.
//!
//! Refs are read one at a time where their names are known: a repository may have a hundred thousand
//! of them.

use std::collections::BTreeSet;

use gix::bstr::ByteSlice;
use gix::head::Kind as HeadKind;

use super::ancestry::{Ancestry, commit_graph};
use super::{GitError, ReferenceError, Repository};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName};

/// Where HEAD is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Head {
    Branch(BranchName),
    Unborn(String),
    Detached(CommitId),
}

/// How far one commit is from another; the number of commits if it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommitDistance {
    Ahead(Option<usize>),
    Behind(Option<usize>),
    /// Each has commits that the other has not, or what is here does not tell.
    Diverged,
}

/// More commits than this are not counted: the number would tell nobody anything.
const MOST_COUNTED: usize = 1000;

/// A tag and what it leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeeledTag {
    /// Its name.
    pub name: TagName,
    /// The commit, peeled.
    pub commit: CommitId,
    /// The object that the ref names: the commit itself if the tag is lightweight.
    pub object: CommitId,
}

impl PeeledTag {
    /// Whether there is a tag object, which may have a message and a signature.
    pub fn is_annotated(&self) -> bool {
        self.object != self.commit
    }
}

/// The refs of a repository, read one at a time.
pub(super) struct Refs {
    repository: gix::Repository,
}

impl Refs {
    pub(super) fn of(repository: &Repository) -> Self {
        Self { repository: repository.inner.to_thread_local() }
    }

    pub(super) fn head(&self) -> Result<Head, ReferenceError> {
        let head = self.repository.head().map_err(|error| broken("HEAD", &error))?;
        let name = match head.kind {
            HeadKind::Detached { .. } => {
                // HEAD may name an object that `git gc` took away, or that a shallow clone lacks.
                let commit = self.commit("HEAD")?;
                return commit.map(Head::Detached).ok_or_else(|| {
                    broken("HEAD", &"it points at no object of the repository").into()
                });
            }
            HeadKind::Unborn(name) => {
                return Ok(Head::Unborn(name.as_ref().shorten().to_str_lossy().into_owned()));
            }
            HeadKind::Symbolic(reference) => reference.name,
        };
        let name = name.as_bstr().to_str_lossy();
        name.parse()
            .map(Head::Branch)
            .map_err(|error| ReferenceError::InvalidName { from: "HEAD".to_owned(), error })
    }

    /// The commit that a ref leads to, through symbolic refs and tags of tags.
    ///
    /// # Errors
    /// [`ReferenceError::NotACommit`] if it leads to a tree or a blob.
    pub(super) fn commit(&self, name: &str) -> Result<Option<CommitId>, ReferenceError> {
        let found = self.repository.try_find_reference(name);
        let Some(mut reference) = found.map_err(|error| broken(name, &error))? else {
            return Ok(None);
        };
        let id = reference.peel_to_id().map_err(|error| broken(name, &error))?.detach();
        // The header alone tells the kind; a blob is not inflated for it.
        let header = self.repository.find_header(id).map_err(|error| broken(name, &error))?;
        match header.kind() {
            gix::objs::Kind::Commit => Ok(commit_id(id)),
            kind => {
                Err(ReferenceError::NotACommit { name: name.to_owned(), kind: kind.to_string() })
            }
        }
    }

    pub(super) fn branch(&self, branch: &BranchName) -> Result<Option<CommitId>, ReferenceError> {
        self.commit(&format!("refs/heads/{branch}"))
    }

    pub(super) fn tag(&self, tag: &TagName) -> Result<Option<CommitId>, ReferenceError> {
        self.commit(&format!("refs/tags/{tag}"))
    }

    /// Where the branch was when the remote was last fetched from.
    pub(super) fn tracking(
        &self,
        remote: &RemoteName,
        branch: &BranchName,
    ) -> Result<Option<CommitId>, ReferenceError> {
        self.commit(&format!("refs/remotes/{remote}/{branch}"))
    }

    /// Whether there is a ref with this full name, whatever it leads to.
    pub(super) fn exists(&self, name: &str) -> bool {
        matches!(self.repository.try_find_reference(name), Ok(Some(_)))
    }

    /// What the object database has under an id.
    pub(super) fn kind(&self, id: &CommitId) -> Option<gix::objs::Kind> {
        let id = object_id(&self.repository, id)?;
        let header = self.repository.try_find_header(id).ok().flatten()?;
        Some(header.kind())
    }

    /// Whether a tag is annotated: an object of its own, and not only a ref. A tag that is not here, or
    /// can't be read, is not.
    pub(super) fn is_annotated(&self, tag: &TagName) -> bool {
        let found = self.repository.try_find_reference(&format!("refs/tags/{tag}")).ok().flatten();
        let id = found.and_then(|reference| reference.try_id().map(gix::Id::detach));
        let header = id.and_then(|id| self.repository.try_find_header(id).ok().flatten());
        header.is_some_and(|header| header.kind() == gix::objs::Kind::Tag)
    }

    /// The commit that an object leads to, through tags of tags.
    pub(super) fn peeled(&self, object: &CommitId) -> Option<CommitId> {
        let id = object_id(&self.repository, object)?;
        let object = self.repository.try_find_object(id).ok().flatten()?;
        let peeled = object.peel_to_kind(gix::objs::Kind::Commit).ok()?;
        commit_id(peeled.id)
    }

    pub(super) fn has_commit(&self, commit: &CommitId) -> bool {
        self.kind(commit) == Some(gix::objs::Kind::Commit)
    }

    /// The parents of a commit; none if it can't be read.
    pub(super) fn parents(&self, commit: &CommitId) -> Vec<CommitId> {
        let id = object_id(&self.repository, commit);
        let commit = id.and_then(|id| self.repository.find_commit(id).ok());
        let parents = commit.iter().flat_map(gix::Commit::parent_ids);
        parents.filter_map(|id| commit_id(id.detach())).collect()
    }

    /// How far `here` is from `there`.
    pub(super) fn distance(&self, here: &CommitId, there: &CommitId) -> CommitDistance {
        let id = |commit| object_id(&self.repository, commit);
        let (Some(here), Some(there)) = (id(here), id(there)) else {
            return CommitDistance::Diverged;
        };
        let graph = commit_graph(&self.repository);
        let mut ancestry = Ancestry::of(&self.repository, graph.as_ref());
        let mut only_in = |tip, hidden| ancestry.difference(&[tip], &[hidden]);
        // A shallow clone may lack some of the commits between, as those of a branch that was merged.
        let is_whole = !self.repository.is_shallow().unwrap_or(true);
        let counted = |commits: usize| (is_whole && commits <= MOST_COUNTED).then_some(commits);
        match (only_in(here, there), only_in(there, here)) {
            (Ok(ahead), Ok(behind)) if behind.is_empty() => {
                CommitDistance::Ahead(counted(ahead.len()))
            }
            (Ok(ahead), Ok(behind)) if ahead.is_empty() => {
                CommitDistance::Behind(counted(behind.len()))
            }
            _ => CommitDistance::Diverged,
        }
    }

    pub(super) fn tags_at(&self, commit: &CommitId) -> Result<Vec<TagName>, GitError> {
        let names = self.names_at("refs/tags/", commit)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The names of all tags, whatever they point at.
    pub(super) fn tags(&self) -> Result<Vec<TagName>, GitError> {
        let unreadable = |error: gix::Error| broken("refs/tags/", &error);
        let platform = self.repository.references().map_err(unreadable)?;
        let tags = platform.tags().map_err(unreadable)?.filter_map(Result::ok);
        let names = tags.filter_map(|tag| tag.name().as_bstr().to_str().ok()?.parse().ok());
        Ok(names.collect())
    }

    /// The tags that begin with `prefix`, with what they lead to; those that lead to no commit, or
    /// can't be read, are no versions of anything.
    pub(super) fn tags_below(&self, prefix: &str) -> Result<Vec<PeeledTag>, GitError> {
        let unreadable = |error: gix::Error| broken("refs/tags/", &error);
        let platform = self.repository.references().map_err(unreadable)?;
        let mut found = Vec::new();
        // One ref that can't be read, or a name that is not UTF-8, is no reason to see no tag at all.
        for mut reference in platform.tags().map_err(unreadable)?.filter_map(Result::ok) {
            let name = reference.name().as_bstr().to_str().ok();
            let name = name.and_then(|name| name.strip_prefix("refs/tags/"));
            let name =
                name.filter(|name| name.starts_with(prefix)).and_then(|name| name.parse().ok());
            let object = reference.try_id().and_then(|id| commit_id(id.detach()));
            let (Some(name), Some(object)) = (name, object) else { continue };
            let Ok(peeled) = reference.peel_to_id() else { continue };
            let Some(commit) = commit_id(peeled.detach()) else { continue };
            found.push(PeeledTag { name, commit, object });
        }
        Ok(found)
    }

    /// The branches that were fetched from the remote, and those made here.
    pub(super) fn branches_here(
        &self,
        remote: Option<&RemoteName>,
    ) -> Result<Vec<(BranchName, CommitId)>, GitError> {
        let prefixes =
            [Some("refs/heads/".to_owned()), remote.map(|name| format!("refs/remotes/{name}/"))];
        let mut found = Vec::new();
        for prefix in prefixes.into_iter().flatten() {
            let unreadable = |error: gix::Error| broken(&prefix, &error);
            let platform = self.repository.references().map_err(unreadable)?;
            let refs = platform.prefixed(prefix.as_str()).map_err(unreadable)?;
            for mut reference in refs.filter_map(Result::ok) {
                let name = reference.name().as_bstr().to_str().ok();
                let name = name.and_then(|name| name.strip_prefix(prefix.as_str()));
                // `HEAD` is no valid branch name, so `origin/HEAD`, which only repeats one of the others,
                // is left out here.
                let name = name.and_then(|name| name.parse::<BranchName>().ok());
                let (Some(name), Ok(id)) = (name, reference.peel_to_id()) else { continue };
                found.extend(commit_id(id.detach()).map(|commit| (name, commit)));
            }
        }
        Ok(found)
    }

    /// The remote's branches that point at the commit, `<remote>/HEAD` excluded.
    pub(super) fn tracking_at(
        &self,
        remote: &RemoteName,
        commit: &CommitId,
    ) -> Result<Vec<BranchName>, GitError> {
        let names = self.names_at(&format!("refs/remotes/{remote}/"), commit)?;
        Ok(names.iter().filter_map(|name| name.parse().ok()).collect())
    }

    /// The names below `prefix`, without it, that lead to the commit. Refs that can't be read are
    /// passed over, so that one damaged tag does not stop every run.
    fn names_at(&self, prefix: &str, commit: &CommitId) -> Result<Vec<String>, GitError> {
        let unreadable = |error: gix::Error| broken(prefix, &error);
        let Some(wanted) = object_id(&self.repository, commit) else {
            return Ok(Vec::new());
        };
        let platform = self.repository.references().map_err(unreadable)?;
        let refs = platform
            .prefixed(prefix)
            .and_then(gix::reference::iter::Iter::peeled)
            .map_err(unreadable)?;
        let at_commit = refs
            .filter_map(Result::ok)
            .filter(|reference| reference.try_id().is_some_and(|id| *id == *wanted));
        let names = at_commit.filter_map(|reference| {
            let name = reference.name().as_bstr().to_str().ok()?;
            name.strip_prefix(prefix).map(str::to_owned)
        });
        // Peeling follows symbolic refs, so `origin/HEAD` appears as the branch that it stands for, a
        // second time; the set takes it once.
        let names: BTreeSet<_> = names.collect();
        Ok(names.into_iter().collect())
    }
}

/// The id in gix's form; `None` if the repository uses another hash, which gix would panic about.
pub(super) fn object_id(repository: &gix::Repository, commit: &CommitId) -> Option<gix::ObjectId> {
    let id = gix::ObjectId::from_hex(commit.as_str().as_bytes()).ok()?;
    (id.kind() == repository.object_hash()).then_some(id)
}

fn commit_id(id: gix::ObjectId) -> Option<CommitId> {
    id.to_string().parse().ok()
}

fn broken(name: &str, reason: &impl ToString) -> GitError {
    GitError::BrokenRef { name: name.to_owned(), reason: reason.to_string() }
}
