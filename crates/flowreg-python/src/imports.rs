//! The import statements of a file, wherever they stand: also in functions, branches and classes
//! that the analysis does not run, because a flow runs them.
//!
//! A function of the file's bytes alone. What the names lead to, and whether a change there
//! matters, is decided by whoever asks.

use memchr::memmem;
use ruff_python_ast::Stmt;
use ruff_python_ast::statement_visitor::{StatementVisitor, walk_stmt};
use serde::{Deserialize, Serialize};

use super::{nesting, source};

/// How deeply a file may nest that is read here. Only the parser recurses, so a [`super::STACK`]
/// holds more than the interpreter may use.
const DEEPEST: usize = 1000;

/// The newest minor version of Python 3 whose syntax is known: a file for any other is read, too.
const NEWEST: u8 = 14;

/// What loads modules that no import statement names.
const DYNAMIC: &[&[u8]] = &[
    b"import_module",
    b"__import__",
    b"__path__",
    b"spec_from_file_location",
    b"FileLoader",
    b"load_source",
    b"runpy",
    b"pkgutil",
    b"execfile",
    b"load_flow_from_entrypoint",
    b"load_script_as_module",
    b"import_object",
];

/// One import statement, or one name of an `import a, b`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Import {
    /// How many dots the module begins with.
    pub level: u32,
    /// The module without the dots; may be empty after dots.
    pub module: String,
    /// The names of a `from … import`, which may be modules themselves.
    pub names: Vec<String>,
    /// Whether it is `from … import *`.
    pub is_star: bool,
}

/// What a file imports.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Imports {
    /// The statements, in the order of the source.
    pub statements: Vec<Import>,
    /// Whether it may load any module: by a name that is made when it runs, or because it can't
    /// be read here.
    pub may_import_anything: bool,
    /// Whether it may put directories before those where Python looks first.
    pub changes_search_path: bool,
}

impl Imports {
    /// Reads the imports of a file's content; the caller's stack is that of an analysis.
    pub fn of(content: &[u8]) -> Self {
        // Without either word there is nothing to find, and no need to decode and parse.
        if memmem::find(content, b"import").is_none() && memmem::find(content, b"exec").is_none() {
            return Imports::default();
        }
        // What can't be read may import anything: a change must never be overlooked.
        let unreadable = Imports { may_import_anything: true, ..Imports::default() };
        let Ok(text) = source::decode(content) else { return unreadable };
        if nesting::depth(&text) > DEEPEST {
            return unreadable;
        }
        let Ok(parsed) = source::parse_module(&text, NEWEST) else { return unreadable };
        let mut found = Statements::default();
        found.visit_body(&parsed.syntax().body);
        Imports {
            statements: found.0,
            may_import_anything: is_dynamic(text.as_bytes()),
            changes_search_path: changes_search_path(text.as_bytes()),
        }
    }
}

fn is_dynamic(text: &[u8]) -> bool {
    DYNAMIC.iter().any(|word| memmem::find(text, word).is_some()) || calls_exec(text)
}

/// Whether the builtin `exec(…)` is called; `container.exec(…)` and `my_exec(…)` are something else.
fn calls_exec(text: &[u8]) -> bool {
    memmem::find_iter(text, b"exec(").any(|at| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        before.is_none_or(|byte| !byte.is_ascii_alphanumeric() && !matches!(byte, b'_' | b'.'))
    })
}

/// Whether the text changes `sys.path` other than by appending: an entry at the end is asked last,
/// so it hides nothing that was found before.
fn changes_search_path(text: &[u8]) -> bool {
    let is_append = |at: usize| {
        text.get(at + b"sys.path".len()..).is_some_and(|rest| rest.starts_with(b".append("))
    };
    memmem::find_iter(text, b"sys.path").any(|at| !is_append(at))
        || memmem::find(text, b"addsitedir").is_some()
        || memmem::find(text, b"from sys import").is_some()
}

#[derive(Default)]
struct Statements(Vec<Import>);

impl StatementVisitor<'_> for Statements {
    fn visit_stmt(&mut self, statement: &Stmt) {
        match statement {
            Stmt::Import(import) => self.0.extend(import.names.iter().map(|alias| Import {
                level: 0,
                module: alias.name.to_string(),
                names: Vec::new(),
                is_star: false,
            })),
            Stmt::ImportFrom(import) => {
                let names = import.names.iter().map(|alias| alias.name.to_string());
                // Kept apart, since `*` is no name that could be looked up.
                let (stars, names): (Vec<_>, Vec<_>) = names.partition(|name| name == "*");
                self.0.push(Import {
                    level: import.level,
                    module: import.module.as_ref().map(ToString::to_string).unwrap_or_default(),
                    names,
                    is_star: !stars.is_empty(),
                });
            }
            _ => walk_stmt(self, statement),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(source: &str) -> Vec<String> {
        let shown = |import: &Import| {
            let dots = ".".repeat(usize::try_from(import.level).unwrap());
            let star = if import.is_star { "*" } else { "" };
            format!("{dots}{} {}{star}", import.module, import.names.join(","))
        };
        Imports::of(source.as_bytes()).statements.iter().map(shown).collect()
    }

    #[test]
    fn imports_count_wherever_they_stand() {
        let source = "import a.b as c, d\nfrom e import f as g, h\nfrom . import i\n\
            from ..j.k import *\n\
            def one():\n    if x:\n        import l\n    async def two():\n        from m import n\n\
            class C:\n    try:\n        import o\n    except ImportError:\n        import p\n\
            match x:\n    case 1:\n        import q\nwith x:\n    import r\n";
        assert_eq!(
            shown(source),
            ["a.b ", "d ", "e f,h", ". i", "..j.k *", "l ", "m n", "o ", "p ", "q ", "r "]
        );
    }

    #[test]
    fn what_loads_modules_by_other_means_is_open() {
        let may_import_anything = |source: &str| Imports::of(source.as_bytes()).may_import_anything;
        for source in [
            "from importlib import import_module\nimport_module('x')\n",
            "__import__('x')\nimport a\n",
            "exec(open('x.py').read())\n",
            "import runpy\nrunpy.run_path('x.py')\n",
            "import a\ndef broken(:\n",
            "import a\nx = '\0'\n",
        ] {
            assert!(may_import_anything(source), "{source}");
        }
        assert!(may_import_anything(&format!(
            "import a\nx = {}{}\n",
            "[".repeat(2000),
            "]".repeat(2000)
        )));
        assert!(!may_import_anything(
            "import a\ncontainer.exec('x')\nmy_exec()\nimportlib.metadata.version('x')\n"
        ));
    }

    #[test]
    fn what_is_appended_to_the_search_path_hides_nothing() {
        let changes = |source: &str| Imports::of(source.as_bytes()).changes_search_path;
        assert!(!changes("import sys\nsys.path.append('lib')\n"));
        assert!(changes("import sys\nsys.path.insert(0, 'lib')\n"));
        assert!(changes("import sys\nsys.path[:0] = ['lib']\n"));
        assert!(changes("from sys import path\npath.insert(0, 'lib')\n"));
    }
}
