//! Makes a tag and pushes exactly that ref, or that ref and a branch together.
//!
//! The local ref is made only after the remote has taken the tag, so a push that is refused leaves
//! no tag behind that the next run would take for an existing version. Nothing is ever forced, so a
//! tag never moves.

use std::path::Path;

use super::process::Git;
use super::{GitError, ReferenceError, Remote, Repository};
use flowreg_model::{BranchName, CommitId, TagName};

/// What kind of tag is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagKind {
    /// A ref that names the commit.
    Lightweight,
    /// A tag object with a message.
    Annotated,
    /// The same with a signature, as git is configured to make it.
    Signed,
}

/// The push of a tag, alone or together with a branch.
#[derive(Debug, Clone, Copy)]
pub struct TagPush<'a> {
    /// The tag.
    pub tag: &'a TagName,
    /// The object that it will name.
    pub object: &'a CommitId,
    /// A branch that goes with it, and its commit: both, or none.
    pub branch: Option<(&'a BranchName, &'a CommitId)>,
    /// Whether the repository's hooks may register what is pushed.
    pub hooks_register: bool,
}

/// The remote's answer to a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PushOutcome {
    /// The tag is new there.
    Created,
    /// It was there already, as the very same object.
    AlreadyThere,
    /// The remote, or git on its behalf, said no.
    Rejected(Rejection),
}

/// Why a remote did not take a ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// The reason that git has for the ref: `pre-receive hook declined`.
    pub reason: String,
    /// What the server said, line by line.
    pub words: Vec<String>,
    /// Whether it is about the branch that went with the tag.
    pub is_of_branch: bool,
}

impl Rejection {
    /// Whether a rule of the server decided so; then another attempt changes nothing. Other reasons
    /// pass, such as a ref that another push has locked.
    pub fn is_final(&self) -> bool {
        self.reason.contains("declined")
    }
}

impl Repository {
    /// Whether git is configured to sign every tag that it makes.
    pub fn signs_tags(&self) -> bool {
        matches!(self.configuration.boolean("tag.gpgSign"), Ok(Some(true)))
    }

    /// Makes a tag of a commit, without a ref for it, and returns the object that the ref has to
    /// name.
    ///
    /// # Errors
    /// If git can't make it: it doesn't know who makes it, or can't sign.
    pub fn make_tag(
        &self,
        tag: &TagName,
        commit: &CommitId,
        kind: TagKind,
        message: &str,
    ) -> Result<CommitId, GitError> {
        let git = Git::new(self);
        match kind {
            TagKind::Lightweight => Ok(commit.clone()),
            TagKind::Annotated => {
                // Asked of git, which has rules of its own for names, dates and time zones, and refuses
                // where nobody is configured.
                let tagger = git.run(&["var", "GIT_COMMITTER_IDENT"], &[])?;
                if !tagger.is_success {
                    return Err(GitError::NoIdentity { reason: tagger.complaint() });
                }
                let tagger = String::from_utf8_lossy(&tagger.stdout).trim().to_owned();
                let content = format!(
                    "object {commit}\ntype commit\ntag {tag}\ntagger {tagger}\n\n{message}"
                );
                object_of(&git.run(&["mktag"], content.as_bytes())?.check("mktag")?, "mktag")
            }
            TagKind::Signed => signed(&git, tag, commit, message),
        }
    }

