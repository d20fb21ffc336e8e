//! What is a flow, what it is called, and what is said when that is not certain.

use flowreg_model::{Flow, ProblemCode};
use flowreg_python::{FileAnalysis, analyse};

fn of(body: &str) -> FileAnalysis {
    analyse("flows/job.py", format!("from prefect import flow\n{body}").as_bytes())
}

fn only(body: &str) -> Flow {
    let analysis = of(body);
    assert!(analysis.problems.is_empty(), "{:?}", analysis.problems);
    assert_eq!(analysis.flows.len(), 1, "{body}");
    analysis.flows.into_iter().next().unwrap()
}

fn objects(body: &str) -> Vec<String> {
    of(body).flows.iter().map(|flow| flow.entrypoint.object().to_owned()).collect()
}

fn codes(body: &str) -> Vec<ProblemCode> {
    of(body).problems.iter().map(|problem| problem.code).collect()
}

fn reason(body: &str) -> String {
    only(body).inexact.first().unwrap().reason.clone()
}

#[test]
fn plain_called_aliased_and_qualified_decorators_make_flows() {
    assert_eq!(objects("@flow\ndef a(): ...\n@flow()\ndef b(): ..."), ["a", "b"]);
    assert_eq!(objects("f = flow(retries=1)\n@f\ndef a(): ..."), ["a"]);
    assert_eq!(objects("import prefect as p\n@p.flow(name='x')\nasync def a(): ..."), ["a"]);
    assert_eq!(objects("from prefect.flows import flow as g\n@g\ndef a(): ..."), ["a"]);
    assert_eq!(objects("def a(): ...\nb = flow(a)"), ["b"]);
}

#[test]
fn another_flow_is_not_prefects() {
    assert!(objects("def flow(f): return f\n@flow\ndef a(): ...").is_empty());
    let other = analyse("a.py", b"from dataflow import flow2\n@flow2\ndef a(): ...\n");
    assert!(other.flows.is_empty() && other.problems.is_empty());
}

#[test]
fn methods_are_reached_through_their_class() {
    let body = "class Job:\n    @staticmethod\n    @flow\n    def run(x: int): ...\n    @flow\n    \
                def step(self, y=1): ...\n";
    assert_eq!(objects(body), ["Job.run", "Job.step"]);
    let private = "class Job:\n    @staticmethod\n    @flow\n    def __run(): ...\n";
    assert_eq!(objects(private), ["Job._Job__run"]);
}

#[test]
fn a_flow_inside_a_function_is_reported_and_not_registered() {
    let body = "def make():\n    @flow\n    def inner(): ...\n    return inner\n";
    assert!(objects(body).is_empty());
    assert_eq!(codes(body), [ProblemCode::Nested]);
    let problem = &of(body).problems[0];
    assert_eq!((problem.line, problem.column), (3, 5));
    assert!(!problem.is_error());
}

#[test]
fn one_flow_under_two_names_is_registered_by_its_own() {
    assert_eq!(objects("@flow\ndef a(): ...\nz = a"), ["a"]);
    assert_eq!(objects("@flow\ndef a(): ...\nb = a\ndel a"), ["b"]);
}

#[test]
fn the_last_binding_of_a_name_counts() {
    assert!(objects("@flow\ndef a(): ...\ndef a(): ...").is_empty());
    let flow = only("@flow(name='one')\ndef a(): ...\n@flow(name='two')\ndef a(): ...");
    assert_eq!(flow.name.as_str(), "two");
}

#[test]
fn a_name_that_prefect_forbids_is_a_load_error_that_says_what_is_allowed() {
    let analysis = of("@flow\ndef fine(): ...\n@flow(name='a/b')\ndef bad(): ...");
    assert!(analysis.flows.is_empty());
    let problem = &analysis.problems[0];
    assert_eq!((problem.code, problem.line), (ProblemCode::LoadError, 4));
    assert!(problem.message.contains("'a/b'") && problem.message.contains("/ % & > <"));
    assert!(problem.excerpt.as_ref().unwrap().contains("@flow(name='a/b')"));
}

#[test]
fn a_name_from_the_environment_is_not_known_and_says_why() {
    let body = "import os\n@flow(name=os.environ['NAME'])\ndef a(): ...";
    assert_eq!(codes(body), [ProblemCode::UnknownName]);
    assert!(of(body).problems[0].message.contains("os.environ"));
}

