//! Chains in trees that are made on the spot, and the promise: who is not affected is analysed
//! as before.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use flowreg_python::{FileAnalysis, analyse_in};

/// Files by path.
type Files = BTreeMap<String, String>;

fn files(all: &[(&str, &str)]) -> Files {
    all.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

fn changes(before: &Files, after: &Files) -> Vec<ChangedPath> {
    let removed = before.keys().filter(|path| !after.contains_key(*path));
    let removed = removed.map(|path| (path, ChangeKind::Removed));
    let others = after.iter().filter_map(|(path, text)| match before.get(path) {
        None => Some((path, ChangeKind::Added)),
        Some(old) if old != text => Some((path, ChangeKind::Modified)),
        Some(_) => None,
    });
    let all = removed.chain(others);
    all.map(|(path, kind)| ChangedPath { path: path.clone(), kind, is_submodule: false }).collect()
}

fn chain(before: &Files, after: &Files, script: &Script) -> Option<Vec<String>> {
    chain_to(&changes(before, after), after, &[], script)
}

fn chain_to(
    changes: &[ChangedPath],
    after: &Files,
    submodules: &[&str],
    script: &Script,
) -> Option<Vec<String>> {
    let paths: Vec<&str> =
        after.keys().map(String::as_str).filter(|path| is_python(path.as_bytes())).collect();
    let layout = Layout::new(paths.iter().copied());
    let mut tracer = ImportTracer::new(&layout, &paths, submodules, changes);
    let mut read = |path: &str| Ok(Imports::of(after.get(path).unwrap().as_bytes()));
    tracer.chain(script, &mut read).unwrap()
}

fn script_at(path: &str) -> Script {
    Script { path: path.to_owned(), root: String::new(), module: None }
}

/// The chain after one file is changed, added or, with `None`, removed.
fn after(before: &[(&str, &str)], path: &str, text: Option<&str>) -> String {
    let before = files(before);
    let mut after = before.clone();
    match text {
        Some(text) => after.insert(path.to_owned(), text.to_owned()),
        None => after.remove(path),
    };
    assert_ne!(before, after);
    chain(&before, &after, &script_at("flows/f.py"))
        .map_or_else(|| "-".to_owned(), |chain| chain.join(" "))
}

fn changed(tree: &[(&str, &str)], path: &str) -> String {
    after(tree, path, Some("CHANGED = 1\n"))
}

#[test]
fn a_change_reaches_a_flow_along_the_shortest_chain() {
    let tree = [
        ("flows/f.py", "import lib.x\nfrom lib.z import q\n"),
        ("lib/__init__.py", ""),
        ("lib/x.py", "from . import y\n"),
        ("lib/y.py", "from .deep import z\n"),
        ("lib/z.py", "import lib.deep.z\n"),
        ("lib/deep/z.py", ""),
        ("lib/other.py", ""),
        ("other.py", "import lib.x\n"),
    ];
    assert_eq!(changed(&tree, "flows/f.py"), "flows/f.py");
    assert_eq!(changed(&tree, "lib/y.py"), "flows/f.py lib/x.py lib/y.py");
    assert_eq!(changed(&tree, "lib/deep/z.py"), "flows/f.py lib/z.py lib/deep/z.py");
    assert_eq!(changed(&tree, "lib/__init__.py"), "flows/f.py lib/__init__.py");
    for unrelated in ["lib/other.py", "other.py", "README.md", "sql/x.sql", "lib/x.sql"] {
        assert_eq!(changed(&tree, unrelated), "-", "{unrelated}");
    }
}

#[test]
fn an_import_in_a_function_or_a_branch_counts() {
    let lazy = "def f():\n    from lib import x\nif False:\n    import lib.y\n";
    let tree = [("flows/f.py", lazy), ("lib/x.py", ""), ("lib/y.py", "")];
    assert_eq!(changed(&tree, "lib/x.py"), "flows/f.py lib/x.py");
    assert_eq!(changed(&tree, "lib/y.py"), "flows/f.py lib/y.py");
}

#[test]
fn what_comes_to_stand_before_another_module_counts_and_what_goes() {
    let tree = [("flows/f.py", "import x\n"), ("x.py", ""), ("flows/y.py", "")];
    assert_eq!(after(&tree, "flows/x.py", Some("")), "flows/f.py flows/x.py");
    assert_eq!(after(&tree, "flows/x/__init__.py", Some("")), "flows/f.py flows/x/__init__.py");
    assert_eq!(after(&tree, "x/__init__.py", Some("")), "flows/f.py x/__init__.py");
    assert_eq!(after(&tree, "x.py", None), "flows/f.py x.py");
    // The directory of a script is looked at first, and a module goes before a bare directory.
    assert_eq!(after(&tree, "flows/x/a.py", Some("")), "flows/f.py flows/x/a.py");
    let both = [("flows/f.py", "import x\n"), ("x.py", ""), ("flows/x.py", "")];
    assert_eq!(after(&both, "flows/x.py", None), "flows/f.py flows/x.py");
    assert_eq!(changed(&both, "x.py"), "-");
}

#[test]
fn packages_with_and_without_an_init_file() {
    let tree = [("flows/f.py", "from lib.a import v\n"), ("lib/a.py", ""), ("lib/b.py", "")];
    assert_eq!(after(&tree, "lib/__init__.py", Some("")), "flows/f.py lib/__init__.py");
    assert_eq!(after(&tree, "lib/c.py", Some("")), "-");
    assert_eq!(after(&tree, "lib/b.py", None), "-");
    assert_eq!(after(&tree, "flows/lib/a.py", Some("")), "flows/f.py flows/lib/a.py");
    assert_eq!(after(&tree, "flows/lib/z.py", Some("")), "flows/f.py flows/lib/z.py");
    let portion = [
        ("flows/f.py", "import lib.a\n"),
        ("flows/lib/a.py", ""),
        ("lib/__init__.py", ""),
        ("lib/a.py", ""),
    ];
    assert_eq!(changed(&portion, "lib/a.py"), "flows/f.py lib/a.py");
    assert_eq!(changed(&portion, "flows/lib/a.py"), "-");
    let package = [("flows/f.py", "import lib\n"), ("lib/__init__.py", ""), ("lib/a.py", "")];
    assert_eq!(after(&package, "lib/__init__.py", None), "flows/f.py lib/__init__.py");
    assert_eq!(changed(&package, "lib/a.py"), "-");
    let bare = [("flows/f.py", "import lib\n"), ("lib/a.py", "")];
    assert_eq!(after(&bare, "lib/a.py", None), "flows/f.py lib/a.py");
}

#[test]
fn a_star_may_import_every_module_of_a_package() {
    let tree = [
        ("flows/f.py", "from lib import *\n"),
        ("lib/__init__.py", "__all__ = ['a']\n"),
        ("lib/a.py", ""),
    ];
    assert_eq!(changed(&tree, "lib/a.py"), "flows/f.py lib/a.py");
    assert_eq!(after(&tree, "lib/b.py", Some("")), "flows/f.py lib/b.py");
    assert_eq!(changed(&tree, "other.py"), "-");
}

#[test]
fn relative_imports_start_from_the_directory() {
    let tree = [
        ("flows/f.py", "from .near import x\nimport pack.a\n"),
        ("flows/near.py", ""),
        ("near.py", ""),
        ("pack/__init__.py", ""),
        ("pack/a.py", "from .b import c\nfrom . import d\n"),
        ("pack/b.py", "from .inner import e\n"),
        ("pack/d.py", ""),
        ("pack/inner/__init__.py", "from ..g import h\n"),
        ("pack/g.py", ""),
    ];
    assert_eq!(changed(&tree, "flows/near.py"), "flows/f.py flows/near.py");
    assert_eq!(changed(&tree, "pack/d.py"), "flows/f.py pack/a.py pack/d.py");
    assert_eq!(
        changed(&tree, "pack/g.py"),
        "flows/f.py pack/a.py pack/b.py pack/inner/__init__.py pack/g.py"
    );
}

#[test]
fn what_is_not_where_python_looks_may_be_anywhere() {
    let tree = [
        ("flows/f.py", "import company.etl\nimport pandas as pd\n"),
        ("src/company/etl.py", "from company import db\nimport shared\n"),
        ("src/company/db.py", ""),
        ("libs/shared.py", ""),
        ("libs/etl.py", ""),
    ];
    assert_eq!(
        changed(&tree, "src/company/db.py"),
        "flows/f.py src/company/etl.py src/company/db.py"
    );
    assert_eq!(changed(&tree, "libs/shared.py"), "flows/f.py src/company/etl.py libs/shared.py");
    assert_eq!(after(&tree, "vendor/pandas.py", Some("")), "flows/f.py vendor/pandas.py");
    assert_eq!(after(&tree, "vendor/pandas/x.py", Some("")), "flows/f.py vendor/pandas/x.py");
    assert_eq!(changed(&tree, "libs/etl.py"), "-");
    // A plain directory gives way to a package elsewhere unless it has what is asked for.
    let plain = [
        ("flows/f.py", "from docker import errors\nfrom lib import x\n"),
        ("docker/build.py", ""),
        ("lib/x.py", ""),
        ("src/docker/errors.py", ""),
        ("src/lib/x.py", ""),
    ];
    assert_eq!(changed(&plain, "src/docker/errors.py"), "flows/f.py src/docker/errors.py");
    assert_eq!(changed(&plain, "src/lib/x.py"), "-");
    let standard = [("flows/f.py", "import json\n"), ("tools/json.py", "")];
    assert_eq!(changed(&standard, "tools/json.py"), "-");
}

#[test]
fn who_changes_the_search_path_may_mean_any_module_of_a_name() {
    let insert = "import sys\nsys.path.insert(0, 'libs')\nimport x\n";
    let tree = [
        ("flows/f.py", "import lib.setup, x\n"),
        ("lib/setup.py", insert),
        ("x.py", ""),
        ("libs/x.py", ""),
    ];
    assert_eq!(changed(&tree, "libs/x.py"), "flows/f.py libs/x.py");
    let append = insert.replace("insert(0, ", "append(");
    let tree = [("flows/f.py", &*append), ("x.py", ""), ("libs/x.py", "")];
    assert_eq!(changed(&tree, "libs/x.py"), "-");
}

#[test]
fn who_loads_modules_by_name_may_mean_all_of_them() {
    let tree = [
        ("flows/f.py", "import lib.plugins\n"),
        ("lib/plugins.py", "from importlib import import_module\nimport_module(NAME)\n"),
        ("anything.py", ""),
    ];
    assert_eq!(changed(&tree, "anything.py"), "flows/f.py lib/plugins.py anything.py");
    assert_eq!(changed(&tree, "notes.md"), "-");
}

/// The chain to a submodule that came, moved or went; the others that the commit has stay.
fn moved(tree: &[(&str, &str)], submodule: &str, others: &[&str], script: &Script) -> String {
    let after = files(tree);
    let of_kind = |kind: ChangeKind| {
        let change = ChangedPath { path: submodule.to_owned(), kind, is_submodule: true };
        let mut submodules = others.to_vec();
        submodules.extend((kind != ChangeKind::Removed).then_some(submodule));
        chain_to(&[change], &after, &submodules, script)
            .map_or_else(|| "-".to_owned(), |chain| chain.join(" "))
    };
    let chain = of_kind(ChangeKind::Modified);
    assert_eq!(of_kind(ChangeKind::Added), chain, "{submodule}");
    assert_eq!(of_kind(ChangeKind::Removed), chain, "{submodule}");
    chain
}

#[test]
fn a_submodule_affects_whoever_imports_from_below_it_wherever_it_is_on_the_path() {
    let script = script_at("flows/f.py");
    let chain = |imports: &str, submodule: &str| {
        let tree = [
            ("flows/f.py", imports),
            ("company/__init__.py", ""),
            ("company/db.py", "from company.core import q\n"),
            ("plain/a.py", ""),
        ];
        moved(&tree, submodule, &[], &script)
    };
    for (imports, submodule, expected) in [
        // Beside the script, at the root, in a plain directory.
        ("import common.x\n", "flows/common", "flows/f.py flows/common"),
        ("from .common import x\n", "flows/common", "flows/f.py flows/common"),
        ("from ..shared import x\n", "shared", "flows/f.py shared"),
        ("import common.x\n", "common", "flows/f.py common"),
        ("from libs import common\n", "libs/common", "flows/f.py libs/common"),
        ("import libs.common.deep.x\n", "libs/common", "flows/f.py libs/common"),
        ("from plain import part\n", "plain/part", "flows/f.py plain/part"),
        // In the middle of a package, also behind another file and by a star.
        ("import company.core.x\n", "company/core", "flows/f.py company/core"),
        ("import company.core.deep.x\n", "company/core/deep", "flows/f.py company/core/deep"),
        ("import company.db\n", "company/core", "flows/f.py company/db.py company/core"),
        ("from company import *\n", "company/core", "flows/f.py company/core"),
        // A name with a dot is no name of a module, but what is inside has some.
        ("import x\n", "vendor/py.common", "flows/f.py vendor/py.common"),
        // A directory of it may be in PYTHONPATH.
        ("import common.x\n", "libs/company-common", "flows/f.py libs/company-common"),
        ("def f():\n    import common\n", "libs", "flows/f.py libs"),
        ("import sys\nsys.path.insert(0, 'v')\nimport plain.a\n", "v", "flows/f.py v"),
        ("from importlib import import_module\nimport_module(N)\n", "v", "flows/f.py v"),
        // What is found before, or is known.
        ("import json\nimport prefect\n", "libs/common", "-"),
        ("import company\n", "libs/common", "-"),
        ("import plain.a\n", "libs/common", "-"),
        ("", "flows/common", "-"),
    ] {
        assert_eq!(chain(imports, submodule), expected, "{imports:?} {submodule}");
    }
}

#[test]
fn a_directory_of_a_submodule_may_be_where_a_run_starts() {
    let script = Script { root: "libs/common/src".to_owned(), ..script_at("flows/f.py") };
    let tree = [("flows/f.py", "import common.x\nimport here\n"), ("flows/here.py", "")];
    assert_eq!(moved(&tree, "libs/common", &[], &script), "flows/f.py libs/common");
    assert_eq!(moved(&tree[..1], "libs", &[], &script), "flows/f.py libs");
}

#[test]
fn what_another_submodule_has_is_not_looked_for_elsewhere() {
    let script = script_at("flows/f.py");
    for (imports, expected) in [
        ("import libs.one.x\n", "-"),
        ("from libs.one import x\n", "-"),
        ("from libs import one\n", "-"),
        ("import libs.two.x\n", "flows/f.py libs/two"),
        // It is at neither place where Python looks first.
        ("import one\n", "flows/f.py libs/two"),
    ] {
        let tree = [("flows/f.py", imports)];
        assert_eq!(moved(&tree, "libs/two", &["libs/one"], &script), expected, "{imports:?}");
    }
}

#[test]
fn links_count_under_their_name() {
    let tree = [("flows/f.py", "import linked\nfrom lib import part\n"), ("lib/a.py", "")];
    assert_eq!(changed(&tree, "linked"), "flows/f.py linked");
    assert_eq!(changed(&tree, "lib/part"), "flows/f.py lib/part");
    assert_eq!(changed(&tree, "lib/other"), "-");
}

#[test]
fn modules_are_looked_for_where_a_run_starts() {
    let tree = [
        ("teams/a/flows/f.py", "from lib import x\n"),
        ("teams/a/lib/x.py", ""),
        ("teams/b/lib/x.py", ""),
        ("lib/x.py", ""),
        ("teams/a/pack/__init__.py", "from pack.inner import g\n"),
        ("teams/a/pack/inner.py", ""),
    ];
    let script = |path: &str, module: Option<&str>| Script {
        path: path.to_owned(),
        root: "teams/a".to_owned(),
        module: module.map(str::to_owned),
    };
    let changed = |path: &str, script: &Script| {
        let before = files(&tree);
        let mut after = before.clone();
        after.insert(path.to_owned(), "CHANGED = 1\n".to_owned());
        chain(&before, &after, script).map_or_else(|| "-".to_owned(), |chain| chain.join(" "))
    };
    let of_file = script("teams/a/flows/f.py", None);
    assert_eq!(changed("teams/a/lib/x.py", &of_file), "teams/a/flows/f.py teams/a/lib/x.py");
    assert_eq!(changed("lib/x.py", &of_file), "-");
    assert_eq!(changed("teams/b/lib/x.py", &of_file), "-");
    let of_module = script("teams/a/pack/inner.py", Some("pack"));
    assert_eq!(
        changed("teams/a/pack/__init__.py", &of_module),
        "teams/a/pack/inner.py teams/a/pack/__init__.py"
    );
    assert_eq!(changed("teams/a/lib/x.py", &of_module), "-");
}

const PATHS: &[&str] = &[
    "a.py",
    "b.py",
    "json.py",
    "flows/a.py",
    "flows/b.py",
    "flows/lib/a.py",
    "lib/__init__.py",
    "lib/a.py",
    "lib/b.py",
    "lib/sub/__init__.py",
    "lib/sub/a.py",
    "lib/sub/b.py",
    "a/__init__.py",
    "a/b.py",
    "tools/a.py",
    "tools/lib/b.py",
    "flows/__init__.py",
];

const STATEMENTS: &[&str] = &[
    "import a",
    "import b as a",
    "import lib.a",
    "import lib.sub.a",
    "import a.b",
    "import json",
    "from a import X",
    "from b import *",
    "from lib import *",
    "from lib import a",
    "from lib import a, b, X",
    "from lib.sub import *",
    "from lib.sub.a import X",
    "from lib.a import X as Y",
    "from . import a",
    "from .a import X",
    "from .b import *",
    "from .sub import a",
    "from ..b import X",
    "from .. import a",
    "try:\n    import b\nexcept ImportError:\n    b = None",
    "try:\n    from lib.b import X\nexcept ImportError:\n    X = 7",
    "if X:\n    import lib.b",
    "import sys\nsys.path.insert(0, 'tools')",
    "import sys\nsys.path.append('tools')",
    "import importlib\nX = importlib.import_module('a').X",
    "__all__ = ['a', 'b', 'X']",
    "__all__ = []",
    "X = 1",
    "X = 2",
    "Y = X",
    "def __getattr__(name):\n    return 3",
];

const DEFAULTS: &[&str] =
    &["X", "Y", "a.X", "b.X", "lib.a.X", "lib.sub.a.X", "a.b.X", "json.X", "a"];

fn module() -> impl Strategy<Value = String> {
    let statement = prop::sample::select(STATEMENTS);
    prop::collection::vec(statement, 0..4).prop_map(|lines| lines.join("\n") + "\n")
}

fn script() -> impl Strategy<Value = String> {
    (module(), prop::sample::select(DEFAULTS)).prop_map(|(module, default)| {
        format!(
            "from prefect import flow\nX = 0\n{module}@flow\ndef f(x=0, y={default}):\n    pass\n"
        )
    })
}

/// Two trees with the same script, which differ in one to three files.
fn trees() -> impl Strategy<Value = (Files, Files)> {
    let path = || prop::sample::select(PATHS).prop_map(str::to_owned);
    let tree = prop::collection::btree_map(path(), module(), 2..12);
    let edits = prop::collection::vec((path(), prop::option::weighted(0.7, module())), 1..4);
    (tree, script(), edits).prop_map(|(mut before, script, edits)| {
        before.insert("flows/f.py".to_owned(), script);
        let mut after = before.clone();
        for (path, text) in edits {
            match text {
                Some(text) => after.insert(path, text),
                None => after.remove(&path),
            };
        }
        (before, after)
    })
}

fn analysis(files: &Files) -> FileAnalysis {
    let layout = Layout::new(files.keys().map(String::as_str));
    let read = |path: &str| Ok(files.get(path).cloned().unwrap_or_default().into_bytes());
    let source = files.get("flows/f.py").unwrap();
    let mut found = analyse_in(&layout, &read, "flows/f.py", source.as_bytes()).unwrap();
    found.dependencies.clear();
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn whoever_is_not_affected_is_analysed_as_before((before, after) in trees()) {
        if chain(&before, &after, &script_at("flows/f.py")).is_none() {
            prop_assert_eq!(analysis(&before), analysis(&after));
        }
    }
}
