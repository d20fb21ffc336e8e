//! What a schema says, and when it is left open, where random flows once found it wrong. Each
//! expectation is what Prefect 3.8.8 with pydantic 2.14 gives.

use flowreg_model::ProblemCode;
use flowreg_python::{FileAnalysis, analyse};
use serde_json::{Value, json};

fn of(body: &str) -> FileAnalysis {
    let head =
        "from prefect import flow\nfrom pydantic import BaseModel, Field\nfrom typing import *\n";
    analyse("flows/job.py", format!("{head}{body}").as_bytes())
}

/// The schema of the flow `a`.
fn schema(body: &str) -> Value {
    let analysis = of(body);
    assert!(analysis.problems.is_empty(), "{:?}", analysis.problems);
    let flow = analysis.flows.iter().find(|flow| flow.entrypoint.object() == "a").unwrap();
    assert!(flow.inexact.is_empty(), "{:?}", flow.inexact);
    flow.parameter_openapi_schema.clone().unwrap()
}

/// What is said of the parameter `x` of the flow `a`, but for its title and position.
fn parameter(body: &str) -> Value {
    let mut parameter = schema(body)["properties"]["x"].clone();
    let keys = parameter.as_object_mut().unwrap();
    keys.remove("title");
    keys.remove("position");
    parameter
}

/// What is said of `x: annotation`.
fn annotated(annotation: &str) -> Value {
    parameter(&format!("@flow\ndef a(x: {annotation}): ..."))
}

/// Whether the schema of the flow `a` is left open.
fn is_open(body: &str) -> bool {
    let analysis = of(body);
    assert!(analysis.problems.is_empty(), "{:?}", analysis.problems);
    let flow = analysis.flows.iter().find(|flow| flow.entrypoint.object() == "a").unwrap();
    flow.parameter_openapi_schema.is_none() && !flow.inexact.is_empty()
}

/// The exception that loading the file raises.
fn refusal(body: &str) -> String {
    let analysis = of(&format!("{body}\n@flow\ndef other(): ..."));
    assert!(analysis.flows.is_empty(), "{:?}", analysis.flows);
    let problem = analysis.problems.first().unwrap();
    assert_eq!(problem.code, ProblemCode::LoadError);
    let raised = problem.message.strip_prefix("importing the module raises ").unwrap();
    raised.split(':').next().unwrap().to_owned()
}

#[test]
fn extra_keys_of_an_annotation_win_over_the_title_and_lose_the_position() {
    let extra = "{'title': 'Z', 'position': 9, 'description': 'd', 'n': 1}";
    let schema =
        schema(&format!("@flow\ndef a(x: Annotated[int, Field(json_schema_extra={extra})]): ..."));
    let expected =
        json!({"type": "integer", "title": "Z", "position": 0, "description": "d", "n": 1});
    assert_eq!(schema["properties"]["x"], expected);
}

#[test]
fn extra_keys_of_several_fields_are_kept_together() {
    let fields = "Field(json_schema_extra={'a': 1, 'b': 1}), Field(json_schema_extra={'b': 2})";
    let expected = json!({"type": "integer", "a": 1, "b": 2});
    assert_eq!(annotated(&format!("Annotated[int, {fields}]")), expected);
}

#[test]
fn types_with_a_wrapped_schema_keep_extra_keys_only_at_the_top() {
    let annotation = "Annotated[Pattern, Field(deprecated=True)]";
    let top = json!({"type": "string", "format": "regex", "deprecated": true});
    assert_eq!(annotated(annotation), top);
    let inside = json!({"type": "array", "items": {"type": "string", "format": "regex"}});
    assert_eq!(annotated(&format!("list[{annotation}]")), inside);
}

#[test]
fn a_type_that_nothing_belongs_to_leaves_only_its_place_open() {
    assert_eq!(annotated("Never"), json!({}));
    assert_eq!(annotated("list[NoReturn]"), json!({"type": "array", "items": {}}));
    assert_eq!(annotated("Optional[Never]"), json!({"anyOf": [{}, {"type": "null"}]}));
}

