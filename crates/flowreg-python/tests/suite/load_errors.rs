//! Files that Python, pydantic or Prefect can't load: nothing of them is claimed. Each case was
//! tried with Prefect 3.8.8.

use flowreg_model::{Flow, ProblemCode};
use flowreg_python::{FileAnalysis, analyse};

const IMPORTS: &str = "import collections, math, os, re
from dataclasses import dataclass, field
from enum import Enum, Flag
from typing import Callable, Dict, Generic, List, NamedTuple, Optional, TypeVar
from pydantic import BaseModel, Field, computed_field, conint, field_validator, model_validator
from typing_extensions import TypedDict
from prefect import flow
";

fn of(body: &str) -> FileAnalysis {
    let source = format!("{IMPORTS}{body}\n@flow\ndef job(x: int = 1): ...\n");
    analyse("flows/job.py", source.as_bytes())
}

/// The exception that importing raises, by its class.
fn raised(body: &str) -> String {
    let analysis = of(body);
    let problem = analysis.problems.first().unwrap_or_else(|| panic!("{body}: no problem"));
    assert_eq!(problem.code, ProblemCode::LoadError, "{body}: {problem:?}");
    let rest = problem.message.strip_prefix("importing the module raises ").unwrap();
    rest.split(':').next().unwrap().to_owned()
}

fn is_exact(body: &str) -> bool {
    let analysis = of(body);
    let is_loaded = analysis.problems.is_empty() && !analysis.flows.is_empty();
    is_loaded && analysis.flows.iter().all(Flow::is_exact)
}

#[test]
fn what_python_refuses_of_known_values_is_a_load_error() {
    for (body, kind) in [
        ("x, y = 1", "TypeError"),
        ("x, y = 1, 2, 3", "ValueError"),
        ("x, *y = []", "ValueError"),
        ("for x in 3: pass", "TypeError"),
        ("x = [y for y in 3]", "TypeError"),
        ("x = 3\nx()", "TypeError"),
        ("x = 3\nx[0]", "TypeError"),
        ("x = (1,)\nx[0] = 2", "TypeError"),
        ("x = {}\nx[[]] = 1", "TypeError"),
        ("x = {[1]}", "TypeError"),
        ("x = 1\nx += 'a'", "TypeError"),
        ("x = 'a' < 1", "TypeError"),
        ("x = -'a'", "TypeError"),
        ("x = 1\nx.y = 2", "AttributeError"),
        ("x = None\nx.y", "AttributeError"),
        ("del x", "NameError"),
        ("x += 1", "NameError"),
        ("f'{missing}'", "NameError"),
        ("with missing: pass", "NameError"),
        ("while missing: pass", "NameError"),
        ("try:\n    1 / 0\nexcept missing: pass", "NameError"),
        ("try:\n    x = 1\nexcept Exception: pass\nelse:\n    1 / 0", "ZeroDivisionError"),
        ("os.nope", "AttributeError"),
        ("from collections import Mapping", "ImportError"),
        ("import os.nope", "ModuleNotFoundError"),
        ("x = Optional[int, str]", "TypeError"),
        ("x = Dict[int]", "TypeError"),
        ("x = int[str]", "TypeError"),
        ("x = int | 'str'", "TypeError"),
    ] {
        assert_eq!(raised(body), kind, "{body}");
    }
}

#[test]
fn classes_that_can_not_be_made_are_load_errors() {
    for (body, kind) in [
        ("class A(str, int): pass", "TypeError"),
        ("class A(3): pass", "TypeError"),
        ("class A(bool): pass", "TypeError"),
        ("class A(BaseModel, BaseModel): pass", "TypeError"),
        ("class A(Generic): pass", "TypeError"),
        ("class A(nope=1): pass", "TypeError"),
        ("class A(Enum): X = 1\nclass B(A): Y = 2", "TypeError"),
        ("class A(Enum):\n    X = 1\n    X = 2", "TypeError"),
        ("class A(Enum):\n    _x_ = 1", "ValueError"),
        ("class A(Flag):\n    X = 'a'", "TypeError"),
        ("class A(Enum):\n    X = 1\nA.X = 2", "AttributeError"),
        ("@dataclass\nclass A:\n    x: int = 1\n    y: int", "TypeError"),
        ("@dataclass\nclass A:\n    x: list = []", "ValueError"),
        ("@dataclass(nope=1)\nclass A:\n    x: int", "TypeError"),
        ("@dataclass(order=True, eq=False)\nclass A:\n    x: int", "ValueError"),
        ("@dataclass(frozen=True)\nclass A:\n    x: int = 1\nA().x = 2", "FrozenInstanceError"),
        ("class A(NamedTuple):\n    x: int = 1\n    y: int", "TypeError"),
        ("class A(NamedTuple):\n    _x: int", "ValueError"),
        ("class A(TypedDict, nope=1):\n    x: int", "TypeError"),
        ("class A(TypedDict, object): pass", "TypeError"),
    ] {
        assert_eq!(raised(body), kind, "{body}");
    }
}

