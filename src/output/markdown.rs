//! Runs as Markdown, ready to be a comment of a pull request or the summary of a build.

use std::fmt::Write;

use super::cause::{Listed, by_cause, headline, members};
use super::changes::{changes_text, kept_text};
use super::reference::reference_line;
use super::run_report::{summary_line, target_text};
use super::{ErrorReport, ItemReport, RunReport};
use flowreg_model::{TargetKind, escaped};

/// What begins every comment, so that the next run finds it and replaces it.
const MARK: &str = "<!-- flowreg -->";

/// The most rows of a table. GitHub refuses comments over 65,536 characters, and 150 rows with a name
/// and a text of usual length stay well below.
const MOST_ROWS: usize = 150;
/// The most characters of one text in a cell.
const MOST_IN_A_CELL: usize = 240;

/// A plan, or what became of it.
pub(super) fn run(report: &RunReport) -> String {
    let needs_proof = report.target.kind != TargetKind::Local;
    let reference = plain(&reference_line(&report.reference, &report.further, needs_proof));
    let is_plan = report.duration_ms.is_none();
    let title = if is_plan { "flowreg plan" } else { "flowreg register" };
    let mut text = format!(
        "{MARK}\n**{title}** for {reference} · {}\n\n",
        plain(&target_text(&report.target))
    );
    let mut rows = by_cause(&report.registrations, false);
    rows.retain(|group| group.iter().any(|item| is_listed(item)));
    let problems: Vec<_> = report.errors.iter().filter(|problem| problem.is_error()).collect();
    if !rows.is_empty() || !problems.is_empty() {
        text.push_str("| | deployment | what |\n|---|---|---|\n");
    }
    for group in rows.iter().take(MOST_ROWS) {
        let Some(item) = group.first() else { continue };
        let (word, name) = (item.word(), code(&item.name()));
        let _ = match (&group[..], &item.error) {
            ([_, _, ..], Some(error)) => {
                let (headline, members) = (headline(group, error), members(group));
                writeln!(text, "| {word} | {} | {} |", plain(&members), plain(&headline))
            }
            _ => writeln!(text, "| {word} | {name} | {} |", detail(item)),
        };
    }
    for problem in problems.iter().take(MOST_ROWS) {
        let place = code(&format!("{}:{}:{}", problem.path, problem.line, problem.column));
        let _ = writeln!(text, "| failed | {place} | {} |", plain(&problem.message));
    }
    let more = rows.len().saturating_sub(MOST_ROWS) + problems.len().saturating_sub(MOST_ROWS);
    if more > 0 {
        let _ = writeln!(text, "\n… and {more} more");
    }
    let _ = writeln!(text, "\n{}", plain(&summary_line(report)));
    text + &notices(&report.notices)
}

/// What is worth knowing and stops nothing.
pub(super) fn notices(notices: &[String]) -> String {
    notices.iter().map(|notice| format!("\n> {}\n", plain(notice))).collect()
}

/// An error that ended a command.
pub(super) fn error(error: &ErrorReport) -> String {
    let mut text = format!("{MARK}\n**flowreg failed**: {}\n", plain(&error.message));
    for cause in &error.causes {
        let _ = writeln!(text, "\n> {}", plain(cause));
    }
    for hint in &error.hints {
        let _ = writeln!(text, "\n- {}", code(hint));
    }
    text
}

/// Whether a registration gets a row: what stays as it is is only counted, in the last line.
fn is_listed(item: &ItemReport) -> bool {
    item.word() != "unchanged"
}

/// The last cell of a row: why it failed, what changes, or which flow is new.
fn detail(item: &ItemReport) -> String {
    match &item.error {
        Some(error) => plain(&error.text()),
        None if item.action == "update" => item
            .changes
            .iter()
            .filter(|change| !change.is_mark())
            .flat_map(changes_text)
            .map(|(field, change)| format!("{} {}", code(&field), plain(&change)))
            .chain(item.kept.iter().map(|kept| {
                let (field, what) = kept_text(kept);
                format!("{} {} ({})", code(field), plain(&what), kept.why)
            }))
            .collect::<Vec<_>>()
            .join("<br>"),
        None => code(&item.entrypoint),
    }
}

/// Text that Markdown takes for nothing but text, on one line.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::new();
    for char in cut(&escaped(text)).chars() {
        match char {
            '&' => plain.push_str("&amp;"),
            '<' => plain.push_str("&lt;"),
            '>' => plain.push_str("&gt;"),
            // `@name` in a comment on GitHub or GitLab would notify the person of that name, and
            // deployments of branches have an `@` in theirs.
            '@' => plain.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '#' | '~' => {
                plain.push('\\');
                plain.push(char);
            }
            char => plain.push(char),
        }
    }
    plain
}

/// Text as code, in a cell of a table.
fn code(text: &str) -> String {
    // A table ends its cells at `|` before it looks for code, so it is escaped there, too.
    let text = cut(&escaped(text)).replace('|', "\\|");
    // Code that has backticks in it stands between more of them (CommonMark, "Code spans").
    let longest = text.split(|char| char != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let blank = if longest > 0 { " " } else { "" };
    format!("{fence}{blank}{text}{blank}{fence}")
}

/// A text, cut to [`MOST_IN_A_CELL`].
fn cut(text: &str) -> String {
    if text.chars().count() <= MOST_IN_A_CELL {
        return text.to_owned();
    }
    text.chars().take(MOST_IN_A_CELL - 1).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_name_is_markup() {
        assert_eq!(plain("a|b *c* <d> @e"), "a\\|b \\*c\\* &lt;d&gt; &#64;e");
        assert_eq!(code("a|b"), "`a\\|b`");
        assert_eq!(code("a`b"), "`` a`b ``");
        assert!(!plain("a\nb").contains('\n') && !code("a\nb").contains('\n'));
        assert_eq!(plain(&"x".repeat(500)).chars().count(), MOST_IN_A_CELL);
    }
}
