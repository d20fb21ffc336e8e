//! What an annotated tag tells: which version it is, and what came since the one before.

use std::fmt::Write;

use crate::LoggedCommit;
use flowreg_model::TagName;

/// How many commits are listed; the rest is counted.
const LISTED: usize = 200;

/// The message of a tag: its name, and the commits' first lines, newest first.
pub fn message(tag: &TagName, previous: Option<&TagName>, commits: &[LoggedCommit]) -> String {
    let mut text = match previous {
        Some(previous) => format!("{tag}\n\nSince {previous}:\n\n"),
        None => format!("{tag}\n\nThe first version.\n"),
    };
    if previous.is_none() {
        return text;
    }
    for commit in commits.iter().take(LISTED) {
        let subject = commit.message.trim_start().lines().next().unwrap_or("").trim_end();
        let _ = writeln!(text, "- {subject} ({})", commit.id.short());
    }
    match commits.len().saturating_sub(LISTED) {
        0 if commits.is_empty() => text.push_str("- no other commits\n"),
        0 => {}
        more => {
            let _ = writeln!(text, "- and {more} more");
        }
    }
    text
}