#[test]
fn types_that_pydantic_does_not_know_are_refused_where_a_class_is_made() {
    let plain = "class P: ...\n";
    assert_eq!(annotated("Iterator[int]"), json!({}));
    let refused = "PydanticSchemaGenerationError";
    assert_eq!(refusal(&format!("{plain}class M(BaseModel):\n    p: P")), refused);
    assert_eq!(refusal(&format!("{plain}class M(BaseModel):\n    p: Optional[list[P]]")), refused);
    let allowed = "model_config = {'arbitrary_types_allowed': True}";
    let model =
        format!("{plain}class M(BaseModel):\n    {allowed}\n    p: P\n@flow\ndef a(m: M): ...");
    assert_eq!(schema(&model)["definitions"]["M"]["properties"]["p"], json!({"title": "P"}));
    // As long as a type is not there yet, nothing is refused.
    schema(&format!("{plain}class M(BaseModel):\n    l: 'Later'\n    p: P\n@flow\ndef a(): ..."));
}

#[test]
fn values_without_annotation_are_refused_in_models_unless_pydantic_ignores_them() {
    let model = |body: &str| format!("class M(BaseModel):\n    {body}");
    for body in
        ["x = int", "x = Optional[int]", "x = Field(1)", "_x = Field(1)", "model_config: int"]
    {
        assert_eq!(refusal(&model(body)), "PydanticUserError", "{body}");
    }
    assert_eq!(refusal(&model("@flow\n    def x(self): ...")), "PydanticUserError");
    assert_eq!(refusal(&model("model_dump: int")), "ValueError");
    let ignored = "y: int = 1\n    f = flow(retries=1)\n    class I: ...\n    _p = 1\n    \
                   @property\n    def p(self): ...\n    g = lambda self: 1";
    schema(&format!("{}\n@flow\ndef a(m: M): ...", model(ignored)));
    let unknown = "import other\nclass M(BaseModel):\n    x = other.y\n@flow\ndef a(m: M): ...";
    assert!(is_open(unknown));
    let builtin = "from enum import *\nclass M(BaseModel):\n    @property\n    def x(self): ...";
    assert_eq!(refusal(builtin), "PydanticUserError");
}

#[test]
fn bodies_that_python_refuses_are_load_errors() {
    let dataclass = "from dataclasses import *\n@dataclass\nclass D:\n    ";
    assert_eq!(refusal(&format!("{dataclass}x: list = []")), "ValueError");
    assert_eq!(refusal(&format!("{dataclass}x: int = 1\n    y: int")), "TypeError");
    assert_eq!(refusal("class N(NamedTuple):\n    x: int = 1\n    y: int"), "TypeError");
    assert_eq!(refusal("from enum import *\nclass E(Enum):\n    A = 1\n    A = 2"), "TypeError");
    let two = "from enum import *\nclass E(Enum):\n    A = 1\n";
    assert_eq!(refusal(&format!("{two}class F(E):\n    B = 2")), "TypeError");
    assert_eq!(refusal("from enum import *\n@unique\nclass E(Enum):\n    A = B = 1"), "ValueError");
    schema(&format!("{dataclass}x: int = 1\n    _: KW_ONLY\n    y: int\n@flow\ndef a(): ..."));
}

#[test]
fn a_default_that_another_class_also_gives_is_open() {
    let mixin =
        "class Mixin:\n    x = 3\nclass M(Mixin, BaseModel):\n    x: int\n@flow\ndef a(m: M): ...";
    assert!(is_open(mixin));
}

#[test]
fn an_annotation_sees_the_value_of_a_field_named_like_its_type() {
    let head = "from datetime import date\nclass M(BaseModel):\n    ";
    assert_eq!(refusal(&format!("{head}date: date = Field(None)")), "PydanticUserError");
    assert_eq!(refusal(&format!("{head}date: date | None = None")), "TypeError");
    let optional = format!("{head}date: Optional[date] = None\n@flow\ndef a(m: M): ...");
    let expected = json!({"type": "null", "title": "Date", "default": null});
    assert_eq!(schema(&optional)["definitions"]["M"]["properties"]["date"], expected);
}

#[test]
fn members_of_enums_that_are_made_automatically() {
    let values = |body: &str| {
        let body = format!("from enum import *\n{body}\n@flow\ndef a(x: E): ...");
        schema(&body)["definitions"]["E"]["enum"].clone()
    };
    assert_eq!(
        values("class E(Enum):\n    A = auto()\n    B = auto()\n    C = A"),
        json!([1, 2, 1])
    );
    assert_eq!(values("E = Enum('E', 'A B', start=5)"), json!([5, 6]));
    assert_eq!(values("class E(Enum):\n    A = 1\n    __b = 2"), json!([1]));
}

