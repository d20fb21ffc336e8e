//! What a schema says, and when it is left open, where random flows once found it wrong. Each
//! expectation is what Prefect 3.8.8 with pydantic 2.14 gives.

use flowreg::flow::{FileAnalysis, analyse};
use flowreg::model::ProblemCode;
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
