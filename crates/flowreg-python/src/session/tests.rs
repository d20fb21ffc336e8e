//! What scripts share changes no answer: random repositories whose modules change each other, each script
//! analysed alone, and all of them in one session in two orders.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::*;
use crate::{Layout, STACK, on_stack};

/// More than 3,000 others were tried once.
const SEED: u64 = 1;
const REPOSITORIES: u64 = 60;

/// The same sequence everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn pick<'p>(&mut self, all: &[&'p str]) -> &'p str {
        all[self.below(all.len())]
    }
}

const NAMES: &[&str] = &["one", "two", "three", "four", "five", "sixth", "seven"];

/// How a module that was imported is called here.
fn import(random: &mut Random, other: &str) -> (String, String) {
    match random.below(5) {
        0 => (format!("import {other}\n"), other.to_owned()),
        1 => (format!("import pack.{other}\n"), format!("pack.{other}")),
        2 => (format!("from pack import {other}\n"), other.to_owned()),
        3 => (format!("from pack import {other} as again\n"), "again".to_owned()),
        _ => {
            let name = random.pick(&["LIST", "TABLE", "Model", "change", "make"]);
            (
                format!(
                    "from {other} import *\nfrom {other} import {name} as taken\nimport {other}\n"
                ),
                other.to_owned(),
            )
        }
    }
}

fn statement(random: &mut Random, module: &str) -> String {
    match random.below(19) {
        0 => format!("{module}.LIST.append(7)\n"),
        1 => format!("{module}.TABLE['k'] = [1]\n"),
        2 => format!("{module}.change(3)\n"),
        3 => format!("import other_package\nother_package.use({module}.LIST)\n"),
        4 => format!("import other_package\nother_package.use({module}.change)\n"),
        5 => format!("import other_package\nother_package.use({module})\n"),
        6 => format!("{module}.COUNT = 5\n"),
        7 => format!("{module}.Model.level = 'x'\n"),
        8 => format!("SEEN = {module}.TABLE.values()\n"),
        9 => format!("MADE = {module}.make(2)\nMADE['deep'].append(1)\n"),
        10 => format!("class Sub({module}.Model):\n    extra: int = 1\n"),
        11 => format!("for name in {module}.LIST:\n    {module}.TABLE[str(name)] = name\n"),
        12 => format!("import os\nif os.environ.get('X'):\n    {module}.LIST.clear()\n"),
        13 => format!("ALIAS = {module}.LIST\nALIAS += [8]\n"),
        14 => format!(
            "from typing import List, Union\nU = List[Union[{}]]\n",
            random.pick(&["int, str", "str, int"])
        ),
        15 => format!("{module}.work.name = 'renamed'\n"),
        16 => format!("@{module}.register\ndef hook():\n    LIST.append(9)\n"),
        17 => format!(
            "try:\n    {module}.NOTHING\nexcept AttributeError:\n    MISSING = {module}.LIST\n"
        ),
        _ => format!("HERE = {{'l': {module}.LIST}}\nHERE['l'].append(4)\n"),
    }
}

fn module(random: &mut Random, name: &str) -> String {
    let mut text = String::from("from pydantic import BaseModel\nfrom prefect import flow\n");
    let mut known = Vec::new();
    for _ in 0..random.below(4) {
        let other = random.pick(NAMES);
        if other != name || random.below(8) == 0 {
            let (line, called) = import(random, other);
            text += &line;
            known.push(called);
        }
    }
    text += "LIST = [1, 2]\nTABLE = {'a': [1], 'b': LIST}\nCOUNT = 1\nHOOKS = []\n\n\n\
             def change(value):\n    LIST.append(value)\n    return LIST\n\n\n\
             def make(value):\n    return {'deep': [value], 'list': LIST}\n\n\n\
             def register(fn):\n    HOOKS.append(fn)\n    return fn\n\n\n\
             class Model(BaseModel):\n    level: str = 'low'\n    items: list = LIST\n\n\n\
             @flow\ndef work(x: int = COUNT):\n    pass\n\n\n";
    for _ in 0..random.below(4) {
        if known.is_empty() {
            break;
        }
        let called = known[random.below(known.len())].clone();
        text += &statement(random, &called);
    }
    text
}

