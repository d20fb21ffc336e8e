//! Docstrings: `inspect.cleandoc`, and the parameter sections of the Google style as griffe 2.4
//! finds them for Prefect (docs/facts/python.md, "Docstrings").

use std::borrow::Cow;

/// Titles of parameter sections.
const PARAMETERS: &[&str] = &["args", "arguments", "params", "parameters"];

/// Titles of other sections, whose items are read as items.
const SECTIONS: &[&str] = &[
    "keyword args",
    "keyword arguments",
    "other args",
    "other arguments",
    "other params",
    "other parameters",
    "type args",
    "type arguments",
    "type params",
    "type parameters",
    "raises",
    "exceptions",
    "returns",
    "yields",
    "receives",
    "attributes",
    "functions",
    "methods",
    "classes",
    "type aliases",
    "modules",
    "warns",
    "warnings",
];

/// `inspect.cleandoc`.
pub(crate) fn clean(text: &str) -> String {
    let expanded = expand_tabs(text);
    let mut lines: Vec<&str> = expanded.split('\n').collect();
    let margin = lines
        .iter()
        // The first line starts behind the quotes, so its indentation says nothing.
        .skip(1)
        .filter(|line| !line.trim_start().is_empty())
        .map(|line| indentation(line))
        .min();
    if let Some(first) = lines.first_mut() {
        *first = first.trim_start();
    }
    if let Some(margin) = margin {
        for line in lines.iter_mut().skip(1) {
            *line = cut(line, margin);
        }
    }
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let blank = lines.iter().take_while(|line| line.is_empty()).count();
    lines.split_off(blank.min(lines.len())).join("\n")
}

/// `textwrap.dedent`.
pub(crate) fn dedent(text: &str) -> String {
    let filled = |line: &&str| !line.trim().is_empty();
    let margin = text.split('\n').filter(filled).map(indentation).min().unwrap_or(0);
    let lines: Vec<&str> = text
        .split('\n')
        .map(|line| if line.trim().is_empty() { "" } else { cut(line, margin) })
        .collect();
    lines.join("\n")
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|char| char.is_whitespace()).count()
}

/// The line without its first `count` characters.
fn cut(line: &str, count: usize) -> &str {
    line.char_indices().nth(count).map_or("", |(at, _)| line.get(at..).unwrap_or_default())
}

/// `str.expandtabs()`: tab stops are 8 columns apart.
fn expand_tabs(text: &str) -> Cow<'_, str> {
    if !text.contains('\t') {
        return text.into();
    }
    let mut expanded = String::with_capacity(text.len());
    let mut column = 0;
    for char in text.chars() {
        match char {
            '\t' => {
                let stop = 8 - column % 8;
                expanded.extend(std::iter::repeat_n(' ', stop));
                column += stop;
            }
            '\n' | '\r' => {
                expanded.push(char);
                column = 0;
            }
            _ => {
                expanded.push(char);
                column += 1;
            }
        }
    }
    expanded.into()
}

fn is_blank(line: Option<&&str>) -> bool {
    line.is_none_or(|line| line.trim().is_empty())
}

/// The title of a section or admonition that a line starts, in lower case.
fn section_title(line: &str) -> Option<String> {
    let line = line.trim_end();
    let (title, rest) = line.split_once(':')?;
    let mut chars = title.chars();
    let is_word = |char: char| char.is_alphanumeric() || char == '_';
    let starts_well = chars.next().is_some_and(is_word);
    let is_title = chars.all(|char| is_word(char) || char.is_whitespace() || char == '-');
    let is_apart = rest.is_empty() || rest.starts_with(char::is_whitespace);
    (starts_well && is_title && is_apart).then(|| title.to_lowercase())
}

/// What the docstring says about parameters: names and texts of the last parameter section.
///
/// `text` is a cleaned docstring.
pub(crate) fn parameters(text: &str) -> Vec<(String, String)> {
    // griffe cleans the docstring once more, after Prefect has. This takes the indentation below a
    // first line away, and decides whether a section there is found.
    let text = clean(text.trim_end());
    let lines: Vec<&str> = text.split('\n').collect();
    let mut found = Vec::new();
    let mut at = 0;
    let mut is_code = false;
    while let Some(line) = lines.get(at) {
        // Nothing inside a code fence starts a section, also if the fence is never closed.
        let is_fence = line.trim_start_matches(' ').starts_with("```");
        if is_fence {
            is_code = !is_code;
        } else if !is_code
            && let Some(title) = section_title(line)
            && starts_section(&lines, at)
        {
            if PARAMETERS.contains(&title.as_str()) {
                let (items, last) = items(&lines, at + 1);
                let items = documented(&items);
                // A section without any item counts as none.
                if !items.is_empty() {
                    found = items;
                }
                at = last;
            } else if SECTIONS.contains(&title.as_str()) {
                // Sections like `Raises:` have items, which end where the indentation does.
                at = items_end(&lines, at + 1);
            } else {
                // Any other title is an admonition (`Note:`), which takes the whole indented block.
                at = block_end(&lines, at + 1);
            }
        }
        at += 1;
    }
    found
}

