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