fn script(random: &mut Random) -> String {
    let mut text = String::from("from prefect import flow\n");
    let mut known = Vec::new();
    for _ in 0..=random.below(4) {
        let other = random.pick(NAMES);
        let (line, called) = import(random, other);
        text += &line;
        known.push(called.clone());
        if random.below(2) == 0 {
            text += &statement(random, &called);
        }
    }
    text += "LIST = [0]\n";
    for called in &known {
        let name = called.replace('.', "_");
        write!(
            text,
            "\n\n@flow\ndef run_{name}(a=list({called}.LIST), b={called}.TABLE, c: {called}.Model = {called}.Model(), \
             d=len({called}.HOOKS), e={called}.COUNT):\n    pass\n"
        ).unwrap();
    }
    text
}

fn repository(random: &mut Random) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for name in NAMES {
        // Some are in the root, some in a package, some in both.
        if random.below(3) > 0 {
            files.insert(format!("{name}.py"), module(random, name));
        }
        files.insert(format!("pack/{name}.py"), module(random, name));
    }
    if random.below(2) == 0 {
        let text = if random.below(2) == 0 { module(random, "") } else { String::new() };
        files.insert("pack/__init__.py".to_owned(), text);
    }
    for number in 0..4 {
        let directory = random.pick(&["", "flows/", "jobs/"]);
        files.insert(format!("{directory}s{number}.py"), script(random));
    }
    if random.below(4) == 0 {
        files.insert("jobs/two.py".to_owned(), module(random, "two"));
    }
    files
}

/// The answer with all that it depends on in one part, and without the reasons: of several, the first one
/// counts that is met.
fn told(analysis: &FileAnalysis) -> FileAnalysis {
    let mut told = analysis.clone();
    let mut all = Dependencies::default();
    for part in &analysis.dependencies {
        let part = Dependencies::clone(part);
        all.lookups.extend(part.lookups);
        all.elsewhere.extend(part.elsewhere);
        all.files.extend(part.files);
        all.imports.extend(part.imports);
    }
    told.dependencies = vec![Arc::new(all)];
    for flow in &mut told.flows {
        for inexact in &mut flow.inexact {
            inexact.reason.clear();
        }
    }
    told
}

type Answers = BTreeMap<String, FileAnalysis>;

fn answers<'f>(
    files: &BTreeMap<String, String>,
    scripts: impl Iterator<Item = &'f String>,
    is_off: bool,
) -> Answers {
    let layout = Layout::new(files.keys().map(String::as_str));
    let sources = |path: &str| Ok(files[path].clone().into_bytes());
    let library = Library::new(&layout, &sources);
    let session = Session::new(&library);
    session.shelf.is_off.set(is_off);
    scripts
        .map(|path| (path.clone(), session.analyse(path, files[path].as_bytes()).unwrap()))
        .collect()
}

#[test]
fn what_scripts_share_changes_no_answer() {
    let (mut exact, mut all) = (0, 0);
    on_stack(STACK, || {
        for number in 0..REPOSITORIES {
            let mut random = Random(SEED * 1_000_003 + number);
            random.below(2);
            let files = repository(&mut random);
            let scripts = || files.keys().filter(|path| !path.starts_with("pack/"));
            let alone = answers(&files, scripts(), true);
            for (order, together) in [
                ("forward", answers(&files, scripts(), false)),
                ("back", answers(&files, scripts().rev(), false)),
            ] {
                for (path, expected) in &alone {
                    let found = &together[path];
                    if told(found) != told(expected) {
                        for (path, text) in &files {
                            println!("=== {path}\n{text}");
                        }
                        let (alone, together) = (told(expected), told(found));
                        let (alone, together) = (format!("{alone:#?}"), format!("{together:#?}"));
                        let differing = alone.lines().zip(together.lines()).filter(|(a, b)| a != b);
                        let differing: Vec<_> = differing.take(6).collect();
                        for analysis in [expected, found] {
                            for flow in &analysis.flows {
                                println!(
                                    "{}: {:?} {:?}",
                                    flow.entrypoint,
                                    flow.inexact,
                                    flow.parameter_openapi_schema.as_ref().map(ToString::to_string)
                                );
                            }
                            println!("{:?}", analysis.problems);
                        }
                        panic!("repository {number}, {order}, {path}: {differing:#?}");
                    }
                }
            }
            let flows = alone.values().flat_map(|analysis| &analysis.flows);
            all += flows.clone().count();
            exact += flows.filter(|flow| flow.is_exact()).count();
        }
    })
    .unwrap();
    println!("{exact} of {all} flows are exact");
    assert!(exact * 5 > all, "{exact} of {all} flows are exact: too few to say anything");
}