    /// Pushes the tag and nothing else; with a branch both at once.
    ///
    /// # Errors
    /// If the remote can't be reached.
    pub fn push_tag(
        &self,
        remote: &Remote,
        push: &TagPush<'_>,
    ) -> Result<PushOutcome, ReferenceError> {
        let unreachable = |reason: String| ReferenceError::RemoteUnreachable {
            remote: remote.name.clone(),
            reason,
        };
        let tag_ref = format!("refs/tags/{}", push.tag);
        let tag = format!("{}:{tag_ref}", push.object);
        let branch = push.branch.map(|(branch, commit)| format!("{commit}:refs/heads/{branch}"));
        let mut arguments = vec![
            "push",
            "--porcelain",
            "--no-progress",
            // `push.followTags` and `push.recurseSubmodules` would push more than was asked for.
            "--no-follow-tags",
            "--recurse-submodules=no",
        ];
        // With a branch both refs or none: a tag whose branch was refused would be off mainline. For a
        // tag alone the option is left out, because not every server offers it.
        arguments.extend(branch.iter().map(|_| "--atomic"));
        arguments.extend(["--", remote.name.as_str(), &tag]);
        arguments.extend(branch.as_deref());
        let mut git = Git::new(self);
        if !push.hooks_register {
            git = git.with_variable("FLOWREG_HOOKS", Path::new("0"));
        }
        let output = git.run_long(&arguments).map_err(|error| unreachable(error.to_string()))?;
        let listing = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<PorcelainLine<'_>> =
            listing.lines().filter_map(PorcelainLine::read).collect();
        if output.is_success {
            let of_tag = lines.iter().find(|line| line.to == tag_ref);
            let is_same = of_tag.is_some_and(|line| line.flag == '=');
            return Ok(if is_same { PushOutcome::AlreadyThere } else { PushOutcome::Created });
        }
        let refused = |line: &&PorcelainLine<'_>| line.flag == '!';
        // After an atomic push git marks every ref as refused: the one at fault with the server's
        // reason, the others with "atomic push failed".
        let has_own_reason =
            |line: &&PorcelainLine<'_>| refused(line) && !line.reason().starts_with("atomic");
        let at_fault = lines.iter().find(has_own_reason).or_else(|| lines.iter().find(refused));
        let Some(line) = at_fault else { return Err(unreachable(output.complaint())) };
        let words = output.stderr.lines().filter_map(|line| line.trim().strip_prefix("remote:"));
        let words = words.map(|word| word.trim().to_owned()).filter(|word| !word.is_empty());
        Ok(PushOutcome::Rejected(Rejection {
            reason: line.reason().to_owned(),
            words: words.collect(),
            is_of_branch: line.to != tag_ref,
        }))
    }

    /// Makes the tag's ref in this repository, unless there is one of that name.
    pub fn create_local_tag(&self, tag: &TagName, object: &CommitId) {
        // With zeros as the old value git makes the ref only if there is none. A failure is no error:
        // then another process made it at the same time, and the remote has the tag in any case.
        let none = "0".repeat(object.as_str().len());
        let name = format!("refs/tags/{tag}");
        let _ = Git::new(self).run(&["update-ref", "--", &name, object.as_str(), &none], &[]);
    }

    /// Whether the signature of a tag holds, as `git verify-tag` sees it; what it said if not.
    ///
    /// # Errors
    /// If git can't be run.
    pub fn verify_tag(&self, object: &CommitId) -> Result<Result<(), String>, GitError> {
        let output = Git::new(self).run(&["verify-tag", "--", object.as_str()], &[])?;
        Ok(if output.is_success { Ok(()) } else { Err(output.complaint()) })
    }
}

/// A line of `git push --porcelain`: flag, `from:to`, summary, with tabs between them
/// (<https://git-scm.com/docs/git-push#_output>).
struct PorcelainLine<'a> {
    flag: char,
    to: &'a str,
    summary: &'a str,
}

impl<'a> PorcelainLine<'a> {
    fn read(line: &'a str) -> Option<Self> {
        let mut fields = line.split('\t');
        let (flag, refs, summary) = (fields.next()?, fields.next()?, fields.next()?);
        let (_, to) = refs.rsplit_once(':')?;
        Some(Self { flag: flag.chars().next().unwrap_or(' '), to, summary })
    }

    /// `[remote rejected] (hook declined)` without the brackets.
    fn reason(&self) -> &'a str {
        let inner = self.summary.split_once('(').map_or(self.summary, |(_, inner)| inner);
        inner.strip_suffix(')').unwrap_or(inner)
    }
}

/// Makes a signed tag. Only `git tag` knows how to sign, and it always makes a ref, which is deleted
/// again at once: it is to appear after the push.
fn signed(
    git: &Git,
    tag: &TagName,
    commit: &CommitId,
    message: &str,
) -> Result<CommitId, GitError> {
    let arguments =
        ["tag", "-s", "-F", "-", "--cleanup=verbatim", "--", tag.as_str(), commit.as_str()];
    let output = git.run(&arguments, message.as_bytes())?;
    if !output.is_success {
        return Err(GitError::NotSigned { reason: output.complaint() });
    }
    let name = format!("refs/tags/{tag}");
    let object = git.run(&["rev-parse", "--verify", "--quiet", &name], &[])?.check("rev-parse")?;
    let object = object_of(&object, "rev-parse")?;
    git.run(&["update-ref", "-d", &name, object.as_str()], &[])?.check("update-ref")?;
    Ok(object)
}

fn object_of(output: &[u8], command: &str) -> Result<CommitId, GitError> {
    let text = String::from_utf8_lossy(output);
    text.trim().parse().map_err(|_| GitError::Process {
        command: command.to_owned(),
        reason: format!("it answered `{}`", text.trim()),
    })
}
