//! What the files of one project say together.

use super::{ImportTarget, Layout, join, module_of, within};

/// A directory of modules: which it has, and the words that say so.
pub(super) type NamedRoot = (String, Option<Vec<String>>, String);

/// Which directories a project's packaging puts on Python's path.
#[derive(Debug, Default)]
pub(super) enum Packages {
    /// It is not installed.
    #[default]
    None,
    /// What its packaging names; nothing if it gives packages other names than their directories have.
    Named(Vec<NamedRoot>),
    /// Its packaging finds them itself: the package of the project's name, beside the `file` that asks
    /// for it or in `src`. With `all` it takes whatever `src` has.
    Discovered { file: &'static str, module: Option<String>, all: bool },
}

/// Another project of the repository that is installed with one.
#[derive(Debug)]
pub(super) enum Link {
    /// The one in a directory.
    Directory(String),
    /// Those whose directories match.
    Members { include: Vec<String>, exclude: Vec<String> },
    /// The one of a name, as modules are written.
    Named(String),
}

/// A project: the directory of a `pyproject.toml`, a `setup.py` or a file of requirements.
#[derive(Debug, Default)]
pub(super) struct Project {
    /// The name of the package.
    pub name: Option<String>,
    pub packages: Packages,
    pub links: Vec<Link>,
    /// The packages that it asks for.
    pub requires: Vec<String>,
    /// Those of them that are projects of the repository, as modules are written.
    pub local: Vec<String>,
}

impl Project {
    /// Notes what a file says of the packages; what names directories goes before what only asks to
    /// look for them.
    pub(super) fn add_packages(&mut self, packages: Packages) {
        match (&mut self.packages, packages) {
            (Packages::Named(known), Packages::Named(more)) => known.extend(more),
            (_, Packages::None) | (Packages::Named(_), Packages::Discovered { .. }) => {}
            (known, packages) => *known = packages,
        }
    }

    /// The directories that the project puts on Python's path.
    pub(super) fn roots(&self, directory: &str, layout: &Layout) -> Vec<NamedRoot> {
        match &self.packages {
            Packages::None => Vec::new(),
            Packages::Named(roots) => roots.clone(),
            Packages::Discovered { file, module, all } => {
                let file = join(directory, file);
                let source = join(directory, "src");
                if *all && layout.has_directory(&source) {
                    return vec![(source, None, format!("{file}: `src` layout"))];
                }
                let module = module.clone().or_else(|| self.name.as_deref().map(module_of));
                let Some(module) = module else { return Vec::new() };
                let has = |place: &&str| {
                    let found = within(directory, place)
                        .map_or(ImportTarget::Missing, |place| layout.look_up(&place, &module));
                    found != ImportTarget::Missing
                };
                let Some(place) = [".", "src"].into_iter().find(has) else { return Vec::new() };
                let place = within(directory, place).unwrap_or_default();
                vec![(place, Some(vec![module]), format!("{file}: the package of the project"))]
            }
        }
    }
}
