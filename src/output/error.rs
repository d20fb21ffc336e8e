//! Errors as they are printed: what happened, why, and what to type.
//!
//! Which hints an error has is decided in `cli`.

use std::fmt::Write;

use serde::Serialize;

use super::{ERROR, HINT};
use flowreg_model::escaped;

/// An error with all that a person or a program needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ErrorReport {
    /// A word that does not change.
    pub code: String,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// Why, outermost first.
    #[serde(skip)]
    pub causes: Vec<String>,
    /// What to type.
    pub hints: Vec<String>,
}

impl ErrorReport {
    /// `error:`, `caused by:` and `hint:` lines.
    pub(super) fn lines(&self) -> String {
        let mut text = format!("{ERROR}error:{ERROR:#} {}\n", escaped(&self.message));
        for cause in &self.causes {
            let _ = writeln!(text, "caused by: {}", escaped(cause));
        }
        for hint in &self.hints {
            let _ = writeln!(text, "{HINT}hint:{HINT:#} {}", escaped(hint));
        }
        text
    }
}