#[test]
fn what_changes_from_day_to_day_says_so() {
    let said = reason("from datetime import date\n@flow\ndef a(since: date = date.today()): ...");
    assert!(said.contains("the default of `since`"), "{said}");
    assert!(said.contains("`date.today()`: it changes from day to day"), "{said}");
    assert!(said.contains("flows/job.py:4"), "{said}");
}

#[test]
fn what_comes_from_another_module_is_not_known_here() {
    let said = reason("from ours.models import Order\n@flow\ndef a(order: Order): ...");
    assert!(said.contains("`Order` comes from `ours.models`"), "{said}");
    let flow = only("from ours import LIMIT\n@flow\ndef a(limit: int = LIMIT): ...");
    assert_eq!(flow.name.as_str(), "a");
    assert!(flow.parameter_openapi_schema.is_none());
}

#[test]
fn a_list_has_what_it_has_in_the_end_or_is_not_known() {
    let body = |change: &str| format!("X = [1]\n@flow\ndef a(x=X): ...\n{change}\n");
    for (change, expected) in [
        ("print(X)", "[1]"),
        ("X.append(2)", "[1,2]"),
        ("X[0] = 3", "[3]"),
        ("X[1:] = [4, 5]", "[1,4,5]"),
        ("Y = X\nY.append(1)", "[1,1]"),
        ("Y = list(X)\nY.append(1)", "[1]"),
        ("X += [1]", "[1,1]"),
        ("X += (2, 3)", "[1,2,3]"),
        ("def add(to): to.append(7)\nadd(X)", "[1,7]"),
        ("for n in range(3): X.append(n)", "[1,0,1,2]"),
        ("for each in (X, [2]): each.clear()", "[]"),
        ("add = X.append\nadd(5)", "[1,5]"),
        ("D = {'x': X}\nfor each in D.values(): each.append(1)", "[1,1]"),
        ("[X.append(n) for n in (1, 2)]", "[1,1,2]"),
        ("for n in (1, 2, 3):\n    if n == 2: continue\n    X.append(n)", "[1,1,3]"),
        ("for n in (1, 2, 3):\n    if n == 2: break\n    X.append(n)\nelse: X.clear()", "[1,1]"),
        (
            "def b():\n    for n in (5, 6):\n        if n == 6: return n\n        X.append(n)\nX.append(b())",
            "[1,5,6]",
        ),
        (
            "def b():\n    try: return X[9]\n    except IndexError: X.append(2)\n    finally: X.append(3)\nb()",
            "[1,2,3]",
        ),
        ("import copy\nY = copy.copy(X)\nY.append(1)", "[1]"),
        ("try: raise KeyError\nexcept KeyError as e: X.append(2)\nfinally: X.append(3)", "[1,2,3]"),
        ("[X.append(n) for n in range(5) if n % 2]", "[1,1,3]"),
        ("while len(X) < 4: X.append(len(X))", "[1,1,2,3]"),
        ("for at, n in enumerate([5, 6]): X.insert(0, at + n)", "[7,5,1]"),
        ("for n, t in zip((1, 2), 'xy'): X += [n, t]", "[1,1,\"x\",2,\"y\"]"),
        ("list(X.append(n) for n in (1, 2))", "[1,1,2]"),
        ("class B:\n    @property\n    def n(self): X.append(1)\nB().n", "[1,1]"),
        ("class B:\n    x = X\nB().x.append(1)", "[1,1]"),
        ("first, *_ = [X, 1]\nfirst.append(1)", "[1,1]"),
        ("def b():\n    yield X.pop()\nlist(b())", "[]"),
        ("class B:\n    def __init__(self): X.append(1)\nB()", "[1,1]"),
        ("class B:\n    def __init_subclass__(cls): X.append(1)\nclass C(B): ...", "[1,1]"),
        ("X.append(0)\nX.sort(key=lambda n: -n)", "[1,0]"),
        ("X.append(0)\nX.sort(key=lambda n: -n, reverse=True)", "[0,1]"),
    ] {
        let flow = only(&body(change));
        assert!(flow.is_exact(), "{change}: {:?}", flow.inexact);
        let schema = flow.parameter_openapi_schema.unwrap();
        assert_eq!(schema["properties"]["x"]["default"].to_string(), expected, "{change}");
    }
    for change in [
        "from ours import fill\nfill(X)",
        "from ours import every\n@every\ndef b(): X.append(1)",
        "import os\nif os.environ.get('A'): X.append(1)",
        "import os\nos.environ.get('A') and X.append(1)",
        "import os\nwhile os.environ.get('A'): X.append(1)",
        "import os\nfor each in [X]:\n    if os.environ.get('A'): break\n    each.append(1)",
        "import os\n[X.append(n) for n in os.environ]",
        "from prefect import task\n@task\ndef b(): X.append(1)\nb()",
        "while True: X.append(1)",
        "import os\nfor n in (1, 2):\n    if os.environ.get('A'): continue\n    X.append(n)",
        "import os\nY = X if os.environ.get('A') else []\nY.append(1)",
        "import os\nY = {'x': X}[os.environ['A']]\nY.append(1)",
        "import os\nif os.environ.get('A'): Y = X\nelse: Y = []\nY.append(1)",
        "import os\nfor Y in [X, []]:\n    if os.environ.get('A'): break\nY.append(1)",
        "from pydantic import BaseModel\nclass M(BaseModel):\n    x: list\nM(x=X).x.append(1)",
        "import random\nrandom.shuffle(X)",
        "import os\nX[os.getpid()] = 1",
        "import os\ndef b(many):\n    for n in many: yield n\n    yield 9\nX.extend(b(os.environ))",
        "import os\ndef b():\n    if os.environ.get('A'): yield 1\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    os.environ.get('A') and (yield 1)\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    n = os.environ.get('A') or (yield 1)\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    yield from os.environ\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    while os.environ.get('A'): yield 1\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    try: yield os.environ['A']\n    except KeyError: yield 2\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    match os.environ.get('A'):\n        case 'x': yield 1\n    yield 9\nX.extend(b())",
        "import os\ndef b():\n    for n in (1, 2):\n        if os.environ.get('A'): break\n        yield n\nX.extend(b())",
        "import os\ndef b():\n    if os.environ.get('A'): return\n    yield 9\nX.extend(b())",
    ] {
        let flow = only(&body(change));
        assert!(!flow.is_exact(), "{change}");
    }
}

