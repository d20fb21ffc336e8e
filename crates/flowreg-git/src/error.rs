//! What can go wrong when a repository is opened and read.

use std::path::{Path, PathBuf};

use flowreg_model::{BranchName, CommitId, RemoteName, escaped, misspelt, quoted, quoted_path};

use super::links::BrokenLink;

/// Why the repository, or something in it, can't be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum GitError {
    /// There is no such directory, so nothing can be searched for.
    #[error("the directory {} can't be opened: {}", escaped(.directory.display()), escaped(.reason))]
    NoDirectory {
        /// The directory as it was given.
        directory: PathBuf,
        /// What was found, in words.
        reason: String,
    },
    /// Neither the directory nor one of its parents is a repository.
    #[error("{} is not inside a git repository", escaped(.directory.display()))]
    NotARepository {
        /// Where the search began.
        directory: PathBuf,
    },
    /// A variable of git's leads to no repository or work tree.
    #[error("{name} is `{}`, which {}", escaped(.path.display()), escaped(.problem))]
    Variable {
        /// `GIT_DIR` or `GIT_WORK_TREE`.
        name: &'static str,
        /// What it names.
        path: PathBuf,
        /// What is wrong with that, in words.
        problem: String,
        /// What may be meant instead.
        meant: Option<PathBuf>,
    },
    /// There is a `.git`, but no repository.
    #[error("{} {}", escaped(.path.display()), escaped(.problem))]
    UnusableDotGit {
        /// The `.git`.
        path: PathBuf,
        /// What is wrong with it, in words.
        problem: String,
        /// Whether it is a symbolic link.
        is_link: bool,
    },
    /// A bare repository was found by searching, and git is to use only those that are named.
    #[error("{} is a bare repository, and safe.bareRepository allows only those that are named", escaped(.directory.display()))]
    BareNotNamed {
        /// The repository.
        directory: PathBuf,
    },
    /// The repository belongs to somebody else and is not listed in `safe.directory`.
    #[error("the repository at {} belongs to another user", escaped(.directory.display()))]
    NotOwned {
        /// The work tree, or the git directory of a bare repository.
        directory: PathBuf,
    },
    /// A `.git` file, of a linked work tree or a submodule, that names no repository.
    #[error("{} names {}", escaped(.file.display()), lost(.named.as_deref()))]
    BrokenGitFile {
        /// The file.
        file: PathBuf,
        /// The git directory that it names, if it names any.
        named: Option<PathBuf>,
    },
    /// A directory that may be, or may have, the repository is closed to this user.
    #[error("{} can't be read: permission denied", escaped(.path.display()))]
    Forbidden {
        /// The directory or file.
        path: PathBuf,
    },
    /// The repository is there, but can't be opened.
    #[error("the repository at {} can't be opened: {}", escaped(.directory.display()), escaped(.reason))]
    Broken {
        /// The git directory.
        directory: PathBuf,
        /// What was found, in words.
        reason: String,
    },
    /// A configuration file of git can't be read.
    #[error("git's configuration can't be read: {}", escaped(.reason))]
    Configuration {
        /// What was found, in words.
        reason: String,
    },
    /// A ref exists, but can't be read.
    #[error("the ref {} can't be read: {}", escaped(.name), escaped(.reason))]
    BrokenRef {
        /// The full name of the ref.
        name: String,
        /// What was found, in words.
        reason: String,
    },
    /// The id names no commit of this repository.
    #[error("the commit {commit} is not in the repository")]
    NoCommit {
        /// The id.
        commit: CommitId,
    },
    /// What a person typed names no commit of this repository.
    #[error("`{}` names no commit of the repository: {}", escaped(.revision), escaped(.reason))]
    NoRevision {
        /// As it was typed.
        revision: String,
        /// What was found, in words.
        reason: String,
        /// A branch or a tag of which it is a slip.
        near: Option<String>,
        /// The remote that it names, or that is asked by default.
        remote: Option<RemoteName>,
        /// Whether the repository has the end of its history only.
        is_shallow: bool,
    },
    /// An object that the tree names is not in the object database.
    #[error("the object {id} ({}) is missing from the repository", escaped(.path))]
    MissingObject {
        /// The object id.
        id: String,
        /// The path in the tree.
        path: String,
    },
    /// An object is there, but can't be decoded, or is of another kind than it has to be.
    #[error("the object {id} ({}) is corrupt: {}", escaped(.path), escaped(.reason))]
    CorruptObject {
        /// The object id.
        id: String,
        /// The path in the tree.
        path: String,
        /// What was found, in words.
        reason: String,
    },
    /// A symbolic link leads to nothing that can be read.
    #[error("{}", escaped(.0))]
    BrokenLink(BrokenLink),
    /// Symbolic links between directories give the files of the tree too many names.
    #[error(
        "symbolic links to directories give the files of the repository more than {most} further names"
    )]
    TooManyLinks {
        /// How many are listed.
        most: usize,
    },
    /// The remote that was asked for is not configured.
    #[error("there is no remote `{name}`{}", listed(" (configured: ", .configured, ")"))]
    NoSuchRemote {
        /// The name that was asked for.
        name: RemoteName,
        /// The remotes that there are.
        configured: Vec<RemoteName>,
    },
    /// What a remote is fetched from is no text: it can't be registered, nor told to anybody.
    #[error("the address of the remote {name} is not UTF-8: {address}")]
    AddressIsNoText {
        /// The remote.
        name: RemoteName,
        /// Its address, with `\\xff` for each byte that belongs to no character.
        address: String,
    },
    /// Several remotes, none of them called `origin`, and nothing says which one is meant.
    #[error("there are several remotes, and none is called `origin`{}", listed(": ", .configured, ""))]
    SeveralRemotes {
        /// The remotes that there are.
        configured: Vec<RemoteName>,
    },
    /// Nobody said who makes the tag.
    #[error("git doesn't know who makes the tag: {}", escaped(.reason))]
    NoIdentity {
        /// What git said.
        reason: String,
    },
    /// A tag could not be signed.
    #[error("git can't sign the tag: {}", escaped(.reason))]
    NotSigned {
        /// What git said.
        reason: String,
    },
    /// A git process failed.
    #[error("`git {command}` failed: {}", escaped(.reason))]
    Process {
        /// The subcommand.
        command: String,
        /// The last lines of its standard error, without credentials.
        reason: String,
    },
}

