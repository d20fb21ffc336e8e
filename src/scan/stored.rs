//! An analysis as the bytes that the cache keeps, and back.
//!
//! Types of its own, so that the JSON form of a flow can change without a thought for caches, and
//! paths are not stored again in every flow.

use serde::{Deserialize, Serialize};

use flowreg_model::{
    Engine, Entrypoint, Flow, FlowProblem, Inexact, OpenParameter, OpenSchema, ProblemCode,
    VersionLimit,
};
use flowreg_python::FileAnalysis;

#[derive(Serialize, Deserialize)]
struct Stored {
    flows: Vec<StoredFlow>,
    problems: Vec<StoredProblem>,
    /// As JSON text; `None` if there are none, which most files have.
    deploy_calls: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredFlow {
    name: String,
    object: String,
    imported_from: Option<(String, String)>,
    line: u32,
    description: Option<String>,
    /// As JSON text.
    schema: Option<String>,
    /// What is known of a schema that is not exact, as JSON text, and the parameters that are open.
    open: Option<(String, Vec<OpenParameter>)>,
    inexact: Vec<(String, String)>,
    limits: Vec<StoredLimit>,
}

#[derive(Serialize, Deserialize)]
struct StoredLimit {
    since: Option<String>,
    before: Option<String>,
    reason: String,
    /// As JSON text.
    instead: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct StoredProblem {
    line: u32,
    column: u32,
    code: ProblemCode,
    message: String,
    excerpt: Option<String>,
}

/// The bytes of an analysis.
pub(super) fn to_bytes(analysis: &FileAnalysis) -> Option<Vec<u8>> {
    let flow = |flow: &Flow| StoredFlow {
        name: flow.name.to_string(),
        object: flow.entrypoint.object().to_owned(),
        imported_from: flow
            .imported_from
            .as_ref()
            .map(|from| (from.path().to_owned(), from.object().to_owned())),
        line: flow.line,
        description: flow.description.clone(),
        schema: flow.parameter_openapi_schema.as_ref().map(text),
        open: flow.open_schema.as_ref().map(|open| (text(&open.schema), open.open.clone())),
        inexact: flow
            .inexact
            .iter()
            .map(|inexact| (inexact.what.clone(), inexact.reason.clone()))
            .collect(),
        limits: flow
            .limits
            .iter()
            .map(|limit| StoredLimit {
                since: limit.since.as_ref().map(ToString::to_string),
                before: limit.before.as_ref().map(ToString::to_string),
                reason: limit.reason.clone(),
                instead: limit.instead.as_ref().map(text),
            })
            .collect(),
    };
    let problem = |problem: &FlowProblem| StoredProblem {
        line: problem.line,
        column: problem.column,
        code: problem.code,
        message: problem.message.clone(),
        excerpt: problem.excerpt.clone(),
    };
    let stored = Stored {
        flows: analysis.flows.iter().map(flow).collect(),
        problems: analysis.problems.iter().map(problem).collect(),
        deploy_calls: match analysis.deploy_calls.as_slice() {
            [] => None,
            calls => Some(serde_json::to_string(calls).ok()?),
        },
    };
    rmp_serde::to_vec(&stored).ok()
}

fn text(value: &serde_json::Value) -> String {
    // `Value::to_string` goes through `fmt`, which is slower.
    serde_json::to_string(value).unwrap_or_default()
}

/// JSON text as a value, if there is any; `None` if it is broken.
#[expect(clippy::option_option, reason = "outside: whether it can be read")]
fn json(text: Option<String>) -> Option<Option<serde_json::Value>> {
    text.map(|text| serde_json::from_str(&text)).transpose().ok()
}

fn limit(stored: StoredLimit) -> Option<VersionLimit> {
    let version = |text: Option<String>| text.map(|text| text.parse()).transpose().ok();
    Some(VersionLimit {
        since: version(stored.since)?,
        before: version(stored.before)?,
        reason: stored.reason,
        instead: json(stored.instead)?,
    })
}

/// The analysis of the file at `path`; what it depends on is left out.
pub(super) fn from_bytes(path: &str, bytes: &[u8]) -> Option<FileAnalysis> {
    let stored: Stored = rmp_serde::from_slice(bytes).ok()?;
    let flow = |flow: StoredFlow| {
        Some(Flow {
            name: flow.name.parse().ok()?,
            entrypoint: Entrypoint::new(path, flow.object),
            imported_from: flow.imported_from.map(|(path, object)| Entrypoint::new(path, object)),
            line: flow.line,
            description: flow.description,
            engine: Engine::Prefect,
            parameter_openapi_schema: json(flow.schema)?,
            open_schema: match flow.open {
                None => None,
                Some((schema, open)) => {
                    Some(OpenSchema { schema: serde_json::from_str(&schema).ok()?, open })
                }
            },
            source: flowreg_model::FlowSource::Static,
            inexact: flow
                .inexact
                .into_iter()
                .map(|(what, reason)| Inexact { what, reason })
                .collect(),
            limits: flow.limits.into_iter().map(limit).collect::<Option<_>>()?,
        })
    };
    let problem = |problem: StoredProblem| FlowProblem {
        path: path.to_owned(),
        line: problem.line,
        column: problem.column,
        code: problem.code,
        message: problem.message,
        excerpt: problem.excerpt,
    };
    Some(FileAnalysis {
        flows: stored.flows.into_iter().map(flow).collect::<Option<_>>()?,
        problems: stored.problems.into_iter().map(problem).collect(),
        deploy_calls: match stored.deploy_calls {
            None => Vec::new(),
            Some(calls) => serde_json::from_str(&calls).ok()?,
        },
        dependencies: Vec::new(),
    })
}
