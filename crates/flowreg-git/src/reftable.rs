//! Refs of a repository that keeps them as reftable, which gix can't read: one git process lists them
//! all, and they are listed again only if they have changed since.
//!
//! Every change of a ref adds a table to a stack, and every stack has a file with the names of its
//! tables (<https://git-scm.com/docs/reftable>), so a list is as good as new while these files are the same.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gix::bstr::{BStr, BString, ByteSlice};
use gix::head::Kind as HeadKind;
use gix::refs::{FullName, Target};

use super::GitError;
use super::process::Git;
use flowreg_model::CommitId;

const HEAD: &str = "HEAD";

/// The refs, read through git.
pub(super) struct Reftable {
    git: Git,
    /// The lists of tables: of the common directory, and of a linked work tree, which has a stack of its own.
    stacks: [PathBuf; 2],
    listed: Mutex<Option<(Vec<u8>, Arc<ListedRefs>)>>,
}

/// All refs at one moment.
pub(super) struct ListedRefs {
    refs: BTreeMap<BString, gix::refs::Reference>,
    /// What HEAD names, if it is no commit.
    head: Option<FullName>,
}

impl ListedRefs {
    /// The ref with this full name.
    pub(super) fn find(&self, name: &str) -> Option<gix::refs::Reference> {
        self.refs.get(BStr::new(name)).cloned()
    }

    /// The refs whose names begin with `prefix`, in the order of their names.
    pub(super) fn below(&self, prefix: &str) -> impl Iterator<Item = &gix::refs::Reference> {
        let begin = (Bound::Included(BStr::new(prefix)), Bound::Unbounded);
        let refs = self.refs.range::<BStr, _>(begin);
        refs.take_while(move |(name, _)| name.starts_with(prefix.as_bytes())).map(|(_, it)| it)
    }

    /// Where HEAD is; `None` if there is no HEAD at all.
    pub(super) fn head(&self) -> Option<HeadKind> {
        let Some(name) = &self.head else {
            let target = self.find(HEAD)?.target.try_id()?.to_owned();
            return Some(HeadKind::Detached { target, peeled: None });
        };
        Some(match self.refs.get(name.as_bstr()) {
            Some(branch) => HeadKind::Symbolic(branch.clone()),
            None => HeadKind::Unborn(name.clone()),
        })
    }
}

impl Reftable {
    pub(super) fn new(git: Git, common_dir: &Path, git_dir: &Path) -> Self {
        let stacks = [common_dir, git_dir].map(|directory| directory.join("reftable/tables.list"));
        Self { git, stacks, listed: Mutex::default() }
    }

    /// The refs as they are now.
    ///
    /// # Errors
    /// If git can't list them.
    pub(super) fn refs(&self) -> Result<Arc<ListedRefs>, GitError> {
        // The lists of tables are read first: what changes after that is seen the next time.
        let tables: Vec<u8> =
            self.stacks.iter().flat_map(|file| std::fs::read(file).unwrap_or_default()).collect();
        let known = self.listed.lock().ok().and_then(|listed| listed.clone());
        if let Some((_, refs)) = known.filter(|(of, _)| *of == tables) {
            return Ok(refs);
        }
        let refs = Arc::new(self.list()?);
        if let Ok(mut listed) = self.listed.lock() {
            *listed = Some((tables, Arc::clone(&refs)));
        }
        Ok(refs)
    }

    fn list(&self) -> Result<ListedRefs, GitError> {
        // git has `--include-root-refs`, which adds HEAD, for as long as it has reftable: since 2.45.
        let arguments = [
            "for-each-ref",
            "--include-root-refs",
            "--format=%(refname)%00%(objectname)%00%(symref)",
        ];
        let listing = self.git.run(&arguments, &[])?.check("for-each-ref")?;
        let mut head = None;
        let mut refs = BTreeMap::new();
        for line in listing.lines() {
            let mut fields = line.split(|byte| *byte == 0).map(BString::from);
            let (Some(name), Some(id), Some(symbolic)) =
                (fields.next(), fields.next(), fields.next())
            else {
                continue;
            };
            let id = gix::ObjectId::from_hex(&id);
            let (Ok(id), Ok(full)) = (id, FullName::try_from(name.clone())) else { continue };
            if name == HEAD {
                head = FullName::try_from(symbolic).ok();
            }
            let target = Target::Object(id);
            refs.insert(name, gix::refs::Reference { name: full, target, peeled: None });
        }
        // A HEAD whose branch has no commit yet is not listed.
        if !refs.contains_key(BStr::new(HEAD)) {
            head = symbolic_head(&self.git)?;
        }
        Ok(ListedRefs { refs, head })
    }

    /// What was written into the reflog of a ref, the newest first: where the ref was put, and why.
    ///
    /// # Errors
    /// If git can't read it.
    pub(super) fn reflog(&self, name: &str) -> Result<Vec<(CommitId, String)>, GitError> {
        // git fails at the reflog of a ref that is not there.
        if self.refs()?.find(name).is_none() {
            return Ok(Vec::new());
        }
        let arguments =
            ["reflog", "show", "--no-show-signature", "--no-patch", "--format=%H %gs", name, "--"];
        let listing = self.git.run(&arguments, &[])?.check("reflog")?;
        let lines = listing.lines().map(|line| line.to_str_lossy().into_owned());
        let entries = lines.filter_map(|line| {
            let (id, message) = line.split_once(' ')?;
            Some((id.parse().ok()?, message.to_owned()))
        });
        Ok(entries.collect())
    }
}

/// The ref that HEAD names; `None` if it is detached.
///
/// # Errors
/// If git can't be run.
pub(super) fn symbolic_head(git: &Git) -> Result<Option<FullName>, GitError> {
    let answer = git.run(&["symbolic-ref", "--quiet", HEAD], &[])?;
    Ok(FullName::try_from(BString::from(answer.stdout.trim_ascii_end())).ok())
}
