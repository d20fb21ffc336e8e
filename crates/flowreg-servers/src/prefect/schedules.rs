//! The schedules that a deployment should have, and which requests can bring it there.

use serde_json::{Map, Value};

use super::held::raw_schedules;

/// All schedules of a deployment after a change.
pub(super) struct Schedules {
    /// Complete, each with its state.
    pub all: Vec<Value>,
    /// Whether a `PATCH` with all of them leaves exactly these.
    pub fit_patch: bool,
}

impl Schedules {
    /// The schedules that are wanted; `None` keeps those that the deployment has.
    ///
    /// A `PATCH` finds schedules by their slugs if all of both sides have one, and then removes none.
    /// If the deployment has one without a slug, it makes all anew, and forgets limits. It refuses one
    /// without a slug for a deployment whose schedules all have one (docs/facts/prefect.md,
    /// "Schedules").
    pub(super) fn new(deployment: &Value, wanted: Option<&[Value]>) -> Self {
        let Some(wanted) = wanted else {
            let all = raw_schedules(deployment).map(complete).collect();
            return Self { all, fit_patch: true };
        };
        // An empty slug is one for the server.
        let slug =
            |schedule: &Value| schedule.get("slug").and_then(Value::as_str).map(str::to_owned);
        let held: Option<Vec<String>> = raw_schedules(deployment).map(slug).collect();
        let after: Option<Vec<String>> = wanted.iter().map(slug).collect();
        let fit_patch = match (held.filter(|held| !held.is_empty()), after) {
            (Some(held), Some(after)) => held.iter().all(|slug| after.contains(slug)),
            (Some(_), None) => false,
            (None, _) => !wanted.iter().any(is_limited),
        };
        Self { all: wanted.to_vec(), fit_patch }
    }

    /// Those whose number of runs was limited in the UI.
    pub(super) fn limited(&self) -> Vec<Value> {
        self.all.iter().filter(|schedule| is_limited(schedule)).cloned().collect()
    }
}

fn is_limited(schedule: &Value) -> bool {
    schedule.get("max_scheduled_runs").is_some_and(|most| !most.is_null())
}

/// A schedule as it is, without what only the server may say.
fn complete(held: &Value) -> Value {
    ["schedule", "active", "max_scheduled_runs", "parameters", "slug"]
        .into_iter()
        .filter_map(|name| Some((name.to_owned(), held.get(name)?.clone())))
        .collect::<Map<_, _>>()
        .into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn schedule(slug: Option<&str>, most: Option<u32>) -> Value {
        json!({"id": "1", "schedule": {"cron": "0 1 * * *"}, "active": false, "slug": slug,
               "max_scheduled_runs": most, "parameters": {"n": 1}})
    }

    fn fit_patch(held: &[&Value], wanted: &[&Value]) -> bool {
        let wanted: Vec<Value> = wanted.iter().copied().cloned().collect();
        Schedules::new(&json!({"schedules": held}), Some(&wanted)).fit_patch
    }

    #[test]
    fn nothing_declared_keeps_all_as_they_are() {
        let held = [schedule(Some("a"), Some(3)), schedule(None, None)];
        let schedules = Schedules::new(&json!({"schedules": held}), None);
        assert!(schedules.fit_patch);
        assert_eq!(schedules.all.len(), 2);
        assert_eq!(schedules.all[0]["active"], json!(false));
        assert_eq!(schedules.all[0].get("id"), None);
        assert_eq!(schedules.limited().len(), 1);
    }

    #[test]
    fn a_patch_changes_and_adds_by_slug_and_removes_none() {
        let (a, b) = (&schedule(Some("a"), Some(3)), &schedule(Some("b"), None));
        assert!(fit_patch(&[a], &[a, b]));
        assert!(!fit_patch(&[a, b], &[a]));
        assert!(!fit_patch(&[a, b], &[]));
        assert!(!fit_patch(&[a], &[a, &schedule(None, None)]));
    }

    #[test]
    fn a_patch_makes_all_anew_where_one_has_no_slug_and_forgets_limits() {
        let (named, unnamed) = (&schedule(Some("a"), None), &schedule(None, None));
        assert!(fit_patch(&[named, unnamed], &[unnamed]));
        assert!(fit_patch(&[unnamed], &[]));
        assert!(fit_patch(&[], &[named, unnamed]));
        assert!(!fit_patch(&[unnamed], &[&schedule(None, Some(2))]));
    }
}
