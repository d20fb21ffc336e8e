//! Which declared schedule is which held one: by slug, by rule, or by being the only ones left.

use serde_json::{Value, json};

use super::declared::LastDeclaration;
use super::slugs::{OWN_SLUG, own_number, slug};
use flowreg_model::json_equal;

/// Puts declared schedules in the place of those that were declared before; what others made
/// stays. The declared ones come first, in their order.
///
/// A declared schedule is the held one with its slug, or with the slug that it replaces, or with
/// the same rule. If one of each is left over, its rule was edited. So whatever people switched
/// off stays off, also when another schedule goes.
pub(super) fn merged(held: &[Value], declared: &[Value], last: &LastDeclaration) -> Vec<Value> {
    // In passes from the surest to the vaguest match, each over all schedules: otherwise the rule of
    // an early schedule could take the held one to which a later one has the slug.
    let mut matching = Matching { left: held.iter().collect(), last };
    let mut matches: Vec<Option<&Value>> =
        declared.iter().map(|schedule| matching.take_by_slug(schedule)).collect();
    for (schedule, found) in declared.iter().zip(&mut matches) {
        if found.is_none() {
            *found = matching.take_by_rule(schedule, declared);
        }
    }
    // One declared schedule and one of ours are left over: its rule was edited. With several on
    // either side it would be a guess which became which.
    let mut unmatched = declared
        .iter()
        .zip(&mut matches)
        .filter(|(schedule, found)| found.is_none() && slug(schedule).is_none());
    if let (Some((_, edited)), None) = (unmatched.next(), unmatched.next()) {
        *edited = matching.take_only_own();
    }
    let mut numbers = Numbers {
        taken: matches.iter().flatten().copied().chain(declared).filter_map(own_number).collect(),
    };
    let placed: Vec<Value> = declared
        .iter()
        .zip(matches)
        .map(|(schedule, held)| placed(schedule, held, last, &mut numbers))
        .collect();
    let theirs: Vec<Value> = matching
        .left
        .iter()
        .filter(|schedule| !matching.is_ours(schedule))
        .map(|schedule| (*schedule).clone())
        .collect();
    placed.into_iter().chain(theirs).collect()
}

/// A slug that two of these schedules have.
pub(super) fn duplicate_slug(declared: &[Value]) -> Option<&str> {
    declared.iter().enumerate().find_map(|(index, schedule)| {
        let name = slug(schedule)?;
        declared.iter().skip(index + 1).any(|other| slug(other) == Some(name)).then_some(name)
    })
}

/// Whether two sets of schedules mean the same. The order in which a server answers means nothing,
/// and a part that is null or empty is the same as one that is missing.
pub(super) fn is_same_set(before: &[Value], after: &[Value]) -> bool {
    before.len() == after.len()
        && after.iter().all(|schedule| {
            let schedule = without_blanks(schedule);
            before.iter().any(|other| json_equal(&without_blanks(other), &schedule))
        })
}

/// The held schedules that no declared one has been matched with yet.
struct Matching<'a> {
    left: Vec<&'a Value>,
    last: &'a LastDeclaration,
}

impl<'a> Matching<'a> {
    /// Whether the repository declared it; all others were made by people.
    fn is_ours(&self, schedule: &Value) -> bool {
        let was_declared =
            |name: &str| self.last.recorded().is_some_and(|last| last.schedules.contains(name));
        own_number(schedule).is_some() || slug(schedule).is_some_and(was_declared)
    }

    fn take_by_slug(&mut self, declared: &Value) -> Option<&'a Value> {
        let replaced = declared.get("replaces").and_then(Value::as_str);
        let names = [slug(declared), replaced.filter(|_| slug(declared).is_some())];
        let find = |name| self.left.iter().position(|held| slug(held) == Some(name));
        let at = names.into_iter().flatten().find_map(find)?;
        Some(self.left.remove(at))
    }

    /// Takes a held schedule with the same rule. Of a deployment that is being adopted all count: its
    /// former owner declared them, mostly in the same `prefect.yaml`. Otherwise those that people
    /// made are left alone, even with the same rule.
    fn take_by_rule(&mut self, declared: &Value, all: &[Value]) -> Option<&'a Value> {
        // Its slug is declared for another schedule, which has matched it or will.
        let is_claimed = |held: &Value| {
            slug(held).is_some_and(|name| all.iter().any(|one| slug(one) == Some(name)))
        };
        let is_foreign = matches!(self.last, LastDeclaration::Foreign);
        let at = self.left.iter().position(|held| {
            (is_foreign || self.is_ours(held)) && !is_claimed(held) && is_same_rule(held, declared)
        })?;
        Some(self.left.remove(at))
    }

    fn take_only_own(&mut self) -> Option<&'a Value> {
        let is_own = |held: &&Value| own_number(held).is_some();
        let (Some(at), 1) = (
            self.left.iter().position(is_own),
            self.left.iter().filter(|held| is_own(held)).count(),
        ) else {
            return None;
        };
        Some(self.left.remove(at))
    }
}

/// Gives schedules without a slug the lowest free `flowreg-1`, `flowreg-2` …
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

