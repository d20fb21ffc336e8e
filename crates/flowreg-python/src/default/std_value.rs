//! Values of the standard library that a default can hold: dates, durations, decimal numbers,
//! identifiers, paths and addresses, with their arithmetic and the text pydantic writes for them.
//!
//! Rules: docs/facts/python.md, "Defaults", checked against pydantic 2.14.

use std::rc::Rc;

const DAY: i128 = 86_400_000_000;
const HOUR: i128 = 3_600_000_000;
const MINUTE: i128 = 60_000_000;
const SECOND: i128 = 1_000_000;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Date {
    pub year: i64,
    pub month: i64,
    pub day: i64,
}

/// A time of day; the offset is in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Time {
    pub microsecond: i128,
    pub offset: Option<i64>,
}

/// Which class a path has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    Path,
    Pure,
}

/// A constant of the standard library.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StdValue {
    Date(Date),
    Time(Time),
    DateTime(Date, Time),
    /// Microseconds.
    Delta(i128),
    /// Minutes east of UTC.
    Zone(i64),
    Decimal(Rc<str>),
    Fraction(i128, i128),
    Uuid(Rc<str>),
    Path(Rc<str>, PathKind),
    /// The canonical path of the class, and the address.
    Address(&'static str, Rc<str>),
    ZoneInfo(Rc<str>),
    Regex(Rc<str>),
}

impl Date {
    /// A date that exists.
    pub(crate) fn new(year: i64, month: i64, day: i64) -> Option<Self> {
        let is_valid = (1..=9999).contains(&year)
            && (1..=12).contains(&month)
            && (1..=days_in_month(year, month)).contains(&day);
        is_valid.then_some(Date { year, month, day })
    }

