//! Source roots: the directories from which Python imports besides the script's own and the working
//! directory, and the packages that are installed beside them.
//!
//! A module of the repository that stands in neither of the first two directories can be imported only
//! if something puts its directory on Python's path. What is read here are the files of a project that
//! say so: its packaging (`pyproject.toml`, `setup.py`, `setup.cfg`), requirements, `PYTHONPATH` in a
//! Dockerfile or `prefect.yaml`. A directory that merely looks like a source root is none, because a
//! worker may import another module of that name (docs/facts/python.md, "Source roots").

mod environment;
mod project;
mod pyproject;
mod requirements;
mod setup;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use super::library::{ImportTarget, Layout, join};
use project::{Link, Project};

/// A directory from which Python imports, as the files of the repository say.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceRoot {
    /// The directory; paths are from the root of the layout.
    pub directory: String,
    /// Scripts below this directory import from it.
    pub scope: String,
    /// The modules that are found there; `None` if all are.
    pub modules: Option<Vec<String>>,
    /// Whether Python looks there before it looks at installed packages, as in `PYTHONPATH`. An
    /// installed project stands beside the others.
    pub is_before_installed: bool,
    /// The file and the words in it that say so.
    pub why: String,
}

impl SourceRoot {
    fn may_have(&self, script_directory: &str, module: &str) -> bool {
        is_within(script_directory, &self.scope)
            && self.modules.as_ref().is_none_or(|only| only.iter().any(|name| name == module))
    }
}

/// Where Python looks besides the script's directory and the working directory, and which packages are
/// installed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct SourceRoots {
    /// The directories that the user names, in their order. With them, no others count.
    chosen: Option<Vec<String>>,
    found: Vec<SourceRoot>,
    dependencies: Dependencies,
}

/// The packages that a project asks for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
struct Dependencies {
    /// Their names, as modules are written: `scikit_learn`.
    names: BTreeSet<String>,
    /// The first parts of names that have several: `google` of `google-cloud-storage`.
    families: BTreeSet<String>,
}

impl Dependencies {
    fn add(&mut self, package: &str) {
        self.names.insert(module_of(package));
        if let Some((family, _)) = package.split_once(['-', '.']) {
            self.families.insert(family.to_lowercase());
        }
    }
}

/// The name of a package as its module is most likely called.
fn module_of(package: &str) -> String {
    package.to_lowercase().replace(['-', '.'], "_")
}

/// What the source roots say about a module's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rooted<'r> {
    /// No source root has it.
    Nowhere,
    /// This one has it.
    In(&'r SourceRoot),
    /// Several have it, and in which order Python looks is not known.
    Several(&'r SourceRoot, &'r SourceRoot),
}

impl SourceRoots {
    /// Whether a file can say something about source roots or installed packages.
    pub fn is_project_file(path: &str) -> bool {
        let name = path.rsplit('/').next().unwrap_or(path);
        matches!(name, "pyproject.toml" | "setup.cfg" | "setup.py" | "prefect.yaml")
            || requirements::is_requirements(name)
            || environment::is_dockerfile(name)
    }

    /// Reads the project files of a tree, given by path and text. The directories that the user has
    /// `chosen` take the place of those that the files name.
    pub fn of_project(
        files: &[(String, String)],
        layout: &Layout,
        chosen: Option<Vec<String>>,
    ) -> Self {
        let mut projects: BTreeMap<&str, Project> = BTreeMap::new();
        let mut roots = SourceRoots { chosen, ..SourceRoots::default() };
        for (path, text) in files {
            let (directory, name) = path.rsplit_once('/').unwrap_or(("", path));
            if name == "prefect.yaml" {
                roots.found.extend(environment::of_manifest(text, path, layout));
                continue;
            }
            if environment::is_dockerfile(name) {
                roots.found.extend(environment::of_dockerfile(text, path, layout));
                continue;
            }
            let project = projects.entry(directory).or_default();
            match name {
                "pyproject.toml" => pyproject::read(text, directory, project),
                "setup.cfg" => setup::read_cfg(text, directory, project),
                "setup.py" => setup::read_py(text, directory, project),
                _ => requirements::read(text, directory, project),
            }
        }
        for project in projects.values() {
            let own = project.name.as_deref().map(module_of);
            let is_foreign = |package: &&String| {
                Some(module_of(package)) != own && !project.local.contains(&module_of(package))
            };
            project.requires.iter().filter(is_foreign).for_each(|one| roots.dependencies.add(one));
        }
        for scope in projects.keys() {
            roots.found.extend(roots_of(scope, &projects, layout));
        }
        // The root of the layout is where Python looks anyway.
        roots
            .found
            .retain(|root| !root.directory.is_empty() && layout.has_directory(&root.directory));
        roots.found.sort();
        roots.found.dedup();
        if roots.chosen.is_some() {
            roots.found.clear();
        }
        roots
    }

