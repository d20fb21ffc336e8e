//! A schedule of `prefect.yaml`, templates filled in, as the API has it.
//!
//! Read as `prefect deploy` does (`prefect/cli/deploy/_schedules.py`, pydantic 2 for the forms of a
//! duration), checked with Prefect 3.8.8.

use std::fmt::Write;

use jiff::fmt::temporal::{Pieces, PiecesOffset};
use serde_json::{Map, Value, json};

use super::check::{flag_of, seconds};
use flowreg_model::ScheduleRule;

/// Why a schedule can't be registered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ScheduleError {
    /// The rule was a template, and what it stands for is empty.
    #[error("a schedule has no rule once its templates are filled in")]
    NoRule,
    /// The cron expression has another number of fields.
    #[error("`cron` has five fields, or six with seconds")]
    Cron,
    /// The interval is no duration.
    #[error("`interval` is not a duration: seconds, `PT1H30M`, or `01:30:00`")]
    Interval,
    /// The interval is zero or negative.
    #[error("`interval` has to be longer than nothing")]
    NotPositive,
    /// The anchor is not a date with a time.
    #[error("`anchor_date` is not a moment like `2026-01-01T00:00:00Z`")]
    Anchor,
    /// The flag is neither true nor false.
    #[error("`{0}` is neither true nor false once its template is filled in")]
    Flag(&'static str),
    /// The rule is written as JSON, and has no `rrule` in it.
    #[error("`rrule` starts with a brace and is not JSON with a key `rrule`")]
    RuleInJson,
}

impl ScheduleError {
    /// The key that is wrong; `None` if it is the schedule as a whole.
    pub(super) fn key(&self) -> Option<&'static str> {
        match self {
            Self::NoRule => None,
            Self::Cron => Some("cron"),
            Self::Interval | Self::NotPositive => Some("interval"),
            Self::Anchor => Some("anchor_date"),
            Self::Flag(key) => Some(key),
            Self::RuleInJson => Some("rrule"),
        }
    }
}

/// The schedule in the form of the API: `schedule`, and `active`, `parameters`, `slug` and
/// `replaces` where they are declared. An interval without an anchor gets one later, in
/// `registration::schedules`: that which the target holds, or a fixed one.
///
/// # Errors
/// [`ScheduleError`] where the real client has one.
pub(super) fn registered(config: &Map<String, Value>) -> Result<Value, ScheduleError> {
    let mut schedule = Map::new();
    schedule.insert("schedule".to_owned(), rule(config)?);
    let active = flag(config, "active")?;
    schedule.extend(active.map(|active| ("active".to_owned(), json!(active))));
    for name in ["parameters", "slug", "replaces"] {
        let said = config.get(name).filter(|value| !is_empty(value));
        schedule.extend(said.map(|value| (name.to_owned(), value.clone())));
    }
    Ok(Value::Object(schedule))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

fn text<'c>(config: &'c Map<String, Value>, name: &str) -> Option<&'c str> {
    config.get(name)?.as_str().filter(|text| !text.is_empty())
}

fn flag(config: &Map<String, Value>, name: &'static str) -> Result<Option<bool>, ScheduleError> {
    match config.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(flag)) => Ok(Some(*flag)),
        Some(Value::String(text)) => flag_of(text).map(Some).ok_or(ScheduleError::Flag(name)),
        Some(_) => Err(ScheduleError::Flag(name)),
    }
}