impl From<BrokenLink> for GitError {
    fn from(link: BrokenLink) -> Self {
        Self::BrokenLink(link)
    }
}

fn listed(before: &str, names: &[RemoteName], after: &str) -> String {
    if names.is_empty() {
        return String::new();
    }
    let names: Vec<_> = names.iter().map(RemoteName::as_str).collect();
    format!("{before}{}{after}", names.join(", "))
}

impl GitError {
    /// The stable name of the error in JSON.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoDirectory { .. } => "no_such_directory",
            Self::NotARepository { .. } => "not_a_repository",
            Self::Variable { .. } => "git_variable",
            Self::UnusableDotGit { .. } => "unusable_dot_git",
            Self::BareNotNamed { .. } => "bare_not_named",
            Self::NotOwned { .. } => "not_owned",
            Self::BrokenGitFile { .. } => "broken_git_file",
            Self::Forbidden { .. } => "permission_denied",
            Self::Broken { .. } => "broken_repository",
            Self::Configuration { .. } => "git_configuration",
            Self::BrokenRef { .. } => "broken_ref",
            Self::NoCommit { .. } => "no_such_commit",
            Self::NoRevision { .. } => "no_such_revision",
            Self::MissingObject { .. } => "missing_object",
            Self::CorruptObject { .. } => "corrupt_object",
            Self::BrokenLink(_) => "broken_link",
            Self::TooManyLinks { .. } => "too_many_links",
            Self::NoSuchRemote { .. } => "no_such_remote",
            Self::AddressIsNoText { .. } => "address_is_no_text",
            Self::SeveralRemotes { .. } => "several_remotes",
            Self::NoIdentity { .. } => "no_identity",
            Self::NotSigned { .. } => "not_signed",
            Self::Process { .. } => "git_failed",
        }
    }

    /// What to type.
    pub fn hints(&self) -> Vec<String> {
        match self {
            Self::NotARepository { .. } => vec!["git init".to_owned()],
            Self::Variable { name, meant, .. } => {
                let meant =
                    meant.as_ref().map(|it| format!("{name}={} flowreg …", quoted_path(it)));
                meant.into_iter().chain([format!("unset {name}")]).collect()
            }
            // To make a repository there would be another one than the one that got lost.
            Self::UnusableDotGit { path, is_link: true, .. } => {
                vec![format!("ln -sfn <the repository's git directory> {}", quoted_path(path))]
            }
            Self::UnusableDotGit { path, is_link: false, .. } => {
                vec![format!("ls -la {}", quoted_path(path)), "git init".to_owned()]
            }
            Self::BareNotNamed { directory } => vec![
                format!("GIT_DIR={} flowreg …", quoted_path(directory)),
                "git config --global safe.bareRepository all".to_owned(),
            ],
            Self::NotOwned { directory } => {
                let directory = quoted_path(directory);
                vec![format!("git config --global --add safe.directory {directory}")]
            }
            Self::BrokenGitFile { file, named } => repairs(file, named.as_deref()),
            Self::Forbidden { path } => vec![format!("ls -ld {}", quoted_path(path))],
            Self::Broken { .. }
            | Self::BrokenRef { .. }
            | Self::MissingObject { .. }
            | Self::CorruptObject { .. } => vec!["git fsck".to_owned()],
            Self::Configuration { .. } => vec!["git config --list --show-origin".to_owned()],
            Self::NoCommit { commit } => vec![format!("git fetch origin {commit}")],
            Self::NoRevision { revision, near, remote, is_shallow, .. } => {
                let near = near.as_deref().map(|near| {
                    format!("flowreg … with {} for {}", quoted(near), quoted(revision))
                });
                let fetches = fetches(revision, remote.as_ref(), *is_shallow);
                near.into_iter().chain(fetches).collect()
            }
            Self::NoSuchRemote { name, configured } => {
                let known: Vec<&str> = configured.iter().map(RemoteName::as_str).collect();
                let near = misspelt(name.as_str(), &known);
                let near = near.map(|near| format!("flowreg … --remote {}", quoted(near)));
                near.into_iter().chain([format!("git remote add {name} URL")]).collect()
            }
            Self::AddressIsNoText { name, .. } => {
                vec![format!("git remote set-url {name} URL")]
            }
            Self::SeveralRemotes { configured } => {
                configured.iter().map(|name| format!("flowreg … --remote {name}")).collect()
            }
            Self::NoIdentity { .. } => vec![
                "git config user.name NAME, and git config user.email ADDRESS".to_owned(),
                "in CI: GIT_COMMITTER_NAME and GIT_COMMITTER_EMAIL in the environment".to_owned(),
            ],
            Self::NotSigned { .. } => vec![
                "git config user.signingkey KEY; for an SSH key also git config gpg.format ssh"
                    .to_owned(),
            ],
            Self::BrokenLink(_) => vec![BrokenLink::HINT.to_owned()],
            Self::NoDirectory { .. } | Self::TooManyLinks { .. } | Self::Process { .. } => {
                Vec::new()
            }
        }
    }
}