    /// All directories from which a script in a directory imports, those that the user names first.
    pub fn directories(&self, script_directory: &str) -> Vec<String> {
        let found = self.found(script_directory).map(|root| &root.directory);
        let mut directories: Vec<String> = self.chosen().iter().chain(found).cloned().collect();
        directories.dedup();
        directories
    }

    /// The directories that the user names, in their order.
    pub fn chosen(&self) -> &[String] {
        self.chosen.as_deref().unwrap_or_default()
    }

    /// The source roots that were found in the project's files, for scripts in a directory.
    pub fn found(&self, script_directory: &str) -> impl Iterator<Item = &SourceRoot> {
        self.found.iter().filter(move |root| is_within(script_directory, &root.scope))
    }

    /// All source roots that may have a module, for scripts anywhere.
    pub fn directories_for(&self, module: &str) -> impl Iterator<Item = &str> {
        let found = self.found.iter().filter(move |root| root.may_have(&root.scope, module));
        let chosen = self.chosen().iter();
        chosen.map(String::as_str).chain(found.map(|root| &*root.directory))
    }

    /// Whether the source roots are the same for the scripts of two directories.
    pub(crate) fn are_same(&self, one: &str, other: &str) -> bool {
        let pairs = |directory| self.found(directory).map(std::ptr::from_ref);
        pairs(one).eq(pairs(other))
    }

    /// Which source root has a module that a script in a directory imports. `look_up` says what a
    /// directory has under the name.
    pub(crate) fn root_of(
        &self,
        script_directory: &str,
        module: &str,
        look_up: impl Fn(&str) -> ImportTarget,
    ) -> Rooted<'_> {
        let mut first: Option<&SourceRoot> = None;
        for root in self.found.iter().filter(|root| root.may_have(script_directory, module)) {
            match first {
                // One directory for two reasons: the one that puts it further to the front counts.
                Some(known) if known.directory == root.directory => {
                    first = Some(if root.is_before_installed { root } else { known });
                }
                _ if look_up(&root.directory) == ImportTarget::Missing => {}
                Some(known) => return Rooted::Several(known, root),
                None => first = Some(root),
            }
        }
        first.map_or(Rooted::Nowhere, Rooted::In)
    }

    /// Whether another project of the repository may have a package of this name installed, although
    /// nothing says that it is where the script runs.
    pub(crate) fn may_be_another(
        &self,
        module: &str,
        mut look_up: impl FnMut(&str) -> ImportTarget,
    ) -> bool {
        self.found.iter().filter(|root| root.may_have(&root.scope, module)).any(|root| {
            matches!(look_up(&root.directory), ImportTarget::Package | ImportTarget::Module)
        })
    }

    /// Whether a package of this name is installed, because the project or Prefect asks for it.
    pub fn is_dependency(&self, module: &str) -> bool {
        self.dependencies.names.contains(&*module.to_lowercase())
            || is_installed_with_prefect(module)
    }

    /// Whether an installed package may have modules below this name. Such a package goes before
    /// directories that have no `__init__.py`.
    pub(crate) fn may_be_installed(&self, module: &str) -> bool {
        self.is_dependency(module) || self.dependencies.families.contains(&*module.to_lowercase())
    }
}

