//! The events of a document, from the port of libyaml. Where libyaml has other rules than PyYAML, or
//! the port would panic, the text is patched before it is parsed, and positions are corrected
//! (`docs/facts/prefect-yaml.md`). Knows nothing of what the events mean.

use libyaml_safer::{Error, EventData, Mark, Parser, ScalarStyle};

use super::marked::{MarkedEvent, index};
use super::reader::{end_of, is_break};
use super::{Position, YamlError, strict};

/// Python's stack ends at 494 levels, less the frames that Prefect has on it.
pub(super) const MAX_DEPTH: usize = 400;

/// How often a text may be parsed again after a patch, and how many bytes in all. Each patch costs one
/// more parse from the start, so a hostile file of nothing but such places would take quadratic time.
const MAX_PARSES: usize = 256;
const MAX_PARSED: usize = 8 << 20;

/// One event with its place in the file.
pub(super) struct Event {
    pub data: EventData,
    pub at: Position,
}

enum ParseFailure {
    Library(Error),
    TooDeep(Mark),
}

/// The events of a text up to the end of its stream.
pub(super) fn events(text: String) -> Result<Vec<Event>, YamlError> {
    let mut patched = PatchedText::new(text);
    let mut events = patched.parse()?;
    patched.take_added_break(&mut events);
    if let Err((place, message)) = strict::check(&patched.text, &events) {
        return Err(YamlError::new(patched.position_of(place), message));
    }
    Ok(events
        .into_iter()
        .map(|event| Event { at: patched.position(event.start), data: event.data })
        .collect())
}

/// The text that is given to the library: that of the file with the patches it needs.
struct PatchedText {
    text: String,
    /// Whether the last line of the file had no line break and got one.
    is_break_added: bool,
    /// Line and column of each inserted blank, to correct the positions behind it.
    blanks: Vec<(u64, u64)>,
    /// Up to here there is no tag that ends with a comma.
    without_comma: usize,
    parses: usize,
    parsed: usize,
}

/// Replaces a comma after a tag, to see how the library reads the text before it. A character of the
/// private use area can't be part of a tag, so the tag ends there with an error instead of a panic.
const INSTEAD_OF_COMMA: &str = "\u{e000}\n";

impl PatchedText {
    /// The library panics if a block scalar or an escape is the end of the input: the text gets a
    /// last line break, or loses its last blanks.
    fn new(mut text: String) -> Self {
        let mut is_break_added = false;
        let last_line = text.rfind(is_break).map_or(text.as_str(), |index| {
            let rest = text.get(index..).unwrap_or_default();
            rest.trim_start_matches(is_break)
        });
        if last_line.bytes().all(|byte| byte == b' ') {
            text.truncate(text.len() - last_line.len());
        } else {
            text.push('\n');
            is_break_added = true;
        }
        PatchedText {
            text,
            is_break_added,
            blanks: Vec::new(),
            without_comma: 0,
            parses: 0,
            parsed: 0,
        }
    }

    /// Parses the text, and patches it and parses again as long as something needs a patch: a comma
    /// after a tag, on which the library panics, and a key of a flow mapping that is followed by a
    /// bracket (`{a:[1]}`), which libyaml refuses.
    fn parse(&mut self) -> Result<Vec<MarkedEvent>, YamlError> {
        loop {
            // A comma that may follow a tag is cut off together with all that comes after it, so that
            // the library can't panic. If it reads the rest up to there without stopping at the
            // comma, the comma was something else, and the next one is looked at.
            let comma = self.comma_after_tag();
            let end = comma.unwrap_or(self.text.len());
            let failure = match comma.and_then(|comma| self.text.get(..comma)) {
                Some(before) => run(&format!("{before}{INSTEAD_OF_COMMA}")).err(),
                None => match run(&self.text) {
                    Ok(events) => return Ok(events),
                    Err(failure) => Some(failure),
                },
            };
            match failure {
                Some(ParseFailure::Library(error)) if self.separate_value(&error, end) => {}
                Some(ParseFailure::Library(error)) if comma.is_some_and(|c| is_at(&error, c)) => {
                    let mark = error.problem_mark().unwrap_or_default();
                    return Err(YamlError::new(self.position(mark), "a tag ends with a comma"));
                }
                Some(failure) if comma.is_none() => return Err(self.error(&failure)),
                _ => self.without_comma = end + 1,
            }
            self.parses += 1;
            self.parsed += end;
            if self.parses > MAX_PARSES || self.parsed > MAX_PARSED.max(self.text.len()) {
                let message = "too many commas after `!`, or keys without a blank behind the colon";
                return Err(YamlError::new(self.position_of(end), message));
            }
        }
    }

