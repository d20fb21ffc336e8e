//! Which declared schedule is which held one: by slug, by rule, or by order.

use serde_json::{Value, json};

use super::declared::LastDeclaration;
use super::rules::{is_same_rule, set_start};
use super::slugs::{self, slug};
use flowreg_model::json_equal;

/// Declared schedules, put together with those that a target holds.
#[derive(Debug)]
pub(super) struct Merged<'h> {
    /// The declared ones, in their order, each with the state that it is to have.
    pub declared: Vec<Value>,
    /// The held ones in whose place they come, and those that go because they are declared no
    /// longer.
    pub replaced: Vec<&'h Value>,
    /// The held ones that people made. They stay as they are.
    pub others: Vec<&'h Value>,
    /// Whether it can't be told which declared one is which held one, and it matters: some of these
    /// were switched off by people and others were not.
    pub is_ambiguous: bool,
}

/// Puts declared schedules in the place of those that were declared before; what others made stays.
///
/// A declared schedule is the held one with its slug, or with the slug that it replaces, or with
/// the same rule. What is left over without a slug was edited, and is matched by its order. So
/// whatever people switched off stays off, also when another schedule goes.
pub(super) fn merged<'h>(
    held: &'h [Value],
    declared: &[Value],
    last: &LastDeclaration,
) -> Merged<'h> {
    let mut matching = Matching::new(held, last);
    // In passes from the surest to the vaguest match, each over all schedules: otherwise the rule of
    // an early schedule could take the held one to which a later one has the slug.
    let mut matches: Vec<Option<HeldSchedule<'h>>> =
        declared.iter().map(|schedule| matching.take_by_slug(schedule)).collect();
    for likeness in [Likeness::Equal, Likeness::Rule, Likeness::EqualOfPeople] {
        let unmatched = declared.iter().zip(&mut matches).filter(|(_, found)| found.is_none());
        for (schedule, found) in unmatched {
            *found = matching.take_like(schedule, likeness, declared);
        }
    }
    let unmatched = declared.iter().zip(&mut matches);
    let unmatched =
        unmatched.filter(|(schedule, found)| found.is_none() && slug(schedule).is_none());
    let is_ambiguous = matching.take_by_order(unmatched.collect());
    let placed = declared
        .iter()
        .zip(&matches)
        .map(|(schedule, held)| placed(schedule, held.as_ref(), last))
        .collect();
    let (gone, others): (Vec<_>, Vec<_>) = matching.left.into_iter().partition(|held| held.is_ours);
    let replaced = matches.into_iter().flatten().chain(gone);
    Merged {
        declared: placed,
        replaced: replaced.map(|held| held.schedule).collect(),
        others: others.into_iter().map(|held| held.schedule).collect(),
        is_ambiguous,
    }
}

impl Merged<'_> {
    /// Whether the target holds something else than it should.
    pub(super) fn differs(&self) -> bool {
        let blank = |schedule: &Value| without_blanks(schedule);
        let mut left: Vec<Value> = self.replaced.iter().copied().map(blank).collect();
        let mut take = |schedule: &Value| {
            let schedule = without_blanks(schedule);
            let at = left.iter().position(|other| json_equal(other, &schedule));
            at.map(|at| left.swap_remove(at)).is_some()
        };
        // The order in which a server answers means nothing.
        !self.declared.iter().all(&mut take) || !left.is_empty()
    }

    /// All schedules that the target should hold.
    pub(super) fn all(&self) -> Value {
        self.declared.iter().chain(self.others.iter().copied()).cloned().collect()
    }

    /// Takes away the slugs that an older flowreg gave and the repository does not declare; returns
    /// whether there were any.
    pub(super) fn drop_given_slugs(&mut self, declared: &[Value]) -> bool {
        let mut is_any = false;
        let undeclared = declared.iter().zip(&mut self.declared);
        for (_, placed) in undeclared.filter(|(schedule, _)| slug(schedule).is_none()) {
            let dropped = placed.as_object_mut().and_then(|placed| placed.shift_remove("slug"));
            is_any |= dropped.is_some();
        }
        is_any
    }
}

