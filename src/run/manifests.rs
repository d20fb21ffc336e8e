//! The `prefect.yaml` files at a reference: which count, which can't be read, and what is to be said of
//! those that declare nothing or that nobody reads.

use std::collections::HashSet;

use super::error::ConfigurationError;
use super::request::Notice;
use super::{Referenced, RunError};
use crate::manifest::{FilePlace, Manifest, ManifestError, Steps};
use crate::scan::Selection;
use crate::settings::{MANIFEST_NAME, Settings};
use flowreg_git::{GitError, Tree, TreeBlob, TreeFiles};
use flowreg_model::{FlowProblem, ProblemCode};

/// The manifests at a reference.
#[derive(Default)]
pub(super) struct Manifests {
    files: Vec<Manifest>,
    broken: Vec<ManifestError>,
    /// Whether `[manifest] files` names them.
    are_named: bool,
}

impl Manifests {
    /// Whether the repository says which deployments there are, even if it says that there are none.
    ///
    /// A file without the key `deployments` speaks of something else, such as the steps for
    /// `prefect deploy FILE`, unless the user names it as one that declares deployments. With the key
    /// it is the list that counts, also an empty one: all of its entries may be commented out.
    pub(super) fn declare_deployments(&self) -> bool {
        let says = |file: &Manifest| self.are_named || file.has_deployments;
        !self.broken.is_empty() || self.files.iter().any(says)
    }

    /// What is to be said of files that declare no deployment that could be registered.
    pub(super) fn without_deployments(&self) -> Option<Notice> {
        let is_empty = |file: &&Manifest| file.entries.is_empty() && file.failed.is_empty();
        let empty: Vec<&str> =
            self.files.iter().filter(is_empty).map(|file| file.path.as_str()).collect();
        let (last, others) = empty.split_last()?;
        let (names, verb) = match others {
            [] => ((*last).to_owned(), "declares"),
            others => (format!("{} and {last}", others.join(", ")), "declare"),
        };
        let is_all = empty.len() == self.files.len() && self.broken.is_empty();
        let what = if is_all { "nothing is registered" } else { "nothing of that is registered" };
        Some(Notice::from(format!("{names} {verb} no deployments: {what}")))
    }

    /// What is to be said of a file that does not say which deployments there are.
    pub(super) fn silent_about_deployments(&self) -> Option<Notice> {
        let file = self.files.first()?;
        let has_steps = file.steps != Steps::default();
        let steps = if has_steps { ", and the file's steps are not used" } else { "" };
        Some(Notice::from(format!(
            "{} has no key `deployments`: every flow gets one{steps}",
            file.path
        )))
    }

    fn add(&mut self, path: &str, bytes: &[u8]) {
        match Manifest::read(path, bytes) {
            Ok(manifest) => self.files.push(manifest),
            Err(error) => self.broken.push(error),
        }
    }

    /// What is wrong with files and with entries of them.
    pub(super) fn problems(&self) -> impl Iterator<Item = FlowProblem> {
        let of_entries = self.files.iter().flat_map(|file| &file.failed);
        let of_entries = of_entries.map(|error| problem(&error.place, error.message.clone()));
        self.broken().chain(of_entries)
    }

    /// What is wrong with files as a whole.
    pub(super) fn broken(&self) -> impl Iterator<Item = FlowProblem> {
        self.broken.iter().map(|error| problem(&error.place, error.message.clone()))
    }

    /// The files that could be read.
    pub(super) fn files(&self) -> &[Manifest] {
        &self.files
    }

    /// Tells of `prefect.yaml` files that nobody reads, as they lie deeper and no setting names them.
    pub(super) fn unread(
        &self,
        listed: &TreeFiles,
        is_excluded: impl Fn(&str) -> bool,
    ) -> Option<Notice> {
        if self.are_named {
            return None;
        }
        // The file at the root may be a link to one that lies deeper.
        let root = listed.blobs.iter().find(|blob| blob.path == MANIFEST_NAME.as_bytes());
        let read = root.and_then(|blob| blob.target.as_ref());
        let paths = listed.blobs.iter();
        let paths = paths.filter(|blob| blob.target.is_none() && Some(&blob.path) != read);
        let paths = paths.filter_map(|blob| std::str::from_utf8(&blob.path).ok());
        let is_manifest = |path: &&str| path.ends_with(&format!("/{MANIFEST_NAME}"));
        let unread: Vec<&str> =
            paths.filter(is_manifest).filter(|path| !is_excluded(path)).collect();
        let (first, more) = unread.split_first()?;
        let (count, verb) = match more.len() {
            0 => (format!("`{first}`"), "is"),
            1 => (format!("`{first}` and another `{MANIFEST_NAME}` below the root"), "are"),
            more => (format!("`{first}` and {more} more below the root"), "are"),
        };
        let root = self.files.iter().any(|file| file.path == MANIFEST_NAME);
        let root = if root { format!("\"{MANIFEST_NAME}\", ") } else { String::new() };
        let named = match unread.len() {
            1 => format!("[{root}\"{first}\"]"),
            _ => format!("[\"**/{MANIFEST_NAME}\"]"),
        };
        Some(Notice::from(format!(
            "{count} {verb} not read: to register what is declared there, put into flowreg.toml: \
             [manifest] files = {named}"
        )))
    }
}

