//! Local refs: which commit HEAD, a branch or a tag leads to, and which names lead to a commit.
//!
//! Refs are read one at a time where their names are known: a repository may have a hundred thousand
//! of them.

use std::str::FromStr;
use std::sync::Arc;

use gix::bstr::ByteSlice;
use gix::head::Kind as HeadKind;
use gix::prelude::ReferenceExt;
use gix::refs::{FullName, Target};
use gix::state::InProgress;

use super::ancestry::{Ancestry, commit_graph};
use super::fetch_refspecs::FetchRefspecs;
use super::operation::Operation;
use super::reftable::Reftable;
use super::{GitError, ReferenceError, Repository};
use flowreg_model::{BranchName, CommitId, NameError, RemoteName, TagName, escaped_bytes};

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
    Same,
    Ahead(Option<usize>),
    Behind(Option<usize>),
    /// Each has commits that the other has not.
    Diverged,
    /// What is here does not tell.
    Unknown,
}

const HEAD: &str = "HEAD";
const TAGS: &str = "refs/tags/";

/// More commits than this are not counted: the number would tell nobody anything.
const MOST_COUNTED: usize = 1000;

/// More symbolic refs in a row are a circle for git as well.
const MOST_SYMBOLIC: usize = 5;

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
    /// Where the refs are, if gix can't read them itself.
    reftable: Option<Arc<Reftable>>,
}

impl Refs {
    pub(super) fn of(repository: &Repository) -> Self {
        let reftable = repository.reftable.clone();
        Self { repository: repository.inner.to_thread_local(), reftable }
    }

