//! Words of a command line, as a shell reads them.

use std::borrow::Cow;

/// A word that a shell takes as it is: quoted where it has to be. Names that git takes may have any of
/// `'"$&;()|` in them, and people paste hints.
pub fn quoted(word: &str) -> Cow<'_, str> {
    // A shell could not take a NUL in any form; no name has one.
    shlex::try_quote(word).unwrap_or(Cow::Borrowed(word))
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
}
