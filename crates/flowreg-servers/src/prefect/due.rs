//! Keeps a write from losing a scheduled run.
//!
//! Every write to a deployment deletes its future scheduled runs; the scheduler needs up to 5 s
//! to make them again, and a run that falls due meanwhile is lost silently (docs/facts/prefect.md,
//! "Every write deletes scheduled runs"). A run that is due already is not deleted. So where a run
//! is due within seconds, the write is delayed until just after that moment.

use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use super::http::{Http, Kind, Request};
use super::read::text;
use crate::TargetError;

/// Runs further away than this are safe: the 5 s that the scheduler needs, and some time that the
/// write may have to wait for other writes.
const SOON: Duration = Duration::from_secs(8);

/// The `Date` header has whole seconds, cut off, so the server's clock may be this much later.
const COARSE: Duration = Duration::from_secs(1);

/// How long after its time a run is certainly no future run any more.
const MARGIN: Duration = Duration::from_millis(300);

/// Waits until just after the next scheduled run of the deployment, if that is soon.
pub(super) fn wait(http: &Http, deployment: &str) -> Result<(), TargetError> {
    let Some((server_time, due)) = next(http, deployment)? else { return Ok(()) };
    // The scheduler goes by the server's clock, and that of this machine may differ.
    let until_due = due.duration_since(server_time).unwrap_or_default();
    if until_due > SOON + COARSE {
        return Ok(());
    }
    std::thread::sleep(until_due + MARGIN);
    Ok(())
}

/// The server's time, and when the next scheduled run is due.
fn next(http: &Http, deployment: &str) -> Result<Option<(SystemTime, SystemTime)>, TargetError> {
    // Two minutes back, in case this machine's clock is ahead of the server's. Which of the runs
    // are still to come is decided below, by the server's time.
    let now = Timestamp::now();
    let after = now.checked_sub(jiff::SignedDuration::from_mins(2)).unwrap_or(now);
    let body = json!({
        "limit": 50,
        "sort": "EXPECTED_START_TIME_ASC",
        "deployments": {"id": {"any_": [deployment]}},
        "flow_runs": {
            "state": {"type": {"any_": ["SCHEDULED"]}},
            "expected_start_time": {"after_": after.to_string()},
        },
    });
    let answer = http.send(Request {
        kind: Kind::Read,
        method: &Method::POST,
        path: "/flow_runs/filter",
        body: Some(&body),
    })?;
    let server_time = answer.date.unwrap_or_else(SystemTime::now);
    let runs = http.json(&answer)?;
    let due = runs
        .as_array()
        .into_iter()
        .flatten()
        .filter(|run| run.get("auto_scheduled") == Some(&Value::Bool(true)))
        .filter_map(|run| text(run, "next_scheduled_start_time")?.parse::<Timestamp>().ok())
        .map(SystemTime::from)
        .filter(|due| *due >= server_time)
        .min();
    Ok(due.map(|due| (server_time, due)))
}
