//! What is told in one line: registrations that were refused or failed for the same reason. A reason
//! that a hundred deployments have is read once, and mended once.

use std::collections::HashMap;

use super::{ErrorReport, counted};

/// How many of the registrations behind one line are named.
const NAMED: usize = 3;

/// A registration as the list of a run has it.
pub(super) trait Listed {
    /// `etl/nightly`
    fn name(&self) -> String;
    /// What has to be done with it, or what became of it.
    fn word(&self) -> &str;
    /// Why it was refused or failed.
    fn error(&self) -> Option<&ErrorReport>;
}

/// The registrations in their order, those whose errors have the same words and hints together.
/// `is_each` leaves each alone.
pub(super) fn by_cause<T: Listed>(items: &[T], is_each: bool) -> Vec<Vec<&T>> {
    let mut groups: Vec<Vec<&T>> = Vec::new();
    let mut known = HashMap::new();
    for item in items {
        if let Some(error) = item.error().filter(|_| !is_each) {
            let key = (item.word(), &error.message, &error.causes, &error.hints);
            let at = *known.entry(key).or_insert(groups.len());
            if let Some(group) = groups.get_mut(at) {
                group.push(item);
                continue;
            }
        }
        groups.push(vec![item]);
    }
    groups
}

/// `12 deployments: no work pool is configured`
pub(super) fn headline<T: Listed>(group: &[&T], error: &ErrorReport) -> String {
    let count = counted(group.len(), "deployment");
    // What an anchor brings into several deployments has one place.
    let is_one_place = group.iter().all(|item| place(*item) == error.place.as_deref());
    format!("{count}: {}", if is_one_place { error.text() } else { error.message.clone() })
}

/// `etl/nightly (prefect.yaml:6:11), etl/weekly (prefect.yaml:9:11), report/default and 9 more`
pub(super) fn members<T: Listed>(group: &[&T]) -> String {
    let first = group.first().and_then(|item| place(*item));
    let is_one_place = group.iter().all(|item| place(*item) == first);
    let named = group.iter().take(NAMED).map(|item| match place(*item) {
        Some(place) if !is_one_place => format!("{} ({place})", item.name()),
        _ => item.name(),
    });
    let named = named.collect::<Vec<_>>().join(", ");
    match group.len().saturating_sub(NAMED) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn place<T: Listed>(item: &T) -> Option<&str> {
    item.error()?.place.as_deref()
}
