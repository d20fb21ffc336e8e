//! Symbolic links in a tree: where they lead, as in a checkout.
//!
//! git keeps a link as a blob with the text of its target and mode 120000, and a checkout makes a link
//! of the system from it. So a path is followed as the system would follow it there. What leads out of
//! the tree is an error and not "no such file", because a worker may find something there.

use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;

use gix::objs::TreeRefIter;
use gix::objs::tree::EntryMode;

use super::tree::{TreeBlob, TreeFiles, corrupt, shown};
use super::{GitError, Tree};

/// How many links the system follows on the way to one file: Linux, path_resolution(7).
const MOST_LINKS: usize = 40;
/// The longest target of a link, in bytes: Linux, symlink(2).
const LONGEST_TARGET: usize = 4095;
/// How many files and directories may be listed under further names because of links. Links between
/// directories can multiply a small tree beyond all bounds.
const MOST_ALIASES: usize = 100_000;

/// A path that leads over a symbolic link to nothing that can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokenLink {
    /// The path that was asked for, from the root of the repository.
    pub path: String,
    /// The link on its way at which it ends; the path itself, or a directory or link before it.
    pub link: String,
    /// The text of that link.
    pub target: String,
    /// What is wrong with it.
    pub problem: LinkProblem,
}

/// Why a symbolic link can't be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkProblem {
    /// It is absolute, or has more `..` than directories to leave.
    Outside,
    /// The tree has nothing there.
    Missing,
    /// It leads to itself, or over more links than a system follows.
    Circle,
    /// It leads into a submodule, whose files are in another repository.
    Submodule,
    /// It leads to a directory, where a file is asked for.
    Directory,
    /// It leads to a directory that it lies in, so that what is below it never ends.
    Loop,
}

impl BrokenLink {
    /// What to type, or to do.
    pub const HINT: &str =
        "commit the file itself in place of the link, or a link to a file of the repository";
}

impl fmt::Display for BrokenLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { path, link, target, problem } = self;
        if path == link {
            write!(f, "`{path}` is a symbolic link to `{target}`, ")?;
        } else {
            write!(f, "`{path}` leads over the symbolic link `{link}` to `{target}`, ")?;
        }
        f.write_str(match problem {
            LinkProblem::Outside => "which is outside of the repository",
            LinkProblem::Missing => "which does not exist",
            LinkProblem::Circle => "which leads in a circle",
            LinkProblem::Submodule => "which is in a submodule",
            LinkProblem::Directory => "which is a directory",
            LinkProblem::Loop => "a directory that the link itself is in",
        })
    }
}

/// What is at a path once all links are followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TreeEntry {
    /// Where it is itself, from the root of the repository.
    pub path: Vec<u8>,
    /// A directory, a file or a submodule.
    pub mode: EntryMode,
    /// The object.
    pub id: gix::ObjectId,
}

/// An entry of one directory.
#[derive(Debug)]
struct DirectoryEntry {
    name: Vec<u8>,
    mode: EntryMode,
    id: gix::ObjectId,
}

/// A part of the way that is still ahead.
enum Step {
    Name(Vec<u8>),
    /// Here ends the target of the link that was followed last.
    LinkEnd,
}

/// Follows paths in one tree, and keeps the directories that it reads.
pub(super) struct PathResolver<'t> {
    tree: &'t Tree,
    directories: HashMap<gix::ObjectId, Rc<[DirectoryEntry]>>,
}

impl<'t> PathResolver<'t> {
    pub(super) fn new(tree: &'t Tree) -> Self {
        Self { tree, directories: HashMap::new() }
    }