fn rule(config: &Map<String, Value>) -> Result<Value, ScheduleError> {
    // Where templates leave more than one rule, the client takes the first of this order.
    let timezone = text(config, "timezone");
    if let Some(cron) = text(config, "cron") {
        if !ScheduleRule::has_cron_fields(cron) {
            return Err(ScheduleError::Cron);
        }
        let day_or = flag(config, "day_or")?.unwrap_or(true);
        return Ok(json!({"cron": cron, "timezone": timezone, "day_or": day_or}));
    }
    let interval = config.get("interval").filter(|value| !is_empty(value));
    if let Some(interval) = interval {
        let interval = match interval {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => duration(text),
            _ => None,
        };
        let interval = interval.ok_or(ScheduleError::Interval)?;
        if interval <= 0.0 {
            return Err(ScheduleError::NotPositive);
        }
        let mut rule = Map::new();
        rule.insert("interval".to_owned(), seconds(interval));
        if let Some(anchor) = text(config, "anchor_date") {
            rule.insert("anchor_date".to_owned(), json!(moment(anchor)?));
        }
        rule.insert("timezone".to_owned(), json!(timezone.unwrap_or("UTC")));
        return Ok(Value::Object(rule));
    }
    let rrule = text(config, "rrule").ok_or(ScheduleError::NoRule)?;
    // The client also takes the JSON of an rrule schedule as a text.
    let in_json = rrule.trim_start().starts_with('{');
    if !in_json {
        return Ok(json!({"rrule": rrule, "timezone": timezone.unwrap_or("UTC")}));
    }
    let parsed: Map<String, Value> =
        serde_json::from_str(rrule).map_err(|_| ScheduleError::RuleInJson)?;
    let rrule = text(&parsed, "rrule").ok_or(ScheduleError::RuleInJson)?;
    let timezone = timezone.or(text(&parsed, "timezone")).unwrap_or("UTC");
    Ok(json!({"rrule": rrule, "timezone": timezone}))
}

/// The moment as pydantic writes it in JSON; without an offset it counts as UTC.
fn moment(text: &str) -> Result<String, ScheduleError> {
    let pieces = Pieces::parse(text).map_err(|_| ScheduleError::Anchor)?;
    let moment = pieces.date().to_datetime(pieces.time().unwrap_or_default());
    let mut written = moment.strftime("%Y-%m-%dT%H:%M:%S").to_string();
    let micros = moment.subsec_nanosecond() / 1_000;
    if micros != 0 {
        let _ = write!(written, ".{micros:06}");
    }
    let offset = match pieces.offset() {
        Some(PiecesOffset::Numeric(offset)) => offset.offset().seconds(),
        _ => 0,
    };
    if offset == 0 {
        written.push('Z');
    } else {
        let (sign, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60);
        let _ = write!(written, "{sign}{:02}:{:02}", minutes / 60, minutes % 60);
    }
    Ok(written)
}

/// Seconds of `PT1H`, `P1DT2H`, `01:30`, `01:30:00`, `1 day, 01:30:00`; `None` for any other text.
fn duration(text: &str) -> Option<f64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1.0, rest),
        None => (1.0, text.strip_prefix('+').unwrap_or(text)),
    };
    let seconds = match rest.strip_prefix('P') {
        Some(rest) => iso_duration(rest)?,
        None => clock_duration(rest)?,
    };
    Some(sign * seconds)
}

/// What follows the `P` of ISO 8601; a year counts 365 days and a month 30.
fn iso_duration(text: &str) -> Option<f64> {
    let (mut seconds, mut number, mut in_time, mut is_any) = (0.0, String::new(), false, false);
    for char in text.chars() {
        match char {
            '0'..='9' | '.' => number.push(char),
            ',' => number.push('.'),
            'T' if !in_time && number.is_empty() => in_time = true,
            unit => {
                let factor = match (unit, in_time) {
                    ('Y', false) => 365.0 * 86_400.0,
                    ('M', false) => 30.0 * 86_400.0,
                    ('W', false) => 7.0 * 86_400.0,
                    ('D', false) => 86_400.0,
                    ('H', true) => 3_600.0,
                    ('M', true) => 60.0,
                    ('S', true) => 1.0,
                    _ => return None,
                };
                seconds += number.parse::<f64>().ok()? * factor;
                number.clear();
                is_any = true;
            }
        }
    }
    (is_any && number.is_empty()).then_some(seconds)
}

/// `[D day[s][,]] [HH:MM[:SS[.f]]]`
fn clock_duration(text: &str) -> Option<f64> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (number, rest) = text.split_at_checked(digits)?;
    if rest.starts_with(':') {
        return clock(text);
    }
    let days: f64 = number.parse().ok()?;
    let rest = rest.trim_start().to_ascii_lowercase();
    let rest = rest.strip_prefix('d')?;
    let rest = rest.strip_prefix("ays").or_else(|| rest.strip_prefix("ay")).unwrap_or(rest);
    let rest = rest.strip_prefix(',').unwrap_or(rest).trim_start();
    let time = if rest.is_empty() { 0.0 } else { clock(rest)? };
    Some(days * 86_400.0 + time)
}

