//! The plan: for each registration an action, or the guard that refuses it. Pure: both sides are
//! given, nothing is read or written.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::Value;

use super::changes::{self, Change, Kept};
use super::declared::Declared;
use super::declared::LastDeclaration;
use super::diff;
use super::open_schema::{self, has_schema};
use super::refusal::Refusal;
use super::schedules;
use flowreg_git::tagging::{SeriesSet, TagOrder};
use flowreg_model::{Field, Fields, Held, Marks, Registration};

/// Which guards the user switched off, and what they go by.
#[derive(Debug, Clone, Default)]
pub struct Guards {
    /// `--allow-downgrade`
    pub allow_downgrade: bool,
    /// `--adopt`
    pub adopt: bool,
    /// Which of two tags is the higher version.
    pub series: SeriesSet,
}

/// What has to be done for one registration.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The target does not hold it.
    Create,
    /// The target holds it, and some of it differs.
    Update {
        /// The changed fields with their final values.
        fields: Fields,
        /// Whether the marks change.
        marks_change: bool,
    },
    /// Nothing differs: nothing is written.
    Unchanged,
    /// A guard forbids it.
    Refuse(Refusal),
}

impl Action {
    /// The word that JSON uses.
    pub(crate) fn as_str(&self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Update { .. } => "update",
            Self::Unchanged => "unchanged",
            Self::Refuse(_) => "refuse",
        }
    }
}

/// One registration with what has to be done for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Planned {
    /// What should be.
    pub registration: Registration,
    /// What is.
    pub held: Option<Held>,
    /// What has to be done.
    pub action: Action,
    /// What changes, for people and programs.
    pub changes: Vec<Change>,
    /// What stays although the repository does not declare it.
    pub kept: Vec<Kept>,
    /// What should be, before it was completed for a target that holds nothing yet.
    pub(super) asked: Option<Box<Registration>>,
}

impl Planned {
    fn refused(registration: Registration, held: Option<Held>, refusal: Refusal) -> Self {
        let action = Action::Refuse(refusal);
        Self { registration, held, action, changes: Vec::new(), kept: Vec::new(), asked: None }
    }

    /// What has to be planned anew when the target holds something else meanwhile.
    pub(super) fn to_plan_anew(&self, held: Option<&Held>) -> Registration {
        let asked = self.asked.as_deref().filter(|_| held.is_some());
        asked.unwrap_or(&self.registration).clone()
    }
}

/// All actions that make the target match.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Plan {
    /// In the order of the registrations.
    pub items: Vec<Planned>,
}

/// How many of each.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct PlanSummary {
    /// To be created.
    pub create: usize,
    /// To be updated.
    pub update: usize,
    /// As they should be.
    pub unchanged: usize,
    /// To be removed.
    pub remove: usize,
    /// Refused by a guard.
    pub refuse: usize,
}

impl Plan {
    /// Counts the actions.
    pub fn summary(&self) -> PlanSummary {
        let mut summary = PlanSummary::default();
        for item in &self.items {
            match item.action {
                Action::Create => summary.create += 1,
                Action::Update { .. } => summary.update += 1,
                Action::Unchanged => summary.unchanged += 1,
                Action::Refuse(_) => summary.refuse += 1,
            }
        }
        summary
    }
}

/// Compares what should be with what the target holds. `is_ours` says whether a repository's URL is
/// one of this repository.
pub fn plan(
    registrations: Vec<Registration>,
    held: Vec<Held>,
    guards: &Guards,
    is_ours: &dyn Fn(&str) -> bool,
) -> Plan {
    // By name, as a target identifies a deployment by it: an id would be another one after somebody
    // deleted and registered it again.
    let mut by_name: HashMap<(String, String), Held> =
        held.into_iter().map(|held| ((held.flow.clone(), held.deployment.clone()), held)).collect();
    let items = registrations
        .into_iter()
        .map(|registration| {
            let key = (registration.flow.to_string(), registration.deployment.to_string());
            plan_one(registration, by_name.remove(&key), guards, is_ours)
        })
        .collect();
    Plan { items }
}

