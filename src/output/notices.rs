//! Notices as lines: what several deployments have in common is told once, with the number of them.

use std::collections::HashMap;

use crate::run::Notice;

/// How many of the deployments behind one line are named.
const NAMED: usize = 3;

/// The lines of notices, in their order; `is_each` gives each deployment a line of its own.
pub(crate) fn notice_lines(notices: &[Notice], is_each: bool) -> Vec<String> {
    let mut groups: Vec<Vec<&Notice>> = Vec::new();
    let mut known: HashMap<&str, usize> = HashMap::new();
    for notice in notices {
        let is_shared = notice.deployment.is_some() && !is_each;
        let next = groups.len();
        let at = if is_shared { *known.entry(&notice.text).or_insert(next) } else { next };
        match groups.get_mut(at) {
            Some(group) => group.push(notice),
            None => groups.push(vec![notice]),
        }
    }
    groups.iter().map(|group| line(group)).collect()
}

/// `prefect.yaml:12:5: `nightly`: …`, or `prefect.yaml:12:5: … (12 deployments: `nightly`, …)`
fn line(group: &[&Notice]) -> String {
    let Some(first) = group.first() else { return String::new() };
    let place = first.place.as_ref().map_or_else(String::new, |place| format!("{place}: "));
    let names: Vec<String> = group
        .iter()
        .filter_map(|notice| Some(format!("`{}`", notice.deployment.as_ref()?)))
        .collect();
    let text = &first.text;
    match &names[..] {
        [] => format!("{place}{text}"),
        [name] => format!("{place}{name}: {text}"),
        names => {
            let named = names.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
            let more = match names.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{place}{text} ({} deployments: {named}{more})", names.len())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(deployment: Option<&str>, place: &str, text: &str) -> Notice {
        Notice {
            text: text.to_owned(),
            place: Some(place.to_owned()),
            deployment: deployment.map(str::to_owned),
            is_detail: false,
        }
    }

    #[test]
    fn what_several_deployments_have_in_common_is_one_line() {
        let names = ["a", "b", "c", "d"];
        let mut notices: Vec<Notice> = names
            .iter()
            .map(|name| about(Some(name), &format!("p:{name}"), "x is ignored"))
            .collect();
        notices.insert(1, about(Some("b"), "p:9", "y is ignored"));
        notices.push(about(None, "p:1", "z is ignored"));
        notices.push(about(None, "p:2", "z is ignored"));
        assert_eq!(
            notice_lines(&notices, false),
            [
                "p:a: x is ignored (4 deployments: `a`, `b`, `c` and 1 more)",
                "p:9: `b`: y is ignored",
                "p:1: z is ignored",
                "p:2: z is ignored",
            ]
        );
        assert_eq!(notice_lines(&notices, true).len(), 7);
    }
}
