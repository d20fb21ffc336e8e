//! Refuses what PyYAML refuses and libyaml takes: tabs between tokens, a question mark in a plain
//! scalar inside brackets, a comment right behind the indicator of a block scalar.

use libyaml_safer::{EventData, MappingStyle, ScalarStyle, SequenceStyle};

use super::marked::{MarkedEvent, index};
use super::reader::is_break;

const TAB: &str = "found a tab where only blanks are allowed";
const QUESTION: &str = "found '?' in a plain scalar inside brackets";
const INDICATOR: &str = "expected a line break after the start of a block scalar";

/// The byte of the text where it is, and what is wrong.
type Refusal = (usize, &'static str);

/// Looks at the events of a text that libyaml took.
pub(super) fn check(text: &str, events: &[MarkedEvent]) -> Result<(), Refusal> {
    let has_tabs = text.contains('\t');
    let mut brackets = 0_usize;
    let mut from = 0;
    for event in events {
        match &event.data {
            EventData::SequenceStart { style: SequenceStyle::Flow, .. }
            | EventData::MappingStart { style: MappingStyle::Flow, .. } => brackets += 1,
            // A collection inside brackets can only be in brackets itself, so any end closes one.
            EventData::SequenceEnd | EventData::MappingEnd => brackets = brackets.saturating_sub(1),
            EventData::Scalar { style, .. } => {
                let scalar = Span { text, start: index(event.start), end: index(event.end) };
                if has_tabs {
                    Span { text, start: from, end: scalar.start }.refuse_tabs()?;
                }
                match style {
                    ScalarStyle::Plain => scalar.check_plain(brackets > 0)?,
                    ScalarStyle::Literal | ScalarStyle::Folded => scalar.check_block()?,
                    _ if has_tabs => scalar.before(&['"', '\'']).refuse_tabs()?,
                    _ => {}
                }
                from = scalar.end;
            }
            _ => {}
        }
    }
    if has_tabs { Span { text, start: from, end: text.len() }.refuse_tabs() } else { Ok(()) }
}

/// A part of the text.
struct Span<'t> {
    text: &'t str,
    start: usize,
    end: usize,
}

impl<'t> Span<'t> {
    /// The characters with their places, without comments. `#` starts one only where
    /// `is_comment_after` says so of the character before.
    fn chars(
        &self,
        is_comment_after: impl Fn(char) -> bool + 't,
    ) -> impl Iterator<Item = (usize, char)> + 't {
        let start = self.start;
        let mut in_comment = false;
        let mut previous = '\n';
        let slice = self.text.get(start..self.end).unwrap_or_default();
        slice.char_indices().filter_map(move |(offset, char)| {
            in_comment =
                !is_break(char) && (in_comment || char == '#' && is_comment_after(previous));
            previous = char;
            (!in_comment).then_some((start + offset, char))
        })
    }

    /// Between scalars every `#` starts a comment: anchors and tags have none.
    fn refuse_tabs(&self) -> Result<(), Refusal> {
        match self.chars(|_| true).find(|(_, char)| *char == '\t') {
            Some((place, _)) => Err((place, TAB)),
            None => Ok(()),
        }
    }

    fn check_plain(&self, is_in_brackets: bool) -> Result<(), Refusal> {
        for (place, char) in self.chars(|previous| previous == ' ' || is_break(previous)) {
            match char {
                '\t' => return Err((place, TAB)),
                '?' if is_in_brackets => return Err((place, QUESTION)),
                _ => {}
            }
        }
        Ok(())
    }

    fn check_block(&self) -> Result<(), Refusal> {
        let before = self.before(&['|', '>']);
        before.refuse_tabs()?;
        let header = self.text.get(before.end..self.end).unwrap_or_default();
        let header = header.get(..header.find(is_break).unwrap_or(header.len())).unwrap_or(header);
        let rest = header.trim_start_matches(|char: char| {
            matches!(char, '|' | '>' | '+' | '-') || char.is_ascii_digit()
        });
        if rest.starts_with('#') {
            return Err((before.end + header.len() - rest.len(), INDICATOR));
        }
        Span { text: self.text, start: before.end, end: before.end + header.len() }.refuse_tabs()
    }

    /// The part of a scalar's span before its first character, which is one of `starts`: its anchor and
    /// tag. A quotation mark or bar inside a verbatim tag (`!<…>`) does not start it.
    fn before(&self, starts: &[char]) -> Span<'t> {
        let mut previous = '\n';
        let mut in_verbatim_tag = false;
        let start =
            self.chars(|previous| previous == ' ' || is_break(previous)).find(|(_, char)| {
                let is_start = !in_verbatim_tag && starts.contains(char);
                in_verbatim_tag =
                    *char != '>' && (in_verbatim_tag || previous == '!' && *char == '<');
                previous = *char;
                is_start
            });
        let end = start.map_or(self.end, |(place, _)| place);
        Span { text: self.text, start: self.start, end }
    }
}