    /// Days since 1970-01-01, by Howard Hinnant's `days_from_civil`
    /// (<https://howardhinnant.github.io/date_algorithms.html>): years start in March, so that the
    /// leap day comes last.
    fn ordinal(self) -> i64 {
        let year = if self.month <= 2 { self.year - 1 } else { self.year };
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((self.month + 9) % 12) + 2) / 5 + self.day - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year
            - 719_468
    }

    /// The inverse, `civil_from_days`.
    fn from_ordinal(ordinal: i64) -> Option<Self> {
        let days = ordinal.checked_add(719_468)?;
        let era = days.div_euclid(146_097);
        let day_of_era = days.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        Date::new(year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
    }

    /// Reads `YYYY-MM-DD`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(3, '-');
        let mut part = |length: usize| {
            let part = parts.next()?;
            let is_number = part.len() == length && part.bytes().all(|b| b.is_ascii_digit());
            is_number.then(|| part.parse::<i64>().ok())?
        };
        Date::new(part(4)?, part(2)?, part(2)?)
    }

    fn iso(self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        2 => 28 + i64::from(is_leap),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

impl Time {
    /// A time of day that exists.
    pub(crate) fn new(parts: [i64; 4], offset: Option<i64>) -> Option<Self> {
        let [hour, minute, second, microsecond] = parts;
        let is_valid = (0..24).contains(&hour)
            && (0..60).contains(&minute)
            && (0..60).contains(&second)
            && (0..1_000_000).contains(&microsecond);
        let total = i128::from(hour) * HOUR
            + i128::from(minute) * MINUTE
            + i128::from(second) * SECOND
            + i128::from(microsecond);
        is_valid.then_some(Time { microsecond: total, offset })
    }

    fn iso(self) -> String {
        let total = self.microsecond;
        let (hour, minute) = (total / HOUR, total % HOUR / MINUTE);
        let (second, fraction) = (total % MINUTE / SECOND, total % SECOND);
        let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
        format!("{hour:02}:{minute:02}:{second:02}{fraction}{}", self.zone())
    }

    fn zone(self) -> String {
        match self.offset {
            None => String::new(),
            Some(0) => "Z".to_owned(),
            Some(offset) => {
                let sign = if offset < 0 { '-' } else { '+' };
                format!("{sign}{:02}:{:02}", offset.abs() / 60, offset.abs() % 60)
            }
        }
    }
}

impl StdValue {
    /// A duration from `timedelta`'s keyword units, in microseconds each.
    pub(crate) fn unit(name: &str) -> Option<i128> {
        Some(match name {
            "days" => DAY,
            "seconds" => SECOND,
            "microseconds" => 1,
            "milliseconds" => 1000,
            "minutes" => MINUTE,
            "hours" => HOUR,
            "weeks" => 7 * DAY,
            _ => return None,
        })
    }

    /// Whether the value counts as true in a condition.
    pub(crate) fn is_true(&self) -> bool {
        match self {
            StdValue::Delta(microseconds) => *microseconds != 0,
            StdValue::Decimal(text) => text.bytes().any(|byte| (b'1'..=b'9').contains(&byte)),
            StdValue::Fraction(numerator, _) => *numerator != 0,
            _ => true,
        }
    }

    /// The class of the value, by its canonical path.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            StdValue::Date(_) => "datetime.date",
            StdValue::Time(_) => "datetime.time",
            StdValue::DateTime(..) => "datetime.datetime",
            StdValue::Delta(_) => "datetime.timedelta",
            StdValue::Zone(_) => "datetime.timezone",
            StdValue::Decimal(_) => "decimal.Decimal",
            StdValue::Fraction(..) => "fractions.Fraction",
            StdValue::Uuid(_) => "uuid.UUID",
            StdValue::Path(_, PathKind::Path) => "pathlib.Path",
            StdValue::Path(_, PathKind::Pure) => "pathlib.PurePath",
            StdValue::Address(class, _) => class,
            StdValue::ZoneInfo(_) => "zoneinfo.ZoneInfo",
            StdValue::Regex(_) => "re.Pattern",
        }
    }

    /// The text that pydantic writes into JSON; `None` for what it can't write.
    pub(crate) fn json(&self) -> Option<String> {
        Some(match self {
            StdValue::Date(date) => date.iso(),
            StdValue::Time(time) => time.iso(),
            StdValue::DateTime(date, time) => format!("{}T{}", date.iso(), time.iso()),
            StdValue::Delta(microseconds) => duration(*microseconds),
            StdValue::Zone(_) => return None,
            StdValue::Fraction(numerator, 1) => numerator.to_string(),
            StdValue::Fraction(numerator, denominator) => format!("{numerator}/{denominator}"),
            StdValue::Decimal(text)
            | StdValue::Uuid(text)
            | StdValue::Path(text, _)
            | StdValue::Address(_, text)
            | StdValue::ZoneInfo(text)
            | StdValue::Regex(text) => text.to_string(),
        })
    }

    /// `str` of the value; `None` where it differs from the JSON text and is not needed.
    pub(crate) fn display(&self) -> Option<String> {
        match self {
            StdValue::Date(_)
            | StdValue::Decimal(_)
            | StdValue::Fraction(..)
            | StdValue::Uuid(_)
            | StdValue::Path(..)
            | StdValue::Address(..)
            | StdValue::ZoneInfo(_) => self.json(),
            _ => None,
        }
    }

    /// `self + other`.
    pub(crate) fn plus(&self, other: &StdValue) -> Option<StdValue> {
        match (self, other) {
            (StdValue::Delta(left), StdValue::Delta(right)) => {
                Some(StdValue::Delta(left.checked_add(*right)?))
            }
            (StdValue::Delta(delta), std_value) | (std_value, StdValue::Delta(delta)) => {
                std_value.shifted(*delta)
            }
            _ => None,
        }
    }

    /// `self - other`.
    pub(crate) fn minus(&self, other: &StdValue) -> Option<StdValue> {
        match (self, other) {
            // `x - delta` is `x + (-delta)` for dates and durations.
            (_, StdValue::Delta(right)) => self.plus(&StdValue::Delta(right.checked_neg()?)),
            (StdValue::Date(left), StdValue::Date(right)) => {
                Some(StdValue::Delta(i128::from(left.ordinal() - right.ordinal()) * DAY))
            }
            _ => None,
        }
    }

    fn shifted(&self, delta: i128) -> Option<StdValue> {
        match self {
            StdValue::Date(date) => {
                // A date takes whole days only, rounded down: `date + timedelta(hours=-1)` is the
                // day before.
                let days = i64::try_from(delta.div_euclid(DAY)).ok()?;
                Some(StdValue::Date(Date::from_ordinal(date.ordinal().checked_add(days)?)?))
            }
            StdValue::DateTime(date, time) => {
                let total = time.microsecond.checked_add(delta)?;
                let days = i64::try_from(total.div_euclid(DAY)).ok()?;
                let date = Date::from_ordinal(date.ordinal().checked_add(days)?)?;
                let time = Time { microsecond: total.rem_euclid(DAY), offset: time.offset };
                Some(StdValue::DateTime(date, time))
            }
            _ => None,
        }
    }
}