/// The plan of one registration, whatever else there is.
pub fn plan_one(
    mut registration: Registration,
    held: Option<Held>,
    guards: &Guards,
    is_ours: &dyn Fn(&str) -> bool,
) -> Planned {
    // Guards come before the comparison: a deployment that a guard protects is mostly somebody
    // else's, and its values must not be listed as changes, as they may be secrets.
    let refused = duplicate_slug(&registration)
        .or_else(|| held.as_ref().and_then(|held| refusal(&registration, held, guards, is_ours)));
    if let Some(refusal) = refused {
        return Planned::refused(registration, held, refusal);
    }
    let is_declared = registration.fields.has(Field::EnforceParameterSchema);
    let Some(held) = held else {
        let asked = Some(Box::new(registration.clone()));
        let schema = open_schema::declare(&mut registration, None, None);
        let is_unchecked = schema.is_required_open && !is_declared;
        let declared = diff::complete_new(&mut registration.fields);
        let declared = Declared { open: schema.open, unchecked: is_unchecked, ..declared };
        // Always sent, as the server stores `true` for an absent one but then does not check the
        // parameters of this very request (docs/facts/prefect.md, "Parameters").
        let is_checked = has_schema(&registration.fields) && !is_unchecked;
        registration.fields.get_or_set(Field::EnforceParameterSchema, is_checked);
        registration.marks.declared = Some(declared.text());
        let (action, changes, kept) = (Action::Create, Vec::new(), Vec::new());
        return Planned { registration, held: None, action, changes, kept, asked };
    };
    // Without the record of what was declared last, a tag that the repository has dropped could not
    // be told from one that people have added on the server.
    let is_adoption = !is_registered_by(&held, &registration.marks, is_ours);
    let last = LastDeclaration::of(&held, !is_adoption);
    let last_open = last.recorded().map(|last| &last.open);
    let schema = open_schema::declare(&mut registration, Some(&held), last_open);
    let mut differences = diff::differences(&registration, &held, &last);
    if differences.schedules.is_ambiguous {
        return Planned::refused(registration, Some(held), Refusal::AmbiguousSchedules);
    }
    // The target checks parameters from the moment there is a schema to check them with, and no more if it
    // could refuse what the flow takes, unless the repository declares something else. In between it is
    // people's business.
    let was_unchecked = last.recorded().is_some_and(|last| last.unchecked);
    let is_checked = *held.fields.value(Field::EnforceParameterSchema) == Value::Bool(true);
    let is_new = differences.fields.has(Field::ParameterOpenapiSchema);
    let begins = (was_unchecked || !has_schema(&held.fields)) && has_schema(&registration.fields);
    let ends = is_checked && is_new && schema.is_required_open;
    if !is_declared && (ends || begins && !is_checked && !schema.is_required_open) {
        differences.fields.set(Field::EnforceParameterSchema, !ends);
    }
    let unchecked = !is_declared && schema.is_required_open && (was_unchecked || ends);
    let declared_now = |differences: &diff::Differences<'_>, registration: &Registration| {
        Declared { open: schema.open.clone(), unchecked, ..differences.declared(registration) }
    };
    let marks = changes::mark_changes(&registration.marks, held.marks.as_ref(), is_ours);
    // A write deletes scheduled runs, so a registration of an older flowreg, which has no record of
    // what was declared, is not written only to add one. And where other fields change anyway, the
    // record is written along with them without being listed as a change.
    let is_other_record = |declared| last.recorded() != Some(&declared);
    let is_record_due =
        last.recorded().is_some() && is_other_record(declared_now(&differences, &registration));
    let is_deployment_written = |(field, _)| field != Field::Triggers;
    if is_record_due || !marks.is_empty() || differences.fields.iter().any(is_deployment_written) {
        differences.drop_given_slugs(&registration);
    }
    let mut changes = changes::field_changes(&differences, &held, is_adoption);
    changes.extend(marks);
    let kept = changes::kept(&differences, &registration, &held, is_adoption);
    let declared = declared_now(&differences, &registration);
    registration.marks.declared = Some(declared.text());
    if is_record_due && changes.is_empty() {
        changes.push(changes::declared_change(&registration.marks, held.marks.as_ref()));
    }
    let marks_change = is_other_record(declared) || changes.iter().any(Change::is_mark);
    let fields = differences.fields;
    let action = if changes.is_empty() {
        Action::Unchanged
    } else {
        Action::Update { fields, marks_change }
    };
    Planned { registration, held: Some(held), action, changes, kept, asked: None }
}

/// Whether the repository with the marks `wanted` has registered what is held.
pub(super) fn is_registered_by(
    held: &Held,
    wanted: &Marks,
    is_ours: &dyn Fn(&str) -> bool,
) -> bool {
    // The marks of Prefect 1 may name a secret or an image instead of a URL, so the same text is
    // enough.
    let is_one =
        |marks: &Marks| marks.repository == wanted.repository || is_ours(&marks.repository);
    held.marks.as_ref().is_some_and(is_one)
}

fn duplicate_slug(registration: &Registration) -> Option<Refusal> {
    let schedules = registration.fields.items(Field::Schedules);
    let slug = schedules::duplicate_slug(schedules)?.to_owned();
    Some(Refusal::DuplicateSlug { slug })
}

