//! Errors as they are printed: what happened, why, and what to type.
//!
//! Which hints an error has is decided in `cli`.

use std::fmt::Write;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::{ERROR, HINT};
use flowreg_model::escaped;

/// An error with all that a person or a program needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ErrorReport {
    /// A word that does not change.
    pub code: String,
    /// Where in a file, `prefect.yaml:12:5`, if it is about one.
    pub place: Option<String>,
    /// What happened: lower case, no full stop.
    pub message: String,
    /// Why, outermost first.
    pub causes: Vec<String>,
    /// What to type.
    pub hints: Vec<String>,
}

impl Serialize for ErrorReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fields = if self.place.is_some() { 4 } else { 3 };
        let mut object = serializer.serialize_struct("Error", fields)?;
        object.serialize_field("code", &self.code)?;
        object.serialize_field("message", &self.text())?;
        if let Some(place) = &self.place {
            object.serialize_field("place", place)?;
        }
        object.serialize_field("hints", &self.hints)?;
        object.end()
    }
}

impl ErrorReport {
    /// Place and message.
    pub(super) fn text(&self) -> String {
        match &self.place {
            Some(place) => format!("{place}: {}", self.message),
            None => self.message.clone(),
        }
    }

    /// `error:`, `caused by:` and `hint:` lines.
    pub(super) fn lines(&self) -> String {
        let mut text = format!("{ERROR}error:{ERROR:#} {}\n", escaped(self.text()));
        for cause in &self.causes {
            let _ = writeln!(text, "caused by: {}", escaped(cause));
        }
        for hint in &self.hints {
            let _ = writeln!(text, "{HINT}hint:{HINT:#} {}", escaped(hint));
        }
        text
    }
}