fn clock(text: &str) -> Option<f64> {
    let mut parts = text.split(':');
    let hours: f64 = parts.next()?.parse::<u32>().ok()?.into();
    let minutes = parts.next().filter(|part| part.len() == 2)?.parse::<u32>().ok()?;
    let seconds = match parts.next() {
        Some(part) => part.parse::<f64>().ok().filter(|_| part.len() >= 2)?,
        None => 0.0,
    };
    let is_clock = minutes < 60 && (0.0..60.0).contains(&seconds) && parts.next().is_none();
    is_clock.then_some(hours * 3_600.0 + f64::from(minutes) * 60.0 + seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(config: &Value) -> Result<Value, ScheduleError> {
        registered(config.as_object().unwrap())
    }

    #[test]
    fn durations_are_read_as_pydantic_reads_them() {
        // Each checked with pydantic 2.14.
        for (text, seconds) in [
            ("01:00:00", Some(3600.0)),
            ("01:00", Some(3600.0)),
            ("100:00:00", Some(360_000.0)),
            ("01:00:00.5", Some(3600.5)),
            ("1 day", Some(86_400.0)),
            ("1d", Some(86_400.0)),
            ("1 DAY", Some(86_400.0)),
            ("1 days, 02:00:00", Some(93_600.0)),
            ("1 days,02:00", Some(93_600.0)),
            ("10 d 01:00", Some(867_600.0)),
            ("1 day, 1:02:03", Some(90_123.0)),
            ("P1DT2H", Some(93_600.0)),
            ("PT1.5H", Some(5_400.0)),
            ("PT1,5S", Some(1.5)),
            ("P1Y", Some(31_536_000.0)),
            ("P1DT", Some(86_400.0)),
            ("-PT1H", Some(-3_600.0)),
            ("+PT1H", Some(3_600.0)),
            ("3600", None),
            ("1.5", None),
            ("PT", None),
            ("P", None),
            ("pt1h", None),
            ("PT1H30", None),
            ("00:60:00", None),
        ] {
            assert_eq!(duration(text), seconds, "{text}");
        }
    }

    #[test]
    fn anchors_are_written_as_pydantic_writes_them() {
        for (text, written) in [
            ("2026-01-01", "2026-01-01T00:00:00Z"),
            ("2026-01-01 05:06", "2026-01-01T05:06:00Z"),
            ("20260101", "2026-01-01T00:00:00Z"),
            ("2026-01-01T00:00:00+02:00", "2026-01-01T00:00:00+02:00"),
            ("2026-01-01T00:00:00.5Z", "2026-01-01T00:00:00.500000Z"),
        ] {
            assert_eq!(moment(text).unwrap(), written);
        }
        assert_eq!(moment("tomorrow"), Err(ScheduleError::Anchor));
    }

    #[test]
    fn what_is_not_said_is_what_prefect_makes_of_it() {
        assert_eq!(
            schedule(&json!({"cron": "0 3 * * *"})).unwrap(),
            json!({"schedule": {"cron": "0 3 * * *", "timezone": null, "day_or": true}})
        );
        assert_eq!(
            schedule(&json!({"interval": 60, "active": "no", "slug": "s", "parameters": {}}))
                .unwrap(),
            json!({"schedule": {"interval": 60.0, "timezone": "UTC"}, "active": false, "slug": "s"})
        );
        let rule = json!({"rrule": "{\"rrule\": \"FREQ=DAILY\", \"timezone\": \"Europe/Vienna\"}"});
        assert_eq!(
            schedule(&rule).unwrap(),
            json!({"schedule": {"rrule": "FREQ=DAILY", "timezone": "Europe/Vienna"}})
        );
    }

    #[test]
    fn what_is_no_schedule_says_so() {
        for (config, error) in [
            (json!({"cron": ""}), ScheduleError::NoRule),
            (json!({"cron": "every day"}), ScheduleError::Cron),
            (json!({"interval": "soon"}), ScheduleError::Interval),
            (json!({"interval": -1}), ScheduleError::NotPositive),
            (json!({"cron": "* * * * *", "active": "perhaps"}), ScheduleError::Flag("active")),
            (json!({"rrule": "{"}), ScheduleError::RuleInJson),
        ] {
            assert_eq!(schedule(&config), Err(error));
        }
    }
}
