//! `pyproject.toml`: where setuptools, Hatch, Poetry, PDM, Flit, uv and Maturin take packages from, and
//! which other projects of the repository are installed as well.

use toml::{Table, Value};

use super::project::{Link, NamedRoot, Packages, Project};
use super::requirements;
use super::{join, module_of, within};

/// Adds what the file says; a file that does not parse says nothing.
pub(super) fn read(text: &str, directory: &str, project: &mut Project) {
    let Ok(table) = text.parse::<Table>() else { return };
    let file = File { table: &table, directory };
    let name = file.text(&["project", "name"]).or_else(|| file.text(&["tool", "poetry", "name"]));
    project.name = name.map(str::to_owned);
    file.dependencies(project);
    project.add_packages(file.packages());
}

struct File<'f> {
    table: &'f Table,
    directory: &'f str,
}

impl<'f> File<'f> {
    fn at(&self, path: &[&str]) -> Option<&'f Value> {
        let (first, rest) = path.split_first()?;
        rest.iter().try_fold(self.table.get(*first)?, |value, key| value.get(key))
    }

    fn text(&self, path: &[&str]) -> Option<&'f str> {
        self.at(path)?.as_str()
    }

    fn texts(&self, path: &[&str]) -> Vec<&'f str> {
        texts(self.at(path))
    }

    /// A directory that is named in the file, with the words that name it.
    fn root(&self, path: &str, modules: Option<Vec<String>>, words: &str) -> Option<NamedRoot> {
        let file = join(self.directory, "pyproject.toml");
        Some((within(self.directory, path)?, modules, format!("{file}: {words}")))
    }

    fn packages(&self) -> Packages {
        let backend = self.text(&["build-system", "build-backend"]);
        let is_poetry = self.at(&["tool", "poetry", "name"]).is_some();
        // uv installs no project without a build system unless it is told to, and pip does.
        let is_package = self.at(&["build-system"]).is_some() || is_poetry;
        let is_virtual = |path: &[&str]| self.at(path).and_then(Value::as_bool) == Some(false);
        if self.at(&["tool", "uv", "package"]).and_then(Value::as_bool).unwrap_or(is_package) {
            if is_virtual(&["tool", "poetry", "package-mode"]) {
                return Packages::None;
            }
        } else {
            return Packages::None;
        }
        let backend = backend.unwrap_or(if is_poetry { "poetry" } else { "setuptools" });
        if self.moves_packages() {
            return Packages::Named(Vec::new());
        }
        let named = if backend.contains("poetry") {
            self.poetry()
        } else if backend.starts_with("hatchling") {
            self.hatch()
        } else if backend.starts_with("uv_build") {
            self.uv_build()
        } else if backend.starts_with("pdm") {
            self.text(&["tool", "pdm", "build", "package-dir"])
                .and_then(|path| self.root(path, None, "[tool.pdm.build] package-dir"))
                .into_iter()
                .collect()
        } else if backend.starts_with("maturin") {
            self.text(&["tool", "maturin", "python-source"])
                .and_then(|path| self.root(path, None, "[tool.maturin] python-source"))
                .into_iter()
                .collect()
        } else if backend.starts_with("setuptools") {
            self.setuptools()
        } else {
            Vec::new()
        };
        if !named.is_empty() {
            return Packages::Named(named);
        }
        let all = backend.starts_with("setuptools") || backend.starts_with("pdm");
        let module = self.text(&["tool", "flit", "module", "name"]).map(str::to_owned);
        Packages::Discovered { file: "pyproject.toml", module, all }
    }

    /// Whether a package is installed under another name than its directory has.
    fn moves_packages(&self) -> bool {
        let has_name = |(key, _): (&String, &Value)| !key.is_empty();
        let setuptools = self.at(&["tool", "setuptools", "package-dir"]).and_then(Value::as_table);
        let hatch = ["sources"].iter().flat_map(|key| {
            let build = self.at(&["tool", "hatch", "build", key]);
            [build, self.at(&["tool", "hatch", "build", "targets", "wheel", key])]
        });
        let mut hatch = hatch.flatten().filter_map(Value::as_table).flatten();
        setuptools.into_iter().flatten().any(has_name)
            || hatch.any(|(_, to)| to.as_str().is_none_or(|to| !to.is_empty()))
    }

    fn setuptools(&self) -> Vec<NamedRoot> {
        let options = ["tool", "setuptools"];
        let at = |rest: &[&str]| self.at(&[&options[..], rest].concat());
        let words = "[tool.setuptools]";
        let mut roots = Vec::new();
        let package_dir = at(&["package-dir"]).and_then(Value::as_table);
        let base = package_dir.and_then(|table| table.get("")).and_then(Value::as_str);
        if let Some(base) = base {
            roots.extend(self.root(base, None, &format!("{words} package-dir")));
        }
        for place in texts(at(&["packages", "find", "where"])) {
            roots.extend(self.root(place, None, &format!("{words} packages.find.where")));
        }
        let mut names = texts(at(&["py-modules"]));
        names.extend(texts(at(&["packages"])));
        if roots.is_empty() && !names.is_empty() {
            let tops = names.iter().filter_map(|name| name.split('.').next());
            let tops = tops.map(str::to_owned).collect();
            roots.extend(self.root(".", Some(tops), &format!("{words} packages")));
        }
        if roots.is_empty() && at(&["packages", "find"]).is_some() {
            roots.extend(self.root(".", None, &format!("{words} packages.find")));
        }
        roots
    }

    fn hatch(&self) -> Vec<NamedRoot> {
        let build = ["tool", "hatch", "build"];
        let wheel = ["tool", "hatch", "build", "targets", "wheel"];
        let either = |key: &str| {
            self.at(&[&wheel[..], &[key]].concat())
                .or_else(|| self.at(&[&build[..], &[key]].concat()))
        };
        let mut roots = Vec::new();
        for package in texts(either("packages")) {
            let package = package.trim_end_matches('/');
            let (place, name) = package.rsplit_once('/').unwrap_or((".", package));
            let words = "[tool.hatch.build.targets.wheel] packages";
            roots.extend(self.root(place, Some(vec![name.to_owned()]), words));
        }
        let sources = either("sources");
        let mut stripped = texts(sources);
        // `sources = {"src" = ""}`; one with another name than `""` moves a package.
        let table = sources.and_then(Value::as_table).into_iter().flatten();
        stripped.extend(table.filter(|(_, to)| to.as_str() == Some("")).map(|(from, _)| &**from));
        for source in stripped {
            roots.extend(self.root(source, None, "[tool.hatch.build] sources"));
        }
        roots
    }

    fn poetry(&self) -> Vec<NamedRoot> {
        let packages = self.at(&["tool", "poetry", "packages"]).and_then(Value::as_array);
        let named = packages.into_iter().flatten().filter_map(|package| {
            let include = package.get("include")?.as_str()?;
            let from = package.get("from").and_then(Value::as_str).unwrap_or(".");
            let top = include.split('/').next().unwrap_or(include);
            let modules =
                (!top.contains('*')).then(|| vec![top.trim_end_matches(".py").to_owned()]);
            self.root(from, modules, "[tool.poetry] packages")
        });
        named.collect()
    }

    fn uv_build(&self) -> Vec<NamedRoot> {
        let options = ["tool", "uv", "build-backend"];
        let at = |key| self.at(&[&options[..], &[key]].concat());
        let place = at("module-root").and_then(Value::as_str).unwrap_or("src");
        let place = if place.is_empty() { "." } else { place };
        let mut modules = texts(at("module-name"));
        let own = self.text(&["project", "name"]).map(module_of);
        if modules.is_empty() {
            modules.extend(own.as_deref());
        }
        let tops = modules.iter().filter_map(|name| name.split('.').next()).map(str::to_owned);
        self.root(place, Some(tops.collect()), "build-backend uv_build").into_iter().collect()
    }

    /// The packages that the project asks for, and the projects of the repository among them.
    fn dependencies(&self, project: &mut Project) {
        let mut lists = vec![self.at(&["project", "dependencies"])];
        for groups in [
            self.at(&["project", "optional-dependencies"]),
            self.at(&["dependency-groups"]),
            self.at(&["tool", "pdm", "dev-dependencies"]),
        ] {
            let groups = groups.and_then(Value::as_table).into_iter().flatten();
            lists.extend(groups.map(|(_, list)| Some(list)));
        }
        lists.push(self.at(&["tool", "uv", "dev-dependencies"]));
        for requirement in lists.into_iter().flat_map(texts) {
            let Some(name) = requirements::name(requirement) else { continue };
            project.requires.push(name.to_owned());
        }
        let poetry = ["tool", "poetry"];
        let mut tables = vec![
            self.at(&[&poetry[..], &["dependencies"]].concat()),
            self.at(&[&poetry[..], &["dev-dependencies"]].concat()),
        ];
        let groups = self.at(&[&poetry[..], &["group"]].concat()).and_then(Value::as_table);
        tables.extend(groups.into_iter().flatten().map(|(_, group)| group.get("dependencies")));
        for (name, version) in tables.into_iter().flatten().filter_map(Value::as_table).flatten() {
            project.requires.push(name.clone());
            self.local(name, version, project);
        }
        let sources = self.at(&["tool", "uv", "sources"]).and_then(Value::as_table);
        for (name, source) in sources.into_iter().flatten() {
            self.local(name, source, project);
        }
        let members = self.texts(&["tool", "uv", "workspace", "members"]);
        if !members.is_empty() {
            let exclude = self.texts(&["tool", "uv", "workspace", "exclude"]);
            let from_here = |paths: Vec<&str>| {
                paths.iter().filter_map(|path| within(self.directory, path)).collect()
            };
            let (include, exclude) = (from_here(members), from_here(exclude));
            project.links.push(Link::Members { include, exclude });
        }
    }

    /// Notes a package that comes from a directory of the repository.
    fn local(&self, name: &str, source: &Value, project: &mut Project) {
        let path = source.get("path").and_then(Value::as_str);
        let link = match path.and_then(|path| within(self.directory, path)) {
            Some(path) => Link::Directory(path),
            None if source.get("workspace").is_some() => Link::Named(module_of(name)),
            None => return,
        };
        project.links.push(link);
        project.local.push(module_of(name));
    }
}

/// A text, or the texts of a list.
fn texts(value: Option<&Value>) -> Vec<&str> {
    match value {
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}
