//! Which file an entrypoint of `prefect.yaml` means, and how it is written for the worker.
//!
//! People write entrypoints from the directory of the file, from the repository's root (as
//! `prefect deploy --prefect-file dir/prefect.yaml` needs it), or from the directory in which the run starts.
//! A worker reads them from where the run starts, and only from there.

use flowreg_git::GitError;

use super::RunError;
use super::desired::Builder;
use crate::manifest::pull::RunStart;
use crate::manifest::{DeclaredEntrypoint, Entry, EntryError, Manifest};

/// Where an entrypoint leads.
pub(super) struct Located {
    /// The directory of the repository from which a run starts.
    pub root: String,
    /// The script or module, from `root`.
    pub location: DeclaredEntrypoint,
    /// As it is registered.
    pub entrypoint: String,
}

impl Builder<'_> {
    /// Finds out which file an entrypoint means. The outer error ends the run, the inner one is this
    /// deployment's.
    pub(super) fn located(
        &self,
        manifest: &Manifest,
        entry: &Entry,
        written: &str,
        start: &RunStart,
    ) -> Result<Result<Located, EntryError>, RunError> {
        let error =
            |message: String| manifest.error(entry, &["entrypoint"], "entrypoint", &message);
        let directory = manifest.directory();
        // `../etl.py:etl` leaves the directory of the file, and can be meant from there only.
        let from_root = || DeclaredEntrypoint::parse(&below(directory, written));
        let (parsed, own_base) = match DeclaredEntrypoint::parse(written) {
            Some(parsed) => (parsed, None),
            None if written.starts_with("..") => {
                let Some(parsed) = from_root() else {
                    return Ok(Err(error(format!("`{written}` leads out of the repository"))));
                };
                (parsed, Some(String::new()))
            }
            None => {
                let error = error(format!("`{written}` is not an entrypoint"));
                return Ok(Err(error.hint("path/to/file.py:function, or package.module.function")));
            }
        };
        // Where a run starts elsewhere, as in an image, nothing is known of its directories, and the
        // entrypoint stays as the user wrote it for that place.
        let RunStart::Clone { directory: root, .. } = start else {
            let located = Located {
                root: own_base.unwrap_or_else(|| directory.to_owned()),
                location: parsed,
                entrypoint: written.to_owned(),
            };
            return Ok(Ok(located));
        };
        let base = match own_base {
            Some(base) => base,
            None => match self.base(&parsed, written, directory, root)? {
                Ok(base) => base,
                Err(bases) => return Ok(Err(ambiguous(manifest, entry, written, &parsed, &bases))),
            },
        };
        let Some(location) = parsed.from(&base, root) else {
            let message = format!("`{written}` can't be loaded from {}", in_words(root));
            return Ok(Err(error(message).hint(
                "start the run in the directory of the file: a `set_working_directory` step with \
                 `{{ ID_OF_GIT_CLONE.directory }}/…`",
            )));
        };
        // An entrypoint that is right as it stands keeps its spelling (`./etl.py:etl`). That is what
        // `prefect deploy` registers, so a deployment that is taken over from it does not differ.
        let is_as_written = location == parsed && !written.starts_with("..");
        let entrypoint = if is_as_written { written.to_owned() } else { location.to_string() };
        Ok(Ok(Located { root: root.clone(), location, entrypoint }))
    }

    /// The directory from which an entrypoint is written; several if it means another file from each.
    fn base(
        &self,
        parsed: &DeclaredEntrypoint,
        written: &str,
        directory: &str,
        root: &str,
    ) -> Result<Result<String, Vec<String>>, RunError> {
        let mut bases = vec![directory];
        for base in ["", root] {
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        // `./etl.py` says that the file lies beside this one.
        if bases.len() == 1 || written.starts_with("./") {
            return Ok(Ok(directory.to_owned()));
        }
        let tree = self.referenced.tree()?;
        let mut found: Vec<String> = Vec::new();
        for base in bases {
            for file in parsed.files() {
                match tree.has_file(&below(base, &file)) {
                    Ok(true) => {
                        found.push(base.to_owned());
                        break;
                    }
                    // That a link leads nowhere is told once it is known which file is meant.
                    Ok(false) | Err(GitError::BrokenLink(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(match found.as_slice() {
            // The message names the file that is looked for beside `prefect.yaml`.
            [] => Ok(directory.to_owned()),
            [one] => Ok(one.clone()),
            _ => Err(found),
        })
    }
}

fn ambiguous(
    manifest: &Manifest,
    entry: &Entry,
    written: &str,
    parsed: &DeclaredEntrypoint,
    bases: &[String],
) -> EntryError {
    let file = parsed.files().into_iter().next().unwrap_or_default();
    let files: Vec<String> = bases.iter().map(|base| format!("`{}`", below(base, &file))).collect();
    let message = format!("`{written}` may mean {}", files.join(" or "));
    let error = manifest.error(entry, &["entrypoint"], "entrypoint", &message);
    match parsed {
        DeclaredEntrypoint::Script { .. } => error.hint(format!(
            "write `./{written}` for the one beside {}, or the whole path from the repository's root \
             for the other",
            manifest.path
        )),
        DeclaredEntrypoint::Module { .. } => {
            error.hint("name the file instead of the module: path/to/file.py:function")
        }
    }
}

fn below(base: &str, file: &str) -> String {
    if base.is_empty() { file.to_owned() } else { format!("{base}/{file}") }
}

fn in_words(root: &str) -> String {
    if root.is_empty() {
        "the repository's root, where the run starts".to_owned()
    } else {
        format!("`{root}`, where the run starts")
    }
}
