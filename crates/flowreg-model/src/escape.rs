//! Text from outside as it may be shown: a name from the environment or from the remote must not
//! start a new line or command the terminal.

use std::fmt::Display;

/// The text with its control characters as Rust writes them: `\n`, `\u{1b}`.
pub fn escaped(text: impl Display) -> String {
    let text = text.to_string();
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().fold(String::with_capacity(text.len()), |mut shown, char| {
        if char.is_control() {
            shown.extend(char.escape_default());
        } else {
            shown.push(char);
        }
        shown
    })
}

/// Bytes that may be no text as they may be shown: with `\xff` for each that belongs to no character.
pub fn escaped_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(&escaped(chunk.valid()));
        shown.extend(chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}")));
    }
    shown
}