/// A slug that two of these schedules have.
pub(super) fn duplicate_slug(declared: &[Value]) -> Option<&str> {
    declared.iter().enumerate().find_map(|(index, schedule)| {
        let name = slug(schedule)?;
        declared.iter().skip(index + 1).any(|other| slug(other) == Some(name)).then_some(name)
    })
}

/// The slugs of a rename that `prefect deploy` refuses once it is carried out: the new one and the one
/// that it replaces. The server looks at renames only where all schedules have slugs
/// (docs/facts/prefect.md, "Schedules").
pub(crate) fn rename(declared: &[Value]) -> Option<(&str, &str)> {
    if declared.iter().any(|schedule| slug(schedule).is_none()) {
        return None;
    }
    declared
        .iter()
        .find_map(|schedule| Some((slug(schedule)?, schedule.get("replaces")?.as_str()?)))
}

/// A schedule that the target holds.
#[derive(Debug)]
struct HeldSchedule<'h> {
    schedule: &'h Value,
    /// As [`slugs::names`] has it.
    name: String,
    /// Whether the repository declared it; all others were made by people.
    is_ours: bool,
}

impl HeldSchedule<'_> {
    /// Whether the slug, if there is one, is none of the repository's.
    fn is_without_slug(&self) -> bool {
        slug(self.schedule).is_none() || slugs::is_given(self.schedule)
    }

    fn is_off(&self) -> bool {
        self.schedule.get("active") == Some(&Value::Bool(false))
    }
}

/// How much a held schedule has to be like a declared one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Likeness {
    /// Ours, with the same rule and parameters.
    Equal,
    /// Ours, with the same rule.
    Rule,
    /// Made by people without a slug, with the same rule and parameters: to make it once more would
    /// run the flow twice.
    EqualOfPeople,
}

/// The held schedules that no declared one has been matched with yet.
struct Matching<'h, 'l> {
    left: Vec<HeldSchedule<'h>>,
    last: &'l LastDeclaration,
}

impl<'h, 'l> Matching<'h, 'l> {
    fn new(held: &'h [Value], last: &'l LastDeclaration) -> Self {
        let names = slugs::names(held);
        let recorded = last.recorded();
        // Declared rules that the target holds no more: people edited so many schedules, or deleted
        // them. Schedules without a slug that are not known are taken for the edited ones: to make
        // the declared one beside its edited form would run the flow twice.
        let lost = recorded.into_iter().flat_map(|last| &last.schedules);
        let mut lost = lost.filter(|name| slugs::is_of_rule(name) && !names.contains(name)).count();
        let left = held.iter().zip(names).map(|(schedule, name)| {
            let mut is_ours = match last {
                LastDeclaration::Foreign => true,
                LastDeclaration::Unrecorded => slugs::is_given(schedule),
                LastDeclaration::Recorded(last) => {
                    slugs::is_given(schedule) || last.schedules.contains(&name)
                }
            };
            if !is_ours && lost > 0 && slug(schedule).is_none() {
                (is_ours, lost) = (true, lost - 1);
            }
            HeldSchedule { schedule, name, is_ours }
        });
        Self { left: left.collect(), last }
    }