#[test]
fn what_pydantic_writes_only_alone_is_no_default_inside_a_list() {
    let head = "from pathlib import Path, PurePath\nfrom http import HTTPStatus\n@flow\ndef a(x=";
    assert_eq!(parameter(&format!("{head}PurePath('q')): ...")), json!({"default": "q"}));
    assert_eq!(parameter(&format!("{head}[PurePath('q')]): ...")), json!({}));
    assert_eq!(parameter(&format!("{head}[Path('q')]): ...")), json!({"default": ["q"]}));
    assert!(is_open(&format!("{head}HTTPStatus.OK): ...")));
}

#[test]
fn unions_that_python_does_not_make() {
    let of = |annotation: &str| refusal(&format!("def f(x: {annotation}): ..."));
    for annotation in ["None | None", "int | 'str'", "Optional[Annotated[int, [1]]]"] {
        assert_eq!(of(annotation), "TypeError", "{annotation}");
    }
    let late = "T = TypeVar('T', str, str)\n@flow\ndef a(x: T): ...";
    assert!(is_open(late));
}

#[test]
fn the_first_order_of_a_union_stays_in_typing() {
    let first = "@flow\ndef b(x: List[Union[int, str]]): ...\n";
    assert!(is_open(&format!("{first}@flow\ndef a(x: List[Union[str, int]]): ...")));
    schema(&format!("{first}@flow\ndef a(x: list[str | int], y: List[Union[int, str]]): ..."));
}

#[test]
fn words_of_a_field_or_a_configuration_that_are_not_computed_leave_it_open() {
    let model = |body: &str| format!("class M(BaseModel):\n    {body}\n@flow\ndef a(m: M): ...");
    assert!(is_open(&model("x: int = Field(max_digits=3)")));
    assert!(is_open(&model("model_config = {'str_max_length': 3}\n    x: str")));
    assert!(is_open(&model("x: Final[int] = 1")));
    let instance = "class M(BaseModel):\n    model_config = {'ser_json_bytes': 'hex'}\n    \
                    x: bytes = b'a'\n@flow\ndef a(m=M()): ...";
    assert!(is_open(instance));
    assert!(is_open("@flow\ndef a(x: Optional[Annotated[int, Field(default=3)]]): ..."));
}

#[test]
fn a_class_inside_a_configured_model_takes_over_its_configuration() {
    let body = "from dataclasses import *\n@dataclass\nclass D:\n    x: int\n\
                class M(BaseModel):\n    model_config = {'extra': 'forbid'}\n    d: D\n\
                @flow\ndef a(m: M): ...";
    assert!(is_open(body));
}

#[test]
fn a_parameter_named_like_its_postponed_type_is_open() {
    let analysis = analyse(
        "flows/job.py",
        b"from __future__ import annotations\nfrom prefect import flow\n@flow\ndef a(dict: dict): ...",
    );
    assert!(analysis.flows.iter().all(|flow| !flow.is_exact()));
}

#[test]
fn names_that_the_validating_model_keeps_are_refused() {
    assert_eq!(refusal("@flow\ndef a(model_dump: int): ..."), "ValueError");
    assert_eq!(refusal("@flow\ndef a(v__args: int): ..."), "ValueError");
    schema("@flow\ndef a(json, copy, register): ...");
}

#[test]
fn a_base_that_is_no_class_has_an_end() {
    assert_eq!(refusal("class A(3): ...\n@flow\ndef a(x: A): ..."), "TypeError");
    let own = "from dataclasses import *\n@dataclass\nclass D:\n    \
               d: list = field(default_factory=lambda: [D()])\n@flow\ndef a(x=D()): ...";
    assert!(is_open(own));
}

#[test]
fn texts_that_grow_without_bound_are_open() {
    let replaced = "V = ('a' * 10 ** 5).replace('a', 'b' * 10 ** 5)\n@flow\ndef a(x=V): ...";
    assert!(is_open(replaced));
    let joined = "V = 'ab' * 10000\n@flow\ndef a(x=V.join([V] * 1000)): ...";
    assert!(is_open(joined));
}
