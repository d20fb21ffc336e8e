//! What a scalar stands for: the implicit types of YAML 1.1 as PyYAML's resolver finds them, and the
//! conversions of its safe constructor. Texts only: positions and error messages are the caller's.
//!
//! The patterns are those of `yaml/resolver.py` and `yaml/constructor.py` of PyYAML 6.

use serde_json::Number;

/// The types that a plain scalar can have by its text alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Implicit {
    Bool,
    Float,
    Integer,
    Merge,
    Null,
    Timestamp,
    Value,
    Text,
}

/// The type of a plain scalar.
pub(super) fn resolve(text: &str) -> Implicit {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Implicit::Null,
        "<<" => return Implicit::Merge,
        "=" => return Implicit::Value,
        "yes" | "Yes" | "YES" | "no" | "No" | "NO" | "true" | "True" | "TRUE" | "false"
        | "False" | "FALSE" | "on" | "On" | "ON" | "off" | "Off" | "OFF" => return Implicit::Bool,
        _ => {}
    }
    // PyYAML chooses its patterns by the first character, and tries them in this order.
    if !text.starts_with(|char: char| char.is_ascii_digit() || "+-.".contains(char)) {
        Implicit::Text
    } else if is_float(text) {
        Implicit::Float
    } else if is_integer(text) {
        Implicit::Integer
    } else if is_timestamp(text) {
        Implicit::Timestamp
    } else {
        Implicit::Text
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn all(text: &str, is_it: impl Fn(u8) -> bool) -> bool {
    !text.is_empty() && text.bytes().all(is_it)
}

fn is_digit_or_underscore(byte: u8) -> bool {
    byte.is_ascii_digit() || byte == b'_'
}

/// Digits and underscores that start with a digit.
fn is_digits(text: &str) -> bool {
    text.starts_with(|char: char| char.is_ascii_digit()) && text.bytes().all(is_digit_or_underscore)
}

/// One or more `:00` to `:59`.
fn are_sixtieths(parts: &[&str]) -> bool {
    let is_sixtieth = |part: &&str| match part.as_bytes() {
        [unit] => unit.is_ascii_digit(),
        [ten, unit] => (b'0'..=b'5').contains(ten) && unit.is_ascii_digit(),
        _ => false,
    };
    !parts.is_empty() && parts.iter().all(is_sixtieth)
}

fn is_float(text: &str) -> bool {
    let number = unsigned(text);
    if matches!(number, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    let Some((whole, rest)) = number.split_once('.') else { return false };
    let (fraction, exponent) = match rest.find(['e', 'E']) {
        Some(index) => rest.split_at(index),
        None => (rest, ""),
    };
    let is_exponent = exponent.is_empty()
        || exponent
            .get(1..)
            .and_then(|power| power.strip_prefix(['+', '-']))
            .is_some_and(|power| all(power, |byte| byte.is_ascii_digit()));
    if whole.is_empty() {
        // PyYAML's pattern for a float without a digit before the point has no sign: `-.5` is text.
        return number == text && is_digits(fraction) && is_exponent;
    }
    if !fraction.bytes().all(is_digit_or_underscore) {
        return false;
    }
    match whole.split(':').collect::<Vec<_>>().as_slice() {
        [only] => is_digits(only) && is_exponent,
        [first, rest @ ..] => is_digits(first) && are_sixtieths(rest) && exponent.is_empty(),
        [] => false,
    }
}

fn is_integer(text: &str) -> bool {
    let number = unsigned(text);
    if let Some(digits) = number.strip_prefix("0b") {
        return all(digits, |byte| matches!(byte, b'0' | b'1' | b'_'));
    }
    if let Some(digits) = number.strip_prefix("0x") {
        return all(digits, |byte| byte.is_ascii_hexdigit() || byte == b'_');
    }
    if let Some(digits) = number.strip_prefix('0') {
        return digits.bytes().all(|byte| matches!(byte, b'0'..=b'7' | b'_'));
    }
    match number.split(':').collect::<Vec<_>>().as_slice() {
        [only] => is_digits(only),
        [first, rest @ ..] => is_digits(first) && are_sixtieths(rest),
        [] => false,
    }
}

fn is_timestamp(text: &str) -> bool {
    // A date alone needs two digits of month and day; with a time PyYAML takes one.
    match parts_of_moment(text) {
        Some(parts) if parts.time.is_none() => text.len() == "2024-01-01".len(),
        parts => parts.is_some(),
    }
}

/// The value of a `!!bool`.
pub(super) fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "on" => Some(true),
        "no" | "false" | "off" => Some(false),
        _ => None,
    }
}