fn refusal(
    registration: &Registration,
    held: &Held,
    guards: &Guards,
    is_ours: &dyn Fn(&str) -> bool,
) -> Option<Refusal> {
    let wanted = &registration.marks;
    // Whatever is adopted with `--adopt` is not compared by tag and version below, as those of the
    // former owner are of other code.
    let Some(marks) = &held.marks else {
        return (!guards.adopt).then_some(Refusal::NotOurs);
    };
    if !is_registered_by(held, wanted, is_ours) {
        let owner = marks.repository.clone();
        return (!guards.adopt).then_some(Refusal::OtherRepository { owner });
    }
    // A moved tag has no option to allow it: two runs with one version would have run different code,
    // and nobody could tell which.
    moved_tag(wanted, marks)
        .or_else(|| downgrade(wanted, marks, &guards.series).filter(|_| !guards.allow_downgrade))
}

fn moved_tag(wanted: &Marks, held: &Marks) -> Option<Refusal> {
    let (tag, commit) = (wanted.tag.as_ref()?, wanted.commit.as_ref()?);
    let held_commit = held.commit.as_ref()?;
    (held.tag.as_ref() == Some(tag) && held_commit != commit).then(|| Refusal::MovedTag {
        tag: tag.clone(),
        held: held_commit.clone(),
        wanted: commit.clone(),
    })
}

/// The tag that a registration moves to and the one that it moves from, if nothing says which is the higher
/// version, so that no guard compared them.
pub(crate) fn not_compared<'p>(
    planned: &'p Planned,
    series: &SeriesSet,
) -> Option<(&'p str, &'p str)> {
    let wanted = planned.registration.marks.tag.as_ref()?;
    let held = planned.held.as_ref()?.marks.as_ref()?.tag.as_ref()?;
    let is_written = matches!(planned.action, Action::Create | Action::Update { .. });
    let order = series.order(&wanted.parse().ok()?, &held.parse().ok()?);
    let is_unknown = matches!(order, TagOrder::OtherSeries | TagOrder::Unknown);
    (is_written && is_unknown && wanted != held).then_some((wanted, held))
}

/// Whether what has the first marks is certainly a higher version than what has the second.
pub(crate) fn outranks(ours: &Marks, theirs: &Marks, series: &SeriesSet) -> bool {
    downgrade(theirs, ours, series).is_some()
}

