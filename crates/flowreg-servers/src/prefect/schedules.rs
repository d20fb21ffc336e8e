//! The schedules that a deployment should have, with what people switched off kept off.

use serde_json::{Map, Value};

use super::held::{raw_schedules, slug};
use flowreg_model::json_equal;

/// All schedules of a deployment after a change.
pub(super) struct Schedules {
    /// In the form of an upsert: complete, each with its state.
    pub all: Vec<Value>,
    /// Whether one that the deployment has is not among them.
    pub removes: bool,
    /// Whether the deployment has one without a slug, so that `PATCH` replaces all of them.
    has_unnamed: bool,
    /// Whether the change is one of schedules at all.
    is_sent: bool,
}

impl Schedules {
    /// Merges the schedules that are wanted into those that a deployment has; `None` keeps them.
    ///
    /// A schedule without a slug was made in the UI and stays. Where the deployment is being
    /// adopted (`adopts`) it was declared by the former owner instead: it stays only if it is among
    /// the wanted ones, with an empty slug, and not beside a declared one that is due at the same
    /// times.
    pub(super) fn merge(deployment: &Value, wanted: Option<&[Value]>, adopts: bool) -> Self {
        let unnamed = || raw_schedules(deployment).filter(|schedule| slug(schedule).is_none());
        let has_unnamed = unnamed().next().is_some();
        let Some(wanted) = wanted else {
            let all = raw_schedules(deployment).map(complete).collect();
            return Self { all, removes: false, has_unnamed, is_sent: false };
        };
        let named =
            |name: &str| raw_schedules(deployment).find(|schedule| slug(schedule) == Some(name));
        let is_wanted = |name: &str| wanted.iter().any(|schedule| slug(schedule) == Some(name));
        let mut all: Vec<Value> = wanted
            .iter()
            .filter_map(|schedule| Some(merged(schedule, named(slug(schedule)?))))
            .collect();
        let mut removes = raw_schedules(deployment)
            .any(|schedule| slug(schedule).is_some_and(|name| !is_wanted(name)));
        for schedule in unnamed() {
            if !adopts || stays(schedule, wanted) {
                all.push(complete(schedule));
            } else {
                removes = true;
            }
        }
        Self { all, removes, has_unnamed, is_sent: true }
    }

    /// Those whose number of runs was limited in the UI.
    pub(super) fn limited(&self) -> Vec<Value> {
        let is_limited = |schedule: &&Value| {
            schedule.get("max_scheduled_runs").is_some_and(|most| !most.is_null())
        };
        self.all.iter().filter(is_limited).cloned().collect()
    }

    /// Whether a `PATCH` would make all of them anew and forget those limits.
    pub(super) fn forgets_limits(&self) -> bool {
        self.is_sent && self.has_unnamed && !self.limited().is_empty()
    }

    /// In the form of a `PATCH`: by slug, the state only where it is declared.
    pub(super) fn for_patch(&self, wanted: &[Value]) -> Value {
        // The server refuses slugs beside schedules that have none, unless all are sent.
        if self.has_unnamed {
            return Value::Array(self.all.clone());
        }
        wanted.iter().filter(|schedule| slug(schedule).is_some()).cloned().collect()
    }
}

/// Whether a former owner's schedule is wanted by itself, and no declared one replaces it.
fn stays(held: &Value, wanted: &[Value]) -> bool {
    let is_same = |other: &Value| match (held.get("schedule"), other.get("schedule")) {
        (Some(held), Some(other)) => json_equal(held, other),
        _ => false,
    };
    let mut same = wanted.iter().filter(|other| is_same(other)).peekable();
    same.peek().is_some() && same.all(|other| slug(other).is_none())
}

/// A wanted schedule with the state of the one it replaces, if it does not say its own.
fn merged(wanted: &Value, held: Option<&Value>) -> Value {
    let mut schedule = wanted.as_object().cloned().unwrap_or_default();
    let active = held.and_then(|held| held.get("active")).cloned();
    let is_said = schedule.get("active").is_some_and(|active| !active.is_null());
    if !is_said {
        schedule.insert("active".to_owned(), active.unwrap_or(Value::Bool(true)));
    }
    let most = held.and_then(|held| held.get("max_scheduled_runs"));
    if let Some(most) = most.filter(|most| !most.is_null()) {
        schedule.entry("max_scheduled_runs").or_insert(most.clone());
    }
    Value::Object(schedule)
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

    fn deployment() -> Value {
        json!({"schedules": [
            {"id": "1", "schedule": {"cron": "0 1 * * *"}, "active": false, "slug": "a",
             "max_scheduled_runs": 3, "parameters": {"n": 1}},
            {"id": "2", "schedule": {"cron": "0 2 * * *"}, "active": true, "slug": null,
             "max_scheduled_runs": null, "parameters": {}},
        ]})
    }

    #[test]
    fn nothing_declared_keeps_all_as_they_are() {
        let schedules = Schedules::merge(&deployment(), None, true);
        assert!(!schedules.removes);
        assert_eq!(schedules.all.len(), 2);
        assert_eq!(schedules.all[0]["active"], json!(false));
        assert_eq!(schedules.all[0].get("id"), None);
    }

    #[test]
    fn a_schedule_that_was_switched_off_stays_off() {
        let wanted = [json!({"schedule": {"cron": "0 9 * * *"}, "slug": "a"})];
        let schedules = Schedules::merge(&deployment(), Some(&wanted), false);
        assert!(!schedules.removes);
        assert_eq!(schedules.all[0]["active"], json!(false));
        assert_eq!(schedules.all[0]["schedule"]["cron"], json!("0 9 * * *"));
        assert_eq!(schedules.all[1]["slug"], json!(null), "the one made in the UI stays");
    }

    #[test]
    fn adoption_replaces_what_the_former_owner_declared() {
        let wanted = [json!({"schedule": {"cron": "0 9 * * *"}, "slug": "a"})];
        let schedules = Schedules::merge(&deployment(), Some(&wanted), true);
        assert!(schedules.removes);
        assert_eq!(schedules.all.len(), 1);
    }

    #[test]
    fn adoption_keeps_what_is_wanted_of_the_former_owners_and_nothing_twice() {
        let theirs = json!({"schedule": {"cron": "0 2 * * *"}, "slug": "", "active": true});
        let other = json!({"schedule": {"cron": "0 9 * * *"}, "slug": "a"});
        let schedules = Schedules::merge(&deployment(), Some(&[other, theirs.clone()]), true);
        assert!(!schedules.removes);
        assert_eq!(schedules.all.len(), 2);
        assert_eq!(schedules.all[1]["slug"], json!(null));

        let same = json!({"schedule": {"cron": "0 2 * * *"}, "slug": "a"});
        let schedules = Schedules::merge(&deployment(), Some(&[same, theirs]), true);
        assert!(schedules.removes);
        assert_eq!(schedules.all.len(), 1);
    }

    #[test]
    fn a_declared_state_counts() {
        let wanted = [json!({"schedule": {"cron": "0 1 * * *"}, "slug": "a", "active": true})];
        let schedules = Schedules::merge(&deployment(), Some(&wanted), false);
        assert_eq!(schedules.all[0]["active"], json!(true));
    }
}
