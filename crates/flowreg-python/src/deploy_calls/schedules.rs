//! The schedules that a call declares, each in the form that `prefect.yaml` has for one.
//!
//! Read as Prefect's client does (`prefect/schedules.py`, `prefect/deployments/schedules.py` and
//! `RunnerDeployment._construct_deployment_schedules` of Prefect 3.8.8).

use serde_json::{Map, Value as Json, json};

use super::arguments::Arguments;
use super::{Obstacle, given, open_arguments};
use crate::default::std_value::StdValue;
use crate::interpreter::Interpreter;
use crate::value::{Keywords, Made, PrefectCall, Value, keyword, set_keyword};

/// The arguments of which a call may have one.
const RULES: [&str; 5] = ["interval", "cron", "rrule", "schedule", "schedules"];

const MICROSECONDS: f64 = 1_000_000.0;

type Read<T> = Result<T, Obstacle>;

/// The schedules of a call; `None` if it says nothing about them.
pub(super) fn of<'a>(
    arguments: &Arguments<'_, 'a>,
    keywords: &Keywords<'a>,
) -> Read<Option<Vec<Json>>> {
    let mut rules = RULES.into_iter().filter_map(|name| Some((name, given(keywords, name)?)));
    let Some((name, value)) = rules.next() else { return Ok(None) };
    if let Some((other, _)) = rules.next() {
        return Err(Obstacle::new(format!(
            "Prefect takes one of `{name}` and `{other}`, not both"
        )));
    }
    if let Some(unknown) = value.find_lost() {
        return Err(Obstacle::of(&format!("`{name}`"), &unknown));
    }
    let schedules = match name {
        "schedules" => items(value)
            .ok_or_else(|| arguments.unfit(name, value, "a list of schedules"))?
            .iter()
            .map(|item| scheduled(arguments, name, item))
            .collect::<Read<Vec<Json>>>()?,
        "schedule" => vec![scheduled(arguments, name, value)?],
        rule => {
            if Interpreter::truth(value) == Some(false) {
                return Err(Obstacle::new(format!("Prefect refuses an empty `{rule}`")));
            }
            let each = items(value).unwrap_or(std::slice::from_ref(value)).iter();
            let each = each.map(|value| Ok(json!({ rule: rule_value(arguments, rule, value)? })));
            each.collect::<Read<Vec<Json>>>()?
        }
    };
    Ok(Some(schedules))
}

fn items<'v, 'a>(value: &'v Value<'a>) -> Option<&'v [Value<'a>]> {
    match value {
        Value::List(items) | Value::Tuple(items) => Some(items),
        _ => None,
    }
}

/// A rule: a text, or for intervals a number of seconds.
fn rule_value<'a>(arguments: &Arguments<'_, 'a>, rule: &str, value: &Value<'a>) -> Read<Json> {
    match (rule, value) {
        ("interval", Value::Int(_) | Value::Float(_)) => arguments.json(rule, value),
        ("interval", Value::Std(StdValue::Delta(micros))) => {
            #[expect(clippy::cast_precision_loss, reason = "exact below 285 years")]
            let seconds = *micros as f64 / MICROSECONDS;
            Ok(json!(seconds))
        }
        ("interval", other) => Err(arguments.unfit(rule, other, "a number or a `timedelta`")),
        (_, Value::Str(text)) => Ok(json!(&**text)),
        (_, other) => Err(arguments.unfit(rule, other, "a text")),
    }
}

/// One schedule: an object of Prefect, or a dictionary with one.
fn scheduled<'a>(arguments: &Arguments<'_, 'a>, name: &str, value: &Value<'a>) -> Read<Json> {
    let unfit = || arguments.unfit(name, value, "a schedule of `prefect.schedules`");
    match value {
        Value::Made(made) => match &**made {
            Made::Call(call) => of_call(arguments, call),
            _ => Err(unfit()),
        },
        // The client takes the two keys as arguments of a function.
        Value::Dict(entries) if name == "schedules" => {
            let mut keywords = Keywords::new();
            for (key, value) in entries.iter() {
                match key.as_str() {
                    Some(key @ ("schedule" | "active")) => {
                        set_keyword(&mut keywords, key, value.clone());
                    }
                    _ => return Err(unfit()),
                }
            }
            let (Wrapped::Rule(schedule) | Wrapped::Schedule(schedule)) =
                wrapped(arguments, &keywords)?;
            Ok(schedule)
        }
        _ => Err(unfit()),
    }
}

/// A schedule inside something that says more about it.
enum Wrapped {
    /// An object that has a rule only.
    Rule(Json),
    /// An object of `prefect.schedules`, which says itself whether it is active.
    Schedule(Json),
}

fn wrapped<'a>(arguments: &Arguments<'_, 'a>, keywords: &Keywords<'a>) -> Read<Wrapped> {
    let Some(Value::Made(made)) = keyword(keywords, "schedule") else {
        return Err(Obstacle::new("a schedule without a rule that is known"));
    };
    let Made::Call(call) = &**made else {
        return Err(Obstacle::new("a schedule without a rule that is known"));
    };
    let mut schedule = of_call(arguments, call)?;
    if call.path.starts_with("prefect.schedules.") {
        return Ok(Wrapped::Schedule(schedule));
    }
    if let Some(map) = schedule.as_object_mut() {
        map.extend(settings(arguments, keywords)?);
    }
    Ok(Wrapped::Rule(schedule))
}

