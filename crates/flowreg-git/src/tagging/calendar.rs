//! Calendar versions: a format such as `YYYY.0M.MICRO`, the version of a day, the one after it.
//!
//! The words are those of <https://calver.org>. Which day it is comes in as a value.

use std::fmt;
use std::str::FromStr;

use super::version::Version;

/// A day, as the formats name its parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Day {
    /// All digits.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to 31.
    pub day: u8,
    /// Of the year, ISO 8601: 1 to 53.
    pub week: u8,
    /// The year that the week belongs to, which is another one at the turn of the year.
    pub week_year: u16,
}

/// What is wrong with a format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FormatError {
    /// A word that is not in the list.
    #[error("`{0}` is none of YYYY, YY, 0Y, MM, 0M, WW, 0W, DD, 0D and MICRO")]
    Unknown(String),
    /// Later versions would not be greater.
    #[error("its parts must go from the year to the smallest, MICRO last, each once")]
    Order,
    /// No version could be told from the next.
    #[error("it has no year")]
    NoYear,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year { digits: Digits },
    Month { is_padded: bool },
    Week { is_padded: bool },
    Day { is_padded: bool },
    Micro,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Digits {
    /// `2026`
    Full,
    /// `26`, `106`
    Short,
    /// `06`, `26`, `106`
    Padded,
}

/// `YYYY.0M.MICRO`: parts, with what stands between them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalendarFormat {
    parts: Vec<Part>,
    /// The separator in front of each part but the first.
    separators: Vec<char>,
}

impl FromStr for CalendarFormat {
    type Err = FormatError;

    fn from_str(text: &str) -> Result<Self, FormatError> {
        let separators: Vec<char> = text.chars().filter(|char| is_separator(*char)).collect();
        let parts: Result<Vec<_>, _> = text.split(is_separator).map(Part::from_str).collect();
        let parts = parts?;
        if !matches!(parts.first(), Some(Part::Year { .. })) {
            return Err(FormatError::NoYear);
        }
        let ranks: Vec<_> = parts.iter().map(|part| part.rank()).collect();
        // A version has to be greater than those before it, compared part by part.
        let is_ordered = ranks.windows(2).all(|pair| matches!(pair, [one, next] if one < next));
        // Weeks cross the borders of months, so the two can't be combined; and a day without a month
        // would be the same in every month.
        let has_week = parts.iter().any(|part| matches!(part, Part::Week { .. }));
        let has_month =
            parts.iter().any(|part| matches!(part, Part::Month { .. } | Part::Day { .. }));
        let has_day = parts.iter().any(|part| matches!(part, Part::Day { .. }));
        let is_dayless = !has_day || parts.iter().any(|part| matches!(part, Part::Month { .. }));
        if !is_ordered || (has_week && has_month) || !is_dayless {
            return Err(FormatError::Order);
        }
        Ok(Self { parts, separators })
    }
}

impl CalendarFormat {
    /// Whether a day can have several versions.
    pub(crate) fn has_micro(&self) -> bool {
        self.parts.last() == Some(&Part::Micro)
    }

    /// The version that a text is, if it is written exactly as the format says.
    pub(crate) fn parse(&self, text: &str) -> Option<Version> {
        let mut rest = text;
        let mut numbers = Vec::new();
        for (index, part) in self.parts.iter().enumerate() {
            if let Some(separator) = index.checked_sub(1).and_then(|at| self.separators.get(at)) {
                rest = rest.strip_prefix(*separator)?;
            }
            let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at_checked(end)?;
            let number: u64 = digits.parse().ok()?;
            // Written back, so that `2026.1` is no version of `YYYY.0M`: two texts for one version would
            // be two tags.
            if part.written(number) != digits || !part.admits(number) {
                return None;
            }
            numbers.push(number);
            rest = after;
        }
        rest.is_empty().then(|| Version::calendar(text.to_owned(), numbers))
    }

    /// The version of a day after the latest one there is: the first of the day, or the next one of
    /// the latest's day. `None` if the format has no more versions for that day, or the numbers end.
    pub(crate) fn next(&self, day: Day, latest: Option<&Version>) -> Option<Version> {
        let has_week = self.parts.iter().any(|part| matches!(part, Part::Week { .. }));
        let numbers: Vec<u64> = self.parts.iter().map(|part| part.number(day, has_week)).collect();
        let Some(latest) = latest else { return Some(self.write(numbers)) };
        let dates = self.parts.len() - usize::from(self.has_micro());
        let (today, last) = (numbers.get(..dates)?, latest.numbers().get(..dates)?);
        if today > last {
            return Some(self.write(numbers));
        }
        // The latest version is of the same day, or of a later one by another machine's clock. Going on
        // from it keeps versions growing either way.
        let micro = latest.numbers().get(dates)?.checked_add(1)?;
        Some(self.write([last, &[micro]].concat()))
    }

    fn write(&self, numbers: Vec<u64>) -> Version {
        let mut text = String::new();
        for (index, (part, number)) in self.parts.iter().zip(&numbers).enumerate() {
            text.extend(index.checked_sub(1).and_then(|at| self.separators.get(at)));
            text.push_str(&part.written(*number));
        }
        Version::calendar(text, numbers)
    }
}

impl fmt::Display for CalendarFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let separators = std::iter::once(None).chain(self.separators.iter().map(Some));
        for (part, separator) in self.parts.iter().zip(separators) {
            separator.map_or(Ok(()), |separator| write!(f, "{separator}"))?;
            f.write_str(part.word())?;
        }
        Ok(())
    }
}

