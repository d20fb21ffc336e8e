//! `flowreg tag --list`.

use std::fmt::Write;

use super::{NAME_WIDTH, Printer};
use crate::run::TagList;
use flowreg_model::escaped;

impl Printer {
    /// Prints the tags, one a line: name, commit, day.
    pub(crate) fn tag_list(&self, report: &TagList) {
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
