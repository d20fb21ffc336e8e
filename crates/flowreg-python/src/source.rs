//! A source file as Python reads it: encoding, the syntax tree, and where a byte stands for people.

use std::borrow::Cow;

use ruff_python_ast::{Expr, ModExpression, ModModule, PythonVersion, Stmt};
use ruff_python_parser::{Mode, ParseOptions, Parsed, parse_expression, parse_unchecked};
use ruff_text_size::TextSize;

use super::nesting;

/// A source that can't be read or parsed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct SyntaxError {
    pub message: String,
    pub at: usize,
}

/// Decodes a source file: a byte order mark, a coding cookie of PEP 263, UTF-8 otherwise.
///
/// # Errors
/// [`SyntaxError`] if the bytes are not what the encoding allows, or it is not one known here.
pub(crate) fn decode(source: &[u8]) -> Result<Cow<'_, str>, SyntaxError> {
    // CPython skips a UTF-8 byte order mark and refuses null bytes before it looks at the encoding.
    let body = source.strip_prefix(b"\xef\xbb\xbf").unwrap_or(source);
    if let Some(at) = memchr::memchr(0, body) {
        return Err(SyntaxError { message: "source contains a null byte".to_owned(), at });
    }
    let text = match std::str::from_utf8(body) {
        // The coding comment matters only for bytes above 127, and nearly no file has one: look for
        // it last. A file that declares Latin-1 is decoded as such even if its bytes happen to be
        // valid UTF-8, because Python does so too.
        Ok(text) if body.is_ascii() || !is_latin1(body) => Ok(Cow::Borrowed(text)),
        _ if is_latin1(body) => Ok(Cow::Owned(body.iter().copied().map(char::from).collect())),
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(error) => Err(SyntaxError {
            message: match cookie(body) {
                Some(name) => format!("the encoding `{name}` is not supported"),
                None => "the file is not UTF-8 and names no other encoding".to_owned(),
            },
            at: error.valid_up_to(),
        }),
    }?;
    // Python reads all line ends as one, also inside string literals.
    Ok(if memchr::memchr(b'\r', text.as_bytes()).is_some() {
        text.replace("\r\n", "\n").replace('\r', "\n").into()
    } else {
        text
    })
}

fn is_latin1(body: &[u8]) -> bool {
    cookie(body).is_some_and(|name| {
        let name = name.to_ascii_lowercase().replace('_', "-");
        matches!(name.as_str(), "latin-1" | "iso-8859-1" | "iso8859-1" | "latin1" | "l1")
    })
}

/// The encoding that a comment in the first two lines names.
fn cookie(body: &[u8]) -> Option<String> {
    body.split(|byte| *byte == b'\n').take(2).find_map(|line| {
        let line = String::from_utf8_lossy(line);
        let comment = line.trim_start().strip_prefix('#')?;
        // PEP 263: `coding[:=]\s*([-_.a-zA-Z0-9]+)` anywhere in a comment.
        let after = comment.get(comment.find("coding")? + "coding".len()..)?;
        let after = after.strip_prefix([':', '='])?.trim_start();
        let name: String = after
            .chars()
            .take_while(|char| char.is_ascii_alphanumeric() || "-_.".contains(*char))
            .collect();
        (!name.is_empty()).then_some(name)
    })
}

/// The options for Python 3.`minor`, as far as the parser knows versions.
fn options(mode: Mode, minor: u8) -> ParseOptions {
    let minor = minor.clamp(PythonVersion::lowest().minor, PythonVersion::latest().minor);
    ParseOptions::from(mode).with_target_version(PythonVersion { major: 3, minor })
}

/// Parses a module. What only other versions than 3.`minor` can read is no error here.
///
/// # Errors
/// [`SyntaxError`] for the first thing the grammar does not allow. The caller has made sure that
/// the stack can hold the source's nesting.
pub(crate) fn parse_module(text: &str, minor: u8) -> Result<Parsed<ModModule>, SyntaxError> {
    // ruff recovers from errors and reports all of them, not always in order. CPython stops at the
    // first.
    let parsed = parse_unchecked(text, options(Mode::Module, minor));
    if let Some(error) = parsed.errors().iter().min_by_key(|error| error.location.start()) {
        let at = error.location.start().to_usize();
        return Err(SyntaxError { message: sentence(&error.error.to_string()), at });
    }
    parsed
        .try_into_module()
        .ok_or_else(|| SyntaxError { message: "not a module".to_owned(), at: 0 })
}

