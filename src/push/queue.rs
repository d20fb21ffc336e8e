//! From the lines that git hands to a hook to records of the outbox.

use std::path::Path;

use super::process::GitProcess;
use super::queued::{PushState, QueuedPush, QueuedTarget, now};
use flowreg_git::{Repository, RepositoryUrl};
use flowreg_model::{CommitId, Environment, NameError, escaped_bytes};

/// One ref of a push, as git tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PushedRef {
    /// The full name on the remote.
    pub reference: String,
    /// The object that it is to point to, for an annotated tag the tag object; `None` for a deletion.
    pub object: Option<CommitId>,
    /// What the remote has, as far as git knows; `None` if it is new there.
    pub before: Option<CommitId>,
}

impl PushedRef {
    /// Whether it may change a registration: a branch or a tag, or a branch that goes. Tags that go
    /// stay registered, and notes or reviews (`refs/for/…`) are no code references.
    pub(crate) fn is_registrable(&self) -> bool {
        let is_branch = self.reference.starts_with("refs/heads/");
        is_branch || (self.object.is_some() && self.reference.starts_with("refs/tags/"))
    }
}

impl PushedRef {
    /// The line that git would have written, for a check that is handed over to `flowreg`.
    pub(crate) fn pre_push_line(&self) -> String {
        let Self { reference, object, before } = self;
        let length = object.iter().chain(before).map(|id| id.as_str().len()).max();
        let zero = "0".repeat(length.unwrap_or(40));
        let text = |id: &Option<CommitId>| id.as_ref().map_or(zero.clone(), ToString::to_string);
        format!("{reference} {} {reference} {}\n", text(object), text(before))
    }
}

/// What git tells a hook.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct PushedRefs {
    /// The refs of a push.
    pub refs: Vec<PushedRef>,
    /// Branches and tags that can't be registered, as their names are no text; with `\xff` for each byte that
    /// belongs to no character.
    pub not_text: Vec<String>,
}

impl PushedRefs {
    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.refs.is_empty() && self.not_text.is_empty()
    }

    fn add(&mut self, reference: &[u8], object: Option<CommitId>, before: Option<CommitId>) {
        match str::from_utf8(reference) {
            Ok(reference) => {
                self.refs.push(PushedRef { reference: reference.to_owned(), object, before });
            }
            // Nothing was ever registered of one that goes.
            Err(_) if object.is_none() => {}
            Err(_) => {
                let kinds: [&[u8]; 2] = [b"refs/heads/", b"refs/tags/"];
                if kinds.iter().any(|kind| reference.starts_with(kind)) {
                    self.not_text.push(escaped_bytes(reference));
                }
            }
        }
    }
}

/// What pre-commit and prek tell of a push.
pub(crate) struct PreCommitPush<'a> {
    /// The remote's name, or its address.
    pub remote: &'a str,
    /// The remote's address.
    pub url: &'a str,
    /// The first ref; none if it is not known what is pushed. What the remote had before never is.
    pub pushed: PushedRefs,
}

impl<'a> PreCommitPush<'a> {
    /// Reads the variables; `None` if they are those of another hook.
    pub(crate) fn of(environment: &'a Environment, directory: &Path) -> Option<Self> {
        let value = |name: &str| environment.get(name);
        let remote = value("PRE_COMMIT_REMOTE_NAME")?;
        let url = value("PRE_COMMIT_REMOTE_URL")?;
        let reference = environment.os("PRE_COMMIT_REMOTE_BRANCH")?.as_encoded_bytes();
        // Where the push brings a root commit, pre-commit sets no PRE_COMMIT_TO_REF, only the name of
        // the local branch.
        let object = value("PRE_COMMIT_TO_REF").and_then(|id| id.parse().ok()).or_else(|| {
            let repository = Repository::discover(directory, environment).ok()?;
            repository.object_named(value("PRE_COMMIT_LOCAL_BRANCH")?)
        });
        let mut pushed = PushedRefs::default();
        if object.is_some() {
            pushed.add(reference, object, None);
        }
        Some(Self { remote, url, pushed })
    }
}

/// Where a push comes from and goes to, as the hook knows it.
#[derive(Debug, Clone)]
pub(crate) struct PushContext<'a> {
    /// The remote's name, or its address again.
    pub remote: &'a str,
    /// The address without credentials. It is found out once for all refs, as links are followed for that.
    pub url: RepositoryUrl,
    /// Whether the remote was given by its name.
    pub is_named: bool,
    /// Where git runs the hook: a relative address begins there.
    pub directory: &'a Path,
    /// The `git push`; `None` if it is not known, or has ended.
    pub git: Option<GitProcess>,
    /// Whether this repository received the push.
    pub is_received: bool,
}

impl<'a> PushContext<'a> {
    /// A push to a remote at an address, both as git gives them.
    pub(crate) fn to(remote: &'a str, url: &str, directory: &'a Path) -> Self {
        Self {
            remote,
            url: RepositoryUrl::new(url, directory),
            is_named: remote != url,
            directory,
            git: None,
            is_received: false,
        }
    }

    /// The remote's name. For a push to an address git gives that as the name, too, and it may hold a password.
    pub(crate) fn shown_remote(&self) -> &str {
        if self.is_named { self.remote } else { self.url.as_str() }
    }
}

