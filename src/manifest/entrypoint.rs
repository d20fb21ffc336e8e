//! The entrypoint of a deployment as `prefect.yaml` declares it: a script or a module.

use std::fmt;

use flowreg_model::normalized_path;

/// An entrypoint as Prefect reads it (`prefect/utilities/importtools.py`, `import_object`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum DeclaredEntrypoint {
    /// `path/to/file.py:function`: a script, from the directory of the manifest.
    Script {
        /// The file, without `./`.
        path: String,
        /// The attribute path.
        object: String,
    },
    /// `package.module:function` or `package.module.function`: imported from that directory.
    Module {
        /// The module's dotted name.
        module: String,
        /// The attribute path.
        object: String,
    },
}

impl DeclaredEntrypoint {
    /// Takes an entrypoint apart; `None` if Prefect could not load it, or if it leads out of the
    /// repository.
    pub(crate) fn parse(entrypoint: &str) -> Option<Self> {
        // Prefect decides by this text alone, so `pkg.py:flow` is never a module named `pkg.py`.
        if entrypoint.contains(".py:") {
            let (path, object) = entrypoint.rsplit_once(':')?;
            let path = plain_path(path)?;
            let is_complete = path.strip_suffix(".py").is_some() && !object.is_empty();
            return is_complete.then(|| Self::Script { path, object: object.to_owned() });
        }
        let (module, object) = match entrypoint.rsplit_once(':') {
            Some(parts) => parts,
            None => entrypoint.rsplit_once('.')?,
        };
        (is_dotted(module) && is_dotted(object))
            .then(|| Self::Module { module: module.to_owned(), object: object.to_owned() })
    }

    /// The same entrypoint for a run that starts further up: `below` is the path from there down to the
    /// directory of the manifest. `None` for a module if a directory on that path is no Python
    /// identifier, as no import can name it.
    pub(crate) fn in_directory(&self, below: &str) -> Option<Self> {
        if below.is_empty() {
            return Some(self.clone());
        }
        match self {
            Self::Script { path, object } => {
                Some(Self::Script { path: format!("{below}/{path}"), object: object.clone() })
            }
            Self::Module { module, object } => {
                let above = below.replace('/', ".");
                is_dotted(&above).then(|| Self::Module {
                    module: format!("{above}.{module}"),
                    object: object.clone(),
                })
            }
        }
    }

    /// The same entrypoint for a run that starts in `root`, if it is written from the directory `base`; both
    /// from the repository's root. `None` if no entrypoint can name it from there.
    pub(crate) fn from(&self, base: &str, root: &str) -> Option<Self> {
        if base == root {
            return Some(self.clone());
        }
        let below = |path: &str, above: &str| {
            if above.is_empty() {
                return Some(path.to_owned());
            }
            path.strip_prefix(above)?.strip_prefix('/').map(ToOwned::to_owned)
        };
        if let Some(between) = below(base, root) {
            return self.in_directory(&between);
        }
        // The run starts further down than the entrypoint begins, which then has to begin with that.
        match self {
            Self::Script { path, object } => {
                let whole = if base.is_empty() { path.clone() } else { format!("{base}/{path}") };
                Some(Self::Script { path: below(&whole, root)?, object: object.clone() })
            }
            Self::Module { module, object } => {
                let above = below(root, base)?.replace('/', ".");
                let module = module.strip_prefix(&above)?.strip_prefix('.')?.to_owned();
                Some(Self::Module { module, object: object.clone() })
            }
        }
    }

    /// The file, or the name of the module.
    pub(crate) fn container(&self) -> &str {
        match self {
            Self::Script { path, .. } => path,
            Self::Module { module, .. } => module,
        }
    }

    /// The attribute path.
    pub(crate) fn object(&self) -> &str {
        match self {
            Self::Script { object, .. } | Self::Module { object, .. } => object,
        }
    }

    /// The files in which the flow may be, from the directory of the manifest.
    pub(crate) fn files(&self) -> Vec<String> {
        match self {
            Self::Script { path, .. } => vec![path.clone()],
            Self::Module { module, .. } => Self::files_of_module(module).to_vec(),
        }
    }

    /// The files in which a module may be.
    pub(crate) fn files_of_module(module: &str) -> [String; 2] {
        let path = module.replace('.', "/");
        [format!("{path}.py"), format!("{path}/__init__.py")]
    }
}

impl fmt::Display for DeclaredEntrypoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Script { path, object } => write!(f, "{path}:{object}"),
            // With dots alone, all but the last part is taken for the module.
            Self::Module { module, object } if object.contains('.') => {
                write!(f, "{module}:{object}")
            }
            Self::Module { module, object } => write!(f, "{module}.{object}"),
        }
    }
}

fn is_dotted(name: &str) -> bool {
    name.split('.').all(|part| {
        !part.is_empty()
            && !part.starts_with(|char: char| char.is_ascii_digit())
            && part.chars().all(|char| char.is_alphanumeric() || char == '_')
    })
}

/// A relative path without `.`; `..` only where a directory is left that the path itself names.
fn plain_path(path: &str) -> Option<String> {
    // Entrypoints are also written on Windows. Workers clone on Linux most of the time, and git's
    // paths have slashes everywhere.
    let path = path.replace('\\', "/");
    // An absolute path is one of this machine, and there is none such on a worker.
    if path.starts_with('/') {
        return None;
    }
    normalized_path(&path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entrypoints_are_scripts_or_modules() {
        let parsed = |text: &str| DeclaredEntrypoint::parse(text).map(|parsed| parsed.to_string());
        assert_eq!(parsed("./flows/a.py:f").as_deref(), Some("flows/a.py:f"));
        assert_eq!(parsed("flows/../a.py:C.m").as_deref(), Some("a.py:C.m"));
        assert_eq!(parsed("pkg.mod.f").as_deref(), Some("pkg.mod.f"));
        assert_eq!(parsed("pkg.mod:f").as_deref(), Some("pkg.mod.f"));
        assert_eq!(parsed("pkg.mod:C.m").as_deref(), Some("pkg.mod:C.m"));
        assert_eq!(
            DeclaredEntrypoint::parse("pkg.mod.f").unwrap().files(),
            ["pkg/mod.py", "pkg/mod/__init__.py"]
        );
        for odd in ["f", "", "/abs/a.py:f", "../a.py:f", "a.py:", "a b.c", "x..y"] {
            assert_eq!(parsed(odd), None, "{odd}");
        }
    }
}