impl Referenced<'_> {
    /// Reads the manifests at the commit.
    pub(super) fn manifests(&self) -> Result<Manifests, RunError> {
        let tree = self.tree()?;
        let globs = self.configured.settings.manifests.as_ref();
        let mut manifests = Manifests { are_named: globs.is_some(), ..Manifests::default() };
        let Some(globs) = globs else {
            match tree.read_path(MANIFEST_NAME) {
                Ok(None) => {}
                Ok(Some(bytes)) => manifests.add(MANIFEST_NAME, &bytes),
                Err(GitError::BrokenLink(link)) => {
                    manifests.broken.push(ManifestError::of_link(MANIFEST_NAME, &link));
                }
                Err(error) => return Err(error.into()),
            }
            return Ok(manifests);
        };
        let globset = super::selection::path_globs(globs)?;
        let is_manifest =
            |path: &[u8]| std::str::from_utf8(path).is_ok_and(|path| globset.is_match(path));
        let TreeFiles { blobs, broken, .. } = tree.files(|_, _| true, is_manifest)?;
        for (link, error) in broken.iter().filter(|(link, _)| is_manifest(&link.path)) {
            let path = String::from_utf8_lossy(&link.path);
            manifests.broken.push(ManifestError::of_link(&path, error));
        }
        // Without any manifest every flow would get a default deployment. Where files are named,
        // that is never what was meant: most likely a glob is misspelt or a directory has moved.
        if blobs.is_empty() && manifests.broken.is_empty() {
            return Err(ConfigurationError::NoManifest {
                commit: self.reference.commit.clone(),
                globs: globs.clone(),
            }
            .into());
        }
        tree.fetch_missing(&blobs)?;
        let mut buffer = Vec::new();
        for blob in each_once(tree, &blobs)? {
            let path = String::from_utf8_lossy(&blob.path).into_owned();
            manifests.add(&path, tree.read(blob, &mut buffer)?);
        }
        Ok(manifests)
    }
}

impl Referenced<'_> {
    /// Tells of `prefect.yaml` files that nobody reads. `listed` are the files of the tree, if a scan
    /// has listed them; mostly one has, and then this reads nothing.
    pub(super) fn unread_manifests(
        &self,
        manifests: &Manifests,
        listed: Option<&TreeFiles>,
    ) -> Result<Option<Notice>, RunError> {
        if manifests.are_named {
            return Ok(None);
        }
        let is_manifest = |path: &[u8]| path.ends_with(MANIFEST_NAME.as_bytes());
        let fresh = match listed {
            Some(_) => TreeFiles::default(),
            None => self.tree()?.files(|_, _| true, is_manifest)?,
        };
        let Settings { include, exclude, .. } = &self.configured.settings;
        let selection = Selection::new(include, exclude)?;
        Ok(manifests.unread(listed.unwrap_or(&fresh), |path| selection.excludes(path)))
    }
}

/// Leaves out the files that stand in the list before, under another path of the same directory: a
/// link to a directory, or to a file beside it. A file that is linked from several directories counts
/// in each, as the entrypoints in it are relative to the directory.
fn each_once<'b>(tree: &Tree, blobs: &'b [TreeBlob]) -> Result<Vec<&'b TreeBlob>, GitError> {
    let mut seen = HashSet::new();
    let mut kept = Vec::new();
    // The files themselves come before the links to them.
    let (linked, own): (Vec<_>, Vec<_>) = blobs.iter().partition(|blob| blob.target.is_some());
    for blob in own.into_iter().chain(linked) {
        let path = String::from_utf8_lossy(&blob.path);
        let directory = path.rsplit_once('/').map_or("", |(directory, _)| directory);
        let directory = match &blob.target {
            None => directory.as_bytes().to_vec(),
            Some(_) => tree.subtree(directory)?.map_or_else(Vec::new, |tree| tree.path().to_vec()),
        };
        if seen.insert((directory, blob.target.clone().unwrap_or_else(|| blob.path.clone()))) {
            kept.push(blob);
        }
    }
    kept.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(kept)
}

fn problem(place: &FilePlace, message: String) -> FlowProblem {
    let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    FlowProblem {
        path: place.path.clone(),
        line: number(place.line),
        column: number(place.column),
        code: ProblemCode::Manifest,
        message,
        excerpt: None,
    }
}