#[test]
fn options_that_prefect_refuses_are_load_errors() {
    let with = |options: &str| format!("@flow({options})\ndef other(): ...");
    for (options, kind) in [
        ("nam='x'", "TypeError"),
        ("name=()", "TypeError"),
        ("name=lambda: 1", "TypeError"),
        ("timeout_seconds='x'", "ValueError"),
        ("flow_run_name=1", "TypeError"),
        ("on_completion=print", "TypeError"),
        ("on_failure=[1]", "TypeError"),
        ("result_storage=3", "TypeError"),
        ("fn=print", "TypeError"),
        ("name='x', **{'name': 'y'}", "TypeError"),
    ] {
        assert_eq!(raised(&with(options)), kind, "{options}");
    }
    let other =
        |options: &str| format!("@flow\ndef other(): ...\nagain = other.with_options({options})");
    assert_eq!(raised(&other("None")), "TypeError");
    assert_eq!(raised(&other("nope=1")), "TypeError");
    for options in ["name=()", "timeout_seconds='3'", "on_completion=[print]", "retries='x'"] {
        assert!(is_exact(&other(options)), "{options}");
    }
}

#[test]
fn what_may_be_refused_is_not_claimed() {
    for body in [
        "class A(BaseModel):\n    x: int = Field(1, default_factory=list)",
        "class A(BaseModel):\n    x: int\n    @field_validator('y')\n    def v(cls, v): return v",
        "class A(BaseModel):\n    x: int\n    @model_validator\n    def v(self): return self",
        "class A(BaseModel):\n    @computed_field\n    @property\n    def y(self): return 1",
        "class A(BaseModel):\n    x = int",
        "class A(BaseModel):\n    model_dump: int = 1",
        "A = Enum('A', 'x x')",
        "class A(Enum):\n    X = 1\nA.Y",
        "class A(Enum):\n    X = 1\nA(2)",
        "T = TypeVar('T', int)",
        "x = conint(1)",
        "class A(BaseModel, nope=1): pass",
        "for x in [1]:\n    1 / 0",
        "x = {}\ndel x['a']",
        "@dataclass\nclass A:\n    x: int\nA(1, 2)",
    ] {
        assert!(!is_exact(body), "{body}");
    }
}

#[test]
fn what_is_fine_stays_exact() {
    for body in [
        "x, (y, *z) = 1, 'abc'",
        "for x in [1, 2]:\n    print(x)",
        "x = [1]\nx.append(2)\nx[1] = 3",
        "try:\n    from typing import nope\nexcept ImportError:\n    nope = None",
        "with open('settings.yaml') as file:\n    settings = file.read()",
        "import requests\nrequests.get('x')[0].y = 1",
        "class A(str, Enum):\n    X = 'a'",
        "class A(Enum): pass\nclass B(A):\n    X = 1",
        "@dataclass\nclass A:\n    x: int\n    y: list = field(default_factory=list)",
        "class A(BaseModel, extra='forbid'):\n    x: int",
        "class A(BaseModel):\n    x: int\n    @field_validator('x')\n    def v(cls, v): return v",
        "x = re.compile(r'^(a|[)(]+?)*\\[$')",
        "if os.environ.get('X'):\n    raise ValueError",
        "def never():\n    1 / 0\n    missing()",
        "x = Callable[[int], str]",
    ] {
        assert!(is_exact(body), "{body}");
    }
}

#[test]
fn what_the_compiler_refuses_is_a_syntax_error() {
    for body in ["await x", "break", "yield 1", "return", "print(x=1, x=2)", "nonlocal x"] {
        let codes: Vec<_> = of(body).problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [ProblemCode::Syntax], "{body}");
    }
}
