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

use super::gate::WriteSlot;
use super::held::{is_scheduled, raw_schedules};
use super::http::{Http, Kind, Request};
use super::read::text;
use crate::TargetError;

/// Runs further away than this are safe: the 5 s that the scheduler needs, and some time that the
/// write may have to wait for other writes.
const SOON: Duration = Duration::from_secs(8);

/// The `Date` header has whole seconds, cut off, so the server's clock may be this much later.
const COARSE: Duration = Duration::from_secs(1);

/// How often it is looked whether the scheduler has made the runs again.
const REFILL_TICK: Duration = Duration::from_millis(300);

/// How long after its time a run is certainly no future run any more.
const MARGIN: Duration = Duration::from_millis(300);

/// Waits for a slot in which a write to a deployment loses no scheduled run, and returns it. `deployment` as
/// the API gave it.
///
/// A run that is due soon is waited for, outside of the slot. After another write the runs that it
/// has deleted are not there yet, and the next one that is due can't be seen: until they are there, or the
/// scheduler has had its time, this waits as well.
pub(super) fn write_slot<'h>(
    http: &'h Http,
    id: &str,
    deployment: &Value,
) -> Result<WriteSlot<'h>, TargetError> {
    if !is_scheduled(deployment) {
        return Ok(http.write_slot());
    }
    let written = text(deployment, "updated").and_then(|time| time.parse::<Timestamp>().ok());
    let written = written.map(SystemTime::from);
    loop {
        let slot = http.write_slot();
        let (server_time, due) = next(http, id)?;
        let pause = match (due, written) {
            (Some(due), _) => {
                // The scheduler goes by the server's clock, and that of this machine may differ.
                let until_due = due.duration_since(server_time).unwrap_or_default();
                if until_due > SOON + COARSE {
                    return Ok(slot);
                }
                // One run only: a deployment that runs every few seconds would never be written.
                drop(slot);
                std::thread::sleep(until_due + MARGIN);
                return Ok(http.write_slot());
            }
            (None, Some(written))
                if server_time < written + SOON && may_be_due(deployment, server_time) =>
            {
                REFILL_TICK
            }
            (None, _) => return Ok(slot),
        };
        drop(slot);
        std::thread::sleep(pause);
    }
}

/// Whether a schedule may have a run that is due soon; `false` only where its rule says that it has none.
fn may_be_due(deployment: &Value, now: SystemTime) -> bool {
    let Ok(now) = Timestamp::try_from(now) else { return true };
    let soon = i64::try_from((SOON + COARSE).as_secs()).unwrap_or(i64::MAX);
    raw_schedules(deployment)
        .filter(|schedule| schedule.get("active") == Some(&Value::Bool(true)))
        .filter_map(|schedule| schedule.get("schedule"))
        .any(|rule| until_tick(rule, now).is_none_or(|seconds| seconds <= soon))
}

/// The seconds until a run of a rule can be due at the earliest, in whole seconds; `None` where that is not
/// plain. Time zones and summer time move runs by multiples of a quarter of an hour.
fn until_tick(rule: &Value, now: Timestamp) -> Option<i64> {
    const QUARTER: i64 = 15 * 60;
    let (start, every) = if let Some(cron) = text(rule, "cron") {
        // Five fields: runs are due at whole minutes.
        (0, (cron.split_whitespace().count() == 5).then_some(60)?)
    } else {
        let anchor: Timestamp = text(rule, "anchor_date")?.parse().ok()?;
        let interval = rule.get("interval")?.as_f64().filter(|seconds| *seconds >= 1.0)?;
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds below 2^53")]
        let whole = (interval.fract() == 0.0 && interval < 1e12).then_some(interval as i64)?;
        (anchor.as_second(), common_divisor(whole, QUARTER))
    };
    Some(every - (now.as_second() - start).rem_euclid(every))
}

fn common_divisor(one: i64, other: i64) -> i64 {
    if other == 0 { one } else { common_divisor(other, one % other) }
}

/// The server's time, and when the next scheduled run is due, if one is known.
fn next(http: &Http, deployment: &str) -> Result<(SystemTime, Option<SystemTime>), TargetError> {
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
    Ok((server_time, due))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_says_when_it_can_be_due_at_the_earliest() {
        let at = |time: &str| time.parse::<Timestamp>().unwrap();
        let interval =
            |seconds: f64| json!({"interval": seconds, "anchor_date": "2026-01-01T00:00:10Z"});
        for (rule, now, seconds) in [
            (json!({"cron": "0 1 * * *"}), "2026-03-04T05:06:07Z", Some(53)),
            (json!({"cron": "*/5 * * * *"}), "2026-03-04T05:06:59.9Z", Some(1)),
            // With a field for seconds.
            (json!({"cron": "*/5 * * * * */10"}), "2026-03-04T05:06:07Z", None),
            (interval(60.0), "2026-03-04T05:06:07Z", Some(3)),
            (interval(45.0), "2026-01-01T00:00:11Z", Some(44)),
            // A day, in a time zone that may be at any quarter of an hour.
            (interval(86400.0), "2026-03-04T05:14:00Z", Some(70)),
            (interval(0.5), "2026-03-04T05:06:07Z", None),
            (json!({"rrule": "FREQ=SECONDLY"}), "2026-03-04T05:06:07Z", None),
        ] {
            assert_eq!(until_tick(&rule, at(now)), seconds, "{rule} {now}");
        }
    }
}
