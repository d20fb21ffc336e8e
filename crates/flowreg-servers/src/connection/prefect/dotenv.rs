//! Reads `.env` as python-dotenv does, which is what the official client uses.
//!
//! Quotes, `export`, comments and `${NAME:-default}`; a line that can't be read is skipped, as
//! there. Commands are never run.

use std::collections::BTreeMap;

use flowreg_model::Environment;

/// The variables of a `.env` file, in the spelling of the file; the last of one name wins.
pub(super) fn parse(text: &str, environment: &Environment) -> BTreeMap<String, String> {
    let mut variables = BTreeMap::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text);
    while !rest.is_empty() {
        let (binding, after) = binding(rest);
        if let Some((name, value)) = binding {
            let value = expanded(&value, &variables, environment);
            variables.insert(name, value);
        }
        rest = after;
    }
    variables
}

/// Name and value of the first line, and what follows it.
fn binding(text: &str) -> (Option<(String, String)>, &str) {
    let (line, after_line) = text.split_once('\n').unwrap_or((text, ""));
    let start = line.trim_start();
    let start = start.strip_prefix("export").filter(|rest| rest.starts_with(' ')).unwrap_or(start);
    let Some((name, _)) = start.split_once('=') else { return (None, after_line) };
    let name = name.trim().trim_matches('\'');
    if name.is_empty() || name.starts_with('#') || name.contains(char::is_whitespace) {
        return (None, after_line);
    }
    // A quoted value may go on over several lines, so it is read from the whole text.
    let value = text.split_once('=').map_or("", |(_, value)| value);
    let value = value.trim_start_matches([' ', '\t']);
    let quote = value.chars().next().filter(|char| matches!(char, '\'' | '"'));
    let Some(quote) = quote else {
        let value = value.split('\n').next().unwrap_or("");
        return (Some((name.to_owned(), unquoted(value).to_owned())), after_line);
    };
    let Some((value, rest)) = quoted(value.get(1..).unwrap_or(""), quote) else {
        return (None, after_line);
    };
    let after = rest.split_once('\n').map_or("", |(_, after)| after);
    (Some((name.to_owned(), value)), after)
}

/// The value up to its closing quote, with escapes resolved, and what follows.
fn quoted(text: &str, quote: char) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, char)) = chars.next() {
        match char {
            _ if char == quote => return Some((value, text.get(at + char.len_utf8()..)?)),
            '\\' => {
                let (_, escaped) = chars.next()?;
                match (quote, escaped) {
                    (_, '\\' | '\'') => value.push(escaped),
                    ('"', '"') => value.push('"'),
                    ('"', 'n') => value.push('\n'),
                    ('"', 't') => value.push('\t'),
                    ('"', 'r') => value.push('\r'),
                    _ => value.extend(['\\', escaped]),
                }
            }
            _ => value.push(char),
        }
    }
    None
}

/// The value without the comment that a `#` after white space starts.
fn unquoted(line: &str) -> &str {
    let comment = line
        .char_indices()
        .zip(line.chars().skip(1))
        .find_map(|((at, char), next)| (char.is_whitespace() && next == '#').then_some(at));
    comment.and_then(|at| line.get(..at)).unwrap_or(line).trim_end()
}

/// Replaces `${NAME}` and `${NAME:-default}`: from the file above, else from the environment.
fn expanded(
    value: &str,
    variables: &BTreeMap<String, String>,
    environment: &Environment,
) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((inside, after)) = after.split_once('}') else { break };
        let (name, default) = inside.split_once(":-").unwrap_or((inside, ""));
        let found = variables.get(name).map(String::as_str).or_else(|| environment.raw(name));
        result.push_str(before);
        result.push_str(found.unwrap_or(default));
        rest = after;
    }
    result.push_str(rest);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Expected values as printed by `dotenv.dotenv_values` of python-dotenv.
    #[test]
    fn values_are_those_of_python_dotenv() {
        let text = concat!(
            "# comment\n",
            "export A=1\n",
            "B = 'single # kept' # gone\n",
            "C=\"two\\nlines\"\n",
            "D=plain # gone\n",
            "E=a#b\n",
            "F=\n",
            "G=${A}-${HOST}-${NONE:-x}\n",
            "H=\"over\ntwo\"\n",
            "novalue\n",
            "I='it\\'s'\r\n",
            "J=\"x\"\n",
            "K='${A}'\n",
            "L=\"unclosed\n",
            "M=a  b  \n",
            "N=#x\n",
            "A=2\n",
        );
        let environment = [("HOST", "h")].into_iter().collect();
        let variables = parse(text, &environment);
        let expected = [
            ("A", "2"),
            ("B", "single # kept"),
            ("C", "two\nlines"),
            ("D", "plain"),
            ("E", "a#b"),
            ("F", ""),
            ("G", "1-h-x"),
            ("H", "over\ntwo"),
            ("I", "it's"),
            ("J", "x"),
            ("K", "1"),
            ("M", "a  b"),
            ("N", "#x"),
        ];
        let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
        assert_eq!(variables, expected.into_iter().collect());
    }
}