/// The flow `f` of a script beside modules.
fn flow_of(code: &str, expression: &str) -> flowreg_model::Flow {
    let script = format!(
        "from prefect import flow\nimport lib\n{code}\n\n\n@flow\ndef f(x={expression}):\n    pass\n"
    );
    let files = [
        ("lib.py", "L = [1]\n"),
        ("plug.py", "import lib\nlib.L.append('plug')\n"),
        ("plain.py", "import lib\nOWN = lib.L + [2]\n"),
        ("raises.py", "raise ImportError('not here')\n"),
        ("tries.py", "try:\n    import raises\nexcept ImportError:\n    pass\n"),
        ("pack/__init__.py", "def get():\n    return sub.V\n"),
        ("pack/sub.py", "V = 3\n"),
        ("s.py", script.as_str()),
    ];
    let files = files.map(|(path, text)| (path.to_owned(), text.to_owned())).into();
    let script = "s.py".to_owned();
    let answers = on_stack(STACK, || answers(&files, std::iter::once(&script), false)).unwrap();
    let analysis = &answers["s.py"];
    assert!(analysis.problems.is_empty(), "{code}: {:?}", analysis.problems);
    analysis.flows[0].clone()
}

/// The default of its parameter; `None` if the flow is not exact.
fn default_of(code: &str, expression: &str) -> Option<String> {
    let flow = flow_of(code, expression);
    let schema = flow.parameter_openapi_schema.as_ref().filter(|_| flow.is_exact())?;
    Some(schema["properties"]["x"]["default"].to_string())
}

#[test]
fn a_module_that_changes_others_and_may_be_imported_leaves_nothing_certain() {
    for code in [
        "import os\nif os.environ.get('A'):\n    import plug",
        "try:\n    import some_package\nexcept ImportError:\n    import plug",
        "import os\nfor name in os.listdir('.'):\n    import plug",
        "import os\ndef load():\n    import plug\nx = load() if os.environ.get('A') else 0",
        "from threading import Thread\ndef load():\n    import plug\nThread(target=load).start()",
        "from threading import Thread\nThread(target=lambda: __import__('plug')).start()",
        "import importlib, os\nimportlib.import_module(os.environ['A'])",
        "import runpy\nrunpy.run_module('plug')",
    ] {
        assert_eq!(default_of(code, "lib.L"), None, "{code}");
        assert!(flow_of(code, "lib.L").parameter_openapi_schema.is_none(), "{code}");
    }
    for (code, expected) in [
        ("import plug", "[1,\"plug\"]"),
        ("import importlib\nimportlib.import_module('plug')", "[1,\"plug\"]"),
        ("__import__('plug')", "[1,\"plug\"]"),
        ("import os\nif os.environ.get('A'):\n    import plain", "[1]"),
        ("try:\n    import some_package\nexcept ImportError:\n    import plain", "[1]"),
        ("import importlib\nimportlib.import_module('plain')", "[1]"),
        ("import importlib\nimportlib.import_module('some_package')", "[1]"),
        (
            "from threading import Thread\ndef load():\n    import plain\nThread(target=load).start()",
            "[1]",
        ),
        ("def load():\n    import plug", "[1]"),
    ] {
        assert_eq!(default_of(code, "lib.L").as_deref(), Some(expected), "{code}");
    }
}

#[test]
fn a_module_that_raised_is_imported_anew() {
    let code = "import tries\ntry:\n    import raises\n    R = 'loaded'\nexcept ImportError:\n    R = 'raised'";
    assert_eq!(default_of(code, "R").as_deref(), Some("\"raised\""));
}

#[test]
fn a_submodule_is_a_name_of_its_package_once_it_is_imported() {
    assert_eq!(default_of("import pack.sub", "pack.get()").as_deref(), Some("3"));
}

#[test]
fn what_every_module_has_is_not_known_and_no_error() {
    for code in
        ["X = lib.__dict__['L']", "X = lib.__spec__.name", "X = __loader__", "X = lib.__package__"]
    {
        assert_eq!(default_of(code, "X"), None, "{code}");
    }
}

#[test]
fn a_table_of_modules_that_is_changed_makes_imports_unknown() {
    for code in [
        "import sys\nlib.L.append(2)\ndel sys.modules['lib']\nimport lib",
        "import sys\nlib.L.append(2)\nsys.modules.pop('lib')\nimport lib",
        "import sys, types\nmade = types.ModuleType('lib')\nsys.modules['lib'] = made\nimport lib",
    ] {
        assert_eq!(default_of(code, "lib.L"), None, "{code}");
    }
}