/// A declared schedule with its slug or that of the held one, and with its state.
fn placed(
    declared: &Value,
    held: Option<&Value>,
    last: &LastDeclaration,
    numbers: &mut Numbers,
) -> Value {
    let mut schedule = declared.clone();
    let Some(object) = schedule.as_object_mut() else { return schedule };
    object.shift_remove("replaces");
    if slug(declared).is_none() {
        let slug = held.and_then(slug).map(ToOwned::to_owned);
        let slug = slug.unwrap_or_else(|| format!("{OWN_SLUG}{}", numbers.next()));
        object.insert("slug".to_owned(), json!(slug));
    }
    if let Some(rule) = object.get_mut("schedule") {
        set_start(rule, held.and_then(|held| held.get("schedule")));
    }
    object.insert("active".to_owned(), json!(is_active(declared, held, last)));
    // People set this limit in the UI, and the server forgets it whenever a schedule is made anew.
    if let Some(most) = held.and_then(|held| held.get("max_scheduled_runs")) {
        object.entry("max_scheduled_runs").or_insert_with(|| most.clone());
    }
    schedule
}

/// Whether a schedule is to start runs: off if the repository says so. What people switched off
/// stays off, even if it is declared to be on; what the repository had switched off is on again
/// once it no longer says so.
fn is_active(declared: &Value, held: Option<&Value>, last: &LastDeclaration) -> bool {
    let declared_active = declared.get("active").and_then(Value::as_bool);
    let was_active = held.and_then(|held| held.get("active")).and_then(Value::as_bool);
    if declared_active == Some(false) || was_active != Some(false) {
        return declared_active.unwrap_or(true);
    }
    // It is off at the target, and the repository does not want that. Who switched it off decides.
    match last {
        LastDeclaration::Recorded(last) => {
            held.and_then(slug).is_some_and(|name| last.off.contains(name))
        }
        // An older flowreg kept no record, and switched on what is declared to be on.
        LastDeclaration::Unrecorded => declared_active.unwrap_or(false),
        LastDeclaration::Foreign => false,
    }
}

fn is_same_rule(held: &Value, declared: &Value) -> bool {
    match (held.get("schedule"), declared.get("schedule")) {
        (Some(held), Some(declared)) => {
            let mut declared = declared.clone();
            set_start(&mut declared, Some(held));
            json_equal(held, &declared)
        }
        _ => false,
    }
}

/// Gives a rule without a start the one that the target holds, so that its runs don't shift; else a
/// fixed one, as the server would fill in the moment of the write.
///
/// A rule of minutes or seconds stays without a start: from 2020 on it has millions of runs, and the
/// server itself finds a start nearby that leads to the same runs (docs/facts/prefect.md,
/// "Schedules").
fn set_start(rule: &mut Value, held: Option<&Value>) {
    let Some(rule) = rule.as_object_mut() else { return };
    let of_held = |name: &str| held.and_then(|held| held.get(name)).and_then(Value::as_str);
    if rule.contains_key("interval") && !rule.contains_key("anchor_date") {
        rule.insert("anchor_date".to_owned(), json!(of_held("anchor_date").unwrap_or(ANCHOR)));
    }
    let Some(Value::String(rrule)) = rule.get_mut("rrule") else { return };
    let upper = rrule.to_ascii_uppercase();
    if upper.contains("DTSTART") {
        return;
    }
    let start = of_held("rrule").and_then(|held| held.strip_suffix(rrule.as_str()));
    let is_frequent = ["FREQ=MINUTELY", "FREQ=SECONDLY"].iter().any(|freq| upper.contains(freq))
        && !upper.contains("COUNT=");
    match start.filter(|start| start.starts_with("DTSTART:")) {
        Some(start) => rrule.insert_str(0, start),
        None if is_frequent => {}
        None => rrule.insert_str(0, RRULE_START),
    }
}