/// The first thing in a module that the Python it was parsed for can't read, and another can.
pub(crate) fn other_version(parsed: &Parsed<ModModule>) -> Option<SyntaxError> {
    let errors = parsed.unsupported_syntax_errors().iter();
    errors.min_by_key(|error| error.range.start()).map(|error| SyntaxError {
        message: sentence(&error.to_string()),
        at: error.range.start().to_usize(),
    })
}

/// A message of ruff in the style of this project: no capital at the start, unless the word is one
/// like `E` or an acronym.
pub(crate) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    match (chars.next(), chars.clone().next()) {
        (Some(first), Some(second)) if second.is_lowercase() => {
            first.to_lowercase().chain(chars).collect()
        }
        _ => message.to_owned(),
    }
}

/// Parses the text of a quoted annotation; `None` if it is not an expression.
pub(crate) fn parse_annotation(text: &str) -> Option<Parsed<ModExpression>> {
    // CPython's `eval` takes blanks at the end of an annotation, but reads blanks at its start as an
    // unexpected indent.
    let text = text.trim_end();
    if text.starts_with(char::is_whitespace) {
        return None;
    }
    // A quoted annotation is parsed while an evaluation already uses part of the stack, so less is
    // left for it than for a file.
    if nesting::depth(text) > nesting::LIMIT / 4 {
        return None;
    }
    parse_expression(text).ok()
}

/// The docstring of a body: its first statement, if that is a plain string.
pub(crate) fn docstring(body: &[Stmt]) -> Option<String> {
    match body.first()? {
        Stmt::Expr(statement) => match &*statement.value {
            Expr::StringLiteral(string) => Some(string.value.to_str().to_owned()),
            _ => None,
        },
        _ => None,
    }
}

/// Whether a statement keeps annotations unevaluated.
pub(crate) fn postpones_annotations(statement: &Stmt) -> bool {
    match statement {
        Stmt::ImportFrom(import) => {
            import.module.as_ref().is_some_and(|module| module.as_str() == "__future__")
                && import.names.iter().any(|name| name.name.as_str() == "annotations")
        }
        _ => false,
    }
}

/// 1-based line and column, the column in characters.
pub(crate) fn position(text: &str, at: usize) -> (u32, u32) {
    let before = text.get(..at.min(text.len())).unwrap_or(text);
    let lines = memchr::memchr_iter(b'\n', before.as_bytes()).count();
    let start = memchr::memrchr(b'\n', before.as_bytes()).map_or(0, |last| last + 1);
    let column = before.get(start..).map_or(0, |line| line.chars().count());
    (number(lines), number(column))
}

fn number(count: usize) -> u32 {
    u32::try_from(count).map_or(u32::MAX, |count| count.saturating_add(1))
}

/// The line of a place in the source.
pub(crate) fn line(text: &str, at: TextSize) -> u32 {
    position(text, at.to_usize()).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_coding_cookie_is_honoured_in_the_first_two_lines_only() {
        let latin = b"# -*- coding: latin-1 -*-\nx = '\xe9'\n";
        assert!(decode(latin).unwrap().ends_with("x = 'é'\n"));
        assert!(decode(b"\n\n# coding: latin-1\nx = '\xe9'\n").is_err());
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        assert_eq!(decode(b"\xef\xbb\xbfx").unwrap(), "x");
    }

    #[test]
    fn columns_count_characters_and_lines_any_line_end() {
        let text = decode("é = 1\r\nab\rc".as_bytes()).unwrap();
        assert_eq!(position(&text, 8), (2, 2));
        assert_eq!(position(&text, 3), (1, 3));
        assert_eq!(position(&text, 10), (3, 1));
    }
}