    fn take_by_slug(&mut self, declared: &Value) -> Option<HeldSchedule<'h>> {
        let replaced = declared.get("replaces").and_then(Value::as_str);
        let names = [slug(declared), replaced.filter(|_| slug(declared).is_some())];
        let find = |name| self.left.iter().position(|held| slug(held.schedule) == Some(name));
        let at = names.into_iter().flatten().find_map(find)?;
        Some(self.left.remove(at))
    }

    fn take_like(
        &mut self,
        declared: &Value,
        likeness: Likeness,
        all: &[Value],
    ) -> Option<HeldSchedule<'h>> {
        // Its slug is declared for another schedule, which has matched it or will.
        let is_claimed = |held: &Value| {
            slug(held).is_some_and(|name| all.iter().any(|one| slug(one) == Some(name)))
        };
        let is_it = |held: &HeldSchedule<'_>| {
            let is_candidate = match likeness {
                Likeness::Equal | Likeness::Rule => held.is_ours && !is_claimed(held.schedule),
                Likeness::EqualOfPeople => slug(held.schedule).is_none(),
            };
            is_candidate
                && is_same_rule(held.schedule, declared)
                && (likeness == Likeness::Rule || has_same_parameters(held.schedule, declared))
        };
        let at = self.left.iter().position(is_it)?;
        Some(self.left.remove(at))
    }

    /// Matches what is left over without a slug in its order: rules that were edited. Returns whether
    /// that would be a guess that matters, and then matches none.
    ///
    /// The schedules of a deployment that is being adopted were not declared by the same file, so
    /// their order says nothing.
    fn take_by_order(&mut self, unmatched: Vec<(&Value, &mut Option<HeldSchedule<'h>>)>) -> bool {
        if self.last.is_foreign() {
            return false;
        }
        let is_edited = |held: &HeldSchedule<'_>| held.is_ours && held.is_without_slug();
        let (edited, left): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.left).into_iter().partition(is_edited);
        self.left = left;
        // With as many on either side each was edited. With more on one side, some are new or gone,
        // and which those are can't be seen. That matters only where people have switched one off.
        let is_switched_off = |held: &HeldSchedule<'_>| {
            held.is_off() && !self.last.recorded().is_some_and(|last| last.off.contains(&held.name))
        };
        let off = edited.iter().filter(|held| is_switched_off(held)).count();
        let is_off = |schedule: &Value| schedule.get("active") == Some(&Value::Bool(false));
        let is_clear = edited.len() == unmatched.len()
            || off == 0
            || unmatched.iter().all(|(schedule, _)| is_off(schedule))
            || (off == edited.len() && unmatched.len() < edited.len());
        if !is_clear {
            self.left.extend(edited);
            return true;
        }
        let mut edited = edited.into_iter();
        for (_, found) in unmatched {
            *found = edited.next();
        }
        self.left.extend(edited);
        false
    }
}

/// A declared schedule with the state of the held one.
///
/// A slug that an older flowreg gave is kept here, so that it is no difference by itself
/// ([`Merged::drop_given_slugs`]).
fn placed(declared: &Value, held: Option<&HeldSchedule<'_>>, last: &LastDeclaration) -> Value {
    let mut schedule = declared.clone();
    let Some(object) = schedule.as_object_mut() else { return schedule };
    object.shift_remove("replaces");
    let active = is_active(declared, held, last);
    let held = held.map(|held| held.schedule);
    let given = held.filter(|held| slug(declared).is_none() && slugs::is_given(held));
    if let Some(given) = given.and_then(slug) {
        object.insert("slug".to_owned(), json!(given));
    }
    if let Some(rule) = object.get_mut("schedule") {
        set_start(rule, held.and_then(|held| held.get("schedule")));
    }
    object.insert("active".to_owned(), json!(active));
    // People set this limit in the UI, and the server forgets it whenever a schedule is made anew.
    if let Some(most) = held.and_then(|held| held.get("max_scheduled_runs")) {
        object.entry("max_scheduled_runs").or_insert_with(|| most.clone());
    }
    schedule
}

/// Whether a schedule is to start runs: off if the repository says so. What people switched off
/// stays off, even if it is declared to be on; what the repository had switched off is on again
/// once it no longer says so.
fn is_active(declared: &Value, held: Option<&HeldSchedule<'_>>, last: &LastDeclaration) -> bool {
    let declared_active = declared.get("active").and_then(Value::as_bool);
    let Some(held) = held.filter(|held| held.is_off() && declared_active != Some(false)) else {
        return declared_active.unwrap_or(true);
    };
    // It is off at the target, and the repository does not want that. Who switched it off decides.
    match last {
        LastDeclaration::Recorded(last) => last.off.contains(&held.name),
        // An older flowreg kept no record, and switched on what is declared to be on.
        LastDeclaration::Unrecorded => declared_active.unwrap_or(false),
        LastDeclaration::Foreign => false,
    }
}