#[test]
fn what_functions_and_methods_bind_and_change_is_computed() {
    for (before, expected) in [
        (
            "def b():\n    n = 1\n    def c():\n        nonlocal n\n        n = 2\n    c()\n    return n\nX = b()",
            "2",
        ),
        ("def b():\n    global X\n    X = 1\nb()", "1"),
        ("class B:\n    def __add__(self, to): to.append(1)\nX = []\nB() + X", "[1]"),
        ("class B:\n    def __eq__(self, to): to.append(1)\nX = []\nB() == X", "[1]"),
        ("class B:\n    def __contains__(self, to): to.append(1)\nX = []\nX in B()", "[1]"),
        ("X = zip([1], [2])\nlist(X)\nX = list(X)", "[]"),
        ("X = []\nclass B:\n    @property\n    def n(self): X.append(1)\nB().n", "[1]"),
    ] {
        let flow = only(&format!("{before}\n@flow\ndef a(x=X): ...\n"));
        assert!(flow.is_exact(), "{before}: {:?}", flow.inexact);
        let schema = flow.parameter_openapi_schema.unwrap();
        assert_eq!(schema["properties"]["x"]["default"].to_string(), expected, "{before}");
    }
}

#[test]
fn names_that_code_binds_which_is_not_followed_are_not_known() {
    for before in [
        "import os\nX = 1\n[(X := n) for n in os.environ]",
        "import os\nX = 1\nos.environ.get('A') and (X := 2)",
        "import os\nX = 1\nY = 1 if (X := os.environ.get('A')) else 2",
        "class D:\n    def __get__(self, one, owner): return 5\nclass B:\n    x = D()\nX = B.x",
        "class L(list): ...\nX = L([1])",
        "class S(str): ...\nX = S('a')",
        "class D(dict): ...\nX = D(a=1)",
        "class N(int): ...\nX = N(1)",
        "from ours import every\nX = []\n@every\nclass B:\n    def b(self): X.append(1)",
        "import threading\nX = 1\ndef b():\n    global X\n    X = 2\nthreading.Thread(target=b).start()",
        "import os\nX = 1\ndef b():\n    global X\n    X = 2\nif os.environ.get('A'): b()",
        "import os\nclass B:\n    def __init__(self): self.n = []\nb = B()\nif os.environ.get('A'): b.n.append(1)\nX = b.n",
        "import os\nclass B:\n    def __init__(self): self.n = []\n    @property\n    def m(self): self.n.append(1)\nb = B()\nif os.environ.get('A'): b.m\nX = b.n",
        "import os\nX = []\nclass B:\n    def __str__(self):\n        X.append(1)\n        return 'b'\nb = B()\nif os.environ.get('A'): print(b)",
        "import os\nX = iter([1, 2])\nif os.environ.get('A'): list(X)\nX = list(X)",
        "from ours import use\nclass B:\n    def __init__(self): self.n = []\nb = B()\nuse(b)\nX = b.n",
        "from ours import use\nX = []\nclass B:\n    def m(self): X.append(1)\nuse(B())",
        "X = {'b', 'a'}\nX = list(X)",
        "from ours import extend\nclass B: ...\nb = B()\nextend(B)\nX = b.n",
        "from ours import extend\nclass B: ...\nextend(B)\nX = B().n",
        "from ours import extend\nclass B: ...\nb = B()\nextend(B)\nX = b()",
    ] {
        let body = format!("{before}\n@flow\ndef a(x=X): ...\n");
        let flow = only(&body);
        assert!(!flow.is_exact(), "{before}: {:?}", flow.parameter_openapi_schema);
    }
}