/// What a `.git` file names, in words.
fn lost(named: Option<&Path>) -> String {
    match named {
        Some(named) => {
            format!("the git directory {}, which is no repository", escaped(named.display()))
        }
        None => "no git directory".to_owned(),
    }
}

/// What brings the git directory back that a `.git` file names: git keeps those of linked work trees in
/// `worktrees`, and those of submodules in `modules`.
fn repairs(file: &Path, named: Option<&Path>) -> Vec<String> {
    let directory = quoted_path(file.parent().unwrap_or(file));
    let is_in = |name: &str| {
        named.and_then(Path::parent).is_some_and(|parent| parent.iter().any(|part| part == name))
    };
    if is_in("worktrees") {
        vec![format!("git worktree repair {directory}, in the repository that it belongs to")]
    } else if is_in("modules") {
        vec!["git submodule update --init, in the repository that it belongs to".to_owned()]
    } else {
        Vec::new()
    }
}

/// The commands that fetch a revision which a clone may have left out.
fn fetches(revision: &str, remote: Option<&RemoteName>, is_shallow: bool) -> Vec<String> {
    let Some(remote) = remote else { return vec!["git log --oneline --all".to_owned()] };
    let branch = revision.strip_prefix(remote.as_str()).and_then(|rest| rest.strip_prefix('/'));
    let branch = branch.filter(|branch| branch.parse::<BranchName>().is_ok());
    match (branch, is_shallow) {
        (Some(branch), _) => {
            let refspec = format!("+refs/heads/{branch}:refs/remotes/{remote}/{branch}");
            vec![format!("git fetch {remote} {}", quoted(&refspec))]
        }
        (None, true) => vec![format!("git fetch --unshallow --tags {remote}")],
        (None, false) => vec![format!("git fetch --tags {remote}")],
    }
}