fn has_same_parameters(held: &Value, declared: &Value) -> bool {
    let nothing = json!({});
    let [held, declared] = [held, declared]
        .map(|schedule| schedule.get("parameters").filter(|value| !value.is_null()));
    json_equal(held.unwrap_or(&nothing), declared.unwrap_or(&nothing))
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
    use crate::registration::declared::Declared;
    use flowreg_model::Fields;

    /// What is known after a registration of these schedules, which left `held` at the target.
    fn after(declared: &[Value], held: &[Value]) -> LastDeclaration {
        let fields: Fields = serde_json::from_value(json!({"schedules": declared})).unwrap();
        LastDeclaration::Recorded(Box::new(Declared::of(&fields, held)))
    }

    /// All schedules after a registration of `declared`; before it `last` was declared, and people
    /// have made `held` of that since.
    fn all(held: &[Value], declared: &[Value], last: &LastDeclaration) -> Value {
        let merged = merged(held, declared, last);
        assert!(!merged.is_ambiguous);
        merged.all()
    }

    fn with(mut schedule: Value, part: &str, value: Value) -> Value {
        schedule[part] = value;
        schedule
    }

    fn declared(cron: &str) -> Value {
        json!({"schedule": {"cron": cron}})
    }

    fn named(cron: &str, slug: &str) -> Value {
        with(declared(cron), "slug", json!(slug))
    }

    fn on(declared: Value) -> Value {
        with(declared, "active", json!(true))
    }

    fn off(declared: Value) -> Value {
        with(declared, "active", json!(false))
    }

    #[test]
    fn new_schedules_are_active_and_get_no_slug() {
        let wanted = [declared("1"), named("2", "a"), off(declared("3"))];
        assert_eq!(
            all(&[], &wanted, &LastDeclaration::Foreign),
            json!([on(declared("1")), on(named("2", "a")), off(declared("3"))])
        );
    }

    #[test]
    fn what_was_switched_off_stays_off_when_another_one_goes() {
        let before = [declared("1"), declared("2"), declared("3")];
        let last = after(&before, &before);
        let held = [on(declared("1")), off(declared("2")), on(declared("3"))];
        assert_eq!(
            all(&held, &[declared("2"), declared("3")], &last),
            json!([off(declared("2")), on(declared("3"))])
        );
    }

    #[test]
    fn edited_rules_keep_their_state_by_their_order() {
        let before = [declared("1"), declared("2"), declared("3")];
        let last = after(&before, &before);
        let held = [on(declared("1")), off(declared("2")), on(declared("3"))];
        assert_eq!(
            all(&held, &[declared("1"), declared("8"), declared("9")], &last),
            json!([on(declared("1")), off(declared("8")), on(declared("9"))])
        );
    }

    #[test]
    fn it_is_asked_which_edited_rule_was_switched_off_where_others_came_or_went() {
        let before = [declared("1"), declared("2")];
        let last = after(&before, &before);
        let one_off = [off(declared("1")), on(declared("2"))];
        let is_ambiguous =
            |held: &[Value], wanted: &[Value]| merged(held, wanted, &last).is_ambiguous;
        assert!(is_ambiguous(&one_off, &[declared("9")]));
        assert!(is_ambiguous(&one_off, &[declared("7"), declared("8"), declared("9")]));
        // The repository says the state itself.
        assert!(!is_ambiguous(&one_off, &[off(declared("9"))]));
        // A slug says that it is a new one, and so does the rule of one that is held.
        assert!(!is_ambiguous(&one_off, &[named("9", "a")]));
        assert!(!is_ambiguous(&one_off, &[declared("2")]));
        assert!(!is_ambiguous(&one_off, &[]));
        // Where all have the same state it makes no difference.
        let all_off = [off(declared("1")), off(declared("2"))];
        let all_on = [on(declared("1")), on(declared("2"))];
        assert_eq!(all(&all_off, &[declared("9")], &last), json!([off(declared("9"))]));
        assert_eq!(all(&all_on, &[declared("9")], &last), json!([on(declared("9"))]));
        // The repository had switched it off itself.
        let last = after(&[off(declared("1")), declared("2")], &one_off);
        assert_eq!(all(&one_off, &[declared("9")], &last), json!([on(declared("9"))]));
    }

    #[test]
    fn a_rule_that_people_edited_is_put_back_and_not_made_twice() {
        let before = [declared("1"), declared("2")];
        let last = after(&before, &before);
        let theirs = on(declared("9"));
        let held = [on(declared("1")), on(declared("5")), theirs.clone()];
        assert_eq!(
            all(&held, &before, &last),
            json!([on(declared("1")), on(declared("2")), theirs])
        );
    }

    #[test]
    fn schedules_of_others_stay_and_ours_go_when_nothing_is_declared() {
        let theirs = on(declared("5"));
        let last = after(&[declared("1")], &[declared("1")]);
        let held = [on(declared("1")), theirs.clone()];
        assert_eq!(all(&held, &[], &last), json!([theirs]));
    }

    #[test]
    fn people_made_the_second_of_two_equal_ones() {
        let last = after(&[declared("1")], &[declared("1")]);
        let held = [off(declared("1")), on(declared("1"))];
        assert_eq!(all(&held, &[declared("1")], &last), json!(held));
        assert_eq!(all(&held, &[], &last), json!([on(declared("1"))]));
    }

    #[test]
    fn a_schedule_that_people_made_before_it_was_declared_is_not_made_twice() {
        let last = after(&[], &[]);
        let held = [on(declared("1"))];
        let merged = merged(&held, &[declared("1")], &last);
        assert!(!merged.differs());
        assert_eq!(merged.all(), json!(held));
    }

    #[test]
    fn parameters_tell_schedules_of_one_rule_apart() {
        let of = |n: u32| with(declared("1"), "parameters", json!({"n": n}));
        let last = after(&[of(1), of(2)], &[of(1), of(2)]);
        let held = [on(of(1)), off(of(2)), on(of(3))];
        assert_eq!(all(&held, &[of(2)], &last), json!([off(of(2)), on(of(3))]));
        assert_eq!(all(&held, &[of(1), of(7)], &last), json!([on(of(1)), off(of(7)), on(of(3))]));
    }

    #[test]
    fn the_order_and_empty_parts_mean_nothing() {
        let last = after(&[], &[]);
        let differs = |held: &[Value], wanted: &[Value]| merged(held, wanted, &last).differs();
        let blank = with(with(declared("1"), "parameters", json!({})), "slug", Value::Null);
        let held = [on(declared("2")), on(declared("1"))];
        assert!(!differs(&held, &[blank, declared("2")]));
        assert!(differs(&held, &[declared("1"), declared("1")]));
    }

    #[test]
    fn a_declared_slug_finds_its_schedule_whatever_the_rule() {
        let held = [off(named("1", "a")), on(named("2", "b"))];
        let last = after(&[named("1", "a"), named("2", "b")], &held);
        assert_eq!(
            all(&held, &[named("9", "a"), named("2", "b")], &last),
            json!([off(named("9", "a")), on(named("2", "b"))])
        );
    }

    #[test]
    fn a_declared_slug_that_goes_takes_its_schedule_along_and_peoples_stay() {
        let theirs = on(named("5", "by-hand"));
        let held = [on(named("1", "a")), theirs.clone()];
        let last = after(&[named("1", "a")], &held);
        assert_eq!(all(&held, &[], &last), json!([theirs]));
        assert_eq!(all(&held, &[], &after(&[], &[])), json!(held));
    }

    #[test]
    fn a_schedule_that_is_renamed_keeps_its_state_and_its_limit() {
        let held = [with(off(named("1", "old")), "max_scheduled_runs", json!(3))];
        let last = after(&[named("1", "old")], &held);
        let renamed = with(off(named("1", "new")), "max_scheduled_runs", json!(3));
        let wanted = with(named("1", "new"), "replaces", json!("old"));
        assert_eq!(all(&held, &[wanted], &last), json!([renamed]));
        // The same without a word of it: by its rule.
        assert_eq!(all(&held, &[named("1", "new")], &last), json!([renamed]));
        // A slug that goes, and one that comes.
        let unnamed = with(off(declared("1")), "max_scheduled_runs", json!(3));
        assert_eq!(all(&held, &[declared("1")], &last), json!([unnamed]));
        let last = after(&[declared("1")], std::slice::from_ref(&unnamed));
        assert_eq!(all(&[unnamed], &[named("1", "new")], &last), json!([renamed]));
    }

    #[test]
    fn a_rename_is_one_only_where_all_have_slugs() {
        let renamed = with(named("1", "new"), "replaces", json!("old"));
        assert_eq!(rename(&[named("2", "a"), renamed.clone()]), Some(("new", "old")));
        assert_eq!(rename(&[renamed, declared("2")]), None);
        assert_eq!(rename(&[named("2", "a")]), None);
    }

    #[test]
    fn what_people_switched_off_stays_off_and_what_the_repository_did_is_on_again() {
        let held = [off(declared("1"))];
        let active = |wanted: &Value, last: &LastDeclaration| {
            all(&held, std::slice::from_ref(wanted), last)[0]["active"].clone()
        };
        let wanted = on(declared("1"));
        let theirs = after(&[declared("1")], &held);
        let ours = after(&held, &held);
        assert_eq!(active(&wanted, &theirs), json!(false));
        assert_eq!(active(&wanted, &LastDeclaration::Foreign), json!(false));
        assert_eq!(active(&wanted, &LastDeclaration::Unrecorded), json!(true));
        assert_eq!(active(&wanted, &ours), json!(true));
        assert_eq!(active(&declared("1"), &ours), json!(true));
        assert_eq!(active(&declared("1"), &theirs), json!(false));
        assert_eq!(active(&declared("1"), &LastDeclaration::Unrecorded), json!(false));
    }

    #[test]
    fn an_adopted_schedule_with_the_same_rule_is_no_second_one_and_all_others_go() {
        let held = [off(declared("1")), on(named("2", "morning")), on(declared("3"))];
        assert_eq!(
            all(&held, &[declared("1"), declared("2")], &LastDeclaration::Foreign),
            json!([off(declared("1")), on(declared("2"))])
        );
        // Nothing says that an unknown rule is the edited form of another one.
        assert_eq!(
            all(&held[..1], &[declared("9")], &LastDeclaration::Foreign),
            json!([on(declared("9"))])
        );
    }

    #[test]
    fn a_slug_that_an_older_flowreg_gave_goes_with_the_next_write_and_not_by_itself() {
        let held = [off(named("1", "flowreg-1")), on(named("2", "flowreg-2"))];
        // It noted none of them.
        let last = LastDeclaration::Recorded(Box::default());
        let wanted = [declared("1"), declared("2")];
        let mut kept = merged(&held, &wanted, &last);
        assert!(!kept.differs());
        assert_eq!(after(&wanted, &kept.declared).recorded(), last.recorded());
        assert!(kept.drop_given_slugs(&wanted));
        assert_eq!(kept.all(), json!([off(declared("1")), on(declared("2"))]));
        assert_eq!(
            all(&held, &[declared("2"), declared("9")], &last),
            json!([on(named("2", "flowreg-2")), off(named("9", "flowreg-1"))])
        );
        assert_eq!(all(&held, &[], &LastDeclaration::Unrecorded), json!([]));
        // One that the repository declares is a slug like any other.
        let wanted = [named("1", "flowreg-1"), declared("2")];
        let mut kept = merged(&held, &wanted, &last);
        assert!(kept.drop_given_slugs(&wanted));
        assert_eq!(kept.all(), json!([off(named("1", "flowreg-1")), on(declared("2"))]));
    }

    #[test]
    fn a_start_that_the_file_does_not_say_stays_as_the_target_has_it() {
        let every = |anchor: Option<&str>| {
            let mut schedule = json!({"schedule": {"interval": 60.0}});
            if let Some(anchor) = anchor {
                schedule["schedule"]["anchor_date"] = json!(anchor);
            }
            schedule
        };
        let held = [off(every(Some("2026-11-30T10:00:00Z")))];
        let last = after(&[every(None)], &[every(Some("2020-01-01T00:00:00Z"))]);
        assert_eq!(all(&held, &[every(None)], &last), json!(held));
        assert_eq!(
            all(&[], &[every(None)], &last),
            json!([on(every(Some("2020-01-01T00:00:00Z")))])
        );
    }

    #[test]
    fn a_slug_stands_for_one_schedule() {
        let (one, other) = (named("1", "a"), named("2", "a"));
        assert_eq!(duplicate_slug(&[one.clone(), declared("2"), other]), Some("a"));
        assert_eq!(duplicate_slug(&[one, declared("2"), declared("3")]), None);
    }
}