/// ISO 8601 with years of 365 days, as pydantic writes a `timedelta`.
fn duration(microseconds: i128) -> String {
    let sign = if microseconds < 0 { "-" } else { "" };
    let mut rest = microseconds.unsigned_abs();
    let mut take = |unit: i128| {
        let unit = unit.unsigned_abs();
        let count = rest / unit;
        rest %= unit;
        count
    };
    let (years, days) = (take(365 * DAY), take(DAY));
    let (hours, minutes, seconds) = (take(HOUR), take(MINUTE), take(SECOND));
    let part = |count: u128, unit: &str| match count {
        0 => String::new(),
        count => format!("{count}{unit}"),
    };
    let date = part(years, "Y") + &part(days, "D");
    let mut time = part(hours, "H") + &part(minutes, "M");
    if rest > 0 {
        let fraction = format!("{rest:06}");
        time = format!("{time}{seconds}.{}S", fraction.trim_end_matches('0'));
    } else {
        time += &part(seconds, "S");
    }
    match (date.is_empty(), time.is_empty()) {
        // A duration of nothing still needs one part.
        (true, true) => "PT0S".to_owned(),
        (_, true) => format!("{sign}P{date}"),
        _ => format!("{sign}P{date}T{time}"),
    }
}

/// Joins and normalises path parts as `PurePosixPath` does.
pub(crate) fn join_path(parts: &[&str]) -> String {
    let mut joined = String::new();
    for part in parts {
        if part.starts_with('/') {
            joined.clear();
        } else if !joined.is_empty() {
            joined.push('/');
        }
        joined.push_str(part);
    }
    let root = match joined.bytes().take_while(|byte| *byte == b'/').count() {
        0 => "",
        // POSIX leaves the meaning of exactly two slashes to the system, so `pathlib` keeps them.
        2 => "//",
        _ => "/",
    };
    // `pathlib` drops empty parts and `.`, and keeps `..`, which may lead through a link.
    let names: Vec<&str> =
        joined.split('/').filter(|name| !name.is_empty() && *name != ".").collect();
    let path = format!("{root}{}", names.join("/"));
    if path.is_empty() { ".".to_owned() } else { path }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_count_years_of_365_days() {
        assert_eq!(duration(400 * DAY + 59 * SECOND), "P1Y35DT59S");
        assert_eq!(duration(-HOUR), "-PT1H");
        assert_eq!(duration(0), "PT0S");
        assert_eq!(duration(1_500_000), "PT1.5S");
        assert_eq!(duration(DAY + 90 * SECOND), "P1DT1M30S");
    }

    #[test]
    fn paths_are_normalised_as_python_does() {
        assert_eq!(join_path(&["/tmp//x/"]), "/tmp/x");
        assert_eq!(join_path(&["a//b/./c/"]), "a/b/c");
        assert_eq!(join_path(&["a", "/b", "c"]), "/b/c");
        assert_eq!(join_path(&["./x"]), "x");
        assert_eq!(join_path(&[]), ".");
        assert_eq!(join_path(&["..", "x"]), "../x");
    }

    #[test]
    fn dates_move_by_days() {
        let date = Date::new(2024, 2, 28).unwrap();
        let moved = StdValue::Date(date).plus(&StdValue::Delta(2 * DAY)).unwrap();
        assert_eq!(moved.json().unwrap(), "2024-03-01");
        let back = moved.minus(&StdValue::Date(date)).unwrap();
        assert_eq!(back, StdValue::Delta(2 * DAY));
    }
}