fn downgrade(wanted: &Marks, held: &Marks, series: &SeriesSet) -> Option<Refusal> {
    let (wanted, held) = (wanted.tag.as_ref()?, held.tag.as_ref()?);
    let is_lower = match series.order(&wanted.parse().ok()?, &held.parse().ok()?) {
        TagOrder::Versions(order) => order.is_lt(),
        // A tag that is no version ranks below every version.
        TagOrder::NoVersion => true,
        TagOrder::OtherSeries | TagOrder::Unknown => false,
    };
    is_lower.then(|| Refusal::Downgrade { held: held.clone(), wanted: wanted.clone() })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use flowreg_model::{Channel, CodeReference, Entrypoint, ReferenceName, ReferenceSource};

    fn registration(tag: &str, commit: char) -> Registration {
        let reference = CodeReference {
            name: ReferenceName::Tag(tag.parse().unwrap()),
            commit: commit.to_string().repeat(40).parse().unwrap(),
            source: ReferenceSource::BuildTag,
            source_detail: "BUILD_TAG".to_owned(),
            channel: Channel::Mainline,
            remote: None,
            proved: true,
        };
        Registration {
            flow: "etl".parse().unwrap(),
            deployment: "nightly".parse().unwrap(),
            entrypoint: Entrypoint::new("flows/etl.py", "etl"),
            marks: Marks::new("https://example.com/flows.git", &reference, true, None),
            fields: [(Field::Version, json!(tag))].into_iter().collect(),
            open_schema: None,
            upload: None,
            reference,
        }
    }

    fn is_ours(url: &str) -> bool {
        url == "https://example.com/flows.git" || url == "git@example.com:flows"
    }

    fn held(registration: &Registration) -> Held {
        Held {
            id: Some("1".to_owned()),
            flow: registration.flow.to_string(),
            deployment: registration.deployment.to_string(),
            marks: Some(registration.marks.clone()),
            fields: registration.fields.clone(),
            registered_at: None,
        }
    }

    fn action(wanted: Registration, held: Held, guards: &Guards) -> Action {
        plan(vec![wanted], vec![held], guards, &is_ours).items.remove(0).action
    }

    fn refused(action: &Action) -> Option<&'static str> {
        match action {
            Action::Refuse(refusal) => Some(refusal.code()),
            _ => None,
        }
    }

    #[test]
    fn what_is_as_it_should_be_is_unchanged() {
        let wanted = registration("v1.0.0", 'a');
        let held = held(&wanted);
        assert_eq!(action(wanted, held, &Guards::default()), Action::Unchanged);
    }

    #[test]
    fn a_new_version_changes_version_and_marks() {
        let held = held(&registration("v1.0.0", 'a'));
        let plan =
            plan(vec![registration("v1.1.0", 'b')], vec![held], &Guards::default(), &is_ours);
        let fields: Vec<_> = plan.items[0].changes.iter().map(|c| c.field.as_str()).collect();
        assert_eq!(fields, ["version", "labels.flowreg.tag", "labels.flowreg.commit"]);
    }

    #[test]
    fn parameters_are_checked_once_their_schema_is_known() {
        let enforced = |item: &Planned| match &item.action {
            Action::Create => item.registration.fields.get(Field::EnforceParameterSchema).cloned(),
            Action::Update { fields, .. } => fields.get(Field::EnforceParameterSchema).cloned(),
            _ => None,
        };
        let unknown = registration("v1.0.0", 'a');
        let mut known = registration("v1.1.0", 'b');
        let schema = json!({"title": "Parameters", "type": "object", "properties": {}});
        known.fields.set(Field::ParameterOpenapiSchema, schema);
        let created = plan(vec![unknown.clone()], Vec::new(), &Guards::default(), &is_ours);
        assert_eq!(enforced(&created.items[0]), Some(json!(false)));
        let updated = plan(vec![known.clone()], vec![held(&unknown)], &Guards::default(), &is_ours);
        assert_eq!(enforced(&updated.items[0]), Some(json!(true)));
        // Somebody switched it off: it stays off.
        let mut before = held(&known);
        before.fields.set(Field::EnforceParameterSchema, false);
        before.fields.set(Field::Version, "v1.0.0");
        let updated = plan(vec![known], vec![before], &Guards::default(), &is_ours);
        assert_eq!(enforced(&updated.items[0]), None);
    }

    #[test]
    fn an_older_version_is_refused_unless_allowed() {
        let newer = held(&registration("v1.10.0", 'a'));
        let older = || registration("v1.9.0", 'b');
        let refusal = action(older(), newer.clone(), &Guards::default());
        assert_eq!(refused(&refusal), Some("downgrade"));
        let allowed = Guards { allow_downgrade: true, ..Guards::default() };
        assert_eq!(refused(&action(older(), newer, &allowed)), None);
    }

    #[test]
    fn a_pre_release_is_older_and_another_prefix_is_not_compared() {
        let newer = held(&registration("v1.0.0", 'a'));
        let pre = action(registration("v1.0.0-rc.1", 'b'), newer.clone(), &Guards::default());
        assert_eq!(refused(&pre), Some("downgrade"));
        let other = action(registration("etl/v0.1.0", 'b'), newer, &Guards::default());
        assert_eq!(refused(&other), None);
    }

    #[test]
    fn dates_are_compared_by_their_numbers() {
        let refused = |held_tag: &str, wanted: &str| {
            let before = held(&registration(held_tag, 'a'));
            refused(&action(registration(wanted, 'b'), before, &Guards::default()))
        };
        assert_eq!(refused("2026.12.3", "2027.01.0"), None);
        assert_eq!(refused("2027.01.0", "2026.12.3"), Some("downgrade"));
        assert_eq!(refused("2026.01.10", "2026.01.9"), Some("downgrade"));
        assert_eq!(refused("etl/2026.01.10", "ml/2026.01.9"), None);
    }

    #[test]
    fn a_tag_that_is_no_version_is_below_every_version() {
        let newer = held(&registration("v1.0.0", 'a'));
        let refusal = action(registration("release", 'b'), newer, &Guards::default());
        assert_eq!(refused(&refusal), Some("downgrade"));
        let other = held(&registration("release-1", 'a'));
        assert_eq!(
            refused(&action(registration("release-2", 'b'), other, &Guards::default())),
            None
        );
    }

    #[test]
    fn a_moved_tag_is_refused_whatever_is_allowed() {
        let before = held(&registration("v1.0.0", 'a'));
        let guards = Guards { allow_downgrade: true, adopt: true, ..Guards::default() };
        let moved = action(registration("v1.0.0", 'b'), before, &guards);
        assert_eq!(refused(&moved), Some("moved_tag"));
    }

    #[test]
    fn what_others_created_is_left_alone_unless_adopted() {
        let wanted = registration("v1.0.0", 'a');
        let foreign = Held { marks: None, ..held(&wanted) };
        let refusal = action(wanted.clone(), foreign.clone(), &Guards::default());
        assert_eq!(refused(&refusal), Some("not_ours"));
        let adopt = Guards { adopt: true, ..Guards::default() };
        assert!(matches!(
            action(wanted, foreign, &adopt),
            Action::Update { marks_change: true, .. }
        ));
    }

    #[test]
    fn another_repositorys_registration_is_left_alone() {
        let wanted = registration("v1.0.0", 'a');
        let mut other = held(&wanted);
        other.marks.as_mut().unwrap().repository = "https://example.com/other.git".to_owned();
        let refused_as = |held: Held| action(wanted.clone(), held, &Guards::default());
        assert_eq!(refused(&refused_as(other.clone())), Some("other_repository"));
        // Another spelling of its URL is no difference, and no reason to write.
        other.marks.as_mut().unwrap().repository = "git@example.com:flows".to_owned();
        assert_eq!(refused_as(other), Action::Unchanged);
    }

    /// A deployment with tags, schedules and a pause of a former owner.
    fn former(wanted: &Registration, marks: Option<Marks>) -> Held {
        let mut former = Held { marks, ..held(wanted) };
        former.fields.set(Field::Tags, json!(["declared", "by-hand"]));
        former.fields.set(Field::Paused, true);
        let cron = |cron: &str, active: bool| json!({"schedule": {"cron": cron}, "active": active});
        former.fields.set(Field::Schedules, json!([cron("1", false), cron("2", true)]));
        former
    }

    fn adopted(mut wanted: Registration, former: Held) -> (Vec<Value>, Vec<(&'static str, Value)>) {
        wanted.fields.set(Field::Schedules, json!([{"schedule": {"cron": "1"}}]));
        let guards = Guards { adopt: true, ..Guards::default() };
        let item = plan(vec![wanted], vec![former], &guards, &is_ours).items.remove(0);
        let Action::Update { fields, marks_change: true } = item.action else {
            panic!("{:?}", item.action)
        };
        let values = [Field::Tags, Field::Schedules].map(|field| fields.value(field).clone());
        (values.into(), item.kept.into_iter().map(|kept| (kept.field, kept.value)).collect())
    }

    #[test]
    fn an_adoption_replaces_what_nobody_has_a_record_of_and_says_what_stays() {
        let wanted = registration("v1.0.0", 'a');
        let off = json!({"schedule": {"cron": "1"}, "active": false});
        let kept = vec![("schedules", off.clone()), ("paused", json!(true))];
        let former = former(&wanted, None);
        assert_eq!(adopted(wanted, former), (vec![json!([]), json!([off])], kept));
    }

    #[test]
    fn an_adoption_from_another_repository_replaces_what_that_one_has_declared() {
        let wanted = registration("v1.0.0", 'a');
        let mut marks = wanted.marks.clone();
        marks.repository = "https://example.com/other.git".to_owned();
        marks.declared = Some(r#"{"tags":["declared"]}"#.to_owned());
        let former = former(&wanted, Some(marks.clone()));
        let off = json!({"schedule": {"cron": "1"}, "active": false});
        let theirs = json!({"schedule": {"cron": "2"}, "active": true});
        let (values, kept) = adopted(wanted.clone(), former.clone());
        // The schedules are as they should be, so they are not written.
        assert_eq!(values, [json!(["by-hand"]), Value::Null]);
        let expected = [("schedules", theirs), ("schedules", off.clone()), ("paused", json!(true))];
        assert_eq!(kept, expected);
        // It was an older flowreg, and kept no record.
        marks.declared = None;
        let (values, _) = adopted(wanted, Held { marks: Some(marks), ..former });
        assert_eq!(values, [json!([]), json!([off])]);
    }

    #[test]
    fn a_schedule_of_people_that_starts_runs_is_told_and_stays() {
        let wanted = registration("v1.1.0", 'b');
        let mut before = held(&registration("v1.0.0", 'a'));
        before.marks.as_mut().unwrap().declared = Some("{}".to_owned());
        let cron = |cron: &str, active: bool| json!({"schedule": {"cron": cron}, "active": active});
        before.fields.set(Field::Schedules, json!([cron("1", true), cron("2", false)]));
        let item = plan(vec![wanted], vec![before], &Guards::default(), &is_ours).items.remove(0);
        let kept: Vec<&Value> = item.kept.iter().map(|kept| &kept.value).collect();
        assert_eq!(kept, [&cron("1", true)]);
        assert!(item.changes.iter().all(|change| change.field != "schedules"));
    }
}