/// The year from which formats with two digits count (<https://calver.org>): 2006 is `6`, 2106 is `106`.
const CENTURY: u64 = 2000;

/// The words of formats.
const WORDS: [(&str, Part); 10] = [
    ("YYYY", Part::Year { digits: Digits::Full }),
    ("YY", Part::Year { digits: Digits::Short }),
    ("0Y", Part::Year { digits: Digits::Padded }),
    ("MM", Part::Month { is_padded: false }),
    ("0M", Part::Month { is_padded: true }),
    ("WW", Part::Week { is_padded: false }),
    ("0W", Part::Week { is_padded: true }),
    ("DD", Part::Day { is_padded: false }),
    ("0D", Part::Day { is_padded: true }),
    ("MICRO", Part::Micro),
];

impl Part {
    fn from_str(word: &str) -> Result<Self, FormatError> {
        let known = WORDS.iter().find(|(known, _)| *known == word);
        known.map(|(_, part)| *part).ok_or_else(|| FormatError::Unknown(word.to_owned()))
    }

    fn word(self) -> &'static str {
        WORDS.iter().find(|(_, part)| *part == self).map_or("", |(word, _)| word)
    }

    fn rank(self) -> u8 {
        match self {
            Self::Year { .. } => 0,
            Self::Month { .. } | Self::Week { .. } => 1,
            Self::Day { .. } => 2,
            Self::Micro => 3,
        }
    }

    fn number(self, day: Day, has_week: bool) -> u64 {
        match self {
            Self::Year { digits } => {
                let year = u64::from(if has_week { day.week_year } else { day.year });
                if digits == Digits::Full { year } else { year.saturating_sub(CENTURY) }
            }
            Self::Month { .. } => u64::from(day.month),
            Self::Week { .. } => u64::from(day.week),
            Self::Day { .. } => u64::from(day.day),
            Self::Micro => 0,
        }
    }

    fn admits(self, number: u64) -> bool {
        match self {
            Self::Year { digits: Digits::Full } => (1000..=9999).contains(&number),
            Self::Year { .. } => number < 1000,
            Self::Month { .. } => (1..=12).contains(&number),
            Self::Week { .. } => (1..=53).contains(&number),
            Self::Day { .. } => (1..=31).contains(&number),
            Self::Micro => true,
        }
    }

    fn written(self, number: u64) -> String {
        match self {
            Self::Year { digits: Digits::Padded }
            | Self::Month { is_padded: true }
            | Self::Week { is_padded: true }
            | Self::Day { is_padded: true } => format!("{number:02}"),
            _ => number.to_string(),
        }
    }
}

fn is_separator(char: char) -> bool {
    matches!(char, '.' | '-' | '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: Day = Day { year: 2026, month: 1, day: 2, week: 1, week_year: 2026 };

    fn format(text: &str) -> CalendarFormat {
        let format: CalendarFormat = text.parse().unwrap();
        assert_eq!(format.to_string(), text);
        format
    }

    fn next(text: &str, latest: Option<&str>) -> Option<String> {
        let format = format(text);
        let latest = latest.map(|latest| format.parse(latest).unwrap());
        format.next(DAY, latest.as_ref()).map(|version| version.to_string())
    }

    #[test]
    fn a_format_says_how_a_day_is_written() {
        for (format, expected) in [
            ("YYYY.MM.MICRO", "2026.1.0"),
            ("YYYY.0M.0D", "2026.01.02"),
            ("YY.0M_MICRO", "26.01_0"),
            ("YYYY-0W.MICRO", "2026-01.0"),
            ("0Y.MM.DD.MICRO", "26.1.2.0"),
            ("YYYY", "2026"),
        ] {
            assert_eq!(next(format, None).as_deref(), Some(expected), "{format}");
        }
    }

    #[test]
    fn the_count_goes_on_within_a_day_and_starts_again_on_the_next() {
        assert_eq!(next("YYYY.MM.MICRO", Some("2026.1.9")).as_deref(), Some("2026.1.10"));
        assert_eq!(next("YYYY.MM.MICRO", Some("2025.12.3")).as_deref(), Some("2026.1.0"));
        // Another clock is ahead.
        assert_eq!(next("YYYY.MM.MICRO", Some("2026.2.0")).as_deref(), Some("2026.2.1"));
        assert_eq!(next("YYYY.0M.0D", Some("2026.01.02")), None);
    }

    #[test]
    fn only_what_is_written_as_the_format_says_is_a_version() {
        let padded = format("YYYY.0M.MICRO");
        assert!(padded.parse("2026.01.0").is_some());
        for text in [
            "2026.1.0",
            "2026.13.0",
            "2026.01",
            "2026.01.0-rc",
            "2026-01.0",
            "26.01.0",
            "",
            "2026.01.01",
        ] {
            assert!(padded.parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_format_whose_versions_would_not_grow_is_refused() {
        for (text, error) in [
            ("MM.YYYY", FormatError::NoYear),
            ("YYYY.DD", FormatError::Order),
            ("YYYY.MICRO.MM", FormatError::Order),
            ("YYYY.0W.MM", FormatError::Order),
            ("YYYY.0W.DD", FormatError::Order),
            ("YYYY.MM.MM", FormatError::Order),
            ("YYYY.mm", FormatError::Unknown("mm".to_owned())),
            ("", FormatError::Unknown(String::new())),
            ("YYYY..MM", FormatError::Unknown(String::new())),
        ] {
            assert_eq!(text.parse::<CalendarFormat>(), Err(error), "{text}");
        }
    }
}