    /// What is at a path from the root of the repository; `None` if there is nothing.
    ///
    /// # Errors
    /// Outside what reading an object met, inside a link on the way that can't be followed.
    pub(super) fn resolve(
        &mut self,
        path: &[u8],
    ) -> Result<Result<Option<TreeEntry>, BrokenLink>, GitError> {
        // The directories from the root to where the way has come, and what it ends at if that is no
        // directory.
        let mut way: Vec<(Vec<u8>, gix::ObjectId)> = Vec::new();
        let mut end: Option<(Vec<u8>, EntryMode, gix::ObjectId)> = None;
        let mut ahead = steps(path);
        // The links whose targets are being followed: path and target of each.
        let mut open: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut followed = 0;
        loop {
            let problem = match ahead.pop() {
                None => break,
                Some(Step::LinkEnd) => {
                    open.pop();
                    continue;
                }
                // `file/.` is not the file: what stands before a slash has to be a directory.
                Some(Step::Name(name)) if name == b"." => match &end {
                    Some((_, mode, _)) if !mode.is_commit() => LinkProblem::Missing,
                    _ => continue,
                },
                Some(Step::Name(name)) if name == b".." => match end.take() {
                    None if way.pop().is_some() => continue,
                    None => LinkProblem::Outside,
                    // The directory of a submodule is there in a checkout; a file has nothing above.
                    Some((_, mode, _)) if mode.is_commit() => continue,
                    Some(_) => LinkProblem::Missing,
                },
                Some(Step::Name(_)) if end.is_some() => match &end {
                    Some((_, mode, _)) if mode.is_commit() => LinkProblem::Submodule,
                    _ => LinkProblem::Missing,
                },
                Some(Step::Name(name)) => {
                    let id = way.last().map_or(self.tree.repository_root(), |(_, id)| *id);
                    let directory = joined(&way);
                    let entries = self.entries(id, &directory)?;
                    match entries.iter().find(|entry| entry.name == name) {
                        None => LinkProblem::Missing,
                        Some(entry) if entry.mode.is_tree() => {
                            way.push((name, entry.id));
                            continue;
                        }
                        Some(entry) if entry.mode.is_link() => {
                            let link = below(&directory, &name);
                            let target = self.tree.link_target(entry.id, &link)?;
                            followed += 1;
                            open.push((link, target.clone()));
                            if followed > MOST_LINKS {
                                open.truncate(1);
                                LinkProblem::Circle
                            } else if target.starts_with(b"/") {
                                LinkProblem::Outside
                            } else if target.is_empty() || target.len() > LONGEST_TARGET {
                                LinkProblem::Missing
                            } else {
                                ahead.push(Step::LinkEnd);
                                ahead.extend(steps(&target));
                                continue;
                            }
                        }
                        Some(entry) => {
                            end = Some((name, entry.mode, entry.id));
                            continue;
                        }
                    }
                }
            };
            // Without a link on the way the path names something that is not there.
            return Ok(match open.last() {
                None => Ok(None),
                Some((link, target)) => Err(broken(path, link, target, problem)),
            });
        }
        let directory = joined(&way);
        Ok(Ok(Some(match end {
            Some((name, mode, id)) => TreeEntry { path: below(&directory, &name), mode, id },
            None => TreeEntry {
                path: directory,
                mode: gix::objs::tree::EntryKind::Tree.into(),
                id: way.last().map_or(self.tree.repository_root(), |(_, id)| *id),
            },
        })))
    }

    fn entries(
        &mut self,
        id: gix::ObjectId,
        path: &[u8],
    ) -> Result<Rc<[DirectoryEntry]>, GitError> {
        if let Some(known) = self.directories.get(&id) {
            return Ok(Rc::clone(known));
        }
        let mut buffer = Vec::new();
        let data = self.tree.directory(id, path, &mut buffer)?;
        let entries: Result<Rc<[DirectoryEntry]>, GitError> =
            TreeRefIter::from_bytes(data, id.kind())
                .map(|entry| {
                    let entry = entry.map_err(|error| corrupt(id, path, &error))?;
                    Ok(DirectoryEntry {
                        name: entry.filename.to_vec(),
                        mode: entry.mode,
                        id: entry.oid.to_owned(),
                    })
                })
                .collect();
        let entries = entries?;
        self.directories.insert(id, Rc::clone(&entries));
        Ok(entries)
    }
}

/// A link that was met while a tree was listed.
pub(super) struct ListedLink {
    /// As it is seen in the list, from the directory that is listed.
    pub path: Vec<u8>,
    /// Where it is itself, from the root of the repository.
    pub at: Vec<u8>,
    /// The link's own object.
    pub id: gix::ObjectId,
    /// The link that leads to the directory in which this one was found.
    behind: Option<Rc<ListedLink>>,
}

impl ListedLink {
    pub(super) fn new(path: Vec<u8>, at: Vec<u8>, id: gix::ObjectId) -> Self {
        Self { path, at, id, behind: None }
    }

    /// Whether it, or a link on the way to it, lies in a directory: to enter that would never end.
    fn is_in(&self, directory: &[u8]) -> bool {
        let mut link = Some(self);
        while let Some(one) = link {
            if is_below(&one.at, directory) {
                return true;
            }
            link = one.behind.as_deref();
        }
        false
    }
}

