//! `flowreg tag --list`.

use std::fmt::Write;

use serde::Serialize;

use super::{NAME_WIDTH, Printer};
use crate::run::ListedTag;
use flowreg_model::{RemoteName, escaped};

/// The tags of a series.
#[derive(Debug, Serialize)]
pub(crate) struct TagListReport {
    /// The remote that was asked; `None`: they are those of the repository.
    pub remote: Option<RemoteName>,
    /// The highest version first.
    pub tags: Vec<ListedTag>,
    /// What is worth knowing.
    pub notices: Vec<String>,
}

impl Printer {
    /// Prints the tags, one a line: name, commit, day.
    pub(crate) fn tag_list(&self, report: &TagListReport) {
        if self.is_json {
            return self.json(report);
        }
        self.warnings(&report.notices);
        let width = report.tags.iter().map(|one| escaped(&one.tag).chars().count()).max();
        let width = width.unwrap_or(0).min(NAME_WIDTH);
        let mut text = String::new();
        for one in &report.tags {
            let day = one.date.as_ref().and_then(|date| date.get(..10)).unwrap_or("-");
            let _ = writeln!(text, "{:<width$}  {}  {day}", escaped(&one.tag), one.commit.short());
        }
        self.human(&text);
    }
}
