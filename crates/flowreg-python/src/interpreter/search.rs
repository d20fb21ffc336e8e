//! Where a module is looked for: the directories that Prefect puts first on Python's path, and source
//! roots of the repository (docs/facts/python.md, "Source roots"). What becomes of a module once it is
//! found is decided in `imports`.

use super::Interpreter;
use crate::library::{ImportTarget, join};
use crate::source_roots::{Rooted, is_installed_with_prefect};
use crate::value::Text;

/// Where a module is looked for.
pub(super) struct ModuleSearch {
    /// In the order in which Python looks.
    pub directories: Vec<Text>,
    /// Why it is not certain which module is found, if so.
    pub doubt: Option<String>,
    /// Whether only a source root may have it that was found in the project's files.
    pub is_rooted: bool,
}

/// Where a module was found.
pub(super) enum ModuleLocation {
    /// A file, and where its submodules are: the directory of a package, or nowhere.
    File { path: String, search: Vec<Text> },
    /// The portions of a namespace package: directories without an `__init__.py`.
    Directories(Vec<Text>),
}

impl Interpreter<'_> {
    /// Whether the repository has a module of this name where Python certainly looks.
    pub(super) fn is_ours(&self, top: &str) -> bool {
        self.places().any(|directory| self.found_in(directory, top) != ImportTarget::Missing)
    }

    /// The directory of the script.
    pub(super) fn script_directory(&self) -> &str {
        self.search.first().map_or("", |directory| directory)
    }

    /// Where Python certainly looks, in this order: the script's directory, the root, and the
    /// directories that the user names.
    fn places(&self) -> impl Iterator<Item = &str> {
        let chosen = self.library.layout.source_roots.chosen().iter().map(String::as_str);
        self.search.iter().map(|directory| &**directory).chain(chosen)
    }

    /// Where a module is looked for that is not part of another: the certain places, and the source
    /// root that has it.
    pub(super) fn search_for(&self, top: &str) -> ModuleSearch {
        let roots = &self.library.layout.source_roots;
        let mut directories: Vec<Text> = self.places().map(Text::from).collect();
        let is_regular = |directory: &Text| self.found_in(directory, top) <= ImportTarget::Module;
        if directories.iter().any(is_regular) {
            let why = || format!("Prefect may have loaded the installed `{top}` before");
            let doubt = is_installed_with_prefect(top).then(why);
            return ModuleSearch { directories, doubt, is_rooted: false };
        }
        let look_up = |directory: &str| self.found_in(directory, top);
        let is_plain = self.places().any(|place| look_up(place) == ImportTarget::Directory);
        let (mut doubt, mut is_rooted) = (None, false);
        match roots.root_of(self.script_directory(), top, look_up) {
            Rooted::Several(one, other) => {
                let (one, other) = (&one.directory, &other.directory);
                doubt = Some(format!("both {one} and {other} have a module `{top}`"));
            }
            // An installed package of the name stands beside it, and either may be found.
            Rooted::In(root) if root.is_before_installed || !roots.is_dependency(top) => {
                directories.push(root.directory.as_str().into());
                is_rooted = true;
            }
            // It would go before the directory without `__init__.py` that is found.
            Rooted::In(_) | Rooted::Nowhere if is_plain && roots.may_be_another(top, look_up) => {
                doubt =
                    Some(format!("another project of the repository may have `{top}` installed"));
            }
            Rooted::In(_) | Rooted::Nowhere => {}
        }
        ModuleSearch { directories, doubt, is_rooted }
    }

    /// Whether `PYTHONPATH` puts a module of the repository before one of the standard library.
    pub(super) fn is_before_standard(&self, top: &str) -> bool {
        let mut roots = self.library.layout.source_roots.found(self.script_directory());
        roots.any(|root| {
            root.is_before_installed && self.found_in(&root.directory, top) != ImportTarget::Missing
        })
    }

    pub(super) fn found_in(&self, directory: &str, name: &str) -> ImportTarget {
        let found = self.library.layout.look_up(directory, name);
        // Also what is not there is noted: a file that is added under this name changes the answer.
        let key = (directory.to_owned(), name.to_owned());
        self.dependencies.borrow_mut().lookups.insert(key, found);
        found
    }

    pub(super) fn find(&self, search: &[Text], leaf: &str) -> Option<ModuleLocation> {
        let mut directories: Vec<Text> = Vec::new();
        for directory in search {
            let inside = join(directory, leaf);
            match self.found_in(directory, leaf) {
                ImportTarget::Package => {
                    let path = format!("{inside}/__init__.py");
                    return Some(ModuleLocation::File { path, search: vec![inside.into()] });
                }
                ImportTarget::Module => {
                    return Some(ModuleLocation::File {
                        path: format!("{inside}.py"),
                        search: Vec::new(),
                    });
                }
                ImportTarget::Directory => directories.push(inside.into()),
                ImportTarget::Broken => return None,
                ImportTarget::Missing => {}
            }
        }
        (!directories.is_empty()).then_some(ModuleLocation::Directories(directories))
    }
}