/// Which paths a list of a tree is to have.
pub(super) struct Wanted<'w> {
    pub directory: &'w mut dyn FnMut(&[u8], bool) -> bool,
    pub file: &'w mut dyn FnMut(&[u8]) -> bool,
}

/// Adds to a list what links lead to: files, and all that is below directories.
pub(super) fn add_linked(
    tree: &Tree,
    links: Vec<ListedLink>,
    wanted: &mut Wanted<'_>,
    found: &mut TreeFiles,
) -> Result<(), GitError> {
    tree.fetch_blobs(links.iter().map(|link| link.id))?;
    let mut resolver = PathResolver::new(tree);
    let mut open = links;
    let mut aliases = 0;
    while let Some(link) = open.pop() {
        let entry = match resolver.resolve(&link.at)? {
            Ok(Some(entry)) => entry,
            // A link that was listed is there.
            Ok(None) => continue,
            Err(error) => {
                found.broken.push((TreeBlob::new(link.path, link.id), error));
                continue;
            }
        };
        if entry.mode.is_blob() && (wanted.file)(&link.path) {
            aliases += 1;
            found.blobs.push(TreeBlob::linked(link.path, entry.id, entry.path));
        } else if entry.mode.is_tree() && (wanted.directory)(&link.path, true) {
            if link.is_in(&entry.path) {
                let target = tree.link_target(link.id, &link.at)?;
                let error = broken(&link.at, &link.at, &target, LinkProblem::Loop);
                found.broken.push((TreeBlob::new(link.path, link.id), error));
                continue;
            }
            aliases += 1;
            found.directories.push((link.path.clone(), entry.path.clone()));
            let mut directories = vec![(link.path.clone(), entry.path, entry.id)];
            let link = Rc::new(link);
            while let Some((path, at, id)) = directories.pop() {
                for entry in &*resolver.entries(id, &at)? {
                    let (path, at) = (below(&path, &entry.name), below(&at, &entry.name));
                    let is_link = entry.mode.is_link();
                    let is_entered =
                        (is_link || entry.mode.is_tree()) && (wanted.directory)(&path, is_link);
                    if entry.mode.is_tree() && is_entered {
                        aliases += 1;
                        directories.push((path, at, entry.id));
                    } else if entry.mode.is_blob() && (wanted.file)(&path) {
                        aliases += 1;
                        found.blobs.push(TreeBlob::linked(path, entry.id, at));
                    } else if is_link && (is_entered || (wanted.file)(&path)) {
                        let (id, behind) = (entry.id, Some(Rc::clone(&link)));
                        open.push(ListedLink { path, at, id, behind });
                    }
                }
            }
        }
        if aliases > MOST_ALIASES {
            return Err(GitError::TooManyLinks { most: MOST_ALIASES });
        }
    }
    Ok(())
}

fn broken(path: &[u8], link: &[u8], target: &[u8], problem: LinkProblem) -> BrokenLink {
    BrokenLink { path: shown(path), link: shown(link), target: shown(target), problem }
}

/// The error for a path that leads over a link to a directory, where a file is asked for.
pub(super) fn leads_to_directory(path: &[u8], entry: &TreeEntry) -> BrokenLink {
    broken(path, path, &entry.path, LinkProblem::Directory)
}

/// The parts of a path, the first one last. A slash or two at the end or in between are like `.`.
fn steps(path: &[u8]) -> Vec<Step> {
    let names = path.split(|byte| *byte == b'/').rev();
    let names = names.map(|name| if name.is_empty() { b"." } else { name });
    names.map(|name| Step::Name(name.to_vec())).collect()
}

fn joined(way: &[(Vec<u8>, gix::ObjectId)]) -> Vec<u8> {
    way.iter().map(|(name, _)| name.as_slice()).collect::<Vec<_>>().join(&b'/')
}

/// The path of `name` in a directory; the root is the empty path.
pub(super) fn below(directory: &[u8], name: &[u8]) -> Vec<u8> {
    if directory.is_empty() { name.to_vec() } else { [directory, b"/", name].concat() }
}

/// Whether a path is in a directory or below.
fn is_below(path: &[u8], directory: &[u8]) -> bool {
    directory.is_empty() || path.strip_prefix(directory).is_some_and(|rest| rest.starts_with(b"/"))
}
