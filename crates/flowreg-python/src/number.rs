//! Python's numbers as far as constants need them: integers of any size when they are only
//! carried, up to 127 bits when they are computed with, and floats as `repr` writes them.

use std::fmt;
use std::rc::Rc;

/// An integer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Int {
    Small(i128),
    /// Decimal digits of one that does not fit.
    Large(Rc<str>),
}

impl From<i128> for Int {
    fn from(number: i128) -> Self {
        Int::Small(number)
    }
}

impl Int {
    /// Reads a literal as the tokenizer gives it: decimal digits, or a prefixed radix.
    pub(crate) fn parse(literal: &str) -> Option<Self> {
        let digits: String = literal.chars().filter(|char| *char != '_').collect();
        let lower = digits.to_ascii_lowercase();
        for (prefix, radix) in [("0x", 16), ("0o", 8), ("0b", 2)] {
            if let Some(rest) = lower.strip_prefix(prefix) {
                return i128::from_str_radix(rest, radix).ok().map(Int::Small);
            }
        }
        if let Ok(number) = digits.parse() {
            return Some(Int::Small(number));
        }
        // Larger than `i128`: carried as text, because a default only has to be written out again.
        let is_decimal = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_decimal.then(|| Int::Large(digits.into()))
    }

    pub(crate) fn small(&self) -> Option<i128> {
        match self {
            Int::Small(number) => Some(*number),
            Int::Large(_) => None,
        }
    }

    pub(crate) fn negated(&self) -> Option<Self> {
        match self {
            Int::Small(number) => number.checked_neg().map(Int::Small),
            Int::Large(digits) => Some(Int::Large(match digits.strip_prefix('-') {
                Some(rest) => rest.into(),
                None => format!("-{digits}").into(),
            })),
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        *self == Int::Small(0)
    }

    pub(crate) fn to_float(&self) -> f64 {
        self.to_string().parse().unwrap_or(f64::NAN)
    }
}

impl fmt::Display for Int {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Int::Small(number) => write!(f, "{number}"),
            Int::Large(digits) => f.write_str(digits),
        }
    }
}

/// Below this, a float holds every whole number exactly, and prints it without an exponent.
pub(crate) const LARGEST_WHOLE: f64 = 1e15;

/// `repr` of a float: the shortest digits that read back, with an exponent below 1e-4 and from
/// 1e16 on.
pub(crate) fn float_repr(number: f64) -> String {
    if number.is_nan() {
        return "nan".to_owned();
    }
    if number.is_infinite() {
        return if number > 0.0 { "inf" } else { "-inf" }.to_owned();
    }
    // Rust and Python both print the shortest digits that read back as the same float; they differ
    // only in where they switch to an exponent.
    let scientific = format!("{number:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{number}");
        return if plain.contains('.') { plain } else { format!("{plain}.0") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// `str` of a complex number without its parentheses.
pub(crate) fn complex_repr(real: f64, imaginary: f64) -> String {
    let part = |number: f64| {
        let text = float_repr(number);
        text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
    };
    // Python leaves out a real part only if it is positive zero: `repr(complex(-0.0, 1))` shows it.
    if real == 0.0 && real.is_sign_positive() {
        return format!("{}j", part(imaginary));
    }
    let sign = if imaginary.is_sign_negative() { "" } else { "+" };
    format!("{}{sign}{}j", part(real), part(imaginary))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_are_written_as_python_writes_them() {
        for (number, text) in [
            (1.0, "1.0"),
            (0.1, "0.1"),
            (1e16, "1e+16"),
            (1e15, "1000000000000000.0"),
            (1e-4, "0.0001"),
            (1e-5, "1e-05"),
            (1.5e300, "1.5e+300"),
            (-0.0, "-0.0"),
        ] {
            assert_eq!(float_repr(number), text);
        }
    }

    #[test]
    fn integers_of_any_size_are_carried() {
        let digits = "123456789012345678901234567890123456789012345";
        assert_eq!(Int::parse(digits).unwrap().to_string(), digits);
        assert_eq!(Int::parse("0x1F"), Some(Int::Small(31)));
        assert_eq!(Int::parse("1_000"), Some(Int::Small(1000)));
    }

    #[test]
    fn complex_numbers_lose_a_zero_real_part() {
        assert_eq!(complex_repr(0.0, 1.0), "1j");
        assert_eq!(complex_repr(1.0, 2.0), "1+2j");
        assert_eq!(complex_repr(0.0, -1.0), "-1j");
    }
}