    /// The ref with this full name. A symbolic one that leads to no other is none, as for git.
    fn find(&self, name: &str) -> Result<Option<gix::Reference<'_>>, GitError> {
        match &self.reftable {
            None => {
                let found = self.repository.try_find_reference(name);
                Ok(found.map_err(|error| broken(name, &error))?.filter(leads_somewhere))
            }
            Some(reftable) => {
                Ok(reftable.refs()?.find(name).map(|found| found.attach(&self.repository)))
            }
        }
    }

    /// Visits the refs whose names begin with `prefix`, which ends at a slash. Those that can't be read
    /// are passed over, so that one damaged tag does not stop every run.
    fn each_below(
        &self,
        prefix: &str,
        mut visit: impl FnMut(gix::Reference<'_>),
    ) -> Result<(), GitError> {
        let unreadable = |error: gix::Error| broken(prefix, &error);
        if let Some(reftable) = &self.reftable {
            let refs = reftable.refs()?;
            refs.below(prefix).for_each(|found| visit(found.clone().attach(&self.repository)));
            return Ok(());
        }
        let platform = self.repository.references().map_err(unreadable)?;
        let refs = platform.prefixed(prefix).map_err(unreadable)?.filter_map(Result::ok);
        refs.filter(leads_somewhere).for_each(visit);
        Ok(())
    }

    fn head_kind(&self) -> Result<HeadKind, GitError> {
        match &self.reftable {
            None => Ok(self.repository.head().map_err(|error| broken(HEAD, &error))?.kind),
            Some(reftable) => {
                reftable.refs()?.head().ok_or_else(|| broken(HEAD, &"it does not exist"))
            }
        }
    }

    pub(super) fn head(&self) -> Result<Head, ReferenceError> {
        let name = match self.head_kind()? {
            HeadKind::Detached { .. } => {
                // HEAD may name an object that `git gc` took away, or that a shallow clone lacks.
                let commit = self.commit(HEAD)?;
                return commit.map(Head::Detached).ok_or_else(|| {
                    broken(HEAD, &"it points at no object of the repository").into()
                });
            }
            HeadKind::Unborn(name) => Err(name),
            HeadKind::Symbolic(reference) => self.last_of(reference)?,
        };
        let name = match name {
            Ok(name) => name,
            Err(unborn) => return Ok(Head::Unborn(escaped_bytes(unborn.as_ref().shorten()))),
        };
        let text = name.as_bstr().to_str();
        let text = text.map_err(|_| NameError::not_text(name.as_ref().shorten()));
        text.and_then(str::parse)
            .map(Head::Branch)
            .map_err(|error| ReferenceError::InvalidName { from: HEAD.to_owned(), error })
    }

    /// The branch that one stands for as a symbolic ref, which is the active one for git (git-symbolic-ref(1)); as an
    /// error where it has no commit yet.
    fn last_of(
        &self,
        mut branch: gix::refs::Reference,
    ) -> Result<Result<FullName, FullName>, GitError> {
        for _ in 0..MOST_SYMBOLIC {
            let Target::Symbolic(next) = branch.target else { return Ok(Ok(branch.name)) };
            let found = self.repository.try_find_reference(next.as_ref());
            match found.map_err(|error| broken(HEAD, &error))? {
                Some(found) => branch = found.detach(),
                None => return Ok(Err(next)),
            }
        }
        Err(broken(HEAD, &"it leads through too many symbolic refs"))
    }

    /// What git is in the middle of.
    pub(super) fn operation(&self) -> Option<Operation> {
        // With reftable these two are refs like others; with files gix finds them.
        let has = |name| self.reftable.is_some() && self.exists(name);
        let state = self.repository.state().or_else(|| match () {
            () if has("CHERRY_PICK_HEAD") => Some(InProgress::CherryPick),
            () if has("REVERT_HEAD") => Some(InProgress::Revert),
            () => None,
        });
        state.map(|state| Operation::new(&state, self.repository.git_dir()))
    }

    /// The commit that a ref leads to, through symbolic refs and tags of tags.
    ///
    /// # Errors
    /// [`ReferenceError::NotACommit`] if it leads to a tree or a blob.
    pub(super) fn commit(&self, name: &str) -> Result<Option<CommitId>, ReferenceError> {
        let Some(mut reference) = self.find(name)? else { return Ok(None) };
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

    /// Where the branch was when the remote was last fetched from. What is fetched to its place from elsewhere,
    /// as pull requests may be, is not the branch.
    pub(super) fn tracking(
        &self,
        remote: &RemoteName,
        branch: &BranchName,
    ) -> Result<Option<CommitId>, ReferenceError> {
        match other_source(&self.fetch_refspecs(remote), remote, branch) {
            Some(_) => Ok(None),
            None => self.commit(&tracking_name(remote, branch)),
        }
    }

    fn fetch_refspecs(&self, remote: &RemoteName) -> FetchRefspecs {
        FetchRefspecs::of(self.repository.config_snapshot().plumbing(), remote.as_str())
    }

    /// Whether branches may be missing here that the remote has: the clone is shallow, or fetches some only.
    pub(super) fn may_lack_branches(&self, remote: &RemoteName) -> bool {
        self.repository.is_shallow().unwrap_or(true)
            || !self.fetch_refspecs(remote).has_all_branches()
    }

    /// Whether there is a ref with this full name, whatever it leads to.
    pub(super) fn exists(&self, name: &str) -> bool {
        matches!(self.find(name), Ok(Some(_)))
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
        let found = self.find(&format!("refs/tags/{tag}")).ok().flatten();
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
        if here == there {
            return CommitDistance::Same;
        }
        let id = |commit| object_id(&self.repository, commit);
        let (Some(here), Some(there)) = (id(here), id(there)) else {
            return CommitDistance::Unknown;
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
            (Ok(_), Ok(_)) if is_whole => CommitDistance::Diverged,
            _ => CommitDistance::Unknown,
        }
    }

    pub(super) fn tags_at(&self, commit: &CommitId) -> Result<Vec<TagName>, GitError> {
        self.names_at(TAGS, commit)
    }

    /// The names of all tags, whatever they point at.
    pub(super) fn tags(&self) -> Result<Vec<TagName>, GitError> {
        let mut names = Vec::new();
        self.each_below(TAGS, |tag| names.extend(name_below(TAGS, &tag)))?;
        Ok(names)
    }

    /// The names of branches, of remotes' branches and of tags, as people write them.
    pub(super) fn short_names(&self) -> Result<Vec<String>, GitError> {
        let mut names = Vec::new();
        for prefix in ["refs/heads/", "refs/remotes/", TAGS] {
            self.each_below(prefix, |found| {
                let name = found.name().as_bstr().to_str().ok();
                names.extend(name.and_then(|name| name.strip_prefix(prefix)).map(str::to_owned));
            })?;
        }
        Ok(names)
    }

    /// Whether tags may be missing here that the remote has: the clone is shallow, or was told to fetch none.
    pub(super) fn may_lack_tags(&self, remote: &RemoteName) -> bool {
        let option = format!("remote.{remote}.tagOpt");
        let fetches_none = self.repository.config_snapshot().string(option.as_str());
        self.repository.is_shallow().unwrap_or(false)
            || fetches_none.is_some_and(|option| option.as_slice() == b"--no-tags")
    }

    /// The tags that begin with `prefix`, with what they lead to; those that lead to no commit, or
    /// can't be read, are no versions of anything.
    pub(super) fn tags_below(&self, prefix: &str) -> Result<Vec<PeeledTag>, GitError> {
        let mut found = Vec::new();
        self.each_below(TAGS, |mut tag| {
            let name: Option<TagName> = name_below(TAGS, &tag);
            let Some(name) = name.filter(|name| name.as_str().starts_with(prefix)) else { return };
            // A tag may be a symbolic ref, to another tag.
            let Some(object) = tag.follow_to_object().ok().and_then(commit_id) else { return };
            let commit = self.peeled_to_end(&mut tag).and_then(commit_id);
            found.extend(commit.map(|commit| PeeledTag { name, commit, object }));
        })?;
        Ok(found)
    }

    /// The branches that were fetched from the remote, and those made here.
    pub(super) fn branches_here(
        &self,
        remote: Option<&RemoteName>,
    ) -> Result<Vec<(BranchName, CommitId)>, GitError> {
        let prefixes =
            [Some("refs/heads/".to_owned()), remote.map(|name| format!("refs/remotes/{name}/"))];
        let refspecs = remote.map(|remote| (remote, self.fetch_refspecs(remote)));
        let mut found = Vec::new();
        for prefix in prefixes.into_iter().flatten() {
            let refspecs = refspecs.as_ref().filter(|_| prefix != "refs/heads/");
            self.each_below(&prefix, |mut branch| {
                // `HEAD` is no valid branch name, so `origin/HEAD`, which only repeats one of the others,
                // is left out here.
                let Some(name) = name_below::<BranchName>(&prefix, &branch) else { return };
                let mut refspecs = refspecs.into_iter();
                if refspecs.any(|(of, refspecs)| other_source(refspecs, of, &name).is_some()) {
                    return;
                }
                let commit = self.peeled_to_end(&mut branch).and_then(commit_id);
                found.extend(commit.map(|commit| (name, commit)));
            })?;
        }
        Ok(found)
    }

    /// The remote's branches that point at the commit, `<remote>/HEAD` excluded; and the full names of what else
    /// was fetched from the remote to a place among them.
    pub(super) fn tracking_at(
        &self,
        remote: &RemoteName,
        commit: &CommitId,
    ) -> Result<(Vec<BranchName>, Vec<String>), GitError> {
        let refspecs = self.fetch_refspecs(remote);
        let (mut branches, mut others) = (Vec::new(), Vec::new());
        for name in self.names_at::<BranchName>(&format!("refs/remotes/{remote}/"), commit)? {
            match other_source(&refspecs, remote, &name) {
                None => branches.push(name),
                Some(source) => others.push(source),
            }
        }
        Ok((branches, others))
    }

    /// The names below `prefix`, without it, that lead to the commit.
    fn names_at<N: FromStr>(&self, prefix: &str, commit: &CommitId) -> Result<Vec<N>, GitError> {
        let wanted = object_id(&self.repository, commit);
        let mut names = Vec::new();
        self.each_below(prefix, |mut reference| {
            // To follow a symbolic ref makes it the one that it stands for.
            let name = name_below(prefix, &reference);
            let object = self.peeled_to_end(&mut reference);
            names.extend(name.filter(|_| object.is_some() && object == wanted));
        })?;
        Ok(names)
    }

    /// The object that a ref leads to, through symbolic refs and tags of tags.
    fn peeled_to_end(&self, reference: &mut gix::Reference<'_>) -> Option<gix::ObjectId> {
        // A packed tag has this beside it. For the others gix would first look whether the packed refs
        // have changed, each time.
        let (known, direct) = (reference.inner.peeled, reference.inner.target.try_id());
        match (known, direct.map(ToOwned::to_owned)) {
            (Some(known), _) => Some(known),
            (None, Some(id)) => {
                if self.repository.find_header(id).ok()?.kind() != gix::objs::Kind::Tag {
                    return Some(id);
                }
                let object = self.repository.find_object(id).ok()?.peel_tags_to_end().ok()?;
                Some(object.id)
            }
            (None, None) => reference.peel_to_id().ok().map(gix::Id::detach),
        }
    }
}

/// The ref that a remote's branch is usually fetched to.
fn tracking_name(remote: &RemoteName, branch: &BranchName) -> String {
    format!("refs/remotes/{remote}/{branch}")
}

/// What is fetched to the place of a remote's branch, if it is not that branch.
fn other_source(
    refspecs: &FetchRefspecs,
    remote: &RemoteName,
    branch: &BranchName,
) -> Option<String> {
    refspecs.other_source(&tracking_name(remote, branch), &format!("refs/heads/{branch}"))
}

/// Whether a ref is no symbolic one, or leads to one that is there.
fn leads_somewhere(reference: &gix::Reference<'_>) -> bool {
    let is_direct = reference.inner.target.try_id().is_some();
    is_direct || reference.clone().follow_to_object().is_ok()
}

/// The name of a ref without what all those below a prefix begin with; `None` if it is not valid, as if
/// it is not UTF-8.
fn name_below<N: FromStr>(prefix: &str, reference: &gix::Reference<'_>) -> Option<N> {
    let name = reference.name().as_bstr().strip_prefix(prefix.as_bytes())?;
    name.to_str().ok()?.parse().ok()
}

/// The id in gix's form; `None` if the repository uses another hash, which gix would panic about.
pub(super) fn object_id(repository: &gix::Repository, commit: &CommitId) -> Option<gix::ObjectId> {
    let id = gix::ObjectId::from_hex(commit.as_str().as_bytes()).ok()?;
    (id.kind() == repository.object_hash()).then_some(id)
}

fn commit_id(id: impl Into<gix::ObjectId>) -> Option<CommitId> {
    id.into().to_string().parse().ok()
}

fn broken(name: &str, reason: &impl ToString) -> GitError {
    GitError::BrokenRef { name: name.to_owned(), reason: reason.to_string() }
}