/// Python converts no integer of more digits to or from text
/// (<https://docs.python.org/3/library/stdtypes.html#int-max-str-digits>).
const MOST_DIGITS: usize = 4300;

/// The value of an `!!int`.
pub(super) fn integer(text: &str) -> Option<Number> {
    let text = text.replace('_', "");
    let is_negative = text.starts_with('-');
    let number = unsigned(&text);
    let (inner_negative, digits) = if number == "0" {
        (false, Digits::default())
    } else if let Some(digits) = number.strip_prefix("0b") {
        python_int(digits, 2)?
    } else if let Some(digits) = number.strip_prefix("0x") {
        python_int(digits, 16)?
    } else if number.starts_with('0') {
        python_int(number, 8)?
    } else if number.contains(':') {
        let mut sum = Digits::default();
        for part in number.split(':') {
            match python_int(part, 10)? {
                (false, part) => sum = sum.sixty_times_and(&part)?,
                // Python would compute `!!int 1:-30`. Only an explicit tag gets here, and nobody writes
                // that, so it is refused.
                (true, _) => return None,
            }
        }
        (false, sum)
    } else {
        python_int(number, 10)?
    };
    let digits = digits.to_text();
    if digits.len() > MOST_DIGITS {
        return None;
    }
    let sign = if is_negative != inner_negative && digits != "0" { "-" } else { "" };
    format!("{sign}{digits}").parse().ok()
}

/// `int(text, radix)`: blanks around, one sign, the prefix of the radix. True if negative.
fn python_int(text: &str, radix: u32) -> Option<(bool, Digits)> {
    let text = text.trim();
    let is_negative = text.starts_with('-');
    let mut digits = unsigned(text);
    let prefix = match radix {
        2 => ["0b", "0B"],
        8 => ["0o", "0O"],
        _ => ["0x", "0X"],
    };
    if radix != 10 {
        digits = prefix.iter().find_map(|prefix| digits.strip_prefix(prefix)).unwrap_or(digits);
    }
    // A decimal digit has 3.3 bits, so this many digits are too long a number even in base 2; the
    // multiplication below would take long for nothing.
    if digits.is_empty() || digits.len() > MOST_DIGITS * 4 {
        return None;
    }
    if radix == 10 && digits.len() > MOST_DIGITS {
        return None;
    }
    let mut value = Digits::default();
    for char in digits.chars() {
        value.times_and(radix, char.to_digit(radix)?);
    }
    Some((is_negative, value))
}

const BILLION: u64 = 1_000_000_000;

/// A natural number of any size, nine decimal digits a place, the lowest first.
#[derive(Default)]
struct Digits(Vec<u32>);

impl Digits {
    fn times_and(&mut self, factor: u32, summand: u32) {
        let mut carry = u64::from(summand);
        for place in &mut self.0 {
            let value = u64::from(*place) * u64::from(factor) + carry;
            *place = u32::try_from(value % BILLION).unwrap_or_default();
            carry = value / BILLION;
        }
        if carry > 0 {
            self.0.push(u32::try_from(carry).unwrap_or_default());
        }
    }

    /// `self * 60 + other`, if it can still be written.
    fn sixty_times_and(mut self, other: &Digits) -> Option<Digits> {
        self.times_and(60, 0);
        let places = self.0.len().max(other.0.len());
        self.0.resize(places, 0);
        let mut carry = 0;
        for (index, place) in self.0.iter_mut().enumerate() {
            let value =
                u64::from(*place) + u64::from(other.0.get(index).copied().unwrap_or(0)) + carry;
            *place = u32::try_from(value % BILLION).unwrap_or_default();
            carry = value / BILLION;
        }
        if carry > 0 {
            self.0.push(u32::try_from(carry).unwrap_or_default());
        }
        (self.0.len() <= MOST_DIGITS / 9 + 1).then_some(self)
    }

    fn to_text(&self) -> String {
        let digits: String = self.0.iter().rev().map(|place| format!("{place:09}")).collect();
        match digits.trim_start_matches('0') {
            "" => "0".to_owned(),
            digits => digits.to_owned(),
        }
    }
}

