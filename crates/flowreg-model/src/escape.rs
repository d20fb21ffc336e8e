//! Text from outside as it may be shown: a name from the environment or from the remote must not
//! start a new line or command the terminal.

use std::fmt::Display;
use std::path::Path;

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

/// A path as it can be typed in a shell: as it is if no letter of it means anything there, else in quotes.
pub fn for_shell(path: &Path) -> String {
    let bytes = path.as_os_str().as_encoded_bytes();
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+,:@%=".contains(byte);
    match path.to_str() {
        Some(text) if bytes.iter().all(is_plain) && !bytes.is_empty() => text.to_owned(),
        Some(text) if !text.contains(char::is_control) => {
            format!("'{}'", text.replace('\'', r"'\''"))
        }
        // The form of bash and zsh for bytes of any kind.
        _ => format!("$'{}'", escaped_bytes(bytes).replace('\'', r"\'")),
    }
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

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn a_shell_reads_a_path_as_it_is() {
        let paths: [&[u8]; 5] =
            [b"/srv/etl", b"/home/ada/two words", b"it's", b"$HOME;rm", b"caf\xe9\n"];
        for path in paths {
            let typed = for_shell(Path::new(OsStr::from_bytes(path)));
            let echo = Command::new("bash").args(["-c", &format!("printf %s {typed}")]).output();
            assert_eq!(echo.unwrap().stdout, path, "{typed}");
        }
        assert_eq!(for_shell(Path::new("/srv/etl")), "/srv/etl");
    }
}