#[test]
fn attributes_that_code_may_set_which_is_not_followed_are_not_certain() {
    let body = |change: &str| format!("@flow\ndef a(): ...\n{change}\n");
    let renamed = only(&body("for each in (a,): each.name = 'team-' + each.name"));
    assert_eq!((renamed.name.as_str(), renamed.is_exact()), ("team-a", true));
    for change in [
        "a.__dict__['name'] = 'b'",
        "setattr(a, 'name', 'b')",
        "def inner(what): what.name = 'b'\ndef outer(what): yield inner(what)\nlist(outer(a))",
    ] {
        let flow = only(&body(change));
        assert_eq!((flow.name.as_str(), flow.is_exact()), ("b", true), "{change}");
    }
    for change in [
        "from ours import rename\nrename(a)",
        "import os\nwhile os.environ.get('A'): a.name = 'b'",
        "import os\ndef rename(what):\n    for each in [what]:\n        if os.environ.get('A'): break\n        each.name = 'b'\nrename(a)",
        "from ours import use\ndef inner(what): what.name = 'b'\ndef outer(what): yield inner(what)\nuse(outer(a))",
        "import os\nfrom ours import rename\nfor each in os.environ: rename(a)",
        "import os\nfrom ours import names\nwhile os.environ.get('A'): names.give(a)",
        "import os\na.__dict__[os.environ['A']] = 'b'",
        "import os\na.fn.__annotations__[os.environ['A']] = int",
    ] {
        let flow = only(&body(change));
        assert_eq!((flow.name.as_str(), flow.is_exact()), ("a", false), "{change}");
    }
}

#[test]
fn a_condition_that_is_not_known_leaves_nothing_certain() {
    let body = "import os\nif os.environ.get('A'):\n    @flow\n    def a(): ...\nelse:\n    \
                @flow(name='b')\n    def a(): ...\n";
    assert_eq!(codes(body), [ProblemCode::UnknownName]);
    assert!(of(body).problems[0].message.contains("`a` looks like a flow"));
}

#[test]
fn a_decorator_from_elsewhere_leaves_the_given_name_and_nothing_more() {
    let flow = only("from ours import retry\n@flow(name='x')\n@retry\ndef a(n: int): ...");
    assert_eq!(flow.name.as_str(), "x");
    assert!(!flow.is_exact());
}

#[test]
fn a_flow_that_went_through_another_decorator_is_listed_and_nothing_of_it_is_certain() {
    for body in [
        "from ours import app\n@app.function\n@flow(name='x')\ndef a(n: int): ...",
        "from ours import app, log\n@log('x')\n@app.function\n@flow(name='x')\ndef a(n: int): ...",
    ] {
        let flow = only(body);
        assert_eq!((flow.name.as_str(), flow.entrypoint.object()), ("x", "a"), "{body}");
        let parts: Vec<&str> = flow.inexact.iter().map(|inexact| &*inexact.what).collect();
        assert_eq!(parts, ["name", "description", "parameter_openapi_schema"], "{body}");
        assert!(flow.inexact[0].reason.contains("`ours"), "{:?}", flow.inexact);
    }
    // The flow has a name of its own, and may be another under the second.
    let twice = of("from ours import app\n@flow\ndef a(): ...\nb = app.function(a)");
    assert_eq!((twice.flows.len(), twice.problems.len()), (1, 1));
    // What is given a flow may name it anew.
    assert!(!twice.flows[0].is_exact());
}

