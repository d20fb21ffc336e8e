//! Which declared schedule is which held one: schedules have no names, so flowreg finds out.

use serde_json::{Value, json};

use crate::model::json_equal;

/// How the slugs begin that flowreg gives; what begins otherwise was made by somebody else.
const OWN_SLUG: &str = "flowreg-";

/// Puts declared schedules in the place of those that flowreg made before; what others made stays.
///
/// A declared schedule is the held one with the same rule. If one of each is left over, its rule
/// was edited. So whatever people switched off stays off, also when another schedule goes.
pub fn merged(held: &[Value], declared: &[Value]) -> Value {
    let (mut ours, theirs): (Vec<&Value>, Vec<&Value>) =
        held.iter().partition(|schedule| own_number(schedule).is_some());
    let mut matches: Vec<Option<&Value>> = declared
        .iter()
        .map(|schedule| {
            let at = ours.iter().position(|other| is_same_rule(other, schedule))?;
            Some(ours.remove(at))
        })
        .collect();
    let mut unmatched = matches.iter_mut().filter(|found| found.is_none());
    if let (Some(edited), None, [only]) = (unmatched.next(), unmatched.next(), ours.as_slice()) {
        *edited = Some(only);
    }
    let mut numbers =
        Numbers { taken: matches.iter().flatten().copied().filter_map(own_number).collect() };
    declared
        .iter()
        .zip(matches)
        .map(|(schedule, held)| placed(schedule, held, &mut numbers))
        .chain(theirs.into_iter().cloned())
        .collect()
}

/// Whether two sets of schedules mean the same: they have no order, and nothing is said by an
/// empty part.
pub fn is_same_set(before: &[Value], after: &[Value]) -> bool {
    before.len() == after.len()
        && after.iter().all(|schedule| {
            let schedule = without_blanks(schedule);
            before.iter().any(|other| json_equal(&without_blanks(other), &schedule))
        })
}

struct Numbers {
    taken: Vec<u32>,
}

impl Numbers {
    fn next(&mut self) -> u32 {
        let free = (1..=u32::MAX).find(|number| !self.taken.contains(number)).unwrap_or_default();
        self.taken.push(free);
        free
    }
}

/// A declared schedule with the slug of the held one, and its state unless that is declared.
fn placed(declared: &Value, held: Option<&Value>, numbers: &mut Numbers) -> Value {
    let mut schedule = declared.clone();
    if let Some(object) = schedule.as_object_mut() {
        let number = held.and_then(own_number).unwrap_or_else(|| numbers.next());
        object.insert("slug".to_owned(), json!(format!("{OWN_SLUG}{number}")));
        let active = held.and_then(|held| held.get("active")).cloned();
        object.entry("active").or_insert_with(|| active.unwrap_or(json!(true)));
    }
    schedule
}

fn own_number(schedule: &Value) -> Option<u32> {
    schedule.get("slug")?.as_str()?.strip_prefix(OWN_SLUG)?.parse().ok()
}

fn is_same_rule(left: &Value, right: &Value) -> bool {
    match (left.get("schedule"), right.get("schedule")) {
        (Some(left), Some(right)) => json_equal(left, right),
        _ => false,
    }
}

fn without_blanks(schedule: &Value) -> Value {
    let mut schedule = schedule.clone();
    if let Some(object) = schedule.as_object_mut() {
        object.retain(|_, value| {
            !value.is_null() && !value.as_object().is_some_and(serde_json::Map::is_empty)
        });
    }
    schedule
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(cron: &str) -> Value {
        json!({"schedule": {"cron": cron}})
    }

    fn held(cron: &str, slug: &str, active: bool) -> Value {
        json!({"schedule": {"cron": cron}, "slug": slug, "active": active})
    }

    #[test]
    fn new_schedules_are_numbered_and_active() {
        assert_eq!(
            merged(&[], &[declared("1"), declared("2")]),
            json!([held("1", "flowreg-1", true), held("2", "flowreg-2", true)])
        );
    }

    #[test]
    fn what_was_switched_off_stays_off_when_another_one_goes() {
        let before = [
            held("1", "flowreg-1", true),
            held("2", "flowreg-2", false),
            held("3", "flowreg-3", true),
        ];
        assert_eq!(
            merged(&before, &[declared("2"), declared("3")]),
            json!([held("2", "flowreg-2", false), held("3", "flowreg-3", true)])
        );
    }

    #[test]
    fn an_edited_rule_keeps_slug_and_state() {
        let before = [held("1", "flowreg-1", true), held("2", "flowreg-2", false)];
        assert_eq!(
            merged(&before, &[declared("1"), declared("9")]),
            json!([held("1", "flowreg-1", true), held("9", "flowreg-2", false)])
        );
    }

    #[test]
    fn several_new_rules_are_nobodys_successors() {
        let before = [held("1", "flowreg-1", false)];
        assert_eq!(
            merged(&before, &[declared("8"), declared("9")]),
            json!([held("8", "flowreg-1", true), held("9", "flowreg-2", true)])
        );
    }

    #[test]
    fn a_declared_state_wins() {
        let mut off = declared("1");
        off["active"] = json!(false);
        assert_eq!(
            merged(&[held("1", "flowreg-1", true)], &[off]),
            json!([held("1", "flowreg-1", false)])
        );
    }

    #[test]
    fn schedules_of_others_stay_and_ours_go_when_nothing_is_declared() {
        let theirs = held("5", "by-hand", true);
        let before = [theirs.clone(), held("1", "flowreg-1", true)];
        assert_eq!(merged(&before, &[]), json!([theirs]));
    }

    #[test]
    fn the_order_and_empty_parts_mean_nothing() {
        let one = held("1", "flowreg-1", true);
        let mut same = one.clone();
        same["parameters"] = json!({});
        let two = held("2", "flowreg-2", true);
        assert!(is_same_set(&[two.clone(), one.clone()], &[same, two.clone()]));
        assert!(!is_same_set(&[one.clone(), one], &[two.clone(), two]));
    }
}