/// The value of a `!!float`.
pub(super) fn float(text: &str) -> Option<f64> {
    let text = text.replace('_', "").to_lowercase();
    let sign = if text.starts_with('-') { -1.0 } else { 1.0 };
    let number = unsigned(&text);
    match number {
        ".inf" => Some(sign * f64::INFINITY),
        ".nan" => Some(f64::NAN),
        _ if number.contains(':') => {
            let mut sum = 0.0;
            let mut base = 1.0;
            for part in number.rsplit(':') {
                sum += part.trim().parse::<f64>().ok()? * base;
                base *= 60.0;
            }
            Some(sign * sum)
        }
        _ => Some(sign * number.trim().parse::<f64>().ok()?),
    }
}

/// A timestamp taken apart as PyYAML's pattern does; the numbers may be out of range.
struct MomentParts<'t> {
    date: [i16; 3],
    time: Option<TimeParts<'t>>,
}

struct TimeParts<'t> {
    clock: [i16; 3],
    fraction: &'t str,
    zone: Option<Zone>,
}

#[derive(PartialEq)]
enum Zone {
    Utc,
    Offset { is_west: bool, hours: i16, minutes: i16 },
}

/// Takes up to `most` and at least `least` digits off the start.
fn take_number(text: &str, least: usize, most: usize) -> Option<(i16, &str)> {
    let count = text.bytes().take(most).take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at_checked(count)?;
    (count >= least).then_some((digits.parse().ok()?, rest))
}

fn parts_of_moment(text: &str) -> Option<MomentParts<'_>> {
    let (year, rest) = take_number(text, 4, 4)?;
    let (month, rest) = take_number(rest.strip_prefix('-')?, 1, 2)?;
    let (day, rest) = take_number(rest.strip_prefix('-')?, 1, 2)?;
    let date = [year, month, day];
    if rest.is_empty() {
        return Some(MomentParts { date, time: None });
    }
    let rest = match rest.strip_prefix(['T', 't']) {
        Some(rest) => rest,
        None => rest.strip_prefix([' ', '\t'])?.trim_start_matches([' ', '\t']),
    };
    let (hour, rest) = take_number(rest, 1, 2)?;
    let (minute, rest) = take_number(rest.strip_prefix(':')?, 2, 2)?;
    let (second, rest) = take_number(rest.strip_prefix(':')?, 2, 2)?;
    let (fraction, rest) = match rest.strip_prefix('.') {
        Some(rest) => rest.split_at(rest.bytes().take_while(u8::is_ascii_digit).count()),
        None => ("", rest),
    };
    let zone = match rest.trim_start_matches([' ', '\t']) {
        _ if rest.is_empty() => None,
        "Z" => Some(Zone::Utc),
        offset => {
            let (hours, rest) = take_number(offset.strip_prefix(['+', '-'])?, 1, 2)?;
            let minutes = match rest.strip_prefix(':') {
                Some(rest) => match take_number(rest, 2, 2)? {
                    (minutes, "") => minutes,
                    _ => return None,
                },
                None if rest.is_empty() => 0,
                None => return None,
            };
            Some(Zone::Offset { is_west: offset.starts_with('-'), hours, minutes })
        }
    };
    Some(MomentParts {
        date,
        time: Some(TimeParts { clock: [hour, minute, second], fraction, zone }),
    })
}

/// The value of a `!!timestamp`, as pydantic writes dates and times in JSON.
pub(super) fn moment(text: &str) -> Option<String> {
    let parts = parts_of_moment(text)?;
    let [year, month, day] = parts.date;
    if year < 1 {
        return None;
    }
    jiff::civil::Date::new(year, month.try_into().ok()?, day.try_into().ok()?).ok()?;
    let date = format!("{year:04}-{month:02}-{day:02}");
    let Some(time) = parts.time else { return Some(date) };
    let [hour, minute, second] = time.clock;
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut text = format!("{date}T{hour:02}:{minute:02}:{second:02}");
    let fraction: String = time.fraction.chars().chain("000000".chars()).take(6).collect();
    if fraction != "000000" {
        text.push('.');
        text.push_str(&fraction);
    }
    match time.zone {
        None => {}
        Some(Zone::Utc | Zone::Offset { hours: 0, minutes: 0, .. }) => text.push('Z'),
        Some(Zone::Offset { is_west, hours, minutes }) => {
            let total = hours * 60 + minutes;
            // Python's offsets are shorter than a day.
            if total >= 24 * 60 {
                return None;
            }
            let sign = if is_west { '-' } else { '+' };
            let (hours, minutes) = (total / 60, total % 60);
            text = format!("{text}{sign}{hours:02}:{minutes:02}");
        }
    }
    Some(text)
}
