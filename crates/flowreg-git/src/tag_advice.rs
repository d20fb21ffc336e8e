//! How a mainline branch gets a version at its commit, for the hints of the guard that found none there.

use super::name_resolver::NameResolver;
use super::proof::Proof;
use super::tagging::{NextRelease, SeveralSeries, next_release};
use super::{ReferenceError, RemoteTags};
use flowreg_model::{BranchName, CommitId, RemoteName, TagName, escaped, quoted};

/// How a mainline branch gets a version at its commit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagAdvice {
    /// Versions at the commit that only this repository has.
    pub unpushed: Vec<TagName>,
    /// The remote to push a tag to.
    pub remote: Option<RemoteName>,
    /// The remote whose tags this clone may lack, if it was not asked for them.
    pub lacking: Option<RemoteName>,
    /// The remote that was not asked, where no tag at all is here.
    pub unseen: Option<RemoteName>,
    /// Tags at the commit that are versions of no series.
    pub others: Vec<TagName>,
    /// The tag that `flowreg tag` would make, if what is here tells.
    pub next: Option<TagName>,
    /// The later tag that has the commit already.
    pub released: Option<TagName>,
    /// The packages that have versions of their own.
    pub packages: Vec<String>,
    /// Whether the tag to propose has to be lightweight.
    pub lightweight: bool,
    /// The series that the tags are of, if nothing says which is meant.
    pub several: Option<SeveralSeries>,
}

impl TagAdvice {
    /// What is missing.
    pub(super) fn what(&self) -> String {
        version_tag(&self.others)
    }

    pub(super) fn hints(&self, commit: &CommitId) -> Vec<String> {
        // Where there is no remote, the tag here is all that can be wanted.
        let and_push = |name: &str| match &self.remote {
            Some(remote) => format!(" && git push {remote} {name}"),
            None => String::new(),
        };
        // Any tag at the commit would be higher than the later one, or lower than what is registered.
        let released = self.released.as_ref().map(|tag| {
            format!("released in {tag} already: flowreg … --tag {}", quoted(tag.as_str()))
        });
        // A tag that is here already only has to be pushed; a second one would be one too many.
        let push = self.unpushed.first().zip(self.remote.as_ref());
        let push = push.map(|(tag, remote)| format!("git push {remote} {}", quoted(tag.as_str())));
        let commit = commit.short();
        let make = self.next.as_ref().map(|next| {
            let next = quoted(next.as_str());
            let annotated = format!("git tag -a {next} -m {next} {commit}");
            let make =
                if self.lightweight { format!("git tag {next} {commit}") } else { annotated };
            format!("{make}{}", and_push(&next))
        });
        let of_packages = self.packages.iter();
        let of_packages =
            of_packages.map(|name| format!("flowreg tag … --package {}", quoted(name)));
        // What comes next is not known then, nor whether the commit has a tag.
        let fetch = self.lacking.as_ref().map(|remote| format!("git fetch --tags {remote}"));
        let mut hints: Vec<String> = released.or(push).or(fetch).or(make).into_iter().collect();
        if hints.is_empty() {
            hints.extend(of_packages);
            hints.extend(self.several.iter().flat_map(SeveralSeries::hints));
        }
        if hints.is_empty() {
            hints.push("flowreg tag …".to_owned());
        }
        if let (Some(remote), None) = (&self.unseen, &self.lacking) {
            hints.push(format!("or, if {remote} has tags: git fetch --tags {remote}"));
        }
        hints.push("flowreg … --untagged branch".to_owned());
        hints
    }
}

/// What a commit lacks that has no tag but these, of no series.
pub(super) fn version_tag(others: &[TagName]) -> String {
    let others: Vec<_> = others.iter().map(escaped).collect();
    match others.as_slice() {
        [] => "tag".to_owned(),
        [other] => format!("version tag ({other} is none of a series)"),
        _ => format!("version tag ({} are none of a series)", others.join(", ")),
    }
}

impl NameResolver<'_> {
    /// The error for a mainline branch whose commit has no version.
    pub(super) fn untagged(&self, branch: BranchName, commit: CommitId) -> ReferenceError {
        let local = self.refs.tags_at(&commit).unwrap_or_default();
        let others = self.tags_for_workers(&commit).unwrap_or_default();
        let set = &self.rules.series;
        // All tags, here and there: the one that is proposed has to be free in both.
        let tags = self.all_tags().unwrap_or_default();
        let (series, several) = match set.all(&tags) {
            Ok(series) => (series, None),
            Err(several) => (Vec::new(), Some(several)),
        };
        let unpushed = set.highest_of_each(&series, &local).into_iter().map(|(_, tag)| tag.clone());
        let unasked = self.remote.filter(|_| self.proof.is_none());
        let next = match &series[..] {
            [one] => next_release(self.repository, set, one, &commit, self.listed()),
            _ => NextRelease::Unknown,
        };
        // A name that is taken, of a tag here or of a branch, leads to an error of its own.
        let is_free = |tag: &TagName| !tags.contains(tag) && !self.has_branch(tag.as_str());
        let (next, released) = match next {
            NextRelease::Make(tag) => (Some(tag).filter(is_free), None),
            NextRelease::Contained(tag) => (None, Some(tag)),
            NextRelease::Unknown => (None, None),
        };
        let advice = TagAdvice {
            remote: self.remote.cloned(),
            lacking: unasked.filter(|remote| self.refs.may_lack_tags(remote)).cloned(),
            unseen: unasked.filter(|_| tags.is_empty()).cloned(),
            unpushed: unpushed.filter(|tag| !self.has_branch(tag.as_str())).collect(),
            others,
            next,
            released,
            packages: series.iter().filter_map(|one| one.package.clone()).collect(),
            lightweight: self.rules.lightweight,
            several,
        };
        let remote = self.proof.map(|proof| proof.remote.clone());
        ReferenceError::Untagged { branch, commit, remote, advice: Box::new(advice) }
    }

    /// The tags and branches that count for the next version: those of the remote where it was asked.
    fn listed(&self) -> RemoteTags {
        match self.proof {
            Some(Proof { refs, .. }) => {
                RemoteTags { tags: refs.tags_with_objects(), branches: refs.branches() }
            }
            None => RemoteTags {
                tags: self.refs.tags_below("").unwrap_or_default(),
                branches: Vec::new(),
            },
        }
    }
}
