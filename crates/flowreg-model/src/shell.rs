//! Words of a command line, as a shell reads them.

use std::borrow::Cow;
use std::path::Path;

use crate::escape::escaped_bytes;

/// A word that a shell takes as it is: quoted where it has to be. Names that git takes may have any of
/// `'"$&;()|` in them, and people paste hints.
pub fn quoted(word: &str) -> Cow<'_, str> {
    // A shell could not take a NUL in any form; no name has one.
    let is_plain = shlex::try_quote(word).is_ok_and(|quoted| quoted == word);
    // One pair of quotation marks around all of it reads better than `v1.0.0'^{}'`.
    if is_plain {
        Cow::Borrowed(word)
    } else {
        Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
    }
}

/// A path as a word. One that is no text, or has control characters, gets the form that bash and zsh have
/// for bytes of any kind.
pub fn quoted_path(path: &Path) -> Cow<'_, str> {
    match path.to_str() {
        Some(text) if !text.contains(char::is_control) => quoted(text),
        _ => {
            let shown = escaped_bytes(path.as_os_str().as_encoded_bytes());
            Cow::Owned(format!("$'{}'", shown.replace('\'', r"\'")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_quoted_where_it_has_to_be() {
        for (word, expected) in [
            ("v1.0.0", "v1.0.0"),
            ("feature/x-1", "feature/x-1"),
            ("a b", "'a b'"),
            ("a;b", "'a;b'"),
            ("$(x)", "'$(x)'"),
            ("v1^{}", "'v1^{}'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(word), expected);
        }
    }

    #[test]
    fn a_shell_reads_the_word_back() {
        for word in
            ["it's", "a\"b", "`x`", "!x", "~", "#x", "*", "é", "<other>", "a\\b", "=x", "%x%"]
        {
            let script = format!("printf %s {}", quoted(word));
            let output = std::process::Command::new("sh").args(["-c", &script]).output().unwrap();
            assert_eq!(String::from_utf8(output.stdout).unwrap(), word);
        }
    }

    #[test]
    fn a_shell_reads_a_path_as_it_is() {
        use std::os::unix::ffi::OsStrExt;

        let paths: [&[u8]; 5] =
            [b"/srv/etl", b"/home/ada/two words", b"it's", b"$HOME;rm", b"caf\xe9\n'"];
        for path in paths {
            let typed = quoted_path(Path::new(std::ffi::OsStr::from_bytes(path)));
            let print = format!("printf %s {typed}");
            let read = std::process::Command::new("bash").args(["-c", &print]).output();
            assert_eq!(read.unwrap().stdout, path, "{typed}");
        }
    }
}