#[test]
fn a_flow_of_one_side_of_a_condition_is_listed_and_not_exact() {
    let stub = "def flow(function=None, **options):\n        return function or flow\n";
    for body in [
        format!("import os\nif os.environ.get('P'):\n    from prefect import flow\nelse:\n    {stub}@flow(name='x')\ndef a(n: int): ..."),
        format!("import os\nif os.environ.get('P'):\n    {stub}@flow(name='x')\ndef a(n: int): ..."),
        "import os\nif os.environ.get('P'):\n    @flow(name='x')\n    def a(n: int): ...".to_owned(),
        "import os\nif os.environ.get('P'):\n    from ours import flow\n@flow(name='x')\ndef a(n: int): ...".to_owned(),
    ] {
        let flow = only(&body);
        assert_eq!((flow.name.as_str(), flow.is_exact()), ("x", false), "{body}");
    }
    // Prefect refuses the name, if that side is taken: it is not known whether it is.
    let refused = "import os\nif os.environ.get('P'):\n    from ours import flow\n@flow(name='a/b')\ndef a(): ...";
    assert_eq!(codes(refused), [ProblemCode::UnknownName]);
}

#[test]
fn dynamic_namespaces_make_every_flow_inexact() {
    assert!(only("@flow\ndef a(): ...\ndef b(): globals()['a'] = 1").is_exact());
    assert!(
        !only("from ours import use\n@flow\ndef a(): ...\ndef b(): globals()['a'] = 1\nuse(b)")
            .is_exact()
    );
    assert!(!only("@flow\ndef a(): ...\nfor n, o in list(globals().items()):\n    if n == 'a': o.name = 'b'").is_exact());
    assert!(!only("from ours import *\n@flow\ndef a(): ...").is_exact());
}

#[test]
fn a_syntax_error_has_a_place_and_an_excerpt() {
    let analysis = of("@flow\ndef broken(:\n    ...\n");
    let problem = &analysis.problems[0];
    assert_eq!((problem.code, problem.line, problem.column), (ProblemCode::Syntax, 3, 12));
    assert!(problem.excerpt.as_ref().unwrap().contains("def broken(:"));
}

#[test]
fn a_file_for_another_python_that_is_not_about_prefect_is_no_problem() {
    let analysis = analyse("old.py", b"print 'the workflow is done'\n");
    assert_eq!(analysis, FileAnalysis::default());
}

#[test]
fn a_helper_that_raises_without_flows_is_no_problem() {
    assert!(codes("raise RuntimeError('not meant to be imported')").is_empty());
    assert_eq!(codes("@flow\ndef a(): ...\nraise RuntimeError"), [ProblemCode::LoadError]);
}

#[test]
fn infinities_are_null_and_large_numbers_keep_their_digits() {
    let schema =
        only("@flow\ndef a(x=float('inf'), y=10**30): ...").parameter_openapi_schema.unwrap();
    assert!(schema["properties"]["x"]["default"].is_null());
    let digits = schema["properties"]["y"]["default"].to_string();
    assert_eq!(digits, "1000000000000000000000000000000");
}

#[test]
fn properties_keep_the_order_of_the_signature() {
    let schema = only("@flow\ndef a(z, b=1, *, a, c=2): ...").parameter_openapi_schema.unwrap();
    let names: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["z", "b", "a", "c"]);
}

#[test]
fn a_model_that_pydantic_refuses_is_a_load_error() {
    let body = "from pydantic import BaseModel\nclass M(BaseModel):\n    x = 1\n@flow\n\
                def a(m: M): ...";
    assert_eq!(codes(body), [ProblemCode::LoadError]);
}

#[test]
fn an_import_that_may_fail_is_not_certain() {
    let body = "try:\n    import polars as pl\nexcept ImportError:\n    pl = None\n@flow\n\
                def a(frame: pl.DataFrame = None): ...";
    assert!(reason(body).contains("`polars`"));
}

#[test]
fn the_largest_of_very_many_items_is_not_guessed_from_the_first() {
    let job = "@flow\ndef a(x=max([1] * 2000 + [5])): ...";
    assert!(only(job).inexact.iter().any(|inexact| inexact.what == "parameter_openapi_schema"));
}
