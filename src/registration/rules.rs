//! When schedules are due: whether two rules are the same, from when one counts that does not say it,
//! and a name for it.

use std::fmt::Write;

use serde_json::{Value, json};

use flowreg_model::json_equal;

/// How names begin that are made of a rule.
pub(super) const NAME_PREFIX: &str = "rule-";

/// Whether a held and a declared schedule have the same rule, wherever that starts if the declared one
/// does not say it.
pub(super) fn is_same_rule(held: &Value, declared: &Value) -> bool {
    match (held.get("schedule"), declared.get("schedule")) {
        (Some(held), Some(declared)) => {
            let mut declared = declared.clone();
            set_start(&mut declared, Some(held));
            json_equal(held, &declared)
        }
        _ => false,
    }
}

/// Gives a rule without a start the one that the target holds, so that its runs don't shift; else a
/// fixed one, as the server would fill in the moment of the write.
///
/// A rule of minutes or seconds stays without a start: from 2020 on it has millions of runs, and the
/// server itself finds a start nearby that leads to the same runs (docs/facts/prefect.md,
/// "Schedules").
pub(super) fn set_start(rule: &mut Value, held: Option<&Value>) {
    let Some(rule) = rule.as_object_mut() else { return };
    let of_held = |name: &str| held.and_then(|held| held.get(name)).and_then(Value::as_str);
    if rule.contains_key("interval") && !rule.contains_key("anchor_date") {
        rule.insert("anchor_date".to_owned(), json!(of_held("anchor_date").unwrap_or(ANCHOR)));
    }
    let Some(Value::String(rrule)) = rule.get_mut("rrule") else { return };
    let upper = rrule.to_ascii_uppercase();
    if upper.contains("DTSTART") {
        return;
    }
    let start = of_held("rrule").and_then(|held| held.strip_suffix(rrule.as_str()));
    let is_frequent = ["FREQ=MINUTELY", "FREQ=SECONDLY"].iter().any(|freq| upper.contains(freq))
        && !upper.contains("COUNT=");
    match start.filter(|start| start.starts_with("DTSTART:")) {
        Some(start) => rrule.insert_str(0, start),
        None if is_frequent => {}
        None => rrule.insert_str(0, RRULE_START),
    }
}

/// The start of an interval that declares none.
const ANCHOR: &str = "2020-01-01T00:00:00Z";
/// What the server puts before a rule without a start.
const RRULE_START: &str = "DTSTART:20200101T000000\n";

/// A name that is the same for the same rule, however a server writes it.
///
/// When the rule starts is left out. Where the file does not say it, the server or the client fills
/// in the moment of its write, which is another one each time.
pub(super) fn name(schedule: &Value) -> String {
    let rule = schedule.get("schedule").unwrap_or(&Value::Null);
    let text = |name: &str| rule.get(name).and_then(Value::as_str);
    let zone = text("timezone").filter(|zone| *zone != "UTC").unwrap_or_default();
    let mut words = if let Some(cron) = text("cron") {
        let day_or = rule.get("day_or").and_then(Value::as_bool).unwrap_or(true);
        format!("cron {cron} {zone} {day_or}")
    } else if let Some(rrule) = text("rrule") {
        format!("rrule {} {zone}", without_start(rrule))
    } else {
        let seconds = rule.get("interval").and_then(Value::as_f64).unwrap_or(0.0);
        // The number stands for 2020, the start that flowreg gives. On Prefect 2 names that an
        // older flowreg made have it, and they stay the same.
        format!("interval {seconds} 1577836800 {zone}")
    };
    let parameters = schedule.get("parameters").and_then(Value::as_object);
    if let Some(parameters) = parameters.filter(|parameters| !parameters.is_empty()) {
        let mut sorted = Value::Object(parameters.clone());
        sorted.sort_all_objects();
        let _ = write!(words, " {sorted}");
    }
    format!("{NAME_PREFIX}{:08x}", crc32fast::hash(words.as_bytes()))
}

fn without_start(rrule: &str) -> String {
    let is_start = |line: &&str| line.trim_start().to_ascii_uppercase().starts_with("DTSTART");
    rrule.lines().filter(|line| !is_start(line)).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_rule_has_one_name_however_it_is_written() {
        let same = [
            (
                json!({"cron": "0 3 * * *"}),
                json!({"cron": "0 3 * * *", "timezone": "UTC", "day_or": true}),
            ),
            (
                json!({"interval": 60}),
                json!({"interval": 60.0, "anchor_date": "2026-11-30T10:11:12Z", "timezone": "UTC"}),
            ),
            (
                json!({"rrule": "FREQ=DAILY"}),
                json!({"rrule": "DTSTART:20200101T000000\nFREQ=DAILY"}),
            ),
        ];
        for (one, other) in same {
            let (one, other) = (json!({"schedule": one}), json!({"schedule": other}));
            assert_eq!(name(&one), name(&other));
        }
        // As older versions have noted it of Prefect 2.
        let noted = |rule: Value| name(&json!({"schedule": rule}));
        assert_eq!(noted(json!({"cron": "0 3 * * *"})), "rule-a0d6dbc9");
        assert_eq!(noted(json!({"interval": 3600})), "rule-d292ce6b");
        assert_ne!(noted(json!({"interval": 60})), noted(json!({"interval": 61})));
    }

    #[test]
    fn parameters_are_a_part_of_the_name_and_their_order_is_not() {
        let with = |parameters: Value| {
            name(&json!({"schedule": {"cron": "@daily"}, "parameters": parameters}))
        };
        assert_eq!(
            with(json!({"a": 1, "b": {"c": 2, "d": 3}})),
            with(json!({"b": {"d": 3, "c": 2}, "a": 1}))
        );
        assert_ne!(with(json!({"a": 1})), with(json!({"a": 2})));
        assert_eq!(with(json!({})), name(&json!({"schedule": {"cron": "@daily"}})));
    }
}