/// The roots of a project and of those that are installed with it.
fn roots_of(scope: &str, projects: &BTreeMap<&str, Project>, layout: &Layout) -> Vec<SourceRoot> {
    let mut roots = Vec::new();
    let mut seen = BTreeSet::from([scope]);
    let mut open = VecDeque::from([scope]);
    while let Some(directory) = open.pop_front() {
        let Some(project) = projects.get(directory) else { continue };
        roots.extend(project.roots(directory, layout).into_iter().map(|(root, modules, why)| {
            let (scope, is_before_installed) = (scope.to_owned(), false);
            SourceRoot { directory: root, scope, modules, is_before_installed, why }
        }));
        for link in &project.links {
            let linked = |directory: &&str, other: &Project| match link {
                Link::Directory(path) => path == directory,
                Link::Members { include, exclude } => {
                    globs(include).is_match(directory) && !globs(exclude).is_match(directory)
                }
                Link::Named(name) => {
                    other.name.as_deref().is_some_and(|own| module_of(own) == *name)
                }
            };
            let next = projects.iter().filter(|(directory, other)| linked(directory, other));
            open.extend(next.map(|(directory, _)| *directory).filter(|next| seen.insert(next)));
        }
    }
    roots
}

/// The globs that can be compiled: a member that is named by another has no say.
fn globs(patterns: &[String]) -> GlobSet {
    let mut set = GlobSetBuilder::new();
    let glob = |pattern: &String| GlobBuilder::new(pattern).literal_separator(true).build().ok();
    patterns.iter().filter_map(glob).for_each(|glob| {
        set.add(glob);
    });
    set.build().unwrap_or_default()
}

/// Whether a directory is another one or below it.
fn is_within(directory: &str, above: &str) -> bool {
    match directory.strip_prefix(above) {
        Some(rest) => above.is_empty() || rest.is_empty() || rest.starts_with('/'),
        None => false,
    }
}

/// A path in a project file, from the root of the layout; `None` if it leads out of it.
fn within(directory: &str, relative: &str) -> Option<String> {
    if relative.starts_with('/') {
        return None;
    }
    let mut parts: Vec<&str> = directory.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// Whether Prefect brings a package of this name. The names are those of everything that is installed
/// with Prefect 3.8.8 (`importlib.metadata.packages_distributions`); it has imported half of them by the
/// time a script runs, so that a module of the repository of that name is not reached.
pub(crate) fn is_installed_with_prefect(module: &str) -> bool {
    INSTALLED_WITH_PREFECT.binary_search(&module).is_ok()
}

#[rustfmt::skip]
const INSTALLED_WITH_PREFECT: &[&str] = &[
    "aiosqlite", "alembic", "amplitude", "annotated_doc", "annotated_types", "anyio", "apprise",
    "asgi_lifespan", "asyncpg", "attr", "attrs", "beartype", "burner_redis", "cachetools", "certifi",
    "cffi", "charset_normalizer", "click", "cloudpickle", "colorama", "coolname", "cronsim",
    "cryptography", "cyclopts", "dateparser", "dateparser_cli", "dateparser_data", "dateparser_scripts",
    "dateutil", "docker", "docket", "docstring_parser", "dotenv", "exceptiongroup", "fastapi", "fsspec",
    "graphviz", "greenlet", "griffe", "griffecli", "h11", "h2", "hpack", "httpcore", "httpx", "humanize", "hyperframe", "idna",
    "jinja2", "jinja2_humanize_extension", "jsonpatch", "jsonpatch_cli", "jsonpointer", "jsonschema",
    "jsonschema_specifications", "key_value", "mako", "markdown", "markdown_it", "markupsafe", "mdurl",
    "oauthlib", "opentelemetry", "orjson", "packaging", "pathspec", "pendulum", "pluggy",
    "prometheus_client", "pycparser", "pydantic_extra_types", "pydantic_settings", "pygments",
    "pythonjsonlogger", "pytz", "readchar", "redis", "referencing", "regex", "requests",
    "requests_oauthlib", "rfc3339_validator", "rich", "rich_rst", "rpds", "ruamel", "semver",
    "shellingham", "six", "slugify", "sniffio", "sqlalchemy", "starlette", "text_unidecode", "toml",
    "typer", "typing_inspection", "tzdata", "tzlocal", "uncalled_for", "urllib3", "uvicorn",
    "websockets", "yaml",
];

#[cfg(test)]
mod tests;
