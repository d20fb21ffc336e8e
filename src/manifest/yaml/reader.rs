//! From bytes to text, as PyYAML's reader decodes and refuses.

use super::{Position, YamlError};

const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file, without its byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<String, YamlError> {
    let mut text = match bytes {
        [0xff, 0xfe, ..] => utf16(bytes, u16::from_le_bytes)?,
        [0xfe, 0xff, ..] => utf16(bytes, u16::from_be_bytes)?,
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => text.to_owned(),
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let before = String::from_utf8_lossy(valid);
                return Err(YamlError::new(end_of(&before), "the file is not UTF-8"));
            }
        },
    };
    if let Some((index, char)) = text.char_indices().find(|(_, char)| !is_allowed(*char)) {
        let at = end_of(text.get(..index).unwrap_or_default());
        let message = format!("the character U+{:04X} is not allowed in YAML", u32::from(char));
        return Err(YamlError::new(at, message));
    }
    if text.starts_with(BYTE_ORDER_MARK) {
        text.remove(0);
    }
    // At the start of a later line libyaml skips the mark, and PyYAML makes it a part of the key. The
    // file was pasted together by accident: refuse it instead of guessing.
    let is_inner = |(index, _): &(usize, &str)| {
        text.get(..*index).is_some_and(|before| before.ends_with(is_break))
    };
    match text.match_indices(BYTE_ORDER_MARK).find(is_inner) {
        Some((index, _)) => {
            let at = end_of(text.get(..index).unwrap_or_default());
            Err(YamlError::new(at, "a line starts with a byte order mark"))
        }
        None => Ok(text),
    }
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<String, YamlError> {
    let (pairs, rest) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(bytes.len());
    for char in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        let Ok(char) = char else {
            return Err(YamlError::new(end_of(&text), "the file is not UTF-16"));
        };
        text.push(char);
    }
    if rest.is_empty() {
        Ok(text)
    } else {
        Err(YamlError::new(end_of(&text), "the file ends inside a UTF-16 character"))
    }
}

fn is_allowed(char: char) -> bool {
    matches!(char,
        '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{d7ff}'
        | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// Whether YAML 1.1 ends a line there.
pub(super) fn is_break(char: char) -> bool {
    matches!(char, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// The place after a text.
pub(super) fn end_of(text: &str) -> Position {
    let mut at = Position { line: 1, column: 1 };
    let mut previous = None;
    for char in text.chars() {
        if char == '\n' && previous == Some('\r') {
            // The line ended with the carriage return.
        } else if is_break(char) {
            at = Position { line: at.line + 1, column: 1 };
        } else if char != BYTE_ORDER_MARK {
            at.column += 1;
        }
        previous = Some(char);
    }
    at
}
