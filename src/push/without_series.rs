//! Tags that nobody named and that no series is known to have: a push of them registers nothing.
//!
//! The pin of a mainline branch goes by the same series.

use flowreg_git::ReferenceError;
use flowreg_git::tagging::{SeriesSet, SeveralSeries};
use flowreg_model::{TagName, quoted};

/// Why a push does not register a tag, and what to type; `None` if it does. `prefixes` are those of the series.
pub(crate) fn reason_without_series(
    set: &SeriesSet,
    tag: &TagName,
    prefixes: &Result<Vec<String>, SeveralSeries>,
) -> Option<String> {
    let error = match prefixes {
        Ok(prefixes) => set.refuse_outside(tag, prefixes).err()?,
        Err(several) => several.clone().into(),
    };
    Some(told_without_series(&error, tag.as_str()))
}

/// An error about the series of a tag, with what to type.
pub(crate) fn told_without_series(error: &ReferenceError, tag: &str) -> String {
    let setting = match error {
        ReferenceError::SeveralSeries(_) => "; [tag] prefix in flowreg.toml says which it is",
        _ => "",
    };
    format!("{error}{setting}; to register this one: flowreg register --tag {}", quoted(tag))
}
