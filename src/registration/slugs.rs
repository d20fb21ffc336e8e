//! Slugs: what identifies a schedule within its deployment.

use serde_json::Value;

/// How the slugs begin that flowreg gives where none is declared.
pub(super) const OWN_SLUG: &str = "flowreg-";

/// A schedule's slug. Schedules that were made in the UI have none; an empty one identifies nothing,
/// and counts as none.
pub(super) fn slug(schedule: &Value) -> Option<&str> {
    schedule.get("slug")?.as_str().filter(|slug| !slug.is_empty())
}

/// The number in a slug that flowreg gave.
pub(super) fn own_number(schedule: &Value) -> Option<u32> {
    slug(schedule)?.strip_prefix(OWN_SLUG)?.parse().ok()
}