/// Reads what `pre-push` gets: `<local ref> <local id> <remote ref> <remote id>` on every line.
///
/// The local ref is what the user typed and may hold blanks, so the line is split from its end
/// (`docs/facts/hooks.md`). A line of another form is left out.
pub(crate) fn pre_push_refs(input: &[u8]) -> PushedRefs {
    lines(input, |line| {
        let mut parts = line.rsplitn(4, |byte| *byte == b' ');
        let (before, reference, object) = (parts.next()?, parts.next()?, parts.next()?);
        parts.next()?;
        Some((reference, object, before))
    })
}

/// Reads what `post-receive` gets: `<old id> <new id> <ref>` on every line.
pub(crate) fn received_refs(input: &[u8]) -> PushedRefs {
    lines(input, |line| {
        let mut parts = line.splitn(3, |byte| *byte == b' ');
        let (before, object, reference) = (parts.next()?, parts.next()?, parts.next()?);
        Some((reference, object, before))
    })
}

fn lines<'a>(
    input: &'a [u8],
    split: impl Fn(&'a [u8]) -> Option<(&'a [u8], &'a [u8], &'a [u8])>,
) -> PushedRefs {
    let mut pushed = PushedRefs::default();
    for line in input.split(|byte| *byte == b'\n') {
        let Some((reference, object, before)) = split(line) else { continue };
        if let (Ok(object), Ok(before)) = (id(object), id(before)) {
            pushed.add(reference, object, before);
        }
    }
    pushed
}

/// An object id; all zeros stand for none.
fn id(text: &[u8]) -> Result<Option<CommitId>, NameError> {
    let id: CommitId = str::from_utf8(text).map_err(|_| NameError::not_text(text))?.parse()?;
    Ok((!id.as_str().bytes().all(|digit| digit == b'0')).then_some(id))
}

/// The record of one pushed ref; `commit` is what its object leads to, `target` where it is to be
/// registered.
///
/// Without a repository there is no remote-tracking branch to look at, and the remote is asked.
pub(crate) fn queued(
    line: PushedRef,
    context: &PushContext<'_>,
    repository: Option<&Repository>,
    commit: Option<CommitId>,
    target: Option<QueuedTarget>,
) -> QueuedPush {
    let PushedRef { reference, object, before } = line;
    let tracking = repository
        .filter(|_| !context.is_received)
        .and_then(|repository| repository.tracking_of(context.remote, &reference));
    QueuedPush {
        queued_at: now(),
        remote: context.shown_remote().to_owned(),
        url: context.url.as_str().to_owned(),
        directory: context.directory.to_string_lossy().into_owned(),
        reference,
        object,
        commit,
        before,
        tracking,
        git: context.git,
        target,
        is_received: context.is_received,
        state: PushState::Unconfirmed,
        reason: None,
        ended_at: None,
        deliveries: 0,
        is_answered: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_split_from_their_end() {
        let (one, two, zero) = ("1".repeat(40), "2".repeat(40), "0".repeat(40));
        let input = format!(
            ":/two words {one} refs/heads/w {zero}\n(delete) {zero} refs/heads/x {two}\nnonsense\n"
        );
        let lines = pre_push_refs(input.as_bytes()).refs;
        assert_eq!(lines.len(), 2);
        assert_eq!(lines[0].reference, "refs/heads/w");
        assert_eq!(lines[0].object.as_ref().unwrap().as_str(), one);
        assert_eq!(lines[0].before, None);
        assert_eq!((&lines[1].object, lines[1].before.as_ref().unwrap().as_str()), (&None, &*two));
    }

    #[test]
    fn what_is_no_text_is_named_and_never_becomes_another_name() {
        let (one, zero) = ("1".repeat(40), "0".repeat(40));
        let line = |local: &[u8], remote: &[u8], object: &str| {
            [local, b" ", object.as_bytes(), b" ", remote, b" ", zero.as_bytes(), b"\n"].concat()
        };
        let input = [
            line(b"refs/heads/caf\xe9", b"refs/heads/caf\xe9", &one),
            line(b"refs/heads/caf\xe9", b"refs/heads/cafe", &one),
            line(b"refs/tags/v\xff", b"refs/tags/v\xff", &one),
            line(b"refs/notes/\xff", b"refs/notes/\xff", &one),
            line(b"(delete)", b"refs/heads/gone\xff", &zero),
        ];
        let pushed = pre_push_refs(&input.concat());
        let names: Vec<&str> = pushed.refs.iter().map(|one| one.reference.as_str()).collect();
        assert_eq!(names, ["refs/heads/cafe"]);
        assert_eq!(pushed.not_text, ["refs/heads/caf\\xe9", "refs/tags/v\\xff"]);
    }

    #[test]
    fn ids_of_sha_256_are_read_and_their_zeros_as_well() {
        let (one, zero) = ("1".repeat(64), "0".repeat(64));
        let lines = received_refs(format!("{zero} {one} refs/tags/v1\n").as_bytes()).refs;
        assert_eq!(lines[0].reference, "refs/tags/v1");
        assert_eq!(lines[0].object.as_ref().unwrap().as_str(), one);
        assert_eq!(lines[0].before, None);
    }
}
