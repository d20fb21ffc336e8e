//! Reads deployments with the names of their flows, work pools and variables in pages of 200, and
//! single blocks.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};
use reqwest::Method;
use serde_json::{Map, Value, json};

use super::held::held;
use super::http::Http;
use super::two;
use crate::{TargetError, WorkPool};
use flowreg_model::{BlockDocument, Held};

/// The most items that a server gives at once; it refuses a higher limit.
const PAGE: usize = 200;

/// The most flow names in one filter. It keeps the request small; one filter on many names is ten
/// times as fast as a request for each.
pub(super) const NAMES: usize = 200;

/// What was read, with what writes need to know of it.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The deployments, in the order of flow and name.
    pub held: Vec<Held>,
    /// Ids of flows by name.
    pub flows: HashMap<String, String>,
    /// Deployments as the API gave them, by id.
    pub deployments: HashMap<String, Arc<Value>>,
}

/// Reads the deployments of these flows, or all.
///
/// `is_two`: the server is Prefect 2.
pub(super) fn deployments(
    http: &Http,
    names: Option<&[&str]>,
    is_two: bool,
) -> Result<Reading, TargetError> {
    let mut reading = Reading::default();
    match names {
        None => batch(http, &json!({}), is_two, &mut reading)?,
        Some(names) => {
            for names in names.chunks(NAMES) {
                let filter = json!({"flows": {"name": {"any_": names}}});
                batch(http, &filter, is_two, &mut reading)?;
            }
        }
    }
    reading.held.sort_by(|left, right| {
        (&left.flow, &left.deployment).cmp(&(&right.flow, &right.deployment))
    });
    Ok(reading)
}

fn batch(
    http: &Http,
    filter: &Value,
    is_two: bool,
    reading: &mut Reading,
) -> Result<(), TargetError> {
    let mut names = BTreeMap::new();
    for flow in pages(http, "/flows/filter", Some("NAME_ASC"), filter)? {
        if let (Some(id), Some(name)) = (text(&flow, "id"), text(&flow, "name")) {
            names.insert(id.to_owned(), name.to_owned());
            reading.flows.insert(name.to_owned(), id.to_owned());
        }
    }
    if names.is_empty() {
        return Ok(());
    }
    // Pages are cut by offset, so the order has to be a stable one. Many deployments share a name,
    // and hardly two the time of their creation.
    for deployment in pages(http, "/deployments/filter", Some("CREATED_DESC"), filter)? {
        // The answer has the flow's id only. A flow that is unknown was created after the flows
        // were read; its deployment is seen by the next run.
        let flow = text(&deployment, "flow_id").and_then(|id| names.get(id));
        if let (Some(id), Some(flow)) = (text(&deployment, "id"), flow) {
            let id = id.to_owned();
            let deployment = if is_two { two::as_three(&deployment) } else { deployment };
            reading.held.push(held(flow, &deployment));
            reading.deployments.insert(id, Arc::new(deployment));
        }
    }
    Ok(())
}

/// The deployment of a flow by its name, as the API gives it, if there is one.
pub(super) fn deployment_named(
    http: &Http,
    flow: &str,
    deployment: &str,
) -> Result<Option<Value>, TargetError> {
    let path = format!("/deployments/name/{}/{}", path_segment(flow), path_segment(deployment));
    match http.read(&Method::GET, &path, None) {
        Ok(found) => Ok(Some(found)),
        Err(TargetError::Refused { status: 404, .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The work pools.
pub(super) fn work_pools(http: &Http) -> Result<Vec<WorkPool>, TargetError> {
    let pools = pages(http, "/work_pools/filter", None, &json!({}))?;
    let pool = |pool: &Value| {
        Some(WorkPool {
            name: text(pool, "name")?.to_owned(),
            kind: text(pool, "type")?.to_owned(),
            is_paused: pool.get("is_paused").and_then(Value::as_bool).unwrap_or(false),
        })
    };
    Ok(pools.iter().filter_map(pool).collect())
}

/// The variables of these names.
pub(super) fn variables(
    http: &Http,
    names: &[String],
) -> Result<HashMap<String, Value>, TargetError> {
    let mut found = HashMap::new();
    for names in names.chunks(NAMES) {
        let filter = json!({"variables": {"name": {"any_": names}}});
        for variable in pages(http, "/variables/filter", Some("NAME_ASC"), &filter)? {
            if let (Some(name), Some(value)) = (text(&variable, "name"), variable.get("value")) {
                found.insert(name.to_owned(), value.clone());
            }
        }
    }
    Ok(found)
}

/// A block by the slug of its type and its name. Its secrets are not asked for, so they never
/// reach this machine.
pub(super) fn block(
    http: &Http,
    type_slug: &str,
    name: &str,
) -> Result<Option<BlockDocument>, TargetError> {
    let (type_slug, name) = (path_segment(type_slug), path_segment(name));
    let path =
        format!("/block_types/slug/{type_slug}/block_documents/name/{name}?include_secrets=false");
    let block = match http.read(&Method::GET, &path, None) {
        Ok(block) => block,
        Err(TargetError::Refused { status: 404, .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let secret_fields = block.pointer("/block_schema/fields/secret_fields");
    let mut secret_fields: Vec<String> = secret_fields
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|field| field.as_str().map(ToOwned::to_owned))
        .collect();
    // The server lists some of them twice.
    secret_fields.sort();
    secret_fields.dedup();
    Ok(Some(BlockDocument { data: block.get("data").cloned().unwrap_or_default(), secret_fields }))
}

/// What need not be encoded in a segment of a path (RFC 3986, "unreserved").
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn path_segment(name: &str) -> PercentEncode<'_> {
    utf8_percent_encode(name, UNRESERVED)
}

/// All pages of a filter. The server's order has no tie-breaker, so one item may be on two pages:
/// of each id only the first is kept.
pub(super) fn pages(
    http: &Http,
    path: &str,
    sort: Option<&str>,
    filter: &Value,
) -> Result<Vec<Value>, TargetError> {
    let mut items = Vec::new();
    let mut seen = HashSet::new();
    let mut offset = 0;
    loop {
        let mut body = filter.as_object().cloned().unwrap_or_else(Map::new);
        body.insert("limit".to_owned(), json!(PAGE));
        body.insert("offset".to_owned(), json!(offset));
        if let Some(sort) = sort {
            body.insert("sort".to_owned(), json!(sort));
        }
        let page = http.read(&Method::POST, path, Some(&Value::Object(body)))?;
        let Value::Array(page) = page else {
            return Err(http.no_api(format!("{path} did not answer with a list")));
        };
        let count = page.len();
        items.extend(
            page.into_iter()
                .filter(|item| text(item, "id").is_some_and(|id| seen.insert(id.to_owned()))),
        );
        if count < PAGE {
            return Ok(items);
        }
        offset += count;
    }
}

/// A text of a JSON object.
pub(super) fn text<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    object.get(name)?.as_str()
}
