//! Methods of texts.

use super::Interpreter;
use super::operators::LONGEST;
use super::strings::{format_template, title};
use crate::value::{Keywords, Value};

impl<'a> Interpreter<'a> {
    /// A method of a text; `None` if it is not known here.
    pub(super) fn text_method(
        text: &str,
        method: &str,
        arguments: &[Value<'a>],
        keywords: &Keywords<'a>,
    ) -> Option<Value<'a>> {
        if method == "format" {
            return format_template(text, arguments, keywords).map(Value::text);
        }
        if !keywords.is_empty() {
            return None;
        }
        let strings: Option<Vec<&str>> = arguments.iter().map(Value::as_str).collect();
        let texts = |parts: Vec<&str>| Value::list(parts.into_iter().map(Value::text).collect());
        if let (Some(value), []) = (cased(text, method), arguments) {
            return Some(Value::text(value));
        }
        Some(match (method, strings.as_deref(), arguments) {
            ("strip", Some([]), _) => Value::text(text.trim()),
            ("lstrip", Some([]), _) => Value::text(text.trim_start()),
            ("rstrip", Some([]), _) => Value::text(text.trim_end()),
            ("strip", Some([set]), _) => Value::text(text.trim_matches(|c| set.contains(c))),
            ("lstrip", Some([set]), _) => Value::text(text.trim_start_matches(|c| set.contains(c))),
            ("rstrip", Some([set]), _) => Value::text(text.trim_end_matches(|c| set.contains(c))),
            ("replace", Some([from, to]), _) if !from.is_empty() => {
                let growth = text.matches(from).count().checked_mul(to.len())?;
                // The replaced text can be far longer than the source.
                growth.checked_add(text.len()).filter(|length| *length <= LONGEST)?;
                Value::text(text.replace(from, to))
            }
            ("startswith", Some([prefix]), _) => Value::Bool(text.starts_with(prefix)),
            ("endswith", Some([suffix]), _) => Value::Bool(text.ends_with(suffix)),
            ("removeprefix", Some([prefix]), _) => {
                Value::text(text.strip_prefix(prefix).unwrap_or(text))
            }
            ("removesuffix", Some([suffix]), _) => {
                Value::text(text.strip_suffix(suffix).unwrap_or(text))
            }
            ("split", Some([]), _) => texts(text.split_whitespace().collect()),
            // An empty separator raises `ValueError` in Python.
            ("split", Some([by]), _) if !by.is_empty() => texts(text.split(by).collect()),
            ("encode", Some([] | ["utf-8" | "utf8"]), _) => Value::Bytes(text.as_bytes().into()),
            ("join", _, [Value::List(items) | Value::Tuple(items) | Value::View(items)]) => {
                let parts: Vec<&str> = items.iter().map(Value::as_str).collect::<Option<_>>()?;
                let length: usize = parts.iter().map(|part| part.len() + text.len()).sum();
                (length <= LONGEST).then(|| Value::text(parts.join(text)))?
            }
            ("zfill", _, [Value::Int(width)]) => {
                let width = usize::try_from(width.small()?).ok().filter(|width| *width < 1000)?;
                let (sign, digits) = match text.strip_prefix(['+', '-']) {
                    Some(digits) => (text.get(..1)?, digits),
                    None => ("", text),
                };
                let zeros = width.saturating_sub(text.chars().count());
                Value::text(format!("{sign}{}{digits}", "0".repeat(zeros)))
            }
            ("ljust" | "rjust", _, [Value::Int(width), rest @ ..]) if rest.len() < 2 => {
                let width = usize::try_from(width.small()?).ok().filter(|width| *width < 1000)?;
                let fill = match rest.first() {
                    None => " ",
                    Some(fill) => fill.as_str().filter(|fill| fill.chars().count() == 1)?,
                };
                let fill = fill.repeat(width.saturating_sub(text.chars().count()));
                Value::text(match method {
                    "ljust" => format!("{text}{fill}"),
                    _ => format!("{fill}{text}"),
                })
            }
            ("find", Some([part]), _) => match text.find(part) {
                Some(at) => Value::int(i128::try_from(text.get(..at)?.chars().count()).ok()?),
                None => Value::int(-1),
            },
            ("count", Some([part]), _) if !part.is_empty() => {
                Value::int(i128::try_from(text.matches(part).count()).ok()?)
            }
            ("partition" | "rpartition", Some([by]), _) if !by.is_empty() => {
                let is_last = method == "rpartition";
                let parts = if is_last { text.rsplit_once(by) } else { text.split_once(by) };
                let parts = match (parts, is_last) {
                    (Some((left, right)), _) => [left, by, right],
                    (None, false) => [text, "", ""],
                    (None, true) => ["", "", text],
                };
                Value::tuple(parts.iter().map(Value::text).collect())
            }
            ("split" | "rsplit", _, [Value::Str(by), Value::Int(most)]) if !by.is_empty() => {
                let most = usize::try_from(most.small()?).ok()?;
                if method == "split" {
                    texts(text.splitn(most.checked_add(1)?, &**by).collect())
                } else {
                    let mut parts: Vec<&str> = text.rsplitn(most.checked_add(1)?, &**by).collect();
                    parts.reverse();
                    texts(parts)
                }
            }
            ("splitlines", Some([]), _)
                if text.is_ascii()
                    && !text.contains(['\r', '\x0b', '\x0c', '\x1c', '\x1d', '\x1e']) =>
            {
                texts(text.lines().collect())
            }
            ("isalpha" | "isalnum" | "isupper" | "islower" | "isspace", Some([]), _)
                if text.is_ascii() =>
            {
                let all = |is: fn(&u8) -> bool| !text.is_empty() && text.bytes().all(|b| is(&b));
                let has_case = text.bytes().any(|byte| byte.is_ascii_alphabetic());
                Value::Bool(match method {
                    "isalpha" => all(u8::is_ascii_alphabetic),
                    "isalnum" => all(u8::is_ascii_alphanumeric),
                    "isspace" => {
                        text.chars().all(|c| " \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f".contains(c))
                            && !text.is_empty()
                    }
                    "isupper" => has_case && !text.bytes().any(|byte| byte.is_ascii_lowercase()),
                    _ => has_case && !text.bytes().any(|byte| byte.is_ascii_uppercase()),
                })
            }
            ("swapcase", Some([]), _) if text.is_ascii() => Value::text(
                text.chars()
                    .map(|char| {
                        if char.is_ascii_lowercase() {
                            char.to_ascii_uppercase()
                        } else {
                            char.to_ascii_lowercase()
                        }
                    })
                    .collect::<String>(),
            ),
            ("isdigit", Some([]), _) if text.is_ascii() => {
                Value::Bool(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
            }
            _ => return None,
        })
    }
}

/// `upper`, `lower`, `title` and the like.
fn cased(text: &str, method: &str) -> Option<String> {
    Some(match method {
        "upper" => text.to_uppercase(),
        "lower" => text.to_lowercase(),
        "casefold" if text.is_ascii() => text.to_lowercase(),
        "title" => title(text),
        "capitalize" => {
            let mut chars = text.chars();
            let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
            first + &chars.as_str().to_lowercase()
        }
        _ => return None,
    })
}