/// A schedule that a class or function of Prefect makes.
fn of_call<'a>(arguments: &Arguments<'_, 'a>, call: &PrefectCall<'a>) -> Read<Json> {
    let (module, leaf) = call.path.rsplit_once('.').unwrap_or_default();
    let with_settings: &[&str] = &["active", "parameters", "slug"];
    // What can be given by position, and by name only.
    let (positions, names): (&[&str], &[&str]) = match (module, leaf) {
        ("prefect.schedules", "Cron") => {
            (&["cron", "timezone", "day_or", "active", "parameters", "slug"], &[])
        }
        ("prefect.schedules", "Interval") => {
            (&["interval", "anchor_date", "timezone", "active", "parameters", "slug"], &[])
        }
        ("prefect.schedules", "RRule") => {
            (&["rrule", "timezone", "active", "parameters", "slug"], &[])
        }
        ("prefect.schedules", "Schedule") => (
            &[
                "interval",
                "cron",
                "rrule",
                "timezone",
                "anchor_date",
                "day_or",
                "active",
                "parameters",
                "slug",
            ],
            &[],
        ),
        ("prefect.client.schemas.schedules", "CronSchedule") => {
            (&[], &["cron", "timezone", "day_or"])
        }
        ("prefect.client.schemas.schedules", "IntervalSchedule") => {
            (&[], &["interval", "anchor_date", "timezone"])
        }
        ("prefect.client.schemas.schedules", "RRuleSchedule") => (&[], &["rrule", "timezone"]),
        ("prefect.client.schemas.actions", "DeploymentScheduleCreate") => {
            let keywords = bound(call, &[], &["schedule", "active", "parameters", "slug"])?;
            // Its field takes none of the objects of `prefect.schedules`.
            return match wrapped(arguments, &keywords)? {
                Wrapped::Rule(schedule) => Ok(schedule),
                Wrapped::Schedule(_) => {
                    let why = "Prefect refuses a schedule of `prefect.schedules` in another one";
                    Err(Obstacle { why: why.to_owned(), at: Some(call.at) })
                }
            };
        }
        _ => {
            let why = format!("`{}` is not read as a schedule", call.path);
            return Err(Obstacle { why, at: Some(call.at) });
        }
    };
    let keywords = bound(call, positions, names)?;
    // The rule of these three can be given by position only.
    if matches!(leaf, "Cron" | "Interval" | "RRule") && call.arguments.is_empty() {
        let why = format!("`{leaf}()` is given its rule by name, which Prefect refuses");
        return Err(Obstacle { why, at: Some(call.at) });
    }
    let mut schedule = Map::new();
    let mut rules = ["interval", "cron", "rrule"].into_iter();
    let mut rules = rules.by_ref().filter_map(|rule| Some((rule, given(&keywords, rule)?)));
    let Some((rule, value)) = rules.next() else {
        return Err(Obstacle::new("a schedule without a rule"));
    };
    if rules.next().is_some() {
        return Err(Obstacle::new("a schedule with more than one rule"));
    }
    schedule.insert(rule.to_owned(), rule_value(arguments, rule, value)?);
    if let Some(timezone) = arguments.text(&keywords, "timezone")? {
        schedule.insert("timezone".to_owned(), json!(timezone));
    }
    match given(&keywords, "day_or") {
        None => {}
        Some(Value::Bool(flag)) => {
            schedule.insert("day_or".to_owned(), json!(flag));
        }
        Some(value) => return Err(arguments.unfit("day_or", value, "`True` or `False`")),
    }
    // Rules of other kinds have no start, and the client drops it.
    if rule == "interval"
        && let Some(anchor) = given(&keywords, "anchor_date")
    {
        let text = match anchor {
            Value::Std(moment @ StdValue::DateTime(..)) => moment.json(),
            _ => None,
        };
        let text = text.ok_or_else(|| arguments.unfit("anchor_date", anchor, "a `datetime`"))?;
        schedule.insert("anchor_date".to_owned(), json!(text));
    }
    if positions.iter().any(|name| with_settings.contains(name)) {
        schedule.extend(settings(arguments, &keywords)?);
    }
    Ok(Json::Object(schedule))
}

/// What is said of a schedule besides its rule.
fn settings<'a>(arguments: &Arguments<'_, 'a>, keywords: &Keywords<'a>) -> Read<Map<String, Json>> {
    let mut settings = Map::new();
    match given(keywords, "active") {
        None => {}
        Some(Value::Bool(flag)) => {
            settings.insert("active".to_owned(), json!(flag));
        }
        Some(value) => return Err(arguments.unfit("active", value, "`True` or `False`")),
    }
    if let Some(parameters) = given(keywords, "parameters") {
        settings.insert("parameters".to_owned(), arguments.object("parameters", parameters)?);
    }
    if let Some(slug) = arguments.text(keywords, "slug")? {
        settings.insert("slug".to_owned(), json!(slug));
    }
    Ok(settings)
}

/// The arguments of a call of Prefect's own by their names.
fn bound<'a>(call: &PrefectCall<'a>, positions: &[&str], names: &[&str]) -> Read<Keywords<'a>> {
    let refused = |why: String| Err(Obstacle { why, at: Some(call.at) });
    let leaf = call.path.rsplit('.').next().unwrap_or_default();
    let mut bound = Keywords::new();
    for (number, value) in call.arguments.iter().enumerate() {
        let Some(name) = positions.get(number) else {
            return refused(format!("`{leaf}()` is given more by position than Prefect takes"));
        };
        set_keyword(&mut bound, name, value.clone());
    }
    if open_arguments(&call.keywords).is_some() {
        return refused(format!("the arguments of `{leaf}()` are not known"));
    }
    for (name, value) in &call.keywords {
        let is_known = positions.contains(&&**name) || names.contains(&&**name);
        if !is_known || keyword(&bound, name).is_some() {
            return refused(format!("`{leaf}()` is not read with the argument `{name}`"));
        }
        set_keyword(&mut bound, name, value.clone());
    }
    Ok(bound)
}
