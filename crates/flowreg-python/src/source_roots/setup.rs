//! `setup.py` and `setup.cfg`: where setuptools takes packages from.

use ruff_python_ast::visitor::{Visitor, walk_expr};
use ruff_python_ast::{Expr, ExprCall, Stmt};

use super::project::{NamedRoot, Packages, Project};
use super::{join, requirements, within};
use crate::nesting;
use crate::python::Python;
use crate::source;

/// How deeply a `setup.py` may nest that is read.
const DEEPEST: usize = 50;

/// What either file says, in the same words.
#[derive(Default)]
struct Setup {
    name: Option<String>,
    /// The directory of all packages (`package_dir={"": "src"}`).
    base: Option<String>,
    /// Whether a package has another name than its directory.
    moves_packages: bool,
    /// Where packages are searched (`find_packages("src")`); the project's directory is `.`.
    search: Vec<String>,
    /// Packages and modules by name.
    modules: Vec<String>,
    requires: Vec<String>,
}

impl Setup {
    fn add_to(self, project: &mut Project, directory: &str, file: &'static str) {
        let words = |words: &str| format!("{}: {words}", join(directory, file));
        let root = |path: &str, modules: Option<Vec<String>>, why: &str| -> Option<NamedRoot> {
            Some((within(directory, path)?, modules, words(why)))
        };
        let mut roots = Vec::new();
        roots.extend(self.base.as_deref().and_then(|base| root(base, None, "package_dir")));
        roots.extend(self.search.iter().filter_map(|place| root(place, None, "find_packages")));
        if roots.is_empty() && !self.modules.is_empty() {
            let tops = self.modules.iter().filter_map(|name| name.split('.').next());
            roots.extend(root(".", Some(tops.map(str::to_owned).collect()), "packages"));
        }
        project.name = project.name.take().or(self.name);
        project.requires.extend(self.requires);
        project.add_packages(if self.moves_packages {
            Packages::Named(Vec::new())
        } else if roots.is_empty() {
            Packages::Discovered { file, module: None, all: true }
        } else {
            Packages::Named(roots)
        });
    }
}

/// Adds what `setup.cfg` says. One without packages is a file of other tools.
pub(super) fn read_cfg(text: &str, directory: &str, project: &mut Project) {
    let mut setup = Setup::default();
    let (mut section, mut key) = ("", "");
    let mut is_packaging = false;
    for line in text.lines() {
        let is_continued = line.starts_with([' ', '\t']);
        let content = line.trim();
        if content.is_empty() || content.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = content.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            (section, key) = (name, "");
            continue;
        }
        let value = match content.split_once(['=', ':']) {
            Some((name, value)) if !is_continued => {
                key = name.trim();
                value.trim()
            }
            _ => content,
        };
        is_packaging |= section == "options";
        let items = || value.split(',').map(str::trim).filter(|item| !item.is_empty());
        match (section, key) {
            ("metadata", "name") => setup.name = Some(value.to_owned()),
            ("options", "package_dir") => {
                setup.moves_packages |= items().any(|item| !item.starts_with('='));
                let bases = items().filter_map(|item| item.strip_prefix('='));
                setup.base = bases.map(|base| base.trim().to_owned()).next().or(setup.base);
            }
            ("options", "packages") if value.starts_with("find") => {
                setup.search.push(".".to_owned());
            }
            ("options", "packages" | "py_modules") => {
                setup.modules.extend(items().map(str::to_owned));
            }
            ("options.packages.find", "where") => {
                setup.search = items().map(str::to_owned).collect();
            }
            ("options", "install_requires") | ("options.extras_require", _) => {
                setup.requires.extend(requirements::name(value).map(str::to_owned));
            }
            _ => {}
        }
    }
    if is_packaging {
        setup.add_to(project, directory, "setup.cfg");
    }
}

/// Adds what the call of `setup()` in a `setup.py` says.
pub(super) fn read_py(text: &str, directory: &str, project: &mut Project) {
    // The parser is recursive, and nobody writes a `setup.py` that nests more deeply.
    if nesting::depth(text) > DEEPEST {
        return;
    }
    let Ok(parsed) = source::parse_module(text, Python::default().oldest()) else { return };
    let mut calls = SetupCalls::default();
    parsed.syntax().body.iter().for_each(|statement: &Stmt| calls.visit_stmt(statement));
    let Some(setup) = calls.setup else { return };
    setup.add_to(project, directory, "setup.py");
}

/// Finds the call of `setup()`.
#[derive(Default)]
struct SetupCalls {
    setup: Option<Setup>,
}

impl<'a> Visitor<'a> for SetupCalls {
    fn visit_expr(&mut self, expression: &'a Expr) {
        if let Expr::Call(call) = expression
            && called(call) == Some("setup")
        {
            self.setup = Some(setup(call));
        }
        walk_expr(self, expression);
    }
}

/// The last part of the name that is called.
fn called(call: &ExprCall) -> Option<&str> {
    match &*call.func {
        Expr::Name(name) => Some(name.id.as_str()),
        Expr::Attribute(attribute) => Some(attribute.attr.as_str()),
        _ => None,
    }
}

fn setup(call: &ExprCall) -> Setup {
    let mut setup = Setup::default();
    for keyword in &call.arguments.keywords {
        let Some(name) = &keyword.arg else { continue };
        match (name.as_str(), &keyword.value) {
            ("name", value) => setup.name = texts(value).into_iter().next(),
            ("package_dir", Expr::Dict(directories)) => {
                for item in &directories.items {
                    let is_base = item.key.as_ref().is_some_and(|key| texts(key) == [""]);
                    setup.moves_packages |= !is_base;
                    setup.base = texts(&item.value).into_iter().next().filter(|_| is_base);
                }
            }
            ("packages", Expr::Call(finder)) => {
                let place = finder.arguments.find_argument_value("where", 0);
                let place = place.and_then(|place| texts(place).into_iter().next());
                setup.search.push(place.unwrap_or_else(|| ".".to_owned()));
            }
            ("packages" | "py_modules", value) => setup.modules.extend(texts(value)),
            ("install_requires" | "tests_require", value) => {
                setup.requires.extend(
                    texts(value).iter().filter_map(|one| Some(requirements::name(one)?.to_owned())),
                );
            }
            _ => {}
        }
    }
    setup
}

/// A text, or the texts of a list.
fn texts(value: &Expr) -> Vec<String> {
    match value {
        Expr::StringLiteral(text) => vec![text.value.to_str().to_owned()],
        Expr::List(list) => list.elts.iter().flat_map(texts).collect(),
        Expr::Tuple(tuple) => tuple.elts.iter().flat_map(texts).collect(),
        _ => Vec::new(),
    }
}
