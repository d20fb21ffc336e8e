//! What tells the schedules of one deployment from one another: the slug, or else the rule.

use serde_json::Value;

use super::rules;

/// How the slugs begin that older versions of flowreg gave where none is declared. `prefect deploy`
/// of the same file can't write a deployment whose schedules all have slugs (docs/facts/prefect.md,
/// "Schedules"), so they go with the next write.
const GIVEN_SLUG: &str = "flowreg-";

/// A schedule's slug. Schedules that were made in the UI have none; an empty one identifies nothing,
/// and counts as none.
pub(super) fn slug(schedule: &Value) -> Option<&str> {
    schedule.get("slug")?.as_str().filter(|slug| !slug.is_empty())
}

/// Whether the slug is one that an older flowreg gave.
pub(super) fn is_given(schedule: &Value) -> bool {
    let number = slug(schedule).and_then(|slug| slug.strip_prefix(GIVEN_SLUG));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// Whether a name is one that [`names`] made of a rule.
pub(super) fn is_of_rule(name: &str) -> bool {
    name.starts_with(rules::NAME_PREFIX)
}

/// The names of the schedules of one deployment: the slug, or a check sum of the rule and the
/// parameters. A second schedule that would have the same name gets a number behind it.
pub(super) fn names<'s>(schedules: impl IntoIterator<Item = &'s Value>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for schedule in schedules {
        let name = slug(schedule).map_or_else(|| rules::name(schedule), ToOwned::to_owned);
        let numbered = (2..).map(|number: u32| format!("{name}.{number}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !names.contains(name));
        names.push(free.unwrap_or(name));
    }
    names
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schedules_of_one_rule_are_numbered() {
        let one = json!({"schedule": {"cron": "@daily"}});
        let named = json!({"schedule": {"cron": "@daily"}, "slug": "a"});
        let all = names([&one, &named, &one]);
        assert_eq!(all[1], "a");
        assert_eq!(all[2], format!("{}.2", all[0]));
        assert!(is_of_rule(&all[0]) && !is_of_rule(&all[1]));
    }
}
