//! Text as a value of a TOML file, for hints that people paste into `flowreg.toml`.

/// A basic string (<https://toml.io/en/v1.0.0#string>), its quotation marks included.
pub(super) fn toml_string(text: &str) -> String {
    let escaped = text.chars().map(|char| match char {
        '"' | '\\' => format!("\\{char}"),
        char if char.is_control() => format!("\\u{:04X}", u32::from(char)),
        char => char.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_or_escapes_a_string_is_escaped() {
        for (text, expected) in [
            ("v", r#""v""#),
            ("", r#""""#),
            (r#"we"ird-"#, r#""we\"ird-""#),
            (r"a\b", r#""a\\b""#),
            ("a\nb", r#""a\u000Ab""#),
        ] {
            assert_eq!(toml_string(text), expected, "{text:?}");
        }
    }
}