/// Whether griffe takes the line for the start of a section: it stands after a blank line and has
/// an indented line below. A blank line right below followed by an indented one makes it plain text.
fn starts_section(lines: &[&str], at: usize) -> bool {
    let is_after_blank = at == 0 || is_blank(lines.get(at - 1));
    let indented =
        |line: Option<&&str>| !is_blank(line) && line.is_some_and(|line| line.starts_with(' '));
    let below = lines.get(at + 1);
    let is_below_blank = below.is_some() && is_blank(below);
    let (first, second) = (indented(below), indented(lines.get(at + 2)));
    is_after_blank && (first || second) && !(second && is_below_blank)
}

/// The items of a section that starts at `at`, and the last line of it.
fn items<'t>(lines: &[&'t str], at: usize) -> (Vec<Vec<&'t str>>, usize) {
    let Some(first) = (at..lines.len()).find(|at| !is_blank(lines.get(*at))) else {
        return (Vec::new(), at);
    };
    let indent = lines.get(first).map_or(0, |line| indentation(line));
    if indent == 0 {
        return (Vec::new(), first.saturating_sub(1));
    }
    let mut items: Vec<Vec<&str>> = Vec::new();
    let mut last = first;
    for (number, line) in lines.iter().enumerate().skip(first) {
        let spaces = line.chars().take_while(|char| *char == ' ').count();
        let is_first = items.is_empty();
        match items.last_mut() {
            Some(item) if line.trim().is_empty() => item.push(""),
            // The indentation of the first item counts for all. Twice as much continues an item and
            // keeps what is beyond; anything in between continues it stripped.
            Some(item) if spaces >= indent * 2 => item.push(cut(line, indent * 2)),
            Some(item) if spaces > indent => item.push(line.trim_start()),
            _ if spaces >= indent || is_first => items.push(vec![cut(line, indent)]),
            _ => break,
        }
        last = number;
    }
    (items, last)
}

fn items_end(lines: &[&str], at: usize) -> usize {
    items(lines, at).1
}

/// The last line of an indented block that starts at `at`.
fn block_end(lines: &[&str], at: usize) -> usize {
    let Some(first) = (at..lines.len()).find(|at| !is_blank(lines.get(*at))) else {
        return at.saturating_sub(1);
    };
    let indent = lines.get(first).map_or(0, |line| indentation(line));
    if indent == 0 {
        return at.saturating_sub(1);
    }
    let rest = lines.iter().skip(first + 1);
    let inside = rest.take_while(|line| is_blank(Some(line)) || indentation(line) >= indent);
    first + inside.count()
}

fn documented(items: &[Vec<&str>]) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = Vec::new();
    for item in items {
        let Some((head, rest)) = item.split_first() else { continue };
        // Split at the first colon, so `x (str, default: 3): text` is an item with an odd name that
        // matches no parameter.
        let Some((name, text)) = head.split_once(':') else { continue };
        let mut lines = vec![text.trim_start()];
        lines.extend(rest);
        let text = lines.join("\n").trim_end_matches('\n').to_owned();
        let name = match name.split_once('(') {
            Some((name, _)) if head.split(':').next().is_some_and(|head| head.ends_with(')')) => {
                name.trim()
            }
            _ => name,
        };
        // Of two items with one name the later one counts.
        found.retain(|(known, _)| known != name);
        found.push((name.to_owned(), text));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<(String, String)> {
        parameters(&clean(text))
    }

    #[test]
    fn only_items_with_a_plain_name_or_a_type_in_brackets_count() {
        let found = of("S.\n\n    Args:\n        a (int): one\n        b : two\n");
        assert_eq!(found.first().unwrap(), &("a".to_owned(), "one".to_owned()));
        assert_eq!(found.get(1).unwrap().0, "b ");
    }

    #[test]
    fn a_section_needs_a_blank_line_above_and_an_indented_one_below() {
        assert!(of("S.\n    Args:\n        a: x\n").is_empty());
        assert!(of("S.\n\n    Args:\n\n        a: x\n").is_empty());
        // The text is cleaned twice, which takes the indentation below a first line.
        assert!(of("\n    Args:\n        a: x").is_empty());
        assert_eq!(of("S.\n\n    Args:\n        a: x").len(), 1);
    }

    #[test]
    fn the_last_parameter_section_replaces_the_others() {
        let found = of("S.\n\n    Args:\n        a: x\n\n    Params:\n        b: y\n");
        assert_eq!(found, [("b".to_owned(), "y".to_owned())]);
    }

    #[test]
    fn a_section_without_items_replaces_nothing() {
        let first = [("a".to_owned(), "x".to_owned())];
        assert_eq!(of("S.\n\n    Args:\n        a: x\n\n    Args:\n        b  no colon\n"), first);
        assert_eq!(of("S.\n\n    Args:\n        a: x\n\n    args:\n    b: y\n      more\n"), first);
    }

    #[test]
    fn docstrings_are_cleaned_as_inspect_does() {
        assert_eq!(clean("\n    A\n\n      b\n    c\n\n"), "A\n\n  b\nc");
        assert_eq!(clean("A\n\tB"), "A\nB");
        assert_eq!(clean("   "), "");
    }
}