    /// Puts a blank after the colon that the library stopped at, as PyYAML reads it.
    fn separate_value(&mut self, error: &Error, end: usize) -> bool {
        let Some(mark) = error.problem_mark() else { return false };
        let colon = index(mark);
        let is_value = colon < end
            && error.problem() == "found unexpected ':'"
            && self
                .text
                .get(colon + 1..)
                .is_some_and(|rest| rest.starts_with([',', '[', ']', '{', '}']));
        if is_value {
            self.text.insert(colon + 1, ' ');
            self.blanks.push((mark.line, mark.column));
        }
        is_value
    }

    /// The first comma that may follow a tag and is not known to be something else.
    fn comma_after_tag(&self) -> Option<usize> {
        let rest = self.text.get(self.without_comma..)?;
        let mut from = self.without_comma;
        for part in rest.split_inclusive(',') {
            from += part.len();
            let comma = from - 1;
            let Some(before) = part.strip_suffix(',') else { break };
            // Only a verbatim tag can have a comma before its end.
            let word = before.rsplit(|char| char == ' ' || char == '\t' || is_break(char)).next();
            if word.is_some_and(|word| word.ends_with('>') || may_hold_tag(word)) {
                return Some(comma);
            }
        }
        None
    }

    /// Takes back the added line break where it became part of a block scalar.
    fn take_added_break(&self, events: &mut [MarkedEvent]) {
        if !self.is_break_added {
            return;
        }
        for event in events.iter_mut().rev() {
            if let EventData::Scalar { value, style, .. } = &mut event.data {
                let is_block = matches!(style, ScalarStyle::Literal | ScalarStyle::Folded);
                if is_block && index(event.end) == self.text.len() && value.ends_with('\n') {
                    value.pop();
                }
                return;
            }
        }
    }

    /// Where a mark of the text is in the file.
    fn position(&self, mark: Mark) -> Position {
        let is_before = |(line, column): &&(u64, u64)| *line == mark.line && *column < mark.column;
        let added = self.blanks.iter().filter(is_before).count();
        let column = usize::try_from(mark.column).unwrap_or(usize::MAX);
        Position {
            line: usize::try_from(mark.line).unwrap_or(usize::MAX).saturating_add(1),
            column: column.saturating_sub(added).saturating_add(1),
        }
    }

    /// Where a byte of the text is in the file.
    fn position_of(&self, place: usize) -> Position {
        let mut at = end_of(self.text.get(..place).unwrap_or_default());
        let is_before =
            |blank: &&(u64, u64)| blank.0 + 1 == at.line as u64 && blank.1 + 1 < at.column as u64;
        at.column -= self.blanks.iter().filter(is_before).count();
        at
    }

    fn error(&self, failure: &ParseFailure) -> YamlError {
        match failure {
            ParseFailure::Library(error) => {
                let mark = error.problem_mark().or(error.context_mark()).unwrap_or_default();
                let message = match error.context() {
                    Some(context) => format!("{} {context}", error.problem()),
                    None => error.problem().to_owned(),
                };
                YamlError::new(self.position(mark), message)
            }
            ParseFailure::TooDeep(mark) => YamlError::new(
                self.position(*mark),
                format!("nested deeper than {MAX_DEPTH} levels"),
            ),
        }
    }
}

/// Whether a word has an `!` that does not follow a letter or digit.
fn may_hold_tag(word: &str) -> bool {
    let is_part = |(at, _): (usize, &str)| {
        let before = word.get(..at).unwrap_or_default();
        !before.ends_with(|char: char| char.is_ascii_alphanumeric())
    };
    word.match_indices('!').any(is_part)
}

/// Where the library stopped because a tag goes on with what can't be in one.
fn is_at(error: &Error, comma: usize) -> bool {
    error.problem() == "did not find expected whitespace or line break"
        && error.problem_mark().is_some_and(|mark| index(mark) == comma)
}

/// Runs the library over a text.
fn run(text: &str) -> Result<Vec<MarkedEvent>, ParseFailure> {
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input(&mut bytes);
    let mut events = Vec::new();
    let mut depth = 0_usize;
    loop {
        let event = parser.parse().map_err(ParseFailure::Library)?;
        match &event.data {
            EventData::SequenceStart { .. } | EventData::MappingStart { .. } => depth += 1,
            EventData::SequenceEnd | EventData::MappingEnd => depth = depth.saturating_sub(1),
            _ => {}
        }
        // Checked here and not afterwards: the library's time for one token grows with the depth, so
        // a file of a million brackets would take hours.
        if depth > MAX_DEPTH {
            return Err(ParseFailure::TooDeep(event.start_mark));
        }
        let is_end = matches!(event.data, EventData::StreamEnd);
        events.push(MarkedEvent { data: event.data, start: event.start_mark, end: event.end_mark });
        if is_end {
            return Ok(events);
        }
    }
}
