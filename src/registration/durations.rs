//! Durations as pydantic reads them where Prefect declares a `timedelta`: seconds, ISO 8601,
//! `HH:MM:SS`, `3 days, HH:MM:SS`.
//!
//! What a user writes is untyped YAML; the differential test asks pydantic itself.

use serde_json::{Number, Value, json};

/// A length of time in microseconds, as Python keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Duration(i128);

const SECOND: i128 = 1_000_000;
const DAY: i128 = 86_400 * SECOND;
/// The most days that Python takes.
const MOST_DAYS: i128 = 999_999_999;
/// `00:00` is the shortest time; pydantic takes shorter text for days.
const SHORTEST_TIME: usize = 5;

impl Duration {
    /// A number of seconds.
    pub(super) const fn seconds(seconds: i32) -> Self {
        Self(seconds as i128 * SECOND)
    }

    /// Reads a JSON value; `None` if pydantic would not take it.
    pub(super) fn read(value: &Value) -> Option<Self> {
        match value {
            Value::String(text) => Self::of_text(text),
            _ => Self::of_number(value),
        }
    }

    /// Reads a number of seconds; `true` is one, as in Python.
    pub(super) fn of_number(value: &Value) -> Option<Self> {
        let micros = match value {
            Value::Bool(is_one) => i128::from(*is_one) * SECOND,
            Value::Number(number) => of_number(number, f64::round)?,
            _ => return None,
        };
        Self::within_bounds(micros)
    }

    /// The same as Python's own `timedelta` has it, which rounds half a microsecond to even.
    pub(super) fn of_python_number(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => Self::within_bounds(of_number(number, f64::round_ties_even)?),
            _ => Self::of_number(value),
        }
    }

    /// In seconds, as Prefect's API has it.
    pub(super) fn to_json(self) -> Value {
        #[expect(clippy::cast_precision_loss, reason = "Python does the same")]
        let seconds = if self.0 % SECOND == 0 {
            (self.0 / SECOND) as f64
        } else {
            self.0 as f64 / SECOND as f64
        };
        json!(seconds)
    }

    fn within_bounds(micros: i128) -> Option<Self> {
        (micros.div_euclid(DAY).abs() <= MOST_DAYS).then_some(Self(micros))
    }

    fn of_text(text: &str) -> Option<Self> {
        let (is_negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, text.get(1..)?),
            b'+' => (false, text.get(1..)?),
            _ => (false, text),
        };
        let micros = if let Some(iso) = rest.strip_prefix('P') {
            of_iso(iso)?
        } else if text.contains(['d', 'D']) || text.len() < SHORTEST_TIME {
            of_days(rest)?
        } else {
            of_time(rest)?
        };
        Self::within_bounds(if is_negative { -micros } else { micros })
    }
}

fn of_number(number: &Number, round: fn(f64) -> f64) -> Option<i128> {
    if let Some(whole) = number.as_i64() {
        return Some(i128::from(whole) * SECOND);
    }
    let seconds = number.as_f64().filter(|seconds| seconds.abs() < 1e14)?;
    #[expect(clippy::cast_possible_truncation, reason = "far smaller than the type's bounds")]
    let (whole, micros) = (seconds.trunc() as i128, round(seconds.fract() * 1e6) as i128);
    Some(whole * SECOND + micros)
}

/// Digits at the start, and what follows them.
fn digits(text: &str) -> Option<(i128, &str)> {
    let end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse::<u64>().ok()?.into(), rest))
}

/// `1DT2H30M`, without the `P`; only the last number may have a fraction.
fn of_iso(text: &str) -> Option<i128> {
    let mut rest = text;
    let mut micros = 0;
    let (mut is_time, mut had_fraction) = (false, false);
    if matches!(text, "" | "T") {
        return None;
    }
    while !rest.is_empty() {
        if let Some(time) = rest.strip_prefix('T') {
            if is_time {
                return None;
            }
            (is_time, rest) = (true, time);
            continue;
        }
        let (number, after) = digits(rest)?;
        if had_fraction {
            return None;
        }
        let (fraction, after) = match after.strip_prefix(['.', ',']) {
            Some(after) => {
                let end = after.find(|char: char| !char.is_ascii_digit()).unwrap_or(after.len());
                let (digits, after) = after.split_at_checked(end)?;
                had_fraction = true;
                (format!("0.{digits}").parse::<f64>().ok()?, after)
            }
            None => (0.0, after),
        };
        let mut chars = after.chars();
        let seconds = unit(chars.next()?, is_time)?;
        rest = chars.as_str();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            reason = "less than a year"
        )]
        let of_fraction = (fraction * seconds as f64 * 1e6).round() as i128;
        micros += number * seconds * SECOND + of_fraction;
    }
    Some(micros)
}

/// The seconds of a letter; months are of 30 days and years of 365.
fn unit(letter: char, is_time: bool) -> Option<i128> {
    Some(match (letter, is_time) {
        ('H', true) => 3600,
        ('M', true) => 60,
        ('S', true) => 1,
        ('Y', false) => 365 * 86_400,
        ('M', false) => 30 * 86_400,
        ('W', false) => 7 * 86_400,
        ('D', false) => 86_400,
        _ => return None,
    })
}

/// `3d`, `3 days`, `3 days, 01:02:03`
fn of_days(text: &str) -> Option<i128> {
    let (days, rest) = digits(text)?;
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    let rest = rest.strip_prefix(['d', 'D'])?;
    let rest = match (rest.strip_prefix("ay"), rest.strip_prefix("AY")) {
        (Some(rest), _) => rest.strip_prefix('s').unwrap_or(rest),
        (_, Some(rest)) => rest.strip_prefix('S').unwrap_or(rest),
        _ if rest.starts_with(['a', 'A']) => return None,
        _ => rest,
    };
    let rest = rest.strip_prefix(',').unwrap_or(rest);
    let rest = rest.strip_prefix(' ').unwrap_or(rest);
    if rest.is_empty() {
        return Some(days * DAY);
    }
    let time = of_time(rest).filter(|time| *time < DAY)?;
    Some(days * DAY + time)
}

/// `01:02`, `01:02:03`, `01:02:03.5`; more than 24 hours are good.
fn of_time(text: &str) -> Option<i128> {
    if text.len() < SHORTEST_TIME {
        return None;
    }
    // pydantic reads `:05:00` as five minutes.
    let (hours, rest) = if text.starts_with(':') { (0, text) } else { digits(text)? };
    let (minutes, rest) = two_digits(rest)?;
    let mut micros = (hours * 3600 + minutes * 60) * SECOND;
    if rest.is_empty() {
        return Some(micros);
    }
    let (seconds, rest) = two_digits(rest)?;
    micros += seconds * SECOND;
    let Some(fraction) = rest.strip_prefix(['.', ',']) else {
        return rest.is_empty().then_some(micros);
    };
    // Python keeps microseconds; pydantic ignores whatever follows the sixth digit.
    let first_six: String = fraction.chars().take(6).collect();
    let is_number = !first_six.is_empty() && first_six.bytes().all(|byte| byte.is_ascii_digit());
    let padded = format!("{first_six:0<6}");
    is_number.then_some(micros + i128::from(padded.parse::<u32>().ok()?))
}

/// `:59`
fn two_digits(text: &str) -> Option<(i128, &str)> {
    let (number, rest) = text.strip_prefix(':')?.split_at_checked(2)?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    let number: u32 = number.parse().ok().filter(|number| is_number && *number < 60)?;
    Some((number.into(), rest))
}