/// The start of an interval that declares none.
const ANCHOR: &str = "2020-01-01T00:00:00Z";
/// What the server puts before a rule without a start.
const RRULE_START: &str = "DTSTART:20200101T000000\n";

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
    use crate::registration::declared::Declared;

    fn merged_unnoted(held: &[Value], declared: &[Value]) -> Value {
        json!(merged(held, declared, &LastDeclaration::Unrecorded))
    }

    fn known(schedules: &[&str], off: &[&str]) -> LastDeclaration {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        LastDeclaration::Recorded(Declared {
            schedules: names(schedules),
            off: names(off),
            ..Declared::default()
        })
    }

    fn with(mut schedule: Value, part: &str, value: Value) -> Value {
        schedule[part] = value;
        schedule
    }

    fn declared(cron: &str) -> Value {
        json!({"schedule": {"cron": cron}})
    }

    fn held(cron: &str, slug: &str, active: bool) -> Value {
        json!({"schedule": {"cron": cron}, "slug": slug, "active": active})
    }

    #[test]
    fn new_schedules_are_numbered_and_active() {
        assert_eq!(
            merged_unnoted(&[], &[declared("1"), declared("2")]),
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
            merged_unnoted(&before, &[declared("2"), declared("3")]),
            json!([held("2", "flowreg-2", false), held("3", "flowreg-3", true)])
        );
    }

    #[test]
    fn an_edited_rule_keeps_slug_and_state() {
        let before = [held("1", "flowreg-1", true), held("2", "flowreg-2", false)];
        assert_eq!(
            merged_unnoted(&before, &[declared("1"), declared("9")]),
            json!([held("1", "flowreg-1", true), held("9", "flowreg-2", false)])
        );
    }

    #[test]
    fn several_new_rules_are_nobodys_successors() {
        let before = [held("1", "flowreg-1", false)];
        assert_eq!(
            merged_unnoted(&before, &[declared("8"), declared("9")]),
            json!([held("8", "flowreg-1", true), held("9", "flowreg-2", true)])
        );
    }

    #[test]
    fn a_declared_state_wins() {
        let mut off = declared("1");
        off["active"] = json!(false);
        assert_eq!(
            merged_unnoted(&[held("1", "flowreg-1", true)], &[off]),
            json!([held("1", "flowreg-1", false)])
        );
    }

    #[test]
    fn schedules_of_others_stay_and_ours_go_when_nothing_is_declared() {
        let theirs = held("5", "by-hand", true);
        let before = [theirs.clone(), held("1", "flowreg-1", true)];
        assert_eq!(merged_unnoted(&before, &[]), json!([theirs]));
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

    #[test]
    fn a_declared_slug_finds_its_schedule_whatever_the_rule() {
        let before = [held("1", "a", false), held("2", "b", true)];
        let wanted =
            [with(declared("9"), "slug", json!("a")), with(declared("2"), "slug", json!("b"))];
        assert_eq!(
            json!(merged(&before, &wanted, &known(&["a", "b"], &[]))),
            json!([held("9", "a", false), held("2", "b", true)])
        );
    }

    #[test]
    fn a_declared_slug_that_goes_takes_its_schedule_along_and_peoples_stay() {
        let theirs = held("5", "by-hand", true);
        let before = [held("1", "a", true), theirs.clone()];
        assert_eq!(json!(merged(&before, &[], &known(&["a"], &[]))), json!([theirs]));
        assert_eq!(merged(&before, &[], &known(&[], &[])).len(), 2);
    }

    #[test]
    fn a_schedule_that_is_renamed_keeps_its_state_and_its_limit() {
        let before = [with(held("1", "old", false), "max_scheduled_runs", json!(3))];
        let wanted = with(with(declared("1"), "slug", json!("new")), "replaces", json!("old"));
        let after = with(held("1", "new", false), "max_scheduled_runs", json!(3));
        assert_eq!(json!(merged(&before, &[wanted], &known(&["old"], &[]))), json!([after]));
        // The same without a word of it: by its rule.
        let wanted = with(declared("1"), "slug", json!("new"));
        assert_eq!(json!(merged(&before, &[wanted], &known(&["old"], &[]))), json!([after]));
    }

    #[test]
    fn what_people_switched_off_stays_off_and_what_the_repository_did_is_on_again() {
        let before = [held("1", "flowreg-1", false)];
        let on = with(declared("1"), "active", json!(true));
        let active = |wanted: &Value, last: &LastDeclaration| {
            merged(&before, std::slice::from_ref(wanted), last)[0]["active"].clone()
        };
        assert_eq!(active(&on, &known(&[], &[])), json!(false));
        assert_eq!(active(&on, &LastDeclaration::Foreign), json!(false));
        assert_eq!(active(&on, &LastDeclaration::Unrecorded), json!(true));
        assert_eq!(active(&on, &known(&[], &["flowreg-1"])), json!(true));
        assert_eq!(active(&declared("1"), &known(&[], &["flowreg-1"])), json!(true));
        assert_eq!(active(&declared("1"), &known(&[], &[])), json!(false));
        assert_eq!(active(&declared("1"), &LastDeclaration::Unrecorded), json!(false));
    }

    #[test]
    fn an_adopted_schedule_with_the_same_rule_is_no_second_one() {
        let before = [held("1", "", false), held("2", "morning", true), held("3", "", true)];
        assert_eq!(
            json!(merged(&before, &[declared("1"), declared("2")], &LastDeclaration::Foreign)),
            json!([held("1", "flowreg-1", false), held("2", "morning", true), held("3", "", true)])
        );
    }

    #[test]
    fn a_slug_stands_for_one_schedule() {
        let one = with(declared("1"), "slug", json!("a"));
        let other = with(declared("2"), "slug", json!("a"));
        assert_eq!(duplicate_slug(&[one.clone(), declared("2"), other]), Some("a"));
        assert_eq!(duplicate_slug(&[one, declared("2"), declared("3")]), None);
    }

    #[test]
    fn a_declared_slug_that_looks_like_ours_is_not_given_twice() {
        let numbered = with(declared("2"), "slug", json!("flowreg-1"));
        assert_eq!(
            json!(merged(&[], &[declared("1"), numbered], &known(&[], &[]))),
            json!([held("1", "flowreg-2", true), held("2", "flowreg-1", true)])
        );
    }
}
